"""What every engine takes (`Problem`) and returns (`Estimate`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.formula.design import Design, FixedPart

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Problem:
    """A model on data: what is to be estimated, without saying how."""

    design: Design
    family: Family
    link: Link
    reml: bool = False
    nagq: int = 1
    dispersion: FixedPart | None = None
    zero: FixedPart | None = None

    @property
    def is_linear(self) -> bool:
        """Whether this is a linear (mixed) model: a residual variance, and the identity link."""
        return self.family.has_residual_variance and self.link.is_identity

    @cached_property
    def n_params(self) -> int:
        """Parameters to estimate: fixed effects, variances and correlations, shape, extra zeros."""
        total = len(self.design.names) + len(self.family.shape)
        total += sum(term.structure.n_params for term in self.design.random)
        if self.dispersion is not None:
            total += len(self.dispersion.names) - 1
        return total + (len(self.zero.names) if self.zero is not None else 0)

    @cached_property
    def trials(self) -> dict[str, Array]:
        """The trials as a keyword argument of the family's functions, where it takes them."""
        return {"trials": self.design.trials} if self.family.takes_trials else {}
