"""Random effects and their variance parameters as named values: the rows of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.engine.estimate import TermEstimate
from glmmtools.engine.problem import COEFFICIENT_NAMES
from glmmtools.formula.random_terms import RESIDUAL, RandomTerm

Array = np.ndarray


def component_values(
    terms: Sequence[RandomTerm], covariances: Sequence[Array], correlations: Sequence[float | None]
) -> dict[str, float]:
    """Standard deviations and correlations by name, as in the table of profile intervals."""
    values: dict[str, float] = {}
    for term, G, correlation in zip(terms, covariances, correlations, strict=True):
        structure = term.structure
        for name, sd in zip(structure.sd_names, np.sqrt(np.diag(G)), strict=False):
            values[parameter_name("sd", term, name)] = float(sd)
        correlations_by_name = structure.correlations(G, correlation)
        for name, value in zip(structure.correlation_names, correlations_by_name, strict=True):
            values[parameter_name("corr", term, name)] = float(value)
    return values


def parameter_name(what: str, term: RandomTerm, name: str) -> str:
    """``"sd subject Intercept"``; of a term of the zeros ``"logit zero: sd site Intercept"``."""
    own = f"{what} {term.group} {name}"
    return own if term.part == "mean" else COEFFICIENT_NAMES[term.part].format(own)


def components_table(
    terms: Sequence[tuple[RandomTerm, TermEstimate]], phi: float | None
) -> pd.DataFrame:
    """The table of variance components, the last a residual variance: see `Fit`."""
    rows: list[dict[str, Any]] = []
    of_parts = has_parts([term for term, _ in terms])
    for term, estimate in terms:
        G, rho = estimate.covariance, estimate.correlation
        sd = np.sqrt(np.diag(G))
        for i, name in enumerate(term.structure.sd_names):
            row = {"group": term.group, "term": name, "variance": sd[i] ** 2, "sd": sd[i]}
            row |= {"part": term.part} if of_parts else {}
            for j, correlation in enumerate(term.structure.beside_sd(i, G, rho), start=1):
                row["corr" if j == 1 else f"corr{j}"] = correlation
            rows.append(row)
    if phi is not None:
        rows.append({"group": RESIDUAL, "term": "", "variance": phi, "sd": np.sqrt(phi)})
    columns = [*(["part"] if of_parts else []), "group", "term", "variance", "sd", "corr"]
    further = {key for row in rows for key in row} - set(columns)
    columns += sorted(further, key=lambda key: (len(key), key))
    return pd.DataFrame(rows, columns=columns)


def has_parts(terms: Sequence[RandomTerm]) -> bool:
    """Whether some of the terms are of the zeros, so that a table says of each which it is of."""
    return any(term.part != "mean" for term in terms)


def tidy_effects(terms: Sequence[RandomTerm], **values: Sequence[Array]) -> dict[str, list]:
    """The columns of a table with one row a random effect: ``group, level, term`` and `values`.

    Each of the values has an array for each term, shape (levels, q). A first column ``part`` where
    the zeros have random terms too.
    """
    of_parts = ["part"] if has_parts(terms) else []
    table: dict[str, list] = {name: [] for name in (*of_parts, "group", "level", "term", *values)}
    for number, term in enumerate(terms):
        labels, exists = term.structure.effect_labels()
        levels = np.repeat(term.levels, exists.sum(axis=1))
        if of_parts:
            table["part"] += [term.part] * len(levels)
        table["group"] += [term.group] * len(levels)
        table["level"] += levels.tolist()
        table["term"] += labels[exists].tolist()
        for name, arrays in values.items():
            table[name] += arrays[number][exists].tolist()
    return table
