"""The stored tables of lesson 04: what a transformation costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from tools import transformed_studies

SHARES = {"arcsine": "found", "log_counts": "coverage"}
MEANS = {"arcsine": ["control", "treated"], "log_counts": ["ratio"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", transformed_studies.TABLES)
def test_a_stored_table_is_what_its_function_makes_within_the_error_of_fewer_replicates(name):
    stored = pd.read_csv(gt.stored_study(name))
    few = 20
    again = transformed_studies.TABLES[name](few)
    by = list(stored.columns[:3])
    pd.testing.assert_frame_equal(again[by], stored[by], check_dtype=False)
    assert (stored["replicates"] == transformed_studies.REPLICATES).all()
    share = stored[SHARES[name]]
    error = np.sqrt(share * (1 - share) / few)
    assert (np.abs(again[SHARES[name]] - share) < 4 * error).all()
    np.testing.assert_allclose(again[MEANS[name]], stored[MEANS[name]], rtol=0.25)


def test_the_arcsine_has_the_power_of_the_glmm_and_another_size_of_the_effect():
    """True shares by quadrature over the plates."""
    x, w = np.polynomial.hermite_e.hermegauss(40)
    logit, w = gt.link("logit"), w / w.sum()
    shares = [w @ logit.inverse(logit(p) + 0.5 * x) for p in (0.05, 0.15)]
    table = pd.read_csv(gt.stored_study("arcsine")).set_index(["seeds", "effect", "method"])
    yes = table.xs("yes", level="effect")
    glmm = yes[yes.index.get_level_values("method").str.startswith("GLMM")]
    np.testing.assert_allclose(glmm[["control", "treated"]], [shares] * 4, rtol=0.03)
    others = yes.drop(glmm.index)
    assert (others["control"] < 0.85 * shares[0]).all()
    assert (others["treated"] < 0.95 * shares[1]).all()
    fair = [("equal", "arcsine"), ("unequal", "arcsine, weighted")]
    assert (yes.loc[fair, "found"] > 0.9).all() and yes.loc[("unequal", "arcsine"), "found"] < 0.6


def test_log_counts_miss_a_ratio_of_small_counts_only():
    table = pd.read_csv(gt.stored_study("log_counts")).set_index(["mean", "true_ratio", "model"])
    logs = table.xs("log(y + 1), normal", level="model")["coverage"]
    assert logs[1, 2] < 0.2 and logs[20, 2] > 0.9 and logs[1, 1] > 0.9
    assert (table.xs("NB2, log link", level="model")["coverage"] > 0.93).all()
