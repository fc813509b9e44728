"""Draw the worksheets, A4 to print, with the answers on a page of their own.

    python figures/make_worksheets.py

One asks for the experimental unit of six designs, the other which covariance six pictures show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.backends.backend_pdf import PdfPages

import glmmtools as gt

FOLDER = Path(__file__).parent
A4 = (8.27, 11.69)  # inches
FIXED = {"pdf.fonttype": 42, "font.family": "DejaVu Sans", "mathtext.fontset": "dejavusans"}
FIXED |= {"font.size": 7, "axes.titlesize": 8, "axes.labelsize": 7}
LINE = "_" * 34
SMALL = 1e-6  # a residual variance of nothing


@dataclass(frozen=True)
class Design:
    """A design to read: `told` is its description, `units` what the treatments were given to."""

    told: str
    layout: pd.DataFrame
    structure: str
    treatments: tuple[str, ...]
    units: tuple[str, ...]
    random: str
    why: str
    kind: str | None = None

    @property
    def answer(self) -> str:
        pairs = zip(self.units, self.treatments, strict=True)
        return ", ".join(f"{unit} for the {treatment}" for unit, treatment in pairs)


def designs() -> tuple[Design, ...]:
    """Six designs, each with another answer."""
    pots = gt.designs.crd(["control", "N", "NP"], 4, columns=4, seed=2)
    pigs = gt.designs.nested({"pen": 4, "pig": 3}, ["old", "new"], applied_to="pen", seed=1)
    cows = gt.designs.repeated(6, range(1, 5), ["hay", "silage"], time="day", seed=3)
    litters = gt.designs.rcbd(["bare", "straw"], blocks=4, replicates=2, seed=5)
    field = gt.designs.split_plot(["dry", "wet"], ["A", "B", "C"], blocks=3, seed=4)
    return (
        Design(
            "Twelve pots, each with its own fertiliser by lot; one weight a pot.",
            pots.rename(columns={"plot": "pot", "treatment": "fertiliser"}),
            "pot", ("fertiliser",), ("pot",), "none",
            "Each pot got its fertiliser on its own, and each gives one number.",
        ),
        Design(
            "Four pens get the old or the new feed; three pigs of each pen are weighed.",
            pigs.rename(columns={"treatment": "feed"}),
            "pen/pig", ("feed",), ("pen",), "(1 | pen)",
            "The feed went to whole pens. Pigs are subsamples: more of them make no replicates.",
            "tree",
        ),
        Design(
            "Four blocks; in each, three varieties by lot on its plots.",
            gt.designs.rcbd(["A", "B", "C"], blocks=4, seed=1).rename(
                columns={"treatment": "variety"}
            ),
            "block", ("variety",), ("plot",), "(1 | block)",
            "The lot fell plot by plot. Blocks are how the plots are grouped.",
        ),
        Design(
            "Six cows get hay or silage; their milk is weighed on four days.",
            cows.rename(columns={"subject": "cow", "treatment": "diet"}),
            "cow", ("diet",), ("cow",), "(1 | cow)",
            "The diet went to the cow. Days are repeated measurements of one unit.",
            "tree",
        ),
        Design(
            "Three blocks, each in two strips: one is watered. On the plots of a strip three "
            "varieties by lot.",
            field.rename(columns={"whole": "water", "sub": "variety", "whole_plot": "strip"}),
            "block/strip", ("water", "variety"), ("strip", "plot"), "(1 | block/strip)",
            "Two lots, two units: the strip for the water, the plot for the variety.",
        ),
        Design(
            "Four litters; in each, two pigs by lot lie on straw and two on bare floor.",
            litters.rename(
                columns={"block": "litter", "plot": "pig", "treatment": "floor"}
            ),
            "litter/pig", ("floor",), ("pig",), "(1 | litter)",
            "The lot fell pig by pig within litters. The litter is a block, no unit.",
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Covariance:
    """A covariance to recognise: what `gt.plot_covariance` draws, and how it is known."""

    name: str
    formula: str
    arguments: dict[str, Any]
    why: str


COVARIANCES = (
    Covariance(
        "random intercept (compound symmetry)", "y ~ day + (1 | cow)",
        {"sd": 2, "phi": 2},
        "Two values in a cow: the variance, and one covariance for every pair of days.",
    ),
    Covariance(
        "AR(1)", "y ~ day + ar1(day | cow)", {"sd": 2.4, "rho": 0.6, "phi": SMALL},
        "The covariance falls by the same factor with each day between; the variance stays.",
    ),
    Covariance(
        "independent rows", "y ~ day", {"phi": 6},
        "Nothing beside the diagonal: the days of a cow would share nothing.",
    ),
    Covariance(
        "random intercept and slope", "y ~ day + (day | cow)", {"sd": [1, 0.9], "phi": 1.5},
        "Variance and covariance grow with the days: the lines of the cows part.",
    ),
    Covariance(
        "unequal variances, equal correlation", "y ~ day + hcs(day | cow)",
        {"sd": [1, 1.5, 2.2, 2.8], "rho": 0.5, "phi": SMALL},
        "Every correlation is 0.5; only the variances differ from day to day.",
    ),
    Covariance(
        "cows in herds", "y ~ day + (1 | herd/cow)",
        {"sd": {"herd": 1.4, "herd:cow": 1.2}, "phi": 2},
        "Two cows share something, too, if they stand in one herd. Two herds share nothing.",
    ),
)  # fmt: skip
ORDER_OF_NAMES = sorted(each.name for each in COVARIANCES)


def cows(formula: str) -> pd.DataFrame:
    """Two cows on four days or, where the model has herds, four cows of two herds on two days."""
    if "herd" in formula:
        layout = gt.designs.nested({"herd": 2, "cow": 2, "day": 2})
        return layout.assign(day=layout["day"].astype(int))
    layout = gt.designs.repeated(2, range(1, 5), time="day")
    return layout.rename(columns={"subject": "cow"})


def page(title: str, told: str) -> plt.Figure:
    figure = plt.figure(figsize=A4)
    figure.text(0.08, 0.955, title, fontsize=15, fontweight="bold")
    figure.text(0.08, 0.928, fill(told, 105), fontsize=9, va="top")
    return figure


def places() -> Iterator[tuple[float, float]]:
    """The lower left corners of six panels, row by row."""
    return ((x, y) for y in (0.68, 0.385, 0.09) for x in (0.09, 0.56))


def without_the_answer(ax: plt.Axes, tree: bool) -> None:
    """Take away the title, the legend of a plan, and what a tree says of units."""
    ax.set_title("", loc="left")
    ax.set_title("")
    for beside in ax.child_axes:
        beside.set_visible(False)
    if tree:
        ax.get_legend().set_title("")
    else:
        ax.get_legend().remove()


def sheet_of_designs() -> plt.Figure:
    figure = page(
        "Name the experimental unit",
        "What was each treatment given to, by lot and on its own? And which random effects does a "
        "model of it need?",
    )
    for number, (design, (x, y)) in enumerate(zip(designs(), places(), strict=True), start=1):
        tree = design.kind == "tree"
        ax = figure.add_axes((x + 0.03, y, 0.34, 0.14 if tree else 0.155))
        gt.plot_design(
            design.layout,
            design.structure,
            treatment=design.treatments,
            kind=design.kind,
            observation="day",
            ax=ax,
        )
        without_the_answer(ax, tree)
        told = fill(f"{number}  {design.told}", 56)
        figure.text(x - 0.01, y + 0.205, told, fontsize=8.5, va="top")
        figure.text(x - 0.01, y - 0.03, f"unit(s)  {LINE}", fontsize=8.5)
        figure.text(x - 0.01, y - 0.055, f"random  {LINE}", fontsize=8.5)
    return figure


def sheet_of_covariances() -> plt.Figure:
    figure = page(
        "Which covariance?",
        "The covariance of eight milk yields, in 1 to 5 of two cows on four days, in 6 of four "
        f"cows on two. Write the name below its picture: {'; '.join(ORDER_OF_NAMES)}.",
    )
    for number, (each, (x, y)) in enumerate(zip(COVARIANCES, places(), strict=True), start=1):
        ax = figure.add_axes((x, y, 0.33, 0.185))
        gt.plot_covariance(each.formula, cows(each.formula), **each.arguments, ax=ax)
        ax.set_title(f"{number}", loc="left", fontsize=10, fontweight="bold")
        ax.images[0].colorbar.remove()
        figure.text(x - 0.01, y - 0.045, LINE, fontsize=8.5)
    return figure


def answers(title: str, rows: list[tuple[str, str]]) -> plt.Figure:
    figure = page(f"{title}: answers", "")
    for number, (answer, why) in enumerate(rows, start=1):
        y = 0.92 - 0.1 * number + 0.06
        figure.text(0.08, y, f"{number}  {answer}", fontsize=10.5, fontweight="bold")
        figure.text(0.105, y - 0.012, fill(why, 95), fontsize=9.5, va="top")
    return figure


def worksheets() -> dict[str, list[plt.Figure]]:
    """The pages of each sheet, the answers last."""
    units = [(each.answer, f"Random effects: {each.random}. {each.why}") for each in designs()]
    names = [(each.name, f"{each.formula}. {each.why}") for each in COVARIANCES]
    return {
        "worksheet-units": [sheet_of_designs(), answers("Name the experimental unit", units)],
        "worksheet-covariances": [sheet_of_covariances(), answers("Which covariance?", names)],
    }


def write(folder: Path) -> None:
    """Write both sheets to PDFs whose bytes are the same at every run."""
    metadata = {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None}
    with matplotlib.rc_context(FIXED):
        for name, pages in worksheets().items():
            with PdfPages(folder / f"{name}.pdf", metadata=metadata) as pdf:
                for figure in pages:
                    pdf.savefig(figure)
                    plt.close(figure)


if __name__ == "__main__":
    write(FOLDER)
