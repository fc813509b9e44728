"""A mixed model drawn as a hierarchy: data model, process model, parameter model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from glmmtools.engine.problem import Problem
from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.families.lookup import family as look_up
from glmmtools.formula.grammar import parse_formula
from glmmtools.formula.response import Response
from glmmtools.formula.specification import specified_design
from glmmtools.report.equation import equation_layers
from glmmtools.shared import style
from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from glmmtools.model import FittedModel

_LAYERS = (
    ("Data model", "how the observations vary around their mean"),
    ("Process model", "what the mean depends on"),
    ("Parameter model", "where the random effects come from"),
)
_GREYS = ("0.90", "0.95", "0.90")
_LINE, _HEAD, _GAP = 0.34, 0.42, 0.32  # inches


def plot_hierarchy(
    model: FittedModel | str,
    layout: Any = None,
    family: str | Family = "normal",
    *,
    link: str | Link | None = None,
    trials: Any = 1,
    ax: Axes | None = None,
) -> Axes:
    """Draw a model as a hierarchy of data model, process model and parameter model.

    Parameters
    ----------
    model : FittedModel or str
        A fitted model, drawn with its estimated variances; or the formula of a model that is
        specified on a `layout`, which needs no response yet.
    layout : DataFrame, optional
        With a formula.
    family, link : optional
        With a formula, as in :func:`fit`.
    trials : int or array_like
        With a formula whose response is ``prop(y, n)`` and a layout without ``n``.
    ax : Axes, optional

    Returns
    -------
    Axes
        Three boxes; the arrows point from what is drawn first to what depends on it.

    Examples
    --------
    >>> import glmmtools as gt
    >>> layout = gt.designs.rcbd(["A", "B"], blocks=4)
    >>> ax = plot_hierarchy("y ~ treatment + (1 | block)", layout, "poisson")
    >>> len(ax.patches)
    5
    """
    check_arguments(plot_hierarchy, locals())
    if isinstance(model, str):
        if layout is None:
            raise ValueError(
                f"a formula needs the layout whose columns it names: "
                f"plot_hierarchy({model!r}, layout)"
            )
        distribution = look_up(family)
        response = Response.written(parse_formula(model).response)
        known = not response.function or set(response.new_columns()[1:]) <= set(layout.columns)
        given = None if known or not distribution.takes_trials else trials
        design = specified_design(model, layout, distribution, given)
        problem, notes = Problem(design, distribution, distribution.check_link(link)), []
    elif model.problem.clusters is not None:
        raise ValueError(
            "a population-averaged model is no hierarchy: nothing is drawn before the rows. Its "
            "equation() says what it assumes"
        )
    else:
        problem, notes = model.problem, _estimates(model)
    layers = equation_layers(problem, _mathtext)
    lines = [[f"{left} {right}".lstrip() for left, right in layer] for layer in layers]
    return _draw(lines, notes, ax)


def _mathtext(name: str) -> str:
    """A name inside a formula as Matplotlib reads it: other escapes than those of LaTeX."""
    escaped = re.sub(r"[\\{}$]", r"\\\g<0>", name)
    return rf"\text{{{escaped}}}"


def _estimates(model: FittedModel) -> list[str]:
    """The estimated variances, one line a grouping factor."""
    lines: dict[str, list[str]] = {}
    for row in model.variance_components.itertuples():
        name = "" if row.term in ("", "Intercept") else f" ({row.term})"
        lines.setdefault(row.group, []).append(f"{number(row.variance)}{name}")
    return [
        f"estimated variance, {group.replace('Residual', 'residual')}: {', '.join(values)}"
        for group, values in lines.items()
    ]


def _draw(layers: list[list[str]], notes: list[str], ax: Axes | None) -> Axes:
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    if not layers[-1]:
        layers = layers[:2]
    counts = [len(lines) for lines in layers]
    counts[-1] += 0.8 * len(notes)
    heights = [_HEAD + _LINE * count + 0.12 for count in counts]
    total = sum(heights) + _GAP * (len(layers) - 1)
    ax = style.new_axes(ax, (7.6, total + 0.2))
    top = total
    for position, (lines, height) in enumerate(zip(layers, heights, strict=True)):
        name, meaning = _LAYERS[position]
        ax.add_patch(
            FancyBboxPatch(
                (0.06, top - height + 0.04), 9.88, height - 0.08, boxstyle="round,pad=0.04",
                facecolor=_GREYS[position], edgecolor=style.INK, linewidth=1.0,
            )
        )  # fmt: skip
        ax.text(0.25, top - 0.24, name, weight="bold", va="center", fontsize=10)
        ax.text(9.75, top - 0.24, meaning, va="center", ha="right", fontsize=9, color="0.3")
        written = [(rf"${line}$", 12, "black") for line in lines]
        written += [(note, 9, "0.3") for note in notes] if position == len(layers) - 1 else []
        y = top - _HEAD - 0.14
        for line, size, color in written:
            ax.text(5.0, y, line, va="center", ha="center", fontsize=size, color=color)
            y -= _LINE if size == 12 else 0.8 * _LINE
        if position:
            ax.add_patch(
                FancyArrowPatch(
                    (5.0, top + 0.02), (5.0, top + _GAP - 0.02), arrowstyle="-|>",
                    mutation_scale=14, color=style.INK,
                )
            )  # fmt: skip
        top -= height + _GAP
    ax.set(xlim=(0, 10), ylim=(-0.05, total + 0.05))
    ax.set_axis_off()
    return ax
