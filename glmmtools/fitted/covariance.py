"""Var(y) as a fitted model implies it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.formula.linear_predictor import marginal_covariance

Array = np.ndarray


_MOST_ROWS = 500


def covariance(model: Fit, rows: Any = None) -> pd.DataFrame:
    """Covariance matrix of the observations that the model implies.

    For normal models with identity link ``Var(y) = Z G Zᵀ + R``, in squared units of the response;
    for all others ``Z G Zᵀ``, the covariance of the linear predictors (link scale), because there
    the variance of the response depends on its mean.

    Parameters
    ----------
    rows : slice, list of int or boolean array, optional
        Positions of rows among those of the fit; default all, where they are 500 at most.

    Returns
    -------
    DataFrame, shape (rows, rows)
        Rows and columns carry the index of the data.

    Raises
    ------
    ValueError
        If there are more than 500 rows, a row that does not exist, or the fit did not converge.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (1 | subject)", gt.load_data("sleep"), reml=True)
    >>> m.covariance([0, 1, 10]).round(0)
            0       1       10
    0   2339.0  1378.0     0.0
    1   1378.0  2339.0     0.0
    10     0.0     0.0  2339.0
    """
    require_converged(model, "covariance() needs")
    positions = rows_at(model, rows)
    if len(positions) > _MOST_ROWS:
        raise ValueError(
            f"the covariance matrix of {len(positions)} rows is too large to look at (the most is "
            f"{_MOST_ROWS}); choose some, such as rows=slice(0, 60)"
        )
    estimates = model.estimate.terms
    total = np.zeros((len(positions), len(positions))) + marginal_covariance(
        model.problem.design.random,
        [term.covariance for term in estimates],
        [term.correlation for term in estimates],
        positions,
    )
    if model.is_linear:
        phi = np.broadcast_to(model.row_parameters["phi"], model.nobs)
        total[np.diag_indices_from(total)] += phi[positions]
    index = model.problem.design.frame.index[positions]
    return pd.DataFrame(total, index=index, columns=index)


def rows_at(model: Fit, rows: Any) -> Array:
    """Positions of rows of the fit, from a slice, positions or a boolean array."""
    everything = np.arange(model.nobs)
    if rows is None:
        return everything
    try:
        index = rows if isinstance(rows, slice) else np.asarray(rows)
        return np.atleast_1d(everything[index])
    except IndexError:
        raise ValueError(
            f"rows are a slice, positions from 0 to {model.nobs - 1}, or one boolean for each of "
            f"the {model.nobs} rows of the fit; got {rows!r}"
        ) from None
