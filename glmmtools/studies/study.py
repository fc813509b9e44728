"""Simulation studies: power, coverage and recovery of a planned trial over its possible sizes.

Responses are drawn from a model at parameters that one chooses, and the model is fitted to each, as
in the bootstrap, whose machinery runs the replicates. joblib shares them out:

    gt.power(...)                                             one core
    gt.power(..., n_jobs=-1)                                  all cores
    with joblib.parallel_config(backend="dask"): gt.power(...)    the cluster of the Dask client

with the same numbers. Morris, White & Crowther 2019 (Stat. Med. 38:2074) is the guide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.shared.arguments import check_arguments, one_of
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.tables import hands_out_copies, kept_table
from glmmtools.shared.text import plural
from glmmtools.studies.options import showing_options, study_options
from glmmtools.studies.plan import Covered, Estimates, Plan, PValues, Statistic, plan_study
from glmmtools.studies.plots import plot_study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from glmmtools.families.base import Family
    from glmmtools.model import FittedModel

_MC_LEVEL = 0.95


@showing_options
def power(
    model: str | FittedModel,
    layout: Any = None,
    family: str | Family | None = None,
    *,
    terms: str | Sequence[str] | None = None,
    alpha: float = 0.05,
    **options: Any,
) -> Study:
    """Estimate the power of a trial by simulation: the share of trials that find an effect.

    Parameters
    ----------
    model : str or FittedModel
        A formula, with the layout, the family and the truth; or a fitted model, which brings them.
        The effects of a fitted model are estimates, large by chance where they were significant:
        replace them by the smallest effect that matters, ``coef={"treatment[T.new]": 0.3}``.
    layout : DataFrame, optional
        As in :func:`simulate`, with a formula.
    family : str or Family, optional
        With a formula; default normal.
    terms : str or list of str, optional
        Coefficients (Wald tests, as in ``m.tidy()``) or whole terms (``m.anova()``). Default: all
        coefficients but the intercept.
    alpha : float
        Level of the tests.
    along : str, optional
        A column of units, such as ``"pig"``: more, or fewer, of them. Copies keep the treatments
        in balance and stay in the pen of the pig they copy; what is nested in them is copied too.
    within : str, optional
        A column that varies within the units, such as ``"day"``: more, or fewer, rows of each. A
        numeric column goes on in its steps.
    sizes : list of int, or dict
        The numbers of levels to study; by column where there are two: every combination.
    n : int
        Simulated trials for each size. 1000 give a power of 0.8 within 0.025.
    seed : int
        The same seed gives the same numbers on every backend of joblib; the first replicates of a
        longer run are those of a shorter one.
    n_jobs : int, optional
        Processes, as joblib counts them (-1: all cores). Default: those of
        ``joblib.parallel_config``, without it one.
    path : path, optional
        A CSV file that holds the replicates done so far. A run that was stopped goes on from it; a
        finished one is read; that of another study is refused.
    progress : bool
        Show a bar while replicates run, on stderr or, in a notebook, as a line of the output;
        ``TQDM_DISABLE=1`` in the environment silences it.
    analysis : dict, optional
        What is fitted, where that is not the model that makes the data: ``formula, family, link,
        residual, penalty, reml, nagq, engine`` as in :func:`fit`.
    coef, sd, corr, rho, residual, phi, df, zero, shape, trials, link : optional
        The truth, as in :func:`simulate`. With a fitted model they replace its estimates; `coef`
        those it names.

    Returns
    -------
    Study
        Its ``frame``: one row a size and effect, with ``power``, its Monte-Carlo interval
        ``conf_low, conf_high`` (Wilson, 95 %), ``n``, ``n_failed`` and ``n_singular``. A failed fit
        counts as a trial that found nothing, and so does one whose coefficient is infinite.

    Raises
    ------
    ValueError
        For a column, coefficient or parameter that does not exist, sizes that cannot be made, or a
        file of another study.

    Examples
    --------
    >>> import glmmtools as gt
    >>> layout = gt.designs.repeated(10, times=range(4), treatments=["old", "new"], time="day")
    >>> study = gt.power(
    ...     "count ~ treatment + day + (1 | subject)", layout, "poisson",
    ...     coef={"Intercept": 1.0, "treatment[T.new]": 0.6, "day": 0.1}, sd=0.5,
    ...     terms="treatment[T.new]", along="subject", sizes=[10, 40], n=50,
    ... )
    >>> study.frame[["subject", "effect", "power", "n", "n_failed"]]
       subject            effect  power   n  n_failed
    0       10  treatment[T.new]   0.60  50         0
    1       40  treatment[T.new]   0.92  50         0
    """
    check_arguments(power, locals())
    plan = plan_study(model, layout, family, study_options(options))
    return _run(plan, PValues(plan.tested(terms)), alpha)


@showing_options
def coverage(
    model: str | FittedModel,
    layout: Any = None,
    family: str | Family | None = None,
    *,
    terms: str | Sequence[str] | None = None,
    level: float = 0.95,
    method: str = "wald",
    **options: Any,
) -> Study:
    """Estimate how often confidence intervals cover the truth that made the data.

    Parameters
    ----------
    model, layout, family, coef, …, analysis
        As in :func:`power`.
    terms : str or list of str, optional
        Parameters by the names of ``m.conf_int(method=method)``. Default: all of them.
    level : float
        Of the intervals.
    method : {"wald", "profile"}
        Wald intervals of the coefficients; or profile-likelihood intervals of all parameters,
        variances included (slower).

    Returns
    -------
    Study
        Its ``frame`` has ``coverage`` and the columns of :func:`power`. A failed fit, or an
        interval without ends, counts as one that does not cover.

    Examples
    --------
    >>> import glmmtools as gt
    >>> layout = gt.designs.rcbd(["A", "B"], blocks=10)
    >>> study = gt.coverage("y ~ treatment + (1 | block)", layout, coef=[5, 1], sd=1.0, n=100)
    >>> study.frame[["effect", "coverage", "n_singular"]]
               effect  coverage  n_singular
    0       Intercept      0.94           9
    1  treatment[T.B]      0.94           9
    """
    check_arguments(coverage, locals())
    one_of("method", method, ("wald", "profile"))
    plan = plan_study(model, layout, family, study_options(options))
    names = plan.estimated(terms, method)
    return _run(plan, Covered(names, plan.true[names], level, method), level)


@showing_options
def recovery_study(
    model: str | FittedModel,
    layout: Any = None,
    family: str | Family | None = None,
    *,
    terms: str | Sequence[str] | None = None,
    **options: Any,
) -> Study:
    """Estimate bias and spread of the estimates over many simulated trials.

    For one data set see :func:`recovery`.

    Parameters
    ----------
    model, layout, family, coef, …, analysis
        As in :func:`power`.
    terms : str or list of str, optional
        Parameters by the names of :func:`recovery`. Default: all of them.

    Returns
    -------
    Study
        Its ``frame`` has ``true``; ``mean`` and ``bias`` of the estimates, with the Monte-Carlo
        interval ``conf_low, conf_high`` of the bias; ``sd``, their standard deviation, with its
        Monte-Carlo error ``sd_error``; ``mean_std_error``, the average standard error that the
        fits claim for a coefficient, to compare with ``sd``; and the counts of :func:`power`.
        Failed fits have no estimates, separated ones not all: they are counted beside.

    Examples
    --------
    >>> import glmmtools as gt
    >>> layout = gt.designs.rcbd(["A", "B"], blocks=10)
    >>> study = gt.recovery_study("y ~ treatment + (1 | block)", layout, coef=[5, 1], sd=1.0, n=50)
    >>> study.frame["effect"].tolist()
    ['Intercept', 'treatment[T.B]', 'sd block Intercept', 'residual sd']
    """
    check_arguments(recovery_study, locals())
    plan = plan_study(model, layout, family, study_options(options))
    names = plan.estimated(terms)
    claimed = [f"std_error {name}" for name in names if name in plan.analyses[0].params.index]
    return _run(plan, Estimates([*names, *claimed]), np.nan)


@hands_out_copies("true", "replicates")
@dataclass(frozen=True, eq=False, repr=False)
class Study(Shown):
    """The result of a simulation study; made by :func:`power` and its sisters.

    Attributes
    ----------
    kind : {"power", "coverage", "recovery"}
    level : float
        Level of the tests or of the intervals.
    sizes : tuple of str
        The columns whose numbers of levels vary.
    true : Series
        The parameters that made the data.
    replicates : DataFrame
        One row a fit: the sizes, what was kept of each effect (p-value, covered or not, estimate
        and standard error), ``failure`` (why; empty where the fit did not fail) and ``warnings``.
    """

    kind: str
    level: float
    sizes: tuple[str, ...]
    true: pd.Series
    replicates: pd.DataFrame

    @property
    def column(self) -> str:
        """The column of the frame that the study is about."""
        return "bias" if self.kind == "recovery" else self.kind

    @property
    def n_failed(self) -> int:
        """Fits without a result, over all sizes."""
        return _counts(self.replicates)["n_failed"]

    @property
    def n_singular(self) -> int:
        """Fits with a variance at zero or a correlation at -1 or 1, over all sizes."""
        return _counts(self.replicates)["n_singular"]

    @property
    def n_separated(self) -> int:
        """Fits with coefficients without a finite estimate, over all sizes."""
        return int(self.replicates["warnings"].str.contains("SeparationWarning").sum())

    @kept_table
    def frame(self) -> pd.DataFrame:
        """One row a size and effect: see the function that made the study."""
        rows = []
        cells = self.replicates.groupby(list(self.sizes), sort=False) if self.sizes else (
            [((), self.replicates)]
        )  # fmt: skip
        for key, cell in cells:
            counts = _counts(cell)
            columns = cell.columns.drop([*self.sizes, "failure", "warnings"])
            for name in (column for column in columns if not column.startswith("std_error ")):
                size = dict(zip(self.sizes, key, strict=True))
                rows.append({**size, "effect": name, **self._figures(cell, name), **counts})
        return pd.DataFrame(rows)

    def _figures(self, cell: pd.DataFrame, name: str) -> dict[str, float]:
        values = cell[name]
        if self.kind == "recovery":
            done, true = values[np.isfinite(values)], self.true.get(name, np.nan)
            sd, bias = done.std(), done.mean() - true
            half = special.ndtri(0.5 + _MC_LEVEL / 2) * sd / np.sqrt(max(len(done), 1))
            claimed = cell.get(f"std_error {name}", pd.Series(dtype=float)).mean()
            return {
                "true": true, "mean": done.mean(), "bias": bias,
                "conf_low": bias - half, "conf_high": bias + half,
                "sd": sd, "sd_error": sd / np.sqrt(2 * max(len(done) - 1, 1)),
                "mean_std_error": claimed,
            }  # fmt: skip
        from scipy.stats import binomtest

        k = int((values < self.level).sum() if self.kind == "power" else (values == 1).sum())
        low, high = binomtest(k, len(values)).proportion_ci(_MC_LEVEL, method="wilson")
        return {self.kind: k / len(values), "conf_low": low, "conf_high": high}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the figures of the study with their 95 % Monte-Carlo intervals.

        One line an effect against the first size of the grid, for each value of a second one;
        without sizes one point an effect. A thin line marks a power of 0.8, the level of the
        intervals, or a bias of zero.

        Parameters
        ----------
        ax : Axes, optional
            Default: a new figure.

        Returns
        -------
        Axes

        Examples
        --------
        >>> import glmmtools as gt
        >>> layout = gt.designs.crd(["A", "B"], replicates=10)
        >>> trial = {"coef": [0, 1], "along": "plot", "sizes": [10, 40]}
        >>> study = gt.power("y ~ treatment", layout, n=20, **trial)
        >>> study.plot().get_xlabel()
        'plot (number of levels)'
        """
        return plot_study(self.frame, self.kind, self.column, self.sizes, self.level, ax)

    def _content(self) -> Content:
        fits = plural(len(self.replicates), "fit")
        counts = f"{fits}, {self.n_failed} failed, {self.n_singular} singular"
        counts += f", {self.n_separated} separated" if self.n_separated else ""
        title = f"{self.kind.capitalize()} by simulation: {counts}"
        return Content(tables=[(title, self.frame.round(4))])


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    """Fits, those without a result, and those with a variance or correlation at its limit."""
    return {
        "n": len(rows),
        "n_failed": int((rows["failure"] != "").sum()),
        "n_singular": int(rows["warnings"].str.contains("SingularFitWarning").sum()),
    }


def _run(plan: Plan, statistic: Statistic, level: float) -> Study:
    return Study(statistic.kind, level, tuple(plan.grid[0]), plan.true, plan.run(statistic))
