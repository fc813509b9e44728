"""Checks that passed are remembered on this machine, and no fault of that stops a check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date

import pytest

import glmmtools as gt
from glmmtools.course import solved
from glmmtools.course.check import exercises_of, lessons, others_of


@pytest.fixture
def file(monkeypatch, tmp_path):
    """The file of one test, in a folder that is not there yet."""
    place = tmp_path / "a folder" / "progress.json"
    monkeypatch.setattr(solved, "file", lambda: place)
    monkeypatch.delenv(solved.SWITCH)
    return place


def check(capsys, id: str, answer) -> str:
    gt.check(id, answer)
    return capsys.readouterr().out


@pytest.fixture
def right():
    """The answer to 00.1."""
    return len(gt.load_data("herds"))


def test_what_passes_is_written_with_its_date_and_what_fails_is_not(file, capsys, right):
    check(capsys, "00.1", right + 1)
    check(capsys, "00.1", ...)
    assert not file.exists()
    check(capsys, "00.1", right)
    assert json.loads(file.read_text()) == {"00.1": str(date.today())}


def test_where_it_is_kept_is_told_once_with_how_to_forget_it(file, capsys, right):
    verdict, told = check(capsys, "00.1", right).splitlines()
    assert verdict.startswith("✓ ")
    assert f"delete the file {file}" in told
    assert "gt.progress()" in told and "GLMMTOOLS_PROGRESS=off" in told
    assert len(check(capsys, "00.1", right).splitlines()) == 1
    assert solved.remember("05.1") is None  # another check, the same file


def test_the_first_date_stays(file, capsys, right):
    file.parent.mkdir()
    file.write_text('{"00.1": "2020-01-01"}')
    check(capsys, "00.1", right)
    assert gt.progress().dates == {"00.1": "2020-01-01"}


@pytest.mark.parametrize("off", ["off", "OFF", "0", "no", "false"])
def test_a_switch_keeps_nothing(file, capsys, right, monkeypatch, off):
    monkeypatch.setenv(solved.SWITCH, off)
    assert len(check(capsys, "00.1", right).splitlines()) == 1
    assert not file.exists()
    assert "GLMMTOOLS_PROGRESS is off" in repr(gt.progress())


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '{"00.1": 3}', "[" * 100_000, "\ufeff{}"])
def test_a_broken_file_is_begun_anew(file, capsys, right, text):
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    assert gt.progress().dates == {}
    assert check(capsys, "00.1", right).startswith("✓ ")
    assert gt.progress().dates == {"00.1": str(date.today())}


@pytest.mark.parametrize("obstacle", ["the folder is a file", "the file is a folder"])
def test_a_place_that_cannot_be_written_is_passed_over_in_silence(file, capsys, right, obstacle):
    (file.parent if obstacle == "the folder is a file" else file / "x").parent.mkdir(
        parents=True, exist_ok=True
    )
    if obstacle == "the folder is a file":
        file.parent.touch()
    reply = check(capsys, "00.1", right)
    assert reply.startswith("✓ ") and reply.count("\n") == 1
    assert gt.progress().frame["passed"].sum() == 0


def test_progress_counts_every_check_of_every_lesson(file):
    solved.remember("05.1")
    solved.remember("05.r2")
    frame = gt.progress().frame
    assert list(frame.index) == [f"{lesson:02d}" for lesson in lessons()]
    for lesson, row in zip(lessons(), frame.itertuples(), strict=True):
        ids = {each.id for each in (*exercises_of(lesson), *others_of(lesson))}
        assert row.of == len(ids)
        assert set(row.left) == ids - {"05.1", "05.r2"}
        assert row.passed == (2 if lesson == 5 else 0)


def test_progress_is_shown_as_text_and_as_html(file):
    solved.remember("00.1")
    shown = gt.progress()
    of = shown.frame["of"].sum()
    for text in (repr(shown), shown._repr_html_()):
        assert f"1 of {of} checks passed" in text
        assert "r1, r2, r3" in text
        assert str(file) in text
    assert "<table" in shown._repr_html_()


def test_a_check_of_a_lesson_that_is_gone_does_not_count(file):
    file.parent.mkdir()
    file.write_text('{"77.1": "2020-01-01"}')
    assert gt.progress().frame["passed"].sum() == 0


def test_the_file_lies_in_the_folder_for_the_data_of_users(tmp_path):
    ask = "from glmmtools.course.solved import file; print(file())"
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    command = [sys.executable, "-c", ask]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("progress.json")
    if sys.platform == "linux":
        assert done.stdout == f"{tmp_path / 'glmmtools' / 'progress.json'}\n"


def test_programs_that_write_outputs_keep_nothing():
    from tools.execute_notebooks import KERNEL_ENVIRONMENT

    assert KERNEL_ENVIRONMENT[solved.SWITCH] == "off"
    assert os.environ[solved.SWITCH] == "off"  # by tests/conftest.py
