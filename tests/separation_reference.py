"""R's fits of separated data, without a prior and with one."""

import json
from pathlib import Path

import glmmtools as gt

REFERENCE = Path(__file__).parent / "reference" / "separation.json"


def of_r(with_prior):
    return {
        each["id"]: each
        for each in json.loads(REFERENCE.read_text())
        if (each["penalty"] is not None) == with_prior
    }


def data_of(case):
    data = gt.load_data(case["data"])
    if case["data"] == "herds":
        data.loc[data["period"] == "4", "incidence"] = 0
        return data
    data["visit"] = "v" + data["period"].astype(str)
    data.loc[data["visit"] == "v4", "seizures"] = 0
    return data
