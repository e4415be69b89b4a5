"""What an import left beside the tables it wrote: rows set aside, rows that came twice, links between ids that cannot be true together."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import duckdb

from plgkit.schema import TABLES
from plgkit.sources.facts import Finding

EXPORT = "export"
"""Stands for the table in findings about rows that never became rows of one."""
SET_ASIDE, GATHERED = "set_aside.csv", ".import/gathered.json"
BREAKS_OFF = ("the file breaks off here", "the file is no whole Parquet file")
MOST = 20
"""Reasons, or files that break off, that are told one by one."""
Sort = Literal["set aside", "broken off", "doubles", "conflicts", "circles", "unused", "unread"]


@dataclass(frozen=True)
class Brought(Finding):
    """A finding about an import: its sort, of how many its rows are a part, how many ids it concerns, the tables it may touch."""

    sort: Sort = "set aside"
    of: int | None = None
    ids: int = 0
    touches: tuple[str, ...] = ()


def findings(folder: Path) -> tuple[Brought, ...]:
    """What `plgkit import` left in a folder, as findings; none where nothing was imported.

    Examples
    --------
    >>> findings(Path("no/such/folder"))
    ()
    """
    state, unread = _gathered(folder / GATHERED)
    rows = {name: _number(n) for name, n in _object(state.get("rows")).items() if name in TABLES}
    found = (*_set_aside(folder / SET_ASIDE, sum(rows.values()) or None), *unread, *_doubles(state), *_identity(_object(state.get("identity"))), *_unused(folder))
    return tuple(each if each.touches else replace(each, touches=tuple(rows) or tuple(TABLES)) for each in found)


def _set_aside(path: Path, written: int | None) -> list[Brought]:
    """Rows of the export by reason; every file that breaks off by itself, for nobody knows how many rows it lacks."""
    if not path.is_file():
        return []
    breaks = " OR ".join(f"starts_with(reason, '{each}')" for each in BREAKS_OFF)
    query = f"""
        SELECT breaks, CASE WHEN breaks THEN reason ELSE split_part(reason, ': ', 1) END AS kind, file, count(*), min(reason), min(try_cast(line AS BIGINT))
        FROM (SELECT *, {breaks} AS breaks FROM read_csv(?, header = true, all_varchar = true, delim = ',', quote = '"', escape = '"'))
        WHERE reason IS NOT NULL GROUP BY ALL ORDER BY 4 DESC, 2, 3"""
    try:
        with duckdb.connect() as connection:
            rows = connection.execute(query, [str(path)]).fetchall()
    except duckdb.Error:
        return [Brought("warning", EXPORT, 0, f"{SET_ASIDE} cannot be read: what the import set aside is not known", "unread")]
    broken = [Brought("warning", EXPORT, n, f"{file}, line {line or '?'}: {kind}", "broken off") for breaks, kind, file, n, _, line in rows if breaks]
    files: dict[str, list[tuple[str, int, str]]] = {}
    for breaks, kind, file, n, example, _ in rows:
        if not breaks:
            files.setdefault(kind, []).append((file, n, example))
    told = [Brought("warning", EXPORT, sum(n for _, n, _ in each), f"set aside on import: {_why(kind, each)} ({_where(each)})", of=written)
            for kind, each in files.items()]
    told.sort(key=lambda each: (-each.rows, each.what))
    return [*_first(broken, "files that break off"), *_first(told, "reasons")]


def _why(kind: str, files: list[tuple[str, int, str]]) -> str:
    """The reason as it stands where there is one such row, else what the reasons have in common."""
    return files[0][2] if sum(n for _, n, _ in files) == 1 else kind


def _where(files: list[tuple[str, int, str]]) -> str:
    file, _n, _example = files[0]
    return file if len(files) == 1 else f"in {len(files):,} files, most in {file}"


def _first(found: list[Brought], what: str) -> list[Brought]:
    if len(found) <= MOST:
        return found
    rest = found[MOST:]
    said = f"set aside on import: {len(rest):,} more {what}, in {SET_ASIDE}"
    return [*found[:MOST], Brought("warning", EXPORT, sum(each.rows for each in rest), said, found[0].sort, found[0].of)]


def _doubles(state: dict[str, Any]) -> list[Brought]:
    found = []
    for table, months in sorted(_object(state.get("doubles")).items()):
        by_month = {month: _number(n) for month, n in _object(months).items()}
        n = sum(by_month.values())
        if n:
            most = max(sorted(by_month), key=lambda month: by_month[month])
            kept = _number(_object(state.get("rows")).get(table))
            found.append(Brought("info", EXPORT, n, f"came again and count once: {table} with an id that was there, most in {most}", "doubles", kept + n, touches=(table,)))
    return found


def _identity(state: dict[str, Any]) -> list[Brought]:
    found = []
    conflicts, circles = _number(state.get("conflicts_in_all")), _number(state.get("circles_in_all"))
    if conflicts:
        listed = [each for each in _list(state.get("conflicts")) if isinstance(each, dict)]
        ids = len({str(each.get("one")) for each in listed})
        so = "" if len(listed) >= conflicts else f" in the first {len(listed):,}"
        found.append(Brought("warning", EXPORT, conflicts, f"links between ids contradict earlier ones and were not followed ({ids:,} "
                             f"id{'' if ids == 1 else 's'}{so}; listed in {GATHERED})", "conflicts", _number(state.get("links")), ids))
    if circles:
        ids = sum(len(_list(each)) for each in _list(state.get("circles")))
        found.append(Brought("info", EXPORT, circles, f"{'circles' if circles > 1 else 'circle'} of ids, each said to be the next and the last the first: "
                             f"one person each ({ids:,} ids; listed in {GATHERED})", "circles", None, ids))
    return found


def _unused(folder: Path) -> list[Brought]:
    """Sorts of rows that no table is made of, as the state of each file that was read notes them."""
    found: dict[str, int] = {}
    for path in sorted(folder.glob(".import/*/*/state.json")):
        state, _unread = _gathered(path)
        for name, rows in _object(state.get("unused")).items():
            found[name] = found.get(name, 0) + _number(rows)
    return [Brought("info", EXPORT, rows, f"no table is made of {name}", "unused") for name, rows in sorted(found.items()) if rows]


def _gathered(path: Path) -> tuple[dict[str, Any], list[Brought]]:
    if not path.is_file():
        return {}, []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}, [Brought("warning", EXPORT, 0, f"{GATHERED} cannot be read: what the import merged and joined is not known", "unread")]
    return _object(found), []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
