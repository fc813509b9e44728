"""Fits of separated data: the limit of the likelihood as some coefficients go to infinity.

An engine fits the rows that are not certain (`separation`); here its estimate becomes that of all
rows. In a row that is certain the density is 1 for every random effect, so that the limit is that
of the integral over the random effects too, however it is approximated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from glmmtools.covariances.base import Structure
from glmmtools.engine.estimate import Estimate, Limit, TermEstimate
from glmmtools.engine.problem import PARTS_IN_WORDS, Problem
from glmmtools.engine.separation import (
    Separation,
    no_finite_value,
    separated_names,
    separation_of,
)
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.formula.rank import Rank
from glmmtools.shared.messages import SeparationWarning, singular_message

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
    left, p = ~separation.certain, len(problem.design.names)
    parts = {name: Rank.of(part.X[left], part.columns) for name, part in problem.modelled.items()}
    before, k = (*estimate.terms, *estimate.zero_terms), len(estimate.terms)
    terms = [
        _without_absent(term, each, left) for term, each in zip(problem.random, before, strict=True)
    ]
    absent = tuple(
        term.label
        for term, each, found in zip(problem.random, terms, before, strict=True)
        if each is not found and term.label not in estimate.singular
    )
    whole = replace(
        estimate, limit=Limit(separation, estimate, parts), df=np.full(p, np.inf),
        n_params=problem.n_params, terms=tuple(terms[:k]), zero_terms=tuple(terms[k:]),
        singular=estimate.singular + absent,
    )  # fmt: skip
    messages = [
        _message(problem, separation),
        *(each for name, rank in parts.items() for each in rank.warnings(PARTS_IN_WORDS[name])),
        *([singular_message(absent, single=False)] if absent else []),
        *estimate.messages,
    ]
    return replace(
        whole, beta=whole.combined(np.eye(p)), cov_beta=whole.combined_covariance(np.eye(p)),
        messages=tuple(messages),
    )  # fmt: skip


def _message(problem: Problem, separation: Separation) -> SeparationWarning:
    names = separated_names(problem, separation)
    rest = "All rows are separated, so that nothing else can be estimated."
    if not separation.certain.all():
        rest = (
            "All other numbers are those of the rows that are not separated, and likelihood "
            f"ratios test {'it' if len(names) == 1 else 'them'}."
        )
    return SeparationWarning(
        f"{no_finite_value(problem, names)} {rest} For finite estimates fit with penalty=2.5, a "
        "prior on the slopes; or merge levels, or leave the column out."
    )


def _without_absent(term: RandomTerm, estimate: TermEstimate, left: Array) -> TermEstimate:
    """Without the effects of columns that are zero in all rows that are left.

    Such as a slope for a level whose rows are all certain: nothing is known of its variance.
    """
    if term.structure.one_effect_a_row or not left.any():
        return estimate
    present = np.any(term.Z[left] != 0, axis=0)
    if present.all():
        return estimate
    both = np.outer(present, present)
    return replace(
        estimate, covariance=np.where(both, estimate.covariance, 0.0),
        modes=np.where(present, estimate.modes, 0.0),
    )  # fmt: skip


def _of_no_rows(problem: Problem, engine: str) -> Estimate:
    """Where every row is certain: the likelihood is 1, whatever the other parameters are."""
    k = len(problem.design.random)
    terms = tuple(_of_no_row(term.structure) for term in problem.random)
    predictors = {name: np.zeros(0) for name in problem.modelled}
    return Estimate(
        beta=np.zeros(0), cov_beta=np.zeros((0, 0)), df=np.zeros(0),
        shape={name: np.nan for name in problem.family.shape if name not in predictors},
        terms=terms[:k], zero_terms=terms[k:],
        llf=0.0, n_params=problem.n_params, converged=True, singular=(), messages=(),
        engine=engine, method=problem.method, predictors=predictors,
        predictor_cov={name: np.zeros((0, 0)) for name in predictors},
    )  # fmt: skip


def _of_no_row(structure: Structure) -> TermEstimate:
    return TermEstimate(
        np.full_like(structure.covariance(np.ones(structure.n_params)), np.nan),
        np.zeros((structure.n_levels, structure.q)), np.nan if structure.has_rho else None,
    )  # fmt: skip
