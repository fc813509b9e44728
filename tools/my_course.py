"""Lay out the learner's own copies in my-course: python -m tools.my_course [number of a lesson ...]

Lessons without their outputs, solutions with theirs, and the glossary. A copy is made once and
never written over, so that her answers stay hers; git ignores the folder, so that a pull never
meets them. Each copy holds the hash of what it was made from, and one whose source has changed
since is named. A lesson whose number is given is copied anew; what lay there is kept under a name
with the date.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Collection
from datetime import date
from functools import partial
from pathlib import Path
from urllib.parse import quote

from nbformat import NotebookNode

from tools.execute_notebooks import to_text
from tools.learner_copies import (
    GLOSSARY,
    ROOT,
    CopyError,
    change_links,
    cleared,
    lessons,
    linked_file,
    stored,
    write,
)

TARGET = ROOT / "my-course"
NOTEBOOKS = ROOT / "notebooks"


def sources() -> list[Path]:
    """What is copied: the lessons, the glossary, the solutions."""
    return [*lessons(), GLOSSARY, *sorted(NOTEBOOKS.glob("solutions/[0-9]*.ipynb"))]


def place(source: Path) -> Path:
    """Where the copy of a notebook lies."""
    return TARGET / source.relative_to(NOTEBOOKS)


def called(notebook: Path) -> str:
    """What a notebook is renewed by: the number of a lesson, the name of the glossary."""
    return GLOSSARY.stem if notebook.name == GLOSSARY.name else notebook.name[:2]


def from_copy(source: Path, link: str) -> str:
    """Where a link of a copy leads: to another copy if there is one, else to the file itself."""
    file = linked_file(source, link)
    file = place(file) if file in sources() else file
    return quote(Path(os.path.relpath(file, place(source).parent)).as_posix())


def fingerprint(notebook: NotebookNode) -> str:
    """A hash of the cells without outputs: to run a lesson again does not change it."""
    cells = [[cell.cell_type, cell.source] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def copy_of(source: Path) -> NotebookNode:
    """A notebook as the learner gets it."""
    notebook = cleared(source) if source in lessons() else stored(source)
    notebook.metadata["glmmtools"] = {"source": fingerprint(notebook)}
    change_links(notebook, partial(from_copy, source))
    return notebook


def made_from(copy: Path) -> str | None:
    """The hash of the notebook that a copy was made from; None of a file that holds none."""
    try:
        return json.loads(copy.read_text(encoding="utf-8"))["metadata"]["glmmtools"]["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_another(copy: Path, new: NotebookNode) -> bool:
    """Whether there is a copy, and not the one that would be made now."""
    return copy.exists() and copy.read_bytes() != to_text(new).encode()


def keep(copy: Path) -> None:
    """Rename a copy to a name with today's date that is not taken."""
    name, count = f"{copy.stem}-{date.today()}", 1
    kept = copy.with_stem(name)
    while kept.exists():
        count += 1
        kept = copy.with_stem(f"{name}-{count}")
    copy.rename(kept)
    print(f"Kept: {kept.relative_to(ROOT)}")


def lay_out(renew: Collection[str] = ()) -> list[Path]:
    """Make what is missing, renew what is named; return the copies whose source has changed."""
    made, changed = [], []
    for source in sources():
        copy, new = place(source), copy_of(source)
        if called(source) in renew and is_another(copy, new):
            keep(copy)
        if not copy.exists():
            write(new, copy)
            made.append(copy)
        elif made_from(copy) != new.metadata["glmmtools"]["source"]:
            changed.append(copy)
    if made:
        print(f"{TARGET.name}: {len(made)} new copies of lessons, solutions and glossary")
    return changed


def renewing(changed: list[Path]) -> str:
    """Which copies have fallen behind, and the line that renews them."""
    python = Path(sys.executable)
    python = python.relative_to(ROOT) if python.is_relative_to(ROOT) else "python"
    numbers = sorted({called(copy) for copy in changed})
    names = ", ".join(str(copy.relative_to(ROOT)) for copy in changed)
    return (
        f"Changed in the course since your copies were made: {names}.\nTo get the new ones, and "
        f"keep yours under a name with the date: {python} -m tools.my_course {' '.join(numbers)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("renew", nargs="*", metavar="NUMBER", help="lessons to copy anew, as 05")
    numbers = [number.zfill(2) for number in parser.parse_args().renew]
    known = [called(path) for path in [*lessons(), GLOSSARY]]
    if unknown := sorted({*numbers} - {*known}):
        parser.error(f"there is no lesson {', '.join(unknown)}; the lessons are {', '.join(known)}")
    try:
        changed = lay_out(numbers)
    except (CopyError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if changed:
        print(renewing(changed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
