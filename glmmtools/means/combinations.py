"""Linear combinations of the coefficients of a fit, and how their tables are shown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.means.grid import label_of
from glmmtools.shared.numbers import estimates_as_text
from glmmtools.shared.shown import Content, Shown

Array = np.ndarray


class Combinations(Shown):
    """What means and contrasts share: linear combinations of the coefficients, and their text.

    Attributes
    ----------
    frame : DataFrame
        One row a combination.
    model : Fit
    L : ndarray, shape (m, p)
        The coefficients on the fixed effects, one combination a row.
    offset : ndarray, shape (m,)
    """

    frame: pd.DataFrame

    def __init__(self, model: Fit, L: Array, offset: Array):
        self.model, self.L, self.offset = model, L, offset

    def title(self) -> str:
        """What the combinations are, in one line."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """What a reader must know of them."""
        raise NotImplementedError

    @property
    def eta(self) -> Array:
        """The combinations on the scale of the linear predictor, shape (m,)."""
        return self.L @ self.model.params.to_numpy() + self.offset

    @property
    def covariance(self) -> Array:
        """Their covariance matrix, shape (m, m)."""
        return self.L @ self.model.estimate.cov_beta @ self.L.T

    @property
    def std_error(self) -> Array:
        """Their standard errors on the scale of the linear predictor, shape (m,)."""
        return np.sqrt(np.diag(self.covariance))

    def _content(self) -> Content:
        return table_content(self.title(), self.frame, self.notes())


def table_content(title: str, frame: pd.DataFrame, notes: list[str]) -> Content:
    """A table of combinations below its title, numbers and levels as text."""
    table = estimates_as_text(frame.reset_index(drop=True)).map(label_of)
    return Content(tables=[(title, table)], notes=notes)
