"""Plots of fitted models, read from their artists, and the numbers behind them."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

import glmmtools as gt
from glmmtools.means.grid import label_of
from glmmtools.shared import style
from tests.slow import some_slow


@pytest.fixture(scope="module")
def herds():
    data = gt.load_data("herds")
    return gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")


@pytest.fixture(scope="module")
def sleep():
    return gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)


@pytest.fixture(scope="module")
def epilepsy():
    formula = "seizures ~ log(base) * treatment + age + (1 | subject)"
    return gt.fit(formula, gt.load_data("epilepsy"), "poisson")


@pytest.fixture(scope="module")
def oats():
    formula = "yield ~ nitro * variety + (1 | block/variety)"
    return gt.fit(formula, gt.load_data("oats"), reml=True)


@pytest.fixture(scope="module")
def models(herds, sleep, epilepsy, oats):
    return {"herds": herds, "sleep": sleep, "epilepsy": epilepsy, "oats": oats}


def with_gid(ax, gid):
    return [each for each in ax.get_children() if each.get_gid() == gid]


def curve(ax, number=0):
    return [line for line in ax.lines if line.get_gid() == "curve"][number]


# ------------------------------------------------------------------------------ style


def test_neighbouring_series_differ_in_lightness_marker_and_line():
    """CIE L* of the colours, so that a grey printer keeps them apart."""
    rgb = np.array([to_rgb(each.color) for each in style.SERIES])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lightness = np.sort(116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16)
    assert np.diff(lightness).min() > 10.5
    for cue in ("marker", "linestyle"):
        assert len({getattr(each, cue) for each in style.SERIES}) == len(style.SERIES)


PLOTS = {
    "effects": ("herds", lambda m, ax: m.plot_effects("period", ax=ax)),
    "random effects": ("herds", lambda m, ax: m.plot_random_effects(ax=ax)),
    "shrinkage": ("herds", lambda m, ax: m.plot_shrinkage(ax=ax)),
    "covariance": ("oats", lambda m, ax: m.plot_covariance(ax=ax)),
    "fit": ("epilepsy", lambda m, ax: m.plot_fit(ax=ax)),
}


@pytest.mark.parametrize("name", PLOTS)
def test_plots_draw_on_the_axes_they_are_given_and_change_no_setting(models, name):
    model, draw = PLOTS[name]
    _, ax = plt.subplots()
    figures, settings = plt.get_fignums(), mpl.rcParams.copy()
    assert draw(models[model], ax) is ax
    assert plt.get_fignums() == figures and mpl.rcParams == settings
    assert ax.get_xlabel() and ax.get_ylabel()
    assert draw(models[model], None) is not ax


# ------------------------------------------------------------------------------ effects


def test_the_curve_and_band_of_a_covariate_are_the_predictions(sleep):
    ax = sleep.plot_effects("days")
    days, mean = curve(ax).get_xydata().T
    assert (days[0], days[-1]) == (0, 9)
    expected = sleep.predict({"days": days}, effects="population", level=0.95)
    np.testing.assert_allclose(mean, expected["estimate"])
    band = ax.collections[-1].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(expected["conf_low"].min())
    assert band[:, 1].max() == pytest.approx(expected["conf_high"].max())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("days", "mean of reaction")
    (points,) = with_gid(ax, "observed")
    data = gt.load_data("sleep")[["days", "reaction"]]
    np.testing.assert_array_equal(points.get_offsets(), data)


def test_the_points_of_a_factor_are_the_predictions_with_their_intervals(herds):
    ax = herds.plot_effects("period", level=0.9)
    assert [each.get_text() for each in ax.get_xticklabels()] == ["1", "2", "3", "4"]
    expected = herds.predict({"period": list("1234")}, effects="population", level=0.9)
    line, _, (bars,) = ax.containers[0].lines
    np.testing.assert_allclose(line.get_xydata()[:, 1], expected["estimate"])
    limits = np.array([each[:, 1] for each in bars.get_segments()])
    np.testing.assert_allclose(limits, expected[["conf_low", "conf_high"]])
    assert ax.get_ylabel() == "probability of incidence / size"
    data, (points,) = gt.load_data("herds"), with_gid(ax, "observed")
    np.testing.assert_allclose(points.get_offsets()[:, 1], data["incidence"] / data["size"])
    size = points.get_sizes()
    assert size[data["size"].argmax()] == size.max() > size[data["size"].argmin()]


def test_the_other_columns_are_held_at_mean_and_commonest_level_and_the_title_says_so(epilepsy):
    data = gt.load_data("epilepsy")
    ax = epilepsy.plot_effects("base", scale="link")
    base, eta = curve(ax).get_xydata().T
    new = {"base": base, "age": data["age"].mean(), "treatment": "progabide"}
    expected = epilepsy.predict(new, effects="population", scale="link")
    np.testing.assert_allclose(eta, expected)
    title = ax.get_title(loc="left").replace("\n", " ")
    assert "random effects at 0 (a typical subject, not the average)" in title
    assert f"age = {data['age'].mean():.4g} (mean)" in title
    assert "treatment = progabide (commonest)" in title
    assert ax.get_ylabel() == "log(mean of seizures)"
    assert not with_gid(ax, "observed")  # the link acts on means, not on observations


def test_each_level_of_by_has_its_own_curve_over_the_values_it_was_observed_at(epilepsy):
    ax = epilepsy.plot_effects("base", by="treatment")
    first, second = curve(ax, 0), curve(ax, 1)
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_color() != second.get_color()
    highest = gt.load_data("epilepsy").groupby("treatment", observed=True)["base"].max()
    assert [each.get_xdata().max() for each in (first, second)] == list(highest)
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "treatment"
    assert [each.get_text() for each in legend.get_texts()] == ["placebo", "progabide"]


def test_a_numeric_by_is_shown_at_three_quantiles(epilepsy):
    ax = epilepsy.plot_effects("base", by="age")
    shown = [each.get_text() for each in ax.get_legend().get_texts()]
    assert shown == ["21", "28", "36.5"]
    assert list(np.quantile(gt.load_data("epilepsy")["age"], [0.1, 0.5, 0.9])) == [21, 28, 36.5]


def test_conditional_lines_are_the_predictions_of_each_group_over_its_own_values(sleep):
    data = gt.load_data("sleep")
    data = data[~((data["subject"] == "308") & (data["days"] > 4))]
    model = gt.fit("reaction ~ days + (days | subject)", data, reml=True)
    lines = with_gid(model.plot_effects("days", effects="conditional"), "group")
    assert len(lines) == 18
    days, mean = lines[0].get_xydata().T
    assert days.max() == 4
    expected = model.predict({"days": days, "subject": ["308"] * len(days)})
    np.testing.assert_allclose(mean, expected)


def test_marginal_means_are_averaged_over_the_random_effects_and_have_intervals(epilepsy):
    ax = epilepsy.plot_effects("treatment", effects="marginal")
    variance = epilepsy.variance_components["variance"][0]
    population = curve_values(epilepsy.plot_effects("treatment"))
    np.testing.assert_allclose(curve_values(ax), population * np.exp(variance / 2), rtol=1e-6)
    assert "averaged over the random effects" in ax.get_title(loc="left")
    bars = ax.containers[0].lines[2][0].get_segments()
    predicted = epilepsy.predict(
        pd.DataFrame({"treatment": ["placebo", "progabide"], "base": 31.22, "age": 28.34}),
        effects="marginal", level=0.95,
    )  # fmt: skip
    ends = predicted[["conf_low", "conf_high"]].to_numpy()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], ends, rtol=1e-3)


def curve_values(ax):
    return ax.containers[0].lines[0].get_xydata()[:, 1]


def test_counts_with_an_offset_are_shown_at_the_exposure_of_the_curve():
    rng = np.random.default_rng(1)
    area = np.repeat([1.0, 4.0], 40)
    x = np.tile(np.arange(40.0), 2)
    counts = rng.poisson(3 * area)
    data = {"y": counts, "x": x, "area": area, "log_area": np.log(area)}
    inside = gt.fit("y ~ x + offset(log(area))", data, "poisson").plot_effects("x")
    (points,) = with_gid(inside, "observed")
    np.testing.assert_allclose(points.get_offsets()[:, 1], counts / area * area.mean())
    beside = gt.fit("y ~ x", data, "poisson", offset="log_area").plot_effects("x")
    (points,) = with_gid(beside, "observed")
    np.testing.assert_allclose(points.get_offsets()[:, 1], counts / area * 2)
    assert curve(beside).get_ydata().mean() == pytest.approx(6, rel=0.2)
    assert "exposure 2" in beside.get_title(loc="left")


@pytest.fixture(scope="module")
def weeds():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(0, 1, 120), "field": np.repeat(np.arange(12), 10)})
    area, field = rng.uniform(50, 1200, 120), rng.normal(0, 0.5, 12)[data["field"]]
    count = rng.poisson(np.exp(-3 + 0.4 * data["x"] + field) * area)
    return data.assign(log_area=np.log(area), weeds=count, late=np.tile(["no", "yes"], 60))


def test_an_offset_that_is_a_column_is_the_same_as_argument_and_in_the_formula(weeds):
    formula = "weeds ~ x + late{} + (1 | field)"
    inside = gt.fit(formula.format(" + offset(log_area)"), weeds, "poisson")
    beside = gt.fit(formula.format(""), weeds, "poisson", offset="log_area")
    np.testing.assert_allclose(beside.predict(weeds.head(3)), beside.fittedvalues[:3])
    for result in (
        lambda m: m.predict(weeds.tail(4), effects="population", level=0.9),
        lambda m: m.means("late", at={"x": [0], "log_area": [0]}).numbers,
        lambda m: curve(m.plot_effects("x", by="late")).get_xydata(),
        lambda m: m.plot_effects("x", effects="conditional").get_title(loc="left"),
        lambda m: m.means("late").notes(),
        lambda m: m.report().sentences[0],
    ):
        first, second = result(inside), result(beside)
        if isinstance(first, str | list):
            assert first == second
        else:
            np.testing.assert_allclose(first, second, rtol=1e-6)
    rate = inside.predict(weeds.assign(log_area=0.0), effects="population")
    assert rate.mean() == pytest.approx(np.exp(-3), rel=0.5)


def test_an_offset_of_values_is_at_its_mean_where_there_are_no_rows_of_the_data(weeds):
    offset = weeds["log_area"].to_numpy()
    model = gt.fit("weeds ~ x + late + (1 | field)", weeds, "poisson", offset=offset)
    with pytest.raises(ValueError, match=r"new rows do not have.*offset='log_area'"):
        model.predict(weeds.head(3))
    np.testing.assert_allclose(model.predict(), model.fittedvalues)
    exposure = f"offset {offset.mean():.4g} (exposure {np.exp(offset.mean()):.4g})"
    eta = model.params["Intercept"] + offset.mean()
    means = model.means("late", at={"x": [0]})
    assert means.numbers["estimate"][0] == pytest.approx(np.exp(eta))
    assert f"At {exposure}." in means.notes()
    drawn = model.plot_effects("late")
    assert exposure in drawn.get_title(loc="left").replace("\n", " ")
    at_mean_x = np.exp(eta + model.params["x"] * weeds["x"].mean())
    assert curve_values(drawn)[0] == pytest.approx(at_mean_x)
    (rows,) = with_gid(drawn, "observed")
    scaled = weeds["weeds"] * np.exp(offset.mean() - offset)
    np.testing.assert_allclose(rows.get_offsets()[:, 1], scaled)


LEVELS = {
    "booleans": [False, True, True],
    "an ordered category": pd.Categorical(["low", "mid", "High"], ["low", "mid", "High"], True),
    "intervals": pd.cut([1, 2, 3], [0, 1.5, 2.5, 3.5]),
    "intervals as objects": pd.Series(pd.cut([1, 2, 3], [0, 1.5, 2.5, 3.5])).astype(object),
    "numbers beside text": np.array([1, 2.5, "1a"], object),
    "a category of numbers": pd.Categorical([10, 2, 3.5], [10, 2, 3.5]),
}


@pytest.mark.parametrize(
    "kind",
    some_slow(LEVELS, {"an ordered category", "intervals", "a category of numbers"}.__contains__),
)
def test_factors_of_every_kind_are_tested_and_drawn_as_the_same_factor_of_text(kind):
    rng, place = np.random.default_rng(16), np.resize([0, 1, 2, 1, 2, 0, 0, 1], 240)
    levels = pd.Series(LEVELS[kind])
    data = pd.DataFrame({"f": levels.iloc[place].array, "x": rng.normal(0, 1, 240)})
    data["g"], data["t"] = np.repeat(np.arange(12), 20), np.tile(["a", "b", "b"], 80)
    data["y"] = rng.normal(0, 1, 240) + place * (data["t"] == "a")
    data["y"] += rng.normal(0, 1, 12)[data["g"]]
    order = levels.drop_duplicates().tolist()
    text = data.assign(f=[f"level {order.index(level)}" for level in data["f"]])
    one, other = (gt.fit("y ~ f * t + x + (1 | g)", each, reml=True) for each in (data, text))
    for table in (
        lambda m: m.anova(2), lambda m: m.anova(3), lambda m: m.means("f").numbers,
        lambda m: m.means("f", by="t").contrasts().numbers,
        lambda m: m.simulated_residuals(n=50).test_groups("f").table,
    ):  # fmt: skip
        numbers = [table(model).select_dtypes("number").to_numpy(float) for model in (one, other)]
        np.testing.assert_allclose(*numbers, rtol=1e-6, atol=1e-9)
    for draw in (
        lambda m: m.plot_effects("f", by="t"), lambda m: m.plot_effects("x", by="f"),
        lambda m: m.plot_effects("f", effects="conditional"), lambda m: m.means("f", by="t").plot(),
    ):  # fmt: skip
        axes = [draw(model) for model in (one, other)]
        paths = [np.concatenate([line.get_xydata() for line in ax.lines]) for ax in axes]
        np.testing.assert_allclose(*paths, rtol=1e-6)
    means = one.means("f").plot()
    assert [label.get_text() for label in means.get_xticklabels()] == list(map(label_of, order))


def test_single_trials_are_shown_as_proportions_of_each_value():
    data = gt.load_data("wheeze")
    model = gt.fit("wheeze ~ age + smoke + (1 | child)", data, "binomial")
    first, second = with_gid(model.plot_effects("age", by="smoke"), "observed")
    expected = data.groupby(["smoke", "age"], observed=True)["wheeze"].mean()
    np.testing.assert_allclose(first.get_offsets()[:, 1], expected["no"])
    np.testing.assert_allclose(second.get_offsets()[:, 1], expected["yes"])


def test_single_trials_between_the_quantiles_of_by_are_proportions_over_all_of_its_values():
    rng = np.random.default_rng(4)
    data = {"x": np.tile([0.0, 1.0], 100), "z": rng.normal(size=200)}
    data["y"] = (rng.random(200) < 0.4).astype(int)
    model = gt.fit("y ~ x + z", data, "binomial")
    (points,) = with_gid(model.plot_effects("x", by="z"), "observed")
    means = [data["y"][data["x"] == value].mean() for value in (0, 1)]
    np.testing.assert_allclose(points.get_offsets(), np.column_stack([[0, 1], means]))


# ------------------------------------------------------------------------------ random effects


def test_a_caterpillar_is_sorted_and_its_bars_are_1_96_conditional_sds(herds):
    ax = herds.plot_random_effects("herd")
    line, _, (bars,) = ax.containers[0].lines
    table = herds.random_effects.sort_values("estimate")
    np.testing.assert_allclose(line.get_xydata()[:, 0], table["estimate"])
    assert [each.get_text() for each in ax.get_yticklabels()] == list(table["level"])
    half = np.array([np.ptp(each[:, 0]) / 2 for each in bars.get_segments()])
    np.testing.assert_allclose(half, 1.959964 * table["std_error"], rtol=1e-6)
    assert ax.get_xlabel() == "Intercept: effect (log odds)"
    assert any(np.all(np.asarray(each.get_xdata()) == 0) for each in ax.lines)


def test_each_effect_has_a_panel_with_the_levels_in_the_same_order(sleep, oats):
    axes = sleep.plot_random_effects()
    assert [each.get_xlabel().split(":")[0] for each in axes] == ["Intercept", "days"]
    table = sleep.random_effects.pivot(index="level", columns="term", values="estimate")
    table = table.sort_values("Intercept")
    for ax, term in zip(axes, ("Intercept", "days"), strict=True):
        line = ax.containers[0].lines[0]
        np.testing.assert_allclose(line.get_xydata()[:, 0], table[term])
    assert [each.get_title(loc="left") for each in oats.plot_random_effects()] == [
        "block", "block:variety",
    ]  # fmt: skip


def test_the_effects_of_a_series_are_lines_through_time():
    data = gt.load_data("pigs").query("litter in ['1', '2', '3']")
    model = gt.fit("weight ~ week + ar1(week | pig)", data)
    ax = model.plot_random_effects()
    table = model.random_effects.query("level == @model.random_effects['level'][0]")
    weeks, effects = ax.lines[0].get_xydata().T
    np.testing.assert_array_equal(weeks, np.arange(1, 13))
    np.testing.assert_allclose(effects, table["estimate"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("week", "effect on weight")
    with pytest.raises(ValueError, match=r"ar1\(week \| pig\) are one series in time"):
        model.plot_shrinkage()


# ------------------------------------------------------------------------------ pooling


def test_no_pooling_of_slopes_is_least_squares_for_each_subject(sleep):
    table = sleep.pooling().set_index(["level", "term"])
    for subject, rows in gt.load_data("sleep").groupby("subject", observed=True):
        slope, intercept = np.polyfit(rows["days"], rows["reaction"], 1)
        assert table.loc[(subject, "days"), "no_pooling"] == pytest.approx(slope, rel=1e-4)
        assert table.loc[(subject, "Intercept"), "no_pooling"] == pytest.approx(intercept, rel=1e-4)
    modes = sleep.random_effects.set_index(["level", "term"])["estimate"]
    partial = modes + sleep.params.reindex(modes.index.get_level_values("term")).to_numpy()
    np.testing.assert_allclose(table["partial_pooling"][modes.index], partial)
    everyone = np.polyfit(gt.load_data("sleep")["days"], gt.load_data("sleep")["reaction"], 1)
    assert table.loc[("308", "days"), "complete_pooling"] == pytest.approx(everyone[0])


def test_no_pooling_of_a_herd_is_the_fit_to_its_own_rows_at_the_common_period_effects(herds):
    import statsmodels.api as sm

    data, design = gt.load_data("herds"), herds.problem.design
    eta = design.X @ herds.params.to_numpy()
    table = herds.pooling().set_index("level")
    for herd in ("1", "7", "13"):
        rows = (data["herd"] == herd).to_numpy()
        sick, healthy = data["incidence"][rows], (data["size"] - data["incidence"])[rows]
        alone = sm.GLM(
            np.column_stack([sick, healthy]), np.ones(rows.sum()),
            family=sm.families.Binomial(), offset=eta[rows],
        ).fit()  # fmt: skip
        expected = herds.link.inverse(eta.mean() + alone.params[0])
        assert table.loc[herd, "no_pooling"] == pytest.approx(expected, rel=1e-4)


def test_a_herd_without_a_case_is_shown_at_zero_with_a_note():
    data = gt.load_data("herds")
    data.loc[data["herd"] == "2", "incidence"] = 0
    model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")
    row = model.pooling().set_index("level").loc["2"]
    assert row["no_pooling"] == 0 < row["partial_pooling"]
    assert row["note"] == "no finite estimate on the link scale"
    ax = model.plot_shrinkage()
    assert ax.get_title(loc="left").startswith("2: no finite estimate on the link scale")


def test_a_nested_group_keeps_the_effect_of_the_factor_it_is_nested_in(oats):
    table = oats.pooling("block:variety").set_index("level")
    frame = gt.load_data("oats")
    fitted = oats.fittedvalues - oats.problem.design.X @ oats.params.to_numpy()
    effect = fitted[(frame["block"] == "I") & (frame["variety"] == "Victory")].iloc[0]
    average = (oats.problem.design.X @ oats.params.to_numpy()).mean()
    assert table.loc["I:Victory", "partial_pooling"] == pytest.approx(average + effect)


def test_the_shrinkage_plot_shows_the_three_estimates_and_an_arrow_where_they_differ(sleep):
    axes = sleep.plot_shrinkage()
    table = sleep.pooling()
    for ax, term in zip(axes, ("Intercept", "days"), strict=True):
        part = table[table["term"] == term].sort_values("no_pooling")
        lines = {line.get_label(): line for line in ax.lines}
        np.testing.assert_allclose(lines["no pooling"].get_xdata(), part["no_pooling"])
        np.testing.assert_allclose(lines["partial pooling"].get_xdata(), part["partial_pooling"])
        assert lines["complete pooling"].get_xdata()[0] == part["complete_pooling"].iloc[0]
        heads = [each.xy[0] for each in ax.texts]
        tails = [each.xyann[0] for each in ax.texts]
        assert 5 < len(heads) <= 18
        assert set(heads) <= set(part["partial_pooling"]) and set(tails) <= set(part["no_pooling"])


# ------------------------------------------------------------------------------ covariance


def test_the_covariance_of_a_normal_model_is_zgz_plus_r(sleep, oats):
    G = sleep.random_covariance("subject").to_numpy()
    Z = np.column_stack([np.ones(10), np.arange(10)])
    block = Z @ G @ Z.T + sleep.dispersion["phi"] * np.eye(10)
    matrix = sleep.covariance().to_numpy()
    np.testing.assert_allclose(matrix, np.kron(np.eye(18), block), atol=1e-8)
    components = oats.variance_components.set_index("group")["variance"]
    frame = gt.load_data("oats").iloc[:24]
    block, variety = (frame[name].to_numpy() for name in ("block", "variety"))
    same_block = block[:, None] == block
    expected = components["block"] * same_block + components["Residual"] * np.eye(24)
    expected += components["block:variety"] * (same_block & (variety[:, None] == variety))
    np.testing.assert_allclose(oats.covariance(slice(0, 24)), expected)


def test_the_covariance_holds_series_in_time_weights_and_the_link_scale(herds):
    data = gt.load_data("pigs").query("litter in ['1', '2', '3', '4', '5']")
    model = gt.fit("weight ~ week + ar1(week | pig)", data)
    row = model.variance_components.iloc[0]
    matrix = model.covariance(slice(0, 12)).to_numpy()
    lag = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    expected = row["variance"] * row["corr"] ** lag + model.dispersion["phi"] * np.eye(12)
    np.testing.assert_allclose(matrix, expected, rtol=1e-6)
    same = gt.fit("weight ~ week + cs(week | litter) + (1 | pig)", gt.load_data("pigs"))
    row, pig = same.variance_components.iloc[0], same.variance_components.iloc[1]
    expected = row["variance"] * (row["corr"] + (1 - row["corr"]) * np.eye(12)) + pig["variance"]
    expected += same.dispersion["phi"] * np.eye(12)
    np.testing.assert_allclose(same.covariance(slice(0, 12)), expected, rtol=1e-6)
    variance = herds.variance_components["variance"][0]
    herd = gt.load_data("herds")["herd"].to_numpy()
    np.testing.assert_allclose(herds.covariance(), variance * (herd[:, None] == herd))


def test_prior_weights_divide_the_residual_variance():
    data = gt.load_data("sleep").assign(w=np.tile([1.0, 4.0], 90))
    model = gt.fit("reaction ~ days + (1 | subject)", data, weights="w")
    inside, phi = np.diag(model.covariance([0, 1])), model.dispersion["phi"]
    between = model.variance_components["variance"][0]
    np.testing.assert_allclose(inside, [between + phi, between + phi / 4])


def test_the_heat_map_is_the_covariance_of_rows_sorted_by_group_with_named_blocks(oats):
    shuffled = gt.load_data("oats").sample(frac=1, random_state=3).reset_index(drop=True)
    model = gt.fit(oats.formula, shuffled, reml=True)
    ax = model.plot_covariance()
    matrix = np.asarray(ax.images[0].get_array())
    assert matrix.shape == (60, 60)  # five whole blocks of twelve rows
    np.testing.assert_allclose(matrix, oats.covariance(slice(0, 60)), rtol=1e-4, atol=1e-2)
    assert [each.get_text() for each in ax.get_xticklabels()] == ["I", "II", "III", "IV", "V"]
    assert "60 of 72 rows" in ax.get_title(loc="left")


def test_the_fit_plot_shows_fitted_and_observed_values_around_the_identity_line(herds):
    ax = herds.plot_fit()
    data = gt.load_data("herds")
    points = ax.collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 0], herds.fittedvalues)
    np.testing.assert_allclose(points[:, 1], data["incidence"] / data["size"])
    x, y = ax.lines[0].get_xydata().T
    np.testing.assert_array_equal(x, y)


# ------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m.plot_effects("perid"), r"x='perid' is not a column .*did you mean 'period'"),
        (lambda m: m.plot_effects("herd"), r"x='herd' .* a grouping factor: effects='conditional'"),
        (lambda m: m.plot_effects("period", by="size"), r"by='size' is not a column of the fixed"),
        (lambda m: m.plot_effects("period", by="period"), r"x and by are both 'period'"),
        (lambda m: m.plot_effects("period", effects="group"), r"effects must be one of population"),
        (lambda m: m.plot_random_effects("herds"), r"no grouping factor 'herds' .*mean 'herd'"),
        (lambda m: m.plot_random_effects(level=95), r"strictly between 0 and 1; got 95"),
        (lambda m: m.plot_shrinkage("period"), r"no grouping factor 'period'"),
        (lambda m: m.covariance([56]), r"positions from 0 to 55"),
        (lambda m: m.plot_random_effects(ax=plt.subplots(1, 2)[1]), r"has 1 panel.*ax has 2"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_in_one_sentence(herds, call, said):
    with pytest.raises(ValueError, match=said):
        call(herds)


@pytest.mark.parametrize("plot", ["plot_random_effects", "plot_shrinkage", "plot_covariance"])
def test_plots_of_random_effects_need_random_effects(plot):
    model = gt.fit("yield ~ nitro", gt.load_data("oats"))
    with pytest.raises(ValueError, match=r"'yield ~ nitro' has no random effects; one is added"):
        getattr(model, plot)()
    with pytest.raises(ValueError, match="effects='conditional' is for random effects"):
        model.plot_effects("nitro", effects="conditional")


def test_a_fit_that_did_not_converge_is_not_drawn(ran_away):
    model = ran_away
    calls = [
        lambda: model.plot_effects("period"), model.plot_random_effects, model.plot_shrinkage,
        model.plot_covariance, model.plot_fit, model.covariance, model.pooling,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(
            ValueError, match=r"did not converge, and .* that did: .*\(1 \| herd\) ran away"
        ):
            call()


def test_a_large_matrix_is_refused_with_the_rows_to_ask_for(sleep):
    model = gt.fit("wheeze ~ age + (1 | child)", gt.load_data("wheeze"), "binomial")
    with pytest.raises(ValueError, match=r"of 2148 rows is too large .* rows=slice\(0, 60\)"):
        model.covariance()
    assert model.plot_covariance().images[0].get_array().shape == (60, 60)


def test_a_row_of_small_covariances_has_no_words_that_overlap(sleep):
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.6))
    for ax in axes:
        sleep.plot_covariance(slice(0, 10), ax=ax)
    figure.draw_without_rendering()
    words = [word for ax in figure.axes for word in ax.findobj(mpl.text.Text)]
    boxes = [word.get_window_extent() for word in words if len(word.get_text()) > 4]
    assert len(boxes) == 2 * len(axes)  # title, and subject below
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_the_limits_in_the_title_of_a_profile_have_the_digits_of_their_distance_and_a_minus():
    seeds = gt.load_data("seeds")
    model = gt.fit("prop(germinated, seeds) ~ extract + (1 | plate)", seeds, "binomial")
    low, high = model.conf_int(method="profile").loc["Intercept", ["conf_low", "conf_high"]]
    title = model.plot_profile("Intercept").get_title(loc="left")
    assert title == f"95% interval −{-low:.3f} to −{-high:.3f}"
