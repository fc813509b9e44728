"""The arrow-shaped Hessian of the random effects, and the linear algebra around it.

With ``eta = fixed + A u`` and ``A = Z Λ`` the negative Hessian of the joint log-density in the
spherical random effects, ``H = AᵀWA + I``, is an arrow: one grouping factor (that with most
effects) gives a block for each of its levels, all handled at once as stacked small matrices; the
rest (other factors, and for REML the fixed effects, which then have no prior) is a dense border,
eliminated last. Nothing of the size rows × groups is ever formed.

Several *copies* of the data, each with parameters of its own, are solved side by side as one
problem of more rows, blocks and borders: for small data the calls cost more than the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

Array = np.ndarray
_LARGE, _FULL = 100_000, 0.1  # entries between blocks and border, and the share that are not zero
_NARROW = 2  # columns of blocks up to which products are taken one by one


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
    copies : int
        Equal parts that levels, rows and the border fall into, one after the other.
    """

    starts: Array
    codes: Array
    index: Array
    prior: Array
    copies: int = 1

    def times(self, copies: int) -> Pattern:
        """The pattern of this many copies of the data."""

        def repeated(places: Array, size: int) -> Array:
            shift = size * np.arange(copies).reshape(-1, *[1] * places.ndim)
            return (places + shift).reshape(copies * len(places), *places.shape[1:])

        return Pattern(
            repeated(self.starts, len(self.codes)),
            repeated(self.codes, len(self.starts)),
            repeated(self.index, len(self.prior)),
            np.tile(self.prior, copies),
            copies,
        )

    @property
    def border(self) -> int:
        """Effects in the border of one copy."""
        return len(self.prior) // self.copies

    @property
    def full(self) -> bool:
        """Whether every row has entries in the whole border, as with fixed effects alone there."""
        return self.border == self.index.shape[1]

    def by_row(self, u: Array) -> Array:
        """The block effects of each row, shape (n, q)."""
        return u.take(self.codes, axis=0) if len(u) else np.zeros((len(self.codes), 0))

    @cached_property
    def local(self) -> Array:
        """The index within the border of the row's own copy."""
        return self.index % self.border if self.border else self.index

    @cached_property
    def corner(self) -> Array:
        """Flat places in the (copies, m, m) corner of the products of a row's border entries."""
        return (self.index[:, :, None] * self.border + self.local[:, None, :]).ravel()

    @cached_property
    def side(self) -> Array:
        """Flat places in the (levels, m) side of a row's border entries."""
        return (self.codes[:, None] * self.border + self.local).ravel()

    @cached_property
    def is_sparse(self) -> bool:
        """Whether few levels of a block meet an effect of the border, as with two large factors."""
        size = len(self.starts) * self.border
        return self.copies == 1 and size > _LARGE and len(self.side) < _FULL * size

    @cached_property
    def pairs(self) -> tuple[Array, Array]:
        """Of `side`: the places that occur, in order, and which of them each entry is."""
        return np.unique(self.side, return_inverse=True)

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

    @cached_property
    def unpadded(self) -> Array:
        """The flat place of each row in `padded`."""
        return (
            self.codes * self.padded.shape[1] + np.arange(len(self.codes)) - self.starts[self.codes]
        )


@dataclass(frozen=True, eq=False)
class EffectRows:
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

    @cached_property
    def has_border(self) -> bool:
        return len(self.pattern.prior) > 0

    @cached_property
    def has_blocks(self) -> bool:
        return len(self.pattern.starts) > 0

    def dot(self, u: Array, border: Array) -> Array:
        """``A u`` for block effects u of shape (levels, q) and border effects of shape (m,)."""
        total = np.zeros(len(self.block))
        if self.has_blocks:
            total += _rowsum(self.block, u.take(self.pattern.codes, axis=0))
        if self.has_border:
            total += _rowsum(self.values, border.take(self.pattern.index))
        return total

    def transposed_dot(self, rows: Array) -> tuple[Array, Array]:
        """``Aᵀ rows`` as its block part (levels, q) and its border part (m,)."""
        border = np.zeros(0)
        if self.has_border:
            border = np.bincount(
                self.pattern.index.ravel(),
                (self.values * rows[:, None]).ravel(),
                minlength=len(self.pattern.prior),
            )
        return self.by_block(self.block * rows[:, None]), border

    def row_products(self, rows: tuple[Array, Array]) -> Array:
        """Each row of A times another row, given by its block part and its border part."""
        return (self.block * rows[0]).sum(axis=1) + (self.values * rows[1]).sum(axis=1)

    def by_block(self, rows: Array) -> Array:
        """Sums over the rows of each block."""
        if not self.has_blocks:
            return np.zeros((0, *rows.shape[1:]))
        return np.add.reduceat(rows, self.pattern.starts, axis=0)

    @cached_property
    def padded_block(self) -> Array | None:
        return self._padded(self.block)

    @cached_property
    def padded_border(self) -> Array | None:
        """As `padded_block`, where every row has entries in the whole border."""
        return self._padded(self.values) if self.pattern.full else None

    def _padded(self, rows: Array) -> Array | None:
        """The rows of each block side by side, shape (levels, longest, …); None if uneven."""
        if not self.has_blocks or self.pattern.padded is None:
            return None
        return np.vstack([rows, np.zeros(rows.shape[1])]).take(self.pattern.padded, axis=0)

    def unpadded(self, padded: Array) -> Array:
        return padded.reshape(-1, padded.shape[2]).take(self.pattern.unpadded, axis=0)

    def times_blocks(self, matrices: Array) -> Array:
        """Each row of the block part times the symmetric (q, q) matrix of its block."""
        if self.block.shape[1] <= _NARROW or self.padded_block is None:
            return _apply(matrices.take(self.pattern.codes, axis=0), self.block)
        return self.unpadded(self.padded_block @ matrices)

    def block_products(self, WA: Array) -> Array:
        """``AᵀWA`` within each block, shape (levels, q, q)."""
        q = self.block.shape[1]
        if q > _NARROW and self.padded_block is not None:
            return self._padded(WA).transpose(0, 2, 1) @ self.padded_block
        H = np.empty((len(self.pattern.starts), q, q))
        for i in range(q):
            for j in range(i + 1):
                H[:, i, j] = H[:, j, i] = self.by_block(WA[:, i] * self.block[:, j])
        return H

    def side_products(self, WA: Array) -> Array:
        """``AᵀWA`` between each block and the border, shape (levels, q, m)."""
        if self.padded_border is not None:
            return self._padded(WA).transpose(0, 2, 1) @ self.padded_border
        levels, m = len(self.pattern.starts), self.pattern.border
        if self.pattern.is_sparse:
            return self._sparse_side(WA)
        C = np.empty((levels, WA.shape[1], m))
        for j in range(WA.shape[1]):
            side = (WA[:, j : j + 1] * self.values).ravel()
            C[:, j] = np.bincount(self.pattern.side, side, levels * m).reshape(levels, m)
        return C

    def _sparse_side(self, WA: Array) -> sparse.csr_array:
        """`side_products` with its zeros left out, as a matrix of shape (levels * q, m)."""
        places, which = self.pattern.pairs
        q, m = WA.shape[1], self.pattern.border
        level, column = places // m, places % m
        data = [np.bincount(which, (WA[:, j : j + 1] * self.values).ravel()) for j in range(q)]
        rows = [level * q + j for j in range(q)]
        return sparse.csr_array(
            (np.concatenate(data), (np.concatenate(rows), np.tile(column, q))),
            shape=(len(self.pattern.starts) * q, m),
        )

    def corner_products(self, W: Array) -> Array:
        """``AᵀWA`` within the border, shape (copies, m, m)."""
        m, copies = self.pattern.border, self.pattern.copies
        if self.pattern.full:
            values = self.values.reshape(copies, -1, m)
            return values.transpose(0, 2, 1) @ (W.reshape(copies, -1, 1) * values)
        products = (W[:, None] * self.values)[:, :, None] * self.values[:, None, :]
        flat = np.bincount(self.pattern.corner, products.ravel(), minlength=copies * m * m)
        return flat.reshape(copies, m, m)


def _rowsum(a: Array, b: Array) -> Array:
    if a.shape[1] == 1:
        return a[:, 0] * b[:, 0]
    return np.einsum("nq,nq->n", a, b)


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
        self.inverse, logdet = _inverses(self.H)
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
            self.K = (self.inverse * C if q == 1 else self.inverse @ C).reshape(shape)
            S -= C.reshape(shape).transpose(0, 2, 1) @ self.K
        self.border_inverse, logdet = _inverses((S + S.transpose(0, 2, 1)) / 2)
        self.logdet = self.logdet + logdet

    def solve(self, block: Array, border: Array) -> tuple[Array, Array]:
        """``H⁻¹`` times a vector given by its two parts."""
        solved = _apply(self.inverse, block)
        if not self.effects.has_border:
            return solved, border
        if self.effects.pattern.is_sparse:
            x = self.border_inverse[0] @ (border - self.K.T @ block.ravel())
            return solved - (self.K @ x).reshape(solved.shape), x
        K, copies = self.K, len(self.K)
        x = border.reshape(copies, -1, 1) - K.transpose(0, 2, 1) @ block.reshape(copies, -1, 1)
        x = self.border_inverse @ x
        return solved - (K @ x).reshape(solved.shape), x.ravel()

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
                else _apply(covariances.take(codes, axis=0), effects.block)
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
        border = _apply(corner, effects.values)
        if effects.has_blocks:
            cross = self._cross.transpose(0, 2, 1)[codes[:, None], effects.pattern.local]  # n, k, q
            block = block - np.einsum("nkq,nk->nq", cross, effects.values)
            border = border - np.einsum("nkq,nq->nk", cross, effects.block)
        return block, border

    @cached_property
    def eta_variances(self) -> Array:
        """Variance of eta in each row given the data and the parameters."""
        return self.effects.row_products(self.rows_solved(self.effects))


def _inverses(H: Array) -> tuple[Array, Array]:
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


def _apply(matrices: Array, vectors: Array) -> Array:
    if matrices.shape[1] == 1:
        return matrices[:, 0] * vectors
    return (matrices @ vectors[:, :, None])[:, :, 0]


def positive_definite(effects: EffectRows, W: Array) -> tuple[Arrow | None, bool]:
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
