"""Models of one response compared: whether they may be, and by criteria and likelihood ratios.

A test of a variance is at the boundary of its range: when the smaller model is true, the estimate
is zero half of the time. With one variance added (and its correlations with those that were there)
the likelihood ratio is a fair mixture of two chi-squares (Stram & Lee 1994, Biometrics 50:1171).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.families.base import Family
from glmmtools.fitted.fit import Fit
from glmmtools.formula.fixed_part import FixedPart
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.inference.bootstrap import bootstrap_lrt
from glmmtools.inference.comparable import check_comparable
from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.matrices import are_same, spans

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
        delta_aic, weight`` (of AIC, which sum to 1 over these models: Burnham & Anderson 2002,
        Model Selection, section 2.9) and, for the likelihood ratio against the next smaller model
        that is a special case, ``against`` (its row), ``statistic, df, p_value`` and
        ``reference``: the distribution of the statistic when the smaller model is true. ``0.5
        chi2(0) + 0.5 chi2(1)`` is that of one variance more. With two or more the chi-square is too
        wide: a ``conservative`` p-value.

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
    check_arguments(compare, locals(), but=("models",))
    if len(models) < 2:
        raise ValueError(f"compare needs two models or more; got {len(models)}")
    for model in models:
        if not isinstance(model, Fit):
            raise ValueError(
                f"compare takes fitted models, one by one: compare(m0, m1); got {model!r:.60}"
            )
    check_comparable(models, "compare()")
    ordered = sorted(models, key=lambda model: model.df_model)
    lowest = min(model.aic for model in models)
    relative = np.exp([(lowest - model.aic) / 2 for model in ordered])
    rows = []
    for k, model in enumerate(ordered):
        row = {
            "formula": _label(model, models), "df_model": model.df_model, "llf": model.llf,
            "aic": model.aic, "bic": model.bic, "delta_aic": model.aic - lowest,
            "weight": relative[k] / relative.sum(), "against": "",
            "statistic": np.nan, "df": np.nan, "p_value": np.nan, "reference": "",
        }  # fmt: skip
        for j in reversed(range(k)):
            added = _extension(ordered[j], model)
            if added is not None and ordered[j].df_model < model.df_model:
                row["against"] = str(j + 1)
                row |= _ratio_test(ordered[j], model, added, bootstrap, seed, n_jobs)
                break
        rows.append(row)
    return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1))


def _label(model: Fit, models: Sequence[Fit]) -> str:
    """The formula, and what else differs between the models."""
    parts = [model.formula]
    if len({other.family.name for other in models}) > 1:
        parts.append(model.family.name)
    if len({other.link.name for other in models}) > 1:
        parts.append(f"{model.link.name} link")
    if "offset" in model.design.given:
        parts.append(f"offset {model.design.given['offset']}")
    if model.problem.dispersion is not None:
        parts.append(f"dispersion ~ {model.problem.dispersion.written}")
    if model.problem.residual is not None:
        parts.append(f"residual {model.problem.residual.text}")
    if model.problem.zero is not None:
        parts.append(f"zero inflation ~ {model.problem.zero.written}")
    return "; ".join(parts)


def _ratio_test(smaller, larger, added: _Extension, bootstrap, seed: int, n_jobs: int) -> dict:
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


@dataclass(frozen=True)
class _Extension:
    """What a larger model adds to a smaller one that is a special case of it.

    Attributes
    ----------
    boundaries : int
        Parameters added whose value in the smaller model is the end of their range.
    has_rho : bool
        Whether a correlation is added that the smaller model leaves without a value.
    """

    boundaries: int
    has_rho: bool


# ------------------------------------------------------------------------------ nesting


def _extension(smaller: Fit, larger: Fit) -> _Extension | None:
    """What the larger model adds; None if the smaller one is not a special case of it."""
    a, b = smaller.problem, larger.problem
    same_fixed = (
        a.link.name == b.link.name
        and are_same(a.design.offset, b.design.offset)
        and spans(b.design.X, a.design.X)
        and spans(_columns(b.dispersion, a.design.n), _columns(a.dispersion, a.design.n))
    )
    homes = [
        next((k for k, other in enumerate(b.random) if _within(term, other)), None)
        for term in a.random
    ]
    beside = [
        _of_family(a.family, b.family), _of_zeros(a.zero, b.zero),
        _of_residuals(a.residual, b.residual),
    ]  # fmt: skip
    if not same_fixed or None in homes or None in beside:
        return None
    sds = [sum(len(term.structure.sd_names) for term in p.random) for p in (a, b)]
    new = [term for k, term in enumerate(b.random) if k not in homes]
    return _Extension(sum(beside) + sds[1] - sds[0], any(term.structure.has_rho for term in new))


def _of_family(smaller: Family, larger: Family) -> int | None:
    """Boundaries that the larger family adds; None if it cannot be the smaller one."""
    if smaller.fixed != larger.fixed:
        return None
    if smaller.name == larger.name:
        return 0
    return 1 if larger.limit and larger.limit.family.name == smaller.name else None


def _of_zeros(smaller: FixedPart | None, larger: FixedPart | None) -> int | None:
    """As `_of_family`, of the probability of extra zeros."""
    if larger is None:
        return 0 if smaller is None else None
    if smaller is not None:
        return 0 if spans(larger.X, smaller.X) else None
    # a probability of zero leaves the other coefficients and variances without a value
    return 1 if larger.X.shape[1] == 1 and not larger.random else None


def _of_residuals(smaller: RandomTerm | None, larger: RandomTerm | None) -> int | None:
    """As `_of_family`, of the covariance of the residuals; independent ones have correlations 0."""
    if larger is None:
        return 0 if smaller is None else None
    structure = larger.structure
    if smaller is None:
        return int(structure.has_rho and structure.lowest_rho == 0)
    if smaller.group != larger.group or smaller.structure.column_name != structure.column_name:
        return None
    names = structure.name, *structure.special_cases
    return 0 if smaller.structure.name in names else None


def _columns(part: FixedPart | None, n: int) -> Array:
    """Without a formula a parameter is one number."""
    return np.ones((n, 1)) if part is None else part.X


def _within(term: RandomTerm, other: RandomTerm) -> bool:
    """Whether a random term is a special case of one of the larger model."""
    same_groups = (
        term.part == other.part
        and len(term.levels) == len(other.levels)
        and len(np.unique(np.column_stack([term.codes, other.codes]), axis=0)) == len(term.levels)
    )
    return same_groups and term.structure.is_special_case_of(other.structure)
