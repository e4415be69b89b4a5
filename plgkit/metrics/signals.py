"""The signals of readiness: when each account met each of them, and how the points add up."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics.accounts import first_payments, members, of_accounts, openings
from plgkit.metrics.people import NONE, segmented
from plgkit.playbook.goals import Signal
from plgkit.sources import engine, rollups
from plgkit.sources.data import Data

FIT = ("company_size", "industry")
"""Kinds that say what a company is, not what it did; they never fade."""
_WORDS = {"integration_connected": "features.integration", "core_features": "features.core",
          "items_created": "features.create", "premium_tried": "features.premium", "limit_hit": "limits.event",
          "pricing_viewed": "pricing.event", "payment_details": "payment.event",
          "onboarding_completed": "onboarding.steps"}
_SLACK = 1e-9
_EPOCH = "1970-01-01"
_NOT_MARKETED = ["no", "false", "0", "", NONE]


def events_of(data: Data, signal: Signal) -> list[str]:
    """The events that a signal counts, as the playbook names them."""
    if signal.kind == "event":
        return list(signal.events)
    if signal.kind not in _WORDS:
        return []
    section, key = _WORDS[signal.kind].split(".")
    named = getattr(getattr(data.playbook, section), key)
    return [named] if isinstance(named, str) else list(named or [])


def silent(data: Data, signal: Signal) -> str:
    """Why a signal can give no points on these data; empty if it can."""
    if signal.kind in FIT:
        return "" if data.has("accounts") else "no table of accounts"
    if signal.kind == "invited":
        return "" if data.has("invites") else "no table of invites"
    if not data.has("events"):
        return "no table of events"
    if signal.kind in ("active_days", "active_streak"):
        return ""
    named = events_of(data, signal)
    if not named:
        section, key = _WORDS[signal.kind].split(".")
        return f"the playbook names no event: [{section}] {key}"
    return "" if set(named) & set(data.event_names) else f"never happened: {', '.join(named)}"


def moments(data: Data, also: Sequence[Signal] = ()) -> Table:
    """One row per account and signal it ever met: `account_id`, `signal`, `points`, `fit`, `at` and `lost_at`.

    `at` is the instant at which the signal was met. `lost_at` is when it stopped to count because
    there was more than its `at_most`, else missing. `day` and `lost_day` are their days.
    Signals are those of the playbook, and those given besides.
    """
    asked = [*data.playbook.pql.signals, *also]
    return data.once(" ".join(["moments", *(each.name for each in also)]), lambda: _moments(data, asked))


def _moments(data: Data, asked: Sequence[Signal]) -> Table:
    heard = [each for each in asked if not silent(data, each)]
    shared: dict[str, Table] = {}
    if any(each.kind not in (*FIT, "invited", "active_days", "active_streak") for each in heard):
        shared["done"] = done(data, heard)
    parts = [_counted(data, each, shared).select(
        "account_id", "at", signal=ibis.literal(each.name), points=ibis.literal(float(each.points)),
        fit=ibis.literal(1 if each.kind in FIT else 0, "int64"), need=ibis.literal(need(data, each), "int64"),
        most=ibis.literal(each.at_most, "int64") if each.at_most else ibis.null("int64")) for each in heard]
    if not parts:
        return _nothing(data)
    rows = ibis.union(*parts) if len(parts) > 1 else parts[0]
    place = ibis.row_number().over(ibis.window(group_by=[rows.account_id, rows.signal], order_by=rows.at)) + 1
    rows = rows.mutate(place=place)
    missing = ibis.null("timestamp(6)")
    met = rows.group_by("account_id", "signal", "points", "fit").aggregate(
        at=(rows.place == rows.need).ifelse(rows["at"], missing).min(),
        lost_at=(rows.place == rows.most + 1).fill_null(False).ifelse(rows["at"], missing).min())
    met = met.filter(_.at.notnull())
    return met.mutate(day=data.local(met["at"]).date(), lost_day=data.local(met.lost_at).date())


def _nothing(data: Data) -> Table:
    none = openings(data).filter(ibis.literal(False))
    return none.select("account_id", signal=ibis.literal(""), points=ibis.literal(0.0),
                       fit=ibis.literal(0, "int64"), at=_.created_at, lost_at=ibis.null("timestamp(6)"),
                       day=_.day, lost_day=ibis.null("date"))


def need(data: Data, signal: Signal) -> int:
    """How many rows of `_counted` a signal takes."""
    if signal.kind in ("active_streak", *FIT):
        return 1
    return len(events_of(data, signal)) if signal.kind == "onboarding_completed" else signal.at_least


def _counted(data: Data, signal: Signal, shared: dict[str, Table]) -> Table:
    """One row per thing that a signal counts: `account_id` and the instant `at`."""
    if signal.kind in FIT:
        return fitting(data, signal.kind)
    if signal.kind == "invited":
        rows = invited(data)
    elif signal.kind in ("active_days", "active_streak"):
        rows = shared.setdefault("days", active_days(data))
    else:
        rows = shared["done"].filter(_.event.isin(events_of(data, signal)))
    if signal.within_days is not None:
        rows = rows.filter(rows["at"] <= rows.created_at + ibis.interval(days=signal.within_days))
    if signal.kind in ("onboarding_completed", "core_features"):
        return rows.group_by("account_id", "event").aggregate(at=rows["at"].min())
    return _streaks(rows, signal.at_least) if signal.kind == "active_streak" else rows.select("account_id", "at")


def done(data: Data, heard: Sequence[Signal], *, before: ibis.Value | None = None, opened: bool = True) -> Table:
    """The events that any signal counts, by account; all, or those before a day; with `created_at` where that is asked."""
    wanted = sorted({name for each in heard for name in events_of(data, each)})
    rows = _earlier(data.events.filter(_.event.isin(wanted)), before).select("user_id", "account_id", "event", at=_.occurred_at)
    return with_opening(data, of_accounts(data, rows)) if opened else of_accounts(data, rows)


def _earlier(rows: Table, before: ibis.Value | None) -> Table:
    return rows.filter(rows.day < before) if before is not None else rows


def invited(data: Data, *, before: ibis.Value | None = None) -> Table:
    """The invitations that an account's people sent; shared links are none."""
    sent = _earlier(data.invites.filter((_.kind != "link").fill_null(True)), before)
    return with_opening(data, sent.inner_join(members(data), sent.inviter_id == members(data).user_id).select(
        "account_id", at=_.sent_at))


def active_days(data: Data, *, before: ibis.Value | None = None) -> Table:
    """The first activity of every day on which any of an account's people was active."""
    events = _earlier(rollups.active_events(data.events, data.playbook), before).select("user_id", "account_id", "day", "occurred_at")
    days = of_accounts(data, events).group_by("account_id", "day").aggregate(at=_.occurred_at.min())
    return with_opening(data, days)


def with_opening(data: Data, rows: Table) -> Table:
    return rows.inner_join(openings(data).select("account_id", "created_at"), "account_id")


def _streaks(days: Table, length: int) -> Table:
    """The days that complete so many active ones in a row."""
    by_day = ibis.window(group_by=days.account_id, order_by=days.day)
    number = engine.days_between(days.day, ibis.date(_EPOCH))
    runs = days.mutate(run=number - ibis.row_number().over(by_day))
    within = ibis.window(group_by=[runs.account_id, runs.run], order_by=runs.day)
    runs = runs.mutate(place=ibis.row_number().over(within) + 1)
    return runs.filter(_.place == length).select("account_id", "at")


def fitting(data: Data, kind: str) -> Table:
    """Accounts whose profile fits, from their creation on."""
    rows = data.accounts
    return rows.filter(fits(data, rows, kind)).select("account_id", at=_.created_at)


def fits(data: Data, rows: Table, kind: str) -> ibis.Value:
    """Whether a profile fits; where the playbook wants nothing special, any that is filled in does."""
    fit = data.playbook.fit
    if kind == "industry":
        wanted = rows.industry.isin(fit.industries) if fit.industries else rows.industry.notnull()
        return wanted.fill_null(False)
    wanted = rows.employees.notnull()
    wanted = wanted & (rows.employees >= fit.employees_min) if fit.employees_min is not None else wanted
    wanted = wanted & (rows.employees <= fit.employees_max) if fit.employees_max is not None else wanted
    return wanted.fill_null(False)


def held(met: Table, until: ibis.Value) -> ibis.Value:
    """Whether a signal counts by what happened before a day."""
    return (met.day < until) & (met.lost_day.isnull() | (met.lost_day >= until))


def worth(met: Table, until: ibis.Value, lifespan_days: int | None) -> ibis.Value:
    """The points of a signal on the day before `until`.

    With a lifespan they fade evenly, day by day, to nothing; those of fit never do.
    """
    return met.points * left_of(met, until, lifespan_days) if lifespan_days is not None else met.points


def left_of(met: Table, until: ibis.Value, lifespan_days: int | None) -> ibis.Value:
    """The part of its points that a signal has left on the day before `until`, 0 to 1."""
    if lifespan_days is None:
        return ibis.literal(1.0)
    age = engine.days_between(until, met.day) - 1
    left = ibis.greatest(1.0 - age / float(lifespan_days), ibis.literal(0.0))
    return (met.fit == 1).ifelse(1.0, left)


def crossings(data: Data, threshold: float) -> Table:
    """One row per account that ever qualified: `account_id`, `crossed_at`, `crossed_day`.

    Points come and go at the signals' own instants and do not fade; an account qualifies at the
    first instant at which their sum reaches the threshold. One that paid by then is no lead.
    """
    met = moments(data)
    gained = met.select("account_id", "at", "points")
    lost = met.filter(met.lost_at.notnull()).select("account_id", at=met.lost_at, points=-met.points)
    steps = gained.union(lost).group_by("account_id", "at").aggregate(points=_.points.sum())
    upto = ibis.window(group_by=steps.account_id, order_by=steps["at"], preceding=None, following=0)
    sums = steps.mutate(score=steps.points.sum().over(upto))
    crossed = sums.filter(_.score >= threshold - _SLACK).group_by("account_id").aggregate(crossed_at=_.at.min())
    if data.has("subscriptions"):
        paid = first_payments(data).select("account_id", "paid_at")
        crossed = crossed.left_join(paid, "account_id").drop("account_id_right")
        crossed = crossed.filter((crossed.paid_at > crossed.crossed_at).fill_null(True))
    return crossed.select("account_id", "crossed_at", crossed_day=data.local(crossed.crossed_at).date())



def marketing(data: Data) -> Table | None:
    """One row per account that marketing ever qualified, `account_id` and `marketed_at`; None where nothing says so.

    The playbook names the events that make one (pql.marketing_events), or the column that tells (pql.marketing_column).
    """
    words = data.playbook.pql
    if words.marketing_events and data.has("events"):
        done = data.event(words.marketing_events).select("user_id", "account_id", at=_.occurred_at)
        rows = of_accounts(data, done).group_by("account_id").aggregate(marketed_at=_["at"].min())
        return rows.inner_join(openings(data).select("account_id"), "account_id").select("account_id", "marketed_at")
    if words.marketing_column is None:
        return None
    rows = segmented(data, openings(data).select("account_id", "created_at"), words.marketing_column, unit="account_id")
    said = rows[words.marketing_column]
    yes = said.isin(words.marketing_values) if words.marketing_values else said.lower().notin(_NOT_MARKETED)
    return rows.filter(yes).select("account_id", marketed_at=_.created_at)
