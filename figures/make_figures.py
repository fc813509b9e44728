"""Draw every picture of this folder again: `make figures`. A second run changes no byte."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import glmmtools as gt

FOLDER = Path(__file__).parent
BLUE, GREY = "#0072B2", "#8c8c8c"


def herds() -> plt.Figure:
    """Incidence by herd, and the fitted mean of a typical herd with its 95 % interval."""
    data = gt.load_data("herds")
    model = gt.fit("prop(incidence, size) ~ period + (1 | herd)", data, "binomial")
    figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for number, (_, rows) in enumerate(data.groupby("herd", observed=True)):
        ax.plot(
            rows["period"].astype(int), rows["incidence"] / rows["size"], color=GREY, lw=0.8,
            marker="o", ms=3, alpha=0.7, label="a herd, observed" if number == 0 else None,
        )  # fmt: skip
    X = np.column_stack([np.ones(4), np.eye(4)[:, 1:]])
    eta = X @ model.params.to_numpy()
    half = 1.96 * np.sqrt(np.einsum("ni,ij,nj->n", X, model.cov_params().to_numpy(), X))
    low, middle, high = (model.link.inverse(eta + shift) for shift in (-half, 0, half))
    ax.errorbar(
        range(1, 5), middle, [middle - low, high - middle], color=BLUE, lw=2.5, marker="o",
        capsize=4, label="a typical herd (u = 0), fitted, 95 % interval",
    )  # fmt: skip
    ax.set(xlabel="period", ylabel="new cases / herd size", xticks=range(1, 5), ylim=(0, None))
    ax.legend(frameon=False)
    return figure


FIGURES = {"herds": herds}


def main() -> None:
    matplotlib.rcParams.update({"svg.hashsalt": "glmmtools", "font.family": "DejaVu Sans"})
    for name, draw in FIGURES.items():
        figure = draw()
        figure.savefig(FOLDER / f"{name}.png", dpi=150, metadata={"Software": None})
        figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
