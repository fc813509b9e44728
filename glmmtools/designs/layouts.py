"""Layouts of experiments: which unit stands where, and which treatment it gets.

Each function returns a DataFrame with one row an observational unit, in field order, randomised
with a seed. Labels of units are text and run through the whole layout (pens 1 to 16, not 1 to 4 in
every room), so that a label names one unit. Treatments keep the order in which they were given: the
first is the reference of a fitted model.

>>> layout = rcbd(["control", "compost", "manure"], blocks=4)
>>> layout.shape, layout["treatment"].value_counts().unique().tolist()
((12, 5), [4])
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.shared.arguments import check_arguments, names_of, numbers, shown
from glmmtools.shared.text import nearest

Array = np.ndarray
Treatments = Sequence[Any] | Mapping[str, Sequence[Any]]


def crd(
    treatments: Treatments,
    replicates: int | Sequence[int],
    *,
    columns: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Completely randomised design: every plot is as likely to get any treatment.

    Parameters
    ----------
    treatments : sequence or dict
        Levels of one factor called ``treatment``, or ``{factor: levels}``; several factors are
        combined (factorial).
    replicates : int or sequence of int
        Plots of each treatment; a sequence gives each treatment (combination) its own number.
    columns : int, optional
        Plots in a row of the field; default: a field as square as possible.
    seed : int
        The same seed gives the same randomisation.

    Returns
    -------
    DataFrame
        Columns ``plot, row, column`` and one for each treatment factor.

    Examples
    --------
    >>> crd(["A", "B"], replicates=3, seed=1)["treatment"].tolist()
    ['B', 'A', 'A', 'A', 'B', 'B']
    """
    check_arguments(crd, locals())
    rng = np.random.default_rng(seed)
    levels = _combinations(treatments, "treatment")
    order = rng.permutation(np.repeat(np.arange(len(levels)), _counts(replicates, len(levels))))
    width = int(np.ceil(np.sqrt(len(order)))) if columns is None else _count(columns, "columns")
    place = np.arange(len(order))
    field = {"plot": _numbered(place), "row": place // width + 1, "column": place % width + 1}
    return _joined(field, (levels, order))


def rcbd(
    treatments: Treatments, blocks: int, *, replicates: int = 1, seed: int = 0
) -> pd.DataFrame:
    """Randomised complete block design: every block holds every treatment, in its own order.

    Parameters
    ----------
    treatments, seed
        As in :func:`crd`.
    blocks : int
    replicates : int
        Plots of each treatment in a block.

    Returns
    -------
    DataFrame
        Columns ``block, plot, row, column`` and one for each treatment factor; a block is a row of
        the field.

    Examples
    --------
    >>> layout = rcbd({"nitrogen": [0, 50, 100]}, blocks=2, seed=1)
    >>> layout.groupby("block", observed=True)["nitrogen"].apply(sorted).tolist()
    [[0, 50, 100], [0, 50, 100]]
    """
    check_arguments(rcbd, locals())
    rng = np.random.default_rng(seed)
    levels = _combinations(treatments, "treatment")
    one_block = np.repeat(np.arange(len(levels)), _count(replicates, "replicates"))
    order = np.concatenate([rng.permutation(one_block) for _ in range(_count(blocks, "blocks"))])
    block, column = np.divmod(np.arange(len(order)), len(one_block))
    field = {
        "block": _numbered(block),
        "plot": _numbered(np.arange(len(order))),
        "row": block + 1,
        "column": column + 1,
    }
    return _joined(field, (levels, order))


def split_plot(whole: Treatments, sub: Treatments, blocks: int, *, seed: int = 0) -> pd.DataFrame:
    """Split-plot design: `whole` is randomised to whole plots, `sub` to the subplots inside them.

    Parameters
    ----------
    whole, sub : sequence or dict
        As `treatments` in :func:`crd`; the factors of a plain sequence are called ``whole`` and
        ``sub``.
    blocks : int
    seed : int

    Returns
    -------
    DataFrame
        Columns ``block, whole_plot, plot, row, column`` and one for each factor. A block is a row
        of the field, the subplots of a whole plot stand side by side.

    Examples
    --------
    >>> layout = split_plot({"variety": ["A", "B"]}, {"nitrogen": [0, 50, 100]}, blocks=4)
    >>> layout[["whole_plot", "plot"]].nunique().tolist()
    [8, 24]
    """
    check_arguments(split_plot, locals())
    rng = np.random.default_rng(seed)
    first, second = _combinations(whole, "whole"), _combinations(sub, "sub")
    shared = first.columns.intersection(second.columns)
    if len(shared):
        raise ValueError(f"the factor {shared[0]!r} is in both whole= and sub=")
    blocks, m, k = _count(blocks, "blocks"), len(first), len(second)
    whole_order = np.concatenate([rng.permutation(m) for _ in range(blocks)])
    sub_order = np.concatenate([rng.permutation(k) for _ in range(blocks * m)])
    place = np.arange(blocks * m * k)
    field = {
        "block": _numbered(place // (m * k)),
        "whole_plot": _numbered(place // k),
        "plot": _numbered(place),
        "row": place // (m * k) + 1,
        "column": place % (m * k) + 1,
    }
    return _joined(field, (first, np.repeat(whole_order, k)), (second, sub_order))


def nested(
    sizes: Mapping[str, int | Sequence[int]],
    treatments: Treatments | None = None,
    applied_to: str | None = None,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Nested units with subsampling, as rooms, pens in a room, pigs in a pen.

    Parameters
    ----------
    sizes : dict
        From the outermost factor inwards, how many units each unit of the factor before holds, as
        ``{"room": 4, "pen": 4, "pig": 3}``; a sequence gives each parent its own number.
    treatments : sequence or dict, optional
        As in :func:`crd`.
    applied_to : str, optional
        The factor whose units get the treatments (the experimental units); default the innermost.
        The units around them are blocks: each holds the treatments as equally as can be.
    seed : int

    Returns
    -------
    DataFrame
        One row an innermost unit; one column for each factor and each treatment factor.

    Raises
    ------
    ValueError
        If `applied_to` is no factor of `sizes`, or a number of units is not a positive whole one.

    Examples
    --------
    >>> pigs = nested({"room": 4, "pen": 4, "pig": 3}, ["control", "enriched"], "pen")
    >>> len(pigs), pigs["pen"].nunique()
    (48, 16)
    >>> int(pigs.groupby("pen", observed=True)["treatment"].nunique().max())
    1
    """
    check_arguments(nested, locals())
    if not sizes:
        raise ValueError("sizes is empty; give the units as {'room': 4, 'pen': 4, 'pig': 3}")
    names_of("sizes", sizes)
    parents: dict[str, Array] = {}  # for each factor, the parent of each of its units
    above = 1
    for factor, size in sizes.items():
        parents[factor] = np.repeat(np.arange(above), _counts(size, above, factor))
        above = len(parents[factor])
    rows = np.arange(above)
    units = {}
    for factor in reversed(sizes):
        units[factor] = rows
        rows = parents[factor][rows]
    columns = {factor: _numbered(units[factor]) for factor in sizes}
    if treatments is None:
        if applied_to is not None:
            raise ValueError(f"applied_to={applied_to!r} needs treatments to apply")
        return pd.DataFrame(columns)
    applied_to = list(sizes)[-1] if applied_to is None else applied_to
    if applied_to not in sizes:
        raise ValueError(
            f"applied_to={applied_to!r} is no factor of the design"
            f"{nearest(applied_to, sizes)}. Factors: {', '.join(sizes)}"
        )
    levels = _combinations(treatments, "treatment")
    assigned = _dealt(parents[applied_to], len(levels), np.random.default_rng(seed))
    return _joined(columns, (levels, assigned[units[applied_to]]))


def repeated(
    subjects: int | pd.DataFrame,
    times: Sequence[float],
    treatments: Treatments | None = None,
    *,
    time: str = "time",
    seed: int = 0,
) -> pd.DataFrame:
    """Repeated measures: every subject is observed at every time.

    Treatments are randomised to subjects. Times are not: day 2 always follows day 1, hence the
    correlation of neighbouring days that a model of repeated measures is about.

    Parameters
    ----------
    subjects : int or DataFrame
        A number of subjects (column ``subject``), or a layout each of whose rows is a subject.
    times : sequence of numbers
    treatments : sequence or dict, optional
        As in :func:`crd`, for a number of subjects.
    time : str
        Name of the column of times.
    seed : int

    Returns
    -------
    DataFrame
        The rows of each subject in order of time.

    Examples
    --------
    >>> repeated(12, times=[0, 7, 14], treatments=["low", "high"], time="day").columns.tolist()
    ['subject', 'treatment', 'day']
    >>> swine = repeated(nested({"room": 4, "pen": 4, "pig": 3}), times=range(5), time="day")
    >>> len(swine)
    240
    """
    check_arguments(repeated, locals())
    times = list(times) if np.iterable(times) else [times]
    numbers("times", times)
    times = np.asarray(times)
    if len(times) == 0 or len(np.unique(times)) < len(times):
        raise ValueError(f"times must be distinct and at least one; got {times.tolist()}")
    if isinstance(subjects, pd.DataFrame):
        if treatments is not None:
            raise ValueError("a layout has its treatments already; give treatments= to that layout")
        if time in subjects.columns:
            raise ValueError(f"the layout has a column {time!r} already; choose another time=")
        base = subjects
    else:
        base = nested({"subject": _count(subjects, "subjects")}, treatments, seed=seed)
    rows = np.repeat(np.arange(len(base)), len(times))
    layout = base.iloc[rows].reset_index(drop=True)
    layout[time] = np.tile(times, len(base))
    return layout


def _combinations(treatments: Treatments, name: str) -> pd.DataFrame:
    """All combinations of the levels of the factors, text as categories in the order given."""
    factors = treatments if isinstance(treatments, Mapping) else {name: treatments}
    for factor, levels in factors.items():
        if isinstance(levels, str) or not hasattr(levels, "__len__"):
            raise ValueError(
                f"the levels of {factor!r} must be a list such as ['control', 'new']; "
                f"got {shown(levels)}"
            )
        if not all(map(pd.api.types.is_scalar, levels)):
            raise ValueError(
                f"the levels of {factor!r} must be text or numbers; got {shown(levels)}"
            )
        if len(levels) < 2 or len(set(levels)) < len(levels):
            raise ValueError(
                f"the levels of {factor!r} must be distinct and two or more; got {list(levels)!r}"
            )
    grid = pd.DataFrame(list(itertools.product(*factors.values())), columns=list(factors))
    for factor, levels in factors.items():
        if not pd.api.types.is_numeric_dtype(grid[factor]):
            grid[factor] = pd.Categorical(grid[factor], categories=list(levels))
    return grid


def _dealt(parents: Array, k: int, rng: np.random.Generator) -> Array:
    """A treatment for each unit: dealt from shuffled decks of all k, shuffled within parents."""
    n = len(parents)
    deck = np.concatenate([rng.permutation(k) for _ in range(-(-n // k))])[:n]
    return deck[np.lexsort((rng.random(n), parents))]


def _numbered(codes: Array) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, [str(i + 1) for i in range(codes.max() + 1)])


def _joined(field: dict[str, Any], *assigned: tuple[pd.DataFrame, Array]) -> pd.DataFrame:
    parts = [levels.iloc[order].reset_index(drop=True) for levels, order in assigned]
    layout = pd.concat([pd.DataFrame(field), *parts], axis=1)
    repeated_names = layout.columns[layout.columns.duplicated()]
    if len(repeated_names):
        raise ValueError(
            f"a treatment factor cannot be called {repeated_names[0]!r}: the layout has that column"
        )
    return layout


def _count(value: Any, argument: str) -> int:
    return int(_counts(value, 1, argument)[0])


def _counts(value: Any, n: int, argument: str = "replicates") -> Array:
    numbers(argument, value)
    counts = np.asarray(value)
    if counts.dtype.kind not in "iu" or (counts < 1).any():
        raise ValueError(f"{argument} must be a whole number, 1 or more; got {shown(value)}")
    if counts.ndim > 1 or counts.size not in (1, n):
        raise ValueError(f"{argument} must be one number, or {n} of them; got {shown(value)}")
    return np.broadcast_to(counts, n)
