"""Tests of terms, comparisons of models, profile and bootstrap intervals: against R and theory."""

import itertools
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, optimize, special, stats

import glmmtools as gt
from glmmtools.engine import choice as engines
from glmmtools.fitted.parameters import parameters
from glmmtools.inference import replicates
from tests.quiet_fits import quietly

REFERENCE = json.loads((Path(__file__).parent / "reference" / "inference.json").read_text())
ANOVA = {each["id"]: each for each in REFERENCE["anova"]}

STATISTIC = 1e-8  # for R's own coefficients and covariance
DEN_DF = 1e-4
LIKELIHOOD_RATIO = 2e-5  # absolute: two log-likelihoods, each within 1e-5 of R's
PROFILE = 1e-3


@cache
def data_of(name, thin=0):
    data = gt.load_data(name)
    return data[np.arange(len(data)) % thin != 0] if thin else data


@cache
def fitted(formula, name, family="normal", thin=0, reml=False):
    return gt.fit(formula, data_of(name, thin), family, reml=reml)


def of_reference(model_id):
    """Our model, and the same one with R's coefficients and their covariance."""
    r = ANOVA[model_id]
    model = fitted(r["formula"], r["data"], r["family"], r["thin"], r["reml"])
    beta, cov = np.array(r["beta"]), np.array(r["vcov"])
    np.testing.assert_allclose(model.params, beta, atol=1e-3 * np.sqrt(np.diag(cov)).min())
    estimate = replace(model.estimate, beta=beta, cov_beta=cov)
    return gt.FittedModel(model.problem, estimate)


def herds(rhs="period + (1 | herd)"):
    return fitted(f"prop(incidence, size) ~ {rhs}", "herds", "binomial")


def sleep(rhs, reml=False):
    return fitted(f"reaction ~ {rhs}", "sleep", reml=reml)


# ------------------------------------------------------------------------------ anova


@pytest.mark.parametrize(
    "formula", ["y ~ c + (c | s)", "y ~ c + x + (1 | s)", "y ~ c * z + (1 | s)"]
)
def test_denominator_df_depend_neither_on_coding_nor_on_the_type_of_an_additive_model(formula):
    rng = np.random.default_rng(22)
    data = pd.DataFrame([(s, c) for s in range(9) for c in "aaabbbbcc"], columns=["s", "c"])
    data["x"], data["z"] = rng.normal(0, 1, 81), rng.choice(list("uv"), 81)
    effects = rng.normal(0, [0.8, 3, 1.5], (9, 3))
    data["y"] = effects[data["s"], data["c"].map({"a": 0, "b": 1, "c": 2})] + rng.normal(0, 1, 81)
    tables = {2: [], 3: []}
    for order in ("abc", "bac", "cab"):
        coded = data.assign(c=pd.Categorical(data["c"], list(order)))
        for text in (formula, formula.replace("~ c ", "~ C(c, contr.sum) ")):
            model = gt.fit(text, coded, reml=True)
            for type, found in tables.items():
                found.append(model.anova(type).drop(columns=["df", "kind"]).to_numpy(float))
    for type, found in tables.items():
        for table in found:
            expected = tables[type if "*" in formula else 2][0]
            np.testing.assert_allclose(table, expected, rtol=2e-4)


@pytest.mark.parametrize("type", [2, 3])
@pytest.mark.parametrize("model_id", ANOVA)
def test_wald_tables_are_those_of_car_and_lmertest(model_id, type):
    table = of_reference(model_id).anova(type)
    expected = pd.DataFrame(ANOVA[model_id][f"type{type}"]).T
    assert list(table.index) == list(expected.index)
    assert list(table["df"]) == list(expected["df"])
    np.testing.assert_allclose(table["statistic"], expected["statistic"], rtol=STATISTIC)
    is_f = "den_df" in expected
    assert set(table["kind"]) == {"F" if is_f else "chisq"}
    if is_f:
        np.testing.assert_allclose(table["den_df"], expected["den_df"], rtol=DEN_DF)
        exact = stats.f.sf(table["statistic"], table["df"], table["den_df"])
        np.testing.assert_allclose(table["p_value"], exact, rtol=1e-8)
    else:
        np.testing.assert_allclose(table["p_value"], expected["p_value"], rtol=1e-7)


def test_type_two_is_the_difference_of_two_hypotheses():
    """W(term and its relatives) - W(relatives), with the covariance of the estimates."""
    model = of_reference("arabidopsis")
    beta, V = model.params.to_numpy(), model.cov_params().to_numpy()
    columns = model.problem.design.terms

    def wald(*terms):
        at = [column for term in terms for column in columns[term]]
        return beta[at] @ np.linalg.solve(V[np.ix_(at, at)], beta[at])

    relatives = ["nutrient:clipping", "nutrient:status", "nutrient:clipping:status"]
    expected = wald("nutrient", *relatives) - wald(*relatives)
    assert model.anova().loc["nutrient", "statistic"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("test", ["wald", "lr"])
def test_type_three_does_not_depend_on_the_coding(test):
    d = data_of("seeds")
    fits = [
        gt.fit(f"prop(germinated, seeds) ~ {fixed} + (1 | plate)", d, "binomial")
        for fixed in (
            "variety * extract",
            "C(variety, contr.treatment('Oa73')) * C(extract, contr.sum)",
            "C(variety, contr.helmert) * extract",
        )
    ]
    tables = [fit.anova(3, test) for fit in fits]
    for table in tables[1:]:
        np.testing.assert_allclose(table["statistic"], tables[0]["statistic"], rtol=1e-4)


@pytest.mark.parametrize(
    ("model_id", "formula", "family", "thin"),
    [
        ("seeds", "prop(germinated, seeds) ~ variety * extract + (1 | plate)", "binomial", 0),
        ("herds", "prop(incidence, size) ~ period + (1 | herd)", "binomial", 0),
        ("oats_thinned", "yield ~ variety * C(nitro) + (1 | block/variety)", "normal", 7),
        ("sleep", "reaction ~ days + (days | subject)", "normal", 0),
    ],
)
def test_likelihood_ratios_of_terms_are_those_of_refits_in_r(model_id, formula, family, thin):
    table = fitted(formula, model_id.split("_")[0], family, thin).anova(test="lr")
    expected = pd.DataFrame(REFERENCE["likelihood_ratio"][model_id]).T.loc[table.index]
    np.testing.assert_allclose(table["statistic"], expected["statistic"], atol=LIKELIHOOD_RATIO)
    assert list(table["df"]) == list(expected["df"])
    assert set(table["kind"]) == {"chisq"}


def test_the_likelihood_ratio_of_least_squares_is_that_of_the_sums_of_squares():
    model = fitted("yield ~ variety * C(nitro)", "oats", thin=7)
    smaller = fitted("yield ~ variety + C(nitro)", "oats", thin=7)
    squares = [(m.resid() ** 2).sum() for m in (model, smaller)]
    row = model.anova(test="lr").loc["variety:C(nitro)"]
    assert row["statistic"] == pytest.approx(model.nobs * np.log(squares[1] / squares[0]))


@pytest.mark.parametrize("type", [2, 3])
def test_the_only_term_can_be_left_out(type):
    """Without a column left: sums of squares about zero."""
    model = fitted("yield ~ 0 + nitro", "oats")
    y = data_of("oats")["yield"]
    expected = 72 * np.log((y**2).sum() / (model.resid() ** 2).sum())
    row = model.anova(type, test="lr").loc["nitro"]
    assert row["statistic"] == pytest.approx(expected, rel=1e-6)


def test_the_test_of_one_coefficient_is_its_squared_t():
    model = sleep("days + (days | subject)", reml=True)
    row, days = model.anova().loc["days"], model.tidy().loc["days"]
    assert row["statistic"] == pytest.approx(days["statistic"] ** 2)
    assert row["p_value"] == pytest.approx(days["p_value"], rel=1e-5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: herds().anova(1), "type must be 2 or 3; got 1"),
        (lambda: herds().anova(test="F"), "test must be one of wald, lr; got 'F'"),
        (lambda: herds("1 + (1 | herd)").anova(), "no terms beside the intercept"),
        (
            lambda: sleep("days + (1 | subject)", reml=True).anova(test="lr"),
            r"fit with reml=False, or use test='wald'",
        ),
    ],
)
def test_what_anova_cannot_test_is_refused_with_the_reason(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_a_fit_that_did_not_converge_is_not_tested(ran_away):
    model = ran_away
    for ask in (model.anova, model.bootstrap, lambda: gt.compare(model, herds())):
        with pytest.raises(ValueError, match="did not converge"):
            ask()


# ------------------------------------------------------------------------------ compare


@pytest.mark.parametrize(
    ("smaller", "larger", "name", "reference"),
    [
        ("(1 | subject)", "(days | subject)", "slope_and_correlation", (1, 2)),
        ("(1 | subject)", "(days || subject)", "slope", (0, 1)),
        ("(days || subject)", "(days | subject)", "correlation", (1,)),
        ("(1 | subject) + (0 + days | subject)", "(days | subject)", "correlation", (1,)),
    ],
)
def test_tests_of_variances_are_rs_ratios_against_mixtures(smaller, larger, name, reference):
    table = gt.compare(sleep(f"days + {larger}"), sleep(f"days + {smaller}"))
    expected = REFERENCE["likelihood_ratio"]["sleep_random"][name]
    row = table.loc[2]
    assert row["formula"] == f"reaction ~ days + {larger}" and row["against"] == "1"
    assert row["statistic"] == pytest.approx(expected["statistic"], abs=LIKELIHOOD_RATIO)
    assert row["df"] == expected["df"]
    tails = [stats.chi2.sf(row["statistic"], df) if df else 0 for df in reference]
    assert row["p_value"] == pytest.approx(np.mean(tails))
    shown = [f"chi2({df})" for df in reference]
    assert (
        row["reference"] == " + ".join(f"0.5 {each}" for each in shown)
        or [row["reference"]] == shown
    )


def test_a_fixed_effect_is_tested_as_in_r():
    f = "seizures ~ {}log(base) + (1 | subject)"
    m0, m1 = (fitted(f.format(x), "epilepsy", "negative_binomial") for x in ("", "treatment + "))
    row = gt.compare(m0, m1).loc[2]
    expected = REFERENCE["likelihood_ratio"]["epilepsy"]["treatment"]
    assert row["statistic"] == pytest.approx(expected["statistic"], abs=LIKELIHOOD_RATIO)
    assert row["p_value"] == pytest.approx(expected["p_value"], rel=1e-4)
    assert row["reference"] == "chi2(1)"


def test_each_model_is_tested_against_the_next_smaller_one_that_it_contains():
    f = "seizures ~ {} + offset(log(base)) + (1 | subject)"
    models = [
        fitted(f.format("age"), "epilepsy", "poisson"),
        fitted(f.format("treatment"), "epilepsy", "poisson"),
        fitted(f.format("treatment"), "epilepsy", "negative_binomial"),
        fitted(f.format("treatment"), "epilepsy", "nbinom1"),
    ]
    table = gt.compare(*models).set_index("formula")
    row = table.loc["seizures ~ treatment + offset(log(base)) + (1 | subject); negative_binomial"]
    tested = table.index[int(row["against"]) - 1]
    assert tested == "seizures ~ treatment + offset(log(base)) + (1 | subject); poisson"
    assert row["reference"] == "0.5 chi2(0) + 0.5 chi2(1)"
    assert (table["against"] == "").sum() == 2  # same number of parameters: by AIC only
    assert table["delta_aic"].min() == 0


def test_two_variances_at_once_have_a_conservative_test_that_points_to_the_bootstrap():
    row = gt.compare(sleep("days"), sleep("days + (days | subject)")).loc[2]
    assert row["p_value"] == pytest.approx(stats.chi2.sf(row["statistic"], 3))
    assert row["reference"] == "chi2(3), conservative: 2 variances; use bootstrap=999"


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (lambda: sleep("days + (1 | subject)", reml=True), "one is fitted by REML"),
        (lambda: fitted("log(reaction) ~ days", "sleep"), r"family='lognormal' instead of log\(y"),
        (lambda: gt.fit("reaction ~ days", data_of("sleep")[3:]), r"180 and 177.*dropna\(subset"),
        (lambda: gt.fit("reaction ~ days", data_of("sleep")[::-1]), "rows in another order"),
        (lambda: data_of("sleep"), r"takes fitted models, one by one"),
    ],
)
def test_likelihoods_of_different_data_are_not_compared(other, sentence):
    with pytest.raises(ValueError, match=sentence):
        gt.compare(sleep("days + (1 | subject)"), other())


def test_reml_fits_are_compared_only_with_the_same_fixed_part():
    one, other = (sleep(f"{x} + (1 | subject)", reml=True) for x in ("1", "days"))
    with pytest.raises(ValueError, match="fit both with reml=False"):
        gt.compare(one, other)
    row = gt.compare(other, sleep("days + (days | subject)", reml=True)).loc[2]
    assert row["reference"] == "0.5 chi2(1) + 0.5 chi2(2)"


@pytest.mark.parametrize("unit", [1e-10, 1.0, 1e10])
def test_what_may_be_compared_does_not_depend_on_units(unit):
    d = data_of("pigs").head(300)
    rng = np.random.default_rng(4)
    d = d.assign(x=unit * rng.normal(size=300), z=unit * rng.normal(size=300), v=unit * d["weight"])
    d["w"] = d["v"] + d["z"]

    def fit(formula, **options):
        return gt.fit(formula, d, **options)

    with pytest.raises(ValueError, match="REML likelihoods of different fixed parts"):
        gt.compare(
            fit("v ~ week + x + (1 | pig)", reml=True), fit("v ~ week + z + (1 | pig)", reml=True)
        )
    with pytest.raises(ValueError, match="different responses"):
        gt.compare(fit("v ~ week + x + (1 | pig)"), fit("w ~ week + x + z + (1 | pig)"))
    offsets = fit("v ~ week + offset(x)"), fit("v ~ week + x + offset(z)")
    assert (gt.compare(*offsets)["against"] == "").all()


@pytest.mark.parametrize("unit", [1e-10, 1e10, 1e13])
def test_type_three_does_not_depend_on_the_units_of_a_covariate(unit):
    d = data_of("cake")
    plain, other = (
        gt.fit("angle ~ recipe * t", d.assign(t=k * d["temperature"])).anova(3) for k in (1, unit)
    )
    np.testing.assert_allclose(other["statistic"], plain["statistic"], rtol=1e-5)


@pytest.mark.filterwarnings("ignore::glmmtools.SingularFitWarning")
def test_the_boundary_test_of_a_balanced_layout_has_its_closed_form_and_keeps_its_size():
    """Groups of 5 without a variance between them; the ratio depends on two sums of squares."""

    def exact(between, within, a, n=5):
        s2, s2_between = within / (a * (n - 1)), between / a
        pooled = (within + between) / (a * n)
        rise = a * n * np.log(pooled) - a * (n - 1) * np.log(s2) - a * np.log(s2_between)
        return np.where(s2_between > s2, rise, 0.0)

    rng = np.random.default_rng(5)
    data = pd.DataFrame({"g": np.repeat(np.arange(20).astype(str), 5), "y": rng.normal(size=100)})
    m0, m1 = gt.fit("y ~ 1", data), gt.fit("y ~ 1 + (1 | g)", data)
    for y in rng.normal(size=(25, 100)):
        row = gt.compare(m0.refit(y), m1.refit(y)).loc[2]
        means = y.reshape(20, 5).mean(axis=1)
        within = ((y - np.repeat(means, 5)) ** 2).sum()
        statistic = exact(5 * ((means - y.mean()) ** 2).sum(), within, 20)
        assert row["statistic"] == pytest.approx(statistic, abs=LIKELIHOOD_RATIO)
        expected = 0.5 * stats.chi2.sf(statistic, 1) if statistic > 0 else 1.0
        assert row["p_value"] == pytest.approx(expected, rel=1e-3)

    draws = exact(rng.chisquare(199, 40_000), rng.chisquare(800, 40_000), 200)
    size = np.mean(0.5 * stats.chi2.sf(draws, 1) < 0.05)
    naive = np.mean(stats.chi2.sf(draws, 1) < 0.05)
    assert 0.04 < size < 0.055 and naive < 0.03


# ------------------------------------------------------------------------------ profile


@pytest.mark.parametrize(
    ("name", "formula", "family"),
    [
        ("herds", "prop(incidence, size) ~ period + (1 | herd)", "binomial"),
        ("sleep", "reaction ~ days + (days | subject)", "normal"),
        ("oats", "yield ~ nitro + (1 | block/variety)", "normal"),
    ],
)
def test_profile_intervals_are_those_of_lme4(name, formula, family):
    table = fitted(formula, name, family).conf_int(method="profile")
    expected = pd.DataFrame(REFERENCE["profile"][name]).T.loc[table.index]
    np.testing.assert_allclose(table["conf_low"], expected["low"], rtol=PROFILE)
    np.testing.assert_allclose(table["conf_high"], expected["high"], rtol=PROFILE)


def test_profiles_of_coefficients_are_found_where_two_variances_cannot_be_told_apart():
    """`cs` of single rows and the residual: the coefficients' are those of the same model."""
    layout = gt.designs.repeated(12, [0, 1, 3, 4], ["old", "new"], time="day")
    data = gt.simulate(
        "y ~ treatment + (1 | subject)", layout, coef=[5, 1], sd=0.6, phi=0.8, seed=2
    )
    with pytest.warns(gt.DataWarning, match="which part of the variance"):
        ridge = gt.fit("y ~ treatment + cs(day | subject)", data).conf_int(method="profile")
    same = gt.fit("y ~ treatment + (1 | subject)", data).conf_int(method="profile")
    coefficients = ["Intercept", "treatment[T.new]"]
    np.testing.assert_allclose(ridge.loc[coefficients], same.loc[coefficients], rtol=1e-3)
    assert ridge.drop(index=coefficients)[["conf_low", "conf_high"]].isna().all(axis=None)


@pytest.mark.parametrize("seed", [4, 10])
def test_beside_a_correlation_of_one_the_profiles_are_those_of_random_intercepts_or_nan(seed):
    layout = gt.designs.repeated(8, range(4), ["a", "b"], time="week")
    data = gt.simulate("y ~ treatment + (1 | subject)", layout, coef=[1, 0.5], sd=1, seed=seed)
    with pytest.warns(gt.SingularFitWarning):
        series = gt.fit("y ~ treatment + ar1(week | subject)", data)
    same = gt.fit("y ~ treatment + (1 | subject)", data)
    assert series.llf == pytest.approx(same.llf, abs=1e-4)
    found, known = (each.conf_int(method="profile").iloc[:2] for each in (series, same))
    np.testing.assert_allclose(found, known.where(found.notna()), rtol=2e-3, atol=2e-3)
    assert found.notna().to_numpy().sum() >= 4
    assert series.conf_int(method="profile").iloc[2:, 1:].isna().all(axis=None)


def test_the_profile_of_a_variance_of_zero_starts_at_zero():
    """Balanced one-way layout with no variance between blocks: the profile is known exactly."""
    data = data_of("oats").assign(flat=lambda d: d["nitro"] + np.tile([-1.0, 1.0], 36))
    with pytest.warns(gt.SingularFitWarning):
        model = gt.fit("flat ~ nitro + (1 | block)", data)
    interval = model.conf_int(method="profile").loc["sd block Intercept"]
    assert interval["conf_low"] == 0

    def fall(sd):  # all of the squares are within blocks, 66 df; the blocks' means have none
        def deviance(s2):
            between = s2 + 12 * sd**2
            return 66 * np.log(s2) + 6 * np.log(between) + within / s2

        within = ((model.resid()) ** 2).sum()
        grid = np.linspace(0.5, 1.5, 20001) * within / 72
        return deviance(grid).min() - 72 * np.log(within / 72) - 72

    assert fall(interval["conf_high"]) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-3)


class Exact:
    """The likelihood of a normal model with random intercepts, by dense matrices."""

    def __init__(self, y, X, groups, reml=False):
        self.Xy, self.reml = np.column_stack([X, y]), reml
        self.parts = [np.equal.outer(codes, codes).astype(float) for codes in groups]
        self.parts.append(np.eye(len(y)))
        self.top = self.lowest({})

    def minus_twice(self, variances):
        V = sum(v * part for v, part in zip(variances, self.parts, strict=True))
        root = np.linalg.cholesky(V)
        whitened = linalg.solve_triangular(root, self.Xy, lower=True, check_finite=False)
        R = np.linalg.qr(whitened, mode="r")  # its last entry is the length of the residual
        restricted = np.log(np.abs(np.diag(R)[:-1])).sum() if self.reml else 0.0
        return 2 * np.log(np.diag(root)).sum() + R[-1, -1] ** 2 + 2 * restricted

    def lowest(self, held):
        """Lowest deviance with the standard deviations in `held`, by place, at their values."""
        free = [k for k in range(len(self.parts)) if k not in held]

        def deviance(sds):
            values = np.empty(len(self.parts))
            values[free], values[list(held)] = sds, list(held.values())
            return self.minus_twice(np.maximum(values, [*[0] * (len(values) - 1), 0.05]) ** 2)

        starts = itertools.product([0.0, 1.0], repeat=len(free))
        return min(
            optimize.minimize(
                deviance, np.array(start) + 0.01, method="L-BFGS-B", bounds=[(1e-9, 9)] * len(free),
                options={"ftol": 1e-14, "gtol": 1e-9},
            ).fun for start in starts
        ) if free else deviance([])  # fmt: skip

    def limit(self, place, inner, outer):
        quantile = stats.chi2.ppf(0.95, 1)
        fall = lambda sd: self.lowest({place: sd}) - self.top - quantile  # noqa: E731
        return optimize.brentq(fall, inner, outer, xtol=1e-7)


@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_profiles_beside_a_boundary_let_every_variance_leave_zero(seed, reml):
    """The sd of the groups is estimated at zero, and is above it where that of rows is small."""
    rng, g = np.random.default_rng(seed), np.repeat(np.arange(6), 4)
    data = pd.DataFrame({"g": g, "x": np.tile([0, 1, 2, 3.0], 6)})
    data["y"] = 0.2 * data["x"] + rng.normal(0, 1, 24)
    model = quietly("y ~ x + (1 | g)", data, reml=reml)
    assert model.singular
    X = np.column_stack([np.ones(24), data["x"]])
    exact, table = Exact(data["y"].to_numpy(), X, [g], reml), model.conf_int(method="profile")
    group, residual = table.loc["sd g Intercept"], table.loc["residual sd"]
    sd = residual["estimate"]
    assert residual["conf_low"] == pytest.approx(exact.limit(1, 0.4 * sd, sd), abs=2e-5)
    assert residual["conf_high"] == pytest.approx(exact.limit(1, sd, 3 * sd), abs=2e-5)
    assert group["conf_low"] == 0
    assert group["conf_high"] == pytest.approx(exact.limit(0, 0.01, 5), abs=2e-5)


def test_restricted_profiles_of_nested_variances_are_exact():
    rng, codes = np.random.default_rng(5), np.arange(48)
    block, plot = codes // 8, codes // 4
    data = pd.DataFrame({"block": block, "plot": plot, "x": np.tile([0.0, 1, 2, 3], 12)})
    data["y"] = rng.normal(0, 1, 6)[block] + rng.normal(0, 1, 48)
    model = quietly("y ~ x + (1 | block/plot)", data, reml=True)
    table = model.conf_int(method="profile")
    assert list(table.index) == ["sd block Intercept", "sd block:plot Intercept", "residual sd"]
    X = np.column_stack([np.ones(48), data["x"]])
    exact = Exact(data["y"].to_numpy(), X, [block, plot], reml=True)
    for place, (_, row) in enumerate(table.iterrows()):
        estimate, low, high = row
        assert high == pytest.approx(exact.limit(place, estimate + 1e-3, 4), abs=2e-4)
        if low > 0:
            assert low == pytest.approx(exact.limit(place, 1e-3, estimate), abs=2e-4)


def test_a_plot_of_a_profile_has_the_likelihood_and_the_limits_of_the_interval():
    model, quantile = herds(), stats.chi2.ppf(0.9, 1) / 2
    row = model.conf_int(0.9, method="profile").loc["period[T.2]"]
    ax = model.plot_profile("period[T.2]", level=0.9)
    lines = {line.get_gid(): line.get_xydata() for line in ax.lines}
    np.testing.assert_allclose(lines["limits"][:, 0], row[["conf_low", "conf_high"]])
    np.testing.assert_allclose(lines["limits"][:, 1], -quantile, atol=0.01)
    value, fall = lines["profile"][-1]
    held = model.problem.with_coefficient(1, value)
    assert fall == pytest.approx(engines.laplace.fit(held).llf - model.llf, abs=1e-4)
    wald = -0.5 * ((value - row["estimate"]) / model.bse["period[T.2]"]) ** 2
    assert lines["parabola"][-1, 1] == pytest.approx(wald)
    with pytest.raises(ValueError, match=r"no parameter 'periods'.*profiles are of Intercept"):
        model.plot_profile("periods")


# ------------------------------------------------------------------------------ bootstrap


def test_the_bootstrap_is_the_same_for_any_number_of_processes():
    one, two = (herds().bootstrap(n=60, seed=3, n_jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one.replicates, two.replicates, check_exact=True)
    pd.testing.assert_series_equal(one.warnings, two.warnings)
    other_seed = herds().bootstrap(n=3, seed=4)
    assert not other_seed.replicates.equals(one.replicates[:3])


def test_a_stopped_run_goes_on_from_its_file(tmp_path, capsys, monkeypatch):
    path = tmp_path / "run.csv"
    monkeypatch.setattr(replicates, "_BATCH", 10)
    monkeypatch.setattr(replicates, "_CHUNK", 2)
    whole = herds().bootstrap(n=13, statistic=parameters)
    calls = iter(range(1000))

    def interrupted(model):
        if next(calls) == 12:
            raise KeyboardInterrupt
        return parameters(model)

    with pytest.raises(KeyboardInterrupt):
        herds().bootstrap(n=13, path=path, statistic=interrupted)
    assert len(path.read_text().splitlines()) == 12  # whose it is, names, one batch
    before = path.read_text()
    with path.open("a") as file:
        file.write("10,-1.39")  # killed while it wrote
    monkeypatch.delenv("TQDM_DISABLE")
    resumed = herds().bootstrap(n=13, path=path, statistic=parameters, progress=True)
    assert "[########################] 13 of 13" in capsys.readouterr().err
    assert path.read_text().startswith(before) and len(path.read_text().splitlines()) == 15
    pd.testing.assert_frame_equal(resumed.replicates, whole.replicates, check_exact=True)
    assert list(resumed.warnings) == list(whole.warnings)
    with pytest.raises(ValueError, match="another bootstrap: its seed is 0, not 1; give"):
        herds().bootstrap(n=13, seed=1, path=path)
    with pytest.raises(ValueError, match=r"another bootstrap: its formula is .*period"):
        herds("1 + (1 | herd)").bootstrap(n=13, path=path)
    with pytest.raises(ValueError, match="make it first"):
        herds().bootstrap(n=13, path=tmp_path / "missing" / "run.csv")


def test_failed_refits_are_counted_and_kept_apart():
    """Three rows a group: in some replicates most groups are all or nothing."""
    rng, g = np.random.default_rng(4), np.repeat(np.arange(20), 3)
    p = special.expit(2 * rng.normal(size=20))[g]
    model = gt.fit("y ~ 1 + (1 | g)", pd.DataFrame({"g": g, "y": rng.binomial(1, p)}), "binomial")
    boot = model.bootstrap(n=100)
    failed = boot.failures != ""
    assert 0 < boot.n_failed == failed.sum() < 100
    assert boot.replicates[failed].isna().all(axis=None)
    assert boot.replicates[~failed].notna().all(axis=None)
    assert boot.warning_counts["ConvergenceWarning"] == boot.n_failed
    assert f"100 replicates, {boot.n_failed} failed; " in repr(boot)
    assert (boot.frame["n"] == 100 - boot.n_failed).all()


@pytest.mark.slow
def test_bootstrap_standard_errors_of_a_balanced_trial_are_the_exact_ones():
    """In balanced data least squares is best, so the covariance of the estimates is known."""
    model = fitted("yield ~ C(nitro) + (1 | block/variety)", "oats")
    frame = model.bootstrap(n=600).frame
    table = frame.loc[model.params.index]
    z = (table["std_error"] - model.bse) / table["mc_error"]
    assert np.abs(z).max() < 3
    bias_z = table["bias"] / (table["std_error"] / np.sqrt(600))
    assert np.abs(bias_z).max() < 3
    assert frame.loc["sd block Intercept", "bias"] < 0  # maximum likelihood: variances too small


def test_percentile_and_basic_intervals_are_quantiles_of_the_replicates():
    boot = herds().bootstrap(n=99)
    ordered = np.sort(boot.replicates["sd herd Intercept"])
    percentile = boot.conf_int(0.9).loc["sd herd Intercept"]
    assert tuple(percentile[["conf_low", "conf_high"]]) == (ordered[4], ordered[94])
    basic = boot.conf_int(0.9, "basic").loc["sd herd Intercept"]
    assert basic["conf_low"] == pytest.approx(2 * percentile["estimate"] - ordered[94])
    same = herds().conf_int(0.9, method="bootstrap", n=99)
    pd.testing.assert_frame_equal(same, boot.conf_int(0.9))
    assert list(same.index) == list(herds().conf_int(method="profile").index)


def test_studentized_intervals_are_quantiles_of_deviations_in_their_standard_errors():
    model, boot = herds(), herds().bootstrap(n=39)
    assert list(boot.wald_errors) == list(model.params.index)
    pd.testing.assert_series_equal(boot.wald_error, model.bse, check_names=False)
    rng = np.random.SeedSequence(0).spawn(39)[3]
    refitted = model.refit(model.simulate(1, rng)[0])
    np.testing.assert_allclose(boot.wald_errors.iloc[3], refitted.bse)
    name = "period[T.3]"
    t = (boot.replicates[name] - model.params[name]) / boot.wald_errors[name]
    ordered = np.sort(t)
    table = model.conf_int(0.9, method="bootstrap", kind="studentized", n=39)
    expected = model.params[name] - ordered[[37, 1]] * model.bse[name]
    np.testing.assert_allclose(table.loc[name, ["conf_low", "conf_high"]], expected)
    assert list(table.index) == list(model.params.index)


def test_a_column_may_be_called_like_the_error_of_another():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(40, 3)), columns=["y", "c", "standard error of c"])
    names = ["Intercept", "c", "standard error of c"]
    boot = gt.fit("y ~ c + `standard error of c`", data).bootstrap(n=19, seed=1)
    assert list(boot.estimate.index[:3]) == names
    assert list(boot.conf_int(0.9, kind="studentized").index) == names


def test_studentized_intervals_are_refused_for_other_parts():
    formula = "seizures ~ treatment + (1 | subject)"
    model = gt.fit(formula, data_of("epilepsy"), "poisson", zero_inflation="~ 1")
    with pytest.raises(ValueError, match="coefficients of the mean, not for part='zero'"):
        model.conf_int(method="bootstrap", kind="studentized", part="zero", n=39)


@pytest.mark.slow
def test_studentized_intervals_of_least_squares_are_students():
    """The pivot has Student's distribution, whatever the parameters that were estimated."""
    data = data_of("oats").query("variety == 'Victory' and block in ['I', 'II']")
    model = gt.fit("yield ~ nitro", data)
    found = model.conf_int(method="bootstrap", kind="studentized", n=1999).loc["nitro"]
    half = (found["conf_high"] - found["conf_low"]) / 2
    assert half / model.bse["nitro"] == pytest.approx(stats.t.ppf(0.975, 6), rel=0.06)


def test_any_statistic_of_the_model_can_be_bootstrapped():
    boot = herds().bootstrap(n=40, statistic=lambda m: {"llf": m.llf, "aic": m.aic})
    np.testing.assert_allclose(boot.replicates["aic"], 10 - 2 * boot.replicates["llf"])
    assert list(herds().bootstrap(n=2, statistic=lambda m: m.llf).replicates) == ["statistic"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: herds().bootstrap(n=0), "a whole number of 1 or more; got 0"),
        (lambda: herds().bootstrap(n=20).conf_int(), "need n of at least 39"),
        (lambda: herds().bootstrap(n=20).conf_int(95), r"got 95\. Use 0\.95"),
        (lambda: herds().conf_int(method="boot"), "wald, profile, bootstrap; got 'boot'"),
        (
            lambda: herds().bootstrap(n=39, statistic=lambda m: m.llf).conf_int(kind="studentized"),
            "kind='percentile' or 'basic'",
        ),
        (lambda: herds().bootstrap(n=39).conf_int(kind="bca"), "percentile, basic, studentized"),
        (lambda: herds().conf_int(n=99), r"n: options of method='bootstrap', not 'wald'"),
    ],
)
def test_what_the_bootstrap_cannot_do_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (lambda: sleep("1 + (1 | subject)"), "takes the smaller model first"),
        (lambda: sleep("days + (1 | subject)"), "takes the smaller model first"),
        (lambda: sleep("days + (days | subject)", reml=True), "one is fitted by REML"),
        (lambda: gt.fit("reaction ~ days * I(days**2)", data_of("sleep")[3:]), "180 and 177"),
    ],
)
def test_the_bootstrap_of_a_ratio_is_of_models_that_can_be_compared_the_smaller_first(
    other, sentence
):
    with pytest.raises(ValueError, match=sentence):
        gt.bootstrap_lrt(sleep("days + (1 | subject)"), other(), n=2)


@pytest.mark.slow
def test_the_bootstrap_likelihood_ratio_test_agrees_with_the_exact_f_test():
    """In a balanced block design the likelihood ratio of a treatment is a function of its F."""
    data = data_of("oats").query("variety == 'Victory'").copy()
    rng = np.random.default_rng(8)
    data["y"] = rng.normal(size=24) + 0.9 * data["nitro"] + np.repeat(rng.normal(size=6), 4)
    m0, m1 = gt.fit("y ~ 1 + (1 | block)", data), gt.fit("y ~ C(nitro) + (1 | block)", data)
    exact = gt.fit("y ~ block + C(nitro)", data).anova().loc["C(nitro)", "p_value"]
    found = gt.bootstrap_lrt(m0, m1, n=499)
    assert abs(found["p_value"] - exact) < 3 * found["mc_error"]
    row = gt.compare(m0, m1, bootstrap=499).loc[2]
    assert row["p_value"] == found["p_value"] and row["reference"] == "bootstrap (n = 499)"


@pytest.mark.slow(minutes=2)
def test_bootstrap_intervals_cover_as_often_as_they_say():
    """150 data sets of 40 groups of 4 rows, 99 replicates each; 90 % intervals."""
    rng = np.random.default_rng(12)
    groups = np.repeat(np.arange(40), 4)
    data = pd.DataFrame({"g": groups.astype(str), "x": rng.normal(size=160)})
    truth = pd.Series({"Intercept": 2.0, "x": 0.5, "sd g Intercept": 1.0, "residual sd": 1.0})
    covered = []
    for k in range(150):
        data["y"] = 2 + 0.5 * data["x"] + rng.normal(size=40)[groups] + rng.normal(size=160)
        model = gt.fit("y ~ x + (1 | g)", data)
        table = model.conf_int(0.9, method="bootstrap", n=99, seed=k).loc[truth.index]
        covered.append(table["conf_low"].le(truth) & table["conf_high"].ge(truth))
    error = np.sqrt(0.9 * 0.1 / 150)
    assert np.all(np.abs(np.mean(covered, axis=0) - 0.9) < 3 * error)


AT_A_LIMIT = {  # seed, family, options: no more scatter than Poisson, no more zeros
    "no dispersion": (1, "negative_binomial", {}),
    "no extra zeros": (3, "poisson", {"zero_inflation": "~ 1"}),
}


@pytest.mark.parametrize("case", AT_A_LIMIT)
def test_profiles_let_a_dispersion_and_extra_zeros_leave_their_limit(case):
    seed, family, options = AT_A_LIMIT[case]
    rng, g = np.random.default_rng(seed), np.repeat(np.arange(8), 5)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=40)})
    eta = 0.3 * data["x"] + rng.normal(0, 0.3, 8)[g]
    rng.binomial(8, 1 / (1 + np.exp(0.5 - eta)))
    data["y"] = rng.poisson(np.exp(0.5 + eta))
    with pytest.warns(gt.DataWarning, match="no need for it"):
        model = gt.fit("y ~ x + (1 | g)", data, family, **options)
    for limit in model.conf_int(method="profile").loc["x", ["conf_low", "conf_high"]]:
        fixed = quietly("y ~ 1 + (1 | g)", data, family, offset=limit * data["x"], **options)
        assert model.llf - fixed.llf == pytest.approx(stats.chi2.isf(0.05, 1) / 2, abs=1e-3)


def test_profiles_of_a_process_in_time_do_not_depend_on_its_unit():
    rng, rows = np.random.default_rng(0), 240
    data = pd.DataFrame({"g": np.repeat(np.arange(30), 8), "day": np.tile(np.arange(8), 30)})
    series = rng.normal(size=(30, 8))
    for k in range(1, 8):
        series[:, k] = 0.3 * series[:, k - 1] + np.sqrt(0.91) * series[:, k]
    data["y"] = series.ravel() + rng.normal(0, 0.5, rows)
    data["hour"] = 24 * data["day"]
    days, hours = (
        gt.fit(f"y ~ 1 + ou({unit} | g)", data).conf_int(method="profile")
        for unit in ("day", "hour")
    )
    np.testing.assert_allclose(
        hours.loc["corr g ou(hour)"] ** 24, days.loc["corr g ou(day)"], rtol=1e-3
    )
    np.testing.assert_allclose(hours.loc["residual sd"], days.loc["residual sd"], rtol=1e-3)
    assert days.notna().all(axis=None)
