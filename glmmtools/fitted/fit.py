"""`Fit`: what was fitted, what was found, and what is read off both without another search."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.covariances.working import WorkingCorrelation
from glmmtools.engine import laplace
from glmmtools.engine.estimate import Estimate, TermEstimate
from glmmtools.engine.joint import Joint
from glmmtools.engine.problem import PARTS_IN_WORDS, Problem
from glmmtools.engine.satterthwaite import Satterthwaite
from glmmtools.engine.suitability import confounded_groups, few_units, identification_warnings
from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.fitted.dispersion import dispersion_values
from glmmtools.fitted.random_tables import components_table, tidy_effects
from glmmtools.fitted.wald import two_sided_p
from glmmtools.formula.design import Design
from glmmtools.formula.linear_predictor import random_predictor
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.formula.strata import Strata
from glmmtools.shared.messages import GlmmWarning
from glmmtools.shared.tables import kept_table

Array = np.ndarray


class Fit:
    """A problem and its estimate; names follow statsmodels where it has one.

    Attributes
    ----------
    problem : Problem
        What was asked: the design (``y`` of shape (n,), ``X`` (n, p), the random terms), the family
        and link, what is modelled beside the mean.
    estimate : Estimate
        What the engine found: ``beta`` of shape (p,) and its covariance on the scale of the linear
        predictor, the covariance and modes of each random term, the log-likelihood, how the search
        ended.
    """

    def __init__(self, problem: Problem, estimate: Estimate):
        self.problem = problem
        self.estimate = estimate

    def __getstate__(self) -> dict[str, Any]:
        """What is saved and copied: not what was computed since the fit, which is so again."""
        return {"problem": self.problem, "estimate": self.estimate}

    # -- what was fitted, and how it went

    @property
    def design(self) -> Design:
        """The formula on the data: response, columns, random terms."""
        return self.problem.design

    @property
    def formula(self) -> str:
        return self.design.formula.text

    @property
    def family(self) -> Family:
        return self.problem.family

    @property
    def link(self) -> Link:
        return self.problem.link

    @property
    def is_linear(self) -> bool:
        """Whether this is a linear (mixed) model: normal, with the identity link."""
        return self.problem.is_linear

    @property
    def kind(self) -> str:
        """``"linear model"``, ``"generalized linear mixed model"`` and the like."""
        return self.problem.kind

    @property
    def engine(self) -> str:
        """Name of the engine that computed the fit."""
        return self.estimate.engine

    @property
    def method(self) -> str:
        """What was maximised: ``ML``, ``REML``, ``Laplace``, ``AGQ(k)``; or ``OLS``, ``GEE``."""
        return self.estimate.method

    @property
    def converged(self) -> bool:
        """Whether the search found a maximum; if not, a message says what happened."""
        return self.estimate.converged

    @property
    def singular(self) -> bool:
        """Whether a variance is estimated at zero, or a correlation at -1 or 1."""
        return bool(self.estimate.singular)

    @property
    def separated(self) -> bool:
        """Whether some coefficients have no finite estimate, because their columns separate rows.

        These are infinite in `params`, or nan where the data do not say on which side. All other
        numbers are those of the rows that are not separated (:attr:`in_the_limit`).
        """
        return self.estimate.limit is not None

    @cached_property
    def in_the_limit(self) -> Fit:
        """The fit of the rows that are not separated, of which all are finite; or this fit."""
        limit = self.estimate.limit
        if limit is None:
            return self
        separation = limit.separation
        left = self.problem.on_rows(~separation.certain, separation.rank.kept)
        return Fit(left, limit.estimate)

    @cached_property
    def messages(self) -> tuple[GlmmWarning, ...]:
        """What is to be known of the fit: what was issued, and where z rests on few units."""
        by_z = self.converged and np.all(np.isinf(self.estimate.df))
        return (*self.issued, *(few_units(self.strata) if by_z else ()))

    @cached_property
    def issued(self) -> tuple[GlmmWarning, ...]:
        """What happened during the fit, as instances of the warning classes."""
        parts = self.problem.modelled.items()
        return (
            *self.design.warnings,
            *(each for name, part in parts for each in part.warnings(PARTS_IN_WORDS[name])),
            *confounded_groups(self.problem),
            *identification_warnings(self.problem),
            *self.estimate.messages,
        )

    @property
    def nobs(self) -> int:
        """Number of rows that were fitted."""
        return self.design.n

    @property
    def n_dropped(self) -> int:
        """Rows of the data left out because a value was missing."""
        return self.design.n_dropped

    @property
    def n_groups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        clusters = self.problem.clusters
        if clusters is not None:
            return {clusters.group: len(clusters.sizes)}
        return {term.group: len(term.levels) for term in self.problem.structured}

    @property
    def working_correlation(self) -> WorkingCorrelation:
        """How the rows of a group are taken to be alike, in a model of :func:`glmmtools.gee`.

        ``alpha`` is the correlation of any two rows (exchangeable), or of two that are one unit of
        time apart (ar1); ``frame`` the correlations as a table.
        """
        if self.estimate.working is None:
            raise ValueError(
                "a working correlation is that of a population-averaged model, gt.gee(...); the "
                "random effects of this one are in variance_components"
            )
        return self.estimate.working

    # -- fixed effects

    @kept_table
    def params(self) -> pd.Series:
        """Fixed effects on the scale of the linear predictor; infinite where they separate."""
        return self.by_coefficient(self.estimate.beta, "estimate")

    @kept_table
    def bse(self) -> pd.Series:
        """Standard errors of the fixed effects."""
        with np.errstate(invalid="ignore"):
            return self.by_coefficient(np.sqrt(np.diag(self.estimate.cov_beta)), "std_error")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of the Wald tests that a coefficient is zero."""
        p = two_sided_p((self.params / self.bse).to_numpy(), self.estimate.df)
        return self.by_coefficient(p, "p_value").rename_axis("term")

    @cached_property
    def strata(self) -> Strata:
        """To which random terms the fixed ones belong, and their degrees of freedom."""
        return Strata(self.design, self.problem.residual)

    @cached_property
    def satterthwaite(self) -> Satterthwaite:
        """Degrees of freedom of contrasts; for linear mixed models."""
        return Satterthwaite.of(self.problem, self.estimate)

    def by_coefficient(self, values: Array, name: str) -> pd.Series:
        """A Series of values, shape (p,), one for each fixed effect."""
        return pd.Series(values, index=list(self.design.names), name=name)

    # -- the fit as a whole

    @property
    def llf(self) -> float:
        """Log-likelihood; the REML criterion for a REML fit."""
        require_likelihood(self, "a log-likelihood needs")
        return self.estimate.llf

    @property
    def df_model(self) -> int:
        """Number of estimated parameters, variance components and dispersion included."""
        return self.estimate.n_params

    @property
    def df_resid(self) -> int:
        """Rows minus `df_model`."""
        return self.nobs - self.df_model

    @property
    def aic(self) -> float:
        """Akaike's information criterion, of the whole model."""
        require_maximum(self, "AIC needs")
        return 2 * self.df_model - 2 * self.llf

    @property
    def bic(self) -> float:
        """The Bayesian information criterion with the number of rows."""
        require_maximum(self, "BIC needs")
        return np.log(self.nobs) * self.df_model - 2 * self.llf

    # -- variance components and random effects

    @property
    def random_terms(self) -> list[tuple[RandomTerm, TermEstimate]]:
        """Each random term of the mean with its estimates."""
        return list(zip(self.design.random, self.estimate.terms, strict=True))

    @property
    def zero_terms(self) -> list[tuple[RandomTerm, TermEstimate]]:
        """Each random term of the zeros with its estimates."""
        return list(zip(self.problem.zero_random, self.estimate.zero_terms, strict=True))

    @property
    def structured_terms(self) -> list[tuple[RandomTerm, TermEstimate]]:
        """All of these, and the residuals if they have a structure, as of group Residual."""
        found, residual = self.random_terms + self.zero_terms, self.problem.residual
        if residual is not None:
            found.append((residual.in_tables, self.estimate.residual))
        return found

    @kept_table
    def variance_components(self) -> pd.DataFrame:
        """Variances of the random effects, and of the residuals of a normal model.

        Returns
        -------
        DataFrame
            Columns ``group, term, variance, sd, corr``; ``corr`` is the correlation with the first
            term of the group (``corr2`` with the second, and so on), and the rho of ar1 and cs. A
            first column ``part``, mean or zero, where `zero_inflation` has random terms.
        """
        phi = self.estimate.shape.get("phi") if self.family.has_residual_variance else None
        return components_table(self.structured_terms, phi)

    @property
    def dispersion(self) -> pd.Series:
        """The dispersion parameters by name; for a normal model also the residual sd.

        Of a dispersion formula or zero inflation: the coefficients, as ``log phi: x`` and
        ``logit zero: x``; one extra-zero probability is given as ``zero``.
        """
        values = dispersion_values(self.in_the_limit.problem, self.estimate)
        return pd.Series(values, name="dispersion", dtype=float)

    @property
    def further_dispersion(self) -> pd.Series:
        """The dispersion without what the variance components show."""
        hidden = ["residual sd", "phi"] if self.family.has_residual_variance else []
        return self.dispersion.drop(hidden, errors="ignore")

    @kept_table
    def random_effects(self) -> pd.DataFrame:
        """Conditional modes of the random effects with their conditional standard deviations.

        Returns
        -------
        DataFrame
            Columns ``group, level, term, estimate, std_error``, one row a random effect, and
            ``part`` as in `variance_components`. The standard deviations are given the parameters,
            as lme4's ``condVar``.
        """
        finite, modes = self.in_the_limit, self.modes + self.estimate.zero_modes
        sds = [np.full(b.shape, np.nan) for b in modes]
        if finite.nobs:
            sds = laplace.conditional_sds(finite.problem, finite.estimate)
        return pd.DataFrame(tidy_effects(self.problem.random, estimate=modes, std_error=sds))

    @property
    def effect_covariances(self) -> tuple[list[Array], list[float | None]]:
        """For each term the covariance of the effects of one level, and its rho or None."""
        terms = self.estimate.terms
        return [term.covariance for term in terms], [term.correlation for term in terms]

    @property
    def modes(self) -> list[Array]:
        """Conditional modes of the random effects of each term of the mean, shape (levels, q)."""
        return [term.modes for term in self.estimate.terms]

    # -- rows

    @property
    def trials_by_row(self) -> Array:
        """The trials of each row, shape (n,): one for a family that takes none."""
        trials = self.design.trials
        return np.ones(self.nobs) if trials is None else trials

    @property
    def shape_by_row(self) -> dict[str, Any]:
        """Shape parameters: numbers, or arrays of shape (n,) where they differ between rows."""
        values, part = dict(self.estimate.shape), self.problem.dispersion
        if self.problem.residual is not None:
            structure = self.problem.residual.structure
            values["phi"] = structure.predictor_variances(self.estimate.residual.covariance)
        if part is not None:
            values["phi"] = np.exp(self.estimate.predictor("phi", part.X))
        return values

    @property
    def mean_is_mu(self) -> bool:
        """Whether E(y), extra zeros left out, is ``mu``, so that the link is that of the mean."""
        return self.family.mean_is_mu

    @property
    def mean_link(self) -> Link:
        """The link of E(y), extra zeros left out, in the rows of the data."""
        link, family = self.link, self.family
        return link if self.mean_is_mu else family.mean_link(link, **self.shape_by_row)

    @property
    def row_parameters(self) -> dict[str, Any]:
        """What the family's functions take beside the mean: shape by row, and trials.

        A normal row of prior weight w has the variance phi / w.
        """
        values, weights = self.shape_by_row, self.design.weights
        if weights is not None and self.family.weights_divide_phi:
            values["phi"] = values["phi"] / weights
        return values | self.problem.trials

    def extra_zero_probability(self, newdata: Any = None) -> Any:
        """Probability of an extra zero in each row, given its effects; 0 without zero inflation."""
        part = self.problem.zero
        if part is None:
            return 0.0
        X, terms = part.X, part.random
        if newdata is not None:
            X, terms = part.on(newdata), part.random_on(newdata)
        b = random_predictor(terms, self.estimate.zero_modes)
        return special.expit(self.estimate.predictor("zero", X) + b)

    @cached_property
    def fixed_predictor(self) -> Array:
        """The fixed part of ``eta`` with its offset, shape (n,); infinite in separated rows."""
        design, limit = self.design, self.estimate.limit
        if limit is None:
            return design.X @ self.estimate.beta + design.offset
        eta = np.copysign(np.inf, limit.separation.side)
        eta[~limit.separation.certain] = self.in_the_limit.fixed_predictor
        return eta

    @kept_table
    def linear_predictor(self) -> pd.Series:
        """Fitted ``eta``: fixed part, offset and conditional modes."""
        eta = self.fixed_predictor + random_predictor(self.design.random, self.modes)
        return self.by_row(eta, "eta")

    @kept_table
    def fittedvalues(self) -> pd.Series:
        """Fitted conditional means; probabilities for the binomial families.

        With zero inflation the mean of the response is ``(1 - p)`` times that of the other values.
        """
        mean = self.mean_link.inverse(self.linear_predictor)
        return self.by_row((1 - self.extra_zero_probability()) * mean, "fitted")

    def by_row(self, values: Any, name: str) -> pd.Series:
        """A Series of values, shape (n,), with the index of the data."""
        return pd.Series(np.asarray(values), index=self.design.frame.index, name=name)

    @cached_property
    def joint(self) -> Joint:
        """The likelihood around the estimates, for standard errors of predictions."""
        return Joint(self.problem, self.estimate)

    def predictor_sds(self, X: Array, terms: tuple[RandomTerm, ...]) -> Array:
        """Standard errors of eta in rows of the columns X and of random terms; nan if infinite."""
        limit, finite = self.estimate.limit, self.in_the_limit
        if limit is None:
            return self.joint.predictor_sds(X, terms)
        if not finite.nobs:
            return np.full(len(X), np.nan)
        sds = finite.joint.predictor_sds(X[:, limit.separation.rank.kept], terms)
        return np.where(limit.separation.side_of(X) == 0, sds, np.nan)


def require_likelihood(fit: Fit, what: str) -> None:
    """Raise ValueError if the fit is a population-averaged model, which has no likelihood."""
    if fit.problem.clusters is not None:
        raise ValueError(
            f"{what} the likelihood of a distribution, which a population-averaged model does not "
            "have: take its Wald tests, anova(), and intervals, conf_int(), or fit a mixed model, "
            f"gt.fit with (1 | {fit.problem.clusters.group}) in the formula"
        )


def has_maximum(fit: Fit) -> bool:
    """Whether the fit is at the maximum of a likelihood, as AIC and likelihood ratios need."""
    return fit.problem.clusters is None and fit.problem.penalty is None


def require_maximum(fit: Fit, what: str) -> None:
    """Raise ValueError with the reason if the fit is not at the maximum of a likelihood."""
    require_likelihood(fit, what)
    if fit.problem.penalty is not None:
        raise ValueError(
            f"{what} a fit by maximum likelihood, and {fit.formula!r} was fitted with "
            f"penalty={fit.problem.penalty:g}: fit it without penalty="
        )


def require_converged(fit: Fit, what: str, forced: str = "") -> None:
    """Raise ValueError with the reason if the fit did not converge.

    `forced` says what ``force=True`` would do, where the caller has that argument.
    """
    if not fit.converged:
        reasons = " ".join(map(str, fit.issued)) or "no reason is known."
        raise ValueError(
            f"the fit of {fit.formula!r} did not converge, and {what} one that did: {reasons}"
            + (f" Mend the model, or {forced} with force=True" if forced else "")
        )
