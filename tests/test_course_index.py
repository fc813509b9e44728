"""The pages that list the lessons agree with the lessons."""

from __future__ import annotations

import re
from pathlib import Path

from glmmtools.course.check import exercises_of, lessons
from tests.notebook_hygiene import Notebook

ROOT = Path(__file__).resolve().parents[1]
LESSONS = {path.name[:2]: Notebook.read(path) for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
INDEX = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
TEACHING = (ROOT / "TEACHING.md").read_text(encoding="utf-8")


def title(lesson: Notebook) -> str:
    return lesson.cells[0].source.splitlines()[0].removeprefix("# ")


def test_the_index_lists_every_lesson_with_its_title_and_its_minutes():
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\) \| (\d+) \| (\d+) \|", INDEX, flags=re.MULTILINE)
    promised = {}
    for lesson in LESSONS.values():
        first, further = re.search(
            r"^\*(\d+) minutes(?:; (\d+) with)?", lesson.cells[0].source, flags=re.MULTILINE
        ).groups()
        promised[lesson.name] = (title(lesson), first, further or first)
    stated = {name: (text, first, whole) for text, name, first, whole in rows}
    assert stated == promised, "run: python -m tools.lesson_plan --write"


def test_every_concept_of_the_day_comes_back_in_an_exercise_that_exists():
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \| (.*) \|$", INDEX, flags=re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, 23))
    existing = {each.id for number in lessons() for each in exercises_of(number)}
    for number, taught, exercises in rows:
        assert set(taught.split(", ")) <= LESSONS.keys(), number
        assert exercises and set(exercises.split(", ")) <= existing, number


def test_every_exercise_that_the_index_names_exists():
    existing = {each.id for number in lessons() for each in exercises_of(number)}
    assert set(re.findall(r"\b\d\d\.\d\b", INDEX)) <= existing


def test_teaching_has_aim_misconceptions_and_a_skip_for_every_lesson():
    sections = re.split(r"^### ", TEACHING, flags=re.MULTILINE)[1:]
    assert [text.splitlines()[0] for text in sections] == [
        title(LESSONS[number]) for number in sorted(LESSONS)
    ]
    for text in sections:
        assert all(f"**{part}.**" in text for part in ("Aim", "Listen for", "Late")), text[:30]


def lessons_of(cut: str) -> list[str]:
    """The lessons that the clock of a cut names, in order."""
    table = re.split(rf"^## {cut}$", TEACHING, flags=re.MULTILINE)[1].split("\n## ")[0]
    rows = re.findall(r"^\| \d\d:\d\d \| \d+ \| ([\d, ]+) \|", table, flags=re.MULTILINE)
    return [number for row in rows for number in row.split(", ")]


def test_the_day_is_the_core_of_every_lesson_to_the_twelfth_and_half_a_day_a_part_of_it():
    day = [f"{number:02d}" for number in range(13)]
    assert lessons_of("One day") == day
    half = lessons_of("Half a day")
    assert half == sorted(set(half) & set(day))
    assert len(half) > 4


def test_the_table_of_the_data_names_the_lessons_that_load_each_set():
    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| \[(\w+)\]\(#\w+\) \|.*\| ([\d, ]+) \|$", page, re.MULTILINE))
    used: dict[str, list[str]] = {}
    for number, lesson in sorted(LESSONS.items()):
        texts = "\n".join(cell.source for cell in lesson.cells)
        for name in stated:
            if f'load_data("{name}")' in texts or f"`{name}`" in texts:
                used.setdefault(name, []).append(number)
    assert {name: ", ".join(numbers) for name, numbers in used.items()} == stated
