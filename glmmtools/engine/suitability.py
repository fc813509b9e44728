"""From the arguments of a call of `fit` to a `Problem`; do the data suit the family?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from glmmtools.engine.identification import Identification
from glmmtools.engine.problem import ZERO, Problem
from glmmtools.families.base import Family
from glmmtools.formula.design import Design
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.formula.rank import Rank
from glmmtools.formula.strata import Strata
from glmmtools.shared.messages import DataWarning, FewUnitsWarning
from glmmtools.shared.text import listed, plural

Array = np.ndarray
_FEW_UNITS = 30  # fewer are not enough for z
_ROUNDING = 32 * np.finfo(float).eps


def check_problem(problem: Problem) -> None:
    """Raise ValueError if the rows are too few for the model, whatever their responses."""
    _check_groups(problem)
    if problem.has_two_parts:
        _check_above_zero(problem.design)
    if problem.n_params > problem.design.n:
        raise ValueError(
            f"the model has {plural(problem.n_params, 'parameter')} for "
            f"{plural(problem.design.n, 'row')}"
        )


_TWO_PARTS = "Zeros have a part of their own with zero_inflation='~ 1'"


def check_support(distribution: Family, design: Design, with_zeros: bool = False) -> None:
    """Raise ValueError for a response outside the support, and one that does not vary.

    `with_zeros`: zeros have a part of their own.
    """
    bad = distribution.outside_support(design.y, design.trials)
    if with_zeros:
        bad &= design.y != 0
    if bad.any():
        row = bad.argmax()
        hints = [distribution.slip]
        if distribution.takes_extra_zeros and np.all(design.y[bad] == 0):
            hints.append(_TWO_PARTS)
        raise ValueError(
            f"{distribution.name} needs {distribution.support}; row {design.frame.index[row]} has "
            f"{design.response.text} = {design.y[row]:g}. "
            f"{'. '.join(filter(None, hints))}".strip()
        )
    if with_zeros and not np.any(design.y):
        raise ValueError(f"every value of the response {design.response.text!r} is 0")
    share = design.y if design.trials is None else design.y / design.trials
    if np.all(share == share[0]):
        raise ValueError(
            f"every value of the response {design.response.text!r} is {share[0]:g}, so there is "
            "nothing to model"
        )


class ExactResponse(NamedTuple):
    """Why a response has no scatter, and the coefficients that give all of it (else nan)."""

    reason: str
    beta: Array


def exact_response(problem: Problem) -> ExactResponse | None:
    """Whether columns, or columns and groups, give every response exactly; None if they do not.

    Nothing is left for the dispersion, and the likelihood grows without limit as it goes to zero;
    so it does where that holds in all rows of one level of a dispersion formula.
    """
    design = problem.design
    if problem.family.discrete or problem.zero is not None:
        return None
    with np.errstate(all="ignore"):
        eta = problem.link(design.y) - design.offset
    if not np.all(np.isfinite(eta)):
        return None
    terms = [None, *(term for term in design.random if "Intercept" in term.names)]
    for rows in _rows_of_one_dispersion(problem):
        for term in terms:
            codes = np.arange(0) if term is None else term.codes[rows]
            if _is_exact(eta[rows], design.X[rows], codes, problem.reml):
                beta = np.full(design.X.shape[1], np.nan)
                if term is None and len(rows) == design.n:
                    beta = np.linalg.lstsq(design.X, eta)[0]
                return ExactResponse(_without_scatter(design, rows, term), beta)
    return None


def _rows_of_one_dispersion(problem: Problem) -> list[Array]:
    """All rows; with a dispersion formula of levels those of each."""
    everything = np.arange(problem.design.n)
    if problem.dispersion is None:
        return [everything]
    X = problem.dispersion.X
    levels, codes = np.unique(X, axis=0, return_inverse=True)
    if len(levels) > X.shape[1]:  # the dispersions of some depend on those of others
        return [everything]
    return [np.flatnonzero(codes.ravel() == code) for code in range(len(levels))]


def _without_scatter(design: Design, rows: Array, term: RandomTerm | None) -> str:
    text, where = design.response.text, ""
    cure = f"Is {text!r} computed from a column of the formula?"
    if term is not None:
        where = f"within each level of {term.group!r} "
        cure = (
            f"Are there too few rows for {term.label}, or is {text!r} one value a level, repeated?"
        )
    if len(rows) < design.n:
        names = listed(str(design.frame.index[row]) for row in rows)
        where += f"in {plural(len(rows), 'row')} with a dispersion of their own ({names}) "
        cure = "Merge levels of the dispersion formula, or leave those rows out"
    return (
        f"{where}the fixed part gives every value of the response {text!r} exactly: no scatter is "
        f"left, and the likelihood has no maximum. {cure}"
    )


def _is_exact(eta: Array, X: Array, codes: Array, reml: bool) -> bool:
    """Whether columns and one effect a group give eta up to rounding, and rows are left over.

    With REML these are rows beyond the columns too. A few groups are tried first.
    """
    order = np.argsort(codes, kind="stable") if len(codes) else np.arange(len(eta))
    for rows in (order[: 5 * X.shape[1] + 200], order):
        y, columns, groups = eta[rows], X[rows], 0
        if len(codes):
            _, own = np.unique(codes[rows], return_inverse=True)
            groups = own.max() + 1
            y, columns = _within(y, own), _within(columns, own)
        left = len(rows) - groups - reml * X.shape[1]
        if left <= 0 and len(rows) < len(eta):
            continue
        coefficients = np.linalg.lstsq(columns, y)[0]
        error = np.abs(y - columns @ coefficients)
        size = np.abs(eta[rows]) + np.abs(columns) @ np.abs(coefficients)
        if left <= 0 or error.max() > 1e-10 * y.std() + _ROUNDING * size.max():
            return False
    return True


def _within(values: Array, codes: Array) -> Array:
    """Deviations from the means of groups, by row."""
    totals = np.zeros((codes.max() + 1, *values.shape[1:]))
    np.add.at(totals, codes, values)
    return values - (totals.T / np.bincount(codes)).T[codes]


def _check_above_zero(design: Design) -> None:
    """The mean of the values that are not 0 needs such values, as of each level."""
    rank = Rank.of(design.X[design.y != 0], design.columns)
    unknown = [design.names[k] for k in range(len(design.names)) if k not in rank.kept]
    if unknown:
        raise ValueError(
            f"the values that are not 0 cannot estimate {listed(map(repr, unknown))}: does a level "
            "have zeros only? Merge levels, or leave out the column or those rows"
        )


def _check_groups(problem: Problem) -> None:
    """A variance between groups of one row each cannot be told from the residual variance."""
    distribution, design, terms = problem.family, problem.design, problem.random
    single_trials = distribution.takes_trials and np.all(design.trials == 1)
    has_residual = distribution.location_scale or distribution.normal_on_link_scale
    if not (has_residual or single_trials):
        terms = problem.zero_random
    for term in terms:
        effects = len(term.levels) * len(term.names)
        of_columns = term.structure.unrestricted and not term.structure.of_levels
        if of_columns and effects >= design.n:
            raise ValueError(
                f"the random term {term.label} has {effects} random effects for {design.n} rows; "
                f"they cannot be told from the residual variation. Does {term.group!r} name "
                "groups, or single rows?"
            )


def confounded_with_residual(problem: Problem) -> list[RandomTerm]:
    """Terms whose own variance cannot be told from the residual one.

    The residual variance adds to the diagonal of the covariance alone, and the structure can have
    any variance there: compound symmetries, series with one lag, a Toeplitz or a general matrix.
    """
    found = problem.identification
    if found is None or not problem.has_like_residuals:
        return []
    residual = len(found.parts) - 1
    return [
        term
        for k, term in enumerate(problem.design.random)
        if residual in found.tangled(k, residual)
    ]


def identification_warnings(problem: Problem) -> tuple[DataWarning, ...]:
    """Warn of variances and correlations that the rows cannot tell, with what to drop."""
    return (
        *(DataWarning(_beside_residual(t, problem)) for t in confounded_with_residual(problem)),
        *map(DataWarning, _beside_terms(problem.identification, problem.design.random)),
        *map(DataWarning, _beside_terms(problem.zero_identification, problem.zero_random)),
    )


def _beside_residual(term: RandomTerm, problem: Problem) -> str:
    structure = term.structure
    if structure.has_rho and not structure.heterogeneous:
        same = (
            f"Where the covariance is positive, (1 | {term.group}) is the same model without that "
            "question."
        )
    else:
        same = "Their sum is what is estimated; coefficients and their errors do not depend on it."
        if problem.family.has_residual_variance and not structure.bar:
            same += f" residual={term.label!r} in its place has no such question."
    return (
        f"These data tell the variance of a row and the covariance of two rows of one "
        f"{term.group!r}, but not which part of the variance is that of {term.label} and which is "
        f"residual. {same}"
    )


def _beside_terms(found: Identification | None, terms: Sequence[RandomTerm]) -> Iterator[str]:
    """What to say of terms that take each other's part, the residual left aside."""
    if found is None:
        return
    for k, term in enumerate(terms):
        if found.lost(k):
            yield (
                f"{term.label} has more variances and correlations than these data can tell, for "
                f"some belong to no two rows of one {term.group!r}: take a structure of fewer, "
                f"such as ar1() or cs()."
            )
    left = [k for k in range(len(terms)) if not found.lost(k)]
    while len(left) > 1 and (tangled := found.tangled(*left)):
        candidates = found.held(*left) or tangled
        spare = next((k for k in candidates if terms[k].structure.bar), candidates[-1])
        others = listed(terms[k].label for k in found.beside(spare, *left))
        yield (
            f"These data cannot tell {terms[spare].label} from {others}, whose covariance can be "
            f"the same: leave {terms[spare].label} out."
        )
        left.remove(spare)


def few_units(strata: Strata, terms: Iterable[str] | None = None) -> tuple[FewUnitsWarning, ...]:
    """Say which terms of the fixed part rest on fewer than 30 levels of a random term.

    Parameters
    ----------
    terms : iterable of str, optional
        By the names of the formula. Default: all but ``"1"``, the intercept.
    """
    if terms is None:
        terms = [term for term in strata.by_term if term != "1"]
    found: dict[tuple[str, int], list[str]] = {}
    for term in terms:
        units = strata.units(term) if term in strata.by_term else None
        if units is not None and units.n_levels < _FEW_UNITS:
            name = "Intercept" if term == "1" else term
            found.setdefault((units.group, units.n_levels), []).append(name)
    return tuple(
        FewUnitsWarning(
            f"{listed(names)}: judged by {n} levels of {group!r}, and with fewer than {_FEW_UNITS} "
            "z and chi-square reject too often. df='containment' takes t and F."
        )
        for (group, n), names in found.items()
    )


def confounded_groups(problem: Problem) -> tuple[DataWarning, ...]:
    """Warn of random intercepts whose groups the fixed part, of the mean or the zeros, tells apart.

    Where the indicators of the groups are sums of columns of X, as with one room for each
    treatment, the data say nothing on the variance between the groups.
    """
    warnings = []
    for term in problem.random:
        levels, part = len(term.levels), problem.zero if term.part == ZERO else problem.design
        if "Intercept" not in term.names or levels > part.X.shape[1]:
            continue
        indicators = (term.codes[:, None] == np.arange(levels)).astype(float)
        fitted = part.X @ np.linalg.lstsq(part.X, indicators, rcond=None)[0]
        if np.allclose(fitted, indicators, atol=1e-8):
            warnings.append(
                DataWarning(
                    f"The fixed part already tells the levels of {term.group!r} apart, so these "
                    f"data cannot estimate the variance in {term.label}, nor the standard error of "
                    "what differs between them. More levels of it in each treatment would."
                )
            )
    return tuple(warnings)
