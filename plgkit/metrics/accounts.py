"""Accounts as measures count them: when they began, when a trial began, when they first paid."""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Table

from plgkit.errors import MissingMotion
from plgkit.metrics.people import first_of
from plgkit.sources.data import Data


def openings(data: Data) -> Table:
    """One row per account: `account_id`, `created_at`, `trial_started_at` and `day`, the day it was created.

    Without a table of accounts, an account begins with the first of its people who signs up, and a
    person without an account is one alone.
    """
    if data.has("accounts"):
        return data.accounts.select("account_id", "created_at", "trial_started_at", "day")
    people = data.users.mutate(account_id=_.account_id.fill_null(_.user_id))
    return people.group_by("account_id").aggregate(created_at=_.signed_up_at.min(), day=_.day.min()).mutate(
        trial_started_at=ibis.null("timestamp(6)")).select("account_id", "created_at", "trial_started_at", "day")


def members(data: Data) -> Table:
    """One row per person: `user_id` and `account_id`, the person's own id where there is no account."""
    return data.users.select("user_id", account_id=_.account_id.fill_null(_.user_id))


def of_accounts(data: Data, rows: Table) -> Table:
    """Rows of people with the account they belong to: the row's own, else the person's."""
    own = rows.mutate(own_account=rows.account_id).drop("account_id") if "account_id" in rows.columns else (
        rows.mutate(own_account=ibis.null("string")))
    joined = own.inner_join(members(data), "user_id")
    return joined.mutate(account_id=joined.own_account.fill_null(joined.account_id)).drop("own_account")


def trials(data: Data) -> Table:
    """The accounts that ever began a trial: as `openings`, with `trial_started_at` and its `day`.

    Where an account carries no start, the first trial event of its people (trial.start_event) is one.
    """
    event = data.playbook.trial.start_event
    if event is None or not data.has("events"):
        rows = openings(data) if data.has("accounts") else data.accounts
    else:
        begun = of_accounts(data, data.event(event).select("user_id", "account_id", "occurred_at"))
        begun = begun.group_by("account_id").aggregate(begun_at=_.occurred_at.min())
        rows = openings(data).left_join(begun, "account_id")
        rows = rows.mutate(trial_started_at=rows.trial_started_at.fill_null(rows.begun_at))
    rows = rows.filter(_.trial_started_at.notnull()).select("account_id", "created_at", "trial_started_at")
    return rows.mutate(day=data.local(rows.trial_started_at).date())


def first_payments(data: Data) -> Table:
    """One row per account that ever paid: `account_id`, `paid_at`, `paid_day`, `paid_minor`, `motion`, `plan`."""
    paying = data.subscriptions.filter(_.mrr_minor > 0)
    return first_of(paying, "account_id", "changed_at", "mrr_minor").select(
        "account_id", "motion", "plan", paid_at=_.changed_at, paid_day=_.day, paid_minor=_.mrr_minor)


def before_paying(data: Data, accounts: Table, start: str) -> Table:
    """Accounts with their first payment (`paid_at`, `paid_minor`, `paid_by`), without those that paid before their start."""
    paid = first_payments(data).select("account_id", "paid_at", "paid_minor", paid_by=_.motion)
    rows = accounts.left_join(paid, "account_id").drop("account_id_right")
    return rows.filter((rows.paid_at >= rows[start]).fill_null(True))


def came_by(data: Data, paid: Table, motion: str) -> BooleanValue:
    """Whether the first payment (`paid_by`) came about in this way; one that does not say did not.

    Raises
    ------
    MissingMotion
        If no payment at all says so: a share of them would read as none.
    """
    payments = data.subscriptions.filter(_.mrr_minor > 0)
    found = data.run(payments.aggregate(all=_.count(), said=_.motion.count())).iloc[0]
    if found["all"] and not found["said"]:
        raise MissingMotion
    return (paid.paid_by == motion).fill_null(False)
