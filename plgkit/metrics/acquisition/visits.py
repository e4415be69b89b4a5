"""Who comes by, how many of them sign up or start a trial, and how soon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import durations, families, shapes
from plgkit.metrics import visitors as seen
from plgkit.metrics.accounts import trials
from plgkit.metrics.funnels.counted import as_funnel, counted
from plgkit.metrics.people import Moment, activated, closed, first_of, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between


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
    firsts = seen.first_visits(visits, "who", "period", "user_id", channel=by == "channel")
    return shapes.total(seen.cut(data, firsts, by), _.count().cast("int64"), by=by)


@measure(shape="rate", unit="share of visitors", better="higher", reads="visits users", interval=families.WIDENED,
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
    people = seen.prospects(data, channel=by == "channel")
    people = seen.cut(data, people.mutate(period=data.period(people.day, grain)), by)
    return families.rate(data, people, by=by, hit=within(people.signed_up_at, people.first_at, within_days),
                         mature=closed(data, people.first_at, within_days))


@measure(shape="rate", unit="share of people", better="higher", reads="visits users accounts",
         settings={"within_days": "visits.signup_within_days"})
def trial_signup(data: Data, *, of: Literal["visitors", "signups"] = "visitors", within_days: int | None = None,
                 by: str | None = None, grain: Grain = "week") -> Table:
    """Share of people (`of`) who start a trial within `within_days` days of their first visit or of signing up.

    An account's trial counts for one person, the first who signed up there: whoever joins later started none.
    Each person counts once, in the period of the first visit or sign-up, and only when their own days are over.

    Parameters
    ----------
    data
        Reads `users`, `accounts` (trial_started_at; else the playbook's trial event), and for visitors `visits`.
    of
        "visitors": from the first visit, as in `visitor_to_signup`; "signups": from signing up.
    within_days
        Days of 24 hours from the start; the last instant counts.
    by
        Column to cut by; for visitors, `channel` is that of the first visit.
    grain
        Length of a period.

    Returns
    -------
    One row per period of the start: period, numerator and denominator (people), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> trial_signup(samples.tiny(), of="signups")[["period", "numerator", "denominator"]].head(1)
          period  numerator  denominator
    0 2025-01-06          2            4
    """
    if of == "visitors":
        people = seen.prospects(data, channel=by == "channel").drop("signed_up_at").mutate(start_at=_.first_at)
    else:
        people = data.users.select("user_id", "day", start_at=_.signed_up_at)
    openers = _openers(data)
    people = people.left_join(openers, people.user_id == openers.opener).drop("opener")
    people = people.mutate(period=data.period(people.day, grain))
    people = seen.cut(data, people, by) if of == "visitors" else segmented(data, people, by)
    return shapes.rate(people, by=by, hit=within(people.trial_at, people.start_at, within_days),
                       mature=closed(data, people.start_at, within_days))


def _openers(data: Data) -> Table:
    """The first person of each account that began a trial: `opener`, and `trial_at`, when it did."""
    members = data.users.select("user_id", "signed_up_at", account_id=_.account_id.fill_null(_.user_id))
    firsts = first_of(members, "account_id", "signed_up_at", "user_id").select("account_id", opener=_.user_id)
    begun = trials(data).select("account_id", trial_at=_.trial_started_at)
    return begun.inner_join(firsts, "account_id").select("opener", "trial_at")


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
    people = seen.cut(data, seen.prospects(data, channel=by == "channel"), by)
    came = people.signed_up_at.notnull()
    until = came.ifelse(people.signed_up_at, data.end_literal)
    people = people.mutate(reached=came.ifelse(1, 0), duration=seconds_between(until, people.first_at))
    if grain:
        people = people.mutate(period=data.period(_.day, grain))
    keys = [*(["period"] if grain else []), *([by] if by else [])]
    return durations.counted(_watched(people, keys), by=by, period=grain is not None)


def _watched(people: Table, keys: list[str]) -> Table:
    """The same people, those still waiting with the last duration at which somebody got there before their own.

    Between two such times it makes no difference how long somebody waited, and there are as few kinds of people
    as times, however many come by.
    """
    order = ibis.window(group_by=[people[name] for name in keys], order_by=[people.duration, people.reached.desc()],
                        preceding=None, following=0)
    there = (people.reached == 1).ifelse(people.duration, ibis.null("float64"))
    return people.mutate(duration=there.max().over(order).fill_null(0.0))


STEPS = ["first visit", "sign-up", "activation"]


def _steps(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    asked = {name: parameters[name] for name in ("within_days", "by", "level")}
    return as_funnel(frame, data, asked | {"steps": STEPS})


@measure(shape="funnel", unit="people", better="higher", reads="visits users events", finish=_steps,
         settings={"event": "activation.event", "within_days": "visits.signup_within_days"})
def visitor_funnel(data: Data, *, event: Moment | None = None, within_days: int | None = None,
                   by: str | None = None) -> Table:
    """How many visitors sign up and then activate (`event`) within `within_days` days of their first visit.

    The whole way has one window, that of the first visit: so this activation is not that of `activation.rate`,
    which counts from the sign-up. Who had signed up before is no visitor.

    Parameters
    ----------
    data
        Reads `visits`, `users` and `events`.
    event
        The moment of first value; by default the playbook's.
    within_days
        Days of 24 hours from the first visit; the last instant counts.
    by
        Column to cut by; `channel` is that of the first visit.

    Returns
    -------
    One row per step and segment, as in `funnels.funnel`: first visit, sign-up, activation.

    Examples
    --------
    >>> from plgkit import samples
    >>> visitor_funnel(samples.tiny())[["step", "people", "share_of_previous"]]
              step  people  share_of_previous
    0  first visit       5           1.000000
    1      sign-up       3           0.600000
    2   activation       2           0.666667
    """
    people = seen.prospects(data, channel=by == "channel")
    signed = within(people.signed_up_at, people.first_at, within_days)
    people = people.mutate(at_1=people.first_at, at_2=signed.ifelse(people.signed_up_at, ibis.null("timestamp(6)")))
    done = activated(data, event).rename(active_id="user_id")
    people = people.left_join(done, people.user_id == done.active_id).drop("active_id")
    there = people.at_2.notnull() & within(people.activated_at, people.first_at, within_days)
    people = people.mutate(at_3=there.ifelse(people.activated_at, ibis.null("timestamp(6)")))
    return counted(data, seen.cut(data, people, by), STEPS, within_days=within_days, by=by)
