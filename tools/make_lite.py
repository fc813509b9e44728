"""Build the lessons for the browser, without a server: python -m tools.make_lite [folder]

Experimental. A JupyterLite site with the lessons without outputs, what they link to, the data and
the wheels of this package and of those that Pyodide has not. Pyodide itself, Python in the browser
with NumPy, SciPy, pandas and Matplotlib, is fetched from its content network when a page is opened,
unless `--pyodide` names its release archive. Nothing was computed by it yet: what a test can say
without it is in tests/browser/test_lite.py.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from tools.learner_copies import GLOSSARY, ROOT, lessons, make, write

SOURCE = ROOT / "build" / "lite-source"
# Pure Python wheels that the package needs and Pyodide lacks, in the versions of the lock.
WHEELS = (
    "comm",
    "formulaic",
    "interface-meta",
    "ipywidgets",
    "jupyterlab-widgets",
    "platformdirs",
    "seaborn",
    "widgetsnbextension",
)
INSTALL = "%pip install -q glmmtools"
ID = "install-in-the-browser"
COMMAND = [sys.executable, "-m", "jupyterlite_core", "build", "--no-libarchive"]


def locked(names: tuple[str, ...]) -> str:
    """The lines of the lock for packages, their hashes too."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = (re.search(rf"^{name}==(?:.*\\\n)*.*\n", lock, re.MULTILINE)[0] for name in names)
    return "".join(entries)


def fetch_wheels(folder: Path) -> None:
    """Put the wheels of this package and of what Pyodide lacks into a folder."""
    folder.mkdir(parents=True)
    needed = SOURCE / "wheels.txt"
    needed.write_text(locked(WHEELS), encoding="utf-8")
    download = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    download += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", str(folder)]
    subprocess.run([*download, "--requirement", str(needed)], check=True)
    own = [sys.executable, "-m", "tools.make_dist", str(folder)]
    subprocess.run(own, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for archive in folder.glob("*.tar.gz"):
        archive.unlink()


def lay_out(source: Path) -> None:
    """Lessons without outputs that install the package first, what they link to, and the wheels."""
    shutil.rmtree(source, ignore_errors=True)
    content = source / "content"
    make(content)
    for path in lessons():
        copy = content / path.relative_to(ROOT)
        lesson = nbformat.read(copy, as_version=4)
        lesson.cells.insert(1, nbformat.v4.new_code_cell(INSTALL, id=ID))
        write(lesson, copy)
    assert (content / GLOSSARY.relative_to(ROOT)).exists()
    fetch_wheels(source / "pypi")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the lessons for the browser.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "lite")
    parser.add_argument("--pyodide", help="the release archive of Pyodide, a file or an address")
    asked = parser.parse_args()
    target = asked.folder.resolve()
    lay_out(SOURCE)
    shutil.rmtree(target, ignore_errors=True)
    options = ["--lite-dir", str(SOURCE), "--contents", str(SOURCE / "content")]
    options += ["--output-dir", str(target), "--no-sourcemaps", "--no-unused-shared-packages"]
    if asked.pyodide:
        options += ["--pyodide", asked.pyodide]
    done = subprocess.run([*COMMAND, *options], cwd=SOURCE, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        return done.returncode
    print(f"{len(lessons())} lessons; serve {target} by any web server, such as")
    print(f"    {Path(sys.executable).name} -m http.server --directory {target}")
    print("and open lab/index.html?path=notebooks/00-start-here.ipynb there. Experimental.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
