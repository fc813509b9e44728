"""Confidence intervals: Wald's, those of the bootstrap, and by the profile of the likelihood.

The limit of a profile interval is the smallest or the largest value of a quantity among all
parameter vectors whose log-likelihood is at most half a chi-square quantile below its maximum,
which is where the profile of that quantity has fallen so far (Neale & Miller 1997, Behav. Genet.
27:113). One constrained search finds it, without tracing the profile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.covariances.base import Structure
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.search import covariance_of, information_at, maximise
from glmmtools.engine.suitability import confounded_with_residual
from glmmtools.fitted.fit import Fit, require_converged, require_maximum
from glmmtools.fitted.parameters import wald_intervals
from glmmtools.inference.bootstrap import bootstrap
from glmmtools.inference.one_sided import infinite_intervals
from glmmtools.shared.arguments import check_level, one_of

Array = np.ndarray


def conf_int(
    model: Fit, level: float = 0.95, method: str = "wald", df: str = "auto", **options: Any
) -> pd.DataFrame:
    """Confidence intervals.

    Parameters
    ----------
    level : float
        Strictly between 0 and 1.
    method : {"wald", "profile", "bootstrap"}
        Wald intervals of the fixed effects (Student's t where the degrees of freedom are
        finite); or, of all parameters, variances included, profile-likelihood intervals, or
        percentiles of a parametric bootstrap.
    df : {"auto", "containment", "satterthwaite", "kenward-roger", "infinite"}
        Of Wald intervals, as in :meth:`tidy`.
    **options
        With ``method="bootstrap"``: those of :meth:`bootstrap`, such as ``n`` and ``n_jobs``, and
        the ``kind`` of :meth:`Bootstrap.conf_int`.

    Returns
    -------
    DataFrame
        Columns ``conf_low`` and ``conf_high``; by profile or bootstrap also ``estimate``.
    """
    one_of("method", method, ("wald", "profile", "bootstrap"))
    if options and method != "bootstrap":
        raise ValueError(f"{', '.join(options)}: options of method='bootstrap', not {method!r}")
    check_level(level)
    if method != "wald" and df != "auto":
        raise ValueError(f"df= is for Wald intervals, not for method={method!r}")
    if method == "profile":
        return profile_intervals(model, level)
    if method == "bootstrap":
        kind = options.pop("kind", "percentile")
        return bootstrap(model, **options).conf_int(level, kind)
    return wald_intervals(model, level, df)


def profile_intervals(model: Fit, level: float) -> pd.DataFrame:
    """Profile-likelihood intervals of coefficients, sds, correlations and shape parameters.

    The limits are the values of a parameter at which twice the log-likelihood, maximised over all
    other parameters, has fallen by the chi-square quantile. An sd whose likelihood at zero has not
    fallen that far has the lower limit 0 (a correlation: -1 or 1); a limit beyond all values that
    were tried is nan. The interval of a coefficient that separation makes infinite has one end.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> m.conf_int(method="profile").round(2).loc["sd herd Intercept"]
    estimate     0.64
    conf_low     0.35
    conf_high    1.10
    Name: sd herd Intercept, dtype: float64
    """
    problem = model.problem
    require_maximum(model, "a profile needs")
    if problem.reml:
        raise ValueError("profile intervals are for maximum likelihood; fit with reml=False")
    if problem.nagq > 1:
        raise ValueError("profile intervals are for the Laplace approximation; fit with nagq=1")
    require_converged(model, "a profile needs")
    drop = special.chdtri(1, 1 - level) / 2
    rows = infinite_intervals(model, drop) if model.separated else {}
    finite = model.in_the_limit
    marginal = Marginal(finite.problem) if finite.nobs else None
    if marginal is not None and marginal.size:
        profile, unknown = _Profile(marginal, finite), _unknown(finite)
        rows |= {
            name: (quantity(profile.best), np.nan, np.nan)
            if name in unknown
            else profile.interval(quantity, drop)
            for name, quantity in profile.quantities().items()
            if name not in rows
        }
    columns = ["estimate", "conf_low", "conf_high"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("term")
    coefficients = [name for name in model.params.index if name in table.index]
    return table.loc[[*coefficients, *table.index.difference(coefficients, sort=False)]]


def _unknown(model: Fit) -> set[str]:
    """Parameters of series without limits: they share a variance, or rho lies at 1 or -1.

    There the likelihood has several maxima along the profiles, and the search finds any of them.
    """
    terms = model.design.random
    shared = [
        *confounded_with_residual(model.problem),
        *(t for t in terms if t.structure.has_rho and t.label in model.estimate.singular),
    ]
    names = [f"{term.group} {term.structure.sd_names[0]}" for term in shared]
    unknown = {f"{what} {name}" for name in names for what in ("sd", "corr")}
    return unknown | {"residual sd"} if shared else unknown


class _Lost(Exception):
    """The search along a profile did not end at its lowest fall."""


class _Quantity(NamedTuple):
    """A parameter as a function of the vector that is searched, and the range of its values."""

    of: Callable[[Array], float]
    low: float = 0.0
    high: float = np.inf

    def __call__(self, vector: Array) -> float:
        return float(self.of(vector))


class _Profile:
    """The likelihood around its maximum, in coordinates in which its Hessian is the identity."""

    def __init__(self, marginal: Marginal, model: Fit):
        self.marginal, self.model = marginal, model
        optimum = maximise(marginal.value_and_gradient, marginal.vector_of(model.estimate))
        self.best, self.top = optimum.point, optimum.value
        information = information_at(marginal.value_and_gradient, self.best)
        self.covariance = covariance_of(information)
        values, vectors = np.linalg.eigh(self.covariance)
        self.root = vectors * np.sqrt(np.maximum(values, 1e-12))
        self._last: tuple[Array, float, Array] | None = None

    def quantities(self) -> dict[str, _Quantity]:
        """All parameters by name."""
        marginal, scale = self.marginal, self.marginal.likelihood.scale
        quantities = {}
        beta = marginal.names["beta"]
        for j, name in enumerate(self.model.params.index):
            row, origin = marginal.to_user[j] * scale, marginal.origin[j]
            quantities[name] = _Quantity(
                lambda v, row=row, origin=origin: row @ v[beta] + origin, low=-np.inf
            )
        for placed, term in zip(marginal.placed, marginal.terms, strict=True):
            structure, start = placed.structure, marginal.names["theta"].start
            part = slice(start + placed.theta.start, start + placed.theta.stop)
            for i, name in enumerate(structure.sd_names):
                sd = partial(_sd, structure, part, i, scale)
                quantities[f"sd {term.group} {name}"] = _Quantity(sd)
            for i, name in enumerate(structure.correlation_names):
                correlation = partial(_correlation, structure, part, i)
                quantities[f"corr {term.group} {name}"] = _Quantity(correlation, -1.0, 1.0)
        for name in self.model.estimate.shape:
            shift, place = marginal.shape_shift(name), marginal.names[name].start
            power, label = 1.0, name
            if name == "phi" and self.model.family.has_residual_variance:
                power, label = 0.5, "residual sd"
            quantities[label] = _Quantity(partial(_shape_parameter, place, shift, power))
        return quantities

    def interval(self, quantity: _Quantity, drop: float) -> tuple[float, float, float]:
        """Estimate and limits: the quantity where the likelihood has fallen by `drop`."""
        estimate = quantity(self.best)
        step = self._wald_step(quantity) * np.sqrt(2 * drop)
        limits = []
        for side in (-1, 1):
            # Beside a boundary the search for the extreme may end at a local one.
            limit = None if self.model.singular else self._extreme(quantity, side, drop)
            if limit is None:
                try:
                    limit = self._traced(quantity, estimate, side * step, drop)
                except _Lost:
                    limit = np.nan
            limits.append(limit)
        return estimate, *limits

    def _vector(self, z: Array) -> Array:
        return self.best + self.root @ z

    def _gradient_of(self, quantity: _Quantity, vector: Array) -> Array:
        h = 1e-6
        units = np.eye(len(vector)) * h
        return np.array([(quantity(vector + u) - quantity(vector - u)) / (2 * h) for u in units])

    def _slope(self, quantity: _Quantity, z: Array) -> Array:
        return self.root.T @ self._gradient_of(quantity, self._vector(z))

    def _start(self, quantity: _Quantity) -> Array:
        """Where searches start: the maximum; beside it for an sd of zero, which has no slope."""
        at_best = self._gradient_of(quantity, self.best)
        return np.full(len(self.best), 0.0 if np.any(at_best) else 0.1)

    def _wald_step(self, quantity: _Quantity) -> float:
        slope = self._gradient_of(quantity, self._vector(self._start(quantity)))
        step = float(np.sqrt(slope @ self.covariance @ slope))
        return step if np.isfinite(step) and step > 0 else 0.1 * (abs(quantity(self.best)) + 1e-3)

    def _fall(self, z: Array) -> tuple[float, Array]:
        """How much lower the likelihood is at z than at its maximum, and the slope of that."""
        if self._last is None or not np.array_equal(self._last[0], z):
            height, gradient = self.marginal.value_and_gradient(self._vector(z))
            fall = self.top - height if np.isfinite(height) else 1e6
            self._last = (z.copy(), fall, -self.root.T @ gradient)
        return self._last[1:]

    def _extreme(self, quantity: _Quantity, side: int, drop: float) -> float | None:
        """The limit on one side; None where the search ends at a bound or does not end."""
        from scipy.optimize import minimize

        scale = self._wald_step(quantity)
        uphill = self._slope(quantity, np.zeros(len(self.best))) / scale
        uphill *= side * np.sqrt(2 * drop) / np.linalg.norm(uphill)
        constraint = {
            "type": "eq",
            "fun": lambda z: drop - self._fall(z)[0],
            "jac": lambda z: -self._fall(z)[1],
        }
        optimum = minimize(
            lambda z: -side * quantity(self._vector(z)) / scale, uphill,
            jac=lambda z: -side * (self._slope(quantity, z) / scale),
            method="SLSQP", constraints=[constraint], options={"ftol": 1e-10, "maxiter": 50},
        )  # fmt: skip
        limit = quantity(self._vector(optimum.x))
        exact = optimum.success and abs(self._fall(optimum.x)[0] - drop) < 1e-6
        inside = quantity.low + 0.02 * scale < limit < quantity.high - 0.02 * scale
        return limit if exact and inside else None

    def _traced(self, quantity: _Quantity, estimate: float, step: float, drop: float) -> float:
        """The limit on one side by stepping outward along the profile, bounds included."""
        from scipy.optimize import brentq

        start, found = self._start(quantity), {estimate: -drop}

        def beyond(value):  # from the point before, so that a second search may end elsewhere
            nonlocal start
            if value not in found:
                fall, start = self._lowest_fall(quantity, value, start)
                found[value] = fall - drop
            return found[value]

        inner, outer, side = estimate, estimate + step, np.sign(step)
        for _ in range(12):
            bounded = float(np.clip(outer, quantity.low, quantity.high))
            if bounded != outer:
                edge = bounded - side * 1e-4 * abs(bounded - estimate)
                if beyond(edge) < 0:
                    return bounded
                outer = edge
                break
            if beyond(outer) >= 0:
                break
            inner, outer, step = outer, outer + 2 * step, 2 * step
        else:
            return np.nan
        limit = float(brentq(beyond, inner, outer, rtol=1e-6))
        if abs(beyond(limit)) > 0.01:  # no root but a jump: one of two searches ended elsewhere
            raise _Lost
        return limit

    def _lowest_fall(self, quantity: _Quantity, value: float, start: Array) -> tuple[float, Array]:
        """How much lower the likelihood is with the quantity at `value`, all else at its best."""
        from scipy.optimize import minimize

        scale = self._wald_step(quantity)
        constraint = {
            "type": "eq",
            "fun": lambda z: (quantity(self._vector(z)) - value) / scale,
            "jac": lambda z: self._slope(quantity, z) / scale,
        }
        for z in (start, self._start(quantity)):
            optimum = minimize(
                self._fall, z, jac=True, method="SLSQP", constraints=[constraint],
                options={"ftol": 1e-9, "maxiter": 60},
            )  # fmt: skip
            if optimum.success and abs(constraint["fun"](optimum.x)) < 1e-4:
                return float(optimum.fun), optimum.x
        raise _Lost


def _sd(structure: Structure, part: slice, i: int, scale: float, vector: Array) -> float:
    return scale * np.sqrt(structure.covariance(vector[part])[i, i])


def _shape_parameter(place: int, shift: float, power: float, vector: Array) -> float:
    with np.errstate(over="ignore"):  # a profile may be flat as far as one looks
        return np.exp(power * (vector[place] + shift))


def _correlation(structure: Structure, part: slice, i: int, vector: Array) -> float:
    theta = vector[part]
    values = structure.correlations(structure.covariance(theta), structure.rho(theta))
    return np.nan_to_num(values[i])  # beside a standard deviation of zero
