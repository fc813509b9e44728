"""New rows read as those of the fit: the same columns, the same levels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.formula.coding import ModelColumn, check_columns_finite, variables_of
from glmmtools.formula.columns import (
    check_finite,
    is_factor_column,
    matched,
    select,
    to_frame,
)
from glmmtools.formula.evaluation import UnknownLevel, apply_recipe, evaluated
from glmmtools.formula.grammar import variables_in
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.text import listed, plural

Array = np.ndarray
_BESIDE = 100  # rows of the fit among which one is evaluated


@hands_out_copies("frame")
@dataclass(frozen=True, eq=False)
class NewData:
    """How new rows are read.

    Attributes
    ----------
    frame : DataFrame
        The rows of the fit.
    missing : dict
        Column to the number of rows of the data that had no value in it and were left out.
    row_by_row : set of str
        Expressions of which it is known that a row has the same value whatever stands beside it.
    """

    frame: pd.DataFrame
    missing: dict[str, int]
    row_by_row: set[str] = field(default_factory=set, repr=False)

    def read(
        self, data: Any, expressions: Iterable[str], groups: Iterable[str] = ()
    ) -> pd.DataFrame:
        """The columns of new data that expressions and groups name, in the types of the fit.

        Raises
        ------
        ValueError
            For a column that does not exist, a missing value, or text in place of numbers.
        """
        read = dict.fromkeys(name for text in expressions for name in variables_in(text))
        names, whole = list(read | dict.fromkeys(groups)), to_frame(data)
        frame = select(whole, names) if names else whole
        for name in names:
            if frame[name].isna().any():
                raise ValueError(f"the new data has a missing value in column {name!r}")
            if name in read:
                frame[name] = self._as_in_fit(frame[name])
        check_finite(frame[names])
        return frame

    def _as_in_fit(self, column: pd.Series) -> pd.Series:
        fitted = self.frame[column.name]
        if fitted.dtype.kind in "Ob":
            levels = fitted.unique().tolist()
            found = pd.Series(matched(column.tolist(), levels), column.index, object, column.name)
            return found.astype(fitted.dtype) if found.isin(levels).all() else found
        if column.dtype.kind == "b":
            return column.astype(np.int64)
        if pd.api.types.is_numeric_dtype(fitted) and is_factor_column(column):
            raise ValueError(
                f"column {column.name!r} holds numbers in the data of the fit, and values such as "
                f"{column.tolist()[0]!r} in the new data"
            )
        return column

    def matrix(self, model_spec: Any, columns: Sequence[ModelColumn], frame: pd.DataFrame) -> Array:
        """All columns of a recipe on rows that :meth:`read` gave.

        Raises
        ------
        ValueError
            For a level that the fit has not seen, a value that is not finite, and an expression
            whose values depend on the other rows.
        """
        self.check_rows_alone(evaluated(model_spec), partial(apply_recipe, model_spec))
        try:
            X = apply_recipe(model_spec, frame)
        except UnknownLevel as error:
            for variable in variables_of(tuple(columns)):
                if variable.levels is None or variable.column is None:
                    continue
                values = dict.fromkeys(frame[variable.column])
                unseen = [value for value in values if value not in variable.levels]
                if unseen:
                    raise ValueError(self._of_unseen(variable.column, unseen)) from error
            raise
        check_columns_finite(X, columns, frame)
        return X

    def check_rows_alone(
        self, expressions: Sequence[str], values_on: Callable[[pd.DataFrame], Array]
    ) -> None:
        """Refuse new rows where a mean or an order of the rows stands in one of the expressions.

        ``x - x.mean()`` of new rows would take away their own mean. Rows of the fit are evaluated
        together and each alone: its first and last, and those with the ends of each column.
        """
        asked = ", ".join(expressions)
        if not asked or asked in self.row_by_row:
            return
        names = dict.fromkeys(name for text in expressions for name in variables_in(text))
        numbers = self.frame[list(names)].select_dtypes("number").to_numpy(float)
        last = len(self.frame) - 1
        ends = {0, last, *numbers.argmin(axis=0).tolist(), *numbers.argmax(axis=0).tolist()}
        rows = sorted({*np.linspace(0, last, _BESIDE).astype(int).tolist(), *ends})
        together = values_on(self.frame.iloc[rows])
        for row in ends:
            alone = values_on(self.frame.iloc[[row]])[0]
            if not np.allclose(alone, together[rows.index(row)], rtol=1e-6, equal_nan=True):
                raise ValueError(
                    f"{asked} depends on the other rows of the data, so that new rows would not "
                    "get the values of the fit. To center, write center(x) or scale(x), which keep "
                    "the mean of the fit; else make a column before the fit"
                )
        self.row_by_row.add(asked)

    def _of_unseen(self, name: str, values: list[Any]) -> str:
        text = (
            f"the new data has a factor level that the model has not seen: "
            f"{listed(map(repr, values))} in column {name!r}"
        )
        return f"{text}{self.why_absent(name)}"

    def why_absent(self, name: str) -> str:
        """What to say of a level of a column that the fit does not know."""
        rows = self.missing.get(name, 0)
        if not rows:
            return ""
        return (
            f". {plural(rows, 'row')} of the data of the fit had a missing value in {name!r} and "
            f"{'was' if rows == 1 else 'were'} dropped; was it a level called None or NA? "
            "pandas.read_csv reads such words as missing, unless keep_default_na=False"
        )
