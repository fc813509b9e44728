"""Strata: to which random term each term of the fixed part belongs, and its degrees of freedom.

A treatment that was given to farms is judged by the farms, however many animals each has. The rule
is *containment*, which goes by the layout alone and needs no estimate. A fixed term belongs to the
random slopes that have it, in each level a multiple of their columns; else to the random terms in
whose levels it is constant. With ``C`` the random terms that do not refine ``g``, ::

    df = rank[X Z_C Z_g] - rank[X Z_C]

of the random term g that it belongs to, the smallest if there are several; and ``n - rank[X Z]`` if
there is none. For a split plot these are the degrees of freedom of the analysis of variance
(Schluchter & Elashoff 1990, J. Stat. Comput. Simul. 37:69, compare such rules).

Intercepts and slopes of one bar count as two random terms, and a factor's columns without an
intercept, ``(0 + a | g)``, as intercepts and slopes. Of a series, such as ``ar1(time | g)``, the
levels are those of g. Residuals with a covariance structure count as intercepts of their group.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glmmtools.formula.design import Design
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.matrices import orthonormal

Array = np.ndarray
_ROUNDING = 1e-8  # relative
_NO_RANK = 1e-10  # eigenvalue of columns of length 1
_MOST_COLUMNS = 4000  # of which ranks are counted


@dataclass(frozen=True, eq=False)
class Stratum:
    """Random effects of the levels of a group: all intercepts, or all slopes of one term.

    Attributes
    ----------
    group : str
    codes : ndarray of int, shape (n,)
        Level of each row.
    columns : ndarray, shape (n, q)
        What a row has of the effects of its level; ones of intercepts.
    intercepts : bool
    """

    group: str
    codes: Array
    columns: Array
    intercepts: bool

    @property
    def n_levels(self) -> int:
        return int(self.codes.max()) + 1

    def contains(self, columns: Array) -> bool:
        """Whether columns are combinations of these in each level; of intercepts, constant."""
        Z, codes = self.columns, self.codes
        squares = np.zeros((self.n_levels, Z.shape[1], Z.shape[1]))
        products = np.zeros((self.n_levels, Z.shape[1], columns.shape[1]))
        np.add.at(squares, codes, Z[:, :, None] * Z[:, None, :])
        np.add.at(products, codes, Z[:, :, None] * columns[:, None, :])
        coefficients = np.linalg.pinv(squares, rcond=_ROUNDING, hermitian=True) @ products
        left = columns - np.einsum("nq,nqk->nk", Z, coefficients[codes])
        return bool(np.all(np.abs(left) <= _ROUNDING * np.abs(columns).max(axis=0)))

    def refines(self, other: Stratum) -> bool:
        """Whether its effects could be those of the other one, whose levels its own divide."""
        pairs = np.unique(self.codes * other.n_levels + other.codes)
        return len(pairs) == self.n_levels and self.contains(other.columns)

    def spread(self):
        """The columns of all levels side by side, of length 1; a sparse (n, levels q)."""
        from scipy import sparse

        n, q = self.columns.shape
        places = self.codes[:, None] * q + np.arange(q)
        shape = n, self.n_levels * q
        rows = np.repeat(np.arange(n), q)
        Z = sparse.csc_matrix((self.columns.ravel(), (rows, places.ravel())), shape=shape)
        size = np.sqrt(np.asarray(Z.multiply(Z).sum(axis=0)).ravel())
        return Z[:, size > 0] @ sparse.diags(1 / size[size > 0])


class Strata:
    """The strata of a design.

    Attributes
    ----------
    all : tuple of Stratum
    terms : tuple of str, length p
        The term of each column of X.
    """

    def __init__(self, design: Design, residual: RandomTerm | None = None):
        self.design = design
        self.terms = tuple(column.term for column in design.columns)
        self.all = tuple(_strata(design.random, residual))

    def columns_of(self, term: str) -> Array:
        return self.design.X[:, [name == term for name in self.terms]]

    @cached_property
    def by_term(self) -> dict[str, tuple[Stratum, ...]]:
        """What each fixed term belongs to; nothing if it belongs to the rows."""
        return {term: self._of(self.columns_of(term)) for term in dict.fromkeys(self.terms)}

    def _of(self, columns: Array) -> tuple[Stratum, ...]:
        constant_in = {
            each.group: Stratum(each.group, each.codes, np.ones((len(columns), 1)), True).contains(
                columns
            )
            for each in self.all
        }
        slopes = [
            each for each in self.all
            if not each.intercepts and not constant_in[each.group] and each.contains(columns)
        ]  # fmt: skip
        if slopes:
            return tuple(slopes)
        with_intercepts = {each.group for each in self.all if each.intercepts}
        return tuple(
            each for each in self.all
            if constant_in[each.group] and each.intercepts == (each.group in with_intercepts)
        )  # fmt: skip

    def units(self, term: str) -> Stratum | None:
        """The fewest levels that a fixed term belongs to; None where these are the rows."""
        return min(self.by_term[term], key=lambda each: each.n_levels, default=None)

    @cached_property
    def df(self) -> Array:
        """Degrees of freedom of each column of X, shape (p,)."""
        by_term = {term: self._df(strata) for term, strata in self.by_term.items()}
        return np.array([by_term[term] for term in self.terms], float)

    def _df(self, strata: tuple[Stratum, ...]) -> int:
        if not strata:
            return self.design.n - self._rank(self.all)
        differences = []
        for g in strata:
            others = [each for each in self.all if each is not g and not each.refines(g)]
            differences.append(self._rank([*others, g]) - self._rank(others))
        return min(differences)

    def _rank(self, strata: Iterable[Stratum]) -> int:
        """The rank of X beside the columns of strata."""
        from scipy import sparse

        blocks = [sparse.csc_matrix(orthonormal(self.design.X)[0] / np.sqrt(self.design.n))]
        disjoint = sparse.csc_matrix((self.design.n, 0))  # these are orthonormal as they are
        for each in strata:
            block = each.spread()
            if each.columns.shape[1] == 1 and block.shape[1] > disjoint.shape[1]:
                block, disjoint = disjoint, block
            blocks.append(block)
        M = sparse.hstack(blocks, format="csc")
        if M.shape[1] > _MOST_COLUMNS:
            raise ValueError(
                f"containment counts the ranks of {M.shape[1]} columns here, which is too much "
                f"(the most is {_MOST_COLUMNS}); with so many levels df='infinite' is right"
            )
        shared = (disjoint.T @ M).toarray()
        left = (M.T @ M).toarray() - shared.T @ shared
        return disjoint.shape[1] + int(np.sum(np.linalg.eigvalsh(left) > _NO_RANK))


def _strata(terms: Iterable[RandomTerm], residual: RandomTerm | None) -> list[Stratum]:
    """The random terms taken apart, the intercepts of a group once; and those of residuals."""
    found: dict[tuple, Stratum] = {}
    for term in terms:
        ones = np.ones((len(term.codes), 1))
        slopes: dict[str, list[int]] = {}
        for place, column in enumerate(term.columns):
            slopes.setdefault(column.term, []).append(place)
        parts = [Stratum(term.group, term.codes, term.Z[:, k], False) for k in slopes.values()]
        has_intercepts = [part.contains(ones) for part in parts]
        if any(has_intercepts) or term.structure.of_time:
            found[term.group,] = Stratum(term.group, term.codes, ones, True)
        for name, part in zip(slopes, parts, strict=True):
            if not Stratum(term.group, term.codes, ones, True).contains(part.columns):
                found[term.group, name, term.label] = part
    if residual is not None:
        ones = np.ones((len(residual.codes), 1))
        found.setdefault((residual.group,), Stratum(residual.group, residual.codes, ones, True))
    return list(found.values())
