"""Random effects and their variance parameters as named values: the rows of tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glmmtools.formula.random_terms import RandomTerm

Array = np.ndarray


def component_values(
    terms: Sequence[RandomTerm], covariances: Sequence[Array], correlations: Sequence[float | None]
) -> dict[str, float]:
    """Standard deviations and correlations by name, as in the table of profile intervals."""
    values: dict[str, float] = {}
    for term, G, correlation in zip(terms, covariances, correlations, strict=True):
        sd = np.sqrt(np.diag(G))
        names = term.components
        for name, each in zip(names, sd, strict=False):
            values[f"sd {term.group} {name}"] = float(each)
        if correlation is not None:
            values[f"corr {term.group} {names[0]}"] = float(correlation)
        elif term.structure == "unstructured":
            for i, j in zip(*np.tril_indices(len(sd), -1), strict=True):
                product = sd[i] * sd[j]
                values[f"corr {term.group} {names[j]}, {names[i]}"] = (
                    float(G[i, j] / product) if product > 0 else np.nan
                )
    return values


def tidy_effects(terms: Sequence[RandomTerm], **values: Sequence[Array]) -> dict[str, list]:
    """The columns of a table with one row a random effect: ``group, level, term`` and `values`.

    Each of the values has an array for each term, shape (levels, q).
    """
    table: dict[str, list] = {name: [] for name in ("group", "level", "term", *values)}
    for number, term in enumerate(terms):
        labels = np.tile(np.array(term.names, object), (len(term.levels), 1))
        exists = np.ones(labels.shape, bool)
        if term.structure == "ar1":
            times = term.series[1]
            exists = ~np.isnan(times)
            labels = np.array(
                [[f"{term.names[0]}[{time:g}]" for time in row] for row in times], object
            )
        levels = np.repeat(term.levels, exists.sum(axis=1))
        table["group"] += [term.group] * len(levels)
        table["level"] += levels.tolist()
        table["term"] += labels[exists].tolist()
        for name, arrays in values.items():
            table[name] += arrays[number][exists].tolist()
    return table
