"""The words of the glossary are found from every lesson, in JupyterLab and on the site."""

from __future__ import annotations

import re
from urllib.parse import unquote

import nbformat
import pytest

from tests.notebook_hygiene import EVERY_NOTEBOOK, Notebook, every_code_cell_ran
from tools.learner_copies import GLOSSARY, lessons, linked_file, links

NOTEBOOK = Notebook.read(GLOSSARY)
HEADINGS = [cell.source.splitlines()[0].removeprefix("## ") for cell in NOTEBOOK.cells[1:]]
LINK = re.compile(r"\]\(glossary\.ipynb#([^)\s]*)\)")


def in_jupyterlab(heading: str) -> str:
    return heading.replace(" ", "-")


def on_the_site(heading: str) -> str:
    """What MyST makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower().replace(" ", "-"))


def linked_words() -> dict[str, list[str]]:
    """For each lesson and solution the words that it links to, in order."""
    paths = [*lessons(), *sorted(GLOSSARY.parent.glob("solutions/[0-9]*.ipynb"))]
    return {
        f"{path.parent.name}/{path.name}": [
            unquote(word)
            for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "markdown"
            for word in LINK.findall(cell.source)
        ]
        for path in paths
    }


def test_each_word_has_a_cell_of_its_own_with_what_it_means_and_where_it_is_taught():
    assert len(HEADINGS) > 50
    for cell in NOTEBOOK.cells[1:]:
        heading, _, text = cell.source.partition("\n\n")
        assert heading.startswith("## ")
        assert "\n#" not in text
        assert text.count(".") >= 2, heading
        assert re.search(r"\[Lesson (\d\d)\]\(\1-[\w-]+\.ipynb\)\.$", text), heading


def test_the_words_stand_in_the_order_of_the_alphabet():
    assert sorted(HEADINGS) == HEADINGS
    assert len(set(HEADINGS)) == len(HEADINGS)


def test_a_word_has_the_same_address_in_jupyterlab_and_on_the_site():
    # JupyterLab keeps capitals and MyST does not, so that headings have none.
    assert list(map(in_jupyterlab, HEADINGS)) == list(map(on_the_site, HEADINGS))


def test_every_link_to_the_glossary_leads_to_a_word():
    known = {in_jupyterlab(heading) for heading in HEADINGS}
    for name, words in linked_words().items():
        assert set(words) <= known, name


def test_a_lesson_links_a_word_once():
    for name, words in linked_words().items():
        assert len(set(words)) == len(words), name


def test_every_word_is_linked_from_a_lesson():
    linked = {word for words in linked_words().values() for word in words}
    assert {in_jupyterlab(heading) for heading in HEADINGS} - linked == set()


def test_the_glossary_links_to_files_that_exist():
    found = [linked_file(GLOSSARY, link) for link in links(nbformat.read(GLOSSARY, as_version=4))]
    assert len(found) >= len(HEADINGS)


@pytest.mark.parametrize("check", EVERY_NOTEBOOK, ids=lambda check: check.__name__)
def test_the_glossary_keeps_the_rules_of_every_notebook(check):
    if check is every_code_cell_ran:
        assert not NOTEBOOK.code
    else:
        assert list(check(NOTEBOOK)) == []
