"""Response distributions drawn: densities and probabilities over the values of y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glmmtools.families.base import SYMBOLS, Family
from glmmtools.families.lookup import family
from glmmtools.shared.arguments import check_arguments, numbers, one_of, shown
from glmmtools.shared.style import (
    INK,
    label_axes,
    new_axes,
    series,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
SUPPORT_SHADE = "0.93"
TAIL = 0.0005  # outside the limits on either side: the central 99.9 % is drawn
WIDEST = 10  # interquartile ranges on either side of the median: else a Cauchy is a needle
MOST_STEMS = 250
_WIDEST_COUNTS = 1e15  # beyond, neighbouring counts are one number
MEAN_MARK = {
    "marker": "^", "markersize": 8, "markeredgecolor": "white", "linestyle": "none",
    "clip_on": False, "zorder": 5,
}  # fmt: skip


def parameter_sets(name: str | Family, **given) -> list[dict[str, float]]:
    """Spread scalars and lists into one dict of parameters for each curve, and check them.

    Parameters that are not given, or None, have the values of the family's example.

    Examples
    --------
    >>> parameter_sets("gamma", phi=[0.1, 0.5])
    [{'mu': 3.0, 'phi': 0.1}, {'mu': 3.0, 'phi': 0.5}]
    """
    chosen = family(name)
    values = {k: v for k, v in chosen.example.items() if k not in chosen.fixed}
    for key, value in given.items():
        if value is None:
            continue
        if key not in values:
            raise ValueError(f"{chosen.name} has no {key}; its parameters: {', '.join(values)}")
        values[key] = value
    columns = {key: np.atleast_1d(numbers(key, value)) for key, value in values.items()}
    for key, column in columns.items():
        if column.ndim > 1 or not column.size:
            raise ValueError(f"{key} must be a number or a list of them; got {shown(values[key])}")
        _check_range(chosen, key, column)
    try:
        curves = zip(*np.broadcast_arrays(*columns.values()), strict=True)
    except ValueError:
        lengths = ", ".join(f"{key} {column.size}" for key, column in columns.items())
        raise ValueError(f"lists of parameters must have one length; got {lengths}") from None
    return [
        {
            key: int(value) if key == "trials" else float(value)
            for key, value in zip(columns, curve, strict=True)
        }
        for curve in curves
    ]


def _check_range(chosen: Family, key: str, column: Array) -> None:
    low, high = chosen.mean_interval if key == "mu" else (0.0, np.inf)
    bad = ~((column > low) & (column < high))
    if key == "trials":
        bad |= column != np.round(column)
    if bad.any():
        where = "a whole number above 0" if key == "trials" else _range_text(low, high)
        raise ValueError(f"{key} of {chosen.name} must be {where}; got {column[bad][0]:g}")


def _range_text(low: float, high: float) -> str:
    if high < np.inf:
        return f"between {low:g} and {high:g}"
    return "finite" if low == -np.inf else f"above {low:g} and finite"


def parameters_text(parameters: dict[str, float]) -> str:
    return ", ".join(f"{SYMBOLS[key]} = {value:g}" for key, value in parameters.items())


# ------------------------------------------------------------------------------ the shape


def plot_distribution(
    name: str | Family,
    mu: float | Sequence[float] | None = None,
    phi: float | Sequence[float] | None = None,
    *,
    df: float | Sequence[float] | None = None,
    trials: int | Sequence[int] | None = None,
    kind: str = "pdf",
    ax: Axes | None = None,
    **others: float | Sequence[float],
) -> Axes:
    """Draw a response distribution, or several with different parameters.

    Continuous ones are lines, discrete ones stems on the integers. A triangle on the axis marks
    each mean, the support is shaded, and the limits hold the central 99.9 % of every curve.

    Parameters
    ----------
    name : str or Family
        The response distribution.
    mu, phi, df, trials : float or sequence, optional
        The parameters as on the card of the family; lists draw one curve for each element. Those
        that are not given have typical values.
    kind : {"pdf", "cdf"}
        The density (probability of each count), or the cumulative probability.
    ax : Axes, optional
        Where to draw; by default a new figure.
    **others : float or sequence
        Further parameters of the family, as ``odds0`` and ``odds1`` of ordered_beta.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If a parameter is outside its range or the family has no such parameter.

    Examples
    --------
    >>> ax = plot_distribution("gamma", mu=3, phi=[0.1, 0.5, 1])
    >>> ax.get_ylabel()
    'density'
    """
    check_arguments(plot_distribution, locals())
    one_of("kind", kind, ("pdf", "cdf"))
    chosen = family(name)
    sets = parameter_sets(chosen, mu=mu, phi=phi, df=df, trials=trials, **others)
    ax = new_axes(ax)
    tops, limits = [], []
    for number, parameters in enumerate(sets):
        frozen = chosen.distribution(**parameters)
        x, height = _curve(chosen, frozen, kind)
        look = series(number)
        if chosen.has_atoms and not chosen.discrete and kind == "pdf":
            inside = (x > 0) & (x < 1)
            ends = ~inside
            _line(ax, x[inside], height[inside], look, parameters_text(parameters), False)
            _stems(ax, x[ends], height[ends], look, None, False)
        elif chosen.discrete and kind == "pdf":
            _stems(ax, x, height, look, parameters_text(parameters), len(sets) > 1)
        else:
            _line(ax, x, height, look, parameters_text(parameters), chosen.discrete)
        mean = frozen.mean()
        if np.isfinite(mean):  # t has none up to one degree of freedom
            ax.plot([mean], [0], color=look.color, **MEAN_MARK)
        tops.append(_top(chosen, height, frozen) if kind == "pdf" else 1.0)
        limits.append((x[0], x[-1]))
    _finish(ax, chosen, sets, limits)
    ax.set_ylim(0, 1.08 * max(tops))
    height_name = "probability" if chosen.discrete else "density"
    if chosen.has_atoms and not chosen.discrete:
        height_name = "density; points: probability"
    label_axes(
        ax,
        "y, successes out of N trials" if chosen.takes_trials else "y",
        height_name if kind == "pdf" else "probability of y or less",
        chosen.notation_text.split(":")[0],
    )
    _legend(ax)
    return ax


def _legend(ax) -> None:
    from matplotlib.lines import Line2D

    # not drawn on the axes: an unclipped line without points confuses the layout
    mean = Line2D([], [], color=INK, label="mean", **MEAN_MARK)
    handles = [*ax.get_legend_handles_labels()[0], mean]
    ax.legend(
        handles=handles, facecolor="white", edgecolor="none", framealpha=0.85, fontsize="small"
    )


def _quantiles(chosen: Family, frozen, probabilities: Sequence[float] | float) -> Array:
    """Quantiles; of a density on what is above 0, none nearer to 0 than the least normal double.

    SciPy 1.14 goes nearer for a beta, to where its density overflows.
    """
    y = frozen.ppf(probabilities)
    if chosen.discrete or frozen.support()[0] != 0:
        return y
    return np.maximum(y, np.finfo(float).tiny)


def _curve(chosen: Family, frozen, kind: str) -> tuple[Array, Array]:
    if chosen.has_atoms and not chosen.discrete:
        x = np.linspace(*frozen.support(), 501)
        return x, frozen.pdf(x) if kind == "pdf" else frozen.cdf(x)
    low, q1, median, q3, high = _quantiles(chosen, frozen, [TAIL, 0.25, 0.5, 0.75, 1 - TAIL])
    if chosen.discrete:
        if kind == "cdf":
            low, high = low - 1, high + 1
        if not high - low < _WIDEST_COUNTS:
            raise ValueError(f"the counts reach {high:.3g}, too far to be drawn one by one")
        step = max(1, int((high - low) // MOST_STEMS))
        x = np.arange(low, high + 1, step)
        return x, frozen.pmf(x) if kind == "pdf" else frozen.cdf(x)
    reach = WIDEST * (q3 - q1)
    low, high = max(low, median - reach), min(high, median + reach)
    # even steps in y for the line, even steps in probability for a peak at a bound
    quantiles = _quantiles(chosen, frozen, np.linspace(TAIL, 1 - TAIL, 200))
    quantiles = quantiles[(quantiles > low) & (quantiles < high)]
    x = np.unique(np.concatenate([np.linspace(low, high, 300), quantiles]))
    return x, frozen.pdf(x) if kind == "pdf" else frozen.cdf(x)


def _top(chosen: Family, height: Array, frozen) -> float:
    """The highest point, or less where the density rises to infinity at a bound."""
    if chosen.discrete:
        return height.max()
    if chosen.has_atoms:
        between = frozen.ppf((height[0] + 1 - height[-1]) / 2)  # the median of the other values
        return min(height.max(), max(6 * frozen.pdf(between), height[0], height[-1]))
    return min(height.max(), 6 * frozen.pdf(_quantiles(chosen, frozen, 0.5)))


def _line(ax, x, height, look, label, discrete: bool) -> None:
    ax.plot(
        x, height, color=look.color, linestyle=look.linestyle, linewidth=2, label=label,
        drawstyle="steps-post" if discrete else "default",
    )  # fmt: skip


def _stems(ax, x, height, look, label, several: bool) -> None:
    width = min(1 if several else 2, 80 / len(x))
    ax.vlines(x, 0, height, color=look.color, linewidth=width, alpha=0.6, snap=False)
    if several:  # a faint guide for the eye; nothing lies between two integers
        ax.plot(x, height, color=look.color, linestyle=look.linestyle, linewidth=0.8, alpha=0.5)
    ax.plot(
        x, height, color=look.color, marker=look.marker, linestyle="none", label=label,
        markersize=6 if len(x) <= 40 else 3,
    )  # fmt: skip


def _finish(ax, chosen: Family, sets, limits) -> None:
    """Limits a little beyond the curves, and the support shaded within them."""
    low, high = min(each[0] for each in limits), max(each[1] for each in limits)
    lowest = chosen.mean_interval[0] + (chosen.discrete and chosen.leaves_out_zero)
    highest = max(chosen.mean_interval[1] * each.get("trials", 1) for each in sets)
    half = 0.5 if chosen.discrete else 0.0
    # where a curve comes near a bound of its support, show the bound
    room = 0.05 * (high - low) or 0.5
    left = lowest if low - lowest < high - low else low
    right = highest if highest - high < 0.3 * (high - low) else high
    ax.set_xlim(left - room - half, right + room + half)
    ax.axvspan(
        max(lowest - half, left - room - half), min(highest + half, right + room + half),
        color=SUPPORT_SHADE, linewidth=0, zorder=-1,
        label=f"support: {chosen.support.split(' (')[0]}",
    )  # fmt: skip
    if chosen.discrete:
        ax.xaxis.get_major_locator().set_params(integer=True)
