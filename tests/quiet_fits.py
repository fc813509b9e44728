"""Fits without warnings, for tests that are about something else."""

import warnings

import glmmtools as gt


def quietly(*arguments, **options):
    """The fit without its warnings, where a test is about something else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        return gt.fit(*arguments, **options)
