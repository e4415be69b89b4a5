"""Sessions: where the source gives a session id that is the session; else a pause begins a new one."""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

from plgkit.sources import rollups
from plgkit.sources.data import Data
from plgkit.sources.engine import seconds_between


def begun(data: Data, *, gap_minutes: int) -> Table:
    """The events that make people active, with `begins`: 1 on the first of a session, else 0.

    Events with a session id belong to the session of that id. Among a person's events without one, a session
    begins with the first and after every pause longer than `gap_minutes`.
    """
    events = rollups.active_events(data.events, data.playbook)
    session = ibis.window(group_by=[events.user_id, events.session_id], order_by=events.occurred_at)
    rows = events.mutate(earlier=events.occurred_at.lag().over(session))
    paused = seconds_between(rows.occurred_at, rows.earlier) > 60 * gap_minutes
    begins = rows.earlier.isnull() | (rows.session_id.isnull() & paused)
    return rows.mutate(begins=begins.fill_null(True).ifelse(1, 0))
