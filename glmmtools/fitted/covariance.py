"""Covariances as a fitted model implies them: of random effects, and of observations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmmtools.engine.estimate import TermEstimate
from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.fitted.parts import part_of
from glmmtools.formula.linear_predictor import marginal_covariance
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.arguments import check_arguments, shown
from glmmtools.shared.text import listed, nearest

_MOST_ROWS = 500


def terms_of(model: Fit, group: str | None = None) -> list[tuple[RandomTerm, TermEstimate]]:
    """Random terms with their estimates, of one grouping factor or of all.

    Raises
    ------
    ValueError
        If the model has no random effects, or none of that group.
    """
    pairs = model.random_terms
    if not pairs and model.zero_terms:
        raise ValueError(
            f"the mean of {model.formula!r} has no random effects; those of the zeros are given by "
            "part='zero' of random_covariance(), covariance() and plot_random_effects()"
        )
    if not pairs:
        clusters = model.problem.clusters
        how = (
            "one is added as (1 | group) to the formula" if clusters is None
            else f"gt.fit, in place of gt.gee, fits them as (1 | {clusters.group}) in the formula"
        )  # fmt: skip
        raise ValueError(f"the model {model.formula!r} has no random effects; {how}")
    if group is None:
        return pairs
    groups = dict.fromkeys(term.group for term, _ in pairs)
    if group not in groups:
        raise ValueError(
            f"there is no grouping factor {group!r}{nearest(group, groups)}; "
            f"the model has {listed(groups)}"
        )
    return [pair for pair in pairs if pair[0].group == group]


def random_covariance(model: Fit, group: str, *, part: str | None = None) -> pd.DataFrame:
    """Return G for one level of a grouping factor: the covariance of its random effects.

    Those in the mean, or with ``part="zero"`` in the logit of the zeros.
    """
    check_arguments(random_covariance, locals())
    blocks = [
        pd.DataFrame(estimate.covariance, index=term.names, columns=term.names)
        for term, estimate in terms_of(part_of(model, part), group)
    ]
    joined = pd.concat(blocks).fillna(0.0)
    return joined.loc[:, joined.index]


def covariance(model: Fit, rows: Any = None, *, part: str | None = None) -> pd.DataFrame:
    """Covariance matrix of the observations that the model implies.

    For normal models with identity link ``Var(y) = Z G Zᵀ + R``, in squared units of the response;
    for all others ``Z G Zᵀ``, the covariance of the linear predictors (link scale), because there
    the variance of the response depends on its mean.

    Parameters
    ----------
    rows : slice, list of int or boolean array, optional
        Positions of rows among those of the fit; default all, where they are 500 at most.
    part : {"mean", "zero"}, optional
        Whose linear predictor: of the mean, the default, or the logit of the zeros. Between the two
        parts random effects are independent.

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
    if model.problem.clusters is not None:
        raise ValueError(
            "the working correlation of a population-averaged model may be wrong, and is no "
            "covariance of its rows; it is in working_correlation"
        )
    model = part_of(model, part)
    positions = rows_at(model, slice(None) if rows is None else rows)
    if len(positions) > _MOST_ROWS:
        raise ValueError(
            f"the covariance matrix of {len(positions)} rows is too large to look at (the most is "
            f"{_MOST_ROWS}); choose some, such as rows=slice(0, 60)"
        )
    total = np.zeros((len(positions), len(positions)))
    total += marginal_covariance(model.design.random, *model.effect_covariances, positions)
    residual = model.estimate.residual
    if residual is not None:
        structure = model.problem.residual.structure
        total += structure.predictor_covariance(
            residual.covariance, residual.correlation, positions
        )
    elif model.is_linear:
        phi = np.broadcast_to(model.row_parameters["phi"], model.nobs)
        total[np.diag_indices_from(total)] += phi[positions]
    index = model.design.frame.index[positions]
    return pd.DataFrame(total, index=index, columns=index)


def rows_at(model: Fit, rows: Any) -> np.ndarray:
    """Positions of rows of the fit, from a slice, positions or a boolean array."""
    try:
        index = rows if isinstance(rows, slice) else np.atleast_1d(np.asarray(rows))
        if isinstance(index, np.ndarray) and index.ndim > 1:
            raise IndexError
        return np.arange(model.nobs)[index]
    except (IndexError, ValueError, TypeError):
        raise ValueError(
            f"rows are a slice, positions from 0 to {model.nobs - 1}, or one boolean for each of "
            f"the {model.nobs} rows of the fit; got {shown(rows)}"
        ) from None
