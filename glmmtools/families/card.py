"""`Card`: how a response distribution shows itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glmmtools.shared.shown import Content, Shown, html_facts


@dataclass(frozen=True, repr=False)
class Card(Shown):
    """What a learner needs to know of one distribution; prints as text, shows as a table."""

    title: str
    rows: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, family: Any) -> Card:
        rows = (
            ("notation", family.notation_text),
            ("y is", "discrete" if family.discrete else "continuous"),
            ("support", family.support),
            ("E(y)", family.mean_text),
            ("Var(y)", family.variance_text),
            ("default link", family.links[0]),
            ("other links", ", ".join(family.links[1:]) or "none"),
            ("typical", family.typical),
            ("in SciPy", family.scipy_text),
            ("in R", family.r_text),
        )
        return cls(family.name, tuple((key, text) for key, text in rows if text))

    def _content(self) -> Content:
        return Content(self.title, self.rows)

    def _repr_html_(self) -> str:
        return html_facts(self.title, self.rows, escape=str)
