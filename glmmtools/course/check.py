"""`check`: is an answer to an exercise right, and if not, what went wrong?"""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

from glmmtools.course import exercises
from glmmtools.course.exercises.gaps import GAP, GAPS
from glmmtools.course.exercises.kinds import Choice, Exercise, in_short
from glmmtools.course.exercises.recall import QUESTIONS
from glmmtools.course.installation import in_attended_notebook
from glmmtools.course.solved import remember
from glmmtools.shared.terminal import in_lines, say

RIGHT, WRONG = "✓", "✗"


def check(id: str, answer: Any = ...) -> None:
    """Print whether `answer` solves the exercise, or what went wrong.

    A text of the learner's own is answered with what to look for in it, and a good answer. What
    passes is remembered for `progress`; the first time a second line says where.

    Parameters
    ----------
    id : str
        Lesson and number, as written in the lesson: ``"05.1"``; ``"05.r1"`` is a question on the
        lesson before, ``"05.g1"`` a line with gaps.
    answer : object
        A number, also as text or the only one of a list, an array or a table; the letter of a
        choice; a text; or the line with its gaps filled. ``...`` and ``___`` are not answered yet.
        No answer raises an error.

    Examples
    --------
    >>> check("00.1", ...)
    00.1 is not answered yet: replace the ... by your answer and run the cell again.
    >>> check("00.1", "fifty-six")
    ✗ The answer to 00.1 is a number; this is text. Write the number alone, without quotes.
    """
    reply = _reply(id, answer)
    say(in_lines(reply) if in_attended_notebook() else reply)


def _reply(id: Any, answer: Any) -> str:
    exercise = _find(id)
    if isinstance(exercise, str):
        return f"{WRONG} {exercise}"
    if answer is ... or (isinstance(answer, str) and answer.strip() in ("", "...", "…")):
        wanted = "a letter in quotes" if isinstance(exercise, Choice) else "your answer"
        todo = f"replace the ... by {wanted} and run the cell again."
        return f"{exercise.id} is not answered yet: {todo}"
    if isinstance(answer, str) and GAP in answer:
        return f"{exercise.id} is not answered yet: fill each {GAP} and run the cell again."
    is_right, text = exercise.judge(answer)
    told = remember(exercise.id) if is_right else None
    return "\n".join(filter(None, (f"{RIGHT if is_right else WRONG} {text}", told)))


def _find(id: Any) -> Exercise | str:
    """The exercise, or a sentence that says which there are."""
    match = re.fullmatch(r"\s*(\d{1,2})\.([rg]?)(\d{1,2})\s*", id) if isinstance(id, str) else None
    if match is None:
        return f'Exercises are named in quotes, lesson and number: "05.1". Got {in_short(id)}.'
    lesson, wanted = int(match[1]), f"{int(match[1]):02d}.{match[2]}{int(match[3])}"
    if lesson not in lessons():
        known = ", ".join(f"{number:02d}" for number in lessons())
        return f"There is no exercise {wanted}. Lessons with exercises: {known}."
    by_id = {each.id: each for each in (*exercises_of(lesson), *others_of(lesson))}
    return by_id.get(wanted) or (
        f"There is no exercise {wanted}. Lesson {lesson:02d} has {', '.join(by_id)}."
    )


def lessons() -> list[int]:
    """Numbers of the lessons that have exercises."""
    names = (module.name for module in pkgutil.iter_modules(exercises.__path__))
    return sorted(int(name.removeprefix("lesson")) for name in names if name.startswith("lesson"))


def exercises_of(lesson: int) -> tuple[Exercise, ...]:
    """Exercises of one lesson, in order."""
    return importlib.import_module(f"{exercises.__name__}.lesson{lesson:02d}").EXERCISES


def others_of(lesson: int) -> tuple[Exercise, ...]:
    """Questions of one lesson on the one before, and its line with gaps."""
    return tuple(each for each in (*QUESTIONS, *GAPS) if each.id.startswith(f"{lesson:02d}."))
