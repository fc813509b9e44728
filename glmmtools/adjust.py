"""Families of contrasts: their weights, the adjustment for their number, and compact letters."""

from __future__ import annotations

import string
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np
from scipy import special

from glmmtools._text import listed, nearest
from glmmtools.wald import t_quantile, two_sided_p

__all__ = [
    "ADJUSTMENTS",
    "METHODS",
    "adjusted_p",
    "compact_letters",
    "contrast_weights",
    "critical_values",
]

Array = np.ndarray

ADJUSTMENTS = ("none", "tukey", "sidak", "bonferroni", "holm", "fdr", "mvt")
METHODS = {
    "pairwise": "tukey",
    "trt.vs.ctrl": "mvt",
    "consecutive": "mvt",
    "poly": "none",
}  # each with the adjustment that it gets where none is named

_DEGREES = ("linear", "quadratic", "cubic", "quartic", "degree 5", "degree 6")
_INFINITE_DF = 1e8
_NODES = 160
_SAMPLE, _KEPT = 2**16, 2**11


# ------------------------------------------------------------------------------ weights


def contrast_weights(
    method: str | Mapping[str, Any], labels: list[str], sign: str = "-", reference: Any = None
) -> dict[str, Array]:
    """Weights of each contrast on the means of one family.

    Parameters
    ----------
    method : str or mapping
        One of ``pairwise, trt.vs.ctrl, consecutive, poly``; or name to weights, which are a
        sequence in the order of `labels` or a mapping of label to weight.
    labels : list of str
        The means, in order.
    sign : {"-", "/"}
        What joins two labels in the name of a comparison.
    reference : optional
        Label of the control of ``trt.vs.ctrl``; default the first.

    Returns
    -------
    dict
        Name to ndarray of shape (len(labels),).

    Examples
    --------
    >>> {k: v.tolist() for k, v in contrast_weights("poly", ["0", "1", "2"]).items()}
    {'linear': [-1.0, 0.0, 1.0], 'quadratic': [1.0, -2.0, 1.0]}
    """
    k = len(labels)
    if k < 2:
        raise ValueError(
            f"a contrast needs at least two means; there is {listed(labels) or 'none'}"
        )
    if isinstance(method, Mapping):
        return {str(name): _custom(name, given, labels) for name, given in method.items()}
    if method not in METHODS:
        raise ValueError(
            f"method must be one of {', '.join(METHODS)}, or a dict of name to weights; "
            f"got {method!r}{nearest(method, METHODS)}"
        )
    if reference is not None and method != "trt.vs.ctrl":
        raise ValueError(f"reference= is for method='trt.vs.ctrl'; got method={method!r}")
    if method == "poly":
        return dict(zip(_DEGREES, _polynomials(k), strict=False))
    if method == "pairwise":
        pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
    elif method == "consecutive":
        pairs = [(i + 1, i) for i in range(k - 1)]
    else:
        control = 0 if reference is None else _place(reference, labels, "reference")
        pairs = [(i, control) for i in range(k) if i != control]
    unit = np.eye(k)
    return {f"{labels[i]} {sign} {labels[j]}": unit[i] - unit[j] for i, j in pairs}


def _place(label: Any, labels: list[str], what: str) -> int:
    if str(label) not in labels:
        raise ValueError(
            f"{what} {label!r} is not one of the means{nearest(label, labels)}. "
            f"Means: {listed(labels, 12)}"
        )
    return labels.index(str(label))


def _custom(name: str, given: Any, labels: list[str]) -> Array:
    weights = np.zeros(len(labels))
    if isinstance(given, Mapping):
        for label, value in given.items():
            weights[_place(label, labels, f"in the contrast {name!r},")] = value
    else:
        given = np.asarray(given, float)
        if given.shape != weights.shape:
            raise ValueError(
                f"the contrast {name!r} needs {len(labels)} weights, one for each of "
                f"{listed(labels, 12)}; got {given.size}"
            )
        weights = given
    if not np.isfinite(weights).all() or not weights.any():
        raise ValueError(f"the contrast {name!r} needs finite weights, not all of them zero")
    return weights


def _polynomials(k: int) -> list[Array]:
    """Orthogonal polynomials on k equally spaced levels, in whole numbers as tables print them."""
    powers = np.vander(np.arange(k) - (k - 1) / 2, min(k, len(_DEGREES) + 1), increasing=True)
    found = []
    for column in np.linalg.qr(powers)[0].T[1:]:
        column = column * np.sign(column[-1])
        column = column / np.abs(column[np.abs(column) > 1e-8]).min()
        multiple = next((m for m in range(1, 61) if _whole(m * column)), 1)
        found.append(np.round(multiple * column, 9) + 0.0)
    return found


def _whole(values: Array) -> bool:
    return bool(np.allclose(values, np.round(values), atol=1e-8))


# ------------------------------------------------------------------------------ adjustment


def adjusted_p(statistic: Array, df: Array, correlation: Array, adjust: str, n_means: int) -> Array:
    """Two-sided p-values of one family of contrasts, adjusted for their number.

    Parameters
    ----------
    statistic, df : ndarray, shape (m,)
        Estimate over standard error, and its degrees of freedom (may be infinite).
    correlation : ndarray, shape (m, m)
        Of the estimates of the contrasts; may be singular. Used by "mvt".
    adjust : str
        One of `ADJUSTMENTS`. "tukey" is exact for all pairs of equally precise independent means
        and slightly conservative otherwise (Kramer 1956; Hayter 1984); "mvt" is exact for any
        correlation, to the 1e-3 of its quasi-Monte Carlo sample.
    n_means : int
        Number of means that are compared. Used by "tukey".

    Returns
    -------
    ndarray, shape (m,)

    Examples
    --------
    >>> p = adjusted_p(np.array([2.0, 3.0]), np.full(2, np.inf), np.eye(2), "bonferroni", 3)
    >>> p.round(4).tolist()
    [0.091, 0.0054]
    """
    raw = two_sided_p(statistic, df)
    if adjust == "none" or len(raw) == 1:
        return raw
    size = np.abs(statistic)
    if adjust == "tukey":
        p = [1 - _range_cdf(t, each, n_means) for t, each in zip(size, df, strict=True)]
        return np.clip(p, raw, 1)
    if adjust == "mvt":
        largest = _LargestOf(correlation)
        p = [1 - largest.cdf(t, each) for t, each in zip(size, df, strict=True)]
        return np.clip(p, raw, 1)
    from statsmodels.stats.multitest import multipletests

    return multipletests(raw, method={"fdr": "fdr_bh"}.get(adjust, adjust))[1]


def critical_values(
    level: float, df: Array, correlation: Array, adjust: str, n_means: int
) -> Array:
    """Half-widths of simultaneous intervals in standard errors, for each contrast of a family.

    "holm" and "fdr" adjust tests step by step and have no intervals of their own; their intervals
    are Bonferroni's.
    """
    m = len(df)
    single = t_quantile(level, df)
    if adjust == "none" or m == 1:
        return single
    if adjust in ("tukey", "mvt"):
        from scipy.optimize import brentq

        if adjust == "tukey":
            below = partial(_range_cdf, n_means=n_means)
        else:
            below = _LargestOf(correlation).cdf
        unique, first, back = np.unique(np.round(df, 6), return_index=True, return_inverse=True)
        top = t_quantile(1 - (1 - level) / (2 * m), df)
        found = [
            brentq(lambda c, v=v: below(c, v) - level, 0.9 * low, 1.5 * high, xtol=1e-10)
            for v, low, high in zip(unique, single[first], top[first], strict=True)
        ]
        return np.array(found)[back]
    return t_quantile(level ** (1 / m) if adjust == "sidak" else 1 - (1 - level) / m, df)


def _range_cdf(bound: float, df: float, n_means: int) -> float:
    """P(all differences of n means < bound), in standard errors of a difference: Tukey's.

    The double integral of the studentized range by Gauss-Legendre sums: twenty times faster than
    SciPy's, which takes seconds for the pairs of a dozen means.
    """
    nodes, weights = _gauss_legendre()
    z, dz = 8.5 * nodes, 8.5 * weights * np.exp(-0.5 * (8.5 * nodes) ** 2) / np.sqrt(2 * np.pi)
    s, ds = np.ones(1), np.ones(1)
    if df < _INFINITE_DF:  # s is the estimated over the true standard deviation
        low, high = np.sqrt(special.chdtri(df, [1 - 1e-13, 1e-13]) / df)
        s = low + (high - low) * (1 + nodes) / 2
        log_density = (df - 1) * np.log(s) - df * s**2 / 2
        ds = weights * np.exp(log_density - log_density.max())
        ds /= ds.sum()
    spread = special.ndtr(z) - special.ndtr(z - np.sqrt(2) * bound * s[:, None])
    return float(ds @ (n_means * spread ** (n_means - 1) @ dz))


@cache
def _gauss_legendre() -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(_NODES)


class _LargestOf:
    """The distribution of max |T|, T multivariate t with a correlation that may be singular.

    T = r √F u with a direction u in the r dimensions that the contrasts span, and F(r, df): the
    radius is integrated exactly, the direction by a scrambled Sobol sequence. (The distribution
    function of SciPy's multivariate t is wrong for a singular correlation.)
    """

    def __init__(self, correlation: Array):
        from scipy.stats import qmc

        values, vectors = np.linalg.eigh(correlation)
        kept = values > 1e-9 * values.max()
        self.rank = int(kept.sum())
        points = qmc.Sobol(self.rank, seed=0).random(_SAMPLE)
        directions = special.ndtri(np.clip(points, 1e-12, 1 - 1e-12))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        root = vectors[:, kept] * np.sqrt(values[kept])
        parts = np.split(directions, _SAMPLE // _KEPT)  # all contrasts at once are too many numbers
        squares = np.concatenate([np.abs(each @ root.T).max(axis=1) for each in parts]) ** 2
        self.squares = np.sort(squares).reshape(_KEPT, -1).mean(axis=1)

    def cdf(self, bound: float, df: float) -> float:
        reach = bound**2 / self.squares
        below = (
            special.chdtr(self.rank, reach)
            if np.isinf(df)
            else special.fdtr(self.rank, df, reach / self.rank)
        )
        return float(below.mean())


# ------------------------------------------------------------------------------ letters


def compact_letters(significant: Array, order: Array | None = None) -> list[str]:
    """Letters such that two means share one if and only if they do not differ significantly.

    Parameters
    ----------
    significant : ndarray of bool, shape (k, k)
        Symmetric: whether two means differ.
    order : ndarray of int, shape (k,), optional
        The means from the first to be lettered to the last.

    Returns
    -------
    list of str
        Letters of each mean.

    Notes
    -----
    The insert-and-absorb algorithm of Piepho (2004), J. Comput. Graph. Stat. 13:456.

    Examples
    --------
    >>> differ = np.zeros((3, 3), bool)
    >>> differ[0, 2] = differ[2, 0] = True
    >>> compact_letters(differ)
    ['a', 'ab', 'b']
    """
    k = len(significant)
    order = np.arange(k) if order is None else np.asarray(order)
    columns = [frozenset(range(k))]
    for i, j in zip(*np.nonzero(np.triu(significant, 1)), strict=True):
        split = []
        for column in columns:
            split += [column - {i}, column - {j}] if {i, j} <= column else [column]
        unique = set(split)
        columns = [each for each in unique if not any(each < other for other in unique)]
    rank = np.empty(k, int)
    rank[order] = np.arange(k)
    columns.sort(key=lambda column: sorted(rank[list(column)]))
    return ["".join(_letter(n) for n, each in enumerate(columns) if i in each) for i in range(k)]


def _letter(number: int) -> str:
    turn, place = divmod(number, len(string.ascii_letters))
    return string.ascii_letters[place] + (str(turn) if turn else "")
