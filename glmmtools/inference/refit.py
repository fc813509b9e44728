"""The same model fitted again: to another response, or by every engine that covers it."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pandas as pd

from glmmtools.engine import choice as engines
from glmmtools.engine.suitability import check_support
from glmmtools.fitted.fit import Fit, require_likelihood
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
    check_support(model.family, problem.design)
    refitted = type(model)(problem, engines.ENGINES[model.engine].fit(problem))
    messages.issue(refitted.messages)
    return refitted


def cross_check(model: Fit) -> pd.DataFrame:
    """Refit a model with every other engine that covers it, and tabulate the differences.

    Returns
    -------
    DataFrame
        One row a number (log-likelihood, coefficients, standard errors, standard deviations of the
        random effects, shape parameters), one column an engine, and ``spread``: the largest
        difference between engines. Without a second engine for the model there is one column.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> bool((cross_check(m)["spread"] < 1e-4).all())
    True
    """
    require_likelihood(model, "cross_check() needs")
    fits = {model.engine: model}
    for name, engine in engines.ENGINES.items():
        if name not in fits and engine.why_not(model.problem) is None:
            fits[name] = type(model)(model.problem, engine.fit(model.problem))
    table = pd.DataFrame({name: _numbers(fit) for name, fit in fits.items()})
    table["spread"] = table.max(axis=1) - table.min(axis=1)
    return table


def _numbers(model: Fit) -> pd.Series:
    numbers = {"logLik": model.llf}
    numbers |= {f"coefficient {name}": value for name, value in model.params.items()}
    numbers |= {f"std_error {name}": value for name, value in model.bse.items()}
    for row in model.variance_components.itertuples():
        numbers[f"sd {row.group} {row.term}".strip()] = row.sd
    numbers |= {f"shape {name}": value for name, value in model.dispersion.items()}
    return pd.Series(numbers)
