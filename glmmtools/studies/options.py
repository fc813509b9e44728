"""The arguments that power, coverage and recovery_study have in common, written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeVar

from glmmtools.formula.specification import specified_model
from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.text import listed, nearest

SomeStudy = TypeVar("SomeStudy", bound=Callable)


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyOptions:
    """Truth, sizes and replicates of a study, as documented in :func:`power`.

    Attributes
    ----------
    truth : dict
        The parameters that were given: keyword arguments of :func:`specified_model`.
    """

    truth: Mapping[str, Any]
    along: str | None = None
    within: str | None = None
    sizes: Any = None
    n: int = 1000
    seed: int = 0
    n_jobs: int | None = None
    path: Any = None
    progress: bool = True
    analysis: Mapping[str, Any] | None = None


_TRUTH = {
    p.name: p for p in signature(specified_model).parameters.values() if p.kind == p.KEYWORD_ONLY
}
_RUN = {name: p for name, p in signature(StudyOptions).parameters.items() if name != "truth"}


def study_options(given: Mapping[str, Any]) -> StudyOptions:
    """The options of a study, from its keyword arguments.

    Raises
    ------
    ValueError
        For a name that is none of them.
    """
    for name, value in given.items():
        if name == "effects":
            raise ValueError(f"what a study follows is terms=, no longer effects=: terms={value!r}")
        if name not in _TRUTH | _RUN:
            raise ValueError(
                f"{name!r} is no argument of a study{nearest(name, ('terms', *_TRUTH, *_RUN))}"
                f". The truth takes {listed(_TRUTH, 9)}; departures such as missing= are for "
                "gt.simulate"
            )
    truth = {name: value for name, value in given.items() if name in _TRUTH}
    options = StudyOptions(truth=truth, **{name: given[name] for name in given if name in _RUN})
    check_arguments(StudyOptions, vars(options))
    return options


def showing_options(study: SomeStudy) -> SomeStudy:
    """Write the options into the signature of a study, where help and completion read it."""
    whole = signature(study)
    own = [p for p in whole.parameters.values() if p.kind != p.VAR_KEYWORD]
    study.__signature__ = whole.replace(parameters=[*own, *_TRUTH.values(), *_RUN.values()])
    return study
