"""`suggest_family`: which response distributions could have produced these values, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmmtools.families.base import Family
from glmmtools.families.lookup import FAMILIES
from glmmtools.shared.markup import html_text
from glmmtools.shared.text import listed, plural

Array = np.ndarray
_CAVEAT = (
    "The distribution is assumed for y given the predictors and the random effects, "
    "not for all values of y together: fit, then check the residuals."
)
# Whole numbers that are all this large are as often rounded measurements as counts.
_LARGE = 20
# At this coefficient of variation a normal distribution puts 2.3 % below zero.
_SMALL_CV = 0.5


@dataclass(frozen=True)
class Suggestion:
    """What `suggest_family` found; prints as text, shows as a table in a notebook.

    Attributes
    ----------
    facts : tuple of str
        What the values are like: how many, whole or not, bounds, mean and variance.
    candidates : dict of str to str
        Families worth fitting, by name, with the reason.
    doubtful : dict of str to str
        Families whose support holds the values but that miss something the values show.
    impossible : dict of str to str
        Families that cannot produce these values, with the value and the row that exclude them.
    """

    facts: tuple[str, ...]
    candidates: dict[str, str]
    doubtful: dict[str, str]
    impossible: dict[str, str]

    def _groups(self) -> list[tuple[str, dict[str, str]]]:
        groups = self.candidates, self.doubtful, self.impossible
        titles = "Candidates", "Possible, but", "Impossible"
        return [(title, group) for title, group in zip(titles, groups, strict=True) if group]

    def __repr__(self) -> str:
        width = max(len(name) for _, group in self._groups() for name in group)
        lines = [f"{'; '.join(self.facts)}."]
        for title, group in self._groups():
            lines += ["", title]
            lines += [f"  {name:<{width}}  {reason}" for name, reason in group.items()]
        return "\n".join([*lines, "", _CAVEAT])

    def _repr_html_(self) -> str:
        cell = 'style="text-align:left"'
        rows = "".join(
            f'<tr><th scope="row" {cell}>{title}</th><td {cell}><b>{name}</b></td>'
            f"<td {cell}>{html_text(reason)}</td></tr>"
            for title, group in self._groups()
            for name, reason in group.items()
        )
        head = "".join(
            f'<th scope="col" {cell}>{column}</th>' for column in ("verdict", "family", "why")
        )
        caption = html_text("; ".join(self.facts))
        return (
            f"<div><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table><p>{_CAVEAT}</p></div>"
        )


@dataclass(frozen=True, eq=False)
class Values:
    """The response without its missing values; `rows` are the labels to name in a message."""

    y: Array
    trials: Array | None
    rows: Sequence[object]
    missing: int

    @property
    def whole(self) -> bool:
        return bool(np.all(self.y == np.round(self.y)))

    @property
    def binary(self) -> bool:
        return self.trials is None and set(np.unique(self.y)) <= {0.0, 1.0}

    def at(self, marked: Array) -> str:
        """Name the first marked value and its row."""
        first = int(marked.argmax())
        return f"y = {self.y[first]:g} in row {self.rows[first]}"


def suggest_family(y, trials=None) -> Suggestion:
    """Say which families could have produced these values, and why the others could not.

    It never names a single answer: values narrow the choice, and how they came about decides it.

    Parameters
    ----------
    y : array-like, shape (n,)
        The response: numbers, booleans, or two different strings. Missing values are left out.
    trials : int or array-like, shape (n,), optional
        The known totals, if `y` counts successes out of a total (or is their proportion).

    Returns
    -------
    Suggestion
        With ``candidates``, ``doubtful`` and ``impossible``, each a dict of name to reason.

    Raises
    ------
    ValueError
        If there are no values, or they are not numbers, or there are fewer trials than rows.

    Examples
    --------
    >>> found = suggest_family([0, 3, 1, 12, 0, 5])
    >>> list(found.candidates)
    ['poisson', 'negative_binomial', 'nbinom1']
    >>> found.impossible["gamma"]
    'y = 0 in row 0; gamma needs y > 0'
    """
    values = read_values(y, trials)
    impossible = impossible_families(values)
    candidates, doubtful = {}, {}
    for name, each in FAMILIES.items():
        if name not in impossible:
            fits, reason = _verdict(each, values)
            (candidates if fits else doubtful)[name] = reason
    # whole numbers that may be measurements: counts first
    order = sorted(candidates, key=lambda name: (not FAMILIES[name].discrete, name != "beta"))
    candidates = {name: candidates[name] for name in order}
    return Suggestion(_facts(values), candidates, doubtful, impossible)


# ------------------------------------------------------------------------------ reading


def read_values(y, trials=None) -> Values:
    """Return the values that are not missing as numbers; proportions of `trials` as counts.

    >>> read_values([0.5, None, 1.0], trials=4).y
    array([2., 4.])
    """
    series = y if isinstance(y, pd.Series) else pd.Series(np.asarray(y).ravel())
    kept = series.notna().to_numpy()
    if not kept.any():
        raise ValueError("y has no values" if series.empty else "every value of y is missing")
    values = _numbers(series[kept])
    rows = list(series.index[kept])
    if not np.all(np.isfinite(values)):
        row = rows[int((~np.isfinite(values)).argmax())]
        raise ValueError(f"y is infinite in row {row}: no family produces that")
    totals = None
    if trials is not None:
        totals = _totals(trials, len(series))[kept]
        bad = ~(totals > 0) | (totals != np.round(totals))
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(
                f"trials must be whole numbers above 0; row {rows[row]} has {totals[row]:g}"
            )
        values = _successes(values, totals)
    return Values(values, totals, rows, int((~kept).sum()))


def _numbers(series: pd.Series) -> Array:
    series = series.infer_objects()
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(float)
    codes, levels = pd.factorize(series, sort=True)
    if len(levels) > 2:
        try:
            return series.to_numpy(float)
        except (TypeError, ValueError):
            raise ValueError(
                f"y must be numbers or have two levels; it has {plural(len(levels), 'level')}: "
                f"{listed(levels, 4)}"
            ) from None
    return codes.astype(float)


def _totals(trials, n: int) -> Array:
    totals = np.asarray(trials, float).ravel()
    if totals.size not in (1, n):
        raise ValueError(
            f"trials must be one number or one for each of the {plural(n, 'value')} of y; "
            f"got {totals.size}"
        )
    return np.broadcast_to(totals, n)


def _successes(y: Array, trials: Array) -> Array:
    """Counts from proportions, where `y` holds whole multiples of 1/trials; else `y`."""
    counts = y * trials
    is_proportion = np.all((y >= 0) & (y <= 1)) and np.any(y != np.round(y))
    close = np.abs(counts - np.round(counts)) < 1e-6 * np.maximum(1, trials)
    return np.round(counts) if is_proportion and close.all() else y


# ------------------------------------------------------------------------------ judging


def impossible_families(values: Values) -> dict[str, str]:
    """Return the families that cannot produce the values, with the value and row that exclude each.

    >>> impossible_families(read_values([0.2, 3.5]))["beta"]
    'y = 3.5 in row 1; beta needs 0 < y < 1'
    """
    found = {}
    for name, family in FAMILIES.items():
        trials = np.ones_like(values.y) if values.trials is None else values.trials
        marked = family.outside_support(values.y, trials)
        if family.takes_trials and values.trials is None and not values.binary:
            above = marked | (values.y > 1)
            found[name] = (
                f"{values.at(above)}; {name} needs successes out of a known total (trials=)"
            )
        elif family.takes_trials and marked.any():
            first = int(marked.argmax())
            found[name] = (
                f"{values.at(marked)} of {trials[first]:g} trials; {name} needs y = 0, 1, …, N"
            )
        elif name == "betabinomial" and values.binary:
            found[name] = "with one trial each it is the binomial: φ cannot be estimated"
        elif marked.any():
            total = name == "beta" and values.y.min() >= 0 and values.y.max() <= 1
            slip = ". Out of a known total? Give trials=" if total and not values.binary else ""
            found[name] = f"{values.at(marked)}; {name} needs {family.support}{slip}"
    return found


def _verdict(family: Family, values: Values) -> tuple[bool, str]:
    """Whether a family that the support allows is worth a fit, and why."""
    y = values.y
    if family.takes_trials:
        return True, _successes_reason(family, values)
    if values.binary:
        return False, "it ignores that y is one of two values"
    if values.trials is not None:
        rare = family.counts and np.all(y <= 0.1 * values.trials)
        if rare:
            return True, "few successes out of many trials; log(trials) as offset"
        return False, "it ignores the known total"
    if family.counts:
        return True, _count_reason(family, y)
    if values.whole and not (y.min() >= _LARGE or y.min() < 0):
        return False, f"y are whole numbers, {family.name} is continuous"
    if family.name in ("normal", "t"):
        return _real_line(family, values)
    rounded = " (if these are rounded measurements)" if values.whole else ""
    if family.name == "beta":
        return True, "all values between 0 and 1: if both are bounds, and no total is known"
    bound = " (if 1 is not an upper bound)" if y.max() < 1 else rounded
    shape = {
        "gamma": "all values above 0; the standard deviation grows with the mean",
        "lognormal": "all values above 0; log(y) symmetric",
    }[family.name]
    return True, shape + bound


def _real_line(family: Family, values: Values) -> tuple[bool, str]:
    y = values.y
    if y.min() >= 0 and y.max() <= 1:
        return False, "it predicts below 0 and above 1, if these are bounds"
    if y.min() >= 0 and y.std() > _SMALL_CV * y.mean():
        return False, "all values are at or above 0: it predicts negative ones"
    if family.name == "normal":
        near = "; far from 0 (coefficient of variation " if y.min() >= 0 else ""
        return True, "one constant variance" + (near and f"{near}{y.std() / y.mean():.2f})")
    spread = np.median(np.abs(y - np.median(y))) / 0.6745
    far = int(np.sum(np.abs(y - np.median(y)) > 4 * spread)) if spread > 0 else 0
    seen = f"{plural(far, 'value')} more than 4 robust SD from the median" if far else "none seen"
    return True, f"as the normal, but for outliers: {seen}"


def _successes_reason(family: Family, values: Values) -> str:
    if values.binary:
        return "y is one of two values: one trial each; the choice left is the link"
    y, trials = values.y, values.trials
    share = y.sum() / trials.sum()
    expected = trials * share * (1 - share)
    ratio = np.mean((y - trials * share) ** 2) / np.mean(expected) if share * (1 - share) else 1.0
    seen = f"variance {ratio:.1f} times the binomial's around one common probability"
    if family.name == "binomial":
        return f"successes out of known totals; {seen}"
    return f"if more than binomial variance remains after the predictors; {seen}"


def _count_reason(family: Family, y: Array) -> str:
    mean, ratio = y.mean(), y.var(ddof=1) / y.mean() if len(y) > 1 and y.mean() > 0 else 1.0
    if family.name == "poisson":
        zeros, expected = np.mean(y == 0), np.exp(-mean)
        more = f"; zeros {zeros:.0%}, at this mean {expected:.0%}" if zeros > expected else ""
        return f"counts; variance = mean (here {ratio:.1f} times the mean, over all rows){more}"
    how = {"negative_binomial": "μ + φμ²", "nbinom1": "(1 + φ)μ"}[family.name]
    return f"counts that cluster; variance {how}"


def _facts(values: Values) -> tuple[str, ...]:
    y = values.y
    kind = "whole numbers" if values.whole else "not whole numbers"
    kind = "two values" if values.binary else kind
    facts = [plural(len(y), "value") + f", {kind}, from {y.min():g} to {y.max():g}"]
    if values.trials is not None:
        facts.append(f"out of {values.trials.min():g} to {values.trials.max():g} trials")
    facts.append(f"mean {y.mean():.3g}")
    if len(y) > 1:
        facts.append(f"variance {y.var(ddof=1):.3g}")
    if values.missing:
        facts.append(f"{values.missing} missing")
    return tuple(facts)
