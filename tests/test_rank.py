"""Fixed parts whose columns depend on each other: as in R (tests/reference/README.md)."""

import json
import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.formula.rank import independent_columns
from glmmtools.means.grid import label_of

FILE = Path(__file__).parent / "reference" / "rank.json"
MODELS = {each["id"]: each for each in json.loads(FILE.read_text())}
TUKEY = 2e-4  # emmeans rounds the degrees of freedom


def frame_of(model_id):
    return pd.DataFrame(MODELS[model_id]["data"])


@cache
def fitted(model_id):
    reference = MODELS[model_id]
    family, reml = reference["family"], reference["reml"]
    with pytest.warns(gt.DataWarning, match="left out, because the columns before determine"):
        return gt.fit(reference["formula"], frame_of(model_id), family, reml=reml)


@pytest.mark.parametrize("model_id", MODELS)
def test_the_columns_left_out_are_rs(model_id):
    model, reference = fitted(model_id), MODELS[model_id]
    assert model.converged
    assert model.llf == pytest.approx(reference["llf"], abs=1e-8)
    assert model.df_model == reference["df"]
    off = (model.params - np.array(reference["estimate"])) / model.bse
    np.testing.assert_allclose(off, 0, atol=2e-5)


def assert_like_emmeans(ours, table):
    """Estimates and limits in standard errors, others relative; nan where R says nonEst."""
    theirs = {name: np.array(values, float) for name, values in table.items()}
    theirs["df"] = np.where(theirs["df"] < 0, np.inf, theirs["df"])
    se = np.nan_to_num(theirs["std_error"], nan=1.0)
    for column in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(ours[column] / se, theirs[column] / se, atol=5e-6)
    for column in ("std_error", "df"):
        np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-6)
    if "p_value" in theirs:
        np.testing.assert_allclose(ours["p_value"], theirs["p_value"], atol=TUKEY)


@pytest.mark.parametrize("model_id", MODELS)
def test_means_and_contrasts_are_those_of_emmeans(model_id):
    for task in MODELS[model_id]["means"]:
        factors = task["factors"]
        means = fitted(model_id).means(factors, scale="link", empty_cells="additive")
        labels = pd.DataFrame({name: map(label_of, means.frame[name]) for name in factors})
        order = pd.DataFrame(task["levels"]).merge(labels.reset_index())["index"].to_numpy()
        assert len(order) == len(labels)
        assert_like_emmeans(means.frame.iloc[order], task["means"])
        if np.all(order == np.arange(len(order))):  # emmeans puts nested levels by their outer one
            assert_like_emmeans(means.contrasts().frame, task["contrasts"])


@pytest.mark.parametrize("model_id", [name for name in MODELS if MODELS[name]["tests"]])
def test_type_two_tests_are_those_of_car(model_id):
    model, theirs = fitted(model_id), MODELS[model_id]["tests"]
    table = model.anova(2, "lr" if model.family.name == "poisson" else "wald")
    assert list(table.index) == theirs["term"]
    assert list(table["df"]) == theirs["df"]
    for column in ("statistic", "p_value"):
        np.testing.assert_allclose(table[column], np.array(theirs[column], float), rtol=1e-5)


@pytest.mark.parametrize("test", ["wald", "lr"])
@pytest.mark.parametrize("order", [["none", "C", "B", "A"], ["B", "none", "A", "C"]])
def test_tests_of_terms_do_not_depend_on_which_columns_are_left_out(order, test):
    data = frame_of("control_and_factorial")
    formula = MODELS["control_and_factorial"]["formula"]
    tables = []
    for levels in (["A", "B", "C", "none"], order):
        with pytest.warns(gt.DataWarning, match="left out"):
            model = gt.fit(formula, data.assign(form=pd.Categorical(data["form"], levels)))
        tables.append(model.anova(2, test).drop(columns="kind"))
    np.testing.assert_allclose(*tables, rtol=1e-6)
    assert list(tables[0]["df"]) == [2, 1, 2]


def test_type_three_tests_of_cells_that_are_not_told_are_refused():
    with pytest.raises(ValueError, match=r"some of which these data do not tell.*Use type=2"):
        fitted("three_factors").anova(3)


def test_predictions_are_right_in_the_cells_of_the_data_and_missing_in_others():
    model, data = fitted("one_empty_cell"), frame_of("one_empty_cell")
    cells = gt.fit("y ~ 0 + cell + (1 | block)", data.assign(cell=data["a"] + data["b"]), reml=True)
    np.testing.assert_allclose(model.predict(), cells.predict(), atol=1e-6)
    new = data.head(3).assign(a=["k", "m", "l"], b=["p", "w", "w"])
    for options in ({}, {"level": 0.9}, {"effects": "marginal"}, {"effects": "population"}):
        with pytest.warns(gt.DataWarning, match="means of 1 row of 3 are not estimable"):
            found = pd.DataFrame(model.predict(new, **options))
        right = cells.predict(new.assign(cell=["kp", "kp", "lw"]), **options)
        np.testing.assert_allclose(found.iloc[[0, 2]], pd.DataFrame(right).iloc[[0, 2]], rtol=1e-4)
        assert found.iloc[1].isna().all()


def test_dispersion_and_extra_zeros_are_missing_where_the_data_do_not_tell_them():
    data = frame_of("one_empty_cell")
    new = data.head(2).assign(a=["k", "m"], b=["p", "w"])
    with pytest.warns(gt.DataWarning) as said:  # and that some cells have no extra zeros
        model = gt.fit("count ~ x", data, "poisson", zero_inflation="~ a * b")
    assert re.search(r"zero inflation is left out.*a\[T.m\]:b\[T.w\]", str(said[0].message))
    assert list(model.predict(new).isna()) == [False, True]
    with pytest.warns(gt.DataWarning, match=r"of the dispersion formula is left out"):
        model = gt.fit("y ~ x", data, dispersion_formula="~ a * b")
    cells = gt.fit("y ~ x", data.assign(c=data["a"] + data["b"]), dispersion_formula="~ c")
    assert model.llf == pytest.approx(cells.llf, abs=1e-6)


def test_letters_arrows_and_pictures_are_of_the_means_that_are_known():
    means = fitted("one_empty_cell").means("a")
    assert list(means.letters()["letters"]) == ["a", "a", ""]
    assert list(means.arrows()["arrow_low"].isna()) == [False, False, True]
    assert means.plot(letters=True, arrows=True).has_data()
    assert fitted("one_empty_cell").plot_effects("a").has_data()


@pytest.mark.parametrize("adjust", ["none", "sidak", "bonferroni", "holm", "fdr", "mvt"])
def test_contrasts_are_adjusted_beside_others_that_are_not_estimable(adjust):
    """One of three is estimable: emmeans counts three, but for "mvt", which is of what is known."""
    table = fitted("one_empty_cell").means("a").contrasts(adjust=adjust).frame
    raw = fitted("one_empty_cell").means("a").contrasts(adjust="none").frame["p_value"][0]
    times_three = {
        "sidak": 1 - (1 - raw) ** 3,
        "bonferroni": 3 * raw,
        "holm": 3 * raw,
        "fdr": 3 * raw,
    }
    assert table["p_value"][0] == pytest.approx(min(times_three.get(adjust, raw), 1), rel=1e-9)
    assert table["p_value"][1:].isna().all()


def test_a_covariate_given_twice_is_left_out_once():
    data = frame_of("one_empty_cell")
    with pytest.warns(gt.DataWarning, match=r"determine it: I\(x / 2\)\."):
        model = gt.fit("y ~ x + I(x / 2) + a", data)
    right = gt.fit("y ~ x + a", data)
    np.testing.assert_allclose(model.params, right.params)
    np.testing.assert_allclose(model.predict(data.tail(3)), right.predict(data.tail(3)))
    assert model.means("a", at={"x": [1.0]}).frame["estimate"].notna().all()


def test_a_random_effect_of_an_empty_cell_has_no_variance():
    """As that of a level without rows: what no row has is no parameter."""
    data = frame_of("one_empty_cell").query("a != 'l' and b in ['p', 'w']")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = gt.fit("count ~ 1 + (0 + a:b | block)", data, "poisson")
    assert any("because no row has them: a[m]:b[w]." in str(each.message) for each in caught)
    assert list(model.variance_components["term"]) == ["a[k]:b[p]", "a[m]:b[p]", "a[k]:b[w]"]
    assert model.df_model == 1 + 3 + 3


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (1e-8, 0), (1e8, 0), (1, 1e8)])
def test_columns_of_any_unit_are_told_from_combinations_of_others(scale, shift):
    """A covariate far from zero is no constant; R's tolerance, 1e-7, takes it for one."""
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(2, 50))
    x = scale * x + shift
    X = np.column_stack([np.ones(50), x, z, x + 2 * z, x * z])
    kept, out = independent_columns(X)
    assert kept.tolist() == [0, 1, 2, 4] and out.tolist() == [3]
