"""Response distributions: one `Family` object each, the only place that knows their formulas.

Every family is written with the mean ``mu`` and, where it has one, a dispersion ``phi``, in the
convention of Stroup (2012, *Generalized Linear Mixed Models*, ch. 2): ``phi`` enters the variance
as the card of the family says. Engines, plots, simulators and residuals read these objects.

Derivatives of the log-density with respect to ``mu`` (three orders), and of those with respect to
the *logarithm* of each shape parameter, are exact; `Family.eta_derivatives` carries them to the
linear predictor by the chain rule.

>>> gamma = family("gamma")
>>> float(gamma.variance(mu=2.0, phi=0.5))
2.0
"""

from __future__ import annotations

from glmmtools.families.base import Family
from glmmtools.families.continuous import Beta, Gamma, LogNormal, Normal, StudentT
from glmmtools.families.discrete import (
    BetaBinomial,
    Binomial,
    NegativeBinomial,
    NegativeBinomial1,
    Poisson,
)
from glmmtools.families.generalised import GeneralisedPoisson
from glmmtools.families.ordered import OrderedBeta
from glmmtools.families.truncated import TruncatedNegativeBinomial, TruncatedPoisson
from glmmtools.shared.arguments import check_arguments, shown
from glmmtools.shared.text import nearest

FAMILIES: dict[str, Family] = {}


def register(family: Family) -> Family:
    """Make a family known by its name and aliases to every function.

    Parameters
    ----------
    family : Family
        With a `name` of its own.

    Returns
    -------
    Family
        The same.

    Raises
    ------
    ValueError
        If another family has one of its names.
    """
    for name in (family.name, *family.aliases):
        if name in _by_any_name():
            raise ValueError(f"there is a family {name!r} already: {_by_any_name()[name].title}")
    FAMILIES[family.name] = family
    return family


def _by_any_name() -> dict[str, Family]:
    return {name: each for each in FAMILIES.values() for name in (each.name, *each.aliases)}


def family(name: str | Family, *, df: float | None = None) -> Family:
    """Look up a response distribution by name; R's names work too.

    Parameters
    ----------
    name : str or Family
        ``normal, t, gamma, beta, binomial, poisson, negative_binomial, nbinom1, betabinomial,
        lognormal, ordered_beta, genpois, truncated_poisson, truncated_negative_binomial`` or an
        alias such as ``gaussian`` and ``nbinom2``.
    df : float, optional
        Degrees of freedom of t, given instead of estimated.

    Returns
    -------
    Family
        It prints as its card: notation, support, mean, variance, links, SciPy's parameters.

    Raises
    ------
    ValueError
        If there is no family of that name.

    Examples
    --------
    >>> family("nbinom2").name
    'negative_binomial'
    """
    check_arguments(family, locals())
    if df is not None:
        chosen = family(name)
        if "df" not in (*chosen.shape, *chosen.fixed):
            raise ValueError(f"df is for the t family; {chosen.name} has none")
        return type(chosen)(df)
    if isinstance(name, Family):
        return name
    known = _by_any_name()
    if isinstance(name, str) and name in known:
        return known[name]
    raise ValueError(
        f"unknown family {shown(name)}{nearest(name, known)}. Valid families: {', '.join(FAMILIES)}"
    )


def families_of_trials() -> str:
    """The names of the families for successes out of trials, as a message gives them."""
    return " or ".join(repr(name) for name, each in FAMILIES.items() if each.takes_trials)


for _family in (
    Normal(), StudentT(), Gamma(), Beta(), Binomial(), Poisson(), NegativeBinomial(),
    NegativeBinomial1(), BetaBinomial(), LogNormal(), OrderedBeta(), GeneralisedPoisson(),
    TruncatedPoisson(), TruncatedNegativeBinomial(),
):  # fmt: skip
    register(_family)
