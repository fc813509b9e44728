"""The pages of the package on the site: grouped, one page a name, classes with all their methods.

Pictures are drawn here by the examples of the functions that draw. A name is written as it is
imported below `glmmtools`; a method of the fitted model is documented on the page of FittedModel.
"""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import os
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import glmmtools as gt

os.environ["GLMMTOOLS_PROGRESS"] = "off"  # examples leave nothing behind

GROUPS = {
    "Fit": (
        "From a formula and a data frame to a fitted model.",
        "fit gee FittedModel suggest_family families.suggest.Suggestion family Family FAMILIES "
        "link Link LINKS FittedModel.update FittedModel.refit GlmmWarning ConvergenceWarning "
        "SingularFitWarning SeparationWarning DataWarning FewUnitsWarning",
    ),
    "Ask": (
        "What was estimated, how well, and what it says of old and new rows.",
        "FittedModel.summary FittedModel.tidy FittedModel.params FittedModel.bse "
        "FittedModel.pvalues FittedModel.conf_int FittedModel.cov_params FittedModel.contrast_df "
        "FittedModel.dispersion FittedModel.variance_components FittedModel.random_effects "
        "FittedModel.random_covariance FittedModel.covariance FittedModel.pooling "
        "FittedModel.working_correlation covariances.working.WorkingCorrelation "
        "FittedModel.glance FittedModel.llf FittedModel.aic FittedModel.bic FittedModel.df_model "
        "FittedModel.df_resid FittedModel.nobs FittedModel.converged FittedModel.singular "
        "FittedModel.separated FittedModel.messages FittedModel.predict FittedModel.fittedvalues "
        "FittedModel.resid FittedModel.equation FittedModel.report report.paragraph.Report "
        "report.equation.Equation table report.model_table.ModelTable",
    ),
    "Check": (
        "Does the model fit, and would another program say the same?",
        "FittedModel.simulated_residuals residuals.simulated.SimulatedResiduals "
        "residuals.tests.ResidualTest FittedModel.influence inference.influence.Influence "
        "FittedModel.vif inference.vif.VarianceInflation cross_check to_bambi",
    ),
    "Compare and test": (
        "Does a term matter, which model is better, how much is explained?",
        "FittedModel.anova inference.anova.TermTests compare covariance_table bootstrap_lrt "
        "FittedModel.bootstrap inference.bootstrap.Bootstrap FittedModel.r2 FittedModel.icc",
    ),
    "Means": (
        "Marginal means, slopes and their contrasts, on the link and on the response scale.",
        "FittedModel.means means.marginal_means.MarginalMeans FittedModel.slopes "
        "means.slopes.Slopes means.contrasts.Contrasts means.marginal_means.LetterTable",
    ),
    "Simulate": (
        "Responses with a known truth, and what a fit finds of it.",
        "simulate FittedModel.simulate recovery designs.truth.Truth covariance",
    ),
    "Designs": (
        "Layouts of experiments and what they imply.",
        "designs.crd designs.rcbd designs.split_plot designs.nested designs.repeated "
        "describe_design designs.description.DesignDescription "
        "designs.description.ExperimentalUnit designs.description.Grouping",
    ),
    "Studies": (
        "How large must the trial be? Simulations over a grid of sizes, on one machine or many.",
        "power coverage recovery_study studies.study.Study stored_study",
    ),
    "Plots": (
        "Each returns the Axes it drew on; each page shows what its example draws.",
        "plot_distribution plot_support plot_mean_variance plot_link plot_link_effect plot_design "
        "plot_hierarchy plot_covariance FittedModel.plot_effects FittedModel.plot_fit "
        "FittedModel.plot_random_effects FittedModel.plot_shrinkage FittedModel.plot_covariance "
        "FittedModel.plot_profile palette",
    ),
    "Data": ("The data sets of the course.", "load_data data_file"),
    "Course": (
        "What the lessons use beside the library.",
        "check progress course.progress.ProgressReport explore preflight printed_warnings",
    ),
}

TOGETHER = {
    "families": ("Families", ("family", "Family", "FAMILIES")),
    "links": ("Links", ("link", "Link", "LINKS")),
    "warnings": (
        "Warnings",
        ("GlmmWarning", "ConvergenceWarning", "SingularFitWarning", "SeparationWarning",
         "DataWarning", "FewUnitsWarning"),
    ),
}  # fmt: skip
CONSTANTS = {
    "FAMILIES": "The families that :func:`glmmtools.fit` knows, a dict of name to `Family`.",
    "LINKS": "The links that :func:`glmmtools.fit` knows, a dict of name to `Link`.",
}
MODEL = "FittedModel"
MORE = "More of what a fit holds"


def names() -> list[str]:
    """Every documented name, in the order of the groups."""
    return [name for _, listed in GROUPS.values() for name in listed.split()]


@cache
def found(name: str) -> Any:
    """The object of a name."""
    parents, _, last = name.rpartition(".")
    if not parents:
        return getattr(gt, name)
    if parents == MODEL or parents.rpartition(".")[2][0].isupper():
        return inspect.getattr_static(found(parents), last)
    return getattr(import_module(f"glmmtools.{parents}"), last)


def page_of(name: str) -> str:
    """The page on which a name is documented."""
    for page, (_, together) in TOGETHER.items():
        if name in together:
            return page
    parents, _, last = name.rpartition(".")
    if parents == MODEL:
        return MODEL
    return f"designs.{last}" if parents == "designs" else last


def spoken(name: str) -> str:
    """What a name is called where it is met: `gt.fit`, `gt.designs.crd`, `MarginalMeans`."""
    parents, _, last = name.rpartition(".")
    return f"gt.{name}" if parents in ("", "designs") else last


def members(kind: type) -> list[str]:
    """The methods and fields of a class that are documented and not Python's or pandas' own."""
    own = [base for base in kind.__mro__ if base.__module__.startswith("glmmtools")]
    listed = dict.fromkeys(name for base in own for name in vars(base) if name[0] != "_")
    fields = getattr(kind, "_fields", ())
    return [
        name
        for name in listed
        if name not in fields and inspect.getdoc(inspect.getattr_static(kind, name))
    ]


def model_members() -> dict[str, list[str]]:
    """What a fitted model has, by group; at the end what is for those who write such verbs."""
    by_group = {
        title: [name.split(".")[1] for name in listed.split() if name.startswith(f"{MODEL}.")]
        for title, (_, listed) in GROUPS.items()
    }
    told = {name for group in by_group.values() for name in group}
    by_group[MORE] = [name for name in members(gt.FittedModel) if name not in told]
    return {title: group for title, group in by_group.items() if group}


# ---- pictures ------------------------------------------------------------------------------------


def drawn_by(doc: str) -> list[plt.Figure]:
    """The figures that the example of a docstring draws."""
    plt.close("all")
    scope: dict[str, Any] = {"gt": gt, **vars(gt)}
    silent = io.StringIO()
    with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        for example in doctest.DocTestParser().get_examples(inspect.cleandoc(doc)):
            exec(example.source, scope)
    return [plt.figure(number) for number in plt.get_fignums()]


def pictures_of(name: str, folder: Path) -> str:
    """Image directives of what the example of a function that draws shows."""
    doc = inspect.getdoc(found(name)) or ""
    sentence = doc.split("\n\n")[0].replace("\n", " ")
    text = ""
    for k, figure in enumerate(drawn_by(doc)):
        file = f"{name}-{k}.png"
        figure.savefig(folder / file, dpi=110, bbox_inches="tight", facecolor="white")
        text += f"\n.. image:: pictures/{file}\n   :alt: The example drawn. {sentence}\n"
    plt.close("all")
    return text


# ---- pages ---------------------------------------------------------------------------------------


def rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```\n"


def documented(name: str, folder: Path) -> str:
    """The directives that document one name, with the pictures of its example."""
    if name in CONSTANTS:
        return f".. py:data:: glmmtools.{name}\n\n   {CONSTANTS[name]}\n"
    what = found(name)
    draws = name.rpartition(".")[2].startswith("plot")
    if not inspect.isclass(what):
        return f".. autofunction:: glmmtools.{name}\n" + (
            pictures_of(name, folder) if draws else ""
        )
    text = f".. autoclass:: glmmtools.{name}\n"
    if listed := members(what):
        text += f"   :members: {', '.join(listed)}\n"
    plots = [f"{name}.{member}" for member in listed if member.startswith("plot")]
    return text + "".join(pictures_of(plot, folder) for plot in plots)


def model_page(folder: Path) -> str:
    """The page of FittedModel: what it has in the groups of the list."""
    text = f"# {MODEL}\n\n" + rst(f".. autoclass:: glmmtools.{MODEL}")
    for title, listed in model_members().items():
        text += f"\n## {title}\n\n"
        for name in listed:
            what = found(f"{MODEL}.{name}")
            kind = "autoproperty" if isinstance(what, property) else "automethod"
            if not (inspect.isfunction(what) or isinstance(what, property)):
                kind = "autoattribute"
            picture = pictures_of(f"{MODEL}.{name}", folder) if name.startswith("plot") else ""
            text += rst(f".. {kind}:: glmmtools.{MODEL}.{name}\n{picture}")
    return text


def family_cards(folder: Path) -> str:
    """Each family's card and its picture."""
    text = ""
    for name, family in gt.FAMILIES.items():
        plt.close("all")
        gt.plot_distribution(name).figure.savefig(folder / f"family-{name}.png", dpi=110)
        card = family.card()
        text += f"\n## {name}\n\n{card._repr_html_()}\n\n"
        text += f"![The distribution {name} drawn at a usual mean](pictures/family-{name}.png)\n"
    return text


def link_cards(folder: Path) -> str:
    """Each link's card and its picture."""
    text = ""
    for name, link in gt.LINKS.items():
        plt.close("all")
        gt.plot_link(name)[0].figure.savefig(folder / f"link-{name}.png", dpi=110)
        text += (
            f"\n## {name}\n\n| | {name} |\n|---|---|\n| link | $\\eta = {link.equation}$ |\n"
            f"| inverse | $\\mu = {link.inverse_equation}$ |\n| a slope | {link.slope_means} |\n\n"
            f"![The link {name} and its inverse, drawn](pictures/link-{name}.png)\n"
        )
    return text


def write_pages(source: Path) -> None:
    """Write `api.md` and one page for each name below `api/`."""
    folder = source / "api"
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    pages = dict.fromkeys(page_of(name) for name in names())
    for page in pages:
        if page == MODEL:
            text = model_page(pictures)
        elif page in TOGETHER:
            title, together = TOGETHER[page]
            cards = {"families": family_cards, "links": link_cards}.get(page, lambda _: "")
            first, *others = (rst(documented(name, pictures)) for name in together)
            text = f"# {title}\n\n{first}{cards(pictures)}\n## In code\n\n{''.join(others)}"
        else:
            name = next(name for name in names() if page_of(name) == page)
            text = f"# {spoken(name)}\n\n" + rst(documented(name, pictures))
        (folder / f"{page}.md").write_text(text, encoding="utf-8")
    plt.close("all")
    (source / "api.md").write_text(index(list(pages)), encoding="utf-8")


def index(pages: list[str]) -> str:
    """The list of the groups."""
    text = "# The package\n\n`import glmmtools as gt`\n"
    for title, (sentence, listed) in GROUPS.items():
        rows = [f"   {_short(name)}\n" for name in listed.split() if name not in CONSTANTS]
        constants = [
            f"\n:data:`gt.{name} <glmmtools.{name}>`: {CONSTANTS[name]}\n"
            for name in listed.split()
            if name in CONSTANTS
        ]
        table = f".. currentmodule:: glmmtools\n\n.. autosummary::\n\n{''.join(rows)}"
        text += f"\n## {title}\n\n{sentence}\n\n" + rst(table + "".join(constants))
    return text + "\n```{toctree}\n:hidden:\n\n" + "".join(f"api/{p}\n" for p in pages) + "```\n"


def _short(name: str) -> str:
    parents = name.rpartition(".")[0]
    return name if parents in ("", "designs", MODEL) else f"~{name}"


def aliases() -> dict[str, str]:
    """For napoleon: the types of docstrings that have a page."""
    kinds = [name for name in names() if inspect.isclass(found(name))]
    return {name.rpartition(".")[2]: f":class:`~glmmtools.{name}`" for name in kinds}
