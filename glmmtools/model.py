"""`fit` and `FittedModel`: everything a user asks of one fitted model."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from glmmtools import (
    anova,
    bootstrap,
    engines,
    groups,
    means,
    messages,
    prediction,
    profile,
    report,
    residuals,
    write_up,
)
from glmmtools._text import one_of
from glmmtools.engines import joint
from glmmtools.engines.satterthwaite import Satterthwaite
from glmmtools.families import Family
from glmmtools.links import Link
from glmmtools.plots import models as plots
from glmmtools.plots import random_part
from glmmtools.problem import (
    build_problem,
    check_support,
    confounded_groups,
    residual_warnings,
)
from glmmtools.truth import tidy_effects
from glmmtools.wald import t_quantile, two_sided_p

__all__ = ["FittedModel", "fit"]

Array = np.ndarray


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
    reml: bool = False,
    nagq: int = 1,
    engine: str = "auto",
) -> FittedModel:
    """Fit a generalized linear mixed model.

    Parameters
    ----------
    formula : str
        ``response ~ fixed part + (columns | group)``, as in lme4. The response is a column or an
        expression; for successes out of trials ``prop(successes, trials)`` or
        ``cbind(successes, failures)``. ``offset(...)`` in the formula is added to the linear
        predictor.
    data : DataFrame or dict
        One row an observation. Rows with a missing value in a column that is used are dropped and
        counted in the summary.
    family : str or Family
        Distribution of the response given the random effects, see :func:`glmmtools.family`.
    link : str or Link, optional
        Default: the family's default link.
    offset : str or array_like, optional
        A column or one value a row, on the scale of the linear predictor.
    weights : str or array_like, optional
        For binomial families the trials of a proportion; for the normal family the prior weights w
        in Var(y | u) = phi / w; otherwise each row's log-likelihood is multiplied by its weight.
    dispersion_formula : str, optional
        ``"~ x"``: the logarithm of the dispersion phi is linear in x.
    zero_inflation : str, optional
        ``"~ 1"`` or ``"~ x"``: a count is an extra zero with a probability whose logit is linear
        in x.
    reml : bool
        Restricted maximum likelihood (normal family only).
    nagq : int
        Nodes of the adaptive Gauss-Hermite quadrature; 1 is the Laplace approximation.
    engine : {"auto", "glmm", "statsmodels", "laplace"}
        "auto" takes the first engine that covers the model.

    Returns
    -------
    FittedModel

    Raises
    ------
    ValueError
        For wrong input; the message names the column, the value and its row, and the likely slip.

    Warns
    -----
    ConvergenceWarning, SingularFitWarning, SeparationWarning
        Also kept in ``model.messages``.

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
    problem = build_problem(
        formula, data, family, link, offset, weights, dispersion_formula, zero_inflation, reml, nagq
    )
    chosen = engines.choose(problem, engine)
    model = FittedModel(problem, chosen.fit(problem))
    messages.issue(model.messages)
    return model


class FittedModel:
    """One fitted model. Names follow statsmodels where it has one.

    Made by :func:`fit`. Printing it, or leaving it as the last line of a notebook cell, shows the
    summary. Every table is a DataFrame.
    """

    def __init__(self, problem: engines.Problem, estimate: engines.Estimate):
        self._problem = problem
        self._estimate = estimate

    # -- what was fitted, and how it went

    @property
    def formula(self) -> str:
        return self._problem.design.formula.text

    @property
    def family(self) -> Family:
        return self._problem.family

    @property
    def link(self) -> Link:
        return self._problem.link

    @property
    def _is_linear(self) -> bool:
        return self.family.name == "normal" and self.link.name == "identity"

    @property
    def engine(self) -> str:
        """Name of the engine that computed the fit."""
        return self._estimate.engine

    @property
    def method(self) -> str:
        """What was maximised: ``ML``, ``REML``, ``Laplace``, ``AGQ(k)``; or ``OLS``."""
        return self._estimate.method

    @property
    def converged(self) -> bool:
        return self._estimate.converged

    @property
    def singular(self) -> bool:
        """Whether a variance is estimated at zero, or a correlation at -1 or 1."""
        return bool(self._estimate.singular)

    @cached_property
    def messages(self) -> tuple[messages.GlmmWarning, ...]:
        """What happened during the fit, as instances of the warning classes."""
        confounded = (
            *confounded_groups(self._problem.design), *residual_warnings(self._problem),
        )  # fmt: skip
        return (*confounded, *self._estimate.messages)

    @property
    def nobs(self) -> int:
        return self._problem.design.n

    @property
    def n_dropped(self) -> int:
        """Rows of the data left out because a value was missing."""
        return self._problem.design.n_dropped

    @property
    def n_groups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return {term.group: len(term.levels) for term in self._problem.design.random}

    # -- fixed effects

    @cached_property
    def params(self) -> pd.Series:
        """Fixed effects on the scale of the linear predictor."""
        return self._by_name(self._estimate.beta, "estimate")

    @cached_property
    def bse(self) -> pd.Series:
        """Standard errors of the fixed effects."""
        with np.errstate(invalid="ignore"):
            return self._by_name(np.sqrt(np.diag(self._estimate.cov_beta)), "std_error")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of the Wald tests that a coefficient is zero."""
        p = two_sided_p((self.params / self.bse).to_numpy(), self._estimate.df)
        return self._by_name(p, "p_value").rename_axis("term")

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects."""
        names = list(self._problem.design.names)
        return pd.DataFrame(self._estimate.cov_beta, index=names, columns=names)

    def conf_int(self, level: float = 0.95, method: str = "wald", **options: Any) -> pd.DataFrame:
        """Confidence intervals.

        Parameters
        ----------
        level : float
            Strictly between 0 and 1.
        method : {"wald", "profile", "bootstrap"}
            Wald intervals of the fixed effects (Student's t where the degrees of freedom are
            finite); or, of all parameters, variances included, profile-likelihood intervals, or
            percentiles of a parametric bootstrap.
        **options
            With ``method="bootstrap"``: those of :meth:`bootstrap`, such as ``n`` and ``n_jobs``.

        Returns
        -------
        DataFrame
            Columns ``conf_low`` and ``conf_high``; by profile or bootstrap also ``estimate``.
        """
        one_of("method", method, ("wald", "profile", "bootstrap"))
        if options and method != "bootstrap":
            raise ValueError(f"{', '.join(options)}: options of method='bootstrap', not {method!r}")
        quantile = t_quantile(level, self._estimate.df)
        if method == "profile":
            return profile.profile_intervals(self, level)
        if method == "bootstrap":
            return self.bootstrap(**options).conf_int(level)
        half = quantile * self.bse
        return pd.DataFrame({"conf_low": self.params - half, "conf_high": self.params + half})

    def tidy(self, level: float = 0.95) -> pd.DataFrame:
        """Return the fixed effects as one table.

        Returns
        -------
        DataFrame
            Indexed by coefficient; columns ``estimate, std_error, df, statistic, p_value, conf_low,
            conf_high``. ``df`` is infinite for z tests.
        """
        table = pd.DataFrame({"estimate": self.params, "std_error": self.bse})
        table["df"], table["statistic"] = self._estimate.df, self.params / self.bse
        table["p_value"] = self.pvalues
        return table.join(self.conf_int(level)).rename_axis("term")

    def contrast_df(self, contrasts: Array) -> Array:
        """Degrees of freedom of tests of linear combinations of the fixed effects.

        Satterthwaite's for linear mixed models, the residual ones for least squares, infinite (z)
        for all others.

        Parameters
        ----------
        contrasts : array_like, shape (m, p)
            Coefficients on the fixed effects, one combination a row.
        """
        contrasts = np.atleast_2d(np.asarray(contrasts, float))
        finite = np.isfinite(self._estimate.df)
        if finite.any() and self._problem.design.random:
            return self._satterthwaite.df(contrasts)
        df = self._estimate.df[0] if finite.any() else np.inf
        return np.full(len(contrasts), df)

    @cached_property
    def _satterthwaite(self) -> Satterthwaite:
        return Satterthwaite.of(self._problem, self._estimate)

    def _by_name(self, values: Array, name: str) -> pd.Series:
        return pd.Series(values, index=list(self._problem.design.names), name=name)

    # -- the fit as a whole

    @property
    def llf(self) -> float:
        """Log-likelihood; the REML criterion for a REML fit."""
        return self._estimate.llf

    @property
    def df_model(self) -> int:
        """Number of estimated parameters, variance components and dispersion included."""
        return self._estimate.n_params

    @property
    def df_resid(self) -> int:
        return self.nobs - self.df_model

    @property
    def aic(self) -> float:
        return 2 * self.df_model - 2 * self.llf

    @property
    def bic(self) -> float:
        return np.log(self.nobs) * self.df_model - 2 * self.llf

    def glance(self) -> pd.DataFrame:
        """One row: family, link, method, engine, rows, log-likelihood, AIC, BIC, convergence."""
        return pd.DataFrame(
            [
                {
                    "family": self.family.name, "link": self.link.name, "method": self.method,
                    "engine": self.engine, "nobs": self.nobs, "df_model": self.df_model,
                    "df_resid": self.df_resid, "llf": self.llf, "aic": self.aic, "bic": self.bic,
                    "converged": self.converged, "singular": self.singular,
                }
            ]
        )  # fmt: skip

    # -- variance components and random effects

    @cached_property
    def variance_components(self) -> pd.DataFrame:
        """Variances of the random effects, and the residual variance of a normal model.

        Returns
        -------
        DataFrame
            Columns ``group, term, variance, sd, corr``; ``corr`` is the correlation with the first
            term of the group (``corr2`` with the second, and so on), and the rho of ar1 and cs.
        """
        rows = []
        for term, estimate in self._random_terms():
            sd = np.sqrt(np.diag(estimate.covariance))
            if estimate.correlation is not None:
                row = {"group": term.group, "term": term.components[0], "variance": sd[0] ** 2}
                rows.append({**row, "sd": sd[0], "corr": estimate.correlation})
                continue
            for i, name in enumerate(term.names):
                row = {"group": term.group, "term": name, "variance": sd[i] ** 2, "sd": sd[i]}
                row["corr"] = np.nan
                for j in range(i):
                    product = sd[i] * sd[j]
                    key = "corr" if j == 0 else f"corr{j + 1}"
                    row[key] = estimate.covariance[i, j] / product if product > 0 else np.nan
                rows.append(row)
        if self.family.name == "normal" and "phi" in self._estimate.shape:
            phi = self._estimate.shape["phi"]
            rows.append({"group": "Residual", "term": "", "variance": phi, "sd": np.sqrt(phi)})
        columns = ["group", "term", "variance", "sd", "corr"]
        columns += sorted({key for row in rows for key in row} - set(columns))
        return pd.DataFrame(rows, columns=columns)

    def random_covariance(self, group: str) -> pd.DataFrame:
        """Return G for one level of a grouping factor: the covariance of its random effects."""
        found = [
            pd.DataFrame(estimate.covariance, index=term.names, columns=term.names)
            for term, estimate in self._random_terms()
            if term.group == group
        ]
        if not found:
            raise ValueError(
                f"there is no grouping factor {group!r}; "
                f"the model has {', '.join(self.n_groups) or 'none'}"
            )
        joined = pd.concat(found).fillna(0.0)
        return joined.loc[:, joined.index]

    @property
    def dispersion(self) -> pd.Series:
        """The dispersion parameters by name; for a normal model also the residual sd.

        Of a dispersion formula or zero inflation: the coefficients, as ``log phi: x`` and
        ``logit zero: x``; one extra-zero probability is given as ``zero``.
        """
        values = {**self.family.fixed, **self._estimate.shape}
        if self.family.name == "normal" and "phi" in values:
            values = {"residual sd": np.sqrt(values["phi"]), **values}
        for name, part in (("phi", self._problem.dispersion), ("zero", self._problem.zero)):
            if part is None:
                continue
            coefficients = self._estimate.predictors[name]
            if name == "zero" and part.names == ("Intercept",):
                values["zero"] = special.expit(coefficients[0])
                continue
            link_name = "log phi" if name == "phi" else "logit zero"
            values |= {
                f"{link_name}: {each}": value
                for each, value in zip(part.names, coefficients, strict=True)
            }
        return pd.Series(values, name="dispersion", dtype=float)

    @property
    def _further_dispersion(self) -> pd.Series:
        """The dispersion without what the variance components show."""
        shown = ["residual sd", "phi"] if self.family.name == "normal" else []
        return self.dispersion.drop(shown, errors="ignore")

    @cached_property
    def random_effects(self) -> pd.DataFrame:
        """Conditional modes of the random effects with their conditional standard deviations.

        Returns
        -------
        DataFrame
            Columns ``group, level, term, estimate, std_error``, one row a random effect. The
            standard deviations are given the parameters, as lme4's ``condVar``.
        """
        modes = [term.modes for term in self._estimate.terms]
        sds = engines.laplace.conditional_sds(self._problem, self._estimate)
        return pd.DataFrame(
            tidy_effects(self._problem.design.random, estimate=modes, std_error=sds)
        )

    def _random_terms(self):
        return list(zip(self._problem.design.random, self._estimate.terms, strict=True))

    def _shape(self) -> dict[str, Any]:
        """Shape parameters of each row: numbers, or arrays where they are modelled."""
        values, part = dict(self._estimate.shape), self._problem.dispersion
        if part is not None:
            values["phi"] = np.exp(part.X @ self._estimate.predictors["phi"])
        return values

    def _extra_zeros(self, newdata: Any = None) -> Any:
        """Probability of an extra zero in each row; 0 without zero inflation."""
        part = self._problem.zero
        if part is None:
            return 0.0
        X = part.X if newdata is None else part.on(newdata)
        return special.expit(X @ self._estimate.predictors["zero"])

    # -- fitted values, residuals, predictions

    @cached_property
    def linear_predictor(self) -> pd.Series:
        """Fitted ``eta``: fixed part, offset and conditional modes."""
        design = self._problem.design
        modes = [term.modes for term in self._estimate.terms]
        eta = joint.linear_predictor(design.X, design.random, self._estimate.beta, modes)
        return self._by_row(eta + design.offset, "eta")

    @cached_property
    def fittedvalues(self) -> pd.Series:
        """Fitted conditional means; probabilities for the binomial families.

        With zero inflation the mean of the response is ``(1 - p) mu``.
        """
        mu = self.link.inverse(self.linear_predictor)
        return self._by_row((1 - self._extra_zeros()) * mu, "fitted")

    def resid(self, kind: str = "response") -> pd.Series:
        """Residuals from the fitted conditional means.

        Parameters
        ----------
        kind : {"response", "pearson"}
            Observed minus fitted (proportions for binomial families), or that divided by the
            standard deviation that the model gives the observation.
        """
        design, mu = self._problem.design, self.fittedvalues.to_numpy()
        trials = 1 if design.trials is None else design.trials
        if kind == "response":
            return self._by_row(design.y / trials - mu, "resid")
        if kind == "pearson":
            p = self._extra_zeros()
            inner = mu / (1 - p)  # the mean of the counts that are not extra zeros
            variance = self.family.variance(inner, **self._shape(), **self._problem.trials)
            variance = (1 - p) * (variance + p * inner**2)
            if design.weights is not None:
                variance = variance / design.weights
            return self._by_row((design.y - trials * mu) / np.sqrt(variance), "resid")
        raise ValueError(f"unknown kind of residual {kind!r}. Valid kinds: response, pearson")

    def _by_row(self, values, name: str) -> pd.Series:
        return pd.Series(np.asarray(values), index=self._problem.design.frame.index, name=name)

    @cached_property
    def _joint(self) -> joint.Joint:
        """The likelihood around the estimates, for standard errors of predictions."""
        return joint.Joint(self._problem, self._estimate)

    # -- predictions and new responses

    predict = prediction.predict
    simulate = prediction.simulate
    simulated_residuals = residuals.simulated_residuals
    anova = anova.anova
    bootstrap = bootstrap.bootstrap
    means = means.means
    covariance = groups.covariance
    pooling = groups.pooling
    plot_effects = plots.plot_effects
    plot_random_effects = random_part.plot_random_effects
    plot_shrinkage = random_part.plot_shrinkage
    plot_covariance = random_part.plot_covariance
    plot_fit = plots.plot_fit
    report = write_up.report

    def refit(self, y: Any) -> FittedModel:
        """Fit the same model to another response on the same rows.

        Parameters
        ----------
        y : array_like, shape (nobs,)
            As `simulate` returns them: numbers of successes for binomial families.
        """
        y = np.asarray(y, float)
        if y.shape != (self.nobs,):
            raise ValueError(f"refit needs {self.nobs} values, one a row; got shape {y.shape}")
        design = self._problem.design
        design = replace(design, response=replace(design.response, y=y))
        check_support(self.family, design)
        problem = replace(self._problem, design=design)
        model = FittedModel(problem, engines.ENGINES[self.engine].fit(problem))
        messages.issue(model.messages)
        return model

    # -- report

    def equation(self) -> report.Equation:
        """Return the model as a hierarchy in LaTeX: data model, process model, parameter model."""
        return report.equation(self._problem.design, self.family, self.link)

    def summary(self) -> None:
        """Print the summary."""
        print(report.summary_text(self))

    def __repr__(self) -> str:
        return report.summary_text(self)

    def _repr_html_(self) -> str:
        return report.summary_html(self)
