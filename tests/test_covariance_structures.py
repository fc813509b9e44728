"""Covariances of the levels of a factor: as in glmmTMB, by their formulas, or a clear refusal."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.covariances.lookup import STRUCTURES
from tests import dense_laplace
from tests.dense_laplace import Rows
from tests.quiet_fits import quietly

HERE = Path(__file__).parent / "reference"
MODELS = json.loads((HERE / "covariances.json").read_text())["models"]
WEEKS = np.array([0.0, 1.0, 3.0, 4.0])


# ------------------------------------------------------------------------------ glmmTMB


@pytest.mark.parametrize("model_id", MODELS)
def test_fits_are_glmmtmbs(model_id):
    reference = MODELS[model_id]
    name = reference["data"]
    data = pd.read_csv(HERE / "data" / "series.csv") if name == "series" else gt.load_data(name)
    model = quietly(reference["formula"], data, reference["family"])
    assert model.converged
    assert model.llf == pytest.approx(reference["llf"], abs=1e-5)
    apart = (model.params - np.array(reference["estimate"])) / model.bse
    np.testing.assert_allclose(apart, 0, atol=1e-4)
    if not model.is_linear:  # of a linear model ours are given the variances, as lme4's
        np.testing.assert_allclose(model.bse, reference["std_error"], rtol=5e-4)


# ------------------------------------------------------------------------------ by their formulas


def expected_covariance(name, sds, correlations):
    """The matrix of the structure at `WEEKS`, or at equal distances, as its name says."""
    q = len(WEEKS)
    if name == "us":
        C = np.eye(q)
        C[np.tril_indices(q, -1)] = correlations
        C = np.tril(C) + np.tril(C, -1).T
    elif name in ("cs", "hcs"):
        C = np.where(np.eye(q) == 1, 1.0, correlations[0])
    elif name == "toep":
        C = np.append(1.0, correlations)[np.abs(np.subtract.outer(range(q), range(q)))]
    else:
        C = correlations[0] ** np.abs(np.subtract.outer(WEEKS, WEEKS))
    return C * np.outer(sds, sds)


def visits(seed=3, groups=25):
    """Up to four visits of each animal, of which some are missing; a count and a measurement."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"animal": np.repeat(np.arange(groups), 4), "week": np.tile(WEEKS, groups)})
    data["visit"] = np.tile(np.arange(4), groups)
    root = np.linalg.cholesky(0.6 ** np.abs(np.subtract.outer(WEEKS, WEEKS)))
    effects = (rng.normal(size=(groups, 4)) @ root.T * [0.4, 0.6, 0.8, 1.0]).ravel()
    data["count"] = rng.poisson(np.exp(1 + 0.1 * data["week"] + effects))
    data["y"] = 3 + effects + rng.normal(0, 0.3, len(data))
    return data[rng.random(len(data)) < 0.85].reset_index(drop=True)


def parameters(model, name):
    table = model.variance_components
    rows = table[table["group"] == "animal"]
    sds = np.broadcast_to(rows["sd"], 4)
    if name == "us":
        corr = rows.filter(like="corr").to_numpy()
        return sds, np.concatenate([corr[i, :i] for i in range(4)])
    return sds, rows.filter(like="corr").to_numpy()[0]


NAMES = ("us", "cs", "hcs", "har1", "toep", "ou", "ar1")


@pytest.mark.parametrize("family", ["poisson", "normal"])
@pytest.mark.parametrize("name", NAMES)
def test_the_likelihood_is_that_of_the_covariance_in_the_table(name, family):
    data, time = visits(), "visit" if name == "toep" else "week"
    response = "count" if family == "poisson" else "y"
    model = quietly(f"{response} ~ week + {name}({time} | animal)", data, family)
    G = expected_covariance(name, *parameters(model, name))
    place = data["visit"].to_numpy()
    same = data["animal"].to_numpy()[:, None] == data["animal"].to_numpy()
    K = np.where(same, G[place[:, None], place], 0.0)
    fixed = model.params["Intercept"] + model.params["week"] * data["week"].to_numpy()
    y = data[response].to_numpy(float)
    if family == "normal":
        phi = model.dispersion["phi"]
        expected = dense_laplace.exact_normal(y, fixed, K + phi * np.eye(len(y)), None)
    else:
        expected = dense_laplace.laplace(Rows(y, "poisson", "log"), fixed, K)
    assert model.converged
    assert model.llf == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("family", ["poisson", "normal"])
def test_no_structure_is_below_one_that_it_contains(family):
    data, response = visits(), "count" if family == "poisson" else "y"
    llf = {
        name: quietly(f"{response} ~ week + {name}(week | animal)", data, family).llf
        for name in ("us", "cs", "hcs", "har1", "ar1", "ou")
    }
    llf["toep"] = quietly(f"{response} ~ week + toep(visit | animal)", data, family).llf
    llf["(1 | animal)"] = quietly(f"{response} ~ week + (1 | animal)", data, family).llf
    contained = [
        ("us", "hcs"), ("us", "har1"), ("us", "toep"), ("hcs", "cs"), ("har1", "ar1"),
        ("toep", "cs"), ("cs", "(1 | animal)"), ("ar1", "(1 | animal)"), ("ou", "(1 | animal)"),
        ("ar1", "ou"),
    ]  # fmt: skip
    below = [(one, other) for one, other in contained if llf[one] < llf[other] - 1e-4]
    assert not below


def test_the_general_covariance_of_levels_is_that_of_their_columns():
    data = visits().assign(visit=lambda d: d["visit"].map(dict(enumerate("pqrs"))))
    one = quietly("count ~ week + us(visit | animal)", data, "poisson")
    other = quietly("count ~ week + (0 + visit | animal)", data, "poisson")
    assert one.llf == pytest.approx(other.llf, abs=1e-8)
    np.testing.assert_allclose(one.bse, other.bse, rtol=1e-6)


@pytest.mark.parametrize("unit", [1 / 60, 1440.0])
def test_the_unit_of_continuous_time_changes_its_correlation_only(unit):
    data = visits()
    rng = np.random.default_rng(1)
    data["time"] = data["week"] + rng.uniform(0, 0.9, len(data))
    one = quietly("count ~ week + ou(time | animal)", data, "poisson")
    other = quietly(
        "count ~ week + ou(time | animal)", data.assign(time=unit * data["time"]), "poisson"
    )
    assert other.converged
    assert other.llf == pytest.approx(one.llf, abs=1e-7)
    rho, scaled = (m.variance_components["corr"].iloc[0] for m in (one, other))
    assert scaled == pytest.approx(rho ** (1 / unit), rel=1e-4)


def test_at_whole_times_continuous_time_is_a_first_order_autoregression():
    data = visits()
    series, process = (quietly(f"count ~ week + {name}(week | animal)", data, "poisson")
                       for name in ("ar1", "ou"))  # fmt: skip
    assert process.llf == pytest.approx(series.llf, abs=1e-7)
    assert process.variance_components["corr"].iloc[0] == pytest.approx(
        series.variance_components["corr"].iloc[0], rel=1e-4
    )


# ------------------------------------------------------------------------------ the class


@pytest.mark.parametrize("name", ["us", "cs", "hcs", "har1", "toep", "ou", "ar1"])
def test_gradients_are_the_differences_of_rows(name):
    rng, n = np.random.default_rng(2), 60
    codes = np.sort(rng.integers(0, 12, n))
    codes = np.unique(codes, return_inverse=True)[1]
    structure = STRUCTURES[name]
    if structure.of_time:
        time = pd.Series(rng.permutation(n)).astype(float).to_numpy()
        structure = structure("t", codes, time)
    else:
        levels = rng.integers(0, 4, n)
        structure = structure("t", codes, np.eye(4)[levels], tuple("pqrs"), (0, 1, 2, 3))
    theta = rng.normal(0.7, 0.2, structure.n_params)
    F = rng.normal(size=structure.rows(theta).shape)
    steps = 1e-6 * np.eye(len(theta))
    differences = [
        np.sum((structure.rows(theta + step) - structure.rows(theta - step)) * F) / 2e-6
        for step in steps
    ]
    np.testing.assert_allclose(structure.gradient(theta, F), differences, atol=1e-6)
    again = structure.theta_of(structure.covariance(theta), structure.rho(theta))
    np.testing.assert_allclose(structure.covariance(again), structure.covariance(theta))


# ------------------------------------------------------------------------------ after the fit


@pytest.mark.parametrize("name", ["us", "hcs", "har1", "toep", "ou"])
def test_everything_after_the_fit_knows_the_structure(name):
    data, time = visits(groups=40), "visit" if name == "toep" else "week"
    model = quietly(f"count ~ week + {name}({time} | animal)", data, "poisson")
    assert f"{name}({time} | animal)" in str(model)
    assert "animal" in str(model.equation())
    effects = len(data) if name == "ou" else 4 * data["animal"].nunique()
    assert len(model.random_effects) == effects
    assert model.simulate(n=2, seed=1).shape == (2, len(data))
    new = data.iloc[[0, 5]]
    np.testing.assert_allclose(model.predict(new), model.fittedvalues.iloc[[0, 5]], rtol=1e-8)
    residuals = model.simulated_residuals(20)
    assert np.isfinite(residuals.residuals).all()
    assert model.report()


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("us", {"sd": [0.5, 0.6, 0.7, 0.8], "corr": [0.7, 0.5, 0.7, 0.4, 0.5, 0.7]}),
        ("hcs", {"sd": [0.5, 0.6, 0.7, 0.8], "rho": 0.5}),
        ("har1", {"sd": [0.5, 0.6, 0.7, 0.8], "rho": 0.6}),
        ("toep", {"sd": 0.7, "corr": [0.7, 0.5, 0.2]}),
        ("ou", {"sd": 0.7, "rho": 0.6}),
    ],
)
def test_what_is_simulated_is_found_again(name, truth):
    layout = pd.DataFrame({"animal": np.repeat(np.arange(400), 4), "week": np.tile(range(4), 400)})
    data = gt.simulate(
        f"y ~ 1 + {name}(week | animal)", layout, "poisson", coef=[1.5], seed=4, **truth
    )
    model = quietly(f"y ~ 1 + {name}(week | animal)", data, "poisson")
    table = gt.recovery(model)
    assert model.converged
    np.testing.assert_allclose(table["estimate"], table["true"], atol=0.16)


@pytest.mark.parametrize(("name", "contained"), [("hcs", "cs"), ("har1", "ar1")])
@pytest.mark.parametrize("seed", [4, 17, 23, 37, 41])
def test_a_variance_of_zero_is_a_maximum_beside_a_correlation(name, contained, seed):
    """The correlation does not depend on it, and the likelihood has an edge there, no top."""
    rng, g, time = np.random.default_rng(seed), np.repeat(np.arange(8), 3), np.tile(range(3), 8)
    data = pd.DataFrame({"g": g, "time": time, "x": rng.normal(size=24)})
    data["y"] = rng.poisson(np.exp(1 + rng.normal(0, 0.5, 24) * (time != 1)))
    model = quietly(f"y ~ x + {name}(time | g)", data, "poisson")
    assert model.converged and model.singular
    assert model.llf >= quietly(f"y ~ x + {contained}(time | g)", data, "poisson").llf - 1e-6
    assert np.isfinite(model.bse).all()


# ------------------------------------------------------------------------------ what is not told


@pytest.mark.parametrize("name", ["har1", "toep"])
@pytest.mark.parametrize("level", ["visit 0{}", "{}", "20{}-01"])
def test_levels_of_text_are_in_order_where_a_formula_names_it_or_their_numbers_do(name, level):
    data = visits()
    words = data["visit"].map(dict(enumerate(["first", "next", "later", "last"])))
    data = data.assign(text=[level.format(each) for each in data["visit"]], word=words)
    right = quietly(f"y ~ 1 + {name}(visit | animal)", data).llf
    order = "C(word, levels=['first', 'next', 'later', 'last'])"
    for term in ("text", order):
        found = quietly(f"y ~ 1 + {name}({term} | animal)", data)
        assert found.llf == pytest.approx(right, abs=1e-6)
        assert found.predict(data.head()).to_list() == pytest.approx(found.predict().head())
    with pytest.raises(ValueError, match="first, last, later, next"):
        gt.fit(f"y ~ 1 + {name}(word | animal)", data)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("har1(half | animal)", "must be whole numbers"),
        ("toep(week | animal)", "must be equally far apart"),
        (
            "us(x | animal)",
            r"For a random slope of x write \(x \| animal\)",
        ),
        ("us(week + visit | animal)", "one factor"),
        (
            "har1(text | animal)",
            r"alphabet's: visit 0, visit 12, visit 4, visit 8.*C\(text, levels=\[",
        ),
        ("toep(number | animal)", r"alphabet's: 0, 12, 4, 8.*C\(number, levels=\["),
    ],
)
def test_times_that_do_not_suit_are_refused_with_what_to_write(term, message):
    data = visits().assign(half=lambda d: d["week"] / 2, x=lambda d: np.arange(len(d)) / 7)
    data["number"] = (4 * data["visit"]).astype(str)
    data["text"] = "visit " + data["number"]
    with pytest.raises(ValueError, match=message):
        gt.fit(f"y ~ 1 + {term}", data)


@pytest.mark.parametrize("name", ["us", "toep"])
def test_a_residual_that_cannot_be_told_from_the_effects_is_named(name):
    with pytest.warns(gt.DataWarning, match="not which part of the variance is that of"):
        model = gt.fit(f"y ~ 1 + {name}(visit | animal)", visits())
    assert model.converged
    assert f"residual='{name}(visit | animal)' in its place" in str(model.messages[0])
    limits = model.conf_int(method="profile")[["conf_low", "conf_high"]]
    variances = limits.index.str.startswith(("sd ", "corr ", "residual"))
    assert limits[variances].isna().all(axis=None) and limits[~variances].notna().all(axis=None)


def rows(times, animals=40, twice=False):
    """Rows of animals at some times, or at each time two."""
    data = pd.DataFrame(
        {"animal": np.repeat(np.arange(animals), times), "time": np.tile(range(times), animals)}
    )
    data = pd.concat([data, data]) if twice else data
    rng = np.random.default_rng(1)
    level, slope = rng.normal(size=(2, animals))
    y = level[data["animal"]] + 0.5 * slope[data["animal"]] * data["time"].to_numpy()
    return data.assign(y=y + rng.normal(size=len(data)))


# what Var(y) of one animal holds: variances and covariances, or functions of as many numbers
TOLD = {
    ("us(time | animal)", 3): 6,
    ("toep(time | animal)", 3): 3,
    ("cs(time | animal)", 3): 2,
    ("ar1(time | animal)", 2): 2,
    ("ar1(time | animal)", 3): 3,
    ("ou(time | animal)", 2): 2,
    ("hcs(time | animal)", 2): 3,
    ("hcs(time | animal)", 3): 5,
    ("har1(time | animal)", 2): 3,
    ("har1(time | animal)", 3): 5,
    ("(1 | animal) + us(time | animal)", 3): 6,
    ("(time | animal) + us(time | animal)", 4): 10,
    ("(1 | animal) + toep(time | animal)", 4): 4,
    ("(1 | animal) + cs(time | animal)", 4): 2,
    ("(1 | animal) + ar1(time | animal)", 4): 4,
    ("(1 | animal) + (time | animal)", 4): 4,
    ("(1 | animal) + (0 + time | animal)", 4): 3,
}  # fmt: skip


@pytest.mark.parametrize(("terms", "times"), TOLD)
def test_the_parameters_are_those_that_the_rows_tell(terms, times):
    told = TOLD[terms, times]
    assert quietly(f"y ~ 1 + {terms}", rows(times)).df_model == 1 + told


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ("us(time | animal)", 7),
        ("us(time | animal) + (1 | animal:time)", 7),
        ("(1 | animal) + cs(time | animal)", 3),
        ("(1 | animal) + (1 | animal:time)", 3),
    ],
)
def test_several_rows_of_a_time_tell_their_residual_variance(terms, told):
    assert quietly(f"y ~ 1 + {terms}", rows(3, twice=True)).df_model == 1 + told


def test_of_counts_no_residual_variance_is_told():
    data = rows(3).assign(count=lambda d: np.floor(np.exp(d["y"])))
    for terms, told in [("us(time | animal)", 6), ("(1 | animal) + us(time | animal)", 6)]:
        assert quietly(f"count ~ 1 + {terms}", data, "poisson").df_model == 1 + told


def test_a_correlation_of_times_that_no_animal_has_is_not_told_and_named():
    data = rows(3)
    data = data[np.where(data["animal"] % 2, data["time"] > 0, data["time"] < 2)]
    with pytest.warns(gt.DataWarning) as caught:
        model = gt.fit("y ~ 1 + us(time | animal)", data)
    assert model.df_model == 1 + 5
    assert "more variances and correlations than these data can tell" in str(caught[1].message)


@pytest.mark.parametrize(
    ("terms", "spare", "beside"),
    [
        ("(1 | animal) + us(time | animal)", "(1 | animal)", "us(time | animal)"),
        ("(time | animal) + toep(time | animal)", "(time | animal)", "toep(time | animal)"),
        ("(1 | animal) + (time | animal)", "(1 | animal)", "(time | animal)"),
        ("(time | animal) + (1 | animal)", "(1 | animal)", "(time | animal)"),
        ("cs(time | animal) + us(time | animal)", "cs(time | animal)", "us(time | animal)"),
        ("us(time | animal) + cs(time | animal)", "cs(time | animal)", "us(time | animal)"),
    ],
)
def test_a_term_that_another_holds_is_named_with_what_to_drop(terms, spare, beside):
    model = quietly(f"y ~ 1 + {terms}", rows(4))
    said = [str(each) for each in model.messages if "cannot tell" in str(each)]
    assert said == [
        f"These data cannot tell {spare} from {beside}, whose covariance can be the same: leave "
        f"{spare} out."
    ]


def test_two_pairs_of_terms_that_hold_each_other_are_named_apart():
    data = rows(4).assign(x=lambda d: np.sin(np.arange(len(d))), even=lambda d: d["time"] % 2 == 0)
    model = quietly("y ~ 1 + (even * x || animal)", data)
    said = [str(each) for each in model.messages if "cannot tell" in str(each)]
    assert [each.split(", whose")[0].removeprefix("These data cannot tell ") for each in said] == [
        "(1 | animal) from (0 + even | animal)", "(0 + x | animal) from (0 + even:x | animal)"
    ]  # fmt: skip


@pytest.mark.parametrize("crossed", [False, True])
def test_large_blocks_are_asked_by_group(crossed):
    """300 rows of one year depend on each other; the two rows of an animal tell as before."""
    data = rows(3, animals=200)
    data["year"] = data["animal"] % 2 if not crossed else np.arange(len(data)) % 4
    terms = "us(time | animal) + (1 | year)"
    assert quietly(f"y ~ 1 + {terms}", data).df_model == 1 + 6 + 1
