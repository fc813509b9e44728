"""From a formula and a data frame to the numbers a model needs, and the same for new data.

The fixed part and the columns of random slopes are built by `formulaic`; the grammar of random terms
(``(x | g)``, ``(x || g)``, ``(1 | a/b)``, ``ar1(time | g)``, ``cs(time | g)``) is ours.

    y ~ x * z + (1 | g) + offset(log(area))
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import formulaic
import numpy as np
import pandas as pd
from formulaic.errors import DataMismatchWarning, FormulaicError

from glmmtools._text import listed, nearest, plural

__all__ = ["Design", "ParsedFormula", "RandomTerm", "parse_formula", "to_frame"]

Array = np.ndarray
_CONTEXT = {"np": np}
_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "`'\""
_RANDOM_FUNCTIONS = ("ar1", "cs")


# ------------------------------------------------------------------------------ the grammar


@dataclass(frozen=True)
class RandomSpec:
    """One random term as written: its columns, its grouping factor, its covariance structure."""

    columns: str
    groups: tuple[str, ...]
    structure: str

    @property
    def group(self) -> str:
        return ":".join(self.groups)

    @property
    def label(self) -> str:
        function = self.structure if self.structure in _RANDOM_FUNCTIONS else ""
        bar = "||" if self.structure == "independent" else "|"
        return f"{function}({self.columns} {bar} {self.group})"


@dataclass(frozen=True)
class ParsedFormula:
    """A formula taken apart into response, fixed part, random terms and offsets."""

    text: str
    response: str
    fixed: str
    random: tuple[RandomSpec, ...]
    offsets: tuple[str, ...]


def parse_formula(text: str) -> ParsedFormula:
    """Take an lme4-style formula apart.

    Raises
    ------
    ValueError
        If there is no ``~`` or no response, or a ``|`` stands outside parentheses.

    Examples
    --------
    >>> parsed = parse_formula("y ~ x + (1 | block/plot)")
    >>> parsed.fixed, [each.group for each in parsed.random]
    ('x', ['block', 'block:plot'])
    """
    if not isinstance(text, str):
        raise ValueError(f"the formula must be text such as 'y ~ x + (1 | g)'; got {text!r}")
    sides = [part for part, _ in _split(text, "~")]
    if len(sides) != 2 or not sides[0]:
        raise ValueError(
            f"the formula {text!r} needs a response, one ~ and a right side, "
            "such as 'y ~ x + (1 | g)'"
        )
    fixed, random, offsets = [], [], []
    for piece, sign in _split(sides[1], "+-"):
        if not piece:
            continue
        bars = _random_inside(piece, text)
        if bars is not None:
            if sign == "-":
                raise ValueError(f"a random term cannot be subtracted: '- {piece}' in {text!r}")
            random.extend(bars)
        elif (inner := _call(piece, "offset")) is not None:
            offsets.append(inner)
        else:
            fixed.append(f"{sign} {piece}" if fixed or sign == "-" else piece)
    return ParsedFormula(
        text.strip(), sides[0], " ".join(fixed) or "1", tuple(random), tuple(offsets)
    )


def _split(text: str, separators: str) -> list[tuple[str, str]]:
    """Split at separators outside brackets and quotes; each part with the separator before it."""
    parts, depth, quote, start, before = [], 0, "", 0, "+"
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
            if depth < 0:
                raise ValueError(f"the formula {text!r} closes a bracket that was not opened")
        elif character in separators and depth == 0:
            parts.append((text[start:position].strip(), before))
            start, before = position + 1, character
    if depth or quote:
        raise ValueError(f"a bracket or a quote in the formula {text!r} is not closed")
    parts.append((text[start:].strip(), before))
    return parts


def _call(piece: str, function: str) -> str | None:
    """The argument text of ``function(...)`` if the piece is exactly that call."""
    match = re.fullmatch(rf"{function}\s*\((.*)\)", piece, flags=re.DOTALL)
    return match.group(1).strip() if match and _is_balanced(match.group(1)) else None


def _is_balanced(text: str) -> bool:
    try:
        _split(text, "")
    except ValueError:
        return False
    return True


def _random_inside(piece: str, text: str) -> list[RandomSpec] | None:
    """The random terms that a piece of the right side stands for; None for a fixed term."""
    if "|" not in re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "", piece):
        return None
    for function in (*_RANDOM_FUNCTIONS, ""):
        inner = _call(piece, function)
        if inner is None:
            continue
        bars = [part for part, _ in _split(inner, "|")]
        double = len(bars) == 3 and not bars[1]
        if (len(bars) == 2 or double) and bars[0] and bars[-1]:
            structure = function or ("independent" if double else "unstructured")
            return [
                RandomSpec(bars[0], groups, structure) for groups in _expand_groups(bars[-1], text)
            ]
    raise ValueError(
        f"the | in {piece!r} is misplaced. A random term stands in its own parentheses, added with "
        "+ : 'y ~ x + (1 | g)' for intercepts, '(x | g)' for slopes"
    )


def _expand_groups(text: str, formula: str) -> list[tuple[str, ...]]:
    """``a/b`` is ``a`` and ``a:b`` (nested); ``a:b`` is one factor."""
    nested: list[tuple[str, ...]] = []
    for part, _ in _split(text, "/"):
        names = tuple(_unquote(name) for name, _ in _split(part, ":"))
        if any(not re.fullmatch(r"[^\W\d]\w*", name) and f"`{name}`" not in text for name in names):
            raise ValueError(
                f"the grouping factor {text!r} in {formula!r} must be a column, a nesting a/b or an "
                "interaction a:b"
            )
        nested.append((nested[-1] if nested else ()) + names)
    return nested


def _unquote(name: str) -> str:
    return name[1:-1] if name.startswith("`") and name.endswith("`") and len(name) > 1 else name


_NAME = re.compile(r"`([^`]+)`|'[^']*'|\"[^\"]*\"|(?<![\w.])([^\W\d]\w*)\b(?!\s*[.(]|\s*=[^=])")


def variables_in(expression: str) -> list[str]:
    """Names of columns that an expression reads.

    >>> variables_in("poly(x, 2) + `my column`:C(trt, contr.treatment('a')) + np.log(z)")
    ['x', 'my column', 'trt', 'z']
    """
    found = (match.group(1) or match.group(2) for match in _NAME.finditer(expression))
    return list(dict.fromkeys(name for name in found if name not in (None, "True", "False", "None")))


# ------------------------------------------------------------------------------ the data


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
        raise TypeError(f"data must be a data frame or a dict of columns; got {type(data).__name__}")
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"two columns are called {repeated[0]!r}; rename one of them")
    if frame.empty:
        raise ValueError("data has no rows")
    return frame


def _columns(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
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
        if isinstance(column.dtype, pd.BooleanDtype) or (
            pd.api.types.is_extension_array_dtype(column.dtype)
            and pd.api.types.is_numeric_dtype(column.dtype)
        ):
            chosen[name] = column.to_numpy(float, na_value=np.nan)
        elif isinstance(column.dtype, pd.StringDtype):
            chosen[name] = column.astype(object)
    return chosen


def _check_finite(frame: pd.DataFrame) -> None:
    for name in frame.select_dtypes("number"):
        infinite = np.isinf(frame[name].to_numpy(float))
        if infinite.any():
            raise ValueError(
                f"column {name!r} holds an infinite value in row {frame.index[infinite.argmax()]}"
            )


def _evaluate(expression: str, frame: pd.DataFrame, intercept: bool = True):
    """Build the columns of a fixed-part expression: the matrix and formulaic's recipe for it."""
    try:
        parsed = formulaic.Formula(expression if intercept else f"0 + ({expression})")
        # log(0) and its like are reported below by row and term, not by a NumPy warning
        with np.errstate(divide="ignore", invalid="ignore"):
            matrix = parsed.get_model_matrix(
                frame, context=_CONTEXT, output="numpy", na_action="ignore"
            )
    except (FormulaicError, SyntaxError) as error:
        raise ValueError(f"cannot read {expression!r}: {_first_line(error)}") from error
    return np.asarray(matrix, float), matrix.model_spec


def _first_line(error: Exception) -> str:
    text = re.sub(r"\x1b\[[\d;]*m|[⧛⧚]", "", str(error)).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _numeric(expression: str, frame: pd.DataFrame, what: str) -> Array:
    """Evaluate an expression that must give one number for each row."""
    name = _unquote(expression)
    if name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            value = frame[name].iloc[0]
            raise ValueError(f"the {what} {name!r} must be numbers; it holds values such as {value!r}")
        return frame[name].to_numpy(float)
    matrix, _ = _evaluate(expression, frame, intercept=False)
    if matrix.shape[1] != 1:
        raise ValueError(f"the {what} {expression!r} must be one column of numbers")
    bad = ~np.isfinite(matrix[:, 0])
    if bad.any():
        raise ValueError(
            f"the {what} {expression!r} is not a finite number in row {frame.index[bad.argmax()]}"
        )
    return matrix[:, 0]


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
    time : ndarray, shape (n,), or None
        Times of an ar1 term.
    """

    label: str
    group: str
    names: tuple[str, ...]
    Z: Array
    codes: Array
    levels: Array
    structure: str
    time: Array | None = None


@dataclass(frozen=True)
class _RandomRecipe:
    """How to rebuild the columns and codes of a random term on new data."""

    spec: RandomSpec
    model_spec: Any
    index: dict[Any, int]

    def __call__(self, frame: pd.DataFrame, term: RandomTerm) -> RandomTerm:
        keys = _group_keys(frame, self.spec.groups)
        codes = np.array([self.index.get(key, -1) for key in keys], dtype=np.intp)
        if term.structure == "ar1":
            time, Z = _numeric(self.spec.columns, frame, "time"), np.ones((len(frame), 1))
        else:
            time, Z = None, _apply(self.model_spec, frame)
        return replace(term, Z=Z, codes=codes, time=time)


def _group_keys(frame: pd.DataFrame, groups: tuple[str, ...]) -> list[Any]:
    columns = [frame[name].tolist() for name in groups]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _group_codes(frame: pd.DataFrame, groups: tuple[str, ...]) -> tuple[Array, list[Any]]:
    """Code of each row and, for each code, the tuple of labels; only levels that occur."""
    codes, uniques = zip(*(pd.factorize(frame[name], sort=True) for name in groups), strict=True)
    joint = codes[0].astype(np.int64)
    for more, labels in zip(codes[1:], uniques[1:], strict=True):
        joint = joint * len(labels) + more
    present, compact = np.unique(joint, return_inverse=True)
    labels_of = []
    for labels in reversed(uniques):
        labels_of.append(np.asarray(labels, dtype=object)[present % len(labels)])
        present = present // len(labels)
    keys = labels_of[0].tolist() if len(groups) == 1 else list(zip(*reversed(labels_of), strict=True))
    return compact.astype(np.intp), keys


def _random_term(spec: RandomSpec, frame: pd.DataFrame) -> tuple[RandomTerm, _RandomRecipe]:
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
        time = _numeric(spec.columns, frame, "time")
        _check_times(time, codes, labels, spec)
        names, Z = (spec.columns,), np.ones((len(frame), 1))
    else:
        columns = f"0 + C({spec.columns})" if spec.structure == "cs" else spec.columns
        Z, model_spec = _evaluate(columns, frame)
        names = tuple(model_spec.column_names)
        if not names:
            raise ValueError(f"the random term ({spec.columns} | {spec.group}) has no columns")
    term = RandomTerm(spec.label, spec.group, names, Z, codes, labels, spec.structure, time)
    return term, _RandomRecipe(spec, model_spec, {key: i for i, key in enumerate(keys)})


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


# ------------------------------------------------------------------------------ the response


@dataclass(frozen=True, eq=False)
class Response:
    """The response: values (successes for a binomial family), trials, what a success is."""

    label: str
    y: Array
    trials: Array | None = None
    success: str | None = None


_PAIR = re.compile(r"\s*(prop|cbind)\s*\((.*)\)\s*", flags=re.DOTALL)


def _response(text: str, frame: pd.DataFrame, takes_trials: bool, trials: Array | None) -> Response:
    pair = _PAIR.fullmatch(text)
    if pair:
        parts = [part for part, _ in _split(pair.group(2), ",")]
        if len(parts) != 2:
            raise ValueError(f"{pair.group(1)}() takes two columns; got {text!r}")
        if not takes_trials:
            raise ValueError(
                f"{text} is successes out of trials: use family='binomial' or 'betabinomial'"
            )
        first, second = (_numeric(part, frame, "count") for part in parts)
        total = second if pair.group(1) == "prop" else first + second
        _check_pair(parts, first, second, total, frame)
        return Response(text, first, total)
    name = _unquote(text)
    if name in frame.columns and not pd.api.types.is_numeric_dtype(frame[name]):
        if not takes_trials:
            raise ValueError(
                f"the response {name!r} must be numbers; it holds values such as "
                f"{frame[name].iloc[0]!r}"
            )
        return _two_level_response(name, frame[name])
    y = _numeric(text, frame, "response")
    if not takes_trials:
        return Response(text, y)
    return _proportion_response(text, y, trials, frame)


def _check_pair(parts, first, second, total, frame) -> None:
    too_many = first > total
    if too_many.any():
        row = too_many.argmax()
        raise ValueError(
            f"row {frame.index[row]} has more successes than trials: {parts[0]} = {first[row]:g}, "
            f"{parts[1]} = {second[row]:g}. Is the order prop(successes, trials)?"
        )
    if (total <= 0).any():
        row = (total <= 0).argmax()
        raise ValueError(
            f"row {frame.index[row]} has {total[row]:g} trials; drop rows without trials"
        )


def _two_level_response(name: str, column: pd.Series) -> Response:
    codes, levels = pd.factorize(column, sort=True)
    if len(levels) != 2:
        raise ValueError(
            f"the response {name!r} has {plural(len(levels), 'level')} ({listed(levels)}); "
            "a 0/1 response needs two"
        )
    return Response(name, codes.astype(float), np.ones(len(codes)), str(levels[1]))


def _proportion_response(text: str, y: Array, trials: Array | None, frame) -> Response:
    if trials is not None:
        outside = (y < 0) | (y > 1)
        if outside.any():
            row = outside.argmax()
            raise ValueError(
                f"with weights= as trials the response {text!r} is the proportion of successes; "
                f"row {frame.index[row]} has {y[row]:g}"
            )
        successes = y * trials
        broken = np.abs(successes - np.round(successes)) > 1e-6 * np.maximum(1, trials)
        if broken.any():
            row = broken.argmax()
            raise ValueError(
                f"row {frame.index[row]}: {y[row]:g} of {trials[row]:g} trials is "
                f"{successes[row]:.6g} successes, not a whole number. A proportion that is not "
                "from counts? Use family='beta'"
            )
        return Response(text, np.round(successes), trials)
    between = (y > 0) & (y < 1)
    if between.any() and y.min() >= 0 and y.max() <= 1:
        row = between.argmax()
        raise ValueError(
            f"the response {text!r} is a proportion ({y[row]:g} in row {frame.index[row]}) and the "
            "number of trials is not known. Use prop(successes, trials), or weights= with the "
            "trials, or family='beta' when it is not from counts"
        )
    if y.min() >= 0 and y.max() > 1:
        row = (y > 1).argmax()
        raise ValueError(
            f"row {frame.index[row]} has {text} = {y[row]:g}, but a binomial response without "
            "trials is 0 or 1. Counts out of a total? Use prop(successes, trials)"
        )
    return Response(text, y, np.ones(len(y)))


# ------------------------------------------------------------------------------ the design


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
        offset = sum(
            (_numeric(each, frame, "offset") for each in self.formula.offsets), np.zeros(len(frame))
        )
        return _apply(self.model_spec, frame), offset

    def random_on(self, data: Any) -> tuple[RandomTerm, ...]:
        """Return the random terms on new data, with code -1 for new levels."""
        specs = [recipe.spec for recipe in self.recipes]
        groups = [name for spec in specs for name in spec.groups]
        frame = self._new_frame(data, *(spec.columns for spec in specs), *(f"`{g}`" for g in groups))
        return tuple(
            recipe(frame, term) for recipe, term in zip(self.recipes, self.random, strict=True)
        )

    def _new_frame(self, data: Any, *expressions: str) -> pd.DataFrame:
        names = list(dict.fromkeys(name for each in expressions for name in variables_in(each)))
        whole = to_frame(data)
        frame = _columns(whole, names) if names else whole
        if names and frame.isna().to_numpy().any():
            name = frame.columns[frame.isna().any()][0]
            raise ValueError(f"the new data has a missing value in column {name!r}")
        return frame


def _apply(model_spec, frame: pd.DataFrame) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataMismatchWarning)
        try:
            return np.asarray(model_spec.get_model_matrix(frame, context=_CONTEXT), float)
        except (DataMismatchWarning, FormulaicError) as error:
            new = re.search(r"\{(.*)\}", str(error))
            what = f"a factor level that the model has not seen: {new.group(1)}" if new else ""
            raise ValueError(f"the new data has {what or _first_line(error)}") from error


def build_design(
    formula: str,
    data: Any,
    *,
    takes_trials: bool,
    offset: Any = None,
    weights: Any = None,
    also_used: tuple[str, ...] = (),
    on_drop: Callable[[int], None] | None = None,
) -> Design:
    """Build the `Design` of a formula on data.

    Parameters
    ----------
    formula, data
        As in :func:`glmmtools.fit`.
    takes_trials : bool
        Whether the family counts successes out of trials; then `weights` are the trials.
    offset, weights : str, array_like or None
        A column name or one value a row.
    also_used : tuple of str
        Further expressions whose missing values drop rows.
    on_drop : callable, optional
        Called with the number of dropped rows, if any.

    Raises
    ------
    ValueError
        For whatever is wrong with the formula or the data; the message names column, row and value.
    """
    parsed = parse_formula(formula)
    whole = to_frame(data)
    expressions = [parsed.response, parsed.fixed, *parsed.offsets, *also_used]
    expressions += [each.columns for each in parsed.random]
    names = [name for each in expressions for name in variables_in(each)]
    names += [name for each in parsed.random for name in each.groups]
    frame = _columns(whole, list(dict.fromkeys(names)))
    extra = {}
    for role, given in (("offset", offset), ("weights", weights)):
        if given is not None:
            extra[role] = _per_row(given, role, whole)
    complete = ~frame.isna().any(axis=1).to_numpy() if len(frame.columns) else np.ones(len(whole), bool)
    for values in extra.values():
        complete &= ~np.isnan(values)
    n_dropped = int((~complete).sum())
    if complete.sum() == 0:
        raise ValueError("every row has a missing value in a column that the formula uses")
    frame = frame[complete] if n_dropped else frame
    extra = {role: values[complete] for role, values in extra.items()}
    if n_dropped and on_drop is not None:
        on_drop(n_dropped)
    _check_finite(frame)

    prior = _checked_weights(extra.get("weights"), frame)
    response = _response(parsed.response, frame, takes_trials, prior if takes_trials else None)
    if takes_trials and prior is not None and _PAIR.fullmatch(parsed.response):
        raise ValueError("give the trials once: in prop(successes, trials) or in weights=, not both")
    X, model_spec = _evaluate(parsed.fixed, frame)
    _check_finite_matrix(X, model_spec.column_names, frame)
    total_offset = extra.get("offset", np.zeros(len(frame)))
    for each in parsed.offsets:
        total_offset = total_offset + _numeric(each, frame, "offset")
    built = [_random_term(spec, frame) for spec in parsed.random]
    design = Design(
        parsed, response, X, tuple(model_spec.column_names),
        {str(term): list(columns) for term, columns in model_spec.term_indices.items()},
        total_offset, None if takes_trials else prior, tuple(term for term, _ in built),
        frame, n_dropped, model_spec, tuple(recipe for _, recipe in built),
    )  # fmt: skip
    _check_rank(design)
    return design


def _per_row(given: Any, role: str, frame: pd.DataFrame) -> Array:
    if isinstance(given, str):
        return _columns(frame, [given])[given].to_numpy(float)
    if isinstance(given, pd.Series) and given.index.equals(frame.index):
        given = given.to_numpy(float, na_value=np.nan)
    values = np.asarray(given, float)
    if values.shape != (len(frame),):
        raise ValueError(
            f"{role}= needs one value a row: {len(frame)} rows, {role} of shape {values.shape}"
        )
    if np.isinf(values).any():
        raise ValueError(f"{role}= holds an infinite value in row {np.isinf(values).argmax()}")
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


def _check_rank(design: Design) -> None:
    """Name the columns of X that are combinations of the columns before them."""
    X = design.X
    if X.shape[1] > X.shape[0]:
        raise ValueError(
            f"the model has {plural(X.shape[1], 'coefficient')} for {plural(X.shape[0], 'row')}"
        )
    scale = np.linalg.norm(X, axis=0)
    if X.shape[1] == 0:
        return
    R = np.linalg.qr(X / np.where(scale > 0, scale, 1), mode="r")
    redundant = [
        name
        for name, pivot in zip(design.names, np.abs(np.diag(R)), strict=True)
        if pivot < 1e-10
    ]
    if redundant:
        raise ValueError(
            f"the columns of the fixed part are not independent: {listed(redundant)} "
            f"{'is a combination' if len(redundant) == 1 else 'are combinations'} of the columns "
            "before. Leave the term out, or drop empty combinations of factor levels"
        )
