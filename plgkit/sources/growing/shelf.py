"""Where plgkit keeps tables of its own: files of DuckDB in a folder, or a schema inside a database (`plgkit.sources.inside`)."""

from __future__ import annotations

import base64
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Container
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
from ibis.expr.types import Table

from plgkit.sources import engine
from plgkit.sources.files import RAW

STATES = 3
"""So many of the last states stay: a run that began before another one ended still reads its tables."""


@dataclass(frozen=True)
class Shelf:
    """What can be done with kept tables and notes. Whatever has a name is whole, and never changes.

    Attributes
    ----------
    make
        Keep rows under a name, sorted, unless it is there already; some may be looked for by a key.
    open, has
        A kept table by its name; and whether tables are all there.
    used, aside
        Of judged rows those that are used, without what they were judged by, and the others.
    view
        A table that is several kept ones.
    drop
        Give tables and notes up.
    read, write
        Notes: JSON by name, None where there is none.
    alone
        Whoever works here now keeps others of this machine waiting.
    """

    connection: ibis.BaseBackend
    make: Callable[..., None]
    open: Callable[[str], Table]
    has: Callable[[list[str]], bool]
    used: Callable[[str], Table]
    aside: Callable[[str], Table]
    view: Callable[[str, Callable[[], Table]], Table]
    drop: Callable[[Container[str]], None]
    read: Callable[[str], Any]
    write: Callable[[str, Any], None]
    alone: Callable[[], AbstractContextManager]


def in_folder(folder: Path, connection: ibis.BaseBackend) -> Shelf:
    """A shelf of DuckDB files, one for each table, read through `connection`."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes").mkdir(exist_ok=True)
    attached: dict[str, dict[str, Table]] = {}
    lock = FileLock(folder / ".lock")

    def make(name: str, rows: Table, order: list[str], _key: str | None = None) -> None:
        final = folder / f"{name}.duckdb"
        if final.exists():
            return
        with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as work:
            partial = Path(work) / final.name
            connection.raw_sql(f"ATTACH '{_quoted(partial)}' AS partial")
            try:
                parts = _apart(connection, name, rows) if "reason" in rows.columns else {"kept": rows}
                for part, those in parts.items():
                    engine.store(connection, those.order_by(order) if order else those, f"partial.{part}")
                connection.raw_sql(f"DROP TABLE IF EXISTS judged_{name}")
            finally:
                connection.raw_sql("DETACH partial")
            os.replace(partial, final)

    def parts_of(name: str) -> dict[str, Table]:
        if name not in attached:
            connection.raw_sql(f"ATTACH '{_quoted(folder / f'{name}.duckdb')}' AS kept_{name} (READ_ONLY)")
            there = connection.raw_sql(f"SELECT table_name FROM duckdb_tables() WHERE database_name = 'kept_{name}'").fetchall()
            attached[name] = {each: connection.table(each, database=(f"kept_{name}", "main")) for (each,) in there}
        return attached[name]

    def open_(name: str) -> Table:
        parts = parts_of(name)
        if "aside" not in parts:
            return parts["kept"]
        return parts["kept"].mutate(reason=ibis.null("string")).select(parts["aside"].columns).union(parts["aside"])

    def used(name: str) -> Table:
        parts = parts_of(name)
        return parts["kept"].drop(*[each for each in parts["kept"].columns if each.startswith(RAW)])

    def has(names: list[str]) -> bool:
        return all((folder / f"{name}.duckdb").exists() for name in names)

    def view(name: str, rows: Callable[[], Table]) -> Table:
        return connection.create_view(name, rows(), overwrite=True)

    def drop(names: Container[str]) -> None:
        for path in folder.glob("*.duckdb"):
            if path.stem in names:
                path.unlink(missing_ok=True)
        for path in (folder / "notes").iterdir():
            if path.name in names:
                path.unlink(missing_ok=True)

    def read(name: str) -> Any:
        path = folder / "notes" / name
        return unpacked(path.read_text()) if path.exists() else None

    def write(name: str, note: Any) -> None:
        handle, partial = tempfile.mkstemp(dir=folder / "notes", prefix=".partial-")
        with os.fdopen(handle, "w") as stream:
            stream.write(packed(note))
        os.replace(partial, folder / "notes" / name)

    return Shelf(connection, make, open_, has, used, lambda name: parts_of(name)["aside"], view, drop, read, write, lambda: lock)


def _apart(connection: ibis.BaseBackend, name: str, rows: Table) -> dict[str, Table]:
    """Judged rows as those used and those not; of what could not be read stays what tells that it could not."""
    judged = connection.create_table(f"judged_{name}", rows, overwrite=True)
    good = judged.filter(judged.reason.isnull()).drop("reason")
    texts = {each: stored for each in good.columns if each.startswith(RAW)
             for stored in (each.removeprefix(RAW), f"{each.removeprefix(RAW)}_minor") if stored in good.columns}
    good = good.mutate(**{text: good[stored].isnull().ifelse(good[text], ibis.null("string")) for text, stored in texts.items()})
    return {"kept": good, "aside": judged.filter(judged.reason.notnull())}


def packed(note: Any) -> str:
    """A note as a short text without quotes, which any database keeps."""
    return base64.b64encode(zlib.compress(json.dumps(note, sort_keys=True).encode())).decode()


def unpacked(text: str) -> Any:
    """The note that `packed` made a text of.

    Examples
    --------
    >>> unpacked(packed({"days": ["2025-01-06"]}))
    {'days': ['2025-01-06']}
    """
    return json.loads(zlib.decompress(base64.b64decode(text)))


def succeeded(shelf: Shelf, line: str, note: str, names: list[str]) -> None:
    """Note that a line of states goes on with this one, and give up what only states long past still name."""
    before = [each for each in shelf.read(f"{line}_states") or [] if each[0] != note]
    states = [[note, sorted(names)], *before]
    staying, going = states[:STATES], states[STATES:]
    shelf.write(f"{line}_states", staying)
    used = {name for _note, those in staying for name in those}
    gone = {name for note, those in going for name in [note, *those]} - used
    if gone:
        shelf.drop(gone)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
