"""Exercises of lesson 08, Check a model."""

from collections.abc import Callable
from functools import cache

import numpy as np

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.inference.influence import Influence
from glmmtools.model import FittedModel
from glmmtools.residuals.tests import ResidualTest

SIMULATIONS, BELOW, EQUAL = 49, 20, 11  # exercise 08.1
AGES = 4


@cache
def _always(conditional: bool = False) -> tuple[int, np.ndarray]:
    """Children who wheezed at every age: observed, and in each of 250 simulated data sets."""
    data = load_data("wheeze")
    child = data["child"].cat.codes.to_numpy()
    model = fit_to("wheeze", "wheeze ~ age + smoke + (1 | child)", "binomial", nagq=15)
    drawn = model.simulate(250, seed=1, conditional=conditional)
    totals = np.array([np.bincount(child, weights=y) for y in drawn])
    observed = np.bincount(child, weights=data["wheeze"])
    return int((observed == AGES).sum()), (totals == AGES).sum(axis=1)


def _p_value(counted: Callable = np.greater_equal, conditional: bool = False) -> float:
    observed, simulated = _always(conditional)
    return (1 + counted(simulated, observed).sum()) / (len(simulated) + 1)


def _cane(random: str = " + (1 | variety)", family: str = "binomial") -> FittedModel:
    return fit_to("cane", f"prop(diseased, shoots) ~ block{random}", family)


@cache
def _cane_dispersion(
    conditional: bool = True, random: str = " + (1 | variety)", family: str = "binomial"
) -> ResidualTest:
    residuals = _cane(random, family).simulated_residuals(conditional=conditional)
    return residuals.test_dispersion()


@cache
def _left_out(random: str = "days", group: str | None = "subject") -> Influence:
    """What each person, or each row, does to a model of the reaction times."""
    return fit_to("sleep", f"reaction ~ days + ({random} | subject)").influence(group)


def _moved(left_out: Influence, column: str = "days") -> float:
    """The change of a coefficient without the unit of the largest Cook's distance."""
    return left_out.change.loc[left_out.frame["cooks_distance"].idxmax(), column]


EXERCISES = (
    Number(
        "08.1",
        solution=lambda: (BELOW + EQUAL + 1) / (SIMULATIONS + 1),
        decimals=3,
        because="The observation stands last among its equals: the 20 below, the 11 equal and "
        "itself fill the places up to it, of 50 in all.",
        hint="Put the observation and its 49 simulations in order. Which place is the last that "
        "the lot can give it, and of how many?",
        slips=lambda: {
            BELOW / (SIMULATIONS + 1): "That is the smallest value: the lot puts the observation "
            "first among its equals.",
            (BELOW + EQUAL) / (SIMULATIONS + 1): "Almost: the observation takes a place of its "
            "own. Look at the 1 beside the number of equal ones.",
            (BELOW + EQUAL) / SIMULATIONS: "That is the share of simulations at or below it. The "
            "observation itself counts, above and below the line.",
            (BELOW + (EQUAL + 1) / 2) / (SIMULATIONS + 1): "That is the middle of what it can be. "
            "The lot may place it higher.",
        },
    ),
    Number(
        "08.2",
        solution=_p_value,
        decimals=3,
        because="The random effects of the children make as many who always wheeze as there "
        "are. A model without them makes one or two at most.",
        hint="Sum the answers of each child, in the data and in each row of new_children; count "
        "the children whose sum is 4; then compare the 250 counts with the observed one.",
        slips=lambda: {
            (_p_value() * 251 - 1) / 250: "That is k/n. The data set itself counts too: see the "
            "formula.",
            _p_value(np.greater): "You counted data sets with more such children. At least as many "
            "is asked for.",
            _p_value(np.less_equal): "That is the other side: at most as many. At least as many is "
            "asked for.",
            2 * _p_value(): "That is two-sided; one side is asked for.",
            _p_value(conditional=True): "You kept the random effects. New children are asked for: "
            "simulate(250, seed=1).",
            _p_value() * 251 - 1: "That is k, a number of data sets.",
        },
    ),
    Number(
        "08.3",
        solution=lambda: _cane_dispersion().effect,
        decimals=2,
        is_factor=True,
        because="Plots of one variety differ far more than shoots counted at one probability "
        "would.",
        hint="Take simulated_residuals() of the fit, then test_dispersion(): which of its numbers "
        "is a ratio of variances?",
        slips=lambda: {
            _cane_dispersion(conditional=False).effect: "That is with new random effects, where "
            "the large differences between varieties hide the scatter within them. Keep the random "
            "effects.",
            np.sqrt(_cane_dispersion().effect): "That is a ratio of standard deviations; a ratio "
            "of variances is asked for.",
            _cane_dispersion().statistic: "That is the statistic, the mean square itself. The "
            "predicted effects follow the data, so the model expects less than 1: look for the "
            "ratio of the two.",
            _cane_dispersion().p_value: "That is the p-value. The effect is asked for.",
            _cane_dispersion(
                random=""
            ).effect: "That leaves the varieties out, so that what differs "
            "between them counts as excess. Add (1 | variety).",
            _cane_dispersion(family="betabinomial").effect: "That is the beta-binomial, which fits "
            "its own dispersion. The binomial is asked for.",
            (_cane().resid("pearson") ** 2).sum() / _cane().df_resid: "That is the sum of squared "
            "Pearson residuals over the rows less the parameters. The predicted varieties follow "
            "the data and make it too small; take `test_dispersion()`.",
        },
    ),
    Choice(
        "08.4",
        right="d",
        replies={
            "a": "They are a fifth of the data, not slips of the pen. Where that many rows lie "
            "outside, the model is wrong and not the rows.",
            "b": "The diseased shoots are counted out of a known number of shoots. A negative "
            "binomial has no upper limit and forgets that number.",
            "c": "With new random effects the test is nearly blind to scatter within varieties, "
            "because the varieties differ so much. The blocks are compared within varieties.",
            "d": "Either estimates the scatter between plots, and the standard errors of the "
            "blocks become about three times as large, or more. Then check the new model again.",
        },
    ),
    Choice(
        "08.5",
        right="b",
        replies={
            "a": "The p-value mostly shows the number of rows. Three per cent more variance "
            "changes standard errors by one or two per cent; nearly double the variance may "
            "change them by more than a third.",
            "b": "What counts is the size of the fault and what it does to the estimates. A can "
            "show that it is small; B cannot rule out that it is large.",
            "c": "The variance ratio of B speaks against it: standard errors of effects within "
            "groups may be a quarter too small. A large p-value in 28 rows is no proof of the "
            "model.",
            "d": "More simulations make the p-value more exact, not smaller. What B lacks is rows.",
        },
    ),
    Number(
        "08.6",
        solution=lambda: _moved(_left_out()),
        decimals=3,
        because="Person 309 hardly slows down, so the mean slope of the others is steeper, by a "
        "third of its standard error: no conclusion hangs on this person.",
        hint="influence('subject') leaves out each person. Find the largest Cook's distance in its "
        "frame, and the change of days in that row of its change.",
        slips=lambda: {
            _left_out().dfbetas["days"][_left_out().frame["cooks_distance"].idxmax()]: "That is in "
            "standard errors. Give milliseconds per day.",
            _moved(_left_out(), "Intercept"): "That is the change of the intercept. The slope is "
            "asked for.",
            _left_out().change["days"].max(): "That is the largest change of the slope, or from a "
            "model without random slopes. Cook's distance looks at the intercept as well: which "
            "person has the largest?",
            _moved(_left_out(group=None)): "You left out single rows. A whole person is asked for.",
            fit_to("sleep", "reaction ~ days + (days | subject)").params["days"]
            + _moved(_left_out()): "That is the slope without that person. By how much did it "
            "change?",
            _left_out().frame["cooks_distance"].max(): "That is the Cook's distance itself.",
        },
    ),
)
