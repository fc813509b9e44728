"""What a result shows, as text and as HTML."""

import pandas as pd

import glmmtools as gt
from glmmtools.shared.shown import Content, Shown


class Example(Shown):
    def __init__(self, *content):
        self.content = Content(*content)

    def _content(self):
        return self.content


def tables():
    counted = pd.DataFrame({"contrast": ["a - b"], "p_value": ["<0.0001"]})
    return [("Effects", pd.DataFrame({"estimate": ["1.5"]}, index=["x"])), ("Contrasts", counted)]


def test_text_lines_up_facts_indents_captioned_rows_and_parts_blocks_by_a_line():
    example = Example("Model", [("data", "9 rows"), ("method", "ML")], tables(), ["One.", "Two."])
    assert repr(example) == (
        "Model\n  data    9 rows\n  method  ML\n\nEffects\n    estimate\n  x      1.5\n\n"
        "Contrasts\n\ncontrast p_value\n   a - b <0.0001\n\nOne.\nTwo."
    )


def test_html_holds_the_same_and_nothing_a_browser_takes_for_a_tag():
    page = Example("y ~ x<b>", [("data", "<i>")], tables(), ["p < 0.05"])._repr_html_()
    for piece in ("y ~ x&lt;b&gt;", "&lt;i&gt;", "&lt;0.0001", "p &lt; 0.05", "<b>Contrasts</b>"):
        assert piece in page
    assert "class=" not in page and "id=" not in page
    assert page.count("<table>") == 3 and page.count("<th>x</th>") == 1
    assert "<th>0</th>" not in page  # rows that are only numbered have no label


def test_a_title_alone_and_a_note_alone_are_paragraphs():
    assert Example("Design a: 3 rows")._repr_html_() == "<p><b>Design a</b>: 3 rows</p>"
    note = Example("", (), (), ["Student's t."])
    assert (repr(note), note._repr_html_()) == ("Student's t.", "<p>Student's t.</p>")


def kinds(base: type) -> list[type]:
    return [kind for sub in base.__subclasses__() for kind in (sub, *kinds(sub))]


def test_no_result_hides_the_common_text():
    assert gt.FittedModel in kinds(Shown)
    assert [kind for kind in kinds(Shown) if kind.__repr__ is not Shown.__repr__] == []
