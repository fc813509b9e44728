"""The structure of the package: rooms, one direction, public faces, sizes."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from radon.complexity import cc_rank, cc_visit

import glmmtools as gt
from glmmtools.fitted.fit import Fit

PACKAGE = Path(gt.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "data" not in path.parts)
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 450, 60


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def rooms() -> list[str]:
    return [m.name for m in pkgutil.iter_modules([str(PACKAGE)]) if m.ispkg and m.name != "data"]


# ------------------------------------------------------------------------------ direction


def test_a_room_imports_only_the_rooms_below_it_and_there_is_no_circle():
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"],
        cwd=PACKAGE.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout


def test_the_top_holds_rooms_and_the_model():
    assert {path.name for path in PACKAGE.glob("*.py")} == {
        "__init__.py", "__main__.py", "model.py",
    }  # fmt: skip


@pytest.mark.parametrize("room", rooms())
def test_a_room_says_its_job_and_what_it_may_import(room):
    job, _, rest = ast.get_docstring(
        ast.parse((PACKAGE / room / "__init__.py").read_text())
    ).partition("\n\n")
    assert job.endswith(".")
    assert "mport" in rest


ARGUMENTS = {
    "contrast_df": ([[1, 0, 0]],),
    "influence": ("block",),
    "means": ("treatment",),
    "plot_effects": ("treatment",),
    "plot_profile": ("residual sd",),
    "random_covariance": ("block",),
    "slopes": ("x",),
}
SHORT = {"bootstrap": {"n": 3}, "simulated_residuals": {"n": 20}}


def verbs() -> list[str]:
    members = vars(gt.FittedModel).items()
    return [name for name, value in members if callable(value) and not name.startswith("__")]


@pytest.fixture(scope="module")
def fit_without_verbs() -> Fit:
    layout = gt.designs.rcbd(["A", "B"], blocks=8)
    data = gt.simulate("y ~ treatment + (1 | block)", layout, coef=[5, 1], sd=1.0, phi=0.25)
    data["x"] = np.arange(len(data)) % 5
    model = gt.fit("y ~ treatment + x + (1 | block)", data, reml=True)
    return Fit(model.problem, model.estimate)


@pytest.mark.parametrize("verb", verbs())
def test_a_verb_needs_no_other_verb_of_its_model(verb, fit_without_verbs):
    arguments, options = ARGUMENTS.get(verb, ()), SHORT.get(verb, {})
    if verb == "refit":
        arguments = (fit_without_verbs.problem.design.y[::-1],)
    getattr(gt.FittedModel, verb)(fit_without_verbs, *arguments, **options)


# ------------------------------------------------------------------------------ public faces


def test_tab_shows_the_public_names_only():
    assert dir(gt) == sorted(gt.__all__)
    assert dir(gt.designs) == sorted(gt.designs.__all__)
    assert all(hasattr(gt, name) for name in gt.__all__)


def test_no_public_name_hides_a_module():
    hidden = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])} & set(gt.__all__)
    assert hidden == {"designs"}  # which is the room itself
    assert gt.designs is importlib.import_module("glmmtools.designs")


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def own_names(tree: ast.Module) -> set[str]:
    names = {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    names |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and not is_read(n)}
    return names | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not is_read(n)}


def is_read(node: ast.Attribute | ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_reads_no_underscore_of_another(path):
    tree = ast.parse(path.read_text())
    reads = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and is_read(n)}
    imports = {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    foreign = {name for name in reads | imports if private(name)} - own_names(tree)
    assert not foreign


# ------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_are_short_and_plain(path):
    source = path.read_text()
    assert len(source.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert lines_without_docstring(node) <= MOST_LINES_OF_A_FUNCTION, node.name
    for block in cc_visit(source):
        parts = [block, *getattr(block, "methods", [])]
        hard = [part.name for part in parts if cc_rank(part.complexity) > "C"]
        assert not hard


def lines_without_docstring(function: ast.FunctionDef) -> int:
    total, first = function.end_lineno - function.lineno + 1, function.body[0]
    if ast.get_docstring(function, clean=False) is None:
        return total
    return total - (first.end_lineno - first.lineno + 1)
