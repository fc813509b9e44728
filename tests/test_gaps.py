"""Before an exercise stands a line with two gaps, which the check compares as text."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import nbformat
import pytest

from glmmtools.course.check import lessons
from glmmtools.course.exercises.gaps import GAP, GAPS
from tests.notebook_hygiene import exercise

ROOT = Path(__file__).resolve().parents[1]


def filled(gaps, *fills: str) -> str:
    first, second, third = gaps.line.split(GAP)
    return f"{first}{fills[0]}{second}{fills[1]}{third}"


every = pytest.mark.parametrize("gaps", GAPS, ids=[each.id for each in GAPS])


def test_every_lesson_but_the_first_has_one():
    assert [each.id for each in GAPS] == [f"{number:02d}.g1" for number in lessons()[1:]]


@every
def test_it_stands_between_its_example_and_an_exercise_with_two_gaps_still_open(gaps):
    (path,) = (ROOT / "notebooks").glob(f"{gaps.id[:2]}-*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    i = next(i for i, cell in enumerate(cells) if f'check("{gaps.id}"' in cell.source)
    assert f"line = {gaps.line!r}".replace('"', "'") in cells[i].source.replace('"', "'")
    assert "not answered yet" in cells[i].outputs[0].text
    assert cells[i + 1].source.startswith("### Exercise")
    assert exercise(cells[i + 2])


@every
def test_what_belongs_into_the_gaps_stands_in_the_lesson_above(gaps):
    (path,) = (ROOT / "notebooks").glob(f"{gaps.id[:2]}-*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    i = next(i for i, cell in enumerate(cells) if cell.id == f"{gaps.id[:2]}-gaps")
    above = "".join(cell.source for cell in cells[:i]).lower()
    for fill, *_ in gaps.fills:
        assert fill.lower() in above or fill == "0.75"


@every
def test_the_right_fills_are_praised_however_they_are_spaced_and_quoted(gaps, reply):
    lines = [filled(gaps, *fills) for fills in itertools.product(*gaps.fills)]
    line = lines[0]
    for answer in (*lines, line.replace(" ", ""), line.replace('"', "'"), f" {line} "):
        assert reply(gaps.id, answer) == f"✓ Right. {gaps.because}"


@every
def test_a_wrong_fill_gets_its_hint_and_the_place_of_its_gap(gaps, reply):
    assert len(gaps.slips) >= 2
    for slip, hint in gaps.slips.items():
        told = {reply(gaps.id, filled(gaps, slip, gaps.fills[1][0]))}
        told |= {reply(gaps.id, filled(gaps, gaps.fills[0][0], slip))}
        places = ("first", "second")
        wrong = {f"✗ Not yet the {place} gap. {hint}" for place in places}
        assert told & wrong
        assert told <= wrong | {f"✓ Right. {gaps.because}"}
    other = reply(gaps.id, filled(gaps, "something", gaps.fills[1][0]))
    assert other == f"✗ Not yet the first gap. {gaps.hint}"


@every
def test_a_hint_does_not_name_what_belongs_into_the_gap(gaps):
    for text in (gaps.hint, *gaps.slips.values()):
        for fill in itertools.chain(*gaps.fills):
            assert not re.search(rf"\b{re.escape(fill)}\b", text) or len(fill) < 6, (fill, text)


@every
def test_open_gaps_are_not_answered_and_anything_else_is_met_with_the_line(gaps, reply):
    for answer in (gaps.line, filled(gaps, gaps.fills[0][0], GAP), ...):
        assert "not answered yet" in reply(gaps.id, answer)
    said = f"✗ The answer to {gaps.id} is this line with its gaps filled"
    assert reply(gaps.id, "y ~ x") == f"{said}: {gaps.line}"
    for answer in (1, None, [], json.loads):
        assert reply(gaps.id, answer) == f"{said} and its quotes kept: {gaps.line}"


@every
def test_a_right_name_with_a_wrong_capital_is_not_called_the_wrong_name(gaps, reply):
    for place, fill in zip(("first", "second"), (0, 1), strict=True):
        fills = [one[0] for one in gaps.fills]
        if not fills[fill].islower() or fills[fill].upper() in gaps.slips:
            continue  # a number, or a slip with a hint of its own
        fills[fill] = fills[fill].upper()
        said = reply(gaps.id, filled(gaps, *fills))
        assert said == f"✗ Not yet the {place} gap. Capital and small letters count in names."
