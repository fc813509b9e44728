"""The picture of a profile: the likelihood of one parameter, and the limits of its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from glmmtools.fitted.fit import Fit
from glmmtools.inference.intervals import profile_intervals
from glmmtools.inference.profile import Profile
from glmmtools.shared import style
from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.numbers import percent, with_digits
from glmmtools.shared.text import listed, nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS, _BEYOND = 41, 0.25  # beyond a limit by this share of the way from the estimate to it


def plot_profile(model: Fit, term: str, level: float = 0.95, ax: Axes | None = None) -> Axes:
    """Draw the profile of the likelihood of one parameter, and its interval.

    At each value of the parameter the log-likelihood is maximised over all others. The interval
    ends where it has fallen by half a chi-square quantile, the dashed line. The thin curve is the
    parabola that a Wald interval takes in its place.

    Parameters
    ----------
    term : str
        A row of ``conf_int(method="profile")``: a coefficient, ``"sd herd Intercept"``.
    level : float
        Confidence level of the interval.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        For an unknown parameter, one without a profile, or a model without one.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> m.plot_profile("sd herd Intercept").get_xlabel()
    'sd herd Intercept'
    """
    check_arguments(plot_profile, locals())
    intervals = profile_intervals(model, level)
    if term not in intervals.index:
        raise ValueError(
            f"there is no parameter {term!r}{nearest(term, intervals.index)}; profiles are of "
            f"{listed(intervals.index, 12)}"
        )
    estimate, low, high = intervals.loc[term]
    if not np.isfinite([estimate, low, high]).all():
        raise ValueError(f"the profile of {term!r} has no two limits, so there is nothing to draw")
    profile, drop = Profile.of(model), special.chdtri(1, 1 - level) / 2
    quantity = profile.quantities()[term]
    ends = np.array([low, high]) + _BEYOND * (np.array([low, high]) - estimate)
    values = np.linspace(*np.clip(ends, quantity.low, quantity.high), _POINTS)
    ax, look = style.new_axes(ax), style.series(0)
    heights = -profile.falls(quantity, values)
    ax.plot(values, heights, color=look.color, linewidth=2, label="profile", gid="profile")
    if term in model.params.index:
        parabola = -0.5 * ((values - estimate) / model.bse[term]) ** 2
        ax.plot(values, parabola, color=style.DATA, linewidth=1, label="Wald", gid="parabola")
        style.legend_outside(ax)
    ax.axhline(-drop, color=style.REFERENCE, linewidth=1, linestyle="--")
    at_limits = np.interp([low, high], values, heights)  # a limit may be the end of the range
    ax.plot([low, high], at_limits, "o", color=look.color, gid="limits")
    style.reference_line(ax, x=estimate)
    ax.set_ylim(top=0.05 * drop)
    kind = "restricted log-likelihood" if model.problem.reml else "log-likelihood"
    limits = " to ".join(with_digits([low, high], high - low, 3)).replace("-", "−")
    return style.label_axes(
        ax, term, f"{kind} below its maximum", f"{percent(level)} interval {limits}"
    )
