"""Random small models beside R's glmmTMB: do both find the same maximum?

    python benchmarks/random_models.py

Data sets of 20 to 160 rows, most of them hard: few groups, variances of zero, series of which the
data tell little. Each is fitted by every family and random part, by `gt.fit` and by glmmTMB,
both with default settings. Needs R with glmmTMB and jsonlite; writes benchmarks/random_models.md.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import json
import re
import shutil
import subprocess
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

import glmmtools as gt

HERE = Path(__file__).resolve().parent
DATA_SETS = 12
SAME = 1e-4  # of log-likelihoods

# Our random part, R's, and which linear predictor the responses are drawn around.
TERMS = {
    "(1 | g)": ("(1 | g)", "intercepts"),
    "(1 | g) + (1 | h)": ("(1 | g) + (1 | h)", "intercepts"),
    "(x | g)": ("(x | g)", "slopes"),
    "(x || g)": ("(1 | g) + (0 + x | g)", "slopes"),
    "(0 + f | g)": ("(0 + f | g)", "intercepts"),
    "ar1(week | g)": ("ar1(factor(week) + 0 | g)", "series"),
}
R_FAMILIES = {
    "normal": "gaussian()",
    "t": "t_family()",
    "gamma": "Gamma(link = 'log')",
    "beta": "beta_family()",
    "binomial 0/1": "binomial()",
    "binomial": "binomial()",
    "betabinomial": "betabinomial()",
    "poisson": "poisson()",
    "negative_binomial": "nbinom2()",
    "nbinom1": "nbinom1()",
    "poisson + zeros": "poisson()",
    "negative_binomial + zeros": "nbinom2()",
}


def column(model: str, predictor: str) -> str:
    return re.sub(r"\W+", "_", f"{model} {predictor}")


def data_set(seed: int) -> pd.DataFrame:
    """Rows of groups and weeks, and a response of each family around each linear predictor."""
    rng = np.random.default_rng([7, seed])
    groups, weeks = rng.choice([6, 10, 20]), rng.choice([4, 6, 8])
    sd, rho = rng.choice([0.0, 0.4, 1.0, 1.5]), rng.choice([-0.5, 0.3, 0.8])
    phi = rng.choice([0.3, 1.0])
    g, week = np.repeat(np.arange(groups), weeks), np.tile(np.arange(weeks), groups)
    n = len(g)
    h, x = rng.integers(0, 5, n), rng.normal(size=n).round(4)
    series = np.empty((groups, weeks))
    for k in range(weeks):
        new = rng.normal(size=groups)
        series[:, k] = new if k == 0 else rho * series[:, k - 1] + np.sqrt(1 - rho**2) * new
    level, slope = sd * rng.normal(size=(2, groups))
    intercepts = 0.6 + 0.4 * x + level[g] + 0.5 * sd * rng.normal(size=5)[h]
    predictors = {
        "intercepts": intercepts,
        "slopes": intercepts + 0.6 * slope[g] * x,
        "series": 0.6 + 0.4 * x + sd * series.ravel(),
    }
    data = pd.DataFrame({"g": g, "h": h, "week": week, "x": x, "trials": rng.integers(3, 12, n)})
    data[["g", "h"]] = data[["g", "h"]].astype(str).radd("level ")
    data["f"] = rng.choice(["p", "q", "r"], n)
    for model in R_FAMILIES:
        family = gt.family(model.split()[0])
        values = {"phi": 4.0 if "beta" in family.name else phi, "df": 4.0}
        shape = {name: values[name] for name in family.shape}
        if family.takes_trials:
            shape["trials"] = np.ones(n) if "0/1" in model else data["trials"].to_numpy()
        for name, eta in predictors.items():
            mu = family.clipped_mean(np.clip(eta, -4, 4), family.default_link)
            y = family.sample(mu, rng, **shape)
            if family.name == "beta":
                y = np.clip(y, 1e-3, 1 - 1e-3)
            data[column(model, name)] = y * (rng.random(n) > 0.3) if "zeros" in model else y
    return data[rng.random(n) < 0.9].round(6)


def jobs(folder: Path):
    """Write the data sets; yield each model as the arguments of `gt.fit` and as R reads it."""
    for seed in range(DATA_SETS):
        path = folder / f"{seed}.csv"
        data = data_set(seed)
        data.to_csv(path, index=False)
        data = pd.read_csv(path)  # both read what was written
        for ours, (theirs, predictor) in TERMS.items():
            fixed = "f" if "f |" in ours else "x"
            for model, r_family in R_FAMILIES.items():
                name, trials = model.split()[0], model in ("binomial", "betabinomial")
                y = column(model, predictor)
                left = f"prop({y}, trials)" if trials else y
                r_left = f"cbind({y}, trials - {y})" if trials else y
                zeros = "zeros" in model
                r = {
                    "data": path.name, "r_formula": f"{r_left} ~ {fixed} + {theirs}",
                    "r_family": r_family, "zeros": zeros,
                }  # fmt: skip
                options = {"zero_inflation": "~ 1"} if zeros else {}
                yield ours, model, (f"{left} ~ {fixed} + {ours}", data, name, options), r


def compare(fitted, theirs: dict) -> str:
    """Which of the two found what."""
    if not (fitted.converged and theirs["converged"]):
        return {
            (True, False): "only ours", (False, True): "only theirs", (False, False): "neither"
        }[fitted.converged, theirs["converged"]]  # fmt: skip
    difference = fitted.llf - theirs["llf"]
    if abs(difference) < SAME:
        return "same"
    return "ours higher" if difference > 0 else "theirs higher"


def main() -> None:
    if shutil.which("Rscript") is None:
        print("R is not installed: nothing to compare with")
        return
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = list(jobs(folder))
        (folder / "jobs.json").write_text(json.dumps([r for *_, r in models]))
        process = subprocess.Popen(["Rscript", str(HERE / "random_models.R"), name])
        fits = [_fit(*arguments) for _, _, arguments, _ in models]
        if process.wait():
            raise RuntimeError("R stopped")
        answers = [json.loads(x) for x in (folder / "glmmTMB.jsonl").read_text().splitlines()]
    counts, farthest, higher, refused = {}, Counter(), [], 0
    for (terms, model, arguments, r), fitted, theirs in zip(models, fits, answers, strict=True):
        if fitted is None:
            refused += 1
            continue
        verdict = compare(fitted, theirs)
        counts.setdefault(terms, Counter())[verdict] += 1
        if verdict == "same":
            se = np.array(theirs["se"])
            coefficients = np.abs(fitted.params - theirs["beta"]) / se
            farthest["coefficients apart by more than 0.01 SE"] += bool(np.max(coefficients) > 0.01)
            if model != "normal":  # there ours are given the variances, as lme4's
                apart = np.abs(fitted.bse / se - 1)
                farthest["standard errors apart by more than 1 %"] += bool(np.max(apart) > 0.01)
        if verdict == "theirs higher":
            values = f"{fitted.llf:.4f}, glmmTMB {theirs['llf']:.4f}"
            higher.append(f"`{arguments[0]}`, {model}, data set {Path(r['data']).stem}: {values}")
    _write(counts, farthest, higher, refused)


def _fit(formula, data, family, options):
    try:
        return gt.fit(formula, data, family, **options)
    except ValueError:
        return None


def _write(counts: dict, farthest: Counter, higher: list[str], refused: int) -> None:
    verdicts = ("same", "ours higher", "theirs higher", "only ours", "only theirs", "neither")
    total = sum(counts.values(), Counter())
    lines = [
        "# Random models beside glmmTMB",
        "",
        f"Made by `python benchmarks/random_models.py`: {sum(total.values())} models of "
        f"{DATA_SETS} data sets, {len(R_FAMILIES)} families each, with default settings; {refused} "
        "more that `gt.fit` refuses with a reason. *Same*: both say that they converged, and their "
        f"log-likelihoods agree to {SAME:g}. *Higher*: the same, with another maximum. *Only*: the "
        "other says that it did not converge, as glmmTMB often does where a variance is zero.",
        "",
        "| random part | " + " | ".join(verdicts) + " |",
        "|---|" + "---:|" * len(verdicts),
    ]
    for terms, row in [*counts.items(), ("all", total)]:
        label = "all" if terms == "all" else "`" + terms.replace("|", "\\|") + "`"
        lines.append(f"| {label} | " + " | ".join(str(row[each]) for each in verdicts) + " |")
    lines += ["", f"Of the {total['same']} that are the same:", ""]
    lines += [f"- {name}: {count}" for name, count in farthest.items()]
    if higher:
        lines += ["", "Where glmmTMB ends higher:", "", *(f"- {each}" for each in higher)]
    (HERE / "random_models.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
