"""Run lessons with nothing but what the browser has: python tests/pyodide_only.py notebook ...

Every import of another package fails as it would in Pyodide, and so do processes and threads. The
versions are those of this environment, and the Python is an ordinary one.
"""

from __future__ import annotations

import importlib.abc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

# The packages of Pyodide that ours needs, with what they need: version 314, its lock file.
PYODIDE = {
    "contourpy": "1.3.3",
    "cycler": "0.12.1",
    "fonttools": "4.62.1",
    "ipython": "9.12.0",
    "joblib": "1.5.3",
    "kiwisolver": "1.5.0",
    "matplotlib": "3.10.8",
    "narwhals": "2.18.1",
    "numpy": "2.4.6",
    "packaging": "26.1",
    "pandas": "3.0.2",
    "patsy": "1.0.2",
    "pillow": "12.2.0",
    "pyparsing": "3.3.2",
    "python-dateutil": "2.9.0.post0",
    "pytz": "2026.1.post1",
    "scipy": "1.18.0",
    "six": "1.17.0",
    "statsmodels": "0.14.6",
    "traitlets": "5.14.3",
    "typing-extensions": "4.15.0",
    "wrapt": "2.1.2",
}
MODULES = {name.replace("-", "_") for name in PYODIDE} | {
    "IPython",
    "PIL",
    "dateutil",
    "fontTools",
    "mpl_toolkits",
    "pylab",
}
# What IPython has there and the wheels that `make lite` brings.
MODULES |= {"asttokens", "decorator", "executing", "matplotlib_inline", "prompt_toolkit"}
MODULES |= {"pure_eval", "pygments", "stack_data", "wcwidth"}
MODULES |= {"comm", "formulaic", "glmmtools", "interface_meta", "ipywidgets"}
MODULES |= {"platformdirs", "seaborn"}
MISSING = {"_multiprocessing", "_posixsubprocess", "fcntl", "resource", "termios"}


class OnlyPyodide(importlib.abc.MetaPathFinder):
    """Refuses every module that is neither Python's own nor in the browser."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        top = name.partition(".")[0]
        own = top in sys.stdlib_module_names and top not in MISSING
        known = own or top in MODULES or (top.startswith("_") and top not in MISSING)
        if not known:
            raise ModuleNotFoundError(f"No module named {name!r} in the browser", name=name)


def _none(*args: object, **kwargs: object) -> None:
    raise OSError("the browser has no processes")


def _no_thread(*args: object, **kwargs: object) -> None:
    raise RuntimeError("can't start new thread")


def as_in_the_browser() -> None:
    """Take away what Pyodide has not."""
    for name in MISSING:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, OnlyPyodide())
    subprocess.Popen.__init__ = _none
    os.fork = os.posix_spawn = _none
    threading.Thread.start = _no_thread


def main(paths: list[str]) -> int:
    os.environ["MPLBACKEND"] = "agg"
    settings = Config()
    settings.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=settings)
    as_in_the_browser()
    for path in map(Path, paths):
        began = time.perf_counter()
        shell.run_cell("import matplotlib.pyplot as plt; plt.close('all')")
        shell.reset()
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                result = shell.run_cell(cell.source)
                if not result.success:
                    print(f"{path.name}, cell {cell.id} fails in the browser", file=sys.stderr)
                    return 1
        print(f"{path.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
