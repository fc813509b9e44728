"""Random small models, most of them hard: what test_random_models_slow.py fits.

Few rows, few groups, variances of zero, units of 1e6 and 1e-6, values far from zero, separation,
rare events, every family and link, every structure of a random part, weights, offsets, dispersion
formulas, extra zeros, REML. A seed gives one model.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import special

import glmmtools as gt
from tests import dense_laplace
from tests.dense_laplace import Rows

Array = np.ndarray
KINDS = (
    "normal", "t", "gamma", "lognormal", "beta", "binomial", "binomial 0/1", "betabinomial",
    "poisson", "negative_binomial", "nbinom1",
)  # fmt: skip
FURTHER = (  # "two parts": the zeros have a part of their own
    "truncated_poisson", "truncated_negative_binomial", "genpois", "ordered_beta",
    "gamma two parts", "lognormal two parts", "beta two parts", "truncated_poisson two parts",
    "truncated_negative_binomial two parts",
)  # fmt: skip
WITH_ZEROS = (  # and random terms in these
    "poisson", "negative_binomial", "nbinom1", "genpois", "gamma two parts", "beta two parts",
    "lognormal two parts", "truncated_poisson two parts", "truncated_negative_binomial two parts",
)  # fmt: skip
FIRST_OF_FURTHER, FIRST_WITH_ZEROS = 600, 1000  # seeds
TRUNCATED = ("truncated_poisson", "truncated_negative_binomial")
COUNTS = ("poisson", "negative_binomial", "nbinom1", "genpois", *TRUNCATED)
TRIALS = ("binomial", "betabinomial")
LIMITS = {
    "t": "normal", "betabinomial": "binomial", "negative_binomial": "poisson", "nbinom1": "poisson",
    "truncated_negative_binomial": "truncated_poisson",
}  # fmt: skip
PHI = {
    "beta": (2.0, 40.0),
    "ordered_beta": (2.0, 40.0),
    "betabinomial": (1.0, 30.0),
    "genpois": (0.5, 3.0),
}  # of the others 0.05 to 1.5


@dataclass(frozen=True)
class Term:
    """The columns of one random term, the columns that name its groups, its structure."""

    columns: tuple[str, ...] = ("Intercept",)
    groups: tuple[str, ...] = ("a",)
    series: bool = False


@dataclass(frozen=True)
class Piece:
    """A random part as written, the terms that it stands for, the parts that it contains."""

    text: str
    terms: tuple[Term, ...]
    contained: tuple[Piece, ...] = ()


LEVELS = ("f[p]", "f[q]", "f[r]")
INTERCEPTS = Piece("(1 | a)", (Term(),))
CROSSED = Piece("(1 | b)", (Term(groups=("b",)),))
SLOPES = Piece("(x | a)", (Term(("Intercept", "x")),), (INTERCEPTS,))
SERIES = Piece("ar1(week | a)", (Term(series=True),), (INTERCEPTS,))
SINGLE_ROWS = (Piece("(1 | row)", (Term(groups=("row",)),)),)
STRUCTURES: tuple[tuple[Piece, ...], ...] = (
    (),
    (INTERCEPTS,),
    (SLOPES,),
    (Piece("(x || a)", (Term(("Intercept", "x")),), (INTERCEPTS,)),),
    (Piece("(1 | a/b)", (Term(), Term(groups=("a", "b"))), (INTERCEPTS,)),),
    (INTERCEPTS, CROSSED),
    (SERIES,),
    (Piece("cs(f | a)", (Term(LEVELS),), (INTERCEPTS,)),),
    (Piece("(f | a)", (Term(("Intercept", *LEVELS[1:])),), (INTERCEPTS,)),),
    (Piece("(0 + f | a)", (Term(LEVELS),), (INTERCEPTS,)),),
    (INTERCEPTS, Piece("(0 + x | a)", (Term(("x",)),))),
    (SLOPES, CROSSED),
    (SERIES, CROSSED),
    SINGLE_ROWS,
)


OF_ZEROS: tuple[tuple[Piece, ...], ...] = (
    (INTERCEPTS,),
    (CROSSED,),
    (SLOPES,),
    (INTERCEPTS, CROSSED),
    (Piece("(x || a)", (Term(("Intercept", "x")),), (INTERCEPTS,)),),
)


@dataclass(frozen=True)
class RandomModel:
    """A model on data: a call of `fit`, and its log-likelihood by an independent calculation."""

    seed: int
    response: str
    fixed: str
    random: tuple[Piece, ...]
    data: pd.DataFrame
    family: str
    link: str
    df: float | None = None  # of t, where it is given
    options: dict[str, object] = field(default_factory=dict)
    zero_random: tuple[Piece, ...] = ()

    def __str__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        family = self.family if self.df is None else f"{self.family}(df={self.df:g})"
        return (
            f"model {self.seed}: {self.formula!r}, {family} {self.link}{options}, "
            f"{len(self.data)} rows"
        )

    @property
    def formula(self) -> str:
        return f"{self.response} ~ {' + '.join([self.fixed, *(p.text for p in self.random)])}"

    @property
    def arguments(self) -> dict[str, object]:
        """The options as `fit` takes them."""
        if not self.zero_random:
            return self.options
        pieces = [str(self.options["zero_inflation"]), *(p.text for p in self.zero_random)]
        return self.options | {"zero_inflation": " + ".join(pieces)}

    def fit(self) -> gt.FittedModel:
        family = self.family if self.df is None else gt.family("t", df=self.df)
        return gt.fit(
            self.formula, self.data, family, link=self.link, engine="laplace", **self.arguments
        )

    def contained(self) -> Iterator[RandomModel]:
        """The models that this one contains: its maximum is no lower than theirs."""
        for k, piece in enumerate(self.random):
            for smaller in ((), *((each,) for each in piece.contained)):
                yield replace(self, random=self.random[:k] + smaller + self.random[k + 1 :])
        for k, piece in enumerate(self.zero_random):
            for smaller in ((), *((each,) for each in piece.contained)):
                rest = self.zero_random[:k] + smaller + self.zero_random[k + 1 :]
                yield replace(self, zero_random=rest)
        for name in ("dispersion_formula", "zero_inflation"):
            needed = name == "zero_inflation" and gt.family(self.family).leaves_out_zero
            if name in self.options and self.options[name] != "~ 0 + x" and not needed:
                others = {key: value for key, value in self.options.items() if key != name}
                of_zeros = () if name == "zero_inflation" else self.zero_random
                yield replace(self, options=others, zero_random=of_zeros)
        # of t only where its df are free; and weights mean another thing to the normal family
        of_the_kind = self.family != "t" or (self.df is None and "weights" not in self.options)
        if self.family in LIMITS and of_the_kind and "dispersion_formula" not in self.options:
            yield replace(self, family=LIMITS[self.family])

    # -- the log-likelihood at given parameters, without the package

    def independent_llf(self, model: gt.FittedModel) -> float:
        """The log-likelihood at the parameters that a fit reports.

        It is nan where they do not tell the linear predictor: a sum of infinite coefficients, or
        one of which the data do not say on which side it is infinite.
        """
        params = model.params
        K = self._covariance(self.random, model.estimate.terms)
        fixed, rows = self._fixed(params), self._rows(model)
        if self.family == "normal" and self.link == "identity":
            X = self._columns(params.index) if self.options.get("reml") else None
            V = K + np.diag(np.broadcast_to(rows.phi, len(fixed)))
            return dense_laplace.exact_normal(rows.y, fixed, V, X)
        if np.isnan(fixed).any():
            return np.nan
        # of an infinite eta one value is certain: it adds nothing, and another is impossible
        highest = rows.trials if self.family in TRIALS else np.inf
        lowest = 1 if self.family in TRUNCATED else 0
        highest = 1 if self.family == "ordered_beta" else highest
        only = np.where(fixed > 0, highest, lowest)
        if np.any(np.isinf(fixed) & (rows.y != only)):
            return -np.inf
        kept = np.isfinite(fixed)
        fixed, K = fixed[kept], K[np.ix_(kept, kept)]
        if self.zero_random:
            return self._llf_with_zeros(model, kept, fixed, K, rows)
        starts = [np.nan_to_num(model.linear_predictor.to_numpy()[kept] - fixed)]
        if self.family == "t" or "zero_inflation" in self.options:
            rng, scale = np.random.default_rng(self.seed), np.sqrt(np.diag(K))
            starts += [scale * rng.normal(size=len(K)) for _ in range(4)]
        return dense_laplace.laplace(rows.where(kept), fixed, K, starts)

    def _llf_with_zeros(
        self, model: gt.FittedModel, kept: Array, fixed: Array, K: Array, rows: Rows
    ) -> float:
        """With random terms in the logit of the zeros, in the rows that are kept."""
        logit = np.broadcast_to(rows.zero_logit, len(self.data))[kept]
        K_of_zeros = self._covariance(self.zero_random, model.estimate.zero_terms)
        covariances = K, K_of_zeros[np.ix_(kept, kept)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gt.DataWarning)  # what is not estimable starts at 0
            found = model.predict(scale="link", part="zero").to_numpy()
        eta = model.linear_predictor.to_numpy()[kept]
        starts = [np.nan_to_num(np.concatenate([eta - fixed, found[kept] - logit]))]
        rng = np.random.default_rng(self.seed)
        scale = np.sqrt(np.concatenate([np.diag(each) for each in covariances]))
        starts += [scale * rng.normal(size=len(scale)) for _ in range(4)]
        rows = replace(rows.where(kept), zero_logit=None)
        return dense_laplace.laplace_of_two(rows, (fixed, logit), covariances, starts)

    def _column(self, name: str) -> Array:
        """A column of a design by its name, such as ``x:f[T.q]``."""
        product = np.ones(len(self.data))
        for part in name.split(":"):
            if "[" in part:
                level = part[part.index("[") + 1 : -1].removeprefix("T.")
                product = product * (self.data["f"] == level).to_numpy()
            elif part != "Intercept":
                product = product * self.data[part].to_numpy()
        return product

    def _columns(self, names) -> Array:
        return np.column_stack([np.empty((len(self.data), 0)), *map(self._column, names)])

    def _fixed(self, params: pd.Series) -> Array:
        offset = self.options.get("offset")
        total = np.zeros(len(self.data)) if offset is None else self.data[offset].to_numpy()
        for name, value in params.items():
            column = self._column(name)
            with np.errstate(invalid="ignore"):
                total = total + np.where(column == 0, 0.0, column * value)
        return total

    def _covariance(self, pieces: tuple[Piece, ...], estimates) -> Array:
        """K, the covariance of the random part of a linear predictor between all rows."""
        K = np.zeros((len(self.data),) * 2)
        terms = [term for piece in pieces for term in piece.terms]
        for term, found in zip(terms, estimates, strict=True):
            if term.series:
                week = self.data["week"].to_numpy()
                lag = np.abs(week[:, None] - week)
                product = found.covariance[0, 0] * np.power(found.correlation, lag)
            else:
                Z = self._columns(term.columns)
                product = Z @ found.covariance @ Z.T
            group = self.data[list(term.groups)].astype(str).agg(":".join, axis=1).to_numpy()
            K += np.where(group[:, None] == group, product, 0.0)
        return K

    def _rows(self, model: gt.FittedModel) -> Rows:
        """The rows with the dispersion parameters that a fit reports, by their names."""
        data, dispersion, weights = self.data, model.dispersion, 1.0
        phi, zero_logit = dispersion.get("phi", 1.0), None
        if "dispersion_formula" in self.options:
            phi = np.exp(self._modelled(dispersion, "log phi: "))
        if "zero_inflation" in self.options:
            zero_logit = self._modelled(dispersion, "logit zero: ")
        if "zero" in dispersion:
            zero_logit = np.log(dispersion["zero"]) - np.log1p(-dispersion["zero"])
        if self.options.get("weights") == "w":
            weights = data["w"].to_numpy()
        if model.method == "OLS":  # as R's lm: phi without bias, the log-likelihood at its maximum
            phi = phi * (1 - len(model.params.dropna()) / model.nobs)
        if self.family == "normal":  # Var(y | u) = phi / w
            phi, weights = phi / weights, 1.0
        return Rows(
            data["y"].to_numpy(float), self.family, self.link, trials=data["trials"].to_numpy(),
            phi=phi, df=dispersion.get("df", 8.0), weights=weights, zero_logit=zero_logit,
            odds0=dispersion.get("odds0", 0.0), odds1=dispersion.get("odds1", 0.0),
        )  # fmt: skip

    def _modelled(self, dispersion: pd.Series, prefix: str) -> Array:
        names = [name for name in dispersion.index if name.startswith(prefix)]
        columns = self._columns(name.removeprefix(prefix) for name in names)
        return columns @ dispersion[names].to_numpy()


# ---------------------------------------------------------------------------------- drawing


def random_model(seed: int) -> RandomModel:
    """Families and structures take turns; everything else is drawn."""
    rng = np.random.default_rng([15, seed])
    kinds, first = KINDS, 0
    if seed >= FIRST_OF_FURTHER:
        kinds, first = (FURTHER, FIRST_OF_FURTHER)
    if seed >= FIRST_WITH_ZEROS:
        kinds, first = (WITH_ZEROS, FIRST_WITH_ZEROS)
    turn = seed - first
    kind = kinds[turn % len(kinds)]
    family, random = kind.split()[0], STRUCTURES[turn // len(kinds) % len(STRUCTURES)]
    if random == SINGLE_ROWS and kind in ("normal", "t", "lognormal", "binomial 0/1"):
        random = (INTERCEPTS,)  # effects of single rows are their residuals
    links = gt.family(family).links
    link = links[0] if rng.random() < 0.5 else str(rng.choice(links))
    options = _options(rng, family, link)
    if kind in (*FURTHER, *WITH_ZEROS[-5:]) and gt.family(family).leaves_out_zero:
        options.pop("zero_inflation", None)
        if kind.endswith("two parts"):
            options["zero_inflation"] = str(rng.choice(["~ 1", "~ x", "~ f"]))
    of_zeros = OF_ZEROS[turn % len(OF_ZEROS)] if kinds is WITH_ZEROS else ()
    if of_zeros:
        options["zero_inflation"] = str(rng.choice(["~ 1", "~ x", "~ f"]))
    df = float(rng.integers(3, 9)) if family == "t" and rng.random() < 0.3 else None
    data = _layout(rng, random)
    if kind == "binomial 0/1":
        data["trials"] = 1
    data["y"] = 0.0
    while data["y"].nunique() == 1:  # nothing to model
        eta = _linear_predictor(rng, data, random)
        data["y"] = _response(rng, data, eta, family, link, options)
        if of_zeros:
            logit = _linear_predictor(rng, data, of_zeros) - 0.5
            data["y"] = np.where(rng.random(len(data)) < special.expit(logit), 0.0, data["y"])
    response = "y" if family not in TRIALS or kind == "binomial 0/1" else "prop(y, trials)"
    if response != "y" and rng.random() < 0.15:
        data["share"], response, options["weights"] = data["y"] / data["trials"], "share", "trials"
    _change_units(rng, data, family, link, random, options)
    fixed = str(rng.choice(["1", "x", "x + f", "x * f", "0 + f + x"]))
    return RandomModel(
        seed, response, fixed, random, data, family, link, df, options, of_zeros
    )  # fmt: skip


def _layout(rng: np.random.Generator, random: tuple[Piece, ...]) -> pd.DataFrame:
    few_rows, few_groups = rng.random(2) < (0.15, 0.2)
    n = int(rng.integers(12, 25) if few_rows else rng.integers(25, 121))
    levels = int(rng.integers(2, 5) if few_groups else rng.integers(5, min(16, n // 4 + 3)))
    nested = any(len(piece.terms) > 1 for piece in random)
    data = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "f": rng.choice(["p", "q", "r"], n),
            "a": rng.permutation(np.arange(n) % levels),
            "b": rng.integers(rng.integers(2, 4) if nested else rng.integers(3, 9), size=n),
            "row": np.arange(n),
            "trials": rng.integers(1, 13 if rng.random() < 0.8 else 1000, n),
            "w": rng.uniform(0.3, 4, n),
            "o": rng.normal(scale=0.5, size=n),
        }
    )
    gaps = np.cumsum(rng.choice([1, 1, 1, 2, 4], n))
    data["week"] = gaps[data.groupby("a").cumcount()]
    groups = ["a", "b", "row"]
    data[groups] = data[groups].astype(str)
    return data


def _linear_predictor(rng: np.random.Generator, data: pd.DataFrame, random) -> Array:
    """Between -6 and 6 in nearly all rows."""
    eta = rng.uniform(-1, 1) + rng.uniform(-1, 1) * data["x"] + 0.5 * (data["f"] == "q")
    for term in (term for piece in random for term in piece.terms):
        group = pd.factorize(data[list(term.groups)].agg(":".join, axis=1))[0]
        for column in term.columns:
            effects = rng.choice([0.0, 0.1, 0.5, 1.0, 2.0]) * rng.normal(size=len(data))
            if column == "Intercept":
                eta += effects[group]
            elif column == "x":
                eta += effects[group] * data["x"]
            else:
                eta += effects[group] * (data["f"] == column[2])
    return eta.to_numpy()


def _options(rng: np.random.Generator, family: str, link: str) -> dict[str, object]:
    options: dict[str, object] = {}
    if rng.random() < 0.15 and family not in TRIALS:
        options["weights"] = "w"
    anywhere = link in ("logit", "probit", "cloglog") or (
        family in ("normal", "t") and link != "inverse"
    )
    if rng.random() < 0.15 and (anywhere or (link == "log" and family not in ("beta", *TRIALS))):
        options["offset"] = "o"
    if rng.random() < 0.15 and "phi" in gt.family(family).shape:
        options["dispersion_formula"] = str(rng.choice(["~ x", "~ f", "~ 0 + x"]))
    if rng.random() < 0.3 and family in COUNTS:
        options["zero_inflation"] = str(rng.choice(["~ 1", "~ x", "~ f"]))
    if rng.random() < 0.4 and (family, link) == ("normal", "identity"):
        options["reml"] = True
    return options


def _response(rng, data: pd.DataFrame, eta: Array, family: str, link: str, options) -> Array:
    """A draw: with rare events, large counts, hardly any scatter, a level of zeros now and then."""
    n, counted = len(data), family in (*COUNTS, *TRIALS)
    if "offset" in options:
        eta = eta + data["o"].to_numpy()
    if family in COUNTS:
        eta = eta + rng.choice([1.0, 6.0], p=[0.93, 0.07])
    if counted and rng.random() < 0.08:
        eta = eta - 5
    shape: dict[str, object] = {"phi": rng.uniform(*PHI.get(family, (0.05, 1.5)))}
    if family in ("normal", "gamma", "lognormal") and rng.random() < 0.07:
        shape["phi"] = 1e-9
    if family in ("normal", "t") and link != "identity":
        shape["phi"] *= 0.02
    if "dispersion_formula" in options:
        shape["phi"] = shape["phi"] * np.exp(rng.uniform(-0.5, 0.5) * data["x"].to_numpy())
    shape["df"] = rng.uniform(2, 12)
    if family == "ordered_beta":
        shape |= {"odds0": rng.choice([0.0, 0.2]), "odds1": rng.choice([0.0, 0.1])}
    names = gt.family(family).shape
    shape = {name: value for name, value in shape.items() if name in names}
    if family in TRIALS:
        shape["trials"] = data["trials"].to_numpy()
    y = np.asarray(gt.family(family).sample(_means(eta, family, link), rng, **shape), float)
    if family in ("beta", "ordered_beta"):
        y = np.where((y > 0) & (y < 1) | (family == "beta"), np.clip(y, 1e-9, 1 - 1e-9), y)
    if "zero_inflation" in options:
        y[rng.random(n) < rng.uniform(0.1, 0.5)] = 0
    # of a hurdle model a level of ones has no finite estimate, which the fit says and no more
    hurdle = family in TRUNCATED and "zero_inflation" in options
    if counted and rng.random() < 0.1 and not hurdle:
        all_of_them = family in TRIALS and rng.random() < 0.3
        lowest = 1 if family in TRUNCATED else 0
        y = np.where(data["f"] == "q", data["trials"] if all_of_them else lowest, y)
    return y


def _means(eta: Array, family: str, link: str) -> Array:
    """Inside the interval of means, and of the whole link where that is no more than a ray."""
    probability = family in ("beta", "ordered_beta", *TRIALS)
    if link == "inverse":
        return 1 / np.maximum(2 + 0.3 * eta, 0.2)
    if link == "identity":
        if probability:
            return np.clip(0.45 + 0.08 * eta, 0.02, 0.98)
        return eta if family in ("normal", "t") else np.maximum(6 + eta, 0.5)
    if link == "log":
        return np.exp(np.minimum(0.4 * eta - 1.5, -0.03) if probability else np.minimum(eta, 7))
    return np.clip(gt.link(link).inverse(eta), 1e-9, 1 - 1e-9)


def _change_units(rng, data: pd.DataFrame, family: str, link: str, random, options) -> None:
    """Other units of x and y, and other origins where that changes no more than the intercept."""
    if options.get("dispersion_formula") == "~ 0 + x":
        return  # no intercept takes the unit up
    units, odds = [1.0, 1e6, 1e-6], [0.7, 0.15, 0.15]
    far, near_odds = [0.0, 1e3, 1e6, 1e8], [0.8, 0.1, 0.05, 0.05]
    shift = rng.choice(far, p=near_odds)
    slopes = any("x" in term.columns for piece in random for term in piece.terms)
    data["x"] = (data["x"] + (min(shift, 1e3) if slopes else shift)) * rng.choice(units, p=odds)
    unit, shift = rng.choice(units, p=odds), rng.choice(far, p=near_odds)
    if family in ("normal", "t", "gamma", "lognormal"):
        if family in ("normal", "t") and link == "identity":
            data["y"], data["o"] = data["y"] + shift, data["o"] * unit
        data["y"] *= unit
