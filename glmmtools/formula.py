"""From a formula and a data frame to the numbers a model needs, and the same for new data.

The fixed part and the columns of random slopes are built by `formulaic`; what a random term means
is said here and in `grammar`.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from formulaic.errors import DataMismatchWarning, FormulaicError

from glmmtools._text import listed, plural
from glmmtools.columns import CONTEXT, check_finite, evaluate, first_line, numeric, select, to_frame
from glmmtools.grammar import (
    RANDOM_FUNCTIONS,
    ParsedFormula,
    RandomSpec,
    parse_formula,
    variables_in,
)
from glmmtools.response import Response, is_pair, read_response

__all__ = ["Design", "FixedPart", "RandomTerm", "build_design", "one_sided", "random_term"]

Array = np.ndarray


# ------------------------------------------------------------------------------ random terms


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
class _RandomRecipe:
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
            time, Z = None, _apply(self.model_spec, frame)
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


def random_term(spec: RandomSpec, frame: pd.DataFrame) -> tuple[RandomTerm, _RandomRecipe]:
    codes, keys = _group_codes(frame, spec.groups)
    if len(keys) < 2:
        raise ValueError(
            f"the grouping factor {spec.group!r} has one level only ({keys[0]!r}); "
            "a variance between levels needs at least two"
        )
    labels = np.array(
        [":".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in keys], object
    )
    time, model_spec = None, None
    if spec.structure == "ar1":
        time = numeric(spec.columns, frame, "time")
        _check_times(time, codes, labels, spec)
        names, Z = (spec.columns_name,), np.ones((len(frame), 1))
    else:
        columns = f"0 + C({spec.columns})" if spec.structure == "cs" else spec.columns
        Z, model_spec = evaluate(columns, frame)
        names = tuple(model_spec.column_names)
        if spec.structure == "cs":
            names = tuple(name.replace(f"C({spec.columns})", spec.columns_name) for name in names)
        if not names:
            raise ValueError(f"the random term ({spec.columns} | {spec.group}) has no columns")
    term = RandomTerm(
        spec.label, spec.group, names, Z, codes, labels, spec.structure, time, spec.columns_name
    )
    if time is not None:
        term = replace(term, places=term.series[0])
    return term, _RandomRecipe(spec, model_spec, {key: i for i, key in enumerate(keys)})


def _places(term: RandomTerm, codes: Array, time: Array) -> Array:
    """Places of new rows in the series of the fit."""
    known = term.series[1][codes]
    same = known == np.round(time)[:, None]
    unknown = (codes >= 0) & ~same.any(axis=1)
    if unknown.any():
        row = unknown.argmax()
        raise ValueError(
            f"{term.group} {term.levels[codes[row]]!r} has no {term.column_name} = {time[row]:g} "
            "in the data of the fit; predict with level='population'"
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


# ------------------------------------------------------------------------------ the design


@dataclass(frozen=True, eq=False)
class FixedPart:
    """A one-sided formula on the rows of a design: of the dispersion, or of extra zeros."""

    text: str
    X: Array
    names: tuple[str, ...]
    model_spec: Any = field(repr=False)

    def on(self, data: Any) -> Array:
        """The columns on new data."""
        return _apply(self.model_spec, select(to_frame(data), variables_in(self.text)))


def one_sided(text: str, frame: pd.DataFrame, argument: str) -> FixedPart:
    """Build the columns of a formula such as ``"~ treatment"``."""
    if not isinstance(text, str) or not text.strip().startswith("~"):
        raise ValueError(f"{argument} is a formula with nothing left of ~ , as '~ x'; got {text!r}")
    inner = text.strip()[1:].strip()
    if "|" in inner:
        raise ValueError(f"{argument} has no random terms; got {text!r}")
    X, model_spec = evaluate(inner, select(frame, variables_in(inner)))
    _check_finite_matrix(X, model_spec.column_names, frame)
    check_rank(X, model_spec.column_names)
    return FixedPart(inner, X, tuple(model_spec.column_names), model_spec)


@dataclass(frozen=True, eq=False)
class Design:
    """Everything numeric that a fit needs, from one formula and one data frame.

    Attributes
    ----------
    formula : ParsedFormula
    y : ndarray, shape (n,)
        The response; the number of successes for binomial families.
    trials, weights : ndarray, shape (n,), or None
    offset : ndarray, shape (n,)
        On the scale of the linear predictor.
    X : ndarray, shape (n, p)
        Fixed-effect columns, named by `names`; `terms` maps each term to its columns.
    random : tuple of RandomTerm
    frame : DataFrame
        The rows and columns used.
    n_dropped : int
        Rows left out because a value was missing.
    """

    formula: ParsedFormula
    response: Response
    X: Array
    names: tuple[str, ...]
    terms: dict[str, list[int]]
    offset: Array
    weights: Array | None
    random: tuple[RandomTerm, ...]
    frame: pd.DataFrame
    n_dropped: int
    model_spec: Any = field(repr=False)
    recipes: tuple[_RandomRecipe, ...] = field(repr=False)

    @property
    def y(self) -> Array:
        return self.response.y

    @property
    def trials(self) -> Array | None:
        return self.response.trials

    @property
    def n(self) -> int:
        return len(self.X)

    @cached_property
    def has_offset(self) -> bool:
        return bool(np.any(self.offset != 0))

    def fixed_on(self, data: Any) -> tuple[Array, Array]:
        """X and the formula's offset on new data.

        Raises
        ------
        ValueError
            If a column is missing or a factor has a level that the fit has not seen.
        """
        frame = self._new_frame(data, self.formula.fixed, *self.formula.offsets)
        return _apply(self.model_spec, frame), _offset(self.formula, frame)

    def random_on(self, data: Any, with_codes: bool = True) -> tuple[RandomTerm, ...]:
        """Return the random terms on new data, with code -1 for new levels.

        Without codes every level counts as new, and the grouping factors need no columns.
        """
        columns = [recipe.spec.columns for recipe in self.recipes]
        groups = [f"`{name}`" for name in self.formula.groups] if with_codes else []
        frame = self._new_frame(data, *columns, *groups)
        return tuple(
            recipe(frame, term, with_codes)
            for recipe, term in zip(self.recipes, self.random, strict=True)
        )

    def _new_frame(self, data: Any, *expressions: str) -> pd.DataFrame:
        names = list(dict.fromkeys(name for each in expressions for name in variables_in(each)))
        whole = to_frame(data)
        frame = select(whole, names) if names else whole
        if names and frame.isna().to_numpy().any():
            name = frame.columns[frame.isna().any()][0]
            raise ValueError(f"the new data has a missing value in column {name!r}")
        return frame


def _offset(parsed: ParsedFormula, frame: pd.DataFrame) -> Array:
    return sum((numeric(each, frame, "offset") for each in parsed.offsets), np.zeros(len(frame)))


def _apply(model_spec, frame: pd.DataFrame) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataMismatchWarning)
        try:
            return np.asarray(model_spec.get_model_matrix(frame, context=CONTEXT), float)
        except (DataMismatchWarning, FormulaicError) as error:
            new = re.search(r"\{(.*)\}", str(error))
            what = f"a factor level that the model has not seen: {new.group(1)}" if new else ""
            raise ValueError(f"the new data has {what or first_line(error)}") from error


def build_design(
    formula: str,
    data: Any,
    *,
    takes_trials: bool,
    offset: Any = None,
    weights: Any = None,
    also_used: tuple[str, ...] = (),
) -> Design:
    """Build the `Design` of a formula on data; `offset` and `weights` are as in ``fit``.

    Where the family counts successes out of trials, `weights` are the trials. A missing value in
    one of the expressions `also_used` drops its row too.

    Raises
    ------
    ValueError
        For whatever is wrong with the formula or the data; the message names column, row and value.
    """
    parsed = parse_formula(formula)
    whole = to_frame(data)
    frame = columns_read(parsed, whole, parsed.response, *also_used)
    extra = {}
    for role, given in (("offset", offset), ("weights", weights)):
        if given is not None:
            extra[role] = _per_row(given, role, whole)
    complete = (
        ~frame.isna().any(axis=1).to_numpy() if len(frame.columns) else np.ones(len(whole), bool)
    )
    for values in extra.values():
        complete &= ~np.isnan(values)
    n_dropped = int((~complete).sum())
    if complete.sum() == 0:
        raise ValueError("every row has a missing value in a column that the formula uses")
    frame = frame[complete] if n_dropped else frame
    extra = {role: values[complete] for role, values in extra.items()}
    check_finite(frame)

    prior = _checked_weights(extra.get("weights"), frame)
    response = read_response(parsed.response, frame, takes_trials, prior if takes_trials else None)
    if takes_trials and prior is not None and is_pair(parsed.response):
        raise ValueError(
            "give the trials once: in prop(successes, trials) or in weights=, not both"
        )
    design = assembled(parsed, frame, response)
    _check_finite_matrix(design.X, design.names, frame)
    check_rank(design.X, design.names)
    return replace(
        design,
        offset=extra.get("offset", 0.0) + design.offset,
        weights=None if takes_trials else prior,
        n_dropped=n_dropped,
    )


def columns_read(parsed: ParsedFormula, whole: pd.DataFrame, *more: str) -> pd.DataFrame:
    """The columns that the right side of a formula reads, and those of further expressions."""
    expressions = [*more, *parsed.right_side]
    names = [name for each in expressions for name in variables_in(each)]
    return select(whole, list(dict.fromkeys([*names, *parsed.groups])))


def assembled(parsed: ParsedFormula, frame: pd.DataFrame, response: Response) -> Design:
    """The design of a formula on complete rows, without further offset and without weights."""
    X, model_spec = evaluate(parsed.fixed, frame)
    built = [random_term(spec, frame) for spec in parsed.random]
    return Design(
        parsed, response, X, tuple(model_spec.column_names),
        {str(term): list(columns) for term, columns in model_spec.term_indices.items()},
        _offset(parsed, frame), None, tuple(term for term, _ in built), frame, 0, model_spec,
        tuple(recipe for _, recipe in built),
    )  # fmt: skip


def _per_row(given: Any, role: str, frame: pd.DataFrame) -> Array:
    if isinstance(given, str):
        column = select(frame, [given])[given]
        if not pd.api.types.is_numeric_dtype(column):
            raise ValueError(
                f"{role}={given!r} must be a column of numbers; it holds values such as "
                f"{column.iloc[0]!r}"
            )
        given = column.to_numpy(float)
    if isinstance(given, pd.Series) and given.index.equals(frame.index):
        given = given.to_numpy(float, na_value=np.nan)
    values = np.asarray(given, float)
    if values.shape != (len(frame),):
        raise ValueError(
            f"{role}= needs one value a row: {len(frame)} rows, {role} of shape {values.shape}"
        )
    if np.isinf(values).any():
        row = np.isinf(values).argmax()
        raise ValueError(f"{role}= holds an infinite value in row {frame.index[row]}")
    return values


def _checked_weights(weights: Array | None, frame: pd.DataFrame) -> Array | None:
    if weights is not None and (weights <= 0).any():
        row = (weights <= 0).argmax()
        raise ValueError(f"weights must be above 0; row {frame.index[row]} has {weights[row]:g}")
    return weights


def _check_finite_matrix(X: Array, names, frame: pd.DataFrame) -> None:
    bad = ~np.isfinite(X)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"the term {names[column]!r} is not a finite number in row {frame.index[row]}"
        )


def check_rank(X: Array, names) -> None:
    """Name the columns of X that are combinations of the columns before them."""
    if X.shape[1] > X.shape[0]:
        raise ValueError(
            f"the model has {plural(X.shape[1], 'coefficient')} for {plural(X.shape[0], 'row')}"
        )
    scale = np.linalg.norm(X, axis=0)
    if X.shape[1] == 0:
        return
    R = np.linalg.qr(X / np.where(scale > 0, scale, 1), mode="r")
    redundant = [
        name for name, pivot in zip(names, np.abs(np.diag(R)), strict=True) if pivot < 1e-10
    ]
    if redundant:
        raise ValueError(
            f"the columns of the fixed part are not independent: {listed(redundant)} "
            f"{'is a combination' if len(redundant) == 1 else 'are combinations'} of the columns "
            "before. Leave the term out, or drop empty combinations of factor levels"
        )
