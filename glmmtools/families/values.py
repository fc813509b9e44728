"""The values of a response, read for a judgement of which families could have produced them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmmtools.shared.arguments import numbers, shown
from glmmtools.shared.text import listed, plural

Array = np.ndarray
# Whole numbers that are all this large are as often rounded measurements as counts.
_LARGE = 20


@dataclass(frozen=True, eq=False)
class Values:
    """The response without its missing values; `rows` are the labels to name in a message."""

    y: Array
    trials: Array | None
    rows: Sequence[object]
    missing: int

    @property
    def whole(self) -> bool:
        return bool(np.all(self.y == np.round(self.y)))

    @property
    def binary(self) -> bool:
        return self.trials is None and set(np.unique(self.y)) <= {0.0, 1.0}

    @property
    def are_counts(self) -> bool:
        """Whether they are whole numbers that are hardly rounded measurements."""
        return self.whole and not (self.y.min() >= _LARGE or self.y.min() < 0)

    def at(self, marked: Array) -> str:
        """Name the first marked value and its row."""
        first = int(marked.argmax())
        return f"y = {self.y[first]:g} in row {self.rows[first]}"


def read_values(y, trials=None) -> Values:
    """Return the values that are not missing as numbers; proportions of `trials` as counts.

    >>> read_values([0.5, None, 1.0], trials=4).y
    array([2., 4.])
    """
    try:
        series = y if isinstance(y, pd.Series) else pd.Series(np.asarray(y).ravel())
    except ValueError:  # lists of unequal length
        raise ValueError(f"y must be values in a row; got {shown(y)}") from None
    kept = series.notna().to_numpy()
    if not kept.any():
        raise ValueError("y has no values" if series.empty else "every value of y is missing")
    values = _numbers(series[kept])
    rows = list(series.index[kept])
    if not np.all(np.isfinite(values)):
        row = rows[int((~np.isfinite(values)).argmax())]
        raise ValueError(f"y is infinite in row {row}: no family produces that")
    totals = None
    if trials is not None:
        totals = _totals(trials, len(series))[kept]
        bad = ~(totals > 0) | (totals != np.round(totals))
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(
                f"trials must be whole numbers above 0; row {rows[row]} has {totals[row]:g}"
            )
        values = _successes(values, totals)
    return Values(values, totals, rows, int((~kept).sum()))


def _numbers(series: pd.Series) -> Array:
    series = series.infer_objects()
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(float)
    if not all(map(pd.api.types.is_scalar, series)):
        raise ValueError(f"y must be numbers or have two levels; it holds {shown(series.iloc[0])}")
    codes, levels = pd.factorize(series, sort=True)
    if len(levels) > 2:
        try:
            return series.to_numpy(float)
        except (TypeError, ValueError):
            raise ValueError(
                f"y must be numbers or have two levels; it has {plural(len(levels), 'level')}: "
                f"{listed(levels, 4)}"
            ) from None
    return codes.astype(float)


def _totals(trials, n: int) -> Array:
    totals = numbers("trials", trials).ravel()
    if totals.size not in (1, n):
        raise ValueError(
            f"trials must be one number or one for each of the {plural(n, 'value')} of y; "
            f"got {totals.size}"
        )
    return np.broadcast_to(totals, n)


def _successes(y: Array, trials: Array) -> Array:
    """Counts from proportions, where `y` holds whole multiples of 1/trials; else `y`."""
    counts = y * trials
    is_proportion = np.all((y >= 0) & (y <= 1)) and np.any(y != np.round(y))
    close = np.abs(counts - np.round(counts)) < 1e-6 * np.maximum(1, trials)
    return np.round(counts) if is_proportion and close.all() else y
