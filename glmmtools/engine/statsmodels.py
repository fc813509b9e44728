"""Models without random effects, through statsmodels."""

from __future__ import annotations

import warnings

import numpy as np

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.problem import Problem
from glmmtools.engine.separation import separation_messages
from glmmtools.shared.messages import ConvergenceWarning, GlmmWarning

NAME = "statsmodels"


def why_not(problem: Problem) -> str | None:
    """Say why this engine cannot fit the problem; None if it can."""
    if problem.family.known_as(NAME) is None:
        return f"the statsmodels engine has no {problem.family.name} family"
    if problem.design.random:
        return "the statsmodels engine fits models without random terms"
    if problem.dispersion is not None or problem.zero is not None:
        return "the statsmodels engine models neither dispersion nor extra zeros"
    if not problem.design.names:
        return "the statsmodels engine needs a fixed effect"
    if problem.family.has_residual_variance and not problem.is_linear:
        return "the statsmodels engine fits the normal with the identity link only"
    if problem.design.weights is not None and not problem.family.weights_divide_phi:
        return f"the statsmodels engine takes no weights for {problem.family.name}"
    return None


def fit(problem: Problem) -> Estimate:
    """Fit by least squares (normal) or maximum likelihood."""
    if problem.is_linear:
        return _least_squares(problem)
    return _glm(problem)


def _least_squares(problem: Problem) -> Estimate:
    import statsmodels.api as sm

    design = problem.design
    weights = np.ones(design.n) if design.weights is None else design.weights
    result = sm.WLS(design.y - design.offset, design.X, weights=weights).fit()
    llf = result.llf
    if problem.reml:
        n, p = design.X.shape
        information = np.linalg.slogdet(design.X.T @ (design.X * weights[:, None]))[1]
        llf = -0.5 * (
            (n - p) * (np.log(2 * np.pi * result.scale) + 1) - np.log(weights).sum() + information
        )
    return _estimate(
        problem, result.params, result.cov_params(), {"phi": float(result.scale)}, float(llf),
        method="REML" if problem.reml else "OLS", df=float(result.df_resid),
    )  # fmt: skip


def _glm(problem: Problem) -> Estimate:
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import (
        DomainWarning,
        PerfectSeparationWarning,
    )

    design = problem.design
    link = getattr(sm.families.links, problem.link.statsmodels)
    family = getattr(sm.families, problem.family.known_as(NAME))
    with warnings.catch_warnings():
        # the identity link of a bounded mean and separation are reported in our own words
        warnings.simplefilter("ignore", DomainWarning)
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        y = design.y
        if problem.family.takes_trials:
            y = np.column_stack([design.y, design.trials - design.y])
        result = sm.GLM(y, design.X, family=family(link()), offset=design.offset).fit(
            maxiter=100, tol=1e-12
        )
    eta = design.X @ result.params + design.offset
    mu = problem.family.clipped_mean(eta, problem.link)
    cov, shape = np.asarray(result.normalized_cov_params), {}
    if "phi" in problem.family.shape:
        shape["phi"] = _ml_phi(problem, mu)
        cov = cov * shape["phi"]
    llf = problem.family.log_density(design.y, mu, **shape, **problem.trials).sum()
    return _estimate(
        problem, result.params, cov, shape, float(llf), converged=bool(result.converged)
    )


def _ml_phi(problem: Problem, mu) -> float:
    """The maximum-likelihood dispersion at given means."""

    from scipy import optimize

    def score(log_phi):
        return problem.family.shape_derivatives(problem.design.y, mu, phi=np.exp(log_phi))["phi"][
            0
        ].sum()

    return float(np.exp(optimize.brentq(score, -30, 10, xtol=1e-12)))


def _estimate(
    problem, beta, cov, shape, llf, *, method="ML", df=np.inf, converged=True
) -> Estimate:
    beta, cov = np.asarray(beta, float), np.asarray(cov, float)
    messages: list[GlmmWarning] = list(separation_messages(problem, beta, converged))
    converged = converged and not messages
    if not converged and not messages:
        messages.append(
            ConvergenceWarning(
                "The search for the estimates did not converge. Rescale covariates, or look for "
                "separation."
            )
        )
    return Estimate(
        beta=beta, cov_beta=cov, df=np.full(len(beta), df), shape=shape, terms=(), llf=llf,
        n_params=problem.n_params, converged=converged, singular=(),
        messages=tuple(messages), engine=NAME, method=method,
    )  # fmt: skip
