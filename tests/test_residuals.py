"""Simulated residuals against cdfs and closed forms, their tests on data made wrong on purpose."""

import warnings
from dataclasses import FrozenInstanceError, replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.stattools import durbin_watson

import glmmtools as gt
from benchmarks.residuals import data_set
from glmmtools.engine.marginal import Marginal
from glmmtools.residuals.refitted import Refits, refitted_rows
from glmmtools.residuals.tests import cramer_von_mises, ks_distance

FORMULA = "y ~ x + (1 | g)"


def residuals_of(family="poisson", fitted=None, rows=236, seed=1, conditional=True, **departure):
    data = data_set(np.random.default_rng(seed), rows, family, **departure)
    model = gt.fit(FORMULA, data, fitted or family)
    return model.simulated_residuals(conditional=conditional), data


@pytest.fixture(scope="module")
def right():
    return residuals_of()


# ------------------------------------------------------------------------- the residuals themselves

EVERY_FAMILY = {
    "normal": ("reaction ~ days + (days | subject)", "sleep"),
    "t": ("reaction ~ days + (1 | subject)", "sleep"),
    "lognormal": ("reaction ~ days + (1 | subject)", "sleep"),
    "gamma": ("weight ~ diet * day + (1 | rat)", "rats"),
    "beta": ("converted ~ temp + (1 | batch)", "gasoline"),
    "binomial": ("prop(incidence, size) ~ period + (1 | herd)", "herds"),
    "betabinomial": ("prop(incidence, size) ~ period", "herds"),
    "poisson": ("seizures ~ treatment + log(base) + (1 | subject)", "epilepsy"),
    "negative_binomial": ("seizures ~ treatment + log(base) + (1 | subject)", "epilepsy"),
    "nbinom1": ("seizures ~ treatment + log(base) + (1 | subject)", "epilepsy"),
}


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_the_residual_of_every_family_is_its_cdf_ties_split(family):
    """A share of 3000 draws misses the cdf by 0.05 with probability below 1e-6 (Hoeffding)."""
    formula, data = EVERY_FAMILY[family]
    model = gt.fit(formula, gt.load_data(data), family)
    u = model.simulated_residuals(3000).residuals
    y, given = model.problem.design.y, {**model.shape_by_row, **model.problem.trials}
    upper = model.family.cdf(y, model.fittedvalues.to_numpy(), **given)
    lower = upper
    if model.family.discrete:
        lower = model.family.cdf(y - 1, model.fittedvalues.to_numpy(), **given)
    assert (u > lower - 0.05).all() and (u < upper + 0.05).all()
    assert u.between(0, 1, inclusive="neither").all() and u.is_unique


def test_extra_zeros_are_part_of_the_simulated_model():
    data = data_set(np.random.default_rng(2), 400, "poisson", extra_zeros=0.3)
    model = gt.fit(FORMULA, data, "poisson", zero_inflation="~ 1")
    residuals = model.simulated_residuals(1000)
    mu, zero = model.fittedvalues / (1 - model.dispersion["zero"]), model.dispersion["zero"]
    share = zero + (1 - zero) * np.exp(-mu)
    error = np.sqrt(np.sum(share * (1 - share)) / 1000)
    assert (residuals.simulations == 0).sum(axis=1).mean() == pytest.approx(
        share.sum(), abs=4 * error
    )
    assert residuals.test_zeros().p_value > 0.2


def test_ties_are_split_at_random_so_that_0_1_data_have_uniform_residuals():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"x": rng.normal(size=3000)})
    data["y"] = rng.binomial(1, 1 / (1 + np.exp(-data["x"])))
    u = gt.fit("y ~ x", data, "binomial").simulated_residuals().residuals
    assert stats.kstest(u, "uniform").pvalue > 0.01


def test_a_seed_gives_the_same_residuals_and_another_seed_others(right):
    model = right[0].model
    same, other = model.simulated_residuals(), model.simulated_residuals(seed=1)
    pd.testing.assert_series_equal(same.residuals, right[0].residuals)
    assert same.test_curves() == right[0].test_curves()
    assert (other.residuals != same.residuals).all()


def test_responses_with_new_random_effects_have_the_marginal_covariance():
    """Of a random-slope model, against Z G Zᵀ + R; 4000 draws have a relative error of 2.2 %."""
    model = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"))
    drawn = model.simulate(4000, seed=3)[:, :10]
    Z = np.column_stack([np.ones(10), np.arange(10)])
    G = model.random_covariance("subject").to_numpy()
    expected = Z @ G @ Z.T + model.dispersion["phi"] * np.eye(10)
    sd = np.sqrt(np.diag(expected))
    difference = (np.cov(drawn.T) - expected) / np.outer(sd, sd)
    assert np.abs(difference).max() < 5 * np.sqrt(2 / 4000)


# ------------------------------------------------------------------------- the reference


@pytest.mark.parametrize(
    ("family", "formula", "data", "options"),
    [
        ("normal", "reaction ~ days + (days | subject)", "sleep", {"reml": True}),
        ("normal", "yield ~ nitro + (1 | block/variety)", "oats", {}),
        ("poisson", "seizures ~ treatment + (1 | subject)", "epilepsy", {}),
        ("poisson", "seizures ~ age + (1 | subject)", "epilepsy", {"zero_inflation": "~ 1"}),
        ("negative_binomial", "seizures ~ treatment + (1 | subject)", "epilepsy", {}),
        ("gamma", "weight ~ day + ar1(day | rat)", "rats", {}),
    ],
)
def test_data_sets_refitted_together_are_those_of_refits_one_by_one(family, formula, data, options):
    """The linear predictors of `refit`, to 1 % of the variance by which a refit moves them."""
    model = gt.fit(formula, gt.load_data(data), family, **options)
    rows = refitted_rows(model, 3, seed=5)
    for y, mu in zip(rows.y, rows.mu, strict=True):
        eta, before = model.refit(y).linear_predictor, model.linear_predictor
        assert np.mean((model.link(mu) - eta) ** 2) < 0.01 * np.mean((before - eta) ** 2)


def test_modes_that_cannot_be_found_together_are_found_apart(monkeypatch):
    model = gt.fit("seizures ~ age + (1 | subject)", gt.load_data("epilepsy"), "poisson")
    expected = refitted_rows(model, 5, seed=5)
    solve = Marginal.solve

    def weak(self, vectors):
        return solve(self, vectors) if len(np.atleast_2d(vectors)) == 1 else None

    monkeypatch.setattr(Marginal, "solve", weak)
    np.testing.assert_allclose(refitted_rows(model, 5, seed=5).mu, expected.mu, rtol=1e-9)


@pytest.mark.parametrize(
    ("family", "formula", "data", "options"),
    [
        ("normal", "reaction ~ days + (days | subject)", "sleep", {"reml": True}),
        ("normal", "reaction ~ days + ar1(days | subject)", "sleep", {}),
        ("normal", "reaction ~ days + (1 | subject)", "sleep", {"weights": "w"}),
        ("poisson", "seizures ~ treatment + offset(log(base)) + (1 | subject)", "epilepsy", {}),
        ("poisson", "seizures ~ age + (1 | subject)", "epilepsy", {"zero_inflation": "~ 1"}),
    ],
)
def test_draws_with_new_random_effects_are_those_of_the_refit(family, formula, data, options):
    """Means, sds and correlations of 4000 draws against as many that `refit` simulates."""
    frame = gt.load_data(data).assign(w=lambda d: 1.0 + np.arange(len(d)) % 3)
    model = gt.fit(formula, frame, family, **options)
    y, drawn = next(Refits(model, 1, (5,), steps=20).draws(4000, (5, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulated = model.refit(y).simulate(4000, seed=3)
    z = (drawn.mean(axis=0) - simulated.mean(axis=0)) / simulated.std(axis=0) * np.sqrt(2000)
    assert np.sqrt(np.mean(z**2)) < 3
    ratio = drawn.std(axis=0) / simulated.std(axis=0)
    assert ratio.min() > 0.8 and ratio.max() < 1.25 and abs(np.median(ratio) - 1) < 0.05
    difference = np.corrcoef(drawn.T) - np.corrcoef(simulated.T)
    assert np.sqrt(np.mean(difference**2)) < 0.05


def test_statistics_are_those_of_scipy_and_statsmodels(right):
    u = right[0].residuals.to_numpy()
    assert ks_distance(u) == pytest.approx(stats.kstest(u, "uniform").statistic)
    assert cramer_von_mises(u) == pytest.approx(stats.cramervonmises(u, "uniform").statistic)
    watson = right[0].test_autocorrelation(np.arange(len(u)))
    assert watson.statistic == pytest.approx(durbin_watson(stats.norm.ppf(u)))


def test_outliers_of_a_continuous_family_are_binomial():
    data = data_set(np.random.default_rng(1), 236, "normal")
    data.loc[[0, 50, 100], "y"] += 15
    residuals = gt.fit(FORMULA, data).simulated_residuals()
    result = residuals.test_outliers()
    count = int(result.statistic)
    assert count >= 3
    expected = stats.binomtest(count, 236, 2 / 251, alternative="greater").pvalue
    assert result.p_value == pytest.approx(expected)


# ------------------------------------------------------------------------- what each test sees


def test_a_right_model_passes_and_says_so(right):
    residuals, data = right
    results = [
        residuals.test_uniformity(), residuals.test_dispersion(), residuals.test_outliers(),
        residuals.test_zeros(), residuals.test_curves(), residuals.test_curves("x"),
        residuals.test_groups(data["f"]), residuals.test_autocorrelation(data["time"], "g"),
    ]  # fmt: skip
    assert all(result.p_value > 0.02 for result in results)
    assert residuals.test_dispersion().effect == pytest.approx(1, abs=0.2)


def test_overdispersion_is_seen_at_the_modes_and_not_with_new_random_effects():
    seen = residuals_of(extra_sd=0.7)[0].test_dispersion()
    assert seen.effect > 1.3
    assert seen.p_value == pytest.approx(2 / 251)
    assert "times what the model expects (p = 0.008)" in seen.reading
    assert residuals_of(extra_sd=0.7, conditional=False)[0].test_dispersion().p_value > 0.05


def test_with_new_random_effects_the_tests_reject_wrong_models_and_not_only_them():
    """Zeros and shape are seen; the p-values of right models are spread over (0, 1)."""
    assert residuals_of(extra_zeros=0.3, conditional=False)[0].test_zeros().p_value < 0.02
    wrong = residuals_of("gamma", "normal", conditional=False)[0]
    assert wrong.test_uniformity().p_value < 0.02
    p = []
    for seed in range(20):
        residuals = simulated(seed, rows=56, n=60)
        p += [residuals.test_uniformity().p_value, residuals.test_zeros().p_value]
    assert 0.3 < np.mean(p) < 0.7  # five standard errors; without refits 0.9


def simulated(seed, rows, n):
    """Residuals of a right Poisson model with new random effects."""
    data = data_set(np.random.default_rng(seed), rows, "poisson")
    return gt.fit(FORMULA, data, "poisson").simulated_residuals(n, conditional=False)


def test_a_model_without_random_effects_is_overdispersed_by_what_it_leaves_out():
    data = data_set(np.random.default_rng(1), 236, "negative_binomial")
    for conditional in (True, False):
        residuals = gt.fit("y ~ x", data, "poisson").simulated_residuals(conditional=conditional)
        assert residuals.test_dispersion().effect > 1.5


def test_extra_zeros_a_curve_and_a_wrong_family_are_seen():
    zeros = residuals_of(extra_zeros=0.3)[0].test_zeros()
    assert zeros.effect > 1.3 and zeros.p_value == pytest.approx(2 / 251)
    curved, data = residuals_of(curve=1.2)
    assert curved.test_curves().p_value == curved.test_curves("x").p_value == 1 / 251
    assert curved.test_curves(data["z"]).p_value > 0.05
    wrong = residuals_of("gamma", "normal")[0]
    assert wrong.test_uniformity().p_value == 1 / 251


def test_a_level_with_other_responses_is_named():
    data = data_set(np.random.default_rng(6), 236, "poisson")
    data.loc[data["f"] == "2", "y"] += 2
    result = gt.fit(FORMULA, data, "poisson").simulated_residuals().test_groups(data["f"])
    assert result.p_value == 1 / 251 and "of 4 levels 2 departs most" in result.reading
    assert list(result.table.columns) == ["n", "mean", "statistic", "p_value"]
    assert result.table["p_value"].idxmin() == "2" and result.effect > 0.1


def test_a_drift_within_groups_is_seen_as_autocorrelation_above_what_modes_cause():
    data = data_set(np.random.default_rng(7), 236, "poisson")
    data["time"] = np.tile(np.arange(59), 4)
    data["g"] = np.repeat(list("abcd"), 59)
    log_mean = data["g"].map({"a": 0.4, "b": 0.8, "c": 1.2, "d": 1.6}) + np.sin(data["time"] / 8)
    data["y"] = np.random.default_rng(8).poisson(np.exp(log_mean))
    residuals = gt.fit(FORMULA, data, "poisson").simulated_residuals()
    result = residuals.test_autocorrelation(data["time"], "g")
    assert result.p_value == pytest.approx(2 / 251) and result.effect > 0.2
    assert "above what the model expects" in result.reading


# ------------------------------------------------------------------------- objects, pictures


def test_a_result_is_frozen_and_shows_its_reading(right):
    result = right[0].test_uniformity()
    with pytest.raises(FrozenInstanceError):
        result.p_value = 0.0
    assert result.reading in repr(result) and result.reading in result._repr_html_()
    assert "id=" not in result._repr_html_()
    assert result.n == 250 and "from 250 simulations" in repr(result)
    text = repr(right[0])
    assert "250 simulations conditional on random effects" in text and "zeros:" in text


def test_the_plot_has_a_qq_and_three_quartiles_told_apart_without_colour(right):
    left, panel = right[0].plot()
    assert left.figure is panel.figure
    points = left.lines[-1].get_xydata()
    np.testing.assert_allclose(points[:, 1], np.sort(right[0].residuals))
    np.testing.assert_allclose(points[:, 0], (np.arange(236) + 0.5) / 236)
    curves = [line for line in panel.lines if line.get_label() in ("0.25", "0.5", "0.75")]
    assert len({line.get_linestyle() for line in curves}) == 3
    heights = {line.get_label(): np.median(line.get_ydata()) for line in curves}
    for label, height in heights.items():
        assert height == pytest.approx(float(label), abs=0.12)


def test_the_plot_draws_on_given_axes_and_quantiles_at_few_predictions():
    model = gt.fit("seizures ~ treatment + (1 | subject)", gt.load_data("epilepsy"), "poisson")
    _, axes = plt.subplots(1, 2)
    before = plt.get_fignums()
    residuals = model.simulated_residuals()
    drawn = residuals.plot(axes=axes)
    assert plt.get_fignums() == before and (drawn == axes).all()
    assert "2 values" in axes[1].get_xlabel()
    median = next(line for line in axes[1].lines if line.get_label() == "0.5").get_ydata()
    by_value = residuals.residuals.groupby(residuals.fitted.round(8)).median()
    np.testing.assert_allclose(median, by_value)
    with pytest.raises(ValueError, match="axes must be two Axes; got 1"):
        residuals.plot(axes=[axes[0]])


# ------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.test_curves("xx"), r"x: the model uses no column 'xx' \(did you mean 'x'\?\)"),
        (lambda r: r.test_curves("f"), r"no column 'f'.*give any other column by its values"),
        (lambda r: r.test_curves("g"), "x must be numeric; g holds '0'. For a factor use test_gro"),
        (lambda r: r.test_curves(np.ones(236)), "x is the same in every row"),
        (lambda r: r.test_curves([1.0, 2.0]), "one value for each of the 236 rows.*got 2"),
        (lambda r: r.test_groups(["a"] * 236), "column has one level only"),
        (
            lambda r: r.test_autocorrelation(np.arange(236).astype(str)),
            r"time holds values such as '0', whose order in time is not known.*ordered category",
        ),
        (lambda r: r.test_autocorrelation("time"), "time: the model uses no column 'time'"),
        (
            lambda r: r.test_autocorrelation(np.arange(236) % 4),
            "time 0 occurs more than once in a series; name the series with group=",
        ),
        (
            lambda r: r.test_autocorrelation([np.nan, *range(235)]),
            "time has a missing value in row 0",
        ),
        (
            lambda r: r.test_autocorrelation(np.arange(236), np.arange(236)),
            "every series has a single time",
        ),
        (lambda r: r.model.simulated_residuals(10), "at least 20; got 10"),
        (lambda r: r.model.simulated_residuals(50.5), "at least 20; got 50.5"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(right, call, message):
    with pytest.raises(ValueError, match=message):
        call(right[0])


def test_zeros_of_a_continuous_response_and_curves_of_a_constant_are_refused():
    model = gt.fit("reaction ~ 1 + (1 | subject)", gt.load_data("sleep"))
    residuals = model.simulated_residuals()
    with pytest.raises(ValueError, match="a normal response is never exactly zero"):
        residuals.test_zeros()
    with pytest.raises(ValueError, match="the prediction is the same in every row; name a column"):
        residuals.test_curves()


def test_a_t_distribution_without_a_variance_has_no_dispersion_to_test():
    y = stats.cauchy.ppf((np.arange(60) + 0.5) / 60)
    residuals = gt.fit("y ~ 1", {"y": y}, "t").simulated_residuals(50)
    assert residuals.test_uniformity().p_value > 0.05
    with pytest.raises(ValueError, match="t with df of 2 or less has no variance"):
        residuals.test_dispersion()


def test_0_1_responses_have_neither_dispersion_nor_a_number_of_zeros():
    data = data_set(np.random.default_rng(1), 236, "binomial").assign(y=lambda d: d["y"] > 3)
    residuals = gt.fit("y ~ x", data, "binomial").simulated_residuals()
    with pytest.raises(ValueError, match="a 0/1 response has no variance beside its mean"):
        residuals.test_dispersion()
    with pytest.raises(ValueError, match="a 0/1 response has no number of zeros"):
        residuals.test_zeros()
    assert "dispersion" not in repr(residuals) and "uniformity" in repr(residuals)


def test_a_fit_that_did_not_converge_is_refused_with_the_reason_and_can_be_forced(ran_away):
    model = ran_away
    with pytest.raises(ValueError, match=r"did not converge.*\(1 \| herd\) ran away"):
        model.simulated_residuals()
    forced = model.simulated_residuals(force=True)
    assert forced.residuals.between(0, 1).all() and forced.test_groups("period").p_value > 0.05
    lost = gt.FittedModel(model.problem, replace(model.estimate, beta=np.full(4, np.nan)))
    with pytest.raises(ValueError, match="no finite estimates, so there is nothing to draw from"):
        lost.simulated_residuals(force=True)


def test_weights_that_multiply_a_log_likelihood_leave_nothing_to_draw_from():
    data = gt.load_data("epilepsy").assign(one=1.0, two=2.0)
    fits = [gt.fit("seizures ~ age", data, "poisson", weights=w) for w in ("one", "two")]
    assert fits[0].simulated_residuals().test_zeros().n == 250
    for ask in (fits[1].simulate, fits[1].simulated_residuals, fits[1].bootstrap):
        with pytest.raises(ValueError, match="a row stands for several observations"):
            ask()


@pytest.fixture(scope="module")
def monthly():
    """Residuals of series that a random walk makes alike from month to month."""
    rng, months = np.random.default_rng(8), ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug"]
    data = pd.DataFrame({"site": np.repeat(np.arange(20), 8), "t": np.tile(np.arange(8), 20)})
    steps = rng.normal(0, 0.6, (20, 8)).cumsum(axis=1).ravel()
    data["y"] = steps + rng.normal(0, 0.3, 20)[data["site"]] + rng.normal(0, 0.2, 160)
    data["month"] = pd.Categorical.from_codes(data["t"], months, ordered=True)
    return data, gt.fit("y ~ month + (1 | site)", data).simulated_residuals(n=250)


@pytest.mark.parametrize(
    "times",
    [
        lambda data: data["month"],
        lambda data: data["month"].array,
        lambda data: "month",
        lambda data: pd.Categorical.from_codes(data["t"], [10, 20, 30, 40, 50, 60, 70, 80]),
        lambda data: pd.Categorical.from_codes(7 - data["t"], [8, 7, 6, 5, 4, 3, 2, 1]),
        lambda data: pd.to_datetime("2020-01-31") + pd.to_timedelta(40 * data["t"], "D"),
        lambda data: pd.cut(data["t"] + 0.5, range(9)),
    ],
)
def test_times_have_the_order_of_their_kind(times, monthly):
    data, residuals = monthly
    expected = residuals.test_autocorrelation(data["t"], data["site"])
    found = residuals.test_autocorrelation(times(data), data["site"])
    assert found.statistic == expected.statistic and found.p_value == expected.p_value
    assert expected.p_value < 0.02 and expected.effect > 0.3


def test_text_is_no_time_and_neither_is_a_category_without_an_order(monthly):
    data, residuals = monthly
    for times in (data["month"].astype(str), data["month"].cat.as_unordered()):
        with pytest.raises(ValueError, match="month holds values such as 'Jan', whose order"):
            residuals.test_autocorrelation(times, data["site"])


def test_groups_have_the_order_of_their_categories(monthly):
    data, residuals = monthly
    months = list(data["month"].cat.categories)
    assert residuals.test_groups("month").table.index.tolist() == months
    assert residuals.test_groups(data["month"].array).table.index.tolist() == months
    assert residuals.test_groups(data["month"].astype(str)).table.index.tolist() == sorted(months)
    classes = pd.cut(data["t"], [-1, 3, 8])
    assert residuals.test_groups(classes).table.index.tolist() == list(classes.cat.categories)


# ------------------------------------------------------------------------- in space


def field(signal, seed=1, n=200):
    """Counts at random places, with a smooth surface of this size that the model lacks."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": rng.uniform(0, 10, n), "y": rng.uniform(0, 10, n)})
    data["site"] = rng.integers(0, 20, n).astype(str)
    surface = signal * np.sin(data["x"]) * np.cos(data["y"])
    effects = rng.normal(0, 0.3, 20)[data["site"].astype(int)]
    data["count"] = rng.poisson(np.exp(1.5 + surface + effects))
    return data


def test_moran_is_that_of_its_definition():
    """I = n / S Σ w z z' / Σ z², with the weights of the ten nearest."""
    data = field(1.0, n=40)
    residuals = gt.fit("count ~ 1 + (1 | site)", data, "poisson").simulated_residuals(50)
    z = stats.norm.ppf(residuals.residuals)
    places = data[["x", "y"]].to_numpy()
    distance = np.linalg.norm(places[:, None] - places, axis=2)
    W = np.zeros((40, 40))
    for i in range(40):
        nearest = np.argsort(distance[i])[1:11]
        W[i, nearest] = 1 / distance[i, nearest]
        W[i] /= W[i].sum()
    expected = 40 / W.sum() * (z @ W @ z) / (z @ z)
    result = residuals.test_spatial(data["x"], data["y"])
    assert result.statistic == pytest.approx(expected)


def test_a_surface_that_the_model_lacks_is_seen_and_none_is_not():
    for signal, seen in ((0.7, True), (0.0, False)):
        data = field(signal)
        residuals = gt.fit("count ~ 1 + (1 | site)", data, "poisson").simulated_residuals()
        result = residuals.test_spatial(data["x"], data["y"])
        assert (result.p_value < 0.01) == seen
        assert (result.effect > 0.15) == seen
    assert "correlation of residuals with those nearby" in str(result)


def test_rows_of_other_fields_are_no_neighbours_and_rows_may_share_a_place():
    data = field(0.7)
    data["field"] = np.repeat(["a", "b"], 100)
    residuals = gt.fit("count ~ 1 + (1 | site)", data, "poisson").simulated_residuals(50)
    apart = data["x"] + 100 * (data["field"] == "b")
    one, other = (
        residuals.test_spatial(data["x"], data["y"], data["field"]),
        residuals.test_spatial(apart, data["y"]),
    )
    assert one.statistic == pytest.approx(other.statistic)
    line = residuals.test_spatial(np.arange(200) // 20)
    assert np.isfinite(line.statistic)


def test_coordinates_that_are_none_are_refused():
    data = field(0.0, n=40)
    residuals = gt.fit("count ~ 1 + (1 | site)", data, "poisson").simulated_residuals(20)
    with pytest.raises(ValueError, match="x is a coordinate, a number in each row; site holds"):
        residuals.test_spatial("site")
    with pytest.raises(ValueError, match="at one place"):
        residuals.test_spatial(np.zeros(40))
    with pytest.raises(ValueError, match="a single row"):
        residuals.test_spatial(data["x"], group=np.arange(40))
