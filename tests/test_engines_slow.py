"""The engines on random data: no fit is beaten by another, and intervals cover what they should."""

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools import engines
from glmmtools.engines.marginal import Marginal
from glmmtools.engines.search import maximise
from glmmtools.problem import build_problem

pytestmark = pytest.mark.slow

# ------------------------------------------------------------------------- 300 random data sets

MODELS = (
    "normal", "t", "gamma", "lognormal", "beta", "binomial 0/1", "binomial", "betabinomial",
    "poisson", "negative_binomial", "nbinom1",
    "poisson + zeros", "negative_binomial + zeros", "nbinom1 + zeros",
)  # fmt: skip
TERMS = (
    "(1 | a)", "(1 | a)", "(x | a)", "(x || a)", "(1 | a) + (1 | b)", "(1 | a) + (0 + x | a)",
    "(1 | a/b)", "(x | a) + (1 | b)", "(f | a)",
)  # fmt: skip
SHAPES = {"t": (0.2, 2.0), "beta": (2.0, 40.0), "betabinomial": (1.0, 20.0)}
GROUPS, PER_GROUP, OTHER_STARTS = 30, 10, 4
AGREE, WORSE = 1e-4, 1e-3


@pytest.mark.parametrize("group", range(GROUPS))
def test_engines_agree_and_no_other_start_finds_a_better_fit(group):
    """Or the worse one says that it did not converge: 300 small data sets, every family."""
    found = [faults(seed) for seed in range(group * PER_GROUP, (group + 1) * PER_GROUP)]
    assert not any(found), "\n".join(filter(None, found))


def faults(seed):
    """What is wrong with the fits of one random data set, on one line; empty if nothing."""
    model, formula, problem = random_problem(seed)
    ours = engines.laplace.fit(problem)
    others = other_optima(problem, seed)
    wrong = []
    if engines.glmm_rs.why_not(problem) is None:
        theirs = engines.glmm_rs.fit(problem)
        worse = ours if ours.llf < theirs.llf else theirs
        if abs(ours.llf - theirs.llf) > AGREE and worse.converged:
            wrong.append(f"glmm {theirs.llf:.6f}, its converged is {theirs.converged}")
        if theirs.converged:
            others.append(theirs.llf)
    if ours.converged and others and ours.llf < max(others) - WORSE:
        wrong.append(f"best known {max(others):.6f}")
    if not ours.converged and not ours.messages:
        wrong.append("did not converge and does not say so")
    if not wrong:
        return ""
    head = f"seed {seed}: {model}, {formula}, {problem.design.n} rows: laplace {ours.llf:.6f}"
    return f"{head}, its converged is {ours.converged}; {'; '.join(wrong)}"


def other_optima(problem, seed):
    """Log-likelihoods at the ends of searches from other starts."""
    marginal, rng = Marginal(problem), np.random.default_rng([4, seed])
    values = []
    for k in range(OTHER_STARTS):
        start = marginal.start(1.0) + rng.normal(scale=(1.0, 0.5)[k % 2], size=marginal.size)
        found = maximise(marginal.value_and_gradient, start)
        if found is not None:
            values.append(found.value if found.converged else regular_value(marginal, found.point))
    return values


def regular_value(marginal, vector):
    """The Laplace log-likelihood at a point that is no maximum; minus infinity where it is void.

    Where a log-density is not concave (extra zeros, t), the joint density may have several modes:
    that of the largest density counts. And its Hessian may come near to singular, though the prior
    alone gives the identity: there the approximation grows without limit, whatever the data say.
    """
    rng = np.random.default_rng(0)
    solutions = []
    for k in range(8):
        marginal._mode = tuple((k > 0) * rng.normal(size=part.shape) for part in marginal._mode)
        solutions.append(marginal.solve(vector))
    solutions = [each for each in solutions if each is not None]
    if not solutions:
        return -np.inf
    highest = max(solutions, key=lambda each: each.log_joint)
    smallest = np.linalg.eigvalsh(dense_hessian(highest)).min()
    return marginal.value(highest) if smallest > 0.5 else -np.inf


def dense_hessian(solution):
    """The arrow-shaped Hessian of a mode as one matrix."""
    effects, pattern = solution.arrow.effects, solution.arrow.effects.pattern
    n, q = effects.block.shape
    first = len(pattern.starts) * q
    A = np.zeros((n, first + len(pattern.prior)))
    rows = np.arange(n)[:, None]
    A[rows, pattern.codes[:, None] * q + np.arange(q)] = effects.block
    np.add.at(A, (rows, first + pattern.index), effects.values)
    return A.T @ (-solution.derivatives[1][:, None] * A) + np.eye(A.shape[1])


def random_problem(seed):
    """A small data set from a random model, and the model; drawn again where `fit` refuses it."""
    rng = np.random.default_rng([3, seed])
    model = MODELS[seed % len(MODELS)]
    family, zeros = model.split()[0], "~ 1" if "zeros" in model else None
    while True:
        formula, data = random_data(rng, model)
        try:
            problem = build_problem(
                formula, data, family, None, None, None, None, zeros, False, 1
            )  # fmt: skip
        except ValueError:
            continue
        return model, formula, problem


def random_data(rng, model):
    """30 to 150 rows, standard deviations of random effects 0 to 2 on the link scale."""
    family = gt.family(model.split()[0])
    terms = TERMS[rng.integers(len(TERMS))]
    n, levels = rng.integers(30, 151), rng.integers(3, 13)
    data = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "f": rng.choice(["p", "q"], n),
            "a": rng.permutation(np.arange(n) % levels).astype(str),
            "b": rng.integers(2 if "/" in terms else 6, size=n).astype(str),
        }
    )
    eta = rng.uniform(-1, 1) + rng.uniform(-1, 1) * data["x"] + 0.5 * (data["f"] == "q")
    if family.mean_interval == (0.0, np.inf):
        eta += 1
    eta += scatter(rng, data["a"])
    if "a/b" in terms:
        eta += scatter(rng, data["a"] + data["b"])
    if "x |" in terms:
        eta += scatter(rng, data["a"]) * data["x"]
    if "| b" in terms:
        eta += scatter(rng, data["b"])
    phi = rng.uniform(*SHAPES.get(family.name, (0.05, 1.5)))
    shape = {name: {"phi": phi, "df": rng.uniform(2, 12)}[name] for name in family.shape}
    response = "y"
    if family.takes_trials:
        data["trials"] = 1 if "0/1" in model else rng.integers(1, 13, n)
        shape["trials"], response = data["trials"].to_numpy(), "prop(y, trials)"
    mu = family.clipped_mean(eta.to_numpy(), family.default_link)
    data["y"] = family.sample(mu, rng, **shape)
    if "zeros" in model:
        data.loc[rng.random(n) < rng.uniform(0.1, 0.5), "y"] = 0
    return f"{response} ~ x + f + {terms}", data


def scatter(rng, group):
    """A random effect for each row; its standard deviation is 0 in one of six."""
    codes = pd.factorize(group)[0]
    sd = rng.uniform(0, 2) * (rng.random() > 1 / 6)
    return sd * rng.normal(size=codes.max() + 1)[codes]
