"""What every notebook must keep. Each check yields one sentence for each fault that it finds.

tests/test_notebooks.py runs the checks on the notebooks of the course, and runs each check on a
notebook that was broken for it, so that none of them passes everything.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.execute_notebooks import normalise, to_text
from tools.learner_copies import (
    QUESTION,
    after_questions,
    asks,
    core,
    is_further,
    parted,
    readings,
    reads,
)
from tools.lesson_plan import promise

Check = Callable[["Notebook"], Iterator[str]]

MAX_LINES = 12


@dataclass(frozen=True)
class Notebook:
    """One notebook file: its name, its text and its cells."""

    name: str
    text: str
    cells: list[NotebookNode]

    @classmethod
    def read(cls, path: Path) -> Notebook:
        text = path.read_text(encoding="utf-8")
        return cls(path.name, text, nbformat.v4.reads(text).cells)

    @property
    def number(self) -> str:
        """The two digits that the name begins with."""
        return self.name[:2]

    @property
    def code(self) -> list[NotebookNode]:
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def prose(self) -> list[NotebookNode]:
        return [cell for cell in self.cells if cell.cell_type == "markdown"]


def printed(cell: NotebookNode) -> str:
    """Everything a code cell shows as text."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts += [v for kind, v in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join(parts)


def pictures(cell: NotebookNode) -> bool:
    return any(
        kind.startswith("image/") for output in cell.outputs for kind in output.get("data", {})
    )


def exercise(cell: NotebookNode) -> str | None:
    """The id in the cell's gt.check("05.1", ...); None of others, such as gt.check("05.r1")."""
    if cell.cell_type == "code" and "check(" in cell.source:
        for node in ast.walk(ast.parse(cell.source)):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="check") | ast.Name(id="check"),
                    args=[ast.Constant(value=str(name)), *_],
                ) if name.rpartition(".")[2].isdigit():
                    return name
    return None


def exercises(notebook: Notebook) -> dict[str, NotebookNode]:
    return {name: cell for cell in notebook.cells if (name := exercise(cell))}


# ---- every notebook ------------------------------------------------------------------------------


def every_code_cell_ran(notebook: Notebook) -> Iterator[str]:
    # nbval compares nothing in a cell that did not run.
    counts = [cell.execution_count for cell in notebook.code]
    if not counts or counts != list(range(1, len(counts) + 1)):
        yield f"the execution counts are {counts}, not 1, 2, 3 ...: run `make notebooks`"


def stored_as_the_writer_stores(notebook: Notebook) -> Iterator[str]:
    # Ids that begin with the lesson's number and are unique; no times, versions or widget state.
    fresh = normalise(nbformat.v4.reads(notebook.text), notebook.name)
    ids = [cell.id for cell in notebook.cells]
    if ids != [cell.id for cell in fresh.cells]:
        yield f"the ids are not unique or do not begin with {notebook.number}-: `make notebooks`"
    elif notebook.text != to_text(fresh):
        yield "the file is not as tools/execute_notebooks.py writes it: run `make notebooks`"


def nothing_on_stderr(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code:
        for output in cell.outputs:
            if output.get("name") == "stderr":
                yield f"{cell.id} writes to stderr: {output.text[:80]!r}"


def no_error_outputs(notebook: Notebook) -> Iterator[str]:
    # A traceback holds paths of the machine. Catch the error and print its message.
    for cell in notebook.code:
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"{cell.id} ends in an error"


def no_widgets(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code:
        if any("jupyter.widget" in kind for out in cell.outputs for kind in out.get("data", {})):
            yield f"{cell.id} stores a widget, which shows nothing to a reader"


def nothing_escapes_nbval(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code:
        tags = {tag for tag in cell.metadata.get("tags", []) if "nbval" in tag or "skip" in tag}
        if tags or re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)_", cell.source):
            yield f"{cell.id} is kept from being compared"


def no_trailing_semicolon(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code:
        if re.search(r";\s*(#.*)?$", cell.source, flags=re.MULTILINE):
            yield f"{cell.id} has a line that ends in a semicolon"


PATHS = re.compile(
    r"(?<![\w.:/])/(home|root|Users|tmp|work|opt|usr|var|mnt|private|content)/"
    r"|\b[A-Z]:\\(Users|Program|Windows|Temp)|~/|site-packages|\.venv\b"
)


def no_absolute_path(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.cells:
        texts = [cell.source, printed(cell) if cell.cell_type == "code" else ""]
        for text in texts:
            if found := PATHS.search(text):
                yield f"{cell.id} names a place on one machine: {found.group()}"


def no_memory_address(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code:
        if found := re.search(r"\bat 0x[0-9a-fA-F]+", printed(cell)):
            yield f"{cell.id} shows an address in memory, which differs each time: {found.group()}"


NETWORK = re.compile(
    r"^\s*[!%]|\bpip3? install|\bconda install|https?://|\burllib\b|\brequests\b|\bget_ipython\b",
    flags=re.MULTILINE,
)


def no_shell_and_no_network(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code:
        if found := NETWORK.search(cell.source):
            yield f"{cell.id} needs a shell, a magic or the network: {found.group().strip()!r}"


def figures_have_alternative_text(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code:
        if pictures(cell) and len(cell.metadata.get("alt", "")) < 20:
            yield f'{cell.id} draws a figure; describe it in the cell metadata {{"alt": "..."}}'
    for cell in notebook.prose:
        if re.search(r"!\[\s*\]", cell.source):
            yield f"{cell.id} shows a picture without alternative text: ![...](...)"


CODE = re.compile(r"```.*?```|^ {4,}\S.*$|`[^`\n]*`", flags=re.DOTALL | re.MULTILINE)
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]*\$", flags=re.DOTALL)
LINK_OR_TAG = re.compile(r"(?<=\])\([^)]*\)|<[^>]*>")


def plain(source: str) -> str:
    """Markdown without its code, formulas, addresses of links and tags."""
    for pattern in (CODE, FORMULA, LINK_OR_TAG):
        source = pattern.sub(" ", source)
    return source


NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w|\.\d)")
THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u202f_,](?=\d{3}\b)")
NAMES_WITH_NUMBERS = re.compile(
    r"[Ll]essons? \d\d(?:[,–]? (?:and |to )?\d\d)*|\(\d\d\)|\d\d ·|[Ee]xercises? \d\d\.\d"
    r"|\b(?:18|19|20)\d\d\b"
)
EVERYBODY_KNOWS = {"95", "99", "100"}


def numbers_of(text: str) -> set[str]:
    return set(NUMBER.findall(THOUSANDS.sub("", text)))


def numbers_in_the_text_are_shown_by_a_cell(notebook: Notebook) -> Iterator[str]:
    """A number that a cell computes goes stale in prose. One that no cell shows is written $21$."""
    shown: set[str] = set(EVERYBODY_KNOWS)
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            shown |= numbers_of(cell.source) | numbers_of(printed(cell))
            continue
        if i == 0:
            continue  # the minutes
        following = next((c.source for c in notebook.cells[i:] if c.cell_type == "code"), "")
        text = plain(cell.source.split("## Further reading")[0])
        claimed = numbers_of(NAMES_WITH_NUMBERS.sub(" ", text))
        claimed = {number for number in claimed if "." in number or int(number) >= 10}
        for number in sorted(claimed - shown - numbers_of(following)):
            yield f"{cell.id} says {number}, and no cell so far prints that"


# ---- lessons -------------------------------------------------------------------------------------


def minutes_are_those_of_the_formula(notebook: Notebook) -> Iterator[str]:
    if (line := promise(notebook.cells)) not in notebook.cells[0].source.splitlines():
        yield f"below the title should stand {line}"


def header_is_complete(notebook: Notebook) -> Iterator[str]:
    first = notebook.cells[0]
    if first.cell_type != "markdown":
        yield "the first cell is not text"
        return
    title = first.source.splitlines()[0]
    if not re.match(rf"# {notebook.number}\W+[A-Z]\w+", title):
        yield f"the title is not '# {notebook.number} · <Do something>' but {title!r}"
    if not re.search(r"\b\d+ min", first.source):
        yield "the first cell does not say how many minutes the lesson takes"
    for part in ("What you will do", "What you will learn", "What you need"):
        if f"**{part}" not in first.source:
            yield f"the first cell lacks **{part}**"


def ending_is_complete(notebook: Notebook) -> Iterator[str]:
    last_code = max(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    ending = "\n".join(cell.source for cell in notebook.cells[last_code + 1 :])
    places = []
    for heading in ("Key points", "Where this leaves you", "Further reading"):
        found = re.search(rf"^#+ {heading}", ending, flags=re.MULTILINE | re.IGNORECASE)
        if found is None:
            yield f"there is no heading '{heading}' after the last code cell"
        else:
            places.append(found.start())
    if places != sorted(places):
        yield "the last sections are not in the order: key points, where this leaves you, reading"
    if "doi.org/10." not in ending:
        yield "further reading names no DOI"


def code_cells_are_short(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code:
        lines = [line.strip() for line in cell.source.splitlines()]
        count = sum(1 for line in lines if line and not line.startswith("#"))
        if count > MAX_LINES:
            yield f"{cell.id} has {count} lines of code; {MAX_LINES} is the most"


def questions_are_tagged(notebook: Notebook) -> Iterator[str]:
    """Copies and site fold what answers a question, and find it by the tag."""
    for cell in notebook.cells[1:]:
        asked = bool(re.search(QUESTION, cell.source)) and cell.cell_type == "markdown"
        if asked != asks(cell):
            found = "a question without" if asked else "no question (**Guess, **Before you) but"
            yield f"{cell.id} has {found} the tag `question`"


def questions_come_before_what_answers_them(notebook: Notebook) -> Iterator[str]:
    """Behind a cell that asks stand code whose output answers it, and text that reads that."""
    asking = sum(map(asks, notebook.cells))
    answered = list(after_questions(notebook))
    if len(answered) != asking:
        yield f"{asking - len(answered)} questions have no text after them"
    for codes, text in answered:
        if not any(cell.outputs for cell in codes):
            yield f"no output stands between a question and {text.id}, which should read it"


def what_reads_an_output_is_folded(notebook: Notebook) -> Iterator[str]:
    """Copies fold what has the tag `reading`: no open text says a number before its cell is run."""
    folded = {cell.id for cell in readings(notebook)}
    known, shown, after_code = set(EVERYBODY_KNOWS), set(), False
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shown = numbers_of(printed(cell)) | (shown if after_code else set())
            known |= numbers_of(cell.source)
            after_code = True
            continue
        reading, _ = parted(cell.source)
        if reads(cell) and not (reading and after_code):
            yield f"{cell.id} has the tag `reading`, and reads no output"
        if after_code and cell.id not in folded:
            for number in sorted(numbers_of(plain(reading)) & shown - known):
                if "." in number or int(number) >= 10:
                    yield f"{cell.id} says {number} of the cell above: it wants the tag `reading`"
        known |= shown | numbers_of(plain(cell.source))
        after_code = False


def exercises_wait_for_an_answer(notebook: Notebook) -> Iterator[str]:
    found = exercises(notebook)
    # Lesson 00 shows how a check works; every other lesson has three exercises or more.
    if len(found) < (1 if notebook.number == "00" else 3):
        yield f"there are {len(found)} exercises"
    for name, cell in found.items():
        if not name.startswith(f"{notebook.number}."):
            yield f"exercise {name} has the number of another lesson"
        if "not answered yet" not in printed(cell):
            yield f"exercise {name} does not say 'not answered yet': the answer must be ..."
        above = notebook.cells[: notebook.cells.index(cell)]
        text = [other.source for other in above if other.cell_type == "markdown"]
        if not any("★" in source for source in text[-2:]):
            yield f"exercise {name} has no ★ in the text above it"


# What of a lesson is read first, and what is further.


def core_of(notebook: Notebook) -> Notebook:
    return Notebook(notebook.name, notebook.text, core(notebook.cells))


def core_reads_on_its_own(notebook: Notebook) -> Iterator[str]:
    """Without what is further every question is answered, and every number shown."""
    yield from questions_come_before_what_answers_them(core_of(notebook))
    yield from numbers_in_the_text_are_shown_by_a_cell(core_of(notebook))


def core_has_two_exercises(notebook: Notebook) -> Iterator[str]:
    found = list(exercises(core_of(notebook)))
    # Lesson 00 shows how a check works.
    if len(found) < 2 and notebook.number != "00":
        yield f"the exercises of the core are {found}; two is the least"


FURTHER_HEADING = re.compile(r"##+ (Further: |Exercise .*\(further\)$)", flags=re.MULTILINE)


def further_says_so(notebook: Notebook) -> Iterator[str]:
    """What is further stands together, under a heading that begins with the word."""
    begins = [
        after
        for before, after in pairwise(notebook.cells)
        if is_further(after) and not is_further(before)
    ]
    for cell in begins:
        if not FURTHER_HEADING.match(cell.source):
            yield f"{cell.id} begins what is further; its heading should begin with Further:"
    if len(begins) > 2:
        yield f"there are {len(begins)} blocks of what is further; two is the most"
    for cell in notebook.prose:
        heading = re.search(r"^#+ Exercise .*", cell.source, flags=re.MULTILINE)
        if heading and is_further(cell) != heading[0].endswith("(further)"):
            yield f"{cell.id}: what is further says (further) in its heading, nothing else does"


# ---- solutions -----------------------------------------------------------------------------------


def answers_are_right(notebook: Notebook) -> Iterator[str]:
    for name, cell in exercises(notebook).items():
        replies = [line for line in printed(cell).splitlines() if line.startswith(("✓ ", "✗ "))]
        reply = "".join(replies[-1:])
        if not reply.startswith("✓ "):
            yield f"the check of exercise {name} replies {reply!r}"


def same_exercises(lesson: Notebook, solution: Notebook) -> Iterator[str]:
    """Every exercise of a lesson is solved, and nothing else."""
    asked, solved = list(exercises(lesson)), list(exercises(solution))
    if asked != solved:
        yield f"{lesson.name} asks {asked}, its solutions answer {solved}"


EVERY_NOTEBOOK: list[Check] = [
    every_code_cell_ran,
    stored_as_the_writer_stores,
    nothing_on_stderr,
    no_error_outputs,
    no_widgets,
    nothing_escapes_nbval,
    no_trailing_semicolon,
    no_absolute_path,
    no_memory_address,
    no_shell_and_no_network,
    figures_have_alternative_text,
    numbers_in_the_text_are_shown_by_a_cell,
]
LESSON: list[Check] = [
    header_is_complete,
    ending_is_complete,
    code_cells_are_short,
    questions_are_tagged,
    questions_come_before_what_answers_them,
    what_reads_an_output_is_folded,
    exercises_wait_for_an_answer,
    minutes_are_those_of_the_formula,
    core_reads_on_its_own,
    core_has_two_exercises,
    further_says_so,
]
SOLUTION: list[Check] = [answers_are_right]
