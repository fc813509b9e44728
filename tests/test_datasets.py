"""The data sets are the bytes that index.csv and the cards describe."""

import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.course.datasets import data_index

DATA = Path(__file__).parent.parent / "data"
INDEX = data_index()
EACH = pytest.mark.parametrize("name", INDEX.index)


@EACH
def test_the_file_has_the_checksum_and_the_rows_of_the_index(name):
    content = (DATA / INDEX.loc[name, "file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == INDEX.loc[name, "sha256"]
    assert len(gt.load_data(name)) == INDEX.loc[name, "rows"]


@EACH
def test_every_variable_is_on_the_card_and_has_a_plain_name(name):
    page = (DATA / "README.md").read_text()
    card = re.split(rf"\n##+ {name}\b.*\n", page)[1].split("\n## ")[0]
    for column in gt.load_data(name).columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column)
        assert re.search(rf"\| `?{column}`? \|", card), column


@EACH
def test_grouping_factors_are_categories_in_the_order_of_the_index(name):
    data = gt.load_data(name)
    for entry in filter(None, INDEX.loc[name, "categories"].split(";")):
        column, _, levels = entry.partition("=")
        assert isinstance(data[column].dtype, pd.CategoricalDtype)
        if levels:
            assert list(data[column].cat.categories) == levels.split(",")


def test_a_question_mark_lists_the_data_sets():
    assert list(gt.load_data("?").index) == list(INDEX.index)
    assert {"cane", "arabidopsis", "cake"} < set(INDEX.index)


# ---- the two invented files ----------------------------------------------------------------------


def holds(model, truth):
    """Whether each true value lies within three standard errors of its estimate."""
    return ((model.params[list(truth)] - pd.Series(truth)).abs() < 3 * model.bse[list(truth)]).all()


def test_the_file_of_slugs_has_the_faults_and_the_truth_of_its_card():
    raw = pd.read_csv(gt.data_file("slugs"))
    assert raw.duplicated().sum() == 1
    assert set(raw["treatment"]) == {"none", "copper", "pellets", "Pellets"}
    data = pd.read_csv(gt.data_file("slugs"), na_values=["n.r.", -99]).drop_duplicates()
    assert data.isna().sum().to_dict() | {"moisture": 4, "slugs": 4} == data.isna().sum().to_dict()
    data["treatment"] = pd.Categorical(data["treatment"].str.lower(), ["none", "copper", "pellets"])
    assert (data.groupby(["farm", "bed"])["treatment"].nunique() == 1).all()
    data["dry"] = data["moisture"] - 30
    formula = "slugs ~ treatment + dry + offset(log(nights)) + (1 | farm/bed)"
    model = gt.fit(formula, data, "negative_binomial")
    truth = {"Intercept": 0.5, "treatment[T.copper]": -0.2, "treatment[T.pellets]": -0.9}
    assert holds(model, {**truth, "dry": 0.04})


def test_the_file_of_hatching_has_the_faults_and_the_truth_of_its_card():
    raw = pd.read_csv(gt.data_file("hatching"))
    assert (raw["stored"] == 999).sum() == 2 and (raw["hatched"] == "dropped").sum() == 1
    data = pd.read_csv(gt.data_file("hatching"), na_values=["dropped", 999]).dropna()
    assert (data["hatched"] > data["eggs"]).sum() == 1
    data = data.query("hatched <= eggs")
    warm = (data["warming"] != "none").astype(int)
    assert (warm.groupby(data["machine"]).nunique() == 1).all()
    data = data.assign(warm=warm, days=data["stored"] - 7)
    formula = "prop(hatched, eggs) ~ warm + days + (1 | machine/tray)"
    assert holds(gt.fit(formula, data, "binomial"), {"Intercept": 1.2, "warm": 0.6, "days": -0.08})


def test_a_file_that_is_not_there_is_answered_by_those_there_are():
    with pytest.raises(ValueError, match=r"no data set 'slug' \(did you mean 'slugs'"):
        gt.data_file("slug")
