"""Exercises of lesson 06, Model counts."""

from functools import cache

import numpy as np
import pandas as pd

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.designs.simulation import simulate
from glmmtools.model import FittedModel, fit

AREA = 4.0  # square metres
TRUE_LOG_RATE = 1 - 0.7  # of a treated plot at u = 0


def _seizures_by_period(family: str = "poisson") -> float:
    """The coefficient of the period."""
    formula = "seizures ~ treatment + log(base) + period + (1 | subject)"
    return fit_to("epilepsy", formula, family).params["period"]


def _by_stems(
    family: str = "nbinom1", stems: str = "log(stems)", others: str = "block + (1 | variety)"
) -> float:
    """The coefficient of the stems for the shoots of sugar cane; NB1 has the lowest AIC."""
    return fit_to("cane", f"shoots ~ {others} + {stems}", family).params[stems]


@cache
def _weeds(offset: str = "log(area)") -> FittedModel:
    """The lesson's weeds, fitted with their offset or another."""
    rng = np.random.default_rng(3)
    frames = pd.DataFrame({"field": np.repeat(np.arange(12), 6), "treated": np.tile([0, 1], 36)})
    small, large = rng.choice([1.0, 2.0, 4.0], size=72), rng.choice([2.0, 4.0, 8.0], size=72)
    frames["area"] = np.where(frames["treated"] == 1, large, small)
    formula = "weeds ~ treated + offset(log(area)) + (1 | field)"
    truth = {"coef": {"Intercept": 1, "treated": -0.7}, "sd": {"field": 0.4}}
    weeds = simulate(formula, frames, "poisson", **truth, seed=5)
    return fit(f"weeds ~ treated + offset({offset}) + (1 | field)", weeds, "poisson")


@cache
def _hurdle() -> FittedModel:
    right = "nutrient * clipping + rack + status"
    return fit(
        f"fruits ~ {right} + (1 | genotype)",
        load_data("arabidopsis"),
        "truncated_negative_binomial",
        zero_inflation=f"~ {right}",
    )


def _fruits(part: str | None = None, nutrient: int = 1) -> tuple[float, float]:
    """The means of unclipped and of clipped plants; of part "zero" probabilities of no fruit."""
    means = _hurdle().means("clipping", by="nutrient", part=part).frame
    unclipped, clipped = means.loc[means["nutrient"].astype(str) == str(nutrient), "estimate"]
    return unclipped, clipped


def _fruits_lost(part: str | None = None, nutrient: int = 1) -> float:
    unclipped, clipped = _fruits(part, nutrient)
    return clipped / unclipped


def _fruits_lost_on_average() -> float:
    unclipped, clipped = _hurdle().means("clipping").frame["estimate"]
    return clipped / unclipped


def _fruits_lost_without_hurdle(family: str) -> float:
    formula = "fruits ~ nutrient * clipping + rack + status + (1 | genotype)"
    return np.exp(fit_to("arabidopsis", formula, family).params["clipping[T.clipped]"])


def _fruiting_lost() -> float:
    unclipped, clipped = _fruits("zero")
    return (1 - clipped) / (1 - unclipped)


def _treated(model: FittedModel) -> float:
    """The log rate of a treated plot at u = 0."""
    return model.params["Intercept"] + model.params["treated"]


def _marginal() -> float:
    """Weeds of a treated frame, over all fields."""
    frame = pd.DataFrame({"treated": [1], "area": [AREA], "field": ["new"]})
    return _weeds().predict(frame, effects="marginal").iloc[0]


EXERCISES = (
    Number(
        "06.1",
        solution=lambda: np.exp(3 * _seizures_by_period()),
        decimals=2,
        is_factor=True,
        because="From period 1 to 4 are three steps: three times the coefficient on the log scale, "
        "so the rate ratio to the power of three.",
        hint="Add up the steps on the log scale, then take the exponential.",
        slips=lambda: {
            np.exp(_seizures_by_period()): "That is the ratio of one period to the one before. How "
            "many steps are there?",
            3 * _seizures_by_period(): "That is the difference of the log means. A factor is its "
            "exponential.",
            3 * np.exp(_seizures_by_period()): "Ratios multiply: take the power of three, not "
            "three times the ratio.",
            np.exp(4 * _seizures_by_period()): "From period 1 to period 4 are fewer steps than "
            "that.",
            np.exp(3 * _seizures_by_period("negative_binomial")): "That is a negative "
            "binomial's. The Poisson model is asked for.",
            np.exp(3 * _seizures_by_period("nbinom1")): "That is a negative binomial's. The "
            "Poisson model is asked for.",
            1 - np.exp(3 * _seizures_by_period()): "That is the part by which the count falls. The "
            "factor is what remains.",
            np.exp(-3 * _seizures_by_period()): "That is the factor from period 4 back to period "
            "1.",
            1 + 3 * _seizures_by_period(): "Is that 1 + 3β, or from the raw means? Take the "
            "exponential of three times the coefficient.",
        },
    ),
    Choice(
        "06.2",
        right="b",
        replies={
            "a": "The feed comes out the same, because pens take care of what is compared between "
            "them. The sex does not: its standard error, and any prediction of a count, need the "
            "right variance within pens.",
            "b": "The pens got the feeds, so they stay whatever the family is; NB2 gives "
            "comparisons within pens, such as that of the sexes, honest standard errors.",
            "c": "φ describes pigs that differ within a pen. Pigs of one pen also share something, "
            "and the feed was given to pens: without them every pig counts as a replicate.",
            "d": "Without the pens the counts vary even more than the model says, and the feed "
            "loses its right standard error on top of that.",
        },
    ),
    Number(
        "06.3",
        solution=lambda: 2 ** _by_stems(),
        decimals=3,
        is_factor=True,
        because="NB1 has the lowest AIC. The expected count is proportional to stems to the power "
        "of the coefficient, so twice the stems is the factor two to that power. That is far from "
        "two: an offset would be wrong here.",
        hint="Compare the three AICs. The logarithm of twice the stems is larger by log 2.",
        slips=lambda: {
            2 ** _by_stems("negative_binomial"): "That is NB2's, which has the higher AIC. Lower "
            "is better.",
            2 ** _by_stems("poisson"): "That is the Poisson model's, which these counts "
            "contradict. Fit NB1 and NB2.",
            _by_stems(): "That is the coefficient. What does twice the stems do to log(stems)?",
            np.exp(_by_stems()): "That is for e times the stems. Twice is asked for.",
            _by_stems() * np.log(2): "That is on the log scale. Take the exponential.",
            2 * _by_stems(): "A power of two, not twice the coefficient.",
            np.exp(2 * _by_stems()): "Twice the stems adds log 2 to the logarithm, not 2.",
            2.0: "That is what an offset claims. Let the data estimate it.",
            np.exp(_by_stems(stems="stems")): "That is for one stem more, by a model without the "
            "logarithm.",
            2 ** -_by_stems(): "That is half of the stems.",
            2 ** _by_stems(others="block"): "That leaves the varieties out. Add (1 | variety).",
            2
            ** _by_stems(others="(1 | variety)"): "That leaves the blocks out. Take the right side "
            "of the task.",
        },
    ),
    Number(
        "06.4",
        solution=lambda: AREA * np.exp(_treated(_weeds())),
        decimals=1,
        because="The rate of a treated plot is the exponential of the intercept plus the effect; "
        "the log of the area adds to it, so the area multiplies the rate.",
        hint="Add the coefficients of a treated plot and the offset on the log scale, then take "
        "the exponential.",
        slips=lambda: {
            np.exp(_treated(_weeds())): "That is the count in one square metre. The offset is "
            "missing.",
            np.exp(_treated(_weeds()) + AREA): "You added the area on the log scale. The offset is "
            "its logarithm.",
            np.exp(_treated(_weeds("0 * area"))): "That is from a model without an offset, which "
            "knows no area.",
            _marginal(): "That is the mean over all fields. A field with u = 0 is asked for.",
            _treated(_weeds()) + np.log(AREA): "That is on the log scale. Take the exponential.",
            AREA * np.exp(_weeds().params["Intercept"]): "That is an untreated plot. The effect of "
            "the treatment is missing.",
            AREA * np.exp(_weeds().params["treated"]): "The intercept is missing: it is the log "
            "rate of an untreated plot.",
            np.exp(_treated(_weeds("area")) + AREA): "Far too few. Is that from the model without "
            "the logarithm, or did you divide by the area? An area multiplies the rate.",
            AREA
            * np.exp(TRUE_LOG_RATE): "That is with the true coefficients. The fit of `right` is "
            "asked for.",
        },
    ),
    Choice(
        "06.5",
        right="d",
        replies={
            "a": "The Poisson model hardly makes zeros at such means, so it takes nearly every "
            "zero for an extra one. Its p₀ is estimated from the zeros: the match is no evidence.",
            "b": "Under NB2 the AIC does not fall with p₀, and NB1 without it lies far below both. "
            "The variance of NB2 is the wrong one for these counts, so it expects too few zeros.",
            "c": "The warning is a result, not a failure: p₀ is estimated at zero, and the model "
            "without it is the same fit with one parameter less.",
            "d": "NB1 has the lowest AIC and expects about as many zeros as there are; its p₀ is "
            "estimated at zero. The plants without fruit belong to a large variance.",
        },
    ),
    Number(
        "06.6",
        solution=_fruits_lost,
        decimals=2,
        is_factor=True,
        because="Without part= the means are those of all plants. Both parts are in them: clipped "
        "plants bear fruit less often, and fewer if they do. (The lesson's NB1 has the lower "
        "AIC all the same: the hurdle answers two questions, with the variance of NB2.)",
        hint="Take the means of all plants, zeros included, and divide the mean of the clipped "
        "plants by that of the others, at nutrient 1.",
        slips=lambda: {
            _fruits_lost("mean"): "That is of the plants that bear fruit. Those without are to be "
            "included.",
            np.exp(_hurdle().params["clipping[T.clipped]"]): "That is the factor of μ, the mean "
            "that the family would have with its own zeros. Take means.",
            _fruiting_lost(): "That is by how much the probability of any fruit changes. The "
            "number of fruits changes too.",
            _fruits_lost("zero"): "That is the factor of the probability of a zero. The number of "
            "fruits is asked for.",
            np.exp(_hurdle().tidy(part="zero").loc["clipping[T.clipped]", "estimate"]): "That is "
            "the odds ratio of a zero. The number of fruits is asked for.",
            _fruits_lost(nutrient=8): "That is at nutrient 8.",
            1 / _fruits_lost(): "That is the factor of not clipping against clipping.",
            1 - _fruits_lost(): "That is the part that is lost. The factor is what remains.",
            100 * _fruits_lost(): "That is in percent; a factor of 1 would mean no change.",
            _fruits_lost_on_average(): "Is that averaged over the nutrients, or the probability "
            "of any fruit? Take the means of all plants, by nutrient.",
            _fruits_lost_without_hurdle(
                "nbinom1"
            ): "That is from the plain NB1. Fit the hurdle model.",
            _fruits_lost_without_hurdle("negative_binomial"): "That is from the plain NB2. Fit the "
            "hurdle model.",
        },
    ),
)
