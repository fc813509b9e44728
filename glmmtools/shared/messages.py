"""What can be said of a fit beyond its numbers: our warning classes.

A message is an instance of one of these classes: one sentence on what happened, one on what to try.
It is issued as a Python warning and kept in ``model.messages``; that a term has few units is only
kept there, and said below the tables that it is about.
"""

from __future__ import annotations

import contextlib
import inspect
import textwrap
import warnings
from collections.abc import Iterator

from glmmtools.shared.terminal import WIDTH, say


class GlmmWarning(UserWarning):
    """Base class of every warning of this package."""


class ConvergenceWarning(GlmmWarning):
    """The search for the estimates did not end at a maximum of the likelihood."""


class SingularFitWarning(GlmmWarning):
    """A variance is estimated at zero, or a correlation at -1 or 1."""


class SeparationWarning(GlmmWarning):
    """A covariate predicts the response perfectly, so that its estimate has no finite value."""


class DataWarning(GlmmWarning):
    """The data can be fitted, but something about them deserves a look."""


class FewUnitsWarning(GlmmWarning):
    """Tests and intervals that go by z rest on fewer units than z is right for."""


def singular_message(labels: tuple[str, ...], single: bool) -> SingularFitWarning:
    """What to say of terms at the boundary; `single`: each has one variance, no correlation."""
    what = "The variance is estimated at zero" if single else (
        "A variance is estimated at zero, or a correlation at -1 or 1,"
    )  # fmt: skip
    return SingularFitWarning(
        f"{what} in {', '.join(labels)}. The data hold too little information on that term: "
        "simplify it, or say so in the report."
    )


def issue(messages: tuple[GlmmWarning, ...]) -> None:
    """Raise each message as a Python warning that points at the caller's own line."""
    level, frame = 1, inspect.currentframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("glmmtools"):
        level, frame = level + 1, frame.f_back
    for message in messages:
        warnings.warn(message, stacklevel=level)


@contextlib.contextmanager
def printed_warnings() -> Iterator[None]:
    """Print the warnings of a block on standard output, in plain words.

    Lessons use it where a warning is part of the lesson: the text is the same on every machine.

    Examples
    --------
    >>> with printed_warnings():
    ...     warnings.warn(SingularFitWarning("The variance of herd is estimated at zero."))
    SingularFitWarning: The variance of herd is estimated at zero.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        say(textwrap.fill(f"{warning.category.__name__}: {warning.message}", WIDTH))
