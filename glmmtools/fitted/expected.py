"""Expected responses of rows as functions of all parameters, with their uncertainty.

The mean over the random effects depends on their variances, the mean of counts with extra zeros on
the probability of these, that of truncated counts on their dispersion: their standard errors are by
the delta method over all parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from glmmtools.engine.joint import Parameters
from glmmtools.engine.problem import ZERO
from glmmtools.families.links import OF_PROBABILITIES, Link
from glmmtools.fitted.fit import Fit
from glmmtools.formula.linear_predictor import random_predictor
from glmmtools.formula.random_terms import RandomTerm

Array = np.ndarray
_STEP_IN_ETA, _SHORTEST_STEP, _FARTHEST = 0.4, 0.004, 8.5  # the last two in sds
_VALUES_AT_ONCE = 2_000_000


@dataclass(frozen=True, eq=False)
class ExpectedRows:
    """Rows of which a response is expected.

    Attributes
    ----------
    X : ndarray, shape (n, p)
    fixed : ndarray, shape (n,)
        Fixed part and offset at the estimates; infinite in separated rows.
    terms : tuple of RandomTerm
        In these rows; none for the population.
    parts : dict of ndarray, shape (n, k)
        Columns of the extra zeros and of the dispersion, as far as these decide what is expected.
    effects : {"conditional", "population", "marginal"}
    of_mu : bool
        Whether ``mu`` is expected, or its linear predictor; else the response.
    zero_terms : tuple of RandomTerm
        The random terms of the extra zeros in these rows, where these decide what is expected.
    """

    X: Array
    fixed: Array
    terms: tuple[RandomTerm, ...]
    parts: dict[str, Array]
    effects: str
    of_mu: bool
    zero_terms: tuple[RandomTerm, ...] = ()

    def need_all_parameters(self, model: Fit) -> bool:
        """Whether more than the linear predictor decides what is expected."""
        averaged = self.effects == "marginal" and bool(self.terms) and not model.link.is_identity
        return averaged or ZERO in self.parts or not self.of_mu

    def eta(self, model: Fit) -> Array:
        """The linear predictor, shape (n,), without random effects that are averaged over."""
        return self._eta(self.fixed, model.modes)

    def _eta(self, fixed: Array, modes: list[Array]) -> Array:
        conditional = self.effects == "conditional"
        return fixed + (random_predictor(self.terms, modes) if conditional else 0.0)

    @property
    def are_conditional(self) -> bool:
        """Whether random effects are held at their modes."""
        return self.effects == "conditional" and bool(self.terms or self.zero_terms)

    def means(self, model: Fit) -> Array:
        """The expected responses, shape (n,)."""
        eta, covariances = self.eta(model), [each.covariance for each in model.estimate.terms]
        at = {name: model.estimate.predictor(name, X) for name, X in self.parts.items()}
        link = self._mean_link(model, model.estimate.shape, at)
        return self._given_eta(model, link, eta, covariances) * self._kept_by(model, at)

    def _kept_by(self, model: Fit, at: dict[str, Array]) -> Array | float:
        of_zeros = [each.covariance for each in model.estimate.zero_terms]
        return self._kept(at, model.estimate.zero_modes, of_zeros)

    def _kept(
        self, at: dict[str, Array], modes: list[Array], covariances: list[Array]
    ) -> Array | float:
        """The probability that a row is no extra zero.

        The random effects of the two parts are independent, so that averages multiply.
        """
        if ZERO not in at:
            return 1.0
        if self.effects == "conditional":
            return special.expit(-at[ZERO] - random_predictor(self.zero_terms, modes))
        if not self.zero_terms:
            return special.expit(-at[ZERO])
        return averaged(OF_PROBABILITIES, -at[ZERO], _variance(self.zero_terms, covariances))

    def _mean_link(self, model: Fit, shape: dict[str, float], at: dict[str, Array]) -> Link:
        """The link of what is expected, extra zeros left out."""
        if self.of_mu:
            return model.link
        modelled = {"phi": np.exp(at["phi"])} if "phi" in at else {}
        return model.family.mean_link(model.link, **shape, **modelled)

    def _given_eta(self, model: Fit, link: Link, eta: Array, covariances: list[Array]) -> Array:
        if self.effects != "marginal" or not self.terms:
            return link.inverse(eta)
        variance = _variance(self.terms, covariances)
        means = averaged(model.link, eta, variance)
        if self.of_mu:
            return means
        more = _by_trapezes(lambda at: link.inverse(at) - model.link.inverse(at), eta, variance)
        return np.where(np.isinf(eta), link.inverse(eta), means + more)

    def spread(self, model: Fit, combine: Callable[[Array], Array] = np.asarray) -> Array:
        """Rows whose products are the covariances of expected responses, or of averages of them.

        They are nan where a response without a finite linear predictor is among them. For rows that
        need all parameters.

        Parameters
        ----------
        combine : callable, optional
            The m averages of values of the rows; default the values themselves.
        """
        known = np.isfinite(self.fixed)
        unknown = combine(1.0 * ~known)[:, None] > 0
        if not known.any():
            return np.where(unknown, np.nan, 0.0)
        finite, limit = model.in_the_limit, model.estimate.limit
        X, parts = self._told(model), self.parts
        if limit is not None:
            parts = {name: each[:, limit.parts[name].kept] for name, each in parts.items()}
        offset = np.where(known, self.fixed, 0.0) - X @ finite.estimate.beta

        def expected(at: Parameters) -> Array:
            modelled = {name: each @ at.predictors[name] for name, each in parts.items()}
            link, eta = self._mean_link(model, at.shape, modelled), X @ at.beta + offset
            means = self._given_eta(model, link, self._eta(eta, at.modes), at.covariances)
            kept = self._kept(modelled, at.zero_modes, at.zero_covariances)
            return combine(np.where(known, means * kept, 0.0))

        return np.where(unknown, np.nan, finite.joint.spread(expected))

    def slopes_in_coefficients(self, model: Fit, combine: Callable[[Array], Array]) -> Array:
        """Of averages of the expected responses, where the coefficients alone decide, (m, p).

        Nan as in `spread`.
        """
        known = np.isfinite(self.fixed)
        slope = np.where(known, model.link.derivatives(np.where(known, self.fixed, 0.0))[0], 0.0)
        return np.where(
            combine(1.0 * ~known)[:, None] > 0, np.nan, combine(slope[:, None] * self.X)
        )

    def on_link_scale(self, model: Fit) -> tuple[Array, Array]:
        """The expected responses on the scale of the link, and their standard errors there."""
        means = self.means(model)
        with np.errstate(divide="ignore", invalid="ignore"):
            eta = model.link(means)
            per_mean = 1 / np.abs(model.link.derivatives(eta)[0])
            variances = np.sum(self.spread(model) ** 2, axis=1)
            if self.are_conditional:
                variances = variances + self._effect_variances(model)
            return eta, np.sqrt(variances) * per_mean

    def _effect_variances(self, model: Fit) -> Array:
        """What the uncertainty of the random effects, given the parameters, adds to each row."""
        at = {name: model.estimate.predictor(name, X) for name, X in self.parts.items()}
        link = self._mean_link(model, model.estimate.shape, at)
        eta, kept = self.eta(model), self._kept_by(model, at)
        slopes = {
            "mean": link.derivatives(eta)[0] * kept,
            ZERO: -link.inverse(eta) * kept * (1 - kept),
        }
        terms = {"mean": self.terms, ZERO: self.zero_terms}
        return model.in_the_limit.joint.variances_of(self._told(model), terms, slopes)

    def _told(self, model: Fit) -> Array:
        """The columns of X that rows which are not certain tell apart: all without separation."""
        limit = model.estimate.limit
        return self.X if limit is None else self.X[:, limit.separation.rank.kept]


def _variance(terms: tuple[RandomTerm, ...], covariances: list[Array]) -> Array:
    """Of what the random effects add to a linear predictor."""
    pairs = zip(terms, covariances, strict=True)
    return sum(term.structure.predictor_variances(G) for term, G in pairs)


def averaged(link: Link, eta: Array, variance: Array) -> Array:
    """Means averaged over the normal distribution of the random part of eta, shape (n,).

    In closed form for the log. Else by the trapezoidal rule, which converges geometrically for
    smooth functions on the whole line: with its step in eta the error is below 1e-10 for the links
    of probabilities (Trefethen & Weideman 2014, SIAM Rev. 56:385).

    Raises
    ------
    ValueError
        For a link that does not take every eta, so that the average does not exist.
    """
    if np.isfinite(link.eta_interval).any():
        raise ValueError(
            f"with the {link.name} link a mean over normal random effects does not exist: some of "
            "them give no mean. Take effects='population'"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        if link.is_log:
            means = link.inverse(eta + variance / 2)
        else:
            means = _by_trapezes(link.inverse, eta, variance)
        return np.where(np.isinf(eta), link.inverse(eta), means)


def _by_trapezes(function: Callable[[Array], Array], eta: Array, variance: Array) -> Array:
    sd = np.sqrt(variance)
    largest = np.nan_to_num(sd).max(initial=_STEP_IN_ETA)
    step = np.clip(_STEP_IN_ETA / largest, _SHORTEST_STEP, 0.5)
    nodes = np.arange(-_FARTHEST, _FARTHEST + step, step)
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    means, some = np.zeros(len(eta)), max(1, _VALUES_AT_ONCE // max(1, len(eta)))
    for start in range(0, len(nodes), some):
        piece = slice(start, start + some)
        means += weights[piece] @ function(eta + sd * nodes[piece, None])
    return means
