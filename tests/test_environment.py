"""pyproject.toml, requirements.lock and environment.yml agree; the wheel holds everything."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def required() -> dict[str, Requirement]:
    """Every requirement of pyproject.toml by name, with the extras that are locked."""
    project = PROJECT["project"]
    texts = [*project["dependencies"]]
    for name, extra in project["optional-dependencies"].items():
        texts += [] if name == "bayes" else extra
    requirements = [Requirement(text) for text in texts]
    assert len({r.name for r in requirements}) == len(requirements), "a name occurs twice"
    return {r.name: r for r in requirements}


def locked() -> dict[str, str]:
    """The version of every package in requirements.lock, by name."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", LOCK, flags=re.MULTILINE))


# ---- the lock ------------------------------------------------------------------------------------


def test_lock_holds_no_address_and_no_option():
    assert "://" not in LOCK
    assert not [line for line in LOCK.splitlines() if line.startswith("-")]


def test_every_locked_package_has_hashes():
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) == len(locked())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", required())
def test_lock_satisfies_every_bound(name):
    assert name in locked(), f"{name} is not in requirements.lock: make lock"
    assert required()[name].specifier.contains(locked()[name])


# ---- environment.yml -----------------------------------------------------------------------------


def environment() -> tuple[dict[str, Requirement], list[str]]:
    """The conda requirements of environment.yml by name, and the lines under `pip:`."""
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    lines = lines[lines.index("dependencies:") + 1 :]
    start = lines.index("  - pip:")
    items = [re.fullmatch(r'\s+- "(.*)"', line).group(1) for line in lines if line != lines[start]]
    conda = [Requirement(text) for text in items[:start]]
    return {r.name: r for r in conda}, items[start:]


def test_environment_states_the_requirements_of_pyproject_name_by_name_and_bound_by_bound():
    conda, pip = environment()
    *from_pip, package = pip
    assert package == "-e ."
    assert str(conda.pop("python").specifier) == PROJECT["project"]["requires-python"]
    assert str(conda.pop("pip").specifier) == ""

    stated = {**conda, **{Requirement(text).name: Requirement(text) for text in from_pip}}
    stated["matplotlib"] = stated.pop("matplotlib-base")  # its name on conda-forge
    wanted = required()
    assert sorted(stated) == sorted(wanted)
    for name, requirement in wanted.items():
        assert stated[name].specifier == requirement.specifier, name
        assert stated[name].marker == requirement.marker, name


def test_pip_installs_only_what_conda_forge_lacks():
    _, pip = environment()
    assert [Requirement(text).name for text in pip[:-1]] == ["glmm"]


# ---- the package ---------------------------------------------------------------------------------


def test_every_folder_with_code_is_listed_as_a_package():
    folders = {path.parent for path in (ROOT / "glmmtools").rglob("*.py")}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == names | {"glmmtools.data"}


def test_wheel_holds_the_code_and_the_data(tmp_path):
    # Built from a copy, because setuptools leaves folders behind.
    source = tmp_path / "source"
    source.mkdir()
    for name in ("glmmtools", "data"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('..'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    (wheel,) = tmp_path.glob("glmmtools-*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "glmmtools").rglob("*.py")}
    tables = {f"glmmtools/data/{path.name}" for path in (ROOT / "data").glob("*.csv")}
    studies = {f"glmmtools/data/studies/{p.name}" for p in (ROOT / "data" / "studies").iterdir()}
    assert inside == modules | tables | studies | {"glmmtools/data/README.md"}


# ---- the tests themselves ------------------------------------------------------------------------


def test_nbval_runs_without_a_rule_that_hides_differences():
    config = configparser.ConfigParser()
    config.read(ROOT / "tests" / "nbval.ini")
    options = config["pytest"]["addopts"].split()
    assert "--nbval" in options
    assert not [option for option in options if "sanitize" in option or "lax" in option]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_code_and_notebooks_are_in_the_style(command):
    ruff = [sys.executable, "-m", "ruff", *command, "."]
    found = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
