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
LOCKS = {
    "requirements.lock": ("lab", "test"),
    "requirements-site.lock": ("site",),
}


def required(extras: tuple[str, ...] = ("lab", "test")) -> dict[str, Requirement]:
    """Every requirement of the package and of some of its extras, by name."""
    project = PROJECT["project"]
    texts = [*project["dependencies"]]
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    requirements = [Requirement(text) for text in texts]
    assert len({r.name for r in requirements}) == len(requirements), "a name occurs twice"
    return {r.name: r for r in requirements}


def text_of(lock: str) -> str:
    return (ROOT / lock).read_text(encoding="utf-8")


def locked(lock: str) -> dict[str, str]:
    """The version of every package in a lock, by name."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text_of(lock), flags=re.MULTILINE))


# ---- the lock ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_no_address_and_no_option(lock):
    assert "://" not in text_of(lock)
    assert not [line for line in text_of(lock).splitlines() if line.startswith("-")]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock):
    entries = re.split(r"\n(?=\S)", text_of(lock).strip())
    assert len(entries) == len(locked(lock))
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_satisfies_every_bound(lock):
    found = locked(lock)
    for name, requirement in required(LOCKS[lock]).items():
        assert name in found, f"{name} is not in {lock}: make lock"
        assert requirement.specifier.contains(found[name]), name


def test_both_locks_hold_the_same_versions_of_what_both_hold():
    learners, site = (locked(lock) for lock in LOCKS)
    assert {name: site[name] for name in learners.keys() & site} == {
        name: learners[name] for name in learners.keys() & site
    }


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
    assert pip == ["-e ."]  # conda-forge has everything else
    assert str(conda.pop("python").specifier) == PROJECT["project"]["requires-python"]
    assert str(conda.pop("pip").specifier) == ""

    conda["matplotlib"] = conda.pop("matplotlib-base")  # its name on conda-forge
    wanted = required()
    assert sorted(conda) == sorted(wanted)
    for name, requirement in wanted.items():
        assert conda[name].specifier == requirement.specifier, name
        assert conda[name].marker == requirement.marker, name


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
    package = ROOT / "glmmtools"
    code = [path for ending in ("py", "R") for path in package.rglob(f"*.{ending}")]
    modules = {path.relative_to(ROOT).as_posix() for path in code}
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
