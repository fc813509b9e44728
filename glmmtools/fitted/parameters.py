"""The parameters of a fit: the coefficients with tests and intervals, and all of them by name."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.fitted.random_tables import component_values
from glmmtools.fitted.wald import t_quantile


def cov_params(model: Fit) -> pd.DataFrame:
    """Covariance matrix of the fixed effects."""
    names = list(model.design.names)
    return pd.DataFrame(model.estimate.cov_beta, index=names, columns=names, copy=True)


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


def contrast_df(model: Fit, contrasts: np.ndarray) -> np.ndarray:
    """Degrees of freedom of tests of linear combinations of the fixed effects.

    Satterthwaite's for linear mixed models, the residual ones for least squares, infinite (z)
    for all others.

    Parameters
    ----------
    contrasts : array_like, shape (m, p)
        Coefficients on the fixed effects, one combination a row.
    """
    contrasts = np.atleast_2d(np.asarray(contrasts, float))
    if has_satterthwaite(model):
        return model.satterthwaite.df(contrasts)
    df = model.estimate.df
    return np.full(len(contrasts), df[0] if np.isfinite(df).any() else np.inf)


def has_satterthwaite(model: Fit) -> bool:
    """Whether the degrees of freedom are Satterthwaite's, one for each contrast."""
    return bool(np.isfinite(model.estimate.df).any() and model.design.random)


def parameters(model: Fit, fixed: bool = False) -> pd.Series:
    """Return coefficients, sds and correlations of the random effects, and shape parameters.

    Those that the family was given, as the df of ``family("t", df=8)``, only if `fixed`.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"))
    >>> list(parameters(m).index)[2:]
    ['sd subject Intercept', 'sd subject days', 'corr subject Intercept, days', 'residual sd']
    """
    values = dict(model.params)
    values |= component_values(model.design.random, *model.effect_covariances)
    # the residual sd says the same
    hidden = ["phi"] if model.family.has_residual_variance else []
    hidden += [] if fixed else list(model.family.fixed)
    values |= dict(model.dispersion.drop(hidden, errors="ignore"))
    return pd.Series(values, dtype=float)
