"""The continuous families: normal, t, gamma, beta, log-normal."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from glmmtools.families.base import Family, Limit
from glmmtools.families.special import (
    LOG_TWO_PI,
    log_excess,
    log_less_digamma,
    log_ratio,
    log_rising_excess,
    polygammas,
    stirling_error,
)
from glmmtools.shared.text import plural

# At this coefficient of variation a normal distribution puts 2.3 % below zero.
_SMALL_CV = 0.5


def _inside(draws, highest=1e300):
    """Draws that round to a bound, moved inside the support of the density."""
    return np.clip(draws, 1e-300, highest)


class Normal(Family):
    name, aliases, notation = "normal", ("gaussian",), r"\mathrm{N}(\mu, \sigma^2)"
    notation_text = "y ~ N(μ, σ²), φ = σ²"
    discrete, mean_interval = False, (-np.inf, np.inf)
    shape, links = ("phi",), ("identity", "log", "inverse")
    has_residual_variance = weights_divide_phi = True
    location_scale = phi_is_variance = normal_on_link_scale = log_concave = True
    variance_text = "φ (constant)"
    typical = "yield, weight, temperature"
    chart = ("measured", "far from bounds")
    scipy_text = "scipy.stats.norm(loc=μ, scale=√φ)"
    r_text = "gaussian(); sigma() = √φ"
    example: ClassVar = {"mu": 10.0, "phi": 4.0}
    elsewhere: ClassVar = {"statsmodels": "Gaussian", "bambi": "gaussian", "glmmTMB": "gaussian"}

    def variance(self, mu, phi=1.0):
        return np.ones_like(np.asarray(mu, float)) * phi

    def log_density(self, y, mu, phi=1.0):
        return -0.5 * (LOG_TWO_PI + np.log(phi) + (y - mu) ** 2 / phi)

    def mu_derivatives(self, y, mu, phi=1.0, order=3):
        residual = y - mu
        return residual / phi, -np.ones_like(residual) / phi, np.zeros_like(residual)

    def shape_derivatives(self, y, mu, phi=1.0):
        residual = y - mu
        return {
            "phi": (
                0.5 * (residual**2 / phi - 1),
                -residual / phi,
                np.ones_like(residual) / phi,
            )
        }

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        return stats.norm(loc=mu, scale=np.sqrt(phi))

    def sample(self, mu, rng, phi=1.0):
        return rng.normal(mu, np.sqrt(phi))

    def guessed_phi(self, y, mu, within, link, trials=1):
        return _guessed_variance(y, mu, within, link)

    def suits(self, y):
        doubt = _doubt_of_real_line(y)
        if doubt:
            return False, doubt
        far = f"; far from 0 (coefficient of variation {y.std() / y.mean():.2f})"
        return True, "one constant variance" + (far if y.min() >= 0 else "")


def _guessed_variance(y, mu, within, link):
    return within if link.is_identity else max(float(np.mean((y - mu) ** 2)), 1e-12)


def _doubt_of_real_line(y):
    """What speaks against a distribution over the whole line; empty if nothing does."""
    if y.min() >= 0 and y.max() <= 1:
        return "it predicts below 0 and above 1, if these are bounds"
    if y.min() >= 0 and y.std() > _SMALL_CV * y.mean():
        return "all values are at or above 0: it predicts negative ones"
    return ""


class StudentT(Family):
    name, aliases, notation = "t", ("student", "t_family"), r"t_{\nu}(\mu, \phi)"
    notation_text = "y ~ t(μ, φ, ν): (y − μ)/√φ has Student's t with ν degrees of freedom"
    title = "Student's t"
    discrete, mean_interval = False, (-np.inf, np.inf)
    shape, links = ("phi", "df"), ("identity", "log", "inverse")
    location_scale = phi_is_variance = True
    limit = Limit("df", np.inf, Normal())
    variance_text = "φ ν/(ν − 2) for ν > 2"
    mean_text = "μ for ν > 1"
    typical = "a measurement with outliers"
    chart = ("measured", "far from bounds")
    scipy_text = "scipy.stats.t(df=ν, loc=μ, scale=√φ)"
    r_text = "glmmTMB::t_family(); sigma() = √φ"
    example: ClassVar = {"mu": 10.0, "phi": 4.0, "df": 4.0}
    elsewhere: ClassVar = {"bambi": "t", "glmmTMB": "t_family"}

    def __init__(self, df: float | None = None):
        if df is not None:
            if not df > 0:
                raise ValueError(f"the degrees of freedom of t must be above 0; got {df!r}")
            self.shape, self.fixed = ("phi",), {"df": float(df)}

    def _df(self, df):
        return self.fixed.get("df", 8.0) if df is None else df

    def variance(self, mu, phi=1.0, df=None):
        phi, df = np.asarray(phi, float), np.asarray(self._df(df), float)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(df > 2, df / (df - 2), np.where(df > 1, np.inf, np.nan))
        return np.ones_like(np.asarray(mu, float)) * phi * factor

    def log_density(self, y, mu, phi=1.0, df=None):
        df = self._df(df)
        return (
            log_rising_excess(np.asarray(df, float) / 2, 0.5)
            - 0.5 * (LOG_TWO_PI + np.log(phi))
            - (df + 1) / 2 * np.log1p((y - mu) ** 2 / (df * phi))
        )

    def mu_derivatives(self, y, mu, phi=1.0, df=None, order=3):
        df = self._df(df)
        residual, scale = y - mu, df * phi
        square = residual**2
        total = scale + square
        return (
            (df + 1) * residual / total,
            (df + 1) * (square - scale) / total**2,
            2 * (df + 1) * residual * (square - 3 * scale) / total**2 / total,
        )

    def shape_derivatives(self, y, mu, phi=1.0, df=None):
        df = self._df(df)
        residual, scale = y - mu, df * phi
        square = residual**2
        total = scale + square
        part = square / total
        found = {
            "phi": (
                0.5 * (df * (square - phi) / total),
                -(df + 1) * residual * scale / total**2,
                (df + 1) * scale * (scale - 3 * square) / total**2 / total,
            ),
            "df": (
                0.5 * (_half_step(df) + df * log_excess(scale / total, -part) + part),
                df * residual * (square - phi) / total**2,
                df * (square**2 - 3 * (df + 1) * phi * square + df * phi**2) / total**2 / total,
            ),
        }
        return {name: found[name] for name in self.shape}

    def distribution(self, mu, phi=1.0, df=None):
        from scipy import stats

        return stats.t(df=self._df(df), loc=mu, scale=np.sqrt(phi))

    def sample(self, mu, rng, phi=1.0, df=None):
        mu, df = np.asarray(mu, float), self._df(df)
        return mu + np.sqrt(phi) * rng.standard_t(df, np.broadcast(mu, phi, df).shape)

    def guessed_phi(self, y, mu, within, link, trials=1):
        return 0.75 * _guessed_variance(y, mu, within, link)

    def suits(self, y):
        doubt = _doubt_of_real_line(y)
        if doubt:
            return False, doubt
        spread = np.median(np.abs(y - np.median(y))) / 0.6745
        far = int(np.sum(np.abs(y - np.median(y)) > 4 * spread)) if spread > 0 else 0
        seen = f"{plural(far, 'value')} more than 4 robust SD from the median"
        return True, f"as the normal, but for outliers: {seen if far else 'none seen'}"


def _half_step(df):
    """``df (ψ((df + 1)/2) - ψ(df/2)) - 1``, about 1/(2 df)."""
    x = np.asarray(df, float) / 2
    return 2 * x * (
        log_excess(1 + 0.5 / x, 0.5 / x) + log_less_digamma(x) - log_less_digamma(x + 0.5)
    )  # fmt: skip


class Gamma(Family):
    name, aliases, notation = "gamma", ("Gamma",), r"\mathrm{Gamma}(\mu, \phi)"
    notation_text = "y ~ Gamma(μ, φ)"
    discrete, mean_interval = False, (0.0, np.inf)
    shape, links = ("phi",), ("log", "inverse", "identity")
    phi_is_variance = log_concave = True
    variance_text = "φ μ² (constant coefficient of variation √φ)"
    typical = "time, concentration, cost, biomass"
    chart = ("measured", "above 0")
    scipy_text = "scipy.stats.gamma(a=1/φ, scale=φμ)"
    r_text = 'Gamma(link="log"); glmmTMB sigma() = √φ'
    example: ClassVar = {"mu": 3.0, "phi": 0.3}
    slip = "Zeros or differences? Gamma needs positive values; family='normal' allows any"
    hint = "all values above 0; the standard deviation grows with the mean"
    elsewhere: ClassVar = {
        "statsmodels": "Gamma", "bambi": "gamma", "glmmTMB": "Gamma",
        "glmmTMB, with zeros": "ziGamma",
    }  # fmt: skip

    def variance(self, mu, phi=1.0):
        return phi * np.asarray(mu, float) ** 2

    def log_density(self, y, mu, phi=1.0):
        k = 1 / np.asarray(phi, float)
        return (
            k * log_excess(y / mu, (y - mu) / mu)
            + 0.5 * (np.log(k) - LOG_TWO_PI)
            - stirling_error(k)
            - np.log(y)
        )

    def mu_derivatives(self, y, mu, phi=1.0, order=3):
        k, ratio = 1 / np.asarray(phi, float), y / mu
        return (
            k * (y - mu) / mu / mu,
            k * (1 - 2 * ratio) / mu**2,
            k * (6 * ratio - 2) / mu**2 / mu,
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        k = 1 / np.asarray(phi, float)
        d1, d2, _ = self.mu_derivatives(y, mu, phi)
        by_k = log_less_digamma(k) + log_excess(y / mu, (y - mu) / mu)
        return {"phi": (-k * by_k, -d1, -d2)}

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        return stats.gamma(a=1 / np.asarray(phi, float), scale=phi * np.asarray(mu, float))

    def sample(self, mu, rng, phi=1.0):
        return _inside(rng.gamma(1 / np.asarray(phi, float), phi * np.asarray(mu, float)))


class Beta(Family):
    name, aliases, notation = "beta", ("beta_family",), r"\mathrm{Beta}(\mu, \phi)"
    notation_text = "y ~ Beta(μ, φ)"
    discrete, mean_interval = False, (0.0, 1.0)
    log_concave = takes_rest = True
    shape, links = ("phi",), ("logit", "probit", "cloglog", "log")
    variance_text = "μ(1 − μ)/(1 + φ) (a larger φ means a smaller variance)"
    typical = "a proportion that is not a count out of a total: cover, yield fraction"
    chart = ("measured", "between 0 and 1")
    scipy_text = "scipy.stats.beta(a=μφ, b=(1 − μ)φ)"
    r_text = "glmmTMB::beta_family(); sigma() = φ"
    example: ClassVar = {"mu": 0.3, "phi": 10.0}
    slip = "Proportions out of a known total? Use prop(successes, trials) with family='binomial'"
    hint = "all values between 0 and 1: if both are bounds, and no total is known"
    elsewhere: ClassVar = {"bambi": "beta", "glmmTMB": "beta_family"}
    phi_of_sigma = 1

    def variance(self, mu, phi=1.0):
        mu = np.asarray(mu, float)
        return mu * (1 - mu) / (1 + phi)

    def log_density(self, y, mu, phi=1.0, rest=None):
        rest = 1 - mu if rest is None else rest
        a, b = mu * phi, rest * phi
        return (
            a * log_excess(y / mu, _excess(y, mu, rest) / mu)
            + b * log_excess((1 - y) / rest, -_excess(y, mu, rest) / rest)
            + stirling_error(phi) - stirling_error(a) - stirling_error(b)
            + 0.5 * (np.log(a) + np.log(rest) - LOG_TWO_PI)
            - np.log(y) - np.log1p(-y)
        )  # fmt: skip

    def mu_derivatives(self, y, mu, phi=1.0, rest=None, order=3):
        rest = 1 - mu if rest is None else rest
        (less_a, less_b), (a1, b1), *third = _beta_polygammas(mu, rest, phi, order - 1)
        return (
            phi * (_log_odds_ratio(y, mu, rest) + less_a - less_b),
            -(phi**2) * (a1 + b1),
            -(phi**3) * (third[0][0] - third[0][1]) if third else None,
        )

    def shape_derivatives(self, y, mu, phi=1.0, rest=None):
        rest = 1 - mu if rest is None else rest
        a, b = mu * phi, rest * phi
        (less_a, less_b), (a1, b1), (a2, b2) = _beta_polygammas(mu, rest, phi, 2)
        value = (
            mu * (less_a + log_excess(y / mu, _excess(y, mu, rest) / mu))
            + rest * (less_b + log_excess((1 - y) / rest, -_excess(y, mu, rest) / rest))
            - log_less_digamma(phi)
        )
        first = _log_odds_ratio(y, mu, rest) + less_a - less_b - (a * a1 - 1) + (b * b1 - 1)
        second = -2 * phi * (a1 + b1) - phi**2 * (mu * a2 + rest * b2)
        return {"phi": (phi * value, phi * first, phi * second)}

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        mu = np.asarray(mu, float)
        return stats.beta(mu * phi, (1 - mu) * phi)

    def sample(self, mu, rng, phi=1.0):
        mu = np.asarray(mu, float)
        return _inside(rng.beta(mu * phi, (1 - mu) * phi), 1 - 2**-53)

    def guessed_phi(self, y, mu, within, link, trials=1):
        phi = np.mean(mu * (1 - mu)) / max(np.mean((y - mu) ** 2), 1e-12) - 1
        return np.clip(phi, 1.0, 1e4)

    def phi_limits(self, variance):
        return 0.0, 4 / variance

    def why_impossible(self, values):
        reason = super().why_impossible(values)
        bounded = values.y.min() >= 0 and values.y.max() <= 1 and not values.binary
        return f"{reason}. Out of a known total? Give trials=" if reason and bounded else reason


def _beta_polygammas(mu, rest, phi, order):
    """For each order that of μφ and that of (1 - μ)φ."""
    return polygammas(np.stack(np.broadcast_arrays(mu * phi, rest * phi)), order)


def _excess(y, mu, rest):
    """``y - mu``, with all digits also where both are nearly 1."""
    return np.where(mu < 0.5, y - mu, rest - (1 - y))


def _log_odds_ratio(y, mu, rest):
    """``logit(y) - logit(mu)``"""
    return log_ratio(y * rest / (mu * (1 - y)), _excess(y, mu, rest) / (mu * (1 - y)))


class LogNormal(Family):
    name, notation = "lognormal", r"\mathrm{LogNormal}(\mu, \phi)"
    notation_text = "log(y) ~ N(log μ − φ/2, φ)"
    title = "log-normal"
    discrete, mean_interval = False, (0.0, np.inf)
    shape, links = ("phi",), ("log", "identity")
    phi_is_variance = normal_on_link_scale = log_concave = True
    variance_text = "μ²(exp(φ) − 1)"
    typical = "a positive response whose logarithm is normal"
    chart = ("measured", "above 0")
    scipy_text = "scipy.stats.lognorm(s=√φ, scale=μ exp(−φ/2))"
    r_text = "a normal model of log(y), its intercept raised by φ/2"
    example: ClassVar = {"mu": 3.0, "phi": 0.3}
    slip = "Zeros or differences? A log-normal needs positive values"
    hint = "all values above 0; log(y) symmetric"

    def variance(self, mu, phi=1.0):
        with np.errstate(over="ignore"):
            return np.asarray(mu, float) ** 2 * np.expm1(phi)

    def log_density(self, y, mu, phi=1.0):
        residual = log_ratio(y / mu, (y - mu) / mu) + phi / 2
        return -np.log(y) - 0.5 * (LOG_TWO_PI + np.log(phi) + residual**2 / phi)

    def mu_derivatives(self, y, mu, phi=1.0, order=3):
        residual = log_ratio(y / mu, (y - mu) / mu) + phi / 2
        return (
            residual / (phi * mu),
            -(1 + residual) / (phi * mu**2),
            (3 + 2 * residual) / (phi * mu**2) / mu,
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        residual = log_ratio(y / mu, (y - mu) / mu) + phi / 2
        return {
            "phi": (
                0.5 * (residual**2 / phi - residual - 1),
                (0.5 - residual / phi) / mu,
                (1 / phi - 0.5 + residual / phi) / mu**2,
            )
        }

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        return stats.lognorm(
            s=np.sqrt(phi), scale=np.asarray(mu, float) * np.exp(-np.asarray(phi) / 2)
        )

    def sample(self, mu, rng, phi=1.0):
        return _inside(rng.lognormal(np.log(mu) - np.asarray(phi) / 2, np.sqrt(phi)))
