"""Signs that an account has outgrown what it has: seats near the limit, a limit hit, a premium feature tried."""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter, MissingSetting
from plgkit.metrics.accounts import of_accounts
from plgkit.sources.data import Data

Names = str | list[str]


def check_near(near: float) -> int:
    """The part of the seats that is near all of them, in percent."""
    if isinstance(near, bool) or not isinstance(near, (int, float)) or not 0 < near <= 1:
        raise BadParameter("near", near, expected="a share above 0 and up to 1, such as 0.8")
    return round(near * 100)


def events(data: Data, names: Names | None) -> Table | None:
    """The times of events by account: `account_id` and `at`; None where nobody has named an event."""
    if not names or not data.has("events"):
        return None
    rows = data.event(names).select("user_id", "account_id", "occurred_at")
    return of_accounts(data, rows).select("account_id", at=_.occurred_at)


def seats_near_limit(data: Data, percent: int) -> Table:
    """One row per account that ever had so many people for the seats it paid for: `account_id`, `at`, the first time."""
    none, one = ibis.literal(0, "int64"), ibis.literal(1, "int64")
    changes = data.subscriptions.select(
        "account_id", at=_.changed_at, joined=none, changed=one, minor=_.mrr_minor,
        seats=(_.mrr_minor > 0).ifelse(_.seats.cast("int64"), ibis.null("int64")))
    people = data.users.filter(_.account_id.notnull()).select(
        "account_id", at=_.signed_up_at, joined=one, changed=none, minor=none, seats=ibis.null("int64"))
    rows = changes.union(people.select(changes.columns))
    upto = ibis.window(group_by=rows.account_id, order_by=[rows["at"], rows.joined, rows.minor], preceding=None, following=0)
    rows = rows.mutate(people=rows.joined.sum().over(upto), number=rows.changed.sum().over(upto))
    # Of the rows since a change only the change itself says how many seats there are.
    rows = rows.mutate(seats_now=rows.seats.max().over(ibis.window(group_by=[rows.account_id, rows.number])))
    near = (rows.seats_now > 0) & (rows.people * 100 >= rows.seats_now * percent)
    return rows.filter(near.fill_null(False)).group_by("account_id").aggregate(at=_["at"].min())


def all_signs(data: Data, *, percent: int, limit: Names | None, premium: Names | None) -> list[Table]:
    """Tables of `account_id` and `at`, one for each sign that these data can show.

    Raises
    ------
    MissingSetting
        If they can show none.
    """
    seats = seats_near_limit(data, percent) if data.has("subscriptions", "users") else None
    found = [each for each in (seats, events(data, limit), events(data, premium)) if each is not None]
    if not found:
        raise MissingSetting("limits.event", example='[limits] event = "limit_hit"', why=(
            "This needs a sign of expansion: [limits] event or [features] premium in the playbook, or the table "
            "'subscriptions' with seats."))
    return found
