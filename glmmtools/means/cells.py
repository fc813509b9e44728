"""Linear combinations of the coefficients, and those that are means of the cells of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd

from glmmtools.families.links import Link
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.parameters import contrast_df
from glmmtools.fitted.wald import limits
from glmmtools.formula.rank import estimable
from glmmtools.means.grid import Grid, label_of, rows_of
from glmmtools.shared.numbers import estimates_as_text
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.text import listed

Array = np.ndarray


def table_content(title: str, frame: pd.DataFrame, notes: list[str]) -> Content:
    """A table of combinations below its title, numbers and levels as text."""
    table = estimates_as_text(frame.reset_index(drop=True)).map(label_of)
    return Content(tables=[(title, table)], notes=notes)


@hands_out_copies("frame")
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

    @property
    def finite(self) -> Array:
        """Which of them have a finite estimate and a standard error, shape (m,)."""
        return np.isfinite(self.std_error)

    def without_estimate(self, names: Iterable[str]) -> list[str]:
        """Notes that name the combinations without a finite estimate, if there are any."""
        names, estimable = list(names), self.estimable
        unknown = list(itertools.compress(names, ~estimable))
        infinite = list(itertools.compress(names, estimable & ~self.finite))
        notes = [f"The data cannot tell (–: not estimable): {listed(unknown, 12)}."] * bool(unknown)
        if infinite and self.model.separated:
            notes.append(
                f"Without a standard error, because coefficients are infinite: "
                f"{listed(infinite, 12)}."
            )
        return notes

    @property
    def eta(self) -> Array:
        """The combinations on the scale of the linear predictor, shape (m,); nan where unknown."""
        eta = self.model.estimate.combined(self.L) + self.offset
        return np.where(self.estimable, eta, np.nan)

    @property
    def covariance(self) -> Array:
        """Their covariance matrix, shape (m, m)."""
        return self.model.estimate.combined_covariance(self.L)

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


@hands_out_copies("cells")
class CellMeans(Combinations):
    """One mean for each cell of a grid: each combination of the levels of some factors.

    Attributes
    ----------
    frame : DataFrame
        The factors and ``estimate, std_error, df, conf_low, conf_high``.
    cells : DataFrame
        The levels of the factors of each mean.
    grid : Grid
    factors, by : tuple of str
    weights, scale : str
    level : float
        Confidence level of the intervals.
    link : Link or None
        What takes the means to the scale of the response; None on the scale of the link.
    L : ndarray, shape (means, coefficients)
        Each mean on the link scale is a row of L times the coefficients, plus `offset`.
    """

    def __init__(
        self,
        grid: Grid,
        factors: tuple[str, ...],
        by: tuple[str, ...],
        weights: str,
        scale: str,
        level: float,
        additive: bool,
    ):
        self.cells, averages = grid.averages(weights, additive)
        super().__init__(grid.model, *averages)
        self.grid, self.factors, self.by = grid, factors, by
        self.weights, self.scale, self.level = weights, scale, level
        self.link = self._link_back() if scale == "response" else None
        found = limits(self.eta, self.std_error, self.df, level, self.link)
        self.frame = self.cells.assign(**found)

    def _link_back(self) -> Link:
        """The link that takes the means to the scale of the response."""
        link = self.model.common_mean_link
        if link is None:
            raise ValueError(
                f"the mean of a {self.model.family.title} response depends on phi too, which has a "
                "formula here: give scale='link', or predict() rows"
            )
        return link

    def quantity(self) -> str:
        """What the means are of, in words."""
        observed, link = self.model.design.response, self.model.link
        response = observed.name
        if observed.success is not None:
            response = f"{response} = {observed.success!r}"
        if self.scale == "link" and not link.is_identity:
            return f"{link.scale} of the mean of {response}"
        return f"{'probability' if self.model.family.takes_trials else 'mean'} of {response}"

    def title(self) -> str:
        within = f" within {listed(self.by)}" if self.by else ""
        return f"Marginal means for {' × '.join(self.factors)}{within}: {self.quantity()}"

    def notes(self) -> list[str]:
        names = ["/".join(map(label_of, key)) for key in rows_of(self.cells)]
        return [*self._scale_notes(), *self.without_estimate(names), *self.grid_notes()]

    def grid_notes(self) -> list[str]:
        """What the means are averaged over and held at."""
        notes = [*self.grid.description(self.weights), *self.grid.notes]
        if self.model.design.random:
            notes.append("Random effects are at 0: a typical group, not an average over groups.")
        if self.model.problem.has_two_parts:
            notes.append("Two parts: these are means of the values that are not 0.")
        elif self.model.problem.zero is not None:
            notes.append("Zero inflation: these are means of the count part, extra zeros left out.")
        if not self.model.converged:
            notes.append("The fit did not converge: these numbers are not estimates.")
        return notes

    def _scale_notes(self) -> list[str]:
        design, link, notes = self.model.design, self.model.link, []
        if design.response.name not in design.frame and not self.model.family.takes_trials:
            scale = design.response.text
            notes.append(f"They stay on the scale of {scale}, which the model was fitted to.")
        if self.scale == "link" and not link.is_identity:
            notes.append(f"They are on the {link.scale} scale.")
        elif not link.is_identity:
            notes.append(
                f"Averaged on the {link.scale} scale and then transformed back: not the average of "
                "the response over the rows."
            )
        return notes
