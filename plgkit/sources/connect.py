"""`connect`: from a source of any kind to `Data`."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import ibis
import pandas as pd
import pyarrow
from ibis.expr.types import Table

from plgkit.errors import BadSource, NoData, nearest
from plgkit.playbook import Playbook
from plgkit.playbook.read import read_playbook
from plgkit.playbook.source import TableMap
from plgkit.schema import TABLES
from plgkit.sources import addresses, billing, cache, ends, engine, files, gate, inside, rollups
from plgkit.sources.data import Data, describe_source
from plgkit.sources.prepare import Finding, Prepared, as_json, prepare

DATABASES = (".duckdb", ".ddb", ".db")


def connect(source: str | Path | Mapping[str, pd.DataFrame | pyarrow.Table] | ibis.BaseBackend, *,
            as_of: str | dt.date | None = None, playbook: str | Path | Playbook | None = None) -> Data:
    """Open a product's data.

    Parameters
    ----------
    source
        A folder (with a `playbook.toml`, or with files named like the tables), one Parquet, CSV or
        JSON Lines file (also .gz) of events, a DuckDB file, a mapping of pandas frames (or Arrow
        tables) by table name, an Ibis connection, or the address of a database, such as
        postgres://ann@db.example.com/shop; its password comes from the environment.
    as_of
        The last day counted, in the product's time zone; later rows change nothing. By default the
        last complete day: one that a later row follows, or whose last hour holds a row.
    playbook
        What the product means by its words: a `Playbook`, or a path to one. By default the source's
        own `playbook.toml`.

    Returns
    -------
    Data
        Frozen: tables, `as_of`, playbook, and what the checks found.

    Raises
    ------
    BadSource
        If the source cannot be opened, or a table lacks a required column.
    BadPlaybook
        If the playbook has a fault.
    BadData, NoData
        If a table has no usable row, or the source no table.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": ["ann", "bob"], "event": "signed_in",
    ...                        "occurred_at": pd.to_datetime(["2025-01-06 09:00", "2025-01-07 23:30"])})
    >>> connect({"events": events})
    My product: data through 07 Jan 2025 (UTC), from data frames
      events                   2 rows  06 Jan 2025 - 07 Jan 2025
      users                    2 rows  06 Jan 2025 - 07 Jan 2025, from first events
      missing: accounts, visits, subscriptions, invites, surveys, spend, exposures
    """
    if isinstance(source, str) and source.startswith("duckdb://"):
        source = source.removeprefix("duckdb://")
    if isinstance(source, Mapping):
        words = _playbook(playbook, None)
        connection, prepared, made = _from_frames(source, words)
    elif addresses.is_address(source):
        words = _playbook(playbook, None)
        connection, prepared, made = _from_connection(addresses.open_address(source), words, keep=True)
    elif isinstance(source, ibis.BaseBackend):
        words = _playbook(playbook, None)
        connection, prepared, made = _from_connection(source, words)
    else:
        if not isinstance(source, (str, Path)):
            raise BadSource(f"The source is of type {type(source).__name__}; expected a folder or file, a mapping of tables to "
                            'data frames such as {"events": frame}, or an Ibis connection.')
        path = _existing(source)
        words = _playbook(playbook, path)
        connection, prepared, made = _from_path(path, words)
    derived = frozenset({"users"} if "users" in prepared.tables and "users" not in prepared.set_aside else ())
    last, behind = ends.last_day(as_of, prepared.tables, words)
    data = Data(connection, prepared.tables, prepared.set_aside, made, words, last, (*prepared.findings, *behind),
                prepared.version, describe_source(source), derived)
    money = tuple(Finding(*each) for each in billing.findings(data))
    return replace(data, findings=(*data.findings, *money)) if money else data


def _existing(source: str | Path) -> Path:
    path = Path(source).expanduser().resolve()
    if path.exists():
        return path
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    raise BadSource(f"There is no {path.name!r} in {path.parent.name or '/'}/. {nearest(path.name, beside)}")


def _playbook(given: str | Path | Playbook | None, path: Path | None) -> Playbook:
    if isinstance(given, Playbook):
        return given
    if given is not None:
        return read_playbook(Path(given))
    if path is not None:
        own = (path if path.is_dir() else path.parent) / "playbook.toml"
        if own.exists():
            return read_playbook(own)
    return Playbook()


def _reading_facts(playbook: Playbook) -> list[object]:
    """What of the playbook decides how rows are read; other words change no table."""
    return [playbook.product.time_zone, playbook.product.started_on, playbook.data.model_dump(mode="json"),
            {name: each.model_dump(mode="json") for name, each in playbook.tables.items()},
            playbook.product.currency if any(each.money_in == "minor" for each in playbook.tables.values()) else None,
            playbook.leave_out.model_dump(mode="json")]


def _from_frames(frames: Mapping[str, pd.DataFrame], playbook: Playbook) -> tuple:
    connection = engine.open_duckdb()
    unknown = [name for name in frames if name not in TABLES]
    if unknown:
        raise BadSource(f"No table is called {unknown[0]!r}. {nearest(unknown[0], TABLES)}")
    loaded = {name: files.load_frame(connection, name, frame, playbook.tables.get(name, TableMap()))
              for name, frame in frames.items()}
    facts = [[name, each.columns, files.content(connection, name)] for name, each in sorted(loaded.items())]
    prepared = prepare(loaded, playbook, store=_keep_in(connection), version=cache.digest(facts, _reading_facts(playbook)))
    gate.pass_through({name: prepared.tables[name] for name in prepared.set_aside})
    return connection, prepared, _rollups(connection, prepared.tables, playbook)


def _keep_in(connection: ibis.BaseBackend):
    def store(name: str, rows: Table) -> Table:
        return connection.create_table(f"judged_{name}", rows, overwrite=True)
    return store


def _rollups(connection: ibis.BaseBackend, tables: Mapping[str, Table], playbook: Playbook,
             store: Callable[[str, Table], Table] | None = None) -> dict[str, Table]:
    if "events" not in tables:
        return {}
    store = store or (lambda name, rows: engine.keep(connection, name, rows))
    words = cache.digest(playbook.activity.model_dump(mode="json"), playbook.product.week_start)
    days = store(f"activity_{words[:6]}", rollups.activity(tables["events"], playbook))
    return {"activity": days, "activity_week": store(f"activity_week_{words[:6]}", rollups.activity_week(days, playbook))}


def _from_connection(connection: ibis.BaseBackend, playbook: Playbook, *, keep: bool = False) -> tuple:
    """Rows stay in the engine: judged there once, in temporary tables, or in tables of plgkit's own that outlast the session."""
    there = connection.list_tables()
    loaded = {}
    for name in TABLES:
        source = playbook.tables.get(name, TableMap())
        asked = source.table or name
        if source.table is not None and "." not in asked and asked not in there:
            raise BadSource(f"[tables.{name}] names the table {asked!r}, which the database does not have. "
                            f"{nearest(asked, there)}")
        if asked in there or source.table is not None:
            schema, _dot, short = asked.rpartition(".")
            raw = connection.table(short, database=schema or None)
            loaded[name] = files.Loaded(_renamed(name, raw, source), raw.columns)
    version = cache.digest(type(connection).__name__, _reading_facts(playbook), inside.state_of({name: each.table for name, each in loaded.items()}))
    store = inside.keeper(connection, version) if keep else lambda name, rows: engine.keep(connection, name, rows)
    prepared = prepare(loaded, playbook, store=store, version=version)
    return connection, prepared, _rollups(connection, prepared.tables, playbook, store)


def _renamed(name: str, raw: Table, source: TableMap) -> Table:
    """The table with canonical names, as [tables.<name>] says."""
    there = dict(raw.schema().items())
    chosen = {}
    for column in TABLES[name].columns:
        if column.name in source.constants:
            chosen[column.name] = ibis.literal(source.constants[column.name])
        else:
            origin = files.source_column(name, column.name, source, there)
            if origin is not None:
                chosen[column.name] = raw[origin]
    for each in files.kept_columns(source, there):
        chosen.setdefault(each, raw[each].cast("string"))
    for column, values in source.where.items():
        raw = raw.filter(raw[column].cast("string").isin([str(value) for value in values]))
    return raw.select(**chosen)


def _from_path(path: Path, playbook: Playbook) -> tuple:
    if path.is_file() and path.suffix.lower() in DATABASES:
        return _from_cache(path.parent, {}, playbook, database=path)
    if path.is_file():
        if files.kind_of(path) is None:
            raise BadSource(f"{path.name!r} ends in nothing known. Known are: {', '.join([*files.ENDINGS, *DATABASES])}.")
        found = {name: [path] for name, each in playbook.tables.items() if each.file == path.name} or {"events": [path]}
        return _from_cache(path.parent, found, playbook)
    found = files.table_files(path, playbook)
    if not found:
        raise NoData(f"No file in {path.name}/ is named like a table ({', '.join(TABLES)}). Name the files under "
                     "[tables.<name>] in playbook.toml; `plgkit init` writes a first one.")
    return _from_cache(path, found, playbook)


def _from_cache(root: Path, found: Mapping[str, list[Path]], playbook: Playbook, *,
                database: Path | None = None) -> tuple:
    """Read files once per version of the data; later calls open what was kept."""
    content = cache.digest_files({database} if database else {path for paths in found.values() for path in paths},
                                 root=root)
    version = cache.digest(content, sorted(found), _reading_facts(playbook))
    kept = cache.built(cache.folder() / "tables" / f"{version}-{engine.STORAGE}",
                       lambda folder: _write_tables(folder, root, found, playbook, version, database))
    manifest = json.loads((kept / "manifest.json").read_text())
    connection = engine.open_duckdb()
    engine.spare(connection, kept / "tables.duckdb")
    stored = engine.attach(connection, kept / "tables.duckdb", "kept")
    tables = {name: stored[name] for name in manifest["tables"]}
    aside = {name: stored[f"set_aside_{name}"] for name in manifest["set_aside"]}
    findings = tuple(Finding(**each) for each in manifest["findings"])
    made = _kept_rollups(connection, tables, playbook, version) if "events" in tables else {}
    return connection, Prepared(tables, aside, findings, version), made


def _write_tables(folder: Path, root: Path, found: Mapping[str, list[Path]], playbook: Playbook, version: str,
                  database: Path | None) -> None:
    connection = engine.open_duckdb(folder / "work.duckdb")
    if database is None:
        loaded = {name: files.load_files(connection, name, paths, playbook.tables.get(name, TableMap()))
                  for name, paths in found.items()}
    else:
        loaded = files.load_database(connection, database, playbook)
    prepared = prepare(loaded, playbook, store=_keep_in(connection), version=version)
    gate.pass_through({name: prepared.tables[name] for name in prepared.set_aside})
    connection.raw_sql(f"ATTACH {files.quoted(folder / 'tables.duckdb')} AS kept")
    for name, rows in prepared.tables.items():
        engine.store(connection, rows.order_by(_order(name)), f"kept.{name}")
    for name, rows in prepared.set_aside.items():
        engine.store(connection, rows, f"kept.set_aside_{name}")
    connection.raw_sql("DETACH kept")
    connection.disconnect()
    (folder / "work.duckdb").unlink()
    (folder / "manifest.json").write_text(json.dumps({
        "tables": list(prepared.tables), "set_aside": list(prepared.set_aside),
        "findings": as_json(prepared.findings)}, indent=1))


def _order(name: str) -> list[str]:
    person = next((each for each in ("user_id", "account_id", "visitor_id", "inviter_id")
                   if each in TABLES[name].names), None)
    return [each for each in (person, TABLES[name].time) if each]


def _kept_rollups(connection: ibis.BaseBackend, tables: Mapping[str, Table], playbook: Playbook,
                  version: str) -> dict[str, Table]:
    name = cache.digest(version, playbook.activity.model_dump(mode="json"), playbook.product.week_start)

    def build(folder: Path) -> None:
        connection.raw_sql(f"ATTACH {files.quoted(folder / 'rollups.duckdb')} AS made")
        days = rollups.activity(tables["events"], playbook)
        days = engine.store(connection, days.order_by("user_id", "day"), "made.activity")
        weeks = rollups.activity_week(days, playbook)
        engine.store(connection, weeks.order_by("user_id", "week"), "made.activity_week")
        connection.raw_sql("DETACH made")

    kept = cache.built(cache.folder() / "rollups" / f"{name}-{engine.STORAGE}", build)
    stored = engine.attach(connection, kept / "rollups.duckdb", "rollups")
    return {each: stored[each] for each in ("activity", "activity_week")}
