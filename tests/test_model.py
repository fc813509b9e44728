import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import glmmtools as gt

TABLE_COLUMNS = [
    "estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high",
]  # fmt: skip


@pytest.fixture(scope="module")
def herds():
    return gt.load_data("herds")


@pytest.fixture(scope="module")
def herds_model(herds):
    return gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")


@pytest.fixture(scope="module")
def sleep_model():
    data = gt.load_data("sleep")
    return gt.fit("reaction ~ days + (days | subject)", data, reml=True)


def test_four_ways_to_write_the_same_binomial_data_give_the_same_fit(herds, herds_model):
    herds = herds.assign(
        healthy=herds["size"] - herds["incidence"], share=herds["incidence"] / herds["size"]
    )
    single = herds.loc[herds.index.repeat(herds["size"])].copy()
    rank = single.groupby(level=0).cumcount()
    single["sick"] = (rank < single["incidence"]).astype(int)
    single["state"] = np.where(single["sick"] == 1, "sick", "healthy")
    rhs = "period + (1 | herd)"
    same = [
        gt.fit(f"cbind(incidence, healthy) ~ {rhs}", herds, "binomial"),
        gt.fit(f"share ~ {rhs}", herds, "binomial", weights="size"),
        gt.fit(f"share ~ {rhs}", herds, "binomial", weights=herds["size"].to_numpy()),
        gt.fit(f"sick ~ {rhs}", single.reset_index(), "binomial"),
        gt.fit(f"sick ~ {rhs}", single.assign(sick=single["sick"].astype(bool)), "binomial"),
        gt.fit(f"state ~ {rhs}", single, "binomial"),
    ]
    for model in same:
        np.testing.assert_allclose(model.params, herds_model.params, atol=2e-5)
        np.testing.assert_allclose(model.bse, herds_model.bse, rtol=1e-4)
    assert "a success is 'sick'" in repr(same[-1])


def test_the_table_of_fixed_effects_has_the_course_columns_and_is_the_source_of_the_accessors(
    herds_model,
):
    table = herds_model.tidy()
    assert list(table.columns) == TABLE_COLUMNS
    assert table.index.name == "term"
    pd.testing.assert_series_equal(table["estimate"], herds_model.params, check_names=False)
    np.testing.assert_allclose(table["p_value"], 2 * stats.norm.sf(np.abs(table["statistic"])))
    half = stats.norm.ppf(0.975) * table["std_error"]
    np.testing.assert_allclose(table["conf_high"] - table["estimate"], half)
    narrow = herds_model.conf_int(0.5)
    assert (narrow["conf_high"] < table["conf_high"]).all()
    np.testing.assert_allclose(np.sqrt(np.diag(herds_model.cov_params())), herds_model.bse)


def test_normal_models_test_with_satterthwaite_degrees_of_freedom(sleep_model):
    """lmerTest gives 17 df for both coefficients of this balanced design."""
    table = sleep_model.tidy()
    np.testing.assert_allclose(table["df"], 17, atol=0.01)
    np.testing.assert_allclose(
        table["p_value"], 2 * stats.t.sf(np.abs(table["statistic"]), table["df"]), rtol=1e-6
    )


def test_information_criteria_follow_from_the_log_likelihood(herds_model):
    assert herds_model.df_model == 5
    assert herds_model.aic == pytest.approx(-2 * herds_model.llf + 10)
    assert herds_model.bic == pytest.approx(-2 * herds_model.llf + 5 * np.log(56))
    row = herds_model.glance().iloc[0]
    assert (row["nobs"], row["df_resid"], row["converged"]) == (56, 51, True)


def test_variance_components_end_with_the_residual_of_a_normal_model(sleep_model):
    table = sleep_model.variance_components
    assert list(table["group"]) == ["subject", "subject", "Residual"]
    np.testing.assert_allclose(table["variance"], table["sd"] ** 2)
    G = sleep_model.random_covariance("subject")
    assert G.loc["Intercept", "days"] == pytest.approx(
        table["corr"][1] * table["sd"][0] * table["sd"][1]
    )
    assert sleep_model.dispersion["residual sd"] == pytest.approx(table["sd"].iloc[-1])


def test_fitted_values_are_the_inverse_link_of_fixed_part_plus_modes(herds, herds_model):
    modes = herds_model.random_effects.set_index("level")["estimate"]
    dummies = pd.get_dummies(herds["period"], dtype=float).to_numpy(copy=True)
    dummies[:, 0] = 1
    eta = dummies @ herds_model.params.to_numpy() + modes[herds["herd"].astype(str)].to_numpy()
    np.testing.assert_allclose(herds_model.fittedvalues, 1 / (1 + np.exp(-eta)))
    np.testing.assert_allclose(herds_model.predict(), herds_model.fittedvalues)
    np.testing.assert_allclose(
        herds_model.resid(), herds["incidence"] / herds["size"] - herds_model.fittedvalues
    )


def test_prediction_levels_differ_in_the_random_effects(herds, herds_model):
    new = pd.DataFrame({"period": ["1", "1"], "herd": ["1", "a new herd"]})
    with pytest.warns(gt.DataWarning, match="not seen these labels of 'herd': a new herd"):
        conditional = herds_model.predict(new)
    population = herds_model.predict(new, effects="population")
    assert conditional[0] > population[0]
    assert conditional[1] == pytest.approx(population[1])
    without_herd = herds_model.predict(new[["period"]], effects="population", scale="link")
    np.testing.assert_allclose(without_herd, herds_model.params["Intercept"])


def test_marginal_predictions_average_over_the_random_effects(herds_model):
    """Against adaptive numerical integration of the inverse logit over the normal density."""
    new = pd.DataFrame({"period": ["1"], "herd": ["1"]})
    mean, sd = herds_model.params["Intercept"], herds_model.variance_components["sd"][0]
    expected, _ = integrate.quad(
        lambda u: stats.norm.pdf(u, 0, sd) / (1 + np.exp(-mean - u)), -8 * sd, 8 * sd, epsabs=1e-12
    )
    assert herds_model.predict(new, effects="marginal")[0] == pytest.approx(expected, rel=1e-9)


def test_pearson_residuals_are_divided_by_the_standard_deviation_of_the_family(herds, herds_model):
    mu = herds_model.fittedvalues
    sd = np.sqrt(herds["size"] * mu * (1 - mu))
    expected = (herds["incidence"] - herds["size"] * mu) / sd
    np.testing.assert_allclose(herds_model.resid("pearson"), expected)


def test_weights_of_counts_multiply_the_log_likelihood():
    data = gt.load_data("epilepsy").iloc[60:160]
    twice = pd.concat([data, data])
    formula = "seizures ~ treatment + period + (1 | subject)"
    weighted = gt.fit(formula, data, "poisson", weights=np.full(len(data), 2.0))
    repeated = gt.fit(formula, twice, "poisson")
    np.testing.assert_allclose(weighted.params, repeated.params, atol=1e-5)
    np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-4)


@pytest.mark.parametrize(
    ("family", "formula", "data"),
    [
        ("normal", "reaction ~ days", "sleep"),
        ("binomial", "prop(germinated, seeds) ~ variety * extract", "seeds"),
        ("poisson", "seizures ~ treatment + offset(log(base))", "epilepsy"),
        ("gamma", "weight ~ week", "pigs"),
        ("negative_binomial", "seizures ~ treatment + age", "epilepsy"),
    ],
)
def test_models_without_random_terms_maximise_the_likelihood_of_their_family(family, formula, data):
    """No small step away from the estimates raises the log-likelihood, and llf is its value."""
    model = gt.fit(formula, gt.load_data(data), family)
    assert (model.engine, model.converged) == ("laplace", True)
    design = model.problem.design
    trials = {"trials": design.trials} if design.trials is not None else {}
    shape = model.dispersion.drop("residual sd", errors="ignore").to_dict()
    if family == "normal":  # least squares reports the unbiased variance, the llf that of ML
        shape["phi"] *= (model.nobs - len(model.params)) / model.nobs

    def llf(beta, **change):
        mu = model.link.inverse(design.X @ beta + design.offset)
        return model.family.log_density(design.y, mu, **{**shape, **change}, **trials).sum()

    best = llf(model.params)
    assert model.llf == pytest.approx(best, rel=1e-10)
    for name, se in model.bse.items():
        for step in (-0.05, 0.05):
            assert llf(model.params + step * se * (model.params.index == name)) < best
    for name, value in shape.items():
        for factor in (0.95, 1.05):
            assert llf(model.params, **{name: value * factor}) < best


def test_the_summary_names_what_was_fitted_and_has_no_negative_zero(herds_model, capsys):
    herds_model.summary()
    text = capsys.readouterr().out
    for piece in (
        "prop(incidence, size) ~ period + (1 | herd)", "binomial, logit link", "Laplace",
        "56 rows; herd: 15 levels", "logLik -92.026", "on the log-odds scale", "<0.0001",
    ):  # fmt: skip
        assert piece in text
    assert "-0.0000" not in text
    page = herds_model._repr_html_()
    assert "id=" not in page and "&lt;0.0001" in page


def test_dropped_rows_are_counted_in_the_summary(herds):
    data = herds.assign(incidence=herds["incidence"].astype(float))
    data.loc[3, "incidence"] = np.nan
    model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")
    assert (model.nobs, model.n_dropped) == (55, 1)
    assert "55 rows (1 row with missing values dropped)" in repr(model)


def test_the_equation_shows_data_process_and_parameter_model(herds_model, sleep_model):
    data, process, second_line, parameter = herds_model.equation().split(r" \\ ")
    assert r"\mathrm{Binomial}(N_i, \mu_i)" in data and r"\mid \mathbf{u}" in data
    assert r"\operatorname{logit}(\mu_i)" in process and r"u_{\text{herd}[i]}" in second_line
    assert r"\mathrm{N}(0, \sigma^2_{\text{herd}})" in parameter
    assert r"\mathbf{G}_{\text{subject}}" in sleep_model.equation()


@pytest.fixture(scope="module")
def fish():
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"x": rng.normal(0, 1, 200), "bait": np.tile(["fly", "worm"], 100)})
    counts = rng.poisson(np.exp(1 + 0.3 * data["x"] + np.repeat(rng.normal(0, 0.4, 20), 10)))
    return data.assign(
        lake=np.repeat(np.arange(20), 10), fish=np.where(rng.random(200) < 0.3, 0, counts),
        weight=np.repeat(rng.normal(0, 2, 20), 10) + rng.normal(0, np.tile([1, 3], 100)),
        effort=rng.uniform(1, 2, 200),
    )  # fmt: skip


def test_the_equation_has_the_part_of_the_extra_zeros(fish):
    model = gt.fit("fish ~ x + (1 | lake)", fish, "poisson", zero_inflation="~ x * bait")
    extra, counts, _, *zero, _ = model.equation().split(r" \\ ")
    given = r"\text{fish}_i \mid \mathbf{u} &"
    assert extra == rf"\begin{{aligned}}{given}= 0\text{{ with probability }}\pi_i"
    assert counts == (rf"{given}\sim \mathrm{{Poisson}}(\mu_i)\text{{ with probability }}1 - \pi_i")
    worm = r"[\text{bait}_i = \text{worm}]"
    assert " ".join(zero) == (
        rf"\operatorname{{logit}}(\pi_i) &= \gamma_{{0}} + \gamma_{{1}}\,\text{{x}}_i + "
        rf"\gamma_{{2}}\,{worm} &\quad {{}}+ \gamma_{{3}}\,\text{{x}}_i\,{worm}"
    )
    boxes = [text.get_text() for text in gt.plot_hierarchy(model).texts]
    assert any(r"\operatorname{logit}(\pi_i)" in text for text in boxes)


@pytest.mark.parametrize(
    ("response", "family", "phi", "distribution"),
    [
        ("weight", "normal", r"\sigma_i^2", r"\mathrm{N}(\mu_i, \sigma_i^2)"),
        ("weight", "t", r"\phi_i", r"t_{\nu}(\mu_i, \phi_i)"),
        ("fish", "nbinom2", r"\phi_i", r"\mathrm{NegBinomial}(\mu_i, \phi_i)"),
    ],
)
def test_the_equation_has_the_part_of_the_dispersion(response, family, phi, distribution, fish):
    model = gt.fit(f"{response} ~ x + (1 | lake)", fish, family, dispersion_formula="~ bait")
    data, _, dispersion, _ = model.equation().split(r" \\ ")
    assert data.endswith(rf"\sim {distribution}")
    right = r"\delta_{0} + \delta_{1}\,[\text{bait}_i = \text{worm}]"
    assert dispersion == rf"\log({phi}) &= {right}"


def test_the_equation_has_prior_weights_and_may_have_no_columns(fish):
    model = gt.fit("weight ~ 0 + (1 | lake)", fish, weights="effort")
    assert r"\mathrm{N}(\mu_i, \sigma^2 / w_i)" in model.equation()
    assert r"\eta_i &= 0\end" in gt.fit("weight ~ 0", fish).equation()


def test_a_series_beside_an_intercept_has_its_own_line_in_the_equation_and_its_own_name():
    model = gt.fit(
        "seizures ~ treatment + (1 | subject) + ar1(period | subject)",
        gt.load_data("epilepsy"), "poisson",
    )  # fmt: skip
    *_, intercept, series = model.equation().split(r" \\ ")
    assert r"\sigma^2_{u,\text{subject}}" in intercept
    assert r"\sigma^2_{v,\text{subject}}" in series and r"\rho^{|t - t'|}" in series
    assert list(model.variance_components["term"]) == ["Intercept", "ar1(period)"]


def test_a_symmetry_of_single_rows_is_said_to_share_its_variance_with_the_residual():
    pigs = gt.load_data("pigs")
    with pytest.warns(gt.DataWarning, match="which part of the variance") as caught:
        single = gt.fit("weight ~ week + cs(week | pig)", pigs)
    assert "(1 | pig) is the same model" in str(caught[0].message)
    assert single.llf == pytest.approx(gt.fit("weight ~ week + (1 | pig)", pigs).llf, abs=1e-4)
    assert not gt.fit("weight ~ week + cs(week | litter) + (1 | pig)", pigs).messages
    seizures = gt.load_data("epilepsy")
    assert not gt.fit(
        "seizures ~ log(base / 4) + treatment + cs(period | subject)", seizures, "poisson"
    ).messages


def test_a_group_that_the_treatments_tell_apart_is_said_to_have_no_variance_to_estimate():
    pens = pd.DataFrame({"room": np.repeat(["a", "b"], 24), "pen": np.repeat(np.arange(8), 6)})
    pens["diet"] = pens["room"].map({"a": "maize", "b": "barley"})
    pens["gain"] = np.random.default_rng(1).normal(size=48)
    with pytest.warns(gt.DataWarning, match="already tells the levels of 'room' apart"):
        gt.fit("gain ~ diet + (1 | room)", pens, reml=True)


def test_a_variance_of_zero_is_a_singular_fit_that_names_the_term():
    data = gt.load_data("oats").assign(flat=lambda d: d["nitro"] + np.tile([-1.0, 1.0], 36))
    with pytest.warns(gt.SingularFitWarning, match=r"zero in \(1 \| block\)\..*simplify it"):
        model = gt.fit("flat ~ nitro + (1 | block)", data)
    assert model.singular and model.converged
    assert model.variance_components["variance"][0] == 0
    assert "SingularFitWarning" in repr(model)
    assert np.all(model.random_effects["std_error"] == 0)


def test_a_level_without_successes_is_reported_as_separation():
    data = gt.load_data("herds")
    data.loc[data["period"] == "4", "incidence"] = 0
    with pytest.warns(gt.SeparationWarning, match=r"of 'period\[T\.4\]' has no finite value"):
        model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")
    assert model.converged and model.separated
    assert model.params["period[T.4]"] == -np.inf
    assert "its numbers are not estimates" not in repr(model)


def test_warnings_point_at_the_users_line_and_print_as_plain_text(capsys):
    data = gt.load_data("oats").assign(flat=lambda d: d["nitro"] + np.tile([-1.0, 1.0], 36))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gt.fit("flat ~ nitro + (1 | block)", data)
    assert caught[0].filename == __file__
    with gt.printed_warnings():
        gt.fit("flat ~ nitro + (1 | block)", data)
    assert capsys.readouterr().out.startswith("SingularFitWarning: The variance is estimated")


def test_column_names_with_spaces_stand_in_backticks():
    data = gt.load_data("sleep").rename(columns={"days": "days awake", "subject": "the subject"})
    model = gt.fit("reaction ~ `days awake` + (`days awake` | `the subject`)", data)
    assert model.n_groups == {"the subject": 18}
    assert "days awake" in model.params.index


# The df of the intercept, of nitro and its interactions, and of the varieties: R's lmerTest 3.1-3.
@pytest.mark.parametrize(
    ("reml", "lmertest"),
    [(True, (12.848839, 51.0, 21.574662)), (False, (16.080171, 54.0, 27.658002))],
)
def test_degrees_of_freedom_of_coefficients_and_contrasts_are_lmertests(reml, lmertest):
    formula = "yield ~ nitro * variety + (1 | block/variety)"
    model = gt.fit(formula, gt.load_data("oats"), reml=reml)
    expected = np.array(lmertest)[[0, 1, 2, 2, 1, 1]]
    np.testing.assert_allclose(model.tidy()["df"], expected, rtol=1e-4)
    np.testing.assert_allclose(model.contrast_df(np.eye(6)), expected, rtol=1e-4)


def test_population_intervals_of_a_normal_model_are_those_of_its_t_tests(sleep_model):
    new = pd.DataFrame({"days": [0.0]})
    row = sleep_model.predict(new, effects="population", level=0.95).iloc[0]
    table = sleep_model.tidy().loc["Intercept"]
    np.testing.assert_allclose(
        row[["estimate", "std_error", "conf_low", "conf_high"]].astype(float),
        table[["estimate", "std_error", "conf_low", "conf_high"]].astype(float),
        rtol=1e-5,
    )


def test_the_summary_of_a_dispersion_formula_shows_its_coefficients():
    model = gt.fit(
        "reaction ~ days + (1 | subject)", gt.load_data("sleep"), dispersion_formula="~ days"
    )
    assert "log phi: days" in repr(model)
