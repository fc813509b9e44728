"""The structure of a design, read from its data: nesting, crossing, replicates, units."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.formula.brackets import split_outside, unquoted
from glmmtools.formula.columns import complete_rows, select, to_frame
from glmmtools.shared.arguments import names_of
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.text import plural

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Grouping:
    """A factor of a structure: its column, the factors around it, the unit of each row.

    Of ``room/pen`` the units of pen are the combinations of room and pen that occur.
    """

    name: str
    path: tuple[str, ...]
    codes: Array

    @property
    def parent(self) -> str | None:
        return self.path[-2] if len(self.path) > 1 else None

    @property
    def levels(self) -> int:
        return int(self.codes.max()) + 1


@hands_out_copies("factors", "relations", "treatments")
@dataclass(frozen=True, eq=False, repr=False)
class DesignDescription(Shown):
    """What :func:`describe_design` found; prints as text, shows as tables in a notebook.

    Attributes
    ----------
    structure : str
    rows : int
    factors : DataFrame
        Indexed by factor; columns ``levels``, ``inside`` (the factor around it), ``fewest`` and
        ``most`` (its units in one unit of that), ``fewest_rows`` and ``most_rows`` (of one unit).
    relations : DataFrame
        One row a pair; columns ``first, second, relation, combinations``.
    treatments : DataFrame
        Indexed by treatment; columns ``levels, experimental_unit, units, fewest, most`` (units of
        one treatment), ``rows_per_unit``, ``blocks`` (factors whose units hold every treatment).
    warnings : tuple of str
    random_part : str
        Random terms for a formula: every factor whose units have several rows.
    """

    structure: str
    rows: int
    factors: pd.DataFrame
    relations: pd.DataFrame
    treatments: pd.DataFrame
    warnings: tuple[str, ...]
    random_part: str

    def _notes(self) -> list[str]:
        notes = [
            f"The experimental unit of {name} is {row.experimental_unit}: {row.units} units, "
            f"{_span(row.fewest, row.most)} for each of {row.levels} levels"
            + (f", in complete blocks ({row.blocks})" if row.blocks else "")
            + (
                f". The {row.rows_per_unit} rows of a unit are no replicates of {name}."
                if row.rows_per_unit not in ("1", "")
                else "."
            )
            for name, row in self.treatments.iterrows()
        ]
        notes += [f"Warning: {warning}" for warning in self.warnings]
        if self.random_part:
            notes.append(f"Random part of a model: {self.random_part}")
        return notes

    def _tables(self) -> list[tuple[str, pd.DataFrame]]:
        factors = [
            {
                "units": row.levels,
                "in each": f"{row.inside}: {_span(row.fewest, row.most)}" if row.inside else "",
                "rows of a unit": _span(row.fewest_rows, row.most_rows),
            }
            for row in self.factors.itertuples()
        ]
        tables = [("Factors", pd.DataFrame(factors, index=list(self.factors.index)))]
        if len(self.relations):
            pairs = self.relations["first"] + ", " + self.relations["second"]
            relations = self.relations[["relation"]].set_axis(list(pairs))
            tables.append(("Relations", relations))
        return tables

    def _content(self) -> Content:
        title = f"Design {self.structure}: {plural(self.rows, 'row')}"
        return Content(title, tables=self._tables(), notes=self._notes())


def describe_design(
    data: Any, structure: str, treatments: str | Sequence[str] = ()
) -> DesignDescription:
    """Read the structure of a design from its data.

    Parameters
    ----------
    data : DataFrame
        One row an observation. Rows with a missing factor are left out.
    structure : str
        The grouping factors: ``"room/pen/pig"`` nested, ``"site * year"`` or ``"site + year"``
        crossed, ``"site/block + year"`` both.
    treatments : str or sequence of str
        Columns of treatments. The experimental unit of a treatment is the coarsest factor within
        whose units the treatment does not change: that is what was randomised.

    Returns
    -------
    DesignDescription

    Raises
    ------
    ValueError
        If a column does not exist.

    Examples
    --------
    >>> import glmmtools as gt
    >>> layout = gt.designs.nested({"room": 4, "pen": 4, "pig": 3}, ["old", "new"], "pen")
    >>> describe_design(layout, "room/pen/pig", "treatment")
    Design room/pen/pig: 48 rows
    <BLANKLINE>
    Factors
          units  in each rows of a unit
    room      4                      12
    pen      16  room: 4              3
    pig      48   pen: 3              1
    <BLANKLINE>
    Relations
                     relation
    room, pen   pen in room
    room, pig   pig in room
    pen, pig     pig in pen
    <BLANKLINE>
    The experimental unit of treatment is pen: 16 units, 8 for each of 2 levels, in complete
    blocks (room). The 3 rows of a unit are no replicates of treatment.
    Random part of a model: (1 | room/pen)
    """
    named = names_of("treatments", treatments)
    frame, groupings = read_groupings(data, structure, named)
    warnings = [
        text for factor in groupings if factor.name not in named
        for text in _reused_labels(frame, factor, groupings)
    ]  # fmt: skip
    table = [_treatment_row(frame, name, groupings) for name in named]
    warnings += [
        f"some level of {row['treatment']} has a single {row['experimental_unit']}: its effect "
        f"cannot be told from that of the {row['experimental_unit']}"
        for row in table
        if row["fewest"] < 2
    ]
    return DesignDescription(
        structure.strip(),
        len(frame),
        pd.DataFrame([_factor_row(factor, groupings) for factor in groupings]).set_index("factor"),
        pd.DataFrame(
            [_relation_row(a, b) for a, b in itertools.combinations(groupings, 2)],
            columns=["first", "second", "relation", "combinations"],
        ),
        pd.DataFrame(
            table,
            columns=[
                "treatment", "levels", "experimental_unit", "units", "fewest", "most",
                "rows_per_unit", "blocks",
            ],
        ).set_index("treatment"),
        tuple(warnings),
        _random_part([factor for factor in groupings if factor.parent or factor.name not in named]),
    )  # fmt: skip


def read_groupings(
    data: Any, structure: str, also: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[Grouping]]:
    """The columns a structure (and `also`) names, complete rows only, and its factors in order."""
    if not isinstance(structure, str) or not structure.strip():
        raise ValueError(f"structure names factors as 'room/pen/pig' or 'a * b'; got {structure!r}")
    paths = []
    for chunk, _ in split_outside(structure, "+*"):
        names = [unquoted(name) for name, _ in split_outside(chunk, "/")]
        if not all(names):
            raise ValueError(f"the structure {structure!r} has an empty place between its signs")
        paths += [tuple(names[: k + 1]) for k in range(len(names))]
    paths = list(dict.fromkeys(paths))
    columns = list(dict.fromkeys([*(name for path in paths for name in path), *also]))
    frame = select(to_frame(data), columns)
    frame = complete_rows(frame, frame.notna().to_numpy().all(axis=1))
    if frame.empty:
        raise ValueError("every row has a missing value in a factor of the design")
    return frame, [Grouping(path[-1], path, _codes(frame, path)) for path in paths]


def _codes(frame: pd.DataFrame, names: Sequence[str]) -> Array:
    """Number of the combination of each row, combinations in order of appearance."""
    return frame.groupby(list(names), sort=False, observed=True).ngroup().to_numpy()


def _pairs(a: Array, b: Array) -> Array:
    """Distinct pairs of two codes, shape (pairs, 2)."""
    return pd.DataFrame({"a": a, "b": b}).drop_duplicates().to_numpy()


def innermost(groupings: Sequence[Grouping]) -> list[Grouping]:
    """The factors that have no other one inside them."""
    outer = {g.path[:depth] for g in groupings for depth in range(1, len(g.path))}
    return [g for g in groupings if g.path not in outer]


def _around(factor: Grouping, groupings: list[Grouping]) -> Grouping:
    return next(other for other in groupings if other.path == factor.path[:-1])


def _factor_row(factor: Grouping, groupings: list[Grouping]) -> dict[str, Any]:
    rows = np.bincount(factor.codes)
    row = {"factor": factor.name, "levels": factor.levels, "inside": factor.parent or ""}
    inside = np.array([factor.levels])
    if factor.parent:
        around = _around(factor, groupings)
        inside = np.bincount(_pairs(around.codes, factor.codes)[:, 0])
    return row | {
        "fewest": inside.min(), "most": inside.max(),
        "fewest_rows": rows.min(), "most_rows": rows.max(),
    }  # fmt: skip


def _relation_row(a: Grouping, b: Grouping) -> dict[str, Any]:
    count = len(_pairs(a.codes, b.codes))
    possible = a.levels * b.levels
    if count == a.levels == b.levels:
        relation = "the same units"
    elif count == b.levels:
        relation = f"{b.name} in {a.name}"
    elif count == a.levels:
        relation = f"{a.name} in {b.name}"
    elif count == possible:
        relation = "crossed"
    else:
        relation = f"partly crossed: {count} of {possible} combinations"
    return {"first": a.name, "second": b.name, "relation": relation, "combinations": count}


def _reused_labels(frame: pd.DataFrame, factor: Grouping, groupings: list[Grouping]) -> list[str]:
    if factor.parent is None:
        return []
    name = factor.name
    labels, names = pd.factorize(frame[name])
    units = np.bincount(_pairs(labels, _around(factor, groupings).codes)[:, 0])
    if units.max() < 2:
        return []
    first = units.argmax()
    return [
        f"{name} {names[first]} occurs in {units[first]} units of {':'.join(factor.path[:-1])}. As "
        f"a factor of its own {name} would be crossed with {factor.parent}: write "
        f"(1 | {'/'.join(factor.path)}) in a formula, or label each {name} once. (If it is the "
        f"same {name} each time, the factors are crossed: {factor.parent} * {name}.)"
    ]


def experimental_unit(
    frame: pd.DataFrame, treatment: str, groupings: Sequence[Grouping]
) -> tuple[Grouping | None, list[str]]:
    """The coarsest factor in whose units a treatment does not change (None: the row); its blocks.

    The blocks are the factors whose units hold every level of the treatment.
    """
    treated = _codes(frame, [treatment])
    constant = [g for g in groupings if len(_pairs(g.codes, treated)) == g.levels]
    unit = min(constant, key=lambda g: g.levels, default=None)
    codes = np.arange(len(frame)) if unit is None else unit.codes
    blocks = [
        g.name
        for g in groupings
        if g.name != treatment
        and np.bincount(_pairs(g.codes, treated)[:, 0]).min() == treated.max() + 1
        and len(_pairs(g.codes, codes)) == len(np.unique(codes))
    ]
    return unit, blocks


def _treatment_row(frame: pd.DataFrame, name: str, groupings: list[Grouping]) -> dict[str, Any]:
    unit, blocks = experimental_unit(frame, name, groupings)
    codes = np.arange(len(frame)) if unit is None else unit.codes
    treatment = _codes(frame, [name])
    units = np.bincount(_pairs(treatment, codes)[:, 0])
    rows = np.bincount(codes)
    return {
        "treatment": name,
        "levels": int(treatment.max()) + 1,
        "experimental_unit": "the row" if unit is None else ":".join(_unit_path(unit, frame)),
        "units": len(rows),
        "fewest": units.min(),
        "most": units.max(),
        "rows_per_unit": _span(rows.min(), rows.max()),
        "blocks": ", ".join(blocks),
    }


def _unit_path(unit: Grouping, frame: pd.DataFrame) -> tuple[str, ...]:
    """The name of the factor alone where its labels name the units, else with those around it."""
    return (unit.name,) if frame[unit.name].nunique() == unit.levels else unit.path


def _random_part(groupings: list[Grouping]) -> str:
    """Factors whose units have several rows; of a nesting only the longest path."""
    with_rows = [g for g in groupings if np.bincount(g.codes).max() > 1]
    return " + ".join(f"(1 | {'/'.join(g.path)})" for g in innermost(with_rows))


def _span(low: Any, high: Any) -> str:
    return f"{low}" if low == high else f"{low} to {high}"
