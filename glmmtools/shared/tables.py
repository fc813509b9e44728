"""Tables as lines of text and as HTML without classes, ids or styles that depend on a theme."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    pass


def text_table(table: pd.DataFrame, caption: str) -> list[str]:
    """The lines of a table below an empty line and its caption."""
    return ["", caption, *(f"  {line}" for line in table.to_string().splitlines())]


def html_table(table: pd.DataFrame, caption: str = "", index: bool = True) -> str:
    """A table as HTML without classes, ids or styles that depend on a theme."""
    body = table.to_html(border=0, index=index, index_names=False)
    body = body.replace(' class="dataframe"', "").replace("<th></th>", "<td></td>", 1)
    if caption:
        head = f"<caption><b>{html.escape(caption)}</b></caption><thead>"
        body = body.replace("<thead>", head, 1)
    return body


def html_block(parts: Iterable[str], notes: Iterable[str]) -> str:
    """Pieces of HTML, and notes as paragraphs below them."""
    paragraphs = [f"<p>{html.escape(each)}</p>" for each in notes]
    return "<div>" + "\n".join([*parts, *paragraphs]) + "</div>"
