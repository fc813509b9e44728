"""`preflight` says the same on every healthy machine, and names what is wrong on another."""

import importlib
import re
from importlib import metadata
from types import SimpleNamespace

import matplotlib
import pytest

from glmmtools.course import datasets

# the name glmmtools.preflight belongs to the function
preflight = importlib.import_module("glmmtools.course.preflight")

HEALTHY = """\
✓ Python is new enough
✓ every package is installed in a version that fits
✓ engine laplace gives the known fit
✓ engine statsmodels gives the known fit
✓ the data sets are there
✓ Matplotlib draws, Greek letters too
Everything is ready.
"""


@pytest.fixture
def lines(capsys):
    """Run the preflight; return the lines it printed."""

    def run():
        assert preflight.preflight() is None
        printed, errors = capsys.readouterr()
        assert errors == ""
        return printed.splitlines()

    return run


@pytest.fixture(autouse=True)
def clone(tmp_path, monkeypatch):
    """A clone without an environment: what is said does not hang on how this copy was set up."""
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(preflight.installation, "CLONE", tmp_path)
    return tmp_path


def only_fault(lines, mend="run: "):
    """The one line with a fault, and what mends it; the others are well, and the last counts."""
    faults = [line for line in lines if line.startswith("✗")]
    assert len(faults) == 1, lines
    assert re.search(rf" — {mend}\S+", faults[0])
    assert lines[-1] == "Not ready yet: mend the lines with ✗ (1)."
    return faults[0]


def test_a_healthy_machine_prints_these_lines_and_no_others(lines):
    assert "\n".join(lines()) + "\n" == HEALTHY


@pytest.mark.parametrize(
    ("folder", "static"), [("notebooks", "0"), ("my-course", "0"), ("notebooks", "1")]
)
def test_who_runs_a_stored_lesson_is_sent_to_her_own_copy(
    lines, clone, monkeypatch, folder, static
):
    (clone / folder).mkdir()
    monkeypatch.chdir(clone / folder)
    notebook = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(preflight.sys.modules, "IPython", notebook)
    monkeypatch.setenv("GLMMTOOLS_STATIC", static)
    *healthy, last = lines()
    if (folder, static) == ("notebooks", "0"):
        assert "your own copy in the folder my-course" in last
    else:
        assert [*healthy, last] == HEALTHY.splitlines()


def test_an_old_python_is_named_and_nothing_else_is_tried(lines, monkeypatch):
    monkeypatch.setattr(preflight.sys, "version_info", (3, 10, 4))
    first, last = lines()
    assert first.startswith("✗ Python 3.10.4 is too old — install Python 3.11 or newer")
    assert last == "Not ready yet: mend the lines with ✗ (1)."


def test_the_oldest_python_is_that_of_the_package():
    oldest = ".".join(map(str, preflight.OLDEST_PYTHON))
    assert metadata.metadata("glmmtools")["Requires-Python"] == f">={oldest}"


def test_inside_a_notebook_the_line_is_a_magic(monkeypatch):
    line = preflight.installation.pip_install
    monkeypatch.delitem(preflight.sys.modules, "IPython", raising=False)
    for python, typed in {"/a/python3": "/a/python3", "/a b/python3": '"/a b/python3"'}.items():
        monkeypatch.setattr(preflight.sys, "executable", python)
        assert line("scipy") == f"run: {typed} -m pip install scipy"
    shell = SimpleNamespace(kernel=object())
    notebook = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(preflight.sys.modules, "IPython", notebook)
    assert line("scipy") == "run: %pip install scipy, then restart the kernel"


def test_of_a_folder_copied_by_hand_nothing_but_the_name_is_known(monkeypatch):
    def unknown(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(preflight.installation, "CLONE", None)
    monkeypatch.setattr(metadata, "distribution", unknown)
    line = preflight.installation.set_up_again()
    assert line.endswith('pip install --force-reinstall "glmmtools"')


def test_optional_packages_are_not_asked_for(lines, monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: ["no-such-package>=1; extra == 'test'"])
    assert "\n".join(lines()) + "\n" == HEALTHY


def test_an_engine_that_gives_another_fit_is_named(lines, monkeypatch):
    formula, known = preflight.KNOWN_LOGLIK["laplace"]
    monkeypatch.setitem(preflight.KNOWN_LOGLIK, "laplace", (formula, known + 0.01))
    fault = only_fault(lines())
    assert fault.startswith(
        "✗ engine laplace gives a log-likelihood of -16.8383, known is -16.8283"
    )


def test_a_font_without_greek_letters_is_named(lines, monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "font.family", ["cmr10"])
    assert "lacks Greek letters" in only_fault(lines())


@pytest.fixture
def broken_data(monkeypatch):
    def broken():
        raise RuntimeError("something\nin two lines")

    monkeypatch.setattr(datasets, "data_index", broken)


def test_whatever_else_is_broken_becomes_one_line_and_the_other_checks_go_on(
    lines, broken_data, clone
):
    fault = only_fault(lines())
    mend = f'run: git -C "{clone}" checkout -- data'
    assert fault == f"✗ data: RuntimeError: something in two lines — {mend}"
    assert "✓ Matplotlib draws, Greek letters too" in lines()


def test_a_course_that_came_without_git_is_not_sent_to_git(lines, broken_data, clone):
    (clone / ".git").rmdir()
    fault = only_fault(lines(), mend="download the course again ")
    assert "git" not in fault.partition(" — ")[2]
