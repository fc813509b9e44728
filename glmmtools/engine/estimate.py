"""What an engine returns: the estimates of a problem and how the search for them ended."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from glmmtools.covariances.working import WorkingCorrelation
from glmmtools.engine.separation import Separation
from glmmtools.formula.rank import Rank
from glmmtools.shared.matrices import covariance_of_combinations
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
        Fixed effects, their covariance, and degrees of freedom of their t tests (inf: z). Under
        separation a coefficient may be infinite, or nan where the data do not say on which side;
        its covariances are nan.
    shape : dict of float
        Shape parameters of the family that are one number, by name.
    predictors : dict of ndarray
        Coefficients of modelled parameters: of log ``phi`` (dispersion formula), and of the logit
        of an extra ``zero`` (zero inflation). Under separation of the columns that the rows which
        are not certain tell apart.
    predictor_cov : dict of ndarray
        Their covariances, nan of those without a finite estimate.
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
    limit : Limit or None
        Under separation, what the estimates are the limit of.
    residual : TermEstimate or None
        Of residuals with a covariance structure; they have no modes.
    zero_terms : tuple of TermEstimate
        Of the random terms in the logit of the zeros.
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
    predictor_cov: dict[str, Array] = field(default_factory=dict)
    working: WorkingCorrelation | None = None
    limit: Limit | None = None
    residual: TermEstimate | None = None
    zero_terms: tuple[TermEstimate, ...] = ()

    @property
    def structured(self) -> tuple[TermEstimate, ...]:
        """As `Problem.structured`: of all random terms, and of the residuals if they have one."""
        random = (*self.terms, *self.zero_terms)
        return random if self.residual is None else (*random, self.residual)

    @property
    def zero_modes(self) -> list[Array]:
        """Conditional modes of the random effects in the logit of the zeros, of each term."""
        return [term.modes for term in self.zero_terms]

    def combined(self, combinations: Array) -> Array:
        """Linear combinations of the fixed effects, of which some may be infinite.

        Parameters
        ----------
        combinations : ndarray, shape (m, p)

        Returns
        -------
        ndarray, shape (m,)
            Infinite, or nan where the data do not say on which side, if the combination holds a
            direction in which the data are separated.
        """
        if self.limit is None:
            return combinations @ self.beta
        separation = self.limit.separation
        side = separation.side_of(combinations)
        finite = combinations[:, separation.rank.kept] @ self.limit.estimate.beta
        return np.where(side == 0, finite, np.copysign(np.inf, side) + side)

    def combined_covariance(self, combinations: Array) -> Array:
        """Covariance matrix of linear combinations, nan for those that are not finite, (m, m)."""
        if self.limit is None:
            return covariance_of_combinations(self.cov_beta, combinations)
        separation = self.limit.separation
        kept = combinations[:, separation.rank.kept]
        covariance = kept @ self.limit.estimate.cov_beta @ kept.T
        infinite = separation.side_of(combinations) != 0
        covariance[infinite] = covariance[:, infinite] = np.nan
        return covariance

    def combined_variances(self, combinations: Array) -> Array:
        """Variances of linear combinations, nan for those that are not finite, (m,)."""
        kept, covariance, finite = combinations, self.cov_beta, True
        if self.limit is not None:
            separation, covariance = self.limit.separation, self.limit.estimate.cov_beta
            kept = combinations[:, separation.rank.kept]
            finite = separation.side_of(combinations) == 0
        unknown = np.isnan(np.diag(covariance))
        finite = finite & ~np.any(kept[:, unknown] != 0, axis=1)
        known = np.where(unknown | unknown[:, None], 0.0, covariance)
        return np.where(finite, np.einsum("ni,ij,nj->n", kept, known, kept), np.nan)

    def predictor(self, name: str, X: Array) -> Array:
        """A modelled parameter's linear predictor in rows of its columns, shape (n, k).

        In rows that are certain it may be any number.
        """
        kept = slice(None) if self.limit is None else self.limit.parts[name].kept
        return X[:, kept] @ self.predictors[name]


@dataclass(frozen=True, eq=False)
class Limit:
    """What the estimates of a separated problem are the limit of.

    Attributes
    ----------
    separation : Separation
        Which rows are certain and which combinations of the fixed effects are finite.
    estimate : Estimate
        The estimate of the problem of the other rows (:meth:`Problem.on_rows`).
    parts : dict of Rank
        Which columns of modelled parameters, ``phi`` and ``zero``, these rows tell apart.
    """

    separation: Separation
    estimate: Estimate
    parts: dict[str, Rank]
