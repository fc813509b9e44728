"""Confidence intervals of a fit by one of three methods."""

from __future__ import annotations

from typing import Any

import pandas as pd

from glmmtools.fitted.coefficients import wald_intervals
from glmmtools.fitted.fit import Fit
from glmmtools.inference.bootstrap import bootstrap
from glmmtools.inference.profile import profile_intervals
from glmmtools.shared.arguments import check_level, one_of


def conf_int(model: Fit, level: float = 0.95, method: str = "wald", **options: Any) -> pd.DataFrame:
    """Confidence intervals.

    Parameters
    ----------
    level : float
        Strictly between 0 and 1.
    method : {"wald", "profile", "bootstrap"}
        Wald intervals of the fixed effects (Student's t where the degrees of freedom are
        finite); or, of all parameters, variances included, profile-likelihood intervals, or
        percentiles of a parametric bootstrap.
    **options
        With ``method="bootstrap"``: those of :meth:`bootstrap`, such as ``n`` and ``n_jobs``.

    Returns
    -------
    DataFrame
        Columns ``conf_low`` and ``conf_high``; by profile or bootstrap also ``estimate``.
    """
    one_of("method", method, ("wald", "profile", "bootstrap"))
    if options and method != "bootstrap":
        raise ValueError(f"{', '.join(options)}: options of method='bootstrap', not {method!r}")
    check_level(level)
    if method == "profile":
        return profile_intervals(model, level)
    if method == "bootstrap":
        return bootstrap(model, **options).conf_int(level)
    return wald_intervals(model, level)
