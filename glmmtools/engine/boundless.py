"""Coefficients of extra zeros and of a dispersion that have no finite estimate.

Where a level has no zeros beyond those of its counts, or no scatter beyond that of a simpler
family, the likelihood rises for ever with a coefficient, and ever less: where the search ends it is
level along a direction, however far one goes. All else is then at its maximum.
"""

from __future__ import annotations

import itertools

import numpy as np

from glmmtools.engine.contained import at_limits, is_as_high
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import PARTS_IN_WORDS, ZERO, Problem
from glmmtools.engine.search import Optimum
from glmmtools.shared.messages import DataWarning
from glmmtools.shared.text import listed

Array = np.ndarray
_WEAK = 1e-3  # curvature in a direction of root mean square 1 in the rows
_FAR = 5.0  # how far one goes along it, in a logarithm or a logit


def boundless_coefficients(marginal: Marginal, optimum: Optimum) -> dict[str, Array]:
    """By part of the model, ``"phi"`` or ``"zero"``: which of the user's coefficients are such.

    Extra zeros that are absent in all rows have a message of their own.
    """
    found: dict[str, Array] = {}
    if not optimum.converged:
        return found
    whole = at_limits(marginal, optimum.point)
    for name, part in marginal.problem.modelled.items():
        if name in whole and is_as_high(marginal, optimum, whole[name]):
            continue
        to_user, place = marginal.likelihood.to_user[name], marginal.names[name]
        moved = np.zeros(len(to_user), dtype=bool)
        values, vectors = np.linalg.eigh(optimum.information[place, place])
        for direction in vectors[:, values < _WEAK].T:
            if _is_level(marginal, optimum, place, direction):
                by = np.abs(to_user @ direction) * np.sqrt(np.mean(part.X**2, axis=0))
                moved |= by > 1e-3 * by.max()
        if moved.any():
            found[name] = moved
    return found


def _is_level(marginal: Marginal, optimum: Optimum, place: slice, direction: Array) -> bool:
    """Whether the likelihood does not fall on the way to one side."""
    for sign in (-_FAR, _FAR):
        point = optimum.point.copy()
        point[place] += sign * direction
        if is_as_high(marginal, optimum, point):
            return True
    return False


def boundless_messages(problem: Problem, found: dict[str, Array]) -> list[DataWarning]:
    """What to say of them."""
    messages = []
    for name, marked in found.items():
        names = list(itertools.compress(problem.modelled[name].names, marked))
        what = "probability of an extra zero" if name == ZERO else "dispersion"
        have = "have no finite estimates" if len(names) > 1 else "has no finite estimate"
        messages.append(
            DataWarning(
                f"In the {PARTS_IN_WORDS[name]} {listed(names)} {have}: in some rows the "
                f"{what} is at an end of its range, as far as the data tell. All other numbers are "
                "estimates."
            )
        )
    return messages
