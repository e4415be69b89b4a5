"""Tables of plgkit's own inside a database: made once for each state of the data, shared by every run, never brought to the client."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Container, Mapping
from contextlib import nullcontext
from typing import Any

import ibis
from ibis import BaseBackend, _
from ibis.expr.types import Table

from plgkit.schema import TABLES
from plgkit.sources import clean, engine, faults
from plgkit.sources.growing.shelf import Shelf, packed, unpacked

SCHEMA = "plgkit_kept"
_NOTES = "notes"
_ENDED = 2**62
"""The number of a note that holds no more, where none can be taken away."""
_LEFT_BEHIND = 24
"""After so many hours a table that is not whole is one that a killed run left."""
_NOTES_AS = {"postgres": "(name text, number bigint, body text)", "pyspark": "(name string, number bigint, body string) USING parquet",
             "clickhouse": "(name String, number Int64, body String) ENGINE = MergeTree ORDER BY (name, number)"}
_numbers = itertools.count(1)


def state_of(raw: Mapping[str, Table]) -> list[tuple]:
    """What tells one state of a database's tables from another: columns, rows, and how far they reach."""
    found = []
    for name, rows in sorted(raw.items()):
        time = TABLES[name].time
        asked = {"rows": _.count()} | ({"first": _[time].min(), "last": _[time].max()} if time in rows.columns else {})
        seen = engine.run(rows.aggregate(**asked)).iloc[0]
        found.append((name, sorted(rows.columns), *[str(each) for each in seen]))
    return found


def shelf_in(connection: BaseBackend) -> Shelf | None:
    """The shelf inside a database: its schema `plgkit_kept`. None where no schema can be made, or the engine cannot keep tables."""
    if connection.name not in _NOTES_AS or not _has_schema(connection):
        return None

    known: dict[str, Any] = {}

    def there() -> list[str]:
        return connection.list_tables(database=SCHEMA)

    def make(name: str, rows: Table, order: list[str], key: str | None = None) -> None:
        if name not in there():
            _make(connection, name, rows, order, key, there)

    def open_(name: str) -> Table:
        return connection.table(name, database=SCHEMA)

    def used(name: str) -> Table:
        rows = open_(name)
        return clean.used(rows) if "reason" in rows.columns else rows

    def has(names: list[str]) -> bool:
        return set(names) <= set(there())

    def view(name: str, rows: Callable[[], Table]) -> Table:
        if name not in there():
            try:
                _run(connection, f"CREATE VIEW {SCHEMA}.{name} AS {engine.sql(rows())}")
            except Exception as error:
                faults.check(error)
                if name not in there():  # Where another run was quicker, it has made the same.
                    raise
        return connection.table(name, database=SCHEMA)

    def drop(names: Container[str]) -> None:
        kept = sorted(name for name in there() if name in names)
        for name in kept:  # Those that are views of others begin with `all`, and go first.
            _run(connection, f"DROP {'VIEW' if name.startswith('all_') else 'TABLE'} IF EXISTS {SCHEMA}.{name}"
                             f"{' CASCADE' if connection.name == 'postgres' else ''}")
        for name in _noted(connection) if _NOTES in there() else []:
            if name in names:
                known.pop(name, None)
                _run(connection, f"INSERT INTO {SCHEMA}.{_NOTES} VALUES ('{name}', {_ENDED}, '')" if connection.name == "pyspark"
                     else f"DELETE FROM {SCHEMA}.{_NOTES} WHERE name = '{name}'")

    def read(name: str) -> Any:
        if name in known:
            return known[name]
        if _NOTES not in there():
            return None
        notes = connection.table(_NOTES, database=SCHEMA)
        found = engine.run(notes.filter(notes.name == name).order_by(ibis.desc("number")).limit(1))
        note = unpacked(found["body"].iloc[0]) if len(found) and found["body"].iloc[0] else None
        if note is not None and not name.endswith("_states"):
            known[name] = note  # Of a state that is noted nothing changes.
        return note

    def write(name: str, note: Any) -> None:
        known.pop(name, None)
        for each in there():
            if each.startswith("partial_") and int(each.split("_")[1]) < time.time() // 3600 - _LEFT_BEHIND:
                _run(connection, f"DROP TABLE IF EXISTS {SCHEMA}.{each}")
        if _NOTES not in there():
            _run(connection, f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{_NOTES} {_NOTES_AS[connection.name]}")
        notes = connection.table(_NOTES, database=SCHEMA)
        last = engine.run(notes.filter(notes.name == name).aggregate(number=notes.number.max().fill_null(0)))["number"].iloc[0]
        _run(connection, f"INSERT INTO {SCHEMA}.{_NOTES} VALUES ('{name}', {int(last) + 1}, '{packed(note)}')")
        if connection.name != "pyspark":
            _run(connection, f"DELETE FROM {SCHEMA}.{_NOTES} WHERE name = '{name}' AND number <= {int(last)}")

    return Shelf(connection, make, open_, has, used, lambda name: clean.set_aside(open_(name)), view, drop, read, write, nullcontext)


def _noted(connection: BaseBackend) -> list[str]:
    notes = connection.table(_NOTES, database=SCHEMA)
    last = notes.group_by("name").aggregate(number=notes.number.max())
    return sorted(engine.run(last.filter(last.number < _ENDED))["name"])


def _has_schema(connection: BaseBackend) -> bool:
    try:
        if SCHEMA not in connection.list_databases():
            connection.create_database(SCHEMA, force=True)
    except Exception:
        # Who may only read keeps what is worked out for the session.
        return False
    return True


def _make(connection: BaseBackend, final: str, rows: Table, order: list[str], key: str | None, there: Callable[[], list[str]]) -> None:
    """A table takes its name in one step when all its rows are there, so that whoever is killed, or runs at the same time,
    leaves and finds whole tables only."""
    partial = f"partial_{int(time.time()) // 3600}_{final}_{os.getpid()}_{next(_numbers)}"
    try:
        by = f"({', '.join(order)})" if order else "tuple()"
        how = {"clickhouse": f"ENGINE = MergeTree ORDER BY {by} SETTINGS allow_nullable_key = 1 ", "pyspark": "USING parquet "}.get(connection.name, "")
        made = f"CREATE TABLE {SCHEMA}.{partial} {how}AS {engine.promised(connection, rows)}"
        named = (f"RENAME TABLE {SCHEMA}.{partial} TO {SCHEMA}.{final}" if connection.name == "clickhouse"
                 else f"ALTER TABLE {SCHEMA}.{partial} RENAME TO {f'{SCHEMA}.' if connection.name == 'pyspark' else ''}{final}")
        if connection.name == "postgres":  # All as one transaction: what is killed leaves nothing at all.
            _run(connection, "; ".join([made, *_indexes(f"{SCHEMA}.{partial}", rows, key), named]))
            _run(connection, f"ANALYZE {SCHEMA}.{final}")
        else:
            _run(connection, made)
            _run(connection, named)
    except Exception as error:
        faults.check(error)
        _run(connection, f"DROP TABLE IF EXISTS {SCHEMA}.{partial}")
        if final not in there():
            raise


def _indexes(table: str, rows: Table, key: str | None) -> list[str]:
    """For what a day that comes looks for in all the history: doubles of its rows, days that are reopened, rows set aside."""
    if "reason" not in rows.columns or key is None:
        return []
    return [f"CREATE INDEX ON {table} ({key})", f"CREATE INDEX ON {table} (day)", f"CREATE INDEX ON {table} (user_id) WHERE reason IS NOT NULL"]


def _run(connection: BaseBackend, text: str) -> None:
    cursor = connection.raw_sql(text)
    if hasattr(cursor, "close"):
        cursor.close()
