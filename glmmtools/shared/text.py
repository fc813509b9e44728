"""Small pieces of text that messages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: object, candidates: Iterable[str]) -> str:
    """Return a question that names the candidate closest to `name`, or an empty string.

    >>> nearest("varity", ["variety", "extract"])
    " (did you mean 'variety'?)"
    """
    by_lower: dict[str, str] = {}
    for candidate in map(str, candidates):
        by_lower.setdefault(candidate.lower(), candidate)
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""


def listed(names: Iterable[object], limit: int = 8) -> str:
    """Join names with commas, and say how many are left out beyond `limit`.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    names = list(map(str, names))
    if len(names) <= limit:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit} more"


def plural(number: int, noun: str) -> str:
    """Return the number and its noun.

    >>> plural(1, "row"), plural(2, "row")
    ('1 row', '2 rows')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
