"""Engagement: how many people are active, how often, and what they use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import actives, features, sessions, shapes
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import bootstrap, intervals


def _active_people(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    finish = shapes.as_total if parameters["trailing_days"] is None else actives.as_trailing
    return finish(frame, data, parameters)


@measure(shape="total", unit="people", better="higher", reads="events", finish=_active_people)
def active_people(data: Data, *, trailing_days: int | None = None, by: str | None = None,
                  grain: Grain = "week") -> Table:
    """Distinct people active in the period: DAU, WAU or MAU.

    With `trailing_days` it is the distinct people over the days that end with the last day of each period:
    28 with the grain "day" gives the MAU of every day.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    trailing_days
        Days of the window; None counts the calendar period itself.
    by
        Column to cut by.
    grain
        Length of a period, or how far apart the trailing windows end.

    Returns
    -------
    One row per period: period, value (people), low, high, complete. Of trailing windows, period is the last
    day, only ended ones are there, and complete says that the data reach back to the window's first day.

    Examples
    --------
    >>> from plgkit import samples
    >>> active_people(samples.tiny(), grain="month")[["period", "value", "complete"]]
          period  value  complete
    0 2025-01-01      4      True
    1 2025-02-01      2      True
    >>> active_people(samples.tiny(), trailing_days=28, grain="month")[["period", "value", "complete"]]
          period  value  complete
    0 2025-01-31      4     False
    1 2025-02-28      2      True
    """
    if trailing_days is not None:
        return actives.cover(data, trailing_days, by)
    people = segmented(data, actives.periods(data, grain), by)
    return shapes.total(people, _.count().cast("int64"), by=by)


_KINDS = {"period": "datetime64[us]", "numerator": "float64", "denominator": "int64", "value": "float64",
          "low": "float64", "high": "float64", "immature": "int64"}


def _stickiness(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, days = parameters["by"], parameters["trailing_days"]
    keys = ["period", *([by] if by else [])]
    columns = ["numerator", "denominator", "value", "low", "high", "immature"]
    if frame.empty:
        return pd.DataFrame(columns=[*keys, *columns]).astype(_KINDS)
    wide = actives.as_levels(frame, data, [*keys[1:], "days"])
    first = wide.index[0] + pd.Timedelta(days=days - 1)
    ends = [end for end in actives.window_ends(first.date(), data, parameters["grain"]) if pd.Timestamp(end) >= first]
    cells = actives.long(wide.loc[pd.DatetimeIndex(ends, dtype="datetime64[us]")], "count")
    cells = cells.assign(numerator=cells["days"].astype("float64") / days, denominator=1)
    made = bootstrap.grouped(cells, keys, level=parameters["level"])
    return shapes.ordered(made.assign(immature=0).astype(_KINDS), parameters, columns)


@measure(shape="rate", unit="share of days", better="higher", reads="events", finish=_stickiness,
         interval="bootstrap over people")
def stickiness(data: Data, *, trailing_days: int = 28, by: str | None = None, grain: Grain = "week") -> Table:
    """Mean daily active people divided by the people active at all, over `trailing_days` days.

    It is the share of the days of the window on which a person active in it comes. Windows that reach back
    before the first day of the data are left out.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    trailing_days
        Days of the window.
    by
        Column to cut by.
    grain
        How far apart the windows end: with the last day of each period.

    Returns
    -------
    One row per window: period (its last day), numerator (mean daily active people), denominator (people
    active in the window), value, low, high (bootstrap over people), immature (always 0).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = stickiness(samples.tiny(), grain="month")  # 3 active days of 2 people in 28 days
    >>> found[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator     value
    0 2025-02-28   0.107143            2  0.053571
    """
    return actives.levels(data, trailing_days, by)


def _active_days(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, most = parameters["by"], parameters["trailing_days"]
    keys = [by] if by else ["all"]
    frame = frame.assign(all=0)
    grid = frame[keys].drop_duplicates().merge(pd.DataFrame({"days": range(1, most + 1)}), how="cross")
    made = grid.merge(frame[[*keys, "days", "people"]], how="left", on=[*keys, "days"])
    made = made.fillna({"people": 0}).astype({"people": "int64", "days": "int64"})
    made = made.sort_values([*keys, "days"], ignore_index=True)
    groups = made.groupby(keys)["people"]
    whole = groups.transform("sum")
    made["at_least"] = whole - groups.cumsum() + made["people"]
    made["value"] = made["people"] / whole
    made["low"], made["high"] = intervals.wilson(made["people"], whole, level=parameters["level"])
    return made[[*([by] if by else []), "days", "people", "at_least", "value", "low", "high"]]


@measure(shape="table", unit="share of active people", better="neither", reads="events", finish=_active_days,
         interval="Wilson interval")
def active_days(data: Data, *, trailing_days: int = 28, by: str | None = None) -> Table:
    """How many people were active on exactly, and on at least, so many of the last `trailing_days` days.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    trailing_days
        Days of the window; it ends with `as_of`.
    by
        Column to cut by.

    Returns
    -------
    One row per number of days: days, people (exactly so many), at_least (people), value (people as a share
    of those active at all), low, high.

    Examples
    --------
    >>> from plgkit import samples
    >>> active_days(samples.tiny()).head(3)[["days", "people", "at_least", "value"]]
       days  people  at_least  value
    0     1       1         2    0.5
    1     2       1         1    0.5
    2     3       0         0    0.0
    """
    rows = data.activity.filter(_.day > ibis.date((data.as_of - trailing_days * engine.DAY).isoformat()))
    people = segmented(data, rows.group_by("user_id").aggregate(days=_.count().cast("int64")), by)
    return people.group_by("days", *([by] if by else [])).aggregate(people=_.count().cast("int64"))


@measure(shape="table", unit="share of active people", better="higher", reads="events",
         settings={"core": "features.core"}, interval="Wilson interval",
         finish=lambda *found: features.as_adoption(*found).drop(columns="immature"))
def feature_adoption(data: Data, *, core: list[str] | None = None, trailing_days: int = 28, by: str | None = None,
                     grain: Grain | None = None) -> Table:
    """Share of active people who used each core feature (`core`), and how often they did.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    core
        One event per feature.
    trailing_days
        Days of the window, which ends with `as_of`; not used where a grain is given.
    by
        Column to cut by.
    grain
        Length of a calendar period to look at instead, one after another.

    Returns
    -------
    One row per period, segment and feature: feature, numerator (active people who used it), denominator
    (active people), value, low, high, times_per_person (mean, among those who used it).

    Examples
    --------
    >>> from plgkit import samples
    >>> feature_adoption(samples.tiny(), grain="month").head(2)[["period", "feature", "numerator", "denominator"]]
          period         feature  numerator  denominator
    0 2025-01-01  report_created          3            4
    1 2025-01-01   report_shared          1            4
    """
    names = features.keys(by, grain)
    active, done = _in_window(data, core, trailing_days, grain)
    active = segmented(data, active, by).mutate(counted=ibis.literal(1))
    return features.counted(active, segmented(data, done, by).select("user_id", "event", *names), names)


def _in_window(data: Data, core: list[str], days: int, grain: Grain | None) -> tuple[Table, Table]:
    """Who was active, and what of the core features active people did: per period, or over the last days."""
    done = data.event(core).select("user_id", "event", "day")
    if grain is None:
        after = ibis.date((data.as_of - days * engine.DAY).isoformat())
        active = data.activity.filter(_.day > after).select("user_id").distinct()
        done = done.filter(_.day > after)
    else:
        active = actives.periods(data, grain).select("user_id", "period")
        done = done.mutate(period=data.period(done.day, grain))
    rules = data.playbook.activity
    if rules.events is not None or rules.except_:
        done = done.semi_join(active, list(active.columns))
    return active, done


def _breadth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    cells = frame.rename(columns={"people": "count", "features": "numerator"}).assign(denominator=1)
    return _means(cells, keys, data, parameters)


def _means(cells: pd.DataFrame, keys: list[str], data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """A mean per period with its bootstrap interval; a period that is not over counts as immature."""
    made = bootstrap.grouped(cells, keys, level=parameters["level"])
    made = made.astype({"numerator": "int64", "denominator": "int64"})
    made = shapes.only_complete(made, data, parameters.get("grain", "week"))
    made[["value", "low", "high"]] = made[["value", "low", "high"]].where(made["denominator"] > 0)
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="features per active person", better="higher", reads="events",
         settings={"core": "features.core"}, finish=_breadth, interval="bootstrap over people")
def feature_breadth(data: Data, *, core: list[str] | None = None, by: str | None = None,
                    grain: Grain = "week") -> Table:
    """Mean number of distinct core features used per active person, out of `core`.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    core
        One event per feature.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, numerator (features used, summed over people), denominator (active people),
    value (mean), low, high (bootstrap over people), immature (active people of a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> feature_breadth(samples.tiny(), grain="month")[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator  value
    0 2025-01-01          4            4    1.0
    1 2025-02-01          0            2    0.0
    """
    active, done = _in_window(data, core, 1, grain)
    used = done.select("user_id", "period", "event").distinct().select("user_id", "period", used=ibis.literal(1))
    people = active.select("user_id", "period", used=ibis.literal(0)).union(used)
    people = people.group_by("user_id", "period").aggregate(features=_.used.sum().cast("int64"))
    people = segmented(data, people, by)
    return people.group_by("period", "features", *([by] if by else [])).aggregate(people=_.count().cast("int64"))


def _frequency(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    cells = frame.rename(columns={"people": "count", "sessions": "numerator"}).assign(denominator=1)
    return _means(cells, keys, data, parameters)


@measure(shape="rate", unit="sessions per active person", better="higher", reads="events",
         settings={"gap_minutes": "sessions.gap_minutes"}, finish=_frequency, interval="bootstrap over people")
def session_frequency(data: Data, *, gap_minutes: int | None = None, by: str | None = None) -> Table:
    """Sessions per active person and week; a pause of over `gap_minutes` minutes begins a new one.

    Where the source gives session ids, those are the sessions and no pause counts. A session belongs to the
    week in which it begins.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    gap_minutes
        The longest pause within a session.
    by
        Column to cut by.

    Returns
    -------
    One row per week: period, numerator (sessions that began in it), denominator (people active in it), value,
    low, high (bootstrap over people), immature (active people of a week that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> session_frequency(samples.tiny())[["period", "numerator", "denominator", "value"]].head(2)
          period  numerator  denominator  value
    0 2025-01-06          8            4    2.0
    1 2025-01-13          4            2    2.0
    """
    events = sessions.begun(data, gap_minutes=gap_minutes)
    weeks = events.mutate(period=data.period(events.day, "week")).group_by("user_id", "period").aggregate(
        sessions=_.begins.sum().cast("int64"))
    people = segmented(data, weeks, by)
    return people.group_by("period", "sessions", *([by] if by else [])).aggregate(people=_.count().cast("int64"))
