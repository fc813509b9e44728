"""Satterthwaite's degrees of freedom for contrasts of a linear mixed model.

The variance ``v = lᵀCl`` of an estimated contrast l is a function of the variance parameters τ;
with g its gradient and A the covariance of their estimates, ``df = 2 v² / gᵀ A g`` (Giesbrecht &
Burns 1985, Biometrics 41:477; Kuznetsova et al. 2017, J. Stat. Softw. 82(13)).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glmmtools.engines.base import Estimate, Problem
from glmmtools.engines.marginal import Marginal
from glmmtools.engines.search import covariance_of, information_at

__all__ = ["Satterthwaite"]

Array = np.ndarray
_STEP = 1e-4
_MOST = 1e10  # where the variance of an estimate is known without error


class Satterthwaite:
    """Degrees of freedom of contrasts, from the fit of a normal model with identity link.

    Attributes
    ----------
    covariance : ndarray, shape (p, p)
        Covariance C of the fixed effects at the estimates of the variance parameters.
    slopes : ndarray, shape (k, p, p)
        Derivatives of C in the variance parameters.
    cov_tau : ndarray, shape (k, k)
        Covariance of the estimates of the variance parameters.
    """

    def __init__(self, marginal: Marginal, tau: Array, cov_tau: Array):
        restricted = marginal
        if not marginal.problem.reml:
            restricted = Marginal(replace(marginal.problem, reml=True))
        steps = np.eye(len(tau)) * _STEP
        inner = restricted.fixed_covariances(np.vstack([tau, tau + steps, tau - steps]))
        covariances = marginal.to_user @ inner @ marginal.to_user.T * marginal.likelihood.scale**2
        above, below = covariances[1 : len(tau) + 1], covariances[len(tau) + 1 :]
        self.covariance, self.slopes = covariances[0], (above - below) / (2 * _STEP)
        self.cov_tau = cov_tau

    @classmethod
    def of(cls, problem: Problem, estimate: Estimate) -> Satterthwaite:
        """From the estimate of any engine."""
        marginal = Marginal(problem)
        vector = marginal.vector_of(estimate)
        cov = covariance_of(information_at(marginal.value_and_gradient, vector))
        tau = slice(marginal.n_fixed, None)
        return cls(marginal, vector[tau], cov[tau, tau])

    def df(self, contrasts: Array) -> Array:
        """Degrees of freedom of each contrast.

        Parameters
        ----------
        contrasts : ndarray, shape (m, p)
            Coefficients on the fixed effects, one contrast a row.
        """
        contrasts = np.atleast_2d(contrasts)
        v = np.einsum("mi,ij,mj->m", contrasts, self.covariance, contrasts)
        g = np.einsum("mi,kij,mj->km", contrasts, self.slopes, contrasts)
        uncertainty = np.einsum("km,kl,lm->m", g, self.cov_tau, g)
        return 2 * v**2 / np.maximum(uncertainty, 2 * v**2 / _MOST)
