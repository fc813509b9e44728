"""Pictures of the random part of a fitted model: caterpillar, shrinkage, covariance."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmmtools.fitted.covariance import covariance, rows_at, terms_of
from glmmtools.fitted.effects import mean_label
from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.fitted.parts import PartFit, part_of
from glmmtools.fitted.pooling import pooling
from glmmtools.fitted.wald import t_quantile
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared import style
from glmmtools.shared.arguments import check_arguments, check_panels
from glmmtools.shared.text import listed, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = np.ndarray
_MOST_NAMES = 45
_MOST_ACROSS = 4  # panels side by side
_MOST_BLOCK_NAMES = 20
_ROWS_SHOWN = 60


# ------------------------------------------------------------------------------ random effects


def plot_random_effects(
    model: Fit,
    group: str | None = None,
    level: float = 0.95,
    ax: Axes | Array | None = None,
    *,
    part: str | None = None,
) -> Axes | Array:
    """Draw the conditional modes of the random effects, sorted, with bars: a caterpillar plot.

    The bars are the mode ± the normal quantile times its conditional standard deviation, which is
    given the estimated parameters. The levels are sorted by the first effect of their group. The
    effects of an ar1 term are drawn as a line through time for each level, without bars.

    Parameters
    ----------
    group : str, optional
        A grouping factor; default all of them, one panel for each effect.
    level : float
        Probability that the bars cover.
    ax : Axes or array of Axes, optional
        As many as there are panels.
    part : {"mean", "zero"}, optional
        The effects in the mean, or in the logit of the zeros. Default: both.

    Returns
    -------
    Axes, or array of Axes

    Raises
    ------
    ValueError
        If the model has no such random effects, or the fit did not converge.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (1 | subject)", gt.load_data("sleep"), reml=True)
    >>> ax = m.plot_random_effects("subject")
    >>> len(ax.get_yticks())
    18
    """
    check_arguments(plot_random_effects, locals())
    require_converged(model, "a plot of random effects needs")
    quantile = float(t_quantile(level, np.inf))
    panels = [
        (own, term, estimate.modes, name)
        for own in _parts_with_effects(model, group, part)
        for term, estimate in terms_of(own, group)
        for name in ([None] if term.structure.of_time else term.names)
    ]
    named_levels = [len(term.levels) for _, term, _, name in panels if name is not None]
    each = {term.group: term.levels for _, term, _, name in panels if name is not None}
    beside = sum(_room_for(levels) for levels in each.values())
    axes = _panels(ax, len(panels), max(named_levels, default=12), beside)
    named = set()
    for panel, (own, term, modes, name) in zip(axes, panels, strict=True):
        if name is None:
            _draw_series(panel, term, modes, own)
            continue
        effects = _sorted_effects(own, term, name)
        style.reference_line(panel, x=0)
        panel.errorbar(
            effects["estimate"], np.arange(len(effects)), xerr=quantile * effects["std_error"],
            fmt="o", markersize=4, color=style.SERIES[0].color, ecolor=style.DATA, elinewidth=1.2,
        )  # fmt: skip
        levels = [] if (own, term.group) in named else list(effects.index)
        _name_levels(panel, term.group, levels, len(effects))
        named.add((own, term.group))
        style.label_axes(panel, f"{name}: effect{_unit(own)}", title=_title(panel, own, term))
    return axes[0] if len(axes) == 1 else axes


def _parts_with_effects(model: Fit, group: str | None, part: str | None) -> list[Fit]:
    """The parts that have effects of the group, or any: of one part where that is asked for."""
    if part is not None or not model.zero_terms:
        return [part_of(model, part)]
    both = [own for own in (model, part_of(model, "zero")) if own.random_terms]
    held = [own for own in both if group in (None, *(term.group for term, _ in own.random_terms))]
    return held or both[:1]


def _title(ax: Axes, own: Fit, term: RandomTerm) -> str:
    title = f"{term.group}, {own.quantity}" if isinstance(own, PartFit) else term.group
    return style.title_in_lines(ax, title)


def _sorted_effects(model: Fit, term: RandomTerm, name: str) -> pd.DataFrame:
    """The effects of one name by level, the levels sorted by the group's first effect."""
    effects = model.random_effects
    effects = effects[effects["group"] == term.group]
    if "part" in effects:
        effects = effects[effects["part"] == term.part]
    table = effects[effects["term"] == name].set_index("level")
    first = effects.drop_duplicates("level").sort_values("estimate")["level"]
    return table.reindex(first)


def _draw_series(ax: Axes, term, modes: Array, model: Fit) -> None:
    """The effects of an ar1 term: one thin line through time for each level."""
    for times, effects in zip(term.structure.times, modes, strict=True):
        ax.plot(times, effects, color=style.SERIES[0].color, linewidth=0.8, alpha=0.6)
    style.reference_line(ax, y=0)
    title = f"{term.group} (one line a level)"
    style.label_axes(ax, term.structure.column_name, f"effect{_unit(model)}", title)


def _unit(model: Fit) -> str:
    link, response = model.link, model.design.response.label
    return f" on {response}" if link.is_identity else f" ({link.words or link.name})"


def _panels(ax: Axes | Array | None, wanted: int, levels: int, beside: float = 0.0) -> Array:
    """One axes a panel: those given, or of a new figure as high as the names of levels need.

    `beside` is the room for a legend and for long names, in inches.
    """
    if ax is not None:
        axes = np.atleast_1d(np.asarray(ax, object)).ravel()
        if len(axes) != wanted:
            raise ValueError(
                f"this picture has {plural(wanted, 'panel')}, one for each effect; ax has "
                f"{len(axes)}. Give as many axes, or choose one group"
            )
        check_panels(axes)
        return axes
    height = float(np.clip(1.2 + 0.2 * levels, 2.6, 9))
    across = min(wanted, _MOST_ACROSS)
    down = -(-wanted // across)
    axes = style.new_panels(down, across, (max(5.0, 4.0 * across) + beside, height * down)).ravel()
    for unused in axes[wanted:]:
        unused.remove()
    return axes[:wanted]


def _room_for(levels: Sequence) -> float:
    return style.room_for_names(map(str, levels)) if len(levels) <= _MOST_NAMES else 0.0


def _name_levels(ax: Axes, group: str, levels: list, how_many: int) -> None:
    if levels and how_many <= _MOST_NAMES:
        ax.set_yticks(range(how_many), levels, fontsize="small", parse_math=False)
        style.label_axes(ax, y=group)
    else:
        ax.set_yticks([])
        if levels:
            style.label_axes(ax, y=f"{group} ({how_many} levels, sorted)")
    ax.set_ylim(-0.7, how_many - 0.3)


# ------------------------------------------------------------------------------ shrinkage


def plot_shrinkage(
    model: Fit, group: str | None = None, ax: Axes | Array | None = None
) -> Axes | Array:
    """Draw what each group gets by no, partial and complete pooling; arrows show the shrinkage.

    The numbers are those of ``model.pooling(group)``, which says how they are computed.

    Parameters
    ----------
    group : str, optional
        A grouping factor; default the first of the formula.
    ax : Axes or array of Axes, optional
        As many as there are panels: one for each effect of the group.

    Returns
    -------
    Axes, or array of Axes

    Raises
    ------
    ValueError
        If the model has no such random effects, or the fit did not converge.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    >>> [ax.get_xlabel() for ax in m.plot_shrinkage()]
    ['Intercept (on reaction)', 'days (on reaction)']
    """
    check_arguments(plot_shrinkage, locals())
    table = pooling(model, group)
    name, terms = table["group"].iloc[0], list(table["term"].unique())
    intercept_only = terms == ["Intercept"]
    beside = 1.8 + len(terms) * _room_for(table["level"].unique())
    axes = _panels(ax, len(terms), table["level"].nunique(), beside)
    for panel, term in zip(axes, terms, strict=True):
        part = table[table["term"] == term].sort_values("no_pooling", na_position="first")
        part = part.reset_index(drop=True)
        _draw_shrinkage(panel, part)
        _name_levels(panel, name, list(part["level"]), len(part))
        label = f"{term} ({_unit(model).strip(' ()')})"
        if intercept_only:
            label = f"{mean_label(model)}\nat the average of the fixed part"
        style.label_axes(panel, label, title=_shrinkage_note(part, intercept_only))
    style.legend_outside(axes[-1])
    return axes[0] if len(axes) == 1 else axes


def _draw_shrinkage(ax: Axes, part: pd.DataFrame) -> None:
    own, shrunk = style.SERIES[1], style.SERIES[0]
    ax.axvline(
        part["complete_pooling"].iloc[0], color=style.INK, linestyle="--", linewidth=1,
        label="complete pooling", zorder=1,
    )  # fmt: skip
    ax.plot(
        part["no_pooling"], part.index, own.marker, color=own.color, markerfacecolor="none",
        markersize=6, linestyle="none", label="no pooling", zorder=3,
    )  # fmt: skip
    ax.plot(
        part["partial_pooling"], part.index, shrunk.marker, color=shrunk.color, markersize=5,
        linestyle="none", label="partial pooling", zorder=4,
    )  # fmt: skip
    shift = (part["partial_pooling"] - part["no_pooling"]).abs()
    for place, row in part[shift > 0.03 * np.ptp(part["no_pooling"].dropna())].iterrows():
        ax.annotate(
            "", (row["partial_pooling"], place), (row["no_pooling"], place), zorder=2,
            arrowprops={"arrowstyle": "->", "color": style.DATA, "linewidth": 0.9,
                        "shrinkA": 3, "shrinkB": 2.5},
        )  # fmt: skip


def _shrinkage_note(part: pd.DataFrame, intercept_only: bool) -> str | None:
    levels = part.loc[part["note"] != "", "level"]
    if levels.empty:
        return None
    what = "not estimable without pooling, not drawn"
    if intercept_only:
        what = "no finite estimate on the link scale, shown at the raw value"
    return "\n".join(textwrap.wrap(f"{listed(levels, 5)}: {what}", 55))


# ------------------------------------------------------------------------------ covariance


def plot_covariance(model: Fit, rows: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the covariance matrix of the observations as a heat map with its blocks named.

    Rows are sorted by the grouping factors, that with fewest levels first, and by the times of
    residuals with a covariance structure. The matrix is that of
    ``model.covariance``: Var(y) of normal models with identity link, otherwise the covariance of
    the linear predictors.

    Parameters
    ----------
    rows : slice, list of int or boolean array, optional
        Positions of rows; default the first whole groups with up to about 60 rows.
    ax : Axes, optional

    Returns
    -------
    Axes
        With a colour bar beside it.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"), reml=True)
    >>> ax = m.plot_covariance(slice(0, 20))
    >>> ax.images[0].get_array().shape
    (20, 20)
    """
    check_arguments(plot_covariance, locals())
    require_converged(model, "a plot of the covariance needs")
    terms = [term for term in model.problem.structured if term.part == "mean"]
    terms = terms or [term for term, _ in terms_of(model)]
    terms = sorted(terms, key=lambda term: len(term.levels))
    keys = np.array([term.codes for term in reversed(terms)])
    if model.problem.residual is not None:
        keys = np.vstack([model.problem.residual.structure.coordinates, keys])
    positions = _first_groups(terms[0].codes, keys) if rows is None else rows_at(model, rows)
    positions = positions[np.lexsort(keys[:, positions])]
    matrix = covariance(model, positions).to_numpy()
    label = (
        f"covariance of {model.design.response.label} (squared units)" if model.is_linear
        else f"covariance of the linear predictor ({model.link.name} scale)"
    )  # fmt: skip
    title = r"$\mathrm{Var}(y) = ZGZ^\top + R$" if model.is_linear else r"$ZGZ^\top$, link scale"
    part = "all" if len(positions) == model.nobs else f"{len(positions)} of"
    title = f"{title}; {part} {model.nobs} rows"
    blocks = style.blocks_of(terms[0].group, terms[0].levels, terms[0].codes[positions])
    named = blocks if len(blocks.names) <= _MOST_BLOCK_NAMES else None
    lines = [(blocks, 0.8)] if named else []
    return style.draw_covariance(ax, matrix, label, title, lines, named, group=blocks.group)


def _first_groups(codes: Array, keys: Array) -> Array:
    """Positions of the first whole groups with at most 60 rows together; at least one group."""
    order = np.lexsort(keys)
    sizes = np.cumsum(np.bincount(codes))
    whole = sizes[sizes <= _ROWS_SHOWN]
    return order[: int(whole[-1]) if len(whole) else min(int(sizes[0]), 500)]
