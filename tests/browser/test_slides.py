"""The slides in a browser: nothing is cut off, questions come before outputs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.browser.serving import served
from tools.learner_copies import after_questions, asks, core, is_further, lessons
from tools.make_slides import WORDS, Slide, blocks, notes, of_text, slides

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """The address of the decks, made as `make slides` makes them."""
    folder = tmp_path_factory.mktemp("slides")
    command = [sys.executable, "-m", "tools.make_slides", str(folder)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stdout + made.stderr
    with served(folder) as address:
        yield address


def test_each_lesson_has_a_deck_with_a_licence_for_its_program(page, decks):
    page.goto(f"{decks}/index.html")
    led = [link.get_attribute("href") for link in page.locator("a").all()]
    assert led == [f"{path.stem}.html" for path in lessons()]
    licence = page.request.get(f"{decks}/reveal/LICENSE").text()
    assert "Permission is hereby granted" in licence


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_a_deck_shows_the_core_and_questions_before_their_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    made = slides(notebook)
    cells = [slide.cell for slide in made]
    assert {*cells}.isdisjoint(cell.id for cell in notebook.cells if is_further(cell))
    assert {cell.id for cell in core(notebook.cells) if cell.cell_type == "markdown"} <= {*cells}
    for codes, _ in after_questions(notebook):
        question = notebook.cells[notebook.cells.index(codes[0]) - 1]
        if question.id in cells and codes[0].id in cells:
            assert cells.index(question.id) < cells.index(codes[0].id)
    assert not any('class="output"' in slide.html for slide in made if slide.kind == "question")
    asked = [slide.kind for slide in made].count("question")
    assert asked >= sum(asks(cell) for cell in core(notebook.cells))


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_no_slide_is_cut_off_and_every_picture_has_its_text(page, decks, path):
    page.goto(f"{decks}/{path.stem}.html")
    page.wait_for_selector("html[data-ready]", timeout=30_000)
    found = page.evaluate("""() => Reveal.getSlides().map(slide => {
        const {h, v} = Reveal.getIndices(slide);
        Reveal.slide(h, v);
        return {
            cell: slide.dataset.cell, size: parseFloat(slide.style.fontSize),
            cut: slide.scrollHeight > 701 || slide.scrollWidth > slide.clientWidth + 1
                || [...slide.querySelectorAll("pre")].some(
                    text => text.scrollWidth > text.clientWidth + 1),
            bare: [...slide.querySelectorAll("img")].some(picture => !picture.alt),
        };
    })""")
    assert [slide for slide in found if slide["cut"] or slide["bare"]] == []
    small = [slide["cell"] for slide in found if slide["size"] < 60]
    assert len(small) <= 0.05 * len(found), small
    assert page.locator("[data-mjx-error], mjx-merror").count() == 0
    assert page.errors == []


def test_formulas_are_drawn_and_the_keys_lead_on(page, decks):
    page.goto(f"{decks}/05-fit-a-glmm.html")
    page.wait_for_selector("html[data-ready]", timeout=30_000)
    assert page.locator("mjx-container svg").count() > 10
    assert "\\(" not in page.locator("main").inner_text()
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    assert page.evaluate("Reveal.getProgress()") > 0
    assert page.locator("section.present.title aside.notes").count() == 0


def test_the_speaker_has_what_teaching_says_of_the_lesson():
    assert "<strong>Aim.</strong>" in notes("05")
    assert "<strong>Listen for.</strong>" in notes("05")


def test_a_text_becomes_a_slide_for_each_idea():
    text = (
        "It was so.\n\n## Next\n\nTwo words.\n\n**Guess:** which $x$?\n\n1. One?\n   - **a** yes\n"
        "2. Two?\n   - **b** no\n\n" + "word " * (WORDS + 1)
    )
    cell = nbformat.v4.new_markdown_cell(text, metadata={"tags": ["question"]})
    made = list(of_text(cell, "Before"))
    assert [(slide.kind, slide.section, slide.heads) for slide in made] == [
        ("text", "Before", False),
        ("text", "Next", True),
        ("question", "Next", False),
        ("question", "Next", False),
        ("question", "Next", False),
        ("text", "Next", False),
    ]
    assert isinstance(made[0], Slide)
    assert r"\(x\)" in made[2].html
    assert re.search('<ol start="2">', made[4].html)
    assert [kind for _, kind in blocks(text)].count("item") == 2
