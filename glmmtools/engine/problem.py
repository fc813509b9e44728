"""What every engine takes: a model on data, and the problems that it contains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from glmmtools.covariances.lookup import structure_of_bar
from glmmtools.engine.identification import Identification
from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.formula.clusters import Clusters
from glmmtools.formula.coding import ModelColumn
from glmmtools.formula.design import Design
from glmmtools.formula.fixed_part import FixedPart
from glmmtools.formula.random_terms import RandomRecipe, RandomTerm, ResidualTerm
from glmmtools.formula.rank import Rank

Array = np.ndarray
ZERO = "zero"
PARTS_IN_WORDS = {"phi": "dispersion formula", ZERO: "zero inflation"}
COEFFICIENT_NAMES = {"phi": "log phi: {}", ZERO: "logit zero: {}"}
CONSTANT_EFFECTS = "{}, all alike"  # label of a term


@dataclass(frozen=True, eq=False)
class Problem:
    """A model on data: what is to be estimated, without saying how.

    Attributes
    ----------
    design : Design
        The response and the columns, on n rows.
    family : Family
    link : Link
    reml : bool
        Whether the fixed effects are integrated out of the likelihood.
    nagq : int
        Nodes of the quadrature for each random effect; 1 is the Laplace approximation.
    dispersion : FixedPart or None
        Columns of the logarithm of phi; None where phi is one number.
    zero : FixedPart or None
        Columns of the logit of the probability of an extra zero; None without extra zeros.
    penalty : float or None
        Standard deviation of a normal prior on the standardised slopes; None without one.
    clusters : Clusters or None
        Of a population-averaged model: which rows are alike, and how.
    residual : ResidualTerm or None
        The covariance of the residuals of a normal model; None where they are independent.
    """

    design: Design
    family: Family
    link: Link
    reml: bool = False
    nagq: int = 1
    dispersion: FixedPart | None = None
    zero: FixedPart | None = None
    penalty: float | None = None
    clusters: Clusters | None = None
    residual: ResidualTerm | None = None

    @property
    def is_linear(self) -> bool:
        """Whether this is a linear (mixed) model: a residual variance, and the identity link."""
        return self.family.has_residual_variance and self.link.is_identity

    @property
    def has_two_parts(self) -> bool:
        """Whether all zeros are of the zero part, so that the mean is of the other rows alone."""
        return self.zero is not None and self.family.leaves_out_zero

    @property
    def has_atoms(self) -> bool:
        """Whether single values of the response have a probability of their own."""
        return self.family.has_atoms or self.zero is not None

    @property
    def kind(self) -> str:
        """``"linear model"``, ``"generalized linear mixed model"`` and the like."""
        if self.clusters is not None:
            return "population-averaged model"
        generalized = "" if self.is_linear else "generalized "
        model = "mixed model" if self.random else "model"
        correlated = self.residual is not None and not self.random
        return f"{generalized}linear {model}{' with correlated residuals' if correlated else ''}"

    @property
    def method(self) -> str:
        """What is maximised, as :attr:`FittedModel.method` says it."""
        if self.reml:
            return "REML"
        method = f"AGQ({self.nagq})" if self.nagq > 1 else "Laplace"
        if self.is_linear or not self.random:
            method = "ML"
        return method if self.penalty is None else f"penalised {method}"

    @property
    def zero_random(self) -> tuple[RandomTerm, ...]:
        """The random terms in the logit of the zeros."""
        return () if self.zero is None else self.zero.random

    @property
    def zero_recipes(self) -> tuple[RandomRecipe, ...]:
        """How these are built on new data."""
        return () if self.zero is None else self.zero.recipes

    @property
    def random(self) -> tuple[RandomTerm, ...]:
        """All random terms: those of the mean, which the design has, and those of the zeros."""
        return (*self.design.random, *self.zero_random)

    @property
    def structured(self) -> tuple[RandomTerm, ...]:
        """What has a covariance structure: the random terms, and the residuals if they have one."""
        return self.random if self.residual is None else (*self.random, self.residual)

    @property
    def shape(self) -> tuple[str, ...]:
        """The shape parameters: the family's, but for a residual variance that `residual` gives."""
        return self.family.shape if self.residual is None else ()

    @property
    def modelled(self) -> dict[str, FixedPart]:
        """The formulas of parameters: of log ``"phi"``, and of the logit of an extra ``"zero"``."""
        parts = {"phi": self.dispersion, ZERO: self.zero}
        return {name: part for name, part in parts.items() if part is not None}

    @cached_property
    def identification(self) -> Identification | None:
        """Which variances and correlations of random terms of the mean, and last whether the
        residual variance, the rows can tell; None where there is no doubt."""
        if self.residual is not None:
            return None
        return _identification(self.design.random, self.has_like_residuals)

    @cached_property
    def zero_identification(self) -> Identification | None:
        """The same of the random terms in the logit of the zeros."""
        return _identification(self.zero_random, False)

    @property
    def has_like_residuals(self) -> bool:
        """Whether each row has a residual of the same variance beside its random effects."""
        weights, part = self.design.weights, self.dispersion
        linear = self.link.name == self.family.default_link.name
        alike = part is None and (weights is None or np.all(weights == weights[0]))
        return self.family.normal_on_link_scale and linear and bool(alike)

    @cached_property
    def n_params(self) -> int:
        """Parameters to estimate: fixed effects, variances and correlations, shape, extra zeros.

        Of the variances and correlations as many as the rows can tell. Of a population-averaged
        model the coefficients.
        """
        if self.clusters is not None:
            return len(self.design.names)
        total = len(self.design.names) + len(self.shape)
        total += sum(term.structure.n_params for term in self.structured)
        for found in (self.identification, self.zero_identification):
            total -= 0 if found is None else found.lost()
        if self.dispersion is not None:
            total += len(self.dispersion.names) - 1
        return total + (len(self.zero.names) if self.zero is not None else 0)

    @cached_property
    def trials(self) -> dict[str, Array]:
        """The trials as a keyword argument of the family's functions, where it takes them."""
        return {"trials": self.design.trials} if self.family.takes_trials else {}

    def with_response(self, y: Array) -> Problem:
        """The same model of another response, shape (n,), on the same rows."""
        response = replace(self.design.response, y=y)
        return replace(self, design=replace(self.design, response=response))

    def with_columns(self, X: Array, kept: Sequence[int], part: str = "") -> Problem:
        """The model with some of the fixed effects only, whose columns are those of `X`.

        `X` has all columns of the formula, also those that the design leaves out. With `part`,
        ``"phi"`` or ``"zero"``, they are the columns of that part.
        """
        of = self.modelled[part] if part else self.design
        everything = of.rank.all_columns(of.columns)
        columns, rank = tuple(everything[k] for k in kept), Rank.full(len(kept))
        reduced = replace(of, X=X[:, kept], columns=columns, rank=rank)
        if not part:
            return replace(self, design=reduced)
        return replace(self, **{"zero" if part == ZERO else "dispersion": reduced})

    def with_coefficient(self, place: int, value: float) -> Problem:
        """The model with the coefficient of one column of X held at a value."""
        design = self.design
        others = [k for k in range(design.X.shape[1]) if k != place]
        offset = design.offset + value * design.X[:, place]
        held = replace(design.on_rows(np.ones(design.n, dtype=bool), others), offset=offset)
        return replace(self, design=held)

    def with_intercept_only(self) -> Problem:
        """The null model: one mean, and everything that is not of the fixed part."""
        design, one = self.design, (ModelColumn("Intercept", "1", ()),)
        return replace(
            self, design=replace(design, X=np.ones((design.n, 1)), columns=one, rank=Rank.full(1))
        )

    def on_rows(self, rows: Array, kept: Sequence[int]) -> Problem:
        """The model of some of the rows, with those of the columns of X that these tell apart.

        The random effects stay as they are, also those that are left without a row.

        Parameters
        ----------
        rows : ndarray of bool, shape (n,)
        kept : sequence of int
            Places of the columns of X.
        """
        parts = {
            name: part if part is None else part.on_rows(rows)
            for name, part in (("dispersion", self.dispersion), ("zero", self.zero))
        }
        if self.residual is not None:
            parts["residual"] = self.residual.on_rows(rows)
        return replace(self, design=self.design.on_rows(rows, kept), **parts)

    def above_zero(self) -> Problem:
        """The part of a two-part model that is of the values which are not 0."""
        every = range(self.design.X.shape[1])
        return replace(self.on_rows(self.design.y != 0, every), zero=None)

    def without_random_terms(self) -> Problem:
        """The model with fixed effects only."""
        return self._with_random((), ())

    def without_term(self, k: int) -> Problem:
        """The model without one of its random terms."""
        recipes = (*self.design.recipes, *self.zero_recipes)
        return self._with_random(*(parts[:k] + parts[k + 1 :] for parts in (self.random, recipes)))

    def _with_random(
        self, random: tuple[RandomTerm, ...], recipes: tuple[RandomRecipe, ...]
    ) -> Problem:
        """The model with other random terms, those of the mean first."""
        k = sum(term.part == "mean" for term in random)
        design = replace(self.design, random=random[:k], recipes=recipes[:k])
        zero = self.zero and replace(self.zero, random=random[k:], recipes=recipes[k:])
        return replace(self, design=design, zero=zero, nagq=self.nagq if random else 1)

    def with_constant_effects(self, k: int) -> Problem:
        """The model whose k-th random term has one effect for each level, as where rho is 1.

        It has no recipes for new data of it.
        """
        term = self.random[k]
        ones = np.ones((self.design.n, 1))
        structure = structure_of_bar("|")("1", term.codes, ones, ("Intercept",))
        constant = RandomTerm(
            CONSTANT_EFFECTS.format(term.label), term.group, term.levels, structure, part=term.part
        )
        return self._with_random((*self.random[:k], constant, *self.random[k + 1 :]), ())

    def at_limit_family(self) -> Problem:
        """The model of the simpler family that its family becomes at the limit of a parameter."""
        return replace(self, family=self.family.limit.family)


def _identification(terms: Sequence[RandomTerm], residual_variance: bool) -> Identification | None:
    if not (_has_named(terms) or _share_columns(terms)):
        return None
    return Identification.of([term.structure for term in terms], residual_variance)


def _has_named(terms: Sequence[RandomTerm]) -> bool:
    return any(not term.structure.bar for term in terms)


def _share_columns(terms: Sequence[RandomTerm]) -> bool:
    """Whether terms of one group have columns that are combinations of each other's."""
    by_group: dict[str, list[Array]] = {}
    for term in terms:
        by_group.setdefault(term.group, []).append(term.Z)
    several = (np.hstack(of_group) for of_group in by_group.values() if len(of_group) > 1)
    return any(np.linalg.matrix_rank(Z) < Z.shape[1] for Z in several)
