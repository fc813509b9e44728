"""Working correlations of population-averaged models: one class for each.

In a model of estimating equations the rows of a group are correlated themselves, without random
effects. The correlation that one assumes may be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from glmmtools.shared.numbers import fixed
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.text import plural

Array = np.ndarray
_MOST_SHOWN = 12  # times


@dataclass(frozen=True, eq=False, repr=False)
class WorkingCorrelation(Shown):
    """How the rows of a group are alike, as estimated.

    Attributes
    ----------
    group : str
        Name of the grouping factor.
    time : str or None
        The column that says when a row was observed; None for the order of the rows.
    labels : tuple
        The times that occur, or 1, 2, … in the order of the rows of a group.
    alpha : float, ndarray of shape (k, k), or None
        The correlation of any two rows of a group (exchangeable), of two that are one unit of time
        apart (ar1: ``alpha ** |t - s|`` for the times t and s), or of each pair of times
        (unstructured).
    """

    group: str
    time: str | None
    labels: tuple
    alpha: float | Array | None = None

    name: ClassVar[str]
    of_time: ClassVar[bool] = False
    """Whether it matters when a row was observed,"""
    of_gaps: ClassVar[bool] = False
    """and how much time lies between two."""

    @staticmethod
    def why_too_few(sizes: Array, together: Array, labels: list[Any], p: int) -> str | None:
        """Say of what the data have too little beside p coefficients; None if they suffice.

        Parameters
        ----------
        sizes : ndarray of int
            Number of rows of each group.
        together : ndarray, shape (k, k)
            Number of groups that have both of two times.
        labels : list
            The times.
        """
        raise NotImplementedError

    @staticmethod
    def latex(time: str) -> str:
        """The correlation of rows i and j of a group; `time` as it stands in LaTeX."""
        raise NotImplementedError

    def correlations(self) -> Array:
        """The correlations of a group that has all k times, shape (k, k)."""
        raise NotImplementedError

    def is_possible(self, most_rows: int) -> bool:
        """Whether groups of so many rows can have it: no variance of a sum is below zero."""
        return True

    @property
    def frame(self) -> pd.DataFrame:
        """The correlations of the rows of a group that has all times, as a table."""
        labels = list(self.labels)
        return pd.DataFrame(self.correlations(), index=labels, columns=labels)

    @property
    def pairs(self) -> str:
        """Alpha in words, where it is one number: ``"0.354 between any two rows"``."""
        return ""

    @property
    def text(self) -> str:
        """In words: ``"exchangeable within child: 0.354 between any two rows"``."""
        return f"{self.name} within {self.group}" + (f": {self.pairs}" if self.pairs else "")

    def _content(self) -> Content:
        few = len(self.labels) <= _MOST_SHOWN
        tables = [("Correlations", self.frame.map(lambda value: fixed(value, 3)))] if few else []
        return Content("Working correlation", [("structure", self.text)], tables)


def _too_few_pairs(sizes: Array, fewest: int) -> str | None:
    pairs = int(np.sum(sizes * (sizes - 1)) // 2)
    if pairs >= fewest:
        return None
    return (
        f"{plural(pairs, 'pair')} of rows in one group do not tell a correlation: take "
        "working='independence'"
    )


class Independence(WorkingCorrelation):
    """No correlation."""

    name = "independence"

    @staticmethod
    def why_too_few(sizes, together, labels, p):
        return None

    @staticmethod
    def latex(time):
        return "0"

    def correlations(self):
        return np.eye(len(self.labels))


class Exchangeable(WorkingCorrelation):
    """The same correlation of any two rows."""

    name = "exchangeable"

    @staticmethod
    def why_too_few(sizes, together, labels, p):
        return _too_few_pairs(sizes, p + 1)

    @staticmethod
    def latex(time):
        return r"\alpha"

    def correlations(self):
        same = np.eye(len(self.labels), dtype=bool)
        return np.where(same, 1.0, self.alpha)

    def is_possible(self, most_rows):
        return self.alpha * (most_rows - 1) > -1 and self.alpha < 1

    @property
    def pairs(self):
        return f"{fixed(self.alpha, 3)} between any two rows"


class Autoregressive(WorkingCorrelation):
    """A correlation that decays with the time between two rows."""

    name = "ar1"
    of_time = of_gaps = True

    @staticmethod
    def why_too_few(sizes, together, labels, p):
        return _too_few_pairs(sizes, 1)

    @staticmethod
    def latex(time):
        return rf"\alpha^{{|{time}_i - {time}_j|}}"

    def correlations(self):
        times = np.asarray(self.labels, float)
        return self.alpha ** np.abs(times[:, None] - times)

    @property
    def pairs(self):
        apart = f"rows 1 apart in {self.time}" if self.time else "a row and the next"
        return f"{fixed(self.alpha, 3)} between {apart}"


class Unstructured(WorkingCorrelation):
    """A correlation of its own for each pair of times."""

    name = "unstructured"
    of_time = True

    @staticmethod
    def why_too_few(sizes, together, labels, p):
        if together.min() > p:
            return None
        k, j = np.unravel_index(together.argmin(), together.shape)
        times = f"time {labels[k]}" if k == j else f"times {labels[k]} and {labels[j]}"
        return (
            f"{plural(int(together.min()), 'group')} with {times} are too few for a correlation of "
            f"its own beside {plural(p, 'coefficient')}: take working='exchangeable' or 'ar1'"
        )

    @staticmethod
    def latex(time):
        return rf"\alpha_{{{time}_i, {time}_j}}"

    def correlations(self):
        return self.alpha

    def is_possible(self, most_rows):
        finite = np.isfinite(self.alpha).all()
        return bool(finite and np.linalg.eigvalsh(self.alpha).min() > 0)


WORKING: dict[str, type[WorkingCorrelation]] = {
    each.name: each for each in (Exchangeable, Autoregressive, Independence, Unstructured)
}
