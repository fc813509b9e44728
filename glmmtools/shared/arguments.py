"""What users give as arguments: names, confidence levels, whole numbers, one of several values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from numbers import Integral, Real
from typing import Any

import numpy as np

_LARGEST = float(np.finfo(float).max)
_AXES = "the Axes of a figure, as plt.subplots() returns them"
_SEVERAL = ("models",)  # arguments of the form *models


def is_axes(value: Any) -> bool:
    """Whether a value can be drawn into."""
    return hasattr(value, "get_xlim") and hasattr(value, "figure")


def check_panels(axes: Iterable[Any]) -> None:
    """Raise ValueError for what is none of Matplotlib's Axes."""
    for ax in axes:
        if not is_axes(ax):
            raise ValueError(f"ax must hold {_AXES}; got {shown(ax)}")


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    return is_real and bool(abs(value) <= _LARGEST or value in (np.inf, -np.inf))


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and _is_number(value)


def _is_fit(value: Any) -> bool:
    return hasattr(value, "problem") and hasattr(value, "estimate")


_FIT = (_is_fit, "a fitted model, as gt.fit(...) returns it")
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "bool": (lambda value: isinstance(value, (bool, np.bool_)), "True or False"),
    "int": (_is_whole, "a whole number"),
    "float": (_is_number, "a number"),
    "str": (lambda value: isinstance(value, str), "text"),
    "Axes": (is_axes, _AXES),
    "os.PathLike": (lambda value: isinstance(value, os.PathLike), "a path"),
    "Callable": (callable, "a function"),
    "Mapping": (lambda value: isinstance(value, Mapping), "a dict"),
    "Fit": _FIT, "FittedModel": _FIT, "SomeFit": _FIT,
    "None": (lambda value: value is None, "None"),
}  # fmt: skip


def check_arguments(function: Callable, given: Mapping[str, Any], but: tuple = ()) -> None:
    """Raise ValueError for an argument that is not what the annotations of the function say.

    Annotations of other kinds than numbers, text, dicts, Axes and models promise nothing here.

    Parameters
    ----------
    given : dict
        The arguments by name: ``locals()``, where this is the first line of the function.
    but : tuple of str
        Those that the function checks itself, with more to say.

    Examples
    --------
    >>> def rounded(decimals: int = 2):
    ...     check_arguments(rounded, locals())
    >>> rounded(2.5)
    Traceback (most recent call last):
    ...
    ValueError: decimals must be a whole number; got 2.5
    """
    _check_order(function, given)
    for name, kinds in _checked(function).items():
        if name in but:
            continue
        for value in given[name] if name in _SEVERAL else (given[name],):
            if name in ("level", "alpha") and value is not None:
                check_level(value, name)
            elif name == "seed":
                _check_seed(value)
            elif not any(holds(value) for holds, _ in kinds):
                wanted = " or ".join(what for _, what in kinds)
                raise ValueError(f"{name} must be {wanted}; got {shown(value)}")


def _check_order(function: Callable, given: Mapping[str, Any]) -> None:
    """Raise ValueError where what is text, of the first two, stands in the place of the data."""
    first, second, *_ = *given, "", ""
    text, data = (first, second) if first == "formula" else (second, first)
    if text not in ("formula", "structure") or data not in ("data", "layout"):
        return
    if isinstance(given[data], str) and not isinstance(given[text], str):
        raise ValueError(
            f"{function.__name__} takes {first} first, then {second}; here they are swapped"
        )


def _check_seed(seed: Any) -> None:
    """A whole number; inside of the package also several, or a SeedSequence."""
    parts = seed if isinstance(seed, tuple) else (seed,)
    if isinstance(seed, np.random.SeedSequence):
        return
    if not all(_is_whole(part) and part >= 0 for part in parts):
        raise ValueError(f"seed must be a whole number, 0 or more; got {shown(seed)}")


def _without_brackets(annotation: str) -> str:
    """``Mapping[str, int | float]`` as ``Mapping``: of two brackets in each other the inner."""
    return re.sub(r"\[[^\[\]]*\]", "", annotation)


@cache
def _checked(function: Callable) -> dict[str, list[tuple[Callable[[Any], bool], str]]]:
    """What each argument may be, of those whose annotation says so."""
    kinds = {}
    for name, annotation in function.__annotations__.items():
        alternatives = _without_brackets(_without_brackets(annotation)).split(" | ")
        if name != "return" and all(part in _KINDS for part in alternatives):
            kinds[name] = [_KINDS[part] for part in alternatives]
    return kinds


def shown(value: Any) -> str:
    """A value in a message, if it is short; else its type.

    >>> shown(2.5), shown("days" * 30)
    ('2.5', 'str of 120')
    """
    kind = type(value).__name__
    try:
        if isinstance(value, (str, int, float, complex, bytes, type(None), list, tuple, dict, set)):
            text = repr(value)
            return text if len(text) <= 60 else f"{kind} of {len(value)}"
    except (TypeError, ValueError):  # numbers have no length, and too many digits are not written
        return f"a long {kind}"
    return f"a {kind}"


def numbers(argument: str, given: Any) -> np.ndarray:
    """Values as an array of floats.

    Raises
    ------
    ValueError
        If they are none.
    """
    try:
        return np.asarray(given, float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{argument} must be numbers; got {shown(given)}") from None


def names_of(argument: str, given: str | Iterable[str] | None) -> tuple[str, ...]:
    """One name or several as a tuple; empty for None.

    >>> names_of("by", "variety"), names_of("by", ["block", "variety"]), names_of("by", None)
    (('variety',), ('block', 'variety'), ())
    """
    single = isinstance(given, str) or not isinstance(given, Iterable)
    names = () if given is None else (given,) if single else tuple(given)
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(
            f"{argument} must be a column or a list of different columns; got {shown(given)}"
        )
    return names


def check_level(level: float, argument: str = "level") -> None:
    """Raise ValueError unless a probability lies strictly between 0 and 1.

    >>> check_level(95)
    Traceback (most recent call last):
    ...
    ValueError: level must lie strictly between 0 and 1; got 95. Use 0.95
    """
    if isinstance(level, str) and level in ("conditional", "population", "marginal"):
        raise ValueError(
            f"{argument} is a confidence level, such as 0.95; which random effects a mean holds is "
            f"effects={level!r}"
        )
    if not (_is_number(level) and 0 < level < 1):
        hint = f". Use {level / 100:g}" if _is_number(level) and 1 < level < 100 else ""
        raise ValueError(f"{argument} must lie strictly between 0 and 1; got {shown(level)}{hint}")


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
    if not isinstance(value, (str, type(None))) or value not in valid:
        raise ValueError(
            f"{argument} must be one of {', '.join(map(str, valid))}; got {shown(value)}"
        )
