"""What a transformation costs, by simulation: the tables that lesson 04 reads.

Each table has one row for a truth and a model. tools/make_studies.py stores them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd

import glmmtools as gt

REPLICATES = 1000
GERMINATION, ANGLE = "prop(grew, seeds) ~ treated + (1 | plate)", "angle ~ treated"
APHIDS = "~ treatment + (1 | block)"
CONTROL, EFFECT = 0.05, 0.15  # probability on a middle plate, without and with the treatment
SEEDS = {"equal": (30, 30), "unequal": (5, 60)}
TRUTHS = ((1, 2), (20, 2), (1, 1))  # mean of the control, ratio


def plates(seeds: str) -> pd.DataFrame:
    """24 plates, every other one treated, with equal or unequal numbers of seeds."""
    table = pd.DataFrame({"plate": np.arange(24), "treated": np.arange(24) % 2})
    table["seeds"] = np.where(table["plate"] // 2 % 2, *SEEDS[seeds][::-1])
    return table


def one_germination(seeds: str, treated: float, seed: int) -> Iterator[dict]:
    """What each method says of one simulated experiment."""
    logit, both = gt.link("logit"), pd.DataFrame({"treated": [0, 1]})
    coef = [logit(CONTROL), logit(treated) - logit(CONTROL)]
    data = gt.simulate(GERMINATION, plates(seeds), "binomial", coef=coef, sd=0.5, seed=seed)
    data["angle"] = np.arcsin(np.sqrt(data["grew"] / data["seeds"]))
    glmm = gt.fit(GERMINATION, data, "binomial")
    shares = glmm.predict(both, effects="marginal")
    for method, df in {"GLMM, z": "infinite", "GLMM, t": "containment"}.items():
        p_value = glmm.tidy(df=df).loc["treated", "p_value"]
        yield _row(seeds, treated, method, shares, p_value)
    weights = {"arcsine": None} | ({"arcsine, weighted": "seeds"} if seeds == "unequal" else {})
    for method, weight in weights.items():
        angles = gt.fit(ANGLE, data, weights=weight)
        back = np.sin(angles.predict(both)) ** 2
        yield _row(seeds, treated, method, back, angles.pvalues["treated"])


def _row(seeds, treated, method, shares, p_value) -> dict:
    control, other = np.asarray(shares)
    return {
        "seeds": seeds, "effect": "no" if treated == CONTROL else "yes", "method": method,
        "control": control, "treated": other, "found": p_value < 0.05,
    }  # fmt: skip


def arcsine(n: int = REPLICATES) -> pd.DataFrame:
    """Mean shares of both groups, and how often p is below 0.05."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        rows = [
            row
            for seeds in SEEDS
            for treated in (CONTROL, EFFECT)
            for seed in range(n)
            for row in one_germination(seeds, treated, seed)
        ]
    return _means(rows, ["seeds", "effect", "method"])


def one_trial(mean: float, ratio: float, seed: int) -> Iterator[dict]:
    """What both models say of the ratio in one simulated trial of 20 blocks."""
    layout = gt.designs.rcbd(["water", "oil"], blocks=20, replicates=3)
    coef = [np.log(mean), np.log(ratio)]
    data = gt.simulate(f"y {APHIDS}", layout, "nbinom2", coef=coef, sd=0.5, phi=0.5, seed=seed)
    models = {
        "log(y + 1), normal": gt.fit(f"log(y + 1) {APHIDS}", data),
        "NB2, log link": gt.fit(f"y {APHIDS}", data, "nbinom2"),
    }
    for name, m in models.items():
        found = m.tidy().loc["treatment[T.oil]"]
        covered = found["conf_low"] <= np.log(ratio) <= found["conf_high"]
        yield {
            "mean": mean, "true_ratio": ratio, "model": name, "estimate": found["estimate"],
            "coverage": covered, "warned": bool(m.messages),
        }  # fmt: skip


def log_counts(n: int = REPLICATES) -> pd.DataFrame:
    """The mean estimate, as a ratio, and how many 95 % intervals hold the true ratio."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        rows = [row for truth in TRUTHS for seed in range(n) for row in one_trial(*truth, seed)]
    table = _means(rows, ["mean", "true_ratio", "model"])
    table.insert(3, "ratio", np.exp(table.pop("estimate")))
    return table


def _means(rows: list[dict], by: list[str]) -> pd.DataFrame:
    groups = pd.DataFrame(rows).groupby(by, sort=False)
    return groups.mean().assign(replicates=groups.size()).reset_index()


TABLES = {"arcsine": arcsine, "log_counts": log_counts}
