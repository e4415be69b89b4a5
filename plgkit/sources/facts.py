"""What judging found, day by day: rows used and not used, and what is worth knowing of those that are used."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table as Expression

from plgkit.playbook import Playbook
from plgkit.schema import TABLES
from plgkit.sources import clean, engine
from plgkit.sources.files import RAW, Loaded

Level = Literal["error", "warning", "info"]
FIXED = ["day", "reason", "n", "moment"]


@dataclass(frozen=True)
class Finding:
    """One thing the checks found: how bad, in which table, in how many rows, and what."""

    level: Level
    table: str
    rows: int
    what: str


def of(name: str, judged: Expression, playbook: Playbook) -> pd.DataFrame:
    """One row per day and reason (missing where rows are used): n, their last moment, and a count of each softer matter."""
    flags = _softer(name, judged, playbook)
    counts = {key: flag.fill_null(False).ifelse(1, 0).sum().fill_null(0).cast("int64") for key, flag in flags.items()}
    moment = judged[TABLES[name].time].max().cast("timestamp(6)")
    found = engine.run(judged.group_by("day", "reason").aggregate(n=_.count().cast("int64"), moment=moment, **counts))
    return found.sort_values(["day", "reason"], ignore_index=True)


def together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Facts of several stretches of days as one."""
    found = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    counts = [name for name in found.columns if name not in FIXED]
    found[counts] = found[counts].fillna(0).astype("int64")
    return found.sort_values(["day", "reason"], ignore_index=True)


def as_text(facts: pd.DataFrame) -> str:
    """Facts as JSON that `from_text` reads back."""
    return facts.to_json(orient="split", date_format="iso", date_unit="us", index=False)


def from_text(text: str) -> pd.DataFrame:
    """Facts that `as_text` wrote."""
    import json

    plain = json.loads(text)
    found = pd.DataFrame(plain["data"], columns=plain["columns"])
    for name in ("day", "moment"):
        found[name] = pd.to_datetime(found[name]).astype("datetime64[us]")
    found["reason"] = found["reason"].astype("str").where(found["reason"].notna())
    counts = [name for name in found.columns if name not in ("day", "reason", "moment")]
    return found.astype(dict.fromkeys(counts, "int64"))


def findings(name: str, facts: pd.DataFrame, loaded: Loaded, playbook: Playbook) -> list[Finding]:
    """What the facts of a table say, the graver first."""
    used = facts[facts["reason"].isna()]
    good, why = int(used["n"].sum()), facts[facts["reason"].notna()].groupby("reason")["n"].sum()
    found = [Finding("warning", name, 1, what) for what, _text in loaded.unreadable]
    for reason, rows in why.items():
        harmless = reason.startswith(clean.LEFT_OUT) or reason == "not the first row"
        found.append(Finding("info" if harmless else "warning", name, int(rows), reason))
    if not good and len(facts):
        found.append(Finding("error", name, int(facts["n"].sum()), f"no row can be used; the reasons are: {'; '.join(why.index)}"))
    if loaded.zoneless:
        zone = playbook.tables[name].times_in if name in playbook.tables else "UTC"
        found.append(Finding("info", name, good, f"times carry no zone and are read as {zone} (times_in of [tables.{name}] says another)"))
    for key in facts.columns.difference(FIXED, sort=False):
        rows = int(used[key].sum())
        if rows:
            level, what = _said(key, playbook)
            found.append(Finding(level, name, rows, what))
    return found


def _softer(name: str, rows: Expression, playbook: Playbook) -> dict[str, ibis.Value]:
    """What is worth knowing of rows that are used all the same."""
    flags = {}
    for column in TABLES[name].columns:
        if not column.required and RAW + column.name in rows.columns:
            value = rows[clean.stored_name(column.name, column.kind)]
            flags[f"unread_{column.name}"] = value.isnull() & rows[RAW + column.name].notnull()
    if name == "events":
        flags["late"] = rows.received_at > rows.occurred_at + ibis.interval(hours=playbook.data.late_after_hours)
        flags["ahead"] = rows.received_at < rows.occurred_at
    return flags


def _said(key: str, playbook: Playbook) -> tuple[Level, str]:
    if key == "late":
        return "info", f"received over {playbook.data.late_after_hours} hours after they happened"
    if key == "ahead":
        return "info", "occurred_at is after received_at by up to a day: a clock ahead of the server's"
    return "warning", f"{key.removeprefix('unread_')} cannot be read and counts as missing"


def as_json(found: tuple[Finding, ...]) -> list[dict]:
    """Findings as plain data."""
    return [asdict(each) for each in found]
