"""How often Wald tests say "different" of what is alike, and how often intervals hold the truth.

    python benchmarks/calibration.py [sets] [--profile sets] [--bootstrap sets] [--designs name ...]

For each design, data sets without an effect of the treatment (size: the share of p-values of at
most 0.05) and with one (coverage: the share of 95 % intervals that hold it), by z, by t and F on
the degrees of freedom that the model has, and by the profile of the likelihood; at three designs by
the bootstrap. Writes benchmarks/calibration.md, anew after each design.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

import glmmtools as gt
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.search import covariance_of, information_at
from glmmtools.fitted.wald import t_quantile, two_sided_p

LEVEL = 0.05
EFFECT = 0.5
REPLICATES = 199
COEFFICIENT = "trt[T.b]"
Draw = Callable[[np.random.Generator, float], tuple[pd.DataFrame, np.ndarray]]


@dataclass(frozen=True)
class Design:
    """A layout, what is drawn on it, and the model that is fitted: the right one."""

    name: str
    draw: Draw
    formula: str
    family: str
    options: dict[str, Any] = field(default_factory=dict)
    bootstrapped: bool = False


def grid(*sizes: int) -> np.ndarray:
    """Codes of all combinations, one row a factor."""
    return np.indices(sizes).reshape(len(sizes), -1)


def rows(trt: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(columns).assign(trt=np.array(["a", "b", "c"])[trt])


def grouped(groups: int, per_group: int, sd: float, intercept: float, response) -> Draw:
    """Groups of which every other has the treatment."""

    def draw(rng, effect):
        g, _ = grid(groups, per_group)
        eta = intercept + effect * (g % 2) + rng.normal(0, sd, groups)[g]
        return rows(g % 2, g=g, y=response(rng, eta)), eta

    return draw


def poisson(rng, eta):
    return rng.poisson(np.exp(eta))


def binary(rng, eta):
    return rng.binomial(1, special.expit(eta))


def negative_binomial(rng, eta):
    return rng.poisson(np.exp(eta) * rng.gamma(2.0, 0.5, len(eta)))


def beta(rng, eta):
    mu = special.expit(eta)
    return np.clip(rng.beta(10 * mu, 10 * (1 - mu)), 1e-9, 1 - 1e-9)


def beta_binomial(rng, eta):
    mu = special.expit(eta)
    return rng.binomial(10, rng.beta(6 * mu, 6 * (1 - mu)))


def zero_inflated(rng, eta):
    return np.where(rng.random(len(eta)) < 0.25, 0, poisson(rng, eta))


def split_plot(response, intercept: float, drop: int = 0) -> Draw:
    """Six blocks of three main plots, one a treatment, of four subplots."""

    def draw(rng, effect):
        block, trt, sub = grid(6, 3, 4)
        eta = intercept + effect * (trt == 1) + rng.normal(0, 0.5, 6)[block]
        eta += rng.normal(0, 0.4, (6, 3))[block, trt]
        data = rows(trt, block=block, sub=np.array(list("pqrs"))[sub], y=response(rng, eta))
        kept = np.random.default_rng(1).permutation(len(eta))[drop:]
        return data.iloc[kept], eta[kept]

    return draw


def nested(rng, effect):
    """Eight schools, every other treated, of four classes of six pupils."""
    school, cls, _ = grid(8, 4, 6)
    eta = 1 + effect * (school % 2) + rng.normal(0, 0.5, 8)[school]
    eta += rng.normal(0, 0.4, (8, 4))[school, cls]
    return rows(school % 2, school=school, cls=cls, y=poisson(rng, eta)), eta


def crossed(rng, effect):
    """Twelve readers of ten texts, of which every other is of the second kind."""
    reader, text = grid(12, 10)
    eta = 1 + effect * (text % 2) + rng.normal(0, 0.5, 12)[reader] + rng.normal(0, 0.5, 10)[text]
    return rows(text % 2, reader=reader, text=text, y=poisson(rng, eta)), eta


def autoregressive(rng, effect):
    """Twelve subjects, every other treated, at eight times with correlation 0.6."""
    subject, week = grid(12, 8)
    lag = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    series = 0.6 * rng.normal(size=(12, 8)) @ np.linalg.cholesky(0.6**lag).T
    eta = 1.5 + effect * (subject % 2) + series.ravel()
    return rows(subject % 2, subject=subject, week=week, y=poisson(rng, eta)), eta


def normal(rng, eta):
    return eta + rng.normal(0, 0.5, len(eta))


IN_GROUPS = "y ~ trt + (1 | g)"
SPLIT = "y ~ trt + sub + (1 | block/trt)"
DESIGNS = (
    Design("Poisson, 10 groups of 8", grouped(10, 8, 0.7, 1, poisson), IN_GROUPS, "poisson",
           bootstrapped=True),
    Design("binary, 8 farms of 20", grouped(8, 20, 0.8, 0, binary), IN_GROUPS, "binomial",
           bootstrapped=True),
    Design("negative binomial, 30 groups of 4", grouped(30, 4, 0.6, 1, negative_binomial),
           IN_GROUPS, "negative_binomial"),
    Design("beta, 15 groups of 6", grouped(15, 6, 0.7, 0, beta), IN_GROUPS, "beta"),
    Design("split plot of counts, 6 blocks", split_plot(poisson, 1.5), SPLIT, "poisson",
           bootstrapped=True),
    Design("binary, 60 groups of 2", grouped(60, 2, 1, 0, binary), IN_GROUPS, "binomial"),
    Design("zero-inflated Poisson, 20 groups of 8", grouped(20, 8, 0.6, 1.5, zero_inflated),
           IN_GROUPS, "poisson", {"zero_inflation": "~ 1"}),
    Design("beta-binomial, 12 groups of 6, 10 trials", grouped(12, 6, 0.6, 0, beta_binomial),
           "cbind(y, 10 - y) ~ trt + (1 | g)", "betabinomial"),
    Design("nested counts, 8 schools of 4 classes", nested, "y ~ trt + (1 | school/cls)",
           "poisson"),
    Design("crossed counts, 12 readers, 10 texts", crossed,
           "y ~ trt + (1 | reader) + (1 | text)", "poisson"),
    Design("ar1 counts, 12 subjects, 8 weeks", autoregressive, "y ~ trt + ar1(week | subject)",
           "poisson"),
    Design("linear split plot, 6 blocks, 12 of 72 plots lost", split_plot(normal, 1.5, 12), SPLIT,
           "normal", {"reml": True}),
)  # fmt: skip


# ------------------------------------------------------------------------------ one data set


def fitted(design: Design, first, seed: tuple[int, ...], effect: float):
    """The fit, and the true linear predictor of each row; None where it found no estimates.

    `first` is a fit of the design, whose model is fitted again.
    """
    data, eta = design.draw(np.random.default_rng(seed), effect)
    model = first.refit(data["y"])
    return (model if model.converged and not model.separated else None), eta


def ways(model) -> tuple[str, ...]:
    """The degrees of freedom that a model has, as arguments."""
    if model.is_linear:
        return "infinite", "containment", "satterthwaite", "kenward-roger"
    return "infinite", "containment"


def by_wald(model, truth: float) -> dict[str, tuple[bool, bool]]:
    """For each way: is the term significant, and does the interval hold the truth?"""
    found = {}
    for df in ways(model):
        p = model.anova(df=df).loc["trt", "p_value"]
        low, high = model.conf_int(df=df).loc[COEFFICIENT]
        found[df] = bool(p <= LEVEL), bool(low <= truth <= high)
    return found


def by_satterthwaite(model, truth: float) -> dict[str, tuple[bool, bool]]:
    """By the rule for any family, for the coefficient."""
    if model.is_linear:
        return {}
    place = list(model.params.index).index(COEFFICIENT)
    df = satterthwaite(model, place)
    estimate, se = model.params.iloc[place], model.bse.iloc[place]
    inside = abs(estimate - truth) <= t_quantile(1 - LEVEL, df) * se
    return {"satterthwaite": (bool(two_sided_p(estimate / se, df) <= LEVEL), bool(inside))}


def satterthwaite(model, place: int) -> float:
    """Satterthwaite's rule for a coefficient of any family; the package does not offer it.

    The variance v of the coefficient is a function of the variance and shape parameters, the other
    coefficients at their best for these; with g its gradient and A their covariance, df is
    2 v² / gᵀAg.
    """
    marginal = Marginal(model.problem)
    function, vector, p = (
        marginal.value_and_gradient,
        marginal.vector_of(model.estimate),
        marginal.p,
    )
    information = information_at(function, vector)
    joint, given = covariance_of(information), np.linalg.inv(information[:p, :p])
    row, step = marginal.to_user[place], 0.02

    def variance(at: np.ndarray) -> float:
        shifts = np.eye(len(at))[:p] * 1e-4
        _, gradients = function(np.vstack([at + shifts, at - shifts]))
        block = (gradients[p:] - gradients[:p])[:, :p] / 2e-4
        return row @ np.linalg.inv((block + block.T) / 2) @ row

    slopes = []
    for k in range(p, len(vector)):
        move = np.zeros(len(vector))
        move[k], move[:p] = step, -given @ information[:p, k] * step
        slopes.append((variance(vector + move) - variance(vector - move)) / (2 * step))
    uncertainty = slopes @ joint[p:, p:] @ np.array(slopes)
    v = row @ joint[:p, :p] @ row
    return float(2 * v**2 / max(uncertainty, 2e-10 * v**2))


def by_profile(model, truth: float) -> dict[str, tuple[bool, bool]]:
    if model.problem.reml:
        return {}
    return {"profile": by_limits(model.conf_int(method="profile"), truth)}


def by_bootstrap(model, truth: float) -> dict[str, tuple[bool, bool]]:
    replicates = model.bootstrap(n=REPLICATES)
    kinds = "percentile", "basic", "studentized"
    return {kind: by_limits(replicates.conf_int(kind=kind), truth) for kind in kinds}


def by_limits(intervals: pd.DataFrame, truth: float) -> tuple[bool, bool]:
    low, high = intervals.loc[COEFFICIENT, ["conf_low", "conf_high"]]
    return bool(low > 0 or high < 0), bool(not (low > truth or high < truth))


def conditional_coverage(model, eta: np.ndarray) -> float:
    """Share of the rows whose linear predictor lies in its conditional interval."""
    limits = model.predict(scale="link", level=1 - LEVEL)
    inside = (limits["conf_low"] <= eta) & (eta <= limits["conf_high"])
    return float(inside.mean())


# ------------------------------------------------------------------------------ many


def measured(design: Design, number: int, sets: int, profiled: int, bootstrapped: int) -> dict:
    """Sizes and coverages by way, how many sets they are of, and the conditional coverage."""
    shares: dict[str, list[list[bool]]] = {}
    conditional: list[float] = []
    data, _ = design.draw(np.random.default_rng((number, 2)), EFFECT)
    first, lost = gt.fit(design.formula, data, design.family, **design.options), 0
    for kind, effect in enumerate((0.0, EFFECT)):
        for k in range(sets):
            model, eta = fitted(design, first, (number, kind, k), effect)
            if model is None:
                lost += 1
                continue
            found = by_wald(model, effect)
            if k < profiled:
                found |= by_satterthwaite(model, effect) | by_profile(model, effect)
                conditional.append(conditional_coverage(model, eta))
            if design.bootstrapped and k < bootstrapped and effect:
                found |= by_bootstrap(model, effect)
            for way, values in found.items():
                shares.setdefault(way, [[], []])[kind].append(values[kind])
    df = first.tidy(df="containment").loc[COEFFICIENT, "df"]
    return {"shares": shares, "lost": lost, "df": df, "conditional": conditional}


def cell(values: list[bool]) -> str:
    """Percent with its Monte-Carlo standard error."""
    share = np.mean(values)
    error = np.sqrt(share * (1 - share) / len(values))
    return f"{100 * share:.1f} ± {100 * error:.1f}"


COLUMNS = (
    "infinite", "satterthwaite", "kenward-roger", "containment", "profile", "percentile", "basic",
    "studentized",
)  # fmt: skip


def table(results: dict[str, dict], kind: int) -> list[str]:
    lines = [
        f"| | df | {' | '.join(COLUMNS)} |",
        f"|---|---|{'---|' * len(COLUMNS)}",
    ]
    for name, found in results.items():
        cells = [
            cell(values) if (values := found["shares"].get(way, [[], []])[kind]) else ""
            for way in COLUMNS
        ]
        lines.append(f"| {name} | {found['df']:.0f} | {' | '.join(cells)} |")
    return lines


def report(results: dict[str, dict], sets: int, profiled: int, bootstrapped: int) -> str:
    lost = [f"{found['lost']} ({name})" for name, found in results.items() if found["lost"]]
    lines = [
        "# Few units: size of tests and coverage of intervals",
        "",
        f"`python benchmarks/calibration.py {sets} --profile {profiled}",
        f"--bootstrap {bootstrapped}`: {sets} data sets for a size and {sets} for a coverage;",
        f"{profiled} each for profiles and for `satterthwaite` of generalized models; for the",
        f"bootstrap {bootstrapped} for a coverage, with {REPLICATES} replicates each. Every second",
        "unit has the treatment (one of three main plots in split plots). Percent, with",
        "Monte-Carlo standard errors. Columns are values of `df=` but for the last four: the",
        "profile of the likelihood, and kinds of bootstrap interval. `satterthwaite` is offered",
        "for linear models only; here it is computed for all. The column df has those of",
        "`df=\"containment\"`. Sets without estimates (separated, or not converged) are left out:",
        f"{', '.join(lost) or 'none'}.",
        "",
        "## Size at 5 %: no effect of the treatment",
        "",
        *table(results, 0),
        "",
        f"## Coverage of 95 % intervals: an effect of {EFFECT} on the link scale",
        "",
        *table(results, 1),
        "",
        "## Coverage of conditional intervals of rows, `m.predict(level=0.95)`",
        "",
        "Share of rows whose linear predictor, random effects and all, is in its interval,",
        f"{profiled} sets of each kind.",
        "",
        "| | % |",
        "|---|---|",
    ]  # fmt: skip
    for name, found in results.items():
        share, error = np.mean(found["conditional"]), np.std(found["conditional"])
        error /= np.sqrt(len(found["conditional"]))
        lines.append(f"| {name} | {100 * share:.1f} ± {100 * error:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", type=int, nargs="?", default=3000)
    parser.add_argument("--profile", type=int, default=1000)
    parser.add_argument("--bootstrap", type=int, default=300)
    parser.add_argument("--designs", nargs="*", default=[])
    parser.add_argument("--to", type=Path, default=Path(__file__).with_suffix(".md"))
    given = parser.parse_args()
    warnings.simplefilter("ignore", gt.GlmmWarning)
    numbers = given.sets, min(given.profile, given.sets), min(given.bootstrap, given.sets)
    results = {}
    for number, design in enumerate(DESIGNS):
        if given.designs and not any(part in design.name for part in given.designs):
            continue
        start = time.monotonic()
        results[design.name] = measured(design, number, *numbers)
        given.to.write_text(report(results, *numbers))
        print(f"{design.name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
