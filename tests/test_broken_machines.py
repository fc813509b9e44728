"""What a learner reads where an installation is broken: environments that lack what they name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.environments import linked_environment

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


class Course:
    """A copy of the course with an environment of its own: links to the packages of this one."""

    def __init__(self, folder: Path):
        self.folder = folder
        for part in ("glmmtools", "data"):
            shutil.copytree(ROOT / part, folder / part)
        shutil.copy(ROOT / "requirements.lock", folder)
        (folder / ".git").mkdir()
        self.packages = self.environment(".venv")

    def environment(self, name: str) -> Path:
        packages = linked_environment(self.folder / name)
        (packages / "course.pth").write_text(str(self.folder))
        return packages

    def remove(self, package: str) -> None:
        found = [*self.packages.glob(package), *self.packages.glob(f"{package}-*.dist-info")]
        assert found
        for path in found:
            path.unlink()

    def empty(self, file: str) -> None:
        """Leave a file without content, as a download that stopped does."""
        package = self.packages / file.split("/")[0]
        content = package.resolve()
        package.unlink()
        shutil.copytree(content, package, copy_function=os.symlink)
        (found,) = self.packages.glob(file)
        found.unlink()
        found.touch()

    def claim(self, package: str, version: str) -> None:
        """Let an installed package say that it is of another version."""
        (path,) = self.packages.glob(f"{package}-*.dist-info")
        text = (path / "METADATA").read_text()
        path.unlink()
        path.mkdir()
        (path / "METADATA").write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", text))

    def run(self, environment: str = ".venv", encoding: str = "utf-8") -> tuple[str, str]:
        """What `python -m glmmtools` prints, and the last lines of what it ends with."""
        done = subprocess.run(
            [self.folder / environment / "bin" / "python", "-m", "glmmtools"],
            cwd=self.folder.parent,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            encoding=encoding,
        )
        assert (done.returncode == 0) == done.stdout.endswith("Everything is ready.\n")
        return done.stdout, done.stderr.partition("ImportError: ")[2]

    @property
    def pip(self) -> str:
        return f"run: {self.folder}/.venv/bin/python -m pip install"


@pytest.fixture
def course(tmp_path) -> Course:
    return Course(tmp_path / "course")


def faults(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("✗")]


def test_the_copy_is_well_before_it_is_broken(course):
    assert course.run()[0].endswith("Everything is ready.\n")


def test_faults_that_leave_the_package_running_are_all_named(course):
    course.remove("seaborn")
    course.remove("jupyterlab")
    course.claim("joblib", "1.0")
    (course.folder / "data" / "oats.csv").unlink()
    with (course.folder / "data" / "herds.csv").open("a") as file:
        file.write("1,2,3,4\n")
    printed, _ = course.run()
    git = f'run: git -C "{course.folder}" checkout -- data'
    assert faults(printed) == [
        f'✗ joblib 1.0 is installed, the course needs >=1.4 — {course.pip} "joblib>=1.4"',
        f'✗ seaborn is not installed — {course.pip} "seaborn>=0.13.2"',
        f'✗ jupyterlab is not installed — {course.pip} "jupyterlab>=4.3"',
        f"✗ data: herds.csv is not as the course delivers it — {git}",
        f"✗ data: oats.csv is missing — {git}",
    ]
    assert printed.endswith("Not ready yet: mend the lines with ✗ (5).\n")


def test_without_a_package_that_it_imports_the_package_names_it_and_nothing_else(course):
    course.remove("formulaic")
    printed, error = course.run()
    assert printed == ""
    assert error.splitlines() == [
        "glmmtools does not run here",
        f'✗ formulaic is not installed — {course.pip} "formulaic>=1.1"',
    ]


def test_without_a_package_that_another_package_needs_that_one_is_named(course):
    course.remove("dateutil")
    for path in course.packages.glob("python_dateutil-*"):
        path.unlink()
    (line,) = faults(course.run()[1])
    assert line.startswith(f'✗ python-dateutil is not installed — {course.pip} "python-dateutil>=')


def test_a_damaged_library_is_named_with_the_line_that_brings_it_back(course):
    course.empty("scipy/special/_ufuncs.*.so")
    (line,) = faults(course.run()[1])
    assert line.startswith("✗ scipy is installed but does not work: ImportError: ")
    assert re.search(r' -m pip install --force-reinstall --no-deps "scipy==[\d.]+"$', line)


def test_a_damaged_engine_is_named_once_and_the_other_one_is_tried(course):
    course.empty("statsmodels/robust/_qn*.so")
    printed, _ = course.run()
    (line,) = faults(printed)
    assert line.startswith("✗ statsmodels is installed but does not work: ImportError: ")
    assert "✓ engine laplace gives the known fit" in printed


def test_the_wrong_python_is_told_from_a_broken_one(course):
    course.packages = course.environment("other")
    course.remove("pandas")
    (line,) = faults(course.run("other")[1])
    assert line == (
        f"✗ this is {course.folder}/other/bin/python, and the course was set up for another Python"
        f" — run: {course.folder}/.venv/bin/python -m glmmtools"
    )


def test_an_error_of_our_own_stays_what_it_is(course):
    with (course.folder / "glmmtools" / "families" / "links.py").open("a") as file:
        file.write("\nraise NameError('a slip of ours')\n")
    done = subprocess.run(
        [course.folder / ".venv" / "bin" / "python", "-c", "import glmmtools"],
        cwd=course.folder,
        capture_output=True,
        text=True,
    )
    assert done.stderr.endswith("NameError: a slip of ours\n")


def test_an_output_without_ticks_and_crosses_is_still_an_answer(course):
    printed, _ = course.run(encoding="cp1252")
    assert printed.startswith("ok Python is new enough\n")
    assert printed.endswith("Everything is ready.\n")
