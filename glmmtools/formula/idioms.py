"""What R and statsmodels write otherwise: read as meant, or refused with the line to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from glmmtools.formula.brackets import QUOTED, blanked, inside_call, split_outside

_COMPARISON = re.compile(r"[<>]|[=!]=")
_INNERMOST = re.compile(r"\(([^()]*)\)")
_FACTOR = re.compile(r"\b(?:as\.)?factor\(([^()]*)\)")
_FACTOR_GROUP = re.compile(r"\|[^|]*?\bC\(([^()|]*)\)\s*\)$")
_FACTOR_CALL = re.compile(r"\b(?:as\.)?factor\(")
_VECTOR = re.compile(r"\bc\(([^()]*)\)")
_NAME = r"[\w.]+|`[^`]+`"
_MARK = "\ue000"  # a character that no text has


# ------------------------------------------------------------------------------ read as meant


def as_meant(text: str, python: bool = False) -> str:
    """A formula with R's power, and with its precedence of comparisons over & and |.

    In Python ``^`` is the exclusive or, and ``x > 1 & z > 2`` means ``x > (1 & z) > 2``.

    Parameters
    ----------
    python : bool
        Whether the text is an expression as a whole; else only what stands in its brackets is.

    Examples
    --------
    >>> as_meant("x + I(x^2) + I(x > 1 & `a^2` > 2)")
    'x + I(x**2) + I((x > 1) & (`a^2` > 2))'
    """
    hidden: list[str] = []

    def hide(piece: str) -> str:
        hidden.append(piece)
        return f"{_MARK}{len(hidden) - 1}{_MARK}"

    text = QUOTED.sub(lambda quoted: hide(quoted[0]), text).replace("^", "**")
    if _COMPARISON.search(text) and re.search("[&|]", text):
        while _INNERMOST.search(text):
            text = _INNERMOST.sub(lambda inner: hide(f"({_bracketed(inner[1])})"), text)
        text = _bracketed(text) if python else text
    while _MARK in text:
        text = re.sub(f"{_MARK}(\\d+){_MARK}", lambda mark: hidden[int(mark[1])], text)
    return text


def _bracketed(arguments: str) -> str:
    """Arguments of a call, with brackets around each comparison that & or | joins to others."""
    changed = []
    for argument in arguments.split(","):
        parts = re.split("([&|])", argument)
        if len(parts) > 1 and _COMPARISON.search(argument):
            parts = [f"({part.strip()})" if _COMPARISON.search(part) else part for part in parts]
            argument = " ".join(part.strip() for part in parts)
        changed.append(argument)
    return ",".join(changed)


# ------------------------------------------------------------------------------ refused


def check_idioms(piece: str) -> None:
    """Raise ValueError, with the line to write, for what only R or statsmodels reads.

    Parameters
    ----------
    piece : str
        A term of a formula, or one of its sides.
    """
    if "``" in piece:
        raise ValueError("a column without a name cannot stand in a formula: rename it")
    plain = blanked(piece)
    if _FACTOR_CALL.search(plain) or _FACTOR_GROUP.search(plain):
        _refuse(piece, _without_factor(piece))
    for pattern, line in _LINES.items():
        match = re.search(pattern, plain)
        if match:
            _refuse(piece[slice(*match.span())].strip(), line(piece, match))


def check_response(left_side: str) -> None:
    """:func:`check_idioms` of the left side, where no column needs to be called a factor."""
    inner = inside_call(left_side, r"(?:C|(?:as\.)?factor)")
    if inner is not None:
        _refuse(left_side, split_outside(inner, ",")[0][0])
    check_idioms(left_side)


def _refuse(written: str, line: str) -> None:
    raise ValueError(f"{written!r} is not read here: write {line}")


def _without_factor(piece: str) -> str:
    """The same with C(), which the groups and the times of a random term do not need."""
    if "|" not in piece:
        return _VECTOR.sub(r"[\1]", _FACTOR_CALL.sub("C(", piece))
    columns, bar, group = re.match(r"([^|]*)(\|+)(.*)", piece, re.DOTALL).groups()
    group = re.sub(r"\bC\(([^()]*)\)", r"\1", _FACTOR.sub(r"\1", group))
    if columns.startswith("("):
        return _FACTOR.sub(r"C(\1)", columns) + bar + group
    columns = re.sub(r"\s*\+\s*0\s*$|(?<=\()\s*0\s*\+\s*", "", _FACTOR.sub(r"\1", columns))
    return f"{columns.strip()} {bar}{group}"


def _spline(piece: str, match: re.Match) -> str:
    name, *others = (part for part, _ in split_outside(piece[slice(*match.span(1))], ","))
    if any(re.search("bs.*re", part) for part in others):
        return f"(1 | {name})"
    number = re.search(r"\d+", " ".join(others))
    return f"cr({name}, df={number.group() if number else 5})"


def _nested(piece: str, match: re.Match) -> str:
    inner, outer = (piece[slice(*match.span(k))] for k in (1, 2))
    return f"{outer}:{inner}"


def _columns_out(piece: str, match: re.Match) -> str:
    return "the columns, one by one, as in 'y ~ x + z'"


def _two_bars(piece: str, match: re.Match) -> str:
    return f"({re.sub(r'[|]+', '||', piece[slice(*match.span(1))])})"


def _column_of_type(piece: str, match: re.Match) -> str:
    return (
        "the name of the column; what it holds is changed before the fit, by data[...].astype(...)"
    )


def _contrast(piece: str, match: re.Match) -> str:
    arguments = (piece[slice(*match.span(2))] or "").strip("()")
    base = arguments.split("=")[-1].strip()
    name = f"contr.{match[1].lower()}"
    return f"{name}({base})" if match[1] == "Treatment" and base else name


def _base_of_contrast(piece: str, match: re.Match) -> str:
    return f"{match[1]}(level), with the level itself in place of its number"


def _base_level(piece: str, match: re.Match) -> str:
    column, *others = (part for part, _ in split_outside(piece[slice(*match.span(1))], ","))
    base = others[0].split("=")[-1].strip() if others else "..."
    return f"C({column}, contr.treatment({base}))"


def _logarithm(piece: str, match: re.Match) -> str:
    column, base = (part for part, _ in split_outside(piece[slice(*match.span(1))], ","))
    base = base.split("=")[-1].strip()
    return f"log{base}({column})" if base in ("2", "10") else f"I(log({column}) / log({base}))"


def _without_index(piece: str, match: re.Match) -> str:
    return piece[slice(*match.span(1))]


def _joined(piece: str, match: re.Match) -> str:
    return ":".join(part for part, _ in split_outside(piece[slice(*match.span(1))], ","))


def _in_backquotes(piece: str, match: re.Match) -> str:
    name = piece[slice(*match.span(1))].strip("'\" ")
    return f"`{name}`"


def _not(piece: str, match: re.Match) -> str:
    return "~ for 'not', as in I(~x)"


_LINES: dict[str, Callable[[str, re.Match], str]] = {
    r"\b(?:ns|s)\(([^()]*)\)": _spline,
    rf"({_NAME})\s*%in%\s*({_NAME})": _nested,
    r"(?<![\w.)\]])\.(?![\w.])": _columns_out,
    r"\bdiag\(([^()]*\|[^()]*)\)": _two_bars,
    r"\b(?:as|is)\.\w+\(": _column_of_type,
    r"(?<=,)\s*(Treatment|Sum|Poly|Helmert|Diff)\b(\([^()]*\))?": _contrast,
    r"\b(contr\.\w+)\s*,\s*base\s*=": _base_of_contrast,
    r"\brelevel\(([^()]*)\)": _base_level,
    r"\blog\(([^(),]*,[^(),]*)\)": _logarithm,
    r"\b(scale\([^()]*\))\s*\[\s*,\s*1\s*\]": _without_index,
    r"\binteraction\(([^()]*)\)": _joined,
    r"\bQ\(([^()]*)\)": _in_backquotes,
    r"!(?!=)": _not,
}


def check_dots(expressions: Iterable[str], columns: Iterable[str]) -> None:
    """Raise ValueError for a column with a dot in its name that stands without backquotes.

    In Python the dot asks for an attribute: ``days.clip``.
    """
    texts = [QUOTED.sub("", text) for text in expressions]
    for name in columns:
        if "." not in name:
            continue
        pattern = rf"(?<![\w.]){re.escape(name)}(?![\w.(])"
        if any(re.search(pattern, text) for text in texts):
            raise ValueError(f"a name with a dot stands in backquotes: write `{name}`")
