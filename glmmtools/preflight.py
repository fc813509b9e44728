"""`preflight`: is this machine ready for the course, and if not, which line mends it?

Each check yields its findings. On a healthy machine the printed lines are the same everywhere:
they name no version and no place.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

__all__ = ["preflight"]

SETUP = "make clean lab"
GREEK = "αβγηθλμνπρστφχωΣΓΛ"

# Eight groups with a known fit: R 4.2, glmmTMB 1.1.5 with (1 | group), and glm() without it.
SMALL = {
    "group": list("abcdefgh"),
    "x": [0, 1, 0, 1, 0, 1, 0, 1],
    "successes": [2, 7, 5, 8, 1, 3, 6, 9],
    "trials": [10] * 8,
}
KNOWN_LOGLIK = {
    "glmm": ("prop(successes, trials) ~ x + (1 | group)", -16.838265),
    "laplace": ("prop(successes, trials) ~ x + (1 | group)", -16.838265),
    "statsmodels": ("prop(successes, trials) ~ x", -18.451091),
}


@dataclass(frozen=True)
class Finding:
    """What one check found; `mend` is the line to run where it is not well."""

    ok: bool
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return f"✓ {self.text}" if self.ok else f"✗ {self.text} — run: {self.mend}"


def preflight() -> None:
    """Check this machine and print a line for each check, with what to run where one fails.

    Python, the packages and their versions, the engines against known fits, the data, a drawing
    with Greek letters.

    Examples
    --------
    >>> preflight()  # doctest: +SKIP
    ✓ Python is new enough
    ✓ every package is installed in a version that fits
    ✓ engine glmm gives the known fit
    ✓ engine laplace gives the known fit
    ✓ engine statsmodels gives the known fit
    ✓ the data sets are there
    ✓ Matplotlib draws, Greek letters too
    Everything is ready.
    """
    findings = [finding for check, title in CHECKS for finding in _run(check, title)]
    for finding in findings:
        print(finding)
    bad = sum(not finding.ok for finding in findings)
    print("Everything is ready." if not bad else f"Not ready yet: mend the lines with ✗ ({bad}).")


def _run(check: Callable[[], Iterator[Finding]], title: str) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # whatever is broken here, the other checks go on
        return [Finding(False, f"{title}: {type(error).__name__}: {_one_line(error)}", SETUP)]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _install(what: str) -> str:
    """The line that installs a package for the Python that runs this."""
    pip = "%pip" if "ipykernel" in sys.modules else "python -m pip"
    restart = ", then restart the kernel" if "ipykernel" in sys.modules else ""
    return f'{pip} install "{what}"{restart}'


def _python() -> Iterator[Finding]:
    from packaging.specifiers import SpecifierSet

    wanted = SpecifierSet(metadata.metadata("glmmtools")["Requires-Python"])
    found = ".".join(map(str, sys.version_info[:3]))
    if wanted.contains(found, prereleases=True):
        yield Finding(True, "Python is new enough")
    else:
        yield Finding(
            False,
            f"Python {found} is too old, the course needs {wanted}",
            f"{SETUP}, after installing a newer Python",
        )


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    wrong: list[tuple[Requirement, str]] = []
    for line in metadata.requires("glmmtools") or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            wrong.append((wanted, f"{wanted.name} is not installed"))
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            text = f"{wanted.name} {found} is installed, the course needs {wanted.specifier}"
            wrong.append((wanted, text))
    for wanted, text in wrong:
        yield Finding(False, text, _install(f"{wanted.name}{wanted.specifier}"))
    if not wrong:
        yield Finding(True, "every package is installed in a version that fits")


def _wanted_here(package: str) -> bool:
    """Whether our requirements ask for the package on this machine."""
    from packaging.requirements import Requirement

    wanted = (Requirement(line) for line in metadata.requires("glmmtools") or ())
    return any(
        each.name == package and (each.marker is None or each.marker.evaluate({"extra": ""}))
        for each in wanted
    )


def _engine(name: str) -> Iterator[Finding]:
    from glmmtools.model import fit

    if name == "glmm" and find_spec("glmm") is None and not _wanted_here("glmm"):
        yield Finding(True, "engine glmm has no build for this machine; engine laplace replaces it")
        return
    formula, known = KNOWN_LOGLIK[name]
    found = fit(formula, SMALL, "binomial", engine=name).llf
    if abs(found - known) < 1e-4:
        yield Finding(True, f"engine {name} gives the known fit")
    else:
        text = f"engine {name} gives a log-likelihood of {found:.4f}, known is {known:.4f}"
        yield Finding(False, text, SETUP)


def _data() -> Iterator[Finding]:
    from glmmtools.datasets import data_index, load_data

    index, wrong = data_index(), []
    for name, rows in index["rows"].items():
        try:
            if len(load_data(name)) != rows:
                wrong.append(f"{name} has lost rows")
        except FileNotFoundError:
            wrong.append(f"{name} is missing")
    for text in wrong:
        yield Finding(False, f"data: {text}", "git checkout -- data")
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
    if any("missing from" in str(each.message) for each in caught):
        mend = 'import matplotlib; matplotlib.rcParams["font.family"] = "DejaVu Sans"'
        yield Finding(False, "the font of Matplotlib lacks Greek letters", mend)
    else:
        yield Finding(True, "Matplotlib draws, Greek letters too")


CHECKS: tuple[tuple[Callable[[], Iterator[Finding]], str], ...] = (
    (_python, "Python"),
    (_packages, "packages"),
    (lambda: _engine("glmm"), "engine glmm"),
    (lambda: _engine("laplace"), "engine laplace"),
    (lambda: _engine("statsmodels"), "engine statsmodels"),
    (_data, "data"),
    (_drawing, "Matplotlib"),
)
