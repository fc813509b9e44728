"""Pictures of what a fitted model predicts: along a covariate or factor, and of its own rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmmtools.fitted.effects import (
    EffectCurves,
    grouping_columns,
    mean_label,
    observed,
    predict_along,
    value_text,
)
from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.formula.columns import levels_of
from glmmtools.shared import style
from glmmtools.shared.arguments import check_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_DODGE = 0.16  # between the levels of `by` at one level of a factor
_TITLE = 62  # letters of a line of the title
_BESIDE = -0.2  # where observations stand that belong to no one level of `by`


def plot_effects(
    model: Fit,
    x: str,
    by: str | None = None,
    effects: str = "population",
    scale: str = "response",
    level: float | None = 0.95,
    ax: Axes | None = None,
    data: bool = True,
) -> Axes:
    """Draw the predicted mean along one column, with its interval and the observations.

    The other columns are held at their mean or their commonest level; the title says which.

    Parameters
    ----------
    x : str
        A covariate (a curve with a band, over the observed range) or a factor (points with bars).
    by : str, optional
        A second column: one curve for each level, or for few values or the 10, 50 and 90 %
        quantiles of a covariate.
    effects : {"population", "conditional", "marginal"}
        With random effects at zero; the same with a thin line for each group; or averaged over the
        random effects.
    scale : {"response", "link"}
    level : float, optional
        Confidence level of the intervals of the mean; None draws none.
    ax : Axes, optional
        Default: a new figure.
    data : bool
        Show the observations: proportions for binomial families, larger for more trials; under an
        offset with log link brought to the exposure of the curve. They are on the response scale,
        so that they are drawn on ``scale="link"`` only under the identity link.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If `x` or `by` is not a column of the fixed part, or the fit did not converge.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    >>> ax = m.plot_effects("days", effects="conditional")
    >>> ax.get_ylabel()
    'mean of reaction'
    """
    check_arguments(plot_effects, locals())
    curves = predict_along(model, x, by, effects, scale, level)
    places = _places(model, curves)
    ax = style.new_axes_for_names(ax, len(places))
    if data and (scale == "response" or model.link.is_identity):
        _draw_observed(ax, model, curves, places)
    if curves.lines is not None:
        _draw_lines(ax, curves, places)
    for number, value in enumerate(curves.by_values):
        table = curves.table if by is None else curves.table[curves.table["by"] == value]
        name = "" if by is None else style.series_name(value_text(value))
        _draw_curve(ax, curves, table, places, number, name)
    if not curves.numeric:
        ax.set_xlim(-0.5, len(places) - 0.5)
    title = style.title_in_lines(ax, _effects_title(model, curves, effects), _TITLE)
    style.label_axes(ax, x, mean_label(model, scale), title)
    if by is not None:
        style.legend_outside(ax, by)
    if not curves.numeric:
        style.name_levels(ax, [str(level) for level in places])
    return ax


def _places(model: Fit, curves: EffectCurves) -> dict:
    """The place of each level of a factor x on the axis; empty for a covariate."""
    if curves.numeric:
        return {}
    levels = levels_of(model.design.frame[curves.x])
    return {level: place for place, level in enumerate(levels)}


def _on_axis(values: pd.Series, places: dict, shift: float = 0.0) -> np.ndarray:
    return values.map(places).to_numpy(float) + shift if places else values.to_numpy(float)


def _shift(curves: EffectCurves, number: int) -> float:
    return _DODGE * (number - (len(curves.by_values) - 1) / 2)


def _draw_observed(ax: Axes, model: Fit, curves: EffectCurves, places: dict) -> None:
    table = observed(model, curves)
    matched = "by" in table
    sizes = 12 + 60 * table["n"] / table["n"].max() if table["n"].max() > 1 else table["n"] * 14
    sizes = sizes * style.point_area(len(table))
    jitter = np.random.default_rng(0).uniform(-0.05, 0.05, len(table)) if places else 0.0
    for number, value in enumerate(curves.by_values if matched else [None]):
        rows = (table["by"] == value).to_numpy() if matched else np.ones(len(table), bool)
        look = style.series(number)
        at = _on_axis(table["x"], places, _shift(curves, number) if matched else _BESIDE)
        ax.scatter(
            (at + jitter)[rows], table["y"][rows], s=sizes[rows], marker=look.marker,
            color=look.color if matched else style.DATA, zorder=1, gid="observed",
            **style.points(len(table)),
        )  # fmt: skip


def _draw_lines(ax: Axes, curves: EffectCurves, places: dict) -> None:
    for _, line in curves.lines.groupby("line", sort=False):
        for number, value in enumerate(curves.by_values):
            part = line if curves.by is None else line[line["by"] == value]
            at = _on_axis(part["x"], places, _shift(curves, number))
            color = style.DATA if curves.by is None else style.series(number).color
            marker = "." if len(part) == 1 else None
            ax.plot(
                at, part["estimate"], color=color, marker=marker, linewidth=0.8, alpha=0.6,
                zorder=2, gid="group",
            )  # fmt: skip


def _draw_curve(ax, curves: EffectCurves, table, places: dict, number: int, label: str) -> None:
    look = style.series(number)
    at = _on_axis(table["x"], places, _shift(curves, number))
    if curves.numeric:
        ax.plot(
            at, table["estimate"], color=look.color, linestyle=look.linestyle, linewidth=2,
            label=label or None, zorder=4, gid="curve",
        )  # fmt: skip
        if "conf_low" in table:
            ax.fill_between(
                at, table["conf_low"], table["conf_high"], color=look.color,
                alpha=style.BAND_ALPHA, linewidth=0, zorder=3,
            )  # fmt: skip
        return
    bars = None
    if "conf_low" in table:
        middle = table["estimate"]
        bars = [middle - table["conf_low"], table["conf_high"] - middle]
    ax.errorbar(
        at, table["estimate"], yerr=bars, fmt=look.marker, color=look.color, markersize=8,
        markeredgecolor="white", capsize=3, linewidth=1.8, label=label or None, zorder=4,
        gid="curve",
    )  # fmt: skip


def _effects_title(model: Fit, curves: EffectCurves, effects: str) -> str:
    parts = []
    if model.problem.random:
        groups = grouping_columns(model)
        typical = "" if model.link.is_identity else f" (a typical {groups[0]}, not the average)"
        words = {
            "population": f"random effects at 0{typical}",
            "conditional": f"thick: random effects at 0; thin: {' × '.join(groups)}",
            "marginal": "averaged over the random effects",
        }
        parts.append(words[effects])
    if curves.held:
        parts.append("held: " + ", ".join(f"{k} = {v}" for k, v in curves.held.items()))
    parts += [curves.offset] * bool(curves.offset)
    return "; ".join(parts)


def plot_fit(model: Fit, ax: Axes | None = None) -> Axes:
    """Draw the observations against their fitted conditional means, with the identity line.

    Proportions for binomial families, larger for more trials. A single 0/1
    response has no spread to look at; its picture is that of ``plot_effects``.

    Parameters
    ----------
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    >>> m.plot_fit().get_ylabel()
    'observed reaction'
    """
    check_arguments(plot_fit, locals())
    require_converged(model, "a plot of the fit needs")
    ax, trials = style.new_axes(ax, (4.8, 4.4)), model.trials_by_row
    observations, fitted = model.design.y / trials, model.fittedvalues.to_numpy()
    sizes = 12 + 60 * trials / trials.max() if trials.max() > 1 else 18
    area, look = style.point_area(len(fitted)), style.points(len(fitted))
    ax.scatter(
        fitted, observations, s=sizes * area, color=style.SERIES[0].color, zorder=2, **look
    )  # fmt: skip
    ends = [min(fitted.min(), observations.min()), max(fitted.max(), observations.max())]
    ax.plot(ends, ends, color=style.DATA, linewidth=1, zorder=1, label="identity")
    kind = "probability" if model.family.takes_trials else "mean"
    given = ", given the random effects" if model.problem.random else ""
    observed_label = f"observed {model.design.response.label}"
    return style.label_axes(ax, f"fitted {kind}{given}", observed_label)
