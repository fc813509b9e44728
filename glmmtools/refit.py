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
from typing import TYPE_CHECKING, Any

import numpy as np

from glmmtools.engines.likelihood import ZERO
from glmmtools.engines.marginal import Marginal
from glmmtools.engines.modes import Arrow, Pattern, Solution, find_modes

if TYPE_CHECKING:
    from glmmtools.model import FittedModel

__all__ = ["Rows", "observed_rows", "refitted_rows"]

Array = np.ndarray
_STACKED_ROWS = 100_000


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

    def cdf(self, y: Array) -> Array:
        value = self.family.cdf(y, self.mu, **self.shape)
        return np.clip(np.where(y < 0, 0, self.extra) + (1 - self.extra) * value, 0, 1)

    def pearson(self) -> Array:
        """Deviations from the mean over the standard deviation."""
        kept, variance = 1 - self.extra, self.family.variance(self.mu, **self.shape)
        trials = self.shape["trials"] if self.family.takes_trials else 1.0
        sd = np.sqrt(kept * (variance + self.extra * self.mu**2))
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


def refitted_rows(model: FittedModel, n: int, rng: np.random.Generator) -> Rows:
    """New responses (n, nobs) of a model at the linear predictor of its refit to each.

    Data sets whose modes cannot be found are left out. Of a model that did not converge the
    parameters stay as they are.
    """
    copies = _Copies(model)
    at_once = 1 if len(copies.marginal.pattern.prior) else max(1, _STACKED_ROWS // model.nobs)
    found = []
    for start in range(0, n, at_once):
        found += copies.drawn_and_refitted(min(at_once, n - start), rng)
    if not found:
        raise ValueError(
            "the model could be refitted to none of its simulated data sets; conditional=False "
            "tests without refits"
        )
    y, eta, parameters = (np.array(each) for each in zip(*found, strict=True))
    marginal, likelihood = copies.marginal, copies.marginal.likelihood
    back = np.argsort(marginal.order)
    shape = {name: parameters[:, k][..., back] for k, name in enumerate(likelihood.predictors)}
    if "phi" in shape:
        shape["phi"] = shape["phi"] * np.exp(marginal.shape_shift("phi"))
    logit = shape.pop(ZERO, None)
    extra = 0.0 if logit is None else 1 / (1 + np.exp(-logit))
    mu = model.family.clipped_mean(eta[:, back] * likelihood.scale, model.link)
    known = {**shape, **model._problem.trials}
    return Rows(model.family, y[:, back] * likelihood.unit, mu, known, extra)


class _Copies:
    """Data sets of one design side by side, each with parameters of its own."""

    def __init__(self, model: FittedModel):
        self.marginal = Marginal(replace(model._problem, nagq=1))
        self.family = model.family
        self.vector = self.marginal.vector_of(model._estimate)
        size = len(self.vector)
        self.covariance = model._joint.covariance if model.converged else np.zeros((size, size))
        self.border = np.zeros(len(self.marginal.pattern.prior))
        if self.marginal.problem.reml:  # the fixed effects stand among the random ones
            self.border = model._joint.solution.border

    def drawn_and_refitted(self, count: int, rng: np.random.Generator) -> list[tuple]:
        """The response, linear predictor and shape parameters of each data set."""
        pattern, vectors = self.marginal.pattern, np.tile(self.vector, (count, 1))
        u = rng.standard_normal((count * len(pattern.starts), self.marginal.q))
        drawn = rng.standard_normal(len(pattern.prior))
        border = np.where(pattern.prior > 0, drawn, self.border)
        effects, fixed, parameters = self._at(vectors)
        likelihood = self._likelihood(np.zeros((count, len(self.marginal.X))))
        mu = self.family.clipped_mean(fixed + effects.dot(u, border), likelihood.link)
        shape = {**parameters, **likelihood.trials}
        logit = shape.pop(ZERO, None)
        y = np.asarray(self.family.sample(mu, rng, **shape), float)
        if logit is not None:
            y[rng.random(len(y)) < 1 / (1 + np.exp(-logit))] = 0
        return self._refitted(y.reshape(count, -1), (u, border))

    def _refitted(self, y: Array, start: tuple[Array, Array]) -> list[tuple]:
        likelihood, count = self._likelihood(y), len(y)
        vectors, solution = np.tile(self.vector, (count, 1)), None
        with np.errstate(all="ignore"):
            effects, fixed, parameters = self._at(vectors)
            first = _modes(effects, fixed, likelihood, parameters, start)
            if first is not None:
                vectors = vectors + self._scores(y, first) @ self.covariance
                effects, fixed, parameters = self._at(vectors)
                start = first.u, first.border
                solution = _modes(effects, fixed, likelihood, parameters, start)
        if solution is None:
            if count == 1:
                return []
            cut, u = count // 2, self._by_copy(start[0], count)
            return [
                each for part in (slice(cut), slice(cut, None))
                for each in self._refitted(y[part], (np.vstack(u[part]), start[1]))
            ]  # fmt: skip
        names = self.marginal.likelihood.predictors
        shape = np.array([np.broadcast_to(parameters[name], y.size) for name in names])
        shape = np.moveaxis(shape.reshape(len(names), *y.shape), 0, 1)
        return list(zip(y, solution.eta.reshape(y.shape), shape, strict=True))

    def _scores(self, y: Array, solution: Solution) -> Array:
        """Gradient of the marginal log-likelihood of each data set at the estimates."""
        one, count = copy.copy(self.marginal), len(y)
        effects = one.effects(self.vector[one.names["theta"]])
        found = []
        u = self._by_copy(solution.u, count)
        parts = (solution.eta, *solution.derivatives)
        eta, d1, d2 = (each.reshape(y.shape) for each in parts)
        for k in range(count):
            one.likelihood = _responding(self.marginal.likelihood, y[k])
            at = Solution(
                u[k], solution.border, eta[k], eta[k], (d1[k], d2[k]), Arrow(effects, -d2[k])
            )
            found.append(one.gradient(self.vector, at))
        return np.array(found)

    def _by_copy(self, u: Array, count: int) -> Array:
        return u.reshape(count, len(self.marginal.pattern.starts), self.marginal.q)

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


def _modes(effects, fixed, likelihood, parameters, start) -> Solution | None:
    """The modes, found from a start or, where that fails (a variance of zero), from zeros."""
    found = find_modes(effects, fixed, likelihood, parameters, start)
    zeros = tuple(np.zeros_like(each) for each in start)
    return found or find_modes(effects, fixed, likelihood, parameters, zeros)


def _responding(likelihood, y: Array):
    """The same likelihood of another response, in the units of the first."""
    other = copy.copy(likelihood)
    other.y, other.is_zero = y, y == 0
    return other
