"""What `simulate` does to data that its formula does not say."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.families.base import Family
from glmmtools.formula.design import Design
from glmmtools.formula.specification import Specification, check_extra_zeros

Array = np.ndarray
_OUTLIER_SDS = 6


@dataclass(frozen=True)
class Departures:
    """The departures of simulated data from their model; at zero there is none.

    Attributes
    ----------
    overdispersion : float
        Standard deviation of a normal effect of each row, on the scale of the linear predictor.
    zero_inflation : float
        Probability of a further extra zero.
    missing, imbalance, outliers : float
        Fractions of rows.
    """

    overdispersion: float = 0.0
    zero_inflation: float = 0.0
    missing: float = 0.0
    imbalance: float = 0.0
    outliers: float = 0.0

    def check(self, family: Family) -> None:
        """Raise ValueError for what is out of range, or nothing that the family can have."""
        if not (np.isfinite(self.overdispersion) and self.overdispersion >= 0):
            raise ValueError(f"overdispersion is an sd, 0 or more; got {self.overdispersion:g}")
        for name in ("missing", "imbalance", "outliers"):
            fraction = getattr(self, name)
            if not 0 <= fraction < 1:
                raise ValueError(f"{name} is a fraction, 0 or more and below 1; got {fraction:g}")
        check_extra_zeros("zero_inflation", self.zero_inflation, family)

    @property
    def switched_on(self) -> dict[str, float]:
        """The departures that are not zero, by name."""
        return {name: value for name, value in asdict(self).items() if value}

    def overdispersed(self, eta: Array, rng: np.random.Generator) -> Array:
        """Linear predictors, shape (n,), with an effect of each row."""
        if not self.overdispersion:
            return eta
        return eta + rng.normal(0, self.overdispersion, len(eta))

    def with_outliers(
        self, y: Array, eta: Array, model: Specification, rng: np.random.Generator
    ) -> Array:
        """Responses, shape (n,), some of them recorded wrongly."""
        if not self.outliers:
            return y
        rows = _some_rows(len(y), self.outliers, rng)
        y = y.astype(float)
        mu = model.family.clipped_mean(eta, model.link)
        y[rows] = _recorded_wrongly(y, mu, model.family, model.row_parameters, rng)[rows]
        return y

    def incomplete(
        self, frame: pd.DataFrame, response: str, design: Design, rng: np.random.Generator
    ) -> pd.DataFrame:
        """The frame with some values of the response missing, and without some rows."""
        if self.missing:
            rows = _some_rows(len(frame), self.missing, rng)
            frame[response] = frame[response].astype(float)
            frame.iloc[rows, frame.columns.get_loc(response)] = np.nan
        if self.imbalance:
            frame = frame[_unbalanced(design, self.imbalance, rng)]
        return frame


def _some_rows(n: int, fraction: float, rng: np.random.Generator) -> Array:
    return rng.choice(n, round(fraction * n), replace=False)


def _recorded_wrongly(
    y: Array, mu: Array, family: Family, parameters: dict[str, Any], rng: np.random.Generator
) -> Array:
    if family.takes_trials:
        return parameters["trials"] - y
    if family.mean_interval == (0.0, 1.0):
        return 1 - y
    variance = family.variance(mu, **parameters)
    # Student's t has no variance for df ≤ 2
    spread = np.sqrt(np.where(np.isfinite(variance), variance, parameters.get("phi", 1.0)))
    sign = rng.choice([-1, 1], len(y)) if family.mean_interval[0] == -np.inf else 1
    shifted = y + sign * _OUTLIER_SDS * spread
    return np.ceil(shifted) if family.discrete else shifted


def _unbalanced(design: Design, imbalance: float, rng: np.random.Generator) -> Array:
    """Which rows are kept, shape (n,)."""
    codes = (
        design.random[0].codes
        if design.random
        else np.unique(design.X, axis=0, return_inverse=True)[1].ravel()
    )
    sizes = np.bincount(codes)
    kept = np.maximum(1, np.round(sizes * rng.uniform(1 - imbalance, 1, len(sizes))))
    rank = pd.Series(rng.random(design.n)).groupby(codes).rank().to_numpy()
    return rank <= kept[codes]
