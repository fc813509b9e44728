"""Each lesson begins with three questions on the one before, which the check answers."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from glmmtools.course.check import lessons
from glmmtools.course.exercises.kinds import Choice
from glmmtools.course.exercises.recall import QUESTIONS
from tools.learner_copies import asks

ROOT = Path(__file__).resolve().parents[1]
LATER = [number for number in lessons() if number > 0]
OPTION = re.compile(r"^   - \*\*([a-z])\*\* (.+)$", flags=re.MULTILINE)


def questions_of(lesson: int) -> list[Choice]:
    return [each for each in QUESTIONS if each.id.startswith(f"{lesson:02d}.")]


def first_cells(lesson: int) -> list[nbformat.NotebookNode]:
    (path,) = (ROOT / "notebooks").glob(f"{lesson:02d}-*.ipynb")
    return nbformat.read(path, as_version=4).cells[1:4]


def options(lesson: int) -> list[dict[str, str]]:
    """The options of each question, as the lesson words them."""
    asked = re.split(r"^\d\. ", first_cells(lesson)[0].source, flags=re.MULTILINE)[1:]
    return [dict(OPTION.findall(text)) for text in asked]


@pytest.mark.parametrize("lesson", LATER)
def test_a_lesson_asks_three_questions_on_the_one_before_and_checks_them(lesson):
    text, code, after = first_cells(lesson)
    assert asks(text)
    assert text.source.startswith(f"## Three questions on lesson {lesson - 1:02d}\n")
    asked = re.findall(r'gt\.check\("(\S+)", \.\.\.\)', code.source)
    assert asked == [f"{lesson:02d}.r{i}" for i in (1, 2, 3)]
    assert asked == [each.id for each in questions_of(lesson)]
    assert code.outputs[0].text.count("not answered yet") == 3
    assert after.source.startswith("## ")  # else copies would fold it as the reading of answers


@pytest.mark.parametrize("lesson", LATER)
def test_a_lesson_runs_for_who_skips_its_questions(lesson):
    (path,) = (ROOT / "notebooks").glob(f"{lesson:02d}-*.ipynb")
    _, *others = (c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code")
    first_use = next(cell.source for cell in others if "gt." in cell.source)
    assert "import glmmtools as gt\n" in first_use


@pytest.mark.parametrize("lesson", LATER)
def test_every_option_of_a_question_has_its_reason(lesson, reply):
    for question, offered in zip(questions_of(lesson), options(lesson), strict=True):
        assert list(offered) == list(question.replies) == ["a", "b", "c"]
        assert len({*question.replies.values()}) == 3
        for letter, reason in question.replies.items():
            sign = "✓ Right: " if letter == question.right else "✗ Not "
            assert reply(question.id, letter) == f"{sign}{letter}. {reason}"


def test_neither_the_letter_nor_the_length_gives_a_right_answer_away():
    assert len(QUESTIONS) == 3 * len(LATER)
    assert {*Counter(each.right for each in QUESTIONS).values()} == {len(LATER)}
    longest = 0
    for lesson in LATER:
        for question, offered in zip(questions_of(lesson), options(lesson), strict=True):
            lengths = {letter: len(text) for letter, text in offered.items()}
            longest += lengths[question.right] == max(lengths.values())
    assert longest <= len(LATER)


def test_the_check_names_the_questions_that_there_are(reply):
    assert reply("5.r1") == reply("05.r1")
    assert "not answered yet" in reply("05.r1")
    assert reply("05.r9", "a").endswith("05.r1, 05.r2, 05.r3, 05.g1.")
    assert reply("00.r1", "a").startswith("✗ There is no exercise 00.r1.")
