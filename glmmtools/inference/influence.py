"""Influence: what each group, or each row, does to the estimates, by leaving it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from glmmtools.engine import laplace
from glmmtools.fitted.fit import Fit, require_converged, require_likelihood
from glmmtools.fitted.parameters import parameters
from glmmtools.formula.rank import Rank
from glmmtools.shared import style
from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.numbers import number
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.text import listed, nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
_SHOWN = 10
_MOST_NAMES = 40


@hands_out_copies("frame", "change")
@dataclass(frozen=True, repr=False, eq=False)
class Influence(Shown):
    """What leaving out each unit does to a fit, made by ``model.influence(...)``.

    Attributes
    ----------
    group : str
        What is left out: a level of this column, or ``"row"``.
    frame : DataFrame
        Indexed by unit; columns ``rows``, how many go with it, ``cooks_distance``, nan where the
        other rows do not tell all coefficients, and ``converged``, whether the fit without it did.
    change : DataFrame
        Indexed by unit, a column a parameter (coefficients, sds and correlations of the random
        effects, dispersion): the estimate without the unit minus that with it.
    std_errors : Series
        Standard errors of the coefficients of the fit of all rows.
    """

    group: str
    frame: pd.DataFrame
    change: pd.DataFrame
    std_errors: pd.Series

    @property
    def dfbetas(self) -> pd.DataFrame:
        """Change of the coefficients in standard errors."""
        return self.change[self.std_errors.index] / self.std_errors

    def _content(self) -> Content:
        table = self.frame.sort_values("cooks_distance", ascending=False).head(_SHOWN)
        largest = self.dfbetas.loc[table.index]
        known = largest.notna().any(axis=1)
        most = largest[known].abs().idxmax(axis=1)
        text = pd.DataFrame({"rows": table["rows"].to_numpy()}, index=table.index.map(str))
        text["cooks_distance"] = table["cooks_distance"].map(number).to_numpy()
        text["largest change"] = [
            f"{most[unit]} {largest.loc[unit, most[unit]]:+.2f} se" if known[unit] else "–"
            for unit in table.index
        ]
        notes = [
            "Change: of the coefficient that moves most, in standard errors, when the unit is left "
            "out. Cook's distance is large where all of them move far; look at such a unit, and "
            "report the fit without it, but do not drop it for that."
        ]
        if not self.frame["converged"].all():
            lost = self.frame.index[~self.frame["converged"]]
            notes.append(f"The fit did not converge without {listed(lost)}.")
        untold = self.frame["converged"] & self.frame["cooks_distance"].isna()
        if untold.any():
            lost = self.frame.index[untold]
            notes.append(f"Not all coefficients can be estimated without {listed(lost)}.")
        title = f"Influence of each {self.group}, the {len(table)} largest of {len(self.frame)}"
        return Content(tables=[(title, text.rename_axis(None))], notes=notes)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw Cook's distance of each unit; those above 4 / number of units carry their name.

        Parameters
        ----------
        ax : Axes, optional
            Default: a new figure.

        Returns
        -------
        Axes
        """
        check_arguments(Influence.plot, locals())
        names = list(map(str, self.frame.index))
        few = len(names) <= _MOST_NAMES
        ax = style.new_axes_for_names(ax, len(names)) if few else style.new_axes(ax)
        distance = self.frame["cooks_distance"].to_numpy()
        places, limit = np.arange(len(names)), 4 / len(names)
        look = style.series(0)
        ax.vlines(places, 0, distance, color=look.color, linewidth=1)
        ax.plot(places, distance, look.marker, color=look.color, markersize=4, gid="distance")
        style.reference_line(ax, y=limit)
        style.label_axes(
            ax, self.group if few else f"{self.group}, in the order of the data", "Cook's distance",
            f"Line: 4 / number of units = {limit:.2g}",
        )  # fmt: skip
        ax.set_ylim(bottom=0)
        if few:
            style.name_levels(ax, names)
        else:
            ax.set_xticks([])
            for place in np.argsort(-np.nan_to_num(distance))[:_SHOWN]:
                if distance[place] > limit:
                    offset = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
                    ax.annotate(
                        names[place], (place, distance[place]), fontsize=8, parse_math=False,
                        **offset,
                    )  # fmt: skip
        return ax


def influence(model: Fit, group: str | None = None) -> Influence:
    """Leave out one group, or one row, at a time: what changes.

    Each fit without a unit is a search of its own that starts from the estimates of all rows.

    Parameters
    ----------
    group : str, optional
        A grouping factor of the model, or another of its columns, whose levels are left out one by
        one. Default: single rows.

    Returns
    -------
    Influence
        With ``frame`` (Cook's distance), ``change`` of all parameters, ``dfbetas`` and ``plot()``.

    Raises
    ------
    ValueError
        If there is no such column, it has one level only, or the fit did not converge.

    Notes
    -----
    Cook's distance of a unit is ``(b - b₋)' V⁻¹ (b - b₋) / p``, with the finite coefficients b and
    their covariance V from all rows: Cook (1977), Technometrics 19:15; for groups Demidenko &
    Stukel (2005), Stat. Med. 24:893.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    >>> m.influence("subject").frame["cooks_distance"].nlargest(2).round(2)
    subject
    309    0.15
    335    0.13
    Name: cooks_distance, dtype: float64
    """
    check_arguments(influence, locals())
    require_likelihood(model, "influence() needs")
    require_converged(model, "influence() needs")
    units, labels = _units(model, group)
    names = model.params.index
    with_all = parameters(model)
    rows, distances, converged, changes = [], [], [], []
    finite = np.isfinite(model.bse.to_numpy())
    inverse = np.linalg.inv(model.estimate.cov_beta[np.ix_(finite, finite)])
    for code in range(len(labels)):
        kept = units != code
        fit = _without(model, kept)
        change = parameters(fit).reindex(with_all.index) - with_all
        moved = change[names].to_numpy()[finite]
        ok = fit.converged and np.isfinite(moved).all()
        rows.append(int(np.sum(~kept)))
        converged.append(fit.converged)
        changes.append(change if fit.converged else change * np.nan)
        distances.append(moved @ inverse @ moved / max(len(moved), 1) if ok else np.nan)
    index = pd.Index(labels, name="row" if group is None else group)
    frame = pd.DataFrame(
        {"rows": rows, "cooks_distance": distances, "converged": converged}, index=index
    )
    change = pd.DataFrame(changes).set_axis(index)
    return Influence(index.name, frame, change, model.bse)


def _units(model: Fit, group: str | None) -> tuple[Array, list]:
    """The unit of each row, and what the units are called."""
    frame = model.design.frame
    if group is None:
        return np.arange(model.nobs), frame.index.tolist()
    named = isinstance(group, str)
    term = next((term for term in model.problem.random if named and term.group == group), None)
    if term is not None:
        present, units = np.unique(term.codes, return_inverse=True)
        labels = [term.levels[code] for code in present]
    elif named and group in frame:
        units, values = pd.factorize(frame[group], sort=False)
        labels = list(values)
    else:
        known = dict.fromkeys([*model.n_groups, *frame.columns])
        raise ValueError(
            f"the model uses no column {group!r:.60}{nearest(group, known)}. It uses "
            f"{listed(known)}; without an argument influence() leaves out single rows"
        )
    if len(labels) < 2:
        raise ValueError(f"{group!r} has one level only: without it there are no rows")
    return units, labels


def _without(model: Fit, kept: Array) -> Fit:
    """The fit of some of the rows, by a search from the estimates of all."""
    design = model.design
    rank = Rank.of(design.X[kept], design.columns)
    problem = model.problem.on_rows(kept, rank.kept)
    return Fit(problem, laplace.fit_near(problem, model.estimate))
