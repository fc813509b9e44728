"""Make build/lowest: an environment with the oldest versions that pyproject.toml allows.

    python tools/make_lowest.py

The Python is the one that runs this. What the course names itself comes in its lowest version that
has a wheel here. What those need in turn keeps the version of requirements.lock where that fits, so
that a release of theirs changes nothing from one day to the next.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
import venv
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "build" / "lowest"
UV = "uv==0.13.9"
EXTRAS = ("lab", "test")
# What came out long after what calls it. Later pyparsings warn of each call by Matplotlib 3.9.
OLD_ENOUGH = ("pyparsing<3.3",)


def direct(project: dict) -> set[str]:
    """What the package and the extras name themselves."""
    texts = [*project["dependencies"]]
    for extra in EXTRAS:
        texts += project["optional-dependencies"][extra]
    return {Requirement(text).name for text in texts}


def pins_of_others(lock: str, direct: set[str]) -> str:
    """The lock without its hashes and without what we name: for uv a wish, not a bound."""
    pins = re.findall(r"^([\w.-]+)(==[^\\\n]+)", lock, flags=re.MULTILINE)
    return "".join(f"{name}{rest.rstrip()}\n" for name, rest in pins if name not in direct)


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    venv.create(TARGET, clear=True, with_pip=True)
    versions, python = TARGET / "versions.txt", TARGET / "bin" / "python"
    versions.write_text(pins_of_others(lock, direct(project)), encoding="utf-8")
    constraints = TARGET / "constraints.txt"
    constraints.write_text("\n".join(OLD_ENOUGH), encoding="utf-8")

    def run(*command: str | Path) -> None:
        subprocess.run([python, "-m", *command], cwd=ROOT, check=True)

    run("pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary", ":all:", UV)
    uv = ("uv", "--quiet", "pip")
    wheels = ("--python", python, "--only-binary", ":all:")
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    run(*uv, "compile", *wheels, "--resolution", "lowest-direct", *extras,
        "--constraint", constraints, "--output-file", versions, "pyproject.toml")  # fmt: skip
    run(*uv, "install", *wheels, "--requirement", versions)
    run(*uv, "install", "--python", python, "--no-deps", "--no-build-isolation", "--editable", ".")
    # As in the Makefile: the list of fonts is drawn before anything is tested.
    subprocess.run([python, "-c", "import matplotlib.font_manager"], check=True)


if __name__ == "__main__":
    main()
