"""A model fitted again: to another response, with another formula, family or other arguments."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from glmmtools.engine.choice import choose, fit_again
from glmmtools.engine.suitability import check_support
from glmmtools.fitted.build import build_problem
from glmmtools.fitted.fit import Fit
from glmmtools.formula.grammar import parse_formula
from glmmtools.formula.update import updated
from glmmtools.shared import messages
from glmmtools.shared.arguments import check_arguments, numbers
from glmmtools.shared.text import listed, nearest

SomeFit = TypeVar("SomeFit", bound=Fit)


def refit(model: SomeFit, y: Any) -> SomeFit:
    """Fit the same model to another response on the same rows.

    Parameters
    ----------
    y : array_like, shape (nobs,)
        As `simulate` returns them: numbers of successes for binomial families.
    """
    check_arguments(refit, locals())
    y = numbers("y", y)
    if y.shape != (model.nobs,):
        raise ValueError(f"refit needs {model.nobs} values, one a row; got shape {y.shape}")
    problem = model.problem.with_response(y)
    check_support(model.family, problem.design, with_zeros=problem.zero is not None)
    refitted = type(model)(problem, fit_again(problem, model.engine))
    messages.issue(refitted.issued)
    return refitted


def update(model: SomeFit, formula: str | None = None, data: Any = None, **changes: Any) -> SomeFit:
    """Fit the model again with a change: of its formula, its data, its family and so on.

    Parameters
    ----------
    formula : str, optional
        ``". ~ . - x"``: a dot stands for what is there; or a whole formula.
    data : DataFrame or dict, optional
        Default: the rows and columns that the fit used, so that the two can be compared. A column
        that the fit did not use needs `data`.
    **changes
        Arguments of :func:`glmmtools.fit`, such as ``family="negative_binomial"``,
        ``reml=False``, ``zero_inflation=None``; all others are as before.

    Returns
    -------
    FittedModel

    Raises
    ------
    ValueError
        If a term is taken away that is not there, an argument does not exist, or new data need
        weights or an offset that were given as values.

    Examples
    --------
    >>> import glmmtools as gt
    >>> epilepsy = gt.load_data("epilepsy")
    >>> m = gt.fit("seizures ~ treatment + age + (1 | subject)", epilepsy, "poisson")
    >>> smaller = m.update(". ~ . - age", family="negative_binomial")
    >>> smaller.formula, smaller.family.name
    ('seizures ~ treatment + (1 | subject)', 'negative_binomial')
    """
    check_arguments(update, locals(), but=("formula",))
    if model.problem.clusters is not None:
        raise ValueError("update() is for models of gt.fit; call gt.gee again with the change")
    arguments = _arguments(model)
    for name in changes:
        if name not in arguments:
            raise ValueError(
                f"fit has no argument {name!r}{nearest(name, arguments)}. Arguments: "
                f"{listed(arguments, 12)}"
            )
    text = _whole_formula(model)
    if formula is not None:
        text = updated(text, formula)
    if "family" in changes:
        arguments["link"] = None
    if data is not None:
        column = model.design.given.get("weights")
        if column is not None and column in data:
            arguments["weights"] = column
        _check_values_beside(arguments, changes, data)
    arguments |= changes
    engine = arguments.pop("engine")
    problem = build_problem(
        text, model.design.frame if data is None else data, arguments.pop("family"), **arguments
    )
    again = type(model)(problem, choose(problem, engine).fit(problem))
    messages.issue(again.issued)
    return again


def _arguments(model: Fit) -> dict[str, Any]:
    """The arguments of `fit` that gave the model."""
    problem, design = model.problem, model.design
    weights = design.weights
    if problem.family.takes_trials and not design.response.function and np.any(design.trials != 1):
        weights = design.trials
    parts = {"dispersion_formula": problem.dispersion, "zero_inflation": problem.zero}
    return {
        "family": problem.family, "link": problem.link,
        "offset": design.offset_beside if design.has_offset_of_values else None,
        "weights": weights,
        **{name: None if part is None else f"~ {part.written}" for name, part in parts.items()},
        "residual": None if problem.residual is None else problem.residual.text,
        "reml": problem.reml, "nagq": problem.nagq, "penalty": problem.penalty,
        "engine": model.engine,
    }  # fmt: skip


def _whole_formula(model: Fit) -> str:
    """The formula, with a column of ``offset=`` in it."""
    written = parse_formula(model.formula).offsets
    beside = [text for text in model.design.formula.offsets if text not in written]
    return model.formula + "".join(f" + offset({text})" for text in beside)


def _check_values_beside(arguments: dict[str, Any], changes: dict[str, Any], data: Any) -> None:
    for name in ("offset", "weights"):
        given = arguments[name]
        in_data = isinstance(given, str) and given in data
        if given is not None and not in_data and name not in changes:
            raise ValueError(
                f"the model was fitted with {name}= as values of its rows, which new data do not "
                f"have: give {name}= again"
            )
