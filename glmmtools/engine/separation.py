"""Separation: coefficients that the likelihood drives to infinity, and what stays finite.

A response that is the only possible one at an end of the interval of means (successes only,
failures only, a count of zero) is the likelier the nearer the mean lies to that end, up to
probability one. The data are *separated* where the coefficients can move along a direction ``d``
such that ``x·d`` leads every such row towards its end or leaves it where it is, and leaves all
other rows where they are (Albert & Anderson 1984, Biometrika 71:1). The likelihood then has no
maximum. Its least upper bound is the maximum of the likelihood of the rows that no such direction
moves: the rows that one moves are *certain*, whatever their random effects, and add nothing
(Geyer 2009, Electron. J. Stat. 3:259). A combination of coefficients is finite if the rows that
are left tell it.

That no such direction exists is proven by positive weights of the rows that sum to zero. With
``a`` the row x of such a response, its sign that of the end, ``a·d ≥ 0`` for each. A step of
Newton's method for the logistic regression of ones on these rows has weights at hand: if it moves
every row by less than 1, then ``w - w(1 - w) a·step`` are positive and their sum over the rows a
is zero. Where that proves nothing a linear programme looks for a direction (Konis 2007, Linear
programming algorithms for detecting separated data), which is then checked against the rank of
what it leaves.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import special

from glmmtools.engine.problem import Problem
from glmmtools.formula.rank import Rank
from glmmtools.shared.text import listed

Array = np.ndarray
_FEW = 2000  # rows that are looked at first: where they are not separated, no more are
_STEPS, _LONGEST = 10, 4.0  # of Newton's method; beyond, weights are too small to prove anything
_SHORT = 0.5  # a step that proves that nothing is separated; 1 would do but for rounding
_DEPENDENT = 1e-10
_ROUNDS, _AT_ONCE = 50, 1000  # of the linear programme: rows that are added to it in a round
_POSITIVE = (1e-6, 1e-9)  # cosines beyond which a direction moves a row


@dataclass(frozen=True, eq=False)
class Separation:
    """Which rows are certain, and which combinations of the coefficients are finite.

    Attributes
    ----------
    side : ndarray, shape (n,)
        Where eta of a row tends: -1 or 1 to minus or plus infinity; 0 where it is finite.
    rank : Rank
        Of the columns of X, shape (n, p), in the rows that are not certain: those kept have
        estimates, and the null space is that of the k directions that these rows do not tell.
    origin : ndarray, shape (p,)
        Subtracted from the columns of X, for the precision of columns far from zero.
    coordinates : ndarray, shape (k, k)
        Of a combination of the coefficients, from what it has of the null space.
    pulls : ndarray, shape (m, k)
        What the certain rows say of the directions, in these coordinates: a combination tends to
        infinity if it is a sum of positive multiples of them, up to what is finite.
    """

    side: Array
    rank: Rank
    origin: Array
    coordinates: Array
    pulls: Array

    @property
    def certain(self) -> Array:
        """Which rows are certain, shape (n,)."""
        return self.side != 0

    def side_of(self, combinations: Array) -> Array:
        """Where combinations of the coefficients tend, shape (m, p).

        Returns
        -------
        ndarray, shape (m,)
            0 where finite, -1 or 1 where to minus or plus infinity, nan where these data cannot say
            (and where a combination is itself nan).
        """
        beyond = self.rank.split(_from_origin(combinations, self.origin))[1]
        side = np.zeros(len(combinations))
        infinite = np.any(beyond != 0, axis=1)
        if infinite.any():
            directions = _unit(beyond[infinite] @ self.coordinates).round(10)
            unique, place = np.unique(directions, axis=0, return_inverse=True)
            side[infinite] = np.array(list(map(self._side_along, unique)))[place.ravel()]
        return side

    def _side_along(self, direction: Array) -> float:
        """The sign with which a direction is a sum of positive multiples of the pulls, or nan."""
        from scipy.optimize import linprog

        if np.isnan(direction).any():
            return np.nan
        nothing = np.zeros(len(self.pulls))  # to minimise: whether it is possible at all
        for sign in (1.0, -1.0):
            if linprog(nothing, A_eq=self.pulls.T, b_eq=sign * direction).status == 0:
                return sign
        return np.nan


def separation_of(problem: Problem) -> Separation | None:
    """The separation of the fixed part by the response; None where there is none."""
    X, side = problem.design.X, _ends(problem)
    n, p = X.shape
    if not p or problem.penalty is not None or not side.any():
        return None
    every = max(1, n // _FEW)
    few = X[::every]
    if _is_overlapping(_leading(_from_origin(few, _origin(few)), side[::every])):
        return None
    origin = _origin(X)
    X = _from_origin(X, origin)
    left, rank = np.ones(n, dtype=bool), Rank.full(p)
    while len(rank.kept):
        found = _separated_rows(X[left][:, rank.kept], side[left])
        if not found.any():
            break
        left[left] = ~found
        rank = Rank.of(X[left], problem.design.columns)
    if left.all():
        return None
    beyond = side[~left, None] * rank.split(X[~left])[1]
    size = np.linalg.norm(beyond, axis=0)
    Q, R = np.linalg.qr(beyond / size)
    coordinates = np.linalg.inv(R) / size[:, None]
    pulls = np.unique(_unit(Q).round(12), axis=0)
    return Separation(np.where(left, 0.0, side), rank, origin, coordinates, pulls)


def _origin(X: Array) -> Array:
    """The means of the columns, where the first one is an intercept; else zero."""
    origin = np.zeros(X.shape[1])
    if np.all(X[:, 0] == 1):
        origin[1:] = X[:, 1:].mean(axis=0)
    return origin


def _from_origin(rows: Array, origin: Array) -> Array:
    return rows - rows[:, :1] * origin


def _unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _ends(problem: Problem) -> Array:
    """Towards which end of eta a row is led: -1 or 1; 0 where its mean is finite."""
    design, link = problem.design, problem.link
    at_end = problem.family.certain_at_end(design.y, design.trials)
    side = np.zeros(design.n)
    if problem.has_two_parts:  # a row says how probable a zero is, however certain its value else
        return side
    for eta in filter(np.isinf, link.eta_interval):
        for which, mean in zip((-1, 1), problem.family.mean_interval, strict=True):
            if link.inverse(eta) == mean and np.isfinite(mean):
                side[at_end == which] = np.sign(eta)
    return side


def _leading(X: Array, side: Array) -> Array:
    """The rows that an end leads, times its sign, along directions that move no other row."""
    free = Rank.of(X[side == 0], range(X.shape[1]))
    return side[side != 0, None] * free.split(X[side != 0])[1]


def _is_overlapping(rows: Array) -> bool:
    """Whether positive weights of the rows sum to zero, and no direction leaves all of them."""
    k = rows.shape[1]
    if not k:
        return True
    size = np.linalg.norm(rows, axis=0)
    if len(rows) <= k or not size.all():
        return False
    Q, R = np.linalg.qr(rows / size)
    if np.abs(np.diag(R)).min() < _DEPENDENT:
        return False
    eta, longest = np.zeros(len(Q)), np.linalg.norm(Q, axis=1).max()
    for _ in range(_STEPS):
        weights = special.expit(-eta)
        curvature = weights * (1 - weights)
        information = Q.T @ (Q * curvature[:, None])
        least = np.linalg.eigvalsh(information)[0]
        if least <= 0:
            return False
        step = Q @ np.linalg.solve(information, weights @ Q)
        # the sum is zero up to rounding, of which a direction would need more than this
        rounding = np.linalg.norm((weights - curvature * step) @ Q)
        if step.max() < _SHORT and rounding < least / (2 * longest):
            return True
        eta += step * min(1.0, _LONGEST / np.abs(step).max())
    return False


def _separated_rows(X: Array, side: Array) -> Array:
    """Rows that one direction separates from the others; X has full rank."""
    none, ends = np.zeros(len(X), dtype=bool), np.flatnonzero(side)
    leading = _leading(X, side)
    moved = np.any(leading != 0, axis=1)
    leading, ends = leading[moved], ends[moved]
    if _is_overlapping(leading):
        return none
    size, cosines = _separating(leading)
    for least in _POSITIVE:
        moving, found = cosines > least, none.copy()
        found[ends[moving]] = True
        rest = Rank.of(X[~found], range(X.shape[1]))
        along = side[found, None] * rest.split(X[found])[1]
        if moving.any() and _is_moved(along / size[moving, None], cosines[moving]):
            return found
    return none


def _is_moved(along: Array, forward: Array) -> bool:
    """Whether a direction that leaves all other rows moves these rows forward, as was found."""
    if not along.shape[1]:
        return False
    direction = np.linalg.lstsq(along, forward, rcond=None)[0]
    return bool(np.all(along @ direction > 1e-12 * (np.abs(along) @ np.abs(direction))))


def _separating(rows: Array) -> tuple[Array, Array]:
    """The size of each row in orthonormal columns, and its cosine with a separating direction.

    The direction moves rows forward or not at all; cosines are zero where there is none. The
    programme starts with some of the rows, and takes in those that its solution moves back.
    """
    from scipy.optimize import linprog

    Q = np.linalg.qr(rows / np.linalg.norm(rows, axis=0))[0]
    size = np.linalg.norm(Q, axis=1)
    Q /= size[:, None]
    total, nowhere = Q.sum(axis=0), np.zeros(len(Q))
    used = nowhere > 0
    used[:: max(1, len(Q) // _AT_ONCE)] = True
    for _ in range(_ROUNDS):
        solution = linprog(-total, A_ub=-Q[used], b_ub=np.zeros(used.sum()), bounds=(-1, 1))
        if solution.status != 0:
            break
        cosines = Q @ solution.x
        worst = np.argsort(cosines)[:_AT_ONCE]
        back = worst[cosines[worst] < -1e-7]
        if not len(back):
            return size, cosines
        used[back] = True
    return size, nowhere


def separated_names(problem: Problem, separation: Separation) -> list[str]:
    """Names of the coefficients that have no finite estimate."""
    names = problem.design.names
    return list(itertools.compress(names, separation.side_of(np.eye(len(names))) != 0))


def no_finite_value(problem: Problem, names: list[str]) -> str:
    """The sentence that says which estimates have no finite value, and why."""
    what = problem.family.ends
    if len(names) == 1:
        return f"The estimate of {names[0]!r} has no finite value: it separates {what}."
    quoted = listed(map(repr, names))
    return f"The estimates of {quoted} have no finite value: together they separate {what}."
