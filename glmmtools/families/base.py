"""`Family`, what every response distribution can be asked, and `Card`, how it shows itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from glmmtools.families.links import LINKS, Link, link
from glmmtools.shared.shown import Content, Shown, html_facts

Array = np.ndarray
IDENTITY = LINKS["identity"]


@dataclass(frozen=True, repr=False)
class Card(Shown):
    """What a learner needs to know of one distribution; prints as text, shows as a table."""

    title: str
    rows: tuple[tuple[str, str], ...]

    def _content(self) -> Content:
        return Content(self.title, self.rows)

    def _repr_html_(self) -> str:
        return html_facts(self.title, self.rows, escape=str)


class Family:
    """A response distribution with mean ``mu`` and shape parameters.

    Class attributes
    ----------------
    name, aliases : the names that :func:`glmmtools.fit` accepts.
    notation : the LaTeX of "y is distributed as".
    shape : names of the estimated parameters beyond ``mu`` (``"phi"``; for t also ``"df"``).
    fixed : values of those that are given instead of estimated.
    takes_trials : whether the density depends on a known number of trials.
    counts : whether it is a distribution of counts without an upper limit.
    mean_interval : open interval of ``mu`` (a probability for the binomial families).
    links : allowed links, the default first.
    """

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    notation: ClassVar[str]
    discrete: ClassVar[bool]
    support: ClassVar[str]
    mean_interval: ClassVar[tuple[float, float]]
    shape: tuple[str, ...] = ()
    fixed: Mapping[str, float] = MappingProxyType({})
    takes_trials: ClassVar[bool] = False
    counts: ClassVar[bool] = False
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

    def mu_derivatives(self, y, mu, *, order: int = 3, **shape) -> tuple:
        """Return the first three derivatives of the log-density with respect to ``mu``.

        With ``order=2`` the third is None where it is costly.
        """
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

    def eta_derivatives(self, y, eta, link: Link, *, order: int = 3, **shape):
        """First three derivatives of the log-density with respect to the linear predictor.

        With ``order=2`` the third is None where it is costly.
        """
        by_mu = self.mu_derivatives(y, self.clipped_mean(eta, link), order=order, **shape)
        return _chain(by_mu, eta, link)

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
        least, most = (1e-300, 1e300) if high == np.inf else (1e-15, 1 - 1e-15)
        return np.minimum(np.maximum(mu, least), most)  # np.clip takes three times as long

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
    if link is IDENTITY:
        return by_mu
    slope, curve, third = link.derivatives(eta)
    square = slope * slope
    if d3 is not None:
        d3 = d3 * (slope * square) + 3 * d2 * (slope * curve) + d1 * third
    return d1 * slope, d2 * square + d1 * curve, d3
