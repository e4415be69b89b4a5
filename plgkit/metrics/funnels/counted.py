"""Units added up to the frame of a funnel: how many get to each step, in what time, and how many are lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import BooleanValue, Table

from plgkit.metrics.funnels.plan import Plan, interval, plan
from plgkit.metrics.people import segmented
from plgkit.sources.data import Data
from plgkit.sources.quartiles import quartiles
from plgkit.stats import intervals

COLUMNS = ["people", "immature", "share_of_entry", "share_of_previous", "low", "high", "q25_seconds",
           "median_seconds", "q75_seconds", "mean_seconds", "q25_seconds_from_entry", "median_seconds_from_entry",
           "q75_seconds_from_entry", "lost", "stuck_share"]
QUARTERS = ("q25", "median", "q75")
SINCE = {"step": "seconds", "entry": "seconds_from_entry"}


def counted(data: Data, people: Table, steps: list, *, within_days: int, by: str | None) -> Table:
    """Add up people whose steps are `at_1` to `at_n`: one row per segment and position, for `as_funnel`."""
    asked = plan(steps, within_days=within_days, by=by)
    people = segmented(data, people, by)
    people = people.rename(segment=by) if by else people
    return added_up(people, mature(data, people, asked), asked)


def mature(data: Data, found: Table, asked: Plan) -> BooleanValue:
    """Whether the window of each unit had closed by the end of `as_of`."""
    return found.at_1 + interval(asked.window) < data.end_literal


def added_up(found: Table, old: BooleanValue, asked: Plan) -> Table:
    """One row per period and segment, for each step k: people_k, immature_k, the microseconds since the step before

    added up (sum_k) and their quartiles (step_k), and the quartiles of those since the entry (entry_k).
    """
    keys = [*(["period"] if asked.grain else []), *(["segment"] if asked.cut else [])]
    found = found.mutate(old=old)
    columns: dict[str, ibis.Value] = {}
    for k in range(1, asked.n + 1):
        at = found[f"at_{k}"]
        columns[f"people_{k}"] = _sum(found.old & at.notnull())
        columns[f"immature_{k}"] = _sum(~found.old & at.notnull())
        if k > 1:
            before = found[f"from_{k}" if f"from_{k}" in found.columns else f"at_{k - 1}"]
            step, entry = (found.old.ifelse(_micros(at, each), ibis.null("int64")) for each in (before, found.at_1))
            columns |= {f"sum_{k}": step.sum().cast("float64"), f"step_{k}": quartiles(step), f"entry_{k}": quartiles(entry)}
    return found.group_by(*keys).aggregate(**columns) if keys else found.aggregate(**columns)


def _micros(later: ibis.Value, earlier: ibis.Value) -> ibis.Value:
    return later.delta(earlier, unit="microsecond").cast("int64")


def _sum(flag: BooleanValue) -> ibis.Value:
    return flag.ifelse(1, 0).sum().cast("int64")


def as_funnel(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """One row per period, step and segment, with shares, losses and Wilson intervals."""
    asked = plan(parameters["steps"], **{name: value for name, value in parameters.items() if name not in ("steps", "level")})
    keys = [*(["period"] if asked.grain else []), *(["segment"] if asked.cut else [])]
    made = _every_step(frame, asked, keys)
    entry = made.groupby(keys)["people"].transform("first") if keys else pd.Series(made["people"].iloc[0], index=made.index)
    entry = entry.astype("float64")
    before = pd.Series([float("nan")] * len(made), index=made.index)
    after = before.copy()
    for k in range(1, asked.n + 1):
        here, earlier = made["position"] == k, asked.required_before(k)
        if earlier:
            before[here] = _people_at(made, keys, earlier)[here]
        if earlier and k not in asked.optional:
            after[made["position"] == earlier] = _people_at(made, keys, k)[made["position"] == earlier]
    needed = ~made["position"].isin(asked.optional)
    made["lost"] = (before - made["people"]).where(needed).fillna(0).astype("int64")
    made["share_of_entry"] = made["people"] / entry.where(entry > 0)
    made["share_of_previous"] = made["people"] / before.fillna(entry).where(lambda n: n > 0)
    made["stuck_share"] = 1 - after / made["people"].where(made["people"] > 0)
    made["low"], made["high"] = intervals.wilson(made["people"], entry, level=parameters["level"])
    for since, ending in SINCE.items():
        for quarter in QUARTERS:
            made[f"{quarter}_{ending}"] = made[f"{since}_{quarter}"] / 1e6
    made["mean_seconds"] = made["sum"] / made["people"].where(made["people"] > 0) / 1e6
    made = made.sort_values([*keys[:1], "position", *keys[1:]] if asked.grain else ["position", *keys], ignore_index=True)
    order = [*(["period"] if asked.grain else []), "position", "step", *(["segment"] if asked.cut else [])]
    return made[[*order, *COLUMNS]].rename(columns={"segment": cut_name(asked)})


def cut_name(asked: Plan) -> str:
    """The name of the column to cut by; a property named like a column of the frame is said to be one."""
    name = asked.cut or "segment"
    return f"{name} (property)" if name in (*COLUMNS, "period", "position", "step") else name


def step_names(asked: Plan) -> list[str]:
    """What each position of the frame is called."""
    if asked.order == "any":
        return [f"{k} of {asked.n} steps" for k in range(1, asked.n + 1)]
    return [str(each) for each in asked.steps]


def _every_step(frame: pd.DataFrame, asked: Plan, keys: list[str]) -> pd.DataFrame:
    """One row per step of every group, also of those that nobody reached."""
    parts = []
    for k, name in enumerate(step_names(asked), start=1):
        part = frame[keys].assign(position=k, step=name)
        for column in ("people", "immature"):
            part[column] = frame[f"{column}_{k}"].fillna(0).astype("int64")
        part["sum"] = frame[f"sum_{k}"] if k > 1 else np.nan
        for since in SINCE:
            for place, quarter in enumerate(QUARTERS):
                part[f"{since}_{quarter}"] = [_at(each, place) for each in frame[f"{since}_{k}"]] if k > 1 else np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True).sort_values([*keys, "position"], ignore_index=True)


def _at(values: Any, place: int) -> float:
    known = isinstance(values, (list, tuple, np.ndarray)) and len(values) > place and values[place] is not None
    return float(values[place]) if known else np.nan


def _people_at(made: pd.DataFrame, keys: list[str], position: int) -> pd.Series:
    """For each row the people at a position of its own group."""
    there = made["people"].where(made["position"] == position).astype("float64")
    return there.groupby([made[name] for name in keys]).transform("max") if keys else pd.Series(there.max(), index=made.index)
