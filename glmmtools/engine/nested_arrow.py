"""The arrow of nested factors, as plots in fields in regions: blocks in levels in levels.

Once the blocks are eliminated, what is left is a small matrix for each level that they lie in, and
so on outwards. No matrix grows with the number of levels.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from glmmtools.engine.arrow import Arrow, inverses
from glmmtools.engine.effect_rows import EffectRows, product

Array = np.ndarray


class NestedArrow(Arrow):
    """As `Arrow`, where the pattern has a nesting; with inverses by stage in place of two.

    Stage 0 is that of the blocks, stage 1 that of the levels that they lie in, and so on.

    Attributes
    ----------
    sizes : list of int
        Effects of a block or level of each stage.
    inverses : list of ndarray, shapes (levels, size, size)
        Of what each stage leaves to eliminate.
    K : list of ndarray, shapes (levels, size, effects of the outer stages)
        These inverses times the side.
    """

    def __init__(self, effects: EffectRows, W: Array):
        self.effects, pattern, rows = effects, effects.pattern, effects.joined
        self.sizes = [effects.block.shape[1], *map(len, pattern.nesting)]
        self.inverses, self.K, logdets = [], [], []
        left = rows.block_products(rows.block * W[:, None])
        for stage, size in enumerate(self.sizes):
            if stage:
                left = pattern.above[stage - 1].sums(left)
            H = (left[:, :size, :size] + left[:, :size, :size].transpose(0, 2, 1)) / 2
            H[:, np.arange(size), np.arange(size)] += 1.0
            inverse, logdet = inverses(H)
            side = left[:, :size, size:]
            K = product(inverse, side)
            left = left[:, size:, size:] - product(side.transpose(0, 2, 1), K)
            self.inverses.append(inverse)
            self.K.append(K)
            logdets.append(logdet.reshape(pattern.copies, -1).sum(axis=1))
        self.logdet = sum(logdets)

    def solve(self, block, border):
        block, border = self._solve(block[:, :, None], border[:, None])
        return block[:, :, 0], border[:, 0]

    def solve_all(self, right):
        blocks, q = len(self.inverses[0]), self.sizes[0]
        block, border = self._solve(right[: blocks * q].reshape(blocks, q, -1), right[blocks * q :])
        return np.vstack([block.reshape(blocks * q, -1), border])

    def _solve(self, block: Array, border: Array) -> tuple[Array, Array]:
        """Of c columns, shapes (blocks, q, c) and (m, c)."""
        above = self.effects.pattern.above
        rights, told = [block], -product(self.K[0].transpose(0, 2, 1), block)
        for level, K, size in zip(above, self.K[1:], self.sizes[1:], strict=True):
            told = level.sums(told)
            rights.append(border[level.places] + told[:, :size])
            told = told[:, size:] - product(K.transpose(0, 2, 1), rights[-1])
        solved = border.copy()  # as it is where a level has no rows
        outer = product(self.inverses[-1], rights[-1])
        solved[above[-1].places] = outer
        for stage in reversed(range(len(above))):
            outer = outer[above[stage].of]
            own = product(self.inverses[stage], rights[stage]) - product(self.K[stage], outer)
            if stage:
                solved[above[stage - 1].places] = own
            outer = np.concatenate([own, outer], axis=1)
        return own, solved

    @property
    def least_curvature(self):
        return float(min(1 / np.linalg.eigvalsh(each).max() for each in self.inverses))

    @cached_property
    def covariances(self) -> list[Array]:
        """Parts of ``H⁻¹``, by stage: of a level's own effects and those of the outer stages."""
        found = [self.inverses[-1]]
        for stage in reversed(range(len(self.sizes) - 1)):
            outer, K = found[0][self.effects.pattern.above[stage].of], self.K[stage]
            cross = product(K, outer)
            own = self.inverses[stage] + product(cross, K.transpose(0, 2, 1))
            below = np.concatenate([-cross.transpose(0, 2, 1), outer], axis=2)
            found.insert(0, np.concatenate([np.concatenate([own, -cross], axis=2), below], axis=1))
        return found

    @property
    def block_covariances(self):
        return self.covariances[0][:, : self.sizes[0], : self.sizes[0]]

    def border_covariances(self, first, columns, levels):
        pattern, q = self.effects.pattern, columns.stop - columns.start
        stage = next(k for k, each in enumerate(pattern.nesting) if columns.start in each)
        column = pattern.nesting[stage].index(columns.start)
        own = slice(column, column + q)
        covariances = np.tile(np.eye(q), (levels, 1, 1))
        with_rows = (pattern.above[stage].places[:, column] - first) // q
        covariances[with_rows] = self.covariances[stage + 1][:, own, own]
        return covariances

    def rows_solved(self, effects):
        q = self.sizes[0]
        solved, border = effects.joined.times_blocks(self.covariances[0]), effects.values.copy()
        border[:, [k for columns in effects.pattern.nesting for k in columns]] = solved[:, q:]
        return solved[:, :q], border

    def variances(self, effects):
        """As of any arrow; rows of other data may join levels that are not nested in each other.

        What a row has is eliminated stage by stage as H was, ``aᵀH⁻¹a`` being the sum of what each
        stage leaves of it.
        """
        if effects is self.effects:
            return super().variances(effects)
        above = self.effects.pattern.above
        with_rows = np.concatenate([each.places.ravel() for each in above])
        alone = ~np.isin(effects.pattern.index, with_rows)  # as their prior is
        total = np.sum(effects.values**2 * alone, axis=1)
        outer_effects = np.zeros((len(total), sum(self.sizes[1:])))
        held = [(effects.pattern.codes, np.hstack([effects.block, outer_effects]))]
        for stage, (size, inverse, K) in enumerate(
            zip(self.sizes, self.inverses, self.K, strict=True)
        ):
            if stage:
                held = [(above[stage - 1].of[level], left) for level, left in held]
                held.append(self._entries(effects, stage))
            _merge(held)
            for k, (level, row) in enumerate(held):
                own = row[:, :size]
                total += np.einsum("ni,nij,nj->n", own, inverse[level], own)
                held[k] = level, row[:, size:] - np.einsum("nij,ni->nj", K[level], own)
        return total

    def _entries(self, effects: EffectRows, stage: int) -> tuple[Array, Array]:
        """Of each row, the level of a stage and the entries of its effects and the outer ones."""
        places = self.effects.pattern.above[stage - 1].places
        level, column = np.full((2, len(effects.pattern.prior)), -1)
        level[places] = np.arange(len(places))[:, None]
        column[places] = np.arange(places.shape[1])
        index, n = effects.pattern.index, len(effects.block)
        levels, row = np.zeros(n, dtype=np.intp), np.zeros((n, sum(self.sizes[stage:])))
        for places, values in zip(index.T, effects.values.T, strict=True):
            if np.any(of_stage := column[places] >= 0):
                levels[of_stage] = level[places[of_stage]]
                row[of_stage, column[places[of_stage]]] = values[of_stage]
        return levels, row


def _merge(held: list[tuple[Array, Array]]) -> None:
    """What several places hold of the same level goes to the first of them."""
    for k, (level, row) in enumerate(held):
        for other, more in held[k + 1 :]:
            same = (level == other)[:, None]
            row += more * same
            more *= ~same


def arrow_of(effects: EffectRows, W: Array) -> Arrow:
    """``H = AᵀWA + prior`` factorised; raises LinAlgError where it is not positive definite."""
    return (NestedArrow if effects.pattern.nesting else Arrow)(effects, W)
