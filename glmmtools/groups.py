"""What the random part implies: Var(y), and what the groups share (partial pooling)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmmtools import engines
from glmmtools._text import listed, nearest
from glmmtools.covariance import marginal_covariance
from glmmtools.engines.marginal import Marginal
from glmmtools.messages import require_converged

if TYPE_CHECKING:
    from glmmtools.formula import RandomTerm
    from glmmtools.model import FittedModel

__all__ = ["covariance", "pooling", "rows_at", "terms_of"]

Array = np.ndarray
_MOST_ROWS = 500
# A random effect with this prior sd, in units of eta, is not shrunk to any visible amount. One
# whose conditional sd is then more than this share of it is not determined by the group's rows.
_NO_PRIOR, _UNDETERMINED = 1e3, 0.05


def covariance(model: FittedModel, rows: Any = None) -> pd.DataFrame:
    """Covariance matrix of the observations that the model implies.

    For normal models with identity link ``Var(y) = Z G Zᵀ + R``, in squared units of the response;
    for all others ``Z G Zᵀ``, the covariance of the linear predictors (link scale), because there
    the variance of the response depends on its mean.

    Parameters
    ----------
    rows : slice, list of int or boolean array, optional
        Positions of rows among those of the fit; default all, where they are 500 at most.

    Returns
    -------
    DataFrame, shape (rows, rows)
        Rows and columns carry the index of the data.

    Raises
    ------
    ValueError
        If there are more than 500 rows, a row that does not exist, or the fit did not converge.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (1 | subject)", gt.load_data("sleep"), reml=True)
    >>> m.covariance([0, 1, 10]).round(0)
            0       1       10
    0   2339.0  1378.0     0.0
    1   1378.0  2339.0     0.0
    10     0.0     0.0  2339.0
    """
    require_converged(model, "covariance() needs")
    positions = rows_at(model, rows)
    if len(positions) > _MOST_ROWS:
        raise ValueError(
            f"the covariance matrix of {len(positions)} rows is too large to look at (the most is "
            f"{_MOST_ROWS}); choose some, such as rows=slice(0, 60)"
        )
    estimates = model._estimate.terms
    total = np.zeros((len(positions), len(positions))) + marginal_covariance(
        model._problem.design.random,
        [each.covariance for each in estimates],
        [each.correlation for each in estimates],
        positions,
    )
    if model._is_linear:
        phi = np.broadcast_to(model._shape()["phi"], model.nobs)
        weights = model._problem.design.weights
        phi = phi if weights is None else phi / weights
        total[np.diag_indices_from(total)] += phi[positions]
    index = model._problem.design.frame.index[positions]
    return pd.DataFrame(total, index=index, columns=index)


def rows_at(model: FittedModel, rows: Any) -> Array:
    """Positions of rows of the fit, from a slice, positions or a boolean array."""
    everything = np.arange(model.nobs)
    if rows is None:
        return everything
    try:
        index = rows if isinstance(rows, slice) else np.asarray(rows)
        return np.atleast_1d(everything[index])
    except IndexError:
        raise ValueError(
            f"rows are a slice, positions from 0 to {model.nobs - 1}, or one boolean for each of "
            f"the {model.nobs} rows of the fit; got {rows!r}"
        ) from None


def terms_of(model: FittedModel, group: str | None = None) -> list:
    """Random terms with their estimates, of one grouping factor or of all.

    Raises
    ------
    ValueError
        If the model has no random effects, or none of that group.
    """
    pairs = model._random_terms()
    if not pairs:
        raise ValueError(
            f"the model {model.formula!r} has no random effects; "
            "one is added as (1 | group) to the formula"
        )
    if group is None:
        return pairs
    if group not in model.n_groups:
        raise ValueError(
            f"there is no grouping factor {group!r}{nearest(group, model.n_groups)}. "
            f"Grouping factors of the model: {listed(model.n_groups)}"
        )
    return [pair for pair in pairs if pair[0].group == group]


def pooling(model: FittedModel, group: str | None = None) -> pd.DataFrame:
    """Estimates of each group with no, partial and complete pooling.

    No pooling: maximum likelihood from the group's own rows, the coefficients that are not the
    group's held at the model's estimates. Partial pooling: the model's. Complete pooling: the same
    model without random effects. If the group has a random intercept only, the estimates are means
    of the response (probabilities) at the average of the fixed part; with random slopes they are
    the group's coefficients on the link scale (fixed effect + random effect). A mean holds the
    effects of the factors in which the group is nested: that of a plot those of its block.

    Parameters
    ----------
    group : str, optional
        A grouping factor; default the first of the formula.

    Returns
    -------
    DataFrame
        Columns ``group, level, term, n, no_pooling, partial_pooling, complete_pooling, note``.
        Where a group's rows have no finite estimate on the link scale, as those of a herd without
        a case, `no_pooling` is its limit (the raw proportion, 0 or 1) for an intercept and missing
        for slopes, and `note` says so.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    >>> table = m.pooling().set_index(["level", "term"])
    >>> table.loc[("308", "days"), ["no_pooling", "partial_pooling", "complete_pooling"]].round(1)
    no_pooling          21.8
    partial_pooling     19.7
    complete_pooling    10.5
    Name: (308, days), dtype: float64
    """
    require_converged(model, "pooling() needs")
    group = group or terms_of(model)[0][0].group
    chosen = terms_of(model, group)
    for term, _ in chosen:
        if term.structure == "ar1":
            raise ValueError(
                f"the effects of {term.label} are one series in time for each level; pooling is "
                "shown for intercepts and slopes"
            )
    intercept_only = [name for term, _ in chosen for name in term.names] == ["Intercept"]
    partial, complete = model._estimate.beta, _without_random_effects(model)
    scale = model.link.inverse if intercept_only else np.asarray
    shrunk = [estimate.modes for _, estimate in model._random_terms()]
    free, determined = _unshrunk(model, group)
    parts = []
    for number, (term, _) in enumerate(model._random_terms()):
        if term.group != group:
            continue
        above = [_outer(model, term, modes) if intercept_only else 0.0 for modes in (free, shrunk)]
        for column, name in enumerate(term.names):
            known, effects = determined[number][:, column], free[number][:, column]
            limit = np.sign(effects) * np.inf if intercept_only else np.nan
            own = above[0] + np.where(known, effects, limit)
            both = above[1] + shrunk[number][:, column]
            bases = [_base(model, beta, name, intercept_only) for beta in (partial, complete)]
            parts.append(
                pd.DataFrame(
                    {
                        "group": group,
                        "level": term.levels,
                        "term": name,
                        "n": np.bincount(term.codes, minlength=len(term.levels)),
                        "no_pooling": scale(bases[0] + own),
                        "partial_pooling": scale(bases[0] + both),
                        "complete_pooling": float(scale(bases[1])),
                        "note": np.where(known, "", "no finite estimate on the link scale"),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _base(model: FittedModel, beta: Array, name: str, intercept_only: bool) -> float:
    """What a random effect is added to: the average fixed part, or its own coefficient."""
    if intercept_only:
        return float(np.mean(model._problem.design.X @ beta))
    return dict(zip(model.params.index, beta, strict=True)).get(name, 0.0)


def _outer(model: FittedModel, term: RandomTerm, modes: list[Array]) -> Array:
    """Intercepts of the grouping factors in which this one is nested, for each of its levels."""
    total = np.zeros(len(term.levels))
    for other, b in zip(model._problem.design.random, modes, strict=True):
        pairs = np.unique(np.column_stack([term.codes, other.codes]), axis=0)
        coarser = len(other.levels) < len(term.levels)
        if coarser and len(pairs) == len(term.levels) and other.names == ("Intercept",):
            total += b[pairs[:, 1], 0]
    return total


def _without_random_effects(model: FittedModel) -> Array:
    """Fixed effects of the same model without its random part."""
    problem = model._problem
    problem = replace(problem, design=replace(problem.design, random=(), recipes=()), nagq=1)
    return engines.choose(problem).fit(problem).beta


def _unshrunk(model: FittedModel, group: str) -> tuple[list[Array], list[Array]]:
    """Effects of all terms with those of `group` not shrunk; which of them the data determine.

    They are the conditional modes under a prior variance so large that it does not matter.
    """
    marginal = Marginal(replace(model._problem, reml=False, nagq=1))
    terms, sds = [], []
    for term, estimate in model._random_terms():
        size = np.sqrt(np.mean(term.Z**2, axis=0))
        sd = _NO_PRIOR * marginal.likelihood.scale / np.where(size > 0, size, 1.0)
        sds.append(sd)
        wide = replace(estimate, covariance=np.diag(sd**2))
        terms.append(wide if term.group == group else estimate)
    vector = marginal.vector_of(replace(model._estimate, terms=tuple(terms)))
    solution = marginal.solve(vector)
    if solution is None:
        raise ValueError(f"the effects of {group} cannot be computed without pooling")
    found = marginal.effect_sds(vector, solution)
    determined = [each < _UNDETERMINED * sd for each, sd in zip(found, sds, strict=True)]
    return marginal.modes(vector, solution), determined
