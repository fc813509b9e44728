"""The grammar of a formula: its text taken apart into response, fixed part, random terms, offsets.

y ~ x * z + (1 | g) + offset(log(area))
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass

from formulaic.errors import FormulaicError
from formulaic.parser.algos.tokenize import tokenize
from formulaic.parser.types import Token
from formulaic.utils.code import sanitize_variable_names

from glmmtools.covariances.base import Structure
from glmmtools.covariances.lookup import STRUCTURES, called_in_formulas, structure_of_bar
from glmmtools.formula.brackets import (
    blanked,
    inside_call,
    nested_factors,
    split_outside,
    unquoted,
)
from glmmtools.formula.idioms import as_meant, check_idioms, check_response
from glmmtools.shared.arguments import shown

_NUMBER = re.compile(r"\d[\d.]*[eE][+-]?\d+\b")  # 1e6, which is a name to formulaic
_NAMESPACES, _CONSTANTS = ("np", "contr"), ("True", "False", "None")


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
        return groups_of(self.random)

    @property
    def right_side(self) -> list[str]:
        """The expressions right of the ~ that read columns, groups aside."""
        return [self.fixed, *self.offsets, *(term.columns for term in self.random)]


@dataclass(frozen=True)
class OneSided:
    """What stands right of the ~ in a formula of a parameter: its fixed part and random terms."""

    fixed: str
    random: tuple[RandomSpec, ...] = ()

    @property
    def groups(self) -> list[str]:
        """The columns that name groups, each once."""
        return groups_of(self.random)

    @property
    def read(self) -> tuple[str, ...]:
        """The expressions that read columns, groups in backquotes among them."""
        columns = (term.columns for term in self.random)
        return self.fixed, *columns, *(f"`{name}`" for name in self.groups)


def groups_of(random: Iterable[RandomSpec]) -> list[str]:
    """The columns that name groups of random terms, each once."""
    return list(dict.fromkeys(name for term in random for name in term.groups))


def parse_formula(text: str) -> ParsedFormula:
    """Take an lme4-style formula apart.

    Raises
    ------
    ValueError
        If there is no ``~`` or no response, or a ``|`` stands outside parentheses.

    Examples
    --------
    >>> parsed = parse_formula("y ~ x + (1 | block/plot)")
    >>> parsed.fixed, [term.group for term in parsed.random]
    ('x', ['block', 'block:plot'])
    """
    if not isinstance(text, str):
        raise ValueError(f"the formula must be text such as 'y ~ x + (1 | g)'; got {shown(text)}")
    sides = [part for part, _ in split_outside(as_meant(text), "~")]
    if len(sides) != 2 or not sides[0]:
        raise ValueError(
            f"the formula {text!r} needs a response, one ~ and a right side, "
            "such as 'y ~ x + (1 | g)'"
        )
    check_response(sides[0])
    fixed, random, offsets = _taken_apart(sides[1], text)
    response = as_meant(sides[0], python=True)
    return ParsedFormula(text.strip(), response, fixed, random, offsets)


def _taken_apart(right_side: str, text: str) -> tuple[str, tuple[RandomSpec, ...], tuple[str, ...]]:
    """The fixed part, random terms and offsets that stand right of the ~."""
    fixed, random, offsets = [], [], []
    for piece, sign in split_outside(right_side, "+-"):
        if not piece:
            continue
        check_idioms(piece)
        bars = _random_inside(piece, text)
        if bars is not None:
            if sign == "-":
                raise ValueError(f"a random term cannot be subtracted: '- {piece}' in {text!r}")
            random.extend(bars)
        elif (inner := inside_call(piece, "offset")) is not None:
            if sign == "-":
                raise ValueError(
                    f"an offset cannot be subtracted: for minus {inner} write "
                    f"offset(-({inner})), for no offset leave {piece} out"
                )
            offsets.append(inner)
        elif re.fullmatch(r"\d+(\.\d*)?", piece) and piece not in ("0", "1"):
            raise ValueError(
                f"{piece} in {text!r} is no term; arithmetic stands inside I(), as in "
                f"I(x {sign} {piece})"
            )
        else:
            fixed.append(f"{sign} {piece}" if fixed or sign == "-" else piece)
    return " ".join(fixed) or "1", tuple(random), tuple(offsets)


def right_of_tilde(text: str, argument: str) -> OneSided:
    """What a formula without a left side says, such as ``"~ x"``.

    Raises
    ------
    ValueError
        If it is none; has random terms and is not that of the zeros, or nothing beside them.
    """
    if not isinstance(text, str) or not text.strip().startswith("~"):
        raise ValueError(
            f"{argument} is a formula with nothing left of ~ , as '~ x'; got {shown(text)}"
        )
    inner = as_meant(text.strip()[1:].strip())
    if len(split_outside(inner, "~")) > 1:
        raise ValueError(f"{argument} has one ~ , as '~ x'; got {text!r}")
    if not _has_bar(inner):
        check_idioms(inner)
        return OneSided(inner)
    if argument != "zero_inflation":
        raise ValueError(f"{argument} has no random terms; got {text!r}")
    fixed, random, offsets = _taken_apart(inner, text)
    if offsets or re.fullmatch(r"(0|- ?1)", fixed):
        raise ValueError(
            f"{argument} has an intercept or columns beside its random terms, and no offset, as "
            f"in '~ 1 + {random[0].label}'; got {text!r}"
        )
    return OneSided(fixed, random)


def parse_residual(text: str) -> RandomSpec:
    """The structure of the residuals as written: ``"us(week | pig)"``.

    Raises
    ------
    ValueError
        If it is not one structure of times or levels within one grouping factor.
    """
    found = _random_inside(text.strip(), text) if isinstance(text, str) else None
    if found is None or len(found) != 1 or found[0].structure.bar:
        raise ValueError(
            "residual= is one structure of the rows of a group, such as 'us(week | pig)'; there "
            f"are {', '.join(called_in_formulas())}. Got {text!r}"
        )
    return found[0]


def _has_bar(piece: str) -> bool:
    """Whether there is a bar of a random term: one that joins no conditions, as in I(x | z)."""
    plain, before = blanked(piece), ""
    while plain != before:
        before = plain
        plain = re.sub(r"\([^()|]*\)|\b(I|\w+\.[\w.]+)\([^()]*\)", "", plain)
    return "|" in plain


def _random_inside(piece: str, text: str) -> list[RandomSpec] | None:
    """The random terms that a piece of the right side stands for; None for a fixed term."""
    if not _has_bar(piece):
        return None
    for function in (*called_in_formulas(), ""):
        inner = inside_call(piece, function)
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
    unknown = re.match(r"(\w+)\s*\(", piece)
    if unknown and inside_call(piece, unknown.group(1)) is not None:
        raise ValueError(
            f"there is no covariance structure {unknown.group(1)!r} in {piece!r}; there are "
            f"{', '.join(called_in_formulas())}, and (x | g) and (x || g)"
        )
    raise ValueError(
        f"the | in {piece!r} is misplaced. A random term stands in its own parentheses, added with "
        "+ : 'y ~ x + (1 | g)' for intercepts, '(x | g)' for slopes"
    )


def _expand_groups(text: str, formula: str) -> list[tuple[str, ...]]:
    """``a/b`` is ``a`` and ``a:b`` (nested), ``a/(b + c)`` also ``a:c``; ``a:b`` is one factor."""
    paths = [factor.path for factor in nested_factors(text)]
    for name in dict.fromkeys(name for path in paths for name in path):
        if not re.fullmatch(r"[^\W\d]\w*", name) and f"`{name}`" not in text:
            raise ValueError(
                f"the grouping factor {text!r} in {formula!r} must be a column, a nesting a/b or "
                "a/(b + c), or an interaction a:b; a name with other signs stands in backquotes: "
                f"`{text}`"
            )
    return paths


def variables_in(expression: str) -> list[str]:
    """Names of the columns that an expression reads: terms of a formula, or Python.

    Functions, keyword arguments, what a comprehension or lambda binds and text are no columns; a
    name in backquotes always is one.

    Raises
    ------
    ValueError
        If a part of the expression is no Python.

    Examples
    --------
    >>> variables_in("poly(x, 2) + `my column`:C(trt, contr.treatment('a')) + np.log(z)")
    ['x', 'my column', 'trt', 'z']
    >>> variables_in("days.clip(0, upper=most) + y.astype(float)")
    ['days', 'most', 'y']
    """
    try:
        tokens = list(tokenize(expression))
        if any(token.kind is Token.Kind.NAME and token.token.startswith(".") for token in tokens):
            return _columns_in_python(expression)  # .days is an attribute, as of (end - start).days
        names = []
        for token in tokens:
            if token.kind is Token.Kind.NAME:
                quoted = token.source[token.source_start] == "`"
                a_column = token.token not in _CONSTANTS and not _NUMBER.match(
                    token.source[token.source_start :]
                )
                names += [token.token] if quoted or a_column else []
            elif token.kind is Token.Kind.PYTHON:
                names += _columns_in_python(token.token)
    except (FormulaicError, SyntaxError) as error:
        words = [word for word in re.findall(r"\w+", expression) if keyword.iskeyword(word)]
        why = first_line(error)
        if words and isinstance(error, SyntaxError):
            why = (
                f"{words[0]!r} is a word of Python, which cannot stand inside a function; "
                "rename the column"
            )
        raise ValueError(f"cannot read {expression!r}: {why}") from error
    return list(dict.fromkeys(names))


def _columns_in_python(code: str) -> list[str]:
    """Columns that Python code reads, as it is written, each once."""
    quoted: dict[str, str] = {}
    plain = sanitize_variable_names(code.strip(), {}, quoted, template="_quoted_{}")
    nodes = list(ast.walk(ast.parse(plain, mode="eval")))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    no_columns: list[ast.AST] = []
    for node in nodes:
        if isinstance(node, ast.Call):
            no_columns.append(node.func)
            if isinstance(node.func, ast.Attribute) and node.func.attr == "astype":
                no_columns += node.args
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in _NAMESPACES:
            no_columns.append(node.value)
        elif isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await)):
            raise SyntaxError(f"{ast.unparse(node)} is no expression")
    columns = [node for node in names if node not in no_columns and node.id not in bound]
    columns.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(quoted.get(node.id, node.id) for node in columns))


def first_line(error: Exception) -> str:
    """The first line of an error, without the colours of formulaic's."""
    text = re.sub(r"\x1b\[[\d;]*m|[⧛⧚]", "", str(error)).strip()
    return text.splitlines()[0] if text else type(error).__name__
