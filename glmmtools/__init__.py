"""glmmtools: fit, check, test and draw generalized linear mixed models, beside a course.

>>> import glmmtools as gt
>>> seeds = gt.load_data("seeds")
>>> m = gt.fit("prop(germinated, seeds) ~ extract + (1 | plate)", seeds, family="binomial")
>>> m.converged
True
"""

try:
    from glmmtools import designs
    from glmmtools.bayes import to_bambi
    from glmmtools.bootstrap import bootstrap_lrt
    from glmmtools.datasets import load_data, stored_study
    from glmmtools.describe import describe_design
    from glmmtools.exercises import check
    from glmmtools.explore import explore
    from glmmtools.families import FAMILIES, Family, family
    from glmmtools.inference import compare, cross_check
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
    from glmmtools.model_table import table
    from glmmtools.plots.designs import plot_covariance, plot_design
    from glmmtools.plots.distributions import plot_distribution, plot_mean_variance, plot_support
    from glmmtools.plots.hierarchy import plot_hierarchy
    from glmmtools.plots.links import plot_link, plot_link_effect
    from glmmtools.preflight import preflight
    from glmmtools.simulation import covariance, simulate
    from glmmtools.study import coverage, power, recovery_study
    from glmmtools.suggest import suggest_family
    from glmmtools.truth import recovery
except Exception as error:
    from glmmtools.preflight import faults_behind

    if faults := faults_behind(error):
        raise ImportError("\n".join(["glmmtools does not run here", *faults])) from None
    raise

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
    "bootstrap_lrt",
    "check",
    "compare",
    "covariance",
    "coverage",
    "cross_check",
    "describe_design",
    "designs",
    "explore",
    "family",
    "fit",
    "link",
    "load_data",
    "plot_covariance",
    "plot_design",
    "plot_distribution",
    "plot_hierarchy",
    "plot_link",
    "plot_link_effect",
    "plot_mean_variance",
    "plot_support",
    "power",
    "preflight",
    "printed_warnings",
    "recovery",
    "recovery_study",
    "simulate",
    "stored_study",
    "suggest_family",
    "table",
    "to_bambi",
]
