"""Days as texts: those that are no day, those of a clock elsewhere, and rows of some of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

import ibis
import pandas as pd
from ibis.expr.types import BooleanValue, DateColumn

from plgkit.sources import engine

NEVER = ""
"""The day of rows whose time is missing, or none that a calendar of today can mean."""
FIRST, LAST = "1970-01-04", "2099-12-27"


def known(day: str) -> str:
    """The day, or NEVER where it is none that a calendar of today can mean."""
    return day if len(day) == 10 and FIRST <= day <= LAST else NEVER


def as_text(day: object) -> str:
    """A day of a frame as text."""
    return NEVER if pd.isna(day) else known(str(pd.Timestamp(day).date()))


def elsewhere(days: Iterable[str], zone: str, *, back: bool = False) -> set[str]:
    """The days in a zone on which rows of these days (UTC) may lie; or back, from the zone to UTC.

    Examples
    --------
    >>> sorted(elsewhere({"2025-07-02"}, "America/New_York"))
    ['2025-07-01', '2025-07-02']
    >>> elsewhere({"2025-07-02"}, "UTC")
    {'2025-07-02'}
    """
    given = set(days)
    sane = sorted(given - {NEVER})
    found = {NEVER, *((FIRST, LAST) if back else ())} if NEVER in given else set()
    if not sane:
        return found
    gaps = [seconds for _until, seconds in engine.offsets(zone, *(dt.date.fromisoformat(day) for day in (sane[0], sane[-1])))]
    ways = {0, *((1,) if max(gaps) > 0 else ()), *((-1,) if min(gaps) < 0 else ())}
    return found | {known(str(dt.date.fromisoformat(day) + (-way if back else way) * engine.DAY)) for day in sane for way in ways}


def stretches(days: Iterable[str], there: Iterable[str] = ()) -> Iterator[tuple[dt.date, dt.date]]:
    """Days that follow each other, as first and last of each stretch; those between which no day is `there` follow each other, too.

    Examples
    --------
    >>> [f"{first} to {last}" for first, last in stretches({"2025-01-01", "2025-01-02", "2025-02-01"})]
    ['2025-01-01 to 2025-01-02', '2025-02-01 to 2025-02-01']
    >>> [f"{first} to {last}" for first, last in stretches({"2025-01-02", "2025-02-01"}, {"2025-01-01", "2025-01-02", "2025-02-01"})]
    ['2025-01-02 to 2025-02-01']
    """
    given, known = set(days) - {NEVER}, set(there)
    first = last = None
    for day in sorted(given | (known - {NEVER})):
        here = dt.date.fromisoformat(day)
        if first is not None and (day not in given or not (known or here == last + engine.DAY)):
            yield first, last
            first = None
        if day in given:
            first, last = first or here, here
    if first is not None:
        yield first, last


def among(day: DateColumn, days: Iterable[str], there: Iterable[str] = ()) -> BooleanValue:
    """Whether a row's day is one of these, where no other day is than those `there`."""
    given = set(days)
    found = [day.between(ibis.date(first.isoformat()), ibis.date(last.isoformat())) for first, last in stretches(given, there)]
    if NEVER in given:
        found.append(day.isnull() | (day < ibis.date(FIRST)) | (day > ibis.date(LAST)))
    return ibis.or_(*found).fill_null(False) if found else ibis.literal(False)
