"""Effects that ran away: where a likelihood is approximated above what it can reach, or has no end.

Successes out of few trials bound what a group can tell. Where most groups are all or nothing, the
likelihood may grow with the standard deviation for ever, and the Laplace approximation, or a
quadrature of few nodes, may lie above any likelihood. Integrals by brute force are the judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import special

from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import ZERO, Problem
from glmmtools.engine.quadrature import QuadratureMarginal, why_no_quadrature
from glmmtools.engine.search import Optimum, maximise
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.messages import ConvergenceWarning

Array = np.ndarray
NODES = 15  # of the quadrature that messages offer
_LARGE_SD = 2.5  # on the scale of the link: below, no approximation is far off
_LARGEST_SD = 10.0  # beyond, most groups are all or nothing
_FEW_TRIALS = 10
_TOO_HIGH = 0.1  # above the likelihood, by more than an approximation of use is
_WORSE = 0.5  # below the highest likelihood: other estimates are better
_JUDGES = 25  # nodes of the search for the highest likelihood
_FARTHER = 10.0
_GRID = np.linspace(-8, 8, 2001)
_LOG_WEIGHTS = -0.5 * _GRID**2 - special.logsumexp(-0.5 * _GRID**2)
_MOST_ROWS = 20_000
_ENTRIES_AT_ONCE = 400_000


def run_away(
    marginal: Marginal, optimum: Optimum, covariances: list[Array]
) -> list[ConvergenceWarning]:
    """A warning for each term whose standard deviation is no estimate."""
    problem = marginal.problem
    if problem.zero_random:
        largest = {term.label: sd for term, sd in _sds(problem, covariances) if term.part == ZERO}
        return [_warning(problem, *each) for each in largest.items() if each[1] > _LARGEST_SD]
    if not (problem.family.takes_trials and problem.link.is_of_probability):
        return []
    terms = {term.label: sd for term, sd in _sds(problem, covariances)}
    sds, largest = list(terms.values()), _LARGE_SD
    if not _can_be_judged(marginal):
        largest = _LARGEST_SD if np.max(problem.design.trials) <= _FEW_TRIALS else np.inf
    elif max(sds) > _LARGE_SD and not _is_no_estimate(marginal, optimum, max(sds)):
        largest = np.inf
    return [_warning(problem, label, sd) for label, sd in terms.items() if sd > largest]


def _sds(problem: Problem, covariances: list[Array]) -> Iterator[tuple[RandomTerm, float]]:
    """Each random term with the standard deviation of what it adds to a linear predictor."""
    for term, G in zip(problem.random, covariances, strict=True):
        yield term, float(np.sqrt(np.mean(term.structure.predictor_variances(G))))


def _warning(problem: Problem, label: str, sd: float) -> ConvergenceWarning:
    return ConvergenceWarning(
        f"The effects of {label} ran away to a standard deviation of {sd:.0f}: the data set no "
        "limit to it, or the approximation of the likelihood fails there. "
        f"{instead_of_laplace(problem)}"
    )


def instead_of_laplace(problem: Problem) -> str:
    """What to do where the approximation fails."""
    quadrature = why_no_quadrature(replace(problem, nagq=NODES)) is None and problem.nagq < NODES
    fit = f"fit with nagq={NODES}, or " if quadrature else ""
    return f"Do not use these numbers: {fit}simplify the random part."


def _can_be_judged(marginal: Marginal) -> bool:
    one_effect = len(marginal.placed) == 1 and marginal.q == 1
    return one_effect and marginal.problem.design.n <= _MOST_ROWS


def _is_no_estimate(marginal: Marginal, optimum: Optimum, sd: float) -> bool:
    """Whether the likelihood grows for ever, is nowhere as high as said, or is higher elsewhere."""
    here = integrated(marginal, optimum.point)
    if integrated(marginal, _farther(marginal, optimum.point)) > here:
        return True
    if optimum.value < here + _TOO_HIGH and sd < _LARGEST_SD:
        return False
    judge = QuadratureMarginal(replace(marginal.problem, nagq=_JUDGES))
    found = maximise(judge.value_and_gradient, optimum.point, judge.refresh, judge.is_sd)
    highest = here if found is None else max(here, integrated(marginal, found.point))
    return optimum.value > highest + _TOO_HIGH or (sd > _LARGEST_SD and here < highest - _WORSE)


def _farther(marginal: Marginal, point: Array) -> Array:
    """The same probabilities of all and of nothing, with all effects so many times larger."""
    point = point.copy()
    for part in ("beta", "theta"):
        point[marginal.names[part]] *= _FARTHER
    return point


def integrated(marginal: Marginal, point: Array) -> float:
    """The log-likelihood of a model with one effect a group, on a fine grid of that effect."""
    likelihood, starts = marginal.likelihood, marginal.pattern.starts
    fixed = likelihood.offset + marginal.X @ point[marginal.names["beta"]]
    slopes = marginal.effects(point[None]).block[:, 0]
    parameters = marginal.parameters(point[None])
    total = np.full(len(starts), -np.inf)
    together = max(1, _ENTRIES_AT_ONCE // len(fixed))
    with np.errstate(all="ignore"):
        for first in range(0, len(_GRID), together):
            part = slice(first, first + together)
            density = likelihood.density(fixed + slopes * _GRID[part, None], parameters)
            by_group = np.add.reduceat(density, starts, axis=1) + _LOG_WEIGHTS[part, None]
            total = np.logaddexp(total, special.logsumexp(by_group, axis=0))
    return float(total.sum() + marginal.prior.value(point[marginal.names["beta"]]))
