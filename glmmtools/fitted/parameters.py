"""The parameters of a fit: the coefficients with tests and intervals, and all of them by name."""

from __future__ import annotations

import pandas as pd

from glmmtools.fitted.degrees_of_freedom import reference
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.random_tables import component_values
from glmmtools.fitted.wald import t_quantile, two_sided_p


def cov_params(model: Fit) -> pd.DataFrame:
    """Covariance matrix of the fixed effects."""
    names = list(model.design.names)
    return pd.DataFrame(model.estimate.cov_beta, index=names, columns=names, copy=True)


def wald_intervals(model: Fit, level: float = 0.95, df: str = "auto") -> pd.DataFrame:
    """Wald intervals of the fixed effects: Student's t where the degrees of freedom are finite."""
    std_error, df = reference(model, df).by_coefficient
    half = t_quantile(level, df) * std_error
    return pd.DataFrame({"conf_low": model.params - half, "conf_high": model.params + half})


def tidy(model: Fit, level: float = 0.95, df: str = "auto") -> pd.DataFrame:
    """Return the fixed effects as one table.

    Parameters
    ----------
    level : float
        Confidence level of the intervals.
    df : {"auto", "containment", "satterthwaite", "kenward-roger", "infinite"}
        Degrees of freedom. "auto": Satterthwaite's for linear mixed models, the residual ones for
        least squares, infinite (z) for all others. "containment" goes by the layout, for every
        family: a treatment of 8 farms has 6, however many animals a farm has. "kenward-roger" is
        for linear mixed models fitted by REML, and has standard errors of its own.

    Returns
    -------
    DataFrame
        Indexed by coefficient; columns ``estimate, std_error, df, statistic, p_value, conf_low,
        conf_high``. ``df`` is infinite for z tests.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> m.tidy(df="containment")["df"].tolist()
    [14.0, 38.0, 38.0, 38.0]
    """
    intervals = wald_intervals(model, level, df)
    std_error, df = reference(model, df).by_coefficient
    table = pd.DataFrame({"estimate": model.params, "std_error": std_error})
    table["df"], table["statistic"] = df, model.params / std_error
    table["p_value"] = two_sided_p(table["statistic"].to_numpy(), df)
    return table.join(intervals).rename_axis("term")


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
