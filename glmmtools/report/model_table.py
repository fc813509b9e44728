"""Several fits side by side, as text, HTML and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmmtools.covariances.working import WorkingCorrelation
from glmmtools.fitted.fit import Fit, has_maximum
from glmmtools.fitted.parameters import tidy
from glmmtools.report.paragraph import first_sentence
from glmmtools.shared.arguments import check_arguments, shown
from glmmtools.shared.markup import html_text, latex_text
from glmmtools.shared.numbers import fixed, three_digits, with_digits
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.terminal import Printed


@hands_out_copies("frame")
@dataclass(frozen=True, repr=False)
class ModelTable(Printed):
    """Several fits side by side; prints as text, shows as HTML in a notebook.

    Attributes
    ----------
    frame : DataFrame
        Text, indexed by part and row, one column a model.
    notes : tuple of str
        What must be said below the table.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]

    def _blocks(self) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
        """Each part with its rows: the name, and one cell a model."""
        for part, block in self.frame.groupby(level=0, sort=False):
            yield part, list(block.droplevel(0).itertuples(name=None))

    def _text(self) -> str:
        first = 2 + max(map(len, self.frame.index.get_level_values(1)))
        widths = [max(len(name), *map(len, self.frame[name])) for name in self.frame]

        def line(name: str, *cells: str) -> str:
            padded = [f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)]
            return "  ".join([f"{name:<{first}}", *padded]).rstrip()

        lines = [line("", *self.frame.columns)]
        for part, rows in self._blocks():
            lines += [part, *(line(f"  {name}", *cells) for name, *cells in rows)]
        return "\n".join([*lines, *self.notes])

    def to_html(self) -> str:
        """The table as HTML."""
        head = "".join(f"<th>{html_text(name)}</th>" for name in self.frame.columns)
        lines = [f"<table><thead><tr><th></th>{head}</tr></thead><tbody>"]
        width = len(self.frame.columns) + 1
        for part, rows in self._blocks():
            lines.append(
                f'<tr><th colspan="{width}" style="text-align:left">{html_text(part)}</th></tr>'
            )
            for name, *cells in rows:
                row = "".join(f"<td>{html_text(cell)}</td>" for cell in cells)
                lines.append(f'<tr><td style="text-align:left">{html_text(name)}</td>{row}</tr>')
        notes = "".join(f"<p>{html_text(note)}</p>" for note in self.notes)
        return "\n".join([*lines, f"</tbody></table>{notes}"])

    _repr_html_ = to_html

    def to_latex(self) -> str:
        """The table as a LaTeX ``tabular``, without packages."""
        width = len(self.frame.columns) + 1
        lines = [
            rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}", r"\hline",
            " & ".join(["", *map(latex_text, self.frame.columns)]) + r" \\", r"\hline",
        ]  # fmt: skip
        for part, rows in self._blocks():
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{latex_text(part)}}}}} \\")
            lines += [" & ".join(map(latex_text, row)) + r" \\" for row in rows]
        lines += [r"\hline", r"\end{tabular}"]
        return "\n".join([*lines, *(rf"\par {latex_text(note)}" for note in self.notes)])


def table(*models: Fit, names: Sequence[str] | None = None) -> ModelTable:
    """Put several fitted models side by side.

    Parameters
    ----------
    *models : Fit
    names : sequence of str, optional
        One for each model; default ``model 1``, ``model 2`` and so on.

    Returns
    -------
    ModelTable
        Estimates with standard errors in brackets (on the link scale), standard deviations and
        correlations of the random effects, dispersion, log-likelihood, AIC, rows; prints, shows in
        a notebook, ``.to_html()``, ``.to_latex()``, and ``.frame``.

    Raises
    ------
    ValueError
        If there is no model, or not one name for each.

    Examples
    --------
    >>> import glmmtools as gt
    >>> sleep = gt.load_data("sleep")
    >>> m1 = gt.fit("reaction ~ days + (1 | subject)", sleep)
    >>> m2 = gt.fit("reaction ~ days + (days | subject)", sleep)
    >>> print(table(m1, m2, names=["intercepts", "slopes"]).frame.loc["Fit"])
                       intercepts   slopes
    row
    rows                      180      180
    levels of subject          18       18
    parameters                  4        6
    logLik                -897.04  -875.97
    AIC                   1802.08  1763.94
    """
    check_arguments(table, locals())
    if not models:
        raise ValueError("table() needs one fitted model or more")
    given = [f"model {k + 1}" for k in range(len(models))] if names is None else names
    names = list(given) if np.iterable(given) and not isinstance(given, str) else []
    are_texts = all(isinstance(name, str) for name in names)
    if len(names) != len(models) or not are_texts or len(set(names)) < len(names):
        raise ValueError(
            f"names needs one different name for each of the {len(models)} models; got "
            f"{shown(given)}"
        )
    columns = {name: _cells(model) for name, model in zip(names, models, strict=True)}
    rows = _in_order([list(cells) for cells in columns.values()])
    frame = pd.DataFrame(
        {name: [cells.get(row, "") for row in rows] for name, cells in columns.items()},
        index=pd.MultiIndex.from_tuples(rows, names=["part", "row"]),
    )
    return ModelTable(frame, tuple(_notes(models, names)))


_PARTS = ("Model", "Fixed effects: estimate (standard error), link scale",
          "Random effects: standard deviation, correlation", "Dispersion", "Fit")  # fmt: skip


def _in_order(lists: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """All rows, part by part, each in the order of first appearance; residuals last."""
    every = list(dict.fromkeys(row for rows in lists for row in rows))
    last = ("sd Residual", "parameters", "logLik", "REML logLik", "AIC")
    place = {name: k for k, name in enumerate(last, start=1)}
    return sorted(every, key=lambda row: (_PARTS.index(row[0]), place.get(row[1], 0)))


def _cells(model: Fit) -> dict[tuple[str, str], str]:
    about, coefficients, random, dispersion, fit = _PARTS
    cells = {
        (about, "distribution"): model.family.name,
        (about, "link"): model.link.name,
        (about, "method"): model.method,
    }
    if model.estimate.working is not None:
        cells[about, "working correlation"] = _working(model.estimate.working)
    for name in model.params.index:
        both = model.params[name], model.bse[name]
        estimate, error = with_digits(both, both[1], 3)
        cells[coefficients, name] = f"{estimate} ({error})"
    for row in model.variance_components.to_dict("records"):
        label = f"{row['group']} {row['term']}".strip()
        label += f" ({row['part']})" if row.get("part", "mean") != "mean" else ""
        cells[random, f"sd {label}"] = three_digits(row["sd"])
        for key, value in row.items():
            if key.startswith("corr") and np.isfinite(value):
                place = "" if key == "corr" else f" ({key[4:]})"
                cells[random, f"corr {label}{place}"] = f"{value:.2f}"
    errors = tidy(model)["std_error"]
    for name, value in model.further_dispersion.items():
        cells[dispersion, name] = three_digits(value)
        if name in errors.index:
            estimate, error = with_digits((value, errors[name]), errors[name], 3)
            cells[dispersion, name] = f"{estimate} ({error})"
    cells[fit, "rows"] = str(model.nobs)
    for group, levels in model.n_groups.items():
        cells[fit, f"levels of {group}"] = str(levels)
    cells[fit, "parameters"] = str(model.df_model)
    if model.estimate.working is None:
        cells[fit, "REML logLik" if model.method == "REML" else "logLik"] = fixed(model.llf, 2)
    if has_maximum(model):
        cells[fit, "AIC"] = fixed(model.aic, 2)
    return cells


def _working(working: WorkingCorrelation) -> str:
    return working.name + (f" ({working.alpha:.2f})" if working.pairs else "")


def _notes(models, names: list[str]) -> list[str]:
    notes = []
    for model, name in zip(models, names, strict=True):
        if not model.converged:
            notes.append(f"{name} did not converge: its numbers are not estimates.")
        if model.singular or model.separated:
            reasons = " ".join(first_sentence(str(message)) for message in model.issued)
            notes.append(f"{name} is {'singular' if model.singular else 'separated'}: {reasons}")
        if model.problem.penalty is not None:
            notes.append(
                f"{name} is penalised (penalty={model.problem.penalty:g}): its logLik is not "
                "maximal."
            )
    responses = {model.design.response.label for model in models}
    if len(responses) > 1 or len({model.nobs for model in models}) > 1:
        notes.append(
            "The models are not of the same response and rows: their logLik and AIC cannot be "
            "compared."
        )
        return notes
    methods = {model.method for model in models}
    if "REML" in methods and len({tuple(model.params.index) for model in models}) > 1:
        notes.append(
            "REML criteria (and AIC) of models with different fixed parts cannot be compared; "
            "refit with reml=False."
        )
    elif "REML" in methods and len(methods) > 1:
        notes.append("REML criteria cannot be compared with log-likelihoods.")
    return notes
