"""Columns of a data frame, taken in one way: numbers, booleans, text, categories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.shared.arguments import shown
from glmmtools.shared.text import listed, nearest

Array = np.ndarray
_LARGEST_INT64 = 2**63 - 1
_OF_R = {"TRUE": "True", "FALSE": "False", "pi": "np.pi"}


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
    elif hasattr(data, "collect"):
        raise TypeError(f"data is a {type(data).__name__}, not read yet: give data.collect()")
    elif isinstance(data, Mapping):
        try:
            frame = pd.DataFrame(dict(data))
        except (TypeError, ValueError) as error:
            raise ValueError(
                "data is a dict that does not hold one list of values a column, all of one length: "
                f"{str(error).splitlines()[0]}"
            ) from error
    elif hasattr(data, "columns") and hasattr(data, "__getitem__"):
        names = getattr(data, "column_names", data.columns)  # pyarrow has columns without names
        frame = pd.DataFrame({name: _column(data[name]) for name in names})
    else:
        raise TypeError(
            f"data must be a data frame or a dict of columns; got {type(data).__name__}"
        )
    if not all(isinstance(name, str) for name in frame.columns):  # 2019, as a spreadsheet has it
        frame = frame.rename(columns=str)
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"two columns are called {repeated[0]!r}; rename one of them")
    if frame.empty:
        raise ValueError("data has no rows")
    return frame


def one_a_row(name: str, given: Any) -> pd.Series | None:
    """What is given beside the data as a column; None for what holds no values in a row."""
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        return None
    if np.ndim(given if hasattr(given, "ndim") else ()) > 1:
        return None
    values = given if hasattr(given, "dtype") else list(given)
    column = pd.Series(values, name=name, dtype=None if len(values) else float)
    return column.reset_index(drop=True)


def _column(given: Any) -> pd.Series:
    """A column of another library: its values, and its levels where they have an order."""
    return _in_levels(pd.Series(_values(given), dtype=object), given)


def _values(column: Any) -> list:
    return column.to_pylist() if hasattr(column, "to_pylist") else list(column)


def _in_levels(values: pd.Series, given: Any) -> pd.Series:
    """Values as categories in the order of an Enum of polars or of a dictionary of pyarrow."""
    if type(getattr(given, "dtype", None)).__name__ == "Enum":
        levels = list(given.dtype.categories)
    elif hasattr(getattr(given, "type", None), "index_type"):
        levels = given.unify_dictionaries().chunk(0).dictionary.to_pylist() if len(given) else []
    else:
        return values
    return values.astype(pd.CategoricalDtype(levels))


# ------------------------------------------------------------------------------ one kind each


def select(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the named columns, each taken by :func:`taken`, or say which does not exist."""
    for name in names:
        if name not in frame.columns:
            if name in frame.index.names:
                raise ValueError(f"{name!r} is the index of the data: give data.reset_index()")
            if name in _OF_R:
                raise ValueError(f"there is no column {name!r}; in a formula write {_OF_R[name]}")
            column, _, attribute = name.partition(".")
            if column in frame.columns and hasattr(frame[column], attribute.partition(".")[0]):
                raise ValueError(
                    f"there is no column {name!r}; what is computed stands in I({name})"
                )
            raise ValueError(
                f"there is no column {name!r}{nearest(name, frame.columns)}. "
                f"Columns: {listed(frame.columns, 12)}"
            )
    chosen = frame[names].copy(deep=False)
    for name in names:
        column = chosen[name]
        as_taken = taken(column)
        if as_taken is not column:
            chosen[name] = as_taken
    return chosen


def taken(column: pd.Series) -> pd.Series:
    """A column of any dtype as one of a few.

    Whole numbers become int64, or Int64 beside missing values, so that a label is never rounded;
    other numbers float64; booleans bool; text stays text, as objects. Numbers and booleans among
    objects are what they are. Categories, dates and the like stay.

    Raises
    ------
    ValueError
        For complex numbers, for bytes and for values that are not one value a row, such as lists.
    """
    dtype = column.dtype
    numpy_bool = isinstance(dtype, np.dtype) and dtype.kind == "b"
    if isinstance(dtype, (pd.CategoricalDtype, pd.PeriodDtype)) or dtype.kind in "mM" or numpy_bool:
        return column
    if pd.api.types.is_complex_dtype(dtype):
        raise ValueError(f"column {column.name!r} holds complex numbers; a model needs real ones")
    if dtype.kind in "iu":
        return _whole_numbers(column)
    if dtype.kind == "f":
        is_double = isinstance(dtype, np.dtype) and dtype.itemsize == 8
        return column if is_double else _like(column, column.to_numpy(float, na_value=np.nan))
    if hasattr(getattr(dtype, "pyarrow_dtype", None), "index_type"):
        return _in_levels(column.astype(object), column.array.__arrow_array__())
    return _objects(column if pd.api.types.is_object_dtype(dtype) else column.astype(object))


def _like(column: pd.Series, values: Any) -> pd.Series:
    return pd.Series(values, index=column.index, name=column.name)


def _whole_numbers(column: pd.Series) -> pd.Series:
    if column.dtype == np.int64:
        return column
    missing = column.isna().to_numpy()
    if column.dtype.kind == "u" and (column[~missing] > _LARGEST_INT64).any():
        return column
    values = column.to_numpy(np.int64, na_value=0) if missing.any() else column.to_numpy(np.int64)
    return _like(column, pd.arrays.IntegerArray(values, missing) if missing.any() else values)


def _objects(column: pd.Series) -> pd.Series:
    """What the values are that a column of objects holds."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "boolean":
        return column if column.isna().any() else column.astype(bool)
    if kind == "interval":
        return column.astype("category")
    if kind == "bytes":
        raise ValueError(
            f"column {column.name!r} holds bytes; make text of them: "
            f"data[{column.name!r}].str.decode('utf-8')"
        )
    if kind not in ("integer", "floating", "mixed-integer-float", "decimal", "mixed",
                    "mixed-integer"):  # fmt: skip
        return column
    values = column[column.notna()]
    if not all(isinstance(value, (Real, Decimal)) for value in values):
        _check_one_value_a_row(column.name, values)
        return column
    are_floats = all(isinstance(value, float) for value in values)
    if not are_floats and all(value == value // 1 for value in values):
        try:
            whole = pd.array([None if missing else int(value)
                              for value, missing in zip(column, column.isna(), strict=True)],
                             dtype="Int64")  # fmt: skip
        except OverflowError:
            return column
        return _whole_numbers(_like(column, whole))
    return _like(column, column.to_numpy(float, na_value=np.nan))


def _check_one_value_a_row(name: Any, values: pd.Series) -> None:
    for value in values:
        if isinstance(value, (list, tuple, set, dict, np.ndarray)):
            raise ValueError(
                f"column {name!r} holds {type(value).__name__}s, such as {value!r}; a model needs "
                "one value a row: make a column of each entry, or data.explode()"
            )


def refuse_dates(name: str, values: Any, written: str | None = None) -> None:
    """Raise ValueError for dates, durations and periods, which are neither numbers nor levels.

    They are those of a column of this name, or of an expression that is `written` so.
    """
    if not hasattr(values, "dtype"):
        return
    kind, column = pd.api.types.infer_dtype(values, skipna=True), written or f"data[{name!r}]"
    for what, (kinds, example) in {
        "dates": (("datetime", "datetime64", "date"), f"({column} - {column}.min()).dt.days"),
        "durations": (("timedelta", "timedelta64"), f"{column}.dt.days"),
        "periods": (("period",), f"{column}.dt.month; for levels {column}.astype(str)"),
        "times of day": (("time",), f"{column}.map(lambda time: time.hour)"),
    }.items():
        if kind in kinds:
            raise ValueError(
                f"{name!r} holds {what}. Make a column of numbers of it, such as days, months or "
                f"hours: {example}"
            )


def complete_rows(frame: pd.DataFrame, complete: Array) -> pd.DataFrame:
    """The rows without a missing value, of columns taken by :func:`taken`.

    Categories are those that occur in these rows.
    """
    frame = (frame if complete.all() else frame[complete]).copy(deep=False)
    for name in frame:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.array.codes
            if len(np.unique(codes[codes >= 0])) < len(column.dtype.categories):
                frame[name] = column.cat.remove_unused_categories()
        elif column.dtype.kind in "iu" and hasattr(column.dtype, "numpy_dtype"):
            frame[name] = column.astype(column.dtype.numpy_dtype)
        elif pd.api.types.is_object_dtype(column) and pd.api.types.infer_dtype(column) == "boolean":
            frame[name] = column.astype(bool)
    return frame


def values_beside(given: Any, role: str, frame: pd.DataFrame) -> Array:
    """Weights or an offset in the order of the data: a column, or values beside the data."""
    called = role
    if isinstance(given, str):
        called, given = f"{role}={given!r}", select(frame, [given])[given]
    elif isinstance(given, pd.Series):
        given = taken(_aligned(given, role, frame.index))
    else:
        values = one_a_row(role, given)
        given = given if values is None else taken(values)
    if not isinstance(given, pd.Series) or len(given) != len(frame):
        shape = np.shape(given) if isinstance(given, (pd.Series, np.ndarray)) else None
        got = shown(given) if shape is None else f"{role} of shape {shape}"
        raise ValueError(f"{role}= needs one value a row: {len(frame)} rows, {got}")
    if not pd.api.types.is_numeric_dtype(given):
        raise ValueError(
            f"{called} must be a column of numbers; it holds values such as {given.tolist()[0]!r}"
        )
    values = given.to_numpy(float, na_value=np.nan)
    if np.isinf(values).any():
        row = np.isinf(values).argmax()
        raise ValueError(f"{role}= holds an infinite value in row {frame.index[row]}")
    return values


def _aligned(given: pd.Series, role: str, index: pd.Index) -> pd.Series:
    """The values that stand at the labels of the data."""
    if given.index.equals(index):
        return given
    known = set(given.index)
    absent = [label for label in index.tolist() if label not in known]
    if absent or not (given.index.is_unique and index.is_unique):
        why = f"it has no label {absent[0]!r}" if absent else "some labels are there more than once"
        raise ValueError(
            f"{role}= is a Series, which is taken by its labels, as the rows of the data: {why}. "
            f"Give it the index of the data, or {role}=values.to_numpy() to go by position"
        )
    return given.reindex(index)


# ------------------------------------------------------------------------------ levels and labels


def is_factor_column(column: pd.Series) -> bool:
    """Whether a column is in levels: booleans, text, categories."""
    return column.dtype.kind == "b" or not pd.api.types.is_numeric_dtype(column.dtype)


def levels_of(column: pd.Series) -> list[Any]:
    """Levels of a factor that occur, in the order of its categories or sorted: numbers, text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [level for level in column.cat.categories if (column == level).any()]
    levels = column.unique().tolist()
    try:
        return sorted(levels)
    except TypeError:  # numbers beside text
        return pd.factorize(pd.Series(levels, dtype=object), sort=True)[1].tolist()


def codes_and_levels(column: pd.Series) -> tuple[Array, list[Any]]:
    """For each row the place of its level among those of :func:`levels_of`, and these."""
    levels = levels_of(column)
    places = {level: place for place, level in enumerate(levels)}
    return np.array([places[value] for value in column.tolist()], np.intp), levels


def label_text(value: Any) -> str:
    """A level or label as text; a whole number without decimals.

    >>> label_text(3.0), label_text("007"), label_text(2**53 + 1)
    ('3', '007', '9007199254740993')
    """
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def matched(values: Collection[Any], known: Iterable[Any]) -> list[Any]:
    """Values as those of the known ones that they equal, or equal as text: ``3``, ``"3"``, ``3.0``.

    What is not known stays.

    >>> matched(["3", 4, "x"], [3, "4"])
    [3, '4', 'x']
    """
    found = {value: value for value in known}
    unknown = [value for value in dict.fromkeys(values) if value not in found]
    if unknown:
        by_text = {label_text(value): value for value in reversed(found)}
        found |= {value: by_text.get(label_text(value), value) for value in unknown}
    return [found[value] for value in values]


def check_finite(frame: pd.DataFrame) -> None:
    for name, dtype in frame.dtypes.items():
        infinite = np.isinf(frame[name].to_numpy()) if dtype.kind == "f" else np.zeros(0, bool)
        if infinite.any():
            raise ValueError(
                f"column {name!r} holds an infinite value in row {frame.index[infinite.argmax()]}"
            )
