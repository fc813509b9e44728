import numpy as np
import pandas as pd
import pytest

from glmmtools.formula.design import build_design
from glmmtools.formula.grammar import parse_formula, variables_in
from glmmtools.formula.response import Response


@pytest.fixture
def trial():
    return pd.DataFrame(
        {
            "y": np.arange(8.0),
            "x": [1.0, 2, 4, 8, 1, 3, 5, 7],
            "trt": list("abcabcab"),
            "block": ["I", "I", "I", "I", "II", "II", "II", "II"],
            "plot": [1, 1, 2, 2, 1, 1, 2, 2],
            "soil type": [3.0, 1, 4, 1, 5, 9, 2, 6],
        }
    )


def design(formula, data, **options):
    return build_design(formula, data, takes_trials=False, **options)


def test_treatment_coding_names_and_orders_columns_as_formulaic_does(trial):
    built = design("y ~ trt * x", trial)
    assert built.names == ("Intercept", "trt[T.b]", "trt[T.c]", "x", "trt[T.b]:x", "trt[T.c]:x")
    np.testing.assert_array_equal(built.X[:, 3], trial["x"])
    assert built.terms["trt"] == [1, 2]


@pytest.mark.parametrize(
    ("formula", "groups"),
    [
        ("y ~ x + (1 | block)", ["block"]),
        ("y ~ x + (1 | block/plot)", ["block", "block:plot"]),
        ("y ~ (1|block) + x + (1|plot)", ["block", "plot"]),
        ("y ~ x + (1 | block:plot)", ["block:plot"]),
        ("y ~ (x | block/plot/trt)", ["block", "block:plot", "block:plot:trt"]),
    ],
)
def test_grouping_factors_nest_and_cross(formula, groups):
    assert [spec.group for spec in parse_formula(formula).random] == groups


@pytest.mark.parametrize(
    ("term", "structure"),
    [
        ("(x | g)", "unstructured"),
        ("(x || g)", "independent"),
        ("ar1(week | g)", "ar1"),
        ("cs(week | g)", "cs"),
    ],
)
def test_the_covariance_structure_is_read_from_the_term(term, structure):
    (spec,) = parse_formula(f"y ~ 1 + {term}").random
    assert spec.structure.name == structure


def test_nested_codes_number_the_combinations_that_occur(trial):
    block, plot = design("y ~ 1 + (1 | block/plot)", trial).random
    np.testing.assert_array_equal(block.codes, [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(plot.codes, [0, 0, 1, 1, 2, 2, 3, 3])
    assert list(plot.levels) == ["I:1", "I:2", "II:1", "II:2"]


def test_slopes_have_an_intercept_unless_it_is_removed(trial):
    assert design("y ~ x + (x | block)", trial).random[0].names == ("Intercept", "x")
    assert design("y ~ x + (0 + x | block)", trial).random[0].names == ("x",)
    assert design("y ~ x + (trt | block)", trial).random[0].names == (
        "Intercept",
        "trt[T.b]",
        "trt[T.c]",
    )


@pytest.mark.parametrize("formula", ["y ~ 0 + trt + (1|block)", "y ~ trt - 1 + (1|block)"])
def test_the_intercept_can_be_removed(formula, trial):
    assert design(formula, trial).names == ("trt[a]", "trt[b]", "trt[c]")


def test_offsets_add_up_and_may_be_expressions(trial):
    built = design("y ~ trt + offset(log(x))", trial, offset="soil type")
    np.testing.assert_allclose(built.offset, np.log(trial["x"]) + trial["soil type"])
    assert "offset" not in " ".join(built.names)


@pytest.mark.parametrize(
    "term", ["np.log(x)", "I(x ** 2)", "poly(x, 2)", "bs(x, df=4)", "C(plot)", "`soil type`"]
)
def test_transformations_are_formulaics(term, trial):
    assert design(f"y ~ {term}", trial).X.shape[0] == 8


def test_arithmetic_on_the_left_side_is_arithmetic():
    data = pd.DataFrame({"x": [0.0, 1, 2, 3], "my y": [3.0, 5, 6, 9], "n": [9, 9, 9, 9]})
    for text, expected in {
        "`my y` - 5": data["my y"] - 5,
        "(`my y` - n)": data["my y"] - data["n"],
        "(`my y` - n) ** 2": (data["my y"] - data["n"]) ** 2,
        "-`my y` / 10": -data["my y"] / 10,
        "log(`my y` * 2)": np.log(2 * data["my y"]),
    }.items():
        np.testing.assert_allclose(
            build_design(f"{text} ~ x", data, takes_trials=False).y, expected
        )
    for pair in ("prop(`my y`, `my y` + n)", "prop(`my y`, (`my y` + n))", "cbind(`my y`, (n))"):
        design = build_design(f"{pair} ~ x", data, takes_trials=True)
        np.testing.assert_array_equal(design.trials, data["my y"] + 9)


@pytest.mark.parametrize(
    ("text", "name", "trials_name", "label"),
    [
        ("y", "y", None, "y"),
        ("`my y`", "my y", None, "my y"),
        ("log(y) / 2", "log(y) / 2", None, "log(y) / 2"),
        ("prop(sick, seen)", "sick", "seen", "sick / seen"),
        ("cbind( `is sick`,seen - 1 )", "is sick", "(is sick + seen - 1)",
         "is sick / (is sick + seen - 1)"),
        ("prop(pmin(a, b), `of (n, m)`)", "pmin(a, b)", "of (n, m)", "pmin(a, b) / of (n, m)"),
        ("prop(a, b) + prop(c, d)", "prop(a, b) + prop(c, d)", None, "prop(a, b) + prop(c, d)"),
    ],
)  # fmt: skip
def test_a_response_knows_what_is_observed_and_out_of_what(text, name, trials_name, label):
    response = Response.written(text)
    assert (response.name, response.trials_name, response.label) == (name, trials_name, label)


def test_a_response_in_two_levels_names_its_success():
    data = pd.DataFrame({"does smoke": ["no", "yes", "no", "yes"], "x": [1.0, 2, 4, 3]})
    response = build_design("`does smoke` ~ x", data, takes_trials=True).response
    assert response.label == "does smoke = yes" and response.y.tolist() == [0, 1, 0, 1]


def test_variables_are_found_inside_calls_and_backticks():
    found = variables_in("poly(x, degree=2) + np.log(z) * `a b` + C(t, contr.treatment('q'))")
    assert found == ["x", "z", "a b", "t"]


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        ("days.clip(0, 5)", ["days"]),
        ("days.clip(upper=most)", ["days", "most"]),
        ("np.where(a > 2, b, 0)", ["a", "b"]),
        ("x.astype(float) + np.log(int)", ["x", "int"]),
        ("C(trt, contr.treatment('a'))", ["trt"]),
        ("np.array([v * w for v in x])", ["w", "x"]),
        ("I((lambda q: q * z)(x))", ["z", "x"]),
        ("(end - start).dt.days", ["end", "start"]),
        ("I(`a b`.clip(0)) + np.log(`12:00`) + a_b", ["a b", "12:00", "a_b"]),
        ("Sepal.Length:t %in% g", ["Sepal.Length", "t", "g"]),
        ("scale(scale) * log", ["scale", "log"]),
        ("I(t == 'x y') - 1 + True", ["t"]),
        ("poly(np.log(x), degree=2)[0]", ["x"]),
    ],
)
def test_columns_are_told_from_functions_texts_keywords_and_bound_names(expression, columns):
    assert variables_in(expression) == columns


@pytest.mark.parametrize(
    "term", ["x.clip(2, 5)", "np.where(x > 2, `soil type`, 0)", "np.array([v**2 for v in x])"]
)
def test_methods_and_comprehensions_work_in_the_fit_and_on_new_data(term, trial):
    built = design(f"y ~ trt + {term} + (0 + {term} | block)", trial)
    values = {
        "x.clip(2, 5)": trial["x"].clip(2, 5),
        "np.where(x > 2, `soil type`, 0)": trial["soil type"] * (trial["x"] > 2),
        "np.array([v**2 for v in x])": trial["x"] ** 2,
    }[term]
    np.testing.assert_allclose(built.X[:, 3], values)
    X, *_ = built.fixed_on(trial.iloc[2:5])
    np.testing.assert_allclose(X[:, 3], values[2:5])
    np.testing.assert_allclose(built.random_on(trial.iloc[2:5])[0].Z[:, 0], values[2:5])


def test_a_name_that_is_no_column_is_named_wherever_it_stands(trial):
    for term in ("plit", "plit.clip(0, 5)", "np.log(plit)", "C(plit, contr.sum)"):
        with pytest.raises(ValueError, match=r"no column 'plit' \(did you mean 'plot'\?\)"):
            design(f"y ~ {term}", trial)


def test_new_data_get_the_same_columns_as_the_data_of_the_fit(trial):
    built = design("y ~ trt + poly(x, 2) + (1 | block/plot)", trial)
    X, *_ = built.fixed_on(trial.iloc[3:5])
    np.testing.assert_allclose(X, built.X[3:5])
    new = trial.iloc[:2].assign(block=["I", "III"])
    assert [term.codes.tolist() for term in built.random_on(new)] == [[0, -1], [0, -1]]


def test_rows_with_missing_values_are_dropped_and_counted(trial):
    trial.loc[2, "x"] = np.nan
    trial.loc[5, "block"] = None
    trial.loc[0, "trt"] = None
    built = design("y ~ x + (1 | block)", trial)
    assert built.n == 6 and built.n_dropped == 2
    assert 2 not in built.frame.index


@pytest.mark.parametrize(
    "convert",
    [
        lambda frame: frame.assign(x=frame["x"].astype("Int64"), y=frame["y"].astype("Float64")),
        lambda frame: frame.assign(trt=frame["trt"].astype("category")),
        lambda frame: frame.astype({"trt": "string", "block": "string"}),
        lambda frame: frame.to_dict("list"),
        lambda frame: frame.set_index("soil type", drop=False),
    ],
    ids=["nullable", "category", "string", "dict", "other index"],
)
def test_every_usual_kind_of_table_gives_the_same_design(trial, convert):
    formula = "y ~ x + trt + (1 | block)"
    plain, other = design(formula, trial), design(formula, convert(trial))
    np.testing.assert_array_equal(plain.X, other.X)
    np.testing.assert_array_equal(plain.random[0].codes, other.random[0].codes)
    assert plain.names == other.names


@pytest.mark.parametrize(
    ("nesting", "groups"),
    [
        ("block/(a + b)", ["block", "block:a", "block:b"]),
        ("block/(a + b)/plot", ["block", "block:a", "block:b", "block:a:b:plot"]),
        ("(a + b)/plot", ["a", "b", "a:b:plot"]),
        ("site/(block/(a + b))", ["site", "site:block", "site:block:a", "site:block:b"]),
        ("a:b/plot", ["a:b", "a:b:plot"]),
        ("`my block`/(`a/b` + b)", ["my block", "my block:a/b", "my block:b"]),
    ],
)
def test_brackets_in_a_nesting_are_read_as_in_R(nesting, groups):
    assert [term.group for term in parse_formula(f"y ~ x + (1 | {nesting})").random] == groups


def test_other_signs_in_a_nesting_are_refused():
    for nesting in ("a/(b * c)", "a/(b", "a/()", "a + b", "a/(b - c)"):
        with pytest.raises(ValueError, match=r"grouping factor|bracket"):
            parse_formula(f"y ~ x + (1 | {nesting})")
