"""Where the search for correlated residuals starts, and whether the data identify them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from glmmtools.covariances.base import Structure
from glmmtools.engine.correlated import MOST_ROWS, CorrelatedMarginal, OverCovariances
from glmmtools.engine.identification import Identification
from glmmtools.engine.problem import Problem
from glmmtools.engine.search import Optimum
from glmmtools.engine.several_starts import best_end, better_end
from glmmtools.shared.text import listed, plural

Array = np.ndarray
_SHARES = (0.2, 0.02, 0.6)  # of the variance, for random terms
_RHOS = (0.5, -0.2, 0.9)  # of series
_EM_STEPS = 2
_TIMES_TRIED = 3  # whose residuals may be zero
_SHRINK, _LEAST = 0.9, 0.02
_NEARLY_ZERO = 0.03


def best_correlated(marginal: CorrelatedMarginal) -> Optimum | None:
    """The best end of searches from a few starts.

    Where it is not in doubt the first is enough: moments of the residuals of least squares.
    """
    searched, best = OverCovariances(marginal), None
    for start in _starts(marginal):
        best = better_end(best, best_end(searched, start))
        if best is not None and best.converged and not _may_be_lower(marginal, best):
            break
    starts = sorted(_without_scatter_at_a_time(marginal), key=searched.value_at)
    for start in starts[-_TIMES_TRIED:]:
        best = better_end(best, best_end(searched, start, best, best.value if best else -np.inf))
    return best and searched.lifted(best)


def _may_be_lower(marginal: CorrelatedMarginal, found: Optimum) -> bool:
    """Whether the likelihood often has a higher maximum elsewhere: beside random terms, which may
    take the scatter of the residuals, and of a series whose rho is in doubt."""
    structure, part = marginal.residual.structure, marginal.residual.theta
    if marginal.placed or not structure.of_time:
        return bool(marginal.placed)
    return structure.is_unsure(found.point[part], np.diag(found.covariance)[part])


def correlated_end(marginal: CorrelatedMarginal, vector: Array) -> Optimum | None:
    """The end of a search from one vector of the marginal, where a maximum is near."""
    searched = OverCovariances(marginal)
    found = best_end(searched, vector[searched.theta])
    return found and searched.lifted(found)


def _starts(marginal: CorrelatedMarginal) -> Iterator[Array]:
    likelihood = marginal.likelihood
    _, residual = marginal.least_squares(likelihood.y - likelihood.offset)
    total = float(np.mean(residual**2)) or 1.0
    for share, rho in zip(_SHARES, _RHOS, strict=True):
        theta = np.zeros(marginal.n_theta)
        each_share = share / max(len(marginal.placed), 1)
        for placed in marginal.placed:
            theta[placed.theta] = placed.structure.start(1.0, each_share * total, residual)
        shared = share * total if marginal.placed else 0.0
        theta[marginal.residual.theta] = _residual_start(marginal, residual, shared, rho)
        yield theta


def _without_scatter_at_a_time(marginal: CorrelatedMarginal) -> Iterator[Array]:
    """Starts near the models in which the residuals of one time are zero.

    There an effect of the same group is what is left at that time. With a variance for each time
    the likelihood may have a maximum there, as that of a factor analysis has (a Heywood case).
    """
    structure = marginal.residual.structure
    if not (structure.heterogeneous and structure.has_rho):
        return
    codes = structure.codes
    same = [each for each in marginal.placed if np.array_equal(each.structure.codes, codes)]
    if not same:
        return
    likelihood = marginal.likelihood
    _, residual = marginal.least_squares(likelihood.y - likelihood.offset)
    for time in range(structure.q):
        held = structure.coordinates == time
        effect = np.zeros(structure.n_levels)
        effect[codes[held]] = residual[held]
        theta = next(_starts(marginal))
        for placed in same:
            share = float(np.mean(effect**2)) / len(same)
            theta[placed.theta] = placed.structure.start(1.0, share, residual)
        of_residual = _residual_start(marginal, residual - effect[codes], 0.0, _RHOS[0])
        of_residual[time] = _NEARLY_ZERO * np.sqrt(np.mean(residual**2))
        theta[marginal.residual.theta] = of_residual
        yield theta


def _residual_start(
    marginal: CorrelatedMarginal, residual: Array, shared: float, rho: float
) -> Array:
    """From the moments of residuals of which random terms share a variance; or with this rho."""
    structure, variance = marginal.residual.structure, float(np.mean(residual**2)) - shared
    if structure.of_time:
        return structure.start_at(np.sqrt(variance), rho)
    theta = structure.start(1.0, variance, residual)
    moments = _moments(structure, residual, shared)
    root = structure.effects(theta, np.eye(structure.q)).T
    for _ in range(_EM_STEPS):
        inner = np.linalg.solve(root, np.linalg.solve(root, moments).T)
        theta = structure.em_step(theta, (inner + inner.T) / 2)
        root = structure.effects(theta, np.eye(structure.q)).T
    return theta


def _moments(structure: Structure, residual: Array, shared: float) -> Array:
    """Mean products of the residuals of each two times, over the groups that have both, less what
    they share; as near to these as is well positive definite."""
    values, known = np.zeros((2, structure.n_levels, structure.q))
    places = structure.codes, structure.coordinates
    values[places], known[places] = residual, 1.0
    counts = known.T @ known
    moments = values.T @ values / np.maximum(counts, 1) - shared
    diagonal = np.diag(np.maximum(np.diag(moments), _LEAST * np.mean(residual**2)))
    moments += diagonal - np.diag(np.diag(moments))
    while np.linalg.eigvalsh(moments)[0] < 1e-4 * np.diag(moments).min():
        moments = _SHRINK * moments + (1 - _SHRINK) * diagonal
    return moments


# ------------------------------------------------------------------------------ identification


def check_residual(problem: Problem) -> None:
    """Raise ValueError if the covariance of the residuals cannot be told from these data."""
    marginal = CorrelatedMarginal(problem)
    most = max(blocks.rows.shape[1] for blocks in marginal.blocks)
    residual = problem.residual
    if most > MOST_ROWS:
        raise ValueError(
            f"residual={residual.text!r} beside these random terms joins {most} rows into one "
            f"block of their covariance (the most is {MOST_ROWS}). Leave out the term whose "
            "groups are crossed or that large"
        )
    structure = residual.structure
    if structure.unrestricted and structure.n_levels <= structure.q:
        raise ValueError(
            f"residual={residual.text!r} has a covariance of {structure.q} rows for "
            f"{plural(structure.n_levels, 'level')} of {residual.group!r}, too few to estimate it: "
            f"take a structure of fewer parameters, such as {_simpler(problem)}"
        )
    found = Identification.of([each.structure for each in problem.structured], False, MOST_ROWS)
    tangled = found.tangled()
    if not tangled:
        return
    of_terms = range(len(problem.design.random))
    candidates = [k for k in found.held(*tangled) or tangled if k in of_terms]
    if candidates:
        names = [term.label for term in problem.design.random] + [f"residual={residual.text!r}"]
        spare = candidates[0]
        others = listed(names[k] for k in found.beside(spare, *tangled))
        raise ValueError(
            f"the data cannot tell {names[spare]} from {others}, whose covariance can be the "
            f"same: leave {names[spare]} out"
        )
    if structure.n_levels == problem.design.n:
        raise ValueError(
            f"residual={residual.text!r}: each {residual.group!r} has one row, so that no two "
            "residuals are correlated: leave residual= out"
        )
    raise ValueError(
        f"residual={residual.text!r} has more parameters than these data carry, for some of its "
        f"correlations belong to no two rows of one {residual.group!r}: take a structure of fewer "
        f"parameters, such as {_simpler(problem)}"
    )


def _simpler(problem: Problem) -> str:
    time, group = problem.residual.structure.column_name, problem.residual.group
    return f"residual='ar1({time} | {group})' or 'cs({time} | {group})'"
