"""Residuals with a covariance structure: as in nlme and glmmTMB, by closed forms, or refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt

HERE = Path(__file__).parent / "reference"
MODELS = json.loads((HERE / "residuals.json").read_text())["models"]


def data_of(name):
    if name == "series":
        return pd.read_csv(HERE / "data" / "series.csv")
    data = gt.load_data(name.removesuffix("7"))
    return data[data["week"] <= 7] if name == "pigs7" else data


# ------------------------------------------------------------------------------ nlme and glmmTMB


@pytest.mark.parametrize("model_id", MODELS)
def test_fits_are_those_of_nlme_and_glmmtmb(model_id):
    reference = MODELS[model_id]
    model = gt.fit(
        reference["formula"], data_of(reference["data"]), residual=reference["residual"],
        reml=reference["reml"],
    )  # fmt: skip
    assert model.converged
    assert model.llf == pytest.approx(reference["llf"], abs=1e-5)
    apart = (model.params - np.array(reference["estimate"])) / model.bse
    np.testing.assert_allclose(apart, 0, atol=1e-3)
    np.testing.assert_allclose(model.bse, reference["std_error"], rtol=5e-4)
