"""The sizes of a study: the grid of them, and the layout at one of them.

A layout with more units, or with more rows within each, is made of copies of the rows it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.formula.design import Design
from glmmtools.formula.grammar import variables_in
from glmmtools.shared.arguments import is_count
from glmmtools.shared.text import listed, nearest, plural

Array = np.ndarray


def size_grid(along: str | None, within: str | None, sizes: Any) -> list[dict[str, int]]:
    """Every combination of sizes, as ``{column: number}``."""
    columns = [name for name in (along, within) if name is not None]
    if not columns:
        if sizes is not None:
            raise ValueError(
                "sizes= needs the column that they count: along='pig' for more pigs, "
                "within='day' for more days of each"
            )
        return [{}]
    if len(set(columns)) < len(columns):
        raise ValueError(f"along= and within= both name {along!r}; the rows within are of another")
    if sizes is None:
        raise ValueError(f"give the numbers of {listed(columns)} to study, as sizes=[10, 20, 40]")
    if not isinstance(sizes, Mapping):
        if len(columns) > 1:
            raise ValueError(
                f"with along= and within= give sizes by column: sizes={{{columns[0]!r}: [10, 20], "
                f"{columns[1]!r}: [3, 6]}}"
            )
        sizes = {columns[0]: sizes}
    for name in sizes:
        if name not in columns:
            raise ValueError(
                f"sizes names {name!r}{nearest(name, columns)}, but along= and within= name "
                f"{listed(columns)}"
            )
    absent = [name for name in columns if name not in sizes]
    if absent:
        raise ValueError(f"sizes has no numbers for {absent[0]!r}")
    numbers = [_checked(name, sizes[name]) for name in columns]
    return [dict(zip(columns, size, strict=True)) for size in product(*numbers)]


def _checked(name: str, sizes: Any) -> list[int]:
    values = list(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else [sizes]
    for size in values:
        if not is_count(size):
            raise ValueError(f"sizes of {name!r} are whole numbers, 1 or more; got {size!r}")
    if not values or len(set(values)) < len(values):
        raise ValueError(f"sizes of {name!r} must be distinct, and one at least; got {values}")
    return sorted(map(int, values))


def extended(
    design: Design,
    along: str | None,
    within: str | None,
    size: dict[str, int],
    groups: Sequence[str],
) -> tuple[pd.DataFrame, Array]:
    """The frame of a design at one size of the grid, and which row each of its rows copies.

    Units are taken in turn, so that treatments stay as balanced as they can. A copied unit gets a
    new label, and so do the units nested in it, those of `groups`. A numeric column of `within`
    goes on in its steps.
    """
    frame = design.frame
    parts = (design.formula.fixed, *design.formula.offsets)
    fixed = list(dict.fromkeys(name for part in parts for name in variables_in(part)))
    units = list(dict.fromkeys(name for name in (*groups, along, within) if name is not None))
    rows = np.arange(len(frame))
    for role, column in (("within", within), ("along", along)):
        if column is None:
            continue
        _check_column(role, column, frame, fixed, groups, along)
        around = [name for name in (*units, *fixed) if name in frame and name != column]
        order = _in_turn(frame, pd.factorize(frame[column])[0], around)
        frame, taken = _resized(frame, column, size[column], units, order, role == "within")
        rows = rows[taken]
    return frame, rows


def _check_column(role, column, frame, fixed, groups, along) -> None:
    if column not in frame.columns:
        raise ValueError(
            f"{role}={column!r} is no column of the layout{nearest(column, frame.columns)}. "
            f"Columns: {listed(frame.columns, 12)}"
        )
    numeric = pd.api.types.is_numeric_dtype(frame[column])
    if column in fixed and (role == "along" or not numeric):
        raise ValueError(
            f"{role}={column!r} has coefficients in the fixed part, so its levels cannot be "
            f"multiplied. {'Name the units: ' + listed(groups) if groups else 'Name a column of'}"
            f"{'' if groups else ' units'}, or make one layout of each size"
        )
    if role == "within" and along is None and [column] == groups:
        raise ValueError(f"within={column!r} names the groups; for more of them along={column!r}")
    around = along if along is not None else next((g for g in groups if g != column), None)
    if role == "within" and around is not None and column != around and column in frame:
        varies = frame.groupby(around, observed=True)[column].nunique().max() > 1
        if not varies:
            raise ValueError(
                f"within={column!r} does not vary within a level of {around!r}; for more units "
                f"give along={column!r}"
            )


def _resized(frame, column: str, size: int, units: Sequence[str], order: Array, within: bool):
    codes, labels = pd.factorize(frame[column], sort=False)
    series = within and pd.api.types.is_numeric_dtype(frame[column])
    order = np.argsort(labels) if series else order
    copy, position = np.divmod(np.arange(size), len(order))
    rows_by_unit = [np.flatnonzero(codes == order[place]) for place in position]
    lengths = [len(rows) for rows in rows_by_unit]
    taken = np.concatenate(rows_by_unit)
    copies = np.repeat(copy, lengths)
    resized = frame.iloc[taken].reset_index(drop=True)
    for name in units:
        inside = frame.groupby(name, observed=True)[column].nunique().max() == 1
        if inside and not (series and name == column):
            old = resized[name].astype(str)
            new = old.where(copies == 0, old + "." + pd.Series(copies + 1).astype(str))
            resized[name] = pd.Categorical(new, categories=list(dict.fromkeys(new)))
    if series:
        values = _continued(np.sort(np.asarray(labels)), size, column)
        resized[column] = np.repeat(values, lengths)
    return resized, taken


def _in_turn(frame: pd.DataFrame, codes: Array, names: Sequence[str]) -> Array:
    """Units in an order whose beginning holds every combination of what is constant in a unit.

    A numeric column counts where at least four units share a value: a dose, not an age.
    """
    units = codes.max() + 1
    first = pd.Series(codes).drop_duplicates().index
    constant = []
    for name in names:
        most = units // 4 if pd.api.types.is_numeric_dtype(frame[name]) else units - 1
        if frame[name].nunique() <= most and (frame.groupby(codes)[name].nunique() == 1).all():
            constant.append(name)
    if not constant:
        return np.arange(units)
    around = frame.iloc[first].groupby(constant, observed=True, dropna=False)
    return np.argsort(around.cumcount().to_numpy(), kind="stable")


def _continued(values: Array, size: int, column: str) -> Array:
    if size <= len(values):
        return values[:size]
    steps = np.diff(values)
    if len(steps) == 0 or not np.allclose(steps, steps[0]):
        raise ValueError(
            f"within={column!r} has {plural(len(values), 'value')}, {listed(values)}, without a "
            f"step in which it could go on to {size}; give a layout with all of them"
        )
    return np.concatenate([values, values[-1] + steps[0] * np.arange(1, size - len(values) + 1)])
