"""What each group gets by no, partial and complete pooling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from glmmtools.engine import laplace
from glmmtools.engine.estimate import Estimate
from glmmtools.engine.marginals import marginal_of
from glmmtools.fitted.covariance import terms_of
from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.arguments import check_arguments

Array = np.ndarray
# A random effect with this prior sd, in units of eta, is not shrunk to any visible amount. One
# whose conditional sd is then more than this share of it is not determined by the group's rows.
_NO_PRIOR, _UNDETERMINED = 1e3, 0.05


def pooling(model: Fit, group: str | None = None) -> pd.DataFrame:
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
    check_arguments(pooling, locals())
    require_converged(model, "pooling() needs")
    if model.problem.residual is not None:
        raise ValueError(
            "pooling() compares groups whose rows are independent given their effects, and "
            f"residual={model.problem.residual.text!r} lets them covary: fit without residual="
        )
    group = group or terms_of(model)[0][0].group
    chosen = [term for term, _ in terms_of(model, group)]
    for term in chosen:
        if term.structure.of_time:
            raise ValueError(
                f"the effects of {term.label} are one series in time for each level; pooling is "
                "shown for intercepts and slopes"
            )
    intercept_only = [name for term in chosen for name in term.names] == ["Intercept"]
    partial, complete = model.estimate, _without_random_effects(model)
    link = model.link if model.problem.dispersion is not None else model.mean_link
    scale = link.inverse if intercept_only else np.asarray
    shrunk, (free, determined) = model.modes, _unshrunk(model, group)
    parts = []
    for term in chosen:
        number = model.design.random.index(term)
        above = [_outer(model, term, modes) if intercept_only else 0.0 for modes in (free, shrunk)]
        for column, name in enumerate(term.names):
            known, effects = determined[number][:, column], free[number][:, column]
            limit = np.sign(effects) * np.inf if intercept_only else np.nan
            own = above[0] + np.where(known, effects, limit)
            both = above[1] + shrunk[number][:, column]
            bases = [_base(model, each, name, intercept_only) for each in (partial, complete)]
            columns = {
                "group": group,
                "level": term.levels,
                "term": name,
                "n": np.bincount(term.codes, minlength=len(term.levels)),
                "no_pooling": scale(bases[0] + own),
                "partial_pooling": scale(bases[0] + both),
                "complete_pooling": float(scale(bases[1])),
                "note": np.where(known, "", "no finite estimate on the link scale"),
            }
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _base(model: Fit, estimate: Estimate, name: str, intercept_only: bool) -> float:
    """What a random effect is added to: the average fixed part, or its own coefficient.

    The average is over the rows where the fixed part is finite.
    """
    if intercept_only:
        fixed = estimate.combined(model.design.X)
        return float(np.mean(fixed[np.isfinite(fixed)]))
    return dict(zip(model.params.index, estimate.beta, strict=True)).get(name, 0.0)


def _outer(model: Fit, term: RandomTerm, modes: list[Array]) -> Array:
    """Intercepts of the grouping factors in which this one is nested, for each of its levels."""
    total = np.zeros(len(term.levels))
    for other, b in zip(model.design.random, modes, strict=True):
        pairs = np.unique(np.column_stack([term.codes, other.codes]), axis=0)
        coarser = len(other.levels) < len(term.levels)
        if coarser and len(pairs) == len(term.levels) and other.names == ("Intercept",):
            total += b[pairs[:, 1], 0]
    return total


def _without_random_effects(model: Fit) -> Estimate:
    """The fit of the same model without its random part."""
    return laplace.fit(model.problem.without_random_terms())


def _unshrunk(model: Fit, group: str) -> tuple[list[Array], list[Array]]:
    """Effects of all terms with those of `group` not shrunk; which of them the data determine.

    They are the conditional modes under a prior variance so large that it does not matter.
    """
    model = model.in_the_limit
    if not model.nobs:
        raise ValueError("every row is separated, so there is nothing to pool")
    marginal = marginal_of(replace(model.problem, reml=False, nagq=1))
    terms, sds = [], []
    for term, estimate in model.random_terms:
        size = np.sqrt(np.mean(term.Z**2, axis=0))
        sd = _NO_PRIOR * marginal.likelihood.scale / np.where(size > 0, size, 1.0)
        sds.append(sd)
        wide = replace(estimate, covariance=np.diag(sd**2))
        terms.append(wide if term.group == group else estimate)
    vector = marginal.vector_of(replace(model.estimate, terms=tuple(terms)))
    solution = marginal.solve(vector)
    if solution is None:
        raise ValueError(f"the effects of {group} cannot be computed without pooling")
    effect_sds = marginal.effect_sds(vector, solution)[: len(sds)]
    determined = [
        effect_sd < _UNDETERMINED * sd for effect_sd, sd in zip(effect_sds, sds, strict=True)
    ]
    return marginal.modes(vector, solution)[: len(sds)], determined
