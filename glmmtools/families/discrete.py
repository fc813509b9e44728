"""The families of counts and of successes out of trials."""

from __future__ import annotations

import numpy as np
from scipy import special

from glmmtools.families.base import Array, Family
from glmmtools.families.special import (
    log_excess,
    log_less_digamma,
    log_ratio,
    log_rising_excess,
    stirling_error,
)

LOG_TWO_PI = np.log(2 * np.pi)
MOST = 1e18  # beyond, a count does not fit into an integer


def _not_count(y: Array) -> Array:
    return (y < 0) | (np.abs(y - np.round(y)) > 1e-8)


def _polygamma_step(order: int, x, y):
    """``polygamma(order, x + y) - polygamma(order, x)`` for counts y, without cancellation.

    Beyond x = 1e4 the asymptotic series (Abramowitz & Stegun 6.3.18, 6.4.11) is used, whose
    first neglected term is below rounding.
    """
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    if order == 0:
        near = special.digamma(x + y) - special.digamma(x)
    else:
        near = special.polygamma(order, x + y) - special.polygamma(order, x)
    if np.all(x < 1e4):
        return near
    z = x + y
    # 1/z - 1/x, 1/z² - 1/x², 1/z³ - 1/x³ and 1/z⁴ - 1/x⁴ as products, so that nothing cancels
    r1 = -y / (x * z)
    r2 = r1 * (1 / z + 1 / x)
    r3 = r1 * (1 / z**2 + 1 / (x * z) + 1 / x**2)
    r4 = r2 * (1 / z**2 + 1 / x**2)
    far = (
        np.log1p(y / x) - r1 / 2 - r2 / 12,
        r1 + r2 / 2 + r3 / 6,
        -r2 - r3 - r4 / 2,
    )[order]
    return np.where(x < 1e4, near, far)


def _log_binomial(y, trials, mu):
    """Log-probability of `y` successes of independent trials."""
    y, trials, mu = np.asarray(y, float), np.asarray(trials, float), np.asarray(mu, float)
    failures = trials - y
    ends = np.where(y == 0, special.xlog1py(trials, -mu), special.xlogy(trials, mu))
    inside = (y > 0) & (failures > 0)
    if not np.any(inside):  # single trials, the commonest data: nothing else is needed
        return ends
    some, others, excess = (
        np.where(inside, y, 1.0),
        np.where(inside, failures, 1.0),
        y - trials * mu,
    )
    inner = (
        some * log_excess(trials * mu / some, -excess / some)
        + others * log_excess(trials * (1 - mu) / others, excess / others)
        + stirling_error(trials) - stirling_error(some) - stirling_error(others)
        + 0.5 * (np.log(trials / (some * others)) - LOG_TWO_PI)
    )  # fmt: skip
    return np.where(inside, inner, ends)


def _log_negative_binomial(y, mu, phi):
    """Log-probability of a count with variance ``mu + phi mu²``."""
    y, mu, phi = np.asarray(y, float), np.asarray(mu, float), np.asarray(phi, float)
    size, some = 1 / phi, np.where(y > 0, y, 1.0)
    shrink = 1 / (1 + phi * mu)
    excess = (some - mu) * shrink
    stretch = 1 + phi * some
    positive = (
        size * log_excess(stretch * shrink, phi * excess)
        + some * log_excess(stretch * shrink * mu / some, -excess / some)
        + stirling_error(size + some) - stirling_error(size) - stirling_error(some)
        - 0.5 * (LOG_TWO_PI + np.log(some) + np.log1p(phi * some))
    )  # fmt: skip
    return np.where(y == 0, -size * np.log1p(phi * mu), positive)


class _Successes(Family):
    """What the two families for successes out of known trials share."""

    discrete, support, mean_interval = True, "y = 0, 1, …, N (N trials, known)", (0.0, 1.0)
    takes_trials = True
    mean_text = "N μ, μ the probability of a success (also written π)"

    def outside_support(self, y, trials=None):
        trials = np.ones_like(y) if trials is None else trials
        return _not_count(y) | (y > trials) | ~np.isfinite(y)


class Binomial(_Successes):
    name, notation = "binomial", r"\mathrm{Binomial}(N, \mu)"
    notation_text = "y ~ Binomial(N, μ)"
    links = ("logit", "probit", "cloglog", "log", "identity")
    variance_text = "N μ(1 − μ)"
    typical = "germinated of sown, infected of tested, yes or no (N = 1)"
    scipy_text = "scipy.stats.binom(n=N, p=μ)"
    r_text = "binomial()"

    def variance(self, mu, trials=1):
        mu = np.asarray(mu, float)
        return trials * mu * (1 - mu)

    def log_density(self, y, mu, trials=1):
        return _log_binomial(y, trials, mu)

    def mu_derivatives(self, y, mu, trials=1, order=3):
        failures, rest = trials - y, 1 - mu
        return (
            (y * rest - failures * mu) / (mu * rest),
            -y / mu**2 - failures / rest**2,
            2 * y / mu**3 - 2 * failures / rest**3,
        )

    def eta_derivatives(self, y, eta, link, trials=1, order=3):
        if link.name != "logit":
            return super().eta_derivatives(y, eta, link, order=order, trials=trials)
        mu, slope, third = link.inverse(eta), *link.derivatives(eta)[:2]
        return y - trials * mu, -trials * slope, -trials * third

    def distribution(self, mu, trials=1):
        from scipy import stats

        return stats.binom(trials, mu)

    def sample(self, mu, rng, trials=1):
        return rng.binomial(np.asarray(trials, int), mu)


class BetaBinomial(_Successes):
    name, aliases = "betabinomial", ("beta_binomial",)
    notation = r"\mathrm{BetaBinomial}(N, \mu, \phi)"
    notation_text = "y ~ BetaBinomial(N, μ, φ)"
    shape, links = ("phi",), ("logit", "probit", "cloglog", "log")
    variance_text = "N μ(1 − μ)(φ + N)/(φ + 1) (a larger φ means a smaller variance)"
    typical = "successes out of trials that vary more than binomial counts: litters, plates"
    scipy_text = "scipy.stats.betabinom(n=N, a=μφ, b=(1 − μ)φ)"
    r_text = "glmmTMB::betabinomial(); sigma() = φ"

    def variance(self, mu, phi=1.0, trials=1):
        mu = np.asarray(mu, float)
        return trials * mu * (1 - mu) * (phi + trials) / (phi + 1)

    def log_density(self, y, mu, phi=1.0, trials=1):
        # times the binomial, to which it tends as phi grows
        return _log_binomial(y, trials, mu) + (
            log_rising_excess(mu * phi, y)
            + log_rising_excess((1 - mu) * phi, trials - y)
            - log_rising_excess(phi, trials)
        )

    def _steps(self, order, y, mu, phi, trials):
        return (
            _polygamma_step(order, mu * phi, y),
            _polygamma_step(order, (1 - mu) * phi, trials - y),
        )

    def mu_derivatives(self, y, mu, phi=1.0, trials=1, order=3):
        (a0, b0), (a1, b1) = (self._steps(k, y, mu, phi, trials) for k in range(2))
        a2, b2 = self._steps(2, y, mu, phi, trials) if order > 2 else (0.0, 0.0)
        return phi * (a0 - b0), phi**2 * (a1 + b1), phi**3 * (a2 - b2)

    def shape_derivatives(self, y, mu, phi=1.0, trials=1):
        (a0, b0), (a1, b1), (a2, b2) = (self._steps(k, y, mu, phi, trials) for k in range(3))
        value = mu * a0 + (1 - mu) * b0 - _polygamma_step(0, phi, trials)
        first = a0 - b0 + phi * (mu * a1 - (1 - mu) * b1)
        second = 2 * phi * (a1 + b1) + phi**2 * (mu * a2 + (1 - mu) * b2)
        return {"phi": (phi * value, phi * first, phi * second)}

    def distribution(self, mu, phi=1.0, trials=1):
        from scipy import stats

        mu = np.asarray(mu, float)
        return stats.betabinom(trials, mu * phi, (1 - mu) * phi)

    def sample(self, mu, rng, phi=1.0, trials=1):
        mu = np.asarray(mu, float)
        return rng.binomial(np.asarray(trials, int), rng.beta(mu * phi, (1 - mu) * phi))


class _Count(Family):
    """What the families for counts without an upper limit share."""

    counts = True
    discrete, support, mean_interval = True, "y = 0, 1, 2, …", (0.0, np.inf)
    links = ("log", "identity")

    def outside_support(self, y, trials=None):
        return _not_count(y) | ~np.isfinite(y)


class Poisson(_Count):
    name, notation = "poisson", r"\mathrm{Poisson}(\mu)"
    notation_text = "y ~ Poisson(μ)"
    variance_text = "μ"
    typical = "counts of rare, independent events: seizures, plants in a plot"
    scipy_text = "scipy.stats.poisson(mu=μ)"
    r_text = "poisson()"

    def variance(self, mu):
        return np.asarray(mu, float) * 1.0

    def log_density(self, y, mu):
        y = np.asarray(y, float)
        some = np.where(y > 0, y, 1.0)
        positive = (
            some * log_excess(mu / some, (mu - some) / some)
            - stirling_error(some)
            - 0.5 * (LOG_TWO_PI + np.log(some))
        )
        return np.where(y == 0, -mu, positive)

    def mu_derivatives(self, y, mu, order=3):
        ratio = y / mu
        return (y - mu) / mu, -ratio / mu, 2 * ratio / mu**2

    def eta_derivatives(self, y, eta, link, order=3):
        if link.name != "log":
            return super().eta_derivatives(y, eta, link, order=order)
        mu = link.inverse(eta)
        return y - mu, -mu, -mu

    def distribution(self, mu):
        from scipy import stats

        return stats.poisson(mu)

    def sample(self, mu, rng):
        return rng.poisson(mu)


class NegativeBinomial(_Count):
    name, aliases = "negative_binomial", ("nbinom2", "nb2", "negativebinomial")
    notation = r"\mathrm{NegBinomial}(\mu, \phi)"
    notation_text = "y ~ NB2(μ, φ)"
    shape = ("phi",)
    variance_text = "μ + φ μ²"
    typical = "counts that cluster: weeds, ticks, seizures"
    scipy_text = "scipy.stats.nbinom(n=1/φ, p=1/(1 + φμ))"
    r_text = "glmmTMB::nbinom2(), MASS::negative.binomial; theta = sigma() = 1/φ"

    def variance(self, mu, phi=1.0):
        mu = np.asarray(mu, float)
        return mu + phi * mu**2

    def log_density(self, y, mu, phi=1.0):
        return _log_negative_binomial(y, mu, phi)

    def mu_derivatives(self, y, mu, phi=1.0, order=3):
        # k = 1/phi is nowhere alone, so that phi -> 0 is the Poisson
        shrink, ratio, product = 1 / (1 + phi * mu), y / mu, phi * mu
        return (
            (y - mu) / mu * shrink,
            -(ratio / mu * (1 + 2 * product) - phi) * shrink**2,
            2 * (ratio / mu**2 * (1 + 3 * product + 3 * product**2) - phi**2) * shrink**3,
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        k = 1 / np.asarray(phi, float)
        shrink = 1 / (1 + phi * mu)
        excess = phi * (y - mu) * shrink**2
        by_k = (
            log_excess((1 + phi * y) * shrink, phi * (y - mu) * shrink)
            + log_less_digamma(k)
            - log_less_digamma(k + y)
        )
        return {
            "phi": (
                -k * by_k,
                -excess,
                phi * shrink**2 + 2 * excess * phi * shrink,
            )
        }

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        return stats.nbinom(1 / np.asarray(phi, float), 1 / (1 + phi * np.asarray(mu, float)))

    def sample(self, mu, rng, phi=1.0):
        rate = rng.gamma(1 / np.asarray(phi, float), phi * np.asarray(mu, float))
        return rng.poisson(np.minimum(rate, MOST))


class NegativeBinomial1(_Count):
    name, aliases = "nbinom1", ("nb1", "negative_binomial_1")
    notation = r"\mathrm{NegBinomial1}(\mu, \phi)"
    notation_text = "y ~ NB1(μ, φ)"
    shape = ("phi",)
    variance_text = "μ(1 + φ)"
    typical = "counts whose variance is a constant multiple of the mean"
    scipy_text = "scipy.stats.nbinom(n=μ/φ, p=1/(1 + φ))"
    r_text = "glmmTMB::nbinom1(); sigma() = φ"

    def variance(self, mu, phi=1.0):
        return np.asarray(mu, float) * (1 + phi)

    def log_density(self, y, mu, phi=1.0):
        return _log_negative_binomial(y, mu, phi / np.asarray(mu, float))

    def _step(self, y, mu, phi):
        """``(μ + φy)/(μ(1 + φ))``, that less 1, and a difference of digamma functions."""
        size = mu / phi
        excess = phi / (1 + phi) * ((y - mu) / mu)
        less = log_less_digamma(size) - log_less_digamma(size + y)
        return (1 + phi * (y / mu)) / (1 + phi), excess, less

    def mu_derivatives(self, y, mu, phi=1.0, order=3):
        size = mu / phi
        ratio, difference, less = self._step(y, mu, phi)
        first = log_ratio(ratio, difference) + less
        return (
            first / phi,
            _polygamma_step(1, size, y) / phi**2,
            _polygamma_step(2, size, y) / phi**3 if order > 2 else 0.0,
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        size = mu / phi
        ratio, difference, less = self._step(y, mu, phi)
        d1, d2, d3 = self.mu_derivatives(y, mu, phi)
        return {
            "phi": (
                -size * (log_excess(ratio, difference) + less),
                -d1 - mu * d2 - 1 / (1 + phi),
                -2 * d2 - size * phi * d3,
            )
        }

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        return stats.nbinom(np.asarray(mu, float) / phi, 1 / (1 + np.asarray(phi, float)))

    def sample(self, mu, rng, phi=1.0):
        return rng.poisson(np.minimum(rng.gamma(np.asarray(mu, float) / phi, phi), MOST))
