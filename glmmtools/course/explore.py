"""Explorers: pictures with sliders, drawn by :mod:`glmmtools.course.explorer_plots`.

Where widgets cannot run (a script, a notebook that is executed unattended, the environment
variable ``GLMMTOOLS_STATIC`` set to anything but 0) the picture at the starting values is drawn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glmmtools.course import installation
from glmmtools.course.explorer_plots import (
    TIMES,
    draw_covariance,
    draw_distribution,
    draw_link,
    draw_shrinkage,
    drawn_structures,
)
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
    what : {"distribution", "link", "shrinkage", "covariance"}
        The picture.
    choice : str, optional
        The family, the link, or the structure of the covariance to begin with.
    **start : float
        Starting values: ``mu, phi, df, trials, n`` of a distribution (those it has), ``intercept,
        slope`` of a link, ``groups, size, ratio`` of shrinkage, ``rho, residual`` of a covariance.

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
    from IPython.display import display

    display(panel(what, choice, **start))
    return None


def panel(what: str, choice: str | None = None, **start: float) -> Widget:
    """Return the sliders and the picture as one widget; another choice renews the sliders."""
    import ipywidgets

    explorer = EXPLORERS[what]
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
    import ipywidgets

    controls = {}
    for name, slider in explorer.sliders(*chosen).items():
        kind = ipywidgets.IntSlider if isinstance(slider.step, int) else ipywidgets.FloatSlider
        value = start.get(name, slider.start)
        # a picture a step, not one a pixel: the mouse is released, or an arrow key pressed
        controls[name] = kind(
            value=value, min=min(slider.low, value), max=max(slider.high, value), step=slider.step,
            description=slider.label, continuous_update=False,
            style={"description_width": "14em"}, layout={"width": "34em"},
        )  # fmt: skip

    def draw(**values: float) -> None:
        explorer.draw(*chosen, **values)

    return (*controls.values(), ipywidgets.interactive_output(draw, controls))


# ------------------------------------------------------------------------------ what there is


def _distribution_sliders(name: str) -> dict[str, Slider]:
    chosen = family(name)
    values = chosen.example
    low, high = {-float("inf"): (-20.0, 20.0), 0.0: (0.1, 20.0)}[chosen.mean_interval[0]]
    if chosen.mean_interval[1] == 1:
        low, high = 0.01, 0.99
    sliders = {"mu": Slider("mean μ", low, high, min(0.1, low) if low > 0 else 0.5, values["mu"])}
    if "phi" in values:
        sliders["phi"] = Slider("dispersion φ", 0.05, 4 * values["phi"], 0.05, values["phi"])
    if "df" in values:
        sliders["df"] = Slider("degrees of freedom ν", 2.1, 30.0, 0.1, values["df"])
    if "trials" in values:
        sliders["trials"] = Slider("trials N", 1, 50, 1, values["trials"])
    sliders["n"] = Slider("draws n", 10, 2000, 10, 200)
    return sliders


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
    """A drawing function, its sliders, and what can be chosen from a menu.

    The choice to begin with is the default of the first argument of the drawing function.
    """

    draw: Callable[..., Any]
    sliders: Callable[..., dict[str, Slider]]
    menu: str = ""
    options: Callable[[], Collection[str]] = tuple

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
}
