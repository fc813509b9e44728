"""Run the notebooks and store their outputs: the only writer of stored outputs.

    python tools/execute_notebooks.py [--check] [notebook ...]

Without arguments: every lesson and every solution. A second run changes no byte: whatever differs
from run to run or from machine to machine (times, random cell ids, versions, state of widgets) is
fixed or left out. With ``--check`` nothing is written; the stored outputs are compared with new
ones, and the exit status is 1 if a text differs, 2 if only pictures do. Pictures shift with the
versions of NumPy and Matplotlib, so write and compare under the locked versions (any Python).
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loading it takes a second, and tests/conftest.py wants only the environment
    from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]

KERNEL_ENVIRONMENT = {
    "GLMMTOOLS_PROGRESS": "off",  # checks that pass here are no learner's
    "GLMMTOOLS_STATIC": "1",  # explorers draw a still figure: live widgets stall nbclient
    "TQDM_DISABLE": "1",  # progress bars print times
    "IPYKERNEL_CELL_NAME": "<cell>",  # else warnings and tracebacks name a temporary file
    "OPENBLAS_NUM_THREADS": "1",  # sums depend on how they are split among threads
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# alt: the alternative text of the cell's figure; concepts: those of the day that the cell teaches;
# jupyter: whether its source is collapsed. Anything else is left by front ends.
CELL_METADATA = {"alt", "concepts", "jupyter", "tags"}

CELL_TIMEOUT = 120  # seconds


def all_notebooks() -> list[Path]:
    """Lessons, then solutions, in their order."""
    folder = ROOT / "notebooks"
    return [*sorted(folder.glob("*.ipynb")), *sorted(folder.glob("solutions/*.ipynb"))]


def set_environment() -> None:
    """Give this process, and so the kernels it starts, the environment of the stored outputs."""
    os.environ.update(KERNEL_ENVIRONMENT)
    os.environ.pop("MPLBACKEND", None)  # another backend than the kernel's own stores no figure


def cell_id(number: str, cell: NotebookNode, taken: set[str]) -> str:
    """The cell's id if it begins with the lesson's number, else one made from its source.

    Front ends give random ids. One that is made from the first source and then kept stays the same
    however the notebook is edited later.
    """
    if cell.id.startswith(f"{number}-") and cell.id not in taken:
        return cell.id
    new = f"{number}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
    while new in taken:
        new += "x"
    return new


def normalise(notebook: NotebookNode, name: str) -> NotebookNode:
    """Fix, in place, everything but sources and outputs; return the notebook."""
    import nbformat

    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    number = re.match(r"\d*", name).group() or "cell"
    taken: set[str] = set()
    for cell in notebook.cells:
        cell.id = cell_id(number, cell, taken)
        taken.add(cell.id)
        kept = {key: value for key, value in cell.metadata.items() if key in CELL_METADATA}
        cell.metadata = nbformat.from_dict(kept)
    return notebook


def to_text(notebook: NotebookNode) -> str:
    """The text of the file: keys sorted, one space of indentation, a newline at the end."""
    from nbformat import v4

    return v4.writes(notebook) + "\n"


def execute(
    path: Path, select: Callable[[list[NotebookNode]], list[NotebookNode]] = list
) -> tuple[NotebookNode, float]:
    """Run one notebook in its own folder; return it with new outputs, and the seconds it took.

    `select` takes the cells and returns those that are run.
    """
    import nbformat
    from nbclient import NotebookClient

    start = time.perf_counter()
    notebook = normalise(nbformat.read(path, as_version=4), path.name)
    notebook.cells = select(notebook.cells)
    with tempfile.TemporaryDirectory() as profile:
        os.environ["IPYTHONDIR"] = profile  # the user's own IPython profile stays out
        os.environ["PYTHONHASHSEED"] = "0"  # not for nbval, which may catch what depends on it
        NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=CELL_TIMEOUT,
            startup_timeout=60,
            record_timing=False,
            coalesce_streams=True,  # how a stream is cut into messages is a matter of timing
            store_widget_state=False,
            extra_arguments=["--log-level=ERROR"],  # the kernel's own log, not the cells'
            resources={"metadata": {"path": str(path.parent)}},
        ).execute()
    normalise(notebook, path.name)  # nbclient stores the kernel's version
    return notebook, time.perf_counter() - start


def outputs(notebook: NotebookNode, *, pictures: bool) -> list[str]:
    """The outputs as lines to compare: texts, or the data of pictures."""
    lines = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            shown = {**output, **output.get("data", {})}
            shown.pop("data", None)
            for kind, value in sorted(shown.items()):
                if kind.startswith("image/") == pictures:
                    lines += [f"cell {number} {kind}: {line}" for line in str(value).splitlines()]
    return lines


def difference(stored_text: str, new: NotebookNode) -> tuple[int, str]:
    """Compare a file's text with a newly run notebook: the exit status, and what differs."""
    from nbformat import v4

    if stored_text == to_text(new):
        return 0, "same"
    stored = v4.reads(stored_text)
    old, now = (outputs(nb, pictures=False) for nb in (stored, new))
    if old != now:
        return 1, "\n".join(difflib.unified_diff(old, now, "stored", "new", lineterm="", n=0))
    old, now = (outputs(nb, pictures=True) for nb in (stored, new))
    if old != now:
        cells = sorted({line.split(" image/")[0] for line in {*old} ^ {*now}})
        return 2, "only pictures differ: " + ", ".join(cells)
    return 1, "outputs are the same, but ids or metadata are not: run `make notebooks`"


def run(path: Path, check: bool) -> tuple[int, str]:
    """Run one notebook and write or compare it: the exit status, and a report."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    name = path.name if path.parent.name != "solutions" else f"solutions/{path.name}"
    try:
        notebook, seconds = execute(path)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return 1, f"{name}: {error}"
    if check:
        status, report = difference(path.read_text(encoding="utf-8"), notebook)
    else:
        status, report = 0, "written"
        path.write_text(to_text(notebook), encoding="utf-8", newline="\n")
    return status, f"{name}: {report} ({seconds:.1f} s)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: every one")
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    options = parser.parse_args()

    paths = [path.resolve() for path in options.notebooks] or all_notebooks()
    if not paths:
        parser.error("there are no notebooks")
    if missing := [str(path) for path in paths if not path.is_file()]:
        parser.error(f"there is no such notebook: {', '.join(missing)}")
    set_environment()
    statuses = set()
    with ProcessPoolExecutor(options.jobs) as pool:
        for status, report in pool.map(run, paths, [options.check] * len(paths)):
            print(report, file=sys.stderr if status else sys.stdout, flush=True)
            statuses.add(status)
    return 1 if 1 in statuses else max(statuses)


if __name__ == "__main__":
    sys.exit(main())
