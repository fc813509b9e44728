"""Facts about matrices that several rooms ask for."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def spans(larger: Array, smaller: Array) -> bool:
    """Whether the columns of one matrix are combinations of those of another.

    >>> spans(np.eye(2), np.ones((2, 1)))
    True
    """
    if smaller.shape[1] == 0:
        return True
    if smaller.shape[1] > larger.shape[1]:
        return False
    residual = smaller - larger @ np.linalg.lstsq(larger, smaller)[0]
    return bool(np.all(np.linalg.norm(residual, axis=0) <= 1e-8 * np.linalg.norm(smaller, axis=0)))
