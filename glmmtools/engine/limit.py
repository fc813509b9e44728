"""Fits of separated data: the limit of the likelihood as some coefficients go to infinity.

An engine fits the rows that are not certain (`separation`); here its estimate becomes that of all
rows. In a row that is certain the density is 1 for every random effect, so that the limit is that
of the integral over the random effects too, however it is approximated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from glmmtools.engine.estimate import Estimate, Limit, TermEstimate
from glmmtools.engine.problem import Problem
from glmmtools.engine.separation import Separation, separation_message, separation_of
from glmmtools.formula.rank import Rank

Array = np.ndarray


def fit_what_is_finite(
    problem: Problem, fit: Callable[[Problem], Estimate], engine: str
) -> Estimate:
    """Fit a problem; where it is separated, the rows that are not certain."""
    separation = separation_of(problem)
    if separation is None:
        return fit(problem)
    left = problem.on_rows(~separation.certain, separation.rank.kept)
    estimate = fit(left) if left.design.n else _of_no_rows(left, engine)
    return _in_the_limit(problem, separation, estimate)


def _in_the_limit(problem: Problem, separation: Separation, estimate: Estimate) -> Estimate:
    """The estimate of all rows, from that of the rows that are not certain."""
    left = ~separation.certain
    modelled = {"phi": problem.dispersion, "zero": problem.zero}
    parts = {
        name: Rank.of(part.X[left], part.columns)
        for name, part in modelled.items() if part is not None
    }  # fmt: skip
    limit, p = Limit(separation, estimate, parts), len(problem.design.names)
    whole = replace(estimate, limit=limit, df=np.full(p, np.inf), n_params=problem.n_params)
    each = np.eye(p)
    beta = whole.combined(each)
    names = [name for name, b in zip(problem.design.names, beta, strict=True) if not np.isfinite(b)]
    message = separation_message(problem, names, not left.any())
    return replace(
        whole, beta=beta, cov_beta=whole.combined_covariance(each),
        messages=(message, *estimate.messages),
    )  # fmt: skip


def _of_no_rows(problem: Problem, engine: str) -> Estimate:
    """Where every row is certain: the likelihood is 1, whatever the other parameters are."""
    structures = [term.structure for term in problem.design.random]
    modelled = {"phi": problem.dispersion, "zero": problem.zero}
    predictors = {name: np.zeros(0) for name, part in modelled.items() if part is not None}
    return Estimate(
        beta=np.zeros(0), cov_beta=np.zeros((0, 0)), df=np.zeros(0),
        shape={name: np.nan for name in problem.family.shape if name not in predictors},
        terms=tuple(
            TermEstimate(
                np.full_like(each.covariance(np.ones(each.n_params)), np.nan),
                np.zeros((each.n_levels, each.q)), np.nan if each.has_rho else None,
            )
            for each in structures
        ),
        llf=0.0, n_params=problem.n_params, converged=True, singular=(), messages=(),
        engine=engine, method=problem.method, predictors=predictors, predictor_se=predictors,
    )  # fmt: skip
