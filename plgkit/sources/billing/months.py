"""How many months a stretch of service lasts, by the calendar."""

from __future__ import annotations

import ibis
from ibis.expr.types import FloatingValue, IntegerValue, NumericValue, Table, TimestampValue

from plgkit.sources import engine

_DAY = 86_400
_NEAR = 0.125
"""Days (three hours) by which a stretch may miss whole months: clocks are put forward and back."""


def with_months(rows: Table, start: str, end: str) -> Table:
    """Add `months`: the length of a stretch from the time `start` to the time `end`.

    Whole months count as such, whatever their days: from 31 January to 28 February is one, and
    from there to 31 March another. What is left over at the beginning counts as its share of the
    month that ends with it, so that 15 January to 1 March is one month and 17 days of 31.
    """
    first, last = rows[start], rows[end]
    here = first.truncate("M").date()
    before = engine.shift(here, -1).truncate("M").cast("date")
    after = (here + ibis.interval(months=1)).cast("date")
    beyond = (here + ibis.interval(months=2)).cast("date")
    rows = rows.mutate(
        _total=(last.year() - first.year()) * 12 + last.month() - first.month(),
        _first=_place(first), _last=_place(last), _length=engine.days_between(after, here),
        _before=engine.days_between(here, before), _after=engine.days_between(beyond, after),
        _ends_month=(last + ibis.interval(days=1)).month() != last.month())
    # A stretch that ends with the month may have been agreed for the 29th, 30th or 31st.
    day = rows._last.floor()
    anchor = (rows._ends_month & (rows._first.floor() > day)).ifelse(rows._first.floor(), day)
    rows = rows.mutate(_anchor=anchor, _clock=rows._last - day)
    here, before, after = (_least(rows._anchor, each - 1) + rows._clock for each in (rows._length, rows._before, rows._after))
    early = rows._first <= here
    whole = early.ifelse(rows._total, rows._total - 1)
    left = early.ifelse(here - rows._first, rows._length - rows._first + after)
    month = early.ifelse(here + rows._before - before, rows._length - here + after)
    months = ibis.cases((left < _NEAR, whole.cast("float64")), (month - left < _NEAR, whole + 1.0), else_=whole + left / month)
    return rows.mutate(months=months).drop(
        "_total", "_first", "_last", "_length", "_before", "_after", "_ends_month", "_anchor", "_clock")


def _place(moment: TimestampValue) -> FloatingValue:
    """Days since the first of the month, with their fraction."""
    return (moment.day() - 1).cast("float64") + engine.seconds_between(moment, moment.truncate("D")) / _DAY


def _least(one: NumericValue, other: IntegerValue) -> NumericValue:
    return (one < other).ifelse(one, other.cast("float64"))


def rounded(value: FloatingValue) -> IntegerValue:
    """The nearest whole number, halves away from 0: alike on every engine."""
    return (value.abs() + 0.5).floor().cast("int64") * (value < 0).ifelse(-1, 1)
