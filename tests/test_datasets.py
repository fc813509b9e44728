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
