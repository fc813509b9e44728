"""How this copy was installed, and so which line mends it. Needs the standard library alone.

A clone of the repository has the lock beside the package. A folder that `make offline` laid out has
the wheels beside the environment. Any other copy is a wheel, which remembers where it came from.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

from glmmtools.shared.terminal import in_notebook

BESIDE = Path(__file__).resolve().parents[2]
CLONE = BESIDE if (BESIDE / "requirements.lock").exists() else None
STICK = Path(sys.prefix).parent
STICK = STICK if (STICK / "course.txt").exists() and (STICK / "wheels").is_dir() else None


def in_attended_notebook() -> bool:
    """Whether somebody runs a notebook, and not a program that asked for still pictures."""
    return in_notebook() and os.environ.get("GLMMTOOLS_STATIC", "0") in ("", "0")


def in_stored_lessons() -> bool:
    """Whether a notebook runs in the folder of the lessons that are stored with their outputs."""
    course = CLONE or STICK
    return course is not None and Path.cwd() == (course / "notebooks").resolve()


def in_terminal(line: str) -> str:
    return f"run in a terminal: {line}" if in_notebook() else f"run: {line}"


def _command(python: Path | str) -> str:
    """The interpreter as one types it; PowerShell wants & before a quoted name."""
    if " " not in str(python):
        return str(python)
    return f'& "{python}"' if os.name == "nt" else f'"{python}"'


def pip_install(what: str) -> str:
    """The line that installs something for the Python that runs this, from where it came from."""
    if STICK:
        what = f'--no-index --find-links "{STICK / "wheels"}" {what}'
    if in_notebook():
        return f"run: %pip install {what}, then restart the kernel"
    return f"run: {_command(sys.executable)} -m pip install {what}"


def reinstall(package: str) -> str:
    """The line that puts an installed package back as it was, in the version that it has."""
    return pip_install(f'--force-reinstall --no-deps "{package}=={metadata.version(package)}"')


def _origin() -> str:
    """What pip was asked for when it installed this copy; its name where that is not known."""
    try:
        text = None if STICK else metadata.distribution("glmmtools").read_text("direct_url.json")
    except metadata.PackageNotFoundError:  # a folder copied by hand
        text = None
    if text is None:
        return "glmmtools"
    source = json.loads(text)
    vcs = source.get("vcs_info")
    url = f"{vcs['vcs']}+{source['url']}@{vcs['commit_id']}" if vcs else source["url"]
    return f"glmmtools @ {url}"


def mend_data() -> str:
    """The line that puts the data back."""
    if CLONE is None:
        return pip_install(f'--force-reinstall --no-deps "{_origin()}"')
    if (CLONE / ".git").exists():
        return in_terminal(f'git -C "{CLONE}" checkout -- data')
    return "download the course again and copy its folder data over this one"


def set_up_again() -> str:
    """The line that sets up everything anew."""
    if CLONE is None and STICK is None:
        return pip_install(f'--force-reinstall "{_origin()}"')
    if STICK:
        line = f'"{STICK / "install.bat"}"' if os.name == "nt" else f'sh "{STICK / "install.sh"}"'
    elif (Path(sys.prefix) / "conda-meta").is_dir():
        line = f'conda env update --file "{CLONE / "environment.yml"}"'
    elif os.name != "nt" and shutil.which("make"):
        line = f'make -C "{CLONE}" clean lab'
    else:
        line = f"{_command(sys.executable)} -m pip install --force-reinstall --require-hashes"
        line += f' --only-binary :all: -r "{CLONE / "requirements.lock"}"'
    return f"close JupyterLab and run in a terminal: {line}" if in_notebook() else f"run: {line}"


def environment_elsewhere() -> Path | None:
    """The Python that the clone was set up with, if it is another than the one that runs this."""
    if CLONE is None or Path(sys.prefix).resolve() == (CLONE / ".venv").resolve():
        return None
    python = CLONE / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return python if python.exists() else None


def use_environment(python: Path) -> str:
    """How to run the Python that the course was installed for."""
    if in_notebook():
        return f"choose the kernel of {python} (menu Kernel, Change Kernel; VS Code: Select Kernel)"
    return f"run: {_command(python)} -m glmmtools"
