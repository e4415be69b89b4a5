"""Invitations as all of advocacy counts them: what was sent, who came by it, and when they activated."""

from __future__ import annotations

from typing import Literal

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.people import Moment, activated
from plgkit.sources.data import Data

Kind = Literal["invite", "link"]
_COLUMNS = ("inviter_id", "invitee_id", "kind", "sent_at", "accepted_at", "day")


def sent(data: Data, kind: Kind | None) -> Table:
    """Invitations, shared links, or both; rows that do not say are invitations."""
    rows = data.invites.mutate(kind=_.kind.fill_null("invite"))
    return rows if kind is None else rows.filter(rows.kind == kind)


def marked(data: Data) -> Table:
    """Every row of invites with `came`: whether somebody new came by this very row.

    A person comes by the row accepted first, and only if not there already: who signed up more than a day
    before it was sent was not brought by it.
    """
    rows = sent(data, None).select(*_COLUMNS)
    taken = rows.invitee_id.notnull() & rows.accepted_at.notnull()
    first = ibis.window(group_by=rows.invitee_id, order_by=[rows.accepted_at, rows.sent_at, rows.inviter_id, rows.kind])
    known = rows.filter(taken).mutate(place=ibis.row_number().over(first).cast("int64"))
    people = data.users.select(newcomer=_.user_id, joined_at=_.signed_up_at)
    known = known.left_join(people, known.invitee_id == people.newcomer)
    new = (known.joined_at >= known.sent_at - ibis.interval(days=1)).fill_null(True)
    known = known.select(*_COLUMNS, came=((known.place == 0) & new).ifelse(1, 0).cast("int64"))
    others = rows.filter(~taken).select(*_COLUMNS, came=ibis.literal(0).cast("int64"))
    return known.union(others)


def brought(data: Data) -> Table:
    """One row per person who came by an invitation or a link: `invitee_id` and who sent the one accepted first."""
    return marked(data).filter(_.came == 1).select("invitee_id", "inviter_id", "kind", "sent_at", "accepted_at")


def followed(data: Data, event: Moment) -> Table:
    """Every row of invites with `came`, and `done_at`: when who came by it had accepted and activated."""
    def make() -> Table:
        reached = activated(data, event).select(newcomer=_.user_id, activated_at=_.activated_at)
        rows = marked(data)
        rows = rows.left_join(reached, rows.invitee_id == reached.newcomer)
        done = ibis.greatest(rows.accepted_at, rows.activated_at)
        both = (rows.came == 1) & rows.activated_at.notnull()
        return rows.select(*_COLUMNS, "came", done_at=both.ifelse(done, ibis.null("timestamp(6)")))

    return data.once(f"invites followed to {event!r}", make)
