"""Whether the likelihoods of models may be compared: of the same response, rows and criterion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glmmtools.fitted.fit import Fit, require_converged, require_maximum
from glmmtools.shared.matrices import are_same


def check_comparable(models: Sequence[Fit], what: str) -> None:
    """Raise ValueError if the log-likelihoods of the models, which `what` needs, are not of the
    same data.
    """
    for model in models:
        require_maximum(model, f"{what} needs")
        require_converged(model, f"{what} needs")
    first = models[0]
    for other in models[1:]:
        difference = (
            _different_response(first, other)
            or _different_weights(first, other)
            or _different_criterion(first, other)
        )
        if difference:
            raise ValueError(f"{first.formula!r} and {other.formula!r}: {difference}")


def _different_response(one: Fit, other: Fit) -> str:
    a, b = one.design, other.design
    names = a.response.text, b.response.text
    if a.n != b.n:
        return (
            f"they are fitted to different rows ({a.n} and {b.n}), because of missing values or "
            "other data. Fit both to the rows without missing values: data.dropna(subset=[...])"
        )
    if (a.trials is None) != (b.trials is None):
        return "one has a response with trials and the other has not; they are different responses"
    same_trials = a.trials is None or np.array_equal(a.trials, b.trials)
    if same_trials and are_same(a.y, b.y):
        return ""
    if names[0] != names[1]:
        return (
            f"they have different responses, {names[0]} and {names[1]}, whose likelihoods are on "
            "different scales. For a transformed response choose a link or a family on the "
            "response itself: family='lognormal' instead of log(y)"
        )
    return f"they are fitted to different rows, or rows in another order: {names[0]} differs"


def _different_weights(one: Fit, other: Fit) -> str:
    weights = one.design.weights, other.design.weights
    a, b = (np.ones(one.nobs) if w is None else w for w in weights)
    return "" if are_same(a, b) else "they have different weights"


def _different_criterion(one: Fit, other: Fit) -> str:
    a, b = one.problem, other.problem
    if a.reml != b.reml:
        return "one is fitted by REML, the other by maximum likelihood; fit both with reml=False"
    if a.reml and not are_same(a.design.X, b.design.X):
        return (
            "REML likelihoods of different fixed parts are of different data (contrasts of the "
            "response) and cannot be compared; fit both with reml=False"
        )
    if a.nagq != b.nagq:
        return (
            f"their likelihoods are approximated differently, nagq={a.nagq} and nagq={b.nagq}; "
            "fit both with the same nagq"
        )
    return ""
