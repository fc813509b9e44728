"""`Family`: what every response distribution can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from glmmtools.families.card import Card
from glmmtools.families.links import LINKS, Link, link
from glmmtools.families.values import Values

Array = np.ndarray
IDENTITY = LINKS["identity"]
SYMBOLS = {"mu": "μ", "phi": "φ", "df": "ν", "trials": "N", "odds0": "odds₀", "odds1": "odds₁"}
LEAST_PROBABILITY = 1e-80  # its cube is above the smallest double
LATEX = {"mu": r"\mu", "phi": r"\phi", "df": r"\nu"}


@dataclass(frozen=True)
class Limit:
    """A simpler family, which a family becomes where a parameter goes to 0 or to infinity."""

    parameter: str
    at: float
    family: Family


class Family:
    """A response distribution with mean ``mu`` and shape parameters.

    A new family needs a `name`, `discrete`, `mean_interval`, `shape` and the mathematics: variance,
    log-density and its derivatives, SciPy's distribution. All else has a default.

    Class attributes:

    - ``name``, ``aliases``: the names that :func:`glmmtools.fit` accepts.
    - ``title``: its name in a sentence, by default the name.
    - ``discrete``: whether y is a whole number.
    - ``mean_interval``: open interval of ``mu`` (a probability for the binomial families).
    - ``shape``: names of the estimated parameters beyond ``mu`` (``"phi"``; for t also ``"df"``).
    - ``fixed``: values of those that are given instead of estimated.
    - ``takes_trials``: whether the density depends on a known number of trials.
    - ``counts``: whether it is a distribution of counts without an upper limit.
    - ``links``: allowed links, the default first; by default those that fit `mean_interval`.
    - ``limit``: a simpler family at the end of the range of a parameter.

    - ``has_residual_variance``: whether phi is the variance of a residual of y itself, so that
      with the identity link the model is linear: REML, and no integral to approximate.
    - ``weights_divide_phi``: whether weights w mean Var(y) = phi / w; else they multiply the
      log-likelihood of a row.
    - ``location_scale``: whether y in other units is of the family too, phi in the square of
      the unit.
    - ``phi_is_variance``: whether phi is about the variance of a row on the scale of the
      default link.
    - ``normal_on_link_scale``: whether a row is normal there, as random effects are.
    - ``takes_rest``: whether its functions of ``mu`` take ``rest``, 1 - mu with all its digits.
    - ``log_concave``: whether the log-density is concave in eta, or nearly so, for all its links.

    - ``notation``, ``notation_text``: "y is distributed as", in LaTeX and as text.
    - ``support``, ``mean_text``, ``variance_text``: the possible values, E(y) and Var(y) as text.
    - ``typical``, ``scipy_text``, ``r_text``: typical responses, and the family in SciPy and in R.
    - ``chart``: the answers that lead to it, from a response to a first assumption.
    - ``example``: parameters for a picture where none are given, those of typical data.
    - ``slip``: the likely mistake where data are outside the support.
    - ``ends``: what a column separates, see `certain_at_end`.
    - ``hint``: what speaks for the family in values that it can produce.
    - ``elsewhere``: names of the distribution in other packages: see `known_as`.
    - ``phi_of_sigma``: the power of ``sigma()`` of R's packages that phi is.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    discrete: ClassVar[bool]
    mean_interval: ClassVar[tuple[float, float]]
    shape: tuple[str, ...] = ()
    fixed: Mapping[str, float] = MappingProxyType({})
    takes_trials: ClassVar[bool] = False
    counts: ClassVar[bool] = False
    limit: ClassVar[Limit | None] = None

    has_residual_variance: ClassVar[bool] = False
    weights_divide_phi: ClassVar[bool] = False
    location_scale: ClassVar[bool] = False
    phi_is_variance: ClassVar[bool] = False
    normal_on_link_scale: ClassVar[bool] = False
    takes_rest: ClassVar[bool] = False
    log_concave: ClassVar[bool] = False

    mean_text: ClassVar[str] = "μ"
    typical: ClassVar[str] = ""
    chart: ClassVar[tuple[str, ...]] = ()
    scipy_text: ClassVar[str] = ""
    r_text: ClassVar[str] = ""
    slip: ClassVar[str] = ""
    ends: ClassVar[str] = "zeros from counts"
    elsewhere: ClassVar[Mapping[str, str]] = MappingProxyType({})
    phi_of_sigma: ClassVar[int] = 2

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__ and "title" not in cls.__dict__:
            cls.title = cls.name

    # -- what follows from the name, the interval of means and the parameters

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(
            name for name, each in LINKS.items() if each.mean_interval == self.mean_interval
        )

    @property
    def notation(self) -> str:
        name = self.name.replace("_", r"\_")
        trials = "N, " if self.takes_trials else ""
        parameters = ", ".join(LATEX[each] for each in ("mu", *self.shape))
        return rf"\mathrm{{{name}}}({trials}{parameters})"

    @property
    def notation_text(self) -> str:
        return f"y ~ {self.name}({', '.join(SYMBOLS[name] for name in self.example)})"

    @property
    def support(self) -> str:
        low, high = self.mean_interval
        if self.discrete:
            return "y = 0, 1, 2, …"
        if low > -np.inf and high == np.inf:
            return f"y > {low:g}"
        return f"{_end(low)} < y < {_end(high)}"

    @property
    def variance_text(self) -> str:
        return f"V({', '.join(SYMBOLS[name] for name in ('mu', *self.shape))})"

    @property
    def example(self) -> dict[str, float]:
        values = {"mu": 0.3 if self.mean_interval[1] == 1 else 3.0}
        values |= {name: 4.0 if name == "df" else 1.0 for name in self.shape}
        return values | ({"trials": 10} if self.takes_trials else {})

    @property
    def hint(self) -> str:
        return f"all values in its support: {self.support}"

    @property
    def has_atoms(self) -> bool:
        """Whether single values have a probability of their own."""
        return self.discrete

    @property
    def leaves_out_zero(self) -> bool:
        """Whether no response is 0, so that zeros can have a part of their own beside it."""
        return not self.takes_trials and bool(self.outside_support(np.zeros(1))[0])

    @property
    def takes_extra_zeros(self) -> bool:
        """Whether ``zero_inflation=`` goes with it: extra zeros of counts, or all of the zeros."""
        return self.counts or self.leaves_out_zero

    def check_extra_zeros(self, argument: str) -> None:
        if not self.takes_extra_zeros:
            valid = f"{argument} is for counts without an upper limit"
            raise ValueError(f"{valid}; {self.name} is not, nor does it leave zero out, as gamma")

    @property
    def mean_is_mu(self) -> bool:
        """Whether E(y) is ``mu``, apart from the trials."""
        return type(self).mean_slope is Family.mean_slope

    @property
    def phi_is_precision(self) -> bool:
        """Whether a larger phi means a smaller variance."""
        if "phi" not in self.shape:
            return False
        at = {name: value for name, value in self.example.items() if name not in self.fixed}
        low, high = (self.variance(**{**at, "phi": phi}) for phi in (1.0, 2.0))
        return bool(low > high)

    def known_as(self, package: str) -> str | None:
        """Its name in another package, where it is known there.

        What a class inherits does not count: a subclass may be another distribution.
        """
        return type(self).__dict__.get("elsewhere", {}).get(package)

    def glmmtmb_psi(self, shape: Mapping[str, float]) -> tuple[float, ...]:
        """Where glmmTMB must be told to start with the parameters that it calls psi."""
        return ()

    def is_bernoulli(self, trials: Array | None) -> bool:
        """Whether y is 0 or 1, with probability mu of 1 and no further parameter."""
        return self.takes_trials and not self.shape and bool(np.all(trials == 1))

    def ratio_name(self, link: Link) -> str:
        """What the exponential of a coefficient is, if anything: ``"odds ratio"``."""
        return link.ratio

    @property
    def default_link(self) -> Link:
        return link(self.links[0])

    def check_link(self, name: str | Link | None) -> Link:
        """Return the link of that name, or raise ValueError if the family does not allow it."""
        chosen = self.default_link if name is None else link(name)
        if chosen.name not in self.links:
            raise ValueError(
                f"{self.name} does not go with the {chosen.name} link: the mean must lie in "
                f"({', '.join(map(_end, self.mean_interval))}). "
                f"Valid links: {', '.join(self.links)}"
            )
        return chosen

    def outside_support(self, y: Array, trials: Array | None = None) -> Array:
        """Return a boolean array that marks impossible values of `y`."""
        low, high = self.mean_interval
        if self.discrete:
            return ~((y >= low) & (y <= high) & (np.abs(y - np.round(y)) <= 1e-8) & np.isfinite(y))
        return ~((y > low) & (y < high))

    def certain_at_end(self, y: Array, trials: Array | None = None) -> Array:
        """Say where `y` is the only possible value at an end of the interval of means.

        Returns
        -------
        ndarray, shape (n,)
            -1 at the lower end, as for a count of zero; 1 at the upper end, as for successes
            only; 0 elsewhere.
        """
        if not self.discrete:
            return np.zeros(len(y))
        low, high = (
            np.asarray(end * (1 if trials is None else trials)) for end in (self.mean_interval)
        )
        return (y == high).astype(float) - (y == low)

    def of_response(self, y: Array) -> Family:
        """The family without the parameters that a response, shape (n,), cannot tell."""
        return self

    def mean(self, mu, trials=1, **shape):
        """Return E(y): ``mu``, or ``trials * mu`` for a number of successes."""
        return np.asarray(mu, float) * trials if self.takes_trials else np.asarray(mu, float)

    def mean_slope(self, mu, **shape):
        """Return the derivative of E(y) in ``mu``, of families without trials."""
        return np.ones_like(np.asarray(mu, float))

    def mean_link(self, link: Link, **shape) -> Link:
        """The link with E(y) in place of ``mu``; of its derivatives the first alone."""
        if self.mean_is_mu:
            return link

        def inverse(eta):
            return self.mean(self.clipped_mean(eta, link), **shape)

        def derivatives(eta):
            slope = self.mean_slope(self.clipped_mean(eta, link), **shape)
            return slope * link.derivatives(eta)[0], None, None

        return replace(link, _inverse=inverse, _derivatives=derivatives)

    def variance(self, mu, **shape):
        """Return Var(y) at mean `mu`; shape parameters (and trials) by name."""
        raise NotImplementedError

    def link_variance(self, link: Link, mu, **shape):
        """Return the variance of a response on the scale of the link, at mean `mu`.

        The distribution-specific variance of Nakagawa, Johnson & Schielzeth (2017), J. R. Soc.
        Interface 14:20170213.
        """
        variance = self.variance(mu, **shape)
        if self.mean_is_mu:
            return link.variance_of(mu, variance)
        return variance / self.mean_link(link, **shape).derivatives(link(mu))[0] ** 2

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
        size = np.broadcast_shapes(np.shape(mu), *map(np.shape, shape.values()))
        return self.distribution(mu, **shape).rvs(size, random_state=rng)

    def cdf(self, y, mu, **shape):
        return self.distribution(mu, **shape).cdf(y)

    def probability_of(self, value, mu, **shape):
        """Return the probability of a single value, 0 where it has a density."""
        if not self.discrete:
            return np.zeros(np.broadcast(value, mu).shape)
        possible = ~self.outside_support(np.asarray(value, float), shape.get("trials"))
        density = self.log_density(np.where(possible, value, 1), mu, **shape)
        return np.where(possible, np.exp(density), 0.0)

    def quantile(self, probability, mu, **shape):
        return self.distribution(mu, **shape).ppf(probability)

    def eta_derivatives(self, y, eta, link: Link, *, order: int = 3, **shape):
        """First three derivatives of the log-density with respect to the linear predictor.

        With ``order=2`` the third is None where it is costly.
        """
        by_mu = self.mu_derivatives(y, order=order, **self._means(eta, link), **shape)
        return _chain(by_mu, eta, link)

    def eta_log_density(self, y, eta, link: Link, **shape) -> Array:
        """The log-density as a function of the linear predictor; arrays broadcast."""
        return self.log_density(y, **self._means(eta, link), **shape)

    def _means(self, eta, link: Link) -> dict[str, Array]:
        """The mean, and for families that take it its complement, both with all digits."""
        if not (self.takes_rest and link.is_of_probability):
            return {"mu": self.clipped_mean(eta, link)}
        return {
            "mu": np.maximum(link.inverse(eta), LEAST_PROBABILITY),
            "rest": np.maximum(link.complement(eta), LEAST_PROBABILITY),
        }

    def shape_eta_derivatives(self, y, eta, link: Link, **shape) -> dict[str, tuple]:
        """As `shape_derivatives`, with derivatives in eta in place of mu."""
        slope, curve, _ = link.derivatives(eta)
        by_mu = self.shape_derivatives(y, **self._means(eta, link), **shape)
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

    # -- where a search for the parameters starts, and ends

    def guessed_phi(
        self, y: Array, mu: Array, within: float, link: Link, trials: Array | int = 1
    ) -> float:
        """A dispersion near that of the data, by moments around means `mu`.

        Parameters
        ----------
        y, mu, trials : ndarray, shape (n,)
        within : float
            The variance on the link scale that fixed and random effects leave.
        link : Link
        """
        if self.phi_is_variance or "phi" not in self.shape:
            return within
        known = {"trials": trials} if self.takes_trials else {}
        square = max(float(np.mean((y - self.mean(mu, trials)) ** 2)), 1e-12)
        grid = np.geomspace(0.01, 100, 41)
        expected = [np.mean(self.variance(mu, phi=phi, **known)) for phi in grid]
        return float(grid[np.argmin(np.abs(np.log(np.array(expected) / square)))])

    def guessed_shape(self, y: Array, mu: Array) -> dict[str, float]:
        """Values of further shape parameters near those of the data, by name."""
        return {"df": 8.0} if "df" in self.shape else {}

    def phi_limits(self, variance: float) -> tuple[float, float]:
        """Lowest and highest phi that leave a row this variance on the scale of the default link.

        They bound a search where all the scatter may as well be that of random effects.
        """
        return (variance, np.inf) if self.phi_is_variance else (0.0, np.inf)

    def caution(self, mu: Array, **shape) -> str:
        """What speaks against a fit with these means and shape parameters; else empty."""
        return ""

    # -- for `suggest_family`

    def why_impossible(self, values: Values) -> str:
        """Say which value the family cannot produce; empty if it can produce them all."""
        outside = self.outside_support(values.y)
        return f"{values.at(outside)}; {self.name} needs {self.support}" if outside.any() else ""

    def verdict(self, values: Values) -> tuple[bool, str]:
        """Whether a family that can produce the values is worth a fit, and why."""
        if values.binary:
            return False, "it ignores that y is one of two values"
        if values.trials is not None:
            return False, "it ignores the known total"
        if values.are_counts and not self.discrete:
            return False, f"y are whole numbers, {self.name} is continuous"
        return self.suits(values.y)

    def suits(self, y: Array) -> tuple[bool, str]:
        """The verdict on values that look like those of such a family, shape (n,)."""
        aside = ""
        if self.mean_interval == (0.0, np.inf) and y.max() < 1:
            aside = " (if 1 is not an upper bound)"
        elif np.all(y == np.round(y)):
            aside = " (if these are rounded measurements)"
        return True, self.hint + ("" if self.discrete else aside)

    # -- how it shows itself

    def card(self) -> Card:
        """Return the card of the family: notation, support, mean, variance, links, conversions."""
        return Card.of(self)

    def __repr__(self) -> str:
        return str(self.card())

    def _repr_html_(self) -> str:
        return self.card()._repr_html_()


def _end(value: float) -> str:
    return f"{value:g}".replace("-", "−").replace("inf", "∞")


def _chain(by_mu, eta, link: Link):
    d1, d2, d3 = by_mu
    if link == IDENTITY:  # not by name: a link in other units has it too
        return by_mu
    slope, curve, third = link.derivatives(eta)
    square = slope * slope
    if d3 is not None:
        d3 = d3 * (slope * square) + 3 * d2 * (slope * curve) + d1 * third
    return d1 * slope, d2 * square + d1 * curve, d3
