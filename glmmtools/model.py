"""`fit`, `gee` and `FittedModel`: everything a user asks of one fitted model."""

from __future__ import annotations

from typing import Any

from glmmtools.engine import choice as engines
from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.fitted import effect_plots, parameters, random_effect_plots
from glmmtools.fitted.build import build_population_problem, build_problem
from glmmtools.fitted.covariance import covariance, random_covariance
from glmmtools.fitted.degrees_of_freedom import contrast_df
from glmmtools.fitted.fit import Fit
from glmmtools.fitted.pooling import pooling
from glmmtools.fitted.prediction import predict, resid, simulate
from glmmtools.inference.anova import anova
from glmmtools.inference.bootstrap import bootstrap
from glmmtools.inference.influence import influence
from glmmtools.inference.intervals import conf_int
from glmmtools.inference.profile_plots import plot_profile
from glmmtools.inference.r2 import icc, r2
from glmmtools.inference.refit import refit, update
from glmmtools.inference.vif import vif
from glmmtools.means.marginal_means import means
from glmmtools.means.slopes import slopes
from glmmtools.report.equation import Equation, equation
from glmmtools.report.paragraph import report
from glmmtools.report.summary import glance, summary_content
from glmmtools.residuals.simulated import simulated_residuals
from glmmtools.shared import messages
from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.shown import Shown
from glmmtools.shared.terminal import say
from glmmtools.shared.text import nearest

_SAY_MORE = ("formula", "dispersion_formula", "zero_inflation", "nagq", "groups", "time")


def fit(
    formula: str,
    data: Any,
    family: str | Family = "normal",
    *,
    link: str | Link | None = None,
    offset: Any = None,
    weights: Any = None,
    dispersion_formula: str | None = None,
    zero_inflation: str | None = None,
    residual: str | None = None,
    penalty: float | None = None,
    reml: bool = False,
    nagq: int = 1,
    engine: str = "laplace",
) -> FittedModel:
    """Fit a generalized linear mixed model.

    Parameters
    ----------
    formula : str
        ``response ~ fixed part + (columns | group)``, as in lme4. The response is a column or an
        expression; for successes out of trials ``prop(successes, trials)`` or
        ``cbind(successes, failures)``. ``offset(...)`` in the formula is added to the linear
        predictor. ``^`` is a power; a column of any name may stand in backquotes. A formula is
        code, evaluated as Python: fit none that a stranger wrote, as in a web application.
    data : DataFrame or dict
        One row an observation. Numbers of every type are computed with as float64; booleans, text
        and categories are factors with the levels that occur. Rows with a missing value in a column
        that is used are dropped and counted in the summary.
    family : str or Family
        Distribution of the response given the random effects, see :func:`glmmtools.family`.
    link : str or Link, optional
        Default: the family's default link.
    offset : str or array_like, optional
        A column, which is ``offset(column)`` in the formula; or one value a row, which predictions
        for new rows do not have. On the scale of the linear predictor. A Series, here and as
        weights, is taken by its labels.
    weights : str or array_like, optional
        For binomial families the trials of a proportion; for the normal family the prior weights w
        in Var(y | u) = phi / w; otherwise each row's log-likelihood is multiplied by its weight.
    dispersion_formula : str, optional
        ``"~ x"``: the logarithm of the dispersion phi is linear in x.
    zero_inflation : str, optional
        ``"~ 1"`` or ``"~ x"``: a count is an extra zero with a probability whose logit is linear
        in x. With a family that leaves zero out (gamma, lognormal, beta, truncated counts) all
        zeros are of this part, and the formula is of the other values: a two-part, or hurdle,
        model. ``"~ x + (1 | site)"``: the logit has random effects too, independent of those of the
        mean; the integral over both is Laplace's. ``"~ 0"`` is none.
    residual : str, optional
        ``"us(week | pig)"``: how the residuals of a group covary, for normal models with identity
        link: Var(y) = ZGZ' + R, with the R of this structure in place of one residual variance.
        ``us, toep, cs, hcs, ar1, har1`` and ``ou`` are those of random terms; rows of two groups
        have independent residuals. The mixed model for repeated measures is ``residual=`` with
        ``reml=True``, tested with ``df="kenward-roger"``: with 5 animals in each of 3 groups and 4
        times the test of treatment × time at 5 % rejected in 5.5 % (us) and 4.2 % (toep) of 1000
        data sets, ± 0.7; Satterthwaite's in 11 % (us) (``benchmarks/repeated_measures.md``).
    penalty : float, optional
        Standard deviation of a normal prior, with mean 0, on the slope of each column of the fixed
        part times the standard deviation of the column: a cure for separation, with 2.5 as a weak
        one. The intercept is free; slopes of levels depend on the coding. Estimates are modes,
        standard errors are of the curvature there, and the log-likelihood is that without the
        prior: AIC, likelihood ratios and REML are refused. After Gelman, Jakulin, Pittau & Su
        (2008), Ann. Appl. Stat. 2:1360.
    reml : bool
        Restricted maximum likelihood (normal family only).
    nagq : int
        Nodes of the adaptive Gauss-Hermite quadrature; 1 is the Laplace approximation.
    engine : {"laplace", "statsmodels"}
        "laplace" is the package's own engine, which fits every model. "statsmodels" is a second
        opinion on those that both can fit, see :func:`glmmtools.cross_check`.

    Returns
    -------
    FittedModel

    Raises
    ------
    ValueError
        For wrong input; the message names the column, the value and its row, and the likely slip.

    Warns
    -----
    ConvergenceWarning, SingularFitWarning, SeparationWarning, DataWarning
        Also kept in ``model.messages``. A DataWarning names the columns that are left out because
        others determine them, as in R.

    Examples
    --------
    >>> import glmmtools as gt
    >>> herds = gt.load_data("herds")
    >>> m = gt.fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    >>> m.params.round(2)
    Intercept     -1.40
    period[T.2]   -0.99
    period[T.3]   -1.13
    period[T.4]   -1.58
    Name: estimate, dtype: float64
    """
    check_arguments(fit, locals(), but=_SAY_MORE)
    problem = build_problem(
        formula, data, family, link, offset, weights, dispersion_formula, zero_inflation, reml,
        nagq, penalty, residual,
    )  # fmt: skip
    chosen = engines.choose(problem, engine)
    model = FittedModel(problem, chosen.fit(problem))
    messages.issue(model.issued)
    return model


def gee(
    formula: str,
    data: Any,
    family: str | Family = "normal",
    *,
    groups: str,
    working: str = "exchangeable",
    time: str | None = None,
    link: str | Link | None = None,
    offset: Any = None,
    weights: Any = None,
) -> FittedModel:
    """Fit a population-averaged model by generalized estimating equations (GEE).

    It says how the mean over the population depends on the covariates, ``g(E(y)) = X β``, without
    random effects. How the rows of a group are alike is a *working correlation*: it may be wrong,
    for the standard errors are robust ones (sandwich), from the scatter between groups. There is no
    likelihood, so that likelihood ratios, AIC, profiles and simulations refuse; Wald tests and
    intervals, means and pictures work as for any model. The equations of Liang & Zeger (1986,
    Biometrika 73:13) are solved by statsmodels' GEE.

    Parameters
    ----------
    formula : str
        As in :func:`fit`, without random terms.
    data : DataFrame or dict
    family : str or Family
        Whose variance is that of a row up to a factor: normal, binomial, poisson or gamma.
    groups : str
        Column that says which rows are alike; ``"farm:pen"`` for pens numbered within farms.
    working : {"exchangeable", "ar1", "independence", "unstructured"}
        The correlation of two rows of a group: the same for any two; ``alpha ** |t - s|`` for rows
        at the times t and s; none; one for each pair of times. What was estimated is in
        ``model.working_correlation``.
    time : str, optional
        Column of the times, for ``"ar1"`` and ``"unstructured"``. Default: the rows of a group are
        1, 2, … in the order of the data.
    link, offset : optional
        As in :func:`fit`.
    weights : str or array_like, optional
        For binomial families the trials of a proportion, else w in Var(y) = phi v(mu) / w.

    Returns
    -------
    FittedModel
        With ``engine`` and ``method`` ``"gee"`` and ``"GEE"``.

    Raises
    ------
    ValueError
        For wrong input, as `fit`; where the data do not tell the working correlation.

    Warns
    -----
    ConvergenceWarning, SeparationWarning, DataWarning
        Also of few groups: the robust standard errors want 40 or more.

    Examples
    --------
    >>> import glmmtools as gt
    >>> wheeze = gt.load_data("wheeze")
    >>> m = gt.gee("wheeze ~ age + smoke", wheeze, "binomial", groups="child")
    >>> m.tidy()[["estimate", "std_error"]].round(3)
                  estimate  std_error
    term
    Intercept       -0.860      0.381
    age             -0.113      0.044
    smoke[T.yes]     0.265      0.178
    >>> print(m.working_correlation.text)
    exchangeable within child: 0.354 between any two rows
    """
    check_arguments(gee, locals(), but=_SAY_MORE)
    problem = build_population_problem(
        formula, data, family, link, offset, weights, groups, time, working
    )
    model = FittedModel(problem, engines.choose(problem, engines.gee.NAME).fit(problem))
    messages.issue(model.issued)
    return model


_ELSEWHERE = {
    "letters": "m.means('treatment').letters()",
    "contrasts": "m.means('treatment').contrasts()",
    "emmeans": "m.means('treatment')",
    "coef": "m.params, or m.tidy() with intervals",
    "fixef": "m.params, or m.tidy() with intervals",
    "ranef": "m.random_effects",
    "vcov": "m.cov_params()",
    "residuals": "m.resid(), or m.simulated_residuals() for tests",
    "loglik": "m.llf",
    "plot": "m.plot_effects('x'), or another method that begins with plot_",
}


class FittedModel(Shown, Fit):
    """A fitted model: its estimates, tables, tests, means and pictures.

    Made by :func:`fit` or :func:`gee`. Printing it, or leaving it as the last line of a notebook
    cell, shows the summary. Every table is a DataFrame.
    """

    def __getattr__(self, name: str) -> Any:
        """Only for what a model does not have: say where it is."""
        way = _ELSEWHERE.get(name)
        where = f"; that is {way}" if way else nearest(name, dir(type(self)))
        raise AttributeError(f"a fitted model has no {name!r}{where}", name=name, obj=self)

    # -- what was estimated

    tidy = parameters.tidy
    conf_int = conf_int
    cov_params = parameters.cov_params
    contrast_df = contrast_df
    random_covariance = random_covariance
    covariance = covariance
    pooling = pooling
    glance = glance

    # -- rows, old and new

    predict = predict
    resid = resid
    simulate = simulate
    refit = refit
    update = update

    # -- checks, tests and comparisons

    simulated_residuals = simulated_residuals
    anova = anova
    bootstrap = bootstrap
    influence = influence
    vif = vif
    r2 = r2
    icc = icc
    means = means
    slopes = slopes

    # -- pictures

    plot_effects = effect_plots.plot_effects
    plot_fit = effect_plots.plot_fit
    plot_random_effects = random_effect_plots.plot_random_effects
    plot_shrinkage = random_effect_plots.plot_shrinkage
    plot_covariance = random_effect_plots.plot_covariance
    plot_profile = plot_profile

    # -- report

    report = report

    def equation(self) -> Equation:
        """Return the model as a hierarchy in LaTeX: data model, process model, parameter model."""
        return equation(self.problem)

    def summary(self, df: str = "auto") -> None:
        """Print the summary, its tests with the degrees of freedom of :meth:`tidy`."""
        say(summary_content(self, df).text())

    _content = summary_content
