"""Layouts are what their names say, and `describe_design` reads them back from their columns."""

import itertools

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools import designs


def each_in(layout, unit, factor):
    """Sorted levels of a factor in each unit."""
    return layout.groupby(unit, observed=True)[factor].apply(sorted).tolist()


def test_a_seed_fixes_the_randomisation_and_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    first, again, other = (designs.rcbd(list("ABCDE"), 6, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert (first["treatment"] != other["treatment"]).any()
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_a_completely_randomised_design_has_its_replicates_anywhere():
    layout = designs.crd(["A", "B", "C"], replicates=[2, 3, 5])
    assert layout["treatment"].value_counts()[["A", "B", "C"]].tolist() == [2, 3, 5]
    assert not layout.duplicated(["row", "column"]).any()
    assert list(layout.columns) == ["plot", "row", "column", "treatment"]


def test_every_order_of_a_small_crd_is_as_likely_as_any():
    """Chi-square on the 6 orders of A A B B, 600 seeds: the 99.9 % quantile of 5 df is 20.5."""
    drawn = pd.Series(
        ["".join(designs.crd(["A", "B"], 2, seed=seed)["treatment"]) for seed in range(600)]
    ).value_counts()
    assert len(drawn) == 6
    assert ((drawn - 100) ** 2 / 100).sum() < 20.5


def test_every_block_is_complete_and_stands_in_one_row_of_the_field():
    layout = designs.rcbd({"variety": ["x", "y"], "dose": [0, 1, 2]}, blocks=5, replicates=2)
    combination = layout["variety"].astype(str) + layout["dose"].astype(str)
    expected = sorted([f"{v}{d}" for v, d in itertools.product("xy", range(3))] * 2)
    assert each_in(layout.assign(both=combination), "block", "both") == [expected] * 5
    assert (layout.groupby("block", observed=True)["row"].nunique() == 1).all()


def test_a_split_plot_randomises_whole_plots_in_blocks_and_subplots_in_whole_plots():
    layout = designs.split_plot({"variety": list("ABC")}, {"nitrogen": [0, 40, 80, 120]}, 6)
    assert (layout.groupby("whole_plot", observed=True)["variety"].nunique() == 1).all()
    assert each_in(layout, "whole_plot", "nitrogen") == [[0, 40, 80, 120]] * 18
    whole = layout.drop_duplicates("whole_plot")
    assert each_in(whole, "block", "variety") == [["A", "B", "C"]] * 6


def test_nested_units_have_labels_of_their_own_and_treatments_belong_to_one_level():
    layout = designs.nested({"room": 3, "pen": [2, 4, 3], "pig": 3}, ["old", "new"], "pen")
    assert layout[["room", "pen", "pig"]].nunique().tolist() == [3, 9, 27]
    assert (layout.groupby("pen", observed=True)["treatment"].nunique() == 1).all()
    counts = layout.drop_duplicates("pen").groupby("room", observed=True)["treatment"]
    spread = counts.value_counts().unstack(fill_value=0)
    assert (spread.max(axis=1) - spread.min(axis=1)).tolist() == [0, 0, 1]


def test_repeated_measures_keep_the_treatment_of_the_subject_and_the_order_of_time():
    layout = designs.repeated(6, [0, 7, 14], treatments=["a", "b", "c"], time="day")
    assert (layout.groupby("subject", observed=True)["treatment"].nunique() == 1).all()
    assert layout["day"].tolist() == [0, 7, 14] * 6


def test_text_treatments_keep_the_order_given_so_that_the_first_is_the_reference():
    layout = designs.crd(["untreated", "a"], 4)
    data = gt.simulate("y ~ treatment", layout)
    assert list(gt.fit("y ~ treatment", data).params.index) == ["Intercept", "treatment[T.a]"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: designs.crd(["A", "A"], 3), "distinct and two or more"),
        (lambda: designs.crd("ABC", 3), "must be a list"),
        (lambda: designs.crd(["A", "B"], 0), "replicates must be a whole number, 1 or more; got 0"),
        (lambda: designs.crd(["A", "B"], [1, 2, 3]), "replicates must be one number, or 2"),
        (lambda: designs.rcbd(["A", "B"], 2.5), "blocks must be a whole number"),
        (lambda: designs.rcbd({"block": ["A", "B"]}, 2), "cannot be called 'block'"),
        (lambda: designs.split_plot({"a": [1, 2]}, {"a": [1, 2]}, 2), "both whole= and sub="),
        (lambda: designs.nested({"room": 2, "pen": 2}, ["A", "B"], "pn"), "did you mean 'pen'"),
        (lambda: designs.nested({"room": 2}, applied_to="room"), "needs treatments"),
        (lambda: designs.nested({}), "sizes is empty"),
        (lambda: designs.repeated(3, [1, 1]), "times must be distinct"),
        (lambda: designs.repeated(designs.crd(["A", "B"], 2), [1], ["A", "B"]), "already"),
    ],
)
def test_impossible_designs_are_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------ describe_design


@pytest.fixture
def swine():
    pigs = designs.nested({"room": 4, "pen": 4, "pig": 3}, ["old", "new"], "pen")
    return designs.repeated(pigs, times=range(5), time="day")


def test_the_experimental_unit_is_the_coarsest_unit_within_which_the_treatment_is_constant(swine):
    found = gt.describe_design(swine, "room/pen/pig", ["treatment", "day"])
    row = found.treatments.loc["treatment"]
    assert (row["experimental_unit"], row["units"], row["fewest"], row["most"]) == ("pen", 16, 8, 8)
    assert (row["rows_per_unit"], row["blocks"]) == ("15", "room")
    assert found.treatments.loc["day", "experimental_unit"] == "the row"
    assert found.factors["levels"].tolist() == [4, 16, 48]
    assert found.factors.loc["pig", ["inside", "fewest", "most"]].tolist() == ["pen", 3, 3]
    assert found.random_part == "(1 | room/pen/pig)"
    assert found.warnings == ()


def test_labels_used_again_in_every_room_are_found_and_the_units_still_counted_right(swine):
    swine["pen"] = (swine["pen"].astype(int) - 1) % 4 + 1
    found = gt.describe_design(swine, "room/pen/pig", "treatment")
    (warning,) = found.warnings
    assert "pen 1 occurs in 4 units of room" in warning
    assert "(1 | room/pen)" in warning
    assert found.factors.loc["pen", "levels"] == 16
    assert found.treatments.loc["treatment", "experimental_unit"] == "room:pen"


def test_real_split_plot_data_show_two_sizes_of_experimental_unit():
    found = gt.describe_design(gt.load_data("oats"), "block/variety", ["variety", "nitro"])
    assert found.treatments["experimental_unit"].tolist() == ["block:variety", "the row"]
    assert found.treatments["units"].tolist() == [18, 72]
    assert found.random_part == "(1 | block/variety)"


def test_crossing_is_complete_or_partial():
    cells = pd.DataFrame(itertools.product("ABC", [1, 2, 3, 4]), columns=["site", "year"])
    assert gt.describe_design(cells, "site * year").relations["relation"].tolist() == ["crossed"]
    found = gt.describe_design(cells.iloc[:-1], "site + year").relations
    assert found["relation"].tolist() == ["partly crossed: 11 of 12 combinations"]


@pytest.fixture
def strips():
    """Four blocks, in each three strips one way and two the other."""
    rows = itertools.product("1234", "ABC", "xy", [0, 1])
    return pd.DataFrame(rows, columns=["block", "strip_a", "strip_b", "half"])


def test_factors_in_brackets_are_side_by_side_in_what_is_before(strips):
    found = gt.describe_design(strips, "block/(strip_a + strip_b)", ["strip_a", "strip_b"])
    assert found.factors["levels"].tolist() == [4, 12, 8]
    assert found.factors["inside"].tolist() == ["", "block", "block"]
    assert found.relations["relation"].tolist()[-1] == "crossed in each block"
    assert found.treatments["experimental_unit"].tolist() == ["block:strip_a", "block:strip_b"]
    assert found.random_part == "(1 | block) + (1 | block:strip_a) + (1 | block:strip_b)"
    partly = strips.query("not (block == '2' and strip_a == 'A' and strip_b == 'x')")
    relation = gt.describe_design(partly, "block/(strip_a + strip_b)").relations["relation"]
    assert relation.tolist()[-1] == "partly crossed: 23 of 24 combinations"


def test_what_follows_brackets_is_in_the_combinations_of_what_is_in_them(strips):
    found = gt.describe_design(strips, "block/(strip_a + strip_b)/half")
    assert found.factors["levels"].tolist() == [4, 12, 8, 48]
    assert found.factors.loc["half", ["inside", "fewest"]].tolist() == ["block:strip_a:strip_b", 2]


def test_incomplete_blocks_are_said_to_be_incomplete():
    blocks = itertools.combinations("ABCDE", 3)
    plots = [(f"b{i}", t) for i, levels in enumerate(blocks) for t in levels]
    data = pd.DataFrame(plots, columns=["block", "treatment"])
    found = gt.describe_design(data, "block", "treatment")
    row = found.treatments.loc["treatment"]
    held = "block: 3 of 5 levels in each"
    assert (row["blocks"], row["incomplete_blocks"]) == ("", held)
    assert f"in incomplete blocks ({held})" in repr(found)
    resolvable = pd.concat([data.assign(replicate=r) for r in range(2)])
    found = gt.describe_design(resolvable, "replicate/block", "treatment")
    assert f"in complete blocks (replicate) and incomplete blocks ({held})" in repr(found)
    nested = designs.nested({"room": 4, "pen": 4}, ["old", "new"], "room")
    row = gt.describe_design(nested, "room/pen", "treatment").treatments.loc["treatment"]
    assert (row["blocks"], row["incomplete_blocks"]) == ("", "")


def test_one_unit_for_each_treatment_is_no_replication():
    data = pd.DataFrame({"tank": ["1", "1", "2", "2"], "treatment": ["a", "a", "b", "b"]})
    (warning,) = gt.describe_design(data, "tank", "treatment").warnings
    assert "single tank" in warning


def test_the_description_reads_as_text_and_as_html(swine):
    found = gt.describe_design(swine, "room/pen/pig", "treatment")
    assert "no replicates of treatment" in repr(found)
    assert found._repr_html_().count("<table") == 2


@pytest.mark.parametrize(
    ("structure", "message"),
    [("room/pn", "did you mean 'pen'"), ("room//pen", "empty place"), ("", "names factors")],
)
def test_a_structure_that_cannot_be_read_is_refused(swine, structure, message):
    with pytest.raises(ValueError, match=message):
        gt.describe_design(swine, structure)
