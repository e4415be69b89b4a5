"""From stretches of service, or from the changes of several subscriptions, to the changes of what accounts pay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
from ibis import _
from ibis.expr.types import Table

from plgkit.schema import TABLES
from plgkit.sources import engine
from plgkit.sources.billing.lines import FAR, worth
from plgkit.sources.billing.words import CHANGES, check

if TYPE_CHECKING:
    from plgkit.sources.data import Data

_SUMS = ["mrr_minor", "seats", "seats_known", "add_on_minor", "usage_minor", "source_rows"]
_WORDS = ["plan", "motion", "currency"]
_SEATED = ("subscription", "proration", "credit")


def changes(data: Data, name: str) -> Table:
    """The changes of what each account pays, from the table that tells.

    One row per account and day on which it changed: what its subscriptions come to together, with the
    plan, motion and currency of the largest. Gaps that the playbook bridges are none.
    """
    if name == CHANGES:
        return _of_changes(data, data._known_by_then(CHANGES))
    units = engine.keep(data.connection, "paid", _units(data))
    return engine.keep(data.connection, "subscriptions", _of_accounts(data, units, several=_several(units)))


def _of_changes(data: Data, rows: Table) -> Table:
    """As they are, where each row is an account's; else what the account's subscriptions come to."""
    found = data.run(rows.aggregate(several=_.subscription_id.max(), money=_.currency.max())).iloc[0]
    product, bridge = data.playbook.product.currency, data.playbook.revenue.bridge_days
    if found.isna().all() and not bridge:
        return rows.mutate(currency=ibis.literal(product), **_unknown())
    check(rows, CHANGES, data.playbook)
    rows = rows.mutate(mrr_minor=worth(rows.mrr_minor, rows.currency, data.playbook),
                       currency=rows.currency.strip().upper().fill_null(product))
    if found.isna()["several"] and not bridge:
        return rows.mutate(**_unknown())
    last = ibis.window(group_by=[rows.account_id, rows.subscription_id, rows.day],
                       order_by=[rows.changed_at.desc(), rows.mrr_minor.desc()])
    rows = rows.mutate(place=ibis.row_number().over(last)).filter(_.place == 0)
    units = rows.select("account_id", "subscription_id", "day", *_WORDS, at=rows.changed_at, mrr_minor=rows.mrr_minor,
                        seats=rows.seats.fill_null(0), seats_known=rows.seats.notnull().ifelse(1, 0).cast("int64"),
                        add_on_minor=_zero(), usage_minor=_zero(), source_rows=(rows.mrr_minor > 0).ifelse(1, 0).cast("int64"))
    units = engine.keep(data.connection, "paid", units)
    made = _of_accounts(data, units, several=True, of=["account_id", "subscription_id"])
    return engine.keep(data.connection, "subscriptions", made)


def _unknown() -> dict[str, ibis.Value]:
    return {"kind": ibis.null("string"), "add_on_minor": ibis.null("int64"), "usage_minor": ibis.null("int64"),
            "source_rows": ibis.literal(1, "int64")}


def _zero() -> ibis.Value:
    return ibis.literal(0, "int64")


_UNIT = ["account_id", "subscription_id", *_WORDS]


def _units(data: Data) -> Table:
    """What each part of an account's subscriptions comes to after each day on which that changes."""
    last = ibis.date(data.as_of.isoformat())
    rows = data.billing_lines.filter(
        _.reason.isnull(), _.mrr_minor != 0, _.from_day < _.until_day, _.from_day <= last)
    signs = ibis.array([1, -1]).unnest().name("sign").as_table()
    rows = rows.cross_join(signs)
    starts = rows.sign > 0
    seated = rows.kind.isin(_SEATED) & rows.seats.notnull()
    turn = rows.sign.cast("int64")
    of = (rows.amount_minor < 0).ifelse(-1, 1)
    marks = rows.select(
        *_UNIT, day=starts.ifelse(rows.from_day, rows.until_day), at=starts.ifelse(rows.from_at, rows.until_at),
        mrr_minor=rows.mrr_minor * turn,
        seats=seated.ifelse(rows.seats * of, 0) * turn, seats_known=seated.ifelse(1, 0) * turn,
        add_on_minor=(rows.kind == "add_on").ifelse(rows.mrr_minor, 0) * turn,
        usage_minor=(rows.kind == "usage").ifelse(rows.mrr_minor, 0) * turn, source_rows=turn)
    marks = marks.filter(marks.day <= last)
    days = marks.group_by(*_UNIT, "day").aggregate(at=_.at.max(), **{name: _[name].sum().cast("int64") for name in _SUMS})
    days = days.filter((days.mrr_minor != 0) | (days.seats != 0) | (days.add_on_minor != 0) | (days.usage_minor != 0))
    so_far = ibis.window(group_by=[days[name] for name in _UNIT], order_by=days.day, preceding=None, following=0)
    return days.mutate(**{name: days[name].sum().over(so_far).cast("int64") for name in _SUMS})


def _several(units: Table) -> bool:
    """Whether subscriptions are told apart, so that a gap can be one of a single subscription."""
    return bool(engine.run(units.aggregate(n=_.subscription_id.max()))["n"].notna()[0])


def _of_accounts(data: Data, units: Table, *, several: bool, of: Sequence[str] = tuple(_UNIT)) -> Table:
    bridge = data.playbook.revenue.bridge_days
    if bridge and several:
        if list(of) == _UNIT:
            units = _together(units, of=of, into=["account_id", "subscription_id"])
        units = _bridged(units, ["account_id", "subscription_id"], bridge, data.as_of)
        of = ["account_id", "subscription_id"]
    rows = _together(units, of=of, into=["account_id"])
    rows = rows.mutate(mrr_minor=(rows.mrr_minor > 0).ifelse(rows.mrr_minor, 0))
    rows = _only_changes(_bridged(rows, ["account_id"], bridge, data.as_of) if bridge else rows)
    made = rows.mutate(
        changed_at=rows.at, subscription_id=ibis.null("string"), kind=_kind(rows),
        seats=(rows.seats_known > 0).ifelse(rows.seats, ibis.null("int64")))
    return made.select(*[f"{name}_minor" if name == "mrr" else name for name in TABLES[CHANGES].names],
                       "kind", "add_on_minor", "usage_minor", "source_rows", "day")


def _kind(rows: Table) -> ibis.Value:
    """What an account pays for: subscription, add_on and usage, as far as they are there."""
    add_on, usage = rows.add_on_minor > 0, rows.usage_minor > 0
    plain = rows.mrr_minor > rows.add_on_minor + rows.usage_minor
    words = [(plain & add_on & usage, "subscription, add_on and usage"), (plain & add_on, "subscription and add_on"),
             (plain & usage, "subscription and usage"), (add_on & usage, "add_on and usage"), (plain, "subscription"),
             (add_on, "add_on"), (usage, "usage")]
    return ibis.cases(*words, else_=ibis.null("string"))


def _together(rows: Table, *, of: Sequence[str], into: list[str]) -> Table:
    """What the parts `of` come to for each of `into`, after each day on which any part changes."""
    by_day = ibis.window(group_by=[rows[name] for name in of], order_by=rows.day)
    spans = rows.mutate(next_day=rows.day.lead().over(by_day).fill_null(ibis.date(FAR)))
    days = rows.group_by(*into, "day").aggregate(moment=_.at.max()).rename(
        **{f"its_{name}": name for name in (*into, "day")})
    alike = [_same(spans[name], days[f"its_{name}"]) for name in into]
    pairs = days.inner_join(spans, [*alike, spans.day <= days.its_day, spans.next_day > days.its_day])
    largest = ibis.window(
        group_by=[pairs[f"its_{name}"] for name in (*into, "day")],
        order_by=[pairs.mrr_minor.desc(), pairs.day.desc(), *[pairs[name] for name in _sorting(of)]])
    pairs = pairs.mutate(place=ibis.row_number().over(largest))
    top = {name: (pairs.place == 0).ifelse(pairs[name], ibis.null("string")).max() for name in _WORDS}
    made = pairs.group_by(*[f"its_{name}" for name in (*into, "day")]).aggregate(
        at=pairs.moment.max(), **top, **{name: pairs[name].sum().cast("int64") for name in _SUMS})
    return made.rename(**{name: f"its_{name}" for name in (*into, "day")})


def _same(one: ibis.Value, other: ibis.Value) -> ibis.Value:
    return one.fill_null("") == other.fill_null("")


def _sorting(of: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys([*of, *_WORDS]) if name != "account_id"]


def _bridged(rows: Table, unit: list[str], days: int, as_of: dt.date) -> Table:
    """Without ends that are followed by a beginning within so many days, or still may be."""
    following = rows.day.lead().over(ibis.window(group_by=[rows[name] for name in unit], order_by=rows.day))
    rows = rows.mutate(gap=engine.days_between(following.fill_null(ibis.date((as_of + engine.DAY).isoformat())), rows.day))
    return rows.filter((rows.mrr_minor != 0) | (rows.gap > days)).drop("gap")


def _only_changes(rows: Table) -> Table:
    """Rows that say something new; an account begins with its first payment."""
    by_day = ibis.window(group_by=rows.account_id, order_by=rows.day)
    told = ["mrr_minor", "seats", "add_on_minor", "usage_minor", *_WORDS]
    before = {f"prev_{name}": rows[name].lag().over(by_day) for name in told}
    rows = rows.mutate(**before, prev_day=rows.day.lag().over(by_day))
    other = ibis.literal(False)
    for name in told:
        empty = "" if name in _WORDS else 0
        other = other | (rows[name].fill_null(empty) != rows[f"prev_{name}"].fill_null(empty))
    begins, ends = rows.prev_day.isnull() & (rows.mrr_minor > 0), (rows.mrr_minor == 0) & (rows.prev_mrr_minor > 0)
    goes_on = rows.prev_day.notnull() & (rows.mrr_minor > 0) & other
    return rows.filter(begins | ends | goes_on).drop(*before, "prev_day")
