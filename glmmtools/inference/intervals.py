"""Confidence intervals: Wald's, those of the bootstrap, and by the profile of the likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.fitted.fit import Fit, require_converged, require_maximum
from glmmtools.fitted.parameters import tidy
from glmmtools.fitted.parts import part_of, parts_of
from glmmtools.fitted.random_tables import parameter_name
from glmmtools.inference.bootstrap import bootstrap
from glmmtools.inference.one_sided import infinite_intervals
from glmmtools.inference.profile import Profile
from glmmtools.shared.arguments import check_arguments, one_of


def conf_int(
    model: Fit,
    level: float = 0.95,
    method: str = "wald",
    df: str = "auto",
    *,
    part: str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Confidence intervals.

    Parameters
    ----------
    level : float
        Strictly between 0 and 1.
    method : {"wald", "profile", "bootstrap"}
        Wald intervals of the coefficients (Student's t where the degrees of freedom are
        finite); or, of all parameters, variances included, profile-likelihood intervals, or
        percentiles of a parametric bootstrap.
    df : {"auto", "containment", "satterthwaite", "kenward-roger", "infinite"}
        Of Wald intervals, as in :meth:`tidy`.
    part : {"mean", "zero", "dispersion"}, optional
        Only the coefficients of one part of the model, by their own names: see :meth:`tidy`.
    **options
        With ``method="bootstrap"``: those of :meth:`bootstrap`, such as ``n`` and ``n_jobs``, and
        the ``kind`` of :meth:`Bootstrap.conf_int`.

    Returns
    -------
    DataFrame
        Columns ``conf_low`` and ``conf_high``; by profile or bootstrap also ``estimate``.
    """
    check_arguments(conf_int, locals())
    one_of("method", method, ("wald", "profile", "bootstrap"))
    if options and method != "bootstrap":
        raise ValueError(f"{', '.join(options)}: options of method='bootstrap', not {method!r}")
    if method != "wald" and df != "auto":
        raise ValueError(f"df= is for Wald intervals, not for method={method!r}")
    if method == "profile":
        return profile_intervals(model, level, part)
    if method == "bootstrap":
        names = None if part is None else _names_in_tables(model, part)
        kind = options.pop("kind", "percentile")
        if kind == "studentized" and part not in (None, "mean"):
            raise ValueError(
                f"kind='studentized' is for the coefficients of the mean, not for part={part!r}; "
                "use kind='percentile' or 'basic'"
            )
        table = bootstrap(model, **options).conf_int(level, kind)
        return table if names is None else table.loc[list(names)].rename(index=names)
    return tidy(model, level, df, part=part)[["conf_low", "conf_high"]]


def _names_in_tables(model: Fit, part: str) -> dict[str, str]:
    """How the coefficients of a part are called among all parameters, with their own names."""
    own = part_of(model, part).design.names
    if part == "zero" and model.in_the_limit.problem.zero.is_one_number:
        return {"zero": "zero"}
    return {parts_of(model)[part].format(name): name for name in own}


def profile_intervals(model: Fit, level: float, part: str | None = None) -> pd.DataFrame:
    """Profile-likelihood intervals of coefficients, sds, correlations and shape parameters.

    One probability of an extra zero (``zero_inflation="~ 1"``) is the parameter ``zero``.

    The limits are the values of a parameter at which twice the log-likelihood, maximised over all
    other parameters, has fallen by the chi-square quantile. An sd whose likelihood at zero has not
    fallen that far has the lower limit 0 (a correlation: -1 or 1); a limit beyond all values that
    were tried is nan. The interval of a coefficient that separation makes infinite has one end.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> m.conf_int(method="profile").round(2).loc["sd herd Intercept"]
    estimate     0.64
    conf_low     0.35
    conf_high    1.10
    Name: sd herd Intercept, dtype: float64
    """
    require_profile(model)
    drop = special.chdtri(1, 1 - level) / 2
    wanted = None if part is None else _names_in_tables(model, part)
    rows = infinite_intervals(model, drop) if model.separated and part in (None, "mean") else {}
    finite = model.in_the_limit
    if finite.nobs and finite.df_model:
        profile, unknown = Profile.of(model), _unknown(finite)
        rows |= {
            name: (quantity(profile.best), np.nan, np.nan)
            if name in unknown
            else profile.interval(quantity, drop)
            for name, quantity in profile.quantities().items()
            if name not in rows and (wanted is None or name in wanted)
        }
    columns = ["estimate", "conf_low", "conf_high"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("term")
    if wanted is not None:
        return table.loc[[name for name in wanted if name in table.index]].rename(index=wanted)
    coefficients = [name for name in model.params.index if name in table.index]
    return table.loc[[*coefficients, *table.index.difference(coefficients, sort=False)]]


def require_profile(model: Fit) -> None:
    """Raise ValueError with the reason if the model has no profile."""
    require_maximum(model, "a profile needs")
    if model.problem.nagq > 1:
        raise ValueError("profile intervals are for the Laplace approximation; fit with nagq=1")
    require_converged(model, "a profile needs")


def _unknown(model: Fit) -> set[str]:
    """Parameters without limits: terms share a variance, or the rho of a series lies at 1 or -1.

    There the likelihood is flat, or has several maxima along the profiles, and the search finds any
    of them.
    """
    problem, shared = model.problem, []
    for found, terms in (
        (problem.identification, problem.design.random),
        (problem.zero_identification, problem.zero_random),
    ):
        tangled = [] if found is None else found.tangled()
        shared += [
            term
            for k, term in enumerate(terms)
            if k in tangled or (term.structure.has_rho and term.label in model.estimate.singular)
        ]
    unknown = {
        parameter_name(what, term, name)
        for term in shared
        for what, names in (
            ("sd", term.structure.sd_names),
            ("corr", term.structure.correlation_names),
        )
        for name in names
    }
    beside_residual = any(term.part == "mean" for term in shared)
    return unknown | {"residual sd"} if beside_residual else unknown
