"""825 random models, most of them hard: right by an independent likelihood, or it says no."""

import contextlib
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import glmmtools as gt
from tests.random_models import FIRST_OF_FURTHER, FIRST_WITH_ZEROS, RandomModel, random_model

pytestmark = pytest.mark.slow
MODELS, CHUNKS = 600, 12
FURTHER = 270  # of zeros, ones, truncation, of which two of three are tried
WITH_ZEROS = 135  # with random terms in the zero part, of which every third is tried
SAME = 1e-3  # of log-likelihoods
LONGEST = 10.0  # seconds of a processor, for one fit
# Known faults: 54 generalised Poisson counts take 14 s to say that the search did not end; 84 rows
# with random terms of the zeros and identity link take 12 s.
TOO_SLOW = {827, 1100}
# Known fault: by 0.13 below the model without the terms of the zeros, whose own search needs a
# model that it contains: of those nobody asks while a contained model is searched.
LOWER = {1055: 0.15}
# Of fifty models how many may end so, where of all about one in twenty does, and chance decides
# which of them meet. Infinite coefficients may not tell the linear predictor.
MOST = {"did not converge": 6, "refused": 2, "infinite coefficients": 6}
# Of 45 with random terms in both parts: up to eighteen parameters for 12 to 120 rows. In a quarter
# the Laplace approximation has no maximum, as of the same model without the terms of the zeros.
MOST_WITH_ZEROS = {"did not converge": 12, "refused": 5, "infinite coefficients": 6}
PACKAGE = Path(gt.__file__).parent


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_random_model_is_fitted_rightly_or_says_that_it_is_not(chunk):
    """Fifty of them, of which six may say that they did not converge.

    A fit that converged has the log-likelihood of its parameters, as an independent calculation
    finds it, and no model that it contains has a higher one. What is refused is refused in a
    sentence. No fit takes longer than ten seconds.
    """
    check(range(chunk, MODELS, CHUNKS))


@pytest.mark.slow(minutes=3)
def test_so_is_one_with_random_terms_of_the_zeros():
    """45 of them, in both parts: every third of the seeds."""
    check(range(FIRST_WITH_ZEROS + 1, FIRST_WITH_ZEROS + WITH_ZEROS, 3), MOST_WITH_ZEROS)


@pytest.mark.parametrize("chunk", (0, 1, 3, 4))
def test_so_is_one_of_zeros_ones_and_truncation(chunk):
    """45 of them, of families that the first 600 do not have, and of two parts."""
    check(range(FIRST_OF_FURTHER + chunk, FIRST_OF_FURTHER + FURTHER, 6))


def check(seeds, most=MOST):
    verdicts = [judged(random_model(seed)) for seed in seeds]
    for end in most:
        those = [verdict for verdict in verdicts if verdict.end == end]
        print(f"{end}: {len(those)} of {len(verdicts)}", *those, sep="\n  ")
    slowest = max(verdicts, key=lambda verdict: verdict.seconds)
    print(f"slowest: {slowest.seconds:.2f} s, {slowest}")
    wrong = [str(verdict) for verdict in verdicts if verdict.fault]
    assert not wrong, "\n".join(wrong)
    ends = [verdict.end for verdict in verdicts]
    assert all(ends.count(end) <= limit for end, limit in most.items())


@dataclass
class Verdict:
    """How the fit of one model ended, and what is wrong with it."""

    model: RandomModel
    end: str = "converged"
    fault: str = ""
    said: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        return "; ".join(filter(None, (str(self.model), self.fault, self.said)))


def judged(model: RandomModel) -> Verdict:
    verdict = Verdict(model)
    started = time.process_time()
    fit = fitted(model, verdict)
    verdict.seconds = time.process_time() - started
    if fit is None:
        return verdict
    verdict.said = " ".join(map(str, fit.messages))
    doubts = [each for each in fit.messages if isinstance(each, gt.ConvergenceWarning)]
    if not fit.converged:
        verdict.end = "did not converge"
        if not (doubts or any(isinstance(m, gt.SeparationWarning) for m in fit.messages)):
            verdict.fault = "no message says why it did not converge"
    elif doubts:
        verdict.fault = "converged beside a ConvergenceWarning"
    else:
        verdict.fault = likelihood_fault(model, fit, verdict)
    return verdict


def likelihood_fault(model: RandomModel, fit: gt.FittedModel, verdict: Verdict) -> str:
    """What is wrong with the log-likelihood of a fit that converged."""
    independent = model.independent_llf(fit)
    if np.isnan(independent) and np.isfinite(fit.llf):
        verdict.end = "infinite coefficients"
    elif not abs(fit.llf - independent) < SAME:
        return f"log-likelihood {fit.llf:.6f}, at its parameters it is {independent:.6f}"
    for smaller in model.contained():
        other = Verdict(smaller)
        contained = fitted(smaller, other)
        if other.fault:
            return f"the contained {smaller.formula!r}, {smaller.family}: {other.fault}"
        same = LOWER.get(model.seed, SAME)
        if contained and contained.converged and contained.llf > fit.llf + same:
            return (
                f"log-likelihood {fit.llf:.6f}, below {contained.llf:.6f} of the contained "
                f"{smaller.formula!r}, {smaller.family}, {smaller.options}"
            )
    return ""


def fitted(model: RandomModel, verdict: Verdict) -> gt.FittedModel | None:
    """The fit; None, with the reason in the verdict, where there is an error."""
    try:
        with warnings.catch_warnings(), at_most(LONGEST * (4 if model.seed in TOO_SLOW else 1)):
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", gt.GlmmWarning)
            return model.fit()
    except Exception as error:
        verdict.end, verdict.said = "refused", str(error)
        if not is_refusal(error):
            verdict.end, verdict.fault = "failed", f"{type(error).__name__} in {where(error)}"
        return None


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Stop the block with a TimeoutError after so many seconds of the processor."""

    def stop(*_):
        raise TimeoutError(f"took longer than {seconds:g} s")

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def is_refusal(error: Exception) -> bool:
    """Whether it is a ValueError that the package raises itself, in a sentence."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    ours = PACKAGE in Path(frame.filename).parents and frame.line.startswith("raise ")
    return type(error) is ValueError and ours and len(str(error).split()) > 4


def where(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}"
