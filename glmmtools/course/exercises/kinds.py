"""The kinds of exercises: a number to compute, a letter to choose.

An exercise says how its right answer is computed and which wrong answers are usual:

    Number("05.1", solution=lambda: ..., decimals=3, because="...", hint="...",
           slips=lambda: {...: "That is on the log-odds scale. ..."})
    Choice("05.4", right="c", replies={"a": "No: ...", "b": "No: ...", "c": "Because ..."})

Nothing is computed before an answer is checked. Hints never give the answer away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any

import numpy as np


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
        Decimals that the task asks for. An answer is right within one unit of the last of them, so
        that rounding on the way does no harm.
    because : str
        What to say beside a right answer: the reason, in one or two sentences.
    hint : str
        What to say to a wrong answer that is none of the slips.
    slips : callable
        Computes the usual wrong answers, each the key of its hint.
    """

    _: KW_ONLY
    solution: Callable[[], float]
    decimals: int
    because: str
    hint: str
    slips: Callable[[], dict[float, str]] = dict

    @property
    def tolerance(self) -> float:
        return 10.0**-self.decimals * (1 + 1e-9) if self.decimals else 1e-9

    def judge(self, answer: Any) -> tuple[bool, str]:
        value = _as_number(answer)
        if isinstance(value, str):
            return False, f"The answer to {self.id} is a number; {value}"
        right = float(self.solution())
        if abs(value - right) <= self.tolerance:
            return True, f"Right: {right:.{self.decimals}f}. {self.because}"
        for slip, hint in self.slips().items():
            # a value 100 times too large, such as a percentage, is rounded 100 times more coarsely
            coarser = max(1.0, abs(slip) / max(abs(right), self.tolerance))
            if abs(value - slip) <= max(self.tolerance * coarser, 0.01 * abs(slip)):
                return False, f"Not yet. {hint}"
        start = "Not yet."
        if abs(value - right) <= 5 * self.tolerance:
            start = "Close. If you rounded on the way, carry more decimals. If not:"
        return False, f"{start} {self.hint}"


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


def _as_number(answer: Any) -> float | str:
    """The answer as a float, or the rest of a sentence that says what it is instead."""
    if isinstance(answer, str):
        return "this is text. Write it without quotes."
    if answer is None:
        return "this is None. Does the line print it, and return nothing?"
    if isinstance(answer, (bool, np.bool_)):
        return f"this is {answer}, a truth value."
    if not isinstance(answer, Real):
        try:
            values = np.asarray(answer)
        except Exception:  # whatever a learner's object does, the check answers
            values = np.empty(0, object)
        if values.size > 1:
            return f"this holds {values.size} values. Pick the one that is asked for."
        if values.size == 0 or values.dtype.kind not in "iuf":
            return f"this is of type {type(answer).__name__}."
        answer = values.item()
    try:
        value = float(answer)
    except (OverflowError, TypeError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        return f"this is {in_short(answer)}. Did a step before it go wrong?"
    return value


def in_short(value: Any) -> str:
    """A value as Python writes it, where that is short; else its type."""
    text = f"{value!r}"
    return text if len(text) <= 40 and "\n" not in text else f"a {type(value).__name__}"
