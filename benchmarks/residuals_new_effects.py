"""Sizes of the tests of simulated residuals with new random effects (``conditional=False``).

    python benchmarks/residuals_new_effects.py [replications]

As in residuals.py, but with 250 simulations that draw new random effects, and as many for each of
250 refits. Writes benchmarks/residuals_new_effects.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.residuals import FAMILIES, HARD, LEVEL, PER_GROUP, as_table, rejections

ROWS = (56, 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("replications", nargs="?", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    count, options = given.replications, {"n_jobs": given.jobs, "conditional": False}
    sizes = {
        (family, rows): rejections(count, rows, family, family, **options)
        for family in FAMILIES
        for rows in ROWS
    }
    sizes |= {
        (what, 100): rejections(count, 100, "poisson", "poisson", **options, **design)
        for what, design in HARD.items()
    }
    error = np.sqrt(LEVEL * (1 - LEVEL) / count)
    text = f"""# Tests of simulated residuals with new random effects: size

`python benchmarks/residuals_new_effects.py {count}`: share of p-values of at most {LEVEL} in
{count} data sets of the fitted model (Monte-Carlo standard error at {LEVEL}: {error:.3f}), with
`conditional=False`: `y ~ x + (1 | g)`, groups of {PER_GROUP} rows, otherwise as in
[residuals.md](residuals.md).

{as_table(sizes)}
"""
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
