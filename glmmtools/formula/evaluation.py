"""Expressions of a formula evaluated on columns: matrices by formulaic, single columns of numbers.

What a formula computes with is float64, so that narrow integers cannot overflow; booleans are
factors of two levels.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from functools import partial, update_wrapper
from typing import Any

import formulaic
import numpy as np
import pandas as pd
from formulaic.errors import DataMismatchWarning, FormulaicError
from formulaic.materializers import PandasMaterializer
from formulaic.parser.algos.tokenize import tokenize
from formulaic.parser.types import Factor, Token
from formulaic.transforms import TRANSFORMS
from interface_meta import override  # formulaic's own, without which it takes no method

from glmmtools.formula.arithmetic import check_arithmetic
from glmmtools.formula.brackets import QUOTED, inside_C, is_call, unquoted
from glmmtools.formula.columns import refuse_dates
from glmmtools.formula.grammar import first_line, variables_in
from glmmtools.shared.text import listed

Array = np.ndarray
BY_SUMS = "_by_sums"  # C(..., contr.sum), under a name that no column has
_EXACT = 2**53  # beyond it neighbouring integers become one float: labels, not numbers


class _NoNumbers(ValueError):
    """What formulaic may not wrap into an error of its own."""


class UnknownLevel(ValueError):
    """A factor does not have a level that new data, or its coding, asks for."""


_STAND_IN = "_glmmtools_column_"


def _with_identifiers(expression: str) -> str:
    """The same, with every name in backquotes as a name that Python can read.

    formulaic has such names too, but they depend on what other columns are called: one that stands
    in the state of a polynomial or spline must be the same in new data.
    """
    return QUOTED.sub(
        lambda quoted: f" {_STAND_IN}{unquoted(quoted[0]).encode().hex()} "
        if quoted[0].startswith("`") else quoted[0], expression,
    )  # fmt: skip


def _called(name: Any) -> Any:
    """The column that a name of :func:`_with_identifiers` stands for."""
    if isinstance(name, str) and name.startswith(_STAND_IN):
        return bytes.fromhex(name.removeprefix(_STAND_IN)).decode()
    return name


class _Columns(Mapping):
    """The columns of a frame as formulas compute with them: numbers as float64.

    Integers too large to be told apart as floats stay, as labels.
    """

    def __init__(self, frame: pd.DataFrame):
        self.frame, self.taken = frame, {}

    def __getitem__(self, name: str) -> pd.Series:
        if name not in self.taken:
            column = self.frame[_called(name)]
            is_whole = column.dtype.kind in "iu"
            if is_whole and np.abs(column.to_numpy()).max(initial=0) <= _EXACT:
                column = column.astype(float)
            self.taken[name] = column
        return self.taken[name]

    def __contains__(self, name: object) -> bool:
        return _called(name) in self.frame.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.frame.columns)

    def __len__(self) -> int:
        return len(self.frame.columns)


class _Materializer(PandasMaterializer):
    """formulaic's for pandas, with all numbers as float64, booleans as levels, and no dates."""

    REGISTER_NAME = "glmmtools"
    REGISTER_INPUTS = ()

    @property
    @override
    def data_context(self) -> Mapping[str, Any]:
        return _Columns(self.data)

    @override
    def _is_categorical(self, values: Any) -> bool:
        kind = getattr(getattr(values, "dtype", None), "kind", "")
        return kind == "b" or super()._is_categorical(values)

    @override
    def _lookup(self, name):
        found = super()._lookup(name)
        _check_no_dates(name, found[0], self.data.columns)
        return found

    @override
    def _evaluate(self, expr, metadata, spec):
        expression = _with_identifiers(expr)
        for name in filter(self.data.columns.__contains__, _given_to_functions(expression)):
            _check_no_dates(name, self.data[name], self.data.columns)
        values, *others = super()._evaluate(expression, metadata, spec)
        _check_no_dates(expr, values, self.data.columns)
        if isinstance(values, np.ndarray) and values.dtype.kind in "UO":  # text, as of np.where()
            values = pd.Series(values, index=self.data.index, dtype=object)
        return (values, *others)


def _given_to_functions(expression: str) -> Iterator[str]:
    """The columns that are arguments of functions, which may take dates for numbers."""
    with suppress(SyntaxError):  # which is said where the expression is computed
        for node in ast.walk(ast.parse(expression.strip(), mode="eval")):
            if isinstance(node, ast.Call):
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                yield from (_called(each.id) for each in given if isinstance(each, ast.Name))


def _check_no_dates(expression: str, values: Any, columns: Container[str]) -> None:
    inner = inside_C(expression) or expression
    name = unquoted(inner)
    try:
        refuse_dates(name, values, None if name in columns else f"({inner})")
    except ValueError as error:
        raise _NoNumbers(*error.args) from None


def _levels(data: Any, *arguments: Any, **options: Any) -> Any:
    """formulaic's ``C``, of whole numbers as integers: the name of a level is 2, not 2.0."""
    named = next((each for each in arguments if isinstance(each, str)), None)
    if named is not None:
        name = named.removeprefix("contr.")
        raise _NoNumbers(f"{named!r} is text and no coding: write C(..., contr.{name})")
    values = np.asarray(data)
    if values.dtype == float and np.all(np.isfinite(values) & (values == np.round(values))):
        data = pd.Series(values.astype(np.int64), index=getattr(data, "index", None))
    return TRANSFORMS["C"](data, *arguments, **options)


def _of_one_column(name: str) -> Callable[[Any], Any]:
    """A function of NumPy without its further arguments, into which it would write."""

    def function(values: Any) -> Any:
        return getattr(np, name)(values)

    function.__name__ = function.__qualname__ = name
    return function


def _centred(name: str) -> Any:
    """A spline less its mean: its columns sum to 1, one too many beside an intercept."""
    spline = TRANSFORMS[name]
    return update_wrapper(partial(spline, constraints="center"), spline)


_REASONS = {
    "^Numeric literals|^Term already seen with a different numerical":
        "arithmetic stands inside I(), as in I(x / 10)",
    r"^(The right-hand argument of `\*\*`|Operator `\*\*-`)":
        "a power that is no whole number stands inside I(), as in I(x ** 0.5)",
    "input arrays must have (the )?same shape":
        "it does not give one value for each row",
    "^Unknown operator '[<>=!]": "a condition stands inside I(), as in I(x > 10)",
    r"NameError: name '(\w+)' is not defined":
        r"there is no function \1(); take one of NumPy, such as np.sin(x), or make a column first",
    r"(`.*`)\. \[TypeError: 'Series' object is not callable":
        r"a function in \1 is called like a column of the data; rename the column",
}  # fmt: skip
_CONTEXT = {
    "np": np, "C": _levels,
    **{name: _of_one_column(name) for name in ("sqrt", "abs", "exp", "expm1")},
    **{name: _of_one_column(name) for name in ("log", "log2", "log10", "log1p")},
    BY_SUMS: partial(_levels, contrasts=TRANSFORMS["contr"].sum),
}  # fmt: skip
_BESIDE_INTERCEPT = _CONTEXT | {name: _centred(name) for name in ("cr", "cs", "cc")}


# log(0) and its like are reported by row and term, not by a NumPy warning
_SILENT = partial(np.errstate, divide="ignore", invalid="ignore", over="ignore")


def evaluate(
    expression: Any,
    frame: pd.DataFrame,
    intercept: bool = True,
    **options: Any,
):
    """Build the columns of a fixed-part expression: the matrix and formulaic's recipe for it."""
    asked = expression
    if isinstance(expression, str):
        expression = _with_a_column_called_1(expression)
        expression = expression if intercept else f"0 + ({expression})"
    try:
        if isinstance(expression, str):
            check_arithmetic(expression)
        parsed = formulaic.Formula(expression)
        context = _BESIDE_INTERCEPT if any(term == "1" for term in parsed) else _CONTEXT
        with _SILENT(), warnings.catch_warnings():
            warnings.simplefilter("error", DataMismatchWarning)
            matrix = parsed.get_model_matrix(
                frame, context=context, output="numpy", na_action="ignore",
                **{"materializer": _Materializer.REGISTER_NAME, **options},
            )  # fmt: skip
    except DataMismatchWarning as error:
        raise ValueError(
            f"{asked!r} leaves out {_unknown_levels(error)}, which the data have: name all levels, "
            "or leave those rows out of the data"
        ) from error
    except Exception as error:  # an expression is Python, and may raise anything
        if isinstance(error.__cause__, _NoNumbers):
            raise ValueError(*error.__cause__.args) from None
        if "is not among the provided levels" in str(error):
            level = re.search("`(.*?)`", str(error))[1]
            raise UnknownLevel(f"{asked!r} names {level}, which is no level of it") from error
        raise ValueError(f"cannot read {asked!r}: {_why(error)}") from error
    return np.asarray(matrix, float), matrix.model_spec


def _unknown_levels(error: DataMismatchWarning) -> str:
    found = re.search(r"\{(.*)\}", str(error))
    return found[1] if found else first_line(error)


def _why(error: Exception) -> str:
    """What is wrong with an expression, as a line to write where one is known."""
    why = first_line(error)
    for sign, line in _REASONS.items():
        found = re.search(sign, why)
        if found:
            return found.expand(line)
    return why


def _with_a_column_called_1(expression: str) -> str:
    """The same, with a column called 1 told from the intercept, for which formulaic takes it."""
    if "`1`" not in expression:
        return expression
    ones = [each for each in tokenize(expression)
            if each.kind is Token.Kind.NAME and each.token == "1"]  # fmt: skip
    for token in reversed(ones):
        start = token.source_start
        expression = f"{expression[:start]}{{`1`}}{expression[start + len('`1`') :]}"
    return expression


def numeric(expression: str, frame: pd.DataFrame, what: str) -> Array:
    """Evaluate an expression that must give one number for each row; arithmetic is as in Python."""
    name = unquoted(expression)
    if name in frame.columns:
        refuse_dates(name, frame[name])
        if not pd.api.types.is_numeric_dtype(frame[name]):
            value, cure = frame[name].tolist()[0], "Give a column with the number of each"
            if pd.to_numeric(frame[name].astype(str), errors="coerce").notna().all():
                cure = f"They are text or categories: data[{name!r}].astype(float)"
            raise ValueError(
                f"the {what} {name!r} must be numbers; it holds values such as {value!r}. {cure}"
            )
        return frame[name].to_numpy(float)
    names = variables_in(expression)
    if not names:
        raise ValueError(f"the {what} {expression!r} reads no column; make a column of it")
    for name in names:
        if name in frame.columns and frame[name].dtype.kind in "mM":
            raise ValueError(
                f"the {what} {expression!r} reads dates in {name!r}; make a column of days before "
                "the fit: data['days'] = (data['end'] - data['start']).dt.days"
            )
    # what is neither a column nor a call would be read as terms: (a - b) as a without b
    plain = expression if is_call(expression) else f"I({expression})"
    columns = _Columns(frame)
    read = pd.DataFrame({name: columns[name] for name in names if name in columns})
    # formulaic's own way with booleans: they are the numbers 0 and 1 here
    matrix, _ = evaluate(plain, read, intercept=False, materializer="pandas")
    if matrix.shape != (len(frame), 1):
        raise ValueError(f"the {what} {expression!r} must be one column of numbers")
    bad = ~np.isfinite(matrix[:, 0])
    if bad.any():
        raise ValueError(
            f"the {what} {expression!r} is not a finite number in row {frame.index[bad.argmax()]}"
        )
    return matrix[:, 0]


def evaluated(model_spec: Any) -> list[str]:
    """The expressions of a recipe that compute with columns, other than the columns themselves."""
    factors = dict.fromkeys(factor for term in model_spec.formula for factor in term.factors)
    return [factor.expr for factor in factors if factor.eval_method is Factor.EvalMethod.PYTHON]


def apply_recipe(model_spec: Any, frame: pd.DataFrame) -> Array:
    """The columns that a recipe of :func:`evaluate` gives on new data.

    Raises
    ------
    UnknownLevel
        For a level that the recipe does not know.
    ValueError
        For values that it cannot take.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataMismatchWarning)
        try:
            with _SILENT():
                matrix = model_spec.get_model_matrix(frame, context=_CONTEXT)
        except DataMismatchWarning as error:
            raise UnknownLevel(
                "the new data has a factor level that the model has not seen: "
                f"{_unknown_levels(error)}"
            ) from error
        except FormulaicError as error:
            if "extend beyond" in str(error):
                raise ValueError(
                    f"a spline ends with the values of the fit, and the new data go beyond: in "
                    f"{listed(evaluated(model_spec))}. Write bs(x, df=4, extrapolation='extend') "
                    "to go on with its last piece, or take cr()"
                ) from error
            raise ValueError(f"the new data cannot be read: {_why(error)}") from error
    return np.asarray(matrix, float)
