"""What a column of a design matrix is: read from the design, never from its printed name."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.formula.coding import BasisColumn, Indicator, Numeric, model_matrix, variables_of

NASTY = {
    "12:00": "12:00", "[10, 20)": "[10, 20)", "a:b": "a:b", "a, b": "a, b", "[T.x]": "[T.x]",
    "a[T.b]:c": "a[T.b]:c", "0 + x": "0 + x", "C(x)": "C(x)", "I^2": r"I\^{ }2",
    "x~y": r"x\~{ }y", r"back\slash": r"back$\backslash$slash",
    "{brace": r"\{brace", "brace}": r"brace\}", "5 %": r"5 \%", "under_score": r"under\_score",
    "a & b": r"a \& b", "#1": r"\#1", "$5": r"\$5",
}  # fmt: skip


@pytest.fixture
def trial():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "dose": np.tile(["low", "12:00", "[10, 20)", "T.x"], 24),
            "x": rng.normal(0, 1, 96),
            "size": np.tile([1, 2, 3], 32),
            "my site": np.repeat(["north", "south"], 48),
            "group": np.repeat(np.arange(12), 8),
        }
    )
    return frame.assign(y=rng.normal(0, 1, 96) + rng.normal(0, 1, 12)[frame["group"]])


@pytest.mark.parametrize(
    "expression",
    [
        "x * dose + `my site`:x",
        "0 + dose + x:dose",
        "C(size, contr.treatment(base=2)) * `my site`",
        "dose:`my site`",
        "C(size, levels=[3, 1, 2]) + C(`my site`):np.abs(x)",
        "-1 + C(dose, contr.sum)",
        "2:x + I(x**2) + 1",
        "C(dose, contr.SAS) + C(size, contr.custom([[0, 1], [0, 0], [1, 0]]))",
    ],
)
def test_a_column_is_the_product_of_what_it_is_said_to_be(expression, trial):
    X, columns, model_spec = model_matrix(expression, trial)
    assert tuple(column.name for column in columns) == tuple(model_spec.column_names)
    for column, values in zip(columns, X.T, strict=True):
        expected = np.full(len(trial), float(column.scale))
        for factor in column.factors:
            if isinstance(factor, Indicator):
                expected *= trial[factor.variable.column] == factor.level
            else:
                assert isinstance(factor, Numeric)
                numbers = {"x": trial["x"], "np.abs(x)": abs(trial["x"]), "I(x ** 2)": trial.x**2}
                expected *= numbers[factor.variable.text]
        np.testing.assert_allclose(values, expected, atol=1e-12)
        assert column.is_intercept == (column.name == "Intercept")


@pytest.mark.parametrize(
    ("coding", "base"),
    [("", 1), (", contr.treatment(base=2)", 2), (", contr.SAS", 3), (", levels=[3, 1, 2]", 3)],
)
def test_the_base_level_is_that_of_the_coding(coding, base, trial):
    _, columns, _ = model_matrix(f"C(size{coding})", trial)
    (variable,) = variables_of(columns)
    assert variable.column == "size" and set(variable.levels) == {1, 2, 3}
    assert {column.factors[0].base for column in columns[1:]} == {base}
    text = str(gt.fit(f"y ~ C(size{coding}) + (1 | group)", trial, reml=True).report())
    assert f"vs {base}" in text and f"At size = {base} the mean" in text


@pytest.mark.parametrize(
    ("term", "kind", "levels"),
    [
        ("C(dose, contr.sum)", "sum", 4),
        ("C(dose, contr.helmert)", "helmert", 4),
        ("C(size, contr.poly)", "poly", 3),
        ("C(dose, contr.diff)", "diff", 4),
        ("C(size, contr.custom([[1, 0], [0, 1], [1, 1]]))", "custom", 3),
        ("poly(x, 2)", None, None),
        ("bs(x, df=3)", None, None),
        ("bs(x, df=4, include_intercept=True)", None, None),
    ],
)
def test_a_column_of_another_code_is_never_an_indicator_of_a_level(term, kind, levels, trial):
    _, columns, _ = model_matrix(f"{term} * `my site`", trial)
    own = [column.factors[0] for column in columns if column.term == term]
    assert own and all(isinstance(factor, BasisColumn) for factor in own)
    assert [factor.name for factor in own] == [c.name for c in columns if c.term == term]
    assert {factor.variable.coding for factor in own} == {kind}
    assert {len(factor.variable.levels or "") or None for factor in own} == {levels}
    model = gt.fit(f"y ~ {term} + (1 | group)", trial, reml=True)
    assert "_i = " not in model.equation().split("&= ")[1]
    text = str(model.report(versions=False))
    assert " vs " not in text and "per unit" not in text
    for column in model.problem.design.columns[1:]:
        assert f"{column.name}: " in text


@pytest.mark.parametrize(("name", "escaped"), NASTY.items())
def test_names_and_levels_of_any_characters_are_written_as_they_are(name, escaped, trial):
    slopes = np.random.default_rng(2).normal(0, 1, 12)[trial["group"]]
    data = pd.DataFrame(
        {
            f"{name} y": trial["y"] + slopes * trial["x"],
            name: pd.Categorical(trial["size"].map({1: "base", 2: name, 3: f"{name}b"})),
            f"{name} n": trial["x"],
            f"{name} g": trial["group"],
        }
    )
    data[name] = data[name].cat.reorder_categories(["base", name, f"{name}b"])
    model = gt.fit(
        f"`{name} y` ~ `{name}` * `{name} n` + (`{name} n` || `{name} g`)", data, reml=True
    )
    latex = str(model.equation())
    factor, covariate = rf"\text{{{escaped}}}_i", rf"\text{{{escaped} n}}_i"
    level = rf"[{factor} = \text{{{escaped}b}}]"
    for text in (
        rf"\text{{{escaped} y}}_i", rf"\beta_{{2}}\,{level} ", rf"\beta_{{3}}\,{covariate} ",
        rf"\beta_{{5}}\,{level}\,{covariate} ", rf"u_{{1,\text{{{escaped} g}}[i]}}\,{covariate}",
    ):  # fmt: skip
        assert text in latex
    commands = re.sub(r"\$\\backslash\$|\\[{}\\%#$&_]", "", latex)
    assert commands.count("{") == commands.count("}") and not set("%#$") & set(commands)
    text = str(model.report(versions=False))
    assert f"{name} {name}b vs base (at {name} n = 0): " in text
    assert f"{name} {name} vs base × {name} n: " in text
    assert f"{name} n (per unit; at {name} = base): " in text
    gt.plot_hierarchy(model).figure.canvas.draw()
    plt.close("all")


def test_a_factor_in_any_quotes_or_coding_is_a_factor_everywhere(trial):
    data = trial.rename(columns={"size": "si, ze"})
    model = gt.fit("y ~ C(`si, ze`, contr.sum) * x + (1 | group)", data, reml=True)
    assert model.means("si, ze").frame["si, ze"].tolist() == [1, 2, 3]
    assert [t.get_text() for t in model.plot_effects("si, ze").get_xticklabels()] == list("123")
    plain = gt.fit("y ~ `si, ze` * x + (1 | group)", data.astype({"si, ze": str}), reml=True)
    for column in ("statistic", "df", "p_value"):
        np.testing.assert_allclose(
            model.anova(3)[column].to_numpy(float), plain.anova(3)[column].to_numpy(float),
            rtol=1e-4,
        )  # fmt: skip
    assert "si, ze interacts with x" in repr(model.means("si, ze"))


def test_levels_that_only_differ_in_type_are_refused(trial):
    data = trial.assign(mixed=np.tile(np.array([1, "1", "z"], object), 32))
    with pytest.raises(ValueError, match=r"two levels of .* have the same name"):
        gt.fit("y ~ x:mixed + (1 | group)", data)
