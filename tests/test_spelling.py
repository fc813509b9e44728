"""Every word of the course is in the dictionary of pyspellchecker or in tests/words.txt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from spellchecker import SpellChecker

from glmmtools.course.check import exercises_of, lessons
from glmmtools.course.exercises.kinds import Choice, Judgement
from tests.notebook_hygiene import Notebook, plain

ROOT = Path(__file__).resolve().parents[1]
OWN_WORDS = ROOT / "tests" / "words.txt"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("data", "notebooks", "figures", "benchmarks")),
]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("[0-9g]*.ipynb"))
WORD = re.compile(r"(?<![\w@.\-/])[^\W\d_]{2,}(?:['’][^\W\d_]+)*(?![\w@/])")


@pytest.fixture(scope="module")
def dictionary() -> SpellChecker:
    checker = SpellChecker()
    checker.word_frequency.load_words(OWN_WORDS.read_text(encoding="utf-8").split())
    return checker


def unknown_words(text: str, dictionary: SpellChecker) -> list[str]:
    """Words of the prose that the dictionary lacks; symbols with capitals inside are left out."""
    words = (re.sub(r"['’]s?$", "", word).replace("’", "'") for word in WORD.findall(plain(text)))
    prose = {word for word in words if word.islower() or word.istitle()}
    return sorted(dictionary.unknown(prose))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_notebook_is_spelled_right(path, dictionary):
    cells = Notebook.read(path).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    texts += [cell.metadata.get("alt", "") for cell in cells]
    assert unknown_words("\n\n".join(texts), dictionary) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_page_is_spelled_right(path, dictionary):
    assert unknown_words(path.read_text(encoding="utf-8"), dictionary) == []


@pytest.mark.parametrize("number", lessons())
def test_replies_of_the_exercises_are_spelled_right(number, dictionary):
    texts: list[str] = []
    for exercise in exercises_of(number):
        if isinstance(exercise, Choice):
            texts += exercise.replies.values()
        elif isinstance(exercise, Judgement):
            texts += [*exercise.points, exercise.model()]
        else:
            texts += [exercise.because, exercise.hint, *exercise.slips().values()]
    assert unknown_words("\n\n".join(texts), dictionary) == []


def test_a_misspelling_is_found_and_code_and_formulas_are_not_read(dictionary):
    text = "The varience of `teh` plates, $\\sigma_recieve$, in [a page](teh.md)."
    assert unknown_words(text, dictionary) == ["varience"]


def test_own_words_are_sorted_once_each_and_none_is_in_the_dictionary_already():
    words = OWN_WORDS.read_text(encoding="utf-8").split()
    assert words == sorted(set(words))
    assert SpellChecker().known(words) == set()
