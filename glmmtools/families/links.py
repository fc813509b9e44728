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

from glmmtools.shared.text import nearest

Array = np.ndarray
SQRT_TWO_PI = np.sqrt(2 * np.pi)


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
        The open interval of means that the link maps onto the real line (for ``inverse``: onto the
        positive half).
    slope_means : str
        What the exponential or the plain coefficient of a covariate means.
    """

    name: str
    equation: str
    inverse_equation: str
    mean_interval: tuple[float, float]
    slope_means: str
    _forward: Callable[[Array], Array]
    _inverse: Callable[[Array], Array]
    _derivatives: Callable[[Array], tuple[Array, Array, Array]]

    @property
    def scale(self) -> str:
        """The name of the scale of ``eta``: ``"log-odds"``, ``"log"``, ``"probit"``."""
        return "log-odds" if self.name == "logit" else self.name

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

    def __repr__(self) -> str:
        return f"<link {self.name}>"

    def _repr_latex_(self) -> str:
        return rf"$g(\mu) = {self.equation}, \quad g^{{-1}}(\eta) = {self.inverse_equation}$"


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


def _inverse_derivatives(eta):
    return -(eta**-2), 2 * eta**-3, -6 * eta**-4


_LINK_LIST = (
    Link(
        "identity", r"\mu", r"\eta", (-np.inf, np.inf), "a difference of means",
        lambda mu: mu, lambda eta: eta, _identity_derivatives,
    ),
    Link(
        "log", r"\log(\mu)", r"e^{\eta}", (0.0, np.inf), "exp(slope) is a ratio of means",
        np.log, np.exp, _log_derivatives,
    ),
    Link(
        "logit", r"\log\frac{\mu}{1-\mu}", r"\frac{1}{1+e^{-\eta}}", (0.0, 1.0),
        "exp(slope) is an odds ratio",
        special.logit, special.expit, _logit_derivatives,
    ),
    Link(
        "probit", r"\Phi^{-1}(\mu)", r"\Phi(\eta)", (0.0, 1.0),
        "a shift of a standard normal score",
        special.ndtri, special.ndtr, _probit_derivatives,
    ),
    Link(
        "cloglog", r"\log(-\log(1-\mu))", r"1-\exp(-e^{\eta})", (0.0, 1.0),
        "exp(slope) is a ratio of hazards",
        lambda mu: np.log(-np.log1p(-mu)), lambda eta: -np.expm1(-np.exp(eta)),
        _cloglog_derivatives,
    ),
    Link(
        "inverse", r"1/\mu", r"1/\eta", (0.0, np.inf), "a difference of reciprocal means",
        lambda mu: 1 / mu, lambda eta: 1 / eta, _inverse_derivatives,
    ),
)  # fmt: skip

LINKS: dict[str, Link] = {each.name: each for each in _LINK_LIST}


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
            f"unknown link {name!r}{nearest(name, LINKS)}. Valid links: {', '.join(LINKS)}"
        ) from None
