"""The events as they come, held against the words of the playbook."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.playbook.section import Section
from plgkit.quality.planned import GONE, NEVER, NEW, STEADY, effects
from plgkit.sources import engine
from plgkit.sources.data import Data

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
    for more in (_pauses(data), _alone(data)):
        found = found.merge(data.run(more), on="event", how="left")
    found = found.fillna({"pause": 0, "alone": 0})
    named = _named(data)
    missing = sorted(set(named) - set(found["event"]))
    found["state"] = [_state(row, data, recent_days) for row in found.itertuples()]
    if missing:
        found = pd.concat([found, pd.DataFrame({"event": missing, "rows": 0, "people": 0, "alone": 0, "first": pd.NaT, "last": pd.NaT, "state": NEVER})],
                          ignore_index=True)
    found = found.astype({"rows": "int64", "people": "int64", "alone": "int64", "first": "datetime64[us]", "last": "datetime64[us]"})
    found["share"] = found["rows"] / max(int(found["rows"].sum()), 1)
    found["named_in"] = [", ".join(sorted({path.partition(".")[0] for path in named.get(event, ())})) for event in found["event"]]
    found["effect"] = effects(data, found, named)
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


def _alone(data: Data) -> Table:
    """How many people never did anything but this event."""
    each = data.events.group_by("user_id").aggregate(events=_.event.nunique(), event=_.event.min())
    return each.filter(each.events == 1).group_by("event").aggregate(alone=_.count().cast("int64"))


def _named(data: Data) -> dict[str, set[str]]:
    """The events that the playbook names, each with the words that name it, such as `activation.event`."""
    found: dict[str, set[str]] = {}
    for name in type(data.playbook).model_fields:
        if name != "tables":
            for event, word in _words(getattr(data.playbook, name)):
                found.setdefault(event, set()).add(f"{name}.{word}")
    return found


def _words(section: Any) -> set[tuple[str, str]]:
    """The events within a section, each with the section's own word that leads to it."""
    if isinstance(section, dict):
        return {(event, word) for each in section.values() for event, word in _words(each)}
    if isinstance(section, (list, tuple)):
        return {(event, word) for each in section for event, word in _words(each)}
    if not isinstance(section, Section):
        return set()
    found: set[tuple[str, str]] = set()
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in _NAMING and value is not None:
            found |= {(each, name) for each in ([value] if isinstance(value, str) else value) if isinstance(each, str)}
        if not isinstance(value, str):
            # A condition of a rule stands for the event that means the same.
            found |= {(event, "event" if name == "rule" else word) for event, word in _words(value)}
    return found
