"""Exercises of lesson 03, Meet the distributions."""

from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.families.lookup import family

NITRATE = {"mu": 20.0, "phi": 0.09}
MU, PHI = 6.0, 0.5  # of the ticks
P = 1 / (1 + PHI * MU)  # of SciPy's nbinom


def _nitrate_variance() -> float:
    return float(family("gamma").variance(**NITRATE))


def _no_ticks(name: str = "negative_binomial", **phi: float) -> float:
    """The probability of a lamb without ticks."""
    return float(family(name).distribution(mu=MU, **phi).pmf(0))


@cache
def _feed() -> pd.DataFrame:
    """Feed of a pig in a week, from week 2 on; ``so_far`` is what it ate since the start."""
    pigs = load_data("pigs").rename(columns={"feed": "so_far"})
    before = pigs.groupby("pig", observed=True)["so_far"].shift(fill_value=0).fillna(0)
    return pigs.assign(feed=pigs["so_far"] - before).dropna(subset="feed")


def _moments(column: str = "feed", above_zero: bool = False) -> pd.DataFrame:
    """Mean and variance over the pigs, week by week."""
    rows = _feed()[_feed()["feed"] > 0] if above_zero else _feed()
    return rows.groupby("week")[column].agg(["mean", "var"])


def _slope(x, y) -> float:
    return float(np.polyfit(x, y, 1)[0])


def _log_slope(moments: pd.DataFrame) -> float:
    return _slope(np.log(moments["mean"]), np.log(moments["var"]))


EXERCISES = (
    Number(
        "03.1",
        solution=lambda: np.sqrt(_nitrate_variance()),
        decimals=1,
        because="The variance is φμ², so the standard deviation is √φ times the mean: the "
        "coefficient of variation is the same at every mean.",
        hint="Take the variance from the card of the Gamma, then its square root.",
        slips=lambda: {
            _nitrate_variance(): "That is the variance. Take its square root.",
            NITRATE["phi"] * NITRATE["mu"]: "That is φμ, SciPy's scale. The variance of a Gamma "
            "has the square of the mean.",
            np.sqrt(NITRATE["phi"] * NITRATE["mu"]): "That is the square root of φμ. The variance "
            "of a Gamma has the square of the mean.",
            np.sqrt(NITRATE["phi"]): "That is the coefficient of variation, a share of the mean. "
            "Multiply by the mean.",
            np.sqrt(NITRATE["mu"]): "That is the standard deviation of a Poisson. Here φ has a "
            "say.",
        },
    ),
    Choice(
        "03.2",
        right="c",
        replies={
            "a": "Independence is assumed: nobody saw it, and a disease in one cage would make it "
            "false.",
            "b": "One common μ is assumed. Cages may differ in light, age or dose, and the counts "
            "can contradict it.",
            "c": "Somebody counted the larvae, so the total is known. The other three sentences "
            "are taken as true, or follow from what is.",
            "d": "Nobody knows this beforehand: it follows from the two assumptions, independence "
            "and one probability, and the counts can contradict it.",
        },
    ),
    Number(
        "03.3",
        solution=lambda: _no_ticks(phi=PHI),
        decimals=3,
        because="With n = 1/φ and p = 1/(1 + φμ) the probability of a zero is p to the power n. A "
        "Poisson with the same mean would leave far fewer lambs clean.",
        hint="SciPy's nbinom wants n and p. Compute both from μ and φ as the card of "
        "negative_binomial says, then ask for pmf(0).",
        slips=lambda: {
            _no_ticks("poisson"): "That is the Poisson with this mean. NB2 has more zeros.",
            stats.nbinom.pmf(0, PHI, P): "You gave φ as n. The card says n = 1/φ.",
            _no_ticks("nbinom1", phi=PHI): "That is NB1, whose n and p differ. Take the card of "
            "negative_binomial.",
            stats.nbinom.pmf(0, 1 / PHI, 1 - P): "You gave 1 − p in place of p. The card says p = "
            "1/(1 + φμ).",
            stats.nbinom.pmf(0, MU, PHI): "You gave μ and φ as n and p. Compute n and p from them, "
            "as the card says.",
            P: "That is p. Give it to nbinom together with n, and ask for pmf(0).",
            1 - _no_ticks(phi=PHI): "That is the share of lambs with ticks. Those without are "
            "asked for.",
        },
    ),
    Number(
        "03.4",
        solution=lambda: _log_slope(_moments()),
        decimals=2,
        because="A slope near 2 means a standard deviation that is proportional to the mean, as "
        "the Gamma assumes. A constant variance would give 0, a variance proportional to the mean "
        "1.",
        hint="Group the rows by week, take mean and variance of week_feed, then the logarithms "
        "of both; the mean is x.",
        slips=lambda: {
            _log_slope(_moments()) / 2: "That is the slope of the log of the standard deviation. "
            "Use the variance.",
            _log_slope(_moments("so_far")): "That is the slope of feed since the start. Use "
            "week_feed.",
            _slope(np.log(_moments()["var"]), np.log(_moments()["mean"])): "You exchanged x and y: "
            "the mean belongs on the x axis.",
            _slope(_moments()["mean"], _moments()["var"]): "That is the slope without logarithms. "
            "Take the log of mean and of variance.",
            np.polyfit(*np.log(_moments()).to_numpy().T, 1)[1]: "That is the intercept. np.polyfit "
            "returns the slope first.",
            _log_slope(_moments(above_zero=True)): "You left out the rows that are not above zero. "
            "Here keep all; the next exercise asks about them.",
        },
    ),
    Choice(
        "03.5",
        right="d",
        replies={
            "a": "The support of the normal holds the zeros, and negative feed as well. But its "
            "variance is constant, and the slope says that here it grows with the mean.",
            "b": "Feed is measured, not counted, and a Poisson would give a slope of 1. In "
            "another unit, grams for kilograms, its variance would even be another one.",
            "c": "A constant that is added changes the ratio of standard deviation to mean, so the "
            "assumption is no longer the one you made. And it hides the question why a pig ate "
            "nothing.",
            "d": "The slope speaks for a standard deviation proportional to the mean. Two zeros "
            "are no reason to change the assumption, they are a reason to ask: both pigs are of "
            "one litter, in the same week.",
        },
    ),
)
