"""The reading site in a browser: links, search, mathematics, colours, width, keyboard."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urldefrag

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

import glmmtools as gt
from tools.learner_copies import after_questions, lessons, parted
from tools.site_api import found, members, names, page_of
from tools.site_html import with_columns_of_numbers
from tools.site_lessons import with_definitions

pytestmark = pytest.mark.browser

LESSON = "notebooks/05-fit-a-glmm.html"
KINDS = [
    "index.html",
    "gallery.html",
    LESSON,
    "notebooks/solutions/05-fit-a-glmm.html",
    "notebooks/README.html",
    "data/README.html",
    "TEACHING.html",
    "api.html",
    "api/MarginalMeans.html",
]


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


def test_the_front_page_leads_to_every_lesson_and_names_no_page_twice(page, site):
    page.goto(f"{site}/index.html")
    links = page.locator("article.bd-article a:not(.headerlink)")
    pages = [urldefrag(link.get_attribute("href"))[0] for link in links.all()]
    assert len(pages) == len(set(pages))
    assert {f"notebooks/{path.stem}.html" for path in lessons()} <= {*pages}
    assert {"TEACHING.html", "api.html", "gallery.html", "data/README.html"} <= {*pages}
    assert page.locator(".doors a").count() == 3
    assert page.locator(".first-picture img").evaluate("picture => picture.naturalWidth") > 100
    menu = [link.get_attribute("href") for link in page.locator(".bd-sidebar-primary nav a").all()]
    assert len(menu) == len(set(menu)) > 15


def test_every_picture_of_the_gallery_has_its_code_and_its_alternative_text(page, site):
    page.goto(f"{site}/gallery.html")
    assert page.locator("main section img").count() > 40
    bare = """() => [...document.querySelectorAll("main section img")].filter(picture => {
        let next = picture.closest("p") ?? picture;
        while (next && !next.matches("details")) next = next.nextElementSibling;
        return !picture.alt || !next?.querySelector("pre");
    }).map(picture => picture.src)"""
    assert page.evaluate(bare) == []


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


def test_the_text_that_reads_an_answer_is_folded_and_opens_with_the_last_output(page, site):
    page.goto(f"{site}/{LESSON}")
    notebook = nbformat.read(next(p for p in lessons() if p.stem in LESSON), as_version=4)
    told = sum(bool(parted(text.source)[0]) for _, text in after_questions(notebook))
    readings = page.locator("main details.reading")
    assert readings.count() == told > 5
    assert page.locator("main details.reading[open]").count() == 0
    for fold in page.locator("main .tag_hide-output > details > summary").all():
        fold.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('main details.reading')].every(text => text.open)"
    )


FOUND_FIRST = {
    "overdispersion": "notebooks/06",
    "offset": "notebooks/06",
    "zero inflation": "notebooks/06",
    "separation": "notebooks/05",
    "AR(1)": "notebooks/10",
    "random slope": "notebooks/10",
    "missing at random": "notebooks/12",
    "degrees of freedom": "notebooks/09",
    "contrasts": "notebooks/09",
    "shrinkage": "notebooks/12",
    "odds ratio": "notebooks/02",
    "experimental unit": "notebooks/11",
    "power": "notebooks/13",
    "residuals": "notebooks/08",
    "test_autocorrelation": "api/SimulatedResiduals.html",
    "rcbd": "api/designs.rcbd.html",
    "MarginalMeans": "api/MarginalMeans.html",
}


@pytest.mark.parametrize("word", FOUND_FIRST)
def test_search_finds_the_page_of_the_subject_first(page, site, word):
    page.goto(f"{site}/search.html?q={quote(word)}")
    first = page.locator("#search-results li a").first
    first.wait_for(timeout=20_000)
    page.wait_for_function("!document.querySelector('#search-results > h2 span')?.innerText")
    assert first.get_attribute("href").split("?")[0].startswith(FOUND_FIRST[word])


@pytest.mark.parametrize("word", ["overdispersion", "offset", "beta"])
def test_excerpts_of_the_search_hold_the_word_and_no_menu(page, site, word):
    page.goto(f"{site}/search.html?q={word}")
    page.locator("#search-results li p.context").first.wait_for(timeout=20_000)
    page.wait_for_function("!document.querySelector('#search-results > h2 span')?.innerText")
    page.wait_for_load_state("networkidle")  # an excerpt is fetched for each result
    texts = page.locator("#search-results li p.context").all_inner_texts()
    assert sum(word in text.lower() for text in texts) > len(texts) / 2, texts
    for text in texts:
        assert len(text) > 40, text
        assert not any(menu in text for menu in ("Contents", "notebook file", "Back")), text


def test_every_name_of_the_package_stands_on_one_page(site_folder):
    pages = {path: Links(path.read_text("utf-8")) for path in site_folder.rglob("*.html")}
    for name in names():
        held = [path.stem for path, page in pages.items() if f"glmmtools.{name}" in page.anchors]
        assert held == [page_of(name)], name


def test_a_class_has_its_methods_and_what_draws_its_picture(site_folder):
    for name in ("residuals.simulated.SimulatedResiduals", "studies.study.Study", "FittedModel"):
        text = (site_folder / "api" / f"{page_of(name)}.html").read_text("utf-8")
        assert {f"glmmtools.{name}.{each}" for each in members(found(name))} <= Links(text).anchors
        assert "The example drawn." in text


def test_a_property_is_described_in_whole_sentences(site_folder):
    for page in sorted((site_folder / "api").glob("*.html")):
        found = BeautifulSoup(page.read_text("utf-8"), "html.parser").select("dl.py dl dt")
        assert "Type:" not in [field.get_text(strip=True) for field in found], page.name


def test_the_type_of_what_is_returned_leads_to_its_page(page, site):
    for start, kind in {"api/FittedModel.html": "MarginalMeans", "api/power.html": "Study"}.items():
        page.goto(f"{site}/{start}")
        returned = page.locator("dl.field-list dd a", has_text=re.compile(f"^{kind}$")).first
        assert returned.get_attribute("href").startswith(f"{kind}.html#")


def test_each_family_and_each_link_has_its_card_and_its_picture(page, site):
    for address, held in (("families", gt.FAMILIES), ("links", gt.LINKS)):
        page.goto(f"{site}/api/{address}.html")
        assert page.locator("main section .scrolls > table").count() == len(held)
        assert page.locator("main section img").count() == len(held)


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


OVERFLOW = """() => {
    document.querySelectorAll("main details").forEach(fold => fold.open = true);
    const column = document.querySelector(".bd-article").getBoundingClientRect();
    const leaves = element => {
        const box = element.getBoundingClientRect();
        return box.left < column.left - 1 || box.right > column.right + 1;
    };
    const scrolls = element => element.scrollWidth > element.clientWidth + 1;
    const named = (kind, elements) => elements.map(e => `${kind}: ${e.innerText.slice(0, 60)}`);
    const [codes, outputs, tables] = ["main .cell_input pre", "main pre", "main .scrolls"].map(
        selector => [...document.querySelectorAll(selector)]);
    const cells = [...document.querySelectorAll("main :is(td, th)")];
    const padding = cells.flatMap(cell => {
        const {paddingLeft, paddingRight} = getComputedStyle(cell);
        return [parseFloat(paddingLeft), parseFloat(paddingRight)];
    });
    return {
        page: document.documentElement.scrollWidth - window.innerWidth,
        code: named("code", codes.filter(code => scrolls(code) || leaves(code))),
        leaving: named("leaves", [...outputs, ...tables].filter(leaves)),
        scrolling: named("scrolls", [...outputs, ...tables].filter(scrolls)),
        cut: named("not by keyboard", [...outputs, ...tables].filter(scrolls).filter(
            box => box.tabIndex < 0 || getComputedStyle(box).overflowX !== "auto")),
        loose: document.querySelectorAll("main table:not(.scrolls > table, .genindextable)").length,
        padding: Math.min(...padding, 99),
    };
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_no_code_cell_and_no_table_leaves_its_column(page, site, site_folder, width):
    page.set_viewport_size({"width": width, "height": 900})
    wrong = {}
    for path in sorted(site_folder.rglob("*.html")):
        address = path.relative_to(site_folder).as_posix()
        if address.startswith("_static") or address == "search.html":
            continue
        page.goto(f"{site}/{address}")
        page.evaluate("window.MathJax?.startup?.promise")
        page.evaluate(OVERFLOW)  # which opens what is folded
        page.wait_for_timeout(50)  # until a fold says that it was opened
        found = page.evaluate(OVERFLOW)
        if width == 390:  # a wide table may scroll by itself there
            del found["scrolling"]
        listed = [text for each in found.values() if isinstance(each, list) for text in each]
        if listed or found["page"] > 0 or found["padding"] < 6 or found["loose"]:
            wrong[address] = found
    assert wrong == {}, f"{len(wrong)} pages, such as {next(iter(wrong.items()))}"


NUMBERS = """() => [...document.querySelectorAll("main .scrolls > table")].flatMap(table => {
    const right = cell => getComputedStyle(cell).textAlign === "right";
    const cells = [...table.querySelectorAll("td")].filter(right);
    const rows = [...table.querySelectorAll("tr")].map(row => [...row.children].reverse());
    return cells.filter(cell => /^[−-]?[0-9.]+$/.test(cell.innerText)).filter(cell => {
        const at = [...cell.parentElement.children].reverse().indexOf(cell);
        return table.tHead && !right(rows[table.tHead.rows.length - 1][at] ?? cell);
    }).map(cell => cell.innerText);
})"""


WIDE_FORMULAS = """() => {
    document.querySelectorAll("main details").forEach(fold => fold.open = true);
    const edge = document.querySelector(".bd-article").getBoundingClientRect().right + 1;
    const drawn = [...document.querySelectorAll("main mjx-container > svg")];
    return [drawn.length, drawn.filter(svg => svg.getBoundingClientRect().right > edge).length];
}"""


@pytest.mark.parametrize(
    "name", ["01-from-lmm-to-glmm", "08-check-a-model", "10-repeated-measures"]
)
def test_no_end_of_a_formula_is_hidden_on_a_phone(page, site, name):
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{site}/notebooks/{name}.html")
    page.wait_for_function("() => document.querySelectorAll('main mjx-container').length > 5")
    drawn, hidden = page.evaluate(WIDE_FORMULAS)
    assert drawn > 5 and hidden == 0


def test_a_header_stands_over_its_numbers(page, site):
    for path in lessons():
        page.goto(f"{site}/notebooks/{path.stem}.html")
        assert page.evaluate(NUMBERS) == [], path.name
    assert page.locator("td.number").count() > 50


def test_columns_of_numbers_are_found_below_groups_and_beside_labels_of_several_rows():
    rows = (
        '<tr><th rowspan="2">a</th><td>-1.5</td><td>x</td></tr>'
        "<tr><td>&lt;0.0001</td><td>2</td></tr>"
    )
    head = "<thead><tr><th></th><th>p_value</th><th>mixed</th></tr></thead>"
    page = with_columns_of_numbers(f"<table>{head}<tbody>{rows}</tbody></table>")
    numbers = BeautifulSoup(page, "html.parser").select(".number")
    assert [cell.get_text() for cell in numbers] == ["p_value", "-1.5", "<0.0001"]


def test_a_list_of_lessons_is_no_number():
    rows = "<tr><td>04, 05</td><td>12,345.6</td></tr><tr><td>01</td><td>3 %</td></tr>"
    page = with_columns_of_numbers(f"<table><tbody>{rows}</tbody></table>")
    numbers = BeautifulSoup(page, "html.parser").select(".number")
    assert [cell.get_text() for cell in numbers] == ["12,345.6", "3 %"]


def test_a_long_line_goes_on_below_its_own_indent(page, site):
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{site}/{LESSON}")
    lines = """() => [...document.querySelectorAll(".cell_input .line")].map(line => {
        const range = document.createRange();
        range.selectNodeContents(line);
        const words = [...range.getClientRects()].filter(box => box.width > 8);
        return [...new Map(words.map(box => [box.top, box.left]).reverse()).values()].reverse();
    }).find(starts => starts.length > 1)"""
    starts = page.evaluate(lines)
    assert min(starts[1:]) > starts[0]


def test_code_is_copied_as_it_was_written(page, site):
    page.goto(f"{site}/{LESSON}")
    code = next(
        cell.source for cell in nbformat.read(lessons()[5], 4).cells if "def " in cell.source
    )
    shown = page.locator(".cell_input pre", has_text=code.split("\n")[0]).first
    copied = shown.evaluate("""block => {
        getSelection().selectAllChildren(block);
        return getSelection().toString();
    }""")
    assert copied.strip() == code.strip()


def test_previous_and_next_lead_through_the_lessons(page, site):
    page.goto(f"{site}/{LESSON}")
    assert "04 · " in page.inner_text("a.left-prev")
    assert "06 · " in page.inner_text("a.right-next")


def test_each_lesson_gives_its_file_and_no_address_that_nobody_set(page, site, site_folder):
    for path in lessons():
        page.goto(f"{site}/notebooks/{path.stem}.html")
        links = [link.get_attribute("href") for link in page.locator(".run a").all()]
        assert links == [path.name]
        assert (site_folder / "notebooks" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("address", KINDS)
def test_accessibility_has_no_serious_finding(page, site, address, theme):
    page.emulate_media(color_scheme=theme)
    page.goto(f"{site}/{address}")
    page.wait_for_timeout(1000)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    results = Axe().run(page).response["violations"]
    serious = [
        f"{found['id']}: {found['help']} ({node['html'][:90]})"
        for found in results
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"][:3]
    ]
    assert serious == []


CAPTIONS = """() => {
    const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(
        v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
    ).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = element => {
        const colour = numbers(getComputedStyle(element).backgroundColor);
        return colour[3] === 0 && element.parentElement ? ground(element.parentElement) : colour;
    };
    return [...document.querySelectorAll("main :is(caption, caption *, figcaption)")].map(each => {
        const [a, b] = [light(numbers(getComputedStyle(each).color)), light(ground(each))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_captions_stand_out_from_their_ground(page, site, theme):
    page.emulate_media(color_scheme=theme)
    for address in ("api/families.html", "notebooks/08-check-a-model.html", LESSON):
        page.goto(f"{site}/{address}")
        contrasts = page.evaluate(CAPTIONS)
        assert min(contrasts, default=21) >= 4.5, address
        if address == "api/families.html":
            assert len(contrasts) > 10


# ---- exercises -----------------------------------------------------------------------------------


def test_options_are_clicked_and_say_whether_they_are_right(page, site):
    page.goto(f"{site}/notebooks/06-model-counts.html")
    exercise = page.locator("section", has=page.locator("[id='choice-06.2']")).last
    verdict = exercise.locator(".verdict")
    assert verdict.inner_text() == ""
    exercise.get_by_text("Take NB2 and drop the pens").click()
    assert verdict.inner_text().startswith("✗ Not c. ")
    exercise.locator("button.option", has_text="b").click()
    assert verdict.inner_text().startswith("✓ Right: b. ")
    pressed = exercise.locator("button.option[aria-pressed=true]")
    assert pressed.all_inner_texts() == ["b"]
    assert page.errors == []


def test_options_are_chosen_by_keyboard(page, site):
    page.goto(f"{site}/notebooks/06-model-counts.html#main-content")
    tab_to(page, "button.option")
    page.keyboard.press("Enter")
    assert page.locator(".verdict").first.inner_text().startswith("✓ Right: a. ")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator(".verdict").first.inner_text().startswith("✗ Not b. ")


def test_every_question_with_options_can_be_clicked(page, site):
    for path in lessons():
        page.goto(f"{site}/notebooks/{path.stem}.html")
        asked = page.locator("script.choice").count()
        assert page.locator("ul.options").count() == page.locator(".verdict").count() == asked


def test_a_solution_is_folded_below_its_exercise(page, site):
    page.goto(f"{site}/notebooks/06-model-counts.html")
    fold = page.locator("details.solution").first
    inside = fold.locator(".cell_output")
    assert not inside.first.is_visible()
    fold.locator("summary").first.click()
    assert "✓ Right: 0.84" in inside.first.inner_text()
    assert page.locator("section#exercise-06-1 > details.solution").count() == 1


def test_a_word_shows_what_it_means_when_pointed_at_and_by_keyboard(page, site):
    page.goto(f"{site}/{LESSON}")
    told = with_definitions('<a href="glossary.html#odds-ratio">odds ratio</a>')
    paragraph = page.locator("main section > p").nth(3)
    paragraph.evaluate("(each, told) => { each.innerHTML = told; }", told)
    meaning = paragraph.locator(".definition")
    assert not meaning.is_visible()
    paragraph.locator("a").hover()
    assert "the odds in another" in meaning.inner_text()
    page.mouse.move(0, 0)
    assert not meaning.is_visible()
    page.locator("main h1 a").first.focus()
    tab_to(page, "main a[aria-describedby]")
    assert meaning.is_visible()


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
    page.wait_for_url("**/notebooks/*.html*")
    assert found in page.title()


def test_by_keyboard_one_changes_the_colours(page, site):
    page.goto(f"{site}/{LESSON}")
    tab_to(page, "button.theme-switch-button")
    page.keyboard.press("Enter")
    tab_to(page, "button[data-mode=dark]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
