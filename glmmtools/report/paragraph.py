"""The results paragraph of a fit, for a paper: as text, HTML and LaTeX."""

from __future__ import annotations

import html
import platform
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmmtools.fitted.coefficients import tidy
from glmmtools.fitted.effects import is_factor, response_label
from glmmtools.fitted.fit import Fit
from glmmtools.formula.columns import levels_of
from glmmtools.inference.anova import anova
from glmmtools.shared.numbers import fixed, p_text, three_digits, with_digits
from glmmtools.shared.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence


_METHODS = {
    "ML": "by maximum likelihood",
    "REML": "by restricted maximum likelihood (REML)",
    "OLS": "by least squares",
    "Laplace": "by maximum likelihood with the Laplace approximation",
}
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", "×": r"$\times$", "χ²": r"$\chi^2$", "²": "$^2$",
}  # fmt: skip


def to_latex(text: str) -> str:
    """Text with LaTeX's special characters escaped and minus signs set as such.

    >>> to_latex("p < 0.05 at -1 %")
    'p $<$ 0.05 at $-$1 \\\\%'
    """
    pattern = "|".join(re.escape(each) for each in sorted(_LATEX, key=len, reverse=True))
    escaped = re.sub(pattern, lambda match: _LATEX[match.group()], text)
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)


@dataclass(frozen=True)
class Report:
    """The results of one fit as sentences; prints as text, shows as HTML in a notebook."""

    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.sentences)

    __repr__ = __str__

    def to_html(self) -> str:
        """The paragraph as HTML."""
        return f"<p>{html.escape(str(self), quote=False)}</p>"

    _repr_html_ = to_html

    def to_latex(self) -> str:
        """The paragraph as LaTeX source."""
        return to_latex(str(self))


def report(model: Fit, level: float = 0.95, versions: bool = True) -> Report:
    """Write the results of a fit as a paragraph: model, estimates, tests, variances, software.

    Estimates are given as the reader understands them: odds ratios (logit), ratios of means (log),
    differences and slopes (identity), with Wald intervals. Of a fit that did not converge the
    paragraph says so and gives no numbers.

    Parameters
    ----------
    level : float
        Confidence level of the intervals.
    versions : bool
        Name the versions of the software.

    Returns
    -------
    Report
        ``str()``, ``.to_html()`` and ``.to_latex()``.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    >>> print(m.report().sentences[3])
    Slopes, with 95 % Wald confidence intervals: days (per unit): 10.5 (7.2 to 13.7; t(17.0) =
    6.77, p < 0.0001).
    """
    sentences = [_model_sentence(model), _method_sentence(model)]
    if not model.converged:
        sentences.append("The fit did not converge, and no estimates are reported.")
    sentences += [first_sentence(str(each)) for each in model.messages]
    if model.converged:
        sentences += _estimate_sentences(model, level)
        sentences += _test_sentences(model)
        sentences += _variance_sentences(model)
        restricted = "restricted " if model.method == "REML" else ""
        sentences.append(
            f"The {restricted}log-likelihood was {fixed(model.llf, 2)} with "
            f"{plural(model.df_model, 'parameter')} "
            f"(AIC {fixed(model.aic, 2)})."
        )
    if versions:
        sentences.append(_software_sentence(model))
    return Report(tuple(sentences))


def first_sentence(message: str) -> str:
    """What happened; the advice that follows it is for the analyst, not for the reader."""
    return re.split(r"(?<=\.)\s+(?=[A-Z])", message)[0]


def _model_sentence(model: Fit) -> str:
    problem, formula = model.problem, model.problem.design.formula
    kind = "mixed model" if model.n_groups else "model"
    parts = [
        "an intercept only as fixed part" if formula.fixed == "1"
        else f"the fixed part {formula.fixed}"
    ]  # fmt: skip
    parts += [f"the offset {each}" for each in formula.offsets]
    if problem.design.has_offset and not formula.offsets:
        parts.append("an offset")
    parts += [_random_part(term) for term in problem.design.random]
    if problem.dispersion is not None:
        parts.append(f"a log dispersion linear in {problem.dispersion.text}")
    if problem.zero is not None:
        of = "" if problem.zero.text == "1" else f" whose logit is linear in {problem.zero.text}"
        parts.append(f"a probability of extra zeros{of}")
    subject = (
        f"A {'linear' if model.is_linear else 'generalized linear'} {kind} "
        f"({model.family.title} distribution, {model.link.name} link)"
    )
    return f"{subject} was fitted to {response_label(model)}, with {_joined(parts)}."


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _random_part(term) -> str:
    return f"{term.structure.in_words} of {term.group} ({plural(len(term.levels), 'level')})"


def _method_sentence(model: Fit) -> str:
    nodes = re.fullmatch(r"AGQ\((\d+)\)", model.method)
    how = _METHODS.get(model.method, f"by {model.method}") if nodes is None else (
        f"by maximum likelihood with adaptive Gauss-Hermite quadrature ({nodes.group(1)} nodes)"
    )  # fmt: skip
    dropped = f" ({plural(model.n_dropped, 'row')} with missing values left out)"
    rows = plural(model.nobs, "row") + (dropped if model.n_dropped else "")
    return f"It was estimated from {rows} {how}."


# -- estimates


def _scale(model: Fit) -> str:
    link = model.link
    return "the scale of y" if link.is_identity else f"the {link.scale} scale"


def _estimate_sentences(model: Fit, level: float) -> list[str]:
    rows = tidy(model, level)
    percent = f"{100 * level:g} % Wald confidence intervals"
    ratio = model.family.ratio_name(model.link)
    compared, plain, sentences = [], [], []
    for name, row in rows.iterrows():
        if name == "Intercept":
            sentences += _intercept_sentence(model, row, percent)
            continue
        text = _column_text(model, name)
        if text is None:
            plain.append(f"{name}: {_interval(row)}")
        elif not ratio:
            compared.append(f"{text}: {_interval(row)}")
        else:
            kind = f" (ratio of {ratio}s)" if ":" in name else ""
            compared.append(f"{text}{kind}: {_interval(row, np.exp)}")
    if compared:
        head = _heading(model, ratio)
        sentences.append(f"{head}, with {percent}: {'; '.join(compared)}.")
    if plain:
        sentences.append(f"Coefficients on {_scale(model)}, with {percent}: {'; '.join(plain)}.")
    if compared and not _holds_on_average(model):
        sentences.append(
            "These effects are conditional: they compare rows with the same random effects of "
            f"{_joined(list(model.n_groups))}, and are not averages over the population."
        )
    return sentences


def _heading(model: Fit, ratio: str) -> str:
    if ratio:
        zeros = model.problem.zero is not None
        name = ratio.replace("ratio", "ratios", 1).capitalize()
        return f"{name} of the counts that are not extra zeros" if zeros else name
    if not model.link.is_identity:
        return f"Coefficients on the {model.link.name} scale"
    parts = {part for name in model.params.index for part in name.split(":")} - {"Intercept"}
    kinds = ["Differences"] if any("[" in part for part in parts) else []
    kinds += ["slopes"] if any("[" not in part for part in parts) else []
    return " and ".join(kinds).capitalize()


def _holds_on_average(model: Fit) -> bool:
    """Whether a coefficient means the same given the random effects and averaged over them."""
    slopes = any(term.names != ("Intercept",) for term in model.problem.design.random)
    collapsible = model.link.is_identity or (model.link.is_log and not slopes)
    return collapsible or not model.n_groups


def _column_text(model: Fit, name: str) -> str | None:
    """One column of the fixed part in words: ``"period 2 vs 1"``, ``"days"``, and interactions.

    None for a column that is no difference from a base: other codings, no intercept.
    """
    parts = [_part_text(model, part) for part in name.split(":")]
    held = _held_by_interactions(model, name)
    if None in parts or held is None or "Intercept" not in model.params.index:
        return None
    remarks = ["per unit"] if parts == [name] else []
    remarks += [f"at {_joined(held)}"] if held else []
    return " × ".join(parts) + (f" ({'; '.join(remarks)})" if remarks else "")


def _part_text(model: Fit, part: str) -> str | None:
    match = re.fullmatch(r"(.*)\[T\.(.*)\]", part)
    if match is None:
        return None if "[" in part else part
    base = _base_level(model, match.group(1))
    return None if base is None else f"{_bare(match.group(1))} {match.group(2)} vs {base}"


def _bare(factor: str) -> str:
    match = re.fullmatch(r"C\(\s*`?([^,`]*?)`?\s*\)", factor)
    return match.group(1) if match else factor.strip("`")


def _base_level(model: Fit, factor: str) -> object | None:
    """The first level of a factor in treatment coding; None if it is not a plain column."""
    name = _bare(factor)
    frame = model.problem.design.frame
    return levels_of(frame[name])[0] if name in frame and is_factor(model, name) else None


def _held_by_interactions(model: Fit, name: str) -> list[str] | None:
    """Where the other variables of interactions with this column are for its coefficient."""
    own, held = set(map(_variable, name.split(":"))), {}
    for other in model.params.index:
        parts = {_variable(part): part for part in other.split(":")}
        if own < set(parts):
            held |= {key: parts[key] for key in parts if key not in own}
    shown = [_zero_of(model, part) for part in held.values()]
    return None if None in shown else shown


def _variable(part: str) -> str:
    return part.split("[")[0]


def _zero_of(model: Fit, part: str) -> str | None:
    """Where a variable stands when its columns are zero: ``"days = 0"``, ``"period = 1"``."""
    match = re.fullmatch(r"(.*)\[T\.(.*)\]", part)
    if match is None:
        return None if "[" in part else f"{part.strip('`')} = 0"
    base = _base_level(model, match.group(1))
    return None if base is None else f"{_bare(match.group(1))} = {base}"


def _intercept_sentence(model: Fit, row: pd.Series, percent: str) -> list[str]:
    parts = {_variable(p): p for name in model.params.index for p in name.split(":")}
    parts.pop("Intercept", None)
    zeros = [_zero_of(model, part) for part in parts.values()]
    beyond = any(not _has_zero(model, part) for part in parts.values())
    if None in zeros or beyond or model.problem.zero is not None:
        return []
    if model.problem.design.has_offset:
        zeros.append("offset 0")
    where = f"At {_joined(zeros)} the" if zeros else "The"
    what = "probability" if model.family.takes_trials else "mean"
    random = " with random effects at 0" if model.n_groups else ""
    low, high = np.sort(model.link.inverse(row[["conf_low", "conf_high"]].to_numpy(float)))
    shown = _rounded(float(model.link.inverse(row["estimate"])), low, high)
    confidence = percent.replace("intervals", "interval")
    return [f"{where} {what}{random} was {shown[0]} ({confidence} {shown[1]} to {shown[2]})."]


def _has_zero(model: Fit, part: str) -> bool:
    """Whether 0 lies in the observed range of a covariate, so that its mean is no extrapolation."""
    names = list(model.params.index)
    if part not in names:
        return True
    column = model.problem.design.X[:, names.index(part)]
    return bool(column.min() <= 0 <= column.max())


def _interval(row: pd.Series, scale=np.asarray) -> str:
    """Estimate, interval, test: ``"0.37 (0.20 to 0.68; z = -3.24, p = 0.0012)"``."""
    values = [float(scale(row[each])) for each in ("estimate", "conf_low", "conf_high")]
    estimate, low, high = _rounded(*values)
    df = row["df"]
    statistic = f"t({fixed(df, 1)})" if np.isfinite(df) else "z"
    return (
        f"{estimate} ({low} to {high}; {statistic} = {fixed(row['statistic'], 2)}, "
        f"{_p(row['p_value'])})"
    )


def _rounded(estimate: float, low: float, high: float) -> list[str]:
    """With as many decimals as the interval has: two digits of half its width."""
    return with_digits((estimate, low, high), (high - low) / 2, 2)


def _p(value: float) -> str:
    shown = p_text(value)
    return f"p < {shown[1:]}" if shown.startswith("<") else f"p = {shown}"


# -- tests, variances, software


def _test_sentences(model: Fit) -> list[str]:
    if "Intercept" not in model.params.index or len(model.params) == 1:
        return []
    parts = []
    for term, row in anova(model, type=2).iterrows():
        if row["kind"] == "F":
            statistic = f"F({row['df']:g}, {fixed(row['den_df'], 1)})"
        else:
            statistic = f"χ²({row['df']:g})"
        parts.append(f"{term}: {statistic} = {fixed(row['statistic'], 2)}, {_p(row['p_value'])}")
    return [f"Type II Wald tests of the terms: {'; '.join(parts)}."]


def _variance_sentences(model: Fit) -> list[str]:
    components = model.variance_components
    sds, correlations = [], []
    for group, rows in components.groupby("group", sort=False):
        if group == "Residual":
            sds.append(f"{three_digits(rows['sd'].iloc[0])} for the residuals")
            continue
        for place, row in enumerate(rows.itertuples()):
            name = "intercept" if row.term == "Intercept" else row.term
            sds.append(f"{three_digits(row.sd)} for {group} ({name})")
            for k in range(1, len(rows) + 1):
                value = getattr(row, "corr" if k == 1 else f"corr{k}", np.nan)
                if np.isfinite(value):
                    pair = f"{rows['term'].iloc[k - 1]} and {row.term}" if place else row.term
                    correlations.append(f"{value:.2f} in {group} ({pair})")
    sentences = []
    if sds:
        aside = f", on {_scale(model)},"
        sentences.append(f"{_the('standard deviation', sds, aside)} {_joined(sds)}.")
    if correlations:
        sentences.append(f"{_the('correlation', correlations)} {_joined(correlations)}.")
    return sentences + _dispersion_sentences(model)


def _dispersion_sentences(model: Fit) -> list[str]:
    values, sentences = model.further_dispersion, []
    if "zero" in values:
        zero = three_digits(values.pop("zero"))
        sentences.append(f"The probability of an extra zero was {zero}.")
    for noun, names in (
        ("dispersion parameter", [name for name in values.index if ":" not in name]),
        ("further coefficient", [name for name in values.index if ":" in name]),
    ):
        if names:
            shown = [f"{name} = {three_digits(values[name])}" for name in names]
            sentences.append(f"{_the(noun, shown)} {_joined(shown)}.")
    return sentences


def _the(noun: str, items: list[str], aside: str = "") -> str:
    return f"The {noun}{aside} was" if len(items) == 1 else f"The {noun}s{aside} were"


def _software_sentence(model: Fit) -> str:
    from importlib import metadata

    own = model.engine == "laplace"
    engine = "its own Laplace engine" if own else f"{model.engine} {metadata.version(model.engine)}"
    return (
        f"Software: glmmtools {metadata.version('glmmtools')} with {engine}, NumPy "
        f"{np.__version__} and Python {platform.python_version()}."
    )
