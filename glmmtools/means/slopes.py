"""Slopes: how much a mean changes with a numeric column, within levels of factors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.families.links import IDENTITY, Link
from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.fitted.wald import two_sided_p
from glmmtools.formula.design import FixedRows
from glmmtools.means.cells import Values
from glmmtools.means.grid import Grid
from glmmtools.means.marginal_means import MarginalMeans, grid_and_options
from glmmtools.shared.arguments import check_arguments, names_of
from glmmtools.shared.tables import beside

Array = np.ndarray
_PART_OF_RANGE = 1e-5  # of the column, on either side


def slopes(
    model: Fit,
    x: str,
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    *,
    weights: str = "equal",
    scale: str = "link",
    level: float = 0.95,
    df: str = "auto",
    empty_cells: str = "refuse",
    effects: str = "population",
    part: str | None = None,
) -> Slopes:
    """Slopes of a numeric column, one for each combination of the levels of some factors.

    Parameters
    ----------
    x : str
        The column. Where the model is not linear in it (``x**2``, splines, ``log(x)``), and on the
        response scale, the slope is that at the mean of x or at the values in `at`.
    by : str or sequence of str, optional
        Factors whose levels have slopes of their own; also numeric columns with values in `at`.
    at, weights, df, empty_cells, part
        As for :meth:`means`.
    scale : {"link", "response"}
        Change of the linear predictor per unit of x; or of the expected response.
    level : float
        Confidence level of the intervals.
    effects : {"population", "marginal"}
        On the response scale, as for :meth:`means`.

    Returns
    -------
    Slopes

    Raises
    ------
    ValueError
        If x is a factor or not in the model, and as :meth:`means`.

    Notes
    -----
    The derivative is a central difference over 2e-5 of the range of x. With ``scale="response"``
    the standard errors are by the delta method. All this is as R's emtrends.

    Examples
    --------
    >>> import glmmtools as gt
    >>> cake = gt.load_data("cake")
    >>> m = gt.fit("angle ~ recipe * temperature + (1 | recipe:replicate)", cake, reml=True)
    >>> m.slopes("temperature", by="recipe").frame[["recipe", "estimate", "std_error"]].round(3)
      recipe  estimate  std_error
    0      A     0.154      0.028
    1      B     0.165      0.028
    2      C     0.156      0.028
    """
    check_arguments(slopes, locals())
    require_converged(model, "slopes need")
    within, at = names_of("by", by), dict(at or {})
    averaged = {"weights": weights, "scale": scale, "empty_cells": empty_cells, "effects": effects}
    grid, options = grid_and_options(model, within, (), at, part, df, **averaged)
    is_factor = isinstance(x, str) and x in grid.factors
    if not isinstance(x, str) or x not in grid.rows or is_factor:
        numeric = [name for name in grid.rows if name not in grid.factors]
        raise ValueError(
            f"slopes are of a numeric column of the model, and {x!r:.60} is "
            f"{'a factor' if is_factor else 'not in it'}. Numeric columns: "
            f"{', '.join(numeric) or 'none'}"
        )
    return Slopes(grid, x, within, level=level, **options)


class Slopes(MarginalMeans):
    """Slopes of a numeric column, made by ``model.slopes(...)``.

    Attributes
    ----------
    frame : DataFrame
        The columns of `by` and ``estimate, std_error, df, statistic, p_value, conf_low,
        conf_high``; the tests are against 0.
    x : str
        The column.
    L : ndarray, shape (slopes, coefficients)
        Each slope on the link scale is a row of L times the coefficients, plus `offset`.
    """

    noun = "slopes"

    def __init__(self, grid: Grid, x: str, by: tuple[str, ...], level: float, **options: Any):
        self.x = x
        values = grid.rows[x].to_numpy(float)
        observed = grid.data[x].to_numpy(float)
        low, high = observed.min(), observed.max()
        step = _PART_OF_RANGE * (high - low or 1.0)
        # a spline has no value outside the data
        inside = (values >= low) & (values <= high)
        above = np.where(inside, np.minimum(values + step, max(high, low + step)), values + step)
        below = np.where(inside, np.maximum(values - step, low), values - step)
        rows = (grid.rows.assign(**{x: each}) for each in (above, below))
        self._sides = [(each, grid.fixed_rows(each)) for each in rows]
        self._width = above - below
        super().__init__(grid, by, (), level=level, **options)
        self.numbers = self._numbers(0.0)

    @property
    def link(self) -> Link:
        return IDENTITY

    def tests(self, null: float = 0.0) -> pd.DataFrame:
        """Test each slope against a value.

        Returns
        -------
        DataFrame
            As `frame`.
        """
        return beside(self.labels, self._numbers(null))

    def _numbers(self, null: float) -> pd.DataFrame:
        statistic = (self.eta - null) / self.std_error
        p_value = two_sided_p(statistic, self.df)
        tests = self.numbers.assign(statistic=statistic, p_value=p_value)
        return tests[["estimate", "std_error", "df", "statistic", "p_value", "conf_low",
                      "conf_high"]]  # fmt: skip

    def _rows(self) -> FixedRows:
        above, below = (fixed for _, fixed in self._sides)
        return FixedRows(*(self._per_unit(a - b) for a, b in zip(above, below, strict=True)))

    def _per_unit(self, differences: Array) -> Array:
        """Differences between the rows above and below, by row, per unit of x."""
        return (differences.T / self._width).T

    def _expected(self, fixed: FixedRows, average: Callable[[Array], Array]) -> Values | None:
        if self.scale == "link":
            return None
        above, below = (self.expected_on(*side) for side in self._sides)
        if self.model.link.is_identity and not above.need_all_parameters(self.model):
            return None

        def combine(values: Array) -> Array:
            return average(self._per_unit(values))

        slopes = combine(above.means(self.model) - below.means(self.model))
        if above.need_all_parameters(self.model):
            spread = above.spread(self.model, combine) - below.spread(self.model, combine)
            return Values(slopes, spread @ spread.T)
        changes = [each.slopes_in_coefficients(self.model, combine) for each in (above, below)]
        return Values(slopes, self.model.estimate.combined_covariance(changes[0] - changes[1]))

    def title(self) -> str:
        within = f" within {' × '.join(self.factors)}" if self.factors else ""
        return f"Slopes of {self.x}{within}: {self.axis_label()}"

    def axis_label(self) -> str:
        return f"change in the {self.quantity()} per unit of {self.x}"

    def _scale_notes(self) -> list[str]:
        return []

    def _interactions(self) -> list[str]:
        return []

    def describe(self) -> str:
        """Say in English what these slopes are, and what they are averaged over."""
        return "\n".join([f"{self.title()}.", *self.notes()])
