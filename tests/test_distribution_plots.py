"""Pictures of distributions: what the artists hold, not how they look."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import glmmtools as gt

FAMILIES = pytest.mark.parametrize("name", gt.FAMILIES)


def curves(ax):
    """The drawn lines or dots with a parameter label."""
    return [line for line in ax.get_lines() if "=" in line.get_label()]


# ---- plot_distribution ---------------------------------------------------------------------------


@FAMILIES
@pytest.mark.parametrize("kind", ["pdf", "cdf"])
def test_every_family_draws_with_its_default_parameters(name, kind):
    ax = gt.plot_distribution(name, kind=kind)
    (curve,) = curves(ax)
    x, height = curve.get_xydata().T
    assert np.all(np.isfinite(height)) and height.max() > 0
    if gt.family(name).discrete:
        assert np.array_equal(x, np.round(x))
    ax.figure.canvas.draw()


def test_a_continuous_curve_is_scipys_density_over_the_central_999_in_1000():
    (curve,) = curves(gt.plot_distribution("gamma", mu=3, phi=0.4))
    x, height = curve.get_xydata().T
    truth = stats.gamma(a=2.5, scale=1.2)
    np.testing.assert_allclose(height, truth.pdf(x), rtol=1e-10)
    np.testing.assert_allclose(x[[0, -1]], truth.ppf([0.0005, 0.9995]))


@pytest.mark.parametrize("nearest", [0.0, 5e-324, 1e-310])
def test_a_density_is_drawn_though_its_quantiles_are_nearer_to_0_than_it_can_be(
    nearest, monkeypatch
):
    """Of the quantiles of a beta that are nearly 0, SciPy 1.14 has others than all later ones."""
    quantiles = type(stats.beta)._ppf

    def nearer(self, probability, a, b):
        y = quantiles(self, probability, a, b)
        return np.where(y < 1e-307, nearest, y)

    monkeypatch.setattr(type(stats.beta), "_ppf", nearer)
    ax = gt.plot_distribution("beta", mu=0.01, phi=0.05)
    (curve,) = curves(ax)
    assert np.isfinite(curve.get_ydata()).all() and np.isfinite(ax.get_ylim()).all()


def test_counts_are_stems_on_integers():
    ax = gt.plot_distribution("poisson", mu=4)
    (dots,) = curves(ax)
    assert dots.get_linestyle() == "None"
    np.testing.assert_allclose(dots.get_ydata(), stats.poisson(4).pmf(dots.get_xdata()))
    (stems,) = ax.collections
    tops = [segment[1] for segment in stems.get_segments()]
    np.testing.assert_allclose(tops, dots.get_xydata())


def test_lists_draw_one_curve_each_and_mark_each_mean():
    ax = gt.plot_distribution("binomial", mu=[0.2, 0.5], trials=20)
    assert [each.get_label() for each in curves(ax)] == ["μ = 0.2, N = 20", "μ = 0.5, N = 20"]
    means = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "^"]
    np.testing.assert_allclose(means, [4, 10])


def test_a_distribution_without_a_mean_has_no_mark():
    ax = gt.plot_distribution("t", df=1)
    assert not [line for line in ax.get_lines() if line.get_marker() == "^"]


def test_the_support_is_shaded_up_to_its_bounds():
    ax = gt.plot_distribution("beta", mu=0.5, phi=2)
    (shade,) = [each for each in ax.patches if "support" in each.get_label()]
    assert shade.get_x() == 0 and shade.get_width() == 1
    assert ax.get_xlim()[0] < 0 and ax.get_xlim()[1] > 1


def test_a_density_that_rises_to_infinity_leaves_the_others_legible():
    ax = gt.plot_distribution("gamma", mu=3, phi=[0.1, 5])
    assert ax.get_ylim()[1] < 5 * stats.gamma(a=10, scale=0.3).pdf(2.7)


def test_axes_that_are_given_are_used_and_no_figure_is_opened():
    _, (first, second, third) = plt.subplots(3)
    assert gt.plot_distribution("beta", ax=first) is first
    assert gt.plot_mean_variance(ax=second) is second
    assert gt.plot_support(ax=third) is third
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gamma", -1), "mu of gamma must be above 0 and finite; got -1"),
        (("beta", 1.0), "mu of beta must be between 0 and 1; got 1"),
        (("gamma", 3, [0.1, 0]), "phi of gamma must be above 0 and finite; got 0"),
        (("poisson", 3, 1), "poisson has no phi; its parameters: mu"),
        (("gamma", [1, 2, 3], [1, 2]), "one length; got mu 3, phi 2"),
        (("gama",), "unknown family 'gama' .did you mean 'gamma'"),
    ],
)
def test_parameters_that_cannot_be_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        gt.plot_distribution(*arguments)


def test_trials_and_kind_are_checked():
    with pytest.raises(ValueError, match=r"trials of binomial must be a whole number.*got 2.5"):
        gt.plot_distribution("binomial", trials=2.5)
    with pytest.raises(ValueError, match="kind must be one of pdf, cdf; got 'density'"):
        gt.plot_distribution("gamma", kind="density")


@pytest.mark.parametrize("phi", [5, 50, 500])
def test_the_peak_of_shares_with_exact_zeros_and_ones_is_in_the_picture(phi):
    ax = gt.plot_distribution("ordered_beta", mu=0.5, phi=phi, odds0=0.1, odds1=0.1)
    curve = max(ax.get_lines(), key=lambda line: len(line.get_xdata())).get_ydata()
    zero = 0.1 / 1.1
    peak = (1 - 2 * zero) * stats.beta(phi / 2, phi / 2).pdf(0.5)
    assert curve.max() == pytest.approx(peak, rel=1e-3)
    assert ax.get_ylim()[1] > curve.max()


# ---- plot_mean_variance --------------------------------------------------------------------------


def test_curves_are_the_variance_functions_of_the_cards():
    ax = gt.plot_mean_variance(["poisson", "negative_binomial"], phi=0.5)
    poisson, nb2 = ax.get_lines()
    np.testing.assert_allclose(*poisson.get_data())
    mu, variance = nb2.get_data()
    np.testing.assert_allclose(variance, mu + 0.5 * mu**2)


def test_all_families_share_one_pair_of_logarithmic_axes():
    ax = gt.plot_mean_variance()
    assert [line.get_label().split(":")[0] for line in ax.get_lines()] == list(gt.FAMILIES)
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_panels_put_each_family_among_its_kind():
    axes = gt.plot_mean_variance(panels=True)
    names = [[line.get_label().split(":")[0] for line in ax.get_lines()] for ax in axes.flat]
    assert names == [
        ["normal", "t"],
        ["gamma", "lognormal"],
        [
            "poisson",
            "negative_binomial",
            "nbinom1",
            "genpois",
            "truncated_poisson",
            "truncated_negative_binomial",
        ],
        ["beta", "binomial", "betabinomial", "ordered_beta"],
    ]


@pytest.mark.parametrize(
    ("families", "of"), [(["beta", "ordered_beta"], "y"), (["beta", "binomial"], "y/N")]
)
def test_only_successes_are_divided_by_their_trials(families, of):
    ax = gt.plot_mean_variance(families)
    assert (ax.get_xlabel(), ax.get_ylabel()) == (f"mean E({of})", f"variance Var({of})")


def test_no_families_and_unknown_parameters_are_refused():
    with pytest.raises(ValueError, match="families is empty"):
        gt.plot_mean_variance([])
    with pytest.raises(ValueError, match="sigma is no parameter"):
        gt.plot_mean_variance(sigma=2)


# ---- plot_support --------------------------------------------------------------------------------


def test_families_that_cannot_produce_the_data_are_crossed_out_with_value_and_row():
    y = pd.Series([0.2, 0.5, 1.0], index=["a", "b", "c"])
    ax = gt.plot_support(y)
    marks = dict(label.get_text().split()[::-1] for label in ax.get_yticklabels())
    assert marks["beta"] == marks["poisson"] == "✗"
    assert marks["normal"] == marks["gamma"] == "✓"
    notes = [text.get_text() for text in ax.texts]
    assert any("y = 1 in row c; beta needs 0 < y < 1" in note for note in notes)


def test_without_data_every_support_is_drawn():
    ax = gt.plot_support()
    assert [label.get_text() for label in ax.get_yticklabels()] == list(gt.FAMILIES)
    rows = {line.get_ydata()[0] for line in ax.get_lines()}
    assert rows == set(range(len(gt.FAMILIES)))
