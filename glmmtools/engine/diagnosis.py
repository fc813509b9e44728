"""What a fit says of itself: whether it converged, and what its user must know."""

from __future__ import annotations

import numpy as np

from glmmtools.engine.contained import at_limits, is_as_high
from glmmtools.engine.independent_rows import has_possible_means
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import ZERO, Problem
from glmmtools.engine.run_away import instead_of_laplace
from glmmtools.engine.search import Optimum
from glmmtools.engine.separation import no_finite_value, separated_names, separation_of
from glmmtools.shared.messages import ConvergenceWarning, DataWarning, GlmmWarning

Array = np.ndarray
_NO_PEAK = 0.1  # the prior alone gives H a curvature of 1
_CLEAR = 1.0  # curvature in a logarithm or a logit, above which it is not at its limit


def shape_messages(
    marginal: Marginal, optimum: Optimum, shape: dict[str, float]
) -> list[GlmmWarning]:
    """What to say of parameters at an end of their range: the likelihood is as high there."""
    found: list[GlmmWarning] = []
    problem = marginal.problem
    for name in _at_their_limit(marginal, optimum):
        if name == ZERO:
            found.append(
                DataWarning(
                    "No value is 0: fit without zero_inflation."
                    if problem.has_two_parts
                    else "The probability of an extra zero is estimated at zero. The counts show "
                    "no need for it: fit without zero_inflation."
                )
            )
        else:
            simpler = problem.family.limit.family.title
            found.append(
                DataWarning(
                    f"The {name} of {problem.family.name} is estimated at its limit, where the "
                    f"family is the {simpler}. The data show no need for it: fit the {simpler} "
                    "family."
                )
            )
    if "phi" in shape and marginal.likelihood.near_limit(
        "phi", shape["phi"] / np.exp(marginal.likelihood.shape_shift("phi"))
    ):
        found.append(_phi_at_limit(marginal))
    return found


def family_cautions(marginal: Marginal, solution) -> list[GlmmWarning]:
    """What the family says against a fit with such means and shape parameters."""
    if marginal.problem.residual is not None:
        return []
    family, parameters = marginal.problem.family, solution.parameters
    shape = {name: parameters[name] for name in family.shape}
    eta = marginal.by_part(solution.eta)["mean"]
    text = family.caution(marginal.likelihood.means(eta), **shape)
    return [DataWarning(text)] if text else []


def _phi_at_limit(marginal: Marginal) -> GlmmWarning:
    """Where rows of weight above 1 are as many rows with one effect, no phi has the highest."""
    problem, weights = marginal.problem, marginal.likelihood.weights
    what = f"The phi of {problem.family.name}"
    if problem.random and weights is not None and np.any(weights > 1):
        return ConvergenceWarning(
            f"{what} has no estimate: each row has a random effect of its own and weights above 1 "
            "count it as several rows that agree, so the likelihood grows without limit. Do not "
            "use these numbers: leave out the weights or the effects of single rows."
        )
    why = "next to no scatter is left beside the other terms"
    if any(t.structure.of_time or len(t.levels) * t.structure.q >= problem.design.n
           for t in problem.design.random):  # fmt: skip
        why = "random effects of single rows account for all of the scatter"
    return DataWarning(f"{what} is estimated at its limit: {why}. Say so in the report.")


def _at_their_limit(marginal: Marginal, optimum: Optimum) -> list[str]:
    """The parameters that may as well be at their limit, for all that the likelihood tells."""
    curvature = np.diag(optimum.information)
    return [
        name
        for name, point in at_limits(marginal, optimum.point).items()
        if not np.all(curvature[marginal.names[name]] > _CLEAR)
        and is_as_high(marginal, optimum, point)
    ]


def moved_when_flat(marginal: Marginal, optimum: Optimum) -> Array:
    """Which of the user's fixed effects a direction without curvature moves."""
    if not (marginal.n_fixed and len(optimum.flat)):
        return np.zeros(marginal.p, dtype=bool)
    rms = np.sqrt(np.mean(marginal.problem.design.X**2, axis=0))
    moved = np.abs(marginal.to_user @ optimum.flat[:, : marginal.n_fixed].T) * rms[:, None]
    return np.any(moved > 1e-3, axis=1)


def why_not_converged(marginal: Marginal, optimum: Optimum, solution) -> ConvergenceWarning:
    problem = marginal.problem
    if problem.residual is not None:
        return not_converged(problem)
    if problem.has_two_parts:
        above_zero = problem.above_zero()
        separation = separation_of(above_zero)
        if separation is not None:
            names = separated_names(above_zero, separation)
            return ConvergenceWarning(
                f"Among the values that are not 0: {no_finite_value(above_zero, names)} For finite "
                "estimates fit with penalty=2.5, a prior on the slopes; or merge levels."
            )
    if problem.random:
        no_peak = solution.arrow.least_curvature < _NO_PEAK
        return _no_peak(problem) if no_peak else not_converged(problem)
    with np.errstate(invalid="ignore"):
        next_point = optimum.point + optimum.covariance @ optimum.gradient
    if has_possible_means(marginal, next_point):
        return not_converged(problem)
    return ConvergenceWarning(
        f"The likelihood rises to where the {problem.link.name} link gives means that "
        f"{problem.family.name} cannot have, so there is no maximum. Do not use these numbers: "
        "take a link that keeps the means inside, or leave a covariate out."
    )


def residual_without_limit(problem: Problem) -> ConvergenceWarning:
    """Where R has lost rank: some combination of residuals has no variance."""
    return ConvergenceWarning(
        f"The covariance residual={problem.residual.text!r} has lost rank: it has more parameters "
        "than these data carry, and the likelihood grows without limit. Do not use these numbers: "
        "take a structure of fewer parameters, such as ar1 or cs."
    )


def residual_independent(problem: Problem) -> DataWarning:
    return DataWarning(
        f"The correlation of residual={problem.residual.text!r} is estimated at zero: the data "
        "show no need for it. Fit without residual=, or say so in the report."
    )


def not_converged(problem: Problem) -> ConvergenceWarning:
    simpler = "simplify the random part, or " if problem.random else ""
    if problem.residual is not None:
        simpler = "take a structure of the residuals with fewer parameters, or "
    return ConvergenceWarning(
        "The search for the estimates did not end at a maximum of the likelihood. Do not use these "
        f"numbers: {simpler}look for separation and for outliers."
    )


def _no_peak(problem: Problem) -> ConvergenceWarning:
    """Where H is near to singular, the approximation grows without limit."""
    return ConvergenceWarning(
        "The Laplace approximation breaks down: in some group the random effects have no clear "
        f"peak, and the search was drawn to such a point. {instead_of_laplace(problem)}"
    )
