"""Where the columns of each random term stand: in the blocks of the arrow or in its border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glmmtools.covariances.base import Structure
from glmmtools.engine.arrow import Arrow
from glmmtools.engine.modes import Solution

Array = np.ndarray


@dataclass(frozen=True)
class PlacedTerm:
    """A random term's structure, its slice of θ, and where its columns stand."""

    structure: Structure
    theta: slice
    in_block: bool
    columns: slice  # of the block (q) or of the row's border entries (k)
    first: int  # of the border's effects; 0 in the block
    levels: Array  # that have rows, of the grouping factor of the blocks

    @property
    def _levels_and_columns(self) -> tuple[int, int]:
        return self.structure.n_levels, self.structure.q

    @property
    def _part(self) -> slice:
        """Of the border's effects."""
        levels, q = self._levels_and_columns
        return slice(self.first, self.first + levels * q)

    def places(self, codes: Array) -> Array:
        """Of levels, by their codes: their places among the blocks, or among the levels of the
        border; -1 for those of which there are no rows in the blocks, or none at all."""
        if not self.in_block:
            return codes
        blocks = np.full(self.structure.n_levels + 1, -1)
        blocks[self.levels] = np.arange(len(self.levels))
        return blocks[codes]  # the last place is that of the code -1

    def modes(self, solution: Solution) -> Array:
        """The modes u, shape (levels, q): zero where a level has no rows."""
        if self.in_block:
            u = np.zeros(self._levels_and_columns)
            u[self.levels] = solution.u[:, self.columns]
            return u
        return solution.border[self._part].reshape(self._levels_and_columns)

    def mode_covariances(self, arrow: Arrow) -> Array:
        """Covariances of the u of each level given the parameters, shape (levels, q, q)."""
        if self.in_block:
            levels, q = self._levels_and_columns
            covariances = np.tile(np.eye(q), (levels, 1, 1))
            covariances[self.levels] = arrow.block_covariances[:, self.columns, self.columns]
            return covariances
        inverse = arrow.border_inverse[0][self._part, self._part]
        return np.einsum("lilj->lij", inverse.reshape(self._levels_and_columns * 2))


def largest_group(terms) -> str | None:
    """The grouping factor with most effects: it becomes the blocks of the arrow."""
    size: dict[str, int] = {}
    for term in terms:
        size[term.group] = max(size.get(term.group, 0), len(term.levels) * len(term.names))
    return max(size, key=size.get) if size else None


def rows_by_block(terms, block_group: str | None, n: int) -> Array:
    codes = next((term.codes for term in terms if term.group == block_group), np.zeros(n, int))
    return np.argsort(codes, kind="stable")
