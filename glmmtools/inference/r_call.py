"""A model as a call of R: of lm, lme4 or glmmTMB.

R gets the columns that our formula builds, by their names, so that levels, codings, types and what
was left out are the same in both; it fits them with its own likelihood and search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from glmmtools.engine.estimate import Estimate
from glmmtools.engine.problem import ZERO, Problem
from glmmtools.formula.fixed_part import FixedPart
from glmmtools.formula.random_terms import RandomTerm

Array = np.ndarray
_LMER = (
    "lme4::lmerControl(optimizer = 'bobyqa', calc.derivs = FALSE, "
    "optCtrl = list(rhoend = 1e-8, maxfun = 1e5), check.nobs.vs.nlev = 'ignore', "
    "check.nobs.vs.rankZ = 'ignore', check.nobs.vs.nRE = 'ignore')"
)
_GLMER = "lme4::glmerControl(optimizer = 'bobyqa', tolPwrss = 1e-10, optCtrl = list(maxfun = 1e5))"
_TMB = "glmmTMB::glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4))"


class NotInR(Exception):
    """Why R gives no second opinion, in one line."""


class _Columns:
    """The columns that R gets, each under a name that R can read.

    Attributes
    ----------
    values : dict of ndarray
    scales : dict of float
        What a column was divided by, a power of ten: glmmTMB differences its Hessian with steps
        that are too long for the coefficients of large columns.
    """

    def __init__(self):
        self.values: dict[str, Array] = {}
        self.scales: dict[str, float] = {}
        self.own: set[str] = set()

    def add(self, wanted: str, values: Array, own: bool = False) -> str:
        """A name of a column with these values; if `own`, of nothing else."""
        plain = re.sub(r"[^ -~]|[`\\\"']", "_", wanted) or "x"
        name, number = plain, 1
        while name in self.values and (
            own or name in self.own or not np.array_equal(self.values[name], values)
        ):
            number += 1
            name = f"{plain}.{number}"
        self.values[name] = values
        self.own |= {name} if own else set()
        return name

    def scaled(self, wanted: str, values: Array) -> str:
        """A name of a column with these values, by a power of ten where they are far off 1."""
        size = np.sqrt(np.mean(values**2))
        scale = 1.0 if 0.1 <= size <= 10 or size == 0 else 10.0 ** np.round(np.log10(size))
        name = self.add(wanted if scale == 1 else f"{wanted} / {scale:g}", values / scale)
        self.scales[name] = scale
        return name

    def scales_of(self, names: Iterable[str]) -> Array:
        return np.array([self.scales[name] for name in names])

    def quoted(self, wanted: str, values: Array, own: bool = False) -> str:
        return f"`{self.add(wanted, values, own)}`"


class Call:
    """The problem as R code.

    Attributes
    ----------
    text : str
    data : DataFrame
    fixed : list of str
        Names in R of the fixed effects, in the order of the design.
    scales : dict of ndarray
        By which the coefficients of the ``"mean"``, of ``"phi"`` and of ``"zero"`` are to divide.
    random : list of list of (int, ndarray)
        For each random term, those of the mean first, those that R has for it, counted from 1, and
        what their standard deviations are to be divided by.
    beyond_llf : float
        What R's log-likelihood lacks.
    """

    def __init__(self, problem: Problem, ours: Estimate):
        self.problem, self.ours, self.columns = problem, ours, _Columns()
        self.package = _package(problem)
        design = problem.design
        pairs = zip(design.names, design.X.T, strict=True)
        self.fixed = [self.columns.scaled(name, x) for name, x in pairs]
        self.scales = {"mean": self.columns.scales_of(self.fixed)}
        self.beyond_llf = _saturated(problem) if self._has_quadrature else 0.0
        self.beyond_llf -= problem.reml * np.log(self.scales["mean"]).sum()
        self.groups: list[str] = []
        self.parameters: dict[str, list[str]] = {"mean": [], ZERO: []}
        self.random: list[list[tuple[int, Array]]] = []
        right = ["0", *(f"`{name}`" for name in self.fixed)]
        for term in design.random:
            self.random.append([])
            right += self._random(term)
        if design.has_offset:
            right.append(f"offset({self.columns.quoted('offset', design.offset)})")
        formula = f"{self._response()} ~ {' + '.join(right)}"
        fit = {"stats": self._lm, "lme4": self._lme4, "glmmTMB": self._glmmtmb}[self.package]
        self.text = self._script(fit(formula))
        self.data = pd.DataFrame(self.columns.values)

    @property
    def _has_quadrature(self) -> bool:
        return self.problem.nagq > 1 and bool(self.problem.design.random)

    def _script(self, call: str) -> str:
        groups = ", ".join(f'"{name}"' for name in self.groups)
        attached = "  suppressPackageStartupMessages(library(glmmTMB))\n"
        return (
            f'packages <- "{self.package}"\n'
            f"groups <- c({groups})\n"
            f"reml <- {_logical(self.problem.reml)}\n"
            f"linear <- {_logical(self.problem.is_linear)}\n"
            'd <- read.csv("data.csv", check.names = FALSE)\n'
            "for (group in groups) d[[group]] <- factor(d[[group]])\n"
            "fitted <- function() {\n"
            f"{attached if self.package == 'glmmTMB' else ''}"
            f"  {call}\n"
            "}\n"
        )

    def _response(self) -> str:
        design, add = self.problem.design, self.columns.quoted
        if design.trials is None:
            return add(design.response.name, design.y, own=True)
        failures = design.trials - design.y
        return (
            f"cbind({add('successes', design.y, own=True)}, {add('failures', failures, own=True)})"
        )

    def _random(self, term: RandomTerm) -> list[str]:
        """A random term, in R one or several."""
        structure = term.structure
        if structure.bar:
            pairs = zip(term.names, term.Z.T, strict=True)
            columns = [self.columns.scaled(name, z) for name, z in pairs]
            together = [columns] if structure.unrestricted else [[column] for column in columns]
            return [self._of_columns(each, term) for each in together]
        there = structure.in_glmmtmb()
        if there is None:
            raise NotInR(f"R's glmmTMB has no {structure.name} structure: {term.label}")
        k = self.problem.random.index(term)
        if not (there.negative or self.ours.structured[k].correlation > 0):
            raise NotInR(
                f"R's glmmTMB has no negative correlation of a series with gaps: {term.label}"
            )
        columns = self.columns.quoted(structure.column_name, structure.coordinates)
        self._parameters(term, there.parameters)
        return [there.written.format(columns=columns, group=self._group(term, np.ones(1)))]

    def _of_columns(self, columns: list[str], term: RandomTerm) -> str:
        self._parameters(term, range(len(columns) * (len(columns) + 1) // 2))
        left = " + ".join(f"`{name}`" for name in columns)
        return f"(0 + {left} | {self._group(term, self.columns.scales_of(columns))})"

    def _parameters(self, term: RandomTerm, names: Iterable[object]) -> None:
        """Note the parameters of the random term that comes next."""
        self.parameters[term.part] += [f"{len(self.groups)}.{name}" for name in names]

    def _group(self, term: RandomTerm, scales: Array) -> str:
        self.groups.append(self.columns.add(term.group, term.codes, own=True))
        self.random[-1].append((len(self.groups), scales))
        return f"`{self.groups[-1]}`"

    def _weights(self) -> str:
        weights = self.problem.design.weights
        return "" if weights is None else f", weights = {self.columns.quoted('weights', weights)}"

    def _lm(self, formula: str) -> str:
        return f"lm({formula}, data = d{self._weights()})"

    def _lme4(self, formula: str) -> str:
        if not self._has_quadrature:
            options = f"REML = {_logical(self.problem.reml)}{self._weights()}, control = {_LMER}"
            return f"lme4::lmer({formula}, data = d, {options})"
        return (
            f"lme4::glmer({formula}, data = d, family = {self._family()}, "
            f"nAGQ = {self.problem.nagq}, control = {_GLMER})"
        )

    def _glmmtmb(self, formula: str) -> str:
        problem = self.problem
        parts = [formula, "data = d", f"family = {self._family()}"]
        if problem.dispersion is not None:
            parts.append(f"dispformula = {self._part('phi', problem.dispersion)}")
        if problem.zero is not None:
            parts.append(f"ziformula = {self._part('zero', problem.zero)}")
        start, fixed = {}, {}
        bounded = problem.link.name != problem.family.default_link.name
        if bounded and np.isfinite(self.ours.beta).all():
            start["beta"] = ", ".join(
                f"{value:.3g}" for value in self.ours.beta * self.scales["mean"]
            )
        for theta, names in zip(("theta", "thetazi"), self.parameters.values(), strict=True):
            if len(set(names)) < len(names):
                fixed[theta] = "factor(c({}))".format(", ".join(f"'{name}'" for name in names))
        psi = problem.family.glmmtmb_psi(self.ours.shape)
        if psi:
            start["psi"] = ", ".join(f"{value:.3g}" for value in psi)
        if "df" in problem.family.fixed:
            start["psi"], fixed["psi"] = f"log({problem.family.fixed['df']!r})", "factor(NA)"
        if start:
            parts.append(f"start = list({', '.join(f'{n} = c({v})' for n, v in start.items())})")
        if fixed:
            parts.append(f"map = list({', '.join(f'{n} = {v}' for n, v in fixed.items())})")
        parts.append(f"REML = {_logical(problem.reml)}{self._weights()}")
        return f"glmmTMB({', '.join(parts)}, control = {_TMB})"

    def _family(self) -> str:
        family, name = self.problem.family, None
        if self.problem.has_two_parts:
            name = family.known_as("glmmTMB, with zeros")
        return f'{name or family.known_as("glmmTMB")}(link = "{self.problem.link.name}")'

    def _part(self, of: str, part: FixedPart) -> str:
        names = [self.columns.scaled(name, x) for name, x in zip(part.names, part.X.T, strict=True)]
        self.scales[of] = self.columns.scales_of(names)
        right = ["0", *(f"`{name}`" for name in names)]
        for term in part.random:
            self.random.append([])
            right += self._random(term)
        return f"~ {' + '.join(right)}"


def _logical(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _saturated(problem: Problem) -> float:
    """The log-likelihood at means that are the responses, which lme4 leaves out with quadrature."""
    y, trials = problem.design.y, problem.trials
    with np.errstate(all="ignore"):
        mu = y / trials["trials"] if trials else y
        return float(np.sum(problem.family.log_density(y, mu, **trials)))


def _package(problem: Problem) -> str:
    """The package of R that has the model.

    Raises
    ------
    NotInR
        If none has it.
    """
    design, family = problem.design, problem.family
    if problem.penalty is not None:
        raise NotInR("R's packages have no such penalty")
    if problem.residual is not None:
        raise NotInR("residual= is not written for R; nlme's gls and lme have such models")
    bars = all(term.structure.bar for term in design.random)
    if problem.is_linear and problem.dispersion is None and bars:
        return "lme4" if design.random else "stats"
    if family.known_as("glmmTMB") is None:
        raise NotInR(f"R's glmmTMB has no {family.name} family")
    if family.weights_divide_phi and design.weights is not None:
        raise NotInR(f"R's glmmTMB reads weights of the {family.name} family otherwise")
    if problem.nagq == 1 or not design.random:
        return "glmmTMB"
    alone = len(design.random) == 1 and len(design.random[0].names) == 1
    if not alone or family.shape or design.weights is not None or problem.zero is not None:
        raise NotInR(
            "R's lme4 has quadrature for binomial and Poisson models with one (1 | g) only"
        )
    return "lme4"
