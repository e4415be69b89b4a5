"""How many people are active, on how many days, and how closely daily use follows monthly use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import actives, families, shapes, windows
from plgkit.metrics.engagement import means
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import families as ratios


def _active_people(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    finish = shapes.as_total if parameters["trailing_days"] is None else actives.as_trailing
    return finish(frame, data, parameters)


@measure(shape="total", unit="people", better="higher", reads="events", finish=_active_people)
def active_people(data: Data, *, trailing_days: int | None = None, event: str | list[str] | None = None,
                  by: str | None = None, grain: Grain = "week") -> Table:
    """Distinct people active in the period: DAU, WAU or MAU.

    With `trailing_days` it is the distinct people over the days that end with the last day of each period:
    28 with the grain "day" gives the MAU of every day.

    Parameters
    ----------
    data
        Reads `events`; which of them make a person active says the playbook's [activity].
    trailing_days
        Days of the window; None counts the calendar period itself.
    event
        The event, or the list of events, by which a person is active; None is what the playbook says.
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
        return actives.cover(data, trailing_days, by, event=event)
    people = segmented(data, actives.periods(data, grain, event=event), by)
    return shapes.total(people, _.count().cast("int64"), by=by)


def _stickiness(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    days, by = parameters["trailing_days"], [parameters["by"]] if parameters["by"] else []
    if "change" in frame and len(frame):
        wide = actives.as_levels(frame, data, [*by, "days"])
        frame = actives.long(wide.loc[wide.index[0] + pd.Timedelta(days=days - 1):], "count")
    elif "change" in frame:
        frame = frame.rename(columns={"change": "count"})
    frame = frame.rename(columns={"days": "numerator"})
    return means.of_windows(frame.assign(numerator=frame["numerator"].astype("float64") / days), data, parameters)


@measure(shape="rate", unit="share of days", better="higher", reads="events", finish=_stickiness,
         interval=f"{families.RESAMPLED}, day by day over people")
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
    active in the window), value, low, high (bootstrap over families; with the
    grain "day" over people), immature (always 0).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = stickiness(samples.tiny(), grain="month")  # 3 active days of 2 people in 28 days
    >>> found[["period", "numerator", "denominator", "value"]]
          period  numerator  denominator     value
    0 2025-02-28   0.107143            2  0.053571
    """
    if grain == "day":
        return actives.levels(data, trailing_days, by)
    last_days = windows.ends(data, trailing_days, grain)
    people = segmented(data, windows.active_days(data, last_days, trailing_days), by)
    return families.cells(data, people, "days", ["period", *([by] if by else [])])


def _active_days(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, most = parameters["by"], parameters["trailing_days"]
    keys = [by] if by else ["all"]
    frame = frame.assign(all=0)
    grid = frame[keys].drop_duplicates().merge(pd.DataFrame({"days": range(1, most + 1)}), how="cross")
    counts = ["people", "squares", "products"]
    made = grid.merge(frame[[*keys, "days", *counts]], how="left", on=[*keys, "days"])
    made = made.fillna(dict.fromkeys(counts, 0)).astype(dict.fromkeys([*counts, "days"], "int64"))
    made = made.sort_values([*keys, "days"], ignore_index=True)
    groups = made.groupby(keys)
    whole = groups["people"].transform("sum")
    made["at_least"] = whole - groups["people"].cumsum() + made["people"]
    made["value"] = made["people"] / whole
    made["low"], made["high"] = ratios.wilson(
        made["people"], whole, made["squares"], made["products"], groups["products"].transform("sum"),
        level=parameters["level"])
    return made[[*([by] if by else []), "days", "people", "at_least", "value", "low", "high"]]


@measure(shape="table", unit="share of active people", better="neither", reads="events", finish=_active_days,
         interval=families.WIDENED)
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
    keys = [by] if by else []
    parts = families.joined(data, people).group_by("family", "days", *keys).aggregate(hits=_.count().cast("int64"))
    family = ibis.window(group_by=[parts.family, *(parts[name] for name in keys)])
    parts = parts.mutate(people=parts.hits.sum().over(family).cast("int64"))
    return families.summed(parts, ["days", *keys]).rename(people="numerator").drop("denominator", "sizes")
