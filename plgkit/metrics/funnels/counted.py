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
    numbers, nobody = range(1, asked.n + 1), np.full(len(frame), np.nan)
    # Here a row is a group and a column a step.
    people, immature = (np.column_stack([_whole(frame[f"{name}_{k}"]) for k in numbers]) for name in ("people", "immature"))
    n, entry = people.astype("float64"), np.repeat(people[:, :1].astype("float64"), asked.n, axis=1)
    before, after, needed = np.full(n.shape, np.nan), np.full(n.shape, np.nan), np.ones(n.shape, dtype=bool)
    for k in numbers[1:]:
        earlier = asked.required_before(k)
        before[:, k - 1] = n[:, earlier - 1]
        needed[:, k - 1] = k not in asked.optional
        if k not in asked.optional:
            after[:, earlier - 1] = n[:, k - 1]
    low, high = intervals.wilson(people.ravel(), entry.ravel(), level=parameters["level"])
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = np.column_stack([nobody, *[frame[f"sum_{k}"].to_numpy(dtype="float64", na_value=np.nan) for k in numbers[1:]]])
        columns = {
            "people": people, "immature": immature, "share_of_entry": n / entry,
            "share_of_previous": n / np.where(np.isnan(before), entry, before), "low": low, "high": high,
            "stuck_share": 1 - after / n, "mean_seconds": sums / n / 1e6,
            "lost": np.nan_to_num(np.where(needed, before - n, 0)).astype("int64"),
        }
    for since, ending in SINCE.items():
        for place, quarter in enumerate(QUARTERS):
            there = [np.array([_at(each, place) for each in frame[f"{since}_{k}"]]) / 1e6 for k in numbers[1:]]
            columns[f"{quarter}_{ending}"] = np.column_stack([nobody, *there])
    keys = {name: np.repeat(frame[name].to_numpy(), asked.n) for name in ("period", "segment") if name in frame.columns}
    made = pd.DataFrame(keys | {"position": np.tile(list(numbers), len(frame)), "step": step_names(asked) * len(frame)}
                        | {name: np.asarray(values).ravel() for name, values in columns.items()})
    made = made.sort_values([name for name in ("period", "position", "segment") if name in made.columns], ignore_index=True)
    order = [name for name in ("period", "position", "step", "segment") if name in made.columns]
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


def _whole(counts: pd.Series) -> np.ndarray:
    return counts.to_numpy(dtype="float64", na_value=0).astype("int64")


def _at(values: Any, place: int) -> float:
    known = isinstance(values, (list, tuple, np.ndarray)) and len(values) > place and values[place] is not None
    return float(values[place]) if known else np.nan
