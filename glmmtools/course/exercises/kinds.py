"""The kinds of exercises: a number to compute, a letter to choose, a judgement to write.

An exercise says how its right answer is computed and which wrong answers are usual:

    Number("05.1", solution=lambda: ..., decimals=3, because="...", hint="...",
           slips=lambda: {...: "That is on the log-odds scale. ..."})
    Choice("05.4", right="c", replies={"a": "No: ...", "b": "No: ...", "c": "Because ..."})
    Judgement("04.6", points=("say ...?", "name ...?"), model=lambda: "We assumed ...")

A number is first compared with the right one, then with the right one at fewer decimals, then with
the slips of the exercise, and last with those that every exercise has (`_ANYWHERE`): no slip can
hide the truth. Nothing is computed before an answer is checked. Hints never give the answer away.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from functools import cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.special import logit

_IN_WORDS = ("a whole number", "one decimal", "two decimals", "three decimals")
_FEWEST_WORDS = 12  # of a judgement, before the model answer is shown

# what a right answer x becomes by a slip that any task allows, and what to say then
_ANYWHERE: tuple[tuple[Callable[[float], float], str], ...] = (
    (lambda x: -x, "The size is right and the sign is not. Which is taken from which?"),
    (lambda x: 100 * x, "That is 100 times too large. Is it in percent?"),
    (lambda x: x / 100, "That is 100 times too small. Is it a share where percent are asked for?"),
    (lambda x: 1 / x, "That looks like the reciprocal. Which of the two stands above the line?"),
    (
        lambda x: 1 - x if 0 < x < 1 else np.nan,
        "That looks like the rest to 1: the other outcome, or the part lost.",
    ),
    (np.square, "That looks like the square: a variance for a standard deviation?"),
    (np.sqrt, "That looks like the square root: a standard deviation for a variance?"),
    (np.log, "That looks like the logarithm, on the link scale. Take the exponential."),
    (logit, "That looks like log-odds. Apply the inverse link."),
)
_PERCENT = (
    "That looks like the change in percent. Give the factor, which is 1 where nothing changes."
)
# and a factor x, which a reader of newspapers writes as a change
_OF_A_FACTOR: tuple[tuple[Callable[[float], float], str], ...] = (
    (lambda x: x - 1, "That looks like the change. Give the factor, which is 1 more."),
    (lambda x: 1 - x, "That looks like the part lost. The factor is what remains."),
    (lambda x: 100 * (x - 1), _PERCENT),
    (lambda x: 100 * (1 - x), _PERCENT),
)


@dataclass(frozen=True, eq=False)
class Exercise(ABC):
    """One exercise: its name, and a judge of answers."""

    id: str

    @abstractmethod
    def judge(self, answer: Any) -> tuple[bool, str]:
        """Whether `answer` is right, and what to say; whatever the answer is, no error."""


@dataclass(frozen=True, eq=False)
class Number(Exercise):
    """An exercise whose answer is one number.

    Attributes
    ----------
    solution : callable
        Computes the right answer.
    decimals : int
        Decimals that the task asks for. An answer is right if it is the right one rounded to them,
        or nearer; a hundredth of that is added for the last digits of an optimiser.
    because : str
        What to say beside a right answer: the reason, in one or two sentences.
    hint : str
        What to say to a wrong answer that is none of the slips.
    slips : callable
        Computes the usual wrong answers, each the key of its hint. A wrong sign, percent, a
        reciprocal and the like need no words here: every exercise knows them.
    is_factor : bool
        Whether the answer is a factor: then a change, and a change in percent, are slips too.
    """

    _: KW_ONLY
    solution: Callable[[], float]
    decimals: int
    because: str
    hint: str
    slips: Callable[[], dict[float, str]] = dict
    is_factor: bool = False

    def __post_init__(self) -> None:
        """Compute once what several answers are compared with: it may take fits."""
        for name in ("solution", "slips"):
            object.__setattr__(self, name, cache(getattr(self, name)))

    @property
    def unit(self) -> float:
        """Of the last decimal that the task asks for."""
        return 10.0**-self.decimals

    @property
    def tolerance(self) -> float:
        return 0.505 * self.unit if self.decimals else 1e-9

    def judge(self, answer: Any) -> tuple[bool, str]:
        value = _as_number(answer, self.decimals)
        if isinstance(value, str):
            return False, f"The answer to {self.id} is a number; {value}"
        right = float(self.solution())
        if abs(value - right) <= self.tolerance:
            return True, f"Right: {right:.{self.decimals}f}. {self.because}"
        if self._is_right_so_far(value, right):
            asked_for, written = _IN_WORDS[self.decimals], f"{value:.{self.decimals}f}"
            return False, f"Right so far. Give {asked_for}: {written} is not yet right."
        if slip := _nearest(value, self.slips(), self.decimals):
            return False, f"Not yet. {slip}"
        if self.decimals and abs(value - right) <= 5 * self.unit:
            start = "Close. If you rounded on the way, carry more decimals. If not:"
        elif slip := _nearest(value, _slips_anywhere(right, self.is_factor)):
            return False, f"Not yet. {slip}"
        elif value.is_integer() if self.decimals == 0 else not isinstance(answer, Integral):
            start = "Not yet."
        else:
            start = f"Not yet, and the task asks for {_IN_WORDS[self.decimals]}."
        return False, f"{start} {self.hint}"

    def _is_right_so_far(self, value: float, right: float) -> bool:
        """Whether `value` is the right number at fewer decimals than the task asks for.

        It may have been rounded twice: 0.1346 to 0.135, and that to 0.14.
        """
        coarsest = 0 if abs(right) >= 1 else 1  # the 1 of 0.62 is no part of it
        places = max(coarsest, _places(value))
        near = min(abs(value - right), abs(value - round(right, self.decimals)))
        return value != 0 and places < self.decimals and near <= _half_a_unit(places)


@dataclass(frozen=True, eq=False)
class Choice(Exercise):
    """An exercise whose answer is one letter.

    Attributes
    ----------
    right : str
        The right letter.
    replies : dict of str
        For every letter the reason why it is right or wrong.
    """

    _: KW_ONLY
    right: str
    replies: dict[str, str]

    def judge(self, answer: Any) -> tuple[bool, str]:
        letter = answer.strip().strip("().").lower() if isinstance(answer, str) else None
        if letter not in self.replies:
            letters = ", ".join(f'"{option}"' for option in self.replies)
            return False, f"The answer to {self.id} is one of the letters {letters}, in quotes."
        if letter == self.right:
            return True, f"Right: {letter}. {self.replies[letter]}"
        return False, f"Not {letter}. {self.replies[letter]}"


@dataclass(frozen=True, eq=False)
class Judgement(Exercise):
    """An exercise whose answer is a text, which no program can judge.

    After the learner has written, she sees what to look for in it, and one good answer.

    Attributes
    ----------
    points : tuple of str
        What to look for, each the rest of a question that begins "Does it".
    model : callable
        Writes one good answer.
    """

    _: KW_ONLY
    points: tuple[str, ...]
    model: Callable[[], str]

    def judge(self, answer: Any) -> tuple[bool, str]:
        if not isinstance(answer, str):
            return False, f"The answer to {self.id} is a text of your own, in quotes."
        if len(answer.split()) < _FEWEST_WORDS:
            return False, (
                f"The answer to {self.id} is a text: write two or three sentences, and then see "
                "what to look for in them."
            )
        points = "\n".join(f"  {i}. {point}" for i, point in enumerate(self.points, start=1))
        return True, (
            "Written. No program can judge a text: hold yours against these points. Does it\n"
            f"{points}\nOne good answer: {self.model()}"
        )


def _slips_anywhere(right: float, is_factor: bool) -> dict[float, str]:
    known = (*_ANYWHERE, *_OF_A_FACTOR) if is_factor else _ANYWHERE
    with np.errstate(all="ignore"):
        slips = {float(slip(right)): text for slip, text in known}
    return {slip: text for slip, text in slips.items() if np.isfinite(slip)}


def _nearest(value: float, slips: dict[float, str], decimals: int | None = None) -> str | None:
    """What to say if `value` is one of the slips, as it is written or rounded to `decimals`."""
    near = [slip for slip in slips if abs(value - slip) <= _width(value, slip, decimals)]
    return slips[min(near, key=lambda slip: abs(slip - value))] if near else None


def _width(value: float, slip: float, decimals: int | None) -> float:
    """How far `value` may lie from a slip that it is."""
    places = _places(value)
    optimiser = 2e-4 * abs(slip)
    if 10.0**-places <= abs(slip) / 10:
        return max(_half_a_unit(places), optimiser)
    # a number with a single digit says too little, unless the task asks for no more
    if decimals is None or value == 0:
        return optimiser
    return max(_half_a_unit(max(places, decimals)), optimiser)


def _half_a_unit(places: int) -> float:
    return 0.5 * 10.0**-places * (1 + 1e-6)


def _places(value: float) -> int:
    """How many decimals a number is written with, 15 at most.

    >>> _places(0.25), _places(3.0), _places(float(np.float32(0.52)))
    (2, 0, 2)
    """
    near = 1e-7 * abs(value)  # as near as a float32 is to what was meant
    return next((k for k in range(15) if abs(value - round(value, k)) <= near), 15)


def _as_number(answer: Any, decimals: int) -> float | str:
    """The answer as a float, or the rest of a sentence that says what it is instead."""
    if isinstance(answer, str):
        return _as_written(answer, decimals)
    if told := _with_a_decimal_comma(answer, decimals):
        return told
    if answer is None:
        return "this is None. Does the line print it, and return nothing?"
    if isinstance(answer, (bool, np.bool_)):
        return f"this is {answer}, a truth value."
    if not isinstance(answer, (Real, Decimal)):
        return _the_only_one(answer, decimals)
    try:
        value = float(answer)
    except (OverflowError, TypeError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        return f"this is {in_short(answer)}. Did a step before it go wrong?"
    return value


def _the_only_one(answer: Any, decimals: int) -> float | str:
    """The number in a list, an array or a table of one."""
    try:
        values = np.asarray(answer)
    except Exception:  # whatever a learner's object does, the check answers
        values = np.empty(0, object)
    if values.size > 1:
        return f"this holds {values.size} values. Pick the one that is asked for."
    is_held = values.ndim > 0 or isinstance(answer, np.ndarray)
    if values.size == 1 and is_held and values.dtype.kind in "biufOU":
        return _as_number(values.ravel().tolist()[0], decimals)
    if inspect.isroutine(answer):
        return f"this is the function {answer.__name__}. Are its parentheses missing?"
    return f"this is of type {type(answer).__name__}. Take the number from it that is asked for."


def _as_written(text: str, decimals: int) -> float | str:
    """The number that a text says, with a point, a comma or a stroke.

    >>> _as_written(" 0,25", 2), _as_written("1/4", 2), _as_written("6,147", 0)
    (0.25, 0.25, 6147.0)
    """
    number = text.replace("−", "-").replace(",", "." if decimals else "")
    above, stroke, below = number.partition("/")
    try:
        value = float(above) / (float(below) if stroke else 1.0)
    except (ValueError, ZeroDivisionError):
        value = float("nan")
    return value if np.isfinite(value) else "this is text. Write the number alone, without quotes."


def _with_a_decimal_comma(answer: Any, decimals: int) -> str:
    """What to say to 0,25, which Python reads as the two numbers 0 and 25; else nothing."""
    is_pair = isinstance(answer, tuple) and [type(part) for part in answer] == [int, int]
    if not is_pair or answer[1] < 0:
        return ""
    if decimals == 0:
        return f"in Python it has no comma: {answer[0]}{answer[1]}."
    return f"in Python its decimals follow a point: {answer[0]}.{answer[1]}."


def in_short(value: Any) -> str:
    """A value as Python writes it, where that is short; else its type."""
    text = f"{value!r}"
    is_short = len(text) <= 40 and "\n" not in text
    return text if is_short else f"a value of type {type(value).__name__}"
