"""What a fitted model says of rows, old and new: means, residuals, and responses drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.engine.estimate import TermEstimate
from glmmtools.engine.problem import ZERO
from glmmtools.fitted.degrees_of_freedom import Reference, reference
from glmmtools.fitted.expected import ExpectedRows
from glmmtools.fitted.fit import Fit, require_likelihood
from glmmtools.fitted.parts import PARTS, part_of, parts_expected
from glmmtools.fitted.wald import limits
from glmmtools.formula.draw import draw, draw_effects, draw_residuals
from glmmtools.formula.fixed_part import FixedPart, check_groups_in, new_label_warnings
from glmmtools.formula.linear_predictor import random_predictor
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.formula.rank import estimable
from glmmtools.shared.arguments import check_arguments, is_count, one_of
from glmmtools.shared.messages import DataWarning, issue
from glmmtools.shared.text import plural

Array = np.ndarray


def predict(
    model: Fit,
    newdata: Any = None,
    scale: str = "response",
    effects: str = "conditional",
    level: float | None = None,
    df: str = "auto",
    *,
    part: str | None = None,
) -> pd.Series | pd.DataFrame:
    """Predicted means, with standard errors and intervals where asked.

    Parameters
    ----------
    newdata : DataFrame, optional
        Rows to predict; default the data of the fit. A label of a group may be text or a number
        (``"3"`` is ``3``); one that the fit has not seen gets random effect 0. The column of an
        offset is read from `newdata`.
    scale : {"response", "link"}
        With "link" the linear predictor: of the mean, unless another `part` is asked for.
    effects : {"conditional", "population", "marginal"}
        With the random effects at their modes, at zero, or averaged over their distribution.
    level : float, optional
        Confidence level of an interval for the predicted mean. Conditional standard errors hold the
        uncertainty of all parameters and of the random effects; for a new level, its whole
        variance. Marginal ones hold that of the variances; with extra zeros, and where E(y) is not
        ``mu`` (truncated counts, ordered beta), they hold that of all parameters (delta method).
        Limits are computed on the link scale. Conditional 95 % intervals take the modes as normal:
        over the rows of twelve designs they covered 91 to 94 %, and 81 % with two 0/1 responses a
        group (``benchmarks/calibration.md``).
    df : {"auto", "containment", "satterthwaite", "kenward-roger", "infinite"}
        Of intervals with ``effects="population"``, as in :meth:`tidy`; conditional ones are z's.
    part : {"mean", "zero", "dispersion"}, optional
        The mean of the values that are no extra zeros, the probability of an extra zero, or the
        dispersion phi, which has no random effects. Default: the expected response, which
        with zero inflation is (1 - probability of an extra zero) times the mean of the others.

    Returns
    -------
    Series or DataFrame
        One row a row of `newdata`, with its index: the mean, or with `level` the columns
        ``estimate, std_error, conf_low, conf_high``; nan in rows whose mean the data of the fit
        cannot tell, where columns were left out.

    Raises
    ------
    ValueError
        For new rows of a model whose offset was given as values, not as a column.

    Warns
    -----
    DataWarning
        Of labels that the fit has not seen, and of rows without an estimate.
    """
    check_arguments(predict, locals())
    one_of("scale", scale, ("response", "link"))
    one_of("effects", effects, ("conditional", "population", "marginal"))
    if effects == "marginal" and scale == "link":
        raise ValueError("effects='marginal' averages means: it is on the response scale only")
    random = model.design.random if part == "mean" else model.problem.random
    of_effects = effects == "marginal" or (effects == "conditional" and random)
    if df != "auto" and (level is None or of_effects or part not in (None, "mean")):
        raise ValueError(
            "df= is for intervals of population means: give level=0.95 and effects='population'"
        )
    if part not in (None, "mean"):
        newdata = model.design.frame if newdata is None else newdata
        own = part_of(model, part)
        return predict(own, newdata, scale, effects if own.design.random else "population", level)
    one_of("part", part, (None, *PARTS))
    rows, index = _rows(model, newdata, effects, scale, part)
    if level is None:
        values = rows.eta(model) if scale == "link" else rows.means(model)
        return pd.Series(values, index=index, name="predicted")
    judged = reference(model, df)
    if scale == "response" and rows.need_all_parameters(model):
        eta, sd = rows.on_link_scale(model)
    else:
        eta, sd = rows.eta(model), _predictor_sds(judged, rows)
    by_z = rows.are_conditional
    columns = limits(
        eta, sd, np.inf if by_z else judged.df(rows.X), level,
        model.link if scale == "response" else None,
    )  # fmt: skip
    return pd.DataFrame(columns, index=index).drop(columns="df")


def _rows(
    model: Fit, newdata: Any, effects: str, scale: str, part: str | None
) -> tuple[ExpectedRows, Any]:
    """The rows of a prediction, and the index of its table."""
    design, of_mu = model.design, scale == "link" or model.mean_is_mu
    parts = {} if scale == "link" else parts_expected(model, part)
    if newdata is None:
        columns = {name: each.X for name, each in parts.items()}
        terms = ((), ()) if effects == "population" else (design.random, _random_of(parts))
        rows = ExpectedRows(
            design.X, model.fixed_predictor, terms[0], columns, effects, of_mu, terms[1]
        )
        return rows, design.frame.index
    recipes = (*design.recipes, *(each for part in parts.values() for each in part.recipes))
    if effects == "conditional" and recipes:
        check_groups_in(newdata, recipes)
    X, offset, beyond = design.fixed_on(newdata)
    X, terms, zero_terms = _estimable_rows(X, beyond), (), ()
    if effects != "population":
        with_codes = effects == "conditional"
        terms = design.random_on(newdata, with_codes)
        if ZERO in parts:
            zero_terms = parts[ZERO].random_on(newdata, with_codes)
    if effects == "conditional":
        issue(new_label_warnings(newdata, recipes, design.new_data))
    columns = {name: each.on(newdata) for name, each in parts.items()}
    eta = model.estimate.combined(X) + offset
    rows = ExpectedRows(X, eta, terms, columns, effects, of_mu, zero_terms)
    return rows, getattr(newdata, "index", None)


def _random_of(parts: dict[str, FixedPart]) -> tuple[RandomTerm, ...]:
    return parts[ZERO].random if ZERO in parts else ()


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


def _predictor_sds(judged: Reference, rows: ExpectedRows) -> Array:
    if rows.are_conditional:
        return judged.model.predictor_sds(rows.X, rows.terms)
    return np.sqrt(judged.variances(rows.X))


def resid(model: Fit, kind: str = "response") -> pd.Series:
    """Residuals from the fitted conditional means.

    Parameters
    ----------
    kind : {"response", "pearson"}
        Observed minus fitted (proportions for binomial families), or that divided by the
        standard deviation that the model gives the observation.
    """
    check_arguments(resid, locals())
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
    check_arguments(simulate, locals())
    if not is_count(n):
        raise ValueError(f"n is the number of data sets, 1 or more; got {n}")
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
        eta = _drawn_predictors(model.fixed_predictor, model.random_terms, n, rng)
    if model.zero_terms and not conditional:
        fixed = model.estimate.predictor(ZERO, model.problem.zero.X)
        extra_zero = special.expit(_drawn_predictors(fixed, model.zero_terms, n, rng))
    else:
        extra_zero = model.extra_zero_probability()
    if model.problem.residual is not None:
        found = model.estimate.residual
        return eta + draw_residuals(
            model.problem.residual, found.covariance, found.correlation, rng, n
        )
    y = draw(eta, model.family, model.link, model.row_parameters, extra_zero, rng)
    return y.astype(float)


def _simulate_separated(model: Fit, n: int, seed: int, conditional: bool) -> Array:
    """Rows that are certain repeat what was observed."""
    y, finite = np.tile(model.design.y, (n, 1)), model.in_the_limit
    if finite.nobs:
        left = ~model.estimate.limit.separation.certain
        y[:, left] = simulate(finite, n, seed, conditional)
    return y


def _drawn_predictors(
    fixed: Array,
    random: Sequence[tuple[RandomTerm, TermEstimate]],
    n: int,
    rng: np.random.Generator,
) -> Array:
    """Linear predictors with new random effects for each data set, shape (n, nobs)."""
    terms = [term for term, _ in random]
    covariances = [found.covariance for _, found in random]
    correlations = [found.correlation for _, found in random]
    eta = np.tile(fixed, (n, 1))
    for k, effects in enumerate(draw_effects(terms, covariances, correlations, rng, n)):
        eta[k] += random_predictor(terms, effects)
    return eta
