"""The Laplace engine: its gradient, its values, its units, and what it says of odd data."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, special, stats

import glmmtools as gt
from glmmtools.covariances.series import FirstOrderAutoregressive
from glmmtools.engine import several_starts
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.search import maximise
from glmmtools.engine.start import starting_point
from glmmtools.fitted.build import build_problem
from tests.slow import some_slow

NEXT_WEEK = np.array([0, 1, 3, 4, 8, 9, 11, 14])  # a series with gaps


def layout(seed=1):
    """Six subjects of two to eight rows, at uneven times, seen by four observers."""
    rng = np.random.default_rng(seed)
    sizes = [8, 8, 7, 5, 8, 2]
    subject = np.repeat(np.arange(6), sizes)
    n = len(subject)
    return pd.DataFrame(
        {
            "subject": subject.astype(str),
            "week": np.concatenate([NEXT_WEEK[:size] for size in sizes]),
            "half": np.arange(n) % 2,
            "observer": rng.permutation(np.arange(n) % 4).astype(str),
            "x": rng.normal(size=n),
            "f": rng.choice(list("pqr"), n),
            "trials": rng.integers(1, 9, n),
            "w": rng.uniform(0.5, 3, n),
        }
    )


def drawn(family, data, seed=2):
    """A response of the family that has nothing to do with the layout."""
    rng, n = np.random.default_rng(seed), len(data)
    low, high = (0.2, 0.8) if family.mean_interval[1] == 1 else (0.5, 6)
    shape = {
        name: {"phi": 1.5, "df": 5.0, "odds0": 0.2, "odds1": 0.1}[name] for name in family.shape
    }
    if family.takes_trials:
        shape["trials"] = data["trials"].to_numpy()
    return np.asarray(family.sample(rng.uniform(low, high, n), rng, **shape), float)


def problem_of(name, terms, **options):
    family, data = gt.family(name), layout()
    data["y"] = drawn(family, data)
    if "zero_inflation" in options and family.leaves_out_zero:
        data.loc[[0, 7, 11, 20, 30], "y"] = 0
    response = "prop(y, trials)" if family.takes_trials else "y"
    arguments = dict.fromkeys(
        ("link", "offset", "weights", "dispersion_formula", "zero_inflation", "reml", "nagq")
    )
    arguments |= {"reml": False, "nagq": 1, **options}
    return build_problem(f"{response} ~ x + {terms}", data, name, *arguments.values())


# ------------------------------------------------------------------------------- the gradient

STRUCTURES = {
    "unstructured": "(x | subject)",
    "independent": "(x || subject)",
    "cs": "cs(f | subject)",
    "ar1": "ar1(week | subject)",
    "nested and crossed": "(1 | subject/half) + (x | observer)",
    "ar1 and crossed": "ar1(week | subject) + (1 | observer)",
}
GRADIENTS = {
    f"{family}, {name}": (family, terms, {})
    for family in gt.FAMILIES for name, terms in STRUCTURES.items()
}  # fmt: skip
GRADIENTS |= {
    f"normal, REML, {name}": ("normal", terms, {"reml": True}) for name, terms in STRUCTURES.items()
}
GRADIENTS |= {
    f"{family}, dispersion": (family, "(1 | subject)", {"dispersion_formula": "~ x + f"})
    for family in gt.FAMILIES if "phi" in gt.family(family).shape
}  # fmt: skip
GRADIENTS |= {
    f"{family}, zeros, {name}": (family, terms, {"zero_inflation": "~ x"})
    for family in gt.FAMILIES if gt.family(family).takes_extra_zeros
    for name, terms in STRUCTURES.items()
}  # fmt: skip
GRADIENTS |= {
    f"{family}, weights": (family, "(x | subject) + (1 | observer)", {"weights": "w"})
    for family in gt.FAMILIES if not gt.family(family).takes_trials
}  # fmt: skip
GRADIENTS |= {
    f"{family}, {link} link": (family, "(1 | subject) + (1 | observer)", {"link": link})
    for family, link in (
        ("binomial", "probit"), ("binomial", "cloglog"), ("beta", "cloglog"), ("normal", "log"),
        ("gamma", "identity"), ("gamma", "inverse"), ("poisson", "identity"),
        ("betabinomial", "probit"),
    )
}  # fmt: skip
GRADIENTS["normal, REML, dispersion"] = (
    "normal", "(x | subject)", {"reml": True, "dispersion_formula": "~ x"},
)  # fmt: skip
GRADIENTS["negative_binomial, zeros and dispersion"] = (
    "negative_binomial", "(1 | subject)", {"dispersion_formula": "~ x", "zero_inflation": "~ f"},
)  # fmt: skip


# In the fast suite each family has two of the six structures, and each structure a third of them.
SLOW = {
    f"{family}{zeros}, {structure}"
    for i, family in enumerate(gt.FAMILIES) for j, structure in enumerate(STRUCTURES) if (i + j) % 3
    for zeros in ("", ", zeros")
}  # fmt: skip


@pytest.mark.parametrize("case", some_slow(GRADIENTS, SLOW.__contains__))
def test_the_gradient_is_that_of_the_value(case):
    """Against a five-point difference of the value, at a random point near the start."""
    name, terms, options = GRADIENTS[case]
    marginal = Marginal(problem_of(name, terms, **options))
    near = options.get("link") in ("identity", "inverse")  # eta must stay positive
    point = starting_point(marginal, 0.2 if near else 1.0)
    point += np.random.default_rng(3).normal(scale=0.02 if near else 0.2, size=marginal.size)
    for each in marginal.placed:
        if isinstance(each.structure, FirstOrderAutoregressive):
            point[marginal.names["theta"]][each.theta] = 0.7, np.arctanh(-0.6)
    _, gradient = marginal.value_and_gradient(point)

    def value(k, shift):
        moved = point.copy()
        moved[k] += shift
        return marginal.value(marginal.solve(moved))

    h = 1e-4 if near else 1e-3
    differences = [
        (8 * (value(k, h) - value(k, -h)) - (value(k, 2 * h) - value(k, -2 * h))) / (12 * h)
        for k in range(marginal.size)
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-6)


# ------------------------------------------------------------------------------------ the search


@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize("name", ["unstructured", "independent", "cs", "nested and crossed"])
def test_a_step_of_em_does_not_lower_the_likelihood_of_a_normal_model(name, reml, monkeypatch):
    marginal = Marginal(problem_of("normal", STRUCTURES[name], reml=reml))
    values = []
    for steps in range(5):
        monkeypatch.setattr("glmmtools.engine.start._EM_STEPS", steps)
        values.append(marginal.value_at(starting_point(marginal)))
    assert np.all(np.diff(values) > 0)


def two_hills(points):
    """The log of a mixture of normal densities around (0, 0) and, lower, around (3, 0)."""
    points = np.asarray(points)
    away = points[..., None, :] - np.array([[0.0, 0.0], [3.0, 0.0]])
    logs = -np.sum(away**2, axis=-1) / np.array([2.0, 0.5]) + np.array([0.0, -1.0])
    value = special.logsumexp(logs, axis=-1)
    slopes = -2 * away / np.array([2.0, 0.5])[:, None]
    return value, np.sum(np.exp(logs - value[..., None])[..., None] * slopes, axis=-2)


def test_a_second_search_ends_on_the_hill_of_a_known_maximum_and_on_no_other():
    known = maximise(two_hills, np.array([0.5, 0.4]))
    assert maximise(two_hills, np.array([-0.5, 0.4]), known=known) is known
    other = maximise(two_hills, np.array([2.9, 0.1]), known=known)
    assert other.converged and other.value < known.value
    np.testing.assert_allclose(other.point, [3, 0], atol=0.05)
    better = maximise(two_hills, np.array([0.5, 0.4]), known=other)
    assert better.value == pytest.approx(known.value, abs=1e-12)


# ------------------------------------------------------------------------------------- values

NORMAL = {
    "intercepts": ("(1 | subject)", {}),
    "slopes, crossed": ("(x | subject) + (1 | observer)", {}),
    "independent slopes": ("(x || subject)", {}),
    "nested": ("(1 | subject/half)", {}),
    "ar1 with gaps": ("ar1(week | subject)", {}),
    "ar1, crossed": ("ar1(week | subject) + (1 | observer)", {}),
    "cs": ("cs(f | subject)", {}),
    "weights": ("(x | subject)", {"weights": "w"}),
    "dispersion formula": ("(1 | subject)", {"dispersion_formula": "~ x"}),
}


def normal_data():
    """Normal data with effects of subject (level and slope), observer and season."""
    rng, data = np.random.default_rng(5), layout()
    level, slope = rng.normal(size=(2, 6))[:, data["subject"].astype(int)]
    observer = rng.normal(size=4)[data["observer"].astype(int)]
    noise = rng.normal(size=len(data)) * np.exp(0.3 * data["x"])
    data["y"] = 2 + 0.5 * data["x"] + level + slope * data["x"] + observer + noise
    return data


def random_part(model, data):
    """Z G Zᵀ, entry by entry from the reported variances and correlations."""
    total = 0.0
    for term in model.problem.design.random:
        label = (
            data["subject"] + data["half"].astype(str) if ":" in term.group else data[term.group]
        )
        same = label.to_numpy()[:, None] == label.to_numpy()
        rows = model.variance_components[model.variance_components["group"] == term.group]
        variance = rows["variance"].to_numpy()
        if term.structure.name == "ar1":
            lag = np.abs(data["week"].to_numpy()[:, None] - data["week"].to_numpy())
            total = total + same * variance[0] * rows["corr"].iloc[0] ** lag
        elif term.structure.name == "cs":
            equal = data["f"].to_numpy()[:, None] == data["f"].to_numpy()
            total = total + same * variance[0] * np.where(equal, 1.0, rows["corr"].iloc[0])
        else:
            G = np.diag(variance)
            if len(G) == 2 and term.structure.name == "unstructured":
                G[0, 1] = G[1, 0] = rows["corr"].iloc[1] * np.sqrt(variance.prod())
            Z = np.column_stack([np.ones(len(data)), data["x"]])[:, : len(G)]
            total = total + same * (Z @ G @ Z.T)
    return total


@pytest.mark.parametrize("reml", [False, True], ids=["ML", "REML"])
@pytest.mark.parametrize("case", NORMAL.values(), ids=list(NORMAL))
def test_of_a_normal_model_the_likelihood_is_the_multivariate_normal_density(case, reml):
    terms, options = case
    data = normal_data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.SingularFitWarning)
        model = gt.fit(f"y ~ x + {terms}", data, reml=reml, **options)
    assert model.converged
    X = np.column_stack([np.ones(len(data)), data["x"]])
    residual_variance = (
        np.exp(X @ model.dispersion.filter(like="log phi"))
        if "dispersion_formula" in options
        else model.dispersion["phi"] / (data["w"].to_numpy() if "weights" in options else 1.0)
    )
    V = random_part(model, data) + residual_variance * np.eye(len(data))
    expected = stats.multivariate_normal(X @ model.params, V).logpdf(data["y"])
    if reml:
        expected += np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(X.T @ np.linalg.solve(V, X))[1]
    assert model.llf == pytest.approx(expected, abs=1e-8)
    expected = np.linalg.solve(X.T @ np.linalg.solve(V, X), X.T @ np.linalg.solve(V, data["y"]))
    np.testing.assert_allclose(model.params, expected, rtol=1e-5)


@pytest.mark.parametrize("terms", ["ar1(week | subject)", "ar1(week | subject) + (1 | observer)"])
@pytest.mark.parametrize("reml", [False, True], ids=["ML", "REML"])
def test_a_smooth_series_has_no_residual_variance_and_the_fit_says_so(terms, reml):
    data = normal_data()
    data["y"] = 0.5 * data["x"] + 9 * np.cos(data["week"] / 4 + data["subject"].astype(int))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.SingularFitWarning)
        with pytest.warns(gt.DataWarning, match="phi of normal is estimated at its limit"):
            model = gt.fit(f"y ~ x + {terms}", data, reml=reml)
    assert model.converged
    assert model.dispersion["phi"] < 1e-6 * np.var(data["y"])
    X = np.column_stack([np.ones(len(data)), data["x"]])
    V = random_part(model, data) + model.dispersion["phi"] * np.eye(len(data))
    information = X.T @ np.linalg.solve(V, X)
    expected = stats.multivariate_normal(X @ model.params, V).logpdf(data["y"])
    if reml:
        expected += np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(information)[1]
    assert model.llf == pytest.approx(expected, abs=1e-5)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(model.bse, errors, rtol=1e-4)


TWO_GROUPS = pd.DataFrame({"y": [2, 3, 1, 4, 12, 9, 14, 10], "g": list("aaaabbbb")})


def by_group(model):
    """For each group its counts as a joint log-density of data and u, and the derivative."""
    intercept, sd = model.params["Intercept"], model.variance_components["sd"][0]

    for _, y in TWO_GROUPS.groupby("g")["y"]:

        def log_joint(u, y=y):
            return stats.poisson.logpmf(y, np.exp(intercept + sd * u)).sum() + stats.norm.logpdf(u)

        def slope(u, y=y):
            return sd * (y.sum() - len(y) * np.exp(intercept + sd * u)) - u

        yield log_joint, slope


def test_of_poisson_counts_the_likelihood_is_laplaces_formula_by_hand():
    model = gt.fit("y ~ 1 + (1 | g)", TWO_GROUPS, "poisson")
    intercept, sd = model.params["Intercept"], model.variance_components["sd"][0]
    total, integral, next_term = 0.0, 0.0, 0.0
    for log_joint, slope in by_group(model):
        mode = optimize.brentq(slope, -9, 9, xtol=1e-14)
        means = 4 * np.exp(intercept + sd * mode)
        H = sd**2 * means + 1
        total += log_joint(mode) + 0.5 * np.log(2 * np.pi / H)
        exact, _ = integrate.quad(
            lambda u, f=log_joint, m=mode: np.exp(f(u) - f(m)), -12, 12, points=[mode],
            epsabs=1e-13, epsrel=1e-12,
        )  # fmt: skip
        integral += log_joint(mode) + np.log(exact)
        # the next term of the expansion, from the third and fourth derivatives at the mode
        next_term += -(sd**4) * means / (8 * H**2) + 5 * (sd**3 * means) ** 2 / (24 * H**3)
    assert model.llf == pytest.approx(total, abs=1e-9)
    error = integral - model.llf
    assert abs(error) < 0.02
    assert abs(error - next_term) < 0.1 * abs(error)


def test_with_many_nodes_the_likelihood_is_the_integral():
    model = gt.fit("y ~ 1 + (1 | g)", TWO_GROUPS, "poisson", nagq=25)
    integral = sum(
        np.log(integrate.quad(lambda u, f=f: np.exp(f(u)), -12, 12, epsabs=0, limit=200)[0])
        for f, _ in by_group(model)
    )
    assert model.llf == pytest.approx(integral, abs=1e-6)


# -------------------------------------------------------------------------------------- units


def measured(name):
    """Twelve groups of ten with slopes that vary, and a response of the family."""
    family, rng = gt.family(name), np.random.default_rng(8)
    g = np.repeat(np.arange(12), 10)
    x = rng.normal(size=120)
    level, slope = 0.6 * rng.normal(size=(2, 12))[:, g]
    eta = 0.3 + 0.4 * x + level + slope * x
    shape = {
        each: {"phi": 2.0, "df": 5.0, "odds0": 0.2, "odds1": 0.1}[each] for each in family.shape
    }
    mu = family.clipped_mean(eta, family.default_link)
    if family.takes_trials:
        shape["trials"] = np.full(120, 9)
    y = np.asarray(family.sample(mu, rng, **shape), float)
    return pd.DataFrame({"y": y, "x": x, "g": g.astype(str), "trials": 9})


def unit_fit(data, name, terms, **options):
    response = "prop(y, trials)" if gt.family(name).takes_trials else "y"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.SingularFitWarning)
        model = gt.fit(f"{response} ~ x + {terms}", data, name, **options)
    assert model.converged
    return model


@pytest.mark.parametrize(("factor", "shift"), [(1e6, 0.0), (1.0, 2000.0)])
@pytest.mark.parametrize(
    ("name", "reml"), [*((name, False) for name in gt.FAMILIES), ("normal", True)]
)
def test_the_unit_and_the_origin_of_a_covariate_change_nothing_else(name, reml, factor, shift):
    """With x as `factor` x + `shift` coefficients, errors and G are carried over exactly."""
    data = measured(name)
    model = unit_fit(data, name, "(x | g)", reml=reml)
    other = unit_fit(data.assign(x=factor * data["x"] + shift), name, "(x | g)", reml=reml)
    back = np.array([[1.0, -shift / factor], [0.0, 1 / factor]])
    assert other.llf == pytest.approx(model.llf - reml * np.log(factor), abs=1e-6)
    np.testing.assert_allclose(other.params, back @ model.params, rtol=1e-5)
    errors = np.sqrt(np.diag(back @ model.cov_params() @ back.T))
    np.testing.assert_allclose(other.bse, errors, rtol=1e-5)
    G = back @ model.random_covariance("g").to_numpy() @ back.T
    np.testing.assert_allclose(other.random_covariance("g"), G, rtol=1e-4)
    np.testing.assert_allclose(other.dispersion, model.dispersion, rtol=1e-4)
    assert other.singular == model.singular


def test_the_unit_of_an_uncorrelated_slope_changes_nothing_else():
    data = measured("gamma")
    model = unit_fit(data, "gamma", "(x || g)")
    other = unit_fit(data.assign(x=1e6 * data["x"]), "gamma", "(x || g)")
    assert other.llf == pytest.approx(model.llf, abs=1e-6)
    for mine, theirs in ((other.params, model.params), (other.bse, model.bse)):
        np.testing.assert_allclose(mine, theirs / [1, 1e6], rtol=1e-5)
    sds = [each.variance_components["sd"] for each in (other, model)]
    np.testing.assert_allclose(sds[0], sds[1] / [1, 1e6], rtol=1e-5)


RESPONSES = (
    ("normal", "identity", False), ("normal", "identity", True), ("normal", "log", False),
    ("normal", "inverse", False), ("t", "identity", False), ("gamma", "log", False),
    ("gamma", "identity", False), ("gamma", "inverse", False), ("lognormal", "log", False),
    ("lognormal", "identity", False),
)  # fmt: skip


@pytest.mark.parametrize("factor", [1e6, 1e-6])
@pytest.mark.parametrize(("name", "link", "reml"), RESPONSES)
def test_the_unit_of_the_response_changes_nothing_else(name, link, reml, factor):
    data = measured(name)
    if name != "t":
        data["y"] = np.abs(data["y"]) + 5
    model = unit_fit(data, name, "(1 | g)", link=link, reml=reml)
    other = unit_fit(data.assign(y=factor * data["y"]), name, "(1 | g)", link=link, reml=reml)
    rows = len(data) - 2 * reml
    assert other.llf == pytest.approx(model.llf - rows * np.log(factor), abs=1e-6)
    times = {"identity": factor, "inverse": 1 / factor, "log": 1.0}[link]
    shift = np.array([np.log(factor) if link == "log" else 0.0, 0.0])
    np.testing.assert_allclose(other.params, times * model.params + shift, rtol=1e-5)
    np.testing.assert_allclose(other.bse, times * model.bse, rtol=1e-5)
    sds = [each.variance_components["sd"].iloc[0] for each in (other, model)]
    assert sds[0] == pytest.approx(times * sds[1], rel=1e-5)


# ------------------------------------------------------------------------------------ odd data


def same_in_every_group(name):
    """Six groups with the same eight values, so that nothing varies between them."""
    family, rng = gt.family(name), np.random.default_rng(3)
    shape = {
        each: {"phi": 1.5, "df": 5.0, "odds0": 0.2, "odds1": 0.1}[each] for each in family.shape
    }
    mu = np.full(8, 0.4) if family.mean_interval[1] == 1 else np.full(8, 3.0)
    if family.takes_trials:
        shape["trials"] = np.full(8, 9)
    y = np.tile(np.asarray(family.sample(mu, rng, **shape), float), 6)
    return pd.DataFrame(
        {
            "y": y, "g": np.repeat(list("abcdef"), 8), "trials": 9,
            "half": np.tile(np.repeat(["p", "q"], 4), 6),
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "reml"), [*((name, False) for name in gt.FAMILIES), ("normal", True)]
)
def test_where_groups_do_not_differ_the_variance_is_exactly_zero_and_the_term_is_named(name, reml):
    data = same_in_every_group(name)
    response = "prop(y, trials)" if gt.family(name).takes_trials else "y"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        model = gt.fit(f"{response} ~ 1 + (1 | g)", data, name, reml=reml)
    assert model.converged
    assert model.singular
    assert model.variance_components["variance"].iloc[0] == 0.0
    assert np.all(model.random_effects["estimate"] == 0.0)
    (message,) = [str(m) for m in model.messages if isinstance(m, gt.SingularFitWarning)]
    assert message.startswith("The variance is estimated at zero in (1 | g).")


def test_of_two_terms_the_one_without_variance_is_named():
    data = same_in_every_group("poisson")
    data["day"] = np.tile(np.arange(8), 6).astype(str)
    data["y"] = 20 * np.tile([1, 2, 1, 3, 2, 1, 5, 4], 6)
    with pytest.warns(gt.SingularFitWarning, match=r"zero in \(1 \| g\)\."):
        model = gt.fit("y ~ 1 + (1 | g) + (1 | day)", data, "poisson")
    assert model.converged
    assert model.variance_components["sd"].iloc[0] == 0
    assert model.variance_components["sd"].iloc[1] > 0.3


def test_a_slope_that_does_not_vary_is_singular_too():
    data = measured("poisson")
    data["y"] = np.round(20 * np.exp(0.4 * data["x"] + 0.1 * data["g"].astype(int)))
    with pytest.warns(gt.SingularFitWarning, match=r"\(x \|\| g\)"):
        model = gt.fit("y ~ x + (x || g)", data, "poisson")
    assert model.converged
    assert list(model.variance_components["variance"] == 0) == [False, True]


def even_counts():
    """Counts that vary less than Poisson counts, all above zero."""
    data = measured("poisson")
    g = data["g"].astype(int)
    data["y"] = np.round(20 * np.exp(0.4 * data["x"] + 0.3 * np.sin(g)))
    return data


@pytest.mark.parametrize("name", ["negative_binomial", "nbinom1"])
def test_counts_without_overdispersion_are_said_to_be_poisson(name):
    with pytest.warns(gt.DataWarning, match=f"phi of {name} .* at its limit.*fit the Poisson"):
        model = gt.fit("y ~ x + (1 | g)", even_counts(), name)
    poisson = gt.fit("y ~ x + (1 | g)", even_counts(), "poisson")
    assert model.converged
    assert model.llf == pytest.approx(poisson.llf, abs=1e-5)
    np.testing.assert_allclose(model.bse, poisson.bse, rtol=1e-4)


def test_even_successes_are_said_to_be_binomial():
    data = even_counts().assign(trials=9)
    data["y"] = np.round(9 * stats.logistic.cdf(0.4 * data["x"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.SingularFitWarning)
        with pytest.warns(gt.DataWarning, match="phi of betabinomial .* fit the binomial"):
            model = gt.fit("prop(y, trials) ~ x + (1 | g)", data, "betabinomial")
    assert model.converged


def test_t_data_with_light_tails_are_said_to_be_normal():
    data = measured("normal")
    data["y"] = data["x"] + 0.5 * data["g"].astype(int) + np.tile([-1.0, 1.0], 60)
    with pytest.warns(gt.DataWarning, match="df of t is estimated at its limit.*fit the normal"):
        model = gt.fit("y ~ x + (1 | g)", data, "t")
    normal = gt.fit("y ~ x + (1 | g)", data)
    assert model.converged
    assert model.llf == pytest.approx(normal.llf, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "zeros"),
    [("poisson", "~ 1"), ("poisson", "~ x"), ("negative_binomial", "~ 1"), ("nbinom1", "~ 1")],
)
def test_extra_zeros_in_data_without_zeros_are_fitted_and_said_to_be_needless(name, zeros):
    data = measured(name)
    data["y"] += 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plain = gt.fit("y ~ x + (1 | g)", data, name)
        model = gt.fit("y ~ x + (1 | g)", data, name, zero_inflation=zeros)
    assert any(
        "probability of an extra zero is estimated at zero" in str(w.message) for w in caught
    )
    assert model.converged
    assert model.llf == pytest.approx(plain.llf, abs=1e-6)
    np.testing.assert_allclose(model.params, plain.params, atol=1e-5)
    np.testing.assert_allclose(model.bse, plain.bse, rtol=1e-4)


REFUSED = {
    "all counts are zero": (
        ("y ~ x + (1 | g)", {"y": 0.0}, "poisson", {}),
        "every value of the response 'y' is 0",
    ),
    "all counts are zero, with extra zeros": (
        ("y ~ x + (1 | g)", {"y": 0.0}, "nbinom1", {"zero_inflation": "~ 1"}),
        "every value of the response 'y' is 0",
    ),
    "a time twice in a series": (
        ("y ~ x + ar1(week | g)", {"week": np.tile([0, 1, 2, 3, 4, 5, 6, 2, 8, 9], 12)}),
        r"ar1\(week \| g\): g '0' has week = 2 more than once",
    ),
    "a time between two whole numbers": (
        ("y ~ x + ar1(week | g)", {"week": np.tile(np.arange(10) / 2, 12)}),
        "needs whole-number times.*got 0.5",
    ),
    "times that are words": (
        ("y ~ x + ar1(week | g)", {"week": np.tile(list("abcdefghij"), 12)}),
        "'week' must be numbers; it holds values such as 'a'",
    ),
    "dispersion of a family without": (
        ("y ~ x + (1 | g)", {}, "poisson", {"dispersion_formula": "~ x"}),
        "poisson has no dispersion for dispersion_formula to model",
    ),
    "a dispersion formula with a response": (
        ("y ~ x + (1 | g)", {}, "normal", {"dispersion_formula": "y ~ x"}),
        r"dispersion_formula is a formula with nothing left of ~ , as '~ x'; got 'y ~ x'",
    ),
    "a dispersion formula without ~": (
        ("y ~ x + (1 | g)", {}, "normal", {"dispersion_formula": "x"}),
        "dispersion_formula is a formula with nothing left of ~",
    ),
    "a random term of the dispersion": (
        ("y ~ x + (1 | g)", {}, "normal", {"dispersion_formula": "~ (1 | g)"}),
        "dispersion_formula has no random terms",
    ),
    "an unknown column of the dispersion": (
        ("y ~ x + (1 | g)", {}, "normal", {"dispersion_formula": "~ z"}),
        "no column 'z'",
    ),
    "extra zeros of a normal": (
        ("y ~ x + (1 | g)", {}, "normal", {"zero_inflation": "~ 1"}),
        "zero_inflation is for counts without an upper limit; normal is not",
    ),
    "extra zeros without ~": (
        ("y ~ x + (1 | g)", {}, "poisson", {"zero_inflation": "1"}),
        "zero_inflation is a formula with nothing left of ~",
    ),
    "more coefficients than rows": (
        ("y ~ C(row) * x + (1 | g)", {"row": np.arange(120)}),
        "240 coefficients for 120 rows",
    ),
    "an engine that cannot": (
        ("y ~ x", {}, "poisson", {"zero_inflation": "~ 1", "engine": "statsmodels"}),
        "models neither dispersion nor extra zeros",
    ),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_no_engine_can_fit_is_refused_in_one_clear_sentence(call, message):
    formula, change, name, options = (*call, "normal", {})[:4]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        gt.fit(formula, measured("poisson").assign(**change), name, **options)


# ------------------------------------------------------------------- fits that are none say so

SEPARATED = {
    "successes": ("binomial", lambda s, d: np.where(d["trt"] == "b", 9.0, s % 10)),
    "failures": ("binomial", lambda s, d: np.where(d["trt"] == "b", 0.0, s % 10)),
    "both": ("binomial", lambda s, d: np.where(d["trt"] == "b", 0.0, 9.0)),
    "overdispersed": ("betabinomial", lambda s, d: np.where(d["trt"] == "b", 0.0, s % 10)),
    "counts": ("poisson", lambda s, d: np.where(d["trt"] == "b", 0.0, s)),
    "overdispersed counts": ("nbinom1", lambda s, d: np.where(d["trt"] == "b", 0.0, s)),
}


@pytest.mark.parametrize(("name", "make"), SEPARATED.values(), ids=list(SEPARATED))
def test_separation_names_the_column_and_gives_it_no_standard_error(name, make):
    data = measured("negative_binomial").assign(trt=np.tile(list("ab"), 60))
    data["y"] = make(data["y"], data)
    response = "prop(y, trials)" if gt.family(name).takes_trials else "y"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        model = gt.fit(f"{response} ~ trt + (1 | g)", data, name)
    assert model.converged and model.separated
    (message,) = [str(m) for m in model.messages if isinstance(m, gt.SeparationWarning)]
    assert "'trt[T.b]'" in message and "no finite value" in message
    assert np.isnan(model.bse["trt[T.b]"])
    assert np.isnan(model.pvalues["trt[T.b]"])


@pytest.mark.parametrize("name", ["normal", "gamma"])
def test_a_likelihood_without_a_maximum_gives_no_standard_errors(name):
    """The response is an exact function of x: the residuals vanish, and phi with them."""
    data = measured("gamma")
    data["y"] = np.exp(1 + 0.5 * data["x"]) if name == "gamma" else 1 + 0.5 * data["x"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        model = gt.fit("y ~ x + (1 | g)", data, name)
    assert not model.converged
    assert any(isinstance(m, gt.ConvergenceWarning) for m in model.messages)
    assert model.bse.isna().all()


@pytest.mark.parametrize(
    ("name", "terms", "options"),
    [
        ("normal", "(x | g)", {"reml": True}),
        ("normal", "ar1(week | g) + (1 | h)", {"dispersion_formula": "~ x"}),
        ("beta", "cs(h | g)", {}),
        ("nbinom1", "(x || g)", {"zero_inflation": "~ x"}),
    ],
)
def test_a_fit_that_failed_altogether_is_all_nan(name, terms, options, monkeypatch):
    monkeypatch.setattr(several_starts, "maximise", lambda *_, **__: None)
    data = measured(name).assign(week=np.tile(np.arange(10), 12), h=np.tile(list("pqrst"), 24))
    with pytest.warns(gt.ConvergenceWarning, match="Do not use these numbers"):
        model = gt.fit(f"y ~ x + {terms}", data, name, **options)
    assert not model.converged
    assert np.isnan(model.llf)
    for numbers in (
        model.params,
        model.bse,
        model.pvalues,
        model.dispersion,
        model.fittedvalues,
        model.variance_components["sd"],
        model.random_effects["estimate"],
        model.random_effects["std_error"],
    ):
        assert np.all(np.isnan(numbers))
    assert "did not converge: its numbers are not estimates" in repr(model)
