"""Which likelihood a problem has."""

from __future__ import annotations

from glmmtools.engine.correlated import CorrelatedMarginal
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import Problem
from glmmtools.engine.two_predictors import PairedMarginal


def marginal_of(problem: Problem) -> Marginal:
    """The likelihood of a problem, by Laplace or, with correlated residuals, by blocks of V."""
    if problem.residual is not None:
        return CorrelatedMarginal(problem)
    return PairedMarginal(problem) if problem.zero_random else Marginal(problem)
