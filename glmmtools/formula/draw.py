"""Responses drawn from a model at given parameters: new random effects, then a value a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.formula.random_terms import RandomTerm, ResidualTerm

Array = np.ndarray


def draw_effects(
    terms: Sequence[RandomTerm],
    covariances: Sequence[Array],
    correlations: Sequence[float | None],
    rng: np.random.Generator,
    n: int = 1,
) -> Iterator[list[Array]]:
    """Draw the random effects of `n` data sets, one set after another.

    Each term has the covariance of the effects of one level, and its rho where it has one.

    Yields
    ------
    list of ndarray
        For each term the effects of all its levels, shape (levels, q).
    """
    structures = [term.structure for term in terms]
    given = zip(structures, covariances, correlations, strict=True)
    thetas = [structure.theta_of(G, rho) for structure, G, rho in given]
    for _ in range(n):
        yield [
            structure.effects(theta, rng.standard_normal((structure.n_levels, structure.q)))
            for structure, theta in zip(structures, thetas, strict=True)
        ]


def draw_residuals(
    term: ResidualTerm,
    covariance: Array,
    correlation: float | None,
    rng: np.random.Generator,
    n: int = 1,
) -> Array:
    """Draw the residuals of `n` data sets, which have a covariance structure, shape (n, rows)."""
    drawn = draw_effects([term], [covariance], [correlation], rng, n)
    return np.array([term.structure.predictor(values) for (values,) in drawn])


def draw(
    eta: Array,
    family: Family,
    link: Link,
    parameters: Mapping[str, Any],
    extra_zero: Any,
    rng: np.random.Generator,
) -> Array:
    """Draw a response for each linear predictor.

    Parameters
    ----------
    eta : ndarray, shape (..., n)
    parameters : dict
        Shape parameters of the family, and the trials where it takes them: numbers, or arrays of
        shape (n,).
    extra_zero : float or ndarray, shape (n,)
        Probability that a row is a zero whatever the family says.

    Returns
    -------
    ndarray, shape (..., n)
    """
    y = np.asarray(family.sample(family.clipped_mean(eta, link), rng, **parameters))
    if np.any(extra_zero):
        y = np.where(rng.random(y.shape) < extra_zero, 0, y)
    return y
