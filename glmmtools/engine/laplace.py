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
series ends in doubt it tries other series, until they lead to the same maximum.

H has a small block for each level of one grouping factor and a border for everything else, so that
the cost is linear in the rows and in the levels of that factor (`modes`). Where the log-density is
not concave (extra zeros, t) H may come near to singular and the approximation grow without limit:
then the fit says that it did not converge, and quadrature helps. For ``nagq > 1`` and one random
term the integral of each group is a sum over several nodes (`quadrature`), with its exact gradient.

Breslow & Clayton 1993, JASA 88:9. Pinheiro & Bates 1995, J. Comput. Graph. Stat. 4:12. Skaug &
Fournier 2006, Comput. Stat. Data Anal. 51:699. Kristensen et al. 2016, J. Stat. Softw. 70(5).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glmmtools.engine.estimate import Estimate, TermEstimate
from glmmtools.engine.independent_rows import (
    has_possible_means,
    is_least_squares,
    least_squares,
    maximum,
)
from glmmtools.engine.likelihood import ZERO
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import Problem
from glmmtools.engine.quadrature import QuadratureMarginal, why_no_quadrature
from glmmtools.engine.satterthwaite import Satterthwaite
from glmmtools.engine.search import Optimum, maximise
from glmmtools.engine.separation import separation_messages
from glmmtools.engine.start import other_series, starting_point
from glmmtools.shared.messages import (
    ConvergenceWarning,
    DataWarning,
    GlmmWarning,
    SeparationWarning,
    singular_message,
)

Array = np.ndarray
NAME = "laplace"
_START_FACTORS = (1.0, 0.2, 3.0)
_DOUBTFUL = 3.0  # standard errors from zero, within which a standard deviation of zero is tried
_BETTER = 1e-6
_HOPELESS = 15.0  # below the maximum found: starts of a series that are not tried
_FEW_ROWS = 200  # up to here a model with extra zeros may well have several maxima: all starts


def why_not(problem: Problem) -> str | None:
    """Say why this engine cannot fit the problem; None if it can."""
    if problem.nagq > 1 and problem.design.random:
        return why_no_quadrature(problem)
    if problem.reml and problem.zero is not None:
        return "REML goes with a normal model"
    return None


def fit(problem: Problem) -> Estimate:
    """Fit the problem by maximum (or restricted maximum) Laplace likelihood, or least squares."""
    if is_least_squares(problem):
        return least_squares(problem, NAME)
    quadrature = problem.nagq > 1 and problem.design.random
    marginal = QuadratureMarginal(problem) if quadrature else Marginal(problem)
    best = _best_of_starts(marginal) if problem.design.random else maximum(marginal)
    return _failed(problem) if best is None else _estimate(problem, marginal, best)


def _best_of_starts(marginal: Marginal) -> Optimum | None:
    """The best end of searches from several starts, as many as the likelihood may need."""
    problem = marginal.problem
    several = problem.zero is not None and problem.design.n <= _FEW_ROWS
    best: Optimum | None = None
    for factor in _START_FACTORS:
        best = _better(best, _best_end(marginal, starting_point(marginal, factor), best))
        if best is not None and best.converged and not several:
            break
    if not several and best is not None and best.converged and _doubtful_series(marginal, best):
        for start in _hopeful(marginal, best, other_series(marginal, best.point)):
            best = _better(best, _best_end(marginal, start, best))
    return best


def _better(best: Optimum | None, found: Optimum | None) -> Optimum | None:
    """The better end of two searches.

    A maximum goes before a higher point that is none: where the log-density is not concave (extra
    zeros, t), H may come near to singular, and the approximation grows without limit.
    """
    if best is None or found is None:
        return best or found
    return max(best, found, key=lambda each: (each.converged, each.value))


def _hopeful(marginal: Marginal, best: Optimum, points: list[Array]) -> list[Array]:
    """The points that are not far below the maximum found."""
    return [each for each in points if marginal.value_at(each) > best.value - _HOPELESS]


def _doubtful_series(marginal: Marginal, optimum: Optimum) -> bool:
    """Whether a model with a series ended where its likelihood often has a higher maximum.

    That is: rho at an end or within three standard errors of zero, a variance of zero, of a term or
    of the residual.
    """
    theta = optimum.point[marginal.names["theta"]]
    variances = np.diag(optimum.covariance)[marginal.names["theta"]]
    likelihood, ended = marginal.likelihood, False
    if "phi" in likelihood.predictors:
        log_phi = likelihood.predictors["phi"] @ optimum.point[marginal.names["phi"]]
        ended = bool(np.any(likelihood.near_limit("phi", np.exp(log_phi))))
    ended |= any(each.structure.is_singular(theta[each.theta]) for each in marginal.placed)
    return any(
        ended or each.structure.is_unsure(theta[each.theta], variances[each.theta])
        for each in marginal.placed
        if each.structure.of_time
    )


def _best_end(marginal: Marginal, start: Array, known: Optimum | None = None) -> Optimum | None:
    """Where the search ends; it goes on from a small standard deviation set to zero if better.

    Near zero there may be a lower maximum, and no fit may be worse than one without the term.
    """
    found = maximise(marginal.value_and_gradient, start, marginal.refresh, marginal.is_sd, known)
    if found is None or found is known or not found.converged:
        return found
    variances = np.diag(found.covariance)
    for k in np.flatnonzero(marginal.is_sd & (found.point**2 < _DOUBTFUL**2 * variances)):
        without = np.where(np.arange(marginal.size) == k, 0.0, found.point)
        if marginal.value_at(without) > found.value + _BETTER:
            return _best_end(marginal, without)
    return found


def conditional_sds(problem: Problem, estimate: Estimate) -> list[Array]:
    """Conditional standard deviations of the random effects, given the parameters, by term.

    Shapes are (levels, q). As lme4's ``condVar``: the uncertainty of the parameters is left out.
    """
    solution = None
    if np.isfinite(estimate.llf):
        marginal = Marginal(replace(problem, reml=False, nagq=1))
        vector = marginal.vector_of(estimate)
        solution = marginal.solve(vector)
    if solution is None:
        return [np.full(term.modes.shape, np.nan) for term in estimate.terms]
    return marginal.effect_sds(vector, solution)


def _estimate(problem: Problem, marginal: Marginal, optimum: Optimum) -> Estimate:
    vector = marginal.snapped(optimum.point)
    solution = marginal.solve(vector)
    if solution is None:
        return _failed(problem)
    beta = marginal.fixed_effects(vector, solution)
    shape, predictors, predictor_se = _other_parameters(marginal, optimum)
    singular = _singular_labels(marginal, vector)
    found = optimum.converged and not np.any(_moved_when_flat(marginal, optimum))
    messages: list[GlmmWarning] = list(separation_messages(problem, beta, found))
    converged = found and not messages
    if singular:
        sizes = [
            each.structure.n_params
            for each, term in zip(marginal.placed, marginal.terms, strict=True)
            if term.label in singular
        ]
        messages.append(singular_message(singular, single=max(sizes) == 1))
    messages += _shape_messages(marginal, shape, predictors)
    if problem.family.discrete and optimum.value > 1e-6:
        converged = False
    theta = vector[marginal.names["theta"]]
    scale = marginal.likelihood.scale
    covariances = [
        each.structure.covariance(theta[each.theta]) * scale**2 for each in marginal.placed
    ]
    run_away = _run_away(problem, covariances)
    if run_away:
        converged = False
        messages += run_away
    elif not converged and not any(isinstance(each, SeparationWarning) for each in messages):
        messages.append(_why_not_converged(marginal, optimum, solution))
    return Estimate(
        beta=beta,
        cov_beta=_cov_beta(marginal, optimum, solution),
        df=_df(marginal, optimum),
        shape=shape,
        terms=tuple(
            TermEstimate(G, modes, each.structure.rho(theta[each.theta]))
            for each, G, modes in zip(
                marginal.placed, covariances, marginal.modes(vector, solution), strict=True
            )
        ),
        llf=optimum.value,
        n_params=problem.n_params,
        converged=converged,
        singular=singular,
        messages=tuple(messages),
        engine=NAME,
        method=_method(problem),
        predictors=predictors,
        predictor_se=predictor_se,
    )


def _method(problem: Problem) -> str:
    if problem.reml:
        return "REML"
    if problem.is_linear or not problem.design.random:
        return "ML"
    return f"AGQ({problem.nagq})" if problem.nagq > 1 else "Laplace"


def _cov_beta(marginal: Marginal, optimum: Optimum, solution) -> Array:
    """Covariance of β: given the variances for linear mixed models, as lme4; else joint.

    It is nan where there is no maximum, or none in the direction of a coefficient.
    """
    p, scale = marginal.p, marginal.likelihood.scale
    if marginal.problem.reml:
        inner = solution.arrow.border_inverse[0, -p:, -p:]
    elif marginal.problem.is_linear:
        inner = np.linalg.inv(optimum.information[:p, :p])
    else:
        inner = optimum.covariance[:p, :p]
    covariance = marginal.to_user @ inner @ marginal.to_user.T * scale**2
    unknown = _moved_when_flat(marginal, optimum) | (not optimum.converged)
    covariance[unknown] = covariance[:, unknown] = np.nan
    return covariance


def _df(marginal: Marginal, optimum: Optimum) -> Array:
    """Satterthwaite's for linear mixed models that converged; infinite (z) for all others."""
    problem = marginal.problem
    if not (problem.is_linear and problem.design.random and optimum.converged and marginal.p):
        return np.full(marginal.p, np.inf)
    tau = slice(marginal.n_fixed, None)
    fitted = Satterthwaite(marginal, optimum.point[tau], optimum.covariance[tau, tau])
    return fitted.df(np.eye(marginal.p))


def _other_parameters(marginal: Marginal, optimum: Optimum):
    """Shape parameters that are one number, coefficients of modelled ones, and their errors."""
    shape, predictors, errors = {}, {}, {}
    modelled = {"phi": marginal.problem.dispersion, ZERO: marginal.problem.zero}
    for name in marginal.likelihood.predictors:
        part = marginal.names[name]
        shift = marginal.constant(name, marginal.shape_shift(name))
        if modelled.get(name) is None:
            bounded = marginal.likelihood.bounded(name, optimum.point[part])
            shape[name] = float(bounded[0] * np.exp(shift[0]))
        else:
            to_user = marginal.likelihood.to_user[name]
            predictors[name] = to_user @ (optimum.point[part] + shift)
            with np.errstate(invalid="ignore"):
                covariance = to_user @ optimum.covariance[part, part] @ to_user.T
                errors[name] = np.sqrt(np.diag(covariance))
    return shape, predictors, errors


def _singular_labels(marginal: Marginal, vector: Array) -> tuple[str, ...]:
    theta = vector[marginal.names["theta"]]
    return tuple(
        term.label
        for each, term in zip(marginal.placed, marginal.terms, strict=True)
        if each.structure.is_singular(theta[each.theta])
    )


_LARGEST_SD = 10.0  # of effects on 0/1 responses: most groups would be all 0 or all 1
_NO_PEAK = 0.1  # the prior alone gives H a curvature of 1
_NODES = 15
_NO_EXTRA_ZEROS = -11.0  # the logit of 2 in 100 000


def _shape_messages(marginal, shape, predictors) -> list[GlmmWarning]:
    """What to say of shape parameters that ran to an end of their range."""
    found: list[GlmmWarning] = []
    problem = marginal.problem
    limit = problem.family.limit
    if limit and limit.parameter in shape and limit.reached(shape[limit.parameter]):
        simpler = limit.family.title
        found.append(
            DataWarning(
                f"The {limit.parameter} of {problem.family.name} is estimated at its limit, where "
                f"the family is the {simpler}. The data show no need for it: fit the {simpler} "
                "family."
            )
        )
    if "phi" in shape and marginal.likelihood.near_limit(
        "phi", shape["phi"] / np.exp(marginal.shape_shift("phi"))
    ):
        found.append(
            DataWarning(
                f"The phi of {problem.family.name} is estimated at its limit: random effects of "
                "single rows account for all of the scatter. Say so in the report."
            )
        )
    if ZERO in predictors and np.all(problem.zero.X @ predictors[ZERO] < _NO_EXTRA_ZEROS):
        found.append(
            DataWarning(
                "The probability of an extra zero is estimated at zero. The counts show no need "
                "for it: fit without zero_inflation."
            )
        )
    return found


def _moved_when_flat(marginal: Marginal, optimum: Optimum) -> Array:
    """Which of the user's fixed effects a direction without curvature moves."""
    if not (marginal.n_fixed and len(optimum.flat)):
        return np.zeros(marginal.p, dtype=bool)
    rms = np.sqrt(np.mean(marginal.problem.design.X**2, axis=0))
    moved = np.abs(marginal.to_user @ optimum.flat[:, : marginal.n_fixed].T) * rms[:, None]
    return np.any(moved > 1e-3, axis=1)


def _why_not_converged(marginal: Marginal, optimum: Optimum, solution) -> ConvergenceWarning:
    problem = marginal.problem
    if problem.design.random:
        no_peak = solution.arrow.least_curvature < _NO_PEAK
        return _no_peak(problem) if no_peak else _not_converged(problem)
    with np.errstate(invalid="ignore"):
        next_point = optimum.point + optimum.covariance @ optimum.gradient
    if has_possible_means(marginal, next_point):
        return _not_converged(problem)
    return ConvergenceWarning(
        f"The likelihood rises to where the {problem.link.name} link gives means that "
        f"{problem.family.name} cannot have, so there is no maximum. Do not use these numbers: "
        "take a link that keeps the means inside, or leave a covariate out."
    )


def _not_converged(problem: Problem) -> ConvergenceWarning:
    simpler = "simplify the random part, or " if problem.design.random else ""
    return ConvergenceWarning(
        "The search for the estimates did not end at a maximum of the likelihood. Do not use these "
        f"numbers: {simpler}look for separation and for outliers."
    )


def _no_peak(problem: Problem) -> ConvergenceWarning:
    """Where H is near to singular, the approximation grows without limit."""
    return ConvergenceWarning(
        "The Laplace approximation breaks down: in some group the random effects have no clear "
        f"peak, and the search was drawn to such a point. {_instead_of_laplace(problem)}"
    )


def _instead_of_laplace(problem: Problem) -> str:
    quadrature = why_no_quadrature(replace(problem, nagq=_NODES)) is None
    fit = f"fit with nagq={_NODES}, or " if quadrature else ""
    return f"Do not use these numbers: {fit}simplify the random part."


def _run_away(problem: Problem, covariances: list[Array]) -> list[ConvergenceWarning]:
    """Effects so large that the Laplace value of 0/1 data lies above any possible likelihood."""
    binary = problem.family.is_bernoulli(problem.design.trials)
    if not binary or problem.nagq > 1 or problem.link.mean_interval[1] != 1:
        return []
    found = []
    for term, G in zip(problem.design.random, covariances, strict=True):
        variance = np.mean(term.structure.predictor_variances(G))
        if variance > _LARGEST_SD**2:
            found.append(
                ConvergenceWarning(
                    f"The effects of {term.label} ran away to a standard deviation of "
                    f"{np.sqrt(variance):.0f}, where the Laplace approximation of 0/1 data is no "
                    f"likelihood. {_instead_of_laplace(problem)}"
                )
            )
    return found


def _failed(problem: Problem) -> Estimate:
    """No numbers, where the likelihood could not even be computed."""
    marginal, p = Marginal(problem), len(problem.design.names)
    unknown = {
        name: np.full(part.X.shape[1], np.nan)
        for name, part in (("phi", problem.dispersion), (ZERO, problem.zero))
        if part is not None
    }
    return Estimate(
        beta=np.full(p, np.nan), cov_beta=np.full((p, p), np.nan), df=np.full(p, np.inf),
        shape={name: np.nan for name in problem.family.shape if name not in unknown},
        terms=tuple(
            TermEstimate(
                np.full_like(each.structure.covariance(np.zeros(each.structure.n_params)), np.nan),
                np.full((each.structure.n_levels, each.structure.q), np.nan),
                np.nan if each.structure.has_rho else None,
            )
            for each in marginal.placed
        ),
        llf=np.nan, n_params=marginal.size + (p if problem.reml else 0), converged=False,
        singular=(), messages=(_not_converged(problem),), engine=NAME, method=_method(problem),
        predictors=unknown, predictor_se=unknown,
    )  # fmt: skip
