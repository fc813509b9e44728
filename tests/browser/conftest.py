"""A headless Chromium, and what is served to it: the reading site and a JupyterLab on loopback."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser.serving import served
from tests.environments import course_that_is_set_up

ROOT = Path(__file__).resolve().parents[2]
FAILURES = ROOT / "build" / "browser-failures"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium():
    path = subprocess.run(
        ["sh", ROOT / "tools/find_chromium.sh"], stdout=subprocess.PIPE, text=True
    )
    assert path.returncode == 0, "no Chromium: see the line above"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path.stdout.strip(), args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, request):
    """A page whose errors, and requests beyond this machine, fail the test that caused them."""
    page = chromium.new_page(viewport={"width": 1300, "height": 900})
    page.outside, page.errors = [], []
    page.on("request", lambda sent: _note_outside(page, sent.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    if request.node.stash.get(FAILED, False):
        FAILURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=FAILURES / f"{request.node.name}.png")
    page.close()
    assert page.outside == [], "the page asks the network"


def _note_outside(page: Page, url: str) -> None:
    if not re.match(r"(https?|ws)://127\.0\.0\.1[:/]|data:|blob:|about:", url):
        page.outside.append(url)


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


# ---- the reading site ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory) -> Path:
    """The site, built as `make site` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "tools.build_site", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="session")
def site(site_folder) -> str:
    """The address at which the site is served."""
    with served(site_folder) as address:
        yield address


# ---- JupyterLab ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def course(tmp_path_factory) -> Path:
    """A clone of the course in which the learner's copies are laid out."""
    folder = course_that_is_set_up(tmp_path_factory.mktemp("a course"))
    git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "The course"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run([sys.executable, "-m", "tools.my_course"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="session")
def lab(tmp_path_factory, course) -> str:
    """The address of a JupyterLab on that clone, away from the user's own settings."""
    home = tmp_path_factory.mktemp("lab")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **folders, "JUPYTERLAB_SETTINGS_DIR": str(home / "settings")}
    environment["JUPYTERLAB_WORKSPACES_DIR"] = str(home / "workspaces")
    environment.pop("GLMMTOOLS_STATIC", None)  # explorers show their sliders
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={course}"]
    command += ["--LabApp.expose_app_in_browser=True", "--ServerApp.port_retries=0"]
    command += ["--ServerKernelManager.transport_encryption=auto", "--allow-root"]
    log = (home / "server.log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=1)
            break
        except OSError:
            time.sleep(0.5)
    yield address
    server.terminate()
    server.wait(timeout=30)
    log.close()
