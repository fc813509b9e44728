"""Extra zeros and dispersion, and means of the response: glmmTMB's and emmeans' numbers."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, special, stats

import glmmtools as gt
from glmmtools.fitted.expected import averaged
from tests.quiet_fits import quietly

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE / "reference" / "parts.json").read_text())
MODELS = {each["id"]: each for each in REFERENCE["models"]}
PARTS = [("zip", "zero"), ("zinb2", "zero"), ("zinb2", "dispersion")]
# TMB's Hessian is differenced: its standard errors have some five digits
CLOSE = {"rtol": 2e-5, "atol": 2e-5}


def zeros():
    data = pd.read_csv(HERE / "reference" / "data" / "zeros.csv")
    return data.assign(group=data["group"].astype(str))


@cache
def fitted(name):
    each = MODELS[name]
    return gt.fit(
        each["formula"], zeros(), each["family"], zero_inflation=each["zero_inflation"],
        dispersion_formula=each["dispersion_formula"],
    )  # fmt: skip


@pytest.mark.parametrize("name, part", PARTS)
def test_coefficients_of_a_part_have_the_errors_and_tests_of_glmmtmb(name, part):
    table, theirs = fitted(name).tidy(part=part), MODELS[name]["parts"][part]
    for column in ("estimate", "std_error", "statistic", "p_value"):
        np.testing.assert_allclose(table[column], theirs[column], **CLOSE)
    half = stats.norm.ppf(0.95) * table["std_error"]
    np.testing.assert_allclose(
        fitted(name).conf_int(0.9, part=part),
        np.column_stack([table["estimate"] - half, table["estimate"] + half]),
    )


def test_the_table_of_all_coefficients_names_those_of_each_part():
    table, model = fitted("zinb2").tidy(), fitted("zinb2")
    assert list(table.index) == [
        "Intercept", "x", "logit zero: Intercept", "logit zero: x", "log phi: Intercept",
        "log phi: x", "log phi: treatment[T.b]",
    ]  # fmt: skip
    assert set(model.dispersion.index) <= set(table.index)
    for part, prefix in (("zero", "logit zero: "), ("dispersion", "log phi: ")):
        own = model.tidy(part=part)
        assert (table.loc[prefix + own.index, "p_value"].to_numpy() == own["p_value"]).all()
        assert all(prefix + name in str(model) for name in own.index)


@pytest.mark.parametrize("name, part", PARTS)
def test_wald_tests_of_the_terms_of_a_part(name, part):
    table, theirs = fitted(name).anova(part=part), MODELS[name]["tests"][part]
    assert list(table.index) == np.atleast_1d(theirs["terms"]).tolist()
    np.testing.assert_allclose(table["statistic"], theirs["statistic"], rtol=1e-4)
    assert list(table["df"]) == np.atleast_1d(theirs["df"]).tolist()


@pytest.mark.parametrize("part, argument", [("zero", "zero_inflation"),
                                            ("dispersion", "dispersion_formula")])  # fmt: skip
def test_likelihood_ratios_of_a_part_are_those_of_two_fits(part, argument):
    model = fitted("zinb2")
    options = {"zero_inflation": "~ x", "dispersion_formula": "~ x + treatment"}
    options[argument] = "~ 1" if part == "zero" else "~ treatment"
    smaller = gt.fit(model.formula, zeros(), "negative_binomial", **options)
    row = model.anova(test="lr", part=part).loc["x"]
    assert row["statistic"] == pytest.approx(2 * (model.llf - smaller.llf), abs=1e-6)
    assert row["df"] == 1


def test_type_three_tests_of_a_part_do_not_depend_on_the_coding():
    data, tests = zeros(), []
    for t in ("treatment", "C(treatment, contr.sum)"):
        model = gt.fit("poisson ~ x", data, "poisson", zero_inflation=f"~ {t} * x")
        tests.append(model.anova(3, part="zero")["statistic"].to_numpy())
    np.testing.assert_allclose(tests[0], tests[1], rtol=1e-5)


def zip_loss(data, p):
    eta, zero = p[0] + p[1] * data["x"], special.expit(p[2] + p[3] * data["x"])
    density = zero * (data["poisson"] == 0) + (1 - zero) * stats.poisson.pmf(
        data["poisson"], np.exp(eta)
    )
    return -np.log(density).sum()


def test_profile_intervals_of_extra_zeros_end_where_the_likelihood_has_fallen():
    data = zeros()
    model = gt.fit("poisson ~ x", data, "poisson", zero_inflation="~ x")
    table = model.conf_int(method="profile", part="zero")
    whole = model.conf_int(method="profile")
    np.testing.assert_allclose(
        table, whole.loc[["logit zero: Intercept", "logit zero: x"]], rtol=1e-6
    )
    for k, name in ((2, "Intercept"), (3, "x")):
        for limit in table.loc[name, ["conf_low", "conf_high"]]:

            def held(p, k=k, limit=limit):
                return zip_loss(data, np.insert(p, k, limit))

            best = optimize.minimize(held, np.delete([1.4, 0.5, -1.0, 0.0], k), method="BFGS")
            fall = model.llf + best.fun
            assert 2 * fall == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-3)


def test_profile_intervals_of_a_dispersion_end_where_the_likelihood_has_fallen():
    """Of a normal response in units far from 1, which the search scales."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=80)
    data = pd.DataFrame({"x": x, "y": 5000 + 900 * x + 300 * np.exp(0.3 * x) * rng.normal(size=80)})
    model = gt.fit("y ~ x", data, dispersion_formula="~ x")
    table = model.conf_int(method="profile", part="dispersion")

    def loss(p):
        sd = np.exp((p[2] + p[3] * x) / 2)
        return -stats.norm.logpdf(data["y"], 1000 * (p[0] + p[1] * x), sd).sum()

    for k, name in ((2, "Intercept"), (3, "x")):
        for limit in table.loc[name, ["conf_low", "conf_high"]]:

            def held(p, k=k, limit=limit):
                return loss(np.insert(p, k, limit))

            best = optimize.minimize(held, np.delete([5.0, 0.9, 11.4, 0.6], k), method="BFGS")
            assert 2 * (model.llf + best.fun) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-3)


def test_one_probability_of_extra_zeros_has_a_profile_interval():
    model = gt.fit("poisson ~ x", zeros(), "poisson", zero_inflation="~ 1")
    row = model.conf_int(method="profile").loc["zero"]
    assert row["estimate"] == pytest.approx(model.dispersion["zero"])
    assert row["conf_low"] < row["estimate"] < row["conf_high"] < 1
    wald = special.expit(model.conf_int(part="zero").loc["Intercept"])
    np.testing.assert_allclose(row[["conf_low", "conf_high"]], wald, atol=0.01)
    assert list(model.conf_int(method="profile", part="zero").index) == ["zero"]
    assert list(model.conf_int(method="bootstrap", part="zero", n=40).index) == ["zero"]


@pytest.mark.parametrize("name", MODELS)
def test_predictions_of_parts_and_of_the_response_have_the_errors_of_glmmtmb(name):
    model, each, data = fitted(name), MODELS[name], zeros()
    rows = data.iloc[each["rows"]]
    at = pd.DataFrame({"x": 0.25, "treatment": ["a", "b"]})
    calls = {
        "conditional": (rows, {}),
        "conditional_mean": (rows, {"part": "mean"}),
        "population": (at, {"effects": "population"}),
        "zero": (rows, {"part": "zero"}),
        "dispersion": (rows, {"part": "dispersion"}),
    }
    for kind, theirs in each["predictions"].items():
        new, options = calls[kind]
        table = model.predict(new, level=0.95, **options)
        for column, values in theirs.items():
            np.testing.assert_allclose(table[column], values, **CLOSE)
        np.testing.assert_allclose(table["estimate"], model.predict(new, **options))
        assert (table["conf_low"] < table["estimate"]).all()
    inside = model.predict(part="zero", level=0.95)
    assert (
        len(inside) == model.nobs and inside[["conf_low", "conf_high"]].stack().between(0, 1).all()
    )


def test_the_expected_response_is_that_of_counts_and_extra_zeros():
    model, new = fitted("zip"), zeros()[:20]
    mean, zero = (model.predict(new, part=part) for part in ("mean", "zero"))
    np.testing.assert_allclose(model.predict(new), (1 - zero) * mean)
    np.testing.assert_allclose(
        model.predict(new, scale="link", part="zero"), special.logit(zero), atol=1e-12
    )


@pytest.mark.parametrize("name", MODELS)
def test_means_of_a_part_are_those_of_emmeans(name):
    for part, theirs in MODELS[name]["means"].items():
        means = fitted(name).means(theirs["factor"], part=part)
        for ours, table in ((means, theirs["means"]), (means.contrasts(), theirs["contrast"])):
            for column in ("estimate", "std_error", "conf_low", "conf_high"):
                np.testing.assert_allclose(ours.frame[column], table[column], **CLOSE)


def test_means_of_a_model_with_extra_zeros_are_those_of_the_response():
    model, theirs = fitted("zip"), MODELS["zip"]["predictions"]["population"]
    means = model.means("treatment", at={"x": 0.25})
    for column in ("estimate", "std_error"):
        np.testing.assert_allclose(means.frame[column], theirs[column], **CLOSE)
    assert "Extra zeros are part of these means" in str(means)
    left_out = model.means("treatment", at={"x": 0.25}, part="mean")
    assert (left_out.frame["estimate"] > means.frame["estimate"]).all()
    assert "extra zeros left out" in str(left_out)


def test_a_factor_of_extra_zeros_alone_has_means():
    model = quietly("nb1 ~ x + (1 | group)", zeros(), "poisson", zero_inflation="~ treatment")
    means, at = model.means("treatment"), {"x": zeros()["x"].mean(), "treatment": ["a", "b"]}
    expected = model.predict(pd.DataFrame(at), effects="population", level=0.95)
    np.testing.assert_allclose(
        means.frame[["estimate", "std_error", "conf_low", "conf_high"]], expected, rtol=1e-6
    )
    ratio = means.contrasts().frame["estimate"].item()
    assert ratio == pytest.approx(expected["estimate"][0] / expected["estimate"][1])


def test_a_part_that_the_model_has_not_is_refused():
    model = gt.fit("poisson ~ x", zeros(), "negative_binomial")
    for call in (model.tidy, model.conf_int, model.anova, model.predict):
        with pytest.raises(ValueError, match="zero_inflation="):
            call(part="zero")
        with pytest.raises(ValueError, match="its phi is one number"):
            call(part="dispersion")
        with pytest.raises(ValueError, match="part must be one of"):
            call(part="zi")
    with pytest.raises(ValueError, match="dispersion_formula="):
        model.means("x", part="dispersion")


def test_a_level_without_extra_zeros_leaves_the_tests_of_the_others():
    """Its coefficient has no finite estimate, nor standard error; means of other levels have."""
    rng = np.random.default_rng(1)
    t = np.repeat(list("abc"), 100)
    mean = np.full(300, 4.0)
    y = np.where(rng.random(300) < 0.3, 0, rng.poisson(mean))
    data = pd.DataFrame({"t": t, "y": np.where(t == "b", rng.poisson(mean) + 1, y)})
    model = quietly("y ~ 1", data, "poisson", zero_inflation="~ t")
    means = model.means("t", part="zero").frame.set_index("t")
    assert means["std_error"].isna().to_dict() == {"a": False, "b": True, "c": False}
    alone = gt.fit("y ~ 1", data.query("t != 'b'"), "poisson", zero_inflation="~ t")
    ours = alone.means("t", part="zero").frame.set_index("t")
    np.testing.assert_allclose(means.loc[["a", "c"], "std_error"], ours["std_error"], rtol=0.02)


# ---- over the random effects, and on the response scale ------------------------------------------

FITS = {
    "herds": ("prop(incidence, size) ~ period + (1 | herd)", "binomial"),
    "epilepsy": ("seizures ~ treatment + age + (1 | subject)", "poisson"),
}


@cache
def compared(name):
    formula, family = FITS[name]
    return gt.fit(formula, gt.load_data(name), family)


@pytest.mark.parametrize("name", FITS)
def test_marginal_means_hold_the_uncertainty_of_the_variances(name):
    model, theirs = compared(name), REFERENCE["compared"][name]
    means = model.means(theirs["call"], effects="marginal")
    np.testing.assert_allclose(means.frame["estimate"], theirs["estimate"], rtol=2e-5)
    np.testing.assert_allclose(means.frame["std_error"], theirs["std_error"], rtol=2e-4)
    difference = means.contrasts(scale="response", adjust="none").frame.iloc[0]
    assert difference["estimate"] == pytest.approx(theirs["difference"], rel=1e-4)
    assert difference["std_error"] == pytest.approx(theirs["difference_se"], rel=2e-4)
    ratio = means.contrasts(scale="response", ratio=True, adjust="none").frame.iloc[0]
    assert ratio["estimate"] == pytest.approx(theirs["ratio"], rel=1e-4)
    assert ratio["std_error"] == pytest.approx(theirs["ratio_se"], rel=2e-4)


def test_marginal_predictions_are_the_marginal_means_of_their_rows():
    model = compared("herds")
    table = model.predict(pd.DataFrame({"period": list("1234")}), effects="marginal", level=0.9)
    means = model.means("period", effects="marginal", level=0.9)
    pd.testing.assert_frame_equal(table, means.frame[table.columns], rtol=1e-9)


@pytest.mark.parametrize("kind", ["differences", "ratios"])
@pytest.mark.parametrize("name", FITS)
def test_contrasts_on_the_response_scale_are_those_of_emmeans(name, kind):
    theirs = REFERENCE["compared"][name]
    contrasts = compared(name).means(theirs["call"]).contrasts(
        scale="response", ratio=kind == "ratios", adjust="none"
    )  # fmt: skip
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(contrasts.frame[column], theirs[kind][column], **CLOSE)
    assert kind in contrasts.title()


def test_marginal_means_of_a_model_with_identity_link_are_those_of_the_population():
    model = gt.fit("reaction ~ C(days) + (1 | subject)", gt.load_data("sleep"), reml=True)
    tables = [model.means("days", effects=e).frame for e in ("population", "marginal")]
    pd.testing.assert_frame_equal(*tables)


def test_contrasts_with_a_scale_that_does_not_exist_or_of_negative_means_are_refused():
    means = compared("herds").means("period")
    with pytest.raises(ValueError, match="scale must be one of link, response"):
        means.contrasts(scale="log")
    data = pd.DataFrame({"t": list("aabb"), "y": [-1.0, -2.0, 1.0, 2.0]})
    with pytest.raises(ValueError, match="means above 0"):
        gt.fit("y ~ t", data).means("t").contrasts(scale="response", ratio=True)
    with pytest.raises(ValueError, match="response scale only"):
        compared("herds").means("period", effects="marginal", scale="link")


@pytest.mark.parametrize("sd", [0.3, 1.0, 5.0, 20.0, 100.0])
@pytest.mark.parametrize("name", ["logit", "probit", "cloglog"])
def test_a_probability_averaged_over_random_effects_is_its_integral(name, sd):
    """Against SciPy's quadrature of the density of the random effect at which the mean is u."""
    link, eta = gt.link(name), np.array([-15.0, -2.0, 0.0, 1.0, 30.0])

    def integral(at):  # by parts: smooth whatever the sd
        slope = lambda t: link.derivatives(t)[0] * stats.norm.cdf((at - t) / sd)  # noqa: E731
        return integrate.quad(slope, -40, 40, points=[-5, 0, 5], limit=400, epsabs=1e-12)[0]

    found = averaged(link, eta, np.full(5, sd**2))
    np.testing.assert_allclose(found, list(map(integral, eta)), atol=1e-7)


def test_a_mean_averaged_over_random_effects_is_exact_for_the_log_and_refused_for_the_inverse():
    eta, variance = np.array([-3.0, 0.0, 2.0]), np.array([0.0, 4.0, 400.0])
    found = averaged(gt.link("log"), eta, variance)
    np.testing.assert_allclose(found, np.exp(eta + variance / 2))
    with pytest.raises(ValueError, match=r"does not exist.*effects='population'"):
        averaged(gt.link("inverse"), eta, variance)


def test_marginal_predictions_are_right_where_the_random_effects_have_an_sd_of_twenty():
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(30), 20)
    eta = 2 + 20 * rng.normal(size=30)[g] + rng.normal(0, 1, 600)
    data = pd.DataFrame({"y": (rng.logistic(size=600) < eta).astype(int), "g": g})
    model = quietly("y ~ 1 + (1 | g)", data, "binomial")
    sd = model.variance_components["sd"][0]
    assert sd > 6
    mean = lambda z: special.expit(model.params.iloc[0] + sd * z) * stats.norm.pdf(z)  # noqa: E731
    exact = integrate.quad(mean, -9, 9, limit=1000, epsabs=1e-12)[0]
    assert model.predict(effects="marginal").iloc[0] == pytest.approx(exact, abs=1e-7)


def test_means_of_a_part_say_what_the_part_holds():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"t": rng.choice(["a", "b"], 200), "x": rng.normal(size=200)})
    data["y"] = rng.normal(size=200) * np.exp(0.3 * data["x"])
    model = gt.fit("y ~ t", data, dispersion_formula="~ x")
    with pytest.raises(ValueError, match=r"not in its dispersion part; .* which has x"):
        model.means("t", part="dispersion")
