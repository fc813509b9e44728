"""Fixed parts whose columns depend on each other: as in R (tests/reference/README.md)."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.means.grid import label_of

FILE = Path(__file__).parent / "reference" / "rank.json"
MODELS = {each["id"]: each for each in json.loads(FILE.read_text())}


@cache
def fitted(model_id):
    reference = MODELS[model_id]
    with pytest.warns(gt.DataWarning, match="left out, because the columns before determine"):
        return gt.fit(
            reference["formula"], pd.DataFrame(reference["data"]), reference["family"],
            reml=reference["reml"],
        )  # fmt: skip


def assert_like(ours, table, tolerance):
    """Estimates and limits in standard errors, the others relative; nan where R says nonEst."""
    wanted = {name: np.array(values, float) for name, values in table.items()}
    wanted["df"] = np.where(wanted["df"] < 0, np.inf, wanted["df"])
    for column in ("estimate", "conf_low", "conf_high"):
        off = (ours[column] - wanted[column]) / np.nan_to_num(wanted["std_error"], nan=1.0)
        np.testing.assert_allclose(off, 0 * wanted["estimate"], atol=tolerance)
    for column in ("std_error", "df"):
        np.testing.assert_allclose(ours[column], wanted[column], rtol=tolerance)
    if "p_value" in wanted:
        np.testing.assert_allclose(ours["p_value"], wanted["p_value"], atol=tolerance)


@pytest.mark.parametrize("model_id", MODELS)
def test_the_columns_left_out_are_rs(model_id):
    model, reference = fitted(model_id), MODELS[model_id]
    assert model.converged
    assert len(model.params) == len(reference["names"])
    np.testing.assert_allclose(model.params, reference["estimate"], rtol=2e-4, atol=2e-4)
    assert model.llf == pytest.approx(reference["llf"], abs=1e-5)
    assert model.df_model == reference["df"]


@pytest.mark.parametrize("model_id", MODELS)
def test_means_and_contrasts_are_those_of_emmeans(model_id):
    model, reference = fitted(model_id), MODELS[model_id]
    tolerance = 1e-4
    for task in reference["means"]:
        means = model.means(task["factors"], scale="link", empty_cells="additive")
        labels = pd.DataFrame({name: map(label_of, means.frame[name]) for name in task["factors"]})
        order = pd.DataFrame(task["levels"]).merge(labels.reset_index())["index"].to_numpy()
        assert_like(means.frame.iloc[order], task["means"], tolerance)
        if np.all(order == np.arange(len(order))):  # emmeans puts nested levels by their outer one
            assert_like(means.contrasts().frame, task["contrasts"], tolerance)


@pytest.mark.parametrize("model_id", [name for name in MODELS if MODELS[name]["tests"]])
def test_type_two_tests_are_those_of_car(model_id):
    model, reference = fitted(model_id), MODELS[model_id]
    counts = model.family.name == "poisson"
    table = model.anova(2, "lr" if counts else "wald")
    wanted = reference["tests"]
    assert list(table.index) == wanted["term"]
    assert list(table["df"]) == wanted["df"]
    np.testing.assert_allclose(table["statistic"], wanted["statistic"], rtol=1e-5)
    np.testing.assert_allclose(table["p_value"], wanted["p_value"], rtol=1e-4)
