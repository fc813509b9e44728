"""The lessons made for Colab install the course there, do nothing elsewhere, and run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from tests.environments import linked_environment
from tools import make_colab
from tools.learner_copies import CopyError, cleared
from tools.make_colab import from_colab, main, make

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
NAMES = [*(path.name for path in LESSONS), "glossary.ipynb"]

RUN = """
import sys, nbformat
from nbclient import NotebookClient
lesson = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(lesson, timeout=120).execute()
nbformat.write(lesson, sys.argv[1])
"""


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def test_every_lesson_is_made_and_differs_by_one_cell_below_its_title(tmp_path):
    make("https://example.org/course@main", tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == NAMES
    for path in LESSONS:
        title, cell, *rest = sources(tmp_path / path.name)
        assert [title, *rest] == [cell.source for cell in cleared(path).cells]
        assert '%pip install "glmmtools @ git+https://example.org/course@main" "formulaic==' in cell
    made = nbformat.read(tmp_path / LESSONS[0].name, as_version=4)
    assert not any(cell.get("outputs") for cell in made.cells)


def test_the_cell_does_nothing_anywhere_but_on_colab(tmp_path):
    make("https://example.org/course", tmp_path)
    cell = sources(tmp_path / LESSONS[0].name)[1]
    code = TransformerManager().transform_cell(cell)
    assert "get_ipython()" in code  # which would fail here
    exec(code, {})


def test_a_lesson_links_to_lessons_beside_it_and_to_all_else_on_github():
    lesson, github = LESSONS[0], "https://github.com/owner/course"
    assert from_colab(github, lesson, LESSONS[1].name) == LESSONS[1].name
    assert from_colab(f"{github}.git@v1", lesson, "../figures/herds.png") == (
        f"{github}/raw/v1/figures/herds.png"
    )
    assert from_colab(f"git+{github}", lesson, "../data/README.md") == (
        f"{github}/blob/HEAD/data/README.md"
    )
    with pytest.raises(CopyError, match=r"links to \.\./figures/herds\.png, and only on GitHub"):
        from_colab("https://example.org/course", lesson, "../figures/herds.png")


def test_the_address_that_opens_the_first_lesson_is_printed_with_the_line_that_publishes_it(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(make_colab, "make_anew", lambda *_: 0)
    monkeypatch.setattr(make_colab, "TARGET", tmp_path / "a folder")
    monkeypatch.setattr(sys, "argv", ["make_colab.py", "https://github.com/owner/course@main"])
    assert main() == 0
    printed = capsys.readouterr().out
    assert printed.endswith(f"/github/owner/course/blob/colab/{LESSONS[0].name}\n")

    make("https://github.com/owner/course@main", tmp_path / "a folder")
    publish = printed.partition("\n")[2].rpartition("&& git push")[0].rstrip(" \\\n")
    author = {
        f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    subprocess.run(["sh", "-c", publish], env={**os.environ, **author}, check=True)
    git = ["git", "-C", tmp_path / "a folder", "ls-tree", "--name-only", "colab"]
    published = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    assert published.split() == NAMES


@pytest.mark.parametrize("options", [[], ["github.com/a/b"], ["https://github.com/a/b/tree/main"]])
def test_an_address_from_which_pip_installs_nothing_is_answered_by_the_right_form(
    monkeypatch, capsys, options
):
    monkeypatch.setattr(sys, "argv", ["make_colab.py", *options])
    assert main() == 1
    assert 'make colab ARGS="https://github.com/OWNER/REPOSITORY@BRANCH"' in capsys.readouterr().out


@pytest.mark.slow
def test_on_a_machine_that_passes_for_colab_lessons_install_the_course_and_run(tmp_path):
    repository = tmp_path / "course"
    for part in ("glmmtools", "data"):
        shutil.copytree(ROOT / part, repository / part)
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, repository)
    git = ["git", "-C", repository, "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "The course"]):
        subprocess.run([*git, *command], check=True)

    packages = linked_environment(tmp_path / "machine", without=("glmmtools-",))
    (packages / "google" / "colab").mkdir(parents=True)
    (packages / "google" / "colab" / "__init__.py").touch()
    (packages / "colab.pth").write_text("import google.colab")
    python = tmp_path / "machine" / "bin" / "python"
    # Nothing but the course has to be fetched: setuptools is there. (0 is how pip reads "no".)
    closed = {**os.environ, "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}

    make(f"git+file://localhost{repository}", tmp_path / "lessons")
    printed = []
    for number in ("00", "05"):
        (lesson,) = (tmp_path / "lessons").glob(f"{number}-*")
        run = [python, "-c", RUN, lesson]
        subprocess.run(run, cwd=tmp_path, env=closed, check=True, timeout=120)
        outputs = [cell.get("outputs", []) for cell in nbformat.read(lesson, as_version=4).cells]
        printed.append("".join(out.get("text", "") for cell in outputs[1:4] for out in cell))
    assert "Successfully installed glmmtools-" in printed[0]
    assert printed[0].endswith("Everything is ready.\n")
    assert "install" not in printed[1]  # the second lesson finds the course
    assert (packages / "glmmtools" / "data" / "herds.csv").exists()
