"""Standard errors of predictions, from the joint Hessian at the estimates of any engine.

A prediction is ``eta = X β + Z b`` at the conditional modes. Its variance has two parts, as in
glmmTMB's ``predict(se.fit = TRUE)``: that of the random effects given the parameters, and that of
all parameters (β, variances, shape) through the total derivative of eta, modes included
(Kass & Steffey 1989, J. Am. Stat. Assoc. 84:717).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import Problem
from glmmtools.engine.search import covariance_of
from glmmtools.formula.linear_predictor import linear_predictor
from glmmtools.formula.random_terms import RandomTerm

Array = np.ndarray
_STEP = 1e-4


class Joint:
    """The Laplace likelihood at an estimate: covariance of all parameters, modes nearby."""

    def __init__(self, problem: Problem, estimate: Estimate):
        self.marginal = Marginal(replace(problem, nagq=1))
        self.vector = self.marginal.vector_of(estimate)
        self.solution = self.marginal.solve(self.vector)
        size = len(self.vector)
        information = np.empty((size, size))
        self.nearby = []
        for k, shift in enumerate(np.eye(size) * _STEP):
            pair = [self._at(self.vector + sign * shift) for sign in (1, -1)]
            information[k] = (pair[1][1] - pair[0][1]) / (2 * _STEP)
            self.nearby.append([effects for effects, _ in pair])
        self.covariance = covariance_of((information + information.T) / 2)

    def _at(self, vector: Array):
        """Fixed effects and modes at a vector, and the gradient there."""
        solution = self.marginal.solve(vector)
        effects = (
            self.marginal.fixed_effects(vector, solution),
            self.marginal.modes(vector, solution),
        )
        return effects, self.marginal.gradient(vector, solution)

    def predictor_sds(self, X: Array, terms: tuple[RandomTerm, ...]) -> Array:
        """Standard errors of eta of new rows with these columns and random terms."""
        given = self.marginal.conditional_variances(self.vector, self.solution, X, terms)
        slopes = np.column_stack(
            [
                (linear_predictor(X, terms, *above) - linear_predictor(X, terms, *below))
                / (2 * _STEP)
                for above, below in self.nearby
            ]
        ) if self.nearby else np.zeros((len(X), 0))  # fmt: skip
        through = np.einsum("ni,ij,nj->n", slopes, self.covariance, slopes)
        return np.sqrt(np.maximum(given + through, 0))
