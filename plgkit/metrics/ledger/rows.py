"""The rows of the ledger: what each account paid at the end of each period, and what moved it."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import BooleanValue, IntegerValue, StringValue, Table

from plgkit.metrics.people import segmented
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain

MOVEMENTS = ["new", "reactivation", "expansion", "contraction", "churn"]
GAINS, LOSSES = MOVEMENTS[:3], MOVEMENTS[3:]
# Later than any day of data, and a day that every engine can hold.
_NEVER = "2200-01-01"
_COMPARED = ("plan", "seats", "add_on_minor", "usage_minor")


def spans(data: Data) -> Table:
    """One row per change of what an account pays, with `next_day`, the day of the account's next change.

    An account pays what the last row says whose day is before the moment asked for. Of two
    changes at one instant the larger counts.
    """
    rows = data.subscriptions
    by_time = ibis.window(group_by=rows.account_id, order_by=[rows.changed_at, rows.mrr_minor])
    return rows.mutate(next_day=rows.day.lead().over(by_time).fill_null(ibis.date(_NEVER)))


def ends(data: Data, grain: Grain, *, months: int | None = None, since: Table | None = None) -> Table:
    """The periods since the first payment: `period`, `until` (the day after its last day counted), `before`.

    `before` is so many months before `until`; without `months` it is the period's first day. With
    `since`, the periods begin with the first `day` of that table.
    """
    last_days = ibis.array([ibis.date(each.isoformat()) for each in untils(data, grain, since)])
    rows = last_days.unnest().name("until").as_table()
    rows = rows.mutate(period=data.period(engine.shift(rows.until, -1), grain))
    if months is None:
        return rows.mutate(before=rows.period)
    return rows.mutate(before=(rows.until - ibis.interval(months=months)).cast("date"))


def untils(data: Data, grain: Grain, since: Table | None = None) -> list[dt.date]:
    """The days after the last day counted of each period since the first payment."""
    rows = data.subscriptions if since is None else since
    first = engine.run(rows.aggregate(day=_.day.min())).day[0]
    last = data.as_of + engine.DAY
    start = data.as_of if pd.isna(first) else first.date()
    start, found = engine.period_of(start, grain, data.playbook.product.week_start), []
    while start < last:
        start = engine.next_period(start, grain)
        found.append(min(start, last))
    return found


def standing(data: Data, grain: Grain) -> Table:
    """One row per account and period at whose end it pays: `mrr_minor`, plan, seats, motion."""
    changes, periods = spans(data), ends(data, grain)
    held = (changes.day < periods.until) & (changes.next_day >= periods.until)
    return changes.filter(_.mrr_minor > 0).inner_join(periods, held).select(
        "account_id", "period", *_said(changes), "mrr_minor")


def _said(changes: Table) -> list[str]:
    """What a change says besides money, as far as these data have it."""
    return [name for name in ("plan", "seats", "motion", "currency") if name in changes.columns]


def closings(data: Data, grain: Grain, by: str | None, *, own: bool = False) -> Table:
    """One row per period and segment: `closing`, what is paid at its end in minor units, and `accounts`.

    Each stretch of paying counts from the period in which it begins up to the one in which it ends, so
    that accounts are read once and not once per period. With `own`, an account is cut by what it had
    at the time (plan, motion), else by what it has last.
    """
    paid = spans(data).filter(_.mrr_minor > 0)
    paid = paid if own else paid.select("account_id", "day", "next_day", "mrr_minor")
    paid = segmented(data, paid, by, unit="account_id")
    keys = [by] if by else []
    cells = paid.group_by(*keys, period=data.period(paid.day, grain), left=data.period(paid.next_day, grain)).aggregate(
        closing=_.mrr_minor.sum().cast("int64"), accounts=_.count().cast("int64"))
    return standing_in(data, cells, grain, keys, ["closing", "accounts"])


def standing_in(data: Data, cells: Table, grain: Grain, keys: list[str], sums: list[str]) -> Table:
    """Sums over all cells that stand at the end of each period: from their `period` up to the one they `left`."""
    periods = ends(data, grain).select(at_end=_.period)
    rows = cells.inner_join(periods, (cells.period <= periods.at_end) & (cells["left"] > periods.at_end))
    return rows.group_by(*keys, period=rows.at_end).aggregate(
        **{name: rows[name].sum().cast("int64") for name in sums})


def then_and_now(data: Data, grain: Grain, *, months: int | None = None) -> Table:
    """One row per account and period that paid at `before`: `then_minor`, `now_minor`, plan and motion then."""
    changes, periods = spans(data), ends(data, grain, months=months)
    if months is not None:
        return _far_apart(changes, periods)
    near = (changes.day < periods.until) & (changes.next_day >= periods.before)
    rows = changes.inner_join(periods, near)
    then = (rows.day < rows.before) & (rows.next_day >= rows.before)
    now = rows.next_day >= rows.until
    words = [name for name in _said(changes) if name != "seats"]
    pairs = rows.group_by("account_id", "period").aggregate(
        then_minor=then.ifelse(rows.mrr_minor, 0).max(), now_minor=now.ifelse(rows.mrr_minor, 0).max(),
        **{name: then.ifelse(rows[name], ibis.null("string")).max() for name in words})
    return pairs.filter(_.then_minor > 0)


def _far_apart(changes: Table, periods: Table) -> Table:
    """The same where much may happen in between: who paid then beside who pays now, and none of the changes that lie between."""
    paid, words = changes.filter(_.mrr_minor > 0), [name for name in _said(changes) if name != "seats"]
    then = paid.inner_join(periods, (paid.day < periods.before) & (paid.next_day >= periods.before))
    then = then.select("account_id", "period", *words, then_minor=_.mrr_minor)
    now = paid.inner_join(periods, (paid.day < periods.until) & (paid.next_day >= periods.until))
    now = now.select(payer=_.account_id, at=_.period, now_minor=_.mrr_minor)
    rows = then.left_join(now, (then.account_id == now.payer) & (then.period == now["at"]))
    return rows.select("account_id", "period", "then_minor", *words, now_minor=rows.now_minor.fill_null(0))


def moves(data: Data, grain: Grain, *, brief: str = "ignore", words: bool = True) -> Table:
    """One row per paying account and period with a change: opening, closing and the five movements, in minor units.

    `left` is the next period with a change. With `words` stands beside them `changed_at`, the period's last
    change, and what it says: plan, seats and motion, those of plan and seats before it as `plan_before` and
    `seats_before`. An account that paid nothing at either end of a period, but something inside it, has no
    movement where `brief` is "ignore". Where it is "both", its highest payment both came and went.
    """
    said = ["changed_at", "plan", "seats", "motion", *_told(data)] if words else []
    last = _last_of_periods(data, grain, said, peak=brief == "both")
    by_time = ibis.window(group_by=last.account_id, order_by=last.period)
    earlier = ibis.window(group_by=last.account_id, order_by=last.period, preceding=(None, 1), following=None)
    seen = last.peak if brief == "both" else last.closing
    before = {f"{name}_before": last[name].lag().over(by_time) for name in _COMPARED if name in said}
    rows = last.mutate(opening=last.closing.lag().over(by_time).fill_null(0), **before,
                       paid_before=(seen.max().over(earlier).fill_null(0) > 0))
    paid = (rows.opening > 0) | (rows.closing > 0)
    rows = rows.filter(paid | (rows.peak > 0) if brief == "both" else paid)
    passing = ((rows.opening == 0) & (rows.closing == 0)).ifelse(rows.peak, 0) if brief == "both" else _zero()
    came = (rows.opening == 0).ifelse(rows.closing + passing, 0)
    return rows.select("account_id", "period", "left", "opening", "closing", *before, *said,
                       **_movements(rows, came, passing), came_and_went=passing)


def _told(data: Data) -> list[str]:
    """What else a change says, where the source does."""
    return [name for name in ("currency", "add_on_minor", "usage_minor") if name in data.subscriptions.columns]


def _movements(rows: Table, came: IntegerValue, passing: IntegerValue) -> dict[str, IntegerValue]:
    gain, loss = rows.closing - rows.opening, rows.opening - rows.closing
    return {
        "new": rows.paid_before.ifelse(0, came), "reactivation": rows.paid_before.ifelse(came, 0),
        "expansion": ((rows.opening > 0) & (gain > 0)).ifelse(gain, 0),
        "contraction": ((rows.closing > 0) & (loss > 0)).ifelse(loss, 0),
        "churn": (rows.closing == 0).ifelse(rows.opening + passing, 0)}


def _zero() -> IntegerValue:
    return ibis.literal(0, "int64")


def _last_of_periods(data: Data, grain: Grain, said: list[str], *, peak: bool) -> Table:
    """The last change of each account in each period: `closing`, and where asked the most it paid within as `peak`."""
    rows = spans(data)
    rows = rows.select("account_id", *said, period=data.period(rows.day, grain), left=data.period(rows.next_day, grain),
                       closing=rows.mrr_minor)
    if peak:
        rows = rows.mutate(peak=rows.closing.max().over(ibis.window(group_by=[rows.account_id, rows.period])))
    return rows.filter(rows["left"] > rows.period)


def kind(rows: Table) -> StringValue:
    """What an account pays more or less for, by what it had before.

    "add_on" or "usage", where only what is paid for those moved the way all did. Of the rest "plan" or "seats", where
    only that moved, and seats the way the money did; "price" where neither did. "several" where more than one moved, and
    "unknown" without any plan or seats.
    """
    more = rows.closing > rows.opening
    add_on, usage = (_grown(rows, name) for name in ("add_on_minor", "usage_minor"))
    rest = rows.closing - rows.opening - add_on - usage
    add_on_moved, usage_moved, rest_moved = (((part != 0) & ((part > 0) == more)) for part in (add_on, usage, rest))
    plan = (rows.plan != rows.plan_before).fill_null(False)
    seats = ((rows.seats != rows.seats_before) & ((rows.seats > rows.seats_before) == more)).fill_null(False)
    known = (rows.plan == rows.plan_before).fill_null(False) | (rows.seats == rows.seats_before).fill_null(False)
    return ibis.cases(
        (add_on_moved & (usage_moved | rest_moved), "several"), (usage_moved & rest_moved, "several"),
        (add_on_moved, "add_on"), (usage_moved, "usage"), (plan & seats, "several"), (plan, "plan"), (seats, "seats"),
        (known, "price"), else_="unknown")


def moved_up(rows: Table) -> BooleanValue:
    """Whether an account has another plan than before, or pays more for add-ons."""
    return (rows.plan != rows.plan_before).fill_null(False) | (_grown(rows, "add_on_minor") > 0)


def _grown(rows: Table, name: str) -> IntegerValue:
    if name not in rows.columns:
        return _zero()
    return rows[name].fill_null(0) - rows[f"{name}_before"].fill_null(0)
