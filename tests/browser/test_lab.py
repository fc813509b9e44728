"""A lesson in JupyterLab, as a learner meets it: questions before answers, checks, sliders."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from playwright.sync_api import Page

from tools.learner_copies import SUMMARY

pytestmark = pytest.mark.browser

RUN_ALL = 120_000  # milliseconds

OPEN = """async (path) => {
    const app = window.jupyterapp;
    await app.started;
    await app.restored;  // else a notebook of an earlier visit comes to the front
    const panel = await app.commands.execute("docmanager:open", {path, factory: "Notebook"});
    await panel.revealed;
    await panel.sessionContext.ready;
    window.course = panel;
}"""
RUN = "async () => await window.jupyterapp.commands.execute('notebook:run-all-cells')"
CELLS = """() => [...window.course.content.model.cells].map(cell => ({
    type: cell.type,
    source: cell.sharedModel.getSource(),
    count: cell.sharedModel.execution_count,
    state: cell.executionState,
    outputs: cell.type === "code" ? cell.outputs.toJSON() : [],
}))"""
ANSWER = """async ([i, source]) => {
    const notebook = window.course.content;
    notebook.activeCellIndex = i;
    notebook.model.cells.get(i).sharedModel.setSource(source);
    await window.jupyterapp.commands.execute("notebook:run-cell");
}"""


def open_lesson(page: Page, lab: str, name: str) -> list[dict]:
    """Open the learner's copy of one lesson with a fresh kernel, return its cells."""
    page.goto(f"{lab}/lab?reset")
    page.wait_for_function("() => window.jupyterapp", timeout=60_000)
    page.evaluate(OPEN, f"my-course/{name}")
    return page.evaluate(CELLS)


def open_and_run_all(page: Page, lab: str, name: str) -> list[dict]:
    """Open one lesson, run it to its end, return its cells."""
    open_lesson(page, lab, name)
    page.evaluate(RUN)
    page.wait_for_function(
        f"() => ({CELLS})().every(cell => cell.type !== 'code' || cell.count > 0)", timeout=RUN_ALL
    )
    return page.evaluate(CELLS)


def errors(cells: list[dict]) -> list[str]:
    return [
        f"{output.get('ename', '')}{output.get('text', '')}"
        for cell in cells
        for output in cell["outputs"]
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]


def reply(page: Page, exercise: str, answer: str) -> str:
    """What the check says after the answer was typed and the cell run, in one line."""
    check = f'gt.check("{exercise}", answer)'
    i = next(i for i, cell in enumerate(page.evaluate(CELLS)) if check in cell["source"])
    page.evaluate(ANSWER, [i, f"answer = {answer}\n{check}"])
    page.wait_for_function(f"() => ({CELLS})()[{i}].outputs.length > 0")
    outputs = page.evaluate(CELLS)[i]["outputs"]
    return " ".join("".join(output.get("text", "") for output in outputs).split())


SHOW = "async i => await window.course.content.scrollToItem(i)"
HAS_A_FOLD = "i => window.course.content.widgets[i].node.querySelector('summary')"
TEXT = "i => window.course.content.widgets[i].node.querySelector('.jp-RenderedMarkdown').innerText"


def seen(page: Page, i: int) -> str:
    """What a reader sees of a text that has a fold; what a closed fold holds is not in it."""
    page.evaluate(SHOW, i)
    page.wait_for_function(HAS_A_FOLD, arg=i)
    return page.evaluate(TEXT, i)


def words(text: str) -> str:
    """The plain words of Markdown or of a page, to look for one in the other."""
    return " ".join(re.findall(r"[a-zäöüé]+", re.sub(r"\$[^$]*\$|`|\*", " ", text.lower())))


def readings(cells: list[dict]) -> dict[int, str]:
    """The cells that hold the text which reads an answer, and the words it begins with."""
    told = {i: cell["source"].split("</details>") for i, cell in enumerate(cells)}
    told = {i: parts[0].partition("</summary>")[2] for i, parts in told.items() if parts[1:]}
    return {i: words(re.split(r"[.:](?=\s)", text.strip())[0]) for i, text in told.items()}


@pytest.mark.parametrize("name", ["01-from-lmm-to-glmm.ipynb", "07-model-proportions.ipynb"])
def test_nothing_of_an_answer_is_seen_before_a_cell_is_run(page, lab, name):
    cells = open_lesson(page, lab, name)
    assert not any(cell["outputs"] or cell["count"] for cell in cells)
    hidden = readings(cells)
    assert len(hidden) > 10
    for i, told in hidden.items():
        assert SUMMARY in seen(page, i)
        assert told not in words(seen(page, i))
        assert page.locator(".jp-OutputArea-output").count() == 0


def test_the_text_that_reads_an_answer_opens_by_a_click(page, lab):
    cells = open_lesson(page, lab, "01-from-lmm-to-glmm.ipynb")
    i, told = next(iter(readings(cells).items()))
    assert told not in words(seen(page, i))
    page.locator(".jp-RenderedMarkdown summary:visible").first.click()
    assert told in words(seen(page, i))


def test_a_lesson_that_was_run_and_saved_is_no_change_of_the_course(page, lab, course):
    open_and_run_all(page, lab, "00-start-here.ipynb")
    assert "✓ Right" in reply(page, "00.1", "len(herds)")
    page.evaluate("async () => await window.jupyterapp.commands.execute('docmanager:save')")
    saved = (course / "my-course" / "00-start-here.ipynb").read_text(encoding="utf-8")
    assert "answer = len(herds)" in saved
    assert "Everything is ready." in saved
    status = ["git", "-C", course, "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == ""
    again = [sys.executable, "-m", "tools.my_course"]
    said = subprocess.run(again, cwd=course, capture_output=True, text=True, check=True).stdout
    assert said == ""  # the hash is still in the file that JupyterLab wrote
    assert (course / "my-course" / "00-start-here.ipynb").read_text(encoding="utf-8") == saved


IN_SIGHT = """word => {
    const heading = document.querySelector(`h2[data-jupyter-id='${word}']`);
    const place = heading && heading.getBoundingClientRect();
    return place && place.top >= 0 && place.bottom <= window.innerHeight;
}"""


def test_a_word_of_a_lesson_leads_to_its_place_in_the_glossary(page, lab):
    cells = open_lesson(page, lab, "00-start-here.ipynb")
    link = "glossary.ipynb#linear-predictor"
    page.evaluate(SHOW, next(i for i, cell in enumerate(cells) if link in cell["source"]))
    word = page.locator(".jp-RenderedMarkdown a", has_text="linear predictor").first
    word.click()  # JupyterLab opens a notebook at its top, and goes to a heading of an open one
    page.wait_for_function(IN_SIGHT, arg="aic", timeout=30_000)
    page.wait_for_timeout(5000)  # the place of a heading is known when all cells are drawn
    page.evaluate(OPEN, "my-course/00-start-here.ipynb")
    page.wait_for_timeout(1500)
    word.click()
    page.wait_for_function(IN_SIGHT, arg="linear-predictor", timeout=30_000)


def test_lesson_05_runs_to_its_end_and_a_check_answers_wrong_and_right(page, lab):
    cells = open_and_run_all(page, lab, "05-fit-a-glmm.ipynb")
    assert errors(cells) == []
    assert "log-odds scale. Apply the inverse link" in reply(page, "05.1", "model.params.sum()")
    assert "✓ Right" in reply(page, "05.1", "logit.inverse(model.params.sum())")


def test_a_slider_of_an_explorer_changes_the_picture(page, lab):
    cells = open_and_run_all(page, lab, "02-choose-a-link.ipynb")
    assert errors(cells) == []
    i = next(i for i, cell in enumerate(cells) if "gt.explore(" in cell["source"])
    page.evaluate(f"async () => await window.course.content.scrollToItem({i})")
    handle = page.locator(".noUi-handle").first
    handle.wait_for(timeout=30_000)
    assert "intercept" in handle.get_attribute("aria-label")
    picture = page.locator(".widget-vbox img").first
    before = picture.get_attribute("src")
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => ![undefined, before].includes(document.querySelector('.widget-vbox img')?.src)",
        arg=before,
        timeout=30_000,
    )
