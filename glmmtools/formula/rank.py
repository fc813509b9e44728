"""Columns that the columns before them determine, and what the others leave without an estimate.

With empty cells, or a control beside a factorial, the columns of a formula depend on each other.
Then the fit is that of the columns which remain when, from left to right, each one is left out that
is a combination of those before; as in R. A combination ``l β`` of all coefficients has an
estimate only where ``l`` is a combination of rows of the data, that is, orthogonal to every
direction in which the coefficients change no fitted value (Searle 1971, Linear Models, section
5.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmmtools.formula.coding import ModelColumn
from glmmtools.shared.messages import DataWarning
from glmmtools.shared.text import listed, plural

Array = np.ndarray
_DEPENDENT = 1e-10  # what is left of a column, relative to its size, beside those before
_ZERO = 1e-8


@dataclass(frozen=True, eq=False)
class Rank:
    """Which columns of a matrix are kept, and what the data do not tell of them all.

    Attributes
    ----------
    kept : ndarray of int, shape (p,)
        Places of the columns kept.
    left_out : tuple of ModelColumn, length k
    null_space : ndarray, shape (p + k, k)
        Directions of the coefficients of all columns that change no fitted value.
    """

    kept: Array
    left_out: tuple[ModelColumn, ...]
    null_space: Array

    @classmethod
    def full(cls, p: int) -> Rank:
        """Nothing is left out."""
        return cls(np.arange(p), (), np.zeros((p, 0)))

    @classmethod
    def of(cls, X: Array, columns: Sequence[ModelColumn]) -> Rank:
        """Of the matrix X, shape (n, p + k), and what its columns are."""
        if not len(X):
            return cls(np.arange(0), tuple(columns), np.eye(len(columns)))
        kept, out = independent_columns(X)
        if not len(out):
            return cls.full(len(columns))
        scale = _sizes(X)
        weights = np.linalg.lstsq(X[:, kept] / scale[kept], X[:, out] / scale[out])[0]
        weights[np.abs(weights) < _DEPENDENT] = 0.0  # rounding, not a part of the combination
        null_space = np.zeros((len(columns), len(out)))
        null_space[kept], null_space[out] = -weights, np.eye(len(out))
        null_space *= np.sqrt(len(X)) / np.linalg.norm(null_space, axis=0)
        return cls(kept, tuple(columns[k] for k in out), null_space / scale[:, None])

    @property
    def coordinates(self) -> Array:
        """All columns as combinations of those kept, shape (p, p + k)."""
        p, k = len(self.kept), len(self.left_out)
        out = np.setdiff1d(np.arange(p + k), self.kept)
        coordinates = np.zeros((p, p + k))
        coordinates[:, self.kept] = np.eye(p)
        coordinates[:, out] = -self.null_space[self.kept] @ np.linalg.inv(self.null_space[out])
        return coordinates

    def all_columns(self, kept: Sequence[ModelColumn]) -> list[ModelColumn]:
        """The columns kept and those left out, in the order of the formula."""
        columns = dict(zip(self.kept, kept, strict=True))
        left_out = iter(self.left_out)
        total = len(self.kept) + len(self.left_out)
        return [columns[k] if k in columns else next(left_out) for k in range(total)]

    def split(self, X: Array) -> tuple[Array, Array]:
        """The columns kept of rows of all columns; and how far the rows go beyond the data.

        Returns
        -------
        ndarray, shape (n, p)
        ndarray, shape (n, k)
            Zero where the mean of the row, or of a combination of rows, can be estimated.
        """
        if not self.left_out:
            return X, np.zeros((len(X), 0))
        beyond = X @ self.null_space
        size = np.abs(X) @ np.abs(self.null_space)
        return X[:, self.kept], np.where(np.abs(beyond) > _ZERO * size, beyond, 0.0)

    def warnings(self, part: str) -> tuple[DataWarning, ...]:
        """Name the columns that are left out of a part of the model."""
        if not self.left_out:
            return ()
        one = len(self.left_out) == 1
        return (
            DataWarning(
                f"{plural(len(self.left_out), 'column')} of the {part} {'is' if one else 'are'} "
                f"left out, because the columns before determine {'it' if one else 'them'}: "
                f"{listed(column.name for column in self.left_out)}. Means, contrasts and "
                "predictions that the data cannot tell are given as not estimable."
            ),
        )


def estimable(beyond: Array) -> Array:
    """Which rows, or combinations of rows, have an estimate; see :meth:`Rank.split`."""
    return np.all(np.abs(beyond) <= _ZERO, axis=1)


def independent_columns(X: Array) -> tuple[Array, Array]:
    """Places of the columns that no combination of the columns before gives, and of the others.

    >>> x = np.arange(4.0)
    >>> [places.tolist() for places in independent_columns(np.column_stack([x, 2 * x, x**2]))]
    [[0, 2], [1]]
    """
    if 0 in X.shape:
        return np.arange(X.shape[1]), np.arange(0)
    R = np.linalg.qr(X / _sizes(X), mode="r")  # its columns depend on each other as those of X do
    if len(R) == R.shape[1] and np.all(np.abs(np.diag(R)) > _DEPENDENT):
        return np.arange(X.shape[1]), np.arange(0)
    basis, kept = np.zeros((0, len(R))), []
    for place, column in enumerate(R.T):
        left = column - basis.T @ (basis @ column)
        left -= basis.T @ (basis @ left)
        size = np.linalg.norm(left)
        if size > _DEPENDENT:
            kept.append(place)
            basis = np.vstack([basis, left / size])
    return np.array(kept, int), np.setdiff1d(np.arange(X.shape[1]), kept)


def _sizes(X: Array) -> Array:
    size = np.linalg.norm(X, axis=0)
    return np.where(size > 0, size, 1.0)
