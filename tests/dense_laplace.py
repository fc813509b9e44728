"""The log-likelihood of a mixed model again, without the package: the judge of the random models.

Everything is dense and as textbooks write it, in NumPy and SciPy alone. The random part of the
linear predictor is normal with a covariance K between all rows. A linear model is then one
multivariate normal. For any other there is Laplace's approximation: with ``K = A Aᵀ`` and
independent standard normal ``u``, ``h(u) = Σ log p(y | eta) - |u|²/2`` at ``eta = fixed + A u`` has
its mode at ``û``, and the log-likelihood is about ``h(û) - ½ log|I + AᵀWA|``, W the negative second
derivatives of the log-densities in eta.

Log-densities are written once, of a `Jet`, which carries its first two derivatives in eta along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from scipy import linalg, special

Array = np.ndarray
LOG_TWO_PI = np.log(2 * np.pi)

# --------------------------------------------------------------- a value with two derivatives


@dataclass(frozen=True)
class Jet:
    """A value of each row with its first and second derivative in eta."""

    value: Array
    first: Array | float = 0.0
    second: Array | float = 0.0

    __array_ufunc__ = None  # so that arrays leave arithmetic with a jet to the jet

    def __add__(self, other):
        other = _jet(other)
        return Jet(
            self.value + other.value, self.first + other.first, self.second + other.second
        )  # fmt: skip

    def __mul__(self, other):
        other = _jet(other)
        return Jet(
            self.value * other.value,
            self.first * other.value + self.value * other.first,
            self.second * other.value + 2 * self.first * other.first + self.value * other.second,
        )

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -_jet(other)

    def __rsub__(self, other):
        return -self + other

    __radd__, __rmul__ = __add__, __mul__

    def through(self, value: Array, slope: Array, curve: Array) -> Jet:
        """The jet of f(self), from f and its derivatives at the value."""
        return Jet(value, slope * self.first, curve * self.first**2 + slope * self.second)

    def where(self, condition: Array, other: Jet) -> Jet:
        """This jet in the rows of the condition, the other in all others."""
        pairs = zip(self.parts, other.parts, strict=True)
        return Jet(*(np.where(condition, mine, theirs) for mine, theirs in pairs))

    @property
    def parts(self) -> tuple:
        return self.value, self.first, self.second


def _jet(x) -> Jet:
    return x if isinstance(x, Jet) else Jet(x)


def exp(x: Jet) -> Jet:
    value = np.exp(x.value)
    return x.through(value, value, value)


def log(x: Jet) -> Jet:
    return x.through(np.log(x.value), 1 / x.value, -1 / x.value**2)


def log1p(x: Jet) -> Jet:
    return x.through(np.log1p(x.value), 1 / (1 + x.value), -1 / (1 + x.value) ** 2)


def expm1(x: Jet) -> Jet:
    value = np.exp(x.value)
    return x.through(np.expm1(x.value), value, value)


def inverse(x: Jet) -> Jet:
    return x.through(1 / x.value, -1 / x.value**2, 2 / x.value**3)


def softplus(x: Jet) -> Jet:
    """``log(1 + exp(x))``"""
    share = special.expit(x.value)
    return x.through(np.logaddexp(0, x.value), share, share * special.expit(-x.value))


def log_ndtr(x: Jet) -> Jet:
    """The logarithm of the standard normal distribution function."""
    value = special.log_ndtr(x.value)
    mills = np.exp(-0.5 * (x.value**2 + LOG_TWO_PI) - value)
    return x.through(value, mills, -mills * (x.value + mills))


def log_less_exp(x: Jet) -> Jet:
    """``log(1 - exp(-x))`` for x > 0."""
    slope = 1 / np.expm1(x.value)
    return x.through(np.log(-np.expm1(-x.value)), slope, -slope * (1 + slope))


def lgamma(x: Jet) -> Jet:
    value = x.value
    return x.through(special.gammaln(value), special.psi(value), special.polygamma(1, value))


def log_rising(x: Jet, step: Array | float, count: Array) -> Jet:
    """``Σ log(x + j step)`` over j = 1, …, count - 1, row by row."""
    shape = x.value.shape
    terms = np.maximum(np.broadcast_to(count, shape).astype(int), 1) - 1
    row = np.repeat(np.arange(len(terms)), terms)
    j = np.arange(1, len(row) + 1) - np.repeat(np.cumsum(terms) - terms, terms)
    each = x.value[row] + j * np.broadcast_to(step, shape)[row]
    value, slope, curve = (
        np.bincount(row, part, len(terms)) for part in (np.log(each), 1 / each, 1 / each**2)
    )
    return x.through(value, slope, -curve)


# ------------------------------------------------------------------------ links and families

LOG_MEAN: dict[str, Callable[[Jet], Jet]] = {
    "identity": log,
    "log": lambda eta: eta,
    "inverse": lambda eta: -log(eta),
    "logit": lambda eta: -softplus(-eta),
    "probit": log_ndtr,
    "cloglog": lambda eta: log_less_exp(exp(eta)),
}
LOG_REST: dict[str, Callable[[Jet], Jet]] = {  # of one less the mean
    "identity": lambda eta: log(1 - eta),
    "log": lambda eta: log_less_exp(-eta),
    "logit": lambda eta: -softplus(eta),
    "probit": lambda eta: log_ndtr(-eta),
    "cloglog": lambda eta: -exp(eta),
}
MEAN: dict[str, Callable[[Jet], Jet]] = {
    "identity": lambda eta: eta,
    "inverse": inverse,
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """What the densities of the rows depend on beside eta; numbers, or one a row.

    Attributes
    ----------
    y : ndarray, shape (n,)
        The response: a number of successes where there are `trials`.
    family, link : str
    trials, phi, df, odds0, odds1 : ndarray or float
    weights : ndarray or float
        Each row's log-density is multiplied by its weight.
    zero_logit : ndarray, float or None
        The logit of the probability of an extra zero.
    """

    y: Array
    family: str
    link: str
    trials: Array | float = 1.0
    phi: Array | float = 1.0
    df: float = 8.0
    odds0: float = 0.0
    odds1: float = 0.0
    weights: Array | float = 1.0
    zero_logit: Array | float | None = None

    def where(self, kept: Array) -> Rows:
        """The rows that are kept."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return Rows(**{name: part[kept] if np.ndim(part) else part for name, part in parts.items()})

    @cached_property
    def scatter(self) -> Array:
        """``Σ log(1 + j phi)`` over j = 1, …, y - 1: what of negative binomial rows has no eta."""
        return log_rising(Jet(np.ones(len(self.y))), self.phi, self.y).value

    def mean(self, eta: Jet) -> Jet:
        return MEAN[self.link](eta) if self.link in MEAN else exp(self.log_mean(eta))

    def log_mean(self, eta: Jet) -> Jet:
        return LOG_MEAN[self.link](eta)

    def log_rest(self, eta: Jet) -> Jet:
        return LOG_REST[self.link](eta)

    def log_density(self, eta: Array) -> Jet:
        """Of each row, minus infinity where there is none, with its derivatives in eta."""
        with np.errstate(all="ignore"):
            found = DENSITIES[self.family](self, Jet(eta, np.ones_like(eta), np.zeros_like(eta)))
            if self.zero_logit is not None and self.family in ABOVE_ZERO:
                zero = Jet(np.broadcast_to(self.zero_logit, self.y.shape))
                found = zero.where(self.y == 0, found) - np.logaddexp(0, self.zero_logit)
            elif self.zero_logit is not None:
                inflated = found + softplus(self.zero_logit - found)
                found = inflated.where(self.y == 0, found) - np.logaddexp(0, self.zero_logit)
            found = found * self.weights
        fine = np.all(np.isfinite(found.parts), axis=0)
        return found.where(fine, Jet(np.full(len(eta), -np.inf)))


def _normal(rows: Rows, eta: Jet) -> Jet:
    residual = rows.y - rows.mean(eta)
    return -0.5 * (residual * residual * (1 / rows.phi) + np.log(rows.phi) + LOG_TWO_PI)


def _t(rows: Rows, eta: Jet) -> Jet:
    residual, df = rows.y - rows.mean(eta), rows.df
    ratio = special.gammaln((df + 1) / 2) - special.gammaln(df / 2)
    if df > 1e6:
        ratio = 0.5 * np.log(df / 2) - 0.25 / df
    scaled = log1p(residual * residual * (1 / (df * rows.phi)))
    return ratio - 0.5 * np.log(np.pi * df * rows.phi) - (df + 1) / 2 * scaled


def _gamma(rows: Rows, eta: Jet) -> Jet:
    k = 1 / rows.phi
    ratio = np.log(rows.y) - rows.log_mean(eta)
    stirling = 0.5 * np.log(k / (2 * np.pi)) - 1 / (12 * k) + 1 / (360 * k**3)
    constant = np.where(k > 1e3, stirling, k * np.log(k) - k - special.gammaln(k))
    return k * (ratio - expm1(ratio)) + constant - np.log(rows.y)


def _lognormal(rows: Rows, eta: Jet) -> Jet:
    residual = np.log(rows.y) - rows.log_mean(eta) + rows.phi / 2
    normal = residual * residual * (1 / rows.phi) + np.log(rows.phi) + LOG_TWO_PI
    return -0.5 * normal - np.log(rows.y)


def _beta(rows: Rows, eta: Jet) -> Jet:
    a, b = (exp(part(eta)) * rows.phi for part in (rows.log_mean, rows.log_rest))
    return (
        special.gammaln(rows.phi) - lgamma(a) - lgamma(b)
        + (a - 1) * np.log(rows.y) + (b - 1) * np.log1p(-rows.y)
    )  # fmt: skip


def _log_choose(rows: Rows) -> Array:
    n, y = rows.trials, rows.y
    return special.gammaln(n + 1) - special.gammaln(y + 1) - special.gammaln(n - y + 1)


def _if_any(count: Array, log_probability: Jet) -> Jet:
    """Zero where nothing was counted, unless the mean lies outside of its interval."""
    needed = (count > 0) | np.isnan(log_probability.value)
    return log_probability.where(needed, Jet(np.zeros(len(count))))


def _ends(rows: Rows, eta: Jet) -> tuple[Jet, Jet]:
    """Log-probabilities of a success and of a failure, where there was one."""
    failures = rows.trials - rows.y
    return _if_any(rows.y, rows.log_mean(eta)), _if_any(failures, rows.log_rest(eta))


def _binomial(rows: Rows, eta: Jet) -> Jet:
    success, failure = _ends(rows, eta)
    return rows.y * success + (rows.trials - rows.y) * failure + _log_choose(rows)


def _betabinomial(rows: Rows, eta: Jet) -> Jet:
    (success, failure), step = _ends(rows, eta), 1 / rows.phi
    return (
        success + log_rising(exp(rows.log_mean(eta)), step, rows.y)
        + failure + log_rising(exp(rows.log_rest(eta)), step, rows.trials - rows.y)
        - log_rising(Jet(np.ones(len(rows.y))), step, rows.trials) + _log_choose(rows)
    )  # fmt: skip


def _poisson(rows: Rows, eta: Jet) -> Jet:
    some = _if_any(rows.y, rows.log_mean(eta))
    return rows.y * some - rows.mean(eta) - special.gammaln(rows.y + 1)


def _negative_binomial(rows: Rows, eta: Jet) -> Jet:
    some = _if_any(rows.y, rows.log_mean(eta))
    shrunk = log1p(rows.phi * rows.mean(eta))
    constant = rows.scatter - special.gammaln(rows.y + 1)
    return rows.y * some - (rows.y + 1 / rows.phi) * shrunk + constant


def _nbinom1(rows: Rows, eta: Jet) -> Jet:
    mu, per_mean = rows.mean(eta), np.log1p(rows.phi)
    some = _if_any(rows.y, rows.log_mean(eta))
    rising = some + log_rising(mu, rows.phi, rows.y)
    return rising - rows.y * per_mean - mu * (per_mean / rows.phi) - special.gammaln(rows.y + 1)


def _truncated_poisson(rows: Rows, eta: Jet) -> Jet:
    return _poisson(rows, eta) - log_less_exp(rows.mean(eta))


def _truncated_negative_binomial(rows: Rows, eta: Jet) -> Jet:
    log_zero = log1p(rows.phi * rows.mean(eta)) * (1 / rows.phi)
    return _negative_binomial(rows, eta) - log_less_exp(log_zero)


def _genpois(rows: Rows, eta: Jet) -> Jet:
    root, y = np.sqrt(rows.phi), rows.y
    theta = rows.mean(eta) * (1 / root)
    reach = theta + (1 - 1 / root) * y
    power = ((y - 1) * log(reach)).where(y > 1, Jet(np.zeros(len(y))))
    several = log(theta) + power - reach - special.gammaln(y + 1)
    return several.where(y > 0, -theta)


def _ordered_beta(rows: Rows, eta: Jet) -> Jet:
    with_zeros, with_ones = (np.any(odds > 0) for odds in (rows.odds0, rows.odds1))
    nothing = Jet(np.zeros(len(rows.y)))
    zero = eta - np.log(rows.odds0) if with_zeros else nothing
    one = eta + np.log(rows.odds1) if with_ones else nothing
    inside = -softplus(-zero) if with_zeros else nothing
    inside = inside - softplus(one) if with_ones else inside
    both = np.log1p(-rows.odds0 * rows.odds1)
    between = Rows(
        np.where((rows.y > 0) & (rows.y < 1), rows.y, 0.5), "beta", "logit", phi=rows.phi
    )
    found = _beta(between, eta) + inside + both
    found = (-softplus(zero)).where(rows.y == 0, found)
    return (-softplus(-one)).where(rows.y == 1, found)


ABOVE_ZERO = ("gamma", "lognormal", "beta", "truncated_poisson", "truncated_negative_binomial")
DENSITIES = {
    "normal": _normal, "t": _t, "gamma": _gamma, "lognormal": _lognormal, "beta": _beta,
    "binomial": _binomial, "betabinomial": _betabinomial, "poisson": _poisson,
    "negative_binomial": _negative_binomial, "nbinom1": _nbinom1, "genpois": _genpois,
    "truncated_poisson": _truncated_poisson, "ordered_beta": _ordered_beta,
    "truncated_negative_binomial": _truncated_negative_binomial,
}  # fmt: skip

# ------------------------------------------------------------------------------ the integral


def laplace(rows: Rows, fixed: Array, K: Array, starts: Iterable[Array] = ()) -> float:
    """Laplace's approximation to the log-likelihood, at the highest mode that is found.

    Parameters
    ----------
    rows : Rows
    fixed : ndarray, shape (n,)
        Fixed part of eta, offset included.
    K : ndarray, shape (n, n)
        Covariance of the random part of eta.
    starts : iterable of ndarray, shape (n,)
        Random parts of eta to search from, beside zero: the joint density may have several modes.
    """
    A = _root(K)
    found = [_mode(rows, fixed, A, np.zeros(A.shape[1]))]
    found += [_mode(rows, fixed, A, np.linalg.lstsq(A, start, rcond=None)[0]) for start in starts]
    return max(found)[1]


def laplace_of_two(
    rows: Rows, fixed: tuple[Array, Array], K: tuple[Array, Array], starts: Iterable[Array] = ()
) -> float:
    """The same with random effects in the logit of the zeros too, independent of the others.

    Parameters
    ----------
    rows : Rows
        Without `zero_logit`.
    fixed : pair of ndarray, shape (n,)
        Fixed parts of eta and of that logit.
    K : pair of ndarray, shape (n, n)
        Covariances of their random parts.
    starts : iterable of ndarray, shape (2 n,)
        Random parts of both, one after the other, to search from beside zero.
    """
    A, both = linalg.block_diag(*map(_root, K)), WithZeros(rows)
    found = [_mode(both, np.concatenate(fixed), A, np.zeros(A.shape[1]))]
    for start in starts:
        found.append(_mode(both, np.concatenate(fixed), A, np.linalg.lstsq(A, start)[0]))
    return max(found)[1]


@dataclass(frozen=True)
class WithZeros:
    """Rows whose density depends on eta and on the logit of an extra zero."""

    rows: Rows

    def log_density(self, predictors: Array) -> Jet:
        """Of each row; the derivatives are in all predictors, eta of all rows first."""
        eta, zeta = np.split(predictors, 2)
        own, is_zero = self.rows.log_density(eta), self.rows.y == 0
        if self.rows.family in ABOVE_ZERO:
            own = Jet(np.zeros(len(eta)), *np.zeros((2, len(eta)))).where(is_zero, own)
            counted = 1.0 * ~is_zero
        else:
            weighted = own.value / self.rows.weights
            counted = np.where(is_zero, special.expit(weighted - zeta), 1.0)
        weights, p = self.rows.weights, special.expit(zeta)
        slope, curve = own.first / weights, own.second / weights
        mixed = counted * (1 - counted)
        value = np.where(is_zero, zeta, own.value / weights)
        if self.rows.family not in ABOVE_ZERO:
            value = np.where(is_zero, np.logaddexp(zeta, own.value / weights), value)
        value = weights * (value - np.logaddexp(0, zeta))
        first = [weights * counted * slope, weights * ((1 - counted) - p)]
        second = [
            [weights * (counted * curve + mixed * slope**2), -weights * mixed * slope],
            [-weights * mixed * slope, weights * (mixed - p * (1 - p))],
        ]
        return Jet(
            value, np.concatenate(first), np.block([[np.diag(d) for d in line] for line in second])
        )


def _root(K: Array) -> Array:
    """A matrix A with A Aᵀ = K, without columns that are zero up to rounding."""
    values, vectors = np.linalg.eigh(K)
    kept = values > 1e-14 * max(values[-1], 0)
    return vectors[:, kept] * np.sqrt(values[kept])


def _mode(rows: Rows, fixed: Array, A: Array, u: Array) -> tuple[float, float]:
    """The joint log-density at the mode that Newton's method finds, and the approximation there."""
    joint, found = _joint(rows, fixed + A @ u, u)
    for _ in range(200 if np.isfinite(joint) else 0):
        H = np.eye(len(u)) - A.T @ _times(found.second, A)
        if len(u) and np.linalg.eigvalsh(H)[0] <= 0:
            H = np.eye(len(u)) - A.T @ _times(_downwards(found.second), A)
        gradient = A.T @ found.first - u
        step = np.linalg.solve(H, gradient)
        if gradient @ step < 1e-16 * (1 + abs(joint)):
            break
        for length in 0.5 ** np.arange(40):
            moved = u + length * step
            joint_there, found_there = _joint(rows, fixed + A @ moved, moved)
            if joint_there >= joint:
                break
        else:
            break
        u, joint, found = moved, joint_there, found_there
    H = np.eye(len(u)) - A.T @ _times(found.second, A)
    sign, logdet = np.linalg.slogdet(H)
    return joint, joint - 0.5 * logdet if sign > 0 else -np.inf


def _times(second: Array, A: Array) -> Array:
    """Second derivatives, of each row or a matrix, times A."""
    return second @ A if second.ndim == 2 else second[:, None] * A


def _downwards(second: Array) -> Array:
    """The second derivatives without those that are above zero."""
    if second.ndim == 1:
        return np.minimum(second, 0)
    values, vectors = np.linalg.eigh(second)
    return (vectors * np.minimum(values, 0)) @ vectors.T


def _joint(rows: Rows, eta: Array, u: Array) -> tuple[float, Jet]:
    found = rows.log_density(eta)
    return found.value.sum() - 0.5 * u @ u, found


def exact_normal(y: Array, mean: Array, V: Array, X: Array | None = None) -> float:
    """The multivariate normal log-density; with X the restricted one, at the estimates of beta.

    Harville 1974, Biometrika 61:383, with the constant of lme4: ``-½ log|XᵀV⁻¹X|`` and p degrees of
    freedom less. Minus infinity where V is not positive definite.
    """
    try:
        root = np.linalg.cholesky(V)
    except np.linalg.LinAlgError:
        return -np.inf
    residual = linalg.solve_triangular(root, y - mean, lower=True)
    value = -0.5 * (residual @ residual + len(y) * LOG_TWO_PI) - np.log(np.diag(root)).sum()
    if X is not None and X.shape[1]:
        R = np.linalg.qr(linalg.solve_triangular(root, X, lower=True), mode="r")
        value += 0.5 * X.shape[1] * LOG_TWO_PI - np.log(np.abs(np.diag(R))).sum()
    return value
