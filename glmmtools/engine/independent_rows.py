"""Models without random terms: least squares in closed form; start and Hessian of all others."""

from __future__ import annotations

from functools import partial

import numpy as np

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import ZERO, Problem
from glmmtools.engine.search import Optimum, maximise
from glmmtools.engine.start import starting_point
from glmmtools.shared.matrices import coefficients_of_one

Array = np.ndarray
_SMALLER = 0.2  # standard deviations of random effects, at which fewer means are impossible
_STEP = 1e-4  # of the logarithm of a shape parameter


def is_least_squares(problem: Problem) -> bool:
    """Whether the likelihood is that of a linear model with independent rows of one variance."""
    modelled = problem.dispersion is not None or problem.penalty is not None
    return problem.is_linear and not problem.structured and not modelled


def least_squares(problem: Problem, engine: str) -> Estimate:
    """(Weighted) least squares, with the unbiased variance and t tests on the residual df.

    The log-likelihood is the largest, at the variance RSS / n, or the REML criterion.
    """
    design = problem.design
    n, p = design.X.shape
    weights = np.ones(n) if design.weights is None else design.weights
    root = np.sqrt(weights)
    ones = coefficients_of_one(design.X)
    origin = 0.0 if ones is None else np.average(design.y - design.offset, weights=weights)
    response = root * (design.y - design.offset - origin)
    Q, R = np.linalg.qr(design.X * root[:, None])
    residual = response - Q @ (Q.T @ response)
    residual -= Q @ (Q.T @ residual)  # of digits that far columns lost
    inverse = np.linalg.inv(R)
    beta = inverse @ (Q.T @ response) + (0.0 if ones is None else origin * ones)
    rss = residual @ residual
    phi = rss / (n - p)
    log_variance = n * np.log(rss / n)
    if problem.reml:
        log_variance = (n - p) * np.log(phi) + 2 * np.log(np.abs(np.diag(R))).sum()
        n = n - p
    llf = -0.5 * (n * (np.log(2 * np.pi) + 1) + log_variance - np.log(weights).sum())
    return Estimate(
        beta=beta, cov_beta=phi * (inverse @ inverse.T), df=np.full(p, float(design.n - p)),
        shape={"phi": phi}, terms=(), llf=float(llf), n_params=problem.n_params, converged=True,
        singular=(), messages=(), engine=engine, method="REML" if problem.reml else "OLS",
    )  # fmt: skip


def maximum(marginal: Marginal) -> Optimum | None:
    """Newton's method; None if the likelihood could not be computed."""
    function = marginal.value_and_gradient
    with np.errstate(all="ignore"):
        start = max(possible_starts(marginal, starting_point(marginal)), key=marginal.value_at)
        exact = None if marginal.problem.reml else partial(information, marginal)
        return maximise(function, start, information=exact)


def has_possible_means(marginal: Marginal, vector: Array) -> bool:
    """Whether every mean lies inside the interval of the family's means, without random effects."""
    if marginal.likelihood.keeps_means_inside:
        return True
    eta = marginal.likelihood.offset + marginal.X @ vector[marginal.names["beta"]]
    return bool(np.all(marginal.likelihood.has_possible_mean(eta)))


def possible_starts(marginal: Marginal, start: Array) -> list[Array]:
    """A start; where the link may give impossible means, also what competes with it.

    That is least squares weighted by the information of the rows, one mean for all rows, and each
    with smaller random effects.
    """
    likelihood = marginal.likelihood
    if likelihood.keeps_means_inside or not marginal.n_fixed:  # REML: β is found with the modes
        return [start]
    X, working, offset = marginal.X, likelihood.working, likelihood.offset
    parameters = marginal.parameters(start[None])
    weights = np.maximum(-likelihood.eta_derivatives(working, parameters, order=2)[1], 0)
    WX = X * weights[:, None]
    one_mean = likelihood.link(np.mean(likelihood.guessed_means()))
    starts = [start]
    for beta in (
        np.linalg.pinv(X.T @ WX) @ (WX.T @ (working - offset)),
        marginal.least_squares(one_mean - offset)[0],
    ):
        starts.append(start.copy())
        starts[-1][marginal.names["beta"]] = beta
    if marginal.placed:
        smaller = np.where(marginal.is_sd, _SMALLER, 1.0)
        starts += [each * smaller**power for each in starts for power in (1, 2)]
    return starts


def information(marginal: Marginal, vector: Array) -> Array:
    """The negative Hessian of what is maximised, of a model without random terms.

    It is exact but for the derivatives of the scores of shape parameters, which are differenced.
    """
    likelihood, names = marginal.likelihood, marginal.names
    columns = {"beta": marginal.X, **likelihood.predictors}
    eta = likelihood.offset + marginal.X @ vector[names["beta"]]
    parameters = marginal.parameters(vector[None])
    hessian = np.zeros((marginal.size, marginal.size))

    def add(one: str, other: str, by_row: Array) -> None:
        block = columns[one].T @ (by_row[:, None] * columns[other])
        hessian[names[one], names[other]] = block
        hessian[names[other], names[one]] = block.T

    add("beta", "beta", likelihood.eta_derivatives(eta, parameters, order=2)[1])
    hessian[names["beta"], names["beta"]] -= marginal.prior.information
    for name, (_, mixed, _) in likelihood.other_derivatives(eta, parameters).items():
        add("beta", name, mixed)
        above, below = (
            likelihood.other_derivatives(eta, _shifted(parameters, name, step))
            for step in (_STEP, -_STEP)
        )
        for other in above:
            add(name, other, (above[other][0] - below[other][0]) / (2 * _STEP))
    return -hessian


def _shifted(parameters: dict[str, Array], name: str, step: float) -> dict[str, Array]:
    """The parameters with the predictor of one of them moved in every row."""
    value = parameters[name]
    return parameters | {name: value + step if name == ZERO else value * np.exp(step)}
