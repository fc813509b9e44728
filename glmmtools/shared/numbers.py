"""Numbers as text: fixed decimals, significant digits, p-values, tables of estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

DECIMALS = 4


def fixed(value: float, decimals: int = DECIMALS) -> str:
    """A number with fixed decimals and no negative zero; a dash for what could not be computed.

    >>> fixed(-0.00001, 2), fixed(float("nan")), fixed(float("inf"), 1)
    ('0.00', '–', 'inf')
    """
    if np.isnan(value):
        return "–"
    return f"{value if round(value, decimals) != 0 else 0:.{decimals}f}"


def number(value: float) -> str:
    """Four decimals; scientific notation for what would show as zero or as a long number.

    >>> number(1.2345678), number(1.2e-6), number(0.0)
    ('1.2346', '1.20e-06', '0.0000')
    """
    if value == 0 or 1e-3 <= abs(value) < 1e7 or not np.isfinite(value):
        return fixed(value)
    return f"{value:.2e}"


def with_digits(values: Iterable[float], size: float, digits: int) -> list[str]:
    """Numbers with the decimals that show so many digits of `size`.

    >>> with_digits([1.2345, 0.1234], 0.0567, 2)
    ['1.234', '0.123']
    """
    if not (np.isfinite(size) and 1e-8 < size < 1e8):
        return [number(value) for value in values]
    decimals = int(max(0, digits - 1 - np.floor(np.log10(size))))
    return [fixed(value, decimals) for value in values]


def percent(level: float) -> str:
    """A confidence level, never rounded to one that it is not.

    >>> percent(0.95), percent(0.999)
    ('95%', '99.9%')
    """
    return f"{100 * level:.10g}%"


def three_digits(value: float) -> str:
    """Three significant digits: ``"13.0"``, ``"0.0409"``, ``"1234"``."""
    if value == 0 or not 1e-4 <= abs(value) < 1e6:
        return number(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def p_text(value: float) -> str:
    """A p-value with four decimals, never zero.

    >>> p_text(0.03217), p_text(1e-9)
    ('0.0322', '<0.0001')
    """
    return "<0.0001" if value < 0.0001 else fixed(value)


def estimates_as_text(
    table: pd.DataFrame, estimate: Callable[[float], str] = number
) -> pd.DataFrame:
    """A table of estimates, its numbers as text; without ``df`` where all of them are infinite.

    `estimate` writes an estimate, its standard error and the limits of its interval.

    >>> table = pd.DataFrame({"estimate": [0.5], "df": [np.inf], "p_value": [1e-9]})
    >>> estimates_as_text(table).to_dict("records")
    [{'estimate': '0.5000', 'p_value': '<0.0001'}]
    """
    if "df" in table and not np.isfinite(table["df"]).any():
        table = table.drop(columns="df")
    as_text = dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high"), estimate) | {
        "df": lambda value: fixed(value, 1),
        "statistic": lambda value: fixed(value, 2),
        "p_value": p_text,
    }
    return table.assign(
        **{name: list(map(as_text[name], table[name])) for name in table if name in as_text}
    )
