"""The likelihood of one parameter, maximised over all others: its profile.

The limit of a profile interval is the smallest or the largest value of a quantity among all
parameter vectors whose log-likelihood is at most half a chi-square quantile below its maximum,
which is where the profile of that quantity has fallen so far (Neale & Miller 1997, Behav. Genet.
27:113). One constrained search finds it, without tracing the profile.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from scipy import special

from glmmtools.covariances.base import Structure
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.marginals import marginal_of
from glmmtools.engine.problem import COEFFICIENT_NAMES, ZERO
from glmmtools.engine.search import covariance_of, information_at, maximise
from glmmtools.engine.start import starting_point
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.random_tables import parameter_name

Array = np.ndarray
_RETREATS = 4  # from points whose fall is not found
_LEVEL = 25.0  # variance of a logarithm that has next to no slope;
_NONE = 1e-7  # or of one whose curvature was too small for an inverse
_BESIDE_ZERO, _OFF_ZERO = 0.02, 0.3  # sds of random effects, in units of the linear predictor


class _Lost(Exception):
    """The search along a profile did not end at its lowest fall."""


class Quantity(NamedTuple):
    """A parameter as a function of the vector that is searched, and the range of its values.

    Its limits are those of its `power`, which says more where all of its values are near an end.
    """

    of: Callable[[Array], float]
    low: float = 0.0
    high: float = np.inf
    power: float = 1.0

    def __call__(self, vector: Array) -> float:
        return float(self.of(vector))

    @property
    def to_its_power(self) -> Quantity:
        if self.power == 1:
            return self
        return Quantity(lambda vector: self(vector) ** self.power, self.low, self.high)


class Profile:
    """The likelihood around its maximum, in coordinates in which its Hessian is the identity."""

    def __init__(self, marginal: Marginal, model: Fit):
        self.marginal, self.model = marginal, model
        optimum = maximise(marginal.value_and_gradient, marginal.vector_of(model.estimate))
        self.best, self.top = optimum.point, optimum.value
        information = information_at(marginal.value_and_gradient, self.best)
        self.covariance = covariance_of(information)
        self.at_limit = self._logarithms_without_slope()
        self.covariance[self.at_limit] = self.covariance[:, self.at_limit] = 0.0
        self.covariance[self.at_limit, self.at_limit] = 1.0
        values, vectors = np.linalg.eigh(self.covariance)
        self.root = vectors * np.sqrt(np.maximum(values, 1e-12))
        self._last: tuple[Array, float, Array] | None = None

    @classmethod
    def of(cls, model: Fit) -> Profile:
        """The profile of a fit, in the rows that are not separated."""
        finite = model.in_the_limit
        return cls(marginal_of(finite.problem), finite)

    def _logarithms_without_slope(self) -> Array:
        """Which entries are logarithms of a shape parameter, or logits of zeros, at their limit."""
        logarithms = np.zeros(len(self.best), dtype=bool)
        for name in self.marginal.likelihood.predictors:
            logarithms[self.marginal.names[name]] = True
        variances = np.diag(self.covariance)
        return logarithms & ~((variances > _NONE) & (variances < _LEVEL))

    @cached_property
    def moderate(self) -> Array:
        """The maximum, but for what is at its limit there: that is where searches start."""
        if not self.at_limit.any():
            return self.best
        return np.where(self.at_limit, starting_point(self.marginal), self.best)

    def quantities(self) -> dict[str, Quantity]:
        """All parameters by name."""
        marginal, scale = self.marginal, self.marginal.likelihood.scale
        quantities = {}
        beta = marginal.names["beta"]
        for j, name in enumerate(self.model.params.index[: marginal.n_fixed]):
            row, origin = marginal.to_user[j] * scale, marginal.origin[j]
            quantities[name] = Quantity(
                lambda v, row=row, origin=origin: row @ v[beta] + origin, low=-np.inf
            )
        terms = [term for term, _ in self.model.structured_terms]
        for placed, term in zip(marginal.structured, terms, strict=True):
            structure, start = placed.structure, marginal.names["theta"].start
            part = slice(start + placed.theta.start, start + placed.theta.stop)
            for i, name in enumerate(structure.sd_names):
                sd = partial(_sd, structure, part, i, placed.unit)
                quantities[parameter_name("sd", term, name)] = Quantity(sd)
            for i, name in enumerate(structure.correlation_names):
                correlation = partial(_correlation, structure, part, i)
                called, power = parameter_name("corr", term, name), structure.telling_distance
                quantities[called] = Quantity(correlation, structure.lowest_rho, 1.0, power)
        for name in self.model.estimate.shape:
            shift, place = marginal.likelihood.shape_shift(name), marginal.names[name].start
            power, label = 1.0, name
            if name == "phi" and self.model.family.has_residual_variance:
                power, label = 0.5, "residual sd"
            quantities[label] = Quantity(partial(_shape_parameter, place, shift, power))
        return quantities | self._modelled()

    def _modelled(self) -> dict[str, Quantity]:
        """The coefficients of the dispersion and of extra zeros, or their one probability."""
        marginal, quantities = self.marginal, {}
        for name, part in self.model.problem.modelled.items():
            to_user = marginal.likelihood.to_user[name]
            place = marginal.names[name]
            shift = marginal.likelihood.shifts[name]
            if name == ZERO and part.is_one_number:
                quantities[ZERO] = Quantity(
                    lambda v, row=to_user[0], place=place: special.expit(row @ v[place]), high=1.0
                )
                continue
            for row, own in zip(to_user, part.names, strict=True):
                quantities[COEFFICIENT_NAMES[name].format(own)] = Quantity(
                    lambda v, row=row, place=place, shift=shift: row @ (v[place] + shift),
                    low=-np.inf,
                )
        return quantities

    def interval(self, quantity: Quantity, drop: float) -> tuple[float, float, float]:
        """Estimate and limits: the quantity where the likelihood has fallen by `drop`."""
        if quantity.power != 1:
            found = self.interval(quantity.to_its_power, drop)
            return tuple(value ** (1 / quantity.power) for value in found)
        estimate = quantity(self.best)
        step = self._wald_step(quantity) * np.sqrt(2 * drop)
        limits = []
        for side in (-1, 1):
            # Beside a boundary the search for the extreme may end at a local one.
            limit = None if self.model.singular else self._extreme(quantity, side, drop)
            if limit is None:
                try:
                    limit = self._traced(quantity, estimate, side * step, drop)
                except _Lost:
                    limit = np.nan
            limits.append(limit)
        return estimate, *limits

    def falls(self, quantity: Quantity, values: Array) -> Array:
        """How far the profile lies below its maximum at increasing values, shape (n,).

        nan where it is not found.
        """
        values, quantity = values**quantity.power, quantity.to_its_power
        falls, middle = np.full(len(values), np.nan), np.searchsorted(values, quantity(self.best))
        for places in (range(middle, len(values)), range(middle - 1, -1, -1)):
            start = self._start(quantity)
            for place in places:
                with suppress(_Lost):
                    falls[place], start = self._lowest_fall(quantity, values[place], start)
        return falls

    def _vector(self, z: Array) -> Array:
        return self.best + self.root @ z

    def _gradient_of(self, quantity: Quantity, vector: Array) -> Array:
        h = 1e-6
        units = np.eye(len(vector)) * h
        return np.array([(quantity(vector + u) - quantity(vector - u)) / (2 * h) for u in units])

    def _slope(self, quantity: Quantity, z: Array) -> Array:
        return self.root.T @ self._gradient_of(quantity, self._vector(z))

    def _start(self, quantity: Quantity) -> Array:
        """Where searches start: the maximum; beside it for an sd of zero, which has no slope."""
        at_best = self._gradient_of(quantity, self.best)
        return np.full(len(self.best), 0.0 if np.any(at_best) else 0.1)

    def _wald_step(self, quantity: Quantity) -> float:
        slope = self._gradient_of(quantity, self._vector(self._start(quantity)))
        step = float(np.sqrt(slope @ self.covariance @ slope))
        step = max(step, abs(quantity(self.moderate) - quantity(self.best)))
        return step if np.isfinite(step) and step > 0 else 0.1 * (abs(quantity(self.best)) + 1e-3)

    def _fall(self, z: Array) -> tuple[float, Array]:
        """How much lower the likelihood is at z than at its maximum, and the slope of that."""
        if self._last is None or not np.array_equal(self._last[0], z):
            height, gradient = self.marginal.value_and_gradient(self._vector(z))
            fall = self.top - height if np.isfinite(height) else 1e6
            self._last = (z.copy(), fall, -self.root.T @ gradient)
        return self._last[1:]

    def _extreme(self, quantity: Quantity, side: int, drop: float) -> float | None:
        """The limit on one side; None where the search ends at a bound or does not end."""
        from scipy.optimize import minimize

        scale = self._wald_step(quantity)
        uphill = self._slope(quantity, np.zeros(len(self.best))) / scale
        uphill *= side * np.sqrt(2 * drop) / np.linalg.norm(uphill)
        constraint = {
            "type": "eq",
            "fun": lambda z: drop - self._fall(z)[0],
            "jac": lambda z: -self._fall(z)[1],
        }
        optimum = minimize(
            lambda z: -side * quantity(self._vector(z)) / scale, uphill,
            jac=lambda z: -side * (self._slope(quantity, z) / scale),
            method="SLSQP", constraints=[constraint], options={"ftol": 1e-10, "maxiter": 50},
        )  # fmt: skip
        limit = quantity(self._vector(optimum.x))
        exact = optimum.success and abs(self._fall(optimum.x)[0] - drop) < 1e-6
        inside = quantity.low + 0.02 * scale < limit < quantity.high - 0.02 * scale
        beside = self._off_zero(optimum.x) is not None
        return limit if exact and inside and not beside else None

    def _traced(self, quantity: Quantity, estimate: float, step: float, drop: float) -> float:
        """The limit on one side by stepping outward along the profile, bounds included."""
        from scipy.optimize import brentq

        start, found = self._start(quantity), {estimate: -drop}

        def beyond(value):  # from the point before, so that a second search may end elsewhere
            nonlocal start
            if value not in found:
                fall, start = self._lowest_fall(quantity, value, start)
                found[value] = fall - drop
            return found[value]

        inner, outer, side, retreats = estimate, estimate + step, np.sign(step), 0
        for _ in range(12):
            bounded = float(np.clip(outer, quantity.low, quantity.high))
            at_edge = bounded != outer
            if at_edge:
                outer = bounded - side * 1e-4 * abs(bounded - estimate)
            try:
                crossed = beyond(outer) >= 0
            except _Lost:  # too far at once
                outer, retreats = (inner + outer) / 2, retreats + 1
                if retreats > _RETREATS:
                    raise
                continue
            if crossed:
                break
            if at_edge:
                return bounded
            inner, outer, step = outer, outer + 2 * step, 2 * step
        else:
            return np.nan
        limit = float(brentq(beyond, inner, outer, rtol=1e-6))
        if abs(beyond(limit)) > 0.01:  # no root but a jump: one of two searches ended elsewhere
            raise _Lost
        return limit

    def _lowest_fall(self, quantity: Quantity, value: float, start: Array) -> tuple[float, Array]:
        """How much lower the likelihood is with the quantity at `value`, all else at its best."""
        from scipy.optimize import minimize

        scale = self._wald_step(quantity)
        constraint = {
            "type": "eq",
            "fun": lambda z: (quantity(self._vector(z)) - value) / scale,
            "jac": lambda z: self._slope(quantity, z) / scale,
        }

        def searched(z: Array | None) -> tuple[float, Array]:
            if z is None:
                return np.inf, self._start(quantity)
            optimum = minimize(
                self._fall, z, jac=True, method="SLSQP", constraints=[constraint],
                options={"ftol": 1e-9, "maxiter": 60},
            )  # fmt: skip
            exact = optimum.success and abs(constraint["fun"](optimum.x)) < 1e-4
            return (float(optimum.fun) if exact else np.inf), optimum.x

        fall, z = searched(start)
        if not np.isfinite(fall):
            fall, z = searched(self._start(quantity))
        fall, z = min((fall, z), searched(self._off_zero(z)), key=itemgetter(0))
        if not np.isfinite(fall):
            raise _Lost
        return fall, z

    def _off_zero(self, z: Array) -> Array | None:
        """A point where no standard deviation is zero, and none else at a limit: away from it.

        There the likelihood is level, whether or not it rises beside it. None where none is there.
        """
        vector, part = self._vector(z), self.marginal.names["theta"]
        at_zero = np.abs(vector[part]) < _BESIDE_ZERO
        distance = np.abs(vector - self.moderate)
        at_limit = self.at_limit & (distance > np.abs(self.best - self.moderate) - 1)
        if not (at_zero.any() or at_limit.any()):
            return None
        vector[part][at_zero] = _OFF_ZERO
        vector[at_limit] = self.moderate[at_limit]
        return np.linalg.solve(self.root, vector - self.best)


def _sd(structure: Structure, part: slice, i: int, scale: float, vector: Array) -> float:
    return scale * np.sqrt(structure.covariance(vector[part])[i, i])


def _shape_parameter(place: int, shift: float, power: float, vector: Array) -> float:
    with np.errstate(over="ignore"):  # a profile may be flat as far as one looks
        return np.exp(power * (vector[place] + shift))


def _correlation(structure: Structure, part: slice, i: int, vector: Array) -> float:
    theta = vector[part]
    values = structure.correlations(structure.covariance(theta), structure.rho(theta))
    return np.nan_to_num(values[i])  # beside a standard deviation of zero
