"""Fits of separated data: the limit of the likelihood as some coefficients go to infinity.

An engine fits the rows that are not certain (`separation`); here its estimate becomes that of all
rows. In a row that is certain the density is 1 for every random effect, so that the limit is that
of the integral over the random effects too, however it is approximated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

import numpy as np

from glmmtools.engine.estimate import Estimate, Limit, TermEstimate
from glmmtools.engine.problem import Problem
from glmmtools.engine.separation import Separation, separation_message, separation_of
from glmmtools.formula.rank import Rank

Array = np.ndarray
Fitter = Callable[[Problem], Estimate]


def with_limits(fit: Fitter) -> Fitter:
    """Let an engine fit separated data: it fits the rows that are not certain."""

    @wraps(fit)
    def fit_or_limit(problem: Problem) -> Estimate:
        separation = separation_of(problem)
        if separation is None:
            return fit(problem)
        left = problem.on_rows(~separation.certain, separation.rank.kept)
        none_left = left.design.n == 0
        estimate = _of_no_rows(left, fit) if none_left else fit(left)
        return _in_the_limit(problem, separation, estimate)

    return fit_or_limit


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


def _of_no_rows(problem: Problem, fit: Fitter) -> Estimate:
    """Where every row is certain: the likelihood is 1, whatever the other parameters are."""
    nothing = np.zeros(0)
    terms = []
    for term in problem.design.random:
        G = term.structure.covariance(np.ones(term.structure.n_params))
        modes = np.zeros((term.structure.n_levels, term.structure.q))
        rho = np.nan if term.structure.has_rho else None
        terms.append(TermEstimate(np.full_like(G, np.nan), modes, rho))
    return Estimate(
        beta=nothing, cov_beta=np.zeros((0, 0)), df=nothing,
        shape={name: np.nan for name in problem.family.shape if name != "phi" or problem.dispersion is None},
        terms=tuple(terms), llf=0.0, n_params=0, converged=True, singular=(), messages=(),
        engine=fit.__module__.rpartition(".")[2], method="ML",
        predictors={}, predictor_se={},
    )  # fmt: skip
