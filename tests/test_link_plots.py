"""Pictures of links: the curves are those of the link."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text
from scipy import stats

import glmmtools as gt

LINKS = pytest.mark.parametrize("name", gt.LINKS)


@LINKS
def test_both_panels_hold_the_link_and_its_inverse(name):
    left, right = gt.plot_link(name)
    mu, eta = left.get_lines()[0].get_data()
    np.testing.assert_allclose(eta, gt.link(name)(mu))
    eta, mu = right.get_lines()[0].get_data()
    np.testing.assert_allclose(mu, gt.link(name).inverse(eta))
    left.figure.canvas.draw()


@LINKS
def test_formulas_in_titles_are_set_as_formulas(name):
    panels = [*gt.plot_link(name), *gt.plot_link_effect(name)]
    titles = [text for ax in panels for text in ax.findobj(Text) if "$" in text.get_text()]
    assert titles and all(text.get_parse_math() for text in titles)


@LINKS
def test_a_straight_line_on_the_link_scale_is_the_inverse_link_on_the_response_scale(name):
    left, right = gt.plot_link_effect(name)
    x, eta = left.get_lines()[0].get_data()
    np.testing.assert_allclose(np.diff(eta, 2), 0, atol=1e-12)
    (curve,) = [line for line in right.get_lines() if line.get_label() == "mean μ"]
    np.testing.assert_allclose(curve.get_xdata(), x)
    np.testing.assert_allclose(curve.get_ydata(), gt.link(name).inverse(eta))
    right.figure.canvas.draw()


def test_the_distribution_of_y_is_drawn_where_it_is_asked_for():
    _, right = gt.plot_link_effect("log", 1.0, 0.5, at=[0.0])
    (stems,) = right.collections
    ends = np.array([segment[:, 0] for segment in stems.get_segments()])
    heights = ends[:, 1] - ends[:, 0]
    y = np.array([segment[0, 1] for segment in stems.get_segments()])
    truth = stats.poisson(np.e).pmf(y)
    np.testing.assert_allclose(heights / heights.max(), truth / truth.max())


def test_one_kind_draws_on_the_axes_that_are_given():
    _, ax = plt.subplots()
    assert gt.plot_link("log", kind="inverse", ax=ax) is ax
    _, pair = plt.subplots(1, 2)
    assert list(gt.plot_link_effect("log", ax=pair)) == list(pair)
    assert len(plt.get_fignums()) == 2


def test_a_line_that_leaves_the_support_is_refused_with_the_place():
    message = r"at x = 1 the identity link gives the mean 0; a mean of poisson lies above 0"
    with pytest.raises(ValueError, match=message):
        gt.plot_link_effect("identity", 1.0, -1.0, "poisson", x=(-1, 3))


def test_a_link_that_does_not_go_with_the_family_and_one_axes_for_two_panels_are_refused():
    with pytest.raises(ValueError, match="gamma does not go with the logit link"):
        gt.plot_link_effect("logit", family="gamma")
    with pytest.raises(ValueError, match="ax must hold two Axes, one for each panel; got 1"):
        gt.plot_link("logit", ax=plt.subplots()[1])
    with pytest.raises(ValueError, match=r"x must be \(low, high\)"):
        gt.plot_link_effect("log", x=(3, -3))
