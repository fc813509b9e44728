"""Population-averaged models by generalized estimating equations, through statsmodels.

The mean is ``g(E(y)) = X β`` without random effects, the variance of a row ``phi v(mu) / w``; a
*working correlation* says how the rows of a group are alike, and the robust ("sandwich") standard
errors hold even where it is wrong (Liang & Zeger 1986, Biometrika 73:13). There is no likelihood.
The correlation is estimated from moments of the Pearson residuals, as statsmodels and that paper
have it: ``p`` less than the number of rows or pairs in the denominators.
"""

from __future__ import annotations

import warnings

import numpy as np

from glmmtools.covariances.working import WorkingCorrelation
from glmmtools.engine.estimate import Estimate
from glmmtools.engine.problem import Problem
from glmmtools.engine.separation import no_finite_value, separated_names, separation_of
from glmmtools.shared.messages import (
    ConvergenceWarning,
    DataWarning,
    GlmmWarning,
    SeparationWarning,
)
from glmmtools.shared.text import plural

Array = np.ndarray
NAME = "gee"
_FAILURES = ConvergenceWarning, SeparationWarning
_FEW_GROUPS = 40  # Mancl & DeRouen 2001, Biometrics 57:126
_MAX_STEPS, _LEVEL = 200, 1e-9  # of the score, in units of its standard deviation


def why_not(problem: Problem) -> str | None:
    """Say why statsmodels' GEE cannot fit the problem; None if it can."""
    clusters, family = problem.clusters, problem.family
    if clusters is None:
        return "population-averaged models are fitted by gt.gee(formula, data, family, groups=...)"
    if problem.design.random:
        return (
            "a population-averaged model has no random terms: leave "
            f"{problem.design.random[0].label} out; groups= says which rows are alike"
        )
    if family.known_as("statsmodels") is None:
        limit = family.limit
        other = (
            f"; family={limit.family.name!r} has the same means, and the robust standard errors "
            "allow for more variance" if limit and limit.family.known_as("statsmodels") else ""
        )  # fmt: skip
        return f"statsmodels' GEE has no {family.name} family{other}"
    if not problem.design.names:
        return "statsmodels' GEE needs a fixed effect"
    p, n_groups = len(problem.design.names), len(clusters.sizes)
    if n_groups <= p:
        return (
            f"robust standard errors of {plural(p, 'coefficient')} need more groups than that, and "
            f"{clusters.group!r} has {plural(n_groups, 'level')}"
        )
    return clusters.why_too_few(p)


def fit(problem: Problem) -> Estimate:
    """Solve the estimating equations; the standard errors are robust ones.

    Raises
    ------
    ValueError
        Where statsmodels breaks off.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what there is to say is said in our own words
            return _solved(problem)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise ValueError(f"statsmodels' GEE broke off its search: {error}") from error


def _solved(problem: Problem) -> Estimate:
    import statsmodels.api as sm

    from glmmtools.engine.working import working_structure

    design, clusters = problem.design, problem.clusters
    link = getattr(sm.families.links, problem.link.statsmodels)
    family = getattr(sm.families, problem.family.known_as("statsmodels"))(link())
    y, weights = _rows(problem)
    n, p = design.X.shape
    Q, R = np.linalg.qr(design.X)  # statsmodels' tolerance is absolute
    basis, back = Q * np.sqrt(n), np.linalg.inv(R) * np.sqrt(n)
    offset, shift = design.offset, np.zeros(p)
    if problem.is_linear:  # digits would be lost far from zero
        shift = basis.T @ (y - offset) / n
        y, offset = y - offset - basis @ shift, np.zeros(n)

    def residuals(params):
        mu = family.link.inverse(basis @ params + offset)
        return (y - mu) * np.sqrt(weights / family.variance(mu)), mu

    start = sm.GLM(y, basis, family=family, offset=offset, var_weights=weights).fit().params
    pearson, mu = residuals(start)
    slopes = family.link.inverse_deriv(basis @ start + offset)
    scores = pearson * slopes * np.sqrt(weights / family.variance(mu))
    structure = working_structure(clusters, weights)
    model = sm.GEE(
        y, basis, groups=clusters.codes, time=clusters.places, family=family, offset=offset,
        cov_struct=structure,
    )  # fmt: skip
    result = model.fit(
        start_params=start, maxiter=_MAX_STEPS, ctol=_LEVEL * float(np.linalg.norm(scores))
    )
    if result is None or not np.isfinite(result.cov_robust).all():
        raise ValueError("its estimates are not finite")
    beta = back @ (result.params + shift)
    phi = float(np.sum(residuals(result.params)[0] ** 2) / (n - p))
    alpha = structure.dep_params
    working = clusters.working(
        clusters.group, clusters.time_name, tuple(clusters.time_labels),
        alpha if alpha is None or np.ndim(alpha) else float(alpha),
    )  # fmt: skip
    messages = _messages(problem, bool(result.converged), working)
    return Estimate(
        beta=beta,
        cov_beta=back @ result.cov_robust @ back.T,
        df=np.full(p, np.inf),
        shape={"phi": phi} if "phi" in problem.family.shape else {},
        terms=(),
        llf=np.nan,
        n_params=problem.n_params,
        converged=not any(isinstance(each, _FAILURES) for each in messages),
        singular=(),
        messages=tuple(messages),
        engine=NAME,
        method="GEE",
        working=working,
    )


def _rows(problem: Problem) -> tuple[Array, Array]:
    """Responses, those of successes as proportions, and the weights w in Var(y) = phi v(mu) / w."""
    design = problem.design
    if design.trials is not None:
        return design.y / design.trials, design.trials
    return design.y, np.ones(design.n) if design.weights is None else design.weights


def _messages(problem: Problem, converged: bool, working: WorkingCorrelation) -> list[GlmmWarning]:
    clusters, n_groups = problem.clusters, len(problem.clusters.sizes)
    found, separation = list[GlmmWarning](), separation_of(problem)
    if separation is not None:
        what = no_finite_value(problem, separated_names(problem, separation))
        found.append(
            SeparationWarning(
                f"{what} Do not use these numbers: merge levels, or leave the column out."
            )
        )
    elif not converged:
        found.append(
            ConvergenceWarning(
                f"statsmodels' GEE did not solve its equations in {plural(_MAX_STEPS, 'step')}. "
                "Try working='independence', or rescale covariates."
            )
        )
    if n_groups < _FEW_GROUPS:
        found.append(
            DataWarning(
                "The robust standard errors of a GEE are too small with few groups, and "
                f"{clusters.group!r} has {n_groups} levels; {_FEW_GROUPS} or more are wanted. A "
                f"mixed model needs fewer: gt.fit with (1 | {clusters.group}) in the formula."
            )
        )
    if clusters.working.of_time and clusters.time_name is None and np.ptp(clusters.sizes):
        found.append(
            DataWarning(
                f"The levels of {clusters.group!r} have {clusters.sizes.min()} to "
                f"{clusters.sizes.max()} rows, which count as the first, second and so on. If some "
                "were missed, name the column that says when a row was observed: time=."
            )
        )
    if not working.is_possible(int(clusters.sizes.max())):
        found.append(
            DataWarning(
                f"The {working.name} correlations that these data give are no correlation "
                "matrix. Take a simpler working correlation, such as 'independence'."
            )
        )
    return found
