"""The figures can be drawn again without a change, and each has its alternative text."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import glmmtools as gt
from glmmtools.formula.grammar import parse_formula

FOLDER = Path(__file__).parents[1] / "figures"
SCRIPT = runpy.run_path(str(FOLDER / "make_figures.py"))
NAMES = list(SCRIPT["FIGURES"])
WORK = runpy.run_path(str(FOLDER / "make_worksheets.py"))
SHEET = runpy.run_path(str(FOLDER / "make_cheat_sheet.py"))


def test_the_folder_holds_each_figure_as_png_and_svg_and_nothing_else():
    drawn = {f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")}
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == drawn | {
        "README.md",
        "cheat-sheet.pdf",
        "make_cheat_sheet.py",
        "make_worksheets.py",
        "worksheet-covariances.pdf",
        "worksheet-units.pdf",
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


# ---- the worksheets ------------------------------------------------------------------------------

SHEETS = ("worksheet-units", "worksheet-covariances")


@pytest.mark.parametrize("name", SHEETS)
def test_a_worksheet_is_a_page_of_a4_and_one_of_answers_and_names_no_machine(name):
    pdf = (FOLDER / f"{name}.pdf").read_bytes()
    sizes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf)
    assert [tuple(round(float(each)) for each in size) for size in sizes] == [(595, 842)] * 2
    assert not re.search(rb"/CreationDate|/Producer|/home|/root|/work|/tmp", pdf)


@pytest.mark.parametrize("design", WORK["designs"](), ids=lambda design: design.structure)
def test_the_units_and_random_effects_of_a_worksheet_are_those_of_the_package(design):
    found = gt.describe_design(design.layout, design.structure, design.treatments)
    units = [row.experimental_unit.split(":")[-1] for row in found.treatments.itertuples()]
    lowest = {"pot", "plot", "pig"}  # what each row of its layout is
    for unit, said in zip(units, design.units, strict=True):
        assert unit == said or (unit == "the row" and said in lowest)
    assert design.random in ("none", found.random_part)


def test_each_design_and_each_covariance_has_six_different_answers():
    assert len({(design.units, design.random) for design in WORK["designs"]()}) == 6
    assert len({each.name for each in WORK["COVARIANCES"]}) == 6


def test_each_covariance_of_a_worksheet_is_what_its_answer_says():
    made = {
        each.name: gt.covariance(each.formula, WORK["cows"](each.formula), **each.arguments)
        .to_numpy()
        .round(3)
        for each in WORK["COVARIANCES"]
    }
    same = made["random intercept (compound symmetry)"][:4, :4]
    assert len({*same.ravel()}) == 2
    falls = made["AR(1)"][0, :4]
    assert falls[1:] / falls[:3] == pytest.approx([0.6] * 3, rel=1e-3)
    assert np.count_nonzero(made["independent rows"] - 6 * np.eye(8)) == 0
    grows = made["random intercept and slope"]
    assert (np.diff(np.diag(grows)[:4]) > 0).all()
    unequal = made["unequal variances, equal correlation"][:4, :4]
    sd = np.sqrt(np.diag(unequal))
    assert (unequal / np.outer(sd, sd))[~np.eye(4, dtype=bool)] == pytest.approx(0.5, rel=1e-3)
    herds = made["cows in herds"]
    assert herds[0, 2] > 0 == herds[0, 4]


def test_what_is_handed_out_does_not_hold_the_answers():
    for name, (sheet, answers) in WORK["worksheets"]().items():
        texts = [text.get_text() for text in sheet.texts]
        assert not any(each.why in " ".join(texts) for each in WORK["COVARIANCES"])
        assert len(answers.texts) == 2 + 2 * 6, name
        beside = [ax for axes in sheet.axes for ax in axes.child_axes if ax.get_visible()]
        assert beside == []
        plt.close(sheet)
        plt.close(answers)


@pytest.mark.slow
def test_second_worksheets_have_the_same_bytes(tmp_path):
    WORK["write"](tmp_path)
    for name in SHEETS:
        made = (tmp_path / f"{name}.pdf").read_bytes()
        assert made == (FOLDER / f"{name}.pdf").read_bytes()
