"""Build the reading site from the stored outputs: python -m tools.build_site [folder]

Lays out a source tree in build/site-source (lessons with the outputs folded that answer a question,
solutions with their cells collapsed, data cards, the list of the package's functions, the front
page and the gallery) and runs Sphinx on it, every warning an error. Nothing is executed and nothing
is fetched.

With `--repository https://github.com/OWNER/REPOSITORY@BRANCH` each lesson has links that run it on
Binder and, for GitHub, on Colab, from the branch `colab` that `make colab` makes; with `--lite` and
an address one that opens it there in the browser, from what `make lite` makes.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import nbformat

from tools import site_api, site_front
from tools.learner_copies import GLOSSARY, after_questions, folded, is_collapsed
from tools.make_colab import ON_GITHUB
from tools.site_lessons import with_choices, with_solutions
from tools.site_subjects import add_subjects

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "site-source"
FILES = ROOT / "build" / "site-files"  # copied to the site as they are

READING = '<details class="reading"><summary>Read on when you have seen the output</summary>'
PLAIN_NUMBER = re.compile(r"(?<![\\$\w])\$(-?\d(?:[\d.]|\\,)*)\$(?![$\w])")
CODE = re.compile(r"(```.*?```|`[^`\n]*`|\$\$.*?\$\$)", re.DOTALL)


def in_the_typeface_of_the_text(source: str) -> str:
    """Plain numbers that are written as mathematics, as text: one typeface for both."""
    pieces = CODE.split(source)
    pieces[::2] = [PLAIN_NUMBER.sub(_as_text, piece) for piece in pieces[::2]]
    return "".join(pieces)


def _as_text(number: re.Match[str]) -> str:
    return number[1].replace("\\,", "\N{NARROW NO-BREAK SPACE}").replace("-", "−")


def ways_to_run(lesson: str, repository: str | None, lite: str | None = None) -> str:
    """Links to the file of a lesson and, where their addresses are known, to what runs it."""
    links = [f'<a href="{lesson}.ipynb" download>This lesson as a notebook file</a>']
    if repository:
        address, _, branch = repository.partition("@")
        found = ON_GITHUB.fullmatch(repository)
        where = f"gh/{found['repository']}" if found else f"git/{quote(address, safe='')}"
        opened = quote(f"lab/tree/my-course/{lesson}.ipynb", safe="")
        binder = f"https://mybinder.org/v2/{where}/{quote(branch or 'HEAD', safe='')}"
        links.append(f'<a href="{binder}?urlpath={opened}">run it on Binder</a>')
        if found:
            colab = f"https://colab.research.google.com/github/{found['repository']}/blob/colab"
            links.append(f'<a href="{colab}/{lesson}.ipynb">run it on Colab</a>')
        links.append(f'<a href="{address}">the repository</a>')
    if lite:
        opened = quote(f"notebooks/{lesson}.ipynb", safe="")
        opened = f"{lite.rstrip('/')}/lab/index.html?path={opened}"
        links.append(f'<a href="{opened}">run it in this browser</a> (experimental)')
    return f'<p class="run">{" · ".join(links)}</p>'


def for_readers(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Fold what answers a question, and put alternative texts where MyST-NB looks for them."""
    for answers, text in after_questions(notebook):
        text.source = folded(text.source, READING)
        for cell in answers:
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-output"]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = in_the_typeface_of_the_text(cell.source)
        if is_collapsed(cell):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
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


def read(path: Path) -> nbformat.NotebookNode:
    """A notebook of the course as readers of the site have it."""
    return for_readers(nbformat.read(path, as_version=4))


def lay_out(repository: str | None, lite: str | None) -> None:
    for folder in (SOURCE, FILES):
        shutil.rmtree(folder, ignore_errors=True)
    (SOURCE / "data").mkdir(parents=True)
    (SOURCE / "notebooks" / "solutions").mkdir(parents=True)
    (FILES / "notebooks").mkdir(parents=True)
    for path in (ROOT / "notebooks").rglob("[0-9]*.ipynb"):
        notebook = read(path)
        if path.parent.name == "solutions":
            notebook = collapsed(notebook)
        else:
            add_subjects(notebook, path.stem[:2])
            with_choices(notebook)
            with_solutions(notebook, read(path.parent / "solutions" / path.name))
            notebook.cells[0].source += f"\n\n{ways_to_run(path.stem, repository, lite)}"
            shutil.copy(path, FILES / path.relative_to(ROOT))
        nbformat.write(notebook, SOURCE / path.relative_to(ROOT))
    nbformat.write(read(GLOSSARY), SOURCE / GLOSSARY.relative_to(ROOT))
    for page in ("notebooks/README.md", "data/README.md", "TEACHING.md", "TRANSLATION.md"):
        shutil.copy(ROOT / page, SOURCE / page)
    for page in (ROOT / "site" / "worksheets.md", *(ROOT / "figures").glob("*.pdf")):
        shutil.copy(page, SOURCE)
    site_api.write_pages(SOURCE)
    site_front.write_pages(SOURCE, FILES)


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the reading site.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--repository", help="https://github.com/OWNER/REPOSITORY@BRANCH")
    parser.add_argument("--lite", help="where the site of `make lite` is published")
    asked = parser.parse_args()
    target = asked.folder.resolve()
    if target == ROOT / "build" / "site":
        shutil.rmtree(target, ignore_errors=True)  # pages of names that are gone
    lay_out(asked.repository, asked.lite)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "2"]
    done = subprocess.run([*command, "-c", str(ROOT / "site"), str(SOURCE), str(target)], cwd=ROOT)
    if done.returncode == 0:
        print(f"{len(list(target.rglob('*.html')))} pages; open {target / 'index.html'}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
