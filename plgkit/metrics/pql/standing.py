"""Where accounts stand at one moment: every signal counted in one pass, without the instants at which it was met."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import ibis
from ibis import _
from ibis.expr.types import IntegerValue, Table

from plgkit.metrics import signals
from plgkit.metrics.accounts import openings
from plgkit.playbook.goals import Signal
from plgkit.sources import engine
from plgkit.sources.data import Data

DISTINCT = ("onboarding_completed", "core_features")
"""Kinds that count different events, not how often they happened."""
_ID, _COUNT = "counted_id", "count_{}"
_EPOCH = "1970-01-01"


def patterns(data: Data, until: dt.date, asked: Sequence[Signal]) -> Table:
    """One row per account there before a day: `account_id`, `pattern` (a bit per signal that counts), `last_active` (a day).

    It says of every account what `signals.moments` and `signals.held` say, but reads each table once.
    """
    last = None if until > data.as_of else ibis.date(until.isoformat())
    heard = {place: each for place, each in enumerate(asked) if not signals.silent(data, each)}
    rows = data.accounts if data.has("accounts") else openings(data)
    rows = rows.filter(rows.day < last) if last is not None else rows
    rows = rows.select("account_id", **{_COUNT.format(place): signals.fits(data, rows, each.kind).ifelse(1, 0)
                                        for place, each in heard.items() if each.kind in signals.FIT})
    parts = [_by_events(data, heard, last), _by_invites(data, heard, last), _by_days(data, heard, last)]
    for part in parts:
        if part is not None:
            rows = rows.left_join(part, rows.account_id == part[_ID]).drop(_ID)
    bits = [_met(rows, place, _need(data, each), each.at_most).ifelse(ibis.literal(1 << place, "int64"), ibis.literal(0, "int64"))
            for place, each in heard.items()]
    pattern = sum(bits[1:], start=bits[0]) if bits else ibis.literal(0, "int64")
    last_active = rows.last_active if "last_active" in rows.columns else ibis.null("date")
    # As an instant: days come from an engine one by one, instants as one array.
    return rows.select("account_id", pattern=pattern.cast("int64"), last_active=last_active.cast("timestamp(6)"))


def _met(rows: Table, place: int, least: int, most: int | None) -> ibis.Value:
    count = rows[_COUNT.format(place)].fill_null(0)
    return (count >= least) & (count <= most) if most else count >= least


def _need(data: Data, signal: Signal) -> int:
    return len(signals.events_of(data, signal)) if signal.kind == "onboarding_completed" else signals.need(data, signal)


def _soon(rows: Table, days: int | None) -> ibis.Value:
    """1 for what happened in the first days of its account, else 0."""
    there = rows["at"].notnull() if days is None else rows["at"] <= rows.created_at + ibis.interval(days=days)
    return there.ifelse(1, 0)


def _sums(of: dict[int, IntegerValue]) -> dict[str, IntegerValue]:
    return {_COUNT.format(place): each.sum().cast("int64") for place, each in of.items()}


def _by_events(data: Data, heard: dict[int, Signal], last: ibis.Value | None) -> Table | None:
    """Counts of signals that count events: first by account and event, then what each signal takes of them."""
    own = {place: each for place, each in heard.items() if signals.events_of(data, each)}
    if not own:
        return None
    spans = sorted({each.within_days for each in own.values() if each.within_days is not None})
    done = signals.done(data, list(own.values()), before=last, opened=bool(spans))
    alike = done.group_by(_.account_id, _.event).aggregate(
        often=_.count().cast("int64"), **{f"in_{days}": _soon(done, days).sum().cast("int64") for days in spans})
    taken = {}
    for place, each in own.items():
        often = alike.often if each.within_days is None else alike[f"in_{each.within_days}"]
        often = (often > 0).ifelse(1, 0) if each.kind in DISTINCT else often
        taken[place] = alike.event.isin(signals.events_of(data, each)).ifelse(often, 0)
    return alike.group_by(**{_ID: alike.account_id}).aggregate(**_sums(taken))


def _by_invites(data: Data, heard: dict[int, Signal], last: ibis.Value | None) -> Table | None:
    own = {place: each for place, each in heard.items() if each.kind == "invited"}
    if not own:
        return None
    sent = signals.invited(data, before=last)
    return sent.group_by(**{_ID: sent.account_id}).aggregate(
        **_sums({place: _soon(sent, each.within_days) for place, each in own.items()}))


def _by_days(data: Data, heard: dict[int, Signal], last: ibis.Value | None) -> Table | None:
    """Counts of active days and of runs of them, and the last active day: in one chain, so that days are found once."""
    if not data.has("events"):
        return None
    own = {place: each for place, each in heard.items() if each.kind in ("active_days", "active_streak")}
    days = signals.active_days(data, before=last)
    if any(each.kind == "active_streak" for each in own.values()):
        number = engine.days_between(days.day, ibis.date(_EPOCH))
        days = days.mutate(run=number - ibis.row_number().over(ibis.window(group_by=days.account_id, order_by=days.day)))
    spans = sorted({each.within_days for each in own.values() if each.within_days is not None})
    runs = days.group_by([days.account_id, *([days.run] if "run" in days.columns else [])]).aggregate(
        last_active=days.day.max(), often=_.count().cast("int64"),
        **{f"in_{span}": _soon(days, span).sum().cast("int64") for span in spans})
    taken = {}
    for place, each in own.items():
        # The first days of an account are the first of its run too: a run cut short there is still one.
        often = runs.often if each.within_days is None else runs[f"in_{each.within_days}"]
        taken[place] = (often >= each.at_least).ifelse(1, 0) if each.kind == "active_streak" else often
    return runs.group_by(**{_ID: runs.account_id}).aggregate(last_active=runs.last_active.max(), **_sums(taken))
