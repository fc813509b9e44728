"""Columns as people have them reach the design as the numbers and the factors that they are."""

import io
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from tests.quiet_fits import quietly


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
    "bytes": ([b"a", b"b"] * 100, r"bytes.*\.str\.decode"),
}


@pytest.mark.parametrize("formula", ["height ~ when + (1 | g)", "height ~ dose + (0 + when | g)"])
@pytest.mark.parametrize(("column", "message"), NO_NUMBERS.values(), ids=list(NO_NUMBERS))
def test_a_column_of_no_numbers_is_refused_with_what_to_write(column, message, formula):
    data = plots().assign(when=column)
    with pytest.raises(ValueError, match=f"(?s)'when'.*{message}"):
        gt.fit(formula, data)


@pytest.mark.parametrize(
    "call", ["poly(when, 2)", "bs(`when`, df=4)", "scale(when)", "np.sin(when)", "bs(x=when, df=4)"]
)
@pytest.mark.parametrize("dates", ["dates", "durations", "months"])
def test_functions_take_no_dates_for_numbers(call, dates):
    column, message = NO_NUMBERS[dates]
    with pytest.raises(ValueError, match=f"^'when'.*{message}"):
        gt.fit(f"height ~ {call} + (1 | g)", plots().assign(when=column))


def test_numbers_made_of_dates_in_a_formula_are_numbers():
    data = plots().assign(when=DATES, month=DATES.month)
    for made, column in (
        ("np.maximum(when.dt.month, 3)", "I(month.clip(3, 12))"), ("I(when.dt.month)", "month"),
    ):  # fmt: skip
        assert gt.fit(f"height ~ {made}", data).llf == gt.fit(f"height ~ {column}", data).llf
    with pytest.raises(ValueError, match=r"stands in I\(when\.dt\.month\)$"):
        gt.fit("height ~ when.dt.month", data)
    with pytest.raises(ValueError, match=r"'dose\.per\.hou'.*did you mean 'dose\.per\.hour'"):
        gt.fit("height ~ dose.per.hou", data.assign(**{"dose.per.hour": data["dose"]}))


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
    new = pd.DataFrame({"treatment": [word]})
    with pytest.raises(ValueError, match=r"8 rows.*missing"):
        model.predict(new)
    with pytest.raises(ValueError, match=rf"'{word}'.*no level.*8 rows.*missing"):
        gt.fit(f"y ~ C(treatment, contr.treatment('{word}'))", data)
    of_groups = quietly("y ~ 1 + (1 | treatment)", data)
    with pytest.warns(gt.DataWarning, match=rf"not seen.*{word}.*8 rows.*missing"):
        of_groups.predict(new)


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


CATEGORIES = {
    "integers": [0, 3],
    "floats": [0.0, 3.0],
    "text": ["0", "3"],
    "nullable": pd.array([0, 3], "Int8"),
    "other categories": pd.Categorical([0, 3], [77, 3, 0]),
}


@pytest.mark.parametrize("new", CATEGORIES.values(), ids=list(CATEGORIES))
@pytest.mark.parametrize("term", ["k + (1 | g)", "x + (0 + k || g)"])
def test_new_data_of_a_factor_of_numbers_are_levels_and_no_numbers(term, new):
    data = plots().assign(k=lambda frame: pd.Categorical(frame["g"] % 4), x=1.0 * np.arange(200))
    model = quietly(f"height ~ {term}", data)
    rows = pd.DataFrame({"g": [0, 3], "x": [0.0, 30.0], "k": new})
    np.testing.assert_allclose(model.predict(rows), model.predict()[[0, 30]])
    with pytest.raises(ValueError, match="has not seen: 5 in column 'k'"):
        model.predict(rows.assign(k=5))


def test_labels_of_nested_groups_match_as_text_too():
    data = visits(range(12)).assign(h=np.tile([1, 2], 60))
    model = quietly("y ~ 1 + (1 | g/h)", data)
    new = pd.DataFrame({"g": ["3", "4"], "h": ["1", "1"]})
    np.testing.assert_allclose(model.predict(new), model.predict()[[30, 40]])


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "with a missing label"])
def test_labels_never_pass_through_a_float(missing):
    """2⁵³ and 2⁵³ + 1 are two groups, and one number of 64 bits."""
    labels = pd.array([2**53, 2**53 + 1, 2**53 + 2, 2**53 + 3], "Int64")
    data = visits(labels).astype({"g": "Int64"})  # else pandas makes floats beside a missing one
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


@pytest.mark.parametrize(
    "name", ["1", "0", "2019", "0.5", "a b", "Sepal.Length", "x:z", "12:00", "True"]
)
@pytest.mark.parametrize("formula", ["y ~ {} + (1 | g)", "y ~ z * {}", "y ~ 1 + ({} | g)"])
def test_a_quoted_name_is_a_column_whatever_it_looks_like(name, formula):
    data = curved()
    model = quietly(formula.format(f"`{name}`"), data.rename(columns={"x": name}))
    assert_same_fit(model, quietly(formula.format("x"), data))


@pytest.mark.parametrize("number", ["1e1", "1E+1", "100e-1", "1.0e1", "10."])
@pytest.mark.parametrize(
    "formula", ["y*{} ~ x + (1 | g)", "y ~ z + offset(x / {})", "y ~ z + ar1(x*{} | g)"]
)
def test_a_number_is_a_number_however_it_is_written(number, formula):
    data = curved()
    right = quietly(formula.format("10"), data)
    assert_same_fit(quietly(formula.format(number), data), right)


@pytest.mark.parametrize("function", ["sqrt", "log", "log2", "log10", "log1p", "abs", "exp"])
def test_the_usual_functions_need_no_prefix(function):
    data = curved().assign(x=lambda frame: frame["x"] + 1.0)
    model = quietly(f"y ~ {function}(x) + (1 | g)", data)
    right = quietly("y ~ v + (1 | g)", data.assign(v=getattr(np, function)(data["x"])))
    assert_same_fit(model, right)


NOT_READ = {
    "y ~ factor(g) + x": r"write C\(g\)",
    "y ~ as.factor(g) + x": r"write C\(g\)",
    "factor(y) ~ x": r"write y$",
    "C(y) ~ x": r"write y$",
    "y ~ factor(z, levels=c(1, 2)) + x": r"write C\(z, levels=\[1, 2\]\)",
    "y ~ relevel(z, ref='2') + x": r"write C\(z, contr.treatment\('2'\)\)",
    "y ~ C(z, Treatment(reference='2'))": r"write contr.treatment\('2'\)",
    "y ~ C(z, contr.treatment, base=2)": r"write contr.treatment\(level\)",
    "y ~ C(z, 'contr.sum')": r"write C\(..., contr.sum\)",
    "y ~ C(z, 3)": "cannot read",
    "y ~ log(x, 10)": r"write log10\(x\)",
    "y ~ log(x, base=3)": r"write I\(log\(x\) / log\(3\)\)",
    "y ~ sqrt(x, z)": r"sqrt\(\) takes 1",
    "y ~ scale(x)[, 1]": r"write scale\(x\)",
    "y ~ x + interaction(x, z)": "write x:z",
    "y ~ Q('my g')": "write `my g`",
    "y ~ poly(x, 2, raw=TRUE)": "write True",
    "y ~ np.sin(2 * pi * x)": r"write np\.pi",
    "y ~ x^0.5": r"a power .* inside I\(\)",
    "y ~ x + I(1)": "one value for each row",
    "y ~ x + (1 | factor(g))": r"write \(1 \| g\)",
    "y ~ x + (1 | C(g))": r"write \(1 \| g\)",
    "y ~ x + (factor(z) | g)": r"write \(C\(z\) \| g\)",
    "y ~ 1 + ar1(factor(x) + 0 | g)": r"write ar1\(x \| g\)",
    "y ~ x + cs(0 + factor(z) | factor(`my g`))": r"write cs\(z \| `my g`\)",
    "y ~ x + cs(1 | g)": r"left of the bar in cs\(1 \| g\) stands one factor",
    "y ~ x + cs(0 + z | g)": r"one factor, as in cs\(treatment \| g\)",
    "y ~ x + rr(x | g)": "no covariance structure 'rr'.*ar1, ",
    "y ~ x + diag(x | g)": r"write \(x \|\| g\)",
    "y ~ ns(x, 3) + (1 | g)": r"write cr\(x, df=3\)",
    "y ~ ns(x, df = 4)": r"write cr\(x, df=4\)",
    "y ~ s(x) + (1 | g)": r"write cr\(x, df=",
    "y ~ x + s(g, bs='re')": r"write \(1 \| g\)",
    "y ~ . + (1 | g)": "write the columns",
    "y ~ x %in% g": r"%in%.*write g:x",
    "y ~ Sepal.Length + (1 | g)": "write `Sepal.Length`",
    "y ~ log(Sepal.Length)": "write `Sepal.Length`",
    "y ~ x + (Sepal.Length | g)": "write `Sepal.Length`",
    "y ~ x + (1 | Sepal.Length)": "in backquotes: `Sepal.Length`",
    "y ~ as.numeric(x)": r"write the name of the column.*\.astype",
    "y ~ C(x, Treatment(2))": "write contr.treatment",
    "y ~ C(x, Sum)": "write contr.sum",
    "y ~ I(!(x > 4))": "write ~ for 'not'",
    "y ~ x > 4": r"a condition stands inside I\(\)",
    "y ~ sin(x)": r"no function sin\(\).*np\.sin\(x\)",
    "y ~ x + foo(x)": "cannot read 'x [+] foo",
    "y ~ log + log(x)": "a function in `log.x.` is called like a column of the data; rename",
}


@pytest.mark.parametrize(("formula", "line"), NOT_READ.items(), ids=list(NOT_READ))
def test_an_idiom_of_another_package_gets_the_line_to_write(formula, line):
    data = curved().assign(**{"Sepal.Length": np.arange(200.0), "my g": 1, "log": 1.0})
    with pytest.raises(ValueError, match=line):
        gt.fit(formula, data)


ARITHMETIC = ["x - z", "x - x.mean()", "(x - 5)", "-x", "1/x", "2 * x", "x / 10"]


@pytest.mark.parametrize("written", ARITHMETIC)
@pytest.mark.parametrize("formula", ["y ~ {} + (1 | g)", "y ~ z + ({} | g)"])
def test_arithmetic_that_terms_would_lose_is_refused(written, formula):
    """R reads ``x - z`` as x, and 1/x as nothing at all."""
    with pytest.raises(ValueError, match=r"stands inside I\(\)"):
        gt.fit(formula.format(written.replace("z", "w")), curved().assign(w=1.0))


@pytest.mark.parametrize("part", ["~ x - w", "~ 1/x", "~ x ~ w"])
@pytest.mark.parametrize("argument", ["dispersion_formula", "zero_inflation"])
def test_so_it_is_in_the_other_parts(argument, part):
    data = curved().assign(w=1.0, y=lambda frame: np.arange(len(frame)) % 7)
    with pytest.raises(ValueError, match=r"inside I\(\)|has one ~"):
        gt.fit("y ~ x", data, "negative_binomial", **{argument: part})


def test_an_offset_cannot_be_subtracted():
    """R adds it all the same."""
    with pytest.raises(ValueError, match=r"write offset\(-\(z\)\)"):
        gt.fit("y ~ x - offset(z)", curved())


@pytest.mark.parametrize(
    "formula",
    ["height ~ {}", "height ~ dose + ({} | g)", "height ~ dose + us({} | g)"],
)
def test_levels_that_a_formula_leaves_out_are_no_reference(formula):
    """formulaic gives their rows zeros, as if they were of the first level; R drops the rows."""
    with pytest.raises(ValueError, match="leaves out 'c', which the data have"):
        gt.fit(formula.format("C(t, levels=['a', 'b'])"), plots())


CONDITIONS = {
    "I(x > 4 & z > 2)": lambda x, z: (x > 4) & (z > 2),
    "I(x > 4 | z > 2)": lambda x, z: (x > 4) | (z > 2),
    "I((x == 4) | (z == 2))": lambda x, z: (x == 4) | (z == 2),
    "I(~(x > 4))": lambda x, z: x <= 4,
    "np.where(x > 4, 'large', 'a small one')": lambda x, z: x > 4,
}


@pytest.mark.parametrize("dtype", [int, float])
@pytest.mark.parametrize(("written", "meant"), CONDITIONS.items(), ids=list(CONDITIONS))
def test_conditions_are_read_as_meant(written, meant, dtype):
    """In Python & and | bind closer than comparisons: x > (4 & z) > 2."""
    data = curved().astype({"x": dtype, "z": dtype})
    right = gt.fit("y ~ both + (1 | g)", data.assign(both=meant(data["x"], data["z"]) * 1.0))
    model = gt.fit(f"y ~ {written} + (1 | g)", data)
    assert model.llf == pytest.approx(right.llf, abs=1e-6)
    np.testing.assert_allclose(model.predict(data.head()), model.predict().head())


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
