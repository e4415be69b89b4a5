"""Guess a first playbook from the tables of a source: which table, which column, which event is which."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from plgkit.schema import TABLES

from .words import FILES, NAMES, OF_PAGES, plain

if TYPE_CHECKING:
    import pandas as pd

_DATA_FILE = r"\.(parquet|csv|tsv|jsonl|ndjson|json)(\.gz)?$"
_TIME = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?|\d\d?/\d\d?/\d{4}.*|\d{8}|\d{10}(\.\d+)?|\d{13}|\d{16}"
_ALONE = {"exposures": 6, "surveys": 6, "invites": 6, "spend": 5, "subscription_periods": 7, "invoice_lines": 6,
          "subscriptions": 5, "events": 4}
"""How sure the columns alone make a table; the other tables have none that only they have."""


_FEW = 12
"""More attributes than this are no help to anyone."""


@dataclass(frozen=True)
class SourceTable:
    """What is known of one file or database table.

    Its columns with their types, some of its rows (best drawn at random) and how many rows it has.
    """

    name: str
    columns: dict[str, str]
    sample: pd.DataFrame
    rows: int

    @property
    def is_file(self) -> bool:
        """Whether the name is that of a data file rather than of a table in a database."""
        return re.search(_DATA_FILE, self.name.lower()) is not None


@dataclass(frozen=True)
class Guess:
    """Where one of plgkit's tables may come from, and why."""

    source: SourceTable
    columns: dict[str, str]
    constants: dict[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    first_only: bool = False
    why: tuple[str, ...] = ()


def guess_tables(sources: Mapping[str, SourceTable]) -> dict[str, Guess]:
    """Say for each of plgkit's tables which source it may come from; every source is used for one, the likeliest.

    A table of users, and one of accounts, is made from the first rows of the events where there is none.
    """
    ranked = sorted(
        (
            (_likeness(name, source), -place, name, source)
            for place, name in enumerate(TABLES)
            for source in sources.values()
            if source.name.strip()
        ),
        key=lambda each: (*each[:2], each[3].rows),
        reverse=True,
    )
    found: dict[str, Guess] = {}
    for score, _, name, source in ranked:
        if score > 0 and name not in found and all(source is not each.source for each in found.values()):
            found[name] = Guess(source, match(name, source))
            if name in ("users", "accounts"):
                found[name] = replace(found[name], extra=tuple(_attributes(found[name])[1]))
    if "events" not in found:
        used = [each.source for each in found.values()]
        found |= _nameless_events([each for each in sources.values() if each.name.strip() and all(each is not one for one in used)])
    if "events" in found:
        found = _from_events(found)
    return {name: found[name] for name in TABLES if name in found}


def match(name: str, source: SourceTable) -> dict[str, str]:
    """Find the source's column for each column of the table `name`, by its name and by what is in it."""
    if _is_ours(name, source):
        return {each: each for each in TABLES[name].names if each in source.columns}
    found: dict[str, str] = {}
    for column in TABLES[name].columns:
        for word in NAMES[name][column.name].split():
            fits = [each for each in source.columns if plain(each) == word and each not in found.values()]
            fits = [each for each in fits if _usable(source, each, column.name, column.kind)]
            if fits:
                found[column.name] = min(fits, key=len)
                break
    return found


def _usable(source: SourceTable, column: str, canonical: str, kind: str) -> bool:
    """Whether the sampled values may be what the name promises; an empty sample contradicts nothing."""
    if column not in source.sample:
        return True
    cells = source.sample[column]
    if (
        len(cells)
        and cells.notna().mean() < 0.5
        and canonical not in ("accepted_at", "invited_by", "invitee_id", "comment", "ended_at", "canceled_at")
    ):
        return False
    values = cells.dropna().astype(str)
    if kind in ("time", "date"):
        return looks_like_time(source, column)
    if canonical == "event_id":
        return not len(values) or values.nunique() > 0.5 * len(values)
    if canonical == "event":
        return len(values) < 10 or values.nunique() <= 0.5 * len(values)
    return True


def looks_like_time(source: SourceTable, column: str) -> bool:
    """Whether a column holds times by its type, or by how its sampled values are written."""
    if re.search("date|time", source.columns[column].lower()):
        return True
    if column not in source.sample:
        return False
    values = source.sample[column].dropna().astype(str).head(200)
    return not len(values) or values.str.fullmatch(_TIME).mean() > 0.9


def _likeness(name: str, source: SourceTable) -> int:
    """How much a source looks like the table `name`: 0 where a required column is missing."""
    columns = match(name, source)
    if any(each not in columns for each in TABLES[name].required):
        return 0
    if name in ("users", "accounts") and not _one_row_each(source, columns[TABLES[name].key[0]]):
        return 0
    if name == "spend" and "user_id" in match("events", source):
        return 0
    if name == "subscription_periods" and "ended_at" not in columns:
        return 0
    if name == "invoice_lines" and not {"service_from", "service_to"} <= columns.keys():
        return 0
    if name == "visits" and not _called(name, source) and ("event" in match("events", source) or not _of_pages(source, columns)):
        return 0
    return _ALONE.get(name, 3) + 4 * _called(name, source) + 20 * _is_ours(name, source)


def _of_pages(source: SourceTable, columns: Mapping[str, str]) -> bool:
    """Whether rows tell of pages or of where somebody came from, or whose they are only a visitor can be: a client also pays."""
    return plain(columns["visitor_id"]) != "client_id" or any(re.search(OF_PAGES, plain(each)) for each in source.columns)


def _is_ours(name: str, source: SourceTable) -> bool:
    """Whether a source is called just as the table, and has its columns under their own names."""
    called = re.sub(_DATA_FILE, "", source.name.rpartition("/")[2] if source.name.count("/") == 0 else source.name.partition("/")[0])
    return called == name and all(each in source.columns for each in TABLES[name].required)


def _called(name: str, source: SourceTable) -> bool:
    return any(word in source.name.lower() for word in FILES[name].split())


def _one_row_each(source: SourceTable, column: str) -> bool:
    return column not in source.sample or not source.sample[column].dropna().duplicated().mean() > 0.05


def _nameless_events(sources: list[SourceTable]) -> dict[str, Guess]:
    """Take the largest table of people and times for events that have no names: being there is the event."""
    for source in sorted(sources, key=lambda each: each.rows, reverse=True):
        columns = match("events", source)
        columns.pop("event", None)
        if "occurred_at" not in columns:
            times = [each for each in source.columns if looks_like_time(source, each)]
            columns |= {"occurred_at": times[0]} if times else {}
        if {"user_id", "occurred_at"} <= columns.keys():
            why = "No column says what was done, so every row is the event 'active'. Rename it to what the rows mean."
            return {"events": Guess(source, columns, constants={"event": "active"}, why=(why,))}
    return {}


def _from_events(found: dict[str, Guess]) -> dict[str, Guess]:
    """Add users and accounts where only the events tell of them."""
    events = found["events"]
    person, when, account = (events.columns.get(each) for each in ("user_id", "occurred_at", "account_id"))
    if "users" not in found:
        mine, theirs = _attributes(events)
        alike = match("users", events.source)
        known = {each: column for each, column in alike.items() if column in theirs}
        if account:
            known["account_id"] = account
        extra = tuple(each for each in theirs if each not in known.values())
        why = (
            "There is no table of people, so a person begins with the first event. Where the data begin in the "
            "middle of the product's life, people of before look new.",
        )
        columns = {"user_id": person, "signed_up_at": when, **known}
        found = found | {
            "events": replace(events, extra=tuple(mine)),
            "users": Guess(events.source, columns, extra=extra, first_only=True, why=why),
        }
    told = account and (account not in events.source.sample or events.source.sample[account].notna().any())
    if "accounts" not in found and told:
        why = ("There is no table of accounts, so an account begins with its first event.",)
        columns = {"account_id": account, "created_at": when}
        found = found | {"accounts": Guess(events.source, columns, first_only=True, why=why)}
    return found


def _attributes(guess: Guess) -> tuple[list[str], list[str]]:
    """Columns left over with few distinct values: those that vary within a person, and those that do not."""
    sample, person = guess.source.sample, guess.columns.get("user_id")
    mine, theirs = [], []
    for column in guess.source.columns:
        if column in guess.columns.values() or column not in sample or not column.strip():
            continue
        values = sample[column].dropna().astype(str)
        few = len(values) >= 20 and 2 <= values.nunique() <= min(50, len(values) // 5)
        if not few or values.str.len().max() > 60 or looks_like_time(guess.source, column):
            continue
        fixed = person not in sample or values.groupby(sample[person]).nunique().le(1).mean() > 0.95
        (theirs if fixed else mine).append(column)
    return mine[:_FEW], theirs[:_FEW]
