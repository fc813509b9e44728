"""Arithmetic that a formula would read as terms: ``x - z`` is x without the term z, as in R."""

from __future__ import annotations

from collections.abc import Iterator

from formulaic.parser import DefaultFormulaParser
from formulaic.parser.types import ASTNode, Token

_PARSER = DefaultFormulaParser()
_INTERCEPT = _PARSER.get_ast("1").to_terms()


def check_arithmetic(expression: str) -> None:
    """Raise ValueError where an expression would lose what arithmetic would compute.

    Examples
    --------
    >>> check_arithmetic("x * z - x:z")
    >>> check_arithmetic("x - x.mean()")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: x.mean() is taken away, and is no term here; a difference stands inside I(), ...
    """
    for node in _nodes(_PARSER.get_ast(expression)):
        symbol, first, last = node.operator.symbol, node.args[0], node.args[-1]
        if symbol == "-" and not last.to_terms() & (first.to_terms() | _INTERCEPT):
            what = ", ".join(str(term) for term in last.to_terms())
            raise ValueError(
                f"{what} is taken away, and is no term here; a difference stands inside I(), as "
                "in I(a - b)"
            )
        if symbol == "/" and any(map(_is_number, node.args)):
            raise ValueError("arithmetic stands inside I(), as in I(x / 10)")


def _nodes(tree: ASTNode | Token | None) -> Iterator[ASTNode]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ASTNode):
            yield node
            waiting += node.args


def _is_number(node: ASTNode | Token) -> bool:
    return isinstance(node, Token) and node.kind is Token.Kind.VALUE and node.token.isnumeric()
