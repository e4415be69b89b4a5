"""Trailing windows that end with the last day of each period, and what people did in them."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import actives
from plgkit.sources import engine
from plgkit.sources.data import Data


def ends(data: Data, days: int, grain: engine.Grain) -> list[dt.date]:
    """The last days of the periods that have ended by `as_of`, where the window of so many days lies in the data."""
    first = data.run(data.activity.aggregate(first=_.day.min()))["first"].iloc[0]
    if pd.isna(first):
        return []
    found = actives.window_ends(first.date(), data, grain)
    return [end for end in found if end - (days - 1) * engine.DAY >= first.date()]


def spread(rows: Table, last_days: list[dt.date], days: int, *, day: str = "day") -> Table:
    """Each row once for every window that holds its day, with `period`, the last day of that window."""
    literal = [ibis.date(each.isoformat()) for each in last_days or [dt.date(1, 1, 1)]]
    windows = ibis.array(literal).unnest().name("period").as_table()
    held = rows.select(window_day=rows[day]).distinct()
    inside = (held.window_day <= windows.period) & (engine.shift(held.window_day, days) > windows.period)
    calendar = held.inner_join(windows, inside)
    return rows.inner_join(calendar, rows[day] == calendar.window_day).drop("window_day")


def active_days(data: Data, last_days: list[dt.date], days: int) -> Table:
    """One row per person active in a window: `user_id`, `period` (its last day) and `days` on which they were."""
    weekday = {(each - dt.date(2024, 1, 1)).days % 7 for each in last_days}
    start = 6 if data.playbook.product.week_start == "sunday" else 0
    if days % 7 == 0 and weekday == {(start + 6) % 7}:
        # Windows of whole weeks: the smaller table has all that is needed.
        rows = data.rollups["activity_week"].select("user_id", "days", day=_.week)
    else:
        rows = data.activity.select("user_id", "day", days=ibis.literal(1, "int64"))
    return spread(rows, last_days, days).group_by("user_id", "period").aggregate(days=_.days.sum().cast("int64"))
