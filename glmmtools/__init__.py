"""glmmtools: fit, check, test and draw generalized linear mixed models, beside a course.

>>> import glmmtools as gt
>>> seeds = gt.load_data("seeds")
>>> m = gt.fit("prop(germinated, seeds) ~ extract + (1 | plate)", seeds, family="binomial")
>>> m.converged
True
"""

from glmmtools.datasets import load_data
from glmmtools.exercises import check
from glmmtools.families import FAMILIES, Family, family
from glmmtools.inference import cross_check
from glmmtools.links import LINKS, Link, link
from glmmtools.messages import (
    ConvergenceWarning,
    DataWarning,
    GlmmWarning,
    SeparationWarning,
    SingularFitWarning,
    printed_warnings,
)
from glmmtools.model import FittedModel, fit
from glmmtools.preflight import preflight

__all__ = [
    "FAMILIES",
    "LINKS",
    "ConvergenceWarning",
    "DataWarning",
    "Family",
    "FittedModel",
    "GlmmWarning",
    "Link",
    "SeparationWarning",
    "SingularFitWarning",
    "check",
    "cross_check",
    "family",
    "fit",
    "link",
    "load_data",
    "preflight",
    "printed_warnings",
]
