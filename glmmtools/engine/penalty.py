"""A normal prior on the slopes: a penalty that keeps every coefficient finite.

The slope of each column of X, times the standard deviation of the column, is normal with mean 0 and
one standard deviation. What is maximised is the log-likelihood plus the logarithm of this density,
its constant left out. A constant column has the standard deviation 0, so that an intercept is free;
with an intercept it does not matter where columns have their zero. It is the weakly informative
prior of Gelman, Jakulin, Pittau & Su (2008, Ann. Appl. Stat. 2:1360), normal instead of Cauchy, so
that the density stays log-concave, and on columns of standard deviation 1; for mixed models see
Chung, Rabe-Hesketh, Dorie, Gelman & Liu (2013, Psychometrika 78:685).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glmmtools.engine.problem import Problem
from glmmtools.shared.arguments import shown

Array = np.ndarray


def checked_penalty(penalty: object, reml: bool = False) -> float | None:
    """The standard deviation as a number; None without one.

    Raises
    ------
    ValueError
        Unless it is positive and finite, and beside REML.

    Examples
    --------
    >>> checked_penalty(2.5)
    2.5
    """
    if penalty is None:
        return None
    number = isinstance(penalty, (int, float, np.number)) and not isinstance(penalty, bool)
    if not number or not 0 < penalty < np.inf:
        raise ValueError(
            "penalty is the standard deviation of a normal prior on the standardised slopes, a "
            f"number above 0, such as 2.5; got {shown(penalty)}"
        )
    if reml:
        raise ValueError(
            "reml=True integrates over the coefficients, for which a penalty has a prior: leave "
            "out reml=True or penalty="
        )
    return float(penalty)


@dataclass(frozen=True)
class SlopePrior:
    """The prior as a function of the coefficients b, of which the user's are ``A b + origin``.

    Attributes
    ----------
    root : ndarray, shape (p, p)
        Of the precision of b: the standardised slopes in prior standard deviations are
        ``root b + shift``.
    shift : ndarray, shape (p,)
    """

    root: Array
    shift: Array

    @classmethod
    def of(
        cls, problem: Problem, A: Array | None = None, origin: Array | float = 0.0
    ) -> SlopePrior:
        """The prior of a problem; without `A` that of the user's coefficients."""
        X = problem.design.X
        A = np.eye(X.shape[1]) if A is None else A
        if problem.penalty is None:
            return cls(np.zeros((0, A.shape[1])), np.zeros(0))
        in_sds = np.std(X, axis=0, ddof=1) / problem.penalty
        return cls(in_sds[:, None] * A, in_sds * origin)

    @property
    def information(self) -> Array:
        """Minus the Hessian, shape (p, p)."""
        return self.root.T @ self.root

    def value(self, b: Array) -> Array:
        """The log-density of coefficients, shape (p,) or (copies, p), without its constant."""
        return -0.5 * np.sum((b @ self.root.T + self.shift) ** 2, axis=-1)

    def gradient(self, b: Array) -> Array:
        """Its derivatives, of the shape of `b`."""
        return -(b @ self.root.T + self.shift) @ self.root
