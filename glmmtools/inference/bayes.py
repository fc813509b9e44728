"""The Bayesian view of a fitted model: the same model for bambi, with its priors written out.

bambi is an optional extra; nothing else of the package needs it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.shared.arguments import check_arguments

_WIDE = 2.5  # prior sd of a coefficient: of a factor's effect, or of one sd of a covariate


def to_bambi(model: Fit) -> Any:
    """Write a fitted model for bambi, which samples its posterior distribution.

    The formula, the data, the family and the link are those of the fit. The priors are weakly
    informative and explicit, with s = 1, but s = sd(y) for the normal and t with identity link:

    - intercept (with centred columns): Normal(g(mean of y), 2.5 s);
    - coefficients: Normal(0, 2.5 s) for a column of two values, such as a level of a factor;
      Normal(0, 2.5 s / sd(x)) for a covariate x;
    - standard deviation of random effects: HalfStudentT(3, s), of a slope of x
      HalfStudentT(3, s / sd(x));
    - residual sd: HalfStudentT(3, s); shape parameters (alpha, kappa, nu): Gamma(2, 0.1).

    bambi's own default for a level of a factor on the log-odds scale is Normal(0, 1): in the model
    of `herds` it pulls the effect of period 4 from -1.58 to about -1.31.

    Parameters
    ----------
    model : Fit

    Returns
    -------
    bambi.Model
        Not sampled yet: ``to_bambi(m).fit(random_seed=1)`` does that. ``print`` shows the priors,
        ``set_priors`` changes them.

    Raises
    ------
    ImportError
        If bambi is not installed.
    ValueError
        If bambi has no such model: correlated random slopes, ar1 and cs, zero inflation, a
        dispersion formula, prior weights, columns that others determine, the families lognormal
        and nbinom1.

    Examples
    --------
    >>> import glmmtools as gt
    >>> m = gt.fit("reaction ~ days + (days || subject)", gt.load_data("sleep"))
    >>> posterior = gt.to_bambi(m).fit(random_seed=1)  # doctest: +SKIP
    """
    check_arguments(to_bambi, locals())
    try:
        import bambi
    except ImportError:
        raise ImportError(
            "to_bambi needs bambi, which needs Python 3.12 or later. In the folder of the course: "
            "python -m pip install -e '.[bayes]'"
        ) from None
    _check(model)
    formula, data, family = _written(model)
    namespace = {"np": np, "log": np.log, "exp": np.exp, "sqrt": np.sqrt}
    bambi_model = bambi.Model(
        formula, data, family=family, link=model.link.name, extra_namespace=namespace
    )
    _check_same_columns(model, bambi_model)
    bambi_model.set_priors(priors=_priors(model, bambi_model, bambi.Prior))
    bambi_model.build()
    return bambi_model


def _check(model: Fit) -> None:
    problem = model.problem
    reasons = {
        "zero inflation": problem.zero is not None,
        "a dispersion formula": problem.dispersion is not None,
        "a working correlation": problem.clusters is not None,
        "a covariance of the residuals": problem.residual is not None,
        "prior weights": problem.design.weights is not None,
        "columns that others determine": bool(problem.design.rank.left_out),
        f"the family {model.family.name}": model.family.known_as("bambi") is None,
        "an offset that was given as values": problem.design.has_offset_of_values,
    }
    for reason, holds in reasons.items():
        if holds:
            raise ValueError(f"to_bambi cannot write this model: it has {reason}")
    for spec, term in zip(problem.design.formula.random, problem.design.random, strict=True):
        if not term.structure.bar:
            raise ValueError(f"to_bambi cannot write {term.label}: bambi has no such covariance")
        if term.structure.correlation_names:
            raise ValueError(
                f"to_bambi cannot write {term.label}: in bambi the effects of a group are "
                f"independent. Fit it with ({spec.columns} || {term.group}) for the same model in "
                "both"
            )


def _written(model: Fit) -> tuple[str, pd.DataFrame, str]:
    """Formula, data and family as bambi wants them; the response in columns of its own."""
    design = model.design
    data, family = design.frame.reset_index(drop=True), model.family.known_as("bambi")
    response = design.response
    label, name = response.text, response.name
    if model.family.takes_trials:
        counts = response.parts
        if response.function != "prop" or not all(part.isidentifier() for part in counts):
            label, counts = "prop(successes, trials)", ("successes", "trials")
            data = data.assign(successes=design.y, trials=design.trials)
        data = data.assign(**{count: data[count].astype(int) for count in counts})
        if model.family.is_bernoulli(design.trials):
            label, family = "success", "bernoulli"
            data = data.assign(success=design.y.astype(int))
    elif name not in data.columns:
        label = name = "response"
        data = data.assign(response=design.y)
    if model.family.counts:
        data = data.assign(**{name: design.y.astype(int)})
    fixed = design.formula.fixed
    offsets = [f"offset({text})" for text in design.formula.offsets]
    terms = [f"({spec.columns} | {':'.join(spec.groups)})" for spec in design.formula.random]
    return f"{label} ~ {' + '.join([fixed, *offsets, *terms])}", data, family


def _check_same_columns(model: Fit, found: Any) -> None:
    """Raise ValueError where bambi reads the formula otherwise than we do."""
    X = model.design.X
    theirs = _parent(found).design.common
    theirs = np.zeros((len(X), 0)) if theirs is None else np.asarray(theirs.design_matrix, float)
    for name, column in zip(model.params.index, X.T, strict=True):
        if not any(np.allclose(column, other) for other in theirs.T):
            raise ValueError(
                f"bambi builds other columns from this formula: it has none for {name!r}. Compute "
                "the column in the data frame, and name it in the formula"
            )


def _parent(found: Any) -> Any:
    return found.parameters[found.family.likelihood.parent]


def _priors(model: Fit, found: Any, Prior: Any) -> dict[str, Any]:
    y, has_units = model.design.y, model.family.location_scale
    s = float(np.std(y)) if has_units and model.link.is_identity else 1.0
    mean = np.sum(y) / np.sum(model.trials_by_row)
    priors: dict[str, Any] = {}
    parent = _parent(found)
    if parent.intercept_term is not None:
        priors["Intercept"] = Prior("Normal", mu=float(model.link(mean)), sigma=_WIDE * s)
    for name, term in parent.common_terms.items():
        sigma = _WIDE * s / _scales(term.data)
        sigma = sigma if np.ndim(term.data) > 1 else float(sigma[0])
        priors[name] = Prior("Normal", mu=np.zeros_like(sigma), sigma=sigma)
    for name, term in parent.group_specific_terms.items():
        columns = name.split("|")[0]
        scale = 1.0 if columns == "1" else _scales(term.predictor)
        spread = s / scale if np.ndim(scale) == 0 or len(scale) > 1 else float((s / scale)[0])
        sigma = Prior("HalfStudentT", nu=3, sigma=spread)
        priors[name] = Prior("Normal", mu=0, sigma=sigma)
    for name in ("sigma", "alpha", "kappa", "nu"):
        if name in found.parameters:
            wide = Prior("Gamma", alpha=2, beta=0.1)
            priors[name] = Prior("HalfStudentT", nu=3, sigma=s) if name == "sigma" else wide
    return priors


def _scales(columns: Any) -> np.ndarray:
    """For each column its sd, or 1 where it has two values only."""
    columns = np.reshape(np.asarray(columns, float), (len(columns), -1))
    return np.array([1.0 if len(np.unique(x)) <= 2 else np.std(x) for x in columns.T])
