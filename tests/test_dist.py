"""What is published: the wheel, the source archive, and what they say of themselves."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tools.make_dist import absolute_links

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ADDRESS = "https://git.example.org/me/course"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# ---- what the files say --------------------------------------------------------------------------


def test_the_version_is_written_in_one_place():
    files = [ROOT / "README.md", ROOT / "CITATION.cff", *(ROOT / "glmmtools").rglob("*.py")]
    holding = [path.name for path in files if PROJECT["version"] in path.read_text("utf-8")]
    assert holding == []


def test_the_changelog_keeps_its_form():
    text = read("CHANGELOG.md")
    versions = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", text, flags=re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert all(date for _, date in versions[1:])
    kinds = set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE))
    assert kinds
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_file_has_what_its_format_wants():
    cited = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors", "type"} <= cited.keys()
    assert cited["cff-version"] == "1.2.0"
    assert cited["title"].replace("\n", " ") in read("README.md").replace("\n> ", " ")


def test_no_host_is_invented():
    assert "urls" not in PROJECT
    assert "repository-code" not in yaml.safe_load(read("CITATION.cff"))


def test_links_of_the_readme_lead_to_the_repository_where_its_address_is_known():
    text = absolute_links("![a](figures/a.png) [b](data/README.md#c) [d](https://e.org)", ADDRESS)
    assert text == (
        f"![a]({ADDRESS}/raw/HEAD/figures/a.png) [b]({ADDRESS}/blob/HEAD/data/README.md#c) "
        "[d](https://e.org)"
    )


# ---- what is built -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """The files of a distribution whose address is known, by their kind."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "tools.make_dist", str(folder), "--repository", ADDRESS]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return {path.suffix: path for path in folder.iterdir()}


@pytest.mark.slow
def test_the_wheel_names_its_version_its_licence_and_its_address(built):
    assert built.keys() == {".whl", ".gz"}
    with zipfile.ZipFile(built[".whl"]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
        said = HeaderParser().parsestr(wheel.read(name).decode())
    assert said["Version"] == PROJECT["version"]
    assert said["License-Expression"] == "MIT"
    assert f"Repository, {ADDRESS}" in said.get_all("Project-URL")
    assert "](figures/" not in said.get_payload()


@pytest.mark.slow
def test_the_licence_of_every_data_set_is_in_the_wheel(built):
    with zipfile.ZipFile(built[".whl"]) as wheel:
        held = set(wheel.namelist())
        cards = wheel.read("glmmtools/data/README.md").decode()
    index = pd.read_csv(ROOT / "data" / "index.csv", index_col="name")
    for name, file in index["file"].items():
        assert f"glmmtools/data/{file}" in held
        card = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", cards, flags=re.MULTILINE | re.DOTALL)
        assert re.search(r"GPL|public domain|CC0|CC BY|[Ll]icence", card[1]), name
    assert any(name.endswith("licenses/LICENSE") for name in held)


@pytest.mark.slow
def test_the_source_archive_holds_the_package_its_data_and_its_changes(built):
    with tarfile.open(built[".gz"]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CHANGELOG.md", "CITATION.cff", "LICENSE", "data/herds.csv"} <= held
    assert "glmmtools/data/README.md" not in held
    assert not any(name.startswith(("tests", "notebooks")) for name in held)


FIT = """
import glmmtools as gt
m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", gt.load_data("herds"), "binomial")
print(gt.__file__)
print(round(m.llf, 3), len(gt.stored_study("power_pens").read_bytes()) > 0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [".whl", ".gz"])
def test_either_installs_and_runs_in_another_folder(built, kind, tmp_path):
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", site, built[kind]], check=True, capture_output=True)
    run = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{FIT}"]
    said = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    file, result = said.splitlines()
    assert Path(file).is_relative_to(site)
    assert result == "-92.026 True"  # as glmmTMB's, in tests/reference
