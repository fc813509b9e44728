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


# ---- what people bring ---------------------------------------------------------------------------


def test_whole_numbers_up_to_100_may_be_per_cent():
    scored = {"ordered_beta": [0, 5, 10, 25, 40, 100, 80], "beta": [5, 10, 25, 40] * 3 + [80]}
    for inner, y in scored.items():
        found = gt.suggest_family(y)
        assert list(found.candidates) == ["binomial", "betabinomial", inner]
        assert "trials=100" in found.candidates["binomial"]
        assert "divided by 100" in found.candidates[inner] and "per cent" in str(found)
        assert found.doubtful["poisson"].startswith("if these are not per cent")


@pytest.mark.parametrize("y", [[33, 40, 51, 60], [0, 3, 1, 12, 0, 5], [0, 7, 13, 61, 22, 4]])
def test_counts_are_not_taken_for_per_cent(y):
    found = gt.suggest_family(y)
    assert "poisson" in found.candidates and not found.notes


def test_scores_and_categories_are_sent_to_ordered_models():
    found = gt.suggest_family([1, 2, 5, 4, 3, 3, 2, 5])
    assert "1 to 5 may be scores" in str(found) and "ordinal::clmm" in found._repr_html_()
    with pytest.raises(ValueError, match=r"3 levels: high, low, mid.*ordinal::clmm"):
        gt.suggest_family(["low", "high", "mid", "low"])


def test_measurements_with_zeros_have_two_parts():
    y = [0.0, 1.53, 4.31, 0.0, 2.2, 7.9]
    found = gt.suggest_family(y)
    assert list(found.candidates) == ["gamma", "lognormal"]
    assert "zero_inflation='~ 1', for 2 of 6 values are 0" in found.candidates["gamma"]
    shares = gt.suggest_family([0.0, 0.53, 0.31, 0.0, 0.2, 0.9])
    assert list(shares.candidates)[:2] == ["beta", "ordered_beta"]
    assert "zero_inflation" in shares.candidates["beta"]
    with_ones = gt.suggest_family([0.0, 0.53, 0.31, 1.0, 0.2])
    assert "beta" in with_ones.impossible and "ordered_beta" in with_ones.candidates


def test_what_is_suggested_for_zeros_can_be_fitted():
    rng = np.random.default_rng(4)
    y = np.where(rng.random(60) < 0.3, 0, rng.gamma(2, 2, 60))
    for name, reason in gt.suggest_family(y).candidates.items():
        assert "zero_inflation='~ 1'" in reason
        assert gt.fit("y ~ 1", {"y": y}, name, zero_inflation="~ 1").converged


def test_heaped_measurements_are_said_to_be_rounded():
    y = np.random.default_rng(1).normal(17, 3, 30).round() * 10
    assert "100% are multiples of 10" in str(gt.suggest_family(y))


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (pd.date_range("2026-01-01", periods=4), r"y holds dates.*\(y - start\)\.dt\.days"),
        ([pd.Timestamp("2026-01-01").date()] * 2, "y holds dates"),
        (pd.to_timedelta([1, 2], unit="D"), "y holds lengths of time.*total_seconds"),
    ],
)
def test_dates_are_refused_with_what_to_write(y, said):
    with pytest.raises(ValueError, match=said):
        gt.suggest_family(y)
