"""The reading site in a browser: links, search, mathematics, colours, width, keyboard."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

from tools.learner_copies import after_questions, lessons

pytestmark = pytest.mark.browser

LESSON = "notebooks/05-fit-a-glmm.html"


class Links(HTMLParser):
    """Every address and every anchor of one page."""

    def __init__(self, text: str):
        super().__init__()
        self.addresses, self.anchors, self.images_without_text = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        self.addresses += [values[key] for key in ("href", "src") if values.get(key)]
        if tag == "img" and not values.get("alt"):
            self.images_without_text.append(values.get("src", ""))


def test_no_internal_link_of_any_page_is_broken(site_folder):
    found = (path for path in site_folder.rglob("*.html") if "_static" not in path.parts)
    pages = {path: Links(path.read_text("utf-8")) for path in found}
    assert len(pages) > 30
    broken = []
    for path, page in pages.items():
        for address in page.addresses:
            file, anchor = urldefrag(unquote(address))
            if ":" in file.split("/")[0]:
                continue
            target = (path.parent / file.split("?")[0]).resolve() if file else path
            target = target / "index.html" if target.is_dir() else target
            known = target not in pages or not anchor or anchor in pages[target].anchors
            if not target.exists() or not known:
                broken.append(f"{path.relative_to(site_folder)} → {address}")
    assert broken == []


def test_every_picture_of_a_lesson_has_alternative_text(site_folder):
    for path in sorted((site_folder / "notebooks").glob("*.html")):
        assert Links(path.read_text("utf-8")).images_without_text == [], path.name


def test_the_outputs_that_answer_a_question_are_folded_and_no_other(page, site):
    for path in lessons():
        page.goto(f"{site}/notebooks/{path.stem}.html")
        notebook = nbformat.read(path, as_version=4)
        cells = [cell for codes, _ in after_questions(notebook) for cell in codes]
        answers = sum(bool(cell.outputs) for cell in cells)
        others = sum(bool(cell.get("outputs")) for cell in notebook.cells) - answers
        folded = page.locator("main .tag_hide-output .cell_output")
        assert folded.count() == answers > 0, path.name
        assert page.locator("main .cell_output:visible").count() == others, path.name


def test_search_finds_a_lesson(page, site):
    page.goto(f"{site}/search.html?q=overdispersion")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    assert "Fit a GLMM in three steps" in page.inner_text("#search-results")


def test_formulas_are_drawn_and_none_has_an_error(page, site):
    page.goto(f"{site}/{LESSON}")
    page.wait_for_selector("mjx-container svg", timeout=20_000)
    assert page.locator("mjx-container svg").count() > 30
    assert page.locator("[data-mjx-error], mjx-merror").count() == 0
    assert page.errors == []


def test_the_colours_change_from_light_to_dark(page, site):
    page.goto(f"{site}/{LESSON}")
    shades = {}
    for theme in ("Light", "Dark"):
        page.get_by_role("button", name="Color mode").click()
        page.get_by_role("button", name=theme, exact=True).click()
        assert page.evaluate("document.documentElement.dataset.theme") == theme.lower()
        shades[theme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shades["Light"] == "rgb(255, 255, 255)"
    assert shades["Dark"] != shades["Light"]


@pytest.mark.parametrize("address", ["index.html", LESSON, "data/README.html", "api.html"])
def test_a_phone_need_not_scroll_sideways(page, site, address):
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(f"{site}/{address}")
    page.wait_for_timeout(1000)
    widths = "[document.documentElement.scrollWidth, window.innerWidth]"
    scroll, window = page.evaluate(widths)
    assert scroll <= window


@pytest.mark.parametrize("address", ["index.html", LESSON, "data/README.html"])
def test_accessibility_has_no_serious_finding(page, site, address):
    page.goto(f"{site}/{address}")
    page.wait_for_timeout(1000)
    results = Axe().run(page).response["violations"]
    serious = [
        f"{found['id']}: {found['help']} ({node['html'][:90]})"
        for found in results
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"][:3]
    ]
    assert serious == []


# ---- by keyboard ---------------------------------------------------------------------------------

FOCUS = """() => {
    const {outlineStyle, boxShadow} = getComputedStyle(document.activeElement);
    return outlineStyle !== 'none' || boxShadow !== 'none';
}"""


def tab_to(page, selector: str) -> None:
    """Press Tab until the element has the focus; every button, link and summary shows it."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('button, summary')"):
            page.wait_for_function(FOCUS, timeout=2000)  # it may fade in
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            page.wait_for_function(FOCUS, timeout=2000)
            return
    pytest.fail(f"80 times Tab did not reach {selector}")


def test_by_keyboard_one_skips_the_menu_and_opens_a_solution(page, site):
    page.goto(f"{site}/notebooks/solutions/05-fit-a-glmm.html")
    page.wait_for_selector("mjx-container svg", timeout=20_000)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to main content"
    assert page.evaluate(FOCUS)
    page.keyboard.press("Enter")
    assert page.url.endswith("#main-content")
    tab_to(page, "main summary")
    is_open = "document.activeElement.closest('details').open"
    assert not page.evaluate(is_open)
    page.keyboard.press("Enter")
    assert page.evaluate(is_open)


def test_by_keyboard_one_opens_the_output_that_answers_a_question(page, site):
    page.goto(f"{site}/{LESSON}#main-content")
    page.wait_for_selector("mjx-container svg", timeout=20_000)
    tab_to(page, "main .tag_hide-output summary")
    output = "document.activeElement.parentElement.querySelector('.cell_output').checkVisibility()"
    assert not page.evaluate(output)
    page.keyboard.press("Enter")
    assert page.evaluate(output)


def test_by_keyboard_one_searches_and_opens_what_was_found(page, site):
    page.goto(f"{site}/{LESSON}")
    tab_to(page, "button.search-button__button")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.matches('input[type=search]')")
    page.keyboard.type("overdispersion")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    tab_to(page, "#search-results li a")
    found = page.evaluate("document.activeElement.innerText")
    page.keyboard.press("Enter")
    page.wait_for_url("**/notebooks/*.html")
    assert found in page.title()


def test_by_keyboard_one_changes_the_colours(page, site):
    page.goto(f"{site}/{LESSON}")
    tab_to(page, "button.theme-switch-button")
    page.keyboard.press("Enter")
    tab_to(page, "button[data-mode=dark]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
