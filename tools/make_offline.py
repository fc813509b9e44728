"""Lay out a folder that installs the course without a network, for a USB stick.

    python tools/make_offline.py [--python 3.12 3.13] [--platform linux windows macos]

Downloads the locked wheels for each platform and Python into build/offline/wheels, and puts the
lessons, the data and an installer for each system beside them. Without options: every platform, and
the Python that runs this. A platform that lacks a wheel of a package is named, and left out.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "build" / "offline"

# What pip calls a platform, newest first, and what the markers of the lock ask of it.
PLATFORMS = {
    "linux": (
        ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"],
        {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    ),
    "windows": (
        ["win_amd64"],
        {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
    ),
    "macos": (
        ["macosx_14_0_arm64", "macosx_12_0_arm64", "macosx_11_0_arm64"],
        {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    ),
}

# What start.sh and start.bat lay out the learner's copies with. They cannot lie in the folder: who
# copies a newer one over hers would lose her answers.
LAY_OUT_COPIES = ("my_course.py", "learner_copies.py", "execute_notebooks.py")

# {pythons} are the versions that the folder has wheels for.
INSTALL = {
    "install.sh": """#!/bin/sh
# Linux and macOS: sh install.sh, then sh start.sh. A second run sets up everything anew.
set -eu
cd "$(dirname "$0")"
python="" no_venv=""
for each in python3 $(printf 'python%s ' {pythons}); do
    "$each" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] not in sys.argv)' {pythons} \\
        2>/dev/null || continue
    if "$each" -c 'import ensurepip, venv' 2>/dev/null; then python=$each && break; fi
    no_venv=$each
done
if [ -z "$python" ]; then
    if [ -n "$no_venv" ]; then
        echo "$no_venv is here, but not its venv module. Debian and Ubuntu have it in a package:"
        echo "    sudo apt install $no_venv-venv"
    else
        echo "This folder is for Python {pythons}, and none of these is here."
        echo "    Debian, Ubuntu:  sudo apt install python3 python3-venv"
        echo "    macOS:           https://www.python.org/downloads/"
        echo "Or ask who made this folder for the packages of your Python: python3 --version"
    fi
    exit 1
fi >&2
"$python" -m venv --clear .venv
.venv/bin/python -m pip install --quiet --no-index --find-links wheels --requirement course.txt
mkdir -p .venv/share/jupyter/lab/settings
cp overrides.json .venv/share/jupyter/lab/settings
.venv/bin/python -m glmmtools
""",
    "start.sh": """#!/bin/sh
cd "$(dirname "$0")"
.venv/bin/python -m tools.my_course
exec .venv/bin/python -m jupyterlab --ServerApp.root_dir=. \\
    --LabApp.default_url=/lab/tree/my-course/00-start-here.ipynb "$@"
""",
    "install.bat": """@echo off
rem Windows: double-click install.bat, then start.bat. A second run sets up everything anew.
cd /d "%~dp0"
set PYTHON=
for %%v in ({pythons}) do if not defined PYTHON (py -%%v --version >nul 2>nul && set PYTHON=%%v)
if not defined PYTHON (
    echo This folder is for Python {pythons}, and none of these is here.
    echo Install one from https://www.python.org/downloads/ and run install.bat again.
    goto end
)
py -%PYTHON% -m venv --clear .venv || goto end
.venv\\Scripts\\python -m pip install --quiet --no-index --find-links wheels -r course.txt ^
    || goto end
mkdir .venv\\share\\jupyter\\lab\\settings
copy overrides.json .venv\\share\\jupyter\\lab\\settings >nul
.venv\\Scripts\\python -m glmmtools
:end
pause
""",
    "start.bat": """@echo off
cd /d "%~dp0"
.venv\\Scripts\\python -m tools.my_course
.venv\\Scripts\\python -m jupyterlab --ServerApp.root_dir=. ^
    --LabApp.default_url=/lab/tree/my-course/00-start-here.ipynb %*
""",
}


def pins_for(lock: str, environment: dict[str, str], python: str) -> list[str]:
    """The entries of the lock that a platform needs, with their hashes and without their markers.

    pip evaluates markers for the machine that runs it, so they are evaluated here.
    """
    environment = {**environment, "python_version": python, "python_full_version": f"{python}.0"}
    environment |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    environment["os_name"] = "nt" if environment["sys_platform"] == "win32" else "posix"
    pins = []
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        text, *hashes = (part.strip() for part in entry.replace("\\\n", "\n").split("--hash="))
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            given = " ".join(f"--hash={each}" for each in hashes)
            pins.append(f"{requirement.name}{requirement.specifier} {given}")
    return pins


def download(platform: str, python: str) -> bool:
    """Fetch the wheels of one platform and Python; False if one of them does not exist."""
    tags, environment = PLATFORMS[platform]
    pins = pins_for((ROOT / "requirements.lock").read_text("utf-8"), environment, python)
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("\n".join(pins), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q"]
        command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
        command += ["--python-version", python, "--dest", TARGET / "wheels"]
        for tag in tags:
            command += ["--platform", tag]
        done = subprocess.run([*command, "-r", requirements], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        reason = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        print(f"{platform}, Python {python}: left out. {reason[0] if reason else ''}")
    return done.returncode == 0


def build_wheel() -> None:
    """Put the package among the wheels."""
    # Else setuptools packs what an earlier build left there, files removed since then too.
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)
    build = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps"]
    build += ["--no-build-isolation", "--wheel-dir", TARGET / "wheels", str(ROOT)]
    subprocess.run(build, check=True)


def lay_out(pythons: list[str]) -> None:
    """Put lessons, data and installers beside the wheels, and the package among them."""
    build_wheel()
    for folder in ("notebooks", "data", "figures", "benchmarks"):
        ignored = shutil.ignore_patterns(".ipynb_checkpoints", "*.py", "*.svg")
        shutil.copytree(ROOT / folder, TARGET / folder, ignore=ignored, dirs_exist_ok=True)
    (TARGET / "tools").mkdir(exist_ok=True)
    for name in LAY_OUT_COPIES:
        shutil.copy(ROOT / "tools" / name, TARGET / "tools")
    pages = ("README", "TEACHING", "TRANSLATION", "CONTRIBUTING")
    for name in (*(f"{page}.md" for page in pages), "LICENSE", "LICENSE-text"):
        shutil.copy(ROOT / name, TARGET)
    for name, text in INSTALL.items():
        newline = "\r\n" if name.endswith(".bat") else "\n"
        text = text.replace("{pythons}", " ".join(pythons))
        (TARGET / name).write_text(text, encoding="utf-8", newline=newline)
    shutil.copy(ROOT / "tools" / "jupyterlab-overrides.json", TARGET / "overrides.json")
    names = ["glmmtools", "jupyterlab", "ipykernel", "nbclient", "nbformat"]
    (TARGET / "course.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", nargs="+", default=[".".join(map(str, sys.version_info[:2]))])
    parser.add_argument("--platform", nargs="+", choices=PLATFORMS, default=list(PLATFORMS))
    options = parser.parse_args()
    shutil.rmtree(TARGET, ignore_errors=True)
    found = [download(each, python) for each in options.platform for python in options.python]
    if not any(found):
        print("No platform has every wheel, so there is no folder.")
        shutil.rmtree(TARGET, ignore_errors=True)
        return 1
    lay_out(options.python)
    size = sum(path.stat().st_size for path in TARGET.rglob("*") if path.is_file()) / 1e6
    print(
        f"{TARGET.relative_to(ROOT)}: {size:.0f} MB. Copy it, then run install.sh or install.bat."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
