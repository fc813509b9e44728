"""Link functions: ``eta = g(mu)``, the inverse and its derivatives.

A link maps the mean ``mu`` of a response to the linear predictor ``eta``, which may take any real
value. It acts on the expected value, not on the observations (McCullagh & Nelder 1989, ch. 2).

>>> logit = link("logit")
>>> round(float(logit(0.75)), 4)
1.0986
>>> round(float(logit.inverse(0.0)), 4)
0.5
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from glmmtools.shared.arguments import shown
from glmmtools.shared.text import nearest

Array = np.ndarray
Slopes = tuple[Array, Array, Array]
SQRT_TWO_PI = np.sqrt(2 * np.pi)
_LARGEST = 700.0  # its exponential is nearly the largest double
_SMALL_HAZARD = 1e-3  # where differences from 1 lose digits: series


@dataclass(frozen=True)
class Link:
    """One link function.

    Attributes
    ----------
    name : str
        The name used in :func:`glmmtools.fit`.
    equation : str
        ``g`` in LaTeX, with ``\\mu`` as argument.
    inverse_equation : str
        The inverse in LaTeX, with ``\\eta`` as argument.
    mean_interval : tuple of float
        The open interval of means that the link maps onto `eta_interval`.
    slope_means : str
        What the exponential or the plain coefficient of a covariate means.
    eta_interval : tuple of float
        The values of the linear predictor: the real line, for ``inverse`` the positive half.
    has_units : bool
        Whether eta has the unit of the response, or its inverse.
    words : str
        The scale of eta in words, where that is not the name: ``"log odds"``.
    ratio : str
        What the exponential of a coefficient is, if anything: ``"odds ratio"``.
    ratio_of : str
        Of what contrasts are ratios on the response scale; empty where they are differences.
    ratio_caution : str
        What such a ratio is not.
    symbol : str
        ``g`` in LaTeX as in the equation of a model, where that is shorter.
    statsmodels : str
        Name of the class in ``statsmodels.api.families.links``.
    usual_family : str
        The family that the link is most often met with; where none is given, pictures have it.
    usual_line : tuple of float
        Intercept and slope of a line that stays inside the means of that family.
    latent_variance : float, optional
        Of the variable that is 1 where eta plus a standard error of this shape is above zero.
    """

    name: str
    equation: str
    inverse_equation: str
    mean_interval: tuple[float, float]
    slope_means: str
    _forward: Callable[[Array], Array]
    _inverse: Callable[[Array], Array]
    _derivatives: Callable[[Array], tuple[Array, Array, Array]]
    eta_interval: tuple[float, float] = (-np.inf, np.inf)
    has_units: bool = False
    words: str = ""
    ratio: str = ""
    ratio_of: str = ""
    ratio_caution: str = ""
    symbol: str = ""
    statsmodels: str = ""
    usual_family: str = ""
    usual_line: tuple[float, float] = (0.0, 1.0)
    latent_variance: float | None = None
    _log_means: Callable[[Array], tuple[Array, Array]] | None = None
    _log_derivatives: Callable[[Array], tuple[Slopes, Slopes]] | None = None

    @property
    def is_identity(self) -> bool:
        return self.name == "identity"

    @property
    def is_log(self) -> bool:
        """Whether the mean is the exponential of eta, so that terms and offsets multiply it."""
        return self.name == "log"

    @property
    def scale(self) -> str:
        """The name of the scale of ``eta``: ``"log-odds"``, ``"log"``, ``"probit"``."""
        return self.words.replace(" ", "-") or self.name

    @property
    def ratios(self) -> str:
        """Several of `ratio`: ``"odds ratios"``, ``"ratios of means"``."""
        return self.ratio.replace("ratio", "ratios", 1)

    @property
    def short_equation(self) -> str:
        """``g`` in LaTeX, with ``\\mu`` as argument, as short as it is understood."""
        return self.symbol or self.equation

    def __call__(self, mu) -> Array:
        """Return ``eta = g(mu)``; ``mu`` and the result have the same shape."""
        with np.errstate(divide="ignore"):
            return self._forward(np.asarray(mu, float))

    def inverse(self, eta) -> Array:
        """Return ``mu``, the mean at linear predictor ``eta``; the shapes agree."""
        with np.errstate(over="ignore", divide="ignore"):
            return self._inverse(np.asarray(eta, float))

    def derivatives(self, eta) -> tuple[Array, Array, Array]:
        """Return the first three derivatives of ``mu`` with respect to ``eta``."""
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            return self._derivatives(np.asarray(eta, float))

    def variance_of(self, mu, variance) -> Array:
        """Variance on the scale of ``eta`` of a variable with this mean and variance.

        Of the logarithm as if it were lognormal, else by the delta method.
        """
        mu = np.asarray(mu, float)
        if self.is_log:
            return np.log1p(variance / mu**2)
        return variance / self.derivatives(self(mu))[0] ** 2

    def complement(self, eta) -> Array:
        """Return ``1 - mu``, with all digits also where mu is nearly 1 if the link can."""
        if self.is_of_probability:
            return np.exp(self.log_means(eta)[1])
        return 1 - self.inverse(eta)

    def log_means(self, eta) -> tuple[Array, Array]:
        """Return ``log mu`` and ``log(1 - mu)``, of which none loses digits in a tail.

        Links onto the whole of (0, 1) have them: see `is_of_probability`.
        """
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            return self._log_means(np.asarray(eta, float))

    def log_derivatives(self, eta) -> tuple[Slopes, Slopes]:
        """Return the first three derivatives in ``eta`` of each of `log_means`."""
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            return self._log_derivatives(np.asarray(eta, float))

    @property
    def is_of_probability(self) -> bool:
        """Whether the means are all of (0, 1)."""
        return self._log_means is not None

    def __repr__(self) -> str:
        return f"<link {self.name}>"

    def _repr_latex_(self) -> str:
        return rf"$g(\mu) = {self.equation}, \quad g^{{-1}}(\eta) = {self.inverse_equation}$"


# Functions with names, not lambdas: a fitted model holds its link, and is pickled.


def _same(values):
    return values


def _reciprocal(values):
    return 1 / values


def _cloglog(mu):
    return np.log(-np.log1p(-mu))


def _cloglog_inverse(eta):
    return -np.expm1(-np.exp(eta))


def _identity_derivatives(eta):
    return np.ones_like(eta), np.zeros_like(eta), np.zeros_like(eta)


def _log_derivatives(eta):
    mu = np.exp(eta)
    return mu, mu, mu


def _logit_derivatives(eta):
    mu = special.expit(eta)
    slope = mu * special.expit(-eta)
    return slope, slope * (1 - 2 * mu), slope * (1 - 6 * slope)


def _probit_derivatives(eta):
    density = np.exp(-0.5 * eta * eta) / SQRT_TWO_PI
    return density, -eta * density, (eta * eta - 1) * density


def _cloglog_derivatives(eta):
    hazard = np.exp(np.minimum(eta, 50))  # the slope is 0 long before
    slope = np.exp(np.minimum(eta, 50) - hazard)
    return slope, slope * (1 - hazard), slope * (1 - 3 * hazard + hazard * hazard)


def _logit_log_means(eta):
    log_larger = -np.log1p(np.exp(-np.abs(eta)))
    return np.minimum(eta, 0) + log_larger, np.minimum(-eta, 0) + log_larger


def _logit_log_derivatives(eta):
    mu, rest = special.expit(eta), special.expit(-eta)
    slope = -mu * rest
    curve = slope * (rest - mu)
    return (rest, slope, curve), (-mu, slope, curve)


def _probit_log_means(eta):
    return special.log_ndtr(eta), special.log_ndtr(-eta)


def _probit_log_derivatives(eta):
    first, second, third = _of_log_ndtr(-eta)
    return _of_log_ndtr(eta), (-first, second, -third)


def _of_log_ndtr(x):
    first = np.exp(-0.5 * x * x - special.log_ndtr(x)) / SQRT_TWO_PI  # Mills' ratio, lower tail
    second = -first * (x + first)
    return first, second, -second * (x + first) - first * (1 + second)


def _cloglog_log_means(eta):
    hazard = np.exp(np.minimum(eta, _LARGEST))
    small = hazard < _SMALL_HAZARD
    series = np.minimum(eta, 0) - hazard / 2 + hazard**2 / 24
    return np.where(small, series, np.log(-np.expm1(-np.where(small, 1.0, hazard)))), -hazard


def _cloglog_log_derivatives(eta):
    hazard = np.exp(np.minimum(eta, _LARGEST))
    small = hazard < _SMALL_HAZARD
    some = np.where(small, 1.0, hazard)
    first = np.where(small, 1 - hazard / 2 + hazard**2 / 12, some / np.expm1(some))
    factor = np.where(small, -hazard / 2 - hazard**2 / 12, 1 - hazard - first)
    second = first * factor
    return (first, second, second * factor - first * (hazard + second)), (-hazard,) * 3


def _inverse_derivatives(eta):
    return -(eta**-2), 2 * eta**-3, -6 * eta**-4


_LINK_LIST = (
    Link(
        "identity", r"\mu", r"\eta", (-np.inf, np.inf), "a difference of means",
        _same, _same, _identity_derivatives,
        has_units=True, statsmodels="Identity", usual_family="normal", usual_line=(10.0, 2.0),
    ),
    Link(
        "log", r"\log(\mu)", r"e^{\eta}", (0.0, np.inf), "exp(slope) is a ratio of means",
        np.log, np.exp, _log_derivatives,
        ratio="ratio of means", ratio_of="means",
        statsmodels="Log", usual_family="poisson", usual_line=(1.0, 0.5),
    ),
    Link(
        "logit", r"\log\frac{\mu}{1-\mu}", r"\frac{1}{1+e^{-\eta}}", (0.0, 1.0),
        "exp(slope) is an odds ratio",
        special.logit, special.expit, _logit_derivatives,
        words="log odds", ratio="odds ratio", ratio_of="odds",
        ratio_caution="An odds ratio is not a ratio of probabilities.",
        symbol=r"\operatorname{logit}(\mu)", statsmodels="Logit", usual_family="binomial",
        latent_variance=np.pi**2 / 3,
        _log_means=_logit_log_means,
        _log_derivatives=_logit_log_derivatives,
    ),
    Link(
        "probit", r"\Phi^{-1}(\mu)", r"\Phi(\eta)", (0.0, 1.0),
        "a shift of a standard normal score",
        special.ndtri, special.ndtr, _probit_derivatives,
        statsmodels="Probit", usual_family="binomial", latent_variance=1.0,
        _log_means=_probit_log_means, _log_derivatives=_probit_log_derivatives,
    ),
    Link(
        "cloglog", r"\log(-\log(1-\mu))", r"1-\exp(-e^{\eta})", (0.0, 1.0),
        "exp(slope) is a ratio of hazards",
        _cloglog, _cloglog_inverse, _cloglog_derivatives,
        ratio="hazard ratio", symbol=r"\operatorname{cloglog}(\mu)",
        statsmodels="CLogLog", usual_family="binomial", latent_variance=np.pi**2 / 6,
        _log_means=_cloglog_log_means, _log_derivatives=_cloglog_log_derivatives,
    ),
    Link(
        "inverse", r"1/\mu", r"1/\eta", (0.0, np.inf), "a difference of reciprocal means",
        _reciprocal, _reciprocal, _inverse_derivatives,
        eta_interval=(0.0, np.inf), has_units=True,
        statsmodels="InversePower", usual_family="gamma", usual_line=(0.5, 0.1),
    ),
)  # fmt: skip

LINKS: dict[str, Link] = {each.name: each for each in _LINK_LIST}
OF_PROBABILITIES, OF_SCALES, IDENTITY = LINKS["logit"], LINKS["log"], LINKS["identity"]


def link(name: str | Link) -> Link:
    """Look up a link by name.

    Parameters
    ----------
    name : str or Link
        One of ``identity, log, logit, probit, cloglog, inverse``; a `Link` is returned unchanged.

    Raises
    ------
    ValueError
        If there is no link of that name.

    Examples
    --------
    >>> link("log")
    <link log>
    """
    if isinstance(name, Link):
        return name
    try:
        return LINKS[name]
    except (KeyError, TypeError):
        raise ValueError(
            f"unknown link {shown(name)}{nearest(name, LINKS)}. Valid links: {', '.join(LINKS)}"
        ) from None
