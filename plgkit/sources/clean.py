"""Decides for every row whether it is used; each row that is not carries its reason.

Written in the portable part of Ibis, so that the same rules hold on every engine.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Container, Mapping, Sequence

import ibis
import ibis.expr.datatypes as types
from ibis import _
from ibis.expr.types import BooleanValue
from ibis.expr.types import Table as Expression

from plgkit.errors import BadSource
from plgkit.playbook import Playbook
from plgkit.schema import TABLES, Table
from plgkit.sources import engine
from plgkit.sources.files import RAW

TYPES = {
    "string": "string", "json": "string", "time": "timestamp(6)", "date": "date", "money": "int64",
    "number": "float64", "whole": "int64", "flag": "boolean",
}
LEFT_OUT = "left out: "
WHOLE_COINS = ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
"""Currencies without a smaller coin."""
SMALL_COINS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
"""Currencies of a thousand coins."""
SCORES = {"nps": (0, 10), "csat": (1, 5)}


def complete(table: Table, raw: Expression, *, there: Sequence[str], playbook: Playbook) -> Expression:
    """All columns of the schema in their order, then those kept beside them; money in minor units."""
    missing = [each for each in table.required if each not in raw.columns]
    if missing:
        about = table[missing[0]]
        raise BadSource(
            f"The table {table.name!r} has no column {missing[0]!r} ({about.meaning}). "
            f"It has: {', '.join(there)}. "
            f"Say which one it is: [tables.{table.name}] columns = {{ {missing[0]} = \"...\" }}."
        )
    known = []
    for column in table.columns:
        if column.name not in raw.columns:
            value = ibis.null(TYPES[column.kind])
        elif column.kind == "money":
            value = _minor(raw[column.name], _hundredths(table, raw, playbook))
        elif column.kind == "time":
            value = _plain_time(raw[column.name])
        else:
            value = raw[column.name].cast(TYPES[column.kind])
        known.append(value.name(stored_name(column.name, column.kind)))
    taken = set(table.names)
    beside = [raw[name] for name in raw.columns if name not in taken]
    return raw.select(*known, *beside)


def _minor(amount: ibis.Value, hundredths: ibis.Value | float) -> ibis.Value:
    """Whole minor units. Engines differ in how they make a decimal of a binary number: ClickHouse cuts, others round."""
    if amount.type().is_floating():
        scale = hundredths.cast("float64") if isinstance(hundredths, ibis.Value) else float(hundredths)
        finite = (amount.abs() < 1e15).ifelse(amount, ibis.null("float64"))
        return (finite * scale + 0.5).floor().cast("int64")
    return (amount.cast("decimal(18, 2)") * hundredths).round().cast("int64")


def _hundredths(table: Table, raw: Expression, playbook: Playbook) -> ibis.Value | float:
    """How many hundredths of its currency one of an amount is; these are the minor units of all measures."""
    source = playbook.tables.get(table.name)
    if source is None or source.money_in == "units":
        return 100
    product = playbook.product.currency
    code = raw.currency.cast("string").strip().upper().fill_null(product) if "currency" in raw.columns else ibis.literal(product)
    tenth = ibis.literal("0.1").cast("decimal(18, 2)")
    return ibis.cases((code.isin(WHOLE_COINS), ibis.literal(100).cast("decimal(18, 2)")), (code.isin(SMALL_COINS), tenth),
                      else_=ibis.literal(1).cast("decimal(18, 2)"))


def _plain_time(value: ibis.Value) -> ibis.Value:
    zone = value.type().timezone if isinstance(value.type(), types.Timestamp) else None
    return value.cast(types.Timestamp(timezone=None)) if zone else value.cast("timestamp")


def stored_name(name: str, kind: str) -> str:
    """The column's name after cleaning: money says that it is in minor units."""
    return f"{name}_minor" if kind == "money" else name


def with_day(table: Table, rows: Expression, *, zone: str, first: dt.date, last: dt.date) -> Expression:
    """Add `day`, the date of the row's time in the product's zone."""
    if table.time == "day":
        return rows
    return rows.mutate(day=engine.local(rows[table.time], zone, first=first, last=last).date())


def judged(table: Table, rows: Expression, *, given: Container[str], known: Mapping[str, Expression],
           left_out: Mapping[str, Expression], playbook: Playbook) -> Expression:
    """Add `reason`: why a row is not used, NULL where it is; `given` are the columns the source itself has."""
    flags = [*_unreadable(table, rows), *_implausible(table, rows, playbook),
             *_left_out(table, rows, left_out, playbook), *_unknown(table, rows, known, playbook)]
    reason = ibis.cases(*flags, else_=ibis.null("string")) if flags else ibis.null("string")
    return _without_doubles(table, rows.mutate(reason=reason), given, playbook)


def _unreadable(table: Table, rows: Expression) -> list[tuple[BooleanValue, str]]:
    found = []
    for column in table.columns:
        if not column.required:
            continue
        value = rows[stored_name(column.name, column.kind)]
        if RAW + column.name in rows.columns:
            what = {"time": "a time", "date": "a day", "money": "an amount", "number": "a number"}[column.kind]
            found.append((value.isnull() & rows[RAW + column.name].notnull(), f"{column.name} is not {what}"))
        found.append((value.isnull(), f"{column.name} is missing"))
    return found


def _implausible(table: Table, rows: Expression, playbook: Playbook) -> list[tuple[BooleanValue, str]]:
    found = []
    started = playbook.product.started_on
    if started is not None and "day" in rows.columns:
        found.append((rows.day < ibis.date(started.isoformat()), f"{table.time} is before the product started"))
    if table.name == "events":
        ahead = rows.occurred_at > rows.received_at + ibis.interval(days=1)
        found.append((ahead.fill_null(False), "occurred_at is over a day after received_at"))
    for column in table.columns:
        if column.kind == "money" and not column.below_zero:
            value = rows[stored_name(column.name, column.kind)]
            found.append((value < 0, f"{column.name} is below 0"))
    if table.name == "surveys":
        for kind, (low, high) in SCORES.items():
            outside = (rows.kind == kind) & ~rows.score.between(low, high)
            found.append((outside.fill_null(False), f"score is not between {low} and {high}"))
    return found


def _left_out(table: Table, rows: Expression, left_out: Mapping[str, Expression],
              playbook: Playbook) -> list[tuple[BooleanValue, str]]:
    """Internal people, bots and whatever else the playbook leaves out."""
    rules = playbook.leave_out
    person = "inviter_id" if table.name == "invites" else "user_id"
    found = []
    if table.name == "users":
        if rules.internal:
            found.append((rows.is_internal.fill_null(False), f"{LEFT_OUT}internal people"))
        for column, values in rules.users.items():
            if column not in rows.columns:
                raise BadSource(f"[leave_out.users] names the column {column!r}, which users does not have. "
                                f"It has: {', '.join(name for name in rows.columns if not name.startswith(RAW))}.")
            found.append((rows[column].isin(values).fill_null(False), f"{LEFT_OUT}{column} {', '.join(values)}"))
    if person in rows.columns and rules.user_ids:
        found.append((_like_any(rows[person], rules.user_ids), f"{LEFT_OUT}people by id"))
    if "account_id" in rows.columns and rules.account_ids:
        found.append((_like_any(rows.account_id, rules.account_ids), f"{LEFT_OUT}accounts by id"))
    if table.name != "users" and person in rows.columns and "users" in left_out:
        found.append((rows[person].isin(left_out["users"].user_id), f"{LEFT_OUT}rows of people left out"))
    return found


def _like_any(value: ibis.Value, patterns: list[str]) -> BooleanValue:
    plain = [each for each in patterns if "*" not in each]
    hit = value.isin(plain) if plain else ibis.literal(False)
    for pattern in patterns:
        if "*" in pattern:
            escaped = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern))
            hit = hit | value.re_search(f"^{escaped}$")
    return hit.fill_null(False)


def _unknown(table: Table, rows: Expression, known: Mapping[str, Expression],
             playbook: Playbook) -> list[tuple[BooleanValue, str]]:
    if playbook.data.unknown_people == "keep":
        return []
    found = []
    for column in table.columns:
        if column.required and column.refers_to in known:
            ids = known[column.refers_to][TABLES[column.refers_to].key[0]]
            # Spark compares every row with every person where it is asked for NOT IN.
            found.append((~rows[column.name].isin(ids).fill_null(False), f"{column.name} is not in {column.refers_to}"))
    return found


def _without_doubles(table: Table, rows: Expression, given: Container[str], playbook: Playbook) -> Expression:
    """Mark the later of rows that say the same; the earliest stays."""
    if playbook.data.duplicates == "keep" and table.name in ("events", "invoice_lines"):
        return rows
    exact = table.name == "events" and playbook.data.duplicates == "exact"
    key = [] if exact else [name for name in table.key if name in given]
    source = playbook.tables.get(table.name)
    first_only = source is not None and source.keep == "first"
    same = key or [stored_name(each.name, each.kind) for each in table.columns]
    rest = [name for name in (table.time, "received_at") if name in rows.columns and name not in same]
    rest += [name for name in rows.columns if name not in same and name not in rest and not name.startswith(RAW)
             and name not in ("reason", "day")]
    place = ibis.row_number().over(ibis.window(
        group_by=[*[rows[name] for name in same], rows.reason.isnull()],
        order_by=[rows[name] for name in rest] or [rows[same[0]]]))
    doubled = (place > 0) & rows.reason.isnull()
    if key:
        doubled = doubled & rows[key[0]].notnull()
    names = " and ".join(key) if key else "everything"
    why = "not the first row" if first_only else f"a double: {names} equal to an earlier row"
    numbered = rows.mutate(doubled=doubled)
    return numbered.mutate(reason=numbered.doubled.ifelse(why, numbered.reason)).drop("doubled")


def used(rows: Expression) -> Expression:
    """The rows that are used, without what was kept to judge them."""
    beside = [name for name in rows.columns if name.startswith(RAW) or name == "reason"]
    return rows.filter(_.reason.isnull()).drop(*beside)


def set_aside(rows: Expression) -> Expression:
    """The rows that are not used, with their reason and the text that could not be read."""
    return rows.filter(_.reason.notnull())
