"""Models with correlated residuals as linear models of independent rows, for their residuals."""

from __future__ import annotations

from dataclasses import replace

from glmmtools.engine import laplace
from glmmtools.engine.correlated import whitened_rows
from glmmtools.fitted.fit import Fit


def decorrelated(model: Fit) -> Fit:
    """The linear model of the whitened rows; the model itself if its residuals are independent.

    With the covariance of the rows given, generalised least squares is least squares of rows from
    which is taken what those before them tell (`whitened_rows`).
    """
    problem = model.problem
    if problem.residual is None:
        return model
    y, X = whitened_rows(problem, model.estimate)
    design = replace(
        problem.design, X=X, response=replace(problem.design.response, y=y), random=(), recipes=(),
        offset=0.0 * y, offset_beside=0.0,
    )  # fmt: skip
    white = replace(problem, design=design, residual=None, reml=False)
    return Fit(white, laplace.fit(white))
