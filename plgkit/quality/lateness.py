"""Rows that come late, and how much the last weeks still move."""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _

from plgkit.sources import engine
from plgkit.sources.data import Data

DELAYS = {"within an hour": 3600, "within a day": 86_400, "within three days": 3 * 86_400, "within a week": 7 * 86_400, "later": None}


def late_rows(data: Data) -> pd.DataFrame:
    """How long after they happened events were received.

    Returns
    -------
    One row per delay, from the shortest: delay, rows, share (of the rows whose receiving is known), up_to (share up to this delay). No row where
    nobody knows when events were received.

    Examples
    --------
    >>> from plgkit import samples
    >>> late_rows(samples.tiny()).empty
    True
    """
    rows = data.events.filter(_.received_at.notnull())
    seconds = engine.seconds_between(rows.received_at, rows.occurred_at)
    steps = [(seconds <= limit, name) for name, limit in DELAYS.items() if limit is not None]
    found = data.run(rows.mutate(delay=ibis.cases(*steps, else_="later")).group_by("delay").aggregate(rows=_.count().cast("int64")))
    if found.empty:
        return pd.DataFrame({"delay": pd.Series(dtype="str"), "rows": pd.Series(dtype="int64"), "share": pd.Series(dtype="float64"),
                             "up_to": pd.Series(dtype="float64")})
    made = found.set_index("delay").reindex(list(DELAYS), fill_value=0).rename_axis("delay").reset_index()
    made["share"] = made["rows"] / made["rows"].sum()
    made["up_to"] = made["rows"].cumsum() / made["rows"].sum()
    return made


def moving_weeks(data: Data, *, weeks: int = 26) -> pd.DataFrame:
    """How much of a week's events came after the week was over: what a report of last week would still have missed.

    Returns
    -------
    One row per number of days after the week's end: days_after (0, 1, 2, 3, 7, 14), known (share of the events of the last `weeks` weeks known by then; weeks that are
    too young for it are not in), still_moves (the rest), weeks (so many weeks judged).

    Examples
    --------
    >>> from plgkit import samples
    >>> moving_weeks(samples.tiny()).empty
    True
    """
    rows = data.events.filter(_.received_at.notnull())
    week = data.period(rows.day, "week")
    rows = rows.mutate(week=week.cast("date"), received=data.local(rows.received_at).date())
    late = engine.days_between(rows.received, rows.week) - 6
    found = data.run(rows.mutate(late=late).group_by("week", "late").aggregate(rows=_.count().cast("int64")))
    made = []
    start = pd.Timestamp(data.as_of) - pd.Timedelta(weeks=weeks)
    for days in (0, 1, 2, 3, 7, 14):
        old = found[(found["week"] > start) & (found["week"] + pd.Timedelta(days=6 + days) <= pd.Timestamp(data.as_of))]
        if len(old):
            known = int(old.loc[old["late"] <= days, "rows"].sum()) / int(old["rows"].sum())
            made.append({"days_after": days, "known": known, "still_moves": 1 - known, "weeks": old["week"].nunique()})
    return pd.DataFrame(made, columns=["days_after", "known", "still_moves", "weeks"])
