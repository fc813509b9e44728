"""Exercises of lesson 09, Test effects and report means."""

from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Judgement, Number
from glmmtools.inference.comparison import compare
from glmmtools.model import FittedModel, fit

BATCHES = " + (1 | recipe:replicate)"


@cache
def _litters(reml: bool = False) -> pd.Series:
    """The likelihood ratio of random litters in the weights of week 12."""
    pigs = load_data("pigs").query("week == 12")
    formula = "weight ~ copper + start_weight"
    smaller, larger = (fit(formula + more, pigs, reml=reml) for more in ("", " + (1 | litter)"))
    return compare(smaller, larger).iloc[1]


@cache
def _den_df(random: str, temperature: str = "temperature", joined: str = "*") -> pd.Series:
    model = fit_to("cake", f"angle ~ recipe {joined} {temperature}{random}", reml=bool(random))
    return model.anova()["den_df"]


def _wheeze(
    effects: str,
    scale: str = "response",
    smoke: str = "yes",
    child: str = " + (1 | child)",
    nagq: int = 15,
    age: float = 7,
) -> float:
    new = pd.DataFrame({"age": [age], "smoke": [smoke], "child": ["new"]})
    model = fit_to("wheeze", f"wheeze ~ age + smoke{child}", "binomial", nagq=nagq)
    return model.predict(new, scale, effects).iloc[0]


def _fitted_wheeze() -> float:
    """The mean of the fitted probabilities of those children, each with its predicted effect."""
    model = fit_to("wheeze", "wheeze ~ age + smoke + (1 | child)", "binomial", nagq=15)
    aged_7 = load_data("wheeze").query("age == 7 and smoke == 'yes'").index
    return model.fittedvalues.loc[aged_7].mean()


def _raw_wheeze() -> float:
    return load_data("wheeze").query("age == 7 and smoke == 'yes'")["wheeze"].mean()


def _plants_model(family: str = "nbinom1", joined: str = "*") -> FittedModel:
    formula = f"fruits ~ nutrient {joined} clipping + region + (1 | genotype)"
    return fit_to("arabidopsis", formula, family)


@cache
def _fruits(family: str = "nbinom1") -> pd.Series:
    frame = _plants_model(family).means("clipping", by="nutrient").frame
    return frame.set_index(["nutrient", "clipping"])["estimate"]


def _clipped_ratio(nutrient: str, family: str = "nbinom1") -> float:
    means = _fruits(family)
    return means[nutrient, "clipped"] / means[nutrient, "unclipped"]


def _raw_ratio() -> float:
    few = load_data("arabidopsis").query("nutrient == '1'")
    means = few.groupby("clipping", observed=True)["fruits"].mean()
    return means["clipped"] / means["unclipped"]


def _advice() -> str:
    """The recommendation on nitrogen in oats."""
    oats = load_data("oats")
    oats["nitrogen"] = oats["nitro"].astype(str)
    model = fit("yield ~ variety + nitrogen + (1 | block/variety)", oats, reml=True)
    differences = model.means("nitrogen").contrasts().frame.set_index("contrast")
    gain = -differences[["estimate", "conf_high", "conf_low"]]

    def interval(pair: str) -> str:
        return "{:.0f} (simultaneous 95 % interval {:.0f} to {:.0f})".format(*gain.loc[pair])

    return (
        f"With 0.4 cwt per acre we estimate a gain of {interval('0.0 - 0.4')} over none, in units "
        f"of ¼ lb per subplot. Going on to 0.6 adds an estimated {interval('0.4 - 0.6')}: perhaps "
        "nothing, perhaps twice that, so it pays only where nitrogen is cheap. The six blocks "
        "stand in one trial, so on other soils and in other years the gains may differ."
    )


EXERCISES = (
    Number(
        "09.1",
        solution=lambda: _litters()["p_value"],
        decimals=3,
        because="When litters do not differ, the estimated variance is zero in about half of all "
        "large data sets, so half of the chi-square counts. With few litters it is zero more "
        "often: a bootstrap counts how often.",
        hint="Fit weight ~ copper + start_weight with and without (1 | litter), both with "
        "reml=False, and give the two models to gt.compare.",
        slips=lambda: {
            stats.chi2.sf(_litters()["statistic"], 1): "That is the chi-square with one degree of "
            "freedom, as if the variance could be negative. Halve it.",
            _litters()["p_value"] / 2: "Halved twice: the column reference of gt.compare says what "
            "it did already.",
            _litters()["statistic"]: "That is the likelihood ratio; its p-value is asked.",
            _litters(reml=True)["p_value"]: "Is that from REML fits, or without copper? They "
            "may be compared here, but maximum likelihood is asked for, with both covariates.",
            stats.chi2.sf(_litters()["statistic"] / 2, 1) / 2: "The 2 in front of the difference "
            "of the log-likelihoods is missing.",
        },
    ),
    Number(
        "09.2",
        solution=lambda: _den_df(BATCHES)["recipe"],
        decimals=1,
        because="45 batches were mixed, 15 of each recipe: 45 less 3 means. The cakes of one batch "
        "are no replicates of its recipe.",
        hint="What was mixed by a recipe: a cake or a batch? Let each batch have a random effect "
        "of its own; a batch is a combination of recipe and replicate.",
        slips=lambda: {
            _den_df(" + (1 | replicate)")["recipe"]: "(1 | replicate) takes batch 1 of recipe A "
            "and batch 1 of recipe B as the same batch. Their numbers start again in each recipe.",
            _den_df(" + (1 | replicate/recipe)")["recipe"]: "That makes a block of the batches of "
            "one number. Here we assume that they have nothing in common.",
            _den_df("")["recipe"]: "No batches are in that model: it takes every cake as a "
            "replicate of its recipe.",
            _den_df(BATCHES)["temperature"]: "That is the test of temperature, which was compared "
            "within batches.",
            _den_df(BATCHES, "C(temperature)").iloc[1]: "That is the test of temperature, which "
            "was compared within batches.",
            2: "Those are the numerator's: three recipes less one.",
            44: "45 batches less one is what all batches have; recipes take two more.",
            _den_df(BATCHES, joined="+")[
                "temperature"
            ]: "That is the test of temperature, which was compared within batches.",
            _den_df(BATCHES, "C(temperature)", "+").iloc[
                1
            ]: "That is the test of temperature, which was compared within batches.",
            _den_df(" + (1 | replicate)", joined="+")["recipe"]: "(1 | replicate) takes batch 1 of "
            "recipe A and batch 1 of recipe B as the same batch. Their numbers start again in each "
            "recipe.",
            _den_df("", joined="+")[
                "recipe"
            ]: "No batches are in that model: it takes every cake as a replicate of its recipe.",
        },
    ),
    Number(
        "09.3",
        solution=lambda: _wheeze("marginal"),
        decimals=3,
        because="Children differ so much that the mean over children is more than twice the "
        "probability of the child in the middle.",
        hint="All children, not the child in the middle: which effects= of predict averages over "
        "the random effects?",
        slips=lambda: {
            _wheeze("population"): "That is the child with u = 0. Most children wheeze less often "
            "than the mean; average over all of them.",
            _wheeze("population", "link"): "That is on the log-odds scale, of the child with u = "
            "0.",
            _wheeze("marginal", smoke="no"): "Those are children whose mothers do not smoke.",
            _wheeze("marginal", nagq=1): "That is by the Laplace approximation, too coarse for "
            "four 0/1 answers of a child. Take the model of the cell, with `nagq=15`.",
            _wheeze("marginal", child="", nagq=1): "That is from a model without children. Take "
            "the GLMM of the cell.",
            _raw_wheeze(): "That is the share in the data at this one age. The model smooths over "
            "the ages; its share is asked for.",
            _wheeze("marginal", age=8.5): "Is that at age 7, and for mothers who smoke? "
            "At the mean age it would be this.",
            _wheeze("population", age=8.5): "That is the child with u = 0, and at the mean age.",
            _fitted_wheeze(): "That averages the predictions for the children of the study, with "
            "their predicted effects, which are shrunken. Average over all children that there "
            "could be: effects='marginal'.",
        },
    ),
    Number(
        "09.4",
        solution=lambda: _clipped_ratio("1"),
        decimals=3,
        is_factor=True,
        because="With a log link the exponential of the difference is a ratio of means. With many "
        "nutrients the ratio is estimated nearer to 1, but these data do not show that the two "
        "differ. NB2, whose AIC is far higher, would have shown it.",
        hint="Take means of clipping by nutrient, and their contrast within the few nutrients; "
        "mind which of the two stands above the line.",
        slips=lambda: {
            1 / _clipped_ratio("1"): "That is unclipped over clipped, as the contrast comes. Turn "
            "it over.",
            np.log(_clipped_ratio("1")): "That is the difference on the log scale. A factor is its "
            "exponential.",
            _clipped_ratio("8"): "That is with many nutrients.",
            np.exp(_plants_model().params.iloc[-1]): "That is the interaction: by how much the "
            "factor differs between many nutrients and few.",
            _clipped_ratio(
                "1", "negative_binomial"
            ): "That is NB2's, whose AIC is far higher. Take NB1, the family nbinom1.",
            _clipped_ratio("1", "poisson"): "That is the Poisson model's, which these counts "
            "contradict. Take NB1.",
            _raw_ratio(): "That is from the raw means. Take those of the model.",
            np.sqrt(_clipped_ratio("1") * _clipped_ratio("8")): "That is averaged over the "
            "nutrients, which interact with clipping. Use by=.",
            _fruits()["1", "clipped"] - _fruits()["1", "unclipped"]: "That is a difference of "
            "means, in fruits. A factor is asked for.",
            np.exp(_plants_model(joined="+").params["clipping[T.clipped]"]): "That is from a model "
            "without the interaction, which has one factor for all nutrients.",
        },
    ),
    Choice(
        "09.5",
        right="d",
        replies={
            "a": "A large p-value says that a difference was not shown. It does not say that there "
            "is none, nor how large it may be.",
            "b": "A large p-value is no evidence of no gain: the interval reaches up to twice the "
            "estimated gain.",
            "c": "Of six comparisons the one just below the limit was picked after the fact. If "
            "this one had been the question from the start, it would need no adjustment.",
            "d": "It gives the size, how well it is known and that the interval counts all pairs. "
            "The reader can judge what matters.",
        },
    ),
    Judgement(
        "09.6",
        points=(
            "give gains in yield with their unit and intervals, and not letters or p-values alone?",
            "say that the intervals are simultaneous, because all pairs were compared?",
            "keep 'not shown to differ' apart from 'equal', for 0.4 and 0.6?",
            "say that the best amount depends on what nitrogen costs, which no yield tells?",
            "say for which fields and years a single trial in six blocks can speak?",
        ),
        model=_advice,
    ),
)
