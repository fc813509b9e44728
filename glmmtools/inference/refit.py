"""The same model fitted again, to another response."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from glmmtools.engine.choice import fit_again
from glmmtools.engine.suitability import check_support
from glmmtools.fitted.fit import Fit
from glmmtools.shared import messages

SomeFit = TypeVar("SomeFit", bound=Fit)


def refit(model: SomeFit, y: Any) -> SomeFit:
    """Fit the same model to another response on the same rows.

    Parameters
    ----------
    y : array_like, shape (nobs,)
        As `simulate` returns them: numbers of successes for binomial families.
    """
    y = np.asarray(y, float)
    if y.shape != (model.nobs,):
        raise ValueError(f"refit needs {model.nobs} values, one a row; got shape {y.shape}")
    problem = model.problem.with_response(y)
    check_support(model.family, problem.design, with_zeros=problem.zero is not None)
    refitted = type(model)(problem, fit_again(problem, model.engine))
    messages.issue(refitted.messages)
    return refitted
