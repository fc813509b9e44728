"""`Card`: how a response distribution shows itself."""

from __future__ import annotations

from dataclasses import dataclass

from glmmtools.shared.shown import Content, Shown, html_facts


@dataclass(frozen=True, repr=False)
class Card(Shown):
    """What a learner needs to know of one distribution; prints as text, shows as a table."""

    title: str
    rows: tuple[tuple[str, str], ...]

    def _content(self) -> Content:
        return Content(self.title, self.rows)

    def _repr_html_(self) -> str:
        return html_facts(self.title, self.rows, escape=str)
