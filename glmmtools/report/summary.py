"""The summary of a fit: what it shows, and the same as one row of a table."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from glmmtools.engine.problem import PARTS_IN_WORDS
from glmmtools.fitted.degrees_of_freedom import reference
from glmmtools.fitted.fit import Fit, has_maximum
from glmmtools.fitted.parameters import tidy
from glmmtools.fitted.parts import PARTS, part_of, parts_of, zeros_in_words
from glmmtools.shared.numbers import DECIMALS, estimates_as_text, fixed, number
from glmmtools.shared.shown import Content
from glmmtools.shared.terminal import in_lines
from glmmtools.shared.text import plural


def summary_content(model: Fit, df: str = "auto") -> Content:
    """What the summary of a fit shows, tests with the degrees of freedom of :func:`tidy`."""
    success = model.design.response.success
    note = f"; a success is {success!r}" if success is not None else ""
    facts = [
        ("formula", model.formula),
        ("distribution", f"{model.family.name}, {model.link.name} link{note}"),
        ("method", f"{_method(model)} (engine {model.engine})"),
        ("data", _data_line(model)),
        _fit_line(model),
    ]
    facts[1:1] = model.design.given.items()
    if model.problem.residual is not None:
        facts.insert(2, ("residuals", model.problem.residual.text))
    if model.problem.penalty is not None:
        facts.insert(3, ("penalty", f"the prior of the {prior_in_words(model)}"))
    tables = []
    if len(model.variance_components):
        tables.append(("Variance components", _components_table(model)))
    further = {
        part: list(map(called.format, part_of(model, part).design.names))
        for part, called in parts_of(model).items() if part != "mean"
    }  # fmt: skip
    numbers = model.further_dispersion.drop(
        list(itertools.chain(*further.values())), errors="ignore"
    )
    dispersion = [f"{name} {number(value)}" for name, value in numbers.items()]
    if dispersion:
        facts.append(("dispersion", ", ".join(dispersion)))
    if len(model.params):
        link = model.link
        scale = "in units of y" if link.is_identity else f"on the {link.scale} scale"
        effects = "Fixed effects" if model.estimate.working is None else "Coefficients"
        tables.append((f"{effects} ({scale})", _coefficient_table(tidy(model, df=df, part="mean"))))
    for part, names in further.items():
        scale = f"log odds of {zeros_in_words(model)}" if part == "zero" else "log phi"
        title = f"{PARTS_IN_WORDS[PARTS[part]].capitalize()} ({scale})"
        tables.append((title, _coefficient_table(tidy(model).loc[names])))
    messages = (*model.issued, *reference(model, df).few_units())
    notes = [in_lines(f"{type(message).__name__}: {message}") for message in messages]
    if not model.converged:
        notes.insert(0, "This fit did not converge: its numbers are not estimates.")
    return Content(model.kind.capitalize(), facts, tables, notes)


def prior_in_words(model: Fit) -> str:
    """The prior of a penalised fit."""
    sd = f"{model.problem.penalty:g}"
    return f"standardised slopes is normal with mean 0 and standard deviation {sd}"


def _data_line(model: Fit) -> str:
    groups = "".join(f"; {group}: {n} levels" for group, n in model.n_groups.items())
    dropped = f" ({plural(model.n_dropped, 'row')} with missing values dropped)"
    return plural(model.nobs, "row") + (dropped if model.n_dropped else "") + groups


def _method(model: Fit) -> str:
    return model.method + ("" if model.estimate.working is None else ", robust standard errors")


def _fit_line(model: Fit) -> tuple[str, str]:
    """How well the model fits; of a population-averaged one how its rows are alike."""
    working = model.estimate.working
    if working is not None:
        return "correlation", working.text
    criterion = "REML criterion (log)" if model.method == "REML" else "logLik"
    others = "without the penalty"
    if has_maximum(model):
        others = f"AIC {fixed(model.aic, 3)}, BIC {fixed(model.bic, 3)}"
    return "fit", f"{criterion} {fixed(model.llf, 3)}, {others}, {model.df_model} parameters"


def _components_table(model: Fit) -> pd.DataFrame:
    table = model.variance_components
    group, text = table["group"], table[["term"]].copy()
    if "part" in table:
        group = group.where(table["part"] == "mean", table["part"] + ": " + group)
    for column in table.columns[table.columns.get_loc("term") + 1 :]:
        if not column.startswith("corr"):
            text[column] = table[column].map(number)
        elif table[column].notna().any():
            text[column] = [fixed(value, 3) if value == value else "" for value in table[column]]
    text.index = group.where(group != group.shift(), "").to_list()
    return text


def _coefficient_table(table: pd.DataFrame) -> pd.DataFrame:
    table = table.rename_axis(None)
    decimals = _decimals(table["std_error"])
    return estimates_as_text(table, lambda value: fixed(value, decimals))


def _decimals(std_errors: pd.Series) -> int:
    """Four decimals, more where a standard error would show fewer than two digits."""
    smallest = std_errors[std_errors > 0].min()
    if not np.isfinite(smallest):
        return DECIMALS
    return int(np.clip(1 - np.floor(np.log10(smallest)), DECIMALS, 10))


def glance(model: Fit) -> pd.DataFrame:
    """One row: family, link, method, engine, rows, log-likelihood, AIC, BIC, convergence.

    A population-averaged model has no likelihood, a penalised fit not its maximum: nan.
    """
    row = {"family": model.family.name, "link": model.link.name}
    for name in ("method", "engine", "nobs", "df_model", "df_resid"):
        row[name] = getattr(model, name)
    row["llf"] = model.llf if model.estimate.working is None else np.nan
    for name in ("aic", "bic"):
        row[name] = getattr(model, name) if has_maximum(model) else np.nan
    row |= {name: getattr(model, name) for name in ("converged", "singular", "separated")}
    return pd.DataFrame([row])
