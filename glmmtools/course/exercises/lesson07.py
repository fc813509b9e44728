"""Exercises of lesson 07, Model proportions and positive responses."""

import numpy as np
import pandas as pd

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.model import FittedModel

MEAN = 0.2  # of the proportion converted
SEEDS = 50  # on the plate
CAKES = pd.DataFrame({"recipe": ["A"], "temperature": [225], "replicate": [1]})
BATCHES = {
    "right": " + (1 | recipe:replicate)",
    "replicate": " + (1 | replicate)",
    "nested": " + (1 | replicate/recipe)",
    "none": "",
}


def _gasoline_phi() -> float:
    return fit_to("gasoline", "converted ~ temp + (1 | batch)", "beta").dispersion["phi"]


def _beta_variance() -> float:
    return MEAN * (1 - MEAN) / (1 + _gasoline_phi())


def _seeds_phi() -> float:
    formula = "prop(germinated, seeds) ~ variety * extract"
    return fit_to("seeds", formula, "betabinomial").dispersion["phi"]


def _inflation() -> float:
    return (_seeds_phi() + SEEDS) / (_seeds_phi() + 1)


def _cake(family: str, random: str = BATCHES["right"], response: str = "angle") -> FittedModel:
    return fit_to("cake", f"{response} ~ recipe + temperature{random}", family)


def _cake_mean(effects: str = "population", model: FittedModel | None = None) -> float:
    """The mean of the cakes of recipe A at 225 °F."""
    return (model or _cake("gamma")).predict(CAKES, effects=effects).iloc[0]


def _cake_sd(random: str = BATCHES["right"], effects: str = "population") -> float:
    model = _cake("gamma", random)
    return np.sqrt(model.dispersion["phi"]) * _cake_mean(effects, model)


def _cake_sd_of(**changed: object) -> float:
    """By the Gamma, of other cakes with u = 0."""
    mean = _cake("gamma").predict(CAKES.assign(**changed), effects="population").iloc[0]
    return np.sqrt(_cake("gamma").dispersion["phi"]) * mean


def _log_sd() -> float:
    """The standard deviation by the lognormal."""
    model = _cake("normal", response="log(angle)")
    variance = model.dispersion["phi"]
    mean = np.exp(_cake_mean(model=model) + variance / 2)
    return mean * np.sqrt(np.exp(variance) - 1)


def _raw_sd() -> float:
    return load_data("cake").query("recipe == 'A' and temperature == 225")["angle"].std()


ODDS_OF_ZERO, ETA = np.exp(0.6), 2.3  # of the sprayed plots


def _biomass() -> float:
    return np.exp(ETA) / (1 + ODDS_OF_ZERO)


EXERCISES = (
    Number(
        "07.1",
        solution=lambda: 100 * np.sqrt(_beta_variance()),
        decimals=3,
        because="The variance is μ(1 − μ)/(1 + φ), and its square root is in the unit of the "
        "response, a proportion of the crude: a hundred times that are percentage points.",
        hint="Write the variance of a beta response at this mean, with the fitted φ, take its "
        "square root, and mind the unit.",
        slips=lambda: {
            _beta_variance(): "That is the variance, of proportions. Take its square root.",
            np.sqrt(_beta_variance()): "That is a proportion. Percentage points are 100 times as "
            "many.",
            100 * np.sqrt(MEAN * (1 - MEAN)): "That is the standard deviation of a single 0/1 "
            "trial. Where is φ?",
            np.sqrt(MEAN * (1 - MEAN)): "That is the standard deviation of a single 0/1 trial, as "
            "a proportion. Where is φ?",
            MEAN * (1 - MEAN): "That is the variance of a single 0/1 trial. Where is φ, and where "
            "the root?",
            np.sqrt(MEAN * (1 - MEAN) * (1 + _gasoline_phi())): "A larger φ means a smaller "
            "variance: it divides.",
            100 * np.sqrt(MEAN * (1 - MEAN) / 100): "That is a binomial with 100 invented trials. "
            "The fitted φ says what a row is worth.",
            10_000 * _beta_variance(): "That is the variance. Take its square root.",
            100 * np.sqrt(MEAN * (1 - MEAN) / _gasoline_phi()): "Nearly: below the line stands "
            "1 + φ.",
        },
    ),
    Choice(
        "07.2",
        right="a",
        replies={
            "a": "Two questions, two models: one for whether the fungus came, one for how far it "
            "spread where it came.",
            "b": "This answers the second question only. Said of all plots, it hides those that "
            "the treatment kept free.",
            "c": "The result depends on the number that is added, as the moss showed: the zeros "
            "are no small scores, they are plots without the fungus.",
            "d": "A transformation does not part the zeros from the rest: they stay a heap at one "
            "end, which no normal distribution has, and the two questions stay mixed.",
        },
    ),
    Number(
        "07.3",
        solution=_inflation,
        decimals=3,
        is_factor=True,
        because="The beta-binomial variance is the binomial one times (φ + N)/(φ + 1), with N the "
        "seeds on the plate.",
        hint="Divide the variance of a beta-binomial by that of a binomial with the same N and μ: "
        "what remains holds φ and N.",
        slips=lambda: {
            1 + SEEDS / (1 + _seeds_phi()): "Close. Try your formula on a plate with one seed, "
            "where the factor is 1; and give three decimals.",
            np.sqrt(_inflation()): "That is the factor of the standard deviation. The variance is "
            "asked for.",
            1 / (1 + _seeds_phi()): "That is the correlation of two seeds on a plate. How does it "
            "add up over N seeds?",
            _seeds_phi(): "That is φ itself. The factor also depends on the number of seeds.",
            SEEDS / (1 + _seeds_phi()): "That leaves out φ above the line: a plate with one seed "
            "would get less than 1.",
            _inflation() - 1: "That is by how much it is larger. Give the factor.",
        },
    ),
    Choice(
        "07.4",
        right="b",
        replies={
            "a": "The exponential of a mean of logarithms is not a mean: it lies below it, and "
            "belongs to a pig with u = 0 on top of that. Sums need means.",
            "b": "A total over many pigs is their number times the mean, and effects='marginal' "
            "averages the mean over all pigs.",
            "c": "That is the mean of a pig with u = 0. Exponentials of u average to more than 1, "
            "so the mean over all pigs is larger.",
            "d": "The ratios of the weeks are the same, but the farm orders kilograms, not ratios.",
        },
    ),
    Number(
        "07.5",
        solution=_cake_sd,
        decimals=3,
        because="Gamma has the lowest AIC. Its standard deviation is √φ times the mean, so it is "
        "larger at 225 °F than at 175. The t model has so many degrees of freedom that it is as "
        "good as normal: no heavy tails to speak of.",
        hint="Compare the three AICs. For the chosen family, which function of φ and of the mean "
        "is the standard deviation? predict(new, effects='population') gives the mean.",
        slips=lambda: {
            _cake("gamma").dispersion["phi"]: "That is φ. The variance is φμ².",
            np.sqrt(_cake("gamma").dispersion["phi"]): "That is the coefficient of variation, the "
            "standard deviation over the mean. Multiply by the mean.",
            _cake("gamma").dispersion["phi"] * _cake_mean(): "φ is a variance over a squared mean. "
            "Take its root before you multiply.",
            _cake("normal").dispersion["residual sd"]: "That is the normal model's or the "
            "t's, the same at every mean. Compare the AICs.",
            np.sqrt(_cake("t").dispersion["phi"]): "That is the scale of the t model. Compare the "
            "AICs.",
            _log_sd(): "That is from a normal model of log(angle). Take the best of the three.",
            _cake_sd(effects="marginal"): "That is with the mean over all batches. A batch with "
            "u = 0 is asked for.",
            _cake_sd(BATCHES["none"]): "The batches are missing in that model, so what differs "
            "between them counts as scatter within.",
            _cake_sd(BATCHES["replicate"]): "You grouped by replicate. Replicate 1 of recipe A and "
            "replicate 1 of recipe C are two batches.",
            _cake_sd(BATCHES["nested"]): "That makes a block of the batches of one number. Here we "
            "assume that they have nothing in common.",
            _raw_sd(): "That is of these cakes as they are, so their batches add to it. Given the "
            "batch, it is smaller.",
            _cake("gamma").variance_components["sd"].iloc[0]: "That is the standard deviation "
            "between batches, on the log scale.",
            _cake_mean(): "That is the mean angle. Its standard deviation is asked for.",
            _cake_sd() ** 2: "That is the variance, φμ². Take its square root.",
            _cake_sd(
                effects="conditional"
            ): "That is batch 1 of the recipe, whose own effect is in "
            "it. A batch with u = 0 is asked for: effects='population'.",
            _cake_sd_of(temperature=175): "That is at 175 °F.",
            _cake_sd_of(recipe="B"): "That is recipe B.",
            _cake_sd_of(recipe="C"): "That is recipe C.",
        },
    ),
    Choice(
        "07.6",
        right="b",
        replies={
            "a": "The result depends on the number that is put in place of the ends, and the ends, "
            "far out on the log-odds scale, take over the fit.",
            "b": "The ends belong to the scale: what lessens the disease makes zeros more frequent "
            "and hundreds rarer, and one effect says all of it.",
            "c": "Nobody counted a hundred parts of a lung. The invented trials would decide the "
            "standard errors.",
            "d": "The zeros get a part of their own, which suits another cause than the one she "
            "expects, and the beta part still refuses a score of 100.",
        },
    ),
    Number(
        "07.7",
        solution=_biomass,
        decimals=2,
        because="The probability of a biomass above zero, 1/(1 + the odds of a zero), times the "
        "mean if there is any, the exponential of the linear predictor.",
        hint="Turn the log odds into the probability of a zero. The mean over all plots is that "
        "of the plots with the weed times the probability of the weed.",
        slips=lambda: {
            np.exp(ETA): "That is the mean of the plots with the weed. The others hold zero.",
            np.exp(ETA) * ODDS_OF_ZERO / (1 + ODDS_OF_ZERO): "You took the probability of a zero "
            "in place of that of some weed.",
            ETA / (1 + ODDS_OF_ZERO): "The linear predictor is on the log scale. Take its "
            "exponential.",
            np.exp(ETA - 0.6): "The log odds of a zero cannot be subtracted on the log scale: the "
            "parts have different links.",
            np.exp(ETA) * (1 - 0.6): "0.6 are log odds, not the probability of a zero.",
            1 / (1 + ODDS_OF_ZERO): "That is the probability of some weed. Where is its mean?",
            np.exp(ETA) / ODDS_OF_ZERO * (1 + ODDS_OF_ZERO): "You divided by the probability of a "
            "zero.",
        },
    ),
)
