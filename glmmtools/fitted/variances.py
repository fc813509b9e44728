"""The variance components of a fit, and G for one level of a grouping factor."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.problem import Problem


def variance_components(problem: Problem, estimate: Estimate) -> pd.DataFrame:
    """The table of :attr:`Fit.variance_components`."""
    rows = []
    for term, term_estimate in zip(problem.design.random, estimate.terms, strict=True):
        sd = np.sqrt(np.diag(term_estimate.covariance))
        for i, name in enumerate(term.structure.sd_names):
            row = {"group": term.group, "term": name, "variance": sd[i] ** 2, "sd": sd[i]}
            row["corr"] = (
                np.nan if term_estimate.correlation is None or i else term_estimate.correlation
            )
            for j in range(i if term_estimate.correlation is None else 0):
                product = sd[i] * sd[j]
                key = "corr" if j == 0 else f"corr{j + 1}"
                row[key] = term_estimate.covariance[i, j] / product if product > 0 else np.nan
            rows.append(row)
    if problem.family.has_residual_variance and "phi" in estimate.shape:
        phi = estimate.shape["phi"]
        rows.append({"group": "Residual", "term": "", "variance": phi, "sd": np.sqrt(phi)})
    columns = ["group", "term", "variance", "sd", "corr"]
    columns += sorted({key for row in rows for key in row} - set(columns))
    return pd.DataFrame(rows, columns=columns)
