"""Measure what a class asks of one machine: python benchmarks/workshop.py [kernels]

Ten kernels run lesson 05 at once, and one kernel runs lesson 12. For each kernel the largest memory
it had (resident set). Writes benchmarks/workshop.md; fails where a cell ends in an error or the
kernel of lesson 12 needs more than 500 MB.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 500  # MB, of a learner's kernel after lesson 12


def run(name: str) -> tuple[float, float]:
    """Seconds and peak megabytes of one kernel that runs a lesson; an error in a cell is raised."""
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": ROOT}})
    start, peak, done = time.perf_counter(), [0.0], threading.Event()
    with client.setup_kernel():
        kernel = psutil.Process(client.km.provisioner.pid)

        def watch() -> None:
            while not done.wait(0.2):
                peak[0] = max(peak[0], kernel.memory_info().rss / 1e6)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for i, cell in enumerate(notebook.cells):
                client.execute_cell(cell, i)
        finally:
            done.set()
            watcher.join()
    return time.perf_counter() - start, peak[0]


def main() -> int:
    os.environ["GLMMTOOLS_STATIC"] = "1"
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    kernels = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    alone, memory = run("12-why-mixed-models.ipynb")
    with ThreadPoolExecutor(kernels) as pool:
        together = list(pool.map(run, ["05-fit-a-glmm.ipynb"] * kernels))
    seconds, peaks = zip(*together, strict=True)
    lines = [
        "# A class on one machine",
        "",
        f"Written by `benchmarks/workshop.py` on {os.cpu_count()} cores.",
        "",
        "| | measured | limit |",
        "|---|---:|---:|",
        f"| memory of a kernel that has run lesson 12 | {memory:.0f} MB | {LIMIT} MB |",
        f"| lesson 12 alone | {alone:.0f} s | |",
        f"| {kernels} kernels run lesson 05 at once: errors | 0 | 0 |",
        f"| the slowest of them | {max(seconds):.0f} s | |",
        f"| memory of the largest | {max(peaks):.0f} MB | |",
        f"| memory of all {kernels} | {sum(peaks) / 1000:.1f} GB | |",
        "",
    ]
    text = "\n".join(lines)
    (ROOT / "benchmarks" / "workshop.md").write_text(text, encoding="utf-8")
    print(text)
    return 0 if memory < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
