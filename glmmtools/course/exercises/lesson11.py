"""Exercises of lesson 11, See the hierarchy."""

import numpy as np

from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Choice, Judgement, Number
from glmmtools.model import FittedModel

# the true components of the lesson's trial, and the plan with fewer and larger pens
_ROOM, _PEN, _PIG, _REST = 2.5**2, 2.0**2, 1.5**2, 3.0**2
_PENS, _PIGS, _DAYS = 8, 6, 5  # pens of one treatment, pigs of a pen, days
_OF_A_PEN = _PEN + _PIG / _PIGS + _REST / (_PIGS * _DAYS)


def _oats(reml: bool = True) -> np.ndarray:
    """Variances of blocks, of large plots in a block, of small plots in a large plot."""
    model = fit_to("oats", "yield ~ variety + C(nitro) + (1 | block/variety)", reml=reml)
    return model.variance_components["variance"].to_numpy()


def _share(*components: int, of: tuple[int, ...] = (0, 1, 2), reml: bool = True) -> float:
    return _oats(reml)[list(components)].sum() / _oats(reml)[list(of)].sum()


def _cake(random: str, reml: bool = True) -> FittedModel:
    return fit_to("cake", f"angle ~ recipe + temperature{random}", reml=reml)


def _recipe_error(random: str, reml: bool = True) -> float:
    return _cake(random, reml).bse["recipe[T.B]"]


EXERCISES = (
    Choice(
        "11.1",
        right="a",
        replies={
            "a": "It says where the effects of the pens come from. Their variance is a parameter "
            "that the fit estimates.",
            "b": "A fixed effect moves the mean: it belongs to the process model.",
            "c": "This says how the observations vary around their mean, given everything else: "
            "the data model, here a binomial with one trial.",
            "d": "This is the linear predictor and its link: the process model.",
        },
    ),
    Number(
        "11.2",
        solution=lambda: _share(0),
        decimals=2,
        because="The two small plots share the effect of their block and nothing else; what they "
        "share, divided by the whole variance, is their correlation.",
        hint="Which effects do the two plots share? Add those variances, and divide by the sum of "
        "all.",
        slips=lambda: {
            _share(0, 1): "That is the correlation of two small plots of one large plot. Do these "
            "two share a large plot?",
            _share(1): "They lie in different large plots. Which effect do they share?",
            _share(1, of=(1, 2)): "That is for two small plots of one large plot, with the blocks "
            "left out.",
            _share(0, of=(0, 2)): "The large plots are missing below: they are part of the "
            "variance of a plot.",
            _share(0, reml=False): "Is that from a fit by maximum likelihood, or without the "
            "varieties? Take `field_model`.",
            np.sqrt(_oats()[0]) / np.sqrt(_oats()).sum(): "Those are standard deviations. "
            "Variances add up, standard deviations do not.",
            _oats()[0]: "That is the covariance. Divide it by the variance of a plot.",
            _share(0, of=(0, 1)): "The residual is missing below: it is part of the variance of a "
            "plot.",
        },
    ),
    Number(
        "11.3",
        solution=lambda: np.sqrt(2 / _PENS * _OF_A_PEN),
        decimals=2,
        because="Half as many pens, so a larger standard error with the same pigs and the same "
        "number of rows: pens are the replicates.",
        hint="Put the new numbers of pens of one treatment and of pigs in a pen into the formula "
        "for the standard error.",
        slips=lambda: {
            np.sqrt(2 / 16 * _OF_A_PEN): "Count the pens of one treatment: half of all pens.",
            2 / _PENS * _OF_A_PEN: "That is the variance. Take its square root.",
            np.sqrt(2 / 48 * (_PEN + _PIG + _REST / _DAYS)): "That takes each pig as a replicate; "
            "straw was given to pens.",
            np.sqrt(2 / _PENS * (_OF_A_PEN - _PEN)): "The variance of the pens is missing.",
            np.sqrt(2 / _PENS * (_OF_A_PEN + _ROOM)): "The rooms drop out of the difference: every "
            "room holds both treatments.",
            np.sqrt(2 / _PENS * (_PEN + _PIG / 3 + _REST / 15)): "That is still with three pigs in "
            "a pen.",
            np.sqrt(
                2 / 16 * (_PEN + _PIG / 3 + _REST / 15)
            ): "That is the trial as it was: eight rooms, and three pigs in a pen.",
            np.sqrt(2 / _PENS * (_PEN + _PIG / _PIGS)): "The variance of the days is missing.",
            np.sqrt(2 / _PENS * (_PEN + _REST / (_PIGS * _DAYS))): "The variance of the pigs is "
            "missing.",
        },
    ),
    Number(
        "11.4",
        solution=lambda: _recipe_error(" + (1 | replicate/recipe)"),
        decimals=2,
        because="A recipe was given to a batch, so batches within sessions are the experimental "
        "units, with 28 degrees of freedom; the sessions are blocks and cancel.",
        hint="A batch is a recipe in a session. The random part has a term for the blocks and "
        "one for the batches.",
        slips=lambda: {
            _recipe_error(""): "That is without random effects: every cake counts as a replicate "
            "of its recipe.",
            _recipe_error(" + (1 | replicate)"): "The blocks are there, the batches are not: six "
            "cakes of one batch are counted as six replicates of the recipe.",
            _recipe_error(" + (1 | recipe:replicate)"): "The batches are there, the blocks are "
            "not: what differs from session to session does not cancel.",
            _recipe_error(" + (1 | replicate/recipe)") ** 2: "That is the variance of the "
            "estimate. Take its root.",
            _cake(" + (1 | replicate/recipe)").params["recipe[T.B]"]: "That is the estimate. Its "
            "standard error is asked for.",
            _recipe_error(" + (1 | replicate/recipe)", reml=False): "That is by maximum "
            "likelihood. The standard error by REML is asked for.",
        },
    ),
    Choice(
        "11.5",
        right="c",
        replies={
            "a": "The plants are the experimental units of nutrients and clipping. Plants of one "
            "population share what their population is, so they are no replicates of a region.",
            "b": "Genotypes of one population come from one place. Ten more genotypes from it "
            "would say more on that population, and little more on its region.",
            "c": "Nobody gave a plant its region, but the same reasoning holds: populations are "
            "the units within which the region does not change. Nine in all, and no more than "
            "four in a region: wide intervals are the honest answer.",
            "d": "The regions are what is compared. One needs several units of each to compare.",
        },
    ),
    Judgement(
        "11.6",
        points=(
            "name what was given its straw by lot, and how many of them there are?",
            "say that the model does use every row, with a variance for each level?",
            "say what more pigs or days of the same pens do: a pen's mean gets more exact, and "
            "the number of pens stays?",
            "say what the reviewer's way would do to the p-value, with or without an effect?",
            "say what would bring more degrees of freedom?",
        ),
        model=lambda: (
            "Straw was given to pens, so the 32 pens are its experimental units; eight rooms and "
            "one effect leave 23 degrees of freedom. The model holds all 480 rows: rooms, pens, "
            "pigs and days have a variance each. Pigs and days of a pen share its effect, so they "
            "make its mean more exact and are no replicates of straw. With rows as replicates an "
            "effect of nothing would be announced far more often than in 5 % of trials. Only more "
            "pens would add degrees of freedom."
        ),
    ),
)
