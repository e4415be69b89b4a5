"""One event over time, and how many people come in how many periods: what other tools call trends and stickiness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics import returns, shapes
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.metrics.returns import Entry, Names, Unit
from plgkit.sources import engine, properties
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import intervals

Of = Literal["people", "events", "firsts", "mean", "sum"]
_OF = ("people", "events", "firsts", "mean", "sum")


def _trend(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    if parameters["of"] in ("mean", "sum"):
        made = frame.assign(low=float("nan"), high=float("nan"))
        made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
        return shapes.ordered(made, parameters, ["value", "low", "high", "complete"])
    return shapes.as_total(frame, data, parameters)


@measure(shape="total", unit="people", better="neither", reads="events", finish=_trend, preset="trend")
def trend(data: Data, *, event: Names | None = None, of: Of = "people", value: str | None = None,
          entry: Entry = "first", by: str | None = None, grain: Grain = "day", like: str | None = None) -> Table:
    """One event over time, counted as `of`.

    Parameters
    ----------
    data
        Reads `events`.
    event
        The event, or several of which any counts; None is any activity, as the playbook's [activity] says.
    of
        "people": who did it in the period. "events": how often it was done. "firsts": who did it for the first
        time. "mean" and "sum": of the property `value` over the events that have it as a number.
    value
        The property to take the mean or the sum of.
    entry
        For "firsts": "first" is the first of such events ever, and counts only if it meets the conditions set on
        it; "first_matching" is the first that meets them.
    by
        Column of people to cut by.
    grain
        Length of a period.
    like
        Count as "posthog" does by default; what is given besides goes first.

    Returns
    -------
    One row per period: period, value, low, high (exact Poisson for counts), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> trend(samples.tiny(), event="signed_in", grain="month")[["period", "value"]]
          period  value
    0 2025-01-01      2
    1 2025-02-01      2
    >>> trend(samples.tiny(), event="signed_in", of="firsts", grain="month")[["period", "value"]]
          period  value
    0 2025-01-01      2
    1 2025-02-01      2
    """
    if of not in _OF:
        raise BadParameter("of", of, expected=f"one of {', '.join(_OF)}")
    if (of in ("mean", "sum")) != (value is not None):
        raise BadParameter("value", value, expected=f"the name of a property, as of is {of!r}" if value is None else
                           f"none, as of is {of!r}")
    keys = ["period", *([by] if by else [])]
    if of == "firsts":
        rows = returns.firsts(data, event, entry)
        rows = segmented(data, rows.mutate(period=data.period(rows.day, grain)), by)
        return rows.group_by(keys).aggregate(value=_.count().cast("int64"))
    rows = returns.events(data, event)
    rows = segmented(data, rows.mutate(period=data.period(rows.day, grain)), by)
    if of == "events":
        return rows.group_by(keys).aggregate(value=_.count().cast("int64"))
    if of == "people":
        return rows.group_by(keys).aggregate(value=_.user_id.nunique().cast("int64"))
    numbers = rows.mutate(number=properties.number(properties.value(rows, value))).filter(_.number.notnull())
    return numbers.group_by(keys).aggregate(value=_.number.mean() if of == "mean" else _.number.sum())


def _periods(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = [by] if by else ["all"]
    frame = frame.assign(all=0)
    grid = frame[keys].drop_duplicates().merge(pd.DataFrame({"n": range(1, parameters["periods"] + 1)}), how="cross")
    made = grid.merge(frame, how="left", on=[*keys, "n"]).fillna({"people": 0}).astype({"people": "int64", "n": "int64"})
    made = made.sort_values([*keys, "n"], ignore_index=True)
    groups = made.groupby(keys)["people"]
    whole = groups.transform("sum")
    made["at_least"] = whole - groups.cumsum() + made["people"]
    made["value"] = made["people"] / whole
    made["low"], made["high"] = intervals.wilson(made["people"], whole, level=parameters["level"])
    return made[[*([by] if by else []), "n", "people", "at_least", "value", "low", "high"]]


@measure(shape="table", unit="share of active people", better="neither", reads="events", finish=_periods,
         interval="Wilson", preset="stickiness")
def active_periods(data: Data, *, event: Names | None = None, periods: int = 28, unit: Unit = "day",
                   by: str | None = None, like: str | None = None) -> Table:
    """How many people came in exactly n, and in at least n, of the last `periods` periods (`unit`).

    Parameters
    ----------
    data
        Reads `events`.
    event
        Event that makes a person active, or several of which any does; None is any activity, as the playbook's
        [activity] says.
    periods
        How many periods to look at, up to the one in which the last day counted lies.
    unit
        Length of a period: hour, day, week or month.
    by
        Column of people to cut by.
    like
        Count as "posthog" does by default; what is given besides goes first.

    Returns
    -------
    One row per n from 1: n, people (in exactly n periods), at_least (in n or more), value (share of the people
    active at all), low, high.

    Examples
    --------
    >>> from plgkit import samples
    >>> active_periods(samples.tiny(), periods=8, unit="week").head(5)[["n", "people", "at_least"]]
       n  people  at_least
    0  1       1         4
    1  2       1         3
    2  3       0         2
    3  4       1         2
    4  5       1         1
    """
    if isinstance(periods, bool) or not isinstance(periods, int) or periods < 1:
        raise BadParameter("periods", periods, expected="a whole number, 1 or more")
    returns.check_choice("unit", unit)
    rows = returns.events(data, event) if event is not None or unit == "hour" else data.activity
    if unit == "hour":
        hours = data.local(rows.occurred_at).truncate("h")
        rows = rows.mutate(period=hours).filter(hours >= _first_hour(data, periods))
    else:
        rows = rows.mutate(period=data.period(rows.day, unit)).filter(_.period >= _first_period(data, periods, unit))
    people = rows.group_by("user_id").aggregate(n=_.period.nunique().cast("int64"))
    return segmented(data, people, by).group_by("n", *([by] if by else [])).aggregate(people=_.count().cast("int64"))


def _first_hour(data: Data, periods: int) -> ibis.Value:
    first = pd.Timestamp(data.as_of + engine.DAY) - pd.Timedelta(hours=periods)
    return ibis.timestamp(first.isoformat(sep=" "))


def _first_period(data: Data, periods: int, unit: Grain) -> ibis.Value:
    start = engine.period_of(data.as_of, unit, data.playbook.product.week_start)
    for _number in range(periods - 1):
        start = engine.period_of(start - engine.DAY, unit, data.playbook.product.week_start)
    return ibis.date(start.isoformat())
