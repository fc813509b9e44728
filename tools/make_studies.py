"""Run the studies and the posterior whose results lessons show: data/studies/*.csv.

    python tools/make_studies.py [name ...]

Some minutes on two cores. A study that was stopped goes on where it was, a finished one is left as
it is; delete a file to run it again. The posterior needs the extra `bayes` (Python 3.12 or later).
Numbers of the studies are the same on every machine up to rounding, those of the posterior up to
the Monte-Carlo error of its draws.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

import glmmtools as gt
from glmmtools.studies.study import Study

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools import check_studies, transformed_studies  # noqa: E402

FOLDER = ROOT / "data" / "studies"
PENS = [8, 16, 24, 32, 48]
DRAWS = {"draws": 2000, "tune": 1000, "chains": 4, "random_seed": 1}


def swine(study, **options) -> Study:
    """A study of the swine trial: 16 pens of 3 pigs, bites counted on 5 days."""
    pigs = gt.designs.nested({"pen": 16, "pig": 3}, ["barren", "enriched"], "pen")
    layout = gt.designs.repeated(pigs, range(5), time="day")
    return study(
        "bites ~ treatment + (1 | pen) + (1 | pig)", layout, "poisson",
        coef={"Intercept": 0.7, "treatment[T.enriched]": -0.4}, sd={"pen": 0.4, "pig": 0.4},
        terms="treatment[T.enriched]", **options,
    )  # fmt: skip


def seeds_without_plates(n, **options) -> pd.Series:
    """Likelihood ratios of random plates where the seeds have none, four for each of `n`."""
    seeds = gt.load_data("seeds")
    formula = "prop(germinated, seeds) ~ variety * extract"
    models = [gt.fit(formula + more, seeds, "binomial") for more in ("", " + (1 | plate)")]
    return gt.bootstrap_lrt(*models, n=4 * n, **options)


def equal_varieties(random: str, **options) -> Study:
    """F tests of the varieties of a split-plot trial like `oats` in which they yield alike."""
    fixed = "yield ~ variety + nitrogen"
    oats = gt.load_data("oats").assign(nitrogen=lambda data: data["nitro"].astype(str))
    return gt.power(
        f"{fixed} + (1 | block/variety)", oats,
        coef=[80, 0, 0, 20, 35, 44], sd={"block": 14, "block:variety": 10}, phi=160,
        terms="variety", analysis={"formula": f"{fixed} + {random}", "reml": True}, **options,
    )  # fmt: skip


def plates(fitted: str, **options) -> Study:
    """Coverage of the effect of cucumber on 24 plates of 40 seeds, in a model of lesson 05."""
    layout = pd.DataFrame({"plate": range(24), "cucumber": [0, 1] * 12, "seeds": 40})
    response = "prop(germinated, seeds)"
    return gt.coverage(
        f"{response} ~ cucumber + (1 | plate)", layout, "binomial",
        coef={"Intercept": -0.5, "cucumber": 1.0}, sd=0.7, terms="cucumber",
        analysis={"formula": f"{response} ~ {fitted}"}, **options,
    )  # fmt: skip


def thistles(family: str, **options) -> Study:
    """Coverage of effects between and within 40 fields, of a family fitted to NB2 counts."""
    layout = pd.DataFrame({"field": [i // 6 for i in range(240)], "mown": [0, 1] * 120})
    layout["drained"] = layout["field"] % 2
    return gt.coverage(
        "thistles ~ drained + mown + (1 | field)", layout, "negative_binomial",
        coef={"Intercept": 2.0, "drained": 0.5, "mown": -0.5}, sd=0.5, phi=0.5,
        terms=["drained", "mown"], analysis={"family": family}, **options,
    )  # fmt: skip


def no_effect(formula, n, **options) -> Study:
    """At most 400 trials of lesson 11 in which straw does nothing: rooms, pens, pigs and days."""
    units, straw = {"room": 8, "pen": 4, "pig": 3}, {"treatment": ["control", "straw"]}
    pigs = gt.designs.nested(units, straw, applied_to="pen", seed=1)
    return gt.power(
        "intake ~ treatment + day + (1 | room) + (1 | pen) + (1 | pig)",
        gt.designs.repeated(pigs, times=range(1, 6), time="day"),
        coef={"Intercept": 20, "day": 0.5}, sd={"room": 2.5, "pen": 2.0, "pig": 1.5}, phi=9.0,
        terms="treatment[T.straw]", within="day", sizes=[5, 20],
        analysis={"formula": formula, "reml": True}, n=min(n, 400), **options,
    )  # fmt: skip


def ill_pigs(formula, **options) -> Study:
    """The same for the number of ill pigs in a pen of ten, with four rooms or eight."""
    pens = gt.designs.nested({"room": 8, "pen": 4}, ["control", "straw"], "pen", seed=1)
    return gt.recovery_study(
        "prop(ill, pigs) ~ treatment + (1 | room) + (1 | pen)", pens, "binomial",
        coef={"Intercept": -1}, sd={"room": 0.7, "pen": 1.0}, trials=10,
        terms="treatment[T.straw]", along="room", sizes=[4, 8], analysis={"formula": formula},
        **options,
    )  # fmt: skip


def herds(formula, **options) -> Study:
    """A feed whose effect varies from herd to herd (lesson 12), and what another model covers."""
    cows = gt.designs.rcbd(["old", "new"], blocks=30, replicates=5)
    cows = cows.rename(columns={"block": "herd"})
    return gt.coverage(
        "milk ~ treatment + (treatment | herd)", cows, coef=[25, 1.5], sd=[2, 2], corr=0, phi=4.0,
        terms="treatment[T.new]", analysis={"formula": formula, "reml": True}, **options,
    )  # fmt: skip


def sites(study, **options) -> Study:
    """Ten counts on each of some sites, whose mean is wanted."""
    return study(
        "y ~ 1 + (1 | site)", pd.DataFrame({"site": np.repeat(np.arange(3), 10)}), "poisson",
        coef=[1], sd=0.4, along="site", sizes=[3, 6, 12, 30], **options,
    )  # fmt: skip


STUDIES = {
    "power_pens": lambda **o: swine(gt.power, along="pen", sizes=PENS, **o),
    "power_pigs": lambda **o: swine(gt.power, along="pig", sizes=[16, 48, 96, 144], **o),
    "power_days": lambda **o: swine(gt.power, within="day", sizes=[2, 5, 10, 15], **o),
    "coverage_pens": lambda **o: swine(gt.coverage, along="pen", sizes=PENS, **o),
    "coverage_plates_out": lambda **o: plates("cucumber", **o),
    "coverage_plates_random": lambda **o: plates("cucumber + (1 | plate)", **o),
    "coverage_thistles_poisson": lambda **o: thistles("poisson", **o),
    "coverage_thistles_nb2": lambda **o: thistles("negative_binomial", **o),
    "alarms_rows": lambda **o: no_effect("intake ~ treatment + day + (1 | room)", **o),
    "alarms_pigs": lambda **o: no_effect("intake ~ treatment + day + (1 | room) + (1 | pig)", **o),
    "alarms_pens": lambda **o: no_effect(
        "intake ~ treatment + day + (1 | room) + (1 | pen) + (1 | pig)", **o
    ),
    "varying_ignored": lambda **o: herds("milk ~ treatment + (1 | herd)", **o),
    "varying_fitted": lambda **o: herds("milk ~ treatment + (treatment | herd)", **o),
    "ill_independent": lambda **o: ill_pigs("prop(ill, pigs) ~ treatment", **o),
    "ill_pens": lambda **o: ill_pigs("prop(ill, pigs) ~ treatment + (1 | room) + (1 | pen)", **o),
    "coverage_sites": lambda **o: sites(gt.coverage, **o),
    "seeds_without_plates": seeds_without_plates,
    "varieties_by_subplots": lambda **o: equal_varieties("(1 | block)", **o),
    "varieties_by_main_plots": lambda **o: equal_varieties("(1 | block/variety)", **o),
}


def posterior() -> pd.DataFrame:
    """The herds under the priors of `gt.to_bambi` and under bambi's defaults: summaries."""
    import arviz
    import bambi

    herds = gt.load_data("herds")
    formula = "prop(incidence, size) ~ period + (1 | herd)"
    models = {
        "weakly informative": gt.to_bambi(gt.fit(formula, herds, "binomial")),
        "bambi's default": bambi.Model(formula, herds, family="binomial"),
    }
    parts = []
    for prior, model in models.items():
        draws = model.fit(**DRAWS, progressbar=False)
        table = arviz.summary(draws, round_to="none")
        values = arviz.extract(draws)
        for term, row in table[~table.index.str.startswith("1|herd[")].iterrows():
            name, _, level = term.partition("[")
            sample = values[name]
            if level:
                sample = sample.sel({f"{name}_dim": level.rstrip("]")})
            low, high = sample.quantile([0.025, 0.975]).values
            parts.append(
                {
                    "prior": prior, "term": term.replace("period[", "period[T."),
                    "mean": row["mean"], "sd": row["sd"], "low": low, "high": high,
                    "ess": row["ess_bulk"], "r_hat": row["r_hat"],
                    "below_zero": float((sample < 0).mean()),
                }
            )  # fmt: skip
    table = pd.DataFrame(parts)
    table["term"] = table["term"].replace("1|herd_sigma", "sd herd Intercept")
    return table


def missing_glmm(seeds: Iterable[int] = range(200)) -> pd.DataFrame:
    """People who may leave after a month in which they were ill: the share of ill at the end."""
    rows = Parallel(n_jobs=-1)(delayed(_ill_at_the_end)(seed) for seed in seeds)
    return pd.DataFrame(rows)


def _ill_at_the_end(seed: int, people: int = 150, months: int = 5) -> dict[str, float]:
    """One trial: nobody left; and those seen, by their share, two GEEs and a GLMM."""
    month = np.arange(months)
    layout = pd.DataFrame({"person": np.repeat(range(people), months), "month": [*month] * people})
    mixed = "ill ~ month + (1 | person)"
    data = gt.simulate(mixed, layout, "binomial", coef=[0.5, -0.4], sd=1.5, seed=seed)
    leaves = (data["ill"] == 1) & (np.random.default_rng([seed, 1]).random(len(data)) < 0.4)
    by_person = leaves.groupby(data["person"])
    gone = by_person.transform(lambda each: each.shift(fill_value=False).cummax())
    seen, end = data[~gone], {"month": [months - 1]}
    how = {"groups": "person", "family": "binomial"}
    gee = {
        kind: gt.gee("ill ~ month", seen, working=kind, **how).predict(pd.DataFrame(end)).iloc[0]
        for kind in ("independence", "exchangeable")
    }
    glmm = gt.fit(mixed, seen, "binomial", nagq=9)
    last = data["month"] == months - 1
    return {
        "seed": seed, "missing": gone.mean(), "nobody left": data["ill"][last].mean(),
        "complete cases": seen["ill"][last[~gone]].mean(), "GEE, independent": gee["independence"],
        "GEE, exchangeable": gee["exchangeable"],
        "GLMM": glmm.predict(pd.DataFrame(end), effects="marginal").iloc[0],
    }  # fmt: skip


def missing_scores(seeds: Iterable[int] = range(200)) -> pd.DataFrame:
    """A trial with three visits that people leave: three analyses of what is seen."""
    trials = Parallel(n_jobs=-1)(delayed(_trial_that_people_leave)(seed) for seed in seeds)
    return pd.DataFrame([row for rows in trials for row in rows])


def _trial_that_people_leave(seed: int, people: int = 80) -> list[dict[str, object]]:
    """Who leaves does so by the score of the visit before, or by that of the visit missed."""
    layout = pd.DataFrame({"person": np.repeat(range(people), 3), "visit": [0, 1, 2] * people})
    layout["treated"] = (layout["person"] >= people / 2).astype(int)
    mixed = "score ~ visit + visit:treated + (1 | person)"
    data = gt.simulate(mixed, layout, coef=[20.0, -2.0, -2.0], sd=2.0, phi=4.0, seed=seed)
    score = data["score"].to_numpy().reshape(people, 3)
    # treated people who feel well leave, and untreated ones who feel badly
    sign = np.where(np.arange(people) >= people / 2, -1, 1)[:, None]
    log_odds = sign * (score - (20 - 3 * np.arange(3))) / 1.5 - 1.2
    rows = []
    for leaves_by, earlier in {"the visit before": 1, "the visit missed": 0}.items():
        chance = 1 / (1 + np.exp(-log_odds[:, [1 - earlier, 2 - earlier]]))
        stays = chance < np.random.default_rng(seed).random((2, people)).T
        visits = np.column_stack([np.ones(people, bool), np.cumprod(stays, axis=1)]).astype(bool)
        seen = data[visits.ravel()]
        complete = data[np.repeat(visits.all(axis=1), 3)]
        means = seen.groupby("person")[["score", "treated"]].mean()
        fits = {
            "complete cases": gt.fit(mixed, complete, reml=True).tidy().loc["visit:treated"],
            "averages": gt.fit("score ~ treated", means, reml=True).tidy().loc["treated"],
            "all rows": gt.fit(mixed, seen, reml=True).tidy().loc["visit:treated"],
        }
        wanted = ["estimate", "std_error", "conf_low", "conf_high"]
        about = {"seed": seed, "leaves by": leaves_by, "missing": 1 - visits.mean()}
        rows += [{**about, "method": name, **fit[wanted]} for name, fit in fits.items()]
    return rows


# Each returns one row or more for each of its first argument, the seeds.
BY_SEED = {
    "missing_glmm": missing_glmm,
    "missing_scores": missing_scores,
    **check_studies.TABLES,
}
TABLES = {"posterior_herds": posterior, **transformed_studies.TABLES, **BY_SEED}


def main() -> None:
    parser = argparse.ArgumentParser()
    everything = [*STUDIES, *TABLES]
    parser.add_argument("names", nargs="*", help=", ".join(everything))
    for name in parser.parse_args().names or everything:
        path = FOLDER / f"{name}.csv"
        if name in STUDIES:
            print(STUDIES[name](n=1000, n_jobs=-1, path=path))
        elif name not in TABLES:
            parser.error(f"there is no study {name!r}")
        elif not path.exists():
            try:
                TABLES[name]().round(4).to_csv(path, index=False, lineterminator="\n")
            except ImportError as error:
                print(f"{name}: {error}")


if __name__ == "__main__":
    main()
