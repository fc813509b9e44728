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
    total = X @ beta
    for term, b in zip(terms, modes, strict=True):
        total = total + term.structure.predictor(b)
    return total


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
