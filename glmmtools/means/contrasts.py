"""Contrasts between marginal means: differences or ratios, adjusted for their number."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.families.links import LINKS
from glmmtools.fitted.parts import PartFit
from glmmtools.formula.rank import independent_columns
from glmmtools.inference.anova import chi_square, wald_test
from glmmtools.means.adjust import (
    ADJUSTMENTS,
    METHODS,
    adjusted_p,
    contrast_weights,
    critical_values,
)
from glmmtools.means.cells import CellMeans, Combinations, Values
from glmmtools.means.grid import distinct_labels, label_of, rows_of
from glmmtools.shared.arguments import one_of, shown
from glmmtools.shared.tables import beside
from glmmtools.shared.terminal import printable
from glmmtools.shared.text import listed, nearest, plural

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class ContrastFamily:
    """Contrasts that are adjusted together: their names, and their weights on some of the means.

    Attributes
    ----------
    names : DataFrame
        One row a contrast: the columns of `by`, and what is contrasted.
    weights : ndarray, shape (contrasts, means of the family)
    rows : ndarray of int
        The means of the family among all means.
    """

    names: pd.DataFrame
    weights: Array
    rows: Array


class Contrasts(Combinations):
    """Contrasts between marginal means, made by ``means.contrasts(...)``.

    Attributes
    ----------
    frame : DataFrame
        The columns of `by`, ``contrast`` (for interaction contrasts one column a factor) and
        ``estimate, std_error, df, statistic, p_value, conf_low, conf_high``. Statistics and
        p-values of ratios are those of their logarithm against 0.
    L : ndarray, shape (contrasts, coefficients)
        Each contrast on the link scale is a row of L times the coefficients, plus `offset`.
    """

    def __init__(
        self,
        means: CellMeans,
        families: list[ContrastFamily],
        methods: dict[str, Any],
        adjust: str,
        ratio: bool,
        by: tuple[str, ...],
        level: float,
        scale: str = "link",
    ):
        ends = np.cumsum([0, *(len(family.weights) for family in families)])
        self.parts = [slice(*pair) for pair in itertools.pairwise(ends)]
        K = np.zeros((ends[-1], len(means.labels)))
        for part, family in zip(self.parts, families, strict=True):
            K[part, family.rows] = family.weights
        compared = means.other if scale == "link" else _responses(means, ratio)
        other = None if compared is None else compared.combined(K)
        combined = K @ means.L, K @ means.offset, K @ means.beyond
        super().__init__(means.model, *combined, other, means.reference)
        self.scale = scale
        self.means, self.families, self.methods, self.adjust = means, families, methods, adjust
        self.ratio, self.by, self.level = ratio, by, level
        self.labels = pd.concat([family.names for family in families], ignore_index=True)
        self.numbers = self._numbers()

    def _parts(self) -> Array:
        return self.means.L

    def _numbers(self) -> pd.DataFrame:
        constant = ~self.held.any(axis=1) & self.estimable & (self.other is None)
        if constant.any():
            name = self.labels.iloc[constant.argmax(), -1]
            raise ValueError(
                f"the contrast {name!r} holds no coefficient of the model. Does the formula lack "
                "the interaction of what is compared?"
            )
        eta, se, df = self.eta, self.std_error, self.df
        statistic = eta / se
        p, quantile = np.empty(len(eta)), np.empty(len(eta))
        for part, family in zip(self.parts, self.families, strict=True):
            p[part], quantile[part] = self._adjusted(part, statistic, len(family.rows))
        low, high = eta - quantile * se, eta + quantile * se
        if self.ratio:
            eta, low, high = np.exp(eta), np.exp(low), np.exp(high)
            se = eta * se
        return pd.DataFrame(
            {"estimate": eta, "std_error": se, "df": df, "statistic": statistic, "p_value": p,
             "conf_low": low, "conf_high": high}
        )  # fmt: skip

    def joint(self) -> pd.DataFrame:
        """Test that all contrasts are zero, within each combination of `by`.

        Returns
        -------
        DataFrame
            The columns of `by`, and those of :meth:`FittedModel.anova`. Contrasts without a finite
            estimate are left out, and so are those that others determine. Of all pairs of the means
            of one factor it is the test of that factor at each combination.

        Examples
        --------
        >>> import glmmtools as gt
        >>> oats = gt.load_data("oats")
        >>> m = gt.fit("yield ~ variety * C(nitro) + (1 | block/variety)", oats, reml=True)
        >>> m.means("nitro", by="variety").contrasts().joint().round(3)
               variety  statistic  df  den_df  p_value kind
        0  Golden Rain     13.023   3    45.0      0.0    F
        1   Marvellous      9.953   3    45.0      0.0    F
        2      Victory     15.316   3    45.0      0.0    F
        """
        rows = []
        for part, family in zip(self.parts, self.families, strict=True):
            known = np.flatnonzero(self.finite[part])
            chosen = known[independent_columns(family.weights[known].T)[0]] + part.start
            within = {name: family.names[name].iloc[0] for name in self.by}
            rows.append(within | self._joint_of(chosen))
        return pd.DataFrame(rows)

    def _joint_of(self, chosen: Array) -> dict:
        if self.other is None:
            return wald_test(self.reference, self.L[chosen])
        values, covariance = self.eta[chosen], self.covariance[np.ix_(chosen, chosen)]
        return chi_square(float(values @ np.linalg.solve(covariance, values)), len(chosen))

    def _adjusted(self, part: slice, statistic: Array, n_means: int) -> tuple[Array, Array]:
        """P-values and half-widths in standard errors of one family.

        What has no finite estimate counts as one of the family, as in emmeans, but for "mvt", which
        is of the joint distribution of what can.
        """
        known = self.finite[part]
        counted = np.flatnonzero(known if self.adjust == "mvt" else np.ones(len(known), bool))
        p, quantile = np.full((2, len(known)), np.nan)
        if known.any():
            se = np.where(known, self.std_error[part], 1.0)[counted]
            correlation = self.covariance[part, part][np.ix_(counted, counted)] / np.outer(se, se)
            df = np.where(known, self.df[part], np.inf)[counted]
            options = correlation, self.adjust, n_means
            p[counted] = adjusted_p(np.nan_to_num(statistic[part])[counted], df, *options)
            quantile[counted] = critical_values(self.level, df, *options)
        return np.where(known, p, np.nan), quantile

    def title(self) -> str:
        what = "Contrasts" if "" in self.methods else "Contrasts of contrasts"
        within = f" within {listed(self.by)}" if self.by else ""
        others = [f for f in self.means.factors + self.means.by if f not in self.by]
        return f"{what} of {' × '.join(others)}{within}: {self._kind()}"

    def _kind(self) -> str:
        link = self.means.link
        if self.scale == "response" and not link.is_identity:
            what = "probabilities" if self.model.family.takes_trials else "means"
            if isinstance(self.model, PartFit):
                what = self.model.quantity
            return f"{'ratios' if self.ratio else 'differences'} of {what}"
        if self.ratio:
            return link.ratios
        if link.is_identity:
            return f"differences of {self.means.noun}"
        return f"differences on the {link.scale} scale"

    def notes(self) -> list[str]:
        sizes = sorted(len(family.weights) for family in self.families)
        size, contrasts = sizes[-1], plural(sizes[-1], "contrast")
        if len(sizes) > 1:
            number = contrasts if sizes[0] == size else f"{sizes[0]} to {contrasts}"
            contrasts = f"{number} within each group"
        intervals = "by Bonferroni" if self.adjust in ("holm", "fdr") else "are simultaneous"
        notes = [
            "P-values and intervals are not adjusted for the number of contrasts."
            if self.adjust == "none" or size == 1
            else f"P-values are adjusted for {contrasts} ({self.adjust}); intervals {intervals}."
        ]
        on_link = self.scale == "link" and not self.means.link.is_identity
        if self.means.scale == "response" and not self.ratio and on_link:
            notes.append(f"Contrasts of the {self.model.link.name} link stay on its scale.")
        compared = [name for name in self.means.labels if name not in self.by]
        for name, method in self.methods.items():
            if isinstance(method, str) and method == "poly":
                cells = distinct_labels(self.means.labels[[name] if name else compared])
                levels = listed(dict.fromkeys(cells), 12)
                notes.append(f"Polynomial contrasts take as equally spaced: {levels}.")
        rows = np.concatenate([family.rows for family in self.families])
        alone = self.means.labels.drop(index=rows)[list(self.by)]
        if len(alone):
            groups = ["/".join(map(label_of, key)) for key in rows_of(alone)]
            notes.append(f"One mean only, so that there are no contrasts: {listed(groups, 12)}.")
        names = self.labels.astype(str).agg(": ".join, axis=1)
        return notes + self.without_estimate(names) + self.means.grid_notes()

    def describe(self) -> str:
        """Say in English what these contrasts are, and what not to conclude from them."""
        limits = ["A large p-value is not evidence of no difference: read the interval."]
        if self.ratio:
            caution = self.means.link.ratio_caution if self.scale == "link" else ""
            limits += ["A ratio of 1 is no difference.", caution]
        few = map(str, self.messages)
        lines = [f"{self.title()}.", *self.notes(), *few, " ".join(filter(None, limits))]
        return printable("\n".join(lines))


def methods_of(method: Any, interaction: Any, factors: tuple[str, ...]) -> dict[str, Any]:
    """The method for each factor of an interaction contrast; else one for all factors together."""
    if not interaction:
        return {"": method}
    if len(factors) < 2:
        raise ValueError(
            f"interaction contrasts need two factors or more; these means have {factors[0]!r} "
            "only. Ask for them together: m.means(['a', 'b'])"
        )
    if interaction is True:
        return dict.fromkeys(factors, method)
    if isinstance(interaction, str):
        return dict.fromkeys(factors, interaction)
    for name in interaction:
        if name not in factors:
            raise ValueError(
                f"interaction= names {name!r}{nearest(name, factors)}; the factors compared are "
                f"{listed(factors)}"
            )
    return {name: interaction.get(name, method) for name in factors}


def family_of(
    means: CellMeans,
    rows: Array,
    by: tuple[str, ...],
    methods: dict[str, Any],
    sign: str,
    reference: Any,
) -> ContrastFamily:
    """One family: the contrasts between the means of some rows, which agree in `by`."""
    cells = means.labels.iloc[rows].reset_index(drop=True)
    factors = [name for name in means.factors + means.by if name not in by]
    levels = {name: list(dict.fromkeys(cells[name])) for name in factors}
    if "" in methods:
        labels = distinct_labels(cells[factors])
        keys, method = rows_of(cells[factors]), methods[""]
        if reference is not None:
            key = reference if isinstance(reference, tuple) else (reference,)
            if not all(isinstance(level, Hashable) and not pd.isna(level) for level in key):
                raise ValueError(f"reference must be a level; got {shown(reference)}")
            reference = _label(key, keys, labels)
        contrasts, K = contrast_weights(_by_label(method, keys, labels), labels, sign, reference)
        names = pd.DataFrame({"contrast": contrasts})
    else:
        if np.prod(list(map(len, levels.values()))) != len(cells):
            raise ValueError("interaction contrasts need a mean for every combination of levels")
        names, K = [()], np.ones((1, 1))
        for factor, method in methods.items():
            labels = distinct_labels(pd.DataFrame({factor: levels[factor]}))
            keys = [(level,) for level in levels[factor]]
            contrasts, weights = contrast_weights(_by_label(method, keys, labels), labels, sign)
            names = [(*before, name) for before in names for name in contrasts]
            K = np.kron(K, weights)
        keys = list(itertools.product(*levels.values()))
        places = [keys.index(key) for key in rows_of(cells[factors])]
        names, K = pd.DataFrame(names, columns=factors), K[:, places]
    within = cells[list(by)].iloc[[0] * len(names)]
    return ContrastFamily(beside(within, names), K, rows)


def _label(key: Any, keys: list[tuple], labels: list[str]) -> str:
    """The label of the mean with these levels, or the text of a key that no mean has."""
    key = key if isinstance(key, tuple) else (key,)
    return labels[keys.index(key)] if key in keys else " ".join(map(label_of, key))


def _by_label(method: Any, keys: list[tuple], labels: list[str]) -> Any:
    """A method whose weights by level, in dicts or Series, are by the labels of the means.

    A Series that is numbered from 0 is in the order of the means, as a list is.
    """
    if not isinstance(method, Mapping):
        return method
    named = {}
    for name, given in method.items():
        if isinstance(given, pd.Series):
            numbered = given.index.equals(pd.RangeIndex(len(given)))
            given = given.to_numpy() if numbered else given.to_dict()
        if isinstance(given, Mapping):
            given = {_label(key, keys, labels): value for key, value in given.items()}
        named[name] = given
    return named


def _responses(means: CellMeans, logarithms: bool) -> Values:
    """The means on the response scale, or their logarithms."""
    eta, link = means.eta, means.link
    value, slope = link.inverse(eta), link.derivatives(eta)[0]
    if logarithms:
        value, slope = np.log(value), slope / value
    return Values(value, means.covariance * np.outer(slope, slope))


def takes_ratio(means: CellMeans, ratio: bool | None, scale: str) -> bool:
    """Whether contrasts are ratios; raises where the link has none of what was asked."""
    if scale == "response":
        if ratio and not np.all(means.link.inverse(means.eta[means.finite]) > 0):
            raise ValueError("ratio=True is for means above 0, and some of these are not")
        return bool(ratio)
    link, what = means.link, means.link.ratio_of
    if ratio is None:
        return means.scale == "response" and bool(what)
    if ratio and not what:
        able = " and ".join(other.name for other in LINKS.values() if other.ratio_of)
        raise ValueError(
            f"ratio=True is for the {able} links; with the {link.name} link a contrast is a "
            "difference" + ("" if link.is_identity else f" on the {link.name} scale")
        )
    if not ratio and means.scale == "response" and what:
        raise ValueError(
            f"ratio=False on the response scale asks for differences of {what}, which the "
            f"{link.name} link does not estimate: its contrasts are ratios of {what}. Leave ratio= "
            f"out for these; take means(..., scale='link') for differences of log {what}, or "
            "contrasts(scale='response') for differences of the means"
        )
    return ratio


def adjustment(adjust: str | None, methods: dict[str, Any]) -> str:
    """The adjustment of a family, by default that of its method."""
    method = methods.get("")
    if adjust is None:
        return METHODS.get(method, "none") if isinstance(method, str) else "none"
    one_of("adjust", adjust, ADJUSTMENTS)
    if adjust == "tukey" and method != "pairwise":
        raise ValueError(
            "adjust='tukey' is for all pairs of means (method='pairwise'); for other contrasts "
            "use 'mvt', which is exact, or 'sidak'"
        )
    return adjust
