"""How long fits take, beside R's glmmTMB and lme4 in the same run where R is installed.

    python benchmarks/fit_speed.py

Every reference model end to end through `gt.fit` (formula, codes, engine, standard errors), by the
engine that `gt.fit` chooses and by our Laplace engine; then the large cases of the design. R is
called as a user would call it, with default controls. The repetitions of ours and of R's take
turns, model by model, so that other work on the machine slows both alike, and what is compared is
the processor time of one thread: medians. Writes benchmarks/fit_speed.md.
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
from pathlib import Path

import numpy as np
import pandas as pd

import glmmtools as gt

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
        data = _load(model)
        names = ("reml", "nagq", "weights", "dispersion_formula", "zero_inflation")
        options = {name: model["options"][name] for name in names if model["options"].get(name)}
        df = model["options"].get("t_df")
        family = gt.family(model["family"], df=df) if df else model["family"]

        def call(engine, model=model, data=data, family=family, options=options):
            return gt.fit(
                model["formula"], data, family, link=model["link"], engine=engine, **options
            )

        fitted = call("auto")
        times = {"auto": [], "laplace": [], "glmmTMB": [], "lme4": []}
        for _ in range(RUNS + 1):
            for engine in ("auto", "laplace"):
                times[engine].append(seconds(lambda call=call, engine=engine: call(engine)))
            for package, value in r.times(model["id"]).items():
                times[package].append(value)
        rows.append(
            {
                "model": model["id"],
                "rows": fitted.nobs,
                "terms": len(fitted.n_groups),
                "groups": " × ".join(map(str, fitted.n_groups.values())) or "–",
                # the first repetition warms up
                **{name: median(values[1:]) for name, values in times.items()},
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _load(model: dict) -> pd.DataFrame:
    if not model["data_file"].startswith("tests/"):
        return gt.load_data(model["data"])
    data = pd.read_csv(ROOT / model["data_file"])
    for column in filter(None, (model.get("data_categories") or "").split(";")):
        data[column] = data[column].astype(str).astype("category")
    return data


def large_cases() -> list[tuple[str, str, float, float | None]]:
    """Name, bar, elapsed and processor seconds of each large case; peak memory at the end."""
    rng = np.random.default_rng(0)
    found = []

    def add(name, bar, formula, data, family, engine="auto"):
        start = time.perf_counter(), time.process_time()
        model = gt.fit(formula, data, family, engine=engine)
        took = time.perf_counter() - start[0], time.process_time() - start[1]
        found.append((f"{name} (engine {model.engine})", bar, *took))
        assert model.converged, name

    series, times = 1000, 10
    b = np.empty((series, times))
    b[:, 0] = rng.normal(size=series)
    for k in range(1, times):
        b[:, k] = 0.7 * b[:, k - 1] + np.sqrt(1 - 0.49) * rng.normal(size=series)
    data = pd.DataFrame(
        {"g": np.repeat(np.arange(series), times), "time": np.tile(np.arange(times), series)}
    ).assign(x=rng.normal(size=series * times))
    data["y"] = 1 + 0.5 * data["x"] + b.ravel() + rng.normal(0, 0.5, len(data))
    data["count"] = rng.poisson(np.exp(0.5 + 0.3 * data["x"] + 0.7 * b.ravel()))
    formula = "~ x + ar1(time | g)"
    add("AR(1), normal, 1e4 rows in 1e3 series", "5 s", f"y {formula}", data, "normal")
    add("AR(1), Poisson, 1e4 rows in 1e3 series", "5 s", f"count {formula}", data, "poisson")

    n = 73_421
    data = pd.DataFrame({"s": rng.integers(0, 2972, n), "d": rng.integers(0, 1128, n)})
    u, v = rng.normal(0, 0.33, 2972)[data["s"]], rng.normal(0, 0.52, 1128)[data["d"]]
    data["x"] = rng.normal(size=n)
    data["y"] = 3 + 0.1 * data["x"] + u + v + rng.normal(0, 1.18, n)
    add(
        "crossed normal, 73,421 rows, 2972 × 1128",
        "5 s",
        "y ~ x + (1 | s) + (1 | d)",
        data,
        "normal",
    )

    for rows in (10**4, 10**5, 10**6):
        g = rng.integers(0, 500, rows)
        data = pd.DataFrame({"g": g, "x": rng.normal(size=rows)})
        data["y"] = rng.poisson(np.exp(0.5 + 0.3 * data["x"] + rng.normal(0, 0.5, 500)[g]))
        for engine in ("auto", "laplace"):
            name = f"Poisson, {rows:.0e} rows in 500 groups".replace("e+0", "e")
            add(name, "linear in rows", "y ~ x + (1 | g)", data, "poisson", engine)

    g = rng.integers(0, 10**5, 10**6)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=10**6)})
    p = 1 / (1 + np.exp(0.5 - 0.5 * data["x"] - rng.normal(size=10**5)[g]))
    data["y"] = (rng.random(10**6) < p).astype(int)
    add("Bernoulli, 1e6 rows in 1e5 groups", "15 s", "y ~ x + (1 | g)", data, "binomial")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    found.append(("peak memory of this process, GB", "2 GB", peak, None))
    return found


def overhead() -> float:
    """What `gt.fit` of herds takes beyond the engine's own time, in milliseconds."""
    import glmm

    data = gt.load_data("herds")
    formula = "prop(incidence, size) ~ period + (1 | herd)"
    own = {
        "y": (data["incidence"] / data["size"]).to_numpy(float),
        **{f"x{k}": (data["period"] == str(k)).to_numpy(float) for k in (2, 3, 4)},
        "g": data["herd"],
    }
    trials = data["size"].to_numpy(float)
    calls = (
        lambda: glmm.fit(own, "y ~ 1 + x2 + x3 + x4 + (1 | g)", "binomial", weights=trials),
        lambda: gt.fit(formula, data, "binomial"),
    )
    engine, ours = zip(*((seconds(call) for call in calls) for _ in range(7 * RUNS)), strict=True)
    return 1e3 * (median(ours) - median(engine))


def main() -> None:
    warnings.simplefilter("ignore", gt.GlmmWarning)
    lines = [
        "# Speed of fits",
        "",
        "Made by `python benchmarks/fit_speed.py`: processor seconds of one thread, medians of "
        f"{RUNS} repetitions in which R and Python take turns.",
        "",
    ]
    rows = reference_models()
    lines += [
        "Seconds a fit. ratio: glmmTMB / ours (auto); slower: ours (laplace) / glmmTMB.", "",
        "| model | rows | groups | glmmTMB | lme4 | ours (auto) | ours (laplace) "
        "| ratio | slower |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    ratios, slower, small = [], [], []
    for row in rows:
        tmb, lme4 = row["glmmTMB"], row["lme4"]
        ratio = tmb / row["auto"] if tmb and row["auto"] else None
        slow = row["laplace"] / tmb if tmb and row["laplace"] else None
        ratios += [(ratio, row["model"])] if ratio else []
        slower += [(slow, row["model"])] if slow else []
        if row["laplace"] and row["rows"] < 1000 and row["terms"] <= 2:
            small.append((row["laplace"], row["model"]))
        cells = [row["model"], row["rows"], row["groups"]]
        cells += [_cell(each) for each in (tmb, lme4, row["auto"], row["laplace"])]
        cells += [_cell(ratio, 1), _cell(slow, 2)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines.append("")
    if ratios:
        lines.append(
            f"auto is {min(ratios)[0]:.1f} ({min(ratios)[1]}) to {max(ratios)[0]:.1f} times as "
            f"fast as glmmTMB, median {statistics.median(x for x, _ in ratios):.1f}; below 5: "
            f"{sum(x < 5 for x, _ in ratios)} of {len(ratios)}."
        )
        lines.append(
            f"laplace takes at most {max(slower)[0]:.2f} of glmmTMB's time ({max(slower)[1]}); "
            f"slower than it on {sum(x > 1 for x, _ in slower)} of {len(slower)}."
        )
    lines.append(
        "laplace on fewer than 1000 rows and up to two terms: at most "
        f"{max(small)[0]:.2f} s ({max(small)[1]}); "
        f"above 0.3 s: {sum(x > 0.3 for x, _ in small)} of {len(small)}."
    )
    lines.append(f"Overhead of `gt.fit` on herds beyond the engine: {overhead():.1f} ms.")
    lines += ["", "| large case | bar | elapsed | processor |", "|---|---|---:|---:|"]
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
