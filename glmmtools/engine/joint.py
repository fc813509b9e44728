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

from glmmtools.engine.correlated import marginal_of
from glmmtools.engine.estimate import Estimate
from glmmtools.engine.modes import Solution
from glmmtools.engine.problem import Problem
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
        theta, scale = vector[marginal.names["theta"]], marginal.likelihood.scale
        linear = {}
        for name, to_user in marginal.likelihood.to_user.items():
            linear[name] = to_user @ (
                vector[marginal.names[name]] + marginal.likelihood.shifts[name]
            )
        modelled = marginal.problem.modelled
        return Parameters(
            marginal.fixed_effects(vector, solution),
            marginal.modes(vector, solution),
            [each.structure.covariance(theta[each.theta]) * scale**2 for each in marginal.placed],
            {name: linear[name] for name in modelled},
            {name: float(np.exp(x[0])) for name, x in linear.items() if name not in modelled},
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
        return self.marginal.conditional_variances(self.vector, self.solution, X, terms)
