"""The conditional modes of spherical random effects, and the linear algebra around them.

The joint log-density of data and random effects is ``sum(log-density) - |u|²/2`` with
``eta = fixed + A u`` and ``A = Z Λ``. Its negative Hessian ``H = AᵀWA + I`` is an arrow: one
grouping factor (that with most effects) gives a block for each of its levels, all handled at once
as stacked small matrices; the rest (other factors, and for REML the fixed effects, which then have
no prior) is a dense border, eliminated last. Nothing of the size rows × groups is ever formed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["Arrow", "Effects", "Pattern", "Solution", "find_modes"]

Array = np.ndarray
_MAX_STEPS = 60
_MAX_HALVINGS = 30


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where the entries of ``A`` stand; the same for all parameters. Rows are sorted by block.

    Attributes
    ----------
    starts : ndarray of int, shape (levels,)
        First row of each block; empty when there are no random effects.
    codes : ndarray of int, shape (n,)
        Block of each row.
    index : ndarray of int, shape (n, k)
        Columns of the nonzero entries of the row in the border.
    prior : ndarray, shape (m,)
        Prior precision of the border's effects: 1, or 0 for the fixed effects of REML.
    """

    starts: Array
    codes: Array
    index: Array
    prior: Array

    @cached_property
    def corner(self) -> Array:
        """Flat places in the (m, m) corner of the products of a row's border entries."""
        m = len(self.prior)
        return (self.index[:, :, None] * m + self.index[:, None, :]).ravel()

    @cached_property
    def side(self) -> Array:
        """Flat places in the (levels, m) side of a row's border entries."""
        return (self.codes[:, None] * len(self.prior) + self.index).ravel()

    @cached_property
    def padded(self) -> Array | None:
        """Rows of each block side by side, shape (levels, longest), n for none; None if uneven."""
        n = len(self.codes)
        sizes = np.diff(self.starts, append=n)
        if len(sizes) * sizes.max() > 3 * n:
            return None
        place = np.arange(sizes.max())
        rows = self.starts[:, None] + place
        return np.where(place < sizes[:, None], rows, n)


@dataclass(frozen=True, eq=False)
class Effects:
    """The rows of ``A`` at one value of the parameters.

    Attributes
    ----------
    pattern : Pattern
    block : ndarray, shape (n, q)
        Part of A in the columns of the row's own block.
    values : ndarray, shape (n, k)
        Nonzero entries of the row in the border.
    """

    pattern: Pattern
    block: Array
    values: Array

    @property
    def has_border(self) -> bool:
        return len(self.pattern.prior) > 0

    @property
    def has_blocks(self) -> bool:
        return len(self.pattern.starts) > 0

    def dot(self, u: Array, border: Array) -> Array:
        """``A u`` for block effects u of shape (levels, q) and border effects of shape (m,)."""
        total = np.zeros(len(self.block))
        if self.has_blocks:
            total += _rowsum(self.block, u[self.pattern.codes])
        if self.has_border:
            total += _rowsum(self.values, border[self.pattern.index])
        return total

    def transposed_dot(self, rows: Array) -> tuple[Array, Array]:
        """``Aᵀ rows`` as its block part (levels, q) and its border part (m,)."""
        border = np.bincount(
            self.pattern.index.ravel(),
            (self.values * rows[:, None]).ravel(),
            minlength=len(self.pattern.prior),
        )
        return self.by_block(self.block * rows[:, None]), border

    def by_block(self, rows: Array) -> Array:
        """Sums over the rows of each block."""
        if not self.has_blocks:
            return np.zeros((0, *rows.shape[1:]))
        return np.add.reduceat(rows, self.pattern.starts, axis=0)

    def block_products(self, WA: Array) -> Array:
        """``AᵀWA`` within each block, shape (levels, q, q)."""
        q = self.block.shape[1]
        if q > 2 and self.has_blocks and self.pattern.padded is not None:
            rows = self.pattern.padded
            left = np.vstack([WA, np.zeros(q)])[rows]
            right = np.vstack([self.block, np.zeros(q)])[rows]
            return left.transpose(0, 2, 1) @ right
        H = np.empty((len(self.pattern.starts), q, q))
        for i in range(q):
            for j in range(i + 1):
                H[:, i, j] = H[:, j, i] = self.by_block(WA[:, i] * self.block[:, j])
        return H


def _rowsum(a: Array, b: Array) -> Array:
    if a.shape[1] == 1:
        return a[:, 0] * b[:, 0]
    return np.einsum("nq,nq->n", a, b)


class Arrow:
    """``H = AᵀWA + prior`` factorised; raises LinAlgError where it is not positive definite."""

    def __init__(self, effects: Effects, W: Array):
        self.effects = effects
        WA = effects.block * W[:, None]
        self.H = effects.block_products(WA) + np.eye(effects.block.shape[1])
        self.inverse, self.logdet = _inverses(self.H)
        if effects.has_border:
            self._eliminate(W, WA)

    def _eliminate(self, W: Array, WA: Array) -> None:
        values, pattern = self.effects.values, self.effects.pattern
        m, q, levels = len(pattern.prior), WA.shape[1], len(pattern.starts)
        products = (W[:, None] * values)[:, :, None] * values[:, None, :]
        corner = np.bincount(pattern.corner, products.ravel(), minlength=m * m).reshape(m, m)
        S = corner + np.diag(pattern.prior)
        if levels:
            self.C = np.empty((levels, q, m))
            for j in range(q):
                side = np.bincount(pattern.side, (WA[:, j : j + 1] * values).ravel(), levels * m)
                self.C[:, j] = side.reshape(levels, m)
            self.K = self.inverse @ self.C if q > 1 else self.inverse * self.C
            S -= self.C.reshape(-1, m).T @ self.K.reshape(-1, m)
        else:
            self.K = np.zeros((0, q, m))
        factor = np.linalg.cholesky((S + S.T) / 2)
        self.logdet += 2 * np.log(np.diag(factor)).sum()
        half = np.linalg.inv(factor)
        self.border_inverse = half.T @ half

    def solve(self, block: Array, border: Array) -> tuple[Array, Array]:
        """``H⁻¹`` times a vector given by its two parts."""
        if not self.effects.has_border:
            return _apply(self.inverse, block), border
        x = self.border_inverse @ (border - self.K.reshape(-1, len(border)).T @ block.ravel())
        return _apply(self.inverse, block) - self.K @ x, x

    def block_covariances(self) -> Array:
        """Diagonal blocks of ``H⁻¹`` for the levels, shape (levels, q, q)."""
        if not self.effects.has_border:
            return self.inverse
        return self.inverse + self.K @ self.border_inverse @ self.K.transpose(0, 2, 1)

    def rows_solved(self, effects: Effects) -> tuple[Array, Array]:
        """``H⁻¹ a`` for each row a, at the columns where a is not zero: (n, q) and (n, k)."""
        codes = effects.pattern.codes
        if not effects.has_blocks:
            block = np.zeros_like(effects.block)
        elif effects.block.shape[1] == 1:
            block = self.block_covariances()[codes, 0] * effects.block
        else:
            block = np.einsum("nij,nj->ni", self.block_covariances()[codes], effects.block)
        if not effects.has_border:
            return block, np.zeros_like(effects.values)
        index = effects.pattern.index
        corner = self.border_inverse[index[:, :, None], index[:, None, :]]
        border = np.einsum("nij,nj->ni", corner, effects.values)
        if effects.has_blocks:
            cross = -(self.K @ self.border_inverse)
            cross = np.moveaxis(cross, 1, 2)[codes[:, None], index]  # (n, k, q)
            block = block + np.einsum("nkq,nk->nq", cross, effects.values)
            border = border + np.einsum("nkq,nq->nk", cross, effects.block)
        return block, border


def _inverses(H: Array) -> tuple[Array, float]:
    """Inverses of stacked positive definite matrices and the sum of their log-determinants."""
    if H.shape[1] == 1:
        if np.any(~(H > 0)):
            raise np.linalg.LinAlgError("not positive definite")
        return 1 / H, float(np.log(H).sum())
    if not len(H):
        return H, 0.0
    factor = np.linalg.cholesky(H)
    logdet = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum()
    return np.linalg.inv(H), float(logdet)


def _apply(matrices: Array, vectors: Array) -> Array:
    if matrices.shape[1] == 1:
        return matrices[:, 0] * vectors
    return np.einsum("lij,lj->li", matrices, vectors)


@dataclass(frozen=True, eq=False)
class Solution:
    """The mode: effects, linear predictor, derivatives there, and the factorised Hessian."""

    u: Array
    border: Array
    eta: Array
    density: Array
    derivatives: tuple[Array, Array]
    arrow: Arrow

    @property
    def log_joint(self) -> float:
        """Log joint density at the mode, without the constant of the prior."""
        prior = self.arrow.effects.pattern.prior
        return float(
            self.density.sum() - 0.5 * np.sum(self.u**2) - 0.5 * np.sum(prior * self.border**2)
        )


def find_modes(effects: Effects, fixed: Array, likelihood, parameters, start) -> Solution | None:
    """Maximise the joint density over the effects by damped Newton steps; None if that fails.

    Steps use the observed Hessian; where it is not positive definite, its negative weights are set
    to zero, which keeps the step uphill. Without a border each block is damped on its own.
    """
    u, border = start
    eta = fixed + effects.dot(u, border)
    density = likelihood.density(eta, parameters)
    if not np.all(np.isfinite(density)):
        u, border = np.zeros_like(u), np.zeros_like(border)
        eta = fixed.copy()
        density = likelihood.density(eta, parameters)
        if not np.all(np.isfinite(density)):
            return None
    for _ in range(_MAX_STEPS):
        derivatives = likelihood.eta_derivatives(eta, parameters, order=2)
        arrow, observed = _positive_definite(effects, -derivatives[1])
        if arrow is None:
            return None
        g_block, g_border = effects.transposed_dot(derivatives[0])
        g_block, g_border = g_block - u, g_border - effects.pattern.prior * border
        step, border_step = arrow.solve(g_block, g_border)
        decrement = np.sum(g_block * step) + np.sum(g_border * border_step)
        if not np.isfinite(decrement):
            return None
        if decrement < 1e-18 * (1 + len(fixed)) and observed:
            return Solution(u, border, eta, density, derivatives[:2], arrow)
        moved = _damped(
            effects, fixed, likelihood, parameters, (u, border, eta, density), (step, border_step)
        )
        if moved is None:
            # no uphill step is left above rounding: this is the mode, as far as doubles resolve
            small = decrement < 1e-8 * (1 + np.abs(density).sum())
            at_mode = Solution(u, border, eta, density, derivatives[:2], arrow)
            return at_mode if observed and small else None
        u, border, eta, density = moved
    return None


def _positive_definite(effects: Effects, W: Array) -> tuple[Arrow | None, bool]:
    """The factorised Hessian, and whether it is the observed one."""
    if not np.all(np.isfinite(W)):
        return None, False
    try:
        return Arrow(effects, W), True
    except np.linalg.LinAlgError:
        try:
            return Arrow(effects, np.maximum(W, 0)), False
        except np.linalg.LinAlgError:
            return None, False


def _damped(effects, fixed, likelihood, parameters, state, step):
    """Take the step, halved until the joint density does not fall; None where it cannot rise."""
    u, border, eta, density = state
    by_block = not effects.has_border and effects.has_blocks
    prior = effects.pattern.prior

    def objective(density, u, border):
        if by_block:
            return effects.by_block(density) - 0.5 * np.sum(u**2, axis=1)
        return density.sum() - 0.5 * np.sum(u**2) - 0.5 * np.sum(prior * border**2)

    before = objective(density, u, border)
    slack = 1e-12 * (1 + np.abs(before))
    length = np.ones(len(u)) if by_block else 1.0
    for _ in range(_MAX_HALVINGS):
        scaled = length[:, None] if by_block else length
        new_u, new_border = u + scaled * step[0], border + (0 if by_block else length) * step[1]
        new_eta = fixed + effects.dot(new_u, new_border)
        new_density = likelihood.density(new_eta, parameters)
        after = objective(new_density, new_u, new_border)
        with np.errstate(invalid="ignore"):
            worse = ~(after >= before - slack)
        if not np.any(worse):
            if np.array_equal(new_eta, eta):
                return None
            return new_u, new_border, new_eta, new_density
        length = np.where(worse, length / 2, length) if by_block else length / 2
    return None
