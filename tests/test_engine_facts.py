"""What must hold of our engine whatever the data: closed forms, invariances, honest endings."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import glmmtools as gt
from glmmtools.engine import choice as engines
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.quadrature import QuadratureMarginal
from glmmtools.engine.start import starting_point
from glmmtools.fitted.build import build_problem
from tests.slow import some_slow
from tests.test_engines_slow import random_problem


def problem(formula, data, family="normal", reml=False, zeros=None, nagq=1):
    return build_problem(formula, data, family, None, None, None, None, zeros, reml, nagq)


@pytest.fixture(scope="module")
def sleep():
    return gt.load_data("sleep")


def closed_form(model, data, reml):
    """The normal log-likelihood of y ~ N(Xβ, ZGZᵀ + φI), and its REML criterion."""
    X = np.column_stack([np.ones(len(data)), data["days"]])
    same = data["subject"].to_numpy()[:, None] == data["subject"].to_numpy()
    G = model.random_covariance("subject").to_numpy()
    V = (X @ G @ X.T) * same + model.dispersion["phi"] * np.eye(len(data))
    y = data["reaction"].to_numpy()
    inverse = np.linalg.inv(V)
    beta = np.linalg.solve(X.T @ inverse @ X, X.T @ inverse @ y)
    np.testing.assert_allclose(beta, model.params, rtol=1e-6)
    value = stats.multivariate_normal.logpdf(y, X @ beta, V)
    if reml:
        value += np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(X.T @ inverse @ X)[1]
    return value


@pytest.mark.parametrize("reml", [False, True])
def test_laplace_is_exact_for_a_normal_model(sleep, reml):
    model = gt.fit("reaction ~ days + (days | subject)", sleep, reml=reml)
    assert model.llf == pytest.approx(closed_form(model, sleep, reml), abs=1e-7)


def test_laplace_of_one_poisson_group_is_the_formula_of_the_lesson():
    """h(û) - ½ log H by hand; the exact integral differs by the known small error."""
    data = pd.DataFrame({"y": [3, 5, 2, 0, 1, 1], "g": list("aaabbb")})
    marginal = Marginal(problem("y ~ 1 + (1 | g)", data, "poisson"))
    beta, sd = 0.6, 0.8
    vector = np.array([beta, sd])
    by_hand = exact = 0.0
    for _, y in data.groupby("g")["y"]:
        u = 0.0
        for _ in range(50):
            mu = np.exp(beta + sd * u)
            curvature = sd**2 * len(y) * mu + 1
            u += (sd * (y.sum() - len(y) * mu) - u) / curvature

        def density(v, y=y):
            return stats.poisson.pmf(y, np.exp(beta + sd * v)).prod() * np.exp(-0.5 * v * v)

        by_hand += np.log(density(u)) - 0.5 * np.log(sd**2 * len(y) * np.exp(beta + sd * u) + 1)
        exact += np.log(integrate.quad(density, -9, 9)[0] / np.sqrt(2 * np.pi))
    value = marginal.value_and_gradient(vector * np.sign(marginal.X[0, 0]) ** [1, 0])[0]
    assert value == pytest.approx(by_hand, abs=1e-9)
    assert abs(value - exact) < 0.02


def test_scales_of_covariates_change_nothing_but_the_units():
    data = gt.load_data("epilepsy").assign(year=lambda d: d["period"] + 2000.0)
    data["large"] = 1e6 * data["age"]
    plain = gt.fit("seizures ~ age + period + (1 | subject)", data, "poisson")
    other = gt.fit("seizures ~ large + year + (1 | subject)", data, "poisson")
    assert other.llf == pytest.approx(plain.llf, abs=1e-6)
    assert other.params["large"] * 1e6 == pytest.approx(plain.params["age"], rel=1e-3)
    assert other.bse["large"] * 1e6 == pytest.approx(plain.bse["age"], rel=1e-4)
    assert other.bse["year"] == pytest.approx(plain.bse["period"], rel=1e-4)


def test_the_scale_of_a_normal_response_changes_nothing_but_the_units(sleep):
    small = gt.fit("reaction ~ days + (days || subject)", sleep)
    large = gt.fit(
        "reaction ~ days + (days || subject)", sleep.assign(reaction=1e6 * sleep["reaction"])
    )
    assert large.llf == pytest.approx(small.llf - 180 * np.log(1e6), abs=1e-6)
    np.testing.assert_allclose(large.params / 1e6, small.params, rtol=1e-6)
    np.testing.assert_allclose(large.bse / 1e6, small.bse, rtol=1e-5)
    np.testing.assert_allclose(
        large.variance_components["sd"] / 1e6, small.variance_components["sd"], rtol=1e-5
    )


def test_a_variance_of_zero_is_found_exactly_and_named():
    data = gt.load_data("oats").assign(flat=lambda d: d["nitro"] + np.tile([-1.0, 1.0], 36))
    with pytest.warns(
        gt.SingularFitWarning, match=r"The variance is estimated at zero in \(1 \| b"
    ):
        model = gt.fit("flat ~ nitro + (1 | block)", data)
    assert model.converged and model.singular
    assert model.variance_components["sd"][0] == 0
    assert model.llf == pytest.approx(gt.fit("flat ~ nitro", data).llf, abs=1e-6)


def counts(seed):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"g": np.repeat(np.arange(30), 6), "x": rng.normal(size=180)})
    mu = np.exp(1 + 0.3 * data["x"] + rng.normal(0, 0.5, 30)[data["g"]])
    return data.assign(y=rng.poisson(mu))


def underdispersed(seed=4):
    """Counts whose variance is below their mean: no negative binomial fits better than Poisson."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"g": np.repeat(np.arange(30), 6)})
    return data.assign(y=rng.binomial(10, 0.5, 180))


def test_a_negative_binomial_without_overdispersion_says_it_is_the_poisson():
    data = underdispersed()
    with pytest.warns(gt.GlmmWarning) as caught:
        model = gt.fit("y ~ 1 + (1 | g)", data, "nbinom2")
    assert any("where the family is the Poisson" in str(each.message) for each in caught)
    with pytest.warns(gt.SingularFitWarning):
        poisson = gt.fit("y ~ 1 + (1 | g)", data, "poisson")
    assert model.llf == pytest.approx(poisson.llf, abs=1e-3)


WRONG = {
    "times repeated": (
        ("y ~ 1 + ar1(t | g)", {"t": lambda d: np.tile([1, 2, 3, 3, 4, 5], 30)}),
        r"ar1\(t \| g\): g '0' has t = 3 more than once",
    ),
    "times that are text": (
        ("y ~ 1 + ar1(t | g)", {"t": lambda d: ["mon"] * 180}),
        "the time 't' must be numbers; it holds values such as 'mon'. Give a column",
    ),
    "times that are text and could be numbers": (
        ("y ~ 1 + ar1(t | g)", {"t": lambda d: np.tile(list("123456"), 30)}),
        r"such as '1'. They are text or categories: data\['t'\].astype\(float\)",
    ),
    "times that are fractions": (
        ("y ~ 1 + ar1(t | g)", {"t": lambda d: np.tile(np.arange(6) / 4, 30)}),
        "needs whole-number times",
    ),
    "all-zero counts": (("y ~ x + (1 | g)", {"y": lambda d: 0}), "every value of the response 'y'"),
    "dispersion of a Poisson": (
        ("y ~ x + (1 | g)", {}, {"dispersion_formula": "~ x"}),
        "poisson has no dispersion",
    ),
    "a two-sided dispersion formula": (
        ("y ~ x + (1 | g)", {}, {"zero_inflation": "y ~ x"}),
        "zero_inflation is a formula with nothing left of ~",
    ),
    "random dispersion": (
        ("y ~ x + (1 | g)", {}, {"dispersion_formula": "~ (1 | g)"}),
        "dispersion_formula has no random terms",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_call_gets_one_clear_sentence(call, message):
    formula, changes, options = (*call, {})[:3]
    with pytest.raises(ValueError, match=message):
        gt.fit(formula, counts(1).assign(**changes), "poisson", **options)


def test_zero_inflation_is_for_counts():
    with pytest.raises(ValueError, match="zero_inflation is for counts"):
        gt.fit("y ~ x + (1 | g)", counts(1), "normal", zero_inflation="~ 1")


def test_zero_inflation_without_zeros_fits_and_says_so():
    data = counts(2)
    data["y"] += 1
    with pytest.warns(gt.DataWarning, match="extra zero is estimated at zero"):
        model = gt.fit("y ~ x + (1 | g)", data, "poisson", zero_inflation="~ 1")
    assert model.dispersion["zero"] < 1e-3
    plain = gt.fit("y ~ x + (1 | g)", data, "poisson")
    assert model.llf == pytest.approx(plain.llf, abs=1e-3)


def test_more_parameters_than_rows_is_refused():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=6), "x": rng.normal(size=6), "z": rng.normal(size=6)})
    data["g"] = [1, 1, 1, 2, 2, 2]
    with pytest.raises(ValueError, match="7 parameters for 6 rows"):
        gt.fit("y ~ x + z + (x | g)", data)


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_log_likelihoods_of_counts_are_below_zero(family):
    data = counts(3)
    formula = "prop(y, n) ~ x + (1 | g)" if family == "binomial" else "y ~ x + (1 | g)"
    data["n"] = data["y"].max() + 1
    model = gt.fit(formula, data, family)
    assert model.converged and model.llf < 0


def test_a_model_without_fixed_effects_fits():
    """The mean is that of the offset."""
    data = gt.load_data("sleep").assign(offset=250.0)
    model = gt.fit("reaction ~ 0 + (1 | subject)", data, offset="offset")
    assert (model.engine, len(model.params), model.converged) == ("laplace", 0, True)


@pytest.mark.parametrize("terms", ["", " + (1 | subject)"])
def test_without_fixed_effects_reml_is_maximum_likelihood(terms):
    data = gt.load_data("sleep").eval("late = reaction - 300")
    ml, reml = (gt.fit(f"late ~ 0{terms}", data, reml=reml) for reml in (False, True))
    assert ml.converged and reml.llf == ml.llf
    if not terms:  # the density of N(0, mean square)
        variance = np.mean(data["late"] ** 2)
        expected = stats.norm(0, np.sqrt(variance)).logpdf(data["late"]).sum()
        assert ml.llf == pytest.approx(expected, rel=1e-10)


def quadrature_by_hand(data, X, point, nagq):
    """Adaptive Gauss-Hermite for logits with one intercept a herd, one herd after the other."""
    *beta, sd = point
    nodes, weights = np.polynomial.hermite.hermgauss(nagq)
    total = 0.0
    for _, rows in data.assign(eta=X @ beta).reset_index(drop=True).groupby("herd", observed=True):
        y, size, fixed = (rows[name].to_numpy() for name in ("incidence", "size", "eta"))

        def height(u, y=y, size=size, fixed=fixed):
            p = special.expit(fixed + sd * u)
            return stats.binom.logpmf(y, size, p).sum() - 0.5 * u**2

        u = 0.0
        for _ in range(60):
            p = special.expit(fixed + sd * u)
            curvature = 1 + sd**2 * np.sum(size * p * (1 - p))
            u += (sd * np.sum(y - size * p) - u) / curvature
        heights = [height(u + np.sqrt(2 / curvature) * node) + node**2 for node in nodes]
        total += special.logsumexp(heights, b=weights) - 0.5 * np.log(np.pi * curvature)
    return total


@pytest.mark.parametrize("nagq", some_slow([5, 11], lambda nagq: nagq > 5))
def test_quadrature_is_that_by_hand_at_its_maximum_with_its_curvature(nagq):
    data = gt.load_data("herds")
    ours = gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial", nagq=nagq)
    assert ours.method == f"AGQ({nagq})"
    best = np.append(ours.params, ours.variance_components["sd"].iloc[0])

    def value(shift):
        return quadrature_by_hand(data, ours.problem.design.X, best + shift, nagq)

    assert ours.llf == pytest.approx(value(0.0), abs=1e-8)
    steps = 1e-3 * np.eye(len(best))
    slopes = [(value(h) - value(-h)) / 2e-3 for h in steps]
    curvature = [
        [(value(h + k) - value(h - k) - value(k - h) + value(-h - k)) / 4e-6 for k in steps]
        for h in steps
    ]
    covariance = np.linalg.inv(-np.array(curvature))
    assert np.max(np.abs(covariance @ slopes)) < 1e-5
    np.testing.assert_allclose(ours.bse, np.sqrt(np.diag(covariance))[:-1], rtol=1e-4)


@pytest.mark.parametrize("terms", ["(1 | g)", "(x | g)", "(x || g)"])
@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
@pytest.mark.parametrize("zeros", [None, "~ x"])
def test_the_gradient_of_the_quadrature_is_that_of_its_value(family, terms, zeros):
    """Against a five-point difference: the nodes move with the mode and with its Hessian."""
    marginal = QuadratureMarginal(
        problem(f"y ~ x + {terms}", counts(5), family, zeros=zeros, nagq=5)
    )
    rng = np.random.default_rng(0)
    point = starting_point(marginal) + rng.normal(scale=0.1, size=marginal.size)
    _, gradient = marginal.value_and_gradient(point)

    def value(shift):
        return marginal.value_and_gradient(point + shift)[0]

    differences = [
        (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * 1e-3)
        for h in np.eye(marginal.size) * 1e-3
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("terms", "family", "reml"),
    [
        ("(x | g)", "poisson", False),
        ("(1 | g) + (x | h)", "nbinom1", False),
        ("ar1(time | g)", "normal", True),
        ("ar1(time | g) + (1 | h)", "normal", True),
    ],
)
def test_points_that_are_solved_together_have_the_values_of_each_alone(terms, family, reml):
    data = counts(6).assign(h=lambda d: d.index % 7, time=lambda d: d.index % 6)
    marginal = Marginal(problem(f"y ~ x + {terms}", data, family, reml))
    rng = np.random.default_rng(1)
    points = starting_point(marginal) + rng.normal(scale=0.1, size=(9, marginal.size))
    values, gradients = marginal.value_and_gradient(points)
    for point, value, gradient in zip(points, values, gradients, strict=True):
        alone = marginal.value_and_gradient(point)
        assert value == pytest.approx(alone[0], abs=1e-9)
        np.testing.assert_allclose(gradient, alone[1], rtol=1e-6, atol=1e-6)


def test_where_one_of_several_points_has_no_value_the_others_keep_theirs():
    data = counts(7).assign(y=lambda d: d["y"] + 1.0)
    marginal = Marginal(
        build_problem(
            "y ~ x + (1 | g)", data, "gamma", "identity", None, None, None, None, False, 1
        )
    )
    good = starting_point(marginal, 0.2)
    bad = good.copy()
    bad[0] *= -5  # a mean below zero,
    bad[marginal.names["theta"]] = 0.0  # out of which no random effect leads
    values, gradients = marginal.value_and_gradient(np.array([good, bad, good]))
    assert not np.isfinite(values[1])
    assert values[0] == values[2] == pytest.approx(marginal.value_and_gradient(good)[0], abs=1e-9)
    assert np.all(np.isfinite(gradients))


def test_a_series_is_searched_from_its_own_standard_deviation_and_correlation():
    layout = gt.designs.repeated(200, range(12), time="week")
    data = gt.simulate(
        "y ~ 1 + ar1(week | subject)", layout, coef={"Intercept": 3.0}, sd=2.0, rho=0.8, seed=4
    )
    marginal = Marginal(problem("y ~ 1 + ar1(week | subject)", data))
    start, unit = starting_point(marginal), marginal.likelihood.scale
    sd, rho = start[marginal.names["theta"]]
    assert sd * unit == pytest.approx(2.0, rel=0.1)
    assert np.tanh(rho) == pytest.approx(0.8, abs=0.05)
    assert np.exp(start[marginal.names["phi"]]) * unit**2 == pytest.approx(1.0, rel=0.3)


def test_a_dispersion_of_one_column_that_begins_with_one_still_varies_with_it():
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"z": np.tile([1.0, 0.0], 100)})
    data["y"] = rng.normal(0, np.exp(0.5 * data["z"]))
    model = gt.fit("y ~ 1", data, dispersion_formula="~ 0 + z")
    spread = data.assign(y=data["y"] - model.params["Intercept"]).query("z == 1")["y"]
    assert np.exp(model.dispersion["log phi: z"]) == pytest.approx(np.mean(spread**2), rel=1e-4)


def test_a_series_on_yes_or_no_that_runs_away_is_no_fit():
    with pytest.warns(gt.ConvergenceWarning, match=r"ar1\(age \| child\) ran away"):
        model = gt.fit("wheeze ~ smoke + ar1(age | child)", gt.load_data("wheeze"), "binomial")
    assert not model.converged


def test_where_random_effects_have_no_peak_the_message_says_so_and_its_advice_helps():
    """One of the 300 random data sets: the Laplace likelihood of extra zeros has no maximum."""
    _, _, model = random_problem(67)
    estimate = engines.laplace.fit(model)
    assert not estimate.converged
    (message,) = estimate.messages
    assert "the random effects have no clear peak" in str(message)
    assert "fit with nagq=15" in str(message)
    assert engines.laplace.fit(replace(model, nagq=5)).converged
