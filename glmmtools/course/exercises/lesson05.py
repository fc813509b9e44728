"""Exercises of lesson 05, Fit a GLMM in three steps."""

import numpy as np
import pandas as pd
from scipy.special import expit

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.model import FittedModel

CUCUMBER = "extract[T.cucumber]"
INTERACTION = "variety[T.Oa73]:extract[T.cucumber]"


def _seeds(plates: str = " + (1 | plate)") -> pd.Series:
    formula = f"prop(germinated, seeds) ~ variety * extract{plates}"
    return fit_to("seeds", formula, "binomial").params


def _oa73(extract: str, plates: str = " + (1 | plate)") -> float:
    """The log-odds of germination of Oa73 at u = 0."""
    intercept, variety, cucumber, both = _seeds(plates)
    return intercept + variety + (cucumber + both if extract == "cucumber" else 0.0)


def _oa75_on_cucumber() -> float:
    """The log-odds of germination of Oa75, the base variety, on cucumber at u = 0."""
    return _seeds()["Intercept"] + _seeds()[CUCUMBER]


def _additive() -> pd.Series:
    """The coefficients of a model without the interaction."""
    formula = "prop(germinated, seeds) ~ variety + extract + (1 | plate)"
    return fit_to("seeds", formula, "binomial").params


def _mean_share() -> float:
    """The mean of the shares of the plates of Oa73 on cucumber."""
    plates = load_data("seeds").query("variety == 'Oa73' and extract == 'cucumber'")
    return (plates["germinated"] / plates["seeds"]).mean()


def _without(term: str) -> float:
    """The log-odds of Oa73 on cucumber, with one coefficient forgotten."""
    return _oa73("cucumber") - _seeds()[term]


def _cucumber_in_oa73() -> float:
    """The log odds ratio of cucumber to bean in Oa73."""
    return _oa73("cucumber") - _oa73("bean")


def _herds(random: str = " + (1 | herd)") -> FittedModel:
    return fit_to("herds", f"prop(incidence, size) ~ period{random}", "binomial")


def _period(number: int, random: str = " + (1 | herd)") -> float:
    """The log odds ratio of a period to the first."""
    return _herds(random).params[f"period[T.{number}]"]


def _sd() -> float:
    return _herds().variance_components["sd"].iloc[0]


def _marginal() -> float:
    """The mean probability of a new case in period 1, over all herds."""
    new = pd.DataFrame({"period": ["1"], "size": [1]})
    return _herds().predict(new, effects="marginal").iloc[0]


def _herd(u: float) -> float:
    """The log-odds of a new case in period 1 in a herd with random effect u."""
    return _herds().params["Intercept"] + u


EXERCISES = (
    Number(
        "05.1",
        solution=lambda: expit(_oa73("cucumber")),
        decimals=3,
        because="All four coefficients add up on the log-odds scale; the inverse link turns their "
        "sum into a probability.",
        hint="Add the coefficients that belong to this treatment, then apply the inverse link.",
        slips=lambda: {
            _oa73("cucumber"): "That is η, on the log-odds scale. Apply the inverse link to it.",
            expit(_without(INTERACTION)): "The interaction is missing: Oa73 on cucumber gets that "
            "coefficient too.",
            expit(_without("Intercept")): "The intercept is missing: every treatment starts from "
            "it.",
            np.exp(_oa73("cucumber")): "That is an odds. The probability is odds/(1 + odds).",
            expit(_oa73("cucumber", "")): "That is from a model without plates, and so the share "
            "of all its seeds that germinated. A plate with u = 0 is asked for.",
            expit(_oa73("bean")): "That is Oa73 on bean. Add the coefficient of cucumber and the "
            "interaction.",
            expit(_oa75_on_cucumber()): "That is Oa75 on cucumber. Add the coefficient of Oa73 and "
            "the interaction.",
            expit(-_oa73("cucumber")): "That is the probability of not germinating.",
            expit(
                _without("variety[T.Oa73]")
            ): "The coefficient of the variety is missing: Oa73 is not the base.",
            expit(_without(CUCUMBER)): "The coefficient of cucumber is missing.",
            expit(_additive().sum()): "That is from a model without the interaction. Take the "
            "coefficients of the summary.",
            _mean_share(): "That is the mean of the shares of five plates, small ones and "
            "large ones alike. Take the coefficients of the summary.",
        },
    ),
    Number(
        "05.2",
        solution=lambda: np.exp(_cucumber_in_oa73()),
        decimals=2,
        is_factor=True,
        because="Within Oa73 the extract changes η by the cucumber coefficient plus the "
        "interaction, and exp of a difference of log-odds is an odds ratio.",
        hint="Write η of Oa73 on cucumber and on bean, take the difference, then exp.",
        slips=lambda: {
            np.exp(_seeds()[CUCUMBER]): "That is the odds ratio in Oa75, the base variety. In Oa73 "
            "the interaction comes on top.",
            np.exp(_oa73("cucumber", "") - _oa73("bean", "")): "That is from a model without "
            "plates, or from the raw shares. Take the GLMM.",
            _cucumber_in_oa73(): "That is the difference of log-odds. An odds ratio is its "
            "exponential.",
            np.exp(_seeds()[INTERACTION]): "That is a ratio of two odds ratios, Oa73's to Oa75's. "
            "Add the cucumber coefficient before exp.",
            np.exp(_seeds()[[CUCUMBER, INTERACTION]]).sum(): "You added two exponentials. Log-odds "
            "add up; take exp of their sum.",
            np.exp(-_cucumber_in_oa73()): "That is bean against cucumber; cucumber against bean is "
            "asked for.",
            expit(_oa73("cucumber")) / expit(_oa73("bean")): "That is a ratio of probabilities. "
            "Odds are p/(1 − p).",
            expit(_oa73("cucumber")) - expit(_oa73("bean")): "That is a difference of "
            "probabilities. The ratio of the odds is asked for.",
            np.exp(_oa73("cucumber")): "That is the odds on cucumber. Divide by the odds on bean.",
            np.exp(
                _additive()[CUCUMBER]
            ): "That is from a model without the interaction, which has "
            "one odds ratio for both varieties.",
            np.exp(
                _oa73("cucumber") - _seeds()["Intercept"]
            ): "That compares with Oa75 on bean. Both "
            "are to be of Oa73, so the coefficient of the variety cancels.",
        },
    ),
    Number(
        "05.3",
        solution=lambda: expit(_herd(1.96 * _sd())),
        decimals=2,
        because="If the estimates were the truth, one herd in forty would lie above this.",
        hint="Start from the intercept, go up 1.96 standard deviations of the herds, then apply "
        "the inverse link.",
        slips=lambda: {
            expit(_herd(1.96 * _sd() ** 2)): "You went 1.96 variances up. Use the standard "
            "deviation of the herds.",
            expit(_herds().conf_int().loc["Intercept", "conf_high"]): "That is the confidence "
            "limit of the middle herd: it says how well we know that herd, not how much herds "
            "differ.",
            _herd(1.96 * _sd()): "That is on the log-odds scale. Apply the inverse link.",
            expit(_herd(_sd())): "That is one standard deviation up. The middle 95 % reach 1.96 of "
            "them.",
            expit(_herd(-1.96 * _sd())): "That is the lower end. Go up, not down.",
            expit(_herd(0)): "That is the herd in the middle, with u = 0.",
            expit(_herd(0)) + 1.96 * _sd(): "You added log-odds to a probability. Add on the "
            "log-odds scale, then invert.",
            _marginal(): "That is the mean probability over all herds. The end of their range "
            "is asked for.",
            expit(
                _herd(1.645 * _sd())
            ): "That is 1.645 standard deviations up, which leaves 5 % above. "
            "Of the middle 95 % only 2.5 % lie above.",
            expit(_herd(0))
            + 1.96 * _sd() * expit(_herd(0)) * (1 - expit(_herd(0))): "You carried the "
            "standard deviation to the probability scale. Add on the log-odds scale, then invert.",
        },
    ),
    Choice(
        "05.4",
        right="c",
        replies={
            "a": "The 100 is not a number of trials: nobody drew 100 pieces of leaf that were each "
            "eaten or not, and 1000 would do as well and give smaller standard errors.",
            "b": "This says the same as prop(percent, 100): a hundred trials that nobody made. It "
            "runs without an error only because the percentages are whole.",
            "c": "An area is measured, not counted, so no number of trials exists. The beta "
            "distribution has a dispersion φ that is estimated from the plants.",
            "d": "0/1 throws away how much was eaten, and the answer depends on where you cut.",
        },
    ),
    Choice(
        "05.5",
        right="b",
        replies={
            "a": "An estimate of zero is not a proof of zero. The plates of the simulation above "
            "did differ, and many of its fits gave zero as well.",
            "b": "The highest likelihood lies on the boundary; the other estimates are those of "
            "maximum likelihood, as they would be without the term.",
            "c": "More nodes compute the same integral more exactly, which seldom moves a zero. "
            "What is missing is information on the plates.",
            "d": "The fit did converge: zero is the value with the highest likelihood, and another "
            "start finds it again. There is nothing to discard.",
        },
    ),
    Number(
        "05.6",
        solution=lambda: np.exp(_period(4) - _period(2)),
        decimals=2,
        is_factor=True,
        because="Both coefficients compare with period 1, which cancels from their difference. Its "
        "exponential is the odds ratio of period 4 to period 2, given the herd.",
        hint="Fit the model with the herds as random effect, subtract the estimate of period 2 "
        "from that of period 4, and take the exponential.",
        slips=lambda: {
            _period(4) - _period(2): "That is the difference of log-odds. An odds ratio is its "
            "exponential.",
            np.exp(_period(4)): "That is period 4 against period 1, the base level.",
            np.exp(_period(2)): "That is period 2 against period 1.",
            np.exp(_period(2) - _period(4)): "That is period 2 against period 4.",
            np.exp(_period(4) - _period(3)): "That is period 4 against period 3.",
            np.exp(_period(4, "") - _period(2, "")): "That is from a model without herds, or from "
            "the raw shares. The four rows of a herd share its shift.",
            expit(_herd(_period(4))): "That is the probability of a new case in period 4. The "
            "ratio of the odds is asked for.",
            np.exp(_herd(_period(4))): "That is the odds in period 4, or the probability. "
            "Divide the odds by those in period 2.",
            expit(_herd(_period(4))) / expit(_herd(_period(2))): "That is a ratio of "
            "probabilities. Odds are p/(1 − p).",
            expit(_period(4) - _period(2)): "A difference of log-odds is no log-odds: the inverse "
            "link makes nothing of it. Take the exponential.",
        },
    ),
)
