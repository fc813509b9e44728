"""Exercises of lesson 14, Analyse your own data."""

from functools import cache

import numpy as np
import pandas as pd

from glmmtools.course.datasets import data_file
from glmmtools.course.exercises.kinds import Choice, Judgement, Number
from glmmtools.model import FittedModel, fit


@cache
def _trays() -> pd.DataFrame:
    """The rows of `hatching` that can be used, cleaned."""
    data = pd.read_csv(data_file("hatching"), na_values=["dropped", 999])
    data["warming"] = pd.Categorical(data["warming"].str.replace(" ", ""), ["none", "4h"])
    data[["machine", "tray"]] = data[["machine", "tray"]].astype("category")
    return data.dropna().query("hatched <= eggs")


@cache
def _model(
    random: str = " + (1 | machine/tray)", stored: str = " + stored", family: str = "binomial"
) -> FittedModel:
    return fit(f"prop(hatched, eggs) ~ warming{stored}{random}", _trays(), family)


def _limit(random: str = " + (1 | machine/tray)", df: str = "containment", **options: str) -> float:
    """The lower limit of the odds ratio of warming."""
    return np.exp(_model(random, **options).conf_int(df=df).loc["warming[T.4h]", "conf_low"])


def _paragraph() -> str:
    """One good paragraph, with the numbers of the fit."""
    warmed = _model().tidy(df="containment").loc["warming[T.4h]"]
    ratio, low, high = np.exp(warmed[["estimate", "conf_low", "conf_high"]].astype(float))
    means = _model().means("warming", at={"stored": 7}).frame.set_index("warming")["estimate"]
    return (
        "Ten setting machines were allotted at random to warming the eggs for 4 hours or not, five "
        "each; every machine held six trays of 120 to 150 eggs. Four of the 60 trays were left "
        "out: one was dropped, two have no days of storage, one count was larger than the number "
        "of eggs. Hatched eggs were modelled as binomial with a logit link, warming and days of "
        "storage as fixed effects, machines and trays in machines as random effects; without the "
        "trays, simulated residuals varied more than they should. At 7 days of storage "
        f"{means['4h']:.0%} of warmed eggs hatch in a typical machine and {means['none']:.0%} of "
        f"the others (odds ratio {ratio:.2f}, 95 % interval {low:.2f} to {high:.2f}, t with "
        f"{warmed['df']:.0f} degrees of freedom, p = {warmed['p_value']:.3f}). Whether warming "
        "helps less or more after long storage was not asked."
    )


EXERCISES = (
    Number(
        "14.1",
        solution=lambda: len(_trays()),
        decimals=0,
        because="One tray was dropped, two have no days of storage, and in one more eggs hatched "
        "than were set.",
        hint="Look at the largest value of each column, at what is no number, and at rows in which "
        "more hatched than were set.",
        slips=lambda: {
            60: "Those are all rows. Some hold a word or a code in the place of a number.",
            59: "The dropped tray is out. Look at the largest values of the other columns.",
            57: "Nothing is missing any more. Can every row of these be true?",
            58: "Two of the faults are out. Look at every column.",
        },
    ),
    Choice(
        "14.2",
        right="c",
        replies={
            "a": "Trays of one machine were warmed together or not at all: they are no replicates.",
            "b": "Eggs of one tray share their tray, and its machine. The binomial counts them as "
            "independent given both.",
            "c": "Five machines of each kind, two means estimated: eight degrees of freedom, "
            "however many trays and eggs there are.",
            "d": "Six trays say how exact the mean of one machine is. How many machines are there?",
        },
    ),
    Number(
        "14.3",
        solution=_limit,
        decimals=3,
        because="With 8 degrees of freedom, and a variance for machines and for trays. Warming "
        "still raises the odds of hatching, by less than a z interval promises.",
        hint="Trays differ beyond the binomial, machines are the units: a random effect for each, "
        '`df="containment"`, and exp() of the lower limit.',
        slips=lambda: {
            _limit(df="infinite"): "That is by z, as if machines were many. Take the degrees of "
            'freedom of the layout: `df="containment"`.',
            _limit(" + (1 | machine)"): "Trays of one machine differ beyond the binomial: check "
            "this model, and give the trays an effect too.",
            _limit("", df="infinite"): "That is without random effects: every egg counts as a "
            "replicate of warming.",
            np.log(_limit()): "That is on the log-odds scale. Take exp().",
            np.exp(_model().params["warming[T.4h]"]): "That is the odds ratio. The lower limit of "
            "its interval is asked for.",
            np.exp(_model().conf_int(df="containment").loc["warming[T.4h]", "conf_high"]): "That "
            "is the upper limit.",
            1
            / np.exp(
                _model().conf_int(df="containment").loc["warming[T.4h]", "conf_high"]
            ): "That is with the warmed eggs as the base. Make it those that were not warmed.",
            _limit(stored=""): "The days of storage are missing.",
            _limit(
                " + (1 | machine)", df="infinite"
            ): "That is without an effect of the trays, and by z.",
            _limit(
                " + (1 | machine)", family="betabinomial"
            ): "That is a beta-binomial, which does "
            "nearly the same. The task asks for a random effect of the trays.",
            _limit(
                " + (1 | machine) + (1 | tray)"
            ): "That takes tray 1 of one machine and tray 1 of "
            "another as one tray. Write (1 | machine/tray).",
        },
    ),
    Judgement(
        "14.4",
        points=(
            "say what one row is, what got the treatment, and how many of these there were?",
            "say which rows were left out, and why?",
            "name distribution, link, fixed and random effects?",
            "say what was checked, and what was changed after that?",
            "give the effect with its interval on a scale that a farmer reads, at a stated number "
            "of days, with the degrees of freedom?",
            "keep apart what the trial shows and what it does not?",
        ),
        model=_paragraph,
    ),
)
