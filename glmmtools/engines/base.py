"""What every engine takes (`Problem`) and returns (`Estimate`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from glmmtools.families import Family
from glmmtools.formula import Design
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
        Conditional modes of the random effects.
    mode_sd : ndarray, shape (levels, q)
        Conditional standard deviations given the parameters, as lme4's ``condVar``.
    """

    covariance: Array
    modes: Array
    mode_sd: Array


@dataclass(frozen=True, eq=False)
class Estimate:
    """What an engine found.

    Attributes
    ----------
    beta, cov_beta, df : ndarray, shapes (p,), (p, p), (p,)
        Fixed effects, their covariance, and degrees of freedom of their t tests (inf: z).
    shape : dict of float
        Shape parameters of the family, by name.
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
    details: dict[str, Any] = field(default_factory=dict)
