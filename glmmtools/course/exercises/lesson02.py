"""Exercises of lesson 02, Choose a link function."""

from functools import cache

import numpy as np
from scipy import stats
from scipy.special import expit

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.kinds import Choice, Judgement, Number
from glmmtools.model import fit

FARM = 0.5  # u of exercise 02.1
LOG_MEAN, LOG_SD = 2.0, 0.6  # of exercise 02.4


def _lame(winters: int, u: float = FARM) -> float:
    """The log-odds of lameness after so many winters indoors."""
    return -2 + 0.8 * winters + u


@cache
def _clipping(
    family: str = "nbinom1",
    response: str = "fruits",
    nutrient: str = "1",
    random: str = " + (1 | genotype)",
    status: str = " + status",
) -> float:
    """The coefficient of clipping among the plants with so much nutrient."""
    plants = load_data("arabidopsis")
    formula = f"{response} ~ clipping{status}{random}"
    chosen = plants[(plants["nutrient"] == nutrient) | (nutrient == "any")]
    return fit(formula, chosen, family).params["clipping[T.clipped]"]


EXERCISES = (
    Number(
        "02.1",
        solution=lambda: expit(_lame(4)) - expit(_lame(3)),
        decimals=3,
        because="First the sum on the link scale, then the inverse link, then the difference. From "
        "another number of winters the same slope gives another step.",
        hint="Compute η for three winters and for four, with u; apply the inverse link to each; "
        "take the difference.",
        slips=lambda: {
            _lame(4) - _lame(3): "That is the step in the log-odds. The step in the probability is "
            "asked for.",
            expit(_lame(4) - _lame(3)): "You applied the inverse link to the slope. Apply it to "
            "each η, then subtract.",
            0.8 / 4: "A quarter of the slope is the most that a step can be, about μ = 0.5. "
            "Compute the two probabilities.",
            expit(_lame(4, u=0)) - expit(_lame(3, u=0)): "That is a farm with u = 0. This one has "
            "a u of its own, and it belongs into η.",
            expit(_lame(4)) / expit(_lame(3)): "That is the ratio of the probabilities. A "
            "difference is asked for.",
            np.exp(_lame(4) - _lame(3)): "That is the odds ratio. A difference of probabilities is "
            "asked for.",
            np.exp(_lame(4)) - np.exp(_lame(3)): "That is a difference of odds. Odds are μ/(1 − "
            "μ), not probabilities.",
            expit(_lame(2)) - expit(_lame(1)): "That is the step from one winter to two.",
            expit(_lame(3)) - expit(_lame(2)): "That is the step from two winters to three.",
            expit(_lame(4)): "That is the probability after four winters.",
            stats.norm.cdf(_lame(4)) - stats.norm.cdf(_lame(3)): "That is with the inverse of the "
            "probit. Log-odds go back by that of the logit.",
            expit(_lame(5)) - expit(_lame(4)): "That is the step from four winters to five.",
            expit(_lame(3)): "That is the probability after three winters. Subtract it from that "
            "after four.",
        },
    ),
    Choice(
        "02.2",
        right="d",
        replies={
            "a": "Three times one half would be a probability above 1. The ratio of the odds is "
            "three; the ratio of the probabilities is smaller, and depends on where one starts.",
            "b": "An odds ratio is a factor on the odds, not a number of percentage points.",
            "c": "It is the other way round: the odds ratio of a GLMM compares calves with the "
            "same u, on one farm. The effect on an average over farms is another number.",
            "d": "A half is odds of 1 to 1. Three times that is 3 to 1, which is three of four. "
            "The probability is one and a half times as large.",
        },
    ),
    Number(
        "02.3",
        solution=lambda: np.exp(_clipping()),
        decimals=3,
        is_factor=True,
        because="With a log link the exponential of a coefficient is a ratio of means, here for "
        "plants of one genotype and status, with few nutrients. With many the factor is estimated "
        "nearer to 1.",
        hint="Fit the model to the rows of `few`, take the coefficient of clipping, and bring it "
        "from the log scale to a factor.",
        slips=lambda: {
            _clipping(): "That is the coefficient on the log scale. Its exponential is the factor.",
            np.exp(-_clipping()): "That is the factor by which not clipping multiplies; clipping "
            "is asked for.",
            1 + _clipping(): "1 + β is only a rough value of exp(β), for β near 0. Take the "
            "exponential.",
            np.exp(_clipping()) - 1: "That is the relative change. The factor is asked for.",
            1 - np.exp(_clipping()): "That is the share of fruits lost. The factor is what "
            "remains.",
            100 * (np.exp(_clipping()) - 1): "That is the change in per cent. The factor is asked "
            "for.",
            100 * (1 - np.exp(_clipping())): "That is the loss in per cent. The factor is what "
            "remains.",
            np.exp(_clipping("normal", "log(fruits + 1)")): "That is from a normal model of "
            "log(fruits + 1): a ratio of neither means nor medians, and it depends on the 1. Let "
            "the link take the logarithm.",
            np.exp(_clipping("poisson")): "That is the Poisson model's. Take the negative "
            "binomial.",
            np.exp(_clipping("negative_binomial")): "That is the other negative binomial, NB2. "
            "Take the family nbinom1.",
            np.exp(_clipping(random="")): "That leaves the genotypes out.",
            expit(_clipping()): "You took the inverse of the logit; this model has a log link.",
            np.exp(_clipping(nutrient="8")): "Those are the plants with many nutrients.",
            np.exp(
                _clipping(nutrient="any")
            ): "Those are all plants, and clipping may do less where "
            "nutrients are many. Take the rows of `few`.",
            np.exp(
                _clipping(status="")
            ): "That leaves the status out. Take the formula of the task.",
            np.exp(
                _clipping(status=" * status")
            ): "That is clipping in one status only, by a model "
            "with an interaction. Take the formula of the task.",
        },
    ),
    Number(
        "02.4",
        solution=lambda: np.exp(LOG_MEAN + LOG_SD**2 / 2),
        decimals=1,
        because="If log(y) is normal, the mean of y is exp(η + σ²/2). What she reported is the "
        "median time.",
        hint="The mean of a lognormal variable lies above its median, by a factor that depends on "
        "the residual variance.",
        slips=lambda: {
            np.exp(LOG_MEAN): "That is what she reported: the median. The mean of y is larger.",
            np.exp(LOG_MEAN + LOG_SD**2): "You added the whole variance. Half of it belongs there.",
            np.exp(LOG_MEAN + LOG_SD / 2): "You added half of the standard deviation. It takes "
            "half of the variance.",
            np.exp(LOG_MEAN + LOG_SD): "That is one standard deviation above the median, not the "
            "mean.",
            np.exp(LOG_MEAN - LOG_SD**2 / 2): "The sign: the mean of a skewed variable lies above "
            "its median.",
            LOG_MEAN + LOG_SD**2 / 2: "That is still on the log scale. Take the exponential.",
            np.exp(LOG_MEAN) + LOG_SD**2 / 2: "You added half of the variance after going back. "
            "Add it on the log scale.",
            np.exp(LOG_MEAN) + np.exp(LOG_SD**2 / 2): "You added two exponentials. Add on the log "
            "scale, and take one exponential.",
        },
    ),
    Choice(
        "02.5",
        right="c",
        replies={
            "a": "This compares means of log(ticks + 1). The mean of a logarithm is not the "
            "logarithm of a mean, and another constant than 1 would give another answer.",
            "b": "With the identity link η covers the line and the mean does not: with a normal u "
            "a clean farm can get a negative mean. And the model has no common factor: it differs "
            "from farm to farm.",
            "c": "The log link acts on the expected count, so a cow without ticks is no trouble, "
            "and the exponential of the effect is the ratio of the means on each farm.",
            "d": "This is an odds ratio of having any tick at all. It throws the counts away and "
            "answers another question.",
            "e": "It drops a third of the cows, more of the treated ones if the treatment works, "
            "and it compares means of logarithms.",
        },
    ),
    Judgement(
        "02.6",
        points=(
            "say that 37 % is a ratio of odds, not of risks?",
            "give both probabilities, and their ratio or their difference?",
            "say of which herd they are: one with u = 0, in the middle, and not an average over "
            "all animals?",
            "give an interval, and say that it is the odds ratio's?",
            "leave out what the data do not show, such as why the disease receded?",
        ),
        model=lambda: (
            "The 0.37 is a ratio of odds, not of risks: in the same herd the odds of a new case in "
            "period 2 were 0.37 times those in period 1 (95 % interval 0.20 to 0.68). In a herd in "
            "the middle the probability fell from about 0.20 to about 0.08, which is 42 % of what "
            "it was. In herds with more or less disease the ratio of the probabilities is another "
            "one; the odds ratio is the same, because the model assumes so. The data do not say "
            "why the disease receded."
        ),
    ),
)
