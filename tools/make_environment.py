"""Write environment.yml, the conda environment, from the requirements in pyproject.toml.

    python tools/make_environment.py

tests/test_environment.py compares the two files without the help of this script.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CONDA_NAME = {"matplotlib": "matplotlib-base"}  # conda-forge's `matplotlib` adds a Qt desktop
EXTRAS = ("lab", "test")  # what learners need; the others are for maintainers


def render(pyproject: dict) -> str:
    """The text of environment.yml for a parsed pyproject.toml."""
    project = pyproject["project"]
    requirements = [*project["dependencies"]]
    for extra in EXTRAS:
        requirements += project["optional-dependencies"][extra]

    conda = [f"python{project['requires-python']}", "pip"]
    for requirement in sorted(requirements):
        name, bounds = re.match(r"([\w.-]+)\s*(.*)", requirement).groups()
        conda.append(CONDA_NAME.get(name, name) + bounds)

    lines = [
        "# Written by tools/make_environment.py from pyproject.toml (`make environment`).",
        "name: glmm-course",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        *(f"  - {json.dumps(requirement)}" for requirement in conda),
        "  - pip:",
        '      - "-e ."',
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (ROOT / "environment.yml").write_text(render(pyproject), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
