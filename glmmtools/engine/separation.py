"""Separation: a direction of the coefficients along which the likelihood never falls.

For successes and failures, and for zero counts, such a direction exists if some ``d`` has
``x·d >= 0`` in every row that is all success, ``x·d <= 0`` in every row that is all failure (or a
count of zero), ``x·d = 0`` in all others, and is not zero everywhere. That is a linear programme
(Konis 2007, *Linear programming algorithms for detecting separated data*).
"""

from __future__ import annotations

import numpy as np

from glmmtools.engine.problem import Problem
from glmmtools.shared.messages import SeparationWarning

_RUNAWAY = 8.0  # on the log or log-odds scale: odds of 3000 to 1


def separation_messages(problem: Problem, beta, converged: bool) -> list[SeparationWarning]:
    """Name the separated columns; looked for only where an estimate is suspiciously large."""
    design = problem.design
    if not (problem.family.takes_trials or problem.family.counts) or not design.X.size:
        return []
    reach = np.abs(np.asarray(beta) * np.abs(design.X).max(axis=0))
    if converged and not np.any(reach > _RUNAWAY):
        return []
    return [
        SeparationWarning(
            f"The estimate of {name!r} has no finite value: it separates "
            f"{'successes from failures' if problem.family.takes_trials else 'zeros from counts'}. "
            "Merge or drop the level, or report the raw proportions."
        )
        for name in separated_columns(problem)
    ]


def separated_columns(problem: Problem) -> list[str]:
    """Names of the columns that move along a direction of separation."""
    from scipy.optimize import linprog

    design = problem.design
    sign = np.where(design.y == 0, -1.0, 0.0)
    if problem.family.takes_trials:
        sign = sign + (design.y == design.trials)
    X = design.X / np.abs(design.X).max(axis=0)
    extreme, others = sign != 0, sign == 0
    signed = X[extreme] * sign[extreme, None]
    solution = linprog(
        -signed.sum(axis=0),
        A_ub=-signed,
        b_ub=np.zeros(len(signed)),
        A_eq=X[others] if others.any() else None,
        b_eq=np.zeros(others.sum()) if others.any() else None,
        bounds=(-1, 1),
    )
    if solution.status != 0 or -solution.fun < 1e-7:
        return []
    return [name for name, step in zip(design.names, solution.x, strict=True) if abs(step) > 1e-7]
