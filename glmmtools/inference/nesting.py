"""Which models may be compared, and which is a special case of which.

A test of a variance is at the boundary of its range: when the smaller model is true, the estimate
is zero half of the time. With one variance added (and its correlations with those that were there)
the likelihood ratio is a fair mixture of two chi-squares (Stram & Lee 1994, Biometrics 50:1171).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmmtools.families.base import Family
from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.formula.design import FixedPart
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.matrices import spans

Array = np.ndarray


@dataclass(frozen=True)
class Extension:
    """What a larger model adds to a smaller one that is a special case of it.

    Attributes
    ----------
    boundaries : int
        Parameters added whose value in the smaller model is the end of their range.
    has_rho : bool
        Whether a correlation is added that the smaller model leaves without a value.
    """

    boundaries: int
    has_rho: bool


# ------------------------------------------------------------------------------ refusals


def check_comparable(models: Sequence[Fit]) -> None:
    """Raise ValueError if the log-likelihoods of the models are not of the same data."""
    for model in models:
        require_converged(model, "compare() needs")
    first = models[0]
    for other in models[1:]:
        for reason in _REFUSALS:
            sentence = reason(first, other)
            if sentence:
                raise ValueError(f"{first.formula!r} and {other.formula!r}: {sentence}")


def _different_response(one: Fit, other: Fit) -> str:
    a, b = one.problem.design, other.problem.design
    names = a.response.text, b.response.text
    if a.n != b.n:
        return (
            f"they are fitted to different rows ({a.n} and {b.n}), because of missing values or "
            "other data. Fit both to the rows without missing values: data.dropna(subset=[...])"
        )
    if (a.trials is None) != (b.trials is None):
        return "one has a response with trials and the other has not; they are different responses"
    same_trials = a.trials is None or np.array_equal(a.trials, b.trials)
    if same_trials and np.allclose(a.y, b.y, rtol=1e-12):
        return ""
    if names[0] != names[1]:
        return (
            f"they have different responses, {names[0]} and {names[1]}, whose likelihoods are on "
            "different scales. For a transformed response choose a link or a family on the "
            "response itself: family='lognormal' instead of log(y)"
        )
    return f"they are fitted to different rows, or rows in another order: {names[0]} differs"


def _different_weights(one: Fit, other: Fit) -> str:
    a, b = one.problem.design.weights, other.problem.design.weights
    a, b = (np.ones(one.nobs) if w is None else w for w in (a, b))
    return "" if np.allclose(a, b) else "they have different weights"


def _different_criterion(one: Fit, other: Fit) -> str:
    a, b = one.problem, other.problem
    if a.reml != b.reml:
        return "one is fitted by REML, the other by maximum likelihood; fit both with reml=False"
    same = a.design.X.shape == b.design.X.shape and np.allclose(a.design.X, b.design.X)
    if a.reml and not same:
        return (
            "REML likelihoods of different fixed parts are of different data (contrasts of the "
            "response) and cannot be compared; fit both with reml=False"
        )
    if a.nagq != b.nagq:
        return (
            f"their likelihoods are approximated differently, nagq={a.nagq} and nagq={b.nagq}; "
            "fit both with the same nagq"
        )
    return ""


_REFUSALS = (_different_response, _different_weights, _different_criterion)


# ------------------------------------------------------------------------------ nesting


def extension(smaller: Fit, larger: Fit) -> Extension | None:
    """What the larger model adds; None if the smaller one is not a special case of it."""
    a, b = smaller.problem, larger.problem
    same_fixed = (
        a.link.name == b.link.name
        and np.allclose(a.design.offset, b.design.offset)
        and spans(b.design.X, a.design.X)
        and spans(_columns(b.dispersion, a.design.n), _columns(a.dispersion, a.design.n))
    )
    homes = [
        next((k for k, other in enumerate(b.design.random) if _within(term, other)), None)
        for term in a.design.random
    ]
    beside = [_of_family(a.family, b.family), _of_zeros(a.zero, b.zero)]
    if not same_fixed or None in homes or None in beside:
        return None
    sds = [sum(len(term.structure.sd_names) for term in p.design.random) for p in (a, b)]
    new = [term for k, term in enumerate(b.design.random) if k not in homes]
    return Extension(sum(beside) + sds[1] - sds[0], any(term.structure.has_rho for term in new))


def _of_family(smaller: Family, larger: Family) -> int | None:
    """Boundaries that the larger family adds; None if it cannot be the smaller one."""
    if smaller.fixed != larger.fixed:
        return None
    if smaller.name == larger.name:
        return 0
    return 1 if larger.limit and larger.limit.family.name == smaller.name else None


def _of_zeros(smaller: FixedPart | None, larger: FixedPart | None) -> int | None:
    """As `_of_family`, of the probability of extra zeros."""
    if larger is None:
        return 0 if smaller is None else None
    if smaller is not None:
        return 0 if spans(larger.X, smaller.X) else None
    # a probability of zero leaves the other coefficients without a value
    return 1 if larger.X.shape[1] == 1 else None


def _columns(part: FixedPart | None, n: int) -> Array:
    """Without a formula a parameter is one number."""
    return np.ones((n, 1)) if part is None else part.X


def _within(term: RandomTerm, other: RandomTerm) -> bool:
    """Whether a random term is a special case of one of the larger model."""
    same_groups = len(term.levels) == len(other.levels) and len(
        np.unique(np.column_stack([term.codes, other.codes]), axis=0)
    ) == len(term.levels)
    return same_groups and term.structure.is_special_case_of(other.structure)
