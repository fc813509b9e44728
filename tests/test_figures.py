"""The figures can be drawn again without a change, and each has its alternative text."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "figures"
SCRIPT = runpy.run_path(str(FOLDER / "make_figures.py"))
NAMES = list(SCRIPT["FIGURES"])


def test_the_folder_holds_each_figure_as_png_and_svg_and_nothing_else():
    drawn = {f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")}
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == drawn | {
        "README.md",
        "make_figures.py",
    }


def test_every_figure_has_its_alternative_text():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", text, flags=re.MULTILINE))
    assert sorted(found) == sorted(NAMES)
    assert all(len(words) > 80 for words in found.values())


def test_no_svg_names_a_machine_a_date_or_a_version():
    for name in NAMES:
        text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        assert not re.search(r"<dc:date>|/home|/root|/work|/tmp|Matplotlib v", text)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_second_run_changes_no_byte(name, tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    for folder in ("first", "second"):
        SCRIPT["write"](tmp_path / folder, [name])
    for kind in ("png", "svg"):
        file = f"{name}.{kind}"
        first = (tmp_path / "first" / file).read_bytes()
        assert first == (tmp_path / "second" / file).read_bytes()
        # SVG is the same on every machine that has the locked Matplotlib; PNG is not promised
        if kind == "svg":
            assert first == (FOLDER / file).read_bytes()
