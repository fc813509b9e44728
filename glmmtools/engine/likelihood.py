"""The log-density of every row, with its derivatives in the linear predictors.

A row has up to three linear predictors: ``eta`` of the mean, one of the logarithm of each shape
parameter, and the logit of the probability of an extra zero. The engine asks for derivatives in
eta (three orders) and for those in the others of the log-density and of its first two derivatives.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property

import numpy as np
from scipy import special

from glmmtools.engine.problem import ZERO, Problem
from glmmtools.families.links import Link
from glmmtools.shared.matrices import coefficients_of_one, has_constant, orthonormal

Array = np.ndarray
_WIDEST = (np.exp(-60.0), np.exp(60.0))
_LEAST = 1e-7


class Likelihood:
    """The rows of a problem, in the order given, in internal units.

    So a response in millions is searched on the same footing as one in units.

    Attributes
    ----------
    scale : float
        Unit of the linear predictor, where it has the units of the response or of its inverse.
    unit : float
        Unit of the response: for normal and t with identity link that of the linear predictor.
    origin : float
        What is subtracted from the response first, where the fixed part can give it back.
    ones : ndarray, shape (p,), or None
        The coefficients with which it does so: their combination of the columns is 1.
    predictors : dict of ndarray
        Orthonormal columns of each shape parameter's log, and of the extra zeros' logit
        (``"zero"``).
    to_user : dict of ndarray
        The matrix that takes the coefficients of those columns to the user's.
    limits : dict of tuple
        Lowest and highest value of each shape parameter; beyond, the likelihood is constant.
    """

    def __init__(self, problem: Problem, order: Array):
        design = problem.design
        self.family, self.link = problem.family, problem.link
        self.trials = {name: values[order] for name, values in problem.trials.items()}
        self.unit, self.scale, self.origin = 1.0, 1.0, 0.0
        self.leaves_out_zero = self.family.leaves_out_zero
        self._take(design.y[order])
        self.ones: Array | None = None
        if self.family.location_scale and self.link.is_identity:
            self.ones = coefficients_of_one(design.X)
            if self.ones is not None:
                self.origin = float(np.mean(design.y - design.offset))
            if problem.dispersion is None or has_constant(problem.dispersion.X):
                self.unit = self.scale = float(np.std(design.y - design.offset))
            self._take(self.inner_response(self.y))
        elif self.link.has_units:
            self.scale = _spread(self.link(self.guessed_means()))
            self.link = _in_units(self.link, self.scale)
        self.offset = design.offset[order] / self.scale
        weights = None if design.weights is None else design.weights[order]
        prior = self.family.weights_divide_phi
        self.weights = None if prior else weights
        self.prior = weights if prior else None
        columns = dict.fromkeys(problem.shape, np.ones((design.n, 1)))
        columns |= {name: part.X[order] for name, part in problem.modelled.items()}
        both = {name: orthonormal(X) for name, X in columns.items()}
        self.predictors = {name: inner for name, (inner, _) in both.items()}
        self.to_user = {name: matrix for name, (_, matrix) in both.items()}
        self.is_constant = {
            name: X.shape[1] == 1 and bool(np.all(X == 1)) for name, X in self.predictors.items()
        }
        self.keeps_means_inside = self.link.mean_interval == self.family.mean_interval and bool(
            np.all(np.isinf(self.link.eta_interval))
        )
        mixed = problem.zero is not None and not problem.has_two_parts
        self.concave = self.family.log_concave and not mixed  # in eta, or nearly so
        self.limits = dict.fromkeys(problem.shape, _WIDEST)
        self.copies = 1

    def times(self, copies: int) -> Likelihood:
        """The rows of this many copies of the data, one after the other."""
        other = self.with_response(np.tile(self.observed, copies))
        for name in ("offset", "weights", "prior"):
            values = getattr(self, name)
            setattr(other, name, None if values is None else np.tile(values, copies))
        other.trials = {name: np.tile(values, copies) for name, values in self.trials.items()}
        other.copies = copies
        return other

    def with_response(self, y: Array) -> Likelihood:
        """The same rows with another response, in internal units."""
        other = copy.copy(self)
        other._take(y)
        return other

    def _take(self, y: Array) -> None:
        """A response; in `y` zeros that the family leaves out are a value whose density is void."""
        self.zeros, self.observed, self.y = np.flatnonzero(y == 0), y, y
        if self.leaves_out_zero and len(self.zeros):
            self.y = np.where(y == 0, np.sort(y[y != 0])[np.count_nonzero(y) // 2], y)

    def inner_response(self, y: Array) -> Array:
        """A response of the user's in internal units."""
        return (y - self.origin) / self.unit

    def user_response(self, y: Array) -> Array:
        """A response in internal units on the user's scale."""
        return y * self.unit + self.origin

    def user_eta(self, eta: Array) -> Array:
        """A linear predictor in internal units on the user's scale."""
        return eta * self.scale + self.origin

    def bound_dispersion(self, variance: float) -> None:
        """Bound the dispersion where it leaves less than 1e-7 of the `variance` to the rows.

        Where every row has a random effect of its own, no variance besides is an optimum like
        others; but close to it the digits are lost.
        """
        low, high = self.family.phi_limits(_LEAST * variance)
        if "phi" in self.limits:
            self.limits["phi"] = (max(low, _WIDEST[0]), min(high, _WIDEST[1]))

    def llf_shift(self) -> float:
        """What the scaling of the response adds to the log-likelihood."""
        rows = len(self.y) if self.weights is None else np.sum(self.weights)
        return -rows / self.copies * np.log(self.unit)

    @property
    def working(self) -> Array:
        """The guessed means on the link scale."""
        return self.link(self.guessed_means())

    def means(self, eta: Array) -> Array:
        """The means of these linear predictors."""
        return self.family.clipped_mean(eta, self.link)

    def guessed_means(self) -> Array:
        """Means near the observations and inside the interval of means."""
        family, y = self.family, self.y
        if family.takes_trials:
            return (y + 0.5) / (self.trials["trials"] + 1)
        if family.mean_interval == (0.0, 1.0):
            return np.clip(y, 0.01, 0.99)
        if family.mean_interval[0] == 0:
            return np.maximum(y, 0) + (0.1 * y.mean() if family.discrete else 0)
        if self.link.is_identity:
            return y
        return np.maximum(y, 1e-2 * np.std(y))

    def guessed_phi(self, mu: Array, within: float) -> float:
        """The logarithm of a dispersion near that of the data, by moments around means `mu`.

        `within` is the variance on the link scale that fixed and random effects leave.
        """
        phi = self.family.guessed_phi(self.y, mu, within, self.link, **self.trials)
        return float(np.log(phi) - (0 if self.prior is None else np.log(np.mean(1 / self.prior))))

    def guessed_shape(self, mu: Array) -> dict[str, float]:
        """The logarithms of the other shape parameters, near those of the data."""
        found = self.family.guessed_shape(self.y, mu)
        return {name: float(np.log(value)) for name, value in found.items()}

    def constant(self, name: str, value: float) -> Array:
        """Coefficients of a further predictor that give it one value in all rows."""
        matrix = self.predictors[name]
        return np.linalg.lstsq(matrix, np.full(len(matrix), value), rcond=None)[0]

    def shape_shift(self, name: str) -> float:
        """What the scaling of the response adds to the log of a shape parameter."""
        return 2 * np.log(self.unit) if name == "phi" else 0.0

    @cached_property
    def shifts(self) -> dict[str, Array]:
        """What that adds to the coefficients of each further predictor."""
        return {name: self.constant(name, self.shape_shift(name)) for name in self.predictors}

    @property
    def no_scatter(self) -> float:
        """The logarithm of a dispersion that leaves next to no scatter of its own to the rows."""
        return 12.0 if self.family.phi_is_precision else -12.0

    def guessed_zero(self, mu: Array) -> float:
        """The logit of the share of zeros beyond those of Poisson counts with these means."""
        own = 0.0 if self.leaves_out_zero else np.mean(np.exp(-np.maximum(mu, 0)))
        share = len(self.zeros) / len(self.y) - own
        return float(special.logit(np.clip(share, 0.02, 0.5)))

    def parameters(self, coefficients: dict[str, Array]) -> dict[str, Array]:
        """Shape parameters by row (one value where they do not vary); the zeros' logit as it is.

        Coefficients have one row a copy of the data.
        """
        values = {}
        for name, matrix in self.predictors.items():
            constant = self.is_constant[name]
            linear = coefficients[name][:, 0] if constant else coefficients[name] @ matrix.T
            value = linear if name == ZERO else self.bounded(name, linear)
            if constant:
                value = value[0] if self.copies == 1 else np.repeat(value, len(matrix))
            values[name] = np.ravel(value) if np.ndim(value) else value
        if self.prior is not None:
            values["phi"] = values["phi"] / self.prior
        return values

    def bounded(self, name: str, logarithm: Array) -> Array:
        """A shape parameter from its logarithm, between its limits."""
        with np.errstate(over="ignore", under="ignore"):
            return np.clip(np.exp(logarithm), *self.limits[name])

    def at_limit(self, name: str, value: Array) -> Array:
        """Whether a shape parameter lies at one of its limits, up to rounding."""
        low, high = self.limits[name]
        return (value <= low * (1 + 1e-12)) | (value >= high * (1 - 1e-12))

    def near_limit(self, name: str, value: Array) -> Array:
        """Whether a shape parameter lies so near to a limit that the search was stopped by it."""
        low, high = self.limits[name]
        return (value < 10 * low) | (value > high / 10)

    def has_possible_mean(self, eta: Array) -> Array:
        """Whether the mean lies inside the interval of the family's means, by row."""
        (low, high), (least, most) = self.family.mean_interval, self.link.eta_interval
        mu = self.link.inverse(eta)
        return (mu > low) & (mu < high) & (eta > least) & (eta < most)

    def density(self, eta: Array, parameters: dict[str, Array]) -> Array:
        """Log-density of each row; further axes of eta come first.

        It is minus infinity where the link gives a mean that the family cannot have.
        """
        shape, logit = self._split(parameters)
        value = self.family.eta_log_density(self.y, eta, self.link, **shape, **self.trials)
        if logit is not None:
            at, own = self._of_zeros(logit), value[..., self.zeros]
            value[..., self.zeros] = np.logaddexp(self._possible(own), at)
            value = value - np.logaddexp(0, logit)
        if self.weights is not None:
            value = value * self.weights
        if not self.keeps_means_inside:
            value = np.where(self.has_possible_mean(eta), value, -np.inf)
        return value

    def eta_derivatives(self, eta: Array, parameters: dict[str, Array], order: int = 3) -> tuple:
        """First three derivatives of the log-density of each row in eta.

        With ``order=2`` the third is None where it is costly.
        """
        shape, logit = self._split(parameters)
        d1, d2, d3 = self.family.eta_derivatives(
            self.y, eta, self.link, order=order, **shape, **self.trials
        )
        if logit is not None:
            w, v, s = self._zero_weights(eta, shape, logit)
            first, second = d1[..., self.zeros], d2[..., self.zeros]
            square = first * first
            if d3 is not None:
                third = w * d3[..., self.zeros] + first * (3 * v * second + s * square)
                d3 = self._at_zeros(d3, third)
            d1 = self._at_zeros(d1, w * first)
            d2 = self._at_zeros(d2, w * second + v * square)
        return self._weighted((d1, d2, d3))

    @staticmethod
    def felt(third: Array, h: Array) -> Array:
        """The slopes of ``Σ h d2`` in the predictor of each row, d2 the second derivatives."""
        return third * h

    def other_derivatives(self, eta: Array, parameters: dict[str, Array]) -> dict[str, tuple]:
        """For each further predictor: derivatives of the density and of its two eta-derivatives."""
        if not self.predictors:
            return {}
        shape, logit = self._split(parameters)
        found = self.family.shape_eta_derivatives(self.y, eta, self.link, **shape, **self.trials)
        for name, values in found.items():
            prior = self.prior if name == "phi" and self.prior is not None else 1.0
            outside = self.at_limit(name, shape[name] * prior)
            if np.any(outside):
                found[name] = tuple(np.where(outside, 0.0, each) for each in values)
        if logit is not None:
            d1, d2, _ = self.family.eta_derivatives(
                self.y, eta, self.link, order=2, **shape, **self.trials
            )
            d1, d2 = d1[..., self.zeros], d2[..., self.zeros]
            w, v, s = self._zero_weights(eta, shape, logit)
            for name, values in found.items():
                e0, e1, e2 = (each[..., self.zeros] for each in values)
                inflated = (
                    w * e0,
                    w * e1 + v * d1 * e0,
                    w * e2 + v * (e0 * d2 + 2 * d1 * e1) + s * d1**2 * e0,
                )
                found[name] = tuple(map(self._at_zeros, values, inflated))
            nothing = np.zeros(eta.shape)
            found[ZERO] = (
                self._at_zeros(nothing, 1 - w) - special.expit(logit),
                self._at_zeros(nothing, -v * d1),
                self._at_zeros(nothing, -v * d2 - s * d1**2),
            )
        return {name: self._weighted(values) for name, values in found.items()}

    def _split(self, parameters: dict[str, Array]) -> tuple[dict[str, Array], Array | None]:
        if ZERO not in parameters:
            return parameters, None
        shape = {name: value for name, value in parameters.items() if name != ZERO}
        return shape, parameters[ZERO]

    def _zero_weights(self, eta, shape, logit) -> tuple[Array, Array, Array]:
        """Of the zeros: probability w that it is a count, w(1 - w) and w(1 - w)(1 - 2w)."""
        shape = {name: self._of_zeros(value) for name, value in shape.items()}
        density = self.family.eta_log_density(
            self.y[self.zeros], eta[..., self.zeros], self.link, **shape
        )
        w = special.expit(self._possible(density) - self._of_zeros(logit))
        v = w * (1 - w)
        return w, v, v * (1 - 2 * w)

    def _possible(self, density: Array) -> Array:
        """The log-density of zeros: minus infinity where the family leaves them out."""
        return np.full_like(density, -np.inf) if self.leaves_out_zero else density

    def _of_zeros(self, parameter: Array) -> Array:
        return parameter[self.zeros] if np.ndim(parameter) else parameter

    def _at_zeros(self, values: Array, those: Array) -> Array:
        """The values of all rows with those of the zeros in their places."""
        values = values.copy()
        values[..., self.zeros] = those
        return values

    def _weighted(self, values: tuple) -> tuple:
        if self.weights is None:
            return values
        return tuple(None if each is None else each * self.weights for each in values)


def _spread(values: Array) -> float:
    """A measure of spread that a few extreme values do not move."""
    low, high = np.quantile(values, [0.1, 0.9])
    return float((high - low) / 2 or np.std(values) or 1.0)


def _in_units(link: Link, unit: float) -> Link:
    """The link with a linear predictor in these units."""

    def derivatives(eta):
        first, second, third = link.derivatives(eta * unit)
        return first * unit, second * unit**2, third * unit**3

    return replace(
        link,
        _forward=lambda mu: link(mu) / unit,
        _inverse=lambda eta: link.inverse(eta * unit),
        _derivatives=derivatives,
    )
