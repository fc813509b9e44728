"""A fitted model is an object like others: saved, copied, shown on any terminal."""

import contextlib
import copy
import io
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from tests.quiet_fits import quietly
from tests.slow import some_slow

ROOT = Path(__file__).parent.parent


def layout():
    """Eight groups of six weeks, and a response of every family."""
    rng, g = np.random.default_rng(4), np.repeat(np.arange(8), 6)
    x = rng.normal(size=48)
    data = pd.DataFrame(
        {"g": g, "week": np.tile(np.arange(6), 8), "x": x, "n": 9, "f": np.tile(["p", "q"], 24)}
    )
    eta = 0.3 * x + rng.normal(0, 0.6, 8)[g]
    for name, family in gt.FAMILIES.items():
        shape = {
            each: {"phi": 1.5, "df": 6.0, "odds0": 0.2, "odds1": 0.1}[each] for each in family.shape
        }
        if family.takes_trials:
            shape["trials"] = np.full(48, 9)
        mu = family.clipped_mean(eta, family.default_link)
        data[name] = family.sample(mu, rng, **shape)
    return data


def left(family):
    return f"prop({family.name}, n)" if family.takes_trials else family.name


MODELS = {
    f"{name}, {link}": (f"{left(family)} ~ x + (1 | g)", name, {"link": link})
    for name, family in gt.FAMILIES.items()
    for link in family.links
    if link not in ("identity", "inverse", "log") or link == family.links[0]
}
MODELS |= {
    "inverse link": ("gamma ~ 1 + (1 | g)", "gamma", {"link": "inverse"}),
    "least squares": ("normal ~ x * f", "normal", {}),
    "no random part": ("poisson ~ x", "poisson", {}),
    "REML": ("normal ~ x + (x | g)", "normal", {"reml": True}),
    "quadrature": ("poisson ~ x + (1 | g)", "poisson", {"nagq": 7}),
    "given df": ("t ~ x + (1 | g)", gt.family("t", df=5), {}),
    "series": ("normal ~ x + ar1(week | g)", "normal", {}),
    "compound symmetry": ("normal ~ x + cs(f | g)", "normal", {}),
    "crossed": ("poisson ~ x + (1 | g) + (1 | week)", "poisson", {}),
    "dispersion and zeros": (
        "negative_binomial ~ x + (1 | g)", "negative_binomial",
        {"dispersion_formula": "~ f", "zero_inflation": "~ x"},
    ),
    "splines and offset": ("poisson ~ bs(x, df=4) + offset(log(n)) + (1 | g)", "poisson", {}),
    "centred splines": ("normal ~ cr(x, df=3) + poly(week, 2) + C(f, contr.sum)", "normal", {}),
    "statsmodels": ("normal ~ x + (x | g)", "normal", {"engine": "statsmodels"}),
    "statsmodels, no random part": ("poisson ~ x", "poisson", {"engine": "statsmodels"}),
    "weights": ("normal ~ x + (1 | g)", "normal", {"weights": "n"}),
}  # fmt: skip


@pytest.fixture(scope="module", params=MODELS.values(), ids=list(MODELS))
def model(request):
    formula, family, options = request.param
    return quietly(formula, layout(), family, **options)


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "joblib": through_joblib,
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("way", some_slow(WAYS, {"joblib", "copy"}.__contains__))
def test_a_model_that_was_saved_or_copied_is_the_same_model(model, way):
    """It prints, predicts and is fitted again as before."""
    again = WAYS[way](model)
    assert repr(again) == repr(model)
    assert again.llf == model.llf
    new = layout().head(7)
    pd.testing.assert_series_equal(again.predict(new), model.predict(new))
    pd.testing.assert_frame_equal(again.tidy(), model.tidy())
    assert np.array_equal(again.simulate(2, seed=1), model.simulate(2, seed=1))
    assert [type(each) for each in again.messages] == [type(each) for each in model.messages]


def test_a_model_is_saved_after_it_was_used_too(model):
    model.tidy(), model.predict(level=0.9 if model.problem.zero is None else None)
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(again.random_effects, model.random_effects)
    pd.testing.assert_frame_equal(again.variance_components, model.variance_components)


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("working", ["exchangeable", "ar1", "unstructured"])
def test_a_population_averaged_model_that_was_saved_or_copied_is_the_same_model(working, way):
    data = layout().assign(week=lambda frame: frame["week"] % 3, g=lambda frame: frame.index // 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        model = gt.gee("poisson ~ x", data, "poisson", groups="g", working=working, time="week")
    again = way(model)
    assert repr(again) == repr(model)
    pd.testing.assert_series_equal(again.predict(data.head()), model.predict(data.head()))


def test_a_model_is_sent_to_other_processes():
    model = quietly("gamma ~ x + (1 | g)", layout(), "gamma")
    work = joblib.delayed(gt.FittedModel.predict)
    predicted = joblib.Parallel(n_jobs=2)(work(model, layout().head(k)) for k in (3, 5))
    for k, found in zip((3, 5), predicted, strict=True):
        pd.testing.assert_series_equal(found, model.predict(layout().head(k)))


def test_a_saved_model_is_read_by_another_process(tmp_path):
    model = gt.fit("poisson ~ x + (1 | g)", layout(), "poisson")
    (tmp_path / "model").write_bytes(pickle.dumps(model))
    script = f"import pickle; print(pickle.load(open({str(tmp_path / 'model')!r}, 'rb')).llf)"
    assert float(run(script).stdout) == pytest.approx(model.llf, abs=1e-12)


# ------------------------------------------------------------------- tables are copies


@pytest.fixture
def fresh():
    return quietly("normal ~ x + f + (x | g)", layout())


RESULTS = {
    "model": lambda model: model,
    "population-averaged model": lambda model: gt.gee(
        "normal ~ x", pd.concat([layout()] * 8).assign(h=np.repeat(range(64), 6)), groups="h"
    ),
    "design": lambda model: model.design,
    "means": lambda model: model.means("f"),
    "grid": lambda model: model.means("f").grid,
    "contrasts": lambda model: model.means("f").contrasts(),
    "bootstrap": lambda model: model.bootstrap(n=5),
    "residuals": lambda model: model.simulated_residuals(20),
    "test of residuals": lambda model: model.simulated_residuals(20).test_groups("g"),
    "table of models": lambda model: gt.table(model),
    "design description": lambda model: gt.describe_design(layout(), "g/f"),
    "study": lambda model: gt.power(
        "y ~ f", layout()[["f"]], coef=[0, 1], n=5, terms=["f[T.q]"], progress=False
    ),
}


def tables_of(result):
    """The DataFrames and Series that a result has as attributes, by name."""
    found = {}
    for name in (name for name in dir(result) if not name.startswith("_")):
        with contextlib.suppress(ValueError):  # of what the model does not have
            found[name] = getattr(result, name)
    return {
        name: each for name, each in found.items() if isinstance(each, pd.DataFrame | pd.Series)
    }


@pytest.mark.parametrize("result", RESULTS.values(), ids=list(RESULTS))
def test_a_table_that_is_changed_changes_neither_its_result_nor_the_model(fresh, result):
    given = result(fresh)
    shown, model_shown, before = repr(given), repr(fresh), tables_of(given)
    assert before
    for table in tables_of(given).values():
        table.iloc[:] = table.iloc[::-1].to_numpy()
        if isinstance(table, pd.DataFrame):
            table["added"] = 99
    after = tables_of(given)
    assert all(after[name].equals(table) for name, table in before.items())
    assert repr(given) == shown and repr(fresh) == model_shown


@pytest.mark.parametrize("method", ["tidy", "conf_int", "cov_params", "anova", "glance"])
def test_a_table_of_a_verb_that_is_changed_changes_no_model(fresh, method):
    table = getattr(fresh, method)()
    before = table.copy()
    table[table.columns[0]] = "another"
    pd.testing.assert_frame_equal(getattr(fresh, method)(), before)
    assert np.isfinite(fresh.params["x"])


def test_data_that_are_changed_after_the_fit_change_no_model():
    data = layout()
    model = quietly("normal ~ x + f + (x | g)", data)
    expected = model.predict().copy()
    data["x"], data["g"] = 0.0, 0
    pd.testing.assert_series_equal(model.predict(), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.SingularFitWarning)
        again = model.refit(model.problem.design.y)
    pd.testing.assert_series_equal(again.predict(), expected)


def test_a_fit_changes_no_data():
    data = layout().astype({"f": "category"})
    before = data.copy(deep=True)
    quietly("normal ~ x * f + (1 | g/f)", data, weights="n")
    pd.testing.assert_frame_equal(data, before)


# ---------------------------------------------------------------------------- terminals

SHOWN = """
import sys, warnings
warnings.simplefilter("ignore")
import glmmtools as gt
d = gt.load_data("herds")
m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", d, "binomial")
smaller = gt.fit("prop(incidence, size) ~ 1 + (1 | herd)", d, "binomial")
s = gt.fit("y ~ x", {"x": [1.0, 2, 3, 4, 5, 6], "y": [0, 0, 0, 1, 1, 1]}, "binomial")
for encoding in sys.argv[1:]:
    sys.stdout.reconfigure(encoding=encoding)
    print(m), m.summary(), print(m.tidy()), print(m.family), print(m.link), print(m.report())
    print(m.means("period")), print(m.means("period").contrasts()), print(m.anova())
    print(m.means("period").describe()), print(m.equation()), print(gt.table(m))
    print(gt.compare(smaller, m)), print(s)
    for name in gt.FAMILIES:
        print(gt.family(name))
    with gt.printed_warnings():
        gt.fit("y ~ x", {"x": [1.0, 2, 3, 4, 5, 6], "y": [0, 0, 0, 1, 1, 1]}, "binomial")
    print("all of it in", encoding)
"""
ENCODINGS = ["ascii", "cp1252", "cp437", "latin-1", "utf-8"]


def run(script, *options, arguments=()):
    environment = os.environ | {"PYTHONIOENCODING": ENCODINGS[0], "PYTHONUTF8": "0"}
    return subprocess.run(
        [sys.executable, *options, "-c", script, *arguments], cwd=ROOT, env=environment,
        capture_output=True, encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip


def test_whatever_is_printed_can_be_printed_on_any_terminal():
    ran = run(SHOWN, arguments=ENCODINGS)
    assert ran.stderr == ""
    assert ran.stdout.count("incidence") >= len(ENCODINGS)
    assert all(f"all of it in {encoding}" in ran.stdout for encoding in ENCODINGS)


def test_no_warning_but_ours_comes_from_any_family_or_structure(model, capfd):
    """pytest makes every other one an error, as python -W error does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        model.tidy(), str(model), model.predict(), model.random_effects, model.simulate(2)
        model.resid("pearson")
    assert capfd.readouterr().err == ""
