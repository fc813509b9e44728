"""From the arguments of a call of `fit` to the problem that an engine solves."""

from __future__ import annotations

from dataclasses import replace

from glmmtools.covariances.working import WORKING
from glmmtools.engine.correlated_search import check_residual
from glmmtools.engine.penalty import checked_penalty
from glmmtools.engine.problem import Problem
from glmmtools.engine.suitability import check_problem, check_support, exact_response
from glmmtools.families.lookup import family as look_up
from glmmtools.formula.clusters import columns_of_clusters, read_clusters
from glmmtools.formula.design import build_design
from glmmtools.formula.fixed_part import one_sided
from glmmtools.formula.grammar import right_of_tilde
from glmmtools.formula.random_terms import residual_term
from glmmtools.formula.residual import columns_of_residual, residual_spec
from glmmtools.shared.arguments import is_count, one_of, shown


def build_problem(
    formula, data, name, link, offset, weights, dispersion_formula, zero_inflation, reml, nagq,
    penalty=None, residual=None,
) -> Problem:  # fmt: skip
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
    penalty = checked_penalty(penalty, reml)
    beside = {"weights": weights, "dispersion_formula": dispersion_formula, "penalty": penalty}
    spec = residual_spec(residual, distribution, chosen_link, beside)
    if not is_count(nagq):
        raise ValueError(f"nagq is a number of nodes, 1 (Laplace) or more; got {shown(nagq)}")
    if nagq > 1 and distribution.has_residual_variance:
        raise ValueError("nagq is for non-normal families: the normal integral is exact without it")
    further = {"dispersion_formula": dispersion_formula, "zero_inflation": zero_inflation}
    also_used = tuple(
        expression for argument, text in further.items() if text is not None
        for expression in right_of_tilde(text, argument).read
    )  # fmt: skip
    design = build_design(
        formula, data, takes_trials=distribution.takes_trials, offset=offset, weights=weights,
        also_used=also_used + columns_of_residual(spec),
    )  # fmt: skip
    parts = {
        argument: one_sided(text, design.frame, argument, design.new_data.missing)
        for argument, text in further.items() if text is not None
    }  # fmt: skip
    dispersion, zero = (parts.get(argument) for argument in further)
    if dispersion is not None and "phi" not in distribution.shape:
        raise ValueError(f"{distribution.name} has no dispersion for dispersion_formula to model")
    if zero is not None and not zero.names:
        zero = None  # "~ 0": there are no extra zeros
    if zero is not None:
        distribution.check_extra_zeros("zero_inflation")
    check_support(distribution, design, with_zeros=zero is not None)
    distribution = distribution.of_response(design.y)
    reml = bool(reml) and design.X.shape[1] > 0  # without fixed effects REML is maximum likelihood
    problem = Problem(design, distribution, chosen_link, reml, int(nagq), dispersion, zero, penalty)
    if spec is not None:
        problem = replace(problem, residual=residual_term(residual, spec, design.frame))
        check_residual(problem)
    check_problem(problem)
    return problem


def build_population_problem(
    formula, data, name, link, offset, weights, groups, time, working
) -> Problem:
    """Build the problem of one call of `gee`.

    Raises
    ------
    ValueError
        As `build_problem`, and if the groups and times do not go with the working correlation.
    """
    one_of("working", working, tuple(WORKING))
    distribution = look_up(name)
    chosen_link = distribution.check_link(link)
    columns = columns_of_clusters(data, groups, time)
    design = build_design(
        formula, data, takes_trials=distribution.takes_trials, offset=offset, weights=weights,
        also_used=tuple(f"`{name}`" for name in (*columns, time) if name is not None),
    )  # fmt: skip
    check_support(distribution, design)
    clusters = read_clusters(design.frame, columns, time, WORKING[working])
    problem = Problem(design, distribution, chosen_link, clusters=clusters)
    check_problem(problem)
    if (exact := exact_response(problem)) is not None:
        raise ValueError(exact.reason)
    return problem
