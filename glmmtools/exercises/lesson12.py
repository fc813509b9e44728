"""Exercises of lesson 12, See why mixed models matter."""

from functools import cache

import numpy as np
import pandas as pd

from glmmtools.datasets import load_data
from glmmtools.exercises import Choice, Number
from glmmtools.model import fit

CAKES = 6  # of each batch


@cache
def _cake() -> tuple[float, float]:
    """Variances of batches and of cakes in a batch."""
    cake = load_data("cake")
    cake["batch"] = cake["recipe"].astype(str) + cake["replicate"].astype(str)
    model = fit("angle ~ recipe + temperature + (1 | batch)", cake, reml=True)
    return tuple(model.variance_components["variance"])


def _weight(power: float = 1.0, n: int = CAKES) -> float:
    """The weight of a batch's own mean; power 0.5 takes the standard deviations by mistake."""
    batch, cake = np.array(_cake()) ** power
    return batch / (batch + cake / n)


@cache
def _herds_effect() -> float:
    """The log odds ratio of period 4 to period 1 in one herd."""
    herds = load_data("herds")
    model = fit("prop(incidence, size) ~ period + (1 | herd)", herds, "binomial")
    return model.params["period[T.4]"]


@cache
def _herds_shares(pooled: bool) -> pd.Series:
    """The proportion of new cases in each period: of all animals, or averaged over herds."""
    herds = load_data("herds")
    if pooled:
        total = herds.groupby("period", observed=True)[["incidence", "size"]].sum()
        return total["incidence"] / total["size"]
    share = herds["incidence"] / herds["size"]
    return share.groupby(herds["period"], observed=True).mean()


def _crude_odds_ratio(pooled: bool) -> float:
    odds = _herds_shares(pooled) / (1 - _herds_shares(pooled))
    return odds.iloc[3] / odds.iloc[0]


@cache
def _gasoline() -> pd.DataFrame:
    data = load_data("gasoline")
    data["x_mean"] = data.groupby("batch", observed=True)["temp"].transform("mean")
    data["x_within"] = data["temp"] - data["x_mean"]
    return data


def _slope(formula: str, term: str) -> float:
    """Percentage points for 10 °F."""
    return 1000 * fit(formula, _gasoline(), reml=True).params[term]


SPLIT = "converted ~ x_within + x_mean + (1 | batch)"

EXERCISES = (
    Number(
        "12.1",
        solution=_weight,
        decimals=2,
        because="Batches differ much and have six cakes each, so a batch's own mean gets nearly "
        "all the weight: partial pooling changes little here.",
        hint="Take both variances from m.variance_components and put them into the formula of the "
        "weight, with the number of cakes of a batch.",
        slips=[
            (lambda: _weight(0.5), "You used standard deviations; the formula has variances."),
            (
                lambda: _weight(n=1),
                "That is the weight of a single cake. The variance of a mean of six is smaller.",
            ),
            (
                lambda: 1 - _weight(),
                "That is the weight of the model's mean; the batch's own is asked for.",
            ),
            (lambda: 100 * _weight(), "That is in percent; give a number between 0 and 1."),
        ],
    ),
    Choice(
        "12.2",
        right="c",
        replies={
            "a": "Chance alone makes small hospitals extreme in both directions, even if all "
            "hospitals are equally good. First ask what is left when chance is allowed for.",
            "b": "That says nothing about the patients of small hospitals, and the cut is "
            "arbitrary. Shares of 120 and of 2000 patients still differ in how sure they are.",
            "c": "Each hospital is weighed by what its patients tell, and the interval shows how "
            "little a small one tells. Differences between the patients need covariates besides.",
            "d": "That is no pooling: with no other predictor the fitted probabilities are the raw "
            "shares again, and a hospital without a death gets no finite estimate.",
        },
    ),
    Number(
        "12.3",
        solution=lambda: np.exp(_herds_effect()),
        decimals=2,
        because="The GLMM weighs herds by their animals and compares a herd with itself. Averages "
        "of proportions count 2 animals like 34 and answer for the average over herds.",
        hint="Fit prop(incidence, size) ~ period + (1 | herd) and turn the coefficient of period 4 "
        "into an odds ratio.",
        slips=[
            (_herds_effect, "That is on the log-odds scale. An odds ratio is its exponential."),
            (
                lambda: _crude_odds_ratio(pooled=False),
                "That comes from the averages of the herds' proportions, in which a herd of 2 "
                "counts like a herd of 34.",
            ),
            (
                lambda: _crude_odds_ratio(pooled=True),
                "That comes from all animals added up, as if there were no herds.",
            ),
            (lambda: np.exp(-_herds_effect()), "That is period 1 to period 4, the other way."),
            (
                lambda: 100 * np.exp(_herds_effect()),
                "That is in percent; give the ratio itself.",
            ),
        ],
    ),
    Number(
        "12.4",
        solution=lambda: _slope(SPLIT, "x_within"),
        decimals=1,
        because="Within a batch more heat yields more. Here the temperature entered as it "
        "is gives nearly the same: batches differ so much that their means get little weight.",
        hint="Fit converted ~ x_within + x_mean + (1 | batch), take the coefficient of x_within, "
        "and mind the units: 10 °F, percentage points.",
        slips=[
            (
                lambda: _slope(SPLIT, "x_mean"),
                "That is the slope between batches. The slope within a batch is asked for.",
            ),
            (
                lambda: _slope("converted ~ temp", "temp"),
                "That leaves the batches out and mixes the slopes within and between them.",
            ),
            (
                lambda: _slope(SPLIT, "x_within") / 10,
                "That is for 1 °F. The question is about 10 °F.",
            ),
            (
                lambda: _slope(SPLIT, "x_within") / 100,
                "That is a proportion. Percentage points are 100 times as many.",
            ),
        ],
    ),
    Choice(
        "12.5",
        right="c",
        replies={
            "a": "The lot makes the method unrelated to the schools' effects, and the schools, the "
            "experimental units, are in the model. That is enough.",
            "b": "Doses were drawn by lot within each river, so the dose is unrelated to the "
            "river's effect. With 45 rivers the random intercept is enough.",
            "c": "The dose is related to the hospital's effect, which biases its slope. Splitting "
            "x removes that part; sicker patients within a hospital need covariates besides.",
            "d": "The question is the variance between nests, which is what the random intercept "
            "estimates. Unequal broods alone do no harm.",
        },
    ),
)
