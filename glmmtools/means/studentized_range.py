"""The studentized range, for many statistics at once.

SciPy integrates it anew for each statistic, at 10 ms for a probability and more for a quantile.
Here the distribution of the range of k normal means is tabulated once; what is left for each
statistic is an integral over the estimated standard deviation.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import interpolate, optimize, special

Array = np.ndarray
_Z = np.arange(-10.0, 40.0, 0.1)  # of the largest mean; beyond, its density adds nothing
_WIDTHS = np.arange(0.0, 50.0, 0.02)
_NODES = 480  # of the trapezoid rule in log s, which is as good as exact for such integrands
_NEGLIGIBLE = 1e-14  # probability of s beyond the nodes


class StudentizedRange:
    """Range of k standard normal variables over an independent estimate s of their sd.

    Parameters
    ----------
    k : int

    Notes
    -----
    ``P(range > w) = k ∫ φ(z) [Φ(z)^(k-1) - (Φ(z) - Φ(z - w))^(k-1)] dz``, and ``ν s²`` is
    chi-squared with ν degrees of freedom (Lund & Lund 1983, *Algorithm AS 190*, Appl. Stat.
    32:204).
    """

    def __init__(self, k: int):
        self.k = k
        density = k * np.exp(-0.5 * _Z**2) / np.sqrt(2 * np.pi)
        below = special.log_ndtr(_Z)
        others = np.exp((k - 1) * below)
        tail = []
        for width in _WIDTHS:
            ratio = np.minimum(np.exp(special.log_ndtr(_Z - width) - below), 1.0)
            with np.errstate(divide="ignore"):
                all_inside = (k - 1) * np.log1p(-ratio)
            tail.append(np.sum(density * others * -np.expm1(all_inside)) * (_Z[1] - _Z[0]))
        self._log_tail = interpolate.CubicSpline(_WIDTHS, np.log(tail))

    def _tail(self, width: Array) -> Array:
        return np.exp(np.minimum(self._log_tail(np.minimum(width, _WIDTHS[-1])), 0.0))

    def sf(self, q: Array, df: Array) -> Array:
        """P(studentized range > q), elementwise; `df` may be infinite."""
        q, df = np.broadcast_arrays(np.asarray(q, float), np.asarray(df, float))
        finite = np.isfinite(df)
        found = self._tail(q)
        if np.any(finite):
            found[finite] = self._integrated(q[finite, None], df[finite, None])
        return found

    def _integrated(self, q: Array, df: Array) -> Array:
        ends = (special.chdtri(df, p) for p in (1 - _NEGLIGIBLE, _NEGLIGIBLE))
        low, high = (0.5 * np.log(end / df) for end in ends)
        step = (high - low) / (_NODES - 1)
        log_s = low + step * np.arange(_NODES)
        half = df / 2
        log_density = (
            np.log(2) + half * np.log(half) - special.gammaln(half)
            + df * log_s - half * np.exp(2 * log_s)
        )  # fmt: skip
        return (step * np.exp(log_density) * self._tail(q * np.exp(log_s))).sum(axis=1)

    def isf(self, p: float, df: Array) -> Array:
        """The q that a range exceeds with probability p, elementwise."""
        unique, which = np.unique(df, return_inverse=True)
        one_pair, all_pairs = (
            np.log(np.sqrt(2) * special.stdtrit(unique, 1 - p / (2 * pairs)))
            for pairs in (1, self.k * (self.k - 1) / 2)
        )
        log_q = optimize.newton(
            lambda log_q: np.log(self.sf(np.exp(log_q), unique) / p),
            0.9 * one_pair + 0.1 * all_pairs - 0.01, x1=all_pairs, tol=1e-10,
        )  # fmt: skip
        return np.exp(log_q)[which]


@lru_cache(maxsize=8)
def studentized_range(k: int) -> StudentizedRange:
    """The distribution for k means, tabulated once."""
    return StudentizedRange(k)
