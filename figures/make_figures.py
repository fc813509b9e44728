"""Draw every picture of this folder again: `make figures`. A second run changes no byte.

Each is written as PNG and SVG; its alternative text stands in README.md of this folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import glmmtools as gt
from glmmtools.shared.style import DATA, label_axes, new_axes, new_panels, series

FOLDER = Path(__file__).parent
# The seven of the course, with parameters that show what each parameter does.
SEVEN = {
    "normal": {"mu": [10, 15, 15], "phi": [4, 4, 16]},
    "t": {"mu": 10, "phi": 4, "df": [3, 30]},
    "gamma": {"mu": 3, "phi": [0.1, 0.5, 1]},
    "beta": {"mu": [0.2, 0.5, 0.5], "phi": [10, 10, 1.5]},
    "binomial": {"mu": [0.1, 0.5], "trials": 20},
    "poisson": {"mu": [1, 4, 10]},
    "negative_binomial": {"mu": 4, "phi": [0.1, 0.5, 1.5]},
}


def herds() -> Figure:
    """The README's picture: incidence by herd, and the fitted mean of a typical herd."""
    data = gt.load_data("herds")
    model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")
    ax = new_axes(None, (6.4, 3.6))
    for number, (_, rows) in enumerate(data.groupby("herd", observed=True)):
        ax.plot(
            rows["period"].astype(int), rows["incidence"] / rows["size"], color=DATA, lw=0.8,
            marker="o", ms=3, alpha=0.7, label="a herd, observed" if number == 0 else None,
        )  # fmt: skip
    X = np.column_stack([np.ones(4), np.eye(4)[:, 1:]])
    eta = X @ model.params.to_numpy()
    half = 1.96 * np.sqrt(np.einsum("ni,ij,nj->n", X, model.cov_params().to_numpy(), X))
    low, middle, high = (model.link.inverse(eta + shift) for shift in (-half, 0, half))
    ax.errorbar(
        range(1, 5), middle, [middle - low, high - middle], color=series(1).color, lw=2.5,
        marker="o", capsize=4, label="a typical herd (u = 0), fitted, 95 % interval",
    )  # fmt: skip
    ax.set(xticks=range(1, 5), ylim=(0, None))
    label_axes(ax, "period", "new cases / herd size")
    ax.legend(frameon=False)
    return ax.figure


def distributions() -> Figure:
    """The seven distributions of the course, each with two or three parameter sets."""
    axes = new_panels(4, 2, (10.0, 13.0))
    for ax, (name, parameters) in zip(axes.flat, SEVEN.items(), strict=False):
        gt.plot_distribution(name, **parameters, ax=ax)
        ax.set_title(f"{name}: {ax.get_title(loc='left')}", loc="left", fontsize="medium")
    axes[3, 1].set_axis_off()
    axes[3, 1].text(
        0, 0.9, "Triangle: the mean.\nShaded: the support, the values that are possible.\n"
        "Lines: a density (continuous y).\nStems: a probability (discrete y).",
        va="top", linespacing=1.6,
    )  # fmt: skip
    return axes[0, 0].figure


def mean_variance() -> Figure:
    """How the variance depends on the mean, by kind of response."""
    return gt.plot_mean_variance(panels=True)[0, 0].figure


def mean_variance_map() -> Figure:
    """All families on one pair of logarithmic axes."""
    return gt.plot_mean_variance().figure


def supports() -> Figure:
    """The values each family can take."""
    return gt.plot_support().figure


def links() -> Figure:
    """The inverses of the six links."""
    axes = new_panels(2, 3, (10.0, 6.2))
    for ax, name in zip(axes.flat, gt.LINKS, strict=True):
        gt.plot_link(name, kind="inverse", ax=ax)
        ax.set_title(ax.get_title(loc="left").replace("inverse of ", ""), loc="left", fontsize=10)
    return axes[0, 0].figure


def link_scales() -> Figure:
    """One straight line on three link scales, and the curve it is on the response scale."""
    axes = new_panels(3, 2, (9.0, 10.0))
    for pair, name in zip(axes, ("identity", "log", "logit"), strict=True):
        gt.plot_link_effect(name, ax=pair)
    return axes[0, 0].figure


def shrinkage() -> Figure:
    """Sleep study: each person's own regression line, and the model's prediction of it."""
    data = gt.load_data("sleep")
    model = gt.fit("reaction ~ days + (days | subject)", data)
    own = {
        subject: np.polynomial.Polynomial.fit(rows["days"], rows["reaction"], 1).convert().coef
        for subject, rows in data.groupby("subject", observed=True)
    }
    effects = model.random_effects.pivot(index="level", columns="term", values="estimate")
    predicted = effects.to_numpy() + model.params.to_numpy()
    separate = pd.DataFrame(own).T.loc[effects.index].to_numpy()
    ax = new_axes(None, (6.4, 4.8))
    for start, end in zip(separate, predicted, strict=True):
        ax.annotate(
            "", end, start, arrowprops={"arrowstyle": "->", "color": DATA, "shrinkA": 3}
        )  # fmt: skip
    ax.plot(*separate.T, linestyle="none", marker="o", markerfacecolor="white", color=DATA,
            label="a subject's own line (least squares)")  # fmt: skip
    ax.plot(*predicted.T, linestyle="none", marker="o", color=series(0).color,
            label="predicted by the mixed model")  # fmt: skip
    ax.plot(*model.params, linestyle="none", marker="X", markersize=11, color=series(1).color,
            label="a typical subject")  # fmt: skip
    ax.set_ylim(None, 29)
    ax.legend(frameon=False, loc="upper right", fontsize="small")
    return label_axes(
        ax, "intercept: reaction time on day 0, ms", "slope, ms per day of sleep deprivation"
    ).figure


def field() -> Figure:
    """A split-plot trial in blocks, as it lies in the field."""
    layout = gt.designs.split_plot(
        {"variety": ["Golden Rain", "Marvellous", "Victory"]},
        {"nitrogen": ["0", "0.2", "0.4", "0.6"]}, blocks=4, seed=1,
    )  # fmt: skip
    return gt.plot_design(layout, "block/whole_plot", treatment=["variety", "nitrogen"]).figure


def swine() -> Figure:
    """Rooms, pens, pigs and days, with a variance component at each level."""
    pigs = gt.designs.nested({"room": 4, "pen": 4, "pig": 3}, ["old", "new"], "pen")
    layout = gt.designs.repeated(pigs, range(1, 6), time="day")
    return gt.plot_design(
        layout, "room/pen/pig", treatment="treatment", observation="day", components=True
    ).figure


FIGURES: dict[str, Callable[[], Figure]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        herds, distributions, mean_variance, mean_variance_map, supports, links, link_scales,
        shrinkage, field, swine,
    )
}  # fmt: skip


def write(folder: Path, names: list[str] | None = None) -> None:
    """Draw the named figures, or all, into `folder`."""
    # text as outlines of a font that comes with Matplotlib; ids in SVG that do not change
    fixed = {"svg.hashsalt": "glmmtools", "font.family": "DejaVu Sans", "figure.dpi": 100}
    with matplotlib.rc_context(fixed):
        for name in names or FIGURES:
            figure = FIGURES[name]()
            figure.savefig(folder / f"{name}.png", dpi=150, metadata={"Software": None})
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
            plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the pictures of this folder again.")
    parser.add_argument("names", nargs="*", choices=[*FIGURES, []], help="by default all")
    write(FOLDER, parser.parse_args().names)
