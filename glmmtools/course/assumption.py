"""The chart of lesson 04, from a response to the distribution to start with, and its panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glmmtools.course.explorer_panel import Screen
from glmmtools.families.distribution_plots import plot_distribution
from glmmtools.families.lookup import FAMILIES, family
from glmmtools.shared.style import REFERENCE, label_axes, new_panels, series

if TYPE_CHECKING:
    from ipywidgets import Widget
    from matplotlib.axes import Axes

Path = tuple[str, ...]  # answers, from the first question on

QUESTIONS: dict[Path, str] = {
    (): "Is the response counted or measured?",
    ("counted",): "Is there a total that a count cannot exceed?",
    ("counted", "no total"): "Among rows of one mean, how does the variance compare with it?",
    ("measured",): "Which values are possible?",
}


def paths() -> dict[Path, list[str]]:
    """The names of the families at the end of each way through the chart.

    Examples
    --------
    >>> paths()["counted", "known total"]
    ['binomial', 'betabinomial']
    """
    ends: dict[Path, list[str]] = {}
    for name, one in FAMILIES.items():
        if one.chart:
            ends.setdefault(one.chart, []).append(name)
    return ends


def answers_to_question(path: Path) -> list[str]:
    """What can be answered where a path has led; nothing at its end."""
    beyond = [end[len(path)] for end in paths() if end[: len(path)] == path and end != path]
    return list(dict.fromkeys(beyond))


def first_families() -> tuple[str, ...]:
    """The family to start with at the end of each path."""
    return tuple(first for first, *_ in paths().values())


def draw_assumption(name: str | None = None) -> np.ndarray:
    """Draw the chart with the path to a family, by default the first, and the family.

    Examples
    --------
    >>> left, right = draw_assumption("gamma")
    >>> right.get_title(loc="left")
    'start with gamma; then lognormal'
    """
    return draw_path(family(name or first_families()[0]).chart)


def draw_path(answers: Path) -> np.ndarray:
    """Draw the chart with the answers so far in colour, and the family where they end."""
    left, right = axes = new_panels(1, 2, (11, 3.8), width_ratios=[1.7, 1])[0]
    _draw_chart(left, answers)
    ends = paths()
    if answers not in ends:
        right.set_axis_off()
        return axes
    first, *others = ends[answers]
    plot_distribution(first, ax=right)
    then = f"; then {' or '.join(others)}" if others else ""
    label_axes(right, title=f"start with {first}{then}")
    return axes


def _draw_chart(ax: Axes, answers: Path) -> None:
    every = paths()
    depth = max(map(len, every))
    rows = {path: row for row, path in enumerate(every)}

    def place(path: Path) -> tuple[float, float]:
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
    for path, families in every.items():
        for level in range(1, len(path) + 1):
            part, whole = path[:level], path[: level - 1]
            on_path = answers[:level] == part
            line(place(whole), place(part), on_path)
            box(*place(part), part[-1], on_path)
        end = depth + 1.3, place(path)[1]
        line(place(path), end, answers == path)
        box(*end, "\n".join(families), answers == path)
    ax.set_label(f"chart: {', '.join(('response', *answers))}")  # what a picture's alt text says
    ax.set(xlim=(-0.4, depth + 1.9), ylim=(len(every) - 0.4, -0.6))
    ax.set_axis_off()


def assumption_panel(start: str | None = None) -> Widget:
    """The questions one after another with a button for each answer, above the chart."""
    import ipywidgets

    screen = Screen(draw_path)
    question, buttons, picture = ipywidgets.HTML(), ipywidgets.HBox(), ipywidgets.HTML()

    def go_to(path: Path) -> None:
        steps = {answer: (*path, answer) for answer in answers_to_question(path)}
        if steps:
            text = QUESTIONS.get(path, "Which of these?")
        else:
            first = family(paths()[path][0]).title
            text = f"Start with {first}. It is a place to start, not a verdict."
        question.value = f"<p>{text}</p>"
        if path:
            steps |= {"← back": path[:-1]}
        buttons.children = [_button(text, lambda to=to: go_to(to)) for text, to in steps.items()]
        screen.forget()
        picture.value = screen.show(answers=path)

    go_to(family(start).chart if start else ())
    return ipywidgets.VBox([question, buttons, picture])


def _button(text: str, press) -> Widget:
    import ipywidgets

    button = ipywidgets.Button(description=text, layout={"width": "auto"})
    button.on_click(lambda _: press())
    return button
