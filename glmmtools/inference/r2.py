"""How much of the variance the parts of a model explain: R² and intraclass correlations.

All variances are on the scale of the link. That of the fixed part is the variance of its linear
predictor, that of random effects ``z G z'`` averaged over the rows (Johnson 2014), and the rest is
the distribution-specific variance at the mean of the null model. Nakagawa & Schielzeth (2013),
Methods Ecol. Evol. 4:133; Johnson (2014), Methods Ecol. Evol. 5:944; Nakagawa, Johnson &
Schielzeth (2017), J. R. Soc. Interface 14:20170213.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmmtools.engine.choice import fit_again
from glmmtools.fitted.covariance import terms_of
from glmmtools.fitted.expected import averaged
from glmmtools.fitted.fit import Fit, require_converged, require_likelihood

Array = np.ndarray


@dataclass(frozen=True)
class VarianceParts:
    """Variances on the scale of the link.

    Attributes
    ----------
    fixed : float
    groups : dict of float
        Of the random effects of each grouping factor, but for those of single rows.
    rest : float
        Of the rows: distribution-specific, and of random effects with a level for each row.
    """

    fixed: float
    groups: dict[str, float]
    rest: float

    @property
    def random(self) -> float:
        return sum(self.groups.values())

    @property
    def total(self) -> float:
        return self.fixed + self.random + self.rest


def r2(model: Fit) -> pd.Series:
    """R² of the fixed effects (marginal), and of fixed and random effects together (conditional).

    Returns
    -------
    Series
        ``marginal``, ``conditional``; with several grouping factors also ``conditional on g``, of
        the fixed effects and the random effects of each.

    Notes
    -----
    Shares of the variance on the scale of the link, after Nakagawa, Johnson & Schielzeth (2017).
    With a log link the variance of a row is ``ln(1 + Var(y) / mu²)``, with a link of probabilities
    that of the latent variable (π²/3 for the logit), else by the delta method; mu is the mean of
    the null model over its random effects. Where E(y) is not mu, as of truncated counts and of
    ordered beta, it is by the delta method with any link. Random effects with one level for each
    row are overdispersion, and not explained. R's package performance takes exp(intercept) for mu.

    Raises
    ------
    ValueError
        For a population-averaged model, a fit that did not converge, or infinite coefficients.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    >>> m.r2().round(3)
    marginal       0.279
    conditional    0.799
    Name: r2, dtype: float64
    """
    parts = variance_parts(model, "r2() needs")
    if model.separated:
        raise ValueError("r2() needs finite coefficients, and some of these are infinite")
    explained = {"marginal": parts.fixed, "conditional": parts.fixed + parts.random}
    if len(parts.groups) > 1:
        explained |= {f"conditional on {g}": parts.fixed + v for g, v in parts.groups.items()}
    return pd.Series(explained, name="r2") / parts.total


def icc(model: Fit) -> pd.DataFrame:
    """Intraclass correlations: the share of each grouping factor in the variance.

    Returns
    -------
    DataFrame
        Indexed by ``group``, the last ``all`` together; columns ``variance`` on the scale of the
        link, ``icc``, its share in the variance that the fixed effects leave (adjusted), and
        ``unadjusted``, its share in all variance. With random intercepts `icc` is the correlation
        of two rows that share the group and no other. Variances are as for :meth:`r2`.

    Raises
    ------
    ValueError
        If the model has no random effects, or the fit did not converge.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> m.icc().round(3)
           variance    icc  unadjusted
    group
    herd      0.412  0.111       0.102
    all       0.412  0.111       0.102
    """
    parts = variance_parts(model, "icc() needs")
    terms_of(model)
    variance = pd.Series({**parts.groups, "all": parts.random}, name="variance", dtype=float)
    table = pd.DataFrame(
        {
            "variance": variance,
            "icc": variance / (parts.random + parts.rest),
            "unadjusted": variance / parts.total,
        }
    )
    return table.rename_axis("group")


def variance_parts(model: Fit, what: str) -> VarianceParts:
    """The variances of the parts of a model; `what` needs them."""
    require_likelihood(model, what)
    require_converged(model, what)
    if model.zero_terms:
        raise ValueError(
            f"{what} the variance of one linear predictor, and with random terms in "
            "zero_inflation= the response has two: leave these terms out for it"
        )
    fixed = model.fixed_predictor - model.design.offset
    groups: dict[str, float] = {}
    rest = float(np.mean(_of_rows(model)))
    for term, estimate in model.random_terms:
        variance = float(np.mean(term.structure.predictor_variances(estimate.covariance)))
        if len(term.levels) == model.nobs and len(np.unique(term.codes)) == model.nobs:
            rest += variance
        else:
            groups[term.group] = groups.get(term.group, 0.0) + variance
    with np.errstate(invalid="ignore"):  # of separated rows
        return VarianceParts(float(np.var(fixed, ddof=1)), groups, rest)


def _of_rows(model: Fit) -> Array:
    """The distribution-specific variances of the rows."""
    shape, link = model.row_parameters, model.link
    shape = {name: values for name, values in shape.items() if name not in model.problem.trials}
    if model.is_linear or (link.latent_variance is not None and not model.family.shape):
        return model.family.link_variance(link, 0.5, **shape)
    mu, extra = _null_means(model)
    if model.problem.zero is None:
        return model.family.link_variance(link, mu, **shape)
    mean, variance = model.family.mean(mu, **shape), model.family.variance(mu, **shape)
    variance = (1 - extra) * (variance + extra * mean**2)
    if model.mean_is_mu:
        return link.variance_of((1 - extra) * mean, variance)
    slope = model.family.mean_link(link, **shape).derivatives(link(mu))[0]
    return variance / ((1 - extra) * slope) ** 2


def _null_means(model: Fit) -> tuple[float, float]:
    """The mean of the null model over its random effects, and its probability of extra zeros."""
    problem = model.problem.with_intercept_only()
    null = Fit(problem, fit_again(problem, model.engine))
    require_converged(null, "the distribution-specific variance needs the null model,")
    terms = zip(problem.design.random, null.estimate.terms, strict=True)
    variances = (t.structure.predictor_variances(each.covariance) for t, each in terms)
    eta = null.fixed_predictor
    mu = averaged(model.link, eta, sum(variances, np.zeros(len(eta))))
    return float(np.mean(mu)), float(np.mean(null.extra_zero_probability()))
