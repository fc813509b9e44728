"""Are residuals of rows that lie near each other alike: Moran's I."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from glmmtools.fitted.fit import Fit
from glmmtools.formula.columns import codes_and_levels, is_factor_column
from glmmtools.residuals.tests import name_of, values_by_row

Array = np.ndarray
_NEIGHBOURS = 10


def neighbours_of(model: Fit, x: Any, y: Any, group: Any) -> sparse.csr_array:
    """Weights of the neighbours of each row, shape (n, n); each row of them sums to 1.

    Its ten nearest rows of the same group have weights 1 / distance; at one place the distance is
    taken for the least between two places.

    Raises
    ------
    ValueError
        If coordinates are not numbers, or all rows of a group lie at one place.
    """
    columns = []
    for argument, given in {"x": x, "y": y}.items():
        if given is None and argument == "y":
            continue
        values = values_by_row(model, given, argument)
        if is_factor_column(values):
            raise ValueError(
                f"{argument} is a coordinate, a number in each row; {name_of(given, argument)} "
                f"holds {values.tolist()[0]!r}"
            )
        columns.append(values.to_numpy(float))
    places = np.column_stack(columns)
    codes = np.zeros(len(places), int)
    if group is not None:
        codes = codes_and_levels(values_by_row(model, group, "group"))[0]
    parts = [
        _within(places[rows], rows)
        for rows in (np.flatnonzero(codes == code) for code in range(codes.max() + 1))
        if len(rows) > 1
    ]
    if not parts:
        raise ValueError("every group has a single row, so that there are no neighbours")
    weights, rows, columns = map(np.concatenate, zip(*parts, strict=True))
    return sparse.csr_array((weights, (rows, columns)), shape=(len(places), len(places)))


def _within(places: Array, rows: Array) -> tuple[Array, Array, Array]:
    """Weights of the neighbours of each place of a group, their rows and columns."""
    from scipy.spatial import KDTree

    distance, nearest = KDTree(places).query(places, min(_NEIGHBOURS + 1, len(places)))
    own = nearest == np.arange(len(places))[:, None]
    own[~own.any(axis=1), -1] = True  # further rows at the same place stand before it
    others = ~own
    distance = distance[others].reshape(len(places), -1)
    if not np.ptp(places, axis=0).any():
        raise ValueError(
            "all rows of a group lie at one place, so that none is nearer than another"
        )
    least = distance[distance > 0].min() if distance.any() else 1.0
    weight = 1 / np.maximum(distance, least)
    weight /= weight.sum(axis=1, keepdims=True)
    at = np.repeat(rows, weight.shape[1])
    return weight.ravel(), at, rows[nearest[others]]


def moran(scores: Array, weights: sparse.csr_array) -> Array:
    """Moran's I of scores around zero, shape (..., n), with weights that sum to 1 in each row."""
    around = (weights @ scores.T).T
    return np.sum(scores * around, axis=-1) / np.sum(scores**2, axis=-1)
