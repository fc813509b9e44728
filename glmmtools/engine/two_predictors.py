"""The Laplace likelihood with random effects in two linear predictors: of the mean, of the zeros.

The log-density of an observation is a function ``f(eta, zeta)`` of the linear predictor of the
mean and of the logit of an extra zero. With ``l`` that of the family, f is
``l - log(1 + exp zeta)`` where the response is not 0, and
``log(exp zeta + exp l) - log(1 + exp zeta)`` where it is. With ``a`` and ``z`` the rows of the
random effects in the two, an observation adds to the negative Hessian in all effects ::

    -(f₁₁ - f₁₂) aaᵀ - (f₂₂ - f₁₂) zzᵀ - f₁₂ (a + z)(a + z)ᵀ

so that it is three rows with one weight each, of ``a``, of ``z`` and of ``a + z``; two where every
zero is of the zero part, for then f₁₂ = 0. With these rows `arrow` and `modes` find the modes and H
as for one predictor, and the gradient is that of `marginal`.
"""

from __future__ import annotations

import copy
from functools import cached_property

import numpy as np
from scipy import special

from glmmtools.engine.effect_rows import EffectRows, Pattern
from glmmtools.engine.likelihood import Likelihood
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import ZERO, Problem

Array = np.ndarray


class PairedRows:
    """The rows of observations, two or three of each; their densities and derivatives.

    Attributes
    ----------
    likelihood : Likelihood
        Of the observations.
    each : int
        Rows of an observation: for the mean, for the zeros, and for both together.
    """

    def __init__(self, likelihood: Likelihood):
        self.likelihood, self.concave = likelihood, likelihood.concave
        self.family_alone = copy.copy(likelihood)
        self.family_alone.weights = None
        self.void = likelihood.leaves_out_zero
        self.each = 2 if self.void else 3

    @property
    def working(self) -> Array:
        """Predictors near the responses; of the zeros' logit nothing is known."""
        working = self.likelihood.working
        return self.sums(working, np.zeros_like(working))

    def sums(self, eta: Array, zeta: Array) -> Array:
        """What each row has, which is the sum of both predictors in a third one."""
        return self._rows(eta, zeta, eta + zeta)

    def predictors(self, rows: Array) -> tuple[Array, Array]:
        """Eta and zeta of each observation."""
        rows = rows.reshape(-1, self.each)
        return rows[:, 0], rows[:, 1]

    def _rows(self, first: Array, second: Array | float = 0.0, third: Array | float = 0.0):
        rows = np.empty((len(first), self.each))
        rows[:, 0], rows[:, 1], rows[:, 2:] = first, second, np.reshape(third, (-1, 1))
        return rows.ravel()

    def _by_weight(self, first: Array, second: Array, mixed: Array) -> Array:
        """Derivatives in both predictors, of the weights of the rows."""
        return self._rows(first - mixed, second - mixed, mixed)

    def density(self, rows: Array, parameters: dict[str, Array]) -> Array:
        """Log-density of each observation, in its first row."""
        eta, zeta = self.predictors(rows)
        own = self.family_alone.density(eta, _of_family(parameters))
        zeros = self.likelihood.zeros
        both = zeta[zeros] if self.void else np.logaddexp(zeta[zeros], own[zeros])
        value = own.copy()
        value[zeros] = both
        value = self._weighted(value - np.logaddexp(0, zeta))
        if not self.likelihood.keeps_means_inside:
            value = np.where(self.likelihood.has_possible_mean(eta), value, -np.inf)
        return self._rows(value)

    def eta_derivatives(self, rows: Array, parameters: dict[str, Array], order: int = 3) -> tuple:
        """Slopes in the rows, their weights with the sign turned, and the third derivatives.

        The last are those of each observation, for `felt`; None with ``order=2``.
        """
        eta, zeta = self.predictors(rows)
        d1, d2, d3 = self.family_alone.eta_derivatives(eta, _of_family(parameters), order=order)
        w, v, s = self._shares(eta, zeta, parameters)
        p = special.expit(zeta)
        pq = p * (1 - p)
        first = w * d1, (1 - w) - p
        second = w * d2 + v * d1**2, v - pq, -v * d1
        slopes = self._rows(*map(self._weighted, first))
        curvatures = self._by_weight(*map(self._weighted, second))
        if order == 2:
            return slopes, curvatures, None
        square = s * d1**2
        third = (
            w * d3 + 3 * v * d1 * d2 + square * d1,
            -v * d2 - square,
            s * d1,
            -s - pq * (1 - 2 * p),
        )
        return slopes, curvatures, tuple(map(self._weighted, third))

    def felt(self, third: tuple[Array, Array, Array, Array], h: Array) -> Array:
        """The slopes of ``Σ h W`` in both predictors, given the h of each row."""
        f111, f112, f122, f222 = third
        of_mean, of_zero, *rest = h.reshape(-1, self.each).T
        both = rest[0] if rest else 0.0
        by_eta = of_mean * (f111 - f112) + of_zero * (f122 - f112) + both * f112
        by_zeta = of_mean * (f112 - f122) + of_zero * (f222 - f122) + both * f122
        return self._rows(by_eta, by_zeta)

    def other_derivatives(self, rows: Array, parameters: dict[str, Array]) -> dict[str, tuple]:
        """For each further predictor: derivatives of the density, of its slopes and weights."""
        eta, zeta = self.predictors(rows)
        shape = _of_family(parameters)
        d1, d2, _ = self.family_alone.eta_derivatives(eta, shape, order=2)
        w, v, s = self._shares(eta, zeta, parameters)
        found = {}
        for name, (e0, e1, e2) in self.family_alone.other_derivatives(eta, shape).items():
            mixed = -v * e1 - s * d1 * e0
            found[name] = self._three(
                w * e0,
                (w * e1 + v * d1 * e0, -v * e0),
                (w * e2 + v * (e0 * d2 + 2 * d1 * e1) + s * d1**2 * e0, s * e0, mixed),
            )
        p = special.expit(zeta)
        pq = p * (1 - p)
        by_weight = -v * d2 - s * d1**2, -s - pq * (1 - 2 * p), s * d1
        found[ZERO] = self._three((1 - w) - p, (-v * d1, v - pq), by_weight)
        return found

    def _three(self, value: Array, slopes: tuple, curvatures: tuple) -> tuple[Array, Array, Array]:
        return (
            self._rows(self._weighted(value)),
            self._rows(*map(self._weighted, slopes)),
            self._by_weight(*map(self._weighted, curvatures)),
        )

    def _shares(self, eta: Array, zeta: Array, parameters) -> tuple[Array, Array, Array]:
        """Probability w that a value is of the family, w(1 - w) and w(1 - w)(1 - 2w)."""
        w, zeros = np.ones(len(eta)), self.likelihood.zeros
        if self.void:
            w[zeros] = 0.0
        else:
            own = self.family_alone.density(eta, _of_family(parameters))
            w[zeros] = special.expit(own[zeros] - zeta[zeros])
        v = w * (1 - w)
        return w, v, v * (1 - 2 * w)

    def _weighted(self, values: Array) -> Array:
        weights = self.likelihood.weights
        return values if weights is None else values * weights


def _of_family(parameters: dict[str, Array]) -> dict[str, Array]:
    return {name: value for name, value in parameters.items() if name != ZERO}


class PairedMarginal(Marginal):
    """The Laplace log-likelihood with random effects in the mean and in the zeros; see the module.

    The vector is that of `Marginal`; θ has the terms of the mean first.
    """

    def __init__(self, problem: Problem):
        super().__init__(problem)
        plain, each = self.pattern, self.rows.each
        self.pattern = Pattern(
            each * plain.starts, plain.codes.repeat(each), plain.index.repeat(each, axis=0),
            plain.prior, nesting=plain.nesting,
        )  # fmt: skip

    @property
    def rows(self):
        return PairedRows(self.likelihood)

    @cached_property
    def _shares(self) -> dict[str, Array]:
        """Of the rows of an observation, whether they hold what an effect or coefficient is on."""
        both = [1.0] * (self.rows.each - 2)
        on = {"mean": np.array([1.0, 0.0, *both]), ZERO: np.array([0.0, 1.0, *both])}
        shares = {"": np.ones(self.rows.each), "mean": on["mean"]}
        for where in ("block", "border"):
            columns = [
                np.tile(on[each.part][:, None], each.structure.q)
                for each in self.placed
                if each.in_block == (where == "block")
            ]
            shares[where] = np.hstack([np.zeros((self.rows.each, 0)), *columns])
        return shares

    def effects(self, vectors):
        plain, rows = super().effects(vectors), len(self.pattern.codes)
        block, border = (
            (values[:, None] * self._shares[where]).reshape(rows, values.shape[1])
            for where, values in (("block", plain.block), ("border", plain.values))
        )
        return EffectRows(self.pattern, block, border)

    def fixed(self, vectors):
        eta = super().fixed(vectors)
        return self.rows.sums(eta, np.broadcast_to(self.parameters(vectors)[ZERO], eta.shape))

    def by_part(self, values):
        return dict(zip(("mean", ZERO), self.rows.predictors(values), strict=True))

    def by_observation(self, rows, of=""):
        shape, shares = (self.pattern.copies, len(self.X), self.rows.each), self._shares[of]
        if not rows.size:
            return np.zeros((*shape[:2], *rows.shape[1:]))
        return np.einsum("cnk...,k...->cn...", rows.reshape(*shape, *rows.shape[1:]), shares)
