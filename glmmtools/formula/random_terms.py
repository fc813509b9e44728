"""Random terms: their levels, and the covariance structures of their effects, on data."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.covariances.base import Structure
from glmmtools.covariances.lookup import structure_of_bar
from glmmtools.formula.brackets import as_written, inside_C, split_outside, unquoted
from glmmtools.formula.coding import ModelColumn, model_matrix, variables_of
from glmmtools.formula.columns import label_text, matched
from glmmtools.formula.evaluation import numeric
from glmmtools.formula.grammar import RandomSpec
from glmmtools.formula.new_data import NewData
from glmmtools.shared.text import listed, plural

Array = np.ndarray
RESIDUAL = "Residual"  # the group of the residuals in tables


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
    left_out : tuple of str
        Names of columns that are zero in every row, such as those of an empty cell.
    part : {"mean", "zero"}
        Whether its effects are in the linear predictor of the mean, or in the logit of the zeros.
    """

    label: str
    group: str
    levels: Array
    structure: Structure
    columns: tuple[ModelColumn, ...] = ()
    left_out: tuple[str, ...] = ()
    part: str = "mean"

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

    def on_rows(self, rows: Array) -> RandomTerm:
        """The term on some of its rows; its effects stay."""
        structure = self.structure.on(self.codes[rows], self.structure.entries[rows])
        return replace(self, structure=structure)


@dataclass(frozen=True, eq=False)
class ResidualTerm(RandomTerm):
    """The residuals of a normal model, with the covariance structure of their rows.

    Attributes
    ----------
    text : str
        As the user wrote it: ``"us(week | pig)"``.
    """

    text: str = ""

    @property
    def in_tables(self) -> ResidualTerm:
        """The term as tables have it, of the group Residual."""
        return replace(self, group=RESIDUAL)

    @property
    def in_words(self) -> str:
        """The residuals as a report names them."""
        levels = plural(len(self.levels), "level")
        return f"{self.structure.described('residuals')} within {self.group} ({levels})"


@dataclass(frozen=True)
class RandomRecipe:
    """How to rebuild the columns and codes of a random term on new data."""

    spec: RandomSpec
    model_spec: Any
    kept: Array
    index: dict[Any, int]

    def __call__(
        self, new_data: NewData, frame: pd.DataFrame, term: RandomTerm, with_codes: bool
    ) -> RandomTerm:
        codes = np.full(len(frame), -1, dtype=np.intp)
        if with_codes:
            codes = np.array([self.index.get(key, -1) for key in self._keys(frame)], dtype=np.intp)
        if term.structure.of_time:
            entries = _places(term, codes, numeric(self.spec.columns, frame, "time"))
        else:
            matrix = new_data.matrix(self.model_spec, term.columns, frame)
            entries = _kept_columns(matrix, self.kept)
        return replace(term, structure=term.structure.on(codes, entries))

    def _keys(self, frame: pd.DataFrame) -> list[Any]:
        """Labels of the rows, as those of the fit that they equal, or equal as text."""
        groups = self.spec.groups
        if len(groups) == 1:
            return matched(frame[groups[0]].tolist(), self.index)
        known = zip(*self.index, strict=True)
        columns = [
            matched(frame[name].tolist(), labels)
            for name, labels in zip(groups, known, strict=True)
        ]
        return list(zip(*columns, strict=True))

    def unknown(self, frame: pd.DataFrame) -> list[str]:
        """Labels that the fit has not seen, each once."""
        unknown = dict.fromkeys(key for key in self._keys(frame) if key not in self.index)
        return [label_of_key(key) for key in unknown]


def label_of_key(key: Any) -> str:
    return ":".join(map(label_text, key)) if isinstance(key, tuple) else label_text(key)


def group_codes(frame: pd.DataFrame, groups: tuple[str, ...]) -> tuple[Array, list[Any]]:
    """Code of each row and, for each code, its label or tuple of labels; only levels that occur."""
    codes = np.zeros(len(frame), np.intp)
    for name in groups:
        of_column, labels = pd.factorize(frame[name], sort=True)
        codes = codes * len(labels) + of_column
    _, first_rows, codes = np.unique(codes, return_index=True, return_inverse=True)
    columns = [frame[name].take(first_rows).tolist() for name in groups]
    return codes, columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def expanded(specs: Sequence[RandomSpec], frame: pd.DataFrame) -> tuple[RandomSpec, ...]:
    """The random terms, those of a factor with two bars as several: one for each of its terms.

    ``(a + x || g)`` is ``(1 | g) + (0 + a | g) + (0 + x | g)`` where a is a factor, as in lme4.

    Raises
    ------
    ValueError
        If one of them is there twice.
    """
    several = [part for spec in specs for part in _split(spec, frame)]
    seen: set[tuple] = set()
    for spec in several:
        key = spec.structure, "".join(spec.columns.split()), frozenset(spec.groups)
        if key in seen:
            raise ValueError(f"the random term {spec.label} is there twice; leave one out")
        seen.add(key)
    return tuple(several)


def _split(spec: RandomSpec, frame: pd.DataFrame) -> list[RandomSpec]:
    if spec.structure is not structure_of_bar("||"):
        return [spec]
    columns = model_matrix(spec.columns, frame)[1]
    if all(variable.levels is None for variable in variables_of(columns)):
        return [spec]
    terms: dict[str, dict[str, None]] = {}
    for column in columns:
        written = terms.setdefault(column.term, {})
        written |= {variable.written: None for variable in column.variables}
    return [
        replace(
            spec, structure=structure_of_bar("|"),
            columns=f"0 + {':'.join(variables)}" if variables else "1",
        )
        for variables in terms.values()
    ]  # fmt: skip


def random_term(spec: RandomSpec, frame: pd.DataFrame) -> tuple[RandomTerm, RandomRecipe]:
    codes, keys = group_codes(frame, spec.groups)
    if spec.structure.of_levels:
        _check_one_factor(spec)
    if len(keys) < 2 and not spec.structure.of_time:
        raise ValueError(
            f"the grouping factor {spec.group!r} has one level only ({keys[0]!r}); "
            "a variance between levels needs at least two"
        )
    labels = np.array([label_of_key(key) for key in keys], object)
    model_columns, model_spec, kept = (), None, np.zeros(0, bool)
    if spec.structure.of_time:
        time = numeric(spec.columns, frame, "time")
        _check_times(time, codes, labels, spec)
        structure = spec.structure(spec.columns_name, codes, time)
    else:
        columns = _indicators(spec.columns) if spec.structure.of_levels else spec.columns
        Z, model_columns, model_spec = model_matrix(columns, frame)
        kept = Z.any(axis=0)
        names = tuple(column.name for column in itertools.compress(model_columns, kept))
        if spec.structure.of_levels:
            levels = [column.factors[0].level for column in model_columns]
            _check_order(spec, levels, frame)
            names = tuple(f"{spec.columns_name}[{level}]" for level in levels)
            structure = spec.structure(spec.columns_name, codes, Z, names, levels)
            _check_few_parameters(structure, spec, len(frame))
        else:
            if not names:
                raise ValueError(f"the random term ({spec.columns} | {spec.group}) has no columns")
            structure = spec.structure(spec.columns_name, codes, _kept_columns(Z, kept), names)
    term = RandomTerm(
        spec.label, spec.group, labels, structure,
        tuple(itertools.compress(model_columns, kept)),
        tuple(column.name for column in itertools.compress(model_columns, ~kept)),
    )  # fmt: skip
    return term, RandomRecipe(spec, model_spec, kept, {key: i for i, key in enumerate(keys)})


def _indicators(factor: str) -> str:
    """One column for each level of a factor, as text."""
    return f"0 + {factor if inside_C(factor) else f'C({factor})'}"


def residual_term(text: str, spec: RandomSpec, frame: pd.DataFrame) -> ResidualTerm:
    """The residuals with their structure on complete rows.

    Raises
    ------
    ValueError
        If two rows of a group are at one time, so that their residuals would be the same.
    """
    term, _ = random_term(spec, frame)
    structure = term.structure
    cells = pd.DataFrame({"code": structure.codes, "time": structure.coordinates})
    if cells.duplicated().any():
        row = cells.duplicated().to_numpy().argmax()
        at = structure.coordinates[row]
        at = structure.values[int(at)] if structure.of_levels else f"{at:g}"
        raise ValueError(
            f"residual={text!r}: {spec.group} {term.levels[structure.codes[row]]!r} has several "
            f"rows with {spec.columns} = {at}, and there is one "
            "residual for each: name a group with one row each, such as a:b, or give the structure "
            "to random effects, in the formula"
        )
    fields = {each.name: getattr(term, each.name) for each in dataclasses.fields(term)}
    return ResidualTerm(**fields, text=text)


def of_zero_part(term: RandomTerm) -> RandomTerm:
    """The same term in the logit of the zeros; its label says so."""
    return replace(term, part="zero", label=f"{term.label} of zero_inflation")


def _kept_columns(matrix: Array, kept: Array) -> Array:
    return matrix if kept.all() else matrix[:, kept]


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


def _check_few_parameters(structure: Structure, spec: RandomSpec, rows: int) -> None:
    if structure.n_params > rows:
        raise ValueError(
            f"{spec.label} has {structure.n_params} variances and correlations for {rows} rows. "
            f"For a random slope of {spec.columns} write ({spec.columns} | {spec.group}); for a "
            "covariance of few parameters one such as ar1() or cs()"
        )


def _check_one_factor(spec: RandomSpec) -> None:
    if len(split_outside(spec.columns, "+-*:/")) > 1 or spec.columns.isdigit():
        name = spec.structure.name
        raise ValueError(
            f"left of the bar in {spec.label} stands one factor, as in {name}(treatment | "
            f"{spec.group}); for combinations of two factors make a column of them"
        )


def _check_order(spec: RandomSpec, levels: Sequence[Any], frame: pd.DataFrame) -> None:
    """Refuse the order of the alphabet where the order counts, unless it is that of numbers."""
    name = unquoted(inside_C(spec.columns) or spec.columns)
    if not spec.structure.of_order or len(levels) < 3 or "levels" in spec.columns:
        return
    if name not in frame or not pd.api.types.is_object_dtype(frame[name]):
        return
    keys = [[float(number) for number in re.findall(r"\d+(?:\.\d+)?", str(k))] for k in levels]
    in_order = all(before < after for before, after in itertools.pairwise(keys))
    if not (in_order and all(keys)) and max(map(len, map(str, levels))) > 1:
        raise ValueError(
            f"{spec.label} goes by the order of its levels, and that of text is the alphabet's: "
            f"{listed(levels)}. Make a column of numbers, or name them in their order: "
            f"{spec.structure.written(f'C({as_written(name)}, levels=[...])', spec.group)}"
        )


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
