"""Adaptive Gauss-Hermite quadrature for models with one random term.

The integral of each group is a sum over nodes placed at the group's mode and scaled by its Hessian
(Pinheiro & Bates 1995, J. Comput. Graph. Stat. 4:12): with ``H = C Cᵀ``, ``u_k = û + C⁻ᵀ z_k`` and
weights ``w_k`` for the standard normal density,
``log L_g = -½ log|H| + log Σ_k w_k exp(h(u_k) + |z_k|²/2)``. One node is the Laplace approximation.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from scipy import special

from glmmtools.engine.marginal import Direct, Marginal
from glmmtools.engine.modes import Solution
from glmmtools.engine.problem import Problem
from glmmtools.shared.arguments import shown

Array = np.ndarray
_MAX_NODES = 2000
_ROWS_AT_ONCE = 200_000  # of all nodes together, which bounds the memory


def why_no_quadrature(problem: Problem) -> str | None:
    """Say why the integrals of this problem are not summed over nodes; None if they can be."""
    random = problem.random
    if problem.zero_random:
        return "with random terms in zero_inflation the integrals are Laplace's: leave nagq= out"
    if len(random) != 1 or random[0].structure.has_rho:
        return "quadrature needs exactly one random term, without a time structure"
    nodes = min(problem.nagq, 10**9) ** len(random[0].names)
    if nodes > _MAX_NODES:
        asked = shown(problem.nagq)
        return f"nagq={asked} means {nodes} nodes a group; at most {_MAX_NODES} are summed"
    return None


class QuadratureMarginal(Marginal):
    """The log-likelihood by quadrature, with its exact gradient.

    Beside what the Laplace approximation asks for, the gradient follows the nodes: they move with
    the mode, and with ``L = C⁻ᵀ``, whose differential is ``-L Φ(Lᵀ dH L)``, Φ the lower triangle
    with half of the diagonal.
    """

    def __init__(self, problem: Problem):
        super().__init__(problem)
        nodes, weights = np.polynomial.hermite_e.hermegauss(problem.nagq)
        self.nodes = np.array(list(itertools.product(nodes, repeat=self.q)))
        products = itertools.product(np.log(weights / weights.sum()), repeat=self.q)
        self.log_weights = np.array([sum(each) for each in products])
        self._last: tuple = (None, None)

    def value(self, solution: Solution) -> float | Array:
        copies = self.pattern.copies
        by_group = special.logsumexp(self._log_terms(solution), axis=0).reshape(copies, -1)
        values = by_group.sum(axis=1) - 0.5 * solution.arrow.logdet + self.likelihood.llf_shift()
        return float(values[0]) if copies == 1 else values

    def _at_nodes(self, solution: Solution):
        """Nodes, several at a time: which, their effects (nodes, levels, q), eta (nodes, n)."""
        effects, codes = solution.arrow.effects, self.pattern.codes
        root = np.linalg.cholesky(solution.arrow.inverse)  # L Lᵀ = H⁻¹, so that u = û + L z
        together = max(1, _ROWS_AT_ONCE // len(codes))
        for first in range(0, len(self.nodes), together):
            part = slice(first, first + together)
            shifts = np.einsum("lij,kj->kli", root, self.nodes[part])
            eta = solution.eta + np.einsum("nq,knq->kn", effects.block, shifts[:, codes])
            yield part, solution.u + shifts, eta

    def _log_terms(self, solution: Solution) -> Array:
        """Logarithms of the terms of the sum of each group, shape (nodes, levels)."""
        if self._last[0] is not solution:
            terms = np.empty((len(self.nodes), len(solution.u)))
            offsets = self.log_weights + 0.5 * (self.nodes**2).sum(axis=1)
            with np.errstate(all="ignore"):
                for part, u, eta in self._at_nodes(solution):
                    density = self.likelihood.density(eta, solution.parameters)
                    density = np.add.reduceat(density, self.pattern.starts, axis=1)
                    prior = 0.5 * (u**2).sum(axis=2)
                    terms[part] = offsets[part, None] + density - prior
            self._last = (solution, terms)
        return self._last[1]

    def _direct(self, solution: Solution) -> Direct:
        effects, codes, at_mode = solution.arrow.effects, self.pattern.codes, super()
        shares = special.softmax(self._log_terms(solution), axis=0)
        by_eta, by_node, mean = np.zeros(len(codes)), 0.0, 0.0
        spread, by_others = 0.0, dict.fromkeys(self.likelihood.predictors, 0.0)
        with np.errstate(all="ignore"):
            for part, u, eta in self._at_nodes(solution):
                share, z = shares[part], self.nodes[part]
                by_row = share[:, codes]
                slope = self.likelihood.eta_derivatives(eta, solution.parameters, order=2)[0]
                # a node where the density is zero may have no slope
                slope = np.where(by_row > 0, slope, 0.0)
                by_eta += (by_row * slope).sum(axis=0)
                by_node = by_node + (by_row * slope).T @ z
                mean = mean + np.einsum("kl,kli->li", share, u)
                spread = spread + np.einsum("kl,kli,kj->lij", share, u, z)
                others = self.likelihood.other_derivatives(eta, solution.parameters)
                for name, (first, _, _) in others.items():
                    first = np.where(by_row > 0, first, 0.0)
                    by_others[name] = by_others[name] + (by_row * first).sum(axis=0)
        root = np.linalg.cholesky(solution.arrow.inverse)
        by_mode = effects.by_block(effects.block * by_eta[:, None]) - mean
        by_root = effects.by_block(effects.block[:, :, None] * by_node[:, None, :]) - spread
        lower = np.tril(root.transpose(0, 2, 1) @ by_root)
        lower -= 0.5 * lower * np.eye(self.q)
        V = solution.arrow.inverse + root @ (lower + lower.transpose(0, 2, 1)) @ root.transpose(
            0, 2, 1
        )
        rows = by_eta[:, None] * solution.u[codes] + np.einsum("nij,nj->ni", root[codes], by_node)
        laplace = at_mode._direct(solution)
        return replace(
            laplace,
            by_eta=by_eta,
            by_rows=(rows, laplace.by_rows[1]),
            by_others=by_others,
            by_H=(effects.times_blocks(V), laplace.by_H[1]),
            by_mode=2 * by_mode,
        )
