"""Text and HTML of a summary, of numbers and of tables, and the LaTeX of a model."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmmtools._text import plural

if TYPE_CHECKING:
    from glmmtools.families import Family
    from glmmtools.formula import Design
    from glmmtools.links import Link
    from glmmtools.model import FittedModel

__all__ = ["Equation", "equation", "summary_html", "summary_text"]

_DECIMALS = 4
_LONGEST_SUM = 8
_TERMS_A_LINE = 3


# ------------------------------------------------------------------------------ the summary


def summary_text(model: FittedModel) -> str:
    """The summary as plain text."""
    title, header, tables, notes = _parts(model)
    width = max(len(key) for key, _ in header)
    lines = [title, *(f"  {key:<{width}}  {value}" for key, value in header)]
    for caption, table in tables:
        lines += text_table(table, caption)
    for note in notes:
        lines += ["", note]
    return "\n".join(line.rstrip() for line in lines)


def summary_html(model: FittedModel) -> str:
    """The summary as HTML without styles that depend on a theme, ids or dates."""
    title, header, tables, notes = _parts(model)
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{html.escape(key)}</th>'
        f'<td style="text-align:left">{html.escape(value)}</td></tr>'
        for key, value in header
    )
    head = f"<table><caption><b>{html.escape(title)}</b></caption>{rows}</table>"
    return html_block([head, *(html_table(table, caption) for caption, table in tables)], notes)


def _parts(model: FittedModel):
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
    extra = model._further_dispersion
    if len(extra):
        header.append(
            ("dispersion", ", ".join(f"{name} {number(value)}" for name, value in extra.items()))
        )
    if len(model.params):
        link = model.link.name
        scale = "in units of y" if link == "identity" else f"on the {link_scale(link)} scale"
        tables.append((f"Fixed effects ({scale})", _fixed_table(model)))
    notes = [f"{type(each).__name__}: {each}" for each in model.messages]
    if not model.converged:
        notes.insert(0, "This fit did not converge: its numbers are not estimates.")
    return _title(model), header, tables, notes


def _title(model: FittedModel) -> str:
    kind = "Linear" if model._is_linear else "Generalized linear"
    return kind + (" mixed model" if model.n_groups else " model")


def _success_note(model: FittedModel) -> str:
    success = model._problem.design.response.success
    return f"; a success is {success!r}" if success is not None else ""


def _data_line(model: FittedModel) -> str:
    groups = "".join(f"; {group}: {n} levels" for group, n in model.n_groups.items())
    dropped = f" ({plural(model.n_dropped, 'row')} with missing values dropped)"
    return plural(model.nobs, "row") + (dropped if model.n_dropped else "") + groups


def _components_table(model: FittedModel) -> pd.DataFrame:
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


def _fixed_table(model: FittedModel) -> pd.DataFrame:
    table = model.tidy()
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
        return _DECIMALS
    return int(np.clip(1 - np.floor(np.log10(smallest)), _DECIMALS, 10))


# ------------------------------------------------------------------------------ numbers and tables


def link_scale(link: str) -> str:
    """The name of the scale that a link leads to: ``"log-odds"``, ``"log"``, ``"probit"``."""
    return "log-odds" if link == "logit" else link


def fixed(value: float, decimals: int = _DECIMALS) -> str:
    """A number with fixed decimals and no negative zero; a dash for what could not be computed.

    >>> fixed(-0.00001, 2), fixed(float("nan")), fixed(float("inf"), 1)
    ('0.00', '–', 'inf')
    """
    if np.isnan(value):
        return "–"
    return f"{value if round(value, decimals) != 0 else 0:.{decimals}f}"


def number(value: float) -> str:
    """Four decimals; scientific notation for what would show as zero or as a long number.

    >>> number(1.2345678), number(1.2e-6), number(0.0)
    ('1.2346', '1.20e-06', '0.0000')
    """
    if value == 0 or 1e-3 <= abs(value) < 1e7 or not np.isfinite(value):
        return fixed(value)
    return f"{value:.2e}"


def with_digits(values: Iterable[float], size: float, digits: int) -> list[str]:
    """Numbers with the decimals that show so many digits of `size`.

    >>> with_digits([1.2345, 0.1234], 0.0567, 2)
    ['1.234', '0.123']
    """
    if not (np.isfinite(size) and 1e-8 < size < 1e8):
        return [number(each) for each in values]
    decimals = int(max(0, digits - 1 - np.floor(np.log10(size))))
    return [fixed(each, decimals) for each in values]


def three_digits(value: float) -> str:
    """Three significant digits: ``"13.0"``, ``"0.0409"``, ``"1234"``."""
    if value == 0 or not 1e-4 <= abs(value) < 1e6:
        return number(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def p_text(value: float) -> str:
    """A p-value with four decimals, never zero.

    >>> p_text(0.03217), p_text(1e-9)
    ('0.0322', '<0.0001')
    """
    return "<0.0001" if value < 0.0001 else fixed(value)


def text_table(table: pd.DataFrame, caption: str) -> list[str]:
    """The lines of a table below an empty line and its caption."""
    return ["", caption, *(f"  {line}" for line in table.to_string().splitlines())]


def html_table(table: pd.DataFrame, caption: str = "", index: bool = True) -> str:
    """A table as HTML without classes, ids or styles that depend on a theme."""
    body = table.to_html(border=0, index=index, index_names=False)
    body = body.replace(' class="dataframe"', "").replace("<th></th>", "<td></td>", 1)
    if caption:
        head = f"<caption><b>{html.escape(caption)}</b></caption><thead>"
        body = body.replace("<thead>", head, 1)
    return body


def html_block(parts: Iterable[str], notes: Iterable[str]) -> str:
    """Pieces of HTML, and notes as paragraphs below them."""
    paragraphs = [f"<p>{html.escape(each)}</p>" for each in notes]
    return "<div>" + "\n".join([*parts, *paragraphs]) + "</div>"


# ------------------------------------------------------------------------------ the equation


class Equation(str):
    """LaTeX source that a notebook shows as mathematics."""

    def _repr_latex_(self) -> str:
        return f"$${self}$$"


def equation(design: Design, family: Family, link: Link) -> Equation:
    """The model as data model, process model and parameter model."""
    given = r" \mid \mathbf{u}" if design.random else ""
    lines = [
        rf"{_text(_response_name(design))}_i{given} &\sim {_distribution(family, design)}",
        rf"{_link_of_mu(link)} = \eta_i &= {_linear_predictor(design)}",
        *(_random_distribution(number, design) for number in range(len(design.random))),
    ]
    return Equation(r"\begin{aligned}" + r" \\ ".join(lines) + r"\end{aligned}")


def _text(name: str) -> str:
    escaped = re.sub(r"([_#%&$])", r"\\\1", name)
    return rf"\text{{{escaped}}}"


def _response_name(design: Design) -> str:
    pair = re.fullmatch(r"(?:prop|cbind)\(\s*(.*?)\s*,.*\)", design.response.label)
    return pair.group(1) if pair else design.response.label.strip("`")


def _distribution(family: Family, design: Design) -> str:
    text = family.notation.replace(r"\mu", r"\mu_i")
    if not family.takes_trials:
        return text
    if np.all(design.trials == 1):
        return r"\mathrm{Bernoulli}(\mu_i)" if family.name == "binomial" else text.replace("N", "1")
    return text.replace("(N,", "(N_i,")


def _link_of_mu(link: Link) -> str:
    names = {"identity": r"\mu_i", "inverse": r"1/\mu_i", "log": r"\log(\mu_i)",
             "probit": r"\Phi^{-1}(\mu_i)"}  # fmt: skip
    return names.get(link.name, rf"\operatorname{{{link.name}}}(\mu_i)")


def _linear_predictor(design: Design) -> str:
    if len(design.names) > _LONGEST_SUM:
        parts = [r"\mathbf{x}_i^\top \boldsymbol{\beta}"]
    else:
        first = 0 if design.names and design.names[0] == "Intercept" else 1
        parts = [
            rf"\beta_{{{first + k}}}" + ("" if name == "Intercept" else rf"\,{_covariate(name)}")
            for k, name in enumerate(design.names)
        ]
    for number, term in enumerate(design.random):
        symbol = _symbol(number)
        if term.serial:
            parts.append(rf"{symbol}_{{{_text(term.group)}[i],{_text(term.column_name)}_i}}")
            continue
        for k, name in enumerate(term.names):
            mark = f"{k}," if len(term.names) > 1 else ""
            column = "" if name == "Intercept" else rf"\,{_covariate(name)}"
            parts.append(rf"{symbol}_{{{mark}{_text(term.group)}[i]}}{column}")
    if design.has_offset:
        parts.append(r"\text{offset}_i")
    lines = [" + ".join(parts[i : i + _TERMS_A_LINE]) for i in range(0, len(parts), _TERMS_A_LINE)]
    return r" \\ &\quad {}+ ".join(lines)


def _covariate(name: str) -> str:
    """``a[T.x]:z`` is an indicator of level x of a, times z."""
    factors = []
    for part in name.split(":"):
        match = re.fullmatch(r"(.*)\[(?:T\.)?(.*)\]", part)
        factors.append(
            rf"[{_text(match.group(1))}_i = {_text(match.group(2))}]"
            if match
            else _text(part) + "_i"
        )
    return r"\,".join(factors)


def _symbol(number: int) -> str:
    return "uvwabcd"[number] if number < 7 else f"u^{{({number})}}"


def _random_distribution(number: int, design: Design) -> str:
    term, symbol = design.random[number], _symbol(number)
    group = _text(term.group)
    # the variances of two terms on one group are told apart by the symbols of their effects
    alone = sum(other.group == term.group for other in design.random) == 1
    variance = rf"\sigma^2_{{{'' if alone else f'{symbol},'}{group}}}"
    if term.serial:
        correlation = r"\rho^{|t - t'|}" if term.structure == "ar1" else r"\rho"
        pair = rf"{symbol}_{{{group},t}}, {symbol}_{{{group},t'}}"
        return (
            rf"{symbol}_{{{group},t}} &\sim \mathrm{{N}}(0, {variance}), \quad "
            rf"\operatorname{{cor}}({pair}) = {correlation}"
        )
    if len(term.names) == 1:
        return rf"{symbol}_{{{group}}} &\sim \mathrm{{N}}(0, {variance})"
    effects = ", ".join(rf"{symbol}_{{{k},{group}}}" for k in range(len(term.names)))
    G = rf"\mathbf{{G}}_{{{group}}}"
    diagonal = rf", \quad {G} \text{{ diagonal}}" if term.structure == "independent" else ""
    return rf"({effects})^\top &\sim \mathrm{{N}}(\mathbf{{0}}, {G}){diagonal}"
