"""The log-densities of the families again, in 200 decimal digits: the truth of test_families.py.

Each is written as textbooks write it. At this precision nothing cancels, and differences with a
step of 1e-30 are derivatives to fifty digits and more.
"""

from __future__ import annotations

from decimal import Decimal as D
from decimal import getcontext
from functools import lru_cache
from math import comb

getcontext().prec = 200
STEP = D(10) ** -30
PI = D("3.14159265358979323846264338327950288419716939937510582097494459230781640628621")
# What differencing leaves of a derivative that is zero, relative to the scale 1/|mu| of each order.
NOISE = D(10) ** -50


@lru_cache
def _stirling() -> list[D]:
    """Coefficients of the series: Bernoulli numbers B(2n) over 2n (2n - 1)."""
    numbers = [D(1)]
    for m in range(1, 121):
        total = sum(comb(m + 1, k) * numbers[k] for k in range(m))
        numbers.append(-total / (m + 1))
    return [numbers[2 * n] / (2 * n * (2 * n - 1)) for n in range(1, 61)]


@lru_cache(maxsize=10_000)
def log_gamma(x: D) -> D:
    """Stirling's series beyond 100, the recurrence below."""
    product = D(1)
    while x < 100:
        product, x = product * x, x + 1
    series, square, power = D(0), x * x, x
    for coefficient in _stirling():
        series += coefficient / power
        power *= square
    return (x - D("0.5")) * x.ln() - x + (2 * PI).ln() / 2 + series - product.ln()


def _choose(n: D, k: D) -> D:
    return log_gamma(n + 1) - log_gamma(k + 1) - log_gamma(n - k + 1)


def _log_beta(a: D, b: D) -> D:
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b)


def _negative_binomial(y: D, mu: D, size: D) -> D:
    rising = log_gamma(y + size) - log_gamma(size) - log_gamma(y + 1)
    return rising + size * (size / (size + mu)).ln() + y * (mu / (size + mu)).ln()


def _beta(y: D, mu: D, phi: D) -> D:
    a, b = mu * phi, (1 - mu) * phi
    return (a - 1) * y.ln() + (b - 1) * (1 - y).ln() - _log_beta(a, b)


def _t(y: D, mu: D, phi: D, df: D) -> D:
    half = (df + 1) / 2
    scale = log_gamma(half) - log_gamma(df / 2) - (df * PI * phi).ln() / 2
    return scale - half * (1 + (y - mu) ** 2 / (df * phi)).ln()


LOG_DENSITY = {
    "normal": lambda y, mu, phi: -((2 * PI * phi).ln() + (y - mu) ** 2 / phi) / 2,
    "t": _t,
    "gamma": lambda y, mu, phi: (
        -(phi * mu).ln() / phi - log_gamma(1 / phi) + (1 / phi - 1) * y.ln() - y / (phi * mu)
    ),
    "beta": _beta,
    "binomial": lambda y, mu, trials: (
        _choose(trials, y) + y * mu.ln() + (trials - y) * (1 - mu).ln()
    ),
    "poisson": lambda y, mu: y * mu.ln() - mu - log_gamma(y + 1),
    "negative_binomial": lambda y, mu, phi: _negative_binomial(y, mu, 1 / phi),
    "nbinom1": lambda y, mu, phi: _negative_binomial(y, mu, mu / phi),
    "betabinomial": lambda y, mu, phi, trials: (
        _choose(trials, y)
        + _log_beta(y + mu * phi, trials - y + (1 - mu) * phi)
        - _log_beta(mu * phi, (1 - mu) * phi)
    ),
    "lognormal": lambda y, mu, phi: (
        -y.ln() - ((2 * PI * phi).ln() + ((y / mu).ln() + phi / 2) ** 2 / phi) / 2
    ),
}


def _without_zero(log_density, y: D, *parameters: D) -> D:
    return log_density(y, *parameters) - (1 - log_density(D(0), *parameters).exp()).ln()


def _genpois(y: D, mu: D, phi: D) -> D:
    """Without the factor ``(θ + λy)^(y - 1)`` where it is 1, or cancels."""
    theta, part = mu / phi.sqrt(), 1 - 1 / phi.sqrt()
    if y == 0:
        return -theta
    reach = theta + part * y
    power = D(0) if y == 1 else (y - 1) * reach.ln()
    return theta.ln() + power - reach - log_gamma(y + 1)


def _ordered_beta(y: D, mu: D, phi: D, odds0: D, odds1: D) -> D:
    odds = mu / (1 - mu)
    zero, one = 1 / (1 + odds / odds0), 1 / (1 + 1 / (odds * odds1))
    if y in (0, 1):
        return (one if y else zero).ln()
    return (1 - zero - one).ln() + _beta(y, mu, phi)


LOG_DENSITY |= {
    "genpois": _genpois,
    "ordered_beta": _ordered_beta,
    "truncated_poisson": lambda y, mu: _without_zero(LOG_DENSITY["poisson"], y, mu),
    "truncated_negative_binomial": lambda y, mu, phi: _without_zero(
        LOG_DENSITY["negative_binomial"], y, mu, phi
    ),
}


def by_mu(name: str, y: float, mu: float, shape: dict[str, float]) -> list[D]:
    """The log-density and its first three derivatives in mu."""
    values = {key: D(float(value)) for key, value in shape.items()}
    return _by_mu(name, D(float(y)), D(float(mu)), values)


def _by_mu(name: str, y: D, mu: D, shape: dict[str, D]) -> list[D]:
    h = abs(mu) * STEP
    f = {k: LOG_DENSITY[name](y, mu + k * h, **shape) for k in (-2, -1, 0, 1, 2)}
    return [
        f[0],
        (f[1] - f[-1]) / (2 * h),
        (f[1] - 2 * f[0] + f[-1]) / h**2,
        (f[2] - 2 * f[1] + 2 * f[-1] - f[-2]) / (2 * h**3),
    ]


def by_log_shape(name: str, y: float, mu: float, shape: dict[str, float], which: str) -> list[D]:
    """Derivatives in the log of one shape parameter: of the log-density and of its first two."""
    values = {key: D(float(value)) for key, value in shape.items()}
    above, below = (
        _by_mu(name, D(float(y)), D(float(mu)), {**values, which: values[which] * step.exp()})
        for step in (STEP, -STEP)
    )
    return [(a - b) / (2 * STEP) for a, b in zip(above[:3], below[:3], strict=True)]
