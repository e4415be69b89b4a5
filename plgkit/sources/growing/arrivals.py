"""What a source has of each day: enough to tell which days are not as they were, and how to read those alone."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
from ibis import _

from plgkit.playbook.source import TableMap
from plgkit.schema import TABLES
from plgkit.sources import cache, engine, files
from plgkit.sources.files import Loaded
from plgkit.sources.growing import days as calendar
from plgkit.sources.growing.shelf import Shelf


@dataclass(frozen=True)
class Arrivals:
    """A raw table day by day.

    Attributes
    ----------
    stamps
        Of each day (UTC) a text that changes with its rows, and begins with how many there are.
    read
        The rows of some days, and perhaps of others; of all where None is asked.
    whole
        What is known of the table without reading it: its columns, lines that are no rows, times without a zone.
    since
        The first day that was looked at; None for all.
    """

    stamps: Mapping[str, str]
    read: Callable[[Container[str] | None], Loaded]
    whole: Loaded
    since: dt.date | None = None

    def rows(self) -> dict[str, int]:
        """How many there are on each day."""
        return _counts(self.stamps)

    def reach(self, wanted: Container[str] | None) -> tuple[dt.date, dt.date]:
        """The first and last of some days (UTC) that a calendar of today can mean; of all where None is asked."""
        sane = sorted(dt.date.fromisoformat(day) for day in self.stamps if day != calendar.NEVER and (wanted is None or day in wanted))
        return (sane[0], sane[-1]) if sane else (dt.date(2000, 1, 1), dt.date(2000, 1, 1))


def of_database(name: str, loaded: Loaded, *, before: Mapping[str, str] | None = None, settled_after: int | None = None) -> Arrivals:
    """Rows in a database: a day's stamp is how many there are and when, so that late and removed rows show.

    A row that is changed in place, at the same time, does not. With `settled_after`, only the last days of those that were there
    `before` are looked at again, so many of them, and those that came since.
    """
    rows, time = loaded.table, TABLES[name].time
    since = _settled(before or {}, settled_after)
    looked = rows if since is None else rows.filter(rows[time] >= _moment(rows[time], since))
    sums = {each: looked[each].cast("timestamp").epoch_seconds().cast("int64").sum().cast("int64")
            for each in (time, "received_at") if each in rows.columns and rows[each].type().is_timestamp()}
    found = engine.run(looked.group_by(utc=looked[time].cast("timestamp").date()).aggregate(n=_.count().cast("int64"), **sums))
    parts: dict[str, list] = {}
    for row in found.sort_values("utc").itertuples(index=False):
        parts.setdefault(calendar.as_text(row.utc), []).append([str(value) for value in row])
    stamps = {day: f"{sum(int(each[1]) for each in those)}|{cache.digest(those)}" for day, those in parts.items()}
    if since is not None:
        stamps = {day: stamp for day, stamp in before.items() if day < str(since)} | {day: each for day, each in stamps.items() if day >= str(since)}

    def read(wanted: Container[str] | None) -> Loaded:
        if wanted is None:
            return loaded
        near = [(rows[time] >= _moment(rows[time], first)) & (rows[time] < _moment(rows[time], last + engine.DAY))
                for first, last in calendar.stretches((day for day in stamps if day in wanted), stamps)]
        if calendar.NEVER in wanted:
            near += [rows[time].isnull(), rows[time] < _moment(rows[time], dt.date.fromisoformat(calendar.FIRST)),
                     rows[time] >= _moment(rows[time], dt.date.fromisoformat(calendar.LAST))]
        return replace(loaded, table=rows.filter(ibis.or_(*near) if near else ibis.literal(False)))

    return Arrivals(stamps, read, loaded, since)


def _settled(before: Mapping[str, str], settled_after: int | None) -> dt.date | None:
    """The first day to look at again; None for all. Days with hardly a row, such as those of times in the future, end no history."""
    counts = {day: rows for day, rows in _counts(before).items() if day != calendar.NEVER}
    if not counts or settled_after is None:
        return None
    last = max(day for day, rows in counts.items() if rows * 100 >= statistics.median(counts.values()))
    return dt.date.fromisoformat(last) - settled_after * engine.DAY


def _counts(stamps: Mapping[str, str]) -> dict[str, int]:
    return {day: int(stamp.partition("|")[0]) for day, stamp in stamps.items()}


def _moment(column: ibis.Value, day: dt.date) -> ibis.Value:
    """A day's begin to compare a column with, whatever kind of time that is."""
    return ibis.literal(f"{day} 00:00:00").cast(column.type())


def of_files(connection: ibis.BaseBackend, name: str, paths: list[Path], source: TableMap, shelf: Shelf) -> Arrivals:
    """Rows in files: a day's stamp tells every change of its rows, and files that are as they were are not read for it."""
    facts = [source.model_dump(mode="json"), name]
    notes = {path: f"file_{cache.digest(cache.digest_files([path], root=path.parent), facts)}" for path in paths}
    looked = {path: shelf.read(note) for path, note in notes.items()}
    new = {path: files.open_raw(connection, name, [path], f"{name}_{number}") for number, path in enumerate(paths) if looked[path] is None}
    there = {column: held for each in looked.values() if each for column, held in each["columns"]}
    there |= {column: held for raw in new.values() for column, held in raw.columns.items()}
    opened = {path: files.typed(connection, raw, TABLES[name], source, also=there) for path, raw in new.items()}
    for path, loaded in opened.items():
        looked[path] = {"days": _days(connection, name, loaded), "columns": list(map(list, new[path].columns.items())),
                        "zoneless": loaded.zoneless, "unreadable": list(map(list, loaded.unreadable))}
        shelf.write(notes[path], looked[path])
    together = {(path,): loaded for path, loaded in opened.items()}
    parts: dict[str, list] = {}
    holding: dict[str, set[Path]] = {}
    for path, each in looked.items():
        for day, n, content in each["days"]:
            parts.setdefault(day, []).append([n, content])
            holding.setdefault(day, set()).add(path)

    def read(wanted: Container[str] | None) -> Loaded:
        chosen = set().union(*(those for day, those in holding.items() if wanted is None or day in wanted))
        these = [path for path in paths if path in chosen] or paths[:1]
        if tuple(these) not in together:
            raw = files.open_raw(connection, name, these, f"{name}_of_{cache.digest([str(path) for path in these])}")
            together[tuple(these)] = files.typed(connection, raw, TABLES[name], source, also=there)
        return replace(together[tuple(these)], columns=tuple(there))

    whole = Loaded(ibis.table({"nothing": "string"}, name=name), tuple(there), any(each["zoneless"] for each in looked.values()),
                   tuple((what, text) for each in looked.values() for what, text in each["unreadable"]))
    return Arrivals({day: f"{sum(n for n, _content in those)}|{cache.digest(sorted(those))}" for day, those in parts.items()}, read, whole)


def of_table(connection: ibis.BaseBackend, name: str, loaded: Loaded) -> Arrivals:
    """A table in a file of DuckDB; which days are not as they were is told from all its rows."""
    found = _days(connection, name, loaded)
    return Arrivals({day: f"{n}|{content}" for day, n, content in found}, lambda _wanted: loaded, loaded)


def _days(connection: ibis.BaseBackend, name: str, loaded: Loaded) -> list[list]:
    """Of each day (UTC) of a typed table: how many rows, and a sum of what they say."""
    rows, time = loaded.table.get_name(), TABLES[name].time
    day = f"CAST(CAST({time} AS DATE) AS VARCHAR)" if time in loaded.table.columns else "NULL"
    found = connection.raw_sql(f"SELECT {day} AS utc, count(*), CAST(sum(CAST(hash({rows}) AS HUGEINT)) AS VARCHAR) "
                               f"FROM {rows} GROUP BY ALL ORDER BY ALL").fetchall()
    one: dict[str, list] = {}
    for utc, n, content in found:
        there = one.setdefault(calendar.known(utc or ""), [0, 0])
        there[0], there[1] = there[0] + n, there[1] + int(content)
    return [[utc, n, str(content)] for utc, (n, content) in sorted(one.items())]
