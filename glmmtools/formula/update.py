"""A formula from another by what changes: ``". ~ . - x"``, as R's ``update``."""

from __future__ import annotations

import re

from glmmtools.formula.brackets import split_outside
from glmmtools.formula.grammar import parse_formula, variables_in
from glmmtools.shared.arguments import shown
from glmmtools.shared.text import listed


def updated(formula: str, change: str) -> str:
    """The formula with the change, in which a dot stands for what is there.

    Raises
    ------
    ValueError
        If the change has no ``~``, or takes away what is not there.

    Examples
    --------
    >>> updated("y ~ x + z + (1 | g)", ". ~ . - z")
    'y ~ x + (1 | g)'
    >>> updated("y ~ x * z + (1 | g)", "log(y) ~ . - x:z + (1 | h)")
    'log(y) ~ x * z + (1 | g) - x:z + (1 | h)'
    """
    if not isinstance(change, str) or len(split_outside(change, "~")) != 2:
        raise ValueError(
            f"a change of a formula is text with one ~ , such as '. ~ . - x'; got {shown(change)}"
        )
    (left, _), (right, _) = split_outside(formula, "~")
    (new_left, _), (new_right, _) = split_outside(change, "~")
    before = [(piece, sign) for piece, sign in split_outside(right, "+-") if piece]
    pieces: list[tuple[str, str]] = []
    for piece, sign in split_outside(new_right, "+-"):
        if piece == ".":
            pieces += before
        elif piece and sign == "+":
            pieces.append((piece, sign))
        elif piece:
            pieces = _without(pieces, piece, formula)
    text = " ".join(f"{sign} {piece}" for piece, sign in pieces).removeprefix("+ ") or "1"
    return f"{left if new_left in ('', '.') else new_left} ~ {text}"


def _without(pieces: list[tuple[str, str]], piece: str, formula: str) -> list[tuple[str, str]]:
    """The pieces of a right side without one: it goes, or is subtracted from a larger one."""
    left = [each for each in pieces if each[1] == "-" or _plain(each[0]) != _plain(piece)]
    if len(left) < len(pieces):
        return left
    in_bar_or_offset = "|" in piece or piece.startswith("offset(")
    known = parse_formula(formula).right_side
    names = [name for text in known for name in variables_in(text)]
    if in_bar_or_offset or not set(variables_in(piece)) <= set(names):
        raise ValueError(
            f"{piece!r} cannot be taken away: {formula!r} has {listed(text for text, _ in pieces)}"
        )
    return [*pieces, (piece, "-")]


def _plain(piece: str) -> str:
    return re.sub(r"\s+", "", piece)
