"""Exercises of lesson 12, See why mixed models matter."""

from functools import cache

import numpy as np
import pandas as pd

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.designs.simulation import simulate
from glmmtools.model import fit

CAKES = 6  # of each batch
TRUE_SLOPE = -0.3  # of exercise 12.3
SPLIT = "converted ~ x_within + x_mean + (1 | batch)"


def _weight(
    column: str = "variance", n: int = CAKES, reml: bool = True, batch: str = "recipe:replicate"
) -> float:
    """The weight of a batch's own mean, from the variances of batches and of cakes in a batch."""
    formula = f"angle ~ recipe + temperature + (1 | {batch})"
    batches, cakes = fit_to("cake", formula, reml=reml).variance_components[column]
    return batches / (batches + cakes / n)


@cache
def _counts(rows: str) -> pd.DataFrame:
    """Attacks in four months: all, those seen before a person left, or complete cases."""
    month = np.arange(4)
    layout = pd.DataFrame({"person": np.repeat(np.arange(200), 4), "month": np.tile(month, 200)})
    formula, how = (
        "attacks ~ month + (1 | person)",
        {"coef": [1.2, TRUE_SLOPE], "sd": 0.8, "seed": 8},
    )
    study = simulate(formula, layout, "poisson", **how)
    many = (study["attacks"] >= 5).groupby(study["person"])
    study["left"] = many.transform(lambda person: person.shift(fill_value=False).cummax())
    gaps = study.groupby("person")["left"].transform("any")
    return {"all": study, "seen": study[~study["left"]], "complete": study[~gaps]}[rows]


@cache
def _attacks(rows: str = "seen", persons: bool = True, nagq: int = 1) -> float:
    """The slope of months, on the log scale."""
    formula = "attacks ~ month + (1 | person)" if persons else "attacks ~ month"
    return fit(formula, _counts(rows), "poisson", nagq=nagq).params["month"]


def _ratio_of_means() -> float:
    means = _counts("seen").groupby("month")["attacks"].mean()
    return (means[3] / means[0]) ** (1 / 3)


@cache
def _gasoline() -> pd.DataFrame:
    data = load_data("gasoline")
    data["x_mean"] = data.groupby("batch", observed=True)["temp"].transform("mean")
    data["x_within"] = data["temp"] - data["x_mean"]
    return data


def _slope(formula: str, term: str) -> float:
    """Percentage points for 10 °F."""
    return 1000 * fit(formula, _gasoline(), reml=True).params[term]


EXERCISES = (
    Number(
        "12.1",
        solution=_weight,
        decimals=3,
        because="Batches differ much and have six cakes each, so a batch's own mean gets nearly "
        "all the weight: partial pooling changes little here.",
        hint="Take both variances from m.variance_components and put them into the formula of the "
        "weight, with the number of cakes of a batch.",
        slips=lambda: {
            _weight("sd"): "You used standard deviations; the formula has variances.",
            _weight(reml=False): "That is by maximum likelihood; the task asks for reml=True.",
            _weight(n=1): "That is the weight of a single cake. The variance of a mean of six is "
            "smaller.",
            _weight(n=15): "Is that with fifteen cakes, or grouped by replicate? A batch is a "
            "replicate of one recipe. How many cakes has it?",
            1 - _weight(): "That is the weight of the model's mean; the batch's own is asked for.",
            _weight(
                batch="replicate"
            ): "You grouped by replicate. A batch is a replicate of a recipe.",
            _weight(n=18, batch="replicate"): "You grouped by replicate, with eighteen cakes "
            "each. A batch is a replicate of one recipe. How many cakes has it?",
            _weight(n=45): "45 is the number of batches. How many cakes has a batch?",
        },
    ),
    Choice(
        "12.2",
        right="a",
        replies={
            "a": "Each hospital is weighed by what its patients tell, and the interval shows how "
            "little a small one tells. Differences between the patients need covariates besides.",
            "b": "That says nothing about the patients of small hospitals, and the cut is "
            "arbitrary. Shares of 120 and of 2000 patients still differ in how sure they are.",
            "c": "Chance alone makes small hospitals extreme in both directions, even if all "
            "hospitals are equally good. First ask what is left when chance is allowed for.",
            "d": "That is no pooling: with no other predictor the fitted probabilities are the raw "
            "shares again, and a hospital without a death gets no finite estimate.",
        },
    ),
    Number(
        "12.3",
        solution=lambda: np.exp(_attacks()),
        decimals=3,
        is_factor=True,
        because="Who leaves depends on a count that was recorded, so the gaps are MAR: the "
        "likelihood of all rows, with persons in the model, is enough.",
        hint="Fit a Poisson GLMM with a random intercept of the person to the rows that inform "
        "on the change, and turn the coefficient of month into a ratio.",
        slips=lambda: {
            np.exp(_attacks("complete")): "That is from people with all four months. Who are they, "
            "and does a low count at the start stay that low?",
            np.exp(_attacks(persons=False)): "All rows, but no persons: the people of the last "
            "month are not those of the first, and this model cannot tell.",
            _ratio_of_means(): "That compares the mean counts of the months. The people of the "
            "last month are not those of the first.",
            np.exp(_attacks("all")): "Those are the counts before anybody left. Use what was seen.",
            _attacks(): "That is on the log scale. A ratio is its exponential.",
            _attacks(persons=False): "That is on the log scale, and from a model without persons.",
            np.exp(-_attacks()): "That is a month to the next one, the other way.",
            np.exp(TRUE_SLOPE): "That is the truth that was simulated. What do the data say?",
            np.exp(_attacks(nagq=15)): "That is by quadrature, and as good or better. Here the "
            "default is asked for, `nagq=1`.",
            np.exp(_attacks()) - 1: "That is the change as a share. The factor is one more.",
        },
    ),
    Number(
        "12.4",
        solution=lambda: _slope(SPLIT, "x_within"),
        decimals=1,
        because="Within a batch more heat yields more. Here the temperature entered as it "
        "is gives nearly the same: batches differ so much that their means get little weight.",
        hint="Fit converted ~ x_within + x_mean + (1 | batch), take the coefficient of x_within, "
        "and mind the units: 10 °F, percentage points.",
        slips=lambda: {
            _slope(SPLIT, "x_mean"): "That is the slope between batches. The slope within a batch "
            "is asked for.",
            _slope("converted ~ temp", "temp"): "That leaves the batches out and mixes the slopes "
            "within and between them.",
            _slope(SPLIT, "x_within") / 10: "That is for 1 °F. The question is about 10 °F.",
            _slope(SPLIT, "x_within") / 100: "That is a proportion. Percentage points are 100 "
            "times as many.",
        },
    ),
    Choice(
        "12.5",
        right="c",
        replies={
            "a": "The lot makes the method unrelated to the schools' effects, and the schools, the "
            "experimental units, are in the model. That is enough.",
            "b": "Doses were drawn by lot within each river, so the dose is unrelated to the "
            "river's effect, and nothing pulls its slope to one side.",
            "c": "The dose is related to the hospital's effect, which biases its slope. Splitting "
            "x removes that part; sicker patients within a hospital need covariates besides.",
            "d": "The question is the variance between nests, which is what the random intercept "
            "estimates. Unequal broods alone do no harm.",
        },
    ),
)
