"""Sessions: where the source gives a session id that is the session; else a pause begins a new one."""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.people import segmented
from plgkit.sources import rollups
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain


def count(data: Data, grain: Grain, *, gap_minutes: int, by: str | None = None) -> Table:
    """How many sessions began in each period: `period`, and `value`."""
    if by:
        people = segmented(data, per_person(data, grain, gap_minutes=gap_minutes), by)
        return people.group_by("period", by).aggregate(value=_.sessions.sum().cast("int64"))
    rows = _begun(data, grain, gap_minutes, "period")
    return rows.group_by("period").aggregate(value=_.sessions.sum().cast("int64"))


def per_person(data: Data, grain: Grain, *, gap_minutes: int) -> Table:
    """How many `sessions` each person began in each period: `user_id`, `period`; who began none is not there."""
    rows = _begun(data, grain, gap_minutes, "user_id", "period")
    return rows.group_by("user_id", "period").aggregate(sessions=_.sessions.sum().cast("int64"))


def _begun(data: Data, grain: Grain, gap_minutes: int, *keys: str) -> Table:
    """The columns `keys` and `sessions`: one or many rows to be added up."""
    some, others = _has_ids(data)
    events = rollups.active_events(data.events, data.playbook)
    parts = []
    if others:
        rows = _marked(events.filter(events.session_id.isnull()) if some else events, gap_minutes)
        rows = rows.filter(rows.begins)
        parts.append(rows.select("user_id", period=data.period(rows.day, grain), sessions=ibis.literal(1)))
    if some:
        rows = events.filter(events.session_id.notnull()).group_by("user_id", "session_id").aggregate(day=_.day.min())
        parts.append(rows.select("user_id", period=data.period(rows.day, grain), sessions=ibis.literal(1)))
    return (ibis.union(*parts) if len(parts) > 1 else parts[0]).select(*keys, "sessions")


def whole(data: Data, *, gap_minutes: int) -> Table:
    """One row per session: `user_id`, `day` on which it began, `started_at` and `ended_at`, its first and last event."""
    some, others = _has_ids(data)
    events = rollups.active_events(data.events, data.playbook)
    parts = []
    if others:
        parts.append(_by_pause(events.filter(events.session_id.isnull()) if some else events, gap_minutes))
    if some:
        parts.append(_by_id(events))
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _by_id(events: Table) -> Table:
    given = events.filter(events.session_id.notnull())
    return given.group_by("user_id", "session_id").aggregate(
        day=_.day.min(), started_at=_.occurred_at.min(), ended_at=_.occurred_at.max()).drop("session_id")


def _by_pause(events: Table, gap_minutes: int) -> Table:
    """The first and the last event of each session, set side by side."""
    rows = _marked(events, gap_minutes, ahead=True)
    edges = rows.filter(rows.begins | rows.ends)
    # Of two edges at one instant the beginning goes first; whichever row of a tie it is, the time is the same.
    after = ibis.window(group_by=edges.user_id, order_by=[edges.occurred_at, edges.ends.ifelse(1, 0)])
    edges = edges.mutate(last=edges.ends.ifelse(edges.occurred_at, edges.occurred_at.lead().over(after)))
    return edges.filter(edges.begins).select("user_id", "day", started_at=_.occurred_at, ended_at=_["last"])


def _marked(events: Table, gap_minutes: int, *, ahead: bool = False) -> Table:
    """Events without a session id, with whether each `begins` a session (and, on request, whether it `ends` one)."""
    by_time = ibis.window(group_by=events.user_id, order_by=events.occurred_at)
    columns = {"earlier": events.occurred_at.lag().over(by_time)}
    if ahead:
        columns["later"] = events.occurred_at.lead().over(by_time)
    rows = events.select("user_id", "day", "occurred_at", **columns)
    marks = {"begins": _paused(rows.occurred_at, rows.earlier, gap_minutes).fill_null(True)}
    if ahead:
        marks["ends"] = _paused(rows.later, rows.occurred_at, gap_minutes).fill_null(True)
    return rows.mutate(**marks)


def _paused(later: ibis.Value, earlier: ibis.Value, gap_minutes: int) -> ibis.Value:
    return later.delta(earlier, unit="microsecond") > 60_000_000 * gap_minutes


def _has_ids(data: Data) -> tuple[bool, bool]:
    """Whether some events carry a session id, and whether others carry none."""
    asked = "sessions with and without an id"
    if asked not in data.answers:
        events = rollups.active_events(data.events, data.playbook)
        data.answers[asked] = data.run(events.aggregate(all=events.count(), some=events.session_id.count()))
    found: pd.DataFrame = data.answers[asked]
    return bool(found["some"][0] > 0), bool(found["some"][0] < found["all"][0] or not found["all"][0])
