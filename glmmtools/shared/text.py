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
    for each in candidates:
        by_lower.setdefault(str(each).lower(), str(each))
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""


def listed(names: Iterable[object], limit: int = 8) -> str:
    """Join names with commas, and say how many are left out beyond `limit`.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    names = [str(each) for each in names]
    if len(names) <= limit:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit} more"


def plural(number: int, noun: str) -> str:
    """Return the number and its noun.

    >>> plural(1, "row"), plural(2, "row")
    ('1 row', '2 rows')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def one_of(argument: str, value: object, valid: tuple[str, ...]) -> None:
    """Raise ValueError that names the valid values of an argument.

    >>> one_of("scale", "log", ("response", "link"))
    Traceback (most recent call last):
    ...
    ValueError: scale must be one of response, link; got 'log'
    """
    if value not in valid:
        raise ValueError(f"{argument} must be one of {', '.join(map(str, valid))}; got {value!r}")


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def latex_escaped(text: str) -> str:
    """Text with the characters that LaTeX reads as commands escaped.

    >>> print(latex_escaped("10^3 {m_2} & 5 %"))
    10\\textasciicircum{}3 \\{m\\_2\\} \\& 5 \\%
    """
    return "".join(_LATEX.get(character, character) for character in text)
