"""A model written down rather than fitted: a formula on a layout, at given parameters.

Everything is checked here, so that what simulates and draws can rely on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.families.lookup import families_of_trials
from glmmtools.families.lookup import family as look_up
from glmmtools.formula.columns import check_finite, complete_rows, select, to_frame
from glmmtools.formula.design import Design, assembled, columns_read
from glmmtools.formula.grammar import parse_formula
from glmmtools.formula.linear_predictor import marginal_covariance
from glmmtools.formula.random_terms import RESIDUAL, RandomTerm, ResidualTerm, residual_term
from glmmtools.formula.residual import columns_of_residual, residual_spec
from glmmtools.formula.response import Response
from glmmtools.shared.arguments import numbers, shown
from glmmtools.shared.text import listed, nearest, plural

Array = np.ndarray
_LARGEST_COUNT = 1e15  # beyond it a count is no longer a whole number in floating point


# ------------------------------------------------------------------------------ the model


@dataclass(frozen=True, eq=False)
class Specification:
    """A model at given parameters; made by :func:`specified_model`.

    Attributes
    ----------
    design : Design
        Of the formula on the layout, n rows and p coefficients; its ``y`` is nan.
    family : Family
    link : Link
    beta : ndarray, shape (p,)
        Coefficients, on the scale of the linear predictor.
    covariances : list of ndarray, shape (q, q)
        For each of `structured` the covariance of the effects of one level.
    correlations : list of float or None
        For each of `structured` the correlation of ar1 and cs.
    shape : dict
        Shape parameters of the family by name: numbers; phi may be an array, shape (n,). Empty
        where the residuals have a structure.
    zero : float
        Probability of an extra zero.
    residual : ResidualTerm or None
        Residuals with a covariance structure.
    """

    design: Design
    family: Family
    link: Link
    beta: Array
    covariances: list[Array]
    correlations: list[float | None]
    shape: dict[str, Any]
    zero: float
    residual: ResidualTerm | None = None

    @property
    def structured(self) -> tuple[RandomTerm, ...]:
        """What has a covariance structure: the random terms, and the residuals if they have one."""
        random, residual = self.design.random, self.residual
        return random if residual is None else (*random, residual.in_tables)

    @property
    def row_parameters(self) -> dict[str, Any]:
        """What the family's functions take beside the mean: the shape, and trials."""
        further = {"trials": self.design.trials} if self.family.takes_trials else {}
        if self.residual is not None:
            further["phi"] = self.residual.structure.predictor_variances(self.covariances[-1])
        return self.shape | further

    def covariance(self) -> Array:
        """``ZGZ′ + R``, shape (n, n): Var(y) of a normal model with identity link."""
        V = np.diag(np.broadcast_to(self.shape.get("phi", 0.0), self.design.n))
        return V + marginal_covariance(self.structured, self.covariances, self.correlations)

    def check_mean(self, eta: Array) -> None:
        """Raise ValueError where a linear predictor, shape (n,), has a mean outside the range."""
        family, link = self.family, self.link
        low, high = family.mean_interval
        mu = link.inverse(eta)
        inside = np.isfinite(mu) & (np.abs(mu) < (_LARGEST_COUNT if family.counts else np.inf))
        covered = link.mean_interval[0] >= low and link.mean_interval[1] <= high
        if not covered or link.eta_interval[0] == 0:
            inside &= (mu > low) & (mu < high)
        if not inside.all():
            row = (~inside).argmax()
            raise ValueError(
                f"row {self.design.frame.index[row]} has the mean {mu[row]:.4g}, but {family.name} "
                f"needs {_range_text(low, high)}; coef and sd are on the scale of the {link.name} "
                "link"
            )


def _range_text(low: float, high: float) -> str:
    if high < np.inf:
        return f"a mean between {low:g} and {high:g}"
    return "a mean above 0 that is no astronomical number" if low == 0 else "a finite mean"


def specified_model(
    formula: str,
    layout: Any,
    family: str | Family = "normal",
    *,
    coef: Any = None,
    sd: Any = None,
    corr: Any = None,
    rho: Any = None,
    residual: str | None = None,
    phi: Any = 1.0,
    df: float | None = None,
    zero: float = 0.0,
    shape: Mapping[str, float] | None = None,
    trials: Any = None,
    link: str | Link | None = None,
) -> Specification:
    """The model of a formula on a layout at parameters given as in :func:`glmmtools.simulate`.

    Raises
    ------
    ValueError
        For a parameter that the model does not have or that is outside its range, or a column that
        the layout does not have.
    """
    distribution = look_up(family)
    chosen_link = distribution.check_link(link)
    values = checked_shape(distribution, phi, df, shape)
    check_extra_zeros("zero", zero, distribution)
    beside = {"phi": phi if np.any(values.get("phi", 1.0) != 1) else None}
    spec = residual_spec(residual, distribution, chosen_link, beside)
    design = specified_design(formula, layout, distribution, trials, *columns_of_residual(spec))
    if np.ndim(phi) and np.shape(phi) != (design.n,):
        raise ValueError(f"phi has shape {np.shape(phi)} for {plural(design.n, 'row')}")
    term, terms = None, design.random
    if spec is not None:
        term, values = residual_term(residual, spec, design.frame), {}
        terms = (*terms, term)
    beta = checked_coefficients(coef, design.names)
    covariances, correlations = random_parameters(terms, sd, corr, rho)
    return Specification(
        design, distribution, chosen_link, beta, covariances, correlations, values, zero, term
    )


# ------------------------------------------------------------------------------ the design


def specified_design(
    formula: str, layout: Any, family: Family, trials: Any = None, *also_used: str
) -> Design:
    """The `Design` of a formula on a layout that has no response yet (its ``y`` is nan).

    Its frame has the columns of the formula and of the expressions `also_used`.
    """
    parsed = parse_formula(formula)
    whole = to_frame(layout)
    frame = columns_read(parsed, whole, *also_used)
    absent = frame.columns[frame.isna().any()]
    if len(absent):
        row = frame.index[frame[absent[0]].isna().to_numpy().argmax()]
        raise ValueError(f"column {absent[0]!r} of the layout has a missing value in row {row}")
    frame = complete_rows(frame, np.ones(len(frame), bool))
    check_finite(frame)
    response = Response.written(parsed.response)
    totals = _trials(response, whole, family, trials)
    unknown = np.full(len(frame), np.nan)
    return assembled(parsed, frame, replace(response, y=unknown, trials=totals))


def _trials(response: Response, layout: pd.DataFrame, family: Family, trials: Any) -> Array | None:
    names = response.new_columns()
    if not family.takes_trials:
        if response.function or trials is not None:
            what = response.text if response.function else "trials="
            raise ValueError(
                f"{what} is for successes out of trials: family={families_of_trials()}"
            )
        return None
    if not response.function:
        if trials is not None:
            raise ValueError(
                f"with trials= name a column for them too: prop({response.text}, n) in place of "
                f"{response.text}"
            )
        return np.ones(len(layout))
    wanted = names[1:] if response.function == "prop" else names
    present = [name for name in wanted if name in layout.columns]
    if trials is None:
        if len(present) < len(wanted):
            raise ValueError(
                f"{response.text} needs the number of trials: give trials=, or a layout with "
                f"{' and '.join(map(repr, wanted))}"
            )
        trials = select(layout, wanted).to_numpy(float).sum(axis=1)
    elif response.function == "prop" and present:
        raise ValueError(f"give the trials once: as column {wanted[0]!r} or as trials=, not both")
    values = numbers("trials", trials)
    if values.shape not in ((), (len(layout),)):
        raise ValueError(
            f"trials needs one number, or one a row: {plural(len(layout), 'row')}, "
            f"trials of shape {values.shape}"
        )
    values = np.broadcast_to(values, len(layout))
    bad = ~((values >= 1) & (values == np.round(values)) & (values < _LARGEST_COUNT))
    if bad.any():
        raise ValueError(
            f"trials must be whole numbers, 1 or more; row {layout.index[bad.argmax()]} has "
            f"{values[bad.argmax()]:g}"
        )
    return values


def response_columns(design: Design, y: Array) -> dict[str, Array]:
    response = design.response
    name, *second = response.new_columns()
    if not second:
        return {name: y}
    trials = design.trials.astype(np.int64)
    return {name: y, second[0]: trials if response.function == "prop" else trials - y}


# ------------------------------------------------------------------------------ parameters


def checked_coefficients(coef: Any, names: tuple[str, ...]) -> Array:
    if coef is None:
        return np.zeros(len(names))
    if isinstance(coef, (Mapping, pd.Series)):
        coef = dict(coef)
        for name in coef:
            if name not in names:
                raise ValueError(
                    f"coef names {name!r}, which is no coefficient of the formula"
                    f"{nearest(name, names)}. Coefficients: {listed(names, 12)}"
                )
        coef = [coef.get(name, 0.0) for name in names]
    beta = numbers("coef", coef)
    if beta.shape != (len(names),):
        raise ValueError(
            f"coef needs {plural(len(names), 'value')} ({listed(names, 12)}); "
            f"got {plural(beta.size, 'value')}"
        )
    if not np.isfinite(beta).all():
        raise ValueError(f"coef holds {beta[~np.isfinite(beta)][0]} in place of a number")
    return beta


def checked_shape(
    family: Family, phi: Any, df: float | None, others: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Shape parameters by name, in their range; of `others` those left out are typical ones."""
    shape: dict[str, Any] = {}
    phi = numbers("phi", phi)
    if "phi" in family.shape:
        if not (phi > 0).all():
            square = " (the residual variance)" if family.has_residual_variance else ""
            raise ValueError(f"phi{square} must be above 0; got {phi[~(phi > 0)].flat[0]:g}")
        shape["phi"] = phi if phi.ndim else float(phi)
    elif (phi != 1).any():
        raise ValueError(
            f"{family.name} has no dispersion phi; for more variation than it allows use "
            "overdispersion=, or a family with phi"
        )
    if "df" in (*family.shape, *family.fixed):
        if df is not None and not df > 0:
            raise ValueError(f"the degrees of freedom df of t must be above 0; got {df:g}")
        shape["df"] = float(family.fixed.get("df", 8.0) if df is None else df)
    elif df is not None:
        raise ValueError(f"df is for the t family; {family.name} has none")
    others, further = dict(others or {}), [name for name in family.shape if name not in shape]
    for name, value in others.items():
        if name not in further:
            valid = listed(further) if further else "none"
            raise ValueError(f"shape names {name!r}; further parameters of {family.name}: {valid}")
        if not value > 0:
            raise ValueError(f"{name} must be above 0; got {value:g}")
    return shape | {name: float(others.get(name, family.example[name])) for name in further}


def check_extra_zeros(argument: str, probability: float, family: Family) -> None:
    """Raise ValueError for what is no probability, or a family that has no extra zeros."""
    if not 0 <= probability < 1:
        raise ValueError(f"{argument} is a probability, 0 or more and below 1; got {probability:g}")
    if probability:
        family.check_extra_zeros(argument)


def random_parameters(
    terms: Sequence[RandomTerm], sd: Any, corr: Any, rho: Any
) -> tuple[list[Array], list[float | None]]:
    """The covariance of each term's effects, and the rho of those that have one.

    The residuals, where they have a structure, are the last of the terms.
    """
    structures = [term.structure for term in terms]
    sds = _by_term("sd", sd, terms, [len(each.sd_names) for each in structures], required=True)
    corrs = _by_term("corr", corr, terms, [each.n_corr for each in structures])
    rhos = _by_term("rho", rho, terms, [int(each.has_rho) for each in structures], required=True)
    covariances = [_covariance(*of_term) for of_term in zip(terms, sds, corrs, rhos, strict=True)]
    return covariances, [float(each[0]) if len(each) else None for each in rhos]


def _covariance(term: RandomTerm, sds: Array, corr: Array, rho: Array) -> Array:
    """The covariance of the effects of one level, of values in their range."""
    lowest = term.structure.lowest_rho
    good, valid = (sds >= 0) & np.isfinite(sds), "0 or more"
    if isinstance(term, ResidualTerm):
        good, valid = good & (sds > 0), "above 0"
    _check_range("sd", term, sds, good, valid)
    _check_range("corr", term, corr, np.abs(corr) < 1, "strictly between -1 and 1")
    _check_range(
        "rho", term, rho, (rho > lowest) & (rho < 1), f"strictly between {lowest:.4g} and 1"
    )
    C = term.structure.correlation_matrix(corr, float(rho[0]) if len(rho) else None)
    if len(corr) and np.linalg.eigvalsh(C)[0] <= 1e-12:
        raise ValueError(
            f"the correlations of {term.group!r} do not fit together: no covariance matrix "
            f"has corr = {corr.tolist()}"
        )
    scale = np.broadcast_to(sds, len(C))
    return C * np.outer(scale, scale)


def _by_term(
    argument: str, given: Any, terms: Sequence[RandomTerm], sizes: list[int], required: bool = False
) -> list[Array]:
    """Values of one argument for each term; of a group with several terms, split in order."""
    takers, called = [i for i, size in enumerate(sizes) if size], _called(terms)
    groups = list(dict.fromkeys(called[i][0] for i in takers))
    values, absent = [np.zeros(size) for size in sizes], list(takers)
    for key, of_key in _by_group(argument, given, groups).items():
        chosen = [i for i in takers if key in called[i]]
        if not chosen:
            raise ValueError(
                f"{argument} names {key!r}, but no random term of the formula has "
                f"{argument} by that name{nearest(key, groups)}. "
                f"Grouping factors with {argument}: {', '.join(groups) or 'none'}"
            )
        ends = np.cumsum([sizes[i] for i in chosen])
        if len(of_key) != ends[-1]:
            columns = [name for i in chosen for name in terms[i].names]
            raise ValueError(
                f"{argument} of {key!r} needs {plural(int(ends[-1]), 'value')} "
                f"(columns {listed(columns)}); got {len(of_key)}"
            )
        for i, of_term in zip(chosen, np.split(of_key, ends[:-1]), strict=True):
            values[i] = of_term
        absent = [i for i in absent if i not in chosen]
    if absent and required:
        term = terms[absent[0]]
        raise ValueError(f"{argument} has no value for {called[absent[0]][0]!r} of {term.label}")
    return values


def _called(terms: Sequence[RandomTerm]) -> list[tuple[str, ...]]:
    """What an argument may call each term: its group, or as it is written.

    Residuals are Residual, as in tables; or their group, where no other term is of that.
    """
    of_random = {term.group for term in terms if not isinstance(term, ResidualTerm)}
    names = []
    for term in terms:
        if not isinstance(term, ResidualTerm):
            names.append((term.group, term.label))
            continue
        group = () if term.group in of_random else (term.group,)
        names.append((RESIDUAL, term.label, term.text, *group))
    return names


def _by_group(argument: str, given: Any, groups: list[str]) -> dict[str, Array]:
    """Values by grouping factor; of a matrix its lower triangle row by row."""
    if given is None:
        given = {}
    elif not isinstance(given, Mapping):
        if not groups:
            raise ValueError(f"no random term of the formula takes {argument}; got {shown(given)}")
        if len(groups) > 1:
            raise ValueError(
                f"{argument} must be a dict by grouping factor ({', '.join(groups)}); got "
                f"{shown(given)}"
            )
        given = {groups[0]: given}
    values = {key: numbers(argument, value) for key, value in given.items()}
    return {
        key: np.atleast_1d(value[np.tril_indices(len(value), -1)] if value.ndim == 2 else value)
        for key, value in values.items()
    }


def _check_range(argument: str, term: RandomTerm, values: Array, good: Array, valid: str) -> None:
    if not np.all(good):
        what = " (a standard deviation)" if argument == "sd" else ""
        group = RESIDUAL if isinstance(term, ResidualTerm) else term.group
        raise ValueError(f"{argument} of {group!r}{what} must be {valid}; got {values[~good][0]:g}")
