"""Satterthwaite's degrees of freedom for contrasts of a linear mixed model.

The variance ``v = lᵀCl`` of an estimated contrast l is a function of the variance parameters τ;
with g its gradient and A the covariance of their estimates, ``df = 2 v² / gᵀ A g`` (Giesbrecht &
Burns 1985, Biometrics 41:477; Kuznetsova et al. 2017, J. Stat. Softw. 82(13)).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.marginals import marginal_of
from glmmtools.engine.problem import Problem
from glmmtools.engine.search import covariance_of, information_at

Array = np.ndarray
_MOST = 1e10  # where the variance of an estimate is known without error


class Satterthwaite:
    """Degrees of freedom of contrasts, from the fit of a normal model with identity link.

    Parameters
    ----------
    marginal : Marginal
    tau : ndarray, shape (k,)
        Estimates of the variance parameters.
    cov_tau : ndarray, shape (k, k)
        Their covariance.
    """

    def __init__(self, marginal: Marginal, tau: Array, cov_tau: Array):
        if not marginal.problem.reml:
            marginal = marginal_of(replace(marginal.problem, reml=True))
        self.marginal, self.tau, self.cov_tau = marginal, tau, cov_tau

    @classmethod
    def of(cls, problem: Problem, estimate: Estimate) -> Satterthwaite:
        """From the estimate of any engine."""
        marginal = marginal_of(problem)
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
        inner = np.atleast_2d(contrasts) @ self.marginal.to_user
        v, g = self.marginal.contrast_variances(self.tau, inner)
        uncertainty = np.einsum("km,kl,lm->m", g, self.cov_tau, g)
        return 2 * v**2 / np.maximum(uncertainty, 2 * v**2 / _MOST)
