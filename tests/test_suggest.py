"""suggest_family: candidates with reasons, impossible ones with the value and the row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt


@pytest.mark.parametrize(
    ("data", "column", "trials", "expected"),
    [
        ("epilepsy", "seizures", None, {"poisson", "negative_binomial", "nbinom1"}),
        ("seeds", "germinated", "seeds", {"binomial", "betabinomial"}),
        ("gasoline", "converted", None, {"beta", "gamma", "lognormal"}),
        ("sleep", "reaction", None, {"normal", "t", "gamma", "lognormal"}),
        ("wheeze", "wheeze", None, {"binomial"}),
    ],
)
def test_real_responses_get_the_families_that_the_course_fits(data, column, trials, expected):
    frame = gt.load_data(data)
    found = gt.suggest_family(frame[column], None if trials is None else frame[trials])
    assert set(found.candidates) == expected


@pytest.mark.parametrize("name", gt.FAMILIES)
def test_a_family_never_calls_its_own_draws_impossible(name):
    family, rng = gt.family(name), np.random.default_rng(1)
    mu = 0.4 if family.mean_interval[1] == 1 else 3.0
    trials = 7 if family.takes_trials else None
    y = family.sample(np.full(300, mu), rng, **({"trials": 7} if trials else {}))
    assert name not in gt.suggest_family(y, trials).impossible


def test_every_family_is_in_exactly_one_group():
    found = gt.suggest_family([0.0, 1.5, 3.0])
    groups = [*found.candidates, *found.doubtful, *found.impossible]
    assert sorted(groups) == sorted(gt.FAMILIES)


def test_an_impossible_family_names_the_value_and_the_label_of_its_row():
    y = pd.Series([3.2, 0.0, -1.0], index=["a", "b", "c"])
    found = gt.suggest_family(y)
    assert found.impossible["gamma"] == "y = 0 in row b; gamma needs y > 0"
    assert "y = 3.2 in row a" in found.impossible["poisson"]


def test_a_known_total_rules_out_more_successes_than_trials():
    found = gt.suggest_family([3, 8], trials=[2, 9])
    assert found.impossible["binomial"].startswith("y = 3 in row 0 of 2 trials")


def test_proportions_of_known_totals_are_read_as_counts():
    found = gt.suggest_family([0.25, 0.5, 1.0], trials=4)
    assert set(found.candidates) == {"binomial", "betabinomial"}


def test_a_proportion_of_exactly_one_asks_for_the_total():
    found = gt.suggest_family([0.2, 0.5, 1.0])
    assert "Give trials=" in found.impossible["beta"]


def test_two_strings_booleans_and_missing_values_are_read():
    for y in (["yes", "no", None, "yes"], [True, False, None, True], [1, 0, np.nan, 1]):
        found = gt.suggest_family(y)
        assert set(found.candidates) == {"binomial"}
        assert "1 missing" in str(found)


def test_large_whole_numbers_may_be_counts_or_rounded_measurements():
    found = gt.suggest_family([33, 40, 51, 60])
    assert {"poisson", "normal", "gamma"} <= set(found.candidates)
    assert "rounded measurements" in found.candidates["gamma"]


def test_it_shows_as_text_and_as_a_table_and_recalls_what_the_assumption_is_about():
    found = gt.suggest_family([0, 3, 1, 12])
    for text in (str(found), found._repr_html_()):
        assert "poisson" in text and "given the predictors and the random effects" in text
    assert "<th scope=" in found._repr_html_()
    assert "y &gt; 0" in found._repr_html_()


@pytest.mark.parametrize(
    ("y", "trials", "message"),
    [
        ([], None, "y has no values"),
        ([np.nan, None], None, "every value of y is missing"),
        ([1.0, np.inf], None, "y is infinite in row 1"),
        (["a", "b", "c"], None, "y must be numbers or have two levels; it has 3 levels: a, b, c"),
        ([1, 2, 3], [4, 5], "trials must be one number or one for each of the 3 values of y"),
        ([1, 2], [4, 0], "trials must be whole numbers above 0; row 1 has 0"),
    ],
)
def test_wrong_input_is_named(y, trials, message):
    with pytest.raises(ValueError, match=message):
        gt.suggest_family(y, trials)
