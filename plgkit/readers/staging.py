"""Turns the pieces of an export into staged Parquet files, batch by batch; a piece is read once, and goes on where it was broken off."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from plgkit.readers.feeds import Feed, Reader
from plgkit.readers.phrases import listed, made_id
from plgkit.readers.pieces import BREAKS_OFF, NOT_WHOLE, Piece
from plgkit.readers.rows import Batch, batches

STATE = "state.json"
FORMAT = "4"
"""Raised where staged files of an earlier plgkit would be read wrongly."""
REJECTED = {"file": "VARCHAR", "line": "BIGINT", "reason": "VARCHAR", "row": "VARCHAR"}
_LONGEST_ROW = 300
_OF_ROWS = (duckdb.DataError, duckdb.InvalidInputException)
"""What a query raises because of a row, and not because of the machine."""
_NAME = made_id("event", "occurred_at", "known_id", "anonymous_id", "properties")
_WITHIN = re.compile(r"TRY\(json_extract_string\((\w+), ('\$\.\"[^\"']+\"')\)\)")
_STAGED_FILE = re.compile(r"[a-z_]+-(\d+)[ab]*-\d+\.parquet")
SEEN = {"month": "VARCHAR", "known_id": "VARCHAR", "anonymous_id": "VARCHAR", "account_id": "VARCHAR", "first_at": "TIMESTAMP",
        "last_at": "TIMESTAMP", "channel": "VARCHAR", "channel_at": "TIMESTAMP", "facts": "BIGINT"}
"""Who did something in a month, since when, and how they came: what there is to know without reading the events again."""
_IN_SHORT = """
    SELECT strftime(occurred_at, '%Y-%m') AS month, known_id, anonymous_id, account_id, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
           arg_min(channel, (occurred_at, channel = 'direct', channel)) FILTER (channel IS NOT NULL) AS channel,
           min(occurred_at) FILTER (channel IS NOT NULL) AS channel_at, CAST(sum(hash(m) % 4294967296) AS BIGINT) AS facts
    FROM typed m WHERE occurred_at IS NOT NULL GROUP BY ALL"""


def database(spill: Path, *, memory: str = "400MB") -> duckdb.DuckDBPyConnection:
    """A DuckDB that keeps to `memory` and puts what is more into `spill`."""
    connection = duckdb.connect()
    spill.mkdir(parents=True, exist_ok=True)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET memory_limit = '{memory}'")
    connection.execute(f"SET temp_directory = '{str(spill).replace(chr(39), chr(39) * 2)}'")
    return connection


def stage(connection: duckdb.DuckDBPyConnection, reader: Reader, piece: Piece, folder: Path,
          tell: Callable[[int], None] = lambda rows: None, *, zone: str = "UTC") -> dict[str, Any]:
    """Read a piece into `folder`, unless that is done; what was read, by table, and what was set aside.

    Every batch is a file of its own that appears in one step, before the state that says so: what the state does not
    list counts nowhere, so that whoever is killed in between reads that batch again, and nothing is there twice.
    """
    home = folder / piece.digest
    state = _state(home)
    if state["whole"] and (fits(state) or piece.name in state["names"]):
        return state
    if state["whole"]:
        # Under its name of then nothing of it was known; some sorts of rows are known by their file's name.
        state = _fresh() | {"names": state["names"]}
    if not state["batches"]:
        state |= {"zone": zone, "begun": time.time_ns()}
    home.mkdir(parents=True, exist_ok=True)
    in_one_step(home / STATE, state)
    for path in [*home.glob("*.parquet")]:
        if _batch_of(path) >= len(state["batches"]):
            path.unlink()
    state["file"], state["names"] = piece.name, sorted({*state["names"], piece.name})
    connection.execute(f"CREATE OR REPLACE TEMP TABLE told AS SELECT '{zone}' AS zone")
    for batch in batches(piece, reader, after=state["done"]):
        counts, unused, rejected = _batch(connection, reader, piece, batch, home, f"{len(state['batches']):05d}")
        state["batches"].append(counts)
        state["done"], state["rows"] = batch.done, state["rows"] + len(batch.texts)
        state["rejected"] += rejected
        state["good"] += len(batch.texts) + len(batch.bad) - rejected
        state["unused"] = dict(Counter(state["unused"]) + Counter(unused))
        state["breaks_off"] |= any(reason.startswith((BREAKS_OFF, NOT_WHOLE)) for _, reason, _ in batch.bad)
        if batch.texts:
            state["first"], state["last"] = state["first"] or _short(batch.texts[0]), _short(batch.texts[-1])
        in_one_step(home / STATE, state)
        tell(len(batch.texts) + len(batch.bad))
    in_one_step(home / STATE, state | {"whole": True})
    return state | {"whole": True}


def fits(state: Mapping[str, Any]) -> bool:
    """Whether anything of a piece was a row of its kind."""
    return any(any(each.values()) for each in state["batches"]) or bool(state["unused"])


def _state(home: Path) -> dict[str, Any]:
    found = kept_state(home / STATE)
    return found if found.get("format") == FORMAT else _fresh()


def _fresh() -> dict[str, Any]:
    return {"format": FORMAT, "file": "", "names": [], "whole": False, "breaks_off": False, "done": 0, "rows": 0, "rejected": 0,
            "good": 0, "first": "", "last": "", "zone": "", "begun": 0, "unused": {}, "batches": []}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def counted(staged: Path) -> list[Path]:
    """The staged files that count: those of batches that the state of their piece lists; what a killed run left behind is none."""
    found = []
    for state in sorted(staged.glob(f"*/*/{STATE}")):
        whole = len(kept_state(state).get("batches", ()))
        found += [path for path in sorted(state.parent.glob("*.parquet")) if _batch_of(path) < whole]
    return found


def _batch_of(path: Path) -> float:
    """The number of the batch that a staged file is of: `events-00003ab-0.parquet` is of the fourth."""
    named = _STAGED_FILE.fullmatch(path.name)
    return int(named[1]) if named else float("inf")


def kept_state(path: Path) -> dict[str, Any]:
    """A state as it was written last; empty where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def in_one_step(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state as JSON: it is there whole, or as it was."""
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(json.dumps(state, indent=1), encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _batch(connection: duckdb.DuckDBPyConnection, reader: Reader, piece: Piece, batch: Batch, home: Path,
           name: str) -> tuple[dict[str, int], dict[str, int], int]:
    """One batch: the rows of every feed into the tables it makes; rows by table, those no table is made of by sort, and how many were set aside."""
    try:
        return _whole_batch(connection, reader, piece, batch, home, name)
    except _OF_ROWS as error:
        for path in home.glob(f"*-{name}-*.parquet"):
            path.unlink()
        if len(batch.texts) == 1:
            reason = f"it cannot be read: {str(error).splitlines()[0][:200]}"
            return _batch(connection, reader, piece, Batch([], [], [*batch.bad, (batch.numbers[0], reason, batch.texts[0])], batch.done), home, name)
    # One row that cannot be read costs itself only.
    half = len(batch.texts) // 2
    one, unused, bad = _batch(connection, reader, piece, Batch(batch.texts[:half], batch.numbers[:half], batch.bad, batch.done), home, f"{name}a")
    other, idle, more = _batch(connection, reader, piece, Batch(batch.texts[half:], batch.numbers[half:], [], batch.done), home, f"{name}b")
    return dict(Counter(one) + Counter(other)), dict(Counter(unused) + Counter(idle)), bad + more


def _whole_batch(connection: duckdb.DuckDBPyConnection, reader: Reader, piece: Piece, batch: Batch, home: Path,
                 name: str) -> tuple[dict[str, int], dict[str, int], int]:
    texts = pa.table({"line": pa.array(batch.numbers, pa.int64()), "text": pa.array(batch.texts, pa.string())})
    connection.register("lines", texts)
    connection.execute("CREATE OR REPLACE TEMP TABLE valid AS SELECT *, CASE WHEN whole THEN json_keys(text) END AS names "
                       f"FROM (SELECT line, whole, CASE WHEN whole THEN {reader.inside} ELSE text END AS text "
                       "FROM (SELECT line, text, json_valid(text) AS whole FROM lines))")
    connection.unregister("lines")
    del texts
    bad = [*batch.bad, *[(line, "it is no JSON object", text) for line, text in connection.execute(
        f"SELECT line, left(text, {_LONGEST_ROW}) FROM valid WHERE NOT whole ORDER BY line").fetchall()]]
    counts, unused = Counter[str](), Counter[str]()
    known = _feeds(connection, reader, piece)
    for place, feed in enumerate(known):
        _rows(connection, feed, known[:place])
        bad += connection.execute(
            "SELECT line, reason, text FROM wanting ORDER BY line").fetchall()
        for condition, reason in feed.partly.items():
            bad += connection.execute(f"SELECT line, '{reason}', text FROM read WHERE reason IS NULL AND ({condition}) ORDER BY line").fetchall()
        if not feed.makes:
            unused[feed.name] += connection.execute("SELECT count(*) FROM rows").fetchall()[0][0]
        for table, query in _queries(feed).items():
            counts[table] += _kept(connection, table, query, reader.tables[table], home, f"{name}-{place}")
    bad += _strange(connection, known)
    _keep_rejected(bad, piece, home / f"rejected-{name}-0.parquet")
    return dict(counts), dict(+unused), len(bad)


def _feeds(connection: duckdb.DuckDBPyConnection, reader: Reader, piece: Piece) -> list[Feed]:
    """The feeds of which the batch has rows, the most telling first."""
    telling = sorted({name for feed in reader.feeds for name, value in feed.telling.items() if value is not None})
    paths = ", ".join(f"'{_path(name)}'" for name in telling)
    shapes = connection.execute(f"SELECT DISTINCT names, json_extract_string(text, [{paths}]::VARCHAR[]) FROM valid WHERE whole").fetchall()
    samples = [{**dict.fromkeys(names), **{name: value for name, value in zip(telling, values, strict=True) if name in names}}
               for names, values in shapes]
    file = piece.name.rpartition("/")[2]
    feeds = [feed for feed in reader.feeds if any(feed.fits(file, sample) for sample in samples)]
    return sorted(feeds, key=lambda feed: -len(feed.telling))


def _tells(feed: Feed) -> str:
    said = [f"list_has_all(names, [{listed(feed.telling)}])"] if feed.telling else []
    said += [f"json_extract_string(text, '{_path(name)}') = '{value}'" for name, value in feed.telling.items() if value is not None]
    return " AND ".join(said) or "true"


def _rows(connection: duckdb.DuckDBPyConnection, feed: Feed, before: list[Feed]) -> None:
    """The batch's rows of one feed as the table `rows`, its columns as text; those that lack what is needed as `wanting`."""
    columns = list(feed.columns)
    paths = ", ".join(f"'{_path(name)}'" for name in columns)
    chosen = ", ".join(f'found[{place}] AS "{name}"' for place, name in enumerate(columns, 1))
    known = [*columns, *feed.noise]
    held = "".join(_held(name, f"found[{columns.index(name) + 1}]") for name in feed.stays)
    spent = json.dumps(dict.fromkeys(known)).replace("'", "''")
    rest = (f"'{{' || concat_ws(',', CASE WHEN NOT list_has_all([{listed(known)}], names) "
            f"THEN nullif(CAST(json_merge_patch('{{}}', json_merge_patch(text, '{spent}')) AS VARCHAR)[2:-2], '') END{held}) || '}}'")
    taken = "".join(f" AND NOT coalesce({_tells(each)}, false)" for each in before)
    made = f"* REPLACE ({', '.join(f'{query} AS {name}' for name, query in feed.reads.items())})" if feed.reads else "*"
    inside = "".join(f", TRY(json_extract_string({column}, [{', '.join(sorted(found))}])) AS in_{column}" for column, found in _asked(feed).items())
    once = "".join(f", {_named(feed, query, once=False)} AS once_{place}" for place, query in enumerate(feed.once))
    needs = " ".join(f"WHEN {_named(feed, column)} IS NULL THEN '{why}'" for column, why in feed.needs.items())
    reason = f"CASE {needs} END" if needs else "CAST(NULL AS VARCHAR)"
    said = " OR ".join(["reason IS NOT NULL", *(f"coalesce({condition}, false)" for condition in feed.partly)])
    text = f"CASE WHEN {said} THEN left(text, {_LONGEST_ROW}) END"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE read AS SELECT * REPLACE ({text} AS text) FROM (SELECT *, {reason} AS reason FROM (SELECT *{once} FROM (SELECT *{inside} FROM (SELECT {made} FROM ("
        f"SELECT line, text, {chosen}, {rest} AS rest, zone FROM told, (SELECT line, text, names, json_extract_string(text, [{paths}]) AS found "
        f"FROM valid WHERE whole AND coalesce({_tells(feed)}, false){taken}))))))")
    connection.execute("CREATE OR REPLACE TEMP TABLE wanting AS SELECT line, reason, text FROM read WHERE reason IS NOT NULL")
    connection.execute("CREATE OR REPLACE TEMP VIEW rows AS SELECT * EXCLUDE (reason, text) FROM read WHERE reason IS NULL")


def _held(name: str, text: str) -> str:
    """A column that stays, as a part of an object; what is empty is no part, and an object written as text is one."""
    key = json.dumps(name).replace("'", "''")
    return (f", CASE WHEN {text} IN ('', '{{}}', '[]') THEN NULL WHEN {text}[1] IN ('{{', '[') AND json_valid({text}) THEN '{key}:' || {text} "
            f"ELSE '{key}:' || CAST(to_json({text}) AS VARCHAR) END")


def _queries(feed: Feed) -> dict[str, str]:
    """The queries of a feed, with what `_rows` has worked out by its name."""
    return {table: _named(feed, query) for table, query in feed.makes.items()}


def _asked(feed: Feed) -> dict[str, list[str]]:
    """The values inside JSON objects that the feed's queries ask for, by column: an object is read once for all of them."""
    text = " ".join([*feed.makes.values(), *feed.needs, *feed.once])
    found: dict[str, set[str]] = {}
    for column, path in _WITHIN.findall(text):
        if column in feed.columns:
            found.setdefault(column, set()).add(path)
    return {column: sorted(paths) for column, paths in sorted(found.items())}


def _named(feed: Feed, query: str, *, once: bool = True) -> str:
    for place, text in enumerate(feed.once if once else ()):
        query = query.replace(text, f"once_{place}")
    for column, paths in _asked(feed).items():
        for place, path in enumerate(paths, 1):
            query = query.replace(f"TRY(json_extract_string({column}, {path}))", f"in_{column}[{place}]")
    return query


def _strange(connection: duckdb.DuckDBPyConnection, known: list[Feed]) -> list[tuple[int, str, str]]:
    """Rows that no feed knows."""
    none = " AND ".join(f"NOT coalesce({_tells(feed)}, false)" for feed in known) or "true"
    return connection.execute(f"SELECT line, 'its columns are those of no known row', left(text, {_LONGEST_ROW}) "
                              f"FROM valid WHERE whole AND {none} ORDER BY line").fetchall()


def _kept(connection: duckdb.DuckDBPyConnection, table: str, query: str, columns: Mapping[str, str], home: Path, name: str) -> int:
    """Write what a query makes, with the columns and types of its table; of events also who they were of, in short."""
    there = {column for column, *_ in connection.execute(f"DESCRIBE {query}").fetchall()}
    typed = ", ".join(f'CAST({f"{chr(34)}{column}{chr(34)}" if column in there else "NULL"} AS {kind}) AS "{column}"'
                      for column, kind in columns.items())
    query = f"SELECT {typed} FROM ({query})"
    if table == "events":
        # An event without a name of its own is known by what it says.
        query = f"SELECT * REPLACE (coalesce(event_id, {_NAME}) AS event_id) FROM ({query})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE typed AS {query}")
    kept = connection.execute("SELECT * FROM typed").to_arrow_table()
    if kept.num_rows and table == "events":
        _in_one_step(connection.execute(_IN_SHORT).to_arrow_table(), home / f"seen-{name}.parquet")
    if kept.num_rows:
        _in_one_step(kept, home / f"{table}-{name}.parquet")
    return kept.num_rows


def _keep_rejected(bad: list[tuple[int, str, str]], piece: Piece, path: Path) -> None:
    if bad:
        _in_one_step(pa.table({
            "file": pa.array([piece.name] * len(bad), pa.string()), "line": pa.array([each[0] for each in bad], pa.int64()),
            "reason": pa.array([each[1] for each in bad], pa.string()),
            "row": pa.array([each[2][:_LONGEST_ROW] for each in bad], pa.string())}), path)


def _in_one_step(rows: pa.Table, path: Path) -> None:
    partial = path.with_name(f".{path.name}")
    try:
        pq.write_table(rows, partial, compression="zstd")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _path(name: str) -> str:
    return '$."' + name.replace("'", "''").replace('"', '\\"') + '"'
