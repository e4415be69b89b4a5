"""Shares of newcomers who reach the moment of value."""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import MissingSetting
from plgkit.metrics import families
from plgkit.metrics.people import Moment, activated, closed, segmented, since_signup, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


@measure(shape="rate", unit="share of sign-ups", better="higher", reads="users events",
         settings={"event": "activation.event", "within_days": "activation.within_days"}, interval=families.WIDENED)
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
    return families.rate(data, people, by=by, hit=within(people.activated_at, people.signed_up_at, within_days),
                         mature=closed(data, people.signed_up_at, within_days))


@measure(shape="rate", unit="share of sign-ups", better="higher", reads="users events",
         settings={"event": "activation.event"}, interval=families.WIDENED)
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


@measure(shape="rate", unit="share of people who enter", better="higher", reads="users events",
         settings={"event": "activation.event", "within_days": "activation.within_days"}, interval=families.WIDENED)
def conversion(data: Data, *, event: Moment | None = None, entry: str | list[str] | None = None,
               within_days: int | None = None, by: str | None = None, grain: Grain = "week") -> Table:
    """Share of people who begin onboarding or a trial (`entry`) and have activated (`event`) within `within_days` days of it.

    A person enters once: with the first step of onboarding or the start of a trial since signing up, whichever
    comes first. Who had activated before counts as activated.

    Parameters
    ----------
    data
        Reads `users` and `events`; also `accounts` where they carry the start of a trial.
    event
        The moment of first value, as in `rate`.
    entry
        The event that enters, or several of which any does. None takes the first step of onboarding, the trial's
        start event, and the start of a trial of the person's account.
    within_days
        Days of 24 hours from entering; the last instant counts.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of entering: period, numerator and denominator (people), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> conversion(samples.tiny())[["period", "numerator", "denominator", "immature"]].head(1)
          period  numerator  denominator  immature
    0 2025-01-06          2            3         0
    """
    entered = _entries(data, entry).group_by("user_id").aggregate(entered_at=_.entered_at.min())
    people = entered.left_join(activated(data, event), "user_id").drop("user_id_right")
    people = people.mutate(period=data.period(data.local(_.entered_at).date(), grain))
    people = segmented(data, people, by)
    in_time = (people.activated_at <= people.entered_at + ibis.interval(days=within_days)).fill_null(False)
    return families.rate(data, people, by=by, hit=in_time, mature=closed(data, people.entered_at, within_days))


def _entries(data: Data, entry: str | list[str] | None) -> Table:
    """Each person's entries: `user_id` and `entered_at`."""
    words = data.playbook
    if entry is not None:
        return since_signup(data, data.event(entry)).select("user_id", entered_at=_.occurred_at)
    names = [*words.onboarding.steps[:1], *([words.trial.start_event] if words.trial.start_event else [])]
    if not names and not data.has("accounts"):
        raise MissingSetting(
            "onboarding.steps", example='[onboarding] steps = ["signed_up", "source_connected", "report_created"]',
            why="Nobody is known to enter: this needs [onboarding] steps or [trial] start_event in the playbook.")
    events = since_signup(data, data.events.filter(data.events.event.isin(names))).select(
        "user_id", entered_at=_.occurred_at)
    if not data.has("accounts"):
        return events
    people = data.users.inner_join(data.accounts.select("account_id", "trial_started_at"), "account_id")
    trials = people.filter(people.trial_started_at >= people.signed_up_at)
    return events.union(trials.select("user_id", entered_at=_.trial_started_at))
