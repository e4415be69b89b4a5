"""How often people come in a week, and how long they stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import actives, shapes
from plgkit.metrics import sessions as sittings
from plgkit.metrics.engagement import means
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between
from plgkit.stats import clusters, intervals


def _counted(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return shapes.as_total(frame, data, parameters).assign(low=np.nan, high=np.nan)


@measure(shape="total", unit="sessions", better="higher", reads="events", finish=_counted,
         settings={"gap_minutes": "sessions.gap_minutes"}, interval="none: those of one person go together")
def sessions(data: Data, *, gap_minutes: int | None = None, by: str | None = None,
             grain: Grain = "week") -> Table:
    """Sessions begun in the period; a pause of over `gap_minutes` minutes begins a new one.

    Where the source gives session ids, those are the sessions and no pause counts.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    gap_minutes
        The longest pause within a session.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, value (sessions), low and high (missing: see `session_frequency`), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> sessions(samples.tiny(), grain="month")[["period", "value"]]
          period  value
    0 2025-01-01     15
    1 2025-02-01      3
    """
    return sittings.count(data, grain, gap_minutes=gap_minutes, by=by)


_ALL = -1


def _frequency(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Sessions per person; of those active in a week, who began no session in it is whoever is left."""
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    began, active = frame[frame["sessions"] != _ALL], frame[frame["sessions"] == _ALL]
    some = began.groupby(keys)["count"].sum().rename("some").reset_index()
    none = active.merge(some, on=keys, how="left").fillna({"some": 0})
    none = none.assign(sessions=0, count=(none["count"] - none["some"]).astype("int64"))
    cells = pd.concat([began, none[none["count"] > 0][began.columns]])
    return means.of_periods(cells.rename(columns={"sessions": "numerator"}), data, parameters)


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
    keys = ["period", *([by] if by else [])]
    people = segmented(data, sittings.per_person(data, "week", gap_minutes=gap_minutes), by)
    cells = people.group_by(*keys, "sessions").aggregate(count=_.count().cast("int64"))
    active = segmented(data, actives.periods(data, "week").select("user_id", "period"), by)
    active = active.group_by(*keys).aggregate(count=_.count().cast("int64"))
    return cells.union(active.select(*keys, sessions=ibis.literal(_ALL, "int64"), count=_["count"]))


_LENGTH, _PERSON = "length", "person"


def _length(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    keys = ["period", *([parameters["by"]] if parameters["by"] else [])]
    rows = [(*key, *_one(part, parameters["level"])) for key, part in frame.groupby(keys, sort=True)]
    made = pd.DataFrame(rows, columns=[*keys, "value", "low", "high", "q25", "q75", "n"])
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    kinds = {"period": "datetime64[us]", "n": "int64"} | dict.fromkeys(("value", "low", "high", "q25", "q75"), "float64")
    return shapes.ordered(made.astype(kinds), parameters, ["value", "low", "high", "q25", "q75", "n", "complete"])


def _one(part: pd.DataFrame, level: float) -> tuple[float, ...]:
    """Median, interval and quartiles in minutes, and how many sessions, of one period."""
    lengths, people = part[part["kind"] == _LENGTH], part[part["kind"] == _PERSON]
    found = clusters.median(lengths["seconds"], lengths["sessions"], people["below"], people["at"], people["sessions"],
                            people["people"], level=level)
    quartiles = [intervals.quantile(lengths["seconds"], q, counts=lengths["sessions"])[0] for q in (0.25, 0.75)]
    return (*(each / 60 for each in (*found, *quartiles)), int(lengths["sessions"].sum()))


@measure(shape="total", unit="minutes", better="neither", reads="events", additive=False,
         settings={"gap_minutes": "sessions.gap_minutes"}, finish=_length,
         interval="of a median, over people (Woodruff)")
def session_length(data: Data, *, gap_minutes: int | None = None, by: str | None = None,
                   grain: Grain = "week") -> Table:
    """Median minutes from the first to the last event of a session; a pause of over `gap_minutes` minutes ends it.

    Where the source gives session ids, those are the sessions and no pause counts. What comes after the last
    event is not seen: a session of one event is of no length. It belongs to the period in which it begins.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    gap_minutes
        The longest pause within a session.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period with a session: period, value (median minutes, to the second), low, high, q25, q75
    (quartiles), n (sessions), complete. The interval takes people as the unit, as a person's sessions are alike.

    Examples
    --------
    >>> from plgkit import samples
    >>> session_length(samples.tiny(), grain="month")[["period", "value", "q75", "n"]]  # Ann's first one took 25 minutes
          period  value  q75   n
    0 2025-01-01    0.0  0.0  15
    1 2025-02-01    0.0  0.0   3
    """
    rows = segmented(data, sittings.whole(data, gap_minutes=gap_minutes), by)
    rows = rows.mutate(period=data.period(rows.day, grain),
                       seconds=seconds_between(rows.ended_at, rows.started_at).floor().cast("int64"))
    keys = ["period", *([by] if by else [])]
    lengths = rows.group_by(*keys, "seconds").aggregate(sessions=_.count().cast("int64"))
    people = _about_the_median(rows, lengths, keys)
    lengths = lengths.select(*keys, "seconds", "sessions", below=ibis.literal(0, "int64"), at=ibis.literal(0, "int64"),
                             people=ibis.literal(0, "int64"), kind=ibis.literal(_LENGTH))
    return lengths.union(people.select(*keys, seconds=ibis.literal(0, "int64"), sessions=_.sessions, below=_.below,
                                       at=_["at"], people=_.people, kind=ibis.literal(_PERSON)))


def _about_the_median(rows: Table, lengths: Table, keys: list[str]) -> Table:
    """How many people have so many `sessions`, of which so many are `below` the median of all and so many `at` it."""
    inside = [lengths[name] for name in keys]
    upto = ibis.cumulative_window(group_by=inside, order_by=lengths.seconds)
    middle = lengths.mutate(upto=lengths.sessions.sum().over(upto),
                            all=lengths.sessions.sum().over(group_by=inside))
    middle = middle.filter(2 * middle.upto >= middle["all"]).group_by(*keys).aggregate(median=_.seconds.min())
    rows = rows.select(*keys, "user_id", "seconds").inner_join(middle, keys)
    rows = rows.mutate(below=(rows.seconds < rows["median"]).ifelse(1, 0), at=(rows.seconds == rows["median"]).ifelse(1, 0))
    people = rows.group_by(*keys, "user_id").aggregate(
        sessions=_.count().cast("int64"), below=_.below.sum().cast("int64"), at=_["at"].sum().cast("int64"))
    return people.group_by(*keys, "sessions", "below", "at").aggregate(people=_.count().cast("int64"))
