"""The covariance structures by name; the one place where a structure is registered."""

from __future__ import annotations

from glmmtools.covariances.base import Structure
from glmmtools.covariances.columns import Independent, Unstructured
from glmmtools.covariances.levels import (
    CompoundSymmetry,
    HeterogeneousAutoregressive,
    HeterogeneousCompoundSymmetry,
    Toeplitz,
    UnstructuredLevels,
)
from glmmtools.covariances.series import FirstOrderAutoregressive, OrnsteinUhlenbeck

STRUCTURES: dict[str, type[Structure]] = {}


def register(structure: type[Structure]) -> type[Structure]:
    """Make a covariance structure known to formulas, and so to every function.

    Parameters
    ----------
    structure : subclass of Structure
        With a `name` of its own, by which a formula calls it.

    Returns
    -------
    type
        The structure, so that this may stand above a class as a decorator.

    Raises
    ------
    ValueError
        If another structure has that name, or is meant by the same bar.
    """
    for other in STRUCTURES.values():
        if structure.name == other.name or (structure.bar and structure.bar == other.bar):
            raise ValueError(
                f"the structure {structure.name!r} has the name or the bar of {other.__name__}"
            )
    STRUCTURES[structure.name] = structure
    return structure


def structure_of_bar(bar: str) -> type[Structure]:
    """The structure that a bar alone means, ``|`` or ``||``."""
    return next(each for each in STRUCTURES.values() if each.bar == bar)


def called_in_formulas() -> tuple[str, ...]:
    """Names of the structures that a formula calls like a function."""
    return tuple(name for name, structure in STRUCTURES.items() if not structure.bar)


for _structure in (
    Unstructured, Independent, CompoundSymmetry, FirstOrderAutoregressive, OrnsteinUhlenbeck,
    HeterogeneousCompoundSymmetry, HeterogeneousAutoregressive, Toeplitz, UnstructuredLevels,
):  # fmt: skip
    register(_structure)
