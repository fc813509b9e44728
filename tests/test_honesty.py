"""A fit says when it is not to be trusted, and only then; what is finite it gives."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import glmmtools as gt
from tests.quiet_fits import quietly
from tests.slow import some_slow

ROOT = Path(__file__).parent.parent


def kinds(model):
    return {type(message) for message in model.messages}


def text(model):
    return " ".join(map(str, model.messages))


# ------------------------------------------------------------------------------ rounding

WITHOUT_GROUPS = {
    "gamma": lambda rng, mu: rng.gamma(2, mu / 2),
    "normal": lambda rng, mu: rng.normal(mu, 3),
    "poisson": lambda rng, mu: rng.poisson(mu),
    "negative_binomial": lambda rng, mu: rng.negative_binomial(2, 2 / (2 + mu)),
    "lognormal": lambda rng, mu: rng.lognormal(np.log(mu), 0.5),
    "t": lambda rng, mu: mu + rng.standard_t(5, len(mu)),
    "binomial": lambda rng, mu: rng.binomial(1, mu / 100),
    "beta": lambda rng, mu: rng.beta(mu / 10, 10 - mu / 10),
}


@pytest.mark.parametrize("family", WITHOUT_GROUPS)
def test_a_model_without_random_terms_does_not_fail_by_rounding(family):
    """2000 rows of a well-behaved model: of fifteen data sets each one converges."""
    failed = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        x, g = rng.normal(size=2000), rng.integers(0, 4, 2000)
        mu = 20 * np.exp(0.3 * x + 0.2 * g)
        if family in ("binomial", "beta"):
            mu = np.clip(mu, 1, 99)
        y = WITHOUT_GROUPS[family](rng, mu)
        model = gt.fit("y ~ x + g", pd.DataFrame({"x": x, "g": g.astype(str), "y": y}), family)
        if not model.converged or model.messages:
            failed.append(seed)
    assert not failed


# ------------------------------------------------------------- effects that ran away


def exact_llf(counts, trials, intercept, sd):
    """The log-likelihood of groups of 0/1 rows: an integral over each group's effect."""
    kinds, times = np.unique(np.column_stack([counts, trials]), axis=0, return_counts=True)
    counts, trials = kinds.T
    z = np.linspace(-9, 9, 6001)
    eta = intercept + sd * z
    by_group = -np.outer(trials - counts, np.logaddexp(0, eta)) - np.outer(
        counts, np.logaddexp(0, -eta)
    )
    return times @ special.logsumexp(by_group + stats.norm.logpdf(z) + np.log(z[1] - z[0]), axis=1)


def highest_exact_llf(counts, trials):
    """Over all intercepts, and standard deviations up to 1000."""
    starts = [(0.0, 0.0), (0.0, 2.0), (2.0, 2.0), (0.0, 5.0)]
    ends = [
        optimize.minimize(
            lambda p: -exact_llf(counts, trials, p[0], np.exp(min(p[1], 7))), start,
            method="Nelder-Mead",
        )
        for start in starts
    ]  # fmt: skip
    return -min(end.fun for end in ends)


def alike_in_groups(sd, per_group, trials, seed, groups=20):
    """Successes out of a few trials; the larger sd, the more groups are all or nothing."""
    rng, g = np.random.default_rng(seed), np.repeat(np.arange(groups), per_group)
    p = special.expit(sd * rng.normal(size=groups))[g]
    return pd.DataFrame({"k": rng.binomial(trials, p), "n": trials, "g": g})


TOO_HIGH = 0.15  # above the likelihood by more than an approximation of use may be
ALIKE = {
    "0/1, eight rows a group": (8, 8, 1, 4),
    "0/1, three rows a group": (6, 3, 1, 1),
    "two trials": (8, 4, 2, 12),
    "four trials": (12, 3, 4, 3),
    "0/1, hardly different": (0.7, 8, 1, 2),
}


@pytest.mark.parametrize("case", ALIKE.values(), ids=list(ALIKE))
def test_no_fit_that_converged_lies_above_what_the_likelihood_can_reach(case):
    """The integrals by brute force bound it; where the effects run away, the fit says so."""
    data = alike_in_groups(*case)
    sums = data.groupby("g")[["k", "n"]].sum()
    constant = stats.binom.logpmf(data["k"], data["n"], 0.5).sum() + sums["n"].sum() * np.log(2)
    bound = highest_exact_llf(sums["k"].to_numpy(), sums["n"].to_numpy()) + constant
    for nagq in (1, 5, 15, 51):
        model = quietly("prop(k, n) ~ 1 + (1 | g)", data, "binomial", nagq=nagq)
        if model.converged:
            assert model.llf < bound + TOO_HIGH, nagq
        else:
            assert gt.ConvergenceWarning in kinds(model)
            assert "ran away" in text(model)


@pytest.mark.parametrize("nagq", some_slow([1, 5, 9, 25, 51], (9, 25).__contains__))
@pytest.mark.parametrize("trials", [1, 2, 5])
def test_where_every_group_is_all_or_nothing_no_standard_deviation_is_an_estimate(trials, nagq):
    """The likelihood grows with it for ever: to 20 log ½ as it tends to infinity."""
    rng, g = np.random.default_rng(0), np.repeat(np.arange(20), 6)
    data = pd.DataFrame({"k": trials * rng.integers(0, 2, 20)[g], "n": trials, "g": g})
    with pytest.warns(gt.ConvergenceWarning, match="ran away"):
        model = gt.fit("prop(k, n) ~ 1 + (1 | g)", data, "binomial", nagq=nagq)
    assert not model.converged


def test_a_standard_deviation_that_only_the_approximation_has_is_no_estimate():
    """Laplace: 22, where the likelihood is 1.4 units lower than at the 13 of 25 nodes."""
    data = alike_in_groups(8, 8, 1, 4)
    with pytest.warns(gt.ConvergenceWarning, match="ran away.*nagq=15"):
        laplace = gt.fit("k ~ 1 + (1 | g)", data, "binomial")
    assert not laplace.converged
    quadrature = gt.fit("k ~ 1 + (1 | g)", data, "binomial", nagq=25)
    assert quadrature.converged
    assert quadrature.variance_components["sd"].iloc[0] == pytest.approx(13, abs=0.5)


def rare_events():
    """glmmTMB issue 399: 27 events in 600 rows, and four crossed factors."""
    n, rng = 600, np.random.default_rng(399)
    data = pd.DataFrame(
        {
            "year": rng.integers(0, 8, n), "site": rng.integers(0, 15, n),
            "m": rng.integers(0, 120, n), "f": rng.integers(0, 130, n), "q": rng.normal(size=n),
        }
    )  # fmt: skip
    eta = -3.2 + 0.4 * data["q"] + rng.normal(0, 0.7, 120)[data["m"]]
    return data.assign(z=rng.binomial(1, special.expit(eta)))


@pytest.mark.slow
def test_rare_events_beside_many_crossed_groups_are_not_called_converged():
    """Standard deviations of 85 to 184 and an intercept of -132, where a GLM has -3.1."""
    with pytest.warns(gt.ConvergenceWarning, match="ran away"):
        model = gt.fit(
            "z ~ q + (1 | year) + (1 | site) + (1 | m) + (1 | f)", rare_events(), "binomial"
        )
    assert not model.converged


def test_nor_beside_many_groups_where_quadrature_finds_another_model():
    """Laplace has -101.93 at a sd of 3.8; with 25 or 51 nodes -104.5812, at a sd of 1.4938."""
    model = quietly("z ~ q + (1 | m)", rare_events(), "binomial")
    assert not model.converged or model.llf < -104.5812 + TOO_HIGH
    better = gt.fit("z ~ q + (1 | m)", rare_events(), "binomial", nagq=25)
    assert better.converged
    assert better.llf == pytest.approx(-104.5812, abs=1e-3)


# --------------------------------------------------------- dispersions and their limits


@pytest.mark.parametrize(("phi", "trials"), [(2e4, 10**6), (1e5, 10**7), (2e6, 10**8)])
def test_a_large_phi_of_many_trials_is_no_limit(phi, trials):
    """A variance of 51 times the binomial: the binomial family would cost thousands of units."""
    rng, g = np.random.default_rng(3), np.repeat(np.arange(15), 10)
    mu = special.expit(-1 + rng.normal(0, 0.1, 15)[g])
    k = rng.binomial(trials, rng.beta(mu * phi, (1 - mu) * phi))
    data = pd.DataFrame({"k": k, "n": trials, "g": g})
    model = gt.fit("prop(k, n) ~ 1 + (1 | g)", data, "betabinomial")
    assert not model.messages
    assert model.llf > quietly("prop(k, n) ~ 1 + (1 | g)", data, "binomial").llf + 100
    assert model.dispersion["phi"] == pytest.approx(phi, rel=0.5)


@pytest.mark.parametrize("family", ["negative_binomial", "nbinom1"])
def test_a_small_phi_of_large_counts_is_no_limit(family):
    rng, g = np.random.default_rng(5), np.repeat(np.arange(15), 10)
    mu = 1e7 * np.exp(rng.normal(0, 0.1, 15)[g])
    data = pd.DataFrame({"y": rng.poisson(rng.gamma(1e6, mu / 1e6)), "g": g})
    model = gt.fit("y ~ 1 + (1 | g)", data, family)
    assert not model.messages
    assert model.llf > quietly("y ~ 1 + (1 | g)", data, "poisson").llf + 10


LIMITS = {
    "negative_binomial": ("poisson", "Poisson"),
    "nbinom1": ("poisson", "Poisson"),
    "betabinomial": ("binomial", "binomial"),
    "t": ("normal", "normal"),
}


@pytest.mark.parametrize("family", LIMITS)
def test_where_a_simpler_family_does_as_well_the_fit_says_so_and_has_its_likelihood(family):
    """Scatter below that of the limit: it converges there, whatever it reports for phi."""
    simpler, name = LIMITS[family]
    rng, g = np.random.default_rng(0), np.repeat(np.arange(15), 6)
    y = rng.binomial(6, special.expit(rng.normal(0, 0.5, 15)[g]))
    data = pd.DataFrame({"y": y, "g": g, "n": 40})
    if family == "t":
        data["y"] = rng.uniform(-1, 1, 90) + rng.normal(0, 1, 15)[g]
    if family == "betabinomial":
        data["y"] = np.round(20 + rng.uniform(-4, 4, 90) + rng.normal(0, 3, 15)[g])
    left = "prop(y, n)" if family == "betabinomial" else "y"
    with pytest.warns(gt.DataWarning, match=f"the {name}"):
        model = gt.fit(f"{left} ~ 1 + (1 | g)", data, family)
    assert model.converged
    right = quietly(f"{left} ~ 1 + (1 | g)", data, simpler)
    assert model.llf == pytest.approx(right.llf, abs=1e-3)
    assert model.params["Intercept"] == pytest.approx(right.params["Intercept"], abs=1e-3)


def test_where_weights_mean_something_else_in_the_simpler_family_it_is_no_part_of_the_model():
    """The weights of a t count rows; those of a normal divide its variance."""
    rng, g = np.random.default_rng(0), np.repeat(np.arange(15), 6)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=90), "w": rng.integers(1, 4, 90)})
    data["y"] = data["x"] + rng.normal(size=15)[g] + rng.uniform(-1, 1, 90)
    weighted = quietly("y ~ x + (1 | g)", data, "t", weights="w")
    repeated = quietly("y ~ x + (1 | g)", data.loc[data.index.repeat(data["w"])], "t")
    assert weighted.converged
    assert weighted.llf == pytest.approx(repeated.llf, abs=1e-5)


def test_effects_of_single_rows_and_a_dispersion_compete_and_the_higher_maximum_wins():
    """glmmTMB 1.1.5: -146.785283, phi 3.7768, a standard deviation of zero."""
    rng = np.random.default_rng(114)
    rng.poisson(np.exp(1 + rng.normal(0, 0.8, 60)))
    x = rng.normal(size=60)
    rng.normal(size=60), rng.integers(0, 2, 60)
    n = rng.integers(5, 20, 60)
    k = rng.binomial(n, 1 / (1 + np.exp(-rng.normal(0, 1, 60))))
    data = pd.DataFrame({"x": x, "n": n, "k": k, "row": np.arange(60)})
    model = quietly("prop(k, n) ~ x + (1 | row)", data, "betabinomial")
    assert model.llf == pytest.approx(-146.785283, abs=1e-4)


@pytest.mark.parametrize("term", ["us(time | g)", "(0 + C(time) | g)"])
def test_so_do_effects_of_levels_where_each_row_has_its_own(term):
    """glmmTMB 1.1.5: 52.470900, phi without limit; with phi = 19.5 there is another maximum."""
    rng = np.random.default_rng(4)
    groups, times = int(rng.integers(8, 25)), int(rng.integers(2, 6))
    g, x = np.repeat(np.arange(groups), times), rng.normal(size=groups * times)
    sd, of_group = rng.choice([0.3, 0.7]), rng.choice([0, 0.5])
    effects = sd * rng.normal(size=len(g)) + of_group * rng.normal(size=groups)[g]
    data = pd.DataFrame({"g": g, "time": np.tile(range(times), groups), "x": x})
    data["y"] = special.expit(0.3 * x + effects)
    model = quietly(f"y ~ x + {term}", data, "beta")
    assert model.converged and model.llf == pytest.approx(52.470900, abs=1e-4)


def test_a_phi_at_its_limit_is_laid_to_effects_only_where_there_are_such():
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"x": rng.normal(size=80)})
    data["y"] = np.where(rng.random(80) < 0.6, 1.0, rng.normal(size=80))
    model = quietly("y ~ x", data, "t")
    assert not model.converged
    assert "random effects" not in " ".join(map(str, model.messages))


def singletons(seed, family):
    """Groups of one row or two, and a response whose scatter is the family's own."""
    rng = np.random.default_rng([9, seed])
    g = np.cumsum(rng.random(70) < rng.choice([0.75, 0.9, 1.0]))
    x, n = rng.normal(size=70), rng.integers(3, 25, 70)
    u = rng.normal(0, rng.choice([0.0, 0.3, 0.8]), 71)[g]
    eta, phi = 0.3 * x + u, rng.choice([2.0, 5.0, 20.0])
    mu = special.expit(eta)
    y = {
        "betabinomial": lambda: rng.binomial(n, rng.beta(mu * phi, (1 - mu) * phi)),
        "beta": lambda: np.clip(rng.beta(mu * phi, (1 - mu) * phi), 1e-6, 1 - 1e-6),
        "t": lambda: eta + rng.standard_t(4, 70),
        "gamma": lambda: rng.gamma(phi, np.exp(eta) / phi),
        "negative_binomial": lambda: rng.negative_binomial(phi, phi / (phi + np.exp(1 + eta))),
        "nbinom1": lambda: rng.negative_binomial(np.exp(1 + eta), 0.4),
    }[family]()
    return pd.DataFrame({"x": x, "n": n, "y": y, "g": g})


@pytest.mark.parametrize(
    "family",
    some_slow(
        ["betabinomial", "beta", "t", "gamma", "negative_binomial", "nbinom1"],
        {"beta", "negative_binomial", "nbinom1"}.__contains__,
    ),
)
def test_a_term_of_groups_of_one_row_or_two_never_lowers_the_likelihood(family):
    left = "prop(y, n)" if family == "betabinomial" else "y"
    lower = []
    for seed in range(10):
        data = singletons(seed, family)
        if family == "t" and data["g"].is_unique:
            continue  # the effects of single rows are its residuals
        model, without = (
            quietly(f"{left} ~ x{random}", data, family) for random in (" + (1 | g)", "")
        )
        if model.converged and model.llf < without.llf - 1e-3:
            lower.append(f"seed {seed}: {model.llf:.4f}, without the term {without.llf:.4f}")
    assert not lower, "\n".join(lower)


# ---------------------------------------------------------------------------- separation


def nests(separated="sucrose", value=1):
    """Eighteen nests of five; of one treatment all rows are the same."""
    rng, nest = np.random.default_rng(101), np.repeat(np.arange(18), 5)
    t = rng.choice(["none", "control", "sucrose", "protein"], 90)
    p = special.expit(1.5 - (t == "control") + rng.normal(0, 1, 18)[nest])
    y = rng.binomial(1, p)
    y[t == separated] = value
    levels = ["none", "control", "sucrose", "protein"]
    return pd.DataFrame({"y": y, "t": pd.Categorical(t, levels), "nest": nest, "n": 1})


def counts(separated="d"):
    """Counts of which one level has none."""
    rng = np.random.default_rng(0)
    g, h = rng.integers(0, 20, 400), rng.integers(0, 15, 400)
    data = pd.DataFrame({"g": g, "h": h, "t": rng.choice(list("abcd"), 400)})
    data["y"] = rng.poisson(rng.gamma(2, np.exp(0.5 + rng.normal(0, 0.5, 20)[g])))
    data.loc[data["t"] == separated, "y"] = 0
    return data


SEPARATED = {
    "yes or no": ("y ~ t + (1 | nest)", "binomial", nests, "sucrose", np.inf),
    "yes or no, probit": ("y ~ t + (1 | nest)", "binomial", nests, "sucrose", np.inf),
    "no groups": ("y ~ t", "binomial", nests, "sucrose", np.inf),
    "counts": ("y ~ t + (1 | g)", "poisson", counts, "d", -np.inf),
    "counts without groups": ("y ~ t", "poisson", counts, "d", -np.inf),
    "clustered counts": ("y ~ t + (1 | g)", "negative_binomial", counts, "d", -np.inf),
    "crossed": ("y ~ t + (1 | h) + (1 | g)", "negative_binomial", counts, "d", -np.inf),
    "crossed, written the other way": (
        "y ~ t + (1 | g) + (1 | h)", "negative_binomial", counts, "d", -np.inf,
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=SEPARATED, ids=list(SEPARATED))
def separated(request):
    """The fit, that of the rows of all other levels, the level, and its coefficient."""
    formula, family, data, level, limit = SEPARATED[request.param]
    link = "probit" if "probit" in request.param else None
    data = data()
    others = data[data["t"] != level].assign(t=lambda rows: rows["t"].astype(str))
    if "nest" in data:  # the reference is not the first in the alphabet
        order = ["none", "control", "protein"]
        others["t"] = pd.Categorical(others["t"], order)
    model = quietly(formula, data, family, link=link)
    return model, quietly(formula, others, family, link=link), level, limit


def test_a_separated_coefficient_is_infinite_and_the_fit_converged(separated):
    model, _, level, limit = separated
    assert model.params[f"t[T.{level}]"] == limit
    assert model.separated
    assert model.converged
    assert gt.ConvergenceWarning not in kinds(model)
    (message,) = [each for each in model.messages if isinstance(each, gt.SeparationWarning)]
    assert level in str(message)
    assert "penalty=" in str(message)


def test_everything_else_is_as_without_the_rows_that_are_certain(separated):
    """At an infinite eta a row has one possible value: it adds nothing to the likelihood."""
    model, right, level, _ = separated
    others = model.params.index != f"t[T.{level}]"
    assert model.llf == pytest.approx(right.llf, abs=1e-4)
    np.testing.assert_allclose(model.params[others], right.params, atol=1e-4)
    np.testing.assert_allclose(model.bse[others], right.bse, rtol=1e-3)
    sds = [each.variance_components["sd"].to_numpy(float) for each in (model, right)]
    np.testing.assert_allclose(*sds, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.dispersion, right.dispersion, rtol=1e-3)


def test_predictions_and_means_of_other_levels_are_finite_and_of_the_separated_one_certain(
    separated,
):
    model, right, level, limit = separated
    rows = model.problem.design.frame["t"] == level
    predicted = model.predict(level=0.95)
    assert np.all(np.isfinite(predicted[~rows.to_numpy()]))
    np.testing.assert_allclose(predicted.loc[rows, "estimate"], float(limit > 0))
    means = model.means("t").frame.set_index("t")["estimate"]
    expected = right.means("t").frame.set_index("t")["estimate"]
    np.testing.assert_allclose(means.drop(level), expected, rtol=1e-3)
    assert means[level] == pytest.approx(float(limit > 0))


def test_tests_of_likelihood_ratios_work_beside_separation(separated):
    model, _, _, _ = separated
    table = model.anova(test="lr")
    smaller = quietly(
        model.formula.replace("~ t", "~ 1"), model.problem.design.frame, model.family,
        link=model.link,
    )  # fmt: skip
    assert table.loc["t", "statistic"] == pytest.approx(2 * (model.llf - smaller.llf), abs=1e-3)
    assert table.loc["t", "df"] == 3
    compared = gt.compare(smaller, model)
    assert compared["statistic"].iloc[1] == pytest.approx(table.loc["t", "statistic"], abs=1e-3)


def test_the_likelihood_beside_separation_is_glmmtmbs():
    """glmmTMB 1.1.5, without the rows of sucrose."""
    model = quietly("y ~ t + (1 | nest)", nests(), "binomial")
    assert model.llf == pytest.approx(-38.61974431, abs=1e-4)
    estimates = model.params[["Intercept", "t[T.control]", "t[T.protein]"]]
    np.testing.assert_allclose(estimates, [2.423366, -1.641787, -1.222332], atol=1e-3)
    errors = model.bse[["Intercept", "t[T.control]", "t[T.protein]"]]
    np.testing.assert_allclose(errors, [0.874046, 0.921826, 0.960394], rtol=1e-2)
    assert model.variance_components["sd"].iloc[0] == pytest.approx(1.14221, rel=1e-3)


def test_a_separated_reference_leaves_the_differences_of_the_others_finite():
    """All coefficients are infinite; the means of the other levels are not."""
    model = quietly("y ~ t + (1 | nest)", nests("none"), "binomial")
    right = quietly(
        "y ~ t + (1 | nest)", nests("none").query("t != 'none'").astype({"t": str}), "binomial"
    )
    assert model.separated
    assert model.converged
    assert model.llf == pytest.approx(right.llf, abs=1e-4)
    means, expected = (each.means("t").frame.set_index("t")["estimate"] for each in (model, right))
    np.testing.assert_allclose(means[expected.index], expected, rtol=1e-3)


def test_a_covariate_that_separates_all_rows_leaves_a_likelihood_of_one():
    x = np.linspace(-2, 2, 40)
    model = quietly("y ~ x", pd.DataFrame({"x": x, "y": (x > 0).astype(int)}), "binomial")
    assert model.separated
    assert model.llf == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(model.fittedvalues, x > 0, atol=1e-4)


def test_a_large_coefficient_is_not_yet_separation():
    """Two rows of a hundred on the other side; and a covariate far from zero."""
    x = np.linspace(-2, 2, 100)
    y = (x > 0).astype(int)
    y[[48, 51]] = 1 - y[[48, 51]]
    for data in (pd.DataFrame({"x": x, "y": y}), pd.DataFrame({"x": x + 3e7, "y": y})):
        model = gt.fit("y ~ x", data, "binomial")
        assert model.converged
        assert not model.separated
        assert not model.messages
        assert np.isfinite(model.bse["x"])


def test_the_summary_shows_an_infinite_coefficient_as_such():
    summary = str(quietly("y ~ t + (1 | nest)", nests(), "binomial"))
    (line,) = [line for line in summary.splitlines() if line.split()[:1] == ["t[T.sucrose]"]]
    assert "∞" in line or "inf" in line
    assert "nan" not in summary.lower()


# ------------------------------------------------------------------------ the penalty


def separated_in_x(unit=1.0, origin=0.0):
    """Rows separated by x, beside a covariate z that tells little."""
    rng = np.random.default_rng(2)
    x, z = np.linspace(-2, 2, 60), rng.normal(size=60)
    return pd.DataFrame({"x": unit * (origin + x), "z": z, "y": (x > 0.1).astype(int)})


def test_a_penalty_makes_every_estimate_finite():
    for formula, data in (("y ~ x + z", separated_in_x()), ("y ~ t + (1 | nest)", nests())):
        model = gt.fit(formula, data, "binomial", penalty=2.5)
        assert model.converged
        assert not model.separated
        assert not model.messages
        assert np.all(np.isfinite(model.params))
        assert np.all(np.isfinite(model.bse))


def test_a_penalised_fit_reports_the_likelihood_without_the_penalty():
    data = separated_in_x()
    model = gt.fit("y ~ x + z", data, "binomial", penalty=1.0)
    eta = model.params["Intercept"] + model.params["x"] * data["x"] + model.params["z"] * data["z"]
    assert model.llf == pytest.approx(stats.bernoulli.logpmf(data["y"], special.expit(eta)).sum())


def test_the_intercept_is_free():
    """Its score is that of the likelihood alone: fitted and observed successes have one sum."""
    data = separated_in_x()
    model = gt.fit("y ~ x + z", data, "binomial", penalty=0.5)
    assert model.fittedvalues.sum() == pytest.approx(data["y"].sum(), abs=1e-5)


@pytest.mark.parametrize(("unit", "origin"), [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e4)])
def test_the_prior_is_on_standardised_slopes(unit, origin):
    model = gt.fit("y ~ x + z", separated_in_x(), "binomial", penalty=1.0)
    other = gt.fit("y ~ x + z", separated_in_x(unit, origin), "binomial", penalty=1.0)
    assert other.params["x"] * unit == pytest.approx(model.params["x"], rel=1e-4)
    assert other.params["z"] == pytest.approx(model.params["z"], rel=1e-4)
    assert other.llf == pytest.approx(model.llf, abs=1e-5)


def test_a_standardised_slope_is_the_mode_of_its_posterior():
    """By a plain search; standardised: times the standard deviation of the column."""
    data = separated_in_x()
    X = np.column_stack([np.ones(60), data["x"], data["z"]])
    sd = X.std(axis=0)[1:]

    def loss(beta):
        eta = X @ beta
        llf = np.sum(data["y"] * eta - np.logaddexp(0, eta))
        return -llf + 0.5 * np.sum((beta[1:] * sd / 1.5) ** 2)

    best = optimize.minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-9}).x
    model = gt.fit("y ~ x + z", data, "binomial", penalty=1.5)
    np.testing.assert_allclose(model.params, best, rtol=0.02)  # n or n - 1 in the deviation


def test_a_wide_prior_changes_little_where_nothing_is_separated():
    rng = np.random.default_rng(1)
    data = separated_in_x().assign(y=rng.integers(0, 2, 60))
    plain, wide = gt.fit("y ~ x", data, "binomial"), gt.fit("y ~ x", data, "binomial", penalty=1e4)
    np.testing.assert_allclose(wide.params, plain.params, rtol=1e-4)
    assert wide.llf == pytest.approx(plain.llf, abs=1e-6)


def test_what_a_penalty_takes_away_is_refused_in_one_sentence():
    data = separated_in_x()
    model = gt.fit("y ~ x + z", data, "binomial", penalty=1.0)
    smaller = gt.fit("y ~ z", data, "binomial", penalty=1.0)
    for question in (
        lambda: model.aic,
        lambda: model.bic,
        lambda: model.anova(test="lr"),
        lambda: gt.compare(smaller, model),
        lambda: gt.fit("z ~ x", data, penalty=1.0, reml=True),
    ):
        with pytest.raises(ValueError, match="penalty"):
            question()


@pytest.mark.parametrize("penalty", [0, -1.0, np.nan, "wide"])
def test_a_penalty_is_a_positive_standard_deviation(penalty):
    with pytest.raises(ValueError, match="penalty"):
        gt.fit("y ~ x + z", separated_in_x(), "binomial", penalty=penalty)


# ------------------------------------------------------------------- nothing left to scatter

TO_RESPONSE = {
    "normal": lambda eta: eta,
    "t": lambda eta: eta,
    "gamma": np.exp,
    "lognormal": np.exp,
    "beta": special.expit,
}


def lines():
    rng = np.random.default_rng(5)
    return pd.DataFrame({"x": rng.normal(size=60), "g": np.repeat(np.arange(12), 5)})


@pytest.mark.parametrize("random", ["", " + (1 | g)", " + (x | g)"])
@pytest.mark.parametrize("family", TO_RESPONSE)
def test_a_response_that_columns_give_exactly_has_no_scatter_to_model(family, random):
    """The density at the line grows as 1 over the dispersion, without limit: no fit is right."""
    data = lines()
    data["y"] = TO_RESPONSE[family](0.3 + 0.5 * data["x"])
    with pytest.warns(gt.ConvergenceWarning, match=r"^The fixed part gives .*'y' computed from"):
        model = gt.fit(f"y ~ x{random}", data, family)
    assert not model.converged and model.bse.isna().all()
    np.testing.assert_allclose(model.params, [0.3, 0.5], rtol=1e-10)


@pytest.mark.parametrize("family", TO_RESPONSE)
def test_nor_has_one_that_is_the_value_of_a_group(family):
    data = lines()
    effects = np.random.default_rng(2).normal(size=12)
    data["y"] = TO_RESPONSE[family](effects[data["g"]] + 0.2 * data["x"])
    with pytest.warns(gt.ConvergenceWarning, match=r"^Within each level of 'g'.*value a level"):
        model = gt.fit("y ~ x + (1 | g)", data, family)
    assert not model.converged and model.params.isna().all()


def test_two_rows_of_one_level_that_a_coefficient_tells_apart_leave_no_scatter_unless_by_reml():
    """Without the difference of the two, which is the coefficient's, nothing depends on sigma."""
    y = [2.7, 3.8, 0.5, 9.2, 0.2, -4.0, 0.2, 3.6]
    data = pd.DataFrame({"y": y, "x": [0, 0, 1, 0, 1, 0, 0, 1], "g": [0, 1, 2, 3, 4, 5, 6, 1]})
    with pytest.warns(gt.ConvergenceWarning, match=r"too few rows for \(1 \| g\)"):
        gt.fit("y ~ x + (1 | g)", data)
    assert np.isfinite(quietly("y ~ x + (1 | g)", data, reml=True).llf)


@pytest.mark.parametrize("origin", [0.0, 1e6])
def test_a_line_with_very_little_scatter_is_a_line(origin):
    """Least squares in closed form, with a scatter of 1e-8 of the slope's share."""
    data, noise = lines(), 1e-8 * np.random.default_rng(8).normal(size=60)
    data["y"] = origin + 0.5 * data["x"] + noise * max(1, origin)
    model = quietly("y ~ x", data)
    x = data["x"] - data["x"].mean()
    slope = x @ data["y"] / (x @ x)
    residual = data["y"] - data["y"].mean() - slope * x
    assert model.params["x"] == pytest.approx(slope, rel=1e-9)
    assert model.bse["x"] == pytest.approx(np.sqrt(residual @ residual / 58 / (x @ x)), rel=1e-4)


@pytest.mark.parametrize("levels", [("1", "2"), ("b", "a")])
@pytest.mark.parametrize("family", ["normal", "t", "lognormal", "gamma"])
def test_rows_with_a_dispersion_of_their_own_that_lie_on_their_line_have_no_scatter(family, levels):
    """The likelihood grows as 1 over that dispersion, whatever the other rows are."""
    data, rng = lines(), np.random.default_rng(4)
    data["s"] = np.where(np.isin(np.arange(60), (7, 33)), *levels)
    data["y"] = TO_RESPONSE[family](0.5 * data["x"] + rng.normal(0, 0.4, 60))
    for random in ("", " + (1 | g)"):
        with pytest.warns(gt.ConvergenceWarning, match=r"2 rows with a dispersion of their own"):
            gt.fit(f"y ~ x * s{random}", data, family, dispersion_formula="~ s")
    assert quietly("y ~ x * s", data, family).converged
    assert quietly(
        "y ~ x", data.assign(s=data["g"] % 2), family, dispersion_formula="~ s"
    ).converged


# --------------------------------------------------------------------- nothing from below

SCRIPT = """
import warnings
import numpy as np, pandas as pd, glmmtools as gt
warnings.simplefilter("ignore", gt.GlmmWarning)
r = np.random.default_rng(0)
sizes = {"h": 15, "g": 20, "t": 6}
d = pd.DataFrame({name: r.integers(0, n, 400).astype(str) for name, n in sizes.items()})
d["y"] = r.poisson(r.gamma(2, 0.3, 400))
d.loc[d["t"] == "0", "y"] = 0
d["one"] = np.minimum(d["y"], 1)
for family in ("poisson", "negative_binomial", "nbinom1"):
    for random in ("(1 | h) + (1 | g)", "(1 | g) + (1 | h)"):
        print(gt.fit("y ~ t + " + random, d, family).llf)
gt.fit("one ~ t + (1 | h) + (1 | g)", d, "binomial")
gt.fit("y ~ t", d, "poisson"), gt.fit("y ~ h", d), gt.fit("y ~ t + (1 | g)", d, "t")
"""


def test_nothing_from_below_reaches_the_terminal():
    """No foreign backtrace, and every warning that is not ours is an error."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.stderr == ""
    values = np.array(ran.stdout.split(), float).reshape(3, 2)
    assert np.all(np.isfinite(values))
    np.testing.assert_allclose(values[:, 0], values[:, 1], atol=1e-4)
