"""The random terms of a fit, chosen by grouping factor, and G of one of them."""

from __future__ import annotations

import pandas as pd

from glmmtools.engine.estimate import TermEstimate
from glmmtools.fitted.fit import Fit
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.text import listed, nearest


def random_covariance(model: Fit, group: str) -> pd.DataFrame:
    """Return G for one level of a grouping factor: the covariance of its random effects."""
    blocks = [
        pd.DataFrame(estimate.covariance, index=term.names, columns=term.names)
        for term, estimate in terms_of(model, group)
    ]
    joined = pd.concat(blocks).fillna(0.0)
    return joined.loc[:, joined.index]


def terms_of(model: Fit, group: str | None = None) -> list[tuple[RandomTerm, TermEstimate]]:
    """Random terms with their estimates, of one grouping factor or of all.

    Raises
    ------
    ValueError
        If the model has no random effects, or none of that group.
    """
    pairs = model.random_terms
    if not pairs:
        raise ValueError(
            f"the model {model.formula!r} has no random effects; "
            "one is added as (1 | group) to the formula"
        )
    if group is None:
        return pairs
    if group not in model.n_groups:
        raise ValueError(
            f"there is no grouping factor {group!r}{nearest(group, model.n_groups)}; "
            f"the model has {listed(model.n_groups)}"
        )
    return [pair for pair in pairs if pair[0].group == group]
