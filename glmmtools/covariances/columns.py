"""Structures with the same covariance matrix of the columns of Z for every level."""

from __future__ import annotations

import copy

import numpy as np

from glmmtools.covariances.base import ZERO_SD, Array, Structure
from glmmtools.shared.matrices import are_same, spans, square_root
from glmmtools.shared.text import listed


class ColumnStructure(Structure):
    """A structure with the same q × q factor Λ for every level.

    Parameters
    ----------
    column_name : str
        What stands left of the bar in a formula.
    codes : ndarray of int, shape (n,)
        Level of each row; every level occurs.
    Z : ndarray, shape (n, q)
    names : tuple of str
        Names of the columns.
    """

    def __init__(self, column_name: str, codes: Array, Z: Array, names: tuple[str, ...]):
        self.column_name, self.names, self.q = column_name, names, len(names)
        self.n_levels = int(codes.max()) + 1
        self._put_on(codes, Z)

    def _put_on(self, codes: Array, Z: Array) -> None:
        self.codes, self.Z = codes, Z

    @classmethod
    def at_times(cls, times):
        names = tuple(map(str, range(times)))
        return cls("time", np.zeros(times, int), np.eye(times), names)

    @property
    def entries(self) -> Array:
        return self.Z

    @property
    def coordinates(self) -> Array:
        return self.Z.argmax(axis=1)

    def on(self, codes, entries):
        other = copy.copy(self)
        other._put_on(codes, entries)
        return other

    def factor(self, theta: Array) -> Array:
        """Λ of one level, shape (q, q)."""
        raise NotImplementedError

    def factor_derivatives(self, theta: Array) -> list[Array]:
        """Derivatives of Λ in each parameter."""
        raise NotImplementedError

    def rows(self, theta):
        return self.Z @ self.factor(theta)

    def gradient(self, theta, F):
        ZF = self.Z.T @ F
        return np.array([np.sum(d * ZF) for d in self.factor_derivatives(theta)])

    def effects(self, theta, u):
        return u @ self.factor(theta).T

    def effect_covariances(self, theta, cov_u):
        factor = self.factor(theta)
        return factor @ cov_u @ factor.T

    def covariance(self, theta):
        factor = self.factor(theta)
        return factor @ factor.T

    def predictor(self, b):
        padded = np.vstack([b, np.zeros(b.shape[1])])
        return np.einsum("nq,nq->n", self.Z, padded[self.codes])

    def predictor_variances(self, covariance):
        return np.einsum("ni,ij,nj->n", self.Z, covariance, self.Z)

    @property
    def has_shape(self) -> bool:
        return self.q > 1


class _OfColumns(ColumnStructure):
    """What the structures without a name in a formula share: columns as written, an sd for each."""

    dependence: str

    @property
    def in_words(self) -> str:
        slopes = [name for name in self.names if name != "Intercept"]
        if not slopes:
            return "random intercepts"
        if len(slopes) == len(self.names):
            dependence = f"{self.dependence} " if len(slopes) > 1 else ""
            return f"{dependence}random effects ({listed(slopes)})"
        return f"{self.dependence} random intercepts and slopes ({listed(slopes)})"

    @property
    def sd_names(self):
        return self.names

    def latex(self, symbol, group, variance):
        if self.q == 1:
            return rf"{symbol}_{{{group}}}", rf"\sim \mathrm{{N}}(0, {variance})"
        effects = ", ".join(rf"{symbol}_{{{k},{group}}}" for k in range(self.q))
        G = rf"\mathbf{{G}}_{{{group}}}"
        diagonal = "" if self.correlation_names else rf", \quad {G} \text{{ diagonal}}"
        return rf"({effects})^\top", rf"\sim \mathrm{{N}}(\mathbf{{0}}, {G}){diagonal}"

    def is_special_case_of(self, other):
        if not isinstance(other, _OfColumns):
            return False
        if other.unrestricted:
            return spans(other.Z, self.Z)
        found = all(any(are_same(z, w) for w in other.Z.T) for z in self.Z.T)
        return found and not self.correlation_names


class Unstructured(_OfColumns):
    """Variances and all correlations: Λ lower triangular, theta its entries row by row.

    The columns are made orthonormal first (``Z = Q R``), which changes nothing but the speed of the
    search: an unstructured covariance of ``R b`` is one of ``b``.
    """

    name, bar, unrestricted, dependence = "unstructured", "|", True, "correlated"

    def __init__(self, column_name, codes, Z, names):
        R = np.linalg.qr(Z, mode="r") / np.sqrt(len(Z))
        self.back = np.linalg.inv(R) if _well_conditioned(R) else np.eye(len(names))
        super().__init__(column_name, codes, Z, names)
        self._rows, self._columns = np.tril_indices(self.q)
        self.n_params = len(self._rows)

    def _put_on(self, codes, Z):
        super()._put_on(codes, Z)
        self._orthonormal = Z @ self.back

    @property
    def n_corr(self):
        return self.q * (self.q - 1) // 2

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        """Index of each pair of columns, the later first."""
        return list(zip(*np.tril_indices(self.q, -1), strict=True))

    @property
    def correlation_names(self):
        return tuple(f"{self.names[j]}, {self.names[i]}" for i, j in self._pairs)

    def correlations(self, covariance, rho):
        G = covariance
        products = np.array([G[i, i] * G[j, j] for i, j in self._pairs])
        entries = np.array([G[i, j] for i, j in self._pairs])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(products > 0, entries / np.sqrt(products), np.nan)

    def correlation_matrix(self, corr, rho):
        lower = np.zeros((self.q, self.q))
        lower[np.tril_indices(self.q, -1)] = corr
        return lower + lower.T + np.eye(self.q)

    @property
    def is_sd(self):
        return self._rows == self._columns

    @property
    def is_scale(self):
        return np.ones(self.n_params, dtype=bool)

    def rows(self, theta):
        return self._orthonormal @ self.factor(theta)

    def gradient(self, theta, F):
        return (self._orthonormal.T @ F)[self._rows, self._columns]

    def factor(self, theta):
        factor = np.zeros((self.q, self.q))
        factor[self._rows, self._columns] = theta
        return factor

    def factor_derivatives(self, theta):
        return [self.factor(unit) for unit in np.eye(self.n_params)]

    def theta_of(self, covariance, rho=None):
        root = np.linalg.solve(self.back, square_root(covariance))
        lower = np.linalg.qr(root.T, mode="r").T
        return (lower * np.where(np.diag(lower) < 0, -1, 1))[self._rows, self._columns]

    def effects(self, theta, u):
        return super().effects(theta, u) @ self.back.T

    def effect_covariances(self, theta, cov_u):
        return self.back @ super().effect_covariances(theta, cov_u) @ self.back.T

    def covariance(self, theta):
        return self.back @ super().covariance(theta) @ self.back.T

    def snapped(self, theta):
        factor = self.factor(theta)
        factor[np.linalg.norm(factor, axis=1) < ZERO_SD] = 0.0
        factor[np.abs(factor) < 1e-5 * np.abs(factor).max()] = 0.0
        return factor[self._rows, self._columns]

    def is_singular(self, theta):
        return _lost_rank(super().covariance(theta))


class Independent(_OfColumns):
    """A variance for each column, no correlations."""

    name, bar, dependence = "independent", "||", "independent"

    def __init__(self, column_name, codes, Z, names):
        super().__init__(column_name, codes, Z, names)
        self.scale = np.sqrt(np.mean(Z**2, axis=0))
        self.scale[self.scale == 0] = 1.0
        self.n_params = self.q

    def correlation_matrix(self, corr, rho):
        return np.eye(self.q)

    @property
    def is_sd(self):
        return np.ones(self.q, dtype=bool)

    def theta_of(self, covariance, rho=None):
        return np.sqrt(np.diag(covariance)) * self.scale

    def factor(self, theta):
        return np.diag(theta / self.scale)

    def factor_derivatives(self, theta):
        return [np.diag(unit / self.scale) for unit in np.eye(self.q)]

    def snapped(self, theta):
        return np.where(np.abs(theta) < ZERO_SD, 0.0, theta)

    def is_singular(self, theta):
        return bool(np.any(np.abs(theta) < ZERO_SD))


def _lost_rank(G: Array) -> bool:
    values = np.linalg.eigvalsh(G)
    return bool(values[0] < max(ZERO_SD**2, 1e-8 * values[-1]))


def _well_conditioned(R: Array) -> bool:
    diagonal = np.abs(np.diag(R))
    return bool(diagonal.min() > 1e-8 * diagonal.max())
