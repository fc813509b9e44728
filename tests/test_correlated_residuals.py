"""Residuals with a covariance structure: as in nlme and glmmTMB, by closed forms, or refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import glmmtools as gt
from glmmtools.covariances import lookup
from glmmtools.engine import blocks, correlated
from glmmtools.engine.marginals import marginal_of
from glmmtools.engine.several_starts import best_end
from glmmtools.inference.profile import Profile
from glmmtools.studies.models import at_size
from tests.quiet_fits import quietly
from tests.slow import some_slow

HERE = Path(__file__).parent / "reference"
MODELS = json.loads((HERE / "residuals.json").read_text())["models"]


def data_of(name):
    if name == "series":
        return pd.read_csv(HERE / "data" / "series.csv")
    data = gt.load_data(name.removesuffix("7"))
    return data[data["week"] <= 7] if name == "pigs7" else data


# ------------------------------------------------------------------------------ nlme and glmmTMB


@pytest.mark.parametrize("model_id", MODELS)
def test_fits_are_those_of_nlme_and_glmmtmb(model_id):
    reference = MODELS[model_id]
    model = gt.fit(
        reference["formula"], data_of(reference["data"]), residual=reference["residual"],
        reml=reference["reml"],
    )  # fmt: skip
    assert model.converged
    assert model.llf == pytest.approx(reference["llf"], abs=1e-5)
    apart = (model.params - np.array(reference["estimate"])) / model.bse
    np.testing.assert_allclose(apart, 0, atol=1e-3)
    np.testing.assert_allclose(model.bse, reference["std_error"], rtol=5e-4)
    assert model.df_model == reference["df_model"]


@pytest.mark.parametrize("model_id", ["pigs_us", "pigs_toep", "sleep_cs", "oats_us_block"])
def test_a_residual_variance_that_a_random_term_holds_is_no_parameter(model_id):
    reference = MODELS[model_id]
    model = quietly(
        f"{reference['formula']} + {reference['residual']}", data_of(reference["data"]),
        reml=reference["reml"],
    )  # fmt: skip
    assert model.llf == pytest.approx(reference["llf"], abs=1e-5)
    assert model.df_model == reference["df_model"]
    assert model.aic == pytest.approx(2 * reference["df_model"] - 2 * reference["llf"], abs=1e-4)


# ------------------------------------------------------------------------------ closed forms

TIMES = 4
STRUCTURES = ("us", "toep", "cs", "hcs", "ar1", "har1", "ou")


def trial(groups=2, animals=8, times=TIMES, seed=0, effect=0.0, pen_sd=0.0):
    """A balanced trial of treatments, each animal measured at each time; rows in mixed order."""
    rng = np.random.default_rng(seed)
    apart = np.abs(np.subtract.outer(range(times), range(times)))
    sds = np.linspace(1, 2, times)
    root = np.linalg.cholesky(0.6**apart * np.outer(sds, sds))
    y = rng.normal(size=(groups * animals, times)) @ root.T
    treatment = np.repeat(np.arange(groups), animals)
    y += effect * treatment[:, None] * np.arange(times)
    y += pen_sd * np.repeat(rng.normal(size=(len(y) // 4 + 1, 1)), 4, axis=0)[: len(y)]
    data = pd.DataFrame(
        {
            "y": y.ravel(),
            "time": np.tile(np.arange(times), groups * animals),
            "animal": np.repeat(np.arange(groups * animals), times),
            "pen": np.repeat(np.arange(groups * animals) // 4, times),
            "treatment": np.repeat(np.array(list("ABC"))[treatment], times),
        }
    )
    return data.sample(frac=1, random_state=seed, ignore_index=True)


def wide(data):
    return data.pivot(index="animal", columns="time", values="y").to_numpy()


def test_kenward_roger_of_balanced_us_is_hotellings_exact_f():
    """Of time in one group: T² of the differences, F = (N - d) / (d (N - 1)) T² on d, N - d."""
    data = trial(groups=1, animals=12, seed=3)
    m = gt.fit("y ~ C(time)", data, residual="us(time | animal)", reml=True)
    differences = np.diff(wide(data), axis=1)
    N, d = differences.shape
    mean, S = differences.mean(axis=0), np.cov(differences.T)
    F = (N - d) / (d * (N - 1)) * N * mean @ np.linalg.solve(S, mean)
    row = m.anova(df="kenward-roger").loc["C(time)"]
    assert row["statistic"] == pytest.approx(F, rel=1e-6)
    assert row["den_df"] == pytest.approx(N - d, rel=1e-6)


def test_kenward_roger_of_treatment_by_time_is_hotellings_two_sample_f():
    data = trial(groups=2, animals=7, seed=4)
    m = gt.fit("y ~ treatment * C(time)", data, residual="us(time | animal)", reml=True)
    a, b = (np.diff(wide(part), axis=1) for _, part in data.groupby("treatment"))
    N, d = len(a) + len(b), a.shape[1]
    S = ((len(a) - 1) * np.cov(a.T) + (len(b) - 1) * np.cov(b.T)) / (N - 2)
    mean = a.mean(axis=0) - b.mean(axis=0)
    T2 = len(a) * len(b) / N * mean @ np.linalg.solve(S, mean)
    row = m.anova(df="kenward-roger").loc["treatment:C(time)"]
    assert row["statistic"] == pytest.approx((N - d - 1) / (d * (N - 2)) * T2, rel=1e-6)
    assert row["den_df"] == pytest.approx(N - d - 1, rel=1e-6)


def test_kenward_roger_of_balanced_cs_is_the_split_plot_analysis():
    data = trial(groups=2, animals=6, seed=5, effect=0.3)
    formula = "y ~ treatment * C(time)"
    m = gt.fit(formula, data, residual="cs(time | animal)", reml=True)
    split = gt.fit(f"{formula} + (1 | animal)", data, reml=True)
    for df in ("kenward-roger", "satterthwaite", "containment"):
        ours, theirs = m.anova(df=df), split.anova(df=df)
        np.testing.assert_allclose(ours["statistic"], theirs["statistic"], rtol=1e-6)
        np.testing.assert_allclose(ours["den_df"], theirs["den_df"], rtol=1e-4)
    assert m.llf == pytest.approx(split.llf, abs=1e-8)
    np.testing.assert_allclose(m.covariance(), split.covariance(), rtol=1e-6, atol=1e-9)


def test_the_balanced_us_estimate_is_the_sample_covariance():
    data = trial(groups=1, animals=15, seed=6)
    m = gt.fit("y ~ C(time)", data, residual="us(time | animal)", reml=True)
    rows = data.index[data["animal"] == 3][np.argsort(data["time"][data["animal"] == 3])]
    np.testing.assert_allclose(m.covariance(rows), np.cov(wide(data).T), rtol=1e-6)


def unbalanced(seed=1):
    """A quarter of the rows are missing."""
    data = trial(groups=2, animals=12, seed=seed, pen_sd=1.5)
    return data[np.random.default_rng(seed).random(len(data)) < 0.75].reset_index(drop=True)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("reml", [False, True])
def test_the_likelihood_is_that_of_the_normal_density_with_the_printed_covariance(name, reml):
    data = unbalanced()
    m = gt.fit(
        "y ~ treatment + time + (1 | pen)", data, residual=f"{name}(time | animal)", reml=reml
    )
    V, X, y = m.covariance().to_numpy(), m.design.X, m.design.y
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    beta = np.linalg.solve(information, X.T @ inverse @ y)
    r = y - X @ beta
    llf = np.linalg.slogdet(V)[1] + r @ inverse @ r + len(y) * np.log(2 * np.pi)
    if reml:
        llf += np.linalg.slogdet(information)[1] - len(beta) * np.log(2 * np.pi)
    assert m.converged
    assert m.llf == pytest.approx(-0.5 * llf, abs=1e-8)
    np.testing.assert_allclose(m.params, beta, rtol=1e-6)
    np.testing.assert_allclose(m.bse, np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-6)


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_slopes_are_those_of_differences(name):
    m = quietly("y ~ treatment + (time | pen)", unbalanced(), residual=f"{name}(time | animal)")
    marginal = marginal_of(m.problem)
    vector = marginal.vector_of(m.estimate) + 0.1 * np.cos(np.arange(marginal.size))
    slopes = marginal.value_and_gradient(vector)[1]
    steps = 1e-5 * np.eye(len(vector))
    differences = [(marginal.value_at(vector + s) - marginal.value_at(vector - s)) / 2e-5
                   for s in steps]  # fmt: skip
    np.testing.assert_allclose(slopes, differences, rtol=1e-5, atol=1e-5)


def test_random_effects_and_their_errors_are_the_best_linear_predictions():
    data = unbalanced(2)
    m = gt.fit("y ~ time + (1 | pen)", data, residual="ar1(time | animal)", reml=True)
    sd = m.variance_components["sd"].iloc[0]
    Z = (data["pen"].to_numpy()[:, None] == np.unique(data["pen"])).astype(float)
    inverse = np.linalg.inv(m.covariance())
    blup = sd**2 * Z.T @ inverse @ (data["y"] - m.predict(effects="population"))
    variance = sd**2 - sd**4 * np.diag(Z.T @ inverse @ Z)
    np.testing.assert_allclose(m.random_effects["estimate"], blup, rtol=1e-6)
    np.testing.assert_allclose(m.random_effects["std_error"], np.sqrt(variance), rtol=1e-6)
    conditional = m.predict(effects="population") + Z @ blup
    np.testing.assert_allclose(m.predict(), conditional, rtol=1e-8)


def test_standard_errors_of_predictions_of_cs_are_those_of_its_random_intercepts():
    """R = (1 | animal) + residual, beside which (1 | pen) is the same either way."""
    data = unbalanced(2)
    m = gt.fit("y ~ time + (1 | pen)", data, residual="cs(time | animal)", reml=True)
    same = gt.fit("y ~ time + (1 | pen) + (1 | animal)", data, reml=True)
    assert m.llf == pytest.approx(same.llf, abs=1e-7)
    new = data.assign(animal=99)
    with pytest.warns(gt.DataWarning):
        expected = same.predict(new, level=0.95)
    variance = same.variance_components.set_index("group")["variance"]["animal"]
    found = m.predict(data, level=0.95)
    np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-5)
    unseen = np.sqrt(expected["std_error"] ** 2 - variance)
    np.testing.assert_allclose(found["std_error"], unseen, rtol=2e-3)


# ------------------------------------------------------------------------------ the verbs


@pytest.fixture(scope="module")
def repeated():
    return gt.fit("y ~ treatment * time", unbalanced(), residual="har1(time | animal)")


def test_tables_name_the_residuals(repeated):
    assert list(repeated.variance_components["group"]) == ["Residual"] * TIMES
    assert repeated.df_model == 4 + TIMES + 1
    assert "residuals     har1(time | animal)" in str(repeated)
    assert "for the residuals (time[0])" in str(repeated.report())
    assert r"= \mu_i + \varepsilon_{\text{animal}[i],\text{time}_i}" in repeated.equation()
    profile = repeated.conf_int(method="profile")
    assert list(profile.index[-2:]) == ["sd Residual time[3]", "corr Residual har1(time)"]
    inside = profile["conf_low"].lt(profile["estimate"]) & profile["conf_high"].gt(
        profile["estimate"]
    )
    assert inside.all()


def test_draws_have_the_covariance(repeated):
    drawn = repeated.simulate(4000, seed=2)
    V = repeated.covariance().to_numpy()
    found, n = np.cov(drawn.T), len(drawn)
    error = np.sqrt((V**2 + np.outer(np.diag(V), np.diag(V))) / n)  # of Wishart entries
    assert np.abs((found - V) / error).max() < 5.5
    np.testing.assert_array_equal(drawn[:3], repeated.simulate(4000, seed=2)[:3])


def test_refits_and_updates(repeated):
    assert repeated.refit(repeated.design.y).llf == pytest.approx(repeated.llf, abs=1e-8)
    assert repeated.update().llf == pytest.approx(repeated.llf, abs=1e-9)
    assert repeated.update(residual=None).method == "OLS"
    other = repeated.update(residual="us(time | animal)", reml=True)
    assert other.problem.residual.structure.name == "us" and other.method == "REML"
    table = repeated.bootstrap(n=40, seed=1).conf_int(0.9)
    assert table.loc["corr Residual har1(time)", "conf_low"] > 0


def test_influence_leaves_out_animals(repeated):
    found = repeated.influence("animal")
    data = repeated.design.frame
    without = gt.fit(
        "y ~ treatment * time", data[data["animal"] != 5], residual="har1(time | animal)"
    )
    change = without.params - repeated.params
    np.testing.assert_allclose(found.change.loc[5, change.index], change, rtol=1e-4, atol=1e-7)


def test_likelihood_ratios_know_which_structures_contain_which():
    data = unbalanced()
    models = [
        gt.fit("y ~ time", data, residual=None if name is None else f"{name}(time | animal)")
        for name in (None, "ar1", "har1", "us")
    ]
    table = gt.compare(*models)
    assert list(table["reference"]) == ["", "chi2(1)", "chi2(3)", "chi2(5)"]
    ou = gt.fit("y ~ time", data, residual="ou(time | animal)")
    assert gt.compare(models[0], ou)["reference"].iloc[1] == "0.5 chi2(0) + 0.5 chi2(1)"
    cs = gt.fit("y ~ time", data, residual="cs(time | animal)")
    assert gt.compare(cs, models[2])["against"].iloc[1] == ""


def test_decorrelated_residuals_are_least_squares_of_whitened_rows():
    data = trial(seed=8)
    m = gt.fit("y ~ treatment + time", data, residual="ar1(time | animal)", reml=True)
    found = m.simulated_residuals(n=2000, seed=1)
    rho = m.variance_components["corr"].iloc[0]
    sd = m.variance_components["sd"].iloc[0]
    r = pd.Series(m.resid(), index=data.index)
    order = data.sort_values(["animal", "time"]).index
    before = r[order].groupby(data["animal"][order]).shift(1)
    white = ((r[order] - rho * before) / (sd * np.sqrt(1 - rho**2))).fillna(r[order] / sd)
    scale = np.sqrt(np.sum(white**2) / (m.nobs - 3))  # their own variance, 1 but for rounding
    expected = stats.norm.cdf(white / scale)[np.argsort(order)]
    assert scale == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(found.residuals, expected, atol=5 * 0.5 / np.sqrt(2000))


def test_residuals_of_the_right_model_show_no_autocorrelation_and_of_a_wrong_one_do():
    data = trial(animals=80, seed=9)
    right, wrong = (
        gt.fit("y ~ treatment * C(time)", data, residual=f"{name}(time | animal)")
        .simulated_residuals(n=199)
        .test_autocorrelation("time", group="animal")
        for name in ("har1", "hcs")
    )
    assert right.p_value > 0.05 > wrong.p_value


def test_a_model_with_its_residuals_can_be_simulated_from():
    m = gt.fit("y ~ treatment * time", trial(), residual="ar1(time | animal)", reml=True)
    study = gt.coverage(m, n=60, seed=1, progress=False, analysis={"reml": True})
    assert study.frame["n_failed"].sum() == 0
    assert (study.frame["coverage"] > 0.8).all()
    with pytest.raises(ValueError, match="phi= cannot replace the covariance residual="):
        gt.power(m, n=2, phi=2.0, progress=False)


def test_a_study_of_more_animals_gives_each_residuals_of_its_own():
    m = gt.fit("y ~ treatment * time", trial(), residual="us(time | animal)", reml=True)
    study = gt.power(m, terms="treatment:time", along="animal", sizes=[16, 60], n=40, seed=1,
                     progress=False, analysis={"reml": True})  # fmt: skip
    assert study.frame["n_failed"].sum() == 0
    smaller, larger = (
        at_size(m, "animal", None, {"animal": 16}),
        at_size(m, "animal", None, {"animal": 60}),
    )
    assert [each.n_groups["animal"] for each in (smaller, larger)] == [16, 60]
    with pytest.raises(ValueError, match="of its own times only"):
        at_size(m, None, "time", {"time": 6})


@pytest.mark.parametrize("side", ["residual", "random"])
def test_the_table_of_structures_is_that_of_their_fits(side):
    data = unbalanced()
    formula, options = "y ~ time + (1 | pen)", {}
    if side == "residual":
        options["residual"] = "ar1(time | animal)"
    else:
        formula += " + ar1(time | animal)"
    names = ["cs", "har1", "us"]
    table = gt.covariance_table(quietly(formula, data, **options), names)
    for name in names:
        changed = {key: text.replace("ar1", name) for key, text in options.items()}
        one = quietly(formula.replace("ar1", name), data, **changed)
        assert table.loc[name, "llf"] == pytest.approx(one.llf, abs=1e-6)
        assert table.loc[name, "df_model"] == one.df_model
        assert table.loc[name, "bic"] == pytest.approx(one.bic, abs=1e-5)
    assert list(table.index) == names and table["converged"].all()


def test_the_table_counts_the_same_parameters_on_both_sides():
    """cs, toep and us hold the residual variance: 2, 4 and 10 parameters of 4 times."""
    residual = gt.fit("y ~ time", trial(), residual="ar1(time | animal)")
    random = quietly("y ~ time + ar1(time | animal)", trial())
    names = ["cs", "toep", "us"]
    by_residual, by_random = (gt.covariance_table(m, names) for m in (residual, random))
    assert by_residual["df_model"].tolist() == by_random["df_model"].tolist() == [4, 6, 12]
    np.testing.assert_allclose(by_random["aic"], by_residual["aic"], atol=1e-4)


def test_a_structure_that_the_times_do_not_have_says_so_in_the_table():
    data = unbalanced().query("time != 2")
    table = gt.covariance_table(
        gt.fit("y ~ 1", data, residual="ar1(time | animal)"), ["toep", "cs"]
    )
    assert "must be equally far apart" in table.loc["toep", "note"]
    assert table["converged"].to_list() == [False, True]
    with pytest.raises(ValueError, match="has none"):
        gt.covariance_table(gt.fit("y ~ time + (1 | pen)", data), ["cs"])
    with pytest.raises(ValueError, match="no covariance structure 'ar2'"):
        gt.covariance_table(gt.fit("y ~ 1", data, residual="cs(time | animal)"), ["ar2"])


# ------------------------------------------------------------------------------ refusals

REFUSED = {
    "a random term that R holds": (
        {"formula": "y ~ time + (1 | animal)", "residual": "us(time | animal)"},
        r"cannot tell \(1 \| animal\) from residual='us\(time \| animal\)'.*leave \(1 \| animal\)",
    ),
    "as cs": (
        {"formula": "y ~ time + (1 | animal)", "residual": "cs(time | animal)"}, "cannot tell",
    ),
    "as toep": (
        {"formula": "y ~ time + (1 | animal)", "residual": "toep(time | animal)"}, "cannot tell",
    ),
    "a slope within us": (
        {"formula": "y ~ time + (time | animal)", "residual": "us(time | animal)"}, "cannot tell",
    ),
    "a random term that another holds": (
        {"formula": "y ~ time + (time | animal) + (1 | animal)", "residual": "ar1(time | animal)"},
        r"cannot tell \(1 \| animal\) from \(time \| animal\), .* leave \(1 \| animal\) out",
    ),
    "too few animals": (
        {"residual": "us(time | pen)", "data": lambda d: d.drop_duplicates(["pen", "time"])
         .query("pen < 4")}, r"of 4 rows for 4 levels of 'pen', too few",
    ),
    "pairs that no animal has": (
        {"residual": "us(time | animal)",
         "data": lambda d: d[(d["time"] < 2) == (d["animal"] % 2 == 0)]},
        "more parameters than these data carry.*no two rows of one 'animal'",
    ),
    "several rows at a time": ({"residual": "us(time | pen)"}, "several rows with time = "),
    "a bar alone": ({"residual": "(1 | animal)"}, r"such as 'us\(week \| pig\)'"),
    "no bar": ({"residual": "animal"}, "one structure of the rows"),
    "a nesting": ({"residual": "ar1(time | pen/animal)"}, "one structure of the rows"),
    "an unknown structure": ({"residual": "ar2(time | animal)"}, "no covariance structure 'ar2'"),
    "no such column": ({"residual": "ar1(time | animals)"}, "no column 'animals'"),
    "another family": (
        {"family": "gamma", "residual": "ar1(time | animal)", "data": lambda d: d.assign(y=9)},
        r"\+ ar1\(time \| animal\) in the formula",
    ),
    "another link": (
        {"link": "log", "residual": "ar1(time | animal)"}, r"\+ ar1\(time \| animal\) in the form",
    ),
    "weights": ({"weights": "time", "residual": "ar1(time | animal)"}, "with no weights="),
    "a dispersion formula": (
        {"dispersion_formula": "~ time", "residual": "ar1(time | animal)"},
        "with no dispersion_formula=",
    ),
    "a penalty": ({"penalty": 1.0, "residual": "ar1(time | animal)"}, "with no penalty="),
    "statsmodels": ({"engine": "statsmodels", "residual": "ar1(time | animal)"}, "no residual="),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_with_what_to_write(case):
    options, message = REFUSED[case]
    options = {"formula": "y ~ time", "data": lambda d: d} | options
    data = options.pop("data")(trial(groups=3))
    with pytest.raises(ValueError, match=message):
        gt.fit(data=data, **options)


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (lambda m: m.pooling(), "fit without residual="),
        (lambda m: m.plot_shrinkage(), "fit without residual="),
    ],
)
def test_verbs_that_need_independent_rows_refuse(verb, message):
    m = gt.fit("y ~ time + (1 | pen)", unbalanced(), residual="ar1(time | animal)")
    with pytest.raises(ValueError, match=message):
        verb(m)


def test_blocks_that_are_too_large_are_refused():
    data = pd.concat([trial(animals=200).assign(day=lambda d: d["time"]) for _ in range(1)])
    with pytest.raises(ValueError, match="joins 1600 rows into one block"):
        gt.fit("y ~ 1 + (1 | day)", data, residual="ar1(time | animal)")


def test_a_covariance_without_a_limit_is_no_estimate():
    """Ten animals in two groups and nine times: eight degrees of freedom for a 9 × 9 matrix."""
    data = trial(groups=2, animals=5, times=9, seed=2)
    with pytest.warns(gt.ConvergenceWarning, match="fewer parameters"):
        m = gt.fit("y ~ treatment * C(time)", data, residual="us(time | animal)", reml=True)
    assert not m.converged


def test_a_correlation_of_zero_is_a_limit_with_its_message():
    """Rows whose neighbours differ more than rows of two animals: ou has no such correlation."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"animal": np.repeat(np.arange(20), 4), "time": np.tile(range(4), 20)})
    data["y"] = rng.normal(size=80) + 2.0 * (-1) ** data["time"] * np.repeat(rng.normal(size=20), 4)
    with pytest.warns(gt.DataWarning, match="correlation of residual='ou.*estimated at zero"):
        m = gt.fit("y ~ 1", data, residual="ou(time | animal)")
    independent = gt.fit("y ~ 1", data)
    assert m.converged
    assert m.llf == pytest.approx(independent.llf, abs=1e-6)


@pytest.mark.parametrize("name", ["hcs", "har1"])
def test_signs_of_standard_deviations_do_not_matter(name):
    """Else they would be a model of other correlations than its name says."""
    structure = lookup.STRUCTURES[name].at_times(4)
    theta = np.array([1.0, 2.0, 0.5, 1.5, 0.3])
    signs = np.array([1, -1, 1, -1, 1])
    np.testing.assert_allclose(structure.covariance(theta), structure.covariance(signs * theta))


def test_a_search_for_a_series_starts_at_the_correlation_of_its_neighbours():
    """Of times that are 7 apart rho is far nearer to 1."""
    series = lookup.STRUCTURES["ar1"]("day", np.repeat([0, 1], 3), np.tile([0, 7, 14], 2))
    theta = series.start_at(2.0, 0.5)
    assert series.rho(theta) ** 7 == pytest.approx(0.5)


def test_blocks_that_are_the_same_give_what_each_gives_alone(monkeypatch):
    data = trial(animals=10)
    data = data[(data["time"] != 1) | (data["animal"] % 3 > 0)]  # two patterns of times
    options = {"residual": "har1(time | animal)", "reml": True}
    together = gt.fit("y ~ treatment * time", data, **options)
    marginal = marginal_of(together.problem)
    assert sorted(blocks.copies for blocks in marginal.blocks) == [7, 13]
    monkeypatch.setattr(blocks, "_OFTEN", 1000)
    alone = gt.fit("y ~ treatment * time", data, **options)
    assert all(blocks.copies == 1 for blocks in marginal_of(alone.problem).blocks)
    assert alone.llf == pytest.approx(together.llf, abs=1e-9)
    one, other = (m.anova(df="kenward-roger") for m in (together, alone))
    np.testing.assert_allclose(one[["statistic", "den_df"]], other[["statistic", "den_df"]], 1e-6)


def test_a_profile_limit_is_found_where_the_first_steps_go_too_far():
    """There the profile, traced in small steps, has fallen by half a chi-square quantile."""
    data = trial(groups=1, animals=13, seed=1)
    data = data[np.random.default_rng(1).random(len(data)) < 0.85]
    model = gt.fit("y ~ C(time)", data, residual="us(time | animal)", reml=True)
    profile, drop = Profile.of(model), stats.chi2.ppf(0.95, 1) / 2
    quantity = profile.quantities()["corr Residual time[2], time[3]"]
    estimate, _, limit = profile.interval(quantity, drop)
    falls = profile.falls(quantity, np.linspace(estimate, limit, 8))
    assert falls[-1] == pytest.approx(drop, abs=0.01)


@pytest.mark.parametrize("formula", ["y ~ 1", "y ~ 1 + (1 | animal)"])
@pytest.mark.parametrize("name", ["ar1", "cs", "ou", "har1"])
def test_residuals_of_groups_of_one_row_are_no_structure(formula, name):
    data = trial().assign(row=lambda d: np.arange(len(d)))
    with pytest.raises(ValueError, match=r"each 'row' has one row.*leave residual= out"):
        gt.fit(formula, data, residual=f"{name}(time | row)")


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ({"formula": "y ~ time", "residual": "us(`age at` | animal)"}, "data['age at']"),
        ({"formula": "y ~ 1 + hcs(`age at` | animal)"}, "data['age at']"),
        ({"formula": "y ~ C(`age at`)"}, "data['age at']"),
        ({"formula": "y ~ `age at`"}, "data['age at']"),
        ({"formula": "y ~ {end - start}"}, "(end - start)"),
    ],
)
def test_durations_are_refused_with_a_column_that_there_is(arguments, written):
    data = trial().assign(start=pd.Timestamp("2026-01-01"))
    data["age at"] = pd.to_timedelta(data["time"], unit="D")
    data["end"] = data["start"] + data["age at"]
    with pytest.raises(ValueError, match="holds durations") as error:
        gt.fit(data=data, **arguments)
    assert str(error.value).endswith(f": {written}.dt.days")


# ------------------------------------------------------------------------------ the highest maximum


def growing(name, seed):
    """Animals of two treatments, five to twelve of each, at four to seven times."""
    rng = np.random.default_rng(seed)
    animals, times = 2 * rng.integers(5, 13), rng.integers(4, 8)
    y = rng.normal(size=(animals, times)) * np.exp(rng.normal(0, 0.5, times))
    y += rng.normal(size=(animals, 1)) * rng.uniform(0.3, 1.5)
    data = pd.DataFrame(
        {
            "y": y.ravel(), "time": np.tile(range(times), animals),
            "animal": np.repeat(range(animals), times),
        }
    )  # fmt: skip
    data["treatment"] = data["animal"] % 2
    return quietly(
        "y ~ C(treatment) * C(time) + (1 | animal)", data, residual=f"{name}(time | animal)",
        reml=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "case",
    some_slow(
        ["hcs 15", "hcs 28", "hcs 3", "har1 12", "har1 19"],
        lambda case: case not in ("hcs 15", "har1 12"),
    ),
)
def test_no_maximum_beside_random_intercepts_is_higher(case):
    """Residuals of one time may be zero: the intercepts take what is left of it."""
    name, seed = case.split()
    model = growing(name, int(seed))
    marginal = marginal_of(model.problem)
    searched = correlated.OverCovariances(marginal)
    found = marginal.vector_of(model.estimate)[searched.theta]
    rng, ends = np.random.default_rng(1), []
    for time in range(len(found) - 2):
        start = np.abs(found) + 0.2 * rng.uniform(size=len(found))
        start[1 + time], start[-1] = 0.05, 0.5
        end = best_end(searched, start)
        ends.append(end.value if end is not None and end.converged else -np.inf)
    assert max(ends) < searched.value_at(found) + 1e-4
