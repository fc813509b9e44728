"""Linear mixed models by statsmodels' MixedLM, the second opinion on them.

MixedLM takes one grouping factor. Everything random stands within its levels: one set of correlated
columns, and variance components, each the effects of a column within the levels of a factor that is
nested in the first.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from glmmtools.engine.estimate import Estimate, TermEstimate
from glmmtools.engine.marginal import Marginal
from glmmtools.engine.problem import Problem
from glmmtools.engine.satterthwaite import Satterthwaite
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.matrices import orthonormal
from glmmtools.shared.messages import ConvergenceWarning, singular_message

Array = np.ndarray
_SEARCHES = (  # each where the one before did not converge
    {"method": ["bfgs"], "maxiter": 500},
    {"method": ["lbfgs"], "maxiter": 1000, "pgtol": 1e-8, "factr": 10.0},
)
_ADVICE = ("Retrying", "mle_retvals", "different optimizer")  # for who calls statsmodels herself


@dataclass(frozen=True)
class _Places:
    """Where MixedLM has the random terms.

    Attributes
    ----------
    outer : RandomTerm
        One whose grouping factor holds those of all others.
    correlated : int or None
        Index of the term whose columns are correlated within that factor.
    components : tuple of (int, int)
        Index of the term and of the column of each variance component.
    """

    outer: RandomTerm
    correlated: int | None
    components: tuple[tuple[int, int], ...]


def why_not_mixed(problem: Problem) -> str | None:
    """Say why MixedLM cannot fit the problem, which has random terms; None if it can."""
    if not problem.is_linear:
        return "statsmodels fits random terms for the normal with the identity link only"
    if problem.design.weights is not None:
        return "statsmodels' MixedLM takes no weights"
    for term in problem.design.random:
        if not term.structure.bar:
            return f"statsmodels' MixedLM has no {term.structure.name} structure: {term.label}"
    outer = _outer(problem.design.random)
    if outer is None:
        return "statsmodels' MixedLM takes one grouping factor and what is nested in it"
    correlated = _places(problem.design.random, outer).correlated
    for k, term in enumerate(problem.design.random):
        if term.structure.unrestricted and len(term.names) > 1 and k != correlated:
            return (
                "statsmodels' MixedLM takes correlated slopes of the outer grouping factor only, "
                f"and only once: {term.label}"
            )
    return None


def fit_mixed(problem: Problem, engine: str) -> Estimate:
    """Fit by restricted or by maximum likelihood; statsmodels says whether its search converged."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    design = problem.design
    places = _places(design.random, _outer(design.random))
    n, p = design.X.shape
    unit = float(np.std(design.y - design.offset))
    # on other columns MixedLM may stop far below the maximum and say that it converged
    X, back = orthonormal(design.X)
    correlated = None if places.correlated is None else design.random[places.correlated].Z
    model = MixedLM(
        (design.y - design.offset) / unit,
        X,
        groups=places.outer.codes,
        exog_re=None if correlated is None else orthonormal(correlated)[0],
        exog_vc=_components(design.random, places),
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for search in _SEARCHES:
            result = model.fit(reml=problem.reml, **search)
            if result.converged:
                break
        precision = np.linalg.pinv(np.asarray(result.cov_params()), hermitian=True)
    # given the variances, as for every linear mixed model
    covariance = back @ np.linalg.inv(precision[:p, :p]) @ back.T
    llf = result.llf - (n - p * problem.reml) * np.log(unit)
    estimate = Estimate(
        beta=back @ np.asarray(result.fe_params) * unit,
        cov_beta=covariance * unit**2,
        df=np.full(p, np.inf),
        shape={"phi": float(result.scale) * unit**2},
        terms=_terms(design.random, places, result, unit),
        llf=float(llf + problem.reml * np.linalg.slogdet(back)[1]),
        n_params=problem.n_params,
        converged=bool(result.converged),
        singular=(),
        messages=(),
        engine=engine,
        method="REML" if problem.reml else "ML",
    )
    return _judged(problem, estimate, [str(warning.message) for warning in caught])


def _terms(
    random: tuple[RandomTerm, ...], places: _Places, result, unit: float
) -> tuple[TermEstimate, ...]:
    """The covariances, as yet without modes."""
    terms = []
    for k, term in enumerate(random):
        if k == places.correlated:
            back = orthonormal(term.Z)[1]
            covariance = back @ np.asarray(result.cov_re) @ back.T
        else:
            found = zip(places.components, result.vcomp, strict=True)
            variances = [variance for (of, _), variance in found if of == k]
            covariance = np.diag(variances / np.mean(term.Z**2, axis=0))
        modes = np.full((len(term.levels), len(term.names)), np.nan)
        terms.append(TermEstimate(covariance * unit**2, modes))
    return tuple(terms)


def _judged(problem: Problem, estimate: Estimate, warned: list[str]) -> Estimate:
    """The estimate with what follows from it: modes, degrees of freedom, singular terms.

    Or with a message, where the search did not converge.
    """
    if not estimate.converged:
        reasons = dict.fromkeys(
            text.rstrip(".") for text in warned if not any(word in text for word in _ADVICE)
        )
        message = ConvergenceWarning(
            f"The search of statsmodels' MixedLM did not converge: {'; '.join(reasons)}."
        )
        return replace(estimate, messages=(message,))
    marginal = Marginal(problem)
    vector = marginal.vector_of(estimate)
    modes = marginal.modes(vector, marginal.solve(vector))
    terms = [replace(each, modes=b) for each, b in zip(estimate.terms, modes, strict=True)]
    singular = [
        term
        for term, each in zip(problem.design.random, terms, strict=True)
        if _is_singular(term, each.covariance / marginal.likelihood.scale**2)
    ]
    labels = tuple(term.label for term in singular)
    single = all(term.structure.n_params == 1 for term in singular)
    return replace(
        estimate,
        df=Satterthwaite.of(problem, estimate).df(np.eye(len(estimate.beta))),
        terms=tuple(terms),
        singular=labels,
        messages=(singular_message(labels, single),) if singular else (),
    )


def _is_singular(term: RandomTerm, covariance: Array) -> bool:
    return term.structure.is_singular(term.structure.theta_of(covariance))


def _outer(random: tuple[RandomTerm, ...]) -> RandomTerm | None:
    """A term each level of which holds whole levels of every other term; None if there is none."""
    for outer in sorted(random, key=lambda term: len(term.levels)):
        pairs = [np.unique(np.column_stack([term.codes, outer.codes]), axis=0) for term in random]
        if all(len(pair) == len(term.levels) for pair, term in zip(pairs, random, strict=True)):
            return outer
    return None


def _places(random: tuple[RandomTerm, ...], outer: RandomTerm) -> _Places:
    alike = [
        k
        for k, term in enumerate(random)
        if term.structure.unrestricted and len(term.levels) == len(outer.levels)
    ]
    correlated = max(alike, key=lambda k: len(random[k].names), default=None)
    components = [
        (k, column)
        for k, term in enumerate(random)
        if k != correlated
        for column in range(len(term.names))
    ]
    return _Places(outer, correlated, tuple(components))


def _components(random: tuple[RandomTerm, ...], places: _Places):
    """MixedLM's description of the variance components; None without any."""
    from statsmodels.regression.mixed_linear_model import VCSpec

    if not places.components:
        return None
    blocks = [_blocks(places.outer, random[k], column) for k, column in places.components]
    names = [str(number) for number in range(len(blocks))]
    columns = [[list(map(str, range(block.shape[1]))) for block in each] for each in blocks]
    return VCSpec(names, columns, blocks)


def _blocks(outer: RandomTerm, term: RandomTerm, column: int) -> list[Array]:
    """For each level of the outer factor: the rows of Z of the levels of a term within it."""
    values, blocks = term.Z[:, column] / np.sqrt(np.mean(term.Z[:, column] ** 2)), []
    for level in range(len(outer.levels)):
        rows = outer.codes == level
        codes = np.unique(term.codes[rows], return_inverse=True)[1]
        blocks.append(np.eye(codes.max() + 1)[codes] * values[rows][:, None])
    return blocks
