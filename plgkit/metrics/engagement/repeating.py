"""How soon people come back to the core of the product: by which period to look at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import repeating

Use = str | list[str]
"""An event, or several of which any counts; an empty list is any activity."""
CADENCES = ((3, "day"), (10, "week"), (45, "month"))
"""The longest usage interval, in days, for which each period is the one to look by; beyond it is the quarter."""
_SETTINGS = {"event": "features.core"}


def cadence(days: float) -> str | None:
    """The period by which to look at a product that people come back to within so many days.

    Examples
    --------
    >>> [cadence(each) for each in (1, 7, 30, 100)]
    ['day', 'week', 'month', 'quarter']
    """
    if np.isnan(days):
        return None
    return next((name for most, name in CADENCES if days <= most), "quarter")


def gaps(data: Data, *, event: Use, trailing_days: int, by: str | None) -> Table:
    """How many people share a `duration` in days from their first day in the window to the next, `reached` or not yet."""
    if not isinstance(event, str) and not (isinstance(event, list) and all(isinstance(each, str) for each in event)):
        raise BadParameter("event", event, expected="the name of an event, or a list of names; an empty list is any activity")
    rows = data.event(event) if event else data.activity
    rows = rows.filter(rows.day > ibis.date((data.as_of - trailing_days * engine.DAY).isoformat()))
    firsts = rows.group_by("user_id").aggregate(first=_.day.min())
    later = rows.select("user_id", "day").inner_join(firsts, "user_id").filter(_.day > _["first"])
    later = later.group_by("user_id").aggregate(again=_.day.min())
    people = firsts.left_join(later, "user_id").drop("user_id_right")
    until = people.again.fill_null(ibis.date(data.as_of.isoformat()))
    people = people.mutate(duration=engine.days_between(until, people["first"]),
                           reached=people.again.notnull().ifelse(1, 0))
    return segmented(data, people, by).group_by(*([by] if by else []), "duration", "reached").aggregate(
        people=_.count().cast("int64"))


def _interval(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, horizon, level = parameters["by"], parameters["within_days"], parameters["level"]
    rows = []
    for name, cells in frame.assign(everyone="").groupby(by or "everyone", sort=True):
        share, drawn, _watched = repeating.of_frame(cells, horizon=horizon)
        parts = [repeating.soonest(share, part) for part in (parameters["share"], 0.5)]
        value_span = repeating.span(np.array([repeating.soonest(each, parameters["share"]) for each in drawn]), level)
        came = (cells["reached"] == 1) & (cells["duration"] <= horizon)
        rows.append((name, int(cells["people"].sum()), int(cells.loc[came, "people"].sum()), parts[0], *value_span,
                     parts[1], float(share[-1]), *repeating.span(drawn[:, -1], level), cadence(parts[0])))
    made = pd.DataFrame(rows, columns=[
        by or "everyone", "people", "repeated", "value", "low", "high", "half", "repeating", "repeating_low",
        "repeating_high", "look_by"])
    made = made.astype({"people": "int64", "repeated": "int64", "look_by": "str"})
    return made.drop(columns=[] if by else "everyone")


@measure(shape="table", unit="days", better="neither", reads="events", settings=_SETTINGS, finish=_interval,
         interval="bootstrap over people of the Kaplan-Meier curve")
def usage_interval(data: Data, *, event: Use | None = None, share: float = 0.8, within_days: int = 60,
                   trailing_days: int = 90, by: str | None = None) -> Table:
    """Days within which a share (`share`) of those who repeat the core event within `within_days` days have done so.

    Each person counts once, from the first day in the last `trailing_days` days on which they did it to the next
    such day. Who has not repeated by `as_of` was watched until then (Kaplan-Meier) and is not lost; who never does
    within `within_days` tells nothing of the rhythm and has its own column. The rhythm is that of the product's
    use, so it says by which period to judge it: up to 3 days by the day, up to 10 by the week, up to 45 by the
    month, else by the quarter.

    Parameters
    ----------
    data
        Reads `events`.
    event
        The core event, or several of which any counts; an empty list is any activity.
    share
        Of those who repeat, how many the interval is to hold.
    within_days
        Days after which somebody counts as not repeating.
    trailing_days
        Days of the window, which ends with `as_of`; longer than `within_days`, or nobody is watched for so long.
    by
        Column to cut by.

    Returns
    -------
    One row, or one per segment: people (who did it in the window), repeated (seen to repeat), value (days), low,
    high, half (days within which half of those who repeat do), repeating (share of all that repeats within
    `within_days`), repeating_low, repeating_high, look_by (day, week, month or quarter).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = usage_interval(samples.tiny(), event=[])  # Ann after 1 day, Bob after 2, Cho after 9, Dan after 1
    >>> found[["people", "repeated", "value", "half", "repeating", "look_by"]]
       people  repeated  value  half  repeating look_by
    0       4         4    9.0   1.0        1.0    week

    References
    ----------
    Amplitude, *Mastering Retention*, chapter 2: the usage interval, at 80 % of those who repeat.
    """
    _check(share, within_days, trailing_days)
    return gaps(data, event=event, trailing_days=trailing_days, by=by)


def _check(share: float, within_days: int, trailing_days: int) -> None:
    if not 0 < share <= 1:
        raise BadParameter("share", share, expected="a share between 0 and 1, such as 0.8")
    if trailing_days <= within_days:
        raise BadParameter("trailing_days", trailing_days, expected=f"more than within_days, {within_days}")


def _curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by, horizon = parameters["by"], parameters["within_days"]
    parts = []
    for name, cells in frame.assign(everyone="").groupby(by or "everyone", sort=True):
        share, drawn, watched = repeating.of_frame(cells, horizon=horizon)
        if not share[-1]:
            continue
        relative = drawn / np.where(drawn[:, -1:] > 0, drawn[:, -1:], np.nan)
        spans = [repeating.span(relative[:, at], parameters["level"]) for at in range(horizon + 1)]
        parts.append(pd.DataFrame({
            by or "everyone": name, "x": np.arange(horizon + 1), "value": share / share[-1],
            "low": [low for low, _high in spans], "high": [high for _low, high in spans],
            "at_risk": watched.round().astype("int64")}))
    columns = [*([by] if by else []), "x", "value", "low", "high", "at_risk"]
    made = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    made = made.astype({"x": "int64", "at_risk": "int64", "value": "float64", "low": "float64", "high": "float64"})
    made.attrs["x_unit"] = "days"
    return made


@measure(shape="curve", unit="share of those who repeat", better="neither", reads="events", settings=_SETTINGS,
         finish=_curve, interval="bootstrap over people")
def usage_interval_curve(data: Data, *, event: Use | None = None, within_days: int = 60,
                         trailing_days: int = 90, by: str | None = None) -> Table:
    """Of those who repeat the core event within `within_days` days, the share that has done so by each day.

    Parameters
    ----------
    data, event, within_days, trailing_days, by
        As in `usage_interval`, which reads its value off this curve.

    Returns
    -------
    One row per day since the use before: x (days), value, low, high, at_risk (people watched for so long who had
    not repeated before).

    Examples
    --------
    >>> from plgkit import samples
    >>> usage_interval_curve(samples.tiny(), event=[]).head(3)[["x", "value", "at_risk"]]
       x  value  at_risk
    0  0   0.00        4
    1  1   0.50        4
    2  2   0.75        2
    """
    _check(1, within_days, trailing_days)
    return gaps(data, event=event, trailing_days=trailing_days, by=by)
