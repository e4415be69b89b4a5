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
_QUARTERS = {"q25_seconds": 0.25, "median_seconds": 0.5, "q75_seconds": 0.75}


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
    One row per step and segment: step, position (from 1), people (mature ones who got there), immature
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

    Of rows at the same instant, one that no later step can use goes first.
    """
    if "row" not in rows.columns:
        if carried == ["day"]:
            return rows.group_by("user_id").aggregate(day=_.day.min(), at_1=_.occurred_at.min())
        return rows.group_by("user_id", *carried).aggregate(**{f"at_{number}": _.occurred_at.min()})
    useful = sum((rows.event.isin(step).ifelse(1, 0) for step in names[number:]), ibis.literal(0))
    firsts = first_of(rows.mutate(useful=useful), "user_id", "occurred_at", "useful", "row")
    return firsts.select("user_id", *carried, **{f"at_{number}": _.occurred_at, f"row_{number}": _.row})


def _checked(steps: list[Step]) -> list[list[str]]:
    names = [[step] if isinstance(step, str) else list(step) for step in steps] if isinstance(steps, list) else []
    if len(names) < 2 or not all(names):
        raise BadParameter("steps", steps, expected="a list of two steps or more, each an event or a list of events")
    return names


def counted(data: Data, people: Table, steps: list[Step], *, within_days: int, by: str | None) -> Table:
    """Add the people up, step by step: one row per segment, wide."""
    people = segmented(data, people, by)
    people = people.mutate(old=closed(data, people.at_1, within_days))
    facts = {}
    for number in range(1, len(steps) + 1):
        at = people[f"at_{number}"]
        facts[f"people_{number}"] = _sum(people.old & at.notnull())
        facts[f"immature_{number}"] = _sum(~people.old & at.notnull())
        if number > 1:
            lasted = people.old.ifelse(seconds_between(at, people[f"at_{number - 1}"]), ibis.null("float64"))
            facts |= {f"{name}_{number}": lasted.quantile(share) for name, share in _QUARTERS.items()}
            whole = people.old.ifelse(seconds_between(at, people.at_1), ibis.null("float64"))
            facts[f"median_seconds_from_entry_{number}"] = whole.quantile(0.5)
    return people.group_by(by).aggregate(**facts) if by else people.aggregate(**facts)


def _sum(flag: ibis.Value) -> ibis.Value:
    return flag.fill_null(False).ifelse(1, 0).sum().fill_null(0).cast("int64")


def as_funnel(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """One row per step and segment, with shares, losses and Wilson intervals."""
    steps, by = parameters["steps"], parameters["by"]
    names = [step if isinstance(step, str) else " or ".join(step) for step in steps]
    rows = [_step(row, name, number, by) for row in frame.to_dict("records") for number, name in enumerate(names, 1)]
    made = pd.DataFrame(rows, columns=["step", "position", *([by] if by else []), "entry", "before", "after", *COLUMNS])
    people, entry, before = (made[name].astype("float64") for name in ("people", "entry", "before"))
    made["share_of_entry"] = people / entry.where(entry > 0)
    made["share_of_previous"] = people / before.where(before > 0)
    made["stuck_share"] = 1 - made["after"].astype("float64") / people.where(people > 0)
    made["low"], made["high"] = intervals.wilson(people, entry, level=parameters["level"])
    made = made.drop(columns=["entry", "before", "after"]).astype({"people": "int64", "immature": "int64", "lost": "int64"})
    return made.sort_values([*([by] if by else []), "position"], ignore_index=True)


def _step(row: dict[str, Any], name: str, number: int, by: str | None) -> dict[str, Any]:
    people = row[f"people_{number}"]
    before = row.get(f"people_{number - 1}", people)
    times = {each: row.get(f"{each}_{number}") for each in (*_QUARTERS, "median_seconds_from_entry")}
    return {"step": name, "position": number, **({by: row[by]} if by else {}), "entry": row["people_1"],
            "before": before, "after": row.get(f"people_{number + 1}"), "people": people,
            "immature": row[f"immature_{number}"], "lost": before - people,
            **{each: float("nan") if value is None else value for each, value in times.items()}}


@measure(shape="funnel", unit="people", better="higher", reads="events", finish=as_funnel)
def ordered(data: Data, *, steps: list[Step], within_days: int = 14, by: str | None = None) -> Table:
    """People through the steps `steps` in order, within `within_days` days of the first.

    Examples
    --------
    >>> from plgkit import samples
    >>> ordered(samples.tiny(), steps=["profile_filled", "report_created"], by="channel")[["step", "people"]].head(2)
                 step  people
    0  profile_filled       1
    1  report_created       1
    """
    return counted(data, reached(data, steps, within_days=within_days), steps, within_days=within_days, by=by)
