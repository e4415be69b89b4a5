"""`import_export`: an export of another tool becomes plgkit's tables, beside a first playbook."""

from __future__ import annotations

import errno
import json
import os
import shutil
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from plgkit.errors import BadParameter, BadSource, Busy, DiskFull, NoData, PlgkitError, nearest
from plgkit.readers.feeds import KINDS, Reader, reader
from plgkit.readers.pieces import BREAKS_OFF

STAGED_IN, SET_ASIDE = ".import", "set_aside.csv"


@dataclass(frozen=True)
class Imported:
    """What an import did: rows of each table now, rows read and set aside this time, and who could not be joined."""

    out: Path
    tables: dict[str, int]
    read: int
    new_files: int
    known_files: int
    set_aside: dict[str, int]
    conflicts: int
    playbook: Path
    circles: int = 0


def import_export(kind: str, path: str | Path, *, out: str | Path, times_in: str = "UTC", tell: Callable[[str, int, int], None] | None = None) -> Imported:
    """Read an export and write plgkit's tables as Parquet into a folder, with a first playbook.

    Running it again adds only what is new: a file that was read is known by its content, and a row that comes
    again counts once. Several kinds may be imported into one folder.

    Parameters
    ----------
    kind
        Where the export comes from, one of `plgkit.readers.KINDS`.
    path
        A file or a folder; gzip and zip are read as they are.
    out
        The folder to write to.
    times_in
        The zone in which times count that carry none, such as "US/Pacific"; only for exports that have such.
    tell
        Called with a file's name, the rows read so far and the files still to read.

    Returns
    -------
    What was read and written. Lines that are no rows stand in `set_aside.csv` with the reason, if there are any.

    Raises
    ------
    BadParameter
        If the kind is not known.
    BadSource
        If the path is not there.
    NoData
        If nothing in it could be read.
    Busy
        If another import is writing to the folder.
    """
    import duckdb
    from filelock import FileLock, Timeout

    source, target, made_by = Path(path), Path(out), reader(kind)
    _check_zone(made_by, times_in)
    if not source.exists():
        raise BadSource(f"{source} is not there.")
    staged = target / STAGED_IN
    try:
        staged.mkdir(parents=True, exist_ok=True)
        (staged / ".gitignore").write_text("*\n", encoding="utf-8")
        with FileLock(staged / "lock", timeout=0):
            return _imported(made_by, source, target, staged, tell or (lambda *_: None), times_in)
    except Timeout:
        raise Busy(target) from None
    except PlgkitError:
        raise
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        if _is_full(error):
            raise DiskFull(target) from error
        if isinstance(error, OSError):
            raise BadSource(f"{error.filename or target} cannot be read or written: {error.strerror or error}.") from error
        raise


def _is_full(error: BaseException) -> bool:
    return getattr(error, "errno", None) == errno.ENOSPC or any(
        each in str(error) for each in (os.strerror(errno.ENOSPC), "max_temp_directory_size"))


def _imported(made_by: Reader, source: Path, target: Path, staged: Path, tell: Callable[[str, int, int], None], zone: str) -> Imported:
    from plgkit.readers.gathering import gather
    from plgkit.readers.pieces import pieces
    from plgkit.readers.staging import database, in_one_step, kept_state, stage

    files = kept_state(staged / "files.json")
    found, folder, spill = pieces(source, files), staged / made_by.kind, staged / "spill"
    in_one_step(staged / "files.json", files)
    shutil.rmtree(spill, ignore_errors=True)
    connection = database(spill)
    read = known = new = 0
    try:
        for place, piece in enumerate(found):
            def progress(rows: int, piece=piece, place=place) -> None:
                nonlocal read
                read += rows
                tell(piece.name, read, len(found) - place)

            before = read
            stage(connection, made_by, piece, folder, progress, zone=zone)
            known, new = (known, new + 1) if read > before else (known + 1, new)
        state = gather(connection, staged, target)
        set_aside = _set_aside(connection, staged, target)
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)
    if not state["rows"]:
        why = "; ".join(f"{_rows(rows, 'row')}: {reason}" for reason, rows in set_aside.items())
        raise NoData(f"Nothing in {source} could be read as an export of {KINDS[made_by.kind].partition(':')[0]}"
                     + (f" ({why})." if why else "."))
    return Imported(target, state["rows"], read, new, known, set_aside, state["identity"]["conflicts_in_all"],
                    _playbook(target, made_by, state["rows"]), state["identity"]["circles_in_all"])


def _check_zone(made_by: Reader, zone: str) -> None:
    if zone not in zoneinfo.available_timezones():
        raise BadParameter("times_in", zone, expected=f"a time zone such as Europe/Vienna. {nearest(zone, zoneinfo.available_timezones())}")
    if zone != "UTC" and not made_by.zoned:
        raise BadParameter("times_in", zone, expected=f"nothing: the times of {KINDS[made_by.kind].partition(':')[0]} are UTC")


def _set_aside(connection, staged: Path, target: Path) -> dict[str, int]:
    """Every line that is no row, with its file and the reason, as a CSV; how many for each reason."""
    from plgkit.readers.staging import counted

    files = [each for each in counted(staged) if each.name.startswith("rejected-")]
    path = target / SET_ASIDE
    if not files:
        path.unlink(missing_ok=True)
        return {}
    listed = ", ".join("'" + str(each).replace("'", "''") + "'" for each in files)
    connection.execute("CREATE OR REPLACE TEMP TABLE brought AS SELECT unnest($1::VARCHAR[]) AS file", [_brought_whole(staged)])
    # Where a file broke off, that is settled once it was brought whole.
    rows = (f"SELECT DISTINCT * FROM read_parquet([{listed}]) "
            f"WHERE NOT (starts_with(reason, '{BREAKS_OFF}') AND file IN (SELECT file FROM brought))")
    reasons = dict(connection.execute(f"SELECT reason, count(*) FROM ({rows}) GROUP BY 1 ORDER BY 2 DESC, 1").fetchall())
    if not reasons:
        path.unlink(missing_ok=True)
        return {}
    partial = path.with_name(f".{SET_ASIDE}")
    try:
        connection.execute(f"COPY ({rows} ORDER BY ALL) TO '{str(partial).replace(chr(39), chr(39) * 2)}' (HEADER)")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return reasons


def _brought_whole(staged: Path) -> list[str]:
    states = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(staged.glob("*/*/state.json"))]
    return [state["file"] for state in states if state["whole"] and not state["breaks_off"]]


def _playbook(target: Path, made_by: Reader, tables: Mapping[str, int]) -> Path:
    """A first playbook, unless there is one: it is the reader's own then."""
    from plgkit.playbook.guess import first_playbook
    from plgkit.sources.look import look

    path = target / "playbook.toml"
    if not path.exists():
        text = first_playbook({name: found for name, found in look(target).items() if name != SET_ASIDE})
        more = made_by.playbook(tables) if made_by.playbook else ""
        path.write_text(f"{text}\n{more}" if more else text, encoding="utf-8")
    return path


def as_lines(done: Imported) -> list[str]:
    """What an import did, for people.

    Examples
    --------
    >>> done = Imported(Path("out"), {"events": 2}, 3, 1, 0, {"it is no JSON object": 1}, 0, Path("out/playbook.toml"))
    >>> print("\\n".join(as_lines(done)))
    Read 3 rows from 1 new file; 0 files were known.
    Now there are: 2 events.
    Set aside, in out/set_aside.csv:
      1 row: it is no JSON object
    """
    lines = [f"Read {_rows(done.read, 'row')} from {_rows(done.new_files, 'new file')}; {done.known_files:,} "
             f"{'file was' if done.known_files == 1 else 'files were'} known.",
             f"Now there are: {', '.join(f'{rows:,} {name}' for name, rows in done.tables.items())}."]
    if done.set_aside:
        lines.append(f"Set aside, in {done.out / SET_ASIDE}:")
        lines += [f"  {_rows(rows, 'row')}: {reason}" for reason, rows in done.set_aside.items()]
    if done.conflicts:
        lines.append(f"{_rows(done.conflicts, 'link')} between people could not be true together; they are listed in "
                     f"{done.out / STAGED_IN / 'gathered.json'}.")
    if done.circles:
        lines.append(f"{_rows(done.circles, 'circle')} of ids, each said to be the next and the last the first, "
                     f"{'is one person; it is' if done.circles == 1 else 'are one person each; they are'} listed in {done.out / STAGED_IN / 'gathered.json'}.")
    return lines


def _rows(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


