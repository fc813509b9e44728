"""What a fitted model says of rows, old and new: means, residuals, and responses drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmmtools.families.links import Link
from glmmtools.fitted.fit import Fit, require_likelihood
from glmmtools.fitted.parameters import contrast_df
from glmmtools.fitted.wald import limits
from glmmtools.formula.draw import draw, draw_effects
from glmmtools.formula.linear_predictor import random_predictor
from glmmtools.formula.rank import estimable
from glmmtools.shared.arguments import check_level, one_of
from glmmtools.shared.messages import DataWarning, issue
from glmmtools.shared.text import plural

Array = np.ndarray
_QUADRATURE_NODES = 41


def predict(
    model: Fit,
    newdata: Any = None,
    scale: str = "response",
    effects: str = "conditional",
    level: float | None = None,
) -> pd.Series | pd.DataFrame:
    """Predicted means, with standard errors and intervals where asked.

    Parameters
    ----------
    newdata : DataFrame, optional
        Rows to predict; default the data of the fit. A label of a group may be text or a number
        (``"3"`` is ``3``); one that the fit has not seen gets random effect 0. An ``offset()`` of
        the formula is read from `newdata`; one that was given as ``offset=`` is not carried over.
    scale : {"response", "link"}
    effects : {"conditional", "population", "marginal"}
        With the random effects at their modes, at zero, or averaged over their distribution.
    level : float, optional
        Confidence level of an interval for the predicted mean. Conditional standard errors hold
        the uncertainty of all parameters and of the random effects; for a new level, its whole
        variance. At the population level of a normal model the quantile is Student's t. Limits are
        computed on the link scale.

    Returns
    -------
    Series or DataFrame
        One row a row of `newdata`, with its index: the mean, or with `level` the columns
        ``estimate, std_error, conf_low, conf_high``; nan in rows whose mean the data of the fit
        cannot tell, where columns were left out.

    Warns
    -----
    DataWarning
        Of labels that the fit has not seen, and of rows without an estimate.
    """
    one_of("scale", scale, ("response", "link"))
    if level is not None:
        check_level(level)
    one_of("effects", effects, ("conditional", "population", "marginal"))
    if effects == "marginal" and scale == "link":
        raise ValueError("effects='marginal' averages means: it is on the response scale only")
    design = model.design
    if newdata is None:
        X, fixed, random, index = design.X, model.fixed_predictor, design.random, design.frame.index
    else:
        X, offset, beyond = design.fixed_on(newdata)
        X = _estimable_rows(X, beyond)
        fixed = model.estimate.combined(X) + offset
        random = ()
        if effects != "population":
            random = design.random_on(newdata, with_codes=effects == "conditional")
        if effects == "conditional":
            issue(design.new_label_warnings(newdata))
        index = getattr(newdata, "index", None)
    used, modes = (random, model.modes) if effects == "conditional" else ((), [])
    eta = fixed + random_predictor(used, modes)
    if level is not None:
        link = model.mean_link(newdata) if scale == "response" else None
        return _intervals(model, eta, X, used, link, effects, level, index)
    link = model.mean_link(newdata)
    if effects == "marginal":
        values = _averaged(model, eta, random, link)
    else:
        values = eta if scale == "link" else link.inverse(eta)
    if scale == "response":
        values = (1 - model.extra_zero_probability(newdata)) * values
    return pd.Series(values, index=index, name="predicted")


def _estimable_rows(X: Array, beyond: Array) -> Array:
    """The rows, those without an estimate as nan."""
    known = estimable(beyond)
    if known.all():
        return X
    text = (
        f"The means of {plural(int((~known).sum()), 'row')} of {len(X)} are not estimable, and "
        "given as nan: the data of the fit do not tell the effects that they combine."
    )
    issue((DataWarning(text),))
    return np.where(known[:, None], X, np.nan)


def _intervals(model, eta, X, random, link, effects, level, index) -> pd.DataFrame:
    if effects == "marginal":
        raise ValueError("intervals are for effects='conditional' or 'population'")
    if link is not None and model.problem.zero is not None:
        of = "values above 0" if model.problem.has_two_parts else "counts"
        raise ValueError(f"with zero inflation intervals are on scale='link' (of the {of})")
    if effects == "conditional" and random:
        sd, df = model.predictor_sds(X, random), np.inf
    else:
        sd = np.sqrt(model.estimate.combined_variances(X))
        df = contrast_df(model, X)
    columns = limits(eta, sd, df, level, link)
    return pd.DataFrame(columns, index=index).drop(columns="df")


def _averaged(model, eta: Array, random, link: Link) -> Array:
    """Means averaged over the normal distribution of the random part of eta (quadrature)."""
    variance = np.zeros(len(eta))
    for term, estimate in zip(random, model.estimate.terms, strict=True):
        variance += term.structure.predictor_variances(estimate.covariance)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_QUADRATURE_NODES)
    grid = eta[:, None] + np.sqrt(variance)[:, None] * nodes
    mean = link.inverse(grid.T).T @ (weights / weights.sum())
    return np.where(np.isinf(eta), link.inverse(eta), mean)


def resid(model: Fit, kind: str = "response") -> pd.Series:
    """Residuals from the fitted conditional means.

    Parameters
    ----------
    kind : {"response", "pearson"}
        Observed minus fitted (proportions for binomial families), or that divided by the
        standard deviation that the model gives the observation.
    """
    design, trials, mu = model.design, model.trials_by_row, model.fittedvalues.to_numpy()
    if kind == "response":
        return model.by_row(design.y / trials - mu, "resid")
    if kind == "pearson" and model.separated:
        values = np.zeros(model.nobs)  # the limit in rows that are certain
        values[~model.estimate.limit.separation.certain] = resid(model.in_the_limit, kind)
        return model.by_row(values, "resid")
    if kind == "pearson":
        p = model.extra_zero_probability()
        inner = model.link.inverse(model.linear_predictor.to_numpy())
        variance = model.family.variance(inner, **model.shape_by_row, **model.problem.trials)
        # of the values that are not extra zeros the mean is mu / (1 - p)
        variance = (1 - p) * (variance + p * (mu / (1 - p)) ** 2)
        if design.weights is not None:
            variance = variance / design.weights
        return model.by_row((design.y - trials * mu) / np.sqrt(variance), "resid")
    raise ValueError(f"unknown kind of residual {kind!r}. Valid kinds: response, pearson")


def simulate(model: Fit, n: int = 1, seed: int = 0, conditional: bool = False) -> Array:
    """Draw responses from the fitted model.

    Parameters
    ----------
    n : int
        Number of data sets.
    seed : int
    conditional : bool
        Keep the random effects at their modes; otherwise draw new ones for each data set.

    Returns
    -------
    ndarray, shape (n, nobs)
        Responses; numbers of successes for binomial families.

    Raises
    ------
    ValueError
        Where the fit found no finite estimates.
        For weights of a family other than the normal: they multiply the log-likelihood, so that a
        row stands for several observations, not for one response.
    """
    require_likelihood(model, "drawing responses needs")
    if np.isnan(model.fixed_predictor).any():
        raise ValueError("the fit found no finite estimates, so there is nothing to draw from")
    weights = model.design.weights
    if weights is not None and not model.family.weights_divide_phi and np.any(weights != 1):
        raise ValueError(
            f"weights of the {model.family.name} family multiply the log-likelihood: a row stands "
            "for several observations, of which there is no single response to draw. Give each "
            "observation a row of its own; for rates use offset=, for proportions prop()"
        )
    if model.separated:
        return _simulate_separated(model, n, seed, conditional)
    rng = np.random.default_rng(seed)
    if conditional or not model.design.random:
        eta = np.broadcast_to(model.linear_predictor.to_numpy(), (n, model.nobs))
    else:
        eta = _drawn_predictors(model, n, rng)
    y = draw(
        eta, model.family, model.link, model.row_parameters, model.extra_zero_probability(), rng
    )
    return y.astype(float)


def _simulate_separated(model: Fit, n: int, seed: int, conditional: bool) -> Array:
    """Rows that are certain repeat what was observed."""
    y, finite = np.tile(model.design.y, (n, 1)), model.in_the_limit
    if finite.nobs:
        left = ~model.estimate.limit.separation.certain
        y[:, left] = simulate(finite, n, seed, conditional)
    return y


def _drawn_predictors(model: Fit, n: int, rng: np.random.Generator) -> Array:
    """Linear predictors with new random effects for each data set, shape (n, nobs)."""
    terms = model.design.random
    eta = np.tile(model.fixed_predictor, (n, 1))
    for k, effects in enumerate(draw_effects(terms, *model.effect_covariances, rng, n)):
        eta[k] += random_predictor(terms, effects)
    return eta
