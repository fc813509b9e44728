"""Satterthwaite's degrees of freedom for the coefficients of a linear mixed model.

The variance ``v`` of an estimate is a function of the variance parameters τ; with g its gradient
and A the covariance of their estimates, ``df = 2 v² / gᵀ A g`` (Giesbrecht & Burns 1985, Biometrics
41:477; Kuznetsova et al. 2017, J. Stat. Softw. 82(13)).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glmmtools.engines.marginal import Marginal

__all__ = ["satterthwaite_df"]

Array = np.ndarray
_STEP = 1e-4


def satterthwaite_df(marginal: Marginal, tau: Array, cov_tau: Array) -> Array:
    """Degrees of freedom of each coefficient.

    Parameters
    ----------
    marginal : Marginal
        Of a normal model with identity link, by maximum or restricted maximum likelihood.
    tau, cov_tau : ndarray, shapes (k,) and (k, k)
        The variance parameters (θ and the log of phi) at the estimates, and their covariance.

    Returns
    -------
    ndarray, shape (p,)
        At most 1e10, where the variance of the estimate is known without error.
    """
    restricted = Marginal(replace(marginal.problem, reml=True))

    def variances(at: Array) -> Array:
        inner = restricted.solve(at).arrow.border_inverse[-marginal.p :, -marginal.p :]
        return np.einsum("ij,jk,ik->i", marginal.to_user, inner, marginal.to_user)

    v = variances(tau)
    steps = np.eye(len(tau)) * _STEP
    slopes = np.array([(variances(tau + s) - variances(tau - s)) / (2 * _STEP) for s in steps])
    uncertainty = np.einsum("ki,kl,li->i", slopes, cov_tau, slopes)
    return 2 * v**2 / np.maximum(uncertainty, 2e-10 * v**2)
