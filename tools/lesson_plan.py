"""What of each lesson is its core, how long core and whole take, which concepts it teaches.

    python -m tools.lesson_plan

A cell with the tag `further` is left out of a first reading; the others are the core. The cell
metadata `concepts` lists the numbers of the concepts of the day (notebooks/README.md) that a cell
teaches. Minutes are words / 150, half a minute a code cell, one a question, and 3, 5 or 8 an
exercise of one, two or three stars.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import nbformat
from nbformat import NotebookNode

from tools.learner_copies import asks, lessons

WORDS_A_MINUTE = 150
EXERCISE = re.compile(r"^#+ Exercise [\d.]+ (★{1,3})", flags=re.MULTILINE)
EXERCISE_MINUTES = {1: 3, 2: 5, 3: 8}
BY_HAND = re.compile(
    r"\.(plot|scatter|hist|bar|barh|step|stem|vlines|hlines|axhline|axvline|axline|fill_between"
    r"|fill_betweenx|errorbar|imshow|matshow|boxplot|semilogx|loglog)\("
)


def is_further(cell: NotebookNode) -> bool:
    return "further" in cell.metadata.get("tags", [])


def core(cells: Iterable[NotebookNode]) -> list[NotebookNode]:
    """The cells that a first reading needs."""
    return [cell for cell in cells if not is_further(cell)]


def minutes(cells: Iterable[NotebookNode]) -> float:
    """How long cells take to read, to run and to answer."""
    total = 0.0
    for cell in cells:
        if cell.cell_type == "code":
            total += 0.5
        else:
            stars = (len(found) for found in EXERCISE.findall(cell.source))
            total += len(cell.source.split()) / WORDS_A_MINUTE + asks(cell)
            total += sum(EXERCISE_MINUTES[count] for count in stars)
    return total


def rounded(needed: float) -> int:
    """Minutes as a lesson promises them, in steps of five."""
    return 5 * round(needed / 5)


def promise(cells: list[NotebookNode]) -> str:
    """The line of minutes below a lesson's title."""
    first, whole = rounded(minutes(core(cells))), rounded(minutes(cells))
    further = "" if whole == first else f"; {whole} with what is further"
    return f"*{first} minutes{further}*"


def concepts(cells: Iterable[NotebookNode]) -> set[int]:
    """The concepts of the day that cells teach."""
    return {number for cell in cells for number in cell.metadata.get("concepts", [])}


def drawn_by_hand(cells: Iterable[NotebookNode]) -> int:
    """Lines of the code cells that call Matplotlib's drawing methods themselves."""
    return sum(
        len(cell.source.splitlines())
        for cell in cells
        if cell.cell_type == "code" and BY_HAND.search(cell.source)
    )


def main() -> None:
    print("lesson  core  whole  drawn by hand  concepts of the core")
    for path in lessons():
        cells = nbformat.read(path, as_version=4).cells
        taught = ", ".join(map(str, sorted(concepts(core(cells)))))
        print(
            f"{path.name[:2]}      {minutes(core(cells)):4.0f}  {minutes(cells):5.0f}"
            f"  {drawn_by_hand(cells):13}  {taught}"
        )


if __name__ == "__main__":
    main()
