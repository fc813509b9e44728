"""Separation: coefficients that the likelihood drives to infinity, and what stays finite."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import glmmtools as gt
from glmmtools.engine.separation import separation_of
from glmmtools.fitted.build import build_problem
from tests.quiet_fits import quietly
from tests.separation_reference import data_of, of_r
from tests.slow import some_slow


def problem_of(formula, data, family="binomial", link=None):
    return build_problem(formula, data, family, link, None, None, None, None, False, 1)


# ------------------------------------------------------------------ which rows are certain


def certain_by_a_linear_programme(X, side):
    """The rows that some direction moves, each by 1 at most: a programme with a slack a row."""
    ends, others = np.flatnonzero(side), np.flatnonzero(side == 0)
    (n, p), m = X.shape, len(ends)
    found = np.zeros(n, dtype=bool)
    if m:
        rows = X[ends] * side[ends, None]
        solution = optimize.linprog(
            np.r_[np.zeros(p), -np.ones(m)], A_ub=np.hstack([-rows, np.eye(m)]), b_ub=np.zeros(m),
            A_eq=np.hstack([X[others], np.zeros((n - m, m))]) if n > m else None,
            b_eq=np.zeros(n - m) if n > m else None,
            bounds=[(None, None)] * p + [(0, 1)] * m,
        )  # fmt: skip
        found[ends] = solution.x[p:] > 0.5
    return found


def small_data(seed):
    """Few rows, whole numbers and indicators: separated as often as not."""
    rng = np.random.default_rng([7, seed])
    n = int(rng.integers(5, 40))
    data = pd.DataFrame({"n": rng.integers(1, 4, n) if seed % 3 == 1 else np.ones(n, int)})
    for name in "abcd"[: rng.integers(1, 5)]:
        kind = rng.integers(0, 3)
        data[name] = (
            rng.integers(-5, 6, n) if kind == 0 else rng.integers(0, 2, n) if kind == 1
            else np.round(rng.normal(size=n), 1)
        ).astype(float)  # fmt: skip
    names = [name for name in data if name != "n" and data[name].nunique() > 1]
    eta = data[names] @ rng.normal(size=len(names)) * rng.choice([0.5, 2, 5])
    data["y"] = rng.binomial(data["n"], special.expit(eta))
    if seed % 3 == 2:
        data["y"] = rng.poisson(np.exp(np.clip(eta - 1, -20, 3)))
    return data, names


SEEDS = {
    "none": range(40), "none, slow": range(40, 100),
    "units": range(100, 140), "units, slow": range(140, 200),
    "origin": range(200, 240), "origin, slow": range(240, 300),
}  # fmt: skip


@pytest.mark.parametrize("case", some_slow(SEEDS, lambda case: case.endswith("slow")))
def test_exactly_the_rows_that_a_direction_moves_are_certain(case):
    """Against another linear programme, in whatever units and from whatever origin."""
    wrong, separated, change, seeds = [], 0, case.split(",")[0], SEEDS[case]
    for seed in seeds:
        data, names = small_data(seed)
        counts = seed % 3 == 2
        if not names or (data["y"] / data["n"]).nunique() == 1:
            continue
        moved = data.copy()
        rng = np.random.default_rng([8, seed])
        if change == "units":
            moved[names] *= 10.0 ** rng.integers(-6, 7, len(names))
        if change == "origin":
            moved[names] += 10.0 ** rng.integers(2, 7, len(names))
        formula = f"{'y' if counts else 'prop(y, n)'} ~ {' + '.join(names)}"
        family = "poisson" if counts else "binomial"
        problem = problem_of(formula, moved, family)
        plain = problem if change == "none" else problem_of(formula, data, family)
        if len(problem.design.names) < len(names) + 1 or plain.design.rank.left_out:
            continue
        side = -(data["y"] == 0).to_numpy(float)
        side += 0.0 if counts else (data["y"] == data["n"]).to_numpy(float)
        expected = certain_by_a_linear_programme(plain.design.X, side)
        separation = separation_of(problem)
        found = np.zeros(len(data), dtype=bool) if separation is None else separation.certain
        separated += expected.any()
        if not np.array_equal(found, expected):
            wrong.append(seed)
        elif separation is not None:
            np.testing.assert_array_equal(separation.side, np.where(expected, side, 0))
            np.testing.assert_array_equal(separation.side_of(problem.design.X), separation.side)
    assert not wrong
    assert separated > len(seeds) / 4


@pytest.mark.parametrize("overlap", [1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("origin", [0.0, 1e6])
def test_rows_that_hardly_overlap_are_not_separated(overlap, origin):
    """And those that hardly do not, are."""
    gap = overlap * (1 if origin == 0 else 1e6)
    x = np.r_[np.linspace(-2, -1, 20), 0, gap, np.linspace(1, 2, 20)] + origin
    y = np.r_[np.zeros(20), 0, 1, np.ones(20)]
    for separated, response in ((True, y), (False, np.r_[np.zeros(20), 1, 0, np.ones(20)])):
        found = separation_of(problem_of("y ~ x", pd.DataFrame({"x": x, "y": response})))
        assert (found is not None) == separated


def test_a_level_of_a_large_table_is_found_as_well():
    rng, n = np.random.default_rng(0), 100_000
    data = pd.DataFrame({"x": rng.normal(size=n), "t": rng.choice(list("abcd"), n)})
    data["y"] = rng.binomial(1, special.expit(data["x"]))
    rare = np.arange(n) % 20_011 == 7
    assert separation_of(problem_of("y ~ x + t", data)) is None
    data.loc[rare, ["t", "y"]] = ["rare", 1]
    np.testing.assert_array_equal(separation_of(problem_of("y ~ x + t", data)).certain, rare)


def test_an_end_that_the_link_reaches_at_a_finite_eta_is_not_separation():
    """With a log link successes only have eta = 0, failures only minus infinity."""
    data = pd.DataFrame(
        {"t": np.repeat(list("abc"), 20), "y": [0, 1, 1, 0] * 5 + [0] * 20 + [1] * 20}
    )
    one = data[data["t"] != "c"]
    assert separation_of(problem_of("y ~ t", one, link="log")).certain.sum() == 20
    other = data[data["t"] != "b"]
    assert separation_of(problem_of("y ~ t", other, link="log")) is None
    assert separation_of(problem_of("y ~ t", other)).certain.sum() == 20
    assert separation_of(problem_of("y ~ t", one, link="identity")) is None


# ------------------------------------------------------------------ against R


@pytest.mark.parametrize("engine", ["laplace", "statsmodels"])
@pytest.mark.parametrize("case", of_r(False).values(), ids=list(of_r(False)))
def test_the_limit_is_where_the_search_of_r_ends(case, engine):
    if "|" in case["formula"] and engine == "statsmodels":
        pytest.skip("statsmodels' mixed models are normal")
    options = {"link": case["link"], "engine": engine}
    model = quietly(case["formula"], data_of(case), case["family"], **options)
    assert model.llf == pytest.approx(case["llf"], abs=1e-6)
    finite = model.params[np.isfinite(model.params)]
    np.testing.assert_allclose(finite, case["estimate"], atol=1e-5)
    if case["link"] in ("logit", "log"):
        np.testing.assert_allclose(model.bse[finite.index], case["std_error"], rtol=1e-4)
    if case["sd"] is not None:
        assert model.variance_components["sd"].iloc[0] == pytest.approx(case["sd"], rel=1e-4)


# ------------------------------------------------------------------ levels, slopes, series


def counts():
    """Counts in twenty groups; of level d, which has groups of its own too, there are none."""
    rng = np.random.default_rng(3)
    g, t = rng.integers(0, 20, 400), rng.choice(list("abcd"), 400)
    g = np.where(t == "d", 18 + g % 4, g)
    data = pd.DataFrame({"g": g, "h": rng.integers(0, 6, 400), "t": t, "x": rng.normal(size=400)})
    mean = np.exp(0.5 + 0.3 * data["x"] + rng.normal(0, 0.5, 22)[g])
    data["y"] = np.where(t == "d", 0, rng.poisson(rng.gamma(2, mean / 2)))
    data["week"] = data.groupby("g").cumcount()
    return data


RANDOM = {
    "intercepts": "(1 | g)",
    "the other factor first": "(1 | h) + (1 | g)",
    "slopes": "(x | g)",
    "a series": "ar1(week | g)",
    "effects of levels": "cs(t | g)",
    "factor slopes": "(0 + t || g)",
}


@pytest.mark.parametrize("random", RANDOM.values(), ids=list(RANDOM))
def test_groups_and_effects_without_a_row_that_is_left_change_nothing(random):
    data = counts()
    rest = data[data["t"] != "d"]
    model, right = (quietly(f"y ~ x + t + {random}", each, "poisson") for each in (data, rest))
    assert model.converged
    assert model.llf == pytest.approx(right.llf, abs=1e-5)
    np.testing.assert_allclose(model.params.drop("t[T.d]"), right.params, atol=1e-4)
    known = model.variance_components["term"] != "t[d]"
    sds = [model.variance_components["sd"][known], right.variance_components["sd"]]
    np.testing.assert_allclose(*sds, rtol=2e-3, atol=1e-4)
    assert model.predict(level=0.9).loc[rest.index].notna().all(axis=None)


def test_a_group_without_a_row_that_is_left_has_its_mode_at_zero_and_the_scatter_of_its_term():
    model = quietly("y ~ x + t + (1 | g)", counts(), "poisson")
    effects = model.random_effects.set_index("level")
    assert (effects.loc[["20", "21"], "estimate"] == 0).all()
    sd = model.variance_components["sd"].iloc[0]
    np.testing.assert_allclose(effects.loc[["20", "21"], "std_error"], sd)
    new = counts().head(1).assign(t="a", g=20)
    unseen = new.assign(g=99)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.DataWarning)
        ours, others = (model.predict(each, level=0.9, scale="link") for each in (new, unseen))
    np.testing.assert_allclose(ours, others, rtol=1e-6)


def test_a_variance_of_which_no_row_that_is_left_tells_is_given_as_zero():
    with pytest.warns(gt.GlmmWarning):
        model = gt.fit("y ~ x + t + (0 + t || g)", counts(), "poisson")
    assert any("variance is estimated at zero" in str(message) for message in model.messages)
    components = model.variance_components.set_index("term")
    assert components.loc["t[d]", "sd"] == 0 and components.drop("t[d]")["sd"].gt(0).any()
    assert model.singular and model.converged


# ------------------------------------------------------------------ predictions


def gap():
    """Rows separated by x between -0.05 and 0.05, beside z, which tells nothing."""
    x = np.linspace(-2, 2, 40)
    z = np.random.default_rng(0).normal(size=40)
    return pd.DataFrame({"x": x, "z": z, "y": (x > 0).astype(int), "g": np.arange(40) % 5})


def test_new_rows_are_certain_where_the_data_decide_and_unknown_between():
    model = quietly("y ~ x", gap(), "binomial")
    new = pd.DataFrame({"x": [-9.0, -0.06, 0.0, 0.06, 9.0]})
    np.testing.assert_array_equal(model.predict(new), [0, 0, np.nan, 1, 1])
    on_link = model.predict(new, scale="link")
    np.testing.assert_array_equal(on_link, [-np.inf, -np.inf, np.nan, np.inf, np.inf])
    assert model.predict(new, level=0.9)["conf_low"].isna().all()


def test_a_coefficient_of_which_the_data_do_not_know_the_sign_is_missing():
    model = quietly("y ~ x + z", gap(), "binomial")
    assert model.params["x"] == np.inf
    assert np.isnan(model.params["z"])
    (message,) = model.messages
    assert all(name in str(message) for name in ("'Intercept'", "'x'", "'z'"))


def test_two_levels_that_are_both_certain_cannot_be_compared():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"t": np.repeat(list("abcd"), 25), "y": rng.integers(0, 2, 100)})
    data.loc[data["t"].isin(["c", "d"]), "y"] = 1
    model = quietly("y ~ t", data, "binomial")
    pairs = model.means("t").contrasts().frame.set_index("contrast")
    assert np.isnan(pairs.loc["c / d", "estimate"])
    assert (pairs.loc[["a / c", "a / d", "b / c", "b / d"], "estimate"] == 0).all()
    other = gt.fit("y ~ t", data[data["t"].isin(["a", "b"])], "binomial")
    right = other.means("t").contrasts(adjust="none").frame.iloc[0, 1:]
    ours = model.means("t").contrasts(adjust="none").frame.iloc[0, 1:]
    np.testing.assert_allclose(ours.to_numpy(float), right.to_numpy(float), rtol=1e-6)
    assert model.means("t").notes()[-1].endswith("infinite: c, d.")


def test_where_all_rows_are_certain_the_random_effects_are_unknown_and_all_else_is_certain():
    model = quietly("y ~ x + (1 | g)", gap(), "binomial")
    assert model.separated and model.converged and model.llf == 0
    assert model.variance_components["sd"].isna().all()
    np.testing.assert_array_equal(model.fittedvalues, gap()["y"])
    with warnings.catch_warnings(action="error"):
        marginal = model.predict(effects="marginal", level=0.95)
    np.testing.assert_array_equal(marginal["estimate"], gap()["y"])
    assert marginal["std_error"].isna().all()
    np.testing.assert_array_equal(model.simulate(3), np.tile(gap()["y"], (3, 1)))
    assert (model.resid("pearson") == 0).all()
    assert "All rows are separated" in str(model)


def test_rows_that_are_certain_are_drawn_as_they_were_observed_and_have_no_residual():
    data = counts()
    model = quietly("y ~ x + t + (1 | g)", data, "negative_binomial")
    certain = (data["t"] == "d").to_numpy()
    drawn = model.simulate(5)
    assert (drawn[:, certain] == 0).all() and (drawn[:, ~certain] > 0).any(axis=1).all()
    assert (model.resid("pearson")[certain] == 0).all()
    rest = quietly("y ~ x + t + (1 | g)", data[~certain], "negative_binomial")
    np.testing.assert_allclose(model.resid("pearson")[~certain], rest.resid("pearson"), rtol=1e-3)
    residuals = model.simulated_residuals(n=40)
    assert residuals.residuals.between(0, 1).all()
    assert residuals.test_zeros().p_value > 0


# ------------------------------------------------------------------ tests and intervals


def test_a_profile_interval_has_one_end_where_the_likelihood_has_fallen():
    """Of a level of n failures: n log(1 + exp(b)) is half the chi-square quantile."""
    data = pd.DataFrame({"t": np.repeat(["a", "b"], [30, 25]), "y": [0, 1, 1] * 10 + [0] * 25})
    drop = stats.chi2.ppf(0.95, 1) / 2
    model = quietly("y ~ 0 + t", data, "binomial")
    table = model.conf_int(method="profile")
    end = np.log(np.expm1(drop / 25))
    np.testing.assert_allclose(table.loc["t[b]"], [-np.inf, -np.inf, end], rtol=1e-5)
    assert list(table.index) == ["t[a]", "t[b]"]
    swapped = quietly("y ~ 0 + t", data.assign(y=1 - data["y"]), "binomial")
    table = swapped.conf_int(method="profile")
    np.testing.assert_allclose(table.loc["t[b]"], [np.inf, -end, np.inf], rtol=1e-5)


def test_the_end_of_a_difference_is_that_of_a_search_over_all_else():
    data = pd.DataFrame({"t": np.repeat(["a", "b"], [30, 12]), "y": [0, 1, 1] * 10 + [1] * 12})
    model = quietly("y ~ t", data, "binomial")

    def fall(b):
        best = optimize.minimize_scalar(
            lambda a: 10 * np.logaddexp(0, a) + 20 * np.logaddexp(0, -a)
            + 12 * np.logaddexp(0, -a - b)
        )  # fmt: skip
        return best.fun + model.llf

    end = optimize.brentq(lambda b: fall(b) - stats.chi2.ppf(0.9, 1) / 2, -5, 5)
    found = model.conf_int(level=0.9, method="profile").loc["t[T.b]"]
    np.testing.assert_allclose(found, [np.inf, end, np.inf], rtol=1e-5)


def two_factors():
    """Two crossed factors and a covariate; one cell has successes only."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame(
        {
            "a": np.tile(["k", "l"], 90),
            "b": np.repeat(["p", "q", "s"], 60),
            "x": rng.normal(size=180),
        }
    )
    data["y"] = rng.binomial(1, special.expit(0.4 * data["x"] + (data["a"] == "l")))
    data.loc[(data["a"] == "l") & (data["b"] == "s"), "y"] = 1
    return data


def test_wald_tests_are_those_of_the_rows_that_are_left_or_refer_to_likelihood_ratios():
    data = two_factors()
    rest = data[(data["a"] != "l") | (data["b"] != "s")]
    model, right = (quietly("y ~ a * b + x", each, "binomial") for each in (data, rest))
    with pytest.warns(gt.DataWarning, match=r"no Wald tests of a:b: .* test='lr'"):
        table = model.anova()
    expected = right.anova()
    for term in ("a", "b", "x"):
        np.testing.assert_allclose(
            table.loc[term, ["statistic", "df"]].astype(float),
            expected.loc[term, ["statistic", "df"]].astype(float), rtol=1e-4,
        )  # fmt: skip
    assert np.isnan(table.loc["a:b", "statistic"]) and table.loc["a:b", "df"] == 2
    additive = gt.fit("y ~ a + b + x", data, "binomial")
    ratio = 2 * (model.llf - additive.llf)
    assert model.anova(test="lr").loc["a:b", "statistic"] == pytest.approx(ratio, abs=1e-5)


def test_type_three_of_what_is_finite_is_its_wald_test():
    """A covariate beside a level that is certain: the square of its z, whatever the coding."""
    rng, n = np.random.default_rng(5), 240
    data = pd.DataFrame({"t": rng.choice(list("abc"), n), "x": rng.normal(5, 2, n)})
    data["flag"] = rng.random(n) < 0.4
    data["y"] = np.where(data["t"] == "c", 1, rng.integers(0, 2, n))
    with pytest.warns(gt.SeparationWarning):
        model = gt.fit("y ~ t * flag + x", data, "binomial")
    with pytest.warns(gt.DataWarning, match="no Wald tests of t, flag, t:flag: coeff"):
        table = model.anova(3)
    z = model.tidy().loc["x", "statistic"]
    assert table.loc["x", "statistic"] == pytest.approx(z**2, rel=1e-8)
    with pytest.raises(ValueError, match="needs finite coefficients"):
        model.r2()


def test_the_report_names_what_is_infinite_and_tests_by_likelihood_ratio():
    text = str(quietly("y ~ a * b + x", two_factors(), "binomial").report(versions=False))
    assert "has no finite value: it separates successes from failures." in text
    assert "Type II likelihood-ratio tests of the terms: a: χ²(1)" in text
    assert not re.search(r"\b(inf|nan)\b", text)


def test_bootstrap_intervals_reach_to_infinity_where_replicates_do():
    data = gt.load_data("herds").assign(size=4)
    data["incidence"] = (data["incidence"] > 1).astype(int)
    model = quietly("prop(incidence, size) ~ period", data, "binomial")
    assert not model.separated
    boot = model.bootstrap(n=99)
    infinite = np.isinf(boot.replicates["period[T.4]"])
    assert 0 < infinite.sum() < 50 and boot.n_failed == 0
    assert boot.warning_counts["SeparationWarning"] >= infinite.sum()
    low, high = boot.conf_int(0.9).loc["period[T.4]", ["conf_low", "conf_high"]]
    assert low == -np.inf and np.isfinite(high)


def test_a_separated_fit_is_saved_with_all_that_is_known_of_it():
    model = quietly("y ~ x + t + (1 | g)", counts(), "poisson")
    model.predict(level=0.9)
    loaded = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(loaded.tidy(), model.tidy())
    pd.testing.assert_frame_equal(loaded.predict(level=0.9), model.predict(level=0.9))


def test_a_study_draws_from_finite_coefficients_only():
    model = quietly("y ~ t", counts(), "poisson")
    with pytest.raises(ValueError, match=r"t\[T.d\] have no finite estimate: give them by coef="):
        gt.power(model, n=2)
    study = gt.power(model, coef={"t[T.d]": -6.0}, n=20, terms="t[T.d]", progress=False)
    assert study.n_separated > 0
    assert study.n_failed == 0
    assert "separated" in repr(study)


# ------------------------------------------------------------------ other parts of a model


def test_columns_of_other_parts_of_which_no_row_that_is_left_tells_are_left_out():
    data = counts()
    rest = data[data["t"] != "d"]
    for family, options, name in (
        ("negative_binomial", {"dispersion_formula": "~ t"}, "dispersion formula"),
        ("poisson", {"zero_inflation": "~ t"}, "zero inflation"),
    ):
        with pytest.warns(gt.GlmmWarning):
            model = gt.fit("y ~ x + t", data, family, **options)
        said = " ".join(map(str, model.messages))
        assert re.search(rf"of the {name} is left out.*t\[T.d\]", said)
        right = quietly("y ~ x + t", rest, family, **options)
        assert model.llf == pytest.approx(right.llf, abs=1e-5)
        np.testing.assert_allclose(model.dispersion, right.dispersion, atol=1e-3)
        assert list(model.dispersion.index) == list(right.dispersion.index)
        np.testing.assert_allclose(model.fittedvalues[data["t"] == "d"], 0)
        new = data.groupby("t").head(1)
        np.testing.assert_allclose(model.predict(new)[new["t"] == "d"], 0, atol=0)


def test_extra_zeros_do_not_explain_what_the_mean_explains():
    """Zeros of a level may be extra ones, or of a mean of zero: the second is as likely."""
    data = counts()
    model = quietly("y ~ x + t", data, "poisson", zero_inflation="~ 1")
    right = quietly("y ~ x + t", data[data["t"] != "d"], "poisson", zero_inflation="~ 1")
    assert model.params["t[T.d]"] == -np.inf
    assert model.llf == pytest.approx(right.llf, abs=1e-6)
    assert model.dispersion["zero"] == pytest.approx(right.dispersion["zero"], rel=1e-3)


def test_a_level_without_extra_zeros_or_extra_scatter_is_named():
    """Its coefficient goes to minus infinity; the others are as where it has none to begin with."""
    rng = np.random.default_rng(1)
    t, x = rng.choice(list("abc"), 300), rng.normal(size=300)
    mean = np.exp(1.5 + 0.3 * x)
    y = np.where(rng.random(300) < 0.3, 0, rng.poisson(mean))
    data = pd.DataFrame({"t": t, "x": x, "y": np.where(t == "b", rng.poisson(mean) + 1, y)})
    with pytest.warns(gt.DataWarning, match=r"zero inflation t\[T.b\] has no finite estimate"):
        model = gt.fit("y ~ x", data, "poisson", zero_inflation="~ t")
    assert model.converged
    zeros = model.problem.zero.names.index("t[T.b]")
    table = model.tidy(part="zero")
    assert list(table["std_error"].isna()) == [k == zeros for k in range(3)]

    def loss(p):  # no extra zeros in b
        eta = p[0] + p[1] * x
        zero = np.where(t == "b", 0.0, special.expit(np.where(t == "a", p[2], p[3])))
        density = np.log(
            zero * (data["y"] == 0) + (1 - zero) * stats.poisson.pmf(data["y"], np.exp(eta))
        )
        return -density.sum()

    best = optimize.minimize(loss, [1.5, 0.3, -1.0, -1.0], method="BFGS")
    assert model.llf == pytest.approx(-best.fun, abs=1e-4)

    scattered = rng.poisson(rng.gamma(2, mean / 2))
    data["y"] = np.where(t == "b", np.round(mean), scattered).astype(int)
    with pytest.warns(gt.DataWarning, match=r"dispersion formula t\[T.b\] has no finite estimate"):
        model = gt.fit("y ~ x", data, "negative_binomial", dispersion_formula="~ t")
    assert model.converged


# ------------------------------------------------------------------ beside other things


def test_a_level_that_is_certain_leaves_its_own_slope_unknown_and_the_others_as_they_are():
    data = counts()
    rest = data[data["t"] != "d"]
    options = {"offset": "x", "weights": "w"}
    data, rest = (each.assign(w=1 + each["h"] / 6) for each in (data, rest))
    model, right = (
        quietly("y ~ t * x + (1 | g)", each, "poisson", **options) for each in (data, rest)
    )
    assert model.params["t[T.d]"] == -np.inf
    assert np.isnan(model.params["t[T.d]:x"])  # at x = 0, among the data, only the level is certain
    others = model.params.index.drop(["t[T.d]", "t[T.d]:x"])
    np.testing.assert_allclose(model.params[others], right.params, atol=1e-5)
    np.testing.assert_allclose(model.bse[others], right.bse, rtol=1e-4)
    assert model.llf == pytest.approx(right.llf, abs=1e-6)


def test_columns_that_others_determine_are_left_out_beside_separation():
    data = two_factors()
    data = data[(data["a"] != "k") | (data["b"] != "p")]
    rest = data[(data["a"] != "l") | (data["b"] != "s")]
    model, right = (quietly("y ~ b * a + x", each, "binomial") for each in (data, rest))
    assert model.problem.design.rank.left_out and model.separated
    assert model.llf == pytest.approx(right.llf, abs=1e-6)
    new = pd.DataFrame({"a": ["k", "k", "l", "l"], "b": ["p", "q", "q", "s"], "x": 0.0})
    with pytest.warns(gt.DataWarning, match="means of 1 row of 4 are not estimable"):
        found = model.predict(new)
    assert np.isnan(found[0]) and found[3] == 1
    np.testing.assert_allclose(found[1:3], right.predict(new.iloc[1:3]), atol=1e-6)


@pytest.mark.parametrize("engine", ["laplace", "statsmodels"])
def test_where_no_column_is_left_the_rows_that_are_left_have_the_mean_of_the_offset(engine):
    x, y = np.r_[np.zeros(10), np.ones(10)], np.r_[[0, 1] * 5, np.ones(10)]
    model = quietly("y ~ 0 + x", pd.DataFrame({"x": x, "y": y}), "binomial", engine=engine)
    assert model.params["x"] == np.inf
    assert model.llf == pytest.approx(10 * np.log(0.5))
    end = -np.log(np.expm1(stats.chi2.ppf(0.95, 1) / 20))
    np.testing.assert_allclose(
        model.conf_int(method="profile").loc["x"], [np.inf, end, np.inf], rtol=1e-5
    )
