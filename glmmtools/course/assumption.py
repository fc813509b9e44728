"""The chart of lesson 04, from a response to the distribution to start with, and its panel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glmmtools.course.explorer_panel import Screen
from glmmtools.families.distribution_plots import plot_distribution
from glmmtools.families.lookup import family
from glmmtools.shared.style import REFERENCE, label_axes, new_panels, series

if TYPE_CHECKING:
    from ipywidgets import Widget
    from matplotlib.axes import Axes

Families = tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A question, and where each answer leads: to another question, or to families."""

    text: str
    answers: dict[str, Question | Families]


CHART = Question(
    "Is the response counted or measured?",
    {
        "counted": Question(
            "Is there a total that a count cannot exceed?",
            {
                "known total": ("binomial", "beta_binomial"),
                "no total": Question(
                    "Among rows of one mean, how does the variance compare with it?",
                    {
                        "variance = mean": ("poisson",),
                        "variance > mean": ("negative_binomial", "nbinom1"),
                        "variance < mean": ("genpois",),
                    },
                ),
            },
        ),
        "measured": Question(
            "Which values are possible?",
            {
                "far from bounds": ("normal", "t"),
                "above 0": ("gamma", "lognormal"),
                "between 0 and 1": ("beta",),
            },
        ),
    },
)


def paths(question: Question = CHART) -> Iterator[tuple[tuple[str, ...], Families]]:
    """Every way through the chart: its answers, and the families at its end."""
    for answer, following in question.answers.items():
        if isinstance(following, Question):
            yield from (((answer, *others), end) for others, end in paths(following))
        else:
            yield (answer,), following


def first_families() -> Families:
    """The family to start with at the end of each path."""
    return tuple(families[0] for _, families in paths())


def answers_to(name: str) -> tuple[str, ...]:
    """The answers that lead to a family."""
    return next(answers for answers, families in paths() if name in families)


def draw_assumption(name: str = "binomial") -> np.ndarray:
    """Draw the chart with the path to a family, and the family.

    Examples
    --------
    >>> left, right = draw_assumption("gamma")
    >>> right.get_title(loc="left")
    'start with gamma; then lognormal'
    """
    return draw_path(answers_to(name))


def draw_path(answers: tuple[str, ...]) -> np.ndarray:
    """Draw the chart with the answers so far in colour, and the family where they end."""
    left, right = axes = new_panels(1, 2, (11, 3.8), width_ratios=[1.7, 1])[0]
    _draw_chart(left, answers)
    ends = dict(paths())
    if answers not in ends:
        right.set_axis_off()
        return axes
    first, *others = ends[answers]
    plot_distribution(first, ax=right)
    then = f"; then {' or '.join(others)}" if others else ""
    label_axes(right, title=f"start with {first}{then}")
    return axes


def _draw_chart(ax: Axes, answers: tuple[str, ...]) -> None:
    every = list(paths())
    depth = max(len(path) for path, _ in every)
    rows = {path: row for row, (path, _) in enumerate(every)}

    def place(path: tuple[str, ...]) -> tuple[float, float]:
        below = [row for full, row in rows.items() if full[: len(path)] == path]
        return float(len(path)), float(np.mean(below))

    def box(x: float, y: float, text: str, on_path: bool) -> None:
        look = {"boxstyle": "round", "facecolor": "white"}
        look |= {"edgecolor": series(1).color if on_path else REFERENCE}
        look |= {"linewidth": 2 if on_path else 1}
        ax.text(x, y, text, ha="center", va="center", fontsize=9, bbox=look, zorder=3)

    def line(start: tuple[float, float], end: tuple[float, float], on_path: bool) -> None:
        look = (series(1).color, 2) if on_path else (REFERENCE, 1)
        ax.plot(*zip(start, end, strict=True), color=look[0], linewidth=look[1], zorder=1)

    box(*place(()), "response", True)
    for path, families in every:
        for level in range(1, len(path) + 1):
            part, whole = path[:level], path[: level - 1]
            on_path = answers[:level] == part
            line(place(whole), place(part), on_path)
            box(*place(part), part[-1], on_path)
        end = depth + 1.0, place(path)[1]
        line(place(path), end, answers == path)
        box(*end, "\n".join(families), answers == path)
    ax.set_label(f"chart: {', '.join(('response', *answers))}")  # what a picture's alt text says
    ax.set(xlim=(-0.5, depth + 1.6), ylim=(len(every) - 0.4, -0.6))
    ax.set_axis_off()


def assumption_panel(start: str | None = None) -> Widget:
    """The questions one after another with a button for each answer, above the chart."""
    import ipywidgets

    screen = Screen(draw_path)
    question, buttons, picture = ipywidgets.HTML(), ipywidgets.HBox(), ipywidgets.HTML()

    def go_to(answers: tuple[str, ...]) -> None:
        asked: Question | Families = CHART
        for answer in answers:
            asked = asked.answers[answer]
        here = asked.answers if isinstance(asked, Question) else {}
        end = "" if here else f"Start with {family(asked[0]).title}. It is a place to start only."
        question.value = f"<p>{asked.text if here else end}</p>"
        steps = {answer: (*answers, answer) for answer in here}
        if answers:
            steps |= {"← back": answers[:-1]}
        buttons.children = [_button(text, lambda to=to: go_to(to)) for text, to in steps.items()]
        screen.forget()
        picture.value = screen.show(answers=answers)

    go_to(())
    return ipywidgets.VBox([question, buttons, picture])


def _button(text: str, press) -> Widget:
    import ipywidgets

    button = ipywidgets.Button(description=text, layout={"width": "auto"})
    button.on_click(lambda _: press())
    return button
