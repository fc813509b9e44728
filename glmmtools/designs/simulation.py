"""Responses simulated on a layout, from the same formula that one fits.

The returned frame knows its truth: ``frame.attrs["truth"]`` holds the coefficients, the standard
deviations and correlations of the random effects, the dispersion, the random effects drawn, and the
departures that were switched on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.designs.truth import Truth
from glmmtools.families.base import Family
from glmmtools.families.continuous import Normal
from glmmtools.families.links import Link
from glmmtools.families.lookup import family as look_up
from glmmtools.fitted.random_tables import component_values, tidy_effects
from glmmtools.formula.columns import to_frame
from glmmtools.formula.design import Design
from glmmtools.formula.linear_predictor import linear_predictor, marginal_covariance
from glmmtools.formula.specification import (
    checked_coefficients,
    checked_shape,
    names_in,
    random_parameters,
    response_columns,
    specified_design,
)
from glmmtools.shared.text import plural

Array = np.ndarray
_OUTLIER_SDS = 6
_LARGEST_COUNT = 1e15  # beyond it a count is no longer a whole number in floating point


def simulate(
    formula: str,
    layout: Any,
    family: str | Family = "normal",
    *,
    coef: Mapping[str, float] | Sequence[float] | None = None,
    sd: Mapping[str, Any] | float | None = None,
    corr: Mapping[str, Any] | float | None = None,
    rho: Mapping[str, float] | float | None = None,
    phi: Any = 1.0,
    df: float | None = None,
    zero: float = 0.0,
    trials: Any = None,
    link: str | Link | None = None,
    seed: int = 0,
    overdispersion: float = 0.0,
    zero_inflation: float = 0.0,
    missing: float = 0.0,
    imbalance: float = 0.0,
    outliers: float = 0.0,
    wrong_link: str | Link | None = None,
) -> pd.DataFrame:
    """Simulate a response on a layout, under a model that :func:`glmmtools.fit` can fit.

    Parameters
    ----------
    formula : str
        As in ``fit``. The response is the name of the new column; ``prop(y, n)`` for successes
        out of trials reads the trials from column ``n`` or makes it from `trials`.
    layout : DataFrame
        The design, without missing values. A column with the name of the response is replaced.
    family : str or Family
    coef : dict or sequence
        Coefficients on the link scale by name (those left out are 0), or all of them in the order
        of the columns of X.
    sd : dict or float
        Standard deviations of the random effects by grouping factor: a number, or one for each
        column of the term. A single number will do for a single term.
    corr : dict or float
        Correlations of the columns of terms such as ``(x | g)``, by grouping factor: a number, a
        matrix, or its lower triangle row by row. Default 0.
    rho : dict or float
        The correlation of ``ar1(time | g)`` and ``cs(f | g)``, by grouping factor.
    phi : float or array_like, shape (n,)
        Dispersion of the family; for the normal the residual *variance*.
    df : float
        Degrees of freedom of t; default 8.
    zero : float
        Probability of an extra zero of a count.
    trials : int or array_like, shape (n,)
    link : str or Link, optional
        Default: the family's default link.
    seed : int
        The random effects, the responses and the departures have streams of their own: one switch
        changes only what it is about.
    overdispersion : float
        Departure: the sd of a normal effect of each row that the formula does not know of.
    zero_inflation : float
        Departure: the probability that a count is an extra zero.
    missing : float
        Departure: the fraction of rows whose response is missing, completely at random.
    imbalance : float
        Departure: every level of the first grouping factor (without one, every treatment) keeps a
        fraction of its rows drawn from between 1 − imbalance and 1, at least one row.
    outliers : float
        Departure: the fraction of rows recorded wrongly: 6 standard deviations off, or, for
        proportions and successes, failures for successes.
    wrong_link : str or Link
        Departure: the link that makes the data, in place of `link`.

    Returns
    -------
    DataFrame
        The layout and the response. ``.attrs["truth"]`` is a dict with ``formula, family, link,
        coefficients, components`` (the sd and corr of random effects), ``dispersion,
        random_effects`` (as columns of a table) and ``departures``.

    Raises
    ------
    ValueError
        For a parameter that the model does not have or that is outside its range, a column that
        the layout does not have, or a mean outside the range of the family.

    Examples
    --------
    >>> import glmmtools as gt
    >>> layout = gt.designs.rcbd(["control", "new"], blocks=50, replicates=2)
    >>> data = gt.simulate(
    ...     "y ~ treatment + (1 | block)", layout, "poisson",
    ...     coef={"Intercept": 1.0, "treatment[T.new]": 0.5}, sd={"block": 0.4},
    ... )
    >>> m = gt.fit("y ~ treatment + (1 | block)", data, "poisson")
    >>> gt.recovery(m)["true"].to_dict()
    {'Intercept': 1.0, 'treatment[T.new]': 0.5, 'sd block Intercept': 0.4}
    """
    distribution = look_up(family)
    chosen_link = distribution.check_link(link)
    drawn_link = chosen_link if wrong_link is None else distribution.check_link(wrong_link)
    departures = {
        "overdispersion": overdispersion, "zero_inflation": zero_inflation, "missing": missing,
        "imbalance": imbalance, "outliers": outliers,
    }  # fmt: skip
    _check_departures(departures)
    shape = checked_shape(distribution, phi, df)
    for name, value in (("zero", zero), ("zero_inflation", zero_inflation)):
        _check_zero(name, value, distribution)
    design = specified_design(formula, layout, distribution, trials)
    if np.ndim(phi) and np.shape(phi) != (design.n,):
        raise ValueError(f"phi has shape {np.shape(phi)} for {plural(design.n, 'row')}")
    beta = checked_coefficients(coef, design.names)
    covariances, correlations = random_parameters(design.random, sd, corr, rho)
    for_effects, for_response, for_departures = np.random.default_rng(seed).spawn(3)

    effects = [
        term.structure.draw(G, r, for_effects)
        for term, G, r in zip(design.random, covariances, correlations, strict=True)
    ]
    eta = linear_predictor(design.X, design.random, beta, effects) + design.offset
    if overdispersion:
        eta = eta + for_departures.normal(0, overdispersion, design.n)
    _check_mean(eta, distribution, drawn_link, design)
    mu = distribution.clipped_mean(eta, drawn_link)
    known = {"trials": design.trials} if distribution.takes_trials else {}
    y = np.asarray(distribution.sample(mu, for_response, **shape, **known))
    extra_zeros = 1 - (1 - zero) * (1 - zero_inflation)
    if extra_zeros:
        y = np.where(for_response.random(design.n) < extra_zeros, 0, y)
    if outliers:
        rows = _chosen(design.n, outliers, for_departures)
        y = y.astype(float)
        y[rows] = _recorded_wrongly(y, mu, distribution, shape, known, for_departures)[rows]
    if distribution.discrete:
        y = y.astype(np.int64)

    frame = to_frame(layout).assign(**response_columns(design, y))
    if missing:
        name = names_in(design.response.label)[0]
        rows = _chosen(design.n, missing, for_departures)
        frame[name] = frame[name].astype(float)
        frame.iloc[rows, frame.columns.get_loc(name)] = np.nan
    if imbalance:
        frame = frame[_unbalanced(design, imbalance, for_departures)]
    frame.attrs["truth"] = Truth(
        formula=design.formula.text,
        family=distribution.name,
        link=chosen_link.name,
        coefficients=dict(zip(design.names, beta.tolist(), strict=True)),
        components=component_values(design.random, covariances, correlations),
        dispersion=_plain(shape) | ({"zero": float(zero)} if zero else {}),
        random_effects=tidy_effects(design.random, value=effects),
        departures={name: value for name, value in departures.items() if value}
        | ({} if wrong_link is None else {"wrong_link": drawn_link.name}),
    )
    return frame


def covariance(
    formula: str,
    layout: Any,
    *,
    sd: Mapping[str, Any] | float | None = None,
    corr: Mapping[str, Any] | float | None = None,
    rho: Mapping[str, float] | float | None = None,
    phi: float = 1.0,
) -> pd.DataFrame:
    """Var(y) = ZGZ′ + R of a linear mixed model on a layout.

    Parameters
    ----------
    formula, layout, sd, corr, rho
        As in :func:`simulate`; the response need not exist.
    phi : float or array_like, shape (n,)
        Residual variance: R = φ I.

    Returns
    -------
    DataFrame, shape (n, n)
        Rows and columns have the index of the layout.

    Examples
    --------
    >>> layout = pd.DataFrame({"block": ["1", "1", "2"]})
    >>> covariance("y ~ 1 + (1 | block)", layout, sd={"block": 2}, phi=1).to_numpy().tolist()
    [[5.0, 4.0, 0.0], [4.0, 5.0, 0.0], [0.0, 0.0, 5.0]]
    """
    normal = Normal()
    variance = checked_shape(normal, phi, None)["phi"]
    design = specified_design(formula, layout, normal)
    parameters = random_parameters(design.random, sd, corr, rho)
    V = np.diag(np.broadcast_to(variance, design.n))
    V = V + marginal_covariance(design.random, *parameters)
    index = to_frame(layout).index
    return pd.DataFrame(V, index=index, columns=index)


# ------------------------------------------------------------------------------ departures


def _check_departures(departures: dict[str, float]) -> None:
    for name, value in departures.items():
        if name == "zero_inflation":
            continue  # checked with the probability of the model
        if name == "overdispersion":
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"overdispersion is an sd, 0 or more; got {value:g}")
        elif not 0 <= value < 1:
            raise ValueError(f"{name} is a fraction, 0 or more and below 1; got {value:g}")


def _check_zero(name: str, value: float, family: Family) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} is a probability, 0 or more and below 1; got {value:g}")
    if value and not family.counts:
        raise ValueError(f"{name} is for counts without an upper limit; {family.name} is not")


def _chosen(n: int, fraction: float, rng: np.random.Generator) -> Array:
    return rng.choice(n, round(fraction * n), replace=False)


def _recorded_wrongly(y, mu, family: Family, shape, known, rng) -> Array:
    if family.takes_trials:
        return known["trials"] - y
    if family.mean_interval == (0.0, 1.0):
        return 1 - y
    variance = family.variance(mu, **shape)
    # Student's t has no variance for df ≤ 2
    spread = np.sqrt(np.where(np.isfinite(variance), variance, shape.get("phi", 1.0)))
    sign = rng.choice([-1, 1], len(y)) if family.mean_interval[0] == -np.inf else 1
    shifted = y + sign * _OUTLIER_SDS * spread
    return np.ceil(shifted) if family.discrete else shifted


def _unbalanced(design: Design, imbalance: float, rng: np.random.Generator) -> Array:
    """Rows that are kept."""
    codes = (
        design.random[0].codes
        if design.random
        else np.unique(design.X, axis=0, return_inverse=True)[1].ravel()
    )
    sizes = np.bincount(codes)
    kept = np.maximum(1, np.round(sizes * rng.uniform(1 - imbalance, 1, len(sizes))))
    rank = pd.Series(rng.random(design.n)).groupby(codes).rank().to_numpy()
    return rank <= kept[codes]


# ------------------------------------------------------------------------------ means and truth


def _check_mean(eta: Array, family: Family, link: Link, design: Design) -> None:
    low, high = family.mean_interval
    mu = link.inverse(eta)
    inside = np.isfinite(mu) & (np.abs(mu) < (_LARGEST_COUNT if family.counts else np.inf))
    covered = link.mean_interval[0] >= low and link.mean_interval[1] <= high
    if not covered or link.eta_interval[0] == 0:
        inside &= (mu > low) & (mu < high)
    if not inside.all():
        row = (~inside).argmax()
        raise ValueError(
            f"row {design.frame.index[row]} has the mean {mu[row]:.4g}, but {family.name} needs "
            f"{_range_text(low, high)}; coef and sd are on the scale of the {link.name} link"
        )


def _range_text(low: float, high: float) -> str:
    if high < np.inf:
        return f"a mean between {low:g} and {high:g}"
    return "a mean above 0 that is no astronomical number" if low == 0 else "a finite mean"


def _plain(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: value.tolist() if np.ndim(value) else value for name, value in shape.items()}
