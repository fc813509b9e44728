"""How often the tests of simulated residuals say "wrong": on right models, and on wrong ones.

    python benchmarks/residuals.py [replications]

Size: 400 data sets for each family and number of rows from the model that is then fitted; the share
of p-values of at most 0.05. Power: the same for 100 data sets and models that are wrong in one
respect. Writes benchmarks/residuals.md.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import statistics
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

import glmmtools as gt

LEVEL = 0.05
ROWS = (56, 100, 236)
PER_GROUP = 4
SHAPE = {
    "normal": {"phi": 1.0}, "t": {"phi": 0.5, "df": 4.0}, "gamma": {"phi": 0.3},
    "beta": {"phi": 10.0}, "negative_binomial": {"phi": 0.3}, "betabinomial": {"phi": 6.0},
}  # fmt: skip
FAMILIES = ("poisson", "negative_binomial", "binomial", "normal", "gamma", "beta")
TESTS = (
    "uniformity", "dispersion", "outliers", "zeros", "curves", "curves in z", "groups",
    "autocorrelation",
)  # fmt: skip
# What the data have and the fitted model lacks: (the departure, family of the data, of the fit)
WRONG = {
    "overdispersion: an extra sd of 0.5 in each row": ({"extra_sd": 0.5}, "poisson", "poisson"),
    "25 % extra zeros": ({"extra_zeros": 0.25}, "poisson", "poisson"),
    "curvature: 0.8 x² on the log scale": ({"curve": 0.8}, "poisson", "poisson"),
    "wrong family: negative binomial counts, Poisson fitted": ({}, "negative_binomial", "poisson"),
    "wrong family: gamma data, normal with log link fitted": ({}, "gamma", "normal"),
    "wrong family: beta-binomial data, binomial fitted": ({}, "betabinomial", "binomial"),
    "serial correlation 0.8 within groups of 4, sd 0.6": ({"serial_sd": 0.6}, "poisson", "poisson"),
}
# Right models whose random effects are poorly known.
HARD = {
    "Poisson, mean 1, random effects of sd 1": {"intercept": 0.0, "group_sd": 1.0},
    "Poisson, mean 5, a random effect of sd 0.7 in each row": {
        "intercept": 1.5, "group_sd": 0.7, "per_group": 1,
    },
}  # fmt: skip


def data_set(
    rng: np.random.Generator,
    rows: int,
    family: str,
    *,
    extra_sd: float = 0.0,
    extra_zeros: float = 0.0,
    curve: float = 0.0,
    serial_sd: float = 0.0,
    intercept: float = 0.8,
    group_sd: float = 0.5,
    per_group: int = PER_GROUP,
) -> pd.DataFrame:
    """Rows in groups of four: η = 0.8 + 0.5 x + u, x ~ U(-1, 1), u ~ N(0, 0.5²); departures added.

    The last three keywords change the design, the others make the model wrong.

    A binomial response is out of 10 trials, and its η, like that of beta, is 1 lower.
    """
    distribution = gt.family(family)
    data = pd.DataFrame(
        {
            "x": rng.uniform(-1, 1, rows),
            "z": rng.uniform(-1, 1, rows),
            "f": rng.permutation(np.arange(rows) % 4).astype(str),
            "time": np.arange(rows) % per_group,
            "g": (np.arange(rows) // per_group).astype(str),
        }
    )
    u = rng.normal(0, group_sd, rows // per_group)
    eta = intercept + 0.5 * data["x"].to_numpy() + np.repeat(u, per_group)
    eta = eta - (distribution.mean_interval == (0.0, 1.0))
    places = rows // per_group, per_group
    lag = np.abs(np.subtract.outer(np.arange(per_group), np.arange(per_group)))
    series = rng.normal(size=places) @ np.linalg.cholesky(0.8**lag).T
    eta += extra_sd * rng.normal(size=rows) + curve * data["x"] ** 2 + serial_sd * series.ravel()
    trials = {"trials": np.full(rows, 10)} if distribution.takes_trials else {}
    mu = distribution.clipped_mean(np.asarray(eta), distribution.default_link)
    data["y"] = distribution.sample(mu, rng, **SHAPE.get(family, {}), **trials)
    data.loc[rng.random(rows) < extra_zeros, "y"] = 0
    return data.assign(trials=10)


def p_values(
    seed: tuple[int, ...], rows: int, data_family: str, family: str, conditional: bool, **departure
) -> dict:
    """P-values of every test for one data set; empty where the fit did not converge."""
    data = data_set(np.random.default_rng(seed), rows, data_family, **departure)
    response = "prop(y, trials)" if gt.family(family).takes_trials else "y"
    link = "log" if data_family == "gamma" and family == "normal" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        model = gt.fit(f"{response} ~ x + (1 | g)", data, family, link=link)
    if not model.converged:
        return {}
    residuals = model.simulated_residuals(seed=seed[-1], conditional=conditional)
    results = {
        "uniformity": residuals.test_uniformity(),
        "dispersion": residuals.test_dispersion(),
        "outliers": residuals.test_outliers(),
        "curves": residuals.test_curves(),
        "curves in z": residuals.test_curves(data["z"]),
        "groups": residuals.test_groups(data["f"]),
    }
    if data["time"].max() > 0:
        results["autocorrelation"] = residuals.test_autocorrelation(data["time"], "g")
    if model.family.discrete:
        results["zeros"] = residuals.test_zeros()
    return {name: result.p_value for name, result in results.items()}


def rejections(
    replications: int,
    rows: int,
    data_family: str,
    family: str,
    n_jobs: int = 1,
    conditional: bool = True,
    **departure,
) -> pd.Series:
    """Share of p-values of at most 0.05 by test, and the number of fits that did not converge."""
    print(f"{rows} rows of {data_family}, {family} fitted {departure or ''}", flush=True)
    call = joblib.delayed(p_values)
    done = joblib.Parallel(n_jobs)(
        call((rows, k), rows, data_family, family, conditional, **departure)
        for k in range(replications)
    )
    table = pd.DataFrame([each for each in done if each])
    shares = (table <= LEVEL).mean().reindex(TESTS)
    return pd.concat([shares, pd.Series({"not converged": sum(not each for each in done)})])


def seconds() -> tuple[float, float]:
    """Median times for the epilepsy model: 250 simulations, and with their 250 refits."""
    formula = "seizures ~ treatment * period + log(base) + (1 | subject)"
    model = gt.fit(formula, gt.load_data("epilepsy"), "poisson")
    times = []
    for _ in range(11):
        fresh = type(model)(model.problem, model.estimate)
        start = time.perf_counter()
        residuals = fresh.simulated_residuals(250)
        drawn = time.perf_counter()
        residuals.test_uniformity()
        times.append((drawn - start, time.perf_counter() - start))
    return tuple(statistics.median(each) for each in zip(*times, strict=True))


def as_table(rows: dict[tuple[str, int], pd.Series]) -> str:
    lines = [
        f"| | rows | {' | '.join(TESTS)} | not converged |", "|---" * (len(TESTS) + 3) + "|"
    ]  # fmt: skip
    for (what, n), shares in rows.items():
        cells = ["–" if np.isnan(shares[test]) else f"{shares[test]:.3f}" for test in TESTS]
        lines.append(f"| {what} | {n} | {' | '.join(cells)} | {shares['not converged']:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("replications", nargs="?", type=int, default=400)
    count = parser.parse_args().replications
    sizes = {
        (family, rows): rejections(count, rows, family, family, n_jobs=2)
        for family in FAMILIES
        for rows in ROWS
    }
    hard = {
        (what, 236): rejections(count, 236, "poisson", "poisson", n_jobs=2, **design)
        for what, design in HARD.items()
    }
    powers = {
        (what, rows): rejections(count // 4, rows, data_family, family, n_jobs=2, **departure)
        for what, (departure, data_family, family) in WRONG.items()
        for rows in (56, 236)
    }
    error = np.sqrt(LEVEL * (1 - LEVEL) / count)
    simulated, refitted = seconds()
    text = f"""# Tests of simulated residuals: size and power

`python benchmarks/residuals.py {count}`: share of p-values of at most {LEVEL} in {count} data sets
(Monte-Carlo standard error at {LEVEL}: {error:.3f}), 250 conditional simulations each, model
`y ~ x + (1 | g)`, groups of {PER_GROUP} rows. "curves" is against the prediction; "curves in z" and
"groups" are against a variable and a factor of four levels that play no part.
250 simulations of the epilepsy model with their residuals: {simulated:.3f} s; with the refits of
250 other data sets and a test: {refitted:.3f} s.

## Size: the fitted model is right

{as_table(sizes)}

Below 0.03 is conservative: the test finds less than it might, and does not cry wolf. Outliers are,
because the count is a small whole number, and zeros where these are rare (10 trials, 56 rows).
A dispersion parameter of the family is fitted to the very spread that dispersion looks at, and in
part to what uniformity looks at; a variance between groups of four rows in part to autocorrelation.

## Where the groups say little about their random effects

{as_table(hard)}

An effect in each row is fitted to the scatter of the rows, as a dispersion parameter is: the same
tests are conservative.

## Power: the fitted model is wrong in one respect

{count // 4} data sets each.

{as_table(powers)}
"""
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
