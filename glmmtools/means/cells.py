"""Linear combinations of the coefficients, and those that are means of the cells of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from glmmtools.engine.problem import ZERO
from glmmtools.families.links import Link
from glmmtools.fitted.degrees_of_freedom import Reference, in_units_of_columns
from glmmtools.fitted.degrees_of_freedom import reference as reference_of
from glmmtools.fitted.effects import offset_text
from glmmtools.fitted.expected import ExpectedRows
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.parts import PartFit, parts_expected
from glmmtools.fitted.wald import limits
from glmmtools.formula.design import FixedRows
from glmmtools.formula.rank import estimable
from glmmtools.means.grid import Grid, label_of, rows_of
from glmmtools.shared.matrices import covariance_of_combinations
from glmmtools.shared.messages import FewUnitsWarning
from glmmtools.shared.numbers import estimates_as_text
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.tables import beside, hands_out_copies
from glmmtools.shared.text import listed

Array = np.ndarray
_ROUNDING = 1e-10  # coefficients of a combination that are none


def table_content(
    title: str, labels: pd.DataFrame, numbers: pd.DataFrame, notes: list[str]
) -> Content:
    """A table of combinations below its title, numbers and levels as text."""
    table = beside(labels.map(label_of), estimates_as_text(numbers))
    return Content(tables=[(title, table)], notes=notes)


class Values(NamedTuple):
    """Quantities that are no linear combination of the coefficients, by the delta method."""

    eta: Array
    covariance: Array

    def combined(self, K: Array) -> Values:
        """Linear combinations of them; what is not part of one may be nan."""
        covariance = covariance_of_combinations(self.covariance, K)
        known = np.isfinite(np.diag(self.covariance))
        eta = K @ np.where(known, self.eta, 0.0)
        return Values(np.where(np.isnan(np.diag(covariance)), np.nan, eta), covariance)


@hands_out_copies("labels", "numbers")
class Combinations(Shown):
    """What means and contrasts share: linear combinations of the coefficients, and their text.

    Attributes
    ----------
    labels, numbers : DataFrame
        One row a combination: what it is of, in columns of the data; and its numbers.
    frame : DataFrame
        Labels and numbers together, see :func:`glmmtools.shared.tables.beside`.
    model : Fit
    L : ndarray, shape (m, p)
        The coefficients on the fixed effects, one combination a row.
    offset : ndarray, shape (m,)
    beyond : ndarray, shape (m, k)
        How far each goes beyond the data; zero where it can be estimated.
    other : Values or None
        What stands in their place where a quantity is no linear combination.
    reference : Reference
        What their tests and intervals are referred to, by default that of ``df="auto"``.
    """

    labels: pd.DataFrame
    numbers: pd.DataFrame

    @property
    def frame(self) -> pd.DataFrame:
        return beside(self.labels, self.numbers)

    def __init__(
        self,
        model: Fit,
        L: Array,
        offset: Array,
        beyond: Array,
        other: Values | None = None,
        reference: Reference | None = None,
    ):
        self.model, self.L, self.offset, self.beyond = model, L, offset, beyond
        self.other, self.reference = other, reference or reference_of(model)

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
        if self.other is not None:
            eta = self.other.eta
        else:
            eta = self.model.estimate.combined(self.L) + self.offset
        return np.where(self.estimable, eta, np.nan)

    @property
    def covariance(self) -> Array:
        """Their covariance matrix, shape (m, m)."""
        if self.other is not None:
            return self.other.covariance
        return self.reference.covariance(self.L)

    @property
    def std_error(self) -> Array:
        """Their standard errors on the scale of the linear predictor, shape (m,)."""
        return np.where(self.estimable, np.sqrt(np.diag(self.covariance)), np.nan)

    @property
    def df(self) -> Array:
        """Degrees of freedom of their tests, shape (m,)."""
        known, df = self.estimable, np.full(len(self.L), np.nan)
        df[known] = self.reference.df(self.L[known])
        return df

    @property
    def held(self) -> Array:
        """Which coefficients each holds, but for rounding, shape (m, p)."""
        X = self.model.design.X
        largest = in_units_of_columns(X, self._parts()).max(initial=0)
        return in_units_of_columns(X, self.L) > _ROUNDING * largest

    def _parts(self) -> Array:
        """Combinations of the size of what these are computed from."""
        return self.L

    @property
    def messages(self) -> tuple[FewUnitsWarning, ...]:
        """What is said where they go by z and by few units."""
        columns = self.model.design.columns
        terms = [column.term for column in itertools.compress(columns, self.held.any(axis=0))]
        return self.reference.few_units(dict.fromkeys(terms))

    def _content(self) -> Content:
        notes = [*self.notes(), *map(str, self.messages)]
        return table_content(self.title(), self.labels, self.numbers, notes)


class CellMeans(Combinations):
    """One mean for each cell of a grid: each combination of the levels of some factors.

    Attributes
    ----------
    frame : DataFrame
        The factors and ``estimate, std_error, df, conf_low, conf_high``.
    noun : str
        What they are.
    labels : DataFrame
        The levels of the factors of each mean.
    grid : Grid
    factors, by : tuple of str
    weights, scale : str
    level : float
        Confidence level of the intervals.
    L : ndarray, shape (means, coefficients)
        Each mean on the link scale is a row of L times the coefficients, plus `offset`.
    """

    noun = "means"

    def __init__(
        self,
        grid: Grid,
        factors: tuple[str, ...],
        by: tuple[str, ...],
        weights: str,
        scale: str,
        level: float,
        additive: bool,
        reference: Reference | None = None,
        *,
        effects: str = "population",
        part: str | None = None,
    ):
        self.grid, self.factors, self.by = grid, factors, by
        self.weights, self.scale, self.level = weights, scale, level
        self.effects, self.part = effects, part
        rows = self._rows()
        self.labels, average = grid.averaging(weights, additive, rows.beyond)
        super().__init__(grid.model, *map(average, rows), reference=reference)
        self.other = self._expected(rows, average)
        link = self.link if scale == "response" else None
        self.numbers = pd.DataFrame(limits(self.eta, self.std_error, self.df, level, link))

    @property
    def link(self) -> Link:
        """What takes the means to the scale on which they are averaged or compared."""
        return self.grid.model.link

    def _rows(self) -> FixedRows:
        """The linear combination that each row of the grid is."""
        rows = self.grid.fixed_rows(self.grid.rows)
        if offset := offset_text(self.grid.model, rows.offset):
            self.grid.notes.append(f"At {offset}.")
        return rows

    def _expected(self, fixed: FixedRows, average: Callable[[Array], Array]) -> Values | None:
        """Averages of expected responses, on the scale of the link; None where linear ones do."""
        expected = self.expected_on(self.grid.rows, fixed)
        if not expected.need_all_parameters(self.model):
            return None
        eta = self.link(average(expected.means(self.model)))
        spread = expected.spread(self.model, average) / self.link.derivatives(eta)[0][:, None]
        return Values(eta, spread @ spread.T)

    def expected_on(self, rows: pd.DataFrame, fixed: FixedRows) -> ExpectedRows:
        """What is expected in rows such as those of the grid, whose fixed part is given."""
        model, parts, terms, zero_terms = self.grid.model, {}, (), ()
        if self.scale == "response":
            expected = parts_expected(model, self.part)
            parts = {name: each.on(rows) for name, each in expected.items()}
        if self.effects == "marginal":
            terms = model.design.random_on(rows, with_codes=False)
            if ZERO in parts:
                zero_terms = expected[ZERO].random_on(rows, with_codes=False)
        eta = model.estimate.combined(fixed.X) + fixed.offset
        of_mu = self.scale == "link" or model.mean_is_mu
        return ExpectedRows(fixed.X, eta, terms, parts, self.effects, of_mu, zero_terms)

    def quantity(self) -> str:
        """What the means are of, in words."""
        if isinstance(self.model, PartFit):
            what = self.model.quantity
            return what if self.scale == "response" else f"{self.model.link.scale} of the {what}"
        observed, link = self.model.design.response, self.model.link
        response = observed.name
        if observed.success is not None:
            response = f"{response} = {observed.success!r}"
        if self.scale == "link" and not link.is_identity:
            return f"{link.scale} of the mean of {response}"
        return f"{'probability' if self.model.family.takes_trials else 'mean'} of {response}"

    def axis_label(self) -> str:
        """What the axis of a picture of them says."""
        return self.quantity()

    def title(self) -> str:
        within = f" within {listed(self.by)}" if self.by else ""
        return f"Marginal means for {' × '.join(self.factors)}{within}: {self.quantity()}"

    def notes(self) -> list[str]:
        names = ["/".join(map(label_of, key)) for key in rows_of(self.labels)]
        return [*self._scale_notes(), *self.without_estimate(names), *self.grid_notes()]

    def grid_notes(self) -> list[str]:
        """What the means are averaged over and held at."""
        notes = [*self.grid.description(self.weights), *self._interactions(), *self.grid.notes]
        random = self.model.design.random if self.part == "mean" else self.model.problem.random
        if random and self.effects == "marginal":
            notes.append("Averaged over the random effects: over all groups, not a typical one.")
        elif random:
            notes.append("Random effects are at 0: a typical group, not an average over groups.")
        if self.model.problem.zero is not None and self.scale == "response" and self.part is None:
            zeros = "Zeros" if self.model.problem.has_two_parts else "Extra zeros"
            notes.append(f"{zeros} are part of these means; part='mean' leaves them out.")
        elif self.model.problem.has_two_parts:
            notes.append("Two parts: these are means of the values that are not 0.")
        elif self.model.problem.zero is not None:
            notes.append("Zero inflation: these are means of the count part, extra zeros left out.")
        if not self.model.converged:
            notes.append("The fit did not converge: these numbers are not estimates.")
        return notes

    def _interactions(self) -> list[str]:
        return [note for note in [self.grid.interacting()] if note]

    def _scale_notes(self) -> list[str]:
        design, link, notes = self.model.design, self.model.link, []
        if design.response.name not in design.frame and not self.model.family.takes_trials:
            scale = design.response.text
            notes.append(f"They stay on the scale of {scale}, which the model was fitted to.")
        if self.scale == "link" and not link.is_identity:
            notes.append(f"They are on the {link.scale} scale.")
            if not self.model.mean_is_mu:
                notes.append(f"They are of μ; the mean is {self.model.family.mean_text}.")
        elif self.other is not None:
            notes.append("Averaged on the response scale; limits are computed on that of the link.")
        elif not link.is_identity:
            notes.append(
                f"Averaged on the {link.scale} scale and then transformed back: not the average of "
                "the response over the rows."
            )
        return notes
