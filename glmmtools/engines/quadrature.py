"""Adaptive Gauss-Hermite quadrature for models with one random term.

The integral of each group is a sum over nodes placed at the group's mode and scaled by its Hessian
(Pinheiro & Bates 1995, J. Comput. Graph. Stat. 4:12): with ``H = C Cᵀ``, ``u_k = û + C⁻ᵀ z_k`` and
weights ``w_k`` for the standard normal density,
``log L_g = -½ log|H| + log Σ_k w_k exp(h(u_k) + |z_k|²/2)``. One node is the Laplace approximation.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy import special

from glmmtools.engines.base import Problem
from glmmtools.engines.marginal import Marginal
from glmmtools.engines.modes import Solution

__all__ = ["QuadratureMarginal", "why_no_quadrature"]

Array = np.ndarray
_MAX_NODES = 2000
_STEP = 1e-4


def why_no_quadrature(problem: Problem) -> str | None:
    """Say why the integrals of this problem are not summed over nodes; None if they can be."""
    random = problem.design.random
    if len(random) != 1 or random[0].structure not in ("unstructured", "independent"):
        return "quadrature needs exactly one random term, without a time structure"
    nodes = problem.nagq ** len(random[0].names)
    if nodes > _MAX_NODES:
        return f"nagq={problem.nagq} means {nodes} nodes a group; at most {_MAX_NODES} are summed"
    return None


class QuadratureMarginal(Marginal):
    """The log-likelihood by quadrature; its gradient is differenced from it."""

    def __init__(self, problem: Problem):
        super().__init__(problem)
        nodes, weights = np.polynomial.hermite_e.hermegauss(problem.nagq)
        self.nodes = np.array(list(itertools.product(nodes, repeat=self.q)))
        products = itertools.product(np.log(weights / weights.sum()), repeat=self.q)
        self.log_weights = np.array([sum(each) for each in products])

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        value = self._value_at(vector)
        gradient = np.zeros(self.size)
        if not np.isfinite(value):
            return value, gradient
        for k, shift in enumerate(np.eye(self.size) * _STEP):
            above, below = self._value_at(vector + shift), self._value_at(vector - shift)
            gradient[k] = (above - below) / (2 * _STEP)
        return value, gradient

    def _value_at(self, vector: Array) -> float:
        solution = self.solve(vector)
        return -np.inf if solution is None else self._sum_of_nodes(vector, solution)

    def _sum_of_nodes(self, vector: Array, solution: Solution) -> float:
        effects, parameters = solution.arrow.effects, self.parameters(vector)
        factor = np.linalg.cholesky(solution.arrow.inverse)  # L Lᵀ = H⁻¹, so that u = û + L z
        terms = np.empty((len(self.nodes), len(solution.u)))
        no_border = solution.border
        with np.errstate(all="ignore"):
            for k, z in enumerate(self.nodes):
                shift = factor @ z
                eta = solution.eta + effects.dot(shift, no_border)
                density = effects.by_block(self.likelihood.density(eta, parameters))
                prior = 0.5 * np.sum((solution.u + shift) ** 2, axis=1)
                terms[k] = self.log_weights[k] + density - prior + 0.5 * z @ z
        total = special.logsumexp(terms, axis=0).sum() - 0.5 * solution.arrow.logdet
        return float(total + self.likelihood.llf_shift())
