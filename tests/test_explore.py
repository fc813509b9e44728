"""Explorers: the pictures without widgets, then that the sliders reach the picture."""

from __future__ import annotations

import importlib
import sys

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest

import glmmtools as gt
from glmmtools.course import explorer_plots as explorers

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
    assert 0.95 < area <= 1 + 1e-9


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


@pytest.mark.parametrize("what", MODULE.EXPLORERS)
def test_every_slider_has_a_label_and_draws_when_it_is_released(what):
    found = sliders(MODULE.panel(what))
    assert found and all(found)
    assert not any(slider.continuous_update for slider in found.values())


def test_a_slider_that_is_moved_draws_with_its_new_value(monkeypatch):
    seen = []
    explorer = MODULE.Explorer(lambda **values: seen.append(values), MODULE._shrinkage_sliders)
    monkeypatch.setitem(MODULE.EXPLORERS, "shrinkage", explorer)
    widget = MODULE.panel("shrinkage", size=7)
    assert seen[-1] == {"groups": 10, "size": 7, "ratio": 0.5}
    sliders(widget)["groups"].value = 25
    assert seen[-1]["groups"] == 25


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
