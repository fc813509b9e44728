"""What simulations with new random effects say of a response; the same of refitted data sets."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from glmmtools.fitted.fit import Fit
from glmmtools.residuals.refitted import refitted_draws

Array = np.ndarray


def random_ranks(y: Array, draws: Array, rng: np.random.Generator) -> tuple[Array, int]:
    """The share of draws below each response, ties split at random; how many lie outside all."""
    below, tied = np.sum(draws < y, axis=0), np.sum(draws == y, axis=0)
    values = (below + rng.uniform(size=len(y)) * (1 + tied)) / (len(draws) + 1)
    outside = int(np.sum(below + tied == 0) + np.sum(below == len(draws)))
    return np.clip(values, 1e-12, 1 - 1e-12), outside


class AgainstDraws(NamedTuple):
    """A response among draws of a model; of several each with its own, the first axis theirs.

    Attributes
    ----------
    residuals : ndarray, shape (nobs,)
        As of :func:`random_ranks`.
    mean_square : float or ndarray
        Mean square of the deviations from the draws' means over their standard deviations.
    outside : int or ndarray
        Rows outside all draws.
    zeros : float or ndarray
        Number of zeros less their mean number in the draws.
    """

    residuals: Array
    mean_square: Any
    outside: Any
    zeros: Any

    @classmethod
    def of(cls, y: Array, draws: Array, rng: np.random.Generator) -> AgainstDraws:
        """Of a response (nobs,) among draws (n, nobs)."""
        pool = np.vstack([y, draws])
        sd = pool.std(axis=0)
        scaled = ((y - pool.mean(axis=0)) / np.where(sd > 0, sd, 1.0))[sd > 0]
        residuals, outside = random_ranks(y, draws, rng)
        zeros = np.sum(y == 0) - np.mean(np.sum(draws == 0, axis=1))
        return cls(residuals, np.mean(scaled**2), outside, zeros)

    @classmethod
    def of_refits(cls, model: Fit, n: int, seed: tuple[int, ...]) -> AgainstDraws:
        """Of n new responses of a model, each among n draws of its refit."""
        rng = np.random.default_rng((*seed, 2))
        each = [cls.of(y, draws, rng) for y, draws in refitted_draws(model, n, seed)]
        return cls(*map(np.array, zip(*each, strict=True)))
