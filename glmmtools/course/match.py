"""A sample of an unknown distribution, to be matched by a family and its parameters."""

from __future__ import annotations

import numpy as np

from glmmtools.course.explorer_panel import OWN_LIMITS
from glmmtools.course.explorer_plots import draw_histogram
from glmmtools.families.base import Family
from glmmtools.families.distribution_plots import parameter_sets, parameters_text, plot_distribution
from glmmtools.families.lookup import FAMILIES, family
from glmmtools.shared.style import DATA, label_axes, new_panels, series

Array = np.ndarray
SIZE = 200  # values in a sample
MATCHED = 97  # the score from which what made the sample is told


def candidates() -> tuple[str, ...]:
    """The families that a sample may come from: those with a mean and at most phi."""
    return tuple(
        name
        for name, one in FAMILIES.items()
        if set(one.example) <= {"mu", "phi"} and not one.fixed
    )


def unknown_sample(number: int) -> tuple[Family, dict[str, float], Array]:
    """What made the sample of this number, its parameters, and the sample, shape (200,).

    Examples
    --------
    >>> made_by, parameters, y = unknown_sample(1)
    >>> y.shape
    (200,)
    """
    if number < 1:
        raise ValueError(f"samples are numbered from 1; got {number}")
    rng = np.random.default_rng(number)
    made_by = family(str(rng.choice(candidates())))
    values = {"mu": float(made_by.example["mu"])}
    if made_by.mean_interval[1] == 1:
        values["mu"] = float(rng.uniform(0.15, 0.85))
    else:
        values["mu"] *= float(rng.uniform(0.6, 1.7))
    if "phi" in made_by.example:
        values["phi"] = float(made_by.example["phi"] * rng.uniform(0.4, 2.0))
    values = {name: round(value, 2) for name, value in values.items()}
    y = made_by.sample(np.full(SIZE, values["mu"]), rng, **_shape(values))
    return made_by, values, y


def _shape(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name != "mu"}


def score(
    y: Array, guess: Family, values: dict[str, float],
    made_by: Family, truth: dict[str, float],
) -> float:  # fmt: skip
    """How likely a guess makes an observation, in per cent of what made the sample `y`.

    100 exp(mean log-density of the guess − that of the truth), at most 100; 0 where the guess
    makes a value of the sample impossible.
    """
    with np.errstate(all="ignore"):
        own = _mean_log_density(made_by, truth, y)
        other = _mean_log_density(guess, values, y)
    return 100 * float(np.exp(min(0.0, other - own))) if np.isfinite(other) else 0.0


def _mean_log_density(chosen: Family, values: dict[str, float], y: Array) -> float:
    frozen = chosen.distribution(**values)
    heights = frozen.logpmf(y) if chosen.discrete else frozen.logpdf(y)
    return float(np.mean(heights))


def _room(y: Array) -> tuple[float, float]:
    """Limits that hold a sample and some of a guess beside it: the same for every guess."""
    return float(y.min() - 0.15 * np.ptp(y)), float(y.max() + 0.45 * np.ptp(y))


def draw_match(
    name: str | Family = "normal", mu: float | None = None, phi: float | None = None, *,
    sample: int = 1,
) -> Array:  # fmt: skip
    """Draw a sample with a guessed distribution, and both cumulative.

    The score is `score`; from 97 on the title tells what made the sample. The axes are those of the
    sample, whatever the guess.

    Examples
    --------
    >>> left, right = draw_match("gamma", mu=3, phi=0.3, sample=2)
    >>> right.get_ylabel()
    'share of values up to y'
    """
    guess = family(name)
    (values,) = parameter_sets(guess, mu=mu, phi=phi)
    made_by, truth, y = unknown_sample(sample)
    left, right = axes = new_panels(1, 2, (9.5, 3.8))[0]
    for ax in axes:
        ax.set_gid(OWN_LIMITS)
    plot_distribution(guess, **values, ax=left)
    draw_histogram(left, made_by, y)
    left.get_legend().remove()
    left.set(xlim=_room(y), ylim=(0, 1.6 * max(bar.get_height() for bar in left.containers[-1])))
    points = score(y, guess, values, made_by, truth)
    text = f"score {points:.0f} of 100"
    if points >= MATCHED:
        text += f": made by {made_by.title}, {parameters_text(truth)}"
    elif points == 0:
        text += ": some values are impossible"
    label_axes(left, title=text)
    right.plot(np.sort(y), (np.arange(SIZE) + 0.5) / SIZE, color=DATA, marker=".",
               linestyle="none", label=f"sample {sample}")  # fmt: skip
    grid = np.linspace(*left.get_xlim(), 400)
    right.plot(grid, guess.distribution(**values).cdf(grid), color=series(0).color, linewidth=2,
               label="your guess")  # fmt: skip
    right.set(xlim=left.get_xlim(), ylim=(-0.02, 1.02))
    right.legend(frameon=False, fontsize="small", loc="lower right")
    label_axes(right, "y", "share of values up to y")
    return axes
