"""No wrong method passes a check: each is computed here, and refused in full and rounded.

A method is what a learner might do: another family, link or scale, a term or an offset forgotten,
maximum likelihood for REML, the wrong groups, raw means. The numbers owe nothing to the slips that
the exercises know.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

import glmmtools as gt
from glmmtools.course.check import exercises_of, lessons
from glmmtools.course.exercises.fits import fit_to
from glmmtools.course.exercises.kinds import Number
from tests.slow import some_slow

NUMBERS = {
    each.id: each
    for lesson in lessons()
    for each in exercises_of(lesson)
    if isinstance(each, Number)
}
WRONG = {}

# a wrong model may well be singular or separated, and says so
pytestmark = pytest.mark.filterwarnings("ignore::glmmtools.shared.messages.GlmmWarning")

BATCH = " + (1 | recipe:replicate)"


def wrong_in(exercise):
    """Register a function that computes the wrong answers to an exercise, named by their method."""

    def register(function):
        WRONG[exercise] = function
        return function

    return register


def sd(model, row=0):
    return model.variance_components["sd"].iloc[row]


def variance(model, row=0):
    return model.variance_components["variance"].iloc[row]


# ---- lessons 00 to 03 ----------------------------------------------------------------------------


@wrong_in("00.1")
def _():
    herds = gt.load_data("herds")
    return {
        "columns": herds.shape[1],
        "cells": herds.size,
        "herds": herds["herd"].nunique(),
        "periods": herds["period"].nunique(),
        "rows planned": herds["herd"].nunique() * herds["period"].nunique(),
        "animals": herds["size"].sum(),
    }


@wrong_in("01.2")
def _():
    u, e = 3.0, 2.0
    return {
        "plots of two blocks": np.sqrt(2 * (u**2 + e**2)),
        "variance": 2 * e**2,
        "one error": e,
        "one plot": np.sqrt(u**2 + e**2),
        "standard deviations added": 2 * e,
        "blocks for errors": np.sqrt(2 * u**2),
        "covariance subtracted once": np.sqrt(u**2 + 2 * e**2),
        "standard error of a mean of two": e / np.sqrt(2),
    }


def cake(random=BATCH, fixed="recipe + temperature", reml=True, family="normal", response="angle"):
    reml = reml and bool(random) and family == "normal"
    return fit_to("cake", f"{response} ~ {fixed}{random}", family, reml=reml)


@wrong_in("01.3")
def _():
    error, ols = cake().bse, cake("").bse
    ml, ml_of_ols = cake(reml=False).bse, ols * np.sqrt(266 / 270)
    return {
        "ML": ml["recipe[T.C]"] / ols["recipe[T.C]"],
        "ML twice": ml["recipe[T.C]"] / ml_of_ols["recipe[T.C]"],
        "groups of one number": cake(" + (1 | replicate)").bse["recipe[T.C]"] / ols["recipe[T.C]"],
        "nested": cake(" + (1 | replicate/recipe)").bse["recipe[T.C]"] / ols["recipe[T.C]"],
        "other way round": ols["recipe[T.C]"] / error["recipe[T.C]"],
        "variances": (error["recipe[T.C]"] / ols["recipe[T.C]"]) ** 2,
        "temperature": error["temperature"] / ols["temperature"],
        "intercept": error["Intercept"] / ols["Intercept"],
        "OLS without temperature": error["recipe[T.C]"] / cake("", "recipe").bse["recipe[T.C]"],
        "LMM alone": error["recipe[T.C]"],
        "OLS alone": ols["recipe[T.C]"],
    }


def herds(random=" + (1 | herd)", fixed="period", family="binomial", **options):
    return fit_to("herds", f"prop(incidence, size) ~ {fixed}{random}", family, **options)


@wrong_in("01.4")
def _():
    b, fixed = herds().params, herds("").params
    eta = b["Intercept"] + b["period[T.2]"]
    return {
        "u = 0": 20 * expit(eta),
        "u after the link": 20 * (expit(eta) + 0.5),
        "exp for the inverse link": 20 * np.exp(eta + 0.5),
        "link scale": eta + 0.5,
        "one animal": expit(eta + 0.5),
        "period 1": 20 * expit(b["Intercept"] + 0.5),
        "period 3": 20 * expit(b["Intercept"] + b["period[T.3]"] + 0.5),
        "no herds": 20 * expit(fixed["Intercept"] + fixed["period[T.2]"] + 0.5),
        "probit": 20 * stats.norm.cdf(eta + 0.5),
        "u with the other sign": 20 * expit(eta - 0.5),
    }


@wrong_in("02.1")
def _():
    eta_3, eta_4 = -2 + 0.8 * np.array([3, 4]) + 0.5
    return {
        "link scale": eta_4 - eta_3,
        "inverse link of the slope": expit(eta_4 - eta_3),
        "u = 0": expit(eta_4 - 0.5) - expit(eta_3 - 0.5),
        "u with the other sign": expit(eta_4 - 1) - expit(eta_3 - 1),
        "ratio": expit(eta_4) / expit(eta_3),
        "odds": np.exp(eta_4) - np.exp(eta_3),
        "probit": stats.norm.cdf(eta_4) - stats.norm.cdf(eta_3),
        "slope at the start": 0.8 * expit(eta_3) * (1 - expit(eta_3)),
        "slope at the end": 0.8 * expit(eta_4) * (1 - expit(eta_4)),
        "quarter of the slope": 0.8 / 4,
        "one winter earlier": expit(eta_3) - expit(eta_3 - 0.8),
        "per cent": 100 * (expit(eta_4) - expit(eta_3)),
    }


@cache
def few(
    response="fruits", family="nbinom1", right="clipping + status + (1 | genotype)", rows="few"
):
    plants = gt.load_data("arabidopsis")
    chosen = {
        "few": plants["nutrient"] == "1",
        "many": plants["nutrient"] == "8",
        "all": plants["fruits"] >= 0,
        "fruit": (plants["nutrient"] == "1") & (plants["fruits"] > 0),
    }[rows]
    return gt.fit(f"{response} ~ {right}", plants[chosen], family).params["clipping[T.clipped]"]


@wrong_in("02.3")
def _():
    plants = gt.load_data("arabidopsis").query("nutrient == '1'")
    raw = plants.groupby("clipping", observed=True)["fruits"].mean()
    return {
        "link scale": few(),
        "logarithm of y + 1": np.exp(few("log(fruits + 1)", "normal")),
        "logarithm without zeros": np.exp(few("log(fruits)", "normal", rows="fruit")),
        "NB1 without zeros": np.exp(few(rows="fruit")),
        "NB2": np.exp(few(family="negative_binomial")),
        "Poisson": np.exp(few(family="poisson")),
        "genotype forgotten": np.exp(few(right="clipping + status")),
        "status forgotten": np.exp(few(right="clipping + (1 | genotype)")),
        "populations for genotypes": np.exp(few(right="clipping + status + (1 | population)")),
        "rack for status": np.exp(few(right="clipping + rack + (1 | genotype)")),
        "many nutrients": np.exp(few(rows="many")),
        "all plants": np.exp(few(rows="all")),
        "all plants, nutrients added": np.exp(
            few(right="clipping + nutrient + status + (1 | genotype)", rows="all")
        ),
        "raw means": raw["clipped"] / raw["unclipped"],
        "unclipped over clipped": np.exp(-few()),
        "1 + slope": 1 + few(),
    }


@wrong_in("02.4")
def _():
    return {
        "median": np.exp(2),
        "whole variance": np.exp(2 + 0.36),
        "half of the standard deviation": np.exp(2 + 0.3),
        "one standard deviation": np.exp(2.6),
        "mode": np.exp(2 - 0.36),
        "other sign": np.exp(2 - 0.18),
        "link scale": 2.18,
        "added after going back": np.exp(2) + 0.18,
        "variance taken for a standard deviation": np.exp(2 + 0.6**4 / 2),
        "exponentials added": np.exp(2) + np.exp(0.18),
    }


@wrong_in("03.1")
def _():
    mu, phi = 20, 0.09
    return {
        "variance": phi * mu**2,
        "variance in proportion to the mean": np.sqrt(phi * mu),
        "φ for its root": phi * mu,
        "Poisson": np.sqrt(mu),
        "coefficient of variation": np.sqrt(phi),
        "mean over φ": np.sqrt(mu / phi),
        "NB2": np.sqrt(mu + phi * mu**2),
        "inverse Gaussian": np.sqrt(phi * mu**3),
        "shape for φ": mu * phi / np.sqrt(1 / phi),
    }


@wrong_in("03.3")
def _():
    mu, phi = 6, 0.5
    p = 1 / (1 + phi * mu)
    return {
        "Poisson": stats.poisson.pmf(0, mu),
        "NB1": stats.nbinom.pmf(0, mu / phi, 1 / (1 + phi)),
        "φ for n": stats.nbinom.pmf(0, phi, p),
        "1 - p": stats.nbinom.pmf(0, 1 / phi, 1 - p),
        "μ and φ as n and p": stats.nbinom.pmf(0, mu, phi),
        "p": p,
        "lambs with ticks": 1 - p ** (1 / phi),
        "at most one tick": stats.nbinom.cdf(1, 1 / phi, p),
        "geometric": stats.geom.pmf(1, p),
        "per cent": 100 * p ** (1 / phi),
    }


@wrong_in("03.4")
def _():
    pigs = gt.load_data("pigs")
    before = pigs.groupby("pig", observed=True)["feed"].shift(fill_value=0).fillna(0)
    pigs["week_feed"] = pigs["feed"] - before
    by_week = pigs.dropna(subset="week_feed").groupby("week")
    mean, var = by_week["week_feed"].mean(), by_week["week_feed"].var()
    since_start = by_week["feed"]
    above = pigs[pigs["week_feed"] > 0].groupby("week")["week_feed"]
    by_pig = pigs.groupby("pig", observed=True)["week_feed"]

    def slope(x, y):
        return np.polyfit(x, y, 1)[0]

    return {
        "standard deviation": slope(np.log(mean), np.log(var) / 2),
        "no logarithms": slope(mean, var),
        "x and y exchanged": slope(np.log(var), np.log(mean)),
        "log of the variance only": slope(mean, np.log(var)),
        "feed since the start": slope(np.log(since_start.mean()), np.log(since_start.var())),
        "zeros dropped": slope(np.log(above.mean()), np.log(above.var())),
        "by pig": slope(np.log(by_pig.mean()), np.log(by_pig.var())),
        "intercept": np.polyfit(np.log(mean), np.log(var), 1)[1],
        "variance of the logarithms": slope(
            np.log(above.mean()), np.log(above.agg(lambda x: np.log(x).var()))
        ),
    }


# ---- lessons 04 and 05 ---------------------------------------------------------------------------


def rats(random=" + (day | rat)", fixed="diet * day", family="normal", **options):
    return fit_to("rats", f"weight ~ {fixed}{random}", family, **options)


@wrong_in("04.2")
def _():
    return {
        "variance": rats().dispersion["phi"],
        "all weights": gt.load_data("rats")["weight"].std(),
        "rats share a slope": rats(" + (1 | rat)").dispersion["residual sd"],
        "rats forgotten": rats("").dispersion["residual sd"],
        "rats' intercepts forgotten": rats(" + (0 + day | rat)").dispersion["residual sd"],
        "between rats": sd(rats()),
        "slopes of rats": sd(rats(), 1),
        "residuals": rats().resid().std(),
        "gamma": np.sqrt(rats(family="gamma").dispersion["phi"]),
        "logarithm": fit_to("rats", "log(weight) ~ diet * day + (day | rat)").dispersion["phi"],
    }


@cache
def cane(family="binomial", right="block + (1 | variety)", conditional=True):
    m = fit_to("cane", f"prop(diseased, shoots) ~ {right}", family)
    return m.simulated_residuals(conditional=conditional).test_dispersion()


@wrong_in("04.3")
@wrong_in("08.3")
def _():
    usual = cane()
    m = fit_to("cane", "prop(diseased, shoots) ~ block + (1 | variety)", "binomial")
    return {
        "Pearson": (m.resid("pearson") ** 2).sum() / m.df_resid,
        "p-value": usual.p_value,
        "statistic": usual.statistic,
        "standard deviations": np.sqrt(usual.effect),
        "variance expected": usual.statistic / usual.effect,
        "new varieties": cane(conditional=False).effect,
        "beta-binomial": cane("betabinomial").effect,
        "varieties forgotten": cane(right="block").effect,
        "blocks forgotten": cane(right="1 + (1 | variety)").effect,
        "blocks random too": cane(right="1 + (1 | block) + (1 | variety)").effect,
        "excess": usual.effect - 1,
    }


@wrong_in("04.4")
def _():
    logs = np.log(gt.load_data("cake")["angle"]).sum()

    def gain(random=BATCH, fixed="recipe + temperature", times=2.0, attribute="aic", reml=False):
        first = getattr(cake(random, fixed, reml), attribute)
        return (
            first
            - getattr(cake(random, fixed, reml, response="log(angle)"), attribute)
            - times * logs
        )

    return {
        "no Jacobian": gain(times=0),
        "half of the Jacobian": gain(times=1),
        "Jacobian with the other sign": gain(times=-2),
        "second minus first": -gain(),
        "log-likelihoods": gain() / 2,
        "REML": gain(reml=True),
        "BIC without Jacobian": gain(times=0, attribute="bic"),
        "batches forgotten": gain(""),
        "recipe forgotten": gain(fixed="temperature"),
        "temperature forgotten": gain(fixed="recipe"),
        "groups of one number": gain(" + (1 | replicate)"),
        "nested": gain(" + (1 | replicate/recipe)"),
        "gamma for the logarithm": cake(reml=False).aic - cake(family="gamma").aic,
        "log link for the logarithm": cake(reml=False).aic
        - fit_to("cake", f"angle ~ recipe + temperature{BATCH}", link="log").aic,
    }


def seeds(right="variety * extract + (1 | plate)", family="binomial", **options):
    return fit_to("seeds", f"prop(germinated, seeds) ~ {right}", family, **options)


def eta_of(params, variety, extract):
    """The linear predictor of the seeds, whichever terms the model has."""
    names = {"Intercept"}
    names |= {"variety[T.Oa73]"} if variety == "Oa73" else set()
    names |= {"extract[T.cucumber]"} if extract == "cucumber" else set()
    if len(names) == 3:
        names |= {"variety[T.Oa73]:extract[T.cucumber]"}
    return params[params.index.isin(names)].sum()


def raw_seeds(variety, extract):
    rows = gt.load_data("seeds").query("variety == @variety and extract == @extract")
    return rows["germinated"].sum() / rows["seeds"].sum()


@wrong_in("05.1")
def _():
    b = seeds().params
    eta = eta_of(b, "Oa73", "cucumber")
    fixed = seeds("variety * extract").params
    additive = seeds("variety + extract + (1 | plate)").params
    probit = seeds(link="probit").params
    rows = gt.load_data("seeds").query("variety == 'Oa73' and extract == 'cucumber'")
    return {
        "link scale": eta,
        "odds": np.exp(eta),
        "interaction forgotten": expit(eta - b.iloc[-1]),
        "additive model": expit(eta_of(additive, "Oa73", "cucumber")),
        "no plates": expit(eta_of(fixed, "Oa73", "cucumber")),
        "probit read as logit": expit(eta_of(probit, "Oa73", "cucumber")),
        "Oa75": expit(eta_of(b, "Oa75", "cucumber")),
        "bean": expit(eta_of(b, "Oa73", "bean")),
        "raw share": raw_seeds("Oa73", "cucumber"),
        "mean of the plates": (rows["germinated"] / rows["seeds"]).mean(),
        "cucumber alone": expit(b["extract[T.cucumber]"]),
        "probabilities added": expit(b).sum(),
        "not germinating": expit(-eta),
    }


@wrong_in("05.2")
def _():
    b = seeds().params
    cucumber = b["extract[T.cucumber]"] + b.iloc[-1]
    fixed = seeds("variety * extract").params
    additive = seeds("variety + extract + (1 | plate)").params
    p_cucumber, p_bean = (expit(eta_of(b, "Oa73", x)) for x in ("cucumber", "bean"))
    raw = [raw_seeds("Oa73", x) / (1 - raw_seeds("Oa73", x)) for x in ("cucumber", "bean")]
    return {
        "link scale": cucumber,
        "Oa75": np.exp(b["extract[T.cucumber]"]),
        "additive model": np.exp(additive["extract[T.cucumber]"]),
        "no plates": np.exp(fixed["extract[T.cucumber]"] + fixed.iloc[-1]),
        "interaction alone": np.exp(b.iloc[-1]),
        "exponentials added": np.exp(b["extract[T.cucumber]"]) + np.exp(b.iloc[-1]),
        "bean against cucumber": np.exp(-cucumber),
        "risk ratio": p_cucumber / p_bean,
        "risk difference": p_cucumber - p_bean,
        "raw": raw[0] / raw[1],
        "cloglog": np.exp(
            eta_of(seeds(link="cloglog").params, "Oa73", "cucumber")
            - eta_of(seeds(link="cloglog").params, "Oa73", "bean")
        ),
    }


@wrong_in("05.3")
def _():
    m = herds()
    b, s = m.params["Intercept"], sd(m)
    p = m.predict(pd.DataFrame({"period": ["1"], "herd": ["new"]}), effects="marginal").iloc[0]
    return {
        "variance": expit(b + 1.96 * s**2),
        "link scale": b + 1.96 * s,
        "confidence limit": expit(m.conf_int().loc["Intercept", "conf_high"]),
        "one standard deviation": expit(b + s),
        "lower": expit(b - 1.96 * s),
        "middle": expit(b),
        "added after the link": expit(b) + 1.96 * s,
        "one-sided": expit(b + 1.645 * s),
        "around the marginal mean": expit(logit(p) + 1.96 * s),
        "period forgotten": expit(
            herds(fixed="1").params["Intercept"] + 1.96 * sd(herds(fixed="1"))
        ),
        "cloglog read as logit": expit(
            herds(link="cloglog").params["Intercept"] + 1.96 * sd(herds(link="cloglog"))
        ),
        "probit": stats.norm.cdf(
            herds(link="probit").params["Intercept"] + 1.96 * sd(herds(link="probit"))
        ),
        "standard error": expit(b + 1.96 * m.bse["Intercept"]),
        "marginal mean": p,
        "delta method": expit(b) + 1.96 * s * expit(b) * expit(-b),
    }


@wrong_in("05.6")
def _():
    m, table = herds(), gt.load_data("herds")
    b, second, last = (m.params[name] for name in ("Intercept", "period[T.2]", "period[T.4]"))
    fixed = "prop(incidence, size) ~ period"
    numbers = table.assign(period=table["period"].astype(int))
    straight = gt.fit(f"{fixed} + (1 | herd)", numbers, "binomial").params["period"]
    counts = "incidence ~ period + offset(log(size)) + (1 | herd)"
    shares = (table["incidence"] / table["size"]).groupby(table["period"], observed=True).mean()
    odds = shares / (1 - shares)

    def ratio(model):
        return np.exp(model.params["period[T.4]"] - model.params["period[T.2]"])

    return {
        "link scale": last - second,
        "inverse link": expit(last - second),
        "period 2 against 1": np.exp(second),
        "period 4 against 1": np.exp(last),
        "period 4 against 3": np.exp(last - m.params["period[T.3]"]),
        "period 2 against 4": np.exp(second - last),
        "sum of the two": np.exp(last + second),
        "odds": np.exp(b + last),
        "probability": expit(b + last),
        "risk ratio": expit(b + last) / expit(b + second),
        "no herds": ratio(fit_to("herds", fixed, "binomial")),
        "herds fixed": ratio(fit_to("herds", f"{fixed} + herd", "binomial")),
        "period as a number": np.exp(2 * straight),
        "rate ratio": ratio(fit_to("herds", counts, "poisson")),
        "odds of the mean shares": odds.iloc[3] / odds.iloc[1],
        "probit read as logit": ratio(herds(link="probit")),
        "cloglog read as logit": ratio(herds(link="cloglog")),
    }


# ---- lessons 06 and 07 ---------------------------------------------------------------------------


def period(
    family="poisson", right="treatment + log(base) + period + (1 | subject)", response="seizures"
):
    return fit_to("epilepsy", f"{response} ~ {right}", family).params["period"]


@wrong_in("06.1")
def _():
    b = period()
    by_period = gt.load_data("epilepsy").groupby("period")["seizures"].mean()
    return {
        "one step": np.exp(b),
        "four steps": np.exp(4 * b),
        "link scale": 3 * b,
        "three times the ratio": 3 * np.exp(b),
        "back": np.exp(-3 * b),
        "loss": 1 - np.exp(3 * b),
        "NB2": np.exp(3 * period("negative_binomial")),
        "NB1": np.exp(3 * period("nbinom1")),
        "logarithm of y + 1": np.exp(3 * period("normal", response="log(seizures + 1)")),
        "raw means": by_period.iloc[-1] / by_period.iloc[0],
        "linear": 1 + 3 * b,
    }


NUTRIENT = "nutrient * clipping + rack + status + (1 | genotype)"


def fruits(family="nbinom1", right=NUTRIENT, response="fruits", nutrient=1):
    b = fit_to("arabidopsis", f"{response} ~ {right}", family).params
    at_8 = "nutrient[T.8]:clipping[T.clipped]"
    return np.exp(b["clipping[T.clipped]"] + (b[at_8] if nutrient == 8 else 0))


def raw_fruits():
    plants = gt.load_data("arabidopsis").query("nutrient == '1'")
    means = plants.groupby("clipping", observed=True)["fruits"].mean()
    return means["clipped"] / means["unclipped"]


def by_stems(family="nbinom1", right="block + log(stems) + (1 | variety)", stems="log(stems)"):
    return fit_to("cane", f"shoots ~ {right}", family).params[stems]


def logged_shoots():
    formula = "log(shoots) ~ block + log(stems) + (1 | variety)"
    return fit_to("cane", formula, reml=True).params["log(stems)"]


@wrong_in("06.3")
def _():
    return {
        "NB2": 2 ** by_stems("negative_binomial"),
        "Poisson": 2 ** by_stems("poisson"),
        "coefficient": by_stems(),
        "e times the stems": np.exp(by_stems()),
        "proportional": 2.0,
        "no logarithm": np.exp(by_stems(right="block + stems + (1 | variety)", stems="stems")),
        "varieties forgotten": 2 ** by_stems(right="block + log(stems)"),
        "blocks forgotten": 2 ** by_stems(right="log(stems) + (1 | variety)"),
        "normal model of the logarithm": 2 ** logged_shoots(),
        "half of the stems": 2 ** -by_stems(),
        "link scale": by_stems() * np.log(2),
    }


@cache
def weeds(right="treated + offset(log(area)) + (1 | field)", family="poisson", response="weeds"):
    rng = np.random.default_rng(3)
    frames = pd.DataFrame({"field": np.repeat(np.arange(12), 6), "treated": np.tile([0, 1], 36)})
    small, large = rng.choice([1.0, 2.0, 4.0], size=72), rng.choice([2.0, 4.0, 8.0], size=72)
    frames["area"] = np.where(frames["treated"] == 1, large, small)
    truth = {"coef": {"Intercept": 1, "treated": -0.7}, "sd": {"field": 0.4}, "seed": 5}
    drawn = gt.simulate(
        "weeds ~ treated + offset(log(area)) + (1 | field)", frames, "poisson", **truth
    )
    return gt.fit(f"{response} ~ {right}", drawn, family)


def treated(model):
    return model.params["Intercept"] + model.params["treated"]


@wrong_in("06.4")
def _():
    eta = treated(weeds())
    marginal = weeds().predict(
        pd.DataFrame({"treated": [1], "area": [4.0], "field": ["new"]}), effects="marginal"
    )
    return {
        "one square metre": np.exp(eta),
        "area on the log scale": np.exp(eta + 4),
        "link scale": eta + np.log(4),
        "untreated": 4 * np.exp(weeds().params["Intercept"]),
        "intercept forgotten": 4 * np.exp(weeds().params["treated"]),
        "offset forgotten": np.exp(treated(weeds("treated + (1 | field)"))),
        "offset forgotten, times area": 4 * np.exp(treated(weeds("treated + (1 | field)"))),
        "logarithm forgotten": np.exp(treated(weeds("treated + offset(area) + (1 | field)")) + 4),
        "fields forgotten": 4 * np.exp(treated(weeds("treated + offset(log(area))"))),
        "all fields": marginal.iloc[0],
        "the truth simulated": 4 * np.exp(1 - 0.7),
        "divided": np.exp(eta) / 4,
        "weeds per area, normal": 4
        * treated(weeds("treated + (1 | field)", "normal", "I(weeds / area)")),
    }


@wrong_in("06.6")
def _():
    plants, right = gt.load_data("arabidopsis"), "nutrient * clipping + rack + status"

    def model(family="truncated_negative_binomial", zeros=right, random=" + (1 | genotype)"):
        return fit_to(
            "arabidopsis", f"fruits ~ {right}{random}", family, zero_inflation=f"~ {zeros}"
        )

    def plain(family):
        return fit_to("arabidopsis", f"fruits ~ {right} + (1 | genotype)", family).params

    def ratio(of=None, nutrient="1", part=None):
        means = (of or model()).means("clipping", by="nutrient", part=part).frame
        whole, clipped = means.loc[means["nutrient"].astype(str) == nutrient, "estimate"]
        return clipped / whole

    plants = plants[plants["nutrient"].astype(str) == "1"]
    raw = plants.groupby("clipping", observed=True)["fruits"].mean()
    return {
        "fruiting plants only": ratio(part="mean"),
        "probability of none": ratio(part="zero"),
        "another nutrient": ratio(nutrient="8"),
        "raw means": raw["clipped"] / raw["unclipped"],
        "mu": np.exp(model().params["clipping[T.clipped]"]),
        "Poisson": ratio(model("truncated_poisson")),
        "extra zeros": ratio(model("negative_binomial")),
        "zeros of clipping alone": ratio(model(zeros="clipping")),
        "genotype forgotten": ratio(model(random="")),
        "averaged": np.divide(*model().means("clipping").frame["estimate"][::-1]),
        "NB1": np.exp(plain("nbinom1")["clipping[T.clipped]"]),
        "NB2": np.exp(plain("negative_binomial")["clipping[T.clipped]"]),
        "reciprocal": 1 / ratio(),
        "loss": 1 - ratio(),
    }


def gasoline(family="beta", right="temp + (1 | batch)", response="converted"):
    return fit_to("gasoline", f"{response} ~ {right}", family)


@wrong_in("07.1")
def _():
    binomial, phi = 0.2 * 0.8, gasoline().dispersion["phi"]

    def points(model):
        return 100 * np.sqrt(binomial / (1 + model.dispersion["phi"]))

    return {
        "variance": binomial / (1 + phi),
        "variance in squared points": 1e4 * binomial / (1 + phi),
        "proportion": np.sqrt(binomial / (1 + phi)),
        "0/1": 100 * np.sqrt(binomial),
        "0/1, proportion": np.sqrt(binomial),
        "φ multiplies": np.sqrt(binomial * (1 + phi)),
        "φ for 1 + φ": 100 * np.sqrt(binomial / phi),
        "root of φ forgotten": 100 * np.sqrt(binomial) / (1 + phi),
        "a hundred trials": 100 * np.sqrt(binomial / 100),
        "batches forgotten": points(gasoline(right="temp")),
        "temperature forgotten": points(gasoline(right="1 + (1 | batch)")),
        "normal": 100 * gasoline("normal").dispersion["residual sd"],
        "between batches": sd(gasoline()),
    }


@wrong_in("07.3")
def _():
    def phi(right="variety * extract"):
        return seeds(right, "betabinomial").dispersion["phi"]

    def factor(phi, n=50):
        return (phi + n) / (phi + 1)

    m = seeds("variety * extract")
    return {
        "a binomial too many": 1 + 50 / (1 + phi()),
        "standard deviation": np.sqrt(factor(phi())),
        "correlation": 1 / (1 + phi()),
        "φ": phi(),
        "N over 1 + φ": 50 / (1 + phi()),
        "excess": factor(phi()) - 1,
        "φ + 1 forgotten": 1 + 50 / phi(),
        "mean size of a plate": factor(phi(), gt.load_data("seeds")["seeds"].mean()),
        "interaction forgotten": factor(phi("variety + extract")),
        "treatments forgotten": factor(phi("1")),
        "Pearson of the binomial": m.simulated_residuals().test_dispersion().effect,
        "reciprocal": 1 / factor(phi()),
    }


@wrong_in("07.5")
def _():
    new = pd.DataFrame({"recipe": ["A"], "temperature": [225], "replicate": [1]})

    def spread(random=BATCH, fixed="recipe + temperature", effects="population", at=new):
        m = cake(random, fixed, family="gamma")
        return np.sqrt(m.dispersion["phi"]) * m.predict(at, effects=effects).iloc[0]

    log = cake(reml=False, response="log(angle)")
    eta, s = log.predict(new, effects="population").iloc[0], log.dispersion["residual sd"]
    m = cake(family="gamma")
    t = cake(family="t").dispersion
    angle = gt.load_data("cake").query("recipe == 'A' and temperature == 225")["angle"]
    return {
        "normal": cake(reml=False).dispersion["residual sd"],
        "normal, REML": cake().dispersion["residual sd"],
        "t": np.sqrt(t["phi"] * t["df"] / (t["df"] - 2)),
        "lognormal": np.exp(eta + s**2 / 2) * np.sqrt(np.exp(s**2) - 1),
        "lognormal, about": np.exp(eta) * s,
        "φ for its root": m.dispersion["phi"] * m.predict(new, effects="population").iloc[0],
        "coefficient of variation": np.sqrt(m.dispersion["phi"]),
        "variance": spread() ** 2,
        "all batches": spread(effects="marginal"),
        "batches forgotten": spread(""),
        "groups of one number": spread(" + (1 | replicate)"),
        "nested": spread(" + (1 | replicate/recipe)"),
        "recipe forgotten": spread(fixed="temperature"),
        "temperature forgotten": spread(fixed="recipe"),
        "another recipe": spread(at=new.assign(recipe="B")),
        "another temperature": spread(at=new.assign(temperature=215)),
        "mean of all": np.sqrt(m.dispersion["phi"]) * gt.load_data("cake")["angle"].mean(),
        "between batches": sd(m),
        "raw": angle.std(),
    }


@wrong_in("07.7")
def _():
    mean, odds = np.exp(2.3), np.exp(0.6)
    return {
        "zeros forgotten": mean,
        "probability of a zero": mean * odds / (1 + odds),
        "linear predictor": 2.3 / (1 + odds),
        "odds": mean / odds,
        "log odds as a probability": mean * 0.6,
        "difference of logs": np.exp(2.3 - 0.6),
        "no mean": 1 / (1 + odds),
        "other sign": mean / (1 + 1 / odds) + mean,
    }


# ---- lessons 08 and 09 ---------------------------------------------------------------------------


@wrong_in("08.1")
def _():
    below, equal, n = 20, 11, 49
    return {
        "smallest": below / (n + 1),
        "own place forgotten": (below + equal) / (n + 1),
        "share": (below + equal) / n,
        "own place below only": (below + equal + 1) / n,
        "middle": (below + (equal + 1) / 2) / (n + 1),
        "above": (n - below + 1) / (n + 1),
        "equal ones forgotten": (below + 1) / (n + 1),
        "per cent": 100 * (below + equal + 1) / (n + 1),
    }


@cache
def wheezing(random=" + (1 | child)", conditional=False, seed=1):
    """How many children wheeze at all four ages: observed, and in 250 simulated data sets."""
    children = gt.load_data("wheeze")
    m = fit_to("wheeze", f"wheeze ~ age + smoke{random}", "binomial", nagq=15 if random else 1)
    drawn = m.simulate(250, seed=seed, conditional=conditional)
    child = children["child"].cat.codes
    counts = pd.DataFrame(np.asarray(drawn).T).groupby(child.to_numpy()).sum()
    return (children.groupby("child", observed=True)["wheeze"].sum() == 4).sum(), (
        counts == 4
    ).sum()


@wrong_in("08.2")
def _():
    observed, drawn = wheezing()
    kept, glm = wheezing(conditional=True)[1], wheezing(random="")[1]
    p = (1 + (drawn >= observed).sum()) / 251
    return {
        "share": (drawn >= observed).sum() / 250,
        "1 below the line only": (drawn >= observed).sum() / 251,
        "more": (1 + (drawn > observed).sum()) / 251,
        "at most": (1 + (drawn <= observed).sum()) / 251,
        "two-sided": 2 * p,
        "the other side": 1 - p,
        "random effects kept": (1 + (kept >= observed).sum()) / 251,
        "no children": (1 + (glm >= observed).sum()) / 251,
        "number of data sets": (drawn >= observed).sum(),
    }


@cache
def left_out(random="days", group="subject"):
    return fit_to("sleep", f"reaction ~ days + ({random} | subject)").influence(group)


@wrong_in("08.6")
def _():
    persons, rows = left_out(), left_out(group=None)
    most = persons.frame["cooks_distance"].idxmax()
    row = rows.frame["cooks_distance"].idxmax()
    slope = fit_to("sleep", "reaction ~ days + (days | subject)").params["days"]
    change = persons.change.loc[most, "days"]
    intercepts = left_out("1")
    raw = gt.load_data("sleep").query("subject == @most")
    return {
        "standard errors": persons.dfbetas.loc[most, "days"],
        "with minus without": -change,
        "intercept": persons.change.loc[most, "Intercept"],
        "slope moved most": persons.change["days"].max(),
        "slope moved least": persons.change["days"].min(),
        "slope without": slope + change,
        "share of the slope": change / slope,
        "most influential row": rows.change.loc[row, "days"],
        "random intercepts": intercepts.change["days"][intercepts.frame["cooks_distance"].idxmax()],
        "Cook's distance": persons.frame["cooks_distance"].max(),
        "residual sd": persons.change.loc[most, "residual sd"],
        "slope of the person": np.polyfit(raw["days"], raw["reaction"], 1)[0],
    }


@cache
def litters(fixed="copper + start_weight", reml=False, week=12):
    pigs = gt.load_data("pigs").query("week == @week")
    models = [gt.fit(f"weight ~ {fixed}{r}", pigs, reml=reml) for r in ("", " + (1 | litter)")]
    return gt.compare(*models).iloc[1]


@wrong_in("09.1")
def _():
    ratio = litters()["statistic"]
    m = gt.fit(
        "weight ~ copper + start_weight + (1 | litter)", gt.load_data("pigs").query("week == 12")
    )
    return {
        "chi-square with 1 df": stats.chi2.sf(ratio, 1),
        "chi-square with 2 df": stats.chi2.sf(ratio, 2),
        "halved twice": stats.chi2.sf(ratio, 1) / 4,
        "statistic": ratio,
        "no factor 2": stats.chi2.sf(ratio / 2, 1) / 2,
        "REML": litters(reml=True)["p_value"],
        "copper forgotten": litters("start_weight")["p_value"],
        "start_weight forgotten": litters("copper")["p_value"],
        "another week": litters(week=11)["p_value"],
        "Wald test of the variance": stats.norm.sf(np.sqrt(ratio) * 2),
        "p-value of copper": m.pvalues.iloc[1],
    }


@cache
def den_df(random=BATCH, fixed="recipe * temperature", term="recipe", reml=True):
    return cake(random, fixed, reml).anova()["den_df"][term]


@wrong_in("09.2")
def _():
    return {
        "groups of one number": den_df(" + (1 | replicate)"),
        "nested": den_df(" + (1 | replicate/recipe)"),
        "batches forgotten": den_df(""),
        "ML": den_df(reml=False),
        "temperature": den_df(term="temperature"),
        "interaction": den_df(term="recipe:temperature"),
        "numerator": 2,
        "batches less one": 44,
        "batches": 45,
        "cakes less one": 269,
        "batches of a recipe": 14,
    }


AGE_7 = pd.DataFrame({"age": [7], "smoke": ["yes"], "child": ["new"]})


def wheeze(random=" + (1 | child)", fixed="age + smoke", **options):
    return fit_to("wheeze", f"wheeze ~ {fixed}{random}", "binomial", **options)


@wrong_in("09.3")
def _():
    m = wheeze(nagq=15)
    seen = gt.load_data("wheeze")

    def marginal(model, at=AGE_7):
        return model.predict(at, effects="marginal").iloc[0]

    return {
        "u = 0": m.predict(AGE_7, effects="population").iloc[0],
        "link scale": m.predict(AGE_7, "link", "population").iloc[0],
        "Laplace": marginal(wheeze()),
        "no smoke": marginal(m, AGE_7.assign(smoke="no")),
        "age 8": marginal(m, AGE_7.assign(age=8)),
        "age 9": marginal(m, AGE_7.assign(age=9)),
        "age forgotten": marginal(wheeze(fixed="smoke", nagq=15)),
        "smoke forgotten": marginal(wheeze(fixed="age", nagq=15)),
        "children forgotten": marginal(wheeze("")),
        "raw": seen.query("age == 7 and smoke == 'yes'")["wheeze"].mean(),
        "raw at all ages": seen.query("smoke == 'yes'")["wheeze"].mean(),
        "the children of the data": m.predict(effects="conditional")[
            (seen["age"] == 7) & (seen["smoke"] == "yes")
        ].mean(),
    }


REGION = "nutrient * clipping + region + (1 | genotype)"


@wrong_in("09.4")
def _():
    m = fit_to("arabidopsis", f"fruits ~ {REGION}", "nbinom1")
    means = m.means("clipping", by="nutrient").frame.set_index(["nutrient", "clipping"])["estimate"]
    return {
        "NB2": fruits("negative_binomial", REGION),
        "Poisson": fruits("poisson", REGION),
        "logarithm of y + 1": fruits("normal", REGION, "log(fruits + 1)"),
        "unclipped over clipped": 1 / fruits(right=REGION),
        "link scale": np.log(fruits(right=REGION)),
        "many nutrients": fruits(right=REGION, nutrient=8),
        "interaction": np.exp(m.params.iloc[-1]),
        "averaged": np.sqrt(fruits(right=REGION) * fruits(right=REGION, nutrient=8)),
        "interaction forgotten": fruits(right="nutrient + clipping + region + (1 | genotype)"),
        "populations for genotypes": fruits(
            right="nutrient * clipping + region + (1 | population)"
        ),
        "region forgotten": fruits(right="nutrient * clipping + (1 | genotype)"),
        "genotype forgotten": fruits(right="nutrient * clipping + region"),
        "difference": means["1", "clipped"] - means["1", "unclipped"],
        "raw means": raw_fruits(),
    }


# ---- lessons 10 and 11 ---------------------------------------------------------------------------


@wrong_in("10.1")
def _():
    m, rho = 8, 0.6
    return {
        "variance": 1 + (m - 1) * rho,
        "within cows": np.sqrt(1 - rho),
        "all rows": np.sqrt(1 + (160 - 1) * rho),
        "all cows": np.sqrt(1 + (20 - 1) * rho),
        "m for m - 1": np.sqrt(1 + m * rho),
        "claimed over true": 1 / np.sqrt(1 + (m - 1) * rho),
        "correlation 1": np.sqrt(m),
        "correlation squared": np.sqrt(1 + (m - 1) * rho**2),
        "two days": np.sqrt(1 + rho),
        "AR(1)": np.sqrt(1 + 2 / m * sum((m - k) * rho**k for k in range(1, m))),
    }


@wrong_in("10.2")
def _():
    return {
        "residual left in": 7.2 / 10,
        "two weeks apart": 6.48 / 10,
        "square": (6.48 / 7.2) ** 2,
        "lag 3 over lag 1": 5.83 / 7.2,
        "residual variance": 10 - 7.2**2 / 6.48,
        "variance of the term": 7.2**2 / 6.48,
        "compound symmetry": np.mean([7.2, 7.2, 7.2, 6.48, 6.48, 5.83]) / 10,
        "root of lag 2": np.sqrt(6.48 / 10),
        "third root of lag 3": (5.83 / 10) ** (1 / 3),
        "reciprocal": 7.2 / 6.48,
    }


@wrong_in("10.3")
def _():
    term = "diet[T.2]:day"
    ar1 = " + ar1(day | rat)"
    return {
        "intercepts": rats(" + (1 | rat)", reml=True).bse[term],
        "slopes": rats(reml=True).bse[term],
        "ML": rats(ar1).bse[term],
        "rats forgotten": rats("", reml=True).bse[term],
        "estimate": rats(ar1, reml=True).params[term],
        "main effect": rats(ar1, reml=True).bse["diet[T.2]"],
        "slope": rats(ar1, reml=True).bse["day"],
        "variance": rats(ar1, reml=True).bse[term] ** 2,
        "gamma": rats(ar1, family="gamma").bse[term],
        "slopes, ML": rats().bse[term],
        "R side": fit_to("rats", "weight ~ diet * day", residual="ar1(day | rat)", reml=True).bse[
            term
        ],
        "slopes and series": rats(" + (day | rat)" + ar1, reml=True).bse[term],
    }


@wrong_in("10.4")
def _():
    at = pd.DataFrame({"age": [7, 7], "smoke": ["no", "yes"], "child": ["a", "b"]})
    child = wheeze(nagq=25)
    seen = gt.load_data("wheeze")

    def difference(model, effects="marginal", at=at):
        return np.diff(model.predict(at, effects=effects))[0]

    at_7 = child.predict(at, effects="marginal")
    raw = seen.query("age == 7").groupby("smoke", observed=True)["wheeze"].mean()
    overall = seen.groupby("smoke", observed=True)["wheeze"].mean()
    together = gt.fit("wheeze ~ age * smoke + (1 | child)", seen, "binomial", nagq=25)
    return {
        "u = 0": difference(child, "population"),
        "link scale": np.diff(logit(at_7))[0],
        "coefficient": child.params["smoke[T.yes]"],
        "ratio": at_7.iloc[1] / at_7.iloc[0],
        "Laplace": difference(wheeze()),
        "children forgotten": difference(wheeze("")),
        "age 9": difference(child, at=at.assign(age=9)),
        "age 10": difference(child, at=at.assign(age=10)),
        "age forgotten": difference(wheeze(fixed="smoke", nagq=25)),
        "with interaction": difference(together),
        "raw": raw["yes"] - raw["no"],
        "raw at all ages": overall["yes"] - overall["no"],
        "GEE": np.diff(
            gt.gee("wheeze ~ age + smoke", seen, groups="child", family="binomial").predict(at)
        )[0],
    }


@cache
def rats_tests(structure="ar1", day="C(day)", reml=True, **options):
    residual = f"{structure}(day | rat)" if structure else None
    m = fit_to("rats", f"weight ~ diet * {day}", residual=residual, reml=reml)
    return m.anova(**options)


@wrong_in("10.6")
def _():
    kr = {"df": "kenward-roger"}
    in_the_formula = fit_to("rats", "weight ~ diet * C(day) + ar1(day | rat)", reml=True)
    return {
        "cs": rats_tests("cs", **kr)["statistic"]["diet:C(day)"],
        "hcs": rats_tests("hcs", **kr)["statistic"]["diet:C(day)"],
        "har1": rats_tests("har1", **kr)["statistic"]["diet:C(day)"],
        "har1, Satterthwaite": rats_tests("har1")["statistic"]["diet:C(day)"],
        "ML": rats_tests(reml=False)["statistic"]["diet:C(day)"],
        "straight lines": rats_tests(day="day", **kr)["statistic"]["diet:day"],
        "diet": rats_tests(**kr)["statistic"]["diet"],
        "day": rats_tests(**kr)["statistic"]["C(day)"],
        "repeats ignored": rats_tests("")["statistic"]["diet:C(day)"],
        "random series": in_the_formula.anova()["statistic"]["diet:C(day)"],
        "p-value": rats_tests(**kr)["p_value"]["diet:C(day)"],
        "degrees of freedom": rats_tests(**kr)["den_df"]["diet:C(day)"],
    }


@wrong_in("11.2")
def _():
    def oats(right="variety + C(nitro) + (1 | block/variety)", reml=True):
        return fit_to("oats", f"yield ~ {right}", reml=reml).variance_components["variance"]

    block, plot, rest = oats()
    ml = oats(reml=False)
    crossed = oats("variety + C(nitro) + (1 | block)")
    no_nitrogen = oats("variety + (1 | block/variety)")
    no_variety = oats("C(nitro) + (1 | block/variety)")
    return {
        "one large plot": (block + plot) / (block + plot + rest),
        "large plots": plot / (block + plot + rest),
        "blocks left out": plot / (plot + rest),
        "large plots left out": block / (block + rest),
        "residual left out": block / (block + plot),
        "standard deviations": np.sqrt(block) / np.sqrt([block, plot, rest]).sum(),
        "covariance": block,
        "ML": ml.iloc[0] / ml.sum(),
        "blocks only": crossed.iloc[0] / crossed.sum(),
        "nitrogen forgotten": no_nitrogen.iloc[0] / no_nitrogen.sum(),
        "variety forgotten": no_variety.iloc[0] / no_variety.sum(),
        "two blocks": 0.0,
    }


@wrong_in("11.3")
def _():
    room, pen, pig, rest = 2.5**2, 2.0**2, 1.5**2, 3.0**2
    of_a_pen = pen + pig / 6 + rest / 30
    return {
        "pens of both treatments": np.sqrt(2 / 16 * of_a_pen),
        "variance": 2 / 8 * of_a_pen,
        "pigs as replicates": np.sqrt(2 / 48 * (pen + pig + rest / 5)),
        "rows as replicates": np.sqrt(2 / 240 * (pen + pig + rest)),
        "pens left out": np.sqrt(2 / 8 * (of_a_pen - pen)),
        "rooms left in": np.sqrt(2 / 8 * (of_a_pen + room)),
        "three pigs": np.sqrt(2 / 8 * (pen + pig / 3 + rest / 15)),
        "one mean": np.sqrt(1 / 8 * of_a_pen),
        "days left out": np.sqrt(2 / 8 * (pen + pig / 6 + rest / 6)),
        "pens only": np.sqrt(2 / 8 * pen),
        "residual left out": np.sqrt(2 / 8 * (pen + pig / 6)),
        "pigs left out": np.sqrt(2 / 8 * (pen + rest / 30)),
        "standard deviations for variances": np.sqrt(2 / 8 * (2 + 1.5 / 6 + 3 / 30)),
    }


@wrong_in("11.4")
def _():
    session = " + (1 | replicate/recipe)"
    term = "recipe[T.B]"
    return {
        "random effects forgotten": cake("").bse[term],
        "sessions only": cake(" + (1 | replicate)").bse[term],
        "batches only": cake().bse[term],
        "ML": cake(session, reml=False).bse[term],
        "estimate": cake(session).params[term],
        "variance": cake(session).bse[term] ** 2,
        "temperature": cake(session).bse["temperature"],
        "temperature within sessions": cake(" + (1 | replicate) + (1 | replicate:temperature)").bse[
            term
        ],
        "gamma": cake(session, family="gamma").bse[term],
        "intercept": cake(session).bse["Intercept"],
    }


# ---- lessons 12 and 13 ---------------------------------------------------------------------------


@wrong_in("12.1")
def _():
    def weight(random=BATCH, fixed="recipe + temperature", reml=True, n=6):
        return variance(cake(random, fixed, reml), -2) / (
            variance(cake(random, fixed, reml), -2) + variance(cake(random, fixed, reml), -1) / n
        )

    return {
        "standard deviations": sd(cake()) / (sd(cake()) + sd(cake(), -1) / 6),
        "one cake": weight(n=1),
        "fifteen cakes": weight(n=15),
        "all cakes": weight(n=270),
        "model's weight": 1 - weight(),
        "ML": weight(reml=False),
        "groups of one number": weight(" + (1 | replicate)", n=18),
        "groups of one number, six cakes": weight(" + (1 | replicate)"),
        "temperature forgotten": weight(fixed="recipe"),
        "recipe forgotten": weight(fixed="temperature"),
        "batches of a session": weight(" + (1 | replicate/recipe)"),
        "divided the other variance": variance(cake())
        / 6
        / (variance(cake()) / 6 + variance(cake(), -1)),
    }


@cache
def attacks(
    rows="seen", right="month + (1 | person)", family="poisson", response="attacks", **options
):
    layout = pd.DataFrame({"person": np.repeat(np.arange(200), 4), "month": np.tile(range(4), 200)})
    how = {"coef": [1.2, -0.3], "sd": 0.8, "seed": 8}
    study = gt.simulate("attacks ~ month + (1 | person)", layout, "poisson", **how)
    many = (study["attacks"] >= 5).groupby(study["person"])
    left = many.transform(lambda person: person.shift(fill_value=False).cummax())
    complete = ~left.groupby(study["person"]).transform("any")
    carried = study.assign(attacks=study["attacks"].mask(left).groupby(study["person"]).ffill())
    chosen = {"seen": study[~left], "complete": study[complete], "all": study, "carried": carried}
    return gt.fit(f"{response} ~ {right}", chosen[rows], family, **options).params["month"]


@wrong_in("12.3")
def _():
    return {
        "complete cases": np.exp(attacks("complete")),
        "complete cases, no persons": np.exp(attacks("complete", "month")),
        "persons forgotten": np.exp(attacks(right="month")),
        "persons with slopes": np.exp(attacks(right="month + (month | person)")),
        "before anybody left": np.exp(attacks("all")),
        "the truth simulated": np.exp(-0.3),
        "last count carried forward": np.exp(attacks("carried")),
        "logarithm of y + 1": np.exp(attacks(family="normal", response="log(attacks + 1)")),
        "normal with log link": np.exp(attacks(family="normal", link="log")),
        "link scale": attacks(),
        "back": np.exp(-attacks()),
        "change": np.exp(attacks()) - 1,
    }


@cache
def conversion(
    right="x_within + x_mean + (1 | batch)", term="x_within", reml=True, response="converted"
):
    oil = gt.load_data("gasoline")
    oil["x_mean"] = oil.groupby("batch", observed=True)["temp"].transform("mean")
    oil["x_within"] = oil["temp"] - oil["x_mean"]
    return gt.fit(f"{response} ~ {right}", oil, reml=reml and "|" in right).params[term]


@wrong_in("12.4")
def _():
    beta = gasoline().params["temp"]
    return {
        "between batches": 1000 * conversion(term="x_mean"),
        "batches forgotten": 1000 * conversion("temp", "temp"),
        "1 °F": 100 * conversion(),
        "a proportion": 10 * conversion(),
        "1 °F, a proportion": conversion(),
        "contextual effect": 1000 * (conversion(term="x_mean") - conversion()),
        "beta, link scale": 10 * beta,
        "beta, odds ratio": np.exp(10 * beta),
        "logarithm": 1000 * conversion(response="log(converted)"),
        "10 °C": 1000 * conversion() * 1.8,
    }


@wrong_in("13.1")
def _():
    p = 0.8
    return {
        "one standard error": p * (1 - p) / 0.01**2,
        "p = 0.5": np.ceil(1.96**2 * 0.25 / 0.01**2),
        "2 for 1.96": 4 * p * (1 - p) / 0.01**2,
        "half of the half-width": np.ceil(1.96**2 * p * (1 - p) / 0.005**2),
        "whole width": np.ceil(1.96**2 * p * (1 - p) / 0.02**2),
        "root": np.ceil(1.96 * np.sqrt(p * (1 - p)) / 0.01),
        "rounded down": np.floor(1.96**2 * p * (1 - p) / 0.01**2),
        "one more": np.ceil(1.96**2 * p * (1 - p) / 0.01**2) + 1,
        "one-sided": np.ceil(1.645**2 * p * (1 - p) / 0.01**2),
        "99 %": np.ceil(2.576**2 * p * (1 - p) / 0.01**2),
    }


@cache
def seeds_power(sizes=42, interaction=-0.5, right="variety * extract + (1 | plate)", **options):
    term = "variety[T.Oa73]:extract[T.cucumber]"
    coef = {} if interaction is None else {"coef": {term: interaction}}
    how = {"terms": term, "along": "plate", "sizes": [sizes], "n": 100, "progress": False}
    frame = gt.power(seeds(right), **{**how, **coef, **options}).frame
    return frame["power"].iloc[0]


@wrong_in("13.3")
def _():
    return {
        "estimated interaction": seeds_power(interaction=None),
        "21 plates": seeds_power(21),
        "other sign": seeds_power(interaction=0.5),
        "trials that miss it": 1 - seeds_power(),
        "5 trials in 100": 0.05,
        "per cent": 100 * seeds_power(),
    }


@wrong_in("13.5")
def _():
    def aic(family, zeros=None, right="treatment + log(base) + (1 | subject)", attribute="aic"):
        m = fit_to("epilepsy", f"seizures ~ {right}", family, zero_inflation=zeros)
        return getattr(m, attribute)

    def fall(family="negative_binomial", **options):
        return aic(family, **options) - aic(family, "~ 1", **options)

    return {
        "Poisson": fall("poisson"),
        "NB1": fall("nbinom1"),
        "rise": -fall(),
        "log-likelihood": -fall(attribute="llf"),
        "deviance": -2 * fall(attribute="llf"),
        "BIC": fall(attribute="bic"),
        "subjects forgotten": fall(right="treatment + log(base)"),
        "base forgotten": fall(right="treatment + (1 | subject)"),
        "treatment forgotten": fall(right="log(base) + (1 | subject)"),
        "against the Poisson": aic("poisson") - aic("negative_binomial", "~ 1"),
    }


# ---- lesson 14 -----------------------------------------------------------------------------------


@cache
def hatching(missing=("dropped", 999), possible=True):
    """The file `hatching`, cleaned in full or in part."""
    data = pd.read_csv(gt.data_file("hatching"), na_values=list(missing))
    data["hatched"] = pd.to_numeric(data["hatched"], errors="coerce")
    data = data.dropna()
    return data[data["hatched"] <= data["eggs"]] if possible else data


@wrong_in("14.1")
def _():
    return {
        "nothing left out": len(pd.read_csv(gt.data_file("hatching"))),
        "impossible counts kept": len(hatching(possible=False)),
        "code for missing days kept": len(hatching(missing=("dropped",))),
        "only the word": len(hatching(missing=("dropped",), possible=False)),
        "one tray of each machine": hatching()["machine"].nunique(),
        "rows left out": 60 - len(hatching()),
    }


def warmed(right="stored + (1 | machine/tray)", df="containment", missing=("dropped", 999)):
    data = hatching(missing).assign(warm=lambda d: d["warming"].ne("none").astype(float))
    return gt.fit(f"prop(hatched, eggs) ~ warm + {right}", data, "binomial").conf_int(df=df)


@wrong_in("14.3")
def _():
    low, high = warmed().loc["warm"]
    return {
        "z": np.exp(warmed(df="infinite").loc["warm", "conf_low"]),
        "no trays": np.exp(warmed("stored + (1 | machine)").loc["warm", "conf_low"]),
        "no machines": np.exp(warmed("stored", df="infinite").loc["warm", "conf_low"]),
        "trays with one number as one": np.exp(
            warmed("stored + (1 | tray)", df="infinite").loc["warm", "conf_low"]
        ),
        "no days": np.exp(warmed("1 + (1 | machine/tray)").loc["warm", "conf_low"]),
        "999 days": np.exp(warmed(missing=("dropped",)).loc["warm", "conf_low"]),
        "link scale": low,
        "upper": np.exp(high),
        "other base": np.exp(-high),
        "middle": np.exp((low + high) / 2),
    }


# ---- the tests -----------------------------------------------------------------------------------


def test_every_numeric_exercise_has_wrong_methods():
    assert sorted(WRONG) == sorted(NUMBERS)


LONG = {
    "04.3",
    "06.6",
    "07.5",
    "08.3",
    "08.6",
    "10.4",
    "10.6",
    "12.4",
    "13.3",
}  # whose wrong methods simulate or fit for seconds


@pytest.mark.parametrize("exercise", some_slow(NUMBERS, LONG.__contains__))
def test_no_wrong_method_passes_or_is_right_so_far_and_some_are_named(exercise):
    """In full and rounded as asked."""
    number, methods = NUMBERS[exercise], WRONG[exercise]()
    assert len(methods) >= 4
    passed = {
        method: value
        for method, value in methods.items()
        if number.judge(value)[0] or number.judge(round(float(value), number.decimals))[0]
    }
    assert passed == {}
    replies = {method: number.judge(value)[1] for method, value in methods.items()}
    named = [method for method, text in replies.items() if not text.endswith(number.hint)]
    assert len(named) >= 3
    so_far = {method for method, text in replies.items() if text.startswith("Right so far")}
    # these come out with one digit, which is the right one
    assert so_far <= {"above", "pens only"}
