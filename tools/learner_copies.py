"""Copy the lessons without their outputs, to hand out: build/learner.

    python -m tools.learner_copies [--core]

A question then comes before its answer: the text that reads an output opens by a click. The copies
lie as the lessons do, with every file they link to beside them, so that a link leads where it led.
The folder is made anew each time; `--core` leaves out what is further. All copies without outputs
are made of `cleared`, `change_links` and `write`; the other makers are tools/my_course.py and
tools/make_colab.py.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import nbformat
from nbformat import NotebookNode

from tools.execute_notebooks import to_text

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "build" / "learner"
GLOSSARY = ROOT / "notebooks" / "glossary.ipynb"  # of text alone

# Code and formulas come first, because f[i](x) in them is no link.
CODE_OR_LINK = re.compile(
    r"""(?P<code> ```.*?``` | `[^`\n]*` | \$\$.*?\$\$ | \$[^$\n]*\$ )
      | (?P<opening> \]\(\s*<? | ^\ {0,3}\[(?!\^)[^]\n]+\]:\s*<? | \b(?:src|href)=["'] )
        (?![a-z]+: | [/#])
        (?P<link> [^\s"'<>()#?]+ )""",
    flags=re.VERBOSE | re.DOTALL | re.MULTILINE | re.IGNORECASE,
)

# A question in the first paragraph stands behind what is read, any other in a paragraph of its own.
QUESTION = r"\*\*(?:Guess|Before\s+you)\b"
END_OF_READING = re.compile(
    rf"(?:^|\n\n)(?=\#) | \n\n(?=(?:(?!\n\n).)*{QUESTION}) | (?={QUESTION})",
    flags=re.VERBOSE | re.DOTALL,
)
SUMMARY = "Read on when you have run the cell"
# JupyterLab sets a fold close to the cell above it.
OPENING = f'<details style="margin: 1em 0"><summary>{SUMMARY}</summary>'


class CopyError(Exception):
    """A notebook of which no usable copy can be made."""


def lessons() -> list[Path]:
    """The lessons in their order, without the solutions."""
    return sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def stored(path: Path) -> NotebookNode:
    """A notebook as it is stored."""
    try:
        text = path.read_text(encoding="utf-8")
        nbformat.validate(json.loads(text), version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CopyError(f"{path} is not a notebook of version 4: {reason}") from error
    return nbformat.v4.reads(text)


def asks(cell: NotebookNode) -> bool:
    """Whether a cell wants a guess before the next one is run."""
    return "question" in cell.metadata.get("tags", [])


def reads(cell: NotebookNode) -> bool:
    """Whether a text tells what the cell above it shows, though no question asked for it."""
    return "reading" in cell.metadata.get("tags", [])


def is_further(cell: NotebookNode) -> bool:
    """Whether a first reading does without the cell."""
    return "further" in cell.metadata.get("tags", [])


def core(cells: Iterable[NotebookNode]) -> list[NotebookNode]:
    """The cells that a first reading needs."""
    return [cell for cell in cells if not is_further(cell)]


def is_collapsed(cell: NotebookNode) -> bool:
    """Whether a learner sees the lines of the cell only where she asks for them."""
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def after_questions(notebook: NotebookNode) -> Iterator[tuple[list[NotebookNode], NotebookNode]]:
    """For each question the code cells that answer it, and the text after them."""
    texts = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "markdown"]
    for i, after in pairwise(texts):
        if asks(notebook.cells[i]):
            yield notebook.cells[i + 1 : after], notebook.cells[after]


def readings(notebook: NotebookNode) -> list[NotebookNode]:
    """The texts that tell what a cell above them shows: to be read when it was run."""
    answers = [text.id for _, text in after_questions(notebook)]
    return [cell for cell in notebook.cells if cell.id in answers or reads(cell)]


def parted(text: str) -> tuple[str, str]:
    """What of a text reads an output, up to the next question or heading; and the rest."""
    end = END_OF_READING.search(text)
    return (text[: end.start()].rstrip(), text[end.end() :]) if end else (text, "")


def folded(text: str, opening: str = OPENING) -> str:
    """Text that reads an output, which opens by a click."""
    told, rest = parted(text)
    return f"{opening}\n\n{told}\n\n</details>\n\n{rest}".rstrip() if told else text


def cleared(path: Path, *, core_only: bool = False) -> NotebookNode:
    """A notebook without outputs and execution counts, and with what reads them folded."""
    notebook = stored(path)
    if core_only:
        notebook.cells = core(notebook.cells)
    for text in readings(notebook):
        text.source = folded(text.source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def change_links(notebook: NotebookNode, change: Callable[[str], str]) -> None:
    """Replace every relative link of the text, in place; what follows # or ? stays."""

    def changed(found: re.Match[str]) -> str:
        return found["code"] or found["opening"] + change(found["link"])

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = CODE_OR_LINK.sub(changed, cell.source)


def links(notebook: NotebookNode) -> Iterator[str]:
    """The relative links of the text."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from filter(None, (m["link"] for m in CODE_OR_LINK.finditer(cell.source)))


def linked_file(path: Path, link: str) -> Path:
    """The file of the course that a link in a notebook leads to."""
    file = (path.parent / unquote(link)).resolve()
    if not file.is_file():
        raise CopyError(f"{path.name} links to {link}, and there is no such file")
    if not file.is_relative_to(ROOT):
        raise CopyError(f"{path.name} links to {link}, which is not in the folder of the course")
    return file


def with_linked_files(notebooks: list[Path]) -> list[Path]:
    """Notebooks and the files they link to; a notebook among these brings its own."""
    found = [*notebooks]
    for path in found:  # which grows
        if path.suffix == ".ipynb":
            files = [linked_file(path, link) for link in links(cleared(path))]
            found += [file for file in dict.fromkeys(files) if file not in found]
    return found


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a copy, never to the folder that holds what is copied."""
    if path.resolve().is_relative_to(ROOT / "notebooks"):
        raise CopyError(f"{path} would replace a lesson: choose another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_text(notebook), encoding="utf-8", newline="\n")


def make(target: Path, *, core_only: bool = False) -> None:
    """Write every lesson without outputs, and what the lessons link to."""
    for path in with_linked_files([*lessons(), GLOSSARY]):
        copy = target / path.relative_to(ROOT)
        if path.suffix == ".ipynb":
            write(cleared(path, core_only=core_only), copy)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)


def make_anew(target: Path, make: Callable[[Path], None]) -> int:
    """Empty a folder and fill it with copies: the exit status, with the error on stderr."""
    shutil.rmtree(target, ignore_errors=True)
    try:
        make(target)
    except CopyError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{target.relative_to(ROOT)}: {len(lessons())} lessons without outputs")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--core", action="store_true", help="leave out what is further")
    return make_anew(TARGET, partial(make, core_only=parser.parse_args().core))


if __name__ == "__main__":
    sys.exit(main())
