"""Models without random terms: least squares, and everything else by Newton's method."""

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.engine.independent_rows import information
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.search import information_at
from glmmtools.engine.start import starting_point
from glmmtools.fitted.build import build_problem

# Intercept and slope of a linear predictor whose means suit the link.
LINES = {
    "identity": (5.0, 0.5), "log": (0.5, 0.2), "inverse": (1.0, 0.1),
    "identity of a probability": (0.5, 0.05), "log of a probability": (-1.0, 0.1),
}  # fmt: skip
SHAPES = {"phi": 0.7, "df": 6.0, "odds0": 0.2, "odds1": 0.1}
PAIRS = [(name, link) for name, family in gt.FAMILIES.items() for link in family.links]


def data_of(name, link, rows=200, seed=1):
    """Responses of a family, a covariate x and one, z, of which nothing depends."""
    rng, family = np.random.default_rng(seed), gt.family(name)
    data = pd.DataFrame(rng.uniform(-1, 1, size=(rows, 2)), columns=["x", "z"]).assign(n=8)
    kind = f"{link} of a probability" if family.mean_interval[1] == 1 else link
    intercept, slope = LINES.get(kind, (0.2, 0.4))
    mu = gt.link(link).inverse(intercept + slope * data["x"].to_numpy())
    shape = {each: SHAPES[each] for each in family.shape}
    shape |= {"trials": 8} if family.takes_trials else {}
    return data.assign(y=family.sample(mu, rng, **shape))


def formula_of(name):
    return "prop(y, n) ~ x" if gt.family(name).takes_trials else "y ~ x"


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_the_exact_hessian_is_that_of_the_gradient(name, link):
    family, data = gt.family(name), data_of(name, link)
    dispersion = "~ z" if "phi" in family.shape else None
    zero = "~ z" if family.counts else None
    marginal = Marginal(
        build_problem(formula_of(name), data, name, link, None, None, dispersion, zero, False, 1)
    )
    point = starting_point(marginal)
    found, expected = information(marginal, point), information_at(
        marginal.value_and_gradient, point
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_every_family_and_link_converges_and_finds_the_truth(name, link):
    data = data_of(name, link, rows=2000)
    model = gt.fit(formula_of(name), data, name, link=link)
    kind = f"{link} of a probability" if model.family.mean_interval[1] == 1 else link
    assert model.converged
    assert (np.abs(model.params - np.array(LINES.get(kind, (0.2, 0.4)))) < 4 * model.bse).all()


@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_least_squares_is_statsmodels(weighted, reml):
    data = gt.load_data("oats").assign(w=lambda d: 1 + d.index % 3)
    options = {"weights": "w" if weighted else None, "reml": reml}
    ours, theirs = (
        gt.fit("yield ~ variety * nitro", data, engine=engine, **options)
        for engine in ("laplace", "statsmodels")
    )
    assert ours.method == theirs.method == ("REML" if reml else "OLS")
    assert ours.llf == pytest.approx(theirs.llf, abs=1e-9)
    pd.testing.assert_frame_equal(ours.tidy(), theirs.tidy(), rtol=1e-9)
    assert ours.dispersion["phi"] == pytest.approx(theirs.dispersion["phi"], rel=1e-12)
    assert (ours.tidy()["df"] == len(data) - 6).all()


# R 4.2.2: lm; glm of the binomial at epsilon 1e-15; Gamma by glmmTMB 1.1.5, whose standard errors
# are of the observed information. Estimates, standard errors, log-likelihood.
R = {
    ("reaction ~ days", "sleep", "normal", None): (
        (251.405104848485, 10.467285959596), (6.6101540442876, 1.2381952980498), -950.14652817818,
    ),
    ("prop(incidence, size) ~ period", "herds", "binomial", None): (
        (-1.2690234893671, -1.1707627251404, -1.3014053338590, -1.7822786353417),
        (0.14491976246815, 0.29146778911879, 0.31288143098711, 0.41305645760323), -99.029199489363,
    ),
    ("weight ~ week", "pigs", "gamma", None): (
        (3.21424500754678, 0.12442977771424), (0.0103494829949, 0.0014182244596), -2982.5215560536,
    ),
    ("weight ~ week", "pigs", "gamma", "inverse"): (
        (0.0317358391465, -0.0019483188086), (2.99477756133e-04, 3.12339656400e-05),
        -3212.8349016729,
    ),
}  # fmt: skip


@pytest.mark.parametrize("model", R, ids=lambda model: f"{model[2]}, {model[3]}")
def test_estimates_and_standard_errors_are_rs(model):
    formula, data, family, link = model
    ours, (estimates, errors, llf) = (
        gt.fit(formula, gt.load_data(data), family, link=link),
        R[model],
    )
    off = (ours.params - np.array(estimates)) / ours.bse
    assert np.abs(off).max() < 1e-5  # glmmTMB stops that far from the maximum
    np.testing.assert_allclose(ours.bse, errors, rtol=2e-5)  # glmmTMB differences its Hessian
    assert ours.llf == pytest.approx(llf, abs=1e-8)


COMMON = [
    (name, link) for name, link in PAIRS if name in ("normal", "binomial", "poisson", "gamma")
    and (name, link) not in (("normal", "log"), ("normal", "inverse"))
]  # fmt: skip


@pytest.mark.parametrize(("name", "link"), COMMON)
def test_the_second_opinion_is_the_same(name, link):
    ours, theirs = (
        gt.fit(formula_of(name), data_of(name, link), name, link=link, engine=engine)
        for engine in ("laplace", "statsmodels")
    )
    assert ours.converged and theirs.converged
    assert (ours.engine, theirs.engine) == ("laplace", "statsmodels")
    assert ours.llf == pytest.approx(theirs.llf, abs=1e-8)
    assert np.abs((ours.params - theirs.params) / ours.bse).max() < 1e-5
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-6)


def test_standard_errors_of_gamma_are_those_beside_a_variance_of_zero():
    rng = np.random.default_rng(92)
    data = pd.DataFrame({"fat": rng.gamma(6, 12, 315), "fiber": rng.gamma(5, 2.6, 315)})
    eta = data.eval("6.12 + 0.014 * fat + 0.05 * fiber - 0.0004 * fat * fiber")
    data["y"], data["g"] = rng.gamma(8, np.exp(eta) / 8), rng.integers(0, 20, 315)
    plain = gt.fit("y ~ fat * fiber", data, "gamma")
    with pytest.warns(gt.SingularFitWarning):
        mixed = gt.fit("y ~ fat * fiber + (1 | g)", data, "gamma")
    np.testing.assert_allclose(plain.bse, mixed.bse, rtol=1e-6)
    assert plain.bse["Intercept"] == pytest.approx(0.145020, abs=5e-6)  # R's glmmTMB


def test_no_model_without_random_terms_fails_by_rounding():
    """With the absolute tolerance of iterated least squares 12 of these 100 did not converge."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        data = pd.DataFrame({"x": rng.normal(size=2000), "g": rng.integers(0, 4, 2000)})
        mu = np.exp(np.log(20) + 0.3 * data["x"] + 0.2 * data["g"])
        data = data.assign(y=rng.gamma(2, mu / 2), g=data["g"].astype(str))
        assert gt.fit("y ~ x + g", data, "gamma").converged


@pytest.mark.parametrize(("name", "link"), [("binomial", "identity"), ("binomial", "log")])
def test_a_maximum_where_a_mean_leaves_its_interval_is_said_to_be_none(name, link):
    x = np.repeat(np.arange(6.0), 20)
    share = np.repeat([0.05, 0.1, 0.45, 0.9, 0.95, 1.0], 20)
    data = pd.DataFrame({"x": x, "y": np.random.default_rng(1).binomial(1, share)})
    with pytest.warns(gt.ConvergenceWarning, match=f"the {link} link gives means that binomial c"):
        model = gt.fit("y ~ x", data, name, link=link)
    assert not model.converged
    assert model.fittedvalues.between(0, 1).all()


def test_a_separated_level_is_named_for_links_whose_coefficients_stay_small():
    data = pd.DataFrame(
        {"g": np.repeat(list("abc"), 10), "y": [0, 1] * 5 + [0, 1, 1] * 3 + [0] * 11}
    )
    data.loc[data["g"] == "c", "y"] = 0
    for link in ("logit", "probit", "cloglog"):
        with pytest.warns(gt.SeparationWarning, match=r"'g\[T\.c\]' has no finite value"):
            assert gt.fit("y ~ g", data, "binomial", link=link).separated


def test_quadrature_is_exact_where_there_is_nothing_to_integrate():
    data = gt.load_data("herds")
    models = [gt.fit("prop(incidence, size) ~ period", data, "binomial", nagq=k) for k in (1, 5)]
    assert models[0].llf == models[1].llf and models[1].method == "ML"
