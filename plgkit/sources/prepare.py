"""From raw tables to the tables that measures read: clean, with the rows set aside counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import ibis
from ibis import _
from ibis.expr.types import Table as Expression

from plgkit.errors import BadData, BadSource, NoData
from plgkit.playbook import Playbook
from plgkit.schema import TABLES
from plgkit.sources import clean, engine
from plgkit.sources.files import RAW, Loaded

Level = Literal["error", "warning", "info"]
ORDER = ("users", "accounts", *(name for name in TABLES if name not in ("users", "accounts")))


@dataclass(frozen=True)
class Finding:
    """One thing the checks found: how bad, in which table, in how many rows, and what."""

    level: Level
    table: str
    rows: int
    what: str


@dataclass(frozen=True)
class Prepared:
    """Tables ready for measures, what was set aside, and what the checks found."""

    tables: Mapping[str, Expression]
    set_aside: Mapping[str, Expression]
    findings: tuple[Finding, ...]
    version: str


Store = Callable[[str, Expression], Expression]


def prepare(loaded: Mapping[str, Loaded], playbook: Playbook, *, store: Store, version: str) -> Prepared:
    """Judge every row of every table.

    Parameters
    ----------
    loaded
        The raw tables by canonical name.
    store
        Keeps the judged rows of a table somewhere quick and returns them as a table.

    Raises
    ------
    BadSource
        If a table lacks a required column or has one of the wrong type.
    NoData
        If no table has a single usable row.
    """
    if not loaded:
        raise NoData(f"There is no table in the source. Known tables are: {', '.join(TABLES)}; "
                     "name their files under [tables.<name>] in playbook.toml, or let `plgkit init` write a first one.")
    judged: dict[str, Expression] = {}
    for name in ORDER:
        if name in loaded:
            judged[name] = store(name, _judge(name, loaded[name], judged, playbook))
    findings = tuple(_findings(judged, loaded, playbook))
    stopping = [f"{each.table}: {each.what}" for each in findings if each.level == "error"]
    if stopping:
        raise BadData(stopping)
    tables = {name: clean.used(judged[name]) for name in TABLES if name in judged}
    if "users" not in tables and "events" in tables:
        tables = {"users": store("users", derived_users(tables["events"])), **tables}
    return Prepared(tables, {name: clean.set_aside(rows) for name, rows in judged.items()}, findings, version)


def _judge(name: str, loaded: Loaded, before: Mapping[str, Expression], playbook: Playbook) -> Expression:
    table = TABLES[name]
    _check_types(name, loaded.table)
    rows = clean.complete(table, loaded.table, there=loaded.columns, playbook=playbook)
    if table.time != "day":
        first, last = bounds(rows, table.time)
        rows = clean.with_day(table, rows, zone=playbook.product.time_zone, first=first, last=last)
    known = {each: clean.used(before[each]) for each in before}
    out = {each: clean.set_aside(before[each]).filter(_.reason.startswith(clean.LEFT_OUT)) for each in before}
    return clean.judged(table, rows, given=set(loaded.table.columns), known=known, left_out=out, playbook=playbook)


def bounds(rows: Expression, time: str) -> tuple[dt.date, dt.date]:
    """The first and last day (UTC) of the times that a calendar of today can mean."""
    sane = rows.filter(rows[time].between(ibis.timestamp("1970-01-01 00:00:00"), ibis.timestamp("2100-01-01 00:00:00")))
    found = engine.run(sane.aggregate(low=sane[time].min(), high=sane[time].max()))
    if found.low.isna()[0]:
        return dt.date(2000, 1, 1), dt.date(2000, 1, 1)
    return found.low[0].date(), found.high[0].date()


def _check_types(name: str, rows: Expression) -> None:
    """Refuse a column whose type cannot mean what the schema says, before any row is read."""
    expected = {"time": "is_timestamp", "date": "is_date", "money": "is_numeric", "number": "is_numeric",
                "whole": "is_numeric", "flag": "is_boolean"}
    for column in TABLES[name].columns:
        if column.name not in rows.columns or column.kind not in expected:
            continue
        kind = rows[column.name].type()
        fits = getattr(kind, expected[column.kind])() or kind.is_null() or (column.kind == "date" and kind.is_timestamp())
        if not fits:
            word = {"time": "a timestamp", "date": "a date", "flag": "true or false"}.get(column.kind, "a number")
            raise BadSource(f"The column {column.name!r} of table {name!r} has the type {kind}; expected {word}. "
                            "Cast it in a view, and name the view in playbook.toml.")


def derived_users(events: Expression) -> Expression:
    """People as their first events tell: who has no users table signed up with the first thing done."""
    first = events.group_by("user_id").aggregate(
        signed_up_at=_.occurred_at.min(), account_id=_.account_id.min(), day=_.day.min())
    missing = {column.name: ibis.null(clean.TYPES[column.kind]) for column in TABLES["users"].columns
               if column.name not in first.columns}
    return first.mutate(**missing).select(*TABLES["users"].names, "day")


def _findings(judged: Mapping[str, Expression], loaded: Mapping[str, Loaded], playbook: Playbook) -> list[Finding]:
    found: list[Finding] = []
    for name, rows in judged.items():
        counts = engine.run(rows.group_by("reason").aggregate(n=_.count())).sort_values("reason")
        good = int(counts.n[counts.reason.isna()].sum())
        found += [Finding("warning", name, 1, what) for what, _text in loaded[name].unreadable]
        for row in counts[counts.reason.notna()].itertuples():
            harmless = row.reason.startswith(clean.LEFT_OUT) or row.reason == "not the first row"
            found.append(Finding("info" if harmless else "warning", name, int(row.n), row.reason))
        if not good and len(counts):
            found.append(Finding("error", name, int(counts.n.sum()),
                                 f"no row can be used; the reasons are: {'; '.join(counts.reason.dropna())}"))
        if loaded[name].zoneless:
            zone = playbook.tables[name].times_in if name in playbook.tables else "UTC"
            found.append(Finding("info", name, good, f"times carry no zone and are read as {zone} "
                                 f"(times_in of [tables.{name}] says another)"))
        found += _softer(name, rows, playbook)
    return found


def _softer(name: str, rows: Expression, playbook: Playbook) -> list[Finding]:
    """What is worth knowing of rows that are used all the same."""
    table = TABLES[name]
    good = rows.filter(_.reason.isnull())
    counts: dict[str, ibis.Value] = {}
    words: dict[str, tuple[Level, str]] = {}
    for column in table.columns:
        if not column.required and RAW + column.name in rows.columns:
            value = good[clean.stored_name(column.name, column.kind)]
            counts[f"unread_{column.name}"] = (value.isnull() & good[RAW + column.name].notnull())
            words[f"unread_{column.name}"] = ("warning", f"{column.name} cannot be read and counts as missing")
    if name == "events":
        late = playbook.data.late_after_hours
        counts["late"] = good.received_at > good.occurred_at + ibis.interval(hours=late)
        words["late"] = ("info", f"received over {late} hours after they happened")
        counts["ahead"] = good.received_at < good.occurred_at
        words["ahead"] = ("info", "occurred_at is after received_at by up to a day: a clock ahead of the server's")
    if not counts:
        return []
    one = engine.run(good.aggregate(**{key: flag.fill_null(False).ifelse(1, 0).sum().fill_null(0)
                                       for key, flag in counts.items()})).iloc[0]
    return [Finding(words[key][0], name, int(one[key]), words[key][1]) for key in counts if one[key]]


def as_json(findings: tuple[Finding, ...]) -> list[dict]:
    """Findings as plain data."""
    return [asdict(each) for each in findings]
