"""Simulated residuals: where each response lies among responses that the fitted model makes.

The residual of a row is the share of simulated responses below the observed one, ties split at
random (Dunn & Smyth 1996, J. Comput. Graph. Stat. 5:236): uniform on (0, 1) under the right model.

The parameters were estimated from the same responses, so that the residuals are no independent
uniform numbers: the tests compare them with the residuals of other data sets that the model has
made and to which it has been refitted, a parametric bootstrap.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from glmmtools.fitted.fit import Fit, require_converged
from glmmtools.fitted.prediction import predict, simulate
from glmmtools.formula.columns import codes_and_levels, is_factor_column
from glmmtools.residuals.new_effects import AgainstDraws, random_ranks
from glmmtools.residuals.plots import plot_residuals
from glmmtools.residuals.refitted import Rows, decorrelated, observed_rows, refitted_rows
from glmmtools.residuals.spatial import moran, neighbours_of
from glmmtools.residuals.tests import (
    ResidualTest,
    cramer_von_mises,
    ks_distance,
    name_of,
    neighbours_in_time,
    p_in_words,
    p_value,
    rank_score_statistic,
    refuse_0_1,
    smooth_basis,
    steps_and_products,
    values_by_row,
)
from glmmtools.shared.arguments import check_arguments, is_count
from glmmtools.shared.tables import hands_out_copies
from glmmtools.shared.terminal import Printed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = np.ndarray
_FEWEST_SIMULATIONS = 20


def simulated_residuals(
    model: Fit, n: int = 250, seed: int = 0, conditional: bool = True, force: bool = False
) -> SimulatedResiduals:
    """Randomised quantile residuals of a fitted model, from simulated responses.

    Parameters
    ----------
    n : int
        Number of simulated data sets, at least 20. The smallest p-value is 1 / (n + 1).
    seed : int
        Of the simulations and of the random splitting of ties.
    conditional : bool
        Simulate with the random effects at their modes (finds overdispersion within groups), or
        with new ones (looks at the random effects too, but hardly sees overdispersion).
    force : bool
        Allow a model that did not converge.

    Returns
    -------
    SimulatedResiduals

    Raises
    ------
    ValueError
        If the model did not converge, for fewer than 20 simulations, or where the model has no
        distribution to draw from (see :meth:`FittedModel.simulate`).

    Examples
    --------
    >>> import glmmtools as gt
    >>> epilepsy = gt.load_data("epilepsy")
    >>> m = gt.fit("seizures ~ treatment + log(base) + (1 | subject)", epilepsy, "poisson")
    >>> print(m.simulated_residuals().test_dispersion().reading)
    variance is 2.08 times what the model expects (p = 0.008)
    """
    check_arguments(simulated_residuals, locals(), but=("n",))
    if not force:
        require_converged(model, "simulated residuals need", "look at them all the same")
    if not is_count(n) or n < _FEWEST_SIMULATIONS:
        raise ValueError(
            f"n is the number of simulated data sets, at least {_FEWEST_SIMULATIONS}; got {n!r:.40}"
        )
    return SimulatedResiduals(model, n, seed, conditional)


@hands_out_copies("residuals", "fitted")
class SimulatedResiduals(Printed):
    """Simulated residuals of one model, and their tests. Made by `FittedModel.simulated_residuals`.

    Attributes
    ----------
    residuals : Series
        One value in (0, 1) a row; with ``residual=`` of rows that Var(y) makes independent.
    simulations : ndarray, shape (n, nobs)
        The simulated responses.
    fitted : Series
        Population predictions, against which residuals are drawn and tested. The conditional ones
        are no use for that: they hold a part of the residuals themselves.
    """

    def __init__(self, model: Fit, n: int, seed: int, conditional: bool):
        self.fitted = predict(model, effects="population").rename("fitted")
        self.model = model = decorrelated(model)
        self.n, self.conditional = n, conditional
        self._at_modes = conditional or not model.problem.random
        self.simulations = simulate(model, n, seed, conditional)
        self._rng_seed = (seed, 1)  # not the stream of the simulations themselves
        rng = np.random.default_rng(self._rng_seed)
        values, self._outside = random_ranks(model.design.y, self.simulations, rng)
        self.residuals = model.by_row(values, "residual")

    # -- the reference

    @cached_property
    def _refits(self) -> Rows:
        """Other data sets of the model, refitted."""
        return refitted_rows(self.model, self.n, (*self._rng_seed, 2))

    @cached_property
    def _observed(self) -> AgainstDraws:
        """The responses of the fit among the simulations, where these have new random effects."""
        rng = np.random.default_rng(self._rng_seed)
        return AgainstDraws.of(self.model.design.y, self.simulations, rng)

    @cached_property
    def _with_new_effects(self) -> AgainstDraws:
        """Other data sets of the model, each among draws of its refit with new random effects."""
        return AgainstDraws.of_refits(self.model, self.n, (*self._rng_seed, 2))

    @cached_property
    def _uniform(self) -> tuple[Array, Array]:
        """Residuals, observed (nobs,) and of refits, each among n draws of its own (n, nobs)."""
        observed = self.residuals.to_numpy()
        if not self._at_modes:
            return observed, self._with_new_effects.residuals
        rng = np.random.default_rng((*self._rng_seed, 1))
        lower, upper = self._refits.bounds
        rank = rng.binomial(self.n, lower + (upper - lower) * rng.uniform(size=upper.shape))
        return observed, (rank + rng.uniform(1e-9, 1 - 1e-9, rank.shape)) / (self.n + 1)

    # -- tests of the residuals as a whole

    def test_uniformity(self) -> ResidualTest:
        """Kolmogorov-Smirnov distance of the residuals from the uniform distribution.

        It answers to everything, and to nothing in particular. Statistic and effect are the
        distance. Conservative where parameters are fitted to the distance itself: size 0.01 to 0.02
        at the 5 % level for negative binomials, 0.02 to 0.05 for normal and beta, 0.00 with a
        random effect in each row.
        """
        observed, null = (ks_distance(values) for values in self._uniform)
        p = p_value(observed, null)
        reading = (
            f"the residuals are at most {observed:.3f} away from uniform; "
            f"{np.median(null):.3f} is usual under the model ({p_in_words(p)})"
        )
        return self._result("uniformity", observed, observed, p, reading)

    def test_dispersion(self) -> ResidualTest:
        """Compare the variance of the responses around their means with that of simulated ones.

        Each row is divided by the standard deviation that the model gives it. The effect is the
        ratio of the observed to the expected mean square, 1 for the right model; the test is
        two-sided. A family with a dispersion parameter of its own has fitted it to this very
        quantity: there the test can only see that the variance changes with the mean in another
        way, and is conservative (size at the 5 % level 0.00 for the normal, 0.01 to 0.03 for beta
        and down to 0.01 for negative binomials; also 0.00 with a random effect in each row).

        Raises
        ------
        ValueError
            For a 0/1 response, whose variance is fixed by its mean, and Student's t with df of 2 or
            less, which has none.
        """
        refuse_0_1(self.model, "variance")
        if self._at_modes:
            observed, refits = observed_rows(self.model), self._refits
            if self.model.family.location_scale:
                # these have been fitted to just this: the ratio would only show how precisely
                refits = replace(refits, shape=observed.shape)
            scaled = observed.pearson(), refits.pearson()
            observed, null = (np.mean(rows**2, axis=-1) for rows in scaled)
        else:
            observed, null = self._observed.mean_square, self._with_new_effects.mean_square
        null = null[np.isfinite(null)]
        if not np.isfinite(observed):
            raise ValueError("Student's t with df of 2 or less has no variance to compare")
        ratio, p = observed / null.mean(), p_value(observed, null, two_sided=True)
        reading = f"variance is {ratio:.2f} times what the model expects ({p_in_words(p)})"
        return self._result("dispersion", observed, ratio, p, reading)

    def test_outliers(self) -> ResidualTest:
        """Count observations outside all simulations.

        For a continuous family the count is binomial with probability 2 / (n + 1) for each row; for
        a discrete one, where ties make it rarer, and with new random effects, which the rows of a
        group share, the simulated data sets are counted alike. The effect is the observed over the
        expected count. The test is one-sided and, being of a small count, conservative: size 0.00
        to 0.03 at the 5 % level.
        """
        count = self._outside
        if not self._at_modes:
            null = self._with_new_effects.outside
            expected, p = null.mean(), p_value(count, null)
        elif not self.model.problem.has_atoms:
            probability = 2 / (self.n + 1)
            expected = self.model.nobs * probability
            p = float(special.bdtrc(count - 1, self.model.nobs, probability)) if count else 1.0
        else:
            lower, upper = self._refits.bounds
            chance = lower**self.n + (1 - upper) ** self.n
            rng = np.random.default_rng((*self._rng_seed, 3))
            null = np.sum(rng.uniform(size=chance.shape) < chance, axis=1)
            expected, p = null.mean(), p_value(count, null)
        ratio = count / expected if expected > 0 else np.inf if count else 1.0
        reading = (
            f"{count} of {self.model.nobs} observations lie outside all simulations; "
            f"{expected:.1f} are expected ({p_in_words(p)})"
        )
        return self._result("outliers", count, ratio, p, reading)

    def test_zeros(self) -> ResidualTest:
        """Compare the number of zeros with that in the simulated responses, two-sided.

        The statistic is the number of zeros, the effect its ratio to the expected number. Where few
        zeros are expected the test is conservative: size 0.01 at the 5 % level for 56 rows of 10
        trials, 0.03 for 100.

        Raises
        ------
        ValueError
            For a family that makes no zeros, also beside a zero part, which fits their number; and
            for a 0/1 response, whose zeros are fixed by its mean.
        """
        refuse_0_1(self.model, "number of zeros")
        problem = self.model.problem
        if problem.has_two_parts:
            raise ValueError(
                "test_zeros: the zeros have a part of their own, which fits their number"
            )
        if not problem.has_atoms or problem.family.leaves_out_zero:
            raise ValueError(
                f"test_zeros is for counts and successes; a {problem.family.name} response "
                "is never exactly zero"
            )
        observed = float(np.sum(self.model.design.y == 0))
        if self._at_modes:
            refits, surplus = self._refits, observed_rows(self.model).zero_probability().sum()
            null = surplus + np.sum((refits.y == 0) - refits.zero_probability(), axis=1)
        else:
            null = observed - self._observed.zeros + self._with_new_effects.zeros
        expected = null.mean()
        p = p_value(observed, null, two_sided=True)
        ratio = observed / expected if expected > 0 else np.inf if observed else 1.0
        reading = f"{observed:.0f} zeros where the model expects {expected:.1f} ({p_in_words(p)})"
        return self._result("zeros", observed, ratio, p, reading)

    # -- tests against something

    def test_curves(self, x: Any = None) -> ResidualTest:
        """Test whether quartiles of the residuals change with the prediction or another variable.

        Rank scores of the three quartiles (Gutenbrunner, Jurečková, Koenker & Portnoy 1993,
        J. Nonparam. Stat. 2:307) are regressed on a cubic B-spline of the ranks of `x`; a variable
        with at most five values is taken value by value. The statistic is the sum of the three
        chi-squares, the effect the range of the smoothed mean residual.

        Parameters
        ----------
        x : str or array_like, optional
            A column that the model uses, or one number a row; default the population prediction.

        Raises
        ------
        ValueError
            If there is no such column, it is not numeric, or has one value only.
        """
        name = "the prediction" if x is None else name_of(x, "x")
        values = self.fitted if x is None else values_by_row(self.model, x, "x")
        if is_factor_column(values):
            raise ValueError(
                f"x must be numeric; {name} holds {values.tolist()[0]!r}. For a factor use "
                "test_groups"
            )
        values = values.to_numpy(float)
        if np.ptp(values) <= 1e-9 * np.abs(values).max():
            hint = "; name a column, as test_curves('x')" if x is None else ""
            raise ValueError(f"{name} is the same in every row{hint}")
        basis = smooth_basis(values)
        observed, null = (rank_score_statistic(u, basis) for u in self._uniform)
        effect, usual = (np.ptp((u - 0.5) @ basis @ basis.T, axis=-1) for u in self._uniform)
        p = p_value(observed, null)
        reading = (
            f"the mean residual moves by {effect:.2f} over {name}; "
            f"{np.median(usual):.2f} is usual under the model ({p_in_words(p)})"
        )
        return self._result("curves", observed, effect, p, reading)

    def test_groups(self, column: Any) -> ResidualTest:
        """Test whether the residuals are uniform in each level of a factor.

        The statistic is the sum over levels of the Cramér-von Mises distance from uniform, the
        effect the mean residual of the worst level minus 0.5. With a random effect in each row it
        is conservative (size 0.01 at the 5 % level). ``table`` has the levels in their order, and
        p-values adjusted for their number (by the largest distance in each simulation).

        Parameters
        ----------
        column : str or array_like
            A column that the model uses, or one label a row.
        """
        codes, levels = codes_and_levels(values_by_row(self.model, column, "column"))
        if len(levels) < 2:
            raise ValueError(
                f"{name_of(column, 'column')} has one level only; groups need two or more"
            )
        observed, null = (
            np.stack([cramer_von_mises(u[..., codes == k]) for k in range(len(levels))], axis=-1)
            for u in self._uniform
        )
        largest, counts = null.max(axis=1), np.bincount(codes)
        columns = {
            "n": counts,
            "mean": np.bincount(codes, weights=self._uniform[0]) / counts,
            "statistic": observed,
            "p_value": [p_value(distance, largest) for distance in observed],
        }
        index = pd.Index(levels, name=name_of(column, "level"), tupleize_cols=False)
        table = pd.DataFrame(columns, index=index)
        worst = int(observed.argmax())
        effect = table["mean"].iloc[worst] - 0.5
        p = p_value(observed.sum(), null.sum(axis=1))
        reading = (
            f"of {len(levels)} levels {levels[worst]} departs most: its mean residual is "
            f"{effect + 0.5:.2f}, expected 0.50 (all levels: {p_in_words(p)})"
        )
        return self._result("groups", observed.sum(), effect, p, reading, table)

    def test_autocorrelation(self, time: Any, group: Any = None) -> ResidualTest:
        """Test whether residuals of neighbouring times are alike (Durbin-Watson), two-sided.

        The statistic is the sum of squared steps of the normal scores within series over their sum
        of squares (2 without correlation in one long series), the effect the lag-one correlation
        minus that under the model, where random effects make it negative. In short series it is
        slightly conservative: size 0.02 to 0.05 at the 5 % level in series of four rows.

        Parameters
        ----------
        time : str or array_like
            A column that the model uses, or one time a row: numbers, dates or an ordered category.
            Only its order counts.
        group : str or array_like, optional
            The series that a row belongs to; default one series.

        Raises
        ------
        ValueError
            If a time occurs twice in a series, or times are text.
        """
        times = values_by_row(self.model, time, "time")
        series = np.zeros(len(times), int)
        if group is not None:
            series = codes_and_levels(values_by_row(self.model, group, "group"))[0]
        order, same = neighbours_in_time(times, series, name_of(time, "time"), group is None)
        (observed, correlation), (_, expected) = (
            steps_and_products(special.ndtri(u)[..., order], same) for u in self._uniform
        )
        effect = self.model.nobs / same.sum() * (correlation - expected.mean())
        p = p_value(correlation, expected, two_sided=True)
        reading = (
            f"the correlation of residuals at neighbouring times is {abs(effect):.2f} "
            f"{'above' if effect > 0 else 'below'} what the model expects ({p_in_words(p)})"
        )
        return self._result("autocorrelation", observed, effect, p, reading)

    def test_spatial(self, x: Any, y: Any = None, group: Any = None) -> ResidualTest:
        """Test whether residuals of rows near each other are alike (Moran's I), two-sided.

        The statistic is Moran's I of the normal scores with the ten nearest rows as neighbours,
        weighted by 1 / distance; the effect is I minus its mean under the model.

        Parameters
        ----------
        x, y : str or array_like
            Coordinates, in one unit: columns that the model uses, or one number a row.
        group : str or array_like, optional
            Fields or sites with coordinates of their own; rows of two are no neighbours.
        """
        weights = neighbours_of(self.model, x, y, group)
        observed, null = (moran(special.ndtri(u), weights) for u in self._uniform)
        effect, p = observed - null.mean(), p_value(observed, null, two_sided=True)
        reading = (
            f"the correlation of residuals with those nearby is {abs(effect):.2f} "
            f"{'above' if effect > 0 else 'below'} what the model expects ({p_in_words(p)})"
        )
        return self._result("spatial", observed, effect, p, reading)

    # -- showing

    def plot(self, axes: Sequence[Axes] | None = None) -> Array:
        """Draw a QQ plot against uniform, and the residuals against the ranked prediction.

        Parameters
        ----------
        axes : sequence of two Axes, optional

        Returns
        -------
        ndarray of Axes, shape (2,)

        Examples
        --------
        >>> import glmmtools as gt
        >>> seeds = gt.load_data("seeds")
        >>> m = gt.fit("prop(germinated, seeds) ~ extract + (1 | plate)", seeds, "binomial")
        >>> left, right = m.simulated_residuals(n=100, seed=1).plot()
        >>> right.get_xlabel()
        'population prediction, ranks (2 values)'
        """
        return plot_residuals(self.residuals, self.fitted, axes)

    def _text(self) -> str:
        which = f" {'conditional on' if self.conditional else 'with new'} random effects"
        lines = [f"{self.n} simulations{which if self.model.problem.random else ''}"]
        tests = self.test_uniformity, self.test_dispersion, self.test_outliers, self.test_zeros
        for test in tests:
            # a test that does not apply to the family is left out
            with contextlib.suppress(ValueError):
                lines.append(f"  {(result := test()).name}: {result.reading}")
        return "\n".join(lines)

    def _result(self, name, statistic, effect, p, reading, table=None) -> ResidualTest:
        return ResidualTest(name, float(statistic), float(effect), p, self.n, reading, table)
