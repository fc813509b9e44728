"""Text as HTML and as LaTeX: what these languages read as commands is escaped."""

from __future__ import annotations

import html
import re

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", "×": r"$\times$", "χ²": r"$\chi^2$", "²": "$^2$",
}  # fmt: skip


def html_text(text: str) -> str:
    """Text between the tags of HTML; quotes stay as they are.

    >>> html_text("p < 0.05 for Student's t")
    "p &lt; 0.05 for Student's t"
    """
    return html.escape(text, quote=False)


def latex_text(text: str) -> str:
    """Text of a LaTeX paragraph; minus signs are set as such.

    >>> latex_text("p < 0.05 at -1 %")
    'p $<$ 0.05 at $-$1 \\\\%'
    """
    special = "|".join(map(re.escape, _LATEX))
    escaped = re.sub(special, lambda match: _LATEX[match.group()], text)
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)
