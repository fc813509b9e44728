"""The default engine: the PyPI package ``glmm`` (a Rust kernel), fed with numbers only.

It gets the columns of X, the codes of the grouping factors and a formula over neutral names
(``x1``, ``g0``), never the user's formula.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from glmmtools.engine.estimate import Estimate, TermEstimate
from glmmtools.engine.problem import Problem
from glmmtools.engine.separation import separation_messages
from glmmtools.formula.design import Design
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.shared.messages import ConvergenceWarning, DataWarning, GlmmWarning, singular_message

NAME = "glmm"
_MAX_NAGQ = 25


def why_not(problem: Problem) -> str | None:
    """Say why this engine cannot fit the problem; None if it can."""
    design, family, link = problem.design, problem.family, problem.link
    if family.known_as(NAME) is None:
        return f"the glmm engine has no {family.name} family"
    if link.mean_interval != family.mean_interval:
        return f"the glmm engine has no {link.name} link for {family.name}"
    if not design.random:
        return "the model has no random term"
    if not design.names:
        return "the glmm engine needs a fixed effect"
    if problem.dispersion is not None or problem.zero is not None:
        return "the glmm engine models neither dispersion nor extra zeros"
    if design.weights is not None and family.shape and not family.weights_divide_phi:
        return f"the glmm engine takes no weights for {family.name}"
    if problem.nagq > 1:
        if problem.nagq > _MAX_NAGQ or problem.nagq % 2 == 0:
            return f"nagq must be odd and at most {_MAX_NAGQ} for the glmm engine"
        if len(design.random) > 1 or len(design.random[0].names) > 3:
            return "quadrature needs one random term with at most 3 columns"
    for term in design.random:
        if term.structure.bar != "|":
            return f"the glmm engine has no {term.structure.name} structure: {term.label}"
        if _slope_columns(term, design) is None:
            return f"the glmm engine needs an intercept and slopes of the fixed part: {term.label}"
    try:
        import glmm  # noqa: F401
    except ImportError:
        return "the package glmm is not installed (no wheel for this machine?)"
    return None


def _slope_columns(term: RandomTerm, design: Design) -> list[int] | None:
    """Index in X of each column after the intercept; None where one is not in X."""
    if not np.all(term.Z[:, 0] == 1):
        return None
    found = []
    for name, column in zip(term.names[1:], term.Z[:, 1:].T, strict=True):
        if name not in design.names:
            return None
        index = design.names.index(name)
        if not np.array_equal(design.X[:, index], column):
            return None
        found.append(index)
    return found


def fit(problem: Problem) -> Estimate:
    """Fit the problem; see :func:`why_not` for what is covered."""
    import warnings

    import glmm

    design = problem.design
    formula, columns = _neutral_terms(design)
    weights = design.weights
    columns["y"] = design.y
    if problem.family.takes_trials:
        columns["y"], weights = design.y / design.trials, design.trials
    with warnings.catch_warnings():
        # every one of its warnings is also in `result.warnings`, which _messages reads
        warnings.simplefilter("ignore", glmm.DiagnosticWarning)
        result = glmm.fit(
            columns,
            formula,
            problem.family.known_as(NAME),
            link=problem.link.name,
            weights=weights,
            offset=design.offset if design.has_offset else None,
            nagq=problem.nagq,
            reml=problem.reml if problem.is_linear else None,
            anova_test="Wald",
        )
    return _estimate(result, problem)


def _neutral_terms(design: Design) -> tuple[str, dict]:
    """The formula over neutral names, and the columns it names."""
    columns: dict = {f"x{i}": column for i, column in enumerate(design.X.T)}
    has_intercept = len(design.names) > 0 and bool(np.all(design.X[:, 0] == 1))
    terms = ["1" if has_intercept else "0"]
    terms += [f"x{i}" for i in range(int(has_intercept), len(design.names))]
    for number, term in enumerate(design.random):
        width = len(str(len(term.levels)))
        columns[f"g{number}"] = pd.Categorical.from_codes(
            term.codes, [f"{i:0{width}d}" for i in range(len(term.levels))]
        )
        slopes = [f"x{i}" for i in _slope_columns(term, design)]
        terms.append(f"({' + '.join(['1', *slopes])} | g{number})")
    return "y ~ " + " + ".join(terms), columns


def _estimate(result, problem: Problem) -> Estimate:
    design = problem.design
    shape = {}
    if "phi" in problem.family.shape:
        is_theta = problem.family.counts
        shape["phi"] = 1 / result.dispersion if is_theta else result.dispersion
    sizes = [(len(term.levels), len(term.names)) for term in design.random]
    if result.converged:
        covariances = [_unpack(vech) for vech in result.varcorr]
        modes = [_in_code_order(block) for block in result.ranef_blocks]
    else:
        covariances = [np.full((q, q), np.nan) for _, q in sizes]
        modes = [np.full(size, np.nan) for size in sizes]
    singular = _singular_terms(result, design)
    method = "REML" if result.reml else "ML" if problem.is_linear else "Laplace"
    if result.nagq > 1:
        method = f"AGQ({result.nagq})"
    found_none = np.isnan(result.loglik)  # its last step is no estimate
    return Estimate(
        beta=np.full(len(result.beta), np.nan) if found_none else np.asarray(result.beta, float),
        cov_beta=np.asarray(result.vcov, float).reshape(len(result.beta), -1),
        df=np.where(np.isnan(result.coef_df), np.inf, result.coef_df),
        shape=shape,
        terms=tuple(TermEstimate(G, b) for G, b in zip(covariances, modes, strict=True)),
        llf=float(result.loglik),
        n_params=problem.n_params,
        converged=bool(result.converged),
        singular=singular,
        messages=_messages(result, problem, singular),
        engine=NAME,
        method=method,
    )


def _in_code_order(block: dict) -> np.ndarray:
    """Modes by our codes; the kernel lists the levels of a nested factor parent by parent."""
    return np.asarray(block["values"], float)[np.argsort([int(level) for level in block["levels"]])]


def _unpack(vech) -> np.ndarray:
    """The symmetric matrix of a column-wise lower triangle."""
    vech = np.asarray(vech, float)
    size = int((np.sqrt(8 * len(vech) + 1) - 1) / 2)
    matrix = np.zeros((size, size))
    matrix.T[np.triu_indices(size)] = vech
    return matrix + np.tril(matrix, -1).T


def _singular_terms(result, design: Design) -> tuple[str, ...]:
    if not (result.singular and result.converged):
        return ()
    pinned = result.diagnostics["pinned"]
    named = [
        term.label for term, flags in zip(design.random, pinned, strict=False) if np.any(flags)
    ]
    return tuple(named) or tuple(term.label for term in design.random)


_STOPPED = {
    "search_limit": "The search for the variance parameters used up its steps.",
    "fit_failed": "The search for the estimates broke down.",
}
_NOTED = {
    "ill_conditioned": (
        DataWarning,
        "Two columns of the fixed part are almost the same, so their standard errors are large. "
        "Centre the covariates, or leave one of them out.",
    ),
    "variance_at_limit": (
        ConvergenceWarning,
        "A variance ran to the upper limit of the search, so it has no finite estimate. "
        "Look for separation, or simplify the random part.",
    ),
    "se_unavailable": (
        ConvergenceWarning,
        "The information matrix is not positive definite, so there are no standard errors. "
        "Simplify the random part.",
    ),
    "precision_limited": (
        ConvergenceWarning,
        "The log-likelihood is too large for its optimum to be resolved. Rescale the response.",
    ),
}


def _messages(result, problem: Problem, singular: tuple[str, ...]) -> tuple[GlmmWarning, ...]:
    kinds = {each["kind"]: each for each in result.warnings}
    found: list[GlmmWarning] = []
    if singular:
        sizes = [len(term.names) for term in problem.design.random if term.label in singular]
        found.append(singular_message(singular, single=max(sizes) == 1))
    separated = separation_messages(problem, result.beta, result.converged)
    if not result.converged and not separated:
        stopped = _STOPPED["search_limit" if "search_limit" in kinds else "fit_failed"]
        found.append(
            ConvergenceWarning(
                f"{stopped} Do not use these estimates: rescale covariates, simplify the random "
                "part, or look for outliers."
            )
        )
    found += [category(text) for kind, (category, text) in _NOTED.items() if kind in kinds]
    found += separated
    return tuple(found)
