"""From a formula and a data frame to the numbers a model needs, and the same for new data.

The fixed part and the columns of random slopes are built by `formulaic`; what a random term means
is said here and in `grammar`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.formula.coding import ModelColumn, model_matrix
from glmmtools.formula.columns import (
    apply_recipe,
    check_finite,
    numeric,
    select,
    to_frame,
)
from glmmtools.formula.grammar import (
    ParsedFormula,
    parse_formula,
    variables_in,
)
from glmmtools.formula.random_terms import RandomRecipe, RandomTerm, random_term
from glmmtools.formula.response import Response, read_response
from glmmtools.shared.text import listed, plural

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class FixedPart:
    """A one-sided formula on the rows of a design: of the dispersion, or of extra zeros."""

    text: str
    X: Array
    columns: tuple[ModelColumn, ...]
    model_spec: Any = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def on(self, data: Any) -> Array:
        """The columns on new data."""
        return apply_recipe(self.model_spec, select(to_frame(data), variables_in(self.text)))


def one_sided(text: str, frame: pd.DataFrame, argument: str) -> FixedPart:
    """Build the columns of a formula such as ``"~ treatment"``."""
    if not isinstance(text, str) or not text.strip().startswith("~"):
        raise ValueError(f"{argument} is a formula with nothing left of ~ , as '~ x'; got {text!r}")
    inner = text.strip()[1:].strip()
    if "|" in inner:
        raise ValueError(f"{argument} has no random terms; got {text!r}")
    part = FixedPart(inner, *model_matrix(inner, select(frame, variables_in(inner))))
    _check_finite_matrix(part.X, part.names, frame)
    check_rank(part.X, part.names)
    return part


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
        Fixed-effect columns.
    columns : tuple of ModelColumn, length p
        What each column of X is.
    random : tuple of RandomTerm
    frame : DataFrame
        The rows and columns used.
    n_dropped : int
        Rows left out because a value was missing.
    """

    formula: ParsedFormula
    response: Response
    X: Array
    columns: tuple[ModelColumn, ...]
    offset: Array
    weights: Array | None
    random: tuple[RandomTerm, ...]
    frame: pd.DataFrame
    n_dropped: int
    model_spec: Any = field(repr=False)
    recipes: tuple[RandomRecipe, ...] = field(repr=False)

    @property
    def y(self) -> Array:
        return self.response.y

    @property
    def trials(self) -> Array | None:
        return self.response.trials

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of X, and of the fixed effects."""
        return tuple(column.name for column in self.columns)

    @property
    def terms(self) -> dict[str, list[int]]:
        """The places of the columns of each term in X."""
        places: dict[str, list[int]] = {}
        for place, column in enumerate(self.columns):
            places.setdefault(column.term, []).append(place)
        return places

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
        return apply_recipe(self.model_spec, frame), _offset(self.formula, frame)

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
        names = list(dict.fromkeys(name for text in expressions for name in variables_in(text)))
        whole = to_frame(data)
        frame = select(whole, names) if names else whole
        if names and frame.isna().to_numpy().any():
            name = frame.columns[frame.isna().any()][0]
            raise ValueError(f"the new data has a missing value in column {name!r}")
        return frame


def _offset(parsed: ParsedFormula, frame: pd.DataFrame) -> Array:
    offsets = (numeric(text, frame, "offset") for text in parsed.offsets)
    return sum(offsets, np.zeros(len(frame)))


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
    if takes_trials and prior is not None and response.function:
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
    names = [name for text in expressions for name in variables_in(text)]
    return select(whole, list(dict.fromkeys([*names, *parsed.groups])))


def assembled(parsed: ParsedFormula, frame: pd.DataFrame, response: Response) -> Design:
    """The design of a formula on complete rows, without further offset and without weights."""
    X, columns, model_spec = model_matrix(parsed.fixed, frame)
    built = [random_term(spec, frame) for spec in parsed.random]
    return Design(
        parsed, response, X, columns, _offset(parsed, frame), None,
        tuple(term for term, _ in built), frame, 0, model_spec,
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
