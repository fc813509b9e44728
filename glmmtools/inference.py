"""Comparison of engines, and intervals by the profile of the likelihood."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from glmmtools import engines
from glmmtools.engines.marginal import Marginal
from glmmtools.engines.search import covariance_of, information_at, maximise

if TYPE_CHECKING:
    from glmmtools.model import FittedModel

__all__ = ["cross_check", "profile_intervals"]

Array = np.ndarray


def cross_check(model: FittedModel) -> pd.DataFrame:
    """Refit a model with every other engine that covers it, and tabulate the differences.

    Returns
    -------
    DataFrame
        One row a number (log-likelihood, coefficients, standard errors, standard deviations of the
        random effects, shape parameters), one column an engine, and ``spread``: the largest
        difference between engines. Without a second engine for the model there is one column.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> bool((cross_check(m)["spread"] < 1e-4).all())
    True
    """
    problem = model._problem
    fits = {model.engine: model}
    for name, engine in engines.ENGINES.items():
        if name not in fits and engine.why_not(problem) is None:
            fits[name] = type(model)(problem, engine.fit(problem))
    table = pd.DataFrame({name: _numbers(fit) for name, fit in fits.items()})
    table["spread"] = table.max(axis=1) - table.min(axis=1)
    return table


def _numbers(model: FittedModel) -> pd.Series:
    components = model.variance_components
    numbers = {"logLik": model.llf}
    numbers |= {f"coefficient {name}": value for name, value in model.params.items()}
    numbers |= {f"std_error {name}": value for name, value in model.bse.items()}
    for row in components.itertuples():
        numbers[f"sd {row.group} {row.term}".strip()] = row.sd
    numbers |= {f"shape {name}": value for name, value in model.dispersion.items()}
    return pd.Series(numbers)


def profile_intervals(model: FittedModel, level: float) -> pd.DataFrame:
    """Profile-likelihood intervals of all parameters: coefficients, sds, correlations, shapes.

    The limits are the values of a parameter at which twice the log-likelihood, maximised over all
    other parameters, has fallen by the chi-square quantile. An sd whose likelihood at zero has not
    fallen that far has the lower limit 0; a limit beyond all values that were tried is nan.

    Returns
    -------
    DataFrame
        Columns ``estimate, conf_low, conf_high``.
    """
    problem = model._problem
    if problem.reml:
        raise ValueError("profile intervals are for maximum likelihood; fit with reml=False")
    if problem.nagq > 1:
        raise ValueError("profile intervals are for the Laplace approximation; fit with nagq=1")
    if not model.converged:
        raise ValueError("the fit did not converge, so that it has no profile")
    profile = _Profile(Marginal(problem), model)
    drop = special.chdtri(1, 1 - level) / 2
    rows = {
        name: profile.interval(function, drop, floor)
        for name, (function, floor) in profile.quantities().items()
    }
    columns = ["estimate", "conf_low", "conf_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("term")


class _Profile:
    """The likelihood around its maximum, in coordinates in which its Hessian is the identity."""

    def __init__(self, marginal: Marginal, model: FittedModel):
        self.marginal, self.model = marginal, model
        optimum = maximise(marginal.value_and_gradient, marginal.vector_of(model._estimate))
        self.best, self.top = optimum.point, optimum.value
        information = information_at(marginal.value_and_gradient, self.best)
        self.covariance = covariance_of(information)
        values, vectors = np.linalg.eigh(self.covariance)
        self.root = vectors * np.sqrt(np.maximum(values, 1e-12))

    def quantities(self) -> dict[str, tuple[Callable[[Array], float], float]]:
        """Each parameter as a function of the vector, with its lowest possible value."""
        marginal, scale = self.marginal, self.marginal.likelihood.scale
        found = {}
        beta = marginal.names["beta"]
        for j, name in enumerate(self.model.params.index):
            row = marginal.to_user[j] * scale
            found[name] = (lambda v, row=row: float(row @ v[beta]), -np.inf)
        theta = marginal.names["theta"]
        for each, term in zip(marginal.placed, marginal.terms, strict=True):
            part, structure = each.theta, each.structure
            q = len(structure.covariance(np.zeros(structure.n_params)))
            shown = term.names if structure.correlation(np.ones(2)) is None else [term.column_name]
            for i, name in enumerate(shown):
                found[f"sd {term.group} {name}"] = (
                    lambda v, p=part, s=structure, i=i: (
                        scale * float(np.sqrt(s.covariance(v[theta][p])[i, i]))
                    ),
                    0.0,
                )
            if structure.correlation(np.ones(2)) is not None:
                found[f"corr {term.group} {term.column_name}"] = (
                    lambda v, p=part, s=structure: float(s.correlation(v[theta][p])),
                    -1.0,
                )
            elif term.structure == "unstructured":
                for i in range(q):
                    for j in range(i):
                        found[f"corr {term.group} {term.names[j]}, {term.names[i]}"] = (
                            lambda v, p=part, s=structure, i=i, j=j: _correlation(
                                s.covariance(v[theta][p]), i, j
                            ),
                            -1.0,
                        )
        for name in self.model._estimate.shape:
            shift = marginal.shape_shift(name)
            at = marginal.names[name].start
            found[name] = (lambda v, at=at, shift=shift: float(np.exp(v[at] + shift)), 0.0)
        return found

    def interval(self, quantity, drop: float, floor: float) -> tuple[float, float, float]:
        estimate = quantity(self.best)
        step = self._wald_step(quantity) * np.sqrt(2 * drop)
        low = self._limit(quantity, estimate, -step, drop, floor)
        high = self._limit(quantity, estimate, step, drop, floor)
        return estimate, low, high

    def _gradient_of(self, quantity, vector: Array) -> Array:
        h = 1e-6
        units = np.eye(len(vector)) * h
        return np.array([(quantity(vector + u) - quantity(vector - u)) / (2 * h) for u in units])

    def _wald_step(self, quantity) -> float:
        slope = self._gradient_of(quantity, self.best)
        step = float(np.sqrt(slope @ self.covariance @ slope))
        return step if np.isfinite(step) and step > 0 else 0.1 * (abs(quantity(self.best)) + 1e-3)

    def _limit(self, quantity, estimate, step, drop, floor) -> float:
        """The value on one side at which the profile has fallen by `drop`."""
        from scipy.optimize import brentq

        start = {"z": np.zeros(len(self.best))}

        def beyond(value):
            fall, start["z"] = self._fall(quantity, value, start["z"])
            return fall - drop

        inner, outer, side = estimate, estimate + step, np.sign(step)
        ceiling = 1.0 if floor == -1.0 else np.inf
        for _ in range(12):
            bounded = float(np.clip(outer, floor, ceiling))
            if bounded != outer:
                edge = bounded - side * 1e-4 * abs(bounded - estimate)
                if beyond(edge) < 0:
                    return bounded
                outer = edge
                break
            if beyond(outer) >= 0:
                break
            inner, outer = outer, outer + step
        else:
            return np.nan
        if inner == estimate:
            return float(
                brentq(lambda x: -drop if x == estimate else beyond(x), inner, outer, rtol=1e-6)
            )
        return float(brentq(beyond, inner, outer, rtol=1e-6))

    def _fall(self, quantity, value: float, start: Array) -> tuple[float, Array]:
        """How much lower the likelihood is with the quantity at `value`, all else at its best."""
        from scipy.optimize import minimize

        def objective(z):
            height, gradient = self.marginal.value_and_gradient(self.best + self.root @ z)
            if not np.isfinite(height):
                return 1e6, np.zeros_like(z)
            return self.top - height, -self.root.T @ gradient

        scale = self._wald_step(quantity)
        constraint = {
            "type": "eq",
            "fun": lambda z: (quantity(self.best + self.root @ z) - value) / scale,
            "jac": lambda z: (
                self.root.T @ self._gradient_of(quantity, self.best + self.root @ z) / scale
            ),
        }
        found = minimize(
            objective, start, jac=True, method="SLSQP", constraints=[constraint],
            options={"ftol": 1e-9, "maxiter": 60},
        )  # fmt: skip
        return float(found.fun), found.x


def _correlation(G: Array, i: int, j: int) -> float:
    return float(G[i, j] / np.sqrt(max(G[i, i] * G[j, j], 1e-300)))
