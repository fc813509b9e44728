"""From the arguments of a call of `fit` to the problem that an engine solves."""

from __future__ import annotations

from glmmtools.engine.problem import Problem
from glmmtools.engine.suitability import check_problem, check_support
from glmmtools.families.lookup import family as look_up
from glmmtools.formula.design import build_design, one_sided
from glmmtools.shared.arguments import is_count


def build_problem(
    formula, data, name, link, offset, weights, dispersion_formula, zero_inflation, reml, nagq
) -> Problem:
    """Build the problem of one call of `fit`.

    Raises
    ------
    ValueError
        If the arguments do not fit together, or the data do not fit the family.
    """
    distribution = look_up(name)
    chosen_link = distribution.check_link(link)
    if reml and not distribution.has_residual_variance:
        raise ValueError(f"reml=True is for the normal family; {distribution.name} is fitted by ML")
    if not is_count(nagq):
        raise ValueError(f"nagq is a number of nodes, 1 (Laplace) or more; got {nagq!r}")
    if nagq > 1 and distribution.has_residual_variance:
        raise ValueError("nagq is for non-normal families: the normal integral is exact without it")
    design = build_design(
        formula, data, takes_trials=distribution.takes_trials, offset=offset, weights=weights,
        also_used=tuple(filter(None, (dispersion_formula, zero_inflation))),
    )  # fmt: skip
    check_support(distribution, design)
    dispersion = zero = None
    if dispersion_formula is not None:
        if "phi" not in distribution.shape:
            raise ValueError(
                f"{distribution.name} has no dispersion for dispersion_formula to model"
            )
        dispersion = one_sided(dispersion_formula, design.frame, "dispersion_formula")
    if zero_inflation is not None:
        if not distribution.counts:
            raise ValueError(
                f"zero_inflation is for counts without an upper limit; {distribution.name} is not"
            )
        zero = one_sided(zero_inflation, design.frame, "zero_inflation")
    reml = bool(reml) and design.X.shape[1] > 0  # without fixed effects REML is maximum likelihood
    problem = Problem(design, distribution, chosen_link, reml, int(nagq), dispersion, zero)
    check_problem(problem)
    return problem
