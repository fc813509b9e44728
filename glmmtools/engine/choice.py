"""The engines that fit models, and the choice between them."""

from __future__ import annotations

from types import ModuleType

from glmmtools.engine import glmm_rs, laplace, statsmodels
from glmmtools.engine.problem import Problem
from glmmtools.shared.text import nearest

ENGINES: dict[str, ModuleType] = {each.NAME: each for each in (glmm_rs, statsmodels, laplace)}


def choose(problem: Problem, name: str = "auto") -> ModuleType:
    """Return the engine of that name, or the first that covers the problem.

    Raises
    ------
    ValueError
        If there is no such engine, or none covers the problem; the message says why.
    """
    if name != "auto" and name not in ENGINES:
        raise ValueError(
            f"unknown engine {name!r}{nearest(name, ENGINES)}. "
            f"Valid engines: auto, {', '.join(ENGINES)}"
        )
    candidates = ENGINES.values() if name == "auto" else [ENGINES[name]]
    reasons = []
    for engine in candidates:
        reason = engine.why_not(problem)
        if reason is None:
            return engine
        reasons.append(reason)
    raise ValueError(f"no engine can fit this model: {'; '.join(reasons)}")
