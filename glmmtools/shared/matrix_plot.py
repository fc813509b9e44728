"""Covariance matrices drawn as heat maps, their blocks between white lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from glmmtools.shared.style import HEAT, label_axes, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

Array = np.ndarray
_LONG = 40  # letters of all names together, from which those of the columns stand upright


class Blocks(NamedTuple):
    """The runs of rows of a matrix that share a level of a grouping factor.

    `edges` between the runs and the `centres` of them are in rows; `names` are the levels.
    """

    group: str
    edges: Array
    centres: Array
    names: Array


def blocks_of(group: str, levels: Array, codes: Array) -> Blocks:
    """The blocks of rows whose levels have these codes, shape (n,), in the order of the matrix."""
    edges = np.flatnonzero(np.diff(codes)) + 0.5
    bounds = np.concatenate([[-0.5], edges, [len(codes) - 0.5]])
    centres = (bounds[:-1] + bounds[1:]) / 2
    return Blocks(group, edges, centres, levels[codes[np.floor(centres).astype(int)]])


def draw_covariance(
    ax: Axes | None,
    matrix: Array,
    label: str,
    title: str,
    lines: Sequence[tuple[Blocks, float]],
    named: Blocks | None,
    numbered: bool = False,
) -> Axes:
    """Draw a covariance matrix as a heat map, with a `label` at its colour bar.

    White lines of the widths given part the blocks in `lines`; the names of `named` stand at both
    axes; a matrix that is `numbered` shows its values.
    """
    ax = new_axes(ax, (6.0, 4.8))
    image = heat_map(ax, matrix, label)
    if numbered:
        _write_values(image, matrix)
    for blocks, width in lines:
        block_lines(ax, blocks.edges, width)
    ax.set_xticks([])
    ax.set_yticks([])
    if named is not None:
        upright = sum(map(len, named.names)) > _LONG
        ax.set_xticks(named.centres, named.names, rotation=90 if upright else 0)
        ax.set_yticks(named.centres, named.names)
        label_axes(ax, named.group, named.group)
    return label_axes(ax, title=title)


def heat_map(ax: Axes, matrix: Array, label: str, shrink: float = 0.85) -> AxesImage:
    """Draw a covariance matrix, its colour bar beside it."""
    image = ax.imshow(matrix, cmap=HEAT, vmin=min(0.0, matrix.min()), vmax=matrix.max())
    ax.figure.colorbar(image, ax=ax, shrink=shrink, label=label)
    ax.tick_params(length=0)
    return image


def _write_values(image: AxesImage, matrix: Array) -> None:
    middle = (image.norm.vmin + image.norm.vmax) / 2
    for (row, column), value in np.ndenumerate(matrix):
        color, text = "black" if value > middle else "white", f"{value:.3g}"
        image.axes.text(column, row, text, ha="center", va="center", fontsize=7, color=color)


def block_lines(ax: Axes, edges: Iterable[float], linewidth: float) -> None:
    """White lines between the blocks of a matrix."""
    for edge in edges:
        ax.axhline(edge, color="white", linewidth=linewidth)
        ax.axvline(edge, color="white", linewidth=linewidth)
