"""Simulation of a million rows: a random intercept with 1e5 levels, the families of the lessons."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

import glmmtools as gt

ROWS, GROUPS, LIMIT = 1_000_000, 100_000, 2.0
FAMILIES = ("normal", "gamma", "poisson", "negative_binomial", "binomial", "beta")


def main() -> None:
    rng = np.random.default_rng(0)
    layout = pd.DataFrame(
        {
            "group": np.repeat(np.arange(GROUPS), ROWS // GROUPS),
            "treatment": rng.choice(["control", "new"], ROWS),
            "x": rng.normal(size=ROWS),
        }
    )
    for family in FAMILIES:
        start = time.perf_counter()
        gt.simulate("y ~ treatment + x + (1 | group)", layout, family, coef=[0.5, 0.3, 0.1], sd=0.5)
        seconds = time.perf_counter() - start
        print(f"{seconds:7.2f} s  {family}, {ROWS:,} rows, {GROUPS:,} groups (limit {LIMIT:g} s)")


if __name__ == "__main__":
    main()
