"""The families of counts and of successes out of trials."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import special

from glmmtools.families.base import Array, Family, Limit
from glmmtools.families.special import (
    LOG_TWO_PI,
    log_excess,
    log_less_digamma,
    log_ratio,
    log_rising_excess,
    polygamma_steps,
    stirling_error,
)

_UNDERFLOW = 1e-290  # of a probability: its logarithm alone has digits
MOST = 1e18  # beyond, a count does not fit into an integer


def _not_count(y: Array) -> Array:
    return (y < 0) | (np.abs(y - np.round(y)) > 1e-8)


def _log_binomial(y, trials, log_mu, log_rest, probabilities):
    """Log-probability of `y` successes of independent trials.

    `probabilities` returns mu and 1 - mu; no one asks for them of single trials.
    """
    y, trials = np.asarray(y, float), np.asarray(trials, float)
    failures = trials - y
    ends = trials * np.where(y == 0, log_rest, log_mu)
    inside = (y > 0) & (failures > 0)
    if not np.any(inside):  # single trials, the commonest data: nothing else is needed
        return ends
    mu, rest = probabilities()
    some, others, excess = (
        np.where(inside, y, 1.0),
        np.where(inside, failures, 1.0),
        y - trials * mu,
    )
    inner = (
        some * log_excess(trials * mu / some, -excess / some)
        + others * log_excess(trials * rest / others, excess / others)
        + stirling_error(trials) - stirling_error(some) - stirling_error(others)
        + 0.5 * (np.log(trials / (some * others)) - LOG_TWO_PI)
    )  # fmt: skip
    hopeless = np.minimum(mu, rest) < _UNDERFLOW
    if np.any(hopeless & inside):
        coefficient = -special.betaln(some + 1, others + 1) - np.log1p(trials)
        inner = np.where(hopeless, some * log_mu + others * log_rest + coefficient, inner)
    return np.where(inside, inner, ends)


def _log_binomial_at(mu, y, trials, rest=None):
    """As `_log_binomial`, where means are known."""
    mu = np.asarray(mu, float)
    # scipy's logarithm of zero is -inf without a warning
    log_rest = special.xlog1py(1.0, -mu) if rest is None else special.xlogy(1.0, rest)
    rest = 1 - mu if rest is None else rest
    return _log_binomial(y, trials, special.xlogy(1.0, mu), log_rest, lambda: (mu, rest))


def _log_negative_binomial(y, mu, phi):
    """Log-probability of a count with variance ``mu + phi mu²``."""
    y, mu, phi = np.asarray(y, float), np.asarray(mu, float), np.asarray(phi, float)
    if not np.any(y > 0):
        return -np.log1p(phi * mu) / phi
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
    takes_trials = takes_rest = log_concave = True
    mean_text = "N μ, μ the probability of a success (also written π)"
    slip = "Successes out of a total? Use prop(successes, trials)"
    ends, chart = "successes from failures", ("counted", "known total")

    def link_variance(self, link, mu, **shape):
        if link.latent_variance is None:
            return super().link_variance(link, mu, **shape)
        return link.latent_variance + link.variance_of(mu, self.probability_variance(mu, **shape))

    def probability_variance(self, mu, **shape):
        """Variance of the probability of a success, from which the trials of a row are drawn."""
        return 0.0

    def outside_support(self, y, trials=None):
        trials = np.ones_like(y) if trials is None else trials
        return _not_count(y) | (y > trials) | ~np.isfinite(y)

    def why_impossible(self, values):
        trials = np.ones_like(values.y) if values.trials is None else values.trials
        marked = self.outside_support(values.y, trials)
        if values.trials is None and not values.binary:
            above = marked | (values.y > 1)
            return f"{values.at(above)}; {self.name} needs successes out of a known total (trials=)"
        if marked.any():
            total = trials[int(marked.argmax())]
            return f"{values.at(marked)} of {total:g} trials; {self.name} needs y = 0, 1, …, N"
        if values.binary and self.shape:
            return "with one trial each it is the binomial: φ cannot be estimated"
        return ""

    def verdict(self, values):
        y, trials = values.y, values.trials
        if values.binary:
            return True, "y is one of two values: one trial each; the choice left is the link"
        share = y.sum() / trials.sum()
        expected = trials * share * (1 - share)
        varies = share * (1 - share) > 0
        ratio = np.mean((y - trials * share) ** 2) / np.mean(expected) if varies else 1.0
        seen = f"variance {ratio:.1f} times the binomial's around one common probability"
        return True, f"{self.hint}; {seen}"


class Binomial(_Successes):
    name, notation = "binomial", r"\mathrm{Binomial}(N, \mu)"
    notation_text = "y ~ Binomial(N, μ)"
    links = ("logit", "probit", "cloglog", "log", "identity")
    variance_text = "N μ(1 − μ)"
    typical = "germinated of sown, infected of tested, yes or no (N = 1)"
    scipy_text = "scipy.stats.binom(n=N, p=μ)"
    r_text = "binomial()"
    example: ClassVar = {"mu": 0.3, "trials": 10}
    hint = "successes out of known totals"
    elsewhere: ClassVar = {"statsmodels": "Binomial", "bambi": "binomial", "glmmTMB": "binomial"}

    def variance(self, mu, trials=1):
        mu = np.asarray(mu, float)
        return trials * mu * (1 - mu)

    def log_density(self, y, mu, trials=1):
        return _log_binomial_at(mu, y, trials)

    def eta_log_density(self, y, eta, link, trials=1):
        if not link.is_of_probability:
            return super().eta_log_density(y, eta, link, trials=trials)
        log_mu, log_rest = link.log_means(eta)
        return _log_binomial(
            y, trials, log_mu, log_rest, lambda: (link.inverse(eta), np.exp(log_rest))
        )

    def mu_derivatives(self, y, mu, trials=1, order=3):
        failures, rest = trials - y, 1 - mu
        return (
            (y * rest - failures * mu) / (mu * rest),
            -y / mu**2 - failures / rest**2,
            2 * y / mu**2 / mu - 2 * failures / rest**2 / rest,
        )

    def eta_derivatives(self, y, eta, link, trials=1, order=3):
        if not link.is_of_probability:
            return super().eta_derivatives(y, eta, link, order=order, trials=trials)
        success, failure = link.log_derivatives(eta)
        if success[1] is failure[1]:  # the logit: they differ by eta itself
            return y + trials * failure[0], trials * success[1], trials * success[2]
        return tuple(
            y * up + (trials - y) * down for up, down in zip(success, failure, strict=True)
        )

    def distribution(self, mu, trials=1):
        from scipy import stats

        return stats.binom(trials, mu)

    def sample(self, mu, rng, trials=1):
        return rng.binomial(np.asarray(trials, int), mu)


class BetaBinomial(_Successes):
    name, aliases = "betabinomial", ("beta_binomial",)
    notation = r"\mathrm{BetaBinomial}(N, \mu, \phi)"
    title = "beta-binomial"
    notation_text = "y ~ BetaBinomial(N, μ, φ)"
    limit = Limit("phi", np.inf, Binomial())
    shape, links = ("phi",), ("logit", "probit", "cloglog", "log")
    variance_text = "N μ(1 − μ)(φ + N)/(φ + 1) (a larger φ means a smaller variance)"
    typical = "successes out of trials that vary more than binomial counts: litters, plates"
    scipy_text = "scipy.stats.betabinom(n=N, a=μφ, b=(1 − μ)φ)"
    r_text = "glmmTMB::betabinomial(); sigma() = φ"
    example: ClassVar = {"mu": 0.3, "phi": 4.0, "trials": 10}
    hint = "if more than binomial variance remains after the predictors"
    elsewhere: ClassVar = {"bambi": "beta_binomial", "glmmTMB": "betabinomial"}
    phi_of_sigma = 1

    def variance(self, mu, phi=1.0, trials=1):
        mu = np.asarray(mu, float)
        return trials * mu * (1 - mu) * (phi + trials) / (phi + 1)

    def probability_variance(self, mu, phi=1.0):
        return mu * (1 - mu) / (1 + phi)

    def log_density(self, y, mu, phi=1.0, trials=1, rest=None):
        failure = 1 - mu if rest is None else rest
        # times the binomial, to which it tends as phi grows
        return _log_binomial_at(mu, y, trials, rest) + (
            log_rising_excess(mu * phi, y)
            + log_rising_excess(failure * phi, trials - y)
            - log_rising_excess(phi, trials)
        )

    def _steps(self, order, y, mu, rest, phi, trials):
        """Rises of ψ, ψ' and ψ'' from a = μφ to a + y, and from b to b + trials - y."""
        parts = np.broadcast_arrays(mu * phi, rest * phi, y, trials - y)
        x, rise = np.stack(parts[:2]), np.stack(parts[2:]).astype(float)
        first, *others = polygamma_steps(x, rise, order)
        return [first + np.log1p(rise / x), *others]

    def mu_derivatives(self, y, mu, phi=1.0, trials=1, rest=None, order=3):
        rest = 1 - mu if rest is None else rest
        (a0, b0), (a1, b1), *third = self._steps(order - 1, y, mu, rest, phi, trials)
        return (
            phi * (a0 - b0),
            phi**2 * (a1 + b1),
            phi**3 * (third[0][0] - third[0][1]) if third else None,
        )

    def shape_derivatives(self, y, mu, phi=1.0, trials=1, rest=None):
        rest = 1 - mu if rest is None else rest
        (a0, b0), (a1, b1), (a2, b2) = self._steps(2, y, mu, rest, phi, trials)
        total = polygamma_steps(phi, trials, 0)[0] + np.log1p(trials / phi)
        value = mu * a0 + rest * b0 - total
        first = a0 - b0 + phi * (mu * a1 - rest * b1)
        second = 2 * phi * (a1 + b1) + phi**2 * (mu * a2 + rest * b2)
        return {"phi": (phi * value, phi * first, phi * second)}

    def distribution(self, mu, phi=1.0, trials=1):
        from scipy import stats

        mu = np.asarray(mu, float)
        return stats.betabinom(trials, mu * phi, (1 - mu) * phi)

    def sample(self, mu, rng, phi=1.0, trials=1):
        mu = np.asarray(mu, float)
        return rng.binomial(np.asarray(trials, int), rng.beta(mu * phi, (1 - mu) * phi))

    def guessed_phi(self, y, mu, within, link, trials=1):
        excess = np.mean((y - trials * mu) ** 2 / (trials * mu * (1 - mu))) - 1
        share = np.clip(excess / max(np.mean(trials) - 1, 1e-9), 0.02, 0.5)
        return 1 / share - 1


class Count(Family):
    """What the families for counts without an upper limit share."""

    counts = log_concave = True
    discrete, mean_interval = True, (0.0, np.inf)
    links = ("log", "identity")
    slip = "A rate? Model the count, with offset(log(exposure))"

    def outside_support(self, y, trials=None):
        return _not_count(y) | ~np.isfinite(y)

    def ratio_name(self, link):
        return "rate ratio" if link.is_log else link.ratio

    def verdict(self, values):
        rare = values.trials is not None and np.all(values.y <= 0.1 * values.trials)
        if rare and not values.binary:
            return True, "few successes out of many trials; log(trials) as offset"
        return super().verdict(values)


class Poisson(Count):
    name, title, notation = "poisson", "Poisson", r"\mathrm{Poisson}(\mu)"
    notation_text = "y ~ Poisson(μ)"
    variance_text = "μ"
    typical = "counts of rare, independent events: colonies on a dish, mutations in a gene"
    chart = ("counted", "no total", "variance = mean")
    scipy_text = "scipy.stats.poisson(mu=μ)"
    r_text = "poisson()"
    example: ClassVar = {"mu": 4.0}
    elsewhere: ClassVar = {"statsmodels": "Poisson", "bambi": "poisson", "glmmTMB": "poisson"}

    def variance(self, mu):
        return np.asarray(mu, float) * 1.0

    def log_density(self, y, mu):
        y = np.asarray(y, float)
        if not np.any(y > 0):
            return -np.asarray(mu, float)
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

    def suits(self, y):
        mean, ratio = y.mean(), y.var(ddof=1) / y.mean() if len(y) > 1 and y.mean() > 0 else 1.0
        zeros, expected = np.mean(y == 0), np.exp(-mean)
        more = f"; zeros {zeros:.0%}, at this mean {expected:.0%}" if zeros > expected else ""
        seen = f"here {ratio:.1f} times the mean, over all rows"
        return True, f"counts; variance = mean ({seen}){more}"


class NegativeBinomial(Count):
    name, aliases = "negative_binomial", ("nbinom2", "nb2", "negativebinomial")
    notation = r"\mathrm{NegBinomial}(\mu, \phi)"
    title = "negative binomial"
    notation_text = "y ~ NB2(μ, φ)"
    shape, limit = ("phi",), Limit("phi", 0.0, Poisson())
    variance_text = "μ + φ μ²"
    typical = "counts that cluster: weeds, ticks, seizures"
    chart = ("counted", "no total", "variance > mean")
    scipy_text = "scipy.stats.nbinom(n=1/φ, p=1/(1 + φμ))"
    r_text = "glmmTMB::nbinom2(), MASS::negative.binomial; theta = sigma() = 1/φ"
    example: ClassVar = {"mu": 4.0, "phi": 0.5}
    hint = "counts that cluster; variance μ + φμ²"
    elsewhere: ClassVar = {"bambi": "negativebinomial", "glmmTMB": "nbinom2"}
    phi_of_sigma = -1

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
            2 * (ratio / mu**2 * (1 + 3 * product + 3 * product**2) - phi**2) * shrink**2 * shrink,
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

    def guessed_phi(self, y, mu, within, link, trials=1):
        return np.clip(np.mean((y - mu) ** 2 - mu) / np.mean(mu**2), 0.05, 2.0)


class NegativeBinomial1(Count):
    name, aliases = "nbinom1", ("nb1", "negative_binomial_1")
    notation = r"\mathrm{NegBinomial1}(\mu, \phi)"
    title = "NB1"
    notation_text = "y ~ NB1(μ, φ)"
    shape, limit = ("phi",), Limit("phi", 0.0, Poisson())
    variance_text = "μ(1 + φ)"
    typical = "counts whose variance is a constant multiple of the mean"
    chart = ("counted", "no total", "variance > mean")
    scipy_text = "scipy.stats.nbinom(n=μ/φ, p=1/(1 + φ))"
    r_text = "glmmTMB::nbinom1(); sigma() = φ"
    example: ClassVar = {"mu": 4.0, "phi": 1.0}
    hint = "counts that cluster; variance (1 + φ)μ"
    elsewhere: ClassVar = {"glmmTMB": "nbinom1"}
    phi_of_sigma = 1

    def variance(self, mu, phi=1.0):
        return np.asarray(mu, float) * (1 + phi)

    def log_density(self, y, mu, phi=1.0):
        return _log_negative_binomial(y, mu, phi / np.asarray(mu, float))

    def _parts(self, y, mu, phi, order):
        """``(μ + φy)/(μ(1 + φ))``, that less 1, and the rises of the polygammas from μ/φ by y."""
        excess = phi / (1 + phi) * ((y - mu) / mu)
        return (1 + phi * (y / mu)) / (1 + phi), excess, polygamma_steps(mu / phi, y, order)

    def mu_derivatives(self, y, mu, phi=1.0, order=3):
        ratio, difference, (less, *others) = self._parts(y, mu, phi, order - 1)
        return (
            (log_ratio(ratio, difference) + less) / phi,
            others[0] / phi**2,
            others[1] / phi**3 if order > 2 else None,
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        size = mu / phi
        ratio, difference, (less, second, third) = self._parts(y, mu, phi, 2)
        return {
            "phi": (
                -size * (log_excess(ratio, difference) + less),
                -(log_ratio(ratio, difference) + less + size * second) / phi - 1 / (1 + phi),
                -(2 * second + size * third) / phi**2,
            )
        }

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        return stats.nbinom(np.asarray(mu, float) / phi, 1 / (1 + np.asarray(phi, float)))

    def sample(self, mu, rng, phi=1.0):
        return rng.poisson(np.minimum(rng.gamma(np.asarray(mu, float) / phi, phi), MOST))

    def guessed_phi(self, y, mu, within, link, trials=1):
        return np.clip(np.mean((y - mu) ** 2 / mu) - 1, 0.2, 20.0)
