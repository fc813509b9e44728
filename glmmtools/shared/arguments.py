"""What users give as arguments: names, confidence levels, whole numbers, one of several values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


def names_of(argument: str, given: str | Iterable[str] | None) -> tuple[str, ...]:
    """One name or several as a tuple; empty for None.

    >>> names_of("by", "variety"), names_of("by", ["block", "variety"]), names_of("by", None)
    (('variety',), ('block', 'variety'), ())
    """
    single = isinstance(given, str) or not isinstance(given, Iterable)
    names = () if given is None else (given,) if single else tuple(given)
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(f"{argument} must be a column or a list of different columns; got {given}")
    return names


def check_level(level: float, argument: str = "level") -> None:
    """Raise ValueError unless a probability lies strictly between 0 and 1.

    >>> check_level(95)
    Traceback (most recent call last):
    ...
    ValueError: level must lie strictly between 0 and 1; got 95. Use 0.95
    """
    if level in ("conditional", "population", "marginal"):
        raise ValueError(
            f"{argument} is a confidence level, such as 0.95; which random effects a mean holds is "
            f"effects={level!r}"
        )
    if not 0 < level < 1:
        hint = f". Use {level / 100:g}" if 1 < level < 100 else ""
        raise ValueError(f"{argument} must lie strictly between 0 and 1; got {level:g}{hint}")


def is_count(value: Any) -> bool:
    """Whether a value is a whole number, 1 or more.

    >>> is_count(3), is_count(0), is_count(2.5), is_count(True)
    (True, False, False, False)
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and bool(value >= 1)


def one_of(argument: str, value: object, valid: tuple[str, ...]) -> None:
    """Raise ValueError that names the valid values of an argument.

    >>> one_of("scale", "log", ("response", "link"))
    Traceback (most recent call last):
    ...
    ValueError: scale must be one of response, link; got 'log'
    """
    if value not in valid:
        raise ValueError(f"{argument} must be one of {', '.join(map(str, valid))}; got {value!r}")
