"""Exercises of lesson 04, Make a distributional assumption."""

from functools import cache

import numpy as np

from glmmtools.course.datasets import load_data
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Judgement, Number
from glmmtools.residuals.tests import ResidualTest

BATCH = " + (1 | recipe:replicate)"
RANDOM_LINES = "weight ~ diet * day + (day | rat)"


def _residual_sd(formula: str = RANDOM_LINES) -> float:
    return fit_to("rats", formula).dispersion["residual sd"]


@cache
def _cane(family: str, random: str = " + (1 | variety)", conditional: bool = True) -> ResidualTest:
    model = fit_to("cane", f"prop(diseased, shoots) ~ block{random}", family)
    return model.simulated_residuals(conditional=conditional).test_dispersion()


def _pearson() -> float:
    """The sum of squared Pearson residuals, by the rows less the parameters."""
    model = fit_to("cane", "prop(diseased, shoots) ~ block + (1 | variety)", "binomial")
    return (model.resid("pearson") ** 2).sum() / model.df_resid


def _aic(response: str, random: str, reml: bool, family: str = "normal") -> float:
    return fit_to("cake", f"{response} ~ recipe + temperature{random}", family, reml=reml).aic


def _gain(jacobian: float = 2.0, random: str = BATCH, reml: bool = False) -> float:
    """How much lower the AIC of log(angle) is; 2 is the right multiple of the sum of the logs."""
    logs = np.log(load_data("cake")["angle"]).sum()
    return _aic("angle", random, reml) - (_aic("log(angle)", random, reml) + jacobian * logs)


EXERCISES = (
    Choice(
        "04.1",
        right="b",
        replies={
            "a": "Time is measured; the days are rounded. A Poisson would tie the variance to the "
            "unit: in hours it would be another assumption than in days.",
            "b": "Nothing was counted and nothing bounds the time above; it is positive, and a "
            "standard deviation that grows with the mean is a first choice to be checked.",
            "c": "The longest time is no known total: it was observed, and the next horse may take "
            "longer. No days were tried that succeeded or failed.",
            "d": "The longest time seen is no bound. Another horse would change the bound, and "
            "the beta refuses the value 1 that the slowest horse gets.",
        },
    ),
    Number(
        "04.2",
        solution=_residual_sd,
        decimals=1,
        because="All weights together vary many times as much. Given diet, day and rat, that is "
        "around the line of the rat, little is left, and this is what the normal is assumed for.",
        hint="Fit the model as the task says. `dispersion` holds the residual variance (phi) and "
        "its square root.",
        slips=lambda: {
            _residual_sd() ** 2: "That is phi, the variance. The standard deviation is asked for.",
            load_data("rats")["weight"].std(): "That is the standard deviation of all weights: "
            "diets, rats and days heaped together.",
            _residual_sd("weight ~ diet * day + (1 | rat)"): "In that model the rats share the "
            "slope of their diet. Give each its own: (day | rat).",
            _residual_sd("weight ~ diet * day"): "That model leaves the rats out. Add (day | rat).",
            fit_to("rats", RANDOM_LINES).variance_components["sd"].iloc[0]: "That is the "
            "standard deviation between rats, at day 0. The one around the rats' lines is asked "
            "for.",
            fit_to("rats", RANDOM_LINES).resid().std(): "That is the spread of the residuals. The "
            "predicted lines follow the rats, so it is too small; `dispersion` allows for that.",
            _residual_sd("weight ~ diet * day + (0 + day | rat)"): "In that model the lines of the "
            "rats start at one point. Give each its own level too: (day | rat).",
        },
    ),
    Number(
        "04.3",
        solution=lambda: _cane("binomial").effect,
        decimals=2,
        is_factor=True,
        because="Plots of one variety differ far more than binomial counts with one probability "
        "would. The number of shoots is a known total, so the support is right; the variance is "
        "not.",
        hint="Fit the binomial model with variety as random effect, then "
        "m.simulated_residuals().test_dispersion(). Its effect is the ratio.",
        slips=lambda: {
            _cane("binomial").p_value: "That is the p-value. The effect of the test is the ratio.",
            _cane("betabinomial").effect: "That is the ratio for the beta-binomial, which fits its "
            "own dispersion. The binomial is asked for.",
            _cane("binomial", conditional=False).effect: "That is with new varieties, whose large "
            "differences hide the scatter within them. The usual settings are asked for.",
            _cane("binomial", "").effect: "That model leaves the varieties out, so that their "
            "differences count as excess variance. Add (1 | variety).",
            _cane("binomial").statistic: "That is the statistic, the observed mean square. The "
            "effect divides it by what the model expects.",
            np.sqrt(_cane("binomial").effect): "That is a ratio of standard deviations. The ratio "
            "of variances is asked for.",
            _pearson(): "That is the sum of squared Pearson residuals over the rows less the "
            "parameters. The predicted varieties follow the data and make it too small; take "
            "`test_dispersion()`.",
        },
    ),
    Number(
        "04.4",
        solution=_gain,
        decimals=1,
        because="The Jacobian 2 Σ log(angle) brings both to the scale of angle. The log fits "
        "better, but not by the nearly two thousand that the two printed AICs seem to show.",
        hint="The AIC of the model of log(angle) needs 2 Σ log(angle) on top. Then take it from "
        "the AIC of the first model.",
        slips=lambda: {
            _gain(0.0): "These AICs are of different responses. Add the Jacobian to that of "
            "log(angle).",
            _gain(1.0): "You added Σ log(angle) once. AIC is −2 log L, so it needs it twice.",
            _gain(-2.0): "You took the Jacobian away. The density of y is that of log(y) divided "
            "by y, so the AIC on the scale of y is larger.",
            -_gain(): "That is the second minus the first. By how much is the second lower?",
            _gain() / 2: "That is the difference of the log-likelihoods. AIC has twice that.",
            _gain(reml=True): "Those are fits by REML, whose AIC is another. Leave reml= out.",
            _gain(random=""): "The batches are missing. Add (1 | recipe:replicate) to both models.",
            _gain(random=" + (1 | replicate)"): "You grouped by replicate. A batch is a numbered "
            "replicate of a recipe: (1 | recipe:replicate).",
            _aic("angle", BATCH, False) - _aic("angle", BATCH, False, "gamma"): "That is for a "
            "Gamma. The second model is a normal one of log(angle).",
        },
    ),
    Choice(
        "04.5",
        right="a",
        replies={
            "a": "Flocks and treatments alone can make all counts together look like anything. "
            "The assumption is on the counts given these, and residuals confront it.",
            "b": "Ranks without flocks take lambs of one flock as independent, and estimate no "
            "rate ratio. Skew of all counts together is no reason to leave the design.",
            "c": "The p-value may do, but at these means exp of the coefficient is far from the "
            "rate ratio, as the lesson's simulation with few aphids shows.",
            "d": "These AICs are of different responses, so which one is lower means nothing "
            "before the Jacobian; and a density is not a probability.",
        },
    ),
    Judgement(
        "04.6",
        points=(
            "say that the distribution is that of the counts given patient, treatment and "
            "baseline, and not of all counts together?",
            "give the reasons that were there before the data: counts, and no known total?",
            "give the evidence: how the variance goes with the mean within patients, and what the "
            "residuals say of the Poisson and of NB2?",
            "admit what stays open, as the uniformity of NB2's residuals, or that a test which "
            "passes proves nothing?",
            "say which results hang on the choice, and which do not?",
        ),
        model=lambda: (
            "Seizures are counts without a known total. Given patient, treatment and baseline we "
            "assumed a negative binomial (NB2) with log link: within patients the variance exceeds "
            "the mean, and the more the larger the mean; simulated residuals show more variance "
            "than a Poisson allows, and not more than NB2 does. The residuals of NB2 still depart "
            "a little from uniform, so it is an approximation. The effect of the treatment and its "
            "standard error would be the same under the Poisson; the standard error of the period "
            "would be too small."
        ),
    ),
)
