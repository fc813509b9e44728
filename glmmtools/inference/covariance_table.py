"""One model with each of several covariance structures, in one table."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.covariances.lookup import called_in_formulas
from glmmtools.fitted.fit import Fit, require_maximum
from glmmtools.formula.brackets import split_outside
from glmmtools.formula.grammar import RandomSpec, parse_formula
from glmmtools.inference.refit import update
from glmmtools.shared.arguments import check_arguments, shown
from glmmtools.shared.messages import GlmmWarning
from glmmtools.shared.text import listed, nearest


def covariance_table(model: Fit, structures: Sequence[str]) -> pd.DataFrame:
    """Fit a model with each of several covariance structures in the place of its own.

    That is the structure of ``residual=`` where the model has one, else that of its one random term
    with a named structure. Choose on the same fixed part, as rich as you may want it; AIC and BIC
    are no tests, and the structure that they choose makes later tests a little too small.

    Parameters
    ----------
    model : FittedModel
    structures : list of str
        Such as ``["cs", "ar1", "har1", "toep", "us"]``.

    Returns
    -------
    DataFrame
        Indexed by structure, in the order given: ``df_model`` (parameters), ``llf``, ``aic``,
        ``bic``, ``converged`` and ``note``: what the fit said, or why there is none. Numbers of a
        fit that did not converge are nan.

    Raises
    ------
    ValueError
        If the model has no such structure, or several; or for a structure that does not exist.

    Examples
    --------
    >>> import glmmtools as gt
    >>> pigs = gt.load_data("pigs").query("week <= 4")
    >>> m = gt.fit("weight ~ week", pigs, residual="cs(week | pig)", reml=True)
    >>> gt.covariance_table(m, ["cs", "ar1", "us"])[["df_model", "llf", "aic"]].round(1)
               df_model    llf     aic
    structure
    cs                4 -697.0  1402.0
    ar1               4 -671.6  1351.2
    us               12 -639.7  1303.4
    """
    check_arguments(covariance_table, locals())
    require_maximum(model, "covariance_table() needs")
    names = list(structures) if isinstance(structures, (list, tuple)) else [structures]
    known = called_in_formulas()
    if not names:
        raise ValueError(f"structures is a list of names, of {listed(known, 12)}; it is empty")
    for name in names:
        if not isinstance(name, str) or name not in known:
            near = nearest(name, known) if isinstance(name, str) else ""
            raise ValueError(
                f"there is no covariance structure {shown(name)}{near}; there are "
                f"{listed(known, 12)}"
            )
    rows = {name: _row(model, _change(model, name)) for name in names}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("structure")
    return table.astype({"df_model": "Int64"}) if table["df_model"].isna().any() else table


def _change(model: Fit, name: str) -> dict[str, Any]:
    """The argument of `update` that gives the model another structure."""
    residual = model.problem.residual
    if residual is not None:
        inner = residual.text[residual.text.index("(") :]
        return {"residual": f"{name}{inner}"}
    named = [spec for spec in model.design.formula.random if not spec.structure.bar]
    if len(named) != 1:
        raise ValueError(
            "covariance_table() puts each structure in the place of the one that the model has: in "
            "residual=, or in one random term such as ar1(week | pig). "
            f"{model.formula!r} has {listed(spec.label for spec in named) or 'none'}"
        )
    return {"formula": _with_structure(model.formula, named[0], name)}


def _with_structure(formula: str, spec: RandomSpec, name: str) -> str:
    """The formula with another structure of one of its random terms."""
    left, right = (side for side, _ in split_outside(formula, "~"))
    pieces = []
    for piece, sign in split_outside(right, "+-"):
        found = parse_formula(f"y ~ {piece}").random if "|" in piece else ()
        if spec in found:
            piece = name + piece[piece.index("(") :]
        pieces.append(f"{sign} {piece}")
    return f"{left} ~ {' '.join(pieces).removeprefix('+ ')}"


def _row(model: Fit, change: dict[str, Any]) -> dict[str, Any]:
    unknown = {"df_model": np.nan, "llf": np.nan, "aic": np.nan, "bic": np.nan}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GlmmWarning)
        try:
            fit = update(model, **change)
        except ValueError as error:
            return unknown | {"converged": False, "note": str(error)}
    numbers = {name: getattr(fit, name) for name in unknown} if fit.converged else unknown
    numbers["df_model"] = fit.df_model
    return numbers | {"converged": fit.converged, "note": " ".join(map(str, fit.issued))}
