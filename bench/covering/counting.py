"""Runs and reference draws, one after another, and the table that they come to."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd

from plgkit.metrics import find
from plgkit.playbook import read_playbook
from plgkit.samples import company
from plgkit.samples.clock import LAST_DAY
from plgkit.sources import engine
from plgkit.sources.connect import connect
from plgkit.sources.data import Data

from .cases import Case
from .clean import Clean

PEOPLE = 2_000
BATCH = 50
_OTHER_SEEDS = 1_000_000
_TABLES = {"events", "users", "visits", "invites", "surveys"}


def runs(cases: list[Case], count: int, work: Path) -> pd.DataFrame:
    """One row per run and case: seed, case, value, low, high."""
    return pd.concat([_kept(work / f"runs_{seed:05d}.csv", lambda seed=seed: _batch_of_runs(cases, seed))
                      for seed in range(0, count, BATCH)], ignore_index=True).query(f"seed < {count}")


def _kept(path: Path, make: Any) -> pd.DataFrame:
    if not path.exists():
        make().to_csv(path, index=False)
    return pd.read_csv(path)


def _batch_of_runs(cases: list[Case], first: int) -> pd.DataFrame:
    rows = [{"seed": seed, "case": key(case), **found} for seed in range(first, first + BATCH)
            for case, found in zip(cases, one_run(cases, seed), strict=True)]
    return pd.DataFrame(rows)


def one_run(cases: Iterable[Case], seed: int, people: int = PEOPLE) -> list[dict[str, float]]:
    """Make up a company, open it, and ask every case for value, low and high."""
    data = opened(seed, people)
    return [pick(case, answer(case, data)) for case in cases]


def opened(seed: int, people: int) -> Data:
    """A made-up company, opened with all its dirt."""
    made = company(people=people, seed=seed)
    tables = {name: rows for name, rows in made.tables.items() if name in _TABLES}
    # Kept tables are numbered; with the same numbers, queries are the same for all companies.
    engine._numbers = itertools.count(1)
    return connect(tables, playbook=read_playbook(made.playbook), as_of=LAST_DAY)


def pick(case: Case, frame: pd.DataFrame) -> dict[str, float]:
    """The one number of a case, with its interval."""
    for column, wanted in case.row.items():
        if column == "upto":
            frame = frame[frame["x"] <= wanted].tail(1)
        else:
            frame = frame[frame[column] == (pd.Timestamp(wanted) if hasattr(wanted, "year") else wanted)]
    if len(frame) != 1:
        return {"value": np.nan, "low": np.nan, "high": np.nan}
    return dict(zip(("value", "low", "high"), map(float, frame.iloc[0][list(case.columns)]), strict=True))


@dataclass
class _Written:
    """A query as text on one company's engine; what `engine.run` asks of a query."""

    data: Data
    text: str
    kinds: ibis.Schema

    def execute(self) -> pd.DataFrame:
        return self.data.connection.con.execute(self.text).df()

    def schema(self) -> ibis.Schema:
        return self.kinds


_WRITTEN: dict[str, tuple[str, ibis.Schema]] = {}


def answer(case: Case, data: Data) -> pd.DataFrame:
    """The frame of a case's measure, by a query that is written for the first company only: that takes longest."""
    measure, asked = find(case.measure), json.dumps([case.measure, case.parameters], default=str, sort_keys=True)
    if asked not in data.answers:
        resolved = measure.resolve(data, case.parameters)
        if asked not in _WRITTEN:
            query = measure.function(data, **resolved)
            _WRITTEN[asked] = engine.sql(query), query.schema()
        rows = data.run(_Written(data, *_WRITTEN[asked]))
        data.answers[asked] = measure.finish(rows, data, {**resolved, "level": 0.95})
    return data.answers[asked]


def key(case: Case) -> str:
    """What names a case for good: the measure, its parameters, and the row."""
    return json.dumps([case.measure, case.parameters, case.row, case.columns[0]], default=str, sort_keys=True)


def reference(cases: list[Case], count: int, work: Path) -> list[dict[str, Any]]:
    """What each batch of clean companies comes to, by case."""
    found = []
    for first in range(0, count, BATCH):
        path = work / f"reference_{first:05d}.npz"
        if not path.exists():
            np.savez_compressed(path, **_batch_of_truth(cases, first))
        with np.load(path) as kept:
            found.append({name: kept[name] for name in kept.files})
    return found


def _batch_of_truth(cases: list[Case], first: int) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {key(case): [] for case in cases}
    of = {key(case): case for case in cases}
    for seed in range(first, first + BATCH):
        clean = Clean(_OTHER_SEEDS + seed, PEOPLE)
        for case in cases:
            parts[key(case)].append(part(case.truth(clean)))
    return {name: np.concatenate(found) if of[name].kind != "share" else np.sum(found, axis=0)
            for name, found in parts.items()}


def part(found: Any) -> np.ndarray:
    """What one company adds to a truth, as numbers: hits and people, or durations."""
    return np.array(found)


def truth(case: Case, batches: list[dict[str, np.ndarray]]) -> float:
    """The case's true value over these batches."""
    found = [batch[key(case)] for batch in batches]
    if case.kind == "median":
        return float(np.median(np.concatenate(found))) / case.per
    if case.kind == "survival":
        return _still_there(np.concatenate(found), case.row["upto"])
    top, bottom = np.sum(found, axis=0)
    return float(np.mean(top / bottom))


def _still_there(coded: np.ndarray, day: int) -> float:
    """The product over days of the share that did not stop on them."""
    days, stopped = coded // 2, coded % 2
    return float(np.prod([1 - stopped[days == each].sum() / (days >= each).sum() for each in range(1, day + 1)]))


def table(cases: list[Case], found: pd.DataFrame, batches: list[dict[str, np.ndarray]]) -> pd.DataFrame:
    """One row per case: the truth, how wide intervals are, and how often they hold it.

    `truth_error` is the standard error of the truth as a share of the half-width; `under` and `over` say how
    often the whole interval lies below or above the truth. A bound that is not reached is none.
    """
    rows = []
    for case in cases:
        own, true = found[found["case"] == key(case)], truth(case, batches)
        own = own[own["value"].notna()]
        under, over = (own["high"] < true).mean(), (own["low"] > true).mean()
        width = (own["high"] - own["low"]).median()
        spread = np.std([truth(case, [each]) for each in batches], ddof=1) / np.sqrt(len(batches))
        rows.append({
            "what": case.what, "measure": case.measure, "parameters": json.dumps(case.parameters, default=str),
            "row": json.dumps(case.row, default=str), "column": case.columns[0], "interval": find(case.measure).interval,
            "runs": len(own), "truth": true, "truth_error": 2 * spread / width, "mean": own["value"].mean(),
            "width": width, "covered": 1 - under - over, "under": under, "over": over})
    return pd.DataFrame(rows)
