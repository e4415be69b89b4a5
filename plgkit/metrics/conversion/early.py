"""Accounts at the end of their first days, what they had done by then, and whether they paid later."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.errors import BadParameter
from plgkit.metrics.accounts import before_paying, of_accounts, openings
from plgkit.metrics.people import closed, segmented
from plgkit.sources import rollups
from plgkit.sources.data import Data


@dataclass(frozen=True)
class Watched:
    """Accounts that had not paid at the end of their first days, and what they did in them.

    Attributes
    ----------
    accounts
        One row per account: `account_id`, the segment, and `hit`, 1 where it first paid before the end of the outcome window.
    events
        One row per account and event name: `times`.
    breadth
        One row per account: `active_days`, `active_people`, `core` (core features used), `done` (events).
    """

    accounts: Table
    events: Table
    breadth: Table


def watched(data: Data, *, days: int, to_days: int, core: list[str], still_there: bool, by: str | None) -> Watched:
    """Accounts observed to the end of the outcome window, by what they did in the first `days` days.

    Raises
    ------
    BadParameter
        If the outcome window ends before it begins.
    """
    if to_days <= days:
        raise BadParameter("to_days", to_days, expected=f"more days than the first ones looked at, which are {days}")
    opened = openings(data).filter(closed(data, _.created_at, to_days))
    rows = before_paying(data, opened, "created_at")
    start, stop = (rows.created_at + ibis.interval(days=each) for each in (days, to_days))
    paid = (rows.paid_at <= stop).fill_null(False)
    rows = rows.mutate(hit=paid.ifelse(1, 0)).filter((rows.paid_at >= start).fill_null(True))
    done = _first_days(data, rows.select("account_id", "created_at"), days)
    if still_there:
        late = done.filter(done.occurred_at >= done.created_at + ibis.interval(hours=12 * days))
        rows = rows.semi_join(late, "account_id")
    rows = segmented(data, rows, by, unit="account_id").select("account_id", "hit", *([by] if by else []))
    done = done.semi_join(rows, "account_id")
    used = done.event.isin(core).ifelse(done.event, ibis.null("string")) if core else ibis.null("string")
    breadth = done.mutate(used=used).group_by("account_id").aggregate(
        active_days=_.day.nunique().cast("int64"), active_people=_.user_id.nunique().cast("int64"),
        core=_.used.nunique().cast("int64"), done=_.count().cast("int64"))
    return Watched(rows, done.group_by("account_id", "event").aggregate(times=_.count().cast("int64")), breadth)


def _first_days(data: Data, rows: Table, days: int) -> Table:
    """The active events of the accounts' people in the days since the account was created."""
    events = rollups.active_events(data.events, data.playbook).select("user_id", "account_id", "event", "occurred_at", "day")
    joined = of_accounts(data, events).inner_join(rows, "account_id")
    return joined.filter((joined.occurred_at >= joined.created_at)
                         & (joined.occurred_at < joined.created_at + ibis.interval(days=days)))
