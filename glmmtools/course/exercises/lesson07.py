"""Exercises of lesson 07, Model proportions and positive responses."""

import numpy as np

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.model import FittedModel

MEAN = 0.2  # of the proportion converted
SEEDS = 50  # on the plate


def _gasoline_phi() -> float:
    return fit_to("gasoline", "converted ~ temp + (1 | batch)", "beta").dispersion["phi"]


def _beta_variance() -> float:
    return MEAN * (1 - MEAN) / (1 + _gasoline_phi())


def _seeds_phi() -> float:
    formula = "prop(germinated, seeds) ~ variety * extract"
    return fit_to("seeds", formula, "betabinomial").dispersion["phi"]


def _inflation() -> float:
    return (_seeds_phi() + SEEDS) / (_seeds_phi() + 1)


def _cake(family: str) -> FittedModel:
    return fit_to("cake", "angle ~ recipe + temperature + (1 | recipe:replicate)", family)


def _cake_cv() -> float:
    return np.sqrt(_cake("gamma").dispersion["phi"])


def _raw_cv() -> float:
    angle = load_data("cake")["angle"]
    return angle.std() / angle.mean()


ODDS_OF_ZERO, ETA = np.exp(0.6), 2.3  # of the sprayed plots


def _biomass() -> float:
    return np.exp(ETA) / (1 + ODDS_OF_ZERO)


EXERCISES = (
    Number(
        "07.1",
        solution=lambda: np.sqrt(_beta_variance()),
        decimals=3,
        because="The variance is μ(1 − μ)/(1 + φ), and its square root is in the unit of the "
        "response, a proportion of the crude.",
        hint="Write the variance of a beta response at this mean, with the fitted φ, and take its "
        "square root.",
        slips=lambda: {
            _beta_variance(): "That is the variance. Take its square root.",
            np.sqrt(MEAN * (1 - MEAN)): "That is the standard deviation of a single 0/1 trial. "
            "Where is φ?",
            MEAN * (1 - MEAN): "That is the variance of a single 0/1 trial. Where is φ, and where "
            "the root?",
            np.sqrt(MEAN * (1 - MEAN) * (1 + _gasoline_phi())): "A larger φ means a smaller "
            "variance: it divides.",
            np.sqrt(MEAN * (1 - MEAN) / 100): "That is a binomial with 100 invented trials. The "
            "fitted φ says what a row is worth.",
            100 * np.sqrt(_beta_variance()): "That is in percent; give it as a proportion.",
        },
    ),
    Choice(
        "07.2",
        right="c",
        replies={
            "a": "The result depends on the number that is added, as the moss showed: the zeros "
            "are no small scores, they are plots without the fungus.",
            "b": "This answers the second question only. Said of all plots, it hides those that "
            "the treatment kept free.",
            "c": "Two questions, two models: one for whether the fungus came, one for how far it "
            "spread where it came.",
            "d": "A transformation does not part the zeros from the rest: they stay a heap at one "
            "end, which no normal distribution has, and the two questions stay mixed.",
        },
    ),
    Number(
        "07.3",
        solution=_inflation,
        decimals=3,
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
            100 * _inflation(): "That is in percent; give the factor.",
        },
    ),
    Choice(
        "07.4",
        right="c",
        replies={
            "a": "The exponential of a mean of logarithms is not a mean: it lies below it, and "
            "belongs to a pig with u = 0 on top of that. Sums need means.",
            "b": "That is the mean of a pig with u = 0. Exponentials of u average to more than 1, "
            "so the mean over all pigs is larger.",
            "c": "A total over many pigs is their number times the mean, and effects='marginal' "
            "averages the mean over all pigs.",
            "d": "The ratios of the weeks are the same, but the farm orders kilograms, not ratios.",
        },
    ),
    Number(
        "07.5",
        solution=_cake_cv,
        decimals=2,
        because="Gamma has the lowest AIC, and its coefficient of variation is √φ. The t model "
        "has so many degrees of freedom that it is as good as normal: no heavy tails to speak of.",
        hint="Compare the three AICs. For the chosen family, which function of φ is the standard "
        "deviation over the mean?",
        slips=lambda: {
            _cake("gamma").dispersion["phi"]: "That is φ, the square of what is asked for.",
            _cake("normal").dispersion["residual sd"]: "That is a standard deviation in degrees, "
            "of the normal model. Compare the AICs, and divide by the mean.",
            _cake("normal").dispersion["residual sd"] ** 2: "That is the residual variance of the "
            "normal model. Compare the AICs first.",
            _raw_cv(): "That is of all cakes together, so batches, recipes and temperatures add to "
            "it. Given the batch, it is smaller.",
            _cake("gamma").variance_components["sd"].iloc[0]: "That is the standard deviation "
            "between batches, on the log scale.",
            100 * _cake_cv(): "That is in percent; give it as a fraction of the mean.",
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
