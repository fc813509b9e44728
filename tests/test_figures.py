"""The figures can be drawn again without a change, and each has its alternative text."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

import glmmtools as gt
from glmmtools.formula.grammar import parse_formula

FOLDER = Path(__file__).parents[1] / "figures"
SCRIPT = runpy.run_path(str(FOLDER / "make_figures.py"))
NAMES = list(SCRIPT["FIGURES"])
SHEET = runpy.run_path(str(FOLDER / "make_cheat_sheet.py"))


def test_the_folder_holds_each_figure_as_png_and_svg_and_nothing_else():
    drawn = {f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")}
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == drawn | {
        "README.md",
        "cheat-sheet.pdf",
        "make_cheat_sheet.py",
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


# ---- the cheat sheet -----------------------------------------------------------------------------


def test_the_cheat_sheet_is_two_pages_of_a4_and_names_no_machine_and_no_date():
    pdf = (FOLDER / "cheat-sheet.pdf").read_bytes()
    sizes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf)
    assert [tuple(round(float(each)) for each in size) for size in sizes] == [(595, 842)] * 2
    assert not re.search(rb"/CreationDate|/Producer|/home|/root|/work|/tmp", pdf)


def test_no_letter_is_under_7_points_and_none_leaves_the_page():
    # without hinting, letters are as wide on the screen as in the PDF
    with matplotlib.rc_context({"text.hinting": "none"}):
        for page in (SHEET["distributions_and_links"](), SHEET["model_page"]()):
            figure, texts = page.figure, page.ax.texts
            figure.set_dpi(72)  # a pixel is a point
            renderer = figure.canvas.get_renderer()
            for ax in figure.axes:
                for text in filter(_is_seen, [*ax.texts, *ax.get_xticklabels()]):
                    assert text.get_fontsize() >= 7, text.get_text()
            boxes = [text.get_window_extent(renderer) for text in texts]
            for i, (text, box) in enumerate(zip(texts, boxes, strict=True)):
                assert SHEET["LEFT"] - 2 <= box.x0, text.get_text()
                assert box.x1 <= SHEET["RIGHT"] + 2, text.get_text()
                assert box.y0 > 20, text.get_text()
                over = [j for j in range(i) if box.padded(-1.5).overlaps(boxes[j].padded(-1.5))]
                assert not over, (text.get_text(), texts[over[0]].get_text())
            plt.close(figure)


def _is_seen(text) -> bool:
    return bool(text.get_text()) and text.get_visible()


@pytest.mark.parametrize("term", [code for code, _ in (*SHEET["FIXED"], *SHEET["RANDOM"])])
def test_every_term_of_the_cheat_sheet_is_one_that_formulas_have(term):
    parsed = parse_formula(f"y ~ 1 + {' + '.join(term.split('  '))}")
    assert bool(parsed.random) == ("|" in term)
    assert bool(parsed.offsets) == term.startswith("offset")


def test_every_call_of_the_cheat_sheet_exists():
    model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", gt.load_data("herds"), "binomial")
    owners = {
        "m": model,
        "gt": gt,
        "r": model.simulated_residuals(n=50),
        "e": model.means("period"),
    }
    texts = [SHEET["EXAMPLE"]]
    for title, rows in SHEET["QUESTIONS"]:
        texts += [title, *(code for code, _ in rows)]
    calls = re.findall(r"\b(m|gt|r|e)\.(\w+)", " ".join(texts))
    assert len(calls) > 20
    assert [f"{of}.{name}" for of, name in calls if not hasattr(owners[of], name)] == []


@pytest.mark.slow
def test_a_second_cheat_sheet_has_the_same_bytes(tmp_path):
    SHEET["write"](tmp_path / "cheat-sheet.pdf")
    made = (tmp_path / "cheat-sheet.pdf").read_bytes()
    assert made == (FOLDER / "cheat-sheet.pdf").read_bytes()
