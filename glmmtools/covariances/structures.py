"""The covariance of one random term as a function of its parameters, through a square root.

A structure turns parameters ``theta`` into ``Λ`` with ``G = Λ Λᵀ``: effects ``b = Λ u`` of
spherical ``u``. Variances of zero are ordinary points of this parametrisation (theta may take any
sign; only ``G`` has a meaning), so that a singular fit is an optimum like any other.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from scipy import special

from glmmtools.formula.random_terms import RandomTerm

Array = np.ndarray


class _Structure:
    """What all structures share."""

    @property
    def is_sd(self) -> Array:
        """Which parameters are standard deviations, in some units: of two, the first."""
        return np.array([True, False])

    def start(self, factor: float, between: float, residual: Array) -> Array:
        """Parameters to start from: `factor` times the root of the variance between levels."""
        return factor * np.sqrt(between) * self.is_sd

    def explained(self, residual: Array) -> float:
        """Share of the scatter of residuals that neighbours show to be of this term."""
        return 0.0

    @property
    def has_shape(self) -> bool:
        """Whether columns may differ or be correlated, of which `start` knows nothing."""
        return False

    def snapped(self, theta: Array) -> Array:
        """Theta with what is zero up to the precision of the search set to zero; here of an sd."""
        return np.array([0.0 if abs(theta[0]) < _ZERO_SD else theta[0], theta[1]])


class _Shared(_Structure):
    """A structure with the same q × q factor for every level."""

    def __init__(self, term: RandomTerm):
        self.q, self.levels = len(term.names), len(term.levels)
        self.Z = term.Z

    def on(self, term: RandomTerm):
        """The same structure for other rows of its term."""
        other = copy.copy(self)
        other.Z = term.Z
        return other

    def rows(self, theta: Array) -> Array:
        """Rows of ``Z Λ``, shape (n, q)."""
        return self.Z @ self.factor(theta)

    def gradient(self, theta: Array, F: Array) -> Array:
        """Derivatives of ``sum(rows(theta) * F)`` in theta, for F of shape (n, q)."""
        ZF = self.Z.T @ F
        return np.array([np.sum(d * ZF) for d in self.factor_derivatives(theta)])

    @property
    def has_shape(self) -> bool:
        return self.q > 1

    def em_step(self, theta: Array, moments: Array) -> Array:
        """Parameters that fit the effects ``b = Λ u``, from the mean of ``u uᵀ`` given the data."""
        return self.theta_of(self.effect_covariances(theta, moments))

    def effects(self, theta: Array, u: Array) -> Array:
        """Random effects ``b = Λ u`` of all levels, shape (levels, q)."""
        return u @ self.factor(theta).T

    def effect_covariances(self, theta: Array, cov_u: Array) -> Array:
        """``Λ cov Λᵀ`` for each level, shape (levels, q, q)."""
        factor = self.factor(theta)
        return factor @ cov_u @ factor.T

    def covariance(self, theta: Array) -> Array:
        """G for one level."""
        factor = self.factor(theta)
        return factor @ factor.T

    def correlation(self, theta: Array) -> float | None:
        return None


class Unstructured(_Shared):
    """Variances and all correlations: Λ lower triangular, theta its entries row by row.

    The columns are made orthonormal first (``Z = Q R``), which changes nothing but the speed of the
    search: an unstructured covariance of ``R b`` is one of ``b``.
    """

    def __init__(self, term: RandomTerm):
        super().__init__(term)
        R = np.linalg.qr(self.Z, mode="r") / np.sqrt(len(self.Z))
        self.back = np.linalg.inv(R) if _well_conditioned(R) else np.eye(self.q)
        self.Z = self.Z @ self.back
        self._rows, self._columns = np.tril_indices(self.q)
        self.n_params = len(self._rows)

    def on(self, term):
        other = super().on(term)
        other.Z = term.Z @ self.back
        return other

    @property
    def is_sd(self) -> Array:
        return self._rows == self._columns

    def factor(self, theta: Array) -> Array:
        factor = np.zeros((self.q, self.q))
        factor[self._rows, self._columns] = theta
        return factor

    def factor_derivatives(self, theta: Array) -> list[Array]:
        return [self.factor(unit) for unit in np.eye(self.n_params)]

    def theta_of(self, covariance: Array, correlation: float | None = None) -> Array:
        """The parameters that give this covariance."""
        root = np.linalg.solve(self.back, _square_root(covariance))
        lower = np.linalg.qr(root.T, mode="r").T
        return (lower * np.where(np.diag(lower) < 0, -1, 1))[self._rows, self._columns]

    def effects(self, theta, u):
        return super().effects(theta, u) @ self.back.T

    def effect_covariances(self, theta, cov_u):
        return self.back @ super().effect_covariances(theta, cov_u) @ self.back.T

    def covariance(self, theta):
        return self.back @ super().covariance(theta) @ self.back.T

    def snapped(self, theta: Array) -> Array:
        factor = self.factor(theta)
        factor[np.linalg.norm(factor, axis=1) < _ZERO_SD] = 0.0
        factor[np.abs(factor) < 1e-5 * np.abs(factor).max()] = 0.0
        return factor[self._rows, self._columns]

    def is_singular(self, theta: Array) -> bool:
        """Whether G has lost rank: a zero variance or a correlation of one."""
        return _lost_rank(super().covariance(theta))


class Independent(_Shared):
    """A variance for each column, no correlations."""

    def __init__(self, term: RandomTerm):
        super().__init__(term)
        self.scale = np.sqrt(np.mean(self.Z**2, axis=0))
        self.scale[self.scale == 0] = 1.0
        self.n_params = self.q

    @property
    def is_sd(self) -> Array:
        return np.ones(self.q, dtype=bool)

    def theta_of(self, covariance: Array, correlation: float | None = None) -> Array:
        return np.sqrt(np.diag(covariance)) * self.scale

    def factor(self, theta: Array) -> Array:
        return np.diag(theta / self.scale)

    def factor_derivatives(self, theta: Array) -> list[Array]:
        return [np.diag(unit / self.scale) for unit in np.eye(self.q)]

    def snapped(self, theta: Array) -> Array:
        return np.where(np.abs(theta) < _ZERO_SD, 0.0, theta)

    def is_singular(self, theta: Array) -> bool:
        return bool(np.any(np.abs(theta) < _ZERO_SD))


class CompoundSymmetry(_Shared):
    """One sd and one correlation between all columns: theta = (sd, logit of the correlation).

    The correlation lies between -1/(q - 1) and 1. Λ is the symmetric root ``a I + c J``.
    """

    n_params = 2

    def theta_of(self, covariance: Array, correlation: float | None = None) -> Array:
        lowest = -1 / (self.q - 1)
        return np.array(
            [np.sqrt(covariance[0, 0]), special.logit((correlation - lowest) / (1 - lowest))]
        )

    def em_step(self, theta: Array, moments: Array) -> Array:
        G = self.effect_covariances(theta, moments)
        variance = np.trace(G) / self.q
        covariance = (np.sum(G) - np.trace(G)) / (self.q * (self.q - 1))
        return self.theta_of(np.array([[variance]]), covariance / variance)

    def correlation(self, theta: Array) -> float:
        lowest = -1 / (self.q - 1)
        return float(lowest + (1 - lowest) * special.expit(theta[1]))

    def factor(self, theta: Array) -> Array:
        r = self.correlation(theta)
        a, total = np.sqrt(1 - r), np.sqrt(1 + (self.q - 1) * r)
        return theta[0] * (a * np.eye(self.q) + (total - a) / self.q)

    def factor_derivatives(self, theta: Array) -> list[Array]:
        r, lowest = self.correlation(theta), -1 / (self.q - 1)
        slope = (1 - lowest) * special.expit(theta[1]) * special.expit(-theta[1])
        da = -0.5 / np.sqrt(1 - r)
        dtotal = 0.5 * (self.q - 1) / np.sqrt(1 + (self.q - 1) * r)
        by_r = theta[0] * slope * (da * np.eye(self.q) + (dtotal - da) / self.q)
        return [self.factor(np.array([1.0, theta[1]])), by_r]

    def is_singular(self, theta: Array) -> bool:
        return abs(theta[0]) < _ZERO_SD or not -12 < theta[1] < 12


class FirstOrderAutoregressive(_Structure):
    """An AR(1) series for each level: corr(b_s, b_t) = rho^|s - t|, theta = (sd, atanh rho).

    Each level has its own times, whole numbers with gaps or not. With ``d`` the step to the time
    before, ``b_t = rho^d b_{t-d} + sd sqrt(1 - rho^{2d}) u_t``, hence
    ``Λ_jk = sd rho^(t_j - t_k) sqrt(1 - rho^{2 d_k})`` for k ≤ j.
    """

    n_params = 2

    def __init__(self, term: RandomTerm):
        position, times = term.series
        self.levels, self.q = times.shape
        lag = times[:, :, None] - times[:, None, :]
        lag[~(lag >= 0)] = np.nan  # above the diagonal, or past the last time
        step = np.diff(times, axis=1, prepend=np.nan)
        step[:, 0] = np.inf  # the first value of a series has the stationary variance
        # Powers are taken of the few different pairs of a lag and a step only.
        steps, step_at = np.unique(step, return_inverse=True, equal_nan=True)
        key = lag * len(steps) + step_at.reshape(step.shape)[:, None, :]
        keys, at = np.unique(key, return_inverse=True, equal_nan=True)
        self.lag = keys // len(steps)
        self.step = steps[np.nan_to_num(keys % len(steps)).astype(int)]
        self._pair_at = at.reshape(lag.shape)
        self._put_on(term.codes, position)

    def _put_on(self, codes: Array, position: Array) -> None:
        self.codes, self.position = codes, position
        self._rows = self._pair_at[codes, position]

    def on(self, term: RandomTerm):
        other = copy.copy(self)
        other._put_on(term.codes, term.places)
        return other

    def _moments(self, residual: Array) -> tuple[float, float, float]:
        """Variance of residuals, share of it that is the series', and rho, from neighbours.

        With independent scatter besides, products ``r_t r_(t+1)`` have the mean ``sd² rho`` and
        ``r_t r_(t+2)`` the mean ``sd² rho²``. Gaps are passed over.
        """
        place = self.codes * (self.q + 2) + self.position  # two series are never neighbours
        order = np.argsort(place)
        place, residual = place[order], residual[order]

        def mean_product(lag: int) -> float:
            pairs = np.flatnonzero(place[lag:] - place[:-lag] == lag)
            return float(np.mean(residual[pairs + lag] * residual[pairs])) if len(pairs) else 0.0

        total, first, second = np.mean(residual**2) or 1.0, mean_product(1), mean_product(2)
        if first and second > 0:
            rho, share = second / first, first**2 / (second * total)
        else:  # no such series: its second is never negative
            rho, share = first / total, 0.5
        return total, np.clip(share, 0.1, 0.99), np.clip(rho, -0.97, 0.97)

    def explained(self, residual: Array) -> float:
        return self._moments(residual)[1]

    def start(self, factor: float, between: float, residual: Array) -> Array:
        total, share, rho = self._moments(residual)
        variance = share * total
        if factor < 1:  # other starts: near to independent rows,
            variance, rho = total / 2, 0.2
        if factor > 1:  # or to one effect for all times
            variance, rho = between, 0.99
        return np.array([np.sqrt(variance), np.arctanh(rho)])

    def theta_of(self, covariance: Array, correlation: float | None = None) -> Array:
        return np.array([np.sqrt(covariance[0, 0]), np.arctanh(correlation)])

    def correlation(self, theta: Array) -> float:
        return float(np.clip(np.tanh(theta[1]), -_MOST_RHO, _MOST_RHO))

    def _entries(self, rho: float) -> tuple[Array, Array]:
        """``rho^lag sqrt(1 - rho^{2 step})`` of each pair, and its derivative in rho."""
        known = ~np.isnan(self.lag + self.step)  # elsewhere Λ is zero
        lag = np.where(known, self.lag, 0.0)
        step = np.where(known & np.isfinite(self.step), self.step, 0.0)
        power = np.power(rho, lag)
        innovation = np.where(step > 0, np.sqrt(1 - np.power(abs(rho), 2 * step)), 1.0)
        slope = lag * np.power(rho, np.maximum(lag - 1, 0)) * innovation
        slope -= power * step * np.power(rho, np.maximum(2 * step - 1, 0)) / innovation
        return known * power * innovation, known * slope

    def rows(self, theta: Array) -> Array:
        return (theta[0] * self._entries(self.correlation(theta))[0]).take(self._rows)

    def gradient(self, theta: Array, F: Array) -> Array:
        rho = self.correlation(theta)
        entries, slopes = self._entries(rho)
        forces = np.bincount(self._rows.ravel(), F.ravel(), minlength=len(entries))
        return np.array([entries @ forces, theta[0] * (slopes @ forces) * (1 - rho**2)])

    def _factors(self, theta: Array) -> Array:
        """Λ of each level."""
        return (theta[0] * self._entries(self.correlation(theta))[0])[self._pair_at]

    def effects(self, theta: Array, u: Array) -> Array:
        return np.einsum("lij,lj->li", self._factors(theta), u)

    def effect_covariances(self, theta: Array, cov_u: Array) -> Array:
        factor = self._factors(theta)
        return factor @ cov_u @ factor.transpose(0, 2, 1)

    def covariance(self, theta: Array) -> Array:
        return np.array([[theta[0] ** 2]])

    def is_singular(self, theta: Array) -> bool:
        return abs(theta[0]) < _ZERO_SD or abs(self.correlation(theta)) > 1 - 1e-6


_MOST_RHO = 1 - 1e-12  # at 1 itself the innovations vanish, and slopes in rho are infinite
_ZERO_SD = 1e-4  # on the scale of the linear predictor, columns scaled to root mean square 1


def _square_root(G: Array) -> Array:
    """A matrix L with L Lᵀ = G, also for a singular G."""
    values, vectors = np.linalg.eigh(G)
    return vectors * np.sqrt(np.maximum(values, 0))


def _lost_rank(G: Array) -> bool:
    values = np.linalg.eigvalsh(G)
    return bool(values[0] < max(_ZERO_SD**2, 1e-8 * values[-1]))


def _well_conditioned(R: Array) -> bool:
    diagonal = np.abs(np.diag(R))
    return bool(diagonal.min() > 1e-8 * diagonal.max())


_STRUCTURES = {
    "unstructured": Unstructured,
    "independent": Independent,
    "cs": CompoundSymmetry,
    "ar1": FirstOrderAutoregressive,
}


def structure_of(term: RandomTerm):
    """The covariance structure of a random term, on the rows of the term."""
    return _STRUCTURES[term.structure](term)


def marginal_covariance(
    terms: Sequence[RandomTerm],
    covariances: Sequence[Array],
    correlations: Sequence[float | None],
    rows: Array | slice = slice(None),
) -> Array:
    """``Z G Zᵀ``: what the random effects give to the covariance of the linear predictor.

    Each term has the covariance of the effects of one level, and ar1 and cs a correlation.
    """
    total = 0.0
    for term, G, correlation in zip(terms, covariances, correlations, strict=True):
        structure = structure_of(term)
        root = structure.rows(structure.theta_of(G, correlation))[rows]
        codes = term.codes[rows]
        total = total + (root @ root.T) * (codes[:, None] == codes)
    return total
