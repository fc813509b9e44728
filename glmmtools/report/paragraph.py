"""The results paragraph of a fit, for a paper: as text, HTML and LaTeX."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit, has_maximum
from glmmtools.fitted.parameters import tidy
from glmmtools.formula.brackets import unquoted
from glmmtools.formula.coding import Factor, Indicator, ModelColumn, Numeric
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.inference.anova import anova
from glmmtools.report.components import factor_text, joined, scale_in_words, variance_sentences
from glmmtools.report.summary import prior_in_words
from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.markup import latex_text
from glmmtools.shared.numbers import fixed, p_text, three_digits, with_digits
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.text import plural

_LARGEST_LOG_RATIO = np.log(1000)  # of a covariate: beyond it a smaller step is easier to read
_LARGEST_LOG_NUMBER = 700  # exp of more is infinite
_METHODS = {
    "ML": "by maximum likelihood",
    "REML": "by restricted maximum likelihood (REML)",
    "OLS": "by least squares",
    "Laplace": "by maximum likelihood with the Laplace approximation",
    "GEE": "by generalized estimating equations (GEE), with robust standard errors",
}


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """The results of one fit as sentences; prints as text, shows as HTML in a notebook."""

    sentences: tuple[str, ...]

    def _content(self) -> Content:
        return Content(notes=[" ".join(self.sentences)])

    def to_html(self) -> str:
        """The paragraph as HTML."""
        return self._content().html()

    def to_latex(self) -> str:
        """The paragraph as LaTeX source."""
        return latex_text(str(self))


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
    check_arguments(report, locals())
    sentences = [_model_sentence(model), _method_sentence(model)]
    if not model.converged:
        sentences.append("The fit did not converge, and no estimates are reported.")
    sentences += [first_sentence(str(message)) for message in model.issued]
    if model.converged:
        sentences += _estimate_sentences(model, level)
        sentences += _test_sentences(model)
        sentences += variance_sentences(model)
        sentences += _fit_sentence(model)
    if versions:
        sentences.append(_software_sentence(model))
    return Report(tuple(sentences))


def _fit_sentence(model: Fit) -> list[str]:
    working = model.estimate.working
    if working is None:
        restricted = "restricted " if model.method == "REML" else ""
        aside = f"AIC {fixed(model.aic, 2)}" if has_maximum(model) else "without the penalty"
        return [
            f"The {restricted}log-likelihood was {fixed(model.llf, 2)} with "
            f"{plural(model.df_model, 'parameter')} ({aside})."
        ]
    return [f"The working correlation was {working.pairs}."] if working.pairs else []


def first_sentence(message: str) -> str:
    """What happened; the advice that follows it is for the analyst, not for the reader."""
    return re.split(r"(?<=\.)\s+(?=[A-Z])", message)[0]


def _model_sentence(model: Fit) -> str:
    problem, formula = model.problem, model.design.formula
    only = formula.fixed == "1"
    parts = ["an intercept only as fixed part" if only else f"the fixed part {formula.fixed}"]
    parts += [f"the offset {unquoted(offset)}" for offset in formula.offsets]
    parts += ["an offset"] * problem.design.has_offset_of_values
    if problem.design.weights is not None:
        given = problem.design.given.get("weights", "")
        parts.append(f"weights {given}")
    parts += list(map(_term_in_words, problem.design.random))
    if problem.residual is not None:
        parts.append(problem.residual.in_words)
    if problem.clusters is not None:
        groups = plural(len(problem.clusters.sizes), "level")
        parts.append(
            f"the working correlation {problem.clusters.working.name!r} within "
            f"{problem.clusters.group} ({groups})"
        )
    if problem.dispersion is not None:
        parts.append(f"a log dispersion linear in {problem.dispersion.text}")
    if problem.zero is not None:
        of = [] if problem.zero.text == "1" else [problem.zero.text]
        of += map(_term_in_words, problem.zero.random)
        zeros = "a zero" if problem.has_two_parts else "extra zeros"
        linear = f" whose logit is linear in {joined(of)}" if of else ""
        parts.append(f"a probability of {zeros}{linear}")
    subject = f"A {model.kind} ({model.family.title} distribution, {model.link.name} link)"
    return f"{subject} was fitted to {problem.design.response.label}, with {joined(parts)}."


def _term_in_words(term: RandomTerm) -> str:
    return f"{term.structure.in_words} of {term.group} ({plural(len(term.levels), 'level')})"


def _method_sentence(model: Fit) -> str:
    method = model.method.removeprefix("penalised ")
    how = _METHODS.get(method, f"by {method}")
    if method.startswith("AGQ"):
        nodes = f"({model.problem.nagq} nodes)"
        how = f"by maximum likelihood with adaptive Gauss-Hermite quadrature {nodes}"
    if model.problem.penalty is not None:
        how += f", penalised: the prior of the {prior_in_words(model)}"
    dropped = f" ({plural(model.n_dropped, 'row')} with missing values left out)"
    rows = plural(model.nobs, "row") + (dropped if model.n_dropped else "")
    return f"It was estimated from {rows} {how}."


# -- estimates


def _estimate_sentences(model: Fit, level: float) -> list[str]:
    rows = tidy(model, level, part="mean")
    percent = f"{100 * level:.10g} % Wald confidence intervals"
    ratio = model.family.ratio_name(model.link)
    compared, plain, sentences = {}, [], []
    for column, (name, row) in zip(model.design.columns, rows.iterrows(), strict=True):
        if not np.isfinite(row["estimate"]):
            continue  # a message names it
        if column.is_intercept:
            sentences += _intercept_sentence(model, row, percent)
            continue
        unit = _unit(column, row) if ratio else 1
        text = _column_text(model, column, unit)
        if text is None:
            plain.append(f"{name}: {_interval(row)}")
        elif not ratio:
            compared[column] = f"{text}: {_interval(row)}"
        else:
            kind = f" (ratio of {_ratios_of(ratio)})" if len(column.factors) > 1 else ""
            compared[column] = f"{text}{kind}: {_interval(row, unit)}"
    if compared:
        heading, texts = _heading(model, ratio, list(compared)), "; ".join(compared.values())
        sentences.append(f"{heading}, with {percent}: {texts}.")
    if plain:
        scale = scale_in_words(model)
        sentences.append(f"Coefficients on {scale}, with {percent}: {'; '.join(plain)}.")
    if compared and not _holds_on_average(model):
        groups = list(dict.fromkeys(term.group for term in model.design.random))
        sentences.append(
            "These effects are conditional: they compare rows with the same random effects of "
            f"{joined(groups)}, and are not averages over the population."
        )
    return sentences


def _unit(column: ModelColumn, row: pd.Series) -> float:
    """The step of a covariate that its ratio is for: 1, or a power of ten that can be read."""
    if not any(isinstance(factor, Numeric) for factor in column.factors):
        return 1
    largest = row[["conf_low", "conf_high"]].abs().max()
    return 10.0 ** min(0, np.floor(np.log10(_LARGEST_LOG_RATIO / largest)))


def _heading(model: Fit, ratio: str, columns: Sequence[ModelColumn]) -> str:
    if ratio:
        name = _ratios_of(ratio).capitalize()
        if not model.mean_is_mu:
            return f"{name} of μ, where E(y) is {model.family.mean_text}"
        if model.problem.has_two_parts:
            return f"{name} of the values that are not 0"
        zeros = model.problem.zero is not None
        return f"{name} of the counts that are not extra zeros" if zeros else name
    if not model.link.is_identity:
        return f"Coefficients on the {model.link.name} scale"
    factors = [factor for column in columns for factor in column.factors]
    kinds = ["Differences"] if any(isinstance(factor, Indicator) for factor in factors) else []
    kinds += ["slopes"] if any(isinstance(factor, Numeric) for factor in factors) else []
    return " and ".join(kinds).capitalize()


def _ratios_of(ratio: str) -> str:
    """The plural of ``"odds ratio"`` or ``"ratio of means"``."""
    return ratio.replace("ratio", "ratios", 1)


def _holds_on_average(model: Fit) -> bool:
    """Whether a coefficient means the same given the random effects and averaged over them."""
    slopes = any(term.names != ("Intercept",) for term in model.design.random)
    collapsible = model.link.is_identity or (model.link.is_log and not slopes)
    return collapsible or not model.design.random


def _column_text(model: Fit, column: ModelColumn, unit: float) -> str | None:
    """One column of the fixed part in words: ``"period 2 vs 1"``, ``"days"``, and interactions.

    None for a column that is no difference from a base: other codings, no intercept; and for a
    covariate of which the model has the square or another function, so that it cannot change alone.
    """
    factors = [factor_text(factor) for factor in column.factors]
    held = _held_by_interactions(model, column)
    if None in factors or held is None or not _has_intercept(model) or _is_curved(model, column):
        return None
    slope = len(column.factors) == 1 and isinstance(column.factors[0], Numeric)
    remarks = [f"per {'unit' if unit == 1 else f'{unit:g}'}"] if slope or unit != 1 else []
    remarks += [f"at {joined(held)}"] if held else []
    return " × ".join(factors) + (f" ({'; '.join(remarks)})" if remarks else "")


def _is_curved(model: Fit, column: ModelColumn) -> bool:
    """Whether another function of a number in this column is multiplied by the same variables."""
    for factor in column.factors:
        variable, rest = factor.variable, set(column.variables) - {factor.variable}
        for other in model.design.columns:
            functions = set(other.variables) - set(column.variables)
            if rest <= set(other.variables) and any(
                set(function.columns) & set(variable.columns) for function in functions
            ):
                return True
    return False


def _has_intercept(model: Fit) -> bool:
    return any(column.is_intercept for column in model.design.columns)


def _held_by_interactions(model: Fit, column: ModelColumn) -> list[str] | None:
    """Where the other variables of interactions with this column are for its coefficient."""
    own, held = set(column.variables), {}
    for other in model.design.columns:
        if own < set(other.variables):
            held |= {factor.variable: factor for factor in other.factors}
    zeros = [_zero_of(factor) for variable, factor in held.items() if variable not in own]
    return None if None in zeros else zeros


def _zero_of(factor: Factor) -> str | None:
    """Where a variable stands when its columns are zero: ``"days = 0"``, ``"period = 1"``."""
    match factor:
        case Numeric(variable):
            return f"{variable.name} = 0"
        case Indicator(variable, base=base) if base is not None:
            return f"{variable.name} = {base}"
    return None


def _intercept_sentence(model: Fit, row: pd.Series, percent: str) -> list[str]:
    columns = model.design.columns
    factors = {factor.variable: factor for column in columns for factor in column.factors}
    zeros = [_zero_of(factor) for factor in factors.values()]
    beyond = any(not _has_zero(model, factor) for factor in factors.values())
    if None in zeros or beyond or model.problem.zero is not None or not model.mean_is_mu:
        return []
    if model.design.has_offset:
        zeros.append("offset 0")
    where = f"At {joined(zeros)} the" if zeros else "The"
    what = "probability" if model.family.takes_trials else "mean"
    random = " with random effects at 0" if model.design.random else ""
    low, high = np.sort(model.link.inverse(row[["conf_low", "conf_high"]].to_numpy(float)))
    mean, low, high = _rounded(float(model.link.inverse(row["estimate"])), low, high)
    confidence = percent.replace("intervals", "interval")
    return [f"{where} {what}{random} was {mean} ({confidence} {low} to {high})."]


def _has_zero(model: Fit, factor: Factor) -> bool:
    """Whether 0 lies in the observed range of a covariate, so that its mean is no extrapolation."""
    design = model.design
    alone = [column.factors == (factor,) for column in design.columns]
    if not any(alone):
        return True
    values = design.X[:, alone.index(True)]
    return bool(values.min() <= 0 <= values.max())


def _interval(row: pd.Series, step_of_ratio: float | None = None) -> str:
    """Estimate, interval, test: ``"0.37 (0.20 to 0.68; z = -3.24, p = 0.0012)"``.

    With a step the ratio that the estimate is the logarithm of, for a step of so many units.
    """
    values = row[["estimate", "conf_low", "conf_high"]].to_numpy(float)
    if step_of_ratio is None:
        estimate, low, high = _rounded(*values)
    else:
        estimate, low, high = _ratios(step_of_ratio * values)
    name = f"t({fixed(row['df'], 1)})" if np.isfinite(row["df"]) else "z"
    test = f"{name} = {fixed(row['statistic'], 2)}, {_p(row['p_value'])}"
    return f"{estimate} ({low} to {high}; {test})"


def _ratios(logarithms: np.ndarray) -> list[str]:
    """A ratio and its limits; in powers of ten where decimals would show 0 or infinity."""
    if np.abs(logarithms).max() > _LARGEST_LOG_NUMBER:
        return [f"{Decimal(value).exp():.2e}" for value in logarithms]
    ratios = np.exp(logarithms)
    return [
        text if float(text) else three_digits(ratio)
        for text, ratio in zip(_rounded(*ratios), ratios, strict=True)
    ]


def _rounded(estimate: float, low: float, high: float) -> list[str]:
    """With as many decimals as the interval has: two digits of half its width."""
    return with_digits((estimate, low, high), (high - low) / 2, 2)


def _p(value: float) -> str:
    text = p_text(value)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


# -- tests, variances, software


def _test_sentences(model: Fit) -> list[str]:
    if not _has_intercept(model) or len(model.params) == 1:
        return []
    kind = "likelihood-ratio" if model.separated else "Wald"
    try:
        tests = anova(model, type=2, test="lr" if model.separated else "wald")
    except ValueError:  # a refit did not converge
        return []
    parts = []
    for term, row in tests.iterrows():
        if row["kind"] == "F":
            statistic = f"F({row['df']:g}, {fixed(row['den_df'], 1)})"
        else:
            statistic = f"χ²({row['df']:g})"
        parts.append(f"{term}: {statistic} = {fixed(row['statistic'], 2)}, {_p(row['p_value'])}")
    return [f"Type II {kind} tests of the terms: {'; '.join(parts)}."]


def _software_sentence(model: Fit) -> str:
    from importlib import metadata

    own = model.engine == "laplace"
    engine = "its own engine" if own else f"statsmodels {metadata.version('statsmodels')}"
    return (
        f"Software: glmmtools {metadata.version('glmmtools')} with {engine}, NumPy "
        f"{np.__version__} and Python {platform.python_version()}."
    )
