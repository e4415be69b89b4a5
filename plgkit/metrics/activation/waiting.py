"""How long newcomers take to reach the moment of value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import durations
from plgkit.metrics.people import Moment, activated, segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between


def _time_to_value(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return durations.as_distribution(frame, data, parameters, per=3600.0)


@measure(shape="distribution", unit="hours", better="lower", reads="users events",
         settings={"event": "activation.event"}, finish=_time_to_value)
def time_to_value(data: Data, *, event: Moment | None = None, by: str | None = None,
                  grain: Grain | None = None) -> Table:
    """Hours from signing up to activation (`event`), with those who have not got there yet still counted.

    The median is Kaplan-Meier's: everybody who signed up is in it, and who has not activated counts
    as on the way until the end of the data. It is missing where fewer than half get there.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    event
        The moment of first value, as in `rate`.
    by
        Column to cut by.
    grain
        Length of the period of sign-up to cut by; None takes all sign-ups together.

    Returns
    -------
    One row per period and segment: n (sign-ups), events (activated), value (median hours), low, high,
    q25, q75 (a quarter, three quarters got there), median_among (of those who did).

    Examples
    --------
    >>> from plgkit import samples
    >>> time_to_value(samples.tiny())[["n", "events", "value", "median_among"]]
       n  events  value  median_among
    0  4       3  102.0         102.0
    """
    reached = activated(data, event)
    people = data.users.left_join(reached, "user_id")
    people = segmented(data, people, by)
    came = people.activated_at.notnull() & (people.activated_at >= people.signed_up_at)
    until = came.ifelse(people.activated_at, data.end_literal)
    people = people.mutate(reached=came.ifelse(1, 0), duration=seconds_between(until, people.signed_up_at))
    if grain:
        people = people.mutate(period=data.period(_.day, grain))
    return durations.counted(people, by=by, period=grain is not None)


def _time_to_value_curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return durations.as_curve(frame, data, parameters, per=3600.0, upto=86400.0 * parameters["up_to_days"])


@measure(shape="curve", unit="share of sign-ups", better="higher", reads="users events",
         settings={"event": "activation.event"}, finish=_time_to_value_curve)
def time_to_value_curve(data: Data, *, event: Moment | None = None, up_to_days: int = 14,
                        by: str | None = None) -> Table:
    """Share of sign-ups who reached activation (`event`) by each hour of the first `up_to_days` days.

    Kaplan-Meier: who has not activated counts as on the way until the end of the data.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    event
        The moment of first value, as in `rate`.
    up_to_days
        Where the curve ends; what happened later is not drawn.
    by
        Column to cut by.

    Returns
    -------
    One row per time at which somebody activated, and one for the end: x (hours since sign-up), value (share who
    activated by then), low, high, at_risk (people still on the way just before).

    Examples
    --------
    >>> from plgkit import samples
    >>> time_to_value_curve(samples.tiny())[["x", "value", "at_risk"]]
           x  value  at_risk
    0    0.0   0.00        4
    1    0.5   0.25        4
    2  102.0   0.50        3
    3  222.0   0.75        2
    4  336.0   0.75        1
    """
    return time_to_value.function(data, event=event, by=by, grain=None)
