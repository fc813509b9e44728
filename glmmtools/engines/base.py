"""What every engine takes (`Problem`) and returns (`Estimate`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from glmmtools.families import Family
from glmmtools.formula import Design, FixedPart
from glmmtools.links import Link
from glmmtools.messages import GlmmWarning

__all__ = ["Estimate", "Problem", "TermEstimate"]

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

    @cached_property
    def n_params(self) -> int:
        """Parameters to estimate: fixed effects, variances and correlations, shape, extra zeros."""
        variances = {
            "unstructured": lambda q: q * (q + 1) // 2,
            "independent": lambda q: q,
            "cs": lambda q: 2,
            "ar1": lambda q: 2,
        }
        total = len(self.design.names) + len(self.family.shape)
        total += sum(variances[t.structure](len(t.names)) for t in self.design.random)
        if self.dispersion is not None:
            total += len(self.dispersion.names) - 1
        return total + (len(self.zero.names) if self.zero is not None else 0)

    @cached_property
    def trials(self) -> dict[str, Array]:
        """The trials as a keyword argument of the family's functions, where it takes them."""
        return {"trials": self.design.trials} if self.family.takes_trials else {}


@dataclass(frozen=True, eq=False)
class TermEstimate:
    """The estimates of one random term.

    Attributes
    ----------
    covariance : ndarray, shape (q, q)
        Covariance of the random effects of one level.
    modes : ndarray, shape (levels, q)
        Conditional modes of the random effects; for ar1 one column a time, in order.
    correlation : float or None
        The correlation parameter of ar1 and cs terms.
    """

    covariance: Array
    modes: Array
    correlation: float | None = None


@dataclass(frozen=True, eq=False)
class Estimate:
    """What an engine found.

    Attributes
    ----------
    beta, cov_beta, df : ndarray, shapes (p,), (p, p), (p,)
        Fixed effects, their covariance, and degrees of freedom of their t tests (inf: z).
    shape : dict of float
        Shape parameters of the family that are one number, by name.
    predictors : dict of ndarray
        Coefficients of modelled parameters: of log ``phi`` (dispersion formula), and of the logit
        of an extra ``zero`` (zero inflation).
    predictor_se : dict of ndarray
        Their standard errors.
    terms : tuple of TermEstimate
    llf : float
        Log-likelihood, or the REML criterion.
    n_params : int
        Number of estimated parameters, variance components and dispersion included.
    converged : bool
    singular : tuple of str
        Labels of the random terms at the boundary.
    messages : tuple of GlmmWarning
    engine, method : str
        Who computed it, and what was maximised ("ML", "REML", "Laplace", "AGQ(9)").
    """

    beta: Array
    cov_beta: Array
    df: Array
    shape: dict[str, float]
    terms: tuple[TermEstimate, ...]
    llf: float
    n_params: int
    converged: bool
    singular: tuple[str, ...]
    messages: tuple[GlmmWarning, ...]
    engine: str
    method: str
    predictors: dict[str, Array] = field(default_factory=dict)
    predictor_se: dict[str, Array] = field(default_factory=dict)
