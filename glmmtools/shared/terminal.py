"""What is printed, in signs that the terminal has.

A terminal or a file whose encoding is ASCII or cp1252 has no Greek letters and no check mark, and
Python raises an error where they are printed. There a text is written out: ``mu``, ``x``, ``<=``.
"""

from __future__ import annotations

import re
import sys
import textwrap
import unicodedata

WIDTH = 88  # of a cell's output in JupyterLab with the sidebar open
_GREEK = re.compile(r"[\u0370-\u03ff]")
_SIGNS = {
    "✓": "ok", "✗": "NOT OK", "×": "x", "·": "*", "–": "-", "—": "-", "−": "-", "′": "'",
    "√": "sqrt ", "∞": "inf", "≤": "<=", "≥": ">=", "≈": "~", "±": "+/-", "→": "->", "∈": "in",
    "²": "^2", "³": "^3", "⁄": "/", "“": '"', "”": '"', "‘": "'", "’": "'", "°": " deg", "ß": "ss",
}  # fmt: skip


def printable(text: str, encoding: str | None = None) -> str:
    """The text, with what the encoding lacks written out.

    Parameters
    ----------
    encoding : str, optional
        Default: that of standard output.

    Examples
    --------
    >>> printable("Var(y) = μ + φμ², 2 × 3 – Größe", "ascii")
    'Var(y) = mu + phi mu^2, 2 x 3 - Grosse'
    """
    encoding = encoding or getattr(sys.stdout, "encoding", None) or "utf-8"
    if _has(encoding, text):
        return text
    named = _GREEK.sub(lambda letter: _named(letter, encoding), text)
    return "".join(sign if _has(encoding, sign) else _plain(sign, encoding) for sign in named)


class Printed:
    """Base class of what is shown as `_text`, in signs that the terminal has.

    A dataclass among them needs ``repr=False``, or its own ``__repr__`` hides this one.
    """

    def _text(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return printable(self._text())


def in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def say(text: str) -> None:
    """Print a text in signs that the terminal has."""
    print(printable(text))


def in_lines(text: str) -> str:
    """The text in lines that JupyterLab need not break, which it does within a word.

    Examples
    --------
    >>> print(in_lines("  1. " + "a long point " * 8))
      1. a long point a long point a long point a long point a long point a long point a
         long point a long point
    """
    return "\n".join(map(_broken, text.splitlines()))


def _broken(line: str) -> str:
    mark = re.match(r"\s*(\d+\.\s+)?", line)[0]
    return textwrap.fill(
        line, WIDTH, subsequent_indent=" " * len(mark), break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _named(letter: re.Match, encoding: str) -> str:
    """The name of a Greek letter, with a space where another word follows."""
    if _has(encoding, letter[0]):
        return letter[0]
    name = unicodedata.name(letter[0], "?").split()[-1]
    name = name.title() if letter[0].isupper() else name.lower()
    follows = letter.string[letter.end() : letter.end() + 1]
    return f"{name} " if follows.isalpha() else name


def _plain(sign: str, encoding: str) -> str:
    if sign in _SIGNS:
        return _SIGNS[sign]
    parts = [
        part for part in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(part)
    ]
    plain = "".join(_SIGNS.get(part, part) for part in parts)
    return plain if _has(encoding, plain) else plain.encode("ascii", "backslashreplace").decode()
