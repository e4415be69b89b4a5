"""Rollups in pieces, each of a stretch of time: days that come are added, and from a day reopened on, all is counted anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.playbook import Playbook
from plgkit.sources import cache, engine, rollups
from plgkit.sources.growing import days as calendar
from plgkit.sources.growing.pieces import MANY, TOGETHER, Grown
from plgkit.sources.growing.shelf import Shelf, succeeded

UNITS = {"activity": "day", "activity_week": "week"}
ENDLESS = "9999-12-31"


def rolled(events: Grown, shelf: Shelf, playbook: Playbook, *, line: str, version: str) -> dict[str, Table]:
    """Bring the rollups up to the state of the events, and open them."""
    words = cache.digest(playbook.activity.model_dump(mode="json"), playbook.product.week_start)[:6]
    note = f"rollups_{words}_{line}_{version}"
    state = _whole(shelf.read(note), shelf)
    if state is None:
        with shelf.alone():
            state = _whole(shelf.read(note), shelf)
            if state is None:
                if shelf.read(note) is not None:
                    shelf.drop({f"all_{name}_{words}_{version}" for name in UNITS})  # They name tables that somebody took away.
                state = _brought_up(events, shelf, playbook, f"{words}_{line}", version, note)
    return {name: shelf.view(f"all_{name}_{words}_{version}", lambda name=name: _rows(shelf, state[name], UNITS[name])) for name in UNITS}


def _brought_up(events: Grown, shelf: Shelf, playbook: Playbook, line: str, version: str, note: str) -> dict:
    states = shelf.read(f"rollups_{line}_states") or []
    before = _whole(shelf.read(states[0][0]) if states else None, shelf)
    changed = _changed(before["stamps"], events.stamps) if before else {calendar.NEVER}
    if not changed:
        state = {name: before[name] for name in UNITS}
    else:
        made = f"{line}_{version}"
        state = {"activity": _days(events, shelf, playbook, before and before["activity"], changed, f"activity_{made}")}
        state["activity_week"] = _weeks(shelf, playbook, before and before["activity_week"], state["activity"], min(changed), f"activity_week_{made}")
    state = {name: _fewer(shelf, pieces, name) for name, pieces in state.items()} | {"stamps": dict(events.stamps)}
    shelf.write(note, state)
    succeeded(shelf, f"rollups_{line}", note, [*(piece["name"] for name in UNITS for piece in state[name]),
                                              *(f"all_{name}_{line.split('_')[0]}_{version}" for name in UNITS)])
    return state


def _whole(state: dict | None, shelf: Shelf) -> dict | None:
    return state if state and shelf.has([piece["name"] for name in UNITS for piece in state[name]]) else None


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """The days that are not as they were."""
    return {day for day in {*old, *new} if old.get(day) != new.get(day)}


def _days(events: Grown, shelf: Shelf, playbook: Playbook, before: list[dict] | None, changed: set[str], name: str) -> list[dict]:
    """Pieces of people's active days: those before the first day changed stay, and one more is made from there on.

    Events are read of the changed days alone; how many there were on the others is in the pieces before.
    """
    since = min(changed)
    if before is None or since == calendar.NEVER:
        return [_made(shelf, name, rollups.activity(rollups.active_days(events.used, playbook)), calendar.NEVER, "day")]
    stay, after = _cut(before, since), [each for each in before if each["until"] > since]
    rows = rollups.active_days(events.on(changed), playbook)
    if after:
        others = _rows(shelf, after, "day")
        rows = rows.union(others.filter((others.day >= ibis.date(since)) & ~calendar.among(others.day, changed, {*changed, *events.stamps})).select(rows.columns))
    return [*stay, _made(shelf, name, rollups.activity(rows, earlier=_rows(shelf, stay, "day") if stay else None), since, "day")]


def _weeks(shelf: Shelf, playbook: Playbook, before: list[dict] | None, days: list[dict], since: str, name: str) -> list[dict]:
    """Pieces of people's active weeks: the week in which the day falls is the first that is counted anew."""
    stay = []
    if since != calendar.NEVER:
        since = str(engine.period_of(dt.date.fromisoformat(since), "week", playbook.product.week_start))
        stay = _cut(before or [], since)
    rows = _rows(shelf, [each for each in days if each["until"] > since] if stay else days, "day")
    rows = rows.filter(rows.day >= ibis.date(since)) if stay else rows
    return [*stay, _made(shelf, name, rollups.activity_week(rows, playbook), since if stay else calendar.NEVER, "week")]


def _cut(pieces: list[dict], since: str) -> list[dict]:
    """What stays of pieces before a day."""
    return [{**each, "until": min(each["until"], since)} for each in pieces if each["from"] < since] if since != calendar.NEVER else []


def _made(shelf: Shelf, name: str, rows: Table, since: str, unit: str) -> dict:
    shelf.make(name, rows, ["user_id", unit])
    count = int(engine.run(shelf.open(name).aggregate(n=_.count()))["n"].iloc[0])
    return {"name": name, "from": since, "until": ENDLESS, "rows": count}


def _rows(shelf: Shelf, pieces: list[dict], unit: str) -> Table:
    """The rows of all pieces, each up to the day on which another begins."""
    parts = []
    for each in pieces:
        rows = shelf.open(each["name"])
        parts.append(rows if each["until"] == ENDLESS else rows.filter(rows[unit] < ibis.date(each["until"])))
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _fewer(shelf: Shelf, pieces: list[dict], name: str) -> list[dict]:
    """Pieces that follow each other, the smallest put together while they are many."""
    if len(pieces) <= MANY:
        return pieces
    at = min(range(len(pieces) - TOGETHER), key=lambda place: sum(each["rows"] for each in pieces[place:place + TOGETHER]))
    small = pieces[at:at + TOGETHER]
    one = f"{name}_{cache.digest([[each['name'], each['until']] for each in small])}"
    shelf.make(one, _rows(shelf, small, UNITS[name]), ["user_id", UNITS[name]])
    whole = {"name": one, "from": small[0]["from"], "until": small[-1]["until"], "rows": sum(each["rows"] for each in small)}
    return [*pieces[:at], whole, *pieces[at + TOGETHER:]]
