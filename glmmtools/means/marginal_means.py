"""Marginal means of a fitted model, and contrasts between them.

A mean is a linear combination of the coefficients, averaged over a reference grid: every
combination of the levels of the model's factors, with its covariates held at one value
(Searle, Speed & Milliken 1980, Am. Stat. 34:216).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmmtools.fitted.degrees_of_freedom import reference
from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.fitted.parts import PARTS, part_of, parts_expected
from glmmtools.fitted.wald import two_sided_p
from glmmtools.means.adjust import arrow_lengths, compact_letters
from glmmtools.means.cells import CellMeans, table_content
from glmmtools.means.contrasts import (
    Contrasts,
    adjustment,
    family_of,
    methods_of,
    takes_ratio,
)
from glmmtools.means.grid import Grid
from glmmtools.means.plots import plot_means
from glmmtools.shared import messages
from glmmtools.shared.arguments import check_arguments, names_of, one_of
from glmmtools.shared.numbers import percent
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.tables import beside
from glmmtools.shared.terminal import printable
from glmmtools.shared.text import listed, nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def means(
    model: Fit,
    factors: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    weights: str = "equal",
    scale: str = "response",
    level: float = 0.95,
    empty_cells: str = "refuse",
    force: bool = False,
    df: str = "auto",
    *,
    effects: str = "population",
    part: str | None = None,
) -> MarginalMeans:
    """Estimated marginal means: one for each combination of levels of some factors.

    Parameters
    ----------
    factors : str or sequence of str
        Factors of the fixed part. A numeric column may stand here if `at` gives its values.
    by : str or sequence of str, optional
        Factors within whose levels the means are shown and compared.
    at : mapping, optional
        Values of covariates (default: their mean over the rows of the fit), or levels of factors to
        keep. The mean is averaged over several values of a covariate that is neither in `factors`
        nor in `by`.
    weights : {"equal", "proportional", "cells"}
        How to average over the other factors: each of their combinations alike; by the number of
        rows it has in the data; or by the number of rows it has within each mean's own cell.
    scale : {"response", "link"}
        Means are averaged on the scale of the link, and with "response" transformed back.
    level : float
        Confidence level of the intervals, strictly between 0 and 1.
    empty_cells : {"refuse", "additive"}
        Two levels that no row has together: refuse a mean that needs them, or take what the model
        predicts there by the additivity of their effects. Where the model has their interaction,
        the mean is not estimable, and nan, in any case.
    force : bool
        Allow a model that did not converge.
    df : {"auto", "containment", "satterthwaite", "kenward-roger", "infinite"}
        Degrees of freedom, of contrasts of the means too, as in :meth:`FittedModel.tidy`.
    effects : {"population", "marginal"}
        With the random effects at zero; or averaged over their distribution, of which the standard
        errors hold the uncertainty. Marginal means are averaged on the response scale.
    part : {"mean", "zero", "dispersion"}, optional
        The mean of the values that are no extra zeros, the probability of an extra zero, or the
        dispersion phi. Default: the expected response, extra zeros included, averaged on the
        response scale where there are any.

    Returns
    -------
    MarginalMeans

    Raises
    ------
    ValueError
        For an unknown factor or level, a numeric column without values, empty cells, or a model
        that did not converge.

    Warns
    -----
    DataWarning
        If `at` lies outside the data, or means are left out because no row has their levels.

    Notes
    -----
    Random effects are at 0. The offset is computed from the mean of its columns (or `at`); one
    given as values is at its mean. Standard errors on the response scale are by the delta method,
    limits are transformed back from the link scale. All this is as in R's emmeans, but for a
    numeric covariate with two values: it is at its mean here, and a factor there.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> m.means("period").frame[["period", "estimate", "conf_low", "conf_high"]].round(3)
      period  estimate  conf_low  conf_high
    0      1     0.198     0.135      0.280
    1      2     0.084     0.047      0.144
    2      3     0.074     0.040      0.132
    3      4     0.048     0.021      0.106
    """
    check_arguments(means, locals())
    if not force:
        require_converged(model, "means need", "look at them all the same")
    wanted, within = names_of("factors", factors), names_of("by", by)
    if not wanted:
        raise ValueError("factors is empty; name at least one factor, such as m.means('treatment')")
    for name in wanted:
        if name in within:
            raise ValueError(f"{name!r} is in factors and in by; leave it out of one of them")
    averaged = {"weights": weights, "scale": scale, "empty_cells": empty_cells, "effects": effects}
    grid, options = grid_and_options(model, wanted, within, dict(at or {}), part, df, **averaged)
    return MarginalMeans(grid, wanted, within, level=level, **options)


def grid_and_options(
    model: Fit,
    factors: tuple[str, ...],
    by: tuple[str, ...],
    at: dict[str, Any],
    part: str | None,
    df: str,
    *,
    weights: str,
    scale: str,
    empty_cells: str,
    effects: str,
) -> tuple[Grid, dict[str, Any]]:
    """The grid of means or slopes of a part of a model, and how they are averaged over it."""
    one_of("weights", weights, ("equal", "proportional", "cells"))
    one_of("scale", scale, ("response", "link"))
    one_of("empty_cells", empty_cells, ("refuse", "additive"))
    one_of("effects", effects, ("population", "marginal"))
    if effects == "marginal" and scale == "link":
        raise ValueError("effects='marginal' averages means: it is on the response scale only")
    one_of("part", part, (None, *PARTS))
    whole, model = model, part_of(model, part)
    if model is not whole:
        part, effects, df = None, effects if model.design.random else "population", "auto"
    expected = {} if scale == "link" else parts_expected(model, part)
    beside = [each.text for each in expected.values()]
    if effects == "marginal":
        recipes = [*model.design.recipes, *(r for each in expected.values() for r in each.recipes)]
        beside += [recipe.spec.columns for recipe in recipes]
    grid = Grid.of(model, factors, by, at, beside)
    return grid, {
        "weights": weights, "scale": scale, "additive": empty_cells == "additive",
        "effects": effects, "part": part, "reference": reference(model, df),
    }  # fmt: skip


class LetterTable(Shown, pd.DataFrame):
    """A table of means with a column ``letters``; `note` says what letters do not show."""

    _metadata = ("n_labels",)
    n_labels = 0
    note = (
        "Means that share a letter were not shown to differ, which is not evidence that they are "
        "equal; letters show neither the size of a difference nor how surely it is known. Report "
        "the contrasts with their intervals beside them."
    )

    @property
    def _constructor(self):
        return pd.DataFrame

    @classmethod
    def of(cls, labels: pd.DataFrame, numbers: pd.DataFrame) -> LetterTable:
        table = cls(beside(labels, numbers))
        table.n_labels = len(labels.columns)
        return table

    def _content(self) -> Content:
        table = pd.DataFrame(self)
        parts = table.iloc[:, : self.n_labels], table.iloc[:, self.n_labels :]
        return table_content("", *parts, [self.note])


class MarginalMeans(CellMeans):
    """Marginal means of one fitted model, made by ``model.means(...)``.

    Attributes
    ----------
    frame : DataFrame
        The factors and ``estimate, std_error, df, conf_low, conf_high``. Where a factor has the
        name of one of these, the latter has ``_`` at its end: ``df_``.
    L : ndarray, shape (means, coefficients)
        Each mean on the link scale is a row of L times the coefficients, plus `offset`.
    """

    def tests(self, null: float = 0.0) -> pd.DataFrame:
        """Test each mean against a value, given on the scale of the link.

        Returns
        -------
        DataFrame
            `frame` with ``statistic`` and ``p_value``.
        """
        check_arguments(MarginalMeans.tests, locals())
        statistic = (self.eta - null) / self.std_error
        p = two_sided_p(statistic, self.numbers["df"].to_numpy())
        return beside(self.labels, self.numbers.assign(statistic=statistic, p_value=p))

    def contrasts(
        self,
        method: str | Mapping[str, Any] = "pairwise",
        adjust: str | None = None,
        ratio: bool | None = None,
        by: str | Sequence[str] | None = None,
        reference: Any = None,
        level: float | None = None,
        interaction: bool | str | Mapping[str, Any] = False,
        *,
        scale: str = "link",
    ) -> Contrasts:
        """Contrasts between the means.

        Parameters
        ----------
        method : {"pairwise", "trt.vs.ctrl", "consecutive", "poly"} or dict
            All pairs (first minus second), each minus the reference, each minus the one before,
            orthogonal polynomials for equally spaced levels; or name to weights.
        adjust : str, optional
            One of "none", "tukey" (pairwise only), "sidak", "bonferroni", "holm", "fdr", "mvt", for
            the number of contrasts within each combination of `by`. Default: "tukey" for pairwise,
            "mvt" (Dunnett's) for trt.vs.ctrl and consecutive, "none" for all others.
        ratio : bool, optional
            Ratios (of odds with a logit link, of means with a log link) instead of differences on
            the scale of the link. Default: where the means are on the response scale.
        by : str or sequence of str, optional
            Contrasts within levels of these factors; default those of the means; [] for none.
        reference : optional
            Level that trt.vs.ctrl compares with; default the first.
        level : float, optional
            Of the simultaneous intervals; default that of the means.
        interaction : bool, str or mapping
            Contrasts of contrasts: `method` applied to each factor; or one method for all factors,
            or a mapping of factor to method.
        scale : {"link", "response"}
            Where the means are compared. On the response scale contrasts are differences of the
            means themselves (of probabilities, of counts), or with ``ratio=True`` their ratios (of
            risks, of rates), with standard errors by the delta method.

        Returns
        -------
        Contrasts

        Examples
        --------
        >>> import glmmtools as gt
        >>> oats = gt.load_data("oats")
        >>> m = gt.fit("yield ~ variety * nitro + (1 | block/variety)", oats, reml=True)
        >>> contrasts = m.means("variety").contrasts()
        >>> contrasts.frame[["contrast", "estimate", "std_error", "df", "p_value"]].round(3)
                       contrast  estimate  std_error    df  p_value
        0  Golden Rain - Marvellous    -5.292      7.079  10.0    0.742
        1     Golden Rain - Victory     6.875      7.079  10.0    0.610
        2      Marvellous - Victory    12.167      7.079  10.0    0.246
        """
        check_arguments(MarginalMeans.contrasts, locals())
        one_of("scale", scale, ("link", "response"))
        ratio, factors = takes_ratio(self, ratio, scale), self.factors + self.by
        within = self.by if by is None else names_of("by", by)
        for name in within:
            if name not in factors:
                raise ValueError(
                    f"by={name!r} is not a factor of these means{nearest(name, self.factors)}; "
                    f"they have {listed(factors)}"
                )
        others = tuple(name for name in factors if name not in within)
        if not others:
            raise ValueError("by= holds every factor of the means, so that nothing is compared")
        methods = methods_of(method, interaction, others)
        adjust = adjustment(adjust, methods)
        rows = [np.arange(len(self.labels))]
        if within:
            groups = self.labels.groupby(list(within), sort=False, observed=True)
            rows = list(groups.indices.values())
            rows = [each for each in rows if len(each) > 1] or rows
        sign = "/" if ratio else "-"
        families = [family_of(self, part, within, methods, sign, reference) for part in rows]
        if ratio and any(np.abs(family.weights.sum(axis=1)).max() > 1e-8 for family in families):
            raise ValueError(
                "weights of a contrast on the response scale must sum to 0, or it is not a "
                "ratio; take means(..., scale='link') for other combinations"
            )
        level = self.level if level is None else level
        return Contrasts(self, families, methods, adjust, ratio, within, level, scale)

    def letters(self, adjust: str = "tukey", alpha: float = 0.05) -> LetterTable:
        """Compact letters: means that share one do not differ significantly.

        Parameters
        ----------
        adjust : str
            As for `contrasts`, within each combination of `by`.
        alpha : float
            Means differ if their adjusted p-value is below it.

        Returns
        -------
        LetterTable
            `frame` with a column ``letters``; "a" goes to the largest mean. Its `note` says what
            letters do not show.
        """
        check_arguments(MarginalMeans.letters, locals())
        contrasts = self.contrasts("pairwise", adjust)
        letters = np.where(self.finite, "a", "").astype(object)  # also of those without another
        p = contrasts.numbers["p_value"].to_numpy()
        for part, family in zip(contrasts.parts, contrasts.families, strict=True):
            differ = np.zeros((len(family.rows), len(family.rows)), bool)
            for weights, value in zip(family.weights, p[part], strict=True):
                i, j = np.flatnonzero(weights)
                differ[i, j] = differ[j, i] = value < alpha
            known = np.flatnonzero(self.finite[family.rows])
            means = self.numbers["estimate"].to_numpy()[family.rows[known]]
            order = np.argsort(-means, kind="stable")
            letters[family.rows[known]] = compact_letters(differ[np.ix_(known, known)], order)
        return LetterTable.of(self.labels, self.numbers.assign(letters=letters))

    def arrows(self, adjust: str = "tukey") -> pd.DataFrame:
        """Comparison arrows: those of two means overlap where the means do not differ.

        Parameters
        ----------
        adjust : str
            As for `contrasts`, within each combination of `by`.

        Returns
        -------
        DataFrame
            The factors and ``estimate, arrow_low, arrow_high``, the ends of the arrows.

        Warns
        -----
        DataWarning
            If no arrows are right for all pairs; it names those that they are wrong for.
        """
        check_arguments(MarginalMeans.arrows, locals())
        contrasts = self.contrasts("pairwise", adjust)
        ends = contrasts.numbers[["conf_low", "conf_high"]].to_numpy()
        half = np.diff(np.log(ends) if contrasts.ratio else ends)[:, 0] / 2
        eta, misled = self.eta, []
        ends = np.array([eta, eta])
        for part, family in zip(contrasts.parts, contrasts.families, strict=True):
            pairs = np.array([np.flatnonzero(weights) for weights in family.weights])
            names = contrasts.labels.iloc[part, -1].to_numpy()
            known = self.finite[family.rows][pairs].all(axis=1)  # of both means
            if not known.any():
                continue
            up, down, wrong = arrow_lengths(eta[family.rows], pairs[known], half[part][known])
            ends[:, family.rows] = eta[family.rows] - down, eta[family.rows] + up
            misled += names[known][wrong].tolist()
        ends[:, ~self.finite] = np.nan
        if misled:
            text = f"No arrows are right for all pairs; they mislead on {listed(misled)}."
            messages.issue((messages.DataWarning(f"{text} Go by the contrasts."),))
        if self.scale == "response":
            ends = np.sort(self.link.inverse(ends), axis=0)
        estimate = self.numbers[["estimate"]]
        return beside(self.labels, estimate.assign(arrow_low=ends[0], arrow_high=ends[1]))

    def plot(self, ax: Axes | None = None, letters: bool = False, arrows: bool = False) -> Axes:
        """Draw the means with their intervals, one series for each combination beyond the first.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; default a new figure.
        letters : bool
            Write Tukey's letters above the means.
        arrows : bool
            Draw comparison arrows (see `arrows`) beside the means.

        Returns
        -------
        Axes
        """
        check_arguments(MarginalMeans.plot, locals())
        if not self.factors + self.by:
            raise ValueError(f"there is one number to draw; give {self.noun} by= a factor")
        numbers = self.numbers
        if letters:
            numbers["letters"] = self.letters().iloc[:, -1].to_numpy()
        if arrows:
            numbers[["arrow_low", "arrow_high"]] = self.arrows().iloc[:, -2:].to_numpy()
        label = f"{self.axis_label()} ({percent(self.level)} interval)"
        return plot_means(self.labels, numbers, self.factors, self.by, label, ax)

    def describe(self) -> str:
        """Say in English what these means are, and what not to conclude from them."""
        limits = (
            f"The {percent(self.level)} intervals are of each mean on its own. Two that overlap "
            "may still differ: compare means with .contrasts()."
        )
        few = map(str, self.messages)
        return printable("\n".join([f"{self.title()}.", *self.notes(), *few, limits]))
