"""The judge of the random models is judged: densities, their derivatives, integrals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from tests.dense_laplace import DENSITIES, Rows, exact_normal, laplace

ROOT = Path(__file__).parent.parent
RNG = np.random.default_rng(3)
N = 40
PROBABILITIES = ("logit", "probit", "cloglog", "log", "identity")
LINKS = {
    **dict.fromkeys(("normal", "t"), ("identity", "log", "inverse")),
    "gamma": ("log", "inverse", "identity"),
    "lognormal": ("log", "identity"),
    **dict.fromkeys(("beta", "binomial", "betabinomial"), PROBABILITIES),
    **dict.fromkeys(("poisson", "negative_binomial", "nbinom1", "genpois"), ("log", "identity")),
    **dict.fromkeys(("truncated_poisson", "truncated_negative_binomial"), ("log",)),
    "ordered_beta": ("logit",),
}
PAIRS = [(family, link) for family, links in LINKS.items() for link in links]
INVERSE = {
    "identity": lambda eta: eta,
    "log": np.exp,
    "inverse": lambda eta: 1 / eta,
    "logit": lambda eta: 1 / (1 + np.exp(-eta)),
    "probit": stats.norm.cdf,
    "cloglog": lambda eta: 1 - np.exp(-np.exp(eta)),
}
SCIPY = {
    "normal": lambda y, mu, phi, df, n: stats.norm(mu, np.sqrt(phi)).logpdf(y),
    "t": lambda y, mu, phi, df, n: stats.t(df, mu, np.sqrt(phi)).logpdf(y),
    "gamma": lambda y, mu, phi, df, n: stats.gamma(1 / phi, scale=phi * mu).logpdf(y),
    "lognormal": lambda y, mu, phi, df, n: stats.lognorm(
        np.sqrt(phi), scale=mu * np.exp(-phi / 2)
    ).logpdf(y),
    "beta": lambda y, mu, phi, df, n: stats.beta(mu * phi, (1 - mu) * phi).logpdf(y),
    "binomial": lambda y, mu, phi, df, n: stats.binom(n, mu).logpmf(y),
    "betabinomial": lambda y, mu, phi, df, n: stats.betabinom(n, mu * phi, (1 - mu) * phi).logpmf(
        y
    ),
    "poisson": lambda y, mu, phi, df, n: stats.poisson(mu).logpmf(y),
    "negative_binomial": lambda y, mu, phi, df, n: stats.nbinom(1 / phi, 1 / (1 + phi * mu)).logpmf(
        y
    ),
    "nbinom1": lambda y, mu, phi, df, n: stats.nbinom(mu / phi, 1 / (1 + phi)).logpmf(y),
    "genpois": lambda y, mu, phi, df, n: (
        np.log(mu / np.sqrt(phi)) + (y - 1) * np.log(_reach(y, mu, phi)) - _reach(y, mu, phi)
        - special.gammaln(y + 1)
    ),
    "truncated_poisson": lambda y, mu, phi, df, n: (
        stats.poisson(mu).logpmf(y) - np.log(stats.poisson(mu).sf(0))
    ),
    "truncated_negative_binomial": lambda y, mu, phi, df, n: (
        stats.nbinom(1 / phi, 1 / (1 + phi * mu)).logpmf(y)
        - np.log(stats.nbinom(1 / phi, 1 / (1 + phi * mu)).sf(0))
    ),
    "ordered_beta": lambda y, mu, phi, df, n: np.log(
        np.select(
            [y == 0, y == 1], _ends(mu),
            (1 - sum(_ends(mu))) * stats.beta(mu * phi, (1 - mu) * phi).pdf(y),
        )
    ),
}  # fmt: skip
ODDS = {"odds0": 0.4, "odds1": 0.2}


def _reach(y, mu, phi):
    return mu / np.sqrt(phi) + (1 - 1 / np.sqrt(phi)) * y


def _ends(mu):
    """The probabilities of 0 and of 1: logistic in the cutpoints of Kubinec (2022)."""
    eta = stats.logistic.ppf(mu)
    return [
        1 - stats.logistic.cdf(eta - np.log(ODDS["odds0"])),
        stats.logistic.cdf(eta + np.log(ODDS["odds1"])),
    ]


def example(family, link):
    """Linear predictors whose means lie inside the interval, and rows of the family."""
    eta = RNG.uniform(0.2, 0.9, N)
    if link == "log" and family in ("beta", "binomial", "betabinomial"):
        eta = -eta
    y = RNG.integers(0, 9, N).astype(float)
    if family in ("normal", "t", "gamma", "lognormal"):
        y = RNG.uniform(0.1, 4, N)
    phi = RNG.uniform(0.3, 3, N)
    if family in ("beta", "ordered_beta"):
        y = RNG.uniform(0.05, 0.95, N)
    if family == "ordered_beta":
        y = np.where(np.arange(N) % 3 == 0, np.arange(N) % 2, y)
    if family == "genpois":
        y, phi = np.minimum(y, 4), phi + 1
    if family.startswith("truncated"):
        y = y + 1
    return eta, Rows(y, family, link, np.full(N, 9.0), phi, 4.5, **ODDS)


@pytest.mark.parametrize(("family", "link"), PAIRS)
def test_a_density_is_scipys_at_the_mean_of_its_link(family, link):
    eta, rows = example(family, link)
    expected = SCIPY[family](rows.y, INVERSE[link](eta), rows.phi, rows.df, rows.trials)
    np.testing.assert_allclose(rows.log_density(eta).value, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("zero_logit", [None, -0.7], ids=["plain", "extra zeros"])
@pytest.mark.parametrize(("family", "link"), PAIRS)
def test_its_derivatives_are_those_of_differences(family, link, zero_logit):
    eta, rows = example(family, link)
    rows = replace(rows, weights=2.5, zero_logit=zero_logit)
    at, h = rows.log_density(eta), 1e-5
    below, above = rows.log_density(eta - h), rows.log_density(eta + h)
    np.testing.assert_allclose(
        at.first, (above.value - below.value) / (2 * h), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        at.second, (above.first - below.first) / (2 * h), rtol=1e-4, atol=1e-4
    )


def test_every_family_is_judged():
    assert set(DENSITIES) == set(SCIPY)


def covariance_of_four_groups():
    """Of a random intercept and a slope on eight rows a group."""
    g, x = np.repeat(np.arange(4), 8), RNG.normal(size=32)
    return np.equal.outer(g, g) * (0.7 + 0.3 * np.outer(x, x))


def test_for_a_normal_model_it_is_the_multivariate_normal():
    K = covariance_of_four_groups()
    y, fixed = RNG.normal(size=32), RNG.normal(size=32)
    rows = Rows(y, "normal", "identity", phi=0.4)
    expected = stats.multivariate_normal(fixed, K + 0.4 * np.eye(32)).logpdf(y)
    assert laplace(rows, fixed, K) == pytest.approx(expected, abs=1e-9)
    assert exact_normal(y, fixed, K + 0.4 * np.eye(32)) == pytest.approx(expected, abs=1e-9)


def test_the_restricted_likelihood_is_the_integral_over_the_coefficients():
    """Of one coefficient, with a flat prior: y is normal around every multiple of the column."""
    K = covariance_of_four_groups()
    V, X, y = K + 0.4 * np.eye(32), RNG.normal(size=(32, 1)), RNG.normal(size=32)
    beta = np.linalg.solve(X.T @ np.linalg.solve(V, X), X.T @ np.linalg.solve(V, y))
    value = exact_normal(y, X @ beta, V, X)
    density = stats.multivariate_normal(np.zeros(32), V)
    integral, _ = integrate.quad(
        lambda b: np.exp(density.logpdf(y - X[:, 0] * b) - value), beta[0] - 9, beta[0] + 9
    )
    assert np.log(integral) == pytest.approx(0, abs=1e-7)


def test_of_binomial_herds_it_is_that_of_glmmtmb():
    """glmmTMB 1.1.5 at its own estimates: herds_binomial in tests/reference/models.json."""
    herds = pd.read_csv(ROOT / "data" / "herds.csv")
    periods = np.array([0, -0.992332734873581, -1.12867208416872, -1.58031388518016])
    fixed = -1.39853214237343 + periods[herds["period"] - 1]
    herd = herds["herd"].to_numpy()
    rows = Rows(herds["incidence"].to_numpy(), "binomial", "logit", herds["size"].to_numpy())
    found = laplace(rows, fixed, 0.642261448442914**2 * np.equal.outer(herd, herd))
    assert found == pytest.approx(-92.0262818647571, abs=1e-8)
