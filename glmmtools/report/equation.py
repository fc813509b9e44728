"""The LaTeX of a model: what is distributed how, given what."""

from __future__ import annotations

import re

import numpy as np

from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.formula.design import Design

_LONGEST_SUM = 8


_TERMS_A_LINE = 3


class Equation(str):
    """LaTeX source that a notebook shows as mathematics."""

    def _repr_latex_(self) -> str:
        return f"$${self}$$"


def equation(design: Design, family: Family, link: Link) -> Equation:
    """The model as data model, process model and parameter model."""
    given = r" \mid \mathbf{u}" if design.random else ""
    link_of_mu = link.short_equation.replace(r"\mu", r"\mu_i")
    lines = [
        rf"{_text(_response_name(design))}_i{given} &\sim {_distribution(family, design)}",
        rf"{link_of_mu} = \eta_i &= {_linear_predictor(design)}",
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
        bernoulli = family.is_bernoulli(design.trials)
        return r"\mathrm{Bernoulli}(\mu_i)" if bernoulli else text.replace("N", "1")
    return text.replace("(N,", "(N_i,")


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
        if term.structure.one_effect_a_row:
            place = _text(term.structure.column_name)
            parts.append(rf"{symbol}_{{{_text(term.group)}[i],{place}_i}}")
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
    return term.structure.latex(symbol, group, variance)
