"""Copy the lessons for Google Colab, where each one first installs the course: build/colab.

    python -m tools.make_colab https://github.com/OWNER/REPOSITORY@BRANCH

The address is one that pip installs from (`git+` is put before `https`). The cell does nothing
anywhere but on Colab, and nothing there a second time. It leaves what Colab has as it is where the
course can use it: a new NumPy under a kernel that has loaded the old one needs a restart. Only what
Colab lacks comes in the locked version. Colab opens a lesson without the files around it, so what
it links to, other lessons apart, is taken from GitHub.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from urllib.parse import quote

import nbformat

from tools.learner_copies import (
    GLOSSARY,
    ROOT,
    CopyError,
    change_links,
    cleared,
    lessons,
    linked_file,
    make_anew,
    stored,
    write,
)

TARGET = ROOT / "build" / "colab"
NOT_ON_COLAB = ("formulaic",)
PICTURES = {".gif", ".jpg", ".png", ".svg"}
ON_GITHUB = re.compile(
    r"(?:git\+)?https://github\.com/(?P<repository>[^/@]+/[^/@]+?)(?:\.git)?(?:@(?P<branch>.+))?"
)

CELL = """\
# Google Colab only: install the course, which takes a minute. If Colab asks to restart the session,
# let it, and run this cell again.
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and find_spec("glmmtools") is None:
    %pip install {what}
"""

PUBLISH = """\
Publish them as the branch colab, which holds nothing else:
    cd "{folder}" && git init -b colab && git add . && git commit -m "Lessons for Colab" \\
        && git push --force https://github.com/{repository} colab
Then the first one opens at
    https://colab.research.google.com/github/{repository}/blob/colab/{first}"""


def install_cell(address: str) -> nbformat.NotebookNode:
    """The cell that installs the course from an address."""
    if address.startswith("https://"):
        address = f"git+{address}"
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [re.search(rf"^{name}==[^\s;]+", lock, re.MULTILINE).group() for name in NOT_ON_COLAB]
    what = " ".join(f'"{each}"' for each in (f"glmmtools @ {address}", *pins))
    return nbformat.v4.new_code_cell(CELL.format(what=what).rstrip(), id="colab")


def from_colab(address: str, lesson: Path, link: str) -> str:
    """Where a link of a lesson leads when Colab shows the lesson."""
    file = linked_file(lesson, link)
    if file in [*lessons(), GLOSSARY]:
        return link
    found = ON_GITHUB.fullmatch(address)
    if found is None:
        raise CopyError(f"{lesson.name} links to {link}, and only on GitHub can Colab find that")
    kind = "raw" if file.suffix in PICTURES else "blob"
    place = f"https://github.com/{found['repository']}/{kind}/{found['branch'] or 'HEAD'}"
    return f"{place}/{quote(file.relative_to(ROOT).as_posix())}"


def make(address: str, target: Path) -> None:
    """Write every lesson without outputs, with the cell below its title, and the glossary."""
    for path in lessons():
        lesson = cleared(path)
        change_links(lesson, partial(from_colab, address, path))
        lesson.cells.insert(1, install_cell(address))
        write(lesson, target / path.name)
    glossary = stored(GLOSSARY)
    change_links(glossary, partial(from_colab, address, GLOSSARY))
    write(glossary, target / GLOSSARY.name)


def main() -> int:
    # A browser shows .../tree/BRANCH, from which pip installs nothing.
    if len(sys.argv) != 2 or "://" not in sys.argv[1] or "/tree/" in sys.argv[1]:
        print('Whence? make colab ARGS="https://github.com/OWNER/REPOSITORY@BRANCH"')
        return 1
    status = make_anew(TARGET, partial(make, sys.argv[1]))
    if status == 0 and (found := ON_GITHUB.fullmatch(sys.argv[1])):
        first = lessons()[0].name
        print(PUBLISH.format(folder=TARGET, repository=found["repository"], first=first))
    return status


if __name__ == "__main__":
    sys.exit(main())
