"""Blocks of the covariance of rows: those that share a level, of a random term or the residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmmtools.covariances.base import Structure

Array = np.ndarray
_ENTRIES_AT_ONCE = 2_000_000
_OFTEN = 4  # blocks that are the same matrix, which pay for a computation of their own


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of V of one size, all the same matrix or each its own.

    Attributes
    ----------
    rows : ndarray of int, shape (k, m)
        The rows of each block, in the order of groups and times.
    patterns : ndarray of int, shape (u, m)
        Those whose entries of V are computed: of the first block (u = 1), or of all (u = k).
    alike : list of ndarray of bool, shape (u, m, m), or None
        For each structure which two rows share a level; None where all do.
    """

    rows: Array
    patterns: Array
    alike: list[Array | None]

    @classmethod
    def of(cls, rows: Array, structures: Sequence[Structure], repeated: bool) -> Blocks:
        patterns = rows[:1] if repeated else rows
        shared = (_shared(structure, patterns) for structure in structures)
        return cls(rows, patterns, [None if same.all() else same for same in shared])

    @property
    def copies(self) -> int:
        """How many blocks each of the matrices stands for."""
        return len(self.rows) // len(self.patterns)

    def of_term(self, number: int, values: Array) -> Array:
        """The entries, shape (u, m, m), of rows that share a level of one structure."""
        same = self.alike[number]
        return values if same is None else values * same

    def covariance(self, roots: list[Array]) -> Array:
        """V of each pattern, shape (u, m, m), from the rows of ``Z Λ`` of each structure."""
        parts = []
        for number, root in enumerate(roots):
            of_rows = root[self.patterns]
            parts.append(self.of_term(number, of_rows @ of_rows.transpose(0, 2, 1)))
        return sum(parts[1:], parts[0])

    def times(self, matrices: Array, values: Array) -> Array:
        """Matrices of the patterns times values of the rows, shape (k, m, c)."""
        if self.copies == 1:
            return matrices @ values
        m, c = values.shape[1:]
        flat = matrices[0] @ values.transpose(1, 0, 2).reshape(m, -1)
        return flat.reshape(m, -1, c).transpose(1, 0, 2)

    def products(self, values: Array) -> Array:
        """``Σ v vᵀ`` over the blocks of each pattern, shape (u, m, m), of values (k, m, c)."""
        if self.copies == 1:
            return values @ values.transpose(0, 2, 1)
        flat = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
        return (flat @ flat.T)[None]


def _shared(structure: Structure, rows: Array) -> Array:
    codes = structure.codes[rows]
    return codes[:, :, None] == codes[:, None, :]


def blocks_of(structures: Sequence[Structure]) -> list[Blocks]:
    """The blocks of V; the last structure, that of the residuals, gives the order of their rows.

    Patterns that are there often have their blocks together, the others those of one size.
    """
    found = []
    for rows in dependent_rows(structures):
        keys = structures[-1].coordinates[rows], structures[-1].codes[rows]
        rows = np.take_along_axis(rows, np.lexsort(keys, axis=1), axis=1)
        pattern = np.unique(_patterns(structures, rows), axis=0, return_inverse=True)[1].ravel()
        often = np.bincount(pattern) >= _OFTEN
        for number in np.flatnonzero(often):
            found.append(Blocks.of(rows[pattern == number], structures, True))
        rest = rows[~often[pattern]]
        together = max(1, _ENTRIES_AT_ONCE // rows.shape[1] ** 2)
        for first in range(0, len(rest), together):
            found.append(Blocks.of(rest[first : first + together], structures, False))
    return found


def _patterns(structures: Sequence[Structure], rows: Array) -> Array:
    """One row a block, the same for blocks with the same V: what it is made of."""
    parts = []
    for structure in structures:
        columns = structure.coordinates if structure.one_effect_a_row else structure.Z
        parts += [columns[rows].reshape(len(rows), -1), _shared(structure, rows).argmax(axis=2)]
    return np.hstack(parts)


def dependent_rows(structures: Sequence[Structure]) -> list[Array]:
    """Rows that share levels, directly or through others, by how many: each shape (k, m)."""
    from scipy import sparse

    n, first, rows, columns = len(structures[0].codes), 0, [], []
    for structure in structures:
        rows.append(np.arange(n))
        columns.append(first + structure.codes)
        first += structure.n_levels
    pairs = np.concatenate(rows), n + np.concatenate(columns)
    graph = sparse.coo_matrix((np.ones(len(pairs[0])), pairs), shape=(n + first,) * 2)
    labels = np.unique(
        sparse.csgraph.connected_components(graph, directed=False)[1][:n], return_inverse=True
    )[1]
    sizes = np.bincount(labels)
    order = np.argsort(labels, kind="stable")
    starts = np.cumsum(sizes) - sizes
    return [order[starts[sizes == size][:, None] + np.arange(size)] for size in np.unique(sizes)]
