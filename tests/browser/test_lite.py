"""The lessons for the browser: they are built, one opens, and what it asks for. Experimental.

Pyodide comes from a content network, which a test may not reach: nothing is computed here.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from tests.browser.serving import served
from tools.learner_copies import lessons
from tools.make_lite import INSTALL, WHEELS

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
CONTENT_NETWORK = {"cdn.jsdelivr.net"}  # of Pyodide


@pytest.fixture(scope="module")
def lite(tmp_path_factory) -> Path:
    """The site, built as `make lite` builds it."""
    folder = tmp_path_factory.mktemp("lite")
    command = [sys.executable, "-m", "tools.make_lite", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_it_holds_every_lesson_without_outputs_and_the_wheels(lite):
    for path in lessons():
        copy = nbformat.read(lite / "files" / "notebooks" / path.name, as_version=4)
        assert copy.cells[1].source == INSTALL
        assert not any(cell.get("outputs") for cell in copy.cells)
    held = {path.name.partition("-")[0] for path in (lite / "pypi").glob("*.whl")}
    assert held == {name.replace("-", "_") for name in WHEELS} | {"glmmtools"}
    assert all("-py3-none-any" in path.name for path in (lite / "pypi").glob("*.whl"))


def test_a_lesson_opens_names_its_kernel_and_asks_for_pyodide_alone(page, lite):
    with served(lite) as address:
        page.goto(f"{address}/lab/index.html?path=notebooks/05-fit-a-glmm.ipynb")
        cell = page.locator(".jp-Notebook .jp-MarkdownOutput h1", has_text="05 · ")
        cell.first.wait_for(timeout=90_000)
        kernel = page.locator(".jp-Toolbar-kernelName", has_text="Python (Pyodide)")
        kernel.first.wait_for(timeout=60_000)
        until = time.monotonic() + 30
        while not page.outside and time.monotonic() < until:
            page.wait_for_timeout(500)
    asked = {urlsplit(url).hostname for url in page.outside}
    page.outside.clear()  # which a page of the site may not do
    assert asked <= CONTENT_NETWORK
