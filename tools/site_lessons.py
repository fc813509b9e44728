"""What a lesson's page has beyond its notebook: solutions below exercises, choices to click, words.

A solution is folded. The options of a question become buttons by site/_static/choices.js, which
reads the right letter and the replies from the page; without it they are a list. A link to the
glossary shows what the word means.
"""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape

import nbformat
from nbformat import NotebookNode

from glmmtools.course.check import exercises_of, lessons, others_of
from glmmtools.course.exercises.kinds import Choice
from tools.learner_copies import GLOSSARY

EXERCISE = re.compile(r"^#+ Exercise (\d\d\.\d+)\b", re.MULTILINE)
OPTIONS = re.compile(r"(?:^ *- \*\*[a-z]\*\* .*\n?(?: +\S.*\n?|^\n(?= *- \*\*))*)+", re.MULTILINE)
RECALL = re.compile(r"gt\.check\(\"(\d\d\.r\d)\"")
TO_GLOSSARY = re.compile(
    r'(<a [^>]*href="(?:\.\./)*(?:notebooks/)?glossary\.html#([\w-]+)"[^>]*)>(.*?)</a>'
)


# ---- solutions -----------------------------------------------------------------------------------


def solved(solutions: NotebookNode) -> dict[str, list[NotebookNode]]:
    """For each exercise the cells that solve it, without the task."""
    found: dict[str, list[NotebookNode]] = {}
    cells = None
    for cell in solutions.cells:
        if cell.cell_type == "markdown" and (task := EXERCISE.search(cell.source)):
            cells = found.setdefault(task[1], [])
        elif cell.cell_type == "markdown" and cell.source.startswith("#"):
            cells = None
        elif cells is not None:
            cells.append(cell)
    return found


def with_solutions(lesson: NotebookNode, solutions: NotebookNode) -> None:
    """Put each solution below its exercise, folded."""
    answers, cells = solved(solutions), []
    for cell in lesson.cells:
        cells.append(cell)
        if cell.cell_type == "code":
            for exercise in answers:
                if f'gt.check("{exercise}"' in cell.source:
                    cells += _folded(exercise, answers[exercise])
    lesson.cells = cells


def _folded(exercise: str, cells: list[NotebookNode]) -> list[NotebookNode]:
    name = f"solution-{exercise.replace('.', '-')}"
    begins = f'<details class="solution"><summary>Solution of exercise {exercise}</summary>'
    for number, cell in enumerate(cells):
        cell.id = f"{name}-{number}"
    return [
        nbformat.v4.new_markdown_cell(begins, id=name),
        *cells,
        nbformat.v4.new_markdown_cell("</details>", id=f"{name}-end"),
    ]


# ---- choices -------------------------------------------------------------------------------------


@cache
def choices() -> dict[str, Choice]:
    """Every exercise and question whose answer is a letter."""
    every = (each for number in lessons() for each in (*exercises_of(number), *others_of(number)))
    return {each.id: each for each in every if isinstance(each, Choice)}


def with_choices(lesson: NotebookNode) -> None:
    """Put the right letter and the replies behind the options of each question."""
    exercise = None  # its task may take several cells
    for cell, after in zip(lesson.cells, [*lesson.cells[1:], None], strict=True):
        if cell.cell_type != "markdown":
            exercise = None if "gt.check(" in cell.source else exercise
            continue
        exercise = EXERCISE.search(cell.source) or exercise
        asked = [exercise[1]] if exercise else RECALL.findall(after.source) if after else []
        asked = [each for each in asked if each in choices()]
        options = OPTIONS.findall(cell.source)
        if len(asked) == len(options) > 0:
            told = iter(map(_with_replies, options, asked))
            cell.source = OPTIONS.sub(lambda _, told=told: next(told), cell.source)


def _with_replies(options: str, id: str) -> str:
    choice = choices()[id]
    told = json.dumps({"right": choice.right, "replies": choice.replies}, ensure_ascii=False)
    told = told.replace("<", "\\u003c")
    indent = re.match(" *", options)[0]
    kind = 'type="application/json" class="choice"'
    return f'{options.rstrip()}\n\n{indent}<script {kind} id="choice-{id}">{told}</script>\n'


# ---- words ---------------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    """The address that MyST gives to a heading of the glossary."""
    return re.sub(r"[^\w\- ]", "", heading.lower().replace(" ", "-"))


@cache
def definitions() -> dict[str, str]:
    """What each word of the glossary means, as HTML, by its anchor."""
    found = {}
    for cell in nbformat.read(GLOSSARY, as_version=4).cells[1:]:
        heading, _, text = cell.source.partition("\n\n")
        text = re.sub(r"\[Lesson \d\d\]\([^)]*\)\.?\s*$", "", text)
        found[anchor(heading.removeprefix("## "))] = as_html(text)
    return found


def as_html(text: str) -> str:
    """A paragraph of the glossary: bold, code and formulas; links as text."""
    html = escape(" ".join(text.split()), quote=False)
    html = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", html)
    math = r'<span class="math notranslate nohighlight">\\(\1\\)</span>'
    html = re.sub(r"\$([^$]+)\$", math, html)
    html = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html)
    html = re.sub(r"\*([^*\s][^*]*)\*", r"<em>\1</em>", html)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html)


def with_definitions(body: str) -> str:
    """A page's HTML in which what a word means stands behind each link to the glossary."""
    seen = iter(range(body.count("glossary.html#")))

    def told(link: re.Match[str]) -> str:
        meaning = definitions().get(link[2])
        if meaning is None:
            return link[0]
        name = f"word-{next(seen)}"
        return (
            f'{link[1]} aria-describedby="{name}">{link[3]}</a>'
            f'<span class="definition" role="tooltip" id="{name}">{meaning}</span>'
        )

    return TO_GLOSSARY.sub(told, body)
