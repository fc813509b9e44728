"""Fits against frozen results of R (tests/reference/README.md says how they were made)."""

import json
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt

REFERENCE = Path(__file__).parent / "reference"
MODELS = {each["id"]: each for each in json.loads((REFERENCE / "models.json").read_text())}

# tolerances: the bars; none was widened to let a model pass
LLF = 1e-5
BETA_IN_SE = 1e-4
SE = {"normal": 5e-4, "other": 1e-4}
SD = 1e-4 / 2  # of a standard deviation; 1e-4 of its variance
CORRELATION = 1e-3


@cache
def fitted(model_id):
    reference = MODELS[model_id]
    options = {k: v for k, v in reference["options"].items() if k in ("reml", "nagq") and v}
    if "data_file" in reference and reference["data_file"].startswith("tests/"):
        data = pd.read_csv(REFERENCE.parent.parent / reference["data_file"])
    else:
        data = gt.load_data(reference["data"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if reference["singular"] else "error", gt.SingularFitWarning)
        return gt.fit(
            reference["formula"], data, reference["family"], link=reference["link"], **options
        )


def models(*, stage="glmm", having=None):
    chosen = [
        i for i, m in MODELS.items() if m["stage"] == stage and (having is None or m.get(having))
    ]
    assert chosen
    return pytest.mark.parametrize("model_id", chosen)


@models()
def test_the_log_likelihood_and_its_parameters_are_rs(model_id):
    model, reference = fitted(model_id), MODELS[model_id]
    assert model.converged
    assert model.nobs == reference["nobs"]
    assert model.df_model == reference["df"]
    assert model.llf == pytest.approx(reference["llf"], abs=LLF)


@models()
def test_coefficients_are_rs_to_a_small_part_of_a_standard_error(model_id):
    model, reference = fitted(model_id), MODELS[model_id]["coefficients"]
    assert list(model.params.index) == reference["names"]
    se = np.array(reference["se"])
    np.testing.assert_array_less(np.abs(model.params - reference["estimate"]) / se, BETA_IN_SE)


@models()
def test_standard_errors_are_rs(model_id):
    model, reference = fitted(model_id), MODELS[model_id]["coefficients"]
    tolerance = SE["normal" if model.family.name == "normal" else "other"]
    np.testing.assert_allclose(model.bse, reference["se"], rtol=tolerance)


@models(having="variance_components")
def test_standard_deviations_and_correlations_of_random_effects_are_rs(model_id):
    model, reference = fitted(model_id), MODELS[model_id]
    ours = model.variance_components
    for component in reference["variance_components"]:
        mine = ours[ours["group"] == component["group"]]
        mine = mine[mine["term"].isin(component["terms"])] if len(mine) > 1 else mine
        largest = max(component["sd"])
        np.testing.assert_allclose(mine["sd"], component["sd"], rtol=SD, atol=1e-6 * largest)
        if "correlation" in component:
            expected = component["correlation"][1][0]
            assert mine["corr"].iloc[1] == pytest.approx(expected, abs=CORRELATION)


@models(having="dispersion")
def test_the_dispersion_is_rs(model_id):
    model, reference = fitted(model_id), MODELS[model_id]["dispersion"]
    assert model.dispersion["phi"] == pytest.approx(reference["phi"], rel=1e-4)


@models(having="random_effects")
def test_random_effects_and_their_conditional_sds_are_rs(model_id):
    ours = fitted(model_id).random_effects.set_index(["group", "level", "term"])
    for effect in MODELS[model_id]["random_effects"]:
        mine = ours.loc[(effect["group"], effect["level"], effect["term"])]
        scale = effect["cond_sd"] or 1e-6
        assert abs(mine["estimate"] - effect["estimate"]) < 2e-4 * scale
        assert mine["std_error"] == pytest.approx(effect["cond_sd"], rel=2e-4, abs=1e-6)
