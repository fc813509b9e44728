"""Exercises of lesson 10, Model repeated measures."""

import numpy as np
import pandas as pd
from scipy.special import logit

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Number
from glmmtools.model import FittedModel, gee

_DAYS, _CORRELATION = 8, 0.6  # of exercise 10.1
# the covariance of a plant at lag 0, 1, 2, as the lesson prints it
_LAG_0, _LAG_1, _LAG_2 = 10.0, 7.2, 6.48


def _between(other_rows: int = _DAYS - 1) -> float:
    """How many times too small the standard error of an effect between subjects is."""
    return np.sqrt(1 + other_rows * _CORRELATION)


def _rats(term: str, reml: bool = True) -> FittedModel:
    return fit_to("rats", f"weight ~ diet * day{term}", reml=reml)


def _rats_error(term: str, reml: bool = True) -> float:
    return _rats(term, reml).bse["diet[T.2]:day"]


def _rats_test(structure: str, reml: bool = True, day: str = "C(day)") -> pd.Series:
    """The F statistics of rats whose residuals have this structure."""
    model = fit_to("rats", f"weight ~ diet * {day}", residual=f"{structure}(day | rat)", reml=reml)
    return model.anova(df="kenward-roger" if reml else "auto")["statistic"]


def _wheeze(child: str = " + (1 | child)", nagq: int = 25) -> FittedModel:
    return fit_to("wheeze", f"wheeze ~ age + smoke{child}", "binomial", nagq=nagq)


def _at_7(
    effects: str = "marginal", model: FittedModel | None = None, age: float = 7
) -> np.ndarray:
    """Chances of children of 7 whose mother does not smoke, and of those whose mother does."""
    new = pd.DataFrame({"age": [age, age], "smoke": ["no", "yes"]})
    return (model or _wheeze()).predict(new, effects=effects).to_numpy()


def _by_gee() -> np.ndarray:
    data = load_data("wheeze")
    fitted = gee("wheeze ~ age + smoke", data, "binomial", groups="child", working="exchangeable")
    return fitted.predict(pd.DataFrame({"age": [7, 7], "smoke": ["no", "yes"]})).to_numpy()


def _difference(two: np.ndarray) -> float:
    return float(np.diff(two)[0])


def _observed_at_7() -> pd.Series:
    aged_7 = load_data("wheeze").query("age == 7")
    return aged_7.groupby("smoke", observed=True)["wheeze"].mean()


EXERCISES = (
    Number(
        "10.1",
        solution=_between,
        decimals=2,
        is_factor=True,
        because="Diets differ between cows, so the factor is √(1 + (m − 1)ρ): the claimed "
        "standard error is less than half of the true one.",
        hint="A cow has one diet for good. Take the formula for an effect between subjects, with m "
        "the rows of one cow.",
        slips=lambda: {
            _between() ** 2: "That is the factor of the variance. A standard error goes with its "
            "square root.",
            np.sqrt(1 - _CORRELATION): "That is the factor of an effect within cows, such as day. "
            "A cow has one diet.",
            _between(_DAYS): "Count again: a row has m − 1 other rows of the same cow.",
            _between(2 * 10 * _DAYS - 1): "m is the number of rows of one cow, not of the whole "
            "trial.",
            1 / _between(): "That is claimed over true. The factor that mends the claimed one is "
            "the inverse.",
            np.sqrt(_DAYS): "That would hold if the days of a cow were all the same (correlation "
            "1).",
        },
    ),
    Number(
        "10.2",
        solution=lambda: _LAG_2 / _LAG_1,
        decimals=2,
        because="The variance is constant and the covariance falls by the same factor at each "
        "step: AR(1), with a residual that lifts the diagonal only.",
        hint="The diagonal holds the residual variance as well. Compare entries off the diagonal.",
        slips=lambda: {
            _LAG_1 / _LAG_0: "That is the correlation of two neighbouring observations. The "
            "residual variance on the diagonal lowers it; the random term has a larger one.",
            _LAG_2 / _LAG_0: "That is the correlation of observations two weeks apart. The random "
            "term's, from a week to the next, is asked for.",
            (_LAG_2 / _LAG_1) ** 2: "That is the correlation of the random term two weeks apart.",
            _LAG_0 - _LAG_1**2 / _LAG_2: "That is the residual variance: right, but the "
            "correlation is asked for.",
            _LAG_1**2 / _LAG_2: "That is the variance of the random term: right, but its "
            "correlation is asked for.",
        },
    ),
    Number(
        "10.3",
        solution=lambda: _rats_error(" + ar1(day | rat)"),
        decimals=3,
        because="AR(1) has the smallest AIC and leaves next to no correlation of neighbouring "
        "residuals; the others leave much.",
        hint="Fit the three with reml=True, compare their AIC, and look at "
        "simulated_residuals().test_autocorrelation('day', group=rats['rat']).",
        slips=lambda: {
            _rats_error(" + (1 | rat)"): "That is compound symmetry, as if all rats of a diet grew "
            "alike. Its AIC is by far the worst of the three.",
            _rats_error(" + (day | rat)"): "Random slopes come near, but neighbouring residuals "
            "are still alike, and another structure has a smaller AIC.",
            _rats_error(" + ar1(day | rat)", reml=False): "The right structure, by maximum "
            "likelihood, which makes variances a little too small. Fit with reml=True.",
            _rats_error(""): "That is without any random term: the rats are ignored.",
            _rats(" + ar1(day | rat)").params["diet[T.2]:day"]: "The right model; this is the "
            "estimate. Its standard error is asked for.",
            _rats(" + ar1(day | rat)").bse["diet[T.2]"]: "The right model; this is the diet's "
            "effect at day 0. The growth is in the line with the colon.",
            fit_to("rats", "weight ~ diet * day", residual="ar1(day | rat)", reml=True).bse[
                "diet[T.2]:day"
            ]: "That has AR(1) on the R side. The task has it as a random term, "
            "beside which there is a residual of each day.",
            _rats_error(
                " + (day | rat) + ar1(day | rat)"
            ): "That is a fourth model, of which the AIC is larger than that of one of the three.",
            _rats(" + ar1(day | rat)").bse[
                "day"
            ]: "That is of the growth on diet 1. The difference of diet 2 is asked for.",
        },
    ),
    Number(
        "10.4",
        solution=lambda: _difference(_at_7()),
        decimals=3,
        because="A question about all children is marginal: average the probabilities over the "
        "children first, then take the difference.",
        hint="Predict for age 7 with both values of smoke, at the level that stands for all "
        "children, and subtract.",
        slips=lambda: {
            _difference(_at_7("population")): "That compares two children with u = 0. The office "
            "asks about all children.",
            _difference(logit(_at_7())): "That is a difference of log-odds. A difference of "
            "probabilities is asked for.",
            _wheeze().params["smoke[T.yes]"]: "That is the coefficient: log-odds, and given the "
            "child. A difference of two probabilities in the population is asked for.",
            _difference(_observed_at_7()): "That is the difference of the shares observed at this "
            "age. The model's is asked for.",
            _difference(_at_7(model=_wheeze("", nagq=1))): "That is from a model without children. "
            "Answer from the GLMM.",
            _difference(_at_7(model=_wheeze(nagq=1))): "That is by the Laplace approximation, too "
            "coarse for four 0/1 answers of a child. Take the model `child` of the lesson.",
            _at_7()[1] / _at_7()[0]: "That is a ratio of probabilities. Subtract instead.",
            _at_7()[1]: "That is the probability where the mother smokes. Subtract the other one.",
            _difference(_at_7(age=8.5)): "Is that at age 7? At the mean age it would be this.",
            _difference(_by_gee()): "That is the GEE's. Answer from the GLMM `child`.",
            _at_7()[0]: "That is the probability where the mother does not smoke. Take it from the "
            "other one.",
        },
    ),
    Choice(
        "10.5",
        right="c",
        replies={
            "a": "Complete cows are those whose yield stayed up: they say how good cows do, and "
            "the feed that keeps more poor cows in the trial looks worse for it.",
            "b": "The means are of different weeks: a cow that left early is averaged over early "
            "weeks only, and week 12 is what you want. Cows with few rows also count in full.",
            "c": "What decides on leaving was recorded, so the visits are missing at random. With "
            "a mean for each feed and week and a fitting covariance, the rows seen tell how the "
            "cows that left would have gone on.",
            "d": "In late weeks only the better cows have rows, and an independent working "
            "correlation does not know who is missing. This needs visits missing completely at "
            "random.",
            "e": "A filled row pretends that nothing changed after the last visit, and that it was "
            "measured: the mean is wrong and the standard error too small.",
        },
    ),
    Number(
        "10.6",
        solution=lambda: _rats_test("ar1")["diet:C(day)"],
        decimals=2,
        because="AR(1) has the smallest AIC of the three: neighbouring days are more alike, and "
        "the rats of a diet spread about as widely at the end as at the start. The diets differ in "
        "growth.",
        hint="Fit with cs, give the model to gt.covariance_table with the three names, fit the "
        "best one and take the line diet:C(day) of its F tests by Kenward and Roger.",
        slips=lambda: {
            _rats_test("cs")["diet:C(day)"]: "That is compound symmetry, whose AIC is by far the "
            "largest of the three.",
            _rats_test("har1")["diet:C(day)"]: "That is har1. It has more parameters, and its AIC "
            "is larger than that of another.",
            _rats_test("ar1", reml=False)["diet:C(day)"]: "The right structure, by maximum "
            "likelihood. Fit with reml=True.",
            _rats_test("ar1")["diet"]: "That tests the diet, averaged over the days. The growth is "
            "in the line with the colon.",
            _rats_test("ar1")["C(day)"]: "That tests the days, averaged over the diets. The line "
            "with the colon is asked for.",
            _rats_test("ar1", day="day")["diet:day"]: "That has a straight line for each diet. "
            "C(day) gives each day a mean of its own.",
            _rats_test("us")[
                "diet:C(day)"
            ]: "That is the unstructured covariance, which is none of the three.",
        },
    ),
)
