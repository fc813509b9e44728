"""Observed responses against the fitted conditional means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.shared import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_fit(model: Fit, ax: Axes | None = None) -> Axes:
    """Draw the observations against their fitted conditional means, with the identity line.

    Proportions for binomial families, larger for more trials. A single 0/1
    response has no spread to look at; its picture is that of ``plot_effects``.

    Parameters
    ----------
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    >>> m.plot_fit().get_ylabel()
    'observed reaction'
    """
    require_converged(model, "a plot of the fit needs")
    design, ax = model.problem.design, style.new_axes(ax, (4.8, 4.4))
    trials = np.ones(design.n) if design.trials is None else design.trials
    observations, fitted = design.y / trials, model.fittedvalues.to_numpy()
    sizes = 12 + 60 * trials / trials.max() if trials.max() > 1 else 18
    ax.scatter(
        fitted, observations, s=sizes, facecolors="none", edgecolors=style.SERIES[0].color,
        linewidths=0.9, alpha=0.8, zorder=2,
    )  # fmt: skip
    ends = [min(fitted.min(), observations.min()), max(fitted.max(), observations.max())]
    ax.plot(ends, ends, color=style.DATA, linewidth=1, zorder=1, label="identity")
    kind = "probability" if model.family.takes_trials else "mean"
    given = ", given the random effects" if model.n_groups else ""
    return style.label_axes(
        ax, f"fitted {kind}{given}", f"observed {model.problem.design.response.label}"
    )
