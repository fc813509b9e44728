"""How often checks of a model find a fault: the studies of lesson 08, made by make_studies.py.

Each function returns one row of results for each simulated data set, whose seed is in the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import glmmtools as gt
from glmmtools.residuals.simulated import SimulatedResiduals

FORMULA = "moths ~ temp + (1 | trap)"
SLOPE = 0.8
TRUTH = {"Intercept": 0.0, "temp": SLOPE}


# What is planted, as the lesson names it, and how gt.simulate makes it.
FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "every row varies": {"overdispersion": 0.7},
    "a quarter extra zeros": {"zero_inflation": 0.25},
    "3 % recorded wrongly": {"outliers": 0.03},
    "temp a curve": {
        "formula": f"{FORMULA} + I(temp**2)",
        "coef": TRUTH | {"I(temp ** 2)": -1.5},
    },
    "nights differ": {
        "formula": f"{FORMULA} + (1 | night)",
        "sd": {"trap": 0.4, "night": 0.6},
    },
    "habitat left out": {"formula": f"{FORMULA} + habitat", "coef": TRUTH | {"habitat[T.wood]": 1}},
    "serial correlation": {
        "formula": "moths ~ temp + ar1(night | trap)",
        "sd": {"trap": 0.9},
        "rho": 0.8,
    },
    "serial, many moths": {
        "formula": "moths ~ temp + ar1(night | trap)",
        "sd": {"trap": 0.9},
        "rho": 0.8,
        "coef": TRUTH | {"Intercept": 2.0},
    },
}
TESTS: dict[str, Callable[[SimulatedResiduals, pd.DataFrame], Any]] = {
    "uniformity": lambda r, data: r.test_uniformity(),
    "dispersion": lambda r, data: r.test_dispersion(),
    "outliers": lambda r, data: r.test_outliers(),
    "zeros": lambda r, data: r.test_zeros(),
    "curves(temp)": lambda r, data: r.test_curves("temp"),
    "groups(night)": lambda r, data: r.test_groups(data["night"]),
    "groups(habitat)": lambda r, data: r.test_groups(data["habitat"]),
    "autocorrelation(night)": lambda r, data: r.test_autocorrelation(data["night"], "trap"),
}


def moth_traps(traps: int = 60, nights: int = 5) -> pd.DataFrame:
    """The layout of the lesson: traps, nights, temperature, and a habitat the model leaves out."""
    layout = pd.DataFrame(
        {"trap": np.repeat(np.arange(traps), nights), "night": np.tile(np.arange(nights), traps)}
    )
    layout["temp"] = np.random.default_rng(1).uniform(-1, 1, len(layout)).round(2)
    layout["habitat"] = np.where(layout["trap"] % 2 == 0, "wood", "field")
    return layout


def check_faults(seeds: Iterable[int] = range(200)) -> pd.DataFrame:
    """p-values of eight tests in data with one fault each, under the model without it."""
    layout = moth_traps()
    rows = []
    for seed in seeds:
        for fault, change in FAULTS.items():
            how = {"formula": FORMULA, "coef": TRUTH, "sd": {"trap": 0.4}} | change
            data = gt.simulate(layout=layout, family="poisson", seed=seed, **how)
            residuals = gt.fit(FORMULA, data, "poisson").simulated_residuals()
            found = {name: test(residuals, data).p_value for name, test in TESTS.items()}
            rows.append({"fault": fault, "seed": seed, **found})
    return pd.DataFrame(rows)


def check_effects_kept(seeds: Iterable[int] = range(200)) -> pd.DataFrame:
    """Two faults sought with the random effects kept and with new ones: effect and p-value.

    One is scatter of the rows beside large differences between traps; the other a curve along a
    variable of the trap.
    """
    layout = moth_traps(40)
    layout["height"] = np.random.default_rng(2).uniform(-1, 1, 40).round(2)[layout["trap"]]
    straight = "moths ~ temp + height + (1 | trap)"
    coef = {"Intercept": 1.5, "temp": SLOPE}
    faults = {
        "rows vary": (FORMULA, {"formula": FORMULA, "overdispersion": 0.4}),
        "curve between traps": (
            straight,
            {"formula": f"{straight} + I(height**2)", "coef": coef | {"I(height ** 2)": 1.5}},
        ),
    }
    rows = []
    for seed in seeds:
        for fault, (formula, change) in faults.items():
            how = {"coef": coef, "sd": {"trap": 0.6}} | change
            data = gt.simulate(layout=layout, family="poisson", seed=seed, **how)
            model = gt.fit(formula, data, "poisson")
            for conditional, effects in ((True, "kept"), (False, "new")):
                residuals = model.simulated_residuals(n=100, conditional=conditional)
                test = (
                    residuals.test_dispersion()
                    if fault == "rows vary"
                    else residuals.test_curves("height")
                )
                rows.append(
                    {
                        "fault": fault,
                        "random_effects": effects,
                        "seed": seed,
                        "effect": test.effect,
                        "p_value": test.p_value,
                    }
                )
    return pd.DataFrame(rows)


def check_sizes(seeds: Iterable[int] = range(100)) -> pd.DataFrame:
    """A large study with little overdispersion and a small one with much: test and intervals."""
    rows = []
    for seed in seeds:
        for study, traps, nights, extra in (("large", 800, 10, 0.13), ("small", 6, 4, 0.5)):
            data = gt.simulate(
                FORMULA, moth_traps(traps, nights), "poisson", seed=seed, overdispersion=extra,
                coef={"Intercept": 1.5, "temp": SLOPE}, sd={"trap": 0.4},
            )  # fmt: skip
            poisson, roomy = (gt.fit(FORMULA, data, f) for f in ("poisson", "negative_binomial"))
            test = poisson.simulated_residuals(n=100).test_dispersion()
            row = {"study": study, "seed": seed, "rows": len(data)}
            row |= {"variance_ratio": test.effect, "p_value": test.p_value}
            for name, model in (("poisson", poisson), ("roomy", roomy)):
                low, high = model.conf_int().loc["temp"]
                row[f"error_{name}"] = model.bse["temp"]
                row[f"covered_{name}"] = int(low <= SLOPE <= high)
            rows.append(row)
    return pd.DataFrame(rows)


def check_shapes(seeds: Iterable[int] = range(200)) -> pd.DataFrame:
    """Random effects of three shapes: what a test for a normal shape says of true and predicted.

    The predicted ones come from the model that takes them for normal.
    """
    rows = []
    for seed in seeds:
        for shape in ("normal", "two kinds", "skewed"):
            for nights in (5, 50):
                layout = moth_traps(60, nights)
                rng = np.random.default_rng([seed, nights])
                u = 0.4 * _standardised(shape, rng, 60)
                mean = np.exp(SLOPE * layout["temp"] + u[layout["trap"]])
                model = gt.fit(FORMULA, layout.assign(moths=rng.poisson(mean)), "poisson")
                low, high = model.conf_int().loc["temp"]
                predicted = model.random_effects["estimate"]
                rows.append(
                    {
                        "shape": shape,
                        "nights": nights,
                        "seed": seed,
                        "p_true": stats.shapiro(u).pvalue,
                        "p_predicted": stats.shapiro(predicted).pvalue,
                        "covered": int(low <= SLOPE <= high),
                    }
                )
    return pd.DataFrame(rows)


def _standardised(shape: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """Draws with mean 0 and sd 1."""
    if shape == "two kinds":
        return rng.choice([-1.0, 1.0], size) * np.sqrt(0.95) + rng.normal(0, np.sqrt(0.05), size)
    return rng.exponential(size=size) - 1 if shape == "skewed" else rng.normal(size=size)


TABLES = {
    each.__name__: each for each in (check_faults, check_effects_kept, check_sizes, check_shapes)
}
