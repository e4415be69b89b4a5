"""Rows that are not used, or are used with a reservation, also those an import set aside; and what that does to the measures."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from ibis import _

from plgkit.quality.touched import counted, of_tables, percent, told
from plgkit.schema import BILLING
from plgkit.sources.data import Data
from plgkit.sources.facts import Finding
from plgkit.sources.imported import Brought

_PEOPLE = {"invites": "inviter_id", "visits": "visitor_id", "subscriptions": "account_id", "subscription_periods": "account_id",
           "invoice_lines": "account_id", "accounts": "account_id", "spend": "channel"}
_WHO = {"visits": ("browser", "browsers"), "spend": ("channel", "channels"), **dict.fromkeys(
    ("subscriptions", "subscription_periods", "invoice_lines", "accounts"), ("account", "accounts"))}


def set_aside(data: Data) -> pd.DataFrame:
    """Rows that are not used, or are used with a reservation, by table and reason.

    Rows that never became rows of a table, because an import set them aside, are those of the table "export".

    Returns
    -------
    One row per table and reason, the most first: table, rows, share (of the table's rows), what, effect (what it does, or would do, to the measures).

    Examples
    --------
    >>> from plgkit import samples
    >>> set_aside(samples.tiny()).empty
    True
    """
    overview = data.overview.set_index("table")
    whole = (overview["rows"] + overview["set_aside"] + overview["left_out"]).to_dict()
    facts: dict[str, dict[str, pd.Series]] = {}
    made = []
    for each in data.findings:
        if each.table not in facts:
            facts[each.table] = _facts(data, each.table)
        of = (each.of or 0) if isinstance(each, Brought) else whole.get(each.table, 0)
        touched = each.touches if isinstance(each, Brought) else (each.table,)
        reading = told(of_tables(data, *[BILLING[0] if name in BILLING else name for name in touched])) or "no measure of these data"
        effect = of_import(each, reading) if isinstance(each, Brought) else _effect(each, of, facts[each.table].get(each.what), reading)
        made.append({"table": each.table, "rows": each.rows, "share": each.rows / of if of else float("nan"), "what": each.what, "effect": effect})
    found = pd.DataFrame(made, columns=["table", "rows", "share", "what", "effect"]).astype({"rows": "int64", "share": "float64"})
    return found.sort_values(["rows", "table", "what"], ascending=[False, True, True], ignore_index=True)


def _facts(data: Data, table: str) -> dict[str, pd.Series]:
    """Whose the rows set aside are and when, by reason."""
    if table not in data.rows_set_aside:
        return {}
    rows = data.rows_set_aside[table]
    who = rows[_PEOPLE.get(table, "user_id")]
    found = data.run(rows.group_by("reason").aggregate(n=_.count(), who=who.nunique(), first=_.day.min(), last=_.day.max()))
    return {row["reason"]: row for _place, row in found.iterrows()}


def _effect(found: Finding, whole: int, facts: pd.Series | None, reading: str) -> str:
    """What rows of a table that are not used, or not fully, do to the measures that read it."""
    what, n, part = found.what, found.rows, percent(found.rows / whole) if whole else ""
    whose, days = _whose(found.table, facts), _days(facts)
    said: Mapping[str, str] = {
        "by up to a day": "used all the same; how many of them fall on another day is told under clocks",
        "before the product started": f"in no measure: {whose}{days} would move first days and early cohorts of {reading}",
        "a double": f"counted twice, {_these(n)} would add {part} to {found.table} ({whose}{days}): {reading} would be too high",
        "is not in users": f"the use of {whose} is in no measure: {reading} are too low by up to {part} of the rows{days}, "
                           "most often for an identity that was never joined",
        "is not in accounts": f"in no measure: what {whose} did or paid is missing from {reading}{days}",
        "is missing": f"nobody can say whose or when: in no measure; {reading} lack {part} of the rows{days}",
        "is not a": f"cannot be read: in no measure; {reading} lack {part} of the rows{days}",
        "is below 0": f"in no measure: {reading} lack {part} of the rows ({whose}{days})",
        "after received_at": f"a clock far ahead of the server's ({whose}): {_these(n)} would count in periods that have not been",
        "times in the future": "behind the last day counted: in no measure, unless as_of is set to a day after them",
        "left out: ": f"on purpose, by [leave_out]: {reading} are without {whose}, {part} of the rows",
        "not the first row": f"on purpose, by keep = \"first\": {whose} keep their first row",
        "counts as missing": f"the rest of {_these(n)} is used; cut by this column, {part} of {found.table} stand under (none)",
        "received over": f"{part} of {found.table} came late: {reading} changed for the periods they fall into after these were first shown",
        "carry no zone": f"were it another zone, days and weeks of {reading} would be cut elsewhere",
        "are taken as they were": "a row of them that is changed at its source changes no measure",
        "no recurring revenue": f"in no sum of recurring revenue: {reading} are without {_these(n)}",
        "no row can be used": f"{reading} have nothing to count",
    }
    known = next((effect for word, effect in said.items() if word in what), None)
    return known or (f"in no measure: {reading} lack {_these(n)}" if found.level == "warning" and n else f"read by {reading}")


def of_import(found: Brought, reading: str) -> str:
    """What rows of an export that are in no table, or in one once, do to the measures."""
    n, of = found.rows, found.of or 0
    if found.sort == "broken off":
        return f"what comes after this line is in no table, nobody knows how many rows: {reading} are too low from there on"
    if found.sort == "doubles":
        return f"counted twice, {_these(n)} would add {percent(n / (of - n)) if of > n else 'as many'} to {' and '.join(found.touches)}: {reading} would be too high"
    if found.sort == "conflicts":
        concerned = counted(found.ids, "id stays", "ids stay")
        return (f"{concerned} with the person joined first: later use by somebody else on {'it' if found.ids == 1 else 'them'} counts for that person, "
                "so people are too few or active too long (acquisition.visitor_to_signup, engagement.active_people, retention.cohorts)")
    if found.sort == "circles":
        return f"{counted(found.ids, 'id', 'ids')} count as {counted(n, 'person', 'people')}: were they several, sign-ups and active people are too low"
    if found.sort == "unused":
        return f"none: no measure asks for {_these(n)}"
    if found.sort == "unread":
        return "what was left out of the tables cannot be told from here: run the import again"
    beside = f", {percent(n / (of + n))} of all rows brought in" if of else ""
    return f"in no table{beside}: {reading} are too low by what {'it' if n == 1 else 'they'} held"


def _whose(table: str, facts: pd.Series | None) -> str:
    one, many = _WHO.get(table, ("person", "people"))
    return counted(int(facts["who"]), one, many) if facts is not None and facts["who"] else f"nobody known by name in {table}"


def _days(facts: pd.Series | None) -> str:
    if facts is None or pd.isna(facts["first"]):
        return ""
    first, last = pd.Timestamp(facts["first"]), pd.Timestamp(facts["last"])
    return f", on {first:%Y-%m-%d}" if first == last else f", between {first:%Y-%m-%d} and {last:%Y-%m-%d}"


def _these(n: int) -> str:
    return "the row" if n == 1 else f"the {n:,} rows"

