"""Conditional covariance of the random effects, given the parameters of any engine's fit.

With ``W`` the negative second derivative of the log-density in eta and ``b = Λ u``, the conditional
covariance of b is ``Λ (ΛᵀZᵀWZΛ + I)⁻¹ Λᵀ`` (Bates et al. 2015, eq. 58), which is also right where a
variance is zero.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from glmmtools.engines.base import Problem

Array = np.ndarray


def conditional_sds(
    problem: Problem, eta: Array, shape: dict[str, float], covariances: list[Array]
) -> list[Array]:
    """Conditional standard deviations of the random effects of each term, shape (levels, q)."""
    design = problem.design
    _, second, _ = problem.family.eta_derivatives(
        design.y, eta, problem.link, **shape, **problem.trials
    )
    W = -second * (1 if design.weights is None else design.weights)
    factors = [square_root(G) for G in covariances]
    if len(design.random) == 1:
        return [_one_term_sds(design.random[0], W, factors[0])]
    return _crossed_sds(design.random, W, factors)


def square_root(G: Array) -> Array:
    """A matrix L with L Lᵀ = G, also for a singular G."""
    values, vectors = np.linalg.eigh(G)
    return vectors * np.sqrt(np.maximum(values, 0))


def _one_term_sds(term, W: Array, factor: Array) -> Array:
    levels, q = len(term.levels), len(term.names)
    ZL = term.Z @ factor
    information = np.empty((levels, q, q))
    for i in range(q):
        for j in range(i + 1):
            sums = np.bincount(term.codes, W * ZL[:, i] * ZL[:, j], minlength=levels)
            information[:, i, j] = information[:, j, i] = sums
    covariance = factor @ np.linalg.inv(information + np.eye(q)) @ factor.T
    return np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))


def _crossed_sds(terms, W: Array, factors: list[Array]) -> list[Array]:
    blocks = [_spread(term, factor) for term, factor in zip(terms, factors, strict=True)]
    ZL = sparse.hstack(blocks, format="csc")
    precision = (ZL.T @ ZL.multiply(W[:, None]) + sparse.eye_array(ZL.shape[1])).tocsc()
    inverse = splu(precision).solve(np.eye(ZL.shape[1]))
    sds, start = [], 0
    for term, factor in zip(terms, factors, strict=True):
        q = len(term.names)
        stop = start + q * len(term.levels)
        block = inverse[start:stop, start:stop].reshape(len(term.levels), q, len(term.levels), q)
        own = np.einsum("lilj->lij", block)
        sds.append(np.sqrt(np.diagonal(factor @ own @ factor.T, axis1=1, axis2=2)))
        start = stop
    return sds


def _spread(term, factor: Array) -> sparse.csr_array:
    """Z Λ of one term as a sparse matrix, columns level by level."""
    n, q = term.Z.shape
    columns = (term.codes[:, None] * q + np.arange(q)).ravel()
    rows = np.repeat(np.arange(n), q)
    values = (term.Z @ factor).ravel()
    return sparse.csr_array((values, (rows, columns)), shape=(n, q * len(term.levels)))
