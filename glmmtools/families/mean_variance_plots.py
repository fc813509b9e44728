"""The mean–variance relations of families, drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from glmmtools.families.base import Family
from glmmtools.families.distribution_plots import parameter_sets, parameters_text
from glmmtools.families.lookup import FAMILIES, family
from glmmtools.shared.arguments import check_arguments, shown
from glmmtools.shared.style import (
    label_axes,
    legend_outside,
    new_axes,
    new_panels,
    series,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
_LONG = 50  # characters of a label that fit into a panel


def plot_mean_variance(
    families: Iterable[str | Family] | None = None,
    *,
    panels: bool = False,
    ax: Axes | None = None,
    **parameters,
) -> Axes | Array:
    """Draw the variance as a function of the mean, one curve for each family.

    Families of different support share axes with logarithmic scales: there a straight line of
    slope 1 is a variance proportional to the mean, of slope 2 a constant coefficient of variation.

    Parameters
    ----------
    families : iterable of str or Family, optional
        By default all.
    panels : bool
        One panel for each kind of support, with ordinary scales, instead of one picture.
    ax : Axes, optional
        Where to draw; by default a new figure.
    **parameters : float
        ``phi``, ``df``, ``trials`` for those families that have them, instead of typical values.

    Returns
    -------
    Axes, or an array of Axes of shape (2, 2) with ``panels=True``

    Raises
    ------
    ValueError
        If `families` is empty, or both `panels` and `ax` are given.

    Examples
    --------
    >>> ax = plot_mean_variance(["poisson", "negative_binomial"], phi=0.5)
    >>> ax.get_xlabel()
    'mean E(y)'
    """
    check_arguments(plot_mean_variance, locals())
    if isinstance(families, str) or not isinstance(families, Iterable | None):
        raise ValueError(f"families must be a list, such as ['poisson']; got {shown(families)}")
    chosen = [family(each) for each in (FAMILIES if families is None else families)]
    if not chosen:
        raise ValueError("families is empty; give at least one, or None for all")
    unknown = set(parameters) - {"phi", "df", "trials"}
    if unknown:
        raise ValueError(f"{min(unknown)} is no parameter of a family; valid: phi, df, trials")
    if not panels:
        ax = new_axes(ax, (9.0, 4.8))
        _mean_variance(ax, chosen, parameters, log=len({_kind(each) for each in chosen}) > 1)
        legend_outside(ax)
        return ax
    if ax is not None:
        raise ValueError("panels=True makes its own figure: leave out ax, or panels")
    axes = new_panels(2, 2, (9.5, 7.0))
    for each, (kind, title) in zip(axes.flat, KINDS.items(), strict=True):
        members = [one for one in chosen if _kind(one) == kind]
        if not members:
            each.set_axis_off()
            continue
        _mean_variance(each, members, parameters, log=False, first=chosen)
        label_axes(each, title=title)
        room = 1 + 0.15 * max(3, len(members))  # for the legend
        each.set_ylim(0, room * each.get_ylim()[1])
        longest = max(len(line.get_label()) for line in each.get_lines())
        size = "small" if longest <= _LONG else "x-small"
        each.legend(frameon=False, fontsize=size, loc="upper left")
    return axes


KINDS = {
    "real": "any real number",
    "positive": "positive, continuous",
    "count": "counts 0, 1, 2, …",
    "bounded": "proportions, successes out of N",
}


def _kind(chosen: Family) -> str:
    low, high = chosen.mean_interval
    if low == -np.inf:
        return "real"
    if high == 1:
        return "bounded"
    return "count" if chosen.counts else "positive"


def _mean_variance(ax, chosen: list[Family], parameters, log: bool, first=None) -> None:
    for each in chosen:
        own = {key: value for key, value in parameters.items() if key in each.example}
        (shape,) = parameter_sets(each, **own)
        del shape["mu"]
        if each.mean_interval[1] == 1:
            mu = np.linspace(0, 1, 400)[1:-1]
        else:
            mu = np.geomspace(0.01, 100, 400) if log else np.linspace(0.01, 10, 400)
        if each.takes_trials and not log:  # one scale for all proportions: that of y/N
            mean, variance = mu, each.variance(mu, **shape) / shape["trials"] ** 2
        else:
            mean = each.mean(mu, **shape)
            variance = each.variance(mu, **shape)
        number = (first or chosen).index(each)
        look = series(number)
        formula = each.variance_text.split(" (")[0].split(" for ")[0]
        if each.takes_trials and not log:
            formula = f"{formula} / N²"
        values = f" ({parameters_text(shape)})" if shape and not log else ""
        ax.plot(
            mean, variance, color=look.color, linestyle=look.linestyle, linewidth=1.8,
            marker=look.marker, markersize=5, markevery=(7 * number % 60, 60),
            label=f"{each.name}: {formula}{values}",
        )  # fmt: skip
    if log:
        ax.set(xscale="log", yscale="log", xlim=(0.01, 100), ylim=(1e-4, 1e5))
    else:
        ax.set_ylim(0, None)
    of = "y/N" if any(each.takes_trials for each in chosen) and not log else "y"
    label_axes(ax, f"mean E({of})", f"variance Var({of})")
