"""The likelihood of normal models whose residuals have a covariance structure: V = ZGZᵀ + R.

Rows that share no level, of a random term or of the residuals, are independent: V falls apart into
dense blocks. Those that are the same, as of animals measured at the same times, are factored once,
the others of one size side by side. With ``r = y - Xβ`` ::

    log L = -½ (n log 2π + log|V| + rᵀV⁻¹r)

and, for REML, as in `profiled`. Its derivative in V is ``-½ (V⁻¹ - V⁻¹rrᵀV⁻¹ - V⁻¹X C XᵀV⁻¹)`` with
``C = (XᵀV⁻¹X)⁻¹``, the last part for REML only; each structure turns it into those in its own
parameters. Given the covariances β is that of generalised least squares, so that only they are
searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glmmtools.engine.blocks import Blocks, blocks_of
from glmmtools.engine.estimate import Estimate
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.placement import PlacedTerm
from glmmtools.engine.problem import Problem
from glmmtools.engine.search import Optimum, one_by_one
from glmmtools.families.special import LOG_TWO_PI

Array = np.ndarray
MOST_ROWS = 1000  # of one block
_STEP = 1e-5
_NO_RANK = 1e-8


@dataclass(frozen=True, eq=False)
class Solved:
    """What is known at one vector.

    Attributes
    ----------
    value : float
        The log-likelihood, or the REML criterion.
    beta : ndarray, shape (p,)
        Of the orthonormal columns: given, or by generalised least squares.
    residual, columns : ndarray, shapes (n,) and (n, p)
        ``V⁻¹(y - Xβ)`` and ``V⁻¹X``.
    information : ndarray, shape (p, p)
        ``XᵀV⁻¹X``.
    inverses : list of ndarray, shape (u, m, m)
        ``V⁻¹`` of the blocks' patterns.
    roots : list of ndarray, shape (n, q)
        Rows of ``Z Λ`` of each structure.
    """

    value: float
    beta: Array
    residual: Array
    columns: Array
    information: Array
    inverses: list[Array]
    roots: list[Array]


class CorrelatedMarginal(Marginal):
    """The log-likelihood of a normal model with correlated residuals; see the module.

    The vector holds the coefficients of the orthonormal columns (not under REML), θ of each random
    term, and θ of the residuals.
    """

    def __init__(self, problem: Problem):
        super().__init__(problem)
        self.blocks = blocks_of([each.structure for each in self.structured])
        self._last: tuple[bytes, Solved | None] = b"", None

    def _place(self, blocks):
        super()._place(blocks)
        structure = self.problem.residual.structure.reordered(self.order)
        theta = slice(self.n_theta, self.n_theta + structure.n_params)
        none, unit = np.zeros(0, np.intp), self.likelihood.scale
        self.residual = PlacedTerm(structure, theta, False, slice(0), 0, none, unit)
        self.n_theta = theta.stop
        self.structured = [*self.placed, self.residual]

    # -- the value and its gradient

    def solve(self, vectors, of_least_squares: bool = False):
        """What is known at a vector; with β of generalised least squares where it is not there."""
        vector = np.ravel(vectors)
        key = vector.tobytes() + bytes([of_least_squares])
        if self._last[0] != key:
            try:
                self._last = key, self._solved(vector, of_least_squares)
            except np.linalg.LinAlgError:
                self._last = key, None
        return self._last[1]

    def _solved(self, vector: Array, of_least_squares: bool) -> Solved | None:
        theta, reml = vector[self.names["theta"]], self.problem.reml
        with np.errstate(all="ignore"):
            roots = [each.structure.rows(theta[each.theta]) for each in self.structured]
        y = self.likelihood.y - self.likelihood.offset
        both = np.column_stack([y, self.X])
        solved, inverses, logdet = np.empty_like(both), [], 0.0
        for blocks in self.blocks:
            factor = np.linalg.cholesky(blocks.covariance(roots))
            inverse_factor = np.linalg.inv(factor)
            inverses.append(inverse_factor.transpose(0, 2, 1) @ inverse_factor)
            solved[blocks.rows] = blocks.times(inverses[-1], both[blocks.rows])
            logdet += 2 * blocks.copies * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum()
        products = self.X.T @ solved
        information = products[:, 1:]
        beta = vector[self.names["beta"]]
        if reml or of_least_squares:
            beta = np.linalg.solve(information, products[:, 0])
        residual = solved[:, 0] - solved[:, 1:] @ beta
        value = logdet + (y - self.X @ beta) @ residual + len(y) * LOG_TWO_PI
        if reml:
            root = np.linalg.cholesky(information)
            value += 2 * np.log(np.diag(root)).sum() - self.p * LOG_TWO_PI
        value = -0.5 * value + self.likelihood.llf_shift() + self.reml_shift
        if not np.isfinite(value):
            return None
        return Solved(value, beta, residual, solved[:, 1:], information, inverses, roots)

    def value(self, solution):
        return solution.value

    def value_and_gradient(self, vectors, of_least_squares: bool = False):
        if vectors.ndim == 2:
            return one_by_one(self.value_and_gradient, vectors)
        solution = self.solve(vectors, of_least_squares)
        if solution is None:
            return -np.inf, np.zeros(self.size)
        return solution.value, self.gradient(vectors, solution)

    def gradient(self, vectors, solution):
        gradient = np.zeros(self.size)
        if self.n_fixed:
            gradient[self.names["beta"]] = self.X.T @ solution.residual
        left = solution.residual[:, None]
        if self.problem.reml:
            root = np.linalg.inv(np.linalg.cholesky(solution.information))
            left = np.hstack([left, solution.columns @ root.T])
        forces = [
            blocks.products(left[blocks.rows]) - blocks.copies * inverse
            for blocks, inverse in zip(self.blocks, solution.inverses, strict=True)
        ]
        theta = np.ravel(vectors)[self.names["theta"]]
        gradient[self.names["theta"]] = self._by_theta(theta, solution.roots, forces)
        return gradient

    def _by_theta(self, theta: Array, roots: list[Array], by_V: list[Array]) -> Array:
        """Half of the slopes in θ of the sum of V times symmetric matrices, of each pattern."""
        slopes = np.zeros(self.n_theta)
        for number, each in enumerate(self.structured):
            F = np.zeros_like(roots[number])
            for blocks, entries in zip(self.blocks, by_V, strict=True):
                rows = blocks.patterns
                F[rows] = blocks.of_term(number, entries) @ roots[number][rows]
            slopes[each.theta] = each.structure.gradient(theta[each.theta], F)
        return slopes

    def contrast_variances(self, vector, contrasts):
        solution, theta = self.solve(vector), vector[self.names["theta"]]
        spread = np.linalg.solve(solution.information, contrasts.T)
        slopes = np.zeros((self.size, len(contrasts)))
        for k, a in enumerate((solution.columns @ spread).T):
            by_V = [2 * blocks.products(a[blocks.rows][:, :, None]) for blocks in self.blocks]
            slopes[self.names["theta"], k] = self._by_theta(theta, solution.roots, by_V)
        return np.sum(contrasts.T * spread, axis=0), slopes

    def covariance_slopes(self, theta: Array) -> Iterator[tuple[Blocks, list[Array]]]:
        """Derivatives of V in each entry of θ, by central differences; of the blocks in turn."""
        for blocks in self.blocks:
            slopes = []
            for shift in np.eye(self.n_theta) * _STEP:
                above, below = (self._covariances(blocks, theta + s) for s in (shift, -shift))
                slopes.append((above - below) / (2 * _STEP))
            yield blocks, slopes

    def lost_rank(self, vector: Array) -> tuple[bool, bool]:
        """Of R, and of V: whether some combination of rows has next to no variance."""
        theta, found = vector[self.names["theta"]], np.zeros(2, dtype=bool)
        roots = [each.structure.rows(theta[each.theta]) for each in self.structured]
        random = [np.zeros_like(root) for root in roots[:-1]]
        for blocks in self.blocks:
            both = blocks.covariance([*random, roots[-1]]), blocks.covariance(roots)
            values = np.linalg.eigvalsh(both)
            found |= np.any(values[..., 0] < _NO_RANK * values[..., -1], axis=1)
        return tuple(map(bool, found))

    def _covariances(self, blocks: Blocks, theta: Array) -> Array:
        return blocks.covariance(
            [each.structure.rows(theta[each.theta]) for each in self.structured]
        )

    # -- between the user's parameters and the vector

    def fixed_effects(self, vector, solution):
        return self.to_user @ solution.beta * self.likelihood.scale + self.origin

    def fixed_covariance(self, solution):
        return np.linalg.inv(solution.information)

    def modes(self, vector, solution):
        theta, found = vector[self.names["theta"]], []
        for each, root in zip(self.placed, solution.roots, strict=False):
            structure, u = each.structure, np.zeros((each.structure.n_levels, each.structure.q))
            np.add.at(u, structure.codes, root * solution.residual[:, None])
            found.append(structure.effects(theta[each.theta], u) * each.unit)
        return found

    def effect_sds(self, vector, solution):
        theta, found = vector[self.names["theta"]], []
        for number, each in enumerate(self.placed):
            structure, root = each.structure, solution.roots[number]
            told = np.zeros((structure.n_levels, structure.q, structure.q))
            for blocks, inverse in zip(self.blocks, solution.inverses, strict=True):
                of_rows, codes = root[blocks.rows], structure.codes[blocks.rows]
                by_row = blocks.of_term(number, inverse) @ of_rows
                np.add.at(told, codes, of_rows[..., :, None] * by_row[..., None, :])
            covariance = structure.effect_covariances(theta[each.theta], np.eye(structure.q) - told)
            sd = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0))
            found.append(sd * each.unit)
        return found

    def conditional_variances(self, vector, solution, X, terms, slopes):
        theta, slope = vector[self.names["theta"]], slopes.get("mean", np.ones(len(X)))
        shared, total = np.zeros((len(X), len(self.X))), np.zeros(len(X))
        for each, term, root in zip(self.placed, terms, solution.roots, strict=False):
            structure = each.structure.on(term.codes, term.structure.entries)
            same = term.codes[:, None] == each.structure.codes
            shared += (structure.rows(theta[each.theta]) @ root.T) * same * slope[:, None]
            G = structure.covariance(theta[each.theta])
            total += structure.predictor_variances(G) * slope**2
        for blocks, inverse in zip(self.blocks, solution.inverses, strict=True):
            part = shared[:, blocks.rows].transpose(1, 0, 2)
            total -= np.sum((part @ inverse) * part, axis=(0, 2))
        if self.problem.reml:
            left = X @ self.to_user - shared @ solution.columns
            total += np.sum(left * np.linalg.solve(solution.information, left.T).T, axis=1)
        return np.maximum(total, 0) * self.likelihood.scale**2


def whitened_rows(problem: Problem, estimate: Estimate) -> tuple[Array, Array]:
    """``L⁻¹(y - offset)`` and ``L⁻¹X`` with ``Var(y) = LLᵀ`` at the estimates, in the data's order.

    L is lower triangular in the order of groups and, within them, of times: what is left of a row
    is what those before it do not tell.
    """
    marginal = CorrelatedMarginal(problem)
    design = problem.design
    both = np.column_stack([design.y - design.offset, design.X])[marginal.order]
    theta = marginal.vector_of(estimate)[marginal.names["theta"]]
    roots = [each.structure.rows(theta[each.theta]) for each in marginal.structured]
    for blocks in marginal.blocks:
        factor = np.linalg.cholesky(blocks.covariance(roots)) * marginal.likelihood.scale
        both[blocks.rows] = blocks.times(np.linalg.inv(factor), both[blocks.rows])
    both = both[np.argsort(marginal.order)]
    return both[:, 0], both[:, 1:]


class OverCovariances:
    """The same likelihood as a function of θ alone, at its best β: what is searched."""

    refresh = 5  # steps from one differenced Hessian to the next

    def __init__(self, marginal: CorrelatedMarginal):
        self.marginal, self.theta = marginal, marginal.names["theta"]
        self.size, self.is_sd = marginal.n_theta, marginal.is_sd[self.theta]

    @staticmethod
    def units(theta: Array) -> Array:
        return np.ones(theta.shape)

    def _vector(self, theta: Array) -> Array:
        return np.concatenate([np.zeros(self.marginal.n_fixed), theta])

    def value_at(self, theta: Array) -> float:
        solution = self.marginal.solve(self._vector(theta), of_least_squares=True)
        return -np.inf if solution is None else solution.value

    def value_and_gradient(self, points: Array) -> tuple[float | Array, Array]:
        """As `Marginal.value_and_gradient`, at one θ or at several."""
        if points.ndim == 2:
            return one_by_one(self.value_and_gradient, points)
        vector = self._vector(points)
        value, slope = self.marginal.value_and_gradient(vector, of_least_squares=True)
        return value, slope[self.theta]

    def lifted(self, optimum: Optimum) -> Optimum:
        """A maximum over θ as one over the vector of the marginal.

        The information on θ is that with β profiled out; that on β is for given covariances.
        """
        marginal, beta = self.marginal, self.marginal.names["beta"]
        solution = marginal.solve(self._vector(optimum.point), of_least_squares=True)
        size = marginal.size
        information, covariance = np.zeros((2, size, size))
        information[self.theta, self.theta] = optimum.information
        covariance[self.theta, self.theta] = optimum.covariance
        if marginal.n_fixed:
            information[beta, beta] = solution.information
            covariance[beta, beta] = np.linalg.inv(solution.information)
        flat = np.zeros((len(optimum.flat), size))
        flat[:, self.theta] = optimum.flat
        point = np.concatenate([solution.beta[: marginal.n_fixed], optimum.point])
        return Optimum(
            point, optimum.value, np.zeros(size), information, covariance, flat, optimum.converged
        )
