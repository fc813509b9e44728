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
_MOST_SCORES = 10
_HALF = 50  # per cent: shares are seldom all below
_HEAPED, _FEW = 0.7, 10  # share of multiples; values of which a share says something
ORDERED_MODELS = (
    "for categories in order see R's ordinal::clmm, or statsmodels' OrderedModel without random "
    "effects; for others MNLogit"
)


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

    @property
    def may_be_percent(self) -> bool:
        """Whether they look like whole per cent: up to 100, or most of them multiples of 5."""
        y = self.y
        if self.trials is not None or not (self.whole and y.min() >= 0 and _HALF <= y.max() <= 100):
            return False
        return y.max() == 100 or (len(y) >= _FEW and self.share_of_multiples(5) >= _HEAPED)

    @property
    def may_be_scores(self) -> bool:
        """Whether they look like 1, 2, …, k, each of which occurs."""
        levels = np.unique(self.y)
        in_order = np.array_equal(levels, np.arange(1, len(levels) + 1))
        return self.trials is None and in_order and 3 <= len(levels) <= min(
            _MOST_SCORES, len(self.y) - 1
        )  # fmt: skip

    @property
    def heaped_at(self) -> int | None:
        """10 or 5, if nearly all of many whole numbers are its multiples; else None."""
        spread = self.whole and len(self.y) >= _FEW and np.ptp(self.y) >= _LARGE
        steps = [each for each in (10, 5) if spread and self.share_of_multiples(each) >= _HEAPED]
        return steps[0] if steps else None

    def share_of_multiples(self, step: int) -> float:
        return float(np.mean(self.y % step == 0))

    def above_zero(self) -> Values:
        """Those that are not 0."""
        kept = self.y != 0
        rows = [row for row, each in zip(self.rows, kept, strict=True) if each]
        return Values(self.y[kept], None, rows, self.missing)

    def over(self, total: float) -> Values:
        """Each divided by a number."""
        return Values(self.y / total, None, self.rows, self.missing)

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
    except (ValueError, OverflowError):  # lists of unequal length, an integer beyond any number
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
    kind = pd.api.types.infer_dtype(series)
    if kind in ("datetime64", "datetime", "date", "period", "timedelta64", "timedelta"):
        what = "lengths of time" if "timedelta" in kind else "dates"
        write = "y.dt.total_seconds()" if "timedelta" in kind else "(y - start).dt.days"
        raise ValueError(
            f"y holds {what}: give numbers, such as {write}. Times until an event are positive: "
            "gamma or lognormal"
        )
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
                f"{listed(levels, 4)}. There are no models of several categories here: "
                f"{ORDERED_MODELS}"
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
