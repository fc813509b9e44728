"""Lines with two gaps, between a worked example and an exercise alone, named as in 05.g1."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass
from typing import Any

from glmmtools.course.exercises.kinds import Exercise

GAP = "___"


@dataclass(frozen=True, eq=False)
class Gaps(Exercise):
    """A line of code with gaps, which is compared as text: spaces and kinds of quotes do not count.

    Attributes
    ----------
    line : str
        The line, with ``___`` for each gap.
    fills : tuple of tuple of str
        For each gap what belongs into it; several where they mean the same.
    because : str
        What to say beside a right answer.
    hint : str
        What to say to a wrong fill that is none of the slips.
    slips : dict of str
        For usual wrong fills what to say.
    """

    _: KW_ONLY
    line: str
    fills: tuple[tuple[str, ...], tuple[str, ...]]
    because: str
    hint: str
    slips: dict[str, str]

    def judge(self, answer: Any) -> tuple[bool, str]:
        pattern = "(.+?)".join(map(re.escape, _squeezed(self.line).split(GAP)))
        found = re.fullmatch(pattern, _squeezed(answer)) if isinstance(answer, str) else None
        if found is None:
            quotes = "" if isinstance(answer, str) else " and its quotes kept"
            return False, (
                f"The answer to {self.id} is this line with its gaps filled{quotes}: {self.line}"
            )
        for place, given, right in zip(
            ("first", "second"), found.groups(), self.fills, strict=True
        ):
            known = [_squeezed(fill) for fill in right]
            if given not in known:
                same = given.lower() in map(str.lower, known)
                hint = "Capital and small letters count in names." if same else self.hint
                return False, f"Not yet the {place} gap. {self.slips.get(given, hint)}"
        return True, f"Right. {self.because}"


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", text).replace("'", '"')


GAPS = (
    Gaps(
        "01.g1",
        line="yield ~ nitro + variety + (1 | ___/___)",
        fills=(("block",), ("variety",)),
        because="A random effect for the block, and one for each main plot in it.",
        hint="Which units are larger than a row? The larger of the two stands before the stroke.",
        slips={
            "nitro": "Nitrogen was given to subplots, and each subplot is one row: the residual.",
            "variety": "A block holds all varieties, so the block is the larger unit.",
            "block": "The block stands before the stroke. What names a main plot within it?",
        },
    ),
    Gaps(
        "02.g1",
        line='gt.fit(formula, ticks, family="___", link="___")',
        fills=(("poisson",), ("log",)),
        because="Counts without a known total, and effects that multiply their mean.",
        hint="Ticks are counted, without a known total; the treatment shall multiply their mean.",
        slips={
            "binomial": "A binomial count is out of a known total. Out of how many are ticks?",
            "normal": "Ticks are whole numbers, many of them small.",
            "negative_binomial": "These ticks were made without overdispersion.",
            "nbinom1": "These ticks were made without overdispersion.",
            "nbinom2": "These ticks were made without overdispersion.",
            "logit": "The logit is for probabilities; a mean count may be any number above 0.",
            "identity": "Then effects add up, and a clean herd can get a negative mean.",
        },
    ),
    Gaps(
        "03.g1",
        line="stats.gamma(a=1 / ___, scale=phi * ___)",
        fills=(("phi",), ("mu",)),
        because="The mean is shape times scale, μ; the variance is shape times scale², φμ².",
        hint="The mean is shape times scale and has to be μ; the variance, φμ², fixes the shape.",
        slips={
            "mu": "Then the shape would change with the mean. The card has 1/φ.",
            "phi": "Then shape times scale would be φ. The mean has to be μ.",
        },
    ),
    Gaps(
        "04.g1",
        line="prop(incidence, ___) ~ period + (1 | ___)",
        fills=(("size",), ("herd",)),
        because="Cases out of the animals of a herd; and herds differ in every period.",
        hint="First the total that the cases are counted out of, then the unit that comes again.",
        slips={
            "incidence": "Those are the cases. Out of how many animals?",
            "period": "Periods are compared: a fixed effect. Which unit comes again in each?",
            "size": "That is the number of animals, the total. Which unit comes again and again?",
        },
    ),
    Gaps(
        "05.g1",
        line='gt.fit("___ ~ variety * extract + (1 | ___)", seeds, "binomial")',
        fills=(("prop(germinated, seeds)", "cbind(germinated, seeds - germinated)"), ("plate",)),
        because="Successes of trials on the left, and the unit that shares a shift after the bar.",
        hint="Which counts of which total, and which unit has a shift of its own?",
        slips={
            "germinated": "Germinated out of how many? The response needs its trials.",
            "germinated/seeds": "A proportion alone has lost how many seeds it comes from.",
            "share": "A proportion alone has lost how many seeds it comes from.",
            "prop(seeds,germinated)": "First those that germinated, then those that were sown.",
            "cbind(germinated,seeds)": "cbind takes successes and failures; prop takes the trials.",
            "seeds": "The seeds are the trials. What shares one shift?",
            "variety": "That is what you compare. Which unit did the variety come on?",
            "extract": "That is what you compare. Which unit got the extract?",
        },
    ),
    Gaps(
        "06.g1",
        line="weeds ~ treated + ___(___(area)) + (1 | field)",
        fills=(("offset",), ("log", "np.log")),
        because="Its coefficient is fixed at 1, on the scale of the link.",
        hint="The count shall be in proportion to the area, and the link is the log.",
        slips={
            "log": "Then its coefficient is estimated. In proportion means that it is 1.",
            "sqrt": "The link is the log: a factor of the mean becomes a sum of logs.",
            "exp": "The link is the log: a factor of the mean becomes a sum of logs.",
        },
    ),
    Gaps(
        "07.g1",
        line='gt.fit("prop(diseased, ___) ~ block + (1 | variety)", cane, "___")',
        fills=(("shoots",), ("betabinomial", "beta_binomial")),
        because="Counted out of a known total, with probabilities that differ from plot to plot.",
        hint="Diseased out of how many? And plots shall differ without an effect of the plot.",
        slips={
            "binomial": "It leaves no room for plots that differ.",
            "beta-binomial": "Nearly: the name of the family has no hyphen.",
            "beta": "The beta is for shares that were not counted. Here the total is known.",
            "variety": "That is a group. Out of what were the diseased counted?",
        },
    ),
    Gaps(
        "08.g1",
        line="nb.___().___()",
        fills=(("simulated_residuals",), ("test_dispersion",)),
        because="First the residuals, then the ratio of the observed variance to the expected one.",
        hint="First make the residuals by simulation, then ask them for the spread.",
        slips={
            "resid": "Those are raw residuals. The tests belong to simulated ones.",
            "simulate": "That gives new responses. The residuals compare the data with them.",
            "test_zeros": "That counts zeros. The variance is asked for.",
            "test_uniformity": "That looks at the whole distribution. The variance is asked for.",
        },
    ),
    Gaps(
        "09.g1",
        line='model.means("___").contrasts("___")',
        fills=(("period",), ("trt.vs.ctrl", 'trt.vs.ctrl", reference="1')),
        because="Means of the periods, and each of them against the first.",
        hint="First of what the means are, then the name for each against a control.",
        slips={
            "herd": "Herds are random. Means are taken of a fixed effect.",
            "consecutive": "That compares each with the one before. The first is asked for.",
            "tukey": "That is an adjustment for all pairs. Here each is set against the first.",
            "dunnett": "His are the right contrasts. Here they are called treatments against a "
            "control, in short.",
            "pairwise": "Those are all pairs. Here each is set against the first.",
        },
    ),
    Gaps(
        "10.g1",
        line='gt.fit(FIXED, pigs, residual="___(week | pig)", ___=True)',
        fills=(("har1",), ("reml",)),
        because="A ridge that grows, and variances that know of the estimated means.",
        hint="First the structure with a fading correlation and a variance for each week, then the "
        "name of the argument that corrects the variances.",
        slips={
            "ar1": "That has one variance for all weeks, and the spread grows.",
            "cs": "That makes all weeks of a pig alike, however far apart.",
            "hcs": "Its variances may grow, but all weeks are alike, however far apart.",
            "us": "That assumes nothing. Neighbours are alike: say so.",
            "REML": "Python minds capitals: the argument is written in small letters.",
        },
    ),
    Gaps(
        "11.g1",
        line="intake ~ treatment + day + (1 | room) + (1 | ___) + (1 | ___)",
        fills=(("pen",), ("pig",)),
        because="One random effect for each level of the design; the days are the residual.",
        hint="Go down the tree from the room, one level at a time.",
        slips={
            "day": "One row is one pig on one day: what is left is the residual.",
            "pig": "Between the room and the pig there is the level that got the treatment.",
            "pen": "That is the level above. Several rows belong to one of the next level.",
            "treatment": "It is compared: a fixed effect.",
        },
    ),
    Gaps(
        "12.g1",
        line="y ~ x_within + ___ + (1 | ___)",
        fills=(("x_mean",), ("field",)),
        because="A slope within fields, a slope between them, and fields that differ besides.",
        hint="The slope between groups needs a column of its own, and the groups a random effect.",
        slips={
            "x": "x is the sum of both parts. Give the part between fields its own column.",
            "x_mean": "That is a covariate. Which groups differ?",
            "x_within": "That is a covariate. Which groups differ?",
        },
    ),
    Gaps(
        "13.g1",
        line='gt.power(m, coef={"treatment[T.enriched]": np.log(___)}, along="___")',
        fills=(("0.75", ".75", "3 / 4", "1 - 0.25", "1 - 1 / 4"), ("pen",)),
        because="A quarter less is a factor of three quarters; and straw is given to pens.",
        hint="The logarithm is of a ratio of rates; and the unit that got the treatment is varied.",
        slips={
            "0.25": "That is what is lost. The ratio is what remains.",
            "0,75": "Python's decimals follow a point.",
            "75": "A share of 1 is asked for, not percent.",
            "-0.25": "A logarithm of a negative number does not exist. Which share remains?",
            "1.25": "That is a quarter more.",
            "pig": "More pigs in the same pens leave the variance of the pens as it is.",
            "day": "More days leave the variances of pens and pigs as they are.",
        },
    ),
    Gaps(
        "14.g1",
        line='gt.fit("prop(hatched, eggs) ~ warming + (1 | ___)", trays, "___")',
        fills=(("machine/tray", "machine) + (1 | machine:tray"), ("binomial",)),
        because="Machines, and trays in machines; and hatched eggs out of a number that is known.",
        hint="Both levels of the layout, the larger one first; and a distribution of successes out "
        "of a total.",
        slips={
            "machine": "Trays of one machine may differ by more than chance among their eggs.",
            "tray": "Tray 1 of one machine has nothing to do with tray 1 of another.",
            "machine:tray": "That is the trays. Machines differ too.",
            "tray/machine": "The larger unit stands before the stroke.",
            "poisson": "Each tray has a total: at most all its eggs hatch.",
            "beta": "The eggs were counted, so the total says how exact each share is.",
        },
    ),
)
