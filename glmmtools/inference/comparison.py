"""Comparisons: of the engines on one model, and of models of one response."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.fitted.fit import Fit
from glmmtools.inference.bootstrap import bootstrap_lrt
from glmmtools.inference.nesting import Extension, check_comparable, extension

Array = np.ndarray


def compare(
    *models: Fit, bootstrap: int | None = None, seed: int = 0, n_jobs: int = 1
) -> pd.DataFrame:
    """Compare models of one response: AIC and BIC, and likelihood ratios where they are nested.

    Parameters
    ----------
    *models : Fit
        Two or more, in any order.
    bootstrap : int, optional
        Number of draws from the smaller model that give the p-values, instead of a chi-square:
        see :func:`glmmtools.bootstrap_lrt`.
    seed, n_jobs : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        From the fewest parameters to the most; columns ``formula, df_model, llf, aic, bic,
        delta_aic`` and, for the likelihood ratio against the next smaller model that is a special
        case, ``against`` (its row), ``statistic, df, p_value`` and ``reference``: the distribution
        of the statistic when the smaller model is true. ``0.5 chi2(0) + 0.5 chi2(1)`` is that of
        one variance more. With two or more the chi-square is too wide: a ``conservative`` p-value.

    Raises
    ------
    ValueError
        If the log-likelihoods cannot be compared: other rows, another response, REML with
        different fixed parts, a fit that did not converge.

    Examples
    --------
    >>> import glmmtools as gt
    >>> sleep = gt.load_data("sleep")
    >>> m0 = gt.fit("reaction ~ days + (1 | subject)", sleep)
    >>> m1 = gt.fit("reaction ~ days + (days | subject)", sleep)
    >>> table = compare(m0, m1)
    >>> table[["df_model", "delta_aic", "statistic", "df", "reference"]].round(1)
       df_model  delta_aic  statistic   df                  reference
    1         4       38.1        NaN  NaN
    2         6        0.0       42.1  2.0  0.5 chi2(1) + 0.5 chi2(2)
    """
    if len(models) < 2:
        raise ValueError(f"compare needs two models or more; got {len(models)}")
    for model in models:
        if not hasattr(model, "llf"):
            raise ValueError(
                f"compare takes fitted models, one by one: compare(m0, m1); got {model!r:.60}"
            )
    check_comparable(models)
    ordered = sorted(models, key=lambda model: model.df_model)
    lowest = min(model.aic for model in models)
    rows = []
    for k, model in enumerate(ordered):
        row = {
            "formula": _label(model, models), "df_model": model.df_model, "llf": model.llf,
            "aic": model.aic, "bic": model.bic, "delta_aic": model.aic - lowest,
            "against": "", "reference": "",
        }  # fmt: skip
        for j in reversed(range(k)):
            added = extension(ordered[j], model)
            if added is not None and ordered[j].df_model < model.df_model:
                row["against"] = str(j + 1)
                row |= _ratio_test(ordered[j], model, added, bootstrap, seed, n_jobs)
                break
        rows.append(row)
    columns = [
        "formula", "df_model", "llf", "aic", "bic", "delta_aic",
        "against", "statistic", "df", "p_value", "reference",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns, index=pd.RangeIndex(1, len(rows) + 1))


def _label(model: Fit, models: Sequence[Fit]) -> str:
    """The formula, and what else differs between the models."""
    parts = [model.formula]
    if len({other.family.name for other in models}) > 1:
        parts.append(model.family.name)
    if len({other.link.name for other in models}) > 1:
        parts.append(f"{model.link.name} link")
    for argument, part in (
        ("dispersion", model.problem.dispersion),
        ("zero inflation", model.problem.zero),
    ):
        if part is not None:
            parts.append(f"{argument} ~ {part.text}")
    return "; ".join(parts)


def _ratio_test(smaller, larger, added: Extension, bootstrap, seed: int, n_jobs: int) -> dict:
    rise, p_value = 2 * (larger.llf - smaller.llf), np.nan
    statistic, df = max(rise, 0.0), larger.df_model - smaller.df_model
    if rise < -1e-3:
        reference = "none: the larger model fits worse, so its search stopped early"
    elif bootstrap is not None:
        test = bootstrap_lrt(smaller, larger, bootstrap, seed, n_jobs)
        failed = f", {test['n_failed']:.0f} failed" if test["n_failed"] else ""
        p_value, reference = test["p_value"], f"bootstrap (n = {test['n']:.0f}{failed})"
    elif added.has_rho:
        reference = "unknown: a correlation without a value; use bootstrap=999"
    elif added.boundaries == 1:
        p_value = 0.5 * (_upper_tail(df - 1, statistic) + _upper_tail(df, statistic))
        reference = f"0.5 chi2({df - 1}) + 0.5 chi2({df})"
    else:
        p_value, reference = _upper_tail(df, statistic), f"chi2({df})"
        if added.boundaries:
            reference += f", conservative: {added.boundaries} variances; use bootstrap=999"
    return {"statistic": statistic, "df": df, "p_value": p_value, "reference": reference}


def _upper_tail(df: int, statistic: float) -> float:
    """Chi-square probability of at least this value; chi2(0) is always 0."""
    if df == 0:
        return float(statistic < 1e-6)  # two searches that meet differ by rounding
    return float(special.chdtrc(df, statistic))
