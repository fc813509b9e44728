"""How long fits take, beside statsmodels, and beside R's glmmTMB and lme4 where R is installed.

    python benchmarks/fit_speed.py

Every reference model end to end through `gt.fit` (formula, codes, engine, standard errors), by our
engine and by statsmodels where it has the model; then the large cases of the design. R is called as
a user would call it, with default controls. The repetitions of all take turns, model by model, so
that other work on the machine slows them alike, and what is compared is the processor time of one
thread: medians. Writes benchmarks/fit_speed.md.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import glmmtools as gt
from glmmtools.engine import laplace

ROOT = Path(__file__).resolve().parents[1]
RUNS = 3


def seconds(call) -> float | None:
    """Processor time of one call; None where no engine covers the model."""
    start = time.process_time()
    try:
        call()
    except ValueError:
        return None
    return time.process_time() - start


def median(values: list) -> float | None:
    return None if None in values else statistics.median(values)


class R:
    """A process of R that fits one model at a time; without R every time is None."""

    def __init__(self):
        self.process = None
        if shutil.which("Rscript") is None:
            print("R is not installed: its columns stay empty", file=sys.stderr)
            return
        self.process = subprocess.Popen(
            ["Rscript", "benchmarks/fit_speed.R"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def times(self, model_id: str) -> dict[str, float | None]:
        if self.process is None:
            return {"glmmTMB": None, "lme4": None}
        self.process.stdin.write(f"{model_id}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"R stopped at {model_id}")


def reference_models() -> list[dict]:
    models = json.loads((ROOT / "tests" / "reference" / "models.json").read_text())
    rows, r = [], R()
    for model in models:
        call = _call_of(model)
        fitted = call("laplace")
        times = {name: [] for name in ("laplace", "statsmodels", "glmmTMB", "lme4")}
        for _ in range(RUNS + 1):
            for engine in ("laplace", "statsmodels"):
                times[engine].append(seconds(lambda call=call, engine=engine: call(engine)))
            for package, value in r.times(model["id"]).items():
                times[package].append(value)
        rows.append(
            {
                "model": model["id"],
                "linear": fitted.is_linear,
                "rows": fitted.nobs,
                "terms": len(fitted.n_groups),
                "groups": " × ".join(map(str, fitted.n_groups.values())) or "–",
                # the first repetition warms up
                **{name: median(values[1:]) for name, values in times.items()},
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _call_of(model: dict):
    """The fit of a reference model by an engine."""
    data, options = _load(model), model["options"]
    names = ("reml", "nagq", "weights", "dispersion_formula", "zero_inflation")
    given = {name: options[name] for name in names if options.get(name)}
    df = options.get("t_df")
    family = gt.family(model["family"], df=df) if df else model["family"]
    return lambda engine: gt.fit(
        model["formula"], data, family, link=model["link"], engine=engine, **given
    )


def _load(model: dict) -> pd.DataFrame:
    if not model["data_file"].startswith("tests/"):
        return gt.load_data(model["data"])
    data = pd.read_csv(ROOT / model["data_file"])
    for column in filter(None, (model.get("data_categories") or "").split(";")):
        data[column] = data[column].astype(str).astype("category")
    return data


def large_cases() -> list[tuple[str, str, float, float | None]]:
    """Name, bar, elapsed and processor seconds of each large case; peak memory at the end."""
    found = []
    for name, bar, formula, data, family, options in _cases(np.random.default_rng(0)):
        start = time.perf_counter(), time.process_time()
        model = gt.fit(formula, data, family, **options)
        took = time.perf_counter() - start[0], time.process_time() - start[1]
        found.append((name if model.converged else f"{name}: not converged", bar, *took))
        print(found[-1], file=sys.stderr, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    found.append(("peak memory of this process, GB", "0.6 GB", peak, None))
    return found


def _cases(rng: np.random.Generator):
    """Name, bar, formula, data, family, options."""
    for series, times, bar in ((1000, 10, "5 s"), (300, 100, "15 s")):
        data = _series(rng, series, times)
        name = f"{series * times:,} rows in {series:,} series"
        yield f"AR(1), normal, {name}", bar, "y ~ x + ar1(time | g)", data, "normal", {}
        yield f"AR(1), Poisson, {name}", bar, "count ~ x + ar1(time | g)", data, "poisson", {}
    data = _series(rng, 24, 10).assign(w=rng.integers(1, 4, 240))
    formula = "part ~ x + ar1(time | g)"
    options = {"link": "cloglog", "weights": "w"}
    yield "AR(1), beta, cloglog, weights, 240 rows", "10 s", formula, data, "beta", options

    n = 73_421
    data = pd.DataFrame({"s": rng.integers(0, 2972, n), "d": rng.integers(0, 1128, n)})
    u, v = rng.normal(0, 0.33, 2972)[data["s"]], rng.normal(0, 0.52, 1128)[data["d"]]
    data["x"] = rng.normal(size=n)
    data["y"] = 3 + 0.1 * data["x"] + u + v + rng.normal(0, 1.18, n)
    formula = "y ~ x + (1 | s) + (1 | d)"
    yield "crossed normal, 73,421 rows, 2972 × 1128", "3 s", formula, data, "normal", {}

    farm, animal = np.repeat(np.arange(2000), 50), np.repeat(np.arange(20_000), 5)
    data = pd.DataFrame({"farm": farm, "animal": animal, "x": rng.normal(size=10**5)})
    eta = rng.normal(0, 0.5, 2000)[farm] + rng.normal(0, 0.4, 20_000)[animal]
    data["count"] = rng.poisson(np.exp(1 + 0.2 * data["x"] + eta))
    name = "nested Poisson, 100,000 rows of 20,000 animals in 2,000 farms"
    yield name, "5 s", "count ~ x + (1 | farm/animal)", data, "poisson", {}

    for rows in (10**4, 10**5, 10**6):
        data = _grouped(rng, rows, 500)
        name = f"Poisson, {rows:,} rows in 500 groups"
        yield name, "linear in rows", "count ~ x + (1 | g)", data, "poisson", {}
    data = _grouped(rng, 200_000, 50_000)
    for family, bar in (("poisson", "2 s"), ("negative_binomial", "5 s"), ("nbinom1", "10 s")):
        yield f"{family}, 50,000 groups", bar, "many ~ x + (1 | g)", data, family, {}

    data = _grouped(rng, 10**6, 10**5)
    formula = "success ~ x + (1 | g)"
    yield "Bernoulli, 1,000,000 rows in 100,000 groups", "5 s", formula, data, "binomial", {}


def _series(rng: np.random.Generator, series: int, times: int) -> pd.DataFrame:
    b = np.empty((series, times))
    b[:, 0] = rng.normal(size=series)
    for k in range(1, times):
        b[:, k] = 0.7 * b[:, k - 1] + np.sqrt(1 - 0.49) * rng.normal(size=series)
    data = pd.DataFrame(
        {"g": np.repeat(np.arange(series), times), "time": np.tile(np.arange(times), series)}
    ).assign(x=rng.normal(size=series * times))
    data["y"] = 1 + 0.5 * data["x"] + b.ravel() + rng.normal(0, 0.5, len(data))
    data["count"] = rng.poisson(np.exp(0.5 + 0.3 * data["x"] + 0.7 * b.ravel()))
    mu = 1 - np.exp(-np.exp(-0.5 + 0.3 * data["x"] + 0.5 * b.ravel()))
    data["part"] = rng.beta(20 * mu, 20 * (1 - mu)).clip(1e-6, 1 - 1e-6)
    return data


def _grouped(rng: np.random.Generator, rows: int, groups: int) -> pd.DataFrame:
    """Counts, overdispersed counts and 0/1 in groups of unequal size."""
    data = pd.DataFrame({"g": rng.integers(0, groups, rows), "x": rng.normal(size=rows)})
    eta = 0.3 * data["x"] + rng.normal(0, 0.5, groups)[data["g"]]
    data["count"] = rng.poisson(np.exp(0.5 + eta))
    data["many"] = rng.poisson(np.exp(0.5 + eta) * rng.gamma(2, 0.5, rows))
    data["success"] = (rng.random(rows) < 1 / (1 + np.exp(0.5 - 2 * eta))).astype(int)
    return data


def overhead() -> float:
    """What `gt.fit` of herds takes beyond the engine's own time, in milliseconds."""
    data = gt.load_data("herds")
    formula = "prop(incidence, size) ~ period + (1 | herd)"
    problem = gt.fit(formula, data, "binomial").problem
    # what a problem remembers of a fit is not to count
    calls = (lambda: laplace.fit(replace(problem)), lambda: gt.fit(formula, data, "binomial"))
    engine, whole = zip(*((seconds(call) for call in calls) for _ in range(7 * RUNS)), strict=True)
    return 1e3 * (median(whole) - median(engine))


def table(rows: list[dict]) -> list[str]:
    """The lines of the reference models, and what they say together."""
    lines = [
        "Seconds a fit; in the last column glmmTMB's time over ours.", "",
        "| model | rows | groups | glmmTMB | lme4 | statsmodels | ours | ratio |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for row in rows:
        times = [_cell(row[name]) for name in ("glmmTMB", "lme4", "statsmodels", "laplace")]
        cells = [row["model"], row["rows"], row["groups"], *times, _cell(ratio(row, "glmmTMB"), 1)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines.append("")
    for other, chosen in {
        "glmmTMB": rows,
        "lme4": [row for row in rows if row["linear"]],
        "statsmodels": rows,
    }.items():
        ratios = [(ratio(row, other), row["model"]) for row in chosen if ratio(row, other)]
        if ratios:
            which = "linear mixed models" if chosen is not rows else "models"
            lines.append(
                f"{other} takes {min(ratios)[0]:.1f} ({min(ratios)[1]}) to {max(ratios)[0]:.1f} "
                f"times as long as ours, median {statistics.median(x for x, _ in ratios):.1f} of "
                f"{len(ratios)} {which}."
            )
    small = [
        (row["laplace"], row["model"]) for row in rows if row["rows"] < 1000 and row["terms"] <= 2
    ]
    lines.append(
        f"Ours on fewer than 1000 rows and up to two terms: at most {max(small)[0]:.2f} s "
        f"({max(small)[1]})."
    )
    return lines


def ratio(row: dict, other: str) -> float | None:
    """Time of another program over ours."""
    return row[other] / row["laplace"] if row[other] and row["laplace"] else None


def main() -> None:
    warnings.simplefilter("ignore", gt.GlmmWarning)
    lines = [
        "# Speed of fits", "",
        "Made by `python benchmarks/fit_speed.py`: processor seconds of one thread, medians of "
        f"{RUNS} repetitions in which R and Python take turns.", "",
        *table(reference_models()),
        f"Overhead of `gt.fit` on herds beyond the engine: {overhead():.1f} ms.",
        "", "| large case | bar | elapsed | processor |", "|---|---|---:|---:|",
    ]  # fmt: skip
    lines += [
        f"| {name} | {bar} | {value:.2f} | {_cell(processor, 2)} |"
        for name, bar, value, processor in large_cases()
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / "fit_speed.md").write_text(text)
    print(text)


def _cell(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
