"""What events do to the measures by coming, by staying away, or by never having come."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import pandas as pd
from ibis import _

from plgkit.playbook import Playbook
from plgkit.quality.touched import counted, of_words, percent, told
from plgkit.sources.data import Data

NEW, GONE, STEADY, NEVER = "new", "vanished", "steady", "named, never seen"


def effects(data: Data, found: pd.DataFrame, named: Mapping[str, set[str]]) -> list[str]:
    """What each event does to the measures, in the state it is in."""
    totals = data.run(data.events.group_by("day").aggregate(n=_.count().cast("int64")))
    unnamed = {state: [row.event for row in found.itertuples() if row.state == state and row.event not in named] for state in (NEW, GONE)}
    steady = [row.event for row in found.itertuples() if row.state in (NEW, STEADY) and row.event not in named]
    made = []
    for row in found.itertuples():
        reading = told(of_words(named.get(row.event, ())))
        active = is_activity(row.event, data.playbook)
        if row.state == NEVER:
            made.append(f"nobody did it, so nobody is counted by it in {reading}{_nearest(row.event, steady)}")
        elif row.state == GONE:
            made.append(_of_gone(row, reading, active, _nearest(row.event, unnamed[NEW])))
        elif row.state == NEW:
            made.append(_of_new(row, reading, active, totals, _nearest(row.event, unnamed[GONE], "did it replace")))
        else:
            use = "every row counts as use" if active else "it does not count as use"
            made.append(f"read by {reading}; {use}" if reading else f"{use} and nothing else" if active else "in no measure of these: the playbook leaves it out of [activity]")
    return made


def is_activity(event: str, playbook: Playbook) -> bool:
    """Whether an event makes a person active."""
    rules = playbook.activity
    return (rules.events is None or event in rules.events) and event not in rules.except_


def _of_gone(row: Any, reading: str, active: bool, near: str) -> str:
    since = f"since {row.last:%Y-%m-%d}"
    who = counted(row.people, "person", "people")
    if not active:
        did = f"{who} did it, and it never counted as use"
    elif row.alone:
        did = f"{who} did it, {row.alone:,} nothing else: {'that one looks' if row.alone == 1 else 'these look'} lost (retention.cohorts, engagement.active_people)"
    else:
        did = f"{who} did it, and other things too, so nobody looks lost by it"
    if reading:
        return f"{since} nobody is counted by it in {reading}{near}; {did}"
    return f"gone {since}: {did}{near}"


def _of_new(row: Any, reading: str, active: bool, totals: pd.DataFrame, near: str) -> str:
    since = f"before {row.first:%Y-%m-%d}"
    if reading:
        return f"{since} nobody could be counted by it in {reading}: earlier periods are too low to compare with{near}"
    if not active:
        return f"none on active people: the playbook leaves it out of [activity]{near}"
    part = percent(row.rows / max(int(totals.loc[pd.to_datetime(totals["day"]) >= row.first, "n"].sum()), 1))
    alone = f"{counted(row.alone, 'person is', 'people are')} active by it alone, so engagement.active_people and retention.cohorts are higher by as many" \
        if row.alone else "nobody is active by it alone, so active people and retention stay comparable"
    return f"since then {part} of all events, so engagement.sessions and counts of events rise with nobody doing more; {alone}{near}"


def _nearest(event: str, others: list[str], asked: str = "is it now called") -> str:
    close = [name for name in difflib.get_close_matches(event, others, n=2, cutoff=0.6) if name != event]
    return f"; {asked} {close[0]}?" if close else ""
