"""The generalised Poisson: counts of any dispersion, less or more than Poisson."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import special

from glmmtools.families.base import Array
from glmmtools.families.discrete import MOST, Count
from glmmtools.families.special import LOG_TWO_PI, log_excess, stirling_error

_GENERATIONS = 2000  # of a branching process: beyond, the mean of what is left to come
_FAR = 40.0  # standard deviations
_UNSURE = 0.05  # of a sum of probabilities
_AT_ONCE = 2_000_000  # probabilities in memory


def _log_density(y, mu, phi) -> Array:
    y, mu, phi = np.broadcast_arrays(*(np.asarray(each, float) for each in (y, mu, phi)))
    root = np.sqrt(phi)
    reach = (mu - y) + root * y  # √φ (θ + λy)
    possible = (reach > 0) & (y >= 2)
    some, reach = np.where(possible, y, 2.0), np.where(possible, reach, 1.0)
    larger = (
        some * log_excess(reach / (root * some), (mu - some) / (root * some))
        - special.xlog1py(1.0, np.where(possible, (root - 1) * some / mu, 0.0))
        - stirling_error(some)
        - 0.5 * (LOG_TWO_PI + np.log(some))
    )
    one = special.xlogy(1.0, mu / root) + (1 - mu) / root - 1  # without (θ + λ)^0
    return np.select([y == 0, y == 1, possible], [-mu / root, one, larger], -np.inf)


class GeneralisedPoissonCounts:
    """The distribution as frozen ones of SciPy, which has none, with the methods asked for here.

    Parameters are numbers or arrays of one shape. Where φ is below 1 the probabilities are divided
    by their sum, here and in draws.
    """

    def __init__(self, mu, phi):
        self.mu, self.phi = np.broadcast_arrays(np.asarray(mu, float), np.asarray(phi, float))

    def support(self):
        return 0, np.inf

    def logpmf(self, y):
        return _log_density(y, self.mu, self.phi)[()]

    def pmf(self, y):
        return np.exp(self.logpmf(y))

    def mean(self):
        return self.mu[()]

    def var(self):
        return (self.mu * self.phi)[()]

    def cdf(self, y):
        y, mu, phi = np.broadcast_arrays(np.floor(np.asarray(y, float)), self.mu, self.phi)
        found = np.empty(y.shape)
        rows = [each.ravel() for each in (y, mu, phi)]
        highest = np.minimum(np.maximum(rows[0], 0), self._highest(*rows[1:]))
        width = 1 + int(highest.max(initial=0))
        for start in range(0, len(highest), each := max(1, _AT_ONCE // width)):
            part = slice(start, start + each)
            found.ravel()[part] = self._sums(*(row[part] for row in rows))
        return found[()]

    def ppf(self, probability):
        probability, mu, phi = np.broadcast_arrays(
            np.asarray(probability, float), self.mu, self.phi
        )
        counts = GeneralisedPoissonCounts(mu, phi)
        low, high = np.full(mu.shape, -1.0), self._highest(mu, phi)
        while np.any(high - low > 1):
            middle = np.floor((low + high) / 2)
            reached = counts.cdf(middle) >= probability
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        return high[()]

    @staticmethod
    def _highest(mu: Array, phi: Array) -> Array:
        """A count whose probability of being exceeded is below rounding, for each row."""
        far = np.ceil(mu + _FAR * np.sqrt(mu * phi) + _FAR * np.maximum(phi, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            end = np.where(phi < 1, np.ceil(mu / (1 - np.sqrt(phi))), np.inf)
        return np.minimum(far, end)

    def total(self) -> Array:
        """The sum of the probabilities, which is 1 for φ ≥ 1."""
        counts = np.arange(1 + int(self._highest(self.mu, self.phi).max(initial=0)))
        found = np.empty(self.mu.size)
        for start in range(0, len(found), each := max(1, _AT_ONCE // len(counts))):
            part = slice(start, start + each)
            mu, phi = self.mu.ravel()[part], self.phi.ravel()[part]
            with np.errstate(over="ignore"):
                found[part] = np.exp(_log_density(counts[:, None], mu, phi)).sum(axis=0)
        return found.reshape(self.mu.shape)

    def _sums(self, y: Array, mu: Array, phi: Array) -> Array:
        under = phi < 1
        last = np.where(under, self._highest(mu, phi), np.minimum(y, self._highest(mu, phi)))
        counts = np.arange(1 + int(max(last.max(initial=0), 0)))[:, None]
        terms = np.exp(_log_density(counts, mu, phi))
        total = np.where(under, terms.sum(axis=0), 1.0)
        return np.minimum(np.where(counts <= y, terms, 0.0).sum(axis=0) / total, 1.0)


class GeneralisedPoisson(Count):
    """``P(y) = θ(θ + λy)^(y-1) exp(-θ - λy) / y!`` with θ = μ/√φ and λ = 1 - 1/√φ.

    The mean is μ and the variance φμ (Consul & Jain 1973, Technometrics 15:791; written with mean
    and variance as in R's glmmTMB). For φ < 1 counts end where θ + λy is 0. Then the probabilities
    add up to 1 only nearly, and mean and variance are near these: to a thousandth for φ ≥ 0.5 and
    μ ≥ 1, or φ ≥ 0.2 and μ ≥ 4. As in glmmTMB the likelihood takes them as they are.
    """

    name, aliases = "genpois", ("generalised_poisson", "generalized_poisson")
    title = "generalised Poisson"
    notation = r"\mathrm{GenPoisson}(\mu, \phi)"
    notation_text = "y ~ GenPoisson(μ, φ)"
    shape, log_concave = ("phi",), False
    variance_text = "φ μ (φ below 1: less than Poisson)"
    typical = "counts that vary less than Poisson: litter and clutch sizes"
    chart = ("counted", "no total", "variance < mean")
    scipy_text = "none; θ = μ/√φ and λ = 1 − 1/√φ in Consul & Jain's notation"
    r_text = "glmmTMB::genpois(); sigma() = φ"
    example: ClassVar = {"mu": 4.0, "phi": 0.5}
    elsewhere: ClassVar = {"glmmTMB": "genpois"}
    phi_of_sigma = 1

    def mean(self, mu, trials=1, phi=1.0):
        return np.asarray(mu, float)

    def variance(self, mu, phi=1.0):
        return phi * np.asarray(mu, float)

    def log_density(self, y, mu, phi=1.0):
        return _log_density(y, mu, phi)

    def _reach(self, y, mu, phi):
        root = np.sqrt(np.asarray(phi, float))
        reach = (mu - y) + root * y
        return np.where((reach > 0) & (y != 1), reach, np.nan), root

    def mu_derivatives(self, y, mu, phi=1.0, order=3):
        reach, root = self._reach(y, mu, phi)
        less, product = root - 1, mu * reach
        others = (
            (mu * (y - mu) + root * less * y) / product / root,
            -y * (mu**2 + 2 * mu * less + less**2 * y) / product**2,
            2 * y * (mu**3 + 3 * mu**2 * less + 3 * mu * less**2 * y + less**3 * y**2)
            / product**2 / product,
        )  # fmt: skip
        ones = (root - mu) / mu / root, -1 / mu**2, 2 / mu**2 / mu
        return tuple(np.where(y == 1, *pair) for pair in zip(ones, others, strict=True))

    def shape_derivatives(self, y, mu, phi=1.0):
        reach, root = self._reach(y, mu, phi)
        pairs = y * (y - 1)
        others = (
            0.5 * ((y - mu) ** 2 - phi * y) / reach / root,
            0.5 * (1 - phi * pairs / reach**2) / root,
            root * pairs / reach**2 / reach,
        )
        ones = 0.5 * (mu - 1 - root) / root, 0.5 / root, 0.0
        return {"phi": tuple(np.where(y == 1, *pair) for pair in zip(ones, others, strict=True))}

    def distribution(self, mu, phi=1.0):
        return GeneralisedPoissonCounts(mu, phi)

    def sample(self, mu, rng, phi=1.0):
        mu, phi = np.broadcast_arrays(np.asarray(mu, float), np.asarray(phi, float))
        y, over = np.empty(mu.shape), phi >= 1
        y[over] = _branched(mu[over], np.sqrt(phi[over]), rng)
        y[~over] = _rejected(mu[~over], phi[~over], rng)
        return y.astype(np.int64)[()]

    def guessed_phi(self, y, mu, within, link, trials=1):
        return np.clip(np.mean((y - mu) ** 2 / mu), 1.0, 20.0)  # below, a count may be impossible

    def caution(self, mu, **shape):
        phi = np.broadcast_to(np.minimum(shape["phi"], 1.0), np.shape(mu))
        total = GeneralisedPoissonCounts(mu, phi).total()
        worst = total[np.argmax(np.abs(total - 1))]
        if abs(worst - 1) < _UNSURE:
            return ""
        return (
            f"In some rows the probabilities of genpois add up to {worst:.2f} in place of 1, since "
            "counts cannot vary so little around so small a mean: its logLik and AIC are not to be "
            "compared with those of other families."
        )

    def suits(self, y):
        ratio = y.var(ddof=1) / y.mean() if len(y) > 1 and y.mean() > 0 else 1.0
        seen = f"here {ratio:.1f} times the mean, over all rows"
        return ratio < 1, f"for counts that vary less than Poisson: variance φμ ({seen})"


def _branched(mu: Array, root: Array, rng: np.random.Generator) -> Array:
    """All descendants of Poisson(θ) ancestors, each with Poisson(λ) offspring."""
    alive = rng.poisson(np.minimum(mu / root, MOST)).astype(float)
    total, offspring = alive.copy(), 1 - 1 / root
    for _ in range(_GENERATIONS):
        if not alive.any():
            return total
        alive = rng.poisson(np.minimum(offspring * alive, MOST)).astype(float)
        total += alive
    return np.minimum(total + np.round(alive * (root - 1)), MOST)


def _rejected(mu: Array, phi: Array, rng: np.random.Generator) -> Array:
    """By rejection (Devroye 1987, Computing 39:87): below φ = 1 the distribution is log-concave.

    With p its largest probability, or less, at m, ``P(m + k) ≤ p min(1, exp(1 + p/2 - p|k|))``.
    """
    mode = _mode(mu, phi)
    highest = _log_density(mode, mu, phi)
    p = 0.5 / np.sqrt(5 + 12 * mu * phi)  # the largest is above 1/sqrt(1 + 12 Var), if unimodal
    wide, y, left = 1 + p / 2, np.empty(mu.shape), np.arange(mu.size)
    while len(left):
        w, each = wide[left], p[left]
        uniform, sign = rng.uniform(size=len(left)), rng.choice([-1.0, 1.0], len(left))
        inside = rng.uniform(size=len(left)) <= w / (1 + w)
        distance = np.where(inside, uniform * w, w - np.log(uniform)) / each
        drawn = mode[left] + sign * np.round(distance)
        bound = np.minimum(0, w - each * distance)
        density = _log_density(drawn, mu[left], phi[left]) - highest[left]
        accepted = np.log(rng.uniform(size=len(left))) + bound <= density
        y[left[accepted]] = drawn[accepted]
        left = left[~accepted]
    return y


def _mode(mu: Array, phi: Array) -> Array:
    mode = np.floor(mu)
    for step in (-1.0, 1.0):
        here, moving = _log_density(mode, mu, phi), np.ones(mu.shape, bool)
        while moving.any():
            there = _log_density(mode + step, mu, phi)
            moving = there > here
            mode, here = np.where(moving, mode + step, mode), np.where(moving, there, here)
    return mode
