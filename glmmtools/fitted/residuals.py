"""Residuals from the fitted conditional means."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit


def resid(model: Fit, kind: str = "response") -> pd.Series:
    """Residuals from the fitted conditional means.

    Parameters
    ----------
    kind : {"response", "pearson"}
        Observed minus fitted (proportions for binomial families), or that divided by the
        standard deviation that the model gives the observation.
    """
    design, mu = model.problem.design, model.fittedvalues.to_numpy()
    trials = 1 if design.trials is None else design.trials
    if kind == "response":
        return model.by_row(design.y / trials - mu, "resid")
    if kind == "pearson":
        p = model.extra_zero_probability()
        inner = mu / (1 - p)  # the mean of the counts that are not extra zeros
        variance = model.family.variance(inner, **model.shape_by_row, **model.problem.trials)
        variance = (1 - p) * (variance + p * inner**2)
        if design.weights is not None:
            variance = variance / design.weights
        return model.by_row((design.y - trials * mu) / np.sqrt(variance), "resid")
    raise ValueError(f"unknown kind of residual {kind!r}. Valid kinds: response, pearson")
