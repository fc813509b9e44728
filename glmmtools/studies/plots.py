"""The picture of a simulation study: power, coverage or bias against the size of the trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmmtools.shared import style
from glmmtools.shared.numbers import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_TARGET = 0.8  # the power that is customarily asked for
_LABELS = {
    "power": "power (share of trials with p < {level:g})",
    "coverage": "coverage (share of {percent} intervals)",
    "recovery": "bias (in sd of the estimates)",
}


def plot_study(
    frame: pd.DataFrame,
    kind: str,
    column: str,
    sizes: Sequence[str],
    level: float,
    ax: Axes | None,
) -> Axes:
    """Draw the figures of a study with their 95 % Monte-Carlo intervals; see :meth:`Study.plot`.

    Parameters
    ----------
    frame : DataFrame
        The sizes, ``effect``, the figure named by `column`, ``conf_low, conf_high``; of a recovery
        also ``sd``.
    kind : {"power", "coverage", "recovery"}
    level : float
        Of the tests or the intervals.
    """
    ax = style.new_axes(ax)
    figures, frame = [column, "conf_low", "conf_high"], frame.copy()
    if kind == "recovery":
        frame[figures] = frame[figures].div(frame["sd"], axis=0)
    if not sizes:
        _points(ax, frame, figures)
        style.label_axes(ax, x=_LABELS[kind].format(level=level, percent=percent(level)))
        style.reference_line(ax, x=_reference(kind, level))
        return ax
    lines = list(frame.groupby(["effect", *sizes[1:]], sort=False))
    places = np.sort(frame[sizes[0]].unique())
    step = 0.01 * (places[-1] - places[0]) if len(places) > 1 else 0.02
    for number, (key, line) in enumerate(lines):
        look = style.series(number)
        others = zip(sizes[1:], key[1:], strict=True)
        x = line[sizes[0]] + step * (number - (len(lines) - 1) / 2)
        value, low, high = (line[name] for name in figures)
        ax.errorbar(
            x, value, yerr=[value - low, high - value], color=look.color, marker=look.marker,
            linestyle=look.linestyle, markersize=5, capsize=2, elinewidth=1,
            label=style.series_name(
                ", ".join([str(key[0]), *(f"{size} of {name}" for name, size in others)])
            ),
        )  # fmt: skip
    ax.set_xticks(places)
    if kind == "power":
        ax.set_ylim(-0.02, 1.02)
    style.reference_line(ax, y=_reference(kind, level))
    label = _LABELS[kind].format(level=level, percent=percent(level))
    style.label_axes(ax, x=f"{sizes[0]} (number of levels)", y=label)
    if len(lines) > 1:
        style.legend_outside(ax)
    else:
        style.label_axes(ax, title=str(lines[0][1]["effect"].iloc[0]))
    return ax


def _points(ax: Axes, frame, figures: list[str]) -> None:
    place = -np.arange(len(frame))
    value, low, high = (frame[name] for name in figures)
    look = style.series(0)
    ax.errorbar(
        value, place, xerr=[value - low, high - value], color=look.color, marker=look.marker,
        linestyle="none", capsize=2,
    )  # fmt: skip
    ax.set_yticks(place, frame["effect"], parse_math=False)


def _reference(kind: str, level: float) -> float:
    return {"power": _TARGET, "coverage": level, "recovery": 0.0}[kind]
