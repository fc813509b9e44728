"""Random terms: their levels, and the covariance structures of their effects, on data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.covariances.base import Structure
from glmmtools.formula.coding import ModelColumn, model_matrix
from glmmtools.formula.columns import apply_recipe, numeric
from glmmtools.formula.grammar import RandomSpec

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class RandomTerm:
    """One random term on the rows of data: its words, and the covariance structure of its effects.

    Attributes
    ----------
    label : str
        The term as the user knows it, ``"(x | block:plot)"``.
    group : str
        Name of the grouping factor, ``"block:plot"`` for an interaction.
    levels : ndarray of object
        Labels of the levels.
    structure : Structure
        The covariance of the effects, with the columns and codes that they have on the rows.
    columns : tuple of ModelColumn, length q
        What each column of Z is; empty for a term of time.
    """

    label: str
    group: str
    levels: Array
    structure: Structure
    columns: tuple[ModelColumn, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the q columns; of a series its time."""
        return self.structure.names

    @property
    def Z(self) -> Array:
        """The columns, before they are spread over the levels, shape (n, q); ones for a series."""
        return self.structure.Z

    @property
    def codes(self) -> Array:
        """Level of each row, shape (n,); -1 for a level that was not in the data of the fit."""
        return self.structure.codes


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
        if term.structure.of_time:
            entries = _places(term, codes, numeric(self.spec.columns, frame, "time"))
        else:
            entries = apply_recipe(self.model_spec, frame)
        return replace(term, structure=term.structure.on(codes, entries))


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
    if spec.structure.of_time:
        time, model_columns, model_spec = numeric(spec.columns, frame, "time"), (), None
        _check_times(time, codes, labels, spec)
        structure = spec.structure(spec.columns_name, codes, time)
    else:
        columns = f"0 + C({spec.columns})" if spec.structure.of_levels else spec.columns
        Z, model_columns, model_spec = model_matrix(columns, frame)
        names = tuple(column.name for column in model_columns)
        if spec.structure.of_levels:
            levels = [column.factors[0].level for column in model_columns]
            names = tuple(f"{spec.columns_name}[{level}]" for level in levels)
        if not names:
            raise ValueError(f"the random term ({spec.columns} | {spec.group}) has no columns")
        structure = spec.structure(spec.columns_name, codes, Z, names)
    term = RandomTerm(spec.label, spec.group, labels, structure, model_columns)
    return term, RandomRecipe(spec, model_spec, {key: i for i, key in enumerate(keys)})


def _places(term: RandomTerm, codes: Array, time: Array) -> Array:
    """Places of new rows in the series of the fit."""
    places = term.structure.places_of(codes, time)
    unknown = (codes >= 0) & (places < 0)
    if unknown.any():
        row = unknown.argmax()
        raise ValueError(
            f"{term.group} {term.levels[codes[row]]!r} has no {term.structure.column_name} = "
            f"{time[row]:g} in the data of the fit; predict with effects='population'"
        )
    return places


def _check_times(time: Array, codes: Array, labels: Array, spec: RandomSpec) -> None:
    repeated = pd.DataFrame({"code": codes, "time": time}).duplicated().to_numpy()
    if repeated.any():
        row = repeated.argmax()
        raise ValueError(
            f"{spec.label}: {spec.group} {labels[codes[row]]!r} has {spec.columns} = "
            f"{time[row]:g} more than once; each series needs distinct times"
        )
    reason = spec.structure.why_whole_times
    if reason and not np.allclose(time, np.round(time)):
        raise ValueError(
            f"{spec.label} needs whole-number times, because {reason}; "
            f"got {time[time % 1 != 0][0]:g}"
        )
