"""Fits against frozen results of R (tests/reference/README.md says how they were made).

The tolerances are the project's bars; none was widened to let a model pass.
"""

import json
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt

ROOT = Path(__file__).parent.parent
MODELS = {
    each["id"]: each
    for each in json.loads((ROOT / "tests" / "reference" / "models.json").read_text())
}

LLF = 1e-5
BETA_IN_SE = 1e-4
SE = 1e-4
COMPONENT = 1e-4
CORRELATION = 1e-3
SHAPE = 1e-3


def linear(reference):
    return reference["family"] == "normal" and reference["link"] == "identity"


def load(reference):
    if not reference["data_file"].startswith("tests/"):
        return gt.load_data(reference["data"])
    data = pd.read_csv(ROOT / reference["data_file"])
    for column in filter(None, (reference.get("data_categories") or "").split(";")):
        data[column] = data[column].astype(str).astype("category")
    return data


@cache
def fitted(model_id):
    reference = MODELS[model_id]
    names = ("reml", "nagq", "weights", "dispersion_formula", "zero_inflation")
    options = {name: reference["options"][name] for name in names if reference["options"].get(name)}
    df = reference["options"].get("t_df")
    family = gt.family(reference["family"], df=df) if df else reference["family"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if reference["singular"] else "error", gt.SingularFitWarning)
        return gt.fit(
            reference["formula"], load(reference), family, link=reference["link"], **options
        )


def every_model(having=None):
    chosen = [i for i, m in MODELS.items() if having is None or m.get(having)]
    assert chosen
    return pytest.mark.parametrize("model_id", chosen)


def standard_errors(reference):
    """Linear mixed models: given the variances, as lme4; all others: of the joint Hessian."""
    coefficients = reference["coefficients"]
    key = "se_fixed_variance_parameters" if linear(reference) else "se"
    return np.array(coefficients.get(key, coefficients["se"]), float)


@every_model()
def test_the_log_likelihood_and_its_parameters_are_rs(model_id):
    model, reference = fitted(model_id), MODELS[model_id]
    assert model.converged
    assert model.singular == reference["singular"]
    assert (model.nobs, model.df_model) == (reference["nobs"], reference["df"])
    assert model.llf == pytest.approx(reference["llf"], abs=LLF)


@every_model()
def test_coefficients_are_rs_to_a_small_part_of_a_standard_error(model_id):
    model, reference = fitted(model_id), MODELS[model_id]
    coefficients = reference["coefficients"]
    assert list(model.params.index) == coefficients["names"]
    off = np.abs(model.params - coefficients["estimate"]) / standard_errors(reference)
    assert off.max() < BETA_IN_SE


@every_model()
def test_standard_errors_are_rs(model_id):
    model, expected = fitted(model_id), standard_errors(MODELS[model_id])
    np.testing.assert_allclose(model.bse, expected, rtol=SE)


@every_model(having="variance_components")
def test_variances_and_correlations_of_random_effects_are_rs(model_id):
    model = fitted(model_id)
    ours = model.variance_components
    for component in MODELS[model_id]["variance_components"]:
        serial = "{structure}({time})".format_map(component) if "time" in component else None
        terms = component.get("terms") or [serial]
        mine = ours[(ours["group"] == component["group"]) & ours["term"].isin(terms)]
        variances = np.ravel(component["sd"]) ** 2
        np.testing.assert_allclose(
            mine["variance"], variances, rtol=COMPONENT, atol=1e-7 * variances.max() + 1e-12
        )
        correlation = component.get("rho", component.get("corr"))
        if correlation is not None:
            assert mine["corr"].iloc[0] == pytest.approx(correlation, abs=CORRELATION)
        elif "correlation" in component and component["structure"] == "unstructured":
            for i in range(1, len(terms)):
                for j in range(i):
                    expected = component["correlation"][i][j]
                    if expected is not None:
                        shown = mine["corr" if j == 0 else f"corr{j + 1}"].iloc[i]
                        assert shown == pytest.approx(expected, abs=CORRELATION)


@every_model(having="dispersion")
def test_the_dispersion_and_the_df_of_t_are_rs(model_id):
    model, reference = fitted(model_id), MODELS[model_id]
    if reference["dispersion"].get("phi") is not None:
        expected = reference["dispersion"]["phi"]
        assert model.dispersion["phi"] == pytest.approx(expected, rel=SHAPE)
    if reference.get("t_df"):
        assert model.dispersion["df"] == pytest.approx(reference["t_df"]["estimate"], rel=SHAPE)


@every_model(having="dispersion_coefficients")
def test_coefficients_of_a_dispersion_formula_are_rs(model_id):
    dispersion = MODELS[model_id]["dispersion_coefficients"]
    mine = fitted(model_id).dispersion.filter(like="log phi: ")
    off = np.abs(mine - dispersion["estimate"]) / np.array(dispersion["se"])
    assert off.max() < SHAPE


@every_model(having="zero_inflation")
def test_extra_zeros_are_rs(model_id):
    expected = MODELS[model_id]["zero_inflation"]
    mine = fitted(model_id).dispersion
    if len(expected["estimate"]) == 1:
        assert mine["zero"] == pytest.approx(expected["probability"], rel=SHAPE)
    else:
        shown = mine.filter(like="logit zero: ")
        assert np.max(np.abs(shown - expected["estimate"]) / np.array(expected["se"])) < SHAPE


@every_model(having="random_effects")
def test_random_effects_and_their_conditional_sds_are_rs(model_id):
    reference = MODELS[model_id]
    ours = fitted(model_id).random_effects.set_index(["group", "level", "term"])
    times = {c["group"]: c["time"] for c in reference["variance_components"] if "time" in c}
    data = load(reference)
    for effect in reference["random_effects"]:
        group, level, term = effect["group"], effect["level"], effect["term"]
        if (group, level, term) not in ours.index:
            rows = data[data[group].astype(str) == level]
            if term not in rows[times[group]].astype(str).to_numpy():
                continue  # glmmTMB also reports a series at times at which nobody looked
            term = f"{times[group]}[{term}]"
        mine = ours.loc[(group, level, term)]
        scale = effect["cond_sd"] or 1e-6
        assert abs(mine["estimate"] - effect["estimate"]) < 2e-3 * scale
        assert mine["std_error"] == pytest.approx(effect["cond_sd"], rel=1e-3, abs=1e-5)


@every_model(having="predictions")
def test_conditional_predictions_and_their_standard_errors_are_glmmtmbs(model_id):
    expected = MODELS[model_id]["predictions"]
    if "link_se" not in expected:
        pytest.skip("the reference is not from glmmTMB")
    mine = fitted(model_id).predict(scale="link", level=0.95).iloc[expected["rows"]]
    se = np.array(expected["link_se"], float)
    assert np.max(np.abs(mine["estimate"] - expected["link"]) / se) < 1e-3
    np.testing.assert_allclose(mine["std_error"], se, rtol=5e-4)
