"""The models of a study at each of its sizes: the one that draws and the one that is fitted.

The model that draws is a `Fit` whose estimates are the truth, so that a study is a parametric
bootstrap from parameters that one chooses.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.engine import choice as engines
from glmmtools.engine.correlated_search import check_residual
from glmmtools.engine.estimate import Estimate, TermEstimate
from glmmtools.engine.penalty import checked_penalty
from glmmtools.engine.problem import Problem
from glmmtools.engine.suitability import check_problem
from glmmtools.families.base import Family
from glmmtools.families.lookup import family as look_up
from glmmtools.fitted.fit import Fit, require_converged, require_likelihood
from glmmtools.formula.columns import to_frame
from glmmtools.formula.design import check_rank, columns_read
from glmmtools.formula.fixed_part import one_sided
from glmmtools.formula.grammar import groups_of, parse_residual
from glmmtools.formula.random_terms import RandomTerm, ResidualTerm, random_term, residual_term
from glmmtools.formula.residual import columns_of_residual, residual_spec
from glmmtools.formula.specification import (
    checked_coefficients,
    checked_shape,
    random_parameters,
    response_columns,
    specified_design,
    specified_model,
)
from glmmtools.model import FittedModel
from glmmtools.shared.text import listed, nearest
from glmmtools.studies.sizes import extended

Array = np.ndarray
_ANALYSIS = ("formula", "family", "link", "residual", "penalty", "reml", "nagq", "engine")


# ------------------------------------------------------------------------------ the truth


def source_from_formula(
    formula: str, layout: Any, family: str | Family, truth: Mapping[str, Any]
) -> Fit:
    """A model that was not fitted, on the whole frame of its layout: its estimates are the truth.

    Raises
    ------
    ValueError
        As in :func:`specified_model`, and for means that the family cannot have.
    """
    model = specified_model(formula, layout, family, **truth)
    design = model.design
    if any(np.ndim(value) for value in model.shape.values()):
        raise ValueError("phi of a study is one number; rows cannot have their own")
    model.check_mean(design.X @ model.beta + design.offset)
    frame = to_frame(layout).reset_index(drop=True)
    if model.family.takes_trials:
        frame = frame.assign(**response_columns(design, np.zeros(design.n)))
    zero, predictors = None, {}
    if model.zero:
        zero = one_sided("~ 1", frame, "zero")
        predictors = {"zero": np.array([special.logit(model.zero)])}
    problem = Problem(
        replace(design, frame=frame), model.family, model.link, zero=zero, residual=model.residual
    )
    structured = _structured_estimates(problem.structured, model.covariances, model.correlations)
    return Fit(problem, _at_truth(problem, model.beta, model.shape, structured, predictors))


def source_from_fit(model: FittedModel, truth: Mapping[str, Any]) -> Fit:
    """A fitted model, some of its estimates replaced.

    Raises
    ------
    ValueError
        If the fit did not converge, or for a parameter that cannot be replaced.
    """
    require_likelihood(model, "a study, which draws responses, needs")
    require_converged(model, "a study")
    problem, estimate = model.problem, model.estimate
    design, structured, shape = problem.design, estimate.structured, dict(estimate.shape)
    for name in ("trials", "link", "zero", "df", "shape", "residual"):
        if name in truth:
            raise ValueError(f"{name}= is for a study from a formula; the fitted model has its own")
    coef, beta = truth.get("coef"), estimate.beta
    if coef is not None:
        replaced = checked_coefficients(coef, design.names)
        by_name = isinstance(coef, (Mapping, pd.Series))
        beta = np.where([not by_name or name in coef for name in design.names], replaced, beta)
    if not np.all(np.isfinite(beta)):
        infinite = itertools.compress(design.names, ~np.isfinite(beta))
        raise ValueError(
            f"a study draws from finite coefficients, and {listed(infinite)} have no finite "
            "estimate: give them by coef=, or fit with penalty=2.5"
        )
    if any(name in truth for name in ("sd", "corr", "rho")):
        given = (truth.get(name) for name in ("sd", "corr", "rho"))
        of_mean = [term for term in problem.structured if term.part == "mean"]
        structured = _structured_estimates(of_mean, *random_parameters(of_mean, *given))
    if "phi" in truth:
        if problem.dispersion is not None:
            raise ValueError("phi= cannot replace a dispersion formula of the fitted model")
        if problem.residual is not None:
            raise ValueError(
                f"phi= cannot replace the covariance residual={problem.residual.text!r} of the "
                "fitted model"
            )
        shape |= checked_shape(model.family, truth["phi"], None)
    at_truth = _at_truth(problem, beta, shape, structured, estimate.predictors)
    return Fit(problem, replace(at_truth, zero_terms=estimate.zero_terms))


def _structured_estimates(
    terms: Sequence[RandomTerm], covariances: Sequence[Array], correlations: Sequence[float | None]
) -> tuple[TermEstimate, ...]:
    return tuple(
        TermEstimate(G, np.zeros((len(term.levels), len(G))), correlation)
        for term, G, correlation in zip(terms, covariances, correlations, strict=True)
    )


def _at_truth(
    problem: Problem, beta, shape, structured, predictors, engine: str = "none"
) -> Estimate:
    p, k = len(beta), len(problem.design.random)
    return Estimate(
        beta, np.full((p, p), np.nan), np.full(p, np.inf), shape, structured[:k], np.nan,
        problem.n_params, True, (), (), engine, "truth", predictors,
        residual=structured[k] if problem.residual is not None else None,
    )  # fmt: skip


# ------------------------------------------------------------------------------ the sizes


def at_size(source: Fit, along: str | None, within: str | None, size: dict[str, int]) -> Fit:
    """The model that draws, on the layout of one size of the grid."""
    problem = source.problem
    if size:
        specs = [*problem.design.formula.random, *(each.spec for each in problem.zero_recipes)]
        if problem.residual is not None:
            specs.append(parse_residual(problem.residual.text))
        frame, rows = extended(problem.design, along, within, size, groups_of(specs))
    try:
        if size:
            problem = _on_rows(problem, frame, rows)
        check_rank(problem.design)
        check_problem(problem)
        if problem.residual is not None:
            check_residual(problem)
    except ValueError as error:
        sizes = ", ".join(f"{number} of {name}" for name, number in size.items())
        raise ValueError(f"with {sizes or 'this layout'}: {error}") from None
    return Fit(problem, source.estimate)


def _on_rows(problem: Problem, frame: pd.DataFrame, rows: Array) -> Problem:
    """The problem on another frame, whose rows are copies of `rows` of the first one."""
    design = problem.design
    beside = design.offset_beside[rows] if design.has_offset_of_values else 0.0
    X, offset, _ = replace(design, offset_beside=0.0).fixed_on(frame)
    built = [random_term(spec, frame) for spec in design.formula.random]
    trials, weights = design.response.trials, design.weights
    response = replace(
        design.response,
        y=np.full(len(frame), np.nan),
        trials=None if trials is None else trials[rows],
    )
    design = replace(
        design, response=response, X=X, offset=offset + beside, offset_beside=beside,
        weights=None if weights is None else weights[rows],
        random=tuple(term for term, _ in built), recipes=tuple(recipe for _, recipe in built),
        frame=frame,
    )  # fmt: skip
    parts = {
        name: part if part is None else part.of_frame(frame)
        for name, part in (("dispersion", problem.dispersion), ("zero", problem.zero))
    }
    if problem.residual is not None:
        parts["residual"] = _residual_on(problem.residual, frame)
    return replace(problem, design=design, **parts)


def _residual_on(term: ResidualTerm, frame: pd.DataFrame) -> ResidualTerm:
    other = residual_term(term.text, parse_residual(term.text), frame)
    if term.structure.of_levels and other.names != term.names:
        raise ValueError(
            f"residual={term.text!r} has variances and correlations of its own times only; vary "
            "the units that are measured, along=, or take ar1 or ou"
        )
    return other


# ------------------------------------------------------------------------------ the analysis


def analysis_of(source: Fit, options: Mapping[str, Any]) -> FittedModel:
    """The model that is fitted to what `source` draws.

    Where it is another one, only the names of its parameters are known.

    Raises
    ------
    ValueError
        For an option that does not exist, or a model that cannot be fitted to these responses.
    """
    for name in options:
        if name not in _ANALYSIS:
            raise ValueError(
                f"analysis takes {listed(_ANALYSIS)}; got {name!r}{nearest(name, _ANALYSIS)}"
            )
    problem = _analysed_problem(source.problem, options) if options else source.problem
    engine = engines.choose(problem, options.get("engine", engines.laplace.NAME)).NAME
    drawn = source.problem
    if problem.design is drawn.design and problem.residual is drawn.residual:
        return FittedModel(problem, replace(source.estimate, engine=engine))
    structures = [term.structure for term in problem.structured]
    unknown = _structured_estimates(
        problem.structured, [np.eye(len(each.names)) for each in structures],
        [np.nan if each.has_rho else None for each in structures],
    )  # fmt: skip
    beta, shape = np.full(len(problem.design.names), np.nan), dict.fromkeys(problem.shape, np.nan)
    return FittedModel(problem, _at_truth(problem, beta, shape, unknown, {}, engine))


def _analysed_problem(problem: Problem, options: Mapping[str, Any]) -> Problem:
    source_family = problem.family
    family = look_up(options["family"]) if "family" in options else source_family
    if "formula" in options or "family" in options:
        text = options.get("formula", problem.design.formula.text)
        design = specified_design(text, problem.design.frame, family)
        response = problem.design.response.text
        if design.response.text != response:
            raise ValueError(
                f"analysis: the response of {text!r} must be that of the data, {response!r}"
            )
        check_rank(design)
        problem = replace(problem, design=design, family=family, dispersion=None, zero=None)
    link = options.get("link", problem.link if family is source_family else None)
    reml = bool(options.get("reml", False))
    if reml and not family.has_residual_variance:
        raise ValueError(f"analysis: reml is for the normal family; this one is {family.name}")
    problem = replace(
        problem, link=family.check_link(link), reml=reml, nagq=int(options.get("nagq", 1)),
        penalty=checked_penalty(options.get("penalty", problem.penalty), reml),
    )  # fmt: skip
    problem = replace(problem, residual=_analysed_residual(problem, source_family, options))
    check_problem(problem)
    if problem.residual is not None:
        check_residual(problem)
    return problem


def _analysed_residual(
    problem: Problem, source_family: Family, options: Mapping[str, Any]
) -> ResidualTerm | None:
    """The residuals of the analysis: the options', or those of the data, of the same family."""
    own = problem.residual if problem.family is source_family else None
    text = options.get("residual", own.text if own else None)
    spec = residual_spec(text, problem.family, problem.link, {"penalty": problem.penalty})
    if spec is None or "residual" not in options:
        return own if spec else None
    design = problem.design
    frame = columns_read(design.formula, design.frame, *columns_of_residual(spec))
    return residual_term(text, spec, frame)
