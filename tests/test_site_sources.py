"""What tools/build_site.py makes of a lesson before Sphinx reads it."""

from __future__ import annotations

import inspect
import re

import nbformat
import pytest
from PIL import Image

import glmmtools as gt
from tools.build_site import in_the_typeface_of_the_text, ways_to_run
from tools.learner_copies import lessons
from tools.lesson_plan import promise
from tools.site_api import CONSTANTS, found, members, model_members, names, page_of
from tools.site_front import OWN_DATA, PICTURES, START, card, card_picture, outcomes
from tools.site_lessons import choices, definitions, with_choices, with_definitions, with_solutions
from tools.site_subjects import SUBJECTS, section


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("of $15$ herds and $-0.7$", "of 15 herds and −0.7"),
        ("$12\\,000$", "12\N{NARROW NO-BREAK SPACE}000"),
        ("$x = 3$, $2/101$ and $1 - \\mu$", "$x = 3$, $2/101$ and $1 - \\mu$"),
        ("`$15$`, $$15$$ and ```\n$15$\n```", "`$15$`, $$15$$ and ```\n$15$\n```"),
        ("from $a$ 15 $b$", "from $a$ 15 $b$"),
    ],
)  # fmt: skip
def test_a_plain_number_in_the_text_is_text(source, expected):
    assert in_the_typeface_of_the_text(source) == expected


def test_without_an_address_a_lesson_offers_its_file_alone():
    assert ways_to_run("05", None).count("<a ") == 1


def test_on_github_a_lesson_is_run_on_binder_and_colab():
    links = ways_to_run("05", "https://github.com/me/course.git@v1/x")
    assert (
        "https://mybinder.org/v2/gh/me/course/v1%2Fx?urlpath=lab%2Ftree%2Fmy-course%2F05.ipynb"
        in links
    )
    assert "https://colab.research.google.com/github/me/course/blob/colab/05.ipynb" in links


def test_elsewhere_a_lesson_is_run_on_binder_only():
    links = ways_to_run("05", "https://git.example.org/me/course")
    assert "https://mybinder.org/v2/git/https%3A%2F%2Fgit.example.org%2Fme%2Fcourse/HEAD?" in links
    assert "colab" not in links


def test_where_the_lessons_for_the_browser_are_published_one_link_leads_there():
    links = ways_to_run("05", None, "https://example.org/lite/")
    assert links.count("https://example.org/lite/lab/index.html?path=notebooks%2F05.ipynb") == 1
    assert "(experimental)" in links


# ---- the pages of the package --------------------------------------------------------------------


def test_every_public_name_stands_in_one_group():
    public = {name for name in gt.__all__ if name != "designs"}
    public |= {f"designs.{name}" for name in gt.designs.__all__}
    listed = names()
    assert len(listed) == len(set(listed))
    assert public <= set(listed)


def test_every_name_that_is_listed_exists_and_says_what_it_is():
    for name in names():
        assert name in CONSTANTS or inspect.getdoc(found(name)), name


def test_everything_that_a_fitted_model_has_stands_once_on_its_page():
    listed = [name for group in model_members().values() for name in group]
    assert len(listed) == len(set(listed))
    assert set(members(gt.FittedModel)) <= set(listed)


def test_a_page_has_one_name_or_names_that_belong_together():
    pages = [page_of(name).lower() for name in names() if not name.startswith("FittedModel.")]
    several = {page for page in pages if pages.count(page) > 1}
    assert several == {"families", "links", "warnings"}


def test_every_subject_of_the_index_has_its_section():
    held = {path.name[:2]: nbformat.read(path, as_version=4) for path in lessons()}
    assert [word for word, of, begin in SUBJECTS if section(held[of], begin) is None] == []


# ---- the front page ------------------------------------------------------------------------------

ON_CARDS = [path for path in lessons() if path.name[:2] not in (START, OWN_DATA)]


@pytest.mark.parametrize("path", ON_CARDS, ids=lambda path: path.stem)
def test_a_card_has_a_picture_the_minutes_and_what_one_can_do_afterwards(path, tmp_path):
    (tmp_path / "cards").mkdir()
    made = card(path, tmp_path)
    cells = nbformat.read(path, as_version=4).cells
    assert f'<p class="minutes">{promise(cells).strip("*")}</p>' in made
    assert f"Afterwards you can {outcomes()[path.name[:2]].split()[0]} " in made
    assert re.search(r'<img src="cards/\d\d.png" alt="[^"]{60}', made)
    with Image.open(tmp_path / "cards" / f"{path.name[:2]}.png") as picture:
        assert max(picture.size) <= 560


def test_the_chosen_picture_of_a_card_is_one_of_its_lesson():
    for path in ON_CARDS:
        cell, _ = card_picture(nbformat.read(path, as_version=4), path.name[:2])
        assert cell.id == PICTURES.get(path.name[:2], cell.id)


# ---- exercises, solutions, words -----------------------------------------------------------------


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_every_exercise_is_followed_by_its_solution_and_every_choice_has_its_replies(path):
    lesson = nbformat.read(path, as_version=4)
    tasks = re.findall(r"^#+ Exercise (\d\d\.\d+)", _text(lesson), flags=re.MULTILINE)
    with_choices(lesson)
    with_solutions(lesson, nbformat.read(path.parent / "solutions" / path.name, as_version=4))
    nbformat.validate(lesson)
    folded = re.findall(r"<summary>Solution of exercise (\d\d\.\d+)", _text(lesson))
    assert folded == tasks
    with_replies = re.findall(r'class="choice" id="choice-([\w.]+)"', _text(lesson))
    assert sorted(with_replies) == sorted(id for id in choices() if id[:2] == path.name[:2])
    assert len({cell.id for cell in lesson.cells}) == len(lesson.cells)


def _text(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_the_replies_lie_behind_the_options_of_their_question():
    options = "- **a** One\n  line more\n- **b** Two\n"
    cell = nbformat.v4.new_markdown_cell(f"### Exercise 06.2 ★\n\nWhich?\n\n{options}\nAnswer.")
    with_choices(nbformat.v4.new_notebook(cells=[cell]))
    first, _, rest = cell.source.partition("\n\n<script")
    assert first.endswith("- **b** Two")
    assert rest.endswith("</script>\n\nAnswer.")
    assert choices()["06.2"].replies["b"] in rest


def test_a_link_to_the_glossary_says_what_the_word_means():
    link = '<p><a class="x" href="glossary.html#odds-ratio"><span>ratio</span></a></p>'
    told = with_definitions(link)
    assert definitions()["odds-ratio"] in told
    assert 'aria-describedby="word-0"' in told
    assert with_definitions(link.replace("odds-ratio", "nonsense")).count("<span") == 1
    assert all(not re.search(r"\$|\*\*|\]\(", text) for text in definitions().values())
