"""The copies of the lessons show no answer before a cell is run, and lead where lessons lead."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.environments import course_that_is_set_up
from tools import learner_copies
from tools.learner_copies import (
    CopyError,
    after_questions,
    change_links,
    cleared,
    folded,
    linked_file,
    links,
    readings,
    write,
)

ROOT = Path(__file__).resolve().parents[1]

OPENING = f"{learner_copies.OPENING}\n\n"
LINKS = """\
![herds](../figures/herds.png "Herds"), [the same](<../figures/herds.png>),
[data](../data/README.md#herds), [a solution](solutions/99-links.ipynb),
<img src="../figures/herds.svg">, [the next][5].

[5]: 05-fit-a-glmm.ipynb

Not links: [a page](https://example.org/a.png), [below](#below), $E[y](x)$, `a[i](j)`,
```
a[i](j)
```
"""
LED_TO = [
    "../figures/herds.png",
    "../figures/herds.png",
    "../data/README.md",
    "solutions/99-links.ipynb",
    "../figures/herds.svg",
    "05-fit-a-glmm.ipynb",
]


def lesson(text: str) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_markdown_cell(text), new_code_cell("1 + 1")])


def contents(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A copy of the repository, set up, with one more lesson that is full of links."""
    folder = course_that_is_set_up(tmp_path_factory.mktemp("a course"))
    nbformat.write(lesson(LINKS), folder / "notebooks" / "99-links.ipynb")
    solution = lesson("[a picture](../../figures/field.png)")
    nbformat.write(solution, folder / "notebooks" / "solutions" / "99-links.ipynb")
    return folder


@pytest.fixture(scope="module")
def before(course) -> dict[Path, bytes]:
    return contents(course / "notebooks")


@pytest.fixture(scope="module")
def copies(course, before) -> Path:
    """What `make learner` makes, where an older copy lies."""
    stale = course / "build" / "learner" / "notebooks" / "04-an-old-name.ipynb"
    stale.parent.mkdir(parents=True)
    stale.touch()
    subprocess.run(["make", "learner", "ARGS="], cwd=course, check=True)
    return course / "build" / "learner"


def test_make_learner_copies_every_lesson_and_no_other(course, copies):
    wanted = {path.name for path in (course / "notebooks").glob("*.ipynb")}
    assert "05-fit-a-glmm.ipynb" in wanted
    assert {path.name for path in (copies / "notebooks").glob("*.ipynb")} == wanted


def test_make_learner_leaves_the_lessons_as_they_are_byte_for_byte(course, before, copies):
    assert contents(course / "notebooks") == before


def unfolded(cell: dict) -> dict:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        source = source.removeprefix(OPENING).replace("\n\n</details>", "")
    return {**cell, "source": re.sub(r"\s+", " ", source).strip()}


def test_the_copies_hold_no_output_fold_what_reads_one_and_differ_in_nothing_else(course, copies):
    dropped = 0
    for path in (copies / "notebooks").rglob("*.ipynb"):
        stored = json.loads((course / path.relative_to(copies)).read_text(encoding="utf-8"))
        for cell in stored["cells"]:
            if cell["cell_type"] == "code":
                dropped += len(cell["outputs"])
                cell["outputs"], cell["execution_count"] = [], None
        copy = json.loads(path.read_text(encoding="utf-8"))
        for notebook in (copy, stored):
            notebook["cells"] = [unfolded(cell) for cell in notebook["cells"]]
        assert copy == stored, path.name
    assert dropped > 100


FOLDED = {
    "Nine.": f"{OPENING}Nine.\n\n</details>",
    "Nine.\n\n- all\n\n## Next": f"{OPENING}Nine.\n\n- all\n\n</details>\n\n## Next",
    "Nine.\n\nNow\nred. **Before\nyou look:** how?\n\n## Next": (
        f"{OPENING}Nine.\n\n</details>\n\nNow\nred. **Before\nyou look:** how?\n\n## Next"
    ),
    "Nine.\n\nTen.\n\nNow **guess**. **Guess** why.": (
        f"{OPENING}Nine.\n\nTen.\n\n</details>\n\nNow **guess**. **Guess** why."
    ),
    "Nine. **Guess:** how?\n\n**Guess** why.": (
        f"{OPENING}Nine.\n\n</details>\n\n**Guess:** how?\n\n**Guess** why."
    ),
    "## Next\n\nText": "## Next\n\nText",
    "### Exercise 1 #2": "### Exercise 1 #2",
}


@pytest.mark.parametrize("text", FOLDED)
def test_what_reads_an_output_is_folded_up_to_the_next_question_or_heading(text):
    assert folded(text) == FOLDED[text]


def test_no_copy_shows_what_reads_an_output_unfolded(copies):
    count = 0
    for path in (copies / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for codes, _ in after_questions(notebook):
            assert not any(cell.outputs for cell in codes)
        for text in readings(notebook):
            assert text.source.startswith((OPENING, "#")), text.id
            count += 1
    assert count > 250


def test_links_of_the_copies_lead_to_what_the_lessons_link_to(course, copies):
    found = 0
    for path in (copies / "notebooks").rglob("*.ipynb"):
        for link in links(nbformat.read(path, as_version=4)):
            file = (path.parent / link).resolve()
            assert file.is_relative_to(copies)
            original = course / file.relative_to(copies)
            assert file.suffix == ".ipynb" or file.read_bytes() == original.read_bytes()
            found += 1
    assert found > 50


def test_links_are_found_in_every_form_and_not_in_code_formulas_or_addresses():
    assert list(links(lesson(LINKS))) == LED_TO


def test_a_change_of_links_changes_nothing_else():
    notebook = lesson(LINKS)
    change_links(notebook, str.upper)
    assert list(links(notebook)) == [link.upper() for link in LED_TO]
    change_links(notebook, dict(zip(map(str.upper, LED_TO), LED_TO, strict=True)).get)
    assert notebook.cells[0].source == LINKS


@pytest.mark.parametrize("text", ["", "a,b\n1,2", "[1]", "{}", '{"nbformat": 3, "worksheets": []}'])
def test_what_is_no_notebook_is_named(tmp_path, text):
    path = tmp_path / "notes.ipynb"
    path.write_text(text)
    with pytest.raises(CopyError, match=r"notes\.ipynb is not a notebook of version 4: \S"):
        cleared(path)


def test_a_link_that_leads_nowhere_or_out_of_the_course_is_named(tmp_path):
    (tmp_path / "secret.txt").touch()
    with pytest.raises(CopyError, match=r"05\.ipynb links to \.\./gone\.png, and there is no such"):
        linked_file(ROOT / "notebooks" / "05.ipynb", "../gone.png")
    with pytest.raises(CopyError, match=r"links to secret\.txt, which is not in the folder"):
        linked_file(tmp_path / "05.ipynb", "secret.txt")


def test_no_copy_is_written_over_a_lesson():
    with pytest.raises(CopyError, match="would replace a lesson"):
        write(lesson(""), ROOT / "notebooks" / "solutions" / "99-new.ipynb")
    assert not (ROOT / "notebooks" / "solutions" / "99-new.ipynb").exists()
