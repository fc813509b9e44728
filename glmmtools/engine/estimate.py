"""What an engine returns: the estimates of a problem and how the search for them ended."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from glmmtools.covariances.working import WorkingCorrelation
from glmmtools.shared.messages import GlmmWarning

Array = np.ndarray


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
        Log-likelihood, or the REML criterion; nan where no likelihood was maximised.
    n_params : int
        Number of estimated parameters, variance components and dispersion included.
    converged : bool
    singular : tuple of str
        Labels of the random terms at the boundary.
    messages : tuple of GlmmWarning
    engine, method : str
        Who computed it, and what was maximised ("ML", "REML", "Laplace", "AGQ(9)"), or "GEE".
    working : WorkingCorrelation or None
        Of a population-averaged model.
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
    working: WorkingCorrelation | None = None
