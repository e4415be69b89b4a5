"""Makes plgkit's tables of staged files: people told apart, rows that came twice as one, sorted, month by month."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from plgkit.readers.feeds import KINDS, STAGED, Reader, reader
from plgkit.readers.identity import Link, people
from plgkit.readers.staging import SEEN, counted, in_one_step, kept_state

DONE = "gathered.json"
_GROUP = 20_480
"""Rows in a row group of Parquet: what every thread that writes holds."""


def gather(connection: duckdb.DuckDBPyConnection, staged: Path, out: Path) -> dict[str, Any]:
    """Write every table from all that is staged, and only the months of events that are not as they were."""
    parts = _parts(staged)
    before = kept_state(staged / DONE)
    _views(connection, parts, _readers(staged))
    facts = _identity(connection)
    state: dict[str, Any] = {"identity": facts, "rows": {}, "doubles": {}, "months": {}}
    for table in ("users", "accounts", "exposures", "surveys", "subscription_periods", "invoice_lines"):
        rows = _written(connection, _QUERIES[table], out / f"{table}.parquet")
        if rows:
            state["rows"][table] = rows
    state["months"], state["doubles"]["events"] = _by_month(connection, parts.get("seen", []), out, before)
    for table, months in state["months"].items():
        if rows := sum(rows for _, rows in months.values()):
            state["rows"][table] = rows
    in_one_step(staged / DONE, state)
    return state


def _readers(staged: Path) -> list[Reader]:
    return [reader(folder.name) for folder in sorted(staged.iterdir()) if folder.name in KINDS]


def _parts(staged: Path) -> dict[str, list[Path]]:
    """The staged files that count, by table."""
    found: dict[str, list[Path]] = {}
    for path in counted(staged):
        found.setdefault(path.name.rsplit("-", 2)[0], []).append(path)
    return found


def _views(connection: duckdb.DuckDBPyConnection, parts: Mapping[str, list[Path]], readers: list[Reader]) -> None:
    """Every staged table as a view, empty where there are no files; then what readers join of their own tables."""
    tables = {**STAGED, **{name: columns for each in readers for name, columns in each.keeps.items()}}
    joined: dict[str, list[str]] = {}
    for each in readers:
        for name, query in each.joins.items():
            joined.setdefault(name, []).append(query)
    for name, columns in [*tables.items(), ("seen", SEEN)]:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW own_{name} AS {_files(parts.get(name, []), columns)}")
    for name in STAGED:
        typed = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in STAGED[name].items())
        more = "".join(f" UNION ALL BY NAME SELECT * FROM ({query})" for query in joined.get(name, []))
        connection.execute(f"CREATE OR REPLACE TEMP VIEW staged_{name} AS SELECT {typed} FROM "
                           f"(SELECT * FROM own_{name}{more} UNION ALL BY NAME {_files([], STAGED[name])})")


def _files(files: list[Path], columns: Mapping[str, str]) -> str:
    if not files:
        return "SELECT " + ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns.items()) + " WHERE false"
    return f"SELECT * FROM read_parquet({_listed(files)}, union_by_name = true)"


def _listed(files: list[Path]) -> str:
    return "[" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in files) + "]"


def _identity(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Who is who, as the table `whose`; people are the known ids, or every id where nobody ever signs in."""
    named = [name for (name,) in connection.execute(
        "SELECT DISTINCT known_id FROM (SELECT known_id FROM own_seen UNION ALL SELECT known_id FROM staged_people) "
        "WHERE known_id IS NOT NULL ORDER BY 1").fetchall()]
    links = [Link(*row) for row in connection.execute(
        "SELECT one_id, other_id, coalesce(CAST(min(said_at) AS VARCHAR), ''), how FROM staged_links "
        "WHERE one_id IS NOT NULL AND other_id IS NOT NULL AND one_id <> other_id GROUP BY ALL").fetchall()]
    # Who is only ever named as the id before an identification is nobody's name.
    before = {link.one for link in links if link.how == "identify"} - {link.other for link in links if link.how == "identify"}
    known = [name for name in named if name not in before] or named
    found = people(links, known)
    _register(connection, "known", {"id": known})
    _register(connection, "whose", {"id": list(found.person), "person": list(found.person.values())})
    connection.execute(f"CREATE OR REPLACE TEMP TABLE named AS SELECT {bool(known)} AS anybody")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW seen AS {_told('own_seen')}")
    conflicts = [{"one": link.one, "other": link.other, "at": link.at, "how": link.how, "why": why} for link, why in found.conflicts]
    merged = sum(1 for name, person in found.person.items() if name != person)
    return {"known": len(known), "links": len(links), "ids_joined": merged, "conflicts": conflicts[:1000], "conflicts_in_all": len(conflicts),
            "circles": [list(each) for each in found.circles[:1000]], "circles_in_all": len(found.circles)}


def _told(rows: str) -> str:
    """Rows with their ids as known ones or anonymous ones, now that it is clear which is which."""
    return (f"SELECT e.* REPLACE (n.id AS known_id, coalesce(e.anonymous_id, CASE WHEN n.id IS NULL THEN e.known_id END) AS anonymous_id) "
            f"FROM {rows} e LEFT JOIN known n ON n.id = e.known_id")


def _register(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, list[str]]) -> None:
    connection.register("arrow", pa.table({each: pa.array(values, pa.string()) for each, values in columns.items()}))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM arrow")
    connection.unregister("arrow")


_PERSON = "coalesce(k.person, e.known_id)"
_VISITOR_OF = "LEFT JOIN whose k ON k.id = e.known_id LEFT JOIN whose a ON a.id = e.anonymous_id"
# What somebody did before the name was known is theirs; where nobody is ever known, every visitor is taken for a person.
_WHO = (f"coalesce({_PERSON}, CASE WHEN NOT (SELECT anybody FROM named) THEN coalesce(a.person, e.anonymous_id) "
        "WHEN a.person IN (SELECT id FROM known) THEN a.person END)")


def _last(column: str) -> str:
    return f"arg_max(e.{column}, (e.said_at, e.{column})) FILTER (e.{column} IS NOT NULL) AS {column}"


_QUERIES = {
    "users": f"""
        WITH did AS (
            SELECT {_WHO} AS user_id, min(e.first_at) AS first_at, arg_max(e.account_id, (e.last_at, e.account_id)) FILTER (e.account_id IS NOT NULL) AS account_id
            FROM seen e {_VISITOR_OF} WHERE e.known_id IS NOT NULL OR NOT (SELECT anybody FROM named) GROUP BY 1),
        came AS (
            SELECT coalesce(k.person, a.person, e.known_id, e.anonymous_id) AS user_id,
                   arg_min(e.channel, (e.channel_at, e.channel = 'direct', e.channel)) FILTER (e.channel IS NOT NULL) AS channel
            FROM seen e {_VISITOR_OF} GROUP BY 1),
        said AS (
            SELECT coalesce(k.person, e.known_id) AS user_id, min(e.signed_up_at) AS signed_up_at, min(e.said_at) FILTER (n.id IS NOT NULL) AS said_at,
                   {_last('account_id')}, arg_min(e.channel, (e.said_at, e.channel)) FILTER (e.channel IS NOT NULL) AS channel, {_last('role')}, {_last('country')}
            FROM staged_people e LEFT JOIN whose k ON k.id = e.known_id LEFT JOIN known n ON n.id = e.known_id GROUP BY 1)
        SELECT user_id, coalesce(said.signed_up_at, least(did.first_at, said.said_at)) AS signed_up_at, coalesce(said.account_id, did.account_id) AS account_id,
               coalesce(said.channel, came.channel) AS channel, said.role, said.country
        FROM did FULL JOIN said USING (user_id) LEFT JOIN came USING (user_id)
        WHERE user_id IS NOT NULL AND coalesce(said.signed_up_at, did.first_at, said.said_at) IS NOT NULL ORDER BY user_id""",
    "accounts": f"""
        WITH did AS (SELECT account_id, min(first_at) AS first_at FROM own_seen WHERE account_id IS NOT NULL GROUP BY 1),
        said AS (
            SELECT account_id, min(created_at) AS created_at, min(said_at) AS said_at, {_last('industry')}, {_last('employees')},
                   min(trial_started_at) AS trial_started_at, max(trial_ended_at) AS trial_ended_at
            FROM staged_accounts e WHERE account_id IS NOT NULL GROUP BY 1)
        SELECT account_id, coalesce(said.created_at, least(did.first_at, said.said_at)) AS created_at, industry, employees, trial_started_at, trial_ended_at
        FROM did FULL JOIN said USING (account_id) WHERE coalesce(said.created_at, did.first_at, said.said_at) IS NOT NULL ORDER BY account_id""",
    "exposures": f"""
        SELECT DISTINCT {_WHO} AS user_id, e.experiment, e.variant, e.exposed_at FROM ({_told('staged_exposures')}) e {_VISITOR_OF}
        WHERE {_WHO} IS NOT NULL ORDER BY ALL""",
    "surveys": f"""
        SELECT DISTINCT {_WHO} AS user_id, e.answered_at, e.kind, e.score, e.comment FROM ({_told('staged_surveys')}) e {_VISITOR_OF}
        WHERE {_WHO} IS NOT NULL ORDER BY ALL""",
}


def _latest(table: str) -> str:
    columns = ", ".join(f'"{name}"' for name in STAGED[table] if name not in ("row_id", "said_at"))
    return (f"SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY row_id ORDER BY said_at DESC NULLS LAST, hash(r) DESC) AS place "
            f"FROM staged_{table} r) WHERE place = 1 ORDER BY ALL")


_QUERIES |= {table: _latest(table) for table in ("subscription_periods", "invoice_lines")}


def _month_query(table: str, files: list[Path], first: str, last: str) -> str:
    """The events of people, or the visits of those not signed in, of one month."""
    month = f"occurred_at >= TIMESTAMP '{first}' AND occurred_at < TIMESTAMP '{last}'"
    if table == "events":
        once = (f"SELECT s.* FROM read_parquet({_listed(files)}, filename = true, file_row_number = true) s "
                f"ANTI JOIN twice USING (filename, file_row_number) WHERE {month}")
        return (f"SELECT {_WHO} AS user_id, e.event, e.occurred_at, e.event_id, e.account_id, e.received_at, e.session_id, e.properties "
                f"FROM ({_told(f'({once})')}) e {_VISITOR_OF} WHERE {_WHO} IS NOT NULL ORDER BY user_id, occurred_at, event_id")
    rows = f"(SELECT known_id, anonymous_id, occurred_at, session_id, channel FROM read_parquet({_listed(files)}) WHERE {month})"
    return (f"SELECT e.anonymous_id AS visitor_id, min(e.occurred_at) AS visited_at, "
            f"arg_min(e.channel, (e.occurred_at, e.channel = 'direct', e.channel)) FILTER (e.channel IS NOT NULL) AS channel, "
            f"any_value(a.person) FILTER (a.person <> e.anonymous_id) AS user_id FROM ({_told(rows)}) e LEFT JOIN whose a ON a.id = e.anonymous_id "
            "WHERE e.known_id IS NULL AND e.anonymous_id IS NOT NULL AND (SELECT anybody FROM named) "
            "GROUP BY e.anonymous_id, coalesce(e.session_id, CAST(e.occurred_at AS DATE)::VARCHAR) ORDER BY ALL")


def _find_twice(connection: duckdb.DuckDBPyConnection, files: list[Path], first: str, last: str) -> int:
    """Where the rows of a month stand that came before in another one, and how many: the last received counts, then the longest."""
    rows = (f"(SELECT * FROM read_parquet({_listed(files)}, filename = true, file_row_number = true) "
            f"WHERE occurred_at >= TIMESTAMP '{first}' AND occurred_at < TIMESTAMP '{last}')")
    _run(connection, f"CREATE OR REPLACE TEMP TABLE several AS SELECT event_id FROM {rows} GROUP BY 1 HAVING count(*) > 1")
    columns = ", ".join(f'"{name}"' for name in STAGED["events"])
    return _run(connection, f"""
        CREATE OR REPLACE TEMP TABLE twice AS SELECT filename, file_row_number FROM (
        SELECT filename, file_row_number, row_number() OVER (PARTITION BY event_id ORDER BY received_at DESC NULLS LAST, long DESC NULLS LAST, marks DESC) AS place
        FROM (SELECT filename, file_row_number, event_id, received_at, length(properties) AS long, hash({columns}) AS marks
              FROM {rows} SEMI JOIN several USING (event_id))) WHERE place > 1""")[0][0]


def _by_month(connection: duckdb.DuckDBPyConnection, seen: list[Path], out: Path,
              was: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """Events and visits, one file a month each, and how many rows came twice; a month whose rows and people are as they were is left alone."""
    months = connection.execute(f"""
        SELECT month, CAST(sum(CAST(e.facts AS HUGEINT)) AS VARCHAR) || '|' || CAST(sum(CAST(hash(e.known_id, e.anonymous_id, k.person, a.person) AS HUGEINT)) AS VARCHAR)
        FROM seen e {_VISITOR_OF} GROUP BY 1 ORDER BY 1""").fetchall()
    files: dict[str, list[Path]] = {}
    if seen:
        for month, name in connection.execute(f"SELECT DISTINCT month, filename FROM read_parquet({_listed(seen)}, filename = true) ORDER BY ALL").fetchall():
            path = Path(name)
            files.setdefault(month, []).append(path.with_name(path.name.replace("seen-", "events-", 1)))
    anybody = str(connection.execute("SELECT anybody FROM named").fetchone())
    made: dict[str, Any] = {"events": {}, "visits": {}}
    before, twice, doubles = was.get("months", {}), was.get("doubles", {}).get("events", {}), {}
    for month, facts in months:
        name = hashlib.sha256(f"{facts}|{anybody}".encode()).hexdigest()[:16]
        if month in twice and all(_stands(out, table, month, name, before) for table in made):
            doubles[month] = twice[month]
            for table in made:
                made[table][month] = before[table][month]
            continue
        first, last = f"{month}-01", _after(month)
        doubles[month] = _find_twice(connection, files[month], first, last)
        for table in made:
            path = out / table / f"{month}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            made[table][month] = [name, _written(connection, _month_query(table, files[month], first, last), path)]
    for table in made:
        for path in (out / table).glob("*.parquet"):
            if not made[table].get(path.stem, ["", 0])[1]:
                path.unlink()
        with contextlib.suppress(OSError):
            (out / table).rmdir()
    return made, doubles


def _stands(out: Path, table: str, month: str, name: str, before: Mapping[str, Any]) -> bool:
    there = before.get(table, {}).get(month)
    return bool(there) and there[0] == name and (not there[1] or (out / table / f"{month}.parquet").exists())


def _after(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02d}-01"


def _run(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    """Run a query; where its threads together need more memory than there is, one of them does it alone."""
    try:
        return connection.execute(query).fetchall()
    except duckdb.OutOfMemoryException:
        connection.execute("SET threads = 1")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.execute("RESET threads")


def _written(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    """Write a query's rows in one step; no rows, no file."""
    partial = path.with_name(f".{path.name}")
    quoted = str(partial).replace("'", "''")
    try:
        rows = _run(connection, f"COPY ({query}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_GROUP})")[0][0]
        if rows:
            os.replace(partial, path)
        else:
            path.unlink(missing_ok=True)
    finally:
        partial.unlink(missing_ok=True)
    return rows
