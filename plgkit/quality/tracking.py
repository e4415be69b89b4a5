"""The events as they come, held against the words of the playbook; and people who are hardly people."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.playbook.section import Section
from plgkit.sources import engine
from plgkit.sources.data import Data

NEW, GONE, STEADY, NEVER = "new", "vanished", "steady", "named, never seen"
_NAMING = ("event", "events", "steps", "core", "create", "integration", "premium", "checkout_started", "checkout_finished", "start_event",
           "metric_event")


def tracking(data: Data, *, recent_days: int = 28) -> pd.DataFrame:
    """Every event with how often it comes, since when and until when, and where the playbook names it.

    An event is new if its first row is at most `recent_days` old. It has vanished if it has been silent for so many days, and for twice as long as ever before.

    Returns
    -------
    One row per event, the most frequent first, then those that the playbook names and nobody ever did: event, rows, people, share (of rows), first, last
    (days), named_in (sections of the playbook), state (new, vanished, steady; named, never seen), effect.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = tracking(samples.tiny())
    >>> found[["event", "rows", "people", "state"]].head(2)
                  event  rows  people     state
    0         signed_in     5       4    steady
    1  checkout_started     3       3  vanished
    """
    found = data.run(data.events.group_by("event").aggregate(
        rows=_.count().cast("int64"), people=_.user_id.nunique().cast("int64"), first=_.day.min(), last=_.day.max()))
    found = found.merge(data.run(_pauses(data)), on="event", how="left").fillna({"pause": 0})
    named = _named(data)
    missing = sorted(set(named) - set(found["event"]))
    found["state"] = [_state(row, data, recent_days) for row in found.itertuples()]
    if missing:
        found = pd.concat([found, pd.DataFrame({"event": missing, "rows": 0, "people": 0, "first": pd.NaT, "last": pd.NaT, "state": NEVER})],
                          ignore_index=True)
    found = found.astype({"rows": "int64", "people": "int64", "first": "datetime64[us]", "last": "datetime64[us]"})
    found["share"] = found["rows"] / max(int(found["rows"].sum()), 1)
    found["named_in"] = [", ".join(sorted(named.get(event, set()))) for event in found["event"]]
    found["effect"] = [_effect(row) for row in found.itertuples()]
    found = found.sort_values(["rows", "event"], ascending=[False, True], ignore_index=True)
    return found[["event", "rows", "people", "share", "first", "last", "named_in", "state", "effect"]]


def _state(row: Any, data: Data, recent_days: int) -> str:
    since = pd.Timestamp(data.as_of - recent_days * engine.DAY)
    begun = pd.Timestamp(data.span[0])
    if row.first > since and begun <= since:
        return NEW
    silent = (pd.Timestamp(data.as_of) - row.last).days
    return GONE if row.last <= since and silent > 2 * row.pause else STEADY


def _pauses(data: Data) -> Table:
    """The longest time between two days with the event."""
    days = data.events.select("event", "day").distinct()
    before = days.day.lag().over(ibis.window(group_by=days.event, order_by=days.day))
    days = days.mutate(pause=engine.days_between(days.day, before.fill_null(days.day)))
    return days.group_by("event").aggregate(pause=_.pause.max())


def _effect(row: Any) -> str:
    if row.state == NEVER:
        return "what the playbook builds on it counts nobody: a new name, or tracking that is missing"
    if row.state == GONE and row.named_in:
        return "what the playbook builds on it falls to nothing: was it renamed?"
    if row.state == NEW and row.named_in:
        return "before its first day nobody could do it: do not compare with then"
    return ""


def _named(data: Data) -> dict[str, set[str]]:
    """The events that the playbook names, each with its sections."""
    found: dict[str, set[str]] = {}
    for name in type(data.playbook).model_fields:
        section = getattr(data.playbook, name)
        if name != "tables":
            for event in _events_in(section):
                found.setdefault(event, set()).add(name)
    return found


def _events_in(section: Any) -> set[str]:
    if isinstance(section, dict):
        return {event for each in section.values() for event in _events_in(each)}
    if isinstance(section, (list, tuple)):
        return {event for each in section for event in _events_in(each)}
    if not isinstance(section, Section):
        return set()
    found: set[str] = set()
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in _NAMING and value is not None:
            found |= {each for each in ([value] if isinstance(value, str) else value) if isinstance(each, str)}
        found |= _events_in(value) if not isinstance(value, str) else set()
    return found


def heavy_people(data: Data, *, times: float = 20.0) -> pd.DataFrame:
    """People whose busiest day has over `times` what one in a hundred days of use reaches: robots, tests, or a loop.

    Returns
    -------
    One row per such person, the busiest first: user_id, events, days, busiest (events on the busiest day), usual (what one day of use in a hundred reaches),
    share (of all events), effect.

    Examples
    --------
    >>> from plgkit import samples
    >>> heavy_people(samples.tiny()).empty
    True
    """
    days = data.activity
    counted = data.run(days.group_by("n").aggregate(days=_.count().cast("int64"))).sort_values("n")
    columns = ["user_id", "events", "days", "busiest", "usual", "share", "effect"]
    if counted.empty:
        return pd.DataFrame(columns=columns)
    reached = counted["days"].cumsum() >= 0.99 * counted["days"].sum()
    usual = int(counted.loc[reached, "n"].iloc[0])
    people = days.group_by("user_id").aggregate(events=_.n.sum().cast("int64"), days=_.count().cast("int64"), busiest=_.n.max())
    found = data.run(people.filter(people.busiest > times * usual)).sort_values(["busiest", "user_id"], ascending=[False, True], ignore_index=True)
    whole = float((counted["n"] * counted["days"]).sum())
    made = found.assign(usual=usual, share=found["events"] / whole,
                        effect="it raises counts of events and sessions; leave it out: [leave_out] user_ids")
    return made[columns]
