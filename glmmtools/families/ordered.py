"""Shares with exact zeros and ones: the ordered beta."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import numpy as np

from glmmtools.families.continuous import Beta

Array = np.ndarray


class OrderedBeta(Beta):
    """``P(y = 0) = expit(log odds0 - η)``, ``P(y = 1) = expit(log odds1 + η)``, else a beta.

    So one linear predictor says how near a share is to 1, and whether it is 0, 1 or between
    (Kubinec 2023, Political Analysis 31:519). `odds0` and `odds1` are the odds of an exact 0 and
    of an exact 1 where μ is one half: his cutpoints are ``log(odds0)`` and ``-log(odds1)``.

    Parameters
    ----------
    zeros, ones : bool
        Whether there are exact zeros and ones; without them their odds are 0.
    """

    name, aliases = "ordered_beta", ("ordbeta",)
    title, links = "ordered beta", ("logit",)
    notation = r"\mathrm{OrderedBeta}(\mu, \phi)"
    notation_text = "y ~ OrderedBeta(μ, φ): y is 0, or 1, or Beta(μ, φ)"
    support = "0 ≤ y ≤ 1"
    mean_text = "P(y = 1) + μ P(0 < y < 1), μ the mean between 0 and 1"
    variance_text = "E(y²) − E(y)² (a larger φ means a smaller variance)"
    typical = "a share with exact 0 and 1: cover, severity, time spent"
    scipy_text = "scipy.stats.beta(a=μφ, b=(1 − μ)φ) between 0 and 1"
    r_text = "glmmTMB::ordbeta(); sigma() = φ"
    slip, ends = "Per cent? Divide by 100", "zeros or ones from other values"
    hint = "a share, exact 0 and 1 included"
    elsewhere: ClassVar = {"glmmTMB": "ordbeta"}
    has_atoms, log_concave = True, False

    def __init__(self, zeros: bool = True, ones: bool = True):
        present = {"odds0": zeros, "odds1": ones}
        self.shape = ("phi", *(name for name, there in present.items() if there))
        self.fixed = {name: 0.0 for name, there in present.items() if not there}

    def of_response(self, y):
        """The family without the parameters of zeros and ones that the response does not have."""
        return _with(type(self), bool(np.any(y == 0)), bool(np.any(y == 1)))

    @property
    def example(self):
        values = {"mu": 0.4, "phi": 5.0, "odds0": 0.1, "odds1": 0.1}
        return {name: values[name] for name in ("mu", *self.shape)}

    def known_as(self, package):
        return None if self.fixed else super().known_as(package)

    def glmmtmb_psi(self, shape):
        return float(np.log(shape["odds0"])), -float(np.log(shape["odds1"]))

    def outside_support(self, y, trials=None):
        return ~((y >= 0) & (y <= 1))

    def certain_at_end(self, y, trials=None):
        return (y == 1).astype(float) - (y == 0)

    def _parts(self, mu, odds0, odds1, rest=None):
        """``1 - μ``, ``μ + odds0 (1 - μ)``, ``odds1 μ + 1 - μ``: what the odds are relative to."""
        mu = np.asarray(mu, float)
        rest = 1 - mu if rest is None else rest
        return mu, rest, mu + odds0 * rest, odds1 * mu + rest

    def probabilities(self, mu, odds0=0.0, odds1=0.0):
        """Those of an exact 0, of an exact 1, and of a value between."""
        mu, rest, low, high = self._parts(mu, odds0, odds1)
        between = mu * rest * (1 - odds0 * odds1) / (low * high)
        return odds0 * rest / low, odds1 * mu / high, np.maximum(between, 0)

    def mean(self, mu, trials=1, odds0=0.0, odds1=0.0, **others):
        _, ones, between = self.probabilities(mu, odds0, odds1)
        return ones + between * mu

    def mean_slope(self, mu, odds0=0.0, odds1=0.0, **others):
        mu, _, low, high = self._parts(mu, odds0, odds1)
        between = self.probabilities(mu, odds0, odds1)[2]
        by_zeros, by_ones = -odds0 / low**2, odds1 / high**2
        return by_ones * (1 - mu) - by_zeros * mu + between

    def variance(self, mu, phi=1.0, odds0=0.0, odds1=0.0):
        _, ones, between = self.probabilities(mu, odds0, odds1)
        square = super().variance(mu, phi) + np.asarray(mu, float) ** 2
        return ones + between * square - (ones + between * mu) ** 2

    def log_density(self, y, mu, phi=1.0, odds0=0.0, odds1=0.0, rest=None):
        mu, rest, low, high = self._parts(mu, odds0, odds1, rest)
        some = _between(y)
        with np.errstate(divide="ignore", invalid="ignore"):
            zero = np.log(rest) - np.log(low)
            one = np.log(mu) - np.log(high)
            inner = super().log_density(some, mu, phi, rest=rest) + np.log1p(-odds0 * odds1)
            inner = np.where(odds0 * odds1 < 1, zero + one + inner, -np.inf)
            return np.select([y == 0, y == 1], [zero + np.log(odds0), one + np.log(odds1)], inner)

    def mu_derivatives(self, y, mu, phi=1.0, odds0=0.0, odds1=0.0, rest=None, order=3):
        mu, rest, low, high = self._parts(mu, odds0, odds1, rest)
        zero = _of_ratio(rest * low, rest - mu - 2 * odds0 * rest, 2 * (odds0 - 1), -1.0)
        one = _of_ratio(mu * high, rest - mu + 2 * odds1 * mu, 2 * (odds1 - 1), 1.0)
        inner = super().mu_derivatives(_between(y), mu, phi, rest=rest, order=order)
        return tuple(
            None if c is None else np.select([y == 0, y == 1], [a, b], a + b + c)
            for a, b, c in zip(zero, one, inner, strict=True)
        )

    def shape_derivatives(self, y, mu, phi=1.0, odds0=0.0, odds1=0.0, rest=None):
        mu, rest, low, high = self._parts(mu, odds0, odds1, rest)
        at_zero, at_one = y == 0, y == 1
        inner = ~(at_zero | at_one)
        both = odds0 * odds1
        with np.errstate(divide="ignore", invalid="ignore"):
            less = np.where(inner, -both / (1 - both), 0.0)
        of_phi = super().shape_derivatives(_between(y), mu, phi, rest=rest)["phi"]
        found = {
            "phi": tuple(np.where(inner, each, 0.0) for each in of_phi),
            "odds0": (
                np.where(at_zero, mu / low, np.where(at_one, 0.0, less - odds0 * rest / low)),
                np.where(at_one, 0.0, odds0 / low**2),
                np.where(at_one, 0.0, 2 * odds0 * (odds0 - 1) / low**2 / low),
            ),
            "odds1": (
                np.where(at_one, rest / high, np.where(at_zero, 0.0, less - odds1 * mu / high)),
                np.where(at_zero, 0.0, -odds1 / high**2),
                np.where(at_zero, 0.0, 2 * odds1 * (odds1 - 1) / high**2 / high),
            ),
        }
        return {name: found[name] for name in self.shape}

    def distribution(self, mu, phi=1.0, odds0=0.0, odds1=0.0):
        zeros, ones, between = self.probabilities(mu, odds0, odds1)
        return ZeroOrOne(super().distribution(mu, phi), zeros, ones, between)

    def sample(self, mu, rng, phi=1.0, odds0=0.0, odds1=0.0):
        size = np.broadcast_shapes(*map(np.shape, (mu, phi, odds0, odds1)))
        zeros, ones, _ = self.probabilities(mu, odds0, odds1)
        drawn = super().sample(np.broadcast_to(mu, size), rng, phi)
        uniform = rng.uniform(size=size)
        return np.where(uniform < zeros, 0.0, np.where(uniform >= 1 - ones, 1.0, drawn))

    def probability_of(self, value, mu, phi=1.0, odds0=0.0, odds1=0.0):
        zeros, ones, _ = self.probabilities(mu, odds0, odds1)
        return np.where(value == 0, zeros, np.where(value == 1, ones, 0.0))

    def guessed_shape(self, y, mu):
        share = {"odds0": np.mean(y == 0), "odds1": np.mean(y == 1)}
        return {name: np.clip(share[name], 0.01, 0.5) for name in self.shape if name in share}

    def guessed_phi(self, y, mu, within, link, trials=1):
        inside = (y > 0) & (y < 1)
        return super().guessed_phi(y[inside], mu[inside], within, link) if inside.any() else 5.0

    def suits(self, y):
        if self.of_response(y).fixed.keys() == {"odds0", "odds1"}:
            return False, "no value is exactly 0 or 1: beta is enough"
        return super().suits(y)


@cache
def _with(family: type[OrderedBeta], zeros: bool, ones: bool) -> OrderedBeta:
    """One object for each, so that fits of one family share it."""
    return family(zeros, ones)


def _between(y: Array) -> Array:
    return np.where((y > 0) & (y < 1), y, 0.5)


def _of_ratio(product: Array, slope: Array, curve: Array, sign: float) -> tuple[Array, ...]:
    """Derivatives of a function whose first is ``sign / product``."""
    with np.errstate(divide="ignore", over="ignore"):
        return (
            sign / product,
            -sign * slope / product**2,
            sign * (2 * slope**2 - curve * product) / product**2 / product,
        )


class ZeroOrOne:
    """A SciPy distribution on (0, 1) beside exact zeros and ones."""

    def __init__(self, inner, zeros, ones, between):
        self.inner, self.zeros, self.ones, self.between = inner, zeros, ones, between

    def support(self):
        return 0.0, 1.0

    def logpdf(self, y):
        """Of values between 0 and 1 the log-density, of 0 and 1 the log-probability."""
        y = np.asarray(y, float)
        with np.errstate(divide="ignore"):
            inner = np.log(self.between) + self.inner.logpdf(_between(y))
            ends = [np.log(self.zeros), np.log(self.ones)]
        return np.select([y == 0, y == 1], np.broadcast_arrays(*ends), inner)[()]

    def pdf(self, y):
        return np.exp(self.logpdf(y))

    def mean(self):
        return self.ones + self.between * self.inner.mean()

    def var(self):
        square = self.inner.var() + self.inner.mean() ** 2
        return self.ones + self.between * square - self.mean() ** 2

    def cdf(self, y):
        y = np.asarray(y, float)
        inside = self.zeros + self.between * self.inner.cdf(y)
        return np.where(y < 0, 0.0, np.where(y >= 1, 1.0, inside))[()]

    def ppf(self, probability):
        left = (np.asarray(probability, float) - self.zeros) / self.between
        found = self.inner.ppf(np.clip(left, 0, 1))
        return np.where(left <= 0, 0.0, np.where(left >= 1, 1.0, found))[()]
