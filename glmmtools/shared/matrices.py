"""Facts about matrices that several rooms ask for."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
_ROUNDING = 1e-8  # relative, of what was solved for
_LAST_DIGITS = 1e-12  # relative, of what was computed in another order


def spans(larger: Array, smaller: Array) -> bool:
    """Whether the columns of one matrix are combinations of those of another.

    >>> spans(np.eye(2), np.ones((2, 1)))
    True
    """
    if smaller.shape[1] == 0:
        return True
    if smaller.shape[1] > larger.shape[1]:
        return False
    return are_same(smaller, larger @ coordinates(larger, smaller), _ROUNDING)


def are_same(one: Array, other: Array, rounding: float = _LAST_DIGITS) -> bool:
    """Whether columns agree up to rounding, which is relative to the column, whatever its units.

    >>> are_same(np.array([1e-10, 2e-10]), np.array([2e-10, 1e-10]))
    False
    """
    if one.shape != other.shape:
        return False
    left = np.linalg.norm(one - other, axis=0)
    return bool(np.all(left <= rounding * np.linalg.norm(one, axis=0)))


def coordinates(larger: Array, smaller: Array) -> Array:
    """The combinations of the columns of one matrix that are nearest to those of another."""
    sizes = np.linalg.norm(larger, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    return (np.linalg.lstsq(larger / sizes, smaller)[0].T / sizes).T


def has_constant(X: Array) -> bool:
    """Whether some combination of the columns is 1 in every row."""
    return spans(X, np.ones((len(X), 1)))


def orthonormal(X: Array) -> tuple[Array, Array]:
    """Columns with XᵀX = n I that span those of `X`, and the matrix that takes their coefficients
    to those of `X`.

    >>> columns, to_user = orthonormal(np.array([[1.0, 0.0], [1.0, 2.0]]))
    >>> np.allclose(columns @ np.linalg.inv(to_user), [[1, 0], [1, 2]])
    True
    """
    n, p = X.shape
    if p == 0 or (p == 1 and np.all(X == 1)):
        return X, np.eye(p)
    Q, R = np.linalg.qr(X)
    return Q * np.sqrt(n), np.linalg.inv(R) * np.sqrt(n)


def square_root(G: Array) -> Array:
    """A matrix L with L Lᵀ = G, also for a singular G.

    >>> L = square_root(np.ones((2, 2)))
    >>> np.allclose(L @ L.T, 1)
    True
    """
    values, vectors = np.linalg.eigh(G)
    return vectors * np.sqrt(np.maximum(values, 0))


def covariance_of_combinations(covariance: Array, K: Array) -> Array:
    """``K C Kᵀ``; nan for combinations that hold a quantity whose own variance is not finite.

    >>> covariance_of_combinations(np.diag([2.0, np.nan]), np.eye(2))
    array([[ 2., nan],
           [nan, nan]])
    """
    unknown = ~np.isfinite(np.diag(covariance))
    if not unknown.any():
        return K @ covariance @ K.T
    kept = K[:, ~unknown]
    combined = kept @ covariance[np.ix_(~unknown, ~unknown)] @ kept.T
    touched = np.any(K[:, unknown] != 0, axis=1)
    combined[touched] = combined[:, touched] = np.nan
    return combined


def coefficients_of_one(X: Array) -> Array | None:
    """The coefficients whose combination of the columns is 1 in every row; None without any.

    >>> coefficients_of_one(np.array([[1.0, 0.0], [1.0, 2.0]]))
    array([1., 0.])
    """
    constant = np.all(X == 1, axis=0)
    if np.any(constant):
        return np.eye(X.shape[1])[constant.argmax()]
    ones = np.ones(len(X))
    coefficients = np.linalg.lstsq(X, ones)[0]
    is_exact = np.linalg.norm(ones - X @ coefficients) <= _ROUNDING * np.linalg.norm(ones)
    return coefficients if is_exact else None
