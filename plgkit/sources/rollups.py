"""The two small tables that most measures of activity read instead of events."""

from __future__ import annotations

import datetime as dt

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.playbook import Playbook
from plgkit.sources import engine


def active_events(events: Table, playbook: Playbook) -> Table:
    """The events that make a person active."""
    rules = playbook.activity
    if rules.events is not None:
        events = events.filter(events.event.isin(rules.events))
    return events.filter(events.event.notin(rules.except_)) if rules.except_ else events


def activity(events: Table, playbook: Playbook) -> Table:
    """One row per person and day with an event: how many, the person's first day, the day before this one.

    `prev_day` is the last day with an event before this one, NULL on the first.
    """
    days = active_events(events, playbook).group_by("user_id", "day").aggregate(n=_.count().cast("int64"))
    return _with_past(days, "day")


def activity_week(days: Table, playbook: Playbook) -> Table:
    """One row per person and week with an event: events, days, the first week, the week before this one."""
    start = playbook.product.week_start
    weeks = (
        days.mutate(week=engine.period(days.day, "week", start).cast("date"))
        .group_by("user_id", "week")
        .aggregate(n=_.n.sum().cast("int64"), days=_.count().cast("int64"))
    )
    return _with_past(weeks, "week")


def up_to(days: Table, weeks: Table, last_week: dt.date, playbook: Playbook) -> Table:
    """The weeks as they stood when the last one had days yet to come: that one is counted anew, the others stay.

    `days` end with the last day counted, and what a person did before a week is the same whenever it is asked.
    """
    start, last = playbook.product.week_start, ibis.date(last_week.isoformat())
    inside = days.filter(days.day >= last)
    earlier = (inside.prev_day < last).fill_null(False).ifelse(inside.prev_day, ibis.null("date"))
    inside = inside.mutate(earlier=earlier).group_by("user_id").aggregate(
        n=_.n.sum().cast("int64"), days=_.count().cast("int64"), first_day=_.first_day.min(), prev_day=_.earlier.max())
    inside = inside.select(
        "user_id", "n", "days", week=last, first_week=engine.period(inside.first_day, "week", start).cast("date"),
        prev_week=engine.period(inside.prev_day, "week", start).cast("date"))
    columns = ["user_id", "week", "n", "days", "first_week", "prev_week"]
    return weeks.filter(weeks.week < last).select(columns).union(inside.select(columns))


def _with_past(rows: Table, unit: str) -> Table:
    person = {"group_by": rows.user_id, "order_by": rows[unit]}
    return rows.mutate(**{
        f"first_{unit}": rows[unit].min().over(group_by=rows.user_id),
        f"prev_{unit}": rows[unit].lag().over(**person),
    })
