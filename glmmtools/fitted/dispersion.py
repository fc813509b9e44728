"""The dispersion parameters of a fit as named values."""

from __future__ import annotations

import numpy as np
from scipy import special

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.problem import COEFFICIENT_NAMES, ZERO, Problem


def dispersion_values(problem: Problem, estimate: Estimate) -> dict[str, float]:
    """Shape parameters by name, and the coefficients of those that have a formula: see `Fit`."""
    values = {**problem.family.fixed, **estimate.shape}
    if problem.family.has_residual_variance and "phi" in values:
        values = {"residual sd": np.sqrt(values["phi"]), **values}
    for name, part in problem.modelled.items():
        coefficients = estimate.predictors[name]
        if name == ZERO and part.is_one_number:
            values[ZERO] = special.expit(coefficients[0])
        else:
            values |= zip(
                map(COEFFICIENT_NAMES[name].format, part.names), coefficients, strict=True
            )
    return values
