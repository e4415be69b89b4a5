"""Reads files and data frames into DuckDB as typed tables, keeping what could not be read."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ibis
import pandas as pd
import pyarrow

from plgkit.errors import BadSource, nearest
from plgkit.playbook import Playbook
from plgkit.playbook.source import TableMap
from plgkit.schema import TABLES, Table

ENDINGS = {
    ".parquet": "parquet",
    ".csv": "csv", ".csv.gz": "csv", ".tsv": "csv", ".tsv.gz": "csv",
    ".jsonl": "json", ".jsonl.gz": "json", ".ndjson": "json", ".ndjson.gz": "json",
    ".json": "json", ".json.gz": "json",
}
RAW = "raw__"


@dataclass(frozen=True)
class Loaded:
    """One typed table, the source's own columns, and the lines that were no rows at all."""

    table: ibis.Table
    columns: tuple[str, ...]
    zoneless: bool = False
    unreadable: tuple[tuple[str, str], ...] = ()


def kind_of(path: Path) -> str | None:
    """What a file holds by its name: parquet, csv, json or nothing known."""
    name = path.name.lower()
    return next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), None)


def stem(path: Path) -> str:
    """A file's name without its endings.

    Examples
    --------
    >>> stem(Path("exports/events.csv.gz"))
    'events'
    """
    name = path.name
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def quoted(text: object) -> str:
    """A text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def named(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def data_files(root: Path) -> list[Path]:
    """The files of a folder that can be read, by name, but for hidden ones."""
    return [path for path in sorted(root.rglob("*")) if path.is_file() and kind_of(path)
            and not any(part.startswith(".") for part in path.relative_to(root).parts)]


def table_files(root: Path, playbook: Playbook) -> dict[str, list[Path]]:
    """Which files of a folder hold which table: as the playbook says, else by their names."""
    present = data_files(root)
    found: dict[str, list[Path]] = {}
    for name in TABLES:
        source = playbook.tables.get(name)
        if source is not None and source.file:
            pattern = source.file
            matches = [root / pattern] if (root / pattern).is_file() else sorted(
                path for path in root.glob(pattern) if path.is_file())
            if not matches:
                known = [path.relative_to(root).as_posix() for path in present]
                raise BadSource(f"[tables.{name}] names the file {pattern!r}, which is not in {root.name}/. "
                                f"{nearest(pattern, known)}")
            found[name] = matches
        else:
            matches = [path for path in present if stem(path).lower() == name
                       or path.relative_to(root).parts[0].lower() == name]
            if matches:
                found[name] = matches
    return found


@dataclass(frozen=True)
class Raw:
    """Files as they are: the name of the view, its columns with their types, and the lines that are no rows."""

    view: str
    columns: Mapping[str, str]
    unreadable: tuple[tuple[str, str], ...]


def load_files(connection: ibis.BaseBackend, name: str, files: list[Path], source: TableMap) -> Loaded:
    """Read files of one kind as the table `name`."""
    return typed(connection, open_raw(connection, name, files, name), TABLES[name], source)


def open_raw(connection: ibis.BaseBackend, name: str, files: list[Path], as_name: str) -> Raw:
    """Read files of one kind as they are."""
    unreadable = read_raw(connection, f"raw_{as_name}", files, table=name)
    return _described(connection, f"raw_{as_name}", unreadable)


def _described(connection: ibis.BaseBackend, view: str, unreadable: tuple = ()) -> Raw:
    columns = connection.raw_sql(f"SELECT column_name, column_type FROM (DESCRIBE {view})").fetchall()
    return Raw(view, dict(columns), unreadable)


def content(connection: ibis.BaseBackend, name: str) -> str:
    """A name for the rows of a raw table, whatever their order."""
    return str(connection.raw_sql(f"SELECT count(*), sum(hash(raw_{name})::HUGEINT) FROM raw_{name}").fetchone())


def read_raw(connection: ibis.BaseBackend, raw: str, files: list[Path], *, table: str) -> tuple[tuple[str, str], ...]:
    """Read files of one kind as they are into a table or view `raw`; return the lines that are no rows."""
    kinds = {kind_of(path) for path in files}
    if len(kinds) > 1:
        raise BadSource(f"The table {table!r} has files of several kinds: "
                        f"{', '.join(sorted(path.name for path in files))}. Name one kind in [tables.{table}].")
    if None in kinds:
        raise BadSource(f"{files[0].name!r} ends in nothing known. Known are: {', '.join(ENDINGS)}.")
    for path in files:
        if path.name.lower().endswith(".gz"):
            _check_whole(path)
    reader = {"parquet": _parquet, "csv": _csv, "json": _json}[kinds.pop()]
    try:
        return reader(connection, raw, files)
    except Exception as error:
        first = str(error).splitlines()[0]
        raise BadSource(f"{', '.join(path.name for path in files[:3])} could not be read as the table "
                        f"{table!r}: {first}") from error


def _check_whole(path: Path) -> None:
    """DuckDB takes the place where a compressed file breaks off for its end."""
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 22):
                pass
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        what = "breaks off before its end" if isinstance(error, EOFError) else f"is damaged ({error})"
        raise BadSource(f"{path.name} {what}, so that rows would be missing. Fetch it again; nothing of it was kept.") from None


def load_frame(connection: ibis.BaseBackend, name: str, frame: pd.DataFrame | pyarrow.Table, source: TableMap) -> Loaded:
    """Take a pandas frame or an Arrow table as the table `name`."""
    if not isinstance(frame, (pd.DataFrame, pyarrow.Table)):
        raise BadSource(f"The table {name!r} is a {type(frame).__name__}; expected a pandas DataFrame.")
    if not len(frame.columns if isinstance(frame, pd.DataFrame) else frame.column_names):
        raise BadSource(f"The table {name!r} has no column; expected one row per {TABLES[name].one_row}, with "
                        f"{', '.join(TABLES[name].required)}.")
    connection.con.register(f"frame_{name}", _plain(frame) if isinstance(frame, pd.DataFrame) else frame)
    connection.raw_sql(f"CREATE TABLE raw_{name} AS SELECT * FROM frame_{name}")
    connection.con.unregister(f"frame_{name}")
    return typed(connection, _described(connection, f"raw_{name}"), TABLES[name], source)


def load_database(connection: ibis.BaseBackend, path: Path, playbook: Playbook) -> dict[str, Loaded]:
    """Read the tables of a DuckDB file that is left as it is."""
    there = attach(connection, path)
    loaded = {}
    for name, table in TABLES.items():
        source = playbook.tables.get(name, TableMap())
        asked = source.table or name
        if source.table is not None and asked not in there:
            raise BadSource(f"[tables.{name}] names the table {asked!r}, which {path.name} does not have. "
                            f"{nearest(asked, there)}")
        if asked in there:
            connection.raw_sql(f"CREATE VIEW raw_{name} AS SELECT * FROM {there[asked]}")
            loaded[name] = typed(connection, _described(connection, f"raw_{name}"), table, source)
    return loaded


def attach(connection: ibis.BaseBackend, path: Path) -> dict[str, str]:
    """Open a DuckDB file for reading; its tables by name, each with its full name in SQL."""
    try:
        connection.raw_sql(f"ATTACH {quoted(path)} AS source (READ_ONLY)")
    except Exception as error:
        raise BadSource(f"{path.name!r} could not be opened as a DuckDB file: {str(error).splitlines()[0]}") from error
    rows = connection.raw_sql("SELECT table_schema, table_name FROM information_schema.tables "
                              "WHERE table_catalog = 'source' ORDER BY 1, 2").fetchall()
    return {table if schema == "main" else f"{schema}.{table}": f"source.{named(schema)}.{named(table)}"
            for schema, table in rows}


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with times of any zone as UTC, and text for objects that no column type fits."""
    changed: dict[str, pd.Series] = {}
    for column in frame.columns:
        values = frame[column]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            changed[column] = values.dt.tz_convert("UTC").dt.tz_localize(None)
        elif values.dtype == object:
            changed[column] = values.map(lambda value: None if value is None or value is pd.NaT
                                         or value != value else str(value)).astype("str")
    return frame.assign(**changed).rename(columns=str)


def _listed(paths: list[Path]) -> str:
    return "[" + ", ".join(quoted(path) for path in paths) + "]"


def _parquet(connection: ibis.BaseBackend, raw: str, paths: list[Path]) -> tuple:
    connection.raw_sql(f"CREATE VIEW {raw} AS SELECT * FROM read_parquet({_listed(paths)}, union_by_name = true)")
    return ()


def _csv(connection: ibis.BaseBackend, raw: str, paths: list[Path]) -> tuple:
    """Files one by one, because DuckDB names broken lines only where it reads a single file."""
    broken: list[tuple[str, str]] = []
    for number, path in enumerate(paths):
        part = f"{raw}_{number}"
        connection.raw_sql(
            f"CREATE TABLE {part} AS SELECT * FROM read_csv({quoted(path)}, all_varchar = true, header = true, "
            f"store_rejects = true, rejects_table = '{part}_rejects', rejects_scan = '{part}_scans')")
        rows = connection.raw_sql(
            f"SELECT DISTINCT line, error_type, csv_line FROM {part}_rejects ORDER BY line").fetchall()
        broken += [(f"{path.name}, line {line}: {str(what).lower().replace('_', ' ')}", str(text))
                   for line, what, text in rows]
    parts = " UNION ALL BY NAME ".join(f"SELECT * FROM {raw}_{number}" for number in range(len(paths)))
    connection.raw_sql(f"CREATE VIEW {raw} AS {parts}")
    return tuple(broken)


def _json(connection: ibis.BaseBackend, raw: str, paths: list[Path]) -> tuple:
    lines = f"{raw}_lines"
    connection.raw_sql(
        f"CREATE TABLE {lines} AS SELECT row_number() OVER () AS line, content FROM read_csv({_listed(paths)}, "
        "columns = {'content': 'VARCHAR'}, delim = '\\x01', quote = '', escape = '', header = false, "
        "auto_detect = false, max_line_size = 20000000)")
    broken = connection.raw_sql(
        f"SELECT line, content FROM {lines} WHERE trim(content) <> '' AND "
        "(NOT json_valid(content) OR json_type(content) <> 'OBJECT') ORDER BY line").fetchall()
    keys = [row[0] for row in connection.raw_sql(
        f"SELECT DISTINCT unnest(json_keys(content)) AS key FROM {lines} WHERE json_valid(content) "
        "AND json_type(content) = 'OBJECT' ORDER BY key").fetchall()]
    columns = ", ".join(
        f"""CASE json_type(content, {quoted(_pointer(key))}) WHEN 'NULL' THEN NULL
        ELSE json_extract_string(content, {quoted(_pointer(key))}) END AS {named(key)}""" for key in keys)
    connection.raw_sql(
        f"CREATE TABLE {raw} AS SELECT {columns or 'NULL AS nothing'} FROM {lines} "
        "WHERE json_valid(content) AND json_type(content) = 'OBJECT'")
    connection.raw_sql(f"DROP TABLE {lines}")
    return tuple((f"line {line} is no JSON object", str(text)) for line, text in broken)


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def typed(connection: ibis.BaseBackend, read: Raw, table: Table, source: TableMap, *, also: Mapping[str, str] | None = None) -> Loaded:
    """Cast every column to its type; what cannot be cast stays beside it as text.

    Columns that only others of the table's files have are in `also`, and empty here.
    """
    raw, there = read.view, dict(read.columns)
    missing = [each for each in also or {} if each not in there]
    if missing:
        empty = ", ".join(f"CAST(NULL AS VARCHAR) AS {named(each)}" for each in missing)
        connection.raw_sql(f"CREATE VIEW {raw}_and_more AS SELECT *, {empty} FROM {raw}")
        raw, there = f"{raw}_and_more", there | dict.fromkeys(missing, "VARCHAR")
    chosen, zoneless = [], False
    for column in table.columns:
        if column.name in source.constants:
            value = source.constants[column.name]
            chosen.append(f"{_cast(quoted(value), 'VARCHAR', column.kind, source.times_in)} AS {named(column.name)}")
            continue
        origin = source_column(table.name, column.name, source, there)
        if origin is None:
            continue
        cell, held = named(origin), there[origin]
        _check_castable(table.name, column.name, column.kind, held)
        chosen.append(f"{_cast(cell, held, column.kind, source.times_in)} AS {named(column.name)}")
        if held == "VARCHAR" and column.kind not in ("string", "json"):
            chosen.append(f"nullif(trim({cell}), '') AS {named(RAW + column.name)}")
        if column.kind == "time" and held == "VARCHAR" and column.required:
            zoneless = bool(connection.raw_sql(
                f"SELECT count(*) FROM {raw} WHERE {cell} IS NOT NULL AND NOT regexp_matches({cell}, "
                r"'(Z| UTC|[+-]\d\d(:?\d\d)?)$') AND try_cast(" + cell + " AS TIMESTAMP) IS NOT NULL").fetchone()[0])
        elif column.kind == "time" and held.startswith("TIMESTAMP") and "ZONE" not in held and column.required:
            zoneless = source.times_in != "UTC"
    taken = set(TABLES[table.name].names)
    extra = [each for each in kept_columns(source, there) if each not in taken]
    chosen += [f"CAST({named(each)} AS VARCHAR) AS {named(each)}" for each in extra]
    where = " AND ".join(f"CAST({named(column)} AS VARCHAR) IN ({', '.join(quoted(v) for v in values)})"
                         for column, values in source.where.items())
    view = f"{read.view.removeprefix('raw_')}_typed"
    connection.raw_sql(f"CREATE VIEW {view} AS SELECT {', '.join(chosen) or 'NULL AS nothing'} "
                       f"FROM {raw}" + (f" WHERE {where}" if where else ""))
    return Loaded(connection.table(view), tuple(there), zoneless, read.unreadable)


NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
           "FLOAT", "DOUBLE", "DECIMAL")


def _check_castable(table: str, column: str, kind: str, held: str) -> None:
    """Refuse a column whose type cannot mean what the schema says, before any row is read."""
    if held in ("VARCHAR", '"NULL"') or kind in ("string", "json"):
        return
    moment = held.startswith("TIMESTAMP") or held == "DATE"
    number = held.startswith(NUMBERS)
    fits = {"time": moment or number, "date": moment, "flag": held == "BOOLEAN" or number}.get(kind, number)
    if not fits:
        word = {"time": "a time", "date": "a day", "flag": "true or false"}.get(kind, "a number")
        raise BadSource(f"The column {column!r} of table {table!r} has the type {held}; expected {word}.")


def source_column(table: str, column: str, source: TableMap, there: Mapping[str, object]) -> str | None:
    """The source's name of a canonical column, or None where the source lacks it."""
    asked = source.columns.get(column)
    if asked is not None:
        if asked in there:
            return asked
        raise BadSource(f"[tables.{table}] takes {column!r} from a column {asked!r}, which is not there. "
                        f"{nearest(asked, there)}")
    return column if column in there else None


def kept_columns(source: TableMap, there: Mapping[str, object]) -> list[str]:
    """The columns kept beside the known ones."""
    unknown = [each for each in [*source.extra, *source.where] if each not in there]
    if unknown:
        raise BadSource(f"There is no column {unknown[0]!r} to keep or to choose by. {nearest(unknown[0], there)}")
    return list(source.extra)


def _cast(cell: str, held: str, kind: str, zone: str) -> str:
    """SQL that reads a cell as a type, NULL where it cannot be read."""
    if kind in ("string", "json"):
        return f"nullif(CAST({cell} AS VARCHAR), '')"
    if kind == "time":
        return _time(cell, held, zone)
    target = {"date": "DATE", "money": "DECIMAL(18, 2)", "number": "DOUBLE", "whole": "BIGINT", "flag": "BOOLEAN"}[kind]
    return f"try_cast({cell} AS {target})"


def _time(cell: str, held: str, zone: str) -> str:
    if held == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {cell})"
    if held.startswith("TIMESTAMP") or held == "DATE":
        return f"timezone('UTC', timezone({quoted(zone)}, CAST({cell} AS TIMESTAMP)))" if zone != "UTC" \
            else f"CAST({cell} AS TIMESTAMP)"
    if held != "VARCHAR":
        return (f"make_timestamp(CAST(CASE WHEN {cell} < 100000000000 THEN {cell} * 1000000 "
                f"WHEN {cell} < 100000000000000 THEN {cell} * 1000 ELSE {cell} END AS BIGINT))")
    zoned = f"regexp_matches({cell}, '(Z| UTC|[+-]\\d\\d(:?\\d\\d)?)$') AND length({cell}) > 12"
    bare = f"try_cast({cell} AS TIMESTAMP)"
    bare = f"timezone('UTC', timezone({quoted(zone)}, {bare}))" if zone != "UTC" else bare
    return f"CASE WHEN {zoned} THEN timezone('UTC', try_cast({cell} AS TIMESTAMPTZ)) ELSE {bare} END"
