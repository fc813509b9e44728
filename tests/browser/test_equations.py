"""Every equation that the package writes is drawn by MathJax, which the site shows it by."""

from __future__ import annotations

import html
import warnings
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

import glmmtools as gt
from glmmtools.families.lookup import FAMILIES
from tests.browser.serving import served

pytestmark = pytest.mark.browser

NAMES = [
    "12:00", "[10, 20)", "10^3", "a:b", "x~y", r"back\slash", "{brace", "brace}", "5 %", "a_b",
    "a & b", "#1", "$5", "<b>", "it's", "é β 中", r"\^~{}_$%&#",
]  # fmt: skip
FORMULAS = [
    "y ~ C(t, contr.sum) * x + (1 | g)", "y ~ C(t, contr.helmert) + (0 + t | g)",
    "y ~ poly(x, 2) + (x | g)", "y ~ bs(x, df=3):t + (x || g)", "y ~ 0 + t + cs(t | g)",
    "y ~ I(x ** 2) + offset(z) + ar1(k | g)", "y ~ 0",
]  # fmt: skip
RESIDUALS = ("ar1", "har1", "hcs", "ou", "toep", "us")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(0, 1, 96), "z": rng.normal(0, 1, 96)})
    return frame.assign(
        y=rng.normal(0, 1, 96), t=np.tile(list("abcd"), 24), g=np.repeat(np.arange(12), 8),
        k=np.tile(np.arange(8), 12), count=rng.poisson(2, 96) * (rng.random(96) < 0.7),
        part=rng.uniform(0.1, 0.9, 96), size=20,
    )  # fmt: skip


@pytest.fixture(scope="module")
def equations(data) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.GlmmWarning)
        models = [gt.gee("y ~ t", data, groups="g", working="ar1", time="k")]
        models += [gt.fit(formula, data) for formula in FORMULAS]
        models.append(gt.fit("y ~ x + (1 | g)", data, weights="part", dispersion_formula="~ t"))
        for family in FAMILIES.values():
            y = "prop(count, size)" if family.takes_trials else "count" if family.counts else "part"
            zeros = "~ t" if family.counts and family.leaves_out_zero else None
            models.append(gt.fit(f"{y} ~ x + (1 | g)", data, family, zero_inflation=zeros))
        for structure in RESIDUALS:
            models.append(gt.fit("y ~ x", data, residual=f"{structure}(k | g)"))
        models += [of_names(name, data) for name in NAMES]
    return [str(model.equation()) for model in models]


def of_names(name: str, data: pd.DataFrame) -> gt.FittedModel:
    """A model whose columns and levels have the name in theirs."""
    named = data.rename(columns={"x": f"{name} x", "g": f"{name} g", "count": f"{name} y"})
    named[name] = np.where(named["t"] == "a", name, f" {name}b")
    formula = f"`{name} y` ~ `{name}` * `{name} x` + (`{name} x` | `{name} g`)"
    return gt.fit(formula, named, "poisson", zero_inflation=f"~ `{name}` + `{name} x`")


@pytest.fixture(scope="module")
def mathjax():
    """The address of the MathJax that the site is built with."""
    with served(files("mathjax") / "static" / "mathjax" / "es5") as address:
        yield address


def test_mathjax_draws_every_equation(page, mathjax, equations):
    page.goto(f"{mathjax}/ui/")
    body = "<p id=wrong>$$\\text{10^3}$$</p>" + "".join(
        f"<p id={k}>$${html.escape(text)}$$</p>" for k, text in enumerate(equations)
    )
    page.set_content(f"<body>{body}<script src='{mathjax}/tex-svg-full.js'></script></body>")
    page.wait_for_function("window.MathJax?.startup?.promise", timeout=20_000)
    page.evaluate("MathJax.startup.promise")
    assert page.locator("mjx-container").count() == len(equations) + 1
    wrong = "nodes => [...new Set(nodes.map(node => node.closest('p').id))]"
    found = page.locator("[data-mjx-error]").evaluate_all(wrong)
    assert found == ["wrong"], [equations[int(k)] for k in found if k != "wrong"]
    assert page.errors == []
