"""Names of levels on an axis, many points, and legends: each can be read."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from glmmtools.shared import style
from tests.quiet_fits import quietly
from tests.slow import some_slow

ORDINARY = ["Control (no fertilizer)", "Nitrogen 40 kg/ha", "Nitrogen 80 kg/ha",
            "Phosphorus 20 kg/ha", "N 40 + P 20 kg/ha", "N 80 + P 20 kg/ha"]  # fmt: skip
VARIETIES = [f"Variety {number}" for number in range(35)]
SHORT = ["a", "b", "c"]
VERY_LONG = [f"a treatment whose name somebody copied from the protocol, number {i}" for i in "123"]


def trial(names):
    rng, k = np.random.default_rng(2), len(names)
    n = 24 * k
    data = pd.DataFrame({"treatment": np.repeat(names, 24), "farm": np.tile(list("pqrstu"), 4 * k)})
    return data.assign(site=rng.choice(["north", "south"], n), y=rng.normal(size=n))


def overlapping(ax):
    ax.figure.canvas.draw()
    boxes = [name.get_window_extent() for name in ax.get_xticklabels()]
    return sum(one.overlaps(next_one) for one, next_one in itertools.pairwise(boxes))


NAMES = {"short": SHORT, "ordinary": ORDINARY, "35": VARIETIES, "very long": VERY_LONG}
CASES = {f"{kind}, by {by}": (names, by) for kind, names in NAMES.items() for by in (None, "site")}


@pytest.mark.parametrize("case", some_slow(CASES, "35, by site".__eq__))
def test_names_of_levels_never_overlap_and_are_whole(case):
    names, by = CASES[case]
    model = quietly("y ~ treatment * site + (1 | farm)", trial(names), reml=True)
    for ax in (model.means("treatment", by=by).plot(letters=True),
               model.plot_effects("treatment", by=by)):  # fmt: skip
        assert overlapping(ax) == 0
        written = [" ".join(name.get_text().split()) for name in ax.get_xticklabels()]
        assert sorted(written) == sorted(names)
        assert min(name.get_fontsize() for name in ax.get_xticklabels()) >= 7


def test_short_names_stand_as_they_are():
    model = quietly("y ~ treatment + (1 | farm)", trial(SHORT), reml=True)
    ax = model.means("treatment").plot()
    assert [name.get_rotation() for name in ax.get_xticklabels()] == [0, 0, 0]


def test_means_of_an_interaction_are_joined_within_their_series():
    means = quietly("y ~ treatment * site + (1 | farm)", trial(SHORT), reml=True).means(
        ["treatment", "site"]
    )
    ax = means.plot()
    joined = [line for line in ax.lines if line.get_linestyle() != "None"]
    heights = means.frame.groupby("site", sort=False)["estimate"]
    assert len(joined) == 2
    for line, (_, estimates) in zip(joined, heights, strict=True):
        np.testing.assert_allclose(line.get_ydata(), estimates)


def test_letters_within_say_within_what():
    model = quietly("y ~ treatment * site + (1 | farm)", trial(SHORT), reml=True)
    assert "within site" in model.means("treatment", by="site").plot(letters=True).get_title("left")
    assert model.means("treatment").plot(letters=True).get_title("left") == ""


def test_a_legend_stays_within_the_axes_of_a_grid_without_layout():
    model = quietly("y ~ treatment * site + (1 | farm)", trial(SHORT), reml=True)
    _, axes = plt.subplots(1, 2)
    for ax in axes:
        model.plot_effects("treatment", by="site", ax=ax)
        ax.figure.canvas.draw()
        legend, inside = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert inside.x0 <= legend.x0
        assert legend.x1 <= inside.x1


def test_the_density_of_many_points_is_seen():
    """In the middle of 1e5 points of two normal variables there is ink, and more than beside it."""
    rng, figure = np.random.default_rng(1), plt.figure(dpi=80)
    ax = figure.add_axes([0, 0, 1, 1])
    x, y = rng.normal(size=(2, 100_000))
    ax.scatter(x, y, s=14 * style.point_area(len(x)), color="k", **style.points(len(x)))
    ax.set(xlim=(-4, 4), ylim=(-4, 4))
    figure.canvas.draw()
    white = np.asarray(figure.canvas.buffer_rgba())[..., 0] / 255
    middle_y, middle_x = np.array(white.shape) // 2
    step_x = white.shape[1] // 8
    ink = [
        1 - white[middle_y - 5 : middle_y + 5, middle_x + k * step_x : middle_x + k * step_x + 10]
        .mean() for k in (0, 1, 2)
    ]  # fmt: skip
    assert 0.95 > ink[0] > ink[1] + 0.1 > ink[2] + 0.2
