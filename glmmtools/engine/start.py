"""Where the search of the Laplace engine starts: rough estimates of all parameters."""

from __future__ import annotations

import numpy as np

from glmmtools.engine.marginal import Marginal
from glmmtools.engine.modes import Solution
from glmmtools.engine.placement import PlacedTerm
from glmmtools.engine.problem import ZERO

Array = np.ndarray
_EM_STEPS = 2  # more gain little: the algorithm is quick at first only
_INDEPENDENT = 0.1  # rho of nearly independent rows; at zero the gradient may well be flat
_RHOS, _SHARE = (-0.8, _INDEPENDENT, 0.99), 0.2  # of other series, and of the scatter
_STEPS_IN_ROWS = 4
_OF_LOGITS = 1.0  # variance between groups, of the logit of a zero


def starting_point(marginal: Marginal, factor: float = 1.0) -> Array:
    """Least squares on the link scale; variances from the scatter within and between groups.

    `factor` multiplies the standard deviations of the random effects. At 1 covariances of several
    columns take a few steps of the EM algorithm. Series start from the products of neighbours at 1,
    and otherwise near to independence (below) or to one effect (above).
    """
    vector, likelihood = np.zeros(marginal.size), marginal.likelihood
    working = likelihood.working
    beta, residual = marginal.least_squares(working - likelihood.offset)
    if marginal.n_fixed:
        vector[marginal.names["beta"]] = beta
    inner, between = _scatter(marginal, residual)
    shares = (each.structure.explained(residual) for each in _of_mean(marginal))
    explained = max(shares, default=0.0)
    if explained and factor <= 1:  # and part of what groups differ by
        inner, between = residual * np.sqrt(1 - explained), between / 4
    mu = likelihood.means(working - inner)
    within = max(float(np.mean(inner**2)), 1e-3 * (np.var(residual) or 1.0))
    zero = likelihood.guessed_zero(mu)
    guesses = likelihood.guessed_shape(mu)
    _put(marginal, vector, {**guesses, "phi": likelihood.guessed_phi(mu, within), ZERO: zero})
    theta = vector[marginal.names["theta"]]
    variances = iter(_between_levels(marginal, residual, between))
    for each in marginal.placed:
        variance = next(variances) if each.part == "mean" else _OF_LOGITS
        theta[each.theta] = each.structure.start(factor, variance, residual)
    if factor == 1:
        _learn_shapes(marginal, vector)
    return vector


def with_scatter_in_effects(marginal: Marginal) -> Array:
    """The start from which effects of single rows may take the scatter that is the family's own."""
    vector, likelihood = starting_point(marginal), marginal.likelihood
    vector[marginal.names["phi"]] += likelihood.constant("phi", likelihood.no_scatter / 2)
    return vector


def _put(marginal: Marginal, vector: Array, values: dict[str, float]) -> None:
    """Give further predictors, as far as the model has them, one value in all rows."""
    for name in values.keys() & marginal.likelihood.predictors.keys():
        vector[marginal.names[name]] = marginal.likelihood.constant(name, values[name])


def _scatter(marginal: Marginal, residual: Array) -> tuple[Array, float]:
    """Residuals within the blocks, of the size that their degrees of freedom give them.

    And the variance between the blocks, not near zero.
    """
    total = float(np.var(residual)) or 1.0
    starts, codes, n = marginal.observed.starts, marginal.observed.codes, len(residual)
    if not any(each.in_block for each in _of_mean(marginal)):
        return residual, total
    mean = np.add.reduceat(residual, starts) / np.diff(starts, append=n)
    inner = (residual - mean[codes]) * np.sqrt(n / max(n - len(starts), n / 9))
    return inner, max(float(np.var(mean)), 0.05 * total)


def _between_levels(marginal: Marginal, residual: Array, between: float) -> list[float]:
    """The variance between the levels of each term: of several factors the one with few first."""
    structures = [each.structure for each in _of_mean(marginal)]
    factors = {structure.codes.tobytes(): structure for structure in structures}
    if len(factors) < 2 and all(each.in_block for each in _of_mean(marginal)):
        return [between] * len(structures)
    variances, least = {}, 0.05 * float(np.var(residual)) or 1.0
    for key, factor in sorted(factors.items(), key=lambda item: item[1].n_levels):
        rows = np.bincount(factor.codes)  # none of a level whose rows are all certain
        means = np.bincount(factor.codes, residual) / np.maximum(rows, 1)
        variances[key] = max(float(np.var(means[rows > 0])), least)
        residual = residual - means[factor.codes]
    return [variances[structure.codes.tobytes()] for structure in structures]


def _of_mean(marginal: Marginal) -> list[PlacedTerm]:
    return [each for each in marginal.placed if each.part == "mean"]


def _learn_shapes(marginal: Marginal, vector: Array) -> None:
    """Steps of the EM algorithm (Laird & Ware 1982) for covariances of several columns."""
    shaped = [each for each in marginal.placed if each.structure.has_shape]
    theta = vector[marginal.names["theta"]]
    for _ in range(_EM_STEPS if shaped else 0):
        solution = marginal.solve(vector)
        if solution is None:
            break
        for each in shaped:
            u = each.modes(solution)
            moments = u.T @ u / len(u) + np.mean(each.mode_covariances(solution.arrow), axis=0)
            theta[each.theta] = each.structure.em_step(theta[each.theta], moments)
        _learn_dispersion(marginal, vector, solution)


def _learn_dispersion(marginal: Marginal, vector: Array, solution: Solution) -> None:
    """By moments of the residuals of the modes, made larger for how unsure the modes are."""
    likelihood = marginal.likelihood
    if "phi" not in likelihood.predictors:
        return
    working = likelihood.working
    residual = working - marginal.by_part(solution.eta)["mean"]
    left = float(np.mean(residual**2)) or 1.0
    within = left + float(np.mean(marginal.by_part(solution.arrow.eta_variances)["mean"]))
    mu = likelihood.means(working - residual * np.sqrt(within / left))
    _put(marginal, vector, {"phi": likelihood.guessed_phi(mu, within)})


def other_series(marginal: Marginal, vector: Array) -> list[Array]:
    """Points in whose neighbourhood the likelihood often has another maximum.

    Where the data tell little of a series, it may as well alternate, last, or be one more scatter
    of single rows. In the last case it may take all of the scatter that is the family's own.
    """
    vector, likelihood = vector.copy(), marginal.likelihood
    working = likelihood.working
    _, residual = marginal.least_squares(working - likelihood.offset)
    total = float(np.mean(residual**2)) or 1.0
    mu = likelihood.means(working - residual * np.sqrt(1 - _SHARE))
    phi = likelihood.guessed_phi(mu, (1 - _SHARE) * total)
    _put(marginal, vector, {**likelihood.guessed_shape(mu), "phi": phi})
    others = [_with_series(marginal, vector, np.sqrt(_SHARE * total), rho) for rho in _RHOS]
    if "phi" in likelihood.predictors and not likelihood.family.normal_on_link_scale:
        others.append(_all_in_rows(marginal, vector, np.sqrt(total)))
    return others


def _with_series(marginal: Marginal, vector: Array, sd: float, rho: float) -> Array:
    vector = vector.copy()
    for each in marginal.placed:
        if each.structure.of_time:
            vector[marginal.names["theta"]][each.theta] = each.structure.start_at(sd, rho)
    return vector


def _all_in_rows(marginal: Marginal, vector: Array, sd: float) -> Array:
    """No dispersion, and independent rows in its stead; their variance by steps of EM."""
    vector = vector.copy()
    _put(marginal, vector, {"phi": marginal.likelihood.no_scatter})
    for _ in range(_STEPS_IN_ROWS):
        vector = _with_series(marginal, vector, sd, _INDEPENDENT)
        solution = marginal.solve(vector)
        if solution is None:
            break
        fixed = marginal.X @ vector[marginal.names["beta"]]
        eta = marginal.by_part(solution.eta)["mean"]
        shift, effects = marginal.least_squares(eta - marginal.likelihood.offset - fixed)
        vector[marginal.names["beta"]] += shift
        sd = np.sqrt(np.mean(effects**2 + marginal.by_part(solution.arrow.eta_variances)["mean"]))
    return _with_series(marginal, vector, sd, _INDEPENDENT)
