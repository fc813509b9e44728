"""A model fitted by R: its call run by Rscript, its numbers read.

The data go there as CSV, the numbers come back as JSON.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from glmmtools.engine.estimate import Estimate, TermEstimate
from glmmtools.engine.problem import Problem
from glmmtools.formula.random_terms import RandomTerm
from glmmtools.inference.r_call import Call, NotInR
from glmmtools.shared.messages import ConvergenceWarning
from glmmtools.shared.text import listed

Array = np.ndarray
_SECONDS = 900
_INSTALL = "In R: install.packages(c('lme4', 'glmmTMB'))"


class InR(NamedTuple):
    """What R found.

    Attributes
    ----------
    estimate : Estimate
        Without modes and correlations; a message where R says that its search did not converge.
    package : str
        With its version: ``"lme4 1.1.31"``.
    call : str
        The R code.
    """

    estimate: Estimate
    package: str
    call: str


def fit_in_r(problem: Problem, ours: Estimate) -> InR:
    """Fit the problem in R.

    Parameters
    ----------
    ours : Estimate
        Of the same problem. Where a link bounds the linear predictor, R starts near it.

    Raises
    ------
    NotInR
        If R or a package is not found, has no such model, or breaks off with an error.
    """
    call = Call(problem, ours)
    found = _run(call)
    package, family = found["version"][0], problem.family
    shape, predictors = {}, {}
    if problem.dispersion is not None:
        log_sigma = _numbers(found["log_sigma"]) / call.scales["phi"]
        predictors["phi"] = family.phi_of_sigma * log_sigma
    elif "phi" in family.shape:
        shape["phi"] = float(_numbers(found["sigma"])[0]) ** family.phi_of_sigma
    if "df" in family.shape:
        shape["df"] = float(_numbers(found["df"])[0])
    if problem.zero is not None:
        predictors["zero"] = _numbers(found["zero"]) / call.scales["zero"]
    names, estimates, errors = (
        found["coefficients"][key] for key in ("names", "estimate", "std_error")
    )
    found_by_name = pd.DataFrame({"estimate": estimates, "std_error": errors}, names, dtype=float)
    coefficients = found_by_name.reindex(call.fixed).div(call.scales["mean"], axis=0)
    said = [f"R's {package} says that its search did not converge: {t}." for t in found["said"]]
    terms = tuple(
        _term(term, [_numbers(found["sd"][str(k)]) / scales for k, scales in there])
        for term, there in zip(problem.random, call.random, strict=True)
    )
    k = len(problem.design.random)
    estimate = replace(
        ours,
        beta=coefficients["estimate"].to_numpy(),
        cov_beta=np.diag(coefficients["std_error"].to_numpy() ** 2),
        shape=shape,
        predictors=predictors,
        terms=terms[:k],
        zero_terms=terms[k:],
        llf=float(_numbers(found["llf"])[0]) + call.beyond_llf,
        converged=not said,
        singular=(),
        messages=tuple(map(ConvergenceWarning, said)),
        engine="R",
        limit=None,
    )
    return InR(estimate, package, call.text)


def _numbers(values: list) -> Array:
    return np.array(values, float)  # None is nan


def _term(term: RandomTerm, sds: list[Array]) -> TermEstimate:
    """The standard deviations of a term, which R may have as several, or as one for each effect."""
    kept = np.concatenate(sds)[: len(term.structure.sd_names)]
    modes = np.full((len(term.levels), len(kept)), np.nan)
    return TermEstimate(np.diag(kept**2), modes, np.nan if term.structure.has_rho else None)


# ------------------------------------------------------------------------------ Rscript


def _run(call: Call) -> dict[str, Any]:
    rscript = shutil.which("Rscript")
    if rscript is None:
        raise NotInR(f"Rscript is not found. Install R from r-project.org. {_INSTALL}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        call.data.to_csv(folder / "data.csv", index=False)
        (folder / "call.R").write_text(call.text, encoding="utf-8")
        script = folder / "in_r.R"
        script.write_bytes(resources.files("glmmtools.inference").joinpath("in_r.R").read_bytes())
        command = [rscript, "--no-save", "--no-restore", str(script), str(folder)]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            raise NotInR(f"R was stopped after {_SECONDS} seconds") from None
        answer = folder / "answer.json"
        if not answer.exists():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise NotInR(f"Rscript ended without an answer: {''.join(last)}")
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "absent" in found:
        raise NotInR(f"R has no package {listed(found['absent'])}. {_INSTALL}")
    if "error" in found:
        raise NotInR(f"R's {call.package} broke off: {found['error'][0]}")
    return found
