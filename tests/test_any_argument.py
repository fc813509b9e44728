"""Every public function, called with anything, answers or raises a sentence of its own.

Hypothesis chooses which arguments are replaced by what, always in the same way.
"""

import traceback
import warnings
from functools import partial
from inspect import isfunction
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import glmmtools as gt
from tests.quiet_fits import quietly

PACKAGE = str(Path(gt.__file__).parent)
N = 48


def data():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(0, 1, N), "t": np.tile(list("ab"), N // 2)})
    frame["g"], frame["time"], frame["n"] = np.repeat(np.arange(8), 6), np.tile(range(6), 8), 10
    frame["y"] = 1 + 0.5 * frame["x"] + rng.normal(0, 1, 8)[frame["g"]] + rng.normal(0, 0.5, N)
    return frame.assign(c=rng.poisson(2, N), k=rng.binomial(10, 0.4, N))


DATA = data()
MODEL = quietly("y ~ x * t + (1 | g)", DATA)
SMALL = quietly("y ~ x + (1 | g)", DATA)
REPEATED = gt.fit("y ~ x", DATA, residual="ar1(time | g)")
MEANS = MODEL.means("t")
CONTRASTS = MEANS.contrasts()
RESIDUALS = SMALL.simulated_residuals(n=20)
LAYOUT = gt.designs.rcbd(["A", "B"], blocks=8)
FORMULA = "y ~ treatment + (1 | block)"
DRAWN = gt.simulate(FORMULA, LAYOUT, coef=[1, 2], sd=1)


class Nothing:
    """An object of which nobody knows anything."""


def anything():
    """What stands in the place of an argument: new objects each time."""
    return {
        "None": None, "nan": np.nan, "inf": np.inf, "-1": -1, "0": 0, "10 ** 400": 10**400,
        "1e300": 1e300, "2.5": 2.5, "True": True, "no text": "", "text": "zzz", "'3'": "3",
        "bytes": b"x", "[]": [], "[x, x]": ["x", "x"], "[x, zzz]": ["x", "zzz"], "[None]": [None],
        "ragged": [[1, 2], [3]], "{}": {}, "{None: 1}": {None: 1}, "(1, a)": (1, "a"), "{1}": {1},
        "empty array": np.array([]), "matrix": np.ones((2, 3)), "nans": np.full(N, np.nan),
        "object": Nothing(), "class": int, "function": len, "generator": iter(range(3)), "1j": 1j,
        "empty frame": pd.DataFrame(), "frame": pd.DataFrame({"q": [1, 2]}), "NA": pd.NA,
        "series": pd.Series([1, 2, 3]), "date": pd.Timestamp("2020"), "figure": plt.figure(),
        "model": MODEL,
    }  # fmt: skip


KINDS = list(anything())
plt.close("all")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    """A path may be anything too, and a run writes its rows there."""
    monkeypatch.chdir(tmp_path)


def of_models(function, first, second, **options):
    return function(first, second, **options)


STUDY = {"model": SMALL, "n": 2, "seed": 0, "progress": False, "terms": "x", "n_jobs": 1}
CALLS = {
    "fit": (gt.fit, {"formula": "y ~ x + (1 | g)", "data": DATA, "family": "normal",
                     "link": "identity", "offset": "x", "weights": "n", "penalty": None,
                     "dispersion_formula": "~ x", "reml": False, "nagq": 1, "engine": "laplace"}),
    "fit of residuals": (gt.fit, {"formula": "y ~ x", "data": DATA, "residual": "ar1(time | g)",
                                  "reml": True}),
    "fit of counts": (gt.fit, {"formula": "c ~ x + (1 | g)", "data": DATA, "family": "poisson",
                               "zero_inflation": "~ 1", "nagq": 1, "penalty": None}),
    "fit of trials": (gt.fit, {"formula": "prop(k, n) ~ x + (1 | g)", "data": DATA,
                               "family": "binomial", "weights": None}),
    "gee": (gt.gee, {"formula": "y ~ x", "data": DATA, "family": "normal", "groups": "g",
                     "working": "ar1", "time": "time", "link": None, "offset": None,
                     "weights": None}),
    "tidy": (MODEL.tidy, {"level": 0.9, "df": "auto", "part": None}),
    "conf_int": (SMALL.conf_int, {"level": 0.9, "method": "profile", "df": "auto", "part": None}),
    "cov_params": (MODEL.cov_params, {}), "glance": (MODEL.glance, {}), "icc": (SMALL.icc, {}),
    "r2": (SMALL.r2, {}), "vif": (MODEL.vif, {}), "equation": (MODEL.equation, {}),
    "contrast_df": (MODEL.contrast_df, {"contrasts": [[1, 0, 0, 0]], "df": "auto"}),
    "random_covariance": (MODEL.random_covariance, {"group": "g"}),
    "model covariance": (MODEL.covariance, {"rows": slice(0, 6)}),
    "pooling": (SMALL.pooling, {"group": "g"}),
    "predict": (MODEL.predict, {"newdata": DATA.head(3), "scale": "response", "level": 0.9,
                                "effects": "conditional", "df": "auto", "part": None}),
    "resid": (MODEL.resid, {"kind": "response"}), "palette": (gt.palette, {"colors": 3}),
    "data_file": (gt.data_file, {"name": "slugs"}),
    "model simulate": (MODEL.simulate, {"n": 2, "seed": 0, "conditional": False}),
    "refit": (SMALL.refit, {"y": DATA["y"]}),
    "update": (SMALL.update, {"formula": ". ~ . - x", "data": DATA, "family": "normal"}),
    "simulated_residuals": (SMALL.simulated_residuals, {"n": 20, "seed": 0, "conditional": True,
                                                        "force": False}),
    "anova": (MODEL.anova, {"type": 2, "test": "wald", "df": "auto", "part": None}),
    "bootstrap": (SMALL.bootstrap, {"n": 2, "seed": 0, "n_jobs": 1,
                                    "path": None, "progress": False}),
    "influence": (SMALL.influence, {"group": "g"}),
    "means": (MODEL.means, {"factors": "t", "by": None, "at": {"x": [0]}, "weights": "equal",
                            "scale": "response", "level": 0.9, "empty_cells": "refuse",
                            "force": False, "df": "auto", "effects": "population", "part": None}),
    "slopes": (MODEL.slopes, {"x": "x", "by": "t", "at": None, "scale": "link", "level": 0.9,
                              "weights": "equal", "df": "auto", "empty_cells": "refuse",
                              "effects": "population", "part": None}),
    "plot_effects": (MODEL.plot_effects, {"x": "x", "by": "t", "effects": "population",
                                          "scale": "response", "level": 0.9, "ax": None,
                                          "data": True}),
    "plot_fit": (MODEL.plot_fit, {"ax": None}),
    "plot_random_effects": (MODEL.plot_random_effects, {"group": "g", "level": 0.9, "ax": None}),
    "plot_shrinkage": (SMALL.plot_shrinkage, {"group": "g", "ax": None}),
    "model plot_covariance": (MODEL.plot_covariance, {"rows": None, "ax": None}),
    "plot_profile": (SMALL.plot_profile, {"term": "x", "level": 0.9, "ax": None}),
    "report": (MODEL.report, {"level": 0.9, "versions": False}),
    "summary": (MODEL.summary, {"df": "auto"}),
    "contrasts": (MEANS.contrasts, {"method": "pairwise", "adjust": "tukey", "ratio": None,
                                    "by": None, "reference": None, "level": 0.9,
                                    "interaction": False}),
    "letters": (MEANS.letters, {"adjust": "tukey", "alpha": 0.05}),
    "arrows": (MEANS.arrows, {"adjust": "tukey"}),
    "tests of means": (MEANS.tests, {"null": 0.0}),
    "plot of means": (MEANS.plot, {"ax": None, "letters": False, "arrows": False}),
    "test_curves": (RESIDUALS.test_curves, {"x": "x"}),
    "test_groups": (RESIDUALS.test_groups, {"column": "g"}),
    "test_autocorrelation": (RESIDUALS.test_autocorrelation, {"time": DATA["time"], "group": "g"}),
    "test_spatial": (RESIDUALS.test_spatial, {"x": DATA["x"], "y": DATA["y"], "group": None}),
    "plot of residuals": (RESIDUALS.plot, {"axes": None}),
    "compare": (partial(of_models, gt.compare), {"first": SMALL, "second": MODEL,
                                                 "bootstrap": None, "seed": 0, "n_jobs": 1}),
    "bootstrap_lrt": (gt.bootstrap_lrt, {"smaller": SMALL, "larger": MODEL, "n": 2, "seed": 0,
                                         "n_jobs": 1, "path": None, "progress": False}),
    "table": (partial(of_models, gt.table), {"first": MODEL, "second": SMALL, "names": None}),
    "covariance_table": (gt.covariance_table, {"model": REPEATED, "structures": ["cs", "ar1"]}),
    "cross_check": (gt.cross_check, {"model": SMALL, "r": False}),
    "to_bambi": (gt.to_bambi, {"model": SMALL}),
    "covariance": (gt.covariance, {"formula": FORMULA, "layout": LAYOUT, "sd": 1, "corr": None,
                                   "rho": None, "residual": None, "phi": 1.0}),
    "simulate": (gt.simulate, {"formula": FORMULA, "layout": LAYOUT, "family": "normal",
                               "coef": [1, 2], "sd": 1, "corr": None, "rho": None, "phi": 1.0,
                               "df": None, "zero": 0.0, "trials": None, "link": None, "seed": 1,
                               "overdispersion": 0.0, "missing": 0.0, "imbalance": 0.0,
                               "outliers": 0.0, "zero_inflation": 0.0, "wrong_link": None}),
    "simulate residuals": (gt.simulate, {"formula": "y ~ treatment", "layout": LAYOUT, "sd": [1, 2],
                                         "corr": [0.5], "residual": "us(treatment | block)"}),
    "simulate series": (gt.simulate, {"formula": FORMULA, "layout": LAYOUT,
                                      "sd": {"block": 1, "Residual": 2}, "rho": 0.5,
                                      "residual": "cs(treatment | block)"}),
    "simulate trials": (gt.simulate, {"formula": "prop(y, n) ~ treatment + (1 | block)",
                                      "layout": LAYOUT, "family": "binomial", "trials": 5,
                                      "coef": [1, 2], "sd": 1}),
    "recovery": (gt.recovery, {"model": quietly(FORMULA, DRAWN), "truth": None, "level": 0.9,
                               "profile": False}),
    "power": (gt.power, STUDY | {"alpha": 0.05}),
    "coverage": (gt.coverage, STUDY | {"level": 0.9, "method": "wald"}),
    "recovery_study": (gt.recovery_study, STUDY),
    "describe_design": (gt.describe_design, {"data": LAYOUT, "structure": "block",
                                             "treatments": "treatment"}),
    "plot_design": (gt.plot_design, {"layout": LAYOUT, "structure": "block", "kind": None,
                                     "treatment": "treatment", "components": False,
                                     "observation": "plot", "ax": None}),
    "plot_covariance": (gt.plot_covariance, {"formula": FORMULA, "layout": LAYOUT, "sd": 1,
                                             "corr": None, "rho": None, "residual": None,
                                             "phi": 1.0, "ax": None}),
    "plot_hierarchy": (gt.plot_hierarchy, {"model": FORMULA, "layout": LAYOUT, "link": None,
                                           "family": "normal", "trials": 1, "ax": None}),
    "plot_distribution": (gt.plot_distribution, {"name": "poisson", "mu": 2.0, "phi": None,
                                                 "df": None, "trials": None, "kind": "pdf",
                                                 "ax": None}),
    "plot_link": (gt.plot_link, {"name": "logit", "kind": "both", "ax": None}),
    "plot_link_effect": (gt.plot_link_effect, {"name": "logit", "intercept": None, "slope": None,
                                               "family": None, "phi": None, "df": None,
                                               "trials": None, "x": (-3, 3), "at": None,
                                               "ax": None}),
    "plot_mean_variance": (gt.plot_mean_variance, {"families": ["poisson"], "panels": False,
                                                   "ax": None}),
    "plot_support": (gt.plot_support, {"y": DATA["c"], "trials": None, "ax": None}),
    "suggest_family": (gt.suggest_family, {"y": DATA["c"], "trials": None}),
    "family": (gt.family, {"name": "t", "df": 5}), "link": (gt.link, {"name": "logit"}),
    "load_data": (gt.load_data, {"name": "sleep"}),
    "stored_study": (gt.stored_study, {"name": "power_pigs"}),
    "check": (gt.check, {"id": "05.1", "answer": 3}),
    "explore": (gt.explore, {"what": "link", "choice": "log"}),
    "crd": (gt.designs.crd, {"treatments": ["A", "B"], "replicates": 3, "columns": None,
                             "seed": 0}),
    "rcbd": (gt.designs.rcbd, {"treatments": ["A", "B"], "blocks": 3, "replicates": 1, "seed": 0}),
    "split_plot": (gt.designs.split_plot, {"whole": ["A", "B"], "sub": ["x", "y"], "blocks": 3,
                                           "seed": 0}),
    "nested": (gt.designs.nested, {"sizes": {"room": 2, "pen": 2}, "treatments": ["a", "b"],
                                   "applied_to": "pen", "seed": 0}),
    "repeated": (gt.designs.repeated, {"subjects": 4, "times": [1, 2], "treatments": ["a", "b"],
                                       "time": "day", "seed": 0}),
}  # fmt: skip
WITHOUT_ARGUMENTS = {"preflight", "printed_warnings", "progress"}


def own_sentence(error: Exception) -> bool:
    """Whether an error is raised by a line of the package that says raise, in a sentence."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    lines = Path(last.filename).read_text(encoding="utf-8").splitlines()
    statement = " ".join(lines[last.lineno - 1 : last.end_lineno])
    is_ours = last.filename.startswith(PACKAGE) and statement.lstrip().startswith("raise ")
    return is_ours and 12 < len(str(error)) < 600


def answers(name: str, replaced: dict[str, str]) -> None:
    """Call with some arguments replaced; anything but an answer or a sentence is an error."""
    function, arguments = CALLS[name]
    kinds = anything()
    arguments = arguments | {argument: kinds[kind] for argument, kind in replaced.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(**arguments)
    except (ValueError, TypeError) as error:
        assert own_sentence(error), f"{name}({replaced}): {error}"
    except ImportError:
        assert name == "to_bambi"  # it needs a package that learners need not install
    finally:
        plt.close("all")


def test_every_public_function_is_called():
    functions = [name for name in gt.__all__ if isfunction(getattr(gt, name))]
    verbs = {name for name in vars(gt.FittedModel) if not name.startswith("_")}
    called = {function.__name__ for function, _ in CALLS.values() if hasattr(function, "__name__")}
    called |= {"compare", "table"}
    assert set(functions) - WITHOUT_ARGUMENTS <= called
    assert {n for n in verbs if callable(getattr(gt.FittedModel, n))} <= called
    assert set(dir(gt.designs)) <= called


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_of_the_calls_are_right(name):
    function, arguments = CALLS[name]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(**arguments)
    except ImportError:
        assert name == "to_bambi"


CASES = [(name, argument) for name, (_, arguments) in CALLS.items() for argument in arguments]


def replacements(most: int):
    """Calls with up to so many arguments replaced."""

    def of_call(name):
        arguments = list(CALLS[name][1])
        several = st.dictionaries(
            st.sampled_from(arguments), st.sampled_from(KINDS), min_size=1, max_size=most
        )
        return st.tuples(st.just(name), several)

    return st.sampled_from([name for name in CALLS if CALLS[name][1]]).flatmap(of_call)


always_the_same = partial(
    settings, derandomize=True, deadline=None, database=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate],
)  # fmt: skip


@always_the_same(max_examples=500)
@given(replacements(most=2))
def test_anything_is_met_with_an_answer_or_a_sentence(call):
    answers(*call)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "argument"), CASES)
def test_each_argument_may_be_anything(name, argument):
    for kind in KINDS:
        answers(name, {argument: kind})


@pytest.mark.slow
@always_the_same(max_examples=8000)
@given(replacements(most=4))
def test_several_arguments_may_be_anything(call):
    answers(*call)


# ------------------------------------------------------------------------------ the way out


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: gt.fit(DATA, "y ~ x"), "fit takes formula first, then data; here they are swapp"),
        (lambda: gt.simulate(LAYOUT, FORMULA), "simulate takes formula first, then layout"),
        (lambda: gt.describe_design("block", LAYOUT), "takes data first, then structure"),
        (lambda: gt.plot_design("block", LAYOUT), "takes layout first, then structure"),
        (lambda: MODEL.predict(DATA[["x", "t"]]), "no column 'g'.*effects='population'"),
        (lambda: MODEL.plot_fit(ax="left"), r"the Axes of a figure, as plt.subplots\(\) returns"),
        (lambda: SMALL.plot_shrinkage(ax=[3]), r"ax must hold the Axes of a figure.*got 3"),
        (
            lambda: gt.table(MODEL, "y ~ x"),
            r"a fitted model, as gt.fit\(...\) returns it; got 'y ~",
        ),
        (lambda: gt.cross_check("y ~ x"), "model must be a fitted model"),
        (lambda: MODEL.tidy(level=95), "level must lie strictly between 0 and 1; got 95. Use 0.95"),
        (lambda: MODEL.simulate(seed=-1), "seed must be a whole number, 0 or more; got -1"),
        (lambda: MODEL.report(versions="no"), "versions must be True or False; got 'no'"),
    ],
)
def test_the_usual_slips_get_the_way_out(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("letters", r"m.means\('treatment'\).letters\(\)"), ("coef", "m.params"),
        ("predct", "did you mean 'predict'"), ("vcov", r"m.cov_params\(\)"),
    ],
)  # fmt: skip
def test_what_a_model_does_not_have_is_somewhere_else(name, way):
    with pytest.raises(AttributeError, match=f"a fitted model has no '{name}'.*{way}"):
        getattr(MODEL, name)
    assert not hasattr(MODEL, name)
