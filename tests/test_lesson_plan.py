"""The cores of the lessons are the one-day course: they hold its concepts and keep to its time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.environments import course_that_is_set_up
from tools import execute_notebooks
from tools.learner_copies import asks, core, is_further, lessons
from tools.lesson_plan import (
    WRITTEN,
    concepts,
    drawn_by_hand,
    minutes,
    plan,
    with_clocks,
    with_minutes,
)

ROOT = Path(__file__).resolve().parents[1]
CELLS = {path.name[:2]: nbformat.read(path, as_version=4).cells for path in lessons()}
THE_DAY = [f"{number:02d}" for number in range(1, 13)]
DAY_MINUTES = 390
CONCEPTS = set(range(1, 23))
BY_HAND = 150  # lines


def test_the_cores_of_the_day_take_six_and_a_half_hours_at_most():
    taken = {number: round(minutes(core(CELLS[number]))) for number in THE_DAY}
    assert sum(minutes(core(CELLS[number])) for number in THE_DAY) <= DAY_MINUTES, taken


def test_the_cores_of_the_day_teach_every_concept_of_it():
    taught = {number: concepts(core(CELLS[number])) for number in THE_DAY}
    assert set().union(*taught.values()) == CONCEPTS, taught


def test_only_cores_name_the_concepts_that_they_teach_and_only_those_of_the_list():
    for number, cells in CELLS.items():
        named = concepts(cells)
        assert named <= CONCEPTS, number
        assert concepts(cell for cell in cells if is_further(cell)) == set(), number


def test_lessons_draw_by_the_package_and_by_seaborn_and_seldom_by_hand():
    lines = {number: drawn_by_hand(cells) for number, cells in CELLS.items()}
    assert sum(lines.values()) < BY_HAND, lines


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_the_minutes_of_index_and_clocks_are_those_of_today(page):
    text = page.read_text(encoding="utf-8")
    assert WRITTEN[page](text) == text, "run: python -m tools.lesson_plan --write"


INDEX = (
    "| [05 · Fit](05-fit-a-glmm.ipynb) | 1 | 2 | 01 | fit |\n| [99 · No](99.ipynb) | 1 | 2 | |\n"
)
TEACHING = """\
| clock | minutes | lesson | what of it |
|---|---:|---|---|
| 09:30 | 1 | 05, 06 | all |
| 10:00 | 15 | | break |
| 10:20 | 1 | 00 | all |
| 10:30 | | | end |
"""


def test_minutes_are_written_into_the_rows_of_the_index():
    first, whole = plan()["05-fit-a-glmm.ipynb"]
    written = with_minutes(INDEX)
    assert f"(05-fit-a-glmm.ipynb) | {first} | {whole} | 01 | fit |" in written
    assert "(99.ipynb) | 1 | 2 | |" in written


def test_clocks_add_up_the_minutes_of_the_lessons_that_their_rows_name():
    takes = {name[:2]: first for name, (first, _) in plan().items()}
    both = takes["05"] + takes["06"]

    def clock(passed: int) -> str:
        return f"{(570 + passed) // 60:02d}:{(570 + passed) % 60:02d}"

    rows = with_clocks(TEACHING + "\n" + TEACHING).splitlines()
    assert rows[2:6] == [
        f"| 09:30 | {both} | 05, 06 | all |",
        f"| {clock(both)} | 15 | | break |",
        f"| {clock(both + 15)} | {takes['00']} | 00 | all |",
        f"| {clock(both + 15 + takes['00'])} | | | end |",
    ]
    assert rows[7:] == rows[:6]  # the second table begins at its own time


@pytest.fixture(scope="module")
def cores(tmp_path_factory) -> Path:
    """What `make learner ARGS=--core` makes."""
    course = course_that_is_set_up(tmp_path_factory.mktemp("a course"))
    subprocess.run(["make", "learner", "ARGS=--core"], cwd=course, check=True, capture_output=True)
    return course / "build" / "learner" / "notebooks"


def test_make_learner_lays_out_the_cores_alone(cores):
    left_out = 0
    for path in lessons():
        copy = nbformat.read(cores / path.name, as_version=4).cells
        cells = CELLS[path.name[:2]]
        assert [cell.id for cell in copy] == [cell.id for cell in core(cells)]
        assert sum(map(asks, copy)) == sum(map(asks, core(cells)))
        assert not any(cell.get("outputs") for cell in copy)
        left_out += len(cells) - len(copy)
    assert left_out > 0
    assert (cores / "glossary.ipynb").exists()


def texts(cell: nbformat.NotebookNode) -> list[dict]:
    """What a code cell shows, but for pictures and counts."""
    return [
        {"text": output.get("text"), "name": output.get("name")}
        | {kind: v for kind, v in output.get("data", {}).items() if kind.startswith("text/")}
        for output in cell.get("outputs", [])
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_the_core_of_a_lesson_runs_alone_and_shows_what_it_shows_in_the_whole(path):
    execute_notebooks.set_environment()
    alone, _ = execute_notebooks.execute(path, core)
    stored = core(nbformat.read(path, as_version=4).cells)
    assert [cell.id for cell in alone.cells] == [cell.id for cell in stored]
    for cell, before in zip(alone.cells, stored, strict=True):
        assert texts(cell) == texts(before), cell.id


def test_the_plan_is_printed_for_every_lesson():
    command = [sys.executable, "-m", "tools.lesson_plan"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line[:2] for line in done.stdout.splitlines()[1:]] == list(CELLS)
