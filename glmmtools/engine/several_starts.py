"""Searches from several starts, as many as a likelihood may need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from glmmtools.covariances.base import ZERO_SD
from glmmtools.engine.independent_rows import possible_starts
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import ZERO
from glmmtools.engine.profiled import Profiled
from glmmtools.engine.search import Optimum, maximise
from glmmtools.engine.start import (
    other_series,
    starting_point,
    with_scatter_in_effects,
)

Array = np.ndarray
_START_FACTORS = (1.0, 0.2, 3.0)
_DOUBTFUL = 3.0  # standard errors from zero, within which a standard deviation of zero is tried
_BETTER = 1e-6
_HOPELESS = 15.0  # below the maximum found: starts of a series that are not tried
_BESIDE_NOTHING = 30.0  # standard deviation, relative to that of the residual
_OFF_ZERO, _EDGE = 1e-3, 1e-3  # a slope there, of a likelihood that has none where it is smooth
_FEW_ROWS = 200  # up to here a model with extra zeros may well have several maxima: all starts


def best_of_starts(marginal: Marginal, worth: float = -np.inf) -> Optimum | None:
    """The best end of searches from several starts, as many as the likelihood may need.

    Searches that will not come to the height `worth` are abandoned.
    """
    problem = marginal.problem
    several = problem.zero is not None and problem.design.n <= _FEW_ROWS
    starts = (_possible_start(marginal, f) for f in _START_FACTORS)
    best = _climbed(marginal, starts, several, worth)
    if not several and best is not None and best.converged and _doubtful_series(marginal, best):
        for start in _hopeful(marginal, best, other_series(marginal, best.point)):
            best = better_end(best, best_end(marginal, start, best))
    return best


def not_below_effects_of_rows(marginal: Marginal, best: Optimum) -> Optimum:
    """The better end of a search where effects of single rows and a dispersion compete.

    The likelihood of a proportion or a positive measurement often has two maxima then: with the
    scatter in the family, or in the effects.
    """
    family, n = marginal.problem.family, marginal.problem.design.n
    if "phi" not in marginal.likelihood.predictors or family.discrete:
        return best
    if family.location_scale or family.normal_on_link_scale:
        return best
    of_mean = [each for each in marginal.placed if each.part != ZERO]
    if not any(each.n_effects >= n for each in of_mean if not each.structure.of_time):
        return best
    return better_end(best, best_end(marginal, with_scatter_in_effects(marginal), best))


def best_profiled(marginal: Marginal, worth: float = -np.inf) -> Optimum | None:
    """As `best_of_starts`, of a linear mixed model whose β and φ are profiled out.

    Where the residual is so small that relative θ is not found, all parameters are searched. So
    they are where a series leaves next to nothing to the residual, which may as well be zero.
    """
    profiled = Profiled(marginal)
    starts = map(profiled.first, _START_FACTORS)
    best = _climbed(profiled, starts, worth=worth)
    if best is None or not best.converged:
        found = best and profiled.lifted(best)
        abandoned = best is not None and best.abandoned
        return found if abandoned else better_end(found, best_of_starts(marginal, worth))
    found = profiled.lifted(best)
    if not any(each.structure.of_time for each in marginal.placed):
        return found
    if _doubtful_series(marginal, found):
        for start in _hopeful(marginal, found, other_series(marginal, found.point)):
            best = better_end(best, best_end(profiled, profiled.start(start), best))
        found = profiled.lifted(best)
    has_residual = np.all(np.abs(best.point[profiled.is_scale]) < _BESIDE_NOTHING)
    return found if has_residual else best_of_starts(marginal, worth)


def _possible_start(marginal: Marginal, factor: float) -> Array:
    starts = possible_starts(marginal, starting_point(marginal, factor))
    return starts[0] if len(starts) == 1 else max(starts, key=marginal.value_at)


def _climbed(
    searched: Marginal | Profiled,
    starts: Iterable[Array],
    all_of_them: bool = False,
    worth: float = -np.inf,
) -> Optimum | None:
    """The best end of searches from these starts, until one converged or from all of them."""
    best: Optimum | None = None
    for start in starts:
        best = better_end(best, best_end(searched, start, best, worth))
        if best is not None and (best.converged or best.abandoned) and not all_of_them:
            break
    return best


def better_end(best: Optimum | None, found: Optimum | None) -> Optimum | None:
    """The better end of two searches.

    A maximum goes before a higher point that is none: where the log-density is not concave (extra
    zeros, t), H may come near to singular, and the approximation grows without limit.
    """
    if best is None or found is None:
        return best or found
    return max(best, found, key=lambda each: (each.converged, each.value))


def _hopeful(marginal: Marginal, best: Optimum, points: list[Array]) -> list[Array]:
    """The points that are not far below the maximum found."""
    return [each for each in points if marginal.value_at(each) > best.value - _HOPELESS]


def _doubtful_series(marginal: Marginal, optimum: Optimum) -> bool:
    """Whether a model with a series ended where its likelihood often has a higher maximum.

    That is: rho at an end or within three standard errors of zero, a variance of zero, of a term or
    of the residual.
    """
    theta = optimum.point[marginal.names["theta"]]
    variances = np.diag(optimum.covariance)[marginal.names["theta"]]
    likelihood, ended = marginal.likelihood, False
    if "phi" in likelihood.predictors:
        log_phi = likelihood.predictors["phi"] @ optimum.point[marginal.names["phi"]]
        ended = bool(np.any(likelihood.near_limit("phi", np.exp(log_phi))))
    ended |= any(each.structure.is_singular(theta[each.theta]) for each in marginal.placed)
    return any(
        ended or each.structure.is_unsure(theta[each.theta], variances[each.theta])
        for each in marginal.placed
        if each.structure.of_time
    )


def best_end(
    searched: Marginal | Profiled,
    start: Array,
    known: Optimum | None = None,
    worth: float = -np.inf,
) -> Optimum | None:
    """Where the search ends; it goes on from a small standard deviation set to zero if better.

    Near zero there may be a lower maximum, and no fit may be worse than one without the term.
    """
    found = maximise(
        searched.value_and_gradient, start, searched.refresh, searched.is_sd, known,
        units=searched.units, worth=worth,
    )  # fmt: skip
    if found is not None and found is not known and not (found.converged or found.abandoned):
        found = _held_at_zero(searched, found)
    if found is None or found is known or not found.converged:
        return found
    variances = np.diag(found.covariance)
    for k in np.flatnonzero(searched.is_sd & (found.point**2 < _DOUBTFUL**2 * variances)):
        without = np.where(np.arange(searched.size) == k, 0.0, found.point)
        if searched.value_at(without) > found.value + _BETTER:
            return best_end(searched, without)
    return found


def _held_at_zero(searched: Marginal | Profiled, found: Optimum) -> Optimum:
    """The end of a search with the standard deviations at zero held there, if that is a maximum.

    Where correlations do not depend on the variances, as of hcs, the likelihood has an edge there.
    """
    held = searched.is_sd & (np.abs(found.point) < ZERO_SD)
    if held.all() or not np.any(np.abs(found.gradient[held]) > _EDGE):
        return found

    def whole(points: Array) -> Array:
        point = np.zeros((*points.shape[:-1], searched.size))
        point[..., ~held] = points
        return point

    def function(points: Array) -> tuple[float, Array]:
        value, gradient = searched.value_and_gradient(whole(points))
        return value, gradient[..., ~held]

    end = maximise(
        function, found.point[~held], searched.refresh, searched.is_sd[~held],
        units=lambda point: searched.units(whole(point))[~held],
    )  # fmt: skip
    if end is None or not end.converged:
        return found
    point, steps = whole(end.point), _OFF_ZERO * np.eye(searched.size)[held]
    if any(searched.value_at(point + step) > end.value for step in [*steps, *-steps]):
        return found
    both = np.outer(~held, ~held)
    information, covariance = np.eye(searched.size), np.zeros(both.shape)
    information[both], covariance[both] = end.information.ravel(), end.covariance.ravel()
    return replace(
        end, point=point, gradient=whole(end.gradient), information=information,
        covariance=covariance, flat=whole(end.flat),
    )  # fmt: skip
