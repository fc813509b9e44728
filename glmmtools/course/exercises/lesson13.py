"""Exercises of lesson 13, Know where to go next."""

from functools import cache

import numpy as np

from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.studies.study import power

POWER, HALF_WIDTH = 0.8, 0.01
INTERACTION = "variety[T.Oa73]:extract[T.cucumber]"


def _trials(quantile: float, half_width: float = HALF_WIDTH) -> float:
    """Simulated trials for a power that is known that well."""
    return float(np.ceil(quantile**2 * POWER * (1 - POWER) / half_width**2))


@cache
def _seeds_power(plates: int, interaction: float | None) -> float:
    formula = "prop(germinated, seeds) ~ variety * extract + (1 | plate)"
    m = fit_to("seeds", formula, "binomial")
    coef = {} if interaction is None else {"coef": {INTERACTION: interaction}}
    options = {"along": "plate", "sizes": [plates], "n": 100, "progress": False}
    return float(power(m, terms=INTERACTION, **options, **coef).frame["power"].iloc[0])


def _fall(family: str) -> float:
    formula = "seizures ~ treatment + log(base) + (1 | subject)"
    with_zeros = fit_to("epilepsy", formula, family, zero_inflation="~ 1")
    return fit_to("epilepsy", formula, family).aic - with_zeros.aic


EXERCISES = (
    Number(
        "13.1",
        solution=lambda: _trials(1.96),
        decimals=0,
        because="The Monte-Carlo error falls with the square root of n: ten times more exact costs "
        "a hundred times the trials.",
        hint="Set the half-width to 0.01 and solve for n.",
        slips=lambda: {
            _trials(1.0): "That makes 0.01 one standard error. The half-width of a 95 % interval "
            "is 1.96 of them.",
            np.ceil((1.96 * 0.5 / HALF_WIDTH) ** 2 - 1e-6): "That is for a power of 0.5, where n "
            "must be largest. Here p is near 0.8.",
            _trials(2.0): "That is with 2. The formula has 1.96.",
            _trials(1.96, 2 * HALF_WIDTH): "That is for a half-width of 0.02. ±0.01 is the "
            "half-width, not the whole width.",
            _trials(1.96, HALF_WIDTH / 2): "That is for a half-width of 0.005. The half-width "
            "itself is 0.01.",
            _trials(1.96) - 1: "Near. Round up to the next whole number.",
            _trials(1.96) + 1: "Near. Round up to the next whole number, and no further.",
            np.ceil(1.96 * np.sqrt(POWER * (1 - POWER)) / HALF_WIDTH): "That is the square root of "
            "n. Square both sides.",
        },
    ),
    Choice(
        "13.2",
        right="b",
        replies={
            "a": "The most counts, but straw is given to sixteen pens as before: the variance "
            "between pens is divided by sixteen, however many pigs each holds. The stored studies "
            "show how little more pigs in the same pens gain.",
            "b": "Pens are the experimental units, and all three parts of the variance are divided "
            "by their number. Fewer pigs a pen pay for more pens.",
            "c": "Leaving out the pens makes p-values small, with or without an effect: the trials "
            "of nothing in lesson 11 showed it. That is no power.",
            "d": "Equal money does not buy equal knowledge: pigs of one pen share its u, so that "
            "nine of them are not nine witnesses on straw.",
        },
    ),
    Number(
        "13.3",
        solution=lambda: _seeds_power(42, -0.5),
        decimals=2,
        because="Even with twice the plates fewer than half of the simulated trials find it: an "
        "interaction is a difference of differences and needs more data than a main effect of "
        "the same size.",
        hint="Give gt.power the fitted model: terms= names the coefficient whose test is "
        "counted, coef= sets it. Its name stands in m.params.",
        slips=lambda: {
            _seeds_power(42, None): "That is the power at the estimated interaction, which was "
            "large enough to be significant. Give coef= the −0.5 of the question.",
            _seeds_power(21, -0.5): "That is the power with the 21 plates of the first trial.",
            1 - _seeds_power(42, -0.5) + 1e-4: "If that is the share of trials that miss the "
            "interaction, take the others; if you set a seed, leave it out.",
        },
    ),
    Choice(
        "13.4",
        right="a",
        replies={
            "a": "A posterior interval is a statement on the parameter itself, and it stands on "
            "the model and the priors; so name them.",
            "b": "That is what a confidence interval says, of the procedure. A posterior interval "
            "is no statement on repetitions, although with weak priors the two come close.",
            "c": "Under every prior is too much: a prior that is narrow around zero would pull the "
            "interval over it. And an interval says how large an effect may be, not that it is "
            "'real'.",
            "d": "A weak prior is an assumption too, and so are the logit, the normal herds and "
            "the binomial. State it, and show what another prior changes.",
        },
    ),
    Number(
        "13.5",
        solution=lambda: _fall("negative_binomial"),
        decimals=1,
        because="Most of what extra zeros gained beside the Poisson was overdispersion. A smaller "
        "gain remains beside the negative binomial: there may be some of both.",
        hint="Fit both with family='negative_binomial', and subtract the AIC with extra zeros from "
        "the AIC without.",
        slips=lambda: {
            _fall("poisson"): "That is the fall beside the Poisson. The negative binomial is asked "
            "for: part of that fall was overdispersion.",
            _fall("nbinom1"): "That is NB1's fall. The other negative binomial is asked for.",
            -_fall("negative_binomial"): "The AIC is smaller with the extra zeros, so it falls: a "
            "positive number.",
            (_fall("negative_binomial") + 2) / 2: "That is the difference of the log-likelihoods. "
            "AIC is −2 logLik plus 2 for each parameter.",
            _fall("negative_binomial") + 2: "That is twice the difference of the log-likelihoods; "
            "the AIC also charges 2 for the parameter π.",
        },
    ),
)
