"""The picture of simulated residuals: against uniform, and against the prediction."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmmtools.residuals.tests import QUARTILES, spline_columns
from glmmtools.shared import style
from glmmtools.shared.arguments import check_panels
from glmmtools.shared.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEW_VALUES = 10  # with fewer distinct predictions quartiles are drawn at each, not as curves
_DIGITS = 10  # of their range, in which predictions differ


def plot_residuals(
    residuals: pd.Series, fitted: pd.Series, axes: Sequence[Axes] | None = None
) -> np.ndarray:
    """Draw a QQ plot against uniform, and residuals against the ranked population prediction.

    In a right model the points of the left panel follow the diagonal, and the three lines of the
    right panel, the quartiles of the residuals, lie flat on the thin lines at 0.25, 0.5 and 0.75.

    Parameters
    ----------
    residuals : Series
        One value in (0, 1) a row.
    fitted : Series
        Population predictions of the rows.
    axes : sequence of two Axes, optional

    Returns
    -------
    ndarray of Axes, shape (2,)

    Raises
    ------
    ValueError
        If `axes` are not two.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"))
    >>> simulated = m.simulated_residuals()
    >>> left, right = plot_residuals(simulated.residuals, simulated.fitted)
    >>> right.get_ylabel()
    'residual'
    """
    panels = (
        style.new_panels(1, 2, (9.0, 4.0))[0] if axes is None else np.ravel(np.array(axes, object))
    )
    if len(panels) != 2:
        raise ValueError(f"axes must be two Axes; got {len(panels)}")
    check_panels(panels)
    _draw_quantiles(panels[0], residuals)
    _draw_against_prediction(panels[1], residuals, fitted)
    return panels


def _draw_quantiles(ax: Axes, residuals: pd.Series) -> None:
    n = len(residuals)
    ax.plot([0, 1], [0, 1], color=style.REFERENCE, linewidth=1, zorder=0)
    ax.plot((np.arange(n) + 0.5) / n, np.sort(residuals), "o", color=style.INK, markersize=3)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    style.label_axes(ax, "expected (uniform)", "residual", "Residuals against uniform")


def _draw_against_prediction(ax: Axes, residuals: pd.Series, fitted: pd.Series) -> None:
    levels = (fitted / np.ptp(fitted) if np.ptp(fitted) > 0 else fitted).round(_DIGITS)
    rank = levels.rank().to_numpy()
    spread = np.ptp(rank)
    x = (rank - rank.min()) / spread if spread > 0 else np.full(len(rank), 0.5)
    for quartile in QUARTILES:
        style.reference_line(ax, y=quartile)
    size, alpha = 3 * np.sqrt(style.point_area(len(x))), min(0.6, style.points(len(x))["alpha"])
    ax.plot(x, residuals, "o", color=style.DATA, markersize=size, alpha=alpha)
    for number, quartile in reversed(tuple(enumerate(QUARTILES))):  # as they lie, highest first
        color, marker, linestyle = style.series(number)
        at, height = _quantile_curve(x, residuals.to_numpy(), quartile)
        ax.plot(
            at, height, linestyle=linestyle, color=color, linewidth=2,
            marker=marker if len(at) < _FEW_VALUES else None, label=f"{quartile:g}",
        )  # fmt: skip
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    values = levels.nunique()
    few = f" ({plural(values, 'value')})" if values < _FEW_VALUES else ""
    style.label_axes(
        ax, f"population prediction, ranks{few}", "residual", "Quartiles by prediction"
    )
    style.legend_outside(ax, "quartile")


def _quantile_curve(x: np.ndarray, y: np.ndarray, quartile: float) -> tuple:
    """Quantile regression on a cubic B-spline; the quantile at each x where these are few."""
    distinct = np.unique(x)
    if len(distinct) < _FEW_VALUES:
        return distinct, np.array([np.quantile(y[x == value], quartile) for value in distinct])
    from statsmodels.regression.quantile_regression import QuantReg
    from statsmodels.tools.sm_exceptions import IterationLimitWarning

    grid = np.linspace(0, 1, 101)
    with warnings.catch_warnings():
        # the algorithm may circle around the optimum of a few points; the curve is as good
        warnings.simplefilter("ignore", IterationLimitWarning)
        fit = QuantReg(y, spline_columns(x)).fit(quartile)
    return grid, np.clip(spline_columns(grid) @ fit.params, 0, 1)
