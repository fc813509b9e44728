"""statsmodels as the second opinion: least squares, generalized and mixed linear models."""

from __future__ import annotations

import warnings

import numpy as np

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.limit import fit_what_is_finite
from glmmtools.engine.mixedlm import fit_mixed, why_not_mixed
from glmmtools.engine.problem import Problem
from glmmtools.engine.search import covariance_of
from glmmtools.shared.messages import ConvergenceWarning, GlmmWarning

NAME = "statsmodels"


def why_not(problem: Problem) -> str | None:
    """Say why this engine cannot fit the problem; None if it can."""
    if problem.family.known_as(NAME) is None:
        return f"the statsmodels engine has no {problem.family.name} family"
    if problem.dispersion is not None or problem.zero is not None:
        return "the statsmodels engine models neither dispersion nor extra zeros"
    if problem.penalty is not None:
        return "the statsmodels engine has no penalty"
    if problem.residual is not None:
        return "the statsmodels engine has no residual="
    if not problem.design.names:
        return "the statsmodels engine needs a fixed effect"
    if problem.design.random:
        return why_not_mixed(problem)
    if problem.family.has_residual_variance and not problem.is_linear:
        return "the statsmodels engine fits the normal with the identity link only"
    if problem.design.weights is not None and not problem.family.weights_divide_phi:
        return f"the statsmodels engine takes no weights for {problem.family.name}"
    return None


def fit(problem: Problem) -> Estimate:
    """Fit by least squares (normal), maximum or restricted maximum likelihood.

    Under separation it is the limit.

    Raises
    ------
    ValueError
        Where statsmodels breaks off with an error.
    """
    return fit_what_is_finite(problem, _fit, NAME)


def _fit(problem: Problem) -> Estimate:
    if problem.is_linear and not problem.design.random:
        return _least_squares(problem)
    try:
        return fit_mixed(problem, NAME) if problem.design.random else _glm(problem)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise ValueError(f"statsmodels broke off its search: {error}") from error


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
    """By iterated weighted least squares; standard errors from the observed information."""
    import statsmodels.api as sm

    design = problem.design
    if not design.names:  # of a separated model nothing else may be left
        mu = problem.family.clipped_mean(design.offset, problem.link)
        llf = problem.family.log_density(design.y, mu, **problem.trials).sum()
        return _estimate(problem, np.zeros(0), np.zeros((0, 0)), {}, float(llf))
    link = getattr(sm.families.links, problem.link.statsmodels)
    family = getattr(sm.families, problem.family.known_as(NAME))
    y = design.y
    if problem.family.takes_trials:
        y = np.column_stack([design.y, design.trials - design.y])
    with warnings.catch_warnings():
        # the identity link of a bounded mean is reported in our own words
        warnings.simplefilter("ignore")
        model = sm.GLM(y, design.X, family=family(link()), offset=design.offset)
        result = model.fit(maxiter=100, atol=0.0, rtol=1e-12)
        mu = problem.family.clipped_mean(design.X @ result.params + design.offset, problem.link)
        shape = {"phi": _ml_phi(problem, mu)} if "phi" in problem.family.shape else {}
        information = -model.hessian(result.params, scale=shape.get("phi", 1.0), observed=True)
    llf = problem.family.log_density(design.y, mu, **shape, **problem.trials).sum()
    return _estimate(
        problem, result.params, covariance_of(information), shape, float(llf),
        converged=bool(result.converged),
    )  # fmt: skip


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
    messages: list[GlmmWarning] = []
    if not converged:
        text = "The search of statsmodels did not converge. Rescale covariates."
        messages.append(ConvergenceWarning(text))
    return Estimate(
        beta=beta, cov_beta=cov, df=np.full(len(beta), df), shape=shape, terms=(), llf=llf,
        n_params=problem.n_params, converged=converged, singular=(),
        messages=tuple(messages), engine=NAME, method=method,
    )  # fmt: skip
