"""Names of levels on an axis, many points, and legends: each can be read."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
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


DOLLARS = ["$5-$10", "$10^{-$20", "_other", "a_b$c"]
LONG = "probability of a visit by a pollinating insect of any kind"


@pytest.fixture(scope="module")
def dollars():
    rng, n = np.random.default_rng(2), 240
    data = pd.DataFrame({"$class": rng.choice(DOLLARS, n), "$g": rng.choice(list("abcdef$"), n)})
    data = data.assign(_s=rng.choice(["_p", r"$\frac$"], n), **{"x_$": rng.normal(size=n)})
    data["y $"] = data["x_$"] + rng.normal(size=n) + rng.normal(0, 1, n)
    data["y $"] += data["$g"].map(dict(zip("abcdef$", rng.normal(0, 2, 7), strict=True)))
    return quietly("`y $` ~ `$class` * `_s` + `x_$` + (1 | `$g`)", data, reml=True)


@pytest.mark.parametrize(
    "draw",
    [
        lambda m: m.means("$class", by="_s").plot(letters=True),
        lambda m: m.plot_effects("$class", by="_s"),
        lambda m: m.plot_effects("x_$", by="_s", effects="conditional"),
        lambda m: m.plot_effects("x_$", by="$class"),
        lambda m: m.plot_random_effects(),
        lambda m: m.plot_shrinkage(),
        lambda m: m.plot_covariance(),
        lambda m: m.plot_profile(m.conf_int(method="profile").index[0]),
        lambda m: m.plot_fit(),
        lambda m: m.influence("$g").plot(),
        lambda m: gt.plot_design(m.design.frame, "$g"),
    ],
)
def test_dollars_and_underscores_are_letters_of_names(dollars, draw):
    """Two dollars are no formula, and a series whose name begins with _ is in the legend."""
    ax = draw(dollars)
    ax.figure.canvas.draw()
    legend = ax.get_legend()
    texts = [ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
    texts += [*legend.get_texts(), legend.get_title()] if legend else []
    assert not any(text.get_parse_math() for text in texts if "$" in text.get_text())
    series = [ax.lines, ax.containers][bool(ax.containers)]
    if legend and legend.get_title().get_text() == "_s":
        assert [text.get_text().strip() for text in legend.get_texts()] == [r"$\frac$", "_p"]
        assert len(series) >= 2


def cut_off(ax):
    """Texts of the axes that do not stand in the figure, or reach into other axes."""
    ax.figure.canvas.draw()
    whole, others = ax.figure.bbox, [each for each in ax.figure.axes if each is not ax]
    boxes = [text.get_window_extent() for text in (ax.xaxis.label, ax.yaxis.label, ax._left_title)]
    boxes = [box for box in boxes if box.width > 0]
    return [
        box for box in boxes
        if box.x0 < whole.x0 - 1 or box.x1 > whole.x1 + 1 or box.y0 < whole.y0 - 1
        or box.y1 > whole.y1 + 1 or any(box.overlaps(each.get_window_extent()) for each in others)
    ]  # fmt: skip


@pytest.mark.parametrize("grid", [None, (1, 2), (2, 2)])
def test_long_names_are_wrapped_to_their_axes(grid):
    rng, n = np.random.default_rng(2), 300
    moisture, year = "soil moisture (percent of dry weight)", "year of the experiment"
    data = pd.DataFrame({moisture: rng.normal(30, 5, n), "g": np.arange(n) % 12})
    data = data.assign(**{year: rng.choice(["first", "second"], n), LONG: rng.random(n) < 0.5})
    formula = f"`{LONG}` ~ `{moisture}` * `{year}` + (1 | g)"
    model = quietly(formula, data, "binomial")
    for draw in (
        lambda ax: model.plot_effects(moisture, ax=ax),
        lambda ax: model.plot_effects(year, effects="conditional", ax=ax),
        lambda ax: model.means(year).plot(ax=ax, arrows=True),
        lambda ax: model.slopes(moisture, by=year).plot(ax=ax),
    ):
        if grid is None:
            assert not cut_off(draw(None))
            continue
        _, axes = plt.subplots(*grid, figsize=(9, 3.5 * grid[0]), layout="constrained")
        assert not any([cut_off(ax) for ax in list(map(draw, axes.flat))])


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


def test_a_legend_stays_within_a_figure_without_layout():
    model = quietly("y ~ treatment * site + (1 | farm)", trial(SHORT), reml=True)
    _, ax = plt.subplots()
    model.means("treatment", by="site").plot(ax=ax)
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x1 <= ax.get_window_extent().x1


@pytest.mark.parametrize("levels", [18, 35, 70])
def test_a_legend_of_many_levels_is_whole(levels):
    data = trial([f"Variety {number}" for number in range(levels)])
    data["x"] = np.random.default_rng(1).normal(size=len(data))
    model = quietly("y ~ treatment + x", data)
    for ax in (
        model.plot_effects("x", by="treatment", level=None),
        model.means("x", by="treatment", at={"x": [0, 1]}).plot(),
    ):
        ax.figure.canvas.draw()
        legend, whole = ax.get_legend().get_window_extent(), ax.figure.bbox
        assert whole.y0 <= legend.y0 and legend.y1 <= whole.y1 and legend.x1 <= whole.x1
        assert len(ax.get_legend().get_texts()) == levels
        assert ax.get_window_extent().width > 3 * ax.figure.dpi


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


def test_long_names_of_groups_leave_room_for_what_is_drawn():
    group = "group with a long name of many words"
    data = trial(SHORT).assign(x=np.random.default_rng(3).normal(size=72))
    data[group] = [f"farm number {farm} in the valley of the river" for farm in data["farm"]]
    data["y"] += 2 * data["farm"].map(dict(zip("pqrstu", range(6), strict=True))) * data["x"]
    model = quietly(f"y ~ x + (x | `{group}`)", data, reml=True)
    for axes in (model.plot_random_effects(), model.plot_shrinkage(), [model.plot_covariance()]):
        for ax in axes:
            assert not cut_off(ax)
            assert ax.get_window_extent().width > 1.3 * ax.figure.dpi


def test_axes_without_a_name_stay_without_one():
    assert style.label_axes(style.new_axes(), "", "", "").get_xlabel() == ""


def test_pictures_name_their_confidence_level():
    model = quietly("y ~ treatment + (1 | farm)", trial(SHORT), reml=True)
    means = model.means("treatment", level=0.999)
    assert "99.9% interval" in means.plot().get_ylabel() and "The 99.9% int" in means.describe()


def test_quartiles_of_residuals_do_not_depend_on_units():
    data = trial(SHORT)
    labels = []
    for unit in (1.0, 1e-12):
        each = data.assign(y=unit * (data["y"] + data["treatment"].map(ord)))
        model = quietly("y ~ treatment * site + (1 | farm)", each, reml=True)
        labels.append(model.simulated_residuals(n=50).plot()[1].get_xlabel())
    assert labels == ["population prediction, ranks (6 values)"] * 2
