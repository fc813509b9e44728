"""Models that the exercises ask about: each is fitted once, when its first answer is checked."""

from __future__ import annotations

from functools import cache
from typing import Any

from glmmtools.course.datasets import load_data
from glmmtools.model import FittedModel, fit


@cache
def fit_to(name: str, formula: str, family: str = "normal", **options: Any) -> FittedModel:
    """The model of a data set of the course; `options` as in :func:`fit`.

    >>> fit_to("cake", "angle ~ recipe").params.index.tolist()
    ['Intercept', 'recipe[T.B]', 'recipe[T.C]']
    """
    return fit(formula, load_data(name), family, **options)
