"""Conversion: who starts to pay, how soon, and how much?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import durations, ledger, shapes
from plgkit.metrics.accounts import first_payments, openings, trials
from plgkit.metrics.people import closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain, seconds_between

Motion = Literal["self_serve", "sales"]
DAY_SECONDS = 86_400.0


@measure(shape="rate", unit="share of new accounts", better="higher", reads="accounts users subscriptions",
         settings={"within_days": "conversion.within_days"})
def free_to_paid(data: Data, *, within_days: int | None = None, motion: Motion | None = None,
                 by: str | None = None, grain: Grain = "month") -> Table:
    """Share of new accounts that pay within `within_days` days of being created.

    Each account counts once, in the period it was created, and only when its own days are over.
    An account that paid before it was created was never free and is left out.

    Parameters
    ----------
    data
        Reads `accounts` (without it, the first sign-up of each account in `users`) and `subscriptions`.
    within_days
        Days of 24 hours from the second of creation; the last instant counts.
    motion
        Only first payments of this kind count: "self_serve", or "sales".
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of creation: period, numerator and denominator (accounts), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> free_to_paid(samples.tiny())[["period", "numerator", "denominator", "immature"]].head(1)
          period  numerator  denominator  immature
    0 2025-01-01          2            3         0
    >>> int(free_to_paid(samples.tiny(), motion="self_serve").numerator[0])
    1
    """
    accounts = _before_paying(data, openings(data), "created_at")
    accounts = segmented(data, accounts.mutate(period=data.period(_.day, grain)), by, unit="account_id")
    hit = within(accounts.paid_at, accounts.created_at, within_days)
    if motion is not None:
        hit = hit & (accounts.paid_by == motion).fill_null(False)
    return shapes.rate(accounts, by=by, hit=hit, mature=closed(data, accounts.created_at, within_days))


def _before_paying(data: Data, accounts: Table, start: str) -> Table:
    """Accounts with their first payment, without those that paid before their start."""
    paid = first_payments(data).select("account_id", "paid_at", "paid_minor", paid_by=_.motion)
    rows = accounts.left_join(paid, "account_id").drop("account_id_right")
    return rows.filter((rows.paid_at >= rows[start]).fill_null(True))


@measure(shape="rate", unit="share of trials", better="higher", reads="accounts subscriptions",
         settings={"within_days": "trial.pay_within_days"})
def trial_to_paid(data: Data, *, within_days: int | None = None, by: str | None = None,
                  grain: Grain = "month") -> Table:
    """Share of trials followed by a first payment within `within_days` days of their start.

    A share of those who started in a period, never payments over trials of the same month.
    An account that paid before its trial is left out.

    Parameters
    ----------
    data
        Reads `accounts` (trial_started_at; else the playbook's trial event) and `subscriptions`.
    within_days
        Days of 24 hours from the start of the trial; the last instant counts.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of trial start: period, numerator and denominator (trials), value, low, high, immature.

    Examples
    --------
    >>> from plgkit import samples
    >>> trial_to_paid(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-01          2            2    1.0
    """
    begun = _before_paying(data, trials(data), "trial_started_at")
    begun = segmented(data, begun.mutate(period=data.period(_.day, grain)), by, unit="account_id")
    return shapes.rate(begun, by=by, hit=within(begun.paid_at, begun.trial_started_at, within_days),
                       mature=closed(data, begun.trial_started_at, within_days))


def _in_days(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return durations.as_distribution(frame, data, parameters, per=DAY_SECONDS)


@measure(shape="distribution", unit="days", better="lower", reads="accounts users subscriptions", finish=_in_days)
def time_to_paid(data: Data, *, start: Literal["account", "trial"] = "account", by: str | None = None,
                 grain: Grain | None = None) -> Table:
    """Days from the start (`start`) to the first payment; who has not paid yet still counts.

    Most accounts never pay, so that the median over all is often missing: half do not get there.
    `median_among` is that of those who paid, which grows as slow ones come in.

    Parameters
    ----------
    data
        Reads `accounts` (or `users`) and `subscriptions`.
    start
        "account", when it was created, or "trial", for accounts that began one.
    by
        Column to cut by.
    grain
        Length of the period of the start to cut by; None takes all together.

    Returns
    -------
    One row per period and segment: n (accounts), events (paid), value (median days), low, high, q25, q75,
    median_among.

    Examples
    --------
    >>> from plgkit import samples
    >>> time_to_paid(samples.tiny(), start="trial")[["n", "events", "median_among"]].round(2)
       n  events  median_among
    0  2       2         15.44
    """
    rows = _waits(data, start, by)
    if grain:
        rows = rows.mutate(period=data.period(_.day, grain))
    return durations.counted(rows, by=by, period=grain is not None)


def _waits(data: Data, start: str, by: str | None) -> Table:
    """How long each account took to pay, or has not paid yet: `duration` in seconds and `reached`."""
    moment = "created_at" if start == "account" else "trial_started_at"
    rows = _before_paying(data, openings(data) if start == "account" else trials(data), moment)
    rows = segmented(data, rows, by, unit="account_id")
    paid = rows.paid_at.notnull()
    return rows.mutate(reached=paid.ifelse(1, 0),
                       duration=seconds_between(paid.ifelse(rows.paid_at, data.end_literal), rows[moment]))


def _time_to_paid_curve(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    return durations.as_curve(frame, data, parameters, per=DAY_SECONDS, upto=DAY_SECONDS * parameters["within_days"])


@measure(shape="curve", unit="share of new accounts", better="higher", reads="accounts users subscriptions",
         settings={"within_days": "conversion.within_days"}, finish=_time_to_paid_curve)
def time_to_paid_curve(data: Data, *, start: Literal["account", "trial"] = "account", within_days: int | None = None,
                       by: str | None = None) -> Table:
    """Share of accounts that have paid, by the days since the start (`start`).

    Kaplan-Meier: each account counts for as long as it was watched, so that young ones are in it too.

    Parameters
    ----------
    data
        Reads `accounts` (or `users`) and `subscriptions`.
    start
        As in `time_to_paid`.
    within_days
        Where the curve ends; later payments are not drawn.
    by
        Column to cut by.

    Returns
    -------
    One row per time at which an account first paid: x (days since the start), value (share that has paid by
    then), low, high, at_risk (accounts watched that had not paid just before).

    Examples
    --------
    >>> from plgkit import samples
    >>> time_to_paid_curve(samples.tiny(), start="trial")[["x", "value", "at_risk"]].round(2)
           x  value  at_risk
    0   0.00    0.0        2
    1  14.00    0.5        2
    2  16.88    1.0        1
    """
    return durations.counted(_waits(data, start, by), by=by, period=False)


@measure(shape="rate", unit="share of checkouts", better="higher", reads="events users",
         settings={"started": "conversion.checkout_started", "finished": "conversion.checkout_finished"})
def checkout_completion(data: Data, *, started: str | None = None, finished: str | None = None,
                        within_days: int = 1, by: str | None = None, grain: Grain = "month") -> Table:
    """Share of checkouts (`started`) that are finished (`finished`) within `within_days` days.

    A person's checkouts of one period count once, from the first: opening the page again is no
    new checkout.

    Parameters
    ----------
    data
        Reads `events` and `users`.
    started, finished
        Events that open and complete a self-serve checkout.
    within_days
        Days of 24 hours from the start; the last instant counts.
    by
        Column of people to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of the start: period, numerator and denominator (people), value, low, high, immature.

    Raises
    ------
    UnknownEvent
        If one of the two events never happened.

    Examples
    --------
    >>> from plgkit import samples
    >>> checkout_completion(samples.tiny())[["period", "numerator", "denominator"]].head(1)
          period  numerator  denominator
    0 2025-01-01          1            3
    """
    done = data.event(finished).select("user_id", "occurred_at", "day", finishes=ibis.literal(1, "int64"))
    begun = data.event(started).select("user_id", "occurred_at", "day", finishes=ibis.literal(0, "int64"))
    rows = begun.union(done)
    ahead = ibis.window(group_by=rows.user_id, order_by=[rows.occurred_at, rows.finishes], preceding=0, following=None)
    finish = (rows.finishes == 1).ifelse(rows.occurred_at, ibis.null("timestamp(6)"))
    rows = rows.mutate(finished_at=finish.min().over(ahead)).filter(_.finishes == 0)
    rows = rows.mutate(period=data.period(_.day, grain)).group_by("user_id", "period").aggregate(
        occurred_at=_.occurred_at.min(), finished_at=_.finished_at.min())
    rows = segmented(data, rows, by)
    return shapes.rate(rows, by=by, hit=within(rows.finished_at, rows.occurred_at, within_days),
                       mature=closed(data, rows.occurred_at, within_days))


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=ledger.as_mean,
         additive=False, interval=ledger.BY_ACCOUNT)
def arpa(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Monthly recurring revenue per paying account at the end of the period.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    by
        Column to cut by; plan and motion are those at the period's end.
    grain
        Length of a period.

    Returns
    -------
    One row per period: period, value (currency), low, high (resampled accounts), n (paying accounts), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> arpa(samples.tiny())[["period", "value", "n"]]
          period  value  n
    0 2025-01-01   35.0  2
    1 2025-02-01   30.0  1
    """
    rows = segmented(data, ledger.standing(data, grain), by, unit="account_id")
    return _cells(rows.mutate(numerator=rows.mrr_minor), by)


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=ledger.as_mean,
         additive=False, interval=ledger.BY_ACCOUNT)
def contract_value(data: Data, *, motion: Motion | None = None, by: str | None = None, grain: Grain = "month") -> Table:
    """Mean yearly value of new paying accounts (ACV): twelve times what each paid at first.

    Parameters
    ----------
    data
        Reads `subscriptions`.
    motion
        Only first payments of this kind: "self_serve", or "sales".
    by
        Column to cut by; plan and motion are those of the first payment.
    grain
        Length of the period of the first payment.

    Returns
    -------
    One row per period with a new paying account: period, value (currency a year), low, high (resampled
    accounts), n (accounts), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> contract_value(samples.tiny())[["period", "value", "n"]]
          period  value  n
    0 2025-01-01  420.0  2
    """
    paid = first_payments(data)
    paid = paid.filter(paid.motion == motion) if motion is not None else paid
    rows = segmented(data, paid.mutate(period=data.period(_.paid_day, grain)), by, unit="account_id")
    return _cells(rows.mutate(numerator=rows.paid_minor * 12), by)


def _cells(rows: Table, by: str | None) -> Table:
    """Alike accounts together, each one of the denominator."""
    counted = rows.group_by("period", *([by] if by else []), "numerator").aggregate(count=_.count().cast("int64"))
    return counted.mutate(denominator=ibis.literal(1, "int64"))
