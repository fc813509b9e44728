"""Counts above zero: the Poisson and the negative binomial without their zeros.

The mean ``mu`` is that of the counts with their zeros, as in R's glmmTMB; ``E(y)`` is larger. Where
it is small, ``P(y = 0)`` is nearly 1 and ``1/μ`` cancels in every derivative: what is left is a
function of its own here, that keeps its digits.
"""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import numpy as np

from glmmtools.families.base import Limit
from glmmtools.families.discrete import MOST, Count, NegativeBinomial, Poisson

Array = np.ndarray
_SMALL = 0.5  # of the logarithm of P(y = 0): below, series
_NEAR = 0.25
_RARE = 1e-3  # probability of a zero
# 1/t - 1/(1 - exp(-t)) = -1/2 + the sum of these times t, t³, t⁵, …: -B(2k)/(2k)!
_BERNOULLI = (
    -1 / 12, 1 / 720, -1 / 30240, 1 / 1209600, -1 / 47900160, 691 / 1307674368000,
    -1 / 74724249600,
)  # fmt: skip


def _gregory(n: int) -> list[float]:
    """The series of ``x/log(1 + x)``: 1, 1/2, -1/12, 1/24, …"""
    found = [Fraction(1)]
    for k in range(1, n):
        found.append(-sum(Fraction((-1) ** j, j + 1) * found[k - j] for j in range(1, k + 1)))
    return [float(each) for each in found]


_GREGORY = _gregory(28)


def _odds(t: Array) -> Array:
    """``exp(-t) / (1 - exp(-t))``"""
    with np.errstate(over="ignore", divide="ignore"):
        return 1 / np.expm1(t)


def _without_pole(t: Array) -> tuple[Array, Array, Array]:
    """``1/t - 1/(1 - exp(-t))``, from -1/2 at 0 to -1, with its first two derivatives."""
    small = t < _SMALL
    near, far = np.where(small, t, 0.0), np.where(small, 1.0, t)
    value, first, second = -0.5, 0.0, 0.0
    for k, each in enumerate(_BERNOULLI):
        value = value + each * near ** (2 * k + 1)
        first = first + each * (2 * k + 1) * near ** (2 * k)
        if k:
            second = second + each * (2 * k + 1) * 2 * k * near ** (2 * k - 1)
    r = _odds(far)
    return (
        np.where(small, value, 1 / far - 1 - r),
        np.where(small, first, r * (1 + r) - 1 / far**2),
        np.where(small, second, 2 / far**2 / far - r * (1 + r) * (1 + 2 * r)),
    )


def _of_logarithm(x: Array) -> tuple[Array, Array, Array]:
    """``G = 1/log(1 + x) - 1/x``, ``H = (G - 1/2)/x`` and ``K = (H + 1/12)/x``."""
    near, far = np.where(x < _NEAR, x, 0.0), np.where(x < _NEAR, 1.0, x)
    G, H, K = (np.polynomial.polynomial.polyval(near, _GREGORY[k:]) for k in (1, 2, 3))
    direct = 1 / np.log1p(far) - 1 / far
    by_x = (direct - 0.5) / far
    return (
        np.where(x < _NEAR, G, direct),
        np.where(x < _NEAR, H, by_x),
        np.where(x < _NEAR, K, (by_x + 1 / 12) / far),
    )


class ZeroTruncated:
    """A SciPy distribution of counts, given that they are above 0.

    With those methods of frozen distributions that are asked for here.
    """

    def __init__(self, counts):
        self.counts = counts

    def support(self):
        return 1, self.counts.support()[1]

    def logpmf(self, y):
        found = self.counts.logpmf(y) - self._log_kept()
        return np.where(np.asarray(y) > 0, found, -np.inf)[()]

    def pmf(self, y):
        return np.exp(self.logpmf(y))

    def cdf(self, y):
        zero, kept = self.counts.pmf(0), np.exp(self._log_kept())
        return np.clip((self.counts.cdf(y) - zero) / kept, 0, 1)

    def ppf(self, probability):
        zero = self.counts.pmf(0)
        return np.maximum(self.counts.ppf(zero + (1 - zero) * np.asarray(probability)), 1)

    def mean(self):
        return self.counts.mean() / np.exp(self._log_kept())

    def var(self):
        mean = self.mean()
        square = (self.counts.var() + self.counts.mean() ** 2) / np.exp(self._log_kept())
        return square - mean**2

    def _log_kept(self):
        return np.log(-np.expm1(self.counts.logpmf(0)))


class _Truncated(Count):
    """What they share: of Poisson counts φ is 0."""

    links = ("log",)
    log_concave = False
    support = "y = 1, 2, 3, …"
    slip, ends = "", "ones from larger counts"
    counts_with_zeros: ClassVar
    usual_phi: ClassVar = 0.0

    def outside_support(self, y, trials=None):
        return super().outside_support(y) | (y < 0.5)

    def certain_at_end(self, y, trials=None):
        return -(y == 1).astype(float)

    def _log_zero(self, mu, phi):
        """``t = -log P(y = 0)`` of the counts with their zeros, φμ and 1/(1 + φμ)."""
        mu, phi = np.asarray(mu, float), np.asarray(self.usual_phi if phi is None else phi, float)
        x = phi * mu
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.where(x > 1e-300, np.log1p(x) / phi, mu)
        return t, x, 1 / (1 + x)

    def mean(self, mu, trials=1, phi=None):
        return np.asarray(mu, float) / -np.expm1(-self._log_zero(mu, phi)[0])

    def mean_slope(self, mu, phi=None):
        # Var(y) is the slope in the logarithm of the canonical parameter μ/(1 + φμ)
        return self.variance(mu, phi=phi) * self._log_zero(mu, phi)[2] / mu

    def variance(self, mu, phi=None):
        phi = self.usual_phi if phi is None else phi
        t, x, _ = self._log_zero(mu, phi)
        (c, _, _), (G, _, _) = _without_pole(t), _of_logarithm(x)
        mean = self.mean(mu, phi=phi)
        near, far = mu * (1 + phi * (1 - G) + c), 1 + x - mu * _odds(t)
        return mean * np.where(t < _SMALL, near, far)

    def _log_density(self, y, mu, phi, with_zeros):
        return with_zeros - np.log(-np.expm1(-self._log_zero(mu, phi)[0]))

    def _mu_derivatives(self, y, mu, phi):
        t, x, shrink = self._log_zero(mu, phi)
        c, c1, c2 = _without_pole(t)
        G, H, K = _of_logarithm(x)
        more = (np.asarray(y, float) - 1) / mu
        third = -6 * K - 12 * H - 6 * x * H**2 - G * (2 + 3 * G + 2 * G**2)
        first = np.where(t < _SMALL, more + c - phi * G, (y - mu) / mu - _odds(t))
        return (
            first * shrink,
            (-more / mu * (1 + 2 * x) + phi**2 * (2 * H + G + G**2) + c1 - phi * c) * shrink**2,
            (2 * more / mu / mu * (1 + 3 * x + 3 * x**2)
             + c2 - 3 * phi * c1 + 2 * phi**2 * c + phi**3 * third) * shrink**2 * shrink,
        )  # fmt: skip

    def sample(self, mu, rng, phi=None):
        """By the time of the first event: the others fall into the rest of the unit of time."""
        phi = np.asarray(self.usual_phi if phi is None else phi, float)
        size = np.broadcast_shapes(np.shape(mu), phi.shape)
        mu = np.broadcast_to(np.asarray(mu, float), size)
        passed = -np.log1p(rng.uniform(size=size) * np.expm1(-self._log_zero(mu, phi)[0]))
        if not self.shape:
            return 1 + rng.poisson(np.maximum(mu - passed, 0))
        grown = np.expm1(np.minimum(phi * passed, 700)) / phi  # mu times that time
        rate = rng.gamma(1 / phi + 1, phi * np.maximum(mu - grown, 0)) / (1 + phi * grown)
        return 1 + rng.poisson(np.minimum(rate, MOST))

    def suits(self, y):
        if np.exp(-y.mean()) < _RARE:
            return False, "at this mean zeros are rare in any case"
        return True, f"{self.hint}, if a 0 could not be seen"

    def why_impossible(self, values):
        reason = super().why_impossible(values)
        two_parts = "; with zero_inflation='~ 1' a hurdle model"
        return reason + two_parts if reason and np.all(values.y >= 0) and values.whole else reason

    def distribution(self, mu, **shape):
        return ZeroTruncated(self.counts_with_zeros.distribution(mu, **shape))


class TruncatedPoisson(_Truncated):
    """Poisson counts without their zeros: ``P(y) = Poisson(y | μ) / (1 - exp(-μ))``, y > 0."""

    name, title = "truncated_poisson", "zero-truncated Poisson"
    counts_with_zeros = Poisson()
    notation = r"\mathrm{Poisson}^{+}(\mu)"
    notation_text = "y ~ Poisson(μ) given y > 0"
    mean_text = "μ/(1 − exp(−μ)), μ the mean with zeros"
    variance_text = "m(1 + μ − m) for m = E(y)"
    typical = "counts that are seen only if above 0: group sizes, days in hospital"
    scipy_text = "scipy.stats.poisson(mu=μ), divided by 1 − exp(−μ)"
    r_text = "glmmTMB::truncated_poisson()"
    example: ClassVar = {"mu": 2.0}
    elsewhere: ClassVar = {"glmmTMB": "truncated_poisson"}
    hint = "counts without zeros"

    def log_density(self, y, mu):
        return self._log_density(y, mu, 0.0, self.counts_with_zeros.log_density(y, mu))

    def mu_derivatives(self, y, mu, order=3):
        return self._mu_derivatives(y, np.asarray(mu, float), 0.0)


class TruncatedNegativeBinomial(_Truncated):
    """NB2 counts without their zeros: ``P(y) = NB2(y | μ, φ) / (1 - (1 + φμ)^(-1/φ))``, y > 0."""

    name, aliases = "truncated_negative_binomial", ("truncated_nbinom2", "truncated_nb2")
    title = "zero-truncated negative binomial"
    counts_with_zeros = NegativeBinomial()
    shape, limit = ("phi",), Limit("phi", 0.0, TruncatedPoisson())
    usual_phi: ClassVar = 1.0
    notation = r"\mathrm{NegBinomial}^{+}(\mu, \phi)"
    notation_text = "y ~ NB2(μ, φ) given y > 0"
    mean_text = "μ/(1 − (1 + φμ)^(−1/φ)), μ the mean with zeros"
    variance_text = "m(1 + μ + φμ − m) for m = E(y)"
    typical = "clustered counts that are seen only if above 0"
    scipy_text = "scipy.stats.nbinom(n=1/φ, p=1/(1 + φμ)), divided by 1 − P(0)"
    r_text = "glmmTMB::truncated_nbinom2(); sigma() = 1/φ"
    example: ClassVar = {"mu": 2.0, "phi": 0.5}
    elsewhere: ClassVar = {"glmmTMB": "truncated_nbinom2"}
    phi_of_sigma = -1
    hint = "counts without zeros that cluster"

    def log_density(self, y, mu, phi=1.0):
        return self._log_density(y, mu, phi, self.counts_with_zeros.log_density(y, mu, phi=phi))

    def mu_derivatives(self, y, mu, phi=1.0, order=3):
        return self._mu_derivatives(y, np.asarray(mu, float), phi)

    def shape_derivatives(self, y, mu, phi=1.0):
        mu = np.asarray(mu, float)
        t, x, shrink = self._log_zero(mu, phi)
        c, c1, c2 = _without_pole(t)
        G, H, _ = _of_logarithm(x)
        more, moved, r = phi * (np.asarray(y, float) - 1), x * t * (G - 1), _odds(t)
        near = -more + phi * (G - 1 + x * G**2) - x * c + c1 * moved
        far = phi * (mu - y) + r * ((1 + r) * moved + x)
        value = self.counts_with_zeros.shape_derivatives(y, mu, phi=phi)["phi"][0]
        square = 2 - 2 * H - 4 * G**2 - x * G**2 * (1 + 2 * G)
        return {
            "phi": (
                value + (1 - t * (1 + c)) * x * shrink * (1 - G),
                np.where(t < _SMALL, near, far) * shrink**2,
                (2 * phi * more + phi**2 * square + (c2 - phi * c1) * moved
                 - 2 * c1 * x - c * phi * (1 - x)) * shrink**2 * shrink,
            )
        }  # fmt: skip

    def guessed_phi(self, y, mu, within, link, trials=1):
        return self.counts_with_zeros.guessed_phi(y, mu, within, link)
