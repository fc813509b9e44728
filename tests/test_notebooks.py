"""The notebooks keep the rules of tests/notebook_hygiene.py, and the gate can fail."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from glmmtools.course.check import exercises_of, lessons
from tests import notebook_hygiene as hygiene
from tests.notebook_hygiene import EVERY_NOTEBOOK, LESSON, SOLUTION, Notebook
from tools import execute_notebooks
from tools.execute_notebooks import difference, normalise, to_text

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))

PAIRS = [
    *[(path, check) for path in LESSONS for check in [*EVERY_NOTEBOOK, *LESSON]],
    *[(path, check) for path in SOLUTIONS for check in [*EVERY_NOTEBOOK, *SOLUTION]],
]


@pytest.mark.parametrize(
    ("path", "check"),
    PAIRS,
    ids=[f"{check.__name__}-{path.relative_to(ROOT / 'notebooks')}" for path, check in PAIRS],
)
def test_notebook_keeps_the_rule(path, check):
    assert list(check(Notebook.read(path))) == []


def test_every_lesson_has_one_solution_notebook_with_the_same_exercises():
    assert LESSONS, "there are no lessons"
    assert [path.name for path in SOLUTIONS] == [path.name for path in LESSONS]
    for lesson, solution in zip(LESSONS, SOLUTIONS, strict=True):
        problems = hygiene.same_exercises(Notebook.read(lesson), Notebook.read(solution))
        assert list(problems) == []


def test_every_exercise_of_the_package_is_asked_in_a_lesson_and_no_other():
    asked = [name for path in LESSONS for name in hygiene.exercises(Notebook.read(path))]
    known = [each.id for number in lessons() for each in exercises_of(number)]
    assert sorted(asked) == sorted(known)


# ---- the rules can fail --------------------------------------------------------------------------

HEADER = """# 05 · Fit a model

*15 minutes*

**What you will do.** Fit. **What you will learn.** How. **What you need.** Data."""
ENDING = """## Key points
One.
## Where this leaves you
Here.
## Further reading
Somebody (2020), [doi.org/10.1/1](https://doi.org/10.1/1)."""


def code(source: str, *outputs, **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def stream(text: str, name: str = "stdout"):
    return new_output("stream", name=name, text=text)


def shown(**data):
    return new_output("display_data", data={k.replace("_", "/", 1): v for k, v in data.items()})


def notebook(cells, reply: str) -> nbformat.NotebookNode:
    """A notebook that keeps every rule: the cells between a header and three exercises."""
    cells = [new_markdown_cell(HEADER), *cells]
    for i in (1, 2, 3):
        cells.append(new_markdown_cell(f"### Exercise 05.{i} ★"))
        cells.append(code(f'answer = ...\ngt.check("05.{i}", answer)', stream(reply)))
    cells.append(new_markdown_cell(ENDING))
    count = 0
    for cell in cells:
        if cell.cell_type == "code":
            cell.execution_count = count = count + 1
    return normalise(new_notebook(cells=cells), "05-fit.ipynb")


def lesson(*cells):
    return notebook(cells, "05: not answered yet.\n")


def solution(*cells):
    return notebook(cells, "✓ Right.\n")


def read(nb) -> Notebook:
    return Notebook("05-fit.ipynb", to_text(nb), nb.cells)


def edited(nb, i: int, **changes):
    nb.cells[i].update(changes)
    return nb


def without(nb, i: int):
    del nb.cells[i]
    return nb


def asking(text: str):
    return new_markdown_cell(text, metadata={"tags": ["question"]})


def further(cell):
    return nbformat.from_dict({**cell, "metadata": {"tags": ["further"]}})


SHOWS_ONE = code("1", shown(text_plain="1"))

BROKEN = [
    (hygiene.every_code_cell_ran, edited(lesson(), 2, execution_count=None)),
    (hygiene.every_code_cell_ran, edited(lesson(), 2, execution_count=7)),
    (hygiene.stored_as_the_writer_stores, edited(edited(lesson(), 2, id="05-a"), 4, id="05-a")),
    (hygiene.stored_as_the_writer_stores, edited(lesson(), 2, id="8d2c4f6e")),
    (hygiene.stored_as_the_writer_stores, edited(lesson(), 2, metadata={"scrolled": True})),
    (hygiene.nothing_on_stderr, lesson(code("x", stream("Warning: x\n", "stderr")))),
    (hygiene.no_error_outputs, lesson(code("x", new_output("error", ename="E", evalue="")))),
    (
        hygiene.no_widgets,
        lesson(code("x", shown(**{"application_vnd.jupyter.widget-view+json": {}}))),
    ),
    (hygiene.nothing_escapes_nbval, lesson(code("# NBVAL_IGNORE_OUTPUT\nx"))),
    (hygiene.nothing_escapes_nbval, lesson(code("x", tags=["nbval-ignore-output"]))),
    (hygiene.no_trailing_semicolon, lesson(code("plot(x);"))),
    (hygiene.no_trailing_semicolon, lesson(code("plot(x);  # no text"))),
    (hygiene.no_absolute_path, lesson(code('read("/home/me/x.csv")'))),
    (hygiene.no_absolute_path, lesson(code("x", stream(r"in C:\Users\me")))),
    (hygiene.no_absolute_path, lesson(code("x", shown(text_html="<p>/tmp/x.csv</p>")))),
    (hygiene.no_memory_address, lesson(code("x", stream("<Thing object at 0x7f0123>")))),
    (hygiene.no_shell_and_no_network, lesson(code("!ls"))),
    (hygiene.no_shell_and_no_network, lesson(code("%pip install x"))),
    (hygiene.no_shell_and_no_network, lesson(code('read("https://example.org/x.csv")'))),
    (hygiene.figures_have_alternative_text, lesson(code("plot()", shown(image_png="iVBO")))),
    (hygiene.figures_have_alternative_text, lesson(new_markdown_cell("![](figures/a.png)"))),
    (
        hygiene.numbers_in_the_text_are_shown_by_a_cell,
        lesson(code("fit()", stream("0.52")), new_markdown_cell("The estimate is 0.25.")),
    ),
    (
        hygiene.numbers_in_the_text_are_shown_by_a_cell,
        lesson(new_markdown_cell("There were 21 plates."), code("1"), code("print(21)")),
    ),
    (
        hygiene.minutes_are_those_of_the_formula,
        edited(lesson(), 0, source=HEADER.replace("15", "20")),
    ),
    (hygiene.header_is_complete, without(lesson(), 0)),
    (hygiene.header_is_complete, edited(lesson(), 0, source=HEADER.replace("05", "06"))),
    (hygiene.header_is_complete, edited(lesson(), 0, source=HEADER.replace("15 minutes", ""))),
    (hygiene.header_is_complete, edited(lesson(), 0, source=HEADER.replace("need", "want"))),
    (hygiene.ending_is_complete, without(lesson(), -1)),
    (hygiene.ending_is_complete, edited(lesson(), -1, source=ENDING.replace("doi", "x"))),
    (hygiene.code_cells_are_short, lesson(code("x = 1\n" * 13))),
    (hygiene.questions_are_tagged, lesson(new_markdown_cell("**Guess:** how many?"), SHOWS_ONE)),
    (hygiene.questions_are_tagged, lesson(asking("How many?"), SHOWS_ONE)),
    (hygiene.questions_come_before_what_answers_them, lesson(asking("**Guess:** how many?"))),
    (
        hygiene.questions_come_before_what_answers_them,
        lesson(asking("**Guess:** how many?"), code("x = 1")),
    ),
    (
        hygiene.what_reads_an_output_is_folded,
        lesson(code("f()", stream("0.52")), new_markdown_cell("It is 0.52.")),
    ),
    (
        hygiene.what_reads_an_output_is_folded,
        lesson(new_markdown_cell("Of nothing.", metadata={"tags": ["reading"]})),
    ),
    (hygiene.exercises_wait_for_an_answer, without(lesson(), 2)),
    (hygiene.exercises_wait_for_an_answer, solution()),
    (hygiene.exercises_wait_for_an_answer, edited(lesson(), 1, source="Exercise without stars")),
    (
        hygiene.core_reads_on_its_own,
        lesson(asking("**Guess:** how many?"), further(SHOWS_ONE), new_markdown_cell("One.")),
    ),
    (
        hygiene.core_reads_on_its_own,
        lesson(further(code("f()", stream("0.5"))), new_markdown_cell("It is 0.5.")),
    ),
    (hygiene.core_has_two_exercises, without(without(lesson(), 2), 3)),
    (hygiene.further_says_so, lesson(further(new_markdown_cell("## More")))),
    (
        hygiene.further_says_so,
        lesson(*(each for i in "abc" for each in (further(code(i)), code(i)))),
    ),
    (hygiene.further_says_so, lesson(further(new_markdown_cell("### Exercise 05.4 ★★")))),
    (hygiene.further_says_so, lesson(new_markdown_cell("### Exercise 05.4 ★★ (further)"))),
    (hygiene.answers_are_right, lesson()),
]


def test_a_good_notebook_passes_every_check():
    figure = code("plot()", shown(image_png="iVBO"), alt="A line that rises from 0 to 1.")
    question = asking("**Before\nyou look:** how many?")
    tagged = {"tags": ["reading"]}
    reading = [code("f()", stream("0.52")), new_markdown_cell("It is 0.52.", metadata=tagged)]
    more = [further(new_markdown_cell("## Further: why\n\nIt is 1.")), further(code("1"))]
    extra = [*reading, *more]
    for check in [*EVERY_NOTEBOOK, *LESSON]:
        assert list(check(read(lesson(question, SHOWS_ONE, figure, *extra)))) == []
    for check in [*EVERY_NOTEBOOK, *SOLUTION]:
        assert list(check(read(solution(figure)))) == []
    assert list(hygiene.same_exercises(read(lesson()), read(solution()))) == []


def test_numbers_that_cells_show_and_numbers_marked_as_facts_are_allowed_in_the_text():
    text = "In 2012, of $21$ plates (lesson 05) the share was 0.25, of `x[17]` 40 000 seeds."
    shown_above = code("fit()", stream("share 0.25"))
    set_below = code("simulate(40_000)")
    check = hygiene.numbers_in_the_text_are_shown_by_a_cell
    assert list(check(read(lesson(shown_above, new_markdown_cell(text), set_below)))) == []


@pytest.mark.parametrize(
    ("check", "nb"), BROKEN, ids=[f"{check.__name__}-{i}" for i, (check, _) in enumerate(BROKEN)]
)
def test_a_broken_notebook_is_found_by_its_check(check, nb):
    assert list(check(read(nb))) != []


def test_every_check_is_proven_able_to_fail():
    assert {check for check, _ in BROKEN} == {*EVERY_NOTEBOOK, *LESSON, *SOLUTION}


def test_an_exercise_without_solution_is_found():
    assert list(hygiene.same_exercises(read(lesson()), read(without(solution(), 2)))) != []


# ---- nbval and the writer can fail ---------------------------------------------------------------


def nbval(path: Path) -> subprocess.CompletedProcess:
    """Run nbval on one notebook exactly as `make test` does."""
    command = [sys.executable, "-m", "pytest", "-c", "tests/nbval.ini", "--rootdir=.", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_nbval_passes_a_lesson_and_finds_a_wrong_output_planted_in_it(tmp_path):
    copy = tmp_path / LESSONS[0].name
    copy.write_bytes(LESSONS[0].read_bytes())
    untouched = nbval(copy)
    assert untouched.returncode == 0, untouched.stdout

    nb = nbformat.read(copy, as_version=4)
    texts = [output for cell in nb.cells for output in cell.get("outputs", []) if "text" in output]
    texts[-1].text = texts[-1].text.replace("not answered", "answered")
    nbformat.write(nb, copy)
    planted = nbval(copy)
    assert planted.returncode == 1, planted.stdout
    assert "Cell outputs differ" in planted.stdout
    assert "1 failed" in planted.stdout


def test_the_writer_tells_texts_from_pictures():
    def nb(text, picture):
        return lesson(code("plot()", stream(text), shown(image_png=picture)))

    assert difference(to_text(nb("a", "iVBO")), nb("a", "iVBO")) == (0, "same")
    assert difference(to_text(nb("a", "iVBO")), nb("b", "iVBO"))[0] == 1
    assert difference(to_text(nb("a", "iVBO")), nb("a", "iVBP"))[0] == 2


def test_the_writer_names_a_notebook_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["execute_notebooks.py", "notebooks/99-nowhere.ipynb"])
    with pytest.raises(SystemExit):
        execute_notebooks.main()
    assert "there is no such notebook" in capsys.readouterr().err


def has_the_locked_versions() -> bool:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = ("numpy", "scipy", "pandas", "statsmodels", "matplotlib", "seaborn")
    return all(f"\n{name}=={metadata.version(name)} " in lock for name in names)


@pytest.mark.slow
@pytest.mark.skipif(
    not has_the_locked_versions(), reason="bytes are compared under the locked versions only"
)
def test_stored_outputs_are_what_the_writer_makes():
    """Of a lesson and its solution: nbval compares the texts of all, and fast tests the rest."""
    pair = [str(path) for path in (ROOT / "notebooks").rglob("05-*.ipynb")]
    command = [sys.executable, "tools/execute_notebooks.py", "--check", *pair]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    # 2: only pictures differ, as they may with another processor's arithmetic.
    assert done.returncode in (0, 2), done.stderr
