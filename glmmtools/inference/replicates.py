"""The replicates of a simulation: drawn, refitted, shared among processes, kept in a file.

The bootstrap and the simulation studies run here. Every replicate has its own child of
``SeedSequence(seed)``, so the numbers do not depend on how many processes or machines share the
work, and a run that stopped goes on where it was.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glmmtools.fitted.fit import Fit
from glmmtools.fitted.prediction import simulate
from glmmtools.inference.refit import refit
from glmmtools.shared.arguments import is_count, shown
from glmmtools.shared.terminal import in_notebook

_BATCH = 100  # least number of replicates between two writes
_SECONDS = 5  # faster batches are made larger, because processes wait at the end of each
_CHUNK = 10  # replicates a process takes at a time
_BAR = 24  # characters
_BROKEN = (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError)


def as_series(value: Any) -> pd.Series:
    if np.isscalar(value):
        value = {"statistic": value}
    return pd.Series(value, dtype=float).rename(index=str)


def check_count(n: Any) -> None:
    if not is_count(n):
        raise ValueError(
            f"n is the number of replicates, a whole number of 1 or more; got {shown(n)}"
        )


@dataclass(frozen=True)
class Replicate:
    """A draw from the source, the models refitted to it, and the statistics of the fits."""

    source: Fit
    models: tuple[Fit, ...]
    statistic: Callable[..., Any]

    def __call__(self, seed: np.random.SeedSequence) -> dict[str, Any]:
        failure, values = "", pd.Series(dtype=float)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            y = simulate(self.source, 1, seed)[0]
            try:
                fits = [refit(model, y) for model in self.models]
                if not all(fit.converged for fit in fits):
                    failure = "the search did not converge"
            except _BROKEN as error:
                failure = str(error).splitlines()[0]
            if not failure:
                values = as_series(self.statistic(*fits))
        kinds = sorted({warning.category.__name__ for warning in caught})
        return {**values, "failure": failure, "warnings": " ".join(kinds)}


def _chunk(task: Callable[[Any], dict], items: Sequence[Any]) -> list[dict[str, Any]]:
    return list(map(task, items))


def run(
    task: Callable[[Any], dict[str, Any]],
    items: Sequence[Any],
    names: Sequence[str],
    identity: Mapping[str, Any],
    n_jobs: int | None,
    path,
    progress: bool,
) -> pd.DataFrame:
    """One row an item: the values `names` of ``task(item)``, its ``failure`` and ``warnings``.

    `identity`, a dict for JSON that begins with the ``kind`` of run, says whose rows the file
    holds: it goes on from a file only if that has the same.
    """
    if n_jobs == 0:
        raise ValueError("n_jobs is a number of processes, 1 or more, or -1 for all cores; got 0")
    store = _Store(None if path is None else Path(path), [*names, "failure", "warnings"], identity)
    rows = store.read()[: len(items)]
    bar = _Bar(identity["kind"], len(rows), len(items), progress)
    for batch in _batches(task, items[len(rows) :], n_jobs):
        store.append(batch, len(rows))
        rows += batch
        bar.show(len(rows))
    bar.end()
    return pd.DataFrame(rows, columns=store.columns).rename_axis("replicate")


def _batches(task, items, n_jobs) -> Iterator[list[dict[str, Any]]]:
    from joblib import Parallel, delayed, effective_n_jobs

    with Parallel(n_jobs=n_jobs) as parallel:
        size = max(_BATCH, 4 * _CHUNK * effective_n_jobs(n_jobs))
        while items:
            start = time.monotonic()
            batch, items = items[:size], items[size:]
            chunks = [batch[i : i + _CHUNK] for i in range(0, len(batch), _CHUNK)]
            chunks_done = parallel(delayed(_chunk)(task, chunk) for chunk in chunks)
            yield [row for rows in chunks_done for row in rows]
            if time.monotonic() - start < _SECONDS:
                size *= 2


class _Bar:
    """A line that says how many replicates are done, and the time that is left.

    On stderr, which a notebook paints red: there on stdout. None if all are read from a file, or
    with ``TQDM_DISABLE=1`` in the environment, the switch of the package tqdm.
    """

    def __init__(self, kind: str, done: int, total: int, wanted: bool):
        silenced = os.environ.get("TQDM_DISABLE", "").lower() not in ("", "0", "false")
        self.shown = wanted and not silenced and done < total
        self.file = sys.stdout if in_notebook() else sys.stderr
        self.kind, self.first, self.total, self.start = kind, done, total, time.monotonic()
        self.show(done)

    def show(self, done: int) -> None:
        if not self.shown:
            return
        filled, left = _BAR * done // self.total, ""
        if self.first < done < self.total:
            seconds = (time.monotonic() - self.start) * (self.total - done) / (done - self.first)
            left = f", {seconds:.0f} s left"
        line = f"{self.kind} [{'#' * filled:.<{_BAR}}] {done} of {self.total}{left}"
        print(f"\r{line:<72}", end="", file=self.file, flush=True)

    def end(self) -> None:
        if self.shown:
            print(file=self.file, flush=True)


@dataclass(frozen=True)
class _Store:
    """The CSV file of a run: its identity as JSON in a comment, then the rows; floats in full.

    It is made in one step and only ever appended to, so that a run that is killed leaves at worst
    half a line, which the next one cuts off.
    """

    path: Path | None
    columns: list[str]
    identity: Mapping[str, Any]

    def read(self) -> list[dict[str, Any]]:
        if self.path is None:
            return []
        if self.path.is_dir():
            raise ValueError(f"path is a folder, {str(self.path)!r}; name a file in it")
        if not self.path.parent.is_dir():
            raise ValueError(f"path: there is no folder {str(self.path.parent)!r}; make it first")
        if not self.path.exists():
            return []
        whole = self.path.read_bytes()
        end = whole.rfind(b"\n") + 1
        self._check(whole[:end].decode("utf-8", "replace"))
        if end < len(whole):
            os.truncate(self.path, end)
        # as text first: float() of a repr is exact, and an empty field is a missing value
        table = pd.read_csv(self.path, skiprows=1, dtype=str, keep_default_na=False)
        if list(table.pop("replicate")) != [str(i) for i in range(len(table))]:
            raise ValueError(
                f"{self.path}: its rows are not in order. Did two runs write it at once? "
                "Give another path, or delete the file"
            )
        values = self.columns[:-2]
        table[values] = table[values].replace("", "nan").astype(float)
        return table.to_dict("records")

    def _check(self, text: str) -> None:
        """Raise ValueError unless the file begins as that of this run would."""
        head, _, rest = text.partition("\n")
        try:
            stored = json.loads(head.removeprefix("# "))
            kind = stored["kind"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{self.path} is not the file of a simulation run; give another path"
            ) from None
        mine = json.loads(json.dumps(self.identity))
        for key in dict.fromkeys([*mine, *stored]):
            if not _same(mine.get(key), stored.get(key)):
                raise ValueError(
                    f"{self.path} holds another {kind}: its {key} is {_short(stored.get(key))}, "
                    f"not {_short(mine.get(key))}; give another path, or delete the file"
                )
        if rest.partition("\n")[0] != self._text([], 0).strip():
            raise ValueError(f"{self.path} holds other statistics; give another path")

    def append(self, rows: list[dict[str, Any]], start: int) -> None:
        if self.path is None:
            return
        if start == 0 and not self.path.exists():
            unfinished = self.path.with_name(self.path.name + ".part")
            head = f"# {json.dumps(self.identity, ensure_ascii=False)}\n"
            unfinished.write_text(head + self._text([], 0), encoding="utf-8", newline="\n")
            os.replace(unfinished, self.path)
        with open(self.path, "a", encoding="utf-8", newline="\n") as file:
            file.write(self._text(rows, start, header=False))
            file.flush()
            os.fsync(file.fileno())

    def _text(self, rows: list[dict[str, Any]], start: int, header: bool = True) -> str:
        index = pd.RangeIndex(start, start + len(rows), name="replicate")
        table = pd.DataFrame(rows, columns=self.columns, index=index)
        return table.to_csv(header=header, lineterminator="\n")


def _same(one: Any, other: Any) -> bool:
    """Equal, numbers up to the precision of two machines."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=1e-5, atol=1e-8, equal_nan=True))
    return one == other


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
