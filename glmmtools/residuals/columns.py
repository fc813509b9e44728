"""The values that a test sets residuals against: a column of the data, or values given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.shared.text import listed, nearest

Array = np.ndarray


def values_by_row(model: Fit, given: Any, argument: str) -> Array:
    """A column of the data of the fit, by name, or the values given, shape (n,).

    Raises
    ------
    ValueError
        If there is no such column, not one value for each row, or a value is missing.
    """
    index = model.problem.design.frame.index
    if isinstance(given, str):
        frame = model.problem.design.frame
        if given not in frame.columns:
            raise ValueError(
                f"{argument}: the model uses no column {given!r}{nearest(given, frame.columns)}"
                f". It uses {listed(frame.columns)}; give any other column by its values, as "
                f"{argument}=data[{given!r}]"
            )
        values = frame[given]
    elif isinstance(given, pd.Series) and given.index.is_unique and index.isin(given.index).all():
        values = given.loc[index]
    else:
        values = pd.Series(np.asarray(given))
        if len(values) != len(index):
            raise ValueError(
                f"{argument} needs one value for each of the {len(index)} rows of the fit; "
                f"got {len(values)}"
            )
    if values.isna().any():
        raise ValueError(
            f"{argument} has a missing value in row {index[values.isna().to_numpy()][0]}"
        )
    return values.to_numpy()


def name_of(given: Any, otherwise: str) -> str:
    """The name of a column or a Series; else `otherwise`."""
    return str(given if isinstance(given, str) else getattr(given, "name", None) or otherwise)
