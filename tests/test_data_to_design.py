"""Columns as people have them reach the design as the numbers and the factors that they are."""

import io
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt


def quietly(*arguments, **options):
    """The fit without its warnings, where a test is about something else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        return gt.fit(*arguments, **options)


def assert_same_fit(model, right):
    assert model.llf == pytest.approx(right.llf, abs=1e-6)
    assert model.df_model == right.df_model
    np.testing.assert_allclose(model.params, right.params, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(
        model.variance_components["sd"], right.variance_components["sd"], rtol=1e-4, atol=1e-6
    )


# --------------------------------------------------------------------- numbers of every kind


def plots():
    """Counts in twenty plots over ten years, with covariates that are whole numbers."""
    rng, g = np.random.default_rng(6), np.repeat(np.arange(20), 10)
    dose, trials = rng.integers(1, 120, 200), rng.integers(60, 120, 200)
    mu = np.exp(1 + rng.normal(0, 0.4, 20)[g] + 0.004 * (dose - 60))
    return pd.DataFrame(
        {
            "y": rng.poisson(mu),
            "g": g,
            "year": np.tile(np.arange(2001, 2011), 20),
            "week": np.tile(np.arange(0, 100, 10) + 20, 20),
            "dose": dose,
            "wt": rng.integers(40, 120, 200),
            "large": (rng.normal(size=200) * 20000 + 100000).round().astype(int),
            "trials": trials,
            "dead": rng.binomial(trials, 0.4),
            "alive": trials,
            "t": rng.choice(["a", "b", "c"], 200),
            "height": 5 + rng.normal(0, 2, 20)[g] + rng.normal(size=200).round(3),
        }
    )


NARROW = (
    ("dose:wt", "uint8"), ("dose:wt", "int8"), ("dose * wt", "uint8"), ("dose * wt", "Int8"),
    ("I(dose - 60)", "uint8"), ("I(dose * 10)", "int8"), ("I(dose * 10)", "UInt8"),
    ("I(year ** 2)", "int16"), ("I(year ** 2)", "Int16"), ("I(large ** 2)", "int32"),
    ("log(dose)", "uint8"), ("np.sqrt(dose)", "int8"), ("poly(dose, 2)", "uint8"),
    ("scale(dose)", "int8"), ("log(dose)", "float16"), ("I(large ** 2)", "float32"),
)  # fmt: skip


@pytest.mark.parametrize(("term", "dtype"), NARROW)
def test_numbers_of_any_width_are_computed_with_as_if_they_were_wide(term, dtype):
    """Of Stata, parquet and downcast tables: integers of 8 bits wrap round at 128 or 256."""
    data = plots()
    columns = [name for name in ("dose", "wt", "year", "large") if name in term]
    narrow = data.astype(dict.fromkeys(columns, dtype))
    wide = narrow.astype(dict.fromkeys(columns, float))
    model, right = (gt.fit(f"y ~ {term} + (1 | g)", each, "poisson") for each in (narrow, wide))
    assert_same_fit(model, right)


ROLES = {
    "successes and failures": ("cbind(dead, alive) ~ wt + (1 | g)", "binomial", {}),
    "successes out of trials": ("prop(dead, trials) ~ wt + (1 | g)", "betabinomial", {}),
    "response": ("dose * 10 ~ wt + (1 | g)", "normal", {}),
    "left of the bar": ("y ~ 1 + (0 + I(dose * 10) | g)", "poisson", {}),
    "time": ("y ~ 1 + ar1(week | g)", "poisson", {}),
    "weights": ("y ~ dose + (1 | g)", "poisson", {"weights": "wt"}),
    "offset": ("y ~ dose + (1 | g)", "poisson", {"offset": "wt"}),
    "offset in the formula": ("y ~ dose + offset(log(wt * 10)) + (1 | g)", "poisson", {}),
    "dispersion": ("log(large) ~ wt + (1 | g)", "normal", {"dispersion_formula": "~ I(dose * 10)"}),
    "extra zeros": ("y ~ wt + (1 | g)", "poisson", {"zero_inflation": "~ I(dose * 10)"}),
}


@pytest.mark.parametrize(("formula", "family", "options"), ROLES.values(), ids=list(ROLES))
def test_narrow_integers_are_numbers_wherever_a_model_reads_them(formula, family, options):
    data = plots()
    columns = ["y", "dose", "wt", "week", "trials", "dead", "alive"]
    narrow = data.astype(dict.fromkeys(columns, "uint8"))
    model, right = (
        quietly(formula, each, family, **options)
        for each in (narrow, narrow.astype(dict.fromkeys(columns, float)))
    )
    assert_same_fit(model, right)


DRESSES = {
    "integers among objects": lambda column: column.astype(object),
    "floats among objects": lambda column: column.astype(float).astype(object),
    "decimals, as from a database": lambda column: column.map(lambda k: Decimal(int(k))),
    "fractions": lambda column: column.map(lambda k: Fraction(int(k))),
    "nullable integers": lambda column: column.astype("Int64"),
    "nullable floats": lambda column: column.astype("Float64"),
    "integers of pyarrow": lambda column: column.astype("int8[pyarrow]"),
    "floats of pyarrow": lambda column: column.astype("double[pyarrow]"),
}


@pytest.mark.parametrize(
    "formula", ["height ~ dose + (1 | g)", "dose ~ height + (1 | g)"], ids=["covariate", "response"]
)
@pytest.mark.parametrize("dress", DRESSES.values(), ids=list(DRESSES))
def test_numbers_in_another_dress_are_numbers(dress, formula):
    data = plots()
    if dress in (DRESSES["integers of pyarrow"], DRESSES["floats of pyarrow"]):
        pytest.importorskip("pyarrow")
    model = quietly(formula, data.assign(dose=dress(data["dose"])))
    assert len(model.params) == 2
    assert_same_fit(model, quietly(formula, data))


def test_a_missing_number_in_another_dress_drops_its_row():
    data = plots()
    for dtype in ("Int64", "Float64", object):
        gaps = data.astype({"dose": dtype})
        gaps.loc[[3, 8], "dose"] = None if dtype is object else pd.NA
        model = gt.fit("height ~ dose + (1 | g)", gaps)
        assert_same_fit(model, gt.fit("height ~ dose + (1 | g)", data.drop(index=[3, 8])))
        assert model.n_dropped == 2


# ---------------------------------------------------------------------- factors of every kind

TEXTS = {
    "objects": lambda column: column.astype(object),
    "strings": lambda column: column.astype("string"),
    "categories": lambda column: column.astype("category"),
    "categories in order": lambda column: pd.Categorical(column, ordered=True),
    "strings of pyarrow": lambda column: column.astype("string[pyarrow]"),
}


@pytest.mark.parametrize("dress", TEXTS.values(), ids=list(TEXTS))
def test_text_is_a_factor_whatever_holds_it(dress):
    data = plots()
    if dress is TEXTS["strings of pyarrow"]:
        pytest.importorskip("pyarrow")
    model = quietly("height ~ t + (0 + t | g)", data.assign(t=dress(data["t"])))
    assert list(model.params.index) == ["Intercept", "t[T.b]", "t[T.c]"]
    assert list(model.variance_components["term"][:3]) == ["t[a]", "t[b]", "t[c]"]
    assert_same_fit(model, quietly("height ~ t + (0 + t | g)", data))


BOOLEANS = {
    "booleans": lambda column: column,
    "nullable booleans": lambda column: column.astype("boolean"),
    "booleans among objects": lambda column: column.astype(object),
    "booleans of pyarrow": lambda column: column.astype("bool[pyarrow]"),
}


@pytest.mark.parametrize("dress", BOOLEANS.values(), ids=list(BOOLEANS))
@pytest.mark.parametrize("term", ["wet", "wet * dose", "dose + (wet | g)"])
def test_booleans_are_a_factor_of_two_levels(dress, term):
    data = plots()
    wet = data["dose"] % 3 == 0
    if dress is BOOLEANS["booleans of pyarrow"]:
        pytest.importorskip("pyarrow")
    model = quietly(f"height ~ {term}", data.assign(wet=dress(wet)))
    right = quietly(f"height ~ {term}", data.assign(wet=np.where(wet, "True", "False")))
    assert list(model.params.index) == list(right.params.index)
    assert list(model.variance_components["term"]) == list(right.variance_components["term"])
    assert_same_fit(model, right)


DATES = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(200), unit="D")
NO_NUMBERS = {
    "dates": (DATES, "dates.*days"),
    "dates with a time zone": (DATES.tz_localize("UTC"), "dates.*days"),
    "durations": (DATES - DATES[0], "durations.*days"),
    "months": (DATES.to_period("M"), "periods.*month"),
    "lists": ([[1]] * 200, "lists"),
}


@pytest.mark.parametrize("formula", ["height ~ when + (1 | g)", "height ~ dose + (0 + when | g)"])
@pytest.mark.parametrize(("column", "message"), NO_NUMBERS.values(), ids=list(NO_NUMBERS))
def test_a_column_of_no_numbers_is_refused_with_what_to_write(column, message, formula):
    data = plots().assign(when=column)
    with pytest.raises(ValueError, match=f"(?s)'when'.*{message}"):
        gt.fit(formula, data)


# ------------------------------------------------------------------------- levels that occur


def filtered_out(data, level):
    """The rows of other levels, the level still a category."""
    data = data.assign(t=pd.Categorical(data["t"]))
    return data[data["t"] != level]


def lost_with_the_response(data, level):
    """The level occurs in rows only whose response is missing."""
    data = data.assign(t=pd.Categorical(data["t"]), y=data["y"].astype(float))
    data.loc[data["t"] == level, ["height", "y"]] = np.nan
    return data


def never_there(data, level):
    """The level is a category, the first, of which there has never been a row."""
    data = data[data["t"] != level]
    return data.assign(t=pd.Categorical(data["t"], ["z", *sorted(data["t"].unique())]))


PARTS = {
    "fixed": ("height ~ t + (1 | g)", "normal", {}),
    "interaction": ("height ~ t * dose + (1 | g)", "normal", {}),
    "without intercept": ("height ~ 0 + t + (1 | g)", "normal", {}),
    "no random part": ("height ~ t", "normal", {}),
    "left of the bar": ("height ~ dose + (t | g)", "normal", {}),
    "left of the bar, each its own": ("height ~ dose + (0 + t || g)", "normal", {}),
    "compound symmetry": ("height ~ dose + cs(t | g)", "normal", {}),
    "group": ("y ~ dose + (1 | t:g)", "poisson", {}),
    "dispersion": ("height ~ dose + (1 | g)", "normal", {"dispersion_formula": "~ t"}),
    "extra zeros": ("y ~ dose + (1 | g)", "poisson", {"zero_inflation": "~ t"}),
}


@pytest.mark.parametrize("level", ["a", "c"], ids=["reference lost", "other lost"])
@pytest.mark.parametrize(("formula", "family", "options"), PARTS.values(), ids=list(PARTS))
def test_a_level_without_rows_is_no_level(formula, family, options, level):
    """As in lme4, glmmTMB and R's model.frame: the fit of the same column as text."""
    data = plots()
    data.loc[data.index[::9], "y"] = 0
    right = quietly(formula, data[data["t"] != level], family, **options)
    for absent in (filtered_out, lost_with_the_response, never_there):
        model = quietly(formula, absent(data, level), family, **options)
        assert list(model.params.index) == list(right.params.index)
        assert list(model.dispersion.index) == list(right.dispersion.index)
        assert_same_fit(model, right)


def test_slopes_of_an_absent_level_have_no_variance_and_count_for_no_parameter():
    """lme4: nine parameters, AIC 353.89."""
    rng, g = np.random.default_rng(161), np.repeat(np.arange(16), 10)
    x, t = rng.normal(size=160), rng.choice(list("abc"), 160)
    level, slopes = rng.normal(0, 1, 16), rng.normal(0, 0.7, (16, 3))
    y = 1 + 0.5 * x + level[g] + slopes[g, ["abc".index(k) for k in t]] + rng.normal(0, 0.5, 160)
    data = pd.DataFrame({"y": y, "x": x, "g": g, "t": pd.Categorical(t, list("zabcd"))})
    model = gt.fit("y ~ x + (t | g)", data)
    assert model.df_model == 9
    assert model.aic == pytest.approx(353.89, abs=0.01)
    np.testing.assert_allclose(
        model.variance_components["sd"][:3], [1.15626, 1.22677, 1.33803], rtol=1e-3
    )


def test_levels_keep_the_order_of_their_categories():
    data = plots()
    data["t"] = pd.Categorical(data["t"], ["c", "z", "a", "b"])
    model = gt.fit("height ~ t + (1 | g)", data)
    assert list(model.params.index) == ["Intercept", "t[T.a]", "t[T.b]"]


@pytest.mark.parametrize("word", ["None", "NA"])
def test_a_level_that_pandas_read_as_missing_is_explained_where_it_is_missed(word):
    """read_csv takes the words None and NA for missing values: a treatment is lost."""
    rows = [
        f"{level},{k + 3 * (level == 'high')}" for k in range(8) for level in (word, "high", "low")
    ]
    data = pd.read_csv(io.StringIO("\n".join(["treatment,y", *rows])))
    model = gt.fit("y ~ treatment", data)
    with pytest.raises(ValueError, match=r"8 rows.*missing"):
        model.predict(pd.DataFrame({"treatment": [word]}))


# ---------------------------------------------------------------------------- group labels


def visits(labels, more=()):
    """Ten visits of each label, whose means differ, and those of more labels."""
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(len(labels)), 10)
    y = rng.normal(0, 2, len(labels))[g] + rng.normal(size=len(g))
    return pd.DataFrame({"g": pd.Series(list(labels)).take(g).array, "y": y})


NEW_LABELS = {
    "text for integers": (range(12), ["3", "4"]),
    "floats for integers": (range(12), [3.0, 4.0]),
    "text for nullable integers": (pd.array(range(12), "Int64"), ["3", "4"]),
    "integers for text": ([str(k) for k in range(12)], [3, 4]),
    "categories for integers": (range(12), pd.Categorical(["3", "4"])),
    "text for whole floats": (np.arange(12.0), ["3", "4"]),
}


@pytest.mark.parametrize(("labels", "new"), NEW_LABELS.values(), ids=list(NEW_LABELS))
def test_labels_of_new_data_match_as_text_too(labels, new):
    """After a CSV or JSON the group 3 is called '3'; R's factors match the two."""
    data = visits(labels)
    model = gt.fit("y ~ 1 + (1 | g)", data)
    right = model.predict()[[30, 40]]
    np.testing.assert_allclose(model.predict(pd.DataFrame({"g": new})), right)
    assert abs(right.diff().iloc[1]) > 0.1


def test_labels_of_nested_groups_match_as_text_too():
    data = visits(range(12)).assign(h=np.tile([1, 2], 60))
    model = quietly("y ~ 1 + (1 | g/h)", data)
    new = pd.DataFrame({"g": ["3", "4"], "h": ["1", "1"]})
    np.testing.assert_allclose(model.predict(new), model.predict()[[30, 40]])


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "with a missing label"])
def test_labels_never_pass_through_a_float(missing):
    """2⁵³ and 2⁵³ + 1 are two groups, and one number of 64 bits."""
    labels = pd.array([2**53, 2**53 + 1, 2**53 + 2, 2**53 + 3], "Int64")
    data = visits(labels)
    if missing:
        data.loc[0, "g"] = pd.NA
    model = gt.fit("y ~ 1 + (1 | g)", data)
    assert model.n_groups == {"g": 4}
    assert list(model.random_effects["level"]) == [str(2**53 + k) for k in range(4)]


def test_a_missing_label_makes_no_decimals_of_the_others():
    data = visits(range(12)).astype({"g": float})
    data.loc[0, "g"] = np.nan
    model = gt.fit("y ~ 1 + (1 | g)", data)
    assert list(model.random_effects["level"]) == [str(k) for k in range(12)]


def test_labels_that_the_fit_has_not_seen_are_named():
    model = gt.fit("y ~ 1 + (1 | g)", visits(range(12)))
    with pytest.warns(gt.DataWarning, match=r"'g'.*77"):
        predicted = model.predict(pd.DataFrame({"g": [3, 77]}))
    assert predicted[0] == pytest.approx(model.predict()[30])
    assert predicted[1] == pytest.approx(model.params["Intercept"])


# ------------------------------------------------------------------- values beside the data


def clusters():
    rng, g = np.random.default_rng(161), np.repeat(np.arange(16), 10)
    x = rng.normal(size=160)
    y = 1 + 0.5 * x + rng.normal(0, 1, 16)[g] + rng.normal(0, 0.8, 160)
    return pd.DataFrame({"x": x, "g": g, "y": y, "count": rng.poisson(np.exp(0.5 + 0.3 * x))})


BESIDE = {
    "weights": ("y ~ x + (1 | g)", "normal", np.tile([1.0, 25.0], 80)),
    "offset": ("count ~ x + (1 | g)", "poisson", np.log(np.arange(1.0, 161))),
}


@pytest.mark.parametrize("role", BESIDE)
def test_a_series_beside_the_data_is_taken_by_its_labels(role):
    formula, family, values = BESIDE[role]
    data, given = clusters(), pd.Series(values)
    right = quietly(formula, data, family, **{role: values})
    mixed = quietly(formula, data, family, **{role: given.sample(frac=1, random_state=3)})
    assert_same_fit(mixed, right)
    assert_same_fit(quietly(formula, data.sort_values("x"), family, **{role: given}), right)
    subset = quietly(formula, data[40:], family, **{role: values[40:]})
    assert_same_fit(quietly(formula, data[40:], family, **{role: given}), subset)


@pytest.mark.parametrize("role", BESIDE)
def test_a_series_of_other_labels_is_refused(role):
    formula, family, values = BESIDE[role]
    other = pd.Series(values, index=np.arange(160) + 1000)
    with pytest.raises(ValueError, match=rf"{role}=.*label"):
        gt.fit(formula, clusters(), family, **{role: other})


# ---------------------------------------------------------------------------- the formula


def curved():
    rng, g = np.random.default_rng(2), np.repeat(np.arange(20), 10)
    x, level = np.tile(np.arange(10), 20), rng.normal(0, 1, 20)
    y = 2 + 0.5 * x - 0.06 * x**2 + level[g] + rng.normal(0, 0.5, 200)
    return pd.DataFrame({"y": y, "x": x, "z": rng.permutation(x), "g": g})


POWERS = {
    "x + I(x^2)": "x + I(x**2)",
    "I((x - 4)^2)": "I((x - 4)**2)",
    "I(x ^ 2 + z)": "I(x ** 2 + z)",
    "log(x^2 + 1)": "log(x**2 + 1)",
    "(x + z)^2": "(x + z)**2",
    "x + (0 + I(x^2) | g)": "x + (0 + I(x**2) | g)",
    "x + offset(z^2)": "x + offset(z**2)",
}


@pytest.mark.parametrize("dtype", [int, float, "uint8"])
@pytest.mark.parametrize(("ours", "right"), POWERS.items(), ids=list(POWERS))
def test_a_caret_is_a_power_as_in_r(ours, right, dtype):
    """In Python it is the exclusive or of two integers, and an error of two floats."""
    data = curved()
    right = quietly(f"y ~ {right} + (1 | g)", data)
    assert_same_fit(quietly(f"y ~ {ours} + (1 | g)", data.astype({"x": dtype})), right)


def test_a_square_is_lme4s():
    """lme4 1.1-31."""
    model = gt.fit("y ~ x + I(x^2) + (1 | g)", curved())
    assert model.llf == pytest.approx(-177.691197, abs=1e-5)
    assert model.params.iloc[2] == pytest.approx(-0.0647, abs=5e-5)


@pytest.mark.parametrize("name", ["1", "0", "2019", "0.5", "a b", "Sepal.Length", "x:z", "12:00"])
@pytest.mark.parametrize("formula", ["y ~ {} + (1 | g)", "y ~ z * {}", "y ~ 1 + ({} | g)"])
def test_a_quoted_name_is_a_column_whatever_it_looks_like(name, formula):
    data = curved()
    model = quietly(formula.format(f"`{name}`"), data.rename(columns={"x": name}))
    assert_same_fit(model, quietly(formula.format("x"), data))


@pytest.mark.parametrize("function", ["sqrt", "log", "log2", "log10", "log1p", "abs", "exp"])
def test_the_usual_functions_need_no_prefix(function):
    data = curved().assign(x=lambda frame: frame["x"] + 1.0)
    model = quietly(f"y ~ {function}(x) + (1 | g)", data)
    right = quietly("y ~ v + (1 | g)", data.assign(v=getattr(np, function)(data["x"])))
    assert_same_fit(model, right)


@pytest.mark.parametrize("spline", ["cr", "cs"])
def test_a_natural_spline_beside_an_intercept_is_centred(spline):
    data = curved()
    right = quietly(f"y ~ 0 + {spline}(x, df=5) + (1 | g)", data)
    model = quietly(f"y ~ {spline}(x, df=4) + (1 | g)", data)
    assert model.llf == pytest.approx(right.llf, abs=1e-6)
    assert len(model.params) == 5


ONLY_IN_R = {
    "y ~ factor(g) + x": r"C\(g\)",
    "y ~ as.factor(g) + x": r"C\(g\)",
    "y ~ x + (1 | factor(g))": r"\(1 \| g\)",
    "y ~ 1 + ar1(factor(x) + 0 | g)": r"ar1\(x \| g\)",
    "y ~ ns(x, 3) + (1 | g)": r"cr\(x, df=3\)",
    "y ~ s(x) + (1 | g)": r"cr\(x, df=",
    "y ~ . + (1 | g)": "write the columns",
    "y ~ x %in% g": r"%in%.*g:x",
    "y ~ x + diag(x | g)": r"\(x \|\| g\)",
    "y ~ Sepal.Length + (1 | g)": "`Sepal.Length`",
    "y ~ x + (Sepal.Length | g)": "`Sepal.Length`",
}


@pytest.mark.parametrize(("formula", "line"), ONLY_IN_R.items(), ids=list(ONLY_IN_R))
def test_an_idiom_of_r_gets_the_line_to_write(formula, line):
    data = curved().assign(**{"Sepal.Length": np.arange(200.0)})
    with pytest.raises(ValueError, match=line):
        gt.fit(formula, data)


COMPARISONS = {
    "I(x > 4 & z > 2)": lambda x, z: (x > 4) & (z > 2),
    "I(x > 4 | z > 2)": lambda x, z: (x > 4) | (z > 2),
    "I(x == 4 | z == 2)": lambda x, z: (x == 4) | (z == 2),
}


@pytest.mark.parametrize("dtype", [int, float])
@pytest.mark.parametrize(("written", "meant"), COMPARISONS.items(), ids=list(COMPARISONS))
def test_joined_comparisons_are_read_as_meant_or_refused(written, meant, dtype):
    """In Python & and | bind closer than comparisons: x > (4 & z) > 2."""
    data = curved().astype({"x": dtype, "z": dtype})
    right = gt.fit("y ~ both + (1 | g)", data.assign(both=meant(data["x"], data["z"]) * 1.0))
    try:
        model = gt.fit(f"y ~ {written} + (1 | g)", data)
    except ValueError as refusal:
        assert "parenthes" in str(refusal)
    else:
        assert model.llf == pytest.approx(right.llf, abs=1e-6)


@pytest.mark.parametrize("operator", ["&", "|"])
def test_comparisons_in_parentheses_are_joined(operator):
    data = curved()
    meant = COMPARISONS[f"I(x > 4 {operator} z > 2)"](data["x"], data["z"]) * 1.0
    right = gt.fit("y ~ both + (1 | g)", data.assign(both=meant))
    model = gt.fit(f"y ~ I((x > 4) {operator} (z > 2)) + (1 | g)", data)
    assert model.llf == pytest.approx(right.llf, abs=1e-6)


def test_counts_that_are_not_whole_are_refused():
    data = plots().assign(half=lambda frame: frame["dead"] + 0.5, most=200.5)
    with pytest.raises(ValueError, match="row 0 has half"):
        gt.fit("prop(half, trials) ~ 1 + (1 | g)", data, "binomial")
    with pytest.raises(ValueError, match=r"trials.*whole.*200\.5"):
        gt.fit("prop(dead, most) ~ 1 + (1 | g)", data, "binomial")


def test_uncorrelated_effects_of_a_factor_are_an_intercept_and_all_its_levels():
    """(t || g) is (1 | g) + (0 + t | g), as in lme4 and glmmTMB."""
    model = quietly("height ~ 1 + (t || g)", plots())
    assert list(model.variance_components["term"][:4]) == ["Intercept", "t[a]", "t[b]", "t[c]"]
    assert_same_fit(model, quietly("height ~ 1 + (1 | g) + (0 + t | g)", plots()))
    mixed = quietly("height ~ 1 + (t + dose || g)", plots())
    assert_same_fit(mixed, quietly("height ~ 1 + (1 | g) + (0 + t | g) + (0 + dose | g)", plots()))


@pytest.mark.parametrize("twice", ["(1 | g) + (1 | g)", "(x | g) + (1|g) + (x | g)"])
def test_the_same_random_term_twice_is_refused(twice):
    with pytest.raises(ValueError, match=r"twice"):
        gt.fit(f"y ~ x + {twice}", curved())


# ----------------------------------------------------------------- parts that are not there


@pytest.mark.parametrize("nothing", ["~ 0", "~0", "~ -1", None])
@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_no_formula_for_extra_zeros_is_no_extra_zeros(nothing, family):
    """As glmmTMB's ziformula = ~0, its default."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.negative_binomial(2, 0.4, 100), "g": np.repeat(range(10), 10)})
    model = quietly("y ~ 1 + (1 | g)", data, family, zero_inflation=nothing)
    assert_same_fit(model, quietly("y ~ 1 + (1 | g)", data, family))
    assert "zero" not in " ".join(model.dispersion.index)


@pytest.mark.parametrize("argument", ["zero_inflation", "dispersion_formula"])
@pytest.mark.parametrize("value", [True, 1, ["x"]])
def test_a_formula_that_is_no_text_gets_the_line_to_write(argument, value):
    with pytest.raises(ValueError, match=rf"{argument}.*'~ 1'|{argument}.*'~ x'"):
        gt.fit("y ~ dose", plots(), "negative_binomial", **{argument: value})


# -------------------------------------------------------- columns that others determine


def cells():
    """Ten rows in each combination of two factors of four levels, in five blocks."""
    rng = np.random.default_rng(141)
    index = pd.MultiIndex.from_product([list("1234"), list("1234"), range(10)])
    data = index.to_frame(index=False, name=["a", "b", "rep"])
    data["r"] = rng.integers(1, 6, 160)
    data["x"] = rng.normal(size=160).round(3)
    data["z"] = (rng.normal(size=160) + rng.normal(0, 1, 6)[data["r"]]).round(4)
    data["count"], data["n"] = rng.poisson(4, 160), rng.integers(5, 12, 160)
    data["k"] = rng.binomial(data["n"], 0.4)
    return data.assign(cell=data["a"] + data["b"])


def control_and_factorial():
    data = cells()
    return data[data["cell"].isin(["11", "22", "23", "32", "33"])]


def nested():
    data = cells()
    data = data[data["b"].isin(["1", "2"])]
    return data.assign(site=data["a"], variety=data["cell"])


def constant_slope():
    data = cells()
    data.loc[data["a"] == "3", "x"] = 0.5
    return data


# R 4.2.2, lme4 1.1-31, emmeans 1.8.4: log-likelihood, parameters; marginal means of some factors,
# with standard errors, None where emmeans says nonEst.
RANK_DEFICIENT = {
    "one empty cell, blocks": (
        "z ~ a * b + (1 | r)", "normal", lambda: cells().query("cell != '44'"), -219.089351, 17,
        {
            "a": ([-0.225577163, -0.432580267, -0.196619241, None],
                  [0.553845685, 0.554293431, 0.554045541, None]),
            "b": ([-0.370234785, -0.360839663, -0.217740929, None],
                  [0.553972475, 0.553845685, 0.554202121, None]),
        },
    ),
    "two empty cells, counts": (
        "count ~ a * b", "poisson", lambda: cells().query("cell not in ['12', '31']"),
        -281.1223207, 14,
        {
            "a": ([None, 1.36408015, None, 1.42098472], [None, 0.0800705752, None, 0.0780133276]),
            "b": ([None, None, 1.35949287, 1.41246881], [None, None, 0.0801831313, 0.0784454966]),
        },
    ),
    "control and factorial": (
        "z ~ a * b", "normal", control_and_factorial, -92.11159273, 6,
        {"a": ([None] * 3, [None] * 3), "b": ([None] * 3, [None] * 3)},
    ),
    "nested fixed factors": (
        "z ~ site + variety", "normal", nested, -146.9330931, 9,
        {
            "site": ([-0.609800, -0.714010, -0.453600, -0.346065], [0.357914643] * 4),
            "variety": ([-0.57886, -0.64074, -0.30090, -1.12712,
                         -0.80064, -0.10656, -0.83199, 0.13986], [0.506167742] * 8),
        },
    ),
    "an empty cell beside a covariate": (
        "prop(k, n) ~ a * b + x", "binomial", lambda: cells().query("cell != '23'"),
        -265.6953778, 16,
        {
            "a": ([-0.499047833, None, -0.495073992, -0.512125353],
                  [0.119013168, None, 0.115092236, 0.114574018]),
            "b": ([-0.626511758, -0.503758201, None, -0.352438178],
                  [0.118590082, 0.115281219, None, 0.115976191]),
        },
    ),
    "a covariate that does not vary in one level": (
        "z ~ a * x", "normal", constant_slope, -296.2379912, 8,
        {"a": ([-0.303716424, -0.845878318, None, -0.419148545],
               [0.256240120, 0.249367526, None, 0.251739220])},
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=RANK_DEFICIENT.values(), ids=list(RANK_DEFICIENT))
def rank_deficient(request):
    """The model, the messages of its fit, and what R has of it."""
    formula, family, data, llf, df_model, means = request.param
    return quietly(formula, data(), family), llf, df_model, means


def test_columns_that_others_determine_are_left_out_as_in_r(rank_deficient):
    model, llf, df_model, _ = rank_deficient
    assert model.llf == pytest.approx(llf, abs=1e-5)
    assert model.df_model == df_model
    assert model.converged


def test_what_is_left_out_is_named_in_a_warning_and_in_the_summary():
    data = cells().query("cell != '44'")
    with pytest.warns(gt.DataWarning, match=r"a\[T\.4\]:b\[T\.4\]"):
        model = gt.fit("z ~ a * b + (1 | r)", data)
    assert "a[T.4]:b[T.4]" not in model.params.dropna().index
    assert "a[T.4]:b[T.4]" in str(model)


def test_what_is_left_out_of_the_other_parts_is_named_too():
    data = cells().query("cell != '44'")
    with pytest.warns(gt.DataWarning, match=r"a\[T\.4\]:b\[T\.4\]"):
        model = gt.fit("z ~ x + (1 | r)", data, dispersion_formula="~ a * b")
    right = gt.fit("z ~ x + (1 | r)", data, dispersion_formula="~ 0 + cell")
    assert model.llf == pytest.approx(right.llf, abs=1e-5)


def test_means_that_the_data_can_estimate_are_those_of_emmeans_and_others_say_that_they_are_not(
    rank_deficient,
):
    model, _, _, means = rank_deficient
    for factor, (estimates, errors) in means.items():
        found = model.means(factor, empty_cells="additive", scale="link")
        wanted = np.array([estimates, errors], float)
        np.testing.assert_allclose(found.frame["estimate"], wanted[0], atol=1e-5)
        np.testing.assert_allclose(found.frame["std_error"], wanted[1], rtol=1e-4)
        assert ("not estimable" in str(found)) == (None in estimates)


def test_contrasts_and_predictions_follow_the_same_rule():
    """In the cells of rows all is known: the fit of one mean a cell says the same."""
    data = cells().query("cell != '44'")
    model = quietly("z ~ a * b + (1 | r)", data)
    right = gt.fit("z ~ 0 + cell + (1 | r)", data)
    np.testing.assert_allclose(model.predict(), right.predict(), atol=1e-6)
    contrasts = model.means("a", empty_cells="additive").contrasts(adjust="none").frame
    assert list(contrasts["estimate"].isna()) == ["4" in pair for pair in contrasts["contrast"]]
    new = data.head(2).assign(a=["1", "4"], b=["1", "4"])
    with pytest.warns(gt.DataWarning, match="not estimable"):
        predicted = model.predict(new)
    assert predicted.iloc[0] == pytest.approx(model.predict().iloc[0])
    assert np.isnan(predicted.iloc[1])


def test_an_own_column_of_cells_and_a_product_of_factors_are_the_same_model():
    data = cells().query("cell != '44'")
    model = quietly("z ~ a * b + (1 | r)", data)
    assert model.llf == pytest.approx(gt.fit("z ~ 0 + cell + (1 | r)", data).llf, abs=1e-6)
