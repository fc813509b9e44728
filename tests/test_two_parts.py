"""Zeros, ones and truncation: against glmmTMB, and what every verb says of such models.

`tests/reference/two_part.json` holds R's fits of nineteen models.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import glmmtools as gt

REFERENCE = json.loads((Path(__file__).parent / "reference" / "two_part.json").read_text("utf-8"))
MODELS = {model["id"]: model for model in REFERENCE["models"]}
SIMULATED = pd.DataFrame(REFERENCE["data"])


def fitted(model):
    data = gt.load_data("epilepsy") if model["data"] == "epilepsy" else SIMULATED
    formula = f"{model['response']} ~ {model['right']}"
    options = model["options"] or {}
    return gt.fit(formula, data, model["family"], link=model["link"], **options)


@pytest.mark.parametrize("name", MODELS)
def test_fits_are_those_of_glmmtmb(name):
    """The log-likelihood to 1e-6, coefficients to 1e-5 standard errors, those to 1e-5."""
    model = MODELS[name]
    m = fitted(model)
    beta, errors = (np.atleast_1d(model["beta"][key]) for key in ("estimate", "se"))
    if model["family"] == "lognormal":  # R's intercept is of log(y)
        beta = beta + np.array([model["phi"] / 2, 0, 0])
        errors = np.where(np.arange(3) == 0, m.bse, errors)
    assert m.converged
    assert m.llf == pytest.approx(model["llf"], abs=1e-6)
    np.testing.assert_allclose(m.params, beta, atol=1e-5 * errors.min())
    np.testing.assert_allclose(m.bse, errors, rtol=1e-5)
    if "phi" in model:
        assert m.dispersion["phi"] == pytest.approx(model["phi"], rel=1e-5)
    if "sds" in model:
        sds = m.variance_components["sd"]
        np.testing.assert_allclose(sds, np.atleast_1d(model["sds"]), rtol=1e-5)
    if "zero" in model:
        errors = np.sqrt(np.diag(m.estimate.predictor_cov["zero"]))
        found = m.estimate.predictors["zero"], errors
        for ours, key in zip(found, ("estimate", "se"), strict=True):
            np.testing.assert_allclose(
                ours, np.atleast_1d(model["zero"][key]), rtol=1e-5, atol=1e-6
            )
    if "cutpoints" in model:
        ours = np.log(m.dispersion["odds0"]), -np.log(m.dispersion["odds1"])
        np.testing.assert_allclose(ours, model["cutpoints"], atol=1e-5)


# ---- two parts -----------------------------------------------------------------------------------

TWO_PARTS = [name for name, model in MODELS.items() if name.endswith("_zeros") or "hurdle" in name]
TWO_PARTS.remove("genpois_zeros")


@pytest.mark.parametrize("name", TWO_PARTS)
def test_a_two_part_model_is_a_model_of_zeros_and_one_of_the_other_values(name):
    model = MODELS[name]
    m, data = fitted(model), gt.load_data("epilepsy") if "epilepsy" in name else SIMULATED
    y, of_zeros = data[model["response"]], model["options"]["zero_inflation"]
    zeros = gt.fit(f"zero {of_zeros}", data.assign(zero=(y == 0).astype(int)), "binomial")
    others = gt.fit(f"{model['response']} ~ {model['right']}", data[y > 0], model["family"])
    assert m.llf == pytest.approx(zeros.llf + others.llf, abs=1e-6)
    assert m.df_model == zeros.df_model + others.df_model
    np.testing.assert_allclose(m.params, others.params, rtol=1e-4)
    np.testing.assert_allclose(m.bse, others.bse, rtol=1e-4)
    np.testing.assert_allclose(m.estimate.predictors["zero"], zeros.params, rtol=1e-4, atol=1e-6)
    p = m.extra_zero_probability()
    np.testing.assert_allclose(p, zeros.fittedvalues, rtol=1e-4)
    kept = (y > 0).to_numpy()
    np.testing.assert_allclose(m.fittedvalues[kept], (1 - p[kept]) * others.fittedvalues, rtol=1e-4)


@pytest.mark.parametrize("family", [n for n, f in gt.FAMILIES.items() if f.takes_extra_zeros])
def test_draws_have_the_mean_variance_and_zeros_that_a_fit_says(family):
    """Within 5 Monte-Carlo standard errors of 4,000 data sets."""
    shape = {"phi": 0.8} if "phi" in gt.family(family).shape else {}
    layout = pd.DataFrame({"x": np.tile([-0.5, 0.5], 60)})
    data = gt.simulate("y ~ x", layout, family, coef=[0.5, 0.8], zero=0.3, seed=6, **shape)
    m = gt.fit("y ~ x", data, family, zero_inflation="~ 1")
    draws, n = m.simulate(4000), 4000
    for row in (0, 1):
        y, mean = draws[:, row], m.fittedvalues.iloc[row]
        assert abs(y.mean() - mean) < 5 * y.std() / np.sqrt(n)
        pearson = (m.design.y[row] - mean) / m.resid("pearson").iloc[row]
        error = np.std((y - mean) ** 2) / np.sqrt(n)
        assert abs(np.mean((y - mean) ** 2) - pearson**2) < 5 * error
    residuals = m.simulated_residuals(n=100)
    if m.problem.has_two_parts:
        with pytest.raises(ValueError, match="zeros have a part of their own"):
            residuals.test_zeros()
    else:
        zeros = residuals.test_zeros()
        assert zeros.statistic == np.sum(m.design.y == 0)
        assert zeros.effect == pytest.approx(1, abs=0.2)
    assert gt.recovery(m).loc["zero", "true"] == 0.3


def test_what_cannot_be_fitted_in_two_parts_is_refused_or_said():
    data = pd.DataFrame({"y": [0.0, 0.0, 1.2, 2.1, 0.7, 3.0, 0.0, 1.1], "f": list("aabbbbcc")})
    with pytest.raises(
        ValueError, match=r"row 0 has y = 0\. .* Zeros have a part of their own with"
    ):
        gt.fit("y ~ 1", data, "gamma")
    with pytest.raises(ValueError, match=r"cannot estimate 'f\[T.b\]'.*zeros only"):
        gt.fit("y ~ f", data.assign(f=list("aabbbbbb")), "gamma", zero_inflation="~ 1")
    with pytest.raises(ValueError, match="every value of the response 'y' is 0"):
        gt.fit("y ~ 1", {"y": np.zeros(9)}, "gamma", zero_inflation="~ 1")
    with pytest.raises(ValueError, match=r"gamma needs y > 0; row 0 has y = -1\. Zeros or differ"):
        gt.fit("y ~ 1", {"y": [-1.0, 0, 2]}, "gamma", zero_inflation="~ 1")
    for family in ("ordered_beta", "normal"):
        with pytest.raises(ValueError, match=f"{family} is not, nor does it leave zero out"):
            gt.fit("y ~ 1", {"y": [0, 0.3, 0.5, 1]}, family, zero_inflation="~ 1")
    with pytest.warns(gt.DataWarning, match="No value is 0"):
        gt.fit("y ~ 1", {"y": np.arange(1.0, 9)}, "gamma", zero_inflation="~ 1")


def test_a_level_of_ones_in_a_hurdle_model_is_named():
    rng = np.random.default_rng(1)
    f = np.repeat(list("abc"), 40)
    y = np.where(rng.random(120) < 0.3, 0, 1 + rng.poisson(1, 120))
    y = np.where((f == "c") & (y > 0), 1, y)
    with pytest.warns(
        gt.ConvergenceWarning, match=r"not 0: The estimate of 'f\[T.c\]' has no finite"
    ):
        gt.fit("y ~ f", {"y": y, "f": f}, "truncated_poisson", zero_inflation="~ 1")
    m = gt.fit("y ~ f", {"y": y, "f": f}, "truncated_poisson", zero_inflation="~ 1", penalty=2.5)
    assert m.converged
    with pytest.warns(gt.SeparationWarning, match="separates ones from larger counts"):
        alone = gt.fit("y ~ f", {"y": y[y > 0], "f": f[y > 0]}, "truncated_poisson")
    assert alone.converged and alone.params["f[T.c]"] == -np.inf
    assert np.all(alone.fittedvalues[f[y > 0] == "c"] == 1)


# ---- E(y) where it is not mu ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["truncated_poisson", "truncated_nbinom2", "ordered_beta"])
def test_means_and_predictions_are_of_y(name):
    """Of a cell they are SciPy's mean, with limits on the scale of its link."""
    m = fitted(MODELS[name])
    new = pd.DataFrame({"x": SIMULATED["x"].mean(), "f": ["a", "b"]})
    table, rows = m.means("f").frame, m.predict(new, effects="population", level=0.95)
    mu = m.link.inverse(m.predict(new, scale="link", effects="population"))
    expected = [m.family.distribution(each, **m.estimate.shape).mean() for each in mu]
    np.testing.assert_allclose(rows["estimate"], expected, rtol=1e-8)
    np.testing.assert_allclose(table[rows.columns], rows, rtol=1e-8)
    error = rows["std_error"] / m.link.derivatives(m.link(rows["estimate"]))[0]
    limits = [
        m.link.inverse(m.link(rows["estimate"]) + z * error) for z in stats.norm.ppf([0.025, 0.975])
    ]
    np.testing.assert_allclose(rows[["conf_low", "conf_high"]].T, limits, rtol=1e-8)


EXPECTED = {
    "truncated_poisson": ("seen ~ x", {}),
    "truncated_nbinom2": ("clustered ~ x", {}),
    "truncated_nbinom2, phi by x": ("clustered ~ x", {"dispersion_formula": "~ x"}),
    "ordered_beta": ("cover ~ x", {}),
    "ordered_beta, phi by x": ("cover ~ x", {"dispersion_formula": "~ x"}),
}


def distribution_at(m, vector, x):
    """SciPy's distribution where `vector` is the coefficients, then those of log phi, then logs."""
    coefficients, rest = vector[:2], vector[2:]
    shape = {}
    if m.problem.dispersion is not None:
        shape["phi"], rest = np.exp(rest[0] + rest[1] * x), rest[2:]
    shape |= dict(zip(m.estimate.shape, np.exp(rest), strict=True))
    return m.family.distribution(m.link.inverse(coefficients[0] + coefficients[1] * x), **shape)


@pytest.mark.parametrize("name", EXPECTED)
def test_errors_of_means_hold_those_of_all_parameters(name):
    """The delta method with SciPy's log-density and mean, differenced at the estimates."""
    formula, options = EXPECTED[name]
    m = gt.fit(formula, SIMULATED, name.split(",")[0], **options)
    y, x, new = m.design.y, m.design.frame["x"].to_numpy(), np.array([-0.5, 1.0])
    shape = np.log(list(m.estimate.shape.values()))
    best = np.array([*m.params, *m.estimate.predictors.get("phi", []), *shape])

    def llf(vector):
        frozen = distribution_at(m, vector, x)
        return np.sum((frozen.logpmf if m.family.discrete else frozen.logpdf)(y))

    def second(a, b):
        return sum(s * t * llf(best + s * a + t * b) for s in (1, -1) for t in (1, -1)) / 4e-6

    assert llf(best) == pytest.approx(m.llf, abs=1e-6)
    steps = np.eye(len(best)) * 1e-3
    covariance = np.linalg.inv([[-second(a, b) for b in steps] for a in steps])
    ends = [[distribution_at(m, best + s * a, new).mean() for s in (1, -1)] for a in steps]
    slopes = np.array([above - below for above, below in ends]).T / 2e-3
    expected = np.sqrt(np.einsum("ni,ij,nj->n", slopes, covariance, slopes))
    rows = m.predict({"x": new}, level=0.95)
    np.testing.assert_allclose(rows["std_error"], expected, rtol=1e-4)
    means = m.means("x", at={"x": list(new)})
    np.testing.assert_allclose(means.frame["std_error"], expected, rtol=1e-4)
    difference = np.diff(distribution_at(m, best, np.array([0.2999, 0.3001])).mean()).item()
    slope = m.slopes("x", at={"x": 0.3}, scale="response").frame["estimate"].item()
    assert slope == pytest.approx(difference / 2e-4, rel=1e-5)


@pytest.mark.parametrize(
    "name", ["truncated_poisson", "truncated_nbinom2, phi by x", "ordered_beta"]
)
@pytest.mark.parametrize("sd", [0.3, 4.0])
def test_a_marginal_mean_is_the_average_over_groups(name, sd):
    """SciPy's adaptive quadrature over the normal random effect, at an sd as given."""
    formula, options = EXPECTED[name]
    m = gt.fit(f"{formula} + (1 | g)", SIMULATED, name.split(",")[0], **options)
    term = replace(m.estimate.terms[0], covariance=np.array([[sd**2]]))
    m = type(m)(m.problem, replace(m.estimate, terms=(term,)))
    new = pd.DataFrame({"x": [-0.5, 1.0]})
    eta = m.predict(new, scale="link", effects="population").to_numpy()
    shape = [dict(m.estimate.shape) for _ in eta]
    if options:
        phi = m.predict(new, part="dispersion")
        shape = [{**each, "phi": value} for each, value in zip(shape, phi, strict=True)]
    for found, at, each in zip(m.predict(new, effects="marginal"), eta, shape, strict=True):

        def integrand(z, at=at, each=each):
            mu = m.link.inverse(np.array(at + sd * z))
            return m.family.mean(mu, **each) * stats.norm.pdf(z)

        expected = integrate.quad(integrand, -12, 12, epsabs=0, epsrel=1e-11, points=[0, sd])[0]
        assert found == pytest.approx(expected, rel=1e-8)


# ---- ordered beta and generalised Poisson --------------------------------------------------------


def test_without_zeros_or_ones_their_odds_are_not_parameters():
    cover = SIMULATED["cover"]
    inside = SIMULATED.assign(cover=cover.clip(0.005, 0.995))
    m, beta = (gt.fit("cover ~ x + (1 | g)", inside, name) for name in ("ordered_beta", "beta"))
    assert m.llf == pytest.approx(beta.llf, abs=1e-6) and m.df_model == beta.df_model
    zeros = SIMULATED.assign(cover=cover.clip(0, 0.995))
    m = gt.fit("cover ~ x + (1 | g)", zeros, "ordbeta")
    assert m.converged and m.family.shape == ("phi", "odds0") and m.dispersion["odds1"] == 0
    assert np.all(m.simulate(20) < 1) and np.any(m.simulate(20) == 0)
    assert m.refit(m.simulate(1)[0]).converged


def test_odds_are_those_of_exact_values_where_mu_is_one_half():
    family = gt.family("ordered_beta")
    zero, one, between = family.probabilities(0.5, odds0=0.25, odds1=1 / 9)
    assert (zero, one, between) == pytest.approx((0.2, 0.1, 0.7))
    layout = pd.DataFrame({"x": np.zeros(200_000)})
    y = gt.simulate("y ~ 1", layout, "ordered_beta", shape={"odds0": 0.25, "odds1": 1 / 9})["y"]
    assert np.mean(y == 0) == pytest.approx(0.2, abs=5e-3)
    assert np.mean(y == 1) == pytest.approx(0.1, abs=5e-3)
    with pytest.raises(ValueError, match="shape names 'odds2'; further parameters of ordered_beta"):
        gt.simulate("y ~ 1", layout, "ordered_beta", shape={"odds2": 1})


def test_a_level_of_zeros_only_is_separated_in_ordered_beta():
    data = SIMULATED.assign(cover=np.where(SIMULATED["f"] == "b", 0, SIMULATED["cover"]))
    with pytest.warns(gt.SeparationWarning, match="zeros or ones from other values"):
        m = gt.fit("cover ~ x + f", data, "ordered_beta")
    assert m.params["f[T.b]"] == -np.inf and m.converged


def test_probabilities_of_genpois_that_do_not_add_up_to_1_are_said():
    rng = np.random.default_rng(3)
    y = rng.choice([0, 1, 2], 200, p=[0.05, 0.9, 0.05])
    with pytest.warns(gt.DataWarning, match=r"probabilities of genpois add up to \d"):
        gt.fit("y ~ 1", {"y": y}, "genpois")


@pytest.mark.parametrize("phi", [0.3, 0.7, 1.0, 3.0])
def test_the_sums_of_genpois_are_those_of_its_probabilities(phi):
    frozen = gt.family("genpois").distribution(6.0, phi=phi)
    p = frozen.pmf(np.arange(400.0))
    assert p.sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(frozen.cdf(np.arange(8)), np.cumsum(p)[:8] / p.sum(), rtol=1e-9)
    for probability in (0.01, 0.4, 0.99):
        y = frozen.ppf(probability)
        assert frozen.cdf(y) >= probability > frozen.cdf(y - 1)
    assert (p * np.arange(400)).sum() == pytest.approx(6, rel=2e-3)


@pytest.mark.parametrize("n", [1, 9])
def test_random_effects_that_make_a_count_impossible_have_no_weight(n):
    """Far groups of counts that vary little: the search starts where their counts are possible."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(20), 8)
    mu = np.exp(3.5 + rng.normal(0, 1, 20)[g])
    y = gt.family("genpois").sample(mu, rng, phi=0.2)
    m = gt.fit("y ~ 1 + (1 | g)", {"y": y, "g": g}, "genpois", nagq=n)
    assert m.converged
    assert m.dispersion["phi"] == pytest.approx(0.2, rel=0.3)
    assert m.variance_components["sd"].item() == pytest.approx(1, rel=0.4)


@pytest.mark.parametrize("seed", [2, 12, 15])
def test_modes_are_found_afresh_where_a_count_is_impossible_at_the_mean_of_its_group(seed):
    rng = np.random.default_rng(1)
    layout = pd.DataFrame({"g": np.repeat(np.arange(40), 8), "x": rng.normal(size=320)})
    truth = {"coef": [0.4, 0.4], "sd": {"g": 0.4}, "phi": 0.5}
    data = gt.simulate("y ~ x + (1 | g)", layout, "genpois", seed=seed, **truth)
    with pytest.warns(gt.DataWarning, match="probabilities of genpois add up to"):
        m = gt.fit("y ~ x + (1 | g)", data, "genpois")
    assert m.converged
    np.testing.assert_allclose(m.joint.here.modes[0], m.modes[0], atol=1e-5)
    assert 0 < m.simulated_residuals(n=40).test_dispersion().p_value <= 1
