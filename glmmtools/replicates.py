"""The replicates of a bootstrap: drawn, refitted, shared among processes, kept in a file.

Replicate number k has its own seed, ``SeedSequence(seed).spawn(n)[k]``, so the numbers do not
depend on how many processes share the work, and a run that stopped goes on where it was.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from glmmtools.model import FittedModel

__all__ = ["Replicate", "as_series", "run"]

_BATCH = 100  # least number of replicates between two writes
_CHUNK = 10  # replicates a process takes at a time
_BROKEN = (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError)


def as_series(value: Any) -> pd.Series:
    if np.isscalar(value):
        value = {"statistic": value}
    return pd.Series(value, dtype=float).rename(index=str)


@dataclass(frozen=True)
class Replicate:
    """One draw from the first model, all models refitted to it, and the statistics of the fits."""

    models: tuple[FittedModel, ...]
    statistic: Callable[..., Any]

    def __call__(self, seed: np.random.SeedSequence) -> dict[str, Any]:
        failure, values = "", pd.Series(dtype=float)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            y = self.models[0].simulate(1, seed)[0]
            try:
                fits = [model.refit(y) for model in self.models]
                if not all(fit.converged for fit in fits):
                    failure = "the search did not converge"
            except _BROKEN as error:
                failure = str(error).splitlines()[0]
            if not failure:
                values = as_series(self.statistic(*fits))
        kinds = sorted({each.category.__name__ for each in caught})
        return {**values, "failure": failure, "warnings": " ".join(kinds)}


def _chunk(task: Replicate, seeds: list[np.random.SeedSequence]) -> list[dict[str, Any]]:
    return [task(seed) for seed in seeds]


def run(
    task: Replicate, estimate: pd.Series, n: int, seed: int, n_jobs: int, path, progress: bool
) -> pd.DataFrame:
    """All replicates, one a row: the statistics, ``failure`` and ``warnings``."""
    if not (isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 1):
        raise ValueError(f"n is the number of replicates, a whole number of 1 or more; got {n!r}")
    store = _Store(None if path is None else Path(path), estimate, seed)
    rows = store.read()[:n]
    for done in _batches(task, rows, np.random.SeedSequence(seed).spawn(n), n_jobs):
        rows = done
        store.write(rows)
        if progress:
            print(f"bootstrap: {len(rows)} of {n}", flush=True)
    columns = [*estimate.index, "failure", "warnings"]
    return pd.DataFrame(rows, columns=columns).rename_axis("replicate")


def _batches(task, rows, seeds, n_jobs) -> Iterator[list[dict[str, Any]]]:
    """The rows so far, after each batch."""
    from joblib import Parallel, delayed, effective_n_jobs

    size = max(_BATCH, 4 * _CHUNK * effective_n_jobs(n_jobs))
    with Parallel(n_jobs=n_jobs) as parallel:
        while len(rows) < len(seeds):
            batch = seeds[len(rows) : len(rows) + size]
            chunks = [batch[i : i + _CHUNK] for i in range(0, len(batch), _CHUNK)]
            for found in parallel(delayed(_chunk)(task, chunk) for chunk in chunks):
                rows = rows + found
            yield rows


@dataclass(frozen=True)
class _Store:
    """The CSV file of a run: the estimates as replicate -1, then the replicates; floats in full."""

    path: Path | None
    estimate: pd.Series
    seed: int

    def read(self) -> list[dict[str, Any]]:
        if self.path is None:
            return []
        if not self.path.parent.is_dir():
            raise ValueError(f"path: there is no folder {str(self.path.parent)!r}; make it first")
        if not self.path.exists():
            return []
        names = list(self.estimate.index)
        # as text first: float() of a repr is exact, and an empty field is a missing value
        table = pd.read_csv(self.path, dtype=str, keep_default_na=False)
        same = list(table.columns) == ["replicate", "seed", *names, "failure", "warnings"]
        if same:
            table[names] = table[names].replace("", "nan").astype(float)
            same = np.allclose(table.loc[0, names].astype(float), self.estimate, equal_nan=True)
        if not same:
            raise ValueError(
                f"{self.path} holds the bootstrap of another model or statistic; "
                "give another path, or delete the file"
            )
        if table.loc[0, "seed"] != str(self.seed):
            raise ValueError(
                f"{self.path} holds a bootstrap with seed={table.loc[0, 'seed']}, "
                f"not seed={self.seed}"
            )
        return table.drop(columns=["replicate", "seed"]).drop(index=0).to_dict("records")

    def write(self, rows: list[dict[str, Any]]) -> None:
        if self.path is None:
            return
        head = {**self.estimate, "failure": "", "warnings": ""}
        columns = [*self.estimate.index, "failure", "warnings"]
        table = pd.DataFrame([head, *rows], columns=columns)
        table.insert(0, "seed", self.seed)
        table.index = pd.RangeIndex(-1, len(rows), name="replicate")
        # a run that is killed while it writes leaves the old file whole
        unfinished = self.path.with_name(self.path.name + ".part")
        table.to_csv(unfinished)
        os.replace(unfinished, self.path)
