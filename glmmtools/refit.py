"""What refitting a model to a simulated response would do to the linear predictor: one step.

A scoring step from the estimates towards those of another response y, with the random effects as
parameters that have a normal prior. It costs one factorisation for all responses together, where
refits would cost hundreds of searches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glmmtools.covariance import structure_of

if TYPE_CHECKING:
    from glmmtools.model import FittedModel

__all__ = ["eta_score", "one_step", "zero_probability"]

Array = np.ndarray


def eta_score(model: FittedModel, y: Array) -> Array:
    """Derivative of the log-density of responses y (n, nobs) in the fitted linear predictor."""
    eta, given = model.linear_predictor.to_numpy(), _given(model)
    score = model.family.eta_derivatives(y, eta, model.link, order=2, **given)[0]
    if model._problem.zero is None:
        return score
    counted = 1 - model._extra_zeros() / zero_probability(model, eta)  # zeros that are counts
    return np.where(y == 0, counted * score, score)


def zero_probability(model: FittedModel, eta: Array) -> Array:
    mu = model.family.clipped_mean(eta, model.link)
    density = np.exp(model.family.log_density(np.zeros_like(mu), mu, **_given(model)))
    extra = model._extra_zeros()
    return extra + (1 - extra) * density


def _given(model: FittedModel) -> dict[str, Any]:
    """Shape parameters and trials of each row, as the family's functions take them."""
    problem, shape = model._problem, model._shape()
    if problem.design.weights is not None and model.family.name == "normal":
        shape["phi"] = shape["phi"] / problem.design.weights
    return {**shape, **problem.trials}


def one_step(model: FittedModel, score: Array, rng) -> Array:
    """Error of eta after one scoring step for each simulated response, shape (n, nobs).

    With C = [X, ZΛ], spherical random effects u ~ N(0, I) drawn anew and W the information of a
    row, the error of (β, u) is (CᵀWC + P)⁻¹(Cᵀ score - P u), P the identity on u and 0 on β.
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    design = model._problem.design
    blocks = [sparse.csc_array(design.X)]
    rows = np.arange(design.n)
    for term, estimate in model._random_terms():
        structure = structure_of(term)
        values = structure.rows(structure.theta_of(estimate.covariance, estimate.correlation))
        q = values.shape[1]
        columns = term.codes[:, None] * q + np.arange(q)
        at = (np.repeat(rows, q), columns.ravel())
        size = (design.n, len(term.levels) * q)
        blocks.append(sparse.csc_array((values.ravel(), at), shape=size))
    C = sparse.hstack(blocks, format="csc")
    if C.shape[1] == 0:
        return np.zeros_like(score)
    prior = (np.arange(C.shape[1]) >= design.X.shape[1]).astype(float)
    information = np.mean(score**2, axis=0)
    K = C.T @ sparse.dia_array((information[None], [0]), shape=(design.n, design.n)) @ C
    u = rng.standard_normal((len(score), C.shape[1]))
    solved = splu((K + sparse.diags_array(prior)).tocsc()).solve((C.T @ score.T) - (prior * u).T)
    return (C @ solved).T
