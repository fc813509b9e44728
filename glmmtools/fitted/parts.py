"""The parts of a model: the mean, and the formulas of its dispersion and of its extra zeros.

A modelled dispersion or probability of an extra zero has a linear predictor: columns, coefficients,
their covariance, a link, and that of zeros may have random terms. That is all that tests, means and
predictions of it need, so that each part is given to them as a fit of its own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.engine.joint import JointOfZeros
from glmmtools.engine.problem import COEFFICIENT_NAMES, ZERO, Problem
from glmmtools.families.links import OF_PROBABILITIES, OF_SCALES
from glmmtools.fitted.fit import Fit
from glmmtools.formula.design import Design
from glmmtools.formula.fixed_part import FixedPart
from glmmtools.formula.rank import Rank
from glmmtools.formula.strata import Strata
from glmmtools.shared.arguments import one_of

PARTS = {"mean": "", "zero": "zero", "dispersion": "phi"}  # with the engine's name of each
_LINKS = {"zero": OF_PROBABILITIES, "dispersion": OF_SCALES}
_ARGUMENTS = {"zero": "zero_inflation", "dispersion": "dispersion_formula"}


class PartFit(Fit):
    """The linear predictor of a modelled parameter, with its estimates.

    Attributes
    ----------
    part : {"zero", "dispersion"}
    whole : Fit
        The fit that it is a part of.
    """

    def __init__(self, whole: Fit, part: str):
        name, self.part, self.whole = PARTS[part], part, whole
        covariance = whole.estimate.predictor_cov[name]
        design = _design(whole, whole.problem.modelled[name], name)
        problem = Problem(design, whole.family, _LINKS[part])
        estimate = replace(
            whole.estimate, beta=whole.estimate.predictors[name], cov_beta=covariance,
            df=np.full(len(covariance), np.inf), shape={}, predictors={}, predictor_cov={},
            limit=None, zero_terms=(),
            terms=whole.in_the_limit.estimate.zero_terms if part == ZERO else (),
        )  # fmt: skip
        super().__init__(problem, estimate)

    @property
    def quantity(self) -> str:
        """What the parameter is, in words."""
        zeros = f"probability of {zeros_in_words(self.whole)}"
        return zeros if self.part == "zero" else "dispersion phi"

    @cached_property
    def strata(self) -> Strata:
        """Its coefficients are judged by z, whatever its random terms."""
        return Strata(replace(self.design, random=(), recipes=()))

    @property
    def random_effects(self) -> pd.DataFrame:
        """Those of this part."""
        table = self.whole.random_effects
        if "part" not in table:
            return table.iloc[:0]
        return table[table["part"] == self.part].drop(columns="part").reset_index(drop=True)

    @cached_property
    def joint(self) -> JointOfZeros:
        """The likelihood of the whole model, as far as it is of this part."""
        return JointOfZeros(self.whole.in_the_limit.joint)

    @property
    def mean_is_mu(self) -> bool:
        """The inverse of its link gives the parameter itself, whatever the family."""
        return True

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "whole": self.whole, "part": self.part}


def _design(whole: Fit, part: FixedPart, name: str) -> Design:
    """The columns of a part as those of a design, in rows that are not certain."""
    design, rank, rows = whole.design, part.rank, slice(None)
    columns, X, random = part.columns, part.X, part.random
    if whole.separated:
        rows = ~whole.estimate.limit.separation.certain
        everything = rank.all_columns(columns)
        rank = Rank.of((X @ rank.coordinates)[rows], everything)
        columns = tuple(everything[k] for k in rank.kept)
        X = X[rows][:, whole.estimate.limit.parts[name].kept]
        random = tuple(term.on_rows(rows) for term in random)
    specs = tuple(recipe.spec for recipe in part.recipes)
    formula = replace(
        design.formula, text=f"{name} ~ {part.written}", fixed=part.text, random=specs, offsets=()
    )
    response = replace(design.response, y=design.y[rows])
    return replace(
        design, formula=formula, response=response, X=X, columns=columns, rank=rank,
        offset=np.zeros(len(X)), offset_beside=0.0, weights=None, random=random,
        frame=design.frame[rows], new_data=part.new_data, model_spec=part.model_spec,
        recipes=part.recipes,
    )  # fmt: skip


def part_of(model: Fit, part: str | None) -> Fit:
    """The model itself for ``"mean"`` and None, else its dispersion or its extra zeros as a fit.

    Raises
    ------
    ValueError
        If there is no such part, or the model has none.
    """
    one_of("part", part, (None, *PARTS))
    if part in (None, "mean") or isinstance(model, PartFit):
        return model
    if PARTS[part] not in model.problem.modelled:
        known = model.estimate.shape.get("phi") if part == "dispersion" else None
        instead = "" if known is None else f": its phi is one number, {known:.4g}"
        raise ValueError(
            f"part={part!r} needs a model with {_ARGUMENTS[part]}=, which {model.formula!r} was "
            f"fitted without{instead}"
        )
    return PartFit(model, part)


def parts_of(model: Fit) -> dict[str, str]:
    """The parts of a model, each with how its coefficients are called among those of all parts."""
    named = {"mean": "{}"}
    named |= {
        part: COEFFICIENT_NAMES[name] for part, name in PARTS.items()
        if name in model.problem.modelled
    }  # fmt: skip
    return named


def parts_expected(model: Fit, part: str | None) -> dict[str, FixedPart]:
    """The modelled parameters that decide the expected response, beside the linear predictor.

    These are the extra zeros, unless they are to be left out; and a dispersion that E(y) of the
    others depends on.
    """
    without = ([] if part is None else [ZERO]) + (["phi"] if model.mean_is_mu else [])
    return {name: each for name, each in model.problem.modelled.items() if name not in without}


def zeros_in_words(model: Fit) -> str:
    """``"an extra zero"``, or ``"a zero"`` where the family has none of its own."""
    return "a zero" if model.problem.has_two_parts else "an extra zero"
