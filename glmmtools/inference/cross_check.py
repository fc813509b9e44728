"""Second opinions: the same model by quadrature, by statsmodels, and by R."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import pandas as pd

from glmmtools.engine import choice as engines
from glmmtools.engine.problem import COEFFICIENT_NAMES, ZERO, Problem
from glmmtools.fitted.fit import Fit, require_likelihood
from glmmtools.inference.in_r import fit_in_r
from glmmtools.inference.r_call import NotInR
from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.messages import GlmmWarning, issue

_NODES = (25, 15, 9, 7, 5)
_MOST_NODES = 700  # for all effects of a group together


def cross_check(model: Fit, r: bool = False) -> pd.DataFrame:
    """Refit a model by other engines, and tabulate the differences.

    With adaptive quadrature where the model is a generalized one with one random term: it shows
    what the Laplace approximation costs. With statsmodels where it has the model (least squares,
    generalized linear models, linear mixed models).

    Parameters
    ----------
    r : bool
        Ask R too, where it is installed: ``lm``, lme4 for linear mixed models and quadrature,
        glmmTMB for all others. R gets the columns that the formula builds, under their names.

    Returns
    -------
    DataFrame
        One row a number (log-likelihood, coefficients, standard errors, standard deviations of the
        random effects, shape parameters), one column an engine, and ``spread``: the largest
        difference between engines, nan where an engine has no finite number. Without a second
        engine for the model there is one column. With `r` its ``attrs`` say which package of R
        fitted the model (``"R"``) and by which call (``"call"``).

    Warns
    -----
    GlmmWarning
        One line for each engine that did not converge or broke off; and why R was not asked: it or
        a package is not installed, or R has no such model.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> cross_check(m).round(3).loc[["logLik", "coefficient period[T.2]", "sd herd Intercept"]]
                             laplace  quadrature  spread
    logLik                   -92.026     -91.983   0.043
    coefficient period[T.2]   -0.992      -0.991   0.001
    sd herd Intercept          0.642       0.648   0.005
    """
    check_arguments(cross_check, locals())
    require_likelihood(model, "cross_check() needs")
    own = model.method if model.problem.nagq > 1 and model.design.random else model.engine
    fits, lines, attrs = {own: model}, [], {}
    for name, engine, problem in _others(model):
        try:
            fits[name] = type(model)(problem, engine.fit(problem))
        except ValueError as error:
            lines.append(f"{name}: {error}.")
    if r:
        try:
            estimate, package, call = fit_in_r(model.problem, model.estimate)
            fits["R"], attrs = type(model)(model.problem, estimate), {"R": package, "call": call}
        except NotInR as reason:
            lines.append(f"There is no column R: {reason}.")
    for name, fit in fits.items():
        if not fit.converged:
            said = " ".join(map(str, fit.estimate.messages))
            lines.append(f"{name} did not converge: {said}")
    issue(tuple(map(GlmmWarning, lines)))
    table = pd.DataFrame({name: _numbers(fit) for name, fit in fits.items()})
    high, low = (getattr(table, end)(axis=1, skipna=False) for end in ("max", "min"))
    table["spread"] = (high - low).where(high != low, 0.0)  # also of two infinite ones
    table.attrs = attrs
    return table


def _others(model: Fit) -> Iterator[tuple[str, ModuleType, Problem]]:
    """What else can fit the model: name, engine, problem."""
    problem = model.problem
    for name, engine in engines.ENGINES.items():
        if name != model.engine and engine.why_not(problem) is None:
            yield name, engine, problem
    no_quadrature = problem.zero_random or problem.family.has_residual_variance
    if not problem.design.random or no_quadrature:
        return
    for nodes in _NODES:
        finer = replace(problem, nagq=nodes if problem.nagq == 1 else 2 * problem.nagq)
        few = finer.nagq ** len(problem.design.random[0].names) <= _MOST_NODES
        if few and engines.laplace.why_not(finer) is None:
            yield "quadrature", engines.laplace, finer
            return


def _numbers(model: Fit) -> pd.Series:
    numbers = {"logLik": model.llf}
    numbers |= {f"coefficient {name}": value for name, value in model.params.items()}
    numbers |= {f"std_error {name}": value for name, value in model.bse.items()}
    for row in model.variance_components.itertuples():
        name = f"sd {row.group} {row.term}".strip()
        of_zeros = getattr(row, "part", "mean") == ZERO
        numbers[COEFFICIENT_NAMES[ZERO].format(name) if of_zeros else name] = row.sd
    numbers |= {f"shape {name}": value for name, value in model.dispersion.items()}
    return pd.Series(numbers)
