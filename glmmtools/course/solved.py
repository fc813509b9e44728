"""The file that remembers which checks passed on this machine. No fault of it stops a check."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

from platformdirs import user_data_path

SWITCH = "GLMMTOOLS_PROGRESS"


def is_kept() -> bool:
    """Whether passed checks are remembered: unless the environment says ``off``."""
    return os.environ.get(SWITCH, "").strip().lower() not in ("off", "0", "no", "false")


def file() -> Path:
    """Where they are remembered, in the folder that the system has for such data."""
    return user_data_path("glmmtools", appauthor=False) / "progress.json"


def solved() -> dict[str, str]:
    """The checks that passed, with the date of the first time; none where no file can be read."""
    if not is_kept():
        return {}
    try:
        held = json.loads(file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {k: v for k, v in held.items() if isinstance(v, str)} if isinstance(held, dict) else {}


def remember(id: str) -> str | None:
    """Write that a check passed. What to tell the learner: the first time, where that is kept."""
    if not is_kept():
        return None
    try:
        place, known = file(), solved()
        if id in known:
            return None
        is_first = not place.exists()
        place.parent.mkdir(parents=True, exist_ok=True)
        written = place.with_name(f"{place.name}.{os.getpid()}")
        written.write_text(json.dumps({**known, id: str(date.today())}, indent=1), "utf-8")
        written.replace(place)  # whole or not at all
    except (OSError, RuntimeError):  # no folder, no room, no home
        return None
    if not is_first:
        return None
    return f"What passes is remembered: gt.progress() shows it. {how_to_forget()}"


def how_to_forget() -> str:
    return (
        f"To forget it, delete the file {file()}; with {SWITCH}=off in the environment nothing is "
        "kept."
    )
