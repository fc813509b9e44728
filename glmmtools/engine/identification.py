"""Which parameters of a covariance the rows can tell: the rank of the slopes of Var(y).

At parameters that are no special point, each is told from the others where no direction among them
leaves the covariance of the rows as it is. In R these are the parameters of nlme's ``gls`` with the
same covariance, and of glmmTMB with its dispersion held at 0 where a structure holds the residual
variance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from glmmtools.covariances.base import Structure
from glmmtools.engine.blocks import Blocks, blocks_of, dependent_rows

Array = np.ndarray
_STEP = 1e-5
_ROUNDING = 1e-7
_NO_SLOPE = 1e-8  # of the largest: what is left of none by differences
_MOST_ROWS = 100  # of one block
_MOST_ENTRIES = 100_000
_FEW_ENTRIES = 10_000  # which mostly tell all
_RHO = 0.5  # of series


@dataclass(frozen=True, eq=False)
class Identification:
    """What the slopes of the covariance of the rows say of its parameters.

    Attributes
    ----------
    gram : ndarray, shape (k, k)
        Inner products of the slopes.
    parts : tuple of ndarray of int
        Places of the parameters of each structure; last, if it was asked for, of the residual
        variance.
    """

    gram: Array
    parts: tuple[Array, ...]

    @classmethod
    def of(
        cls,
        structures: Sequence[Structure],
        residual_variance: bool,
        most_rows: int = _MOST_ROWS,
    ) -> Identification:
        """Of structures on the same rows, and of one residual variance.

        Where more than `most_rows` rows depend on each other, some rows of each level are asked.
        """
        sizes = [*(each.n_params for each in structures), *([1] if residual_variance else [])]
        parts = tuple(np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1]))
        gram = np.zeros((sum(sizes),) * 2)
        for slopes in _slopes(structures, residual_variance, most_rows):
            gram += slopes @ slopes.T
            if _null(gram).shape[1] == 0:
                break
        return cls(gram, parts)

    def _null_space(self, numbers: Sequence[int]) -> tuple[Array, Array]:
        places = np.concatenate([self.parts[k] for k in numbers or range(len(self.parts))])
        return places, _null(self.gram[np.ix_(places, places)])

    def lost(self, *numbers: int) -> int:
        """How many parameters of some parts, by default of all, the rows cannot tell."""
        return self._null_space(numbers)[1].shape[1]

    def held(self, *numbers: int) -> list[int]:
        """Those of some parts without which the others give every covariance of them all."""
        rank = self._rank(*numbers)
        return [k for k in numbers if self._rank(*_without(k, numbers)) == rank]

    def _rank(self, *numbers: int) -> int:
        if not numbers:
            return 0
        places, null = self._null_space(numbers)
        return len(places) - null.shape[1]

    def beside(self, number: int, *numbers: int) -> list[int]:
        """Those of some parts, no more than needed, beside which one of them is tangled."""
        others = _without(number, numbers)
        for k in numbers:
            fewer = _without(k, others)
            if fewer and number in self.tangled(number, *fewer):
                others = fewer
        return others

    def tangled(self, *numbers: int) -> list[int]:
        """Those of some parts, by default of all, that can change where the covariance does not."""
        numbers = numbers or tuple(range(len(self.parts)))
        places, null = self._null_space(numbers)
        moved = places[np.any(np.abs(null) > np.sqrt(_ROUNDING), axis=1)]
        return [k for k in numbers if np.isin(self.parts[k], moved).any()]


def _without(number: int, numbers: Sequence[int]) -> list[int]:
    return [k for k in numbers if k != number]


def _null(gram: Array) -> Array:
    """An orthonormal basis of the directions without a slope, each slope taken of length 1."""
    squares = np.diag(gram)
    scale = 1 / np.sqrt(np.maximum(squares, max(_NO_SLOPE**2 * squares.max(), 1e-300)))
    values, vectors = np.linalg.eigh(gram * np.outer(scale, scale))
    return vectors[:, values < _ROUNDING]


def _blocks(structures: Sequence[Structure], most_rows: int) -> Iterator[Blocks]:
    """Rows that depend on each other; of more than the most, some of each level of each group."""
    if max(rows.shape[1] for rows in dependent_rows(structures)) <= most_rows:
        yield from blocks_of(structures)
        return
    rng = np.random.default_rng(0)
    by_codes = {each.codes.tobytes(): each for each in structures}
    for structure in by_codes.values():
        for rows in dependent_rows([structure]):
            some = rng.permutation(rows.shape[1])[:most_rows]
            yield Blocks.of(rows[: _at_once(len(some)), some], structures, False)


def _at_once(m: int, entries: int = _MOST_ENTRIES) -> int:
    return max(1, entries // m**2)


def _on(structure: Structure, rows: Array) -> Structure:
    return structure.on(structure.codes[rows], structure.entries[rows])


def _slopes(
    structures: Sequence[Structure], residual_variance: bool, most_rows: int
) -> Iterator[Array]:
    """Slopes of entries of the covariance in each parameter, (k, entries); of blocks in turn."""
    rng, ones = np.random.default_rng(0), np.ones(len(structures[0].codes))
    thetas = [_start(each, ones) + rng.uniform(0.2, 0.6, each.n_params) for each in structures]
    for blocks in _blocks(structures, most_rows):
        m = blocks.rows.shape[1]
        few, most = _at_once(m, _FEW_ENTRIES), _at_once(m)
        for some in (slice(few), slice(few, most)):
            patterns = blocks.patterns[some]
            if not len(patterns):
                continue
            slopes = [
                _where(alike, some, of_parameter).ravel()
                for structure, theta, alike in zip(structures, thetas, blocks.alike, strict=True)
                for of_parameter in _of_structure(structure, theta, patterns)
            ]
            if residual_variance:
                slopes.append(np.tile(np.eye(m), (len(patterns), 1, 1)).ravel())
            yield np.array(slopes)


def _where(alike: Array | None, some: slice, values: Array) -> Array:
    return values if alike is None else values * alike[some]


def _start(structure: Structure, ones: Array) -> Array:
    return structure.start_at(1.0, _RHO) if structure.of_time else structure.start(1.0, 1.0, ones)


def _of_structure(structure: Structure, theta: Array, patterns: Array) -> Iterator[Array]:
    """Slopes of what a structure gives to rows of one level, by central differences, (u, m, m)."""
    on_rows = _on(structure, patterns.ravel())

    def products(at: Array) -> Array:
        rows = on_rows.rows(at).reshape(*patterns.shape, -1)
        return rows @ rows.transpose(0, 2, 1)

    for shift in _STEP * np.eye(len(theta)):
        yield (products(theta + shift) - products(theta - shift)) / (2 * _STEP)
