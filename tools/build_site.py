"""Build the reading site from the stored outputs: python -m tools.build_site [folder]

Lays out a source tree in build/site-source (lessons with the outputs folded that answer a question,
solutions with their cells collapsed, data cards, the list of the package's functions) and runs
Sphinx on it, every warning an error. Nothing is executed and nothing is fetched.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

import glmmtools as gt
from tools.learner_copies import after_questions

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "site-source"


def for_readers(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Fold what answers a question, and put alternative texts where MyST-NB looks for them."""
    for answers, _ in after_questions(notebook):
        for cell in answers:
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-output"]
    for cell in notebook.cells:
        if alt := cell.metadata.get("alt"):
            cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return notebook


def collapsed(solutions: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Hide the answers behind a click: the tasks alone are seen at first."""
    for cell in solutions.cells:
        if cell.cell_type == "code":
            cell.metadata["tags"] = ["hide-cell"]
        elif cell.source.startswith("### "):
            cell.source = cell.source[1:]  # the site wants no level left out
        elif not cell.source.startswith("#"):
            cell.source = f"<details><summary>Why</summary>\n\n{cell.source}\n\n</details>"
    return solutions


def api_page() -> str:
    """What `import glmmtools as gt` offers, one page each."""
    names = sorted(filter(lambda name: callable(getattr(gt, name)), gt.__all__), key=str.lower)
    rows = "".join(f"   {name}\n" for name in names)
    return (
        "# The package\n\n`import glmmtools as gt`\n\n```{eval-rst}\n"
        f".. currentmodule:: glmmtools\n\n.. autosummary::\n   :toctree: api\n\n{rows}```\n"
    )


def lay_out() -> None:
    shutil.rmtree(SOURCE, ignore_errors=True)
    (SOURCE / "data").mkdir(parents=True)
    (SOURCE / "notebooks" / "solutions").mkdir(parents=True)
    for path in (ROOT / "notebooks").rglob("[0-9]*.ipynb"):
        notebook = for_readers(nbformat.read(path, as_version=4))
        if path.parent.name == "solutions":
            notebook = collapsed(notebook)
        nbformat.write(notebook, SOURCE / path.relative_to(ROOT))
    for page in ("notebooks/README.md", "data/README.md", "TEACHING.md", "cheat-sheet.pdf"):
        folder = ROOT / "figures" if page.endswith(".pdf") else ROOT
        shutil.copy(folder / page, SOURCE / page)
    shutil.copy(ROOT / "site" / "index.md", SOURCE)
    (SOURCE / "api.md").write_text(api_page(), encoding="utf-8")


def main() -> int:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site").resolve()
    lay_out()
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "2"]
    done = subprocess.run([*command, "-c", str(ROOT / "site"), str(SOURCE), str(target)])
    if done.returncode == 0:
        print(f"{len(list(target.rglob('*.html')))} pages; open {target / 'index.html'}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
