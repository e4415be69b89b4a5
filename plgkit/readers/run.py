"""`import_export`: an export of another tool becomes plgkit's tables, beside a first playbook."""

from __future__ import annotations

import errno
import os
import shutil
import zoneinfo
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plgkit.errors import BadParameter, BadSource, Busy, DiskFull, NoData, PlgkitError, nearest
from plgkit.readers.feeds import KINDS, Reader, reader
from plgkit.readers.pieces import BREAKS_OFF, NOT_WHOLE

STAGED_IN, SET_ASIDE = ".import", "set_aside.csv"


@dataclass(frozen=True)
class Imported:
    """What an import did: rows of each table now, rows read this time, set aside, of no use, and who could not be joined."""

    out: Path
    tables: dict[str, int]
    read: int
    new_files: int
    known_files: int
    set_aside: dict[str, int]
    conflicts: int
    playbook: Path
    circles: int = 0
    unused: Mapping[str, int] = field(default_factory=dict)


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
        The zone in which times count that carry none, such as "US/Pacific"; only for exports that have such, and the
        same one for all that goes into a folder.
    tell
        Called with a file's name, the rows read so far and the files still to read.

    Returns
    -------
    What was read and written. Lines that are no rows stand in `set_aside.csv` with the reason, if there are any.

    Raises
    ------
    BadParameter
        If the kind is not known, or times were read in another zone so far.
    BadSource
        If the path is not there, or nothing in it is of the kind while the folder holds data, which stay as they are.
    NoData
        If nothing in it could be read, and the folder is new.
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
    from plgkit.readers.staging import counted, database, fits, in_one_step, kept_state, stage

    _check_begun(made_by, staged, target, zone)
    files = kept_state(staged / "files.json")
    found, folder, spill = pieces(source, files), staged / made_by.kind, staged / "spill"
    in_one_step(staged / "files.json", files)
    shutil.rmtree(spill, ignore_errors=True)
    connection = database(spill)
    read = known = new = 0
    there, states = {home.name for home in folder.glob("*")}, {}
    try:
        for place, piece in enumerate(found):
            def progress(rows: int, piece=piece, place=place) -> None:
                nonlocal read
                read += rows
                tell(piece.name, read, len(found) - place)

            before = read
            states[piece.digest] = stage(connection, made_by, piece, folder, progress, zone=zone)
            known, new = (known, new + 1) if read > before else (known + 1, new)
        if any(each["rejected"] for each in states.values()) and not any(fits(each) for each in states.values()):
            why = _reasons(connection, [path for path in counted(staged) if path.parent.parent == folder and path.parent.name in states])
            for name in {*states} - there:
                shutil.rmtree(folder / name)
            kept = target if (target / "playbook.toml").exists() else None
            raise (BadSource if kept else NoData)(_nothing(source, made_by, why, kept))
        state = gather(connection, staged, target)
        set_aside = _set_aside(connection, staged, target)
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)
    unused = _unused(staged)
    if not state["rows"]:
        raise NoData(_nothing(source, made_by, set_aside | {f"no table is made of {name}": rows for name, rows in unused.items()}))
    return Imported(target, state["rows"], read, new, known, set_aside, state["identity"]["conflicts_in_all"],
                    _playbook(target, made_by, state["rows"]), state["identity"]["circles_in_all"], unused)


def _nothing(source: Path, made_by: Reader, why: Mapping[str, int], kept: Path | None = None) -> str:
    reasons = "; ".join(f"{_rows(rows, 'row')}: {reason}" for reason, rows in why.items())
    return (f"Nothing in {source} could be read as an export of {_named(made_by)}" + (f" ({reasons})." if reasons else ".")
            + (f" {kept} is as it was." if kept else ""))


def _named(made_by: Reader) -> str:
    return KINDS[made_by.kind].partition(":")[0]


def _states(staged: Path, kind: str = "*") -> list[tuple[Path, dict[str, Any]]]:
    """What is known of every piece, with its folder."""
    from plgkit.readers.staging import STATE, kept_state

    return [(path.parent, kept_state(path)) for path in sorted(staged.glob(f"{kind}/*/{STATE}"))]


def _unused(staged: Path) -> dict[str, int]:
    """Rows that are known and of which no table is made, by sort."""
    found = Counter[str]()
    for _, state in _states(staged):
        found.update(state.get("unused", {}))
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def _check_begun(made_by: Reader, staged: Path, target: Path, zone: str) -> None:
    """Times in another zone would be other moments, and rows that come again other rows."""
    for _, state in _states(staged, made_by.kind):
        if state.get("zone", zone) != zone and any(any(each.values()) for each in state["batches"]):
            raise BadParameter("times_in", zone, expected=f"{state['zone']}, in which the times of {_named(made_by)} in {target} were read so far. "
                               f"For {zone} import everything into another folder")


def _check_zone(made_by: Reader, zone: str) -> None:
    if zone not in zoneinfo.available_timezones():
        raise BadParameter("times_in", zone, expected=f"a time zone such as Europe/Vienna. {nearest(zone, zoneinfo.available_timezones())}")
    if zone != "UTC" and not made_by.zoned:
        raise BadParameter("times_in", zone, expected=f"nothing: the times of {KINDS[made_by.kind].partition(':')[0]} are UTC")


def _set_aside(connection, staged: Path, target: Path) -> dict[str, int]:
    """Every line that is no row, with its file and the reason, as a CSV; how many for each reason."""
    from plgkit.readers.staging import counted

    states = _states(staged)
    settled = _settled(states)
    files = [path for path in counted(staged) if path.name.startswith("rejected-") and path.parent not in settled]
    reasons, path = _reasons(connection, files, _brought_whole(states)), target / SET_ASIDE
    if not reasons:
        path.unlink(missing_ok=True)
        return {}
    partial = path.with_name(f".{SET_ASIDE}")
    try:
        connection.execute(f"COPY (SELECT * FROM aside ORDER BY ALL) TO '{str(partial).replace(chr(39), chr(39) * 2)}' (HEADER)")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return reasons


def _reasons(connection, files: list[Path], whole: Collection[str] = ()) -> dict[str, int]:
    """The lines set aside in staged files as the view `aside`, and how many for each reason; a file brought whole no longer breaks off."""
    files = [path for path in files if path.name.startswith("rejected-")]
    if not files:
        return {}
    listed = ", ".join("'" + str(each).replace("'", "''") + "'" for each in files)
    connection.execute("CREATE OR REPLACE TEMP TABLE brought AS SELECT unnest($1::VARCHAR[]) AS file", [sorted(whole)])
    connection.execute(f"CREATE OR REPLACE TEMP VIEW aside AS SELECT DISTINCT * FROM read_parquet([{listed}]) WHERE NOT "
                       f"((starts_with(reason, '{BREAKS_OFF}') OR starts_with(reason, '{NOT_WHOLE}')) AND file IN (SELECT file FROM brought))")
    return dict(connection.execute("SELECT reason, count(*) FROM aside GROUP BY 1 ORDER BY 2 DESC, 1").fetchall())


def _brought_whole(states: list[tuple[Path, dict[str, Any]]]) -> set[str]:
    return {state["file"] for _, state in states if state.get("whole") and not state["breaks_off"]}


def _settled(states: list[tuple[Path, dict[str, Any]]]) -> set[Path]:
    """Pieces that came again later and whole, under whatever name: beginning or ending with the same row, and with no fewer rows."""
    ends: dict[str, list[dict[str, Any]]] = {}
    for _, state in states:
        if state.get("whole") and not state["breaks_off"]:
            for row in {state.get("first"), state.get("last")} - {None, ""}:
                ends.setdefault(row, []).append(state)
    found = set()
    for home, state in states:
        again = [each for row in {state.get("first"), state.get("last")} - {None, ""} for each in ends.get(row, ()) if each is not state]
        if any(each["good"] >= state["good"] and (state["breaks_off"] or each["begun"] > state["begun"]) for each in again):
            found.add(home)
    return found


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
    if done.unused:
        lines.append(f"No table is made of {', '.join(f'{name} ({rows:,})' for name, rows in done.unused.items())}.")
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


