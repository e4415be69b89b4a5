"""Rows that come late, and how much the last weeks still move."""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.quality.touched import counted, percent
from plgkit.sources import engine
from plgkit.sources.data import Data

DELAYS = {"before they happened": -1e-6, "within an hour": 3600, "within a day": 86_400, "within three days": 3 * 86_400, "within a week": 7 * 86_400, "later": None}
_BY_DAY, _BY_WEEK = "engagement.active_people by day", "and by week retention.cohorts too"


def late_rows(data: Data) -> pd.DataFrame:
    """How long after they happened events were received.

    Returns
    -------
    One row per delay, from the shortest: delay, rows, share (of the rows whose receiving is known), up_to (share up to this delay), after_day and
    after_week (rows received when their day, their week was over), effect. Before they happened is a clock ahead of the server's. No row where
    nobody knows when events were received.

    Examples
    --------
    >>> from plgkit import samples
    >>> late_rows(samples.tiny()).empty
    True
    """
    rows = _received(data)
    steps = [(rows.seconds <= limit, name) for name, limit in DELAYS.items() if limit is not None]
    found = data.run(rows.mutate(delay=ibis.cases(*steps, else_="later")).group_by("delay").aggregate(
        rows=_.count().cast("int64"), after_day=(_.received > _.day).ifelse(1, 0).sum().cast("int64"),
        after_week=(_.late > 0).ifelse(1, 0).sum().cast("int64")))
    columns = ["delay", "rows", "share", "up_to", "after_day", "after_week", "effect"]
    if found.empty:
        return pd.DataFrame(columns=columns).astype({"rows": "int64", "share": "float64", "up_to": "float64", "after_day": "int64", "after_week": "int64"})
    made = found.set_index("delay").reindex(list(DELAYS), fill_value=0).rename_axis("delay").reset_index()
    made["share"] = made["rows"] / made["rows"].sum()
    made["up_to"] = made["rows"].cumsum() / made["rows"].sum()
    made["effect"] = [_of_delay(row.delay, row.rows, row.after_day, row.after_week) for row in made.itertuples()]
    return made[columns]


def _of_delay(delay: str, rows: int, after_day: int, after_week: int) -> str:
    if not rows:
        return "none: there are no such rows"
    if delay == "before they happened":
        return f"{counted(rows, 'row')} of a clock ahead of the server's: what that does is told under clocks"
    if not after_day:
        return "none: they came on their own day"
    said = f"{counted(after_day, 'row')} missed the day"
    return f"{said} and {after_week:,} the week: {_BY_DAY}, {_BY_WEEK}, read before, were too low" if after_week else f"{said}: {_BY_DAY}, read before, was too low"


def _received(data: Data) -> Table:
    """Events whose receiving is known: seconds until then, the day of it, and by how many days the week was over."""
    rows = data.events.filter(_.received_at.notnull())
    rows = rows.mutate(week=data.period(rows.day, "week").cast("date"), received=data.local(rows.received_at).date(),
                       seconds=engine.seconds_between(rows.received_at, rows.occurred_at))
    return rows.mutate(late=engine.days_between(rows.received, rows.week) - 6)


def moving_weeks(data: Data, *, weeks: int = 26) -> pd.DataFrame:
    """How much of a week's events came after the week was over: what a report of last week would still have missed.

    Returns
    -------
    One row per number of days after the week's end: days_after (0, 1, 2, 3, 7, 14), known (share of the events of the last `weeks` weeks known by then; weeks that are
    too young for it are not in), still_moves (the rest), share_of_people_missed (share of the weeks' active people of whom nothing was known by then), weeks (so many weeks
    judged), effect.

    Examples
    --------
    >>> from plgkit import samples
    >>> moving_weeks(samples.tiny()).empty
    True
    """
    rows = _received(data)
    each = rows.group_by("week", "user_id").aggregate(late=_.late.min())
    people = data.run(each.group_by("week", "late").aggregate(people=_.count().cast("int64")))
    events = data.run(rows.group_by("week", "late").aggregate(rows=_.count().cast("int64")))
    made = []
    for days in (0, 1, 2, 3, 7, 14):
        known, judged = _known_by(events, "rows", days, weeks, data)
        seen, _judged = _known_by(people, "people", days, weeks, data)
        if judged:
            made.append({"days_after": days, "known": known, "still_moves": 1 - known, "share_of_people_missed": 1 - seen, "weeks": judged,
                         "effect": _of_week(days, 1 - known, 1 - seen)})
    return pd.DataFrame(made, columns=["days_after", "known", "still_moves", "share_of_people_missed", "weeks", "effect"])


def _known_by(found: pd.DataFrame, what: str, days: int, weeks: int, data: Data) -> tuple[float, int]:
    """The share that was known so many days after the week's end, over the weeks old enough, and how many weeks those are."""
    start = pd.Timestamp(data.as_of) - pd.Timedelta(weeks=weeks)
    old = found[(found["week"] > start) & (found["week"] + pd.Timedelta(days=6 + days) <= pd.Timestamp(data.as_of))]
    return (int(old.loc[old["late"] <= days, what].sum()) / int(old[what].sum()), old["week"].nunique()) if len(old) else (0.0, 0)


def _of_week(days: int, events: float, people: float) -> str:
    when = "on its last day" if not days else f"{counted(days, 'day')} after its end"
    if not events:
        return f"none: read {when}, a week is whole"
    least = f"engagement.active_people is too low by {percent(people)}, and retention of that week by up to as much" if people else \
        "engagement.active_people and retention are right, for somebody late was there before"
    return f"read {when}, a week lacks {percent(events)} of its events: {least}"
