"""The left side of a formula: a column, an expression, or successes out of trials."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from glmmtools.families.lookup import families_of_trials
from glmmtools.formula.brackets import inside_call, split_outside, unquoted
from glmmtools.formula.evaluation import numeric
from glmmtools.shared.text import listed, plural

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Response:
    """What is observed: as the formula writes it, and as numbers.

    Attributes
    ----------
    text : str
        The left side of the formula: ``"yield"``, ``"log(y)"``, ``"prop(sick, seen)"``.
    function : {"", "prop", "cbind"}
        Whether it is written as successes and trials, or as successes and failures.
    parts : tuple of str
        The expressions: one, or the two of ``prop()`` or ``cbind()``.
    y : ndarray, shape (n,), or None
        The values; numbers of successes for a family with trials. None before there are data.
    trials : ndarray, shape (n,), or None
    success : str or None
        The level that counts as a success, of a response in two levels.
    """

    text: str
    function: str
    parts: tuple[str, ...]
    y: Array | None = None
    trials: Array | None = None
    success: str | None = None

    @classmethod
    def written(cls, text: str) -> Response:
        """The left side of a formula, without data."""
        for function in ("prop", "cbind"):
            arguments = inside_call(text, function)
            if arguments is None:
                continue
            parts = tuple(part for part, _ in split_outside(arguments, ","))
            if len(parts) != 2:
                raise ValueError(f"{function}() takes two columns; got {text!r}")
            return cls(text, function, parts)
        return cls(text, "", (text,))

    @property
    def name(self) -> str:
        """What is observed, or counted as successes: a column or an expression."""
        return unquoted(self.parts[0])

    @property
    def trials_name(self) -> str | None:
        """What the successes are out of: ``"seen"``, ``"(sick + well)"``."""
        if not self.function:
            return None
        second = unquoted(self.parts[1])
        return second if self.function == "prop" else f"({self.name} + {second})"

    @property
    def label(self) -> str:
        """What is observed, for an axis: ``"sick / seen"``, ``"smoker = yes"``, ``"yield"``."""
        if self.function:
            return f"{self.name} / {self.trials_name}"
        return self.name if self.success is None else f"{self.name} = {self.success}"

    def new_columns(self) -> list[str]:
        """The columns to make of it: one, or two for ``prop()`` and ``cbind()``.

        Raises
        ------
        ValueError
            If it is an expression.
        """
        for part in self.parts:
            if not part.isidentifier() and unquoted(part) == part:
                raise ValueError(
                    f"the response must be the name of the column to make, or prop(y, n); "
                    f"got {self.text!r}"
                )
        return [unquoted(part) for part in self.parts]


def read_response(
    text: str, frame: pd.DataFrame, takes_trials: bool, trials: Array | None
) -> Response:
    response = Response.written(text)
    if response.function:
        if not takes_trials:
            raise ValueError(
                f"{text} is successes out of trials: use family={families_of_trials()}"
            )
        first, second = (numeric(part, frame, "count") for part in response.parts)
        total = second if response.function == "prop" else first + second
        _check_pair(response.parts, first, second, total, frame)
        return replace(response, y=first, trials=total)
    name = response.name
    if name in frame.columns and not pd.api.types.is_numeric_dtype(frame[name]):
        if not takes_trials:
            raise ValueError(
                f"the response {name!r} must be numbers; it holds values such as "
                f"{frame[name].tolist()[0]!r}"
            )
        return _in_two_levels(response, frame[name])
    response = replace(response, y=numeric(text, frame, "response"))
    return _counted(response, trials, frame) if takes_trials else response


def _check_pair(parts, first, second, total, frame) -> None:
    if (total <= 0).any():
        row = (total <= 0).argmax()
        raise ValueError(
            f"row {frame.index[row]} has {total[row]:g} trials; drop rows without trials"
        )
    for part, counts in zip(parts, (first, second), strict=True):
        _check_whole(part, counts, frame)
    too_many = first > total
    if too_many.any():
        row = too_many.argmax()
        raise ValueError(
            f"row {frame.index[row]} has more successes than trials: {parts[0]} = {first[row]:g}, "
            f"{parts[1]} = {second[row]:g}. Is the order prop(successes, trials)?"
        )


def _check_whole(name: str, counts: Array, frame: pd.DataFrame) -> None:
    broken = (counts != np.round(counts)) | (counts < 0)
    if broken.any():
        row = broken.argmax()
        raise ValueError(
            f"successes and trials are whole numbers, 0 or more; row {frame.index[row]} has "
            f"{name} = {counts[row]:g}"
        )


def _in_two_levels(response: Response, column: pd.Series) -> Response:
    codes, levels = pd.factorize(column, sort=True)
    if len(levels) != 2:
        count = plural(len(levels), "level")
        raise ValueError(
            f"the response {response.name!r} has {count} ({listed(levels)}); "
            "a 0/1 response needs two"
        )
    return replace(
        response, y=codes.astype(float), trials=np.ones(len(codes)), success=str(levels[1])
    )


def _counted(response: Response, trials: Array | None, frame: pd.DataFrame) -> Response:
    """Successes from proportions and trials, or from single 0/1 responses."""
    text, y = response.text, response.y
    if trials is not None:
        _check_whole("trials", trials, frame)
        outside = (y < 0) | (y > 1)
        if outside.any():
            row = outside.argmax()
            raise ValueError(
                f"with weights= as trials the response {text!r} is the proportion of successes; "
                f"row {frame.index[row]} has {y[row]:g}"
            )
        successes = y * trials
        broken = np.abs(successes - np.round(successes)) > 1e-6 * np.maximum(1, trials)
        if broken.any():
            row = broken.argmax()
            raise ValueError(
                f"row {frame.index[row]}: {y[row]:g} of {trials[row]:g} trials is "
                f"{successes[row]:.6g} successes, not a whole number. A proportion that is not "
                "from counts? Use family='beta'"
            )
        return replace(response, y=np.round(successes), trials=trials)
    between = (y > 0) & (y < 1)
    if between.any() and y.min() >= 0 and y.max() <= 1:
        row = between.argmax()
        raise ValueError(
            f"the response {text!r} is a proportion ({y[row]:g} in row {frame.index[row]}) and the "
            "number of trials is not known. Use prop(successes, trials), or weights= with the "
            "trials, or family='beta' when it is not from counts"
        )
    if y.min() >= 0 and y.max() > 1:
        row = (y > 1).argmax()
        raise ValueError(
            f"row {frame.index[row]} has {text} = {y[row]:g}, but a binomial response without "
            "trials is 0 or 1. Counts out of a total? Use prop(successes, trials)"
        )
    return replace(response, trials=np.ones(len(y)))
