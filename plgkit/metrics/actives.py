"""Active people per period and over trailing windows, from the rollup of people's days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import shapes
from plgkit.metrics.accounts import of_accounts
from plgkit.metrics.people import segmented
from plgkit.sources import engine, rollups
from plgkit.sources.data import Data


def periods(data: Data, grain: engine.Grain, *, event: str | list[str] | None = None, unit: str = "user_id") -> Table:
    """One row per person and active period: `user_id`, `period`, `prev`, the active period before, NULL in the first.

    Activity is any event of the playbook's list, or only `event`. With the unit `account_id` there is one row
    per account that any of its people were active in.
    """
    if event is None and grain in ("day", "week") and unit == "user_id":
        rows = data.activity if grain == "day" else data.activity_week
        return rows.select("user_id", period=rows[grain], prev=rows[f"prev_{grain}"])
    if unit == "account_id":
        events = rollups.active_events(data.events, data.playbook) if event is None else data.event(event)
        days = of_accounts(data, events.select("user_id", "account_id", "day"))
    else:
        days = data.activity if event is None else data.event(event)
    rows = days.mutate(period=data.period(days.day, grain)).group_by(unit, "period").aggregate(n=_.count())
    before = rows.period.lag().over(ibis.window(group_by=rows[unit], order_by=rows.period))
    return rows.select(unit, period=rows.period, prev=before)


def moves(data: Data, grain: engine.Grain, *, event: str | list[str] | None, by: str | None,
          unit: str = "user_id") -> Table:
    """Per period: how many were active, new, there in the period before too, and back after a pause."""
    rows = segmented(data, periods(data, grain, event=event, unit=unit), by, unit=unit)
    stayed = (rows.prev == _before(data, rows.period, grain)).fill_null(False)
    first = rows.prev.isnull()
    rows = rows.mutate(is_new=first.ifelse(1, 0), is_kept=stayed.ifelse(1, 0),
                       is_back=(~first & ~stayed).ifelse(1, 0))
    return rows.group_by("period", *([by] if by else [])).aggregate(
        active=_.count().cast("int64"), new=_.is_new.sum().cast("int64"),
        retained=_.is_kept.sum().cast("int64"), resurrected=_.is_back.sum().cast("int64"))


def trailing_moves(data: Data, days: int, grain: engine.Grain, by: str | None) -> Table:
    """Per period, of those active in the `days` days that end with it: who is new, and who is back after a pause.

    New is who was never active before the period; back is who was, but not in the window that ended with
    the period before.
    """
    rows = data.activity.mutate(period=data.period(data.activity.day, grain))
    before = (rows.prev_day < rows.period).ifelse(rows.prev_day, ibis.null("date"))
    rows = rows.mutate(before=before).group_by("user_id", "period").aggregate(
        last=_.day.max(), first=_.first_day.min(), before=_.before.max())
    rows = segmented(data, rows, by)
    end = ibis.least(_end(rows.period, grain), ibis.date(data.as_of.isoformat()))
    here = rows.last > engine.shift(end, -days)
    new = here & (rows["first"] >= rows.period)
    away = (rows.before < engine.shift(rows.period, -days)).fill_null(False)
    rows = rows.mutate(is_new=new.ifelse(1, 0), is_back=(here & ~new & away).ifelse(1, 0))
    return rows.group_by("period", *([by] if by else [])).aggregate(
        new=_.is_new.sum().cast("int64"), resurrected=_.is_back.sum().cast("int64"))


def _end(period: ibis.Value, grain: engine.Grain) -> ibis.Value:
    """The last day of the period."""
    return engine.shift(following(period, grain), -1)


def following(period: ibis.Value, grain: engine.Grain) -> ibis.Value:
    """The first day of the period after."""
    if grain in ("day", "week"):
        return engine.shift(period, 1 if grain == "day" else 7)
    return (period + ibis.interval(months=1 if grain == "month" else 3)).cast("date")


def _before(data: Data, period: ibis.Value, grain: engine.Grain) -> ibis.Value:
    """The period before."""
    if grain in ("day", "week"):
        return engine.shift(period, -1 if grain == "day" else -7)
    return data.period(engine.shift(period, -1), grain)


def cover(data: Data, days: int, by: str | None, *, event: str | list[str] | None = None) -> Table:
    """Marks of change in the number of people active within the trailing window: `period` (a day), `change`.

    A person's active day covers itself and the days after it, as many as the window has. A cover that
    overlaps the one before begins where that one ends, so that nobody counts twice.
    """
    rows = segmented(data, periods(data, "day", event=event).rename(day="period", prev_day="prev"), by)
    keys = [by] if by else []
    # Alike days first: what follows is reckoned for each pair of days once and not for each person.
    rows = rows.group_by(*keys, "day", "prev_day").aggregate(people=_.count())
    rows = rows.mutate(people=engine.whole(rows.people))
    begins = ibis.greatest(rows.day, engine.shift(rows.prev_day, days).fill_null(rows.day))
    more = rows.select(*keys, period=begins, change=rows.people)
    less = rows.select(*keys, period=engine.shift(rows.day, days), change=-rows.people)
    return more.union(less).group_by("period", *keys).aggregate(change=_.change.sum().cast("int64"))


def levels(data: Data, days: int, by: str | None) -> Table:
    """Marks of change in the number of people who were active on exactly so many days of the trailing window.

    `period` (a day), `days`, `change`: a person's count of days goes up on an active day and down when that
    day leaves the window.
    """
    keys = ["user_id", *([by] if by else [])]
    rows = segmented(data, data.activity.select("user_id", "day"), by)
    more = rows.select(*keys, period=rows.day, step=ibis.literal(1))
    less = rows.select(*keys, period=engine.shift(rows.day, days), step=ibis.literal(-1))
    steps = more.union(less).group_by(*keys, "period").aggregate(step=_.step.sum().cast("int64"))
    steps = steps.filter(steps.step != 0)
    running = ibis.cumulative_window(group_by=steps.user_id, order_by=steps.period)
    steps = steps.mutate(after=steps.step.sum().over(running).cast("int64"))
    names = ["period", *keys[1:]]
    came = steps.select(*names, days=steps.after, change=ibis.literal(1))
    left = steps.select(*names, days=steps.after - steps.step, change=ibis.literal(-1))
    both = came.union(left).filter(_.days > 0)
    return both.group_by(*names, "days").aggregate(change=_.change.sum().cast("int64"))


def as_levels(frame: pd.DataFrame, data: Data, keys: list[str]) -> pd.DataFrame:
    """From marks of change to the level of every day up to `as_of`: one column per combination of `keys`."""
    wide = frame.pivot_table(index="period", columns=keys, values="change", aggfunc="sum", fill_value=0)
    every = pd.date_range(wide.index.min(), pd.Timestamp(data.as_of), freq="D", unit="us")
    return wide.reindex(every, fill_value=0).cumsum().astype("int64")


def long(wide: pd.DataFrame, value: str) -> pd.DataFrame:
    """Rows of `period` and the keys for what `as_levels` has in columns."""
    return wide.rename_axis(index="period").unstack().rename(value).reset_index()


def window_ends(first: dt.date, data: Data, grain: engine.Grain) -> list[dt.date]:
    """The last day of every period that has ended by `as_of`, from the period of `first` on."""
    start, found = engine.period_of(first, grain, data.playbook.product.week_start), []
    while engine.next_period(start, grain) <= data.as_of + engine.DAY:
        start = engine.next_period(start, grain)
        found.append(start - engine.DAY)
    return found


def as_trailing(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Distinct people over the days that end with the last day of each period."""
    by, days = parameters["by"], parameters["trailing_days"]
    if frame.empty:
        return shapes.with_count(frame.rename(columns={"change": "value"}), parameters).assign(complete=False)
    wide = as_levels(frame.assign(all=0), data, [by or "all"])
    ends = pd.DatetimeIndex(window_ends(wide.index[0].date(), data, parameters["grain"]), dtype="datetime64[us]")
    made = long(wide.loc[ends], "value")
    made["complete"] = made["period"] - pd.Timedelta(days=days - 1) >= wide.index[0]
    return shapes.ordered(shapes.with_count(made, parameters), parameters, ["value", "low", "high", "complete"])
