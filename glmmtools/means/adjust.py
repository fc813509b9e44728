"""Families of contrasts: their weights, the adjustment for their number, and compact letters."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import special

from glmmtools.fitted.wald import t_quantile, two_sided_p
from glmmtools.means.studentized_range import studentized_range
from glmmtools.shared.arguments import numbers
from glmmtools.shared.text import listed, nearest

Array = np.ndarray

ADJUSTMENTS = ("none", "tukey", "sidak", "bonferroni", "holm", "fdr", "mvt")
# each with the adjustment that it gets where none is named
METHODS = {"pairwise": "tukey", "trt.vs.ctrl": "mvt", "consecutive": "mvt", "poly": "none"}

_DEGREES = ("linear", "quadratic", "cubic", "quartic", "degree 5", "degree 6")
_SAMPLE, _KEPT = 2**16, 2**11


# ------------------------------------------------------------------------------ weights


def contrast_weights(
    method: str | Mapping[str, Any], labels: list[str], sign: str = "-", reference: Any = None
) -> tuple[list[str], Array]:
    """Names of the contrasts of one family, and their weights on its means, one contrast a row.

    `method` is one of `METHODS`; or a mapping of name to weights, which are a sequence in the order
    of `labels` or a mapping of label to weight. `reference` is the label of the control of
    ``trt.vs.ctrl``, by default the first.

    Examples
    --------
    >>> names, weights = contrast_weights("poly", ["0", "1", "2"])
    >>> names, weights.tolist()
    (['linear', 'quadratic'], [[-1.0, 0.0, 1.0], [1.0, -2.0, 1.0]])
    """
    k = len(labels)
    if k < 2:
        raise ValueError(
            "a contrast needs at least two means; there is "
            f"{listed(map(repr, labels)) if labels else 'none'}"
        )
    if isinstance(method, Mapping):
        if not method:
            raise ValueError("method is an empty dict; give at least one name with its weights")
        weights = [_custom(name, given, labels) for name, given in method.items()]
        return list(map(str, method)), np.array(weights).reshape(-1, k)
    if method not in METHODS:
        raise ValueError(
            f"method must be one of {', '.join(METHODS)}, or a dict of name to weights; "
            f"got {method!r}{nearest(method, METHODS)}"
        )
    if reference is not None and method != "trt.vs.ctrl":
        raise ValueError(f"reference= is for method='trt.vs.ctrl'; got method={method!r}")
    if method == "poly":
        polynomials = np.array(_polynomials(k))
        return list(_DEGREES[: len(polynomials)]), polynomials
    if method == "pairwise":
        pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
    elif method == "consecutive":
        pairs = [(i + 1, i) for i in range(k - 1)]
    else:
        control = 0 if reference is None else _place(reference, labels, "reference")
        pairs = [(i, control) for i in range(k) if i != control]
    unit = np.eye(k)
    names = [f"{labels[i]} {sign} {labels[j]}" for i, j in pairs]
    return names, np.array([unit[i] - unit[j] for i, j in pairs])


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
            place = _place(label, labels, f"in the contrast {name!r},")
            weights[place] = numbers(f"the weights of the contrast {name!r}", value)
    else:
        given = numbers(f"the weights of the contrast {name!r}", given)
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
    contrasts = []
    for column in np.linalg.qr(powers)[0].T[1:]:
        column = column * np.sign(column[-1])
        column = column / np.abs(column[np.abs(column) > 1e-8]).min()
        multiples = (m for m in range(1, 61) if np.allclose(m * column, np.round(m * column)))
        multiple = next(multiples, 1)
        contrasts.append(np.round(multiple * column, 9) + 0.0)
    return contrasts


# ------------------------------------------------------------------------------ adjustment


def adjusted_p(statistic: Array, df: Array, correlation: Array, adjust: str, n_means: int) -> Array:
    """Two-sided p-values of one family of contrasts, adjusted for their number.

    "tukey", which needs the number of means, is exact for all pairs of equally precise independent
    means and slightly conservative otherwise (Kramer 1956; Hayter 1984); "mvt" is exact for any
    correlation of the estimates, also a singular one, to the 1e-3 of its quasi-Monte Carlo sample.

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
        p = studentized_range(n_means).sf(np.sqrt(2) * size, df)
        return np.clip(p, raw, 1)
    if adjust == "mvt":
        largest = _LargestOf(correlation)
        p = [1 - largest.cdf(t, nu) for t, nu in zip(size, df, strict=True)]
        return np.clip(p, raw, 1)
    from statsmodels.stats.multitest import multipletests

    with np.errstate(divide="ignore"):  # Šidák's goes through log(1 - p)
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
    rounded = np.round(df, 6)
    if adjust == "tukey":
        return studentized_range(n_means).isf(1 - level, rounded) / np.sqrt(2)
    if adjust == "mvt":
        from scipy.optimize import brentq

        below, unique = _LargestOf(correlation).cdf, dict.fromkeys(rounded)
        for size in unique:
            low, high = t_quantile(level, size), t_quantile(1 - (1 - level) / (2 * m), size)
            search = 0.9 * float(low), 1.5 * float(high)
            unique[size] = brentq(lambda c, v=size: below(c, v) - level, *search, xtol=1e-10)
        return np.array([unique[size] for size in rounded])
    return t_quantile(level ** (1 / m) if adjust == "sidak" else 1 - (1 - level) / m, df)


class _LargestOf:
    """The distribution of max |T|, T multivariate t with a correlation that may be singular.

    T = r √F u with a direction u in the r dimensions that the contrasts span, and F(r, df): the
    radius is integrated exactly, the direction by a scrambled Sobol sequence. SciPy's
    ``multivariate_t.cdf`` is wrong for a singular correlation, such as that of all pairs (0.233
    instead of 0.130, SciPy 1.17).
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
        squares = np.concatenate([np.abs(part @ root.T).max(axis=1) for part in parts]) ** 2
        self.squares = np.sort(squares).reshape(_KEPT, -1).mean(axis=1)

    def cdf(self, bound: float, df: float) -> float:
        reach = bound**2 / self.squares
        if np.isinf(df):
            return float(special.chdtr(self.rank, reach).mean())
        return float(special.fdtr(self.rank, df, reach / self.rank).mean())


# ------------------------------------------------------------------------------ letters, arrows


def arrow_lengths(estimate: Array, pairs: Array, half_width: Array) -> tuple[Array, Array, Array]:
    """Arrows up and down from each mean; those of two means overlap where they do not differ.

    The arrows of a pair together are as long as the half-width of the interval of its difference,
    as nearly as is possible for all pairs at once; nothing leads beyond the largest and the
    smallest mean. `pairs`, shape (m, 2), holds the means of each half-width. The third array marks
    the pairs whose arrows say the wrong thing, because no lengths say the right thing of all.

    Examples
    --------
    >>> up, down, wrong = arrow_lengths(np.array([1.0, 2.0]), np.array([[0, 1]]), np.array([0.6]))
    >>> bool(up[0] + down[1] < 2 - 1), bool(wrong.any())
    (True, False)
    """
    from scipy.optimize import linprog

    k, m = len(estimate), len(pairs)
    unit = half_width.max()  # the search is in units of its own
    estimate, half_width = estimate / unit, half_width / unit
    low_first = estimate[pairs[:, 0]] <= estimate[pairs[:, 1]]
    low, high = np.where(low_first, pairs.T, pairs[:, ::-1].T)
    gap = estimate[high] - estimate[low]
    sums = np.zeros((m, 2 * k))
    sums[np.arange(m), low] = sums[np.arange(m), k + high] = 1
    # the least total deviation from the half-widths; then the longest arrow as short as can be
    deviation, none = np.eye(m), np.zeros((m, 1))
    rows = np.block(
        [
            [sums, -deviation, none], [-sums, -deviation, none],
            [np.eye(2 * k), np.zeros((2 * k, m)), -np.ones((2 * k, 1))],
        ]
    )  # fmt: skip
    bounds = np.concatenate([half_width, -half_width, np.zeros(2 * k)])
    cost = np.concatenate([np.zeros(2 * k), np.ones(m), [0.01]])
    for most in (0.95 * np.abs(gap - half_width), np.full(m, np.inf)):
        upper = np.concatenate([np.full(2 * k, np.inf), most, [np.inf]])
        solution = linprog(cost, rows, bounds, bounds=np.stack([np.zeros_like(upper), upper], 1))
        if solution.success:
            break
    up, down = solution.x[:k], solution.x[k : 2 * k]
    up[~np.isin(np.arange(k), low)] = down[~np.isin(np.arange(k), high)] = 0.0
    wrong = (up[low] + down[high] >= gap) != (half_width >= gap)
    return up * unit, down * unit, wrong


def compact_letters(significant: Array, order: Array | None = None) -> list[str]:
    """Letters such that two means share one if and only if they do not differ significantly.

    `order` holds the means from the first to be lettered to the last. The insert-and-absorb
    algorithm of Piepho (2004), J. Comput. Graph. Stat. 13:456.

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
        columns = [group for group in unique if not any(group < other for other in unique)]
    rank = np.empty(k, int)
    rank[order] = np.arange(k)
    columns.sort(key=lambda column: sorted(rank[list(column)]))
    return ["".join(_letter(n) for n, group in enumerate(columns) if i in group) for i in range(k)]


def _letter(number: int) -> str:
    turn, place = divmod(number, len(string.ascii_letters))
    return string.ascii_letters[place] + (str(turn) if turn else "")
