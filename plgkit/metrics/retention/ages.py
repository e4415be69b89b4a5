"""From counts of who came back to cohorts at their ages: what has begun, what is over, and how sure it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from plgkit.metrics import shapes
from plgkit.metrics.returns import DAYS, SIZE, Question
from plgkit.sources import engine
from plgkit.sources.data import Data

COLUMNS = ["numerator", "denominator", "value", "low", "high", "mature"]
DRAWS = 1000
_CELLS_AT_ONCE = 500
_HOUR = pd.Timedelta(hours=1)


def as_cohorts(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Every cohort at every age that has begun by `as_of`, with what is mature."""
    asked = Question.of(parameters)
    parameters = {**parameters, "by": asked.segment}
    made = cells(frame, data, asked)
    made = shapes.with_share(made, parameters["level"])
    if asked.reference == "previous":
        made = _of_those_before(made, asked, parameters["level"])
    columns = [*(["until"] if asked.spans else []), *COLUMNS]
    return shapes.ordered(made, parameters, columns, first=["cohort"], last=["age"])


def cells(frame: pd.DataFrame, data: Data, asked: Question) -> pd.DataFrame:
    """The counts of every cohort and age that has begun: numerator, denominator, mature and, if asked for, both."""
    keys = asked.keys
    sizes = frame[frame["age"] == SIZE].rename(columns={"people": "denominator"}).drop(columns="age")
    sizes = sizes.drop(columns=[name for name in ("both",) if name in sizes])
    begun, over = _ages(sizes["cohort"], data, asked)
    grid = _grid(sizes.assign(begun=begun, over=over), asked)
    made = grid.merge(frame[frame["age"] != SIZE], on=[*keys, "age"], how="left")
    counts = ["people", *(["both"] if "both" in made else [])]
    made[counts] = made[counts].fillna(0).astype("int64")
    made = made.rename(columns={"people": "numerator"}).sort_values([*keys, "age"], ignore_index=True)
    if asked.rule == "on_or_after":
        made["numerator"] = made[::-1].groupby(keys)["numerator"].cumsum()[::-1]
        made["mature"] = made["over"] >= asked.highest
    else:
        made["mature"] = made["until"] <= made["over"]
    if asked.reference == "previous":
        made["size"] = made["denominator"]
        before = made.groupby(keys)["numerator"].shift()
        made["denominator"] = before.fillna(made["size"]).astype("int64")
        first = before.isna()
        if "both" not in made:
            made["both"] = made["numerator"]
        made["both"] = made["both"].where(~first, made["numerator"])
    return made


def _grid(sizes: pd.DataFrame, asked: Question) -> pd.DataFrame:
    """One row per cohort and age (or bracket) that has begun."""
    last = sizes["begun"] if asked.highest is None else np.minimum(sizes["begun"], asked.highest)
    if asked.spans:
        spans = pd.DataFrame(asked.spans, columns=["age", "until"], dtype="int64")
        grid = sizes.merge(spans, how="cross")
        return grid[grid["age"] <= grid["begun"]].reset_index(drop=True)
    grid = sizes.loc[sizes.index.repeat(np.maximum(last - asked.lowest + 1, 0))]
    ages = asked.lowest + grid.groupby(level=0).cumcount().to_numpy()
    return grid.assign(age=ages.astype("int64"), until=ages.astype("int64")).reset_index(drop=True)


def _ages(cohorts: pd.Series, data: Data, asked: Question) -> tuple[np.ndarray, np.ndarray]:
    """For each cohort the last age that has begun, and the last that is over for everybody in it (or -1)."""
    unit = asked.unit
    if unit == "hour" and asked.clock == "calendar":
        end = pd.Timestamp(data.as_of + engine.DAY)
        begun = ((end - cohorts) // _HOUR - 1).to_numpy("int64")
        return begun, begun
    if asked.clock == "rolling":
        block = pd.Timedelta(hours=round(24 * DAYS[unit]))
        starts, ends = _edges(cohorts, data, asked)
        begun = -((starts - data.end) // block) - 1
        return begun.to_numpy("int64"), ((data.end - ends) // block - 1).clip(lower=-1).to_numpy("int64")
    current = engine.period_of(data.as_of, unit, data.playbook.product.week_start)
    begun = cohorts.map(lambda day: _steps(day.date(), current, unit)).to_numpy("int64")
    return begun, begun if engine.next_period(current, unit) <= data.as_of + engine.DAY else begun - 1


def _edges(cohorts: pd.Series, data: Data, asked: Question) -> tuple[pd.Series, pd.Series]:
    """The instants at which each cohort's period begins and ends."""
    zone = data.playbook.product.time_zone
    if asked.unit == "hour":
        starts = cohorts.map(lambda hour: pd.Timestamp(engine.to_utc(hour.date(), zone)) + (hour - hour.normalize()))
        return starts, starts + _HOUR
    starts = cohorts.map(lambda day: pd.Timestamp(engine.to_utc(day.date(), zone)))
    return starts, cohorts.map(lambda day: pd.Timestamp(engine.to_utc(engine.next_period(day.date(), asked.unit), zone)))


def _steps(start: dt.date, end: dt.date, unit: str) -> int:
    if unit == "month":
        return (end.year - start.year) * 12 + end.month - start.month
    return (end - start).days // DAYS[unit]


def _of_those_before(made: pd.DataFrame, asked: Question, level: float) -> pd.DataFrame:
    """Intervals of shares of the age before: who came back need not have been there, so it is a ratio of counts."""
    loose = (made["age"] > asked.lowest) & (made["both"] < made["numerator"]) & (made["denominator"] > 0)
    counts = made.loc[loose, ["numerator", "denominator", "both"]].to_numpy("int64").T
    random, size = np.random.default_rng(0), counts[0] + counts[1] - counts[2]
    tails, ends = [(1 - level) / 2, (1 + level) / 2], np.empty((2, counts.shape[1]))
    for start in range(0, counts.shape[1], _CELLS_AT_ONCE):
        some = slice(start, start + _CELLS_AT_ONCE)
        (now, _, both), n = counts[:, some], size[some]
        # Each person of a cell was back at both ages, only at this one, or only at the one before.
        twice = random.binomial(n, both / n, (DRAWS, len(n)))
        fresh = random.binomial(n - twice, (now - both) / np.maximum(n - both, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = (twice + fresh) / (n - fresh)
        ends[:, some] = np.nanquantile(np.where(np.isfinite(drawn), drawn, np.nan), tails, axis=0)
    value = made.loc[loose, "value"]
    made.loc[loose, "low"], made.loc[loose, "high"] = np.fmin(ends[0], value), np.fmax(ends[1], value)
    return made


class Dealt:
    """Counts of people dealt out to groups, to be drawn again group by group.

    A person who stands in several cohorts, or at several ages, is in one group with all of it, so that
    the draws vary as other people would.
    """

    def __init__(self, frame: pd.DataFrame, asked: Question):
        groups = frame["dealt"].unique()
        wide = frame.set_index(["dealt", "cohort", "age"])["people"].unstack(fill_value=0)
        index = pd.MultiIndex.from_product([np.sort(groups), np.sort(frame["cohort"].unique())])
        self._wide = wide.reindex(index, fill_value=0)
        self._cohorts = index.levels[1]
        if asked.rule == "on_or_after":
            ages = [age for age in self._wide.columns if age != SIZE][::-1]
            self._wide[ages] = self._wide[ages].cumsum(axis=1)
        self._drawn: dict[int, np.ndarray] = {}
        random = np.random.default_rng(0)
        self._weights = random.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), DRAWS).astype("float64")

    def drawn(self, age: int, cohorts: pd.Series) -> np.ndarray:
        """People of each of the cohorts back at an age (all of them at -1): one row per draw."""
        if age not in self._wide:
            return np.zeros((len(self._weights), len(cohorts)))
        if age not in self._drawn:
            counts = self._wide[age].to_numpy("float64").reshape(-1, len(self._cohorts))
            self._drawn[age] = self._weights @ counts
        return self._drawn[age][:, self._cohorts.get_indexer(cohorts)]
