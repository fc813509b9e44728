"""Columns of a user may have the names that tables of results have themselves."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from tests.slow import some_slow

NAMES = [
    "n", "y", "x", "by", "line", "contrast", "df", "estimate", "std_error", "conf_low", "conf_high",
    "p_value", "statistic", "level", "group", "term", "letters", "arrow_low", "predicted", "fitted",
    "row", "index", "variance", "note", "sd", "Residual", "offset", "weights",
]  # fmt: skip


ROLES = ("response", "factor", "other", "number", "unit")


def fitted(called: dict[str, str]) -> gt.FittedModel:
    """A model whose columns are called as given, by role."""
    rng = np.random.default_rng(20)
    unit = np.repeat(np.arange(10), 16)
    data = pd.DataFrame(
        {
            "factor": np.tile(["hi", "lo"], 80),
            "other": np.resize(["p", "p", "q", "q", "r", "r"], 160),
            "number": rng.normal(5, 1, 160),
            "unit": [f"u{i}" for i in unit],
        }
    )
    data["response"] = (
        rng.normal(0, 1, 160) + (data["factor"] == "lo") + 0.5 * data["number"]
        + rng.normal(0, 1, 10)[unit] + rng.normal(0, 2, 10)[unit] * (data["factor"] == "lo")
    )  # fmt: skip
    formula = "`{response}` ~ `{factor}` * `{other}` + `{number}` + (`{factor}` | `{unit}`)"
    return gt.fit(formula.format(**called), data.rename(columns=called), reml=True)


def numbers_of(table) -> np.ndarray:
    return np.concatenate(
        [table[[i]].to_numpy(float).ravel() for i in table.columns
         if pd.api.types.is_numeric_dtype(table[i])]
    )  # fmt: skip


def drawn(ax) -> np.ndarray:
    """All points and lines of a picture."""
    panels = np.ravel(ax)
    lines = [line.get_xydata() for panel in panels for line in panel.lines]
    points = [each.get_offsets() for panel in panels for each in panel.collections]
    return np.concatenate([*lines, *map(np.asarray, points)])


TABLES = {
    "tidy": lambda m, c: m.tidy(),
    "anova": lambda m, c: m.anova(3).drop(columns=["kind"], errors="ignore"),
    "variances": lambda m, c: m.variance_components,
    "random effects": lambda m, c: m.random_effects,
    "pooling": lambda m, c: m.pooling(),
    "means": lambda m, c: m.means(c["factor"], by=c["other"]).frame,
    "tests of means": lambda m, c: m.means(c["factor"]).tests(),
    "means of a number": lambda m, c: m.means(c["number"], at={c["number"]: [4, 6]}).frame,
    "contrasts": lambda m, c: m.means([c["factor"], c["other"]]).contrasts().frame,
    "contrasts within": lambda m, c: m.means(c["factor"], by=c["other"]).contrasts().frame,
    "contrasts of contrasts": lambda m, c: m.means([c["factor"], c["other"]]).contrasts(
        interaction=True).frame,
    "letters": lambda m, c: m.means(c["other"], by=c["factor"]).letters(),
    "arrows": lambda m, c: m.means(c["other"]).arrows(),
    "predict": lambda m, c: m.predict(m.design.frame, effects="population", level=0.9),
    "groups": lambda m, c: m.simulated_residuals(n=50).test_groups(c["other"]).table,
}  # fmt: skip
PICTURES = {
    "effects of a number": lambda m, c: m.plot_effects(c["number"], by=c["factor"]),
    "effects of a factor": lambda m, c: m.plot_effects(c["factor"], by=c["other"]),
    "effects by a number": lambda m, c: m.plot_effects(c["other"], by=c["number"]),
    "effects of units": lambda m, c: m.plot_effects(c["number"], c["factor"], "conditional"),
    "means": lambda m, c: m.means(c["factor"], by=c["other"]).plot(letters=True, arrows=True),
    "random effects": lambda m, c: m.plot_random_effects(c["unit"]),
    "fit": lambda m, c: m.plot_fit(),
}


def result(what: str, model: gt.FittedModel, called: dict[str, str]) -> np.ndarray:
    if what in PICTURES:
        found = drawn(PICTURES[what](model, called))
        plt.close("all")
        return found
    return numbers_of(TABLES[what](model, called))


@pytest.fixture(scope="module")
def plain():
    called = {role: f"its {role}" for role in ROLES}
    model = fitted(called)
    return {what: result(what, model, called) for what in (*TABLES, *PICTURES)}


@pytest.mark.parametrize("first", some_slow(range(len(NAMES)), lambda first: first % len(ROLES)))
def test_columns_may_have_the_names_of_columns_of_results(first, plain):
    """Over all of these tests each name has each of the roles; over the fast ones, one of them."""
    called = dict(zip(ROLES, np.roll(NAMES, -first).tolist(), strict=False))
    model = fitted(called)
    for what, expected in plain.items():
        found = result(what, model, called)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7, err_msg=what)
    means = model.means(called["factor"], by=called["other"])
    assert means.frame[called["factor"]].tolist() == ["hi", "lo"] * 3
    for shown in (
        model,
        means,
        means.contrasts(),
        means.letters(),
        model.report(),
        gt.table(model),
    ):
        assert len(repr(shown)) > 100


def test_a_spline_of_a_column_does_not_depend_on_what_others_are_called():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a b", "a_b", "y"])
    for term in ("poly(`a b`, 2)", "bs(`a b`, df=4)", "scale(`a b`)"):
        model = gt.fit(f"y ~ {term} + a_b", data)
        same = gt.fit(f"y ~ {term.replace('`a b`', 'x')} + a_b", data.rename(columns={"a b": "x"}))
        predicted = model.predict(data.head(5))
        np.testing.assert_allclose(predicted, model.fittedvalues[:5], rtol=1e-10)
        np.testing.assert_allclose(predicted, same.fittedvalues[:5], rtol=1e-10)


@pytest.mark.parametrize("column", ["treatment", "base", "subject"])
def test_words_of_python_and_of_formulas_are_columns_in_type_three_tests(column):
    formula = "seizures ~ treatment * period + base + (1 | subject)"
    data = gt.load_data("epilepsy").assign(period=lambda d: d["period"].astype(str))
    plain = gt.fit(formula, data, "poisson").anova(type=3)
    for name in ("class", "C", "log", "contr"):
        called = gt.fit(
            formula.replace(column, f"`{name}`"), data.rename(columns={column: name}), "poisson"
        ).anova(type=3)
        np.testing.assert_allclose(called["statistic"], plain["statistic"], rtol=1e-6)


def test_a_column_called_like_another_parameter_has_a_name_of_its_own():
    rng = np.random.default_rng(2)
    data = pd.DataFrame(rng.normal(size=(60, 3)), columns=["y", "Intercept", "sd g Intercept"])
    data["g"] = np.repeat(list("abcdefghij"), 6)
    data["y"] += np.repeat(rng.normal(0, 2, 10), 6)
    model = gt.fit("y ~ Intercept + `sd g Intercept` + (1 | g)", data)
    assert list(model.params.index) == ["Intercept", "`Intercept`", "sd g Intercept"]
    assert model.influence("g").change.columns.is_unique
    boot = model.bootstrap(n=3, seed=1, progress=False)
    np.testing.assert_allclose(boot.estimate.iloc[:3], model.params)
    assert boot.estimate.index.is_unique and "`Intercept`" in str(gt.table(model))
