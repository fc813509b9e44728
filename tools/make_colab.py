"""Copy the lessons for Google Colab, where each one first installs the course: build/colab.

    python tools/make_colab.py https://github.com/OWNER/REPOSITORY@BRANCH

The address is one that pip installs from (`git+` is put before `https`). The cell does nothing
anywhere but on Colab, and nothing there a second time. It leaves what Colab has as it is where the
course can use it: a new NumPy under a kernel that has loaded the old one needs a restart. Only what
Colab lacks comes in the locked version.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "build" / "colab"
NOT_ON_COLAB = ("formulaic", "glmm")

CELL = """\
# Google Colab only: install the course, which takes a minute. If Colab asks to restart the session,
# let it, and run this cell again.
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and find_spec("glmmtools") is None:
    %pip install {what}
"""


def install_cell(address: str) -> nbformat.NotebookNode:
    """The cell that installs the course from an address."""
    if address.startswith("https://"):
        address = f"git+{address}"
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [re.search(rf"^{name}==[^\s;]+", lock, re.MULTILINE).group() for name in NOT_ON_COLAB]
    what = " ".join(f'"{each}"' for each in (f"glmmtools @ {address}", *pins))
    return nbformat.v4.new_code_cell(CELL.format(what=what).rstrip(), id="colab")


def make(address: str, target: Path) -> None:
    """Write every lesson without outputs, with the cell below its title."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        lesson = nbformat.read(path, as_version=4)
        for cell in lesson.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        lesson.cells.insert(1, install_cell(address))
        nbformat.write(lesson, target / path.name)


def main() -> int:
    if len(sys.argv) != 2 or "://" not in sys.argv[1]:
        print('Whence? make colab ARGS="https://github.com/OWNER/REPOSITORY@BRANCH"')
        return 1
    make(sys.argv[1], TARGET)
    print(f"{TARGET.relative_to(ROOT)}: every lesson, to be put on GitHub or Google Drive")
    return 0


if __name__ == "__main__":
    sys.exit(main())
