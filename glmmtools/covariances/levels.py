"""Structures with one effect for each level of a factor, such as the visits of a patient."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from scipy import special

from glmmtools.covariances.base import ZERO_SD, Array, InGlmmTMB, Structure
from glmmtools.covariances.columns import ColumnStructure, Unstructured

_STEP = 1e-30  # of a complex step: exact, for nothing is subtracted
_MOST_LOGIT = 12.0  # of a correlation in its range; beyond, it is at an end
_NEAR_ONE = 1 - 1e-6
_NEARLY = 1 - 1e-12  # so that no prediction error is zero


class OfLevels(ColumnStructure):
    """One effect for each level of a factor left of the bar.

    Parameters
    ----------
    column_name : str
    codes : ndarray of int, shape (n,)
    Z : ndarray, shape (n, q)
        Indicators of the levels.
    names : tuple of str
    values : sequence, optional
        The levels themselves: numbers, as times are, or others.
    """

    of_levels = True
    in_words = Structure.in_words  # not of columns as written

    def __init__(
        self,
        column_name: str,
        codes: Array,
        Z: Array,
        names: tuple[str, ...],
        values: Sequence[Any] = (),
    ):
        super().__init__(column_name, codes, Z, names)
        self.values = tuple(values) or tuple(range(len(names)))

    @property
    def places(self) -> Array:
        """Where the levels stand: their times if they are numbers, else 0, 1, …"""
        are_numbers = all(isinstance(each, (Real, np.number)) for each in self.values)
        return np.array(self.values, float) if are_numbers else np.arange(float(self.q))


class UnstructuredLevels(OfLevels, Unstructured):
    """A variance for each level, a correlation for each two: the general covariance, by name."""

    name, bar, title = "us", "", "unstructured, of levels"
    unrestricted, heterogeneous = True, True
    special_cases = ("cs", "hcs", "ar1", "har1", "toep", "ou")
    rho_latex = r"\rho_{t,t'}"

    def described(self, what):
        return f"{what} of {self.column_name} of any covariance"

    def latex(self, symbol, group, variance):
        return OfLevels.latex(self, symbol, group, variance)

    def in_glmmtmb(self):
        parameters = [f"sd{k}" for k in range(self.q)]
        parameters += [f"corr{k}" for k in range(self.n_corr)]
        return InGlmmTMB("us(0 + factor({columns}) | {group})", tuple(parameters))

    def is_special_case_of(self, other):
        return OfLevels.is_special_case_of(self, other)


class _Correlated(OfLevels):
    """Standard deviations times a correlation matrix of its own few parameters.

    theta = (standard deviations, parameters of the correlations); ``Λ = diag(|sd|) L``: signs that
    differ would be other correlations.
    """

    n_shapes: int

    def __init__(self, column_name, codes, Z, names, values=()):
        super().__init__(column_name, codes, Z, names, values)
        self.n_params = self.n_sds + self.n_shapes

    def correlation_root(self, shape: Array) -> Array:
        """L of the correlation matrix ``L Lᵀ``, also at complex parameters."""
        raise NotImplementedError

    def shape_of(self, correlations: Array) -> Array:
        """Parameters whose correlations are nearest to those of any covariance."""
        raise NotImplementedError

    @property
    def n_sds(self) -> int:
        return self.q if self.heterogeneous else 1

    @property
    def sd_names(self):
        return self.names if self.heterogeneous else super().sd_names

    @property
    def correlation_names(self):
        return super().sd_names if self.has_rho else ()

    @property
    def is_sd(self):
        return np.arange(self.n_params) < self.n_sds

    def _split(self, theta: Array) -> tuple[Array, Array]:
        return np.broadcast_to(np.abs(theta[: self.n_sds]), self.q), theta[self.n_sds :]

    def factor(self, theta):
        sds, shape = self._split(theta)
        return sds[:, None] * self.correlation_root(shape)

    def factor_derivatives(self, theta):
        sds, shape = self._split(theta)
        root = self.correlation_root(shape)
        by_sd = [root] if self.n_sds == 1 else [u[:, None] * root for u in np.eye(self.q)]
        by_sd = [sign * each for sign, each in zip(np.sign(theta), by_sd, strict=False)]
        steps = 1j * _STEP * np.eye(self.n_shapes)
        roots = (self.correlation_root(shape + step).imag / _STEP for step in steps)
        return [*by_sd, *(sds[:, None] * each for each in roots)]

    def em_step(self, theta, moments):
        G = self.effect_covariances(theta, moments)
        variances = np.maximum(np.diag(G), ZERO_SD**2)
        sds = np.sqrt([np.mean(variances)] if self.n_sds == 1 else variances)
        return np.concatenate([sds, self.shape_of(G / np.sqrt(np.outer(variances, variances)))])

    def snapped(self, theta):
        return np.where(self.is_sd & (np.abs(theta) < ZERO_SD), 0.0, theta)

    def is_singular(self, theta):
        sds, shape = self._split(theta)
        return bool(np.any(np.abs(sds) < ZERO_SD)) or self.is_at_end(shape)

    def is_at_end(self, shape: Array) -> bool:
        """Whether the correlation matrix has lost rank."""
        raise NotImplementedError


class _OneRho(_Correlated):
    """Correlations that follow from one rho, and one variance or one for each level."""

    has_rho, n_shapes = True, 1

    def theta_of(self, covariance, rho=None):
        sds = np.broadcast_to(np.sqrt(np.diag(covariance)), self.q)
        return np.append(sds[: self.n_sds], self.shape_of_rho(rho))

    def shape_of_rho(self, rho: float) -> float:
        raise NotImplementedError


class _EquallyCorrelated(_OneRho):
    """One correlation between all levels, from -1/(q - 1) to 1; L is the root ``a I + c J``."""

    @property
    def lowest_rho(self):
        return -1 / (self.q - 1) if self.q > 1 else -1.0

    def correlation_matrix(self, corr, rho):
        return np.where(np.eye(self.q) == 1, 1.0, rho)

    def correlation_root(self, shape):
        rho = self._from_logit(shape[0])
        a, total = np.sqrt(1 - rho), np.sqrt(1 + (self.q - 1) * rho)
        return a * np.eye(self.q) + (total - a) / self.q

    def _from_logit(self, value: Any) -> Any:
        return self.lowest_rho + (1 - self.lowest_rho) * (1 + np.tanh(value / 2)) / 2

    def shape_of_rho(self, rho):
        return special.logit((rho - self.lowest_rho) / (1 - self.lowest_rho))

    def shape_of(self, correlations):
        mean = (correlations.sum() - self.q) / (self.q * (self.q - 1))
        return np.array([self.shape_of_rho(np.clip(mean, 0.99 * self.lowest_rho, 0.99))])

    def rho(self, theta):
        return float(self._from_logit(theta[-1]))

    def is_at_end(self, shape):
        return abs(shape[0]) > _MOST_LOGIT


class CompoundSymmetry(_EquallyCorrelated):
    """One variance for all levels and one correlation: theta = (sd, logit of the correlation)."""

    name, title = "cs", "compound symmetry"

    def described(self, what):
        return f"equally correlated {what} of {self.column_name}"

    def in_glmmtmb(self):
        parameters = ("sd",) * self.q + ("corr",)
        return InGlmmTMB("cs(0 + factor({columns}) | {group})", parameters)

    def em_step(self, theta, moments):
        G = self.effect_covariances(theta, moments)
        variance = np.trace(G) / self.q
        covariance = (np.sum(G) - np.trace(G)) / (self.q * (self.q - 1))
        return self.theta_of(np.array([[variance]]), covariance / variance)


class HeterogeneousCompoundSymmetry(_EquallyCorrelated):
    """A variance for each level and one correlation between all."""

    name, title, heterogeneous = "hcs", "heterogeneous compound symmetry", True
    special_cases = ("cs",)

    def described(self, what):
        return f"equally correlated {what} of {self.column_name} of different variances"

    def in_glmmtmb(self):
        parameters = *(f"sd{k}" for k in range(self.q)), "corr"
        return InGlmmTMB("cs(0 + factor({columns}) | {group})", parameters)


class HeterogeneousAutoregressive(_OneRho):
    """A variance for each time, and correlations rho^|t - t'|: ARH(1)."""

    name, title, heterogeneous, of_order = "har1", "heterogeneous ar1", True, True
    special_cases = ("ar1",)
    rho_latex = r"\rho^{|t - t'|}"

    def __init__(self, column_name, codes, Z, names, values=()):
        super().__init__(column_name, codes, Z, names, values)
        steps = np.diff(self.places)
        if np.any(steps <= 0) or np.any(steps != np.round(steps)):
            raise ValueError(
                f"the times of har1({column_name} | …) must be whole numbers, or levels in their "
                "order: the correlation is rho to the power of the time between two rows"
            )
        self.steps = steps

    def correlation_matrix(self, corr, rho):
        root = self.correlation_root(np.array([self.shape_of_rho(rho)]))
        return root @ root.T

    def described(self, what):
        return f"first-order autoregressive {what} over {self.column_name} of different variances"

    def correlation_root(self, shape):
        rho = np.tanh(shape[0])
        powers = np.concatenate([[1.0], rho**self.steps])
        innovations = np.append(1.0, np.sqrt(1 - powers[1:] ** 2))
        root = np.zeros((self.q, self.q), dtype=np.result_type(shape, float))
        for k in range(self.q):
            root[k:, k] = innovations[k] * np.cumprod(np.append(1.0, powers[k + 1 :]))
        return root

    def shape_of_rho(self, rho):
        return np.arctanh(rho)

    def shape_of(self, correlations):
        neighbours = np.diag(correlations, 1)
        mean = np.mean(np.sign(neighbours) * np.abs(neighbours) ** (1 / self.steps))
        return np.array([np.arctanh(np.clip(mean, -0.97, 0.97))])

    def rho(self, theta):
        return float(np.tanh(theta[-1]))

    def is_at_end(self, shape):
        return abs(np.tanh(shape[0])) > _NEAR_ONE


class Toeplitz(_Correlated):
    """One variance, and a correlation for each distance between levels at equal distances.

    theta = (sd, atanh of the partial autocorrelations), from which the Durbin–Levinson recursion
    gives the correlations and their triangular root: any values are a correlation matrix.
    """

    name, title, of_order = "toep", "Toeplitz", True
    special_cases = ("cs", "ar1", "ou")
    rho_latex = r"\rho_{|t - t'|}"

    def __init__(self, column_name, codes, Z, names, values=()):
        self.n_shapes = len(names) - 1
        super().__init__(column_name, codes, Z, names, values)
        steps = np.diff(self.places)
        if not np.allclose(steps, steps[0]):
            raise ValueError(
                f"the times of toep({column_name} | …) must be equally far apart: there is one "
                "correlation for each distance. For other times take ou(), har1() or us()"
            )

    def described(self, what):
        return f"{what} of {self.column_name} with a correlation for each distance in time"

    def in_glmmtmb(self):
        parameters = *("sd",) * self.q, *(f"corr{k}" for k in range(self.q - 1))
        return InGlmmTMB("toep(0 + factor({columns}) | {group})", parameters)

    @property
    def n_corr(self):
        return self.q - 1

    @property
    def correlation_names(self):
        return tuple(f"{self.name}({self.column_name}), {k} apart" for k in range(1, self.q))

    def correlation_matrix(self, corr, rho):
        apart = np.abs(np.subtract.outer(np.arange(self.q), np.arange(self.q)))
        return np.append(1.0, corr)[apart]

    def correlations(self, covariance, rho):
        variance = covariance[0, 0]
        return covariance[0, 1:] / variance if variance > 0 else np.full(self.q - 1, np.nan)

    def beside_sd(self, number, covariance, rho):
        return self.correlations(covariance, rho)

    def theta_of(self, covariance, rho=None):
        variance = covariance[0, 0]
        if not variance > 0:
            return np.zeros(self.n_params)
        return np.append(np.sqrt(variance), _partial(covariance[0] / variance))

    def shape_of(self, correlations):
        means = [np.mean(np.diag(correlations, k)) for k in range(self.q)]
        return np.clip(_partial(np.array(means)), -2.0, 2.0)

    def correlation_root(self, shape):
        """Rows of ``L⁻¹`` are the prediction errors of each effect from those before it."""
        partial = _NEARLY * np.tanh(shape)
        errors = np.zeros((self.q, self.q), dtype=np.result_type(shape, float))
        errors[0, 0], weights, sd = 1.0, np.zeros(0), 1.0
        for k, of_this in enumerate(partial, start=1):
            weights = np.append(weights - of_this * weights[::-1], of_this)
            sd = sd * np.sqrt(1 - of_this**2)
            errors[k, : k + 1] = np.append(-weights[::-1], 1.0) / sd
        return np.linalg.inv(errors)

    def is_at_end(self, shape):
        return bool(np.any(np.abs(np.tanh(shape)) > _NEAR_ONE))


def _partial(correlations: Array) -> Array:
    """atanh of the partial autocorrelations of a series with these correlations at 0, 1, …"""
    weights, error, found = np.zeros(0), 1.0, []
    for k in range(1, len(correlations)):
        of_this = (correlations[k] - weights @ correlations[k - 1 : 0 : -1]) / error
        of_this = float(np.clip(of_this, -_NEAR_ONE, _NEAR_ONE))
        weights = np.append(weights - of_this * weights[::-1], of_this)
        error *= 1 - of_this**2
        found.append(np.arctanh(of_this))
    return np.array(found)
