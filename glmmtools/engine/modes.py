"""The conditional modes of spherical random effects, and the linear algebra around them.

The joint log-density of data and random effects is ``sum(log-density) - |u|²/2`` with
``eta = fixed + A u`` and ``A = Z Λ``. Its negative Hessian ``H = AᵀWA + I`` is an arrow: one
grouping factor (that with most effects) gives a block for each of its levels, all handled at once
as stacked small matrices; the rest (other factors, and for REML the fixed effects, which then have
no prior) is a dense border, eliminated last. Nothing of the size rows × groups is ever formed.

Several *copies* of the data, each with parameters of its own, are solved side by side as one
problem of more rows, blocks and borders: for small data the calls cost more than the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

Array = np.ndarray
_MAX_STEPS = 60
_MAX_HALVINGS = 30
_EXACT = 1e-20  # decrement a row at which the mode is found
_CLOSE = 1e-10  # below, the next step of Newton's method will be exact
_NARROW = 2  # columns of blocks up to which products are taken one by one
_SMALL = 0.1  # decrement of a block (or a copy) below which a whole step is safe


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where the entries of ``A`` stand; the same for all parameters. Rows are sorted by block.

    Attributes
    ----------
    starts : ndarray of int, shape (levels,)
        First row of each block; empty when there are no random effects.
    codes : ndarray of int, shape (n,)
        Block of each row.
    index : ndarray of int, shape (n, k)
        Columns of the nonzero entries of the row in the border.
    prior : ndarray, shape (m,)
        Prior precision of the border's effects: 1, or 0 for the fixed effects of REML.
    copies : int
        Equal parts that levels, rows and the border fall into, one after the other.
    """

    starts: Array
    codes: Array
    index: Array
    prior: Array
    copies: int = 1

    def times(self, copies: int) -> Pattern:
        """The pattern of this many copies of the data."""

        def repeated(places: Array, size: int) -> Array:
            shift = size * np.arange(copies).reshape(-1, *[1] * places.ndim)
            return (places + shift).reshape(copies * len(places), *places.shape[1:])

        return Pattern(
            repeated(self.starts, len(self.codes)),
            repeated(self.codes, len(self.starts)),
            repeated(self.index, len(self.prior)),
            np.tile(self.prior, copies),
            copies,
        )

    @property
    def border(self) -> int:
        """Effects in the border of one copy."""
        return len(self.prior) // self.copies

    @property
    def full(self) -> bool:
        """Whether every row has entries in the whole border, as with fixed effects alone there."""
        return self.border == self.index.shape[1]

    def by_row(self, u: Array) -> Array:
        """The block effects of each row, shape (n, q)."""
        return u.take(self.codes, axis=0) if len(u) else np.zeros((len(self.codes), 0))

    @cached_property
    def local(self) -> Array:
        """The index within the border of the row's own copy."""
        return self.index % self.border if self.border else self.index

    @cached_property
    def corner(self) -> Array:
        """Flat places in the (copies, m, m) corner of the products of a row's border entries."""
        return (self.index[:, :, None] * self.border + self.local[:, None, :]).ravel()

    @cached_property
    def side(self) -> Array:
        """Flat places in the (levels, m) side of a row's border entries."""
        return (self.codes[:, None] * self.border + self.local).ravel()

    @cached_property
    def padded(self) -> Array | None:
        """Rows of each block side by side, shape (levels, longest), n for none; None if uneven."""
        n = len(self.codes)
        sizes = np.diff(self.starts, append=n)
        if len(sizes) * sizes.max() > 3 * n:
            return None
        place = np.arange(sizes.max())
        rows = self.starts[:, None] + place
        return np.where(place < sizes[:, None], rows, n)

    @cached_property
    def unpadded(self) -> Array:
        """The flat place of each row in `padded`."""
        return (
            self.codes * self.padded.shape[1] + np.arange(len(self.codes)) - self.starts[self.codes]
        )


@dataclass(frozen=True, eq=False)
class EffectMatrix:
    """The matrix ``A`` of the random effects at one value of the parameters, row by row.

    Attributes
    ----------
    pattern : Pattern
    block : ndarray, shape (n, q)
        Part of A in the columns of the row's own block.
    values : ndarray, shape (n, k)
        Nonzero entries of the row in the border.
    """

    pattern: Pattern
    block: Array
    values: Array

    @cached_property
    def has_border(self) -> bool:
        return len(self.pattern.prior) > 0

    @cached_property
    def has_blocks(self) -> bool:
        return len(self.pattern.starts) > 0

    def dot(self, u: Array, border: Array) -> Array:
        """``A u`` for block effects u of shape (levels, q) and border effects of shape (m,)."""
        total = np.zeros(len(self.block))
        if self.has_blocks:
            total += _rowsum(self.block, u.take(self.pattern.codes, axis=0))
        if self.has_border:
            total += _rowsum(self.values, border.take(self.pattern.index))
        return total

    def transposed_dot(self, rows: Array) -> tuple[Array, Array]:
        """``Aᵀ rows`` as its block part (levels, q) and its border part (m,)."""
        border = np.zeros(0)
        if self.has_border:
            border = np.bincount(
                self.pattern.index.ravel(),
                (self.values * rows[:, None]).ravel(),
                minlength=len(self.pattern.prior),
            )
        return self.by_block(self.block * rows[:, None]), border

    def row_products(self, rows: tuple[Array, Array]) -> Array:
        """Each row of A times another row, given by its block part and its border part."""
        return (self.block * rows[0]).sum(axis=1) + (self.values * rows[1]).sum(axis=1)

    def by_block(self, rows: Array) -> Array:
        """Sums over the rows of each block."""
        if not self.has_blocks:
            return np.zeros((0, *rows.shape[1:]))
        return np.add.reduceat(rows, self.pattern.starts, axis=0)

    @cached_property
    def padded_block(self) -> Array | None:
        return self._padded(self.block)

    @cached_property
    def padded_border(self) -> Array | None:
        """As `padded_block`, where every row has entries in the whole border."""
        return self._padded(self.values) if self.pattern.full else None

    def _padded(self, rows: Array) -> Array | None:
        """The rows of each block side by side, shape (levels, longest, …); None if uneven."""
        if not self.has_blocks or self.pattern.padded is None:
            return None
        return np.vstack([rows, np.zeros(rows.shape[1])]).take(self.pattern.padded, axis=0)

    def unpadded(self, padded: Array) -> Array:
        return padded.reshape(-1, padded.shape[2]).take(self.pattern.unpadded, axis=0)

    def times_blocks(self, matrices: Array) -> Array:
        """Each row of the block part times the symmetric (q, q) matrix of its block."""
        if self.block.shape[1] <= _NARROW or self.padded_block is None:
            return _apply(matrices.take(self.pattern.codes, axis=0), self.block)
        return self.unpadded(self.padded_block @ matrices)

    def block_products(self, WA: Array) -> Array:
        """``AᵀWA`` within each block, shape (levels, q, q)."""
        q = self.block.shape[1]
        if q > _NARROW and self.padded_block is not None:
            return self._padded(WA).transpose(0, 2, 1) @ self.padded_block
        H = np.empty((len(self.pattern.starts), q, q))
        for i in range(q):
            for j in range(i + 1):
                H[:, i, j] = H[:, j, i] = self.by_block(WA[:, i] * self.block[:, j])
        return H

    def side_products(self, WA: Array) -> Array:
        """``AᵀWA`` between each block and the border, shape (levels, q, m)."""
        if self.padded_border is not None:
            return self._padded(WA).transpose(0, 2, 1) @ self.padded_border
        levels, m = len(self.pattern.starts), self.pattern.border
        C = np.empty((levels, WA.shape[1], m))
        for j in range(WA.shape[1]):
            side = (WA[:, j : j + 1] * self.values).ravel()
            C[:, j] = np.bincount(self.pattern.side, side, levels * m).reshape(levels, m)
        return C

    def corner_products(self, W: Array) -> Array:
        """``AᵀWA`` within the border, shape (copies, m, m)."""
        m, copies = self.pattern.border, self.pattern.copies
        if self.pattern.full:
            values = self.values.reshape(copies, -1, m)
            return values.transpose(0, 2, 1) @ (W.reshape(copies, -1, 1) * values)
        products = (W[:, None] * self.values)[:, :, None] * self.values[:, None, :]
        flat = np.bincount(self.pattern.corner, products.ravel(), minlength=copies * m * m)
        return flat.reshape(copies, m, m)


def _rowsum(a: Array, b: Array) -> Array:
    if a.shape[1] == 1:
        return a[:, 0] * b[:, 0]
    return np.einsum("nq,nq->n", a, b)


class Arrow:
    """``H = AᵀWA + prior`` factorised; raises LinAlgError where it is not positive definite.

    Attributes
    ----------
    logdet : ndarray, shape (copies,)
    inverse : ndarray, shape (levels, q, q)
        Inverses of the blocks.
    border_inverse : ndarray, shape (copies, m, m)
        The border's part of ``H⁻¹``.
    """

    def __init__(self, effects: EffectMatrix, W: Array):
        self.effects = effects
        copies, q = effects.pattern.copies, effects.block.shape[1]
        WA = effects.block * W[:, None]
        self.H = effects.block_products(WA)
        self.H[:, np.arange(q), np.arange(q)] += 1.0
        self.inverse, logdet = _inverses(self.H)
        self.logdet = logdet.reshape(copies, -1).sum(axis=1)
        if effects.has_border:
            self._eliminate(W, WA)

    def _eliminate(self, W: Array, WA: Array) -> None:
        """K = block⁻¹ C, C the side; the border's inverse is that of corner - Cᵀ K."""
        pattern = self.effects.pattern
        m, q, copies = pattern.border, WA.shape[1], pattern.copies
        S = self.effects.corner_products(W)
        S[:, np.arange(m), np.arange(m)] += pattern.prior.reshape(copies, m)
        C = self.effects.side_products(WA)
        shape = copies, len(C) // copies * q, m
        self.K = (self.inverse * C if q == 1 else self.inverse @ C).reshape(shape)
        S -= C.reshape(shape).transpose(0, 2, 1) @ self.K
        self.border_inverse, logdet = _inverses((S + S.transpose(0, 2, 1)) / 2)
        self.logdet = self.logdet + logdet

    def solve(self, block: Array, border: Array) -> tuple[Array, Array]:
        """``H⁻¹`` times a vector given by its two parts."""
        solved = _apply(self.inverse, block)
        if not self.effects.has_border:
            return solved, border
        K, copies = self.K, len(self.K)
        x = border.reshape(copies, -1, 1) - K.transpose(0, 2, 1) @ block.reshape(copies, -1, 1)
        x = self.border_inverse @ x
        return solved - (K @ x).reshape(solved.shape), x.ravel()

    @property
    def least_curvature(self) -> float:
        """The smallest curvature among those of each block and of the border."""
        found = np.linalg.eigvalsh(self.H).min(initial=np.inf)
        if self.effects.has_border:
            found = min(found, 1 / np.linalg.eigvalsh(self.border_inverse).max())
        return float(found)

    @cached_property
    def _cross(self) -> Array:
        """Minus the part of ``H⁻¹`` between the levels and the border, shape (levels, q, m)."""
        return (self.K @ self.border_inverse).reshape(len(self.inverse), -1, self.K.shape[2])

    @cached_property
    def block_covariances(self) -> Array:
        """Diagonal blocks of ``H⁻¹`` for the levels, shape (levels, q, q)."""
        if not self.effects.has_border:
            return self.inverse
        return self.inverse + self._cross @ self.K.reshape(self._cross.shape).transpose(0, 2, 1)

    def rows_solved(self, effects: EffectMatrix) -> tuple[Array, Array]:
        """``H⁻¹ a`` for each row a, at the columns where a is not zero: (n, q) and (n, k)."""
        codes = effects.pattern.codes
        block = np.zeros_like(effects.block)
        own = effects is self.effects  # rows of other data are not sorted by block
        if effects.has_blocks:
            covariances = self.block_covariances
            block = (
                effects.times_blocks(covariances)
                if own
                else _apply(covariances.take(codes, axis=0), effects.block)
            )
        if not effects.has_border:
            return block, np.zeros_like(effects.values)
        if own and effects.padded_border is not None:
            values = effects.values.reshape(len(self.K), -1, effects.pattern.border)
            border = (values @ self.border_inverse).reshape(effects.values.shape)
            border -= effects.unpadded(effects.padded_block @ self._cross)
            block = block - effects.unpadded(effects.padded_border @ self._cross.transpose(0, 2, 1))
            return block, border
        n, k = effects.values.shape
        corner = self.border_inverse.ravel()[effects.pattern.corner].reshape(n, k, k)
        border = _apply(corner, effects.values)
        if effects.has_blocks:
            cross = self._cross.transpose(0, 2, 1)[codes[:, None], effects.pattern.local]  # n, k, q
            block = block - np.einsum("nkq,nk->nq", cross, effects.values)
            border = border - np.einsum("nkq,nq->nk", cross, effects.block)
        return block, border

    @cached_property
    def eta_variances(self) -> Array:
        """Variance of eta in each row given the data and the parameters."""
        return self.effects.row_products(self.rows_solved(self.effects))


def _inverses(H: Array) -> tuple[Array, Array]:
    """Inverses of stacked symmetric matrices and their log-determinants; all positive definite."""
    size = H.shape[1]
    if size > 2 or not H.size:
        factor = np.linalg.cholesky(H)
        logdet = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        if size > 40:  # half the work of the inverse of a matrix without symmetry
            half = np.linalg.inv(factor)
            return half.transpose(0, 2, 1) @ half, logdet
        return np.linalg.inv(H), logdet
    first = H[:, 0, 0]
    det = first if size == 1 else first * H[:, 1, 1] - H[:, 0, 1] ** 2
    if not (first.min() > 0 and det.min() > 0):
        raise np.linalg.LinAlgError("not positive definite")
    if size == 1:
        return 1 / H, np.log(det)
    inverse = np.empty_like(H)
    inverse[:, 0, 0], inverse[:, 1, 1] = H[:, 1, 1] / det, first / det
    inverse[:, 0, 1] = inverse[:, 1, 0] = -H[:, 0, 1] / det
    return inverse, np.log(det)


def _apply(matrices: Array, vectors: Array) -> Array:
    if matrices.shape[1] == 1:
        return matrices[:, 0] * vectors
    return (matrices @ vectors[:, :, None])[:, :, 0]


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
            each.reshape(pattern.copies, -1).sum(axis=1)
            for each in (density, -0.5 * self.u**2, -0.5 * pattern.prior * self.border**2)
        )


def find_modes(
    effects: EffectMatrix, fixed: Array, likelihood, parameters, start
) -> Solution | None:
    """Maximise the joint density over the effects by damped Newton steps; None if that fails.

    Steps use the observed Hessian; where it is not positive definite, its negative weights are set
    to zero, which keeps the step uphill. Steps are taken whole where they are small or the
    log-density is concave, and taken back and halved if the next step would be larger: that saves
    the density. Should it lead nowhere, the search starts again and checks every step.
    """
    search = _Newton(effects, fixed, likelihood, parameters)
    return search.run(*start, trusting=True) or search.run(*start, trusting=False)


class _Newton:
    """Newton's method for the modes at one value of the parameters."""

    def __init__(self, effects: EffectMatrix, fixed: Array, likelihood, parameters):
        self.effects, self.fixed = effects, fixed
        self.likelihood, self.parameters = likelihood, parameters
        pattern = effects.pattern
        # without a border each block is damped on its own, else each copy
        self.parts = pattern.copies if effects.has_border else len(pattern.starts)

    def run(self, u: Array, border: Array, trusting: bool) -> Solution | None:
        eta = self.fixed + self.effects.dot(u, border)
        if not trusting and not np.all(np.isfinite(self.likelihood.density(eta, self.parameters))):
            u, border, eta = np.zeros_like(u), np.zeros_like(border), self.fixed.copy()
        prior, copies = self.effects.pattern.prior, self.effects.pattern.copies
        decrement = np.inf if u.size or border.size else 0.0
        exact = _EXACT * (1 + len(eta) / copies)
        arrow = curvature = unchecked = None
        for _ in range(_MAX_STEPS):
            before = decrement
            derivatives = self.likelihood.eta_derivatives(
                eta, self.parameters, order=3 if before < _CLOSE else 2
            )
            if arrow is None or not np.array_equal(derivatives[1], curvature):
                curvature = derivatives[1]
                arrow, observed = _positive_definite(self.effects, -curvature)
            parts = np.array([np.nan])
            if arrow is not None:
                gradient = self.effects.transposed_dot(derivatives[0])
                gradient = gradient[0] - u, gradient[1] - prior * border
                step = arrow.solve(*gradient)
                parts = self._decrements(gradient, step)
            if unchecked and not (observed and np.all(parts <= np.maximum(unchecked[2], _SMALL))):
                moved = self._damped(*unchecked[:2])
                arrow = unchecked = None
                if moved is None:
                    return None
                u, border, eta = moved
                decrement = np.inf
                continue
            decrement = float(np.sum(parts)) / copies
            if not np.isfinite(decrement):
                return None
            if observed and decrement < exact:
                return self._at(u, border, eta, derivatives, arrow)
            trusted = self.likelihood.concave or np.max(parts) < _SMALL
            if trusting and observed and trusted and decrement < before:
                unchecked = (u, border, eta), step, parts
                u, border = u + step[0], border + step[1]
                eta = self.fixed + self.effects.dot(u, border)
                continue
            unchecked = None
            # Newton's method has stopped to converge, or no uphill step is left above rounding:
            # the mode, as far as doubles resolve.
            if observed and decrement > before / 4 and self._is_rounding(decrement, eta, 1e-10):
                return self._at(u, border, eta, derivatives, arrow)
            moved = self._damped((u, border, eta), step)
            if moved is None:
                resolved = observed and self._is_rounding(decrement, eta, 1e-8)
                return self._at(u, border, eta, derivatives, arrow) if resolved else None
            u, border, eta = moved
        return None

    def _at(self, u, border, eta, derivatives, arrow) -> Solution:
        if derivatives[2] is None:
            derivatives = self.likelihood.eta_derivatives(eta, self.parameters)
        return Solution(u, border, eta, derivatives, arrow, self.likelihood, self.parameters)

    def _is_rounding(self, decrement: float, eta: Array, tolerance: float) -> bool:
        density = self.likelihood.density(eta, self.parameters)
        return decrement < tolerance * (1 + np.abs(density).sum())

    def _decrements(self, gradient, step) -> Array:
        """Of each part: twice the gain that the step promises."""
        total = np.zeros(1)
        for slope, move in zip(gradient, step, strict=True):
            if slope.size:
                total = total + (slope * move).reshape(self.parts, -1).sum(axis=1)
        return total

    def _objective(self, u: Array, border: Array, eta: Array) -> Array:
        """The joint log-density of each part."""
        density, prior = self.likelihood.density(eta, self.parameters), -0.5 * u**2
        if not self.effects.has_border:
            return self.effects.by_block(density) + prior.sum(axis=1)
        border = -0.5 * self.effects.pattern.prior * border**2
        return sum(each.reshape(self.parts, -1).sum(axis=1) for each in (density, prior, border))

    def _damped(self, state, step):
        """Take the step, halved until the joint density does not fall; None where it cannot."""
        u, border, eta = state
        before = self._objective(u, border, eta)
        slack = 1e-12 * (1 + np.abs(before))
        length = np.ones(self.parts)
        for _ in range(_MAX_HALVINGS):
            new_u = u + (step[0].reshape(self.parts, -1) * length[:, None]).reshape(u.shape)
            new_border = border
            if self.effects.has_border:
                new_border = border + step[1] * np.repeat(length, len(border) // self.parts)
            new_eta = self.fixed + self.effects.dot(new_u, new_border)
            after = self._objective(new_u, new_border, new_eta)
            with np.errstate(invalid="ignore"):
                worse = ~(after >= before - slack)
            if not np.any(worse):
                return None if np.array_equal(new_eta, eta) else (new_u, new_border, new_eta)
            length = np.where(worse, length / 2, length)
        return None


def _positive_definite(effects: EffectMatrix, W: Array) -> tuple[Arrow | None, bool]:
    """The factorised Hessian, and whether it is the observed one."""
    if not np.all(np.isfinite(W)):
        return None, False
    try:
        return Arrow(effects, W), True
    except np.linalg.LinAlgError:
        try:
            return Arrow(effects, np.maximum(W, 0)), False
        except np.linalg.LinAlgError:
            return None, False
