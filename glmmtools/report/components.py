"""Sentences of a report on variances, correlations and dispersions, and words they share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from glmmtools.engine.estimate import TermEstimate
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.parts import part_of, parts_of, zeros_in_words
from glmmtools.formula.coding import Factor, Indicator, ModelColumn, Numeric
from glmmtools.formula.random_terms import RandomTerm, ResidualTerm
from glmmtools.shared.numbers import three_digits


def joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def scale_in_words(model: Fit) -> str:
    return "the scale of y" if model.link.is_identity else f"the {model.link.scale} scale"


def factor_text(factor: Factor) -> str | None:
    match factor:
        case Numeric(variable):
            return variable.text
        case Indicator(variable, level, base) if base is not None:
            return f"{variable.name} {level} vs {base}"
    return None


def variance_sentences(model: Fit) -> list[str]:
    """Of the random effects in the mean, those in the zeros, and the shape of the family."""
    terms = [pair for pair in model.structured_terms if pair[0].part == "mean"]
    sds, correlations = _of_terms(terms)
    if model.family.has_residual_variance and "phi" in model.estimate.shape:
        sds.append(f"{three_digits(np.sqrt(model.estimate.shape['phi']))} for the residuals")
    of_zeros = _of_terms(model.zero_terms)
    logit = f" of the logit of {zeros_in_words(model)}"
    return [
        *_sentences(sds, f", on {scale_in_words(model)},", correlations, ""),
        *_sentences(of_zeros[0], logit, of_zeros[1], logit),
        *_dispersion_sentences(model),
    ]


def _of_terms(terms: Sequence[tuple[RandomTerm, TermEstimate]]) -> tuple[list[str], list[str]]:
    """Standard deviations and correlations in words."""
    sds, correlations = [], []
    for term, estimate in terms:
        G, structure = estimate.covariance, term.structure
        group = "the residuals" if isinstance(term, ResidualTerm) else term.group
        for name, sd in zip(structure.sd_names, np.sqrt(np.diag(G)), strict=False):
            what = "intercept" if name == "Intercept" else name
            sds.append(f"{three_digits(sd)} for {group} ({what})")
        values = structure.correlations(G, estimate.correlation)
        correlations += [
            f"{value:.2f} in {group} ({name})"
            for name, value in zip(structure.correlation_names, values, strict=True)
            if np.isfinite(value)
        ]
    return sds, correlations


def _sentences(sds: list[str], of_sds: str, correlations: list[str], of_corr: str) -> list[str]:
    found = []
    if sds:
        found.append(f"{_the('standard deviation', sds, of_sds)} {joined(sds)}.")
    if correlations:
        found.append(f"{_the('correlation', correlations, of_corr)} {joined(correlations)}.")
    return found


def _dispersion_sentences(model: Fit) -> list[str]:
    """The shape of the family, and what is modelled beside the mean."""
    hidden, sentences = model.family.has_residual_variance, []
    shape = {**model.family.fixed, **model.estimate.shape}
    equations = [
        f"{name} = {three_digits(value)}"
        for name, value in shape.items() if not (hidden and name == "phi")
    ]  # fmt: skip
    if equations:
        sentences.append(f"{_the('dispersion parameter', equations)} {joined(equations)}.")
    probability = f"probability of {zeros_in_words(model)}"
    for part in [each for each in ("dispersion", "zero") if each in parts_of(model)]:
        own = part_of(model, part)
        finite = [
            (column, value)
            for column, value, se in zip(own.design.columns, own.params, own.bse, strict=True)
            if np.isfinite(se)
        ]
        if part == "zero" and model.problem.zero.is_one_number and finite:
            chance = three_digits(special.expit(finite[0][1]))
            sentences.append(f"The {probability} was {chance}.")
        elif finite:
            parameter = f"logit of the {probability}" if part == "zero" else "log dispersion"
            texts = [f"{three_digits(value)} ({_part_text(column)})" for column, value in finite]
            which = f" of the {parameter}"
            sentences.append(f"{_the('coefficient', texts, which)} {joined(texts)}.")
    return sentences


def _part_text(column: ModelColumn) -> str:
    factors = [factor_text(factor) for factor in column.factors]
    if column.is_intercept:
        return "intercept"
    return column.name if None in factors else " × ".join(factors)


def _the(noun: str, items: list[str], aside: str = "") -> str:
    return f"The {noun}{aside} was" if len(items) == 1 else f"The {noun}s{aside} were"
