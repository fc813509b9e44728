"""Differences that would lose their digits if the two terms were computed apart.

The densities are written around their saddle point (Loader 2000, *Fast and accurate computation of
binomial probabilities*): Stirling's formula with its exact error, and deviances, all of the size of
the result. So they keep their digits when a dispersion or a count is very large.
"""

from __future__ import annotations

import numpy as np
from scipy import special

Array = np.ndarray
_NEAR = 0.01  # beyond, the plain difference has lost two digits
_LARGE = 20.0  # from here on the asymptotic series are exact to rounding
_SHIFT = 12  # the same for the longer ones of `polygammas`; even
_PAIRS = np.array([[k * (_SHIFT - 1 - k)] for k in range(_SHIFT // 2)], float)
_IN_CACHE = 8192  # numbers whose steps stay there
_FEW, _FAR = 30, 1e4  # counts that are summed one by one, where that loses no digits
_CLOSE_BY = 50.0  # from here, a difference loses no digits, and is as quick for counts of all sizes
_MANY = 2000  # of which the sums cost more than the calls
LOG_TWO_PI = np.log(2 * np.pi)


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
    r = 1 / np.maximum(x, _LARGE)
    s = r * r
    error = r * (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188)))))
    small = x < _LARGE
    if np.any(small):
        near = x[small]
        exact = special.gammaln(near) - (near - 0.5) * np.log(near) + near - 0.5 * LOG_TWO_PI
        error = np.asarray(error)
        error[small] = exact
    return error


def log_less_digamma(x) -> Array:
    """``log x - ψ(x)``"""
    x = np.asarray(x, float)
    return polygammas(x.ravel(), 0)[0].reshape(x.shape)


def polygammas(x, order: int) -> list[Array]:
    """``log x - ψ(x)``, ``ψ'(x)`` and ``ψ''(x)``: those up to this order, for an array x > 0.

    All of them come from one recurrence to x + 12 and the asymptotic series there (Abramowitz &
    Stegun 6.4.6, 6.4.11), at a tenth of the cost of `scipy.special.polygamma`.
    """
    if x.size <= _IN_CACHE:
        return _polygammas(x, order)
    found, flat = np.empty((order + 1, x.size)), x.ravel()
    for first in range(0, x.size, _IN_CACHE):
        part = slice(first, first + _IN_CACHE)
        found[:, part] = _polygammas(flat[part], order)
    return list(found.reshape(order + 1, *x.shape))


def _polygammas(x: Array, order: int) -> list[Array]:
    small = x < _SHIFT
    z = np.where(small, x + _SHIFT, x)
    r = 1 / z
    s = r * r
    found = [_series(s, _DIGAMMA) * s + r / 2]
    if order > 0:
        found.append(r + s / 2 + _series(s, _TRIGAMMA) * s * r)
    if order > 1:
        found.append(-(s + s * r + _series(s, _TETRAGAMMA) * s * s))
    if np.any(small):
        near = x[small]
        # 1/(x + k) + 1/(x + 11 - k) = u/t with t = (x + k)(x + 11 - k) and u = dt/dx = 2x + 11
        u = 2 * near + (_SHIFT - 1)
        R = 1 / (near * (near + (_SHIFT - 1)) + _PAIRS)
        first = R.sum(axis=0)
        found[0][small] += np.log(near) - np.log(z[small]) + u * first
        if order > 0:
            power = R * R
            second = power.sum(axis=0)
            found[1][small] += u * u * second - 2 * first
        if order > 1:
            power *= R
            found[2][small] -= 2 * u * (u * u * power.sum(axis=0) - 3 * second)
    return found


_DIGAMMA = (1 / 12, 1 / 120, 1 / 252, 1 / 240, 1 / 132, 691 / 32760, 1 / 12)
_TRIGAMMA = (1 / 6, 1 / 30, 1 / 42, 1 / 30, 5 / 66, 691 / 2730, 7 / 6)
_TETRAGAMMA = (1 / 2, 1 / 6, 1 / 6, 3 / 10, 5 / 6, 691 / 210, 35 / 2)


def _series(s: Array, terms: tuple[float, ...]) -> Array:
    """``t0 - s (t1 - s (t2 - …))``"""
    total = terms[-1] * s
    for term in terms[-2:0:-1]:
        total = (term - total) * s
    return terms[0] - total


def polygamma_steps(x, y, order: int) -> list[Array]:
    """What ``ψ - log``, ``ψ'`` and ``ψ''`` rise from x to x + y, for counts y.

    For few counts they are sums. Beyond x = 1e4 those of ψ' and ψ'' are differences of their series
    term by term, whose first neglected term is below rounding.
    """
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    few = (y <= _FEW) & (x < _FAR)
    if np.all(few):
        return _summed_steps(x, y, order)
    if not np.any(few) or np.max(x, initial=0.0, where=few) < _CLOSE_BY:
        return _long_steps(x, y, order)
    found = [np.empty(x.shape) for _ in range(order + 1)]
    for rows, steps in ((few, _summed_steps), (~few, _long_steps)):
        for whole, part in zip(found, steps(x[rows], y[rows], order), strict=True):
            whole[rows] = part
    return found


def _summed_steps(x: Array, y: Array, order: int) -> list[Array]:
    """Sums over the counts, in blocks that double; counts below a block are left out of it."""
    x, shape, counts = x.ravel(), x.shape, y.ravel()
    sums = [np.zeros(x.size) for _ in range(order + 1)]
    rows = np.flatnonzero(counts > 0)
    first, size = 0, 2 if len(rows) > _MANY else 8
    while len(rows):
        steps = np.arange(first, first + size)[:, None]
        term = power = np.where(steps < counts[rows], 1 / (x[rows] + steps), 0.0)
        for each in sums:
            each[rows] += power.sum(axis=0)
            power = power * term
        first, size = first + size, 2 * size
        rows = rows[counts[rows] > first]
    sums[0] -= np.log1p(counts / x)
    for k, sign in ((1, -1.0), (2, 2.0)):
        if order >= k:
            sums[k] *= sign
    return [each.reshape(shape) for each in sums]


def _long_steps(x: Array, y: Array, order: int) -> list[Array]:
    z = x + y
    less, *others = polygammas(np.stack((x, z)), order)
    found = [less[0] - less[1], *(each[1] - each[0] for each in others)]
    if order == 0 or np.all(x < _FAR):
        return found
    # 1/z - 1/x, 1/z² - 1/x², 1/z³ - 1/x³ and 1/z⁴ - 1/x⁴ as products, so that nothing cancels
    r1 = -y / (x * z)
    r2 = r1 * (1 / z + 1 / x)
    r3 = r1 * (1 / z**2 + 1 / (x * z) + 1 / x**2)
    r4 = r2 * (1 / z**2 + 1 / x**2)
    far = (r1 + r2 / 2 + r3 / 6, -r2 - r3 - r4 / 2)
    for k in range(order):
        found[k + 1] = np.where(x < _FAR, found[k + 1], far[k])
    return found


def log_rising_excess(x, y) -> Array:
    """``log Γ(x + y) - log Γ(x) - y log x``: zero in the limit of large x."""
    z = x + y
    return (
        -z * log_excess(x / z, -y / z)
        - 0.5 * np.log1p(y / x)
        + stirling_error(z)
        - stirling_error(x)
    )
