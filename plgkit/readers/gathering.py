"""Makes plgkit's tables of staged files: people told apart, rows that came twice as one, sorted, month by month."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from plgkit.readers.feeds import KINDS, STAGED, Reader, reader
from plgkit.readers.identity import Link, people

DONE = "gathered.json"
_KEYED = {"accounts": "account_id", "people": "known_id"}
_OF_PEOPLE = ("events", "exposures", "surveys")


def gather(connection: duckdb.DuckDBPyConnection, staged: Path, out: Path) -> dict[str, Any]:
    """Write every table from all that is staged, and only the months of events that are not as they were."""
    parts = _parts(staged)
    before = _read(staged / DONE)
    _views(connection, parts, _readers(staged))
    facts = _identity(connection)
    state: dict[str, Any] = {"identity": facts, "rows": {}, "months": {}}
    for table in ("users", "accounts", "exposures", "surveys", "subscription_periods", "invoice_lines"):
        rows = _written(connection, _QUERIES[table], out / f"{table}.parquet")
        if rows:
            state["rows"][table] = rows
    for table in ("events", "visits"):
        state["months"][table] = _by_month(connection, table, out, before.get("months", {}).get(table, {}))
        if state["months"][table]:
            state["rows"][table] = sum(rows for _, rows in state["months"][table].values())
    (staged / DONE).with_suffix(".partial").write_text(json.dumps(state, indent=1), encoding="utf-8")
    os.replace((staged / DONE).with_suffix(".partial"), staged / DONE)
    return state


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _readers(staged: Path) -> list[Reader]:
    return [reader(folder.name) for folder in sorted(staged.iterdir()) if folder.name in KINDS]


def _parts(staged: Path) -> dict[str, list[Path]]:
    """The staged files of each table, by name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(staged.glob("*/*/*.parquet")):
        if not path.name.startswith("."):
            found.setdefault(path.name.rsplit("-", 2)[0], []).append(path)
    return found


def _views(connection: duckdb.DuckDBPyConnection, parts: Mapping[str, list[Path]], readers: list[Reader]) -> None:
    """Every staged table as a view, empty where there are no files; then what readers join of their own tables."""
    tables = {**STAGED, **{name: columns for each in readers for name, columns in each.keeps.items()}}
    joined: dict[str, list[str]] = {}
    for each in readers:
        for name, query in each.joins.items():
            joined.setdefault(name, []).append(query)
    for name, columns in tables.items():
        connection.execute(f"CREATE OR REPLACE TEMP VIEW own_{name} AS {_files(parts.get(name, []), columns)}")
    for name in STAGED:
        typed = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in STAGED[name].items())
        more = "".join(f" UNION ALL BY NAME SELECT * FROM ({query})" for query in joined.get(name, []))
        connection.execute(f"CREATE OR REPLACE TEMP VIEW staged_{name} AS SELECT {typed} FROM "
                           f"(SELECT * FROM own_{name}{more} UNION ALL BY NAME {_files([], STAGED[name])})")


def _files(files: list[Path], columns: Mapping[str, str]) -> str:
    if not files:
        return "SELECT " + ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns.items()) + " WHERE false"
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    return f"SELECT * FROM read_parquet([{listed}], union_by_name = true)"


def _identity(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Who is who, as the table `whose`; people are the known ids, or every id where nobody ever signs in."""
    known = [name for (name,) in connection.execute(
        "SELECT DISTINCT known_id FROM (SELECT known_id FROM staged_events UNION ALL SELECT known_id FROM staged_people) "
        "WHERE known_id IS NOT NULL ORDER BY 1").fetchall()]
    named = known
    links = [Link(*row) for row in connection.execute(
        "SELECT DISTINCT one_id, other_id, coalesce(CAST(said_at AS VARCHAR), ''), how FROM staged_links "
        "WHERE one_id IS NOT NULL AND other_id IS NOT NULL AND one_id <> other_id").fetchall()]
    # Who is named as the id before an identification is nobody's name.
    before = {link.one for link in links if link.how == "identify"}
    known = [name for name in named if name not in before] or named
    found = people(links, known)
    _register(connection, "known", {"id": known})
    _register(connection, "whose", {"id": list(found.person), "person": list(found.person.values())})
    connection.execute(f"CREATE OR REPLACE TEMP TABLE named AS SELECT {bool(known)} AS anybody")
    conflicts = [{"one": link.one, "other": link.other, "at": link.at, "how": link.how, "why": why} for link, why in found.conflicts]
    merged = sum(1 for name, person in found.person.items() if name != person)
    return {"known": len(known), "links": len(links), "ids_joined": merged, "conflicts": conflicts[:1000], "conflicts_in_all": len(conflicts)}


def _register(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, list[str]]) -> None:
    connection.register("arrow", pa.table({each: pa.array(values, pa.string()) for each, values in columns.items()}))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM arrow")
    connection.unregister("arrow")


_PERSON = "coalesce(k.person, e.known_id)"
_VISITOR_OF = "LEFT JOIN whose k ON k.id = e.known_id LEFT JOIN whose a ON a.id = e.anonymous_id"
# What somebody did before the name was known is theirs; where nobody is ever known, every visitor is taken for a person.
_WHO = (f"coalesce({_PERSON}, CASE WHEN NOT (SELECT anybody FROM named) THEN coalesce(a.person, e.anonymous_id) "
        "WHEN a.person IN (SELECT id FROM known) THEN a.person END)")
_QUERIES = {
    "users": f"""
        WITH seen AS (
            SELECT {_WHO} AS user_id, min(e.occurred_at) AS first_at, arg_max(e.account_id, e.occurred_at) FILTER (e.account_id IS NOT NULL) AS account_id
            FROM staged_events e {_VISITOR_OF} WHERE e.known_id IS NOT NULL OR NOT (SELECT anybody FROM named) GROUP BY 1),
        came AS (
            SELECT coalesce(k.person, a.person, e.anonymous_id) AS user_id, arg_min(e.channel, e.occurred_at) FILTER (e.channel IS NOT NULL) AS channel
            FROM staged_events e {_VISITOR_OF} GROUP BY 1),
        said AS (
            SELECT coalesce(k.person, e.known_id) AS user_id, min(e.signed_up_at) AS signed_up_at, min(e.said_at) AS said_at,
                   arg_max(e.account_id, e.said_at) FILTER (e.account_id IS NOT NULL) AS account_id, arg_min(e.channel, e.said_at) FILTER (e.channel IS NOT NULL) AS channel,
                   arg_max(e.role, e.said_at) FILTER (e.role IS NOT NULL) AS role, arg_max(e.country, e.said_at) FILTER (e.country IS NOT NULL) AS country
            FROM staged_people e LEFT JOIN whose k ON k.id = e.known_id GROUP BY 1)
        SELECT user_id, coalesce(said.signed_up_at, least(seen.first_at, said.said_at)) AS signed_up_at, coalesce(said.account_id, seen.account_id) AS account_id,
               coalesce(said.channel, came.channel) AS channel, said.role, said.country
        FROM seen FULL JOIN said USING (user_id) LEFT JOIN came USING (user_id)
        WHERE user_id IS NOT NULL AND coalesce(said.signed_up_at, seen.first_at, said.said_at) IS NOT NULL ORDER BY user_id""",
    "accounts": """
        WITH seen AS (SELECT account_id, min(occurred_at) AS first_at FROM staged_events WHERE account_id IS NOT NULL GROUP BY 1),
        said AS (
            SELECT account_id, min(created_at) AS created_at, min(said_at) AS said_at, arg_max(industry, said_at) FILTER (industry IS NOT NULL) AS industry,
                   arg_max(employees, said_at) FILTER (employees IS NOT NULL) AS employees, min(trial_started_at) AS trial_started_at, max(trial_ended_at) AS trial_ended_at
            FROM staged_accounts WHERE account_id IS NOT NULL GROUP BY 1)
        SELECT account_id, coalesce(said.created_at, least(seen.first_at, said.said_at)) AS created_at, industry, employees, trial_started_at, trial_ended_at
        FROM seen FULL JOIN said USING (account_id) WHERE coalesce(said.created_at, seen.first_at, said.said_at) IS NOT NULL ORDER BY account_id""",
    "exposures": f"""
        SELECT DISTINCT {_WHO} AS user_id, e.experiment, e.variant, e.exposed_at FROM staged_exposures e {_VISITOR_OF}
        WHERE {_WHO} IS NOT NULL ORDER BY ALL""",
    "surveys": f"""
        SELECT DISTINCT {_WHO} AS user_id, e.answered_at, e.kind, e.score, e.comment FROM staged_surveys e {_VISITOR_OF}
        WHERE {_WHO} IS NOT NULL ORDER BY ALL""",
}


def _latest(table: str) -> str:
    columns = ", ".join(f'"{name}"' for name in STAGED[table] if name not in ("row_id", "said_at"))
    return (f"SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY row_id ORDER BY said_at DESC NULLS LAST, hash(r) DESC) AS place "
            f"FROM staged_{table} r) WHERE place = 1 ORDER BY ALL")


_QUERIES |= {table: _latest(table) for table in ("subscription_periods", "invoice_lines")}


def _month_query(table: str, first: str, last: str) -> str:
    """The events of people, or the visits of those not signed in, of one month."""
    once = (f"SELECT * EXCLUDE (place) FROM (SELECT *, row_number() OVER (PARTITION BY event_id ORDER BY received_at DESC NULLS LAST, length(properties) DESC NULLS LAST, hash(s) DESC) AS place "
            f"FROM staged_events s WHERE occurred_at >= TIMESTAMP '{first}' AND occurred_at < TIMESTAMP '{last}') WHERE place = 1")
    if table == "events":
        return (f"SELECT {_WHO} AS user_id, e.event, e.occurred_at, e.event_id, e.account_id, e.received_at, e.session_id, e.properties "
                f"FROM ({once}) e {_VISITOR_OF} WHERE {_WHO} IS NOT NULL ORDER BY user_id, occurred_at, event_id")
    return (f"SELECT coalesce(e.anonymous_id, '') AS visitor_id, min(e.occurred_at) AS visited_at, arg_min(e.channel, e.occurred_at) FILTER (e.channel IS NOT NULL) AS channel, "
            f"any_value(a.person) FILTER (a.person <> e.anonymous_id) AS user_id FROM ({once}) e LEFT JOIN whose a ON a.id = e.anonymous_id "
            "WHERE e.known_id IS NULL AND e.anonymous_id IS NOT NULL AND (SELECT anybody FROM named) "
            "GROUP BY e.anonymous_id, coalesce(e.session_id, CAST(e.occurred_at AS DATE)::VARCHAR) ORDER BY visitor_id, visited_at")


def _by_month(connection: duckdb.DuckDBPyConnection, table: str, out: Path, before: Mapping[str, Any]) -> dict[str, Any]:
    """One file a month; a month whose rows and people are as they were is left alone."""
    folder = out / table
    months = connection.execute(f"""
        SELECT strftime(m, '%Y-%m') AS month, strftime(m, '%Y-%m-%d') AS first, strftime(m + INTERVAL 1 MONTH, '%Y-%m-%d') AS last, facts FROM (
        SELECT date_trunc('month', e.occurred_at) AS m, CAST(sum(CAST(hash(e, k.person, a.person) AS HUGEINT)) AS VARCHAR) AS facts
        FROM staged_events e {_VISITOR_OF} WHERE e.occurred_at IS NOT NULL GROUP BY 1) ORDER BY 1""").fetchall()
    anybody = str(connection.execute("SELECT anybody FROM named").fetchone())
    made: dict[str, Any] = {}
    for month, first, last, facts in months:
        name = hashlib.sha256(f"{facts}|{anybody}".encode()).hexdigest()[:16]
        path = folder / f"{month}.parquet"
        if month in before and before[month][0] == name and (path.exists() or not before[month][1]):
            made[month] = before[month]
            continue
        folder.mkdir(parents=True, exist_ok=True)
        made[month] = [name, _written(connection, _month_query(table, first, last), path)]
    for path in folder.glob("*.parquet"):
        if path.stem not in made or not made[path.stem][1]:
            path.unlink()
    return {month: each for month, each in made.items() if each[1]}


def _written(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    """Write a query's rows in one step; no rows, no file."""
    partial = path.with_name(f".{path.name}")
    quoted = str(partial).replace("'", "''")
    rows = connection.execute(f"COPY ({query}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)").fetchone()[0]
    if rows:
        os.replace(partial, path)
    else:
        partial.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    return rows
