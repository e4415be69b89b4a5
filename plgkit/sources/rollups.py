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


def active_days(events: Table, playbook: Playbook) -> Table:
    """One row per person and day with an event: how many."""
    return active_events(events, playbook).group_by("user_id", "day").aggregate(n=_.count().cast("int64"))


def activity(days: Table, *, earlier: Table | None = None) -> Table:
    """One row per person and day with an event: how many, the person's first day, the day before this one.

    `prev_day` is the last day with an event before this one, NULL on the first. What people did before these days
    stands in `earlier`, rows of the same kind.
    """
    rows = days.mutate(first_day=days.day.min().over(group_by=days.user_id),
                       prev_day=days.day.lag().over(group_by=days.user_id, order_by=days.day))
    if earlier is None:
        return rows
    those = earlier.filter(earlier.user_id.isin(days.user_id)).group_by("user_id").aggregate(was_first=_.first_day.min(), was_last=_.day.max())
    both = rows.left_join(those, "user_id")
    return both.select(rows.user_id, rows.day, rows.n, first_day=both.was_first.fill_null(rows.first_day),
                       prev_day=rows.prev_day.fill_null(both.was_last))


def activity_week(days: Table, playbook: Playbook) -> Table:
    """One row per person and week with an event: events, days, the first week, the week before this one.

    What a person did before a week stands in its first day, so that the weeks of some days need no others.
    """
    start = playbook.product.week_start
    rows = days.mutate(week=engine.period(days.day, "week", start).cast("date"))
    rows = rows.mutate(earlier=(rows.prev_day < rows.week).fill_null(False).ifelse(rows.prev_day, ibis.null("date")))
    weeks = rows.group_by("user_id", "week").aggregate(
        n=_.n.sum().cast("int64"), days=_.count().cast("int64"), first_day=_.first_day.min(), prev_day=_.earlier.max())
    return weeks.select(
        "user_id", "week", "n", "days", first_week=engine.period(weeks.first_day, "week", start).cast("date"),
        prev_week=engine.period(weeks.prev_day, "week", start).cast("date"))


def up_to(days: Table, weeks: Table, last_week: dt.date, playbook: Playbook) -> Table:
    """The weeks as they stood when the last one had days yet to come: that one is counted anew, the others stay.

    `days` end with the last day counted, and what a person did before a week is the same whenever it is asked.
    """
    last = ibis.date(last_week.isoformat())
    inside = activity_week(days.filter(days.day >= last), playbook)
    return weeks.filter(weeks.week < last).select(inside.columns).union(inside)
