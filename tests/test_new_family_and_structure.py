"""A new family and new structures, each registered with one call, work in every public function.

And no fact of a family, a structure or a link stands outside its class: renamed ones are fitted
alike, and no other room holds one of their names.
"""

from __future__ import annotations

import ast
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import glmmtools as gt
from glmmtools.covariances import lookup as structures
from glmmtools.covariances.levels import CompoundSymmetry
from glmmtools.covariances.series import FirstOrderAutoregressive
from glmmtools.families import lookup as families

PACKAGE = Path(gt.__file__).parent
GROUPS, TIMES = 24, 6


class InverseGaussian(gt.Family):
    """The mathematics and nothing else: Var(y) = φ μ³."""

    name, discrete, mean_interval, shape = "inverse_gaussian", False, (0.0, np.inf), ("phi",)

    def variance(self, mu, phi=1.0):
        return phi * np.asarray(mu, float) ** 3

    def log_density(self, y, mu, phi=1.0):
        return -0.5 * (np.log(2 * np.pi * phi * y**3) + (y - mu) ** 2 / (phi * mu**2 * y))

    def mu_derivatives(self, y, mu, phi=1.0, order=3):
        return (
            (y - mu) / (phi * mu**3),
            (2 * mu - 3 * y) / (phi * mu**4),
            (12 * y - 6 * mu) / (phi * mu**5),
        )

    def shape_derivatives(self, y, mu, phi=1.0):
        first, second, _ = self.mu_derivatives(y, mu, phi)
        return {"phi": (0.5 * ((y - mu) ** 2 / (phi * mu**2 * y) - 1), -first, -second)}

    def distribution(self, mu, phi=1.0):
        return stats.invgauss(np.asarray(mu, float) * phi, scale=1 / np.asarray(phi, float))


class Exchangeable(CompoundSymmetry):
    name = "exch"


class Lagged(FirstOrderAutoregressive):
    name = "lagged"


LIKE = {Exchangeable: "cs(visit | g)", Lagged: "ar1(week | g)"}


@contextmanager
def registered(room, new):
    """Register a family or a structure, for a while."""
    registry = gt.FAMILIES if room is families else structures.STRUCTURES
    room.register(new)
    try:
        yield new
    finally:
        del registry[new.name]


@pytest.fixture(scope="module")
def inverse_gaussian():
    with registered(families, InverseGaussian()) as new:
        yield new


@pytest.fixture(scope="module", params=LIKE, ids=lambda each: each.name)
def structure(request):
    with registered(structures, request.param) as new:
        yield new


def layout():
    rng = np.random.default_rng(4)
    week = np.tile(np.arange(TIMES), GROUPS)
    return pd.DataFrame(
        {
            "x": rng.normal(size=GROUPS * TIMES),
            "treatment": np.repeat(np.tile(["control", "new"], GROUPS // 2), TIMES),
            "g": np.repeat([f"g{k:02d}" for k in range(GROUPS)], TIMES),
            "week": week,
            "visit": np.array(list("abc"))[week % 3],
        }
    )


def texts(axes):
    """All that stands on axes: titles, labels, names in legends and on ticks, annotations."""
    found = []
    for ax in np.atleast_1d(np.asarray(axes, object)).ravel():
        found += [ax.get_title(), ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()]
        found += ax.get_legend_handles_labels()[1]
        ticks = [*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
        found += [each.get_text() for each in ticks]
    return found


def share_of_failures(study, case):
    """Of the fits of a simulation study of two small trials."""
    found = study(case.formula, case.layout, case.family, n=2, progress=False, **case.truth)
    return found.frame["n_failed"].sum() / found.frame["n"].sum()


# ---- what every function says of a new family ----------------------------------------------------


@pytest.fixture(scope="module")
def of_family(inverse_gaussian):
    formula = "y ~ x + treatment + (1 | g)"
    truth = {"coef": [0.2, 0.4, 0.3], "sd": 0.3, "phi": 0.1}
    family = inverse_gaussian.name
    data = gt.simulate(formula, layout(), family, seed=2, **truth)
    return SimpleNamespace(
        formula=formula, family=family, truth=truth, layout=layout(), data=data,
        model=gt.fit(formula, data, family),
        smaller=gt.fit("y ~ x + (1 | g)", data, family),
        plain=gt.fit("y ~ x", data, family),
    )  # fmt: skip


FUNCTIONS = {
    "FAMILIES": (lambda c: list(gt.FAMILIES)[-1], "inverse_gaussian"),
    "family": (
        lambda c: [line.split("  ")[-1].strip() for line in str(gt.family(c.family)).split("\n")],
        ["inverse_gaussian", "y ~ inverse_gaussian(μ, φ)", "continuous", "y > 0", "μ", "V(μ, φ)",
         "log", "inverse"],
    ),
    "fit": (lambda c: (c.model.converged, c.model.engine), (True, "laplace")),
    "simulate": (lambda c: c.data.attrs["truth"]["family"], "inverse_gaussian"),
    "recovery": (
        lambda c: gt.recovery(c.model)["true"].to_dict(),
        {"Intercept": 0.2, "x": 0.4, "treatment[T.new]": 0.3, "sd g Intercept": 0.3, "phi": 0.1},
    ),
    "suggest_family": (
        lambda c: (
            gt.suggest_family([0.5, 1.2, 3.1]).candidates[c.family],
            gt.suggest_family([0.5, -1.2]).impossible[c.family],
        ),
        ("all values in its support: y > 0", "y = -1.2 in row 1; inverse_gaussian needs y > 0"),
    ),
    "plot_distribution": (
        lambda c: gt.plot_distribution(c.family, phi=[0.1, 1]).get_title(loc="left"),
        "y ~ inverse_gaussian(μ, φ)",
    ),
    "plot_mean_variance": (
        lambda c: "inverse_gaussian: V(μ, φ)" in texts(gt.plot_mean_variance()), True,
    ),
    "plot_support": (
        lambda c: [t for t in texts(gt.plot_support([0.5, 0])) if c.family in t],
        ["✗ inverse_gaussian", "y = 0 in row 1; inverse_gaussian needs y > 0"],
    ),
    "plot_link_effect": (
        lambda c: "y: inverse_gaussian" in texts(gt.plot_link_effect("log", family=c.family)), True,
    ),
    "explore": (
        lambda c: "Var(y) = V(μ, φ)" in texts(gt.explore("distribution", c.family, phi=0.2)), True,
    ),
    "plot_hierarchy": (
        lambda c: any(
            r"\mathrm{inverse\_gaussian}(\mu_i, \phi)" in text
            for text in texts(gt.plot_hierarchy(c.formula, c.layout, c.family))
        ),
        True,
    ),
    "table": (lambda c: "inverse_gaussian" in str(gt.table(c.model)), True),
    "compare": (lambda c: gt.compare(c.smaller, c.model)["reference"].iloc[1], "chi2(1)"),
    "bootstrap_lrt": (lambda c: gt.bootstrap_lrt(c.smaller, c.model, n=3)["n_failed"], 0),
    "cross_check": (
        lambda c: list(gt.cross_check(c.model)), ["laplace", "quadrature", "spread"]
    ),
    "power": (lambda c: share_of_failures(gt.power, c), 0),
    "coverage": (lambda c: share_of_failures(gt.coverage, c), 0),
    "recovery_study": (lambda c: share_of_failures(gt.recovery_study, c), 0),
}  # fmt: skip
ELSEWHERE = {
    "of a normal model": {"covariance", "covariance_table", "plot_covariance"},
    "of another package, which has no such family": {"gee", "to_bambi"},
    "of links": {"LINKS", "Link", "link", "plot_link"},
    "of layouts, data and lessons": {
        "check", "data_file", "describe_design", "designs", "load_data", "palette",
        "plot_design", "preflight", "printed_warnings", "progress", "stored_study",
    },
    "classes": {
        "ConvergenceWarning", "DataWarning", "Family", "FewUnitsWarning", "FittedModel",
        "GlmmWarning", "SeparationWarning", "SingularFitWarning",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_new_family_works_in_every_function(name, of_family):
    found, expected = FUNCTIONS[name]
    assert found(of_family) == expected


def test_every_public_function_is_called_with_the_new_family():
    assert set(FUNCTIONS).union(*ELSEWHERE.values()) == set(gt.__all__)


def finite(values):
    return bool(np.all(np.isfinite(np.asarray(values, float))))


VERBS = {
    "tidy": (lambda m: finite(m.tidy()[["estimate", "std_error", "p_value"]]), True),
    "conf_int": (lambda m: finite(m.conf_int(method="profile")), True),
    "cov_params": (lambda m: finite(m.cov_params()), True),
    "contrast_df": (lambda m: list(m.contrast_df([[0, 1, 0]])), [np.inf]),
    "random_covariance": (lambda m: finite(m.random_covariance("g")), True),
    "covariance": (lambda m: m.covariance([0, 1]).shape, (2, 2)),
    "pooling": (lambda m: finite(m.pooling()["partial_pooling"]), True),
    "glance": (lambda m: m.glance()["family"].item(), "inverse_gaussian"),
    "predict": (lambda m: finite(m.predict(layout()[:3], level=0.9)), True),
    "resid": (lambda m: finite(m.resid()), True),
    "simulate": (lambda m: bool((m.simulate(2) > 0).all()), True),
    "refit": (lambda m: m.refit(m.simulate(1)[0]).converged, True),
    "simulated_residuals": (
        lambda m: m.simulated_residuals(n=40, seed=1).test_dispersion().p_value > 0.01, True,
    ),
    "anova": (lambda m: list(m.anova().index), ["x", "treatment"]),
    "bootstrap": (lambda m: "phi" in str(m.bootstrap(n=3)), True),
    "means": (
        lambda m: m.means("treatment").contrasts().title(),
        "Contrasts of treatment: ratios of means",
    ),
    "slopes": (lambda m: finite(m.slopes("x", "treatment").frame["std_error"]), True),
    "r2": (lambda m: bool(0 < m.r2()["marginal"] < m.r2()["conditional"] < 1), True),
    "influence": (lambda m: finite(m.influence("g").frame["cooks_distance"]), True),
    "update": (lambda m: m.update(". ~ . - x").formula, "y ~ treatment + (1 | g)"),
    "vif": (lambda m: list(m.vif().index), ["x", "treatment"]),
    "icc": (lambda m: finite(m.icc()), True),
    "plot_effects": (lambda m: m.plot_effects("x").get_ylabel(), "mean of y"),
    "plot_fit": (lambda m: len(m.plot_fit().collections) > 0 or len(m.plot_fit().lines) > 0, True),
    "plot_random_effects": (
        lambda m: m.plot_random_effects().get_xlabel(), "Intercept: effect (log)",
    ),
    "plot_shrinkage": (lambda m: "partial pooling" in texts(m.plot_shrinkage()), True),
    "plot_covariance": (lambda m: "link scale" in str(texts(m.plot_covariance())), True),
    "plot_profile": (lambda m: m.plot_profile("x").get_xlabel(), "x"),
    "report": (
        lambda m: str(m.report(versions=False))[:83],
        "A generalized linear mixed model (inverse_gaussian distribution, log link) was fitt",
    ),
    "equation": (lambda m: r"\mathrm{inverse\_gaussian}(\mu_i, \phi)" in m.equation(), True),
    "summary": (lambda m: "inverse_gaussian, log link" in str(m), True),
}  # fmt: skip


@pytest.mark.parametrize("name", VERBS)
def test_a_model_of_a_new_family_has_every_method(name, of_family):
    found, expected = VERBS[name]
    assert found(of_family.model) == expected


def test_every_method_is_called():
    assert set(VERBS) == {name for name in vars(gt.FittedModel) if not name.startswith("_")}


def test_a_fit_of_a_new_family_is_near_the_truth(of_family):
    table = gt.recovery(of_family.model)
    errors = of_family.model.bse
    away = (table["estimate"] - table["true"])[errors.index].abs()
    assert (away < 4 * errors).all()
    assert table.loc["phi", "estimate"] == pytest.approx(0.1, rel=0.3)
    assert of_family.plain.converged and not of_family.plain.n_groups


def test_data_that_a_new_family_cannot_produce_are_refused(of_family):
    data = of_family.data.assign(y=-1.0)
    with pytest.raises(ValueError, match="inverse_gaussian needs y > 0; row 0 has y = -1"):
        gt.fit(of_family.formula, data, of_family.family)


def test_a_new_family_goes_to_no_engine_of_another_package(of_family):
    for formula in (of_family.formula, "y ~ x"):
        with pytest.raises(ValueError, match="has no inverse_gaussian family"):
            gt.fit(formula, of_family.data, of_family.family, engine="statsmodels")


# ---- a new structure is another one under a new name, in every function --------------------------


@pytest.fixture(scope="module")
def two_structures(structure):
    """What the functions are called with: of the new structure, and of the one that it is."""
    known = LIKE[structure]

    def case(term):
        formula = f"y ~ x + {term}"
        data = gt.simulate(formula, layout(), seed=3, **SERIES)
        return SimpleNamespace(
            formula=formula, family=None, truth=SERIES, layout=layout(), term=term, data=data,
            model=gt.fit(formula, data), smaller=gt.fit("y ~ x + (1 | g)", data),
        )  # fmt: skip

    name, of = known.split("(")
    return case(f"{structure.name}({of}"), case(known), (f"{structure.name}(", f"{name}(")


SERIES = {"coef": [5, 1], "sd": 1.0, "rho": 0.6, "phi": 0.25}
STRUCTURED = {
    "simulate": lambda c: gt.simulate(c.formula, c.layout, **SERIES)["y"].to_list(),
    "truth": lambda c: gt.simulate(c.formula, c.layout, **SERIES).attrs["truth"]["components"],
    "rho out of range": lambda c: gt.simulate(c.formula, c.layout, sd=1, rho=-1),
    "covariance": lambda c: (
        gt.covariance(c.formula, c.layout[:9], sd=1, rho=0.5).to_numpy().tolist()
    ),
    "plot_covariance": lambda c: texts(gt.plot_covariance(c.formula, c.layout[:9], sd=1, rho=0.5)),
    "plot_hierarchy": lambda c: texts(gt.plot_hierarchy(c.model)),
    "recovery": lambda c: gt.recovery(c.model, profile=True),
    "table": lambda c: gt.table(c.model),
    "compare": lambda c: gt.compare(c.smaller, c.model),
    "compare with itself": lambda c: gt.compare(c.model, gt.fit(f"y ~ {c.term}", c.data)),
    "cross_check": lambda c: gt.cross_check(c.model),
    "bootstrap_lrt": lambda c: gt.bootstrap_lrt(c.smaller, c.model, n=3),
    "power": lambda c: share_of_failures(gt.power, c),
    "coverage": lambda c: share_of_failures(gt.coverage, c),
    "recovery_study": lambda c: share_of_failures(gt.recovery_study, c),
    "quadrature": lambda c: gt.fit(c.formula, c.data.assign(y=1), "poisson", nagq=5),
    "summary": lambda c: c.model,
    "report": lambda c: c.model.report(versions=False),
    "equation": lambda c: c.model.equation(),
    "conf_int": lambda c: c.model.conf_int(method="profile"),
    "random_effects": lambda c: c.model.random_effects,
    "random_covariance": lambda c: c.model.random_covariance("g"),
    "model covariance": lambda c: c.model.covariance(slice(0, 6)),
    "pooling": lambda c: c.model.pooling(),
    "predict": lambda c: c.model.predict(c.data[:4], level=0.9),
    "predict a new level": lambda c: c.model.predict(c.data[:4].assign(g="new"), level=0.9),
    "draws": lambda c: c.model.simulate(2).round(6).tolist(),
    "refit": lambda c: c.model.refit(c.model.simulate(1)[0]).params,
    "bootstrap": lambda c: c.model.bootstrap(n=3),
    "simulated_residuals": lambda c: c.model.simulated_residuals(n=40).test_uniformity(),
    "anova": lambda c: c.model.anova(),
    "of residuals": lambda c: _with_residuals(c),
    "report of residuals": lambda c: _with_residuals(c).report(versions=False),
    "covariance of residuals": lambda c: _with_residuals(c).covariance([0, 1, 2]).round(4),
    "covariance_table": lambda c: gt.covariance_table(
        _with_residuals(c), [_name(c), "us"]
    ).reset_index(drop=True),
    "plot_random_effects": lambda c: texts(c.model.plot_random_effects()),
    "plot_shrinkage": lambda c: texts(c.model.plot_shrinkage()),
    "plot_covariance of a fit": lambda c: texts(c.model.plot_covariance()),
    "plot_effects": lambda c: texts(c.model.plot_effects("x")),
}


def _name(case):
    return case.term.split("(")[0]


def _with_residuals(case):
    """The model with the structure for its residuals, with a row for each visit."""
    return gt.fit("y ~ x", case.data[case.data["week"] < 3], residual=case.term, reml=True)


def said(call, *given):
    """What a call returns or why it refuses, in words; columns of tables are not aligned."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gt.GlmmWarning)  # a printed model shows its messages
            found = call(*given)
    except ValueError as error:
        return ["refused", *str(error).split()]
    finally:
        plt.close("all")
    if isinstance(found, pd.DataFrame):
        found = found.round(4).to_string()
    return str(found).split()


@pytest.mark.parametrize("name", STRUCTURED)
def test_a_new_structure_works_in_every_function(name, two_structures):
    new, known, names = two_structures
    found = [word.replace(*names) for word in said(STRUCTURED[name], new)]
    assert found == said(STRUCTURED[name], known)


def test_the_new_structure_stands_under_its_own_name(two_structures, structure):
    new, _, (call, _) = two_structures
    assert call in str(new.model) and call in str(new.model.conf_int(method="profile").index)
    assert new.model.converged
    _, right = gt.explore("covariance", structure.name, rho=0.5)
    assert right.get_title(loc="left") == f"{structure.name}, ρ = 0.5"


def test_two_structures_or_families_of_one_name_are_refused(inverse_gaussian):
    with pytest.raises(ValueError, match="structure 'cs' has the name or the bar of Compound"):
        structures.register(type("Other", (CompoundSymmetry,), {"name": "cs"}))
    with pytest.raises(ValueError, match="there is a family 'inverse_gaussian' already"):
        families.register(InverseGaussian())


# ---- no fact outside the class -------------------------------------------------------------------

ALIKE = {
    "summary": lambda c: c.model,
    "equation": lambda c: c.model.equation(),
    "report": lambda c: c.model.report(versions=False),
    "dispersion": lambda c: c.model.dispersion,
    "recovery": lambda c: gt.recovery(c.model),
    "conf_int": lambda c: c.model.conf_int(  # of all families it would take a minute
        method="profile" if c.model.is_linear else "wald"
    ),
    "draws": lambda c: c.model.simulate(2).round(6).tolist(),
    "residuals": lambda c: c.model.simulated_residuals(n=30).test_dispersion(),
    "contrasts": lambda c: c.model.means("treatment").contrasts().describe(),
    "suggest_family": lambda c: suggested(c)[c.family],
    "plot_distribution": lambda c: texts(gt.plot_distribution(c.family)),
    "explore": lambda c: texts(gt.explore("distribution", c.family)),
    "plot_link_effect": lambda c: texts(gt.plot_link_effect(c.link, family=c.family)),
    "impossible values": lambda c: gt.fit(c.formula, c.data.assign(y=-1.5), c.family),
    "a term of single rows": lambda c: c.fit(c.formula.replace("| g", "| row")),
    "weights": lambda c: c.fit(c.formula, weights="week1"),
    "REML": lambda c: c.fit(c.formula, reml=True),
    "quadrature": lambda c: c.fit(c.formula, nagq=3),
    "series": lambda c: c.fit(c.formula.replace("(1 | g)", "ar1(week | g)")),
    "zero inflation": lambda c: c.fit(c.formula, zero_inflation="~ 1"),
    "power": lambda c: share_of_failures(gt.power, c),
}


def suggested(case):
    found = gt.suggest_family(case.data["y"], case.trials)
    return {**found.candidates, **found.doubtful}


@pytest.fixture(scope="module")
def two_families(request):
    """What the functions are called with: of a family, and of the same under another name."""
    family, data = gt.family(request.param), layout()[: 12 * TIMES]
    renamed = type("Renamed", (type(family),), {"name": "renamed", "aliases": ()})()
    data = data.assign(n=9, row=data.index, week1=data["week"] + 1.0)
    shape = {"phi": 5.0 if family.phi_is_precision else 0.3, "df": 5.0}
    if family.name == "genpois":
        shape["phi"] = 1.5  # the probabilities of smaller ones add up to 1 only nearly
    truth = {name: shape[name] for name in family.shape if name in shape}
    response = "prop(y, n)" if family.takes_trials else "y"
    formula = f"{response} ~ x + treatment + (1 | g)"
    truth |= {"coef": [0.5, 0.4, 0.2], "sd": 0.8}

    def case(name):
        found = gt.simulate(formula, data, name, seed=1, **truth)

        def fit(text, **options):
            m = gt.fit(text, found, name, engine="laplace", **options)
            return m.method, round(m.llf, 3), m.converged, [str(each) for each in m.messages]

        return SimpleNamespace(
            formula=formula, family=name, layout=data, data=found, fit=fit, truth=truth,
            model=gt.fit(formula, found, name, engine="laplace"), link=family.links[0],
            trials=found["n"] if family.takes_trials else None,
        )  # fmt: skip

    with registered(families, renamed):
        yield case(family.name), case("renamed"), family


# In the fast suite each family is given to a third of the functions, and each function to a third
# of the families, but these for the slow suite.
LONG = {"series", "zero inflation"}
CALLED = [
    pytest.param(family, name, marks=[pytest.mark.slow] * ((i + j) % 3 > 0 or name in LONG))
    for i, family in enumerate(gt.FAMILIES) for j, name in enumerate(ALIKE)
]  # fmt: skip


@pytest.mark.parametrize(("two_families", "name"), CALLED, indirect=["two_families"])
def test_a_family_under_another_name_is_treated_alike(name, two_families):
    known, renamed, family = two_families
    found = " ".join(said(ALIKE[name], renamed))
    found = found.replace("(renamed distribution", f"({family.title} distribution")
    assert found.replace("renamed", family.name) == " ".join(said(ALIKE[name], known))


# A string with one of these values is no decision about a family, a structure or a link.
OTHER_MEANINGS = {
    ("engine", "beta"): "β, the fixed effects in a parameter vector",
    ("inference/profile.py", "beta"): "the same",
    ("inference/r_call.py", "beta"): "the same, in R's glmmTMB",
    ("inference/bayes.py", "Gamma"): "a prior distribution of bambi",
    ("inference/bayes.py", "log"): "the function of that name, in a formula",
    ("fitted/effect_plots.py", "identity"): "the label of a line",
    ("formula/evaluation.py", "cs"): "a spline, in formulaic",
    ("formula/evaluation.py", "log"): "the function of that name, in a formula",
    ("formula/idioms.py", "log"): "the same",
    ("course/preflight.py", "binomial"): "the model that is fitted to try a machine",
    ("course/exercises", "*"): "an exercise names what it is about, as a lesson does",
}
NAMES = {
    "families": {each for f in gt.FAMILIES.values() for each in (f.name, *f.aliases)},
    "covariances": set(structures.STRUCTURES),
    "families, of a link": set(gt.LINKS),
}


@cache
def strings(path):
    """The strings of a module that are neither docstrings nor default arguments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    aside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            aside.add(node.value)
        if isinstance(node, ast.arguments):
            aside |= {*node.defaults, *node.kw_defaults}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in aside
    }


@pytest.mark.parametrize("room", NAMES)
def test_names_of_families_structures_and_links_stand_in_their_own_room_only(room):
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith(room.split(",")[0]):
            continue
        meant_otherwise = {value for (where, value) in OTHER_MEANINGS if place.startswith(where)}
        named = strings(path) & NAMES[room]
        found += [(place, each) for each in named if not meant_otherwise & {each, "*"}]
    assert not found
