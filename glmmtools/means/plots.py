"""The picture of marginal means: intervals, letters, comparison arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmmtools.means.grid import label_of
from glmmtools.shared.style import (
    INK,
    label_axes,
    legend_outside,
    name_levels,
    new_axes_for_names,
    series,
    series_name,
    title_in_lines,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROUNDING = 1e-6  # of two arrows together, below which one is none


def plot_means(
    labels: pd.DataFrame,
    numbers: pd.DataFrame,
    factors: tuple[str, ...],
    by: tuple[str, ...],
    label: str,
    ax: Axes | None,
) -> Axes:
    """Draw means with their intervals, one series for each combination beyond the first factor.

    Parameters
    ----------
    labels, numbers : DataFrame
        One row a mean: the columns of `factors` and `by`; and ``estimate, conf_low, conf_high``.
        ``letters`` are written above the means, comparison arrows drawn from ``arrow_low`` to
        ``arrow_high``.
    label : str
        Of the axis of the means.
    """
    letters, arrows = "letters" in numbers, "arrow_low" in numbers
    first, *rest = factors + by
    levels = list(dict.fromkeys(labels[first]))
    ax = new_axes_for_names(ax, len(levels))
    groups = labels.groupby(rest, sort=False, observed=True) if rest else [((), labels)]
    dodge = 0.8 / max(len(groups), 2)
    for i, (key, cells) in enumerate(groups):
        part = numbers.loc[cells.index]
        x = np.array([levels.index(level) for level in cells[first]])
        x = x + (i - (len(groups) - 1) / 2) * dodge
        y = part["estimate"].to_numpy()
        bars = np.abs(part[["conf_low", "conf_high"]].to_numpy().T - y)
        color, marker, line = series(i)
        name = series_name(", ".join(map(label_of, key))) or None
        ax.errorbar(x, y, bars, fmt=marker, color=color, capsize=3, label=name)
        if rest:  # what belongs together
            ax.plot(x, y, color=color, linestyle=line, linewidth=0.8, zorder=1)
        for row, place in zip(part.itertuples(), x, strict=True):
            if letters:
                above = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
                ax.annotate(row.letters, (place, row.conf_high), **above)
            if arrows:
                _draw_arrows(ax, place + 0.2 * dodge, row)
    ax.margins(x=0.05)
    label_axes(ax, first, label, title_in_lines(ax, _title(letters, arrows, by)))
    if rest:
        legend_outside(ax, ", ".join(rest))
    name_levels(ax, list(map(label_of, levels)))
    return ax


def _title(letters: bool, arrows: bool, by: tuple[str, ...]) -> str:
    """What letters and arrows say, and within what."""
    within = f" within {', '.join(by)}" if by else ""
    if arrows:
        return f"Arrows that overlap{within}: no difference shown (Tukey)"
    return f"A letter shared{within}: no difference shown (Tukey)" if letters and by else ""


def _draw_arrows(ax: Axes, place: float, row) -> None:
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    for end in (row.arrow_low, row.arrow_high):
        if abs(end - row.estimate) > _ROUNDING * (row.arrow_high - row.arrow_low):
            ends = {"xy": (place, end), "xytext": (place, row.estimate)}
            ax.annotate("", **ends, arrowprops=style)
