"""Use of the product by free and by paying accounts, side by side, by what they paid at the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import ledger, sessions, windows
from plgkit.metrics.accounts import members
from plgkit.metrics.engagement import scores
from plgkit.metrics.people import segmented
from plgkit.metrics.registry import measure
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats import bootstrap, times

FREE, PAYING, CHANGED = "free", "paying", "changed"
_ORDER = [FREE, PAYING, CHANGED]
_MEASURES = {
    "share of people active": "share of people",
    "active people per account": "people",
    "days active": "days",
    "sessions": "sessions",
    "core features used": "features",
    "engagement score": "points",
}


def standing(data: Data, days: int) -> Table:
    """One row per person: `user_id`, the account (the person's own id without one), its `status` in the last days.

    An account is "paying" if it paid at the end of every day of the window, "free" if of none, else "changed".
    """
    first = data.as_of - (days - 1) * engine.DAY
    rows = ledger.spans(data).filter(_.mrr_minor > 0)
    start = ibis.greatest(rows.day, ibis.date(first.isoformat()))
    stop = ibis.least(rows.next_day, ibis.date((data.as_of + engine.DAY).isoformat()))
    paid = rows.mutate(paid=ibis.greatest(engine.days_between(stop, start), ibis.literal(0, "int64")))
    paid = paid.group_by("account_id").aggregate(paid=_.paid.sum().cast("int64"))
    people = members(data).left_join(paid, "account_id").drop("account_id_right")
    paid_days = people.paid.fill_null(0)
    status = ibis.cases((paid_days == 0, FREE), (paid_days >= days, PAYING), else_=CHANGED)
    return people.select("user_id", "account_id", status=status)


def _compare(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = ["measure", *([by] if by else [])]
    rows = []
    for key, cells in frame.groupby(keys, sort=True):
        groups = {name: part.sort_values("tenths") for name, part in cells.groupby("status")}
        free = groups.get(FREE)
        for status in _ORDER:
            if status in groups:
                rows.append((*key, status, *_one(groups[status], free, status, parameters["level"])))
    made = pd.DataFrame(rows, columns=[*keys, "status", "n", "value", "low", "high", "times", "times_low", "times_high"])
    made.insert(1, "unit", made["measure"].map(_MEASURES))
    kinds = dict.fromkeys(("value", "low", "high", "times", "times_low", "times_high"), "float64")
    made = made.astype({"n": "int64", "measure": "str", "unit": "str", "status": "str"} | kinds)
    order = made["measure"].map(list(_MEASURES).index) * 10 + made["status"].map(_ORDER.index)
    return made.assign(order=order).sort_values([*keys[1:], "order"], ignore_index=True).drop(columns="order")


def _one(cells: pd.DataFrame, free: pd.DataFrame | None, status: str, level: float) -> tuple[float, ...]:
    """How many, their mean with its interval, and how many times that of free accounts."""
    mine = bootstrap.mean(cells["tenths"] / 10, cells["people"], level=level)
    against = (float("nan"),) * 3
    if free is not None and status != FREE:
        against = times.of_means(cells["tenths"], cells["people"], free["tenths"], free["people"], level=level)
    return (int(cells["people"].sum()), *mine, *against)


@measure(shape="table", unit="as each row says", better="neither", reads="users events subscriptions", finish=_compare,
         interval="bootstrap over people, or over accounts for people per account")
def free_vs_paid_usage(data: Data, *, core: list[str] | None = None, trailing_days: int = 28,
                       by: str | None = None) -> Table:
    """Use by free and by paying accounts, side by side, in the last `trailing_days` days.

    An account counts as paying if it paid on every day of the window, and as free if on none; those that began or
    ceased to pay within it stand apart as "changed". So nobody counts as paying for what was done before paying.
    That paying accounts use more does not say that paying makes them: people who use more also pay more often.

    Parameters
    ----------
    data
        Reads `users` (account_id), `events` and `subscriptions`.
    core
        One event per feature; None is what the playbook's [features] core says, and without that there are no rows
        for features and score.
    trailing_days
        Days of the window, which ends with `as_of`.
    by
        Column of people to cut by.

    Returns
    -------
    One row per measure and status: measure, unit, status (free, paying or changed), n (people, or accounts), value
    (mean), low, high, times (value as a multiple of that of free accounts), times_low, times_high. The measures:
    share of people active (of all who signed up before or in the window), active people per account (of accounts with any);
    and per active person days active, sessions, core features used, and engagement score.

    Examples
    --------
    >>> from plgkit import samples
    >>> found = free_vs_paid_usage(samples.tiny())  # Ann's account pays throughout, Cho's stopped on 20 February
    >>> found.query("measure == 'days active'")[["status", "n", "value"]]
        status  n  value
    5   paying  1    2.0
    6  changed  1    1.0
    """
    core = data.playbook.features.core if core is None else core
    people = segmented(data, standing(data, trailing_days), by)
    active = windows.active_days(data, [data.as_of], trailing_days).select("user_id", "days")
    parts = {"share of people active": _flag(people, active), "days active": active.mutate(tenths=active.days * 10),
             "sessions": _sessions(data, active, trailing_days)}
    if core:
        parts |= _features(data, core, trailing_days)
    keys = ["status", *([by] if by else [])]
    counted = [_cells(name, rows.inner_join(people, "user_id"), keys) for name, rows in parts.items()]
    together = active.select("user_id").inner_join(people, "user_id").group_by("account_id", *keys).aggregate(
        tenths=_.count().cast("int64") * 10)
    return ibis.union(*counted, _cells("active people per account", together, keys))


def _cells(name: str, rows: Table, keys: list[str]) -> Table:
    cells = rows.mutate(tenths=rows.tenths.cast("int64")).group_by(*keys, "tenths").aggregate(
        people=_.count().cast("int64"))
    return cells.select(measure=ibis.literal(name), **{each: cells[each] for each in (*keys, "tenths", "people")})


def _flag(people: Table, active: Table) -> Table:
    """Everybody, and whether they were active."""
    seen = active.select(seen_id=_.user_id)
    rows = people.select("user_id").left_join(seen, people.user_id == seen.seen_id)
    return rows.select("user_id", tenths=rows.seen_id.notnull().ifelse(10, 0))


def _sessions(data: Data, active: Table, days: int) -> Table:
    """Sessions that active people began in the window."""
    after = data.as_of - days * engine.DAY
    begun = sessions.per_person(data, "day", gap_minutes=data.playbook.sessions.gap_minutes)
    begun = begun.filter(begun.period > _date(after)).group_by("user_id").aggregate(n=_.sessions.sum())
    return active.select("user_id").left_join(begun, "user_id").select("user_id", tenths=_.n.fill_null(0) * 10)


def _features(data: Data, core: list[str], days: int) -> dict[str, Table]:
    words = data.playbook.engagement
    rows = scores.people(data, [data.as_of], core=core, weights=words.weights, trailing_days=days,
                         full_actions=words.full_actions, full_days=words.full_days)
    return {"core features used": rows.select("user_id", tenths=rows.features * 10),
            "engagement score": rows.select("user_id", "tenths")}


def _date(day: dt.date) -> ibis.Value:
    return ibis.date(day.isoformat())
