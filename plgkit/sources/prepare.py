"""From raw tables to the tables that measures read: clean, with the rows set aside counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table as Expression

from plgkit.errors import BadData, BadSource, NoData
from plgkit.playbook import Playbook
from plgkit.schema import TABLES
from plgkit.sources import clean, engine, facts
from plgkit.sources.facts import Finding
from plgkit.sources.files import Loaded

ORDER = ("users", "accounts", *(name for name in TABLES if name not in ("users", "accounts")))


@dataclass(frozen=True)
class Prepared:
    """Tables ready for measures, what was set aside, what the checks found, and the facts by day that it is told from."""

    tables: Mapping[str, Expression]
    set_aside: Mapping[str, Expression]
    findings: tuple[Finding, ...]
    version: str
    facts: Mapping[str, pd.DataFrame]


Store = Callable[[str, Expression], Expression]
Judge = Callable[[Loaded, tuple[dt.date, dt.date]], Expression]
Grow = Callable[[str, Judge, Expression | None], tuple[Expression, pd.DataFrame]]


def prepare(loaded: Mapping[str, Loaded], playbook: Playbook, *, store: Store, version: str, growing: Sequence[str] = (),
            grow: Grow | None = None, firsts: Callable[[], Expression] | None = None) -> Prepared:
    """Judge every row of every table.

    Parameters
    ----------
    loaded
        The raw tables by canonical name.
    store
        Keeps the judged rows of a table somewhere quick and returns them as a table.
    growing, grow
        The tables that are kept in pieces; and how: from a name, what judges some of its rows, and the people known and left
        out, to judged rows and their facts.
    firsts
        What people did first, where the events are kept in pieces; the same person may have several rows.

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
    told: dict[str, pd.DataFrame] = {}
    for name in (each for each in ORDER if each in loaded):
        judge = partial(_judge, name, before=dict(judged), playbook=playbook)
        if grow is not None and name in growing:
            judged[name], told[name] = grow(name, judge, _people(judged["users"]) if "users" in judged else None)
        else:
            judged[name] = store(name, judge(loaded[name]))
            told[name] = facts.of(name, judged[name], playbook)
    findings = tuple(each for name in judged for each in facts.findings(name, told[name], loaded[name], playbook))
    stopping = [f"{each.table}: {each.what}" for each in findings if each.level == "error"]
    if stopping:
        raise BadData(stopping)
    tables = {name: clean.used(judged[name]) for name in TABLES if name in judged}
    if "users" not in tables and "events" in tables:
        doings = firsts() if firsts and "events" in growing else first_doings(tables["events"])
        tables = {"users": store("users", derived_users(doings)), **tables}
    return Prepared(tables, {name: clean.set_aside(rows) for name, rows in judged.items()}, findings, version, told)


def _people(users: Expression) -> Expression:
    """Who is known and who is left out, on whom it depends whether other rows are used."""
    flags = users.select("user_id", known=_.reason.isnull().ifelse(1, 0), out=_.reason.startswith(clean.LEFT_OUT).fill_null(False).ifelse(1, 0))
    flags = flags.filter(flags.user_id.notnull() & (flags.known + flags.out > 0))
    return flags.group_by("user_id").aggregate(known=_.known.max(), out=_.out.max())


def _judge(name: str, loaded: Loaded, reach: tuple[dt.date, dt.date] | None = None, *, before: Mapping[str, Expression],
           playbook: Playbook) -> Expression:
    """Raw rows judged; `reach` are the days between which times lie, asked for where they are not known."""
    table = TABLES[name]
    _check_types(name, loaded.table)
    rows = clean.complete(table, loaded.table, there=loaded.columns, playbook=playbook)
    if table.time != "day":
        first, last = reach or bounds(rows, table.time)
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


def first_doings(events: Expression) -> Expression:
    """One row per person with events: the first of their times, days and accounts."""
    return events.group_by("user_id").aggregate(signed_up_at=_.occurred_at.min(), account_id=_.account_id.min(), day=_.day.min())


def derived_users(doings: Expression) -> Expression:
    """People as their first events tell: who has no users table signed up with the first thing done."""
    first = doings.group_by("user_id").aggregate(signed_up_at=_.signed_up_at.min(), account_id=_.account_id.min(), day=_.day.min())
    missing = {column.name: ibis.null(clean.TYPES[column.kind]) for column in TABLES["users"].columns
               if column.name not in first.columns}
    return first.mutate(**missing).select(*TABLES["users"].names, "day")
