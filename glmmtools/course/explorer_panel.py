"""The widgets of an explorer: a menu, sliders, and one picture that follows them.

The axes only grow while an explorer is open, so that a curve that moves is seen to move, and the
picture before the last change stays behind it in grey.
"""

from __future__ import annotations

import asyncio
import base64
import html
import io
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D

from glmmtools.shared.style import REFERENCE, series

if TYPE_CHECKING:
    from ipywidgets import Widget

Limits = tuple[tuple[float, float], tuple[float, float]]

PAUSE = 0.05  # seconds in which further steps of a slider that is dragged are taken together
OWN_LIMITS = "own limits"  # the gid of axes that neither grow nor keep what they were
REST = 1.0  # seconds without a step, after which what is seen is the ghost of what follows
SLACK = 0.25  # of the range, added where axes must grow, so that the next step needs no room
MARGIN = 0.1  # of the range, within which an end moves no farther than it must

# ipywidgets' sliders have a label that a screen reader does not find.
NAME_SLIDERS = """(() => {
  const name = () => document.querySelectorAll(
    '.widget-hslider .noUi-handle:not([aria-label])').forEach(handle => {
      const label = handle.closest('.widget-hslider').querySelector('.widget-label');
      if (label) handle.setAttribute('aria-label', label.textContent);
    });
  name();
  if (window.glmmtoolsNamesSliders) return;
  window.glmmtoolsNamesSliders = new MutationObserver(name);
  window.glmmtoolsNamesSliders.observe(document.body, {childList: true, subtree: true});
})();"""


class Screen:
    """One picture that is drawn again and again, as an ``<img>``.

    Parameters
    ----------
    draw : callable
        Draws a new figure at the values of the sliders and returns its Axes.
    rooms : iterable of dict
        Values at which the axes must hold the picture from the beginning.
    """

    def __init__(self, draw: Callable[..., Iterable[Axes]], rooms: Iterable[dict] = ()) -> None:
        self._draw = draw
        self._rooms = list(rooms)
        self.forget()

    def forget(self) -> None:
        """Begin anew: no ghost, and the axes as at the beginning."""
        self._limits: list[Limits] = []
        self._places: list[Any] | None = None
        self._seen: list[list[Line2D]] = []
        self._ghost: list[list[Line2D]] = []
        self._drawn_at = float("-inf")
        for values in self._rooms:
            axes = list(self._draw(**values))
            self._keep_limits(axes, slack=0)
            _close(axes)

    def show(self, **values: float) -> str:
        """The picture at the given values."""
        axes = list(self._draw(**values))
        if time.monotonic() - self._drawn_at > REST:
            self._ghost = self._seen
        self._seen = [_curves(ax) for ax in axes]
        for ax, curves in zip(axes, self._ghost, strict=False):
            for curve in curves:
                _draw_ghost(ax, curve)
        grew = self._keep_limits(axes)
        picture = self._as_image(axes, laid_out=grew or self._places is None)
        _close(axes)
        self._drawn_at = time.monotonic()
        return picture

    def _keep_limits(self, axes: list[Axes], slack: float = SLACK) -> bool:
        """Give the axes the limits so far, made wider where they must be: whether they were."""
        now = [(ax.get_xlim(), ax.get_ylim()) for ax in axes]
        old = self._limits if len(self._limits) == len(now) else now
        kept = [
            new
            if ax.images or ax.get_gid() == OWN_LIMITS
            else (_wider(before[0], new[0], slack), _wider(before[1], new[1], slack))
            for ax, before, new in zip(axes, old, now, strict=True)
        ]
        for ax, (x, y) in zip(axes, kept, strict=True):
            ax.set(xlim=x, ylim=y)
        grew, self._limits = kept != self._limits, kept
        return grew

    def _as_image(self, axes: list[Axes], laid_out: bool) -> str:
        """The layout takes half of the time: it is kept as long as the axes are the same."""
        figure = axes[0].figure
        if not laid_out:
            figure.set_layout_engine("none")
            for ax, place in zip(figure.axes, self._places, strict=False):
                ax.set_position(place)
        content = io.BytesIO()
        FigureCanvasAgg(figure).print_png(content)  # savefig draws twice
        self._places = [ax.get_position() for ax in figure.axes]
        titles = (ax.get_title(loc="left") or ax.get_ylabel() or ax.get_label() for ax in axes)
        alt = html.escape("; ".join(filter(None, titles)), quote=True)
        data = base64.b64encode(content.getvalue()).decode()
        return f'<img alt="{alt}" style="max-width: 100%" src="data:image/png;base64,{data}">'


def _close(axes: list[Axes]) -> None:
    import matplotlib.pyplot as plt

    plt.close(axes[0].figure)


def _curves(ax: Axes) -> list[Line2D]:
    """What moves in a picture: the lines in the first colour of the course."""
    return [
        line
        for line in ax.get_lines()
        if line.get_color() == series(0).color and len(line.get_xdata()) > 1
    ]


def _draw_ghost(ax: Axes, curve: Line2D) -> None:
    look = {"linestyle": curve.get_linestyle(), "marker": curve.get_marker()}
    look |= {"color": REFERENCE, "alpha": 0.6, "markersize": 4, "zorder": 0.5}
    ax.plot(*curve.get_data(), scalex=False, scaley=False, **look)


def _wider(
    old: tuple[float, float], new: tuple[float, float], slack: float = SLACK
) -> tuple[float, float]:
    """The old limits, or limits that hold both, with slack at an end that must move far."""
    (low, high), (first, last) = sorted(old), sorted(new)
    far = MARGIN * (high - low)
    room = slack * (max(high, last) - min(low, first))
    bottom = first - room if first < low - far else min(first, low)
    top = last + room if last > high + far else max(last, high)
    return (bottom, top) if old[0] <= old[1] else (top, bottom)


def sliders_and_picture(
    draw: Callable[..., Iterable[Axes]], sliders: dict[str, Any], start: dict[str, float]
) -> tuple[Widget, ...]:
    """The sliders, a button that puts them back, and the picture that follows them.

    Parameters
    ----------
    draw : callable
        Takes the values of the sliders by name, returns Axes.
    sliders : dict of Slider
        By the names of the arguments.
    start : dict
        Values to begin with, where they are not those of the sliders.
    """
    import ipywidgets

    controls = {}
    for name, slider in sliders.items():
        kind = ipywidgets.IntSlider if isinstance(slider.step, int) else ipywidgets.FloatSlider
        value = start.get(name, slider.start)
        controls[name] = kind(
            value=value, min=min(slider.low, value), max=max(slider.high, value), step=slider.step,
            description=slider.label, continuous_update=True,
            style={"description_width": "14em"}, layout={"width": "34em"},
        )  # fmt: skip
    began = {name: control.value for name, control in controls.items()}
    screen = Screen(draw, [began | one for one in _middle_halves(sliders)])
    picture = ipywidgets.HTML()

    def show() -> None:
        values = {name: control.value for name, control in controls.items()}
        picture.value = screen.show(**values)

    def begin_again(_button) -> None:
        screen.forget()
        for name, control in controls.items():
            control.value = began[name]
        show()

    again = ipywidgets.Button(description="Start again", layout={"margin": "2px 2px 2px 14.4em"})
    again.on_click(begin_again)
    follow(controls.values(), show)
    show()
    return (*controls.values(), again, picture)


def _middle_halves(sliders: dict[str, Any]) -> list[dict[str, float]]:
    """One slider at a time a quarter from either end; as many draws and groups as there are."""
    return [
        {name: slider.low + share * (slider.high - slider.low)}
        for name, slider in sliders.items()
        if not isinstance(slider.step, int)
        for share in (0.25, 0.75)
    ]


def follow(controls: Iterable[Widget], show: Callable[[], None]) -> None:
    """Call `show` when a value changes: in a running kernel once for all steps in a pause."""
    waiting: list[asyncio.TimerHandle] = []

    def shown_once() -> None:
        waiting.clear()
        show()

    def changed(_change) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no kernel
            show()
            return
        if not waiting:
            waiting.append(loop.call_later(PAUSE, shown_once))

    for control in controls:
        control.observe(changed, names="value")
