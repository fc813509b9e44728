"""Few units: degrees of freedom by the layout and by Kenward and Roger, and what is said of z."""

import json
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import glmmtools as gt
from glmmtools.fitted.degrees_of_freedom import reference
from glmmtools.formula.strata import Strata

KENWARD_ROGER = json.loads((Path(__file__).parent / "reference" / "kenward_roger.json").read_text())
BY_PBKRTEST = 1e-6  # relative; of covariances to two standard errors


@cache
def oats(rhs="variety * C(nitro) + (1 | block/variety)", reml=True):
    return gt.fit(f"yield ~ {rhs}", gt.load_data("oats"), reml=reml)


@cache
def herds():
    data = gt.load_data("herds")
    return gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")


@cache
def seeds():
    data = gt.load_data("seeds")
    return gt.fit("prop(germinated, seeds) ~ variety * extract + (1 | plate)", data, "binomial")


def crossed(subjects=10, items=8, replicates=2, seed=0):
    """Every subject sees every item: a treatment of each, one of the rows, and two slopes."""
    grid = np.indices((subjects, items, replicates)).reshape(3, -1)
    rng, (subject, item, _) = np.random.default_rng(seed), grid
    x = rng.normal(size=len(subject))
    slope = rng.normal(0, 0.5, subjects)[subject] * x
    effects = rng.normal(size=subjects)[subject] + rng.normal(size=items)[item]
    data = {"subject": subject, "item": item, "trt": subject % 2, "cond": item % 2, "x": x}
    y = effects + slope + rng.normal(size=len(subject))
    return pd.DataFrame(data).assign(y=y, count=rng.poisson(np.exp(0.5 * y)), row=range(len(y)))


def containment(formula, data, family="normal"):
    """Degrees of freedom by term."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = gt.fit(formula, data, family)
    strata = Strata(model.design)
    return dict(zip(strata.terms, model.tidy(df="containment")["df"], strict=True))


# ------------------------------------------------------------------------------ containment


def test_a_split_plot_has_the_df_of_its_analysis_of_variance():
    # blocks 6, varieties 3, nitrogen 4: (6-1), (6-1)(3-1), 3 (6-1)(4-1)
    formula = "yield ~ variety * C(nitro) + (1 | block/variety)"
    expected = {"1": 5, "variety": 10, "C(nitro)": 45, "variety:C(nitro)": 45}
    assert containment(formula, gt.load_data("oats")) == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        # 18 subjects, 10 days each: n - 18 intercepts - 1 slope
        ("days + (1 | subject)", {"1": 17, "days": 161}),
        ("days + (days | subject)", {"1": 17, "days": 17}),
        ("days + (days || subject)", {"1": 17, "days": 17}),
        ("days + (1 | subject) + (0 + days | subject)", {"1": 17, "days": 17}),
        ("days * old + (days | subject)", {"1": 16, "days": 16, "old": 16, "days:old": 16}),
        ("days * old + (1 | subject)", {"1": 16, "days": 160, "old": 16, "days:old": 160}),
        ("days + old + ar1(days | subject)", {"1": 16, "days": 161, "old": 16}),
    ],
)
def test_a_slope_of_each_subject_is_judged_by_the_subjects(formula, expected):
    data = gt.load_data("sleep")
    data["old"] = pd.factorize(data["subject"])[0] % 2
    assert containment(f"reaction ~ {formula}", data) == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        # 10 subjects, 8 items, 160 rows; each treatment costs one
        ("trt + (1 | subject) + (1 | item)", {"1": 7, "trt": 8}),
        ("trt + cond + (1 | subject) + (1 | item)", {"1": 6, "trt": 8, "cond": 6}),
        (
            "trt * cond + x + (1 | subject) + (1 | item)",  # 160 - (1 + 9 + 7) - trt:cond - x
            {"1": 6, "trt": 8, "cond": 6, "x": 141, "trt:cond": 141},
        ),
        (  # now trt:cond is constant in the 80 cells: 80 - (1 + 9 + 7) - 1
            "trt * cond + x + (1 | subject) + (1 | item) + (1 | subject:item)",
            {"1": 6, "trt": 8, "cond": 6, "x": 79, "trt:cond": 62},
        ),
        ("cond + (cond | subject)", {"1": 9, "cond": 9}),
        ("cond + (0 + C(cond) | subject)", {"1": 9, "cond": 9}),
        ("trt + x", {"1": 157, "trt": 157, "x": 157}),
    ],
)
def test_crossed_factors_and_cells_are_told_apart(formula, expected):
    assert containment(f"y ~ {formula}", crossed()) == expected


def test_nested_units_judge_what_was_given_to_them():
    # 6 schools of 4 classes of 3 pupils; one treatment of schools, one of classes, one of pupils
    school, place, pupil = np.indices((6, 4, 3)).reshape(3, -1)
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"school": school, "cls": place, "a": school % 2, "b": place % 2})
    data["c"] = pupil
    data["y"] = rng.normal(size=6)[school] + rng.normal(size=(6, 4))[school, place]
    data["y"] += rng.normal(size=len(data))
    found = containment("y ~ a * b + c + (1 | school/cls)", data)
    assert found == {"1": 4, "a": 4, "b": 16, "a:b": 16, "c": 47}


def test_random_effects_of_each_row_leave_the_residual_df():
    data = crossed()
    rest = "trt + x + (1 | subject) + (1 | item)"
    plain = containment(f"count ~ {rest}", data, "poisson")
    assert containment(f"count ~ {rest} + (1 | row)", data, "poisson") == plain


@pytest.mark.parametrize(
    "formula",
    [
        "trt + x + (x | subject) + (1 | item)",
        "cond * x + (cond + x || subject)",
        "trt + (1 | item)",
    ],
)
def test_ranks_are_those_of_the_matrices_spelled_out(formula):
    data = crossed(7, 5, seed=4)[lambda d: (d["row"] % 6 > 0) & (d["row"] < 62)]  # unbalanced
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = gt.fit(f"y ~ {formula}", data)
    strata = Strata(model.design)

    def matrix(each):
        levels = np.eye(each.n_levels)[each.codes]
        return np.einsum("nl,nq->nlq", levels, each.columns).reshape(len(levels), -1)

    def rank(parts):
        return np.linalg.matrix_rank(np.hstack([model.design.X, *map(matrix, parts)]))

    for term, homes in strata.by_term.items():
        expected = [len(data) - rank(strata.all)]
        if homes:
            expected = []
            for g in homes:
                others = [each for each in strata.all if each is not g and not each.refines(g)]
                expected.append(rank([*others, g]) - rank(others))
        assert strata.df[strata.terms.index(term)] == min(expected)


def test_a_combination_has_the_smallest_df_of_its_coefficients():
    model = oats("variety + C(nitro) + (1 | block/variety)")
    L = [[0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, -1], [0, 1, 0, 1, 0, 0], [1, 1, 0, 0, 0, 0]]
    assert model.contrast_df(L, df="containment").tolist() == [10, 51, 10, 5]


def test_containment_does_not_depend_on_the_zero_of_a_covariate():
    """Seconds since 1970: of the row of a type II test the coefficient of z is then a millionth."""
    rng, group = np.random.default_rng(3), np.repeat(np.arange(12), 6)
    data = pd.DataFrame({"g": group, "x": rng.normal(size=72), "z": np.where(group % 2, "a", "b")})
    data["y"] = rng.normal(size=12)[group] + rng.normal(size=72)
    for x in (data["x"], 86400 * (data["x"] + 2e4)):
        table = gt.fit("y ~ z * x + (1 | g)", data.assign(x=x)).anova(df="containment")
        np.testing.assert_allclose(table["den_df"], [10, 58, 58])


def test_ten_thousand_units_are_counted():
    cluster, subject, time = np.indices((12, 900, 2)).reshape(3, -1)
    rng = np.random.default_rng(1)
    y = rng.normal(size=12)[cluster] + rng.normal(size=(12, 900))[cluster, subject]
    data = pd.DataFrame({"cluster": cluster, "subject": subject, "time": time})
    data["trt"], data["y"] = cluster % 2, y + rng.normal(size=len(y))
    found = containment("y ~ trt * time + (1 | cluster/subject)", data)
    assert found == {"1": 10, "trt": 10, "time": 10798, "trt:time": 10798}


def test_too_many_columns_are_refused_with_the_way_out(monkeypatch):
    monkeypatch.setattr("glmmtools.formula.strata._MOST_COLUMNS", 8)
    with pytest.raises(ValueError, match="df='infinite' is right"):
        containment("y ~ x + (1 | subject) + (1 | item)", crossed())


# ------------------------------------------------------------------------------ Kenward and Roger


@cache
def of_pbkrtest(name):
    r = KENWARD_ROGER[name]
    data = gt.load_data(r["data"])
    if r["thin"]:
        data = data[np.arange(len(data)) % r["thin"] != 0]
    return r, gt.fit(r["formula"], data, reml=True)


@pytest.mark.parametrize("name", KENWARD_ROGER)
def test_covariances_and_df_are_those_of_pbkrtest(name):
    r, model = of_pbkrtest(name)
    covariance = np.array(r["covariance"])
    sd = np.sqrt(np.diag(covariance))
    found = reference(model, "kenward-roger").covariance(np.eye(len(sd)))
    np.testing.assert_allclose(
        found / np.outer(sd, sd), covariance / np.outer(sd, sd), atol=BY_PBKRTEST
    )
    table = model.tidy(df="kenward-roger")
    np.testing.assert_allclose(table["std_error"], sd, rtol=BY_PBKRTEST)
    np.testing.assert_allclose(table["df"], r["df"], rtol=BY_PBKRTEST)


@pytest.mark.parametrize("name", ["oats", "sleep", "sleep_independent"])
def test_f_tests_are_those_of_pbkrtest(name):
    r, model = of_pbkrtest(name)
    table = model.anova(type=3 if name == "oats" else 2, df="kenward-roger")
    for (_, row), expected in zip(table.iloc[::-1].iterrows(), r["joint"][::-1], strict=True):
        np.testing.assert_allclose(row["statistic"], expected["statistic"], rtol=1e-5)
        np.testing.assert_allclose(row["den_df"], expected["den_df"], rtol=1e-5)
        if name == "oats":  # the others hold main effects at a level
            break


def test_of_balanced_data_the_covariance_is_the_usual_one_with_the_df_of_variance_analysis():
    exact = oats().anova(df="kenward-roger")
    np.testing.assert_allclose(exact["den_df"], [10, 45, 45], rtol=1e-6)
    np.testing.assert_allclose(exact["statistic"], oats().anova()["statistic"], rtol=1e-6)
    squares = oats("variety + C(nitro) + block")
    np.testing.assert_allclose(squares.tidy(df="kenward-roger")["df"], 72 - 11)


@pytest.mark.parametrize("structure", ["(t | g)", "(t || g)"])
def test_kenward_roger_does_not_depend_on_the_units_of_a_covariate(structure):
    rng, group, t = np.random.default_rng(3), np.repeat(np.arange(12), 6), np.tile(np.arange(6), 12)
    data = pd.DataFrame({"g": group, "t": t, "z": np.where(group % 2, "a", "b")})
    data["y"] = rng.normal(size=12)[group] + 0.3 * rng.normal(size=12)[group] * t
    data["y"] += rng.normal(size=72)
    years = {"days": 365.25 * t, "millennia": t / 1000}
    if structure == "(t | g)":  # slopes that are independent of the mean at t = 0 have a year 0
        years |= {"of our era": t + 2000, "by the Julian day": 365.25 * t + 2.4e6}
    first = gt.fit(f"y ~ z * t + {structure}", data, reml=True).anova(df="kenward-roger")
    for name, each in years.items():
        model = gt.fit(f"y ~ z * t + {structure}", data.assign(t=each), reml=True)
        table = model.anova(df="kenward-roger")
        np.testing.assert_allclose(table[["statistic", "den_df"]], first[["statistic", "den_df"]],
                                   rtol=1e-4, err_msg=name)  # fmt: skip
    if structure == "(t | g)":
        np.testing.assert_allclose(first["den_df"], 10, rtol=1e-4)  # balanced: those of 12 slopes


@pytest.mark.parametrize("ratio", [1, 1e3, 1e5])
def test_kenward_roger_of_groups_that_differ_far_more_than_their_rows(ratio):
    rng, group = np.random.default_rng(0), np.repeat(np.arange(12), 6)
    data = pd.DataFrame({"g": group, "z": np.where(group % 2, "a", "b"), "w": list("pq") * 36})
    data["y"] = ratio * rng.normal(size=12)[group] + rng.normal(size=72)
    table = gt.fit("y ~ z + w + (1 | g)", data, reml=True).anova(df="kenward-roger")
    np.testing.assert_allclose(table["den_df"], [10, 59], rtol=1e-3)


def test_prior_weights_change_kenward_roger_only_by_their_ratios():
    data = gt.load_data("oats").assign(w=3.0)
    formula = "yield ~ variety * nitro + (1 | block/variety)"
    weighted = gt.fit(formula, data, weights="w", reml=True).tidy(df="kenward-roger")
    plain = gt.fit(formula, data, reml=True).tidy(df="kenward-roger")
    np.testing.assert_allclose(weighted[["std_error", "df"]], plain[["std_error", "df"]], rtol=1e-5)


def test_weighted_rows_are_replicated_means():
    """A mean of w rows with weight w has Kenward and Roger's matrices of V spelled out."""
    rng, group = np.random.default_rng(8), np.repeat(np.arange(7), 6)
    data = pd.DataFrame({"g": group, "x": rng.normal(size=42), "w": rng.integers(1, 5, 42) * 1.0})
    data["y"] = rng.normal(size=7)[group] + rng.normal(size=42) / np.sqrt(data["w"])
    model = gt.fit("y ~ x + (1 | g)", data, weights="w", reml=True)
    G = [(group[:, None] == group).astype(float), np.diag(1 / data["w"])]
    variance, residual = model.variance_components["variance"]
    inverse, X = np.linalg.inv(variance * G[0] + residual * G[1]), model.design.X
    phi = np.linalg.inv(X.T @ inverse @ X)
    P = [-X.T @ inverse @ each @ inverse @ X for each in G]
    Q = [[X.T @ inverse @ a @ inverse @ b @ inverse @ X for b in G] for a in G]
    project = inverse - inverse @ X @ phi @ X.T @ inverse
    W = np.linalg.inv([[0.5 * np.trace(project @ a @ project @ b) for b in G] for a in G])
    terms = [W[r, s] * (Q[r][s] - P[r] @ phi @ P[s]) for r in range(2) for s in range(2)]
    expected = phi + 2 * phi @ sum(terms) @ phi
    found = reference(model, "kenward-roger").covariance(np.eye(2))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_covariance_of_few_parameters_is_a_sum_as_well():
    """Two levels with one variance and one covariance: the sum of an intercept and a cell."""
    block, rate, _ = np.indices((9, 2, 3)).reshape(3, -1)
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"block": block, "rate": np.array(["low", "high"])[rate]})
    data["y"] = rng.normal(size=9)[block] + rng.normal(size=(9, 2))[block, rate]
    data["y"] += rng.normal(size=len(data))
    data = data.iloc[:-5]
    a = gt.fit("y ~ rate + cs(rate | block)", data, reml=True)
    b = gt.fit("y ~ rate + (1 | block/rate)", data, reml=True)
    np.testing.assert_allclose(a.llf, b.llf, atol=1e-6)
    np.testing.assert_allclose(
        a.tidy(df="kenward-roger")[["std_error", "df"]],
        b.tidy(df="kenward-roger")[["std_error", "df"]], rtol=1e-3,
    )  # fmt: skip


# ------------------------------------------------------------------------------ every table


def test_auto_is_as_without_the_argument():
    for model in (oats(), seeds(), oats("variety + block", reml=False)):
        pd.testing.assert_frame_equal(model.tidy(df="auto"), model.tidy())
        pd.testing.assert_frame_equal(model.anova(df="auto"), model.anova())
    pd.testing.assert_frame_equal(oats().tidy(df="satterthwaite"), oats().tidy())


def test_infinite_is_z_for_every_model():
    table = oats().tidy(df="infinite")
    assert np.isinf(table["df"]).all()
    z = oats().params / oats().bse
    np.testing.assert_allclose(table["p_value"], 2 * special.ndtr(-np.abs(z)))
    tests = oats().anova(df="infinite")
    assert list(tests["kind"]) == ["chisq"] * 3
    expected = special.chdtrc(tests["df"], tests["statistic"])
    np.testing.assert_allclose(tests["p_value"], expected)
    pd.testing.assert_frame_equal(seeds().tidy(df="infinite"), seeds().tidy())


@pytest.mark.parametrize("model", [oats, seeds], ids=["oats", "seeds"])
def test_tables_by_containment_are_students(model):
    model = model()
    table = model.tidy(0.9, df="containment")
    t = model.params / model.bse
    np.testing.assert_allclose(table["p_value"], 2 * stats.t.sf(np.abs(t), table["df"]))
    half = stats.t.ppf(0.95, table["df"]) * model.bse
    np.testing.assert_allclose(table["conf_high"] - table["estimate"], half)
    pd.testing.assert_frame_equal(
        model.conf_int(0.9, df="containment"), table[["conf_low", "conf_high"]], check_names=False
    )
    tests, chi_square = model.anova(df="containment"), model.anova(df="infinite")
    assert list(tests["kind"]) == ["F"] * 3
    np.testing.assert_allclose(tests["statistic"], chi_square["statistic"] / tests["df"])
    expected = stats.f.sf(tests["statistic"], tests["df"], tests["den_df"])
    np.testing.assert_allclose(tests["p_value"], expected)


def test_means_contrasts_and_predictions_take_the_same_df():
    assert oats().anova(df="containment")["den_df"].tolist() == [10, 45, 45]
    means = oats().means("variety", df="containment")
    assert means.frame["df"].tolist() == [5, 5, 5]
    assert means.contrasts().frame["df"].tolist() == [10, 10, 10]
    assert oats().means("nitro", df="containment").contrasts().frame["df"].tolist() == [45] * 6
    frame = seeds().means("variety", scale="link", df="containment").frame
    half = stats.t.ppf(0.975, 17) * frame["std_error"]
    np.testing.assert_allclose(frame["conf_high"] - frame["estimate"], half)
    predicted = seeds().predict(effects="population", scale="link", level=0.8, df="containment")
    half = stats.t.ppf(0.9, 17) * predicted["std_error"]
    np.testing.assert_allclose(predicted["conf_high"] - predicted["estimate"], half)


def test_means_by_kenward_roger_have_its_standard_errors():
    _, model = of_pbkrtest("oats_slopes_thinned")
    judged = reference(model, "kenward-roger")
    means = model.means("variety", df="kenward-roger")
    np.testing.assert_allclose(means.frame["std_error"], np.sqrt(judged.variances(means.L)))
    contrasts = means.contrasts(adjust="none")
    np.testing.assert_allclose(contrasts.frame["df"], judged.df(contrasts.L))
    assert np.all(contrasts.std_error > model.means("variety").contrasts().std_error)
    rows = model.predict(effects="population", level=0.9, df="kenward-roger")
    np.testing.assert_allclose(rows["std_error"] ** 2, judged.variances(model.design.X))


def test_the_summary_shows_the_df_that_it_is_asked_for(capsys):
    seeds().summary(df="containment")
    text = capsys.readouterr().out
    assert text.count("17.0") == 4 and "FewUnitsWarning" not in text
    oats().summary(df="infinite")
    assert " df " not in capsys.readouterr().out


def test_a_separated_fit_has_containment_for_what_is_finite():
    data = gt.load_data("herds")
    data.loc[data["period"] == "4", "incidence"] = 0
    with pytest.warns(gt.SeparationWarning):
        model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")
    table = model.tidy(df="containment")
    assert np.isfinite(table["conf_low"].iloc[:3]).all()
    with pytest.warns(gt.DataWarning, match="coefficients are infinite"):
        row = model.anova(df="containment").loc["period"]
    assert row["kind"] == "chisq" and np.isnan(row["statistic"])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: seeds().tidy(df="kenward"), "df must be one of auto, containment"),
        (lambda: seeds().tidy(df="satterthwaite"), "df='containment'"),
        (lambda: seeds().anova(df="kenward-roger"), "fitted with reml=True"),
        (lambda: oats(reml=False).tidy(df="kenward-roger"), "fitted with reml=True"),
        (lambda: seeds().anova(test="lr", df="containment"), "for Wald tests"),
        (lambda: seeds().conf_int(method="profile", df="containment"), "for Wald intervals"),
        (lambda: seeds().predict(level=0.9, df="containment"), "effects='population'"),
        (lambda: seeds().predict(df="containment"), "level=0.95"),
    ],
)
def test_what_has_no_such_df_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_series_and_population_averages_say_why_they_have_none():
    data = gt.load_data("sleep")
    model = gt.fit("reaction ~ days + ar1(days | subject)", data, reml=True)
    with pytest.raises(ValueError, match=r"those of ar1\(days \| subject\) are not"):
        model.tidy(df="kenward-roger")
    averaged = gt.gee("wheeze ~ smoke", gt.load_data("wheeze"), "binomial", groups="child")
    with pytest.raises(ValueError, match=r"with \(1 \| child\) in the formula"):
        averaged.tidy(df="containment")


# ------------------------------------------------------------------------------ the note


def notes_of(messages):
    return [str(each) for each in messages if isinstance(each, gt.FewUnitsWarning)]


def test_the_note_names_terms_units_and_the_argument():
    (note,) = notes_of(seeds().messages)
    assert "variety, extract, variety:extract: judged by 21 levels of 'plate'" in note
    assert "df='containment'" in note
    assert note in " ".join(repr(seeds()).split())
    assert notes_of(seeds().anova().messages) == [note]
    assert note in repr(seeds().anova()) and "21 levels" in seeds().anova()._repr_html_()
    means = seeds().means("variety")
    assert "21 levels of 'plate'" in repr(means) and "21 levels of 'plate'" in means.describe()
    assert notes_of(means.contrasts().messages)


def test_a_term_within_groups_is_not_noted_but_a_mean_of_groups_is():
    assert not notes_of(herds().messages) and not notes_of(herds().anova().messages)
    (note,) = notes_of(herds().means("period").messages)
    assert note.startswith("Intercept: judged by 15 levels of 'herd'")
    assert not notes_of(herds().means("period").contrasts().messages)


def test_each_group_has_its_own_note():
    data = crossed(10, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = gt.fit("count ~ trt + cond + (1 | subject) + (1 | item)", data, "poisson")
    said = notes_of(model.messages)
    assert [each.split(":")[0] for each in said] == ["trt", "cond"]
    assert "10 levels of 'subject'" in said[0] and "8 levels of 'item'" in said[1]


def test_it_does_not_nag():
    assert not notes_of(oats().messages) and not notes_of(oats().anova().messages)
    assert not oats().means("variety").messages
    assert not seeds().anova(df="containment").messages
    assert not seeds().anova(test="lr").messages
    assert not seeds().means("variety", df="containment").messages
    assert type(seeds().anova().round(2)) is pd.DataFrame
    epilepsy = gt.load_data("epilepsy")
    m = gt.fit("seizures ~ treatment + (1 | subject)", epilepsy, "poisson")  # 59 patients
    assert not m.messages and not m.means("treatment").messages
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seeds().refit(seeds().design.y)
        seeds().anova()


@pytest.mark.parametrize(("groups", "noted"), [(29, True), (30, False)])
def test_thirty_units_are_enough(groups, noted):
    rng, g = np.random.default_rng(2), np.repeat(np.arange(groups), 6)
    mean = np.exp(1 + rng.normal(0, 0.5, groups)[g])
    data = pd.DataFrame({"y": rng.poisson(mean), "g": g, "trt": g % 2})
    model = gt.fit("y ~ trt + (1 | g)", data, "poisson")
    assert bool(notes_of(model.messages)) == noted
