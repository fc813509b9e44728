"""A normal prior on the standardised slopes: against R, a plain search, and as a function."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import glmmtools as gt
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.quadrature import QuadratureMarginal
from glmmtools.engine.start import starting_point
from glmmtools.fitted.build import build_problem
from tests.separation_reference import data_of, of_r

OF_R = of_r(with_prior=True)


@pytest.mark.parametrize("case", OF_R.values(), ids=list(OF_R))
def test_the_estimates_are_the_posterior_modes_of_arm_and_blme(case):
    penalty = case["penalty"]
    model = gt.fit(case["formula"], data_of(case), case["family"], penalty=penalty)
    mixed = case["sd"] is not None
    np.testing.assert_allclose(model.params, case["estimate"], rtol=1e-5 if mixed else 1e-7)
    if mixed:
        assert model.variance_components["sd"].iloc[0] == pytest.approx(case["sd"], rel=1e-5)
        assert model.llf == pytest.approx(case["llf"], abs=1e-5)
    else:
        np.testing.assert_allclose(model.bse, case["std_error"], rtol=1e-6)


def rows():
    """Few rows in groups, a covariate in large units and a factor."""
    rng, g = np.random.default_rng(4), np.repeat(np.arange(12), 8)
    x, f = 1e3 * rng.normal(size=96), rng.choice(list("pqr"), 96)
    eta = 0.5 + 0.6e-3 * x + 0.4 * (f == "q") + rng.normal(0, 0.6, 12)[g]
    return pd.DataFrame({"x": x, "f": f, "g": g, "eta": eta, "w": rng.uniform(0.5, 2, 96)})


RESPONSES = {
    "normal": lambda rng, eta: eta + rng.normal(0, 0.5, len(eta)),
    "t": lambda rng, eta: eta + 0.5 * rng.standard_t(4, len(eta)),
    "gamma": lambda rng, eta: rng.gamma(3, np.exp(eta) / 3),
    "lognormal": lambda rng, eta: np.exp(eta + rng.normal(0, 0.5, len(eta))),
    "beta": lambda rng, eta: rng.beta(4 * special.expit(eta), 4 * special.expit(-eta)),
    "binomial": lambda rng, eta: rng.binomial(1, special.expit(eta)),
    "betabinomial": lambda rng, eta: rng.binomial(
        9, rng.beta(4 * special.expit(eta), 4 * special.expit(-eta))
    ),
    "poisson": lambda rng, eta: rng.poisson(np.exp(eta)),
    "negative_binomial": lambda rng, eta: rng.negative_binomial(2, 2 / (2 + np.exp(eta))),
    "nbinom1": lambda rng, eta: rng.negative_binomial(np.exp(eta), 0.5),
}


def response(family):
    data = rows()
    data["y"] = RESPONSES[family](np.random.default_rng(9), data["eta"].to_numpy())
    return data.assign(n=9)


def formula_of(family, right):
    return f"{'prop(y, n)' if family == 'betabinomial' else 'y'} ~ {right}"


@pytest.mark.parametrize("random", ["", " + (1 | g)", " + (x | g)"], ids=["none", "one", "slopes"])
@pytest.mark.parametrize("family", RESPONSES)
def test_what_is_maximised_is_the_likelihood_and_the_prior(family, random):
    """With its gradient; and at the estimates the two gradients cancel."""
    data = response(family)
    plain, penalised = (
        build_problem(
            formula_of(family, f"x + f{random}"), data, family, None, None, None, None, None, False,
            1, penalty,
        )
        for penalty in (None, 0.3)
    )  # fmt: skip
    X = plain.design.X
    sd = X.std(axis=0, ddof=1)
    for kind in (Marginal, QuadratureMarginal):
        if kind is QuadratureMarginal and (not random or family in ("normal", "t", "lognormal")):
            continue
        marginal, without = kind(penalised), kind(plain)
        point = starting_point(marginal)
        value, gradient = marginal.value_and_gradient(point)
        beta = marginal.fixed_effects(point, marginal.solve(point))
        prior = -0.5 * np.sum((beta * sd / 0.3) ** 2)
        assert value == pytest.approx(without.value_at(point) + prior, abs=1e-8)
        for k, shift in enumerate(np.eye(len(point)) * 1e-5):
            rise = marginal.value_at(point + shift) - marginal.value_at(point - shift)
            assert gradient[k] == pytest.approx(rise / 2e-5, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("family", RESPONSES)
def test_every_family_is_fitted_with_a_penalty_with_and_without_random_effects(family):
    """Slopes are nearer to zero the narrower the prior, and the likelihood is lower."""
    data = response(family)
    for random in ("", " + (1 | g)"):
        formula = formula_of(family, f"x + f{random}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gt.GlmmWarning)
            fits = [gt.fit(formula, data, family, penalty=p) for p in (None, 1.0, 0.1, 0.01)]
        assert all(fit.converged for fit in fits)
        sd = fits[0].problem.design.X.std(axis=0)
        size = [np.sum((fit.params.to_numpy() * sd) ** 2) for fit in fits]
        assert size == sorted(size, reverse=True)
        heights = [fit.llf for fit in fits[1:]]
        assert heights == sorted(heights, reverse=True)


def test_a_penalised_linear_model_is_a_ridge_regression():
    """At the maximum-likelihood variance: (XᵀX / phi + S²) b = Xᵀy / phi, S = sd / penalty."""
    data = response("normal")
    model = gt.fit("y ~ x + f", data, penalty=0.2)
    X, y = model.problem.design.X, data["y"].to_numpy()
    phi = model.dispersion["phi"]
    S = np.diag((X.std(axis=0, ddof=1) / 0.2) ** 2)
    np.testing.assert_allclose(
        model.params, np.linalg.solve(X.T @ X / phi + S, X.T @ y / phi), rtol=1e-6
    )
    residual = y - X @ model.params.to_numpy()
    assert phi == pytest.approx(np.mean(residual**2), rel=1e-5)
    assert model.llf == pytest.approx(stats.norm.logpdf(residual, scale=np.sqrt(phi)).sum())
    assert model.method == "penalised ML"


def test_quadrature_with_a_penalty_maximises_the_exact_integrals_and_the_prior():
    """Of groups of 0/1 rows, by sixty nodes and a plain search."""
    data, rng = rows(), np.random.default_rng(1)
    data["y"] = rng.binomial(1, special.expit(data["eta"] + 2 * rng.normal(size=12)[data["g"]]))
    model = gt.fit("y ~ x + (1 | g)", data, "binomial", nagq=25, penalty=0.5)
    x, y, sd = data["x"].to_numpy(), data["y"].to_numpy(), data["x"].std()
    z, w = np.polynomial.hermite_e.hermegauss(60)
    codes = data["g"].to_numpy()

    def llf(p):
        eta = p[0] + p[1] * x[:, None] / sd + np.exp(p[2]) * z
        by_row = -np.logaddexp(0, np.where(y[:, None] == 1, -eta, eta))
        by_group = np.array([by_row[codes == k].sum(axis=0) for k in range(12)])
        return special.logsumexp(by_group, axis=1, b=w / w.sum()).sum()

    best = optimize.minimize(lambda p: 0.5 * (p[1] / 0.5) ** 2 - llf(p), [0, 0, -0.5], tol=1e-10)
    sds = model.variance_components["sd"].iloc[0]
    ours = [model.params["Intercept"], model.params["x"] * sd, np.log(sds)]
    np.testing.assert_allclose(ours, best.x, atol=1e-4)
    assert model.llf == pytest.approx(llf(best.x), abs=1e-5)


def test_a_formula_without_an_intercept_has_none_that_is_free():
    """A prior on the mean of each level: sums of them are no longer those of the data."""
    data = response("binomial")
    model = gt.fit("y ~ 0 + f", data, "binomial", penalty=0.5)
    sd = (model.problem.design.X.std(axis=0, ddof=1) / 0.5) ** 2
    successes, trials = (data.groupby("f")["y"].agg(how) for how in ("sum", "count"))
    score = successes - trials * special.expit(model.params.to_numpy())
    np.testing.assert_allclose(score, sd * model.params.to_numpy(), atol=1e-6)


def test_a_penalty_goes_with_extra_zeros_a_dispersion_formula_weights_and_an_offset():
    data = response("poisson").assign(z=lambda d: np.where(d.index % 4 == 0, 0, d["y"]))
    fits = {
        "zeros": gt.fit("z ~ x + f", data, "poisson", zero_inflation="~ f", penalty=0.1),
        "dispersion": gt.fit(
            "y ~ x + f", response("gamma"), "gamma", dispersion_formula="~ f", penalty=0.1
        ),
        "weights": gt.fit("y ~ x + f", data, "poisson", weights="w", offset="eta", penalty=0.1),
    }
    for model in fits.values():
        assert model.converged and not model.messages
        assert model.problem.penalty == 0.1
    # the score of the slope is that of the prior, and that of the intercept is zero
    model = fits["weights"]
    residual = data["w"] * (data["y"] - model.fittedvalues)
    assert residual.sum() == pytest.approx(0, abs=1e-4)
    sd = data["x"].std()
    pull = model.params["x"] * (sd / 0.1) ** 2
    assert (residual * data["x"]).sum() == pytest.approx(pull, rel=1e-4)


def test_a_penalised_fit_says_so_wherever_it_is_shown():
    case = OF_R["herds mixed 2.5"]
    model = gt.fit(case["formula"], data_of(case), "binomial", penalty=2.5)
    assert model.method == "penalised Laplace"
    assert "standardised slopes is normal with mean 0 and standard deviation 2.5" in str(model)
    assert "penalised" in str(model.report()) and "AIC" not in str(model.report())
    table = gt.table(model)
    assert "penalised" in table.notes[0] and "AIC" not in str(table.frame)
    assert model.glance()[["aic", "bic"]].isna().all(axis=None)
    assert "AIC" not in str(model)


def test_what_needs_no_maximum_of_the_likelihood_works_on():
    case = OF_R["herds mixed 2.5"]
    data = data_of(case)
    model = gt.fit(case["formula"], data, "binomial", penalty=2.5)
    assert model.anova().loc["period", "p_value"] < 0.01
    assert model.means("period").frame.notna().all(axis=None)
    assert model.refit(data["incidence"]).llf == pytest.approx(model.llf, abs=1e-8)
    boot = model.bootstrap(n=20)
    assert np.isfinite(boot.replicates).all(axis=None)
    assert model.simulated_residuals(n=20).residuals.between(0, 1).all()
    study = gt.power(model, n=10, terms="period[T.2]", progress=False)
    assert study.n_failed == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.conf_int(method="profile"), lambda m: gt.bootstrap_lrt(m, m, n=2),
        lambda m: gt.compare(m, m, bootstrap=2),
    ],
    ids=["profile", "bootstrap of a ratio", "compare"],
)  # fmt: skip
def test_what_needs_the_maximum_of_the_likelihood_is_refused(ask):
    model = gt.fit("y ~ x", response("binomial"), "binomial", penalty=1.0)
    with pytest.raises(
        ValueError, match="maximum likelihood, and 'y ~ x' was fitted with penalty=1"
    ):
        ask(model)


def test_statsmodels_has_no_penalty():
    with pytest.raises(ValueError, match="the statsmodels engine has no penalty"):
        gt.fit("y ~ x", response("binomial"), "binomial", penalty=1.0, engine="statsmodels")
