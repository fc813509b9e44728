"""Size and power of the tests of simulated residuals; all of it: benchmarks/residuals.md."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.residuals import rejections
from tests.quiet_fits import quietly

pytestmark = pytest.mark.slow

REPLICATIONS = 200
EXACT = ("uniformity", "dispersion", "zeros", "curves", "curves in z", "groups", "autocorrelation")
# Where the dispersion parameter of the family is fitted to what the test looks at, or the count is
# a small whole number, the size is below its level.
CONSERVATIVE = ("outliers",)
ABSORBED = ("uniformity", "dispersion", "zeros", "outliers", "autocorrelation")


def compatible_with(low, high):
    """The shares that a true size between `low` and `high` gives in all but 1 of 1000 studies."""
    return (
        stats.binom.ppf(0.0005, REPLICATIONS, low) / REPLICATIONS,
        stats.binom.ppf(0.9995, REPLICATIONS, high) / REPLICATIONS,
    )


@pytest.mark.parametrize("rows", [56, 100, 236])
@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_sizes_lie_between_3_and_7_percent(family, rows):
    shares = rejections(REPLICATIONS, rows, family, family)
    assert_sizes(shares)
    assert shares["not converged"] == 0


def test_sizes_hold_where_groups_say_little_about_their_random_effects():
    """Four Poisson counts of mean 1 in each group, random effects of sd 1; 0.18 without refits."""
    assert_sizes(rejections(REPLICATIONS, 236, "poisson", "poisson", intercept=0.0, group_sd=1.0))


def assert_sizes(shares):
    low, high = compatible_with(0.03, 0.07)
    exact = shares[list(EXACT)]
    assert ((exact >= low) & (exact <= high)).all(), shares
    assert (shares[list(CONSERVATIVE)] <= high).all(), shares


def test_the_size_of_the_test_in_space_lies_between_3_and_7_percent():
    rng, p_values = np.random.default_rng(10), []
    for seed in range(REPLICATIONS):
        x, y = rng.uniform(size=(2, 80))
        g = rng.integers(0, 12, 80)
        counts = rng.poisson(np.exp(1 + rng.normal(0, 0.5, 12)[g]))
        model = quietly("counts ~ 1 + (1 | g)", {"counts": counts, "g": g.astype(str)}, "poisson")
        p_values.append(model.simulated_residuals(n=120, seed=seed).test_spatial(x, y).p_value)
    low, high = compatible_with(0.03, 0.07)
    assert low <= np.mean(np.array(p_values) <= 0.05) <= high


@pytest.mark.parametrize("family", ["normal", "gamma", "negative_binomial"])
def test_a_dispersion_parameter_makes_tests_conservative_and_never_liberal(family):
    shares = rejections(REPLICATIONS, 100, family, family)
    low, high = compatible_with(0.03, 0.07)
    shape = [name for name in ("curves", "curves in z", "groups") if not np.isnan(shares[name])]
    assert ((shares[shape] >= low) & (shares[shape] <= high)).all(), shares
    assert (shares[list(ABSORBED)].dropna() <= high).all(), shares


@pytest.mark.parametrize(
    ("test", "least", "data_family", "fitted", "departure"),
    [
        ("dispersion", 0.9, "poisson", "poisson", {"extra_sd": 0.5}),
        ("zeros", 0.95, "poisson", "poisson", {"extra_zeros": 0.25}),
        ("curves", 0.95, "poisson", "poisson", {"curve": 0.8}),
        ("uniformity", 0.95, "gamma", "normal", {}),
        ("dispersion", 0.9, "negative_binomial", "poisson", {}),
    ],
)
def test_departures_are_found_at_236_rows(test, least, data_family, fitted, departure):
    shares = rejections(50, 236, data_family, fitted, **departure)
    assert shares[test] >= least
