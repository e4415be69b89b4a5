"""Units added up to the frame of a funnel: how many get to each step, in what time, and how many are lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, Table

from plgkit.metrics.funnels.plan import Plan, interval, plan
from plgkit.metrics.people import segmented
from plgkit.sources.data import Data
from plgkit.stats import intervals

COLUMNS = ["people", "immature", "share_of_entry", "share_of_previous", "low", "high", "q25_seconds",
           "median_seconds", "q75_seconds", "mean_seconds", "q25_seconds_from_entry", "median_seconds_from_entry",
           "q75_seconds_from_entry", "lost", "stuck_share"]
QUARTERS = {"q25": 1, "median": 2, "q75": 3}
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
    """One row per period, segment and position: people, immature, and the times on either side of each quartile."""
    keys = [*(["period"] if asked.grain else []), *(["segment"] if asked.cut else [])]
    found = found.mutate(old=old)
    numbers = ibis.array(list(range(1, asked.n + 1))).unnest().name("position").as_table()
    rows = found.cross_join(numbers)
    at, before = _at_position(rows, asked, "at"), _at_position(rows, asked, "from")
    rows = rows.select(*keys, "old", "position", step=_micros(at, before), entry=_micros(at, rows.at_1))
    rows = rows.filter(rows.entry.notnull())
    alike = [rows[name] for name in (*keys, "position", "old")]
    rows = rows.mutate(
        n=rows.position.count().over(group_by=alike),
        step_place=ibis.row_number().over(ibis.window(group_by=alike, order_by=rows.step)),
        entry_place=ibis.row_number().over(ibis.window(group_by=alike, order_by=rows.entry)))
    times = {"step_sum": (rows.old & (rows.position > 1)).ifelse(rows.step, 0).sum().cast("float64")}
    for since in SINCE:
        for name, quarter in QUARTERS.items():
            place = (rows.n - 1) * quarter // 4
            for side in (0, 1):
                here = rows.old & (rows[f"{since}_place"] == place + side)
                times[f"{since}_{name}_{side}"] = here.ifelse(rows[since], ibis.null("int64")).max()
    return rows.group_by(*keys, "position").aggregate(people=_sum(rows.old), immature=_sum(~rows.old), **times)


def _at_position(rows: Table, asked: Plan, name: str) -> ibis.Value:
    """The moment of the step at the row's position, or of the step before it."""
    names = [f"{name}_{k}" if f"{name}_{k}" in rows.columns else f"at_{max(k - 1, 1)}" for k in range(1, asked.n + 1)]
    return ibis.cases(*[(rows.position == k, rows[each]) for k, each in enumerate(names, start=1)])


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
        for name, quarter in QUARTERS.items():
            made[f"{name}_{ending}"] = _quartile(made, f"{since}_{name}", quarter)
    made["mean_seconds"] = (made["step_sum"] / made["people"].where(made["people"] > 0) / 1e6).where(made["position"] > 1)
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
    """All steps of every group, also those that nobody reached."""
    grid = pd.DataFrame({"step": step_names(asked), "position": range(1, asked.n + 1)})
    if keys:
        grid = grid.merge(frame[keys].drop_duplicates(), how="cross")
    made = grid.merge(frame, how="left", on=["position", *keys])
    made[["people", "immature"]] = made[["people", "immature"]].fillna(0).astype("int64")
    return made.sort_values([*keys, "position"], ignore_index=True)


def _people_at(made: pd.DataFrame, keys: list[str], position: int) -> pd.Series:
    """For each row the people at a position of its own group."""
    there = made["people"].where(made["position"] == position).astype("float64")
    return there.groupby([made[name] for name in keys]).transform("max") if keys else pd.Series(there.max(), index=made.index)


def _quartile(made: pd.DataFrame, name: str, quarter: int) -> pd.Series:
    """Between the two people around the quartile, as far as it lies from the first of them."""
    low, high = (made[f"{name}_{side}"].astype("float64") for side in (0, 1))
    between = (made["people"] - 1).clip(lower=0) * quarter % 4 / 4
    return ((low + (high.fillna(low) - low) * between) / 1e6).where(made["position"] > 1)
