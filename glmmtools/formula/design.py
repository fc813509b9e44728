"""From a formula and a data frame to the numbers a model needs, and the same for new data.

The fixed part and the columns of random slopes are built by `formulaic`; what a random term means
is said here and in `grammar`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from glmmtools.formula.brackets import unquoted
from glmmtools.formula.coding import ModelColumn
from glmmtools.formula.columns import (
    check_finite,
    complete_rows,
    select,
    to_frame,
    values_beside,
)
from glmmtools.formula.evaluation import numeric
from glmmtools.formula.fixed_part import (
    empty_columns,
    matrix_of,
    random_on,
    without_columns,
)
from glmmtools.formula.grammar import ParsedFormula, parse_formula, variables_in
from glmmtools.formula.idioms import check_dots
from glmmtools.formula.new_data import NewData
from glmmtools.formula.random_terms import (
    RandomRecipe,
    RandomTerm,
    expanded,
    random_term,
)
from glmmtools.formula.rank import Rank
from glmmtools.formula.response import Response, read_response
from glmmtools.shared.messages import DataWarning
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.text import listed, plural

Array = np.ndarray


class FixedRows(NamedTuple):
    """The fixed part on new rows.

    Attributes
    ----------
    X : ndarray, shape (n, p)
    offset : ndarray, shape (n,)
    beyond : ndarray, shape (n, k)
        How far the rows go beyond the data of the fit; zero where their mean can be estimated.
    """

    X: Array
    offset: Array
    beyond: Array


@hands_out_copies("frame")
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
    offset_beside : ndarray, shape (n,), or float
        What of it was given as values beside the data, which new rows do not have; or the number
        that new rows take.
    given : dict
        What stands beside the formula, ``"offset"`` and ``"weights"``, in words: the column.
    X : ndarray, shape (n, p)
        Fixed-effect columns.
    columns : tuple of ModelColumn, length p
        What each column of X is.
    rank : Rank
        Which columns of the formula these are, and which were left out.
    random : tuple of RandomTerm
    frame : DataFrame
        The rows and columns used.
    n_dropped : int
        Rows left out because a value was missing.
    new_data : NewData
        How new rows are read.
    """

    formula: ParsedFormula
    response: Response
    X: Array
    columns: tuple[ModelColumn, ...]
    rank: Rank
    offset: Array
    weights: Array | None
    random: tuple[RandomTerm, ...]
    frame: pd.DataFrame
    n_dropped: int
    new_data: NewData = field(repr=False)
    model_spec: Any = field(repr=False)
    recipes: tuple[RandomRecipe, ...] = field(repr=False)
    offset_beside: Array | float = 0.0
    given: Mapping[str, str] = field(default_factory=dict)

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

    @property
    def has_offset_of_values(self) -> bool:
        """Whether an offset was given as values, so that a new row has none."""
        return np.ndim(self.offset_beside) > 0

    def at_mean_offset(self) -> Design:
        """The same design, where a new row has the mean of an offset that was given as values."""
        return replace(self, offset_beside=float(np.mean(self.offset_beside)))

    @property
    def warnings(self) -> tuple[DataWarning, ...]:
        """Name the columns that are left out of X and of random terms."""
        return (
            *self.rank.warnings("fixed part"),
            *without_columns(self.model_spec, self.new_data, "fixed part"),
            *empty_columns(self.random),
        )

    def on_rows(self, rows: Array, kept: Sequence[int]) -> Design:
        """The design of some of its rows, with some of the columns of X; random effects stay."""
        terms = (term.on_rows(rows) for term in self.random)
        response, trials, weights = self.response, self.trials, self.weights
        return replace(
            self,
            response=replace(
                response, y=response.y[rows], trials=None if trials is None else trials[rows]
            ),
            X=self.X[rows][:, kept],
            columns=tuple(self.columns[k] for k in kept),
            rank=Rank.full(len(kept)),
            offset=self.offset[rows],
            offset_beside=self.offset_beside[rows]
            if self.has_offset_of_values
            else self.offset_beside,
            weights=None if weights is None else weights[rows],
            random=tuple(terms),
            frame=self.frame[rows],
        )

    def fixed_on(self, data: Any) -> FixedRows:
        """The fixed part and the offset on new data.

        Raises
        ------
        ValueError
            If a column is missing, a factor has a level that the fit has not seen, or the offset
            was given as values.
        """
        if self.has_offset_of_values:
            raise ValueError(
                "the model was fitted with the values offset=..., which new rows do not have. Fit "
                "it with a column, offset='log_area', or offset(log_area) in the formula; new rows "
                "have that column then"
            )
        frame = self.new_data.read(data, [self.formula.fixed, *self.formula.offsets])
        columns = self.rank.all_columns(self.columns)
        X, beyond = self.rank.split(self.new_data.matrix(self.model_spec, columns, frame))
        self.new_data.check_rows_alone(
            [text for text in self.formula.offsets if unquoted(text) not in frame],
            partial(_offset, self.formula),
        )
        return FixedRows(X, _offset(self.formula, frame) + self.offset_beside, beyond)

    def random_on(self, data: Any, with_codes: bool = True) -> tuple[RandomTerm, ...]:
        """Return the random terms on new data, with code -1 for new levels.

        Without codes every level counts as new, and the grouping factors need no columns.
        """
        return random_on(data, self.recipes, self.random, self.new_data, with_codes)


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
    in_words = {
        role: value if isinstance(value, str) else "given as values"
        for role, value in (("offset", offset), ("weights", weights))
        if value is not None
    }
    if isinstance(offset, str):
        parsed, offset = replace(parsed, offsets=(*parsed.offsets, f"`{offset}`")), None
    whole = to_frame(data)
    frame = columns_read(parsed, whole, parsed.response, *also_used)
    extra = {
        role: values_beside(given, role, whole)
        for role, given in (("offset", offset), ("weights", weights))
        if given is not None
    }
    absent = frame.isna().to_numpy()
    complete = ~absent.any(axis=1)
    missing = {name: int(n) for name, n in zip(frame, absent.sum(axis=0), strict=True) if n}
    for values in extra.values():
        complete &= ~np.isnan(values)
    if not complete.any():
        raise ValueError("every row has a missing value in a column that the formula uses")
    frame = complete_rows(frame, complete)
    extra = {role: values[complete] for role, values in extra.items()}
    check_finite(frame)

    prior = _checked_weights(extra.get("weights"), frame)
    response = read_response(parsed.response, frame, takes_trials, prior if takes_trials else None)
    if takes_trials and prior is not None and response.function:
        raise ValueError(
            "give the trials once: in prop(successes, trials) or in weights=, not both"
        )
    design = _of_full_rank(assembled(parsed, frame, response, missing))
    beside = extra.get("offset", 0.0)
    return replace(
        design,
        offset=beside + design.offset,
        offset_beside=beside,
        weights=None if takes_trials else prior,
        n_dropped=int((~complete).sum()),
        given=in_words,
    )


def columns_read(parsed: ParsedFormula, whole: pd.DataFrame, *more: str) -> pd.DataFrame:
    """The columns that the right side of a formula reads, and those of further expressions."""
    expressions = [*more, *parsed.right_side]
    check_dots(expressions, whole.columns)
    names = [name for text in expressions for name in variables_in(text)]
    return select(whole, list(dict.fromkeys([*names, *parsed.groups])))


def assembled(
    parsed: ParsedFormula,
    frame: pd.DataFrame,
    response: Response,
    missing: dict[str, int] | None = None,
) -> Design:
    """The design of a formula on complete rows, without further offset and without weights.

    No column is left out of X. `missing` are the rows that were left out because a column had no
    value, by column.
    """
    new_data = NewData(frame, missing or {})
    X, columns, model_spec = matrix_of(parsed.fixed, new_data)
    parsed = replace(parsed, random=expanded(parsed.random, frame))
    built = [random_term(spec, frame) for spec in parsed.random]
    return Design(
        parsed, response, X, columns, Rank.full(len(columns)), _offset(parsed, frame), None,
        tuple(term for term, _ in built), frame, 0, new_data, model_spec,
        tuple(recipe for _, recipe in built),
    )  # fmt: skip


def _of_full_rank(design: Design) -> Design:
    """The same design without the columns that others determine."""
    rank = Rank.of(design.X, design.columns)
    if not rank.left_out:
        return design
    n, p = design.X.shape
    if len(rank.kept) >= n:
        raise ValueError(f"the model has {plural(p, 'coefficient')} for {plural(n, 'row')}")
    kept = tuple(design.columns[k] for k in rank.kept)
    return replace(design, X=rank.split(design.X)[0], columns=kept, rank=rank)


def _checked_weights(weights: Array | None, frame: pd.DataFrame) -> Array | None:
    if weights is not None and (weights <= 0).any():
        row = (weights <= 0).argmax()
        raise ValueError(
            f"weights must be above 0; row {frame.index[row]} has {weights[row]:g}"
            f"{'. Leave out the rows that do not count' if weights[row] == 0 else ''}"
        )
    return weights


def check_rank(design: Design) -> None:
    """Raise ValueError, with their names, for columns of X that are combinations of others."""
    left_out = [column.name for column in Rank.of(design.X, design.columns).left_out]
    if left_out:
        raise ValueError(
            f"the columns of the fixed part are not independent: {listed(left_out)} "
            f"{'is a combination' if len(left_out) == 1 else 'are combinations'} of the columns "
            "before. Leave the term out, or drop empty combinations of factor levels"
        )
