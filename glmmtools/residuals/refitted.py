"""The reference of simulated residuals: new responses of a model, and the model refitted to each.

A data set is drawn with new random effects. Its parameters (coefficients, variances, dispersion)
are one scoring step from the estimates, which is as good as their maximum to the first order (Le
Cam 1956; van der Vaart 1998, Asymptotic Statistics, 5.7); its random effects are at their modes
given these, exactly. Many data sets are solved at once, as copies of one problem.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import special

from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import ZERO
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.prediction import simulate

Array = np.ndarray
_STACKED_ROWS = 10_000  # more at once would not fit the cache of a processor


@dataclass(frozen=True, eq=False)
class Rows:
    """Responses and their distributions, arrays of shape (…, nobs).

    Attributes
    ----------
    y : ndarray
    mu, shape, extra : ndarray, dict, ndarray
        Mean parameter, shape parameters and trials, and the probability of an extra zero.
    """

    family: Any
    y: Array
    mu: Array
    shape: dict[str, Any]
    extra: Any

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """P(Y < y) and P(Y ≤ y)."""
        upper = self._cdf(self.y)
        if self.family.discrete:
            return self._cdf(self.y - 1), upper
        own = (1 - self.extra) * self.family.probability_of(self.y, self.mu, **self.shape)
        return np.maximum(upper - own - np.where(self.y == 0, self.extra, 0), 0), upper

    def _cdf(self, y: Array) -> Array:
        value = self.family.cdf(y, self.mu, **self.shape)
        return np.clip(np.where(y < 0, 0, self.extra) + (1 - self.extra) * value, 0, 1)

    def pearson(self) -> Array:
        """Deviations from the mean over the standard deviation."""
        kept, variance = 1 - self.extra, self.family.variance(self.mu, **self.shape)
        mean = self.family.mean(self.mu, **self.shape)
        sd = np.sqrt(kept * (variance + self.extra * mean**2))
        sd = np.where(np.isfinite(sd), sd, np.nan)  # t without a variance
        return (self.y - kept * mean) / sd

    def zero_probability(self) -> Array:
        """The probability of a response of 0."""
        own = self.family.probability_of(0.0, self.mu, **self.shape)
        return self.extra + (1 - self.extra) * own


def observed_rows(model: Fit) -> Rows:
    """The responses of the fit, at the fitted linear predictor."""
    if model.separated:
        return _with_certain(model, observed_rows(model.in_the_limit))
    mu = model.family.clipped_mean(model.linear_predictor.to_numpy(), model.link)
    y, extra_zero = model.design.y, model.extra_zero_probability()
    return Rows(model.family, y, mu, model.row_parameters, extra_zero)


def refitted_rows(model: Fit, n: int, seed: Any) -> Rows:
    """New responses (n, nobs) of a model at the linear predictor of its refit to each.

    Data sets whose modes cannot be found are left out. Of a model that did not converge the
    parameters stay as they are.
    """
    if model.separated and not model.in_the_limit.nobs:
        rows = observed_rows(model)
        return replace(rows, y=np.tile(rows.y, (n, 1)), mu=np.tile(rows.mu, (n, 1)))
    if model.separated:
        return _with_certain(model, refitted_rows(model.in_the_limit, n, seed))
    marginal = Marginal(replace(model.problem, nagq=1))
    likelihood, vector = marginal.likelihood, marginal.vector_of(model.estimate)
    size = len(vector)
    covariance = model.joint.covariance if model.converged else np.zeros((size, size))
    drawn = likelihood.inner_response(simulate(model, n, seed)[:, marginal.order])
    at_once = max(1, _STACKED_ROWS // model.nobs)
    refits = []
    for start in range(0, n, at_once):
        refits += _refit(marginal, drawn[start : start + at_once], vector, covariance)
    if not refits:
        raise ValueError(
            "the model could be refitted to none of its simulated data sets; conditional=False "
            "tests without refits"
        )
    y, eta, parameters = (np.array(part) for part in zip(*refits, strict=True))
    back = np.argsort(marginal.order)
    shape = {name: parameters[:, k][..., back] for k, name in enumerate(likelihood.predictors)}
    if "phi" in shape:
        shape["phi"] = shape["phi"] * np.exp(marginal.shape_shift("phi"))
        if model.method == "OLS":  # whose residual variance is unbiased
            shape["phi"] = shape["phi"] * model.nobs / (model.nobs - marginal.p)
    extra = special.expit(shape.pop(ZERO)) if ZERO in shape else 0.0
    mu = model.family.clipped_mean(likelihood.user_eta(eta[:, back]), model.link)
    known = {**shape, **model.problem.trials}
    return Rows(model.family, likelihood.user_response(y[:, back]), mu, known, extra)


def _with_certain(model: Fit, rows: Rows) -> Rows:
    """The rows that are not separated among all rows: the others repeat what was observed."""
    left = ~model.estimate.limit.separation.certain

    def filled(values: Any, others: Any) -> Any:
        if np.ndim(values) == 0:
            return values
        whole = np.broadcast_to(others, (*np.shape(values)[:-1], model.nobs)).astype(float)
        whole[..., left] = values
        return whole

    end = model.family.clipped_mean(model.fixed_predictor, model.link)
    known = {name: filled(values, 1.0) for name, values in rows.shape.items()}
    return Rows(
        model.family, filled(rows.y, model.design.y), filled(rows.mu, end),
        known | model.problem.trials, filled(rows.extra, 0.0),
    )  # fmt: skip


def _refit(marginal: Marginal, y: Array, vector: Array, covariance: Array) -> list[tuple]:
    """The response, linear predictor and parameters by row of each data set (count, nobs)."""
    copies, vectors = copy.copy(marginal.times(len(y))), np.tile(vector, (len(y), 1))
    copies.likelihood = copies.likelihood.with_response(y.ravel())
    copies.likelihood.weights = None  # `simulate` lets pass only weights of 1
    solution = copies.solve(vectors)
    if solution is not None:
        vectors = vectors + copies.gradient(vectors, solution) @ covariance
        solution = copies.solve(vectors)
    if solution is None:  # because of some data set: alone, the others succeed
        halves = np.array_split(y, 2) if len(y) > 1 else []
        return [refit for half in halves for refit in _refit(marginal, half, vector, covariance)]
    parameters = copies.parameters(vectors)
    shape = np.array(
        [np.broadcast_to(parameters[name], y.size) for name in marginal.likelihood.predictors]
    )
    shape = np.moveaxis(shape.reshape(-1, *y.shape), 0, 1)
    return list(zip(y, solution.eta.reshape(y.shape), shape, strict=True))
