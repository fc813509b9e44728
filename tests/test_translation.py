"""Every line of TRANSLATION.md that is ours runs on the data of the course."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import glmmtools as gt

PAGE = (Path(__file__).resolve().parents[1] / "TRANSLATION.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| .* \| `(?P<here>[^`]+)` \|$", flags=re.MULTILINE)
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
LINES = [row["here"].replace(r"\|", "|") for row in ROW.finditer(PAGE)]
NAMED = re.compile(r"(\w+) = (.+)")  # a line that gives its model a name for others
DATA = ["oats", "seeds", "wheeze", "epilepsy", "gasoline", "sleep", "arabidopsis", "rats", "herds"]


@pytest.fixture(scope="module")
def names() -> dict[str, object]:
    """What the lines speak of: the data, and what other lines have named."""
    known = {"gt": gt, "np": np, **{name: gt.load_data(name) for name in DATA}}
    known["short"] = gt.load_data("pigs").query("week <= 4")
    for line in LINES:
        if named := NAMED.fullmatch(line):
            known[named[1]] = eval(named[2], known)
    return known


@pytest.mark.parametrize("line", LINES)
@pytest.mark.filterwarnings(
    "ignore::glmmtools.GlmmWarning"
)  # as the data of an example may have it
def test_a_line_runs(line, names):
    named = NAMED.fullmatch(line)
    result = names[named[1]] if named else eval(line, dict(names))
    if isinstance(result, gt.FittedModel):
        assert result.converged
    else:
        assert result is not None or line.endswith("summary()")


def test_every_row_has_a_line_of_ours():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "here |" not in line]
    assert len(rows) == len(LINES) > 50
    assert all(len(re.split(r"(?<!\\)\|", row)) == 5 for row in rows)


def test_numbers_are_those_that_the_page_says(names):
    """REML is not the default, the first level is the base, and the variance is as SAS has it."""
    assert "reml=True" in LINES[0]
    plain = gt.fit("yield ~ nitro + (1 | block)", names["oats"])
    assert plain.llf == plain.update(reml=False).llf != plain.update(reml=True).llf
    assert names["glmm"].params.index[1] == "extract[T.cucumber]"
    assert sorted(names["seeds"]["extract"].unique()) == ["bean", "cucumber"]
    assert gt.family("negative_binomial").variance(np.array(3.0), 2.0) == 3 + 2 * 9
