"""The grammar of a formula: its text taken apart into response, fixed part, random terms, offsets.

y ~ x * z + (1 | g) + offset(log(area))
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from glmmtools.covariances.base import Structure
from glmmtools.covariances.lookup import STRUCTURES, called_in_formulas, structure_of_bar

_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "`'\""


@dataclass(frozen=True)
class RandomSpec:
    """One random term as written: its columns, its grouping factor, its covariance structure."""

    columns: str
    groups: tuple[str, ...]
    structure: type[Structure]

    @property
    def group(self) -> str:
        return ":".join(self.groups)

    @property
    def columns_name(self) -> str:
        return unquoted(self.columns)

    @property
    def label(self) -> str:
        return self.structure.written(self.columns, self.group)


@dataclass(frozen=True)
class ParsedFormula:
    """A formula taken apart into response, fixed part, random terms and offsets."""

    text: str
    response: str
    fixed: str
    random: tuple[RandomSpec, ...]
    offsets: tuple[str, ...]

    @property
    def groups(self) -> list[str]:
        """The columns that name groups, each once."""
        return list(dict.fromkeys(name for term in self.random for name in term.groups))

    @property
    def right_side(self) -> list[str]:
        """The expressions right of the ~ that read columns, groups aside."""
        return [self.fixed, *self.offsets, *(term.columns for term in self.random)]


def parse_formula(text: str) -> ParsedFormula:
    """Take an lme4-style formula apart.

    Raises
    ------
    ValueError
        If there is no ``~`` or no response, or a ``|`` stands outside parentheses.

    Examples
    --------
    >>> parsed = parse_formula("y ~ x + (1 | block/plot)")
    >>> parsed.fixed, [each.group for each in parsed.random]
    ('x', ['block', 'block:plot'])
    """
    if not isinstance(text, str):
        raise ValueError(f"the formula must be text such as 'y ~ x + (1 | g)'; got {text!r}")
    sides = [part for part, _ in split_outside(text, "~")]
    if len(sides) != 2 or not sides[0]:
        raise ValueError(
            f"the formula {text!r} needs a response, one ~ and a right side, "
            "such as 'y ~ x + (1 | g)'"
        )
    fixed, random, offsets = [], [], []
    for piece, sign in split_outside(sides[1], "+-"):
        if not piece:
            continue
        bars = _random_inside(piece, text)
        if bars is not None:
            if sign == "-":
                raise ValueError(f"a random term cannot be subtracted: '- {piece}' in {text!r}")
            random.extend(bars)
        elif (inner := _call(piece, "offset")) is not None:
            offsets.append(inner)
        elif re.fullmatch(r"\d+(\.\d*)?", piece) and piece not in ("0", "1"):
            raise ValueError(
                f"{piece} in {text!r} is no term; arithmetic stands inside I(), as in "
                f"I(x {sign} {piece})"
            )
        else:
            fixed.append(f"{sign} {piece}" if fixed or sign == "-" else piece)
    return ParsedFormula(
        text.strip(), sides[0], " ".join(fixed) or "1", tuple(random), tuple(offsets)
    )


def split_outside(text: str, separators: str) -> list[tuple[str, str]]:
    """Split at separators outside brackets and quotes; each part with the separator before it."""
    parts, depth, quote, start, before = [], 0, "", 0, "+"
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
            if depth < 0:
                raise ValueError(f"the formula {text!r} closes a bracket that was not opened")
        elif character in separators and depth == 0:
            parts.append((text[start:position].strip(), before))
            start, before = position + 1, character
    if depth or quote:
        raise ValueError(f"a bracket or a quote in the formula {text!r} is not closed")
    parts.append((text[start:].strip(), before))
    return parts


def _call(piece: str, function: str) -> str | None:
    """The argument text of ``function(...)`` if the piece is exactly that call."""
    match = re.fullmatch(rf"{function}\s*\((.*)\)", piece, flags=re.DOTALL)
    return match.group(1).strip() if match and _is_balanced(match.group(1)) else None


def is_call(expression: str) -> bool:
    """Whether the whole expression is one call of a function."""
    return _call(expression.strip(), r"[^\W\d][\w.]*") is not None


def _is_balanced(text: str) -> bool:
    try:
        split_outside(text, "")
    except ValueError:
        return False
    return True


def _random_inside(piece: str, text: str) -> list[RandomSpec] | None:
    """The random terms that a piece of the right side stands for; None for a fixed term."""
    if "|" not in re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "", piece):
        return None
    for function in (*called_in_formulas(), ""):
        inner = _call(piece, function)
        if inner is None:
            continue
        bars = [part for part, _ in split_outside(inner, "|")]
        double = len(bars) == 3 and not bars[1]
        if (len(bars) == 2 or double) and bars[0] and bars[-1]:
            bar = "||" if double else "|"
            structure = STRUCTURES[function] if function else structure_of_bar(bar)
            return [
                RandomSpec(bars[0], groups, structure) for groups in _expand_groups(bars[-1], text)
            ]
    raise ValueError(
        f"the | in {piece!r} is misplaced. A random term stands in its own parentheses, added with "
        "+ : 'y ~ x + (1 | g)' for intercepts, '(x | g)' for slopes"
    )


def _expand_groups(text: str, formula: str) -> list[tuple[str, ...]]:
    """``a/b`` is ``a`` and ``a:b`` (nested); ``a:b`` is one factor."""
    nested: list[tuple[str, ...]] = []
    for part, _ in split_outside(text, "/"):
        names = tuple(unquoted(name) for name, _ in split_outside(part, ":"))
        if any(not re.fullmatch(r"[^\W\d]\w*", name) and f"`{name}`" not in text for name in names):
            raise ValueError(
                f"the grouping factor {text!r} in {formula!r} must be a column, a nesting a/b "
                "or an interaction a:b"
            )
        nested.append((nested[-1] if nested else ()) + names)
    return nested


def unquoted(name: str) -> str:
    return name[1:-1] if name.startswith("`") and name.endswith("`") and len(name) > 1 else name


_NAME = re.compile(r"`([^`]+)`|'[^']*'|\"[^\"]*\"|(?<![\w.])([^\W\d]\w*)\b(?!\s*[.(]|\s*=[^=])")


def variables_in(expression: str) -> list[str]:
    """Names of columns that an expression reads.

    >>> variables_in("poly(x, 2) + `my column`:C(trt, contr.treatment('a')) + np.log(z)")
    ['x', 'my column', 'trt', 'z']
    """
    found = (match.group(1) or match.group(2) for match in _NAME.finditer(expression))
    return list(
        dict.fromkeys(name for name in found if name not in (None, "True", "False", "None"))
    )
