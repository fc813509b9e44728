"""The outer search: maximise a function of a few parameters from its value and exact gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

Array = np.ndarray
Function = Callable[[Array], tuple[float, Array]]
_MAX_ITERATIONS = 300
_MAX_REFRESHED = 50  # iterations; a search that takes longer is lost, and made no dearer
_MAX_POLISH = 12
_MOST_FAILURES = 15  # points without a value
_MAX_STEP = 0.6  # in units of the parameters; shorter or longer, more steps are needed
_PART_OF_SD = 0.8  # by which a step may change a standard deviation,
_SMALL_STEP = 0.1  # or by this
_FLAT = 1e-7  # relative curvature below which a direction counts as flat
_LEVEL = 1e-5  # largest slope along a flat direction; steeper, the function has no maximum there
_PREDICTED_GAIN = 1e-12  # steps of less than 2e-6 standard errors
_IDLE, _MAX_IDLE = 1e-9, 10  # gain that is none, relative to the value; such steps in a row
_SAME_HILL = 1e-3  # fall below a known maximum, within which a search ends there
_NEAR = 1e-5  # twice the gain below which an updated Hessian is good enough
_HOPED, _MARGIN = 4.0, 0.5  # times the predicted gain, and more: what a search may still rise
_AWAY = 20.0  # the less, the nearer it is: of the margin, where 0.07 standard errors away


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where the search ended.

    Attributes
    ----------
    point, gradient : ndarray
    value : float
    information : ndarray
        Negative Hessian, differenced from the gradient.
    covariance : ndarray
        Its inverse over the directions that are not flat.
    flat : ndarray, shape (k, d)
        Unit vectors along which the function does not change.
    converged : bool
        Gradient zero and information positive definite, up to rounding and flat directions.
    abandoned : bool
        The search ended early, for it would not have reached the height asked for.
    """

    point: Array
    value: float
    gradient: Array
    information: Array
    covariance: Array
    flat: Array
    converged: bool
    abandoned: bool = False


def one_by_one(function: Function, points: Array) -> tuple[Array, Array]:
    """Values and gradients at several points of a function that is computed for one."""
    both = [function(point) for point in points]
    return np.array([value for value, _ in both]), np.array([slope for _, slope in both])


def maximise(
    function: Function,
    start: Array,
    refresh: int = 1,
    is_sd: Array | bool = False,
    known: Optimum | None = None,
    information: Callable[[Array], Array] | None = None,
    units: Callable[[Array], Array] = np.ones_like,
    worth: float = -np.inf,
) -> Optimum | None:
    """Quasi-Newton search, then Newton steps; None if the function has no value at `start`.

    Parameters
    ----------
    function : callable
        Takes one point or several (one a row), returns the value and the gradient of each.
    start : ndarray
    refresh : int
        Steps after which the Hessian is differenced anew; between, it is updated.
    is_sd : ndarray of bool, optional
        Marks standard deviations. The function is even in these: a step that crosses zero is
        seldom of use, and steps are bounded by a part of the value.
    known : Optimum, optional
        A maximum found before: a search that comes into its neighbourhood ends there.
    information : callable, optional
        The negative Hessian at a point; by default it is differenced from the gradient.
    units : callable, optional
        Of each parameter, at a point: what is a large step in it; by default 1, as in a linear
        predictor.
    worth : float, optional
        The height below which a maximum is of no use: a search that will not reach it is abandoned.
    """
    function = _Patient(function)
    if information is None:
        hessian = partial(_information, function, units)
    else:

        def hessian(point, gradient, se=None):
            return information(point)

    point = np.array(start, float)
    value, gradient = function(point)
    if not np.isfinite(value):
        return None
    if len(point) == 0:
        empty = np.zeros((0, 0))
        return Optimum(point, value, gradient, empty, empty, empty, True)
    inverse = _uphill_inverse(hessian(point, gradient))
    climb = partial(_quasi_newton, function, hessian, refresh, is_sd, units)
    found = climb(point, value, gradient, inverse, known, worth)
    if _climbs_to(known, *found[:2]):
        return known
    _, value, gradient, inverse = found
    if _is_hopeless(worth, value, 0.5 * gradient @ inverse @ gradient):
        return Optimum(*_nothing_known(*found[:3]), converged=False, abandoned=True)
    return _polish(function, hessian, climb, units, *found)


class _Patient:
    """A function that has no value anywhere any more, once it had none at too many points.

    Where a likelihood ends on all sides, each of them may cost the longest search for the modes.
    """

    def __init__(self, function: Function):
        self.function, self.failures = function, 0

    def __call__(self, points: Array) -> tuple[float | Array, Array]:
        if self.failures > _MOST_FAILURES:
            return np.full(points.shape[:-1], -np.inf)[()], np.zeros(points.shape)
        value, gradient = self.function(points)
        self.failures += int(np.sum(~np.isfinite(value)))
        return value, gradient


def _climbs_to(known: Optimum | None, point: Array, value: float) -> bool:
    """Whether a point lies on the hill of a known maximum: near it, as high as its Hessian says."""
    if known is None or not known.converged or len(known.flat):
        return False
    away = point - known.point
    fall = 0.5 * away @ known.information @ away
    return fall < _SAME_HILL and abs(known.value - fall - value) < 0.5 * fall + _IDLE


def _is_hopeless(worth: float, value: float, gain: float) -> bool:
    margin = _MARGIN * min(1.0, _AWAY * np.sqrt(max(gain, 0.0)))
    return value + _HOPED * gain + margin < worth


def _nothing_known(point: Array, value: float, gradient: Array) -> tuple:
    """An end of a search, with no information about it."""
    nan = np.full((len(point), len(point)), np.nan)
    return point, value, gradient, nan, nan, np.zeros((0, len(point)))


def _quasi_newton(
    function, hessian, refresh, is_sd, units, point, value, gradient, inverse, known=None,
    worth=-np.inf,
):  # fmt: skip
    """BFGS with backtracking; the step is bounded, and points without a value are stepped back.

    A step that had to be shortened speaks against the Hessian, which is then differenced anew.
    """
    idle = 0
    for step in range(1, _MAX_ITERATIONS):
        direction = inverse @ gradient
        gain = 0.5 * gradient @ direction
        if gain < _PREDICTED_GAIN or _is_hopeless(worth, value, gain):
            break
        longest = _MAX_STEP * units(point)
        part = np.clip(_PART_OF_SD * np.abs(point), _SMALL_STEP, longest)
        longest = np.where(is_sd, part, longest)
        direction /= max(1.0, np.max(np.abs(direction) / longest))
        moved = _backtrack(function, point, value, gradient, direction)
        if moved is None:
            break
        new_point, new_value, new_gradient = moved
        shortened = not np.array_equal(new_point, point + direction)
        idle = idle + 1 if new_value - value < _IDLE * (1 + abs(value)) else 0
        inverse = _updated(inverse, new_point - point, gradient - new_gradient)
        point, value, gradient = new_point, new_value, new_gradient
        if idle == _MAX_IDLE or _climbs_to(known, point, value):
            break
        due = (step % refresh == 0 or shortened) and step <= _MAX_REFRESHED
        rise = gradient @ inverse @ gradient
        if due and rise > _NEAR and not _is_hopeless(worth, value, 0.5 * rise):
            information = hessian(point, gradient)
            if np.all(np.isfinite(information)):
                inverse = _uphill_inverse(information)
    return point, value, gradient, inverse


def _backtrack(function, point, value, gradient, direction):
    slope, length = gradient @ direction, 1.0
    for _ in range(25):
        candidate = point + length * direction
        new_value, new_gradient = function(candidate)
        if new_value >= value + 1e-4 * length * slope - 1e-11 * abs(value):
            return candidate, new_value, new_gradient
        length *= 0.5 if np.isfinite(new_value) else 0.2
    return None


def _updated(inverse: Array, step: Array, fall: Array) -> Array:
    """The BFGS update of the inverse; skipped where the curvature is not positive."""
    product = step @ fall
    if product <= 1e-10 * np.linalg.norm(step) * np.linalg.norm(fall):
        return inverse
    rotate = np.eye(len(step)) - np.outer(step, fall) / product
    return rotate @ inverse @ rotate.T + np.outer(step, step) / product


def _information(
    function: Function,
    units: Callable[[Array], Array],
    point: Array,
    gradient: Array | None,
    se: Array | None = None,
):
    """Negative Hessian, differenced from the gradient: forward, or central where `se` is given."""
    unit = units(point)
    if se is None:
        h = 1e-5 * unit
        below = gradient
    else:
        h = np.clip(1e-3 * np.nan_to_num(se), 1e-7 * unit, 1e-3 * unit)
    shifts = np.diag(h)
    points = point + shifts if se is None else np.vstack([point + shifts, point - shifts])
    values, gradients = function(points)
    gradients = np.where(np.isfinite(values)[:, None], gradients, np.nan)
    above = gradients[: len(point)]
    if se is not None:
        below, h = gradients[len(point) :], 2 * h
    information = (below - above) / h[:, None]
    return (information + information.T) / 2


def information_at(function: Function, point: Array) -> Array:
    """Negative Hessian at a point, by central differences of the gradient."""
    return _information(function, np.ones_like, point, None, np.full(len(point), 0.1))


def _scaled_spectrum(information: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues and -vectors after scaling to a unit diagonal, and the scale."""
    diagonal = np.abs(np.diag(information))
    scale = 1 / np.sqrt(np.maximum(diagonal, 1e-6 * max(1.0, diagonal.max())))
    values, vectors = np.linalg.eigh(information * np.outer(scale, scale))
    return values, vectors, scale


def _uphill_inverse(information: Array) -> Array:
    """A positive definite inverse: eigenvalues by their size, small ones raised."""
    if not np.all(np.isfinite(information)):
        return np.eye(len(information)) * 1e-2
    values, vectors, scale = _scaled_spectrum(information)
    half = vectors * (1 / np.sqrt(np.maximum(np.abs(values), 1e-3)))
    return (half @ half.T) * np.outer(scale, scale)


def _polish(function, hessian, climb, units, point, value, gradient, inverse) -> Optimum:
    """Newton steps with central differences, until the predicted gain is rounding.

    After a step that changes nothing but rounding the Hessian before it is still that of the point.
    """
    converged, escapes, settled = False, 0, False
    for _ in range(_MAX_POLISH):
        if not settled:
            se = np.sqrt(np.abs(np.diag(inverse)))
            information = hessian(point, None, se)
            if not np.all(np.isfinite(information)):
                break
            values, vectors, scale = _scaled_spectrum(information)
            inverse, flat = _inverse_off_flat(values, vectors, scale)
        direction = inverse @ gradient
        gain = 0.5 * gradient @ direction
        saddle = values[0] < -1e-4
        level = bool(np.all(np.abs(flat @ gradient) < _LEVEL))
        if saddle and escapes < 3:
            escapes += 1
            start = _leave_saddle(function, point, value, vectors[:, 0] * scale, units(point))
            if start is not None:
                point, value, gradient, inverse = climb(*start, _uphill_inverse(information))
                continue
        rounding = (1e-13 if settled else 1e-16) * (1 + abs(value))
        if abs(gain) < rounding and not saddle:
            converged = level
            break
        settled = abs(gain) < _PREDICTED_GAIN and not saddle
        direction /= max(1.0, np.max(np.abs(direction) / (_MAX_STEP * units(point))))
        moved = _backtrack(function, point, value, gradient, direction)
        if moved is None or moved[1] < value - 1e-10 * (1 + abs(value)):
            converged = abs(gain) < 1e-8 * (1 + abs(value)) and level and not saddle
            break
        point, value, gradient = moved
    else:
        converged = abs(gain) < 1e-8 * (1 + abs(value)) and level and not saddle
    if not np.all(np.isfinite(information)):
        return Optimum(*_nothing_known(point, value, gradient), converged=False)
    return Optimum(point, value, gradient, information, inverse, flat, bool(converged))


def _inverse_off_flat(values: Array, vectors: Array, scale: Array) -> tuple[Array, Array]:
    """The inverse over directions with curvature, and the unit vectors of those without."""
    curved = np.abs(values) > _FLAT
    part = vectors[:, curved] / np.sqrt(np.abs(values[curved]))
    inverse = (part @ part.T) * np.outer(scale, scale)
    flat = (vectors[:, ~curved] * scale[:, None]).T
    return inverse, flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-300)


def covariance_of(information: Array) -> Array:
    """Inverse of an information matrix over the directions that are not flat."""
    return _inverse_off_flat(*_scaled_spectrum(information))[0]


def _leave_saddle(function, point, value, direction, units):
    direction = direction / np.max(np.abs(direction) / units)
    for length in (0.3, -0.3, 0.05, -0.05):
        candidate = point + length * direction
        new_value, new_gradient = function(candidate)
        if new_value > value:
            return candidate, new_value, new_gradient
    return None
