"""`connect`: from a source of any kind to `Data`."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Mapping
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
from plgkit.sources import (
    addresses,
    billing,
    cache,
    ends,
    engine,
    faults,
    files,
    gate,
    imported,
    inside,
    rollups,
)
from plgkit.sources.data import Data, describe_source
from plgkit.sources.facts import Finding
from plgkit.sources.growing import arrivals, keeping, pieces
from plgkit.sources.growing.shelf import in_folder
from plgkit.sources.prepare import prepare

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
    brought: tuple[Finding, ...] = ()
    if isinstance(source, Mapping):
        words = _playbook(playbook, None)
        connection, prepared, made = _from_frames(source, words)
    elif addresses.is_address(source):
        words = _playbook(playbook, None)
        connection, prepared, made = _from_address(source, words)
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
        brought = imported.findings(path) if path.is_dir() else ()
    derived = frozenset({"users"} if "users" in prepared.tables and "users" not in prepared.set_aside else ())
    last, behind = ends.last_day(as_of, prepared.facts, words)
    data = Data(connection, prepared.tables, prepared.set_aside, made, words, last, (*prepared.findings, *behind, *brought),
                prepared.version, describe_source(source), derived)
    money = tuple(Finding(*each) for each in billing.findings(data))
    return replace(data, findings=(*data.findings, *money)) if money else data


def _existing(source: str | Path) -> Path:
    path = Path(source).expanduser().resolve()
    if path.exists():
        return path
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    place = f"{path.parent.name}/" if path.parent.name else "/"
    raise BadSource(f"There is no {path.name!r} in {place}. {nearest(path.name, beside)}")


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
    return [playbook.product.time_zone, playbook.product.started_on, playbook.data.model_dump(mode="json", exclude={"settled_after_days"}),
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


def _rollups(connection: ibis.BaseBackend, tables: Mapping[str, Table], playbook: Playbook) -> dict[str, Table]:
    if "events" not in tables:
        return {}
    days = engine.keep(connection, "activity", rollups.activity(rollups.active_days(tables["events"], playbook)))
    return {"activity": days, "activity_week": engine.keep(connection, "activity_week", rollups.activity_week(days, playbook))}


def _from_address(address: str, playbook: Playbook) -> tuple:
    connection = addresses.open_address(address)
    try:
        return _from_connection(connection, playbook, keep=True)
    except Exception as error:
        faults.check(error)
        raise


def _from_connection(connection: ibis.BaseBackend, playbook: Playbook, *, keep: bool = False) -> tuple:
    """Rows stay in the engine: judged there in temporary tables, or once in tables of plgkit's own that outlast the session."""
    there = connection.list_tables()
    loaded = {}
    for name in TABLES:
        source = playbook.tables.get(name, TableMap())
        asked = source.table or name
        if source.table is not None and "." not in asked and asked not in there:
            raise BadSource(f"[tables.{name}] names the table {asked!r}, which the database does not have. "
                            f"{nearest(asked, there)}")
        if asked in there or source.table is not None:
            if connection.name == "pyspark":
                # A session that has read a table remembers its files, which may be others by now.
                connection.raw_sql(f"REFRESH TABLE {asked}")
            schema, _dot, short = asked.rpartition(".")
            raw = connection.table(short, database=schema or None)
            loaded[name] = files.Loaded(_renamed(name, raw, source), raw.columns)
    place = [connection.name, getattr(connection, "current_catalog", None), connection.current_database, _reading_facts(playbook)]
    shelf = inside.shelf_in(connection) if keep and loaded else None
    if shelf is None:
        version = cache.digest(place, inside.state_of({name: each.table for name, each in loaded.items()}))
        prepared = prepare(loaded, playbook, store=lambda name, rows: engine.keep(connection, name, rows), version=version)
        return connection, prepared, _rollups(connection, prepared.tables, playbook)
    line = cache.digest(place, sorted(loaded))
    settled = playbook.data.settled_after_days
    arrived = {name: arrivals.of_database(name, loaded[name], before=pieces.last_stamps(name, line, shelf) if settled else None, settled_after=settled)
               for name in keeping.GROWING if name in loaded and _has_time(name, loaded[name])}
    others = {name: each for name, each in loaded.items() if name not in arrived}
    version = cache.digest(place, inside.state_of({name: each.table for name, each in others.items()}),
                           {name: [sorted(loaded[name].columns), each.stamps] for name, each in arrived.items()})
    if not keeping.is_kept(shelf, line=line, version=version):
        keeping.keep(shelf, others, arrived, playbook, line=line, version=version)
    prepared, made = keeping.open_kept(shelf, playbook, line=line, version=version)
    taken = tuple(_as_they_were(name, each) for name, each in arrived.items() if each.since is not None)
    return connection, replace(prepared, findings=(*prepared.findings, *taken)), made


def _as_they_were(name: str, arrived: arrivals.Arrivals) -> Finding:
    rows = sum(n for day, n in arrived.rows().items() if day < str(arrived.since))
    return Finding("info", name, rows, f"of days before {arrived.since} are taken as they were (settled_after_days of [data])")


def _has_time(name: str, loaded: files.Loaded) -> bool:
    time = TABLES[name].time
    return time in loaded.table.columns and loaded.table[time].type().is_timestamp()


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
    """Read files once per version of the data, and of those that grew what is new; later calls open what was kept."""
    content = cache.digest_files({database} if database else {path for paths in found.values() for path in paths},
                                 root=root)
    version = cache.digest(content, sorted(found), _reading_facts(playbook))
    line = cache.digest(str(database or root), sorted(found), _reading_facts(playbook))
    folder = cache.folder() / "kept" / f"{line}-{engine.STORAGE}"
    connection = engine.open_duckdb()
    shelf = in_folder(folder, connection)
    if not keeping.is_kept(shelf, line=line, version=version):
        with shelf.alone():
            if not keeping.is_kept(shelf, line=line, version=version):
                _keep_files(folder, found, playbook, line, version, database)
    engine.spare(connection, sum((folder / f"{name}.duckdb").stat().st_size for name in keeping.names(shelf, line=line, version=version)))
    return connection, *keeping.open_kept(shelf, playbook, line=line, version=version)


def _keep_files(folder: Path, found: Mapping[str, list[Path]], playbook: Playbook, line: str, version: str, database: Path | None) -> None:
    for leftover in [*folder.glob(".work-*"), *folder.glob(".partial-*")]:
        shutil.rmtree(leftover, ignore_errors=True)  # Of a run that was killed: nobody else is at work here.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".work-") as work:
        connection = engine.open_duckdb(Path(work) / "work.duckdb")
        shelf = in_folder(folder, connection)
        if database is None:
            sources = {name: playbook.tables.get(name, TableMap()) for name in found}
            arrived = {name: arrivals.of_files(connection, name, found[name], sources[name], shelf) for name in keeping.GROWING if name in found}
            others = {name: files.load_files(connection, name, paths, sources[name]) for name, paths in found.items() if name not in arrived}
        else:
            loaded = files.load_database(connection, database, playbook)
            arrived = {name: arrivals.of_table(connection, name, loaded[name]) for name in keeping.GROWING if name in loaded}
            others = {name: each for name, each in loaded.items() if name not in arrived}
        keeping.keep(shelf, others, arrived, playbook, line=line, version=version)
        connection.disconnect()
