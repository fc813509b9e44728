"""The statsmodels engine: against R's frozen fits and our engine, and what it refuses."""

import warnings

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.engine import mixedlm, statsmodels
from glmmtools.fitted.build import build_problem
from tests.test_reference import LLF, MODELS, SE, linear, load


def second(reference):
    options = {k: reference["options"][k] for k in ("reml", "weights") if reference["options"][k]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if reference["singular"] else "error", gt.GlmmWarning)
        return gt.fit(
            reference["formula"], load(reference), reference["family"], link=reference["link"],
            engine="statsmodels", **options,
        )  # fmt: skip


def covered(reference):
    return linear(reference) and statsmodels.why_not(problem_of(reference)) is None


def problem_of(reference):
    options = reference["options"]
    return build_problem(
        reference["formula"], load(reference), reference["family"], reference["link"], None,
        options["weights"], options["dispersion_formula"], options["zero_inflation"],
        options["reml"], options["nagq"] or 1,
    )  # fmt: skip


COVERED = [name for name, reference in MODELS.items() if covered(reference)]


def test_the_reference_holds_models_with_slopes_nested_and_singular_terms():
    assert len(COVERED) == 18
    assert {"pigs_slopes_reml", "oats_reml", "radon_factor_slope_reml", "pigs_singular_ml"} < set(
        COVERED
    )


@pytest.mark.parametrize("name", COVERED)
def test_mixedlm_finds_the_fit_of_r(name):
    reference = MODELS[name]
    model = second(reference)
    assert (model.engine, model.method) == ("statsmodels", "REML" if model.problem.reml else "ML")
    assert model.converged and model.singular == reference["singular"]
    assert abs(model.llf - reference["llf"]) < LLF
    coefficients = reference["coefficients"]
    error = np.array(coefficients["se_fixed_variance_parameters"])
    assert np.abs((model.params - coefficients["estimate"]) / error).max() < 1e-3
    np.testing.assert_allclose(model.bse, error, rtol=SE)
    found = model.variance_components.set_index(["group", "term"])["variance"]
    for each in reference["variance_components"]:
        expected = np.ravel(each["sd"]) ** 2
        ours = [found[each["group"], term] for term in each["terms"]]
        np.testing.assert_allclose(ours, expected, rtol=2e-3, atol=1e-3 * reference["residual_sd"])
    assert found["Residual", ""] == pytest.approx(reference["residual_sd"] ** 2, rel=1e-4)


# ------------------------------------------------------------------------------ our engine


def rows(seed=1):
    """24 blocks of 3 plots of 4 rows."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"block": np.repeat(np.arange(24), 12), "plot": np.tile([0, 1, 2], 96)})
    data = data.sort_values(["block", "plot"], ignore_index=True)
    data["x"], data["far"] = rng.normal(size=288), rng.normal(5000, 300, 288)
    data["kind"] = np.where(rng.uniform(size=288) < 0.5, "a", "b")
    plot = data["block"] * 3 + data["plot"]
    u, v = rng.normal(0, [1.0, 0.6], (24, 2)), rng.normal(0, 0.7, 72)
    data["y"] = 3 + data["x"] + u[data["block"], 0] + u[data["block"], 1] * data["x"] + v[plot]
    data["y"] += (data["kind"] == "b") * rng.normal(0, 0.5, 24)[data["block"]]
    data["y"] += 0.002 * data["far"] + rng.normal(0, 0.8, 288)
    data["success"] = (rng.uniform(size=288) < 0.4).astype(int)
    data["count"] = rng.poisson(2, 288)
    return data.sample(frac=1, random_state=seed)


FORMULAS = [
    "y ~ x + kind + (1 | block)",
    "y ~ x + far + (1 | block/plot)",
    "y ~ x + (x | block)",
    "y ~ x + (x || block)",
    "y ~ x + (1 | block) + (0 + x | block)",
    "y ~ x + (kind | block)",
    "y ~ x + (0 + kind | block)",
    "y ~ x + (x | block) + (1 | block:plot)",
    "y ~ x + (1 | block) + (0 + x | block:plot)",
    "y ~ far + (far | block)",
    "y ~ 0 + kind + offset(x) + (1 | block)",
]


@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize("formula", FORMULAS)
def test_a_linear_mixed_model_is_that_of_our_engine(formula, reml):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.SingularFitWarning)
        ours, theirs = (
            gt.fit(formula, rows(), reml=reml, engine=engine)
            for engine in ("laplace", "statsmodels")
        )
    assert theirs.converged
    assert theirs.llf == pytest.approx(ours.llf, abs=1e-4)
    assert ((ours.params - theirs.params).abs() / ours.bse).max() < 0.003
    np.testing.assert_allclose(theirs.bse, ours.bse, rtol=0.003)
    sds = [model.variance_components["sd"].to_numpy() for model in (ours, theirs)]
    np.testing.assert_allclose(sds[1], sds[0], rtol=0.01, atol=0.01)
    assert theirs.df_model == ours.df_model


def test_what_is_read_off_a_mixedlm_fit_is_that_of_our_engine():
    ours, theirs = (
        gt.fit("y ~ x * kind + (x | block)", rows(), reml=True, engine=engine)
        for engine in ("laplace", "statsmodels")
    )
    for of in (
        lambda m: m.random_effects[["estimate", "std_error"]],
        lambda m: m.fittedvalues,
        lambda m: m.anova()[["statistic", "den_df"]],
        lambda m: m.means("kind").frame[["estimate", "std_error", "df"]],
        lambda m: m.predict(rows()[:5], level=0.9),
        lambda m: m.conf_int(),
        lambda m: m.pooling()["partial_pooling"],
    ):
        np.testing.assert_allclose(of(theirs), of(ours), rtol=0.005, atol=0.005)


def test_labels_and_order_of_the_groups_change_nothing():
    data = rows()
    model = gt.fit("y ~ x + (x | block) + (1 | block:plot)", data, engine="statsmodels")
    named = data.assign(block=data["block"].map("block {}".format).astype("category"))
    other = gt.fit(
        "y ~ x + (x | block) + (1 | block:plot)", named.sort_values("y"), engine="statsmodels"
    )
    assert other.llf == pytest.approx(model.llf, abs=1e-6)


# ------------------------------------------------------------------------------ what it has not

REFUSED = {
    "random terms fit?": ("success ~ x + (1 | block)", "binomial", {},
                          "fits random terms for the normal with the identity link only"),
    "link": ("y ~ x + (1 | block)", "normal", {"link": "log"}, "identity link only"),
    "link without terms": ("y ~ x", "normal", {"link": "log"}, "normal with the identity link"),
    "weights of terms": ("y ~ x + (1 | block)", "normal", {"weights": "plus"}, "takes no weights"),
    "weights": ("count ~ x", "poisson", {"weights": "plus"}, "takes no weights for poisson"),
    "series": ("y ~ x + ar1(plus | row)", "normal", {}, r"has no ar1 structure: ar1\(plus \| row"),
    "cs": ("y ~ x + cs(plot | block)", "normal", {}, r"has no cs structure: cs\(plot \| block\)"),
    "crossed": ("y ~ x + (1 | block) + (1 | plot)", "normal", {},
                "takes one grouping factor and what is nested in it"),
    "slopes below": ("y ~ x + (1 | block) + (x | block:plot)", "normal", {},
                     r"slopes of the outer grouping factor only, .* \(x \| block:plot\)"),
    "slopes twice": ("y ~ x + (x | block) + (0 + kind | block)", "normal", {}, "and only once"),
    "family": ("count ~ x", "negative_binomial", {}, "has no negative_binomial family"),
    "dispersion": ("y ~ x", "normal", {"dispersion_formula": "~ x"}, "neither dispersion nor"),
    "zeros": ("count ~ x", "poisson", {"zero_inflation": "~ 1"}, "neither dispersion nor extra"),
    "nothing fixed": ("y ~ 0 + (1 | block)", "normal", {}, "needs a fixed effect"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_statsmodels_has_not_is_refused_in_one_sentence(name):
    formula, family, options, message = REFUSED[name]
    data = rows().assign(plus=lambda d: d["count"] + 1, row=range(288))
    with pytest.raises(
        ValueError, match=f"engine 'statsmodels' cannot fit this model: .*{message}"
    ) as no:
        gt.fit(formula, data, family, engine="statsmodels", **options)
    assert "\n" not in str(no.value) and ". " not in str(no.value)


@pytest.mark.parametrize("name", ["auto", "glmm"])
def test_an_engine_that_is_gone_says_what_to_write(name):
    with pytest.raises(
        ValueError, match=f"no engine '{name}' any more: leave engine= out, .* or write"
    ):
        gt.fit("y ~ x", rows(), engine=name)


# ------------------------------------------------------------------------------ its own word


def test_mixedlms_own_word_that_it_did_not_converge_is_said(monkeypatch):
    monkeypatch.setattr(mixedlm, "_SEARCHES", ({"method": ["bfgs"], "maxiter": 1},))
    with pytest.warns(gt.ConvergenceWarning) as said:
        model = gt.fit("y ~ x + (x | block)", rows(), engine="statsmodels")
    text = str(said[0].message)
    assert len(said) == 1 and said[0].filename == __file__
    assert text.startswith("The search of statsmodels' MixedLM did not converge: ")
    assert "gradient" in text.lower() and "optimizer" not in text
    assert not model.converged
    with pytest.raises(ValueError, match="did not converge, and anova"):
        model.anova()


def test_a_glm_that_did_not_converge_is_said(monkeypatch):
    from statsmodels.genmod.generalized_linear_model import GLM

    fit = GLM.fit
    monkeypatch.setattr(GLM, "fit", lambda self, **options: fit(self, **options | {"maxiter": 1}))
    with pytest.warns(gt.ConvergenceWarning, match="The search of statsmodels did not converge"):
        model = gt.fit("count ~ x", rows(), "poisson", engine="statsmodels")
    assert not model.converged


def test_separation_is_said_as_by_our_engine():
    data = rows()
    data.loc[data["kind"] == "b", "success"] = 1
    with pytest.warns(gt.SeparationWarning, match=r"'kind\[T.b\]' has no finite value"):
        gt.fit("success ~ kind", data, "binomial", engine="statsmodels")


def test_an_error_inside_statsmodels_is_one_sentence(monkeypatch):
    def broken(self, **options):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("statsmodels.regression.mixed_linear_model.MixedLM.fit", broken)
    with pytest.raises(ValueError, match="statsmodels broke off its search: Singular matrix"):
        gt.fit("y ~ x + (1 | block)", rows(), engine="statsmodels")


def test_the_likelihood_ratio_tests_of_a_second_opinion_are_its_own():
    ours, theirs = (
        gt.fit("y ~ x + kind + (1 | block)", rows(), engine=engine).anova(test="lr")
        for engine in ("laplace", "statsmodels")
    )
    np.testing.assert_allclose(theirs["statistic"], ours["statistic"], atol=1e-4)
