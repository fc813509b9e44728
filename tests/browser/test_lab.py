"""A lesson in JupyterLab, as a learner meets it: all cells run, the checks answer, sliders move."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

RUN_ALL = 120_000  # milliseconds

OPEN = """async (path) => {
    const app = window.jupyterapp;
    await app.started;
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


def open_and_run_all(page: Page, lab: str, name: str) -> list[dict]:
    """Open one lesson, run it from a fresh kernel to its end, return its cells."""
    page.goto(f"{lab}/lab")
    page.wait_for_function("() => window.jupyterapp", timeout=60_000)
    page.evaluate(OPEN, f"notebooks/{name}")
    page.evaluate("""() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')""")
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
    """What the check says after the answer was typed and the cell run."""
    check = f'gt.check("{exercise}", answer)'
    i = next(i for i, cell in enumerate(page.evaluate(CELLS)) if check in cell["source"])
    page.evaluate(ANSWER, [i, f"answer = {answer}\n{check}"])
    page.wait_for_function(f"() => ({CELLS})()[{i}].outputs.length > 0")
    return "".join(output.get("text", "") for output in page.evaluate(CELLS)[i]["outputs"])


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
    picture = page.locator(".jupyter-widgets img, .widget-output img, .jp-OutputArea img").last
    before = picture.get_attribute("src")
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => ![...document.querySelectorAll('img')].some(img => img.src === before)",
        arg=before,
        timeout=30_000,
    )
