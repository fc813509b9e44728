"""Explorers: pictures with sliders, drawn by :mod:`glmmtools.course.explorer_plots`.

Where widgets cannot run (a script, a notebook that is executed unattended, the environment
variable ``GLMMTOOLS_STATIC`` set to anything but 0) the picture at the starting values is drawn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from glmmtools.course import installation
from glmmtools.course.assumption import assumption_panel, draw_assumption, first_families
from glmmtools.course.explorer_panel import NAME_SLIDERS, sliders_and_picture
from glmmtools.course.explorer_plots import (
    TIMES,
    draw_cluster,
    draw_covariance,
    draw_distribution,
    draw_link,
    draw_shrinkage,
    drawn_structures,
)
from glmmtools.course.match import candidates, draw_match
from glmmtools.families.links import LINKS
from glmmtools.families.lookup import FAMILIES, family
from glmmtools.shared.arguments import shown
from glmmtools.shared.text import listed, nearest

if TYPE_CHECKING:
    from ipywidgets import Widget


@dataclass(frozen=True)
class Slider:
    """One number: label, range, step (an int for whole numbers) and where it starts."""

    label: str
    low: float
    high: float
    step: float
    start: float


def explore(what: str = "distribution", choice: str | None = None, **start: float) -> Any:
    """Show a picture with sliders; without widgets, the picture at its starting values.

    A slider that has the focus (Tab) is moved with the arrow keys. Where widgets cannot run, or the
    environment variable ``GLMMTOOLS_STATIC`` is set, give the values as arguments instead.

    Parameters
    ----------
    what : {"distribution", "link", "shrinkage", "covariance", "cluster", "match", "assumption"}
        The picture. ``"cluster"`` shows what the random effect of one cluster does to a
        probability. ``"match"`` asks for the distribution that made a sample. ``"assumption"``
        leads by questions from a response to a family.
    choice : str, optional
        The family, the link, or the structure of the covariance to begin with.
    **start : float
        Starting values: ``mu, phi, df, trials, n`` of a distribution (those it has), ``intercept,
        slope`` of a link, ``groups, size, ratio`` of shrinkage, ``rho, residual`` of a covariance,
        ``probability, shift`` of a cluster, ``sample, mu, phi`` of a match.

    Returns
    -------
    array of two Axes, or None where the sliders show themselves

    Raises
    ------
    ValueError
        If there is no such explorer, choice or starting value.

    Examples
    --------
    >>> left, right = explore("link", "log", slope=0.5)
    >>> left.get_title(loc="left")
    'link scale: η = 1 + 0.5 x'
    """
    if not isinstance(what, str) or what not in EXPLORERS:
        raise ValueError(
            f"there is no explorer {shown(what)}{nearest(what, EXPLORERS)}; "
            f"valid: {listed(EXPLORERS)}"
        )
    explorer = EXPLORERS[what]
    chosen = explorer.checked(choice)
    valid = explorer.sliders(*chosen)
    for name in start:
        if name not in valid:
            raise ValueError(
                f"the {what} explorer{' of ' if chosen else ''}{''.join(chosen)} has no "
                f"{name!r}{nearest(name, valid)}; valid: {listed(valid)}"
            )
    if not installation.in_attended_notebook():
        return explorer.draw(*chosen, **start)
    from IPython.display import Javascript, display

    display(panel(what, choice, **start), Javascript(NAME_SLIDERS))
    return None


def panel(what: str, choice: str | None = None, **start: float) -> Widget:
    """Return the sliders and the picture as one widget; another choice renews the sliders."""
    import ipywidgets

    explorer = EXPLORERS[what]
    if explorer.panel is not None:
        return explorer.panel(*(explorer.checked(choice) if choice else ()))
    if not explorer.choices:
        return ipywidgets.VBox(_controls_and_picture(explorer, (), start))
    (first,) = explorer.checked(choice)
    menu = ipywidgets.Dropdown(
        options=list(explorer.choices), value=first, description=explorer.menu,
        style={"description_width": "14em"}, layout={"width": "34em"},
    )  # fmt: skip
    below = ipywidgets.VBox(_controls_and_picture(explorer, (first,), start))

    def renew(change) -> None:
        below.children = _controls_and_picture(explorer, (change["new"],), {})

    menu.observe(renew, names="value")
    return ipywidgets.VBox([menu, below])


def _controls_and_picture(explorer: Explorer, chosen: tuple[str, ...], start: dict) -> tuple:
    return sliders_and_picture(partial(explorer.draw, *chosen), explorer.sliders(*chosen), start)


# ------------------------------------------------------------------------------ what there is


def _distribution_sliders(name: str) -> dict[str, Slider]:
    chosen = family(name)
    values = chosen.example
    low, high = {-float("inf"): (-20.0, 20.0), 0.0: (0.1, 3 * values["mu"])}[
        chosen.mean_interval[0]
    ]
    if chosen.mean_interval[1] == 1:
        low, high = 0.01, 0.99
    sliders = {"mu": Slider("mean μ", low, high, min(0.1, low) if low > 0 else 0.5, values["mu"])}
    sliders |= _shape_sliders(values)
    if "trials" in values:
        sliders["trials"] = Slider("trials N", 1, 50, 1, values["trials"])
    sliders["n"] = Slider("draws n", 10, 2000, 10, 200)
    return sliders


def _shape_sliders(values: dict[str, float]) -> dict[str, Slider]:
    sliders = {}
    if "phi" in values:
        sliders["phi"] = Slider("dispersion φ", 0.05, 4 * values["phi"], 0.05, values["phi"])
    if "df" in values:
        sliders["df"] = Slider("degrees of freedom ν", 2.1, 30.0, 0.1, values["df"])
    return sliders


def _match_sliders(name: str) -> dict[str, Slider]:
    chosen = family(name)
    low, high = (0.01, 0.99) if chosen.mean_interval[1] == 1 else (0.1, 20.0)
    mu = Slider("mean μ", low, high, 0.01 if high < 1 else 0.1, chosen.example["mu"])
    return {"sample": Slider("sample number", 1, 20, 1, 1), "mu": mu} | _shape_sliders(
        chosen.example
    )


def _cluster_sliders() -> dict[str, Slider]:
    return {
        "probability": Slider("probability where u = 0", 0.02, 0.98, 0.01, 0.3),
        "shift": Slider("shift u (log-odds)", -3.0, 3.0, 0.1, 1.0),
    }


def _link_sliders(name: str) -> dict[str, Slider]:
    intercept, slope = LINKS[name].usual_line
    return {
        "intercept": Slider("intercept", intercept - 4, intercept + 4, 0.1, intercept),
        "slope": Slider("slope", -2.0, 2.0, 0.05, slope),
    }


def _shrinkage_sliders() -> dict[str, Slider]:
    return {
        "groups": Slider("groups", 2, 40, 1, 10),
        "size": Slider("observations in each", 1, 50, 1, 4),
        "ratio": Slider("variance between / within", 0.0, 4.0, 0.05, 0.5),
    }


def _covariance_sliders(structure: str) -> dict[str, Slider]:
    kind, sliders = drawn_structures()[structure], {}
    if kind.has_rho:
        low = round(kind.at_times(TIMES).lowest_rho + 0.05, 2)
        sliders["rho"] = Slider("correlation ρ", low, 0.95, 0.05, 0.7)
    return sliders | {"residual": Slider("residual variance", 0.0, 2.0, 0.05, 0.25)}


@dataclass(frozen=True)
class Explorer:
    """A drawing function, its sliders, what can be chosen from a menu, or a panel of its own.

    The choice to begin with is the default of the first argument of the drawing function.
    """

    draw: Callable[..., Any]
    sliders: Callable[..., dict[str, Slider]]
    menu: str = ""
    options: Callable[[], Collection[str]] = tuple
    panel: Callable[..., Widget] | None = None

    @property
    def choices(self) -> tuple[str, ...]:
        """What can be chosen by now: families and structures may be registered at any time."""
        return tuple(self.options())

    def checked(self, choice: str | None) -> tuple[str, ...]:
        """The choice as the leading arguments of the drawing function."""
        choices = self.choices
        if not choices:
            if choice is not None:
                raise ValueError(f"this explorer has nothing to choose from; got {choice!r}")
            return ()
        if choice is None:
            return (next(iter(inspect.signature(self.draw).parameters.values())).default,)
        if self.menu == "family":
            choice = family(choice).name
        if not isinstance(choice, str) or choice not in choices:
            raise ValueError(
                f"there is no {self.menu} {shown(choice)}{nearest(choice, choices)}; "
                f"valid: {listed(choices)}"
            )
        return (choice,)


EXPLORERS = {
    "distribution": Explorer(draw_distribution, _distribution_sliders, "family", FAMILIES.keys),
    "link": Explorer(draw_link, _link_sliders, "link", LINKS.keys),
    "shrinkage": Explorer(draw_shrinkage, _shrinkage_sliders),
    "covariance": Explorer(draw_covariance, _covariance_sliders, "structure", drawn_structures),
    "cluster": Explorer(draw_cluster, _cluster_sliders),
    "match": Explorer(draw_match, _match_sliders, "family", candidates),
    "assumption": Explorer(
        draw_assumption, lambda _: {}, "family", first_families, assumption_panel
    ),
}
