"""The models that a model contains: no fit is worse than one of them.

A likelihood may have several maxima, where random effects, a dispersion and extra zeros compete for
the same scatter. The fit of a smaller model is a point of the larger one, from which a search can
only rise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from glmmtools.engine.estimate import Estimate, TermEstimate
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.placement import PlacedTerm
from glmmtools.engine.problem import CONSTANT_EFFECTS, ZERO, Problem
from glmmtools.engine.search import Optimum
from glmmtools.families.base import Family
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.matrices import has_constant

Array = np.ndarray
NO_DIFFERENCE = 1e-4  # of log-likelihoods of two models, one of which contains the other
_FARTHEST = 50.0  # from zero, of the logarithm of a parameter at its limit, and of a logit
_ON_THE_WAY = (8.0, 6.0, 4.0, 2.0)


def contained_problems(marginal: Marginal, point: Array) -> Iterator[tuple[Problem, Array]]:
    """Those with one part less: a random term, extra zeros, a dispersion, a shape parameter.

    With each goes the point of the larger problem that lacks the part, and is as `point` otherwise.
    """
    problem, limits = marginal.problem, at_limits(marginal, point)
    for k, each in enumerate(marginal.placed):
        yield problem.without_term(k), _without_effects(marginal, point, each)
        if each.structure.has_rho:
            constant = problem.with_constant_effects(k)
            if not _is_part_of_another(constant.random, k):
                yield constant, point
    if ZERO in limits:
        yield replace(problem, zero=None), limits.pop(ZERO)
    if problem.dispersion is not None and has_constant(problem.dispersion.X):
        constant, part = point.copy(), marginal.names["phi"]
        log_phi = marginal.likelihood.predictors["phi"] @ point[part]
        constant[part] = marginal.likelihood.constant("phi", float(np.mean(log_phi)))
        yield replace(problem, dispersion=None), constant
    for without in limits.values():
        smaller = problem.at_limit_family()
        if problem.design.weights is None or _weighted_alike(problem.family, smaller.family):
            yield smaller, without


def _is_part_of_another(terms: tuple[RandomTerm, ...], k: int) -> bool:
    """Whether the effects of a term are among those of another: the model is one without it."""
    term, others = terms[k], terms[:k] + terms[k + 1 :]
    return any(
        (other.part, other.group) == (term.part, term.group)
        and term.structure.is_special_case_of(other.structure)
        for other in others
    )


def _weighted_alike(one: Family, other: Family) -> bool:
    return one.weights_divide_phi == other.weights_divide_phi


def _without_effects(marginal: Marginal, point: Array, term: PlacedTerm) -> Array:
    """The point with all effects of a term at zero."""
    without = point.copy()
    without[marginal.names["theta"]][term.theta][term.structure.is_scale] = 0.0
    return without


def points_of(marginal: Marginal, smaller: Problem, estimate: Estimate) -> list[Array]:
    """Parameter vectors of a problem at the estimate of one that it contains.

    The first is that model itself, up to rounding; others lie on the way to where the search is.
    """
    problem = marginal.problem
    shape, predictors = _shape_of(problem, smaller, estimate)
    labels = [term.label for term in smaller.random]
    terms, missing = [], []
    for each, term in zip(marginal.placed, problem.random, strict=True):
        if term.label in labels:
            terms.append(estimate.structured[labels.index(term.label)])
            continue
        constant = CONSTANT_EFFECTS.format(term.label)
        if constant in labels:
            one = estimate.structured[labels.index(constant)]
            terms.append(replace(one, correlation=each.structure.nearly_constant))
            continue
        missing.append(each)
        variances = np.eye(len(each.structure.covariance(np.zeros(each.structure.n_params))))
        terms.append(TermEstimate(variances, np.zeros(0), 0.0))
    point = marginal.vector_of(
        replace(estimate, terms=tuple(terms), zero_terms=(), shape=shape, predictors=predictors)
    )
    for each in missing:
        point = _without_effects(marginal, point, each)
    points = [point]
    name = _parameter_at_limit(problem, smaller)
    if name is not None:
        towards = _end(problem.family) / _FARTHEST
        for distance in _ON_THE_WAY:
            points.append(point.copy())
            points[-1][marginal.names[name]] = marginal.likelihood.constant(
                name, towards * distance
            )
    return points


def at_limits(marginal: Marginal, point: Array) -> dict[str, Array]:
    """By parameter that has a limit: the point with that parameter there.

    These are the shape parameter whose limit is a simpler family, and the extra zeros' probability.
    """
    problem, points = marginal.problem, {}
    if problem.dispersion is None and _has_limit(problem):
        points[problem.family.limit.parameter] = _end(problem.family)
    has_zeros = problem.has_two_parts and np.any(problem.design.y == 0)
    if problem.zero is not None and has_constant(problem.zero.X) and not has_zeros:
        points[ZERO] = -_FARTHEST
    for name, value in points.items():
        points[name] = point.copy()
        points[name][marginal.names[name]] = marginal.likelihood.constant(name, value)
    return points


def is_as_high(marginal: Marginal, optimum: Optimum, point: Array) -> bool:
    """Whether the likelihood at a point is that of the optimum, for all that it tells."""
    return marginal.value_at(point) > optimum.value - NO_DIFFERENCE


def _has_limit(problem: Problem) -> bool:
    limit = problem.family.limit
    return limit is not None and limit.parameter in problem.family.shape


def _parameter_at_limit(problem: Problem, smaller: Problem) -> str | None:
    """The parameter of the larger model that the smaller one has at the end of its range."""
    return problem.family.limit.parameter if smaller.family is not problem.family else None


def _end(family: Family) -> float:
    """The logarithm of the parameter that has a limit, there."""
    return -_FARTHEST if family.limit.at == 0 else _FARTHEST


def _shape_of(problem: Problem, smaller: Problem, estimate: Estimate):
    """Shape parameters and modelled ones of the larger problem at the estimate of the smaller."""
    shape, predictors = dict(estimate.shape), dict(estimate.predictors)
    name = _parameter_at_limit(problem, smaller)
    if name is not None:
        shape[name] = float(np.exp(_end(problem.family)))
    for name, part in problem.modelled.items():
        if name not in predictors:
            value = -_FARTHEST if name == ZERO else np.log(shape[name])
            predictors[name] = np.linalg.lstsq(part.X, np.full(len(part.X), value))[0]
    return shape, predictors
