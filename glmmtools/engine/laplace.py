"""Our own engine: maximum likelihood by the Laplace approximation, in NumPy and SciPy.

The likelihood of a mixed model is an integral over the random effects. Write them as ``b = Λ(θ) u``
with independent standard normal ``u``, so that ``eta = X β + offset + Z Λ u``. For given parameters

1. **inside**, Newton's method finds the ``u`` that maximises the joint log-density
   ``h(u) = Σ log p(y_i | eta_i) - |u|²/2``, the *conditional mode* (`modes.find_modes`). A step is
   ``H⁻¹ ∇h`` with ``H = ΛᵀZᵀWZΛ + I``, where ``W`` is the negative second derivative of the
   log-density in eta. Steps are taken whole where that is safe, and halved where h would fall;
2. near the mode ``exp h`` looks like a normal density with precision ``H``. The integral of that
   normal is the Laplace approximation (Breslow & Clayton 1993; Pinheiro & Bates 1995)
   ``log L = h(û) - ½ log|H|``, exact for normal models;
3. **outside**, a quasi-Newton search maximises ``log L`` over β, θ and the shape parameters, with
   its exact gradient. The mode moves with the parameters; by the implicit function theorem its
   derivative solves a system with the same H (Skaug & Fournier 2006; Kristensen et al. 2016), so
   that the whole gradient costs one more solve and the third derivative of the log-density
   (`marginal.Marginal.gradient`). The Hessian of the search is differenced from that gradient,
   anew every few steps, with all the points of a difference solved side by side; between, each
   step updates it (BFGS). Newton steps with central differences finish (`search`).

The fit converged where the gradient is zero and that Hessian positive definite, up to rounding,
whatever the search says of itself. The inverse of the Hessian over all parameters gives the
standard errors. A variance of zero is an ordinary point (θ enters through Λ and may have any sign),
so singular fits are optima like others. REML integrates β out the same way: it joins u, without a
prior. Inside, the columns of X are orthonormal and a normal response has unit spread; results are
on the user's scale.

The search starts (`start`) at least squares on the link scale, variances from the scatter within
and between groups, covariances from two steps of the EM algorithm, series from the products of
neighbours, and dispersions by moments; where it ends at no maximum it starts again with smaller and
with larger random effects, where it ends at a small standard deviation it tries zero, and where a
series ends in doubt it tries other series, until they lead to the same maximum (`several_starts`).
Where parts of the model may take the scatter of each other it also starts at the fits of the models
without one of them, below which it must not end (`contained`). Linear mixed models are searched
over the relative covariances alone (`profiled`). Separated rows are taken out first, and the
estimate of the others is that in the limit (`limit`).

H has a small block for each level of one grouping factor and a border for everything else, so that
the cost is linear in the rows and in the levels of that factor (`modes`). Where the log-density is
not concave (extra zeros, t) H may come near to singular and the approximation grow without limit:
then the fit says that it did not converge, and quadrature helps. For ``nagq > 1`` and one random
term the integral of each group is a sum over several nodes (`quadrature`), with its exact gradient.
Where the zeros have random effects too, an observation has two linear predictors and is several
rows (`two_predictors`).

Breslow & Clayton 1993, JASA 88:9. Pinheiro & Bates 1995, J. Comput. Graph. Stat. 4:12. Skaug &
Fournier 2006, Comput. Stat. Data Anal. 51:699. Kristensen et al. 2016, J. Stat. Softw. 70(5).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from glmmtools.engine.contained import NO_DIFFERENCE, contained_problems, points_of
from glmmtools.engine.correlated_search import best_correlated, correlated_end
from glmmtools.engine.estimate import Estimate
from glmmtools.engine.estimates import at_optimum, unknown
from glmmtools.engine.independent_rows import is_least_squares, least_squares, maximum
from glmmtools.engine.limit import fit_what_is_finite
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.marginals import marginal_of
from glmmtools.engine.penalty import SlopePrior
from glmmtools.engine.problem import Problem
from glmmtools.engine.profiled import can_be_profiled
from glmmtools.engine.quadrature import QuadratureMarginal, why_no_quadrature
from glmmtools.engine.search import Optimum, maximise
from glmmtools.engine.several_starts import (
    best_end,
    best_of_starts,
    best_profiled,
    not_below_effects_of_rows,
)
from glmmtools.engine.suitability import exact_response
from glmmtools.shared.messages import ConvergenceWarning

Array = np.ndarray
NAME = "laplace"
_COSTLY = 6.0  # fall of the log-likelihood without a part, that no other part makes good
_FEW_EACH = 3  # rows of a random effect


def why_not(problem: Problem) -> str | None:
    """Say why this engine cannot fit the problem; None if it can."""
    if problem.nagq > 1 and problem.random:
        return why_no_quadrature(problem)
    if problem.reml and problem.zero is not None:
        return "REML goes with a normal model"
    return None


def fit(problem: Problem, *, thorough: bool = True) -> Estimate:
    """Fit the problem by maximum (or restricted maximum) Laplace likelihood, or least squares.

    Under separation it is the limit. Without `thorough` nobody asks whether a model that it
    contains has a higher likelihood, nor whether the response has any scatter.
    """
    if thorough and (exact := exact_response(problem)) is not None:
        reason = exact.reason[0].upper() + exact.reason[1:]
        return replace(
            unknown(problem, NAME), beta=exact.beta, messages=(ConvergenceWarning(reason),)
        )
    return fit_what_is_finite(problem, partial(_fit, thorough=thorough), NAME)


def _fit(problem: Problem, thorough: bool, worth: float = -np.inf) -> Estimate:
    """The fit of a problem that is not separated; unknown where it is not as high as `worth`."""
    if is_least_squares(problem):
        return least_squares(problem, NAME)
    marginal = _marginal(problem)
    if problem.residual is not None:
        best = best_correlated(marginal)
    elif not problem.random:
        best = maximum(marginal)
    elif can_be_profiled(problem):
        best = best_profiled(marginal, worth)
    else:
        best = best_of_starts(marginal, worth)
    if best is None or best.value < worth:
        return unknown(problem, NAME)
    if thorough and best.converged and _may_have_several_maxima(problem):
        best = not_below_effects_of_rows(marginal, best)
        best = _not_below_contained(marginal, best)
    return at_optimum(marginal, best, NAME)


def fit_near(problem: Problem, estimate: Estimate) -> Estimate:
    """Fit a problem whose maximum is near an estimate, as without a few rows: search from there."""
    return fit_what_is_finite(problem, partial(_fit_near, estimate=estimate), NAME)


def _fit_near(problem: Problem, estimate: Estimate) -> Estimate:
    sizes = {name: part.X.shape[1] for name, part in problem.modelled.items()}
    alike = problem.design.X.shape[1] == len(estimate.beta) and estimate.limit is None
    alike = alike and sizes == {name: len(each) for name, each in estimate.predictors.items()}
    if not is_least_squares(problem) and alike:
        marginal = _marginal(problem)
        start = marginal.vector_of(estimate)
        if problem.residual is not None:
            best = correlated_end(marginal, start)
        else:
            best = maximise(marginal.value_and_gradient, start, marginal.refresh, marginal.is_sd)
        if best is not None and best.converged:
            return at_optimum(marginal, best, NAME)
    return _fit(problem, thorough=False)


def _marginal(problem: Problem) -> Marginal:
    quadrature = problem.nagq > 1 and problem.random
    return QuadratureMarginal(problem) if quadrature else marginal_of(problem)


def _may_have_several_maxima(problem: Problem) -> bool:
    """Whether random effects, a dispersion and extra zeros may take the scatter of each other."""
    if problem.residual is not None:
        return False
    correlated = any(term.structure.has_rho for term in problem.random)
    if problem.is_linear and problem.dispersion is None:
        return correlated
    parts = len(problem.random) + bool(problem.family.shape) + (problem.zero is not None)
    return parts > 1 or correlated


def _not_below_contained(marginal: Marginal, best: Optimum) -> Optimum:
    """The best end of searches from the fits of contained models that are better than it.

    If none ends as high as the contained model, the search did not converge. Where every random
    effect has several rows, nobody fits the models that lack a part whose absence costs much.
    """
    problem = marginal.problem
    structures = [term.structure for term in problem.random]
    all_needed = any(_FEW_EACH * s.n_levels * s.q >= problem.design.n for s in structures)
    for smaller, without in contained_problems(marginal, best.point):
        if why_not(smaller) is not None:
            continue
        if not all_needed and marginal.value_at(without) < best.value - _COSTLY:
            continue
        worth = best.value + NO_DIFFERENCE
        estimate = _fit(smaller, thorough=False, worth=worth)
        height = estimate.llf + SlopePrior.of(smaller).value(estimate.beta)
        if not estimate.converged or not height > worth:
            continue
        start = max(points_of(marginal, smaller, estimate), key=marginal.value_at)
        found = best_end(marginal, start)
        if found is not None and found.value > best.value:
            best = found
        if best.value < height - NO_DIFFERENCE:
            best = replace(best, converged=False)
    return best


def conditional_sds(problem: Problem, estimate: Estimate) -> list[Array]:
    """Conditional standard deviations of the random effects, given the parameters, by term.

    Shapes are (levels, q). As lme4's ``condVar``: the uncertainty of the parameters is left out.
    """
    solution = None
    if np.isfinite(estimate.llf):
        marginal = marginal_of(replace(problem, reml=False, nagq=1))
        vector = marginal.vector_of(estimate)
        solution = marginal.solve(vector)
    if solution is None:
        return [np.full(term.modes.shape, np.nan) for term in estimate.terms]
    return marginal.effect_sds(vector, solution)
