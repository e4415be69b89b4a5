"""Acquisition: who comes, who signs up, by which way, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import UnknownSegment
from plgkit.metrics import durations, shapes
from plgkit.metrics import visitors as seen
from plgkit.metrics.people import NONE, closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between
from plgkit.stats import intervals


@measure(shape="total", unit="people", better="higher", reads="users")
def signups(data: Data, *, by: str | None = None, grain: Grain = "week") -> Table:
    """People who signed up.

    Parameters
    ----------
    data
        Reads `users`.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, value (people), low, high (exact Poisson interval), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> signups(samples.tiny(), by="channel")[["period", "channel", "value"]].head(3)
          period      channel  value
    0 2025-01-06       invite      1
    1 2025-01-06      organic      2
    2 2025-01-06  paid_search      1
    """
    people = segmented(data, data.users.mutate(period=data.period(_.day, grain)), by)
    return shapes.total(people, _.count().cast("int64"), by=by)


def _growth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    frame = shapes.every_period(frame, data, parameters, ["value"]).rename(columns={"value": "numerator"})
    by = parameters["by"]
    before = frame.groupby(by)["numerator"].shift() if by else frame["numerator"].shift()
    frame = frame.assign(denominator=before.fillna(0).astype("int64"))[before.notna()]
    over = shapes.complete(frame["period"], data, parameters["grain"])
    frame = frame.assign(immature=frame["numerator"].where(~over, 0), numerator=frame["numerator"].where(over, 0),
                         denominator=frame["denominator"].where(over, 0))
    known = frame["denominator"].where(frame["denominator"] > 0).astype("float64")
    low, high = shapes.odds(frame["numerator"], frame["denominator"], parameters["level"])
    frame["numerator"] -= frame["denominator"]
    frame = frame.assign(value=frame["numerator"] / known, low=low - 1, high=high - 1)
    return shapes.ordered(frame, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="share", better="higher", reads="users", finish=_growth,
         interval=shapes.ODDS)
def signup_growth(data: Data, *, by: str | None = None, grain: Grain = "week") -> Table:
    """Sign-ups against the period before: 0.1 is a tenth more.

    A period that is not over is not compared; its sign-ups stand as immature.

    Parameters
    ----------
    data
        Reads `users`.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the second: period, numerator (sign-ups more than in the period before),
    denominator (sign-ups of the period before), value (missing after a period without any), low, high,
    immature.

    The interval takes both counts as Poisson: their ratio is bounded by Wilson's interval of the share
    that the later one has of both.

    Examples
    --------
    >>> from plgkit import samples
    >>> signup_growth(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-13         -4            4   -1.0
    """
    return signups.function(data, by=by, grain=grain)




@measure(shape="total", unit="people", better="higher", reads="visits")
def visitors(data: Data, *, by: str | None = None, grain: Grain = "week") -> Table:
    """Distinct visitors.

    Several browsers of one person are one visitor once it is known whose they are, also in the past.

    Parameters
    ----------
    data
        Reads `visits`.
    by
        Column to cut by; `channel` is that of the visitor's first visit in the period.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, value (people), low, high, complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> visitors(samples.tiny())[["period", "value"]].head(2)
          period  value
    0 2024-12-30      1
    1 2025-01-06      5
    """
    visits = seen.visits(data)
    visits = visits.mutate(period=data.period(visits.day, grain))
    place = ibis.row_number().over(ibis.window(group_by=[visits.who, visits.period],
                                               order_by=[visits.visited_at, visits.visitor_id]))
    firsts = visits.mutate(place=place).filter(_.place == 0)
    return shapes.total(seen.cut(data, firsts, by), _.count().cast("int64"), by=by)


@measure(shape="rate", unit="share of visitors", better="higher", reads="visits users",
         settings={"within_days": "visits.signup_within_days"})
def visitor_to_signup(data: Data, *, within_days: int | None = None, by: str | None = None,
                      grain: Grain = "week") -> Table:
    """Share of visitors who sign up within `within_days` days of their first visit.

    A visitor counts once, in the period of the first visit, and only when its own days are over.
    Several browsers of one person are one visitor, and who had signed up before is none.

    Parameters
    ----------
    data
        Reads `visits` and `users`.
    within_days
        Days of 24 hours from the first visit; the last instant counts.
    by
        Column to cut by; `channel` is that of the first visit.
    grain
        Length of a period.

    Returns
    -------
    One row per period of the first visit: period, numerator and denominator (people), value, low, high,
    immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> visitor_to_signup(samples.tiny())[["period", "numerator", "denominator", "immature"]].head(2)
          period  numerator  denominator  immature
    0 2024-12-30          1            1         0
    1 2025-01-06          2            4         0
    """
    people = seen.prospects(data)
    people = seen.cut(data, people.mutate(period=data.period(people.day, grain)), by)
    return shapes.rate(people, by=by, hit=within(people.signed_up_at, people.first_at, within_days),
                       mature=closed(data, people.first_at, within_days))


@measure(shape="rate", unit="share of sign-ups", better="higher", reads="users", settings={"paid": "channels.paid"})
def organic_share(data: Data, *, paid: list[str] | None = None, by: str | None = None,
                  grain: Grain = "week") -> Table:
    """Share of sign-ups that came by a channel other than the paid ones (`paid`).

    A person without a channel counts as unpaid.

    Parameters
    ----------
    data
        Reads `users` (channel).
    paid
        The channels that cost money.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of sign-up: period, numerator and denominator (people), value, low, high, immature
    (always 0: a channel is known at once).

    Examples
    --------
    >>> from plgkit import samples
    >>> organic_share(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-06          3            4   0.75
    """
    people = segmented(data, data.users.mutate(period=data.period(_.day, grain), way=_.channel.fill_null(NONE)), by)
    return shapes.rate(people, by=by, hit=people.way.notin(paid), mature=ibis.literal(True))


def _seconds(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return durations.as_distribution(frame, data, parameters, per=1.0)


@measure(shape="distribution", unit="seconds", better="lower", reads="visits users", finish=_seconds)
def time_to_signup(data: Data, *, by: str | None = None, grain: Grain | None = None) -> Table:
    """Seconds from a visitor's first visit to signing up, with those who have not signed up still counted.

    As most visitors never sign up, the median over all is often missing: not reached by half.

    Parameters
    ----------
    data
        Reads `visits` and `users`.
    by
        Column to cut by; `channel` is that of the first visit.
    grain
        Length of the period of the first visit to cut by; None takes all visitors together.

    Returns
    -------
    One row per period and segment: n (visitors), events (signed up), value (Kaplan-Meier median), low, high,
    q25, q75 (a quarter, three quarters signed up), median_among (of those who did).

    Examples
    --------
    >>> from plgkit import samples
    >>> time_to_signup(samples.tiny())[["n", "events", "value", "median_among"]]
       n  events    value  median_among
    0  5       3  46800.0        3600.0
    """
    people = seen.cut(data, seen.prospects(data), by)
    came = people.signed_up_at.notnull()
    until = came.ifelse(people.signed_up_at, data.end_literal)
    people = people.mutate(reached=came.ifelse(1, 0), duration=seconds_between(until, people.first_at))
    if grain:
        people = people.mutate(period=data.period(_.day, grain))
    return durations.counted(people, by=by, period=grain is not None)


def _cost(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    frame = shapes.every_period(frame, data, parameters, ["minor", "signups"])
    low, high = intervals.poisson(frame["signups"], level=parameters["level"])
    spend, most = frame["minor"] / 100, np.where(low > 0, low, np.nan)
    frame = frame.assign(
        spend=spend, value=spend / frame["signups"].where(frame["signups"] > 0), low=spend / high, high=spend / most,
        complete=shapes.complete(frame["period"], data, parameters["grain"]))
    return shapes.ordered(frame, parameters, ["spend", "signups", "value", "low", "high", "complete"])


@measure(shape="table", unit="currency", better="lower", reads="spend users", finish=_cost,
         interval="exact Poisson interval of the sign-ups")
def cost_per_signup(data: Data, *, by: Literal["channel"] | None = "channel", grain: Grain = "month") -> Table:
    """Spend divided by sign-ups of the same period.

    By channel, or blended: with `by=None` all spend is divided by all sign-ups, paid or not.

    Parameters
    ----------
    data
        Reads `spend` and `users` (channel).
    by
        "channel", or None for all channels together.
    grain
        Length of a period.

    Returns
    -------
    One row per period and channel: period, channel, spend (currency), signups, value (currency per sign-up;
    missing where nobody signed up), low, high (the sign-ups taken as Poisson), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> cost_per_signup(samples.tiny()).query("channel == 'paid_search'")[["period", "spend", "signups", "value"]]
          period  spend  signups  value
    2 2025-01-01  100.0        1  100.0
    5 2025-02-01    0.0        0    NaN
    >>> cost_per_signup(samples.tiny(), by=None)[["period", "spend", "signups", "value"]].head(1)
          period  spend  signups  value
    0 2025-01-01  100.0        4   25.0
    """
    if by not in ("channel", None):
        raise UnknownSegment(by, ["channel"])
    keys = ["period", *([by] if by else [])]
    spent = data.spend.select(period=data.period(_.day, grain), channel=_.channel.fill_null(NONE),
                              minor=_.amount_minor, signups=ibis.literal(0, "int64"))
    came = data.users.select(period=data.period(_.day, grain), channel=_.channel.fill_null(NONE),
                             minor=ibis.literal(0, "int64"), signups=ibis.literal(1, "int64"))
    return spent.union(came).group_by(*keys).aggregate(
        minor=_.minor.sum().cast("int64"), signups=_.signups.sum().cast("int64"))
