"""Profile intervals of coefficients that separation makes infinite: they have one end."""

from __future__ import annotations

import numpy as np

from glmmtools.engine import laplace
from glmmtools.fitted.fit import Fit

Array = np.ndarray
_DOUBLINGS = 12


class _NoValue(Exception):
    """A fit with the coefficient held at a value did not converge."""


def infinite_intervals(model: Fit, drop: float) -> dict[str, tuple[float, float, float]]:
    """Estimate and limits of each coefficient without a finite estimate.

    The finite limit is where the likelihood, maximised over all else with the coefficient held
    there, is `drop` below its least upper bound; nan where these data do not say on which side the
    coefficient tends to infinity.
    """
    intervals = {}
    for place, (name, value) in enumerate(model.params.items()):
        if np.isnan(value):
            intervals[name] = (np.nan, np.nan, np.nan)
        elif np.isinf(value):
            ends = sorted((_end(model, place, np.sign(value), drop), value))
            intervals[name] = (value, *ends)
    return intervals


def _end(model: Fit, place: int, side: float, drop: float) -> float:
    """The value of the coefficient where the likelihood has fallen so far."""
    from scipy.optimize import brentq

    def beyond(value: float) -> float:
        return model.llf - _height(model, place, value) - drop

    spread = float(np.std(model.design.X[:, place])) or 1.0
    try:
        inner, step = 0.0, side / spread
        if beyond(inner) < 0:  # look against the side to which the estimate tends
            step = -step
        outward = beyond(inner) > 0
        for _ in range(_DOUBLINGS):
            outer = inner + step
            if (beyond(outer) > 0) != outward:
                return float(brentq(beyond, inner, outer, xtol=1e-6 / spread))
            inner, step = outer, 2 * step
    except _NoValue:
        pass
    return np.nan


def _height(model: Fit, place: int, value: float) -> float:
    """The maximal log-likelihood with the coefficient held at a value."""
    estimate = laplace.fit(model.problem.with_coefficient(place, value), thorough=False)
    if not estimate.converged:
        raise _NoValue
    return estimate.llf
