"""`preflight`: is this machine ready for the course, and if not, which line mends it?

Each check yields its findings. On a healthy machine the printed lines are the same everywhere:
they name no version and no place. This module is loaded where the others cannot be, by a Python
that is too old or lacks packages: it imports the standard library alone, the rest in functions.
"""

from __future__ import annotations

import hashlib
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from glmmtools.course import installation
from glmmtools.shared.terminal import say

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OLDEST_PYTHON = (3, 11)
GREEK = "αβγηθλμνπρστφχωΣΓΛ"

ANSWERS_SHOWN = (
    "This is the stored lesson, with the outputs below its questions. Open your own copy in the "
    "folder my-course; to start the course as its README says lays it out."
)

# Eight groups with a known fit: R 4.2, glmmTMB 1.1.5 with (1 | group), and glm() without it.
SMALL = {
    "group": list("abcdefgh"),
    "x": [0, 1, 0, 1, 0, 1, 0, 1],
    "successes": [2, 7, 5, 8, 1, 3, 6, 9],
    "trials": [10] * 8,
}
KNOWN_LOGLIK = {
    "laplace": ("prop(successes, trials) ~ x + (1 | group)", -16.838265),
    "statsmodels": ("prop(successes, trials) ~ x", -18.451091),
}


@dataclass(frozen=True)
class Finding:
    """What one check found; `mend` says what to do where it is not well."""

    ok: bool
    text: str
    mend: str = ""
    package: str = ""  # the one that it is about
    last: bool = False  # nothing else can be well

    def __str__(self) -> str:
        return f"✓ {self.text}" if self.ok else f"✗ {self.text} — {self.mend}"


def preflight() -> None:
    """Check this machine and print a line for each check, with what to run where one fails.

    Python, the packages and their versions, the engines against known fits, the data, a drawing
    with Greek letters. In a terminal: ``python -m glmmtools``.

    Examples
    --------
    >>> preflight()  # doctest: +SKIP
    ✓ Python is new enough
    ✓ every package is installed in a version that fits
    ✓ engine laplace gives the known fit
    ✓ engine statsmodels gives the known fit
    ✓ the data sets are there
    ✓ Matplotlib draws, Greek letters too
    Everything is ready.
    """
    print_findings()


def print_findings() -> bool:
    """Print what every check found; whether all is well."""
    findings: list[Finding] = []
    for check, title, mend in CHECKS:
        findings += _new(_run(check, title, mend), findings)
        if findings[-1].last:
            break
    bad = sum(not finding.ok for finding in findings)
    last = "Everything is ready." if not bad else f"Not ready yet: mend the lines with ✗ ({bad})."
    for line in (*findings, last):
        say(str(line))
    if installation.in_attended_notebook() and installation.in_stored_lessons():
        say(ANSWERS_SHOWN)
    return not bad


def faults_behind(error: Exception) -> list[str]:
    """Why the package cannot be imported, a line each; none if it is not this machine's fault."""
    findings = [*_run(_python, "Python"), *_run(_packages, "packages")]
    faults = [finding for finding in findings if not finding.ok]
    if not faults and (broken := _broken(error)):
        faults = [broken]
    return [str(finding) for finding in faults]


def _new(findings: Iterable[Finding], known: list[Finding]) -> list[Finding]:
    """The findings without the faults that only follow from a package named before."""
    named = {finding.package for finding in known if finding.package}
    return [
        finding
        for finding in findings
        if finding.ok or not any(re.search(rf"\b{name}\b", finding.text) for name in named)
    ]


def _run(
    check: Callable[[], Iterator[Finding]],
    title: str,
    mend: Callable[[], str] | None = None,
) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # whatever is broken here, the other checks go on
        broken = None if mend else _broken(error)
        mend = mend or installation.set_up_again
        return [broken or Finding(False, f"{title}: {_one_line(error)}", mend())]


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _broken(error: Exception) -> Finding | None:
    """The finding about the required package that an error comes from, if it comes from one."""
    modules = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, ImportError):
        modules.append(error.name or "")
    packages = [module.split(".")[0] for module in modules]
    required = {wanted.name for wanted in _required()}
    if required.isdisjoint(packages):
        return None
    package = next(name for name in reversed(packages) if name in required)
    if not _installed(package):
        return _missing(package)
    text = f"{package} is installed but does not work: {_one_line(error)}"
    return Finding(False, text, installation.reinstall(package), package)


def _python() -> Iterator[Finding]:
    if sys.version_info >= OLDEST_PYTHON:
        yield Finding(True, "Python is new enough")
    else:
        running, oldest = (
            ".".join(map(str, version)) for version in (sys.version_info[:3], OLDEST_PYTHON)
        )
        text = f"Python {running} is too old"
        mend = f"install Python {oldest} or newer, then set up the course as its README says"
        yield _another_python() or Finding(False, text, mend, last=True)


def _another_python() -> Finding | None:
    python = installation.environment_elsewhere()
    if python is None:
        return None
    text = f"this is {sys.executable}, and the course was set up for another Python"
    return Finding(False, text, installation.use_environment(python), last=True)


def _required(package: str = "glmmtools", extras: Iterable[str] = ("",)) -> list[Requirement]:
    """What a package asks for on this machine; nothing where that cannot be read."""
    try:
        from packaging.requirements import Requirement

        lines = metadata.requires(package) or ()
    except (ImportError, metadata.PackageNotFoundError):
        return []
    return [
        wanted
        for wanted in map(Requirement, lines)
        if not wanted.marker or any(wanted.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    faults = list(_missing_or_wrong()) or list(_do_not_work())
    if faults:
        elsewhere = _another_python()
        yield from [elsewhere] if elsewhere else faults
    else:
        yield Finding(True, "every package is installed in a version that fits")


def _missing_or_wrong() -> Iterator[Finding]:
    if not _installed("glmmtools"):
        text = f"the course is not installed for this Python, {sys.executable}"
        yield Finding(False, text, installation.set_up_again(), last=True)
    elif find_spec("packaging") is None:  # which reads what the others are
        yield _missing("packaging")
    # A wheel may serve who has another front end; the other copies are the course with its own.
    course = installation.CLONE or installation.STICK
    todo = _required(extras=("", "lab") if course else ("",))
    ours, seen = {wanted.name for wanted in todo}, set()
    while todo:
        wanted = todo.pop(0)
        if wanted.name in seen:
            continue
        seen.add(wanted.name)
        version = _installed(wanted.name)
        if version is None:
            yield _missing(wanted.name, f"{wanted.name}{wanted.specifier}")
        elif wanted.name in ours and not wanted.specifier.contains(version, prereleases=True):
            text = f"{wanted.name} {version} is installed, the course needs {wanted.specifier}"
            mend = installation.pip_install(f'"{wanted.name}{wanted.specifier}"')
            yield Finding(False, text, mend, wanted.name)
        todo += _required(wanted.name, wanted.extras or ("",))


def _do_not_work() -> Iterator[Finding]:
    for wanted in _required():
        try:
            import_module(wanted.name)
        except Exception as error:
            if broken := _broken(error):
                yield broken


def _missing(package: str, wanted: str = "") -> Finding:
    mend = installation.pip_install(f'"{wanted or package}"')
    return Finding(False, f"{package} is not installed", mend, package)


def _engine(name: str) -> Iterator[Finding]:
    from glmmtools.model import fit

    formula, known = KNOWN_LOGLIK[name]
    loglik = fit(formula, SMALL, "binomial", engine=name).llf
    if abs(loglik - known) < 1e-4:
        yield Finding(True, f"engine {name} gives the known fit")
    else:
        text = f"engine {name} gives a log-likelihood of {loglik:.4f}, known is {known:.4f}"
        yield Finding(False, text, installation.set_up_again())


def _data() -> Iterator[Finding]:
    from glmmtools.course.datasets import data_folder, data_index

    wrong = []
    for file, digest in data_index().set_index("file")["sha256"].items():
        try:
            content = (data_folder() / file).read_bytes().replace(b"\r\n", b"\n")
        except FileNotFoundError:
            wrong.append(f"{file} is missing")
        else:
            if hashlib.sha256(content).hexdigest() != digest:
                wrong.append(f"{file} is not as the course delivers it")
    for text in wrong:
        yield Finding(False, f"data: {text}", installation.mend_data())
    if not wrong:
        yield Finding(True, "the data sets are there")


def _drawing() -> Iterator[Finding]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure = Figure()
        FigureCanvasAgg(figure)
        figure.subplots().set_title(GREEK)
        figure.canvas.draw()
    if any("missing from" in str(warning.message) for warning in caught):
        mend = 'run: import matplotlib; matplotlib.rcParams["font.family"] = "DejaVu Sans"'
        yield Finding(False, "the font of Matplotlib lacks Greek letters", mend)
    else:
        yield Finding(True, "Matplotlib draws, Greek letters too")


CHECKS: tuple[tuple[Callable[[], Iterator[Finding]], str, Callable[[], str] | None], ...] = (
    (_python, "Python", None),
    (_packages, "packages", None),
    (lambda: _engine("laplace"), "engine laplace", None),
    (lambda: _engine("statsmodels"), "engine statsmodels", None),
    (_data, "data", installation.mend_data),
    (_drawing, "Matplotlib", None),
)
