"""Kenward and Roger's covariance and degrees of freedom, for linear mixed models fitted by REML.

The usual covariance ``Φ = (XᵀV⁻¹X)⁻¹`` of the coefficients takes the variances as known. With
``V = Σ σ_r G_r`` of variances and covariances σ_r, ``W`` the inverse of their expected information,
``P_r = -XᵀV⁻¹G_rV⁻¹X`` and ``Q_rs = XᵀV⁻¹G_rV⁻¹G_sV⁻¹X`` it becomes ::

    Φ_A = Φ + 2 Φ [Σ_rs W_rs (Q_rs - P_r Φ P_s)] Φ

and an F statistic on it has a scale and denominator degrees of freedom that match two moments
(Kenward & Roger 1997, Biometrics 53:983; Halekoh & Højsgaard 2014, J. Stat. Softw. 59(9)). Nothing
here is larger than the number of random effects: ``V⁻¹`` is written by Woodbury's identity.

Where the residuals have a covariance structure V is in independent blocks (`correlated`), and σ are
the parameters of the search, with ``dV/dσ_r`` for ``G_r``. V need not be a sum then: its second
derivatives, which depend on how the parameters are chosen, are left out, as by FIRSTORDER of SAS
PROC MIXED, which advises it.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from glmmtools.covariances.base import Structure
from glmmtools.engine.correlated import CorrelatedMarginal
from glmmtools.engine.estimate import Estimate
from glmmtools.engine.problem import Problem
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.matrices import orthonormal

Array = np.ndarray
_MOST_EFFECTS = 3000
_ROUNDING = 1e-10
_NEAR_TWO = 0.01  # where an F has no mean to match, pbkrtest leaves its scale


def why_not(problem: Problem) -> str | None:
    """Why a problem has no Kenward-Roger degrees of freedom; None if it has."""
    if not (problem.is_linear and problem.reml):
        return "is for linear mixed models fitted with reml=True"
    if problem.dispersion is not None:
        return "takes one residual variance, and this model has a dispersion formula"
    if problem.residual is not None:
        return None
    for term in problem.design.random:
        sizes = np.linalg.norm(term.Z, axis=0)
        if term.structure.of_time or _basis(term.structure, sizes) is None:
            return (
                f"takes covariances that are sums of parameters, which those of {term.label} are "
                "not"
            )
    if sum(len(term.levels) * len(term.names) for term in problem.design.random) > _MOST_EFFECTS:
        return f"is for {_MOST_EFFECTS} random effects or fewer"
    return None


def _basis(structure: Structure, sizes: Array) -> Array | None:
    """Matrices, shape (n_params, q, q), whose combinations are the covariances of a structure.

    Of effects times the `sizes` of their columns, shape (q,). None if its covariances span more
    than its parameters are.
    """
    q = structure.q
    if structure.n_params == q * (q + 1) // 2:
        i, j = np.triu_indices(q)
        matrices = np.zeros((len(i), q, q))
        matrices[np.arange(len(i)), i, j] = matrices[np.arange(len(i)), j, i] = 1
        return matrices
    rng, units = np.random.default_rng(0), np.outer(sizes, sizes)
    drawn = [
        (structure.covariance(rng.normal(size=structure.n_params)) * units).ravel()
        for _ in range(q**2 + 1)
    ]
    _, size, rows = np.linalg.svd(np.array(drawn))
    rank = int(np.sum(size > _ROUNDING * size[0]))
    if rank > structure.n_params:
        return None
    return rows[:rank].reshape(rank, q, q)


class KenwardRoger:
    """The adjusted covariance of the coefficients, and F tests on it.

    Attributes
    ----------
    covariance : ndarray, shape (p, p)
        Φ_A, on the user's columns.
    """

    def __init__(self, problem: Problem, estimate: Estimate):
        if problem.residual is None:
            X, self.to_user = orthonormal(problem.design.X)
            weights = problem.design.weights
            root = np.ones(len(X)) if weights is None else np.sqrt(weights)
            self._take_apart(problem, estimate, X * root[:, None], root)
        else:
            self._take_blocks_apart(CorrelatedMarginal(problem), estimate)
        k = len(self.P)
        correction = sum(
            self.W[r, s] * (self.Q[r][s] - self.P[r] @ self.phi @ self.P[s])
            for r, s in product(range(k), range(k))
        )
        adjusted = self.phi + 2 * self.phi @ correction @ self.phi
        self.covariance = self.to_user @ adjusted @ self.to_user.T

    def _take_apart(self, problem, estimate, X, root) -> None:
        """Φ, P, Q and W of rows that are scaled so that their residuals have one variance."""
        residual = estimate.shape["phi"]
        Z, G, parts = _spread(problem, estimate, root)
        crossed = Z.T @ Z
        inner = np.eye(len(G)) * residual + crossed @ G
        solve = G @ np.linalg.inv(inner)  # V⁻¹ = (I - Z solve Zᵀ) / residual
        ZX, XX = Z.T @ X, X.T @ X
        ZV = (crossed - crossed @ solve @ crossed) / residual  # ZᵀV⁻¹Z
        T = (ZX - crossed @ solve @ ZX) / residual  # ZᵀV⁻¹X
        XV = (XX - ZX.T @ solve @ ZX) / residual  # XᵀV⁻¹X
        self.phi = np.linalg.inv(XV)
        # of the residual: XᵀV⁻²X, ZᵀV⁻²X, XᵀV⁻³X, ZᵀV⁻²Z, tr V⁻²
        A = solve.T @ ZX
        T2 = (T - ZV @ A) / residual
        X2 = (XV - T.T @ A) / residual
        X3 = (X2 - T2.T @ A) / residual
        ZV2 = (ZV - ZV @ solve.T @ crossed) / residual
        trace = solve @ crossed
        V2 = (problem.design.n - 2 * np.trace(trace) + np.sum(trace * trace.T)) / residual**2
        KT, KZ = [K @ T for K in parts], [K @ ZV for K in parts]
        self.P = [-T.T @ each for each in KT] + [-X2]
        self.Q = [[a.T @ ZV @ b for b in KT] + [a.T @ T2] for a in KT]
        self.Q.append([T2.T @ b for b in KT] + [X3])
        traces = np.zeros((len(self.P), len(self.P)))
        for r, each in enumerate(KZ):
            traces[r, :-1] = [np.sum(each * other.T) for other in KZ]
            traces[r, -1] = traces[-1, r] = np.sum(parts[r] * ZV2.T)
        traces[-1, -1] = V2
        self._invert_information(traces)

    def _take_blocks_apart(self, marginal: CorrelatedMarginal, estimate: Estimate) -> None:
        """Φ, P, Q and W where V is in independent blocks."""
        vector = marginal.vector_of(estimate)
        solution, p = marginal.solve(vector), marginal.p
        self.to_user = marginal.to_user * marginal.likelihood.scale
        self.phi = np.linalg.inv(solution.information)
        k = marginal.n_theta
        P, Q, traces = np.zeros((k, p, p)), np.zeros((k, k, p, p)), np.zeros((k, k))
        for (blocks, slopes), inverse in zip(
            marginal.covariance_slopes(vector), solution.inverses, strict=True
        ):
            V_X = solution.columns[blocks.rows]
            G_X = np.array([blocks.times(slope, V_X) for slope in slopes])  # G_r V⁻¹X of each
            V_G = np.array([inverse @ slope for slope in slopes])
            P -= np.einsum("bmp,rbmq->rpq", V_X, G_X)
            for r, G in enumerate(G_X):
                left = blocks.times(inverse, G)
                Q[r] += np.einsum("bmp,sbmq->spq", left, G_X)
                traces[r] += blocks.copies * np.einsum("bmn,sbnm->s", V_G[r], V_G)
        self.P, self.Q = list(P), [list(row) for row in Q]
        self._invert_information(traces)

    def _invert_information(self, traces: Array) -> None:
        information = self._information(traces)
        root = np.sqrt(np.diag(information))
        units = np.divide(1, root, out=np.zeros_like(root), where=root > 0)
        units = np.outer(units, units)  # variances of any two sizes are told apart
        inverse = np.linalg.pinv(information * units, rcond=_ROUNDING, hermitian=True)
        self.W = 2 * inverse * units

    def _information(self, traces: Array) -> Array:
        """Twice the expected information of the variances."""
        phi, information = self.phi, traces.copy()
        for r, s in product(range(len(traces)), repeat=2):
            information[r, s] -= 2 * np.sum(phi * self.Q[r][s])
            information[r, s] += np.sum((phi @ self.P[r]) * (self.P[s] @ phi))
        return information

    def joint(self, contrasts: Array) -> tuple[float, float]:
        """The scale of the F statistic of ``L β = 0`` and its denominator degrees of freedom.

        Parameters
        ----------
        contrasts : ndarray, shape (q, p)
            Linearly independent.
        """
        L, phi, q = np.atleast_2d(contrasts) @ self.to_user, self.phi, len(contrasts)
        theta = L.T @ np.linalg.solve(L @ phi @ L.T, L)
        U = [theta @ phi @ P @ phi for P in self.P]
        pairs = list(product(range(len(U)), repeat=2))
        A1 = sum(self.W[r, s] * np.trace(U[r]) * np.trace(U[s]) for r, s in pairs)
        A2 = sum(self.W[r, s] * np.sum(U[r] * U[s].T) for r, s in pairs)
        B = (A1 + 6 * A2) / (2 * q)
        g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
        c1, c2, c3 = np.array([g, q - g, q + 2 - g]) / (3 * q + 2 * (1 - g))
        ratio = (1 - A2 / q) / (1 - c2 * B)
        rho = ratio**2 * (1 + c1 * B) / (1 - c3 * B) / q
        df = 4 + (q + 2) / (q * rho - 1)
        scale = 1.0 if q == 1 or abs(df - 2) < _NEAR_TWO else df * (1 - A2 / q) / (df - 2)
        return float(scale), float(df)

    def df(self, contrasts: Array) -> Array:
        """Degrees of freedom of each contrast, shape (m,); their t statistics need no scale."""
        return np.array([self.joint(row[None])[1] for row in np.atleast_2d(contrasts)])


def _spread(problem, estimate, root) -> tuple[Array, Array, list[Array]]:
    """Z of all levels (n, m), the covariance of the effects (m, m), and what it is a sum of.

    The columns of each term are those of :func:`_in_own_units`.
    """
    terms = problem.design.random
    sizes = [len(term.levels) * len(term.names) for term in terms]
    m, first = sum(sizes), 0
    Z, G, parts = np.zeros((len(root), m)), np.zeros((m, m)), []
    for term, found, size in zip(terms, estimate.terms, sizes, strict=True):
        block, q = slice(first, first + size), len(term.names)
        places = first + term.codes[:, None] * q + np.arange(q)
        columns, to_user, matrices = _in_own_units(term)
        np.put_along_axis(Z, places, columns * root[:, None], axis=1)
        levels = np.eye(len(term.levels))
        G[block, block] = np.kron(levels, to_user @ found.covariance @ to_user.T)
        for matrix in matrices:
            part = np.zeros((m, m))
            part[block, block] = np.kron(levels, matrix)
            parts.append(part)
        first += size
    return Z, G, parts


def _in_own_units(term: RandomTerm) -> tuple[Array, Array, Array]:
    """Columns C with ``Z = C R``, R, and matrices whose combinations are the covariances R G Rᵀ.

    The units of a covariate, and how far it is from zero, then make no difference to what is told
    from rounding. Covariances that may be any are so of orthonormal columns too.
    """
    q, sizes = term.structure.q, np.linalg.norm(term.Z, axis=0)
    basis = _basis(term.structure, sizes)
    if len(basis) == q * (q + 1) // 2:
        return *np.linalg.qr(term.Z), basis
    return term.Z / sizes, np.diag(sizes), basis
