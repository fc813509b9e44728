"""The Bayesian view: the same model written for bambi; without bambi, a sentence that helps."""

import sys

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from tools import make_studies

HERDS = "prop(incidence, size) ~ period + (1 | herd)"


def herds():
    return gt.fit(HERDS, gt.load_data("herds"), "binomial")


def test_without_bambi_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "bambi", None)
    with pytest.raises(ImportError, match=r"Python 3\.12 or later.*pip install -e '\.\[bayes\]'"):
        gt.to_bambi(herds())


def test_the_stored_posterior_says_how_much_the_priors_matter():
    """bambi's default, Normal(0, 1), shrinks the effect of period 4; ours leaves it."""
    table = pd.read_csv(gt.stored_study("posterior_herds")).set_index(["prior", "term"])
    ours, default = (table.loc[each] for each in ("weakly informative", "bambi's default"))
    m = herds()
    assert default.loc["period[T.4]", "mean"] == pytest.approx(-1.31, abs=0.03)
    gap = (ours["mean"][m.params.index] - m.params) / m.bse
    assert np.abs(gap).max() < 0.3
    assert (table["r_hat"] < 1.01).all() and (table["ess"] > 400).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_model_is_the_same_and_its_priors_are_those_of_the_docstring():
    pytest.importorskip("bambi")
    found = gt.to_bambi(herds())
    text = str(found)
    assert "Normal(mu: [0. 0. 0.], sigma: [2.5 2.5 2.5])" in text
    assert "HalfStudentT(nu: 3.0, sigma: 1.0)" in text and "p = logit" in text
    sleep = gt.load_data("sleep")
    text = str(gt.to_bambi(gt.fit("reaction ~ days + (days || subject)", sleep)))
    s = np.std(sleep["reaction"])
    assert f"sigma ~ HalfStudentT(nu: 3.0, sigma: {s:.4f})" in text
    assert f"days ~ Normal(mu: 0.0, sigma: {2.5 * s / np.std(sleep['days']):.4f})" in text
    with pytest.raises(ValueError, match=r"Fit it with \(days \|\| subject\)"):
        gt.to_bambi(gt.fit("reaction ~ days + (days | subject)", sleep))
    epilepsy = gt.load_data("epilepsy")
    zeros = gt.fit("seizures ~ treatment + (1 | subject)", epilepsy, "poisson", zero_inflation="~1")
    with pytest.raises(ValueError, match="it has zero inflation"):
        gt.to_bambi(zeros)


@pytest.mark.parametrize("name", make_studies.STUDIES)
def test_a_stored_study_is_what_its_command_makes(name, tmp_path):
    """The file belongs to the call of the script, and its first fits are made again."""
    path, fresh = gt.stored_study(name), tmp_path / "fresh.csv"
    before = path.read_bytes()
    make_studies.STUDIES[name](n=1000, path=path)
    assert path.read_bytes() == before
    make_studies.STUDIES[name](n=2, path=fresh)
    stored, again = (pd.read_csv(file, skiprows=1) for file in (path, fresh))
    assert len(again) >= 2
    np.testing.assert_allclose(
        again.iloc[:, -3], stored.iloc[: len(again), -3], rtol=1e-3, atol=1e-6
    )


@pytest.mark.filterwarnings("ignore::glmmtools.shared.messages.GlmmWarning")
@pytest.mark.parametrize("name", make_studies.BY_SEED)
def test_a_stored_table_of_data_sets_is_what_its_command_makes(name):
    """Its first data set is made and checked again."""
    stored = pd.read_csv(gt.stored_study(name))
    again = make_studies.BY_SEED[name](seeds=[0])
    pd.testing.assert_frame_equal(
        stored[stored["seed"] == 0].reset_index(drop=True),
        again,
        check_dtype=False,
        rtol=1e-3,
        atol=1e-4,
    )
