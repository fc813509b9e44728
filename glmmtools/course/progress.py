"""`progress`: which checks of which lesson passed on this machine."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from glmmtools.course.check import exercises_of, lessons, others_of
from glmmtools.course.solved import SWITCH, how_to_forget, is_kept, solved
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.tables import hands_out_copies


@hands_out_copies("frame")
@dataclass(frozen=True, repr=False)
class ProgressReport(Shown):
    """Which checks passed, lesson by lesson.

    Attributes
    ----------
    frame : DataFrame
        One row a lesson: how many checks `passed`, of how many, and which are `left`.
    dates : dict
        When each check passed for the first time.
    """

    frame: pd.DataFrame
    dates: dict[str, str]

    def _content(self) -> Content:
        passed, of = self.frame["passed"].sum(), self.frame["of"].sum()
        note = how_to_forget() if is_kept() else f"Nothing is kept: {SWITCH} is off."
        title = f"Progress: {passed} of {of} checks passed on this machine"
        table = self.frame.assign(left=self.frame["left"].map(_in_words)).reset_index()
        return Content(title, tables=[("", table)], notes=[note])


def progress() -> ProgressReport:
    """Show which checks of which lesson passed on this machine.

    `check` remembers what passes in a small file in the folder that the system has for a user's
    data. Nothing leaves the machine; ``GLMMTOOLS_PROGRESS=off`` in the environment keeps nothing.

    Returns
    -------
    ProgressReport

    Examples
    --------
    >>> progress().frame[["passed", "of"]].loc[["00"]]
            passed  of
    lesson
    00           0   1
    """
    dates = solved()
    rows = {}
    for lesson in lessons():
        ids = [each.id for each in (*others_of(lesson), *exercises_of(lesson))]
        left = [id for id in ids if id not in dates]
        rows[f"{lesson:02d}"] = {"passed": len(ids) - len(left), "of": len(ids), "left": left}
    return ProgressReport(pd.DataFrame.from_dict(rows, orient="index").rename_axis("lesson"), dates)


def _in_words(left: list[str]) -> str:
    """The numbers within the lesson of the checks that are left."""
    return ", ".join(id.partition(".")[2] for id in left) or "–"
