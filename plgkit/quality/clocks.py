"""Clocks that go wrong: events that happened after they were received, and such as never come sooner than hours after."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter, nearest
from plgkit.quality.touched import counted, percent
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.quartiles import quartiles

_COLUMNS = ["rows", "ahead", "share", "worst_minutes", "least_delay_seconds", "median_delay_seconds", "behind_people", "other_day", "other_week", "effect"]
STEADY, OFTEN = 60, 5
"""Minutes that somebody's events all come late by before the clock is doubted, and how many events it takes to say so."""


def clocks(data: Data, *, by: str | None = None) -> pd.DataFrame:
    """How long after they happened events were received: clocks ahead of the server's, and clocks behind it.

    A clock ahead shows by events that happened after they were received. A clock behind shows only where it is always the
    same: events that never come sooner than an hour after they happened, be it all of them or all of a person with several.
    The same is seen of a client that keeps its events back for so long; from these two times alone nobody can tell which.

    Parameters
    ----------
    by
        A column of events to cut by, such as one kept that says from where an event was sent.

    Returns
    -------
    One row, or one per value of `by`: rows (with a known receiving), ahead (of them after it), share, worst_minutes (the
    furthest ahead), least_delay_seconds and median_delay_seconds (from happening to receiving; below 0 is ahead), behind_people (people
    with five events or more who never had one received within an hour), other_day and other_week (events ahead that count on
    another day or in another week than that of their receiving), effect. Empty where nobody knows when rows were received.

    Examples
    --------
    >>> from plgkit import samples
    >>> clocks(samples.tiny()).empty
    True
    """
    rows = data.events.filter(_.received_at.notnull())
    if by is not None and by not in rows.columns:
        raise BadParameter("by", by, expected=f"a column of events. {nearest(by, rows.columns)}")
    keys = [by] if by else []
    rows = rows.mutate(part=rows[by].cast("string").fill_null("(none)") if by else ibis.literal("all"))
    rows = rows.select("part", "user_id", "day", seconds=engine.seconds_between(rows.received_at, rows.occurred_at),
                       received=data.local(rows.received_at).date())
    found = data.run(_counts(data, rows)).merge(data.run(_people(rows)), on="part", how="left")
    if found.empty:
        return pd.DataFrame(columns=[*keys, *_COLUMNS])
    found["least_delay_seconds"], found["median_delay_seconds"] = found["least"].astype("float64"), [float(each[1]) for each in found["quartiles"]]
    found["worst_minutes"] = (-found["least_delay_seconds"]).clip(lower=0) / 60 + 0.0
    found["share"] = found["ahead"] / found["rows"]
    found["effect"] = [_effect(row) for row in found.to_dict("records")]
    found = found.sort_values(["rows", "part"], ascending=[False, True], ignore_index=True).rename(columns={"part": by or "part"})
    return found[[*keys, *_COLUMNS]]


def _counts(data: Data, rows: Table) -> Table:
    ahead = rows.seconds < 0
    other_week = data.period(rows.day, "week") != data.period(rows.received, "week")
    return rows.group_by("part").aggregate(
        rows=_.count().cast("int64"), ahead=ahead.ifelse(1, 0).sum().cast("int64"), least=rows.seconds.min(), quartiles=quartiles(rows.seconds),
        other_day=(ahead & (rows.day != rows.received)).ifelse(1, 0).sum().cast("int64"),
        other_week=(ahead & other_week).ifelse(1, 0).sum().cast("int64"))


def _people(rows: Table) -> Table:
    """People who never had an event received within an hour, and in how many events that shows."""
    each = rows.group_by("part", "user_id").aggregate(n=_.count(), least=_.seconds.min())
    late = ((each.n >= OFTEN) & (each.least >= 60 * STEADY)).ifelse(1, 0)
    return each.group_by("part").aggregate(people=_.count().cast("int64"), behind_people=late.sum().cast("int64"),
                                           behind_rows=(late * each.n).sum().cast("int64"))


def _effect(row: dict[str, Any]) -> str:
    said = [*_of_ahead(row), *_of_behind(row)]
    return "; ".join(said) if said else "none that shows: events come after they happened, and soon"


def _of_ahead(row: dict[str, Any]) -> list[str]:
    if not row["ahead"]:
        return []
    days = (f"{counted(row['other_day'], 'event')} ({percent(row['other_day'] / row['rows'])}) on a later day than received, "
            f"{row['other_week']:,} in a later week, and rates with them") if row["other_day"] else "no event on another day, so days and rates stand"
    hours = f"times of day wrong by up to {_long(row['worst_minutes'])}" if row["worst_minutes"] >= 5 else "only the order of moments in doubt"
    return [f"ahead: {days}; {hours}"]


def _of_behind(row: dict[str, Any]) -> list[str]:
    if row["least_delay_seconds"] >= 60 * STEADY and row["rows"] >= OFTEN:
        return [f"behind, or kept back: nothing is received within {_long(row['least_delay_seconds'] / 60)}; with wrong clocks or a wrong zone, days and weeks are "
                "cut too late by as much, and with rows kept back the last day counted is too low"]
    if row["behind_people"]:
        part = percent(row["behind_rows"] / row["rows"])
        return [f"behind, or kept back: {row['behind_people']:,} of {counted(row['people'], 'person', 'people')}, nothing of whom is received within the hour; "
                f"{row['behind_rows']:,} events ({part}) may count a day early"]
    return []


def _long(minutes: float) -> str:
    return f"{minutes:,.0f} minutes" if minutes < 120 else f"{minutes / 60:,.1f} hours".replace(".0 ", " ")
