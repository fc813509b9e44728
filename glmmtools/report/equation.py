"""The LaTeX of a model: what is distributed how, given what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from glmmtools.engine.problem import Problem
from glmmtools.formula.clusters import Clusters
from glmmtools.formula.coding import BasisColumn, Factor, Indicator, ModelColumn
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.markup import latex_within_mathematics
from glmmtools.shared.terminal import printable

_LONGEST_SUM = 8
_TERMS_A_LINE = 3
_SIGMA, _EPSILON = r"\sigma^2", r"\varepsilon"


class Equation(str):
    """LaTeX source that a notebook shows as mathematics."""

    def __str__(self) -> str:
        return printable(str.__str__(self))

    def _repr_latex_(self) -> str:
        return f"$${self}$$"


Line = tuple[str, str]
"""Left and right of the place where the lines of an equation are aligned."""


def equation(problem: Problem) -> Equation:
    """The model as data model, process model and parameter model.

    Of a population-averaged model: the mean and variance of a row, and the working correlation.
    """
    if problem.clusters is None:
        layers = equation_layers(problem)
    else:
        layers = _population_layers(problem, problem.clusters)
    lines = [line for layer in layers for line in layer]
    written = r" \\ ".join(f"{left} &{right}".lstrip() for left, right in lines)
    return Equation(rf"\begin{{aligned}}{written}\end{{aligned}}")


def equation_layers(
    problem: Problem, text: Callable[[str], str] = latex_within_mathematics
) -> list[list[Line]]:
    """The lines of the data model, the process model and the parameter model.

    Parameters
    ----------
    text : callable
        How a name or level of the data is written inside a formula.
    """
    return [
        _data_lines(problem, text),
        _process_lines(problem, text),
        [
            *(
                _random_distribution(number, problem.random, text)
                for number in range(len(problem.random))
            ),
            *_residual_distribution(problem, text),
        ],
    ]


def _data_lines(problem: Problem, text: Callable[[str], str]) -> list[Line]:
    given = r" \mid \mathbf{u}" if problem.random else ""
    response = f"{text(problem.design.response.name)}_i{given}"
    if problem.residual is not None:
        return [(response, rf"= \mu_i + {_residual_of_row(problem.residual, text)}")]
    distribution = rf"\sim {_distribution(problem)}"
    if problem.zero is None:
        return [(response, distribution)]
    probability = text(" with probability ")
    return [
        (response, rf"= 0{probability}\pi_i"),
        (response, rf"{distribution}{probability}1 - \pi_i"),
    ]


def _process_lines(problem: Problem, text: Callable[[str], str]) -> list[Line]:
    """What the mean depends on, and what the dispersion and the probability of an extra zero."""
    design = problem.design
    link_of_mu = problem.link.short_equation.replace(r"\mu", r"\mu_i")
    first = 0 if design.columns and design.columns[0].is_intercept else 1
    sums = [*_weighted(design.columns, r"\beta", first, text)]
    sums += _random_effects(design.random, 0, text)
    sums += [r"\text{offset}_i"] if design.has_offset else []
    lines = _equals(rf"{link_of_mu} = \eta_i", sums)
    for part, parameter, coefficient in (
        (problem.dispersion, rf"\log({_phi(problem)})", r"\delta"),
        (problem.zero, r"\operatorname{logit}(\pi_i)", r"\gamma"),
    ):
        if part is not None:
            sums = _weighted(part.columns, coefficient, 0, text)
            sums += _random_effects(part.random, len(design.random), text)
            lines += _equals(parameter, sums)
    return lines


def _equals(left: str, parts: list[str]) -> list[Line]:
    """An equation with a sum on its right, in lines of a few terms."""
    first, *others = [
        " + ".join(parts[i : i + _TERMS_A_LINE]) for i in range(0, len(parts), _TERMS_A_LINE)
    ] or ["0"]
    return [(left, f"= {first}"), *(("", rf"\quad {{}}+ {other}") for other in others)]


def _population_layers(problem: Problem, clusters: Clusters) -> list[list[Line]]:
    """What estimating equations assume: no distribution, and the variance up to a factor."""
    design, response = problem.design, latex_within_mathematics(problem.design.response.name)
    trials = "" if design.trials is None or np.all(design.trials == 1) else r"N_i\,"
    time = latex_within_mathematics(clusters.time_name or "row")
    correlation = clusters.working.latex(time)
    group = latex_within_mathematics(clusters.group)
    together = rf"\quad \text{{for }} {group}[i] = {group}[j]"
    return [
        [
            (rf"\mathrm{{E}}({response}_i)", rf"= {trials}\mu_i"),
            (
                rf"\mathrm{{Var}}({response}_i)",
                rf"\propto \mathrm{{Var}}[{_distribution(problem)}]",
            ),
        ],
        _process_lines(problem, latex_within_mathematics),
        [(rf"\mathrm{{Corr}}({response}_i, {response}_j)", f"= {correlation}{together}")],
    ]


def _distribution(problem: Problem) -> str:
    family, design = problem.family, problem.design
    text = family.notation.replace(r"\mu", r"\mu_i")
    if problem.dispersion is not None:
        text = text.replace(_SIGMA, _phi(problem)).replace(r"\phi", _phi(problem))
    if family.weights_divide_phi and design.weights is not None:
        text = text.removesuffix(")") + " / w_i)"
    if not family.takes_trials:
        return text
    if np.all(design.trials == 1):
        bernoulli = family.is_bernoulli(design.trials)
        return r"\mathrm{Bernoulli}(\mu_i)" if bernoulli else text.replace("N", "1")
    return text.replace("(N,", "(N_i,")


def _phi(problem: Problem) -> str:
    """The dispersion of row i, as the notation of the family calls it."""
    return r"\sigma_i^2" if _SIGMA in problem.family.notation else r"\phi_i"


def _weighted(
    columns: Sequence[ModelColumn], coefficient: str, first: int, text: Callable[[str], str]
) -> list[str]:
    """Columns times their coefficients; as a product of vectors where there are many."""
    if len(columns) > _LONGEST_SUM:
        vector = r"\mathbf{x}" if coefficient == r"\beta" else r"\mathbf{z}"
        return [rf"{vector}_i^\top \boldsymbol{{{coefficient}}}"]
    return [
        rf"{coefficient}_{{{place}}}{_times(column, text)}"
        for place, column in enumerate(columns, first)
    ]


def _random_effects(
    terms: Sequence[RandomTerm], first: int, text: Callable[[str], str]
) -> list[str]:
    """The random effects of a row, in symbols from the `first` on."""
    parts = []
    for number, term in enumerate(terms, first):
        symbol, group = _symbol(number), text(term.group)
        if term.structure.one_effect_a_row:
            parts.append(rf"{symbol}_{{{group}[i],{text(term.structure.column_name)}_i}}")
            continue
        for k, column in enumerate(term.columns):
            mark = f"{k}," if len(term.columns) > 1 else ""
            parts.append(rf"{symbol}_{{{mark}{group}[i]}}{_times(column, text)}")
    return parts


def _times(column: ModelColumn, text: Callable[[str], str]) -> str:
    """What a coefficient is multiplied by: nothing for the intercept."""
    values = [] if column.scale == 1 else [f"{column.scale:g}"]
    values += [_value(factor, text) for factor in column.factors]
    return "".join(rf"\,{value}" for value in values)


def _value(factor: Factor, text: Callable[[str], str]) -> str:
    """The value of one factor in row i; of an indicator a condition in Iverson's brackets."""
    match factor:
        case Indicator(variable, level):
            return f"[{text(variable.text)}_i = {text(str(level))}]"
        case BasisColumn(name=name):
            return f"{text(name)}_i"
    return f"{text(factor.variable.text)}_i"


def _symbol(number: int) -> str:
    return "uvwabcd"[number] if number < 7 else f"u^{{({number})}}"


def _random_distribution(
    number: int, terms: Sequence[RandomTerm], text: Callable[[str], str]
) -> Line:
    term, symbol = terms[number], _symbol(number)
    group = text(term.group)
    # the variances of two terms on one group are told apart by the symbols of their effects
    alone = sum(other.group == term.group for other in terms) == 1
    variance = rf"\sigma^2_{{{'' if alone else f'{symbol},'}{group}}}"
    return term.structure.latex(symbol, group, variance)


def _residual_of_row(term: RandomTerm, text: Callable[[str], str]) -> str:
    return rf"{_EPSILON}_{{{text(term.group)}[i],{text(term.structure.column_name)}_i}}"


def _residual_distribution(problem: Problem, text: Callable[[str], str]) -> list[Line]:
    if problem.residual is None:
        return []
    return [problem.residual.structure.latex(_EPSILON, text(problem.residual.group), _SIGMA)]
