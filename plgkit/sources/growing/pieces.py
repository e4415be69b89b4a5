"""A table's judged rows in pieces, each of which answers for some days.

When days come, or rows of days long past, the days that are not as they were get a piece of their own, and the older pieces
answer for them no more. Small pieces are put together when they become many, so that a row is written a few times in all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.sources import cache, engine, facts, prepare
from plgkit.sources.files import Loaded
from plgkit.sources.growing import days as calendar
from plgkit.sources.growing.arrivals import Arrivals
from plgkit.sources.growing.shelf import Shelf, succeeded

MANY, TOGETHER = 16, 8
"""With more pieces than this, so many of the smallest become one."""
MOST = 0.5
"""Where more than this part of all rows is not as it was, everything is judged anew."""
AT_ONCE = 20_000_000
"""So many rows are judged at once, if their days are so few: memory does not grow with the history."""


@dataclass(frozen=True)
class Growing:
    """How one table grows.

    Attributes
    ----------
    name, line, version
        The table; what stays the same while rows come; and the state of the data.
    judge
        From raw rows to judged ones, given the days between which times lie.
    facts_of, check
        What judged rows say of each day; and what stops where they are not as they should be.
    people
        Who is known and who is left out, one row each: user_id, known, out. None where rows do not depend on it.
    key
        The column by which a row may be the double of a row of another day.
    """

    name: str
    line: str
    version: str
    zone: str
    arrived: Arrivals
    judge: Callable[[Loaded, tuple[dt.date, dt.date]], Table]
    facts_of: Callable[[Table], pd.DataFrame]
    check: Callable[[Table], None]
    order: list[str]
    people: Table | None = None
    key: str | None = None


@dataclass(frozen=True)
class Grown:
    """A table as it stands: rows used and set aside, its facts by day, a stamp of each day with rows used, and those of some days."""

    used: Table
    aside: Table
    facts: pd.DataFrame
    stamps: Mapping[str, str]
    on: Callable[[set[str]], Table]


def brought_up(of: Growing, shelf: Shelf) -> None:
    """Keep a table as it is in the state of the data, with what is kept of earlier ones."""
    if not stands(of.name, of.line, of.version, shelf):
        note = _note(of.name, of.line, of.version)
        if shelf.read(note) is not None:
            shelf.drop({f"all_{of.name}_{of.version}"})  # It names tables that somebody took away.
        _bring_up(of, shelf, note)


def opened(name: str, line: str, version: str, shelf: Shelf) -> Grown:
    """Open a table that was brought up."""
    state = shelf.read(_note(name, line, version))
    pieces, known = state["pieces"], facts.from_text(state["facts"])
    with_used = set(known["day"][known["reason"].isna()].map(calendar.as_text))

    def on(days: set[str]) -> Table:
        return _held(shelf.used, pieces, days)

    return Grown(
        shelf.view(f"all_{name}_{version}", lambda: _rows(shelf.used, pieces)), _rows(shelf.aside, pieces), known,
        {day: stamp for piece in pieces for day, stamp in piece["days"].items() if day in with_used}, on)


def judged(name: str, line: str, version: str, shelf: Shelf) -> Table:
    """All rows of a table that was brought up, with the reason of those that are not used."""
    return _rows(shelf.open, shelf.read(_note(name, line, version))["pieces"])


def last_stamps(name: str, line: str, shelf: Shelf) -> dict[str, str]:
    """What the days of the raw table looked like when it was last brought up; nothing where it never was."""
    states = shelf.read(f"{name}_{line}_states")
    state = shelf.read(states[0][0]) if states else None
    return state["utc"] if state else {}


def firsts(name: str, line: str, version: str, shelf: Shelf) -> tuple[Table, list[str]]:
    """What people did first, by piece, so that only new pieces are read for it; and the names of the tables it is kept in."""
    kept = {f"firsts_{cache.digest(each['name'], each['gone'])}": each for each in shelf.read(_note(name, line, version))["pieces"]}
    for table, piece in kept.items():
        shelf.make(table, prepare.first_doings(_answered(shelf.used(piece["name"]), piece)), ["user_id"])
    return _level([shelf.open(table) for table in kept]), list(kept)


def stands(name: str, line: str, version: str, shelf: Shelf) -> bool:
    """Whether a table was brought up to this state, and all it is kept in is still there."""
    return _whole_state(shelf.read(_note(name, line, version)), shelf) is not None


def _whole_state(state: dict | None, shelf: Shelf) -> dict | None:
    return state if state and shelf.has([*(piece["name"] for piece in state["pieces"]), *([state["people"]] if state["people"] else [])]) else None


def tables(name: str, line: str, version: str, shelf: Shelf) -> list[str]:
    """The names of what a table is kept in."""
    return [piece["name"] for piece in shelf.read(_note(name, line, version))["pieces"]]


def _note(name: str, line: str, version: str) -> str:
    return f"{name}_{line}_{version}"


def _bring_up(of: Growing, shelf: Shelf, note: str) -> None:
    states = shelf.read(f"{of.name}_{of.line}_states") or []
    before = _whole_state(shelf.read(states[0][0]) if states else None, shelf)
    columns = sorted(of.arrived.whole.columns)
    people = None
    if of.people is not None:
        people = f"{of.name}_people_{of.version}"
        shelf.make(people, of.people, [])
    if before is not None and before["columns"] != columns:
        before = None
    state = before and _with_days(before, of, shelf, people)
    state = state or _by_and_by(of, shelf) or _at_once(of, shelf, None)
    state = {"pieces": _fewer(state, of, shelf), "facts": state["facts"], "people": people, "columns": columns, "utc": dict(of.arrived.stamps)}
    shelf.write(note, state)
    succeeded(shelf, f"{of.name}_{of.line}", note, [*[piece["name"] for piece in state["pieces"]], *([people] if people else []),
                                                   f"all_{of.name}_{of.version}"])


def _at_once(of: Growing, shelf: Shelf, days: set[str] | None) -> dict:
    piece, found = _piece(of, shelf, days, days)
    return {"pieces": [piece], "facts": facts.as_text(found)}


def _by_and_by(of: Growing, shelf: Shelf) -> dict | None:
    """A first state of many rows, some days at a time; nothing where they are few, or doubles lie all over the days."""
    states, days, rows = [], set(), 0
    for day, some in sorted(of.arrived.rows().items()):
        days, rows = days | calendar.elsewhere({day}, of.zone), rows + some
        if rows >= AT_ONCE:
            states.append(days)
            days, rows = set(), 0
    if not states:
        return None
    state = _at_once(of, shelf, states[0])
    for several in [*states[1:], *([days] if days else [])]:
        state = state and _judged_anew(state, of, shelf, several, 3 * AT_ONCE)
    return state


def _with_days(before: dict, of: Growing, shelf: Shelf, people: str | None) -> dict | None:
    """The state after the days that are not as they were got a piece of their own; nothing where those are most of all."""
    old, new = before["utc"], of.arrived.stamps
    reopened = calendar.elsewhere((day for day in {*old, *new} if old.get(day) != new.get(day)), of.zone)
    reopened |= _days_of_people(before, of, shelf, people)
    return _judged_anew(before, of, shelf, reopened, MOST * sum(_by_day(before).values())) if reopened else before


def _judged_anew(before: dict, of: Growing, shelf: Shelf, days: set[str], most: float) -> dict | None:
    """The state after some days were judged anew; nothing where rows are more than most.

    Where rows of other days are doubles of theirs, the days on which such rows lie are judged once more, beside all days on which
    doubles of any of their rows lie. Those stay as they are: which of their rows is the first does not depend on what has changed.
    """
    if _rows_read(before, of, days) > most:
        return None
    state, piece = _with_piece(before, of, shelf, days, days)
    there, here = _days_of_doubles(before, of, shelf, piece, days)
    if there:
        again = there | here
        beside = _days_sharing(state, of, shelf, again)
        if _rows_read(state, of, again | beside) > most:
            return None
        state, _again = _with_piece(state, of, shelf, again, again | beside)
        if piece["name"] not in [each["name"] for each in state["pieces"]]:
            shelf.drop({piece["name"]})
    return state if state["pieces"] else None


def _rows_read(state: dict, of: Growing, days: set[str]) -> int:
    """Rows that judging some days reads, or that were there before."""
    there, by_day = of.arrived.rows(), _by_day(state)
    coming = sum(there.get(day, 0) for day in calendar.elsewhere(days, of.zone, back=True))
    return max(coming, sum(n for day, n in by_day.items() if day in days))


def _with_piece(before: dict, of: Growing, shelf: Shelf, days: set[str], read: set[str]) -> tuple[dict, dict]:
    """The state after a new piece answers for some days, which were judged beside others that are read; and the piece."""
    piece, found = _piece(of, shelf, days, read)
    pieces = [each for each in [*(_without(each, days) for each in before["pieces"]), piece] if each["days"]]
    known = facts.from_text(before["facts"])
    staying = known[~known["day"].map(calendar.as_text).isin(days)]
    return {"pieces": pieces, "facts": facts.as_text(facts.together([staying, found]))}, piece


def _by_day(state: dict) -> dict[str, int]:
    """Rows of each day."""
    known = facts.from_text(state["facts"])
    return known.assign(day=known["day"].map(calendar.as_text)).groupby("day")["n"].sum().to_dict()


def _piece(of: Growing, shelf: Shelf, days: set[str] | None, read: set[str] | None) -> tuple[dict, pd.DataFrame]:
    """Judge the rows of some days, or of all, and keep them; others are read for the doubles among them."""
    stamp = cache.digest(of.line, of.version, *(sorted(each) if each is not None else None for each in (days, read)))
    name = f"{of.name}_{stamp}"
    wanted = None if read is None else calendar.elsewhere(read, of.zone, back=True)
    judged = of.judge(of.arrived.read(wanted), of.arrived.reach(wanted))
    if days is not None:
        judged = judged.filter(calendar.among(judged.day, days, calendar.elsewhere(of.arrived.stamps, of.zone)))
    shelf.make(name, judged, of.order, of.key)
    of.check(shelf.open(name))
    found = of.facts_of(shelf.open(name))
    return {"name": name, "days": dict.fromkeys(sorted(set(found["day"].map(calendar.as_text))), stamp), "gone": []}, found


def _without(piece: dict, days: set[str]) -> dict:
    """A piece that answers for these days no more."""
    gone = days & set(piece["days"])
    return {"name": piece["name"], "days": {day: stamp for day, stamp in piece["days"].items() if day not in gone},
            "gone": sorted({*piece["gone"], *gone})}


def _rows(open_: Callable[[str], Table], pieces: list[dict]) -> Table:
    """The rows of all pieces, each for the days for which it answers."""
    return _level([_answered(open_(each["name"]), each) for each in pieces])


def _level(parts: list[Table]) -> Table:
    """Tables under each other; what one lacks is missing there."""
    columns = {name: kind for part in parts for name, kind in part.schema().items()}
    level = [part.select(**{name: part[name] if name in part.columns else ibis.null(kind) for name, kind in columns.items()}) for part in parts]
    return ibis.union(*level) if len(level) > 1 else level[0]


def _held(open_: Callable[[str], Table], pieces: list[dict], days: set[str]) -> Table:
    """The rows of some days."""
    holding = [each for each in pieces if days & set(each["days"])] or pieces[:1]
    return _rows(open_, holding).filter(calendar.among(_.day, days, {day for each in holding for day in each["days"]}))


def _answered(rows: Table, piece: dict) -> Table:
    """The rows of a piece on the days for which it answers."""
    return rows.filter(~calendar.among(rows.day, piece["gone"], {*piece["gone"], *piece["days"]})) if piece["gone"] else rows


def _days_of_people(before: dict, of: Growing, shelf: Shelf, people: str | None) -> set[str]:
    """The days with rows of people who were not known, or left out, and now are otherwise."""
    if people is None or before["people"] is None or people == before["people"]:
        return set()
    old, new = (shelf.open(name) for name in (before["people"], people))
    none = ibis.literal(0, "int64")
    known, out = _.known.cast("int64"), _.out.cast("int64")
    both = old.select("user_id", a=known, b=out, c=none, d=none).union(new.select("user_id", a=none, b=none, c=known, d=out))
    one = both.group_by("user_id").aggregate(**{name: _[name].max() for name in "abcd"})
    other = one.filter((one.a != one.c) | (one.b != one.d))
    other = other.select("user_id", lost=((other.a > other.c) | (other.d > other.b)).ifelse(1, 0))
    found = engine.run(other.aggregate(n=_.count(), lost=_.lost.sum().fill_null(0))).iloc[0]
    if not found.n:
        return set()
    # Rows of people unknown so far were not used.
    rows = _rows(shelf.open if found.lost else shelf.aside, before["pieces"])
    return _days(rows.filter(rows.user_id.isin(other.user_id)))


def _days_of_doubles(before: dict, of: Growing, shelf: Shelf, piece: dict, days: set[str]) -> tuple[set[str], set[str]]:
    """The other days on which rows lie that say the same as rows of these days, as these are or as they were; and those of the piece."""
    others = [each for each in (_without(piece, days) for piece in before["pieces"]) if each["days"]]
    if of.key is None or not others:
        return set(), set()
    rest, new = _rows(shelf.open, others), shelf.open(piece["name"])
    ids = new.select(id=new[of.key])
    if any(days & set(each["days"]) for each in before["pieces"]):
        ids = ids.union(_on(before, shelf, days).select(id=_[of.key]))
    there = _days(rest.filter(rest[of.key].isin(ids.filter(ids.id.notnull()).id)))
    if not there:
        return set(), set()
    met = _on({"pieces": others}, shelf, there).select(id=_[of.key])
    return there, _days(new.filter(new[of.key].isin(met.filter(met.id.notnull()).id)))


def _days_sharing(state: dict, of: Growing, shelf: Shelf, days: set[str]) -> set[str]:
    """The other days on which doubles of rows of these days lie."""
    ids, rows = _on(state, shelf, days).select(id=_[of.key]), _rows(shelf.open, state["pieces"])
    return _days(rows.filter(rows[of.key].isin(ids.filter(ids.id.notnull()).id))) - days


def _on(state: dict, shelf: Shelf, days: set[str]) -> Table:
    """All rows of some days."""
    return _held(shelf.open, state["pieces"], days)


def _days(rows: Table) -> set[str]:
    return set(engine.run(rows.group_by("day").aggregate(n=_.count()))["day"].map(calendar.as_text))


def _fewer(state: dict, of: Growing, shelf: Shelf) -> list[dict]:
    """Pieces, the smallest put together while they are many."""
    pieces = state["pieces"]
    if len(pieces) <= MANY:
        return pieces
    by_day = _by_day(state)
    by_size = sorted(pieces, key=lambda each: (sum(by_day.get(day, 0) for day in each["days"]), each["name"]))
    small, large = by_size[:TOGETHER], by_size[TOGETHER:]
    name = f"{of.name}_{cache.digest([[each['name'], each['gone']] for each in small])}"
    shelf.make(name, _rows(shelf.open, small), of.order, of.key)
    one = {"name": name, "days": {day: stamp for each in small for day, stamp in each["days"].items()}, "gone": []}
    return [*large, one]


