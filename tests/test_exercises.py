"""`check` knows the right answers, the usual slips and nonsense, and answers each in one line."""

import ast
import json
import math
import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from glmmtools.course import exercises
from glmmtools.course.check import check, exercises_of, lessons
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Judgement, Number
from tests.notebook_hygiene import Notebook, printed
from tests.notebook_hygiene import exercise as written_exercise

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = json.loads((ROOT / "tests" / "reference" / "models.json").read_text(encoding="utf-8"))
MODELS = {each["id"]: each for each in REFERENCE}

ALL = [exercise for lesson in lessons() for exercise in exercises_of(lesson)]
NUMBERS = [each for each in ALL if isinstance(each, Number)]
CHOICES = [each for each in ALL if isinstance(each, Choice)]
JUDGEMENTS = [each for each in ALL if isinstance(each, Judgement)]

NONSENSE = [
    "half", "", "...", "many", "0.5 kg", "50 %", "1/0", "nan", None, True, np.True_, math.nan,
    math.inf, -math.inf, 10**400, 1 + 2j,
    [], [0.5, 0.5], [[1], [1, 2]], {}, {"a": 1}, {1, 2}, len, object(), pd.NA, pd.NaT, b"0.5",
    np.array(["a"]), np.zeros(3), pd.Series(dtype=float), pd.DataFrame({"a": [1, 2]}),
    pd.Series(pd.to_datetime(["2026-01-01"])), np.array([None]), [True], Decimal("nan"),
]  # fmt: skip


def named(exercises):
    return pytest.mark.parametrize("exercise", exercises, ids=[each.id for each in exercises])


# ---- every exercise ------------------------------------------------------------------------------


@named([*NUMBERS, *CHOICES])
def test_the_right_answer_is_praised_with_its_reason(exercise, reply):
    answer = exercise.solution() if isinstance(exercise, Number) else exercise.right
    reason = exercise.because if isinstance(exercise, Number) else exercise.replies[answer]
    assert reply(exercise.id, answer).startswith("✓ Right: ")
    assert reply(exercise.id, answer).endswith(reason)


@named(ALL)
def test_an_exercise_without_answer_says_so(exercise, reply):
    for answer in ([], [...], ["..."], [""]):
        assert "not answered yet" in reply(exercise.id, *answer)


@named(CHOICES)
def test_an_open_choice_asks_for_a_letter_in_quotes(exercise, reply):
    assert "replace the ... by a letter in quotes" in reply(exercise.id, ...)


@named(ALL)
def test_in_a_notebook_a_reply_is_in_lines_that_jupyterlab_need_not_break(
    exercise, capsys, monkeypatch
):
    answers = list(exercise.replies) if isinstance(exercise, Choice) else ["a text " * 12, 1e9]
    for answer in answers:
        told = []
        for attended in (False, True):
            monkeypatch.setattr(
                "glmmtools.course.check.in_attended_notebook", lambda attended=attended: attended
            )
            check(exercise.id, answer)
            told.append(capsys.readouterr().out)
        assert told[0].split() == told[1].split()
        assert max(map(len, told[1].splitlines())) <= 88


@named(ALL)
def test_nonsense_gets_a_sentence_and_no_error(exercise, reply):
    for answer in NONSENSE:
        text = reply(exercise.id, answer)
        assert text.startswith(f"✗ The answer to {exercise.id} is ") or "not answered yet" in text


@named(NUMBERS)
def test_the_right_answer_may_be_rounded_as_asked_and_come_in_any_numeric_type(exercise, reply):
    right = float(exercise.solution())
    rounded = round(right, exercise.decimals)
    for answer in (
        rounded,
        np.float64(right),
        np.array(right),
        np.array([right]),
        [right],
        pd.Series([right]),
        pd.Series([right], index=["a"], dtype=object),
        pd.DataFrame([[right]]),
        Decimal(f"{rounded:.{exercise.decimals}f}"),
        Fraction(right),
    ):
        assert reply(exercise.id, answer).startswith("✓ ")


@named(NUMBERS)
def test_the_right_answer_may_be_a_text_with_a_point_or_a_comma(exercise, reply):
    right = float(exercise.solution())
    written = f"{right:.{exercise.decimals}f}"
    for answer in (
        written,
        f" {written} ",
        written.replace(".", ","),
        written.replace("-", "−"),
        str(right),
    ):
        assert reply(exercise.id, answer).startswith("✓ ")


def test_what_holds_the_answer_is_not_the_answer(reply):
    numbers = pd.Series([1.0, 2.0])
    assert reply("04.3", numbers.mean).endswith("the function mean. Are its parentheses missing?")
    assert "holds 2 values. Pick the one" in reply("04.3", numbers)
    found = fit_to("cake", "angle ~ recipe").simulated_residuals().test_dispersion()
    assert "of type ResidualTest. Take the number from it" in reply("04.3", found)


def test_a_text_may_hold_a_fraction_and_a_comma_between_thousands(reply):
    assert reply("08.1", "32/50").startswith("✓ ")
    assert reply("13.1", "6,147").startswith("✓ ")


@pytest.mark.parametrize("value", [0.13, 0.14])
def test_a_number_that_was_rounded_twice_is_right_so_far(value, reply):
    assert reply("02.1", 0.135).startswith("✓ ")  # 0.1346
    assert reply("02.1", value).startswith("✗ Right so far.")


@named(NUMBERS)
def test_the_right_answer_at_fewer_decimals_is_right_so_far_whatever_the_slips_are(exercise, reply):
    right = float(exercise.solution())
    hints = [exercise.hint, *exercise.slips().values()]
    for decimals in range(0 if abs(right) >= 1 else 1, exercise.decimals):
        if round(right, decimals) == 0:
            assert "Right so far" not in reply(exercise.id, 0.0)
            continue
        text = reply(exercise.id, round(right, decimals))
        if abs(round(right, decimals) - right) <= exercise.tolerance:
            assert text.startswith("✓ Right: ")
        else:
            assert text.startswith("✗ Right so far. Give ")
            assert not any(hint in text for hint in hints)


@named(NUMBERS)
def test_a_usual_slip_gets_its_own_hint(exercise, reply):
    for value, hint in exercise.slips().items():
        assert reply(exercise.id, value) == f"✗ Not yet. {hint}"


@named(NUMBERS)
def test_no_slip_passes_when_it_is_rounded_as_asked(exercise, reply):
    for value in exercise.slips():
        assert reply(exercise.id, round(float(value), exercise.decimals)).startswith("✗ ")


@named(NUMBERS)
def test_a_decimal_comma_is_answered_with_how_python_writes_the_number(exercise, reply):
    whole, _, decimals = f"{exercise.solution():.{exercise.decimals}f}".partition(".")
    if not decimals:
        whole, decimals = whole[:-3] or "1", whole[-3:]  # a comma between thousands
    tells = f"{whole}.{decimals}" if exercise.decimals else whole + decimals
    if decimals != "0" and decimals.startswith("0"):
        return  # Python refuses to read 0,07
    text = reply(exercise.id, (int(whole), int(decimals)))
    assert text.startswith(f"✗ The answer to {exercise.id} is a number; in Python")
    assert text.endswith(f" {tells}.")


@pytest.mark.parametrize(
    ("slip", "value"),
    [
        ("sign", -0.5189), ("percent", 51.89), ("percent", 52), ("100 times too small", 0.00519),
        ("reciprocal", 1.927), ("rest to 1", 0.4811), ("square", 0.2693), ("square root", 0.7203),
        ("logarithm", -0.656), ("log-odds", 0.0756),
    ],
)  # fmt: skip
def test_slips_that_any_task_allows_are_known_to_every_exercise(slip, value):
    exercise = Number("99.1", solution=lambda: 0.5189, decimals=3, because="", hint="Think.")
    is_right, text = exercise.judge(value)
    assert not is_right
    assert text.startswith("Not yet. ")
    assert slip in text


@pytest.mark.parametrize("value", [-0.44, 0.44, -44, 44, -43.8])
def test_a_factor_may_be_taken_for_a_change(value):
    exercise = Number(
        "99.1", solution=lambda: 0.562, decimals=2, is_factor=True, because="", hint="Think."
    )
    is_right, text = exercise.judge(value)
    assert not is_right
    assert "factor" in text


def test_one_less_the_answer_is_the_rest_of_a_share_only():
    exercise = Number("99.1", solution=lambda: 4.4, decimals=1, because="", hint="Think.")
    assert exercise.judge(-3.4) == (False, "Not yet. Think.")


def test_a_slip_of_the_exercise_goes_before_one_that_any_task_allows():
    exercise = Number(
        "99.1", solution=lambda: 0.5189, decimals=3, because="", hint="Think.",
        slips=lambda: {1 / 0.5189: "Turn it over."},
    )  # fmt: skip
    assert exercise.judge(1 / 0.5189) == (False, "Not yet. Turn it over.")


def test_of_two_slips_that_a_number_may_be_the_nearer_is_named():
    exercise = Number(
        "99.1", solution=lambda: 0.5189, decimals=2, because="", hint="Think.",
        slips=lambda: {0.304: "Far.", 0.3001: "Near."},
    )  # fmt: skip
    assert exercise.judge(0.3) == (False, "Not yet. Near.")


def test_a_number_beside_a_slip_is_not_taken_for_it():
    exercise = Number(
        "99.1", solution=lambda: 4.4, decimals=1, because="", hint="Think.",
        slips=lambda: {0.00797: "The p-value.", 127.16: "All of them."},
    )  # fmt: skip
    for value in (0, 0.05, 0.1, 126.0, 128.2):
        assert exercise.judge(float(value)) == (False, "Not yet. Think.")


def test_a_whole_number_hears_how_many_decimals_the_task_asks_for():
    exercise = Number("99.1", solution=lambda: 0.62, decimals=2, because="", hint="Think.")
    assert exercise.judge(3) == (False, "Not yet, and the task asks for two decimals. Think.")
    whole = Number("99.1", solution=lambda: 56, decimals=0, because="", hint="Think.")
    assert whole.judge(61.3) == (False, "Not yet, and the task asks for a whole number. Think.")
    assert whole.judge(61.0) == (False, "Not yet. Think.")


def test_no_hint_is_lost_because_two_slips_give_the_same_number():
    written = 0
    for path in Path(exercises.__path__[0]).glob("lesson*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "slips":
                written += len(node.value.body.keys)
    assert sum(len(each.slips()) for each in NUMBERS) == written > 200


@named(NUMBERS)
def test_where_two_slips_are_one_number_as_asked_the_hint_fits_both(exercise):
    """Such a hint names both."""
    by_value = {}
    for value, hint in exercise.slips().items():
        by_value.setdefault(round(float(value), exercise.decimals), set()).add(hint)
    for value, hints in by_value.items():
        told = exercise.judge(value)[1].removeprefix("Not yet. ")
        assert len(hints) == 1 or " or " in told


@named(NUMBERS)
def test_any_other_number_gets_the_general_hint(exercise, reply):
    value = -12345.6 if exercise.decimals else -12345
    assert reply(exercise.id, value) == f"✗ Not yet. {exercise.hint}"


@named(NUMBERS)
def test_a_numeric_exercise_knows_two_slips_and_no_hint_gives_the_answer_away(exercise):
    assert len(exercise.slips()) >= 2
    answer = f"{exercise.solution():.{exercise.decimals}f}"
    assert not any(answer in text for text in [exercise.hint, *exercise.slips().values()])


@named(CHOICES)
def test_every_letter_of_a_choice_has_its_reason(exercise, reply):
    assert list(exercise.replies) == list("abcdefgh"[: len(exercise.replies)])
    assert len(set(exercise.replies.values())) == len(exercise.replies) >= 3
    for letter, reason in exercise.replies.items():
        sign = "✓ Right: " if letter == exercise.right else "✗ Not "
        for written in (letter, f" {letter.upper()} ", f"({letter})"):
            assert reply(exercise.id, written) == f"{sign}{letter}. {reason}"
    assert reply(exercise.id, "z").startswith("✗ The answer to")


def options(exercise):
    """The options of a choice, as its lesson's text shows them: letter and length."""
    (path,) = (ROOT / "notebooks").glob(f"{exercise.id[:2]}-*.ipynb")
    cells = Notebook.read(path).cells
    at = next(i for i, cell in enumerate(cells) if written_exercise(cell) == exercise.id)
    text = next(cell.source for cell in reversed(cells[:at]) if cell.cell_type == "markdown")
    found = re.findall(
        r"^- \*\*([a-h])\*\* (.*?)(?=\n- \*\*|\n\n|\Z)", text, re.DOTALL | re.MULTILINE
    )
    return {letter: len(" ".join(option.split())) for letter, option in found}


@named(CHOICES)
def test_the_options_of_a_lesson_are_those_that_the_check_knows(exercise):
    assert list(options(exercise)) == list(exercise.replies)


def test_right_letters_are_spread_evenly():
    offered = Counter(letter for each in CHOICES for letter in each.replies)
    right = Counter(each.right for each in CHOICES)
    for letter, times in offered.items():
        by_chance = sum(1 / len(each.replies) for each in CHOICES if letter in each.replies)
        assert right[letter] <= 1.25 * by_chance + 0.5
        if times == len(CHOICES):
            assert right[letter] >= 0.75 * by_chance - 0.5


def test_the_right_option_is_the_longest_no_more_often_than_by_chance_and_not_always_the_shortest():
    lengths = [(options(each), each.right) for each in CHOICES]
    by_chance = sum(1 / len(each) for each, _ in lengths)
    assert sum(each[right] == max(each.values()) for each, right in lengths) <= by_chance
    assert sum(each[right] == min(each.values()) for each, right in lengths) <= by_chance


def test_the_course_asks_for_judgement_in_three_lessons():
    assert len({each.id[:2] for each in JUDGEMENTS}) >= 3


@named(JUDGEMENTS)
def test_a_judgement_shows_what_to_look_for_and_a_good_answer_only_after_a_text(exercise, capsys):
    model = exercise.model()
    assert len(exercise.points) >= 3
    assert len(model.split()) > 30
    for too_short in ("Too few words.", "no " * 5, 5.0, None):
        check(exercise.id, too_short)
        printed = capsys.readouterr().out
        assert printed.startswith(f"✗ The answer to {exercise.id} is a text")
        assert model not in printed
    check(exercise.id, "We assume a distribution of the response, and we say why and for what.")
    printed = capsys.readouterr().out
    assert printed.startswith("✓ Written. No program can judge a text")
    assert all(point in printed for point in (*exercise.points, model))


def test_the_numbers_of_the_advice_on_oats_are_those_of_the_table_in_its_lesson():
    (advice,) = (each.model() for each in JUDGEMENTS if each.id == "09.6")
    cells = Notebook.read(ROOT / "notebooks" / "09-test-and-report.ipynb").cells
    table = next(printed(cell) for cell in cells if cell.id == "09-31c4fb3a")
    for pair in ("0.0 - 0.4", "0.4 - 0.6"):
        row = re.search(rf"{pair} +(\S+) +(\S+) +(\S+)", table)
        estimate, low, high = (float(number) for number in row.groups())
        text = f"{-estimate:.0f} (simultaneous 95 % interval {-high:.0f} to {-low:.0f})"
        assert text in advice


def test_ids_are_numbered_in_order_within_their_lesson():
    for lesson in lessons():
        ids = [each.id for each in exercises_of(lesson)]
        assert ids == [f"{lesson:02d}.{i}" for i in range(1, len(ids) + 1)]


# ---- the machinery -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id", ["05.99", "98.1", "", "five", 5.1, 5, None, ["05.1"], ..., np.zeros(99)]
)
def test_an_unknown_exercise_is_met_with_those_that_exist(id, reply):
    text = reply(id, 1)
    assert text.startswith("✗ ")
    assert "05" in text


def test_the_zero_in_front_of_an_id_may_be_left_out(reply):
    assert reply("5.1") == reply("05.1")


def test_nothing_is_computed_before_there_is_an_answer_to_compare():
    def solution():
        raise AssertionError("computed too early")

    exercise = Number("99.1", solution=solution, decimals=1, because="", hint="")
    assert exercise.judge("text")[0] is False
    with pytest.raises(AssertionError, match="too early"):
        exercise.judge(1.0)


def test_an_answer_that_may_have_been_rounded_on_the_way_hears_so_and_the_hint():
    exercise = Number("99.1", solution=lambda: 0.5, decimals=2, because="So.", hint="Think.")
    assert exercise.judge(0.505) == (True, "Right: 0.50. So.")
    close = "Close. If you rounded on the way, carry more decimals. If not: Think."
    assert exercise.judge(0.51) == exercise.judge(0.54) == (False, close)
    assert exercise.judge(0.6) == (False, "Not yet. Think.")


def test_a_slip_that_is_a_hundred_times_larger_may_be_rounded_more_coarsely():
    exercise = Number(
        "99.1", solution=lambda: 0.5189, decimals=3, because="", hint="",
        slips=lambda: {51.89: "Percent."},
    )  # fmt: skip
    assert exercise.judge(51.9) == (False, "Not yet. Percent.") == exercise.judge(52)


def test_whole_numbers_are_compared_exactly():
    exercise = Number("99.1", solution=lambda: 56, decimals=0, because="Yes.", hint="No.")
    assert exercise.judge(56) == (True, "Right: 56. Yes.")
    assert exercise.judge(55)[0] is False


# ---- against R -----------------------------------------------------------------------------------


def estimates(model_id):
    coefficients = MODELS[model_id]["coefficients"]
    return dict(zip(coefficients["names"], coefficients["estimate"], strict=True))


def test_the_answers_of_lesson_05_follow_from_rs_estimates():
    seeds, herds = estimates("seeds_binomial"), estimates("herds_binomial")
    sd = MODELS["herds_binomial"]["variance_components"][0]["sd"][0]
    expected = {
        "05.1": expit(sum(seeds.values())),
        "05.2": np.exp(seeds["extract[T.cucumber]"] + seeds["variety[T.Oa73]:extract[T.cucumber]"]),
        "05.3": expit(herds["Intercept"] + 1.96 * sd),
        "05.6": np.exp(herds["period[T.4]"] - herds["period[T.2]"]),
    }
    found = {each.id: each.solution() for each in exercises_of(5) if isinstance(each, Number)}
    assert found == pytest.approx(expected, rel=1e-4)


def literals(cell_id, notebook):
    """Values of the names that a notebook cell assigns literals to."""
    cells = nbformat.read(ROOT / "notebooks" / notebook, as_version=4).cells
    source = next(cell.source for cell in cells if cell.id == cell_id)
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            target = ast.unparse(node.targets[0]).strip("()")
            try:
                found[target] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def test_the_numbers_of_glmmtmb_that_lesson_05_shows_are_those_of_the_reference():
    shown, reference = literals("05-reference", "05-fit-a-glmm.ipynb"), MODELS["seeds_binomial"]
    coefficients = reference["coefficients"]
    pairs = zip(coefficients["estimate"], coefficients["se"], strict=True)
    rounded = [tuple(round(value, 4) for value in pair) for pair in pairs]
    assert shown["glmmtmb"] == dict(zip(coefficients["names"], rounded, strict=True))
    sd = reference["variance_components"][0]["sd"][0]
    assert shown["glmmtmb_sd, glmmtmb_loglik"] == (round(sd, 4), round(reference["llf"], 4))
    assert reference["source"] == "glmmTMB 1.1.5"
    lme4 = reference["checks"]["lme4"]
    assert lme4["source"] == "lme4 1.1.31"
    assert lme4["llf_at_its_optimum"] == pytest.approx(reference["llf"], abs=1e-6)
