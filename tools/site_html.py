"""What a page of the site needs beyond Sphinx and its theme; an extension that site/conf.py names.

A line of code is a block of its own, which the style sheet wraps below its own indent. A column of
numbers is marked, its header too, and a name in a table may break where one reads a break.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup, Tag
from pygments.formatters import HtmlFormatter
from sphinx.application import Sphinx
from sphinx.highlighting import PygmentsBridge

from tools.site_lessons import with_definitions

_DIGITS = r"\d+(?:[, \u00a0\u202f]\d{3})*(?:\.\d*)?"  # not a list: 04, 05
_NUMBER = re.compile(rf"[<>≈±+−-]?\s?{_DIGITS}(e[+-]?\d+)?\s?(%|\*{{0,3}})", re.IGNORECASE)
MOST_ALIGNED = 100  # characters: a longer line is prose
_NO_VALUE = {"", "nan", "inf", "-inf", "-", "–", "—", "…", "..."}
_ENDS_A_PART = re.compile(r"(?<=[_:.\]])(?=\w)|(?<=\w)(?=\[)")


class HangingLines(HtmlFormatter):
    """Pygments' HTML with every line in a block; `aligned` are those of a table in plain text."""

    def wrap(self, source: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        return super().wrap((is_code, _as_block(line)) for is_code, line in source)


def _as_block(line: str) -> str:
    text = re.sub("<[^>]*>", "", line).rstrip()
    indent = len(text) - len(text.lstrip())
    is_short = len(text) <= MOST_ALIGNED
    aligned = is_short and "  " in text.strip() and not text.startswith((">>>", "..."))
    kind = "line aligned" if aligned else "line"
    return f'<span class="{kind}" style="--indent:{indent}">{line}</span>'


def with_columns_of_numbers(body: str) -> str:
    """A page's HTML in which every column of numbers, headers too, has the class `number`."""
    if "<table" not in body:
        return body
    page = BeautifulSoup(body, "html.parser")
    for table in page.find_all("table"):
        for columns in _number_columns(table):
            for cell in columns:
                centred = {"text-left", "text-center", "text-right"}
                kept = [name for name in cell.get("class", []) if name not in centred]
                cell["class"] = [*kept, "number"]
        for name in table.find_all("th"):
            _may_break(page, name)
        table.wrap(page.new_tag("div", attrs={"class": "scrolls"}))
    return str(page)


def _number_columns(table: Tag) -> Iterator[list[Tag]]:
    """The cells of each column that holds numbers only, those of the head included."""
    rows = table.find_all("tr")
    in_head = {id(row) for row in table.select("thead tr")}
    columns: dict[int, list[Tag]] = {}
    for row in rows:
        at = 0  # from the right: what is missing at the left belongs to a cell of several rows
        for cell in reversed(row.find_all(["td", "th"], recursive=False)):
            columns.setdefault(at, []).append(cell)
            at += int(cell.get("colspan", 1))
    for cells in columns.values():
        body = [cell.get_text().strip() for cell in cells if id(cell.parent) not in in_head]
        values = [text for text in body if text.lower() not in _NO_VALUE]
        if values and all(map(_NUMBER.fullmatch, values)):
            yield cells


def _may_break(page: BeautifulSoup, cell: Tag) -> None:
    for text in cell.find_all(string=_ENDS_A_PART):
        first, *others = _ENDS_A_PART.split(str(text))
        pieces: list[str | Tag] = [first]
        for part in others:
            pieces += [page.new_tag("wbr"), part]
        text.replace_with(*pieces)


def _mend(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object) -> None:
    if "body" in context:
        context["body"] = with_columns_of_numbers(context["body"])
        if pagename.startswith("notebooks/"):
            context["body"] = with_definitions(context["body"])


def _without_constructor(
    app: Sphinx, what: str, name: str, found: object, options: object, *signature: str | None
) -> tuple[str, None] | None:
    """Results are made by functions: how a class is called is nobody's business."""
    return ("", None) if what == "class" and signature[0] else None


def _as_sentences(
    app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]
) -> None:
    """Napoleon takes what stands before a colon in the first line of a property for its type."""
    for i, line in enumerate(lines):
        if what in ("property", "attribute") and line.startswith(":type: "):
            lines[i:] = lines[i + 1 :]
            lines[0] = f"{line.removeprefix(':type: ')}: {lines[0]}"


def setup(app: Sphinx) -> dict[str, bool]:
    PygmentsBridge.html_formatter = HangingLines
    app.connect("autodoc-process-docstring", _as_sentences, priority=600)  # after napoleon
    app.connect("autodoc-process-signature", _without_constructor)
    app.connect("html-page-context", _mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
