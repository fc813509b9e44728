"""Linear mixed models with β and the residual variance profiled out, as in lme4.

With the covariances relative to the residual variance φ, ``Var(y) = φ V(θ)`` and
``V = A Aᵀ + W⁻¹``, the best β and φ for given θ have a closed form: generalised least squares, and
the weighted sum of squares over n (ML) or n - p (REML). What is left to search is a function of θ
(Bates, Mächler, Bolker & Walker 2015, *Fitting linear mixed-effects models using lme4*, J. Stat.
Softw. 67(1), section 3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from glmmtools.engine.arrow import Arrow
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.nested_arrow import arrow_of
from glmmtools.engine.problem import Problem
from glmmtools.engine.search import Optimum, one_by_one
from glmmtools.engine.start import starting_point
from glmmtools.families.special import LOG_TWO_PI

Array = np.ndarray
_ROUNDING = 1e-20  # a φ below, beside the variance of the response, is that of an exact fit


def can_be_profiled(problem: Problem) -> bool:
    """Whether θ alone needs a search: in normal models of one φ whose rows share their effects."""
    structures = [term.structure for term in problem.design.random]
    return (
        problem.is_linear
        and problem.penalty is None
        and problem.dispersion is None
        and problem.nagq == 1
        and bool(structures)
        and all(s.of_time or s.n_levels * s.q < problem.design.n for s in structures)
    )


@dataclass(frozen=True, eq=False)
class _At:
    """What is known at one θ.

    Attributes
    ----------
    value, phi : float
    beta : ndarray, shape (p,)
        Of the orthonormal columns.
    root : ndarray, shape (p, p)
        Lower Cholesky factor of ``XᵀV⁻¹X``.
    solved, explained : ndarray, shapes (n, k), (effects, k)
        ``V⁻¹R`` and ``AᵀV⁻¹R``: the first column of R is the residual over √φ, the others are, for
        REML, the columns of ``X`` over the transpose of `root`.
    arrow : Arrow
    """

    value: float
    phi: float
    beta: Array
    root: Array
    solved: Array
    explained: Array
    arrow: Arrow


class Profiled:
    """The profiled log-likelihood, or REML criterion, of a linear mixed model over relative θ."""

    refresh = 5  # steps from one differenced Hessian to the next

    def __init__(self, marginal: Marginal):
        problem = marginal.problem
        self.marginal = marginal
        self.plain = Marginal(replace(problem, reml=False)) if problem.reml else marginal
        self.theta = marginal.names["theta"]
        self.size, self.is_sd = marginal.n_theta, marginal.is_sd[self.theta]
        self.is_scale = np.concatenate([each.structure.is_scale for each in marginal.placed])
        likelihood = self.plain.likelihood
        y = likelihood.y - likelihood.offset
        self.data = np.column_stack([y, self.plain.X])
        n, p = self.plain.X.shape
        self.W = np.ones(n) if likelihood.prior is None else likelihood.prior
        self.df = n - p if problem.reml else n
        self.A = _sparse(self.plain)
        self.transposed = self.A.T
        self._last: tuple[Array, _At] | None = None

    def first(self, factor: float) -> Array:
        """Relative θ to start from, as by `starting_point`, where β is no effect among others."""
        return self.start(starting_point(self.plain, factor), self.plain)

    def start(self, vector: Array, marginal: Marginal | None = None) -> Array:
        """θ of a parameter vector, by default of the marginal, relative to its φ."""
        names = (marginal or self.marginal).names
        return vector[names["theta"]] / self._unit(np.exp(vector[names["phi"]][0]))

    def _unit(self, phi: float) -> Array:
        """Of each θ, by which it is divided to be relative."""
        return np.where(self.is_scale, np.sqrt(phi), 1.0)

    def units(self, theta: Array) -> Array:
        """θ is relative: where the residual is small, its standard deviations are large."""
        return np.where(self.is_scale, np.maximum(1.0, np.abs(theta)), 1.0)

    def value_and_gradient(self, points: Array) -> tuple[float | Array, Array]:
        """As `Marginal.value_and_gradient`, at one θ or at several."""
        if points.ndim == 2:
            return one_by_one(self.value_and_gradient, points)
        at = self._at(points)
        if at is None:
            return -np.inf, np.zeros(self.size)
        P = at.arrow.rows_solved(at.arrow.effects)
        rows = self._rows(at.solved, at.explained)
        slope = self._slope(
            points, [all_ - self.W[:, None] * part for all_, part in zip(rows, P, strict=True)]
        )
        return at.value, slope

    def value_at(self, point: Array) -> float:
        at = self._at(point)
        return -np.inf if at is None else at.value

    def lifted(self, optimum: Optimum) -> Optimum:
        """A maximum over relative θ as one over the vector of the marginal.

        The information on (θ, log φ) is that with β profiled out; that on β is for given variances.
        """
        at, marginal, k = self._at(optimum.point), self.marginal, self.size
        beta, theta, phi = (marginal.names[name] for name in ("beta", "theta", "phi"))
        point, flat = np.zeros(marginal.size), np.zeros((len(optimum.flat), marginal.size))
        point[beta] = at.beta[: marginal.n_fixed]
        unit = self._unit(at.phi)
        point[theta], point[phi] = optimum.point * unit, np.log(at.phi)
        flat[:, theta] = optimum.flat
        # log φ has the curvature df/2, and follows relative θ with the slope -d
        d = self._slope(optimum.point, self._rows(at.solved[:, :1], at.explained[:, :1])) / (
            self.df / 2
        )
        follows = np.vstack([np.eye(k), d])
        inner = np.zeros((k + 1, k + 1))
        inner[:k, :k] = optimum.information
        inner += self.df / 2 * np.outer(np.append(d, 1), np.append(d, 1))
        follows[k] *= -1
        inner_covariance = follows @ optimum.covariance @ follows.T
        inner_covariance[k, k] += 2 / self.df
        to_relative = np.eye(k + 1)  # derivatives of relative θ and log φ in θ and log φ
        to_relative[:k, :k] /= unit
        to_relative[:k, k] = np.where(self.is_scale, -optimum.point / 2, 0.0)
        back = np.linalg.inv(to_relative)
        information, covariance = np.zeros((2, marginal.size, marginal.size))
        tau = slice(marginal.n_fixed, None)
        information[tau, tau] = to_relative.T @ inner @ to_relative
        covariance[tau, tau] = back @ inner_covariance @ back.T
        if marginal.n_fixed:
            information[beta, beta] = at.root @ at.root.T / at.phi
            covariance[beta, beta] = np.linalg.inv(information[beta, beta])
        return Optimum(
            point, optimum.value, np.zeros(marginal.size), information, covariance, flat,
            optimum.converged, optimum.abandoned,
        )  # fmt: skip

    def _at(self, theta: Array) -> _At | None:
        """Generalised least squares at relative θ; None where V has no factor, or no φ is left."""
        if self._last is not None and np.array_equal(self._last[0], theta):
            return self._last[1]
        plain, reml = self.plain, self.marginal.problem.reml
        vector = np.zeros(plain.size)
        vector[plain.names["theta"]] = theta
        try:
            arrow = arrow_of(plain.effects(vector[None]), self.W)
            solved, explained = self._solve(arrow)
            whole = np.vstack([solved / np.sqrt(self.W)[:, None], explained])
            products = whole.T @ whole
            root = np.linalg.cholesky(products[1:, 1:])
        except np.linalg.LinAlgError:
            return None
        beta = np.linalg.solve(root @ root.T, products[1:, 0])
        of_residual = np.append(1.0, -beta)
        # A sum of squares whose least value it is: what A leaves of the residual, and what it
        # explains. Errors of the solutions are squared in it, however small the residual variance
        # is beside those of the effects.
        phi = float(np.sum((whole @ of_residual) ** 2)) / self.df
        if not phi > _ROUNDING:
            return None
        columns = [of_residual / np.sqrt(phi)]
        logdet = float(arrow.logdet[0]) - np.log(self.W).sum()
        if reml:
            columns += [np.append(0.0, row) for row in np.linalg.inv(root)]
            logdet += 2 * np.log(np.diag(root)).sum()
        R = np.transpose(columns)
        value = -0.5 * (self.df * (LOG_TWO_PI + np.log(phi) + 1) + logdet)
        value += plain.likelihood.llf_shift() + self.marginal.reml_shift
        at = _At(float(value), phi, beta, root, solved @ R, explained @ R, arrow)
        self._last = theta.copy(), at
        return at

    def _solve(self, arrow: Arrow) -> tuple[Array, Array]:
        """``V⁻¹R`` and ``AᵀV⁻¹R`` of y and the columns of X.

        Refined once: rounding tells where the residual is small.
        """
        effects, W = arrow.effects, self.W[:, None]
        self.A.data[:] = np.hstack([effects.block, effects.values]).ravel()
        u = arrow.solve_all(self.transposed @ (W * self.data))
        solved = W * (self.data - self.A @ u)
        u = u + arrow.solve_all(self.transposed @ solved - u)
        return W * (self.data - self.A @ u), u

    def _rows(self, solved: Array, explained: Array) -> list[Array]:
        """Half of the derivative of ``tr RᵀV⁻¹R`` in the rows of A, with a likelihood's sign."""
        pattern, blocks = self.plain.pattern, len(self.plain.pattern.starts)
        size, columns = blocks * self.plain.q, explained.shape[1]
        of_blocks = explained[:size].reshape(blocks, self.plain.q, columns)
        of_border = explained[size:]
        return [
            np.einsum("nk,nik->ni", solved, part)
            for part in (of_blocks[pattern.codes], of_border[pattern.index])
        ]

    def _slope(self, theta: Array, rows: list[Array]) -> Array:
        """The derivative in θ from those in the rows of A, block and border."""
        slope = np.zeros(self.size)
        for each in self.plain.placed:
            F = rows[0 if each.in_block else 1][:, each.columns]
            slope[each.theta] = each.structure.gradient(theta[each.theta], F)
        return slope


def _sparse(marginal: Marginal) -> sparse.csr_array:
    """A as a sparse matrix of its block effects, then those of the border, still without values."""
    pattern, q = marginal.pattern, marginal.q
    of_blocks = pattern.codes[:, None] * q + np.arange(q)
    columns = np.hstack([of_blocks, len(pattern.starts) * q + pattern.index])
    n, k = columns.shape
    shape = n, len(pattern.starts) * q + len(pattern.prior)
    return sparse.csr_array((np.zeros(n * k), columns.ravel(), np.arange(n + 1) * k), shape=shape)
