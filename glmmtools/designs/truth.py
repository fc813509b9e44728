"""The truth of simulated data: what it holds, and whether a fit recovers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from glmmtools.families.lookup import FAMILIES
from glmmtools.fitted.parameters import parameters
from glmmtools.shared.arguments import check_arguments
from glmmtools.shared.terminal import Printed
from glmmtools.shared.text import plural

if TYPE_CHECKING:
    from glmmtools.model import FittedModel

Array = np.ndarray


class Truth(Printed, dict):
    """The parameters that made a simulated data set, in plain numbers, text, lists and dicts.

    Copies of the data share it: it is not to be changed.
    """

    def __deepcopy__(self, memo) -> Truth:
        # pandas copies attrs at every step; 1e5 random effects would make each step slow
        return self

    def _text(self) -> str:
        lines = [f"{key}: {value}" for key, value in self.items() if key != "random_effects"]
        drawn = plural(len(self["random_effects"]["value"]), "value")
        return "\n".join([*lines, f"random_effects: {drawn}"])


def recovery(
    model: FittedModel,
    truth: Mapping[str, Any] | pd.DataFrame | None = None,
    *,
    level: float = 0.95,
    profile: bool = False,
) -> pd.DataFrame:
    """Tabulate the true parameters of simulated data beside their estimates.

    Parameters
    ----------
    model : FittedModel
        Fitted to data that :func:`simulate` made.
    truth : dict or DataFrame, optional
        The truth, or the frame that carries it; default that of the data of the fit.
    level : float
        Confidence level of the intervals.
    profile : bool
        Profile-likelihood intervals of all parameters (slower), in place of Wald intervals of the
        fixed effects only.

    Returns
    -------
    DataFrame
        Columns ``true, estimate, conf_low, conf_high, covered``; one row a parameter of the truth
        or of the model, named as in ``model.conf_int(method="profile")``. What one of them does
        not have is missing.

    Examples
    --------
    >>> import glmmtools as gt
    >>> layout = gt.designs.rcbd(["A", "B"], blocks=20, replicates=3)
    >>> data = gt.simulate("y ~ treatment + (1 | block)", layout, coef=[5, 1], sd=1.0, phi=0.25)
    >>> m = gt.fit("y ~ treatment + (1 | block)", data)
    >>> gt.recovery(m)[["true", "estimate"]].round(1).loc["treatment[T.B]"].tolist()
    [1.0, 1.0]
    """
    check_arguments(recovery, locals())
    true = _parameters(_truth_of(model, truth))
    estimates = parameters(model, fixed=True)
    intervals = model.conf_int(level, method="profile" if profile else "wald")
    names = list(dict.fromkeys([*estimates.index, *true]))
    table = pd.DataFrame(index=pd.Index(names, name="term"))
    table["true"] = pd.Series(true, dtype=float)
    table["estimate"] = estimates
    table[["conf_low", "conf_high"]] = intervals.reindex(names)[["conf_low", "conf_high"]]
    inside = table["true"].between(table["conf_low"], table["conf_high"])
    known = table[["true", "conf_low", "conf_high"]].notna().all(axis=1)
    table["covered"] = inside.astype("boolean").where(known)
    return table


def _truth_of(model: FittedModel, truth: Any) -> Mapping[str, Any]:
    if truth is None:
        truth = model.problem.design.frame
    if isinstance(truth, pd.DataFrame):
        truth = truth.attrs.get("truth")
    if not isinstance(truth, Mapping) or "coefficients" not in truth:
        raise ValueError(
            "the data of the fit carry no truth. Were they made by gt.simulate? If a later step "
            "lost it, give truth= the frame that gt.simulate returned"
        )
    return truth


def _parameters(truth: Mapping[str, Any]) -> dict[str, float]:
    single = {name: value for name, value in truth["dispersion"].items() if np.ndim(value) == 0}
    family = FAMILIES.get(truth["family"])
    if family and family.has_residual_variance and "phi" in single:
        single = {"residual sd": float(np.sqrt(single["phi"]))}
    return {**truth["coefficients"], **truth["components"], **single}
