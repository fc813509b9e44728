"""`Shown`: a result says once what it shows, and is shown as text and, in a notebook, as HTML.

The HTML has no classes, no ids and no styles that depend on a theme.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from glmmtools.shared.markup import html_text
from glmmtools.shared.terminal import Printed

Facts = Sequence[tuple[str, str]]
_LEFT = ' style="text-align:left"'


class Content(NamedTuple):
    """What a result shows.

    Attributes
    ----------
    title : str
    facts : sequence of (str, str)
        Names, and what there is to say of each.
    tables : sequence of (str, DataFrame)
        Captions and tables. A table whose index only numbers its rows is shown without it.
    notes : sequence of str
        What must be said below the tables.
    """

    title: str = ""
    facts: Facts = ()
    tables: Sequence[tuple[str, pd.DataFrame]] = ()
    notes: Sequence[str] = ()

    def text(self) -> str:
        """The content as plain text."""
        width = max((len(name) for name, _ in self.facts), default=0)
        blocks = [
            [self.title, *(f"  {name:<{width}}  {text}" for name, text in self.facts)],
            *(_table_lines(caption, table) for caption, table in self.tables),
            self.notes,
        ]
        paragraphs = ["\n".join(line.rstrip() for line in block) for block in blocks]
        return "\n\n".join(filter(None, paragraphs))

    def html(self) -> str:
        """The content as HTML."""
        pieces = [_html_table(caption, table) for caption, table in self.tables]
        if self.facts:
            pieces.insert(0, html_facts(self.title, self.facts))
        elif self.title:
            subject, colon, rest = html_text(self.title).partition(":")
            pieces.insert(0, f"<p><b>{subject}</b>{colon}{rest}</p>")
        gap = "\n" if len(pieces) > 1 else ""
        pieces += [f"<p>{html_text(note)}</p>" for note in self.notes]
        return pieces[0] if len(pieces) == 1 else f"<div>{gap.join(pieces)}</div>"


class Shown(Printed):
    """Base class of results that say in `_content` what they show."""

    def _content(self) -> Content:
        raise NotImplementedError

    def _text(self) -> str:
        return self._content().text()

    def _repr_html_(self) -> str:
        return self._content().html()


def html_facts(
    title: str, facts: Facts, style: str = _LEFT, escape: Callable[[str], str] = html_text
) -> str:
    """Facts as an HTML table, one a row, below its title."""
    rows = "".join(
        f'<tr><th scope="row"{style}>{escape(name)}</th><td{style}>{escape(text)}</td></tr>'
        for name, text in facts
    )
    return f"<table><caption><b>{escape(title)}</b></caption>{rows}</table>"


def _numbers_rows(table: pd.DataFrame) -> bool:
    return isinstance(table.index, pd.RangeIndex)


def _table_lines(caption: str, table: pd.DataFrame) -> list[str]:
    if _numbers_rows(table):
        lines = table.to_string(index=False).splitlines()
        return [caption, "", *lines] if caption else lines
    return [caption, *(f"  {line}" for line in table.to_string().splitlines())]


def _html_table(caption: str, table: pd.DataFrame) -> str:
    text = table.to_html(border=0, index=not _numbers_rows(table), index_names=False)
    text = text.replace(' class="dataframe"', "").replace("<th></th>", "<td></td>", 1)
    if caption:
        head = f"<caption><b>{html_text(caption)}</b></caption><thead>"
        text = text.replace("<thead>", head, 1)
    return text
