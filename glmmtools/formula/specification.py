"""A model written down rather than fitted: the design of a formula on a layout, its parameters.

Everything is checked here, so that what simulates and draws can rely on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.families.base import Family
from glmmtools.families.lookup import families_of_trials
from glmmtools.formula.columns import check_finite, select, to_frame
from glmmtools.formula.design import Design, assembled, columns_read
from glmmtools.formula.grammar import parse_formula, split_outside, unquoted
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.formula.response import Response, is_pair
from glmmtools.shared.text import listed, nearest, plural

Array = np.ndarray


# ------------------------------------------------------------------------------ the design


def specified_design(formula: str, layout: Any, family: Family, trials: Any = None) -> Design:
    """The `Design` of a formula on a layout that has no response yet (its ``y`` is nan)."""
    parsed = parse_formula(formula)
    whole = to_frame(layout)
    frame = columns_read(parsed, whole)
    absent = frame.columns[frame.isna().any()]
    if len(absent):
        row = frame.index[frame[absent[0]].isna().to_numpy().argmax()]
        raise ValueError(f"column {absent[0]!r} of the layout has a missing value in row {row}")
    check_finite(frame)
    totals = _trials(parsed.response, whole, family, trials)
    return assembled(parsed, frame, Response(parsed.response, np.full(len(frame), np.nan), totals))


def names_in(response: str) -> list[str]:
    """The columns that a response names: one, or the two of ``prop(y, n)`` and ``cbind(s, f)``."""
    parts = [response]
    if is_pair(response):
        inside = response[response.index("(") + 1 : response.rindex(")")]
        parts = [part for part, _ in split_outside(inside, ",")]
    for part in parts:
        if not re.fullmatch(r"[^\W\d]\w*|`[^`]+`", part):
            raise ValueError(
                f"the response must be the name of the column to make, or prop(y, n); "
                f"got {response!r}"
            )
    return [unquoted(part) for part in parts]


def _trials(response: str, layout: pd.DataFrame, family: Family, trials: Any) -> Array | None:
    names = names_in(response)
    if not family.takes_trials:
        if is_pair(response) or trials is not None:
            what = response if is_pair(response) else "trials="
            raise ValueError(
                f"{what} is for successes out of trials: family={families_of_trials()}"
            )
        return None
    if not is_pair(response):
        if trials is not None:
            raise ValueError(
                f"with trials= name a column for them too: prop({response}, n) in place of "
                f"{response}"
            )
        return np.ones(len(layout))
    wanted = names[1:] if response.startswith("prop") else names
    present = [name for name in wanted if name in layout.columns]
    if trials is None:
        if len(present) < len(wanted):
            raise ValueError(
                f"{response} needs the number of trials: give trials=, or a layout with "
                f"{' and '.join(map(repr, wanted))}"
            )
        trials = select(layout, wanted).to_numpy(float).sum(axis=1)
    elif response.startswith("prop") and present:
        raise ValueError(f"give the trials once: as column {wanted[0]!r} or as trials=, not both")
    values = np.asarray(trials, float)
    if values.shape not in ((), (len(layout),)):
        raise ValueError(
            f"trials needs one number, or one a row: {plural(len(layout), 'row')}, "
            f"trials of shape {values.shape}"
        )
    values = np.broadcast_to(values, len(layout))
    bad = ~((values >= 1) & (values == np.round(values)))
    if bad.any():
        raise ValueError(
            f"trials must be whole numbers, 1 or more; row {layout.index[bad.argmax()]} has "
            f"{values[bad.argmax()]:g}"
        )
    return values


def response_columns(design: Design, y: Array) -> dict[str, Array]:
    label = design.response.label
    names = names_in(label)
    if not is_pair(label):
        return {names[0]: y}
    trials = design.trials.astype(np.int64)
    return {names[0]: y, names[1]: trials if label.startswith("prop") else trials - y}


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
    beta = np.asarray(coef, float)
    if beta.shape != (len(names),):
        raise ValueError(
            f"coef needs {plural(len(names), 'value')} ({listed(names, 12)}); "
            f"got {plural(beta.size, 'value')}"
        )
    if not np.isfinite(beta).all():
        raise ValueError(f"coef holds {beta[~np.isfinite(beta)][0]} in place of a number")
    return beta


def checked_shape(family: Family, phi: Any, df: float | None) -> dict[str, Any]:
    shape = {}
    phi = np.asarray(phi, float)
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
    return shape


def random_parameters(
    terms: Sequence[RandomTerm], sd: Any, corr: Any, rho: Any
) -> tuple[list[Array], list[float | None]]:
    """The covariance of each term's effects, and the rho of those that have one."""
    structures = [term.structure for term in terms]
    sds = _by_term("sd", sd, terms, [len(each.sd_names) for each in structures], required=True)
    corrs = _by_term("corr", corr, terms, [each.n_corr for each in structures])
    rhos = _by_term("rho", rho, terms, [int(each.has_rho) for each in structures], required=True)
    covariances = [_covariance(*of_term) for of_term in zip(terms, sds, corrs, rhos, strict=True)]
    return covariances, [float(each[0]) if len(each) else None for each in rhos]


def _covariance(term: RandomTerm, sds: Array, corr: Array, rho: Array) -> Array:
    """The covariance of the effects of one level, of values in their range."""
    lowest = term.structure.lowest_rho
    _check_range("sd", term, sds, (sds >= 0) & np.isfinite(sds), "0 or more")
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
    takers = [i for i, size in enumerate(sizes) if size]
    groups = list(dict.fromkeys(terms[i].group for i in takers))
    values, absent = [np.zeros(size) for size in sizes], list(takers)
    for key, of_key in _by_group(argument, given, groups).items():
        chosen = [i for i in takers if key in (terms[i].group, terms[i].label)]
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
        raise ValueError(f"{argument} has no value for {term.group!r} of {term.label}")
    return values


def _by_group(argument: str, given: Any, groups: list[str]) -> dict[str, Array]:
    """Values by grouping factor; of a matrix its lower triangle row by row."""
    if given is None:
        given = {}
    elif not isinstance(given, Mapping):
        if not groups:
            raise ValueError(f"no random term of the formula takes {argument}; got {given!r}")
        if len(groups) > 1:
            raise ValueError(
                f"{argument} must be a dict by grouping factor ({', '.join(groups)}); got {given!r}"
            )
        given = {groups[0]: given}
    values = {key: np.asarray(value, float) for key, value in given.items()}
    return {
        key: np.atleast_1d(value[np.tril_indices(len(value), -1)] if value.ndim == 2 else value)
        for key, value in values.items()
    }


def _check_range(argument: str, term: RandomTerm, values: Array, good: Array, valid: str) -> None:
    if not np.all(good):
        what = " (a standard deviation)" if argument == "sd" else ""
        raise ValueError(
            f"{argument} of {term.group!r}{what} must be {valid}; got {values[~good][0]:g}"
        )
