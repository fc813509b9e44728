"""The left side of a formula: a column, an expression, or successes out of trials."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmmtools.families.lookup import families_of_trials
from glmmtools.formula.columns import numeric
from glmmtools.formula.grammar import split_outside, unquoted
from glmmtools.shared.text import listed, plural

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Response:
    """The response: values (successes for a binomial family), trials, what a success is."""

    label: str
    y: Array
    trials: Array | None = None
    success: str | None = None


_PAIR = re.compile(r"\s*(prop|cbind)\s*\((.*)\)\s*", flags=re.DOTALL)


def read_response(
    text: str, frame: pd.DataFrame, takes_trials: bool, trials: Array | None
) -> Response:
    pair = _PAIR.fullmatch(text)
    if pair:
        parts = [part for part, _ in split_outside(pair.group(2), ",")]
        if len(parts) != 2:
            raise ValueError(f"{pair.group(1)}() takes two columns; got {text!r}")
        if not takes_trials:
            raise ValueError(
                f"{text} is successes out of trials: use family={families_of_trials()}"
            )
        first, second = (numeric(part, frame, "count") for part in parts)
        total = second if pair.group(1) == "prop" else first + second
        _check_pair(parts, first, second, total, frame)
        return Response(text, first, total)
    name = unquoted(text)
    if name in frame.columns and not pd.api.types.is_numeric_dtype(frame[name]):
        if not takes_trials:
            raise ValueError(
                f"the response {name!r} must be numbers; it holds values such as "
                f"{frame[name].iloc[0]!r}"
            )
        return _two_level_response(name, frame[name])
    y = numeric(text, frame, "response")
    if not takes_trials:
        return Response(text, y)
    return _proportion_response(text, y, trials, frame)


def _check_pair(parts, first, second, total, frame) -> None:
    if (total <= 0).any():
        row = (total <= 0).argmax()
        raise ValueError(
            f"row {frame.index[row]} has {total[row]:g} trials; drop rows without trials"
        )
    too_many = first > total
    if too_many.any():
        row = too_many.argmax()
        raise ValueError(
            f"row {frame.index[row]} has more successes than trials: {parts[0]} = {first[row]:g}, "
            f"{parts[1]} = {second[row]:g}. Is the order prop(successes, trials)?"
        )


def _two_level_response(name: str, column: pd.Series) -> Response:
    codes, levels = pd.factorize(column, sort=True)
    if len(levels) != 2:
        raise ValueError(
            f"the response {name!r} has {plural(len(levels), 'level')} ({listed(levels)}); "
            "a 0/1 response needs two"
        )
    return Response(name, codes.astype(float), np.ones(len(codes)), str(levels[1]))


def _proportion_response(text: str, y: Array, trials: Array | None, frame) -> Response:
    if trials is not None:
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
        return Response(text, np.round(successes), trials)
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
    return Response(text, y, np.ones(len(y)))


def is_pair(text: str) -> bool:
    """Whether the response is written as ``prop(...)`` or ``cbind(...)``."""
    return _PAIR.fullmatch(text) is not None
