"""Brackets and quotes in the text of a formula: split outside them, look into them."""

from __future__ import annotations

import re
from typing import NamedTuple

_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "`'\""
QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"")


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


def inside_call(piece: str, function: str) -> str | None:
    """What stands in the brackets of ``function(...)``, if the piece is exactly that call."""
    match = re.fullmatch(rf"{function}\s*\((.*)\)", piece, flags=re.DOTALL)
    return match.group(1).strip() if match and _is_balanced(match.group(1)) else None


def is_call(expression: str) -> bool:
    """Whether the whole expression is one call of a function."""
    return inside_call(expression.strip(), r"[^\W\d][\w.]*") is not None


def inside_C(expression: str) -> str | None:
    """What ``C()`` codes, if the whole expression is a call of it.

    >>> inside_C("C(`dose of A`, contr.treatment(2))")
    '`dose of A`'
    """
    arguments = inside_call(expression, "C")
    return None if arguments is None else split_outside(arguments, ",")[0][0]


def _is_balanced(text: str) -> bool:
    try:
        split_outside(text, "")
    except ValueError:
        return False
    return True


class Nested(NamedTuple):
    """A factor of a nesting: the columns whose combinations are around it, and its own."""

    around: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def path(self) -> tuple[str, ...]:
        return self.around + self.names


def nested_factors(text: str, side_by_side: str = "") -> list[Nested]:
    """The factors of a nesting, as R has them; names may be empty.

    ``:`` joins factors, ``/`` puts what follows into the combinations of all before. The signs
    `side_by_side` part factors that are not nested; ``+`` does so in brackets, in any case.

    >>> [":".join(factor.path) for factor in nested_factors("block/(a + b)/c")]
    ['block', 'block:a', 'block:b', 'block:a:b:c']
    """
    chunks = split_outside(text, side_by_side)
    if len(chunks) > 1:
        found = [each for chunk, _ in chunks for each in nested_factors(chunk, side_by_side)]
        return list(dict.fromkeys(found))
    factors: list[Nested] = []
    for part, _ in split_outside(text, "/"):
        around = tuple(dict.fromkeys(name for factor in factors for name in factor.path))
        inner = inside_call(part, "")
        if inner is None:
            names = tuple(unquoted(name) for name, _ in split_outside(part, ":"))
            factors.append(Nested(around, names))
        else:
            within = nested_factors(inner, side_by_side or "+")
            factors += [Nested(around + each.around, each.names) for each in within]
    return factors


def unquoted(name: str) -> str:
    return name[1:-1] if name.startswith("`") and name.endswith("`") and len(name) > 1 else name


def as_written(name: str) -> str:
    """A column as it stands in a formula: in backquotes, unless it is a plain name.

    >>> as_written("pen"), as_written("farmer's pen")
    ('pen', "`farmer's pen`")
    """
    return name if name.isidentifier() else f"`{name}`"


def blanked(text: str) -> str:
    """The text with what stands in quotes as letters, so that every place stays where it is.

    >>> blanked("I(`a | b` > 2)")
    'I(qqqqqqq > 2)'
    """
    return QUOTED.sub(lambda match: "q" * len(match.group()), text)
