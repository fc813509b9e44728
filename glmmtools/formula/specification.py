"""A model written down rather than fitted: the design of a formula on a layout, its parameters.

Everything is checked here, so that what simulates and draws can rely on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.families.base import Family
from glmmtools.formula.columns import check_finite, select, to_frame
from glmmtools.formula.design import Design, assembled, columns_read
from glmmtools.formula.grammar import parse_formula
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.formula.response import Response
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
                f"{what} is for successes out of trials: family='binomial' or 'betabinomial'"
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
            square = " (the residual variance)" if family.name == "normal" else ""
            raise ValueError(f"phi{square} must be above 0; got {phi[~(phi > 0)].flat[0]:g}")
        shape["phi"] = phi if phi.ndim else float(phi)
    elif (phi != 1).any():
        raise ValueError(
            f"{family.name} has no dispersion phi; for more variation than it allows use "
            "overdispersion=, or a family with phi"
        )
    if family.name == "t":
        if df is not None and not df > 0:
            raise ValueError(f"the degrees of freedom df of t must be above 0; got {df:g}")
        shape["df"] = float(family.fixed.get("df", 8.0) if df is None else df)
    elif df is not None:
        raise ValueError(f"df is for the t family; {family.name} has none")
    return shape


def random_parameters(
    terms: Sequence[RandomTerm], sd: Any, corr: Any, rho: Any
) -> tuple[list[Array], list[float | None]]:
    """The covariance of each term's effects, and the correlation of ar1 and cs terms."""
    sizes = [len(term.components) for term in terms]
    pairs = [
        q * (q - 1) // 2 if term.structure == "unstructured" else 0
        for term, q in zip(terms, sizes, strict=True)
    ]
    sds = _by_term("sd", sd, terms, sizes, required=True)
    corrs = _by_term("corr", corr, terms, pairs)
    rhos = _by_term("rho", rho, terms, [int(t.serial) for t in terms], required=True)
    covariances, correlations = [], []
    for term, sigma, lower, each in zip(terms, sds, corrs, rhos, strict=True):
        q = len(term.names)
        lowest = -1 / (q - 1) if term.structure == "cs" else -1.0
        _check_range("sd", term, sigma, (sigma >= 0) & np.isfinite(sigma), "0 or more")
        _check_range("corr", term, lower, np.abs(lower) < 1, "strictly between -1 and 1")
        _check_range(
            "rho", term, each, (each > lowest) & (each < 1), f"strictly between {lowest:.4g} and 1"
        )
        C = np.eye(q)
        if len(lower):
            C[np.tril_indices(q, -1)] = lower
            C = C + C.T - np.eye(q)
            if np.linalg.eigvalsh(C)[0] <= 1e-12:
                raise ValueError(
                    f"the correlations of {term.group!r} do not fit together: no covariance matrix "
                    f"has corr = {lower.tolist()}"
                )
        scale = np.broadcast_to(sigma, 1 if term.structure == "ar1" else q)
        if term.structure == "cs":
            C = np.full((q, q), each[0])
            np.fill_diagonal(C, 1.0)
        covariances.append(C * np.outer(scale, scale))
        correlations.append(float(each[0]) if len(each) else None)
    return covariances, correlations


def _by_term(
    argument: str, given: Any, terms: Sequence[RandomTerm], sizes: list[int], required: bool = False
) -> list[Array]:
    """Values of one argument for each term; of a group with several terms, split in order."""
    groups = list(dict.fromkeys(t.group for t, size in zip(terms, sizes, strict=True) if size))
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
    found: list[Array | None] = [None if size else np.zeros(0) for size in sizes]
    for key, value in given.items():
        chosen = [i for i, t in enumerate(terms) if sizes[i] and key in (t.group, t.label)]
        if not chosen:
            raise ValueError(
                f"{argument} names {key!r}, but no random term of the formula has "
                f"{argument} by that name{nearest(key, groups)}. "
                f"Grouping factors with {argument}: {', '.join(groups) or 'none'}"
            )
        values = np.asarray(value, float)
        if values.ndim == 2:
            values = values[np.tril_indices(len(values), -1)]
        values = np.atleast_1d(values)
        expected = sum(sizes[i] for i in chosen)
        if len(values) != expected:
            columns = [name for i in chosen for name in terms[i].names]
            raise ValueError(
                f"{argument} of {key!r} needs {plural(expected, 'value')} "
                f"(columns {listed(columns)}); got {len(values)}"
            )
        for i in chosen:
            found[i], values = values[: sizes[i]], values[sizes[i] :]
    absent = [term for term, values in zip(terms, found, strict=True) if values is None]
    if absent and required:
        raise ValueError(f"{argument} has no value for {absent[0].group!r} of {absent[0].label}")
    return [
        np.zeros(size) if values is None else values
        for size, values in zip(sizes, found, strict=True)
    ]


def _check_range(argument: str, term: RandomTerm, values: Array, good: Array, valid: str) -> None:
    if not np.all(good):
        what = " (a standard deviation)" if argument == "sd" else ""
        raise ValueError(
            f"{argument} of {term.group!r}{what} must be {valid}; got {values[~good][0]:g}"
        )
