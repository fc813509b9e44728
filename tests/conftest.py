"""What every test runs under. nbval runs load this file too, by tests/nbval.ini."""

from __future__ import annotations

import gc

import pytest

from tools.execute_notebooks import set_environment

# Before NumPy is imported and before a kernel starts, both of which inherit it. The backend of
# Matplotlib is not set here: kernels would inherit it, and store no figure.
set_environment()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect the tests without the garbage collector, and hide them from it.

    They are a million objects that stay to the end, and each full collection would spend half a
    second on them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    """Begin with those that take minutes: what begins last is waited for."""

    def minutes(item):
        return max((mark.kwargs.get("minutes", 0) for mark in item.iter_markers("slow")), default=0)

    items.sort(key=minutes, reverse=True)


@pytest.fixture(scope="session", autouse=True)
def _no_windows():
    import matplotlib

    matplotlib.use("Agg")


@pytest.fixture(scope="session")
def ran_away():
    """A fit that did not converge: every herd is all or nothing, so that no sd is an estimate."""
    import numpy as np
    import pandas as pd

    import glmmtools as gt

    rng, herd = np.random.default_rng(0), np.repeat(np.arange(20), 6)
    data = pd.DataFrame({"herd": herd, "period": np.tile(list("1234"), 30)})
    data["sick"] = rng.integers(0, 2, 20)[herd]
    with pytest.warns(gt.ConvergenceWarning, match="ran away"):
        return gt.fit("sick ~ period + (1 | herd)", data, "binomial")


@pytest.fixture
def reply(capsys):
    """Check an answer to an exercise, and return the one line that was printed."""
    from glmmtools.course.check import check

    def ask(id, *answer):
        assert check(id, *answer) is None
        printed, errors = capsys.readouterr()
        assert errors == ""
        assert printed.endswith("\n")
        assert printed.count("\n") == 1
        return printed.rstrip("\n")

    return ask


def pytest_configure(config):
    """Let nbval run a cell as front ends do, with history: otherwise `;` and `Out[n]` fail."""
    if not config.pluginmanager.hasplugin("nbval"):
        return
    from nbval.kernel import RunningKernel

    def execute_cell_input(self, cell_input, allow_stdin=None):
        return self.kc.execute(
            cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
        )

    RunningKernel.execute_cell_input = execute_cell_input
