"""How long a power study takes, and how much of it a second process saves.

    python benchmarks/study.py

1000 simulated trials of a Poisson GLMM with 40 subjects × 6 visits: in this process, and by joblib
on two. The processes are started before the clock. Runs on one and on two processes alternate, and
the least of the repeats is given, because other work on the machine can only add time; what the
machine itself allows is measured beside, by a loop without any data in two processes at once.
Writes benchmarks/study.md.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import resource
import time
from pathlib import Path

import joblib

import glmmtools as gt
from glmmtools.studies.study import Study

LIMIT, WITHIN = 15.0, 1.3  # seconds on two processes; two processes against half the time of one
FORMULA = "count ~ treatment + visit + (1 | subject)"
TRUTH = {
    "coef": {"Intercept": 1.0, "treatment[T.new]": 0.4, "visit": 0.05},
    "sd": 0.5,
    "terms": "treatment[T.new]",
}


def study(n: int, n_jobs: int) -> Study:
    layout = gt.designs.repeated(40, range(6), ["old", "new"], time="visit")
    return gt.power(FORMULA, layout, "poisson", n=n, n_jobs=n_jobs, progress=False, **TRUTH)


def loop(_=None) -> int:
    total = 0
    for each in range(20_000_000):
        total += each & 1
    return total


def measured(call) -> tuple[float, float]:
    """Wall time, and CPU time of this process and its finished children."""
    wall, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    return time.perf_counter() - wall, used


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    study(200, 2)  # starts the processes and their imports
    wall = {1: [], 2: [], "loop": [], "loops": []}
    cpu = []
    with joblib.Parallel(n_jobs=2) as pair:
        for _ in range(repeats):
            seconds, used = measured(lambda: study(1000, 1))
            wall[1].append(seconds)
            cpu.append(used)
            wall[2].append(measured(lambda: study(1000, 2))[0])
            wall["loop"].append(measured(loop)[0])
            wall["loops"].append(
                measured(lambda: pair(joblib.delayed(loop)(i) for i in range(2)))[0]
            )
    best = {name: min(values) for name, values in wall.items()}
    ratio = best[2] / (best[1] / 2)
    machine = best["loops"] / best["loop"]
    load = os.getloadavg()[0]
    lines = [
        "# A power study of 1000 simulated trials",
        "",
        "Written by `benchmarks/study.py`: a Poisson GLMM, 40 subjects × 6 visits; the least of "
        f"{repeats} runs, on {os.cpu_count()} cores with a load of {load:.1f} at the end.",
        "",
        "| | measured | limit |",
        "|---|---:|---:|",
        f"| one process, wall time | {best[1]:.1f} s | |",
        f"| one process, CPU time | {min(cpu):.1f} s | |",
        f"| two processes, wall time | {best[2]:.1f} s | {LIMIT:g} s |",
        f"| two processes, in halves of the time of one (ideal: 1) | {ratio:.2f} | {WITHIN:g} |",
        f"| the same for a bare loop: what the machine allows | {machine:.2f} | |",
        f"| all wall times, one process | {', '.join(f'{each:.1f}' for each in wall[1])} s | |",
        f"| all wall times, two processes | {', '.join(f'{each:.1f}' for each in wall[2])} s | |",
        "",
        "The ratio of the bare loop says whether the machine was free: where it is far above 1,",
        "the ratio of the study measures the other work on the machine, not this package.",
        "",
    ]
    Path(__file__).with_suffix(".md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
