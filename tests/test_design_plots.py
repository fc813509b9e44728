"""The pictures of designs, hierarchies and covariances show what the layout and the model hold."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch, Rectangle

import glmmtools as gt
from glmmtools import designs
from glmmtools.designs.hierarchy import plot_hierarchy
from glmmtools.designs.plots import plot_covariance, plot_design


def texts(ax):
    """All that is written in the axes, and beside them on the secondary axis."""
    found = [each.get_text() for each in ax.texts]
    for axis in (ax, *ax.child_axes):
        found += [each.get_text() for each in axis.get_yticklabels()]
    return found


@pytest.fixture
def pigs():
    return designs.nested({"room": 4, "pen": 4, "pig": 3}, ["old", "new"], "pen")


@pytest.fixture
def swine(pigs):
    return designs.repeated(pigs, times=range(5), time="day")


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plot_design(designs.rcbd(["A", "B"], 3), "block", ax=ax),
        lambda ax: plot_design(designs.nested({"a": 2, "b": 3}), "a/b", ax=ax),
        lambda ax: plot_design(designs.rcbd(["A", "B"], 3)[["block", "treatment"]],
                               "block * treatment", ax=ax),
        lambda ax: plot_covariance("y ~ 1 + (1 | block)", designs.rcbd(["A", "B"], 3),
                                   sd=1, ax=ax),
        lambda ax: plot_hierarchy("y ~ treatment", designs.rcbd(["A", "B"], 3), ax=ax),
    ],
)  # fmt: skip
def test_given_axes_are_drawn_on_and_no_other_figure_is_opened(draw):
    _, ax = plt.subplots()
    assert draw(ax) is ax
    assert len(plt.get_fignums()) == 1
    assert draw(None) is not ax
    assert len(plt.get_fignums()) == 2


def test_a_plan_writes_the_treatment_of_each_plot_where_the_plot_stands():
    layout = designs.rcbd(["A", "B", "C"], blocks=4)
    ax = plot_design(layout, "block", treatment="treatment")
    written = {each.get_position(): each.get_text() for each in ax.texts}
    expected = {
        (row.column - 1, row.row - 1): row.treatment for row in layout.itertuples(index=False)
    }
    assert written == expected
    plots = [each for each in ax.patches if isinstance(each, Rectangle)]
    colours = pd.Series([each.get_facecolor() for each in plots]).groupby(
        layout["treatment"], observed=True
    )
    assert colours.nunique().tolist() == [1, 1, 1]
    assert [each.get_text() for each in ax.get_yticklabels()] == [f"block {k}" for k in range(1, 5)]
    assert [each.get_text() for each in ax.get_legend().get_texts()] == ["A", "B", "C"]


def test_a_plan_of_a_split_plot_draws_the_borders_of_blocks_thicker_than_those_of_whole_plots():
    layout = designs.split_plot(["a", "b"], ["x", "y", "z"], blocks=2)
    ax = plot_design(layout, "block/whole_plot", treatment=["whole", "sub"])
    blocks, whole_plots = (each for each in ax.collections if isinstance(each, LineCollection))
    assert blocks.get_linewidth()[0] > whole_plots.get_linewidth()[0]
    inner = [s for s in whole_plots.get_segments() if np.all(s[:, 0] == 2.5)]
    assert len(inner) == 2 * 2  # the border between whole plots, in 2 blocks, from both sides
    assert {each.get_text() for each in ax.texts} == {f"{w}\n{s}" for w in "ab" for s in "xyz"}


def test_a_tree_has_a_marker_for_every_unit_and_a_line_to_its_parent(pigs):
    ax = plot_design(pigs, "room/pen/pig", treatment="treatment", kind="tree")
    drawn = [sum((line.get_ydata() == -level).sum() for line in ax.lines) for level in range(3)]
    assert drawn == [4, 16, 48]
    assert [len(each.get_segments()) for each in ax.collections] == [16, 48]
    assert [each.get_text() for each in ax.get_legend().get_texts()] == ["old", "new"]
    markers = {
        line.get_label(): line.get_marker() for line in ax.lines if line.get_label()[0] != "_"
    }
    assert len(set(markers.values())) == 2  # told apart without colour


def test_the_swine_trial_names_its_units_and_the_variance_component_of_each_level(swine):
    ax = plot_design(
        swine, "room/pen/pig", treatment="treatment", observation="day",
        components={"room": 4, "pen": 1.5, "pig": 1, "residual": 0.5},
    )  # fmt: skip
    written = texts(ax)
    assert {"room (4)", "pen (16)", "pig (48)", "day (240 rows)"} <= set(written)
    assert r"block" + "\n" + r"$\sigma^2_u$ = 4" in written
    assert r"experimental unit" + "\n" + r"$\sigma^2_v$ = 1.5" in written
    assert r"observational unit" + "\n" + r"$\sigma^2_w$ = 1" in written
    assert r"$\sigma^2_e$ = 0.5" in written
    assert sum(len(line.get_xdata()) for line in ax.lines) == 4 + 16 + 48 + 240


def test_a_grid_counts_the_rows_of_each_combination_and_shows_the_empty_ones():
    herds = gt.load_data("herds")
    ax = plot_design(herds, "herd * period")
    counted = pd.crosstab(herds["herd"], herds["period"])
    for text in ax.texts:
        column, row = text.get_position()
        count = counted.iloc[int(row), int(column)]
        assert text.get_text() == (str(count) if count else "–")
    assert "4 of 60 empty" in ax.get_title(loc="left").replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"structure": "room/pen", "components": {"pen": -1}}, "'pen' must be 0 or more; got -1"),
        ({"structure": "room/pen", "components": {"pn": 1}}, "did you mean 'pen'"),
        ({"structure": "room * pig", "components": True}, "beside a tree, not a grid"),
        ({"structure": "room * pig", "kind": "tree"}, "has crossed ones"),
        ({"structure": "room/pen", "kind": "grid"}, "a grid shows two crossed factors"),
        ({"structure": "room", "kind": "circle"}, "kind must be one of plan, tree, grid"),
        ({"structure": "rom/pen"}, "did you mean 'room'"),
        ({"structure": "room", "treatment": "tratment"}, "did you mean 'treatment'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(pigs, arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_design(pigs, **arguments)


def test_rows_with_repeated_labels_in_the_index_are_drawn_all_the_same(pigs):
    twice = pd.concat([pigs, pigs])
    ax = plot_design(twice, "room/pen/pig", observation="visit")
    assert "visit (96 rows)" in texts(ax)


def test_a_plan_refuses_two_rows_on_one_plot():
    layout = designs.repeated(designs.rcbd(["A", "B"], 2), times=[1, 2])
    with pytest.raises(ValueError, match="same row and column"):
        plot_design(layout, "block")


# ------------------------------------------------------------------------------ covariance


def test_the_heat_map_is_the_covariance_sorted_by_blocks_which_are_named():
    layout = designs.rcbd(["A", "B"], blocks=3).sample(frac=1, random_state=0)
    ax = plot_covariance("y ~ 1 + (1 | block)", layout, sd=2, phi=1)
    block = np.kron(np.eye(3), np.full((2, 2), 4.0))
    np.testing.assert_allclose(ax.images[0].get_array(), block + np.eye(6))
    assert [each.get_text() for each in ax.get_xticklabels()] == ["1", "2", "3"]
    np.testing.assert_allclose(ax.get_xticks(), [0.5, 2.5, 4.5])
    assert ax.get_xlabel() == ax.get_ylabel() == "block"
    assert sorted({each.get_text() for each in ax.texts}) == ["0", "4", "5"]


def test_the_covariance_of_residuals_is_drawn_in_the_order_of_their_times():
    layout = designs.repeated(2, times=[1, 2, 3], time="week").sample(frac=1, random_state=1)
    ax = plot_covariance("y ~ 1", layout, residual="ar1(week | subject)", sd=2, rho=0.5)
    R = 4 * 0.5 ** np.abs(np.subtract.outer(range(3), range(3)))
    np.testing.assert_allclose(ax.images[0].get_array(), np.kron(np.eye(2), R))


def test_without_groups_the_heat_map_is_a_diagonal_without_names():
    ax = plot_covariance("y ~ treatment", designs.crd(["A", "B"], 10), phi=2)
    np.testing.assert_allclose(ax.images[0].get_array(), 2 * np.eye(20))
    assert len(ax.get_xticks()) == len(ax.texts) == 0


# ------------------------------------------------------------------------------ hierarchy


def test_a_fitted_model_is_drawn_as_three_boxes_with_its_equations_and_variances():
    herds = gt.load_data("herds")
    m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    ax = plot_hierarchy(m)
    written = texts(ax)
    assert [t for t in written if t.endswith("model")] == [
        "Data model", "Process model", "Parameter model",
    ]  # fmt: skip
    assert any(r"\mathrm{Binomial}" in t for t in written)
    assert any(r"\operatorname{logit}" in t for t in written)
    assert f"estimated variance, herd: {m.variance_components['variance'][0]:.4f}" in written
    assert sum(isinstance(each, FancyArrowPatch) for each in ax.patches) == 2


def test_a_formula_on_a_layout_is_drawn_before_there_are_data(swine):
    ax = plot_hierarchy("weight ~ treatment + (1 | room/pen) + (day | pig)", swine)
    written = " ".join(texts(ax))
    for group in ("room", "room:pen", "pig"):
        assert rf"\text{{{group}}}" in written
    counted = plot_hierarchy("prop(ill, seen) ~ treatment + (1 | pen)", swine, "binomial", trials=9)
    assert any("Binomial" in each for each in texts(counted))


def test_a_formula_without_a_layout_is_refused():
    with pytest.raises(ValueError, match="needs the layout"):
        plot_hierarchy("y ~ x")
