"""Standard errors of functions of all parameters, from the joint Hessian at any estimates.

A prediction is ``eta = X β + Z b`` at the conditional modes. Its variance has two parts, as in
glmmTMB's ``predict(se.fit = TRUE)``: that of the random effects given the parameters, and that of
all parameters (β, variances, shape) through the total derivative of eta, modes included
(Kass & Steffey 1989, J. Am. Stat. Assoc. 84:717).

Any other function of the parameters, such as a mean over the random effects, has its standard error
by the delta method: from its slopes, differenced along with the modes. A variance that is estimated
at zero adds nothing, for a function of it has no slope there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.marginals import marginal_of
from glmmtools.engine.modes import Solution
from glmmtools.engine.problem import ZERO, Problem
from glmmtools.engine.search import covariance_of
from glmmtools.formula.linear_predictor import linear_predictor
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.matrices import square_root

Array = np.ndarray
_STEP = 1e-4


class Parameters(NamedTuple):
    """Parameters on the user's scale: as in `Estimate`."""

    beta: Array
    modes: list[Array]
    covariances: list[Array]
    predictors: dict[str, Array]
    shape: dict[str, float]
    zero_modes: list[Array]
    zero_covariances: list[Array]


class Joint:
    """The Laplace likelihood at an estimate: covariance of all parameters, modes nearby."""

    def __init__(self, problem: Problem, estimate: Estimate):
        self.marginal = marginal_of(replace(problem, nagq=1))
        self.vector = self.marginal.vector_of(estimate)
        self.solution = self.marginal.solve(self.vector)
        self.here = self._parameters(self.vector, self.solution)
        size = len(self.vector)
        information = np.empty((size, size))
        self.nearby = []
        for k, shift in enumerate(np.eye(size) * _STEP):
            pair = [self._at(self.vector + sign * shift) for sign in (1, -1)]
            information[k] = (pair[1][1] - pair[0][1]) / (2 * _STEP)
            self.nearby.append([parameters for parameters, _ in pair])
        self.covariance = covariance_of((information + information.T) / 2)

    def _at(self, vector: Array) -> tuple[Parameters, Array]:
        """The parameters at a vector, and the gradient there."""
        solution = self.marginal.solve(vector)
        return self._parameters(vector, solution), self.marginal.gradient(vector, solution)

    def _parameters(self, vector: Array, solution: Solution) -> Parameters:
        marginal = self.marginal
        theta, k = vector[marginal.names["theta"]], len(marginal.problem.design.random)
        linear = {}
        for name, to_user in marginal.likelihood.to_user.items():
            linear[name] = to_user @ (
                vector[marginal.names[name]] + marginal.likelihood.shifts[name]
            )
        modelled, modes = marginal.problem.modelled, marginal.modes(vector, solution)
        covariances = [
            each.structure.covariance(theta[each.theta]) * each.unit**2 for each in marginal.placed
        ]
        return Parameters(
            marginal.fixed_effects(vector, solution),
            modes[:k],
            covariances[:k],
            {name: linear[name] for name in modelled},
            {name: float(np.exp(x[0])) for name, x in linear.items() if name not in modelled},
            modes[k:],
            covariances[k:],
        )

    def slopes(self, function: Callable[[Parameters], Array]) -> Array:
        """Of a function with m values, in each entry of the vector, shape (m, size)."""
        size = len(self.nearby), len(function(self.here))
        differences = [function(above) - function(below) for above, below in self.nearby]
        return np.reshape(differences, size).T / (2 * _STEP)

    def spread(self, function: Callable[[Parameters], Array]) -> Array:
        """Rows whose products are the covariances of the values of a function, shape (m, k).

        Under REML given the fixed effects, which are not in the vector.
        """
        return self.slopes(function) @ square_root(self.covariance)

    def predictor_sds(self, X: Array, terms: tuple[RandomTerm, ...]) -> Array:
        """Standard errors of eta of new rows with these columns and random terms."""
        given = self.effect_variances(X, terms)
        slopes = self.slopes(lambda at: linear_predictor(X, terms, at.beta, at.modes))
        through = np.einsum("ni,ij,nj->n", slopes, self.covariance, slopes)
        return np.sqrt(np.maximum(given + through, 0))

    def effect_variances(self, X: Array, terms: tuple[RandomTerm, ...]) -> Array:
        """Variances of eta of new rows given the parameters, under REML but for β."""
        return self.variances_of(X, {"mean": terms}, {})

    def variances_of(
        self, X: Array, terms: dict[str, tuple[RandomTerm, ...]], slopes: dict[str, Array]
    ) -> Array:
        """As `effect_variances`, of a function with these slopes in the predictors of the parts.

        The terms of each part in the new rows; of those of which there are none nothing depends.
        """
        problem, none = self.marginal.problem, (None,)
        of_mean = terms.get("mean") or none * len(problem.design.random)
        of_zero = terms.get(ZERO) or none * len(problem.zero_random)
        return self.marginal.conditional_variances(
            self.vector, self.solution, X, (*of_mean, *of_zero), slopes
        )


class JointOfZeros:
    """The same of the linear predictor of the zeros, as if it were that of a mean."""

    def __init__(self, whole: Joint):
        self.whole = whole

    @staticmethod
    def _as_mean(at: Parameters) -> Parameters:
        return Parameters(at.predictors[ZERO], at.zero_modes, at.zero_covariances, {}, {}, [], [])

    def spread(self, function: Callable[[Parameters], Array]) -> Array:
        """As `Joint.spread`."""
        return self.whole.spread(lambda at: function(self._as_mean(at)))

    def effect_variances(self, X: Array, terms: tuple[RandomTerm, ...]) -> Array:
        """As `Joint.effect_variances`."""
        return self.whole.variances_of(X, {ZERO: terms}, {})

    def predictor_sds(self, X: Array, terms: tuple[RandomTerm, ...]) -> Array:
        """As `Joint.predictor_sds`."""
        through = self.spread(lambda at: linear_predictor(X, terms, at.beta, at.modes))
        given = self.effect_variances(X, terms)
        return np.sqrt(np.maximum(given + np.sum(through**2, axis=1), 0))
