"""What the flywheel is fitted to: counts of people, invitations and money by month, in forty groups of accounts."""

from __future__ import annotations

import datetime as dt
import weakref
from dataclasses import dataclass, replace

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import FloatingScalar, IntegerColumn, Table

from plgkit.errors import ShortHistory
from plgkit.metrics import accounts, ledger, people
from plgkit.sources import engine
from plgkit.sources.data import Data
from plgkit.stats.intervals import Floats

GROUPS = 40
LEAST = 6
"""Complete months without which nothing is forecast."""
LAGS = 3
MONEY = ["new", "reactivation", "expansion", "contraction", "churn", "started", "firsts", "moves", "first_fourths", "move_fourths"]

_COUNTED: weakref.WeakKeyDictionary[Data, Counts] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Counts:
    """Counts of `GROUPS` groups of accounts (first axis) in so many complete months.

    signups, judged, activated: group, month of sign-up, invited or not. size: group, month, activated or not.
    active, founders, payments: group, month of sign-up, activated or not, age in months; founders are the first people of
    their accounts, payments the first of their accounts. sent: group, month, who (new and activated, new and not, there
    before). accepted: group, month of sending, months until accepted. money: group, month, `MONEY` in major units.
    """

    months: pd.DatetimeIndex
    signups: Floats
    judged: Floats
    activated: Floats
    size: Floats
    active: Floats
    founders: Floats
    payments: Floats
    sent: Floats
    accepted: Floats
    money: Floats | None


def earlier(data: Data, day: dt.date) -> Data:
    """The same data as they were known at the end of an earlier day."""
    return data if day == data.as_of else replace(data, as_of=day, answers={}, _memo={}, _kept={})


def whole_months(data: Data) -> Data:
    """The data up to the end of the last complete month."""
    after = data.as_of + engine.DAY
    return earlier(data, engine.period_of(after, "month") - engine.DAY)


def counts(data: Data) -> Counts:
    """Count everything up to the end of the last complete month; the same data are counted once.

    Raises
    ------
    ShortHistory
        If there are too few months to tell a trend from.
    """
    if data not in _COUNTED:
        _COUNTED[data] = _counts(whole_months(data))
    return _COUNTED[data]


def _counts(data: Data) -> Counts:
    with data.answering():
        who = data.once("flywheel_people", lambda: _people(data))
        signups = data.run(who.group_by("part", "month", "invited", "judged", "activated").aggregate(
            n=_.count().cast("int64"), founders=_.founder.sum().cast("int64")))
        months = _months(data, signups)
        t = len(months)
        sent = _sent(data, who, months) if data.has("invites") else (np.zeros((GROUPS, t, 3)), np.zeros((GROUPS, t, LAGS)))
        active, founders = _active(data, who, months)
        paid = data.has("subscriptions")
        payments = _payments(data, who, months) if paid else np.zeros((GROUPS, t, 2, t))
        money = _money(data, months) if paid else None
    judged = signups[signups["judged"] == 1]
    return Counts(months, _cells(signups, months, "n", "month", "invited"), _cells(judged, months, "n", "month", "invited"),
                  _cells(judged[judged["activated"] == 1], months, "n", "month", "invited"),
                  _cells(signups, months, "n", "month", "activated"), active, founders, payments, *sent, money)


def _people(data: Data) -> Table:
    """One row per person: the group of the account, month of sign-up, invited, judged, activated, first of the account."""
    rules, moment = data.playbook.activation, data.playbook.activation.event or data.playbook.activation.rule
    if not moment:
        from plgkit.metrics import activation
        activation.rate.resolve(data, {})
    came = people.activated(data, moment).select(activated_by=_.user_id, activated_at=_.activated_at)
    rows = accounts.members(data).inner_join(data.users.select("user_id", "signed_up_at", "day"), "user_id")
    rows = rows.left_join(came, rows.user_id == came.activated_by)
    if data.has("invites"):
        guests = data.invites.filter(_.invitee_id.notnull()).select(guest=_.invitee_id).distinct()
        rows = rows.left_join(guests, rows.user_id == guests.guest)
    else:
        rows = rows.mutate(guest=ibis.null("string"))
    place = ibis.row_number().over(ibis.window(group_by=rows.account_id, order_by=[rows.signed_up_at, rows.user_id]))
    rows = rows.mutate(
        month=data.period(rows.day, "month"), invited=rows.guest.notnull().ifelse(1, 0), founder=(place == 0).ifelse(1, 0),
        judged=people.closed(data, rows.signed_up_at, rules.within_days).ifelse(1, 0),
        activated=people.within(rows.activated_at, rows.signed_up_at, rules.within_days).ifelse(1, 0))
    parts = _groups(data)
    return rows.inner_join(parts, "account_id").select(
        "user_id", "account_id", "part", "month", "invited", "judged", "activated", "founder", "day")


def _groups(data: Data) -> Table:
    """One row per account: which of the groups it is in. Neighbours in time are in different groups."""
    begun = accounts.members(data).inner_join(data.users.select("user_id", "day"), "user_id").select("account_id", "day")
    if data.has("subscriptions"):
        begun = begun.union(data.subscriptions.select("account_id", "day"))
    begun = begun.group_by("account_id").aggregate(day=_.day.min())
    place = ibis.row_number().over(ibis.window(order_by=[begun.day, begun.account_id]))
    return begun.select("account_id", part=(place % GROUPS).cast("int64"))


def _months(data: Data, signups: pd.DataFrame) -> pd.DatetimeIndex:
    first = signups["month"].min()
    last = pd.Timestamp(engine.period_of(data.as_of, "month"))
    months = pd.date_range(first, last, freq="MS") if not signups.empty else pd.DatetimeIndex([])
    if len(months) < LEAST:
        raise ShortHistory("The flywheel", len(months), least=LEAST, unit="complete month")
    return months


def _active(data: Data, who: Table, months: pd.DatetimeIndex) -> tuple[Floats, Floats]:
    rows = data.activity.select("user_id", at=data.period(data.activity.day, "month")).distinct()
    rows = rows.inner_join(who, "user_id").filter(lambda t: t["at"] >= t.month)
    found = data.run(rows.group_by("part", "month", "activated", "at").aggregate(
        n=_.count().cast("int64"), founders=_.founder.sum().cast("int64")))
    found["age"] = _number(found["at"], months) - _number(found["month"], months)
    return tuple(_cells(found, months, what, "month", "activated", "age") for what in ("n", "founders"))


def _payments(data: Data, who: Table, months: pd.DatetimeIndex) -> Floats:
    """First payments by when and how the first person of the account began; those of nobody known spread over all."""
    paid = accounts.first_payments(data).select("account_id", at=_.paid_day)
    paid = paid.mutate(at=data.period(paid["at"], "month"))
    first = who.filter(_.founder == 1).select("account_id", "part", "month", "activated")
    found = data.run(paid.inner_join(first, "account_id").group_by("part", "month", "activated", "at").aggregate(
        n=_.count().cast("int64")))
    total = int(data.run(paid.aggregate(n=_.count().cast("int64")))["n"].iloc[0])
    found["age"] = (_number(found["at"], months) - _number(found["month"], months)).clip(lower=0)
    known = found["n"].sum()
    return _cells(found, months, "n", "month", "activated", "age") * (total / known if known else 1.0)


def _sent(data: Data, who: Table, months: pd.DatetimeIndex) -> tuple[Floats, Floats]:
    sent = data.invites
    sent = sent.select(user_id=sent.inviter_id, at=data.period(sent.day, "month"), sent_at=sent.sent_at,
                       taken=data.period(data.local(sent.accepted_at).date(), "month"))
    rows = sent.inner_join(who.select("user_id", "part", "month", "activated"), "user_id")
    place = ibis.cases((rows.month != rows["at"], 2), (rows.activated == 1, 0), else_=1)
    found = data.run(rows.mutate(place=place).group_by("part", "at", "place", "taken").aggregate(n=_.count().cast("int64")))
    found = found.rename(columns={"at": "month"})
    taken = found.dropna(subset=["taken"]).copy()
    taken["lag"] = (_number(taken["taken"], months) - _number(taken["month"], months)).clip(lower=0)
    return (_cells(found, months, "n", "month", "place", widths={"place": 3}),
            _cells(taken[taken["lag"] < LAGS], months, "n", "month", "lag", widths={"lag": LAGS}))


def _money(data: Data, months: pd.DatetimeIndex) -> Floats:
    rows = ledger.moves(data, "month", words=False)
    rows = rows.inner_join(_groups(data), "account_id")
    rows = rows.mutate(started=(rows.new > 0).ifelse(1, 0), month=rows.period)
    net = rows.reactivation + rows.expansion - rows.contraction - rows.churn
    found = data.run(rows.group_by("part", "month").aggregate(
        **{name: rows[name].sum().cast("int64") for name in MONEY[:6]},
        firsts=_powers(rows.new, 2), moves=_powers(net, 2), first_fourths=_powers(rows.new, 4), move_fourths=_powers(net, 4)))
    found[MONEY[:5]] /= ledger.MINOR
    return np.stack([_cells(found, months, name, "month") for name in MONEY], axis=-1)


def _powers(amount: IntegerColumn, power: int) -> FloatingScalar:
    """The sum of a power of amounts in major units."""
    value = amount.cast("float64") / ledger.MINOR
    return (value**power).sum()


def _number(days: pd.Series, months: pd.DatetimeIndex) -> pd.Series:
    first = months[0]
    return (days.dt.year - first.year) * 12 + days.dt.month - first.month


def _cells(found: pd.DataFrame, months: pd.DatetimeIndex, what: str, *keys: str,
           widths: dict[str, int] | None = None) -> Floats:
    """Rows of counts as an array: groups first, then the keys. What came before the first month counts as in it."""
    size = {"month": len(months), "age": len(months), "invited": 2, "activated": 2, **(widths or {})}
    made = np.zeros((GROUPS, *(size[each] for each in keys)))
    place = [_number(found[each], months).clip(lower=0) if each == "month" else found[each] for each in keys]
    np.add.at(made, (found["part"].to_numpy(int), *(each.to_numpy(int) for each in place)), found[what].to_numpy(float))
    return made
