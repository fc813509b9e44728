"""The reference of simulated residuals: new responses of a model, and the model refitted to each.

A data set is drawn with new random effects. Its parameters (coefficients, variances, dispersion)
are one scoring step from the estimates, which is as good as their maximum to the first order (Le
Cam 1956; van der Vaart 1998, Asymptotic Statistics, 5.7); its random effects are at their modes
given these, exactly. Many data sets are solved at once, as copies of one problem.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import special

from glmmtools.engine import laplace
from glmmtools.engine.correlated import whitened_rows
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.marginals import marginal_of
from glmmtools.engine.modes import Solution
from glmmtools.engine.problem import ZERO
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.prediction import simulate
from glmmtools.formula.draw import draw

Array = np.ndarray
_STEPS = 3  # for what is compared with new random effects, whose variances are fitted to it
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


def decorrelated(model: Fit) -> Fit:
    """The linear model of the whitened rows; the model itself if its residuals are independent.

    With the covariance of the rows given, generalised least squares is least squares of rows from
    which is taken what those before them tell (`whitened_rows`).
    """
    problem = model.problem
    if problem.residual is None:
        return model
    y, X = whitened_rows(problem, model.estimate)
    design = replace(
        problem.design, X=X, response=replace(problem.design.response, y=y), random=(), recipes=(),
        offset=0.0 * y, offset_beside=0.0,
    )  # fmt: skip
    white = replace(problem, design=design, residual=None, reml=False)
    return Fit(white, laplace.fit(white))


def observed_rows(model: Fit) -> Rows:
    """The responses of the fit, at the fitted linear predictor."""
    if model.separated:
        return _with_certain(model, observed_rows(model.in_the_limit))
    mu = model.family.clipped_mean(model.linear_predictor.to_numpy(), model.link)
    y, extra_zero = model.design.y, model.extra_zero_probability()
    return Rows(model.family, y, mu, model.row_parameters, extra_zero)


@dataclass(frozen=True, eq=False)
class _Refit:
    """A model fitted to one of its responses; rows are in the order of the search.

    Attributes
    ----------
    y, eta, fixed : ndarray, shape (nobs,)
        The response, the linear predictor at the modes, and without random effects.
    theta : ndarray
        The parameters of the random effects.
    by_row, fixed_by_row : ndarray, shape (parameters, nobs)
        Shape parameters and the logit of extra zeros, as the likelihood has them; at the modes,
        and without random effects.
    """

    y: Array
    eta: Array
    fixed: Array
    theta: Array
    by_row: Array
    fixed_by_row: Array


class Refits:
    """Data sets of a model, with new random effects, and the model refitted to each.

    Those whose modes cannot be found are left out. Of a model that did not converge the parameters
    stay as they are.
    """

    def __init__(self, model: Fit, n: int, seed: Any, steps: int = 1):
        self.model, self.marginal = model, marginal_of(replace(model.problem, nagq=1))
        marginal, likelihood = self.marginal, self.marginal.likelihood
        self.back = np.argsort(marginal.order)
        vector = marginal.vector_of(model.estimate)
        size = len(vector)
        covariance = model.joint.covariance if model.converged else np.zeros((size, size))
        drawn = likelihood.inner_response(simulate(model, n, seed)[:, marginal.order])
        at_once = max(1, _STACKED_ROWS // model.nobs)
        self.all: list[_Refit] = []
        for start in range(0, n, at_once):
            some = drawn[start : start + at_once]
            self.all += _refit(marginal, some, vector, covariance, steps)
        if not self.all:
            raise ValueError("the model could be refitted to none of its simulated data sets")

    def parameters(self, by_row: Array) -> tuple[dict[str, Any], Any]:
        """Shape parameters with trials, and extra zeros, in the order of the data."""
        model, marginal = self.model, self.marginal
        names = marginal.likelihood.predictors
        shape = {name: by_row[..., k, self.back] for k, name in enumerate(names)}
        if "phi" in shape:
            shape["phi"] = shape["phi"] * np.exp(marginal.likelihood.shape_shift("phi"))
            if model.method == "OLS":  # whose residual variance is unbiased
                shape["phi"] = shape["phi"] * model.nobs / (model.nobs - marginal.p)
        extra = special.expit(shape.pop(ZERO)) if ZERO in shape else 0.0
        return {**shape, **model.problem.trials}, extra

    def rows(self) -> Rows:
        """All responses at the linear predictors of their refits."""
        model, likelihood = self.model, self.marginal.likelihood
        y, eta, by_row = (
            np.array([getattr(each, name) for each in self.all]) for name in ("y", "eta", "by_row")
        )
        mu = model.family.clipped_mean(likelihood.user_eta(eta[:, self.back]), model.link)
        shape, extra = self.parameters(by_row)
        return Rows(model.family, likelihood.user_response(y[:, self.back]), mu, shape, extra)

    def draws(self, n: int, seed: Any) -> Iterator[tuple[Array, Array]]:
        """Each response, and n new ones of its refit with new random effects."""
        model, likelihood = self.model, self.marginal.likelihood
        rng = np.random.default_rng(seed)
        for refit in self.all:
            eta, zeta = self._drawn_predictors(refit, n, rng)
            by_row = refit.fixed_by_row
            if self.model.zero_terms:
                by_row = np.tile(by_row, (n, 1, 1))
                by_row[:, _place_of_zeros(self.marginal)] += zeta
            shape, extra = self.parameters(by_row)
            eta = likelihood.user_eta(eta[:, self.back])
            drawn = draw(eta, model.family, model.link, shape, extra, rng)
            yield likelihood.user_response(refit.y[self.back]), drawn

    def _drawn_predictors(
        self, refit: _Refit, n: int, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Eta with new random effects, and what these add to the logit of the zeros, (n, nobs)."""
        eta = np.tile(refit.fixed, (n, 1))
        predictors = {"mean": eta, ZERO: np.zeros(eta.shape)}
        for placed in self.marginal.placed:
            structure = placed.structure
            columns = structure.rows(refit.theta[placed.theta])
            u = rng.standard_normal((n, structure.n_levels, structure.q))
            for k in range(structure.q):
                predictors[placed.part] += columns[:, k] * u[:, structure.codes, k]
        return eta, predictors[ZERO]


def refitted_rows(model: Fit, n: int, seed: Any) -> Rows:
    """New responses (n, nobs) of a model at the linear predictor of its refit to each."""
    if model.separated and not model.in_the_limit.nobs:
        rows = observed_rows(model)
        return replace(rows, y=np.tile(rows.y, (n, 1)), mu=np.tile(rows.mu, (n, 1)))
    if model.separated:
        return _with_certain(model, refitted_rows(model.in_the_limit, n, seed))
    return Refits(model, n, seed).rows()


def refitted_draws(model: Fit, n: int, seed: Any) -> Iterator[tuple[Array, Array]]:
    """New responses of a model, (nobs,), each with n draws of its refit, (n, nobs)."""
    if not model.separated:
        yield from Refits(model, n, seed, _STEPS).draws(n, (*seed, 1))
        return
    y, finite = model.design.y, model.in_the_limit
    left = ~model.estimate.limit.separation.certain
    nothing = (np.zeros(0), np.zeros((n, 0)))
    for response, drawn in refitted_draws(finite, n, seed) if finite.nobs else [nothing] * n:
        whole, others = y.copy(), np.tile(y, (n, 1))
        whole[left], others[:, left] = response, drawn
        yield whole, others


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


def _refit(
    marginal: Marginal, y: Array, vector: Array, covariance: Array, steps: int
) -> list[_Refit]:
    """The refit to each data set (count, nobs), by scoring steps.

    One step is the usual one-step estimate, taken as it is; of several none may lower a likelihood.
    """
    copies, vectors = copy.copy(marginal.times(len(y))), np.tile(vector, (len(y), 1))
    copies.likelihood = copies.likelihood.with_response(y.ravel())
    copies.likelihood.weights = None  # `simulate` lets pass only weights of 1
    solution = copies.solve(vectors)
    for _ in range(steps):
        if solution is not None:
            vectors, solution = _step(copies, vectors, solution, covariance, careful=steps > 1)
    if solution is None:  # because of some data set: alone, the others succeed
        halves = np.array_split(y, 2) if len(y) > 1 else []
        found = [_refit(marginal, half, vector, covariance, steps) for half in halves]
        return [refit for half in found for refit in half]
    parameters = copies.parameters(vectors)
    by_row = np.array(
        [np.broadcast_to(parameters[name], y.size) for name in marginal.likelihood.predictors]
    )
    by_row = np.moveaxis(by_row.reshape(-1, *y.shape), 0, 1)
    fixed = marginal.likelihood.offset + marginal.coefficients(vectors, solution) @ marginal.X.T
    theta, at_modes = vectors[:, marginal.names["theta"]], by_row.copy()
    at = {part: values.reshape(y.shape) for part, values in copies.by_part(solution.eta).items()}
    if ZERO in at:
        at_modes[:, _place_of_zeros(marginal)] = at[ZERO]
    return list(map(_Refit, y, at["mean"], fixed, theta, at_modes, by_row))


def _place_of_zeros(marginal: Marginal) -> int:
    """Among the parameters of a row."""
    return list(marginal.likelihood.predictors).index(ZERO)


def _step(
    copies: Marginal, vectors: Array, solution: Solution, covariance: Array, careful: bool
) -> tuple[Array, Solution | None]:
    """A scoring step of each data set; if careful, but of those whose likelihood it would lower."""
    moved = vectors + copies.gradient(vectors, solution) @ covariance
    reached = copies.solve(moved)
    if careful and reached is not None:
        before, after = (np.atleast_1d(copies.value(each)) for each in (solution, reached))
        lower = ~(after >= before)
        if lower.any():
            moved[lower] = vectors[lower]
            reached = copies.solve(moved)
    return moved, reached
