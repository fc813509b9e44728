"""A tree of nested units, each level with its role and its variance component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmmtools.designs.description import experimental_unit, is_chain
from glmmtools.formula.columns import levels_of
from glmmtools.shared import style
from glmmtools.shared.text import nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
WIDEST = 13.0  # inches
MOST_NAMED = 24  # units of one level that are named in the picture
_MOST_LETTERS = 60  # of names above the outermost units
_SIDE_BY_SIDE = 60  # more leaves than these are drawn below each other, under their parent
_STEP, _DEEPEST = 0.14, 1.6  # of a stack of rows, in units of one level
_FIRST_SYMBOLS = "uvwabcd"


def tint(color: str, share: float = 0.3) -> tuple[float, ...]:
    """A colour mixed with white, on which black text is legible."""
    from matplotlib.colors import to_rgb

    return tuple(1 - share * (1 - part) for part in to_rgb(color))


def text_of(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)


def draw_tree(
    frame: pd.DataFrame, structure: str, groupings, treatments, components, observation, ax
) -> Axes:
    from matplotlib.collections import LineCollection

    if not is_chain(groupings):
        raise ValueError(
            f"a tree shows nested factors, as 'room/pen/pig'; {structure!r} has crossed ones "
            "(kind='grid')"
        )
    names = [units.name for units in groupings]
    codes = [units.codes for units in groupings]
    if np.bincount(codes[-1]).max() > 1:
        names, codes = [*names, observation], [*codes, np.arange(len(frame))]
    roles = _roles(frame, groupings, treatments, names)
    order = np.lexsort(codes[::-1])
    codes = [pd.factorize(units[order])[0] for units in codes]
    frame = frame.iloc[order]
    values = _component_texts(names, components)

    x, y, stacked = _positions(codes)
    leaves = x[-1].max()
    each_leaf = 0.27 if leaves < MOST_NAMED else 0.16  # inches; named units are wider
    width = float(np.clip(each_leaf * (leaves + 1) + 4.0, 6.5, WIDEST))
    ax = style.new_axes(ax, (width, 1.6 - 0.95 * y[-1].min()))

    for level in range(1, len(codes)):
        if not (stacked and level == len(codes) - 1):
            segments = _segments(codes[level], x[level], y[level], x[level - 1], y[level - 1])
            ax.add_collection(LineCollection(segments, colors="0.6", linewidths=0.9, zorder=1))
    treatment = frame[treatments[0]] if treatments else None
    for level, units in enumerate(codes):
        _draw_units(ax, frame, names, level, units, x[level], y[level], treatment)
    ax.set(xlim=(-0.9, leaves + 0.9), ylim=(y[-1].min() - 0.4, 0.45))
    places = [units.mean() for units in y]
    beside = [f"{name} ({units.max() + 1})" for name, units in zip(names, codes, strict=True)]
    if len(names) > len(groupings):
        beside[-1] = f"{observation} ({len(frame)} rows)"
    right = ["\n".join(filter(None, pair)) for pair in zip(roles, values, strict=True)]
    _write_beside(ax, places, beside, right)
    if treatment is not None:
        legend = ax.legend(
            title=treatments[0], loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False,
            ncols=6, columnspacing=1.2,
        )  # fmt: skip
        style.as_written(legend)
    return ax


def _positions(codes: list[Array]) -> tuple[list[Array], list[Array], bool]:
    """Place of the unit of each row at each level, and whether the last level is stacked."""
    stacked = len(codes) > 1 and codes[-1].max() + 1 > _SIDE_BY_SIDE
    leaves = pd.Series(codes[-2] if stacked else codes[-1], dtype=float)
    x = []
    for units in codes:
        spans = leaves.groupby(units).agg(["min", "max"]).mean(axis=1).to_numpy()
        x.append(spans[units])
    y = [np.full(len(leaves), -float(level)) for level in range(len(codes))]
    if stacked:
        rank = leaves.groupby(leaves).cumcount().to_numpy()
        step = min(_STEP, _DEEPEST / max(rank.max(), 1))
        y[-1] = 1.6 - len(codes) - step * rank
    return x, y, stacked


def _write_beside(ax: Axes, places: list[float], left: list[str], right: list[str]) -> None:
    ax.set_xticks([])
    ax.set_yticks(places, left, parse_math=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if any(right):
        axis = ax.secondary_yaxis("right")
        axis.set_yticks(places, right)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)


def _segments(codes: Array, x: Array, y: Array, parent_x: Array, parent_y: Array) -> list:
    first = np.unique(codes, return_index=True)[1]
    return [[(parent_x[i], parent_y[i]), (x[i], y[i])] for i in first]


def _draw_units(ax: Axes, frame, names, level: int, codes: Array, x, y, treatment) -> None:
    first = np.unique(codes, return_index=True)[1]
    labels = frame[names[level]].iloc[first].map(text_of) if names[level] in frame.columns else []
    named = len(first) <= MOST_NAMED and 0 < max(map(len, labels), default=0) <= 3
    size = 17.0 if named else float(np.clip(420 / len(first), 3.0, 8.0))
    labelled = set(ax.get_legend_handles_labels()[1])
    constant = treatment is not None and treatment.groupby(codes).nunique().max() == 1
    if not constant:
        ax.plot(
            x[first], y[first], linestyle="none", marker="o", markersize=size,
            markerfacecolor="white", markeredgecolor=style.INK, zorder=2,
        )  # fmt: skip
    for number, value in enumerate(levels_of(treatment) if constant else []):
        look, name = style.series(number), style.series_name(text_of(value))
        chosen = first[(treatment.iloc[first] == value).to_numpy()]
        ax.plot(
            x[chosen], y[chosen], linestyle="none", marker=look.marker, markersize=size,
            markerfacecolor=tint(look.color, 0.45) if named else look.color,
            markeredgecolor=look.color, zorder=2,
            label=name if name not in labelled else None,
        )  # fmt: skip
    if named:
        for i, label in zip(first, labels, strict=True):
            ax.text(
                x[i], y[i], label, ha="center", va="center_baseline", fontsize=8, zorder=3,
                parse_math=False,
            )  # fmt: skip
    elif level == 0 and sum(map(len, labels)) <= _MOST_LETTERS:
        for i, label in zip(first, labels, strict=True):
            ax.annotate(
                label, (x[i], y[i]), (0, 7), textcoords="offset points", ha="center", fontsize=8,
                parse_math=False,
            )  # fmt: skip


def _component_texts(names: list[str], components: bool | Mapping[str, Any]) -> list[str]:
    if not components:
        return [""] * len(names)
    symbols = [rf"$\sigma^2_{symbol}$" for symbol in (*_FIRST_SYMBOLS[: len(names) - 1], "e")]
    if components is True:
        return symbols
    given = dict(components)
    if "residual" in given:
        given[names[-1]] = given.pop("residual")
    for name, value in given.items():
        if name not in names:
            raise ValueError(
                f"components names {name!r}, which is no level of the design"
                f"{nearest(name, names)}. Levels: {', '.join(names)}, residual"
            )
        if not isinstance(value, str) and value < 0:
            raise ValueError(f"the variance component of {name!r} must be 0 or more; got {value:g}")
    return [
        f"{symbol} = {text_of(given[name])}" if name in given else symbol
        for name, symbol in zip(names, symbols, strict=True)
    ]


def _roles(frame, groupings, treatments, names: list[str]) -> list[str]:
    """What each level is to the first treatment: block, experimental unit, observational unit."""
    if not treatments:
        return [""] * len(names)
    unit, blocks, _ = experimental_unit(frame, treatments[0], groupings)
    roles = ["block" if name in blocks else "" for name in names]
    if unit is not None:
        at = names.index(unit.name)
        roles[at] = "experimental unit"
        if len(groupings) - 1 > at:
            roles[len(groupings) - 1] = "observational unit"
    return roles
