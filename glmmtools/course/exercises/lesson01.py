"""Exercises of lesson 01, Go from linear mixed models to GLMMs."""

import numpy as np
import pandas as pd
from scipy.special import expit

from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.model import FittedModel

SD_BLOCKS, SD_ERROR = 3.0, 2.0  # of exercise 01.2
BATCH = " + (1 | recipe:replicate)"
HERD_U, HERD_SIZE = 0.5, 20  # of exercise 01.4
ETA = ("Intercept", "period[T.2]")


def _cake(random: str = "", reml: bool = True) -> FittedModel:
    formula = f"angle ~ recipe + temperature{random}"
    return fit_to("cake", formula, reml=reml and bool(random))


def _cake_ratio(random: str, term: str = "recipe[T.C]", reml: bool = True) -> float:
    """How many times as large as that of OLS the standard error is."""
    return _cake(random, reml).bse[term] / _cake().bse[term]


def _marginal_cases() -> float:
    """New cases in period 2, averaged over all herds."""
    herd = pd.DataFrame({"period": ["2"], "size": [HERD_SIZE]})
    model = fit_to("herds", "prop(incidence, size) ~ period + (1 | herd)", "binomial")
    return HERD_SIZE * model.predict(herd, effects="marginal").iloc[0]


def _herd_eta(*terms: str, u: float = HERD_U, random: str = " + (1 | herd)") -> float:
    model = fit_to("herds", f"prop(incidence, size) ~ period{random}", "binomial")
    return float(model.params[list(terms)].sum()) + u


EXERCISES = (
    Choice(
        "01.1",
        right="a",
        replies={
            "a": "If the scatter of ε depends on u, the two are not independent; and the errors do "
            "not all have the same variance.",
            "b": "This is what the model expects: plots of one block share u, so their yields are "
            "correlated. The errors ε stay independent.",
            "c": "It is u and ε that are normal, not the yields of both treatments together. Their "
            "means differ through the fixed part, and two means far apart make two peaks.",
            "d": "Mean 0 is a statement about all blocks that there could be. Three drawn from "
            "them hardly ever add up to zero.",
        },
    ),
    Number(
        "01.2",
        solution=lambda: np.sqrt(2) * SD_ERROR,
        decimals=2,
        because="The block effect is in both plots and cancels: the variance of the difference is "
        "that of two errors, however much the blocks differ. That is what blocks are for.",
        hint="Add the variances of the two plots, subtract twice their covariance, and take the "
        "square root.",
        slips=lambda: {
            np.sqrt(2 * (SD_BLOCKS**2 + SD_ERROR**2)): "That is for two plots of different blocks. "
            "Plots of one block have a covariance.",
            np.sqrt(SD_BLOCKS**2 + 2 * SD_ERROR**2): "You subtracted the covariance once. Look at "
            "the formula again.",
            0.0: "The expected difference may be zero, but each plot has an error of its own.",
            2 * SD_ERROR**2: "That is the variance of the difference. Take its square root.",
            2 * SD_ERROR: "Standard deviations do not add up; variances of independent errors do.",
            SD_ERROR: "That is the standard deviation of one error. Two plots have two errors.",
            np.sqrt(SD_BLOCKS**2 + SD_ERROR**2): "That is the standard deviation of one plot. A "
            "difference holds two of them.",
            np.sqrt(2) * SD_BLOCKS: "That is the spread of the blocks. Both plots lie in the same "
            "block: what differs?",
        },
    ),
    Number(
        "01.3",
        solution=lambda: _cake_ratio(BATCH),
        decimals=2,
        is_factor=True,
        because="Recipes were given to batches, so batches are the replicates. OLS counts 270 "
        "independent cakes and claims far too much.",
        hint="The batch is recipe × replicate; divide the LMM's standard error of recipe[T.C] by "
        "that of OLS.",
        slips=lambda: {
            _cake_ratio(" + (1 | replicate)"): "You grouped by replicate. Replicate 1 of recipe A "
            "and replicate 1 of recipe C are two batches; the batch is recipe:replicate.",
            _cake_ratio(" + (1 | replicate/recipe)"): "That makes a block of the batches that have "
            "the same number. Here we assume that they have nothing in common.",
            1 / _cake_ratio(BATCH): "That is OLS divided by LMM; the other way round is asked for.",
            _cake_ratio(BATCH, "temperature"): "That is the ratio for temperature, which varies "
            "within batches. Look at recipe[T.C].",
            _cake_ratio(BATCH) ** 2: "That is the ratio of the variances. Standard errors are "
            "asked for.",
            _cake_ratio(BATCH, reml=False): "That is the fit by maximum likelihood; the task asks "
            "for `reml=True`.",
            _cake(BATCH).bse["recipe[T.C]"]: "That is the standard error of the LMM. Divide it by "
            "that of OLS.",
            _cake().bse["recipe[T.C]"]: "That is the standard error of OLS. Divide that of the LMM "
            "by it.",
        },
    ),
    Number(
        "01.4",
        solution=lambda: HERD_SIZE * expit(_herd_eta(*ETA)),
        decimals=2,
        because="Fixed part and u add up to η on the log-odds scale, the inverse link makes it a "
        "probability μ, and of N animals N μ are expected to be new cases.",
        hint="Add the intercept, the coefficient of period 2 and u; apply the inverse link; "
        "multiply by the number of animals.",
        slips=lambda: {
            expit(_herd_eta(*ETA)): "That is the probability for one animal. The herd has more "
            "than one.",
            HERD_SIZE * expit(_herd_eta(*ETA, u=0)): "u is missing: that is a herd with u = 0.",
            HERD_SIZE * (expit(_herd_eta(*ETA, u=0)) + HERD_U): "You added u to a probability. It "
            "belongs into the linear predictor, before the inverse link.",
            HERD_SIZE * expit(_herd_eta("Intercept")): "That is period 1, the base level. Period 2 "
            "has a coefficient of its own.",
            HERD_SIZE * expit(_herd_eta("period[T.2]")): "The intercept is missing: every period "
            "starts from it.",
            HERD_SIZE * expit(_herd_eta(*ETA, random="")): "That is from a model without herds. "
            "Take the GLMM.",
            HERD_SIZE * np.exp(_herd_eta(*ETA)): "You took exp, which gives odds. The inverse of "
            "the logit is 1/(1 + exp(−η)).",
            _herd_eta(*ETA): "That is η, on the log-odds scale. Apply the inverse link.",
            HERD_SIZE * _herd_eta(*ETA): "You multiplied η. First the inverse link, then the "
            "number of animals.",
            _marginal_cases(): "That is averaged over all herds. This herd has a u of its own: "
            "add it to the linear predictor.",
            HERD_SIZE * expit(_herd_eta(*ETA, u=-HERD_U)): "The sign of u: it is added.",
        },
    ),
    Choice(
        "01.5",
        right="d",
        replies={
            "a": "A line can leave (0, 1), the variance of a 0/1 response depends on its mean, and "
            "cows of one barn are counted as independent.",
            "b": "The barns are there, but the response is 0/1: a normal distribution gives it a "
            "variance that does not depend on the mean, and chances outside (0, 1).",
            "c": "The distribution suits, but the feed was given to barns: without them each cow "
            "counts as a replicate, and the standard error gets too small.",
            "d": "The response is 0/1, so the distribution is not the normal, and the feed was "
            "given to barns, so cows of one barn share a random effect: a GLMM.",
        },
    ),
)
