"""Where the columns of each random term stand: in the blocks of the arrow or in its border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from glmmtools.covariances.base import Structure
from glmmtools.engine.arrow import Arrow
from glmmtools.engine.effect_rows import Pattern
from glmmtools.engine.modes import Solution
from glmmtools.formula.random_terms import RandomTerm

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
    unit: float  # of the linear predictor that its effects are in
    part: str = "mean"  # whose linear predictor that is

    @property
    def n_effects(self) -> int:
        return self.structure.n_levels * self.structure.q

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
        return arrow.border_covariances(self.first, self.columns, self.structure.n_levels)


@dataclass(frozen=True)
class Blocks:
    """Which grouping factor makes the blocks of the arrow, and the rows in their order.

    Attributes
    ----------
    group : str or None
        None without random terms.
    order : ndarray of int, shape (n,)
    within : tuple of str
        All other factors, if each level of `group` lies in one level of the first, that in one
        level of the next, and so on; rows are then ordered by all of them.
    """

    group: str | None
    order: Array
    within: tuple[str, ...] = ()

    @classmethod
    def of(cls, terms: Sequence[RandomTerm], n: int, bordered: bool) -> Blocks:
        """The innermost factor if all are nested, or else that with most effects.

        If the arrow is `bordered` by fixed effects, no level stands alone.
        """
        codes = {term.group: term.codes for term in terms}
        groups = sorted(codes, key=lambda group: -np.count_nonzero(np.bincount(codes[group])))
        pairs = [(codes[inner], codes[outer]) for inner, outer in pairwise(groups)]
        if pairs and not bordered and all(_is_nested(*pair) for pair in pairs):
            order = np.lexsort([codes[group] for group in groups])
            return cls(groups[0], order, tuple(groups[1:]))
        size: dict[str, int] = {}
        for term in terms:
            size[term.group] = max(size.get(term.group, 0), len(term.levels) * len(term.names))
        if not size:
            return cls(None, np.arange(n))
        group = max(size, key=size.get)
        return cls(group, np.argsort(codes[group], kind="stable"))


def _is_nested(inner: Array, outer: Array) -> bool:
    """Whether all rows of each level of the inner factor have the same level of the outer one."""
    of_inner = np.zeros(inner.max(initial=0) + 1, dtype=outer.dtype)
    of_inner[inner] = outer
    return np.array_equal(of_inner[inner], outer)


def place(
    terms: Sequence[RandomTerm], blocks: Blocks, unit: float, n: int, fixed: int
) -> tuple[list[PlacedTerm], Pattern]:
    """Where the columns of terms on n rows stand, and the pattern that they make.

    Rows are in the order of the blocks. `unit` is that of the linear predictor of the mean;
    so many `fixed` effects are in the border, without a prior.
    """
    block_codes = next((t.codes for t in terms if t.group == blocks.group), None)
    starts = levels = np.zeros(0, dtype=np.intp)
    if block_codes is not None:
        starts = np.flatnonzero(np.diff(block_codes, prepend=-1))
        levels = block_codes[starts]
    placed, indices = [], []
    q = start = first = column = 0
    nesting = {group: () for group in blocks.within}
    for term in terms:
        structure = term.structure
        theta = slice(start, start := start + structure.n_params)
        own = (unit, "mean") if term.part == "mean" else (1.0, term.part)
        if term.group == blocks.group:
            columns = slice(q, q := q + structure.q)
            placed.append(PlacedTerm(structure, theta, True, columns, 0, levels, *own))
        else:
            columns = slice(column, column := column + structure.q)
            if blocks.within:
                nesting[term.group] += tuple(range(columns.start, columns.stop))
            placed.append(PlacedTerm(structure, theta, False, columns, first, levels, *own))
            indices.append(first + term.codes[:, None] * structure.q + np.arange(structure.q))
            first += len(term.levels) * structure.q
    if fixed:
        indices.append(np.broadcast_to(first + np.arange(fixed), (n, fixed)))
    prior = np.concatenate([np.ones(first), np.zeros(fixed)])
    index = np.hstack(indices) if indices else np.zeros((n, 0), dtype=np.intp)
    first_rows = starts if block_codes is not None else [0]
    codes = np.repeat(np.arange(len(first_rows)), np.diff(first_rows, append=n))
    return placed, Pattern(starts, codes, index, prior, nesting=tuple(nesting.values()))
