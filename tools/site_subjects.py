"""Where a subject is taught: entries of the site's index, which its search puts first."""

from __future__ import annotations

import re

from nbformat import NotebookNode

# The word, the lesson, how the heading of its section begins.
SUBJECTS = (
    ("link function", "02", "Why a link"),
    ("odds ratio", "02", "Odds ratios"),
    ("rate ratio", "02", "Further: rate ratios"),
    ("transformation", "02", "A link is not a transformation"),
    ("gamma distribution", "03", "Gamma"),
    ("beta distribution", "03", "Beta"),
    ("binomial distribution", "03", "Binomial"),
    ("Poisson distribution", "03", "Poisson"),
    ("negative binomial", "03", "Negative binomial"),
    ("exponential family", "03", "The exponential family"),
    ("Laplace approximation", "05", "What the fitting does"),
    ("quadrature", "05", "Further: the integral"),
    ("singular fit", "05", "When a fit warns: a variance"),
    ("separation", "05", "Further: separation"),
    ("overdispersion", "06", "Overdispersion"),
    ("offset", "06", "Offsets"),
    ("exposure", "06", "Offsets"),
    ("zero inflation", "06", "Further: too many zeros"),
    ("hurdle model", "06", "Further: hurdle models"),
    ("lognormal", "07", "Positive responses"),
    ("simulated residuals", "08", "Build a residual"),
    ("residuals", "08", "A right model whose residuals"),
    ("likelihood ratio test", "09", "One question, four tests"),
    ("profile interval", "09", "One question, four tests"),
    ("degrees of freedom", "09", "One question, four tests"),
    ("parametric bootstrap", "09", "One question, four tests"),
    ("marginal means", "09", "Means on two scales"),
    ("contrasts", "09", "Contrasts"),
    ("multiple comparisons", "09", "Contrasts"),
    ("repeated measures", "10", "Look at the data"),
    ("AR(1)", "10", "Choose a structure"),
    ("compound symmetry", "10", "Choose a structure"),
    ("random slope", "10", "Choose a structure"),
    ("population-averaged", "10", "Given the child"),
    ("split plot", "11", "A field trial"),
    ("experimental unit", "11", "The swine trial"),
    ("variance component", "11", "The swine trial"),
    ("pseudoreplication", "11", "Pseudoreplication"),
    ("shrinkage", "12", "Benefit 1"),
    ("partial pooling", "12", "Benefit 1"),
    ("missing at random", "12", "Benefit 3"),
    ("missing data", "12", "Benefit 3"),
    ("power", "13", "The question"),
    ("sample size", "13", "The question"),
    ("prior", "13", "The Bayesian view"),
)


def heading_of(begin: str) -> re.Pattern[str]:
    """The heading of a section, which may be further reading."""
    return re.compile(rf"^##+ (Further: )?{re.escape(begin)}.*$", re.MULTILINE | re.IGNORECASE)


def section(lesson: NotebookNode, heading: str) -> NotebookNode | None:
    """The cell in which a section begins."""
    texts = (cell for cell in lesson.cells if cell.cell_type == "markdown")
    return next((cell for cell in texts if heading_of(heading).search(cell.source)), None)


def add_subjects(lesson: NotebookNode, number: str) -> None:
    """Put the subjects of a lesson into the index; without such a section, its beginning."""
    for word, of, heading in SUBJECTS:
        if of == number:
            cell = section(lesson, heading)
            line = heading_of(heading) if cell else re.compile("^# .*$", re.MULTILINE)
            cell = cell or lesson.cells[0]
            entry = f"\n\n```{{index}} ! {word}\n```\n"
            cell.source = line.sub(
                lambda found, entry=entry: found[0] + entry, cell.source, count=1
            )
