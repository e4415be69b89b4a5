"""Tables of plgkit's own inside a database: made once for each state of the data, shared by every run, never brought to the client."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping

from ibis import BaseBackend, _
from ibis.expr.types import Table

from plgkit.schema import TABLES
from plgkit.sources import engine

SCHEMA = "plgkit_kept"
_CAN = ("postgres", "clickhouse", "pyspark")
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


def keeper(connection: BaseBackend, version: str) -> Callable[[str, Table], Table]:
    """How to keep rows in this engine: in the schema `plgkit_kept` where it can be made, else for this session.

    A table takes its name in one step when all its rows are there, so that whoever is killed, or runs at the same time,
    leaves and finds whole tables only.
    """
    if connection.name not in _CAN or not _has_schema(connection):
        return lambda name, rows: engine.keep(connection, name, rows)

    def store(name: str, rows: Table) -> Table:
        final = f"{name}_{version}"
        if final not in connection.list_tables(database=SCHEMA):
            _make(connection, final, rows)
        return engine.as_promised(connection.table(final, database=SCHEMA), rows)

    return store


def _has_schema(connection: BaseBackend) -> bool:
    try:
        if SCHEMA not in connection.list_databases():
            connection.create_database(SCHEMA, force=True)
    except Exception:
        # Who may only read keeps what is worked out for the session.
        return False
    return True


def _make(connection: BaseBackend, final: str, rows: Table) -> None:
    partial = f"partial_{final}_{os.getpid()}_{next(_numbers)}"
    try:
        how = {"clickhouse": "ENGINE = MergeTree ORDER BY tuple() ", "pyspark": "USING parquet "}.get(connection.name, "")
        _run(connection, f"CREATE TABLE {SCHEMA}.{partial} {how}AS {engine.sql(rows)}")
        _run(connection, f"RENAME TABLE {SCHEMA}.{partial} TO {SCHEMA}.{final}" if connection.name == "clickhouse"
             else f"ALTER TABLE {SCHEMA}.{partial} RENAME TO {f'{SCHEMA}.' if connection.name == 'pyspark' else ''}{final}")
        if connection.name == "postgres":
            _run(connection, f"ANALYZE {SCHEMA}.{final}")
    except Exception:
        _run(connection, f"DROP TABLE IF EXISTS {SCHEMA}.{partial}")
        if final not in connection.list_tables(database=SCHEMA):
            raise


def _run(connection: BaseBackend, text: str) -> None:
    cursor = connection.raw_sql(text)
    if hasattr(cursor, "close"):
        cursor.close()
