"""Runs and reference draws, one after another, and the table that they come to."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd

from plgkit.metrics import find, ledger
from plgkit.sources import engine
from plgkit.sources.data import Data

from .cases import Case
from .suites import Suite

BATCH = 50
_OTHER_SEEDS = 1_000_000


def runs(suite: Suite, count: int, work: Path) -> pd.DataFrame:
    """One row per run and case: seed, case, value, low, high."""
    return pd.concat([_kept(work / f"{suite.name}_runs_{seed:05d}.csv", lambda seed=seed: _batch_of_runs(suite, seed))
                      for seed in range(0, count, BATCH)], ignore_index=True).query(f"seed < {count}")


def _kept(path: Path, make: Any) -> pd.DataFrame:
    if not path.exists():
        make().to_csv(path, index=False)
    return pd.read_csv(path)


def _batch_of_runs(suite: Suite, first: int) -> pd.DataFrame:
    rows = [{"seed": seed, "case": key(case), **found} for seed in range(first, first + BATCH)
            for case, found in zip(suite.cases, one_run(suite, seed, suite.people), strict=True)]
    return pd.DataFrame(rows)


def one_run(suite: Suite, seed: int, people: int) -> list[dict[str, float]]:
    """Make up a company, open it, and ask every case for value, low and high."""
    # Kept tables are numbered; with the same numbers, queries are the same for all companies.
    engine._numbers = itertools.count(1)
    data, clean = suite.opened(seed, people), suite.clean(seed, people)
    return [apart(answer(case, data), case.truth(clean)) if case.kind == "exact" else pick(case, answer(case, data))
            for case in suite.cases]


def apart(frame: pd.DataFrame, true: np.ndarray) -> dict[str, float]:
    """By how many hundredths a table of money differs from the truth of this very company, all numbers together."""
    own = (frame.select_dtypes("float64").to_numpy() * 100).round()
    before = len(true) - len(own)  # a table of money begins with the first payment
    cents = float(np.abs(own - true[before:]).sum() + np.abs(true[:before]).sum())
    return dict.fromkeys(("value", "low", "high"), cents)


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
    if data.has("subscriptions"):  # a query about money begins with the first payment
        asked += str(ledger.untils(data, "month")[0])
    resolved, only = measure.resolve(data, case.parameters), str(case.row["period"]) if case.alone else ""
    if asked not in _WRITTEN:
        query = measure.function(data, **resolved)
        _WRITTEN[asked] = engine.sql(query), query.schema()
    if asked not in data.answers:
        data.answers[asked] = data.run(_Written(data, *_WRITTEN[asked]))
    if (asked, only) not in data.answers:
        rows = data.answers[asked]
        rows = rows[rows["period"] == only] if only else rows
        data.answers[asked, only] = measure.finish(rows, data, {**resolved, "level": 0.95})
    return data.answers[asked, only]


def key(case: Case) -> str:
    """What names a case for good: the measure, its parameters, and the row."""
    return json.dumps([case.measure, case.parameters, case.row, case.columns[0]], default=str, sort_keys=True)


def reference(suite: Suite, count: int, work: Path) -> list[dict[str, Any]]:
    """What each batch of clean companies comes to, by case."""
    found = []
    for first in range(0, count, BATCH):
        path = work / f"{suite.name}_reference_{first:05d}.npz"
        if not path.exists():
            np.savez_compressed(path, **_batch_of_truth(suite, first))
        with np.load(path) as kept:
            found.append({name: kept[name] for name in kept.files})
    return found


def _batch_of_truth(suite: Suite, first: int) -> dict[str, np.ndarray]:
    cases = {key(case): case for case in suite.cases if case.kind != "exact"}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in cases}
    for seed in range(first, first + BATCH):
        clean = suite.clean(_OTHER_SEEDS + seed, suite.people)
        for name, case in cases.items():
            parts[name].append(part(case.truth(clean)))
    return {name: np.sum(found, axis=0) if cases[name].kind in ("share", "sums") else np.concatenate(found)
            for name, found in parts.items()}


def part(found: Any) -> np.ndarray:
    """What one company adds to a truth, as numbers: hits and people, or durations."""
    return np.array(found)


def truth(case: Case, batches: list[dict[str, np.ndarray]]) -> float:
    """The case's true value over these batches."""
    if case.kind == "exact":
        return 0.0
    found = [batch[key(case)] for batch in batches]
    if case.kind in ("sums", "pool"):
        return case.come_to(np.sum(found, axis=0) if case.kind == "sums" else np.concatenate(found))
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
            "row": json.dumps(case.row, default=str), "column": case.columns[0], "interval": find(case.measure).interval or "",
            "runs": len(own), "truth": true, "truth_error": 2 * spread / width if width else 0.0, "mean": own["value"].mean(),
            "width": width, "covered": 1 - under - over, "under": under, "over": over})
    return pd.DataFrame(rows)
