"""The parameters of a fit: the coefficients with tests and intervals, and all of them by name."""

from __future__ import annotations

import pandas as pd

from glmmtools.fitted.degrees_of_freedom import reference
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.parts import PARTS, PartFit, part_of, parts_of
from glmmtools.fitted.random_tables import component_values
from glmmtools.fitted.wald import t_quantile, two_sided_p
from glmmtools.shared.arguments import check_arguments, one_of


def cov_params(model: Fit) -> pd.DataFrame:
    """Covariance matrix of the fixed effects."""
    names = list(model.design.names)
    return pd.DataFrame(model.estimate.cov_beta, index=names, columns=names, copy=True)


def tidy(
    model: Fit, level: float = 0.95, df: str = "auto", *, part: str | None = None
) -> pd.DataFrame:
    """Return the coefficients as one table.

    Parameters
    ----------
    level : float
        Confidence level of the Wald intervals.
    df : {"auto", "containment", "satterthwaite", "kenward-roger", "infinite"}
        Degrees of freedom. "auto": Satterthwaite's for linear mixed models, the residual ones for
        least squares, infinite (z) for all others. "containment" goes by the layout, for every
        family: a treatment of 8 farms has 6, however many animals a farm has. "kenward-roger" is
        for linear mixed models fitted by REML, and has standard errors of its own. Of the fixed
        effects; coefficients of the other parts go by z.
        With few units take "containment": at twelve designs the sizes of 5 % tests of a treatment
        of 6 to 60 units were 5 to 15 % by z and 4 to 7 % by it, but for a split plot of counts with
        6 blocks and counts nested in 8 schools of 4 classes (8 %, and 95 % intervals that cover 92
        and 91 %); ``benchmarks/calibration.md``.
    part : {"mean", "zero", "dispersion"}, optional
        The fixed effects, or the coefficients of `zero_inflation` (on the logit scale) or of
        `dispersion_formula` (on the log scale). Default: all, those of the other two called
        ``logit zero: x`` and ``log phi: x``.

    Returns
    -------
    DataFrame
        Indexed by coefficient; columns ``estimate, std_error, df, statistic, p_value, conf_low,
        conf_high``. ``df`` is infinite for z tests.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> m.tidy(df="containment")["df"].tolist()
    [14.0, 38.0, 38.0, 38.0]
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=300)
    >>> y = np.where(rng.random(300) < 0.3, 0, rng.poisson(np.exp(1 + 0.5 * x)))
    >>> m = gt.fit("y ~ x", {"x": x, "y": y}, "poisson", zero_inflation="~ 1")
    >>> m.tidy()[["estimate", "std_error"]].round(2)
                           estimate  std_error
    term
    Intercept                  1.03       0.05
    x                          0.57       0.04
    logit zero: Intercept     -0.76       0.15
    """
    check_arguments(tidy, locals())
    one_of("part", part, (None, *PARTS))
    if part is not None:
        return _coefficients(part_of(model, part), level, df, "{}")
    tables = [
        _coefficients(part_of(model, each), level, df, called)
        for each, called in parts_of(model).items()
    ]
    return pd.concat(tables) if len(tables) > 1 else tables[0]


def _coefficients(model: Fit, level: float, df: str, called: str) -> pd.DataFrame:
    """The table of one part, whose coefficients are called so beside those of the others."""
    std_error, df = reference(model, "auto" if isinstance(model, PartFit) else df).by_coefficient
    table = pd.DataFrame({"estimate": model.params, "std_error": std_error})
    table["df"], table["statistic"] = df, model.params / std_error
    table["p_value"] = two_sided_p(table["statistic"].to_numpy(), df)
    half = t_quantile(level, df) * std_error
    table["conf_low"], table["conf_high"] = model.params - half, model.params + half
    return table.set_axis(list(map(called.format, table.index))).rename_axis("term")


def parameters(model: Fit, fixed: bool = False) -> pd.Series:
    """Return coefficients, sds and correlations of random effects and residuals, and the shape.

    Those that the family was given, as the df of ``family("t", df=8)``, only if `fixed`.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days | subject)", gt.load_data("sleep"))
    >>> list(parameters(m).index)[2:]
    ['sd subject Intercept', 'sd subject days', 'corr subject Intercept, days', 'residual sd']
    """
    terms, estimates = [term for term, _ in model.structured_terms], model.estimate.structured
    others = component_values(
        terms, [each.covariance for each in estimates], [each.correlation for each in estimates]
    )
    # the residual sd says the same
    hidden = ["phi"] if model.family.has_residual_variance else []
    hidden += [] if fixed else list(model.family.fixed)
    others |= dict(model.dispersion.drop(hidden, errors="ignore"))
    # a column of the data may be called "sd subject days"
    own = {f"`{name}`" if name in others else name: value for name, value in model.params.items()}
    return pd.Series(own | others, dtype=float)
