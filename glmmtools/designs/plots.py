"""Pictures of experiments: a tree of nested units, a grid of crossed factors, a plan of a field.

And the covariance that a formula gives to the rows of a layout.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmmtools.designs.description import Grouping, innermost, is_chain, read_groupings
from glmmtools.designs.tree import MOST_NAMED, WIDEST, draw_tree, text_of, tint
from glmmtools.formula.columns import levels_of, to_frame
from glmmtools.formula.specification import specified_model
from glmmtools.shared import style
from glmmtools.shared.arguments import check_arguments, names_of, one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
_KINDS = ("plan", "tree", "grid")
_NUMBERED = 12  # a covariance matrix of at most so many rows shows its numbers


def plot_design(
    layout: Any,
    structure: str,
    *,
    treatment: str | Sequence[str] = (),
    components: bool | Mapping[str, Any] = False,
    observation: str = "observation",
    kind: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the design of an experiment.

    Parameters
    ----------
    layout : DataFrame
        One row an observation.
    structure : str
        The grouping factors, as in :func:`describe_design`: ``"block"``, ``"room/pen/pig"``,
        ``"site * year"``.
    treatment : str or sequence of str
        Columns of treatments. The first gives the colours; all are written in the plots of a plan.
    components : bool or dict
        Of a tree: write a variance component beside each level. True for symbols only, a dict for
        values, ``{"room": 4.0, "pen": 1.0, "residual": 0.5}``.
    observation : str
        Of a tree: what the rows of an innermost unit are, such as ``"day"``.
    kind : {"plan", "tree", "grid"}, optional
        Default: a plan for a layout with the columns ``row`` and ``column`` or for a single
        factor, a tree for nested and a grid for crossed factors.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If a column does not exist, a variance is negative, or the kind does not suit the structure.

    Examples
    --------
    >>> import glmmtools as gt
    >>> layout = gt.designs.rcbd(["A", "B", "C"], blocks=4)
    >>> ax = plot_design(layout, "block", treatment="treatment")
    >>> len(ax.patches)
    12
    """
    check_arguments(plot_design, locals())
    treatments = list(names_of("treatment", treatment))
    places = [name for name in ("row", "column") if name in to_frame(layout).columns]
    frame, groupings = read_groupings(layout, structure, [*treatments, *places])
    if kind is None:
        plan = (len(places) == 2 or len(groupings) == 1) and not components
        kind = "plan" if plan else "tree" if is_chain(groupings) else "grid"
    one_of("kind", kind, _KINDS)
    if components and kind != "tree":
        raise ValueError(f"components are drawn beside a tree, not a {kind}; use kind='tree'")
    if kind == "plan":
        return _draw_plan(frame, groupings, treatments, ax)
    if kind == "grid":
        return _draw_grid(frame, groupings, treatments, ax)
    return draw_tree(frame, structure, groupings, treatments, components, observation, ax)


# ------------------------------------------------------------------------------ field plan


def _draw_plan(frame: pd.DataFrame, groupings, treatments: list[str], ax) -> Axes:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Patch, Rectangle

    row, column = _places(frame, groupings)
    height, width = row.max() + 1, column.max() + 1
    size = (min(WIDEST, max(4.0, 0.72 * width + 1.6)), min(9.0, max(2.2, 0.6 * height + 0.9)))
    ax = style.new_axes(ax, size)
    labels = _labels(frame, treatments, "\n") if treatments else [""] * len(frame)
    levels = levels_of(frame[treatments[0]]) if treatments else []
    color_of = {level: tint(style.series(k).color) for k, level in enumerate(levels)}
    colors = [color_of[level] for level in frame[treatments[0]]] if treatments else (
        ["white"] * len(frame)
    )  # fmt: skip
    longest = max(len(line) for label in labels for line in label.split("\n"))
    cell = ax.figure.get_size_inches()[0] * 0.75 / width * 72
    fontsize = min(9.0, cell / (0.68 * max(longest, 1)))
    for r, c, color, label in zip(row, column, colors, labels, strict=True):
        ax.add_patch(
            Rectangle((c - 0.5, r - 0.5), 1, 1, facecolor=color, edgecolor="0.6", linewidth=0.5)
        )
        if treatments and fontsize >= 5:
            ax.text(c, r, label, ha="center", va="center", fontsize=fontsize, parse_math=False)
    for depth, grouping in enumerate(groupings):
        if grouping.levels < len(frame):
            ax.add_collection(
                LineCollection(
                    _borders(row, column, grouping.codes), colors=style.INK,
                    linewidths=max(3.0 - 1.5 * depth, 1.0), capstyle="projecting",
                )
            )  # fmt: skip
    ax.set(xlim=(-0.6, width - 0.4), ylim=(height - 0.4, -0.6), aspect="auto")
    _name_first_units(ax, frame, groupings[0], row)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    if treatments:
        handles = [
            Patch(facecolor=color, edgecolor="0.6", label=style.series_name(text_of(level)))
            for level, color in color_of.items()
        ]
        legend = ax.legend(
            handles=handles, title=treatments[0], loc="upper left", bbox_to_anchor=(1.01, 1),
            frameon=False,
        )  # fmt: skip
        style.as_written(legend)
    return style.label_axes(ax, title=_plan_title(groupings, len(frame)))


def _labels(frame: pd.DataFrame, columns: Sequence[str], between: str) -> pd.Series:
    return frame[list(columns)].map(text_of).agg(between.join, axis=1)


def _places(frame: pd.DataFrame, groupings: list[Grouping]) -> tuple[Array, Array]:
    """Row and column of each plot from 0; without such columns each unit is a row."""
    if {"row", "column"} <= set(frame.columns):
        row, column = (pd.factorize(frame[name], sort=True)[0] for name in ("row", "column"))
    else:
        row = groupings[0].codes
        column = frame.groupby(row).cumcount().to_numpy()
    if len(set(zip(row.tolist(), column.tolist(), strict=True))) < len(frame):
        raise ValueError(
            "two rows of the layout stand at the same row and column of the field; a plan shows "
            "one row a plot"
        )
    return row, column


def _borders(row: Array, column: Array, codes: Array) -> list:
    """Segments between neighbouring plots of different units, and around the field."""
    unit = {(r, c): k for r, c, k in zip(row, column, codes, strict=True)}
    segments = []
    for (r, c), code in unit.items():
        for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            if unit.get((r + dr, c + dc)) != code:
                x, y = c + dc / 2, r + dr / 2
                segments.append([(x - abs(dr) / 2, y - abs(dc) / 2),
                                 (x + abs(dr) / 2, y + abs(dc) / 2)])  # fmt: skip
    return segments


def _name_first_units(ax: Axes, frame: pd.DataFrame, grouping: Grouping, row: Array) -> None:
    places = pd.Series(row).groupby(grouping.codes).agg(["mean", "nunique"])
    names = _labels(frame, grouping.own, ":").groupby(grouping.codes).first()
    ax.set_xticks([])
    apart = places["mean"].is_unique and grouping.levels < len(frame)
    ticks = [f"{grouping.name} {name}" for name in names]
    ax.set_yticks(places["mean"] if apart else [], ticks if apart else [], parse_math=False)


def _plan_title(groupings: list[Grouping], plots: int) -> str:
    inner = [f"{g.levels} {g.name}s" for g in groupings if g.levels < plots]
    return ", ".join([*(name.replace("_", " ") for name in inner), f"{plots} plots"])


# ------------------------------------------------------------------------------ grid


def _draw_grid(frame: pd.DataFrame, groupings, treatments: list[str], ax) -> Axes:
    inner = innermost(groupings)
    if len(inner) != 2:
        raise ValueError(
            f"a grid shows two crossed factors, as 'site * year'; the structure has {len(inner)}"
        )
    first, second = inner
    # units in the order of their labels
    codes = [frame.groupby(list(g.path), observed=True).ngroup().to_numpy() for g in inner]
    counts = np.zeros((first.levels, second.levels), int)
    np.add.at(counts, tuple(codes), 1)
    size = (
        min(WIDEST, max(4.0, 0.55 * second.levels + 1.6)),
        min(10.0, max(2.4, 0.4 * first.levels + 1.2)),
    )
    ax = style.new_axes(ax, size)
    written = counts.astype(str).astype(object)
    if treatments:
        for place, labels in _labels(frame, treatments, " ").groupby(codes).unique().items():
            written[place] = "\n".join(labels)
    ax.imshow(np.where(counts > 0, 0.25, 0.0), cmap="Greys", vmin=0, vmax=1, aspect="auto")
    if counts.size <= 20 * MOST_NAMED:
        for (r, c), text in np.ndenumerate(written):
            shown = text if counts[r, c] else "–"
            ax.text(c, r, shown, ha="center", va="center", fontsize=8, parse_math=False)
    ax.set_xticks(np.arange(1, second.levels) - 0.5, minor=True)
    ax.set_yticks(np.arange(1, first.levels) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=2)
    ax.tick_params(which="both", length=0)
    names, others = (
        _labels(frame, g.path, ":").groupby(code).first().to_numpy()
        for g, code in zip(inner, codes, strict=True)
    )
    ax.set_yticks(np.arange(first.levels), names, fontsize=8, parse_math=False)
    crowded = max(map(len, others)) * second.levels > 60
    ax.set_xticks(
        np.arange(second.levels), others, fontsize=8, rotation=90 if crowded else 0,
        parse_math=False,
    )  # fmt: skip
    ax.spines[:].set_visible(False)
    empty = int((counts == 0).sum())
    what = ", ".join(treatments) if treatments else "number of rows"
    title = f"{what} in each combination" + (f" ({empty} of {counts.size} empty)" if empty else "")
    title = textwrap.fill(title, int(9 * ax.figure.get_size_inches()[0]))
    return style.label_axes(ax, ":".join(second.path), ":".join(first.path), title)


# ------------------------------------------------------------------------------ covariance


def plot_covariance(
    formula: str,
    layout: Any,
    *,
    sd: Any = None,
    corr: Any = None,
    rho: Any = None,
    residual: str | None = None,
    phi: float = 1.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw Var(y) = ZGZ′ + R of a linear mixed model on a layout, its blocks labelled.

    Rows are sorted by the grouping factors, the coarsest first, and by the times of `residual`. Up
    to 12 rows show their numbers.

    Parameters
    ----------
    formula, layout, sd, corr, rho, residual, phi
        As in :func:`covariance`.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import glmmtools as gt
    >>> layout = gt.designs.rcbd(["A", "B", "C"], blocks=3)
    >>> ax = plot_covariance("y ~ treatment + (1 | block)", layout, sd={"block": 2}, phi=1)
    >>> float(ax.images[0].get_array()[0, 1])
    4.0
    """
    check_arguments(plot_covariance, locals())
    model = specified_model(formula, layout, sd=sd, corr=corr, rho=rho, residual=residual, phi=phi)
    V, residuals = model.covariance(), model.residual
    random = [*model.design.random, *([] if residuals is None else [residuals])]
    terms = sorted(random, key=lambda term: len(term.levels))
    times = [np.arange(len(V)) if residuals is None else residuals.structure.coordinates]
    order = np.lexsort([*times, *(t.codes for t in reversed(terms))])
    lines, named = [], None
    for depth, term in enumerate(terms):
        blocks = style.blocks_of(term.group, term.levels, term.codes[order])
        count = len(blocks.names)
        if count == len(V) or count > 2 * len(term.levels):
            continue  # single rows, or scattered over the rows: no blocks to see
        lines.append((blocks, 1.4 if depth == 0 else 0.5))
        if depth == 0 and count <= MOST_NAMED:
            named = blocks
    title = r"$\mathrm{Var}(y) = ZGZ^\top + R$"
    label, numbered = "covariance (squared units of y)", len(V) <= _NUMBERED
    return style.draw_covariance(ax, V[np.ix_(order, order)], label, title, lines, named, numbered)
