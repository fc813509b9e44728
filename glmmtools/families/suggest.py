"""`suggest_family`: which response distributions could have produced these values, and why."""

from __future__ import annotations

from dataclasses import dataclass

from glmmtools.families.base import Family
from glmmtools.families.lookup import FAMILIES
from glmmtools.families.values import ORDERED_MODELS, Values, read_values
from glmmtools.shared.markup import html_text
from glmmtools.shared.terminal import Printed
from glmmtools.shared.text import plural

_CAVEAT = (
    "The distribution is assumed for y given the predictors and the random effects, "
    "not for all values of y together: fit, then check the residuals."
)


@dataclass(frozen=True, repr=False)
class Suggestion(Printed):
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
    notes : tuple of str
        What the values may be in truth: per cent, scores, heaped measurements.
    """

    facts: tuple[str, ...]
    candidates: dict[str, str]
    doubtful: dict[str, str]
    impossible: dict[str, str]
    notes: tuple[str, ...] = ()

    def _groups(self) -> list[tuple[str, dict[str, str]]]:
        groups = self.candidates, self.doubtful, self.impossible
        titles = "Candidates", "Possible, but", "Impossible"
        return [(title, group) for title, group in zip(titles, groups, strict=True) if group]

    def _text(self) -> str:
        width = max(len(name) for _, group in self._groups() for name in group)
        lines = [f"{'; '.join(self.facts)}.", *self.notes]
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
        notes = "".join(f"<p>{html_text(note)}</p>" for note in self.notes)
        return (
            f"<div>{notes}<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table><p>{_CAVEAT}</p></div>"
        )


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
    judged = {name: _judged(each, values) for name, each in FAMILIES.items()}
    candidates, doubtful, impossible = (
        {name: reason for name, (verdict, reason) in judged.items() if verdict == wanted}
        for wanted in ("candidate", "doubtful", "impossible")
    )
    candidates = dict(sorted(candidates.items(), key=lambda item: _rank(FAMILIES[item[0]])))
    return Suggestion(_facts(values), candidates, doubtful, impossible, _notes(values))


def _judged(family: Family, values: Values) -> tuple[str, str]:
    """The group that a family belongs to, and why."""
    reason = family.why_impossible(values)
    if values.may_be_percent:
        return _of_percent(family, values, reason)
    if not reason:
        fits, why = family.verdict(values)
        return "candidate" if fits else "doubtful", why
    zeros = int((values.y == 0).sum())
    if zeros and not values.are_counts and family.leaves_out_zero and not family.discrete:
        rest = values.above_zero()
        if not family.why_impossible(rest) and (found := family.verdict(rest))[0]:
            seen = f"{zeros} of {plural(len(values.y), 'value')} are 0"
            return "candidate", f"with zero_inflation='~ 1', for {seen}; of the others {found[1]}"
    return "impossible", reason


def _of_percent(family: Family, values: Values, reason: str) -> tuple[str, str]:
    if family.takes_trials:
        return "candidate", "if each is a number out of 100: trials=100"
    if family.mean_interval[1] == 1:
        shares = values.over(100)
        fits, why = family.verdict(shares)
        reason = family.why_impossible(shares).split(". ")[0]
        if not reason:
            return "candidate" if fits else "doubtful", f"if per cent, divided by 100: {why}"
    if reason:
        return "impossible", reason
    fits, why = family.verdict(values)
    return "doubtful", f"if these are not per cent: {why}" if fits else why


def _notes(values: Values) -> tuple[str, ...]:
    """What else the values may be than what they look like."""
    if values.may_be_percent:
        return ("They may be per cent: divide by 100, so that 1 is the upper bound.",)
    if values.may_be_scores:
        return (
            f"1 to {values.y.max():g} may be scores. These are categories in order, of which "
            f"there are no models here: {ORDERED_MODELS}.",
        )
    step = values.heaped_at
    if step:
        return (
            f"{values.share_of_multiples(step):.0%} are multiples of {step}: measurements that "
            "were rounded? A continuous family takes them as exact, which is right where the "
            "rounding is small beside their scatter.",
        )
    return ()


def _rank(family: Family) -> int:
    """Whole numbers may be measurements: counts come first, then proportions, then the rest."""
    return 0 if family.discrete else 1 if family.mean_interval[1] == 1 else 2


def impossible_families(values: Values) -> dict[str, str]:
    """Return the families that cannot produce the values, with the value and row that exclude each.

    >>> impossible_families(read_values([0.2, 3.5]))["beta"]
    'y = 3.5 in row 1; beta needs 0 < y < 1'
    """
    reasons = {name: each.why_impossible(values) for name, each in FAMILIES.items()}
    return {name: reason for name, reason in reasons.items() if reason}


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
