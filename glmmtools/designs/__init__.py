"""Layouts of experiments, their description and pictures, and responses with a known truth.

Imports `model` and below. Its public names make layouts:

>>> from glmmtools import designs
>>> designs.rcbd(["A", "B"], blocks=2).columns.tolist()
['block', 'plot', 'row', 'column', 'treatment']
"""

from glmmtools.designs.layouts import crd, nested, rcbd, repeated, split_plot

__all__ = ["crd", "nested", "rcbd", "repeated", "split_plot"]


def __dir__() -> list[str]:
    return __all__
