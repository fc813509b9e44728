"""The LaTeX of a model: what is distributed how, given what."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from glmmtools.engine.problem import Problem
from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.formula.clusters import Clusters
from glmmtools.formula.coding import BasisColumn, Factor, Indicator, ModelColumn
from glmmtools.formula.design import Design
from glmmtools.shared.markup import latex_escaped
from glmmtools.shared.terminal import printable

_LONGEST_SUM = 8
_TERMS_A_LINE = 3


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
    design, family, link = problem.design, problem.family, problem.link
    if problem.clusters is None:
        layers = equation_layers(design, family, link)
    else:
        layers = _population_layers(problem, problem.clusters)
    lines = [line for layer in layers for line in layer]
    written = r" \\ ".join(f"{left} &{right}".lstrip() for left, right in lines)
    return Equation(rf"\begin{{aligned}}{written}\end{{aligned}}")


def latex_text(name: str) -> str:
    return rf"\text{{{latex_escaped(name)}}}"


def equation_layers(
    design: Design, family: Family, link: Link, text: Callable[[str], str] = latex_text
) -> list[list[Line]]:
    """The lines of the data model, the process model and the parameter model.

    Parameters
    ----------
    text : callable
        How a name or level of the data is written inside a formula.
    """
    given = r" \mid \mathbf{u}" if design.random else ""
    response = text(design.response.name)
    return [
        [(f"{response}_i{given}", rf"\sim {_distribution(family, design)}")],
        _process_lines(design, link, text),
        [_random_distribution(number, design, text) for number in range(len(design.random))],
    ]


def _process_lines(design: Design, link: Link, text: Callable[[str], str]) -> list[Line]:
    link_of_mu = link.short_equation.replace(r"\mu", r"\mu_i")
    first, *others = _linear_predictor(design, text)
    return [
        (rf"{link_of_mu} = \eta_i", f"= {first}"),
        *(("", rf"\quad {{}}+ {other}") for other in others),
    ]


def _population_layers(problem: Problem, clusters: Clusters) -> list[list[Line]]:
    """What estimating equations assume: no distribution, and the variance up to a factor."""
    design, response = problem.design, latex_text(problem.design.response.name)
    trials = "" if design.trials is None or np.all(design.trials == 1) else r"N_i\,"
    time = latex_text(clusters.time_name or "row")
    correlation = clusters.working.latex(time)
    group = latex_text(clusters.group)
    together = rf"\quad \text{{for }} {group}[i] = {group}[j]"
    return [
        [
            (rf"\mathrm{{E}}({response}_i)", rf"= {trials}\mu_i"),
            (
                rf"\mathrm{{Var}}({response}_i)",
                rf"\propto \mathrm{{Var}}[{_distribution(problem.family, design)}]",
            ),
        ],
        _process_lines(design, problem.link, latex_text),
        [(rf"\mathrm{{Corr}}({response}_i, {response}_j)", f"= {correlation}{together}")],
    ]


def _distribution(family: Family, design: Design) -> str:
    text = family.notation.replace(r"\mu", r"\mu_i")
    if not family.takes_trials:
        return text
    if np.all(design.trials == 1):
        bernoulli = family.is_bernoulli(design.trials)
        return r"\mathrm{Bernoulli}(\mu_i)" if bernoulli else text.replace("N", "1")
    return text.replace("(N,", "(N_i,")


def _linear_predictor(design: Design, text: Callable[[str], str]) -> list[str]:
    """The sum on the right of eta, in lines of a few terms."""
    if len(design.columns) > _LONGEST_SUM:
        parts = [r"\mathbf{x}_i^\top \boldsymbol{\beta}"]
    else:
        first = 0 if design.columns and design.columns[0].is_intercept else 1
        parts = [
            rf"\beta_{{{first + k}}}{_times(column, text)}"
            for k, column in enumerate(design.columns)
        ]
    for number, term in enumerate(design.random):
        symbol, group = _symbol(number), text(term.group)
        if term.structure.one_effect_a_row:
            parts.append(rf"{symbol}_{{{group}[i],{text(term.structure.column_name)}_i}}")
            continue
        for k, column in enumerate(term.columns):
            mark = f"{k}," if len(term.columns) > 1 else ""
            parts.append(rf"{symbol}_{{{mark}{group}[i]}}{_times(column, text)}")
    if design.has_offset:
        parts.append(r"\text{offset}_i")
    return [" + ".join(parts[i : i + _TERMS_A_LINE]) for i in range(0, len(parts), _TERMS_A_LINE)]


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


def _random_distribution(number: int, design: Design, text: Callable[[str], str]) -> Line:
    term, symbol = design.random[number], _symbol(number)
    group = text(term.group)
    # the variances of two terms on one group are told apart by the symbols of their effects
    alone = sum(other.group == term.group for other in design.random) == 1
    variance = rf"\sigma^2_{{{'' if alone else f'{symbol},'}{group}}}"
    return term.structure.latex(symbol, group, variance)
