"""How long newcomers take to reach the moment of value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from ibis.expr.types import Table

from plgkit.metrics import durations, families
from plgkit.metrics.activation.leaving import first_silences, left_after
from plgkit.metrics.people import Moment, activated, segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between

HOUR = 3600.0
OUTCOMES = {"reached": "activated", "left": "left first", "waiting": "on the way"}


def _people(data: Data, event: Moment, by: str | None) -> Table:
    """Everybody who signed up: `activated_at`, `reached` (1 or 0) and `duration`, seconds until then or until the end."""
    people = data.users.left_join(activated(data, event), "user_id").drop("user_id_right")
    people = segmented(data, people, by)
    came = people.activated_at.notnull() & (people.activated_at >= people.signed_up_at)
    until = came.ifelse(people.activated_at, data.end_literal)
    return people.mutate(reached=came.ifelse(1, 0), duration=seconds_between(until, people.signed_up_at))


def _with_leaving(data: Data, people: Table, silent_days: int) -> Table:
    people = people.left_join(first_silences(data, silent_days), "user_id").drop("user_id_right")
    return people.mutate(left=left_after(data, people, silent_days))


def _time_to_value(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = durations.as_distribution(frame, data, parameters, per=HOUR)
    keys = [name for name in ("period", parameters["by"]) if name and name in frame.columns]
    shares = durations.shares_by(frame, keys, day=parameters["up_to_days"], level=parameters["level"])
    return pd.concat([made, shares.drop(columns=keys)], axis=1)


@measure(shape="distribution", unit="hours", better="lower", reads="users events",
         settings={"event": "activation.event", "silent_days": "activation.silent_days"}, finish=_time_to_value,
         interval=families.SURVIVAL)
def time_to_value(data: Data, *, event: Moment | None = None, silent_days: int | None = None, up_to_days: int = 28,
                  by: str | None = None, grain: Grain | None = None) -> Table:
    """Hours from signing up to activation (`event`), over all sign-ups; who first does nothing for `silent_days` days has left.

    The median is Kaplan-Meier's: everybody who signed up is in it, and who has not activated counts
    as on the way until the end of the data. It is missing where fewer than half get there. Leaving first is a
    competing end, not a gap in the data: the share that had activated by a day, and the share that had left
    before, are Aalen and Johansen's.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    event
        The moment of first value, as in `rate`.
    silent_days
        Days in a row without activity, all over, after which a person who has not activated has left. Signing
        up is activity. Who comes back later has left all the same.
    up_to_days
        Days after sign-up at which the shares are given.
    by
        Column to cut by.
    grain
        Length of the period of sign-up to cut by; None takes all sign-ups together.

    Returns
    -------
    One row per period and segment: n (sign-ups), events (activated), value (median hours), low, high,
    q25, q75 (a quarter, three quarters got there), median_among (of those who did), among_low, among_high, left (people
    who left first), reached_share with reached_low and reached_high, left_share (both by `up_to_days`; missing
    where nobody was watched so long).

    Examples
    --------
    >>> from plgkit import samples
    >>> found = time_to_value(samples.tiny())
    >>> found[["n", "events", "value", "median_among", "left", "reached_share", "left_share"]]
       n  events  value  median_among  left  reached_share  left_share
    0  4       3  102.0         102.0     1           0.75        0.25

    References
    ----------
    Aalen and Johansen, "An empirical transition matrix for non-homogeneous Markov chains based on censored
    observations", Scandinavian Journal of Statistics 5 (1978), 141-150.
    """
    people = _with_leaving(data, _people(data, event, by), silent_days)
    if grain:
        people = people.mutate(period=data.period(people.day, grain))
    return durations.counted(families.dealt(data, people), by=by, period=grain is not None)


def _time_to_value_curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    groups = {**parameters, "by": "period"} if parameters["grain"] else parameters
    return durations.as_curve(frame, data, groups, per=HOUR, upto=86400.0 * parameters["up_to_days"])


@measure(shape="curve", unit="share of sign-ups", better="higher", reads="users events",
         settings={"event": "activation.event"}, finish=_time_to_value_curve, interval=families.SURVIVAL)
def time_to_value_curve(data: Data, *, event: Moment | None = None, up_to_days: int = 14,
                        by: str | None = None, grain: Grain | None = None) -> Table:
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
    grain
        Cuts by periods of sign-up of this length instead.

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
    people = _people(data, event, None if grain else by)
    if grain:
        people = people.mutate(period=data.period(people.day, grain))
    return durations.counted(families.dealt(data, people), by=None if grain else by, period=grain is not None)


def _outcomes(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return durations.as_outcomes(frame, data, parameters, per=HOUR, upto=86400.0 * parameters["up_to_days"], names=OUTCOMES)


@measure(shape="curve", unit="share of sign-ups", better="neither", reads="users events", finish=_outcomes,
         interval="log-log, Aalen-Johansen; Greenwood for those on the way",
         settings={"event": "activation.event", "silent_days": "activation.silent_days"})
def outcomes(data: Data, *, event: Moment | None = None, silent_days: int | None = None, up_to_days: int = 28,
             by: str | None = None) -> Table:
    """Share of sign-ups who had activated (`event`), had left first (silent for `silent_days` days) or were on the way, by hour.

    Aalen and Johansen's shares: the three add up to all at every hour of the first `up_to_days` days.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    event
        The moment of first value, as in `rate`.
    silent_days
        Days in a row without activity after which a person has left, as in `time_to_value`.
    up_to_days
        Where the curves end.
    by
        Column to cut by.

    Returns
    -------
    One row per segment, outcome ("activated", "left first", "on the way") and time at which it grew, and one for
    the end: x (hours since sign-up), value (share by then), low, high, at_risk (people on the way just before).

    Examples
    --------
    >>> from plgkit import samples
    >>> outcomes(samples.tiny()).groupby("outcome", as_index=False).last()[["outcome", "x", "value"]]
          outcome      x  value
    0   activated  672.0   0.75
    1  left first  672.0   0.25
    2  on the way  672.0   0.00
    """
    people = _with_leaving(data, _people(data, event, by), silent_days)
    return durations.counted(people, by=by, period=False)


def _compared(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    groups = "period" if parameters["grain"] else parameters["by"]
    made = durations.as_distribution(frame, data, {**parameters, "by": None if parameters["grain"] else groups}, per=HOUR)
    return made.merge(durations.paces(frame, groups), on=groups) if len(made) else made.reindex(
        columns=[*made.columns, "observed", "expected", "ratio", "p_others", "p"])


@measure(shape="table", unit="hours", better="lower", reads="users events", finish=_compared,
         interval=f"{families.SURVIVAL}; log-rank test of single people",
         settings={"event": "activation.event"})
def time_to_value_compared(data: Data, *, event: Moment | None = None, by: str = "channel",
                           grain: Grain | None = None) -> Table:
    """Hours from signing up to activation (`event`) compared between groups of sign-ups, with a log-rank test.

    Who has not activated counts as on the way until the end of the data, as in `time_to_value`.

    Parameters
    ----------
    data
        Reads `users` and `events`.
    event
        The moment of first value, as in `rate`.
    by
        Column whose groups are compared.
    grain
        Compares sign-ups of different periods of this length instead.

    Returns
    -------
    One row per group: n, events, value (median hours), low, high, q25, q75, median_among, among_low, among_high,
    observed and expected (who activated, and who would have at the pace of all together), ratio (of the two: above 1
    is faster), p_others (the group against all others, corrected for the number of groups by Benjamini and
    Hochberg), p (all groups together; the same in every row, missing for a single group).

    Examples
    --------
    >>> from plgkit import samples
    >>> time_to_value_compared(samples.tiny())[["channel", "n", "value", "ratio", "p"]].round(2)
           channel  n  value  ratio    p
    0       invite  1  102.0   1.71  0.8
    1      organic  2    0.5   0.75  0.8
    2  paid_search  1  222.0   0.92  0.8

    References
    ----------
    Mantel, "Evaluation of survival data", Cancer Chemotherapy Reports 50 (1966), 163-170.
    """
    people = _people(data, event, None if grain else by)
    if grain:
        people = people.mutate(period=data.period(people.day, grain))
    return durations.counted(families.dealt(data, people), by=None if grain else by, period=grain is not None)
