"""How long a learner waits: for the import, for a second `make`, for a set-up from nothing.

    python benchmarks/startup.py [--setup]

With ``--setup`` also the set-up, in a copy of the repository (it takes minutes and the network).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LATE = ("statsmodels", "matplotlib", "ipywidgets")  # loaded when they are used, not before

IMPORT = """
import sys, time
start = time.perf_counter()
import glmmtools
seconds = time.perf_counter() - start
print(seconds, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def import_seconds(runs: int = 10) -> float:
    """The least of several imports, each in a new process; the first one fills the caches."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    seconds = []
    for _ in range(1 + runs):
        command = [sys.executable, "-c", IMPORT]
        text = subprocess.check_output(command, cwd=ROOT, env=environment, text=True)
        took, *modules = text.split()
        assert not set(LATE) & set(modules), f"imported too early: {set(LATE) & set(modules)}"
        seconds.append(float(took))
    return min(seconds[1:])


def seconds_until(text: str, *command: str) -> float:
    """Time until the command prints the text; then the command is stopped."""
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        found = any(text in line for line in process.stdout)
        seconds = time.perf_counter() - start
        os.killpg(process.pid, signal.SIGTERM)
    assert found, f"{command} ended without printing {text!r}"
    return seconds


def setup_seconds() -> float:
    """Set up a copy of the repository without its .venv."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".git", "__pycache__"))
        start = time.perf_counter()
        subprocess.run(["make", ".venv/.ready"], cwd=copy, check=True)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--setup", action="store_true", help="measure the set-up too")
    rows = [
        (f"import glmmtools, warm, without {', '.join(LATE)}", import_seconds()),
        (
            "second `make test`: until pytest starts",
            seconds_until("test session starts", "make", "test"),
        ),
        (
            "second `make lab`: until JupyterLab answers",
            seconds_until("is running at", "make", "lab", "ARGS=--no-browser"),
        ),
    ]
    if parser.parse_args().setup:
        rows.append(("set-up from nothing, packages in pip's cache", setup_seconds()))
    for what, seconds in rows:
        print(f"{seconds:7.2f} s  {what}")


if __name__ == "__main__":
    main()
