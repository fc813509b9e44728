"""Models changed and compared: update, weights of AIC, variance inflation."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.outliers_influence import variance_inflation_factor

import glmmtools as gt
from glmmtools.fitted.parameters import parameters

EPILEPSY = "seizures ~ treatment * log(base) + age + (1 | subject)"


def epilepsy(**options):
    return gt.fit(EPILEPSY, gt.load_data("epilepsy"), "poisson", **options)


def same(one, other):
    pd.testing.assert_series_equal(parameters(one), parameters(other), rtol=1e-6, atol=1e-6)
    assert one.llf == pytest.approx(other.llf, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "formula"),
    [
        (". ~ . - age", "seizures ~ treatment * log(base) + (1 | subject)"),
        ("~ . - (1|subject)", "seizures ~ treatment * log(base) + age"),
        (". ~ . - treatment:log(base)", "seizures ~ treatment + log(base) + age + (1 | subject)"),
        (". ~ . + C(period)", EPILEPSY + " + C(period)"),
        ("log(seizures + 1) ~ .", "log(seizures + 1) ~" + EPILEPSY.split("~")[1]),
        ("seizures ~ age", "seizures ~ age"),
        (". ~ 1 + (1 | subject)", "seizures ~ 1 + (1 | subject)"),
    ],
)
def test_a_change_of_the_formula_gives_the_fit_of_the_formula_as_changed(change, formula):
    data, family = gt.load_data("epilepsy"), "normal" if formula.startswith("log") else "poisson"
    if "period" in change:
        again = epilepsy().update(change, data)
    else:
        again = epilepsy().update(change, family=family)
    same(again, gt.fit(formula, data, family))


def test_arguments_stay_as_they_were_or_change():
    data = gt.load_data("epilepsy")
    model = epilepsy(zero_inflation="~ age")
    same(model.update(), model)
    assert model.update(". ~ . - age").problem.zero.text == "age"
    same(model.update(zero_inflation=None), epilepsy())
    same(model.update(family="negative_binomial", zero_inflation=None),
         gt.fit(EPILEPSY, data, "negative_binomial"))  # fmt: skip
    sleep = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    assert sleep.update(". ~ . - days").method == "REML"
    same(sleep.update(reml=False), gt.fit(sleep.formula, gt.load_data("sleep")))
    herds = gt.fit("prop(incidence, size) ~ period + (1 | herd)", gt.load_data("herds"),
                   "binomial", link="probit", nagq=5)  # fmt: skip
    again = herds.update("~ . - period")
    assert (again.link.name, again.method) == ("probit", "AGQ(5)")
    with pytest.warns(gt.SingularFitWarning):
        assert herds.update(family="betabinomial", nagq=1).link.name == "logit"


def test_offsets_and_weights_given_as_values_or_columns_stay():
    data = gt.load_data("epilepsy")
    data["log_base"] = np.log(data["base"])
    for offset in ("log_base", data["log_base"].to_numpy()):
        model = gt.fit("seizures ~ treatment + age", data, "poisson", offset=offset)
        same(model.update(". ~ . - age"),
             gt.fit("seizures ~ treatment", data, "poisson", offset="log_base"))  # fmt: skip
    with pytest.raises(ValueError, match="offset= as values of its rows"):
        model.update(". ~ . + period", data)
    same(model.update(". ~ . + period", data, offset="log_base"),
         gt.fit("seizures ~ treatment + age + period", data, "poisson",
                offset="log_base"))  # fmt: skip
    herds = gt.load_data("herds")
    herds["share"] = herds["incidence"] / herds["size"]
    model = gt.fit("share ~ period + (1 | herd)", herds, "binomial", weights="size")
    same(model.update(), model)
    same(model.update(data=herds), model)  # a column of new data is read there
    with pytest.raises(ValueError, match="give weights= again"):
        model.update(data=herds.drop(columns="size"))
    weighted = gt.fit("reaction ~ days", gt.load_data("sleep"), weights=np.arange(180) + 1.0)
    same(weighted.update(), weighted)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m: m.update(". ~ . - race"), "'race' cannot be taken away"),
        (lambda m: m.update(". ~ . - (age | subject)"), r"\(1 \| subject\)"),
        (lambda m: m.update("age"), "text with one ~"),
        (lambda m: m.update(3), "text with one ~"),
        (lambda m: m.update(". ~ . + race"), "no column 'race'"),
        (lambda m: m.update(famly="normal"), r"did you mean 'family'\?"),
    ],
)
def test_what_cannot_be_changed_is_said(call, match):
    with pytest.raises(ValueError, match=match):
        call(epilepsy())


def test_the_weights_of_aic_sum_to_one():
    model = epilepsy()
    table = gt.compare(model, model.update(". ~ . - age"), model.update(". ~ . - treatment"))
    assert table["weight"].sum() == pytest.approx(1)
    ratios = table["weight"] / table["weight"].max()
    np.testing.assert_allclose(ratios, np.exp(-table["delta_aic"] / 2))


# ---- variance inflation --------------------------------------------------------------------------


def test_variance_inflation_of_columns_is_that_of_statsmodels():
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    data["c"] += 2 * data["a"]
    data["y"] = rng.normal(size=60)
    model = gt.fit("y ~ a + b + c", data)
    theirs = [variance_inflation_factor(model.design.X, k) for k in (1, 2, 3)]
    np.testing.assert_allclose(model.vif()["vif"], theirs, rtol=1e-8)
    assert list(model.vif()["df"]) == [1, 1, 1]


def test_variance_inflation_of_a_factor_does_not_depend_on_its_coding():
    data = gt.load_data("oats").query("block != 'I' or nitro > 0.3")
    tables = [
        gt.fit(f"yield ~ {v} + nitro + (1 | block)", data).vif()
        for v in ("variety", "C(variety, contr.sum)")
    ]
    np.testing.assert_allclose(*(t["vif"] for t in tables), rtol=1e-6)
    assert list(tables[0]["df"]) == [2, 1]
    np.testing.assert_allclose(tables[0]["se_factor"][0:1], tables[0]["vif"][0:1] ** 0.25)


def test_the_reading_of_variance_inflation_names_the_term_and_what_to_do():
    rng = np.random.default_rng(1)
    a = rng.normal(size=80)
    data = pd.DataFrame({"a": a, "b": a + 0.05 * rng.normal(size=80), "c": rng.normal(size=80)})
    data["y"] = rng.normal(size=80)
    table = gt.fit("y ~ a + b + c", data).vif()
    assert "hardly tell its effect" in table.reading and table.reading in str(table)
    assert "no cause for concern" in gt.fit("y ~ a + c", data).vif().reading
    crossed = gt.fit("y ~ a * z", data.assign(z=data["c"] + 10)).vif()
    assert "centre the covariates" in crossed.reading
    named = gt.fit("y ~ `a:b` + a", data.rename(columns={"b": "a:b"})).vif()
    assert "hardly tell its effect" in named.reading
    with pytest.raises(ValueError, match="fewer than two terms"):
        gt.fit("y ~ a", data).vif()
