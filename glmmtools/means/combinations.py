"""Linear combinations of the coefficients of a fit, and how their tables are shown."""

from __future__ import annotations

import html
from collections.abc import Iterable

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.means.grid import label_of
from glmmtools.shared.numbers import fixed, number, p_text
from glmmtools.shared.tables import html_table

Array = np.ndarray


class Combinations:
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

    def __repr__(self) -> str:
        table = shown(self.frame).to_string(index=False)
        return "\n".join([self.title(), "", table, "", *self.notes()])

    def _repr_html_(self) -> str:
        return as_html(self.frame, self.notes(), self.title())


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as text, p-values never zero; without degrees of freedom where all are infinite."""
    shown = frame.copy()
    if "df" in shown and np.isinf(shown["df"]).all():
        shown = shown.drop(columns="df")
    for column in shown:
        if column in ("estimate", "std_error", "conf_low", "conf_high"):
            shown[column] = [number(value) for value in frame[column]]
        elif column in ("df", "statistic"):
            shown[column] = [fixed(value, 1 if column == "df" else 2) for value in frame[column]]
        elif column == "p_value":
            shown[column] = [p_text(value) for value in frame[column]]
        elif column not in ("letters", "contrast"):
            shown[column] = [label_of(value) for value in frame[column]]
    return shown


def as_html(frame: pd.DataFrame, notes: Iterable[str], caption: str = "") -> str:
    table = html_table(shown(frame), caption, index=False)
    return f"<div>{table}{''.join(f'<p>{html.escape(note)}</p>' for note in notes)}</div>"
