"""`Structure`: what every covariance structure of random effects can be asked."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np

Array = np.ndarray
ZERO_SD = 1e-4  # on the scale of the linear predictor, columns scaled to root mean square 1


class InGlmmTMB(NamedTuple):
    """A structure as R's glmmTMB has it.

    Attributes
    ----------
    written : str
        The random term, with places for the columns left of the bar and for the group.
    parameters : tuple of str
        Names of its parameters there; those of one name are one number here.
    negative : bool
        Whether its correlation may be below zero.
    """

    written: str
    parameters: tuple[str, ...]
    negative: bool = True


class Structure:
    """The covariance of the effects of the levels of a grouping factor, on the rows of data.

    It is a function of parameters ``theta`` through a square root: the effects of a level are
    ``b = Λ u`` of spherical ``u``, and their covariance is ``G = Λ Λᵀ``. Variances of zero are
    ordinary points of this parametrisation (theta may take any sign; only ``G`` has a meaning), so
    that a singular fit is an optimum like any other.

    Class attributes
    ----------------
    name : its name, by which a formula calls it: ``ar1(week | g)``.
    bar : the bar that means it without a name, ``|`` or ``||``; empty for all others.
    title : its name in pictures; by default the name.
    of_time : whether time stands left of the bar: each level has a series, at times of its own.
    of_levels : whether a factor stands left of the bar: there is one effect for each of its levels.
    unrestricted : whether G may be any covariance matrix.
    heterogeneous : whether each level of a factor left of the bar has a variance of its own.
    has_rho : whether it has a parameter rho, a correlation, that G for one level may not show.
    rho_latex : the correlation of the effects at t and t' in LaTeX, where there is a rho.
    special_cases : names of other structures that it can be, on the same times and groups.
    why_whole_times : why times must be whole numbers; empty where they need not.

    Attributes
    ----------
    column_name : str
        What stands left of the bar.
    names : tuple of str
        Names of the columns; of a series its time.
    codes : ndarray of int, shape (n,)
        Level of each row; -1 for a level that was not in the data of the fit.
    n_levels, q, n_params : int
        Levels, effects of one level, parameters.
    Z : ndarray, shape (n, q)
        The columns, before they are spread over the levels; for a series ones, shape (n, 1).
    entries : ndarray
        What a row has of the effects of its level: its row of Z, or its place in the series.
    """

    name: ClassVar[str]
    bar: ClassVar[str] = ""
    title: ClassVar[str]
    of_time: ClassVar[bool] = False
    of_levels: ClassVar[bool] = False
    unrestricted: ClassVar[bool] = False
    heterogeneous: ClassVar[bool] = False
    has_rho: ClassVar[bool] = False
    rho_latex: ClassVar[str] = r"\rho"
    special_cases: ClassVar[tuple[str, ...]] = ()
    why_whole_times: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__ and "title" not in cls.__dict__:
            cls.title = cls.name

    column_name: str
    names: tuple[str, ...]
    codes: Array
    n_levels: int
    q: int
    n_params: int
    Z: Array
    entries: Array

    # -- in words

    @classmethod
    def written(cls, columns: str, group: str) -> str:
        """The random term in a formula: ``"(x || g)"``, ``"ar1(week | g)"``."""
        if cls.bar:
            return f"({columns} {cls.bar} {group})"
        return f"{cls.name}({columns} | {group})"

    @property
    def in_words(self) -> str:
        """The effects as a report names them: ``"random intercepts"``."""
        return self.described("random effects")

    def described(self, what: str) -> str:
        """The same of other things than random effects: of residuals."""
        return f"{self.title} {what} of {self.column_name}"

    @property
    def sd_names(self) -> tuple[str, ...]:
        """Names of the standard deviations; here there is one for all effects."""
        return (f"{self.name}({self.column_name})",)

    @property
    def correlation_names(self) -> tuple[str, ...]:
        """Names of the correlations, as tables and profile intervals have them."""
        return self.sd_names if self.has_rho else ()

    @property
    def one_effect_a_row(self) -> bool:
        """Whether a row has one of the effects of its level, not all of them times its columns."""
        return self.of_time or self.of_levels

    def in_glmmtmb(self) -> InGlmmTMB | None:
        """How R's glmmTMB has it; None if it has not."""
        return None

    @property
    def coordinates(self) -> Array:
        """What stands left of the bar on each row, as a number: a time, or which level it is."""
        raise NotImplementedError

    def effect_labels(self) -> tuple[Array, Array]:
        """Names of the effects, shape (levels, q), and which of them exist, of the same shape."""
        labels = np.tile(np.array(self.names, object), (self.n_levels, 1))
        return labels, np.ones(labels.shape, bool)

    def latex(self, symbol: str, group: str, variance: str) -> tuple[str, str]:
        """How the effects of one level are distributed: both sides of a line of an equation.

        Parameters
        ----------
        symbol, group, variance : str
            LaTeX of the effects, of the grouping factor and of a variance in it.
        """
        at, other = rf"{symbol}_{{{group},t}}", rf"{symbol}_{{{group},t'}}"
        if self.heterogeneous:
            variance = rf"\sigma_{{{group},t}}^2"
        return at, (
            rf"\sim \mathrm{{N}}(0, {variance}), \quad "
            rf"\operatorname{{cor}}({at}, {other}) = {self.rho_latex}"
        )

    # -- parameters that a user gives or reads

    @property
    def n_corr(self) -> int:
        """Number of correlations that must be given, beside rho, to say G."""
        return 0

    @property
    def lowest_rho(self) -> float:
        """The end of the range of rho; the other is 1."""
        return -1.0

    @property
    def telling_distance(self) -> float:
        """The time between two rows whose correlation, rho to this power, is seldom near 0 or 1."""
        return 1.0

    @property
    def nearly_constant(self) -> float:
        """A rho with which the effects of one level hardly differ."""
        return 0.999

    def correlation_matrix(self, corr: Array, rho: float | None) -> Array:
        """Correlations of the effects of one level, of the shape of G."""
        raise NotImplementedError

    def correlations(self, covariance: Array, rho: float | None) -> Array:
        """Values of the correlations that `correlation_names` names; nan beside an sd of zero."""
        return np.array([rho] if self.has_rho else [], float)

    def beside_sd(self, number: int, covariance: Array, rho: float | None) -> Array:
        """Correlations beside an sd in a table: with those before it; rho beside the first."""
        if rho is not None:
            return np.array([rho] if number == 0 else [])
        products = np.sqrt(covariance[number, number] * np.diag(covariance)[:number])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(products > 0, covariance[number, :number] / products, np.nan)

    def theta_of(self, covariance: Array, rho: float | None = None) -> Array:
        """The parameters that give this covariance of the effects of one level."""
        raise NotImplementedError

    def covariance(self, theta: Array) -> Array:
        """G for one level; for a series the variance, shape (1, 1)."""
        raise NotImplementedError

    def rho(self, theta: Array) -> float | None:
        """The correlation parameter; None without one."""
        return None

    # -- the effects on rows of data

    @classmethod
    def at_times(cls, times: int) -> Structure:
        """The structure of one level, with a row at each of so many times."""
        raise NotImplementedError

    def on(self, codes: Array, entries: Array) -> Structure:
        """The same structure, in the same parameters, on other rows."""
        raise NotImplementedError

    def reordered(self, order: Array) -> Structure:
        """The structure on the same rows in another order."""
        return self.on(self.codes[order], self.entries[order])

    def rows(self, theta: Array) -> Array:
        """Rows of ``Z Λ``, shape (n, q)."""
        raise NotImplementedError

    def gradient(self, theta: Array, F: Array) -> Array:
        """Derivatives of ``sum(rows(theta) * F)`` in theta, for F of shape (n, q)."""
        raise NotImplementedError

    def effects(self, theta: Array, u: Array) -> Array:
        """Random effects ``b = Λ u`` of all levels, shape (levels, q)."""
        raise NotImplementedError

    def effect_covariances(self, theta: Array, cov_u: Array) -> Array:
        """``Λ cov Λᵀ`` for each level, shape (levels, q, q)."""
        raise NotImplementedError

    def predictor(self, b: Array) -> Array:
        """``Z b`` of each row, for effects of shape (levels, q); 0 for a level without code."""
        raise NotImplementedError

    def predictor_variances(self, covariance: Array) -> Array:
        """The variance that effects of this covariance give to the linear predictor of each row."""
        raise NotImplementedError

    def predictor_covariance(
        self, covariance: Array, rho: float | None, rows: Array | slice = slice(None)
    ) -> Array:
        """``Z G Zᵀ``: what the effects give to the covariance of the linear predictors of rows."""
        root, codes = self.rows(self.theta_of(covariance, rho))[rows], self.codes[rows]
        return (root @ root.T) * (codes[:, None] == codes)

    # -- the search for the parameters

    @property
    def is_sd(self) -> Array:
        """Which parameters are standard deviations, in some units: of two, the first."""
        return np.array([True, False])

    @property
    def is_scale(self) -> Array:
        """Which parameters Λ is proportional to, all of them together; the others say its shape."""
        return self.is_sd

    @property
    def has_shape(self) -> bool:
        """Whether columns may differ or be correlated, of which `start` knows nothing."""
        return False

    def start(self, factor: float, between: float, residual: Array) -> Array:
        """Parameters to start from: `factor` times the root of the variance between levels."""
        return factor * np.sqrt(between) * self.is_sd

    def explained(self, residual: Array) -> float:
        """Share of the scatter of residuals that neighbours show to be of these effects."""
        return 0.0

    def em_step(self, theta: Array, moments: Array) -> Array:
        """Parameters that fit the effects ``b = Λ u``, from the mean of ``u uᵀ`` given the data."""
        return self.theta_of(self.effect_covariances(theta, moments))

    def is_unsure(self, theta: Array, variances: Array) -> bool:
        """Whether a series ended where its likelihood often has a higher maximum elsewhere.

        Parameters
        ----------
        theta, variances : ndarray, shape (n_params,)
            The estimates and their sampling variances.
        """
        return False

    def snapped(self, theta: Array) -> Array:
        """Theta with what is zero up to the precision of the search set to zero; here of an sd."""
        return np.array([0.0 if abs(theta[0]) < ZERO_SD else theta[0], theta[1]])

    def is_singular(self, theta: Array) -> bool:
        """Whether G has lost rank: a zero variance or a correlation of one."""
        raise NotImplementedError

    # -- beside other structures

    def is_special_case_of(self, other: Structure) -> bool:
        """Whether `other`, on the same rows and groups, can be this structure."""
        return self.name == other.name and self.column_name == other.column_name
