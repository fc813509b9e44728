"""Copy the lessons without their outputs, to hand out: build/learner.

    python -m tools.learner_copies

The copies lie as the lessons do, with every file they link to beside them, so that a link leads
where it led. The folder is made anew each time. All copies without outputs are made of `cleared`,
`change_links` and `write`; the other makers are tools/my_course.py and tools/make_colab.py.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import nbformat
from nbformat import NotebookNode

from tools.execute_notebooks import to_text

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "build" / "learner"

# Code and formulas come first, because f[i](x) in them is no link.
CODE_OR_LINK = re.compile(
    r"""(?P<code> ```.*?``` | `[^`\n]*` | \$\$.*?\$\$ | \$[^$\n]*\$ )
      | (?P<opening> \]\(\s*<? | ^\ {0,3}\[(?!\^)[^]\n]+\]:\s*<? | \b(?:src|href)=["'] )
        (?![a-z]+: | [/#])
        (?P<link> [^\s"'<>()#?]+ )""",
    flags=re.VERBOSE | re.DOTALL | re.MULTILINE | re.IGNORECASE,
)


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


def cleared(path: Path) -> NotebookNode:
    """A notebook without its outputs and execution counts; all else is as it is stored."""
    notebook = stored(path)
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


def make(target: Path) -> None:
    """Write every lesson without outputs, and what the lessons link to."""
    for path in with_linked_files(lessons()):
        copy = target / path.relative_to(ROOT)
        if path.suffix == ".ipynb":
            write(cleared(path), copy)
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


if __name__ == "__main__":
    sys.exit(make_anew(TARGET, make))
