"""`simulate` draws from the model that it was told, says what it drew, and refuses what cannot be.

Whether a fit recovers the truth is asked in test_simulate_slow.py.
"""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import special

import glmmtools as gt
from glmmtools.designs.simulation import (
    covariance,  # a doctest run puts the module in place of gt's name
)

LAYOUT = gt.designs.rcbd(["A", "B"], blocks=30, replicates=2)
FORMULA = "y ~ treatment + (1 | block)"
SHAPES = {"t": {"phi": 0.5, "df": 6.0}, "beta": {"phi": 8.0}, "betabinomial": {"phi": 5.0}}


def truth_of(data):
    return data.attrs["truth"]


def many(n=40_000):
    return pd.DataFrame({"x": np.tile([0.0, 1.0], n // 2), "g": np.arange(n) // 4})


# ------------------------------------------------------------------------------ what is drawn


@pytest.mark.parametrize("name", list(gt.FAMILIES))
def test_every_family_is_drawn_with_the_mean_and_variance_of_its_formulas(name):
    """Within 4.5 Monte-Carlo standard errors of 40,000 draws a mean (variance: by the kurtosis)."""
    family, shape = gt.family(name), SHAPES.get(name, {})
    response = "prop(y, n)" if family.takes_trials else "y"
    trials = {"trials": 7} if family.takes_trials else {}
    data = gt.simulate(f"{response} ~ x", many(80_000), name, coef=[0.4, 0.3], **shape, **trials)
    assert not family.outside_support(
        data["y"].to_numpy(float), data["n"].to_numpy() if trials else None
    ).any()
    parameters = truth_of(data)["dispersion"]
    for x, rows in data.groupby("x"):
        mu = family.default_link.inverse(0.4 + 0.3 * x)
        y = rows["y"].to_numpy(float)
        mean, variance = (f(mu, **parameters, **trials) for f in (family.mean, family.variance))
        error = np.std(y) / np.sqrt(len(y)), np.std((y - y.mean()) ** 2) / np.sqrt(len(y))
        assert abs(y.mean() - mean) < 4.5 * error[0]
        assert abs(y.var() - variance) < 4.5 * error[1]


def test_random_effects_drawn_have_the_covariance_asked_for():
    layout = gt.designs.repeated(20_000, range(3), time="day")
    data = gt.simulate(
        "y ~ day + (day | subject)", layout, sd={"subject": [2.0, 0.5]}, corr={"subject": -0.4}
    )
    drawn = pd.DataFrame(truth_of(data)["random_effects"])
    wide = drawn.pivot(index="level", columns="term", values="value")
    np.testing.assert_allclose(
        wide[["Intercept", "day"]].cov(), [[4.0, -0.4], [-0.4, 0.25]], atol=0.15, rtol=0.05
    )


def test_the_response_is_the_linear_predictor_of_the_truth_where_the_residual_is_small():
    layout = gt.designs.repeated(5, range(4), time="day", treatments=["A", "B"])
    layout["area"] = 2.0
    data = gt.simulate(
        "y ~ treatment + (1 | subject) + ar1(day | subject) + offset(log(area))", layout,
        coef={"treatment[T.B]": 3.0}, sd={"(1 | subject)": 1, "ar1(day | subject)": 2},
        rho={"subject": 0.6}, phi=1e-16,
    )  # fmt: skip
    effects = pd.DataFrame(truth_of(data)["random_effects"]).set_index(["level", "term"])["value"]
    for _, row in data.iterrows():
        level = str(row["subject"])
        expected = np.log(2) + 3.0 * (row["treatment"] == "B")
        expected += effects[level, "Intercept"] + effects[level, f"day[{row['day']}]"]
        assert row["y"] == pytest.approx(expected, abs=1e-6)


def test_one_stream_each_lets_a_switch_change_only_what_it_is_about():
    plain = gt.simulate(FORMULA, LAYOUT, coef=[5, 1], sd=1.0)
    missing = gt.simulate(FORMULA, LAYOUT, coef=[5, 1], sd=1.0, missing=0.1)
    fewer = gt.simulate(FORMULA, LAYOUT, coef=[5, 1], sd=1.0, imbalance=0.6)
    wrong = gt.simulate(FORMULA, LAYOUT, coef=[5, 1], sd=1.0, outliers=0.05)
    assert missing["y"].isna().sum() == 12
    pd.testing.assert_series_equal(missing["y"].dropna(), plain["y"][missing["y"].notna()])
    pd.testing.assert_series_equal(fewer["y"], plain["y"][fewer.index])
    assert 0.5 < len(fewer) / len(plain) < 0.9
    assert fewer["block"].nunique() == 30
    far = (wrong["y"] - plain["y"]).abs()
    assert (far > 0).sum() == 6
    np.testing.assert_allclose(far[far > 0], 6.0)
    assert truth_of(wrong)["departures"] == {"outliers": 0.05}


def test_extra_zeros_overdispersion_and_a_wrong_link_are_what_they_say():
    n = 40_000
    zeros = gt.simulate("y ~ 1", many(n), "poisson", coef=[1.5], zero_inflation=0.3)["y"]
    expected = 0.3 + 0.7 * np.exp(-np.exp(1.5))
    assert abs((zeros == 0).mean() - expected) < 4.5 * np.sqrt(expected * (1 - expected) / n)
    spread = gt.simulate("y ~ 1", many(n), "poisson", coef=[1.5], overdispersion=0.5)["y"]
    mean = np.exp(1.5 + 0.125)  # of a log-normal, and its variance on top of the Poisson's
    assert spread.var() == pytest.approx(mean + mean**2 * np.expm1(0.25), rel=0.05)
    probit = gt.simulate("y ~ 1", many(n), "binomial", coef=[1.0], wrong_link="probit")
    assert probit["y"].mean() == pytest.approx(special.ndtr(1.0), abs=4.5 * 0.37 / np.sqrt(n))
    assert truth_of(probit)["link"] == "logit"


def test_trials_come_from_the_layout_or_from_the_argument():
    layout = LAYOUT.assign(n=np.arange(len(LAYOUT)) % 5 + 1)
    data = gt.simulate("prop(y, n) ~ 1", layout, "binomial", coef=[0.2])
    pd.testing.assert_series_equal(data["n"], layout["n"])
    pair = gt.simulate("cbind(s, f) ~ 1", LAYOUT, "binomial", coef=[0.2], trials=9)
    assert (pair["s"] + pair["f"] == 9).all()
    assert set(gt.simulate("y ~ 1", LAYOUT, "binomial")["y"]) == {0, 1}


# ------------------------------------------------------------------------------ the truth


def test_the_truth_survives_what_pandas_does_to_a_frame():
    data = gt.simulate(FORMULA, LAYOUT, coef=[1, 2], sd=1.5, missing=0.1)
    truth = truth_of(data)
    for copied in (data.copy(), data.dropna(), data[data["block"] == "1"], copy.deepcopy(data)):
        assert truth_of(copied) is truth
    pd.concat([data, gt.simulate(FORMULA, LAYOUT, coef=[1, 2], sd=1.5, seed=1)])
    assert truth_of(pickle.loads(pickle.dumps(data))) == truth
    assert LAYOUT.attrs == {}
    assert "random_effects: 30 values" in repr(truth)


def test_recovery_reads_the_truth_of_the_data_that_were_fitted():
    data = gt.simulate(FORMULA, LAYOUT, coef=[5, 1], sd=1.0, phi=0.7**2, missing=0.05)
    m = gt.fit(FORMULA, data)
    table = gt.recovery(m)
    assert list(table.columns) == ["true", "estimate", "conf_low", "conf_high", "covered"]
    assert table["true"].to_dict() == {
        "Intercept": 5.0, "treatment[T.B]": 1.0, "sd block Intercept": 1.0,
        "residual sd": 0.7,
    }  # fmt: skip
    np.testing.assert_allclose(table["estimate"][:2], m.params)
    assert table["estimate"]["residual sd"] == m.dispersion["residual sd"]
    assert table["covered"].isna().tolist() == [False, False, True, True]
    profile = gt.recovery(m, profile=True)
    assert profile["covered"].notna().all()
    row = profile.loc["sd block Intercept"]
    assert row["conf_low"] < row["estimate"] < row["conf_high"]


def test_recovery_of_a_naive_model_shows_what_it_leaves_out():
    data = gt.simulate(FORMULA, LAYOUT, "poisson", coef=[1, 0.5], sd=1.0)
    table = gt.recovery(gt.fit("y ~ treatment", data, "poisson"))
    assert np.isnan(table.loc["sd block Intercept", "estimate"])
    lost = gt.fit("y ~ treatment", pd.DataFrame(data.to_dict("list")), "poisson")
    with pytest.raises(ValueError, match="carry no truth"):
        gt.recovery(lost)
    pd.testing.assert_frame_equal(gt.recovery(lost, truth=data)[["true"]], table[["true"]])


@pytest.mark.parametrize(
    ("formula", "parameters", "names"),
    [
        ("y ~ 1 + (x | g)", {"sd": [1, 0.5], "corr": 0.3},
         ["sd g Intercept", "sd g x", "corr g Intercept, x"]),
        ("y ~ 1 + (x || g)", {"sd": [1, 0.5]}, ["sd g Intercept", "sd g x"]),
        ("y ~ 1 + cs(f | g)", {"sd": 1, "rho": 0.3}, ["sd g cs(f)", "corr g cs(f)"]),
        ("y ~ 1 + ar1(t | g)", {"sd": 1, "rho": 0.8}, ["sd g ar1(t)", "corr g ar1(t)"]),
        ("y ~ 1 + (1 | g) + (0 + x | g)", {"sd": {"g": [1, 0.5]}}, ["sd g Intercept", "sd g x"]),
    ],
)  # fmt: skip
def test_parameters_have_the_same_names_in_the_truth_and_in_the_fit(formula, parameters, names):
    layout = pd.DataFrame({"g": np.repeat(np.arange(40), 6), "t": np.tile(np.arange(6), 40)})
    layout["x"], layout["f"] = layout["t"] - 2.5, (layout["t"] % 3).astype(str)
    data = gt.simulate(formula, layout, phi=0.25, **parameters)
    table = gt.recovery(gt.fit(formula, data))
    assert list(table.index) == ["Intercept", *names, "residual sd"]
    assert table[["true", "estimate"]].notna().all(axis=None)


# ------------------------------------------------------------------------------ covariance


def test_the_covariance_of_a_layout_is_zgz_plus_r_by_hand():
    layout = gt.designs.split_plot(["a", "b"], ["x", "y", "z"], 2)
    V = covariance(
        "y ~ 1 + (1 | block/whole_plot)", layout,
        sd={"block": 2, "block:whole_plot": 1}, phi=0.5,
    )  # fmt: skip
    same_block = layout["block"].to_numpy()[:, None] == layout["block"].to_numpy()
    same_plot = layout["whole_plot"].to_numpy()[:, None] == layout["whole_plot"].to_numpy()
    np.testing.assert_allclose(V, 4 * same_block + same_plot + 0.5 * np.eye(12), atol=1e-12)


def test_the_covariance_of_slopes_and_series_is_that_of_their_definitions():
    layout = gt.designs.repeated(2, [0, 1, 3], time="day")
    same = layout["subject"].to_numpy()[:, None] == layout["subject"].to_numpy()
    day = layout["day"].to_numpy(float)
    slopes = covariance("y ~ 1 + (day | subject)", layout, sd=[2, 0.5], corr=0.25, phi=1)
    G = np.array([[4, 0.25], [0.25, 0.25]])
    Z = np.column_stack([np.ones(6), day])
    np.testing.assert_allclose(slopes, same * (Z @ G @ Z.T) + np.eye(6), atol=1e-12)
    series = covariance("y ~ 1 + ar1(day | subject)", layout, sd=3, rho=-0.5, phi=1)
    power = (-0.5) ** np.abs(day[:, None] - day)
    np.testing.assert_allclose(series, same * 9 * power + np.eye(6), atol=1e-12)


def test_without_random_terms_the_covariance_is_r():
    np.testing.assert_array_equal(covariance("y ~ treatment", LAYOUT, phi=2), 2 * np.eye(120))


# ------------------------------------------------------------------------------ residuals

TIMES = np.array([0.0, 1.0, 2.0, 3.0])
APART = np.abs(TIMES[:, None] - TIMES)
US = np.array([[1, 0.5, 0.3, -0.2], [0.5, 1, 0.6, 0.1], [0.3, 0.6, 1, 0.4], [-0.2, 0.1, 0.4, 1]])
GROWING = [1.0, 1.5, 2.0, 3.0]
STATED = {
    "us": ({"sd": GROWING, "corr": US[np.tril_indices(4, -1)]}, np.outer(GROWING, GROWING) * US),
    "us by a matrix": ({"sd": GROWING, "corr": US}, np.outer(GROWING, GROWING) * US),
    "cs": ({"sd": 2, "rho": 0.4}, 4 * np.where(APART == 0, 1, 0.4)),
    "hcs": (
        {"sd": GROWING, "rho": -0.2}, np.outer(GROWING, GROWING) * np.where(APART == 0, 1, -0.2)
    ),
    "ar1": ({"sd": 2, "rho": -0.6}, 4 * (-0.6) ** APART),
    "har1": ({"sd": GROWING, "rho": 0.6}, np.outer(GROWING, GROWING) * 0.6**APART),
    "ou": ({"sd": 2, "rho": 0.6}, 4 * 0.6**APART),
    "toep": (
        {"sd": 2, "corr": [0.5, 0.2, -0.1]}, 4 * np.array([1, 0.5, 0.2, -0.1])[APART.astype(int)]
    ),
}  # fmt: skip


def visits(subjects, times=TIMES, seed=0):
    """A row for each time of each subject, in mixed order, two fifths of them missing."""
    layout = pd.DataFrame(
        {"who": np.repeat(np.arange(subjects), len(times)), "time": np.tile(times, subjects)}
    )
    return layout.sample(frac=0.6, random_state=seed)


@pytest.mark.parametrize("name", STATED)
def test_residuals_are_drawn_with_the_covariance_stated(name):
    """Each moment within 4.5 Monte-Carlo standard errors, of the pairs of rows that are there."""
    parameters, R = STATED[name]
    data = gt.simulate(
        "y ~ time", visits(12_000), coef=[3, 1], seed=5,
        residual=f"{name.split()[0]}(time | who)", **parameters,
    )  # fmt: skip
    error = (data["y"] - 3 - data["time"]).rename("error")
    wide = pd.concat([data[["who", "time"]], error], axis=1).pivot(
        index="who", columns="time", values="error"
    )
    known = wide.notna().to_numpy().astype(float)
    pairs = known.T @ known
    found = wide.fillna(0).T.to_numpy() @ wide.fillna(0).to_numpy() / pairs
    spread = np.sqrt((np.outer(np.diag(R), np.diag(R)) + R**2) / pairs)
    assert np.max(np.abs(found - R) / spread) < 4.5
    np.testing.assert_allclose(wide.mean() / np.sqrt(np.diag(R) / np.diag(pairs)), 0, atol=4.5)


@pytest.mark.parametrize("name", STATED)
def test_the_covariance_of_a_layout_holds_its_residuals(name):
    parameters, R = STATED[name]
    layout = visits(8)
    V = gt.covariance("y ~ 1", layout, residual=f"{name.split()[0]}(time | who)", **parameters)
    place = layout["time"].to_numpy().astype(int)
    same = layout["who"].to_numpy()[:, None] == layout["who"].to_numpy()
    np.testing.assert_allclose(V, same * R[np.ix_(place, place)], atol=1e-12)
    sd = {"who": 2, "Residual": parameters["sd"]}
    both = gt.covariance(
        "y ~ 1 + (1 | who)", layout, residual=f"{name.split()[0]}(time | who)",
        **parameters | {"sd": sd},
    )  # fmt: skip
    np.testing.assert_allclose(both, V + 4 * same, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in STATED if "by a matrix" not in name])
def test_a_fit_recovers_the_residuals_that_made_its_data(name):
    """Each profile interval of 99.99 % covers, and its names are those of the truth."""
    parameters, _ = STATED[name]
    residual = f"{name.split()[0]}(time | who)"
    data = gt.simulate(
        "y ~ time", visits(250), coef=[3, 1], residual=residual, seed=2, **parameters
    )
    table = gt.recovery(gt.fit("y ~ time", data, residual=residual), profile=True, level=0.9999)
    assert table.notna().all(axis=None)
    assert table["covered"].all()


def test_of_one_departure_the_draws_are_else_the_same():
    layout = visits(40)
    parts = {"residual": "ar1(time | who)", "sd": {"who": 2, "Residual": 1}, "rho": 0.5}
    formula = "y ~ time + (1 | who)"
    whole = gt.simulate(formula, layout, **parts)
    fewer = gt.simulate(formula, layout, imbalance=0.5, outliers=0.05, **parts)
    assert len(fewer) < len(whole)
    moved = (fewer["y"] - whole["y"].reindex(fewer.index)).abs()
    np.testing.assert_allclose(moved[moved > 0], 6)  # standard deviations of the residual
    alone = {"residual": "ar1(time | who)", "sd": 1, "rho": 0.5}
    by_group = gt.simulate("y ~ 1", layout, imbalance=0.9, **alone).groupby("who").size()
    assert by_group.min() == 1


@pytest.mark.parametrize(
    "sd", [2, {"Residual": 2}, {"who": 2}, {"ar1(time | who)": 2}, {"ar1(time|who)": 2}]
)
def test_residuals_are_called_as_in_tables_as_written_or_by_their_group(sd):
    data = gt.simulate("y ~ 1", visits(9), residual="ar1(time|who)", sd=sd, rho={"Residual": 0.3})
    assert truth_of(data)["components"] == {
        "sd Residual ar1(time)": 2.0, "corr Residual ar1(time)": 0.3
    }  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "arguments", "message"),
    [
        ("y ~ 1", {}, r"sd has no value for 'Residual' of ar1\(time | who\)"),
        ("y ~ 1", {"sd": 0, "rho": 0.5}, "sd of 'Residual'.*above 0; got 0"),
        ("y ~ 1", {"sd": 1, "rho": 1.5}, "rho of 'Residual' must be strictly between"),
        ("y ~ 1", {"sd": 1, "rho": 0.5, "phi": 2}, "whole covariance.*goes with no phi="),
        ("y ~ 1", {"sd": 1, "rho": 0.5, "phi": [1.0] * 21 + [2]}, "goes with no phi="),
        ("y ~ 1", {"sd": 1, "rho": 0.5, "residual": "us(time | who)"}, "needs 4 values.*got 1"),
        ("y ~ 1", {"sd": 1, "rho": 0.5, "residual": "ar(time | who)"}, "no covariance structure"),
        ("y ~ 1", {"sd": 1, "rho": 0.5, "residual": "(1 | who)"}, "residual= is one structure"),
        ("y ~ 1", {"sd": 1, "rho": 0.5, "residual": "ar1(time | whom)"}, "mean 'who'"),
        ("y ~ 1", {"sd": 1, "rho": 0.5, "link": "log"}, "normal models with identity link"),
        ("y ~ 1", {"sd": 1, "rho": 0.5, "family": "gamma"}, "normal models with identity link"),
        ("y ~ 1 + (1 | who)", {"sd": 1, "rho": 0.5}, r"dict by grouping factor \(who, Residual"),
        ("y ~ 1 + (1 | who)", {"sd": {"who": 1}, "rho": 0.5}, "no value for 'Residual'"),
        ("y ~ 1 + (1 | who)", {"sd": {"who": 1, "Residual": 1}, "rho": {"who": 0.5}},
         "rho names 'who'"),
    ],
)  # fmt: skip
def test_residuals_that_cannot_be_drawn_are_refused_in_one_sentence(formula, arguments, message):
    given = {"layout": visits(9), "residual": "ar1(time | who)"} | arguments
    with pytest.raises(ValueError, match=message):
        gt.simulate(formula, **given)


# ------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("formula", "family", "arguments", "message"),
    [
        (FORMULA, "normal", {"sd": {"block": -1}}, r"sd of 'block' \(a standard dev.*got -1"),
        (FORMULA, "normal", {"sd": 1, "phi": -2}, "residual variance.*above 0; got -2"),
        (FORMULA, "normal", {"sd": {"blok": 1}}, "'blok'.*did you mean 'block'"),
        (FORMULA, "normal", {}, r"sd has no value for 'block' of \(1 \| block\)"),
        (FORMULA, "normal", {"sd": {"block": [1, 2]}}, "needs 1 value .columns Intercept.; got 2"),
        (FORMULA, "normal", {"sd": 1, "corr": 0.5}, "no random term of the formula takes corr"),
        (FORMULA, "normal", {"sd": 1, "coef": {"treatmnt[T.B]": 1}}, "mean 'treatment.T.B.'"),
        (FORMULA, "normal", {"sd": 1, "coef": [1, 2, 3]}, "coef needs 2 values.*got 3"),
        (FORMULA, "poisson", {"sd": 1, "phi": 2}, "poisson has no dispersion phi"),
        (FORMULA, "poisson", {"sd": 1, "df": 3}, "df is for the t family"),
        (FORMULA, "normal", {"sd": 1, "zero": 0.1}, "zero is for counts"),
        (FORMULA, "poisson", {"sd": 1, "zero_inflation": 1.2}, "probability, 0 or more"),
        (FORMULA, "normal", {"sd": 1, "missing": 1}, "missing is a fraction"),
        (FORMULA, "normal", {"sd": 1, "trials": 5}, "trials= is for successes"),
        (FORMULA, "binomial", {"sd": 1, "trials": 5}, r"prop\(y, n\) in place of y"),
        ("prop(y, n) ~ 1", "binomial", {}, "needs the number of trials.*'n'"),
        ("prop(y, n) ~ 1", "binomial", {"trials": 2.5}, "whole numbers, 1 or more; row 0"),
        ("log(y) ~ 1", "normal", {}, "must be the name of the column"),
        ("y ~ tretment", "normal", {}, "no column 'tretment'.*did you mean 'treatment'"),
        ("y ~ 1 + (1 | pen)", "normal", {"sd": 1}, "there is no column 'pen'"),
        ("y ~ 1", "poisson", {"coef": [-1], "link": "identity"}, "row 0 has the mean -1.*above 0"),
        ("y ~ 1", "poisson", {"coef": [800]}, "no astronomical number.*scale of the log link"),
        ("y ~ 1", "binomial", {"coef": [1.5], "link": "identity"}, "mean 1.5.*between 0 and 1"),
        ("y ~ 1 + (column | block)", "normal", {"sd": [1, 1], "corr": 1}, "between -1 and 1; got"),
        ("y ~ 1 + ar1(column | block)", "normal", {"sd": 1}, "rho has no value for 'block'"),
        ("y ~ 1 + ar1(column | block)", "normal", {"sd": 1, "rho": -1.5}, "rho of 'block'"),
        ("y ~ 1 + cs(column | block)", "normal", {"sd": 1, "rho": -0.5}, "between -0.3333 and 1"),
        ("y ~ 1 + (0 + C(column) | block)", "normal",
         {"sd": [1] * 4, "corr": [0.9, 0.9, -0.9, 0, 0, 0]}, "do not fit together"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused_in_one_sentence(formula, family, arguments, message):
    with pytest.raises(ValueError, match=message):
        gt.simulate(formula, LAYOUT, family, **arguments)


def test_a_layout_with_a_missing_value_is_refused():
    layout = LAYOUT.assign(x=1.0)
    layout.loc[3, "x"] = np.nan
    with pytest.raises(ValueError, match="column 'x' of the layout has a missing value in row 3"):
        gt.simulate("y ~ x", layout)
