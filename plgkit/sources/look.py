"""A first look at a source: its files or tables, their columns and some of their rows."""

from __future__ import annotations

from pathlib import Path

from plgkit.errors import BadSource, NoData
from plgkit.playbook.guess import SourceTable
from plgkit.sources import engine, files

ROWS = 2000


def look(path: Path) -> dict[str, SourceTable]:
    """The files of a folder, one file, or the tables of a DuckDB file, each with a sample of rows.

    Raises
    ------
    BadSource
        If there is nothing at the path.
    NoData
        If a folder holds no file that can be read.
    """
    if not path.exists():
        raise BadSource(f"There is no {path.name!r} to look at.")
    if path.is_file() and files.kind_of(path) is None:
        return _database(path)
    root = path if path.is_dir() else path.parent
    found = [path] if path.is_file() else files.data_files(path)
    if not found:
        raise NoData(f"No file in {path.name}/ ends in one of {', '.join(files.ENDINGS)}.")
    return {each.relative_to(root).as_posix(): _file(each, each.relative_to(root).as_posix()) for each in found}


def _file(path: Path, name: str) -> SourceTable:
    """Its rows as they are, through the same reader that `connect` uses."""
    connection = engine.open_duckdb()
    files.read_raw(connection, "raw", [path], table=name)
    return _sampled(connection, "raw", name)


def _database(path: Path) -> dict[str, SourceTable]:
    connection = engine.open_duckdb()
    there = files.attach(connection, path)
    return {name: _sampled(connection, full, name) for name, full in there.items()}


def _sampled(connection, table: str, name: str) -> SourceTable:
    columns = dict(connection.raw_sql(f"SELECT column_name, column_type FROM (DESCRIBE {table})").fetchall())
    rows = connection.raw_sql(f"SELECT count(*) FROM {table}").fetchone()[0]
    sample = connection.raw_sql(f"SELECT * FROM {table} USING SAMPLE reservoir({ROWS} ROWS) REPEATABLE (7)").df()
    return SourceTable(name, columns, sample, rows)
