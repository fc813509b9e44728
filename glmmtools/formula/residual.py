"""The argument ``residual=``: which models it goes with, and which columns it reads."""

from __future__ import annotations

from collections.abc import Mapping

from glmmtools.families.base import Family
from glmmtools.families.links import Link
from glmmtools.formula.grammar import RandomSpec, parse_residual


def residual_spec(
    text: str | None, distribution: Family, link: Link, beside: Mapping[str, object]
) -> RandomSpec | None:
    """The structure of the residuals as written; None without one.

    Raises
    ------
    ValueError
        Where the model can have none, or goes with none of the arguments `beside` it.
    """
    if text is None:
        return None
    spec = parse_residual(text)
    if not (distribution.has_residual_variance and link.is_identity):
        raise ValueError(
            f"residual= is for normal models with identity link: {distribution.name} with "
            f"{link.name} link has no residuals beside its mean. Give the structure to random "
            f"effects instead: + {spec.label} in the formula"
        )
    for argument, given in beside.items():
        if given is not None:
            raise ValueError(
                f"residual={text!r} is the whole covariance of the residuals, and goes with no "
                f"{argument}=: leave it out, or give the structure to random effects, + "
                f"{spec.label} in the formula"
            )
    return spec


def columns_of_residual(spec: RandomSpec | None) -> tuple[str, ...]:
    """The expressions that it reads."""
    return () if spec is None else (spec.columns, *(f"`{name}`" for name in spec.groups))
