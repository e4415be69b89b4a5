"""Ordered funnels: who goes how far through steps, how fast, and where they stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics.people import closed, first_of, segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import seconds_between
from plgkit.stats import intervals

Step = str | list[str]
COLUMNS = ["people", "immature", "share_of_entry", "share_of_previous", "low", "high", "q25_seconds",
           "median_seconds", "q75_seconds", "median_seconds_from_entry", "lost", "stuck_share"]
_QUARTILES = {"q25_seconds": ("step", 1), "median_seconds": ("step", 2), "q75_seconds": ("step", 3),
              "median_seconds_from_entry": ("entry", 2)}


def funnel(data: Data, steps: list[Step], *, within_days: int = 14, by: str | None = None,
           level: float = 0.95) -> pd.DataFrame:
    """How many people get through steps in order within `within_days` days of the first one.

    The first entry of each person opens the window; later ones do not open it again. Other events may
    come between. Entrants whose window is still open are immature: counted apart, never as lost.
    Events at the same instant have no order, but every step must be another event.

    Parameters
    ----------
    data
        Reads `events`.
    steps
        Two or more: each an event, or a list of events of which any counts.
    within_days
        Days of 24 hours from the first step to the last; the last instant counts.
    by
        Column of people to cut by.
    level
        Share that intervals cover.

    Returns
    -------
    One row per step and segment: position (from 1), step, people (mature ones who got there), immature
    (those too young who did), share_of_entry with low and high, share_of_previous, q25_seconds,
    median_seconds, q75_seconds (from the step before), median_seconds_from_entry, lost (people of the step
    before who are not here), stuck_share (of the people here, those who go no further; missing at the last).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = funnel(samples.tiny(), ["profile_filled", "data_connected", "report_created"])
    >>> found[["step", "people", "share_of_entry", "median_seconds", "stuck_share"]].round(3)
                 step  people  share_of_entry  median_seconds  stuck_share
    0  profile_filled       3           1.000             NaN        0.333
    1  data_connected       2           0.667         86550.0        0.000
    2  report_created       2           0.667         97500.0          NaN
    """
    return ordered(data, steps=steps, within_days=within_days, by=by, level=level)


def reached(data: Data, steps: list[Step], *, within_days: int) -> Table:
    """One row per person who entered: `user_id`, `day` of entry, `at_1` to `at_n` (NULL where not reached)."""
    names = _checked(steps)
    rows = data.event(sorted({each for step in names for each in step}))
    shared = sum(map(len, names)) > len({each for step in names for each in step})
    if shared:
        order = ibis.window(group_by=rows.user_id, order_by=[rows.occurred_at, rows.event])
        rows = rows.mutate(row=ibis.row_number().over(order))
    rows = rows.select("user_id", "event", "occurred_at", "day", *(["row"] if shared else []))
    entered = _earliest(rows.filter(rows.event.isin(names[0])), 1, ["day"], names)
    found, so_far = entered.drop("row_1") if shared else entered, entered.drop("day")
    for number, step in enumerate(names[1:], start=2):
        used = [name for name in so_far.columns if name.startswith("row_")]
        after = so_far.inner_join(rows.filter(rows.event.isin(step)).drop("day"), "user_id")
        after = after.filter(
            after.occurred_at >= after[f"at_{number - 1}"],
            after.occurred_at <= after.at_1 + ibis.interval(days=within_days),
            *[after.row != after[name] for name in used])
        so_far = _earliest(after, number, ["at_1", *used], names)
        found = found.left_join(so_far.select("user_id", f"at_{number}"), "user_id").drop("user_id_right")
    return found


def _earliest(rows: Table, number: int, carried: list[str], names: list[list[str]]) -> Table:
    """Each person's earliest row as `at_<number>`; where events serve several steps, with the row it was.

    Of rows at the same instant, the one that the steps to come can spare goes first.
    """
    if "row" not in rows.columns:
        if carried == ["day"]:
            return rows.group_by("user_id").aggregate(day=_.day.min(), at_1=_.occurred_at.min())
        return rows.group_by("user_id", *carried).aggregate(**{f"at_{number}": _.occurred_at.min()})
    weights = [(step, 2 ** place) for place, step in enumerate(reversed(names[number:]))]
    useful = sum((rows.event.isin(step).ifelse(weight, 0) for step, weight in weights), ibis.literal(0))
    firsts = first_of(rows.mutate(useful=useful), "user_id", "occurred_at", "useful", "row")
    return firsts.select("user_id", *carried, **{f"at_{number}": _.occurred_at, f"row_{number}": _.row})


def _checked(steps: list[Step]) -> list[list[str]]:
    names = [[step] if isinstance(step, str) else list(step) for step in steps] if isinstance(steps, list) else []
    if len(names) < 2 or not all(names):
        raise BadParameter("steps", steps, expected="a list of two steps or more, each an event or a list of events")
    return names


def counted(data: Data, people: Table, steps: list[Step], *, within_days: int, by: str | None) -> Table:
    """Add the people up: one row per segment and position, with the times on either side of each quartile."""
    people = segmented(data, people, by)
    people = people.mutate(old=closed(data, people.at_1, within_days))
    parts = []
    for number in range(1, len(steps) + 1):
        at, before = people[f"at_{number}"], people[f"at_{max(number - 1, 1)}"]
        parts.append(people.filter(at.notnull()).select(
            *([by] if by else []), "old", position=ibis.literal(number), step=seconds_between(at, before),
            entry=seconds_between(at, people.at_1)))
    rows = ibis.union(*parts)
    keys = [*([by] if by else []), "position"]
    alike = [rows[name] for name in (*keys, "old")]
    rows = rows.mutate(
        n=rows.position.count().over(group_by=alike),
        step_place=ibis.row_number().over(ibis.window(group_by=alike, order_by=rows.step)),
        entry_place=ibis.row_number().over(ibis.window(group_by=alike, order_by=rows.entry)))
    times = {}
    for name, quarters in (("step", (1, 2, 3)), ("entry", (2,))):
        for quarter in quarters:
            place = (rows.n - 1) * quarter // 4
            for side in (0, 1):
                here = rows.old & (rows[f"{name}_place"] == place + side)
                times[f"{name}_{quarter}_{side}"] = here.ifelse(rows[name], ibis.null("float64")).max()
    return rows.group_by(*keys).aggregate(people=_sum(rows.old), immature=_sum(~rows.old), **times)


def _sum(flag: ibis.Value) -> ibis.Value:
    return flag.ifelse(1, 0).sum().cast("int64")


def as_funnel(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """One row per step and segment, with shares, losses and Wilson intervals."""
    steps, keys = parameters["steps"], [parameters["by"]] if parameters["by"] else []
    names = [step if isinstance(step, str) else " or ".join(step) for step in steps]
    grid = pd.DataFrame({"step": names, "position": range(1, len(steps) + 1)})
    if keys:
        grid = grid.merge(frame[keys].drop_duplicates(), how="cross")
    made = grid.merge(frame.rename(columns={"step": "step_"}), how="left", on=["position", *keys])
    made[["people", "immature"]] = made[["people", "immature"]].fillna(0).astype("int64")
    made = made.sort_values([*keys, "position"], ignore_index=True)
    before = _shifted(made, keys, 1)
    made["lost"] = (before - made["people"]).fillna(0).astype("int64")
    entry = made.groupby(keys)["people"].transform("first") if keys else made["people"].iloc[0]
    entry = pd.Series(entry, index=made.index).astype("float64")
    made["share_of_entry"] = made["people"] / entry.where(entry > 0)
    made["share_of_previous"] = made["people"] / before.fillna(entry).where(lambda n: n > 0)
    made["stuck_share"] = 1 - _shifted(made, keys, -1) / made["people"].where(made["people"] > 0)
    made["low"], made["high"] = intervals.wilson(made["people"], entry, level=parameters["level"])
    for name, (what, quarter) in _QUARTILES.items():
        made[name] = _quartile(made, what, quarter)
    return made.sort_values(["position", *keys], ignore_index=True)[["position", "step", *keys, *COLUMNS]]


def _shifted(made: pd.DataFrame, keys: list[str], by: int) -> pd.Series:
    people = made["people"].astype("float64")
    return people.groupby([made[name] for name in keys]).shift(by) if keys else people.shift(by)


def _quartile(made: pd.DataFrame, what: str, quarter: int) -> pd.Series:
    """Between the two people around the quartile, as far as it lies from the first of them."""
    low, high = made[f"{what}_{quarter}_0"], made[f"{what}_{quarter}_1"]
    between = (made["people"] - 1).clip(lower=0) * quarter % 4 / 4
    return (low + (high.fillna(low) - low) * between).where(made["position"] > 1).astype("float64")


@measure(shape="funnel", unit="people", better="higher", reads="events", finish=as_funnel)
def ordered(data: Data, *, steps: list[Step], within_days: int = 14, by: str | None = None) -> Table:
    """People who get through the steps `steps` in order within `within_days` days of the first.

    `funnel` is this with the steps as its second argument.

    Parameters
    ----------
    data, steps, within_days, by
        As in `funnel`.

    Returns
    -------
    One row per step and segment, as in `funnel`.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = ordered(samples.tiny(), steps=["profile_filled", "report_created"], by="channel")
    >>> found[["position", "channel", "people"]].head(2)
       position  channel  people
    0         1   invite       1
    1         1  organic       1
    """
    return counted(data, reached(data, steps, within_days=within_days), steps, within_days=within_days, by=by)
