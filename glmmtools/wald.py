"""Quantiles and p-values of t tests, whose degrees of freedom may be infinite (z)."""

from __future__ import annotations

import numpy as np
from scipy import special

__all__ = ["check_level", "t_quantile", "two_sided_p"]

Array = np.ndarray


def check_level(level: float, name: str = "level") -> None:
    if not 0 < level < 1:
        hint = f". Use {level / 100:g}" if 1 < level < 100 else ""
        raise ValueError(f"{name} must lie strictly between 0 and 1; got {level:g}{hint}")


def t_quantile(level: float, df: Array) -> Array:
    check_level(level)
    probability = 0.5 + level / 2
    return np.where(
        np.isinf(df), special.ndtri(probability), special.stdtrit(np.minimum(df, 1e10), probability)
    )


def two_sided_p(statistic: Array, df: Array) -> Array:
    size = np.abs(statistic)
    return 2 * np.where(
        np.isinf(df), special.ndtr(-size), special.stdtr(np.minimum(df, 1e10), -size)
    )
