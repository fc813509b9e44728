"""The reference of simulated residuals: new responses of a model, and the model refitted to each.

A data set is drawn with new random effects. Its parameters (coefficients, variances, dispersion)
are one scoring step from the estimates, which is as good as their maximum to the first order (Le
Cam 1956; van der Vaart 1998, Asymptotic Statistics, 5.7); its random effects are at their modes
given these, exactly. Many data sets are solved at once, as the blocks of one problem; with crossed
factors, and for REML, one after the other.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from glmmtools.engines.likelihood import ZERO
from glmmtools.engines.marginal import Marginal
from glmmtools.engines.modes import Arrow, Pattern, Solution, find_modes

if TYPE_CHECKING:
    from glmmtools.model import FittedModel

__all__ = ["Rows", "observed_rows", "refitted_rows"]

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
        return (self._cdf(self.y - 1) if self.family.discrete else upper), upper

    def _cdf(self, y: Array) -> Array:
        value = self.family.cdf(y, self.mu, **self.shape)
        return np.clip(np.where(y < 0, 0, self.extra) + (1 - self.extra) * value, 0, 1)

    def pearson(self) -> Array:
        """Deviations from the mean over the standard deviation."""
        kept, variance = 1 - self.extra, self.family.variance(self.mu, **self.shape)
        trials = self.shape["trials"] if self.family.takes_trials else 1.0
        sd = np.sqrt(kept * (variance + self.extra * self.mu**2))
        sd = np.where(np.isfinite(sd), sd, np.nan)  # t without a variance
        return (self.y - kept * self.mu * trials) / sd

    def zero_probability(self) -> Array:
        """The probability of a response of 0."""
        density = self.family.log_density(np.zeros_like(self.mu), self.mu, **self.shape)
        return self.extra + (1 - self.extra) * np.exp(density)


def observed_rows(model: FittedModel) -> Rows:
    """The responses of the fit, at the fitted linear predictor."""
    problem, shape = model._problem, model._shape()
    if problem.design.weights is not None and model.family.name == "normal":
        shape["phi"] = shape["phi"] / problem.design.weights
    mu = model.family.clipped_mean(model.linear_predictor.to_numpy(), model.link)
    return Rows(
        model.family, problem.design.y, mu, {**shape, **problem.trials}, model._extra_zeros()
    )


def refitted_rows(model: FittedModel, n: int, seed: Any) -> Rows:
    """New responses (n, nobs) of a model at the linear predictor of its refit to each.

    Data sets whose modes cannot be found are left out. Of a model that did not converge the
    parameters stay as they are.
    """
    copies = _Copies(model)
    marginal, likelihood = copies.marginal, copies.marginal.likelihood
    drawn = model.simulate(n, seed)[:, marginal.order] / likelihood.unit
    at_once = 1 if len(marginal.pattern.prior) else max(1, _STACKED_ROWS // model.nobs)
    found = [
        each for start in range(0, n, at_once) for each in copies.refit(drawn[start:][:at_once])
    ]
    if not found:
        raise ValueError(
            "the model could be refitted to none of its simulated data sets; conditional=False "
            "tests without refits"
        )
    y, eta, parameters = (np.array(each) for each in zip(*found, strict=True))
    back = np.argsort(marginal.order)
    shape = {name: parameters[:, k][..., back] for k, name in enumerate(likelihood.predictors)}
    if "phi" in shape:
        shape["phi"] = shape["phi"] * np.exp(marginal.shape_shift("phi"))
        if model.method == "OLS":  # whose residual variance is unbiased
            shape["phi"] = shape["phi"] * model.nobs / (model.nobs - marginal.p)
    extra = special.expit(shape.pop(ZERO)) if ZERO in shape else 0.0
    mu = model.family.clipped_mean(eta[:, back] * likelihood.scale, model.link)
    known = {**shape, **model._problem.trials}
    return Rows(model.family, y[:, back] * likelihood.unit, mu, known, extra)


class _Copies:
    """Data sets of one design side by side, each with parameters of its own."""

    def __init__(self, model: FittedModel):
        self.marginal = Marginal(replace(model._problem, nagq=1))
        self.vector = self.marginal.vector_of(model._estimate)
        size = len(self.vector)
        self.covariance = model._joint.covariance if model.converged else np.zeros((size, size))

    def refit(self, y: Array) -> list[tuple]:
        """The response, linear predictor and parameters by row of each data set (count, nobs)."""
        likelihood, count = self._likelihood(y), len(y)
        pattern, vectors, solution = self.marginal.pattern, np.tile(self.vector, (count, 1)), None
        start = (
            np.zeros((count * len(pattern.starts), self.marginal.q)),
            np.zeros_like(pattern.prior),
        )
        with np.errstate(all="ignore"):
            effects, fixed, parameters = self._at(vectors)
            first = find_modes(effects, fixed, likelihood, parameters, start)
            if first is not None:
                vectors = vectors + self._scores(y, first) @ self.covariance
                effects, fixed, parameters = self._at(vectors)
                start = first.u, first.border
                solution = find_modes(effects, fixed, likelihood, parameters, start)
        if solution is None:  # because of some data set: alone, the others succeed
            halves = np.array_split(y, 2) if count > 1 else []
            return [each for half in halves for each in self.refit(half)]
        shape = np.array([parameters[name] for name in self.marginal.likelihood.predictors])
        shape = np.moveaxis(shape.reshape(-1, *y.shape), 0, 1)
        return list(zip(y, solution.eta.reshape(y.shape), shape, strict=True))

    def _scores(self, y: Array, solution: Solution) -> Array:
        """Gradient of the marginal log-likelihood of each data set at the estimates."""
        one, count = copy.copy(self.marginal), len(y)
        effects = one.effects(self.vector[one.names["theta"]])
        found = []
        u = solution.u.reshape(count, -1, one.q) if one.q else np.zeros((count, 0, 0))
        parts = (solution.eta, *solution.derivatives)
        eta, d1, d2 = (each.reshape(y.shape) for each in parts)
        for k in range(count):
            one.likelihood = _responding(self.marginal.likelihood, y[k])
            at = Solution(
                u[k], solution.border, eta[k], eta[k], (d1[k], d2[k]), Arrow(effects, -d2[k])
            )
            found.append(one.gradient(self.vector, at))
        return np.array(found)

    def _at(self, vectors: Array):
        """Effects, fixed part and parameters by row, of all data sets one below the other."""
        marginal, names = self.marginal, self.marginal.names
        count, n = len(vectors), len(marginal.X)
        each = [marginal.effects(vector[names["theta"]]) for vector in vectors]
        effects = each[0]
        if count > 1:
            pattern = marginal.pattern
            data_set = np.arange(count)[:, None]
            codes = (pattern.codes + len(pattern.starts) * data_set).ravel()
            starts = (pattern.starts + n * data_set).ravel()
            index = np.zeros((count * n, 0), int)
            effects = replace(
                effects, pattern=Pattern(starts, codes, index, pattern.prior),
                block=np.vstack([e.block for e in each]), values=np.zeros((count * n, 0)),
            )  # fmt: skip
        fixed = np.tile(marginal.likelihood.offset, (count, 1))
        if not marginal.problem.reml:
            fixed = fixed + vectors[:, names["beta"]] @ marginal.X.T
        rows = [marginal.parameters(vector) for vector in vectors]
        parameters = {
            name: np.concatenate([np.broadcast_to(row[name], n) for row in rows])
            for name in marginal.likelihood.predictors
        }
        return effects, fixed.ravel(), parameters

    def _likelihood(self, y: Array):
        """The likelihood of several responses, one below the other."""
        stacked = _responding(self.marginal.likelihood, y.ravel())
        stacked.trials = {name: np.tile(v, len(y)) for name, v in stacked.trials.items()}
        stacked.weights = None  # `simulate` lets pass only weights of 1
        return stacked


def _responding(likelihood, y: Array):
    """The same likelihood of another response, in the units of the first."""
    other = copy.copy(likelihood)
    other.y, other.is_zero = y, y == 0
    return other
