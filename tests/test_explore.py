"""Explorers: the pictures without widgets, then that the sliders reach the picture."""

from __future__ import annotations

import asyncio
import importlib
import sys
from functools import partial

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest

import glmmtools as gt
from glmmtools.course import assumption, match
from glmmtools.course import explorer_panel as panels
from glmmtools.course import explorer_plots as explorers
from glmmtools.course.explorer_panel import Screen
from glmmtools.shared.style import REFERENCE, series

MODULE = importlib.import_module("glmmtools.course.explore")  # gt.explore is the function


def sliders(widget):
    """Every slider below a widget, by its label."""
    found = {}
    for child in getattr(widget, "children", ()):
        if isinstance(child, (ipywidgets.IntSlider, ipywidgets.FloatSlider)):
            found[child.description] = child
        found |= sliders(child)
    return found


# ---- without widgets -----------------------------------------------------------------------------


@pytest.mark.parametrize("what", MODULE.EXPLORERS)
def test_outside_a_notebook_the_picture_is_drawn(what):
    axes = gt.explore(what)
    assert len(axes) == 2
    axes[0].figure.canvas.draw()
    assert len(plt.get_fignums()) == 1


def test_the_point_sits_on_the_mean_variance_curve():
    _, right = explorers.draw_distribution("negative_binomial", mu=3.0, phi=0.5)
    (point,) = [line for line in right.get_lines() if line.get_label().startswith("here")]
    np.testing.assert_allclose(point.get_xydata(), [[3.0, 3.0 + 0.5 * 9.0]])


@pytest.mark.parametrize("name", gt.FAMILIES)
def test_the_bars_of_the_draws_have_the_scale_of_the_curve(name):
    left, _ = explorers.draw_distribution(name, n=5000)
    bars = [patch for patch in left.patches if "support" not in patch.get_label()]
    area = sum(bar.get_width() * bar.get_height() for bar in bars)
    assert area == pytest.approx(1)


def test_prediction_shrinks_by_the_variance_ratio_and_beats_the_means():
    assert explorers.shrinkage_factor(4, 0.5) == pytest.approx(2 / 3)
    assert explorers.shrinkage_factor(10, 0.0) == 0
    left, _ = explorers.draw_shrinkage(groups=40, size=2, ratio=0.3)
    raw, shrunken, truth = (
        next(line for line in left.get_lines() if line.get_label().startswith(label)).get_xdata()
        for label in ("mean", "predicted", "truth")
    )
    np.testing.assert_allclose(shrunken - raw.mean(), 0.375 * (raw - raw.mean()))
    assert np.mean((shrunken - truth) ** 2) < np.mean((raw - truth) ** 2)


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        ("independent", [1.2, 0, 0]),
        ("compound symmetry", [1.2, -0.4, -0.4]),
        ("ar1", [1.2, -0.4, 0.16]),
    ],
)
def test_the_covariance_of_a_subject_follows_its_structure(structure, expected):
    block = explorers.subject_covariance(structure, -0.4, 0.2, 3)
    np.testing.assert_allclose(block[0], expected)
    assert np.linalg.eigvalsh(block).min() > 0
    left, _ = explorers.draw_covariance(structure, -0.2, 0.2)
    V = left.get_images()[0].get_array()
    assert V.shape == (15, 15) and not V[:5, 5:].any()


def test_a_line_outside_the_support_is_said_in_the_picture():
    left, _ = explorers.draw_link("inverse", intercept=-1.0)
    assert "a mean of gamma lies above 0" in left.texts[0].get_text()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gt.explore("links"), "no explorer 'links' .did you mean 'link'"),
        (lambda: gt.explore("link", "logt"), "there is no link 'logt' .did you mean 'log"),
        (lambda: gt.explore("distribution", "poisson", phi=1), "of poisson has no 'phi'"),
        (lambda: explorers.draw_shrinkage(groups=1), "2 or more groups"),
        (lambda: explorers.draw_covariance("ar1", rho=1.0), "must lie between -1 and 1; got 1"),
        (lambda: explorers.draw_covariance("compound symmetry", rho=-0.5), "between -0.25 and 1"),
        (lambda: explorers.draw_covariance(residual=-1), "residual is a variance"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- with widgets --------------------------------------------------------------------------------


WITH_SLIDERS = [what for what, explorer in MODULE.EXPLORERS.items() if explorer.panel is None]


def picture(widget):
    """The last of the widgets that holds an <img>."""
    inside = [picture(child) for child in getattr(widget, "children", ())]
    own = "<img" in str(getattr(widget, "value", ""))
    return widget if own else next(filter(None, reversed(inside)), None)


def buttons(widget):
    found = {}
    for child in getattr(widget, "children", ()):
        if isinstance(child, ipywidgets.Button):
            found[child.description] = child
        found |= buttons(child)
    return found


@pytest.mark.parametrize("what", WITH_SLIDERS)
def test_every_slider_has_a_label_and_draws_while_it_is_dragged(what):
    widget = MODULE.panel(what)
    found = sliders(widget)
    assert found and all(found)
    for slider in found.values():
        before = picture(widget).value
        slider.value = slider.value + slider.step
        assert picture(widget).value != before
    assert plt.get_fignums() == []


def test_a_slider_that_is_moved_draws_with_its_new_value(monkeypatch):
    seen = []

    def draw(**values):
        seen.append(values)
        return explorers.draw_shrinkage(**values)

    explorer = MODULE.Explorer(draw, MODULE._shrinkage_sliders)
    monkeypatch.setitem(MODULE.EXPLORERS, "shrinkage", explorer)
    widget = MODULE.panel("shrinkage", size=7)
    assert seen[-1] == {"groups": 10, "size": 7, "ratio": 0.5}
    sliders(widget)["groups"].value = 25
    assert seen[-1]["groups"] == 25
    buttons(widget)["Start again"].click()
    assert seen[-1] == {"groups": 10, "size": 7, "ratio": 0.5}


class Unrendered(Screen):
    """One whose pictures nobody looks at: their axes are drawn, their pixels are not."""

    def _as_image(self, axes, laid_out):
        return ""


class Recorder:
    """A drawing function that keeps the axes it returned."""

    def __init__(self, draw):
        self.draw, self.axes = draw, []

    def __call__(self, **values):
        self.axes.append(self.draw(**values))
        return self.axes[-1]

    def limits(self):
        return [(ax.get_xlim(), ax.get_ylim()) for ax in self.axes[-1]]


@pytest.mark.parametrize("name", ["gamma", "beta", "poisson", "negative_binomial"])
def test_the_axes_of_a_family_stay_while_its_curve_moves(name):
    ranges = MODULE._distribution_sliders(name)
    draw = Recorder(partial(explorers.draw_distribution, name))
    values = {key: slider.start for key, slider in ranges.items()}
    screen = Unrendered(draw, [values | {"mu": ranges["mu"].high}])
    screen.show(**values)
    before = draw.limits()
    for share in (0.3, 0.5, 0.7):
        mu = ranges["mu"].low + share * (ranges["mu"].high - ranges["mu"].low)
        screen.show(**values | {"mu": mu})
        for (x, _), (first, _) in zip(draw.limits(), before, strict=True):
            np.testing.assert_allclose(x, first, atol=panels.MARGIN * np.ptp(first))


def test_the_axes_of_a_probability_begin_near_1():
    ranges = MODULE.EXPLORERS["link"].sliders("logit")
    rooms = panels._middle_halves(ranges)
    screen = Screen(partial(explorers.draw_link, "logit"), rooms)
    _, (_, (low, high)) = screen._limits
    assert -0.1 < low <= 0 < 1 <= high < 1.1


def test_axes_grow_where_the_picture_needs_room_and_never_shrink():
    draw = Recorder(partial(explorers.draw_distribution, "poisson"))
    screen = Unrendered(draw)
    for mu in (2.0, 40.0, 2.0):
        screen.show(mu=mu)
        heights = draw.limits()[0]
    assert heights[0][1] > 50  # as wide as for a mean of 40
    assert heights[1][1] > 0.27  # as high as for a mean of 2


def test_the_curve_before_the_last_change_stays_as_a_ghost(monkeypatch):
    monkeypatch.setattr(panels, "REST", 0.0)
    draw = Recorder(partial(explorers.draw_link, "logit"))
    screen = Screen(draw)
    screen.show(slope=1.0)
    (own,) = (line for line in draw.axes[-1][1].get_lines() if line.get_color() == series(0).color)
    screen.show(slope=2.0)
    *_, ghost = (line for line in draw.axes[-1][1].get_lines() if line.get_color() == REFERENCE)
    np.testing.assert_array_equal(ghost.get_xydata(), own.get_xydata())


def test_the_steps_of_a_slider_that_is_dragged_in_a_kernel_are_drawn_together():
    shown = []
    slider = ipywidgets.IntSlider(value=0, max=100)
    panels.follow([slider], lambda: shown.append(slider.value))

    async def drag():
        for value in range(1, 51):
            slider.value = value
        await asyncio.sleep(4 * panels.PAUSE)

    asyncio.run(drag())
    assert shown == [50]


@pytest.mark.parametrize("name", gt.FAMILIES)
def test_no_draw_lies_outside_the_histogram(name):
    for n in (10, 2000):
        left, _ = explorers.draw_distribution(name, n=n)
        bars = left.patches[1:]  # the first is the shaded support
        low, high = left.get_xlim()
        assert all(low <= bar.get_x() and bar.get_x() + bar.get_width() <= high for bar in bars)
        assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1)
        plt.close("all")


# ---- what is learned with them -------------------------------------------------------------------


def test_a_shift_on_the_log_odds_scale_is_one_odds_ratio_and_many_steps():
    for probability in (0.1, 0.5, 0.9):
        left, right = explorers.draw_cluster(probability, 1.0)
        p = probability * np.e / (1 - probability + probability * np.e)
        assert f"from {probability:.2f} to {p:.2f}" in left.get_title(loc="left")
        assert right.get_title(loc="left") == f"risk ratio here: {p / probability:.2f}"
        assert "exp(u) = 2.72" in right.get_legend().get_texts()[0].get_text()


@pytest.mark.parametrize("number", range(1, 21))
def test_what_made_a_sample_scores_100_and_another_family_less(number):
    made_by, values, y = match.unknown_sample(number)
    assert match.score(y, made_by, values, made_by, values) == pytest.approx(100)
    wrong = {"mu": values["mu"] * (0.5 if made_by.mean_interval[1] == 1 else 3.0)}
    assert match.score(y, made_by, values | wrong, made_by, values) < 80


def test_a_family_that_cannot_make_the_sample_scores_nothing():
    number = next(n for n in range(1, 21) if (match.unknown_sample(n)[2] % 1).any())
    made_by, values, y = match.unknown_sample(number)
    assert match.score(y, gt.family("poisson"), {"mu": 4.0}, made_by, values) == 0


@pytest.mark.parametrize("name", match.candidates())
def test_the_axes_of_a_match_are_those_of_its_sample_whatever_the_guess(name):
    ranges = MODULE._match_sliders(name)
    draw = Recorder(partial(match.draw_match, name))
    screen = Unrendered(draw, panels._middle_halves(ranges))
    for number in (1, 2, 5, 1):  # counts to 25, counts to 7, measurements
        y = match.unknown_sample(number)[2]
        screen.show(sample=number)
        for (low, high), _ in draw.limits():
            assert low < y.min() and y.max() < high
            assert np.ptp(y) > 0.6 * (high - low)
        top = draw.limits()[0][1][1]
        bars = draw.axes[-1][0].containers[-1]
        assert 1 < top / max(bar.get_height() for bar in bars) < 2


def test_a_step_of_a_match_makes_its_sample_once(monkeypatch):
    made = []
    monkeypatch.setattr(match, "unknown_sample", lambda n: made.append(n) or sample(n))
    match.draw_match("poisson", mu=3, sample=4)
    assert made == [4]


sample = match.unknown_sample


@pytest.mark.parametrize("number", range(1, 21))
def test_every_sample_can_be_matched_with_the_sliders(number):
    made_by, values, _ = match.unknown_sample(number)
    ranges = MODULE._match_sliders(made_by.name)
    assert all(ranges[name].low <= value <= ranges[name].high for name, value in values.items())


def test_the_questions_lead_to_each_family_and_back(monkeypatch):
    ways = []

    class Unseen(Screen):
        def show(self, answers):
            ways.append(answers)
            return ""

    monkeypatch.setattr(assumption, "Screen", Unseen)
    for answers, families in assumption.paths().items():
        widget = MODULE.panel("assumption")
        for answer in answers:
            buttons(widget)[answer].click()
        assert ways[-1] == answers
        assert gt.family(families[0]).title in widget.children[0].value
        assert list(buttons(widget)) == ["← back"]
        for _ in answers:
            buttons(widget)["← back"].click()
        assert widget.children[0].value == f"<p>{assumption.QUESTIONS[()]}</p>"


def test_the_picture_of_the_chart_says_the_answers_so_far():
    widget = MODULE.panel("assumption")
    buttons(widget)["counted"].click()
    assert 'alt="chart: response, counted' in picture(widget).value


def test_another_family_brings_its_own_sliders():
    widget = MODULE.panel("distribution", "poisson")
    assert set(sliders(widget)) == {"mean μ", "draws n"}
    widget.children[0].value = "binomial"
    assert set(sliders(widget)) == {"mean μ", "trials N", "draws n"}


@pytest.mark.parametrize("what", MODULE.EXPLORERS)
def test_the_ends_of_every_slider_can_be_drawn(what):
    explorer = MODULE.EXPLORERS[what]
    for choice in explorer.choices or (None,):
        chosen = explorer.checked(choice)
        ranges = explorer.sliders(*chosen)
        for end in ("low", "high"):
            explorer.draw(*chosen, **{name: getattr(each, end) for name, each in ranges.items()})
            plt.close("all")


def test_a_still_picture_is_drawn_in_a_notebook_where_it_is_asked_for(monkeypatch):
    class Shell:
        kernel = object()

    monkeypatch.setitem(sys.modules, "IPython", type("M", (), {"get_ipython": staticmethod(Shell)}))
    monkeypatch.setenv("GLMMTOOLS_STATIC", "1")
    assert not MODULE.installation.in_attended_notebook()
    monkeypatch.setenv("GLMMTOOLS_STATIC", "0")
    assert MODULE.installation.in_attended_notebook()
