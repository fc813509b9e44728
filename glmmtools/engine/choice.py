"""The engines that fit models: ours, and statsmodels as the second opinion and for the GEE."""

from __future__ import annotations

from types import ModuleType

from glmmtools.engine import gee, laplace, statsmodels
from glmmtools.engine.estimate import Estimate
from glmmtools.engine.problem import Problem
from glmmtools.shared.text import nearest

ENGINES: dict[str, ModuleType] = {each.NAME: each for each in (laplace, statsmodels, gee)}
_GONE = ("auto", "glmm")


def choose(problem: Problem, name: str = laplace.NAME) -> ModuleType:
    """Return the engine of that name.

    Raises
    ------
    ValueError
        If there is no such engine, or it does not cover the problem; the message says why.
    """
    if name in _GONE:
        raise ValueError(
            f"there is no engine {name!r} any more: leave engine= out, for the one that fits every "
            "model, or write engine='statsmodels' for a second opinion"
        )
    if name not in ENGINES:
        raise ValueError(
            f"unknown engine {name!r}{nearest(name, ENGINES)}. Valid engines: {', '.join(ENGINES)}"
        )
    reason = ENGINES[name].why_not(problem)
    if reason is not None:
        raise ValueError(f"engine {name!r} cannot fit this model: {reason}")
    return ENGINES[name]


def fit_again(problem: Problem, name: str) -> Estimate:
    """Fit a problem as one like it was; nobody asks whether a contained model is better.

    Refits of simulated data and without groups are many, and their likelihoods like the first.
    """
    if name == laplace.NAME:
        return laplace.fit(problem, thorough=False)
    return ENGINES[name].fit(problem)
