"""Link functions drawn: the link and its inverse, and a straight line seen on both scales."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glmmtools.families.base import Family
from glmmtools.families.distribution_plots import parameter_sets
from glmmtools.families.links import Link, link
from glmmtools.families.lookup import family as find_family
from glmmtools.shared.arguments import check_arguments, check_panels, numbers, one_of, shown
from glmmtools.shared.style import label_axes, new_axes, new_panels, reference_line, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
NORMAL_PHI = 1.0  # narrow enough that the distributions along the line do not run together


def plot_link(
    name: str | Link, *, kind: str = "both", ax: Axes | Sequence[Axes] | None = None
) -> Axes | Array:
    """Draw a link, its inverse, or both side by side.

    Parameters
    ----------
    name : str or Link
        One of ``identity, log, logit, probit, cloglog, inverse``.
    kind : {"both", "link", "inverse"}
        ``"link"`` draws η = g(μ), ``"inverse"`` draws μ = g⁻¹(η).
    ax : Axes, or two of them for ``kind="both"``, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes, or an array of two Axes with ``kind="both"``

    Raises
    ------
    ValueError
        If there is no such link or kind, or ``kind="both"`` is not given two Axes.

    Examples
    --------
    >>> left, right = plot_link("logit")
    >>> left.get_xlabel(), right.get_xlabel()
    ('mean μ', 'linear predictor η')
    """
    check_arguments(plot_link, locals())
    one_of("kind", kind, ("both", "link", "inverse"))
    chosen = link(name)
    if kind == "both":
        left, right = axes = _two_axes(ax)
        _draw_link(left, chosen)
        _draw_inverse(right, chosen)
        return axes
    check_panels([] if ax is None else [ax])
    axes = new_axes(ax)
    (_draw_link if kind == "link" else _draw_inverse)(axes, chosen)
    return axes


def _two_axes(ax) -> Array:
    if ax is None:
        return new_panels(1, 2, (8.5, 3.6))[0]
    axes = np.array(ax, object).ravel()
    if len(axes) != 2:
        raise ValueError(f"ax must hold two Axes, one for each panel; got {len(axes)}")
    check_panels(axes)
    return axes


def _grids(chosen: Link) -> tuple[Array, Array]:
    """Means and linear predictors worth drawing."""
    if chosen.mean_interval[1] == 1:
        return np.linspace(0, 1, 401)[1:-1], np.linspace(-5, 5, 401)
    if chosen.mean_interval[0] == -np.inf:
        return np.linspace(-5, 5, 401), np.linspace(-5, 5, 401)
    if chosen.eta_interval[0] == 0:
        return np.linspace(0.1, 10, 401), np.linspace(0.1, 10, 401)
    return np.linspace(0.02, 20, 401), np.linspace(-4, 3, 401)


def _draw_link(ax, chosen: Link) -> None:
    mu, _ = _grids(chosen)
    ax.plot(mu, chosen(mu), color=series(0).color, linewidth=2)
    reference_line(ax, y=0)
    _bounds(chosen, lambda value: reference_line(ax, x=value))
    title = f"{chosen.name}: η = {_formula(chosen.equation)}"
    label_axes(ax, "mean μ", "linear predictor η", title, math=True)


def _draw_inverse(ax, chosen: Link) -> None:
    _, eta = _grids(chosen)
    ax.plot(eta, chosen.inverse(eta), color=series(1).color, linewidth=2)
    _bounds(chosen, lambda value: reference_line(ax, y=value))
    if eta[0] < 0:
        reference_line(ax, x=0)
    title = f"inverse of {chosen.name}: μ = {_formula(chosen.inverse_equation)}"
    label_axes(ax, "linear predictor η", "mean μ", title, math=True)


def _formula(latex: str) -> str:
    """LaTeX for a title of one line: fractions with a slash."""
    flat = re.sub(r"\\log\\frac\{(.*?)\}\{(.*)\}", r"\\log(\1/(\2))", latex)
    return "$" + re.sub(r"\\frac\{(.*?)\}\{(.*)\}", r"\1/(\2)", flat) + "$"


def _bounds(chosen: Link, draw) -> None:
    for value in chosen.mean_interval:
        if np.isfinite(value):
            draw(value)


# ------------------------------------------------------------------------------ two scales


def plot_link_effect(
    name: str | Link = "logit",
    intercept: float | None = None,
    slope: float | None = None,
    family: str | Family | None = None,
    *,
    phi: float | None = None,
    df: float | None = None,
    trials: int | None = None,
    x: tuple[float, float] = (-3.0, 3.0),
    at: Sequence[float] | None = None,
    ax: Sequence[Axes] | None = None,
) -> Array:
    """Draw a straight line on the link scale and the curve it becomes on the response scale.

    On the response scale the distribution of y is drawn at a few values of x, sideways: the line
    is about the mean, the data scatter around it as the family says. A response out of N trials is
    shown as its proportion y/N.

    Parameters
    ----------
    name : str or Link
        The link.
    intercept, slope : float, optional
        Of the linear predictor η = intercept + slope · x; by default a typical line.
    family : str or Family, optional
        The response distribution; by default the one usual with the link.
    phi, df, trials : float, optional
        Its parameters; by default typical values.
    x : tuple of float
        The range of the covariate.
    at : sequence of float, optional
        Where the distribution of y is drawn; by default at three values.
    ax : two Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    array of two Axes
        Link scale and response scale.

    Raises
    ------
    ValueError
        If the family does not go with the link, or a mean leaves the family's support.

    Examples
    --------
    >>> link_scale, response_scale = plot_link_effect("log", intercept=1, slope=0.5)
    >>> response_scale.get_ylabel()
    'y'
    """
    check_arguments(plot_link_effect, locals())
    chosen = link(name)
    response = _response(chosen, family)
    usual_intercept, usual_slope = chosen.usual_line
    b0 = usual_intercept if intercept is None else float(intercept)
    b1 = usual_slope if slope is None else float(slope)
    ends = numbers("x", x)
    if ends.shape != (2,) or not (np.isfinite(ends).all() and ends[0] < ends[1]):
        raise ValueError(f"x must be (low, high) with low < high; got {shown(x)}")
    low, high = ends
    grid = np.linspace(low, high, 301)
    points = low + (high - low) * np.array([0.15, 0.5, 0.8])
    if at is not None:
        points = np.atleast_1d(numbers("at", at))
    if points.ndim > 1 or not np.isfinite(points).all():
        raise ValueError(f"at must be a list of values of x; got {shown(at)}")
    for where in (grid, points):
        _check_means(response, chosen, where, b0 + b1 * where)
    if phi is None and response.location_scale:
        phi = NORMAL_PHI
    (shape,) = parameter_sets(response, phi=phi, df=df, trials=trials)
    del shape["mu"]

    left, right = axes = _two_axes(ax)
    color, mark = series(0).color, series(1)
    left.plot(grid, b0 + b1 * grid, color=color, linewidth=2)
    left.plot(points, b0 + b1 * points, linestyle="none", marker="o", color=mark.color)
    title = f"link scale: η = {b0:g} {'−' if b1 < 0 else '+'} {abs(b1):g} x"
    label_axes(left, "x", f"η = {chosen.name}(μ)" if not chosen.is_identity else "η = μ", title)

    width = 0.9 * np.min(np.diff(np.sort([*points, high]))) if len(points) else 0.0
    mu = np.asarray(chosen.inverse(b0 + b1 * points))
    for position, mean in zip(points, mu, strict=True):
        _sideways(right, response, position, mean, shape, width, mark)
    right.plot(grid, chosen.inverse(b0 + b1 * grid), color=color, linewidth=2, label="mean μ")
    right.plot(points, mu, linestyle="none", marker="o", color=mark.color)
    right.plot([], [], color=mark.color, linewidth=5, alpha=0.5, label=f"y: {response.name}")
    right.legend(frameon=False, fontsize="small")
    what = f"y / N, N = {shape['trials']}" if response.takes_trials else "y"
    title = f"response scale: μ = {_formula(chosen.inverse_equation)}"
    label_axes(right, "x", what, title, math=True)
    return axes


def _response(chosen: Link, name: str | Family | None) -> Family:
    response = find_family(chosen.usual_family if name is None else name)
    response.check_link(chosen)
    return response


def _check_means(response: Family, chosen: Link, x: Array, eta: Array) -> None:
    mu = chosen.inverse(eta)
    low, high = response.mean_interval
    bad = ~((mu > low) & (mu < high) & np.isfinite(mu))
    if bad.any():
        first = int(bad.argmax())
        bounds = f"between {low:g} and {high:g}" if high < np.inf else f"above {low:g}"
        raise ValueError(
            f"at x = {x[first]:g} the {chosen.name} link gives the mean {mu[first]:g}; a mean of "
            f"{response.name} lies {bounds}. Choose another intercept, slope, range of x, or link"
        )


def _sideways(ax, response: Family, position: float, mean: float, shape, width, look) -> None:
    """The distribution of y at one x, its density to the right of that x."""
    frozen = response.distribution(mean, **shape)
    low, high = frozen.ppf([0.005, 0.995])
    scale = shape.get("trials", 1)
    if response.discrete:
        y = np.arange(low, high + 1)
        height = frozen.pmf(y)
        end = position + width * height / height.max()
        ax.hlines(y / scale, position, end, color=look.color, linewidth=2, alpha=0.6)
        ax.plot(end, y / scale, linestyle="none", marker="o", markersize=3, color=look.color)
    else:
        y = np.linspace(low, high, 200)
        height = frozen.pdf(y)
        end = position + width * height / height.max()
        ax.fill_betweenx(y, position, end, color=look.color, alpha=0.3, linewidth=0)
        ax.plot(end, y, color=look.color, linewidth=1)
    ax.plot([position, position], [low / scale, high / scale], color=look.color, linewidth=0.8)
