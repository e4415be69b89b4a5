"""Keeps a source's tables on a shelf: those of events and visits in pieces, the others whole for each state of the data."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from ibis.expr.types import Table

from plgkit.playbook import Playbook
from plgkit.schema import TABLES
from plgkit.sources import clean, facts, gate
from plgkit.sources.facts import Finding
from plgkit.sources.files import Loaded
from plgkit.sources.growing import pieces, rolled
from plgkit.sources.growing.arrivals import Arrivals
from plgkit.sources.growing.shelf import Shelf, succeeded
from plgkit.sources.prepare import Judge, Prepared, prepare

GROWING = ("events", "visits")
"""Tables whose rows are many and come by the day."""


def keep(shelf: Shelf, loaded: Mapping[str, Loaded], arrived: Mapping[str, Arrivals], playbook: Playbook, *, line: str, version: str) -> None:
    """Judge what is new in a source, and keep all its tables in this state of the data.

    A state of the data is noted when all its tables are there: whoever is killed before that leaves tables under names that
    the next run takes up, or nobody asks for.
    """
    names: list[str] = []
    judged: dict[str, Table] = {}

    def check(tables: Mapping[str, Table]) -> None:
        if shelf.connection.name == "duckdb":  # pandera asks in ways that not every engine answers.
            gate.pass_through({name: clean.used(rows) for name, rows in tables.items()})

    def store(name: str, rows: Table) -> Table:
        kept = f"{name}_{version}"
        shelf.make(kept, rows, _order(name))
        names.append(kept)
        judged[name] = shelf.open(kept)
        return judged[name]

    def grow(name: str, judge: Judge, people: Table | None) -> tuple[Table, pd.DataFrame]:
        key = next((each for each in TABLES[name].key if each in arrived[name].read(set()).table.columns), None)
        pieces.brought_up(pieces.Growing(
            name, line, version, playbook.product.time_zone, arrived[name], judge, lambda rows: facts.of(name, rows, playbook),
            lambda rows: check({name: rows}), _order(name), people, key if playbook.data.duplicates == "event_id" else None), shelf)
        return pieces.judged(name, line, version, shelf), pieces.opened(name, line, version, shelf).facts

    def firsts() -> Table:
        found, kept = pieces.firsts("events", line, version, shelf)
        names.extend(kept)
        return found

    whole = {**loaded, **{name: each.whole for name, each in arrived.items()}}
    prepared = prepare(whole, playbook, store=store, version=version, growing=tuple(arrived), grow=grow, firsts=firsts)
    check({name: judged[name] for name in prepared.set_aside if name not in arrived})
    shelf.write(_note(version), {
        "tables": [name for name in prepared.tables if name not in arrived], "growing": list(arrived), "judged": list(prepared.set_aside),
        "findings": facts.as_json(prepared.findings), "facts": {name: facts.as_text(each) for name, each in prepared.facts.items()
                                                              if name not in arrived}})
    succeeded(shelf, f"source_{line}", _note(version), names)


def is_kept(shelf: Shelf, *, line: str, version: str) -> bool:
    """Whether a state of the data is kept, and all its tables are still there."""
    noted = shelf.read(_note(version))
    return (noted is not None and all(pieces.stands(name, line, version, shelf) for name in noted["growing"])
            and shelf.has([f"{name}_{version}" for name in noted["tables"]]))


def open_kept(shelf: Shelf, playbook: Playbook, *, line: str, version: str) -> tuple[Prepared, dict[str, Table]]:
    """Open a state of the data that is kept, and its rollups."""
    noted = shelf.read(_note(version))
    grown = {name: pieces.opened(name, line, version, shelf) for name in noted["growing"]}
    whole = {name: shelf.used(f"{name}_{version}") for name in noted["tables"]} | {name: each.used for name, each in grown.items()}
    tables = {name: whole[name] for name in TABLES if name in whole}
    aside = {name: grown[name].aside if name in grown else shelf.aside(f"{name}_{version}") for name in noted["judged"]}
    told = {name: facts.from_text(each) for name, each in noted["facts"].items()} | {name: each.facts for name, each in grown.items()}
    prepared = Prepared(tables, aside, tuple(Finding(**each) for each in noted["findings"]), version, told)
    made = rolled.rolled(grown["events"], shelf, playbook, line=line, version=version) if "events" in grown else {}
    return prepared, made


def names(shelf: Shelf, *, line: str, version: str) -> list[str]:
    """The names of all tables of a state of the data."""
    noted = shelf.read(_note(version))
    return [*(f"{name}_{version}" for name in noted["tables"]),
            *(each for name in noted["growing"] for each in pieces.tables(name, line, version, shelf))]


def _note(version: str) -> str:
    return f"source_{version}"


def _order(name: str) -> list[str]:
    person = next((each for each in ("user_id", "account_id", "visitor_id", "inviter_id") if each in TABLES[name].names), None)
    return [each for each in (person, TABLES[name].time) if each]
