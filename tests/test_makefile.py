"""The commands that the pages name exist, and `make help` lists every command."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), ROOT / "site" / "index.md"]
# In backticks, which may be broken over two lines, or at the start of an indented line.
COMMAND = re.compile(r"(?:`|^ {4})make\s+([a-z- ]+)", flags=re.MULTILINE)


@pytest.fixture(scope="module")
def listed() -> set[str]:
    """What `make help` lists with a description."""
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"^  make ([a-z-]+) +\S", shown.stdout, flags=re.MULTILINE))


def named(text: str) -> set[str]:
    return {name for names in COMMAND.findall(text) for name in names.split()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_is_listed_by_make_help(page, listed):
    assert named(page.read_text(encoding="utf-8")) - listed == set()


def test_commands_are_found_on_the_pages():
    text = "`make clean lab`, `make\ntest-slow`, to make up\n    make help ARGS=-x # make\n"
    assert named(text) == {"clean", "lab", "test-slow", "help"}
    found = named("".join(page.read_text(encoding="utf-8") for page in PAGES))
    assert {"lab", "test", "learner", "colab", "offline", "test-slow", "lock"} <= found


def test_make_help_lists_every_command_and_none_is_taken_for_a_file(listed):
    phony = re.search(r"^\.PHONY: (help(?:.*\\\n)*.*)", MAKEFILE, flags=re.MULTILINE)[1]
    rules = set(re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, flags=re.MULTILINE))
    assert listed == set(phony.replace("\\\n", " ").split()) == rules
