"""The results paragraph and the table of several fits: their numbers are those of the fit."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.report.paragraph import _ratios
from glmmtools.shared.numbers import three_digits

REFERENCE = Path(__file__).parent / "reference" / "models.json"


@pytest.fixture(scope="module")
def herds():
    data = gt.load_data("herds")
    return gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")


@pytest.fixture(scope="module")
def sleep():
    return gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)


@pytest.fixture(scope="module")
def seeds():
    data = gt.load_data("seeds")
    formula = "prop(germinated, seeds) ~ extract * variety + (1 | plate)"
    return gt.fit(formula, data, "binomial", nagq=5)


def estimate_of(report, name):
    """Estimate, limits, statistic and its kind as they stand in the text."""
    number = r"(-?[\d.]+)"
    found = re.search(
        rf"{re.escape(name)}: {number} \({number} to {number}; (z|t\([\d.]+\)) = {number}, p",
        report,
    )
    return [float(found.group(k)) for k in (1, 2, 3, 5)], found.group(4)


# ------------------------------------------------------------------------------ the paragraph


def test_a_logistic_model_is_reported_as_odds_ratios_equal_to_those_of_glmmTMB(herds):
    text = str(herds.report())
    reference = json.loads(REFERENCE.read_text())
    reference = next(each for each in reference if each["id"] == "herds_binomial")["coefficients"]
    table = herds.tidy()
    for k, period in enumerate((2, 3, 4), start=1):
        shown, kind = estimate_of(text, f"period {period} vs 1")
        row = table.loc[f"period[T.{period}]"]
        exact = [*np.exp(row[["estimate", "conf_low", "conf_high"]]), row["statistic"]]
        np.testing.assert_allclose(shown, exact, atol=0.005)
        assert shown[0] == pytest.approx(np.exp(reference["estimate"][k]), abs=0.005)
        assert kind == "z"
    mean = 1 / (1 + np.exp(-reference["estimate"][0]))
    assert f"At period = 1 the probability with random effects at 0 was {mean:.3f} (95 %" in text
    assert "compare rows with the same random effects of herd" in text


def test_a_linear_model_is_reported_as_slopes_with_t_tests(sleep):
    text, table = str(sleep.report()), sleep.tidy()
    shown, kind = estimate_of(text, "days (per unit)")
    exact = table.loc["days", ["estimate", "conf_low", "conf_high", "statistic"]]
    np.testing.assert_allclose(shown, exact.to_numpy(float), atol=0.05)
    assert kind == "t(17.0)"
    for piece in (
        "A linear mixed model (normal distribution, identity link) was fitted to reaction",
        "correlated random intercepts and slopes (days) of subject (18 levels)",
        "180 rows by restricted maximum likelihood (REML)",
        "24.7 for subject (intercept), 5.92 for subject (days) and 25.6 for the residuals",
        "The correlation was 0.07 in subject", "The restricted log-likelihood was -871.81",
        "days: F(1, 17.0) = 45.85, p < 0.0001",
    ):  # fmt: skip
        assert piece in text
    assert "conditional" not in text  # with the identity link effects hold on average as well


def test_intervals_and_tests_follow_the_level_and_the_tables_of_the_model(seeds):
    text = str(seeds.report(level=0.8))
    row = seeds.tidy(0.8).loc["extract[T.cucumber]"]
    shown, _ = estimate_of(text, "extract cucumber vs bean (at variety = Oa75)")
    np.testing.assert_allclose(shown[1:3], np.exp(row[["conf_low", "conf_high"]]), atol=0.05)
    assert "80 % Wald confidence intervals" in text
    tests = seeds.anova(type=2)
    for term, test in tests.iterrows():
        assert f"{term}: χ²(1) = {test['statistic']:.2f}, p " in text
    assert "adaptive Gauss-Hermite quadrature (5 nodes)" in text


def test_an_interaction_is_a_ratio_of_ratios_and_main_effects_say_where_they_hold(seeds):
    text = str(seeds.report())
    name = "extract cucumber vs bean × variety Oa73 vs Oa75 (ratio of odds ratios)"
    shown, _ = estimate_of(text, name)
    assert shown[0] == pytest.approx(np.exp(seeds.params.iloc[-1]), abs=0.005)
    assert "extract cucumber vs bean (at variety = Oa75):" in text
    assert "variety Oa73 vs Oa75 (at extract = bean):" in text


def test_counts_have_rate_ratios_that_hold_for_averages_unless_slopes_are_random():
    data = gt.load_data("epilepsy")
    model = gt.fit("seizures ~ treatment + (1 | subject)", data, "poisson", zero_inflation="~ 1")
    text = str(model.report())
    assert "Rate ratios of the counts that are not extra zeros" in text
    assert f"The probability of an extra zero was {model.dispersion['zero']:.4f}." in text
    assert "conditional" not in text
    slopes = gt.fit("seizures ~ period + (period | subject)", data, "poisson")
    assert "not averages over the population" in str(slopes.report())


def test_the_parts_beside_the_mean_are_told_in_the_words_of_their_design():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(0, 1, 600), "time": np.tile(["12:00", "b"], 300)})
    zero = rng.random(600) < np.where(data["time"] == "b", 0.5, 0.3)
    shape = np.where(data["time"] == "b", 2, 0.7)
    data["y"] = np.where(zero, 0, rng.poisson(8 * rng.gamma(shape, 1 / shape)))
    model = gt.fit("y ~ x", data, "nbinom2", zero_inflation="~ time*x", dispersion_formula="~ time")
    text = str(model.report())
    phi, logit = ([three_digits(value) for value in model.further_dispersion.filter(like=part)]
                  for part in ("log phi", "logit zero"))  # fmt: skip
    assert (
        f"The coefficients of the log dispersion were {phi[0]} (intercept) and {phi[1]} "
        "(time b vs 12:00). The coefficients of the logit of the probability of an extra zero were "
        f"{logit[0]} (intercept), {logit[1]} (time b vs 12:00), {logit[2]} (x) and {logit[3]} "
        "(time b vs 12:00 × x)." in text
    )


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1, 1e3])
def test_a_ratio_is_for_a_step_of_the_covariate_at_which_it_can_be_read(scale):
    data = gt.load_data("epilepsy").assign(time=lambda d: scale * d["period"])
    text = str(gt.fit("seizures ~ time + (1 | subject)", data, "poisson").report())
    step, *shown = re.search(r"time \(per ([^)]+)\): ([^ ]+) \(([^ ]+) to ([^;]+);", text).groups()
    step = 1 if step == "unit" else float(step)
    direct = gt.fit("seizures ~ period + (1 | subject)", gt.load_data("epilepsy"), "poisson")
    row = direct.tidy().loc["period", ["estimate", "conf_low", "conf_high"]].to_numpy(float)
    exact = np.exp(row * step / scale)
    np.testing.assert_allclose(np.array(shown, float), exact, rtol=0.02)
    assert exact.min() > 1e-3 and exact.max() < 1e3


def test_a_ratio_of_two_levels_beyond_all_numbers_is_a_power_of_ten():
    assert _ratios(np.array([-800.0, -1000.0, 900.0])) == ["3.67e-348", "5.08e-435", "7.33e+390"]
    assert _ratios(np.log([0.0004, 1e-9, 160.0])) == ["0.000400", "1.00e-09", "160"]


@pytest.mark.parametrize("square", ["I(days ** 2)", "np.sqrt(days + 1)", "squared"])
def test_a_covariate_whose_square_is_in_the_model_has_no_slope_per_unit(square):
    data = gt.load_data("sleep").assign(squared=lambda d: d["days"] ** 2)
    data["late"] = np.where(np.arange(len(data)) % 2, "yes", "no")
    model = gt.fit(f"reaction ~ days * late + {square} + (1 | subject)", data)
    text = str(model.report())
    if square == "squared":  # a column of its own: nothing says that it is a function of another
        assert "days (per unit; at late = no): " in text
        return
    assert "per unit" not in text and f"; {square}: " in text
    assert "days × late yes vs no: " in text  # its slope is the same at all days


def test_a_group_may_be_called_residual_and_a_series_stands_beside_an_intercept():
    data = gt.load_data("epilepsy").rename(columns={"subject": "Residual"})
    model = gt.fit(
        "seizures ~ treatment + (1 | Residual) + ar1(period | Residual)", data, "poisson"
    )
    sds = model.variance_components["sd"].map(three_digits)
    text = str(model.report())
    assert f"{sds[0]} for Residual (intercept) and {sds[1]} for Residual (ar1(period))." in text
    assert f"correlation was {model.variance_components['corr'][1]:.2f} in Residual (ar1" in text


def test_what_stands_beside_the_formula_is_in_the_summary_the_paragraph_and_the_comparison():
    data = gt.load_data("epilepsy")
    rng = np.random.default_rng(1)
    data = data.assign(w=rng.uniform(0.5, 2, len(data)), area=rng.uniform(1, 2, len(data)))
    formula = "seizures ~ treatment + (1 | subject)"
    plain, area, given = (
        gt.fit(formula, data, "poisson", **options)
        for options in ({}, {"offset": "area"}, {"offset": data["area"], "weights": "w"})
    )
    assert "offset" not in repr(plain) and "offset        area\n" in repr(area)
    assert "offset        given as values\n" in repr(given) and "weights       w\n" in repr(given)
    assert "weights w" in str(given.report()) and "weights" not in str(area.report())
    assert gt.compare(plain, area)["formula"].tolist() == [formula, f"{formula}; offset area"]


def test_the_ratio_of_two_ratios_of_means_is_written_so():
    pigs = gt.load_data("pigs").query("feed > 0")
    text = str(gt.fit("feed ~ copper * week + (1 | pig)", pigs, "gamma", link="log").report())
    assert "(ratio of ratios of means)" in text


def test_coefficients_of_the_dispersion_without_a_finite_estimate_are_no_numbers():
    rng, group = np.random.default_rng(3), np.repeat(["a", "b"], 60)
    y = np.where(group == "a", rng.poisson(4, 120), rng.negative_binomial(1, 0.2, 120))
    y[:60] = np.tile([3, 4, 5], 20)  # less scatter than Poisson: phi has no finite estimate
    with pytest.warns(gt.DataWarning, match="no finite"):
        model = gt.fit("y ~ t", {"y": y, "t": group}, "negative_binomial", dispersion_formula="~ t")
    assert "coefficient" not in str(model.report()).split("Rate ratios")[1]


def test_the_mean_at_a_covariate_of_zero_is_left_out_where_zero_was_not_observed():
    data = gt.load_data("gasoline")
    model = gt.fit("converted ~ temp + (1 | batch)", data, "beta")
    assert "temp = 0" not in str(model.report())
    centred = data.assign(temp=data["temp"] - data["temp"].mean())
    centred_model = gt.fit("converted ~ temp + (1 | batch)", centred, "beta")
    assert "At temp = 0 the mean with random effects at 0 was" in str(centred_model.report())


def test_without_an_intercept_nothing_is_called_a_ratio():
    model = gt.fit(
        "prop(incidence, size) ~ 0 + period + (1 | herd)", gt.load_data("herds"), "binomial"
    )
    text = str(model.report())
    assert "ratio" not in text.replace("rational", "")
    shown, _ = estimate_of(text, "period[2]")
    np.testing.assert_allclose(shown[0], model.params["period[2]"], atol=0.005)
    assert "Type II" not in text  # that test would be of means on the link scale against zero


def test_the_random_part_is_named_by_its_structure():
    data = gt.load_data("rats").query("rat in ['1', '2', '3', '4', '5', '6', '9', '13']")
    model = gt.fit("weight ~ day + (day || rat)", data)
    assert "independent random intercepts and slopes (day) of rat (8 levels)" in str(model.report())


def test_a_model_without_random_effects_says_nothing_of_them():
    data = gt.load_data("herds")
    text = str(gt.fit("prop(incidence, size) ~ period", data, "binomial").report())
    assert "A generalized linear model (binomial" in text and "Odds ratios" in text
    assert "random" not in text


def test_a_singular_fit_is_said_and_a_fit_that_did_not_converge_has_no_numbers(ran_away):
    data = gt.load_data("oats").assign(flat=lambda d: d["nitro"] + np.tile([-1.0, 1.0], 36))
    with pytest.warns(gt.SingularFitWarning):
        singular = gt.fit("flat ~ nitro + (1 | block)", data)
    text = str(singular.report())
    assert "The variance is estimated at zero in (1 | block)." in text and "simplify" not in text
    model = ran_away
    text = str(model.report())
    assert "The fit did not converge, and no estimates are reported." in text
    assert "(1 | herd) ran away" in text
    assert "vs" not in text and "log-likelihood" not in text


def test_versions_can_be_left_out_so_that_the_text_is_the_same_on_every_machine(herds):
    assert "Python" not in str(herds.report(versions=False))
    assert re.search(
        r"Software: glmmtools [\d.]+ with its own engine, NumPy [\d.]+ and Python 3",
        str(herds.report()),
    )


def test_the_paragraph_as_html_and_latex_escapes_what_these_languages_read_as_commands(herds):
    report = herds.report(versions=False)
    assert repr(report) == str(report)
    assert "p &lt; 0.0001" in report.to_html() and report.to_html() == report._repr_html_()
    latex = report.to_latex()
    assert r"95 \% Wald" in latex and r"p $<$ 0.0001" in latex and r"$\chi^2$(3)" in latex
    assert "z = $-$3.24" in latex and not re.search(r"(?<!\\)[%_&#]", latex)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(13.0, "13.0"), (0.04087, "0.0409"), (302.4, "302"), (1234.5, "1234"), (0.0, "0.0000"),
     (3.2e-6, "3.20e-06")],
)  # fmt: skip
def test_three_digits_are_shown_in_full(value, shown):
    assert three_digits(value) == shown


# ------------------------------------------------------------------------------ the table


def test_a_table_of_models_has_the_numbers_of_each_and_empty_cells_elsewhere(sleep):
    simple = gt.fit("reaction ~ days + (1 | subject)", gt.load_data("sleep"), reml=True)
    table = gt.table(simple, sleep, names=["intercepts", "slopes"])
    rows = table.frame.droplevel("part")
    assert list(table.frame) == ["intercepts", "slopes"]
    for name, model in (("intercepts", simple), ("slopes", sleep)):
        estimate, error = rows.loc["days", name].strip(")").split(" (")
        assert float(estimate) == pytest.approx(model.params["days"], abs=0.005)
        assert float(error) == pytest.approx(model.bse["days"], abs=0.005)
        assert float(rows.loc["AIC", name]) == pytest.approx(model.aic, abs=0.005)
        assert float(rows.loc["REML logLik", name]) == pytest.approx(model.llf, abs=0.005)
        assert rows.loc["rows", name] == "180"
    assert rows.loc["sd subject days", "intercepts"] == ""
    assert list(rows.index).index("sd Residual") > list(rows.index).index("corr subject days")
    assert table.notes == ()


def test_the_table_says_what_cannot_be_compared(herds, sleep, ran_away):
    other = gt.fit("reaction ~ 1 + (days | subject)", gt.load_data("sleep"), reml=True)
    assert "REML criteria" in gt.table(sleep, other).notes[0]
    assert "not of the same response and rows" in gt.table(herds, sleep).notes[0]
    assert gt.table(ran_away, names=["bad"]).notes[0].startswith("bad did not converge")


def test_the_table_as_text_html_and_latex(herds, sleep):
    table = gt.table(herds, sleep)
    lines = str(table).splitlines()
    assert lines[0].split() == ["model", "1", "model", "2"]
    assert len({len(each) for each in lines if each.startswith("  ") and "251.41" in each}) == 1
    parts = table.frame.index.get_level_values("part").nunique()
    assert table._repr_html_().count("<tr>") == 1 + parts + len(table.frame)
    latex = table.to_latex().splitlines()
    assert latex[0] == r"\begin{tabular}{lrr}" and r"\end{tabular}" in latex
    assert all(line.count(" & ") == 2 for line in latex if " & " in line)
    assert r"period[T.2] & $-$0.992 (0.307) &  \\" in latex


@pytest.mark.parametrize("names", [["one"], ["same", "same"]])
def test_a_table_needs_models_and_one_name_for_each(herds, names):
    with pytest.raises(ValueError, match=r"one different name for each of the 2 models"):
        gt.table(herds, herds, names=names)
    with pytest.raises(ValueError, match="needs one fitted model or more"):
        gt.table()
