"""Numbers far from zero, in any unit, of any size: they change nothing but units."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import glmmtools as gt
from tests.dense_laplace import Rows, exact_normal
from tests.quiet_fits import quietly


def deviations(model):
    """The standard deviations of all random effects, and of the residual."""
    return model.variance_components["sd"].to_numpy(float)


# --------------------------------------------------------------------- location and units


def sessions(origin=0.0, unit=1.0):
    """Twelve groups of six; x is as far from zero as milliseconds since 1970 within a day."""
    rng, g = np.random.default_rng(7), np.repeat(np.arange(12), 6)
    z = rng.normal(size=72)
    level = rng.normal(0, 1, 12)[g]
    y = 10 + 0.5 * z + level + rng.normal(0, 1, 72)
    p = 1 / (1 + np.exp(-0.5 * z - level))
    return pd.DataFrame(
        {
            "x": unit * (origin + z), "g": g, "y": y, "size": np.exp(y / 8),
            "count": rng.poisson(np.exp(0.2 + 0.5 * z + 0.5 * level)),
            "zeros": rng.poisson(4 * np.exp(0.3 * level)) * (rng.random(72) > p),
            "scattered": 10 + level + rng.normal(0, np.exp(0.5 * z), 72),
            "k": rng.binomial(9, p), "n": 9, "one": rng.binomial(1, p),
        }
    )  # fmt: skip


LOCATED = {
    "least squares": ("y ~ x", "normal", {}),
    "linear mixed": ("y ~ x + (1 | g)", "normal", {}),
    "linear mixed, REML": ("y ~ x + (1 | g)", "normal", {"reml": True}),
    "t": ("y ~ x + (1 | g)", "t", {}),
    "gamma": ("size ~ x + (1 | g)", "gamma", {}),
    "counts": ("count ~ x + (1 | g)", "poisson", {}),
    "counts without groups": ("count ~ x", "poisson", {}),
    "successes": ("prop(k, n) ~ x + (1 | g)", "binomial", {}),
    "yes or no": ("one ~ x", "binomial", {}),
}


@pytest.mark.parametrize("origin", [1e4, 1e6, 1e7, 3e7, 1e8])
@pytest.mark.parametrize(("formula", "family", "options"), LOCATED.values(), ids=list(LOCATED))
def test_the_origin_of_a_covariate_changes_the_intercept_only(formula, family, options, origin):
    near = quietly(formula, sessions(), family, **options)
    far = quietly(formula, sessions(origin), family, **options)
    assert far.converged
    assert far.llf == pytest.approx(near.llf, abs=1e-5)
    assert far.params["x"] == pytest.approx(near.params["x"], rel=1e-5)
    assert far.bse["x"] == pytest.approx(near.bse["x"], rel=1e-5)
    np.testing.assert_allclose(far.fittedvalues, near.fittedvalues, rtol=1e-5)
    np.testing.assert_allclose(deviations(far), deviations(near), rtol=1e-4, atol=1e-6)


def test_far_from_zero_the_fit_is_that_of_the_centred_covariate():
    """x - 1e8, and least squares, as R's lm and lme4 (REML=FALSE) have them near zero."""
    mixed, simple = (gt.fit(f, sessions(1e8)) for f in ("y ~ x + (1 | g)", "y ~ x"))
    assert mixed.llf == pytest.approx(-96.6387, abs=1e-4)
    assert mixed.params["x"] == pytest.approx(0.24568, abs=1e-5)
    assert simple.llf == pytest.approx(-99.6911, abs=1e-4)
    assert simple.params["x"] == pytest.approx(0.2156, abs=1e-4)


PARTS = {
    "dispersion": ("scattered ~ 1 + (1 | g)", "normal", {"dispersion_formula": "~ x"}),
    "dispersion of counts": ("zeros ~ 1", "negative_binomial", {"dispersion_formula": "~ x"}),
    "extra zeros": ("zeros ~ 1 + (1 | g)", "poisson", {"zero_inflation": "~ x"}),
    "both": (
        "zeros ~ x", "negative_binomial", {"dispersion_formula": "~ x", "zero_inflation": "~ x"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("origin", "unit"), [(0.0, 1e6), (0.0, 1e-6), (1e3, 1.0), (1e6, 1e-3), (1e8, 1.0)]
)
@pytest.mark.parametrize(("formula", "family", "options"), PARTS.values(), ids=list(PARTS))
def test_nor_do_origin_and_unit_matter_in_the_other_parts(formula, family, options, origin, unit):
    near = quietly(formula, sessions(), family, **options)
    far = quietly(formula, sessions(origin, unit), family, **options)
    assert near.converged
    assert far.converged
    assert far.llf == pytest.approx(near.llf, abs=1e-5)
    slopes = [name for name in near.dispersion.index if name.endswith(": x")]
    assert slopes
    np.testing.assert_allclose(far.dispersion[slopes] * unit, near.dispersion[slopes], rtol=1e-4)


@pytest.mark.parametrize("origin", [1e4, 1e6, 1e8])
@pytest.mark.parametrize(
    ("family", "reml"), [("normal", False), ("normal", True), ("t", False)], ids=["ML", "REML", "t"]
)
@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 | g)", "y ~ x + (x | g)"])
def test_the_origin_of_the_response_changes_the_intercept_only(formula, family, reml, origin):
    data = sessions()
    near = quietly(formula, data, family, reml=reml)
    far = quietly(formula, data.assign(y=data["y"] + origin), family, reml=reml)
    assert far.llf == pytest.approx(near.llf, abs=1e-5)
    off = (far.params - [origin, 0] - near.params) / near.bse
    np.testing.assert_allclose(off, 0, atol=1e-4)
    np.testing.assert_allclose(far.bse, near.bse, rtol=1e-5)
    np.testing.assert_allclose(deviations(far), deviations(near), rtol=1e-4, atol=1e-6)


# -------------------------------------------------------------------- ratios of deviations


def gauges(ratio):
    """Twelve groups that differ by so many times what their rows do."""
    rng, g = np.random.default_rng(5), np.repeat(np.arange(12), 6)
    x = rng.normal(size=72)
    y = 10 + 0.5 * x + ratio * rng.normal(0, 1, 12)[g] + rng.normal(0, 1, 72)
    return pd.DataFrame({"y": y, "x": x, "g": g})


# lme4 1.1-31: log-likelihood, slope, its standard error, both standard deviations
RATIOS = {
    (1e3, False): (-189.3909015, 0.4372287, 0.1328073, 823.30886, 0.9342105),
    (1e3, True): (-184.075375, None, 0.1339280, 859.91856, 0.9420942),
    (1e4, False): (-217.0236884, 0.4372337, 0.1328073, 8234.3035, 0.9342105),
    (1e4, True): (-209.4054297, None, 0.1339282, 8600.3777, 0.9420957),
    (1e5, False): (-244.6548862, 0.4372342, 0.1328073, 82344.225, 0.9342105),
}


@pytest.mark.parametrize(("ratio", "reml"), RATIOS)
def test_groups_may_differ_a_hundred_thousand_times_more_than_rows(ratio, reml):
    """Gauge studies, calibrations."""
    model = gt.fit("y ~ x + (1 | g)", gauges(ratio), reml=reml)
    llf, slope, se, *sds = RATIOS[ratio, reml]
    assert model.converged
    assert not model.messages
    assert model.llf == pytest.approx(llf, abs=1e-4)
    assert model.bse["x"] == pytest.approx(se, rel=1e-4)
    np.testing.assert_allclose(model.variance_components["sd"], sds, rtol=1e-4)
    if slope is not None:
        assert model.params["x"] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("ratio", [1e2, 1e3, 1e4, 1e5])
def test_a_lognormal_model_is_the_normal_one_of_logarithms_at_any_ratio(ratio):
    data = gauges(ratio)
    logs = (data["y"] - data["y"].mean()) / ratio
    normal = gt.fit("z ~ x + (1 | g)", data.assign(z=logs))
    model = gt.fit("y ~ x + (1 | g)", data.assign(y=np.exp(logs)), "lognormal")
    assert model.llf == pytest.approx(normal.llf - logs.sum(), abs=1e-5)
    assert model.params["x"] == pytest.approx(normal.params["x"], rel=1e-4)
    assert model.bse["x"] == pytest.approx(normal.bse["x"], rel=1e-4)


@pytest.mark.parametrize("cv", [1e-2, 1e-3, 1e-4, 1e-5])
@pytest.mark.parametrize("random", ["", " + (1 | g)"], ids=["no groups", "groups"])
def test_a_gamma_model_of_hardly_any_scatter_is_the_normal_one_of_logarithms(cv, random):
    """They differ by the skewness, which is of the order of the coefficient of variation."""
    data = gauges(0.0)
    level = np.random.default_rng(1).normal(0, 0.5, 12)[data["g"]] if random else 0.0
    logs = level + cv * (data["y"] - 10)
    normal = gt.fit(f"z ~ x{random}", data.assign(z=logs))
    model = gt.fit(f"y ~ x{random}", data.assign(y=np.exp(logs)), "gamma")
    assert model.converged
    assert model.params["x"] == pytest.approx(normal.params["x"], rel=cv)
    assert model.bse["x"] == pytest.approx(normal.bse["x"], rel=0.02)
    assert np.sqrt(model.dispersion["phi"]) == pytest.approx(
        normal.variance_components["sd"].iloc[-1], rel=0.02
    )


# ------------------------------------------------------------------------- large counts


def test_large_counts_may_be_nearly_those_of_poisson():
    """glmmTMB 1.1.5: log-likelihood -1495.5215, phi 2.013e-05, standard error of x 0.00045."""
    rng, g = np.random.default_rng(17), np.repeat(np.arange(20), 10)
    x, phi = rng.normal(size=200), 2e-5
    mu = 50000 * np.exp(0.1 * x + rng.normal(0, 0.1, 20)[g])
    y = rng.negative_binomial(1 / phi, 1 / (1 + phi * mu))
    model = gt.fit("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": g}), "negative_binomial")
    assert model.llf == pytest.approx(-1495.5215, abs=1e-3)
    assert model.dispersion["phi"] == pytest.approx(2.013e-5, rel=1e-3)
    assert model.bse["x"] == pytest.approx(0.00045, abs=5e-6)
    assert not model.messages


@pytest.mark.parametrize(("mean", "phi"), [(1e4, 1e-3), (1e5, 1e-6), (1e7, 1e-6), (1e7, 1e-8)])
def test_counts_of_ten_million_have_their_own_dispersion(mean, phi):
    rng = np.random.default_rng(3)
    x = rng.normal(size=300)
    mu = mean * np.exp(0.1 * x)
    data = pd.DataFrame({"x": x, "y": rng.poisson(rng.gamma(1 / phi, phi * mu))})
    model, poisson = (gt.fit("y ~ x", data, each) for each in ("negative_binomial", "poisson"))
    assert model.converged

    def log_likelihood(phi):
        mu = model.fittedvalues
        return stats.nbinom(1 / phi, 1 / (1 + phi * mu)).logpmf(data["y"]).sum()

    best = optimize.minimize_scalar(
        lambda log: -log_likelihood(np.exp(log)), bounds=np.log([phi / 30, phi * 30]),
        method="bounded", options={"xatol": 1e-6},
    )  # fmt: skip
    assert model.llf == pytest.approx(log_likelihood(model.dispersion["phi"]), abs=1e-2)
    assert model.llf == pytest.approx(-best.fun, abs=1e-2)
    assert model.llf > poisson.llf - 1e-3


# ---------------------------------------------------------------------------------- tails


def nearly_certain(link):
    """Forty trials each; at the highest x nearly all succeed, and in two rows all but one do."""
    rng, g = np.random.default_rng(3), np.repeat(np.arange(8), 10)
    x, u = np.tile(np.arange(10.0), 8), rng.normal(0, 0.3, 8)
    inverse = gt.link(link).inverse
    steepness = {"logit": 4.0, "probit": 1.0, "cloglog": 1.0}[link]
    y = rng.binomial(40, inverse(steepness * (-4 + x) + u[g]))
    y[[9, 19]] -= 1
    return pd.DataFrame({"g": g.astype(str), "x": x, "y": y, "n": 40})


def test_a_failure_where_nearly_all_succeed_is_no_plateau():
    """glmmTMB 1.1.5: log(1 - mu) = -exp(eta) of the link cloglog has no lowest value."""
    data = nearly_certain("cloglog")
    model = gt.fit("prop(y, n) ~ x + (1 | g)", data, "binomial", link="cloglog")
    assert model.llf == pytest.approx(-185.86, abs=0.01)
    assert model.params["x"] == pytest.approx(0.725, abs=1e-3)
    assert model.variance_components["sd"].iloc[0] == pytest.approx(0.214, abs=1e-3)
    slopes = quietly("prop(y, n) ~ x + (x || g)", data, "binomial", link="cloglog")
    assert slopes.llf == pytest.approx(-166.21, abs=0.01)
    assert slopes.params["x"] == pytest.approx(0.846, abs=1e-3)


@pytest.mark.parametrize("swap", [False, True], ids=["failures", "successes"])
@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_the_likelihood_of_rare_exceptions_has_the_maximum_that_a_plain_search_finds(link, swap):
    """In both tails; the plain search works with densities of eta, without a mean."""
    data = nearly_certain(link)
    if swap:
        data["y"] = data["n"] - data["y"]
    rows = Rows(data["y"].to_numpy(float), "binomial", link, trials=data["n"].to_numpy(float))
    x = data["x"].to_numpy()

    def loss(beta):
        value = rows.log_density(beta[0] + beta[1] * x).value.sum()
        return -value if np.isfinite(value) else 1e10

    options = {"xatol": 1e-8, "fatol": 1e-10}
    starts = [0.0, 0.0], [1.0, -0.3], [-1.0, 0.3]
    ends = [optimize.minimize(loss, at, method="Nelder-Mead", options=options) for at in starts]
    best = min(ends, key=lambda end: end.fun)
    model = gt.fit("prop(y, n) ~ x", data, "binomial", link=link)
    assert model.llf == pytest.approx(-best.fun, abs=1e-4)
    np.testing.assert_allclose(model.params, best.x, rtol=1e-3)


# ---------------------------------------------------------------- dispersion and weights


def scattered(unit=1.0, origin=0.0):
    """Twenty groups of ten; the logarithm of the variance is 0.8 x, in units of one."""
    rng, g = np.random.default_rng(11), np.repeat(np.arange(20), 10)
    x = rng.normal(size=200)
    y = 5 + rng.normal(0, 2, 20)[g] + rng.normal(0, np.exp(0.4 * x), 200)
    return pd.DataFrame({"y": unit * (y + origin), "x": x, "g": g})


def normal_llf(model, data, log_phi, reml=False):
    """The likelihood at the parameters that a model reports."""
    variance = model.variance_components.loc[model.variance_components["group"] == "g", "variance"]
    V = np.diag(np.exp(log_phi)) + variance.sum() * np.equal.outer(*[data["g"].to_numpy()] * 2)
    ones = np.ones(len(data))
    return exact_normal(
        data["y"].to_numpy(), model.params.iloc[0] * ones, V, ones[:, None] if reml else None
    )


def test_a_dispersion_formula_may_lack_an_intercept():
    """glmmTMB 1.1.5, dispformula = ~ 0 + x."""
    model = gt.fit("y ~ 1 + (1 | g)", scattered(), dispersion_formula="~ 0 + x")
    assert model.llf == pytest.approx(-317.62157, abs=1e-4)
    assert model.dispersion["log phi: x"] == pytest.approx(0.968545, abs=1e-5)
    assert model.variance_components["sd"].iloc[0] == pytest.approx(1.53934, abs=1e-4)


@pytest.mark.parametrize(("unit", "origin"), [(1.0, 0.0), (2.0, 0.0), (0.5, 1e4)])
@pytest.mark.parametrize("reml", [False, True], ids=["ML", "REML"])
@pytest.mark.parametrize("random", ["", " + (1 | g)"], ids=["no groups", "groups"])
@pytest.mark.parametrize("formula", ["~ 0 + x", "~ 0"])
def test_without_one_it_means_what_it_says_in_every_unit(formula, random, reml, unit, origin):
    """phi is exp(coefficient x), or 1; and no other parameters have a higher likelihood."""
    data = scattered(unit, origin)
    model = quietly(f"y ~ 1{random}", data, dispersion_formula=formula, reml=reml)
    slope = model.dispersion.get("log phi: x", 0.0)
    assert model.llf == pytest.approx(normal_llf(model, data, slope * data["x"], reml), abs=1e-5)
    if formula == "~ 0 + x":
        for other in (slope - 0.02, slope + 0.02):
            assert normal_llf(model, data, other * data["x"], reml) < model.llf


def test_the_dispersion_of_t_may_lack_an_intercept_too():
    data = scattered()
    model = quietly("y ~ 1", data, gt.family("t", df=5), dispersion_formula="~ 0 + x")
    scale = np.exp(0.5 * model.dispersion["log phi: x"] * data["x"])
    expected = stats.t(5, model.params.iloc[0], scale).logpdf(data["y"]).sum()
    assert model.llf == pytest.approx(expected, abs=1e-5)


WEIGHTED = ("t", "gamma", "lognormal", "beta", "poisson", "negative_binomial", "nbinom1")


@pytest.mark.parametrize("random", ["", " + (1 | g)"], ids=["no groups", "groups"])
@pytest.mark.parametrize("unit", [1.0, 1e3], ids=["natural unit", "other unit"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_a_row_of_weight_three_counts_as_three_rows(name, unit, random):
    """In every family but the normal, where weights are precisions, and those with trials."""
    family, rng = gt.family(name), np.random.default_rng(4)
    g, x = np.repeat(np.arange(10), 8), rng.normal(size=80)
    eta = 0.4 + 0.3 * x + rng.normal(0, 0.7, 10)[g]
    shape = {
        each: {"phi": 1.5, "df": 6.0, "odds0": 0.2, "odds1": 0.1}[each] for each in family.shape
    }
    y = np.asarray(family.sample(family.default_link.inverse(eta), rng, **shape), float)
    if not family.discrete and name != "beta":
        y = y * unit
    data = pd.DataFrame({"y": y, "x": x, "g": g, "w": rng.integers(1, 4, 80)})
    model = quietly(f"y ~ x{random}", data, name, weights="w")
    repeated = quietly(f"y ~ x{random}", data.loc[data.index.repeat(data["w"])], name)
    assert model.llf == pytest.approx(repeated.llf, abs=1e-5)
    np.testing.assert_allclose(model.params, repeated.params, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.dispersion, repeated.dispersion, rtol=1e-3)


# --------------------------------------------------------------------------- one series


def test_one_time_series_is_enough_for_a_correlation_in_time():
    """glmmTMB 1.1.5: y ~ t + ar1(factor(t) + 0 | g)."""
    rng, e = np.random.default_rng(8), np.zeros(25)
    for i in range(25):
        e[i] = (0.7 * e[i - 1] if i else 0) + rng.normal()
    data = pd.DataFrame({"y": e, "t": np.arange(25), "g": "a"})
    model = gt.fit("y ~ t + ar1(t | g)", data)
    assert model.llf == pytest.approx(-34.26020161, abs=1e-5)
    np.testing.assert_allclose(model.params, [-1.608165, 0.092468], rtol=1e-4)
    np.testing.assert_allclose(model.variance_components["sd"], [1.549299, 0.175737], rtol=2e-3)
    assert model.variance_components["corr"].iloc[0] == pytest.approx(0.811282, abs=1e-3)
    counts = data.assign(y=rng.poisson(np.exp(1 + e)))
    model = gt.fit("y ~ t + ar1(t | g)", counts, "poisson")
    assert model.llf == pytest.approx(-58.72562626, abs=1e-5)
    np.testing.assert_allclose(model.params, [-2.479281, 0.188782], rtol=1e-4)


def test_one_group_is_still_too_few_for_a_variance_between_groups():
    with pytest.raises(ValueError, match="'one' has one level only"):
        gt.fit("y ~ x + (1 | one)", sessions().assign(one="a"))


# ------------------------------------------------------------------------ standard errors


def test_gamma_errors_without_groups_are_those_of_the_observed_information():
    """glmmTMB 1.1.5: 0.145020; and those of the same model with a variance of zero."""
    rng, n = np.random.default_rng(92), 315
    fat, fiber = rng.gamma(6, 12, n), rng.gamma(5, 2.6, n)
    y = rng.gamma(8, np.exp(6.12 + 0.014 * fat + 0.05 * fiber - 0.0004 * fat * fiber) / 8)
    data = pd.DataFrame({"y": y, "fat": fat, "fiber": fiber, "g": rng.integers(0, 20, n)})
    model = gt.fit("y ~ fat * fiber", data, "gamma")
    assert model.bse["Intercept"] == pytest.approx(0.145020, rel=1e-4)
    with pytest.warns(gt.SingularFitWarning):
        mixed = gt.fit("y ~ fat * fiber + (1 | g)", data, "gamma")
    np.testing.assert_allclose(model.bse, mixed.bse, rtol=1e-4)


SIMPLE = [
    (name, link) for name, family in gt.FAMILIES.items() if name not in ("normal", "t")
    for link in family.links if link not in ("identity", "inverse")
]  # fmt: skip


@pytest.mark.parametrize(("name", "link"), SIMPLE)
def test_so_are_those_of_every_family_and_link(name, link):
    """The Hessian in all parameters, differenced from an independent log-density."""
    family, rng = gt.family(name), np.random.default_rng(6)
    x = rng.uniform(-1, 1, 200)
    eta = 0.4 * x - (1.0 if family.mean_interval[1] == 1 else 0.0)
    shape = {each: 0.2 if each.startswith("odds") else 2.0 for each in family.shape}
    if family.takes_trials:
        shape["trials"] = np.full(200, 8)
    y = np.asarray(family.sample(gt.link(link).inverse(eta), rng, **shape), float)
    data = pd.DataFrame({"y": y, "x": x, "n": 8})
    left = "prop(y, n)" if family.takes_trials else "y"
    model = gt.fit(f"{left} ~ x", data, name, link=link)
    at = np.array([*model.params, *np.log(model.dispersion[list(family.shape)])])

    def llf(p):
        values = dict(zip(family.shape, np.exp(p[2:]), strict=True))
        rows = Rows(y, name, link, trials=8.0 if family.takes_trials else 1.0, **values)
        return rows.log_density(p[0] + p[1] * x).value.sum()

    steps = 1e-3 * np.eye(len(at))
    hessian = [
        [(llf(at + h + k) - llf(at + h - k) - llf(at - h + k) + llf(at - h - k)) / 4e-6
         for h in steps] for k in steps
    ]  # fmt: skip
    errors = np.sqrt(np.diag(np.linalg.inv(-np.array(hessian))))
    np.testing.assert_allclose(model.bse, errors[:2], rtol=1e-3)


def test_reml_with_a_link_is_that_of_glmmtmb():
    """glmmTMB 1.1, `glmmTMB(yield ~ nitro + (1 | block), oats, gaussian("log"), REML = TRUE)`."""
    model = gt.fit("yield ~ nitro + (1 | block)", gt.load_data("oats"), link="log", reml=True)
    assert model.llf == pytest.approx(-312.3321491, abs=1e-6)
    np.testing.assert_allclose(model.params, [4.42114227, 0.68539575], rtol=1e-5)
    np.testing.assert_allclose(model.variance_components["sd"], [0.13904, 16.21202], rtol=1e-4)


@pytest.mark.parametrize("bar", ["|", "||"])
def test_a_small_standard_deviation_beside_a_large_one_is_not_taken_for_zero(bar):
    """It is of the size of the residual, and 30,000 times smaller than that of another level."""
    rng, a = np.random.default_rng(3), np.repeat(np.arange(12), 9)
    data = pd.DataFrame({"a": a, "f": np.tile(list("pqr"), 36)})
    effects = rng.normal(size=(12, 3)) * [1e6, 1e6, 30]
    data["y"] = effects[a, np.tile([0, 1, 2], 36)] + rng.normal(0, 20, 108)
    model = quietly(f"y ~ f + (0 + f {bar} a)", data)
    fixed, V = model.predict(effects="population").to_numpy(), model.covariance().to_numpy()
    at_its_parameters = exact_normal(data["y"].to_numpy(), fixed, V)
    assert model.llf == pytest.approx(at_its_parameters, abs=1e-3)
    assert model.variance_components["sd"].iloc[2] == pytest.approx(30, rel=0.5)
