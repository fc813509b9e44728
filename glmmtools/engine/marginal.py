"""The Laplace log-likelihood of a problem, with its exact gradient; `laplace` explains it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from glmmtools.engine.effect_rows import EffectRows, Pattern
from glmmtools.engine.estimate import Estimate
from glmmtools.engine.likelihood import Likelihood
from glmmtools.engine.modes import Solution, find_modes
from glmmtools.engine.nested_arrow import arrow_of
from glmmtools.engine.penalty import SlopePrior
from glmmtools.engine.placement import Blocks, place
from glmmtools.engine.problem import Problem
from glmmtools.shared.matrices import orthonormal

Array = np.ndarray
_ROWS_LIKE_CALLS = 2500  # the arithmetic on so many short rows takes as long as the calls
_ENTRIES_AT_ONCE = 32_000  # of all copies: beyond, memory costs more than the calls saved


@dataclass(frozen=True, eq=False)
class Direct:
    """How the value depends on what it is made of; pairs are for blocks and for the border."""

    by_eta: Array  # on eta of each row, at fixed effects u
    by_rows: tuple  # on each row of A
    by_others: dict[str, Array]  # on the further predictors of each row
    by_H: tuple[Array, Array]  # on H: -½ tr(V dH), given as V times each row of A
    by_mode: Array | float  # twice the slope along the mode, which is zero at the mode itself
    others: dict[str, tuple]  # derivatives of the log-density in the further predictors


class Marginal:
    """The Laplace log-likelihood of a problem as a function of one parameter vector.

    The vector holds the fixed effects of the orthonormal columns (not under REML), θ of each term,
    the coefficients of the log of each shape parameter, and those of the extra zeros' logit.
    """

    def __init__(self, problem: Problem):
        design = problem.design
        self.problem = problem
        blocks = Blocks.of(problem.random, design.n, bordered=problem.reml)
        self.order = order = blocks.order
        self.likelihood = Likelihood(problem, order)
        self.X, self.to_user = orthonormal(design.X[order])
        self.p = self.X.shape[1]
        self.origin = np.zeros(self.p)  # coefficients of what is subtracted from the response
        if self.likelihood.origin:
            self.origin = self.likelihood.origin * self.likelihood.ones
        self.n_fixed = 0 if problem.reml else self.p
        self._place(blocks)
        if any(each.part == "mean" and each.n_effects >= design.n for each in self.placed):
            self._bound_dispersion()
        pattern = self.pattern
        self._mode = (np.zeros((len(pattern.starts), self.q)), np.zeros(len(pattern.prior)))
        if problem.reml and not problem.is_linear:  # β is among the modes, and may be far from 0
            likelihood = self.likelihood
            self._mode[1][-self.p :] = self.least_squares(likelihood.working - likelihood.offset)[0]
        self.names = self._layout()
        to_user = self.to_user[:, : self.n_fixed] * self.likelihood.scale
        self.prior = SlopePrior.of(problem, to_user, self.origin)
        self._several: dict[int, Marginal] = {}

    def _place(self, blocks: Blocks) -> None:
        terms = [
            replace(term, structure=term.structure.reordered(self.order))
            for term in self.problem.random
        ]
        fixed = self.p if self.problem.reml else 0
        self.placed, self.pattern = place(terms, blocks, self.likelihood.scale, len(self.X), fixed)
        self.q = sum(each.structure.q for each in self.placed if each.in_block)
        self.n_theta = sum(each.structure.n_params for each in self.placed)
        self.structured = self.placed  # what has parameters in θ
        self.observed = self.pattern  # of the observations, where these have several rows

    def _layout(self) -> dict[str, slice]:
        """Slices of the parameter vector by what they hold."""
        layout, start = {"beta": slice(0, self.n_fixed)}, self.n_fixed
        layout["theta"] = slice(start, start := start + self.n_theta)
        for name, matrix in self.likelihood.predictors.items():
            layout[name] = slice(start, start + matrix.shape[1])
            start += matrix.shape[1]
        self.size = start
        return layout

    @property
    def refresh(self) -> int:
        """Steps of the search from one Hessian to the next, the more the dearer a Hessian is."""
        width = self.q + self.pattern.index.shape[1]
        share = len(self.X) * (1 + width**2 / 16) / _ROWS_LIKE_CALLS
        return round(2 * (1 + self.size * share) / (1 + share)) - 1

    @property
    def is_sd(self) -> Array:
        """Which entries of the vector are standard deviations of random effects."""
        mask = np.zeros(self.size, dtype=bool)
        for each in self.structured:
            mask[self.names["theta"]][each.theta] = each.structure.is_sd
        return mask

    @staticmethod
    def units(vector: Array) -> Array:
        """Of each entry: columns are orthonormal, so that all are like linear predictors."""
        return np.ones(vector.shape)

    # -- the value and its gradient, at one vector, shape (size,), or at several, (copies, size)

    def times(self, copies: int) -> Marginal:
        """This many copies of the data side by side, for as many vectors at once."""
        if copies == 1:
            return self
        if copies not in self._several:
            other = copy.copy(self)
            other.pattern = self.pattern.times(copies)
            other.likelihood = self.likelihood.times(copies)
            self._several[copies] = other
        other = self._several[copies]
        other._mode = tuple(np.concatenate([part] * copies) for part in self._mode)
        return other

    def effects(self, vectors: Array) -> EffectRows:
        n, copies = len(self.X), self.pattern.copies
        block = np.empty((copies, n, self.q))
        values = np.empty((copies, n, self.pattern.index.shape[1]))
        for k, vector in enumerate(vectors):
            theta = vector[self.names["theta"]]
            for each in self.placed:
                target = block if each.in_block else values
                target[k][:, each.columns] = each.structure.rows(theta[each.theta])
        if self.problem.reml:
            values[:, :, values.shape[2] - self.p :] = self.X
        return EffectRows(
            self.pattern, block.reshape(copies * n, -1), values.reshape(copies * n, -1)
        )

    def parameters(self, vectors: Array) -> dict[str, Array]:
        names = self.likelihood.predictors
        return self.likelihood.parameters({name: vectors[:, self.names[name]] for name in names})

    def fixed(self, vectors: Array) -> Array:
        """The linear predictor of each row without effects that are integrated out."""
        if self.problem.reml:
            return self.likelihood.offset
        return self.likelihood.offset + (vectors[:, self.names["beta"]] @ self.X.T).ravel()

    @property
    def rows(self) -> Likelihood:
        """What the modes are found of: the observations, where each is one row."""
        return self.likelihood

    def by_part(self, values: Array) -> dict[str, Array]:
        """Values of all rows, as of the linear predictor of the mean, and of the zeros."""
        return {"mean": values}

    def solve(self, vectors: Array) -> Solution | None:
        """The conditional modes at these parameters, found from the last ones."""
        vectors = np.atleast_2d(vectors)
        with np.errstate(all="ignore"):
            fixed, parameters = self.fixed(vectors), self.parameters(vectors)
            arguments = self.effects(vectors), fixed, self.rows, parameters
            solution = find_modes(*arguments, self._mode)
            if solution is None and any(np.any(part) for part in self._mode):
                solution = find_modes(*arguments, tuple(np.zeros_like(p) for p in self._mode))
        if solution is not None:
            self._mode = (solution.u, solution.border)
        return solution

    def value_and_gradient(self, vectors: Array) -> tuple[float | Array, Array]:
        """The log-likelihood (minus infinity where it cannot be computed) and its gradient."""
        if vectors.ndim == 2:
            return self._at_several(vectors)
        solution = self.solve(vectors)
        value = -np.inf if solution is None else self.value(solution) + self._log_prior(vectors)
        if not np.isfinite(value):
            return -np.inf, np.zeros(self.size)
        return value, self.gradient(vectors, solution)

    def _log_prior(self, vectors: Array) -> float | Array:
        """Of the coefficients, where there is a penalty: it is maximised with the likelihood."""
        return self.prior.value(vectors[..., self.names["beta"]])

    def value_at(self, vector: Array) -> float:
        """The value alone; minus infinity where it cannot be computed. No search goes on there."""
        modes = self._mode
        solution, self._mode = self.solve(vector), modes
        return -np.inf if solution is None else self.value(solution) + self._log_prior(vector)

    def _at_several(self, vectors: Array) -> tuple[Array, Array]:
        values, gradients = np.full(len(vectors), -np.inf), np.zeros(vectors.shape)
        for part, copies in self._in_parts(vectors):
            solution = None if copies is self else copies.solve(vectors[part])
            if solution is None:
                for k in range(*part.indices(len(vectors))):
                    values[k], gradients[k] = self.value_and_gradient(vectors[k])
            else:
                values[part] = copies.value(solution) + self._log_prior(vectors[part])
                gradients[part] = copies.gradient(vectors[part], solution)
        return values, gradients

    def _in_parts(self, vectors: Array):
        """Slices of the vectors that are few enough for copies of the data, and the copies."""
        width = 5 + self.q + self.pattern.index.shape[1]
        together = max(1, _ENTRIES_AT_ONCE // (len(self.X) * width))
        for first in range(0, len(vectors), together):
            part = slice(first, first + together)
            yield part, self.times(len(vectors[part]))

    def contrast_variances(self, vector: Array, contrasts: Array) -> tuple[Array, Array]:
        """Under REML of a linear model: variances of contrasts of β̂, and their slopes.

        Contrasts are rows on the orthonormal columns; the slopes, shape (size, contrasts), are in
        the parameters. With ``Var(y) = V``, ``C = (XᵀV⁻¹X)⁻¹`` and ``a = V⁻¹XCl``, the variance
        ``lᵀCl`` has the differential ``aᵀ dV a``; neither modes nor response are in it.
        """
        parameters, anywhere = self.parameters(vector[None]), np.zeros(len(self.X))
        W = -self.likelihood.eta_derivatives(anywhere, parameters, order=2)[1]
        others = self.likelihood.other_derivatives(anywhere, parameters)
        effects = self.effects(vector[None])
        arrow = arrow_of(effects, W)
        variances, slopes = np.zeros(len(contrasts)), np.zeros((self.size, len(contrasts)))
        theta, by_theta = vector[self.names["theta"]], slopes[self.names["theta"]]
        for k, contrast in enumerate(contrasts):
            right = np.zeros(len(self.pattern.prior))
            right[-self.p :] = contrast
            u, border = arrow.solve(np.zeros((len(self.pattern.starts), self.q)), right)
            variances[k] = contrast @ border[-self.p :]
            a = W * effects.dot(u, border)
            by_block = -2 * a[:, None] * self.pattern.by_row(u)
            by_border = -2 * a[:, None] * border.take(self.pattern.index)
            for each in self.placed:
                F = (by_block if each.in_block else by_border)[:, each.columns]
                by_theta[each.theta, k] = each.structure.gradient(theta[each.theta], F)
            for name, (_, _, by_second) in others.items():
                rows = a**2 * by_second / W**2
                slopes[self.names[name], k] = rows @ self.likelihood.predictors[name]
        return variances, slopes

    def value(self, solution: Solution) -> float | Array:
        """The log-likelihood."""
        integrated = self.p if self.problem.reml else 0
        values = (
            solution.log_joint
            - 0.5 * solution.arrow.logdet
            + 0.5 * integrated * np.log(2 * np.pi)
            + self.likelihood.llf_shift()
            + self.reml_shift
        )
        return float(values[0]) if len(values) == 1 else values

    @cached_property
    def reml_shift(self) -> float:
        """REML depends on the coordinates of β: back from the orthonormal ones to the user's."""
        if not self.problem.reml:
            return 0.0
        logdet = np.linalg.slogdet(self.to_user)[1]
        return logdet + self.p * np.log(self.likelihood.scale)

    def gradient(self, vectors: Array, solution: Solution) -> Array:
        """The derivatives of the value by the implicit function rule.

        With ``a`` a row of A: ``h = aᵀH⁻¹a`` is what the determinant feels of the weight of the
        row, ``P = H⁻¹a`` what it feels of the row itself, and ``r`` the move of eta with the mode
        that this brings about.
        """
        return self._assembled(vectors, solution, self._direct(solution))

    def _direct(self, solution: Solution) -> Direct:
        """Of the joint density at the modes, and of the determinant by H: its inverse."""
        first, pattern = solution.derivatives[0], self.pattern
        with np.errstate(all="ignore"):
            others = self.rows.other_derivatives(solution.eta, solution.parameters)
        return Direct(
            by_eta=first,
            by_rows=(
                first[:, None] * pattern.by_row(solution.u),
                first[:, None] * solution.border.take(pattern.index),
            ),
            by_others={name: values[0] for name, values in others.items()},
            by_H=solution.arrow.rows_solved(solution.arrow.effects),
            by_mode=0.0,
            others=others,
        )

    def _assembled(self, vectors: Array, solution: Solution, direct: Direct) -> Array:
        arrow, effects = solution.arrow, solution.arrow.effects
        d1, d2, d3 = solution.derivatives
        P = direct.by_H
        h = effects.row_products(P)
        felt = self.rows.felt(d3, h)
        pulls = effects.transposed_dot(felt)
        s_block, s_border = arrow.solve(pulls[0] + direct.by_mode, pulls[1])
        r = effects.dot(s_block, s_border)
        q = 0.5 * (felt + d2 * r)
        gradient = np.zeros((self.pattern.copies, self.size))
        if not self.problem.reml:
            by_eta = self.by_observation(direct.by_eta + q, "mean")
            gradient[:, self.names["beta"]] = by_eta @ self.X
        index = self.pattern.index
        block = self.pattern.by_row(solution.u), self.pattern.by_row(s_block)
        border = solution.border.take(index), s_border.take(index)
        forces = [
            now + q[:, None] * u + (0.5 * d1)[:, None] * s + d2[:, None] * p
            for now, (u, s), p in zip(direct.by_rows, (block, border), P, strict=True)
        ]
        forces = list(map(self.by_observation, forces, ("block", "border")))
        for k, vector in enumerate(np.atleast_2d(vectors)):
            theta, by_theta = vector[self.names["theta"]], gradient[k, self.names["theta"]]
            for each in self.placed:
                F = forces[0 if each.in_block else 1][k][:, each.columns]
                by_theta[each.theta] = each.structure.gradient(theta[each.theta], F)
        for name, (_, e1, e2) in direct.others.items():
            rows = self.by_observation(direct.by_others[name] + 0.5 * (h * e2 + r * e1))
            gradient[:, self.names[name]] = rows @ self.likelihood.predictors[name]
        beta = self.names["beta"]
        gradient[:, beta] += self.prior.gradient(np.atleast_2d(vectors)[:, beta])
        return gradient.reshape(vectors.shape)

    def by_observation(self, rows: Array, of: str = "") -> Array:
        """Sums over the rows of an observation, here one, that hold the mean, block or border."""
        copies = self.pattern.copies
        return rows.reshape(copies, len(rows) // copies, *rows.shape[1:])

    def fixed_covariance(self, solution: Solution) -> Array:
        """Of the coefficients of X under REML, given the variances, shape (p, p)."""
        return solution.arrow.border_inverse[0, -self.p :, -self.p :]

    # -- between the user's parameters and the vector

    def coefficients(self, vectors: Array, solution: Solution) -> Array:
        """β of the engine's columns, one row for each copy."""
        vectors = np.atleast_2d(vectors)
        if self.problem.reml:
            return solution.border.reshape(len(vectors), -1)[:, -self.p :]
        return vectors[:, self.names["beta"]]

    def fixed_effects(self, vector: Array, solution: Solution) -> Array:
        """β of the user's columns."""
        inner = self.coefficients(vector, solution)[0]
        return self.to_user @ inner[: self.p] * self.likelihood.scale + self.origin

    def vector_of(self, estimate: Estimate) -> Array:
        """The parameter vector of an estimate, of this engine or another."""
        vector = np.zeros(self.size)
        if self.n_fixed:
            beta = (estimate.beta - self.origin) / self.likelihood.scale
            vector[self.names["beta"]] = np.linalg.solve(self.to_user, beta)
        for each, term in zip(self.structured, estimate.structured, strict=True):
            covariance = term.covariance / each.unit**2
            theta = each.structure.theta_of(covariance, term.correlation)
            vector[self.names["theta"]][each.theta] = theta
        for name in self.likelihood.predictors:
            if name in estimate.predictors:
                values = estimate.predictors[name]
            else:
                values = np.log([estimate.shape[name]])
            inner = np.linalg.solve(self.likelihood.to_user[name], values)
            vector[self.names[name]] = inner - self.likelihood.shifts[name]
        return vector

    def conditional_variances(
        self, vector: Array, solution: Solution, X: Array, terms, slopes: dict[str, Array]
    ) -> Array:
        """Var(eta | parameters) of new rows, on the user's scale.

        For REML the fixed effects are among the random ones, so that their uncertainty is in it;
        levels that the fit has not seen add the variance of their random effects. With `slopes` in
        the linear predictors of the parts it is that of a function of them; without a term, None,
        its effects do not matter.
        """
        n = len(X)
        block, columns, indices = np.zeros((n, self.q)), [], []
        codes, unseen = np.zeros(n, dtype=np.intp), np.zeros(n)
        theta = vector[self.names["theta"]]
        for each, term in zip(self.placed, terms, strict=True):
            if term is None:
                continue
            structure = each.structure.on(term.codes, term.structure.entries)
            place, slope = each.places(term.codes), each.unit * slopes.get(each.part, np.ones(n))
            known = place >= 0
            rows = structure.rows(theta[each.theta]) * (slope * known)[:, None]
            G = structure.covariance(theta[each.theta])
            unseen += structure.predictor_variances(G) * slope**2 * ~known
            place = np.maximum(place, 0)
            if each.in_block:
                block[:, each.columns] = rows
                codes = place
            else:
                columns.append(rows)
                indices.append(each.first + place[:, None] * structure.q + np.arange(structure.q))
        if self.problem.reml:
            columns.append(X @ self.to_user * self.likelihood.scale)
            start = len(self.pattern.prior) - self.p
            indices.append(np.broadcast_to(start + np.arange(self.p), X.shape))
        values = np.hstack(columns) if columns else np.zeros((n, 0))
        index = np.hstack(indices) if indices else np.zeros((n, 0), dtype=np.intp)
        pattern = Pattern(self.pattern.starts, codes, index, self.pattern.prior)
        effects = EffectRows(pattern, block, values)
        return solution.arrow.variances(effects) + unseen

    def snapped(self, vector: Array) -> Array:
        """The vector with standard deviations that are zero up to rounding set to zero."""
        vector = vector.copy()
        theta = vector[self.names["theta"]]
        for each in self.structured:
            theta[each.theta] = each.structure.snapped(theta[each.theta])
        return vector

    def modes(self, vector: Array, solution: Solution) -> list[Array]:
        """Random effects b of each term on the user's scale, shape (levels, q)."""
        found = []
        for each in self.placed:
            theta = vector[self.names["theta"]][each.theta]
            effects = each.structure.effects(theta, each.modes(solution))
            found.append(effects * each.unit)
        return found

    def effect_sds(self, vector: Array, solution: Solution) -> list[Array]:
        """Conditional standard deviations of b, given the parameters, of each term."""
        found = []
        for each in self.placed:
            theta = vector[self.names["theta"]][each.theta]
            cov_u = each.mode_covariances(solution.arrow)
            covariance = each.structure.effect_covariances(theta, cov_u)
            sd = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0))
            found.append(sd * each.unit)
        return found

    # -- for starting values

    def _bound_dispersion(self) -> None:
        """Every row has a random effect of its own: without a residual there is no singularity."""
        family, link = self.likelihood.family, self.likelihood.link
        if link.name == family.default_link.name or not link.has_units:
            _, residual = self.least_squares(self.likelihood.working - self.likelihood.offset)
            self.likelihood.bound_dispersion(float(np.var(residual)) or 1.0)

    def least_squares(self, values: Array) -> tuple[Array, Array]:
        """Coefficients of the orthonormal columns, and what they leave of values of the rows."""
        beta = self.X.T @ values / len(values)
        return beta, values - self.X @ beta
