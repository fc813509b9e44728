"""The conditional modes of the spherical random effects, by Newton's method.

The joint log-density of data and random effects is ``sum(log-density) - |u|²/2``. Its maximum over
the effects is found by damped steps with the observed Hessian (`arrow`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from glmmtools.engine.arrow import Arrow
from glmmtools.engine.effect_rows import EffectRows
from glmmtools.engine.nested_arrow import arrow_of

Array = np.ndarray
_MAX_STEPS = 60
_MAX_HALVINGS = 30
_MAX_ALL_HALVINGS = 100  # of one search: beyond, the mode lies where the density has an end,
_MAX_HOLLOW = 20  # as after so many steps in a row from points where it is not concave
_EXACT = 1e-20  # decrement a row at which the mode is found
_CLOSE = 1e-10  # below, the next step of Newton's method will be exact
_MOST_PULLS = 8  # each with ten times the weight of the rows that are still impossible
_SMALL = 0.1  # decrement of a block (or a copy) below which a whole step is safe


@dataclass(frozen=True, eq=False)
class Solution:
    """The mode: effects, linear predictor, derivatives there, and the factorised Hessian."""

    u: Array
    border: Array
    eta: Array
    derivatives: tuple[Array, Array, Array]
    arrow: Arrow
    likelihood: object
    parameters: dict[str, Array]

    @property
    def log_joint(self) -> Array:
        """Log joint density of each copy at the mode, without the constant of the prior."""
        pattern = self.arrow.effects.pattern
        density = self.likelihood.density(self.eta, self.parameters)
        return sum(
            part.reshape(pattern.copies, -1).sum(axis=1)
            for part in (density, -0.5 * self.u**2, -0.5 * pattern.prior * self.border**2)
        )


def find_modes(effects: EffectRows, fixed: Array, likelihood, parameters, start) -> Solution | None:
    """Maximise the joint density over the effects by damped Newton steps; None if that fails.

    Steps use the observed Hessian; where it is not positive definite, its negative weights are set
    to zero, which keeps the step uphill. Steps are taken whole where they are small or the
    log-density is concave, and taken back and halved if the next step would be larger: that saves
    the density. Should it lead nowhere, the search starts again and checks every step.
    """
    search = _Newton(effects, fixed, likelihood, parameters)
    return search.run(*start, trusting=True) or search.run(*start, trusting=False)


class _Point(NamedTuple):
    """Block effects (levels, q), border effects (m,), and eta (n,) at them."""

    u: Array
    border: Array
    eta: Array


class _Unchecked(NamedTuple):
    """A whole step that was taken without asking the density: whence, and what it promised."""

    start: _Point
    step: tuple[Array, Array]
    decrements: Array


class _Newton:
    """Newton's method for the modes at one value of the parameters."""

    def __init__(self, effects: EffectRows, fixed: Array, likelihood, parameters):
        self.effects, self.fixed = effects, fixed
        self.likelihood, self.parameters = likelihood, parameters
        pattern = effects.pattern
        # without a border each block is damped on its own, else each copy
        self.parts = pattern.copies if effects.has_border else len(pattern.starts)
        self.derivatives = self.arrow = self.curvature = None
        self._risen: tuple[_Point, Array] | None = None  # to where a damped step led; its height
        self.observed, self.halvings = False, 0

    def run(self, u: Array, border: Array, trusting: bool) -> Solution | None:
        self.halvings = 0
        point, unchecked = self._start(u, border, trusting), None
        decrement = np.inf if u.size or border.size else 0.0
        copies = self.effects.pattern.copies
        exact, hollow = _EXACT * (1 + len(point.eta) / copies), 0
        for _ in range(_MAX_STEPS):
            before = decrement
            self._differentiate(point.eta, order=3 if before < _CLOSE else 2)
            hollow = 0 if self.observed else hollow + 1
            if hollow > _MAX_HOLLOW:
                return None
            step, decrements = self._step(point)
            if unchecked and not self._was_safe(unchecked, decrements):
                moved = self._damped(unchecked.start, unchecked.step)
                if moved is None:
                    return None
                point, decrement = moved, np.inf
                self.arrow = unchecked = None
                continue
            decrement = float(np.sum(decrements)) / copies
            if not np.isfinite(decrement):
                return None
            if self.observed and decrement < exact:
                return self._at(point)
            if trusting and decrement < before and self._is_safe(decrements):
                unchecked = _Unchecked(point, step, decrements)
                point = self._moved(point, *step)
                continue
            unchecked = None
            # Newton's method has stopped to converge, or no uphill step is left above rounding:
            # the mode, as far as doubles resolve.
            if decrement > before / 4 and self._is_rounding(decrement, point.eta, 1e-10):
                return self._at(point)
            moved = self._damped(point, step)
            if moved is None:
                resolved = self._is_rounding(decrement, point.eta, 1e-8)
                return self._at(point) if resolved else None
            point = moved
        return None

    def _start(self, u: Array, border: Array, trusting: bool) -> _Point:
        """The given effects; others where a careful search finds no density at them.

        Those are zeros, or else effects that lead each row towards its response.
        """
        point = _Point(u, border, self.fixed + self.effects.dot(u, border))
        if trusting or self._is_possible(point):
            return point
        none = _Point(np.zeros_like(u), np.zeros_like(border), self.fixed.copy())
        if self._is_possible(none):
            return none
        towards = self.likelihood.working - self.fixed
        weights = np.ones(len(towards))
        for _ in range(_MOST_PULLS):
            pulled, _ = _positive_definite(self.effects, weights)
            if pulled is None:  # parameters beyond what numbers hold
                break
            point = self._moved(
                none, *pulled.solve(*self.effects.transposed_dot(weights * towards))
            )
            if self._is_possible(point):
                return point
            weights[~np.isfinite(self.likelihood.density(point.eta, self.parameters))] *= 10
        return none

    def _is_possible(self, point: _Point) -> bool:
        return bool(np.all(np.isfinite(self.likelihood.density(point.eta, self.parameters))))

    def _differentiate(self, eta: Array, order: int) -> None:
        """Derivatives at eta, and the Hessian's factors anew if the curvature has changed."""
        self.derivatives = self.likelihood.eta_derivatives(eta, self.parameters, order=order)
        if self.arrow is None or not np.array_equal(self.derivatives[1], self.curvature):
            self.curvature = self.derivatives[1]
            self.arrow, self.observed = _positive_definite(self.effects, -self.curvature)

    def _step(self, point: _Point) -> tuple[tuple[Array, Array] | None, Array]:
        """Newton's step, and of each part twice the gain that it promises (nan without a step)."""
        if self.arrow is None:
            return None, np.array([np.nan])
        block, border = self.effects.transposed_dot(self.derivatives[0])
        gradient = block - point.u, border - self.effects.pattern.prior * point.border
        step = self.arrow.solve(*gradient)
        decrements = np.zeros(1)
        for slope, move in zip(gradient, step, strict=True):
            if slope.size:
                decrements = decrements + (slope * move).reshape(self.parts, -1).sum(axis=1)
        return step, decrements

    def _was_safe(self, unchecked: _Unchecked, decrements: Array) -> bool:
        """Whether the next step is smaller than the unchecked one was."""
        return self.observed and np.all(decrements <= np.maximum(unchecked.decrements, _SMALL))

    def _is_safe(self, decrements: Array) -> bool:
        return self.observed and (self.likelihood.concave or np.max(decrements) < _SMALL)

    def _moved(self, point: _Point, by_u: Array, by_border: Array) -> _Point:
        u, border = point.u + by_u, point.border + by_border
        return _Point(u, border, self.fixed + self.effects.dot(u, border))

    def _at(self, point: _Point) -> Solution:
        derivatives = self.derivatives
        if derivatives[2] is None:
            derivatives = self.likelihood.eta_derivatives(point.eta, self.parameters)
        return Solution(*point, derivatives, self.arrow, self.likelihood, self.parameters)

    def _is_rounding(self, decrement: float, eta: Array, tolerance: float) -> bool:
        if not self.observed:
            return False
        density = self.likelihood.density(eta, self.parameters)
        return decrement < tolerance * (1 + np.abs(density).sum())

    def _objective(self, point: _Point) -> Array:
        """The joint log-density of each part."""
        density = self.likelihood.density(point.eta, self.parameters)
        prior = -0.5 * point.u**2
        if not self.effects.has_border:
            return self.effects.by_block(density) + prior.sum(axis=1)
        border = -0.5 * self.effects.pattern.prior * point.border**2
        return sum(part.reshape(self.parts, -1).sum(axis=1) for part in (density, prior, border))

    def _damped(self, point: _Point, step: tuple[Array, Array]) -> _Point | None:
        """Take the step, halved until the joint density does not fall; None where it cannot."""
        known = self._risen is not None and self._risen[0] is point
        before = self._risen[1] if known else self._objective(point)
        slack = 1e-12 * (1 + np.abs(before))
        length = np.ones(self.parts)
        for _ in range(min(_MAX_HALVINGS, _MAX_ALL_HALVINGS - self.halvings)):
            by_u = (step[0].reshape(self.parts, -1) * length[:, None]).reshape(point.u.shape)
            by_border = np.zeros_like(point.border)
            if self.effects.has_border:
                by_border = step[1] * np.repeat(length, len(point.border) // self.parts)
            moved = self._moved(point, by_u, by_border)
            height = self._objective(moved)
            with np.errstate(invalid="ignore"):
                worse = ~(height >= before - slack)
            if not np.any(worse):
                self._risen = moved, height
                return None if np.array_equal(moved.eta, point.eta) else moved
            length = np.where(worse, length / 2, length)
            self.halvings += 1
        return None


def _positive_definite(effects: EffectRows, W: Array) -> tuple[Arrow | None, bool]:
    """The factorised Hessian, and whether it is the observed one."""
    if not np.all(np.isfinite(W)):
        return None, False
    try:
        return arrow_of(effects, W), True
    except np.linalg.LinAlgError:
        try:
            return arrow_of(effects, np.maximum(W, 0)), False
        except np.linalg.LinAlgError:
            return None, False
