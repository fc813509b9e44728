"""The parameters of a model by name, and its random effects as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.fitted.random_tables import component_values

Array = np.ndarray


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
    parts = model.estimate.terms
    values |= component_values(
        model.problem.design.random,
        [part.covariance for part in parts],
        [part.correlation for part in parts],
    )
    # the residual sd says the same
    hidden = ["phi"] if model.family.has_residual_variance else []
    hidden += [] if fixed else list(model.family.fixed)
    values |= dict(model.dispersion.drop(hidden, errors="ignore"))
    return pd.Series(values, dtype=float)
