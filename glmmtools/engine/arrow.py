"""The arrow-shaped Hessian of the random effects, and the linear algebra around it.

With ``eta = fixed + A u`` and ``A = Z Λ`` the negative Hessian of the joint log-density in the
spherical random effects, ``H = AᵀWA + I``, is an arrow: one grouping factor (that with most
effects) gives a block for each of its levels, all handled at once as stacked small matrices; the
rest (other factors, and for REML the fixed effects, which then have no prior) is a dense border,
eliminated last. Nothing of the size rows × groups is ever formed. Where all factors are nested, not
even a border of that size is needed: see `nested_arrow`.

Several *copies* of the data, each with parameters of its own, are solved side by side as one
problem of more rows, blocks and borders: for small data the calls cost more than the arithmetic.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from glmmtools.engine.effect_rows import EffectRows, apply, product

Array = np.ndarray


class Arrow:
    """``H = AᵀWA + prior`` factorised; raises LinAlgError where it is not positive definite.

    Attributes
    ----------
    logdet : ndarray, shape (copies,)
    inverse : ndarray, shape (levels, q, q)
        Inverses of the blocks.
    border_inverse : ndarray, shape (copies, m, m)
        The border's part of ``H⁻¹``.
    """

    def __init__(self, effects: EffectRows, W: Array):
        self.effects = effects
        copies, q = effects.pattern.copies, effects.block.shape[1]
        WA = effects.block * W[:, None]
        self.H = effects.block_products(WA)
        self.H[:, np.arange(q), np.arange(q)] += 1.0
        self.inverse, logdet = inverses(self.H)
        self.logdet = logdet.reshape(copies, -1).sum(axis=1)
        if effects.has_border:
            self._eliminate(W, WA)

    def _eliminate(self, W: Array, WA: Array) -> None:
        """K = block⁻¹ C, C the side; the border's inverse is that of corner - Cᵀ K."""
        pattern = self.effects.pattern
        m, q, copies = pattern.border, WA.shape[1], pattern.copies
        S = self.effects.corner_products(W)
        S[:, np.arange(m), np.arange(m)] += pattern.prior.reshape(copies, m)
        C = self.effects.side_products(WA)
        if pattern.is_sparse:
            self.K = sparse.csr_array(_block_diagonal(self.inverse) @ C)
            S[0] -= (C.T @ self.K).toarray()
        else:
            shape = copies, len(C) // copies * q, m
            self.K = product(self.inverse, C).reshape(shape)
            S -= C.reshape(shape).transpose(0, 2, 1) @ self.K
        self.border_inverse, logdet = inverses((S + S.transpose(0, 2, 1)) / 2)
        self.logdet = self.logdet + logdet

    def solve(self, block: Array, border: Array) -> tuple[Array, Array]:
        """``H⁻¹`` times a vector given by its two parts."""
        solved = apply(self.inverse, block)
        if not self.effects.has_border:
            return solved, border
        if self.effects.pattern.is_sparse:
            x = self.border_inverse[0] @ (border - self.K.T @ block.ravel())
            return solved - (self.K @ x).reshape(solved.shape), x
        K, copies = self.K, len(self.K)
        x = border.reshape(copies, -1, 1) - K.transpose(0, 2, 1) @ block.reshape(copies, -1, 1)
        x = self.border_inverse @ x
        return solved - (K @ x).reshape(solved.shape), x.ravel()

    def solve_all(self, right: Array) -> Array:
        """``H⁻¹`` times columns of block effects and then those of the border; one copy."""
        blocks, q = self.inverse.shape[:2]
        size = blocks * q
        inner = product(self.inverse, right[:size].reshape(blocks, q, -1)).reshape(size, -1)
        if not self.effects.has_border:
            return inner
        K = self.K if self.effects.pattern.is_sparse else self.K[0]
        border = self.border_inverse[0] @ (right[size:] - K.T @ right[:size])
        return np.vstack([inner - K @ border, border])

    @property
    def least_curvature(self) -> float:
        """The smallest curvature among those of each block and of the border."""
        least = np.linalg.eigvalsh(self.H).min(initial=np.inf)
        if self.effects.has_border:
            least = min(least, 1 / np.linalg.eigvalsh(self.border_inverse).max())
        return float(least)

    @cached_property
    def _cross(self) -> Array:
        """Minus the part of ``H⁻¹`` between the levels and the border, shape (levels, q, m)."""
        B = self.border_inverse[0] if self.effects.pattern.is_sparse else self.border_inverse
        return (self.K @ B).reshape(len(self.inverse), -1, B.shape[-1])

    @cached_property
    def block_covariances(self) -> Array:
        """Diagonal blocks of ``H⁻¹`` for the levels, shape (levels, q, q)."""
        if not self.effects.has_border:
            return self.inverse
        if not self.effects.pattern.is_sparse:
            K = self.K.reshape(self._cross.shape)
            return self.inverse + self._cross @ K.transpose(0, 2, 1)
        covariances, q = self.inverse.copy(), self.inverse.shape[1]
        for i, j in np.ndindex(q, q):
            covariances[:, i, j] += self.K[j::q].multiply(self._cross[:, i]).sum(axis=1)
        return covariances

    def border_covariances(self, first: int, columns: slice, levels: int) -> Array:
        """Diagonal blocks of ``H⁻¹`` for a term of the border, shape (levels, q, q); one copy.

        Its effects are in the border from `first` on, and in these columns of a row's entries.
        """
        q = columns.stop - columns.start
        part = slice(first, first + levels * q)
        own = self.border_inverse[0][part, part].reshape(levels, q, levels, q)
        return np.einsum("lilj->lij", own)

    def rows_solved(self, effects: EffectRows) -> tuple[Array, Array]:
        """``H⁻¹ a`` for each row a, at the columns where a is not zero: (n, q) and (n, k)."""
        codes = effects.pattern.codes
        block = np.zeros_like(effects.block)
        own = effects is self.effects  # rows of other data are not sorted by block
        if effects.has_blocks:
            covariances = self.block_covariances
            block = (
                effects.times_blocks(covariances)
                if own
                else apply(covariances.take(codes, axis=0), effects.block)
            )
        if not effects.has_border:
            return block, np.zeros_like(effects.values)
        if own and effects.padded_border is not None:
            values = effects.values.reshape(len(self.K), -1, effects.pattern.border)
            border = (values @ self.border_inverse).reshape(effects.values.shape)
            border -= effects.unpadded(effects.padded_block @ self._cross)
            block = block - effects.unpadded(effects.padded_border @ self._cross.transpose(0, 2, 1))
            return block, border
        n, k = effects.values.shape
        corner = self.border_inverse.ravel()[effects.pattern.corner].reshape(n, k, k)
        border = apply(corner, effects.values)
        if effects.has_blocks:
            cross = self._cross.transpose(0, 2, 1)[codes[:, None], effects.pattern.local]  # n, k, q
            block = block - np.einsum("nkq,nk->nq", cross, effects.values)
            border = border - np.einsum("nkq,nq->nk", cross, effects.block)
        return block, border

    def variances(self, effects: EffectRows) -> Array:
        """``aᵀH⁻¹a`` for each row a, of these data or others: the variance of ``a u``."""
        return effects.row_products(self.rows_solved(effects))

    @cached_property
    def eta_variances(self) -> Array:
        """Variance of eta in each row given the data and the parameters."""
        return self.variances(self.effects)


def inverses(H: Array) -> tuple[Array, Array]:
    """Inverses of stacked symmetric matrices and their log-determinants; all positive definite."""
    size = H.shape[1]
    if size > 2 or not H.size:
        factor = np.linalg.cholesky(H)
        logdet = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        if size > 40:  # less work than the inverse of a matrix without symmetry
            return np.array([_from_factor(each) for each in factor]), logdet
        return np.linalg.inv(H), logdet
    first = H[:, 0, 0]
    det = first if size == 1 else first * H[:, 1, 1] - H[:, 0, 1] ** 2
    if not (first.min() > 0 and det.min() > 0):
        raise np.linalg.LinAlgError("not positive definite")
    if size == 1:
        return 1 / H, np.log(det)
    inverse = np.empty_like(H)
    inverse[:, 0, 0], inverse[:, 1, 1] = H[:, 1, 1] / det, first / det
    inverse[:, 0, 1] = inverse[:, 1, 0] = -H[:, 0, 1] / det
    return inverse, np.log(det)


def _from_factor(factor: Array) -> Array:
    """The inverse of ``L Lᵀ``."""
    lower = lapack.dpotri(factor, lower=True)[0]  # zeros above the diagonal
    inverse = lower + lower.T
    inverse[np.diag_indices_from(inverse)] /= 2
    return inverse


def _block_diagonal(blocks: Array) -> sparse.bsr_array:
    levels, q = blocks.shape[:2]
    return sparse.bsr_array(
        (blocks, np.arange(levels), np.arange(levels + 1)), shape=(levels * q, levels * q)
    )
