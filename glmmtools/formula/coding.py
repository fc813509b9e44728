"""What each column of a design matrix is: a product of numbers, indicators of levels, other codes.

It is read from formulaic's specification of the matrix, never from the printed name of a
coefficient: ``time[T.12:00]`` is one level, not a product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from formulaic.parser.types import Factor as FormulaFactor
from formulaic.parser.types import Term
from formulaic.transforms.contrasts import TreatmentContrasts

from glmmtools.formula.brackets import inside_C, unquoted
from glmmtools.formula.evaluation import evaluate
from glmmtools.formula.grammar import variables_in

Array = np.ndarray


@dataclass(frozen=True)
class Variable:
    """What a formula multiplies: a column or an expression, as numbers or in levels.

    Attributes
    ----------
    text : str
        As formulaic writes it: ``"days"``, ``"np.log(days)"``, ``"C(dose, contr.sum)"``.
    columns : tuple of str
        The columns of the data that it reads.
    source : str
        The expression of its values: `text`, or what stands inside of ``C()``.
    levels : tuple or None
        The levels as they are in the data, in the order of the coding; None for numbers.
    coding : {"treatment", "sum", "helmert", "poly", "diff", "sas", "custom"} or None
        How the levels are coded.
    """

    text: str
    columns: tuple[str, ...]
    source: str
    levels: tuple[Any, ...] | None = None
    coding: str | None = None

    @property
    def column(self) -> str | None:
        """The column of the data that it is, as numbers or in levels; None for an expression."""
        name = unquoted(self.source)
        return name if name in self.columns else None

    @property
    def name(self) -> str:
        """What to call it in a sentence: the column, or the expression."""
        return self.column or self.text

    @property
    def written(self) -> str:
        """As it stands in a formula: in backquotes where it must be."""
        is_lookup = unquoted(self.source) == self.text and not self.text.isidentifier()
        return self.source if is_lookup else self.text


@dataclass(frozen=True)
class Numeric:
    """The numbers of a variable."""

    variable: Variable


@dataclass(frozen=True)
class Indicator:
    """1 in the rows of one level of a variable, 0 in all others.

    Attributes
    ----------
    level : object
        The level as it is in the data.
    base : object or None
        The level at which all indicators of the variable are 0; None if there is none.
    """

    variable: Variable
    level: Any
    base: Any = None


@dataclass(frozen=True)
class BasisColumn:
    """One of several columns of a polynomial, a spline, or levels not coded by indicators.

    Attributes
    ----------
    name : str
        As formulaic prints it: ``"poly(x, 2)[1]"``, ``"C(dose, contr.sum)[S.low]"``.
    """

    variable: Variable
    name: str


Factor = Numeric | Indicator | BasisColumn


@dataclass(frozen=True)
class ModelColumn:
    """One column of a design matrix: `scale` times the product of its factors.

    Attributes
    ----------
    name : str
        The name of its coefficient.
    term : str
        The term of the formula that it belongs to; ``"1"`` for the intercept.
    factors : tuple of Numeric, Indicator or BasisColumn
        Empty for the intercept.
    scale : float
    """

    name: str
    term: str
    factors: tuple[Factor, ...]
    scale: float = 1

    @property
    def is_intercept(self) -> bool:
        return not self.factors

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(factor.variable for factor in self.factors)


def variables_of(columns: tuple[ModelColumn, ...]) -> list[Variable]:
    """The variables of a design matrix, each once, in their order."""
    return list(dict.fromkeys(variable for column in columns for variable in column.variables))


def model_matrix(
    expression: str, frame: pd.DataFrame
) -> tuple[Array, tuple[ModelColumn, ...], Any]:
    """Build the columns of an expression: the matrix, what they are, formulaic's recipe for them.

    Raises
    ------
    ValueError
        If the expression cannot be evaluated or is not finite, or two levels of a factor have one
        name.
    """
    if expression.strip() == "1":  # the commonest random part, without the cost of formulaic
        return np.ones((len(frame), 1)), *_intercept()
    X, model_spec = evaluate(expression, frame)
    columns: list[ModelColumn] = []
    for term, scoped_terms, names in model_spec.structure:
        products = _products(scoped_terms, model_spec)
        if len(products) != len(names):  # an expression gives more than one column
            products = _products(scoped_terms, model_spec, frame)
        if len(products) != len(names):
            raise ValueError(f"two levels of {term} have the same name, one as text; rename one")
        columns += [
            ModelColumn(name, str(term), factors, scale)
            for name, (scale, factors) in zip(names, products, strict=True)
        ]
    check_columns_finite(X, columns, frame)
    return X, _told_apart(columns), model_spec


def check_columns_finite(X: Array, columns: Sequence[ModelColumn], frame: pd.DataFrame) -> None:
    """Raise ValueError, with term and row, for a value of a design matrix that is not finite."""
    bad = ~np.isfinite(X)
    if bad.any():
        row, place = np.argwhere(bad)[0]
        raise ValueError(
            f"the term {columns[place].name!r} is not a finite number in row {frame.index[row]}"
        )


def _told_apart(columns: list[ModelColumn]) -> tuple[ModelColumn, ...]:
    """The same; one of the data that is called like the intercept, or a product, in backquotes."""
    times = Counter(column.name for column in columns)
    return tuple(
        replace(column, name=f"`{column.name}`")
        if times[column.name] > 1 and [type(factor) for factor in column.factors] == [Numeric]
        else column
        for column in columns
    )


@cache
def _intercept() -> tuple[tuple[ModelColumn, ...], Any]:
    _, model_spec = evaluate("1", pd.DataFrame({"row": [0]}))
    return (ModelColumn("Intercept", "1", ()),), model_spec


def _products(scoped_terms, model_spec, frame=None) -> list[tuple[float, tuple[Factor, ...]]]:
    """Scale and factors of each column of a term, in formulaic's order: the first factor fastest.

    With the frame, expressions of numbers are evaluated to see how many columns they give.
    """
    return [
        (scoped_term.scale, factors[::-1])
        for scoped_term in scoped_terms
        for factors in product(
            *(
                _factors(scoped.factor.factor, scoped.reduced, model_spec, frame)
                for scoped in reversed(scoped_term.factors)
            )
        )
    ]


def _factors(factor: FormulaFactor, reduced: bool, model_spec, frame) -> list[Factor]:
    """What the columns of one factor of a term are; `reduced` leaves room for an intercept."""
    lookup = factor.eval_method is FormulaFactor.EvalMethod.LOOKUP
    expression = f"`{factor.expr}`" if lookup else factor.expr
    reads = (factor.expr,) if lookup else tuple(variables_in(expression))
    state = model_spec.factor_contrasts.get(factor)
    if state is not None:
        coding = type(state.contrasts).__name__.removesuffix("Contrasts").lower()
        source = inside_C(expression) or expression
        variable = Variable(factor.expr, reads, source, tuple(state.levels), coding)
        return _coded(variable, state, reduced)
    variable = Variable(factor.expr, reads, expression)
    if frame is None or lookup:
        return [Numeric(variable)]
    intercept = [Term([FormulaFactor("1", eval_method="literal")])] if reduced else []
    state = model_spec.transform_state
    _, alone = evaluate([*intercept, Term([factor])], frame, transform_state=state)
    return [BasisColumn(variable, name) for name in alone.structure[-1].columns]


def _coded(variable: Variable, state, reduced: bool) -> list[Factor]:
    """What the columns of levels are."""
    levels, contrasts = variable.levels, state.contrasts
    if reduced and len(levels) < 2:
        return []
    labels = contrasts.get_coding_column_names(state.levels, reduced_rank=reduced)
    if isinstance(contrasts, TreatmentContrasts):  # most are, and need no matrix of codes
        base = next(iter(set(levels) - set(labels)), None)
        return [Indicator(variable, level, base) for level in labels]
    codes = np.asarray(state.get_coding_matrix(reduced_rank=reduced), float)  # a row a level
    indicates = np.isin(codes, (0, 1)).all(axis=0) & (codes.sum(axis=0) == 1)
    at_zero = np.flatnonzero(~codes.any(axis=1))
    base = levels[at_zero[0]] if indicates.all() and len(at_zero) == 1 else None
    name = contrasts.get_factor_format(state.levels, reduced_rank=reduced)
    return [
        Indicator(variable, levels[code.argmax()], base) if indicator
        else BasisColumn(variable, name.format(name=variable.text, field=label))
        for code, indicator, label in zip(codes.T, indicates, labels, strict=True)
    ]  # fmt: skip
