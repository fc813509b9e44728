"""Linear combinations of the coefficients of a fit, and how their tables are shown."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd

from glmmtools.fitted.coefficients import contrast_df
from glmmtools.fitted.fit import Fit
from glmmtools.formula.rank import estimable
from glmmtools.means.grid import label_of
from glmmtools.shared.numbers import estimates_as_text
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.text import listed

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
    beyond : ndarray, shape (m, k)
        How far each goes beyond the data; zero where it can be estimated.
    """

    frame: pd.DataFrame

    def __init__(self, model: Fit, L: Array, offset: Array, beyond: Array):
        self.model, self.L, self.offset, self.beyond = model, L, offset, beyond

    def title(self) -> str:
        """What the combinations are, in one line."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """What a reader must know of them."""
        raise NotImplementedError

    @property
    def estimable(self) -> Array:
        """Which of the combinations the data can estimate, shape (m,)."""
        return estimable(self.beyond)

    def not_estimable(self, names: Iterable[str]) -> list[str]:
        """A note that names the combinations that the data cannot estimate, if there are any."""
        unknown = list(itertools.compress(names, ~self.estimable))
        if not unknown:
            return []
        return [f"The data cannot tell (–: not estimable): {listed(unknown, 12)}."]

    @property
    def eta(self) -> Array:
        """The combinations on the scale of the linear predictor, shape (m,); nan where unknown."""
        eta = self.L @ self.model.params.to_numpy() + self.offset
        return np.where(self.estimable, eta, np.nan)

    @property
    def covariance(self) -> Array:
        """Their covariance matrix, shape (m, m)."""
        return self.L @ self.model.estimate.cov_beta @ self.L.T

    @property
    def std_error(self) -> Array:
        """Their standard errors on the scale of the linear predictor, shape (m,)."""
        return np.where(self.estimable, np.sqrt(np.diag(self.covariance)), np.nan)

    @property
    def df(self) -> Array:
        """Degrees of freedom of their tests, shape (m,)."""
        known, df = self.estimable, np.full(len(self.L), np.nan)
        df[known] = contrast_df(self.model, self.L[known])
        return df

    def _content(self) -> Content:
        return table_content(self.title(), self.frame, self.notes())


def table_content(title: str, frame: pd.DataFrame, notes: list[str]) -> Content:
    """A table of combinations below its title, numbers and levels as text."""
    table = estimates_as_text(frame.reset_index(drop=True)).map(label_of)
    return Content(tables=[(title, table)], notes=notes)
