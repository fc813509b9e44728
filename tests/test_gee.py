"""Population-averaged models: estimating equations against geepack, statsmodels and NumPy."""

import json
import pickle
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import glmmtools as gt

ROOT = Path(__file__).parent.parent
REFERENCE = {
    each["id"]: each for each in json.loads((ROOT / "tests/reference/gee.json").read_text())
}
SAME = 1e-7  # coefficients in standard errors, standard errors and phi relative, correlations


def load(name):
    if name == "series":
        return pd.read_csv(ROOT / "tests" / "reference" / "data" / "series.csv")
    return gt.load_data(name)


def fitted(reference, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.DataWarning)  # of few groups
        return gt.gee(
            reference["formula"], load(reference["data"]), OUR_NAME[reference["family"]],
            link=reference["link"], groups=reference["groups"], time=reference["time"],
            weights=reference["weights"], working=reference["working"], **options,
        )  # fmt: skip


OUR_NAME = {"gaussian": "normal", "binomial": "binomial", "poisson": "poisson", "Gamma": "gamma"}


# ------------------------------------------------------------------------------ R


@pytest.mark.parametrize("name", REFERENCE)
def test_the_equations_are_solved_as_by_geepack_at_the_same_correlation(name):
    reference = REFERENCE[name]
    model = fitted(reference)
    std_error = np.array(reference["std_error"])
    assert np.abs((model.params - reference["estimate"]) / std_error).max() < SAME
    assert np.abs(model.bse / std_error - 1).max() < SAME
    if reference["working"] != "independence":
        assert np.abs(model.working_correlation.alpha - np.array(reference["alpha"])).max() < SAME
    if "phi" in model.dispersion:
        assert model.dispersion["phi"] == pytest.approx(reference["phi"], rel=SAME)


def test_with_geepacks_own_moments_the_fits_differ_by_a_part_of_a_standard_error():
    for reference in REFERENCE.values():
        own = reference["geepack"]
        if own is None:
            continue
        std_error = np.array(reference["std_error"])
        away = np.abs(np.array(own["estimate"]) - reference["estimate"]) / std_error
        same = reference["working"] == "independence"
        assert away.max() < (SAME if same else 0.15), reference["id"]


# ------------------------------------------------------------------------------ statsmodels


DIRECT = {
    "exchangeable": sm.cov_struct.Exchangeable,
    "independence": sm.cov_struct.Independence,
    "unstructured": sm.cov_struct.Unstructured,
    "ar1": lambda: sm.cov_struct.Autoregressive(grid=True),  # no gaps, groups of one size
}


@pytest.mark.parametrize("working", DIRECT)
@pytest.mark.parametrize("name", ["wheeze", "epilepsy"])
def test_a_fit_is_that_of_statsmodels_called_directly(name, working):
    if name == "wheeze":
        formula, family, theirs = "wheeze ~ age + smoke", "binomial", sm.families.Binomial()
        groups, time = "child", "age"
    else:
        formula, family, theirs = "seizures ~ treatment * base", "poisson", sm.families.Poisson()
        groups, time = "subject", "period"
    data = gt.load_data(name)
    model = gt.gee(formula, data, family, groups=groups, time=time, working=working)
    place = data[time].rank(method="dense").astype(int) - 1
    result = smf.gee(
        formula, data[groups].astype(str), data, time=place, family=theirs,
        cov_struct=DIRECT[working](),
    ).fit(ctol=1e-10, maxiter=200)  # fmt: skip
    assert model.params.sort_index().to_numpy() == pytest.approx(
        result.params.sort_index().to_numpy(), rel=1e-7
    )
    assert model.bse.sort_index().to_numpy() == pytest.approx(
        result.bse.sort_index().to_numpy(), rel=1e-7
    )
    if working != "independence":
        assert model.working_correlation.alpha == pytest.approx(
            result.cov_struct.dep_params, abs=1e-8
        )


# ------------------------------------------------------------------------------ NumPy


def visits(seed=0, groups=60, keep=0.7):
    """Rows of groups at some of the days 0 to 8, in any order; responses of every kind."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {"g": np.repeat(np.arange(groups), 9), "day": np.tile(np.arange(9.0), groups)}
    )
    series = rng.normal(size=(groups, 9))
    for k in range(1, 9):
        series[:, k] = 0.7 * series[:, k - 1] + np.sqrt(0.51) * series[:, k]
    data["x"], data["w"] = rng.normal(size=len(data)), rng.integers(1, 5, len(data))
    eta = 0.4 + 0.5 * data["x"] + 0.6 * series.ravel()
    data["y"] = eta + rng.normal(0, 0.3, len(data))
    data["count"] = rng.poisson(np.exp(eta))
    data["amount"] = rng.gamma(2.0, np.exp(eta) / 2.0)
    data["k"] = rng.binomial(data["w"], 1 / (1 + np.exp(-eta)))
    data["area"] = rng.uniform(0.5, 2.0, len(data))
    return data[rng.uniform(size=len(data)) < keep].sample(frac=1, random_state=seed)


def score_and_sandwich(model, data, w, times):
    """The estimating equations at the estimate, and the robust covariance, by dense matrices."""
    design, mu = model.design, model.fittedvalues.to_numpy()
    y = design.y if design.trials is None else design.y / design.trials
    slope = model.link.derivatives(model.linear_predictor.to_numpy())[0]
    of_one = {"trials": 1} if design.trials is not None else dict.fromkeys(model.family.shape, 1.0)
    sd = np.sqrt(model.family.variance(mu, **of_one) / w)
    D = slope[:, None] * design.X
    score, bread, meat = 0.0, 0.0, 0.0
    for rows in data.reset_index(drop=True).groupby("g").indices.values():
        apart = np.abs(times[rows][:, None] - times[rows])
        R = model.working_correlation.alpha**apart
        if model.working_correlation.name == "exchangeable":
            R = np.where(apart == 0, 1.0, model.working_correlation.alpha)
        V = np.linalg.inv(sd[rows][:, None] * R * sd[rows])
        part = D[rows].T @ V @ (y - mu)[rows]
        score, bread = score + part, bread + D[rows].T @ V @ D[rows]
        meat = meat + np.outer(part, part)
    back = np.linalg.inv(bread)
    return score / np.sqrt(np.diag(meat)), back @ meat @ back


KINDS = {
    "normal": ("y ~ x", {}),
    "normal, weights": ("y ~ x", {"weights": "w"}),
    "poisson, offset": ("count ~ x + offset(log(area))", {"family": "poisson"}),
    "gamma": ("amount ~ x", {"family": "gamma"}),
    "gamma, weights": ("amount ~ x", {"family": "gamma", "weights": "w"}),
    "successes": ("prop(k, w) ~ x", {"family": "binomial"}),
    "probit": ("prop(k, w) ~ x", {"family": "binomial", "link": "probit"}),
}


@pytest.mark.parametrize("working", ["ar1", "exchangeable"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_working_correlation_of_two_rows_is_that_of_their_times(kind, working):
    formula, options = KINDS[kind]
    data = visits()
    model = gt.gee(formula, data, groups="g", working=working, time="day", **options)
    weighted = "weights" in options or "prop" in formula
    w = data["w"].to_numpy() if weighted else np.ones(len(data))
    score, covariance = score_and_sandwich(model, data, w, data["day"].to_numpy())
    assert np.abs(score).max() < 1e-7
    assert model.cov_params().to_numpy() == pytest.approx(covariance, rel=1e-7)


def test_a_gap_counts_and_the_order_of_the_rows_does_not():
    data = visits()
    model = gt.gee("y ~ x", data, groups="g", working="ar1", time="day")
    in_order = data.sort_values(["g", "day"])
    again = gt.gee("y ~ x", in_order, groups="g", working="ar1", time="day")
    assert again.params.to_numpy() == pytest.approx(model.params.to_numpy(), rel=1e-9)
    with pytest.warns(gt.DataWarning, match=r"have \d to 9 rows, which count as the first.*time="):
        without = gt.gee("y ~ x", in_order, groups="g", working="ar1")
    assert abs(without.params["x"] - model.params["x"]) > 0.01 * model.bse["x"]
    assert without.working_correlation.alpha < model.working_correlation.alpha - 0.05


def test_alpha_is_that_of_one_unit_of_time():
    data = visits()
    model = gt.gee("y ~ x", data, groups="g", working="ar1", time="day")
    assert model.working_correlation.alpha == pytest.approx(0.7 * 0.36 / 0.45, abs=0.08)
    for unit in (7, 1 / 24):
        scaled = data.assign(time=data["day"] * unit)
        other = gt.gee("y ~ x", scaled, groups="g", working="ar1", time="time")
        assert other.params.to_numpy() == pytest.approx(model.params.to_numpy(), rel=1e-8)
        alpha = other.working_correlation.alpha
        assert alpha**unit == pytest.approx(model.working_correlation.alpha, rel=1e-8)


def test_a_negative_correlation_of_neighbours_is_found():
    data = visits(keep=1.0)
    flipped = (-1) ** data["day"]
    data["y"] = 1 + (data["y"] - data["y"].mean()) * flipped
    alpha = gt.gee("y ~ 1", data, groups="g", working="ar1", time="day").working_correlation.alpha
    assert -1 < alpha < -0.3
    halves = data.assign(day=data["day"] / 2)  # no power of a negative number: no correlation
    model = gt.gee("y ~ 1", halves, groups="g", working="ar1", time="day")
    assert model.working_correlation.alpha == 0


def test_units_and_origin_of_a_response_change_nothing_but_units():
    data = visits()
    model = gt.gee("y ~ x", data, groups="g")
    for scale, origin in ((1e6, 0), (1e-6, 0), (1, 1e8)):
        moved = data.assign(y=scale * data["y"] + origin)
        other = gt.gee("y ~ x", moved, groups="g")
        assert other.params["x"] / scale == pytest.approx(model.params["x"], rel=1e-7)
        assert (other.bse / scale).to_numpy() == pytest.approx(model.bse.to_numpy(), rel=1e-7)


def test_independent_trials_in_rows_of_their_own_are_the_same_as_successes():
    data = visits()
    rows = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    number = rows.groupby(["g", "day"]).cumcount()
    rows["success"] = (number < rows["k"]).astype(int)
    options = {"family": "binomial", "groups": "g", "working": "independence"}
    one, many = (
        gt.gee(formula, frame, **options)
        for formula, frame in (("prop(k, w) ~ x", data), ("success ~ x", rows))
    )
    assert one.params.to_numpy() == pytest.approx(many.params.to_numpy(), rel=1e-8)
    assert one.bse.to_numpy() == pytest.approx(many.bse.to_numpy(), rel=1e-8)
    share = data.assign(share=data["k"] / data["w"])
    weighted = gt.gee("share ~ x", share, weights="w", **options)
    assert weighted.params.to_numpy() == pytest.approx(one.params.to_numpy(), rel=1e-12)


# ------------------------------------------------------------------------------ what it is, verbs


@pytest.fixture(scope="module")
def child():
    return gt.gee("wheeze ~ age + smoke", gt.load_data("wheeze"), "binomial", groups="child")


def test_the_working_correlation_is_read_in_summary_attribute_report_and_table(child):
    assert child.working_correlation.alpha == pytest.approx(0.3541, abs=1e-4)
    table = child.working_correlation.frame
    assert list(table.index) == [1, 2, 3, 4] and table.loc[1, 1] == 1
    assert table.loc[1, 4] == child.working_correlation.alpha
    words = "exchangeable within child: 0.354 between any two rows"
    assert words in str(child) and words in repr(child.working_correlation)
    assert "GEE, robust standard errors (engine gee)" in str(child)
    assert "child: 537 levels" in str(child)
    assert "The working correlation was 0.354 between any two rows." in str(child.report())
    assert "exchangeable (0.35)" in str(gt.table(child))
    assert "AIC" not in str(child) + str(child.report()) + str(gt.table(child))
    assert r"\mathrm{Corr}(\text{wheeze}_i, \text{wheeze}_j) &= \alpha" in child.equation()


def test_the_equation_has_the_working_correlation_of_the_model():
    data = visits()
    for working, text in {
        "ar1": r"= \alpha^{|\text{day}_i - \text{day}_j|}",
        "independence": "= 0",
        "unstructured": r"= \alpha_{\text{day}_i, \text{day}_j}",
    }.items():
        model = gt.gee("y ~ x", data, groups="g", working=working, time="day")
        assert text in model.equation()
        assert model.equation().count(r"\mathrm{E}") == 1
    successes = gt.gee("prop(k, w) ~ x", data, "binomial", groups="g").equation()
    assert r"\mathrm{E}(\text{k}_i) &= N_i\,\mu_i" in successes


def test_means_contrasts_predictions_and_tests_use_the_robust_covariance(child):
    V = child.cov_params()
    row = child.tidy().loc["age"]
    assert row["std_error"] == np.sqrt(V.loc["age", "age"]) and row["df"] == np.inf
    assert child.anova().loc["age", "statistic"] == pytest.approx(row["statistic"] ** 2)
    contrast = child.means("smoke", scale="link").contrasts().frame.iloc[0]
    assert contrast["std_error"] == pytest.approx(child.bse["smoke[T.yes]"])
    x = np.array([1.0, 8.0, 1.0])
    new = pd.DataFrame({"age": [8], "smoke": ["yes"]})
    found = child.predict(new, scale="link", level=0.95).iloc[0]
    assert found["std_error"] == pytest.approx(np.sqrt(x @ V.to_numpy() @ x))
    for effects in ("population", "marginal"):
        both = child.predict(new, effects=effects), child.predict(new, effects="conditional")
        assert both[0].to_numpy() == pytest.approx(both[1].to_numpy(), rel=1e-14)


WORK = {
    "conf_int": lambda m: m.conf_int().shape == (3, 2),
    "contrast_df": lambda m: m.contrast_df([0, 1, 0]).tolist() == [np.inf],
    "glance": lambda m: m.glance()["engine"].item() == "gee" and np.isnan(m.glance()["aic"].item()),
    "resid": lambda m: np.isfinite(m.resid("pearson")).all(),
    "refit": lambda m: m.refit(m.design.y).params.equals(m.params),
    "slopes": lambda m: "age" in str(m.means("smoke", at={"age": [7, 9]}).contrasts()),
    "plot_effects": lambda m: "random" not in m.plot_effects("age", by="smoke").get_title("left"),
    "plot_fit": lambda m: m.plot_fit().get_xlabel() == "fitted probability",
    "summary": lambda m: m.summary() is None,
    "recovery": lambda m: np.isnan(
        gt.recovery(m, {"coefficients": {"age": 0}, "components": {}, "dispersion": {},
                        "family": "binomial"}).loc["Intercept", "true"]
    ),
}  # fmt: skip
NO_LIKELIHOOD = {
    "cross_check": lambda m: gt.cross_check(m),
    "llf": lambda m: m.llf,
    "aic": lambda m: m.aic,
    "bic": lambda m: m.bic,
    "anova": lambda m: m.anova(test="lr"),
    "compare": lambda m: gt.compare(m, m),
    "profile": lambda m: m.conf_int(method="profile"),
    "bootstrap": lambda m: m.bootstrap(n=2),
    "bootstrap_lrt": lambda m: gt.bootstrap_lrt(m, m, n=2),
    "simulate": lambda m: m.simulate(),
    "simulated_residuals": lambda m: m.simulated_residuals(),
    "power": lambda m: gt.power(m, n=2),
}
NO_RANDOM_EFFECTS = {
    "random_covariance": lambda m: m.random_covariance("child"),
    "pooling": lambda m: m.pooling(),
    "plot_random_effects": lambda m: m.plot_random_effects(),
    "plot_shrinkage": lambda m: m.plot_shrinkage(),
    "plot_covariance": lambda m: m.plot_covariance(),
}


@pytest.mark.parametrize("verb", WORK)
def test_a_verb_that_makes_sense_works(verb, child):
    assert WORK[verb](child)
    assert WORK[verb](pickle.loads(pickle.dumps(child)))
    plt.close("all")


@pytest.mark.parametrize("verb", NO_LIKELIHOOD)
def test_a_verb_that_needs_a_likelihood_names_the_way(verb, child):
    with pytest.raises(ValueError, match=r"need.* the likelihood.*anova\(\).*\(1 \| child\)") as no:
        NO_LIKELIHOOD[verb](pickle.loads(pickle.dumps(child)))
    assert ". " not in str(no.value)


@pytest.mark.parametrize("verb", NO_RANDOM_EFFECTS)
def test_a_verb_of_random_effects_names_the_way(verb, child):
    with pytest.raises(ValueError, match=r"no random effects; gt.fit.*\(1 \| child\)") as no:
        NO_RANDOM_EFFECTS[verb](child)
    assert ". " not in str(no.value)


def test_other_views_of_a_likelihood_refuse_too(child):
    with pytest.raises(ValueError, match=r"working correlation .* no covariance of its rows"):
        child.covariance([0, 1])
    with pytest.raises(ValueError, match=r"no hierarchy.*equation"):
        gt.plot_hierarchy(child)
    with pytest.raises(ValueError, match="effects='conditional' is for random effects"):
        child.plot_effects("age", effects="conditional")
    plt.close("all")
    mixed = gt.fit("reaction ~ days + (1 | subject)", gt.load_data("sleep"))
    with pytest.raises(ValueError, match=r"that of a population-averaged model, gt\.gee"):
        mixed.working_correlation  # noqa: B018


# ------------------------------------------------------------------------------ input


def test_groups_and_times_are_named_and_may_have_any_name():
    data = visits()
    plain = gt.gee("y ~ x", data, groups="g", working="ar1", time="day")
    named = data.rename(columns={"g": "the group", "day": "day no."})
    other = gt.gee("y ~ x", named, groups="the group", working="ar1", time="day no.")
    assert other.params.equals(plain.params)
    assert "rows 1 apart in day no." in str(other)
    # numbers within halves of the groups, as pens within farms
    nested = data.assign(farm=data["g"] % 2, pen=data["g"] // 2)
    other = gt.gee("y ~ x", nested, groups="farm:pen", working="ar1", time="day")
    assert other.params.to_numpy() == pytest.approx(plain.params.to_numpy(), rel=1e-9)
    assert other.n_groups == {"farm:pen": 60}
    labels = data.assign(g=data["g"].map("group {}".format).astype("category"))
    assert gt.gee("y ~ x", labels, groups="g").n_groups == {"g": 60}


def test_a_row_without_a_group_or_a_time_is_left_out():
    data = visits().astype({"g": float})
    data.iloc[0, data.columns.get_loc("day")] = np.nan
    data.iloc[1, data.columns.get_loc("g")] = np.nan
    model = gt.gee("y ~ x", data, groups="g", working="ar1", time="day")
    assert (model.nobs, model.n_dropped) == (len(data) - 2, 2)
    assert gt.gee("y ~ x", data, groups="g").n_dropped == 1


def test_times_in_levels_go_with_unstructured():
    data = visits(keep=0.95)
    data = data[data["day"] < 3]
    words = pd.Categorical(data["day"].map({0: "start", 1: "middle", 2: "end"}),
                           categories=["start", "middle", "end"])  # fmt: skip
    by_number = gt.gee("y ~ x", data, groups="g", working="unstructured", time="day")
    by_word = gt.gee("y ~ x", data.assign(visit=words), groups="g", working="unstructured",
                     time="visit")  # fmt: skip
    assert by_word.params.equals(by_number.params)
    frame = by_word.working_correlation.frame
    assert list(frame.columns) == ["start", "middle", "end"]
    assert frame.loc["start", "middle"] > frame.loc["start", "end"] > 0.1


def test_columns_that_others_determine_are_left_out():
    data = visits().assign(twice=lambda d: 2 * d["x"])
    with pytest.warns(gt.DataWarning, match="twice"):
        model = gt.gee("y ~ x + twice", data, groups="g")
    assert model.params.equals(gt.gee("y ~ x", data, groups="g").params)


WRONG = [
    ({"groups": "h"}, "there is no column 'h'"),
    ({"time": "h", "working": "ar1"}, "there is no column 'h'"),
    ({"groups": np.arange(3)}, r"groups= is the name of a column; got a ndarray.*data.assign"),
    ({"groups": None}, "groups= is the name of a column"),
    ({"time": [1, 2]}, "time= is the name of a column; got a list"),
    ({"working": "AR1"}, "working must be one of exchangeable, ar1, independence, unstructured"),
    ({"formula": "y ~ x + (1 | g)"}, r"no random terms: leave \(1 \| g\) out; groups="),
    ({"family": "beta", "formula": "share ~ x"}, "GEE has no beta family"),
    ({"family": "nbinom1", "formula": "count ~ x"}, "family='poisson' has the same means"),
    ({"formula": "y ~ 0"}, "needs a fixed effect"),
    ({"groups": "one"}, "2 coefficients need more groups than that, and 'one' has 1 level"),
    ({"groups": "row"}, "0 pairs of rows in one group do not tell a correlation.*independence"),
    ({"working": "ar1", "time": "day", "groups": "pair"},
     r"pair '\d+' has day = \d more than once; working='ar1' needs distinct"),
    ({"working": "ar1", "time": "word"}, "must be a column of numbers for working='ar1'.*'d"),
    ({"working": "ar1", "time": "date"}, "'date' holds dates"),
    ({"working": "unstructured", "time": "x"}, "too few for a correlation of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_wrong_input_is_refused_with_the_way(change, message):
    data = visits()
    data = data.assign(
        one=1, row=np.arange(len(data)), pair=data["g"] // 2, share=0.5 * data["area"] / 2,
        word="d" + data["day"].astype(str),
        date=pd.Timestamp("2024-01-01") + pd.to_timedelta(data["day"], "D"),
    )  # fmt: skip
    arguments = {"formula": "y ~ x", "data": data, "groups": "g"} | change
    with pytest.raises(ValueError, match=message):
        gt.gee(**arguments)


def test_the_engine_gee_of_fit_names_gee():
    with pytest.raises(ValueError, match=r"engine 'gee'.*gt.gee\(formula, data, family, groups="):
        gt.fit("y ~ x", visits(), engine="gee")


# ------------------------------------------------------------------------------ warnings


def test_few_groups_and_impossible_correlations_are_said_once_each():
    data = visits()
    few = data[data["g"] < 20]
    with pytest.warns(gt.DataWarning, match=r"'g' has 20 levels; 40 or more.*\(1 \| g\)") as said:
        model = gt.gee("y ~ x", few, groups="g")
    assert len(said) == len(model.messages) == 1
    assert said[0].filename == __file__
    rng = np.random.default_rng(1)
    pair = pd.DataFrame({"g": np.repeat(np.arange(50), 2), "y": rng.normal(size=100)})
    pair.loc[1::2, "y"] = -pair["y"].to_numpy()[::2]
    with pytest.warns(gt.DataWarning, match="exchangeable correlations .* no correlation matrix"):
        assert gt.gee("y ~ 1", pair, groups="g").working_correlation.alpha < -1


def test_separated_data_do_not_converge_silently():
    data = visits().assign(always=lambda d: (d["day"] > 4).astype(int))
    data["success"] = np.where(data["always"] == 1, 1, (data["x"] > 0).astype(int))
    with pytest.warns(gt.SeparationWarning, match="'always' has no finite value"):
        model = gt.gee("success ~ always", data, "binomial", groups="g", working="independence")
    assert not model.converged


def test_equations_that_are_not_solved_are_said(monkeypatch):
    monkeypatch.setattr("glmmtools.engine.gee._MAX_STEPS", 2)
    with pytest.warns(gt.ConvergenceWarning, match="did not solve its equations in 2 steps"):
        model = gt.gee("count ~ x", visits(), "poisson", groups="g")
    assert not model.converged
    with pytest.raises(ValueError, match="did not converge, and anova"):
        model.anova()
