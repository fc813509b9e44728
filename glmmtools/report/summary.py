"""Text and HTML of a summary, of numbers and of tables, and the LaTeX of a model."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd

from glmmtools.fitted.coefficients import tidy
from glmmtools.fitted.fit import Fit
from glmmtools.shared.numbers import DECIMALS, fixed, number, p_text
from glmmtools.shared.tables import html_block, html_table, text_table
from glmmtools.shared.text import plural

# ------------------------------------------------------------------------------ the summary


def summary_text(model: Fit) -> str:
    """The summary as plain text."""
    title, header, tables, notes = _parts(model)
    width = max(len(key) for key, _ in header)
    lines = [title, *(f"  {key:<{width}}  {value}" for key, value in header)]
    for caption, table in tables:
        lines += text_table(table, caption)
    for note in notes:
        lines += ["", note]
    return "\n".join(line.rstrip() for line in lines)


def summary_html(model: Fit) -> str:
    """The summary as HTML without styles that depend on a theme, ids or dates."""
    title, header, tables, notes = _parts(model)
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{html.escape(key)}</th>'
        f'<td style="text-align:left">{html.escape(value)}</td></tr>'
        for key, value in header
    )
    head = f"<table><caption><b>{html.escape(title)}</b></caption>{rows}</table>"
    return html_block([head, *(html_table(table, caption) for caption, table in tables)], notes)


def _parts(model: Fit):
    """Title, header rows, captioned tables of text, and notes: what both renderings show."""
    criterion = "REML criterion (log)" if model.method == "REML" else "logLik"
    header = [
        ("formula", model.formula),
        ("distribution", f"{model.family.name}, {model.link.name} link{_success_note(model)}"),
        ("method", f"{model.method} (engine {model.engine})"),
        ("data", _data_line(model)),
        (
            "fit",
            f"{criterion} {fixed(model.llf, 3)}, AIC {fixed(model.aic, 3)}, "
            f"BIC {fixed(model.bic, 3)}, {model.df_model} parameters",
        ),
    ]
    tables = []
    if len(model.variance_components):
        tables.append(("Variance components", _components_table(model)))
    extra = model.further_dispersion
    if len(extra):
        header.append(
            ("dispersion", ", ".join(f"{name} {number(value)}" for name, value in extra.items()))
        )
    if len(model.params):
        link = model.link
        scale = "in units of y" if link.is_identity else f"on the {link.scale} scale"
        tables.append((f"Fixed effects ({scale})", _fixed_table(model)))
    notes = [f"{type(each).__name__}: {each}" for each in model.messages]
    if not model.converged:
        notes.insert(0, "This fit did not converge: its numbers are not estimates.")
    return _title(model), header, tables, notes


def _title(model: Fit) -> str:
    kind = "Linear" if model.is_linear else "Generalized linear"
    return kind + (" mixed model" if model.n_groups else " model")


def _success_note(model: Fit) -> str:
    success = model.problem.design.response.success
    return f"; a success is {success!r}" if success is not None else ""


def _data_line(model: Fit) -> str:
    groups = "".join(f"; {group}: {n} levels" for group, n in model.n_groups.items())
    dropped = f" ({plural(model.n_dropped, 'row')} with missing values dropped)"
    return plural(model.nobs, "row") + (dropped if model.n_dropped else "") + groups


def _components_table(model: Fit) -> pd.DataFrame:
    table = model.variance_components
    shown = table[["group", "term"]].copy()
    for column in table.columns[2:]:
        if column.startswith("corr"):
            if table[column].notna().any():
                shown[column] = [
                    fixed(value, 3) if value == value else "" for value in table[column]
                ]
        else:
            shown[column] = [number(value) for value in table[column]]
    shown["group"] = shown["group"].where(shown["group"] != shown["group"].shift(), "")
    return shown.set_index("group").rename_axis(None)


def _fixed_table(model: Fit) -> pd.DataFrame:
    table = tidy(model)
    decimals = _decimals(table["std_error"])
    shown = pd.DataFrame(index=table.index.rename(None))
    for column in ("estimate", "std_error"):
        shown[column] = [fixed(value, decimals) for value in table[column]]
    if np.isfinite(table["df"]).any():
        shown["df"] = [fixed(value, 1) for value in table["df"]]
    shown["statistic"] = [fixed(value, 2) for value in table["statistic"]]
    shown["p_value"] = [p_text(value) for value in table["p_value"]]
    for column in ("conf_low", "conf_high"):
        shown[column] = [fixed(value, decimals) for value in table[column]]
    return shown


def _decimals(std_errors: pd.Series) -> int:
    """Four decimals, more where a standard error would show fewer than two digits."""
    smallest = std_errors[std_errors > 0].min()
    if not np.isfinite(smallest):
        return DECIMALS
    return int(np.clip(1 - np.floor(np.log10(smallest)), DECIMALS, 10))


# ------------------------------------------------------------------------------ numbers and tables


# ------------------------------------------------------------------------------ the equation


def glance(model: Fit) -> pd.DataFrame:
    """One row: family, link, method, engine, rows, log-likelihood, AIC, BIC, convergence."""
    row = {
        "family": model.family.name, "link": model.link.name, "method": model.method,
        "engine": model.engine, "nobs": model.nobs, "df_model": model.df_model,
        "df_resid": model.df_resid, "llf": model.llf, "aic": model.aic, "bic": model.bic,
        "converged": model.converged, "singular": model.singular,
    }  # fmt: skip
    return pd.DataFrame([row])
