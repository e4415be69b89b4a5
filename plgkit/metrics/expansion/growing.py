"""Growing accounts: who pays more than before, by whose hand, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from plgkit.metrics import actives, ledger, shapes
from plgkit.metrics.accounts import first_payments
from plgkit.metrics.expansion.keeping import SHARE
from plgkit.metrics.expansion.recurring import as_money
from plgkit.metrics.people import NONE, segmented
from plgkit.metrics.registry import measure
from plgkit.sources.data import Data
from plgkit.sources.engine import Grain
from plgkit.stats import retained

Growth = Literal["any", "revenue", "seats", "plan"]
SELF_SERVE, HYBRID = "self_serve", "hybrid"
_NO_SAMPLE = "none: it is no sample"


def _expanded(data: Data, grain: Grain, by: str | None) -> Table:
    """One row per account and period in which it expanded: `expansion` in minor units, its `kind` and its `hand`."""
    rows = ledger.moves(data, grain).filter(_.expansion > 0)
    return _cut(data, rows.mutate(what=ledger.kind(rows), up=ledger.moved_up(rows), hand=rows.motion.fill_null(NONE)), by)


def _cut(data: Data, rows: Table, by: str | None) -> Table:
    """The rows with what they are cut by, which is what the account has last: money then stays in its group."""
    rows = rows.drop([name for name in ("plan", "motion", "currency") if name in rows.columns])
    return segmented(data, rows, by, unit="account_id")


def _summed(rows: Table, by: str | None) -> Table:
    return rows.group_by("period", *([by] if by else [])).aggregate(
        value=_.expansion.sum().cast("int64"), n=_.count().cast("int64"))


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=as_money, interval=_NO_SAMPLE)
def self_serve_expansion(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Expansion revenue that came without a salesperson.

    Of what `mrr_movements` counts as expansion, the part of accounts whose last change in the period was self-serve.
    Where a source does not say by whose hand, nothing counts.

    Parameters
    ----------
    data
        Reads `subscriptions` (motion).
    by
        Column of accounts to cut by; plan and motion are the account's last ones.
    grain
        Length of a period.

    Returns
    -------
    One row per period from the first such expansion: period, value (currency a month), low and high (missing: it
    is no sample), n (accounts), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> self_serve_expansion(samples.tiny())[["period", "value", "n"]]  # a1 pays for a third seat
          period  value  n
    0 2025-02-01   10.0  1
    """
    return _summed(_expanded(data, grain, by).filter(_.hand == SELF_SERVE), by)


@measure(shape="total", unit="currency", better="higher", reads="subscriptions", finish=as_money, interval=_NO_SAMPLE)
def self_serve_upsell(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Of self-serve expansion, what came with another plan or an add-on.

    An account that pays more and has another plan at the period's end than at its start has moved up; if it
    added seats in the same period, all it pays more counts here.

    Parameters
    ----------
    data
        Reads `subscriptions` (motion, plan; add-ons where the billing tells them).
    by
        Column of accounts to cut by; plan and motion are the account's last ones.
    grain
        Length of a period.

    Returns
    -------
    As of `self_serve_expansion`, from the first period with an upsell.

    Examples
    --------
    >>> from plgkit import samples
    >>> len(self_serve_upsell(samples.tiny()))  # a1 grew by a seat, on the same plan
    0
    """
    return _summed(_expanded(data, grain, by).filter((_.hand == SELF_SERVE) & _.up), by)


def _as_kinds(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = ["period", *([by] if by else [])]
    made = frame.sort_values([*keys, "kind"], ignore_index=True)
    made["amount"] = made["minor"] / ledger.MINOR
    made["share"] = made["minor"] / made.groupby(keys)["minor"].transform("sum")
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return made[[*keys, "kind", "accounts", "amount", "share", "complete"]]


@measure(shape="table", unit="currency", better="higher", reads="subscriptions", finish=_as_kinds, interval=_NO_SAMPLE)
def by_kind(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Expansion revenue by what is paid for: more seats, another plan, a higher price, usage, or an add-on.

    Told from plan and seats at both ends of the period, and from what is paid for add-ons and usage where the billing
    tells. Where more than one moved the kind is "several"; where none did, the same costs more: "price". Without plan
    and seats it is "unknown".

    Parameters
    ----------
    data
        Reads `subscriptions` (plan, seats).
    by
        Column of accounts to cut by; plan and motion are the account's last ones.
    grain
        Length of a period.

    Returns
    -------
    One row per period and kind that occurs: period, kind (seats, plan, several, price, usage, add_on, unknown),
    accounts, amount (currency a month), share (of the period's expansion), complete. Amounts add up to the
    expansion of `mrr_movements`.

    Examples
    --------
    >>> from plgkit import samples
    >>> by_kind(samples.tiny())[["period", "kind", "accounts", "amount", "share"]]
          period   kind  accounts  amount  share
    0 2025-02-01  seats         1    10.0    1.0
    """
    rows = _expanded(data, grain, by)
    return rows.group_by("period", *([by] if by else []), kind=rows.what).aggregate(
        accounts=_.count().cast("int64"), minor=_.expansion.sum().cast("int64"))


def _as_mix(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    by = parameters["by"]
    keys = ["period", *([by] if by else []), "movement"]
    parts = []
    for motion in sorted(frame["hand"].unique()):
        mine = frame["hand"] == motion
        cells = frame.assign(numerator=frame["minor"].where(mine, 0), denominator=frame["minor"], count=frame["accounts"])
        shares = ledger.spanned(cells, keys, parameters["level"], by=retained.lost)
        counted = frame["accounts"].where(mine, 0).groupby([frame[each] for each in keys]).sum()
        parts.append(shares.assign(motion=motion, accounts=counted.to_numpy()))
    columns = [*keys, "motion", "accounts", "amount", "value", "low", "high", "complete"]
    if not parts:
        return pd.DataFrame(columns=columns)
    made = pd.concat(parts, ignore_index=True)
    made = made[made["accounts"] > 0].sort_values([*keys, "motion"], ignore_index=True)
    made["amount"] = made["numerator"] / ledger.MINOR
    made["complete"] = shapes.complete(made["period"], data, parameters["grain"])
    return made.astype({"accounts": "int64"})[columns]


@measure(shape="table", unit="share of revenue gained", better="neither", reads="subscriptions", finish=_as_mix,
         interval=SHARE)
def motion_mix(data: Data, *, by: str | None = None, grain: Grain = "month") -> Table:
    """Share of new and of expansion revenue that came self-serve, by sales, and by both in turn (hybrid).

    Expansion is hybrid where the account's first payment came by one hand and this one by the other: began
    self-serve and expanded by sales, or the reverse.

    Parameters
    ----------
    data
        Reads `subscriptions` (motion).
    by
        Column of accounts to cut by; plan and motion are the account's last ones.
    grain
        Length of a period.

    Returns
    -------
    One row per period, movement (new or expansion) and motion that occurs (self_serve, sales, hybrid, or "(none)"
    where the source does not say): accounts, amount (currency a month), value (share of the movement), low, high
    (none below five accounts in the movement), complete.

    Examples
    --------
    >>> from plgkit import samples
    >>> motion_mix(samples.tiny())[["movement", "motion", "amount", "value"]].round(3)
        movement      motion  amount  value
    0        new       sales    50.0  0.714
    1        new  self_serve    20.0  0.286
    2  expansion  self_serve    10.0  1.000
    """
    began = first_payments(data).select("account_id", first_hand=_.motion)
    rows = ledger.moves(data, grain).filter((_.new > 0) | (_.expansion > 0))
    rows = rows.left_join(began, "account_id").drop("account_id_right")
    turned = ((rows.expansion > 0) & (rows.motion != rows.first_hand)).fill_null(False)
    rows = rows.mutate(
        movement=(rows.new > 0).ifelse("new", "expansion"), minor=rows.new + rows.expansion,
        hand=turned.ifelse(HYBRID, rows.motion.fill_null(NONE)))
    return _cut(data, rows, by).group_by("period", *([by] if by else []), "movement", "hand", "minor").aggregate(
        accounts=_.count().cast("int64"))


def _as_growth(frame: pd.DataFrame, data: Data, parameters: Mapping[str, Any]) -> pd.DataFrame:
    made = shapes.every_period(frame, data, parameters, ["numerator", "denominator"])
    made = shapes.with_share(shapes.only_complete(made, data, parameters["grain"]), parameters["level"])
    return shapes.ordered(made, parameters, ["numerator", "denominator", "value", "low", "high", "immature"])


@measure(shape="rate", unit="share of paying accounts", better="higher", reads="subscriptions", finish=_as_growth)
def account_expansion(data: Data, *, of: Growth = "any", by: str | None = None, grain: Grain = "month") -> Table:
    """Share of the accounts paying at a period's start that have grown by its end (in: `of`).

    Parameters
    ----------
    data
        Reads `subscriptions`.
    of
        "revenue": the account pays more, be it for seats, plan, usage or price. "seats": it has more of them.
        "plan": it pays more on another plan. "any": more revenue or more seats.
    by
        Column of accounts to cut by; plan and motion are the account's last ones.
    grain
        Length of a period.

    Returns
    -------
    One row per period after the first: period, numerator (accounts grown), denominator (accounts that paid at the
    start), value, low, high, immature (those of a period that is not over).

    Examples
    --------
    >>> from plgkit import samples
    >>> account_expansion(samples.tiny())[["period", "numerator", "denominator", "value"]]  # a1 of a1 and a2
          period  numerator  denominator  value
    0 2025-02-01          1            2    0.5
    """
    keys = ["period", *([by] if by else [])]
    rows = ledger.moves(data, grain).filter((_.opening > 0) & (_.closing > 0))
    more = (rows.seats > rows.seats_before).fill_null(False)
    plan = (rows.plan != rows.plan_before).fill_null(False) & (rows.expansion > 0)
    grown = {"any": (rows.expansion > 0) | more, "revenue": rows.expansion > 0, "seats": more, "plan": plan}[of]
    one, none = ibis.literal(1, "int64"), ibis.literal(0, "int64")
    grew = _cut(data, rows.filter(grown), by).select(*keys, numerator=one, denominator=none)
    started = ledger.closings(data, grain, by)
    started = started.select(period=actives.following(started.period, grain), **{each: started[each] for each in keys[1:]},
                             numerator=none, denominator=started.accounts)
    both = grew.union(started.filter(_.period <= ibis.date(data.as_of.isoformat())).select(grew.columns))
    return both.group_by(*keys).aggregate(numerator=_.numerator.sum().cast("int64"), denominator=_.denominator.sum().cast("int64"))
