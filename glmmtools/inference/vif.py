"""Variance inflation: how much the terms of the fixed part take from each other's precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.formula.coding import ModelColumn
from glmmtools.shared.numbers import estimates_as_text
from glmmtools.shared.shown import Content, Shown

_HIGH = np.sqrt(5.0)  # of a standard error


class VarianceInflation(Shown, pd.DataFrame):
    """A table of variance inflation factors; `reading` says in one sentence what they mean.

    `in_interactions` are the terms that are interactions, or are part of one.
    """

    _metadata = ("in_interactions",)
    in_interactions: frozenset[str] = frozenset()

    @property
    def _constructor(self):
        return pd.DataFrame

    @property
    def reading(self) -> str:
        """The largest of them in one sentence."""
        worst = self["se_factor"].idxmax()
        factor = self.loc[worst, "se_factor"]
        text = (
            f"Correlation with the other terms makes the standard errors of {worst} {factor:.2f} "
            "times as large, the most of all terms"
        )
        if factor < _HIGH:
            return f"{text}: no cause for concern."
        if worst in self.in_interactions:
            return f"{text}; it is part of an interaction: centre the covariates and look again."
        return f"{text}: these data hardly tell its effect from theirs."

    def _content(self) -> Content:
        plain = pd.DataFrame(self).rename_axis(None)
        table = estimates_as_text(plain).assign(df=plain["df"].astype(str))
        return Content(tables=[("Variance inflation", table)], notes=[self.reading])


def vif(model: Fit) -> VarianceInflation:
    """Variance inflation factors of the terms of the fixed part.

    Returns
    -------
    DataFrame
        Indexed by term; columns ``vif``, for several coefficients of a term their generalized one,
        ``df``, the number of these, and ``se_factor``, ``vif ** (1 / (2 df))``: how many times as
        large standard errors are as without correlation with other terms. Its attribute ``reading``
        says what to make of the largest.

    Raises
    ------
    ValueError
        If there are fewer than two terms beside the intercept, the fit did not converge, or
        coefficients are infinite.

    Notes
    -----
    Of the correlations of the estimates, the intercept's left out: Fox & Monette (1992), J. Am.
    Stat. Assoc. 87:178; as R's ``car::vif``.

    Examples
    --------
    >>> import glmmtools as gt
    >>> epilepsy = gt.load_data("epilepsy")
    >>> m = gt.fit("seizures ~ treatment + age + log(base) + (1 | subject)", epilepsy, "poisson")
    >>> m.vif()["vif"].round(3)
    term
    treatment    1.016
    age          1.041
    log(base)    1.031
    Name: vif, dtype: float64
    """
    require_converged(model, "vif() needs")
    places: dict[str, list[int]] = {}
    for place, column in enumerate(model.design.columns):
        if not column.is_intercept:
            places.setdefault(column.term, []).append(place)
    if len(places) < 2:
        raise ValueError(
            f"{model.formula!r} has fewer than two terms beside the intercept, so that none "
            "inflates the variance of another"
        )
    if model.separated:
        raise ValueError("vif() needs finite coefficients, and some of these are infinite")
    everything = [place for of_term in places.values() for place in of_term]
    covariance = model.estimate.cov_beta
    rows = {}
    for term, own in places.items():
        others = [place for place in everything if place not in own]
        logs = [np.linalg.slogdet(_correlations(covariance, part))[1]
                for part in (own, others, everything)]  # fmt: skip
        factor = float(np.exp(logs[0] + logs[1] - logs[2]))
        rows[term] = {"vif": factor, "df": len(own), "se_factor": factor ** (0.5 / len(own))}
    table = pd.DataFrame.from_dict(rows, orient="index").astype({"df": int})
    inflation = VarianceInflation(table.rename_axis("term"))
    inflation.in_interactions = _in_interactions(model.design.columns)
    return inflation


def _in_interactions(columns: Sequence[ModelColumn]) -> frozenset[str]:
    products = [set(column.variables) for column in columns if len(column.factors) > 1]
    return frozenset(
        column.term
        for column in columns
        if column.factors and any(set(column.variables) <= product for product in products)
    )


def _correlations(covariance: np.ndarray, places: list[int]) -> np.ndarray:
    part = covariance[np.ix_(places, places)]
    sd = np.sqrt(np.diag(part))
    return part / np.outer(sd, sd)
