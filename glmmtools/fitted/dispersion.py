"""The dispersion of a fit by name: shape parameters, coefficients of what is modelled."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.problem import Problem


def dispersion(problem: Problem, estimate: Estimate) -> pd.Series:
    """The values of :attr:`Fit.dispersion`."""
    values = {**problem.family.fixed, **estimate.shape}
    if problem.family.has_residual_variance and "phi" in values:
        values = {"residual sd": np.sqrt(values["phi"]), **values}
    for name, part in (("phi", problem.dispersion), ("zero", problem.zero)):
        if part is None:
            continue
        coefficients = estimate.predictors[name]
        if name == "zero" and part.names == ("Intercept",):
            values["zero"] = special.expit(coefficients[0])
            continue
        link_name = "log phi" if name == "phi" else "logit zero"
        values |= {
            f"{link_name}: {column}": value
            for column, value in zip(part.names, coefficients, strict=True)
        }
    return pd.Series(values, name="dispersion", dtype=float)


def further_dispersion(problem: Problem, estimate: Estimate) -> pd.Series:
    """The dispersion without what the variance components show."""
    hidden = ["residual sd", "phi"] if problem.family.has_residual_variance else []
    return dispersion(problem, estimate).drop(hidden, errors="ignore")
