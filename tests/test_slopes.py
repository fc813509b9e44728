"""Slopes, joint tests, R² and intraclass correlations: emmeans', performance's, or by hand."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import glmmtools as gt
from glmmtools.means.grid import label_of
from tests.quiet_fits import quietly

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE / "reference" / "slopes.json").read_text())


@cache
def fitted(formula, data, family="normal", link=None, reml=False, **options):
    return gt.fit(formula, gt.load_data(data), family, link=link, reml=reml, **options)


def as_called(task):
    model = fitted(task["formula"], task["data"], task["family"], reml=task["model"] == "mixed")
    return model.slopes(task["x"], task["by"], task["at"], scale=task["scale"])


def assert_like(frame, theirs, tolerance):
    """Relative, or in standard errors where that is more."""
    se = np.array(theirs["std_error"])
    np.testing.assert_allclose(frame["std_error"], se, rtol=tolerance)
    for column in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(
            frame[column], theirs[column], rtol=tolerance, atol=tolerance * se.min()
        )


@pytest.mark.parametrize("task", REFERENCE["slopes"], ids=lambda t: f"{t['model']} {t['scale']}")
def test_slopes_are_those_of_emtrends(task):
    slopes = as_called(task)
    if task["scale"] == "link":
        df = np.where(np.array(task["df"]) < 0, np.inf, task["df"])
        np.testing.assert_allclose(slopes.frame["df"], df, rtol=1e-4)
    assert_like(slopes.frame, task, 1e-6)
    if "contrasts" in task:
        assert_like(slopes.contrasts(adjust="none").frame, task["contrasts"], 1e-6)


def test_the_slope_of_a_polynomial_and_of_a_logarithm_is_the_derivative():
    cake = fitted("angle ~ temperature + I(temperature**2)", "cake")
    slope = cake.slopes("temperature", at={"temperature": 180}).frame
    L = np.array([0, 1, 2 * 180])
    assert slope["estimate"].item() == pytest.approx(L @ cake.params, rel=1e-7)
    variance = L @ cake.cov_params().to_numpy() @ L
    assert slope["std_error"].item() == pytest.approx(np.sqrt(variance), rel=1e-7)
    model = fitted("seizures ~ log(base) + (1 | subject)", "epilepsy", "poisson")
    slope = model.slopes("base", at={"base": 20}).frame["estimate"].item()
    assert slope == pytest.approx(model.params["log(base)"] / 20, rel=1e-8)


def test_slopes_at_the_ends_of_the_data_stay_inside():
    model = fitted("reaction ~ bs(days, df=4)", "sleep")
    low, inside = (model.slopes("days", at={"days": at}).frame["estimate"] for at in (0, 1e-4))
    assert low.item() == pytest.approx(inside.item(), rel=1e-3)


def test_slopes_on_the_response_scale_are_changes_of_what_is_predicted():
    model = fitted("seizures ~ treatment * base + (1 | subject)", "epilepsy", "poisson")
    for effects in ("population", "marginal"):
        slopes = model.slopes(
            "base", "treatment", {"base": 30}, scale="response", effects=effects
        ).frame
        rows = {"treatment": ["placebo", "progabide"]}
        high, low = (
            model.predict(pd.DataFrame(rows | {"base": at}), effects=effects)
            for at in (30.01, 29.99)
        )
        np.testing.assert_allclose(slopes["estimate"], (high - low) / 0.02, rtol=1e-6)


@pytest.mark.parametrize(("shift", "unit"), [(0, 1e-9), (0, 1e9), (200, 1), (200, 365.25)])
def test_slopes_do_not_depend_on_the_units_of_the_column_or_its_zero(shift, unit):
    rng, n = np.random.default_rng(1), 240
    data = pd.DataFrame({"g": np.arange(n) % 12, "z": rng.choice(["a", "b"], n)})
    data["x"] = rng.normal(size=n)
    data["y"] = rng.poisson(np.exp(0.5 + 0.4 * data["x"] + rng.normal(0, 0.5, 12)[data["g"]]))
    scaled = data.assign(x=unit * (data["x"] + shift))
    for scale in ("link", "response"):
        frame, other = (
            gt.fit("y ~ z * x + I(x**2) + (1 | g)", each, "poisson").slopes("x", "z", scale=scale)
            for each in (data, scaled)
        )
        for column in ("estimate", "std_error"):
            np.testing.assert_allclose(unit * other.frame[column], frame.frame[column], rtol=2e-4)
        assert len(other.contrasts().frame) == 1


def test_the_errors_of_slopes_of_marginal_means_hold_those_of_the_variances():
    """With a log link the marginal slope is exp(sd²/2) times that of a typical group."""
    model = fitted("seizures ~ base + (1 | subject)", "epilepsy", "poisson")
    typical, marginal = (
        model.slopes("base", scale="response", effects=e).frame.iloc[0]
        for e in ("population", "marginal")
    )
    factor = np.exp(model.variance_components["variance"][0] / 2)
    assert marginal["estimate"] == pytest.approx(factor * typical["estimate"], rel=1e-6)
    assert marginal["std_error"] > factor * typical["std_error"] * 1.001


def test_slopes_of_extra_zeros():
    data = pd.read_csv(HERE / "reference" / "data" / "zeros.csv")
    model = gt.fit("poisson ~ x", data, "poisson", zero_inflation="~ x * treatment")
    slopes = model.slopes("x", "treatment", part="zero").frame
    beta = model.tidy(part="zero")["estimate"]
    expected = [beta["x"], beta["x"] + beta["x:treatment[T.b]"]]
    np.testing.assert_allclose(slopes["estimate"], expected)
    response = model.slopes("x", "treatment", {"x": 0.3}, scale="response").frame
    rows = {"treatment": ["a", "b"]}
    high, low = (model.predict(pd.DataFrame(rows | {"x": at})) for at in (0.301, 0.299))
    np.testing.assert_allclose(response["estimate"], (high - low) / 0.002, rtol=1e-5)


def test_what_has_no_slope_is_refused():
    model = fitted("angle ~ recipe * temperature", "cake")
    for x, why in (("recipe", "a factor"), ("oven", "not in it")):
        with pytest.raises(ValueError, match=f"{why}. Numeric columns: temperature"):
            model.slopes(x)
    with pytest.raises(ValueError, match="a contrast is a difference"):
        model.slopes("temperature", "recipe").contrasts(ratio=True)


def test_slopes_say_what_they_are():
    model = fitted("seizures ~ treatment * base", "epilepsy", "poisson")
    slopes = model.slopes("base", "treatment", scale="response")
    assert slopes.title() == (
        "Slopes of base within treatment: change in the mean of seizures per unit of base"
    )
    assert "Held at: base = 31.22" in slopes.describe()
    assert "differences of slopes" in slopes.contrasts().title()
    ax = slopes.plot()
    assert ax.get_xlabel() == "treatment"
    assert (
        ax.get_ylabel()
        .replace("\n", " ")
        .startswith("change in the mean of seizures per unit of base")
    )
    with pytest.raises(ValueError, match="one number to draw"):
        model.slopes("base").plot()


# ---- joint tests ---------------------------------------------------------------------------------


@pytest.mark.parametrize("each", REFERENCE["joint"], ids=lambda each: each["id"])
def test_joint_tests_of_pairs_are_those_of_emmeans(each):
    model = fitted(each["formula"], each["data"], reml=each["id"] == "oats")
    table = model.means(each["term"][0], by=each["by"]).contrasts().joint()
    assert list(map(label_of, table[each["by"]])) == each["level"]
    np.testing.assert_allclose(table["statistic"], each["statistic"], atol=6e-4)  # R rounds them
    np.testing.assert_allclose(table["p_value"], each["p_value"], rtol=2e-3)
    assert list(table["df"]) == each["df"]
    np.testing.assert_allclose(table["den_df"], each["den_df"], rtol=1e-3)


def test_a_joint_test_of_one_factor_is_that_of_anova():
    model = fitted("prop(incidence, size) ~ period + (1 | herd)", "herds", "binomial")
    joint = model.means("period").contrasts().joint().iloc[0]
    assert joint["statistic"] == pytest.approx(model.anova(3).loc["period", "statistic"])
    assert (joint["df"], joint["kind"]) == (3, "chisq")
    marginal = model.means("period", effects="marginal").contrasts(scale="response").joint()
    assert marginal["df"].item() == 3 and marginal["p_value"].item() < 0.01


# ---- R² and intraclass correlations --------------------------------------------------------------


@pytest.mark.parametrize("each", REFERENCE["r2"], ids=lambda each: each["id"])
def test_r2_and_icc_are_those_of_performance(each):
    model = fitted(each["formula"], each["data"], each["family"], each["link"], each["reml"])
    r2, icc = model.r2(), model.icc().loc["all"]
    found = [r2["marginal"], r2["conditional"], icc["icc"], icc["unadjusted"]]
    expected = [each[name] for name in ("marginal", "conditional", "icc", "unadjusted")]
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_the_icc_of_each_level_is_that_of_performance():
    theirs = REFERENCE["icc_by_group"]
    model = fitted("yield ~ variety + C(nitro) + (1 | block/variety)", "oats", reml=True)
    icc = model.icc()["icc"]
    np.testing.assert_allclose(icc[["block:variety", "block"]], theirs["icc"], rtol=1e-5)
    r2 = model.r2()
    shares = r2["conditional on block"] + r2["conditional on block:variety"] - r2["marginal"]
    assert shares == pytest.approx(r2["conditional"])


def by_hand(model, rest):
    fixed = np.var(model.design.X @ model.params, ddof=1)
    random = model.variance_components["variance"][0]
    return np.array([fixed, fixed + random]) / (fixed + random + rest)


COUNTS = "seizures ~ treatment + age + (1 | subject)"


@pytest.mark.parametrize("family", ["poisson", "negative_binomial", "nbinom1"])
def test_r2_of_counts_takes_the_mean_of_the_null_model(family):
    """Nakagawa, Johnson & Schielzeth (2017), table 1: ln(1 + Var(y) / lambda²)."""
    model = fitted(COUNTS, "epilepsy", family)
    null = fitted("seizures ~ 1 + (1 | subject)", "epilepsy", family)
    mu = np.exp(null.params["Intercept"] + null.variance_components["variance"][0] / 2)
    phi = model.dispersion.get("phi", 0.0)
    variance = mu + phi * (mu**2 if family == "negative_binomial" else mu)
    np.testing.assert_allclose(model.r2(), by_hand(model, np.log1p(variance / mu**2)), rtol=1e-6)


def test_r2_of_a_gamma_model_and_of_extra_zeros():
    data = gt.load_data("epilepsy").assign(y=lambda d: d["seizures"] + 0.5)
    gamma = gt.fit("y ~ treatment + (1 | subject)", data, "gamma", link="log")
    np.testing.assert_allclose(
        gamma.r2(), by_hand(gamma, np.log1p(gamma.dispersion["phi"])), rtol=1e-6
    )
    zeros = fitted(COUNTS, "epilepsy", "poisson", zero_inflation="~ 1")
    null = fitted("seizures ~ 1 + (1 | subject)", "epilepsy", "poisson", zero_inflation="~ 1")
    mu = np.exp(null.params["Intercept"] + null.variance_components["variance"][0] / 2)
    p = null.dispersion["zero"]
    mean, variance = (1 - p) * mu, (1 - p) * (mu + p * mu**2)
    np.testing.assert_allclose(zeros.r2(), by_hand(zeros, np.log1p(variance / mean**2)), rtol=1e-6)


def test_r2_of_a_beta_binomial_model_adds_the_variance_of_the_probability():
    model = quietly(
        "prop(incidence, size) ~ period + (1 | herd)", gt.load_data("herds"), "betabinomial"
    )
    null = quietly("prop(incidence, size) ~ 1 + (1 | herd)", gt.load_data("herds"), "betabinomial")
    sd, nodes = null.variance_components["sd"][0], np.linspace(-8, 8, 4001)
    values = 1 / (1 + np.exp(-(null.params["Intercept"] + sd * nodes)))
    mu = np.sum(values * stats.norm.pdf(nodes)) * (nodes[1] - nodes[0])
    rest = np.pi**2 / 3 + 1 / (mu * (1 - mu) * (1 + model.dispersion["phi"]))
    np.testing.assert_allclose(model.r2(), by_hand(model, rest), rtol=1e-5)


def test_random_effects_of_single_rows_are_overdispersion():
    data = gt.load_data("epilepsy")
    data["row"] = np.arange(len(data)).astype(str)
    model = gt.fit(COUNTS + " + (1 | row)", data, "poisson")
    assert list(model.icc().index) == ["subject", "all"]
    variance = model.variance_components.set_index("group")["variance"]
    null = gt.fit("seizures ~ 1 + (1 | subject) + (1 | row)", data, "poisson")
    mu = np.exp(null.params["Intercept"] + null.variance_components["variance"].sum() / 2)
    rest = np.log1p(1 / mu) + variance["row"]
    expected = variance["subject"] / (variance["subject"] + rest)
    assert model.icc().loc["subject", "icc"] == pytest.approx(expected, rel=1e-6)


def test_r2_of_a_model_without_random_effects_is_one_number():
    model = fitted("angle ~ recipe * temperature", "cake")
    r2 = model.r2()
    assert r2["marginal"] == r2["conditional"]
    ss = np.sum((model.design.y - model.design.y.mean()) ** 2)
    assert r2["marginal"] == pytest.approx(1 - np.sum(model.resid() ** 2) / ss, abs=0.01)
    with pytest.raises(ValueError, match="no random effects"):
        model.icc()
    gee = gt.gee("wheeze ~ age", gt.load_data("wheeze"), "binomial", groups="child")
    with pytest.raises(ValueError, match="does not have"):
        gee.r2()
