"""The reference grid of marginal means: levels of factors, covariates held, cells that exist."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.fitted.parts import PartFit
from glmmtools.formula.coding import variables_of
from glmmtools.formula.columns import is_factor_column, levels_of
from glmmtools.formula.design import FixedRows
from glmmtools.formula.grammar import variables_in
from glmmtools.formula.rank import estimable
from glmmtools.shared import messages
from glmmtools.shared.arguments import shown
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.text import listed, nearest

Array = np.ndarray
_WEIGHTING = {
    "equal": "equal weights",
    "proportional": "weights by the rows of each combination",
    "cells": "weights by the rows of each cell",
}


def label_of(value: Any) -> str:
    """A level as text; a number without trailing zeros.

    >>> label_of(0.2), label_of("Victory"), label_of(np.True_)
    ('0.2', 'Victory', 'True')
    """
    number = isinstance(value, (float, np.number)) and not isinstance(value, np.bool_)
    return f"{value:.10g}" if number else str(value)


def rows_of(frame: pd.DataFrame) -> list[tuple]:
    """The rows as tuples, to be keys of a dict."""
    return list(frame.itertuples(index=False, name=None))


def distinct_labels(rows: pd.DataFrame) -> list[str]:
    """One text a row, of its levels; rows that differ have texts that differ.

    >>> distinct_labels(pd.DataFrame({"a": ["N", "N P"], "b": ["P K", "K"]}))
    ['N × P K', 'N P × K']
    """
    for as_text, between in ((label_of, " "), (label_of, " × "), (repr, " × ")):
        labels = [between.join(map(as_text, row)) for row in rows_of(rows)]
        if len(set(labels)) == len(set(rows_of(rows))):
            break
    return labels


@hands_out_copies("rows", "data")
@dataclass(frozen=True, eq=False)
class Grid:
    """Every combination of the levels and values that the means of a model are averaged over.

    Attributes
    ----------
    targets : tuple of str
        The columns of the means, slowest first.
    factors : tuple of str
        All factors of the model, also those averaged over.
    values : dict
        Column to its levels or values, targets first.
    held : dict
        Covariate to the one value that it has.
    rows : DataFrame
        The grid, in the order of `values`.
    data : DataFrame
        The rows of the fit.
    notes : list of str
        What was left out, and why.
    """

    model: Fit
    targets: tuple[str, ...]
    factors: tuple[str, ...]
    values: dict[str, list]
    held: dict[str, float]
    rows: pd.DataFrame
    data: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, model: Fit, factors, by, at: dict[str, Any], beside: Sequence[str] = ()) -> Grid:
        """Build the grid of ``model.means(factors, by, at)``.

        `beside` are expressions that the means read beside the fixed part: of extra zeros, and of
        random effects that are averaged over.
        """
        design = model.design
        read = [design.formula.fixed, *beside]
        known = _factor_levels(model, read)
        offsets = [name for text in design.formula.offsets for name in variables_in(text)]
        columns = dict.fromkeys([*(name for text in read for name in variables_in(text)), *offsets])
        targets = (*by, *factors)
        for name in (*at, *targets):
            _check_known(name, columns, model)
        for name in targets:
            if name not in known and name not in at:
                raise ValueError(
                    f"{name!r} is numeric, and means are of the levels of a factor. Give values of "
                    f"it, at={{{name!r}: {_example(design.frame[name])}}}, or fit it as a factor "
                    f"with C({name}) in the formula"
                )
        values, held = {}, {}
        for name in dict.fromkeys([*targets, *columns]):
            given = _as_list(name, at[name]) if name in at else None
            if name in known:
                values[name] = known[name]
                if given is not None:
                    absent = design.new_data.why_absent(name)
                    values[name] = _kept(given, known[name], name, absent)
                continue
            observed = design.frame[name].to_numpy(float)
            if given is None:
                numbers = [float(observed.mean())]
            else:
                numbers = _numbers(name, given, observed, warn=name not in offsets)
            if len(numbers) > 1 or name in targets:
                values[name] = numbers
            else:
                held[name] = numbers[0]
        rows = pd.DataFrame(list(itertools.product(*values.values())), columns=list(values))
        for name in values:
            rows[name] = _like(rows[name], design.frame[name])
        return cls(model, targets, tuple(known), values, held, rows.assign(**held), design.frame)

    def fixed_rows(self, rows: pd.DataFrame) -> FixedRows:
        """The fixed part of rows such as those of the grid."""
        design = self.model.design
        return design.at_mean_offset().fixed_on(rows)

    def averaging(
        self, weights: str, additive: bool, beyond: Array
    ) -> tuple[pd.DataFrame, Callable[[Array], Array]]:
        """The cells of the means, and what averages values of the rows of the grid in each.

        `beyond` says how far each row goes beyond the data (:class:`FixedRows`).
        """
        shape = (int(np.prod([len(self.values[name]) for name in self.targets])), -1)
        impossible, empty = self._missing_cells()
        used = np.ones(len(self.rows)) if weights == "equal" else self._counts(weights)
        used = np.where(impossible, 0.0, used).reshape(shape)
        empty = (empty & ~impossible & estimable(beyond)).reshape(shape)
        present = used.sum(axis=1) > 0
        if not additive:
            present &= ~empty.all(axis=1)
            doubtful = empty & (used > 0) & present[:, None]
            if doubtful.any():
                self._refuse(doubtful)
        elif empty.any():
            self.notes.append("Cells without data are filled by the additivity of the effects.")
        cells = self.rows[list(self.targets)].iloc[:: used.shape[1]]
        left_out = ~present & ~impossible.reshape(shape).all(axis=1)
        if left_out.any():
            self._say_left_out(cells[left_out])
        if not present.any():
            raise ValueError(f"no row has the levels that {listed(self.targets)} would be kept at")
        share = used[present] / used[present].sum(axis=1, keepdims=True)

        def average(values: Array) -> Array:
            by_cell = values.reshape(*used.shape, *values.shape[1:])[present]
            return np.einsum("tk,tk...->t...", share, by_cell)

        return cells[present].reset_index(drop=True), average

    def _missing_cells(self) -> tuple[Array, Array]:
        """Rows that nesting makes impossible, and rows with two levels that no row has together."""
        impossible, empty = np.zeros(len(self.rows), bool), np.zeros(len(self.rows), bool)
        for pair in itertools.combinations(self.factors, 2):
            seen = self.data[list(pair)].drop_duplicates()
            keys = set(rows_of(seen))
            missing = np.array([key not in keys for key in rows_of(self.rows[list(pair)])])
            inner = [name for name in pair if not seen[name].duplicated().any()]
            if inner and missing.any():
                outer = pair[0] if inner[0] == pair[1] else pair[1]
                self.notes.append(
                    f"{inner[0]!r} is nested in {outer!r}: each of its levels occurs with one "
                    f"level of {outer!r} only, and is averaged within that."
                )
                impossible |= missing
            elif not inner:
                empty |= missing
        return impossible, empty

    def _counts(self, weights: str) -> Array:
        """Rows of data in each row of the grid: in its cell, or in its part not of the targets."""
        names = [f for f in self.factors if weights == "cells" or f not in self.targets]
        if not names:
            return np.ones(len(self.rows))
        counts = self.data.value_counts(names).to_dict()
        return np.array([counts.get(key, 0) for key in rows_of(self.rows[names])], float)

    def _refuse(self, bad: Array) -> None:
        row = self.rows[list(self.factors)].iloc[int(bad.ravel().argmax())]
        for a, b in itertools.combinations(self.factors, 2):
            if not ((self.data[a] == row[a]) & (self.data[b] == row[b])).any():
                raise ValueError(
                    f"no row has {a} = {label_of(row[a])!r} with {b} = {label_of(row[b])!r}, and "
                    "these means would be averaged over that empty cell. Keep levels that occur "
                    f"together, at={{{b!r}: [...]}}; use weights='cells'; or take the cell as the "
                    "sum of the two effects, with empty_cells='additive'"
                )

    def _say_left_out(self, cells: pd.DataFrame) -> None:
        names = ["/".join(map(label_of, row)) for row in rows_of(cells)]
        text = f"Left out, because no row has these levels together: {listed(names)}."
        self.notes.append(text)
        messages.issue((messages.DataWarning(f"{text} The model has no data on them."),))

    def description(self, weights: str) -> list[str]:
        """What the means are averaged over, and what is held at which value."""
        averaged = [name for name in self.values if name not in self.targets]
        held = [f"{name} = {value:.4g}" for name, value in self.held.items()]
        over = f"Averaged over {listed(averaged)} ({_WEIGHTING[weights]})." if averaged else ""
        fixed_at = f"Held at: {listed(held)}." if held else ""
        return [note for note in (over, fixed_at) if note]

    def interacting(self) -> str:
        """Say which factors of the means interact with what they are averaged over or held at."""
        pairs = {}
        for column in self.model.design.columns:
            read = [name for variable in column.variables for name in variable.columns]
            targets = [name for name in read if name in self.targets]
            others = [name for name in read if name in self.rows and name not in self.targets]
            pairs |= {(target, other): None for other in others for target in targets}
        if not pairs:
            return ""
        sentences = listed(f"{target} interacts with {other}" for target, other in pairs)
        return f"In the model {sentences}: differences between means depend on it."


def _factor_levels(model: Fit, expressions: Sequence[str]) -> dict[str, list]:
    """Factors that the expressions read and their levels, in the model's order."""
    design, levels = model.design, {}
    names = [name for text in expressions for name in variables_in(text)]
    for name in names:
        column = design.frame[name]
        if is_factor_column(column):
            levels[name] = levels_of(column)
    parts = [design, *model.problem.modelled.values()]
    for variable in (v for part in parts for v in variables_of(part.columns)):
        if variable.levels is not None and variable.column in names:
            levels.setdefault(variable.column, list(variable.levels))
    return levels


def _check_known(name: str, columns, model: Fit) -> None:
    design = model.design
    part = f"its {model.part} part" if isinstance(model, PartFit) else "the fixed part"
    if name in columns:
        return
    if name in design.frame.columns:
        grouping = name in design.formula.groups
        where = "a grouping factor of the random part" if grouping else f"not in {part}"
        raise ValueError(
            f"{name!r} is {where}; marginal means are of {part}, which has "
            f"{listed(columns) or 'no columns'}"
        )
    raise ValueError(
        f"there is no factor {name!r} in the model{nearest(name, columns)}. "
        f"Columns of {part}: {listed(columns) or 'none'}"
    )


def _as_list(name: str, given: Any) -> list:
    """One value of `at` or several as a list, each once."""
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given.item()
    single = isinstance(given, str) or not isinstance(given, Iterable)
    values = [given] if single else list(given)
    if not values:
        raise ValueError("at= holds an empty list; give at least one value")
    if not all(isinstance(value, Hashable) for value in values):
        raise ValueError(f"at= needs one value of {name!r} after the other; got {shown(given)}")
    return list(dict.fromkeys(values))


def _kept(given: list, levels: list, name: str, why_absent: str) -> list:
    """The levels that are given, also by their text where they are none."""
    known = dict.fromkeys(levels)
    by_text = {label_of(level): level for level in levels if not isinstance(level, str)}
    for value in given:
        if value not in known and not (isinstance(value, str) and value in by_text):
            texts = [label_of(level) for level in levels]
            as_text = " as text" if label_of(value) in texts else nearest(value, texts)
            names = [repr(level) if isinstance(level, str) else label_of(level) for level in levels]
            raise ValueError(
                f"{name!r} has no level {value!r}; levels{as_text}: {listed(names, 12)}{why_absent}"
            )
    found = (value if value in known else by_text[value] for value in given)
    return list(dict.fromkeys(found))


def _numbers(name: str, given: list, observed: Array, warn: bool) -> list[float]:
    try:
        numbers = list(map(float, given))
    except (TypeError, ValueError):
        raise ValueError(f"at= needs numbers for the covariate {name!r}; got {given}") from None
    if not np.isfinite(numbers).all():
        raise ValueError(f"at= needs finite numbers for the covariate {name!r}; got {given}")
    low, high = observed.min(), observed.max()
    outside = [number for number in numbers if not low <= number <= high]
    if outside and warn:
        text = f"{name} = {listed(map(label_of, outside))} lies outside the data"
        text += f" ({low:g} to {high:g}). This is an extrapolation: it rests on the model alone."
        messages.issue((messages.DataWarning(text),))
    return numbers


def _example(column: pd.Series) -> str:
    values = np.unique(column.to_numpy(float))
    chosen = values if len(values) <= 4 else np.quantile(values, [0.25, 0.75], method="nearest")
    return f"[{', '.join(map(label_of, chosen))}]"


def _like(values: pd.Series, column: pd.Series) -> pd.Series:
    """Levels in the type of the column of the fit, so that the formula reads them the same."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical(values, dtype=column.dtype), index=values.index)
    if pd.api.types.is_bool_dtype(column):
        return values.astype(bool)
    return values.astype(object) if values.dtype.name in ("str", "string") else values
