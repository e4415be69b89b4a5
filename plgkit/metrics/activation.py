"""Activation: do new people reach the moment of value, and how fast?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import durations, features, funnels, shapes
from plgkit.metrics.people import Moment, activated, closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between


@measure(shape="rate", unit="share of sign-ups", better="higher", reads="users events",
         settings={"event": "activation.event", "within_days": "activation.within_days"})
def rate(data: Data, *, event: Moment | None = None, within_days: int | None = None,
         by: str | None = None, grain: Grain = "week") -> Table:
    """Share of sign-ups who reach activation (`event`) within `within_days` days of signing up.

    Each sign-up counts once, in the period it joined, and only when its own days are over:
    until then it is immature, because it can still activate.

    Parameters
    ----------
    data
        Reads `users` (user_id, signed_up_at) and `events`.
    event
        The moment of first value: an event, several of which any counts, or a rule of the playbook.
    within_days
        Days of 24 hours from the second of sign-up; the last instant counts.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of sign-up: period, numerator and denominator (people), value (0 to 1),
    low, high, immature.

    Raises
    ------
    UnknownEvent
        If `event` never happened: a misspelt name would otherwise read as 0 %.

    Examples
    --------
    >>> from plgkit import samples
    >>> rate(samples.tiny())[["period", "numerator", "denominator", "value", "immature"]].head(1)
          period  numerator  denominator  value  immature
    0 2025-01-06          2            4    0.5         0
    """
    reached = activated(data, event)
    people = data.users.left_join(reached, "user_id").mutate(period=data.period(_.day, grain))
    people = segmented(data, people, by)
    return shapes.rate(people, by=by, hit=within(people.activated_at, people.signed_up_at, within_days),
                       mature=closed(data, people.signed_up_at, within_days))


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


@measure(shape="rate", unit="share of sign-ups", better="higher", reads="users events",
         settings={"event": "activation.event"})
def day1_rate(data: Data, *, event: Moment | None = None, by: str | None = None, grain: Grain = "week") -> Table:
    """Share of sign-ups who reach activation (`event`) within 24 hours of signing up.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    event
        The moment of first value, as in `rate`.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of sign-up, as in `rate`.

    Examples
    --------
    >>> from plgkit import samples
    >>> day1_rate(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-06          1            4   0.25
    """
    return rate.function(data, event=event, within_days=1, by=by, grain=grain)


ONBOARDING = {"steps": "onboarding.steps", "within_days": "onboarding.within_days"}


@measure(shape="rate", unit="share of people who start", better="higher", reads="users events", settings=ONBOARDING)
def onboarding_completion(data: Data, *, steps: list[str] | None = None, within_days: int | None = None,
                          by: str | None = None, grain: Grain = "week") -> Table:
    """Share of people who start onboarding and get through all its steps (`steps`) in `within_days` days.

    The first time of the first step counts as the start; the steps must be done in their order.

    Parameters
    ----------
    data
        Reads `events`, and `users` to cut by.
    steps
        The steps in order.
    within_days
        Days of 24 hours from the first step to the last; the last instant counts.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of the start: period, numerator and denominator (people), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> onboarding_completion(samples.tiny())[["period", "numerator", "denominator", "immature"]].head(1)
          period  numerator  denominator  immature
    0 2025-01-06          2            3         0
    """
    people = funnels.reached(data, steps, within_days=within_days)
    people = segmented(data, people.mutate(period=data.period(_.day, grain)), by)
    return shapes.rate(people, by=by, hit=~people[f"at_{len(steps)}"].isnull(),
                       mature=closed(data, people.at_1, within_days))


@measure(shape="funnel", unit="people", better="higher", reads="users events", settings=ONBOARDING,
         finish=funnels.as_funnel)
def onboarding_drop_off(data: Data, *, steps: list[str] | None = None, within_days: int | None = None,
                        by: str | None = None) -> Table:
    """Where people stop in onboarding: the funnel through `steps`, within `within_days` days of the first.

    Parameters
    ----------
    data
        Reads `events`, and `users` to cut by.
    steps
        The steps in order.
    within_days
        Days of 24 hours from the first step; the last instant counts.
    by
        Column to cut by.

    Returns
    -------
    One row per step and segment, as in `plgkit.metrics.funnels.funnel`: the drop-off is 1 less
    share_of_entry of the last step.

    Examples
    --------
    >>> from plgkit import samples
    >>> onboarding_drop_off(samples.tiny())[["step", "people", "share_of_previous", "lost"]].round(3)
                 step  people  share_of_previous  lost
    0  profile_filled       3              1.000     0
    1  data_connected       2              0.667     1
    2  report_created       2              1.000     0
    """
    people = funnels.reached(data, steps, within_days=within_days)
    return funnels.counted(data, people, steps, within_days=within_days, by=by)


@measure(shape="table", unit="share of sign-ups", better="higher", reads="users events", finish=features.as_adoption,
         interval="Wilson interval",
         settings={"core": "features.core", "within_days": "activation.within_days"})
def core_feature_adoption(data: Data, *, core: list[str] | None = None, within_days: int | None = None,
                          by: str | None = None, grain: Grain | None = None) -> Table:
    """Share of sign-ups who use each core feature (`core`) within `within_days` days of signing up.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    core
        One event per feature.
    within_days
        Days of 24 hours from the second of sign-up; the last instant counts.
    by
        Column to cut by.
    grain
        Length of the period of sign-up to cut by; None takes all sign-ups together.

    Returns
    -------
    One row per period, segment and feature, and one "(any)" for who used any of them: feature, numerator and denominator (people whose days are over),
    value, low, high, times_per_person (mean, among those who used it), immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> core_feature_adoption(samples.tiny())[["feature", "numerator", "denominator", "value"]]
              feature  numerator  denominator  value
    0           (any)          2            4   0.50
    1  report_created          2            4   0.50
    2   report_shared          1            4   0.25
    """
    people = data.users if grain is None else data.users.mutate(period=data.period(_.day, grain))
    people = segmented(data, people, by)
    people = people.mutate(old=closed(data, people.signed_up_at, within_days))
    keys = features.keys(by, grain)
    done = data.event(core).select("user_id", "event", "occurred_at")
    done = people.filter(people.old).select("user_id", "signed_up_at", *keys).inner_join(done, "user_id")
    done = done.filter(within(done.occurred_at, done.signed_up_at, within_days))
    done = done.select("user_id", "event", *keys)
    return features.counted(people.select(*keys, counted=people.old.ifelse(1, 0)), done, keys, any_of_them=True)
