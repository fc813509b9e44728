"""What tests of simulated residuals share: their result, what they compare, their statistics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.formula.columns import codes_and_levels, one_a_row, taken
from glmmtools.shared.arguments import shown
from glmmtools.shared.shown import html_facts
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.terminal import Printed
from glmmtools.shared.text import listed, nearest

Array = np.ndarray
QUARTILES = (0.25, 0.5, 0.75)
_FEW_VALUES = 5  # a variable with no more distinct values is compared value by value


@hands_out_copies("table")
@dataclass(frozen=True, repr=False)
class ResidualTest(Printed):
    """The result of one test of simulated residuals.

    Attributes
    ----------
    name : str
        What was tested.
    statistic, effect : float
        The test statistic, and how large the departure is; each test says in which measure.
    p_value : float
        From the simulations, never below 1 / (n + 1).
    n : int
        Number of simulations.
    reading : str
        The result in one sentence.
    table : DataFrame or None
        Of `SimulatedResiduals.test_groups`: one row a level.
    """

    name: str
    statistic: float
    effect: float
    p_value: float
    n: int
    reading: str
    table: pd.DataFrame | None = field(default=None, repr=False, compare=False)

    def _text(self) -> str:
        return (
            f"{self.name}: {self.reading}\n"
            f"  statistic {self.statistic:.4f}, effect {self.effect:.4f}, "
            f"p-value {self.p_value:.4f} from {self.n} simulations"
        )

    def _repr_html_(self) -> str:
        numbers = ("statistic", "effect", "p_value")
        facts = [(name, f"{getattr(self, name):.4f}") for name in numbers]
        facts.append(("simulations", str(self.n)))
        return html_facts(f"{self.name}: {self.reading}", facts, style="")


def values_by_row(model: Fit, given: Any, argument: str) -> pd.Series:
    """A column of the data of the fit, by name, or the values given, n of them.

    Raises
    ------
    ValueError
        If there is no such column, not one value for each row, or a value is missing.
    """
    frame, index = model.design.frame, model.design.frame.index
    if isinstance(given, str):
        if given not in frame.columns:
            raise ValueError(
                f"{argument}: the model uses no column {given!r}{nearest(given, frame.columns)}"
                f". It uses {listed(frame.columns)}; give any other column by its values, as "
                f"{argument}=data[{given!r}]"
            )
        values = frame[given]
    elif isinstance(given, pd.Series) and given.index.is_unique and index.isin(given.index).all():
        values = given.loc[index]
    else:
        values = one_a_row(argument, given)
        if values is None or len(values) != len(index):
            got = shown(given) if values is None else len(values)
            raise ValueError(
                f"{argument} needs one value for each of the {len(index)} rows of the fit; "
                f"got {got}"
            )
    if values.isna().any():
        raise ValueError(
            f"{argument} has a missing value in row {index[values.isna().to_numpy()][0]}"
        )
    return taken(values.reset_index(drop=True))


def places_in_time(times: pd.Series, name: str) -> Array:
    """The place of each row in the order of the times that occur.

    Raises
    ------
    ValueError
        For text, and for categories of text that are not said to be ordered.
    """
    categories = isinstance(times.dtype, pd.CategoricalDtype)
    values = pd.Series(times.cat.categories if categories else times)
    ordered = categories and times.cat.ordered
    has_order = pd.api.types.infer_dtype(values) not in ("string", "mixed", "mixed-integer")
    if not (ordered or has_order):
        raise ValueError(
            f"{name} holds values such as {times[0]!r}, whose order in time is not known. Give "
            "numbers, dates, or an ordered category: pd.Categorical(values, categories=['Jan', "
            "'Feb', ...], ordered=True)"
        )
    if categories and not ordered:
        times = times.astype(values.dtype)
    return codes_and_levels(times)[0]


def name_of(given: Any, otherwise: str) -> str:
    """The name of a column or a Series; else `otherwise`."""
    return str(given if isinstance(given, str) else getattr(given, "name", None) or otherwise)


def refuse_0_1(model: Fit, what: str) -> None:
    """Raise ValueError for a 0/1 response, of which there is only the mean."""
    if model.family.takes_trials and np.all(model.trials_by_row == 1):
        raise ValueError(
            f"a 0/1 response has no {what} beside its mean, which the model fits; sum the rows "
            "of a group to successes out of trials, or use test_curves and test_groups"
        )


def p_value(observed: float, null: Array, two_sided: bool = False) -> float:
    above = (1 + np.sum(null >= observed)) / (len(null) + 1)
    if not two_sided:
        return float(above)
    below = (1 + np.sum(null <= observed)) / (len(null) + 1)
    return float(min(1.0, 2 * min(above, below)))


def p_in_words(p: float) -> str:
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def neighbours_in_time(
    times: pd.Series, series: Array, name: str, single: bool
) -> tuple[Array, Array]:
    """An order of the rows by series and time, and which of them the next one follows there.

    Raises
    ------
    ValueError
        If a time occurs twice in a series, or none has two.
    """
    place = places_in_time(times, name)
    order = np.lexsort((place, series))
    same = np.diff(series[order]) == 0
    repeated = same & (np.diff(place[order]) == 0)
    if repeated.any():
        row = order[1:][repeated][0]
        hint = "; name the series with group=" if single else ""
        raise ValueError(f"{name} {times[row]} occurs more than once in a series{hint}")
    if not same.any():
        raise ValueError("every series has a single time, so that there are no neighbours")
    return order, same


def steps_and_products(z: Array, same: Array) -> tuple[Array, Array]:
    """Of scores in order the squared steps between neighbours, and their products, over squares."""
    before, after, total = z[..., :-1][..., same], z[..., 1:][..., same], np.sum(z**2, -1)
    return np.sum((after - before) ** 2, -1) / total, np.sum(after * before, -1) / total


def ks_distance(u: Array) -> Array:
    u, n = np.sort(u, axis=-1), u.shape[-1]
    steps = np.arange(n + 1) / n
    return np.maximum(np.max(steps[1:] - u, axis=-1), np.max(u - steps[:-1], axis=-1))


def cramer_von_mises(u: Array) -> Array:
    u, n = np.sort(u, axis=-1), u.shape[-1]
    expected = (np.arange(n) + 0.5) / n
    return 1 / (12 * n) + np.sum((u - expected) ** 2, axis=-1)


def smooth_basis(x: Array) -> Array:
    """Orthonormal columns of a cubic B-spline of the ranks of x, orthogonal to the constant."""
    codes, values = pd.factorize(x, sort=True)
    if len(values) <= _FEW_VALUES:
        columns = np.eye(len(values))[codes]
    else:
        rank = pd.Series(x).rank().to_numpy()
        columns = spline_columns((rank - rank.min()) / np.ptp(rank))
    columns[:, 0] = 1.0
    return np.linalg.qr(columns)[0][:, 1:]


def spline_columns(position: Array) -> Array:
    """Cubic B-spline with one knot, at 0.5, of positions in [0, 1]; five columns that sum to 1."""
    from scipy.interpolate import BSpline

    knots = np.array([0, 0, 0, 0, 0.5, 1, 1, 1, 1], float)
    return BSpline.design_matrix(position, knots, 3).toarray()


def rank_score_statistic(u: Array, basis: Array) -> Array:
    """Sum over the quartiles of the chi-square of the regression of rank scores on the basis."""
    rank = (np.argsort(np.argsort(u, axis=-1), axis=-1) + 0.5) / u.shape[-1]
    return sum(
        np.sum(((rank <= quartile) @ basis) ** 2, axis=-1) / (quartile * (1 - quartile))
        for quartile in QUARTILES
    )
