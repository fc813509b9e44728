"""The picture of marginal means: intervals, letters, comparison arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glmmtools.grid import label_of
from glmmtools.plots.style import INK, label_axes, legend_outside, new_axes, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from glmmtools.means import MarginalMeans

__all__ = ["plot_means"]


def plot_means(means: MarginalMeans, ax: Axes | None, letters: bool, arrows: bool) -> Axes:
    """Draw the means with their intervals, one series for each combination beyond the first."""
    ax = new_axes(ax)
    frame = means.letters() if letters else means.frame
    if arrows:
        frame = frame.assign(**means.arrows()[["arrow_low", "arrow_high"]])
    first, *rest = means.factors + means.by
    labels = list(dict.fromkeys(map(label_of, frame[first])))
    groups = frame.groupby(rest, sort=False, observed=True) if rest else [((), frame)]
    dodge = 0.8 / max(len(groups), 2)
    for i, (key, part) in enumerate(groups):
        x = np.array([labels.index(label_of(each)) for each in part[first]])
        x = x + (i - (len(groups) - 1) / 2) * dodge
        y = part["estimate"].to_numpy()
        bars = np.abs(part[["conf_low", "conf_high"]].to_numpy().T - y)
        color, marker, _ = series(i)
        name = ", ".join(map(label_of, key)) or None
        ax.errorbar(x, y, bars, fmt=marker, color=color, capsize=3, label=name)
        for row, place in zip(part.itertuples(), x, strict=True):
            if letters:
                above = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
                ax.annotate(row.letters, (place, row.conf_high), **above)
            if arrows:
                _draw_arrows(ax, place + 0.2 * dodge, row)
    ax.set_xticks(range(len(labels)), labels)
    ax.margins(x=0.05)
    within = f" within {', '.join(means.by)}" if means.by else ""
    title = f"Arrows that overlap{within}: no difference shown (Tukey)" if arrows else None
    label_axes(ax, first, f"{means._what()} ({means.level:.0%} interval)", title)
    if rest:
        legend_outside(ax, ", ".join(rest))
    return ax


def _draw_arrows(ax: Axes, place: float, row) -> None:
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    for end in (row.arrow_low, row.arrow_high):
        if not np.isclose(end, row.estimate, rtol=1e-9):
            ends = {"xy": (place, end), "xytext": (place, row.estimate)}
            ax.annotate("", **ends, arrowprops=style)
