"""What columns and formulas become on their way to the design, one step at a time."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.formula.columns import complete_rows, matched, select, taken, to_frame
from glmmtools.formula.design import build_design
from glmmtools.formula.fixed_part import one_sided
from glmmtools.formula.grammar import parse_formula, right_of_tilde
from glmmtools.formula.idioms import as_meant
from tests.quiet_fits import quietly

BIG = 2**53 + 1  # no float


def design(formula, data, **options):
    return build_design(formula, data, takes_trials=False, **options)


@pytest.mark.parametrize(
    ("values", "dtype", "taken_as", "missing"),
    [
        ([1, 2, 3], "int8", "int64", None),
        ([1, 2, 3], "uint32", "int64", None),
        ([BIG, BIG + 1, None], "Int64", "Int64", "int64"),
        ([1.5, 2, None], "Float64", "float64", "float64"),
        ([1.5, 2, 3], "float16", "float64", None),
        ([2**63 + 7, 1, 2], "uint64", "uint64", None),
        ([BIG, None, 3], object, "Int64", "int64"),
        ([BIG, 2**70, 3], object, "object", None),
        ([Decimal(BIG), Decimal(2), None], object, "Int64", "int64"),
        ([Decimal("0.5"), Decimal(2), None], object, "float64", "float64"),
        ([Fraction(1, 2), 1, 2.5], object, "float64", None),
        ([True, False, None], object, "object", "bool"),
        ([True, False, None], "boolean", "object", "bool"),
        ([True, False, True], "boolean", "bool", None),
        (["a", None, "b"], "string", "object", "object"),
        ([1, "1", 2], object, "object", None),
        (["a", "b", None], "category", "category", "category"),
    ],
)
def test_a_column_is_taken_as_one_of_a_few_types_and_no_value_changes(
    values, dtype, taken_as, missing
):
    column = pd.Series(values, dtype=dtype, name="x")
    frame = select(pd.DataFrame({"x": column}), ["x"])
    assert frame["x"].dtype == taken_as
    complete = complete_rows(frame, frame["x"].notna().to_numpy())["x"]
    assert complete.dtype == (missing or taken_as)
    assert complete.tolist() == [value for value in values if value is not None]


def test_categories_that_occur_keep_their_order():
    column = pd.Categorical(["b", "a", "c"], ["z", "c", "b", "a"], ordered=True)
    frame = complete_rows(pd.DataFrame({"t": column}), np.array([True, True, False]))
    assert frame["t"].cat.categories.tolist() == ["b", "a"] and frame["t"].cat.ordered


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1], [2]], "holds lists, such as .1..*one value a row"),
        ([{"a": 1}, {"b": 2}], "holds dicts"),
        ([1 + 2j, 3j], "complex numbers"),
    ],
)
def test_what_is_not_one_number_or_label_a_row_is_refused(values, message):
    with pytest.raises(ValueError, match=f"'x' .*{message}"):
        taken(pd.Series(values, name="x"))


def test_frames_of_other_libraries_keep_large_labels_beside_missing_ones():
    class Column(list):
        to_pylist = list.copy

    class Table:
        columns, column_names = ([], []), ["g", "y"]

        def __getitem__(self, name):
            return Column({"g": [BIG, None, 5], "y": [1.0, 2.0, None]}[name])

    frame = select(to_frame(Table()), ["g", "y"])
    assert frame["g"].dropna().tolist() == [BIG, 5] and frame["y"].dtype == float


class Enum:
    """The type of a polars column of levels in an order."""

    categories = ("low", "mid", "high")


def test_levels_of_other_libraries_keep_their_order():
    class Column(list):
        dtype = Enum()

    class Table:
        columns = ("t",)

        def __getitem__(self, name):
            return Column(["high", "low", None, "high"])

    frame = select(to_frame(Table()), ["t"])
    complete = complete_rows(frame, frame["t"].notna().to_numpy())
    assert complete["t"].cat.categories.tolist() == ["low", "high"]


def test_dictionaries_of_pyarrow_keep_their_order():
    pyarrow = pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"t": pd.Categorical(["b", "a", None], ["c", "b", "a"])})
    table = pyarrow.Table.from_pandas(frame)
    for given in (table, table.to_pandas(types_mapper=pd.ArrowDtype)):
        taken_as = select(to_frame(given), ["t"])["t"]
        assert taken_as.tolist()[:2] == ["b", "a"]
        assert taken_as.cat.categories.tolist() == ["c", "b", "a"]


def test_a_table_that_is_not_read_yet_gets_the_line_to_write():
    class LazyFrame:
        columns = ("y",)

        def collect(self):
            """A frame."""

    with pytest.raises(TypeError, match=r"LazyFrame.*data\.collect\(\)"):
        to_frame(LazyFrame())


def test_names_that_are_no_text_are_read_as_text():
    """A spreadsheet has a column for each year."""
    data = pd.DataFrame({2019: [1.0, 2, 4, 3], 2020: [3.0, 1, 2, 6]})
    assert design("`2019` ~ `2020`", data).names == ("Intercept", "2020")


@pytest.mark.parametrize(
    ("values", "known", "expected"),
    [
        (["3", 4, 3.0, "x"], [3, 4], [3, 4, 3, "x"]),
        (["007", "7", 7], ["007", "7"], ["007", "7", "7"]),
        ([1, "1", "2"], [1, "1", 2], [1, "1", 2]),
        ([BIG, str(BIG), float(BIG)], [BIG, BIG - 1], [BIG, BIG, BIG - 1]),
        (["True", False], [True, False], [True, False]),
        ([pd.Timestamp("2020-01-01")], ["2020-01-01 00:00:00"], ["2020-01-01 00:00:00"]),
    ],
)
def test_labels_match_first_as_they_are_and_then_as_text(values, known, expected):
    found = matched(values, known)
    assert found == expected and list(map(type, found)) == list(map(type, expected))


def test_labels_that_differ_in_type_only_are_two_groups():
    labels = np.repeat(np.array([1, "1", "007"], object), 4)
    (term,) = design("y ~ 1 + (1 | g)", {"y": np.arange(12.0), "g": labels}).random
    assert len(term.levels) == 3


def test_levels_of_new_data_match_as_text_too():
    data = pd.DataFrame({"t": list("123") * 4, "b": [True, False] * 6, "y": np.arange(12.0) ** 2})
    model = gt.fit("y ~ t + b", data)
    for new in ({"t": [2, 3.0], "b": ["True", "False"]}, {"t": [2, 3], "b": [1, 0]}):
        np.testing.assert_allclose(
            model.predict(pd.DataFrame(new)),
            model.predict(pd.DataFrame({"t": ["2", "3"], "b": [True, False]})),
        )
    with pytest.raises(ValueError, match=r"has not seen: '4', 5 in column 't'"):
        model.predict(pd.DataFrame({"t": ["4", 5], "b": True}))


def test_text_in_place_of_numbers_in_new_data_is_refused():
    model = gt.fit("y ~ x", {"x": [1, 2, 4], "y": [1.0, 3, 2]})
    with pytest.raises(ValueError, match=r"'x' holds numbers in the data of the fit.*'many'"):
        model.predict(pd.DataFrame({"x": ["many"]}))


def test_a_whole_number_as_a_level_has_no_decimals():
    data = {"y": np.arange(6.0), "k": [1, 2, None, 1, 2, 3], "g": [1, 1, 2, 2, None, 3]}
    built = design("y ~ 0 + C(k) + (1 | g)", data)
    assert built.names == ("C(k)[1]", "C(k)[2]", "C(k)[3]")
    assert built.random[0].levels.tolist() == ["1", "2", "3"]
    X, *_ = built.fixed_on({"k": [2.0, 1]})
    np.testing.assert_array_equal(X, [[0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize(
    ("condition", "column"),
    [("I(x > 2)", "I(x > 2)[T.True]"), ("np.isin(x, [1, 3])", "np.isin(x, [1, 3])[T.True]")],
)
def test_a_condition_is_a_factor_of_two_levels(condition, column):
    data = {"x": [1, 2, 3, 4], "y": [1.0, 2, 4, 3], "g": list("aabb")}
    assert design(f"y ~ {condition}", data).names == ("Intercept", column)
    assert len(design(f"y ~ 0 + {condition}", data).names) == 2
    assert set(design(f"{condition} ~ x", data).y) == {0.0, 1.0}


# ------------------------------------------------------------------------------ the formula


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("y^2 ~ `a^b` + I(x^2)", "y**2 ~ `a^b` + I(x**2)"),
        ("np.where(t == 'a^b' | x > 1, 1, 0)", "np.where((t == 'a^b') | (x > 1), 1, 0)"),
        ("I((x > 4 & z) * (w < 1 | v))", "I(((x > 4) & z) * ((w < 1) | v))"),
        ("I((x > 4) & (z > 2))", "I((x > 4) & (z > 2))"),
        ("(x || g) + (1 | a:b)", "(x || g) + (1 | a:b)"),
        ("I(`x > 1 | y` > 2)", "I(`x > 1 | y` > 2)"),
        ("I(a | b) + f(x, y > 1, k=2)", "I(a | b) + f(x, y > 1, k=2)"),
    ],
)
def test_powers_and_conditions_are_read_as_in_r(text, meant):
    assert as_meant(text) == meant
    assert as_meant(meant) == meant


def test_a_bar_inside_a_condition_is_no_random_term():
    parsed = parse_formula("y ~ I(a | b) + np.where(x > 1 | z > 2, 1, 0) + (I(a | b) | g)")
    assert len(parsed.random) == 1 and parsed.random[0].columns == "I(a | b)"
    assert right_of_tilde("~ I(a | b)", "zero_inflation").fixed == "I(a | b)"


@pytest.mark.parametrize("spline", ["cr", "cs", "cc"])
def test_a_spline_beside_an_intercept_is_centred_and_the_same_on_new_data(spline):
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=40), "y": rng.normal(size=40), "t": list("ab") * 20})
    term = f"{spline}(x, df=4)"
    for formula in (f"y ~ {term}", f"y ~ t * {term}", f"y ~ 0 + {term}"):
        built = design(formula, data)
        assert not built.rank.left_out
        np.testing.assert_allclose(built.fixed_on(data.iloc[3:9]).X, built.X[3:9], atol=1e-12)
    centred, whole = design(f"y ~ {term}", data), design(f"y ~ 0 + {spline}(x, df=5)", data)
    np.testing.assert_allclose(centred.X[:, 1:].mean(axis=0), 0, atol=1e-9)
    assert centred.X.shape[1] == np.linalg.matrix_rank(np.hstack([centred.X, whole.X])) == 5


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ log(x)", {}),
        ("y ~ 1 + (0 + log(x) | t)", {}),
        ("y ~ 1", {"dispersion_formula": "~ log(x)"}),
        ("y ~ 1", {"zero_inflation": "~ log(x)"}),
    ],
)
def test_what_is_not_finite_is_named_in_every_part(formula, options):
    data = {"y": [3, 1, 2, 4], "x": [1, 0, 2, 3], "t": list("aabb")}
    with pytest.raises(ValueError, match=r"'log\(x\)' is not a finite number in row 1"):
        gt.fit(formula, data, "negative_binomial", **options)


def test_a_factor_of_one_level_is_left_out_and_named_with_the_rows_that_were_lost():
    data = pd.DataFrame({"t": ["a", None] * 6, "x": np.arange(12) % 5, "y": np.arange(12.0)})
    with pytest.warns(gt.DataWarning, match=r"t is left out of the fixed part.*6 rows.*missing"):
        model = gt.fit("y ~ t + x", data)
    assert list(model.params.index) == ["Intercept", "x"]


@pytest.mark.parametrize("role", ["weights", "offset"])
def test_values_beside_the_data_are_taken_by_label_or_refused(role):
    data = pd.DataFrame({"y": [1.0, 3, 2, 5], "x": [1, 2, 3, 5]}, index=list("abcd"))
    values = pd.Series([1, 2, 3, 4], index=list("dcba"), dtype="Int8")
    built = design("y ~ x", data, **{role: values})
    assert getattr(built, role).tolist() == [4, 3, 2, 1]
    twice = pd.concat([values, values[:1]])
    nested = values.set_axis(pd.MultiIndex.from_product([[1, 2], [3, 4]]))
    for wrong, message in (
        (values[:3], "no label 'a'"), (twice, "more than once"), (nested, "no label 'a'")
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"{role}= is a Series.*{message}"):
            design("y ~ x", data, **{role: wrong})
    positions = design("y ~ x", data, **{role: values.to_numpy()})
    assert getattr(positions, role).tolist() == [1, 2, 3, 4]
    with pytest.raises(ValueError, match=f"{role} must be a column of numbers.*such as 'one'"):
        design("y ~ x", data, **{role: ["one", "two", "three", "four"]})


@pytest.mark.parametrize("formula", ["~ 0 + x", "~ 0"])
def test_a_dispersion_without_an_intercept_is_that_of_the_formula(formula):
    """The likelihood at the estimates, by SciPy's multivariate normal density."""
    from scipy import stats

    rng, g = np.random.default_rng(11), np.repeat(np.arange(20), 10)
    x = rng.normal(size=200)
    y = 5 + rng.normal(0, 2, 20)[g] + rng.normal(0, np.exp(0.4 * x))
    model = gt.fit("y ~ 1 + (1 | g)", {"y": y, "x": x, "g": g}, dispersion_formula=formula)
    slope = model.dispersion.get("log phi: x", 0.0)
    variance = model.variance_components["variance"][0]
    V = variance * np.equal.outer(g, g) + np.diag(np.exp(slope * x))
    density = stats.multivariate_normal(np.full(200, model.params["Intercept"]), V).logpdf(y)
    assert model.converged and model.llf == pytest.approx(density, abs=1e-6)
    if "x" in formula:  # glmmTMB 1.1.5
        assert model.llf == pytest.approx(-317.62157, abs=1e-5)
        assert slope == pytest.approx(0.968545, abs=1e-5)


def test_one_series_is_enough_for_a_correlation_in_time():
    """glmmTMB 1.1.5: -34.260202."""
    rng, e = np.random.default_rng(8), np.zeros(25)
    for i in range(25):
        e[i] = (0.7 * e[i - 1] if i else 0) + rng.normal()
    model = gt.fit("y ~ t + ar1(t | g)", {"y": e, "t": np.arange(25), "g": "a"})
    assert model.converged and model.llf == pytest.approx(-34.260202, abs=1e-5)


# --------------------------------------------------------------------- expressions on new rows


def doses():
    rng = np.random.default_rng(7)
    data = pd.DataFrame({"x": rng.uniform(1, 9, 60), "g": np.repeat(np.arange(6), 10)})
    return data.assign(y=rng.poisson(np.exp(0.5 + 0.1 * data["x"] + rng.normal(0, 0.4, 6)[data.g])))


@pytest.mark.parametrize(
    "expression",
    ["I(x - x.mean())", "I(x - np.mean(x))", "I(x / np.max(x))", "I(x > np.median(x))", "x.rank()",
     "np.cumsum(x)", "I(x - x.iloc[0])"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ {} + (1 | g)", {}),
        ("y ~ x + (0 + {} | g)", {}),
        ("y ~ x + offset({})", {}),
        ("y ~ x", {"zero_inflation": "~ {}"}),
        ("y ~ x", {"dispersion_formula": "~ {}"}),
    ],
)
def test_what_depends_on_other_rows_is_refused_on_new_ones(expression, formula, options):
    """The mean of new rows is not that of the fit: R's predict() takes it, and is wrong."""
    options = {name: text.format(expression) for name, text in options.items()}
    formula = formula.format(expression)
    model = build_design(formula, doses(), takes_trials=False)
    asked = model.fixed_on
    if "|" in formula and "0 +" in formula:
        asked = model.random_on
    for name, text in options.items():
        asked = one_sided(text, model.frame, name).on
    with pytest.raises(ValueError, match=r"depends on the other rows.*center\(x\)"):
        asked(doses().head(3))


def test_means_and_slopes_beside_a_mean_of_the_rows_are_refused_and_beside_center_right():
    """A slope of x - x.mean() was zero: the mean moved with the rows."""
    wrong = quietly("y ~ I(x - x.mean()) + (1 | g)", doses(), "poisson")
    for ask in (lambda m: m.slopes("x"), lambda m: m.means("x", at={"x": [2, 5]})):
        with pytest.raises(ValueError, match="depends on the other rows"):
            ask(wrong)
    right = quietly("y ~ center(x) + (1 | g)", doses(), "poisson")
    assert right.llf == pytest.approx(wrong.llf, abs=1e-8)
    raw = quietly("y ~ x + (1 | g)", doses(), "poisson")
    new = doses().iloc[[4]].assign(x=20.0)
    np.testing.assert_allclose(right.predict(new), raw.predict(new), rtol=1e-5)


@pytest.mark.parametrize(
    ("term", "value", "message"),
    [
        ("x", np.inf, "column 'x' holds an infinite value in row 0"),
        ("log(x)", 0.0, r"'log\(x\)' is not a finite number in row 0"),
        ("np.sqrt(x)", -1.0, r"'np.sqrt\(x\)' is not a finite number in row 0"),
        ("poly(log(x), 2)", 0.0, r"'poly\(log\(x\), 2\)\[1\]' is not a finite number in row 0"),
    ],
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_new_values_that_are_not_finite_are_named(term, value, message):
    for formula in (f"y ~ {term} + (1 | g)", f"y ~ 1 + (0 + {term} | g)"):
        model = quietly(formula, doses(), "poisson")
        with pytest.raises(ValueError, match=message):
            model.predict(doses().head(2).assign(x=[value, 1.0]))


def test_a_spline_ends_with_the_data_unless_it_is_told_to_go_on():
    """Its last piece goes on: the third differences of a cubic are constant."""
    beyond = doses().head(5).assign(x=[10.0, 11.0, 12.0, 13.0, 14.0])
    with pytest.raises(ValueError, match=r"bs\(x, df=4\). Write .*extrapolation='extend'"):
        quietly("y ~ bs(x, df=4)", doses(), "poisson").predict(beyond)
    model = quietly("y ~ bs(x, df=4, extrapolation='extend')", doses(), "poisson")
    third = np.diff(model.predict(beyond, scale="link"), 3)
    assert third[0] == pytest.approx(third[1], rel=1e-6) and abs(third[0]) > 1e-3


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("[y, x] ~ g", r"response '\[y, x\]' must be one column"),
        ("y | x ~ g", r"cannot read 'I\(y \| x\)'"),
        ("y ~ `` + x", "column without a name"),
    ],
)
def test_what_is_no_column_is_refused_as_it_was_written(formula, message):
    with pytest.raises(ValueError, match=message):
        design(formula, doses().assign(**{"": 1.0}))
