"""How many of the new accounts, of the trials and of the activated accounts start to pay."""

from __future__ import annotations

from typing import Literal

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import MissingSetting
from plgkit.metrics import families, shapes
from plgkit.metrics.accounts import before_paying, came_by, members, of_accounts, openings, trials
from plgkit.metrics.people import Moment, activated, closed, segmented, within
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

Motion = Literal["self_serve", "sales"]
Unit = Literal["accounts", "people"]
CARD, NO_CARD = "card first", "no card"


@measure(shape="rate", unit="share of new accounts", better="higher", reads="accounts users subscriptions",
         settings={"within_days": "conversion.within_days"},
         interval="Wilson; of people widened by how much families (an account and the accounts it brought) differ")
def free_to_paid(data: Data, *, within_days: int | None = None, motion: Motion | None = None, unit: Unit = "accounts",
                 by: str | None = None, grain: Grain = "month") -> Table:
    """Share of new `unit` that pay within `within_days` days of being created or of signing up.

    Each account or person counts once, in the period of the start, and only when the own days are over.
    An account that paid before it was created was never free and is left out, and so is a person who came into an account
    that paid already.

    Parameters
    ----------
    data
        Reads `accounts` (without it, the first sign-up of each account in `users`) and `subscriptions`.
    within_days
        Days of 24 hours from the second of creation or sign-up; the last instant counts.
    motion
        Only first payments of this kind count: "self_serve", or "sales". A payment that does not say is neither.
    unit
        "accounts", or "people": a person pays when the person's account first does.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of the start: period, numerator and denominator (accounts or people), value, low, high, immature.

    Raises
    ------
    MissingMotion
        If a motion is asked for that no payment tells.

    Examples
    --------
    >>> from plgkit import samples
    >>> free_to_paid(samples.tiny())[["period", "numerator", "denominator", "immature"]].head(1)
          period  numerator  denominator  immature
    0 2025-01-01          2            3         0
    >>> int(free_to_paid(samples.tiny(), motion="self_serve").numerator[0])
    1
    >>> free_to_paid(samples.tiny(), unit="people")[["numerator", "denominator"]].head(1)  # Ann, Bob and Cho of four
       numerator  denominator
    0          3            4
    """
    start = "created_at" if unit == "accounts" else "signed_up_at"
    begun = openings(data) if unit == "accounts" else members(data).inner_join(
        data.users.select("user_id", "signed_up_at", "day"), "user_id")
    rows = before_paying(data, begun, start).mutate(period=data.period(_.day, grain))
    rows = segmented(data, rows, by, unit="account_id" if unit == "accounts" else "user_id")
    hit, mature = within(rows.paid_at, rows[start], within_days), closed(data, rows[start], within_days)
    if motion is not None:
        hit = hit & came_by(data, rows, motion)
    if unit == "people":
        return families.rate(data, rows, by=by, hit=hit, mature=mature)
    return shapes.rate(rows, by=by, hit=hit, mature=mature)


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
        Column to cut by; or "card_first": whether payment details were known when the trial began ("card first") or not ("no card"),
        by the playbook's payment event, else by its word for all trials (trial.card_first). Details entered later
        are part of paying and tell nothing of the trial.
    grain
        Length of a period.

    Returns
    -------
    One row per period of trial start: period, numerator and denominator (trials), value, low, high, immature. For the
    share over young trials too, by Kaplan and Meier, see `time_to_paid` with start="trial".

    Raises
    ------
    MissingSetting
        If cut by "card_first" and the playbook has neither word for it.

    Examples
    --------
    >>> from plgkit import samples
    >>> trial_to_paid(samples.tiny())[["period", "numerator", "denominator", "value"]].head(1)
          period  numerator  denominator  value
    0 2025-01-01          2            2    1.0
    """
    begun = before_paying(data, trials(data), "trial_started_at").mutate(period=data.period(_.day, grain))
    begun = _with_card(data, begun) if by == "card_first" else segmented(data, begun, by, unit="account_id")
    return shapes.rate(begun, by=by, hit=within(begun.paid_at, begun.trial_started_at, within_days),
                       mature=closed(data, begun.trial_started_at, within_days))


def _with_card(data: Data, begun: Table) -> Table:
    """Trials with `card_first`: whether payment details were known by the instant of their start."""
    event, told = data.playbook.payment.event, data.playbook.trial.card_first
    if event is not None:
        entered = of_accounts(data, data.event(event).select("user_id", "account_id", "occurred_at"))
        entered = entered.group_by("account_id").aggregate(entered_at=_.occurred_at.min())
        rows = begun.left_join(entered, "account_id").drop("account_id_right")
        known = (rows.entered_at <= rows.trial_started_at).fill_null(False)
        return rows.mutate(card_first=known.ifelse(CARD, NO_CARD)).drop("entered_at")
    if told is None:
        raise MissingSetting("payment.event", example='[payment] event = "payment_details_entered"',
                             why="To tell trials with a card from those without needs [payment] event or [trial] card_first.")
    return begun.mutate(card_first=ibis.literal(CARD if told else NO_CARD))


@measure(shape="rate", unit="share of activated accounts", better="higher", reads="users events subscriptions",
         settings={"event": "activation.event", "within_days": "conversion.within_days"})
def upgrade_after_activation(data: Data, *, event: Moment | None = None, within_days: int | None = None,
                             motion: Motion | None = "self_serve", by: str | None = None, grain: Grain = "month") -> Table:
    """Share of activated accounts that upgrade within `within_days` days of activating (`event`).

    An account is activated when the first of its people is. It counts in the period of that moment, and only when its own
    days are over. An account that paid before it activated is left out: it has nothing left to upgrade from free.

    Parameters
    ----------
    data
        Reads `users`, `events` and `subscriptions`.
    event
        Activation, as in `activation.rate`.
    within_days
        Days of 24 hours from activation; the last instant counts.
    motion
        Only first payments of this kind count; "self_serve" is an upgrade without a salesperson, None takes all.
    by
        Column to cut by.
    grain
        Length of a period.

    Returns
    -------
    One row per period of activation: period, numerator and denominator (accounts), value, low, high, immature.

    Raises
    ------
    MissingMotion
        If a motion is asked for that no payment tells.

    Examples
    --------
    >>> from plgkit import samples
    >>> upgrade_after_activation(samples.tiny())[["period", "numerator", "denominator"]].head(1)  # a1 buys, a2 is sold to
          period  numerator  denominator
    0 2025-01-01          1            2
    """
    people = activated(data, event).inner_join(members(data), "user_id")
    begun = people.group_by("account_id").aggregate(activated_at=_.activated_at.min())
    rows = before_paying(data, begun, "activated_at")
    rows = rows.mutate(period=data.period(data.local(rows.activated_at).date(), grain))
    rows = segmented(data, rows, by, unit="account_id")
    hit = within(rows.paid_at, rows.activated_at, within_days)
    if motion is not None:
        hit = hit & came_by(data, rows, motion)
    return shapes.rate(rows, by=by, hit=hit, mature=closed(data, rows.activated_at, within_days))
