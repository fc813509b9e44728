"""Marginal means and contrasts: emmeans' (tests/reference/README.md), and their properties."""

import json
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from scipy import stats

import glmmtools as gt
from glmmtools.means.adjust import (
    adjusted_p,
    arrow_lengths,
    compact_letters,
    contrast_weights,
    critical_values,
)
from glmmtools.means.grid import label_of
from glmmtools.means.studentized_range import studentized_range
from tests.quiet_fits import quietly

ROOT = Path(__file__).parent.parent
MODELS = {
    each["id"]: each
    for each in json.loads((ROOT / "tests" / "reference" / "means.json").read_text())
}
MVT = 2e-3  # emmeans integrates by simulation, and rounds the degrees of freedom


@cache
def fitted(model_id):
    reference = MODELS[model_id]
    if reference["data_file"].startswith("tests/"):
        data = pd.read_csv(ROOT / reference["data_file"])
        for column in reference["data_categories"].split(";"):
            data[column] = data[column].astype(str).astype("category")
    else:
        data = gt.load_data(reference["data"])
    data = data.drop(index=reference["drop"] or [])
    return gt.fit(
        reference["formula"], data, reference["family"], link=reference["link"],
        reml=reference["reml"], zero_inflation=reference["zero_inflation"],
        offset=np.log(data["base"]) if reference["offset"] else None,
    )  # fmt: skip


def given(call):
    return {name: value for name, value in call.items() if value is not None}


def infinite(df):
    return np.where(np.array(df) < 0, np.inf, df)


def assert_like_emmeans(model, reference, tolerance):
    """Estimates and limits in standard errors; those, statistics and df relative; p absolute."""
    for task in reference["tasks"]:
        means = model.means(**given(task["call"]), part="mean")
        for name, levels in task["means"]["levels"].items():
            assert [label_of(level) for level in means.frame[name]] == levels
        tables = [(means.frame, task["means"], False)]
        for each in task["contrasts"]:
            names = ("method", "adjust", "reference", "by", "interaction")
            found = means.contrasts(**given({name: each[name] for name in names}))
            tables.append((found.frame, each["table"], each["adjust"] == "mvt"))
        for ours, table, sampled in tables:
            se = np.array(table["std_error"])
            np.testing.assert_allclose(ours["std_error"], se, rtol=tolerance)
            np.testing.assert_allclose(ours["df"], infinite(table["df"]), rtol=tolerance)
            limits = [] if sampled else ["conf_low", "conf_high"]
            for column in ["estimate", *limits]:
                off = (ours[column] - np.array(table[column])) / se
                np.testing.assert_allclose(off, 0, atol=tolerance)
            if "p_value" in table:
                np.testing.assert_allclose(
                    ours["statistic"], table["statistic"], rtol=tolerance, atol=tolerance
                )
                bar = MVT if sampled else tolerance
                np.testing.assert_allclose(ours["p_value"], table["p_value"], atol=bar)


@pytest.mark.parametrize("model_id", MODELS)
def test_means_and_contrasts_of_rs_coefficients_are_emmeans(model_id):
    reference, model = MODELS[model_id], fitted(model_id)
    assert list(model.params.index) == reference["names"]
    estimate = replace(
        model.estimate, beta=np.array(reference["estimate"]),
        cov_beta=np.array(reference["covariance"]),
    )  # fmt: skip
    assert_like_emmeans(type(model)(model.problem, estimate), reference, 1e-6)


STOPPED_EARLY = ("cane_betabinomial", "zeros_poisson")  # by up to 6e-6 standard errors


@pytest.mark.parametrize("model_id", MODELS)
def test_means_and_contrasts_of_our_fits_are_emmeans(model_id):
    tolerance = 1e-5 if model_id in STOPPED_EARLY else 1e-6
    assert_like_emmeans(fitted(model_id), MODELS[model_id], tolerance)


@pytest.mark.parametrize("model_id", STOPPED_EARLY)
def test_only_the_end_of_the_search_keeps_our_means_from_emmeans(model_id):
    """Two Newton steps more, and a Hessian differenced with an error of fourth order."""
    model = fitted(model_id)
    marginal, point, inverse = (
        getattr(model.joint, x) for x in ("marginal", "vector", "covariance")
    )

    def gradient(at):
        return marginal.gradient(at, marginal.solve(at))

    for _ in range(2):
        point = point + inverse @ gradient(point)
    information = [
        [(gradient(point - h * e) - gradient(point + h * e)) / (2 * h) for e in np.eye(len(point))]
        for h in (1e-3, 2e-3)
    ]
    near, far = np.array(information)
    beta = marginal.fixed_effects(point, marginal.solve(point))
    back, p = marginal.to_user, len(beta)
    covariance = back @ np.linalg.inv((4 * near - far) / 3)[:p, :p] @ back.T
    estimate = replace(model.estimate, beta=beta, cov_beta=covariance)
    assert_like_emmeans(type(model)(model.problem, estimate), MODELS[model_id], 1e-6)


# ------------------------------------------------------------------------------ properties


@pytest.fixture(scope="module")
def oats():
    return gt.load_data("oats")


@pytest.fixture(scope="module")
def seeds_model():
    return fitted("seeds_binomial")


def test_a_difference_on_the_link_scale_is_the_coefficient_and_its_ratio_the_exponential():
    model = fitted("herds_binomial")
    row = model.tidy().loc["period[T.2]"]
    difference = model.means("period", scale="link").contrasts("trt.vs.ctrl", "none").frame.iloc[0]
    assert difference["contrast"] == "2 - 1"
    for column in ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"):
        assert difference[column] == pytest.approx(row[column])
    ratio = model.means("period").contrasts("trt.vs.ctrl", "none").frame.iloc[0]
    assert ratio["contrast"] == "2 / 1"
    assert ratio["estimate"] == pytest.approx(np.exp(row["estimate"]))
    assert ratio["conf_low"] == pytest.approx(np.exp(row["conf_low"]))
    assert ratio["p_value"] == pytest.approx(row["p_value"])


def test_means_weighted_by_cells_are_the_raw_means_of_a_saturated_least_squares_fit(oats):
    data = oats[(oats["nitro"] < 0.6) | (oats["block"] == "I")].iloc[3:]
    model = gt.fit("yield ~ variety * C(nitro)", data[data["block"] != "II"])
    data = data[data["block"] != "II"]
    means = model.means("variety", weights="cells").frame
    raw = data.groupby("variety", observed=True)["yield"].mean()
    np.testing.assert_allclose(means["estimate"], raw)


def test_a_mean_is_the_prediction_at_its_row_of_the_grid(seeds_model):
    frame = seeds_model.means(["variety", "extract"]).frame
    predicted = seeds_model.predict(frame[["variety", "extract"]], effects="population")
    np.testing.assert_allclose(frame["estimate"], predicted)


def test_custom_contrasts_take_a_list_or_labels(seeds_model):
    means = seeds_model.means(["variety", "extract"], scale="link")
    by_list, by_label = means.contrasts(
        {"list": [1, -1, 0, 0], "labels": {"Oa75 bean": 1, "Oa75 cucumber": -1}}
    ).frame["estimate"]
    assert by_list == pytest.approx(by_label)
    eta = means.frame["estimate"]
    assert by_list == pytest.approx(eta[0] - eta[1])


def test_polynomial_contrasts_are_the_printed_tables():
    names, weights = contrast_weights("poly", list("abcde"))
    assert names == ["linear", "quadratic", "cubic", "quartic"]
    assert weights.tolist() == [
        [-2, -1, 0, 1, 2], [2, -1, -2, -1, 2], [-1, 2, 0, -2, 1], [1, -4, 6, -4, 1]
    ]  # fmt: skip


def test_a_test_of_a_mean_is_against_a_value_on_the_link_scale(seeds_model):
    """A logit of 0 is a probability of one half."""
    table = seeds_model.means("extract").tests(null=0.0)
    link = seeds_model.means("extract", scale="link").frame
    z = link["estimate"] / link["std_error"]
    np.testing.assert_allclose(table["statistic"], z)
    np.testing.assert_allclose(table["p_value"], 2 * stats.norm.sf(np.abs(z)))


def test_the_mean_of_a_boolean_or_text_factor_needs_no_category():
    data = gt.load_data("sleep")
    data = data.assign(late=data["days"] > 4, kind=np.where(data["days"] % 2 == 0, "even", "odd"))
    model = gt.fit("reaction ~ late + kind + (1 | subject)", data)
    assert model.means("late").frame["late"].tolist() == [False, True]
    contrast = model.means("kind").contrasts().frame.iloc[0]
    assert contrast["contrast"] == "even - odd"
    assert contrast["estimate"] == pytest.approx(-model.params["kind[T.odd]"])


# ------------------------------------------------------------------------------ adjustment


@pytest.mark.parametrize("df", [1.0, 7.0, 31.5, np.inf])
@pytest.mark.parametrize("k", [2, 6, 70])
def test_the_studentized_range_is_scipys(k, df):
    ours, q = studentized_range(k), np.array([0.5, 2.0, 3.5, 5.0, 8.0])
    np.testing.assert_allclose(ours.sf(q, df), stats.studentized_range.sf(q, k, df), atol=1e-8)
    for p in (0.2, 0.05, 0.001):
        (found,) = ours.isf(p, np.array([df]))
        assert stats.studentized_range.sf(found, k, df) == pytest.approx(p, rel=1e-6)


def test_of_two_means_it_is_students_t():
    t, df = np.array([1.0, 4.0, 8.0, 30.0]), np.array([3.0, 8.5, 60.0, np.inf])
    range_of_two = studentized_range(2).sf(np.sqrt(2) * t, df)
    np.testing.assert_allclose(range_of_two, 2 * stats.t.sf(t, df), rtol=1e-6, atol=1e-13)


def test_all_pairs_of_seventy_means_take_less_than_three_seconds():
    """R's emmeans takes 1.8 s; SciPy's integral anew for each pair 23 s."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"variety": np.repeat(np.arange(70), 3), "block": np.tile(list("abc"), 70)})
    data["y"] = rng.normal(size=210) + data["variety"] / 5
    data["variety"] = "v" + data["variety"].astype(str)
    model = quietly("y ~ variety + (1 | block)", data.drop([3, 8, 40]), reml=True)
    start = time.process_time()
    contrasts = model.means("variety").contrasts()
    assert time.process_time() - start < 3
    assert len(contrasts.frame) == 70 * 69 / 2


@pytest.mark.parametrize("df", [7.0, 31.5, np.inf])
@pytest.mark.parametrize("k", [3, 6])
def test_mvt_of_all_pairs_of_independent_means_is_tukey(k, df):
    """The correlation of all pairs is singular, where SciPy's multivariate t is wrong."""
    _, K = contrast_weights("pairwise", [str(i) for i in range(k)])
    t, dfs = np.linspace(1.5, 4, len(K)), np.full(len(K), df)
    exact = stats.studentized_range.sf(np.sqrt(2) * t, k, min(df, 1e6))
    np.testing.assert_allclose(adjusted_p(t, dfs, K @ K.T / 2, "mvt", k), exact, atol=5e-4)
    value = critical_values(0.95, dfs[:1].repeat(2), np.eye(2), "tukey", k)[0]
    found = critical_values(0.95, dfs, K @ K.T / 2, "mvt", k)
    np.testing.assert_allclose(found, value, atol=2e-3)


def test_mvt_of_independent_contrasts_is_sidak():
    t, df = np.array([1.0, 2.0, 2.5]), np.full(3, np.inf)
    sidak = adjusted_p(t, df, np.eye(3), "sidak", 4)
    np.testing.assert_allclose(adjusted_p(t, df, np.eye(3), "mvt", 4), sidak, atol=5e-4)


def test_no_adjustment_is_made_for_a_single_contrast(seeds_model):
    means = seeds_model.means("variety")
    plain = means.contrasts(adjust="none").frame
    for adjust in ("tukey", "sidak", "bonferroni", "holm", "fdr", "mvt"):
        pd.testing.assert_frame_equal(means.contrasts(adjust=adjust).frame, plain)


def test_p_values_and_intervals_of_one_adjustment_agree_on_significance():
    means = fitted("arabidopsis_negative_binomial").means(["nutrient", "status"])
    for adjust in ("none", "tukey", "sidak", "bonferroni", "mvt"):
        frame = means.contrasts(adjust=adjust).frame
        outside = (frame["conf_low"] > 1) | (frame["conf_high"] < 1)
        assert (outside == (frame["p_value"] < 0.05)).all()


# ------------------------------------------------------------------------------ letters


def test_letters_are_shared_exactly_by_means_that_do_not_differ():
    rng = np.random.default_rng(0)
    for _ in range(300):
        k = rng.integers(2, 11)
        p = rng.random((k, k))
        differ = np.triu(p < rng.random(), 1)
        differ = differ | differ.T
        letters = compact_letters(differ, rng.permutation(k))
        for i in range(k):
            assert letters[i]
            for j in range(i):
                assert bool(set(letters[i]) & set(letters[j])) != differ[i, j]


def test_letters_begin_at_the_largest_mean_and_say_what_they_do_not_show():
    means = fitted("oats_split_plot").means("nitro", by="variety")
    table = means.letters()
    p = means.contrasts().frame
    for variety, part in table.groupby("variety", observed=True):
        assert part.loc[part["estimate"].idxmax(), "letters"].startswith("a")
        letters = dict(zip(part["nitro"], part["letters"], strict=True))
        for row in p[p["variety"] == variety].itertuples():
            a, b = (float(each) for each in row.contrast.split(" - "))
            assert bool(set(letters[a]) & set(letters[b])) == (row.p_value >= 0.05)
    assert "not evidence that they are equal" in table.note
    assert table.note in repr(table) and table.note in table._repr_html_()


# ------------------------------------------------------------------------------ arrows


@pytest.mark.parametrize(
    ("model_id", "factors", "by"),
    [
        ("oats_unbalanced", "nitro", "variety"),
        ("herds_binomial", "period", None),
        ("seeds_binomial", ["variety", "extract"], None),
        ("pigs_gamma", "copper", None),
    ],
)
def test_arrows_overlap_exactly_where_tukeys_test_finds_no_difference(model_id, factors, by):
    means = fitted(model_id).means(factors, by)
    frame, contrasts = means.arrows(), means.contrasts()
    for part, each in zip(contrasts.parts, contrasts.families, strict=True):
        for weights, p in zip(each.weights, contrasts.frame["p_value"][part], strict=True):
            one, other = frame.iloc[each.rows[np.flatnonzero(weights)]].itertuples()
            low, high = sorted((one, other), key=lambda row: row.estimate)
            assert (low.arrow_high >= high.arrow_low) == (p >= 0.05)


def test_arrows_of_equally_precise_means_are_half_an_interval_long():
    """As in Tukey's own intervals, whose half-width is the critical range over √2."""
    model = gt.fit("yield ~ variety", gt.load_data("oats"))
    frame, contrasts = model.means("variety").arrows(), model.means("variety").contrasts().frame
    half = (contrasts["conf_high"] - contrasts["estimate"]).iloc[0] / 2
    middle = frame.sort_values("estimate").iloc[1]
    assert middle["arrow_high"] - middle["estimate"] == pytest.approx(half)
    assert middle["estimate"] - middle["arrow_low"] == pytest.approx(half)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_arrows_and_their_picture_do_not_depend_on_the_units_of_the_response(unit):
    data = gt.load_data("oats").iloc[:-9]
    data = data.assign(small=unit * data["yield"])
    means, other = (
        gt.fit(f"{y} ~ C(nitro) + (1 | block)", data, reml=True).means("nitro")
        for y in ("yield", "small")
    )
    frame, scaled = means.arrows().iloc[:, 1:], other.arrows().iloc[:, 1:]
    np.testing.assert_allclose(scaled / unit, frame, rtol=1e-5)
    assert len(other.plot(arrows=True).texts) == len(means.plot(arrows=True).texts) > 0


def test_arrows_that_cannot_be_right_say_which_pairs_they_mislead_on():
    """Of means a, b below and c, d above only a, c and b, d differ: uₐ + d_c + u_b + d_d would
    have to be below 2 for these and above 2 for the other two pairs."""
    pairs = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
    half_width = np.array([0.5, 0.5, 1.5, 1.5, 0.5, 0.5])
    wrong = arrow_lengths(np.array([0.0, 0.0, 1.0, 1.0]), pairs, half_width)[2]
    assert 0 < wrong.sum() < 6


# ------------------------------------------------------------------------------ what is said


def test_describe_says_scale_average_held_values_and_what_not_to_conclude():
    text = fitted("epilepsy_offset").means("treatment").describe()
    for piece in (
        "mean of seizures", "Averaged on the log scale", "not the average of the response",
        "Averaged over period (equal weights)", "Held at: age = 28.34, base = 31.22",
        "treatment interacts with period", "Random effects are at 0", "may still differ",
    ):  # fmt: skip
        assert piece in text
    assert "stay on the scale of log(angle)" in (
        fitted("cake_log_response").means("recipe").describe()
    )
    counts = fitted("zeros_poisson").means("treatment", part="mean")
    assert "means of the count part" in counts.describe()
    contrasts = fitted("herds_binomial").means("period").contrasts()
    for piece in ("odds ratios", "6 contrasts (tukey)", "not a ratio of probabilities"):
        assert piece in contrasts.describe()
    stays = fitted("herds_cloglog").means("period").contrasts().describe()
    assert "differences on the cloglog scale" in stays


def test_tables_show_as_text_and_html_without_ids(seeds_model):
    contrasts = fitted("herds_binomial").means("period").contrasts()
    assert "1 / 2   2.6975" in repr(contrasts) and "odds ratios" in repr(contrasts)
    page = contrasts._repr_html_()
    assert "id=" not in page and "class=" not in page and "<caption>" in page
    assert "df" not in repr(seeds_model.means("variety")).split()


def test_the_plot_shows_each_mean_with_its_interval_on_the_given_axes(seeds_model):
    from matplotlib import pyplot as plt

    means = seeds_model.means("extract", by="variety")
    figure, ax = plt.subplots()
    assert means.plot(ax=ax, letters=True) is ax
    assert plt.get_fignums() == [figure.number]
    drawn = [each for each in ax.containers if isinstance(each, ErrorbarContainer)]
    heights = np.concatenate([each.lines[0].get_ydata() for each in drawn])
    np.testing.assert_allclose(heights, means.frame["estimate"])
    low = [segment[0, 1] for each in drawn for segment in each.lines[2][0].get_segments()]
    np.testing.assert_allclose(low, means.frame["conf_low"])
    assert [each.get_text() for each in ax.texts] == means.letters()["letters"].tolist()
    assert ax.get_ylabel() == "probability of germinated (95% interval)"
    assert fitted("oats_split_plot").means("variety").plot().get_legend() is None
    arrows = means.plot(arrows=True).texts
    frame = means.arrows()
    ends = np.array([each.xy[1] for each in arrows])
    drawn = frame[["arrow_low", "arrow_high"]].to_numpy().ravel()
    assert np.isin(ends, drawn).all() and len(arrows) == 4  # two a pair, and two pairs


# ------------------------------------------------------------------------------ cells without data


def test_a_factor_nested_in_another_is_averaged_within_it():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"variety": np.repeat(list("abcdef"), 10), "x": rng.normal(size=60)})
    data["species"] = np.where(data["variety"] < "d", "s1", "s2")
    data["y"] = rng.normal(size=60)
    model = gt.fit("y ~ variety + species:x", data)
    varieties = model.means("variety").frame["estimate"]
    means = model.means("species")
    np.testing.assert_allclose(
        means.frame["estimate"], [varieties[:3].mean(), varieties[3:].mean()]
    )
    assert "'variety' is nested in 'species'" in means.describe()
    assert len(model.means(["species", "variety"]).frame) == 6


def test_an_empty_cell_is_not_averaged_over_unless_asked_for(oats):
    data = oats[(oats["variety"] != "Victory") | (oats["block"] != "III")]
    model = gt.fit("yield ~ variety + block", data)
    with pytest.raises(ValueError, match=r"no row has variety = 'Victory' with block = 'III'.*"):
        model.means("variety")
    additive = model.means("variety", empty_cells="additive")
    difference = additive.contrasts(adjust="none").frame.iloc[0]["estimate"]
    assert difference == pytest.approx(-model.params["variety[T.Marvellous]"])
    assert "filled by the additivity" in additive.describe()
    seen = model.means("variety", at={"block": ["I", "II"]}).contrasts(adjust="none").frame
    assert seen["estimate"][0] == pytest.approx(difference)
    assert len(model.means("variety", weights="cells").frame) == 3
    with pytest.warns(gt.DataWarning, match=r"Left out, because no row .*: Victory/III\."):
        assert len(model.means(["variety", "block"]).frame) == 17


# ------------------------------------------------------------------------------ wrong input


def test_values_outside_the_data_are_an_extrapolation():
    model = fitted("cake_covariate")
    with pytest.warns(gt.DataWarning, match=r"temperature = 300 lies outside .* \(175 to 225\)"):
        model.means("recipe", at={"temperature": [200, 300]})
    fitted("epilepsy_offset").means("treatment", at={"base": 1})  # an exposure of 1 is none


def test_a_model_that_did_not_converge_is_refused_with_the_reason():
    model = fitted("herds_binomial")
    reason = gt.ConvergenceWarning("The search stopped early.")
    estimate = replace(model.estimate, converged=False, messages=(reason,))
    broken = type(model)(model.problem, estimate)
    with pytest.raises(ValueError, match=r"did not converge.*The search stopped early.*force=True"):
        broken.means("period")
    assert "these numbers are not estimates" in broken.means("period", force=True).describe()


@pytest.mark.parametrize(
    ("model_id", "arguments", "message"),
    [
        ("seeds_binomial", {"factors": "varity"}, r"no factor 'varity'.*mean 'variety'"),
        ("seeds_binomial", {"factors": "plate"}, "'plate' is a grouping factor of the random part"),
        ("seeds_binomial", {"factors": []}, "factors is empty"),
        ("seeds_binomial", {"factors": 3}, "factors must be a column"),
        ("seeds_binomial", {"factors": "variety", "by": "variety"}, "in factors and in by"),
        ("seeds_binomial", {"factors": "variety", "at": {"extract": "beans"}}, r"mean 'bean'"),
        ("seeds_binomial", {"factors": "variety", "at": {"extract": [pd.NA]}}, "no level <NA>"),
        ("seeds_binomial", {"factors": "variety", "at": {"extract": [["bean"]]}}, "one value of"),
        ("cake_covariate", {"factors": "recipe", "at": {"temperature": np.eye(2)}}, "one value of"),
        (
            "cake_covariate",
            {"factors": "recipe", "at": {"temperature": pd.Timestamp(0)}},
            "numbers",
        ),
        ("herds_binomial", {"factors": "period", "at": {"period": [1, 2]}}, "as text: '1', '2'"),
        ("cake_covariate", {"factors": "temperature"}, r"numeric.*at=\{.*C\(temperature\)"),
        ("cake_covariate", {"factors": "recipe", "at": {"temperature": "hot"}}, "needs numbers"),
        ("cake_covariate", {"factors": "recipe", "at": {"temperature": []}}, "empty list"),
        ("cake_covariate", {"factors": "angle"}, "'angle' is not in the fixed part"),
        ("cake_covariate", {"factors": "recipe", "level": 95}, "Use 0.95"),
        ("cake_covariate", {"factors": "recipe", "weights": "rows"}, "weights must be one of"),
        ("cake_covariate", {"factors": "recipe", "scale": "log"}, "scale must be one of"),
    ],
)
def test_wrong_means_are_named(model_id, arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted(model_id).means(**arguments)


@pytest.mark.parametrize(
    ("factors", "arguments", "message"),
    [
        ("variety", {"ratio": False}, r"differences of odds.*scale='link'.* differences of log"),
        ("variety", {"method": "pairs"}, "did you mean 'pairwise'"),
        ("variety", {"adjust": "scheffe"}, "adjust must be one of none, tukey"),
        ("variety", {"method": "poly", "adjust": "tukey"}, "'tukey' is for all pairs"),
        ("variety", {"reference": "Oa75"}, "reference= is for method='trt.vs.ctrl'"),
        ("variety", {"method": "trt.vs.ctrl", "reference": "Oa7"}, "did you mean 'Oa75'"),
        ("variety", {"method": {"one": [1, 0]}}, "must sum to 0"),
        ("variety", {"method": {"one": [1, -1, 0]}}, "'one' needs 2 weights"),
        ("variety", {"method": {"one": {"Oa7": 1}}}, "did you mean 'Oa75'"),
        ("variety", {"method": {"one": [0, 0]}}, "not all of them zero"),
        ("variety", {"method": {"one": ["a", "b"]}}, "weights of the contrast 'one' must be num"),
        (
            "variety",
            {"method": {"one": {"Oa75": "a"}}},
            "weights of the contrast 'one' must be num",
        ),
        ("variety", {"method": {}}, "an empty dict"),
        ("variety", {"by": "variety"}, "nothing is compared"),
        ("variety", {"by": "extract"}, "by='extract' is not a factor of these means"),
        ("variety", {"interaction": True}, "two factors or more"),
        (["variety", "extract"], {"interaction": {"plot": "poly"}}, "names 'plot'"),
    ],
)
def test_wrong_contrasts_are_named(seeds_model, factors, arguments, message):
    with pytest.raises(ValueError, match=message):
        seeds_model.means(factors).contrasts(**arguments)


def test_contrasts_of_contrasts_need_an_interaction_in_the_model(oats):
    model = gt.fit("yield ~ variety + C(nitro)", oats)
    with pytest.raises(ValueError, match="lack the interaction of what is compared"):
        model.means(["variety", "nitro"]).contrasts(interaction=True)


def test_a_contrast_needs_two_means_and_a_ratio_a_log_or_a_logit(seeds_model):
    with pytest.raises(ValueError, match="at least two means; there is 'Oa75'"):
        seeds_model.means("variety", at={"variety": "Oa75"}).contrasts()
    with pytest.raises(ValueError, match="with the identity link a contrast is a difference"):
        fitted("oats_split_plot").means("variety").contrasts(ratio=True)
    with pytest.raises(ValueError, match="a difference on the cloglog scale"):
        fitted("herds_cloglog").means("period").contrasts(ratio=True)
    with pytest.raises(ValueError, match="alpha must lie strictly between 0 and 1"):
        seeds_model.means("variety").letters(alpha=5)


def test_polynomial_contrasts_say_in_which_order_they_take_the_levels():
    """Doses that are text stand in the order of letters, which is not that of their numbers."""
    data = pd.DataFrame(
        {"dose": np.tile(["0", "10", "100", "20"], 20), "t": np.repeat([*"ab"], 40)}
    )
    data["y"] = np.random.default_rng(1).normal(size=80)
    model = gt.fit("y ~ dose * t", data)
    taken = "take as equally spaced: 0, 10, 100, 20."
    assert taken in model.means("dose", by="t").contrasts("poly").describe()
    both = model.means(["dose", "t"]).contrasts(interaction={"dose": "poly", "t": "pairwise"})
    assert taken in both.describe()


def test_groups_of_one_mean_have_no_contrasts_and_their_own_letter():
    """Varieties of their own at each site, one of them alone: as where emmeans says (nothing)."""
    site, variety, block = np.repeat(list("NNNSSW"), 5), np.repeat(np.arange(6), 5), np.arange(30)
    data = pd.DataFrame({"site": site, "variety": variety.astype(str), "block": block % 5})
    data["block"] = data["site"] + data["block"].astype(str)
    data["y"] = np.random.default_rng(5).normal(size=30) + 3 * variety
    with pytest.warns(gt.DataWarning, match="left out"):
        model = gt.fit("y ~ site / variety + (1 | block)", data, reml=True)
    means = model.means("variety", by="site")
    contrasts = means.contrasts()
    assert contrasts.frame["site"].tolist() == ["N", "N", "N", "S"]
    assert "no contrasts: W." in contrasts.describe()
    assert "adjusted for 1 to 3 contrasts within each group" in contrasts.describe()
    assert contrasts.joint()["site"].tolist() == ["N", "S"]
    assert means.letters()["letters"].tolist() == ["c", "b", "a", "b", "a", "a"]
    ends = means.arrows().iloc[-1]
    assert ends["arrow_low"] == ends["arrow_high"] == ends["estimate"]
    means.plot(letters=True, arrows=True)


@pytest.mark.parametrize(
    ("factors", "given"),
    [
        ("nitro", {0.6: 1, 0.0: -1}), ("nitro", {"0.6": 1, "0": -1}),
        ("nitro", pd.Series({0.6: 1, 0.0: -1})), ("nitro", pd.Series([-1, 0, 0, 1])),
        (["variety", "nitro"], {("Victory", 0.6): 1, ("Victory", 0): -1}),
    ],
)  # fmt: skip
def test_weights_of_a_contrast_are_taken_by_level(factors, given):
    model = gt.fit("yield ~ variety + C(nitro)", gt.load_data("oats"))
    found = model.means(factors).contrasts({"most minus none": given}).frame
    assert found["estimate"][0] == pytest.approx(model.params["C(nitro)[T.0.6]"])


def test_levels_that_are_no_text_may_be_given_as_they_are_or_by_their_text():
    data = gt.load_data("cake")
    data = data.assign(heat=pd.cut(data["temperature"], [170, 190, 230]))
    model = gt.fit("angle ~ heat", data)
    level = data["heat"].cat.categories[1]
    expected = model.means("heat").frame["estimate"][1]
    for given in (level, [level], str(level), np.array(str(level))):
        assert model.means("heat", at={"heat": given}).frame["estimate"].tolist() == [expected]


# ------------------------------------------------------------------------------ names of any kind


@pytest.mark.parametrize(
    ("first", "second"),
    [(("N", "N P"), ("P K", "K")), (("a", "a ×"), ("× b", "b")), ((0.3, 0.1 + 0.2), ("x", "y"))],
)
def test_levels_that_join_to_one_text_keep_all_their_contrasts_and_letters(first, second):
    rng = np.random.default_rng(20)
    n, g = 160, np.repeat(np.arange(10), 16)
    cell = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (40, 1))
    y = rng.normal(0, 1, n) + 2 * cell[:, 0] + 0.5 * cell[:, 1] + rng.normal(0, 0.5, 10)[g]
    plain = pd.DataFrame({"A": cell[:, 0].astype(str), "B": cell[:, 1].astype(str), "g": g, "y": y})
    odd = plain.assign(
        A=pd.Categorical.from_codes(cell[:, 0], first),
        B=pd.Categorical.from_codes(cell[:, 1], second),
    )
    ours, theirs = (
        gt.fit("y ~ A * B + (1 | g)", data, reml=True).means(["A", "B"]) for data in (odd, plain)
    )
    found, expected = ours.contrasts(), theirs.contrasts()
    np.testing.assert_allclose(found.numbers, expected.numbers, rtol=1e-6)
    assert found.frame["contrast"].nunique() == 6
    assert ours.letters()["letters"].tolist() == theirs.letters()["letters"].tolist()
    for options in (
        {"method": "trt.vs.ctrl"}, {"method": "consecutive", "by": "B"}, {"interaction": True},
    ):  # fmt: skip
        np.testing.assert_allclose(
            ours.contrasts(**options).numbers, theirs.contrasts(**options).numbers, rtol=1e-6
        )
    control = ours.contrasts("trt.vs.ctrl", reference=(first[1], second[0])).numbers
    same = theirs.contrasts("trt.vs.ctrl", reference=("1", "0")).numbers
    np.testing.assert_allclose(control, same, rtol=1e-3)  # of the simulated multivariate t
    assert len(ours.plot().get_xticks()) == 2
