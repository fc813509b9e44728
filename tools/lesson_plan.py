"""What of each lesson is its core, how long core and whole take, which concepts it teaches.

    python -m tools.lesson_plan [--write]

A cell with the tag `further` is left out of a first reading; the others are the core. The cell
metadata `concepts` lists the numbers of the concepts of the day (notebooks/README.md) that a cell
teaches. Minutes are words / 150, half a minute a code cell, one a question, and 3, 5 or 8 an
exercise of one, two or three stars. `--write` puts them into the index (notebooks/README.md) and
into the clocks of TEACHING.md.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable

import nbformat
from nbformat import NotebookNode

from tools.learner_copies import ROOT, asks, core, lessons

WORDS_A_MINUTE = 150
EXERCISE = re.compile(r"^#+ Exercise [\d.]+ (★{1,3})", flags=re.MULTILINE)
EXERCISE_MINUTES = {1: 3, 2: 5, 3: 8}
BY_HAND = re.compile(
    r"\.(plot|scatter|hist|bar|barh|step|stem|vlines|hlines|axhline|axvline|axline|fill_between"
    r"|fill_betweenx|errorbar|imshow|matshow|boxplot|semilogx|loglog)\("
)


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


def plan() -> dict[str, tuple[int, int]]:
    """For each lesson the minutes of its core and of the whole, as it promises them."""
    read = {path.name: nbformat.read(path, as_version=4).cells for path in lessons()}
    return {
        name: (rounded(minutes(core(cells))), rounded(minutes(cells)))
        for name, cells in read.items()
    }


def with_minutes(index: str) -> str:
    """The index of the lessons with the minutes of today."""
    for name, (first, whole) in plan().items():
        row = re.compile(rf"^(\| \[[^]]+\]\({re.escape(name)}\)) \| \d* \| \d* \|", re.MULTILINE)
        index = row.sub(rf"\1 | {first} | {whole} |", index)
    return index


CLOCK = re.compile(r"^\| (\d\d):(\d\d) \| ((?:\d+ )?)\| ((?:\d\d[\d, ]* )?)\|", re.MULTILINE)


def with_clocks(teaching: str) -> str:
    """The page for teachers with clocks that follow the minutes of the cores.

    A row takes the minutes of the lessons that it names, any other row (a break) keeps its own;
    each row begins where the one before ends, and a table where its first row does.
    """
    takes = {name[:2]: first for name, (first, _) in plan().items()}
    now = 0

    def moved(row: re.Match[str]) -> str:
        nonlocal now
        hour, minute, length, named = row.groups()
        if row.string[: row.start()].endswith("---|\n"):
            now = 60 * int(hour) + int(minute)
        begin = f"{now // 60:02d}:{now % 60:02d}"
        of = re.findall(r"\d\d", named)
        length = f"{sum(takes[lesson] for lesson in of)} " if of else length
        now += int(length or 0)
        return f"| {begin} | {length}| {named}|"

    return CLOCK.sub(moved, teaching)


WRITTEN = {ROOT / "notebooks" / "README.md": with_minutes, ROOT / "TEACHING.md": with_clocks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into the index and the clocks")
    if parser.parse_args().write:
        for path, change in WRITTEN.items():
            path.write_text(change(path.read_text("utf-8")), encoding="utf-8", newline="\n")
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
