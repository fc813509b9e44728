"""Make a deck of slides for the core of each lesson: python -m tools.make_slides [folder]

The decks are made of what the lessons hold: cells with the tag `further` are left out, a question
stands on a slide before the one with its output, a heading begins a column of slides. reveal.js and
MathJax lie beside them, so that they need no network. The key S opens the speaker's view, which has
what TEACHING.md says of the lesson.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools.build_site import in_the_typeface_of_the_text
from tools.learner_copies import QUESTION, ROOT, asks, core, is_collapsed, lessons
from tools.site_front import as_text

WORDS = 65  # paragraphs share a slide up to so many
LINES = 16  # code and output share a slide up to so many, unless a question stands before them
OWN = ("slides.css", "slides.js")
PREPARES = re.compile(r"(import |from |sns\.set|$)")
ANSWERS = re.compile(r"(answer\w* = \.\.\.|gt\.check\(|import |from |$)")


@dataclass(frozen=True)
class Slide:
    """One slide: of which cell, `kind` is title, text, question, code or output."""

    cell: str
    kind: str
    section: str
    html: str
    heads: bool = False  # it begins a section


def markdown() -> MarkdownIt:
    """What makes HTML of a lesson's text, formulas as MathJax reads them."""

    def formula(content: str, options: dict) -> str:
        return escape(rf"\[{content}\]" if options["display_mode"] else rf"\({content}\)")

    parser = MarkdownIt("commonmark").enable("table")
    return parser.use(dollarmath_plugin, renderer=formula, double_inline=True)


MARKDOWN = markdown()


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a text that stay together: their Markdown and their kind of token."""
    lines = text.splitlines()
    tokens = [token for token in MARKDOWN.parse(text) if token.map and token.nesting >= 0]
    for token in (token for token in tokens if token.level == 0):
        first, last = token.map
        if token.type == "ordered_list_open" and _holds_lists(tokens, token):
            items = [each for each in tokens if each.type == "list_item_open" and each.level == 1]
            for item in (each for each in items if first <= each.map[0] < last):
                yield "\n".join(lines[slice(*item.map)]), "item"
        else:
            yield "\n".join(lines[first:last]), token.type


def _holds_lists(tokens: list[Token], outer: Token) -> bool:
    first, last = outer.map
    inner = (token for token in tokens if token.type == "bullet_list_open" and token.level > 1)
    return any(first <= token.map[0] < last for token in inner)


def rendered(text: str) -> str:
    """HTML of Markdown; links to lessons lead to their decks, those to other files nowhere."""
    html = MARKDOWN.render(in_the_typeface_of_the_text(text))

    def led(link: re.Match[str]) -> str:
        deck = re.fullmatch(r"(\d\d-[\w-]+)\.ipynb", link["to"])
        if deck:
            return f'<a href="{deck[1]}.html">{link["text"]}</a>'
        return link[0] if "://" in link["to"] else link["text"]

    return re.sub(r'<a href="(?P<to>[^"]*)"[^>]*>(?P<text>.*?)</a>', led, html, flags=re.DOTALL)


def code(cell: NotebookNode) -> str:
    """The lines of a cell, coloured; none where the lesson collapses them."""
    if is_collapsed(cell):
        return ""
    return f'<div class="code">{highlight(cell.source, PythonLexer(), HtmlFormatter())}</div>'


def outputs(cell: NotebookNode) -> list[str]:
    """What a cell gave, as slides of it: each picture, with its alternative text, on its own."""
    shown = []
    for each in cell.outputs:
        data = each.get("data", {})
        if "image/png" in data:
            alt, png = escape(cell.metadata.get("alt", "")), "".join(data["image/png"].split())
            shown.append(f'<img alt="{alt}" src="data:image/png;base64,{png}">')
        elif "text/html" in data:
            shown.append(re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL))
        elif "text/latex" in data:
            shown.append(escape(data["text/latex"]))
        else:
            shown.append(f"<pre>{_lines_of(data.get('text/plain', each.get('text', '')))}</pre>")
    shown = shown if any("<img" in each for each in shown) else ["".join(shown)]
    return [f'<div class="output">{each}</div>' for each in shown if each]


def _lines_of(text: str) -> str:
    """Plain text of which a line is broken where it is too long, unless it belongs to a table."""
    return "".join(
        f'<span class="{"aligned" if "  " in line.strip() else "line"}">{escape(line)}\n</span>'
        for line in text.splitlines()
    )


def of_text(cell: NotebookNode, section: str) -> Iterator[Slide]:
    """The slides of a text: each heading, question and item of a list on one of its own."""
    held: list[str] = []
    heads, kind = False, "text"

    def made() -> Slide:
        return Slide(cell.id, kind, section, rendered("\n\n".join(held)), heads)

    for text, token in blocks(cell.source):
        is_question = asks(cell) and re.search(QUESTION, text) is not None
        starts = token in ("heading_open", "item") or (is_question and kind == "text")
        only_heading = len(held) == 1 and held[0].startswith("#")
        long = len(" ".join([*held, text]).split()) > WORDS
        full = kind == "question" or (kind == "title" and len(held) > 1)
        options = text.startswith("- **a**")  # stay with what they answer
        if held and not (only_heading or options) and (starts or long or full):
            yield made()
            held, heads, kind = [], False, "text"
        if token == "heading_open":
            level, _, section = text.partition(" ")
            heads = level == "##"
            kind = "title" if level == "#" else "text"
        elif is_question or (token == "item" and asks(cell)):
            kind = "question"
        held.append(text)
    if held:
        yield made()


def slides(notebook: NotebookNode) -> list[Slide]:
    """The slides of a lesson's core, in order."""
    made: list[Slide] = []
    section = ""
    for cell in core(notebook.cells):
        if cell.cell_type == "markdown":
            made += of_text(cell, section)
            section = made[-1].section
            continue
        lines = cell.source.splitlines()
        is_exercise = "gt.check(" in cell.source
        if all(map((ANSWERS if is_exercise else PREPARES).match, lines)):
            continue
        source, shown = code(cell), [] if is_exercise else outputs(cell)
        asked = made[-1].kind == "question"
        height = len(lines) + sum(map(_lines, shown))
        if source and shown and not asked and height <= LINES:
            made.append(Slide(cell.id, "output", section, source + shown[0]))
            continue
        if source:
            made.append(Slide(cell.id, "code", section, source))
        made += [Slide(cell.id, "output", section, each) for each in shown]
    return made


def _lines(shown: str) -> int:
    """How high an output is, in lines; a picture fills a slide."""
    return LINES if "<img" in shown else shown.count("<tr") or shown.count("\n")


def notes(number: str) -> str:
    """What TEACHING.md says of a lesson, for the speaker."""
    teaching = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
    found = re.search(rf"^### {number} · .*?\n(.*?)(?=^#|\Z)", teaching, re.DOTALL | re.MULTILINE)
    return f'<aside class="notes">{rendered(found[1])}</aside>' if found else ""


def deck(path: Path) -> str:
    """The page of a lesson's deck."""
    made = slides(nbformat.read(path, as_version=4))
    columns: list[str] = []
    for slide in made:
        heading = f'<p class="where">{as_text(slide.section)}</p>'
        heading = "" if slide.html.startswith("<h") else heading
        told = notes(path.name[:2]) if slide is made[0] else ""
        section = (
            f'<section class="{slide.kind}" data-cell="{slide.cell}">'
            f'{heading}<div class="{slide.kind}">{slide.html}</div>{told}</section>\n'
        )
        if slide.heads or not columns:
            columns.append("")
        columns[-1] += section
    title = as_text(made[0].section)
    return PAGE.format(
        title=title, slides="".join(f"<section>\n{column}</section>\n" for column in columns)
    )


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="reveal/reset.css">
<link rel="stylesheet" href="reveal/reveal.css">
<link rel="stylesheet" href="pygments.css">
<link rel="stylesheet" href="slides.css">
</head>
<body>
<div class="reveal"><main class="slides">
{slides}</main></div>
<script src="reveal/reveal.js"></script>
<script src="reveal/notes.js"></script>
<script src="mathjax/tex-svg-full.js"></script>
<script src="slides.js"></script>
</body>
</html>
"""

INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Slides</title></head>
<body><h1>Slides</h1>
<p>The core of each lesson. Space: the next slide; S: the speaker's view; Esc: all slides; add
<code>?print-pdf</code> to the address to print.</p>
<ul>
{decks}</ul></body>
</html>
"""


def copy_programs(target: Path) -> None:
    """Put reveal.js, its licence, MathJax and the style beside the decks."""
    reveal = Path(str(files("sphinx_revealjs"))) / "_static" / "revealjs"
    (target / "reveal").mkdir(parents=True)
    (target / "mathjax").mkdir()
    for name in ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js"):
        shutil.copy(reveal / name, target / "reveal")
    for name in ("notes.js", "speaker-view.html"):
        shutil.copy(reveal / "plugin" / "notes" / name, target / "reveal")
    mathjax = Path(str(files("mathjax"))) / "static" / "mathjax" / "es5" / "tex-svg-full.js"
    shutil.copy(mathjax, target / "mathjax")
    for name in OWN:
        shutil.copy(Path(__file__).parent / "slides" / name, target)
    colours = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    (target / "pygments.css").write_text(colours, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the slides of the lessons.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "slides")
    target = parser.parse_args().folder
    shutil.rmtree(target, ignore_errors=True)
    copy_programs(target)
    decks = ""
    for path in lessons():
        page = deck(path)
        (target / f"{path.stem}.html").write_text(page, encoding="utf-8")
        title = re.search("<title>(.*)</title>", page)[1]
        decks += f'<li><a href="{path.stem}.html">{title}</a></li>\n'
    (target / "index.html").write_text(INDEX.format(decks=decks), encoding="utf-8")
    print(f"{len(lessons())} decks; open {target / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
