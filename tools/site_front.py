"""The site's front page, its gallery of pictures with their code, its list of solutions."""

from __future__ import annotations

import base64
import inspect
import io
import re
import shutil
from collections.abc import Iterable, Iterator
from doctest import DocTestParser
from html import escape
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image

from tools.learner_copies import ROOT, core, is_collapsed, lessons
from tools.lesson_plan import minutes, promise, rounded
from tools.site_api import GROUPS, found, spoken

CARD_WIDTH = 560  # pixels; the card shows half of them

# The cell whose picture stands for a lesson; without it, the first picture of the lesson's core.
PICTURES = {
    "02": "02-2842cb85",
    "03": "03-705b7f28",
    "04": "04-7cdfa844",
    "08": "08-3f60c14b",
    "09": "09-df45bff4",
    "11": "11-be31109f",
}
START, OWN_DATA = "00", "14"  # the lessons behind two of the three doors

LOOK_UP = (
    ("data/README.md", "Data", "each data set with its source, its rows and its variables"),
    ("gallery.md", "Gallery", "every picture with the lines that draw it"),
    ("api.md", "The package", "each function and each result, with an example and what it prints"),
    ("notebooks/glossary.ipynb", "Glossary", "the words of the course"),
    ("TRANSLATION.md", "From R and SAS", "the same model in lme4, glmmTMB, GLIMMIX and here"),
    ("solutions.md", "Solutions", "every exercise solved, with its reasons"),
    ("notebooks/README.md", "Ideas", "where each idea is taught, and where it comes back"),
    ("worksheets.md", "Worksheets", "two sheets to print, with their answers"),
    ("cheat-sheet.pdf", "Cheat sheet", "distributions, links, formulas: two pages to print"),
)


def pictures(cells: Iterable[NotebookNode]) -> Iterator[tuple[NotebookNode, bytes]]:
    """Each cell that draws, with the PNG of its picture."""
    for cell in cells:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                yield cell, base64.b64decode(png)
                break


def card_picture(lesson: NotebookNode, number: str) -> tuple[NotebookNode, bytes] | None:
    """The picture that stands for a lesson, if it has any."""
    chosen = [each for each in pictures(lesson.cells) if each[0].id == PICTURES.get(number)]
    return next(iter([*chosen, *pictures(core(lesson.cells))]), None)


def outcomes() -> dict[str, str]:
    """What one can do after each lesson, from the table in notebooks/README.md."""
    table = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d\d) · .*\| ([^|]+) \|$", table, flags=re.MULTILINE)
    return dict(rows)


def alternative_texts() -> dict[str, str]:
    """The alternative text of each figure in figures/."""
    table = (ROOT / "figures" / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", table, flags=re.MULTILINE))


def title(lesson: NotebookNode) -> str:
    return lesson.cells[0].source.splitlines()[0].removeprefix("# ")


def as_text(markdown: str) -> str:
    """A line of Markdown as HTML without marks."""
    return escape(re.sub(r"[$*`]", "", markdown), quote=False)


def card(path: Path, files: Path) -> str:
    """A lesson's card; its picture goes into the folder of files."""
    lesson, number = nbformat.read(path, as_version=4), path.name[:2]
    image = ""
    if drawn := card_picture(lesson, number):
        cell, png = drawn
        small = Image.open(io.BytesIO(png)).convert("RGB")
        small.thumbnail((CARD_WIDTH, CARD_WIDTH))
        small.save(files / "cards" / f"{number}.png", optimize=True)
        alt = escape(cell.metadata.get("alt", ""))
        size = f'width="{small.width}" height="{small.height}"'
        image = f'<img src="cards/{number}.png" alt="{alt}" {size}>'
    return (
        f'<article class="card-of-lesson">{image}\n'
        f'<h3><a href="notebooks/{path.stem}.html">{as_text(title(lesson))}</a></h3>\n'
        f'<p class="minutes">{promise(lesson.cells).strip("*")}</p>\n'
        f"<p>Afterwards you can {as_text(outcomes()[number])}.</p></article>\n"
    )


def door(address: str, name: str, text: str) -> str:
    return f'<a class="door" href="{address}"><strong>{name}</strong><span>{text}</span></a>\n'


def doors(held: dict[str, Path]) -> str:
    """Where a learner, an analyst and a teacher begin."""
    start = nbformat.read(held[START], as_version=4)
    return "".join(
        (
            door(
                f"notebooks/{held[START].stem}.html",
                "Learn",
                f"Start here: how the lessons work, and is your machine ready? "
                f"{promise(start.cells).strip('*').capitalize()}.",
            ),
            door(
                f"notebooks/{held[OWN_DATA].stem}.html",
                "Analyse my data",
                "From your file to a model, its check and its report.",
            ),
            door("TEACHING.html", "Teach", "A day or half a day with a clock; what to listen for."),
        )
    )


def hours_of_the_core(held: dict[str, Path]) -> str:
    """How long the core of lessons 01 to 12 takes."""
    taught = [path for number, path in held.items() if "01" <= number <= "12"]
    needed = sum(rounded(minutes(core(nbformat.read(path, as_version=4).cells))) for path in taught)
    return f"{round(needed / 60 * 2) / 2:g} hours"


def write_gallery(source: Path) -> None:
    """Write `gallery.md`: what the package's functions draw, then the pictures of the lessons."""
    text = "# Gallery\n\nEvery picture with the lines that draw it.\n\n## The package\n\n"
    names = [name for _, listed in GROUPS.values() for name in listed.split()]
    for name in names:
        drawn = sorted((source / "api" / "pictures").glob(f"{name}-*.png"))
        if name.rpartition(".")[2].startswith("plot") and drawn:
            doc = inspect.getdoc(found(name)) or ""
            code = "".join(example.source for example in DocTestParser().get_examples(doc))
            sentence = doc.split("\n\n")[0].replace("\n", " ")
            text += f"### {{py:obj}}`{spoken(name)} <glmmtools.{name}>`\n\n{sentence}\n\n"
            for file in drawn:
                text += f"![The example drawn. {sentence}](api/pictures/{file.name})\n\n"
            text += with_code(code)
    text += "## The lessons\n\nData and models, as the lessons draw them.\n"
    (source / "gallery").mkdir()
    for path in lessons():
        lesson = nbformat.read(path, as_version=4)
        shown = [each for each in pictures(core(lesson.cells)) if not is_collapsed(each[0])]
        if shown:
            text += f"\n### [{title(lesson)}](notebooks/{path.name})\n\n"
        for cell, png in shown:
            (source / "gallery" / f"{cell.id}.png").write_bytes(png)
            alt = re.sub(r"([\[\]_*$])", r"\\\1", cell.metadata.get("alt", ""))
            text += f"![{alt}](gallery/{cell.id}.png)\n\n{with_code(cell.source)}"
    (source / "gallery.md").write_text(text, encoding="utf-8")


def with_code(code: str) -> str:
    return (
        f"<details><summary>The lines that draw it</summary>\n\n```python\n{code.rstrip()}\n```\n\n"
        "</details>\n\n"
    )


def write_solutions(source: Path) -> None:
    """Write `solutions.md`, the list of the solutions."""
    text = (
        "# Solutions\n\nEvery exercise solved, with its reasons. Each solution also stands folded "
        "below its exercise in the lesson.\n\n"
        "```{toctree}\n:maxdepth: 1\n:glob:\n\nnotebooks/solutions/*\n```\n"
    )
    (source / "solutions.md").write_text(text, encoding="utf-8")


def write_front(source: Path, files: Path) -> None:
    """Write `index.md` from site/index.md; every other page of the sources is there already."""
    (files / "cards").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "figures" / "herds.svg", files / "cards")
    held = {path.name[:2]: path for path in lessons()}
    cards = "".join(
        card(path, files) for number, path in held.items() if number not in (START, OWN_DATA)
    )
    listed = [
        f"{name} <{page.rpartition('.')[0]}>"
        for page, name, _ in LOOK_UP
        if page.endswith((".md", ".ipynb"))
    ]
    filled = {
        "doors": doors(held),
        "alt": escape(alternative_texts()["herds"]),
        "hours": hours_of_the_core(held),
        "cards": cards,
        "look-up": "".join(f"- [{name}]({page}): {text}\n" for page, name, text in LOOK_UP),
        "version": version("glmmtools"),
        "pages": "\n".join(listed),
    }
    text = (ROOT / "site" / "index.md").read_text(encoding="utf-8")
    for mark, value in filled.items():
        text = text.replace(f"<{mark}>", value)
    (source / "index.md").write_text(text, encoding="utf-8")


def write_pages(source: Path, files: Path) -> None:
    """Write what this module makes, when every other page of the sources is there."""
    write_gallery(source)
    write_solutions(source)
    write_front(source, files)
