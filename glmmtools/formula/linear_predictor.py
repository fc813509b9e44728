"""The linear predictor of a design at given coefficients and random effects, its covariance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glmmtools.formula.random_terms import RandomTerm

Array = np.ndarray


def linear_predictor(
    X: Array, terms: Sequence[RandomTerm], beta: Array, modes: list[Array]
) -> Array:
    """``X β + Z b``; rows of a level that the fit has not seen (code -1) have b = 0."""
    return X @ beta + random_predictor(terms, modes)


def random_predictor(terms: Sequence[RandomTerm], modes: list[Array]) -> Array | float:
    """``Z b``, shape (n,); 0 without random terms."""
    parts = zip(terms, modes, strict=True)
    return sum((term.structure.predictor(b) for term, b in parts), 0.0)


def marginal_covariance(
    terms: Sequence[RandomTerm],
    covariances: Sequence[Array],
    correlations: Sequence[float | None],
    rows: Array | slice = slice(None),
) -> Array:
    """``Z G Zᵀ``: what the random effects give to the covariance of the linear predictor.

    Each term has the covariance of the effects of one level, and its rho where it has one.
    """
    total = 0.0
    for term, G, rho in zip(terms, covariances, correlations, strict=True):
        total = total + term.structure.predictor_covariance(G, rho, rows)
    return total
