"""Second opinions of one model: quadrature, statsmodels, R."""

import shutil
import stat
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.engine import statsmodels
from glmmtools.inference import in_r


def with_r(test):
    """Ask R itself: slow, because each question starts it anew."""
    skip = pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
    return pytest.mark.slow(skip(test))


HERDS = "prop(incidence, size) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def herds():
    return gt.fit(HERDS, gt.load_data("herds"), "binomial")


@pytest.fixture(scope="module")
def sleep():
    return gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)


# ------------------------------------------------------------------------------ without R


def test_a_generalized_mixed_model_is_refitted_by_quadrature(herds):
    table = gt.cross_check(herds)
    assert list(table) == ["laplace", "quadrature", "spread"]
    finer = gt.fit(HERDS, gt.load_data("herds"), "binomial", nagq=25)
    assert table.loc["logLik", "quadrature"] == pytest.approx(finer.llf, abs=1e-9)
    assert table.loc["coefficient Intercept", "quadrature"] == finer.params["Intercept"]
    difference = (table["laplace"] - table["quadrature"]).abs()
    assert table["spread"].to_numpy() == pytest.approx(difference.to_numpy())
    assert 1e-3 < table.loc["logLik", "spread"] < 0.1  # what the Laplace approximation costs


def test_a_model_by_quadrature_is_refitted_with_twice_the_nodes():
    model = gt.fit(HERDS, gt.load_data("herds"), "binomial", nagq=9)
    table = gt.cross_check(model)
    assert list(table) == ["AGQ(9)", "quadrature", "spread"]
    assert table["spread"].max() < 1e-5


@pytest.mark.parametrize(
    ("formula", "family", "options", "columns"),
    [
        ("y ~ x", "normal", {}, ["laplace", "statsmodels"]),
        ("y ~ x", "normal", {"engine": "statsmodels"}, ["statsmodels", "laplace"]),
        ("count ~ x", "poisson", {}, ["laplace", "statsmodels"]),
        ("count ~ x", "negative_binomial", {}, ["laplace"]),
        ("y ~ x + (1 | g)", "normal", {"reml": True}, ["laplace", "statsmodels"]),
        ("y ~ x + ar1(day | g)", "normal", {}, ["laplace"]),
        ("count ~ x + (x | g)", "poisson", {}, ["laplace", "quadrature"]),
        ("count ~ x + (1 | g) + (1 | day)", "poisson", {}, ["laplace"]),
        ("count ~ x + ar1(day | g)", "poisson", {}, ["laplace"]),
        ("count ~ 0 + (x + I(x**2) + day | g)", "poisson", {}, ["laplace", "quadrature"]),
    ],
)  # fmt: skip
def test_each_model_is_refitted_by_those_engines_that_have_it(formula, family, options, columns):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.SingularFitWarning)
        table = gt.cross_check(gt.fit(formula, rows(), family, **options))
    assert list(table) == [*columns, "spread"]
    if "quadrature" not in columns:
        assert table["spread"].max() < 1e-4


def test_an_engine_that_did_not_converge_is_named(monkeypatch):
    model = gt.fit("count ~ x", rows(), "poisson")
    fit = statsmodels.fit
    stopped = (gt.ConvergenceWarning("It was stopped."),)
    monkeypatch.setattr(
        statsmodels, "fit",
        lambda problem: replace(fit(problem), converged=False, messages=stopped),
    )  # fmt: skip
    with pytest.warns(gt.GlmmWarning, match=r"^statsmodels did not converge: It was sto") as said:
        table = gt.cross_check(model)
    assert len(said) == 1 and said[0].filename == __file__
    assert "statsmodels" in table


def test_an_engine_that_breaks_off_is_named_and_the_others_are_shown(monkeypatch):
    def broken(problem):
        raise ValueError("there is a hole in the data")

    monkeypatch.setattr("glmmtools.engine.statsmodels.fit", broken)
    model = gt.fit("count ~ x", rows(), "poisson")
    with pytest.warns(gt.GlmmWarning, match=r"statsmodels: there is a hole in the data\.$"):
        assert list(gt.cross_check(model)) == ["laplace", "spread"]


def one_line(model):
    """The line that says why R was not asked; the rest of the table is there."""
    with pytest.warns(gt.GlmmWarning) as said:
        table = gt.cross_check(model, r=True)
    assert len(said) == 1 and "R" not in table and table.attrs == {}
    assert next(iter(table)) == "laplace" and said[0].filename == __file__
    text = str(said[0].message)
    assert "\n" not in text and text.startswith("There is no column R: ")
    return text.removeprefix("There is no column R: ")


def test_without_r_one_line_says_how_to_install_it(herds, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert one_line(herds) == (
        "Rscript is not found. Install R from r-project.org. In R: "
        "install.packages(c('lme4', 'glmmTMB'))."
    )


ANSWERS = {
    'printf \'{"absent": ["glmmTMB"]}\' > "$4/answer.json"': "R has no package glmmTMB. In R: ins",
    'printf \'{"error": ["subscript out of bounds"]}\' > "$4/answer.json"':
        "R's glmmTMB broke off: subscript out of bounds.",
    "echo 'cannot open library' >&2; exit 3":
        "Rscript ended without an answer: cannot open library.",
    "exec sleep 20": "R was stopped after 0.5 seconds.",
}  # fmt: skip


@pytest.mark.parametrize("script", ANSWERS)
def test_an_rscript_that_gives_no_numbers_is_one_line(script, herds, monkeypatch, tmp_path):
    fake = tmp_path / "Rscript"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(shutil, "which", lambda name: str(fake))
    monkeypatch.setattr(in_r, "_SECONDS", 0.5 if "sleep" in script else 60)
    assert one_line(herds).startswith(ANSWERS[script])


def test_what_r_lacks_is_one_line_and_needs_no_r(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/nowhere/Rscript")
    data = rows()
    for formula, family, options, why in [
        ("amount ~ x + (1 | g)", "lognormal", {}, "R's glmmTMB has no lognormal family."),
        ("amount ~ x + (1 | g)", "normal", {"link": "log", "weights": "w"},
         "R's glmmTMB reads weights of the normal family otherwise."),
        ("count ~ x + (1 + x | g)", "poisson", {"nagq": 3},
         "R's lme4 has quadrature for binomial and Poisson models with one (1 | g) only."),
        ("prop(k, n) ~ x", "binomial", {"penalty": 2.5}, "R's packages have no such penalty."),
        ("zigzag ~ x + ar1(gap | g)", "normal", {},
         "R's glmmTMB has no negative correlation of a series with gaps: ar1(gap | g)."),
    ]:  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gt.GlmmWarning)
            model = gt.fit(formula, data, family, **options)
        with pytest.warns(gt.GlmmWarning) as said:
            table = gt.cross_check(model, r=True)
        assert [str(each.message) for each in said] == [f"There is no column R: {why}"]
        assert "R" not in table


# ------------------------------------------------------------------------------ R


def rows(seed=3):
    """Rows of 30 groups, with responses of every kind and columns of every type."""
    rng = np.random.default_rng(seed)
    n, groups, days = 240, 30, 8
    data = pd.DataFrame({"g": np.repeat(np.arange(groups), days), "day": np.tile(range(days), 30)})
    data["x"] = rng.normal(size=n).round(3)
    data["w"] = rng.integers(1, 4, n)
    data["area"] = rng.uniform(0.5, 2, n)
    kinds = ["plain", "with blank", "d'été", '"quoted"', "back`tick", "NA", "1.0"]
    data["kind"] = pd.Categorical(rng.choice(kinds, n), categories=kinds)
    data["number"] = pd.array(rng.integers(0, 3, n), dtype="Int64")
    data["flag"] = pd.array(rng.uniform(size=n) < 0.4, dtype="boolean")
    data["a b"] = rng.uniform(size=n).astype(np.float32)
    u = rng.normal(0, 0.6, groups)[data["g"]] + rng.normal(0, 0.4, groups)[data["g"]] * data["x"]
    series = np.zeros((groups, days))
    for k in range(days):
        before = series[:, k - 1] if k else rng.normal(size=groups)
        series[:, k] = 0.6 * before + 0.8 * rng.normal(size=groups)
    eta = 0.5 + 0.4 * data["x"] + 0.5 * data["flag"].astype(float) + u
    data["y"] = (eta + rng.normal(0, 0.7, n)).round(4)
    data["smooth"] = (data["y"] + series.ravel()).round(4)
    data["zigzag"] = data["y"] + series.ravel() * 2 * (-1.0) ** data["day"]
    data["gap"] = data["day"] + 3 * (data["day"] > 4)
    data["count"] = rng.poisson(np.exp(eta) * data["area"])
    data["many"] = rng.negative_binomial(2, 2 / (2 + np.exp(eta + 0.7)))
    data["zeros"] = data["many"] * (rng.uniform(size=n) < 0.7)
    data["amount"] = rng.gamma(3, np.exp(eta) / 3).round(5) + 1e-4
    data["n"] = rng.integers(4, 12, n)
    data["k"] = rng.binomial(data["n"], 1 / (1 + np.exp(-eta)))
    data["overdispersed"] = rng.binomial(data["n"], rng.beta(3, 2, n))
    data["failed"], data["share"] = data["n"] - data["k"], data["k"] / data["n"]
    data["part"] = np.clip(rng.beta(3, 2, n), 0.01, 0.99)
    data["answer"] = np.where(rng.uniform(size=n) < 1 / (1 + np.exp(-eta)), "yes", "no")
    data.loc[[5, 77], "x"] = np.nan
    return data


CASES = {
    "lm": ("y ~ x * kind + flag", "normal", {}),
    "lm weights": ("y ~ C(number) + x + `a b`", "normal", {"weights": "w"}),
    "lm offset reml": ("y ~ x + offset(area)", "normal", {"reml": True}),
    "lmer": ("y ~ x * flag + kind + (x | g)", "normal", {"reml": True}),
    "lmer ml": ("y ~ poly(x, 2) + (1 | g) + (1 | day)", "normal", {}),
    "lmer two bars": ("y ~ x + flag + (1 + x || g)", "normal", {"reml": True}),
    "lmer factor slopes": ("y ~ x + (0 + flag || g)", "normal", {}),
    "lmer nested": ("y ~ x + (1 | flag/g)", "normal", {}),
    "lmer weights": ("y ~ x + kind + (1 | g)", "normal", {"weights": "w", "offset": "area"}),
    "left out": ("y ~ x + I(2 * x) + kind + (1 | g)", "normal", {}),
    "normal dispersion": ("y ~ x + (1 | g)", "normal", {"dispersion_formula": "~ kind"}),
    "ar1": ("smooth ~ x + ar1(day | g)", "normal", {}),
    "ar1 reml": ("smooth ~ x + ar1(day | g)", "normal", {"reml": True}),
    "ar1 gaps": ("smooth ~ x + ar1(gap | g)", "normal", {}),
    "ar1 negative": ("zigzag ~ x + ar1(day | g)", "normal", {}),
    "cs": ("y ~ x + cs(number | g) + (1 | day)", "normal", {}),
    "glm": ("count ~ x + offset(log(area))", "poisson", {}),
    "poisson": ("count ~ x + kind + (1 | g)", "poisson", {"offset": "area"}),
    "poisson weights": ("count ~ x + (1 | g)", "poisson", {"weights": "w"}),
    "poisson identity": ("many ~ 1 + (1 | day)", "poisson", {"link": "identity"}),
    "quadrature": ("count ~ x + (1 | g)", "poisson", {"nagq": 11}),
    "quadrature successes": ("prop(k, n) ~ x + flag + (0 + x | g)", "binomial", {"nagq": 7}),
    "prop": ("prop(k, n) ~ x + (x | g)", "binomial", {}),
    "cbind": ("cbind(k, failed) ~ x + (1 | g)", "binomial", {"link": "probit"}),
    "share": ("share ~ x + kind + (1 | g)", "binomial", {"weights": "n", "link": "cloglog"}),
    "two levels": ("answer ~ x + (1 | g)", "binomial", {}),
    "betabinomial": ("prop(overdispersed, n) ~ x + (1 | day)", "betabinomial",
                     {"dispersion_formula": "~ flag"}),
    "nb2": ("many ~ x + (1 | g)", "negative_binomial", {"dispersion_formula": "~ x"}),
    "nb1 zeros": ("zeros ~ x + (1 | g)", "nbinom1", {"zero_inflation": "~ flag"}),
    "nb2 zeros": ("zeros ~ x + (1 | g)", "negative_binomial", {"zero_inflation": "~ 1"}),
    "gamma": ("amount ~ x + flag + (1 | g)", "gamma", {"dispersion_formula": "~ flag"}),
    "gamma inverse": ("amount ~ 1 + (1 | day) + (1 | number)", "gamma", {"link": "inverse"}),
    "beta": ("part ~ x + (1 | day)", "beta", {}),
    "t": ("y ~ x + (1 | g)", gt.family("t", df=5), {}),
    "t df": ("y ~ x + (1 | g)", "t", {}),
    "no fixed part": ("count ~ 0 + (1 | g)", "poisson", {}),
}  # fmt: skip


@with_r
@pytest.mark.parametrize("case", CASES)
def test_r_finds_the_same_fit(case):
    formula, family, options = CASES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        model = gt.fit(formula, rows(), family, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = gt.cross_check(model, r=True)
    ours, theirs = table.iloc[:, 0], table["R"]
    assert not theirs.isna().any()
    assert abs(ours["logLik"] - theirs["logLik"]) < 1e-4
    for name, error in model.bse.items():
        assert abs(ours[f"coefficient {name}"] - theirs[f"coefficient {name}"]) < 0.003 * error
        assert theirs[f"std_error {name}"] == pytest.approx(error, rel=0.003)
    others = [name for name in table.index if name.startswith(("sd ", "shape "))]
    assert theirs[others].to_numpy() == pytest.approx(ours[others].to_numpy(), rel=0.01, abs=0.005)


@with_r
def test_under_separation_r_has_the_finite_part_too():
    data = rows().assign(success=lambda d: (d["answer"] == "yes").astype(int))
    data.loc[data["kind"] == "plain", "success"] = 1
    with pytest.warns(gt.SeparationWarning):
        model = gt.fit("success ~ kind + x", data, "binomial")
    table = gt.cross_check(model, r=True)
    finite = ["logLik", "coefficient x", "std_error x"]
    assert table.loc[finite, "spread"].max() < 1e-5
    assert np.isinf(table.loc["coefficient kind[T.NA]", "laplace"])
    assert np.isnan(table.loc["std_error kind[T.NA]", "spread"])


@with_r
def test_the_table_says_which_package_of_r_and_which_call(sleep):
    table = gt.cross_check(sleep, r=True)
    assert list(table) == ["laplace", "statsmodels", "R", "spread"]
    assert table.attrs["R"].startswith("lme4 ")
    assert "lme4::lmer(`reaction` ~ 0 + `Intercept` + `days`" in table.attrs["call"]
    assert "(0 + `Intercept` + `days` | `subject`)" in table.attrs["call"]
    assert table["spread"].max() < 1e-3


@with_r
def test_what_r_says_of_its_search_is_said(herds, monkeypatch):
    stopped = "glmmTMB::glmmTMBControl(optCtrl = list(iter.max = 2))"
    monkeypatch.setattr("glmmtools.inference.r_call._TMB", stopped)
    with pytest.warns(gt.GlmmWarning, match=r"R did not converge: R's glmmTMB \S+ says.*limit"):
        assert "R" in gt.cross_check(herds, r=True)
