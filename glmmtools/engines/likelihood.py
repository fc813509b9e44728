"""The log-density of every row, with its derivatives in the linear predictors.

A row has up to three linear predictors: ``eta`` of the mean, one of the logarithm of each shape
parameter, and the logit of the probability of an extra zero. The engine asks for derivatives in
eta (three orders) and for those in the others of the log-density and of its first two derivatives.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from glmmtools.engines.base import Problem

__all__ = ["Likelihood"]

Array = np.ndarray
ZERO = "zero"


class Likelihood:
    """The rows of a problem, in the order given, on an internally scaled response.

    Attributes
    ----------
    scale : float
        The response is divided by it (normal and t with identity link, 1 otherwise), so that a
        response in millions is searched on the same footing as one in units.
    predictors : dict of ndarray
        Design matrix of each shape parameter's log, and of the extra zeros' logit (``"zero"``).
    """

    def __init__(self, problem: Problem, order: Array):
        design = problem.design
        self.family, self.link = problem.family, problem.link
        scaled = self.family.name in ("normal", "t") and self.link.name == "identity"
        self.scale = float(np.std(design.y - design.offset)) if scaled else 1.0
        self.y = design.y[order] / self.scale
        self.offset = design.offset[order] / self.scale
        self.trials = {name: values[order] for name, values in problem.trials.items()}
        weights = None if design.weights is None else design.weights[order]
        prior = self.family.name == "normal"
        self.weights = None if prior else weights
        self.prior = weights if prior else None
        ones = np.ones((design.n, 1))
        self.predictors = {name: ones for name in self.family.shape}
        if problem.dispersion is not None:
            self.predictors["phi"] = problem.dispersion.X[order]
        if problem.zero is not None:
            self.predictors[ZERO] = problem.zero.X[order]
        self.is_zero = self.y == 0

    def llf_shift(self) -> float:
        """What the scaling of the response adds to the log-likelihood."""
        return -len(self.y) * np.log(self.scale)

    def parameters(self, coefficients: dict[str, Array]) -> dict[str, Array]:
        """Shape parameters by row (one value where they do not vary); the zeros' logit as it is."""
        values = {}
        for name, matrix in self.predictors.items():
            constant = matrix.shape[1] == 1 and matrix[0, 0] == 1
            linear = coefficients[name][0] if constant else matrix @ coefficients[name]
            values[name] = linear if name == ZERO else np.exp(np.clip(linear, -60, 60))
        if self.prior is not None:
            values["phi"] = values["phi"] / self.prior
        return values

    def density(self, eta: Array, parameters: dict[str, Array]) -> Array:
        """Log-density of each row."""
        shape, logit = self._split(parameters)
        mu = self.family.clipped_mean(eta, self.link)
        value = self.family.log_density(self.y, mu, **shape, **self.trials)
        if logit is not None:
            inflated = np.logaddexp(value, logit)
            value = np.where(self.is_zero, inflated, value) - np.logaddexp(0, logit)
        return value if self.weights is None else value * self.weights

    def eta_derivatives(self, eta: Array, parameters: dict[str, Array], order: int = 3) -> tuple:
        """First three derivatives of the log-density of each row in eta; two for ``order=2``."""
        shape, logit = self._split(parameters)
        d1, d2, d3 = self.family.eta_derivatives(
            self.y, eta, self.link, order=order, **shape, **self.trials
        )
        if logit is not None:
            w, v, s = self._zero_weights(eta, shape, logit)
            d1, d2, d3 = (
                w * d1,
                w * d2 + v * d1**2,
                w * d3 + 3 * v * d1 * d2 + s * d1**3,
            )
        return self._weighted((d1, d2, d3))

    def other_derivatives(self, eta: Array, parameters: dict[str, Array]) -> dict[str, tuple]:
        """For each further predictor: derivatives of the density and of its two eta-derivatives."""
        shape, logit = self._split(parameters)
        found = self.family.shape_eta_derivatives(self.y, eta, self.link, **shape, **self.trials)
        if logit is not None:
            d1, d2, _ = self.family.eta_derivatives(self.y, eta, self.link, **shape, **self.trials)
            w, v, s = self._zero_weights(eta, shape, logit)
            found = {
                name: (
                    w * e0,
                    w * e1 + v * d1 * e0,
                    w * e2 + v * (e0 * d2 + 2 * d1 * e1) + s * d1**2 * e0,
                )
                for name, (e0, e1, e2) in found.items()
            }
            probability = special.expit(logit)
            found[ZERO] = (
                np.where(self.is_zero, 1 - w, 0.0) - probability,
                -v * d1,
                -v * d2 - s * d1**2,
            )
        return {name: self._weighted(values) for name, values in found.items()}

    def _split(self, parameters: dict[str, Array]) -> tuple[dict[str, Array], Array | None]:
        shape = {name: value for name, value in parameters.items() if name != ZERO}
        return shape, parameters.get(ZERO)

    def _zero_weights(self, eta, shape, logit) -> tuple[Array, Array, Array]:
        """Probability w that a zero is one of the counts, with w(1 - w) and w(1 - w)(1 - 2w)."""
        mu = self.family.clipped_mean(eta, self.link)
        density = self.family.log_density(self.y, mu, **shape, **self.trials)
        w = np.where(self.is_zero, special.expit(density - logit), 1.0)
        v = w * (1 - w)
        return w, v, v * (1 - 2 * w)

    def _weighted(self, values: tuple) -> tuple:
        return values if self.weights is None else tuple(each * self.weights for each in values)
