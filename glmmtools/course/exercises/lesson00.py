"""Exercises of lesson 00, Start here."""

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.kinds import Number


def _herds():
    return load_data("herds")


EXERCISES = (
    Number(
        "00.1",
        solution=lambda: len(_herds()),
        decimals=0,
        because="One row is one herd in one period, and a few herd-periods were lost.",
        hint="len(herds) counts the rows of a table.",
        slips=lambda: {
            _herds()["herd"].nunique() * _herds()["period"].nunique(): "That is herds times "
            "periods: the rows planned. Count those that are there.",
            _herds().shape[1]: "That is the number of columns; the rows are asked for.",
            _herds().size: "That is rows times columns: every cell of the table.",
            _herds()["herd"].nunique(): "That is the number of herds. Most have several rows.",
        },
    ),
)
