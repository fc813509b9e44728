"""Every wrong call that a learner makes gets one clear sentence."""

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt

RNG = np.random.default_rng(5)
TRIAL = pd.DataFrame(
    {
        "y": RNG.normal(size=12).round(2),
        "x": np.arange(12.0),
        "cover": np.linspace(0.05, 0.95, 12).round(2),
        "dead": [0, 1, 2, 3, 1, 0, 2, 1, 0, 3, 1, 2],
        "seen": 4,
        "trt": list("abcabcabcabc"),
        "block": list("pppqqqrrrsss"),
        "site": "one",
        "row": np.arange(12),
        "alive": list("yn") * 6,
    }
)


def changed(column, row, value):
    data = TRIAL.copy()
    data[column] = data[column].astype(object if isinstance(value, str) else float)
    data.loc[row, column] = value
    return data


CASES = {
    "unknown column": (
        ("y ~ X + (1 | block)",),
        r"no column 'X' \(did you mean 'x'\?\)\. Columns: y, x",
    ),
    "index in place of a column": (
        ("y ~ x + (1 | plot)", TRIAL.rename_axis("plot")),
        r"'plot' is the index of the data: give data.reset_index\(\)",
    ),
    "unknown column inside a function": (("y ~ np.log(z1)",), "no column 'z1'"),
    "unknown group": (("y ~ x + (1 | blok)",), r"no column 'blok' \(did you mean 'block'\?\)"),
    "unknown family": (("y ~ x", TRIAL, "gama"), r"unknown family 'gama' \(did you mean 'gamma'"),
    "unknown engine": (
        ("y ~ x", TRIAL, "normal", {"engine": "lme4"}),
        "unknown engine 'lme4'.*laplace, statsmodels",
    ),
    "engine of before": (
        ("y ~ x", TRIAL, "normal", {"engine": "auto"}),
        "there is no engine 'auto' any more: leave engine= out.*engine='statsmodels'",
    ),
    "engine of another package": (
        ("y ~ x", TRIAL, "normal", {"engine": "glmm"}),
        "there is no engine 'glmm' any more: leave engine= out.*engine='statsmodels'",
    ),
    "unknown link": (
        ("dead ~ x", TRIAL, "poisson", {"link": "lg"}),
        "unknown link 'lg'.*identity, log",
    ),
    "link of another family": (
        ("dead ~ x", TRIAL, "poisson", {"link": "logit"}),
        "poisson does not go with the logit link",
    ),
    "negative count": (
        ("dead ~ x + (1 | block)", changed("dead", 3, -1), "poisson"),
        r"poisson needs y = 0, 1, 2.*row 3 has dead = -1",
    ),
    "broken count": (
        ("dead ~ x + (1 | block)", changed("dead", 3, 1.5), "poisson"),
        r"row 3 has dead = 1.5\. A rate\? Model the count",
    ),
    "gamma with a zero": (
        ("x ~ trt + (1 | block)", TRIAL, "gamma"),
        r"gamma needs y > 0; row 0 has x = 0",
    ),
    "successes above trials": (
        ("prop(dead, seen) ~ x", changed("dead", 7, 5), "binomial"),
        r"row 7 has more successes than trials: dead = 5, seen = 4.*prop\(successes, trials\)",
    ),
    "no trials": (
        ("prop(dead, seen) ~ x", changed("seen", 0, 0.0), "binomial"),
        "row 0 has 0 trials",
    ),
    "proportion without trials": (
        ("cover ~ x + (1 | block)", TRIAL, "binomial"),
        r"'cover' is a proportion \(0.05 in row 0\).*prop\(successes, trials\).*family='beta'",
    ),
    "proportion that is not from the trials": (
        ("cover ~ x + (1 | block)", TRIAL, "binomial", {"weights": "seen"}),
        "row 0: 0.05 of 4 trials is 0.2 successes, not a whole number",
    ),
    "counts without trials": (
        ("dead ~ x", TRIAL, "binomial"),
        r"row 2 has dead = 2, but a binomial response without trials is 0 or 1",
    ),
    "trials twice": (
        ("prop(dead, seen) ~ x", TRIAL, "binomial", {"weights": "seen"}),
        "give the trials once",
    ),
    "successes for a normal": (("prop(dead, seen) ~ x",), "use family='binomial'"),
    "three classes for a binomial": (("trt ~ x", TRIAL, "binomial"), r"3 levels \(a, b, c\)"),
    "text response": (("trt ~ x",), "the response 'trt' must be numbers.*'a'"),
    "constant response": (("seen ~ x + (1 | block)",), "every value of the response 'seen' is 4"),
    "one-level group": (("y ~ x + (1 | site)",), r"'site' has one level only \('one'\)"),
    "a group of single rows": (
        ("y ~ x + (1 | row)",),
        "12 random effects for 12 rows.*single rows",
    ),
    "empty data": (("y ~ x", TRIAL.iloc[:0]), "data has no rows"),
    "all rows missing": (("y ~ x", TRIAL.assign(x=np.nan)), "every row has a missing value"),
    "infinite value": (("y ~ x", changed("x", 4, np.inf)), "'x' holds an infinite value in row 4"),
    "log of zero": (("y ~ log(x)",), r"'log\(x\)' is not a finite number in row 0"),
    "word of Python inside a function": (
        ("log(yield) ~ x", TRIAL.assign(**{"yield": 2.0})),
        "'yield' is a word of Python.*rename the column",
    ),
    "no tilde": (("y + x",), "needs a response, one ~"),
    "no response": (("~ x",), "needs a response"),
    "bar outside parentheses": (("y ~ x + 1 | block",), r"misplaced.*\(1 \| g\)"),
    "bar inside a product": (("y ~ x * (1 | block)",), "misplaced"),
    "open bracket": (("y ~ x + (1 | block",), "not closed"),
    "formula that is not text": ((3,), "must be text"),
    "more coefficients than rows": (
        ("y ~ C(row) * x + (1 | block)",),
        "24 coefficients for 12 rows",
    ),
    "two columns of one name": (
        ("y ~ x", pd.concat([TRIAL, TRIAL[["x"]]], axis=1)),
        "two columns are called 'x'",
    ),
    "offset of the wrong length": (
        ("y ~ x", TRIAL, "normal", {"offset": [1, 2, 3]}),
        r"offset= needs one value a row: 12 rows, offset of shape \(3,\)",
    ),
    "weight of zero": (
        ("y ~ x + (1 | block)", TRIAL, "normal", {"weights": "x"}),
        "weights must be above 0; row 0 has 0",
    ),
    "negative weight": (
        ("y ~ trt", changed("seen", 4, -2), "normal", {"weights": "seen"}),
        "weights must be above 0; row 4 has -2",
    ),
    "infinite weight": (
        ("y ~ trt + (1 | block)", changed("x", 4, np.inf), "normal", {"weights": "x"}),
        "weights= holds an infinite value in row 4",
    ),
    "weights that are text": (
        ("y ~ x + (1 | block)", TRIAL, "normal", {"weights": "trt"}),
        "weights='trt' must be a column of numbers; it holds values such as 'a'",
    ),
    "infinite offset": (
        ("dead ~ trt + (1 | block)", changed("x", 4, -np.inf), "poisson", {"offset": "x"}),
        "'x' holds an infinite value in row 4",
    ),
    "offset that is text": (
        ("dead ~ x + (1 | block)", TRIAL, "poisson", {"offset": "trt"}),
        "the offset 'trt' must be numbers",
    ),
    "infinite response": (
        ("y ~ x + (1 | block)", changed("y", 4, -np.inf)),
        "'y' holds an infinite value in row 4",
    ),
    "infinite value in a dispersion formula": (
        ("y ~ trt", changed("x", 4, np.inf), "normal", {"dispersion_formula": "~ x"}),
        "'x' holds an infinite value in row 4",
    ),
    "negative trials": (
        ("prop(dead, seen) ~ x", changed("seen", 3, -4.0), "betabinomial"),
        "row 3 has -4 trials",
    ),
    "all-zero counts": (
        ("seen ~ x + (1 | block)", TRIAL.assign(seen=0), "poisson", {"zero_inflation": "~ 1"}),
        "every value of the response 'seen' is 0",
    ),
    "nothing but successes": (
        ("prop(seen, seen) ~ x + (1 | block)", TRIAL, "binomial"),
        "every value of the response .* is 1",
    ),
    "arithmetic among the terms": (("y ~ x / 10",), r"stands inside I\(\), as in I\(x / 10\)"),
    "a number among the terms": (("y ~ x - 5",), r"5 in 'y ~ x - 5' is no term.*I\(x - 5\)"),
    "a constant for a column": (("prop(dead, 12) ~ x", TRIAL, "binomial"), "reads no column"),
    "dates for numbers": (
        ("day - day ~ x", TRIAL.assign(day=pd.Timestamp("2024-03-01"))),
        "reads dates in 'day'; make a column of days before the fit",
    ),
    "text where a number is needed": (("y ~ log(trt)",), r"cannot read 'log\(trt\)'"),
    "times repeated": (
        ("y ~ 1 + ar1(x | block)", changed("x", 1, 0)),
        "block 'p' has x = 0 more than once",
    ),
    "more parameters than rows": (
        ("y ~ trt + (x | block)", TRIAL.iloc[:6]),
        "the model has 7 parameters for 6 rows",
    ),
    "REML for counts": (
        ("dead ~ x + (1 | block)", TRIAL, "poisson", {"reml": True}),
        "reml=True is for the normal family",
    ),
    "quadrature for a normal": (
        ("y ~ x + (1 | block)", TRIAL, "normal", {"nagq": 9}),
        "nagq is for non-normal families",
    ),
    "no nodes": (("dead ~ x", TRIAL, "poisson", {"nagq": 0}), "nagq is a number of nodes"),
}


@pytest.mark.parametrize(("call", "message"), CASES.values(), ids=list(CASES))
def test_a_wrong_call_gets_one_clear_sentence(call, message):
    formula, data, family, options = (*call, *(None, TRIAL, "normal", {})[len(call) :])
    with pytest.raises(ValueError, match=f"(?s){message}"):
        gt.fit(formula, data, family, **options)


@pytest.mark.parametrize("role", ["weights", "offset"])
def test_rows_of_a_missing_weight_or_offset_are_dropped_and_counted(role, capsys):
    data = changed("seen", 4, np.nan)
    model = gt.fit("y ~ trt", data, **{role: "seen"})
    assert model.nobs == len(data) - 1
    model.summary()
    assert "11 rows (1 row with missing values dropped)" in capsys.readouterr().out


def test_data_that_are_no_table_are_refused():
    with pytest.raises(TypeError, match="data must be a data frame or a dict of columns; got list"):
        gt.fit("y ~ x", [1, 2, 3])


@pytest.mark.parametrize(("level", "hint"), [(95, "Use 0.95"), (0, "got 0"), (1.0, "got 1")])
def test_a_confidence_level_in_percent_is_refused_with_the_fix(level, hint):
    model = gt.fit("y ~ x", TRIAL)
    with pytest.raises(ValueError, match=f"strictly between 0 and 1.*{hint}"):
        model.conf_int(level)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.predict(scale="log"), "scale must be one of response, link; got 'log'"),
        (lambda m: m.predict(level="population"), r"effects='population'"),
        (lambda m: m.predict(effects="group"), "effects must be one of conditional, population"),
        (lambda m: m.predict(effects="marginal", scale="link"), "on the response scale only"),
        (lambda m: m.predict(TRIAL.drop(columns="x")), "there is no column 'x'"),
        (lambda m: m.predict(TRIAL.assign(trt="z")), "a factor level that the model has not seen"),
        (lambda m: m.predict(TRIAL.assign(x=np.nan)), "missing value in column 'x'"),
        (lambda m: m.resid("deviant"), "unknown kind of residual 'deviant'"),
        (lambda m: m.random_covariance("plot"), "no grouping factor 'plot'; the model has block"),
        (lambda m: gt.load_data("oat"), r"no data set 'oat' \(did you mean 'oats'\?\)"),
    ],
)
def test_a_wrong_question_to_a_model_gets_one_clear_sentence(call, message):
    uneven = TRIAL.assign(y=TRIAL["y"] + TRIAL["block"].map({"p": 0, "q": 5, "r": 9, "s": 2}))
    model = gt.fit("y ~ x + trt + (1 | block)", uneven)
    with pytest.raises(ValueError, match=message):
        call(model)
