"""The working correlations of estimating equations, as statsmodels' GEE takes them.

Importing this module loads statsmodels.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy.optimize import brentq
from statsmodels.genmod.cov_struct import CovStruct, Exchangeable, Independence, Unstructured

from glmmtools.covariances import working
from glmmtools.formula.clusters import Clusters

Array = np.ndarray
_LARGEST = 1 - 1e-6  # correlation of neighbours in time
_GRID = np.linspace(0.0, _LARGEST, 101)


def working_structure(clusters: Clusters, weights: Array) -> CovStruct:
    """The structure with its moment estimate of the correlation, for rows of these weights."""
    if clusters.working.of_gaps:
        return _ByTime(weights, clusters.times)
    return _STATSMODELS[clusters.working](weights)


class _Weighted:
    """Lets a structure of statsmodels take rows of unequal precision: Var(y) = phi v(mu) / w.

    statsmodels' own weights multiply the rows beside the inverse of the covariance, which is the
    same for independent rows only.
    """

    def __init__(self, weights: Array):
        super().__init__()
        self.weights = weights

    def initialize(self, model) -> None:
        super().initialize(model)
        self.roots = [np.sqrt(each) for each in model.cluster_list(self.weights)]

    def update(self, params) -> None:
        """Estimate the correlation from Pearson residuals, as rows of mean 0 and variance 1."""
        model = self.model
        self.model = _of_residuals(model, self.roots)
        try:
            super().update(params)
        finally:
            self.model = model

    def covariance_matrix_solve(self, expval, index, stdev, rhs):
        return super().covariance_matrix_solve(expval, index, stdev / self.roots[index], rhs)


def _of_residuals(model, roots: list[Array]) -> SimpleNamespace:
    """What a structure reads of a model of the Pearson residuals."""
    variance = model.family.variance
    residuals = [
        root * (y - mu) / np.sqrt(variance(mu))
        for y, (mu, _), root in zip(model.endog_li, model.cached_means, roots, strict=True)
    ]
    return SimpleNamespace(
        endog_li=residuals,
        cached_means=[(np.zeros_like(each), None) for each in residuals],
        family=SimpleNamespace(variance=np.ones_like),
        weights=None,
        **{name: getattr(model, name) for name in
           ("nobs", "num_group", "ddof_scale", "time", "time_li")},
    )  # fmt: skip


class _Independence(_Weighted, Independence):
    pass


class _Exchangeable(_Weighted, Exchangeable):
    pass


class _Unstructured(_Weighted, Unstructured):
    pass


_STATSMODELS = {
    working.Independence: _Independence,
    working.Exchangeable: _Exchangeable,
    working.Unstructured: _Unstructured,
}


class _Neighbours(CovStruct):
    """``alpha ** |t - s|``, with alpha from neighbours in time.

    In place of statsmodels' `Autoregressive`, which counts rows: a missed visit would not count.
    Where all neighbours are one unit apart and the groups of equal size the two are the same.
    """

    def __init__(self):
        super().__init__()
        self.dep_params = 0.0

    def update(self, params) -> None:
        residuals, products = self.model.endog_li, []
        for residual, order in zip(residuals, self.orders, strict=True):
            products.append(residual[order][1:] * residual[order][:-1])
        square = np.mean(np.concatenate(residuals) ** 2)
        self.dep_params = decay(np.concatenate(products) / square, np.concatenate(self.gaps))

    def covariance_matrix_solve(self, expval, index, stdev, rhs):
        """Row by row, as given the row before a row does not depend on earlier ones."""
        order = self.orders[index]
        rho = (self.dep_params ** self.gaps[index])[:, None]
        scale = 1 / np.sqrt(1 - rho**2)
        solutions = []
        for values in rhs:
            scaled = np.reshape(values, (len(stdev), -1)) / stdev[:, None]
            inner = scaled[order]
            inner[1:] = (inner[1:] - rho * inner[:-1]) * scale
            outer = inner.copy()
            outer[1:] *= scale
            outer[:-1] -= rho * scale * inner[1:]
            scaled[order] = outer
            solutions.append((scaled / stdev[:, None]).reshape(np.shape(values)))
        return solutions


class _ByTime(_Weighted, _Neighbours):
    def __init__(self, weights: Array, times: Array):
        super().__init__(weights)
        self.times = np.asarray(times, float)

    def initialize(self, model) -> None:
        super().initialize(model)
        times = model.cluster_list(self.times)
        self.orders = [np.argsort(each, kind="stable") for each in times]
        self.gaps = [np.diff(np.sort(each)) for each in times]


def decay(products: Array, gaps: Array) -> float:
    """The alpha with the least squares of ``products - alpha ** gaps``.

    Between 0 and 1, and where all gaps are whole numbers also between -1 and 0.

    >>> round(decay(np.array([0.5, 0.3, 0.2]), np.array([1.0, 1.0, 2.0])), 3)
    0.412
    """
    distinct, place = np.unique(gaps, return_inverse=True)
    counts = np.bincount(place)
    means, powers = np.bincount(place, products) / counts, distinct / distinct[0]
    signs = [np.ones(len(distinct))]
    if np.all(distinct == np.round(distinct)) and np.any(distinct % 2 == 1):
        signs.append((-1.0) ** distinct)
    ends = [_best_decay(sign * means, counts, powers) for sign in signs]
    best = min(range(len(signs)), key=lambda k: ends[k][1])
    return float((-1) ** best * ends[best][0] ** (1 / distinct[0]))


def _best_decay(means: Array, counts: Array, powers: Array) -> tuple[float, float]:
    """The rho in [0, 1) with the least sum of ``counts (means - rho ** powers)²``, and that sum."""

    def height(rho):
        return (counts * (means - np.power.outer(rho, powers)) ** 2).sum(axis=-1)

    def slope(rho):
        return (counts * (rho**powers - means) * powers * rho ** (powers - 1)).sum()

    k = int(np.argmin(height(_GRID)))
    low, high = _GRID[max(k - 1, 0)], _GRID[min(k + 1, len(_GRID) - 1)]
    inside = slope(low) < 0 < slope(high)
    rho = brentq(slope, low, high, xtol=1e-15) if inside else float(_GRID[k])
    return rho, float(height(rho))
