"""Quantiles and p-values of t tests, whose degrees of freedom may be infinite (z)."""

from __future__ import annotations

import numpy as np
from scipy import special

from glmmtools.shared.arguments import check_level

Array = np.ndarray


def t_quantile(level: float, df: Array) -> Array:
    check_level(level)
    probability = 0.5 + level / 2
    return np.where(
        np.isinf(df), special.ndtri(probability), special.stdtrit(np.minimum(df, 1e10), probability)
    )


def limits(eta: Array, std_error: Array, df: Array, level: float, link=None) -> dict[str, Array]:
    """Estimates, standard errors, df and limits by name; with a `link` on the response scale."""
    half = t_quantile(level, df) * std_error
    low, high = eta - half, eta + half
    if link is not None:
        with np.errstate(invalid="ignore"):  # where eta is infinite
            std_error = np.abs(link.derivatives(eta)[0]) * std_error
        low, high = np.sort(link.inverse(np.array([low, high])), axis=0)
        eta = link.inverse(eta)
    return {"estimate": eta, "std_error": std_error, "df": df, "conf_low": low, "conf_high": high}


def two_sided_p(statistic: Array, df: Array) -> Array:
    size = np.abs(statistic)
    return 2 * np.where(
        np.isinf(df), special.ndtr(-size), special.stdtr(np.minimum(df, 1e10), -size)
    )
