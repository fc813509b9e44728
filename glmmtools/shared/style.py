"""What every plot shares: colours, markers and line styles, new axes, labels.

Nothing here changes matplotlib's global settings, and nothing calls ``plt.show()``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glmmtools.shared.arguments import check_arguments

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.legend import Legend


class Series(NamedTuple):
    """How one series of a plot looks: the colour, and two cues that do not need colour."""

    color: str
    marker: str
    linestyle: Any


# After Okabe and Ito (2008), darkened or lightened so that each step of lightness (CIE L*: 20, 47,
# 71, 58, 33, 82) is at least 11: the order of the series survives a grey printer.
SERIES = (
    Series("#00315C", "o", "-"),  # navy
    Series("#BE4A00", "s", "--"),  # vermilion
    Series("#E69F00", "^", "-."),  # orange
    Series("#009E73", "D", ":"),  # green
    Series("#8A2A60", "v", (0, (5, 1, 1, 1, 1, 1))),  # purple
    Series("#9AD4F0", "P", (0, (1, 1))),  # light blue
)
INK = "0.15"  # fitted values and anything that is the model's
DATA = "0.5"  # observations behind the model
REFERENCE = "0.6"  # lines at zero or one, identity lines
BAND_ALPHA = 0.18
HEAT = "cividis"  # a colour map that is monotone in lightness, also for colour-blind readers
_LETTER = 0.09  # inches that a letter of a name takes at most, on average
_LINE = 0.17  # inches that a line of letters takes
_SIZES = (10.0, 8.0)  # points, of the names of levels
_BESIDE = 1.2  # how long a label may be, of its axis
_FEWEST_LETTERS = 7  # of a line
_ENTRY = 0.22  # inches that an entry of a legend takes
_HANDLE = 0.7  # inches that its line takes, with the room around it
_NAME = 20  # letters of a line of the name of a block
_SMALL_LETTERS, _NAMES_BESIDE = 8.3, 1.0  # points, and inches, of names left of an axis
_MOST_LINES = 3  # of a name; names that need more stand upright
_FEW_POINTS = 2000  # beyond, points are drawn so that their density is seen
_SMALL = 3.0  # inches: narrower axes stand in a row of panels
_LONG = 40  # letters of all names of blocks, from which those of the columns stand upright


def series(number: int) -> Series:
    """Colour, marker and line style of the `number`-th series, from 0.

    Beyond six the colours repeat with other markers and line styles.

    Examples
    --------
    >>> series(1).linestyle
    '--'
    >>> series(7).color == series(1).color, series(7).marker == series(1).marker
    (True, False)
    """
    lap, position = divmod(number, len(SERIES))
    cue = SERIES[(position + lap) % len(SERIES)]
    return Series(SERIES[position].color, cue.marker, cue.linestyle)


def palette(colors: int = len(SERIES)) -> list[str]:
    """The colours of the course's plots, for seaborn or Matplotlib.

    Their order survives a grey printer, and colour-blind readers tell them apart
    (after Okabe and Ito, 2008).

    Parameters
    ----------
    colors : int
        How many, from the first; beyond six they repeat.

    Returns
    -------
    list of str
        Colours as ``#rrggbb``.

    Raises
    ------
    ValueError
        Fewer than one colour.

    Examples
    --------
    >>> import glmmtools as gt
    >>> gt.palette(2)
    ['#00315C', '#BE4A00']

    Before plots of seaborn's: ``sns.set_palette(gt.palette())``.
    """
    check_arguments(palette, locals())
    if colors < 1:
        raise ValueError(f"colors must be 1 or more; got {colors}")
    return [series(number).color for number in range(colors)]


def new_axes(ax: Axes | None = None, figsize: tuple[float, float] = (6.0, 4.0)) -> Axes:
    """Return `ax`, or the axes of a new figure of `figsize` inches where `ax` is None."""
    return ax if ax is not None else new_panels(1, 1, figsize)[0, 0]


def new_panels(
    rows: int, columns: int, figsize: tuple[float, float] | None = None, **options: Any
) -> np.ndarray:
    """Axes of a new figure, shape (rows, columns); `options` go to ``plt.subplots``."""
    import matplotlib.pyplot as plt

    size = figsize or (4.0 * columns, 3.4 * rows)
    _, axes = plt.subplots(
        rows, columns, figsize=size, layout="constrained", squeeze=False, **options
    )
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return axes


def label_axes(
    ax: Axes,
    x: str | None = None,
    y: str | None = None,
    title: str | None = None,
    math: bool = False,
) -> Axes:
    """Set the labels that are given; the title is left-aligned and of normal weight.

    They may hold names of columns, in which ``$`` is a letter, but for titles in `math`. Labels
    longer than their axis are wrapped.
    """
    wide, high = _inches(ax)
    if x is not None:
        ax.set_xlabel(_beside(x, wide), parse_math=False)
    if y is not None:
        ax.set_ylabel(_beside(y, high), parse_math=False)
    if title is not None:
        ax.set_title(title, loc="left", fontsize="medium", parse_math=math)
    return ax


def _beside(label: str, axis: float) -> str:
    if not label:
        return label
    return label if _width(label, _SIZES[0]) <= _BESIDE * axis else in_lines(label, axis)


def in_lines(text: str, room: float, letters: int | None = None) -> str:
    """A text in lines of at most so many inches, and letters, as far as its words allow.

    >>> in_lines("mean of yield", 3.0), in_lines("mean of yield", 0.6)
    ('mean of yield', 'mean of\\nyield')
    """
    letters = letters or len(text) or 1
    while True:
        lines = textwrap.wrap(text, letters, break_long_words=False)
        widest = max((_width(line, _SIZES[0]) for line in lines), default=0.0)
        if widest <= room or letters <= _FEWEST_LETTERS:
            return "\n".join(lines)
        letters = max(min(letters - 1, int(letters * room / widest)), _FEWEST_LETTERS)


def title_in_lines(ax: Axes, text: str, letters: int | None = None) -> str:
    """A title in lines that end with the figure, or among other axes with these."""
    left, width = ax.get_position().x0, ax.figure.get_size_inches()[0]
    alone = len(ax.figure.axes) == 1
    return in_lines(text, width * (1 - left) if alone else _inches(ax)[0], letters)


def series_name(name: str) -> str:
    """A label of a legend; Matplotlib leaves out those that begin with an underscore."""
    return f" {name}" if name.startswith("_") else name


def reference_line(ax: Axes, x: float | None = None, y: float | None = None) -> None:
    """Draw a thin line at `x` (vertical) or `y` (horizontal), behind everything else."""
    if x is not None:
        ax.axvline(x, color=REFERENCE, linewidth=1, zorder=0)
    if y is not None:
        ax.axhline(y, color=REFERENCE, linewidth=1, zorder=0)


def legend_outside(ax: Axes, title: str | None = None) -> None:
    """Put the legend right of the axes, where it hides no data.

    In a figure whose layout makes no room for it, it stays within the axes. A legend of many
    entries is in columns, and the figure of axes that stand alone as much wider.
    """
    names = ax.get_legend_handles_labels()[1]
    rows = int(ax.figure.get_figheight() / _ENTRY) - 2 - (title is not None)
    columns = -(-len(names) // max(rows, 1))
    look = {"title": title, "ncols": columns}
    if ax.figure.get_layout_engine() is None:
        as_written(ax.legend(fontsize="small", **look))
        return
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, **look)
    as_written(legend)
    if columns > 1 and len(ax.figure.axes) == 1:
        wide = max(_width(name, _SIZES[0]) for name in names) + _HANDLE
        ax.figure.set_figwidth(ax.figure.get_figwidth() + (columns - 1) * wide)


def as_written(legend: Legend) -> None:
    """Let ``$`` be a letter in a legend, of names of the data."""
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_parse_math(False)


def points(count: int) -> dict[str, Any]:
    """How `count` points of a scatter are drawn: as rings, or many as dots that show through."""
    if count <= _FEW_POINTS:
        return {"facecolors": "none", "linewidths": 0.8, "alpha": 0.75}
    return {"linewidths": 0, "alpha": max(0.75 * _FEW_POINTS / count, 0.03), "rasterized": True}


def point_area(count: int) -> float:
    """What the area of a point is times, so that many leave room between them."""
    return 1.0 if count <= _FEW_POINTS else 0.15


def new_axes_for_names(ax: Axes | None, count: int) -> Axes:
    """As `new_axes`, as wide as this many names need where they stand upright."""
    return new_axes(ax, (max(6.0, 1.6 + _LINE * count), 4.0))


def room_for_names(names: Iterable[str]) -> float:
    """Inches that names left of an axis take beyond those that a figure has for them."""
    longest = max((_width(name, _SMALL_LETTERS) for name in names), default=0.0)
    return max(longest - _NAMES_BESIDE, 0.0)


def name_levels(ax: Axes, names: Sequence[str]) -> None:
    """Name the places 0, 1, … of the x axis so that no name runs into the next.

    Long names are wrapped, or stand upright where that is not enough. Comes last: the room depends
    on everything else that stands beside the axes.
    """
    places = range(len(names))
    ax.set_xticks(places, names, parse_math=False)
    if sum(map(len, names)) * _LETTER < 0.5 * ax.figure.get_figwidth() * ax.get_position().width:
        return
    ax.figure.draw_without_rendering()  # lets the layout make room for titles and legends
    (left, _), (right, _) = ax.transData.transform([(0, 0), (1, 0)])
    room = (right - left) / ax.figure.dpi
    for size in _SIZES:
        letters = round(room / (_LETTER * size / 10))
        wrapped = [textwrap.wrap(name, max(letters, 1), break_long_words=False) for name in names]
        widest = max(_width(line, size) for lines in wrapped for line in lines)
        if widest < 0.95 * room and max(map(len, wrapped)) <= _MOST_LINES:
            ax.set_xticks(places, list(map("\n".join, wrapped)), fontsize=size, parse_math=False)
            return
    lines = max(int(room / _LINE), 1)
    upright = [textwrap.fill(name, max(-(-len(name) // lines) + 3, 12)) for name in names]
    size = min(_SIZES[0], _SIZES[0] * room / _LINE)
    ax.set_xticks(places, upright, rotation=90, fontsize=size, parse_math=False)


def _width(line: str, size: float) -> float:
    """Inches that a line of letters takes at a size in points."""
    from matplotlib.textpath import TextPath

    return TextPath((0, 0), line.replace("$", "S"), size=size).get_extents().width / 72


# ------------------------------------------------------------------------------ covariance matrices


class Blocks(NamedTuple):
    """The runs of rows of a matrix that share a level of a grouping factor.

    `edges` between the runs and the `centres` of them are in rows; `names` are the levels.
    """

    group: str
    edges: np.ndarray
    centres: np.ndarray
    names: np.ndarray


def blocks_of(group: str, levels: np.ndarray, codes: np.ndarray) -> Blocks:
    """The blocks of rows whose levels have these codes, shape (n,), in the order of the matrix."""
    edges = np.flatnonzero(np.diff(codes)) + 0.5
    bounds = np.concatenate([[-0.5], edges, [len(codes) - 0.5]])
    centres = (bounds[:-1] + bounds[1:]) / 2
    return Blocks(group, edges, centres, levels[codes[np.floor(centres).astype(int)]])


def draw_covariance(
    ax: Axes | None,
    matrix: np.ndarray,
    label: str,
    title: str,
    lines: Sequence[tuple[Blocks, float]],
    named: Blocks | None,
    numbered: bool = False,
    group: str = "",
) -> Axes:
    """Draw a covariance matrix as a heat map, with a `label` at its colour bar.

    White lines of the widths given part the blocks in `lines`; the names of `named` stand at both
    axes, with their `group`; a matrix that is `numbered` shows its values. Axes of a row of panels
    have no room for the label, for the group on the left and for what follows a ; in the title.
    """
    ax = new_axes(ax, (6.0, 4.8))
    small = _inches(ax)[0] < _SMALL
    image = heat_map(ax, matrix, "" if small else label)
    if numbered:
        _write_values(image, matrix)
    for blocks, width in lines:
        block_lines(ax, blocks.edges, width)
    ax.set_xticks([])
    ax.set_yticks([])
    if named is not None:
        upright = sum(map(len, named.names)) > _LONG
        names = [textwrap.fill(name, _NAME, break_long_words=False) for name in named.names]
        look = {"fontsize": "x-small"} if "\n" in "".join(names) else {}
        rotation = 90 if upright else 0
        ax.set_xticks(named.centres, names, rotation=rotation, parse_math=False, **look)
        ax.set_yticks(named.centres, names, parse_math=False, **look)
    group = group or (named.group if named is not None else "")
    title = title.partition(";")[0] if small else title
    return label_axes(ax, group, "" if small else group, title, math=True)


def _inches(ax: Axes) -> tuple[float, float]:
    """Width and height of axes."""
    box, (width, height) = ax.get_position(), ax.figure.get_size_inches()
    return box.width * width, box.height * height


def heat_map(ax: Axes, matrix: np.ndarray, label: str, shrink: float = 0.85) -> AxesImage:
    """Draw a covariance matrix, its colour bar beside it."""
    image = ax.imshow(matrix, cmap=HEAT, vmin=min(0.0, matrix.min()), vmax=matrix.max())
    bar = ax.figure.colorbar(image, ax=ax, shrink=shrink)
    bar.set_label(label, parse_math=False)
    ax.tick_params(length=0)
    return image


def _write_values(image: AxesImage, matrix: np.ndarray) -> None:
    middle = (image.norm.vmin + image.norm.vmax) / 2
    for (row, column), value in np.ndenumerate(matrix):
        color, text = "black" if value > middle else "white", f"{value:.3g}"
        image.axes.text(column, row, text, ha="center", va="center", fontsize=7, color=color)


def block_lines(ax: Axes, edges: Iterable[float], linewidth: float) -> None:
    """White lines between the blocks of a matrix."""
    for edge in edges:
        ax.axhline(edge, color="white", linewidth=linewidth)
        ax.axvline(edge, color="white", linewidth=linewidth)
