"""Means of the cells of a reference grid, as a table that says what it holds."""

from __future__ import annotations

import numpy as np

from glmmtools.fitted.fit import Fit
from glmmtools.fitted.wald import limits
from glmmtools.means.combinations import Combinations
from glmmtools.means.grid import Grid, label_of
from glmmtools.shared.text import listed

Array = np.ndarray


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
    L : ndarray, shape (means, coefficients)
        Each mean on the link scale is a row of L times the coefficients, plus `offset`.
    """

    def __init__(
        self,
        model: Fit,
        grid: Grid,
        factors: tuple[str, ...],
        by: tuple[str, ...],
        weights: str,
        scale: str,
        level: float,
        additive: bool,
    ):
        self.cells, averages = grid.averages(weights, additive)
        super().__init__(model, *averages)
        self.grid, self.factors, self.by = grid, factors, by
        self.weights, self.scale, self.level = weights, scale, level
        link = model.link if scale == "response" else None
        self.frame = self.cells.assign(**limits(self.eta, self.std_error, self.df, level, link))

    def quantity(self) -> str:
        """What the means are of, in words."""
        design, link = self.model.problem.design, self.model.link.name
        response = design.response.name
        if design.response.success is not None:
            response = f"{response} = {design.response.success!r}"
        if self.scale == "link" and link != "identity":
            return f"{self.model.link.scale} of the mean of {response}"
        return f"{'probability' if self.model.family.takes_trials else 'mean'} of {response}"

    def title(self) -> str:
        within = f" within {listed(self.by)}" if self.by else ""
        return f"Marginal means for {' × '.join(self.factors)}{within}: {self.quantity()}"

    def notes(self) -> list[str]:
        keys = self.cells.itertuples(index=False, name=None)
        names = ["/".join(map(label_of, key)) for key in keys]
        return [*self._scale_notes(), *self.not_estimable(names), *self.grid_notes()]

    def grid_notes(self) -> list[str]:
        """What the means are averaged over and held at."""
        notes = [*self.grid.description(self.weights), *self.grid.notes]
        if self.model.problem.design.random:
            notes.append("Random effects are at 0: a typical group, not an average over groups.")
        if self.model.problem.zero is not None:
            notes.append("Zero inflation: these are means of the count part, extra zeros left out.")
        if not self.model.converged:
            notes.append("The fit did not converge: these numbers are not estimates.")
        return notes

    def _scale_notes(self) -> list[str]:
        link, notes = self.model.link, []
        design = self.model.problem.design
        if design.response.name not in design.frame and not self.model.family.takes_trials:
            scale = design.response.text
            notes.append(f"They stay on the scale of {scale}, which the model was fitted to.")
        if link.name == "identity":
            return notes
        if self.scale == "link":
            notes.append(f"They are on the {link.scale} scale.")
        else:
            notes.append(
                f"Averaged on the {link.scale} scale and then transformed back: not the average of "
                "the response over the rows."
            )
        return notes
