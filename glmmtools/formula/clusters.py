"""Which rows of a population-averaged model belong together, and when each was observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.covariances.working import WorkingCorrelation
from glmmtools.formula.brackets import split_outside, unquoted
from glmmtools.formula.columns import (
    is_factor_column,
    label_text,
    levels_of,
    refuse_dates,
    to_frame,
)
from glmmtools.formula.random_terms import group_codes, label_of_key

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Clusters:
    """The groups of rows that are alike, and what is assumed of the rows of one.

    Attributes
    ----------
    group : str
        Name of the grouping factor, ``"farm:pen"`` for an interaction.
    codes : ndarray of int, shape (n,)
        Group of each row.
    working : type of WorkingCorrelation
    time_name : str or None
        The column that says when a row was observed; None for the order of the rows.
    times : ndarray, shape (n,)
        Numbers, or labels where the column is a factor. Without a column: 1, 2, … in each group.
    time_labels : list
        The times that occur, in their order.
    places : ndarray of int, shape (n,)
        Which of `time_labels` each time is.
    """

    group: str
    codes: Array
    working: type[WorkingCorrelation]
    time_name: str | None
    times: Array
    time_labels: list[Any]
    places: Array

    @property
    def sizes(self) -> Array:
        """Number of rows of each group."""
        return np.bincount(self.codes)

    def why_too_few(self, p: int) -> str | None:
        """Say of what the data have too little beside p coefficients; None if they suffice."""
        together = np.zeros((0, 0))
        if self.working.of_time and not self.working.of_gaps:
            present = np.zeros((len(self.sizes), len(self.time_labels)))
            present[self.codes, self.places] = 1
            together = present.T @ present
        return self.working.why_too_few(self.sizes, together, self.time_labels, p)


def columns_of_clusters(data: Any, groups: Any, time: Any) -> tuple[str, ...]:
    """The columns that `groups` names: one, or those of an interaction such as ``"farm:pen"``.

    Raises
    ------
    ValueError
        If `groups` or `time` is no name.
    """
    for argument, given in {"groups": groups, "time": time}.items():
        if isinstance(given, str) and not given:
            raise ValueError(f"{argument}= is the name of a column; got an empty text")
        if not isinstance(given, str) and not (argument == "time" and given is None):
            raise ValueError(
                f"{argument}= is the name of a column; got a {type(given).__name__}. Values beside "
                f"the data become a column by data.assign({argument}=...)"
            )
    if groups in to_frame(data).columns:
        return (groups,)
    return tuple(unquoted(name) for name, _ in split_outside(groups, ":"))


def read_clusters(
    frame: pd.DataFrame,
    groups: tuple[str, ...],
    time: str | None,
    working: type[WorkingCorrelation],
) -> Clusters:
    """Read the groups and times of complete rows.

    Raises
    ------
    ValueError
        If the times are dates, or no numbers where their distances matter; if a group has a time
        more than once.
    """
    codes, keys = group_codes(frame, groups)
    name = ":".join(groups)
    if time is None:
        numbers = pd.Series(codes).groupby(codes).cumcount().to_numpy() + 1
        labels = list(range(1, int(numbers.max()) + 1))
        return Clusters(name, codes, working, None, numbers, labels, numbers - 1)
    column = frame[time]
    refuse_dates(time, column)
    if working.of_gaps and is_factor_column(column):
        raise ValueError(
            f"time={time!r} must be a column of numbers for working={working.name!r}, whose "
            "correlation depends on the time between two rows; it holds values such as "
            f"{column.tolist()[0]!r}"
        )
    labels = levels_of(column)
    places = pd.Index(labels).get_indexer(column)
    repeated = pd.DataFrame({"code": codes, "place": places}).duplicated().to_numpy()
    if working.of_time and repeated.any():
        row = repeated.argmax()
        raise ValueError(
            f"{name} {label_of_key(keys[codes[row]])!r} has {time} = "
            f"{label_text(labels[places[row]])} more than once; working={working.name!r} needs "
            "distinct times within a group"
        )
    return Clusters(name, codes, working, time, column.to_numpy(), labels, places)
