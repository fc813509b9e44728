"""Degrees of freedom: what Wald tests and intervals of the fixed effects are referred to.

Every table takes them from :func:`reference`: the covariance of linear combinations of the
coefficients and the degrees of freedom of their t and F statistics, which are infinite for z and
chi-square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glmmtools.engine.kenward_roger import KenwardRoger, why_not
from glmmtools.engine.suitability import few_units
from glmmtools.fitted.fit import Fit
from glmmtools.shared.arguments import check_arguments, numbers, one_of, shown
from glmmtools.shared.messages import FewUnitsWarning

Array = np.ndarray
METHODS = ("auto", "containment", "satterthwaite", "kenward-roger", "infinite")
_RESIDUAL = "residual"
_PART_OF_ROW = 1e-8  # of its largest coefficient, below which one is rounding


@dataclass(frozen=True, eq=False)
class Reference:
    """Covariance and degrees of freedom of linear combinations of the fixed effects of a fit.

    Combinations are the rows of `L`, shape (m, p).

    Attributes
    ----------
    model : Fit
    method : {"containment", "satterthwaite", "kenward-roger", "residual", "infinite"}
    """

    model: Fit
    method: str

    @property
    def is_finite(self) -> bool:
        """Whether tests are t and F tests; else z and chi-square."""
        return self.method != "infinite"

    @cached_property
    def _kenward_roger(self) -> KenwardRoger:
        return KenwardRoger(self.model.problem, self.model.estimate)

    def covariance(self, L: Array) -> Array:
        """Covariance matrix of the combinations, shape (m, m)."""
        if self.method == "kenward-roger":
            return L @ self._kenward_roger.covariance @ L.T
        return self.model.estimate.combined_covariance(L)

    def variances(self, L: Array) -> Array:
        """Their variances, shape (m,)."""
        if self.method == "kenward-roger":
            return np.einsum("mi,ij,mj->m", L, self._kenward_roger.covariance, L)
        return self.model.estimate.combined_variances(L)

    def df(self, L: Array) -> Array:
        """Degrees of freedom of each combination, shape (m,)."""
        L = np.atleast_2d(L)
        if self.method == "satterthwaite":
            return self.model.satterthwaite.df(L)
        if self.method == "kenward-roger":
            return self._kenward_roger.df(L)
        if self.method == "containment":
            size = in_units_of_columns(self.model.design.X, L)
            used = size > _PART_OF_ROW * size.max(axis=1, keepdims=True, initial=0)
            return np.min(np.where(used, self.model.strata.df, np.inf), axis=1, initial=np.inf)
        return np.full(len(L), self.model.estimate.df[0] if self.is_finite else np.inf)

    def joint(self, L: Array) -> tuple[float, float]:
        """Scale of the F statistic of ``L β = 0`` and its denominator degrees of freedom.

        By Satterthwaite's method the rows are taken apart into uncorrelated t tests (Fai &
        Cornelius 1996, J. Stat. Comput. Simul. 54:363).
        """
        if self.method == "kenward-roger":
            return self._kenward_roger.joint(L)
        if self.method == "satterthwaite":
            return 1.0, _joint_df(self.df(_uncorrelated(self.model, L)))
        return 1.0, float(self.df(L).min())

    @cached_property
    def by_coefficient(self) -> tuple[Array, Array]:
        """Standard errors and degrees of freedom of the coefficients, shapes (p,) and (p,)."""
        if self.method == "kenward-roger":
            each = np.eye(len(self.model.params))
            return np.sqrt(self.variances(each)), self.df(each)
        df, estimate = self.model.estimate.df, self.model.estimate
        if self.method == "containment":
            df = self.model.strata.df
        elif not self.is_finite:
            df = np.full(len(estimate.beta), np.inf)
        return self.model.bse.to_numpy(), df

    def few_units(self, terms: Iterable[str] | None = None) -> tuple[FewUnitsWarning, ...]:
        """What to say where z is used and terms of the fixed part, default all, have few units."""
        by_z = self.model.converged and not self.is_finite
        return few_units(self.model.strata, terms) if by_z else ()


def reference(model: Fit, df: str = "auto") -> Reference:
    """What tests and intervals of the fixed effects are referred to.

    Parameters
    ----------
    df : {"auto", "containment", "satterthwaite", "kenward-roger", "infinite"}
        "auto": Satterthwaite's for linear mixed models, the residual ones for least squares,
        infinite (z) for all others. "containment": by the layout alone, for every family (see
        `glmmtools.formula.strata`); of a combination the smallest of its coefficients.
        "kenward-roger": of linear mixed models fitted by REML, with the covariance that belongs to
        it.

    Raises
    ------
    ValueError
        For a method that the model does not have.
    """
    one_of("df", df, METHODS)
    linear = bool(np.isfinite(model.estimate.df).any())
    if df == "auto":
        df = "satterthwaite" if linear else "infinite"
    if reason := _why_not(model, df, linear):
        raise ValueError(f"df={df!r} {reason}")
    if df == "satterthwaite" and not model.problem.structured:
        return Reference(model, _RESIDUAL)
    return Reference(model, df)


def in_units_of_columns(X: Array, L: Array) -> Array:
    """The sizes of coefficients on columns, (m, p), whatever the units of these."""
    return np.abs(L) / np.sqrt(np.mean(X**2, axis=0))


def _uncorrelated(model: Fit, L: Array) -> Array:
    """Uncorrelated rows for the hypothesis of L, which do not depend on how it is written.

    They are the principal axes of the estimates in rows that are orthonormal where the rows of the
    data are independent, ``L (XᵀX)⁻¹ Lᵀ = I``: those of another coding are a rotation of these.
    """
    R = np.linalg.qr(model.design.X)[1]
    basis = np.linalg.qr(np.linalg.solve(R.T, L.T))[0].T @ R
    return np.linalg.eigh(model.estimate.combined_covariance(basis))[1].T @ basis


def _joint_df(df: Array) -> float:
    """The denominator df of an F whose mean is that of the average of squared t's with these df."""
    if len(df) == 1:
        return float(df[0])
    if np.any(df <= 2):  # a squared t has no mean
        return 2.0
    return float(np.sum(df / (df - 2)) / np.sum(1 / (df - 2)))


def _why_not(model: Fit, df: str, linear: bool) -> str | None:
    """Why a fit, linear and converged or not, has no degrees of freedom of this kind."""
    clusters = model.problem.clusters
    if df == "satterthwaite" and not linear:
        return (
            "is for linear models that converged; for others it keeps the level no better than "
            "df='containment', and is z where a variance is estimated at zero"
        )
    if df == "kenward-roger":
        reason = why_not(model.problem) or (None if linear else "is for fits that converged")
        return reason and f"{reason}. Use df='containment'"
    if df == "containment" and clusters is not None:
        return (
            "goes by random terms, and a population-averaged model has none. Fit a mixed model, "
            f"with (1 | {clusters.group}) in the formula"
        )
    return None


def contrast_df(model: Fit, contrasts: Array, df: str = "auto") -> Array:
    """Degrees of freedom of tests of linear combinations of the fixed effects.

    Parameters
    ----------
    contrasts : array_like, shape (m, p)
        Coefficients on the fixed effects, one combination a row.
    df : {"auto", "containment", "satterthwaite", "kenward-roger", "infinite"}
        "auto": Satterthwaite's for linear mixed models, the residual ones for least squares,
        infinite (z) for all others. "containment" goes by the layout, for every family.

    Examples
    --------
    >>> import glmmtools as gt
    >>> oats = gt.load_data("oats")
    >>> m = gt.fit("yield ~ variety + C(nitro) + (1 | block/variety)", oats, reml=True)
    >>> contrast_df(m, [[0, 1, -1, 0, 0, 0], [0, 0, 0, 1, 0, 0]], df="containment")
    array([10., 51.])
    """
    check_arguments(contrast_df, locals())
    L, p = np.atleast_2d(numbers("contrasts", contrasts)), len(model.params)
    if L.ndim > 2 or L.shape[1] != p or not np.isfinite(L).all():
        raise ValueError(
            f"contrasts must be rows of {p} finite numbers, one for each coefficient; got "
            f"{shown(contrasts)}"
        )
    return reference(model, df).df(L)


def has_satterthwaite(model: Fit) -> bool:
    """Whether the degrees of freedom are Satterthwaite's, one for each contrast, by default."""
    return bool(np.isfinite(model.estimate.df).any() and model.problem.structured)
