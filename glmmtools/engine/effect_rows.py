"""The rows of ``A = Z Λ``: where their entries stand, and sums and products over them.

`arrow` says what blocks and border are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

Array = np.ndarray
_LARGE, _FULL = 100_000, 0.1  # entries between blocks and border, and the share that are not zero
_NARROW = 2  # columns of blocks up to which products are taken one by one


@dataclass(frozen=True, eq=False)
class Level:
    """The levels of a factor that blocks, or levels of an inner factor, are nested in.

    Attributes
    ----------
    starts : ndarray of int, shape (levels,)
        The first of those within.
    n_within : int
    places : ndarray of int, shape (levels, k)
        Columns of the border.
    """

    starts: Array
    n_within: int
    places: Array

    @cached_property
    def of(self) -> Array:
        """The level that each of those within lies in, shape (n_within,)."""
        sizes = np.diff(self.starts, append=self.n_within)
        return np.repeat(np.arange(len(sizes)), sizes)

    def sums(self, within: Array) -> Array:
        return np.add.reduceat(within, self.starts, axis=0)


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
    nesting : tuple of tuple of int
        Where the blocks lie in levels of the only factor in the border, and these perhaps in levels
        of another and so on: which of the k entries are of the inner factor, of the next, and so
        on. Blocks of a level are then side by side. Otherwise empty.
    """

    starts: Array
    codes: Array
    index: Array
    prior: Array
    copies: int = 1
    nesting: tuple[tuple[int, ...], ...] = ()

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
            self.nesting,
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
    def above(self) -> list[Level]:
        """The levels that the blocks lie in, those that these lie in, and so on."""
        found, first_rows = [], self.starts
        for columns in self.nesting:
            places = self.index[first_rows][:, columns]
            starts = np.flatnonzero(np.diff(places[:, 0], prepend=-1))
            found.append(Level(starts, len(first_rows), places[starts]))
            first_rows = first_rows[starts]
        return found

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

    @cached_property
    def joined(self) -> EffectRows:
        """The same rows with their entries of the border, from inner to outer, beside the block."""
        entries = [self.values[:, columns] for columns in self.pattern.nesting]
        return EffectRows(self.pattern, np.hstack([self.block, *entries]), self.values[:, :0])

    def unpadded(self, padded: Array) -> Array:
        return padded.reshape(-1, padded.shape[2]).take(self.pattern.unpadded, axis=0)

    def times_blocks(self, matrices: Array) -> Array:
        """Each row of the block part times the symmetric (q, q) matrix of its block."""
        if self.block.shape[1] <= _NARROW or self.padded_block is None:
            return apply(matrices.take(self.pattern.codes, axis=0), self.block)
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


def product(matrices: Array, columns: Array) -> Array:
    """Stacked matrices times stacked columns; single numbers without the cost of many products."""
    return matrices * columns if matrices.shape[1:] == (1, 1) else matrices @ columns


def apply(matrices: Array, vectors: Array) -> Array:
    """Stacked matrices times a vector each."""
    return product(matrices, vectors[:, :, None])[:, :, 0]
