"""The container, the hosted set-ups and the offline folder install the lock and nothing else."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOWEST = runpy.run_path(str(ROOT / "tools" / "make_lowest.py"))
OFFLINE = runpy.run_path(str(ROOT / "tools" / "make_offline.py"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# ---- hosted --------------------------------------------------------------------------------------


def test_binder_installs_the_lock_with_its_hashes_and_then_the_package_alone():
    assert read(".binder/requirements.txt").split("\n") == [
        "--require-hashes", "-r ../requirements.lock", ""
    ]  # fmt: skip
    assert "pip install --no-deps --no-build-isolation --editable ." in read(".binder/postBuild")


def test_the_container_installs_the_lock_with_its_hashes_and_then_the_package_alone():
    installs = re.findall(r"pip install [^&\n]+", read("Dockerfile"))
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--requirement requirements.lock" in installs[0]
    assert "--no-deps --no-build-isolation --editable ." in installs[1]


def test_the_container_does_not_run_as_root():
    assert re.search(r"^USER (?!root)\w+$", read("Dockerfile"), flags=re.MULTILINE)


def test_the_devcontainer_is_the_container_and_adds_no_package():
    settings = json.loads(read(".devcontainer/devcontainer.json"))
    folder = ROOT / ".devcontainer"
    assert (folder / settings["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (folder / settings["build"]["context"]).resolve() == ROOT
    assert "--no-deps" in settings["postCreateCommand"]


@pytest.mark.parametrize("name", ["Dockerfile", ".binder/postBuild"])
def test_files_that_a_set_up_copies_exist(name):
    for file in re.findall(r"\bcp (\S+)", read(name)):
        assert (ROOT / file).exists()


def test_one_python_in_the_hosted_set_ups_and_it_is_one_the_package_takes():
    binder = re.fullmatch(r"python-(3\.\d+)\s*", read(".binder/runtime.txt")).group(1)
    docker = re.search(r"^FROM python:(3\.\d+)", read("Dockerfile"), flags=re.MULTILINE).group(1)
    assert binder == docker
    assert int(binder.split(".")[1]) >= 11


# ---- lowest versions -----------------------------------------------------------------------------


def test_ci_runs_every_target_that_tests_and_builds_what_is_published():
    targets = re.findall(r"^(dist|test[a-z-]*):", read("Makefile"), flags=re.MULTILINE)
    assert sorted(re.findall(r"^make (\S+)$", read(".ci/run"), flags=re.MULTILINE)) == sorted(
        targets
    )


def test_only_what_the_course_does_not_name_keeps_its_locked_version():
    wishes = LOWEST["pins_of_others"](
        'a==1 ; sys_platform == "win32" \\\n    --hash=sha256:00\n'
        "b==2 \\\n    --hash=sha256:11\nb-c==3\n    --hash=sha256:22\n",
        {"b"},
    )
    assert wishes == 'a==1 ; sys_platform == "win32"\nb-c==3\n'


# ---- offline -------------------------------------------------------------------------------------


def pins(platform: str, python: str = "3.12") -> dict[str, str]:
    """What is downloaded for a platform, by name."""
    lines = OFFLINE["pins_for"](LOCK, OFFLINE["PLATFORMS"][platform][1], python)
    found = {Requirement(line.split(" --hash=")[0]).name: line for line in lines}
    assert len(found) == len(lines), "a name occurs twice"
    return found


def test_each_platform_gets_what_it_needs_and_not_what_others_need():
    windows, linux, macos = (pins(each) for each in ("windows", "linux", "macos"))
    assert "pywinpty" in windows
    assert "pywinpty" not in linux.keys() | macos.keys()
    assert "appnope" in macos
    assert "appnope" not in windows.keys() | linux.keys()
    for platform in (windows, linux, macos):
        assert {"statsmodels", "numpy", "jupyterlab", "ipykernel"} <= set(platform)


@pytest.mark.parametrize("platform", OFFLINE["PLATFORMS"])
@pytest.mark.parametrize("python", ["3.11", "3.14"])
def test_every_entry_has_one_version_all_its_hashes_and_no_marker(platform, python):
    locked = {}
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        version = re.match(r"([\w.-]+==[^\s;]+)", entry).group(1)
        locked.setdefault(version, set()).update(re.findall(r"sha256:[0-9a-f]{64}", entry))
    for line in pins(platform, python).values():
        assert re.fullmatch(r"[\w.-]+==[^\s;]+( --hash=sha256:[0-9a-f]{64})+", line), line[:80]
        assert set(re.findall(r"sha256:[0-9a-f]{64}", line)) == locked[line.split(" ")[0]]


def test_markers_are_those_of_the_platform_and_not_of_this_machine():
    lock = (
        'a==1 ; python_full_version < "3.12" \\\n    --hash=sha256:00\n'
        'b==2 ; sys_platform == "win32" \\\n    --hash=sha256:11 \\\n    --hash=sha256:22\n'
        "c==3 \\\n    --hash=sha256:33\n"
    )
    windows = OFFLINE["pins_for"](lock, OFFLINE["PLATFORMS"]["windows"][1], "3.12")
    assert windows == ["b==2 --hash=sha256:11 --hash=sha256:22", "c==3 --hash=sha256:33"]
    linux = OFFLINE["pins_for"](lock, OFFLINE["PLATFORMS"]["linux"][1], "3.11")
    assert linux == ["a==1 --hash=sha256:00", "c==3 --hash=sha256:33"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The offline folder without its wheels, for Pythons that nobody has."""
    scope = OFFLINE["lay_out"].__globals__
    with monkeypatch.context() as patch:
        patch.setitem(scope, "TARGET", tmp_path)
        patch.setattr(scope["subprocess"], "run", lambda *args, **options: None)
        OFFLINE["lay_out"](["3.98", "3.99"])
    return tmp_path


def test_installers_name_only_what_is_in_the_folder_and_never_ask_the_network(folder):
    made_later = {".venv", "wheels"}
    for name in ("install.sh", "start.sh", "install.bat", "start.bat"):
        text = (folder / name).read_bytes().decode()
        assert ("\r\n" in text) == name.endswith(".bat")
        for command in re.findall(r"pip install(?:[^\n]|\^\r\n)*", text):
            assert "--no-index --find-links wheels" in command
            (listed,) = re.findall(r"(?:-r|--requirement) (\S+)", command)
            assert (folder / listed).exists()
        for other in re.findall(r"\b(?:install|start)\.(?:sh|bat)\b|overrides\.json", text):
            assert (folder / other).exists()
        assert "{" not in text.replace("${", "")
        for path in re.findall(r"(?<![\w/.])(\.venv|wheels)\b", text):
            assert path in made_later


def test_the_folder_lays_out_the_copies_that_it_opens_and_holds_none_to_write_over(folder):
    assert not (folder / "my-course").exists()
    lay_out, *_ = re.findall(r"-m (tools\.\S+)", (folder / "start.sh").read_text("utf-8"))
    subprocess.run([sys.executable, "-m", lay_out], cwd=folder, check=True)
    for name in ("start.sh", "start.bat"):
        (opened,) = re.findall(r"/lab/tree/(\S+)", (folder / name).read_text("utf-8"))
        assert (folder / opened).is_relative_to(folder / "my-course")
        assert (folder / opened).exists()


def test_what_the_installers_install_is_locked(folder):
    names = (folder / "course.txt").read_text("utf-8").split()
    assert names[0] == "glmmtools"
    for platform in OFFLINE["PLATFORMS"]:
        assert set(names[1:]) <= set(pins(platform))


def test_the_folder_holds_lessons_solutions_and_data(folder):
    for part in ("notebooks", "data"):
        wanted = {path.relative_to(ROOT) for path in (ROOT / part).rglob("*[0-9a-z].[ic][ps][yv]*")}
        assert all((folder / path).exists() for path in wanted)


def test_links_of_the_pages_in_the_folder_lead_somewhere(folder):
    for page in folder.rglob("*.md"):
        targets = re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text(encoding="utf-8"))
        assert not [target for target in targets if not (page.parent / target).exists()], page


def test_the_wheel_of_the_folder_holds_no_module_that_was_removed(tmp_path, monkeypatch):
    removed = ROOT / "build" / "lib" / "glmmtools" / "removed.py"
    removed.parent.mkdir(parents=True, exist_ok=True)
    removed.touch()
    monkeypatch.setitem(OFFLINE["build_wheel"].__globals__, "TARGET", tmp_path)
    OFFLINE["build_wheel"]()
    (wheel,) = (tmp_path / "wheels").glob("glmmtools-*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    assert "glmmtools/__init__.py" in inside
    assert "glmmtools/removed.py" not in inside


def test_without_a_wheel_for_any_platform_there_is_no_folder(tmp_path, monkeypatch, capsys):
    scope = OFFLINE["main"].__globals__
    monkeypatch.setitem(scope, "TARGET", tmp_path / "offline")
    monkeypatch.setitem(scope, "download", lambda *_: (tmp_path / "offline").mkdir(exist_ok=True))
    monkeypatch.setattr(sys, "argv", ["make_offline.py", "--python", "3.99"])
    assert OFFLINE["main"]() == 1
    assert "there is no folder" in capsys.readouterr().out
    assert not (tmp_path / "offline").exists()


@pytest.fixture
def install(tmp_path):
    """Run the installer of a folder on a machine that has the named programs and no network."""

    def run(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "bin"
        path.mkdir()
        for name, text in programs.items():
            (path / name.replace("_", ".")).write_text(f"#!/bin/sh\n{text}\n")
            (path / name.replace("_", ".")).chmod(0o755)
        for name in ("sh", "dirname", "mkdir", "cp"):
            (path / name).symlink_to(shutil.which(name))
        # pip's own switch, beside the installer's: no index and no proxy can be reached
        closed = {"PIP_NO_INDEX": "1", "HTTPS_PROXY": "http://127.0.0.1:9", "PATH": str(path)}
        command = [shutil.which("sh"), folder / "install.sh"]
        return subprocess.run(command, env=closed, capture_output=True, text=True)

    return run


def test_without_a_python_of_the_folder_the_installer_names_those_that_would_do(folder, install):
    done = install(folder, python3=f'exec {sys.executable} "$@"')
    assert done.returncode == 1
    assert done.stderr.startswith("This folder is for Python 3.98 3.99, and none of these is here.")
    assert not (folder / ".venv").exists()


def test_without_venv_the_installer_names_the_package_that_brings_it(folder, install):
    done = install(folder, python3_99="case $2 in *ensurepip*) exit 1 ;; esac")
    assert done.returncode == 1
    assert "sudo apt install python3.99-venv" in done.stderr


@pytest.mark.slow(minutes=1)
def test_the_offline_folder_installs_without_an_index_and_mends_itself(
    tmp_path, monkeypatch, install
):
    """It is made here, which takes the network; nothing after that does."""
    folder = tmp_path / "a memory stick"
    monkeypatch.setitem(OFFLINE["lay_out"].__globals__, "TARGET", folder)
    python = ".".join(map(str, sys.version_info[:2]))
    assert OFFLINE["download"]("macos" if sys.platform == "darwin" else "linux", python)
    OFFLINE["lay_out"]([python])

    done = install(folder, python3=f'exec {sys.executable} "$@"')
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Everything is ready.\n")

    ours = folder / ".venv" / "bin" / "python"
    remove = [ours, "-m", "pip", "uninstall", "--quiet", "--yes", "formulaic"]
    subprocess.run(remove, check=True)
    broken = subprocess.run([ours, "-m", "glmmtools"], cwd=tmp_path, capture_output=True, text=True)
    (mend,) = re.findall(r"✗ formulaic is not installed — run: (.*)", broken.stderr)
    assert f'--no-index --find-links "{folder}/wheels"' in mend
    subprocess.run(["sh", "-c", mend], env={"PIP_NO_INDEX": "1"}, check=True, capture_output=True)
    subprocess.run([ours, "-m", "glmmtools"], cwd=tmp_path, check=True)
