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

from glmmtools.engine.arrow import Arrow
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import Problem
from glmmtools.engine.search import Optimum, one_by_one
from glmmtools.families.special import LOG_TWO_PI

Array = np.ndarray
_MANY_ROWS = 2000
_Solved = tuple[Array, tuple[Array, Array]]


def can_be_profiled(problem: Problem) -> bool:
    """Whether θ alone needs a search, and is worth one of its own.

    That is for normal models of one φ whose rows share their random effects. Few rows are fitted
    as soon by the search over all parameters, which solves the points of a difference at once.
    """
    structures = [term.structure for term in problem.design.random]
    return (
        problem.is_linear
        and problem.penalty is None
        and problem.design.n >= _MANY_ROWS
        and problem.dispersion is None
        and problem.nagq == 1
        and bool(structures)
        and not any(s.of_time or s.n_levels * s.q >= problem.design.n for s in structures)
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
    solved : list of (ndarray, (ndarray, ndarray))
        ``V⁻¹r`` (n,) and ``AᵀV⁻¹r`` (block and border) of the residual r over √φ and, for REML, of
        the columns of ``X`` over the transpose of `root`.
    arrow : Arrow
    """

    value: float
    phi: float
    beta: Array
    root: Array
    solved: list[_Solved]
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
        likelihood = self.plain.likelihood
        self.y = likelihood.y - likelihood.offset
        n, p = self.plain.X.shape
        self.W = np.ones(n) if likelihood.prior is None else likelihood.prior
        self.df = n - p if problem.reml else n
        self._last: tuple[Array, _At] | None = None

    def start(self, vector: Array) -> Array:
        """θ of a parameter vector of the marginal, relative to its φ."""
        return vector[self.theta] / np.sqrt(np.exp(vector[self.marginal.names["phi"]][0]))

    @staticmethod
    def units(theta: Array) -> Array:
        """θ is relative: where the residual is small, its standard deviations are large."""
        return np.maximum(1.0, np.abs(theta))

    def value_and_gradient(self, points: Array) -> tuple[float | Array, Array]:
        """As `Marginal.value_and_gradient`, at one θ or at several."""
        if points.ndim == 2:
            return one_by_one(self.value_and_gradient, points)
        at = self._at(points)
        if at is None:
            return -np.inf, np.zeros(self.size)
        P = at.arrow.rows_solved(at.arrow.effects)
        slope = -self._slope(points, [self.W[:, None] * part for part in P])
        for each in at.solved:
            slope = slope + self._slope(points, self._rows(*each))
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
        point[theta], point[phi] = optimum.point * np.sqrt(at.phi), np.log(at.phi)
        flat[:, theta] = optimum.flat
        # log φ has the curvature df/2, and follows relative θ with the slope -d
        d = self._slope(optimum.point, self._rows(*at.solved[0])) / (self.df / 2)
        follows = np.vstack([np.eye(k), d])
        inner = np.zeros((k + 1, k + 1))
        inner[:k, :k] = optimum.information
        inner += self.df / 2 * np.outer(np.append(d, 1), np.append(d, 1))
        follows[k] *= -1
        inner_covariance = follows @ optimum.covariance @ follows.T
        inner_covariance[k, k] += 2 / self.df
        to_relative = np.eye(k + 1)  # derivatives of relative θ and log φ in θ and log φ
        to_relative[:k] /= np.sqrt(at.phi)
        to_relative[:k, k] = -optimum.point / 2
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
            optimum.converged,
        )  # fmt: skip

    def _at(self, theta: Array) -> _At | None:
        """Generalised least squares at relative θ; None where V has no factor."""
        if self._last is not None and np.array_equal(self._last[0], theta):
            return self._last[1]
        plain, reml = self.plain, self.marginal.problem.reml
        vector = np.zeros(plain.size)
        vector[plain.names["theta"]] = theta
        effects = plain.effects(vector[None])
        try:
            arrow = Arrow(effects, self.W)
            V_y, *V_X = (self._solve(arrow, column) for column in (self.y, *plain.X.T))
            products = self._products(V_X, [*V_X, V_y])
            root = np.linalg.cholesky(products[:, :-1])
        except np.linalg.LinAlgError:
            return None
        beta = np.linalg.solve(root @ root.T, products[:, -1])
        residual = _combined([V_y, *V_X], np.append(1.0, -beta))
        phi = float(self._products([residual], [residual])[0, 0]) / self.df
        if not phi > 0:
            return None
        solved = [_combined([residual], np.array([1 / np.sqrt(phi)]))]
        logdet = float(arrow.logdet[0]) - np.log(self.W).sum()
        if reml:
            whitening = np.linalg.inv(root)
            solved += [_combined(V_X, row) for row in whitening]
            logdet += 2 * np.log(np.diag(root)).sum()
        value = -0.5 * (self.df * (LOG_TWO_PI + np.log(phi) + 1) + logdet)
        value += plain.likelihood.llf_shift() + self.marginal.reml_shift
        self._last = theta.copy(), _At(float(value), phi, beta, root, solved, arrow)
        return self._last[1]

    def _solve(self, arrow: Arrow, rows: Array) -> _Solved:
        """``V⁻¹r`` and ``AᵀV⁻¹r``, refined once: rounding tells where the residual is small."""
        u = arrow.solve(*arrow.effects.transposed_dot(self.W * rows))
        solved = self.W * (rows - arrow.effects.dot(*u))
        rest = (a - b for a, b in zip(arrow.effects.transposed_dot(solved), u, strict=True))
        u = tuple(a + b for a, b in zip(u, arrow.solve(*rest), strict=True))
        return self.W * (rows - arrow.effects.dot(*u)), u

    def _products(self, left: list[_Solved], right: list[_Solved]) -> Array:
        """``rᵀV⁻¹s`` of each two: of what A leaves of them, and of what it explains.

        That is a sum of squares where r is s, whose least value it is: errors of the solutions are
        squared in it, however small the residual variance is beside those of the effects.
        """
        one, other = (
            [np.concatenate([rows / np.sqrt(self.W), *map(np.ravel, u)]) for rows, u in solved]
            for solved in (left, right)
        )
        return np.reshape(one, (len(left), len(other[0]))) @ np.transpose(other)

    def _rows(self, solved: Array, u: tuple[Array, Array]) -> list[Array]:
        """Half of the derivative of ``rᵀV⁻¹r`` in the rows of A, with the sign of a likelihood."""
        pattern = self.plain.pattern
        return [solved[:, None] * part for part in (pattern.by_row(u[0]), u[1].take(pattern.index))]

    def _slope(self, theta: Array, rows: list[Array]) -> Array:
        """The derivative in θ from those in the rows of A, block and border."""
        slope = np.zeros(self.size)
        for each in self.plain.placed:
            F = rows[0 if each.in_block else 1][:, each.columns]
            slope[each.theta] = each.structure.gradient(theta[each.theta], F)
        return slope


def _combined(solved: list[_Solved], weights: Array) -> _Solved:
    """The combination of solutions for several r: that for the combined r."""
    rows = sum(w * each for w, (each, _) in zip(weights, solved, strict=True))
    block = sum(w * u for w, (_, (u, _)) in zip(weights, solved, strict=True))
    border = sum(w * b for w, (_, (_, b)) in zip(weights, solved, strict=True))
    return rows, (block, border)
