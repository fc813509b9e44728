"""A learner's own copies: made once, never written over, unseen by git, named when left behind."""

from __future__ import annotations

import io
import json
import re
import runpy
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path
from unittest.mock import patch

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from tests.environments import course_that_is_set_up
from tools.learner_copies import cleared, links

ROOT = Path(__file__).resolve().parents[1]
LESSON = "05-fit-a-glmm.ipynb"
CODE = ("05", "06")  # the lessons that a test keeps whole
LINKED = (
    "[index](README.md), [solution](solutions/05-fit-a-glmm.ipynb), [next](06-model-counts.ipynb),"
    " ![a field](../figures/field.png), [data](../data/README.md#herds), [odd](<a%20b.ipynb>)"
)


def git(course: Path, *command: str) -> str:
    command = ("-c", "user.name=a", "-c", "user.email=a@example.org", *command)
    done = subprocess.run(["git", *command], cwd=course, check=True, capture_output=True, text=True)
    return done.stdout


def run(course: Path, *numbers: str) -> subprocess.CompletedProcess[str]:
    """The tool of that course, in this process: to load nbformat takes a second in another."""
    command, out, err = ["tools.my_course", *numbers], io.StringIO(), io.StringIO()
    with (
        patch.dict(sys.modules),
        patch.object(sys, "path", [str(course), *sys.path]),
        patch.object(sys, "argv", command),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        for name in [name for name in sys.modules if name.partition(".")[0] == "tools"]:
            del sys.modules[name]
        runpy.run_module("tools.my_course", run_name="__main__")
    return subprocess.CompletedProcess(command, ended.value.code, out.getvalue(), err.getvalue())


def lay_out(course: Path, *numbers: str) -> str:
    done = run(course, *numbers)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def change(path: Path, text: str = "A new sentence.") -> None:
    """Add a cell to a notebook."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_markdown_cell(text))
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def new_course(tmp_path_factory) -> Path:
    """A clone under git, in which all lessons but two are cut to their title."""
    folder = course_that_is_set_up(tmp_path_factory.mktemp("new") / "a course")
    for path in (folder / "notebooks").rglob("[0-9]*.ipynb"):
        if path.name[:2] not in CODE:
            nbformat.write(new_notebook(cells=[new_markdown_cell("# A title")]), path)
    (folder / "notebooks" / "a b.ipynb").write_bytes((folder / "notebooks" / LESSON).read_bytes())
    change(folder / "notebooks" / LESSON, LINKED)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "The course")
    return folder


@pytest.fixture(scope="module")
def new_copies(new_course, tmp_path_factory) -> Path:
    """The learner's copies, just laid out."""
    folder = tmp_path_factory.mktemp("laid out") / "a course"
    shutil.copytree(new_course, folder, symlinks=True)
    count = 1 + len([*(folder / "notebooks").rglob("[0-9]*.ipynb")])
    assert lay_out(folder) == f"my-course: {count} new copies of lessons, solutions and glossary\n"
    return folder / "my-course"


@pytest.fixture
def course(new_course, tmp_path) -> Path:
    """The course of one test."""
    return shutil.copytree(new_course, tmp_path / "a course", symlinks=True)


@pytest.fixture
def mine(new_copies, course) -> Path:
    """The copies of one test."""
    return shutil.copytree(new_copies, course / "my-course")


def test_there_is_a_copy_of_every_lesson_and_of_every_solution(course, mine):
    for folder in (".", "solutions"):
        wanted = [
            path.name for path in sorted((course / "notebooks" / folder).glob("[0-9]*.ipynb"))
        ]
        assert [path.name for path in sorted((mine / folder).glob("[0-9]*.ipynb"))] == wanted


def test_lessons_hold_no_output_and_solutions_keep_theirs(course, mine):
    for path in mine.rglob("*.ipynb"):
        copy = nbformat.read(path, as_version=4)
        stored = course / "notebooks" / path.relative_to(mine)
        source = cleared(stored) if path.parent == mine else nbformat.read(stored, as_version=4)
        outputs = [cell.outputs for cell in copy.cells if cell.cell_type == "code"]
        counts = [cell.execution_count for cell in copy.cells if cell.cell_type == "code"]
        assert any(outputs) == any(counts) == (path.parent != mine and path.name[:2] in CODE)
        for cell, other in zip(copy.cells, source.cells, strict=True):
            assert cell.source == other.source or "(README.md)" in other.source
            assert (cell.id, cell.metadata) == (other.id, other.metadata)


def test_links_lead_to_the_copies_of_notebooks_and_to_all_else_where_it_is(mine):
    assert list(links(nbformat.read(mine / LESSON, as_version=4)))[-6:] == [
        "../notebooks/README.md",
        "solutions/05-fit-a-glmm.ipynb",
        "06-model-counts.ipynb",
        "../figures/field.png",
        "../data/README.md",
        "../notebooks/a%20b.ipynb",
    ]


def test_git_sees_neither_the_copies_nor_what_jupyterlab_leaves_beside_them(course, mine):
    change(mine / LESSON, "My answer.")
    (mine / ".ipynb_checkpoints").mkdir()
    (mine / ".ipynb_checkpoints" / LESSON).touch()
    assert git(course, "status", "--porcelain") == ""


def test_what_a_learner_wrote_stays_when_copies_are_laid_out_again(course, mine):
    change(mine / LESSON, "My answer.")
    (mine / "06-model-counts.ipynb").unlink()
    before = (mine / LESSON).read_bytes()
    assert lay_out(course) == "my-course: 1 new copies of lessons, solutions and glossary\n"
    assert (mine / LESSON).read_bytes() == before
    assert lay_out(course) == ""


def test_a_lesson_that_has_changed_is_named_with_the_line_that_renews_it(course, mine):
    change(mine / LESSON, "My answer.")
    change(course / "notebooks" / LESSON)
    before = (mine / LESSON).read_bytes()
    named, line = lay_out(course).splitlines()
    assert named == f"Changed in the course since your copies were made: my-course/{LESSON}."
    assert line.endswith("keep yours under a name with the date: python -m tools.my_course 05")
    assert (mine / LESSON).read_bytes() == before

    command = line.partition(": ")[2].split()
    renewed = lay_out(course, *command[3:]).splitlines()
    kept = mine / f"05-fit-a-glmm-{date.today()}.ipynb"
    assert renewed[0] == f"Kept: my-course/{kept.name}"
    assert kept.read_bytes() == before
    assert nbformat.read(mine / LESSON, as_version=4).cells[-1].source == "A new sentence."
    assert lay_out(course) == ""


def test_the_line_names_the_python_of_the_course(course, mine):
    change(course / "notebooks" / LESSON)
    shown = "import sys; sys.executable = r'{}'; from tools.my_course import main; main()"
    command = [sys.executable, "-c", shown.format(course / ".venv" / "bin" / "python")]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(": .venv/bin/python -m tools.my_course 05\n")


def test_a_copy_renewed_twice_a_day_is_kept_twice(course, mine):
    for text in ("First.", "Second.", "Third."):
        change(mine / LESSON, text)
        lay_out(course, "5")
    stem = f"05-fit-a-glmm-{date.today()}"
    kept = [mine / f"{stem}{end}.ipynb" for end in ("", "-2", "-3")]
    lasts = [nbformat.read(path, as_version=4).cells[-1].source for path in kept]
    assert lasts == ["First.", "Second.", "Third."]


def test_a_copy_that_is_as_it_would_be_made_is_not_kept(course, mine):
    before = sorted(mine.rglob("*"))
    assert lay_out(course, "05", "06") == ""
    assert sorted(mine.rglob("*")) == before


def test_new_outputs_of_a_lesson_are_no_change_of_it(course, mine):
    path = course / "notebooks" / LESSON
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbformat.write(notebook, path)
    assert lay_out(course) == ""


@pytest.mark.parametrize("text", ["", "[]", '{"metadata": {}}', "answers"])
def test_a_file_that_is_no_copy_is_named_and_left_as_it_is(course, mine, text):
    (mine / LESSON).write_text(text)
    assert f"my-course/{LESSON}" in lay_out(course)
    assert (mine / LESSON).read_text() == text


def test_what_cannot_be_laid_out_is_said_in_one_line(course):
    (course / "my-course").touch()
    done = run(course)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "my-course" in done.stderr


def test_a_number_that_no_lesson_has_is_answered_by_those_there_are(course):
    done = run(course, "5", "99")
    assert done.returncode == 2
    assert "there is no lesson 99; the lessons are 00, 01, " in done.stderr


# ---- how a learner gets there --------------------------------------------------------------------


def test_make_lab_lays_the_copies_out_and_opens_the_first():
    lines = subprocess.run(
        ["make", "--dry-run", "lab"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"-m tools\.my_course\n.*-m jupyterlab.*my-course/00-", lines, re.DOTALL)


def test_make_clean_leaves_what_a_learner_wrote(course, mine):
    change(mine / LESSON, "My answer.")
    before = (mine / LESSON).read_bytes()
    subprocess.run(["make", "clean"], cwd=course, check=True, capture_output=True)
    assert (mine / LESSON).read_bytes() == before


OPENS = re.compile(r"(?:lab/tree/|\"openFiles\": \[\")([^\s\"`]+\.ipynb)")
STARTERS = ("Makefile", "README.md", "Dockerfile", ".devcontainer/devcontainer.json")


@pytest.mark.parametrize("name", [*STARTERS, "tools/make_offline.py"])
def test_whatever_starts_jupyterlab_first_lays_out_the_copies_that_it_opens(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    opened = OPENS.findall(text)
    assert opened
    for path in opened:
        assert Path(path).parent == Path("my-course")
        assert (ROOT / "notebooks" / Path(path).name).exists()
    starts = len(re.findall(r"/lab/tree/", text)) - text.count("mybinder.org")
    assert len(re.findall(r"-m tools\.my_course(?=$|\"| &&)", text, re.MULTILINE)) >= starts


def test_binder_lays_the_copies_out_and_the_readme_opens_the_first_there(course):
    """The commands of postBuild, but for the installation, in a clone."""
    script = (ROOT / ".binder" / "postBuild").read_text(encoding="utf-8")
    prefix = course / "prefix"
    programs = f"pip() {{ :; }}\npython() {{ '{sys.executable}' \"$@\"; }}\n"
    subprocess.run(
        ["sh", "-c", programs + script], cwd=course, check=True, env={"NB_PYTHON_PREFIX": prefix}
    )
    assert (course / "my-course" / LESSON).exists()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "mybinder.org/v2/gh/OWNER/REPOSITORY/BRANCH?urlpath=lab/tree/my-course/00-" in readme


def test_a_container_keeps_the_copies_of_the_host_out_and_its_own_in_a_volume():
    assert "my-course" in (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--volume my-course:/home/learner/course/my-course" in dockerfile
    assert "mkdir my-course && chown learner . my-course" in dockerfile


def test_the_devcontainer_waits_for_the_copies():
    settings = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert settings["postCreateCommand"].endswith("python -m tools.my_course")
    assert settings["waitFor"] == "postCreateCommand"
