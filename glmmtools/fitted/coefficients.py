"""The fixed effects with their standard errors, degrees of freedom, tests and Wald intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.fitted.wald import t_quantile

Array = np.ndarray


def cov_params(model: Fit) -> pd.DataFrame:
    """Covariance matrix of the fixed effects."""
    names = list(model.problem.design.names)
    return pd.DataFrame(model.estimate.cov_beta, index=names, columns=names)


def wald_intervals(model: Fit, level: float = 0.95) -> pd.DataFrame:
    """Wald intervals of the fixed effects: Student's t where the degrees of freedom are finite."""
    half = t_quantile(level, model.estimate.df) * model.bse
    return pd.DataFrame({"conf_low": model.params - half, "conf_high": model.params + half})


def tidy(model: Fit, level: float = 0.95) -> pd.DataFrame:
    """Return the fixed effects as one table.

    Returns
    -------
    DataFrame
        Indexed by coefficient; columns ``estimate, std_error, df, statistic, p_value, conf_low,
        conf_high``. ``df`` is infinite for z tests.
    """
    table = pd.DataFrame({"estimate": model.params, "std_error": model.bse})
    table["df"], table["statistic"] = model.estimate.df, model.params / model.bse
    table["p_value"] = model.pvalues
    return table.join(wald_intervals(model, level)).rename_axis("term")


def contrast_df(model: Fit, contrasts: Array) -> Array:
    """Degrees of freedom of tests of linear combinations of the fixed effects.

    Satterthwaite's for linear mixed models, the residual ones for least squares, infinite (z)
    for all others.

    Parameters
    ----------
    contrasts : array_like, shape (m, p)
        Coefficients on the fixed effects, one combination a row.
    """
    contrasts = np.atleast_2d(np.asarray(contrasts, float))
    finite = np.isfinite(model.estimate.df)
    if finite.any() and model.problem.design.random:
        return model.satterthwaite.df(contrasts)
    df = model.estimate.df[0] if finite.any() else np.inf
    return np.full(len(contrasts), df)
