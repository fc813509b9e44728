"""How long an explorer takes to draw one step of a slider: python benchmarks/explorers.py"""

from __future__ import annotations

import statistics
import time
from functools import partial

import matplotlib

from glmmtools.course.explore import EXPLORERS
from glmmtools.course.explorer_panel import Screen

matplotlib.use("agg")
STEPS = 11
BAR = 150  # milliseconds


def milliseconds(draw, values: dict[str, float], name: str, step: float) -> float:
    """The median of some steps of one slider, the first, which lays out the picture, aside."""
    screen, taken = Screen(draw), []
    for count in range(STEPS + 1):
        start = time.perf_counter()
        screen.show(**values | {name: values[name] + step * (count % 3)})
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken[1:])


def main() -> None:
    print(f"explorer      choice                milliseconds a step (bar {BAR})")
    for what, explorer in EXPLORERS.items():
        if explorer.panel is not None:
            continue
        for choice in explorer.choices or (None,):
            chosen = explorer.checked(choice)
            sliders = explorer.sliders(*chosen)
            values = {name: slider.start for name, slider in sliders.items()}
            name = next(key for key in sliders if key not in ("n", "sample"))
            draw = partial(explorer.draw, *chosen)
            took = milliseconds(draw, values, name, sliders[name].step)
            print(f"{what:12}  {choice or '':20}  {took:.0f}")


if __name__ == "__main__":
    main()
