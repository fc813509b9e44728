"""What Pyodide has is enough for the lessons, as far as an ordinary Python can tell."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from tests.pyodide_only import PYODIDE
from tools.learner_copies import lessons

ROOT = Path(__file__).resolve().parents[1]
WHEELS = {"formulaic", "ipywidgets", "platformdirs", "seaborn"}  # tools/make_lite.py brings them


def run(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tests" / "pyodide_only.py"), *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)


def test_the_versions_of_pyodide_are_among_those_that_the_package_allows():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [Requirement(line) for line in settings["project"]["dependencies"]]
    assert {each.name for each in needed} <= PYODIDE.keys() | WHEELS
    wrong = [
        str(each)
        for each in needed
        if each.name in PYODIDE and not each.specifier.contains(PYODIDE[each.name])
    ]
    assert wrong == []


@pytest.mark.slow
def test_preflight_finds_no_fault_of_the_browser():
    done = run(lessons()[0])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "✓ Python is new enough" in done.stdout
    # `make test-lowest` has a Python of its own, and no browser has a clone beside it
    faults = [line for line in done.stdout.splitlines() if line.startswith("✗")]
    assert [fault for fault in faults if "set up for another Python" not in fault] == []


@pytest.mark.slow
def test_what_the_browser_has_not_fails_there(tmp_path):
    cells = {
        "package": "import sklearn",
        "processes": "import subprocess, sys; subprocess.run([sys.executable, '-V'])",
        "multiprocessing": "import _multiprocessing",
    }
    for name, source in cells.items():
        path = tmp_path / f"{name}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        nbformat.write(notebook, path)
        done = run(path)
        assert done.returncode == 1
        assert re.search(rf"{name}.ipynb, cell .* fails in the browser", done.stderr)


@pytest.mark.slow(minutes=1)
@pytest.mark.parametrize("first", [1, 2])
def test_lessons_run_with_the_packages_of_pyodide_and_without_processes(first):
    """Every second one after the other: to load the packages takes as long as a short lesson."""
    done = run(*lessons()[first::2])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
