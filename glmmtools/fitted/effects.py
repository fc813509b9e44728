"""Predictions along one covariate or factor, and the observations to show beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.fitted.prediction import predict
from glmmtools.formula.coding import variables_of
from glmmtools.formula.columns import is_factor_column, levels_of
from glmmtools.formula.grammar import groups_of, variables_in
from glmmtools.shared.arguments import one_of
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.text import listed, nearest

_POINTS = 101
_FEW = 5  # so many values of a numeric `by` are shown as they are


@hands_out_copies("table", "lines")
@dataclass(frozen=True)
class EffectCurves:
    """Predictions along `x`, one curve for each value of `by`.

    Attributes
    ----------
    table : DataFrame
        Columns ``x`` (and ``by``), the values of these two, whatever they are called; ``estimate``,
        and ``conf_low, conf_high`` where there is an interval.
    by_values : list
        Values of `by`, in the order of the curves; ``[None]`` without `by`.
    held : dict
        What every other column is held at, and how that was chosen: ``{"age": "28.4 (mean)"}``.
    lines : DataFrame or None
        At the conditional level the predictions of each group, over the values of `x` that the
        group has: ``x, by, estimate``, and ``line``, which numbers the groups.
    offset : str
        At which offset, where it is one.
    """

    table: pd.DataFrame
    x: str
    by: str | None
    by_values: list
    held: dict[str, str]
    numeric: bool
    lines: pd.DataFrame | None = None
    offset: str = ""


def predict_along(
    model: Fit,
    x: str,
    by: str | None = None,
    effects: str = "population",
    scale: str = "response",
    level: float | None = 0.95,
) -> EffectCurves:
    """Predict along a column of the fixed part, the others held at their mean or commonest level.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (1 | subject)", gt.load_data("sleep"), reml=True)
    >>> predict_along(m, "days").table.iloc[[0, -1]].round(1)
           x  estimate  conf_low  conf_high
    0    0.0     251.4     231.2      271.6
    100  9.0     345.6     325.4      365.8
    """
    require_converged(model, "a plot of effects needs")
    one_of("effects", effects, ("population", "conditional", "marginal"))
    one_of("scale", scale, ("response", "link"))
    frame = model.design.frame
    _check_column(model, "x", x)
    if by is not None:
        _check_column(model, "by", by)
        if by == x:
            raise ValueError(f"x and by are both {x!r}; by is another column of the fixed part")
    held = _typical_values(model, (x, by))
    by_values = [None] if by is None else _curve_values(model, by)
    by_factor = by is not None and is_factor(model, by)
    parts = [
        _curve(model, x, frame[frame[by] == value] if by_factor else frame, value)
        for value in by_values
    ]
    grid = pd.concat(parts, ignore_index=True)
    curve_effects = "marginal" if effects == "marginal" else "population"
    model = _at_mean_offset(model)
    rows = _new_rows(grid, x, by, held)
    predicted = predict(model, rows, scale=scale, effects=curve_effects, level=level)
    if level is None:
        grid["estimate"] = predicted
    else:
        grid = grid.join(predicted.drop(columns="std_error"))
    lines = _lines(model, x, by, by_values, held, scale) if effects == "conditional" else None
    held_texts = {name: f"{value_text(value)} ({how})" for name, (value, how) in held.items()}
    offset = offset_text(model, model.design.fixed_on(rows).offset)
    return EffectCurves(grid, x, by, by_values, held_texts, not is_factor(model, x), lines, offset)


def _at_mean_offset(model: Fit) -> Fit:
    """The fit, where a new row has the mean of an offset that was given as values."""
    return Fit(replace(model.problem, design=model.design.at_mean_offset()), model.estimate)


def offset_text(model: Fit, offsets: np.ndarray) -> str:
    """The offset of rows where it is one number: ``"offset 1.386 (exposure 4)"``; else empty."""
    if not model.design.has_offset or np.ptp(offsets) > 1e-9:
        return ""
    exposure = f" (exposure {np.exp(offsets[0]):.4g})" if model.link.is_log else ""
    return f"offset {offsets[0]:.4g}{exposure}"


def _check_column(model: Fit, argument: str, name: str) -> None:
    columns = _columns_used(model)
    if name in columns:
        return
    hint = nearest(name, columns)
    if name in grouping_columns(model):
        hint = (
            ", but a grouping factor: effects='conditional' draws one line for each of its levels"
        )
    raise ValueError(
        f"{argument}={name!r} is not a column of the fixed part{hint}. "
        f"Columns: {listed(columns) or 'none'}"
    )


def _columns_used(model: Fit) -> list[str]:
    """Columns that a prediction needs, grouping factors aside."""
    one_sided = model.problem.dispersion, model.problem.zero
    texts = model.design.formula.right_side + [part.text for part in one_sided if part is not None]
    texts += [recipe.spec.columns for recipe in model.problem.zero_recipes]
    names = dict.fromkeys(name for text in texts for name in variables_in(text))
    return [name for name in names if name in model.design.frame.columns]


def grouping_columns(model: Fit) -> list[str]:
    """The columns that name groups, of the mean and of the zeros."""
    of_zeros = [recipe.spec for recipe in model.problem.zero_recipes]
    return groups_of([*model.design.formula.random, *of_zeros])


def is_factor(model: Fit, name: str) -> bool:
    """Whether the model treats a column as levels: text, categories, booleans, ``C(column)``."""
    column = model.design.frame[name]
    parts = [model.design, model.problem.dispersion, model.problem.zero]
    parts += [term for term in model.problem.random if not term.structure.one_effect_a_row]
    variables = [v for part in parts if part is not None for v in variables_of(part.columns)]
    in_levels = any(v.levels is not None and v.column == name for v in variables)
    return in_levels or is_factor_column(column)


def _typical(model: Fit, name: str) -> tuple:
    column = model.design.frame[name]
    if not is_factor(model, name):
        return float(column.mean()), "mean"
    counts = column.value_counts()
    commonest = [level for level in levels_of(column) if counts[level] == counts.max()]
    return commonest[0], "first level" if len(commonest) > 1 else "commonest"


def _curve_values(model: Fit, by: str) -> list:
    column = model.design.frame[by]
    if is_factor(model, by) or column.nunique() <= _FEW:
        return levels_of(column)
    return [float(quantile) for quantile in np.quantile(column, [0.1, 0.5, 0.9])]


def _curve(model: Fit, x: str, rows: pd.DataFrame, value: Any) -> pd.DataFrame:
    """One curve: the levels of x or a grid over its range in these rows, and the value of `by`."""
    if is_factor(model, x):
        values = levels_of(rows[x])
    else:
        low, high = rows[x].min(), rows[x].max()
        values = [low] if low == high else np.linspace(low, high, _POINTS)
    return pd.DataFrame({"x": values} if value is None else {"x": values, "by": value})


def _new_rows(grid: pd.DataFrame, x: str, by: str | None, held: dict[str, tuple]) -> pd.DataFrame:
    """The rows of a grid with the columns of the data."""
    own = {x: grid["x"]} if by is None else {x: grid["x"], by: grid["by"]}
    return pd.DataFrame(own | {name: value for name, (value, _) in held.items()})


def _lines(model, x, by, by_values, held, scale) -> pd.DataFrame:
    """Conditional predictions of each group over its own values of x."""
    design = model.design
    if not model.problem.random:
        raise ValueError(
            f"effects='conditional' is for random effects; {model.formula!r} has none. "
            "Use effects='population'"
        )
    keys = grouping_columns(model)
    by_factor = by is not None and is_factor(model, by)
    columns = keys + ([by] if by_factor and by not in keys else [])
    parts, labels = [], []
    for number, (key, rows) in enumerate(design.frame.groupby(columns, observed=True, sort=False)):
        levels = dict(zip(columns, key, strict=True))
        for value in [levels[by]] if by_factor else by_values:
            part = _curve(model, x, rows, value)
            parts.append(part.assign(line=number))
            labels.append(pd.DataFrame(levels, index=part.index))
    lines = pd.concat(parts, ignore_index=True)
    rows = _new_rows(lines, x, by, held)
    rows[keys] = pd.concat(labels, ignore_index=True)[keys]
    lines["estimate"] = predict(model, rows, scale=scale, effects="conditional")
    return lines


def value_text(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# ------------------------------------------------------------------------------ the observations


def observed(model: Fit, effects: EffectCurves) -> pd.DataFrame:
    """What was observed, comparable with the means: columns ``x, y, n`` and perhaps ``by``.

    Successes are given as proportions; single 0/1 responses as proportions of each value of x (ten
    classes of it where there are many). With an offset and a log link, counts are brought to the
    exposure of the curve.

    Returns
    -------
    DataFrame
        ``n`` is the number of trials of a proportion, 1 otherwise. Column ``by`` only where each
        observation belongs to one of the curves, which it does not between three quantiles.
    """
    design, x, by = model.design, effects.x, effects.by
    trials = model.trials_by_row
    columns = {"x": design.frame[x], "y": design.y / trials, "n": trials}
    table = pd.DataFrame(columns).reset_index(drop=True)
    if by is not None and design.frame[by].isin(effects.by_values).all():
        table["by"] = design.frame[by].to_numpy()
    if model.link.is_log and design.has_offset:
        held = _typical_values(model, (x, by))
        reference = design.at_mean_offset().fixed_on(_new_rows(effects.table, x, by, held)).offset
        if np.ptp(reference) == 0:
            table["y"] *= np.exp(reference[0] - design.offset)
    if design.trials is not None and np.all(trials == 1):
        return _proportions(table, effects)
    return table


def _typical_values(model: Fit, but: Sequence) -> dict[str, tuple]:
    return {name: _typical(model, name) for name in _columns_used(model) if name not in but}


def _proportions(table: pd.DataFrame, effects: EffectCurves) -> pd.DataFrame:
    """Means of 0/1 responses where x (and by) are the same, or in classes of x."""
    keys = [name for name in ("x", "by") if name in table]
    if effects.numeric and table["x"].nunique() > 12:
        classes = pd.qcut(table["x"], 10, duplicates="drop")
        table["x"] = table.groupby(classes, observed=True)["x"].transform("mean")
    grouped = table.groupby(keys, observed=True, sort=True)["y"]
    return grouped.agg(y="mean", n="size").reset_index()


def mean_label(model: Fit, scale: str = "response") -> str:
    """The mean of the response on one of the scales, for an axis."""
    what = "probability" if model.family.takes_trials else "mean"
    response = model.design.response.label
    label = f"{what} of {response}"
    if scale == "response" or model.link.is_identity:
        return label
    if model.link.words:
        return f"{model.link.words} of {label if what == 'mean' else response}"
    return f"{model.link.name}({label})"
