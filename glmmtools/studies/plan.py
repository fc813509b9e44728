"""What a simulation study runs: at each size the model that draws and the one that is fitted.

The model that draws is a `FittedModel` whose estimates are the truth, so that a study is a
parametric bootstrap from parameters that one chooses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.designs.simulation import simulate
from glmmtools.engine import choice as engines
from glmmtools.engine.estimate import Estimate, TermEstimate
from glmmtools.engine.problem import Problem
from glmmtools.engine.suitability import check_problem
from glmmtools.families.continuous import Normal
from glmmtools.families.lookup import family as look_up
from glmmtools.fitted.fit import require_converged
from glmmtools.fitted.parameters import parameters
from glmmtools.formula.columns import to_frame
from glmmtools.formula.design import check_rank, one_sided
from glmmtools.formula.random_terms import random_term
from glmmtools.formula.specification import (
    checked_coefficients,
    checked_shape,
    random_parameters,
    response_columns,
    specified_design,
)
from glmmtools.inference.bootstrap import lean
from glmmtools.inference.replicates import Replicate, check_count, run
from glmmtools.model import FittedModel
from glmmtools.shared.text import listed, nearest
from glmmtools.studies.sizes import extended, size_grid

Array = np.ndarray
_TRUTH = ("coef", "sd", "corr", "rho", "phi", "df", "zero", "trials", "link")
_ANALYSIS = ("formula", "family", "link", "reml", "nagq", "engine")


@dataclass(frozen=True, eq=False)
class Plan:
    """A study before its run: at each size the model that draws and the one that is fitted."""

    kind: str
    grid: list[dict[str, int]]
    sources: list[FittedModel]
    analyses: list[FittedModel]

    def run(
        self, effects, level, method, n, seed, n_jobs, path, progress
    ) -> tuple[pd.Series, pd.DataFrame]:
        """The parameters that make the data, and all replicates."""
        check_count(n)
        source, fitted = self.sources[0], self.analyses[0]
        true = parameters(source)
        statistic = self._statistic(effects, fitted, true, level, method)
        cells = [
            Replicate(lean(one), (lean(other),), statistic)
            for one, other in zip(self.sources, self.analyses, strict=True)
        ]
        identity = {
            "kind": f"{self.kind} study", "seed": seed, "formula": source.formula,
            "family": source.family.name, "link": source.link.name, "truth": true.to_dict(),
            "analysis": _described(fitted), "method": method, "sizes": self.grid,
            "rows": [_digest(each) for each in self.sources],
        }  # fmt: skip
        if self.kind == "coverage":
            identity["level"] = level
        items = [
            (cell, child)
            for each in np.random.SeedSequence(seed).spawn(n)
            for cell, child in enumerate(each.spawn(len(cells)))
        ]
        rows = run(_Cells(tuple(cells)), items, statistic.names, identity, n_jobs, path, progress)
        for place, column in enumerate(self.grid[0]):
            rows.insert(place, column, [self.grid[cell][column] for cell, _ in items])
        return true, rows

    def _statistic(self, effects, fitted, true, level, method):
        coefficients = list(fitted.params.index)
        if self.kind == "power":
            terms = [each for each in fitted.problem.design.terms if each not in ("1", "0")]
            known = [*coefficients, *(each for each in terms if each not in coefficients)]
            default = [each for each in coefficients if each != "Intercept"]
            return _PValues(_chosen(effects, known, default))
        known = [each for each in parameters(fitted).index if each in true.index]
        if self.kind == "coverage" and method == "wald":
            known = [each for each in known if each in coefficients]
        chosen = _chosen(effects, known, known)
        if self.kind == "coverage":
            return _Covered(chosen, true[chosen], level, method)
        return _Estimates(
            [*chosen, *(f"std_error {name}" for name in chosen if name in coefficients)]
        )


@dataclass(frozen=True)
class _Cells:
    """The replicates of all sizes."""

    cells: tuple[Replicate, ...]

    def __call__(self, item: tuple[int, np.random.SeedSequence]) -> dict[str, Any]:
        return self.cells[item[0]](item[1])


@dataclass(frozen=True)
class _PValues:
    names: list[str]

    def __call__(self, fit: FittedModel) -> dict[str, float]:
        found = fit.pvalues.to_dict()
        if not set(self.names) <= set(found):
            found = fit.anova()["p_value"].to_dict() | found
        return {name: found[name] for name in self.names}


@dataclass(frozen=True)
class _Covered:
    names: list[str]
    true: pd.Series
    level: float
    method: str

    def __call__(self, fit: FittedModel) -> dict[str, float]:
        table = fit.conf_int(self.level, method=self.method).reindex(self.names)
        inside = (table["conf_low"] <= self.true) & (self.true <= table["conf_high"])
        return inside.astype(float).to_dict()


@dataclass(frozen=True)
class _Estimates:
    names: list[str]

    def __call__(self, fit: FittedModel) -> dict[str, float]:
        found = parameters(fit).to_dict() | fit.bse.add_prefix("std_error ").to_dict()
        return {name: found[name] for name in self.names}


def plan_study(kind, model, layout, family, along, within, sizes, analysis, truth) -> Plan:
    for name in truth:
        if name not in _TRUTH:
            raise ValueError(
                f"{name!r} is no argument of a study{nearest(name, (*_TRUTH, 'effects', 'within'))}"
                f". The truth takes {listed(_TRUTH, 9)}; departures such as missing= are for "
                "gt.simulate"
            )
    if isinstance(model, FittedModel):
        if layout is not None or family is not None:
            raise ValueError("a fitted model brings its layout and family; give the model alone")
        base = _model_at(model, truth)
        frame = base.problem.design.frame
    else:
        if layout is None:
            raise ValueError("a formula needs the layout to simulate on: a frame of gt.designs")
        base, frame = _specified(model, layout, family or Normal(), truth)
    grid = size_grid(along, within, sizes)
    sources = [_at_size(base, frame, along, within, size) for size in grid]
    analyses = [_analysed(each, dict(analysis or {})) for each in sources]
    return Plan(kind, grid, sources, analyses)


def _specified(formula: str, layout: Any, family: Any, truth: dict) -> tuple[FittedModel, Any]:
    """A model that was not fitted: its parameters are the truth. And the frame of its layout."""
    simulate(formula, layout, family, **truth)  # says what is wrong, and where
    distribution = look_up(family)
    link = distribution.check_link(truth.get("link"))
    design = specified_design(formula, layout, distribution, truth.get("trials"))
    frame = to_frame(layout).reset_index(drop=True)
    if distribution.takes_trials:
        frame = frame.assign(**response_columns(design, np.zeros(design.n)))
    shape = checked_shape(distribution, truth.get("phi", 1.0), truth.get("df"))
    if any(np.ndim(each) for each in shape.values()):
        raise ValueError("phi of a study is one number; rows cannot have their own")
    zero, predictors = None, {}
    if truth.get("zero"):
        zero = one_sided("~ 1", frame, "zero")
        predictors = {"zero": np.array([special.logit(truth["zero"])])}
    problem = Problem(replace(design, frame=frame), distribution, link, zero=zero)
    beta = checked_coefficients(truth.get("coef"), design.names)
    covariances, correlations = random_parameters(
        design.random, truth.get("sd"), truth.get("corr"), truth.get("rho")
    )
    terms = _terms(problem, covariances, correlations)
    return _at_truth(problem, beta, shape, terms, predictors), frame


def _model_at(model: FittedModel, truth: dict) -> FittedModel:
    """A fitted model, some of its estimates replaced."""
    require_converged(model, "a study")
    problem, estimate = model.problem, model.estimate
    for name in ("trials", "link", "zero", "df"):
        if name in truth:
            raise ValueError(f"{name}= is for a study from a formula; the fitted model has its own")
    coef = truth.get("coef")
    beta = checked_coefficients(coef, problem.design.names) if coef is not None else estimate.beta
    if isinstance(coef, (Mapping, pd.Series)):
        named = [name in coef for name in problem.design.names]
        beta = np.where(named, beta, estimate.beta)
    terms, shape = estimate.terms, dict(estimate.shape)
    if any(name in truth for name in ("sd", "corr", "rho")):
        given = (truth.get(name) for name in ("sd", "corr", "rho"))
        terms = _terms(problem, *random_parameters(problem.design.random, *given))
    if "phi" in truth:
        if problem.dispersion is not None:
            raise ValueError("phi= cannot replace a dispersion formula of the fitted model")
        shape |= checked_shape(model.family, truth["phi"], None)
    return _at_truth(problem, beta, shape, terms, estimate.predictors, model.engine)


def _terms(problem: Problem, covariances, correlations) -> tuple[TermEstimate, ...]:
    return tuple(
        TermEstimate(G, np.zeros((len(term.levels), len(G))), rho)
        for term, G, rho in zip(problem.design.random, covariances, correlations, strict=True)
    )


def _at_truth(problem: Problem, beta, shape, terms, predictors, engine=None) -> FittedModel:
    p = len(beta)
    return FittedModel(
        problem,
        Estimate(
            beta, np.full((p, p), np.nan), np.full(p, np.inf), shape, terms, np.nan,
            problem.n_params, True, (), (), engine or engines.choose(problem).NAME, "truth",
            predictors,
        ),
    )  # fmt: skip


def _at_size(base: FittedModel, frame: pd.DataFrame, along, within, size) -> FittedModel:
    problem = base.problem
    if size:
        frame, rows = extended(problem.design, frame, along, within, size)
    try:
        if size:
            problem = _on_rows(problem, frame, rows)
        check_rank(problem.design.X, problem.design.names)
        check_problem(problem)
    except ValueError as error:
        sizes = ", ".join(f"{number} of {name}" for name, number in size.items())
        raise ValueError(f"with {sizes or 'this layout'}: {error}") from None
    return FittedModel(problem, base.estimate)


def _on_rows(problem: Problem, frame: pd.DataFrame, rows: Array) -> Problem:
    """The problem on another frame, whose rows are copies of `rows` of the first one."""
    design = problem.design
    _, formula_offset = design.fixed_on(design.frame)
    X, offset = design.fixed_on(frame)
    built = [random_term(spec, frame) for spec in design.formula.random]
    trials, weights = design.response.trials, design.weights
    response = replace(
        design.response,
        y=np.full(len(frame), np.nan),
        trials=None if trials is None else trials[rows],
    )
    design = replace(
        design, response=response, X=X, offset=offset + (design.offset - formula_offset)[rows],
        weights=None if weights is None else weights[rows],
        random=tuple(term for term, _ in built), recipes=tuple(recipe for _, recipe in built),
        frame=frame,
    )  # fmt: skip
    parts = {
        name: part if part is None else replace(part, X=part.on(frame))
        for name, part in (("dispersion", problem.dispersion), ("zero", problem.zero))
    }
    return replace(problem, design=design, **parts)


def _analysed(source: FittedModel, options: dict[str, Any]) -> FittedModel:
    """The model that is fitted to what `source` draws."""
    for name in options:
        if name not in _ANALYSIS:
            raise ValueError(
                f"analysis takes {listed(_ANALYSIS)}; got {name!r}{nearest(name, _ANALYSIS)}"
            )
    problem = source.problem
    if not options:
        return FittedModel(problem, replace(source.estimate, engine=engines.choose(problem).NAME))
    distribution = look_up(options["family"]) if "family" in options else problem.family
    if "formula" in options or "family" in options:
        text = options.get("formula", source.formula)
        design = specified_design(text, problem.design.frame, distribution)
        label = problem.design.response.label
        if design.response.label != label:
            raise ValueError(
                f"analysis: the response of {text!r} must be that of the data, {label!r}"
            )
        check_rank(design.X, design.names)
        problem = replace(problem, design=design, family=distribution, dispersion=None, zero=None)
    link = options.get("link", problem.link if distribution is source.family else None)
    reml = bool(options.get("reml", False))
    if reml and not distribution.has_residual_variance:
        raise ValueError(
            f"analysis: reml is for the normal family; this one is {distribution.name}"
        )
    problem = replace(
        problem, link=distribution.check_link(link), reml=reml, nagq=int(options.get("nagq", 1))
    )
    check_problem(problem)
    engine = engines.choose(problem, options.get("engine", "auto"))
    if problem.design is source.problem.design:
        return FittedModel(problem, replace(source.estimate, engine=engine.NAME))
    beta = np.full(len(problem.design.names), np.nan)  # of another model only the names are known
    terms = _terms(
        problem,
        [np.eye(len(term.names)) for term in problem.design.random],
        [np.nan if term.structure.has_rho else None for term in problem.design.random],
    )
    shape = dict.fromkeys(distribution.shape, np.nan)
    return _at_truth(problem, beta, shape, terms, {}, engine.NAME)


def _chosen(effects: list[str] | None, known: list[str], default: list[str]) -> list[str]:
    if effects is None:
        effects = default
    for name in effects:
        if name not in known:
            raise ValueError(
                f"effects names {name!r}, which the model does not have{nearest(name, known)}. "
                f"It has {listed(known, 12)}"
            )
    if not effects:
        raise ValueError("there is no effect to study: the model has an intercept only")
    return list(dict.fromkeys(effects))


def _described(model: FittedModel) -> str:
    problem = model.problem
    reml = " by REML" if problem.reml else ""
    nodes = f", nagq = {problem.nagq}" if problem.nagq > 1 else ""
    return f"{model.formula}, {model.family.name}, {model.link.name} link{reml}{nodes}"


def _digest(model: FittedModel) -> str:
    """The rows of a layout in short: the same for the same layout."""
    design = model.problem.design
    hashed = hashlib.sha256(np.round(design.X, 8).tobytes())
    for term in design.random:
        hashed.update(term.codes.astype(np.int64).tobytes())
    return f"{design.n}:{hashed.hexdigest()[:12]}"
