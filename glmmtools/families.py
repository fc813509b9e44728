"""Response distributions: one `Family` object each, the only place that knows their formulas.

Every family is written with the mean ``mu`` and, where it has one, a dispersion ``phi``, in the
convention of Stroup (2012, *Generalized Linear Mixed Models*, ch. 2): ``phi`` enters the variance as
the card of the family says. Engines, plots, simulators and residuals read these objects.

Derivatives of the log-density with respect to ``mu`` (three orders), and of those with respect to the
*logarithm* of each shape parameter, are exact; `Family.eta_derivatives` carries them to the linear
predictor by the chain rule.

>>> gamma = family("gamma")
>>> float(gamma.variance(mu=2.0, phi=0.5))
2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from glmmtools._text import nearest
from glmmtools.links import Link, link

__all__ = ["FAMILIES", "Family", "family"]

Array = np.ndarray
LOG_TWO_PI = np.log(2 * np.pi)


@dataclass(frozen=True)
class Card:
    """What a learner needs to know of one distribution; prints as text, shows as a table."""

    title: str
    rows: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        width = max(len(key) for key, _ in self.rows)
        return "\n".join([self.title, *(f"  {key:<{width}}  {text}" for key, text in self.rows)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{key}</th>'
            f'<td style="text-align:left">{text}</td></tr>'
            for key, text in self.rows
        )
        return f"<table><caption><b>{self.title}</b></caption>{rows}</table>"


class Family:
    """A response distribution with mean ``mu`` and shape parameters.

    Class attributes
    ----------------
    name, aliases : the names that :func:`glmmtools.fit` accepts.
    notation : the LaTeX of "y is distributed as".
    shape : names of the parameters beyond ``mu`` (``"phi"``; for t also ``"df"``).
    takes_trials : whether the density depends on a known number of trials.
    mean_interval : open interval of possible means (of ``mu``, a probability for binomial families).
    links : allowed links, the default first.
    """

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    notation: ClassVar[str]
    discrete: ClassVar[bool]
    support: ClassVar[str]
    mean_interval: ClassVar[tuple[float, float]]
    shape: ClassVar[tuple[str, ...]] = ()
    takes_trials: ClassVar[bool] = False
    links: ClassVar[tuple[str, ...]]
    mean_text: ClassVar[str] = "μ"
    variance_text: ClassVar[str]
    typical: ClassVar[str]
    scipy_text: ClassVar[str]
    r_text: ClassVar[str]

    @property
    def default_link(self) -> Link:
        return link(self.links[0])

    def check_link(self, name: str | Link | None) -> Link:
        """Return the link of that name, or raise ValueError if the family does not allow it."""
        chosen = self.default_link if name is None else link(name)
        if chosen.name not in self.links:
            raise ValueError(
                f"{self.name} does not go with the {chosen.name} link: the mean must lie in "
                f"{_interval(self.mean_interval)}. Valid links: {', '.join(self.links)}"
            )
        return chosen

    def outside_support(self, y: Array, trials: Array | None = None) -> Array:
        """Return a boolean array that marks impossible values of `y`."""
        raise NotImplementedError

    def mean(self, mu, trials=1):
        """Return E(y): ``mu``, or ``trials * mu`` for a number of successes."""
        return np.asarray(mu, float) * trials if self.takes_trials else np.asarray(mu, float)

    def variance(self, mu, **shape):
        """Return Var(y) at mean `mu`; shape parameters (and trials) by name."""
        raise NotImplementedError

    def log_density(self, y, mu, **shape):
        """Return the log-density (log-probability) of `y`; arrays broadcast."""
        raise NotImplementedError

    def mu_derivatives(self, y, mu, **shape) -> tuple[Array, Array, Array]:
        """Return the first three derivatives of the log-density with respect to ``mu``."""
        raise NotImplementedError

    def shape_derivatives(self, y, mu, **shape) -> dict[str, tuple[Array, Array, Array]]:
        """Derivatives with respect to the log of each shape parameter.

        For each name: those of the log-density, of its first and of its second derivative in mu.
        """
        return {}

    def distribution(self, mu, **shape):
        """Return the frozen `scipy.stats` distribution with these parameters."""
        raise NotImplementedError

    def sample(self, mu, rng: np.random.Generator, **shape) -> Array:
        """Draw one value for each mean (arrays broadcast)."""
        raise NotImplementedError

    def cdf(self, y, mu, **shape):
        return self.distribution(mu, **shape).cdf(y)

    def quantile(self, probability, mu, **shape):
        return self.distribution(mu, **shape).ppf(probability)

    def eta_derivatives(self, y, eta, link: Link, **shape) -> tuple[Array, Array, Array]:
        """First three derivatives of the log-density with respect to the linear predictor."""
        return _chain(self.mu_derivatives(y, self.clipped_mean(eta, link), **shape), eta, link)

    def shape_eta_derivatives(self, y, eta, link: Link, **shape) -> dict[str, tuple]:
        """As `shape_derivatives`, with derivatives in eta in place of mu."""
        slope, curve, _ = link.derivatives(eta)
        by_mu = self.shape_derivatives(y, self.clipped_mean(eta, link), **shape)
        return {
            name: (value, d1 * slope, d2 * slope**2 + d1 * curve)
            for name, (value, d1, d2) in by_mu.items()
        }

    def clipped_mean(self, eta, link: Link) -> Array:
        """Return the inverse link, kept strictly inside `mean_interval` against rounding."""
        mu = link.inverse(eta)
        low, high = self.mean_interval
        if low == -np.inf:
            return mu
        return np.clip(mu, 1e-300 if high == np.inf else 1e-15, 1e300 if high == np.inf else 1 - 1e-15)

    def card(self) -> Card:
        """Return the card of the family: notation, support, mean, variance, links, conversions."""
        return Card(
            self.name,
            (
                ("notation", self.notation_text),
                ("y is", "discrete" if self.discrete else "continuous"),
                ("support", self.support),
                ("E(y)", self.mean_text),
                ("Var(y)", self.variance_text),
                ("default link", self.links[0]),
                ("other links", ", ".join(self.links[1:]) or "none"),
                ("typical", self.typical),
                ("in SciPy", self.scipy_text),
                ("in R", self.r_text),
            ),
        )

    notation_text: ClassVar[str]

    def __repr__(self) -> str:
        return str(self.card())

    def _repr_html_(self) -> str:
        return self.card()._repr_html_()


def _interval(bounds: tuple[float, float]) -> str:
    low, high = ("−∞" if bounds[0] == -np.inf else f"{bounds[0]:g}", f"{bounds[1]:g}")
    return f"({low}, {high.replace('inf', '∞')})"


def _chain(by_mu, eta, link: Link):
    d1, d2, d3 = by_mu
    slope, curve, third = link.derivatives(eta)
    return (
        d1 * slope,
        d2 * slope**2 + d1 * curve,
        d3 * slope**3 + 3 * d2 * slope * curve + d1 * third,
    )


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


def _log_rising(x, y):
    """``gammaln(x + y) - gammaln(x)`` for counts y, without cancellation at large x."""
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    return np.where(y == 0, 0.0, special.gammaln(np.maximum(y, 1)) - special.betaln(x, np.maximum(y, 1)))


class Normal(Family):
    name, aliases, notation = "normal", ("gaussian",), r"\mathrm{N}(\mu, \sigma^2)"
    notation_text = "y ~ N(μ, σ²), φ = σ²"
    discrete, support, mean_interval = False, "−∞ < y < ∞", (-np.inf, np.inf)
    shape, links = ("phi",), ("identity", "log", "inverse")
    variance_text = "φ (constant)"
    typical = "yield, weight, temperature"
    scipy_text = "scipy.stats.norm(loc=μ, scale=√φ)"
    r_text = "gaussian(); sigma() = √φ"

    def outside_support(self, y, trials=None):
        return ~np.isfinite(y)

    def variance(self, mu, phi=1.0):
        return np.ones_like(np.asarray(mu, float)) * phi

    def log_density(self, y, mu, phi=1.0):
        return -0.5 * (LOG_TWO_PI + np.log(phi) + (y - mu) ** 2 / phi)

    def mu_derivatives(self, y, mu, phi=1.0):
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


class StudentT(Family):
    name, aliases, notation = "t", ("student", "t_family"), r"t_{\nu}(\mu, \phi)"
    notation_text = "y ~ t(μ, φ, ν): (y − μ)/√φ has Student's t with ν degrees of freedom"
    discrete, support, mean_interval = False, "−∞ < y < ∞", (-np.inf, np.inf)
    shape, links = ("phi", "df"), ("identity", "log", "inverse")
    variance_text = "φ ν/(ν − 2) for ν > 2"
    mean_text = "μ for ν > 1"
    typical = "a measurement with outliers"
    scipy_text = "scipy.stats.t(df=ν, loc=μ, scale=√φ)"
    r_text = "glmmTMB::t_family(); sigma() = √φ"

    def outside_support(self, y, trials=None):
        return ~np.isfinite(y)

    def variance(self, mu, phi=1.0, df=8.0):
        phi, df = np.asarray(phi, float), np.asarray(df, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(df > 2, df / (df - 2), np.where(df > 1, np.inf, np.nan))
        return np.ones_like(np.asarray(mu, float)) * phi * factor

    def log_density(self, y, mu, phi=1.0, df=8.0):
        return (
            special.gammaln((df + 1) / 2)
            - special.gammaln(df / 2)
            - 0.5 * np.log(df * np.pi * phi)
            - (df + 1) / 2 * np.log1p((y - mu) ** 2 / (df * phi))
        )

    def mu_derivatives(self, y, mu, phi=1.0, df=8.0):
        residual, scale = y - mu, df * phi
        square = residual**2
        total = scale + square
        return (
            (df + 1) * residual / total,
            (df + 1) * (square - scale) / total**2,
            2 * (df + 1) * residual * (square - 3 * scale) / total**3,
        )

    def shape_derivatives(self, y, mu, phi=1.0, df=8.0):
        residual, scale = y - mu, df * phi
        square = residual**2
        total = scale + square
        common = (df + 1) * scale * (scale - 3 * square) / total**3
        by_df = (
            0.5 * (special.digamma((df + 1) / 2) - special.digamma(df / 2))
            - 0.5 / df
            - 0.5 * np.log1p(square / scale)
            + 0.5 * (df + 1) * square / (df * total)
        )
        return {
            "phi": (
                0.5 * ((df + 1) * square / total - 1),
                -(df + 1) * residual * scale / total**2,
                common,
            ),
            "df": (
                df * by_df,
                df * residual / total - (df + 1) * residual * scale / total**2,
                df * (square - scale) / total**2 + common,
            ),
        }

    def distribution(self, mu, phi=1.0, df=8.0):
        from scipy import stats

        return stats.t(df=df, loc=mu, scale=np.sqrt(phi))

    def sample(self, mu, rng, phi=1.0, df=8.0):
        mu = np.asarray(mu, float)
        return mu + np.sqrt(phi) * rng.standard_t(df, np.broadcast(mu, phi, df).shape)


class Gamma(Family):
    name, aliases, notation = "gamma", ("Gamma",), r"\mathrm{Gamma}(\mu, \phi)"
    notation_text = "y ~ Gamma(μ, φ)"
    discrete, support, mean_interval = False, "y > 0", (0.0, np.inf)
    shape, links = ("phi",), ("log", "inverse", "identity")
    variance_text = "φ μ² (constant coefficient of variation √φ)"
    typical = "time, concentration, cost, biomass"
    scipy_text = "scipy.stats.gamma(a=1/φ, scale=φμ)"
    r_text = 'Gamma(link="log"); glmmTMB sigma() = √φ'

    def outside_support(self, y, trials=None):
        return ~(np.isfinite(y) & (y > 0))

    def variance(self, mu, phi=1.0):
        return phi * np.asarray(mu, float) ** 2

    def log_density(self, y, mu, phi=1.0):
        k = 1 / np.asarray(phi, float)
        ratio = y / mu
        return k * np.log(k * ratio) - special.gammaln(k) - np.log(y) - k * ratio

    def mu_derivatives(self, y, mu, phi=1.0):
        k, ratio = 1 / np.asarray(phi, float), y / mu
        return (
            k * (ratio - 1) / mu,
            k * (1 - 2 * ratio) / mu**2,
            k * (6 * ratio - 2) / mu**3,
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        k = 1 / np.asarray(phi, float)
        ratio = y / mu
        d1, d2, _ = self.mu_derivatives(y, mu, phi)
        return {"phi": (-k * (np.log(k * ratio) + 1 - special.digamma(k) - ratio), -d1, -d2)}

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        return stats.gamma(a=1 / np.asarray(phi, float), scale=phi * np.asarray(mu, float))

    def sample(self, mu, rng, phi=1.0):
        return rng.gamma(1 / np.asarray(phi, float), phi * np.asarray(mu, float))


class Beta(Family):
    name, aliases, notation = "beta", ("beta_family",), r"\mathrm{Beta}(\mu, \phi)"
    notation_text = "y ~ Beta(μ, φ)"
    discrete, support, mean_interval = False, "0 < y < 1", (0.0, 1.0)
    shape, links = ("phi",), ("logit", "probit", "cloglog", "log")
    variance_text = "μ(1 − μ)/(1 + φ) (a larger φ means a smaller variance)"
    typical = "a proportion that is not a count out of a total: cover, yield fraction"
    scipy_text = "scipy.stats.beta(a=μφ, b=(1 − μ)φ)"
    r_text = "glmmTMB::beta_family(); sigma() = φ"

    def outside_support(self, y, trials=None):
        return ~((y > 0) & (y < 1))

    def variance(self, mu, phi=1.0):
        mu = np.asarray(mu, float)
        return mu * (1 - mu) / (1 + phi)

    def log_density(self, y, mu, phi=1.0):
        a, b = mu * phi, (1 - mu) * phi
        return special.xlogy(a - 1, y) + special.xlog1py(b - 1, -y) - special.betaln(a, b)

    def mu_derivatives(self, y, mu, phi=1.0):
        a, b = mu * phi, (1 - mu) * phi
        return (
            phi * (special.logit(y) - special.digamma(a) + special.digamma(b)),
            -(phi**2) * (special.polygamma(1, a) + special.polygamma(1, b)),
            -(phi**3) * (special.polygamma(2, a) - special.polygamma(2, b)),
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        a, b = mu * phi, (1 - mu) * phi
        digamma_a, digamma_b = special.digamma(a), special.digamma(b)
        trigamma_a, trigamma_b = special.polygamma(1, a), special.polygamma(1, b)
        value = (
            special.digamma(phi)
            + mu * (np.log(y) - digamma_a)
            + (1 - mu) * (np.log1p(-y) - digamma_b)
        )
        first = special.logit(y) - digamma_a + digamma_b - a * trigamma_a + b * trigamma_b
        second = -2 * phi * (trigamma_a + trigamma_b) - phi**2 * (
            mu * special.polygamma(2, a) + (1 - mu) * special.polygamma(2, b)
        )
        return {"phi": (phi * value, phi * first, phi * second)}

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        mu = np.asarray(mu, float)
        return stats.beta(mu * phi, (1 - mu) * phi)

    def sample(self, mu, rng, phi=1.0):
        mu = np.asarray(mu, float)
        # a draw that rounds to 0 or 1 would be outside the support of the density
        return np.clip(rng.beta(mu * phi, (1 - mu) * phi), 1e-300, 1 - 2**-53)


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
        y, trials = np.asarray(y, float), np.asarray(trials, float)
        return (
            _log_choose(trials, y) + special.xlogy(y, mu) + special.xlog1py(trials - y, -np.asarray(mu))
        )

    def mu_derivatives(self, y, mu, trials=1):
        failures, rest = trials - y, 1 - mu
        return (
            y / mu - failures / rest,
            -y / mu**2 - failures / rest**2,
            2 * y / mu**3 - 2 * failures / rest**3,
        )

    def eta_derivatives(self, y, eta, link, trials=1):
        if link.name != "logit":
            return super().eta_derivatives(y, eta, link, trials=trials)
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
        a, b, failures = mu * phi, (1 - mu) * phi, trials - y
        return (
            _log_choose(trials, y)
            + _log_rising(a, y) + _log_rising(b, failures) - _log_rising(phi, trials)
        )  # fmt: skip

    def _steps(self, order, y, mu, phi, trials):
        return (
            _polygamma_step(order, mu * phi, y),
            _polygamma_step(order, (1 - mu) * phi, trials - y),
        )

    def mu_derivatives(self, y, mu, phi=1.0, trials=1):
        (a0, b0), (a1, b1), (a2, b2) = (self._steps(k, y, mu, phi, trials) for k in range(3))
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


def _log_choose(n, k):
    return -np.log1p(n) - special.betaln(n - k + 1, k + 1)


class _Count(Family):
    """What the families for counts without an upper limit share."""

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
        return special.xlogy(y, mu) - mu - special.gammaln(np.asarray(y, float) + 1)

    def mu_derivatives(self, y, mu):
        ratio = y / mu
        return ratio - 1, -ratio / mu, 2 * ratio / mu**2

    def eta_derivatives(self, y, eta, link):
        if link.name != "log":
            return super().eta_derivatives(y, eta, link)
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
        y, k, ratio = np.asarray(y, float), 1 / np.asarray(phi, float), np.asarray(phi) * mu
        return (
            _log_rising(k, y) - special.gammaln(y + 1)
            - k * np.log1p(ratio) + special.xlogy(y, ratio / (1 + ratio))
        )  # fmt: skip

    def mu_derivatives(self, y, mu, phi=1.0):
        # (y + k)/(k + mu) with k = 1/phi, written so that phi -> 0 is the Poisson
        share = (1 + phi * y) / (1 + phi * mu)
        rate = phi / (1 + phi * mu)
        return (
            y / mu - share,
            -y / mu**2 + share * rate,
            2 * y / mu**3 - 2 * share * rate**2,
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        k = 1 / np.asarray(phi, float)
        shrink = 1 / (1 + phi * mu)
        excess = phi * (y - mu) * shrink**2
        by_k = _polygamma_step(0, k, y) - np.log1p(phi * mu) + (mu - y) * phi * shrink
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
        return rng.poisson(rng.gamma(1 / np.asarray(phi, float), phi * np.asarray(mu, float)))


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
        y, phi = np.asarray(y, float), np.asarray(phi, float)
        size = mu / phi
        return (
            _log_rising(size, y) - special.gammaln(y + 1)
            - size * np.log1p(phi) + special.xlogy(y, phi / (1 + phi))
        )  # fmt: skip

    def mu_derivatives(self, y, mu, phi=1.0):
        size = mu / phi
        return (
            (_polygamma_step(0, size, y) - np.log1p(phi)) / phi,
            _polygamma_step(1, size, y) / phi**2,
            _polygamma_step(2, size, y) / phi**3,
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        size = mu / phi
        d1, d2, d3 = self.mu_derivatives(y, mu, phi)
        return {
            "phi": (
                -mu * d1 + (y - mu) / (1 + phi),
                -d1 - mu * d2 - 1 / (1 + phi),
                -2 * d2 - size * phi * d3,
            )
        }

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        return stats.nbinom(np.asarray(mu, float) / phi, 1 / (1 + np.asarray(phi, float)))

    def sample(self, mu, rng, phi=1.0):
        return rng.poisson(rng.gamma(np.asarray(mu, float) / phi, phi))


class LogNormal(Family):
    name, notation = "lognormal", r"\mathrm{LogNormal}(\mu, \phi)"
    notation_text = "log(y) ~ N(log μ − φ/2, φ)"
    discrete, support, mean_interval = False, "y > 0", (0.0, np.inf)
    shape, links = ("phi",), ("log", "identity")
    variance_text = "μ²(exp(φ) − 1)"
    typical = "a positive response whose logarithm is normal"
    scipy_text = "scipy.stats.lognorm(s=√φ, scale=μ exp(−φ/2))"
    r_text = "a normal model of log(y), its intercept raised by φ/2"

    def outside_support(self, y, trials=None):
        return ~(np.isfinite(y) & (y > 0))

    def variance(self, mu, phi=1.0):
        return np.asarray(mu, float) ** 2 * np.expm1(phi)

    def log_density(self, y, mu, phi=1.0):
        residual = np.log(y) - np.log(mu) + phi / 2
        return -np.log(y) - 0.5 * (LOG_TWO_PI + np.log(phi) + residual**2 / phi)

    def mu_derivatives(self, y, mu, phi=1.0):
        residual = np.log(y) - np.log(mu) + phi / 2
        return (
            residual / (phi * mu),
            -(1 + residual) / (phi * mu**2),
            (3 + 2 * residual) / (phi * mu**3),
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        residual = np.log(y) - np.log(mu) + phi / 2
        return {
            "phi": (
                0.5 * (residual**2 / phi - residual - 1),
                (0.5 - residual / phi) / mu,
                (1 / phi - 0.5 + residual / phi) / mu**2,
            )
        }

    def distribution(self, mu, phi=1.0):
        from scipy import stats

        return stats.lognorm(s=np.sqrt(phi), scale=np.asarray(mu, float) * np.exp(-np.asarray(phi) / 2))

    def sample(self, mu, rng, phi=1.0):
        return rng.lognormal(np.log(mu) - np.asarray(phi) / 2, np.sqrt(phi))


FAMILIES: dict[str, Family] = {
    each.name: each
    for each in (
        Normal(), StudentT(), Gamma(), Beta(), Binomial(), Poisson(), NegativeBinomial(),
        NegativeBinomial1(), BetaBinomial(), LogNormal(),
    )
}  # fmt: skip
_BY_ANY_NAME = {
    alias: each for each in FAMILIES.values() for alias in (each.name, *each.aliases)
}


def family(name: str | Family | Any) -> Family:
    """Look up a response distribution by name; R's names work too.

    Parameters
    ----------
    name : str or Family
        ``normal, t, gamma, beta, binomial, poisson, negative_binomial, nbinom1, betabinomial,
        lognormal`` or an alias such as ``gaussian`` and ``nbinom2``.

    Returns
    -------
    Family
        It prints as its card: notation, support, mean, variance, links, SciPy's parameters.

    Raises
    ------
    ValueError
        If there is no family of that name.

    Examples
    --------
    >>> family("nbinom2").name
    'negative_binomial'
    """
    if isinstance(name, Family):
        return name
    if isinstance(name, str) and name in _BY_ANY_NAME:
        return _BY_ANY_NAME[name]
    raise ValueError(
        f"unknown family {name!r}{nearest(name, _BY_ANY_NAME)}. Valid families: {', '.join(FAMILIES)}"
    )
