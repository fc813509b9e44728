"""Tables that an object holds: a reader gets a copy, and changes nothing that the object says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pandas as pd

_Class = TypeVar("_Class", bound=type)
_COPIES_AT_ONCE = int(pd.__version__.split(".")[0]) < 3  # later ones copy what is written to


def _copied(table: Any) -> Any:
    return table if table is None else table.copy(deep=_COPIES_AT_ONCE)


def _table(name: str) -> property:
    return property(
        lambda result: _copied(vars(result)[name]),
        lambda result, table: vars(result).update({name: table}),
    )


def hands_out_copies(*names: str) -> Callable[[_Class], _Class]:
    """Make attributes of a class, DataFrames, Series or None, hand out copies.

    Examples
    --------
    >>> @hands_out_copies("frame")
    ... class Result:
    ...     def __init__(self):
    ...         self.frame = pd.DataFrame({"estimate": [1.0]})
    >>> result = Result()
    >>> table = result.frame
    >>> table["estimate"] = 99.0
    >>> float(result.frame["estimate"][0])
    1.0
    """

    def decorated(of_results: _Class) -> _Class:
        for name in names:
            setattr(of_results, name, _table(name))
        return of_results

    return decorated


def beside(labels: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """The columns of a user, and those of a table itself, row by row.

    An own column that has the name of a user's gets ``_`` at its end.

    >>> beside(pd.DataFrame({"df": ["a"]}), pd.DataFrame({"estimate": [1.0], "df": [9.0]}))
      df  estimate  df_
    0  a       1.0  9.0
    """
    names = []
    for name in own:
        while name in labels:
            name += "_"
        names.append(name)
    columns = dict(zip(names, (own[name].to_numpy() for name in own), strict=True))
    return labels.reset_index(drop=True).assign(**columns)


class kept_table(property):
    """A property whose DataFrame or Series is computed when it is first asked for, and kept."""

    def __get__(self, result: Any, owner: type | None = None) -> Any:
        if result is None:
            return self
        kept, name = vars(result), self.fget.__name__
        if name not in kept:
            kept[name] = self.fget(result)
        return _copied(kept[name])
