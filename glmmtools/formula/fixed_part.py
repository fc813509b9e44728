"""The formula of a parameter on the rows of a design: of a dispersion, or of extra zeros.

And what it shares with the formula of the mean: columns, random terms on new rows, their warnings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.formula.coding import ModelColumn, model_matrix
from glmmtools.formula.columns import to_frame
from glmmtools.formula.evaluation import UnknownLevel
from glmmtools.formula.grammar import groups_of, right_of_tilde, variables_in
from glmmtools.formula.new_data import NewData
from glmmtools.formula.random_terms import (
    RandomRecipe,
    RandomTerm,
    expanded,
    of_zero_part,
    random_term,
)
from glmmtools.formula.rank import Rank, estimable
from glmmtools.shared.messages import DataWarning
from glmmtools.shared.text import listed

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class FixedPart:
    """A one-sided formula on the rows of a design: of the dispersion, or of extra zeros.

    Attributes
    ----------
    text : str
        Its fixed part.
    X : ndarray, shape (n, k)
    columns : tuple of ModelColumn, length k
    rank : Rank
    random : tuple of RandomTerm
        Of extra zeros.
    """

    text: str
    X: Array
    columns: tuple[ModelColumn, ...]
    rank: Rank
    model_spec: Any = field(repr=False)
    new_data: NewData = field(repr=False)
    random: tuple[RandomTerm, ...] = ()
    recipes: tuple[RandomRecipe, ...] = field(default=(), repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def written(self) -> str:
        """What stands right of its ~ , random terms included."""
        return " + ".join([self.text, *(recipe.spec.label for recipe in self.recipes)])

    @property
    def is_one_number(self) -> bool:
        """Whether the parameter is the same in every row."""
        return self.names == ("Intercept",) and not self.random

    def warnings(self, part: str) -> tuple[DataWarning, ...]:
        """Name what is left out of the formula, which is of this part of the model."""
        return (
            *self.rank.warnings(part),
            *without_columns(self.model_spec, self.new_data, part),
            *empty_columns(self.random),
        )

    def on_rows(self, rows: Array) -> FixedPart:
        """The formula on some of its rows, with the columns that these tell apart."""
        rank = Rank.of(self.X[rows], self.columns)
        return replace(
            self, X=self.X[rows][:, rank.kept], columns=tuple(self.columns[k] for k in rank.kept),
            rank=Rank.full(len(rank.kept)),
            random=tuple(term.on_rows(rows) for term in self.random),
        )  # fmt: skip

    def on(self, data: Any) -> Array:
        """The columns on new data; nan in rows of which the data of the fit tell nothing."""
        frame = self.new_data.read(data, [self.text])
        columns = self.rank.all_columns(self.columns)
        X, beyond = self.rank.split(self.new_data.matrix(self.model_spec, columns, frame))
        return np.where(estimable(beyond)[:, None], X, np.nan) if self.rank.left_out else X

    def of_frame(self, frame: pd.DataFrame) -> FixedPart:
        """The formula on other rows, whose levels the random terms have."""
        built = [random_term(recipe.spec, frame) for recipe in self.recipes]
        return replace(
            self, X=self.on(frame), random=tuple(of_zero_part(term) for term, _ in built),
            recipes=tuple(recipe for _, recipe in built),
        )  # fmt: skip

    def random_on(self, data: Any, with_codes: bool = True) -> tuple[RandomTerm, ...]:
        """The random terms on new data, as :meth:`Design.random_on`."""
        return random_on(data, self.recipes, self.random, self.new_data, with_codes)


def one_sided(
    text: str, frame: pd.DataFrame, argument: str, missing: dict[str, int] | None = None
) -> FixedPart:
    """Build the columns of a formula such as ``"~ treatment"`` on complete rows.

    `missing` are the rows that were left out because a column had no value, by column.
    """
    written = right_of_tilde(text, argument)
    new_data = NewData(frame, missing or {})
    X, columns, model_spec = matrix_of(written.fixed, new_data)
    rank = Rank.of(X, columns)
    built = [random_term(spec, frame) for spec in expanded(written.random, frame)]
    return FixedPart(
        written.fixed, rank.split(X)[0], tuple(columns[k] for k in rank.kept), rank, model_spec,
        new_data, tuple(of_zero_part(term) for term, _ in built),
        tuple(recipe for _, recipe in built),
    )  # fmt: skip


def random_on(
    data: Any, recipes: Sequence[RandomRecipe], terms: Sequence[RandomTerm], new_data: NewData,
    with_codes: bool,
) -> tuple[RandomTerm, ...]:  # fmt: skip
    """Random terms on new data."""
    specs = [recipe.spec for recipe in recipes]
    groups = groups_of(specs) if with_codes else []
    frame = new_data.read(data, [spec.columns for spec in specs], groups)
    return tuple(
        recipe(new_data, frame, term, with_codes)
        for recipe, term in zip(recipes, terms, strict=True)
    )


def empty_columns(terms: Sequence[RandomTerm]) -> tuple[DataWarning, ...]:
    """Name the columns that random terms lack."""
    return tuple(
        DataWarning(f"Left out of {term.label}, because no row has them: {listed(term.left_out)}.")
        for term in terms if term.left_out
    )  # fmt: skip


def matrix_of(expression: str, new_data: NewData) -> tuple[Array, tuple[ModelColumn, ...], Any]:
    """:func:`model_matrix`; a level that is not there is explained by the rows that were lost."""
    try:
        return model_matrix(expression, new_data.frame)
    except UnknownLevel as error:
        why = "".join(map(new_data.why_absent, variables_in(expression)))
        raise ValueError(f"{error}{why}") from error


def without_columns(model_spec: Any, new_data: NewData, part: str) -> tuple[DataWarning, ...]:
    """Name the terms of which nothing is left beside the others: a factor has one level only."""
    return tuple(
        DataWarning(
            f"{term} is left out of the {part}, because a factor in it has one level only in these "
            f"rows{''.join(map(new_data.why_absent, variables_in(str(term))))}."
        )
        for term, _, names in model_spec.structure if not names
    )  # fmt: skip


def new_label_warnings(
    data: Any, recipes: Sequence[RandomRecipe], new_data: NewData
) -> tuple[DataWarning, ...]:
    """Name the labels of each grouping factor in new data that the fit has not seen."""
    frame = new_data.read(data, (), groups_of(recipe.spec for recipe in recipes))
    unknown = {recipe.spec.groups: recipe.unknown(frame) for recipe in recipes}
    return tuple(
        DataWarning(
            f"The fit has not seen these labels of {':'.join(groups)!r}: {listed(labels)}. "
            "Their rows get the random effect 0, that of a typical group"
            f"{''.join(map(new_data.why_absent, groups))}."
        )
        for groups, labels in unknown.items() if labels
    )  # fmt: skip


def check_groups_in(data: Any, recipes: Sequence[RandomRecipe]) -> None:
    """Raise ValueError where new data have no column of a grouping factor."""
    columns = to_frame(data).columns
    for name in groups_of(recipe.spec for recipe in recipes):
        if name not in columns:
            raise ValueError(
                f"the new data have no column {name!r}, whose random effects the prediction "
                "holds. For a typical group give effects='population', for the average over "
                "groups effects='marginal'"
            )
