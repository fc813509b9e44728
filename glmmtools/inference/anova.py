"""Tests of the terms of the fixed part: Wald or likelihood ratio, type II or III.

A Wald test is of a hypothesis ``L β = 0``. For **type II** each term is tested after all others but
its *relatives*, the terms that contain it: L holds the term's coefficients less their regression on
the coefficients of the relatives, so that the chi-square is that of the term and its relatives
together minus that of the relatives (Fox 2016, Applied Regression, ch. 8). The regression is in the
covariance of the estimates; for linear mixed models in ``(XᵀX)⁻¹``, so that the hypothesis does not
depend on the variances (Kuznetsova et al. 2017, J. Stat. Softw. 82(13)). For **type III** the terms
are those of a model coded by sums to zero: effects averaged with equal weights over the cells.

The F test of several rows with Satterthwaite degrees of freedom takes them apart into uncorrelated
t tests (Fai & Cornelius 1996, J. Stat. Comput. Simul. 54:363): the principal axes of contrasts that
are orthonormal, so that the reference level, or type II or III of an additive model, does not
matter, as it does in R's lmerTest.

Where columns are left out because others determine them, a type II test compares what the columns
of the terms span, all of them, with and without the term; so that it does not depend on which of
them were left out. Type III tests are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from formulaic.parser.types import Factor as FormulaFactor
from formulaic.parser.types import Term
from scipy import special

from glmmtools.engine import choice as engines
from glmmtools.fitted.degrees_of_freedom import (
    Reference,
    has_satterthwaite,
    in_units_of_columns,
    reference,
)
from glmmtools.fitted.fit import Fit, require_converged, require_maximum
from glmmtools.fitted.parts import PARTS, part_of
from glmmtools.formula.coding import Variable, variables_of
from glmmtools.formula.design import Design
from glmmtools.formula.evaluation import BY_SUMS, evaluate
from glmmtools.formula.rank import Rank, independent_columns
from glmmtools.shared.arguments import check_arguments, one_of
from glmmtools.shared.markup import html_text
from glmmtools.shared.matrices import coordinates, spans
from glmmtools.shared.messages import DataWarning, FewUnitsWarning, issue
from glmmtools.shared.text import listed, plural

Array = np.ndarray
_ROUNDING = 1e-10  # relative, of a coefficient of a hypothesis that is none


def anova(
    model: Fit,
    type: int = 2,
    test: str = "wald",
    df: str = "auto",
    *,
    part: str | None = None,
) -> TermTests:
    """Test each term of the fixed part, or of the formula of another part.

    Parameters
    ----------
    type : {2, 3}
        2: each term after all others but those that contain it. 3: each term after all others,
        with effects averaged equally over the cells, whatever the coding of the model. A type III
        test of a factor beside its interaction with a covariate is at covariate 0: centre it.
    test : {"wald", "lr"}
        Wald tests, F or chi-square. Or likelihood ratios of refits without the term, for models
        fitted by maximum likelihood.
    df : {"auto", "containment", "satterthwaite", "kenward-roger", "infinite"}
        Denominator degrees of freedom of Wald tests. "auto": F with Satterthwaite's for linear
        mixed models, F with the residual ones for least squares, chi-square for all others.
        Others as in :meth:`FittedModel.tidy`.
    part : {"mean", "zero", "dispersion"}, optional
        The terms of the fixed part (default), of `zero_inflation` or of `dispersion_formula`; the
        last two go by chi-square.

    Returns
    -------
    TermTests
        A DataFrame indexed by term; columns ``statistic, df, p_value, kind`` (``"chisq"`` or
        ``"F"``), and ``den_df`` where the tests are F tests. A Wald chi-square or F, or twice the
        difference of the log-likelihoods. Its ``messages`` say which chi-square tests rest on few
        units.

    Raises
    ------
    ValueError
        If the fit did not converge, the fixed part has no terms, a likelihood ratio is asked of a
        REML fit, or a type III test where the data leave coefficients without an estimate.

    Examples
    --------
    >>> import glmmtools as gt
    >>> seeds = gt.load_data("seeds")
    >>> m = gt.fit("prop(germinated, seeds) ~ variety * extract + (1 | plate)", seeds, "binomial")
    >>> m.anova().round(3)
                     statistic  df  p_value   kind
    term
    variety              2.561   1    0.110  chisq
    extract             30.663   1    0.000  chisq
    variety:extract      4.445   1    0.035  chisq
    """
    check_arguments(anova, locals())
    if type not in (2, 3):
        raise ValueError(f"type must be 2 or 3; got {type!r}")
    one_of("test", test, ("wald", "lr"))
    if test == "lr" and df != "auto":
        raise ValueError("df= is for Wald tests; a likelihood ratio has a chi-square distribution")
    require_converged(model, "anova() needs")
    whole, model = model, part_of(model, part)
    judged = reference(model, df if model is whole else "auto")
    design = model.design
    terms = _terms(design)
    if not terms:
        raise ValueError(
            f"the formula {model.formula!r} has no terms beside the intercept, "
            "so there is nothing to test"
        )
    if type == 3 and design.rank.left_out:
        raise ValueError(
            "type III tests average effects over all cells, some of which these data do not tell "
            f"({plural(len(design.rank.left_out), 'column')} left out). Use type=2, or contrasts "
            "of means"
        )
    if test == "lr":
        tests = _likelihood_ratios(whole, design, part, terms, type)
    elif model.separated and type == 2:
        tests = _type_two_of_what_is_finite(model, terms, df)
    else:
        rows = _type_two(model, terms) if type == 2 else _type_three(design, terms)
        tests = [wald_test(judged, L) for L in rows]
    infinite = [
        term.label for term, test in zip(terms, tests, strict=True)
        if test["df"] and np.isnan(test["statistic"])
    ]  # fmt: skip
    if infinite:
        text = f"There are no Wald tests of {listed(infinite)}: coefficients are infinite."
        issue((DataWarning(f"{text} Use test='lr'."),))
    labels = [term.label for term in terms]
    table = TermTests(tests, index=pd.Index(labels, name="term"))
    table.messages = judged.few_units(labels) if test == "wald" else ()
    return table


class TermTests(pd.DataFrame):
    """Tests of terms; `messages` say which of them are chi-square tests on few units.

    A table that is made from it, as by ``.round(3)``, is a plain DataFrame.
    """

    _metadata = ("messages",)
    messages: tuple[FewUnitsWarning, ...] = ()

    @property
    def _constructor(self):
        return pd.DataFrame

    def __repr__(self) -> str:
        return "\n\n".join([super().__repr__(), *map(str, self.messages)])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html_text(str(message))}</p>" for message in self.messages)
        return f"{super()._repr_html_()}{notes}"


# ------------------------------------------------------------------------------ terms


@dataclass(frozen=True)
class _Term:
    """A term of the formula; its columns by their places among all, also those left out."""

    label: str
    variables: frozenset[Variable]
    columns: list[int]

    def relatives(self, terms: Sequence[_Term]) -> list[int]:
        """Columns of the terms that contain this one."""
        return [column for t in terms if self.variables < t.variables for column in t.columns]


def _terms(design: Design) -> list[_Term]:
    """The terms that have variables: all but the intercept."""
    variables: dict[str, set[Variable]] = {}
    places: dict[str, list[int]] = {}
    for place, column in enumerate(design.rank.all_columns(design.columns)):
        variables.setdefault(column.term, set()).update(column.variables)
        places.setdefault(column.term, []).append(place)
    return [
        _Term(term, frozenset(variables[term]), places[term]) for term in places if variables[term]
    ]


# ------------------------------------------------------------------------------ hypotheses


def _type_two(model: Fit, terms: Sequence[_Term]) -> list[Array]:
    X, rank = model.design.X, model.design.rank
    if rank.left_out:
        of_rows = has_satterthwaite(model)
        precision = X.T @ X if of_rows else np.linalg.inv(model.estimate.cov_beta)
        return _type_two_of_spans(rank, precision, terms)
    V = np.linalg.inv(X.T @ X) if has_satterthwaite(model) else model.estimate.cov_beta
    rows = []
    for term in terms:
        L = np.eye(len(V))[term.columns]
        others = term.relatives(terms)
        if others:
            within = V[np.ix_(others, others)]
            L[:, others] -= np.linalg.solve(within, V[np.ix_(others, term.columns)]).T
        rows.append(L)
    return rows


def _type_two_of_spans(rank: Rank, precision: Array, terms: Sequence[_Term]) -> list[Array]:
    """Rows for what each term adds to the span of all terms but its relatives.

    With ``precision = RᵀR`` the estimates ``R β`` are uncorrelated. The rows are scaled so that
    each has one of the term's coefficients once and no other, as far as these are kept.
    """
    R = np.linalg.cholesky(precision).T
    columns = R @ rank.coordinates
    rows = []
    for term in terms:
        others = set(range(columns.shape[1])).difference(term.columns, term.relatives(terms))
        basis = np.linalg.qr(columns[:, _independent(columns, sorted(others))])[0]
        joined = np.column_stack([basis, columns[:, term.columns]])
        added = joined[:, [k for k in independent_columns(joined)[0] if k >= basis.shape[1]]]
        L = np.linalg.qr(added - basis @ (basis.T @ added))[0].T @ R
        own = [k for k, place in enumerate(rank.kept) if place in term.columns]
        chosen = _independent(L, own)
        rows.append(np.linalg.solve(L[:, chosen], L) if len(chosen) == len(L) else L)
    return rows


def _type_two_of_what_is_finite(model: Fit, terms: Sequence[_Term], df: str) -> list[dict]:
    """Tests under separation, by the rows that are left; nan of a term that they do not tell.

    In rows that are certain the likelihood has no curvature, so that the tests of terms are those
    of the other rows, as with empty cells.
    """
    left, X = model.in_the_limit, model.design.X @ model.design.rank.coordinates
    judged = reference(left, df)
    certain = model.estimate.limit.separation.certain
    columns = model.design.rank.all_columns(model.design.columns)
    rank, everything = Rank.of(X[~certain], columns), range(len(columns))
    rows = [np.zeros((0, 0))] * len(terms)
    if left.design.names:
        precision = np.linalg.inv(left.estimate.cov_beta)
        rows = _type_two_of_spans(rank, precision, terms)
    tests = []
    for term, L in zip(terms, rows, strict=True):
        larger = [c for c in everything if c not in term.relatives(terms)]
        others = [c for c in larger if c not in term.columns]
        q = len(_independent(X, larger)) - len(_independent(X, others))
        tests.append(wald_test(judged, L) if len(L) == q else chi_square(np.nan, q))
    return tests


def _independent(X: Array, columns: Sequence[int]) -> tuple[int, ...]:
    """Those of the columns that the ones before do not determine."""
    kept, _ = independent_columns(X[:, columns])
    return tuple(columns[k] for k in kept)


def _type_three(design: Design, terms: Sequence[_Term]) -> list[Array]:
    """Rows that give the coefficients of a model coded by sums to zero from those of this one."""
    X = _sum_coded(design)
    to_sum = coordinates(X, design.X)
    sizes = in_units_of_columns(design.X, to_sum)
    to_sum[sizes <= _ROUNDING * sizes.max(axis=1, keepdims=True)] = 0.0  # of infinite ones too
    return [to_sum[term.columns] for term in terms]


def _sum_coded(design: Design) -> Array:
    """The columns of the fixed part with every factor coded by sums to zero."""
    variables = variables_of(design.columns)
    in_levels = {variable.text: variable for variable in variables if variable.levels is not None}

    def recoded(factor: FormulaFactor) -> FormulaFactor:
        variable = in_levels.get(factor.expr)
        if variable is None:
            return factor
        return FormulaFactor(f"{BY_SUMS}({variable.source})", eval_method="python")

    coded = [Term([recoded(f) for f in term.factors]) for term in design.model_spec.term_indices]
    X, spec = evaluate(coded, design.frame)
    places = [list(map(list, s.term_indices.values())) for s in (spec, design.model_spec)]
    if not (places[0] == places[1] and spans(X, design.X)):
        raise ValueError(
            f"the fixed part {design.formula.fixed!r} cannot be coded by sums to zero without "
            "changing the model (empty cells, or own contrasts?), so it has no type III tests. "
            "Use type=2"
        )
    return X


# ------------------------------------------------------------------------------ tests


def wald_test(judged: Reference, L: Array) -> dict:
    """The Wald test of ``L β = 0`` as a row of a table; the rows of L are independent."""
    model = judged.model
    if not len(L):  # other terms determine all its columns
        return {"statistic": np.nan, "df": 0, "den_df": np.nan, "p_value": np.nan,
                "kind": "F" if judged.is_finite else "chisq"}  # fmt: skip
    q, estimates = len(L), model.estimate.combined(L)
    covariance = judged.covariance(L)
    if model.separated and not np.all(np.isfinite(estimates)):
        return chi_square(np.nan, q)
    statistic = float(estimates @ np.linalg.solve(covariance, estimates))
    if not judged.is_finite:
        return chi_square(statistic, q)
    scale, den_df = judged.joint(L)
    statistic *= scale / q
    p_value = float(special.fdtrc(q, den_df, statistic))
    return {"statistic": statistic, "df": q, "den_df": den_df, "p_value": p_value, "kind": "F"}


def chi_square(statistic: float, df: int) -> dict:
    """A chi-square test as a row of a table."""
    p_value = float(special.chdtrc(df, statistic))
    return {"statistic": statistic, "df": df, "p_value": p_value, "kind": "chisq"}


def _likelihood_ratios(
    model: Fit, design: Design, part: str | None, terms: Sequence[_Term], type: int
) -> list[dict]:
    """Of a model and the design of the part that the terms are of."""
    require_maximum(model, "a likelihood ratio needs")
    if model.problem.reml and part in (None, "mean"):
        raise ValueError(
            "likelihood ratios compare fixed parts, which REML likelihoods cannot: "
            "fit with reml=False, or use test='wald'"
        )
    X = design.X @ design.rank.coordinates if type == 2 else _sum_coded(design)
    everything, tests = range(X.shape[1]), []
    heights = {_independent(X, everything): model.llf}
    for term in terms:
        relatives = term.relatives(terms) if type == 2 else []
        larger = [c for c in everything if c not in relatives]
        with_it = _independent(X, larger)
        without = _independent(X, [c for c in larger if c not in term.columns])
        for columns in {with_it, without} - set(heights):
            heights[columns] = _height_of(model, part, X, columns, term.label)
        rise = heights[with_it] - heights[without]
        tests.append(chi_square(max(2 * rise, 0.0), len(with_it) - len(without)))
    return tests


def _height_of(
    model: Fit, part: str | None, X: Array, columns: tuple[int, ...], left_out: str
) -> float:
    """The maximal log-likelihood of the model with these columns only in a part."""
    problem = model.problem.with_columns(X, columns, PARTS[part or "mean"])
    engine = engines.ENGINES[model.engine]
    if engine.why_not(problem) is not None:  # statsmodels needs a fixed effect
        engine = engines.laplace
    estimate = engine.fit(problem)
    if not estimate.converged:
        raise ValueError(
            f"a refit for the test of {left_out!r} did not converge, so it has no likelihood "
            "ratio; use test='wald'"
        )
    return estimate.llf
