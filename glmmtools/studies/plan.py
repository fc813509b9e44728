"""A study before its run: what it keeps of each fit, its models at each size, how they are run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.families.base import Family
from glmmtools.families.continuous import Normal
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.parameters import parameters
from glmmtools.inference.bootstrap import lean
from glmmtools.inference.replicates import Replicate, check_count, run
from glmmtools.model import FittedModel
from glmmtools.shared.arguments import names_of
from glmmtools.shared.text import listed, nearest
from glmmtools.studies.models import analysis_of, at_size, source_from_fit, source_from_formula
from glmmtools.studies.options import StudyOptions
from glmmtools.studies.sizes import size_grid

Array = np.ndarray


# ------------------------------------------------------------------------------ what is kept


@dataclass(frozen=True, eq=False)
class PValues:
    """The p-values of coefficients and of whole terms."""

    names: list[str]
    kind = "power"
    method = "wald"

    def __call__(self, fit: FittedModel) -> dict[str, float]:
        p_values = fit.pvalues.to_dict()
        if not set(self.names) <= set(p_values):
            p_values = fit.anova()["p_value"].to_dict() | p_values
        return {name: p_values[name] for name in self.names}


@dataclass(frozen=True, eq=False)
class Covered:
    """Whether the intervals of parameters hold the truth: 1 or 0."""

    names: list[str]
    true: pd.Series
    level: float
    method: str
    kind = "coverage"

    def __call__(self, fit: FittedModel) -> dict[str, float]:
        table = fit.conf_int(self.level, method=self.method).reindex(self.names)
        inside = self.true.between(table["conf_low"], table["conf_high"])
        return inside.astype(float).to_dict()


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates by the names of parameters, standard errors as ``std_error name``."""

    names: list[str]
    kind = "recovery"
    method = "wald"

    def __call__(self, fit: FittedModel) -> dict[str, float]:
        values = parameters(fit).to_dict() | fit.bse.add_prefix("std_error ").to_dict()
        return {name: values[name] for name in self.names}


Statistic = PValues | Covered | Estimates


# ------------------------------------------------------------------------------ the plan


@dataclass(frozen=True, eq=False)
class Plan:
    """A study before its run.

    Attributes
    ----------
    options : StudyOptions
    grid : list of dict
        The sizes to study, each ``{column: number of levels}``.
    sources : list of Fit
        At each size the model that draws.
    analyses : list of FittedModel
        At each size the model that is fitted to what is drawn.
    """

    options: StudyOptions
    grid: list[dict[str, int]]
    sources: list[Fit]
    analyses: list[FittedModel]

    @cached_property
    def true(self) -> pd.Series:
        """The parameters that make the data."""
        return parameters(self.sources[0])

    def tested(self, terms: str | Sequence[str] | None) -> list[str]:
        """Coefficients and whole terms to follow; without `terms` all but the intercept."""
        model = self.analyses[0]
        coefficients = list(model.params.index)
        whole = [name for name in model.problem.design.terms if name not in ("1", "0")]
        slopes = [name for name in coefficients if name != "Intercept"]
        return _chosen(terms, list(dict.fromkeys([*coefficients, *whole])), slopes)

    def estimated(self, terms: str | Sequence[str] | None, method: str = "profile") -> list[str]:
        """Parameters to follow, which have a truth; those with Wald intervals are coefficients."""
        model = self.analyses[0]
        names = model.params.index if method == "wald" else parameters(model).index
        known = [name for name in names if name in self.true.index]
        return _chosen(terms, known, known)

    def run(self, statistic: Statistic) -> pd.DataFrame:
        """All replicates: the sizes, the numbers of `statistic`, ``failure`` and ``warnings``."""
        options, source = self.options, self.sources[0]
        check_count(options.n)
        identity = {
            "kind": f"{statistic.kind} study", "seed": options.seed, "formula": source.formula,
            "family": source.family.name, "link": source.link.name, "truth": self.true.to_dict(),
            "analysis": _in_words(self.analyses[0]), "method": statistic.method,
            "sizes": self.grid, "rows": [_digest(model) for model in self.sources],
        }  # fmt: skip
        if isinstance(statistic, Covered):
            identity["level"] = statistic.level
        cells = [
            Replicate(lean(drawing), (lean(analysis),), statistic)
            for drawing, analysis in zip(self.sources, self.analyses, strict=True)
        ]
        items = [
            (cell, seed)
            for trial in np.random.SeedSequence(options.seed).spawn(options.n)
            for cell, seed in enumerate(trial.spawn(len(cells)))
        ]
        rows = run(
            partial(_replicate, cells), items, statistic.names, identity, options.n_jobs,
            options.path, options.progress,
        )  # fmt: skip
        for place, column in enumerate(self.grid[0]):
            rows.insert(place, column, [self.grid[cell][column] for cell, _ in items])
        return rows


def _replicate(
    cells: Sequence[Replicate], item: tuple[int, np.random.SeedSequence]
) -> dict[str, Any]:
    cell, seed = item
    return cells[cell](seed)


def plan_study(
    model: str | FittedModel, layout: Any, family: str | Family | None, options: StudyOptions
) -> Plan:
    """The plan of a study of a formula on a layout, or of a fitted model."""
    if isinstance(model, FittedModel):
        if layout is not None or family is not None:
            raise ValueError("a fitted model brings its layout and family; give the model alone")
        source = source_from_fit(model, options.truth)
    else:
        if layout is None:
            raise ValueError("a formula needs the layout to simulate on: a frame of gt.designs")
        source = source_from_formula(model, layout, family or Normal(), options.truth)
    along, within = options.along, options.within
    grid = size_grid(along, within, options.sizes)
    sources = [at_size(source, along, within, size) for size in grid]
    return Plan(options, grid, sources, [analysis_of(s, options.analysis or {}) for s in sources])


def _chosen(terms: str | Sequence[str] | None, known: list[str], default: list[str]) -> list[str]:
    names = default if terms is None else names_of("terms", terms)
    for name in names:
        if name not in known:
            raise ValueError(
                f"terms names {name!r}, which the model does not have{nearest(name, known)}. "
                f"It has {listed(known, 12)}"
            )
    if not names:
        raise ValueError("there is no effect to study: the model has an intercept only")
    return list(dict.fromkeys(names))


def _in_words(model: FittedModel) -> str:
    problem = model.problem
    reml = " by REML" if problem.reml else ""
    nodes = f", nagq = {problem.nagq}" if problem.nagq > 1 else ""
    further = f", penalty = {problem.penalty:g}" if problem.penalty is not None else ""
    further += f", residual = {problem.residual.text}" if problem.residual is not None else ""
    return f"{model.formula}, {model.family.name}, {model.link.name} link{reml}{nodes}{further}"


def _digest(model: Fit) -> str:
    """The rows of a layout in short: the same for the same layout."""
    design = model.problem.design
    hashed = hashlib.sha256(np.round(design.X, 8).tobytes())
    for term in model.problem.structured:
        hashed.update(term.codes.astype(np.int64).tobytes())
    return f"{design.n}:{hashed.hexdigest()[:12]}"
