"""The data sets of the course, from the folder ``data``; nothing is downloaded."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.text import nearest

_PACKAGE = Path(__file__).parents[1]


def data_folder() -> Path:
    """The data inside an installed wheel, else those beside the package in the repository."""
    inside = _PACKAGE / "data"
    return inside if inside.is_dir() else _PACKAGE.parent / "data"


@cache
def data_index() -> pd.DataFrame:
    """Return the table of data sets: name, file, rows, sha256, source, categories."""
    return pd.read_csv(data_folder() / "index.csv", keep_default_na=False).set_index("name")


def _entry(name: str) -> pd.Series:
    """The row of the index for one data set."""
    index = data_index()
    if name not in index.index:
        raise ValueError(
            f"there is no data set {name!r}{nearest(name, index.index)}. "
            f"Data sets: {', '.join(index.index)}"
        )
    return index.loc[name]


def load_data(name: str = "?") -> pd.DataFrame:
    """Load one data set of the course; grouping factors and treatments come as categories.

    Parameters
    ----------
    name : str
        A name from ``data/README.md``; ``"?"`` returns the list of names, rows and sources.

    Raises
    ------
    ValueError
        If there is no data set of that name.

    Examples
    --------
    >>> load_data("herds").head(2)
      herd period  incidence  size
    0    1      1          2    14
    1    1      2          3    12
    """
    check_arguments(load_data, locals())
    if name == "?":
        return data_index()[["rows", "source"]]
    entry = _entry(name)
    frame = pd.read_csv(data_folder() / entry["file"])
    for part in filter(None, entry["categories"].split(";")):
        column, _, levels = part.partition("=")
        values, numeric = frame[column], pd.api.types.is_numeric_dtype(frame[column])
        if numeric:
            values = values.map("{:g}".format, na_action="ignore")
        order = sorted(values.dropna().unique(), key=float if numeric else None)
        frame[column] = pd.Categorical(values, levels.split(",") if levels else order)
    return frame


def data_file(name: str) -> Path:
    """The file of a data set as it is stored, to be read as one reads a file of one's own.

    Parameters
    ----------
    name : str
        A name from ``data/README.md``.

    Raises
    ------
    ValueError
        If there is no data set of that name.

    Examples
    --------
    >>> import pandas as pd
    >>> pd.read_csv(data_file("slugs")).columns.tolist()
    ['farm', 'bed', 'trap', 'treatment', 'moisture', 'nights', 'slugs']
    """
    check_arguments(data_file, locals())
    return data_folder() / _entry(name)["file"]


def stored_study(name: str) -> Path:
    """The file of a finished simulation study of the course, for ``path=`` of the same call.

    ``data/studies/README.md`` says what each one holds, and with which command it was made.

    Examples
    --------
    >>> stored_study("power_pens").name
    'power_pens.csv'
    """
    check_arguments(stored_study, locals())
    folder = data_folder() / "studies"
    paths = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    if name not in paths:
        raise ValueError(
            f"there is no stored study {name!r}{nearest(name, paths)}. Stored: {', '.join(paths)}"
        )
    return paths[name]
