"""The pictures of the explorers, drawn without sliders: see :mod:`glmmtools.course.explore`."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from glmmtools.covariances.base import Structure
from glmmtools.covariances.lookup import STRUCTURES
from glmmtools.families.base import Family
from glmmtools.families.distribution_plots import parameter_sets, plot_distribution
from glmmtools.families.link_plots import plot_link_effect
from glmmtools.families.links import link
from glmmtools.families.lookup import family
from glmmtools.shared.arguments import one_of
from glmmtools.shared.style import (
    DATA,
    REFERENCE,
    block_lines,
    heat_map,
    label_axes,
    new_panels,
    reference_line,
    series,
)

Array = np.ndarray
TIMES = 5  # at which a subject is measured
MOST_BINS = 200


def draw_distribution(
    name: str | Family = "gamma",
    mu: float | None = None,
    phi: float | None = None,
    *,
    df: float | None = None,
    trials: int | None = None,
    n: int = 200,
    seed: int = 1,
) -> Array:
    """Draw a distribution with `n` draws from it, and its place on the mean–variance curve.

    Parameters that are not given have typical values.

    Examples
    --------
    >>> left, right = draw_distribution("poisson", mu=3)
    >>> right.get_xlabel()
    'mean E(y)'
    """
    chosen = family(name)
    (values,) = parameter_sets(chosen, mu=mu, phi=phi, df=df, trials=trials)
    if not n >= 1:
        raise ValueError(f"n must be 1 or more; got {n!r}")
    left, right = axes = new_panels(1, 2, (9.5, 3.8))[0]
    shape = {key: value for key, value in values.items() if key != "mu"}
    y = chosen.sample(np.full(int(n), values["mu"]), np.random.default_rng(seed), **shape)
    plot_distribution(chosen, **values, ax=left)
    draw_histogram(left, chosen, y)
    left.get_legend().remove()

    _place_on_curve(right, chosen, values, y)
    return axes


def draw_histogram(ax, chosen: Family, y: Array) -> None:
    """All of `y` behind a curve of `chosen`, on the scale of its density or probability."""
    (low, high), (_, top) = ax.get_xlim(), ax.get_ylim()
    _shade_beyond(ax, low, high)
    bins = np.arange(y.min(), y.max() + 2) - 0.5
    if not chosen.discrete:
        # after Freedman and Diaconis (1981)
        width = 2 * float(np.subtract(*np.quantile(y, [0.75, 0.25]))) / len(y) ** (1 / 3)
        bins = int(min(max(np.ptp(y) / width, 1), MOST_BINS)) if width > 0 else MOST_BINS
    heights, edges, _ = ax.hist(y, bins, density=True, color=DATA, alpha=0.45, zorder=0)
    room = 0.02 * (high - low)
    ax.set_xlim(min(low, edges[0] - room), max(high, edges[-1] + room))
    ax.set_ylim(0, max(top, 1.05 * heights.max()))


def _shade_beyond(ax, low: float, high: float) -> None:
    """Where the support is shaded up to a limit of the axes, shade it beyond: they may grow."""
    shade, far = ax.patches[0], 100 * (high - low)
    start, end = shade.get_x(), shade.get_x() + shade.get_width()
    start, end = start - far * (start <= low), end + far * (end >= high)
    shade.set_x(start)
    shade.set_width(end - start)


def _place_on_curve(ax, chosen: Family, values: dict[str, float], y: Array) -> None:
    """The variance as a function of the mean, and the points of the distribution and the draws."""
    shape = {key: value for key, value in values.items() if key != "mu"}
    typical = {k: chosen.example[k] for k in shape if k != "trials"}
    grid = np.linspace(*_mean_range(chosen, values["mu"]), 300)
    curve = chosen.variance(grid, **shape)
    if typical:
        usual = (f(grid, **{**shape, **typical}) for f in (chosen.mean, chosen.variance))
        ax.plot(*usual, color=REFERENCE, linewidth=1, label="typical dispersion")
    formula = chosen.variance_text.split(" (")[0]
    ax.plot(
        chosen.mean(grid, **shape), curve, color=series(0).color, linewidth=2,
        label=f"Var(y) = {formula}",
    )  # fmt: skip
    mean, variance = (float(f(values["mu"], **shape)) for f in (chosen.mean, chosen.variance))
    mark = {"linestyle": "none", "zorder": 4}
    ax.plot(
        [mean], [variance], marker="o", markersize=10, color=series(1).color,
        label=f"here: mean {mean:.3g}, variance {variance:.3g}", **mark,
    )  # fmt: skip
    ax.plot(
        [y.mean()], [y.var()], marker="x", markersize=9, markeredgewidth=2, color=DATA,
        label=f"draws: mean {y.mean():.3g}, variance {y.var():.3g}", **mark,
    )  # fmt: skip
    heights = np.array([variance, float(y.var()), *curve])
    ax.set_ylim(0, 1.6 * heights[np.isfinite(heights)].max())  # room for the legend
    ax.legend(frameon=False, fontsize="small", loc="upper left")
    label_axes(ax, "mean E(y)", "variance Var(y)")


def _mean_range(chosen: Family, mu: float) -> tuple[float, float]:
    if chosen.mean_interval[1] == 1:
        return 0.005, 0.995
    if chosen.mean_interval[0] == 0:
        return 0.01, max(10.0, 1.5 * mu)
    return mu - 5, mu + 5


def draw_link(
    name: str = "logit", intercept: float | None = None, slope: float | None = None
) -> Array:
    """Draw a line on the link scale and its curve on the response scale.

    The same as :func:`glmmtools.plot_link_effect` with the usual family; where the line leads to a
    mean that the family cannot have, the picture says so.

    Examples
    --------
    >>> left, right = draw_link("log", 1.0, 0.5)
    """
    link(name)
    try:
        return plot_link_effect(name, intercept, slope)
    except ValueError as problem:  # a slider may lead anywhere
        axes = new_panels(1, 2, (8.5, 3.6))[0]
        axes[0].text(0, 0.5, str(problem), wrap=True)
        for ax in axes:
            ax.set_axis_off()
        return axes


def draw_shrinkage(groups: int = 10, size: int = 4, ratio: float = 0.5, seed: int = 1) -> Array:
    """Draw how the means of groups are pulled towards the common mean.

    With known variances the predicted effect of a group is its deviation from the common mean
    times ``B = size·ratio / (size·ratio + 1)`` (Robinson 1991, *Statistical Science* 6:15), where
    `ratio` is the variance between groups over that within, and `size` the observations in each.

    Examples
    --------
    >>> left, right = draw_shrinkage(groups=6, size=2)
    >>> right.get_xlabel()
    'observations in a group'
    """
    if groups < 2 or size < 1 or not ratio >= 0:
        raise ValueError(
            f"shrinkage needs 2 or more groups, 1 or more observations in each and a variance "
            f"ratio of 0 or more; got groups={groups}, size={size}, ratio={ratio:g}"
        )
    rng = np.random.default_rng(seed)
    # drawn before they are scaled, so that a slider moves the same groups
    truth = np.sqrt(ratio) * rng.standard_normal(groups)
    raw = truth + rng.standard_normal(groups) / np.sqrt(size)
    order = np.argsort(raw)
    truth, raw = truth[order], raw[order]
    common, factor = raw.mean(), shrinkage_factor(size, ratio)
    shrunken = common + factor * (raw - common)

    left, right = axes = new_panels(1, 2, (9.5, 3.8))[0]
    rows = np.arange(groups)
    reference_line(left, x=common)
    left.hlines(rows, raw, shrunken, color=DATA, linewidth=1)
    left.plot(raw, rows, linestyle="none", marker="o", markerfacecolor="white", color=DATA,
              label="mean of the group")  # fmt: skip
    left.plot(shrunken, rows, linestyle="none", marker="o", color=series(0).color,
              label="predicted, shrunken")  # fmt: skip
    left.plot(truth, rows, linestyle="none", marker="x", color=series(1).color, label="truth")
    left.legend(frameon=False, fontsize="small", loc="upper left")
    left.set_ylim(-0.8, groups * 1.35)
    left.set_yticks(rows if groups <= 15 else [], [str(row + 1) for row in rows if groups <= 15])
    errors = [np.sqrt(np.mean((estimates - truth) ** 2)) for estimates in (raw, shrunken)]
    label_axes(
        left, "y, in SD within groups", "group, sorted",
        f"RMS error: means {errors[0]:.2f}, predicted {errors[1]:.2f}",
    )  # fmt: skip
    sizes = np.arange(1, max(20, 2 * size) + 1)
    right.plot(sizes, shrinkage_factor(sizes, ratio), color=series(0).color, linewidth=2)
    right.plot([size], [factor], marker="o", markersize=10, color=series(1).color)
    right.set_ylim(0, 1)
    right.xaxis.get_major_locator().set_params(integer=True)
    label_axes(right, "observations in a group", "share kept of a deviation, B",
               f"B = {factor:.2f}: variance ratio {ratio:g}, {size} in a group")  # fmt: skip
    return axes


def shrinkage_factor(size, ratio: float):
    """Share of a group's deviation that its prediction keeps, with known variances."""
    return size * ratio / (size * ratio + 1)


def draw_cluster(probability: float = 0.3, shift: float = 1.0) -> Array:
    """Draw what the random effect of one cluster does to a probability, on three scales.

    Left the step from `probability`, that of a cluster with u = 0, to that of a cluster with
    u = `shift` on the log-odds scale. Right the two ratios at every probability: the odds ratio is
    exp(u) everywhere, the ratio of probabilities is not.

    Examples
    --------
    >>> left, right = draw_cluster(0.5, 1.0)
    >>> left.get_title(loc="left")
    'from 0.50 to 0.73: a step of 0.23'
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability must lie between 0 and 1; got {probability:g}")
    start = logit(probability)
    moved = expit(start + shift)
    left, right = axes = new_panels(1, 2, (9.5, 3.8))[0]
    eta = np.linspace(min(-6, start, start + shift), max(6, start, start + shift), 300)
    left.plot(eta, expit(eta), color=DATA, linewidth=1)
    places = ([start, start + shift], [probability, moved])
    left.plot(*places, color=series(0).color, marker="o", linewidth=2, drawstyle="steps-post")
    left.set_ylim(-0.02, 1.02)
    step = f"from {probability:.2f} to {moved:.2f}: a step of {moved - probability:.2f}"
    step = step.replace("-", "−")
    label_axes(left, "linear predictor η (log-odds)", "probability", step)
    p = np.linspace(0.01, 0.99, 199)
    risk = expit(logit(p) + shift) / p
    reference_line(right, y=1)
    right.semilogy(p, np.full_like(p, np.exp(shift)), color=series(1).color, linestyle="--",
               linewidth=2, label=f"odds ratio exp(u) = {np.exp(shift):.2f}")  # fmt: skip
    right.plot(p, risk, color=series(0).color, linewidth=2, label="ratio of probabilities")
    right.plot([probability], [moved / probability], color=series(0).color, marker="o",
               markersize=9)  # fmt: skip
    right.set(xlim=(0, 1), ylim=(np.exp(-3.2), np.exp(3.6)))
    right.set_yticks([0.05, 0.2, 1, 5, 20], ["0.05", "0.2", "1", "5", "20"])
    right.minorticks_off()
    right.legend(frameon=False, fontsize="small", loc="upper right")
    label_axes(right, "probability where u = 0", "ratio",
               f"risk ratio here: {moved / probability:.2f}")  # fmt: skip
    return axes


def draw_covariance(
    structure: str = "ar1", rho: float = 0.7, residual: float = 0.25, subjects: int = 3,
    times: int = TIMES,
) -> Array:  # fmt: skip
    """Draw Var(y) of subjects measured at several times, and the correlation by lag.

    The random effects of a subject have variance 1 and the correlation `rho` (``"ar1"``: of
    neighbours in time); the residual variance is added on the diagonal.

    Examples
    --------
    >>> left, right = draw_covariance("compound symmetry", rho=0.5)
    >>> right.get_ylabel()
    'correlation of two observations'
    """
    block = subject_covariance(structure, rho, residual, times)
    V = np.kron(np.eye(subjects), block)
    left, right = axes = new_panels(1, 2, (9.0, 4.0))[0]
    heat_map(left, V, "covariance", shrink=0.8)
    block_lines(left, np.arange(1, subjects) * times - 0.5, 1)
    middles = (np.arange(subjects) + 0.5) * times - 0.5
    names = [f"subject {number + 1}" for number in range(subjects)]
    left.set_xticks(middles, names)
    left.set_yticks(middles, names, rotation=90, va="center")
    label_axes(left, title="Var(y) = ZGZ′ + R")
    reference_line(right, y=0)
    right.plot(np.arange(times), block[0] / block[0, 0], marker="o", color=series(0).color)
    right.set(xticks=range(times), ylim=(min(-0.05, block.min() / block[0, 0] - 0.1), 1.05))
    label_axes(right, "time between two observations of a subject",
               "correlation of two observations", f"{structure}, ρ = {rho:g}")  # fmt: skip
    return axes


def subject_covariance(structure: str, rho: float, residual: float, times: int) -> Array:
    """Var(y) of one subject, shape (times, times).

    Examples
    --------
    >>> subject_covariance("ar1", 0.5, 0.0, 3)
    array([[1.  , 0.5 , 0.25],
           [0.5 , 1.  , 0.5 ],
           [0.25, 0.5 , 1.  ]])
    """
    one_of("structure", structure, drawn_structures())
    effects = drawn_structures()[structure].at_times(times)
    lowest = effects.lowest_rho
    if not lowest < rho < 1:
        raise ValueError(
            f"rho of {structure} with {times} times must lie between {lowest:g} and 1; got {rho:g}"
        )
    if not residual >= 0:
        raise ValueError(f"residual is a variance and must not be negative; got {residual:g}")
    one = effects.correlation_matrix(np.zeros(effects.n_corr), rho)
    return effects.predictor_covariance(one, rho) + residual * np.eye(times)


def drawn_structures() -> dict[str, type[Structure]]:
    """The structures that one correlation says, by their names in pictures."""
    return {
        structure.title: structure
        for structure in STRUCTURES.values()
        if not (structure.unrestricted or structure.heterogeneous or structure.at_times(3).n_corr)
    }
