"""Random terms in the zero part: against glmmTMB and other judges, and what every verb says.

`tests/reference/zero_random.json` holds R's fits of fourteen models, with predictions of five rows.
"""

import itertools
import json
import pickle
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import glmmtools as gt
from glmmtools.engine.marginals import marginal_of
from glmmtools.engine.start import starting_point
from glmmtools.fitted.build import build_problem
from glmmtools.residuals.refitted import Refits
from tests.dense_laplace import Rows, laplace_of_two
from tests.quiet_fits import quietly
from tests.slow import some_slow

REFERENCE = json.loads(
    (Path(__file__).parent / "reference" / "zero_random.json").read_text("utf-8")
)
MODELS = {model["id"]: model for model in REFERENCE["models"]}
DATA = pd.DataFrame(REFERENCE["data"])
IN_ZEROS = "logit zero: sd site Intercept"


@cache
def fitted(name):
    model = MODELS[name]
    options = {key: model[key] for key in ("zero_inflation", "dispersion_formula") if model[key]}
    formula = f"{model['response']} ~ {model['right']}"
    return gt.fit(formula, DATA, model["family"], link=model["link"], **options)


@pytest.fixture
def m():
    return fitted("poisson_both")


# ---- the fit -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_fits_are_those_of_glmmtmb(name):
    """The log-likelihood to 1e-6, coefficients, their errors and standard deviations to 1e-4."""
    model, m = MODELS[name], fitted(name)
    assert m.converged and not m.singular
    assert m.llf == pytest.approx(model["llf"], abs=1e-6)
    parts = {"mean": model["beta"], "zero": model["zero"]}
    if "dispersion" in model:  # R's is of log(1 / phi)
        parts["dispersion"] = {**model["dispersion"]}
        parts["dispersion"]["estimate"] = -np.array(model["dispersion"]["estimate"])
    for part, there in parts.items():
        table, errors = m.tidy(part=part), np.atleast_1d(there["se"])
        np.testing.assert_allclose(
            table["estimate"], np.atleast_1d(there["estimate"]), atol=1e-4 * errors.min()
        )
        np.testing.assert_allclose(table["std_error"], errors, rtol=1e-4)
    if "phi" in model:
        assert m.dispersion["phi"] == pytest.approx(model["phi"], rel=1e-4)
    sds = m.variance_components.groupby("part")["sd"].apply(list)
    for part, there in (("mean", model.get("mean_effects")), ("zero", model["zero_effects"])):
        if there:
            np.testing.assert_allclose(sds[part], np.atleast_1d(there["sds"]), rtol=1e-4)
    if "corr" in model["zero_effects"]:
        corr = gt.FittedModel.random_covariance(m, "site", part="zero")
        corr = corr.iloc[0, 1] / np.sqrt(np.prod(np.diag(corr)))
        assert corr == pytest.approx(model["zero_effects"]["corr"], abs=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_glmmtmb(name):
    """Conditional ones, of old rows and the same as new ones, with their standard errors."""
    model, m = MODELS[name], fitted(name)
    for part, key in ((None, "response"), ("mean", "mean"), ("zero", "zero")):
        there = model["predicted"][key]
        for rows in (m.predict(DATA.iloc[:5], level=0.95, part=part),
                     m.predict(level=0.95, part=part).iloc[:5]):  # fmt: skip
            np.testing.assert_allclose(rows["estimate"], there["estimate"], rtol=1e-6)
            # R differences its Hessian, by which an inverse link is off
            rtol = 2e-3 if model["link"] == "inverse" else 1e-4
            np.testing.assert_allclose(rows["std_error"], there["se"], rtol=rtol)
    effects = m.random_effects[m.random_effects["part"] == "zero"]
    for group, there in model["zero_modes"].items():
        own = effects[(effects["group"] == group) & (effects["term"] == "Intercept")]
        own = own.set_index("level")["estimate"]
        np.testing.assert_allclose(own[there["level"]], there["value"], atol=1e-4)


@pytest.mark.parametrize("name", ["hurdle_poisson", "gamma", "beta_other_group"])
def test_two_parts_are_a_binomial_model_and_one_of_the_other_values(name):
    """Their log-likelihoods add up, their estimates are those of the two fits."""
    model, m = MODELS[name], fitted(name)
    y, zeros = DATA[model["response"]], model["zero_inflation"].removeprefix("~ ")
    of_zeros = gt.fit(f"zero ~ {zeros}", DATA.assign(zero=1 * (y == 0)), "binomial")
    rest = gt.fit(m.formula, DATA[y > 0], m.family.name, link=m.link.name)
    assert m.llf == pytest.approx(of_zeros.llf + rest.llf, abs=1e-6)
    for part, alone in (("mean", rest), ("zero", of_zeros)):
        np.testing.assert_allclose(
            m.tidy(part=part)[["estimate", "std_error"]],
            alone.tidy()[["estimate", "std_error"]], rtol=1e-4, atol=1e-6,
        )  # fmt: skip
        sds = m.variance_components.query("part == @part")["sd"].tolist()
        own = alone.variance_components
        assert sds == pytest.approx(own[own["group"] != "Residual"]["sd"].tolist(), rel=1e-4)
    effects = m.random_effects.query("part == 'zero'").drop(columns="part")
    pd.testing.assert_frame_equal(
        effects.reset_index(drop=True), of_zeros.random_effects, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("family", "zeros"),
    [("poisson", "~ x + (1 | site)"), ("nbinom1", "~ f + (x | year)"),
     ("negative_binomial", "~ x + (x || site) + (1 | year)"), ("genpois", "~ 1 + (1 | year)"),
     ("truncated_negative_binomial", "~ x + (1 | site)"), ("poisson", "~ 1 + cs(f | site)")],
)  # fmt: skip
def test_the_gradient_is_that_of_the_value(family, zeros):
    """Away from the maximum, of one vector and of several at once."""
    data = DATA.iloc[:180].assign(w=np.linspace(0.5, 2, 180))
    dispersion = "~ x" if "phi" in gt.family(family).shape else None
    problem = build_problem(
        "count ~ x + (1 | site)", data, family, None, None, "w", dispersion, zeros, False, 1
    )
    marginal = marginal_of(problem)
    rng = np.random.default_rng(3)
    vector = starting_point(marginal) + rng.normal(0, 0.1, marginal.size)
    value, gradient = marginal.value_and_gradient(vector)
    steps = np.eye(marginal.size) * 1e-4
    differences = [
        (marginal.value_at(vector + step) - marginal.value_at(vector - step)) / 2e-4
        for step in steps
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-4)
    values, gradients = marginal.value_and_gradient(np.array([vector, vector + 0.01]))
    assert values[0] == pytest.approx(value, abs=1e-8)
    np.testing.assert_allclose(gradients[0], gradient, atol=1e-6)


@pytest.mark.parametrize("name", ["poisson_both", "nbinom2_both", "hurdle_poisson", "gamma"])
def test_the_likelihood_is_that_of_a_dense_calculation(name):
    model, m = MODELS[name], fitted(name)
    same = (DATA["site"].to_numpy()[:, None] == DATA["site"].to_numpy()).astype(float)
    variances = m.variance_components.set_index("part")["variance"]
    rows = Rows(
        DATA[model["response"]].to_numpy(float), model["family"], model["link"],
        phi=m.dispersion.get("phi", 1.0),
    )  # fmt: skip
    logit = m.problem.zero.X @ m.estimate.predictors["zero"]
    K = [variances[part] * same for part in ("mean", "zero")]
    dense = laplace_of_two(rows, (m.design.X @ m.estimate.beta, logit), K)
    assert m.llf == pytest.approx(dense, abs=1e-6)


def test_one_group_is_an_integral():
    """With a mean of known effects the likelihood of a site is an integral over one effect."""
    data = DATA[["count", "site", "x"]]
    m = gt.fit("count ~ x", data, "poisson", zero_inflation="~ 1 + (1 | site)")
    sd, logit = m.variance_components["sd"].iloc[0], m.estimate.predictors["zero"][0]
    mu = np.exp(m.design.X @ m.estimate.beta)
    own = stats.poisson.pmf(data["count"], mu)

    b = np.linspace(-9, 9, 4001)
    p = special.expit(logit + sd * b)
    exact = 0.0
    for rows in data.groupby("site").indices.values():
        zero = data["count"].to_numpy()[rows, None] == 0
        log_density = np.log(np.where(zero, p, 0) + (1 - p) * own[rows, None]).sum(axis=0)
        exact += special.logsumexp(log_density + stats.norm.logpdf(b)) + np.log(b[1] - b[0])
    # Laplace's error in 40 groups of 12: above the resolution of a wrong formula by far
    assert m.llf == pytest.approx(exact, abs=0.5)


def test_weights_are_copies_of_rows():
    data = DATA.iloc[:240].assign(w=1 + np.arange(240) % 2)
    copied = data.loc[data.index.repeat(data["w"])]
    call = "count ~ x + (1 | site)", "poisson"
    weighted = gt.fit(call[0], data, call[1], zero_inflation="~ x + (1 | site)", weights="w")
    plain = gt.fit(call[0], copied, call[1], zero_inflation="~ x + (1 | site)")
    assert weighted.llf == pytest.approx(plain.llf, abs=1e-6)
    np.testing.assert_allclose(weighted.tidy(), plain.tidy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("sd", some_slow(range(3), lambda sd: sd != 1))
def test_no_fit_is_below_the_models_that_it_contains(sd):
    rng = np.random.default_rng(sd)
    g = np.repeat(np.arange(10), 8)
    zero = rng.random(80) < special.expit(rng.normal(0, sd, 10)[g] - 0.5)
    y = np.where(zero, 0, rng.poisson(np.exp(0.7 + rng.normal(0, 0.5, 10)[g])))
    data = {"y": y, "g": [f"g{k}" for k in g]}
    llf = {}
    for mean, zeros in itertools.product(("1", "1 + (1 | g)"), repeat=2):
        m = quietly(f"y ~ {mean}", data, "poisson", zero_inflation=f"~ {zeros}")
        llf[mean, zeros] = m.llf if m.converged else np.nan
    both = llf.pop(("1 + (1 | g)", "1 + (1 | g)"))
    assert np.isnan(both) or both > np.nanmax(list(llf.values())) - 1e-3


def test_a_variance_of_zero_is_named_with_its_part():
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(20), 10)
    mean = np.exp(2 + rng.normal(0, 0.4, 20)[g])
    y = np.where(np.arange(200) % 10 < 3, 0, rng.poisson(mean))  # as many in every group
    data = {"y": y, "g": [f"g{k}" for k in g]}
    with pytest.warns(gt.SingularFitWarning, match=r"zero in \(1 \| g\) of zero_inflation"):
        m = gt.fit("y ~ 1 + (1 | g)", data, "poisson", zero_inflation="~ 1 + (1 | g)")
    without = gt.fit("y ~ 1 + (1 | g)", data, "poisson", zero_inflation="~ 1")
    assert m.converged and m.llf == pytest.approx(without.llf, abs=1e-6)


def test_terms_of_the_zeros_that_take_each_others_part_are_named_and_counted_once():
    both, one = (
        quietly("count ~ x", DATA, "poisson", zero_inflation=f"~ 1 + {terms}")
        for terms in ("(1 | site) + (x | site)", "(x | site)")
    )
    assert both.llf == pytest.approx(one.llf, abs=1e-4)
    assert both.df_model == one.df_model
    named = "cannot tell (1 | site) of zero_inflation from (x | site) of zero_inflation"
    assert any(named in str(message) for message in both.messages)
    assert not any("cannot tell" in str(message) for message in one.messages)


def test_separated_rows_are_left_to_the_limit():
    """A level without any count: its coefficient is infinite, all else that of the other rows."""
    data = DATA.assign(
        k=np.where(DATA.index % 3 == 0, "none", "some"),
        y=np.where(DATA.index % 3 == 0, 0, DATA["count"]),
    )
    call = "y ~ k + x + (1 | site)", "poisson"
    with pytest.warns(gt.SeparationWarning, match=r"k\[T.some\]"):
        m = gt.fit(call[0], data, call[1], zero_inflation="~ x + (1 | site)")
    rest = gt.fit("y ~ x + (1 | site)", data[data["k"] == "some"], call[1],
                  zero_inflation="~ x + (1 | site)")  # fmt: skip
    assert m.llf == pytest.approx(rest.llf, abs=1e-6)
    np.testing.assert_allclose(m.tidy(part="zero"), rest.tidy(part="zero"), rtol=1e-4)
    assert np.all(m.simulate(3)[:, data["k"] == "none"] == 0)
    assert np.all(m.fittedvalues[data["k"] == "none"] == 0)
    p = m.predict(part="zero", level=0.95)
    assert np.isfinite(p.to_numpy()).all()


WRONG = {
    "quadrature": ({"nagq": 9}, "with random terms in zero_inflation the integrals are Laplace's"),
    "no intercept": ({"zero_inflation": "~ 0 + (1 | site)"}, r"as in '~ 1 \+ \(1 \| site\)'"),
    "an offset": ({"zero_inflation": "~ offset(x) + (1 | site)"}, "no offset, as in"),
    "a dispersion": ({"dispersion_formula": "~ (1 | site)"}, "dispersion_formula has no random"),
    "single rows": (
        {"zero_inflation": "~ 1 + (1 | row)"}, r"\(1 \| row\) of zero_inflation has 480 random"
    ),
    "twice": ({"zero_inflation": "~ 1 + (1 | site) + (1 | site)"}, "is there twice"),
    "no such column": ({"zero_inflation": "~ 1 + (1 | plot)"}, "there is no column 'plot'"),
    "no parentheses": ({"zero_inflation": "~ 1 | site"}, "is misplaced"),
    "subtracted": ({"zero_inflation": "~ x - (1 | site)"}, "cannot be subtracted"),
    "statsmodels": ({"engine": "statsmodels"}, "has no negative_binomial family"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_has_no_fit_is_refused_in_a_sentence(case):
    options, match = WRONG[case]
    options = {"zero_inflation": "~ x + (1 | site)"} | options
    data = DATA.assign(row=DATA.index.astype(str))
    with pytest.raises(ValueError, match=match):
        gt.fit("clustered ~ x + (1 | site)", data, "negative_binomial", **options)


def test_a_missing_group_label_drops_its_row():
    year = DATA["year"].where(DATA.index != 5)
    m = gt.fit("count ~ x", DATA.assign(year=year), "poisson", zero_inflation="~ 1 + (1 | year)")
    assert m.nobs == len(DATA) - 1 and m.n_dropped == 1


# ---- tables --------------------------------------------------------------------------------------


def test_tables_say_which_part_an_effect_is_of(m):
    components = m.variance_components
    assert components[["part", "group"]].to_numpy().tolist() == [["mean", "site"], ["zero", "site"]]
    effects = m.random_effects
    assert list(effects.columns[:4]) == ["part", "group", "level", "term"]
    assert effects["part"].value_counts().to_dict() == {"mean": 40, "zero": 40}
    assert "part" not in fitted("nbinom2_both").update(zero_inflation="~ x").random_effects
    for part, variance in zip(("mean", "zero"), components["variance"], strict=True):
        assert m.random_covariance("site", part=part).iloc[0, 0] == pytest.approx(variance)
        V = m.covariance([0, 1, 20], part=part).to_numpy()
        np.testing.assert_allclose(V, variance * np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]))
    assert m.df_model == 7 and list(m.conf_int(method="profile").index) == [
        "Intercept", "x", "f[T.b]", "sd site Intercept", IN_ZEROS, "logit zero: Intercept",
        "logit zero: x",
    ]  # fmt: skip


def test_the_summary_names_the_part(capsys, m):
    m.summary()
    text = capsys.readouterr().out
    assert "zero: site  Intercept   0.5403  0.7351" in text
    assert "site: 40 levels" in text


def test_the_equation_has_the_effects_of_both_parts(m):
    text = str.__str__(m.equation())
    assert r"\text{count}_i \mid \mathbf{u} &= 0" in text
    assert (
        r"\operatorname{logit}(\pi_i) &= \gamma_{0} + \gamma_{1}\,\text{x}_i + v_{\text{site}[i]}"
        in text
    )
    assert r"v_{\text{site}} &\sim \mathrm{N}(0, \sigma^2_{v,\text{site}})" in text
    only = str.__str__(fitted("poisson_zero_only").equation())
    assert r"+ u_{\text{site}[i]}" in only and r"\mathrm{N}(0, \sigma^2_{\text{site}})" in only


def test_the_report_tells_the_variances_apart(m):
    text = str(m.report())
    assert (
        "extra zeros whose logit is linear in x and random intercepts of site (40 levels)." in text
    )
    assert "The standard deviation, on the log scale, was 0.511 for site (intercept)." in text
    assert "The standard deviation of the logit of an extra zero was 0.735 for site" in text
    constant = str(fitted("nbinom2_zero_only").report())
    assert "The coefficient of the logit of the probability of an extra zero was" in constant


def test_a_table_of_models_has_both_variances(m):
    text = str(gt.table(m))
    assert "sd site Intercept (zero)" in text and "0.735" in text


# ---- predictions and draws -----------------------------------------------------------------------


def test_marginal_means_average_over_the_effects_of_both_parts(m):
    """The probability by quadrature, the mean in closed form; their product is that of y."""
    rows = DATA.iloc[:4]
    sd = m.variance_components["sd"]
    logit = m.predict(rows, part="zero", scale="link", effects="population")
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    p = special.expit(logit.to_numpy()[:, None] + sd[1] * nodes) @ weights / weights.sum()
    mu = m.predict(rows, part="mean", effects="population") * np.exp(sd[0] ** 2 / 2)
    np.testing.assert_allclose(m.predict(rows, part="zero", effects="marginal"), p, rtol=1e-6)
    np.testing.assert_allclose(m.predict(rows, effects="marginal"), (1 - p) * mu, rtol=1e-6)
    means = m.means("f", effects="marginal").frame["estimate"]
    at = DATA.iloc[:2].assign(x=DATA["x"].mean(), f=["a", "b"])
    np.testing.assert_allclose(means, m.predict(at, effects="marginal"), rtol=1e-6)
    zeros = m.means("x", at={"x": [0, 1]}, part="zero", effects="marginal").frame["estimate"]
    at = DATA.iloc[:2].assign(x=[0, 1])
    expected = m.predict(at, part="zero", effects="marginal")
    np.testing.assert_allclose(zeros, expected, rtol=1e-6)


@pytest.mark.parametrize("effects", ["marginal", "population", "conditional"])
@pytest.mark.parametrize("part", [None, "zero"])
def test_standard_errors_are_those_of_the_delta_method(m, effects, part):
    """By differences of all parameters, at modes that follow them, beside their covariance."""
    rows = DATA.iloc[:3]
    table = m.predict(rows, effects=effects, part=part, level=0.95)
    joint = m.joint
    steps = np.sqrt(np.diag(joint.covariance)) * 1e-3

    def predicted(vector):
        marginal = joint.marginal
        solution = marginal.solve(vector)
        at = joint._parameters(vector, solution)
        terms, zeros = (
            tuple(
                replace(term, covariance=G, modes=b)
                for term, G, b in zip(found, covariances, modes, strict=True)
            )
            for found, covariances, modes in (
                (m.estimate.terms, at.covariances, at.modes),
                (m.estimate.zero_terms, at.zero_covariances, at.zero_modes),
            )
        )
        estimate = replace(
            m.estimate, beta=at.beta, predictors=at.predictors, terms=terms, zero_terms=zeros
        )
        return gt.FittedModel(m.problem, estimate).predict(rows, effects=effects, part=part)

    slopes = np.array([
        (predicted(joint.vector + step) - predicted(joint.vector - step)) / (2 * step.max())
        for step in np.diag(steps)
    ])  # fmt: skip
    through = np.einsum("ki,kl,li->i", slopes, joint.covariance, slopes)
    if effects != "conditional":
        np.testing.assert_allclose(table["std_error"], np.sqrt(through), rtol=1e-4)
    else:  # and the variance of the effects, given the parameters
        assert np.all(table["std_error"] > np.sqrt(through))


def test_labels_of_the_zeros_groups_that_the_fit_has_not_seen_get_their_variance():
    m = fitted("poisson_other_group")
    rows = DATA.iloc[:3]
    with pytest.warns(gt.DataWarning, match=r"labels of 'year': y99"):
        new = m.predict(rows.assign(year="y99"), part="zero", scale="link", level=0.95)
    population = m.predict(rows, part="zero", scale="link", effects="population", level=0.95)
    variance = m.variance_components["variance"].iloc[1]
    np.testing.assert_allclose(new["estimate"], population["estimate"])
    np.testing.assert_allclose(
        new["std_error"] ** 2, population["std_error"] ** 2 + variance, rtol=1e-3
    )
    with pytest.raises(ValueError, match="no column 'year'"):
        m.predict(rows.drop(columns="year"))
    both = m.predict(rows.drop(columns="year"), part="mean")
    np.testing.assert_allclose(both, m.predict(part="mean").iloc[:3])
    alone = m.predict(rows.drop(columns=["year", "site"]), effects="marginal")
    np.testing.assert_allclose(alone, m.predict(effects="marginal").iloc[:3])


def test_draws_have_the_means_and_the_zeros_of_the_model(m):
    """Within 5 Monte-Carlo standard errors of 8,000 data sets, also of two rows of one site."""
    n = 8000
    sd, rows = m.variance_components["sd"].to_numpy(), [0, 1]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    X, zero = m.design.X, m.problem.zero
    p = special.expit((zero.X @ m.estimate.predictors["zero"])[rows, None] + sd[1] * nodes)
    mu = np.exp((X @ m.estimate.beta)[rows, None] + sd[0] * nodes)
    own = np.exp(-mu)
    # of both: the product of the chances given the effects of the two parts
    none = p[:, :, None] + (1 - p[:, :, None]) * own[:, None, :]
    expected = np.einsum("ij,i,j->", none[0] * none[1], weights, weights)
    draws = {
        "marginal": m.simulate(n, seed=4), "conditional": m.simulate(n, seed=4, conditional=True)
    }  # fmt: skip
    both = (draws["marginal"][:, rows] == 0).all(axis=1).mean()
    assert abs(both - expected) < 5 * np.sqrt(expected * (1 - expected) / n)
    for effects, y in draws.items():
        y = y[:, :20]
        mean = m.predict(effects=effects).to_numpy()[:20]
        assert np.all(np.abs(y.mean(axis=0) - mean) < 5 * y.std(axis=0) / np.sqrt(n))
    p = m.extra_zero_probability()
    np.testing.assert_allclose(p, m.predict(part="zero"))
    pearson = m.resid("pearson").iloc[0]
    y = draws["conditional"][:, 0]
    variance = ((m.design.y[0] - m.fittedvalues.iloc[0]) / pearson) ** 2
    deviations = (y - m.fittedvalues.iloc[0]) ** 2
    assert abs(deviations.mean() - variance) < 5 * deviations.std() / np.sqrt(n)


@pytest.mark.parametrize("name", ["poisson_both", "hurdle_poisson", "poisson_zero_only"])
def test_refits_of_the_simulated_residuals_are_near_full_ones(name):
    """The means of zeros and of values that a data set is judged by, three scoring steps on."""
    m = fitted(name)
    rows = Refits(m, 3, 5, steps=3).rows()
    for k in range(3):
        again = m.refit(rows.y[k])
        np.testing.assert_allclose(rows.extra[k], again.extra_zero_probability(), atol=0.03)
        mu = m.family.clipped_mean(again.linear_predictor.to_numpy(), m.link)
        np.testing.assert_allclose(rows.mu[k], mu, rtol=0.05)


@pytest.mark.parametrize("conditional", [True, False])
def test_simulated_residuals_are_uniform_of_the_right_model_only(m, conditional):
    right = m.simulated_residuals(n=100, conditional=conditional)
    assert right.test_uniformity().p_value > 0.01
    assert right.test_dispersion().p_value > 0.01
    assert right.test_zeros().p_value > 0.01
    no_zeros = gt.fit("count ~ x + f + (1 | site)", DATA, "poisson")
    assert no_zeros.simulated_residuals(n=100, conditional=conditional).test_zeros().p_value < 0.05


# ---- tests, comparisons, other fits --------------------------------------------------------------


def test_terms_of_the_zeros_are_tested_by_wald_and_by_likelihood_ratio(m):
    wald, ratio = (m.anova(part="zero", test=test).loc["x"] for test in ("wald", "lr"))
    z = m.tidy(part="zero").loc["x", "statistic"]
    assert wald["statistic"] == pytest.approx(z**2)
    without = m.update(zero_inflation="~ 1 + (1 | site)")
    assert ratio["statistic"] == pytest.approx(2 * (m.llf - without.llf), abs=1e-5)
    # the zeros' own terms go by z
    assert np.isinf(m.tidy(part="zero")["df"]).all()
    assert not m.means("x", at={"x": [0]}, part="zero").messages


def test_compare_knows_a_variance_of_the_zeros(m):
    without = m.update(zero_inflation="~ x")
    row = gt.compare(m, without).loc[2]
    assert row["reference"] == "0.5 chi2(0) + 0.5 chi2(1)" and row["df"] == 1
    assert row["p_value"] == pytest.approx(0.5 * stats.chi2.sf(row["statistic"], 1))
    assert row["formula"].endswith("zero inflation ~ x + (1 | site)")
    other = m.update(data=DATA, zero_inflation="~ x + (1 | year)")
    assert gt.compare(m, other)["against"].tolist() == ["", ""]
    both = fitted("poisson_two_groups")
    assert gt.compare(m, both).loc[2, "reference"] == "0.5 chi2(0) + 0.5 chi2(1)"
    # effects of the mean are no special case of those of the zeros
    swapped = gt.fit("count ~ x + f", DATA, "poisson", zero_inflation="~ x + (1 | site)")
    only_mean = gt.fit("count ~ x + f + (1 | site)", DATA, "poisson", zero_inflation="~ x")
    assert gt.compare(swapped, only_mean)["against"].tolist() == ["", ""]


def test_updates_and_copies_keep_the_terms(m):
    smaller = m.update(". ~ . - f")
    assert smaller.problem.zero.written == "x + (1 | site)"
    assert fitted("hurdle_nbinom2").update(". ~ . - f").problem.zero.written == "x + (x || site)"
    again = pickle.loads(pickle.dumps(m))
    pd.testing.assert_frame_equal(again.tidy(), m.tidy())
    pd.testing.assert_series_equal(again.predict(DATA.iloc[:2]), m.predict(DATA.iloc[:2]))
    assert m.refit(m.design.y).llf == pytest.approx(m.llf, abs=1e-8)


def test_profiles_and_bootstrap_have_the_standard_deviation(m):
    """Where the profile ends the likelihood has fallen by half the chi-square quantile."""
    low, high = m.conf_int(method="profile").loc[IN_ZEROS, ["conf_low", "conf_high"]]
    assert low < m.variance_components["sd"].iloc[1] < high
    marginal = marginal_of(m.problem)
    vector, place = marginal.vector_of(m.estimate), marginal.names["theta"].start + 1
    from glmmtools.engine.search import maximise

    vector[place] = high
    free = np.arange(marginal.size) != place

    def held(points):
        whole = np.tile(vector, (*points.shape[:-1], 1)) if points.ndim > 1 else vector.copy()
        whole[..., free] = points
        value, gradient = marginal.value_and_gradient(whole)
        return value, gradient[..., free]

    fall = m.llf - maximise(held, vector[free]).value
    assert fall == pytest.approx(stats.chi2.ppf(0.95, 1) / 2, abs=1e-3)
    boot = m.bootstrap(n=9, seed=1)
    assert boot.n_failed == 0 and IN_ZEROS in boot.frame.index


def test_influence_and_pooling(m):
    change = m.influence("site").change
    left = gt.fit(
        m.formula, DATA[DATA["site"] != "s1"], "poisson", zero_inflation="~ x + (1 | site)"
    )
    sds = left.variance_components["sd"].to_numpy() - m.variance_components["sd"].to_numpy()
    np.testing.assert_allclose(change.loc["s1", ["sd site Intercept", IN_ZEROS]], sds, atol=1e-4)
    table = m.pooling().set_index("level")
    effects = m.random_effects.query("part == 'mean'").set_index("level")["estimate"]
    mean = np.mean(m.design.X @ m.estimate.beta)
    np.testing.assert_allclose(table["partial_pooling"], np.exp(mean + effects), rtol=1e-6)


def test_what_is_of_one_variance_is_refused(m):
    for verb in (m.r2, m.icc):
        with pytest.raises(ValueError, match="with random terms in zero_inflation= the response"):
            verb()
    only = fitted("poisson_zero_only")
    for verb in (only.pooling, only.plot_covariance, lambda: only.random_covariance("site")):
        with pytest.raises(ValueError, match="of the zeros are given by part='zero'"):
            verb()


def test_studies_draw_and_fit_such_models(m):
    study = gt.recovery_study(m, n=4, seed=1, along="site", sizes=[50])
    row = study.frame.set_index("effect").loc[IN_ZEROS]
    assert row["true"] == pytest.approx(m.variance_components["sd"].iloc[1])
    assert row["n"] == 4


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="needs R")
def test_r_gives_the_same_numbers():
    table = gt.cross_check(fitted("hurdle_nbinom2"), r=True)
    assert "R" in table and table["spread"].max() < 1e-3
    assert "logit zero: sd site x" in table.index


def test_pictures_show_the_effects_of_both_parts(m):
    axes = m.plot_random_effects()
    titles = [ax.get_title(loc="left") for ax in axes]
    assert titles == ["site", "site, probability of an extra zero"]
    assert axes[1].get_xlabel() == "Intercept: effect (log odds)"
    zeros = m.random_effects.query("part == 'zero'")["estimate"]
    drawn = np.asarray(axes[1].containers[0].lines[0].get_xdata(), float)
    np.testing.assert_allclose(drawn, np.sort(zeros))
    assert m.plot_random_effects(part="zero").get_title(loc="left") == titles[1]
    other = fitted("poisson_other_group")
    assert other.plot_random_effects("year").get_title(loc="left").startswith("year, prob")
    assert len(fitted("poisson_zero_only").plot_effects("x", effects="conditional").lines) > 30
