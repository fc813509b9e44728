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
from pathlib import Path

import numpy as np
import pandas as pd

import glmmtools as gt
from glmmtools.studies.study import Study

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools import check_studies  # noqa: E402

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
    "coverage_sites": lambda **o: sites(gt.coverage, **o),
}

# Each returns one row for each simulated data set; its first argument is the seeds.
TABLES = dict(check_studies.TABLES)


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


def main() -> None:
    parser = argparse.ArgumentParser()
    everything = [*STUDIES, *TABLES, "posterior_herds"]
    parser.add_argument("names", nargs="*", help=", ".join(everything))
    for name in parser.parse_args().names or everything:
        path = FOLDER / f"{name}.csv"
        if name in STUDIES:
            print(STUDIES[name](n=1000, n_jobs=-1, path=path))
        elif name in TABLES:
            if not path.exists():
                table = TABLES[name]().round(4)
                table.to_csv(path, index=False, lineterminator="\n")
        elif name != "posterior_herds":
            parser.error(f"there is no study {name!r}")
        elif not path.exists():
            try:
                posterior().round(4).to_csv(path, index=False, lineterminator="\n")
            except ImportError as error:
                print(f"{name}: {error}")


if __name__ == "__main__":
    main()
