"""glmmtools: fit, check, test and draw generalized linear mixed models, beside a course.

>>> import glmmtools as gt
>>> seeds = gt.load_data("seeds")
>>> m = gt.fit("prop(germinated, seeds) ~ extract + (1 | plate)", seeds, family="binomial")
>>> m.converged
True
"""

try:
    from glmmtools import designs
    from glmmtools.course.check import check
    from glmmtools.course.datasets import data_file, load_data, stored_study
    from glmmtools.course.explore import explore
    from glmmtools.course.preflight import preflight
    from glmmtools.course.progress import progress
    from glmmtools.designs.description import describe_design
    from glmmtools.designs.hierarchy import plot_hierarchy
    from glmmtools.designs.plots import plot_covariance, plot_design
    from glmmtools.designs.simulation import covariance, simulate
    from glmmtools.designs.truth import recovery
    from glmmtools.families.base import Family
    from glmmtools.families.distribution_plots import plot_distribution
    from glmmtools.families.link_plots import plot_link, plot_link_effect
    from glmmtools.families.links import LINKS, Link, link
    from glmmtools.families.lookup import FAMILIES, family
    from glmmtools.families.mean_variance_plots import plot_mean_variance
    from glmmtools.families.suggest import suggest_family
    from glmmtools.families.support_plots import plot_support
    from glmmtools.inference.bayes import to_bambi
    from glmmtools.inference.bootstrap import bootstrap_lrt
    from glmmtools.inference.comparison import compare
    from glmmtools.inference.covariance_table import covariance_table
    from glmmtools.inference.cross_check import cross_check
    from glmmtools.model import FittedModel, fit, gee
    from glmmtools.report.model_table import table
    from glmmtools.shared.messages import (
        ConvergenceWarning,
        DataWarning,
        FewUnitsWarning,
        GlmmWarning,
        SeparationWarning,
        SingularFitWarning,
        printed_warnings,
    )
    from glmmtools.shared.style import palette
    from glmmtools.studies.study import coverage, power, recovery_study
except Exception as error:
    from glmmtools.course.preflight import faults_behind

    if faults := faults_behind(error):
        raise ImportError("\n".join(["glmmtools does not run here", *faults])) from None
    raise

__all__ = [
    "FAMILIES",
    "LINKS",
    "ConvergenceWarning",
    "DataWarning",
    "Family",
    "FewUnitsWarning",
    "FittedModel",
    "GlmmWarning",
    "Link",
    "SeparationWarning",
    "SingularFitWarning",
    "bootstrap_lrt",
    "check",
    "compare",
    "covariance",
    "covariance_table",
    "coverage",
    "cross_check",
    "data_file",
    "describe_design",
    "designs",
    "explore",
    "family",
    "fit",
    "gee",
    "link",
    "load_data",
    "palette",
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
    "progress",
    "recovery",
    "recovery_study",
    "simulate",
    "stored_study",
    "suggest_family",
    "table",
    "to_bambi",
]


def __dir__() -> list[str]:
    return __all__
