"""Sizes of the F tests of a repeated-measures trial, and how long its fits take.

    python benchmarks/repeated_measures.py [replications]

Three treatments, five animals each, measured at four times: ``y ~ treatment * C(time)`` with
``residual=`` of the structure that made the data, by REML. Treatment and time do nothing. The
timing is of 72 pigs at seven times, beside R's glmmTMB where it is installed. Writes
benchmarks/repeated_measures.md.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import glmmtools as gt

TREATMENTS, ANIMALS, TIMES, LEVEL = 3, 5, 4, 0.05
METHODS = ("kenward-roger", "satterthwaite")
TERMS = {"treatment": "treatment", "C(time)": "time", "treatment:C(time)": "treatment × time"}
APART = np.abs(np.subtract.outer(range(TIMES), range(TIMES)))
GROWING = np.array([1.0, 1.3, 1.7, 2.2])
DECLINING = np.array([1.0, 0.7, 0.55, 0.3])[APART]
TRUTHS = {
    "cs": np.where(APART == 0, 1.0, 0.5),
    "hcs": np.where(APART == 0, 1.0, 0.5) * np.outer(GROWING, GROWING),
    "ar1": 0.7**APART,
    "har1": 0.7**APART * np.outer(GROWING, GROWING),
    "ou": 0.7**APART,
    "toep": DECLINING,
    "us": DECLINING * np.outer(GROWING, GROWING),
}
IN_GLMMTMB = {
    "us": "us(0 + weeks | pig)", "cs": "cs(0 + weeks | pig)", "toep": "toep(0 + weeks | pig)",
    "ar1": "ar1(0 + weeks | pig)", "ou": "ou(0 + numFactor(week) | pig)",
}  # fmt: skip


def layout() -> pd.DataFrame:
    animals = TREATMENTS * ANIMALS
    return pd.DataFrame(
        {
            "animal": np.repeat(np.arange(animals), TIMES),
            "treatment": np.repeat(np.array(list("ABC")), ANIMALS * TIMES),
            "time": np.tile(np.arange(TIMES), animals),
        }
    )


def p_values(name: str, seed: int, count: int) -> tuple[list[dict], int]:
    """The p-values of each term by each method, of some data sets; and how many had no fit."""
    rng, found, failed, data = np.random.default_rng([seed, len(name)]), [], 0, layout()
    root, animals = np.linalg.cholesky(TRUTHS[name]), TREATMENTS * ANIMALS
    drawn = (rng.standard_normal((count, animals, TIMES)) @ root.T).reshape(count, -1)
    model = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        for y in drawn:
            if model is None:
                model = gt.fit(
                    "y ~ treatment * C(time)", data.assign(y=y),
                    residual=f"{name}(time | animal)", reml=True,
                )  # fmt: skip
            fit = model.refit(y)
            if not fit.converged:
                failed += 1
                continue
            tests = {df: fit.anova(df=df)["p_value"] for df in METHODS}
            found.append({(df, term): tests[df][term] for df in METHODS for term in TERMS})
    return found, failed


def sizes(name: str, count: int, jobs: int) -> dict[str, str]:
    parts = Parallel(n_jobs=jobs)(
        delayed(p_values)(name, seed, count // jobs) for seed in range(jobs)
    )
    table = pd.DataFrame([row for found, _ in parts for row in found])
    share = 100 * (table <= LEVEL).mean()
    error = np.sqrt(share * (100 - share) / len(table))
    row = {
        f"{term} {short}": f"{share[df, key]:.1f} ± {error[df, key]:.1f}"
        for df, short in zip(METHODS, ("KR", "Satt."), strict=True)
        for key, term in TERMS.items()
    }
    return row | {"no fit": str(sum(failed for _, failed in parts))}


def as_markdown(table: pd.DataFrame) -> str:
    lines = [f"| | {' | '.join(table.columns)} |", "|---" * (len(table.columns) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(row)} |"
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    return "\n".join(lines)


def seconds(name: str) -> float:
    pigs = gt.load_data("pigs").query("week <= 7")
    found = []
    for _ in range(5):
        start = perf_counter()
        gt.fit("weight ~ C(week)", pigs, residual=f"{name}(week | pig)")
        found.append(perf_counter() - start)
    return min(found)


def seconds_in_r(name: str) -> float | None:
    """Of glmmTMB with its dispersion at zero, least of 3; None without it."""
    if shutil.which("Rscript") is None or name not in IN_GLMMTMB:
        return None
    script = f"""
        suppressPackageStartupMessages(library(glmmTMB))
        d <- subset(read.csv("data/pigs.csv"), week <= 7)
        d$pig <- factor(d$pig); d$weeks <- factor(d$week)
        f <- weight ~ weeks + {IN_GLMMTMB[name]}
        fit <- function() suppressWarnings(glmmTMB(f, d, dispformula = ~0))
        cat(min(replicate(3, system.time(fit())[["elapsed"]])))
    """
    root = Path(__file__).resolve().parents[1]
    run = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, cwd=root)
    return float(run.stdout) if run.returncode == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("replications", nargs="?", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    timed = {}
    for name in TRUTHS:
        there = seconds_in_r(name)
        timed[name] = {"here": f"{seconds(name):.3f}", "glmmTMB": f"{there:.2f}" if there else ""}
    found = {name: sizes(name, given.replications, given.jobs) for name in TRUTHS}
    text = f"""# Repeated measures: sizes of F tests, and times

`python benchmarks/repeated_measures.py {given.replications}`.

## Size at 5 %

Three treatments, {ANIMALS} animals each, {TIMES} times; no effect of either. Percent of
{given.replications} data sets, ± the Monte-Carlo standard error, of the structure that made the
data, by Kenward and Roger (KR) and by Satterthwaite. Of balanced `us` Kenward-Roger's F of time is
Hotelling's, and that of treatment × time, of more than two treatments, an approximation.

{as_markdown(pd.DataFrame(found).T)}

## Seconds for `weight ~ C(week)` of 72 pigs at 7 times

The least of 5; glmmTMB (1.1.5, `dispformula = ~0`) the least of 3. Its `toep` has a variance for
each time.

{as_markdown(pd.DataFrame(timed).T)}
"""
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
