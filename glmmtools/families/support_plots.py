"""The support of families drawn beside the values of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glmmtools.families.base import Family
from glmmtools.families.lookup import FAMILIES
from glmmtools.shared.arguments import check_arguments, numbers, shown
from glmmtools.shared.style import (
    DATA,
    INK,
    REFERENCE,
    label_axes,
    new_axes,
    series,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray


def plot_support(y=None, trials=None, *, ax: Axes | None = None) -> Axes:
    """Draw the values that each family can take, and cross out those that cannot produce `y`.

    Parameters
    ----------
    y : array-like, optional
        The response; drawn as ticks on the lower edge. A family that cannot produce it is drawn
        in grey, with the value and the row that exclude it.
    trials : int or array-like, optional
        The known totals of `y`.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = plot_support([0.2, 0.5, 1.0])
    >>> [label.get_text() for label in ax.get_yticklabels()][3]
    '✗ beta'
    """
    check_arguments(plot_support, locals())
    from glmmtools.families.suggest import impossible_families
    from glmmtools.families.values import read_values

    read = None if y is None else read_values(y, trials)
    impossible = {} if read is None else impossible_families(read)
    values = None if read is None else read.y
    ax = new_axes(ax, (7.0, 4.2) if y is None else (10.0, 4.2))
    low, high = (-2.4, 6.4) if values is None else _span(values)
    unknown = 4 if values is None else max(1, int(values.max()))
    totals = unknown if trials is None else numbers("trials", trials).max(initial=1)
    if trials is not None and not np.isfinite(totals):
        raise ValueError(f"trials must be finite; got {shown(trials)}")
    names = list(FAMILIES)
    for row, each in enumerate(FAMILIES.values()):
        out = each.name in impossible
        _support_row(ax, each, row, (low, high), totals, REFERENCE if out else series(0).color)
        note = impossible.get(each.name, "" if values is not None else each.support)
        ax.text(
            1.02, row, note, transform=ax.get_yaxis_transform(), va="center", fontsize="small",
            color=INK,
        )  # fmt: skip
    if values is not None:
        names = [f"{'✗' if name in impossible else '✓'} {name}" for name in names]
        ax.plot(
            values, np.full(values.shape, len(names) - 0.2), linestyle="none", marker="|",
            markersize=12, color=DATA,
        )  # fmt: skip
        ax.text(1.02, len(names) - 0.2, "← y, the data", transform=ax.get_yaxis_transform(),
                va="center", fontsize="small", color=INK)  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) + (0.2 if values is not None else -0.5), -0.6)
    ax.set_xlim(low, high)
    ax.tick_params(axis="y", length=0)
    return label_axes(ax, "y")


def _span(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low) or 0.5
    # zero and one are bounds of a support: show them where the data come near
    low = min(low, 0.0) if low < high - low else low
    return low - room, high + room


def _support_row(ax, each: Family, row: int, limits, totals: int, color: str) -> None:
    low, high = max(each.mean_interval[0], limits[0]), each.mean_interval[1]
    high = min(high * (totals if each.takes_trials else 1), limits[1])
    if low > high:
        return
    if not each.discrete:
        ax.plot([low, high], [row, row], color=color, linewidth=5, solid_capstyle="butt")
        for end in (each.mean_interval[0], each.mean_interval[1]):
            if limits[0] <= end <= limits[1]:
                reached = not each.outside_support(np.array([end]))[0]
                ax.plot([end], [row], marker="o", markersize=7, color=color,
                        markerfacecolor=color if reached else "white")  # fmt: skip
        return
    whole = np.arange(np.ceil(low), np.floor(high) + 1)
    if not each.takes_trials:
        whole = whole[~each.outside_support(whole)]
    if whole.size <= 60:
        ax.plot(whole, np.full(whole.shape, row), linestyle="none", marker="o", color=color)
    else:
        ax.plot([low, high], [row, row], color=color, linewidth=5, linestyle=(0, (0.3, 0.6)))
