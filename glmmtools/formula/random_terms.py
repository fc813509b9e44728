"""Random terms: their columns, group codes and times on the rows of a data frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.formula.coding import ModelColumn, model_matrix
from glmmtools.formula.columns import (
    apply_recipe,
    numeric,
)
from glmmtools.formula.grammar import (
    RANDOM_FUNCTIONS,
    RandomSpec,
)

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class RandomTerm:
    """The columns and group codes of one random term.

    Attributes
    ----------
    label : str
        The term as the user knows it, ``"(x | block:plot)"``.
    group : str
        Name of the grouping factor, ``"block:plot"`` for an interaction.
    names : tuple of str
        Names of the q columns.
    Z : ndarray, shape (n, q)
        The columns, before they are spread over the levels.
    codes : ndarray of int, shape (n,)
        Level of each row; -1 for a level that was not in the data of the fit.
    levels : ndarray of object
        Labels of the levels.
    structure : {"unstructured", "independent", "ar1", "cs"}
    time, places : ndarray, shape (n,), or None
        Times of an ar1 term, and the place of each in the series of its level.
    column_name : str
        What stands left of the bar, for a term of time.
    columns : tuple of ModelColumn, length q
        What each column of Z is; empty for an ar1 term.
    """

    label: str
    group: str
    names: tuple[str, ...]
    Z: Array
    codes: Array
    levels: Array
    structure: str
    time: Array | None = None
    column_name: str = ""
    places: Array | None = None
    columns: tuple[ModelColumn, ...] = ()

    @property
    def serial(self) -> bool:
        """Whether one sd and one correlation hold for all columns: ar1 and cs."""
        return self.structure in RANDOM_FUNCTIONS

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the standard deviations: one for a series or a compound symmetry."""
        if self.serial:
            return (f"{self.structure}({self.column_name})",)
        return self.names

    @cached_property
    def series(self) -> tuple[Array, Array]:
        """For ar1: place of each row in its level's series, and the times, shape (levels, q).

        Places count the times of a level in order; a shorter series ends in nan.
        """
        rank = pd.Series(self.time).groupby(self.codes).rank().to_numpy()
        place = rank.astype(np.intp) - 1
        times = np.full((len(self.levels), place.max() + 1), np.nan)
        times[self.codes, place] = np.round(self.time)
        return place, times


@dataclass(frozen=True)
class RandomRecipe:
    """How to rebuild the columns and codes of a random term on new data."""

    spec: RandomSpec
    model_spec: Any
    index: dict[Any, int]

    def __call__(self, frame: pd.DataFrame, term: RandomTerm, with_codes: bool) -> RandomTerm:
        codes = np.full(len(frame), -1, dtype=np.intp)
        if with_codes:
            keys = _group_keys(frame, self.spec.groups)
            codes = np.array([self.index.get(key, -1) for key in keys], dtype=np.intp)
        if term.structure == "ar1":
            time, Z = numeric(self.spec.columns, frame, "time"), np.ones((len(frame), 1))
        else:
            time, Z = None, apply_recipe(self.model_spec, frame)
        places = None if time is None else _places(term, codes, time)
        return replace(term, Z=Z, codes=codes, time=time, places=places)


def _group_keys(frame: pd.DataFrame, groups: tuple[str, ...]) -> list[Any]:
    columns = [frame[name].tolist() for name in groups]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _group_codes(frame: pd.DataFrame, groups: tuple[str, ...]) -> tuple[Array, list[Any]]:
    """Code of each row and, for each code, its label or tuple of labels; only levels that occur."""
    labels = frame[list(groups)].reset_index(drop=True)
    codes = labels.groupby(list(groups), sort=True, observed=True).ngroup().to_numpy(np.intp)
    first_rows = np.unique(codes, return_index=True)[1]
    return codes, _group_keys(labels.iloc[first_rows], groups)


def random_term(spec: RandomSpec, frame: pd.DataFrame) -> tuple[RandomTerm, RandomRecipe]:
    codes, keys = _group_codes(frame, spec.groups)
    if len(keys) < 2:
        raise ValueError(
            f"the grouping factor {spec.group!r} has one level only ({keys[0]!r}); "
            "a variance between levels needs at least two"
        )
    labels = np.array(
        [":".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in keys], object
    )
    time, model_spec, model_columns = None, None, ()
    if spec.structure == "ar1":
        time = numeric(spec.columns, frame, "time")
        _check_times(time, codes, labels, spec)
        names, Z = (spec.columns_name,), np.ones((len(frame), 1))
    else:
        columns = f"0 + C({spec.columns})" if spec.structure == "cs" else spec.columns
        Z, model_columns, model_spec = model_matrix(columns, frame)
        names = tuple(column.name for column in model_columns)
        if spec.structure == "cs":
            levels = [column.factors[0].level for column in model_columns]
            names = tuple(f"{spec.columns_name}[{level}]" for level in levels)
        if not names:
            raise ValueError(f"the random term ({spec.columns} | {spec.group}) has no columns")
    term = RandomTerm(
        spec.label, spec.group, names, Z, codes, labels, spec.structure, time, spec.columns_name,
        columns=model_columns,
    )  # fmt: skip
    if time is not None:
        term = replace(term, places=term.series[0])
    return term, RandomRecipe(spec, model_spec, {key: i for i, key in enumerate(keys)})


def _places(term: RandomTerm, codes: Array, time: Array) -> Array:
    """Places of new rows in the series of the fit."""
    known = term.series[1][codes]
    same = known == np.round(time)[:, None]
    unknown = (codes >= 0) & ~same.any(axis=1)
    if unknown.any():
        row = unknown.argmax()
        raise ValueError(
            f"{term.group} {term.levels[codes[row]]!r} has no {term.column_name} = {time[row]:g} "
            "in the data of the fit; predict with effects='population'"
        )
    return same.argmax(axis=1)


def _check_times(time: Array, codes: Array, labels: Array, spec: RandomSpec) -> None:
    repeated = pd.DataFrame({"code": codes, "time": time}).duplicated().to_numpy()
    if repeated.any():
        row = repeated.argmax()
        raise ValueError(
            f"ar1({spec.columns} | {spec.group}): {spec.group} {labels[codes[row]]!r} has "
            f"{spec.columns} = {time[row]:g} more than once; each series needs distinct times"
        )
    if not np.allclose(time, np.round(time)):
        raise ValueError(
            f"ar1({spec.columns} | {spec.group}) needs whole-number times, because the correlation "
            f"is rho to the power of the time between two rows; got {time[time % 1 != 0][0]:g}"
        )
