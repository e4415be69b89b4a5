"""How often people come in a week, and how long they stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import sessions, shapes
from plgkit.metrics.engagement import means
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between
from plgkit.stats import clusters, intervals


def _frequency(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return means.of_periods(frame.rename(columns={"sessions": "numerator"}), data, parameters)


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
    people = segmented(data, sessions.per_period(data, "week", gap_minutes=gap_minutes), by)
    return people.group_by("period", "sessions", *([by] if by else [])).aggregate(count=_.count().cast("int64"))


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
    found = clusters.median(lengths["seconds"], lengths["sessions"], people["seconds"], people["sessions"],
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
    rows = segmented(data, sessions.whole(data, gap_minutes=gap_minutes), by)
    rows = rows.mutate(period=data.period(rows.day, grain),
                       seconds=seconds_between(rows.ended_at, rows.started_at).floor().cast("int64"))
    keys = ["period", *([by] if by else [])]
    inside = [rows[name] for name in keys]
    # Of sessions of one length, the time of day decides which half they are in, so that no person has them all.
    order = [rows.seconds, rows.started_at, rows.user_id]
    place = ibis.row_number().over(ibis.window(group_by=inside, order_by=order))
    rows = rows.mutate(place=place, all=rows.count().over(group_by=inside))
    rows = rows.mutate(below=(2 * (rows.place + 1) <= rows["all"]).ifelse(1, 0))
    lengths = rows.group_by(*keys, "seconds").aggregate(sessions=_.count().cast("int64"))
    people = rows.group_by(*keys, "user_id").aggregate(seconds=_.below.sum().cast("int64"),
                                                       sessions=_.count().cast("int64"))
    people = people.group_by(*keys, "seconds", "sessions").aggregate(people=_.count().cast("int64"))
    lengths = lengths.select(*keys, "seconds", "sessions", people=ibis.literal(0, "int64"), kind=ibis.literal(_LENGTH))
    return lengths.union(people.select(*keys, "seconds", "sessions", "people", kind=ibis.literal(_PERSON)))
