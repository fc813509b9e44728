"""The structure of a design, read from its data: nesting, crossing, replicates, units."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from glmmtools.formula.brackets import as_written, nested_factors
from glmmtools.formula.columns import complete_rows, select, to_frame
from glmmtools.shared.arguments import check_arguments, names_of
from glmmtools.shared.shown import Content, Shown
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.text import plural

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Grouping:
    """A factor of a structure: its columns, those around it, the unit of each row.

    Of ``room/pen`` the units of pen are the combinations of room and pen that occur; `outer` is the
    unit around each row, one for all where nothing is around it.
    """

    name: str
    path: tuple[str, ...]
    around: tuple[str, ...]
    codes: Array
    outer: Array

    @property
    def own(self) -> tuple[str, ...]:
        """Its columns, without those around it."""
        return self.path[len(self.around) :]

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
        one treatment), ``rows_per_unit``, ``blocks`` (factors whose units hold every treatment),
        ``incomplete_blocks`` (those whose units hold several, and not all).
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
            + _in_blocks(row)
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


def _in_blocks(row: Any) -> str:
    kinds = {"complete": row.blocks, "incomplete": row.incomplete_blocks}
    texts = [f"{kind} blocks ({names})" for kind, names in kinds.items() if names]
    return f", in {' and '.join(texts)}" if texts else ""


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
        crossed, ``"site/block + year"`` both; ``"block/(strip_a + strip_b)"`` crossed in a block.
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
    check_arguments(describe_design, locals())
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
                "rows_per_unit", "blocks", "incomplete_blocks",
            ],
        ).set_index("treatment"),
        tuple(warnings),
        _random_part([factor for factor in groupings if factor.around or factor.name not in named]),
    )  # fmt: skip


def read_groupings(
    data: Any, structure: str, also: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[Grouping]]:
    """The columns a structure (and `also`) names, complete rows only, and its factors in order."""
    if not isinstance(structure, str) or not structure.strip():
        raise ValueError(f"structure names factors as 'room/pen/pig' or 'a * b'; got {structure!r}")
    factors = nested_factors(structure, "+*")
    columns = list(dict.fromkeys([*(name for factor in factors for name in factor.path), *also]))
    if not all(columns):
        raise ValueError(f"the structure {structure!r} has an empty place between its signs")
    frame = select(to_frame(data), columns)
    frame = complete_rows(frame, frame.notna().to_numpy().all(axis=1))
    if frame.empty:
        raise ValueError("every row has a missing value in a factor of the design")
    return frame, [
        Grouping(
            ":".join(factor.names), factor.path, factor.around, _codes(frame, factor.path),
            _codes(frame, factor.around),
        ) for factor in factors
    ]  # fmt: skip


def _codes(frame: pd.DataFrame, names: Sequence[str]) -> Array:
    """Number of the combination of each row, combinations in order of appearance."""
    if not names:
        return np.zeros(len(frame), int)
    return frame.groupby(list(names), sort=False, observed=True).ngroup().to_numpy()


def _pairs(a: Array, b: Array) -> Array:
    """Distinct pairs of two codes, shape (pairs, 2)."""
    return pd.DataFrame({"a": a, "b": b}).drop_duplicates().to_numpy()


def innermost(groupings: Sequence[Grouping]) -> list[Grouping]:
    """The factors that have no other one inside them."""
    return [g for g in groupings if not any(set(g.path) <= set(h.around) for h in groupings)]


def is_chain(groupings: Sequence[Grouping]) -> bool:
    """Whether each factor is nested in the one before, so that a tree shows them."""
    around = [(), *(g.path for g in groupings)]
    return all(g.around == path for g, path in zip(groupings, around, strict=False))


def _name_around(factor: Grouping, groupings: Sequence[Grouping]) -> str:
    names = (other.name for other in groupings if other.path == factor.around)
    return next(names, ":".join(factor.around))


def _factor_row(factor: Grouping, groupings: list[Grouping]) -> dict[str, Any]:
    rows = np.bincount(factor.codes)
    row = {
        "factor": factor.name,
        "levels": factor.levels,
        "inside": _name_around(factor, groupings),
    }
    inside = np.bincount(_pairs(factor.outer, factor.codes)[:, 0])
    return row | {
        "fewest": inside.min(), "most": inside.max(),
        "fewest_rows": rows.min(), "most_rows": rows.max(),
    }  # fmt: skip


def _relation_row(a: Grouping, b: Grouping) -> dict[str, Any]:
    count = len(_pairs(a.codes, b.codes))
    shared = a.outer if a.around == b.around else np.zeros_like(a.codes)
    held = [np.bincount(_pairs(shared, g.codes)[:, 0]) for g in (a, b)]
    possible = int(held[0] @ held[1])
    if count == a.levels == b.levels:
        relation = "the same units"
    elif count == b.levels:
        relation = f"{b.name} in {a.name}"
    elif count == a.levels:
        relation = f"{a.name} in {b.name}"
    elif count == possible:
        within = f" in each {':'.join(a.around)}" if shared.any() else ""
        relation = f"crossed{within}"
    else:
        relation = f"partly crossed: {count} of {possible} combinations"
    return {"first": a.name, "second": b.name, "relation": relation, "combinations": count}


def _reused_labels(frame: pd.DataFrame, factor: Grouping, groupings: list[Grouping]) -> list[str]:
    name, parent = factor.name, _name_around(factor, groupings)
    labels = _codes(frame, factor.own)
    units = np.bincount(_pairs(labels, factor.outer)[:, 0])
    if units.max() < 2:
        return []
    first = units.argmax()
    sign = "/" if any(other.path == factor.around for other in groupings) else ":"
    label = ":".join(map(str, frame.loc[labels == first, list(factor.own)].iloc[0]))
    nesting = sign.join(map(as_written, factor.path))
    return [
        f"{name} {label} occurs in {units[first]} units of {':'.join(factor.around)}. As "
        f"a factor of its own {name} would be crossed with {parent}: write "
        f"(1 | {nesting}) in a formula, or label each {name} once. (If it is the "
        f"same {name} each time, the factors are crossed: {parent} * {name}.)"
    ]


class ExperimentalUnit(NamedTuple):
    """The factor whose units get a treatment (None: the row), and the blocks of these units."""

    grouping: Grouping | None
    blocks: list[str]
    incomplete_blocks: list[str]


def experimental_unit(
    frame: pd.DataFrame, treatment: str, groupings: Sequence[Grouping]
) -> ExperimentalUnit:
    """The coarsest factor in whose units a treatment does not change, and its blocks.

    Complete blocks are the factors whose units hold every level of the treatment; incomplete ones
    those of which some unit holds several levels, and some not all.
    """
    treated = _codes(frame, [treatment])
    constant = [g for g in groupings if len(_pairs(g.codes, treated)) == g.levels]
    unit = min(constant, key=lambda g: g.levels, default=None)
    codes = np.arange(len(frame)) if unit is None else unit.codes
    blocks, incomplete = [], []
    for g in groupings:
        if g.name == treatment or len(_pairs(g.codes, codes)) > len(np.unique(codes)):
            continue
        levels, all_levels = np.bincount(_pairs(g.codes, treated)[:, 0]), treated.max() + 1
        if levels.min() == all_levels:
            blocks.append(g.name)
        elif levels.max() > 1:
            held = _span(levels.min(), levels.max())
            incomplete.append(f"{g.name}: {held} of {all_levels} levels in each")
    return ExperimentalUnit(unit, blocks, incomplete)


def _treatment_row(frame: pd.DataFrame, name: str, groupings: list[Grouping]) -> dict[str, Any]:
    unit, blocks, incomplete = experimental_unit(frame, name, groupings)
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
        "incomplete_blocks": ", ".join(incomplete),
    }


def _unit_path(unit: Grouping, frame: pd.DataFrame) -> tuple[str, ...]:
    """The name of the factor alone where its labels name the units, else with those around it."""
    return unit.own if _codes(frame, unit.own).max() + 1 == unit.levels else unit.path


def _random_part(groupings: list[Grouping]) -> str:
    """Factors whose units have several rows; of one in the other only the longest path."""
    with_rows = [g for g in groupings if np.bincount(g.codes).max() > 1]
    terms = ["/".join(map(as_written, g.path)) for g in innermost(with_rows)]
    written = [factor.path for term in terms for factor in nested_factors(term)]
    if sorted(written) != sorted(g.path for g in with_rows):
        terms = [":".join(map(as_written, g.path)) for g in with_rows]
    return " + ".join(f"(1 | {term})" for term in terms)


def _span(low: Any, high: Any) -> str:
    return f"{low}" if low == high else f"{low} to {high}"
