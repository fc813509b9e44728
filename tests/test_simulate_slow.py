"""`simulate`, then `fit`: every family and every random term is recovered.

Each case simulates 100 data sets and fits the model that made them. Of the 95 % Wald intervals of
all coefficients as many must cover the truth as 100 draws of probability 0.95 allow (to a tail of
0.0005), and the mean of each other estimate must lie within 3.5 Monte-Carlo standard errors of the
truth, beside an allowance for the bias of maximum likelihood itself.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import glmmtools as gt

pytestmark = pytest.mark.slow

REPLICATES, GROUPS = 100, 40
# ML divides by the number of groups, not by one less for each coefficient between groups: about
# 1/(2 * 40) of an sd; the Laplace approximation and a skewed estimate add as much again.
BIAS = 0.05

FAMILIES = {
    "normal": {"phi": 0.5},
    "t": {"phi": 0.5, "df": 4.0},
    "gamma": {"phi": 0.3},
    "lognormal": {"phi": 0.3},
    "beta": {"phi": 8.0},
    "binomial": {"trials": 8},
    "betabinomial": {"trials": 8, "phi": 6.0},
    "poisson": {},
    "negative_binomial": {"phi": 0.4},
    "nbinom1": {"phi": 0.8},
}
ZERO = {"poisson": {"zero": 0.25}, "negative_binomial": {"zero": 0.25, "phi": 0.4}}
TERMS = {
    "(x | g)": {"sd": [0.6, 0.4], "corr": 0.3},
    "(x || g)": {"sd": [0.6, 0.4]},
    "(0 + x | g)": {"sd": 0.5},
    "(f | g)": {"sd": [0.6, 0.7], "corr": -0.3},
    "(1 | a/g)": {"sd": {"a": 0.6, "a:g": 0.5}},
    "(1 | g) + (1 | b)": {"sd": {"g": 0.6, "b": 0.5}},
    "ar1(t | g)": {"sd": 1.0, "rho": 0.8},  # a low rho is hardly told from the residual variance
    "cs(h | g)": {"sd": 0.7, "rho": 0.4},
}


def layout(seed, groups=GROUPS):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"g": np.repeat(np.arange(groups), 8), "t": np.tile(np.arange(8), groups)})
    data["x"] = rng.normal(size=len(data))
    data["f"] = np.array(["p", "q"])[data["t"] % 2]
    data["h"] = (data["t"] % 4).astype(str)
    data["a"], data["b"] = data["g"] // 2, rng.permutation(len(data)) % 30
    return data


def recovered(formula, family, replicates=REPLICATES, groups=GROUPS, **arguments):
    """The tables of `gt.recovery` of all replicates, below each other."""
    zeros = "~ 1" if arguments.get("zero") else None
    tables = []
    for seed in range(replicates):
        data = gt.simulate(formula, layout(seed, groups), family, seed=seed, **arguments)
        with warnings.catch_warnings():
            # a variance of zero, or a df of t at its limit, is a possible estimate
            warnings.simplefilter("ignore", gt.SingularFitWarning)
            warnings.simplefilter("ignore", gt.DataWarning)
            model = gt.fit(formula, data, family, zero_inflation=zeros)
        assert model.converged, f"seed {seed} did not converge"
        tables.append(gt.recovery(model))
    return pd.concat(tables)


def check(table):
    for name, rows in table.groupby(level=0):
        if rows["covered"].notna().all():
            lowest, highest = stats.binom.ppf([0.0005, 0.9995], len(rows), 0.95)
            assert lowest <= rows["covered"].sum() <= highest, name
            continue
        error = rows["estimate"] - rows["true"]
        allowed = 3.5 * error.std() / np.sqrt(len(rows)) + BIAS * rows["true"].abs().iloc[0]
        assert abs(error.mean()) < allowed, name


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_recovered(family):
    trials = "trials" in FAMILIES[family]
    formula = f"{'prop(y, n)' if trials else 'y'} ~ x + f + (1 | g)"
    table = recovered(formula, family, coef=[0.5, 0.4, -0.3], sd=0.6, **FAMILIES[family])
    check(table.drop("df", errors="ignore"))


def test_the_degrees_of_freedom_of_t_are_recovered_from_larger_data():
    """From 320 rows a few in the tails decide them, and their estimate is biased upwards."""
    table = recovered("y ~ x + (1 | g)", "t", 20, 400, coef=[0.5, 0.4], sd=0.6, df=4.0)
    check(table)


@pytest.mark.parametrize("family", ZERO)
def test_extra_zeros_are_recovered(family):
    check(recovered("y ~ x + (1 | g)", family, coef=[1.0, 0.4], sd=0.6, **ZERO[family]))


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("family", ["normal", "poisson"])
def test_every_random_term_is_recovered(family, term):
    phi = {"phi": 0.5} if family == "normal" else {}
    check(recovered(f"y ~ x + f + {term}", family, coef=[1.0, 0.4, -0.3], **TERMS[term], **phi))


def test_a_naive_model_covers_too_rarely_where_the_treatment_is_between_groups():
    """Pseudoreplication: without the pens, 95 % intervals of a pen's treatment cover far less."""
    pigs = gt.designs.nested({"pen": 24, "pig": 6}, ["old", "new"], "pen")
    covered = []
    for seed in range(REPLICATES):
        data = gt.simulate("y ~ treatment + (1 | pen)", pigs, coef=[10, 1], sd=1.0, seed=seed)
        table = gt.recovery(gt.fit("y ~ treatment", data))
        covered.append(table.loc["treatment[T.new]", "covered"])
    assert np.mean(covered) < 0.8
