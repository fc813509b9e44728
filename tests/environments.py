"""Environments and courses for tests that install, break or change something."""

from __future__ import annotations

import shutil
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(sysconfig.get_path("purelib"))


def linked_environment(folder: Path, without: tuple[str, ...] = ()) -> Path:
    """Make an environment of links, without our editable code; return its folder of packages.

    A link that a test removes or replaces leaves this environment as it is.
    """
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    for path in HERE.iterdir():
        if not path.name.startswith(("__editable__", *without)):
            (packages / path.name).symlink_to(path)
    return packages


def course_that_is_set_up(folder: Path) -> Path:
    """Copy the course to a folder, with an environment that is this one."""
    for part in ("notebooks", "figures", "data", "tools"):
        shutil.copytree(ROOT / part, folder / part, dirs_exist_ok=True)
    for part in ("Makefile", "requirements.lock", "pyproject.toml", ".gitignore"):
        shutil.copy(ROOT / part, folder)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".venv" / ".ready").write_text(str(folder))
    return folder
