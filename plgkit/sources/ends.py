"""Where the data end: the last day counted, and rows that lie implausibly far after all others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from plgkit.errors import BadParameter, NoData
from plgkit.playbook import Playbook
from plgkit.sources import engine
from plgkit.sources.facts import Finding

FEW, FAR = 0.001, 180


def last_day(as_of: str | dt.date | None, told: Mapping[str, pd.DataFrame],
             playbook: Playbook) -> tuple[dt.date, tuple[Finding, ...]]:
    """The day asked for, else the last complete day as the tables' facts tell; and what was found behind the end of the data.

    A day is complete when a later row exists or its last hour holds a row. A few rows that come
    over half a year after all others are times in the future, not the end of the data.

    Raises
    ------
    BadParameter
        If `as_of` is no day.
    NoData
        If the table that tells has no row.
    """
    if as_of is not None and as_of != "":
        return as_day(as_of), ()
    days_of = {name: facts[facts["reason"].isna()].sort_values("day", ignore_index=True) for name, facts in told.items()}
    name = "events" if "events" in days_of else max(days_of, key=lambda name: days_of[name]["day"].max(), default="events")
    days = days_of[name]
    if days.empty:
        raise NoData(f"The table {name!r} has no row; as_of cannot be told.")
    counted, found = _without_the_future(days, name)
    day = counted["day"].iloc[-1].date()
    end = engine.to_utc(day + engine.DAY, playbook.product.time_zone)
    complete = name == "spend" or counted["moment"].iloc[-1] >= end - dt.timedelta(hours=1)
    return (day if complete or len(counted) == 1 else day - engine.DAY), found


def _without_the_future(days: pd.DataFrame, name: str) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """The days up to the first long pause after which hardly anything comes."""
    gap = days["day"].diff().dt.days
    behind = days["n"][::-1].cumsum()[::-1]
    lonely = days.index[(gap > FAR) & (behind < FEW * days["n"].sum())]
    if lonely.empty:
        return days, ()
    what = f"lie over {FAR} days after all others: times in the future, behind the last day counted"
    return days[: lonely[0]], (Finding("warning", name, int(behind[lonely[0]]), what),)


def as_day(value: str | dt.date) -> dt.date:
    """The day that was asked for.

    Examples
    --------
    >>> as_day("2026-06-30")
    datetime.date(2026, 6, 30)
    """
    expected = "a day such as '2026-06-30', the last one counted"
    if isinstance(value, dt.datetime):
        raise BadParameter("as_of", str(value), expected=expected)
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise BadParameter("as_of", value, expected=expected) from None
