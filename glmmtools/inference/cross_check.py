"""One model, fitted by every engine that covers it."""

from __future__ import annotations

import pandas as pd

from glmmtools.engine import choice as engines
from glmmtools.fitted.fit import Fit


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
    problem = model.problem
    fits = {model.engine: model}
    for name, engine in engines.ENGINES.items():
        if name not in fits and engine.why_not(problem) is None:
            fits[name] = type(model)(problem, engine.fit(problem))
    table = pd.DataFrame({name: _numbers(fit) for name, fit in fits.items()})
    table["spread"] = table.max(axis=1) - table.min(axis=1)
    return table


def _numbers(model: Fit) -> pd.Series:
    components = model.variance_components
    numbers = {"logLik": model.llf}
    numbers |= {f"coefficient {name}": value for name, value in model.params.items()}
    numbers |= {f"std_error {name}": value for name, value in model.bse.items()}
    for row in components.itertuples():
        numbers[f"sd {row.group} {row.term}".strip()] = row.sd
    numbers |= {f"shape {name}": value for name, value in model.dispersion.items()}
    return pd.Series(numbers)
