"""From where a search ended to the estimates on the user's scale, with their errors."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from glmmtools.engine.boundless import boundless_coefficients, boundless_messages
from glmmtools.engine.contained import NO_DIFFERENCE
from glmmtools.engine.diagnosis import (
    family_cautions,
    moved_when_flat,
    not_converged,
    residual_independent,
    residual_without_limit,
    shape_messages,
    why_not_converged,
)
from glmmtools.engine.estimate import Estimate, TermEstimate
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.marginals import marginal_of
from glmmtools.engine.problem import Problem
from glmmtools.engine.run_away import run_away
from glmmtools.engine.satterthwaite import Satterthwaite
from glmmtools.engine.search import Optimum
from glmmtools.shared.messages import ConvergenceWarning, GlmmWarning, singular_message

Array = np.ndarray
_NO_MODES = np.zeros((0, 0))


def at_optimum(marginal: Marginal, optimum: Optimum, engine: str) -> Estimate:
    """The estimates where a search ended, and what is to be said of them."""
    problem = marginal.problem
    vector = _with_zeros(marginal, optimum)
    solution = marginal.solve(vector)
    if solution is None:
        return unknown(problem, engine)
    beta = marginal.fixed_effects(vector, solution)
    shape, predictors, predictor_cov = _other_parameters(marginal, optimum)
    singular = _singular_labels(marginal, vector)
    converged = optimum.converged and not np.any(moved_when_flat(marginal, optimum))
    messages: list[GlmmWarning] = []
    if singular:
        messages.append(_singular_message(marginal, vector, singular))
    messages += shape_messages(marginal, optimum, shape)
    messages += family_cautions(marginal, solution)
    boundless = boundless_coefficients(marginal, optimum)
    messages += boundless_messages(problem, boundless)
    for name, marked in boundless.items():
        predictor_cov[name][marked] = predictor_cov[name][:, marked] = np.nan
    has_no_limit = any(isinstance(each, ConvergenceWarning) for each in messages)
    converged = converged and not has_no_limit
    if problem.family.discrete and optimum.value > 1e-6:
        converged = False
    theta = vector[marginal.names["theta"]]
    covariances = [
        each.structure.covariance(theta[each.theta]) * each.unit**2 for each in marginal.structured
    ]
    ran_away = run_away(marginal, optimum, covariances)
    if ran_away:
        converged = False
        messages += ran_away
    elif not converged and not has_no_limit:
        messages.append(why_not_converged(marginal, optimum, solution))
    found = [
        TermEstimate(G, b, each.structure.rho(theta[each.theta]))
        for each, G, b in zip_longest(
            marginal.structured, covariances, marginal.modes(vector, solution), fillvalue=_NO_MODES
        )
    ]
    k = len(problem.design.random)
    return Estimate(
        beta=beta,
        cov_beta=_cov_beta(marginal, optimum, solution),
        df=_df(marginal, optimum),
        shape=shape,
        terms=tuple(found[:k]),
        zero_terms=tuple(found[k : len(marginal.placed)]),
        residual=None if problem.residual is None else found[-1],
        llf=optimum.value - float(marginal.prior.value(optimum.point[marginal.names["beta"]])),
        n_params=problem.n_params,
        converged=converged,
        singular=singular,
        messages=tuple(messages),
        engine=engine,
        method=problem.method,
        predictors=predictors,
        predictor_cov=predictor_cov,
    )


def _cov_beta(marginal: Marginal, optimum: Optimum, solution) -> Array:
    """Covariance of β: given the variances for linear mixed models, as lme4; else joint.

    It is nan where there is no maximum, or none in the direction of a coefficient.
    """
    p, scale = marginal.p, marginal.likelihood.scale
    if not optimum.converged:
        return np.full_like(marginal.to_user, np.nan)
    if marginal.problem.reml:
        inner = marginal.fixed_covariance(solution)
    elif marginal.problem.is_linear:
        inner = np.linalg.inv(optimum.information[:p, :p])
    else:
        inner = optimum.covariance[:p, :p]
    covariance = marginal.to_user @ inner @ marginal.to_user.T * scale**2
    unknown = moved_when_flat(marginal, optimum)
    covariance[unknown] = covariance[:, unknown] = np.nan
    return covariance


def _df(marginal: Marginal, optimum: Optimum) -> Array:
    """Satterthwaite's for linear mixed models that converged; infinite (z) for all others."""
    problem = marginal.problem
    by_likelihood = problem.is_linear and problem.structured and problem.penalty is None
    if not (by_likelihood and optimum.converged and marginal.p):
        return np.full(marginal.p, np.inf)
    tau = slice(marginal.n_fixed, None)
    fitted = Satterthwaite(marginal, optimum.point[tau], optimum.covariance[tau, tau])
    return fitted.df(np.eye(marginal.p))


def _other_parameters(marginal: Marginal, optimum: Optimum):
    """Shape parameters that are one number; coefficients of modelled ones, their covariances."""
    shape, predictors, covariances = {}, {}, {}
    for name in marginal.likelihood.predictors:
        part = marginal.names[name]
        shift = marginal.likelihood.shifts[name]
        if name not in marginal.problem.modelled:
            bounded = marginal.likelihood.bounded(name, optimum.point[part])
            shape[name] = float(bounded[0] * np.exp(shift[0]))
        else:
            to_user = marginal.likelihood.to_user[name]
            predictors[name] = to_user @ (optimum.point[part] + shift)
            covariance = to_user @ optimum.covariance[part, part] @ to_user.T
            covariances[name] = (
                covariance if optimum.converged else np.full_like(covariance, np.nan)
            )
    return shape, predictors, covariances


def _singular_message(marginal: Marginal, vector: Array, singular: tuple[str, ...]) -> GlmmWarning:
    problem = marginal.problem
    if problem.residual is not None and problem.residual.label in singular:
        of_R, of_V = marginal.lost_rank(vector)
        if of_V:
            return residual_without_limit(problem)
        if not of_R:
            return residual_independent(problem)
    sizes = [
        each.structure.n_params
        for each, term in zip(marginal.structured, problem.structured, strict=True)
        if term.label in singular
    ]
    return singular_message(singular, single=max(sizes) == 1)


def _with_zeros(marginal: Marginal, optimum: Optimum) -> Array:
    """The point with small standard deviations at zero, unless the likelihood tells them from it.

    So it may where those of other effects, or the unit of the response, are far larger than the
    residual.
    """
    vector = marginal.snapped(optimum.point)
    if np.array_equal(vector, optimum.point):
        return vector
    return vector if marginal.value_at(vector) > optimum.value - NO_DIFFERENCE else optimum.point


def _singular_labels(marginal: Marginal, vector: Array) -> tuple[str, ...]:
    theta = vector[marginal.names["theta"]]
    return tuple(
        term.label
        for each, term in zip(marginal.structured, marginal.problem.structured, strict=True)
        if each.structure.is_singular(theta[each.theta])
    )


def unknown(problem: Problem, engine: str) -> Estimate:
    """No numbers, where the likelihood could not even be computed."""
    marginal, p, k = marginal_of(problem), len(problem.design.names), len(problem.design.random)
    sizes = {name: part.X.shape[1] for name, part in problem.modelled.items()}
    unknowns = {name: np.full(size, np.nan) for name, size in sizes.items()}
    terms = [
        TermEstimate(
            np.full_like(each.structure.covariance(np.zeros(each.structure.n_params)), np.nan),
            np.full((each.structure.n_levels, each.structure.q), np.nan),
            np.nan if each.structure.has_rho else None,
        )
        for each in marginal.structured
    ]
    return Estimate(
        beta=np.full(p, np.nan), cov_beta=np.full((p, p), np.nan), df=np.full(p, np.inf),
        shape={name: np.nan for name in problem.shape if name not in unknowns},
        terms=tuple(terms[:k]), zero_terms=tuple(terms[k : len(marginal.placed)]),
        residual=None if problem.residual is None else terms[-1],
        llf=np.nan, n_params=marginal.size + (p if problem.reml else 0), converged=False,
        singular=(), messages=(not_converged(problem),), engine=engine, method=problem.method,
        predictors=unknowns,
        predictor_cov={name: np.full((size, size), np.nan) for name, size in sizes.items()},
    )  # fmt: skip
