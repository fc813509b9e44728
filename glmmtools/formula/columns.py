"""Columns of numbers from a data frame: looked up, evaluated, checked."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import formulaic
import numpy as np
import pandas as pd
from formulaic.errors import DataMismatchWarning, FormulaicError

from glmmtools.formula.grammar import first_line, is_call, unquoted, variables_in
from glmmtools.shared.text import listed, nearest

Array = np.ndarray
CONTEXT = {"np": np}


def to_frame(data: Any) -> pd.DataFrame:
    """Return `data` as a pandas DataFrame: pandas, polars or other frames, a dict of columns.

    Raises
    ------
    TypeError
        If `data` is not a table.
    ValueError
        If it has no rows or two columns of one name.
    """
    if isinstance(data, pd.DataFrame):
        frame = data
    elif isinstance(data, Mapping):
        frame = pd.DataFrame(dict(data))
    elif hasattr(data, "columns") and hasattr(data, "__getitem__"):
        frame = pd.DataFrame({name: list(data[name]) for name in data.columns})
    else:
        raise TypeError(
            f"data must be a data frame or a dict of columns; got {type(data).__name__}"
        )
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"two columns are called {repeated[0]!r}; rename one of them")
    if frame.empty:
        raise ValueError("data has no rows")
    return frame


def select(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the named columns, nullable numbers as floats, or say which column does not exist."""
    for name in names:
        if name not in frame.columns:
            raise ValueError(
                f"there is no column {name!r}{nearest(name, frame.columns)}. "
                f"Columns: {listed(frame.columns, 12)}"
            )
    chosen = frame[names].copy(deep=False)
    for name in names:
        column = chosen[name]
        extension = pd.api.types.is_extension_array_dtype(column.dtype)
        if extension and pd.api.types.is_numeric_dtype(column.dtype):  # booleans too
            chosen[name] = column.to_numpy(float, na_value=np.nan)
        elif isinstance(column.dtype, pd.StringDtype):
            chosen[name] = column.astype(object)
    return chosen


def levels_of(column: pd.Series) -> list[Any]:
    """Levels of a factor that occur, in the order of its categories or sorted."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [level for level in column.cat.categories if (column == level).any()]
    return sorted(column.unique())


def check_finite(frame: pd.DataFrame) -> None:
    for name in frame.select_dtypes("number"):
        infinite = np.isinf(frame[name].to_numpy(float))
        if infinite.any():
            raise ValueError(
                f"column {name!r} holds an infinite value in row {frame.index[infinite.argmax()]}"
            )


def evaluate(expression: str, frame: pd.DataFrame, intercept: bool = True):
    """Build the columns of a fixed-part expression: the matrix and formulaic's recipe for it."""
    try:
        parsed = formulaic.Formula(expression if intercept else f"0 + ({expression})")
        # log(0) and its like are reported below by row and term, not by a NumPy warning
        with np.errstate(divide="ignore", invalid="ignore"):
            matrix = parsed.get_model_matrix(
                frame, context=CONTEXT, output="numpy", na_action="ignore"
            )
    except (FormulaicError, SyntaxError) as error:
        why = first_line(error)
        if why.startswith(("Numeric literals", "Term already seen with a different numerical")):
            why = "arithmetic stands inside I(), as in I(x / 10)"
        raise ValueError(f"cannot read {expression!r}: {why}") from error
    return np.asarray(matrix, float), matrix.model_spec


def numeric(expression: str, frame: pd.DataFrame, what: str) -> Array:
    """Evaluate an expression that must give one number for each row; arithmetic is as in Python."""
    name = unquoted(expression)
    if name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            value = frame[name].iloc[0]
            raise ValueError(
                f"the {what} {name!r} must be numbers; it holds values such as {value!r}"
            )
        return frame[name].to_numpy(float)
    names = variables_in(expression)
    if not names:
        raise ValueError(f"the {what} {expression!r} reads no column; make a column of it")
    if "^" in re.sub(r"`[^`]*`", "", expression):
        raise ValueError(f"in the {what} {expression!r}, write ** for a power")
    for name in names:
        if name in frame.columns and frame[name].dtype.kind in "mM":
            raise ValueError(
                f"the {what} {expression!r} reads dates in {name!r}; make a column of days, as in "
                "(end - start).dt.days"
            )
    # what is neither a column nor a call would be read as terms: (a - b) as a without b
    plain = expression if is_call(expression) else f"I({expression})"
    matrix, _ = evaluate(plain, frame, intercept=False)
    if matrix.shape[1] != 1:
        raise ValueError(f"the {what} {expression!r} must be one column of numbers")
    bad = ~np.isfinite(matrix[:, 0])
    if bad.any():
        raise ValueError(
            f"the {what} {expression!r} is not a finite number in row {frame.index[bad.argmax()]}"
        )
    return matrix[:, 0]


def apply_recipe(model_spec, frame: pd.DataFrame) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataMismatchWarning)
        try:
            return np.asarray(model_spec.get_model_matrix(frame, context=CONTEXT), float)
        except (DataMismatchWarning, FormulaicError) as error:
            new = re.search(r"\{(.*)\}", str(error))
            what = f"a factor level that the model has not seen: {new.group(1)}" if new else ""
            raise ValueError(f"the new data has {what or first_line(error)}") from error
