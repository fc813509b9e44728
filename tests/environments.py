"""Environments for tests that install or break something: links to the packages of this one."""

from __future__ import annotations

import sysconfig
import venv
from pathlib import Path

HERE = Path(sysconfig.get_path("purelib"))


def linked_environment(folder: Path, without: tuple[str, ...] = ()) -> Path:
    """Make an environment without our package's editable code; return its folder of packages.

    A link that a test removes or replaces leaves this environment as it is.
    """
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    for path in HERE.iterdir():
        if not path.name.startswith(("__editable__", *without)):
            (packages / path.name).symlink_to(path)
    return packages
