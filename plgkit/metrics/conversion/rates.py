"""How many of the new accounts, and of the trials, start to pay."""

from __future__ import annotations

from typing import Literal

from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import shapes
from plgkit.metrics.accounts import before_paying, openings, trials
from plgkit.metrics.people import closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

Motion = Literal["self_serve", "sales"]


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
    accounts = before_paying(data, openings(data), "created_at")
    accounts = segmented(data, accounts.mutate(period=data.period(_.day, grain)), by, unit="account_id")
    hit = within(accounts.paid_at, accounts.created_at, within_days)
    if motion is not None:
        hit = hit & (accounts.paid_by == motion).fill_null(False)
    return shapes.rate(accounts, by=by, hit=hit, mature=closed(data, accounts.created_at, within_days))


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
    begun = before_paying(data, trials(data), "trial_started_at")
    begun = segmented(data, begun.mutate(period=data.period(_.day, grain)), by, unit="account_id")
    return shapes.rate(begun, by=by, hit=within(begun.paid_at, begun.trial_started_at, within_days),
                       mature=closed(data, begun.trial_started_at, within_days))
