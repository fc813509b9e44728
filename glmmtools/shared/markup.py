"""Text as HTML and as LaTeX: what these languages read as commands is escaped."""

from __future__ import annotations

import html
import re

_COMMANDS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
_IN_MATHEMATICS = _COMMANDS | {"\\": r"$\backslash$", "~": r"\~{ }", "^": r"\^{ }"}
_SIGNS = {
    "<": "$<$", ">": "$>$", "|": "$|$", "×": r"$\times$", "χ²": r"$\chi^2$", "²": "$^2$",
}  # fmt: skip


def html_text(text: str) -> str:
    """Text between the tags of HTML; quotes stay as they are.

    >>> html_text("p < 0.05 for Student's t")
    "p &lt; 0.05 for Student's t"
    """
    return html.escape(text, quote=False)


def latex_escaped(text: str) -> str:
    """Text with the characters that LaTeX reads as commands escaped.

    >>> print(latex_escaped("10^3 {m_2} & 5 %"))
    10\\textasciicircum{}3 \\{m\\_2\\} \\& 5 \\%
    """
    return "".join(_COMMANDS.get(character, character) for character in text)


def latex_within_mathematics(text: str) -> str:
    """Text in a formula that LaTeX and MathJax read alike: MathJax lacks `\\textasciicircum`.

    >>> print(latex_within_mathematics("10^3 m_2"))
    \\text{10\\^{ }3 m\\_2}
    """
    return rf"\text{{{''.join(_IN_MATHEMATICS.get(character, character) for character in text)}}}"


def latex_text(text: str) -> str:
    """Text of a LaTeX paragraph; signs and minus signs are set as mathematics.

    >>> latex_text("p < 0.05 at -1 %")
    'p $<$ 0.05 at $-$1 \\\\%'
    """
    escaped = latex_escaped(text)
    for sign, latex in _SIGNS.items():
        escaped = escaped.replace(sign, latex)
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)
