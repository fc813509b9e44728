"""Structures of time: each level of the grouping factor has a series of effects."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd

from glmmtools.covariances.base import ZERO_SD, Array, InGlmmTMB, Structure

_MOST_RHO = 1 - 1e-12  # at 1 itself the innovations vanish, and slopes in rho are infinite
_NEAR_ONE, _UNSURE = 0.98, 3.0  # rho of a series, and its distance from zero in standard errors


class FirstOrderAutoregressive(Structure):
    """An AR(1) series for each level: corr(b_s, b_t) = rho^|s - t|, theta = (sd, atanh rho).

    Each level has its own times, whole numbers with gaps or not. With ``d`` the step to the time
    before, ``b_t = rho^d b_{t-d} + sd sqrt(1 - rho^{2d}) u_t``, hence
    ``Λ_jk = sd rho^(t_j - t_k) sqrt(1 - rho^{2 d_k})`` for k ≤ j.

    Parameters
    ----------
    column_name : str
        What stands left of the bar in a formula.
    codes : ndarray of int, shape (n,)
        Level of each row; every level occurs.
    time : ndarray, shape (n,)
        Whole numbers, distinct within a level.

    Attributes
    ----------
    times : ndarray, shape (levels, q)
        The times of each level in order; a shorter series ends in nan.
    places : ndarray of int, shape (n,)
        Place of each row in the series of its level.
    unit : float
        The median distance of neighbours in time.
    """

    name, rho_latex = "ar1", r"\rho^{|t - t'|}"
    of_time, has_rho, n_params = True, True, 2
    why_whole_times = "the correlation is rho to the power of the time between two rows"

    def __init__(self, column_name: str, codes: Array, time: Array):
        self.column_name, self.names = column_name, (column_name,)
        places = pd.Series(time).groupby(codes).rank().to_numpy().astype(np.intp) - 1
        self.n_levels, self.q = int(codes.max()) + 1, int(places.max()) + 1
        self.times = np.full((self.n_levels, self.q), np.nan)
        self.times[codes, places] = self.on_axis(time)
        lag = self.times[:, :, None] - self.times[:, None, :]
        lag[~(lag >= 0)] = np.nan  # above the diagonal, or past the last time
        step = np.diff(self.times, axis=1, prepend=np.nan)
        between = step[step > 0]
        self.unit = float(np.median(between)) if len(between) else 1.0
        step[:, 0] = np.inf  # the first value of a series has the stationary variance
        # Powers are taken of the few different pairs of a lag and a step only.
        lags, lag_at = np.unique(lag, return_inverse=True, equal_nan=True)
        steps, step_at = np.unique(step, return_inverse=True, equal_nan=True)
        key = lag_at.reshape(lag.shape) * len(steps) + step_at.reshape(step.shape)[:, None, :]
        keys, at = np.unique(key, return_inverse=True)
        self.lag, self.step = lags[keys // len(steps)], steps[keys % len(steps)]
        self._pair_at = at.reshape(lag.shape)
        self._put_on(codes, places)

    def _put_on(self, codes: Array, places: Array) -> None:
        self.codes, self.places = codes, places
        self._rows = self._pair_at[codes, places]

    @classmethod
    def at_times(cls, times):
        return cls("time", np.zeros(times, int), np.arange(times))

    @staticmethod
    def on_axis(time: Array) -> Array:
        """Times without what rounding added to whole numbers."""
        return np.round(time)

    @property
    def Z(self) -> Array:
        return np.ones((len(self.codes), 1))

    @property
    def entries(self) -> Array:
        return self.places

    @property
    def coordinates(self) -> Array:
        return self.times[self.codes, self.places]

    def on(self, codes, entries):
        other = copy.copy(self)
        other._put_on(codes, entries)
        return other

    def places_of(self, codes: Array, time: Array) -> Array:
        """Places of rows at these times in the series of their levels; -1 where there is none."""
        same = self.times[codes] == self.on_axis(time)[:, None]
        return np.where(same.any(axis=1), same.argmax(axis=1), -1)

    # -- in words

    def described(self, what):
        return f"first-order autoregressive {what} over {self.column_name}"

    def in_glmmtmb(self):
        times = np.unique(self.times[~np.isnan(self.times)])
        if len(times) == np.ptp(times) + 1:
            return InGlmmTMB("ar1(0 + factor({columns}) | {group})", ("sd", "corr"))
        # its ar1 counts the times that occur; its Ornstein-Uhlenbeck process counts time, and its
        # search starts at a correlation of 1/e at a distance of 1
        return _in_continuous_time(np.median(np.diff(times)))

    def effect_labels(self):
        labels = [[f"{self.names[0]}[{time:g}]" for time in series] for series in self.times]
        return np.array(labels, object), ~np.isnan(self.times)

    # -- parameters

    def correlation_matrix(self, corr, rho):
        return np.eye(1)

    def theta_of(self, covariance, rho=None):
        return np.array([np.sqrt(covariance[0, 0]), np.arctanh(rho)])

    def covariance(self, theta):
        return np.array([[theta[0] ** 2]])

    def rho(self, theta):
        return self.step_rho(theta)[0]

    def step_rho(self, theta: Array) -> tuple[float, float]:
        """The correlation at a lag of one, and its slope in theta."""
        rho = float(np.clip(np.tanh(theta[1]), -_MOST_RHO, _MOST_RHO))
        return rho, 1 - rho**2

    # -- the effects on rows of data

    def _entries_of_factor(self, rho: float) -> tuple[Array, Array]:
        """``rho^lag sqrt(1 - rho^{2 step})`` of each pair, and its derivative in rho."""
        known = ~np.isnan(self.lag + self.step)  # elsewhere Λ is zero
        lag = np.where(known, self.lag, 0.0)
        step = np.where(known & np.isfinite(self.step), self.step, 0.0)
        power = np.power(rho, lag)
        innovation = np.where(step > 0, np.sqrt(1 - np.power(abs(rho), 2 * step)), 1.0)
        slope = lag * np.power(rho, np.where(lag > 0, lag - 1, 0)) * innovation
        slope -= power * step * np.power(rho, np.where(step > 0, 2 * step - 1, 0)) / innovation
        return known * power * innovation, known * slope

    def rows(self, theta):
        return (theta[0] * self._entries_of_factor(self.step_rho(theta)[0])[0]).take(self._rows)

    def gradient(self, theta, F):
        rho, slope = self.step_rho(theta)
        entries, slopes = self._entries_of_factor(rho)
        forces = np.bincount(self._rows.ravel(), F.ravel(), minlength=len(entries))
        return np.array([entries @ forces, theta[0] * (slopes @ forces) * slope])

    def _factors(self, theta: Array) -> Array:
        """Λ of each level."""
        return (theta[0] * self._entries_of_factor(self.step_rho(theta)[0])[0])[self._pair_at]

    def effects(self, theta, u):
        return np.einsum("lij,lj->li", self._factors(theta), u)

    def effect_covariances(self, theta, cov_u):
        factor = self._factors(theta)
        return factor @ cov_u @ factor.transpose(0, 2, 1)

    def predictor(self, b):
        return np.vstack([b, np.zeros(b.shape[1])])[self.codes, self.places]

    def predictor_variances(self, covariance):
        return np.full(len(self.codes), covariance[0, 0])

    # -- the search for the parameters

    def _moments(self, residual: Array) -> tuple[float, float, float]:
        """Variance of residuals, share of it that is the series', and rho, from neighbours.

        With independent scatter besides, products ``r_t r_(t+1)`` have the mean ``sd² rho`` and
        ``r_t r_(t+2)`` the mean ``sd² rho²``. Gaps are passed over.
        """
        place = self.codes * (self.q + 2) + self.places  # two series are never neighbours
        order = np.argsort(place)
        place, residual = place[order], residual[order]

        def mean_product(lag: int) -> float:
            pairs = np.flatnonzero(place[lag:] - place[:-lag] == lag)
            return float(np.mean(residual[pairs + lag] * residual[pairs])) if len(pairs) else 0.0

        total, first, second = np.mean(residual**2) or 1.0, mean_product(1), mean_product(2)
        if first and second > 0:
            rho, share = second / first, first**2 / (second * total)
        else:  # no such series: its second is never negative
            rho, share = first / total, 0.5
        return total, np.clip(share, 0.1, 0.99), np.clip(rho, -0.97, 0.97)

    def explained(self, residual):
        return self._moments(residual)[1]

    def start(self, factor, between, residual):
        total, share, rho = self._moments(residual)
        variance = share * total
        if factor < 1:  # other starts: near to independent rows,
            variance, rho = total / 2, 0.2
        if factor > 1:  # or to one effect for all times
            variance, rho = between, 0.99
        return self.start_at(np.sqrt(variance), rho)

    def start_at(self, sd: float, rho: float) -> Array:
        """Parameters to start from, with this correlation of neighbours."""
        return np.array([sd, np.arctanh(np.sign(rho) * np.abs(rho) ** (1 / self.unit))])

    def is_unsure(self, theta, variances):
        """Whether rho lies near an end, or within three standard errors of zero."""
        return abs(np.tanh(theta[1])) > _NEAR_ONE or theta[1] ** 2 < _UNSURE**2 * variances[1]

    def is_singular(self, theta):
        return abs(theta[0]) < ZERO_SD or abs(self.rho(theta)) > 1 - 1e-6


def _in_continuous_time(unit: float) -> InGlmmTMB:
    """glmmTMB's Ornstein-Uhlenbeck process, with times in this unit."""
    written = f"ou(0 + numFactor({{columns}} / {unit:g}) | {{group}})"
    return InGlmmTMB(written, ("sd", "decay"), negative=False)


class OrnsteinUhlenbeck(FirstOrderAutoregressive):
    """A process in continuous time: corr(b_s, b_t) = rho^|s - t|, for times of any distance.

    rho is the correlation of two rows one unit of time apart, between 0 and 1. theta = (sd, log of
    minus the log of the correlation at the median distance of neighbours), so that the unit of time
    does not matter to the search; lags and steps are in that distance.
    """

    name, title, rho_latex = "ou", "Ornstein–Uhlenbeck", r"\rho^{|t - t'|}"
    why_whole_times = ""

    def __init__(self, column_name, codes, time):
        super().__init__(column_name, codes, time)
        self.lag, self.step = self.lag / self.unit, self.step / self.unit

    @staticmethod
    def on_axis(time):
        return np.asarray(time, float)

    def described(self, what):
        return f"{what} that follow an Ornstein–Uhlenbeck process over {self.column_name}"

    def in_glmmtmb(self):
        return _in_continuous_time(self.unit)

    @property
    def lowest_rho(self):
        return 0.0

    @property
    def telling_distance(self):
        return self.unit

    @property
    def nearly_constant(self):
        return super().nearly_constant ** (1 / self.unit)

    def theta_of(self, covariance, rho=None):
        decay = -np.log(np.clip(rho, 1e-300, _MOST_RHO)) * self.unit
        return np.array([np.sqrt(covariance[0, 0]), np.log(decay)])

    def rho(self, theta):
        return float(np.exp(-np.exp(theta[1]) / self.unit))

    def step_rho(self, theta):
        decay = np.exp(np.clip(theta[1], -27.0, 5.0))  # between nearly 1 and nearly 0
        return float(np.exp(-decay)), float(-decay * np.exp(-decay))

    def start_at(self, sd, rho):
        return np.array([sd, np.log(-np.log(np.clip(rho, 0.05, 0.99)))])

    def is_unsure(self, theta, variances):
        """Whether the correlation of neighbours lies near an end."""
        return not 1 - _NEAR_ONE < self.step_rho(theta)[0] < _NEAR_ONE

    def is_singular(self, theta):
        return abs(theta[0]) < ZERO_SD or not 1e-6 < self.step_rho(theta)[0] < 1 - 1e-6
