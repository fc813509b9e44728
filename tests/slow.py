"""Marks for parameters that take long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def some_slow(values: Iterable[Any], is_slow: Callable[[Any], Any]) -> list[Any]:
    """The values as parameters of a test, of which some are for the slow suite."""
    return [
        pytest.param(value, marks=pytest.mark.slow) if is_slow(value) else value for value in values
    ]
