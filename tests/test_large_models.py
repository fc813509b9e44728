"""What large data are fitted by gives the numbers of what small data are fitted by."""

import time
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import glmmtools as gt
from glmmtools.covariances.lookup import STRUCTURES
from glmmtools.engine import effect_rows, placement
from glmmtools.engine.effect_rows import EffectRows, Pattern
from glmmtools.engine.estimates import at_optimum
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.nested_arrow import arrow_of
from glmmtools.engine.several_starts import best_of_starts, best_profiled
from glmmtools.fitted.build import build_problem


@pytest.fixture(scope="module")
def plots():
    rng, n = np.random.default_rng(4), 400
    data = pd.DataFrame(
        {
            "g": rng.integers(0, 25, n), "h": rng.integers(0, 9, n), "x": rng.normal(3, 1, n),
            "w": rng.uniform(0.5, 2, n), "o": rng.normal(size=n),
        }
    )  # fmt: skip
    slopes = rng.normal(0.3, 0.5, 25)[data["g"]]
    y = 1e3 + slopes * data["x"] + rng.normal(0, 0.4, 9)[data["h"]] + rng.normal(size=n)
    return data.assign(y=y, noise=rng.normal(size=n))


PROFILED = {
    "intercepts": ("y ~ x + (1 | g)", None),
    "weights": ("y ~ x + (x | g)", "w"),
    "crossed": ("y ~ x + (x || g) + (1 | h)", None),
    "an offset": ("y ~ x + offset(o) + (1 | g)", None),
    "no fixed effects": ("noise ~ 0 + (x | g)", None),
    "a variance of zero": ("noise ~ x + (1 | h)", None),
}


@pytest.mark.parametrize("reml", [False, True], ids=["ML", "REML"])
@pytest.mark.parametrize(("formula", "weights"), PROFILED.values(), ids=list(PROFILED))
def test_profiling_out_coefficients_and_variance_changes_no_number(plots, formula, weights, reml):
    problem = build_problem(formula, plots, "normal", None, None, weights, None, None, reml, 1)
    marginal = Marginal(problem)
    profiled, whole = (
        at_optimum(marginal, search(marginal), "laplace")
        for search in (best_profiled, best_of_starts)
    )
    assert profiled.converged
    assert profiled.singular == whole.singular
    assert profiled.llf == pytest.approx(whole.llf, abs=1e-7)
    for name in ("beta", "cov_beta", "df"):
        np.testing.assert_allclose(
            getattr(profiled, name), getattr(whole, name), rtol=1e-4, atol=1e-7, err_msg=name
        )
    assert profiled.shape["phi"] == pytest.approx(whole.shape["phi"], rel=1e-5)
    for one, other in zip(profiled.terms, whole.terms, strict=True):
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(one.modes, other.modes, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def visits():
    """Three measurements at each of four visits of 40 patients: correlated effects of visits."""
    rng = np.random.default_rng(8)
    data = pd.DataFrame(
        [(g, t) for g in range(40) for t in range(4) for _ in range(3)], columns=["g", "t"]
    )
    lags = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    effects = rng.multivariate_normal(np.zeros(4), 4 * 0.7**lags, 40)
    x = rng.normal(size=len(data))
    y = 1 + 0.5 * x + effects[data["g"], data["t"]] + rng.normal(0, 0.5, len(data))
    return data.assign(x=x, y=y)


@pytest.mark.parametrize("reml", [False, True], ids=["ML", "REML"])
@pytest.mark.parametrize(
    "name", [name for name, each in STRUCTURES.items() if each.of_levels and not each.of_time]
)
def test_profiling_leaves_correlations_as_they_are(visits, name, reml):
    """The covariances are relative to the residual variance, but not their correlations."""
    model = gt.fit(f"y ~ x + {name}(t | g)", visits, reml=reml)
    marginal = Marginal(model.problem)
    whole = at_optimum(marginal, best_of_starts(marginal), "laplace")
    assert model.converged
    assert model.llf == pytest.approx(whole.llf, abs=1e-6)
    (found,), (other,) = model.estimate.terms, whole.terms
    structure = model.problem.design.random[0].structure
    np.testing.assert_allclose(found.covariance, other.covariance, rtol=1e-4, atol=1e-6)
    if structure.has_rho:
        assert found.correlation == pytest.approx(other.correlation, rel=1e-4)
    np.testing.assert_allclose(model.estimate.df, whole.df, rtol=1e-3)

    V = structure.predictor_covariance(found.covariance, found.correlation)
    V += model.estimate.shape["phi"] * np.eye(len(V))
    X, y = model.problem.design.X, visits["y"].to_numpy()
    llf = stats.multivariate_normal(X @ model.estimate.beta, V).logpdf(y)
    if reml:
        information = X.T @ np.linalg.solve(V, X)
        llf += X.shape[1] / 2 * np.log(2 * np.pi) - np.linalg.slogdet(information)[1] / 2
    assert model.llf == pytest.approx(llf, abs=1e-6)


def by_triangular_factors(marginal, sd_ratios):
    """The profiled log-likelihood from QR of all columns, dense: without solving for anything."""
    plain = Marginal(replace(marginal.problem, reml=False))
    vector = np.zeros(plain.size)
    vector[plain.names["theta"]] = sd_ratios
    effects = plain.effects(vector[None])
    (n, p), (levels, q) = plain.X.shape, (len(plain.pattern.starts), effects.block.shape[1])
    A, rows = np.zeros((n, levels * q + plain.pattern.border)), np.arange(n)
    for j in range(q):
        A[rows, plain.pattern.codes * q + j] = effects.block[:, j]
    for j in range(effects.values.shape[1]):
        A[rows, levels * q + plain.pattern.index[:, j]] += effects.values[:, j]
    k = A.shape[1]
    columns = np.block([[A, plain.X, plain.likelihood.y[:, None]], [np.eye(k, k + p + 1)]])
    logs = 2 * np.log(np.abs(np.diag(np.linalg.qr(columns, mode="r"))))
    reml = marginal.problem.reml
    df = n - p if reml else n
    logdet = logs[: k + p].sum() if reml else logs[:k].sum()
    value = -0.5 * (df * (np.log(2 * np.pi / df) + logs[-1] + 1) + logdet)
    return value + plain.likelihood.llf_shift() + marginal.reml_shift


@pytest.mark.parametrize("reml", [False, True], ids=["ML", "REML"])
@pytest.mark.parametrize("ratio", [1e2, 1e3, 1e4])
@pytest.mark.parametrize("random", ["(1 | g)", "(x | g)", "(1 | g) + (1 | h)"])
def test_a_small_residual_is_no_obstacle_to_profiling(random, ratio, reml):
    """Beside it the standard deviations of the effects are large, and so are the steps."""
    rng, n = np.random.default_rng(3), 1200
    data = pd.DataFrame(
        {"g": rng.integers(0, 40, n), "h": rng.integers(0, 12, n), "x": rng.normal(size=n)}
    )
    intercepts, slopes, others = (rng.normal(0, ratio, k) for k in (40, 40, 12))
    slopes, others = slopes * ("x" in random), others * ("h" in random)
    eta = intercepts[data["g"]] + slopes[data["g"]] * data["x"] + others[data["h"]]
    data["y"] = eta + rng.normal(size=n)
    problem = build_problem(
        f"y ~ x + {random}", data, "normal", None, None, None, None, None, reml, 1
    )
    marginal = Marginal(problem)
    found = best_profiled(marginal)
    theta, log_phi = (found.point[marginal.names[name]] for name in ("theta", "phi"))
    relative = theta * np.exp(-log_phi / 2)
    assert found.converged
    highest = max(by_triangular_factors(marginal, relative * f) for f in (1, 0.999, 1.001))
    assert found.value == pytest.approx(highest, abs=5e-6)


@pytest.mark.parametrize("reml", [False, True], ids=["ML", "REML"])
def test_many_rows_need_no_fixed_effects(reml):
    """The likelihood is that of the balanced one-way layout."""
    rng, groups, each = np.random.default_rng(0), 50, 44
    data = pd.DataFrame({"g": np.repeat(np.arange(groups), each)})
    data["y"] = rng.normal(size=groups)[data["g"]] + rng.normal(size=len(data))
    model = gt.fit("y ~ 0 + (1 | g)", data, reml=reml)
    means = data.groupby("g")["y"].mean()
    within = ((data["y"] - means[data["g"]].to_numpy()) ** 2).sum() / (groups * (each - 1))
    between = (means**2).mean() - within / each
    table = model.variance_components.set_index("group")["variance"]
    assert table["g"] == pytest.approx(between, rel=1e-5)
    assert table["Residual"] == pytest.approx(within, rel=1e-5)


@pytest.mark.parametrize(
    ("family", "terms"),
    [
        ("normal", "(1 | a) + (1 | b)"),
        ("normal", "(x | a) + (1 | b)"),
        ("poisson", "(1 | a) + (1 | b)"),
        pytest.param("poisson", "(x | a) + (1 | b)", marks=pytest.mark.slow),
    ],
)
def test_leaving_zeros_between_two_large_factors_out_changes_no_number(family, terms, monkeypatch):
    rng, n = np.random.default_rng(2), 5000
    data = pd.DataFrame(
        {"a": rng.integers(0, 500, n), "b": rng.integers(0, 300, n), "x": rng.normal(size=n)}
    )
    eta = 0.5 + 0.2 * data["x"] + rng.normal(0, 0.5, 500)[data["a"]]
    eta = eta + rng.normal(0, 0.4, 300)[data["b"]] + rng.normal(0, 0.2, 500)[data["a"]] * data["x"]
    data["y"] = eta + rng.normal(size=n) if family == "normal" else rng.poisson(np.exp(eta))
    sparse = gt.fit(f"y ~ x + {terms}", data, family)
    monkeypatch.setattr(effect_rows, "_LARGE", np.inf)
    dense = gt.fit(f"y ~ x + {terms}", data, family)
    assert sparse.llf == pytest.approx(dense.llf, abs=1e-6)
    np.testing.assert_allclose(sparse.bse, dense.bse, rtol=1e-5)
    one, other = (model.random_effects[["estimate", "std_error"]] for model in (sparse, dense))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


NESTED = {
    "intercepts": ("c ~ x + (1 | farm) + (1 | pen) + (1 | animal)", "poisson", {}),
    "slopes of the outer factor": ("y ~ x + (x | farm) + (1 | pen) + (1 | animal)", "normal", {}),
    "restricted": ("y ~ x + (1 | pen) + (1 | animal)", "normal", {"reml": True}),
    "slopes apart": ("y ~ x + (1 | animal) + (0 + x | pen) + (1 | pen)", "normal", {}),
    "times of pens": ("c ~ x + cs(time | pen) + (1 | animal)", "negative_binomial", {}),
    "zeros": ("c ~ x + (1 | pen) + (1 | animal)", "poisson", {"zero_inflation": "~ 1 + (1 | pen)"}),
    "dispersion": ("y ~ x + (1 | pen) + (1 | animal)", "normal", {"dispersion_formula": "~ x"}),
}


@pytest.fixture(scope="module")
def farms():
    rng, n = np.random.default_rng(8), 240
    animal = np.repeat(np.arange(80), 3)
    data = pd.DataFrame(
        {"animal": animal, "pen": animal // 4, "farm": animal // 16, "x": rng.normal(size=n)}
    ).assign(time=np.tile(np.arange(3), 80))
    eta = 0.3 * data["x"] + rng.normal(0, 0.6, 80)[animal] + rng.normal(0, 0.9, 20)[data["pen"]]
    eta = eta + rng.normal(0, 1.2, 5)[data["farm"]]
    data["y"] = eta + rng.normal(0, 0.5, n)
    data["c"] = rng.poisson(np.exp(0.5 + eta)) * (rng.uniform(size=n) < 0.8)
    return data.sample(frac=0.9, random_state=1)


@pytest.mark.filterwarnings("ignore::glmmtools.SingularFitWarning")
@pytest.mark.parametrize("case", NESTED)
def test_nested_factors_are_fitted_as_any_two_factors(case, farms, monkeypatch):
    formula, family, options = NESTED[case]
    new = farms.head(30).assign(pen=lambda frame: frame["pen"].to_numpy()[::-1])
    nested = gt.fit(formula, farms, family, **options)
    ranges = nested.predict(new, level=0.9)
    monkeypatch.setattr(placement, "_is_nested", lambda inner, outer: False)
    crossed = gt.fit(formula, farms, family, **options)
    assert nested.llf == pytest.approx(crossed.llf, abs=1e-7)
    np.testing.assert_allclose(nested.bse, crossed.bse, rtol=1e-5)
    one, other = (each.random_effects[["estimate", "std_error"]] for each in (nested, crossed))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ranges, crossed.predict(new, level=0.9), rtol=1e-4, atol=1e-5)


def test_eliminating_nested_levels_is_eliminating_a_border():
    rng, n, blocks, pens = np.random.default_rng(3), 60, 20, 8
    block, pen_of, farm_of = (
        np.arange(n) // 3,
        np.sort(rng.integers(0, 7, blocks)),
        np.arange(8) // 3,
    )
    columns = 2 + pen_of[block], 2 + pens + farm_of[pen_of[block]]  # two fall on no row: 0 and 1
    index = np.stack([columns[0], columns[1]], axis=1)
    prior = np.ones(2 + pens + 3)
    nested = Pattern(np.arange(0, n, 3), block, index, prior, nesting=((0,), (1,)))
    rows = rng.normal(size=(n, 2)), rng.normal(size=(n, 2))
    W, right = rng.gamma(2, 1, n), (rng.normal(size=(blocks, 2)), rng.normal(size=len(prior)))
    found, wanted = (
        arrow_of(EffectRows(pattern, *rows), W) for pattern in (nested, replace(nested, nesting=()))
    )
    np.testing.assert_allclose(found.logdet, wanted.logdet)
    for one, other in zip(found.solve(*right), wanted.solve(*right), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    np.testing.assert_allclose(found.eta_variances, wanted.eta_variances)
    mixed = np.where(rng.random((n, 1)) < 0.3, [0, 1], rng.permuted(index, axis=0))
    others = rng.integers(0, blocks, n), mixed
    others = EffectRows(Pattern(nested.starts, *others, prior), *rows)
    np.testing.assert_allclose(found.variances(others), wanted.variances(others))


def test_thousands_of_levels_within_levels_cost_no_more_than_their_rows(monkeypatch):
    rng, farms, animals, rows = np.random.default_rng(0), 500, 10, 3
    farm, animal = np.repeat(np.arange(farms), animals * rows), np.arange(farms * animals)
    data = pd.DataFrame({"farm": farm, "animal": np.repeat(animal, rows)})
    eta = rng.normal(0, 0.5, farms)[farm] + rng.normal(0, 0.4, len(animal))[data["animal"]]
    data["y"] = rng.poisson(np.exp(1 + eta))

    def seconds():
        start = time.process_time()
        model = gt.fit("y ~ 1 + (1 | farm/animal)", data, "poisson")
        return time.process_time() - start, model.llf

    of_nested, value = seconds()
    monkeypatch.setattr(placement, "_is_nested", lambda inner, outer: False)
    of_crossed, same = seconds()
    assert value == pytest.approx(same, abs=1e-6)
    assert of_nested < of_crossed / 2


@pytest.mark.parametrize("rows", [100, 2400])
def test_an_exact_response_has_no_maximum_however_many_its_rows(rows):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": rng.integers(0, 20, rows), "x": rng.normal(size=rows)})
    data["y"] = 1 + 0.5 * data["x"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        model = gt.fit("y ~ x + (1 | g)", data)
    assert not model.converged
