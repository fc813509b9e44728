"""The linear predictor of a design at given coefficients and random effects."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def linear_predictor(X: Array, terms, beta: Array, modes: list[Array]) -> Array:
    """``X β + Z b``; rows of a level that the fit has not seen (code -1) have b = 0."""
    total = X @ beta
    for term, b in zip(terms, modes, strict=True):
        padded = np.vstack([b, np.zeros(b.shape[1])])
        if term.structure == "ar1":
            total = total + padded[term.codes, term.places]
        else:
            total = total + np.einsum("nq,nq->n", term.Z, padded[term.codes])
    return total
