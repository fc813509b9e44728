"""Responses simulated on a layout, from the same formula that one fits.

The returned frame knows its truth: ``frame.attrs["truth"]`` holds the coefficients, the standard
deviations and correlations of the random effects, the dispersion, the random effects drawn, and the
departures that were switched on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.designs.truth import Truth
from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.fitted.random_tables import component_values, tidy_effects
from glmmtools.formula.columns import to_frame
from glmmtools.formula.draw import draw, draw_effects, draw_residuals
from glmmtools.formula.linear_predictor import linear_predictor
from glmmtools.formula.specification import (
    Specification,
    check_extra_zeros,
    response_columns,
    specified_model,
)
from glmmtools.shared.arguments import check_arguments

Array = np.ndarray
_OUTLIER_SDS = 6


def simulate(
    formula: str,
    layout: Any,
    family: str | Family = "normal",
    *,
    coef: Mapping[str, float] | Sequence[float] | None = None,
    sd: Any = None,
    corr: Any = None,
    rho: Mapping[str, float] | float | None = None,
    residual: str | None = None,
    phi: Any = 1.0,
    df: float | None = None,
    zero: float = 0.0,
    shape: Mapping[str, float] | None = None,
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
    residual : str, optional
        Residuals of a normal model with a covariance structure, ``"us(week | pig)"``, as in `fit`.
        Their `sd`, `corr` and `rho` stand under ``"Residual"``, in place of `phi`; in a model
        without random terms they may stand alone.
    phi : float or array_like, shape (n,)
        Dispersion of the family; for the normal the residual *variance*.
    df : float
        Degrees of freedom of t; default 8.
    zero : float
        Probability of an extra zero of a count; of a zero where the family leaves zero out.
    shape : dict, optional
        Further parameters of the family by name, as ``odds0`` and ``odds1`` of ordered_beta;
        default typical values.
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
        coefficients, components`` (the sd and corr of random effects, and of residuals with a
        structure), ``dispersion, random_effects`` (as columns of a table) and ``departures``.

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
    >>> layout = gt.designs.repeated(30, times=[1, 2], time="week")
    >>> growing = {"residual": "us(week | subject)", "sd": [1, 2], "corr": 0.6}
    >>> data = gt.simulate("y ~ week", layout, coef=[20, 5], **growing)
    >>> m = gt.fit("y ~ week", data, residual="us(week | subject)")
    >>> gt.recovery(m)["true"].tolist()  # of week 1 the sd is 1, of week 2 it is 2
    [20.0, 5.0, 1.0, 2.0, 0.6]
    """
    check_arguments(simulate, locals())
    model = specified_model(
        formula, layout, family, coef=coef, sd=sd, corr=corr, rho=rho, residual=residual, phi=phi,
        df=df, zero=zero, shape=shape, trials=trials, link=link,
    )  # fmt: skip
    departures = Departures(overdispersion, zero_inflation, missing, imbalance, outliers)
    departures.check(model.family)
    drawn_link = model.link if wrong_link is None else model.family.check_link(wrong_link)
    source = replace(model, link=drawn_link)
    for_effects, for_response, for_departures = np.random.default_rng(seed).spawn(3)
    design, k = model.design, len(model.design.random)
    (effects,) = draw_effects(
        design.random, model.covariances[:k], model.correlations[:k], for_effects
    )
    y = _responses(source, departures, effects, for_response, for_departures)
    frame = to_frame(layout).assign(**response_columns(design, y))
    frame = departures.incomplete(frame, model, for_departures)
    wrong = {} if wrong_link is None else {"wrong_link": drawn_link.name}
    frame.attrs["truth"] = _truth(model, effects, departures.switched_on | wrong)
    return frame


def _responses(
    source: Specification,
    departures: Departures,
    effects: list[Array],
    for_response: np.random.Generator,
    for_departures: np.random.Generator,
) -> Array:
    design, family = source.design, source.family
    eta = linear_predictor(design.X, design.random, source.beta, effects) + design.offset
    if departures.overdispersion:
        eta = eta + for_departures.normal(0, departures.overdispersion, design.n)
    source.check_mean(eta)
    if source.residual is None:
        extra_zero = 1 - (1 - source.zero) * (1 - departures.zero_inflation)
        y = draw(eta, family, source.link, source.row_parameters, extra_zero, for_response)
    else:
        structured = source.residual, source.covariances[-1], source.correlations[-1]
        y = family.clipped_mean(eta, source.link) + draw_residuals(*structured, for_response)[0]
    y = departures.with_outliers(y, eta, source, for_departures)
    return y.astype(np.int64) if family.discrete else y


def _truth(model: Specification, effects: list[Array], departures: dict[str, Any]) -> Truth:
    design, shape = model.design, model.shape
    plain = {name: value.tolist() if np.ndim(value) else value for name, value in shape.items()}
    return Truth(
        formula=design.formula.text,
        family=model.family.name,
        link=model.link.name,
        coefficients=dict(zip(design.names, model.beta.tolist(), strict=True)),
        components=component_values(model.structured, model.covariances, model.correlations),
        dispersion=plain | ({"zero": float(model.zero)} if model.zero else {}),
        random_effects=tidy_effects(design.random, value=effects),
        departures=departures,
    )


def covariance(
    formula: str,
    layout: Any,
    *,
    sd: Any = None,
    corr: Any = None,
    rho: Mapping[str, float] | float | None = None,
    residual: str | None = None,
    phi: float = 1.0,
) -> pd.DataFrame:
    """Var(y) = ZGZ′ + R of a linear mixed model on a layout.

    Parameters
    ----------
    formula, layout, sd, corr, rho, residual
        As in :func:`simulate`; the response need not exist.
    phi : float or array_like, shape (n,)
        Residual variance: R = φ I, where `residual` gives no other.

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
    check_arguments(covariance, locals())
    model = specified_model(formula, layout, sd=sd, corr=corr, rho=rho, residual=residual, phi=phi)
    index = model.design.frame.index
    return pd.DataFrame(model.covariance(), index=index, columns=index)


# ------------------------------------------------------------------------------ departures


@dataclass(frozen=True)
class Departures:
    """The departures of simulated data from their model; at zero there is none.

    Attributes
    ----------
    overdispersion : float
        Standard deviation of a normal effect of each row, on the scale of the linear predictor.
    zero_inflation : float
        Probability of a further extra zero.
    missing, imbalance, outliers : float
        Fractions of rows.
    """

    overdispersion: float = 0.0
    zero_inflation: float = 0.0
    missing: float = 0.0
    imbalance: float = 0.0
    outliers: float = 0.0

    def check(self, family: Family) -> None:
        """Raise ValueError for what is out of range, or nothing that the family can have."""
        if not (np.isfinite(self.overdispersion) and self.overdispersion >= 0):
            raise ValueError(f"overdispersion is an sd, 0 or more; got {self.overdispersion:g}")
        for name in ("missing", "imbalance", "outliers"):
            fraction = getattr(self, name)
            if not 0 <= fraction < 1:
                raise ValueError(f"{name} is a fraction, 0 or more and below 1; got {fraction:g}")
        check_extra_zeros("zero_inflation", self.zero_inflation, family)

    @property
    def switched_on(self) -> dict[str, float]:
        """The departures that are not zero, by name."""
        return {name: value for name, value in asdict(self).items() if value}

    def with_outliers(
        self, y: Array, eta: Array, model: Specification, rng: np.random.Generator
    ) -> Array:
        """Responses, shape (n,), some of them recorded wrongly."""
        if not self.outliers:
            return y
        rows = _some_rows(len(y), self.outliers, rng)
        y = y.astype(float)
        mu = model.family.clipped_mean(eta, model.link)
        y[rows] = _recorded_wrongly(y, mu, model.family, model.row_parameters, rng)[rows]
        return y

    def incomplete(
        self, frame: pd.DataFrame, model: Specification, rng: np.random.Generator
    ) -> pd.DataFrame:
        """The frame with some values of the response missing, and without some rows."""
        response = model.design.response.name
        if self.missing:
            rows = _some_rows(len(frame), self.missing, rng)
            frame[response] = frame[response].astype(float)
            frame.iloc[rows, frame.columns.get_loc(response)] = np.nan
        if self.imbalance:
            frame = frame[_unbalanced(model, self.imbalance, rng)]
        return frame


def _some_rows(n: int, fraction: float, rng: np.random.Generator) -> Array:
    return rng.choice(n, round(fraction * n), replace=False)


def _recorded_wrongly(
    y: Array, mu: Array, family: Family, parameters: dict[str, Any], rng: np.random.Generator
) -> Array:
    if family.takes_trials:
        return parameters["trials"] - y
    if family.mean_interval == (0.0, 1.0):
        return 1 - y
    variance = family.variance(mu, **parameters)
    # Student's t has no variance for df ≤ 2
    spread = np.sqrt(np.where(np.isfinite(variance), variance, parameters.get("phi", 1.0)))
    sign = rng.choice([-1, 1], len(y)) if family.mean_interval[0] == -np.inf else 1
    shifted = y + sign * _OUTLIER_SDS * spread
    return np.ceil(shifted) if family.discrete else shifted


def _unbalanced(model: Specification, imbalance: float, rng: np.random.Generator) -> Array:
    """Which rows are kept, shape (n,)."""
    design, structured = model.design, model.structured
    codes = (
        structured[0].codes
        if structured
        else np.unique(design.X, axis=0, return_inverse=True)[1].ravel()
    )
    sizes = np.bincount(codes)
    kept = np.maximum(1, np.round(sizes * rng.uniform(1 - imbalance, 1, len(sizes))))
    rank = pd.Series(rng.random(design.n)).groupby(codes).rank().to_numpy()
    return rank <= kept[codes]
