"""Differences that would lose their digits if the two terms were computed apart.

The densities are written around their saddle point (Loader 2000, *Fast and accurate computation of
binomial probabilities*): Stirling's formula with its exact error, and deviances, all of the size of
the result. So they keep their digits when a dispersion or a count is very large.
"""

from __future__ import annotations

import numpy as np
from scipy import special

__all__ = ["log_excess", "log_less_digamma", "log_ratio", "log_rising_excess", "stirling_error"]

Array = np.ndarray
_NEAR = 0.01  # beyond, the plain difference has lost two digits
_LARGE = 20.0  # from here on the asymptotic series are exact to rounding
_HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


def log_excess(ratio, difference) -> Array:
    """``log(ratio) - difference`` for ``difference = ratio - 1``, to 13 digits or more.

    Both are given, because each is exact where the other is not.

    Examples
    --------
    >>> f"{float(log_excess(1 + 1e-9, 1e-9)):.8g}"
    '-5e-19'
    """
    ratio, difference = np.asarray(ratio, float), np.asarray(difference, float)
    near = np.abs(difference) < _NEAR
    # log(1 + x) = 2 artanh(r) with r = x / (2 + x), and 2 r - x = -x r
    x = np.where(near, difference, 0.0)
    r = x / (2 + x)
    square = r * r
    series = square * (2 / 3 + square * (2 / 5 + square * (2 / 7)))
    return np.where(near, r * (series - x), _log(ratio, near) - difference)


def _log(ratio: Array, near: Array) -> Array:
    return special.xlogy(1.0, np.where(near, 1.0, ratio))  # -inf at 0 without a warning


def log_ratio(ratio, difference) -> Array:
    """``log(ratio)`` for ``difference = ratio - 1``: of both, the one that is exact is used."""
    near = np.abs(difference) < _NEAR
    return np.where(near, np.log1p(np.where(near, difference, 0.0)), _log(ratio, near))


def stirling_error(x) -> Array:
    """``log Γ(x)`` less Stirling's formula ``(x - ½) log x - x + ½ log 2π``."""
    x = np.asarray(x, float)
    near, far = np.minimum(x, _LARGE), np.maximum(x, _LARGE)
    r = 1 / far
    s = r * r
    series = r * (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188)))))
    exact = special.gammaln(near) - (near - 0.5) * np.log(near) + near - _HALF_LOG_TWO_PI
    return np.where(x < _LARGE, exact, series)


def log_less_digamma(x) -> Array:
    """``log x - ψ(x)`` (Abramowitz & Stegun 6.3.18 for large x)."""
    x = np.asarray(x, float)
    near, far = np.minimum(x, _LARGE), np.maximum(x, _LARGE)
    r = 1 / far
    s = r * r
    series = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132)))))
    return np.where(x < _LARGE, np.log(near) - special.digamma(near), r / 2 + series)


def log_rising_excess(x, y) -> Array:
    """``log Γ(x + y) - log Γ(x) - y log x``: zero in the limit of large x."""
    z = x + y
    return (
        -z * log_excess(x / z, -y / z)
        - 0.5 * np.log1p(y / x)
        + stirling_error(z)
        - stirling_error(x)
    )
