"""Influence of groups and rows: against fits without them, and statsmodels' for least squares."""

import time

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import glmmtools as gt
from glmmtools.fitted.parameters import parameters
from tests.quiet_fits import quietly

MODELS = {
    "slopes, REML": ("reaction ~ days + (days | subject)", "sleep", "normal", {"reml": True}),
    "binomial": ("prop(incidence, size) ~ period + (1 | herd)", "herds", "binomial", {}),
    "quadrature": ("prop(incidence, size) ~ period + (1 | herd)", "herds", "binomial",
                   {"nagq": 7}),
    "nested": ("yield ~ nitro + (1 | block/variety)", "oats", "normal", {}),
    "extra zeros": ("seizures ~ treatment + age + (1 | subject)", "epilepsy", "poisson",
                    {"zero_inflation": "~ treatment"}),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_influence_is_what_a_fit_without_the_group_says(name):
    formula, data, family, options = MODELS[name]
    data = gt.load_data(data)
    model = gt.fit(formula, data, family, **options)
    group = model.design.random[0].group
    found = model.influence(group)
    assert found.frame["rows"].sum() == model.nobs and found.frame["converged"].all()
    inverse = np.linalg.inv(model.cov_params())
    for unit in found.frame.index[:4]:
        without = quietly(formula, data[data[group].astype(str) != unit], family, **options)
        change = parameters(without) - parameters(model)
        scale = np.maximum(np.abs(parameters(model)), 0.1)
        np.testing.assert_allclose(found.change.loc[unit] / scale, change / scale, atol=2e-5)
        moved = (without.params - model.params).to_numpy()
        cook = moved @ inverse @ moved / len(moved)
        assert found.frame.loc[unit, "cooks_distance"] == pytest.approx(cook, rel=1e-3, abs=1e-6)
        np.testing.assert_allclose(found.dfbetas.loc[unit], moved / model.bse, atol=1e-4)


def test_rows_of_least_squares_have_the_distances_of_cook():
    data = gt.load_data("cake")
    found = gt.fit("angle ~ recipe + temperature", data).influence()
    theirs = smf.ols("angle ~ recipe + temperature", data.astype({"recipe": str})).fit()
    cook, _ = theirs.get_influence().cooks_distance
    np.testing.assert_allclose(found.frame["cooks_distance"], cook, rtol=1e-8)
    assert list(found.frame.index) == list(data.index)


def test_rows_of_a_poisson_model_are_left_out_in_truth():
    data = gt.load_data("epilepsy")[:30]
    found = gt.fit("seizures ~ age", data, "poisson").influence()
    X = sm.add_constant(data["age"].to_numpy())
    whole = sm.GLM(data["seizures"], X, sm.families.Poisson()).fit(tol=1e-12)
    for k in range(3):
        kept = np.arange(30) != k
        y = data["seizures"].to_numpy()[kept]
        without = sm.GLM(y, X[kept], sm.families.Poisson()).fit(tol=1e-12)
        np.testing.assert_allclose(
            found.change.iloc[k], without.params - whole.params.to_numpy(), rtol=1e-5
        )


def test_other_columns_are_left_out_too_and_nested_groups_by_their_levels():
    model = gt.fit("yield ~ nitro + (1 | block/variety)", gt.load_data("oats"))
    assert list(model.influence("nitro").frame["rows"]) == [18] * 4
    assert len(model.influence("block:variety").frame) == 18


def test_fifty_nine_patients_take_less_than_a_second():
    model = gt.fit(
        "seizures ~ treatment * log(base) + age + (1 | subject)", gt.load_data("epilepsy"),
        "poisson",
    )  # fmt: skip

    def seconds():
        start = time.process_time()
        assert len(model.influence("subject").frame) == 59
        return time.process_time() - start

    assert any(seconds() < 1 for _ in range(3))


def test_a_group_that_alone_has_a_level_takes_its_coefficient_along():
    rng = np.random.default_rng(2)
    g = np.repeat(list("abcdef"), 6)
    t = np.where(g == "a", "new", np.where(np.arange(36) % 2, "x", "y"))
    data = pd.DataFrame({"g": g, "t": t, "y": rng.normal(size=36) + rng.normal(size=6).repeat(6)})
    model = quietly("y ~ t + (1 | g)", data)
    found = model.influence("g")
    assert found.frame["cooks_distance"].isna().to_dict() == {k: k == "a" for k in "abcdef"}
    assert "Not all coefficients can be estimated without a" in str(found)


def test_a_zero_variance_may_leave_zero_without_a_group():
    """The search starts at zero, where the likelihood is level in the standard deviation."""
    rng = np.random.default_rng(5)
    effects = np.array([1.5, -1.5, 1.2, -1.4, 0.0, 0.0])
    y = effects.repeat(8) + rng.normal(size=48)
    y[32:40] = np.array([9.0, -9.0] * 4)
    data = pd.DataFrame({"g": np.repeat(list("abcdef"), 8), "y": y})
    model = quietly("y ~ 1 + (1 | g)", data)
    assert model.singular
    without = gt.fit("y ~ 1 + (1 | g)", data[data["g"] != "e"])
    found = model.influence("g").change.loc["e", "sd g Intercept"]
    assert found == pytest.approx(without.variance_components["sd"][0], rel=1e-5) and found > 0.5


def test_the_picture_names_the_units():
    model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", gt.load_data("herds"), "binomial")
    found = model.influence("herd")
    ax = found.plot()
    assert ax.get_xlabel() == "herd" and ax.get_ylabel() == "Cook's distance"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(found.frame.index)
    heights = next(line for line in ax.lines if line.get_gid() == "distance").get_ydata()
    np.testing.assert_allclose(heights, found.frame["cooks_distance"])
    rows = gt.fit("angle ~ recipe + temperature", gt.load_data("cake")).influence()
    above = (rows.frame["cooks_distance"] > 4 / 270).sum()
    assert len(rows.plot(ax=ax).texts) == min(above, 10)
    assert "largest of 270" in str(rows)


def test_coefficients_that_are_infinite_do_not_hide_the_others():
    data = gt.load_data("epilepsy").assign(
        seizures=lambda d: np.where(d["period"] == 4, 0, d["seizures"])
    )
    data = data[data["subject"].isin(data["subject"].unique()[::3])]
    formula = "seizures ~ age + C(period) + (1 | subject)"
    model = quietly(formula, data, "poisson")
    found = model.influence("subject")
    left = gt.fit(formula, data.query("period < 4"), "poisson").influence("subject")
    np.testing.assert_allclose(
        found.frame["cooks_distance"], left.frame["cooks_distance"], rtol=1e-3, atol=1e-6
    )
    assert found.change["C(period)[T.4]"].isna().all()


def test_wrong_groups_are_refused():
    model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", gt.load_data("herds"), "binomial")
    with pytest.raises(ValueError, match=r"no column 'herds' \(did you mean 'herd'\?\)"):
        model.influence("herds")
    gee = gt.gee("wheeze ~ age", gt.load_data("wheeze"), "binomial", groups="child")
    with pytest.raises(ValueError, match="influence\\(\\) needs the likelihood"):
        gee.influence("child")
